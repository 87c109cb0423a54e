"""``fulfilment work``: the queue of what people have to do, each with the command that does it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

import click

from adapters.console import words
from adapters.console.client import Command, Refused
from adapters.console.listings import LIMIT, SUPPLIER, ask, print_rows, rows_of
from adapters.console.next_steps import command_of
from adapters.console.session import Nouns, Session, option_request_id
from adapters.console.words import minute, word
from fulfilment.v1 import work_pb2

F = TypeVar("F", bound=Callable[..., Any])

_FIRST = 10
"""How many pieces of work somebody sees who asks what is next."""


@click.group(cls=Nouns, invoke_without_command=True)
@click.pass_context
def work(context: click.Context) -> None:
    """See what there is to do and how, take it on, finish it.

    Alone it shows what is next, as work next does.
    """
    if context.invoked_subcommand is None:
        _show_next(context.obj, work_pb2.ListWorkRequest(), _FIRST)


def _filters(command: F) -> F:
    """The options that say which work is meant; they become one request."""
    options = (
        click.option("--owner", type=words.choice(work_pb2.WorkOwner), help="Only for them."),
        click.option("--kind", "kinds", multiple=True, type=words.choice(work_pb2.WorkKind), help="Only of this kind."),
        click.option("--due-within", type=words.whole(0), metavar="HOURS", help="Only what is due by then."),
        click.option("--unclaimed", is_flag=True, help="Only what nobody has."),
        click.option("--mine", is_flag=True, help="Only what you have, as --actor says."),
        click.option("--order", "order_id", metavar="ORDER_ID", help="Only about this order."),
        SUPPLIER,
    )
    for option in reversed(options):
        command = option(command)
    return command


def _wanted(
    session: Session,
    /,
    owner: str | None,
    kinds: tuple[str, ...],
    due_within: int | None,
    unclaimed: bool,
    mine: bool,
    order_id: str,
    supplier: str,
) -> work_pb2.ListWorkRequest:
    request = work_pb2.ListWorkRequest(
        owner=words.number(work_pb2.WorkOwner, owner),
        kinds=[words.number(work_pb2.WorkKind, kind) for kind in kinds],
        unclaimed=unclaimed,
        claimed_by=session.actor if mine else "",
        order_id=order_id,
        supplier_id=supplier,
    )
    if due_within is not None:
        request.due_before.FromDatetime(datetime.now(UTC) + timedelta(hours=due_within))
    return request


@work.command("next")
@_filters
@click.option("--limit", type=words.whole(1), default=_FIRST, show_default=True, help="How many.")
@click.pass_obj
def next_work(session: Session, /, limit: int, **filters: Any) -> None:
    """Show what is next, what is overdue first, each with the command that does it.

    What stands in capitals in a command is for you to say.
    """
    _show_next(session, _wanted(session, **filters), limit)


def _show_next(session: Session, request: work_pb2.ListWorkRequest, limit: int) -> None:
    found = list(islice(rows_of(session, session.client.work.ListWork, request, "work"), limit + 1))
    if session.json:
        listed = [{**words.as_json(each), "command": command_of(session, each.next)} for each in found[:limit]]
        session.out.json(listed)
        return
    if not found:
        session.out.say("Nothing to do.", style="dim")
    for number, each in enumerate(found[:limit]):
        if number:
            session.out.blank()
        _show_one(session, each)
    if len(found) > limit:
        session.out.blank()
        session.out.say("... and more; work count says how many, work list lists them.", style="dim")


def _show_one(session: Session, each: work_pb2.Work) -> None:
    who = f"{each.claimed_by} has it" if each.claimed_by else f"for {word(work_pb2.WorkOwner, each.owner)}"
    session.out.title(f"{word(work_pb2.WorkKind, each.kind)} {_about(each)}", f"{_why(each)}  ({who})")
    left = each.due.ToDatetime(tzinfo=UTC) - datetime.now(UTC)
    when = f"{words.span(left)} overdue" if left < timedelta() else f"in {words.span(left)}"
    session.out.say(f"due {minute(each, 'due', session.time_zone)}, {when}", indent=2)
    session.out.command(command_of(session, each.next))
    session.out.say(each.task_id, style="dim", indent=2)


def _about(each: work_pb2.Work) -> str:
    """What it is about, in the words that its commands take."""
    parcel = f"{each.carrier} {each.tracking_number}".strip()
    item = f"{each.supplier_id} {each.sku}".strip()
    return each.supplier_order_id or each.order_id or parcel or item


def _why(each: work_pb2.Work) -> str:
    return each.reason.replace("_", " ")


@work.command("list")
@_filters
@LIMIT
@click.pass_obj
def list_work(session: Session, /, limit: int | None, **filters: Any) -> None:
    """List what is not finished, the most urgent first."""
    print_rows(
        session,
        rows_of(session, session.client.work.ListWork, _wanted(session, **filters), "work"),
        limit,
        ["due", "for", "kind", "about", "why", "claimed by", "task"],
        lambda each: [
            minute(each, "due", session.time_zone),
            word(work_pb2.WorkOwner, each.owner),
            word(work_pb2.WorkKind, each.kind),
            _about(each),
            _why(each),
            each.claimed_by,
            each.task_id,
        ],
        "Nothing to do.",
    )


@work.command()
@_filters
@click.pass_obj
def count(session: Session, /, **filters: Any) -> None:
    """Count what is not finished, by kind and by whom it is for."""
    request = work_pb2.CountWorkRequest(matching=_wanted(session, **filters))
    answer = ask(session, session.client.work.CountWork, request)
    if session.json:
        session.out.json([words.as_json(each) for each in answer.counts])
        return
    session.out.table(
        ["kind", "for", ">pieces", ">overdue", ">unclaimed", "first due"],
        [
            [
                word(work_pb2.WorkKind, each.kind),
                word(work_pb2.WorkOwner, each.owner),
                each.pieces,
                each.overdue or None,
                each.unclaimed or None,
                minute(each, "first_due", session.time_zone),
            ]
            for each in answer.counts
        ],
        "Nothing to do.",
    )


# --- what one does with it ------------------------------------------------------------------------

_TASK = click.argument("task_id", metavar="TASK")


W = TypeVar("W", work_pb2.ClaimWorkRequest, work_pb2.ReleaseWorkRequest, work_pb2.FinishWorkRequest)


def _record(
    session: Session, rpc: Command[W], request: W, request_id: str | None, stands: Callable[[str], str]
) -> None:
    """One command about a piece of work, which its whole id names or the beginning that only its id has."""
    client, begin = session.client, request.task_id
    request.context.CopyFrom(client.context(request_id))
    try:
        receipt = client.call(rpc, request)
    except Refused as refused:
        if refused.reason != "UNKNOWN_WORK":
            raise
        listed = rows_of(session, client.work.ListWork, work_pb2.ListWorkRequest(), "work")
        begun = [each.task_id for each in listed if each.task_id.startswith(begin)]
        if len(begun) > 1:
            raise click.UsageError(f"{len(begun)} tasks begin with {begin!r}; say more of it") from None
        if not begun:
            raise
        request.task_id = begun[0]
        # What was refused stays refused under its own request id.
        request.context.request_id += "/whole"
        receipt = client.call(rpc, request)
    if session.json:
        session.out.json({"receipt": words.as_json(receipt), "task_id": request.task_id})
    else:
        session.out.say(stands(request.task_id))


@work.command()
@_TASK
@option_request_id()
@click.pass_obj
def claim(session: Session, task_id: str, request_id: str | None) -> None:
    """Take a piece of work on, as --actor says.

    The beginning of TASK is enough where no other task begins so: hold-shop/1001.
    """
    request = work_pb2.ClaimWorkRequest(task_id=task_id)
    _record(session, session.client.work.ClaimWork, request, request_id, lambda task: f"{session.actor} has {task}.")


@work.command()
@_TASK
@click.option("--claimed-by", metavar="ACTOR", help="Whose claim it is, if it is another's.")
@option_request_id()
@click.pass_obj
def release(session: Session, task_id: str, claimed_by: str, request_id: str | None) -> None:
    """Give a piece of work back."""
    request = work_pb2.ReleaseWorkRequest(task_id=task_id, claimed_by=claimed_by)
    _record(session, session.client.work.ReleaseWork, request, request_id, lambda task: f"{task} waits for somebody.")


@work.command()
@_TASK
@click.option("--outcome", default="done", show_default=True, help="What came of it, without personal data.")
@option_request_id()
@click.pass_obj
def finish(session: Session, task_id: str, outcome: str, request_id: str | None) -> None:
    """Finish a piece of work."""
    request = work_pb2.FinishWorkRequest(task_id=task_id, outcome=outcome)
    _record(
        session, session.client.work.FinishWork, request, request_id, lambda task: f"{task} is finished: {outcome}."
    )
