"""WorkService's commands: who takes a piece of work, gives it back, finishes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from adapters.rpc.commands import Ask, Edge, Reader, Readers
from adapters.rpc.faults import require
from adapters.rpc.shapes import text
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
