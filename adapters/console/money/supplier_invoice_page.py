"""``fulfilment supplier invoice show`` and ``list``: what is asked, in what it differs, what was paid."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.terminal import words
from adapters.console.terminal.client import Command, Q
from adapters.console.terminal.commands import Words
from adapters.console.terminal.listings import CHANGED_AFTER, LIMIT, SUPPLIER, print_rows, rows_of
from adapters.console.terminal.past import OF_LISTS, asked, past
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute, money, word
from fulfilment.v1 import common_pb2
from fulfilment.v1 import supplier_invoices_pb2 as pb


def read_invoice(
    session: Session,
    supplier_id: str,
    number: str,
    at_least: int = 0,
    personal: bool = False,
    as_of: common_pb2.AsOf | None = None,
) -> pb.SupplierInvoice:
    request = pb.GetSupplierInvoiceRequest(
        supplier_id=supplier_id, number=number, at_least=at_least, with_personal_data=personal, as_of=as_of
    )
    return session.client.call(session.client.supplier_invoices.GetSupplierInvoice, request).invoice


def record_about(session: Session, rpc: Command[Q], request: Q) -> None:
    """Send a command about an invoice, and print the state of the invoice after it."""
    receipt = session.client.call(rpc, request)
    asked: Any = request
    after = read_invoice(session, asked.supplier_id, asked.number, receipt.position)
    session.print_result(receipt, f"Invoice {after.supplier_id} {after.number}", after, _stands(after))
    if not session.json:
        _print_differences(session, after)


def _stands(each: pb.SupplierInvoice) -> str:
    parts = [f"{word(pb.SupplierInvoiceStatus, each.status)}, {money(each.total_minor, each.currency)}"]
    if each.over_minor:
        parts.append(f"{money(each.over_minor, each.currency)} too much")
    if each.open_minor != each.total_minor:
        parts.append(f"{money(each.open_minor, each.currency)} open")
    return ", ".join(parts)


def _print_differences(session: Session, found: pb.SupplierInvoice) -> None:
    rows = [
        [
            f"{line.supplier_order_id} {line.line_no or ''} {line.sku}".strip(),
            word(pb.InvoiceDifferenceKind, each.kind),
            each.units,
            money(each.amount_minor, found.currency),
            _why(each, found.currency),
        ]
        for line in found.lines
        for each in line.differences
    ]
    if found.charges_over_minor:
        rows.append(
            ["", "charge", "", money(found.charges_over_minor, found.currency), "more than the policy lets pass"]
        )
    session.out.table(["line", "differs by", ">units", ">too much", "because"], rows)


def _why(each: pb.InvoiceDifference, currency: str) -> str:
    match each.kind:
        case pb.INVOICE_DIFFERENCE_KIND_PRICE:
            return f"{money(each.expected_minor, currency)} agreed" if each.HasField("expected_minor") else "no price"
        case pb.INVOICE_DIFFERENCE_KIND_QUANTITY:
            return f"{each.shipped} of the {each.ordered} ordered have left"
        case pb.INVOICE_DIFFERENCE_KIND_DOUBLE:
            return f"on invoice {', '.join(each.invoices)}"
        case _:
            return "never given to it"


@click.command(cls=Words)
@click.argument("supplier_id")
@click.argument("number")
@click.option("--personal", is_flag=True, help="Why it was approved or disputed, too.")
@past
@click.pass_obj
def show(
    session: Session, supplier_id: str, number: str, personal: bool, as_of: common_pb2.AsOf | None, at: Any
) -> None:
    """Show an invoice: its lines, in what it differs, its money."""
    found = read_invoice(session, supplier_id, number, personal=personal, as_of=asked(as_of, at, personal))
    if session.json:
        session.show(found)
        return
    session.out.title(f"Invoice {found.supplier_id} {found.number}", _stands(found))
    ruling = found.ruling
    decided = f"{'approved' if ruling.approved else 'disputed'} by {ruling.by} on {minute(ruling, 'at')}"
    session.out.facts(
        [
            ("dated", found.dated),
            ("received", minute(found, "received_at")),
            ("to be paid by", found.pay_by),
            ("decided", f"{decided} {ruling.reason}".strip() if found.HasField("ruling") else ""),
            ("answer by", minute(ruling, "answer_by") if ruling.holds else ""),
            *(
                (f"{word(pb.SupplierChargeKind, each.kind)}", money(each.amount_minor, found.currency))
                for each in found.charges
            ),
            *((f"credit note {each.id}", _part(each, found.currency)) for each in found.credit_notes),
            *((f"payment {each.id}", _part(each, found.currency)) for each in found.payments),
        ]
    )
    session.out.blank()
    rows = [
        [
            each.supplier_order_id,
            each.line_no or each.sku,
            each.units,
            money(each.amount_minor, found.currency),
            sum(matched.units for matched in each.matched),
            money(each.cost_minor, found.currency),
        ]
        for each in found.lines
    ]
    session.out.table(["supplier order", "line", ">units", ">amount", ">right", ">agreed cost"], rows)
    session.out.blank()
    _print_differences(session, found)


def _part(each: pb.InvoicePart, currency: str) -> str:
    unapproved = f", although it was {each.unapproved}" if each.unapproved else ""
    returned = f", came back on {minute(each, 'returned_at')}" if each.HasField("returned_at") else ""
    return f"{money(each.amount_minor, currency)} on {minute(each, 'at')}{unapproved}{returned}"


@click.command("list", cls=Words)
@SUPPLIER
@click.option(
    "--status", "statuses", multiple=True, type=words.choice(pb.SupplierInvoiceStatus), help="How far they are."
)
@click.option("--due-within", type=words.whole(0), metavar="HOURS", help="Only those to be paid so soon.")
@CHANGED_AFTER
@OF_LISTS
@LIMIT
@click.pass_obj
def list_invoices(
    session: Session, supplier: str, statuses: tuple[str, ...], due_within: int | None, limit: int | None
) -> None:
    """List invoices by when they are to be paid."""
    request = pb.ListSupplierInvoicesRequest(
        supplier_id=supplier,
        statuses=[words.number(pb.SupplierInvoiceStatus, status) for status in statuses],
        due_within_hours=due_within,
    )
    print_rows(
        session,
        rows_of(session, session.client.supplier_invoices.ListSupplierInvoices, request, "invoices"),
        limit,
        ["supplier", "number", "status", "dated", "pay by", ">total", ">open", ">too much", "differs by"],
        lambda each: [
            each.supplier_id,
            each.number,
            word(pb.SupplierInvoiceStatus, each.status),
            each.dated,
            each.pay_by,
            money(each.total_minor, each.currency),
            money(each.open_minor, each.currency),
            money(each.over_minor, each.currency) if each.over_minor else "",
            ", ".join(word(pb.InvoiceDifferenceKind, kind) for kind in each.differs),
        ],
        "No such invoices.",
    )
