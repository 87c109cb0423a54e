"""``fulfilment supplier invoice``: what suppliers ask for their goods, what of it is right, and what was paid."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.money.supplier_invoice_page import list_invoices, read_invoice, record_about, show
from adapters.console.terminal import files, words
from adapters.console.terminal.commands import Nouns, option_request_id, recording
from adapters.console.terminal.session import Session
from fulfilment.v1 import common_pb2
from fulfilment.v1 import supplier_invoices_pb2 as pb


@click.group(cls=Nouns)
def invoice() -> None:
    """Record what a supplier asks, compare, approve or dispute it, record what was paid."""


@invoice.command()
@click.argument("supplier_id", required=False)
@click.argument("number", required=False)
@click.option("--dated", metavar="DAY", help="The day that stands on it, such as 2026-03-31.")
@click.option("--currency", metavar="CODE", help="Such as CNY.")
@click.option(
    "--line",
    "lines",
    multiple=True,
    metavar="SUPPLIER_ORDER_ID:LINE|SKU:UNITS:AMOUNT",
    help="Units and what they cost together, such as shop/1001/1:1:3:7.50.",
)
@click.option(
    "--charge", "charges", multiple=True, metavar="KIND:AMOUNT", help="Such as freight:4.00 or discount:2.00."
)
@click.option("--total", metavar="AMOUNT", help="What stands below it, to be compared.")
@click.option("--pay-by", metavar="DAY", help="By when it is to be paid.")
@click.option(
    "--file",
    "source",
    metavar="FILE",
    help="The whole invoice as protobuf JSON of RecordSupplierInvoiceRequest; - reads standard input.",
)
@recording("When it came")
def record(session: Session, /, source: Any, request_id: str | None, **options: Any) -> None:
    """Record an invoice and compare it with what was ordered, at which cost, and what has left."""
    if source is not None:
        if any(options.values()):
            raise click.UsageError("--file brings the whole invoice; leave the arguments and other options out.")
        request = files.message(source, pb.RecordSupplierInvoiceRequest)
    else:
        request = _from_options(options)
    session.identify(request.context, request_id)
    record_about(session, session.client.supplier_invoices.RecordSupplierInvoice, request)


def _from_options(options: dict[str, Any]) -> pb.RecordSupplierInvoiceRequest:
    if not (options["supplier_id"] and options["number"] and options["currency"]):
        raise click.UsageError("Name SUPPLIER_ID, NUMBER and --currency, or give the whole invoice with --file.")
    currency = options["currency"].upper()
    return pb.RecordSupplierInvoiceRequest(
        supplier_id=options["supplier_id"],
        number=options["number"],
        dated=options["dated"],
        currency=currency,
        lines=[_line(text, currency) for text in options["lines"]],
        charges=[_charge(text, currency) for text in options["charges"]],
        total_minor=words.amount_minor(options["total"], currency) if options["total"] else None,
        pay_by=options["pay_by"],
        at=options["at"],
    )


def _line(text: str, currency: str) -> pb.SupplierInvoiceLine:
    parts = text.rsplit(":", 3)
    if len(parts) != 4:
        shape = "SUPPLIER_ORDER_ID:LINE:UNITS:AMOUNT such as shop/1001/1:1:3:7.50"
        raise click.BadParameter(f"{text!r} is not {shape}", param_hint="--line")
    supplier_order_id, which, units, amount = parts
    return pb.SupplierInvoiceLine(
        supplier_order_id=supplier_order_id,
        line_no=words.fitting(which, "--line") if which.isdigit() else 0,
        sku="" if which.isdigit() else which,
        units=words.fitting(units, "--line"),
        amount_minor=words.amount_minor(amount, currency),
    )


def _charge(text: str, currency: str) -> pb.SupplierInvoiceCharge:
    kind, _, amount = text.partition(":")
    number = words.number(pb.SupplierChargeKind, kind)
    if not (number and amount):
        kinds = ", ".join(words.choice(pb.SupplierChargeKind).choices)
        raise click.BadParameter(f"{text!r} is not KIND:AMOUNT, where KIND is one of {kinds}", param_hint="--charge")
    sign = -1 if number == pb.SUPPLIER_CHARGE_KIND_DISCOUNT else 1
    return pb.SupplierInvoiceCharge(kind=number, amount_minor=sign * words.amount_minor(amount, currency))


@invoice.command("match")
@click.argument("supplier_id")
@click.argument("number")
@option_request_id()
@click.pass_obj
def match_(session: Session, supplier_id: str, number: str, request_id: str | None) -> None:
    """Compare an invoice again; what leaves later is found by itself."""
    request = pb.MatchSupplierInvoiceRequest(
        context=session.client.context(request_id), supplier_id=supplier_id, number=number
    )
    record_about(session, session.client.supplier_invoices.MatchSupplierInvoice, request)


@invoice.command()
@click.argument("supplier_id")
@click.argument("number")
@click.option("--reason", metavar="TEXT", help="Why.")
@recording()
def approve(session: Session, supplier_id: str, number: str, reason: str, at: Any, request_id: str | None) -> None:
    """Agree to pay an invoice as it is."""
    request = pb.ApproveSupplierInvoiceRequest(
        context=session.client.context(request_id), supplier_id=supplier_id, number=number, reason=reason, at=at
    )
    record_about(session, session.client.supplier_invoices.ApproveSupplierInvoice, request)


@invoice.command()
@click.argument("supplier_id")
@click.argument("number")
@click.option("--reason", required=True, metavar="TEXT", help="Why, which the supplier reads.")
@recording()
def dispute(session: Session, supplier_id: str, number: str, reason: str, at: Any, request_id: str | None) -> None:
    """Do not agree to an invoice; the supplier gets a message with its differences."""
    request = pb.DisputeSupplierInvoiceRequest(
        context=session.client.context(request_id), supplier_id=supplier_id, number=number, reason=reason, at=at
    )
    record_about(session, session.client.supplier_invoices.DisputeSupplierInvoice, request)


@invoice.command()
@click.argument("supplier_id")
@click.argument("number")
@click.argument("credit_note")
@click.argument("amount")
@recording("When it came")
def credit(session: Session, /, supplier_id: str, number: str, credit_note: str, **options: Any) -> None:
    """Record a credit note of the supplier for an invoice, of so much in the invoice's currency."""
    request = pb.RecordSupplierCreditNoteRequest(
        context=session.client.context(options["request_id"]),
        supplier_id=supplier_id,
        number=number,
        credit_note=credit_note,
        amount=_money(session, supplier_id, number, options["amount"]),
        at=options["at"],
    )
    record_about(session, session.client.supplier_invoices.RecordSupplierCreditNote, request)


@invoice.command()
@click.argument("supplier_id")
@click.argument("number")
@click.argument("payment_id")
@click.argument("amount")
@recording("When it was paid")
def pay(session: Session, /, supplier_id: str, number: str, payment_id: str, **options: Any) -> None:
    """Record money that went to the supplier for an invoice, in the invoice's currency."""
    request = pb.RecordSupplierPaymentRequest(
        context=session.client.context(options["request_id"]),
        supplier_id=supplier_id,
        number=number,
        payment_id=payment_id,
        amount=_money(session, supplier_id, number, options["amount"]),
        at=options["at"],
    )
    record_about(session, session.client.supplier_invoices.RecordSupplierPayment, request)


@invoice.command()
@click.argument("supplier_id")
@click.argument("number")
@click.argument("payment_id")
@click.option("--reason", metavar="TEXT", help="Why.")
@recording("When it came back")
def unpay(session: Session, /, supplier_id: str, number: str, payment_id: str, **options: Any) -> None:
    """Record that a payment came back, or was recorded by mistake: what it paid is open again."""
    request = pb.ReturnSupplierPaymentRequest(
        context=session.client.context(options["request_id"]),
        supplier_id=supplier_id,
        number=number,
        payment_id=payment_id,
        reason=options["reason"],
        at=options["at"],
    )
    record_about(session, session.client.supplier_invoices.ReturnSupplierPayment, request)


def _money(session: Session, supplier_id: str, number: str, amount: str) -> common_pb2.Money:
    """An amount as it is typed: in the invoice's currency unless it names one."""
    figure, _, named = amount.partition(":")
    currency = named.upper() or read_invoice(session, supplier_id, number).currency
    return common_pb2.Money(amount_minor=words.amount_minor(figure, currency), currency=currency)


for command in (show, list_invoices):
    invoice.add_command(command)
