"""What can be sold of a SKU, over all suppliers, also of one that is made of others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from json import loads

from ledger.terms.effects import StockLevel
from projections.machine.reads import Snapshot, Where, snapshot
from projections.stock_levels.projection import STOCK_LEVELS

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
