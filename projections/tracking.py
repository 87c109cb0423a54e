"""Where is each order, each supplier order and each parcel, when is it expected, and what does it wait for?

The rows hold no personal data: of an order and its parcels only what is named here is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from ledger.facts import LineNo, Units, Value
from ledger.nouns.orders import (
    Buckets,
    Header,
    Hold,
    HoldReason,
    Order,
    UnknownOrder,
)
from ledger.nouns.orders.supplier_orders import Stage, SupplierOrder
from ledger.nouns.parcels import CustomsAsk, CustomsHold, ParcelStatus
from projections.machine.reads import (
    FIRST,
    LAST,
    Answer,
    PageOf,
    Snapshot,
    Where,
    snapshot,
)
from projections.machine.streams import (
    OrderHistory,
    Page,
    ParcelHistory,
    ParcelUse,
)
from projections.machine.tables import (
    ID,
    Projection,
    Rows,
    Table,
    Values,
    Written,
)

# --- tables ---------------------------------------------------------------------------------------

ORDERS = Table(
    "tracking_orders",
    1,
    {
        "order_id": ID,
        "channel": ID,
        "status": ID,
        "placed_at": "timestamptz NOT NULL",
        "promised_by": "timestamptz",
        "delivered_at": "timestamptz",
        "details": "text NOT NULL",  # JSON of Details
    },
    ("(status, placed_at, order_id)",),
)
PARCELS = Table(
    "tracking_parcels",
    3,
    {
        "number": ID,
        "carrier": ID,
        "epoch": "int4 NOT NULL",
        "order_id": ID,  # empty while it is not known
        "supplier_order_id": ID,
        "supplier_id": ID,
        "status": ID,
        "country": "text NOT NULL",
        "lines": "text NOT NULL",  # JSON of the units by line
        "registered_at": "timestamptz NOT NULL",
        "promised_by": "timestamptz",
        "promised_day": "date",
        "first_scan_at": "timestamptz",
        "delivered_at": "timestamptz",
        "scan_at": "timestamptz",
        "scan_status": "text NOT NULL",
        "scan_city": "text NOT NULL",
        "scan_country": "text NOT NULL",
        "customs_held_since": "timestamptz",
        "customs_asks": "text NOT NULL",
        "customs_answer_by": "timestamptz",
    },
    ("(order_id)",),
)
HOLDS = Table(
    "tracking_holds",
    4,
    {
        "order_id": ID,
        "reason": ID,
        "owner": ID,
        "supplier_order_id": ID,  # empty where the whole order waits
        "since": "timestamptz NOT NULL",
        "hold": "text NOT NULL",  # JSON of Hold, without its note
    },
    ("(since, order_id, reason, owner, supplier_order_id)",),
)

# --- what is kept ---------------------------------------------------------------------------------


class TrackedLine(Value, frozen=True):
    """One line and where its units are."""

    line_no: LineNo
    sku: str
    supplier_id: str
    units: Buckets


class TrackedSupplierOrder(Value, frozen=True):
    """One supplier order and how far it is."""

    supplier_order_id: str
    supplier_id: str
    status: Stage
    units: int
    """All units that it was ever given."""
    unshipped: int
    shipped: int
    delivered: int
    sent_at: datetime | None = None
    acknowledged_at: datetime | None = None
    packed_at: datetime | None = None
    dispatch_by: datetime | None = None
    dispatched_at: datetime | None = None
    stopped_since: datetime | None = None


class TrackedHold(Value, frozen=True):
    """One reason to wait."""

    reason: HoldReason
    at: datetime
    missing: tuple[str, ...] = ()
    supplier_order_id: str = ""


class Details(Value, frozen=True):
    """What an order's row keeps beside its columns."""

    confirmed_at: datetime | None = None
    promised_day: date | None = None
    lines: tuple[TrackedLine, ...] = ()
    supplier_orders: tuple[TrackedSupplierOrder, ...] = ()
    holds: tuple[TrackedHold, ...] = ()


_encode = msgspec.json.Encoder().encode
_decode_details = msgspec.json.Decoder(Details).decode
_decode_hold = msgspec.json.Decoder(Hold).decode
_decode_units = msgspec.json.Decoder(Units).decode


def changes(page: Page) -> list[Written]:
    """Rows of orders, parcels and holds."""
    orders, parcels, holds = Rows(ORDERS), Rows(PARCELS), Rows(HOLDS)
    for history, now in page.orders():
        # Hardly any fact leaves an order's row as it was, so the row before is not computed.
        (orders.new if history is None else orders.changed).append(_order_row(now))
        holds.replace(_hold_rows(history) if history else (), _hold_rows(now))
    for before, after in page.parcels():
        parcels.replace(_parcel_rows(before), _parcel_rows(after))
    return [orders, parcels, holds]


TRACKING = Projection("tracking", 6, (ORDERS, PARCELS, HOLDS), changes)


def _order_row(history: OrderHistory) -> Values:
    order = history.order
    details = Details(
        order.confirmed_at,
        order.promised_day,
        tuple(_line(order, line_no) for line_no in order.lines),
        tuple(_supplier_order(each) for each in order.supplier_orders.values()),
        tuple(TrackedHold(each.reason, each.at, each.missing, each.supplier_order_id) for each in order.holds),
    )
    placed = order.placed
    return (
        placed.order_id,
        placed.channel,
        history.header.value,
        placed.placed_at,
        order.promised_by,
        history.delivered_at,
        _encode(details).decode(),
    )


def _line(order: Order, line_no: LineNo) -> TrackedLine:
    line = order.lines[line_no]
    return TrackedLine(line_no, line.sku, line.supplier_id, order.buckets[line_no])


def _supplier_order(each: SupplierOrder) -> TrackedSupplierOrder:
    unshipped, shipped = each.unshipped, each.count("shipped")
    return TrackedSupplierOrder(
        each.supplier_order_id,
        each.supplier_id,
        each.stage,
        unshipped + shipped + sum(each.count(what) for what in ("rejected", "cancelled", "rerouted")),
        unshipped,
        shipped,
        each.delivered,
        each.sent_at,
        each.acknowledged_at,
        each.packed_at,
        each.dispatch_by,
        each.dispatched_at,
        each.stopped_since,
    )


def _hold_rows(history: OrderHistory) -> list[Values]:
    order_id = history.order.order_id
    return [(order_id, *hold.key, hold.at, _encode(replace(hold, note=None)).decode()) for hold in history.order.holds]


def _parcel_rows(uses: ParcelHistory) -> list[Values]:
    return [_parcel_row(history) for history in uses]


def _parcel_row(history: ParcelUse) -> Values:
    parcel = history.parcel
    scan = parcel.checkpoints[-1] if parcel.checkpoints else None
    held = parcel.customs_hold
    return (
        parcel.number,
        parcel.carrier,
        parcel.epoch,
        parcel.order_id,
        parcel.supplier_order_id,
        parcel.supplier_id,
        parcel.status.value,
        parcel.country,
        _encode(parcel.by_line).decode(),
        parcel.registered_at,
        parcel.promised_by,
        parcel.promised_day,
        parcel.first_scan_at,
        parcel.delivered_at,
        scan.at if scan else None,
        scan.status.value if scan else "",
        scan.city if scan else "",
        scan.country if scan else "",
        held.since if held else None,
        held.asks.value if held and held.asks else "",
        held.answer_by if held else None,
    )


# --- questions ------------------------------------------------------------------------------------


class LastScan(NamedTuple):
    """The newest scan of a parcel by the carrier's own time."""

    at: datetime
    status: ParcelStatus
    city: str
    country: str


class TrackedParcel(NamedTuple):
    """Where one parcel is."""

    carrier: str
    number: str
    epoch: int
    order_id: str
    supplier_order_id: str
    supplier_id: str
    status: ParcelStatus
    country: str
    lines: Units
    registered_at: datetime
    promised_by: datetime | None
    promised_day: date | None
    first_scan_at: datetime | None
    delivered_at: datetime | None
    last_scan: LastScan | None
    customs_hold: CustomsHold | None

    @property
    def expected_by(self) -> datetime | None:
        """When it should arrive; None once it has, or if nothing was promised."""
        return self.promised_by if self.delivered_at is None else None


class TrackedOrder(NamedTuple):
    """Where one order is."""

    order_id: str
    channel: str
    status: Header
    placed_at: datetime
    promised_by: datetime | None
    delivered_at: datetime | None
    details: Details
    parcels: Sequence[TrackedParcel] = ()

    @property
    def expected_by(self) -> datetime | None:
        """When it should arrive; None once it has, when it is cancelled, or if nothing was promised."""
        over = self.delivered_at is not None or self.status in (Header.CANCELLED, Header.COMPLETED)
        return None if over else self.promised_by


class OrderHold(NamedTuple):
    """One hold that stands, and the order that waits."""

    order_id: str
    hold: Hold


_ORDER = "SELECT * FROM {tracking_orders} WHERE order_id = %(order_id)s"
_LIST = """
    SELECT found.* FROM unnest(%(statuses)s::text[]) AS wanted (status) CROSS JOIN LATERAL (
        SELECT * FROM {tracking_orders} AS o
        WHERE o.status = wanted.status
            AND o.placed_at >= %(since)s AND o.placed_at < %(until)s
            AND (o.placed_at, o.order_id) > (%(after_at)s, %(after_id)s)
            AND (%(channel)s = '' OR o.channel = %(channel)s)
        ORDER BY o.placed_at, o.order_id LIMIT %(limit)s
    ) AS found ORDER BY found.placed_at, found.order_id LIMIT %(limit)s
"""
_PARCELS_OF = """
    SELECT * FROM {tracking_parcels} WHERE order_id = ANY(%(order_ids)s) ORDER BY registered_at, carrier, number, epoch
"""
_PARCELS_NAMED = """
    SELECT * FROM {tracking_parcels} WHERE number = %(number)s AND (%(carrier)s = '' OR carrier = %(carrier)s)
    ORDER BY carrier, epoch DESC
"""
_HOLDS = """
    SELECT order_id, reason, owner, supplier_order_id, since, hold FROM {tracking_holds}
    WHERE (cardinality(%(reasons)s::text[]) = 0 OR reason = ANY(%(reasons)s)) AND (%(owner)s = '' OR owner = %(owner)s)
        AND (since, order_id, reason, owner, supplier_order_id) > (
            %(after_at)s, %(after_id)s, %(after_reason)s, %(after_owner)s, %(after_scope)s
        )
    ORDER BY since, order_id, reason, owner, supplier_order_id LIMIT %(limit)s
"""


def _read_parcel(**row: Any) -> TrackedParcel:
    scan_at, scan_status = row.pop("scan_at"), row.pop("scan_status")
    city, country = row.pop("scan_city"), row.pop("scan_country")
    row["last_scan"] = LastScan(scan_at, ParcelStatus(scan_status), city, country) if scan_at else None
    since, asks, answer_by = (row.pop(f"customs_{name}") for name in ("held_since", "asks", "answer_by"))
    row["customs_hold"] = CustomsHold(since, CustomsAsk(asks) if asks else None, answer_by) if since else None
    row["status"] = ParcelStatus(row["status"])
    row["lines"] = _decode_units(row["lines"])
    return TrackedParcel(**row)


def _read_order(**row: Any) -> TrackedOrder:
    row["status"] = Header(row["status"])
    row["details"] = _decode_details(row["details"])
    return TrackedOrder(**row)


async def _with_parcels(at: Snapshot, orders: Sequence[TrackedOrder]) -> list[TrackedOrder]:
    order_ids = [order.order_id for order in orders]
    found = await at.each(_PARCELS_OF, {"order_ids": order_ids}, _read_parcel)
    parcels: dict[str, list[TrackedParcel]] = {order_id: [] for order_id in order_ids}
    for parcel in found:
        parcels[parcel.order_id].append(parcel)
    return [order._replace(parcels=tuple(parcels[order.order_id])) for order in orders]


async def get_order(where: Where, order_id: str) -> Answer[TrackedOrder]:
    """One order with its parcels; raises UnknownOrder."""
    async with snapshot(where, TRACKING) as at:
        found = await at.each(_ORDER, {"order_id": order_id}, _read_order)
        if not found:
            raise UnknownOrder(order_id)
        return Answer(await _with_parcels(at, found), at.position)


async def find_parcels(where: Where, number: str, carrier: str = "") -> Answer[TrackedParcel]:
    """Every use of a tracking number, of one carrier or of any; the newest use of each carrier first."""
    async with snapshot(where, TRACKING) as at:
        parameters = {"number": number, "carrier": carrier}
        found = await at.each(_PARCELS_NAMED, parameters, _read_parcel)
        return Answer(found, at.position)


async def list_orders(
    where: Where,
    page: PageOf,
    statuses: Iterable[Header] = (),
    channel: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> Answer[TrackedOrder]:
    """Orders by when they were placed, in [since, until), of these statuses or of all."""
    after_at, after_id = page.after(tuple[datetime, str]) or (FIRST, "")
    parameters = {
        "statuses": [status.value for status in statuses or Header],
        "channel": channel,
        "since": since or FIRST,
        "until": until or LAST,
        "after_at": after_at,
        "after_id": after_id,
        "limit": page.limit,
    }
    async with snapshot(where, TRACKING) as at:
        found = await at.each(_LIST, parameters, _read_order)
        rows, token = page.cut(found, [(order.placed_at, order.order_id) for order in found])
        return Answer(await _with_parcels(at, rows), at.position, token)


async def list_holds(
    where: Where, page: PageOf, reasons: Iterable[HoldReason] = (), owner: str = ""
) -> Answer[OrderHold]:
    """The holds that stand, for one of these reasons or for any, of one owner or of all; the oldest first."""
    after = page.after(tuple[datetime, str, str, str, str]) or (FIRST, "", "", "", "")
    parameters = {
        "reasons": [reason.value for reason in reasons],
        "owner": owner,
        **dict(zip(("after_at", "after_id", "after_reason", "after_owner", "after_scope"), after, strict=True)),
        "limit": page.limit,
    }
    async with snapshot(where, TRACKING) as at:
        found = await at.rows(_HOLDS, parameters)
        keys = [(since, order_id, *key) for order_id, *key, since, _ in found]
        rows, token = page.cut([OrderHold(row[0], _decode_hold(row[-1])) for row in found], keys)
        return Answer(rows, at.position, token)
