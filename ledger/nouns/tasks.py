"""Tasks: who took which piece of work, gave it back, or finished it (DOMAIN 6).

What work there is follows from the facts of orders, parcels and others; recorded here is only what people
did about it. A task's id derives from what raised it, so a piece of work is claimed and finished once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from msgspec.structs import replace

from ledger.facts import Fact, Value
from ledger.refusals import Forbidden, NotFound
from ledger.view import View, noun


def stream(task_id: str) -> str:
    """task_id derives from what raised the work, such as ``hold-shop/1001/fraud_review/...``."""
    return f"task-{task_id}"


def find(view: View, task_id: str) -> Task | None:
    found: Task | None = view.state(stream(task_id))
    return found


# --- facts ----------------------------------------------------------------------------------------


class TaskClaimed(Fact, frozen=True, tag="task.claimed"):
    """Somebody took it on; nobody else needs to."""

    task_id: str
    by: str
    at: datetime


class TaskReleased(Fact, frozen=True, tag="task.released"):
    """It waits for somebody again; by says who gave it back, which need not be who had it."""

    task_id: str
    by: str
    at: datetime


class TaskFinished(Fact, frozen=True, tag="task.finished"):
    """The work is done, with this outcome."""

    task_id: str
    outcome: str
    by: str
    at: datetime


TaskFact = TaskClaimed | TaskReleased | TaskFinished

# --- state ----------------------------------------------------------------------------------------


class Task(Value, frozen=True):
    """What people did about a piece of work."""

    task_id: str
    claimed: TaskClaimed | None = None
    """None while nobody has it."""
    finished: TaskFinished | None = None


def evolve(task: Task | None, fact: TaskFact) -> Task:
    task = task or Task(fact.task_id)
    match fact:
        case TaskClaimed():
            return replace(task, claimed=fact)
        case TaskReleased():
            return replace(task, claimed=None)
        case TaskFinished():
            return replace(task, finished=fact)
        case _:
            assert_never(fact)


NOUN = noun("task", TaskFact, evolve)


# --- refusals -------------------------------------------------------------------------------------


class UnknownWork(NotFound, reason="UNKNOWN_WORK"):
    says = "there is no work {task_id}, or its reason is gone"
    task_id: str


class WorkIsClaimed(Forbidden, reason="WORK_IS_CLAIMED"):
    says = "{by} has claimed {task_id}"
    task_id: str
    by: str


class WorkIsFinished(Forbidden, reason="WORK_IS_FINISHED"):
    says = "{by} has finished {task_id}: {outcome}"
    task_id: str
    by: str
    outcome: str


# --- decisions ------------------------------------------------------------------------------------


def claim(task: Task | None, task_id: str, exists: bool, by: str, at: datetime) -> Sequence[TaskFact]:
    """Take it on; exists says whether there is such work. Claiming it again records nothing."""
    _require_open(task, task_id, exists)
    if task is not None and task.claimed is not None:
        if task.claimed.by != by:
            raise WorkIsClaimed(task_id, task.claimed.by)
        return []
    return [TaskClaimed(task_id, by, at)]


def release(task: Task | None, task_id: str, exists: bool, of: str, by: str, at: datetime) -> Sequence[TaskFact]:
    """Give back what ``of`` has claimed. Work that nobody has records nothing."""
    _require_open(task, task_id, exists)
    if task is None or task.claimed is None:
        return []
    if task.claimed.by != of:
        raise WorkIsClaimed(task_id, task.claimed.by)
    return [TaskReleased(task_id, by, at)]


def finish(task: Task | None, task_id: str, exists: bool, outcome: str, by: str, at: datetime) -> Sequence[TaskFact]:
    """The work is done, whether it was claimed or not. The same outcome again records nothing."""
    if task is not None and task.finished is not None and task.finished.outcome == outcome:
        return []
    _require_open(task, task_id, exists)
    if task is not None and task.claimed is not None and task.claimed.by != by:
        raise WorkIsClaimed(task_id, task.claimed.by)
    return [TaskFinished(task_id, outcome, by, at)]


def _require_open(task: Task | None, task_id: str, exists: bool) -> None:
    if task is not None and task.finished is not None:
        raise WorkIsFinished(task_id, task.finished.by, task.finished.outcome)
    if not exists:
        raise UnknownWork(task_id)
