"""What has each supplier of each SKU, how long will it last, what moved it, and what is to be taken off sale?

A level's row shows its stream alone; what depends on the day or on the retailer's terms, such as days of
cover, is worked out when it is asked for. Beside the levels stand the orders that wait for stock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from json import loads
from typing import Any, NamedTuple

from msgspec import structs
from psycopg import AsyncConnection

from ledger.decisions.order_stock import could_serve
from ledger.decisions.timers import FeedDue, ListingDue, Timer, WaitingDue
from ledger.facts import Units
from ledger.nouns import offers, orders, policies, skus, stock, stock_ups, suppliers
from ledger.nouns.choice import Against
from ledger.nouns.offers import OfferWithdrawn, SkuOffered
from ledger.nouns.orders import LEDGER, HoldReason, Order
from ledger.nouns.policies import Policy, policy_at
from ledger.nouns.skus import Sku, SkuDescribed
from ledger.nouns.stock import Alert, Stock
from ledger.nouns.suppliers import Standing, Supplier
from ledger.terms.effects import StockLevel
from projections.machine.changes import Listed, ListedStreams, added
from projections.machine.histories import Movement, OrderHistory, StockHistory
from projections.machine.projection import From, FromPages, projection
from projections.machine.reads import Answer, Changes, PageOf, Snapshot, Where, rows_now, snapshot
from projections.machine.rows import Text
from projections.machine.streams import Page
from projections.machine.tables import Rows, Written, table

# --- tables ---------------------------------------------------------------------------------------


class LevelRow(NamedTuple):
    """What a supplier has of a SKU, by its stream alone."""

    supplier_id: str
    sku: str
    position: int
    """Of the fact that last touched it."""
    tracked: bool
    quantity: int
    feed_version: int
    as_of: datetime | None
    stale_at: datetime | None
    stale_since: datetime | None
    restocked: int
    held: int
    committed: int
    buffer: int
    stale_buffer: int
    free: int
    awaited: int
    kept: int
    """For orders that wait; free units but for these are available."""
    available: int
    shortfall: int
    low_threshold: int | None
    low: bool
    running_out: bool
    sold_out: bool
    demand: dict[int, int]
    """The units of each day."""


class StockMovement(NamedTuple):
    """One fact of a level, and what it did to the units that are available."""

    position: int
    supplier_id: str
    sku: str
    what: Text
    units: int | None
    delta: int
    available: int
    reservation_id: str
    """Empty where the fact is about no reservation."""
    because: Text
    at: datetime

    @property
    def order_id(self) -> str:
        """The order that the reservation is for; empty for a cart's."""
        return self.reservation_id if "/" in self.reservation_id else ""


class WaitingOrder(NamedTuple):
    """A SKU of a supplier that an order waits for."""

    order_id: str
    supplier_id: str
    sku: str
    units: int
    """How many units have to be available for it to go on."""
    together: bool
    """Whether all items of the order marked so have to be available together, or this one is enough."""
    seeks: bool
    """Whether the supplier has to be approved, and may send no feed."""
    placed_at: datetime


class SupplierApproval(NamedTuple):
    """Whether a supplier may sell."""

    supplier_id: str
    approved: bool
    sold: bool
    """Whether it ever was: what it lacks now may be on sale."""


class OfferEnd(NamedTuple):
    """When a supplier offers a SKU no more: since it withdrew it, or from the end of its offers on."""

    supplier_id: str
    sku: str
    ends_at: datetime


class SkuListing(NamedTuple):
    """A SKU that was delisted, and maybe relisted since."""

    sku: str
    delisted: bool
    since: datetime
    crossings: int
    against: dict[str, str]
    """Why a supplier can promise no unit of a delisted one."""


class SkuBundle(NamedTuple):
    """A SKU that is sold as one and sent as others."""

    sku: str
    parts: dict[str, int]
    """The units of each part; a part may be a bundle too."""


LEVELS = table(
    "stock_levels",
    LevelRow,
    2,
    "(sku, supplier_id)",
    "(stale_at) WHERE stale_since IS NULL",
    "(supplier_id, sku) WHERE low",
    "(supplier_id, sku) WHERE running_out",
    "(supplier_id, sku) WHERE sold_out",
    "(supplier_id, sku) WHERE stale_since IS NOT NULL",
    "(supplier_id, sku) WHERE shortfall > 0",
)
MOVEMENTS = table("stock_movements", StockMovement, 1, "(supplier_id, sku, position)")
WAITING = table("stock_waiting", WaitingOrder, 3)
SELLERS = table("stock_sellers", SupplierApproval, 1)
OFFER_ENDS = table("stock_offer_ends", OfferEnd, 2, "(ends_at)")
LISTINGS = table("stock_listings", SkuListing, 1, "(sku) WHERE delisted")

BUNDLES = table("stock_bundles", SkuBundle, 1, "USING gin ((parts::jsonb))")

# --- what is kept ---------------------------------------------------------------------------------


def _seller(supplier: Supplier) -> list[SupplierApproval]:
    sold = supplier.approved_at is not None
    return [SupplierApproval(supplier.supplier_id, supplier.standing is Standing.APPROVED, sold)]


def _offer_ends(page: Page) -> list[Written]:
    """By fact and not by supplier: of thousands of offers a page changes a few."""
    ends: dict[tuple[str, str], datetime | None] = {}
    for _, fact, supplier in page.facts.get(suppliers.NOUN.prefix, ()):
        if isinstance(fact, OfferWithdrawn):
            ends[fact.supplier_id, fact.sku] = fact.at
        elif isinstance(fact, SkuOffered):
            sku = fact.offer.sku
            ends[fact.supplier_id, sku] = offers.end_of(supplier.offers.get(sku, ()))
    rows = Rows(OFFER_ENDS)
    rows.changed = [OfferEnd(*item, ends_at) for item, ends_at in ends.items() if ends_at is not None]
    rows.gone = [item for item, ends_at in ends.items() if ends_at is None]
    return [rows]


def _listing(sku: Sku) -> list[SkuListing]:
    return [SkuListing(**structs.asdict(sku.listing))] if sku.listing is not None else []


def _bundles(page: Page) -> list[Written]:
    parts: dict[str, dict[str, int]] = {}
    for _, fact, sku in page.facts.get(skus.NOUN.prefix, ()):
        if isinstance(fact, SkuDescribed) and fact.parts is not None:
            parts[fact.sku] = {part.sku: part.units for part in sku.master.parts}
    rows = Rows(BUNDLES)
    rows.changed = [SkuBundle(sku, made_of) for sku, made_of in parts.items() if made_of]
    rows.gone = [(sku,) for sku, made_of in parts.items() if not made_of]
    return [rows]


def _level(history: StockHistory) -> list[LevelRow]:
    stock, feed = history.stock, history.stock.feed
    row = LevelRow(
        supplier_id=history.supplier_id,
        sku=history.sku,
        position=history.position,
        tracked=stock.tracked,
        quantity=feed.quantity if feed else 0,
        feed_version=feed.version if feed else 0,
        as_of=feed.as_of if feed else None,
        stale_at=stock.stale_at,
        stale_since=stock.stale.at if stock.stale else None,
        restocked=stock.restocked,
        held=stock.held,
        committed=stock.committed,
        buffer=stock.buffer,
        stale_buffer=stock.stale_buffer,
        free=stock.free,
        awaited=stock.awaited,
        kept=stock.kept,
        available=stock.available,
        shortfall=stock.shortfall,
        low_threshold=stock.low_threshold,
        low=stock.low,
        running_out=stock.running_out,
        sold_out=stock.sold_out,
        demand={day: units for day, units in sorted(stock.demand.items()) if units},
    )
    return [row]


def _movements(page: Page) -> list[Written]:
    rows = Rows(MOVEMENTS)
    for position, fact, moved in page.facts.get(stock.NOUN.prefix, ()):
        rows.new.append(_movement(position, fact, moved))
    return [rows]


def _movement(position: int, fact: Any, moved: Movement) -> StockMovement:
    return StockMovement(
        position=position,
        supplier_id=fact.supplier_id,
        sku=fact.sku,
        what=fact.fact_name(),
        units=_figure(fact),
        delta=moved.delta,
        available=moved.available,
        reservation_id=getattr(fact, "reservation_id", "") or getattr(fact, "order_id", ""),
        because=getattr(fact, "because", "") or "; ".join(fact.warnings),
        at=fact.at,
    )


def _figure(fact: Any) -> int | None:
    """The units that a fact itself names: of a feed its quantity, of an alert none."""
    feed = getattr(fact, "feed", None)
    figure = feed.quantity if feed else getattr(fact, "units", getattr(fact, "quantity", None))
    return getattr(fact, "shortfall", figure)


def _waiting(history: OrderHistory) -> list[WaitingOrder]:
    """What an order waits for: together before its confirmation, afterwards each unit as it comes."""
    order = history.order
    if order.confirmed_at is not None:
        return _waiting_confirmed(order)
    own = {hold.reason: hold for hold in order.holds if hold.owner == LEDGER and not hold.supplier_order_id}
    waiting, unusable = own.get(HoldReason.OUT_OF_STOCK), own.get(HoldReason.OTHER)
    items = _items(order, order.in_bucket("open"))
    rows: dict[tuple[str, str], tuple[int, bool, bool]] = {}
    for hold in (own.get(HoldReason.INCOMPLETE), waiting):
        if hold is not None:
            found = could_serve(order, hold, Against.OUT_OF_STOCK, Against.NOT_APPROVED)
            rows.update({item: (units, False, True) for item, units in found.items()})
    lines = waiting.lacking if waiting else order.waiting_for_stock()
    rows.update({item: (items[item], True, False) for item in _items(order, lines) if item in items})
    if unusable is not None:
        rows.update({item: (items[item], True, True) for item in _items(order, unusable.lacking) if item in items})
    return _rows(order, rows)


def _waiting_confirmed(order: Order) -> list[WaitingOrder]:
    """Units that their supplier has yet to get, and open ones with whoever could send them."""
    rows = dict.fromkeys(_assigned_items(order), (1, False, False))
    hold = order.hold(HoldReason.OUT_OF_STOCK, LEDGER)
    if hold is not None:
        found = could_serve(order, hold, Against.OUT_OF_STOCK, Against.NOT_APPROVED)
        rows = {**{item: (units, False, True) for item, units in found.items()}, **rows}
    return _rows(order, rows)


def _rows(order: Order, items: Mapping[tuple[str, str], tuple[int, bool, bool]]) -> list[WaitingOrder]:
    placed_at = order.placed.placed_at
    return [
        WaitingOrder(order.order_id, supplier_id, sku, units, together, seeks, placed_at)
        for (supplier_id, sku), (units, together, seeks) in items.items()
    ]


def _items(order: Order, by_line: Units) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for line_no, units in by_line.items():
        line = order.lines[line_no]
        if line.supplier_id and line.sku:
            item = (line.supplier_id, line.sku)
            found[item] = found.get(item, 0) + units
    return found


def _assigned_items(order: Order) -> Iterable[tuple[str, str]]:
    return (
        (supplier_id, order.lines[line_no].sku)
        for supplier_id, line_no in sorted(order.waiting_at_suppliers())
        if supplier_id
    )


STOCK_LEVELS = projection(
    "stock_levels",
    5,
    From(stock.NOUN, LEVELS, _level, compared=False),
    FromPages((MOVEMENTS,), _movements),
    From(orders.NOUN, WAITING, _waiting),
    From(suppliers.NOUN, SELLERS, _seller),
    FromPages((OFFER_ENDS,), _offer_ends),
    From(skus.NOUN, LISTINGS, _listing),
    FromPages((BUNDLES,), _bundles),
)

# --- what the clock task asks ---------------------------------------------------------------------

_CAN = """{stock_levels} AS c JOIN {stock_sellers} AS t USING (supplier_id)
        LEFT JOIN {stock_offer_ends} AS e USING (supplier_id, sku)
    WHERE c.tracked AND c.available > 0 AND t.approved AND (e.ends_at IS NULL OR e.ends_at > %(now)s)"""
"""Which suppliers can promise a unit of what."""
_DUE = """
    (SELECT 'feed', supplier_id, sku, '', stale_at FROM {stock_levels}
        WHERE stale_at <= %(now)s AND stale_since IS NULL ORDER BY stale_at LIMIT %(limit)s)
    UNION ALL
    (WITH lacking AS (
        SELECT sku, supplier_id FROM {stock_levels} WHERE sold_out
        UNION
        SELECT sku, supplier_id FROM {stock_sellers} JOIN {stock_levels} USING (supplier_id) WHERE NOT approved
        UNION
        SELECT sku, supplier_id FROM {stock_offer_ends} WHERE ends_at <= %(now)s
    )
    SELECT 'listing', min(supplier_id), sku, coalesce(min(g.crossings), 0) || '-' || max(l.position), max(l.as_of)
    FROM lacking JOIN {stock_levels} AS l USING (sku, supplier_id) JOIN {stock_sellers} AS s USING (supplier_id)
        LEFT JOIN {stock_listings} AS g USING (sku)
    WHERE l.tracked AND s.sold AND g.delisted IS NOT TRUE AND NOT EXISTS (SELECT FROM {can} AND c.sku = lacking.sku)
    GROUP BY sku ORDER BY sku LIMIT %(limit)s)
    UNION ALL
    (SELECT 'listing', min(supplier_id), sku, max(g.crossings) || '-' || max(c.position), max(g.since)
        FROM {stock_listings} AS g JOIN {can_join} AND g.delisted
        GROUP BY sku ORDER BY sku LIMIT %(limit)s)
    UNION ALL
    (SELECT 'waiting', order_id, '', coalesce(max(position), 0)
        || CASE WHEN bool_or(seeks) THEN '-' || count(*) FILTER (WHERE approved) ELSE '' END, min(placed_at)
    FROM (
        SELECT w.order_id, w.together, w.seeks, w.placed_at, l.position, coalesce(s.approved, false) AS approved,
            CASE WHEN w.seeks THEN coalesce(s.approved, false) AND (l.tracked IS NOT TRUE OR l.free >= w.units)
            ELSE coalesce(l.free >= w.units, false) END AS servable
        FROM {stock_waiting} AS w LEFT JOIN {stock_levels} AS l USING (supplier_id, sku)
            LEFT JOIN {stock_sellers} AS s USING (supplier_id)
    ) AS waiting
    GROUP BY order_id
    HAVING coalesce(bool_and(servable) FILTER (WHERE together), true)
        AND coalesce(bool_or(servable) FILTER (WHERE NOT together), true)
    ORDER BY 5, 2 LIMIT %(limit)s)
""".replace("{can}", _CAN).replace("{can_join}", _CAN.replace("JOIN", "USING (sku) JOIN", 1))
"""What is due in one question: it is asked of each tenant every second."""


async def due(connection: AsyncConnection[Any], schema: str, now: datetime, limit: int) -> list[Timer]:
    """Feeds that went stale, SKUs to be delisted or relisted, and orders whose stock is there, the oldest first.

    An order is named with the position at which its stock last moved, and with how many of the suppliers that could
    serve it are approved: each movement, and each approval, is one more occasion, and one only. Empty while the
    projection has no tables yet.
    """
    found = await rows_now(connection, schema, _DUE, {"now": now, "limit": limit}, STOCK_LEVELS)
    return [_timer(*row) for row in found]


def _timer(kind: str, of: str, sku: str, occasion: str, at: datetime) -> Timer:
    if kind == "feed":
        return FeedDue(of, sku, due=at)
    return ListingDue(of, sku, occasion, due=at) if kind == "listing" else WaitingDue(of, occasion, due=at)


# --- questions ------------------------------------------------------------------------------------


class Level(NamedTuple):
    """What a supplier has of a SKU."""

    supplier_id: str
    sku: str
    tracked: bool
    quantity: int
    feed_version: int
    as_of: datetime | None
    stale_at: datetime | None
    stale_since: datetime | None
    restocked: int
    held: int
    committed: int
    buffer: int
    stale_buffer: int
    awaited: int
    kept: int
    available: int
    shortfall: int
    low_threshold: int
    alerts: tuple[Alert, ...]
    demand: int
    """Units committed in the window of the policy in force."""
    cover_days: float | None
    """How long what is available lasts at that demand; None without demand."""


class ListingAnswer(NamedTuple):
    """Whether a SKU can be sold at all."""

    sku: str
    listed: bool
    available: int
    """Over all approved suppliers whose stock is tracked."""
    suppliers: int
    """How many of these have any."""
    since: datetime | None
    """Since when it is delisted, or on sale again; None before it was ever delisted."""
    against: dict[str, str]
    """Of a delisted one, why each supplier can promise no unit."""


class ProposedUnits(NamedTuple):
    """What to ask a supplier to have ready of a SKU."""

    sku: str
    units: int
    """Expected to be sold."""
    demand: int
    window_days: int
    available: int


_STANDS: Mapping[Alert, str] = {
    Alert.LOW: "low",
    Alert.RUNNING_OUT: "running_out",
    Alert.SOLD_OUT: "sold_out",
    Alert.STALE: "stale_since IS NOT NULL",
    Alert.OVERSOLD: "shortfall > 0",
}
_LEVELS = """
    SELECT * FROM {stock_levels}
    WHERE (supplier_id, sku) > (%(after_supplier)s, %(after_sku)s) AND {changed} {condition}
    ORDER BY supplier_id, sku LIMIT %(limit)s
"""
_MOVEMENTS = """
    SELECT * FROM {stock_movements}
    WHERE supplier_id = %(supplier_id)s AND sku = ANY(%(skus)s) AND position < %(before)s
    ORDER BY position DESC LIMIT %(limit)s
"""
_MOVED = """
    SELECT * FROM {stock_movements}
    WHERE supplier_id = %(supplier_id)s AND sku = ANY(%(skus)s) AND position > %(after)s AND position <= %(up_to)s
    ORDER BY position FETCH FIRST (%(size)s) ROWS WITH TIES
"""
_LISTINGS = """
    SELECT sku, bool_or(sells AND available > 0) AS listed,
        coalesce(sum(greatest(available, 0)) FILTER (WHERE sells), 0)::int8 AS available,
        count(*) FILTER (WHERE sells AND available > 0) AS suppliers,
        min(g.since) AS since, coalesce(min(g.against), '{{}}') AS against
    FROM (
        SELECT l.sku, l.available, coalesce(s.approved AND (e.ends_at IS NULL OR e.ends_at > %(now)s), false) AS sells
        FROM {stock_levels} AS l LEFT JOIN {stock_sellers} AS s USING (supplier_id)
            LEFT JOIN {stock_offer_ends} AS e USING (supplier_id, sku)
        WHERE l.tracked AND l.sku > %(after)s AND (%(sku)s = '' OR l.sku = %(sku)s)
    ) AS offered LEFT JOIN {stock_listings} AS g USING (sku)
    GROUP BY sku
    HAVING %(listed)s::bool IS NULL OR bool_or(sells AND available > 0) = %(listed)s
    ORDER BY sku LIMIT %(limit)s
"""


_FIGURES = """
    SELECT l.sku, coalesce(sum(greatest(l.available, 0)) FILTER (WHERE s.approved AND (e.ends_at IS NULL OR e.ends_at >
        %(now)s)), 0)::int8, NOT coalesce(bool_or(g.delisted), false)
    FROM {stock_levels} AS l LEFT JOIN {stock_sellers} AS s USING (supplier_id)
        LEFT JOIN {stock_offer_ends} AS e USING (supplier_id, sku) LEFT JOIN {stock_listings} AS g USING (sku)
    WHERE l.tracked AND l.sku = ANY(%(skus)s) GROUP BY l.sku
"""
_OF_SUPPLIERS = "SELECT DISTINCT sku FROM {stock_levels} WHERE supplier_id = ANY(%(supplier_ids)s)"
_SKUS = """
    SELECT sku FROM {stock_levels} WHERE tracked AND sku > %(after)s
    UNION SELECT sku FROM {stock_bundles} WHERE sku > %(after)s ORDER BY sku LIMIT %(limit)s
"""
_MADE_OF = "SELECT sku, parts FROM {stock_bundles} WHERE sku = ANY(%(skus)s)"
_IN_BUNDLES = "SELECT sku FROM {stock_bundles} WHERE parts::jsonb ?| %(skus)s::text[]"


async def figures(where: Where, now: datetime, skus: Sequence[str]) -> dict[str, StockLevel]:
    """What can be sold of these SKUs over all suppliers; without those whose stock nobody tells.

    Of a bundle as many as its scarcest part makes; a part whose stock nobody tells limits nothing.
    """
    async with snapshot(where, STOCK_LEVELS) as at:
        made_of = await _taken_apart(at, skus)
        parts = {part for units in made_of.values() for part in units}
        rows = await at.rows(_FIGURES, {"now": now, "skus": list({*skus, *parts} - made_of.keys())})
    told = {sku: StockLevel(sku, available, listed) for sku, available, listed in rows}
    for sku, units in made_of.items():
        known = [(told[part], count) for part, count in units.items() if part in told]
        if known:
            least = min(level.available // count for level, count in known)
            told[sku] = StockLevel(sku, least, all(level.listed for level, _ in known))
    return {sku: told[sku] for sku in skus if sku in told}


async def _taken_apart(at: Snapshot, skus: Iterable[str]) -> dict[str, Counter[str]]:
    """The parts of those that are bundles, down to what is no bundle itself."""
    found: dict[str, dict[str, int]] = {}
    asked, wanted = set[str](), set(skus)
    while wanted:
        found |= {sku: loads(parts) for sku, parts in await at.rows(_MADE_OF, {"skus": list(wanted)})}
        asked |= wanted
        wanted = {part for parts in found.values() for part in parts} - asked
    return {sku: _units_of(sku, found) for sku in skus if sku in found}


def _units_of(sku: str, bundles: Mapping[str, Mapping[str, int]]) -> Counter[str]:
    """How many of each are in one; no bundle is in itself."""
    if sku not in bundles:
        return Counter({sku: 1})
    units = Counter[str]()
    for part, count in bundles[sku].items():
        for inner, of_inner in _units_of(part, bundles).items():
            units[inner] += count * of_inner
    return units


async def with_bundles(where: Where, skus: Iterable[str]) -> set[str]:
    """These SKUs, and all bundles that they are in."""
    every, wanted = set(skus), set(skus)
    async with snapshot(where, STOCK_LEVELS) as at:
        while wanted:
            wanted = {sku for (sku,) in await at.rows(_IN_BUNDLES, {"skus": list(wanted)})} - every
            every |= wanted
    return every


async def skus_of(where: Where, supplier_ids: Sequence[str]) -> list[str]:
    """The SKUs whose stock these suppliers tell."""
    async with snapshot(where, STOCK_LEVELS) as at:
        return [row[0] for row in await at.rows(_OF_SUPPLIERS, {"supplier_ids": list(supplier_ids)})]


async def all_skus(where: Where, after: str, limit: int) -> list[str]:
    """The SKUs whose stock anybody tells, and bundles, by name."""
    async with snapshot(where, STOCK_LEVELS) as at:
        return [row[0] for row in await at.rows(_SKUS, {"after": after, "limit": limit})]


_LISTED = Listed(
    query=_LEVELS,
    make=LevelRow,
    key=lambda row: (row.supplier_id, row.sku),
    subject=ListedStreams(stock.NOUN, ("supplier_id", "sku")),
    of=lambda row: f"{row.supplier_id}/{row.sku}",
)


async def list_levels(
    where: Where,
    page: PageOf,
    now: datetime,
    supplier_id: str = "",
    skus: Sequence[str] = (),
    alerts: Iterable[Alert] = (),
) -> Answer[Level]:
    """Levels by supplier and SKU; with alerts, those of which any of these stands."""
    after_supplier, after_sku = page.after(tuple[str, str]) or ("", "")
    conditions = ["supplier_id = %(supplier_id)s"] if supplier_id else []
    conditions += ["sku = ANY(%(skus)s)"] if skus else []
    stands = [_STANDS[alert] for alert in alerts]
    conditions += [f"({' OR '.join(stands)})"] if stands else []
    query = _LEVELS.replace("{condition}", "".join(f" AND {each}" for each in conditions))
    parameters = {
        "after_supplier": after_supplier,
        "after_sku": after_sku,
        "supplier_id": supplier_id,
        "skus": list(skus),
        "limit": page.limit,
    }
    async with snapshot(where, STOCK_LEVELS) as at:
        policy = policy_at(await at.state(policies.NOUN, policies.stream()), now)
        found = await _LISTED._replace(query=query).page(at, page, parameters)
        return found._replace(rows=[_at(row, policy, now) for row in found.rows])


def _at(row: LevelRow, policy: Policy, now: datetime) -> Level:
    """The level with what depends on the day and on the retailer's terms."""
    demand = Stock(demand=row.demand).demand_of(policy.demand_window_days, now.toordinal())
    stands = {
        Alert.LOW: row.low,
        Alert.RUNNING_OUT: row.running_out,
        Alert.SOLD_OUT: row.sold_out,
        Alert.STALE: row.stale_since is not None,
        Alert.OVERSOLD: row.shortfall > 0,
    }
    kept = {name: value for name, value in row._asdict().items() if name in Level._fields}
    found = {
        "low_threshold": policy.low_stock_units if row.low_threshold is None else row.low_threshold,
        "alerts": tuple(alert for alert, does in stands.items() if does),
        "demand": demand,
        "cover_days": max(row.available, 0) * policy.demand_window_days / demand if demand else None,
    }
    return Level(**kept | found)


async def list_movements(where: Where, page: PageOf, supplier_id: str, skus: Sequence[str]) -> Answer[StockMovement]:
    """What moved a level, the newest first; or what has moved it since, the oldest first."""
    before = page.after(int)
    parameters = {
        "supplier_id": supplier_id,
        "skus": list(skus),
        "before": 2**62 if before is None else before,
        "limit": page.limit,
    }
    async with snapshot(where, STOCK_LEVELS) as at:
        if page.changed_after is not None:
            new, up_to, token = await added(at, page, _MOVED, parameters, StockMovement)
            return Answer(new, at.position, token, changes=Changes(up_to, []))
        found = await at.each(_MOVEMENTS, parameters, StockMovement)
        rows, token = page.cut(found, [movement.position for movement in found])
        return Answer(rows, at.position, token)


async def list_listings(
    where: Where, page: PageOf, now: datetime, sku: str = "", listed: bool | None = None
) -> Answer[ListingAnswer]:
    """SKUs whose stock is tracked and whether any approved supplier has some left; all, or only these."""
    parameters = {"after": page.after(str) or "", "sku": sku, "listed": listed, "limit": page.limit, "now": now}
    async with snapshot(where, STOCK_LEVELS) as at:
        found = await at.each(_LISTINGS, parameters, ListingAnswer)
        rows, token = page.cut(found, [listing.sku for listing in found])
        return Answer(rows, at.position, token)


async def propose(
    where: Where,
    page: PageOf,
    now: datetime,
    until: datetime,
    growth_basis_points: int,
    supplier_id: str,
    sku: str = "",
) -> Answer[ProposedUnits]:
    """What a supplier's SKUs are expected to sell until then; those without demand are left out."""
    answer = await list_levels(where, page, now, supplier_id, (sku,) if sku else ())
    async with snapshot(where, STOCK_LEVELS) as at:
        window = policy_at(await at.state(policies.NOUN, policies.stream()), now).demand_window_days
    proposals = [
        ProposedUnits(each.sku, units, each.demand, window, each.available)
        for each in answer.rows
        if (units := stock_ups.expected(each.demand, window, now, until, growth_basis_points))
    ]
    return Answer(proposals, answer.position, answer.next_page_token)
