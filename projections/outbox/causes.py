"""What makes a message due, by fact; what only time makes due is asked of obligations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from msgspec.structs import replace

from ledger.decisions.notices import Notice
from ledger.facts import Fact, supplier_order_of
from ledger.nouns import inquiries, recoveries
from ledger.nouns.cases import (
    Case,
    CaseCancelled,
    CaseDeadlineMissed,
    CaseDenied,
    CaseFact,
    CaseOpened,
    CaseReopened,
    CaseResolved,
    EvidenceRequested,
    FirstAnswerMissed,
    RefundDenied,
    RefundGranted,
    RefundPaid,
    RemedyApproved,
    ReshipFailed,
    ReturnLabelled,
    ReturnReceived,
    ReviewStarted,
)
from ledger.nouns.inquiries import Inquiry
from ledger.nouns.messages import About, MessageKind
from ledger.nouns.orders import (
    AddressChanged,
    DeadlineMissed,
    HoldPlaced,
    HoldReleased,
    OrderConfirmed,
    PaymentKind,
    PaymentRecorded,
    UnitsCancelled,
    UnitsDelivered,
)
from ledger.nouns.orders.supplier_orders import (
    CancelAgreed,
    CancelRequested,
    ShipmentVoided,
    SupplierOrderAcknowledged,
    SupplierOrderSent,
    SupplierOrderShipped,
    TrackingCorrected,
)
from ledger.nouns.parcels import (
    Checkpoint,
    CheckpointRecorded,
    CustomsAsk,
    FirstScanMissed,
    LossConfirmed,
    LossSuspected,
    Parcel,
    ParcelHandedOver,
    ParcelStatus,
)
from ledger.nouns.skus import SkuDelisted, SkuRelisted
from ledger.nouns.stock import Alert, FeedStale, Oversold, SoldOut, StockLow, StockRunningOut
from ledger.nouns.stock_ups import StockUp, StockUpAnswerMissed, StockUpAsked
from ledger.nouns.supplier_invoices import SupplierInvoiceDisputed
from ledger.terms.clocks import Clock
from ledger.terms.money import Money
from ledger.terms.parties import Party
from projections.machine.histories import InvoiceHistory, OrderHistory, ParcelReport, RecoveryHistory
from projections.machine.streams import LoggedFact


class _Cause(NamedTuple):
    """A message that a fact makes due."""

    kind: MessageKind
    about: About
    at: datetime
    part: str = ""
    """Which of several messages of this kind that the fact makes due."""


def notices(facts: Iterable[LoggedFact]) -> Iterator[Notice]:
    """The messages that facts make due."""
    for position, fact, history in facts:
        causes = _CAUSES.get(type(fact))
        if causes is not None:
            for cause in causes(fact, history):
                yield Notice(f"{cause.kind}-{position}{cause.part}", cause.kind, cause.about, cause.at, position)


def _confirmed(fact: OrderConfirmed, history: OrderHistory) -> Iterable[_Cause]:
    """Not for a reship: the messages of its case cover it."""
    if history.order.placed.reship_of:
        return
    yield _Cause(MessageKind.ORDER_CONFIRMED, About(fact.order_id, due=fact.promised_by), fact.at)


def _sent(fact: SupplierOrderSent, history: OrderHistory) -> Iterable[_Cause]:
    yield _Cause(MessageKind.DISPATCH_INSTRUCTION, _of(history, fact.supplier_order_id, due=fact.dispatch_by), fact.at)
    if fact.address_changed_at is not None:
        about = _of(history, fact.supplier_order_id, due=fact.acknowledge_again_by)
        yield _Cause(MessageKind.ADDRESS_CHANGE, about, fact.address_changed_at, _part(fact.supplier_order_id))


def _acknowledged(fact: SupplierOrderAcknowledged, history: OrderHistory) -> Iterable[_Cause]:
    waiting = [answer for answer in fact.by_line.values() if answer.backordered]
    if waiting:
        expected = [answer.expected_at for answer in waiting if answer.expected_at is not None]
        due = max(expected, default=None)
        about = _of(history, fact.supplier_order_id, because="backordered", due=due)
        yield _Cause(MessageKind.DELAYED, about, fact.at)


def _shipped(fact: SupplierOrderShipped, history: OrderHistory) -> Iterable[_Cause]:
    """Once for all that the order has in the parcel; who read of it before is told what else turns out to be in it."""
    which = (fact.carrier, fact.number, fact.epoch)
    told = [
        each for each in history.order.shipments if (each.carrier, each.number, each.epoch) == which and each.by_line
    ]
    about = _of(history, fact.supplier_order_id, carrier=fact.carrier, number=fact.number, epoch=fact.epoch)
    if fact.by_line and len(told) > 1:
        earlier = _told(history.reported(which, fact.supplier_order_id))
        about = replace(about, because="further", earlier=earlier, further=fact.by_line)
    if fact.by_line:
        yield _Cause(MessageKind.DISPATCHED, about, fact.at)


def _corrected(fact: TrackingCorrected, history: OrderHistory) -> Iterable[_Cause]:
    """The right number is told as if it had been reported at once, or as what it is to who knows the wrong one."""
    carrier, number, epoch = fact.right
    reports = history.reported(fact.right, fact.supplier_order_id)[:-1]
    since = max((index + 1 for index, each in enumerate(reports) if not each.left), default=0)
    earlier = _told(reports[since:])
    about = _of(history, fact.supplier_order_id, carrier=carrier, number=number, epoch=epoch, earlier=earlier)
    shipment = history.order.shipment(carrier, number, epoch)
    if shipment is not None:
        yield _Cause(MessageKind.DISPATCHED, about, shipment.shipped_at)
        yield _Cause(MessageKind.TRACKING_CORRECTED, about, fact.at)


def _voided(fact: ShipmentVoided, history: OrderHistory) -> Iterable[_Cause]:
    """Once for all that the order was said to have in the parcel."""
    *reports, _ = history.reported((fact.carrier, fact.number, fact.epoch), fact.supplier_order_id)
    if reports and reports[-1].left:
        about = _of(history, fact.supplier_order_id, earlier=_told(reports))
        yield _Cause(MessageKind.NOT_DISPATCHED, about, fact.at)


def _told(reports: Iterable[ParcelReport]) -> tuple[str, ...]:
    """The messages that reports made due, of which each customer gets some."""
    left, void = (MessageKind.DISPATCHED, MessageKind.TRACKING_CORRECTED), (MessageKind.NOT_DISPATCHED,)
    return tuple(f"{kind}-{each.position}" for each in reports for kind in (left if each.left else void))


def _delivered(fact: UnitsDelivered, history: OrderHistory) -> Iterable[_Cause]:
    """Not of goods that nobody ordered, nor again because they arrived at another time than was told."""
    if not fact.by_line or fact.instead_of is not None:
        return
    about = About(fact.order_id, carrier=fact.carrier, number=fact.number, epoch=fact.epoch)
    yield _Cause(MessageKind.DELIVERED, about, fact.at)


def _cancel_asked(fact: CancelRequested, history: OrderHistory) -> Iterable[_Cause]:
    yield _Cause(MessageKind.CANCEL_REQUEST, _of(history, fact.supplier_order_id), fact.at)


def _cancelled(fact: UnitsCancelled | CancelAgreed, history: OrderHistory) -> Iterable[_Cause]:
    """Once for all that was cancelled together; what a case sends once more, its own messages tell."""
    order = history.order
    told = [at for at, _ in order.money.cancelled[:-1]]
    if order.placed.reship_of or fact.at in told or (isinstance(fact, CancelAgreed) and fact.by_line == fact.rerouted):
        return
    yield _Cause(MessageKind.UNITS_CANCELLED, About(order.order_id, because="cancelled"), fact.at)


def _moved(fact: PaymentRecorded, history: OrderHistory) -> Iterable[_Cause]:
    """Money that went back for cancelled units; what else a shop refunds, it tells itself."""
    order, payment = history.order, fact.payment
    if payment.kind is PaymentKind.REFUNDED and order.money.cancelled:
        about = About(order.order_id, because="refund_paid", amount=payment.amount)
        yield _Cause(MessageKind.UNITS_CANCELLED, about, fact.at)


def _readdressed(fact: AddressChanged, history: OrderHistory) -> Iterable[_Cause]:
    for supplier_order_id, due in fact.asked.items():
        about = _of(history, supplier_order_id, due=due)
        yield _Cause(MessageKind.ADDRESS_CHANGE, about, fact.at, _part(supplier_order_id))


def _part(supplier_order_id: str) -> str:
    return f"-{supplier_order_id.rpartition('/')[2]}"


def _held(fact: HoldPlaced, history: OrderHistory) -> Iterable[_Cause]:
    for supplier_order_id, instructed in history.turned.items():
        follows = f"{MessageKind.DISPATCH_INSTRUCTION}-{instructed}"
        about = _of(history, supplier_order_id, follows=follows)
        yield _Cause(MessageKind.WAIT, about, fact.at, _part(supplier_order_id))


def _let_go(fact: HoldReleased, history: OrderHistory) -> Iterable[_Cause]:
    for supplier_order_id, held in history.turned.items():
        part = _part(supplier_order_id)
        about = _of(history, supplier_order_id, follows=f"{MessageKind.WAIT}-{held}{part}")
        yield _Cause(MessageKind.GO_ON, about, fact.at, part)


def _missed(fact: DeadlineMissed, history: OrderHistory) -> Iterable[_Cause]:
    """The due time counts, not when it was noticed, so that old breaches of an import make no messages."""
    about = About(fact.order_id, clock=fact.clock.value, due=fact.due)
    if fact.object_id != fact.order_id and fact.clock is not Clock.REFUND_PAID:
        about = _of(history, supplier_order_of(fact.object_id), clock=fact.clock.value, due=fact.due)
        if fact.clock.owner is Party.SUPPLIER:
            yield _Cause(MessageKind.BREACH_NOTICE, about, fact.due)
    yield _Cause(MessageKind.BREACH_ALERT, about, fact.due)
    if fact.clock is Clock.DISPATCH:
        yield _Cause(MessageKind.DELAYED, replace(about, because="dispatch_late", clock="", due=None), fact.due)


def _of(history: OrderHistory, supplier_order_id: str, **more: Any) -> About:
    each = history.order.supplier_orders[supplier_order_id]
    return About(history.order.order_id, supplier_order_id, each.supplier_id, **more)


def _first_scan_missed(fact: FirstScanMissed, parcel: Parcel) -> Iterable[_Cause]:
    about = _parcel(parcel, clock=Clock.FIRST_SCAN.value, due=fact.due)
    if about.supplier_id:
        yield _Cause(MessageKind.BREACH_NOTICE, about, fact.due)
    yield _Cause(MessageKind.BREACH_ALERT, about, fact.due)


def _scanned(fact: CheckpointRecorded, parcel: Parcel) -> Iterable[_Cause]:
    """Only for the first scan with the parcel's present status; not for scans of an earlier use."""
    status = fact.checkpoint.status
    if fact.checkpoint not in parcel.checkpoints:
        return
    if fact.checkpoint.expected_by is not None and status not in _LATE:
        yield from _expected_late(fact.checkpoint, parcel)
    if parcel.status is not status or sum(scan.status is status for scan in parcel.checkpoints) > 1:
        return
    at = fact.checkpoint.at
    if status in _FOR_THE_CUSTOMER:
        yield from _to_customers(_FOR_THE_CUSTOMER[status], parcel, at)
    if status in _LATE:
        due = parcel.estimated_by if status is ParcelStatus.DELAYED else None
        yield from _to_customers(MessageKind.DELAYED, parcel, at, because=_LATE[status], due=due)
    held = parcel.customs_hold
    if held is not None and held.asks_of is Party.CUSTOMER:
        # A payment has no reason: so it was asked for before papers were.
        papers = CustomsAsk.DOCUMENTS.value if held.asks is CustomsAsk.DOCUMENTS else ""
        yield from _to_customers(MessageKind.CUSTOMS_REQUEST, parcel, at, due=held.answer_by, because=papers)
    if status in _TROUBLE:
        yield _Cause(MessageKind.PARCEL_ALERT, _parcel(parcel, because=status.value), at)


def _expected_late(scan: Checkpoint, parcel: Parcel) -> Iterable[_Cause]:
    """The first estimate of a carrier after the promise."""
    promise, estimates = parcel.due_by, [each for each in parcel.checkpoints if each.expected_by is not None]
    late = [each for each in estimates if promise is not None and each.expected_by and each.expected_by > promise]
    if parcel.is_awaited and late == [scan] and estimates[-1] == scan:
        yield from _to_customers(MessageKind.DELAYED, parcel, scan.at, because="estimate", due=scan.expected_by)


def _handed_over(fact: ParcelHandedOver, parcel: Parcel) -> Iterable[_Cause]:
    last_mile, due = fact.last_mile[:2], parcel.estimated_by
    yield from _to_customers(MessageKind.LAST_MILE, parcel, fact.at, last_mile=last_mile, due=due)


_FOR_THE_CUSTOMER = {
    ParcelStatus.OUT_FOR_DELIVERY: MessageKind.OUT_FOR_DELIVERY,
    ParcelStatus.ATTEMPT_FAILED: MessageKind.ATTEMPT_FAILED,
    ParcelStatus.AVAILABLE_FOR_PICKUP: MessageKind.READY_FOR_PICKUP,
}
_LATE = {ParcelStatus.DELAYED: "carrier", ParcelStatus.CUSTOMS_HELD: "customs"}
_TROUBLE = frozenset(
    {
        ParcelStatus.CUSTOMS_HELD,
        ParcelStatus.DAMAGED,
        ParcelStatus.RETURNING,
        ParcelStatus.RETURNED,
        ParcelStatus.REFUSED,
        ParcelStatus.LOST,
        ParcelStatus.DESTROYED,
    }
)


def _to_customers(kind: MessageKind, parcel: Parcel, at: datetime, **more: Any) -> Iterator[_Cause]:
    """One message for each order in the parcel."""
    about, told = _parcel(parcel, **more), set[str]()
    for index, each in enumerate(parcel.contents):
        if each.order_id not in told:
            told.add(each.order_id)
            own = replace(about, order_id=each.order_id, supplier_order_id=each.supplier_order_id)
            yield _Cause(kind, own, at, f"-{index + 1}" if index else "")


def _loss_suspected(fact: LossSuspected, parcel: Parcel) -> Iterable[_Cause]:
    yield _Cause(MessageKind.PARCEL_ALERT, _parcel(parcel, because="suspected_lost"), fact.due or fact.at)


def _parcel(parcel: Parcel, **more: Any) -> About:
    which = (parcel.carrier, parcel.number, parcel.epoch)
    return About(parcel.order_id, parcel.supplier_order_id, parcel.supplier_id, *which, **more)


def _loss_confirmed(fact: LossConfirmed, parcel: Parcel) -> Iterable[_Cause]:
    yield from _to_customers(MessageKind.LOST, parcel, fact.at)
    if parcel.status is ParcelStatus.LOST:
        yield _Cause(MessageKind.PARCEL_ALERT, _parcel(parcel, because="lost"), fact.at)


def _asked_of_supplier(fact: inquiries.InquiryAsked, inquiry: Inquiry) -> Iterable[_Cause]:
    if fact.asked_of is Party.SUPPLIER and fact.supplier_id:
        which = (fact.order_id, fact.supplier_order_id, fact.supplier_id)
        about = About(*which, due=fact.answer_by, inquiry_id=fact.inquiry_id)
        yield _Cause(MessageKind.QUESTION, about, fact.at)


def _case_step(fact: CaseFact, case: Case) -> Iterable[_Cause]:
    step = f"approved_{fact.remedy}" if isinstance(fact, RemedyApproved) else CASE_STEPS[type(fact)]
    due = fact.due if isinstance(fact, EvidenceRequested) else None
    amount = None
    if isinstance(fact, RefundGranted | RefundPaid):
        amount = Money(case.refunds[fact.refund_id].amount_minor, case.currency)
    goes_to = fact.supplier_id if isinstance(fact, ReturnLabelled) else ""
    about = About(case.order_id, "", goes_to, case_id=case.case_id, because=step, due=due, amount=amount)
    yield _Cause(MessageKind.CASE_STEP, about, fact.at)


CASE_STEPS: Mapping[type[Fact], str] = {
    CaseOpened: "opened",
    EvidenceRequested: "evidence_requested",
    ReviewStarted: "under_review",
    RemedyApproved: "approved",
    CaseDenied: "denied",
    ReshipFailed: "reship_failed",
    ReturnLabelled: "return_labelled",
    ReturnReceived: "return_received",
    RefundGranted: "refund_granted",
    RefundDenied: "refund_denied",
    RefundPaid: "refund_paid",
    CaseResolved: "resolved",
    CaseCancelled: "cancelled",
    CaseReopened: "reopened",
}
"""The steps of a case that a customer is told of; liability is not among them."""


def _first_answer_missed(fact: FirstAnswerMissed, case: Case) -> Iterable[_Cause]:
    about = About(case.order_id, case_id=case.case_id, clock=Clock.FIRST_ANSWER.value, due=fact.due)
    yield _Cause(MessageKind.BREACH_ALERT, about, fact.due)


def _case_missed(fact: CaseDeadlineMissed, case: Case) -> Iterable[_Cause]:
    about = About(case.order_id, "", fact.supplier_id, case_id=case.case_id, clock=fact.clock.value, due=fact.due)
    if fact.supplier_id:
        yield _Cause(MessageKind.BREACH_NOTICE, about, fact.due)
    yield _Cause(MessageKind.BREACH_ALERT, about, fact.due)


def _answer_missed(fact: inquiries.InquiryAnswerMissed, inquiry: Inquiry) -> Iterable[_Cause]:
    asked = inquiry.asked
    about = About(
        asked.order_id,
        asked.supplier_order_id,
        asked.supplier_id,
        clock=Clock.ANSWER.value,
        due=fact.due,
        inquiry_id=inquiry.inquiry_id,
    )
    if asked.asked_of is Party.SUPPLIER:
        yield _Cause(MessageKind.BREACH_NOTICE, about, fact.due)
    yield _Cause(MessageKind.BREACH_ALERT, about, fact.due)


def _recovery_answer_missed(fact: recoveries.RecoveryAnswerMissed, history: RecoveryHistory) -> Iterable[_Cause]:
    subject = history.recovery.subject
    about = About(
        subject.order_id,
        subject.supplier_order_id,
        fact.supplier_id,
        clock=Clock.RECOVERY_ANSWER.value,
        due=fact.due,
        recovery_id=fact.recovery_id,
    )
    yield _Cause(MessageKind.BREACH_NOTICE, about, fact.due)
    yield _Cause(MessageKind.BREACH_ALERT, about, fact.due)


def _invoice_disputed(fact: SupplierInvoiceDisputed, history: InvoiceHistory) -> Iterable[_Cause]:
    if history.invoice.dispute == fact:
        about = About(supplier_id=fact.supplier_id, invoice_number=fact.number, due=fact.answer_by)
        yield _Cause(MessageKind.INVOICE_DISPUTE, about, fact.at)


def _stock_up_asked(fact: StockUpAsked, stock_up: StockUp) -> Iterable[_Cause]:
    about = About(supplier_id=fact.supplier_id, sku=fact.sku, stock_up_id=fact.stock_up_id, due=fact.answer_by)
    yield _Cause(MessageKind.STOCK_UP_REQUEST, about, fact.at)


def _stock_up_answer_missed(fact: StockUpAnswerMissed, stock_up: StockUp) -> Iterable[_Cause]:
    about = About(
        supplier_id=fact.supplier_id,
        clock=Clock.STOCK_UP_ANSWER.value,
        due=fact.due,
        sku=stock_up.asked.sku,
        stock_up_id=fact.stock_up_id,
    )
    yield _Cause(MessageKind.BREACH_NOTICE, about, fact.due)
    yield _Cause(MessageKind.BREACH_ALERT, about, fact.due)


def _level(alert: Alert) -> Callable[[Any, Any], Iterable[_Cause]]:
    def causes_of(fact: Any, history: Any) -> Iterable[_Cause]:
        at = fact.stale_at if alert is Alert.STALE else fact.at
        figures = {name: getattr(fact, name) for name in _FIGURES if hasattr(fact, name)}
        if isinstance(fact, Oversold):
            figures["orders_affected"] = len(fact.reservations)
        about = About(supplier_id=fact.supplier_id, sku=fact.sku, because=alert.value, figures=figures)
        yield _Cause(MessageKind.STOCK_ALERT, about, at)

    return causes_of


_FIGURES = ("available", "threshold", "cover_days", "shortfall")


def _listing(because: str) -> Callable[[Any, Any], Iterable[_Cause]]:
    def causes_of(fact: Any, history: Any) -> Iterable[_Cause]:
        yield _Cause(MessageKind.LISTING, About(sku=fact.sku, because=because), fact.at)

    return causes_of


_CAUSES: Mapping[type[Fact], Callable[[Any, Any], Iterable[_Cause]]] = {
    OrderConfirmed: _confirmed,
    SupplierOrderSent: _sent,
    SupplierOrderAcknowledged: _acknowledged,
    SupplierOrderShipped: _shipped,
    TrackingCorrected: _corrected,
    ShipmentVoided: _voided,
    UnitsDelivered: _delivered,
    CancelRequested: _cancel_asked,
    UnitsCancelled: _cancelled,
    CancelAgreed: _cancelled,
    PaymentRecorded: _moved,
    AddressChanged: _readdressed,
    HoldPlaced: _held,
    HoldReleased: _let_go,
    DeadlineMissed: _missed,
    FirstScanMissed: _first_scan_missed,
    CheckpointRecorded: _scanned,
    ParcelHandedOver: _handed_over,
    LossSuspected: _loss_suspected,
    LossConfirmed: _loss_confirmed,
    **dict.fromkeys(CASE_STEPS, _case_step),
    FirstAnswerMissed: _first_answer_missed,
    CaseDeadlineMissed: _case_missed,
    inquiries.InquiryAsked: _asked_of_supplier,
    inquiries.InquiryAnswerMissed: _answer_missed,
    recoveries.RecoveryAnswerMissed: _recovery_answer_missed,
    SupplierInvoiceDisputed: _invoice_disputed,
    StockUpAsked: _stock_up_asked,
    StockUpAnswerMissed: _stock_up_answer_missed,
    Oversold: _level(Alert.OVERSOLD),
    StockLow: _level(Alert.LOW),
    StockRunningOut: _level(Alert.RUNNING_OUT),
    SkuDelisted: _listing("delisted"),
    SkuRelisted: _listing("relisted"),
    SoldOut: _level(Alert.SOLD_OUT),
    FeedStale: _level(Alert.STALE),
}
"""What makes a message due, by fact. What only time makes due stands in ``due_by_time``."""
