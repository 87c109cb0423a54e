"""How well does each supplier do, by the rates of DOMAIN 7, and how much was sold and sent in all?

A rate is {numerator, denominator, window, target, status}. What decides whether a supplier order or a
parcel counts, and from when, stands in its row (``dispatch_due``, ``acknowledge_due``, ``settles_at``),
so that a rate is a count over one range of one index.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from ledger.orders import Header, Shipment
from ledger.supplier_orders import Stage, SupplierOrder
from ledger.suppliers import SupplierRegistered
from projections.reads import FIRST, Answer, PageOf, Snapshot, Where, snapshot
from projections.streams import OrderStory, Page, ParcelStories, ParcelStory
from projections.tables import ID, Once, Projection, Rows, Table, Values, Written

# --- tables ---------------------------------------------------------------------------------------

SUPPLIER_ORDERS = Table(
    "performance_supplier_orders",
    1,
    {
        "supplier_order_id": ID,
        "supplier_id": ID,
        "order_id": ID,
        "channel": ID,
        "placed_at": "timestamptz NOT NULL",  # of the order
        "acknowledge_due": "timestamptz",  # null where no acknowledgement counts
        "acknowledged_at": "timestamptz",
        "dispatch_due": "timestamptz",  # null where no dispatch counts
        "dispatched_at": "timestamptz",  # by the carrier's first scan, else as the supplier said
        "dispatch_by": "timestamptz",
        "shipped_at": "timestamptz",  # the dispatch as the supplier said
        "cancelled_by": ID,  # whose doing it is that nothing is sent; empty unless cancelled
    },
    ("(supplier_id, dispatch_due)", "(supplier_id, acknowledge_due)", "(supplier_id, placed_at)"),
)
PARCELS = Table(
    "performance_parcels",
    3,
    {
        "number": ID,
        "carrier": ID,
        "epoch": "int4 NOT NULL",
        "supplier_id": ID,
        "order_id": ID,
        "registered_at": "timestamptz NOT NULL",
        "trackable": "bool NOT NULL",  # it was scanned and its number has no warning
        "promised_by": "timestamptz",
        "delivered_at": "timestamptz",
        "settles_at": "timestamptz",  # delivery or promise, whichever is first: then it is known
    },
    ("(supplier_id, registered_at)", "(supplier_id, settles_at)"),
)
ORDERS = Table(
    "performance_orders",
    1,
    {
        "order_id": ID,
        "channel": ID,
        "placed_at": "timestamptz NOT NULL",
        "currency": "text NOT NULL",
        "units": "int8 NOT NULL",
        "value_minor": "int8 NOT NULL",
        "suppliers": "int4 NOT NULL",
        "promised_by": "timestamptz",
        "delivered_at": "timestamptz",
        "cancelled_by": ID,
    },
    ("(placed_at)",),
)
SUPPLIERS = Table("performance_suppliers", 1, {"supplier_id": ID})

# --- what is kept ---------------------------------------------------------------------------------

_FAULTS = ("supplier", "retailer", "carrier", "customer")
"""Where several parties wanted units cancelled, the first of these that did counts."""


def changes(page: Page) -> list[Written]:
    """Rows of supplier orders, parcels, orders and suppliers."""
    supplier_orders, parcels, orders = Rows(SUPPLIER_ORDERS), Rows(PARCELS), Rows(ORDERS)
    for story, now in page.orders_with_parcels():
        before = list(_supplier_orders(story, page, before=True)) if story else []
        supplier_orders.replace(before, _supplier_orders(now, page, before=False))
    for story, now in page.orders():
        orders.replace([story.once(_order)] if story else [], [now.once(_order)])
    for earlier, after in page.parcels():
        parcels.replace(_parcels(earlier), _parcels(after))
    registered = [(fact.supplier_id,) for _, fact in page.others if isinstance(fact, SupplierRegistered)]
    suppliers = Once(SUPPLIERS, [*registered, *((row[1],) for row in supplier_orders.new)])
    return [supplier_orders, parcels, orders, suppliers]


SUPPLIER_PERFORMANCE = Projection("supplier_performance", 1, (SUPPLIER_ORDERS, PARCELS, ORDERS, SUPPLIERS), changes)


class _Leg(NamedTuple):
    """What a supplier order's row takes from its order alone, without its parcels."""

    what: Values
    shipments: list[Shipment]
    """Its parcels, once all that was to be shipped is."""
    dispatch_counts: bool
    dispatch_by: datetime | None
    shipped_at: datetime | None
    cancelled_by: str


def _legs(story: OrderStory) -> list[_Leg]:
    return [_leg(story, each) for each in story.order.supplier_orders.values()]


def _leg(story: OrderStory, each: SupplierOrder) -> _Leg:
    placed, stage, shipped_at = story.order.placed, each.stage, each.dispatched_at
    cancelled_by = _whose(story, each.supplier_order_id) if stage is Stage.CANCELLED else ""
    # What others than the supplier cancelled, and what it turned down when asked, is not held against it.
    let_off = cancelled_by not in ("", "supplier") or stage is Stage.REJECTED
    acknowledged_at = each.acknowledged_at
    acknowledge_counts = _counts(each, each.acknowledge_by, acknowledged_at, let_off)
    of_it = [one for one in story.order.shipments if one.supplier_order_id == each.supplier_order_id]
    return _Leg(
        (
            each.supplier_order_id,
            each.supplier_id,
            placed.order_id,
            placed.channel,
            placed.placed_at,
            each.acknowledge_by if acknowledge_counts else None,
            acknowledged_at,
        ),
        of_it if shipped_at else [],
        _counts(each, each.dispatch_by, shipped_at, let_off),
        each.dispatch_by,
        shipped_at,
        cancelled_by,
    )


def _counts(each: SupplierOrder, due: datetime | None, met_at: datetime | None, let_off: bool) -> bool:
    """Whether a deadline counts in a rate; one that stands still on the retailer's hold does not, as yet."""
    if met_at is not None or due is None:
        return True
    stopped = each.stopped_since is not None and each.stopped_since < due
    return not (stopped or let_off)


def _supplier_orders(story: OrderStory, page: Page, *, before: bool) -> Iterator[Values]:
    for leg in story.once(_legs):
        dispatched_at = _dispatched_at(leg.shipments, page, before=before)
        dispatch_due = leg.dispatch_by if leg.dispatch_counts else None
        yield (*leg.what, dispatch_due, dispatched_at, leg.dispatch_by, leg.shipped_at, leg.cancelled_by)


def _whose(story: OrderStory, what: str) -> str:
    parties = story.cancelled_by.get(what, frozenset())
    return next((party for party in _FAULTS if party in parties), "unknown")


def _dispatched_at(shipments: Sequence[Shipment], page: Page, *, before: bool) -> datetime | None:
    """When the last parcel left: the carrier's first scan tells, before one the supplier's word."""
    left = []
    for shipment in shipments:
        story = page.parcel(shipment.carrier, shipment.number, shipment.epoch, before=before)
        scanned_at = story.parcel.first_scan_at if story else None
        left.append(scanned_at or shipment.shipped_at)
    return max(left, default=None)


def _order(story: OrderStory) -> Values:
    order = story.order
    lines = order.lines.values()
    cancelled = story.header is Header.CANCELLED
    return (
        order.order_id,
        order.placed.channel,
        order.placed.placed_at,
        order.currency,
        sum(line.quantity for line in lines),
        sum(line.quantity * line.unit_price_minor for line in lines),
        len({each.supplier_id for each in order.supplier_orders.values()}),
        order.promised_by,
        story.delivered_at,
        _whose_order(story) if cancelled else "",
    )


def _whose_order(story: OrderStory) -> str:
    parties = frozenset[str]().union(*story.cancelled_by.values())
    return next((party for party in _FAULTS if party in parties), "unknown")


def _parcels(stories: ParcelStories) -> Iterator[Values]:
    return (_parcel(story) for story in stories)


def _parcel(story: ParcelStory) -> Values:
    parcel = story.parcel
    promise, delivery = parcel.promised_by, parcel.delivered_at
    return (
        parcel.number,
        parcel.carrier,
        parcel.epoch,
        parcel.supplier_id,
        parcel.order_id,
        parcel.registered_at,
        parcel.first_scan_at is not None and not story.warnings,
        promise,
        delivery,
        None if promise is None else min(promise, delivery or promise),
    )


# --- rates ----------------------------------------------------------------------------------------


class RateName(StrEnum):
    """The rates that this projection answers."""

    ON_TIME_DISPATCH = "on_time_dispatch"
    ACKNOWLEDGEMENT = "acknowledgement"
    VALID_TRACKING = "valid_tracking"
    ON_TIME_DELIVERY = "on_time_delivery"
    CANCELLATION = "cancellation"


class Status(StrEnum):
    """Whether a rate keeps its target; NO_DATA where nothing was counted."""

    OK = "ok"
    BREACH = "breach"
    NO_DATA = "no_data"


class Target(NamedTuple):
    """What a rate should be, in basis points, and over how many days unless asked otherwise."""

    basis_points: int
    days: int
    at_most: bool = False
    strictly: bool = False
    """Whether the target itself is already a breach."""

    def status(self, numerator: int, denominator: int) -> Status:
        if not denominator:
            return Status.NO_DATA
        distance = numerator * 10_000 - self.basis_points * denominator
        if self.at_most:
            distance = -distance
        kept = distance > 0 if self.strictly else distance >= 0
        return Status.OK if kept else Status.BREACH


TARGETS: Mapping[RateName, Target] = {
    RateName.ON_TIME_DISPATCH: Target(9_500, 90),
    RateName.ACKNOWLEDGEMENT: Target(9_500, 90),
    RateName.VALID_TRACKING: Target(9_500, 30, strictly=True),
    RateName.ON_TIME_DELIVERY: Target(9_000, 30),
    RateName.CANCELLATION: Target(250, 7, at_most=True, strictly=True),
}
"""The trade's defaults (DOMAIN 7)."""


class Rate(NamedTuple):
    """One figure of a scorecard; the window is [since, until)."""

    name: RateName
    numerator: int
    denominator: int
    since: datetime
    until: datetime
    target: Target
    status: Status


class Scorecard(NamedTuple):
    """The rates of a supplier; of the retailer as a whole where supplier_id is empty."""

    supplier_id: str
    rates: tuple[Rate, ...]


class Window(NamedTuple):
    """What time a rate is about; without bounds it is the rate's own window up to ``now``."""

    now: datetime
    since: datetime | None = None
    until: datetime | None = None

    def of(self, name: RateName) -> tuple[datetime, datetime]:
        until = self.until or self.now
        return self.since or until - timedelta(days=TARGETS[name].days), until


class _Count(NamedTuple):
    """How a rate is counted: which rows, by which instant, and which of them are in the numerator."""

    table: str
    instant: str
    good: str
    case: str
    """What names the object behind it."""
    happened: str


_BY_SUPPLIER_ORDER = "supplier_order_id"
_BY_PARCEL = "carrier || '/' || number || '/' || epoch"
_COUNTS: Mapping[RateName, _Count] = {
    RateName.ON_TIME_DISPATCH: _Count(
        "{performance_supplier_orders}",
        "dispatch_due",
        "coalesce(dispatched_at <= dispatch_due, false)",
        _BY_SUPPLIER_ORDER,
        "dispatched_at",
    ),
    RateName.ACKNOWLEDGEMENT: _Count(
        "{performance_supplier_orders}",
        "acknowledge_due",
        "coalesce(acknowledged_at <= acknowledge_due, false)",
        _BY_SUPPLIER_ORDER,
        "acknowledged_at",
    ),
    RateName.VALID_TRACKING: _Count(
        "{performance_parcels}", "registered_at", "trackable", _BY_PARCEL, "NULL::timestamptz"
    ),
    RateName.ON_TIME_DELIVERY: _Count(
        "{performance_parcels}",
        "settles_at",
        "coalesce(delivered_at <= promised_by, false)",
        _BY_PARCEL,
        "delivered_at",
    ),
    RateName.CANCELLATION: _Count(
        "{performance_supplier_orders}",
        "placed_at",
        "cancelled_by = 'supplier'",
        _BY_SUPPLIER_ORDER,
        "NULL::timestamptz",
    ),
}
_WHOLE_CANCELLATION = _Count(
    "{performance_orders}", "placed_at", "cancelled_by IN ('supplier', 'retailer')", "order_id", "NULL::timestamptz"
)
"""The retailer answers to its customers for whole orders, and for its suppliers."""

_IN_WINDOW = "{instant} >= %(since)s AND {instant} < %(until)s AND {instant} <= %(now)s"
_RATES = """
    SELECT supplier_id, count(*) FILTER (WHERE {good}), count(*) FROM {table}
    WHERE supplier_id = ANY(%(supplier_ids)s) AND {in_window} GROUP BY supplier_id
"""
_WHOLE_RATE = "SELECT '', count(*) FILTER (WHERE {good}), count(*) FROM {table} WHERE {in_window}"
_CASES = """
    SELECT {case} AS object_id, order_id, {instant} AS at, {happened} AS happened_at, {good} AS in_numerator
    FROM {table}
    WHERE {condition} {in_window} AND ({instant}, {case}) > (%(after_at)s, %(after_id)s)
        AND (%(in_numerator)s::bool IS NULL OR ({good}) = %(in_numerator)s)
    ORDER BY {instant}, {case} LIMIT %(limit)s
"""
_SUPPLIERS = """
    SELECT supplier_id FROM {performance_suppliers} WHERE supplier_id > %(after)s ORDER BY supplier_id LIMIT %(limit)s
"""


def _count_of(name: RateName, supplier_id: str) -> _Count:
    return _WHOLE_CANCELLATION if name is RateName.CANCELLATION and not supplier_id else _COUNTS[name]


def _ask(template: str, count: _Count, **more: str) -> str:
    """The query of one rate; only words of this file go into it."""
    for word, meaning in {"in_window": _IN_WINDOW, **count._asdict(), **more}.items():
        template = template.replace(f"{{{word}}}", str(meaning))
    return template


async def _scorecards(at: Snapshot, supplier_ids: list[str], window: Window) -> list[Scorecard]:
    rates: dict[str, list[Rate]] = {supplier_id: [] for supplier_id in supplier_ids}
    for name, target in TARGETS.items():
        since, until = window.of(name)
        template = _WHOLE_RATE if supplier_ids == [""] else _RATES
        query = _ask(template, _count_of(name, supplier_ids[0]))
        parameters = {"supplier_ids": supplier_ids, "since": since, "until": until, "now": window.now}
        counted = {supplier_id: figures for supplier_id, *figures in await at.rows(query, parameters)}
        for supplier_id in supplier_ids:
            numerator, denominator = counted.get(supplier_id, (0, 0))
            status = target.status(numerator, denominator)
            rates[supplier_id].append(Rate(name, numerator, denominator, since, until, target, status))
    return [Scorecard(supplier_id, tuple(found)) for supplier_id, found in rates.items()]


async def get_rates(where: Where, supplier_id: str, window: Window) -> Answer[Scorecard]:
    """The rates of one supplier, or of all together if none is named."""
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        return Answer(await _scorecards(at, [supplier_id], window), at.position)


async def list_rates(where: Where, page: PageOf, window: Window) -> Answer[Scorecard]:
    """The rates of every supplier that is registered or was given anything to send, by id."""
    parameters = {"after": page.after(str) or "", "limit": page.limit}
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        found = [row[0] for row in await at.rows(_SUPPLIERS, parameters)]
        supplier_ids, token = page.cut(found, found)
        cards = await _scorecards(at, supplier_ids, window) if supplier_ids else []
        return Answer(cards, at.position, token)


class Case(NamedTuple):
    """A supplier order, parcel or order that a rate counted."""

    object_id: str
    """A parcel is ``carrier/number/epoch``."""
    order_id: str
    at: datetime
    """The instant that puts it into the window: its deadline, registration, settling or placing."""
    happened_at: datetime | None
    in_numerator: bool


async def list_cases(
    where: Where,
    page: PageOf,
    name: RateName,
    supplier_id: str,
    window: Window,
    in_numerator: bool | None = None,
) -> Answer[Case]:
    """What is behind a rate: all that it counted, or only what is (or is not) in its numerator."""
    since, until = window.of(name)
    after_at, after_id = page.after(tuple[datetime, str]) or (FIRST, "")
    parameters = {
        "supplier_id": supplier_id,
        "since": since,
        "until": until,
        "now": window.now,
        "in_numerator": in_numerator,
        "after_at": after_at,
        "after_id": after_id,
        "limit": page.limit,
    }
    condition = "supplier_id = %(supplier_id)s AND" if supplier_id else ""
    query = _ask(_CASES, _count_of(name, supplier_id), condition=condition)
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        found = await at.each(query, parameters, Case)
        rows, token = page.cut(found, [(case.at, case.object_id) for case in found])
        return Answer(rows, at.position, token)


# --- everything recorded --------------------------------------------------------------------------


class Summary(NamedTuple):
    """Exact figures over everything recorded, of one channel or of all."""

    orders: int
    supplier_orders: int
    multi_supplier_orders: int
    """Orders whose supplier orders went to more than one supplier."""
    suppliers: int
    """Those that were given a supplier order."""
    units: int
    gmv_minor: Mapping[str, int]
    """Price times quantity of all lines, by currency."""
    supplier_orders_dispatched: int
    """All units that were to be shipped left, as the supplier said."""
    supplier_orders_dispatched_on_time: int
    delivered_orders: int
    delivered_late: int


class SupplierTotal(NamedTuple):
    """What a supplier dispatched, as it said; on time and late count those that had a deadline."""

    supplier_id: str
    supplier_orders: int
    dispatched: int
    on_time: int
    late: int


_ORDER_TOTALS = """
    SELECT currency, count(*), count(*) FILTER (WHERE suppliers > 1), coalesce(sum(units), 0)::int8,
        coalesce(sum(value_minor), 0)::int8, count(delivered_at), count(*) FILTER (WHERE delivered_at > promised_by)
    FROM {performance_orders} WHERE %(channel)s = '' OR channel = %(channel)s GROUP BY currency ORDER BY currency
"""
_SUPPLIER_ORDER_TOTALS = """
    SELECT count(*), count(DISTINCT supplier_id), count(shipped_at), count(*) FILTER (WHERE shipped_at <= dispatch_by)
    FROM {performance_supplier_orders} WHERE %(channel)s = '' OR channel = %(channel)s
"""
_SUPPLIER_TOTALS = """
    SELECT supplier_id, count(*) AS supplier_orders, count(shipped_at) AS dispatched,
        count(*) FILTER (WHERE shipped_at <= dispatch_by) AS on_time,
        count(*) FILTER (WHERE shipped_at > dispatch_by) AS late
    FROM {performance_supplier_orders}
    WHERE supplier_id > %(after)s AND (%(channel)s = '' OR channel = %(channel)s)
    GROUP BY supplier_id ORDER BY supplier_id LIMIT %(limit)s
"""


async def summary(where: Where, channel: str = "") -> Answer[Summary]:
    """Everything recorded, in one row."""
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        by_currency = await at.rows(_ORDER_TOTALS, {"channel": channel})
        ((supplier_orders, suppliers, dispatched, on_time),) = await at.rows(
            _SUPPLIER_ORDER_TOTALS, {"channel": channel}
        )
    totals = [sum(column) for column in list(zip(*by_currency, strict=True))[1:]] or [0] * 6
    orders, multi, units, _, delivered, late = totals
    # An order without lines may have no currency, and then it has no value either.
    gmv = {row[0]: row[4] for row in by_currency if row[0]}
    figures = Summary(orders, supplier_orders, multi, suppliers, units, gmv, dispatched, on_time, delivered, late)
    return Answer([figures], at.position)


async def list_supplier_totals(where: Where, page: PageOf, channel: str = "") -> Answer[SupplierTotal]:
    """What each supplier dispatched, by its id."""
    parameters = {"after": page.after(str) or "", "channel": channel, "limit": page.limit}
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        found = await at.each(_SUPPLIER_TOTALS, parameters, SupplierTotal)
        rows, token = page.cut(found, [total.supplier_id for total in found])
        return Answer(rows, at.position, token)
