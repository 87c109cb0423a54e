"""Who has a piece of work, until when it waits, what was said of it, and how it was finished."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.facts import Sealed, SealedText
from ledger.nouns import tasks
from ledger.nouns.tasks import (
    PutOffOutOfBounds,
    Task,
    TaskAssigned,
    TaskClaimed,
    TaskCommented,
    TaskFact,
    TaskFinished,
    TaskPutOff,
    TaskReleased,
    TaskUnassigned,
    UnknownWork,
    WorkIsClaimed,
    WorkIsFinished,
)
from tests.support.scenario import DAY, HOUR, NOON, refused

JOB = "hold-shopify/1"
DUE = NOON + 5 * HOUR


def task(*facts: TaskFact) -> Task | None:
    state = None
    for fact in facts:
        state = tasks.evolve(state, fact)
    return state


MINE = TaskClaimed(JOB, "mia", NOON)
DONE = TaskFinished(JOB, "done", "mia", NOON)
TOMS = TaskAssigned(JOB, "boss", NOON, "tom")
NIGHT = TaskAssigned(JOB, "boss", NOON, team="night")

# --- claiming and finishing -------------------------------------------------------------------------


def test_work_is_claimed_by_one_and_claiming_it_twice_records_nothing():
    assert tasks.claim(None, JOB, True, "mia", NOON) == [MINE]
    assert tasks.claim(task(MINE), JOB, True, "mia", NOON) == []
    with refused(WorkIsClaimed, "mia has hold-", by="mia"):
        tasks.claim(task(MINE), JOB, True, "tom", NOON)


def test_work_that_is_given_back_can_be_claimed_by_another():
    given_back = task(MINE, *tasks.release(task(MINE), JOB, True, "mia", "mia", NOON))
    assert tasks.claim(given_back, JOB, True, "tom", NOON) == [TaskClaimed(JOB, "tom", NOON)]
    assert tasks.release(given_back, JOB, True, "mia", "mia", NOON) == []
    assert tasks.release(None, JOB, True, "mia", "mia", NOON) == []


def test_only_who_names_the_claimer_gives_back_what_another_has():
    with refused(WorkIsClaimed, "mia has hold-"):
        tasks.release(task(MINE), JOB, True, "tom", "tom", NOON)
    assert tasks.release(task(MINE), JOB, True, "mia", "tom", NOON) == [TaskReleased(JOB, "tom", NOON)]


def test_the_same_outcome_is_recognised_though_it_is_sealed_anew():
    sealed, anew, other = (
        SealedText(key, key.encode(), digest) for key, digest in (("a", "1"), ("b", "1"), ("c", "2"))
    )
    assert tasks.finish(task(TaskFinished(JOB, sealed, "mia", NOON)), JOB, True, anew, "mia", NOON) == []
    with refused(WorkIsFinished, "mia has finished"):
        tasks.finish(task(TaskFinished(JOB, sealed, "mia", NOON)), JOB, True, other, "mia", NOON)


def test_work_is_finished_once_by_who_has_it_or_by_anybody_if_nobody_does():
    assert tasks.finish(None, JOB, True, "done", "mia", NOON) == [DONE]
    assert tasks.finish(task(MINE), JOB, True, "done", "mia", NOON) == [DONE]
    assert tasks.finish(task(MINE, DONE), JOB, True, "done", "tom", NOON) == []
    with refused(WorkIsClaimed, "mia has hold-"):
        tasks.finish(task(MINE), JOB, True, "done", "tom", NOON)
    for decide in (
        lambda: tasks.finish(task(DONE), JOB, True, "not needed", "mia", NOON),
        lambda: tasks.claim(task(DONE), JOB, True, "mia", NOON),
        lambda: tasks.release(task(MINE, DONE), JOB, True, "mia", "mia", NOON),
        lambda: tasks.assign(task(DONE), TOMS, True),
        lambda: tasks.unassign(task(TOMS, DONE), JOB, True, "mia", NOON),
        lambda: put_off(task(DONE)),
    ):
        with refused(WorkIsFinished, "mia has finished"):
            decide()


def test_work_that_is_not_there_cannot_be_touched():
    for decide in (
        lambda: tasks.claim(None, JOB, False, "mia", NOON),
        lambda: tasks.release(None, JOB, False, "mia", "mia", NOON),
        lambda: tasks.finish(None, JOB, False, "done", "mia", NOON),
        lambda: tasks.assign(None, TOMS, False),
        lambda: tasks.unassign(None, JOB, False, "mia", NOON),
        lambda: put_off(None, due=None),
        lambda: tasks.comment(None, said(), False),
    ):
        with refused(UnknownWork, "there is no work hold-shopify/1"):
            decide()


# --- assigning --------------------------------------------------------------------------------------


def test_work_is_assigned_to_a_person_or_a_team_whoever_has_it():
    assert tasks.assign(None, TOMS, True) == [TOMS]
    assert tasks.assign(task(MINE), TOMS, True) == [TOMS]
    assert tasks.assign(task(TOMS), TOMS, True) == []
    assert tasks.assign(task(NIGHT), TOMS, True) == [TOMS]
    theirs = task(TOMS)
    assert theirs is not None
    assert (theirs.person, theirs.since) == ("tom", NOON)


def test_what_is_assigned_to_a_person_is_the_persons_as_if_it_had_been_claimed():
    assert tasks.claim(task(TOMS), JOB, True, "tom", NOON) == []
    with refused(WorkIsClaimed, "tom has hold-"):
        tasks.finish(task(TOMS), JOB, True, "done", "mia", NOON)
    assert tasks.release(task(TOMS), JOB, True, "tom", "tom", NOON) == [TaskReleased(JOB, "tom", NOON)]


def test_what_a_team_is_to_do_is_claimed_by_one_of_it_and_stays_the_teams():
    assert tasks.claim(task(NIGHT), JOB, True, "mia", NOON) == [MINE]
    claimed = task(NIGHT, MINE)
    assert claimed is not None
    assert (claimed.person, claimed.team) == ("mia", "night")
    given_back = task(NIGHT, MINE, TaskReleased(JOB, "mia", NOON))
    assert given_back is not None
    assert (given_back.person, given_back.team) == ("", "night")


def test_what_is_assigned_to_nobody_records_nothing_more():
    for before in (task(TOMS), task(NIGHT), task(MINE)):
        assert tasks.unassign(before, JOB, True, "boss", NOON) == [TaskUnassigned(JOB, "boss", NOON)]
    for before in (None, task(TOMS, TaskUnassigned(JOB, "boss", NOON)), task(MINE, TaskReleased(JOB, "mia", NOON))):
        assert tasks.unassign(before, JOB, True, "boss", NOON) == []


# --- putting off ------------------------------------------------------------------------------------


def until(at: Any, by: str = "mia") -> TaskPutOff:
    return TaskPutOff(JOB, by, NOON, at)


def put_off(before: Task | None, at: Any = DUE, due: Any = DUE, by: str = "mia") -> Any:
    return tasks.put_off(before, until(at, by), due)


def test_work_is_put_off_until_it_is_due_at_most():
    assert put_off(None) == [until(DUE)]
    assert put_off(None, NOON + HOUR) == [until(NOON + HOUR)]
    for at in (DUE + HOUR, NOON, NOON - HOUR):
        with refused(PutOffOutOfBounds, "can be put off until", latest="2026-03-02T17:00:00+00:00"):
            put_off(None, at)


def test_what_is_due_already_is_put_off_for_thirty_days_at_most():
    assert put_off(None, NOON + 30 * DAY, due=NOON) == [until(NOON + 30 * DAY)]
    with refused(PutOffOutOfBounds, "until 2026-04-01", latest="2026-04-01T12:00:00+00:00"):
        put_off(None, NOON + 31 * DAY, due=NOON - DAY)


def test_it_is_put_off_to_another_time_or_back_into_the_queue_and_the_same_again_records_nothing():
    waits = task(until(DUE))
    assert put_off(waits) == []
    assert put_off(waits, NOON + HOUR) == [until(NOON + HOUR)]
    assert put_off(waits, None) == [until(None)]
    assert put_off(task(until(DUE), until(None)), None) == []
    assert put_off(None, None) == []


def test_what_another_has_is_not_put_off():
    with refused(WorkIsClaimed, "mia has hold-"):
        put_off(task(MINE), by="tom")


# --- comments ---------------------------------------------------------------------------------------


def said(digest: str = "d1", by: str = "mia", at: Any = NOON) -> TaskCommented:
    return TaskCommented(JOB, Sealed("key", b"box"), digest, by, at)


def test_the_same_comment_of_the_same_person_and_time_again_records_nothing():
    assert tasks.comment(None, said(), True) == [said()]
    before = task(said())
    assert tasks.comment(before, said(), True) == []
    for other in (said("d2"), said(by="tom"), said(at=NOON + HOUR)):
        assert tasks.comment(before, other, True) == [other]


def test_what_is_finished_or_gone_can_still_be_commented_on():
    assert tasks.comment(task(DONE), said(), True) == [said()]
    assert tasks.comment(task(MINE), said(), False) == [said()]


def test_the_rest_of_the_work_stays_as_it_is_whatever_is_said_of_it():
    whole = task(NIGHT, MINE, until(DUE), said())
    assert whole == Task(JOB, "mia", "night", NOON, DUE, (said(),))
    with pytest.raises(WorkIsFinished):
        tasks.claim(task(NIGHT, said(), DONE), JOB, True, "mia", NOON)
