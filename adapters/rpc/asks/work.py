"""WorkService's commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from adapters.rpc.asks.ask import Ask, Edge, looks, reads
from adapters.rpc.shapes import require, text
from fulfilment.v1 import work_pb2
from ledger.nouns import tasks
from ledger.nouns.tasks import Task, TaskFact
from ledger.view import View
from projections import work
from projections.machine.reads import Where


async def look_for_work(request: Any, where: Where, now: datetime) -> bool:
    """Whether there is such work: what people may do is in the queue, which no decision sees."""
    return await work.exists(where, _task_id(request))


for _command in (work_pb2.ClaimWorkRequest, work_pb2.ReleaseWorkRequest, work_pb2.FinishWorkRequest):
    looks(_command)(look_for_work)


@reads(work_pb2.ClaimWorkRequest)
def claim_work(request: work_pb2.ClaimWorkRequest, edge: Edge) -> Ask:
    task_id, by, exists = _task_id(request), _person(edge), edge.seen
    return _of_task(task_id, lambda task: tasks.claim(task, task_id, exists, by, edge.now))


@reads(work_pb2.ReleaseWorkRequest)
def release_work(request: work_pb2.ReleaseWorkRequest, edge: Edge) -> Ask:
    task_id, by, exists = _task_id(request), _person(edge), edge.seen
    of = text(request.claimed_by, "claimed_by", 100) or by
    return _of_task(task_id, lambda task: tasks.release(task, task_id, exists, of, by, edge.now))


@reads(work_pb2.FinishWorkRequest)
def finish_work(request: work_pb2.FinishWorkRequest, edge: Edge) -> Ask:
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

    def changes(view: View) -> list[tuple[str, TaskFact]]:
        return [(stream, fact) for fact in decide(tasks.find(view, task_id))]

    return Ask(changes, (stream,))
