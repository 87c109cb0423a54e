"""WorkService's commands: who has a piece of work, what was said of it, until when it waits, how it was finished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from adapters.rpc import shapes
from adapters.rpc.commands import Ask, Edge, Reader, Readers
from adapters.rpc.faults import require
from adapters.rpc.sealing import sealed_text, sealed_with
from adapters.rpc.shapes import happened, text
from fulfilment.v1 import work_pb2 as pb
from ledger.engine.sealing import placed
from ledger.facts import Change, changes_of
from ledger.nouns import orders, tasks
from ledger.nouns.tasks import Task, TaskAssigned, TaskCommented, TaskFact, TaskPutOff
from ledger.view import View
from projections import work
from projections.machine.reads import Where
from projections.work import Work

_MOST_COMMENT = 10_000


async def look_for_work(request: Any, where: Where, now: datetime) -> Work | None:
    """The work that there is: it is known to the read model only, which no decision reads."""
    found = (await work.find_work(where, task_id_of(request))).rows
    return found[0] if found else None


def claim_work(request: pb.ClaimWorkRequest, edge: Edge) -> Ask:
    task_id, by, exists = task_id_of(request), _person(edge), edge.seen is not None
    return _of_task(task_id, lambda task: tasks.claim(task, task_id, exists, by, edge.now))


def release_work(request: pb.ReleaseWorkRequest, edge: Edge) -> Ask:
    task_id, by, exists = task_id_of(request), _person(edge), edge.seen is not None
    of = text(request.claimed_by, "claimed_by", 100) or by
    return _of_task(task_id, lambda task: tasks.release(task, task_id, exists, of, by, edge.now))


def assign_work(request: pb.AssignWorkRequest, edge: Edge) -> Ask:
    task_id, by, exists = task_id_of(request), _person(edge), edge.seen is not None
    person, team = text(request.person, "person", 100), text(request.team, "team", 100)
    require(bool(person or team), "person", "is required, or team: who is to do it")
    assigned = TaskAssigned(task_id, by, edge.now, person, team)
    return _of_task(task_id, lambda task: tasks.assign(task, assigned, exists))


def unassign_work(request: pb.UnassignWorkRequest, edge: Edge) -> Ask:
    task_id, by, exists = task_id_of(request), _person(edge), edge.seen is not None
    return _of_task(task_id, lambda task: tasks.unassign(task, task_id, exists, by, edge.now))


def put_off_work(request: pb.PutOffWorkRequest, edge: Edge) -> Ask:
    task_id, due = task_id_of(request), edge.seen.due if edge.seen is not None else None
    put = TaskPutOff(task_id, _person(edge), edge.now, shapes.instant(request, "until"))
    return _of_task(task_id, lambda task: tasks.put_off(task, put, due))


def comment_on_work(request: pb.CommentOnWorkRequest, edge: Edge) -> Ask:
    task_id, exists = task_id_of(request), edge.seen is not None
    stream = tasks.stream(task_id)
    written = shapes.lines(request.comment, "comment", _MOST_COMMENT, required=True)
    bound_to = placed(stream, "note")
    sealed, keys = sealed_with(edge.sealer, {"note": written} if written else {}, _whose(task_id, edge), bound_to)
    if sealed is None:  # that it is required was said
        return Ask(lambda view: [], (stream,))
    digest = edge.sealer.digest(written.encode())
    said = TaskCommented(task_id, sealed, digest, _person(edge), happened(request, edge.now))
    order_id = edge.seen.order_id if edge.seen is not None else ""

    def decide(view: View) -> Sequence[Change]:
        order = orders.find(view, order_id) if order_id else None
        erased = order is not None and order.is_erased
        return changes_of(stream, tasks.comment(tasks.find(view, task_id), said, exists, erased))

    return Ask(decide, (stream, orders.stream(order_id)) if order_id else (stream,), keys)


def _whose(task_id: str, edge: Edge) -> str:
    """With whom goes what is written of a piece of work: the customer of the order; of work about none, it alone."""
    order_id = edge.seen.order_id if edge.seen is not None else ""
    return orders.anchor(order_id) if order_id else tasks.stream(task_id)


def finish_work(request: pb.FinishWorkRequest, edge: Edge) -> Ask:
    """The outcome is sealed as comments are."""
    task_id, by, exists = task_id_of(request), _person(edge), edge.seen is not None
    written = text(request.outcome, "outcome", 100, required=True)
    outcome, keys = sealed_text(edge.sealer, written, _whose(task_id, edge), tasks.stream(task_id))
    ask = _of_task(task_id, lambda task: tasks.finish(task, task_id, exists, outcome, by, edge.now))
    return replace(ask, keys=keys)


def task_id_of(request: Any) -> str:
    return text(request.task_id, "task_id", 500, required=True)


def _person(edge: Edge) -> str:
    require(edge.actor != "unknown", "context.actor", "is required: work is done by somebody")
    return edge.actor


def _of_task(task_id: str, decide: Callable[[Task | None], Sequence[TaskFact]]) -> Ask:
    stream = tasks.stream(task_id)

    def changes(view: View) -> list[Change]:
        return changes_of(stream, decide(tasks.find(view, task_id)))

    return Ask(changes, (stream,))


READERS: Readers = {
    pb.ClaimWorkRequest: Reader(claim_work, look_for_work),
    pb.ReleaseWorkRequest: Reader(release_work, look_for_work),
    pb.AssignWorkRequest: Reader(assign_work, look_for_work),
    pb.UnassignWorkRequest: Reader(unassign_work, look_for_work),
    pb.PutOffWorkRequest: Reader(put_off_work, look_for_work),
    pb.CommentOnWorkRequest: Reader(comment_on_work, look_for_work),
    pb.FinishWorkRequest: Reader(finish_work, look_for_work),
}
