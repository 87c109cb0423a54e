"""WorkService: what there is to do, for whom and by when, and who does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from adapters.rpc import shapes
from adapters.rpc.commands import Ask, Edge, Reader, Readers
from adapters.rpc.faults import require
from adapters.rpc.listing import listed, page
from adapters.rpc.queries import Context, Queries
from adapters.rpc.shapes import optional, optional_enum, text
from adapters.rpc.shows import number_of, stamp
from fulfilment.v1 import work_pb2 as pb
from ledger.facts import Change, changes_of
from ledger.nouns import tasks
from ledger.nouns.tasks import Task, TaskFact
from ledger.view import View
from projections import work
from projections.machine.reads import Where


async def look_for_work(request: Any, where: Where, now: datetime) -> bool:
    """Whether there is such work: work is known to the read model only, which no decision reads."""
    return await work.exists(where, _task_id(request))


def claim_work(request: pb.ClaimWorkRequest, edge: Edge) -> Ask:
    task_id, by, exists = _task_id(request), _person(edge), edge.seen
    return _of_task(task_id, lambda task: tasks.claim(task, task_id, exists, by, edge.now))


def release_work(request: pb.ReleaseWorkRequest, edge: Edge) -> Ask:
    task_id, by, exists = _task_id(request), _person(edge), edge.seen
    of = text(request.claimed_by, "claimed_by", 100) or by
    return _of_task(task_id, lambda task: tasks.release(task, task_id, exists, of, by, edge.now))


def finish_work(request: pb.FinishWorkRequest, edge: Edge) -> Ask:
    task_id, by, exists = _task_id(request), _person(edge), edge.seen
    outcome = text(request.outcome, "outcome", 100, required=True)
    return _of_task(task_id, lambda task: tasks.finish(task, task_id, exists, outcome, by, edge.now))


def _task_id(request: Any) -> str:
    return text(request.task_id, "task_id", 500, required=True)


def _person(edge: Edge) -> str:
    require(edge.actor != "unknown", "context.actor", "is required: work is claimed by somebody")
    return edge.actor


def _of_task(task_id: str, decide: Callable[[Task | None], Sequence[TaskFact]]) -> Ask:
    stream = tasks.stream(task_id)

    def changes(view: View) -> list[Change]:
        return changes_of(stream, decide(tasks.find(view, task_id)))

    return Ask(changes, (stream,))


READERS: Readers = {
    pb.ClaimWorkRequest: Reader(claim_work, look_for_work),
    pb.ReleaseWorkRequest: Reader(release_work, look_for_work),
    pb.FinishWorkRequest: Reader(finish_work, look_for_work),
}


_kind = number_of(pb.WorkKind)
_owner = number_of(pb.WorkOwner)
_read_owner = shapes.enum(pb.WorkOwner, work.Owner)


class WorkQueries(Queries):
    """WorkService but for its commands."""

    async def ListWork(self, request: pb.ListWorkRequest, context: Context) -> pb.ListWorkResponse:
        answer = await work.list_work(
            await self.where(request, context),
            page(request),
            optional_enum(_read_owner, request.owner, "owner"),
            shapes.instant(request, "due_before"),
            unclaimed=request.unclaimed,
            claimed_by=shapes.text(request.claimed_by, "claimed_by", 100),
            order_id=optional(shapes.order_id, request.order_id, "order_id"),
        )
        return listed(pb.ListWorkResponse, "work", answer, _work)


def _work(each: work.Work) -> pb.Work:
    return pb.Work(
        task_id=each.task_id,
        kind=_kind(each.kind),
        owner=_owner(each.owner),
        due=stamp(each.due),
        raised_at=stamp(each.raised_at),
        reason=each.because,
        order_id=each.order_id,
        supplier_order_id=each.supplier_order_id,
        supplier_id=each.supplier_id,
        carrier=each.carrier,
        tracking_number=each.number,
        sku=each.sku,
        claimed_by=each.claimed_by,
        claimed_at=stamp(each.claimed_at),
    )
