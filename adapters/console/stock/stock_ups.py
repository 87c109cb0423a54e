"""``fulfilment stock up``: what suppliers are to have ready before a peak, and whether it is there."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.terminal import words
from adapters.console.terminal.client import Command, Q
from adapters.console.terminal.commands import Nouns, recording
from adapters.console.terminal.listings import CHANGED_AFTER, LIMIT, SUPPLIER, print_rows, rows_of
from adapters.console.terminal.past import OF_LISTS, asked, past
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute, word
from fulfilment.v1 import common_pb2
from fulfilment.v1 import stock_ups_pb2 as pb


@click.group(cls=Nouns)
def up() -> None:
    """Ask suppliers to stock up before a peak, record their answers, see whether they kept them."""


def _read(session: Session, stock_up_id: str, at_least: int = 0, as_of: common_pb2.AsOf | None = None) -> pb.StockUp:
    request = pb.GetStockUpRequest(stock_up_id=stock_up_id, at_least=at_least, as_of=as_of)
    return session.client.call(session.client.stock_ups.GetStockUp, request).stock_up


def _record(session: Session, rpc: Command[Q], request: Q) -> None:
    receipt = session.client.call(rpc, request)
    asked: Any = request
    after = _read(session, asked.stock_up_id, receipt.position)
    session.print_result(receipt, f"Stock-up {after.stock_up_id}", after, _stands(after))


def _stands(each: pb.StockUp) -> str:
    state = word(pb.StockUpState, each.state)
    if each.state == pb.STOCK_UP_STATE_ASKED:
        due = minute(each, "answer_by")
        return state + (f", {each.supplier_id} answers by {due}" if due else "")
    missed = ", the answer was missed" if each.answer_missed else ""
    shown = f", {each.shown} were there on {minute(each, 'shown_at')}" if each.HasField("shown_at") else ""
    return f"{state}, {each.secured} of {each.units}{shown}{missed}"


@up.command()
@click.argument("supplier_id")
@click.argument("sku", required=False)
@click.option("--until", type=words.INSTANT, required=True, help="Until when it is to last.")
@click.option(
    "--growth", type=words.whole(1), default=100, show_default=True, metavar="PERCENT", help="Of today's demand."
)
@LIMIT
@click.pass_obj
def propose(session: Session, supplier_id: str, sku: str, until: Any, growth: int, limit: int | None) -> None:
    """Propose how many units to ask for: what is sold until then if demand grows so."""
    request = pb.ProposeStockUpsRequest(supplier_id=supplier_id, sku=sku, until=until, growth_basis_points=growth * 100)
    print_rows(
        session,
        rows_of(session, session.client.stock_ups.ProposeStockUps, request, "proposals"),
        limit,
        ["sku", ">units", ">demand", ">of days", ">available"],
        lambda each: [each.sku, each.units, each.demand, each.window_days, each.available],
        "Nothing of it was sold in these days.",
    )


@up.command()
@click.argument("stock_up_id")
@click.argument("supplier_id")
@click.argument("sku")
@click.argument("units", type=words.whole(1))
@click.option("--until", type=words.INSTANT, required=True, help="Until when they are expected to be sold.")
@click.option("--answer-by", type=words.INSTANT, help="By when it is to answer; by its agreement if not said.")
@recording("When it was asked")
def ask(session: Session, /, stock_up_id: str, request_id: str | None, **options: Any) -> None:
    """Ask a supplier to have units ready; it gets a message."""
    request = pb.AskStockUpRequest(context=session.client.context(request_id), stock_up_id=stock_up_id, **options)
    _record(session, session.client.stock_ups.AskStockUp, request)


@up.command()
@click.argument("stock_up_id")
@click.argument("units", type=words.whole(0))
@click.option("--since", type=words.INSTANT, help="From when on they are there.")
@recording("When it answered")
def answer(session: Session, stock_up_id: str, units: int, since: Any, at: Any, request_id: str | None) -> None:
    """Record how many units the supplier secures; 0 if it has none."""
    request = pb.AnswerStockUpRequest(
        context=session.client.context(request_id), stock_up_id=stock_up_id, units=units, since=since, at=at
    )
    _record(session, session.client.stock_ups.AnswerStockUp, request)


@up.command()
@click.argument("stock_up_id")
@click.option("--reason", metavar="TEXT", help="Why.")
@recording()
def withdraw(session: Session, stock_up_id: str, reason: str, at: Any, request_id: str | None) -> None:
    """Record that nothing is asked any more."""
    request = pb.WithdrawStockUpRequest(
        context=session.client.context(request_id), stock_up_id=stock_up_id, reason=reason, at=at
    )
    _record(session, session.client.stock_ups.WithdrawStockUp, request)


@up.command()
@click.argument("stock_up_id")
@past
@click.pass_obj
def show(session: Session, stock_up_id: str, as_of: common_pb2.AsOf | None, at: Any) -> None:
    """Show what was asked, what is secured, and what feeds showed."""
    found = _read(session, stock_up_id, as_of=asked(as_of, at))
    if session.json:
        session.show(found)
        return
    session.out.title(f"Stock-up {stock_up_id}", _stands(found))
    session.out.facts(
        [
            ("supplier", found.supplier_id),
            ("sku", found.sku),
            ("asked", f"{found.units} until {minute(found, 'until')}, on {minute(found, 'asked_at')}"),
            ("answered", minute(found, "answered_at")),
            ("secured", f"{found.secured} from {minute(found, 'since')}" if found.secured else ""),
        ]
    )


@up.command("list")
@SUPPLIER
@click.option("--sku", metavar="SKU", help="Only this SKU.")
@click.option("--state", "states", multiple=True, type=words.choice(pb.StockUpState), help="How far they are.")
@CHANGED_AFTER
@OF_LISTS
@LIMIT
@click.pass_obj
def list_(session: Session, supplier: str, sku: str, states: tuple[str, ...], limit: int | None) -> None:
    """List what suppliers were asked to have ready, by when it ends."""
    request = pb.ListStockUpsRequest(
        supplier_id=supplier, sku=sku, states=[words.number(pb.StockUpState, state) for state in states]
    )
    print_rows(
        session,
        rows_of(session, session.client.stock_ups.ListStockUps, request, "stock_ups"),
        limit,
        ["stock-up", "supplier", "sku", ">units", "until", "state", "answer by", ">secured", "from", ">shown"],
        lambda each: [
            each.stock_up_id,
            each.supplier_id,
            each.sku,
            each.units,
            minute(each, "until"),
            word(pb.StockUpState, each.state),
            minute(each, "answer_by"),
            each.secured or "",
            minute(each, "since"),
            each.shown if each.HasField("shown_at") else "",
        ],
        "Nothing was asked.",
    )
