"""Orders found by what they are about: by filters that combine, and by whether they changed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ledger.nouns import orders
from ledger.nouns.orders import Header
from ledger.nouns.orders.supplier_orders import Stage
from projections.machine.changes import changed_streams
from projections.machine.reads import FIRST, LAST, MOST_ROWS, Answer, Changes, Extent, PageOf, Snapshot, Where, snapshot
from projections.tracking import facets
from projections.tracking.lists import with_parcels
from projections.tracking.projection import TRACKING
from projections.tracking.rows import TrackedOrder


class OrderFilter(NamedTuple):
    """What the orders of a list have in common; what is empty says nothing."""

    statuses: Sequence[Header] = ()
    channel: str = ""
    since: datetime | None = None
    """Placed in [since, until)."""
    until: datetime | None = None
    sku: str = ""
    supplier_id: str = ""
    """A line names it, or it has or had one of its supplier orders; with stages one supplier order is both."""
    stages: Sequence[Stage] = ()
    """A supplier order of it is in one of these."""
    country: str = ""
    tags: Sequence[str] = ()
    """All of them."""
    late: bool = False

    @property
    def every(self) -> list[str]:
        """The facets that an order must have, each of them."""
        named = (
            (facets.sku, self.sku),
            (facets.supplier, self.supplier_id),
            (facets.country, self.country),
        )
        found = [facet(value) for facet, value in named if value]
        return [*found, *map(facets.tag, self.tags), *([facets.LATE] if self.late else [])]

    @property
    def groups(self) -> list[list[str]]:
        """Lists of facets; an order must have one of each list."""
        any_of = (list(map(facets.stage, self.stages)), list(map(facets.status, self.statuses)))
        groups = [*([facet] for facet in self.every), *filter(None, any_of)]
        return groups or [list(map(facets.status, Header))]


EVERYTHING = OrderFilter()

# --- by when they were placed ---------------------------------------------------------------------

# Whatever else is asked for is looked up for one order after the other, each by the key of its table.
_CONDITIONS = """
    (cardinality(%(statuses)s::text[]) = 0 OR o.status = ANY(%(statuses)s))
    AND (%(channel)s = '' OR o.channel = %(channel)s)
    AND o.placed_at >= %(since)s AND o.placed_at < %(until)s
    AND cardinality(%(every)s::text[]) = (
        SELECT count(*) FROM {tracking_facets} AS f
        WHERE f.facet = ANY(%(every)s) AND f.placed_at = o.placed_at AND f.order_id = o.order_id
    )
    AND (cardinality(%(stages)s::text[]) = 0 OR EXISTS (
        SELECT FROM json_array_elements(o.details::json -> 'supplier_orders') AS s
        WHERE s ->> 'status' = ANY(%(stages)s) AND %(supplier_id)s IN ('', s ->> 'supplier_id')
    ))
"""

# OFFSET 0 keeps the planner from joining in another way, and _IN_ORDER from sorting: it goes along one index, from
# there to each order, and stops where the page is full.
_IN_ORDER = "SELECT set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true)"
_BY_FACET = """
    SELECT DISTINCT ON (found.placed_at, found.order_id) found.*
    FROM unnest(%(drivers)s::text[]) AS wanted (facet) CROSS JOIN LATERAL (
        SELECT o.* FROM (
            SELECT d.placed_at, d.order_id FROM {tracking_facets} AS d
            WHERE d.facet = wanted.facet AND (d.placed_at, d.order_id) > (%(after_at)s, %(after_id)s)
                AND d.placed_at >= %(since)s AND d.placed_at < %(until)s
            ORDER BY d.placed_at, d.order_id OFFSET 0
        ) AS driver CROSS JOIN LATERAL (
            SELECT * FROM {tracking_orders} WHERE order_id = driver.order_id OFFSET 0
        ) AS o
        WHERE {conditions}
        ORDER BY driver.placed_at, driver.order_id LIMIT %(limit)s
    ) AS found ORDER BY found.placed_at, found.order_id LIMIT %(limit)s
"""
_LAST = re.sub(r"(ORDER BY \w+\.placed_at), (\w+\.order_id)", r"\1 DESC, \2 DESC", _BY_FACET)
"""The same from the other end of the index."""
_MOST_COUNTED = 1000
_COUNTED = """
    SELECT wanted.facet, counted.orders FROM unnest(%(facets)s::text[]) AS wanted (facet) CROSS JOIN LATERAL (
        SELECT count(*) AS orders FROM (
            SELECT FROM {tracking_facets} AS f WHERE f.facet = wanted.facet LIMIT %(most)s
        ) AS some_orders
    ) AS counted
"""


def _with_conditions(query: str) -> str:
    return query.replace("{conditions}", _CONDITIONS)


async def list_orders(where: Where, page: PageOf, about: OrderFilter = EVERYTHING) -> Answer[TrackedOrder]:
    """Orders by when they were placed; or by their last change, those that changed."""
    after_at, after_id = page.after(tuple[datetime, str]) or (FIRST, "")
    limit = page.limit
    async with snapshot(where, TRACKING) as at:
        if page.changed_after is not None:
            return await _list_changed(at, page, about)
        parameters = {
            **_parameters(about),
            "drivers": await _rarest(at, about.groups),
            "after_at": after_at,
            "after_id": after_id,
            "limit": limit,
        }
        await at.rows(_IN_ORDER, {})
        found = await at.each(_with_conditions(_BY_FACET), parameters, TrackedOrder)
        rows, token = page.cut(found, [(order.placed_at, order.order_id) for order in found])
        extent = None if found or page.token else await _extent(at, parameters)
        return Answer(await with_parcels(at, rows), at.position, token, extent)


async def _extent(at: Snapshot, parameters: dict[str, Any]) -> Extent | None:
    """When the first and the last such order was placed, whenever that was."""
    ever = {**parameters, "since": FIRST, "until": LAST, "limit": 1}
    first = await at.each(_with_conditions(_BY_FACET), ever, TrackedOrder)
    last = await at.each(_with_conditions(_LAST), ever, TrackedOrder)
    return Extent(first[0].placed_at, last[0].placed_at) if first else None


async def _rarest(at: Snapshot, groups: Sequence[list[str]]) -> list[str]:
    """The list of facets that the fewest orders have, as far as they are counted: their orders are looked through."""
    if len(groups) == 1:
        return groups[0]
    every = list({facet: None for group in groups for facet in group})
    orders = dict(await at.rows(_COUNTED, {"facets": every, "most": _MOST_COUNTED}))
    return min(groups, key=lambda group: sum(orders[facet] for facet in group))


def _parameters(about: OrderFilter) -> dict[str, Any]:
    return {
        "statuses": [status.value for status in about.statuses],
        "channel": about.channel,
        "since": about.since or FIRST,
        "until": about.until or LAST,
        "every": about.every,
        "stages": [stage.value for stage in about.stages],
        "supplier_id": about.supplier_id,
    }


# --- by their ids and numbers ---------------------------------------------------------------------

_WITH_AGAIN = """
    SELECT * FROM {tracking_orders} WHERE (placed_at, order_id) > (%(after_at)s, %(after_id)s)
        AND order_id = ANY(%(order_ids)s::text[] || ARRAY(
            SELECT order_id FROM {tracking_facets} WHERE facet = ANY(%(again)s)
        ))
    ORDER BY placed_at, order_id LIMIT %(limit)s
"""
_NUMBERED = (
    "SELECT order_id FROM {tracking_facets} WHERE facet = %(facet)s ORDER BY placed_at, order_id LIMIT %(limit)s"
)


async def list_with_sent_again(where: Where, page: PageOf, order_ids: Sequence[str]) -> Answer[TrackedOrder]:
    """These orders and those that send units of them once more, by when they were placed."""
    after_at, after_id = page.after(tuple[datetime, str]) or (FIRST, "")
    parameters = {
        "order_ids": list(order_ids),
        "again": list(map(facets.sent_again, order_ids)),
        "after_at": after_at,
        "after_id": after_id,
        "limit": page.limit,
    }
    async with snapshot(where, TRACKING) as at:
        found = await at.each(_WITH_AGAIN, parameters, TrackedOrder)
        rows, token = page.cut(found, [(order.placed_at, order.order_id) for order in found])
        return Answer(await with_parcels(at, rows), at.position, token)


async def find_numbered(where: Where, number: str) -> Answer[str]:
    """The ids of the orders with a number of the shop's own, as it stands in them, in whatever shop."""
    async with snapshot(where, TRACKING) as at:
        rows = await at.rows(_NUMBERED, {"facet": facets.number(number), "limit": MOST_ROWS})
        return Answer([order_id for (order_id,) in rows], at.position)


# --- by their last change -------------------------------------------------------------------------

_CHANGED = """
    SELECT o.* FROM unnest(%(changed)s::text[]) WITH ORDINALITY AS changed (order_id, place) CROSS JOIN LATERAL (
        SELECT * FROM {tracking_orders} WHERE order_id = changed.order_id OFFSET 0
    ) AS o
    WHERE {conditions} ORDER BY changed.place
"""


async def _list_changed(at: Snapshot, page: PageOf, about: OrderFilter) -> Answer[TrackedOrder]:
    """Orders that have facts after a position, each once, by the last of them."""
    ids, until, token = await changed_streams(at, page, orders.NOUN)
    parameters = {**_parameters(about), "changed": ids}
    rows = await at.each(_with_conditions(_CHANGED), parameters, TrackedOrder)
    there = {order.order_id for order in rows}
    changes = Changes(until, [each for each in ids if each not in there])
    return Answer(await with_parcels(at, rows), at.position, token, changes=changes)
