"""Lists of levels, of what moved them, and of what is to be taken off sale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.nouns import policies, stock, stock_ups
from ledger.nouns.policies import Policy, policy_at
from ledger.nouns.stock import Alert, Stock
from projections.machine.changes import Listed, ListedStreams, added
from projections.machine.reads import Answer, Changes, PageOf, Where, snapshot
from projections.stock_levels.projection import STOCK_LEVELS
from projections.stock_levels.rows import LevelRow, StockMovement


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
