"""``fulfilment order hold``, ``release`` and ``holds``: what makes orders wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from adapters.console.orders.standing import line_numbers, record
from adapters.console.terminal import words
from adapters.console.terminal.commands import Words, recording
from adapters.console.terminal.listings import CHANGED_AFTER, LIMIT, print_rows, rows_of
from adapters.console.terminal.past import OF_LISTS
from adapters.console.terminal.printer import Printer
from adapters.console.terminal.sentences import paths
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute, word
from fulfilment.v1 import orders_pb2, suppliers_pb2, tracking_pb2

_HOLDS = words.choice(orders_pb2.HoldReason)


@click.command(cls=Words)
@click.argument("order_id")
@click.argument("reason", type=_HOLDS)
@click.option("--owner", metavar="NAME", required=True, help="Who has to act: a team or a pseudonym.")
@click.option("--supplier-order", metavar="SUPPLIER_ORDER_ID", help="Only this supplier order waits.")
@click.option("--note", help="What to know about it; sealed.")
@recording("Since when")
def hold(
    session: Session,
    order_id: str,
    reason: str,
    owner: str,
    supplier_order: str,
    note: str,
    at: Any,
    request_id: str | None,
) -> None:
    """Make an order, or one of its supplier orders, wait."""
    request = orders_pb2.PlaceHoldRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        reason=words.number(orders_pb2.HoldReason, reason),
        owner=owner,
        supplier_order_id=supplier_order,
        note=note,
        at=at,
    )
    record(session, order_id, session.client.orders.PlaceHold, request)


@click.command(cls=Words)
@click.argument("order_id")
@click.argument("reason", type=_HOLDS)
@click.option("--owner", metavar="NAME", help="Only this owner's hold.")
@click.option("--supplier-order", metavar="SUPPLIER_ORDER_ID", help="The supplier order that waits.")
@recording()
def release(
    session: Session, order_id: str, reason: str, owner: str, supplier_order: str, at: Any, request_id: str | None
) -> None:
    """End the holds of a reason, or only an owner's; others stay."""
    request = orders_pb2.ReleaseHoldRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        reason=words.number(orders_pb2.HoldReason, reason),
        owner=owner,
        supplier_order_id=supplier_order,
        at=at,
    )
    record(session, order_id, session.client.orders.ReleaseHold, request)


@click.command(cls=Words)
@click.option("--reason", "reasons", type=_HOLDS, multiple=True, help="Only those for this reason.")
@click.option("--owner", metavar="NAME", help="Only those that this team or person has to end.")
@CHANGED_AFTER
@OF_LISTS
@LIMIT
@click.pass_obj
def holds(session: Session, reasons: tuple[str, ...], owner: str, limit: int | None) -> None:
    """List the holds that stand, the oldest first; `show --personal` tells their notes."""
    request = tracking_pb2.ListHoldsRequest(
        reasons=[words.number(orders_pb2.HoldReason, reason) for reason in reasons], owner=owner
    )
    print_rows(
        session,
        rows_of(session, session.client.reports.ListHolds, request, "holds"),
        limit,
        ["order", "hold", "owner", "since", "scope", "why"],
        lambda each: [each.order_id, *hold_cells(each.hold, line_numbers(session, each.order_id, each.hold.missing))],
        "Nothing is on hold.",
    )


def print_holds(out: Printer, order: orders_pb2.Order) -> None:
    columns = ["hold", "owner", "since", "scope", "why", "note"]
    numbers = [each.line.line_no for each in order.lines]
    out.table(columns, [[*hold_cells(hold, numbers), hold.note] for hold in order.holds])


def hold_cells(hold: orders_pb2.Hold, line_numbers: Sequence[int]) -> list[str]:
    """Why something waits, who has to end that, since when, and what waits; the order's lines by their numbers."""
    return [
        word(orders_pb2.HoldReason, hold.reason),
        hold.owner,
        minute(hold, "at"),
        hold.supplier_order_id or "whole order",
        "; ".join(_why(hold, line_numbers)),
    ]


def _why(hold: orders_pb2.Hold, line_numbers: Sequence[int]) -> list[str]:
    lacking = [f"{each.units} of line {each.line_no} lacking" for each in hold.lacking]
    missing = [paths(each, line_numbers=line_numbers) for each in hold.missing]
    return [*missing, *lacking, *map(_unserved, hold.choices)]


def _unserved(choice: suppliers_pb2.Choice) -> str:
    """Why nobody was chosen: ``tea: acme turned down, bolt out of stock``."""
    against = [f"{each.supplier_id} {word(suppliers_pb2.Against, each.against)}" for each in choice.considered]
    return f"{choice.sku}: {', '.join(against) or 'nobody offers it'}"
