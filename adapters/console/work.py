"""``fulfilment work``: the queue of what people have to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from adapters.console import words
from adapters.console.reports import LIMIT, print_rows, rows_of
from adapters.console.session import Nouns, Session, option_request_id
from adapters.console.words import minute, word
from fulfilment.v1 import work_pb2


@click.group(cls=Nouns)
def work() -> None:
    """See what there is to do, take it on, finish it."""


@work.command("list")
@click.option("--owner", type=words.choice(work_pb2.WorkOwner), help="Only for them.")
@click.option("--due-within", type=click.IntRange(min=0), metavar="HOURS", help="Only what is due by then.")
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
        _row,
        "Nothing to do.",
    )


def _row(each: work_pb2.Work) -> list[Any]:
    parcel = f"{each.carrier} {each.tracking_number}".strip()
    item = f"{each.supplier_id} {each.sku}".strip()
    return [
        minute(each, "due"),
        word(work_pb2.WorkOwner, each.owner),
        word(work_pb2.WorkKind, each.kind),
        each.supplier_order_id or each.order_id or parcel or item,
        each.reason.replace("_", " "),
        each.claimed_by,
        each.task_id,
    ]


@work.command()
@click.argument("task_id")
@option_request_id()
@click.pass_obj
def claim(session: Session, task_id: str, request_id: str | None) -> None:
    """Take a piece of work on, as --actor says."""
    request = work_pb2.ClaimWorkRequest(context=session.client.context(request_id), task_id=task_id)
    _say(session, session.client.call(session.client.work.ClaimWork, request), f"{session.actor} has {task_id}.")


@work.command()
@click.argument("task_id")
@click.option("--of", metavar="ACTOR", help="Whose claim it is, if it is another's.")
@option_request_id()
@click.pass_obj
def release(session: Session, task_id: str, of: str | None, request_id: str | None) -> None:
    """Give a piece of work back."""
    request = work_pb2.ReleaseWorkRequest(
        context=session.client.context(request_id), task_id=task_id, claimed_by=of or ""
    )
    _say(session, session.client.call(session.client.work.ReleaseWork, request), f"{task_id} waits for somebody.")


@work.command()
@click.argument("task_id")
@click.option("--outcome", default="done", show_default=True, help="What came of it, without personal data.")
@option_request_id()
@click.pass_obj
def finish(session: Session, task_id: str, outcome: str, request_id: str | None) -> None:
    """Finish a piece of work."""
    request = work_pb2.FinishWorkRequest(context=session.client.context(request_id), task_id=task_id, outcome=outcome)
    _say(session, session.client.call(session.client.work.FinishWork, request), f"{task_id} is finished: {outcome}.")


def _say(session: Session, receipt: Any, text: str) -> None:
    if session.json:
        session.out.json({"receipt": words.as_json(receipt)})
    else:
        session.out.say(text)
