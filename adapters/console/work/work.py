"""``fulfilment work``: the queue of what people have to do, each with the command that does it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

import click

from adapters.console.terminal import words
from adapters.console.terminal.commands import Nouns
from adapters.console.terminal.listings import CHANGED_AFTER, LIMIT, SUPPLIER, ask, print_rows, rows_of
from adapters.console.terminal.past import AS_OF, OF_LISTS, asked
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute, word
from adapters.console.work import handling
from adapters.console.work.next_steps import command_of
from fulfilment.v1 import common_pb2, work_pb2

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


def filters(command: F) -> F:
    """The options that say which work is meant; they become one request."""
    options = (
        click.option("--owner", type=words.choice(work_pb2.WorkOwner), help="Only for them."),
        click.option("--kind", "kinds", multiple=True, type=words.choice(work_pb2.WorkKind), help="Only of this kind."),
        click.option("--due-within", type=words.whole(0), metavar="HOURS", help="Only what is due by then."),
        click.option("--unclaimed", is_flag=True, help="Only what nobody has."),
        click.option("--mine", is_flag=True, help="Only what you have, as --actor says."),
        click.option("--order", "order_id", metavar="ORDER_ID", help="Only about this order."),
        SUPPLIER,
        click.option("--team", metavar="NAME", help="Only what this team is to do."),
        click.option("--assignee", metavar="NAME", help="Only what this person has."),
        click.option("--put-off", is_flag=True, help="Only what is put off, which is left out otherwise."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def wanted(
    session: Session,
    /,
    owner: str | None,
    kinds: tuple[str, ...],
    due_within: int | None,
    unclaimed: bool,
    mine: bool,
    order_id: str,
    supplier: str,
    team: str,
    assignee: str,
    put_off: bool,
) -> work_pb2.ListWorkRequest:
    request = work_pb2.ListWorkRequest(
        owner=words.number(work_pb2.WorkOwner, owner),
        kinds=[words.number(work_pb2.WorkKind, kind) for kind in kinds],
        unclaimed=unclaimed,
        claimed_by=session.recorded_as if mine else assignee,
        team=team,
        put_off=put_off,
        order_id=order_id,
        supplier_id=supplier,
    )
    if due_within is not None:
        request.due_before.FromDatetime(datetime.now(UTC) + timedelta(hours=due_within))
    return request


@work.command("next")
@filters
@click.option("--limit", type=words.whole(1), default=_FIRST, show_default=True, help="How many.")
@click.pass_obj
def next_work(session: Session, /, limit: int, **which: Any) -> None:
    """Show what is next, what is overdue first, each with the command that does it.

    What stands in capitals in a command is for you to say.
    """
    _show_next(session, wanted(session, **which), limit)


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
    session.out.title(f"{word(work_pb2.WorkKind, each.kind)} {_about(each)}", f"{_why(each)}  ({_whose(each)})")
    left = each.due.ToDatetime(tzinfo=UTC) - datetime.now(UTC)
    when = f"{words.span(left)} overdue" if left < timedelta() else f"in {words.span(left)}"
    comments = "a comment" if each.comments == 1 else f"{each.comments} comments"
    said = f"; {comments}, see work show" if each.comments else ""
    session.out.say(f"due {minute(each, 'due', session.time_zone)}, {when}{_put_off(session, each)}{said}", indent=2)
    session.out.command(command_of(session, each.next))
    session.out.say(each.task_id, style="dim", indent=2)


def _whose(each: work_pb2.Work) -> str:
    if each.claimed_by:
        return f"{each.claimed_by} has it"
    return f"for {each.team}" if each.team else f"for {word(work_pb2.WorkOwner, each.owner)}"


def _put_off(session: Session, each: work_pb2.Work) -> str:
    """Only while it is out of the queue."""
    until = words.at(each, "put_off_until")
    if until is None or until <= datetime.now(UTC):
        return ""
    return f"; put off until {words.to_minute(until, session.time_zone)}"


def _about(each: work_pb2.Work) -> str:
    """What it is about, in the words that its commands take."""
    parcel = f"{each.carrier} {each.tracking_number}".strip()
    item = f"{each.supplier_id} {each.sku}".strip()
    orders = " and ".join((each.order_id, *each.further_order_ids))
    several = each.further_order_ids and f"{orders} in {parcel}"
    return several or each.supplier_order_id or each.order_id or parcel or item


def _why(each: work_pb2.Work) -> str:
    return each.reason.replace("_", " ")


@work.command("list")
@filters
@CHANGED_AFTER
@OF_LISTS
@LIMIT
@click.pass_obj
def list_work(session: Session, /, limit: int | None, **which: Any) -> None:
    """List what is not finished, the most urgent first."""
    print_rows(
        session,
        rows_of(session, session.client.work.ListWork, wanted(session, **which), "work"),
        limit,
        ["due", "for", "kind", "about", "why", "team", "claimed by", "put off until", "task"],
        lambda each: [
            minute(each, "due", session.time_zone),
            word(work_pb2.WorkOwner, each.owner),
            word(work_pb2.WorkKind, each.kind),
            _about(each),
            _why(each),
            each.team,
            each.claimed_by,
            minute(each, "put_off_until", session.time_zone) if which["put_off"] else "",
            each.task_id,
        ],
        "Nothing to do.",
    )


@work.command()
@filters
@click.pass_obj
def count(session: Session, /, **which: Any) -> None:
    """Count what is not finished, by kind and by whom it is for."""
    request = work_pb2.CountWorkRequest(matching=wanted(session, **which))
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


@work.command()
@handling.TASK
@click.option("--personal", is_flag=True, help="What the comments and the outcome say too.")
@AS_OF
@click.pass_obj
def show(session: Session, task_id: str, personal: bool, as_of: common_pb2.AsOf | None) -> None:
    """Show one piece of work, what was said of it, and what came of it."""
    found = handling.read(session, task_id, personal, asked(as_of, None, personal))
    if session.json:
        session.show(found)
        return
    if found.HasField("work"):
        _show_one(session, found.work)
    else:
        session.out.title(task_id, "its reason is gone")
    if found.HasField("finished"):
        last = found.finished
        session.out.say(
            f"finished {minute(last, 'at', session.time_zone)} by {last.by}{': ' * bool(last.outcome)}{last.outcome}",
            indent=2,
        )
    for each in found.comments:
        text = each.comment or ("erased" if personal else "--personal shows it")
        session.out.say(f"{minute(each, 'at', session.time_zone)} {each.by}: {text}", indent=2)


@work.command("finish-all")
@filters
@handling.OUTCOME
@click.option("--even-if-standing", is_flag=True, help="Also what would end by itself once its reason is gone.")
@click.option("--dry-run", is_flag=True, help="List them, and finish none.")
@click.pass_obj
def finish_all(session: Session, /, outcome: str, even_if_standing: bool, dry_run: bool, **which: Any) -> int:
    """Finish all work of a kind, about an order, for a team: at least one option says which.

    What ends by itself is left, and named with the command that does it: finished, it would be out of the queue and
    still to be done. A second run finishes what has come up meanwhile.
    """
    if not any(which.values()):
        raise click.UsageError("say which work: all of it is seldom meant")
    found = list(rows_of(session, session.client.work.ListWork, wanted(session, **which), "work"))
    left = [] if even_if_standing else [each for each in found if handling.stands(each)]
    ending = [each for each in found if each not in left]
    if not dry_run:
        code = handling.finish_many(session, [each.task_id for each in ending], outcome, left)
    else:
        code = 0
        _show_ending(session, ending)
    if left and not session.json:
        _show_left(session, left)
    return 1 if left else code


def _show_ending(session: Session, ending: list[work_pb2.Work]) -> None:
    if session.json:
        session.out.json([words.as_json(each) for each in ending])
        return
    session.out.table(["kind", "about", "why", "task"], [_row(each) for each in ending], "Nothing to finish.")
    session.out.say(f"{len(ending):,} would be finished.")


def _show_left(session: Session, left: list[work_pb2.Work]) -> None:
    session.out.say(f"{len(left):,} left, because what they are about still stands:")
    for each in left[:_FIRST]:
        session.out.say(f"{word(work_pb2.WorkKind, each.kind)} {_about(each)}: {_why(each)}", indent=2)
        session.out.command(command_of(session, each.next))
    if len(left) > _FIRST:
        session.out.say(f"... and {len(left) - _FIRST:,} more, as work list shows them.", indent=2)
    session.out.say("Do them, or say --even-if-standing to finish them all the same.")


def _row(each: work_pb2.Work) -> list[str]:
    return [word(work_pb2.WorkKind, each.kind), _about(each), _why(each), each.task_id]


for command in handling.COMMANDS:
    work.add_command(command)
