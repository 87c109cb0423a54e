"""Suppliers, what was agreed with them and what they invoice, as reporting jobs read them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, NamedTuple

from ledger.nouns.suppliers import Supplier
from projections.machine.histories import InvoiceHistory
from projections.machine.rows import Int4
from projections.reporting.declaring import Means, made
from projections.reporting.order_rows import MINOR
from projections.supplier_invoices import row_of

_HOURS = "hours"
_SHARE = "basis points: hundredths of a percent"


class ReportedSupplier(NamedTuple):
    """One row for each supplier that is registered."""

    supplier_id: Annotated[str, Means("The supplier.")]
    name: Annotated[str, Means("Its name.")]
    country: Annotated[str | None, Means("Where it is: ISO 3166-1 alpha-2.")]
    standing: Annotated[str, Means("candidate, approved, suspended or retired.")]
    registered_at: Annotated[datetime, Means("When it was registered.")]
    approved_at: Annotated[datetime | None, Means("When it was first approved.")]
    retired_at: Annotated[datetime | None, Means("When it was retired.")]
    score_basis_points: Annotated[Int4 | None, Means("How well it did at its last review.", _SHARE)]
    agreements: Annotated[Int4, Means("How many agreements there were.", "agreements")]


class ReportedAgreement(NamedTuple):
    """One row for each agreement with a supplier; what is empty was not agreed."""

    supplier_id: Annotated[str, Means("The supplier.")]
    effective_from: Annotated[datetime, Means("From when it holds.")]
    effective_until: Annotated[datetime | None, Means("Until when; empty means until the next.")]
    acknowledge_within_hours: Annotated[Int4 | None, Means("How long the supplier has to answer.", _HOURS)]
    dispatch_within_hours: Annotated[Int4 | None, Means("How long it has to send.", _HOURS)]
    express_dispatch_within_hours: Annotated[Int4 | None, Means("The same of express orders.", _HOURS)]
    first_scan_within_hours: Annotated[Int4 | None, Means("How long until the carrier has scanned.", _HOURS)]
    answer_within_hours: Annotated[Int4 | None, Means("How long it has to answer a question.", _HOURS)]
    cancel_answer_within_hours: Annotated[Int4 | None, Means("The same where units are to be cancelled.", _HOURS)]
    resolve_within_hours: Annotated[Int4 | None, Means("How long it has to resolve a case.", _HOURS)]
    feed_interval_hours: Annotated[Int4 | None, Means("How often it sends its stock.", _HOURS)]
    compensation_basis_points: Annotated[Int4, Means("What it owes of the price of what is late.", _SHARE)]
    compensation_cap_minor: Annotated[int | None, Means("At most so much for one supplier order.", MINOR)]
    compensation_cap_currency: Annotated[str | None, Means("ISO 4217.")]


class ReportedSupplierInvoice(NamedTuple):
    """One row for each invoice of a supplier."""

    supplier_id: Annotated[str, Means("Whose it is.")]
    number: Annotated[str, Means("The supplier's own number of it.")]
    status: Annotated[str, Means("How far it is.")]
    dated: Annotated[date, Means("Its date.")]
    pay_by: Annotated[date | None, Means("When it is to be paid.")]
    received_at: Annotated[datetime, Means("When it came.")]
    currency: Annotated[str, Means("Of its amounts: ISO 4217.")]
    total_minor: Annotated[int, Means("What it asks.", MINOR)]
    credited_minor: Annotated[int, Means("What the supplier took back.", MINOR)]
    paid_minor: Annotated[int, Means("What was paid.", MINOR)]
    open_minor: Annotated[int, Means("What is left to pay.", MINOR)]
    over_minor: Annotated[int, Means("What it asks too much.", MINOR)]


SUPPLIERS = made("suppliers", ReportedSupplier, 1)
AGREEMENTS = made("agreements", ReportedAgreement, 2)
SUPPLIER_INVOICES = made("supplier_invoices", ReportedSupplierInvoice, 2)


def supplier(found: Supplier) -> list[ReportedSupplier]:
    master = found.master
    row = ReportedSupplier(
        supplier_id=found.supplier_id,
        name=master.name,
        country=master.country or None,
        standing=found.standing,
        registered_at=found.registered.at,
        approved_at=found.approved_at,
        retired_at=found.retired_at,
        score_basis_points=found.score_basis_points,
        agreements=len(found.agreements),
    )
    return [row]


def agreements(found: Supplier) -> list[ReportedAgreement]:
    rows: dict[datetime, ReportedAgreement] = {}
    for each in found.agreements:
        cap = each.compensation_cap
        rows.setdefault(
            each.effective_from,
            ReportedAgreement(
                supplier_id=found.supplier_id,
                effective_from=each.effective_from,
                effective_until=each.effective_until,
                acknowledge_within_hours=each.acknowledge_within_hours,
                dispatch_within_hours=each.dispatch_within_hours,
                express_dispatch_within_hours=each.express_dispatch_within_hours,
                first_scan_within_hours=each.first_scan_within_hours,
                answer_within_hours=each.answer_within_hours,
                cancel_answer_within_hours=each.cancel_answer_within_hours,
                resolve_within_hours=each.resolve_within_hours,
                feed_interval_hours=each.feed_interval_hours,
                compensation_basis_points=each.compensation_basis_points,
                compensation_cap_minor=cap.amount_minor if cap else None,
                compensation_cap_currency=cap.currency if cap else None,
            ),
        )
    return list(rows.values())


def supplier_invoice(history: InvoiceHistory) -> list[ReportedSupplierInvoice]:
    row = row_of(history.invoice)
    return [
        ReportedSupplierInvoice(
            supplier_id=row.supplier_id,
            number=row.number,
            status=row.status,
            dated=row.dated,
            pay_by=row.pay_by,
            received_at=row.received_at,
            currency=row.currency,
            total_minor=row.total_minor,
            credited_minor=row.credited_minor,
            paid_minor=row.paid_minor,
            open_minor=row.open_minor,
            over_minor=row.over_minor,
        )
    ]
