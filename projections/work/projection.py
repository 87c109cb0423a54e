"""What raises work: parcels, inquiries, recoveries, cases, suppliers, messages; and what people did about it."""

from __future__ import annotations

from datetime import datetime

from ledger.nouns import (
    cases,
    inquiries,
    messages,
    orders,
    parcels,
    recoveries,
    skus,
    stock_ups,
    supplier_invoices,
    suppliers,
    tasks,
)
from ledger.nouns.cases import Case, Remedy
from ledger.nouns.cases import CaseStatus as CaseStatus
from ledger.nouns.inquiries import Inquiry
from ledger.nouns.messages import Audience, Message
from ledger.nouns.messages import MessageStage as MessageStage
from ledger.nouns.parcels import GIVEN_UP, Parcel, ParcelStatus
from ledger.nouns.recoveries import RecoveryStatus
from ledger.nouns.reviews import ProposalState
from ledger.nouns.stock_ups import StockUp, StockUpState
from ledger.nouns.supplier_invoices import InvoiceStatus, SupplierInvoice
from ledger.nouns.suppliers import Supplier
from ledger.nouns.tasks import Task
from ledger.terms.clocks import Clock
from ledger.terms.parties import Party
from projections.machine.histories import InvoiceHistory, RecoveryHistory
from projections.machine.projection import From, FromPages, projection
from projections.work.orders import of_order
from projections.work.rows import ITEMS, STAMP, TASKS, Handling, Item, Owner, WorkKind, WorkState, task_id_of
from projections.work.stock import of_sku, of_stock


def _of_task(task: Task) -> list[Handling]:
    if task.finished is not None:
        last = task.finished
        return [Handling(task.task_id, WorkState.FINISHED, last.by, last.at, last.outcome)]
    if task.claimed is not None:
        return [Handling(task.task_id, WorkState.CLAIMED, task.claimed.by, task.claimed.at)]
    return [Handling(task.task_id, WorkState.FREE)]


_TROUBLE = {
    ParcelStatus.CUSTOMS_HELD: Owner.OPERATIONS,
    ParcelStatus.SUSPECTED_LOST: Owner.OPERATIONS,
    ParcelStatus.DAMAGED: Owner.AFTER_SALES,
    ParcelStatus.RETURNING: Owner.AFTER_SALES,
    ParcelStatus.RETURNED: Owner.AFTER_SALES,
    ParcelStatus.REFUSED: Owner.AFTER_SALES,
    ParcelStatus.LOST: Owner.AFTER_SALES,
    ParcelStatus.DESTROYED: Owner.AFTER_SALES,
}
"""Whose work a parcel in this state is."""


def _of_parcel(parcel: Parcel) -> list[Item]:
    """Only of the present use of a number."""
    if parcel.historical:
        return []
    items = [_trouble(parcel)] if parcel.status in _TROUBLE and not _is_the_orders(parcel) else []
    missed = parcel.missed
    if missed is not None and parcel.first_scan_missed and parcel.first_scan_at is None:
        items.append(_parcel(parcel, WorkKind.BREACH, Clock.FIRST_SCAN.value, Owner.OPERATIONS, missed.due, missed.at))
    return items


def _is_the_orders(parcel: Parcel) -> bool:
    """Whether the order knows that its parcel is lost or back, and what was done about it."""
    return bool(parcel.order_id) and (parcel.status in GIVEN_UP or parcel.status is ParcelStatus.RETURNED)


def _trouble(parcel: Parcel) -> Item:
    since = parcel.last_seen_at
    # Skips disputed deliveries, which may be newer.
    for scan in reversed([each for each in parcel.checkpoints if each.status is not ParcelStatus.DELIVERED]):
        if scan.status is not parcel.status:
            break
        since = scan.at
    return _parcel(parcel, WorkKind.PARCEL, parcel.status.value, _TROUBLE[parcel.status], since, since)


def _parcel(parcel: Parcel, kind: WorkKind, because: str, owner: Owner, due: datetime, raised_at: datetime) -> Item:
    subject = f"{parcel.carrier}/{parcel.number}/{parcel.epoch}/{because}"
    return Item(
        kind,
        subject,
        task_id_of(kind, subject, raised_at),
        owner,
        due,
        raised_at,
        because,
        parcel.order_id,
        parcel.supplier_order_id,
        parcel.supplier_id,
        parcel.carrier,
        parcel.number,
    )


def _of_inquiry(inquiry: Inquiry) -> list[Item]:
    """Those that the retailer has to answer, and those that a supplier has not answered in time."""
    asked = inquiry.asked
    ours = asked.asked_of is Party.RETAILER
    if not inquiry.is_open or not (ours or inquiry.is_missed):
        return []
    from_customer = ours and asked.asked_by is Party.CUSTOMER
    item = Item(
        WorkKind.INQUIRY,
        inquiry.inquiry_id,
        f"{WorkKind.INQUIRY}-{inquiry.inquiry_id}",
        Owner.AFTER_SALES if from_customer else Owner.SUPPLIER_MANAGER,
        asked.answer_by or asked.at,
        asked.at,
        f"{asked.topic}, asked by {asked.asked_by}" if ours else f"{asked.topic}, not answered by {asked.asked_of}",
        asked.order_id,
        asked.supplier_order_id,
        asked.supplier_id,
    )
    return [item]


_NEXT_STEPS = {
    RecoveryStatus.DISPUTED: "settle the dispute",
    RecoveryStatus.ELIGIBLE: "collect documents",
    RecoveryStatus.DOCUMENTED: "file the claim",
    RecoveryStatus.DENIED: "appeal or write off",
}
"""What the retailer is to do about a recovery in this state; in the others somebody else is."""


def _of_recovery(history: RecoveryHistory) -> list[Item]:
    recovery = history.recovery
    step = _NEXT_STEPS.get(recovery.status, "")
    if recovery.status is RecoveryStatus.PROPOSED and recovery.is_answer_missed:
        step = "press for an answer"
    if not step:
        return []
    about, due = recovery.subject, recovery.due or recovery.opened.at
    mark = f"{recovery.status}-{due:{STAMP}}"
    item = Item(
        WorkKind.RECOVERY,
        recovery.recovery_id,
        f"{WorkKind.RECOVERY}-{recovery.recovery_id}-{mark}",
        Owner.SUPPLIER_MANAGER if about.supplier_id and not about.carrier else Owner.AFTER_SALES,
        due,
        recovery.opened.at,
        step,
        about.order_id,
        about.supplier_order_id,
        about.supplier_id,
        about.carrier,
        about.number,
    )
    return [item]


def _of_stock_up(stock_up: StockUp) -> list[Item]:
    """One that is not answered in time, or of which less is secured or there than was asked."""
    asked, answer, shown = stock_up.asked, stock_up.answer, stock_up.shown
    lacking = asked.units - max(stock_up.secured, shown.units if shown else 0)
    match stock_up.state:
        case StockUpState.ASKED if stock_up.missed is not None or asked.answer_by is None:
            since, due, step = asked.at, asked.answer_by or asked.until, "press for an answer"
        case StockUpState.DECLINED | StockUpState.PARTLY_SECURED | StockUpState.KEPT if (
            answer is not None and lacking > 0
        ):
            since, due, step = answer.at, asked.until, f"find {lacking} of {asked.units} elsewhere"
        case StockUpState.NOT_KEPT if shown is not None:
            since, due = shown.as_of, shown.as_of
            step = f"ask where they are: {shown.units} of {stock_up.secured} are there"
        case _:
            return []
    item = Item(
        WorkKind.STOCK_UP,
        stock_up.stock_up_id,
        task_id_of(WorkKind.STOCK_UP, f"{stock_up.stock_up_id}-{step.partition(' ')[0]}", since),
        Owner.SUPPLIER_MANAGER,
        due,
        since,
        step,
        supplier_id=asked.supplier_id,
        sku=asked.sku,
    )
    return [item]


def _of_invoice(history: InvoiceHistory) -> list[Item]:
    """One that asks too much, paid or not, and one that is disputed, until the supplier takes it back."""
    invoice = history.invoice
    step, since, due = _step_of(invoice)
    if not step:
        return []
    subject = f"{invoice.supplier_id}/{invoice.number}"
    item = Item(
        WorkKind.INVOICE,
        subject,
        task_id_of(WorkKind.INVOICE, f"{subject}-{step.partition(' ')[0]}", since),
        Owner.SUPPLIER_MANAGER,
        due,
        since,
        step,
        supplier_id=invoice.supplier_id,
    )
    return [item]


def _step_of(invoice: SupplierInvoice) -> tuple[str, datetime, datetime]:
    """What the retailer is to do about an invoice, since when and by when; nothing while it is right."""
    at, dispute = invoice.recorded.at, invoice.dispute
    kinds = ", ".join(dict.fromkeys(each.kind for each in invoice.differences))
    if invoice.status is InvoiceStatus.DISPUTED and dispute is not None:
        return f"settle the dispute: {kinds or dispute.because}", dispute.at, dispute.answer_by or dispute.at
    if invoice.status is InvoiceStatus.DIFFERS:
        return f"approve or dispute it: {kinds}", at, at
    if invoice.status is InvoiceStatus.PAID and not invoice.is_accepted:
        paid_at = invoice.payments[-1].at
        return f"get back or approve what was paid too much: {kinds or 'it was disputed'}", paid_at, paid_at
    return "", at, at


def _of_case(case: Case) -> list[Item]:
    step = _next_step(case)
    if not step:
        return []
    opened, answered = case.opened, case.first_answered_at is not None
    # A case that was closed and opened again comes to the same steps anew.
    mark = f"{step.replace(' ', '_')}-{len(case.refunds)}-{case.closed_at or opened.at:{STAMP}}"
    item = Item(
        WorkKind.CASE,
        case.case_id,
        f"{WorkKind.CASE}-{case.case_id}-{mark}",
        Owner.AFTER_SALES,
        opened.at if answered else opened.first_answer_by,
        opened.at,
        step if answered else f"answer the customer, then {step}",
        case.order_id,
    )
    return [item]


def _next_step(case: Case) -> str:
    """What the retailer has to do; empty while a customer, a carrier or a supplier has to act."""
    match case.status:
        case CaseStatus.OPENED:
            return "look at it"
        case CaseStatus.EVIDENCE_REQUESTED:
            return "look at the evidence" if case.unseen else ""
        case CaseStatus.UNDER_REVIEW:
            return "rule on liability"
        case CaseStatus.LIABILITY_RULED:
            return "approve a remedy or deny it"
        case CaseStatus.APPROVED:
            return f"carry out the {case.remedy}" if case.remedy else ""
        case CaseStatus.IN_REMEDY if any(n > case.inspection(line).looked_at for line, n in case.received.items()):
            return "inspect what came back"
        case CaseStatus.IN_REMEDY if case.undecided or (case.todo and case.remedy is Remedy.REFUND):
            return "decide the refund"
        case CaseStatus.IN_REMEDY if any(each.paid_at is None and each.amount_minor for each in case.refunds.values()):
            return "pay the refund"
        case _:
            return ""


def _of_supplier(supplier: Supplier) -> list[Item]:
    return [
        Item(
            WorkKind.SUSPENSION,
            f"{supplier.supplier_id}/{name}",
            task_id_of(WorkKind.SUSPENSION, f"{supplier.supplier_id}/{name}", proposal.proposed_at),
            Owner.SUPPLIER_MANAGER,
            proposal.proposed_at,
            proposal.proposed_at,
            f"{name} misses its target",
            supplier_id=supplier.supplier_id,
        )
        for name, proposal in supplier.reviews.proposals.items()
        if proposal.state is ProposalState.OPEN
    ]


_READERS = {
    Audience.CUSTOMER: Owner.AFTER_SALES,
    Audience.SUPPLIER: Owner.SUPPLIER_MANAGER,
    Audience.STAFF: Owner.OPERATIONS,
}
"""The staff that contacts a recipient whom no message reaches."""


def _of_message(message: Message) -> list[Item]:
    if message.stage is not MessageStage.GIVEN_UP or message.given_up_at is None:
        return []
    about, at = message.asked.about, message.given_up_at
    item = Item(
        WorkKind.MESSAGE,
        message.message_id,
        task_id_of(WorkKind.MESSAGE, message.message_id, at),
        _READERS[message.asked.audience],
        at,
        at,
        message.error,
        about.order_id,
        about.supplier_order_id,
        about.supplier_id,
        about.carrier,
        about.number,
    )
    return [item]


WORK = projection(
    "work",
    12,
    From(orders.NOUN, ITEMS, of_order),
    From(parcels.NOUN, ITEMS, _of_parcel),
    From(inquiries.NOUN, ITEMS, _of_inquiry),
    From(recoveries.NOUN, ITEMS, _of_recovery),
    From(supplier_invoices.NOUN, ITEMS, _of_invoice),
    From(stock_ups.NOUN, ITEMS, _of_stock_up),
    From(cases.NOUN, ITEMS, _of_case),
    From(suppliers.NOUN, ITEMS, _of_supplier),
    From(messages.NOUN, ITEMS, _of_message),
    From(skus.NOUN, ITEMS, of_sku),
    FromPages((ITEMS,), of_stock),
    From(tasks.NOUN, TASKS, _of_task),
)
