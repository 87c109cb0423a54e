"""Which work is there, how much of each kind, and who has it?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ledger.nouns import stock, tasks
from projections.machine.changes import Listed, NamedStreams
from projections.machine.reads import FIRST, LAST, Answer, PageOf, Snapshot, Where, snapshot
from projections.work.kinds import Next, WorkKind
from projections.work.projection import ITEMS_OF, WORK
from projections.work.rows import Owner


class Work(NamedTuple):
    """A piece of work, and who has it."""

    task_id: str
    kind: WorkKind
    owner: Owner
    due: datetime
    raised_at: datetime
    because: str
    next: Next
    order_id: str
    supplier_order_id: str
    supplier_id: str
    carrier: str
    number: str
    sku: str
    claimed_by: str
    claimed_at: datetime | None
    team: str
    put_off_until: datetime | None
    comments: int
    further_order_ids: tuple[str, ...]
    stream: str


class WorkCount(NamedTuple):
    """How much work of a kind there is for somebody."""

    kind: WorkKind
    owner: Owner
    pieces: int
    overdue: int
    unclaimed: int
    first_due: datetime


class WorkFilter(NamedTuple):
    """Which work is asked for: all that is not finished, unless said otherwise."""

    owner: Owner | None = None
    kinds: Sequence[WorkKind] = ()
    until: datetime | None = None
    """Only what is due before."""
    unclaimed: bool = False
    claimed_by: str = ""
    order_id: str = ""
    supplier_id: str = ""
    team: str = ""
    put_off: bool | None = None
    """Only what is put off, or only what is not."""
    now: datetime = LAST
    """What is put off beyond this is put off now; what is shown later is left out; what is due before is overdue."""

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            "owner": self.owner or "",
            "kinds": [kind.value for kind in self.kinds],
            "until": self.until or LAST,
            "unclaimed": self.unclaimed,
            "claimed_by": self.claimed_by,
            "order_id": self.order_id,
            "supplier_id": self.supplier_id,
            "team": self.team,
            "put_off": self.put_off,
            "now": self.now,
        }

    @property
    def owned(self) -> str:
        """The condition that an index fits."""
        return "i.owner = %(owner)s AND" if self.owner else ""


_ALL = WorkFilter()

_STRONGEST = """(i.unless = '[]' OR NOT EXISTS (
    SELECT FROM {work_items} AS s WHERE s.kind = i.kind
        AND s.subject = ANY(ARRAY(SELECT json_array_elements_text(i.unless::json)))
))"""
_MATCHING = """
    FROM {work_items} AS i LEFT JOIN {work_tasks} AS t ON t.task_id = i.task_id
    WHERE {condition} i.due < %(until)s AND i.shown_from <= %(now)s AND {strongest}
        AND (t.state IS NULL OR t.state <> 'finished')
        AND (NOT %(unclaimed)s OR t.state IS NULL OR t.state = 'free')
        AND (%(claimed_by)s = '' OR t.person = %(claimed_by)s)
        AND (%(team)s = '' OR t.team = %(team)s)
        AND (%(put_off)s::bool IS NULL OR coalesce(t.put_off_until > %(now)s, false) = %(put_off)s)
        AND (%(order_id)s = '' OR i.order_id = %(order_id)s
            OR (i.further_order_ids <> '[]' AND i.further_order_ids::jsonb ? %(order_id)s))
        AND (%(supplier_id)s = '' OR i.supplier_id = %(supplier_id)s)
        AND (cardinality(%(kinds)s::text[]) = 0 OR i.kind = ANY(%(kinds)s::text[]))
""".replace("{strongest}", _STRONGEST)
_WORK = """
    SELECT i.task_id, i.kind, i.owner, i.due, i.raised_at, i.because, i.next, i.order_id, i.supplier_order_id,
        i.supplier_id, i.carrier, i.number, i.sku, coalesce(t.person, '') AS claimed_by,
        CASE WHEN t.person <> '' THEN t.since END AS claimed_at, coalesce(t.team, '') AS team, t.put_off_until,
        coalesce(t.comments, 0) AS comments, i.further_order_ids, i.stream
"""
_LIST = (
    _WORK
    + _MATCHING
    + "AND (i.due, i.task_id) > (%(after_due)s, %(after_id)s) AND {changed} ORDER BY i.due, i.task_id LIMIT %(limit)s"
)
_ONE = (
    _WORK
    + """
    FROM {work_items} AS i LEFT JOIN {work_tasks} AS t ON t.task_id = i.task_id
    WHERE i.task_id = %(task_id)s AND {strongest} LIMIT 1
""".replace("{strongest}", _STRONGEST)
)
_COUNT = (
    """
    SELECT i.kind, i.owner, count(*) AS pieces, count(*) FILTER (WHERE i.due < %(now)s) AS overdue,
        count(*) FILTER (WHERE t.state IS NULL OR t.state = 'free') AS unclaimed, min(i.due) AS first_due
    """
    + _MATCHING
    + "GROUP BY i.kind, i.owner ORDER BY i.kind, i.owner"
)


_ITEMS_OF_TASKS = "SELECT stream FROM {work_items} WHERE task_id = ANY(%(task_ids)s)"


class _Raised(NamedTuple):
    """The streams that raise work; what people do about it changes it, too."""

    streams: NamedStreams

    async def changed(self, at: Snapshot, page: PageOf) -> tuple[list[str], int, str]:
        names, until, token = await self.streams.changed(at, page)
        handled = [each for each in names if each.startswith(_TASK)]
        raising = await at.rows(_ITEMS_OF_TASKS, {"task_ids": [each.removeprefix(_TASK) for each in handled]})
        found = dict.fromkeys([each for each in names if not each.startswith(_TASK)])
        return list(found | dict.fromkeys(stream for (stream,) in raising)), until, token

    @property
    def condition(self) -> str:
        return self.streams.condition

    def parameters(self, ids: Sequence[str]) -> dict[str, list[str]]:
        return self.streams.parameters(ids)


_TASK = tasks.stream("")
_LISTED = Listed(
    query=_LIST,
    make=Work,
    key=lambda row: (row.due, row.task_id),
    subject=_Raised(NamedStreams((*(each.noun for each in ITEMS_OF), stock.NOUN, tasks.NOUN), "i.stream")),
    of=lambda row: row.stream,
)


async def list_work(where: Where, page: PageOf, wanted: WorkFilter = _ALL) -> Answer[Work]:
    """What is to be done and not finished, the most urgent first."""
    after_due, after_id = page.after(tuple[datetime, str]) or (FIRST, "")
    after = {"after_due": after_due, "after_id": after_id, "limit": page.limit}
    query = _LIST.replace("{condition}", wanted.owned)
    async with snapshot(where, WORK) as at:
        return await _LISTED._replace(query=query).page(at, page, {**wanted.parameters, **after})


async def count_work(where: Where, wanted: WorkFilter) -> Answer[WorkCount]:
    """How much of it there is, by kind and for whom."""
    query = _COUNT.replace("{condition}", wanted.owned)
    async with snapshot(where, WORK) as at:
        return Answer(await at.each(query, wanted.parameters, WorkCount), at.position)


async def find_work(where: Where, task_id: str) -> Answer[Work]:
    """The piece of work, finished or not; no row if there is none or its reason is gone."""
    async with snapshot(where, WORK) as at:
        return Answer(await at.each(_ONE, {"task_id": task_id}, Work), at.position)
