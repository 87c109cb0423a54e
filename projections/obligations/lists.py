"""Lists of obligations and breaches, and how suppliers stand with each clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ledger.terms.clocks import Clock, ClockState
from ledger.terms.parties import Party
from projections.machine.changes import Listed, NamedStreams
from projections.machine.reads import FIRST, LAST, Answer, PageOf, Where, snapshot
from projections.obligations.projection import OBLIGATIONS_OF, SLA
from projections.obligations.rows import Obligation


class Counts(NamedTuple):
    """How a supplier stands with one clock; supplier_id is empty where the retailer is obliged."""

    supplier_id: str
    clock: Clock
    open: int
    met: int
    missed: int
    withdrawn: int


_LIST = """
    SELECT found.* FROM unnest(%(states)s::text[]) AS wanted (state) CROSS JOIN LATERAL (
        SELECT * FROM {sla_obligations} AS o
        WHERE {condition} o.state = wanted.state
            AND o.due >= %(since)s AND o.due < %(until)s
            AND (o.due, o.object_id, o.clock) > (%(after_due)s, %(after_id)s, %(after_clock)s)
            AND (%(clock)s = '' OR o.clock = %(clock)s) AND {changed}
        ORDER BY o.due, o.object_id, o.clock LIMIT %(limit)s
    ) AS found ORDER BY found.due, found.object_id, found.clock LIMIT %(limit)s
"""
_EXTENT = """
    SELECT min(o.due), max(o.due) FROM {sla_obligations} AS o
    WHERE {condition} o.state = ANY(%(states)s) AND (%(clock)s = '' OR o.clock = %(clock)s)
"""
_COUNT = """
    SELECT obliged.supplier_id, clock,
        count(*) FILTER (WHERE state = 'open') AS open, count(*) FILTER (WHERE state = 'met') AS met,
        count(*) FILTER (WHERE state = 'missed') AS missed, count(*) FILTER (WHERE state = 'withdrawn') AS withdrawn
    FROM (
        SELECT supplier_id, clock, state FROM {sla_obligations}
            WHERE supplier_id = ANY(%(supplier_ids)s) AND owner <> 'retailer'
                AND due >= %(since)s AND due < %(until)s
        UNION ALL
        SELECT '', clock, state FROM {sla_obligations} WHERE owner = 'retailer' AND '' = ANY(%(supplier_ids)s)
            AND due >= %(since)s AND due < %(until)s
    ) AS obliged
    GROUP BY obliged.supplier_id, clock ORDER BY obliged.supplier_id, clock
"""
"""What the retailer is to do for a supplier, as to send it an order, is no clock of that supplier."""
_NEXT_SUPPLIERS = """
    WITH RECURSIVE next (supplier_id, number) AS (
        (SELECT supplier_id, 1 FROM {sla_obligations} WHERE supplier_id {compared} %(after)s
            ORDER BY supplier_id LIMIT 1)
        UNION ALL
        SELECT (SELECT min(o.supplier_id) FROM {sla_obligations} AS o WHERE o.supplier_id > next.supplier_id),
            next.number + 1
        FROM next WHERE next.supplier_id IS NOT NULL AND next.number < %(limit)s
    )
    SELECT supplier_id FROM next WHERE supplier_id IS NOT NULL ORDER BY supplier_id
"""


_LISTED = Listed(
    query=_LIST,
    make=Obligation,
    key=lambda row: (row.due, row.object_id, row.clock.value),
    subject=NamedStreams(tuple(each.noun for each in OBLIGATIONS_OF), "o.stream"),
    of=lambda row: row.stream,
)


async def list_obligations(
    where: Where,
    page: PageOf,
    states: Iterable[ClockState] = (ClockState.OPEN,),
    supplier_id: str = "",
    clock: Clock | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    owner: Party | None = None,
) -> Answer[Obligation]:
    """Obligations in these states that are due in [since, until), the earliest first."""
    after_due, after_id, after_clock = page.after(tuple[datetime, str, str]) or (FIRST, "", "")
    parameters = {
        "states": [state.value for state in states],
        "supplier_id": supplier_id,
        "owner": owner.value if owner else "",
        "clock": clock.value if clock else "",
        "since": since or FIRST,
        "until": until or LAST,
        "after_due": after_due,
        "after_id": after_id,
        "after_clock": after_clock,
        "limit": page.limit,
    }
    of_supplier = "o.supplier_id = %(supplier_id)s AND" if supplier_id else ""
    of_owner = "o.owner = %(owner)s AND" if owner else ""
    condition = f"{of_supplier} {of_owner}"
    async with snapshot(where, SLA) as at:
        found = await _LISTED._replace(query=_LIST.replace("{condition}", condition)).page(at, page, parameters)
        lacking = not (found.rows or found.changes or page.token)
        extent = await at.extent(_EXTENT.replace("{condition}", condition), parameters) if lacking else None
        return found._replace(extent=extent)


async def list_breaches(
    where: Where,
    page: PageOf,
    since: datetime | None = None,
    until: datetime | None = None,
    supplier_id: str = "",
    clock: Clock | None = None,
    owner: Party | None = None,
) -> Answer[Obligation]:
    """Deadlines in [since, until) that were missed, without those that turned out to be met."""
    return await list_obligations(where, page, (ClockState.MISSED,), supplier_id, clock, since, until, owner)


_EVER_DUE = """
    SELECT min(due), max(due) FROM {sla_obligations}
    WHERE %(supplier_id)s = '' OR (supplier_id = %(supplier_id)s AND owner <> 'retailer')
"""


async def count_obligations(
    where: Where, page: PageOf, supplier_id: str = "", since: datetime | None = None, until: datetime | None = None
) -> Answer[Counts]:
    """How each supplier stands with what is due in [since, until), clock by clock; a page has so many suppliers."""
    async with snapshot(where, SLA) as at:
        supplier_ids, token = [supplier_id], ""
        if not supplier_id:
            after = page.after(str)
            # The retailer itself, whose name here is empty, comes first.
            query = _NEXT_SUPPLIERS.replace("{compared}", ">")
            found = [row[0] for row in await at.rows(query, {"after": after or "", "limit": page.limit})]
            if after is None:
                found.insert(0, "")
            supplier_ids, token = page.cut(found, found)
        bounds = {"since": since or FIRST, "until": until or LAST}
        rows = await at.each(_COUNT, {"supplier_ids": supplier_ids, **bounds}, Counts)
        lacking = not (rows or token or page.token)
        extent = await at.extent(_EVER_DUE, {"supplier_id": supplier_id}) if lacking else None
        return Answer(rows, at.position, token, extent)
