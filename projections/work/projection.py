"""What raises work: parcels, inquiries, recoveries, cases, suppliers, messages; and what people did about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import reduce
from typing import Any

from ledger.facts import in_plain, plus
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
from ledger.nouns.cases import Case, CaseDeadlineMissed, Denial, Reason, Remedy
from ledger.nouns.cases import CaseStatus as CaseStatus
from ledger.nouns.effects import ToldSubject
from ledger.nouns.inquiries import Inquiry, Topic
from ledger.nouns.messages import Audience, Message
from ledger.nouns.parcels import GIVEN_UP, Checkpoint, CustomsHold, Parcel, ParcelStatus
from ledger.nouns.receptions import Reception
from ledger.nouns.recoveries import Recovery, RecoveryKind, RecoveryStatus
from ledger.nouns.reviews import ProposalState
from ledger.nouns.stock_ups import StockUp, StockUpState
from ledger.nouns.supplier_invoices import InvoiceStatus, SupplierInvoice
from ledger.nouns.suppliers import Supplier
from ledger.nouns.tasks import Task
from ledger.terms.clocks import Clock
from ledger.terms.parties import Party
from projections.machine.histories import InvoiceHistory, RecoveryHistory
from projections.machine.projection import From, FromPages, projection
from projections.machine.reads import FIRST
from projections.work.kinds import FINISH, Next, Step, WorkKind, ask_about_customs, ask_where, units_of
from projections.work.orders import of_order
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
    items = [*_trouble(parcel)] if parcel.status in _TROUBLE and not _is_the_orders(parcel) else []
    if parcel.stray is not None:
        items.append(_stray(parcel, parcel.stray))
    missed = parcel.missed
    if missed is not None and parcel.first_scan_missed and parcel.first_scan_at is None:
        name = parcel.supplier_order_id
        following = ask_where(Clock.FIRST_SCAN, name) if name else Next(Step.RECORD_SCAN, _named(parcel))
        items.append(
            _parcel(parcel, WorkKind.BREACH, Clock.FIRST_SCAN, Owner.OPERATIONS, missed.at, following, missed.due)
        )
    return items


def _stray(parcel: Parcel, scan: Checkpoint) -> Item:
    """Something may have left after all: then it is shipped again under its number."""
    shipping = {**_named(parcel), "supplier_order_id": parcel.supplier_order_id}
    following = Next(Step.SHIP, shipping) if parcel.supplier_order_id else FINISH
    return item(
        WorkKind.ODDITY,
        f"{parcel.carrier}/{parcel.number}/{parcel.epoch}/scanned_though_void",
        Owner.OPERATIONS,
        scan.at,
        f"scanned though it was voided: {scan.status}",
        following,
        **_about(parcel),
    )


def _is_the_orders(parcel: Parcel) -> bool:
    """Whether the order knows that its parcel is lost or back, and what was done about it."""
    return bool(parcel.order_id) and (parcel.status in GIVEN_UP or parcel.status is ParcelStatus.RETURNED)


def _trouble(parcel: Parcel) -> Iterator[Item]:
    since = parcel.last_seen_at
    # Skips disputed deliveries, which may be newer.
    for scan in reversed([each for each in parcel.checkpoints if each.status is not ParcelStatus.DELIVERED]):
        if scan.status is not parcel.status:
            break
        since = scan.at
    if (held := parcel.customs_hold) is not None and held.asks_of is not None:
        yield _asked_by_customs(parcel, held, held.asks_of, since)
    elif parcel.status is ParcelStatus.DAMAGED and parcel.order_id:
        yield from _damaged(parcel, since)
    else:
        yield _parcel(parcel, WorkKind.PARCEL, parcel.status, _TROUBLE[parcel.status], since, _of_trouble(parcel), None)


def _damaged(parcel: Parcel, since: datetime) -> Iterator[Item]:
    """For each order in it, because each has a case of its own."""
    for order_id in parcel.order_ids:
        own = [each for each in parcel.contents if each.order_id == order_id]
        units = reduce(plus, (each.by_line for each in own))
        following = Next(Step.OPEN_CASE, {"order_id": order_id, "reason": Reason.DAMAGED, "lines": units_of(units)})
        because = parcel.status if order_id == parcel.order_id else f"{parcel.status}/{order_id}"
        one = _parcel(parcel, WorkKind.PARCEL, because, _TROUBLE[parcel.status], since, following, None)
        first = own[0].supplier_order_id
        yield one._replace(because=parcel.status, order_id=order_id, supplier_order_id=first, further_order_ids=())


_TALKS_TO = {
    Party.CUSTOMER: Owner.AFTER_SALES,
    Party.SUPPLIER: Owner.SUPPLIER_MANAGER,
    Party.RETAILER: Owner.OPERATIONS,
}
"""The staff that sees to it that somebody gives customs what it asks for."""


def _asked_by_customs(parcel: Parcel, held: CustomsHold, asks_of: Party, since: datetime) -> Item:
    """Due when customs wants its answer. The customer gets a message by itself; a supplier is asked."""
    asks_supplier = asks_of is Party.SUPPLIER and parcel.supplier_order_id
    following = ask_about_customs(parcel.supplier_order_id) if asks_supplier else _of_trouble(parcel)
    owner = _TALKS_TO.get(asks_of, Owner.OPERATIONS)
    one = _parcel(parcel, WorkKind.PARCEL, parcel.status, owner, since, following, held.answer_by)
    return one._replace(because=f"{parcel.status}: {held.asks}, from the {asks_of}")


def _of_trouble(parcel: Parcel) -> Next:
    """What one does about a parcel in trouble: where nothing else helps, its next scan is recorded."""
    match parcel.status:
        case ParcelStatus.SUSPECTED_LOST:
            return Next(Step.CONFIRM_LOSS, {**_named(parcel), "by": Party.CARRIER})
        case _:
            return Next(Step.RECORD_SCAN, _named(parcel))


def _named(parcel: Parcel) -> dict[str, str]:
    return {"carrier": parcel.carrier, "tracking_number": parcel.number}


def _parcel(
    parcel: Parcel, kind: WorkKind, because: str, owner: Owner, at: datetime, following: Next, due: datetime | None
) -> Item:
    return item(
        kind,
        f"{parcel.carrier}/{parcel.number}/{parcel.epoch}/{because}",
        owner,
        at,
        because,
        following,
        due=due,
        **_about(parcel),
    )


def _about(parcel: Parcel) -> dict[str, Any]:
    """What work about a parcel names: all the orders that have units in it, the first of them with its supplier's."""
    return {
        "order_id": parcel.order_id,
        "supplier_order_id": parcel.supplier_order_id,
        "supplier_id": parcel.supplier_id,
        "carrier": parcel.carrier,
        "number": parcel.number,
        "further_order_ids": parcel.order_ids[1:],
    }


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


def _of_case(case: Case) -> list[Item]:
    late = [_unresolved(case, each) for each in case.late if each.clock is Clock.RESOLUTION and _is_waited_for(case)]
    what = _next_of(case)
    if what is None:
        return late
    (because, following), opened = what, case.opened
    # A case that was closed and opened again comes to the same steps anew.
    mark = f"{because.replace(' ', '_')}-{len(case.refunds)}-{case.closed_at or opened.at:{STAMP}}"
    due = shown_from = case.evidence_by if following.step is Step.DENY_CASE else None
    if following.step is Step.RECORD_REFUND_PAID:
        due = case.refunds[following.fields["refund_id"]].pay_by
    if case.first_answered_at is None:
        because, due = f"answer the customer, then {because}", opened.first_answer_by
        following = Next(Step.ANSWER_CUSTOMER, {"case_id": case.case_id})
    one = item(
        WorkKind.CASE,
        case.case_id,
        Owner.AFTER_SALES,
        opened.at,
        because,
        following,
        due=due,
        task_id=f"{WorkKind.CASE}-{case.case_id}-{mark}",
        order_id=case.order_id,
        shown_from=shown_from or FIRST,
    )
    return [*late, one]


def _is_waited_for(case: Case) -> bool:
    return not case.status.is_closed and case.ruling is not None and case.ruling.liable is Party.SUPPLIER


def _unresolved(case: Case, missed: CaseDeadlineMissed) -> Item:
    """A case that a supplier was to help to resolve: it is asked what keeps it."""
    about = {"inquiry_id": f"resolution-{missed.object_id.replace('/', '-')}"[:100], "order_id": case.order_id}
    asked = {"topic": Topic.OTHER, "asked_by": Party.RETAILER, "asked_of": Party.SUPPLIER}
    return item(
        WorkKind.BREACH,
        f"{missed.object_id}/{missed.clock}",
        Owner.SUPPLIER_MANAGER,
        missed.at,
        missed.clock.value,
        Next(Step.ASK_INQUIRY, {**about, **asked, "supplier_id": missed.supplier_id}),
        due=missed.due,
        order_id=case.order_id,
        supplier_id=missed.supplier_id,
    )


_CARRY_OUT = {Remedy.RETURN: Step.LABEL_RETURN, Remedy.REFUND: Step.GRANT_REFUND}
"""What a remedy begins with; a reship or an exchange begins with its approval."""


def _next_of(case: Case) -> tuple[str, Next] | None:
    """What the retailer has to do; None while a customer, a carrier or a supplier has to act."""
    what = _next_step(case)
    if what is None:
        return None
    because, step, fields = what
    return because, Next(step, {"case_id": case.case_id, **fields})


def _next_step(case: Case) -> tuple[str, Step, dict[str, Any]] | None:
    match case.status:
        case CaseStatus.OPENED:
            return "look at it", Step.START_REVIEW, {}
        case CaseStatus.EVIDENCE_REQUESTED:
            if case.unseen:
                return "look at the evidence", Step.START_REVIEW, {}
            return "deny it or ask again: no evidence came", Step.DENY_CASE, {"reason": Denial.NO_EVIDENCE}
        case CaseStatus.UNDER_REVIEW:
            return "rule on liability", Step.RULE_LIABILITY, {}
        case CaseStatus.LIABILITY_RULED:
            return "approve a remedy or deny it", Step.APPROVE_REMEDY, {}
        case CaseStatus.APPROVED if (remedy := case.remedy) is not None:
            step = _CARRY_OUT.get(remedy, Step.APPROVE_REMEDY)
            return f"carry out the {remedy}", step, {"remedy": remedy} if step is Step.APPROVE_REMEDY else {}
        case CaseStatus.IN_REMEDY if (line_no := case.to_inspect) is not None:
            return "inspect what came back", Step.RECORD_INSPECTION, {"lines": [{"line_no": line_no}]}
        case CaseStatus.IN_REMEDY if case.undecided or (case.todo and case.remedy is Remedy.REFUND):
            return "decide the refund", Step.GRANT_REFUND, {}
        case CaseStatus.IN_REMEDY:
            unpaid = (name for name, each in case.refunds.items() if each.paid_at is None and each.amount_minor)
            refund_id = next(unpaid, None)
            return None if refund_id is None else ("pay the refund", Step.RECORD_REFUND_PAID, {"refund_id": refund_id})
        case _:
            return None


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
    From(parcels.NOUN, ITEMS, _of_parcel),
    From(inquiries.NOUN, ITEMS, _of_inquiry),
    From(receptions.NOUN, ITEMS, _of_reception),
    From(effects.NOUN, ITEMS, _of_effect),
    From(recoveries.NOUN, ITEMS, _of_recovery),
    From(supplier_invoices.NOUN, ITEMS, _of_invoice),
    From(stock_ups.NOUN, ITEMS, _of_stock_up),
    From(cases.NOUN, ITEMS, _of_case),
    From(suppliers.NOUN, ITEMS, _of_supplier),
    From(messages.NOUN, ITEMS, _of_message),
    From(skus.NOUN, ITEMS, of_sku),
)
"""The work that each noun makes; stock makes its own."""

WORK = projection(
    "work",
    24,
    *ITEMS_OF,
    FromPages((ITEMS,), of_stock),
    From(tasks.NOUN, TASKS, of_task),
)
