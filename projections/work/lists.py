"""Which work is there, and who has it?"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from projections.machine.reads import FIRST, LAST, Answer, PageOf, Where, snapshot
from projections.work.projection import WORK
from projections.work.rows import Owner, WorkKind


class Work(NamedTuple):
    """A piece of work, and who has it."""

    task_id: str
    kind: WorkKind
    owner: Owner
    due: datetime
    raised_at: datetime
    because: str
    order_id: str
    supplier_order_id: str
    supplier_id: str
    carrier: str
    number: str
    sku: str
    claimed_by: str
    claimed_at: datetime | None


_LIST = """
    SELECT i.task_id, i.kind, i.owner, i.due, i.raised_at, i.because, i.order_id, i.supplier_order_id, i.supplier_id,
        i.carrier, i.number, i.sku, coalesce(t.person, '') AS claimed_by, t.since AS claimed_at
    FROM {work_items} AS i LEFT JOIN {work_tasks} AS t ON t.task_id = i.task_id
    WHERE {condition} i.due < %(until)s AND (i.due, i.task_id) > (%(after_due)s, %(after_id)s)
        AND (t.state IS NULL OR t.state <> 'finished')
        AND (NOT %(unclaimed)s OR t.state IS NULL OR t.state = 'free')
        AND (%(claimed_by)s = '' OR t.person = %(claimed_by)s)
        AND (%(order_id)s = '' OR i.order_id = %(order_id)s)
    ORDER BY i.due, i.task_id LIMIT %(limit)s
"""
_EXISTS = "SELECT 1 FROM {work_items} WHERE task_id = %(task_id)s LIMIT 1"


async def list_work(
    where: Where,
    page: PageOf,
    owner: Owner | None = None,
    until: datetime | None = None,
    *,
    unclaimed: bool = False,
    claimed_by: str = "",
    order_id: str = "",
) -> Answer[Work]:
    """What is to be done and not finished, of an owner or of all, due before an instant, the most urgent first."""
    after_due, after_id = page.after(tuple[datetime, str]) or (FIRST, "")
    parameters = {
        "owner": owner.value if owner else "",
        "until": until or LAST,
        "unclaimed": unclaimed,
        "claimed_by": claimed_by,
        "order_id": order_id,
        "after_due": after_due,
        "after_id": after_id,
        "limit": page.limit,
    }
    query = _LIST.replace("{condition}", "i.owner = %(owner)s AND" if owner else "")
    async with snapshot(where, WORK) as at:
        found = await at.each(query, parameters, Work)
        rows, token = page.cut(found, [(row.due, row.task_id) for row in found])
        return Answer(rows, at.position, token)


async def exists(where: Where, task_id: str) -> bool:
    """Whether there is such work; finished or not."""
    async with snapshot(where, WORK) as at:
        return bool(await at.rows(_EXISTS, {"task_id": task_id}))
