"""What has each supplier of each SKU, how long will it last, what moved it, and what is to be taken off sale?

A level's row tells its stream alone; what depends on the day or on the retailer's terms, such as days of
cover, is worked out when it is asked for. Beside the levels stand the orders that wait for stock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, cast

import msgspec
from psycopg import AsyncConnection, errors
from psycopg.sql import SQL, Identifier

from ledger.decisions.order_stock import could_serve
from ledger.facts import Units
from ledger.nouns.choice import Against
from ledger.nouns.orders import LEDGER, HoldReason, Order
from ledger.nouns.policies import Policy, PolicyAgreed
from ledger.nouns.stock import Alert, Stock
from ledger.nouns.suppliers import Standing, Supplier
from projections.machine.reads import (
    Answer,
    PageOf,
    Snapshot,
    Where,
    snapshot,
)
from projections.machine.streams import (
    Movement,
    OrderHistory,
    Page,
    StockHistory,
)
from projections.machine.tables import (
    ID,
    Projection,
    Rows,
    Table,
    Values,
    Written,
)
from projections.sla import Due, Timer

# --- tables ---------------------------------------------------------------------------------------

LEVELS = Table(
    "stock_levels",
    2,
    {
        "supplier_id": ID,
        "sku": ID,
        "position": "int8 NOT NULL",  # of the fact that last touched it
        "tracked": "bool NOT NULL",
        "quantity": "int8 NOT NULL",
        "feed_version": "int8 NOT NULL",
        "as_of": "timestamptz",
        "stale_at": "timestamptz",
        "stale_since": "timestamptz",
        "restocked": "int8 NOT NULL",
        "held": "int8 NOT NULL",
        "committed": "int8 NOT NULL",
        "buffer": "int8 NOT NULL",
        "stale_buffer": "int8 NOT NULL",
        "free": "int8 NOT NULL",
        "awaited": "int8 NOT NULL",
        "kept": "int8 NOT NULL",  # for orders that wait; free units but for these are available
        "available": "int8 NOT NULL",
        "shortfall": "int8 NOT NULL",
        "low_threshold": "int8",
        "low": "bool NOT NULL",
        "running_out": "bool NOT NULL",
        "sold_out": "bool NOT NULL",
        "demand": "text NOT NULL",  # JSON of the units of each day
    },
    (
        "(sku, supplier_id)",
        "(stale_at) WHERE stale_since IS NULL",
        "(supplier_id, sku) WHERE low",
        "(supplier_id, sku) WHERE running_out",
        "(supplier_id, sku) WHERE sold_out",
        "(supplier_id, sku) WHERE stale_since IS NOT NULL",
        "(supplier_id, sku) WHERE shortfall > 0",
    ),
)
MOVEMENTS = Table(
    "stock_movements",
    1,
    {
        "position": "int8 NOT NULL",
        "supplier_id": ID,
        "sku": ID,
        "what": "text NOT NULL",
        "units": "int8",
        "delta": "int8 NOT NULL",
        "available": "int8 NOT NULL",
        "reservation_id": ID,  # empty where the fact is about no reservation
        "because": "text NOT NULL",
        "at": "timestamptz NOT NULL",
    },
    ("(supplier_id, sku, position)",),
)
WAITING = Table(
    "stock_waiting",
    3,
    {
        "order_id": ID,
        "supplier_id": ID,
        "sku": ID,
        "units": "int8 NOT NULL",  # available units from which on it helps
        "together": "bool NOT NULL",  # whether all such items of the order have to be there, or any of the others
        "seeks": "bool NOT NULL",  # whether the supplier has to be approved, and may send no feed
        "placed_at": "timestamptz NOT NULL",
    },
)
SELLERS = Table("stock_sellers", 1, {"supplier_id": ID, "approved": "bool NOT NULL"})
POLICIES = Table(
    "stock_policies",
    1,
    {
        "position": "int8 NOT NULL",
        "effective_from": "timestamptz NOT NULL",
        "low_stock_units": "int8 NOT NULL",
        "cover_days": "int4 NOT NULL",
        "demand_window_days": "int4 NOT NULL",
    },
)

# --- what is kept ---------------------------------------------------------------------------------

_encode = msgspec.json.Encoder().encode
_decode_demand = msgspec.json.Decoder(dict[int, int]).decode


def changes(page: Page) -> list[Written]:
    """Rows of levels, their movements, and the orders that wait."""
    levels, waiting, sellers, policies = Rows(LEVELS), Rows(WAITING), Rows(SELLERS), Rows(POLICIES)
    for is_new, stock in page.stocks():
        # A stock's history is told in place, so what its row was is not known; hardly any fact leaves it as it was.
        (levels.new if is_new else levels.changed).append(_level(stock))
    for before, now in page.orders():
        waiting.replace(before.cached(_waiting) if before else (), now.cached(_waiting))
    for was, supplier in page.suppliers():
        sellers.replace([_seller(was)] if was else (), [_seller(supplier)])
    for position, fact in page.others:
        if isinstance(fact, PolicyAgreed):
            policy = fact.policy
            terms = (policy.low_stock_units, policy.cover_days, policy.demand_window_days)
            policies.new.append((position, fact.effective_from, *terms))
    movements = Rows(MOVEMENTS)
    movements.new += map(_movement, page.movements)
    return [levels, movements, waiting, sellers, policies]


STOCK_LEVELS = Projection("stock_levels", 3, (LEVELS, MOVEMENTS, WAITING, SELLERS, POLICIES), changes)


def _seller(supplier: Supplier) -> Values:
    return (supplier.supplier_id, supplier.standing is Standing.APPROVED)


def _level(history: StockHistory) -> Values:
    stock, feed = history.stock, history.stock.feed
    return (
        history.supplier_id,
        history.sku,
        history.position,
        stock.tracked,
        feed.quantity if feed else 0,
        feed.version if feed else 0,
        feed.as_of if feed else None,
        stock.stale_at,
        stock.stale.at if stock.stale else None,
        stock.restocked,
        stock.held,
        stock.committed,
        stock.buffer,
        stock.stale_buffer,
        stock.free,
        stock.awaited,
        stock.kept,
        stock.available,
        stock.shortfall,
        stock.low_threshold,
        stock.low,
        stock.running_out,
        stock.sold_out,
        _encode(_days(stock)).decode(),
    )


def _days(stock: Stock) -> dict[int, int]:
    return {day: units for day, units in sorted(stock.demand.items()) if units}


def _movement(movement: Movement) -> Values:
    fact: Any = movement.fact
    return (
        movement.position,
        fact.supplier_id,
        fact.sku,
        fact.fact_name(),
        _figure(fact),
        movement.delta,
        movement.available,
        getattr(fact, "reservation_id", "") or getattr(fact, "order_id", ""),
        getattr(fact, "because", "") or "; ".join(fact.warnings),
        fact.at,
    )


def _figure(fact: Any) -> int | None:
    """The units that a fact itself names: of a feed its quantity, of an alert none."""
    feed = getattr(fact, "feed", None)
    figure = feed.quantity if feed else getattr(fact, "units", getattr(fact, "quantity", None))
    return getattr(fact, "shortfall", figure)


def _waiting(history: OrderHistory) -> list[Values]:
    """What an order waits for: together before its confirmation, afterwards each unit as it comes."""
    order, placed_at = history.order, history.order.placed.placed_at
    if order.confirmed_at is not None:
        return _waiting_confirmed(order, placed_at)
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
    return [(order.order_id, *item, *row, placed_at) for item, row in rows.items()]


def _waiting_confirmed(order: Order, placed_at: datetime) -> list[Values]:
    """Units that their supplier has yet to get, and open ones with whoever could send them."""
    rows = dict.fromkeys(_assigned_items(order), (1, False, False))
    hold = order.hold(HoldReason.OUT_OF_STOCK, LEDGER)
    if hold is not None:
        found = could_serve(order, hold, Against.OUT_OF_STOCK, Against.NOT_APPROVED)
        rows = {**{item: (units, False, True) for item, units in found.items()}, **rows}
    return [(order.order_id, *item, *row, placed_at) for item, row in rows.items()]


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


# --- what the clock task asks ---------------------------------------------------------------------

_STALE = """
    SELECT supplier_id, sku, stale_at FROM {stock_levels}
    WHERE stale_at <= %(now)s AND stale_since IS NULL ORDER BY stale_at LIMIT %(limit)s
"""
_SERVABLE = """
    SELECT order_id, coalesce(max(position), 0) || CASE WHEN bool_or(seeks) THEN '-' || count(*) FILTER (WHERE approved)
        ELSE '' END, min(placed_at)
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
    ORDER BY 3, 1 LIMIT %(limit)s
"""


async def due(connection: AsyncConnection[Any], schema: str, now: datetime, limit: int) -> list[Due]:
    """Feeds that went stale, and orders whose stock is there, the oldest first.

    An order is named with the position at which its stock last moved, and with how many of the suppliers that could
    serve it are approved: each movement, and each approval, is one more occasion, and one only. Empty while the
    projection has no tables yet.
    """
    names = {table.name: Identifier(schema, table.name) for table in STOCK_LEVELS.tables}
    parameters = {"now": now, "limit": limit}
    try:
        cursor = await connection.execute(SQL(cast("Any", _STALE)).format(**names), parameters)
        stale = [Due(Timer.FEED, (supplier_id, sku), at) for supplier_id, sku, at in await cursor.fetchall()]
        cursor = await connection.execute(SQL(cast("Any", _SERVABLE)).format(**names), parameters)
        served = [
            Due(Timer.WAITING, (order_id, str(occasion)), at) for order_id, occasion, at in await cursor.fetchall()
        ]
        return stale + served
    except errors.UndefinedTable:
        return []


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


class StockMovement(NamedTuple):
    """One fact of a level, and what it did to the units that are available."""

    position: int
    supplier_id: str
    sku: str
    what: str
    units: int | None
    delta: int
    available: int
    reservation_id: str
    because: str
    at: datetime

    @property
    def order_id(self) -> str:
        """The order that the reservation is for; empty for a cart's."""
        return self.reservation_id if "/" in self.reservation_id else ""


class Listing(NamedTuple):
    """Whether a SKU can be sold at all."""

    sku: str
    listed: bool
    available: int
    """Over all approved suppliers whose stock is tracked."""
    suppliers: int
    """How many of these have any."""


_STANDS: Mapping[Alert, str] = {
    Alert.LOW: "low",
    Alert.RUNNING_OUT: "running_out",
    Alert.SOLD_OUT: "sold_out",
    Alert.STALE: "stale_since IS NOT NULL",
    Alert.OVERSOLD: "shortfall > 0",
}
_LEVELS = """
    SELECT supplier_id, sku, tracked, quantity, feed_version, as_of, stale_at, stale_since, restocked, held, committed,
        buffer, stale_buffer, awaited, kept, available, shortfall, low_threshold, low, running_out, sold_out, demand
    FROM {stock_levels}
    WHERE (supplier_id, sku) > (%(after_supplier)s, %(after_sku)s) {condition}
    ORDER BY supplier_id, sku LIMIT %(limit)s
"""
_MOVEMENTS = """
    SELECT * FROM {stock_movements}
    WHERE supplier_id = %(supplier_id)s AND sku = %(sku)s AND position < %(before)s
    ORDER BY position DESC LIMIT %(limit)s
"""
_LISTINGS = """
    SELECT sku, bool_or(sells AND available > 0) AS listed,
        coalesce(sum(greatest(available, 0)) FILTER (WHERE sells), 0)::int8 AS available,
        count(*) FILTER (WHERE sells AND available > 0) AS suppliers
    FROM (
        SELECT l.sku, l.available, coalesce(s.approved, false) AS sells
        FROM {stock_levels} AS l LEFT JOIN {stock_sellers} AS s USING (supplier_id)
        WHERE l.tracked AND l.sku > %(after)s AND (%(sku)s = '' OR l.sku = %(sku)s)
    ) AS offered
    GROUP BY sku
    HAVING %(listed)s::bool IS NULL OR bool_or(sells AND available > 0) = %(listed)s
    ORDER BY sku LIMIT %(limit)s
"""
_TERMS = """
    SELECT low_stock_units, cover_days, demand_window_days FROM {stock_policies} WHERE effective_from <= %(now)s
    ORDER BY effective_from DESC, position DESC LIMIT 1
"""


async def list_levels(
    where: Where,
    page: PageOf,
    now: datetime,
    supplier_id: str = "",
    sku: str = "",
    alerts: Iterable[Alert] = (),
) -> Answer[Level]:
    """Levels by supplier and SKU; with alerts, those of which any of these stands."""
    after_supplier, after_sku = page.after(tuple[str, str]) or ("", "")
    conditions = ["supplier_id = %(supplier_id)s"] if supplier_id else []
    conditions += ["sku = %(sku)s"] if sku else []
    stands = [_STANDS[alert] for alert in alerts]
    conditions += [f"({' OR '.join(stands)})"] if stands else []
    query = _LEVELS.replace("{condition}", "".join(f" AND {each}" for each in conditions))
    parameters = {
        "after_supplier": after_supplier,
        "after_sku": after_sku,
        "supplier_id": supplier_id,
        "sku": sku,
        "limit": page.limit,
    }
    async with snapshot(where, STOCK_LEVELS) as at:
        policy = await _policy(at, now)
        found = await at.each(query, parameters, lambda **row: _read_level(row, policy, now))
        rows, token = page.cut(found, [(level.supplier_id, level.sku) for level in found])
        return Answer(rows, at.position, token)


async def _policy(at: Snapshot, now: datetime) -> Policy:
    """The terms in force, as far as levels need them."""
    found = await at.rows(_TERMS, {"now": now})
    if not found:
        return Policy()
    low_stock_units, cover_days, demand_window_days = found[0]
    return Policy(low_stock_units=low_stock_units, cover_days=cover_days, demand_window_days=demand_window_days)


def _read_level(row: dict[str, Any], policy: Policy, now: datetime) -> Level:
    days = _decode_demand(row.pop("demand"))
    stock = Stock(demand=days)
    demand = stock.demand_of(policy.demand_window_days, now.toordinal())
    stands = {
        Alert.LOW: row.pop("low"),
        Alert.RUNNING_OUT: row.pop("running_out"),
        Alert.SOLD_OUT: row.pop("sold_out"),
        Alert.STALE: row["stale_since"] is not None,
        Alert.OVERSOLD: row["shortfall"] > 0,
    }
    if row["low_threshold"] is None:
        row["low_threshold"] = policy.low_stock_units
    return Level(
        **row,
        alerts=tuple(alert for alert, does in stands.items() if does),
        demand=demand,
        cover_days=max(row["available"], 0) * policy.demand_window_days / demand if demand else None,
    )


async def list_movements(where: Where, page: PageOf, supplier_id: str, sku: str) -> Answer[StockMovement]:
    """What moved a level, the newest first."""
    before = page.after(int)
    parameters = {
        "supplier_id": supplier_id,
        "sku": sku,
        "before": 2**62 if before is None else before,
        "limit": page.limit,
    }
    async with snapshot(where, STOCK_LEVELS) as at:
        found = await at.each(_MOVEMENTS, parameters, StockMovement)
        rows, token = page.cut(found, [movement.position for movement in found])
        return Answer(rows, at.position, token)


async def list_listings(where: Where, page: PageOf, sku: str = "", listed: bool | None = None) -> Answer[Listing]:
    """SKUs whose stock is tracked and whether any approved supplier has some left; all, or only these."""
    parameters = {"after": page.after(str) or "", "sku": sku, "listed": listed, "limit": page.limit}
    async with snapshot(where, STOCK_LEVELS) as at:
        found = await at.each(_LISTINGS, parameters, Listing)
        rows, token = page.cut(found, [listing.sku for listing in found])
        return Answer(rows, at.position, token)
