"""Cases, refunds, recoveries, and invoices of customers, as reporting jobs read them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, NamedTuple

from ledger.nouns.cases import Case
from ledger.terms.money import in_64_bits
from projections.machine.histories import OrderHistory, RecoveryHistory
from projections.reporting.declaring import Means, made
from projections.reporting.order_rows import MINOR, UNITS


class ReportedCase(NamedTuple):
    """One row for each case: a customer's complaint about units of an order."""

    case_id: Annotated[str, Means("The case.")]
    order_id: Annotated[str, Means("The order.")]
    status: Annotated[str, Means("How far it is: opened, …, resolved, denied, cancelled.")]
    reason: Annotated[str, Means("What is wrong.")]
    liable: Annotated[str | None, Means("Who was ruled to be liable.")]
    remedy: Annotated[str | None, Means("How it is made good.")]
    denial: Annotated[str | None, Means("Why something was denied.")]
    units: Annotated[int, Means("Units that it is about.", UNITS)]
    opened_at: Annotated[datetime, Means("When it was opened.")]
    first_answer_by: Annotated[datetime, Means("By when the customer is to be answered.")]
    first_answered_at: Annotated[datetime | None, Means("When it was answered first.")]
    evidence_by: Annotated[datetime | None, Means("By when the customer is to show evidence.")]
    closed_at: Annotated[datetime | None, Means("When it was resolved, denied or cancelled.")]
    reship_order_id: Annotated[str | None, Means("The order that sends units once more, the last one.")]
    granted_minor: Annotated[int, Means("Refunds that were granted.", MINOR)]
    paid_minor: Annotated[int, Means("Refunds that were paid.", MINOR)]
    currency: Annotated[str | None, Means("Of the refunds: ISO 4217.")]


class ReportedRefund(NamedTuple):
    """One row for each refund that a case granted."""

    case_id: Annotated[str, Means("The case.")]
    refund_id: Annotated[str, Means("The refund's id in the case.")]
    order_id: Annotated[str, Means("The order.")]
    units: Annotated[int, Means("Units that it is for.", UNITS)]
    amount_minor: Annotated[int, Means("How much, charges of the order among it.", MINOR)]
    freight_minor: Annotated[int, Means("What was taken off for sending units back.", MINOR)]
    currency: Annotated[str, Means("ISO 4217.")]
    granted_at: Annotated[datetime, Means("When it was granted.")]
    pay_by: Annotated[datetime | None, Means("By when it is to be paid.")]
    paid_at: Annotated[datetime | None, Means("When it was paid.")]


class ReportedRecovery(NamedTuple):
    """One row for each recovery: a cost that somebody else is asked to bear."""

    recovery_id: Annotated[str, Means("The recovery.")]
    kind: Annotated[str, Means("What it is asked for.")]
    status: Annotated[str, Means("How far it is.")]
    order_id: Annotated[str | None, Means("The order, of a parcel with units of several the first.")]
    supplier_order_id: Annotated[str | None, Means("The supplier order.")]
    supplier_id: Annotated[str | None, Means("The supplier.")]
    case_id: Annotated[str | None, Means("The case.")]
    carrier: Annotated[str | None, Means("Of the parcel.")]
    number: Annotated[str | None, Means("Of the parcel.")]
    currency: Annotated[str, Means("Of its amounts: ISO 4217.")]
    asked_minor: Annotated[int, Means("What was asked.", MINOR)]
    claimed_minor: Annotated[int, Means("What was claimed of a carrier.", MINOR)]
    agreed_minor: Annotated[int, Means("What the other side accepted.", MINOR)]
    received_minor: Annotated[int, Means("What came in.", MINOR)]
    returned_minor: Annotated[int, Means("What of it was given back.", MINOR)]
    opened_at: Annotated[datetime, Means("When it was opened.")]
    due: Annotated[datetime | None, Means("When something is to happen next.")]
    ended_at: Annotated[datetime | None, Means("When it ended.")]


class ReportedCustomerInvoice(NamedTuple):
    """One row for each invoice that a customer got."""

    number: Annotated[str, Means("Its number.")]
    order_id: Annotated[str, Means("The order.")]
    dated: Annotated[date, Means("Its date.")]
    left_at: Annotated[datetime, Means("When the goods left.")]
    total_minor: Annotated[int, Means("What it comes to.", MINOR)]
    currency: Annotated[str, Means("ISO 4217.")]
    credit_note: Annotated[str | None, Means("The number of the credit note that cancelled it.")]
    credited_on: Annotated[date | None, Means("The credit note's date.")]


CASES = made("cases", ReportedCase, 1)
REFUNDS = made("refunds", ReportedRefund, 2)
RECOVERIES = made("recoveries", ReportedRecovery, 1)
CUSTOMER_INVOICES = made("customer_invoices", ReportedCustomerInvoice, 1)


def case(found: Case) -> list[ReportedCase]:
    opened, given = found.opened, found.refunds.values()
    row = ReportedCase(
        case_id=found.case_id,
        order_id=found.order_id,
        status=found.status,
        reason=opened.reason,
        liable=found.ruling.liable if found.ruling else None,
        remedy=found.remedy,
        denial=found.denial,
        units=sum(opened.by_line.values()),
        opened_at=opened.at,
        first_answer_by=opened.first_answer_by,
        first_answered_at=found.first_answered_at,
        evidence_by=found.evidence_by,
        closed_at=found.closed_at,
        reship_order_id=found.reships[-1].order_id if found.reships else None,
        granted_minor=in_64_bits(sum(each.amount_minor for each in given)),
        paid_minor=in_64_bits(sum(each.amount_minor for each in given if each.paid_at is not None)),
        currency=found.currency or None,
    )
    return [row]


def refunds(found: Case) -> list[ReportedRefund]:
    return [
        ReportedRefund(
            case_id=found.case_id,
            refund_id=refund_id,
            order_id=found.order_id,
            units=sum(each.by_line.values()),
            amount_minor=each.amount_minor,
            freight_minor=each.freight_minor,
            currency=found.currency,
            granted_at=each.granted_at,
            pay_by=each.pay_by,
            paid_at=each.paid_at,
        )
        for refund_id, each in found.refunds.items()
    ]


def recovery(history: RecoveryHistory) -> list[ReportedRecovery]:
    found, subject = history.recovery, history.recovery.subject
    row = ReportedRecovery(
        recovery_id=found.recovery_id,
        kind=found.opened.kind,
        status=found.status,
        order_id=subject.order_id or None,
        supplier_order_id=subject.supplier_order_id or None,
        supplier_id=subject.supplier_id or None,
        case_id=subject.case_id or None,
        carrier=subject.carrier or None,
        number=subject.number or None,
        currency=found.currency,
        asked_minor=found.asked_minor,
        claimed_minor=found.claimed_minor,
        agreed_minor=found.agreed_minor,
        received_minor=found.received_minor,
        returned_minor=found.returned_minor,
        opened_at=found.opened.at,
        due=found.due,
        ended_at=found.ended_at,
    )
    return [row]


def customer_invoices(history: OrderHistory) -> list[ReportedCustomerInvoice]:
    return [
        ReportedCustomerInvoice(
            number=each.issued.number,
            order_id=each.issued.order_id,
            dated=each.issued.dated,
            left_at=each.issued.left_at,
            total_minor=each.issued.total_minor,
            currency=each.issued.currency,
            credit_note=each.credited.number if each.credited else None,
            credited_on=each.credited.dated if each.credited else None,
        )
        for each in history.order.invoicing.invoices.values()
    ]
