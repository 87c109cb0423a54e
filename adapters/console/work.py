"""``fulfilment work``: the queue of what people have to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from adapters.console import words
from adapters.console.client import Command, Refused
from adapters.console.listings import LIMIT, print_rows, rows_of
from adapters.console.session import Nouns, Session, option_request_id
from adapters.console.words import minute, word
from fulfilment.v1 import work_pb2


@click.group(cls=Nouns)
def work() -> None:
    """See what there is to do, take it on, finish it."""


@work.command("list")
@click.option("--owner", type=words.choice(work_pb2.WorkOwner), help="Only for them.")
@click.option("--due-within", type=words.whole(0), metavar="HOURS", help="Only what is due by then.")
@click.option("--unclaimed", is_flag=True, help="Only what nobody has claimed.")
@click.option("--mine", is_flag=True, help="Only what you have claimed, as --actor says.")
@click.option("--order", "order_id", metavar="ORDER_ID", help="Only about this order.")
@LIMIT
@click.pass_obj
def list_work(
    session: Session,
    owner: str | None,
    due_within: int | None,
    unclaimed: bool,
    mine: bool,
    order_id: str,
    limit: int | None,
) -> None:
    """List what is not finished, the most urgent first."""
    request = work_pb2.ListWorkRequest(
        owner=words.number(work_pb2.WorkOwner, owner),
        unclaimed=unclaimed,
        claimed_by=session.actor if mine else "",
        order_id=order_id,
    )
    if due_within is not None:
        request.due_before.FromDatetime(datetime.now(UTC) + timedelta(hours=due_within))
    print_rows(
        session,
        rows_of(session, session.client.work.ListWork, request, "work"),
        limit,
        ["due", "for", "kind", "about", "why", "claimed by", "task"],
        lambda each: _row(each, session.time_zone),
        "Nothing to do.",
    )


def _row(each: work_pb2.Work, zone: str) -> list[Any]:
    parcel = f"{each.carrier} {each.tracking_number}".strip()
    item = f"{each.supplier_id} {each.sku}".strip()
    return [
        minute(each, "due", zone),
        word(work_pb2.WorkOwner, each.owner),
        word(work_pb2.WorkKind, each.kind),
        each.supplier_order_id or each.order_id or parcel or item,
        each.reason.replace("_", " "),
        each.claimed_by,
        each.task_id,
    ]


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
