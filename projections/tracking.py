"""Where is each order, each supplier order and each parcel, when is it expected, and what does it wait for?

The rows hold no personal data: of an order and its parcels only what is named here is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Annotated, NamedTuple

from msgspec.structs import replace

from ledger.facts import LineNo, Units, Value
from ledger.nouns import orders, parcels
from ledger.nouns.orders import Buckets, Header, Hold, HoldReason, Order, UnknownOrder
from ledger.nouns.orders.supplier_orders import Stage, SupplierOrder
from ledger.nouns.parcels import CustomsAsk, CustomsHold, Parcel, ParcelStatus
from projections.machine.histories import OrderHistory
from projections.machine.projection import From, projection
from projections.machine.reads import FIRST, LAST, Answer, PageOf, Snapshot, Where, snapshot
from projections.machine.rows import Int4, Text
from projections.machine.tables import table

# --- tables ---------------------------------------------------------------------------------------


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


class KeptOrder(NamedTuple):
    """One order."""

    order_id: str
    channel: str
    status: Header
    placed_at: datetime
    promised_by: datetime | None
    delivered_at: datetime | None
    details: Details


class TrackedOrder(KeptOrder):
    """Where one order is."""

    parcels: tuple[TrackedParcel, ...] = ()

    @property
    def expected_by(self) -> datetime | None:
        """When it should arrive; None once it has, when it is cancelled, or if nothing was promised."""
        over = self.delivered_at is not None or self.status in (Header.CANCELLED, Header.COMPLETED)
        return None if over else self.promised_by


class LastScan(NamedTuple):
    """The newest scan of a parcel by the carrier's own time."""

    at: datetime
    status: ParcelStatus
    city: str
    country: str


class TrackedParcel(NamedTuple):
    """Where one parcel is."""

    number: str
    carrier: str
    epoch: Int4
    order_id: str
    """Empty while it is not known."""
    supplier_order_id: str
    supplier_id: str
    status: ParcelStatus
    country: Text
    lines: Units
    registered_at: datetime
    promised_by: datetime | None
    promised_day: date | None
    first_scan_at: datetime | None
    delivered_at: datetime | None
    scan_at: datetime | None
    scan_status: Annotated[ParcelStatus | None, "text NOT NULL"]
    scan_city: Text
    scan_country: Text
    customs_held_since: datetime | None
    customs_asks: Annotated[CustomsAsk | None, "text NOT NULL"]
    customs_answer_by: datetime | None

    @property
    def last_scan(self) -> LastScan | None:
        if self.scan_at is None or self.scan_status is None:
            return None
        return LastScan(self.scan_at, self.scan_status, self.scan_city, self.scan_country)

    @property
    def customs_hold(self) -> CustomsHold | None:
        if self.customs_held_since is None:
            return None
        return CustomsHold(self.customs_held_since, self.customs_asks, self.customs_answer_by)

    @property
    def expected_by(self) -> datetime | None:
        """When it should arrive; None once it has, or if nothing was promised."""
        return self.promised_by if self.delivered_at is None else None


class OrderHold(NamedTuple):
    """One hold that stands, and the order that waits."""

    order_id: str
    reason: HoldReason
    owner: str
    supplier_order_id: str
    """Empty where the whole order waits."""
    since: datetime
    hold: Hold
    """Without its note."""


ORDERS = table("tracking_orders", KeptOrder, 1, "(status, placed_at, order_id)")
PARCELS = table("tracking_parcels", TrackedParcel, 3, "(order_id)")
HOLDS = table("tracking_holds", OrderHold, 4, "(since, order_id, reason, owner, supplier_order_id)")

# --- what is kept ---------------------------------------------------------------------------------


def _order(history: OrderHistory) -> list[KeptOrder]:
    order, placed = history.order, history.order.placed
    details = Details(
        order.confirmed_at,
        order.promised_day,
        tuple(_line(order, line_no) for line_no in order.lines),
        tuple(_supplier_order(each) for each in order.supplier_orders.values()),
        tuple(TrackedHold(each.reason, each.at, each.missing, each.supplier_order_id) for each in order.holds),
    )
    row = KeptOrder(
        order_id=placed.order_id,
        channel=placed.channel,
        status=history.header,
        placed_at=placed.placed_at,
        promised_by=order.promised_by,
        delivered_at=history.delivered_at,
        details=details,
    )
    return [row]


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


def _holds(history: OrderHistory) -> list[OrderHold]:
    order_id = history.order.order_id
    return [OrderHold(order_id, *hold.key, hold.at, replace(hold, note=None)) for hold in history.order.holds]


def _parcels(parcel: Parcel) -> list[TrackedParcel]:
    return [_parcel(use) for use in parcels.uses(parcel)]


def _parcel(parcel: Parcel) -> TrackedParcel:
    scan = parcel.checkpoints[-1] if parcel.checkpoints else None
    held = parcel.customs_hold
    return TrackedParcel(
        number=parcel.number,
        carrier=parcel.carrier,
        epoch=parcel.epoch,
        order_id=parcel.order_id,
        supplier_order_id=parcel.supplier_order_id,
        supplier_id=parcel.supplier_id,
        status=parcel.status,
        country=parcel.country,
        lines=parcel.by_line,
        registered_at=parcel.registered_at,
        promised_by=parcel.promised_by,
        promised_day=parcel.promised_day,
        first_scan_at=parcel.first_scan_at,
        delivered_at=parcel.delivered_at,
        scan_at=scan.at if scan else None,
        scan_status=scan.status if scan else None,
        scan_city=scan.city if scan else "",
        scan_country=scan.country if scan else "",
        customs_held_since=held.since if held else None,
        customs_asks=held.asks if held else None,
        customs_answer_by=held.answer_by if held else None,
    )


TRACKING = projection(
    "tracking",
    6,
    From(orders.NOUN, ORDERS, _order, compared=False),
    From(parcels.NOUN, PARCELS, _parcels),
    From(orders.NOUN, HOLDS, _holds),
)

# --- questions ------------------------------------------------------------------------------------

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
    SELECT * FROM {tracking_holds}
    WHERE (cardinality(%(reasons)s::text[]) = 0 OR reason = ANY(%(reasons)s)) AND (%(owner)s = '' OR owner = %(owner)s)
        AND (since, order_id, reason, owner, supplier_order_id) > (
            %(after_at)s, %(after_id)s, %(after_reason)s, %(after_owner)s, %(after_scope)s
        )
    ORDER BY since, order_id, reason, owner, supplier_order_id LIMIT %(limit)s
"""


async def _with_parcels(at: Snapshot, orders: Sequence[TrackedOrder]) -> list[TrackedOrder]:
    by_id = {order.order_id: order for order in orders}
    for parcel in await at.each(_PARCELS_OF, {"order_ids": list(by_id)}, TrackedParcel):
        by_id[parcel.order_id].parcels += (parcel,)
    return list(orders)


async def get_order(where: Where, order_id: str) -> Answer[TrackedOrder]:
    """One order with its parcels; raises UnknownOrder."""
    async with snapshot(where, TRACKING) as at:
        found = await at.each(_ORDER, {"order_id": order_id}, TrackedOrder)
        if not found:
            raise UnknownOrder(order_id)
        return Answer(await _with_parcels(at, found), at.position)


async def find_parcels(where: Where, number: str, carrier: str = "") -> Answer[TrackedParcel]:
    """Every use of a tracking number, of one carrier or of any; the newest use of each carrier first."""
    async with snapshot(where, TRACKING) as at:
        parameters = {"number": number, "carrier": carrier}
        found = await at.each(_PARCELS_NAMED, parameters, TrackedParcel)
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
        found = await at.each(_LIST, parameters, TrackedOrder)
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
        found = await at.each(_HOLDS, parameters, OrderHold)
        rows, token = page.cut(found, [(each.since, each.order_id, *each.hold.key) for each in found])
        return Answer(rows, at.position, token)
