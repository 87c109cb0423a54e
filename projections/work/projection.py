"""What raises work: parcels, inquiries, recoveries, cases, suppliers, messages; and what people did about it."""

from __future__ import annotations

from datetime import datetime

from ledger.facts import in_plain
from ledger.nouns import (
    cases,
    effects,
    inquiries,
    messages,
    orders,
    parcels,
    receptions,
    recoveries,
    skus,
    stock_ups,
    supplier_invoices,
    suppliers,
    tasks,
)
from ledger.nouns.effects import ToldSubject
from ledger.nouns.inquiries import Inquiry
from ledger.nouns.messages import Audience, Message
from ledger.nouns.receptions import Reception
from ledger.nouns.recoveries import Recovery, RecoveryKind, RecoveryStatus
from ledger.nouns.reviews import ProposalState
from ledger.nouns.stock_ups import StockUp, StockUpState
from ledger.nouns.supplier_invoices import InvoiceStatus, SupplierInvoice
from ledger.nouns.suppliers import Supplier
from ledger.nouns.tasks import Task
from ledger.terms.parties import Party
from projections.machine.histories import InvoiceHistory, RecoveryHistory
from projections.machine.projection import From, FromPages, projection
from projections.work.cases import of_case
from projections.work.kinds import FINISH, Next, Step, WorkKind
from projections.work.orders import of_order
from projections.work.parcels import of_parcel
from projections.work.rows import ITEMS, STAMP, TASKS, Handling, Item, Owner, WorkState, item, task_id_of
from projections.work.stock import of_sku, of_stock


def of_task(task: Task) -> list[Handling]:
    state = WorkState.CLAIMED if task.person else WorkState.FREE
    handling = Handling(
        task.task_id,
        state,
        task.person,
        task.since,
        team=task.team,
        put_off_until=task.put_off_until,
        comments=len(task.comments),
    )
    if (last := task.finished) is None:
        return [handling]
    return [handling._replace(state=WorkState.FINISHED, person=last.by, since=last.at, outcome=in_plain(last.outcome))]


def _of_inquiry(inquiry: Inquiry) -> list[Item]:
    """Those that the retailer has to answer, and those that a supplier has not answered in time."""
    asked = inquiry.asked
    ours = asked.asked_of is Party.RETAILER
    if not inquiry.is_open or not (ours or inquiry.is_missed):
        return []
    from_customer = ours and asked.asked_by is Party.CUSTOMER
    one = item(
        WorkKind.INQUIRY,
        inquiry.inquiry_id,
        Owner.AFTER_SALES if from_customer else Owner.SUPPLIER_MANAGER,
        asked.at,
        f"{asked.topic}, asked by {asked.asked_by}" if ours else f"{asked.topic}, not answered by {asked.asked_of}",
        Next(Step.ANSWER_INQUIRY, {"inquiry_id": inquiry.inquiry_id}),
        due=asked.answer_by,
        task_id=f"{WorkKind.INQUIRY}-{inquiry.inquiry_id}",
        order_id=asked.order_id,
        supplier_order_id=asked.supplier_order_id,
        supplier_id=asked.supplier_id,
    )
    return [one]


_RECOVERING = {
    RecoveryStatus.DISPUTED: ("settle the dispute", Step.ANSWER_RECOVERY),
    RecoveryStatus.ELIGIBLE: ("collect documents", Step.COLLECT_DOCUMENT),
    RecoveryStatus.DOCUMENTED: ("file the claim", Step.FILE_CLAIM),
    RecoveryStatus.DENIED: ("appeal or write off", Step.APPEAL_CLAIM),
}
"""What the retailer is to do about a recovery in this state; in the others somebody else is."""


def _of_recovery(history: RecoveryHistory) -> list[Item]:
    recovery = history.recovery
    what = _RECOVERING.get(recovery.status)
    if recovery.status is RecoveryStatus.PROPOSED and recovery.kind is RecoveryKind.FOUND_AFTER_LOSS:
        what = _has_both(recovery)
    if recovery.status is RecoveryStatus.PROPOSED and recovery.is_answer_missed:
        what = "press for an answer", Step.ANSWER_RECOVERY
    if what is None:
        return []
    about, due, (because, step) = recovery.subject, recovery.due or recovery.opened.at, what
    one = item(
        WorkKind.RECOVERY,
        recovery.recovery_id,
        Owner.SUPPLIER_MANAGER if about.supplier_id and not about.carrier else Owner.AFTER_SALES,
        recovery.opened.at,
        because,
        Next(step, {"recovery_id": recovery.recovery_id}),
        due=due,
        task_id=f"{WorkKind.RECOVERY}-{recovery.recovery_id}-{recovery.status}-{due:{STAMP}}",
        order_id=about.order_id,
        supplier_order_id=about.supplier_order_id,
        supplier_id=about.supplier_id,
        carrier=about.carrier,
        number=about.number,
        further_order_ids=recovery.order_ids[1:],
    )
    return [one]


def _has_both(recovery: Recovery) -> tuple[str, Step] | None:
    """Of a parcel that was lost, refunded, and arrived: somebody decides what the customer keeps."""
    if not recovery.asked_minor:
        return None
    given = recovery.money(recovery.asked_minor)
    because = f"the customer has the goods and {given} back: agree what it pays or sends back, or write it off"
    return because, Step.ANSWER_RECOVERY


def _of_stock_up(stock_up: StockUp) -> list[Item]:
    """One that is not answered in time, or of which less is secured or there than was asked."""
    asked, answer, shown = stock_up.asked, stock_up.answer, stock_up.shown
    lacking = asked.units - max(stock_up.secured, shown.units if shown else 0)
    match stock_up.state:
        case StockUpState.ASKED if stock_up.missed is not None or asked.answer_by is None:
            since, due, because = asked.at, asked.answer_by or asked.until, "press for an answer"
            following = Next(Step.ANSWER_STOCK_UP, {"stock_up_id": stock_up.stock_up_id})
        case StockUpState.DECLINED | StockUpState.PARTLY_SECURED | StockUpState.KEPT if (
            answer is not None and lacking > 0
        ):
            since, due, because = answer.at, asked.until, f"find {lacking} of {asked.units} elsewhere"
            following = Next(Step.ASK_STOCK_UP, {"sku": asked.sku, "units": lacking, "until": asked.until})
        case StockUpState.NOT_KEPT if shown is not None:
            since, due = shown.as_of, shown.as_of
            because = f"ask where they are: {shown.units} of {stock_up.secured} are there"
            following = Next(Step.RECORD_FEED, {"item": {"supplier_id": asked.supplier_id, "sku": asked.sku}})
        case _:
            return []
    one = item(
        WorkKind.STOCK_UP,
        stock_up.stock_up_id,
        Owner.SUPPLIER_MANAGER,
        since,
        because,
        following,
        due=due,
        task_id=task_id_of(WorkKind.STOCK_UP, f"{stock_up.stock_up_id}-{because.partition(' ')[0]}", since),
        supplier_id=asked.supplier_id,
        sku=asked.sku,
    )
    return [one]


def _of_invoice(history: InvoiceHistory) -> list[Item]:
    """One that asks too much, paid or not, and one that is disputed, until the supplier takes it back."""
    invoice = history.invoice
    because, since, due, following = _step_of(invoice)
    if not because:
        return []
    subject = f"{invoice.supplier_id}/{invoice.number}"
    one = item(
        WorkKind.INVOICE,
        subject,
        Owner.SUPPLIER_MANAGER,
        since,
        because,
        following,
        due=due,
        task_id=task_id_of(WorkKind.INVOICE, f"{subject}-{because.partition(' ')[0]}", since),
        supplier_id=invoice.supplier_id,
    )
    return [one]


def _step_of(invoice: SupplierInvoice) -> tuple[str, datetime, datetime, Next]:
    """What the retailer is to do about an invoice, since when and by when; nothing while it is right."""
    at, dispute = invoice.exceeds_since or invoice.recorded.at, invoice.dispute
    named = {"supplier_id": invoice.supplier_id, "number": invoice.number}
    kinds = ", ".join(dict.fromkeys(each.kind for each in invoice.differences))
    if invoice.status is InvoiceStatus.DISPUTED and dispute is not None:
        because = f"settle the dispute: {kinds or in_plain(dispute.because) or 'it was disputed'}"
        return because, dispute.at, dispute.answer_by or dispute.at, Next(Step.RECORD_CREDIT_NOTE, named)
    if invoice.status is InvoiceStatus.DIFFERS:
        return f"approve or dispute it: {kinds}", at, at, Next(Step.DISPUTE_INVOICE, named)
    if invoice.status is InvoiceStatus.PAID and not invoice.is_accepted:
        last = invoice.payments[-1]
        because = f"get back or approve what was paid too much: {kinds or 'it was disputed'}"
        since = max(last.at, invoice.exceeds_since or last.at)
        return because, since, since, Next(Step.RETURN_PAYMENT, {**named, "payment_id": last.payment_id})
    return "", at, at, FINISH


def _of_supplier(supplier: Supplier) -> list[Item]:
    return [
        item(
            WorkKind.SUSPENSION,
            f"{supplier.supplier_id}/{name}",
            Owner.SUPPLIER_MANAGER,
            proposal.proposed_at,
            f"{name} misses its target",
            Next(Step.ACCEPT_SUSPENSION, {"supplier_id": supplier.supplier_id, "rate": name}),
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
    if not message.reached_nobody or message.given_up_at is None:
        return []
    about = message.asked.about
    one = item(
        WorkKind.MESSAGE,
        message.message_id,
        _READERS[message.asked.audience],
        message.given_up_at,
        f"{message.asked.kind}: {message.error}",
        _of_unreached(message),
        order_id=about.order_id,
        supplier_order_id=about.supplier_order_id,
        supplier_id=about.supplier_id,
        carrier=about.carrier,
        number=about.number,
    )
    return [one]


def _of_unreached(message: Message) -> Next:
    """Where the address is at fault it is put right, and the message goes out by itself; else it is tried again."""
    asked = message.asked
    if not message.lacks_address:
        return Next(Step.RETRY_MESSAGE, {"message_id": message.message_id})
    match asked.audience:
        case Audience.CUSTOMER:
            return Next(Step.CHANGE_ADDRESS, {"order_id": asked.about.order_id, "customer": {}})
        case Audience.SUPPLIER:
            return Next(Step.UPDATE_SUPPLIER, {"supplier_id": asked.about.supplier_id})
        case Audience.STAFF:
            return Next(Step.AGREE_POLICY, {"policy": {"staff_mail": {asked.recipient: ""}}})


def _of_reception(reception: Reception) -> list[Item]:
    if reception.settled is not None:
        return []
    failed = reception.failed
    subject = f"{failed.reception_id}/{reception.failures}"
    because = f"{failed.topic} of {failed.connection}: {failed.why}"
    following = Next(Step.REPLAY_RECEPTION, {"reception_id": failed.reception_id})
    return [item(WorkKind.RECEPTION, subject, Owner.OPERATIONS, failed.at, because, following, due=failed.due)]


def _of_effect(told: ToldSubject) -> list[Item]:
    if not told.stuck or told.failed_at is None:
        return []
    asked = told.asked
    subject = f"{asked.effect_id}/{told.times_stuck}"
    because = f"{asked.subject} {asked.object_id} at {asked.connection}: {told.why}"
    following = Next(Step.REPLAY_EFFECT, {"effect_id": asked.effect_id})
    return [item(WorkKind.EFFECT, subject, Owner.OPERATIONS, told.failed_at, because, following)]


ITEMS_OF: tuple[From[Item], ...] = (
    From(orders.NOUN, ITEMS, of_order),
    From(parcels.NOUN, ITEMS, of_parcel),
    From(inquiries.NOUN, ITEMS, _of_inquiry),
    From(receptions.NOUN, ITEMS, _of_reception),
    From(effects.NOUN, ITEMS, _of_effect),
    From(recoveries.NOUN, ITEMS, _of_recovery),
    From(supplier_invoices.NOUN, ITEMS, _of_invoice),
    From(stock_ups.NOUN, ITEMS, _of_stock_up),
    From(cases.NOUN, ITEMS, of_case),
    From(suppliers.NOUN, ITEMS, _of_supplier),
    From(messages.NOUN, ITEMS, _of_message),
    From(skus.NOUN, ITEMS, of_sku),
)
"""The work that each noun makes; stock makes its own."""

WORK = projection(
    "work",
    25,
    *ITEMS_OF,
    FromPages((ITEMS,), of_stock),
    From(tasks.NOUN, TASKS, of_task),
)
