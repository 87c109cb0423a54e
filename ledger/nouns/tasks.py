"""Tasks: who has which piece of work, what was said of it, until when it waits, how it was finished (DOMAIN 6).

What work there is follows from the facts of orders, parcels and others; recorded here is only what people
did about it. A task's id derives from what raised it, so a piece of work is claimed and finished once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never

from msgspec.structs import replace

from ledger.facts import Fact, Sealed, Told, Value, may_be_same, same_text
from ledger.refusals import Forbidden, NotFound
from ledger.view import View, noun


def stream(task_id: str) -> str:
    """task_id derives from what raised the work, such as ``hold-shop/1001/fraud_review/...``."""
    return f"task-{task_id}"


def find(view: View, task_id: str) -> Task | None:
    found: Task | None = view.state(stream(task_id))
    return found


MOST_PUT_OFF = timedelta(days=30)
"""How long what is due already can be put off."""

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


class TaskAssigned(Fact, frozen=True, tag="task.assigned"):
    """Somebody said who is to do it: a person, a team, or a person of a team; whoever had it before has it no more."""

    task_id: str
    by: str
    at: datetime
    person: str = ""
    team: str = ""


class TaskUnassigned(Fact, frozen=True, tag="task.unassigned"):
    """No person and no team is to do it any more."""

    task_id: str
    by: str
    at: datetime


class TaskPutOff(Fact, frozen=True, tag="task.put_off"):
    """It is out of the queue until then; without a time it is back at once."""

    task_id: str
    by: str
    at: datetime
    until: datetime | None = None


class TaskCommented(Fact, frozen=True, tag="task.commented"):
    """Somebody wrote down what the next one should know; sealed for the customer of the order that it is about."""

    task_id: str
    note: Sealed
    note_digest: str
    """Keyed hash of the comment: the same again is recognised without its content."""
    by: str
    at: datetime


class TaskFinished(Fact, frozen=True, tag="task.finished"):
    """The work is done, with this outcome."""

    task_id: str
    outcome: Told
    by: str
    at: datetime


TaskFact = TaskClaimed | TaskReleased | TaskAssigned | TaskUnassigned | TaskPutOff | TaskCommented | TaskFinished

# --- state ----------------------------------------------------------------------------------------


class Task(Value, frozen=True):
    """What people did about a piece of work."""

    task_id: str
    person: str = ""
    """Who has it, claimed or assigned; empty while nobody does."""
    team: str = ""
    """The team that is to do it, if one was named."""
    since: datetime | None = None
    """Since when the person or the team has it."""
    put_off_until: datetime | None = None
    """The last time that it was put off to; it may be past."""
    comments: tuple[TaskCommented, ...] = ()
    finished: TaskFinished | None = None


def evolve(task: Task | None, fact: TaskFact) -> Task:
    task = task or Task(fact.task_id)
    match fact:
        case TaskClaimed(by=by, at=at):
            return replace(task, person=by, since=at)
        case TaskReleased():
            return replace(task, person="", since=None)
        case TaskAssigned(person=person, team=team, at=at):
            return replace(task, person=person, team=team, since=at)
        case TaskUnassigned():
            return replace(task, person="", team="", since=None)
        case TaskPutOff(until=until):
            return replace(task, put_off_until=until)
        case TaskCommented():
            return replace(task, comments=(*task.comments, fact))
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
    says = "{by} has {task_id}"
    task_id: str
    by: str


class WorkIsFinished(Forbidden, reason="WORK_IS_FINISHED"):
    says = "{by} has finished {task_id}"
    task_id: str
    by: str


class PutOffOutOfBounds(Forbidden, reason="PUT_OFF_OUT_OF_BOUNDS"):
    says = "{task_id} can be put off until {latest}, not until {until}: neither into the past nor beyond that"
    task_id: str
    until: datetime
    latest: datetime


# --- decisions ------------------------------------------------------------------------------------


def claim(task: Task | None, task_id: str, exists: bool, by: str, at: datetime) -> Sequence[TaskFact]:
    """Take it on; exists says whether there is such work. Claiming it again records nothing."""
    _require_open(task, task_id, exists)
    if task is not None and task.person == by:
        return []
    _require_not_anothers(task, by)
    return [TaskClaimed(task_id, by, at)]


def release(task: Task | None, task_id: str, exists: bool, of: str, by: str, at: datetime) -> Sequence[TaskFact]:
    """Give back what ``of`` has claimed. Work that nobody has records nothing."""
    _require_open(task, task_id, exists)
    if task is None or not task.person:
        return []
    _require_not_anothers(task, of)
    return [TaskReleased(task_id, by, at)]


def finish(task: Task | None, task_id: str, exists: bool, outcome: Told, by: str, at: datetime) -> Sequence[TaskFact]:
    """The work is done, whether it was claimed or not. The same outcome again records nothing."""
    if task is not None and task.finished is not None and same_text(task.finished.outcome, outcome):
        return []
    _require_open(task, task_id, exists)
    _require_not_anothers(task, by)
    return [TaskFinished(task_id, outcome, by, at)]


def assign(task: Task | None, assigned: TaskAssigned, exists: bool) -> Sequence[TaskFact]:
    """Say who is to do it, whoever has it now. What is so already records nothing."""
    _require_open(task, assigned.task_id, exists)
    if task is not None and (task.person, task.team) == (assigned.person, assigned.team):
        return []
    return [assigned]


def unassign(task: Task | None, task_id: str, exists: bool, by: str, at: datetime) -> Sequence[TaskFact]:
    """Say that nobody in particular is to do it. What nobody has records nothing."""
    _require_open(task, task_id, exists)
    return [TaskUnassigned(task_id, by, at)] if task is not None and (task.person or task.team) else []


def put_off(task: Task | None, put: TaskPutOff, due: datetime | None) -> Sequence[TaskFact]:
    """Take it out of the queue until a time, or back into it at once; due is None where there is no such work.

    It is back when it is due: a deadline is never out of sight. What is due already waits a month at most.
    """
    _require_open(task, put.task_id, due is not None)
    _require_not_anothers(task, put.by)
    if put.until == (task.put_off_until if task is not None else None):
        return []
    if put.until is not None and due is not None:
        latest = due if due > put.at else put.at + MOST_PUT_OFF
        if not put.at < put.until <= latest:
            raise PutOffOutOfBounds(put.task_id, put.until, latest)
    return [put]


def comment(task: Task | None, commented: TaskCommented, exists: bool, erased: bool = False) -> Sequence[TaskFact]:
    """Write something down, also about what is finished. The same of the same person and time again records nothing."""
    if task is None and not exists:
        raise UnknownWork(commented.task_id)
    known = task.comments if task is not None else ()
    same = (each.note_digest for each in known if (each.by, each.at) == (commented.by, commented.at))
    return [] if any(may_be_same(digest, commented.note_digest, erased) for digest in same) else [commented]


def _require_not_anothers(task: Task | None, by: str) -> None:
    if task is not None and task.person not in ("", by):
        raise WorkIsClaimed(task.task_id, task.person)


def _require_open(task: Task | None, task_id: str, exists: bool) -> None:
    if task is not None and task.finished is not None:
        raise WorkIsFinished(task_id, task.finished.by)
    if not exists:
        raise UnknownWork(task_id)
