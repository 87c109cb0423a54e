"""``fulfilment work claim``, ``assign``, ``put-off``, ``finish`` and the like: what one does with a piece of work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from adapters.console.terminal import words
from adapters.console.terminal.batches import Bar, batches
from adapters.console.terminal.client import Command, RequestRefused
from adapters.console.terminal.commands import Words, option_request_id, recording
from adapters.console.terminal.listings import ask_as_of, head, rows_of
from adapters.console.terminal.session import Session
from adapters.console.work.next_steps import command_of
from fulfilment.v1 import batch_pb2, common_pb2, work_pb2

TASK = click.argument("task_id", metavar="TASK")
OUTCOME = click.option("--outcome", default="done", show_default=True, help="What came of it.")

_BATCH_SECONDS = 60.0

R = TypeVar("R")


def _record(
    session: Session, rpc: Command[Any], request: Any, request_id: str | None, stands: Callable[[str], str]
) -> None:
    """One command about a piece of work, which its whole id names or the beginning that only its id has."""
    request.context.CopyFrom(session.client.context(request_id))

    def send(task_id: str, part: str) -> Any:
        request.task_id = task_id
        # What was refused stays refused under its own request id.
        request.context.request_id += part
        return session.client.call(rpc, request)

    receipt = _whole(session, request.task_id, send)
    if session.json:
        session.out.json({"receipt": words.as_json(receipt), "task_id": request.task_id})
    else:
        session.out.say(stands(request.task_id))


def _whole(session: Session, begin: str, ask: Callable[[str, str], R]) -> R:
    """The answer about the task of this id, or of the only id that begins so."""
    try:
        return ask(begin, "")
    except RequestRefused as refused:
        if refused.reason != "UNKNOWN_WORK":
            raise
        begun = [
            each.task_id
            for put_off in (False, True)
            for each in rows_of(
                session, session.client.work.ListWork, work_pb2.ListWorkRequest(put_off=put_off), "work"
            )
            if each.task_id.startswith(begin)
        ]
        if len(begun) > 1:
            raise click.UsageError(f"{len(begun)} tasks begin with {begin!r}; say more of it") from None
        if not begun:
            raise
        return ask(begun[0], "/whole")


def read(
    session: Session, begin: str, personal: bool, as_of: common_pb2.AsOf | None = None
) -> work_pb2.GetWorkResponse:
    """A piece of work, by its id or the beginning of it."""
    at_least = head(session) if as_of is None else 0

    def get(task_id: str, _: str) -> work_pb2.GetWorkResponse:
        request = work_pb2.GetWorkRequest(task_id=task_id, with_personal_data=personal, at_least=at_least, as_of=as_of)
        return ask_as_of(session, session.client.work.GetWork, request)

    return _whole(session, begin, get)


@click.command(cls=Words)
@TASK
@option_request_id()
@click.pass_obj
def claim(session: Session, task_id: str, request_id: str | None) -> None:
    """Take a piece of work on, as --actor says.

    The beginning of TASK is enough where no other task begins so: hold-shop/1001.
    """
    request = work_pb2.ClaimWorkRequest(task_id=task_id)
    _record(
        session, session.client.work.ClaimWork, request, request_id, lambda task: f"{session.recorded_as} has {task}."
    )


@click.command(cls=Words)
@TASK
@click.option("--claimed-by", metavar="ACTOR", help="Whose claim it is, if it is another's.")
@option_request_id()
@click.pass_obj
def release(session: Session, task_id: str, claimed_by: str, request_id: str | None) -> None:
    """Give a piece of work back."""
    request = work_pb2.ReleaseWorkRequest(task_id=task_id, claimed_by=claimed_by)
    _record(session, session.client.work.ReleaseWork, request, request_id, lambda task: f"{task} waits for somebody.")


@click.command(cls=Words)
@TASK
@click.argument("person", required=False)
@click.option("--team", metavar="NAME", help="A team is to do it.")
@option_request_id()
@click.pass_obj
def assign(session: Session, task_id: str, person: str | None, team: str | None, request_id: str | None) -> None:
    """Say who is to do it, a person, a team or both, whoever has it now."""
    request = work_pb2.AssignWorkRequest(task_id=task_id, person=person or "", team=team or "")
    who = " of ".join(filter(None, [person, team]))
    _record(session, session.client.work.AssignWork, request, request_id, lambda task: f"{task} is for {who}.")


@click.command(cls=Words)
@TASK
@option_request_id()
@click.pass_obj
def unassign(session: Session, task_id: str, request_id: str | None) -> None:
    """Say that nobody in particular is to do it."""
    request = work_pb2.UnassignWorkRequest(task_id=task_id)
    _record(session, session.client.work.UnassignWork, request, request_id, lambda task: f"{task} is for anybody.")


@click.command("put-off", cls=Words)
@TASK
@click.option("--until", type=words.INSTANT, help="When it is back in the queue.")
@click.option("--for", "hours", type=words.whole(1), metavar="HOURS", help="How long it is out of the queue.")
@option_request_id()
@click.pass_obj
def put_off(session: Session, task_id: str, until: Any, hours: int | None, request_id: str | None) -> None:
    """Take it out of the queue until a time; without one it is back at once.

    It is back when it is due. What is due already waits 30 days at most.
    """
    if until is not None and hours is not None:
        raise click.UsageError("say --until or --for, not both")
    request = work_pb2.PutOffWorkRequest(task_id=task_id, until=until)
    if hours is not None:
        request.until.FromDatetime(datetime.now(UTC) + timedelta(hours=hours))
    when = words.minute(request, "until", session.time_zone)
    stands = f"is put off until {when}" if when else "is back in the queue"
    _record(session, session.client.work.PutOffWork, request, request_id, lambda task: f"{task} {stands}.")


@click.command(cls=Words)
@TASK
@click.argument("text")
@recording("When it was written")
def comment(session: Session, task_id: str, text: str, at: Any, request_id: str | None) -> None:
    """Write down what the next one should know; sealed, as a note of the order is."""
    request = work_pb2.CommentOnWorkRequest(task_id=task_id, comment=text, at=at)
    _record(session, session.client.work.CommentOnWork, request, request_id, lambda task: f"{task} has a comment more.")


@click.command(cls=Words)
@click.argument("task_ids", metavar="TASK...", nargs=-1, required=True)
@OUTCOME
@option_request_id()
@click.pass_obj
def finish(session: Session, task_ids: tuple[str, ...], outcome: str, request_id: str | None) -> int:
    """Finish a piece of work, or several by their whole ids.

    It is out of the queue then. What it is about is not done by that: where it still stands, its command is named.
    """
    if len(task_ids) > 1:
        return finish_many(session, task_ids, outcome)
    request = work_pb2.FinishWorkRequest(task_id=task_ids[0], outcome=outcome)

    def said(task_id: str) -> str:
        found = read(session, task_id, personal=False).work
        still = f"\nIt still stands: {command_of(session, found.next)}" if stands(found) else ""
        return f"{task_id} is finished: {outcome}.{still}"

    _record(session, session.client.work.FinishWork, request, request_id, said)
    return 0


def stands(each: work_pb2.Work) -> bool:
    """Whether there is a command that ends it, so that it needs not be finished."""
    return each.next.rpc not in ("", "WorkService.FinishWork")


def finish_many(session: Session, task_ids: Sequence[str], outcome: str, left: Sequence[work_pb2.Work] = ()) -> int:
    """Finish them in batches and say of each what came of it; the exit code is 1 if any was not finished.

    ``left`` is what was not to be finished, for programs to read.
    """
    answers: list[tuple[str, batch_pb2.BatchOutcome]] = []
    with Bar(session) as bar:
        bar.begin("tasks", len(task_ids))
        for _, commands in batches([_finishing(session, task_id, outcome)] for task_id in task_ids):
            request = batch_pb2.ExecuteBatchRequest(commands=commands)
            outcomes = session.client.call(session.client.batch.ExecuteBatch, request, _BATCH_SECONDS).outcomes
            answers += zip((each.finish_work.task_id for each in commands), outcomes, strict=True)
            bar.advance(len(commands))
    refused = [(task_id, answer.refusal) for task_id, answer in answers if answer.HasField("refusal")]
    if session.json:
        standing = [{"task_id": each.task_id, "still_stands": command_of(session, each.next)} for each in left]
        session.out.json([*({"task_id": task_id, **words.as_json(answer)} for task_id, answer in answers), *standing])
        return 1 if refused else 0
    session.out.say(f"{len(answers) - len(refused):,} finished: {outcome}. {len(refused):,} not.")
    for task_id, refusal in refused:
        session.out.say(f"{task_id}: {refusal.message} [{refusal.reason}]")
    return 1 if refused else 0


def _finishing(session: Session, task_id: str, outcome: str) -> batch_pb2.BatchCommand:
    request = work_pb2.FinishWorkRequest(context=session.client.context(), task_id=task_id, outcome=outcome)
    return batch_pb2.BatchCommand(finish_work=request)


COMMANDS = (claim, release, assign, unassign, put_off, comment, finish)
