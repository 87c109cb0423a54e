"""Whether a message is still true when it is about to be sent, and whether it has to wait (DOMAIN 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from ledger.facts import supplier_order_of
from ledger.nouns import cases, inquiries, messages, orders, parcels, recoveries, stock_ups, supplier_invoices
from ledger.nouns.cases import Case, CaseStatus
from ledger.nouns.inquiries import Inquiry
from ledger.nouns.messages import About, Message, MessageKind, MessageStage
from ledger.nouns.orders import Header, Order, Shipment
from ledger.nouns.orders.supplier_orders import SupplierOrder, reroutable
from ledger.nouns.parcels import CustomsAsk, Parcel
from ledger.nouns.policies import Policy
from ledger.nouns.recoveries import Recovery
from ledger.nouns.stock_ups import StockUp
from ledger.nouns.supplier_invoices import SupplierInvoice
from ledger.terms.clocks import Clock, Reading
from ledger.terms.parties import Party
from ledger.terms.shipping import Incoterm
from ledger.view import View


def obsolete(view: View, kind: MessageKind, about: About, policy: Policy) -> str:
    """Why the message is no longer to be sent; empty while it is."""
    order = orders.find(view, about.order_id) if about.order_id else None
    parcel = parcels.find(view, about.carrier, about.number) if about.number else None
    if parcel is not None and parcel.epoch != about.epoch:
        return "superseded"
    case = cases.find(view, about.case_id) if about.case_id else None
    inquiry = inquiries.find(view, about.inquiry_id) if about.inquiry_id else None
    recovery = recoveries.find(view, about.recovery_id) if about.recovery_id else None
    before = messages.find(view, about.follows) if about.follows else None
    earlier = tuple(told for name in about.earlier if (told := messages.find(view, name)) is not None)
    invoice = supplier_invoices.find(view, about.supplier_id, about.invoice_number) if about.invoice_number else None
    stock_up = stock_ups.find(view, about.stock_up_id) if about.stock_up_id else None
    return _OBSOLETE[kind](
        _Present(
            about=about,
            order=order,
            parcel=parcel,
            case=case,
            inquiry=inquiry,
            recovery=recovery,
            invoice=invoice,
            policy=policy,
            before=before,
            stock_up=stock_up,
            earlier=earlier,
        )
    )


class _Present(NamedTuple):
    """What a message is about, as it is now."""

    about: About
    order: Order | None
    parcel: Parcel | None
    case: Case | None
    inquiry: Inquiry | None
    recovery: Recovery | None
    invoice: SupplierInvoice | None
    policy: Policy
    before: Message | None = None
    """The message that it follows."""
    stock_up: StockUp | None = None
    earlier: tuple[Message, ...] = ()
    """What was told of the same goods before, the oldest first."""

    @property
    def supplier_order(self) -> SupplierOrder | None:
        return None if self.order is None else self.order.supplier_orders.get(self.about.supplier_order_id)

    @property
    def shipment(self) -> Shipment | None:
        about = self.about
        return None if self.order is None else self.order.shipment(about.carrier, about.number, about.epoch)

    @property
    def bucket(self) -> str:
        """Where the units of the parcel are."""
        return "" if self.shipment is None else self.shipment.bucket


def _confirmation(now: _Present) -> str:
    return "order_cancelled" if now.order is None or now.order.header is Header.CANCELLED else ""


def _dispatch(now: _Present) -> str:
    """One with another number tells of itself, if the customer was told that one. Further units are told of to who was
    told of the parcel; who was not reads of all that is in it at once."""
    if now.about.further and not _was_told(now):
        return "named_with_the_rest"
    return "" if now.bucket == "shipped" and _was_told(now) == _are_in_it(now) else "superseded"


def _are_in_it(now: _Present) -> bool:
    """Whether a message is about further units, which are still known to be in the parcel."""
    about, which = now.about, (now.about.carrier, now.about.number, now.about.epoch)
    mine = [each for each in now.order.shipments if each.parcel == which] if now.order and about.further else []
    return any(each.supplier_order_id == about.supplier_order_id for each in mine)


def _tracking_corrected(now: _Present) -> str:
    if now.bucket != "shipped":
        return "superseded"
    return "" if _was_told(now) else "not_told"


def _last_mile(now: _Present) -> str:
    """Not of one that was taken back, or handed over again meanwhile."""
    parcel, newest = now.parcel, [each[:2] for each in now.parcel.last_miles[-1:]] if now.parcel is not None else []
    return "" if parcel is not None and parcel.is_awaited and newest == [now.about.last_mile] else "superseded"


def _not_dispatched(now: _Present) -> str:
    """Once it has left, the dispatch message has more to report."""
    if now.supplier_order is None or not now.supplier_order.unshipped:
        return "superseded"
    return "" if _was_told(now) else "not_told"


def _was_told(now: _Present) -> bool:
    """Whether the customer reads of a number that is none: what was said last says that something left."""
    said = [each for each in (*now.earlier, now.before) if each is not None and each.stage in _SAID]
    return bool(said) and said[-1].asked.kind is not MessageKind.NOT_DISPATCHED


def _delay(now: _Present) -> str:
    about, order = now.about, now.order
    if order is None or order.header is Header.CANCELLED:
        return "order_cancelled"
    if order.delivered_at is not None or now.bucket == "delivered":
        return "delivered"
    match about.because:
        case "dispatch_late":
            missed = order.is_missed(about.supplier_order_id, Clock.DISPATCH)
            # Once everything has left, the dispatch message has more to report.
            gone = now.supplier_order is None or not now.supplier_order.unshipped
            return "superseded" if gone or not missed else ""
        case "backordered" if about.supplier_order_id:
            waits = now.supplier_order is not None and now.supplier_order.count("backordered")
            return "" if waits else "superseded"
        case "customs" if _asks_the_customer(now):
            return "asked_to_pay"
        case "estimate":
            estimate = now.parcel.estimated_by if now.parcel is not None else None
            late = estimate is not None and order.promised_by is not None and estimate > order.promised_by
            return "" if late else "superseded"
        case "carrier" | "customs":
            return "" if _parcel_is(now, _DELAYS[about.because]) else "superseded"
        case _:
            left = order.units("open") + order.units("backordered") + order.units("assigned")
            return "" if about.because and left and about.due == order.promised_by else "superseded"


_DELAYS = {"carrier": "delayed", "customs": "customs_held"}
"""The status of a parcel that is late for this reason."""


def _parcel_is(now: _Present, status: str) -> bool:
    return now.parcel is not None and now.parcel.status == status


def _parcel_stays(status: str) -> Callable[[_Present], str]:
    return lambda now: "" if _parcel_is(now, status) else "superseded"


def _customs_request(now: _Present) -> str:
    if not _parcel_is(now, "customs_held"):
        return "superseded"
    if _asks_the_customer(now):
        return ""
    return "asked_of_another" if now.about.because == CustomsAsk.DOCUMENTS else "paid_by_the_seller"


def _asks_the_customer(now: _Present) -> bool:
    """Whether customs holds the parcel until the customer does something; the seller pays its duty under DDP."""
    held = now.parcel.customs_hold if now.parcel is not None and _parcel_is(now, "customs_held") else None
    if now.order is None or held is None or held.asks_of is not Party.CUSTOMER:
        return False
    return held.asks is not CustomsAsk.PAYMENT or now.order.incoterm is not Incoterm.DDP


def _loss(now: _Present) -> str:
    return "" if now.bucket == "lost" else "superseded"


def _question(now: _Present) -> str:
    return "" if now.inquiry is not None and now.inquiry.is_open else "answered"


def _arrival(now: _Present) -> str:
    shipment = now.shipment
    if shipment is None or shipment.bucket != "delivered":
        return "delivery_disputed"
    # A customer who confirmed the receipt knows that it arrived.
    told_us = now.order is not None and now.order.receipt_confirmed_at == shipment.delivered_at
    return "receipt_confirmed" if told_us else ""


def _instruction(now: _Present) -> str:
    return "" if now.supplier_order is not None and now.supplier_order.unshipped else "nothing_to_ship"


def _address_change(now: _Present) -> str:
    """Who packed meanwhile keeps the address that it had, or has the new one already."""
    return "nothing_to_ship" if now.supplier_order is None or now.supplier_order.is_fixed else ""


def _wait(now: _Present) -> str:
    if now.supplier_order is None or not now.supplier_order.unshipped:
        return "nothing_to_ship"
    if now.before is not None and now.before.next_at is not None:
        return "not_instructed"  # nor will it be while a hold stands
    return "" if _is_held(now) else "released"


def _go_on(now: _Present) -> str:
    if now.supplier_order is None or not reroutable(now.supplier_order):
        return "nothing_to_ship"
    if now.before is None or now.before.stage not in _SAID:
        return "not_told_to_wait"
    return "on_hold" if _is_held(now) else ""


_SAID = (MessageStage.SENT, MessageStage.GIVEN_UP, MessageStage.BOUNCED)
"""What was given up a person has told, or has to."""


def _is_held(now: _Present) -> bool:
    return now.order is not None and bool(orders.holds_on(now.order, now.about.supplier_order_id))


def _cancel_request(now: _Present) -> str:
    return "" if now.supplier_order is not None and now.supplier_order.cancel_asked else "answered"


def _reminder(now: _Present) -> str:
    """Only of a running clock whose due time is unchanged; not of one that is shorter than the notice period."""
    about, order, sent = now.about, now.order, now.supplier_order
    notice = timedelta(hours=now.policy.remind_before_hours)
    if about.clock == Clock.STOCK_UP_ANSWER:
        asked = now.stock_up
        running = asked is not None and about.due is not None and _awaits(asked) and asked.asked.answer_by == about.due
        in_time = asked is not None and about.due is not None and about.due - asked.asked.at > notice
        return "" if running and in_time else "no_longer_due"
    if about.clock == Clock.ANSWER:
        return "" if _awaits_answer(now.inquiry, about.due, notice) else "no_longer_due"
    if order is None or sent is None or sent.sent_at is None or sent.stopped_since is not None:
        return "no_longer_due"
    running = any(
        (each.object_id, each.clock, each.due, each.met_at) == (about.supplier_order_id, about.clock, about.due, None)
        for each in orders.deadlines(order)
    )
    in_time = about.due is not None and about.due - sent.sent_at > notice
    return "" if running and in_time and sent.unshipped else "no_longer_due"


def _awaits_answer(inquiry: Inquiry | None, due: datetime | None, notice: timedelta) -> bool:
    if inquiry is None or due is None or not inquiry.is_open or inquiry.asked.answer_by != due:
        return False
    return due - inquiry.asked.at > notice


def _breach(now: _Present) -> str:
    stands = any(each.is_missed and each.clock == now.about.clock for each in _readings(now))
    return "" if stands else "breach_withdrawn"


def _readings(now: _Present) -> Iterator[Reading]:
    """The clocks of all that a message is about, of an order those of the supplier order or of itself."""
    about, order = now.about, now.order
    if order is not None:
        object_id = about.supplier_order_id or about.order_id
        yield from (each for each in orders.readings(order) if supplier_order_of(each.object_id) == object_id)
    if now.parcel is not None:
        yield from parcels.readings(now.parcel)
    if now.case is not None:
        yield from cases.readings(now.case)
    if now.inquiry is not None:
        yield from inquiries.readings(now.inquiry)
    if now.recovery is not None:
        yield from recoveries.readings(now.recovery)
    if now.stock_up is not None:
        yield from stock_ups.readings(now.stock_up)


def _parcel_trouble(now: _Present) -> str:
    return "" if _parcel_is(now, now.about.because) else "superseded"


def _case_step(now: _Present) -> str:
    """A step that was taken stays true; only a request for evidence is obsolete once it is answered."""
    asked = now.about.because == "evidence_requested"
    return "superseded" if asked and (now.case is None or now.case.status is not CaseStatus.EVIDENCE_REQUESTED) else ""


def _case_due(now: _Present) -> str:
    return "" if now.case is not None and now.case.first_answered_at is None else "answered"


def _stock_up_request(now: _Present) -> str:
    return "" if now.stock_up is not None and _awaits(now.stock_up) else "answered"


def _awaits(stock_up: StockUp) -> bool:
    """Whether its supplier has still to answer."""
    return stock_up.answer is None and stock_up.withdrawn is None


def _invoice_dispute(now: _Present) -> str:
    return "" if now.invoice is not None and now.invoice.dispute is not None else "settled"


def _level(now: _Present) -> str:
    """A crossing is reported once, whatever the level is by now."""
    return ""


def _stays_true(now: _Present) -> str:
    """What was cancelled, or paid, is."""
    return ""


_OBSOLETE: Mapping[MessageKind, Callable[[_Present], str]] = {
    MessageKind.ORDER_CONFIRMED: _confirmation,
    MessageKind.DISPATCHED: _dispatch,
    MessageKind.DELAYED: _delay,
    MessageKind.OUT_FOR_DELIVERY: _parcel_stays("out_for_delivery"),
    MessageKind.ATTEMPT_FAILED: _parcel_stays("attempt_failed"),
    MessageKind.READY_FOR_PICKUP: _parcel_stays("available_for_pickup"),
    MessageKind.CUSTOMS_REQUEST: _customs_request,
    MessageKind.LOST: _loss,
    MessageKind.QUESTION: _question,
    MessageKind.DELIVERED: _arrival,
    MessageKind.DISPATCH_INSTRUCTION: _instruction,
    MessageKind.CANCEL_REQUEST: _cancel_request,
    MessageKind.ADDRESS_CHANGE: _address_change,
    MessageKind.WAIT: _wait,
    MessageKind.GO_ON: _go_on,
    MessageKind.REMINDER: _reminder,
    MessageKind.BREACH_NOTICE: _breach,
    MessageKind.BREACH_ALERT: _breach,
    MessageKind.PARCEL_ALERT: _parcel_trouble,
    MessageKind.CASE_STEP: _case_step,
    MessageKind.CASE_DUE: _case_due,
    MessageKind.UNITS_CANCELLED: _stays_true,
    MessageKind.STOCK_ALERT: _level,
    MessageKind.LISTING: _level,
    MessageKind.INVOICE_DISPUTE: _invoice_dispute,
    MessageKind.STOCK_UP_REQUEST: _stock_up_request,
    MessageKind.TRACKING_CORRECTED: _tracking_corrected,
    MessageKind.LAST_MILE: _last_mile,
    MessageKind.NOT_DISPATCHED: _not_dispatched,
}


def waits(view: View, kind: MessageKind, about: About) -> bool:
    """Whether a message has to wait before it is sent, which is no failed attempt.

    A supplier is told to ship nothing while a hold stands, or while it is asked to stop all that is left.
    """
    if kind is not MessageKind.DISPATCH_INSTRUCTION or (order := orders.find(view, about.order_id)) is None:
        return False
    held = orders.holds_on(order, about.supplier_order_id)
    return bool(held) or not reroutable(order.supplier_orders[about.supplier_order_id])
