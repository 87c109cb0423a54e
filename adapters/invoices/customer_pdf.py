"""Invoices for customers, and the credit notes that cancel them, as PDF: set as the commercial invoice is."""

from __future__ import annotations

import os
import sys
from typing import Any

from reportlab.lib.units import mm
from reportlab.platypus import Spacer, Table

from adapters.invoices.commercial_pdf import (
    BAND,
    HEAD,
    HEAD_RIGHT,
    INK,
    LABEL,
    RIGHT,
    RULE,
    SMALL,
    STRONG,
    STRONG_RIGHT,
    TEXT,
    TITLE,
    WIDTH,
    pages,
    party,
    plain_style,
    register_fonts,
    set_text,
    shares,
)
from fulfilment.v1 import customer_invoices_pb2 as pb
from fulfilment.v1 import order_money_pb2
from ledger.terms.money import amount

_COLUMNS = (10 * mm, 0, 20 * mm, 34 * mm)
"""The goods take what the others leave."""


def draw(invoice: pb.CustomerInvoice) -> bytes:
    """The invoice on A4, or the credit note that cancelled it. The same gives the same bytes."""
    register_fonts()
    title = f"Credit note {invoice.credit_note.number}" if _cancelled(invoice) else f"Invoice {invoice.number}"
    return pages(title, invoice.seller.name, _content(invoice))


def _cancelled(invoice: pb.CustomerInvoice) -> bool:
    return invoice.HasField("credit_note")


def _content(invoice: pb.CustomerInvoice) -> list[Any]:
    note = invoice.credit_note
    because = [Spacer(0, 4 * mm), set_text(f"It cancels the invoice{': ' * bool(note.reason)}{note.reason}.", TEXT)]
    return [
        set_text("CREDIT NOTE" if _cancelled(invoice) else "INVOICE", TITLE),
        Spacer(0, 4 * mm),
        _facts(invoice),
        Spacer(0, 5 * mm),
        _parties(invoice),
        Spacer(0, 6 * mm),
        _goods(invoice),
        *(because if _cancelled(invoice) else []),
    ]


def _facts(invoice: pb.CustomerInvoice) -> Table:
    note, order = invoice.credit_note, ("ORDER", invoice.order_id)
    if _cancelled(invoice):
        widths = shares(33, 12, 33, 22)
        facts = [("CREDIT NOTE NO.", note.number), ("DATE", note.dated), ("OF INVOICE", invoice.number), order]
    else:
        widths = shares(34, 14, 26, 14, 12)
        facts = [("INVOICE NO.", invoice.number), ("DATE", invoice.dated), order]
        left = f"{invoice.left_at.ToDatetime():%Y-%m-%d}"
        facts += [("DELIVERY", left), ("CURRENCY", invoice.total.currency)]
    cells = [[set_text(label, LABEL), set_text(value, STRONG)] for label, value in facts]
    table = Table([cells], colWidths=widths)
    table.setStyle(plain_style([("LINEABOVE", (0, 0), (-1, 0), 1.2, INK), ("TOPPADDING", (0, 0), (-1, 0), 5)]))
    return table


def _parties(invoice: pb.CustomerInvoice) -> Table:
    table = Table([[party("SELLER", invoice.seller), party("BUYER", invoice.buyer)]], colWidths=shares(50, 50))
    table.setStyle(plain_style([("BOX", (0, 0), (-1, -1), 0.5, RULE), ("INNERGRID", (0, 0), (-1, -1), 0.5, RULE)], 5))
    return table


def _goods(invoice: pb.CustomerInvoice) -> Table:
    currency, sign = invoice.total.currency, -1 if _cancelled(invoice) else 1
    rows: list[list[Any]] = [
        [set_text("No.", HEAD), set_text("Goods", HEAD), set_text("Qty", HEAD_RIGHT), set_text(currency, HEAD_RIGHT)]
    ]
    for line in invoice.lines:
        goods = [set_text(line.title, TEXT), set_text(f"SKU {line.sku}", SMALL)]
        cost = set_text(amount(sign * line.amount_minor, currency), RIGHT)
        rows.append([set_text(str(line.line_no), TEXT), goods, set_text(f"{line.units:,}", RIGHT), cost])
    for charge in invoice.charges:
        cost = set_text(amount(sign * charge.amount_minor, currency), RIGHT)
        rows.append(["", set_text(_charge(charge), TEXT), "", cost])
    total = set_text(amount(sign * invoice.total.amount_minor, currency), STRONG_RIGHT)
    rows.append(["", set_text("Total", STRONG), set_text(currency, STRONG_RIGHT), total])
    if invoice.included_tax_basis_points:
        contains = f"of which tax at {invoice.included_tax_basis_points / 100:g} %"
        tax = set_text(amount(sign * invoice.included_tax_minor, currency), RIGHT)
        rows.append(["", set_text(contains, TEXT), "", tax])
    return _table(rows, 1 + len(invoice.lines) + len(invoice.charges))


def _charge(charge: order_money_pb2.Charge) -> str:
    kind = order_money_pb2.ChargeKind.Name(charge.kind).removeprefix("CHARGE_KIND_").replace("_", " ").capitalize()
    return charge.title or kind


def _table(rows: list[list[Any]], total: int) -> Table:
    widths = (_COLUMNS[0], WIDTH - sum(_COLUMNS), *_COLUMNS[2:])
    table = Table(rows, colWidths=widths, repeatRows=1)
    style = [
        ("BACKGROUND", (0, 0), (-1, 0), BAND),
        ("LINEBELOW", (0, 1), (-1, total - 1), 0.4, RULE),
        ("LINEABOVE", (0, total), (-1, total), 1.2, INK),
        # The total never stands alone on a page.
        ("NOSPLIT", (0, total - 1), (-1, -1)),
    ]
    table.setStyle(plain_style(style, 3))
    return table


if __name__ == "__main__":
    os.nice(10)  # commands come first
    sys.stdout.buffer.write(draw(pb.CustomerInvoice.FromString(sys.stdin.buffer.read())))
