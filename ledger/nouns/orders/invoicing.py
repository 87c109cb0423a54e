"""What is to stand on an order's next invoice for the customer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from msgspec.structs import replace

from ledger.facts import LineNo, Units, minus, plus
from ledger.nouns.orders.balance import cancelled_minor
from ledger.nouns.orders.invoices import CustomerInvoice, InvoicedLine, InvoiceIssued
from ledger.nouns.orders.lines import Line
from ledger.nouns.orders.payments import Charge, ChargeKind
from ledger.nouns.orders.state import Order
from ledger.refusals import Forbidden, NotFound
from ledger.terms.money import round_half_up

_WITH_THE_GOODS = frozenset({ChargeKind.TAX, ChargeKind.DUTY, ChargeKind.DISCOUNT})
"""Charges that go by what the goods cost: each invoice has its part. The others stand on the first."""


class UnknownCustomerInvoice(NotFound, reason="UNKNOWN_CUSTOMER_INVOICE"):
    says = "order {order_id} has no invoice {number}"
    order_id: str
    number: str


class InvoiceIsCredited(Forbidden, reason="INVOICE_IS_CREDITED"):
    says = "invoice {number} was cancelled already, by credit note {credit_note}"
    number: str
    credit_note: str


class NoSellerToInvoice(Forbidden, reason="NO_SELLER_TO_INVOICE"):
    says = "what has left of order {order_id} needs an invoice, and the policy names no seller with a tax id"
    order_id: str


def invoice_of(order: Order, number: str) -> CustomerInvoice:
    found = order.invoicing.invoices.get(number)
    if found is None:
        raise UnknownCustomerInvoice(order.order_id, number)
    return found


def on_invoices(order: Order) -> Units:
    """Units that stand on an invoice which no credit note cancelled, by line."""
    units: Units = {}
    for issued in order.invoicing.standing:
        units = plus(units, {line.line_no: line.units for line in issued.lines})
    return units


def has_left(order: Order, issued: InvoiceIssued) -> bool:
    """Whether any unit of a standing invoice has left, beside those of the other invoices."""
    if issued.parcel is not None:
        return any(each.parcel == issued.parcel for each in order.shipments)
    sent, standing = order.sent, on_invoices(order)
    return any(sent.get(line.line_no, 0) > standing[line.line_no] - line.units for line in issued.lines)


def to_invoice(order: Order) -> Units:
    """Units that have left, did not come back or get lost, were not refunded, and stand on no invoice."""
    kept = plus(order.in_bucket("shipped"), order.in_bucket("delivered"))
    return minus(minus(kept, on_invoices(order)), _refunded(order))


def _refunded(order: Order) -> Units:
    """Units whose whole price went back; what went back of a price alone leaves them sold."""
    units: Counter[LineNo] = Counter()
    for refund in order.after_sales.refunds.values():
        for line_no, count in refund.by_line.items():
            share = refund.shares_minor.get(line_no, count * order.lines[line_no].unit_price_minor)
            if refund.amounts_minor.get(line_no, 0) >= share:
                units[line_no] += count
    return units


def lines_for(order: Order, by_line: Units) -> tuple[InvoicedLine, ...]:
    """Lines for units that have left: of each line what its invoices come to then, less what they came to before.

    So all invoices of a line come to what it costs, to the last minor unit, whatever left together.
    """
    before, sent, refunded, stood = on_invoices(order), order.sent, _refunded(order), _amounts_minor(order)
    lines = []
    for line_no, asked in sorted(by_line.items()):
        units = min(asked, sent.get(line_no, 0) - before.get(line_no, 0))
        if units > 0:
            line = order.lines[line_no]
            worth = _worth_minor(line, before.get(line_no, 0) + units, refunded.get(line_no, 0))
            lines.append(InvoicedLine(line_no, line.sku, line.title, units, max(worth - stood[line_no], 0)))
    return tuple(lines)


def _worth_minor(line: Line, units: int, refunded: int) -> int:
    """What so many units of a line cost.

    Cancelled units are counted from the first one on, refunded units from the last one back, as in the balance.
    """
    others = max(line.quantity - units, 0)
    return line.worth_minor(units, others - min(refunded, others))


def _amounts_minor(order: Order) -> Counter[LineNo]:
    """What the units of each line cost on the invoices that stand."""
    amounts: Counter[LineNo] = Counter()
    for issued in order.invoicing.standing:
        for line in issued.lines:
            amounts[line.line_no] += line.amount_minor
    return amounts


def charges_for(order: Order, lines: Iterable[InvoicedLine]) -> tuple[Charge, ...]:
    """The parts of the order's charges that stand on an invoice with these lines; one that is gone is taken back."""
    standing = list(order.invoicing.standing)
    goods = sum(line.amount_minor for line in order.lines.values()) - cancelled_minor(order)
    on_them = sum(line.amount_minor for issued in standing for line in issued.lines)
    on_them += sum(line.amount_minor for line in lines)
    charges = []
    stood_before = {each.charge_id: replace(each, amount_minor=0) for issued in standing for each in issued.charges}
    for charge in {**stood_before, **{each.charge_id: each for each in order.money.charges}}.values():
        due = charge.amount_minor
        if charge.kind in _WITH_THE_GOODS and goods > 0:
            due = _part(charge.amount_minor, min(on_them, goods), goods)
        stood = (each for issued in standing for each in issued.charges if each.charge_id == charge.charge_id)
        part = due - (sum(each.amount_minor for each in stood) or _refunded_charge(order, charge))
        if part:
            charges.append(replace(charge, amount_minor=part))
    return tuple(charges)


def _refunded_charge(order: Order, charge: Charge) -> int:
    """What went back of a charge before any invoice had it; what went back after that stays on the invoice."""
    return min(order.after_sales.refunded_of_charge(charge.charge_id), max(charge.amount_minor, 0))


def _part(amount_minor: int, part: int, whole: int) -> int:
    """The part of an amount that may be below zero."""
    rounded = round_half_up(abs(amount_minor) * part, whole)
    return rounded if amount_minor >= 0 else -rounded
