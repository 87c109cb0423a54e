"""``fulfilment invoice``: invoices for customers, and the credit notes that cancel them."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.money.drawn_invoices import show_drawn
from adapters.console.terminal import words
from adapters.console.terminal.client import Command, Q
from adapters.console.terminal.commands import Nouns, recording
from adapters.console.terminal.listings import CHANGED_AFTER, LIMIT, print_rows, rows_of
from adapters.console.terminal.past import OF_LISTS, asked, past
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import money, word
from fulfilment.v1 import common_pb2, order_money_pb2
from fulfilment.v1 import customer_invoices_pb2 as pb


@click.group(cls=Nouns)
def invoice() -> None:
    """List and show customers' invoices, ask for one, cancel one by a credit note."""


@invoice.command("list")
@click.option("--order", "order_id", metavar="ORDER_ID", help="Only those of this order.")
@click.option("--year", type=words.whole(1), help="Only those of this year.")
@CHANGED_AFTER
@OF_LISTS
@LIMIT
@click.pass_obj
def list_(session: Session, order_id: str | None, year: int | None, limit: int | None) -> None:
    """List invoices by number."""
    request = pb.ListCustomerInvoicesRequest(order_id=order_id or "", year=year or 0)
    _print_list(session, request, limit)


def _print_list(session: Session, request: pb.ListCustomerInvoicesRequest, limit: int | None = None) -> None:
    print_rows(
        session,
        rows_of(session, session.client.customer_invoices.ListCustomerInvoices, request, "invoices"),
        limit,
        ["number", "order", "dated", ">total", "parcel", "cancelled by"],
        lambda each: [each.number, each.order_id, each.dated, _amount(each), each.parcel, each.credit_note.number],
        "No such invoices.",
    )


def _record(session: Session, rpc: Command[Q], request: Q) -> None:
    """Send a command about an order's invoices, and list them after it."""
    receipt = session.client.call(rpc, request)
    asked: Any = request
    _print_list(session, pb.ListCustomerInvoicesRequest(order_id=asked.order_id, at_least=receipt.position))


def _amount(each: pb.CustomerInvoice) -> str:
    return money(each.total.amount_minor, each.total.currency)


@invoice.command()
@click.argument("order_id")
@click.argument("number")
@click.option("--pdf", metavar="FILE", help="Write it there as PDF; of a cancelled one its credit note.")
@past
@click.pass_obj
def show(session: Session, order_id: str, number: str, pdf: str | None, as_of: common_pb2.AsOf | None, at: Any) -> None:
    """Show an invoice; it names the buyer, but not as of a moment."""
    request = pb.GetCustomerInvoiceRequest(
        order_id=order_id, number=number, with_pdf=pdf is not None, as_of=asked(as_of, at, pdf, "--pdf")
    )
    answer = session.client.call(session.client.customer_invoices.GetCustomerInvoice, request)
    show_drawn(session, answer, pdf, _print)


def _print(session: Session, found: pb.CustomerInvoice) -> None:
    currency, note = found.total.currency, found.credit_note
    session.out.title(f"Invoice {found.number}", "cancelled" if note.number else _amount(found))
    tax = f"{found.included_tax_basis_points / 100:g} %, {money(found.included_tax_minor, currency)}"
    session.out.facts(
        [
            ("order", found.order_id),
            ("dated", found.dated),
            ("seller", words.party(found.seller)),
            ("buyer", words.party(found.buyer)),
            ("parcel", found.parcel),
            ("contains tax", tax if found.included_tax_basis_points else ""),
            ("credit note", f"{note.number} on {note.dated} by {note.by}: {note.reason}" if note.number else ""),
        ]
    )
    session.out.blank()
    goods = [(each, money(each.amount_minor, currency)) for each in found.lines]
    rows = [[each.line_no, each.title or each.sku, each.units, cost] for each, cost in goods]
    rows += [["", _charge(each), "", money(each.amount_minor, currency)] for each in found.charges]
    session.out.table([">line", "goods", ">units", ">amount"], [*rows, ["", "total", "", _amount(found)]])


def _charge(charge: order_money_pb2.Charge) -> str:
    return charge.title or word(order_money_pb2.ChargeKind, charge.kind)


@invoice.command()
@click.argument("order_id")
@click.option("--name", help="Whom it is made out to, if that is not the customer.")
@click.option("--tax-id", help="What the tax office knows the buyer by.")
@click.option("--address", multiple=True, metavar="LINE", help="Street, town and country; once for each line.")
@click.option("--tax", "rate", type=click.FloatRange(0, 100), metavar="PERCENT", help="What the prices contain.")
@recording()
def request(session: Session, /, order_id: str, at: Any, request_id: str | None, **options: Any) -> None:
    """Ask for invoices for what is to leave, and for one for what has left and stands on none."""
    buyer = pb.InvoiceBuyer(name=options["name"], tax_id=options["tax_id"], address=options["address"])
    rate = round((options["rate"] or 0) * 100)
    asked = pb.RequestCustomerInvoiceRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        wish=pb.InvoiceWish(buyer=buyer if buyer.ByteSize() else None, included_tax_basis_points=rate),
        at=at,
    )
    _record(session, session.client.customer_invoices.RequestCustomerInvoice, asked)


@invoice.command()
@click.argument("order_id")
@click.argument("number")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stands on the credit note.")
@recording()
def credit(session: Session, order_id: str, number: str, reason: str, at: Any, request_id: str | None) -> None:
    """Cancel an invoice by a credit note."""
    context = session.client.context(request_id)
    asked = pb.IssueCreditNoteRequest(context=context, order_id=order_id, number=number, reason=reason, at=at)
    _record(session, session.client.customer_invoices.IssueCreditNote, asked)
