"""An invoice into its message."""

from __future__ import annotations

from typing import Any

from adapters.rpc.shows import day, line_units, number_of, stamp
from fulfilment.v1 import supplier_invoices_pb2 as pb
from ledger.nouns.supplier_invoices import (
    Difference,
    InvoiceLine,
    LineMatch,
    SupplierInvoice,
    SupplierInvoiceApproved,
    SupplierInvoiceDisputed,
)
from ledger.terms.money import in_64_bits
from projections.supplier_invoices import ListedInvoice, row_of

_status = number_of(pb.SupplierInvoiceStatus)
_differs = number_of(pb.InvoiceDifferenceKind)
_charge_kind = number_of(pb.SupplierChargeKind)


def row(each: ListedInvoice, **more: Any) -> pb.SupplierInvoice:
    return pb.SupplierInvoice(
        supplier_id=each.supplier_id,
        number=each.number,
        status=_status(each.status),
        currency=each.currency,
        dated=day(each.dated),
        pay_by=day(each.pay_by),
        received_at=stamp(each.received_at),
        total_minor=each.total_minor,
        credited_minor=each.credited_minor,
        paid_minor=each.paid_minor,
        open_minor=each.open_minor,
        over_minor=each.over_minor,
        differs=map(_differs, each.differs),
        **more,
    )


def invoice(state: SupplierInvoice, version: int, because: str) -> pb.SupplierInvoice:
    """What is listed of it, and all the rest; because is what is shown of why it was approved or disputed."""
    recorded = state.recorded
    charges = [
        pb.SupplierInvoiceCharge(kind=_charge_kind(each.kind), amount_minor=each.amount_minor)
        for each in recorded.charges
    ]
    return row(
        row_of(state),
        lines=[_line(*each) for each in zip(recorded.lines, state.matches, strict=True)],
        charges=charges,
        charges_over_minor=state.charges_over_minor,
        ruling=_ruling(state, state.ruling, because) if state.ruling else None,
        credit_notes=[
            pb.InvoicePart(id=each.credit_note, amount_minor=each.amount_minor, at=stamp(each.at))
            for each in state.credit_notes
        ],
        payments=[
            pb.InvoicePart(
                id=each.payment_id,
                amount_minor=each.amount_minor,
                at=stamp(each.at),
                unapproved=each.unapproved,
                returned_at=stamp(state.returned.get(each.payment_id)),
            )
            for each in state.payments
        ],
        version=version,
    )


def _line(line: InvoiceLine, match: LineMatch) -> pb.MatchedInvoiceLine:
    return pb.MatchedInvoiceLine(
        supplier_order_id=line.supplier_order_id,
        line_no=line.line_no,
        sku=line.sku,
        units=line.units,
        amount_minor=line.amount_minor,
        matched=line_units(match.units),
        cost_minor=in_64_bits(match.cost_minor),
        differences=map(_difference, match.differences),
    )


def _difference(each: Difference) -> pb.InvoiceDifference:
    return pb.InvoiceDifference(
        kind=_differs(each.kind),
        amount_minor=each.amount_minor,
        units=each.units,
        expected_minor=each.expected_minor,
        ordered=each.ordered,
        shipped=each.shipped,
        invoices=each.invoices,
    )


def _ruling(
    state: SupplierInvoice, ruling: SupplierInvoiceApproved | SupplierInvoiceDisputed, because: str
) -> pb.InvoiceRuling:
    return pb.InvoiceRuling(
        approved=state.is_approved,
        by=ruling.by,
        reason=because,
        at=stamp(ruling.at),
        answer_by=stamp(ruling.answer_by) if isinstance(ruling, SupplierInvoiceDisputed) else None,
        holds=state.is_approved or state.dispute is not None,
    )
