"""Every command that touches an order, on one of 50 lines and 50 SKUs, where it has the most to do.

The facts before a command come from commands as well. All goods cross a border, each SKU has three
suppliers, stock is so scarce that each order brings alerts, and a late dispatch costs compensation. Lines are
all of one supplier or, where that is more work, each of its own: 50 supplier orders, 50 parcels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from benchmarks import large_invoice
from benchmarks.large_world import (
    ALL,
    CASE,
    DAY,
    FIRST,
    NUMBERS,
    ORDER,
    PHOTO,
    START,
    Command,
    Decide,
    Owner,
    World,
    acme,
    at_now,
    bare_line,
    each_its_own,
    feeds,
    line_of,
    market,
    nobody,
    only_now,
    places,
    sku_of,
    timer_runs_out,
)
from ledger.decisions import (
    after_sales,
    amending,
    cancelling,
    confirmation,
    corrections,
    customer_invoices,
    delivery,
    dispatch,
    erasing,
    intake,
    last_miles,
    notices,
    order_payments,
    order_stock,
    recovery_demands,
    remarks,
    rerouting,
    stocking_up,
    supplier_inquiries,
    tracking_links,
)
from ledger.decisions.notices import Notice
from ledger.decisions.order_stock import Item
from ledger.decisions.rerouting import Cause
from ledger.facts import Change, LineNo, Sealed, changes_of
from ledger.nouns import (
    claims,
    inquiries,
    orders,
    parcels,
    policies,
    recoveries,
    stock,
    suppliers,
    templates,
)
from ledger.nouns.cases import (
    CaseOpened,
    Denial,
    EvidenceAdded,
    Inspection,
    LiabilityRuled,
    Reason,
    Remedy,
    ReturnLabelled,
)
from ledger.nouns.inquiries import (
    InquiryAnswered,
    InquiryAsked,
    InquiryClosed,
    InquiryFact,
    Topic,
)
from ledger.nouns.messages import About, MessageKind
from ledger.nouns.orders import (
    CustomsLine,
    Hold,
    HoldReason,
    Line,
    PaymentState,
    PersonalDataHeld,
    WhenUnavailable,
    breaches,
)
from ledger.nouns.orders.supplier_orders import LineAnswer, RejectReason, ShipTo
from ledger.nouns.parcels import Checkpoint, ParcelRegistered, ParcelStatus
from ledger.nouns.policies import Seller
from ledger.nouns.recoveries import (
    Cost,
    CostKind,
    DocumentKind,
    Method,
    RecoveryFact,
    RecoveryKind,
    Subject,
)
from ledger.nouns.stock import StockFact
from ledger.nouns.stock_ups import StockUpAsked
from ledger.nouns.templates import TemplateWithdrawn, TemplateWritten
from ledger.terms.clocks import Clock
from ledger.terms.money import Money
from ledger.terms.parties import Party
from ledger.terms.places import Destination
from ledger.terms.retention import Retention
from ledger.terms.shipping import Incoterm
from ledger.view import View


def commands() -> Iterator[Command]:
    """All of them, under the names of their RPCs and of what the ledger's own tasks ask for."""
    yield from _intake()
    yield from _supplier_orders()
    yield from _parcels()
    yield from _cases()
    yield from _recoveries()
    yield from _invoices()
    yield from _others()


def _holds(reason: HoldReason) -> Decide:
    return lambda view, now: confirmation.place_hold(view, ORDER, Hold(reason, "mia", now), now)


def _releases(reason: HoldReason) -> Decide:
    return at_now(confirmation.release_hold, ORDER, reason, "", "")


def _amends(lines: tuple[Line, ...]) -> Decide:
    wanted = orders.Wanted(lines, (), START)
    return only_now(amending.amend, ORDER, wanted, "customer", "customer_edit")


def moves(country: str) -> Decide:
    moved = orders.AddressChanged(ORDER, Sealed("key", b"other box"), Destination(country), START)
    return only_now(intake.change_address, moved)


def _in_cart() -> dict[Item, int]:
    return {("acme", sku_of(n)): 2 for n in NUMBERS}


def _invoiced(view: View, now: datetime) -> Sequence[Change]:
    """All 50 lines on an invoice, whatever has left."""
    lines = tuple(orders.InvoicedLine(LineNo(n), sku_of(n), "", 2, 1980) for n in NUMBERS)
    to = ShipTo(None, Destination("DE"), ORDER, START)
    seller = Seller("Brook & Sons", tax_id="DE1")
    issued = orders.InvoiceIssued(ORDER, "DE1-2026-000001", START.date(), seller, "EUR", lines, to, START, START)
    return [(orders.stream(ORDER), issued)]


def _completes(owner: Owner) -> Decide:
    lines = tuple(line_of(n, owner(n)) for n in NUMBERS)
    details = orders.DetailsCompleted(ORDER, START, lines, incoterm=Incoterm.DDP)
    return only_now(intake.complete_details, details, PaymentState.PAID)


# --- intake ---------------------------------------------------------------------------------------


def _intake() -> Iterator[Command]:
    shop, bazaar = market(), market(each_its_own)
    poor = market(units=1)
    yield Command("PlaceOrder", shop, places(), 153)
    yield Command("PlaceOrder, each line of its own supplier", bazaar, places(each_its_own), 202)
    yield Command("PlaceOrder, suppliers to choose", shop, places(nobody), 154)
    cart = shop.after(only_now(order_stock.reserve, "cart", _in_cart(), None))
    yield Command("PlaceOrder, from a cart", cart, places(cart_id="cart"), 153)
    yield Command("PlaceOrder, out of stock", poor, places(), 1)
    yield Command("PlaceOrder, without customs data", shop, places(line=bare_line, incoterm=None), 101)

    pay = at_now(order_payments.record_payment, ORDER, PaymentState.PAID)
    unpaid = shop.after(places(payment=PaymentState.PENDING))
    yield Command("RecordPayment", unpaid, pay, 54)
    all_unpaid = bazaar.after(places(each_its_own, payment=PaymentState.PENDING))
    yield Command("RecordPayment, each line of its own supplier", all_unpaid, pay, 103)

    more = [feeds("acme", n, 4, 2) for n in NUMBERS]
    chosen = market(units=1, others=1).after(places(nobody)).unserved(*more)
    yield Command("ReleaseHold, suppliers to choose", chosen, _releases(HoldReason.OUT_OF_STOCK), 154)
    yield Command("ChangeAddress, suppliers to choose", chosen, moves("FR"), 155)
    yield Command(
        "ReleaseHold, stock to reserve", poor.after(places()).unserved(*more), _releases(HoldReason.OUT_OF_STOCK), 153
    )
    late = poor.after(places()).unserved(*more)
    yield Command("clock: waiting", late, timer_runs_out("waiting", ORDER, ""), 153)

    empty = places(line=lambda n, _: Line(n, "", 0, 990), payment=PaymentState.UNKNOWN)
    yield Command("CompleteDetails", shop.after(empty), _completes(acme), 155)
    own = bazaar.after(empty)
    yield Command("CompleteDetails, each line of its own supplier", own, _completes(each_its_own), 204)
    others = shop.after(places(lambda _: "bolt", payment=PaymentState.PENDING))
    yield Command("CompleteDetails, other suppliers", others, _completes(acme), 255)

    customs_lines = tuple(CustomsLine(n, "A mug", "691110", "CN", 300, 500) for n in NUMBERS)
    declare = only_now(
        intake.complete_customs_data,
        orders.CustomsDataCompleted(ORDER, START, customs_lines, Incoterm.DDP),
        Money(500 * 2 * len(NUMBERS), "EUR"),
    )
    yield Command("CompleteCustomsData", shop.after(places(line=bare_line, incoterm=None)), declare, 54)
    domestic = places(each_its_own, line=bare_line, incoterm=None, destination=Destination("CN"))
    at_home = bazaar.after(domestic)
    abroad = at_home.after(moves("DE"))
    added = tuple(replace(line_of(n, "acme"), quantity=3) for n in NUMBERS)
    fewer = tuple(replace(line_of(n, "acme"), quantity=1) for n in NUMBERS)
    unpaid = shop.after(places(payment=PaymentState.PENDING))
    yield Command("AmendOrder, more, unconfirmed", unpaid, _amends(added), 101)
    yield Command("AmendOrder, more", shop.after(places()), _amends(added), 152)
    yield Command("AmendOrder, fewer", shop.after(places()), _amends(fewer), 52)
    yield Command("ChangeAddress, to another country", at_home, moves("DE"), 101)
    yield Command("ChangeAddress, back again", abroad, moves("CN"), 101)
    yield Command("CompleteCustomsData, each line of its own supplier", abroad, declare, 101)

    confirm = at_now(confirmation.confirm, ORDER, False, "mia")
    for owner, world, kind in ((acme, shop, ""), (each_its_own, bazaar, ", each line of its own supplier")):
        waiting = world.after(places(owner, payment=PaymentState.AUTHORISED), _releases(HoldReason.AWAITING_PAYMENT))
        yield Command(f"ConfirmOrder{kind}", waiting, confirm, 52)
    backorder = poor.after(places())
    yield Command("ConfirmOrder, out of stock", backorder, at_now(confirmation.confirm, ORDER, True, "mia"), 154)
    served = backorder.after(at_now(confirmation.confirm, ORDER, True, "mia")).unserved(*more)
    yield Command("clock: waiting, confirmed", served, timer_runs_out("waiting", ORDER, ""), 151)
    yield Command("PlaceHold, before the confirmation", unpaid, _holds(HoldReason.BAD_ADDRESS), 1)
    chargeback = orders.ChargebackRecorded(ORDER, "cb-1", Money(990, "EUR"), START)
    placed = shop.after(places())
    yield Command(
        "RecordChargeback", placed, lambda view, now: order_payments.record_chargeback(view, chargeback, now), 1
    )
    yield Command("RecordReview", placed, only_now(intake.review, ORDER, "r1", 5), 1)
    note = orders.NoteAdded(ORDER, Sealed("key-note", b"box"), "digest", "mia", START)
    yield Command("AddOrderNote", placed, lambda view, now: remarks.add_note(view, note), 1)
    tags = orders.TagsChanged(ORDER, "mia", START, added=("vip",))
    asked = orders.InvoiceRequested(ORDER, orders.InvoiceWish(), "mia", START)
    yield Command("RequestCustomerInvoice", placed, lambda view, now: customer_invoices.request(view, asked, now), 1)
    credit = at_now(customer_invoices.credit, ORDER, "DE1-2026-000001", "wrong buyer", "mia")
    yield Command("IssueCreditNote", placed.after(_invoiced), credit, 2)
    yield Command("TagOrder", placed, lambda view, now: remarks.change_tags(view, tags), 1)
    yield Command("WithdrawTrackingLink", placed, only_now(tracking_links.withdraw, ORDER, "mia"), 1)
    yield Command("RenewTrackingLink", placed, only_now(tracking_links.renew, ORDER, "mia"), 1)


# --- supplier orders ------------------------------------------------------------------------------


def sends(number: int = 1) -> Decide:
    return at_now(dispatch.send_supplier_order, f"{ORDER}/{number}")


def ships(number: int = 1) -> Decide:
    return at_now(dispatch.ship, f"{ORDER}/{number}", "dhl", f"P{number}", orders.Told())


def answers(answer: LineAnswer, lines: Iterable[LineNo] = NUMBERS) -> Decide:
    return at_now(dispatch.acknowledge, FIRST, dict.fromkeys(lines, answer))


def _sent() -> World:
    return market().after(places(), sends())


def with_all_sent() -> World:
    """Each line by its own supplier."""
    return market(each_its_own).after(places(each_its_own), *map(sends, NUMBERS))


_CANCELS = at_now(cancelling.cancel, ORDER, {}, "customer", "changed_mind")
_REROUTES = at_now(rerouting.reroute, ORDER, FIRST, {}, Cause(None, "supplier", "overdue"))


def _supplier_orders() -> Iterator[Command]:
    draft, sent, all_sent = market().after(places()), _sent(), with_all_sent()
    yield Command("clock: draft", draft, timer_runs_out("draft", FIRST), 1)
    yield Command("clock: send", draft.later(days=9), timer_runs_out(Clock.SEND, FIRST), 1)
    yield Command("SendSupplierOrder", draft, sends(), 1)
    rejected = LineAnswer(rejected=2, because=RejectReason.OUT_OF_STOCK)
    half_rejected = LineAnswer(accepted=1, rejected=1, because=RejectReason.OUT_OF_STOCK)
    yield Command("AcknowledgeSupplierOrder, accepted", sent, answers(LineAnswer(accepted=2)), 1)
    yield Command("AcknowledgeSupplierOrder, backordered", sent, answers(LineAnswer(accepted=1, backordered=1)), 1)
    yield Command("AcknowledgeSupplierOrder, rejected", sent, answers(rejected), 302)
    yield Command("AcknowledgeSupplierOrder, half rejected", sent, answers(half_rejected), 302)
    yield Command("AcknowledgeSupplierOrder, one of 50", all_sent, answers(rejected, NUMBERS[:1]), 8)
    for when in WhenUnavailable:
        nowhere = market(others=1).after(places(when_unavailable=when), sends())
        yield Command(f"AcknowledgeSupplierOrder, unavailable: {when}", nowhere, answers(rejected), 152)
    yield Command("PackSupplierOrder", sent, at_now(dispatch.pack, FIRST, ("box",)), 1)
    yield Command("ShipSupplierOrder", sent, ships(), 52)
    yield Command("ShipSupplierOrder, too late", sent.later(days=9), ships(), 55)
    yield Command("ShipSupplierOrder, each line by its own supplier", all_sent, ships(), 3)

    yield Command("CancelOrder, drafts", market(each_its_own).after(places(each_its_own)), _CANCELS, 150)
    yield Command("CancelOrder, a draft", draft, _CANCELS, 101)
    yield Command("CancelOrder, unconfirmed", market().after(places(payment=PaymentState.PENDING)), _CANCELS, 101)
    yield Command("CancelOrder, sent", sent, _CANCELS, 1)
    yield Command("CancelOrder, each line by its own supplier", all_sent, _CANCELS, 50)
    agree = at_now(cancelling.answer_cancel, FIRST, True, "")
    yield Command("AnswerCancelRequest", sent.after(_CANCELS), agree, 101)
    unanswered = sent.after(_CANCELS).later(days=9)
    yield Command("clock: cancel_answer", unanswered, timer_runs_out(Clock.CANCEL_ANSWER, FIRST), 1)
    owing = draft.after(_CANCELS).later(days=9)
    yield Command("clock: refund_paid, of an order", owing, timer_runs_out(Clock.REFUND_PAID, f"{ORDER}/owed-1"), 1)
    yield Command("AnswerCancelRequest, to reroute", sent.after(_REROUTES), agree, 252)
    yield Command("RerouteUnits", draft, _REROUTES, 252)
    yield Command("RerouteUnits, sent", sent, _REROUTES, 1)
    nowhere = market(others=1).after(places(), sends(), answers(LineAnswer(rejected=2)))
    found = nowhere.unserved(*(feeds("bolt", n, 4, 2) for n in NUMBERS))
    yield Command("RerouteUnits, open", found, at_now(rerouting.reroute, ORDER, "", {}, Cause(None, "mia", "")), 152)
    yield Command("ReleaseHold, to reroute", found, _releases(HoldReason.OUT_OF_STOCK), 152)

    overdue = sent.later(days=3).after(timer_runs_out(Clock.DISPATCH, FIRST))
    reroute = timer_runs_out("reroute", FIRST, Clock.DISPATCH)
    yield Command("clock: reroute", overdue, reroute, 2)

    held = all_sent.after(_holds(HoldReason.BAD_ADDRESS))
    yield Command("PlaceHold", all_sent, _holds(HoldReason.BAD_ADDRESS), 51)
    yield Command("ReleaseHold", held, _releases(HoldReason.BAD_ADDRESS), 51)
    late = all_sent.later(days=90)
    yield Command("clock: dispatch", late, timer_runs_out(Clock.DISPATCH, FIRST), 2)
    yield Command("clock: acknowledge", late, timer_runs_out(Clock.ACKNOWLEDGE, FIRST), 1)
    yield Command("clock: delivery", late, timer_runs_out(Clock.DELIVERY, ORDER), 1)
    missed = late.after(*(timer_runs_out(Clock.DISPATCH, f"{ORDER}/{n}") for n in NUMBERS))
    before = Hold(HoldReason.BAD_ADDRESS, "mia", START)
    yield Command("PlaceHold, told late", missed, only_now(confirmation.place_hold, ORDER, before), 151)
    yield Command("RuleDelay", missed, _rules_delay, 2)


def _rules_delay(view: View, now: datetime) -> Sequence[Change]:
    order = orders.known(orders.find(view, ORDER), ORDER)
    ruled = breaches.rule_delay(order, FIRST, Clock.DISPATCH, Party.CARRIER, "strike", "mia", now, now)
    return [(orders.stream(ORDER), fact) for fact in ruled]


# --- parcels --------------------------------------------------------------------------------------


def scans(*statuses: ParcelStatus, number: int = 1) -> Decide:
    def record(view: View, now: datetime) -> list[Change]:
        scans = [Checkpoint(now + timedelta(minutes=minute), status) for minute, status in enumerate(statuses)]
        return delivery.record_checkpoints(view, "dhl", f"P{number}", scans, now, now)

    return record


def _loses(number: int = 1) -> Decide:
    return at_now(delivery.confirm_loss, "dhl", f"P{number}", Party.CARRIER, "tracing_failed")


def _shipped() -> World:
    return _sent().after(ships()).later(days=1)


def with_all_shipped() -> World:
    """Each line by its own supplier, in its own parcel."""
    return with_all_sent().after(*map(ships, NUMBERS)).later(days=1)


def _delivered() -> World:
    return _shipped().after(scans(ParcelStatus.DELIVERED))


def with_all_delivered() -> World:
    return with_all_shipped().after(*(scans(ParcelStatus.DELIVERED, number=n) for n in NUMBERS))


_RECEIVES = at_now(delivery.confirm_receipt, ORDER, "customer")


_MISTAKE = corrections.Why("mistyped", "mia", START)
_RIGHT = ("dhl", "P9999")


def corrects(view: View, now: datetime) -> list[Change]:
    return corrections.correct_tracking(view, "dhl", "P1", _RIGHT, "", _MISTAKE, now)


def voids(view: View, now: datetime) -> list[Change]:
    return corrections.void_parcel(view, "dhl", "P1", "", _MISTAKE, now)


def unships(view: View, now: datetime) -> list[Change]:
    return corrections.void_shipment(view, FIRST, _MISTAKE, now)


def hands_over(view: View, now: datetime) -> list[Change]:
    return last_miles.hand_over(view, "dhl", "P1", _RIGHT, START, now)


def _parcels() -> Iterator[Command]:
    shipped, all_shipped = _shipped(), with_all_shipped()
    delivered, lost = _delivered(), shipped.after(_loses())
    way = (*[ParcelStatus.IN_TRANSIT] * 30, ParcelStatus.DELIVERED)
    announced = ParcelRegistered("dhl", "P2", 0, START)
    yield Command("RegisterParcel", shipped, lambda view, now: delivery.register_parcel(view, announced), 1)
    yield Command("RecordCheckpoints, delivered", shipped, scans(ParcelStatus.DELIVERED), 2)
    yield Command("RecordCheckpoints, the whole way", shipped, scans(*way), 32)
    yield Command("RecordCheckpoints, found", lost, scans(ParcelStatus.DELIVERED), 4)
    yield Command("RecordCheckpoints, one parcel of 50", all_shipped, scans(ParcelStatus.DELIVERED), 2)
    yield Command("ConfirmLoss", shipped, _loses(), 2)
    yield Command("DisputeDelivery", delivered, at_now(delivery.dispute_delivery, "dhl", "P1", "not_received"), 2)
    yield Command("CorrectTracking", shipped, corrects, 3)
    yield Command("HandOverParcel", shipped, hands_over, 2)
    yield Command("VoidParcel", shipped, voids, 52)
    yield Command("VoidParcel, all of a supplier order", shipped, unships, 52)
    yield Command("ProveDelivery", delivered, _proves, 1)
    yield Command("ConfirmReceipt", shipped, _RECEIVES, 2)
    yield Command("ConfirmReceipt, each line in its own parcel", all_shipped, _RECEIVES, 51)
    yield Command("ConfirmReceipt, all lost", all_shipped.after(*map(_loses, NUMBERS)), _RECEIVES, 151)
    yield Command("clock: first_scan", shipped.later(days=5), timer_runs_out("first_scan", "dhl/P1/1"), 1)
    yield Command("clock: loss", shipped.later(days=50), timer_runs_out("loss", "dhl", "P1", "1"), 1)
    yield Command(
        "clock: return_window", with_all_delivered().later(days=50), timer_runs_out("return_window", ORDER), 1
    )
    over = (
        with_all_delivered().later(days=50).after(timer_runs_out("return_window", ORDER), _keeps_a_month).later(days=31)
    )
    yield Command("clock: retention", over, timer_runs_out("retention", ORDER), 1)
    retired = over.after(_retires).later(days=31)
    yield Command("clock: supplier_contact", retired, timer_runs_out("supplier_contact", "gone"), 1)


def _keeps_a_month(view: View, now: datetime) -> Sequence[Change]:
    policy = policies.Policy(retention=(Retention(customer_days=30, texts_days=30),), supplier_days=30)
    return changes_of(policies.stream(), policies.agree(policies.find(view), policy, now, now))


def _retires(view: View, now: datetime) -> Sequence[Change]:
    facts = [suppliers.SupplierRegistered("gone", "Gone Ltd", now), suppliers.SupplierRetired("gone", "", now)]
    return changes_of(suppliers.stream("gone"), facts)


def _proves(view: View, now: datetime) -> Sequence[Change]:
    parcel = parcels.known(parcels.find(view, "dhl", "P1"), "dhl", "P1")
    return [(parcels.stream("dhl", "P1"), fact) for fact in parcels.prove_delivery(parcel, None, PHOTO, now)]


# --- cases ----------------------------------------------------------------------------------------


def _opens(reason: Reason = Reason.DAMAGED) -> Decide:
    return lambda view, now: after_sales.open_case(view, CaseOpened(CASE, ORDER, reason, ALL, now, now), now)


def _rules(liable: Party) -> Decide:
    return lambda view, now: after_sales.rule(view, LiabilityRuled(CASE, liable, ("broken",), (), now), now)


def _approves(remedy: Remedy) -> Decide:
    return at_now(after_sales.approve, CASE, remedy, {}, "")


def _files(photo: str) -> Decide:
    added = EvidenceAdded(CASE, photo, "image/png", 7, Party.CUSTOMER, START)
    return only_now(after_sales.add_evidence, added)


_REVIEWS = at_now(after_sales.start_review, CASE)
_GRANTS = at_now(after_sales.grant_refund, CASE, "refund-1", {}, 0, {})
_PAYS = at_now(after_sales.record_refund_paid, CASE, "refund-1", "pay-1")
_LABELS = only_now(
    after_sales.label_return, ReturnLabelled(CASE, "label-1", {}, Party.RETAILER, START, freight_minor=590)
)
_DENIES = at_now(after_sales.deny, CASE, Denial.NOT_COVERED, None)
_SENDS_BACK = at_now(after_sales.ship_return, CASE, "label-1", "dhl", "R1")


def _cases() -> Iterator[Command]:
    one_parcel, own_parcels = (
        (_delivered(), 1, ""),
        (with_all_delivered(), len(NUMBERS), ", each line by its own supplier"),
    )
    for delivered, parties, kind in (one_parcel, own_parcels):
        opened = delivered.after(_opens())
        yield Command(f"OpenCase{kind}", delivered, _opens(), 2)
        yield Command(f"AnswerCustomer{kind}", opened, at_now(after_sales.answer, CASE), 1)
        yield Command(f"RequestEvidence{kind}", opened, at_now(after_sales.request_evidence, CASE, ("photo",)), 1)
        yield Command(f"AddEvidence{kind}", opened, _files(PHOTO), 1)
        yield Command(f"StartReview{kind}", opened, _REVIEWS, 1)
        yield Command(f"CancelCase{kind}", opened, at_now(after_sales.cancel, CASE, Party.CUSTOMER, ""), 2)
        yield Command(f"clock: first_answer{kind}", opened.later(days=5), timer_runs_out("first_answer", CASE), 1)
        reviewed = opened.after(_REVIEWS)
        ruled = reviewed.after(_rules(Party.SUPPLIER))
        yield Command(f"RuleLiability, the supplier{kind}", reviewed, _rules(Party.SUPPLIER), 1 + parties)
        yield Command(f"RuleLiability, the carrier{kind}", reviewed, _rules(Party.CARRIER), 1 + 3 * parties)
        yield Command(f"RuleLiability, anew{kind}", ruled, _rules(Party.CARRIER), 1 + 4 * parties)
        yield Command(f"DenyCase{kind}", ruled, _DENIES, 2 + parties)
        denied = ruled.after(_DENIES, _files(PHOTO))
        yield Command(f"ReopenCase{kind}", denied, at_now(after_sales.reopen, CASE, (PHOTO,)), 2)
        yield Command(f"ApproveRemedy, a reship{kind}", ruled, _approves(Remedy.RESHIP), 205 + parties)
        yield Command(f"ApproveRemedy, a refund{kind}", ruled, _approves(Remedy.REFUND), 1)
        yield Command(f"ApproveRemedy, a return{kind}", ruled, _approves(Remedy.RETURN), 1)
        resolution = timer_runs_out(Clock.RESOLUTION, f"{CASE}/{'supplier-1' if kind else 'acme'}")
        yield Command(f"clock: resolution{kind}", ruled.later(days=9), resolution, 1)
        refunded = ruled.after(_approves(Remedy.REFUND))
        unpaid = refunded.after(_GRANTS).later(days=9)
        yield Command(f"clock: refund_paid{kind}", unpaid, timer_runs_out(Clock.REFUND_PAID, f"{CASE}/refund-1"), 1)
        yield Command(f"GrantRefund{kind}", refunded, _GRANTS, 52)
        yield Command(f"DenyRefund{kind}", refunded, at_now(after_sales.deny_refund, CASE, {}, Denial.OTHER), 3)
        yield Command(f"RecordRefundPaid{kind}", refunded.after(_GRANTS), _PAYS, 4)
        again = refunded.after(_GRANTS, _PAYS, _files(PHOTO), at_now(after_sales.reopen, CASE, (PHOTO,)))
        yield Command(
            f"RuleLiability, after refunds{kind}", again, _rules(Party.CARRIER), 1 + len(NUMBERS) + 4 * parties
        )
        returned = ruled.after(_approves(Remedy.RETURN))
        receive = at_now(after_sales.receive_return, CASE, ALL)
        inspect = at_now(after_sales.inspect_return, CASE, dict.fromkeys(NUMBERS, Inspection(restocked=2)), "")
        labelled = returned.after(_LABELS)
        yield Command(f"RecordReturnLabel{kind}", returned, _LABELS, 3)
        yield Command(f"RecordReturnShipped{kind}", labelled, _SENDS_BACK, 2)
        yield Command(f"RecordReturnReceived{kind}", labelled, receive, 1)
        yield Command(f"RecordInspection{kind}", labelled.after(receive), inspect, 101)
        back = labelled.after(receive, inspect)
        yield Command(f"GrantRefund, after the inspection{kind}", back, _GRANTS, 52)
        failed = ruled.after(_approves(Remedy.RESHIP), at_now(cancelling.cancel, f"{ORDER}+R1", {}, "mia", ""))
        yield Command(f"clock: reship{kind}", failed, timer_runs_out("reship", CASE), 51)


# --- recoveries -----------------------------------------------------------------------------------


def _of_recovery(decide: Callable[..., Sequence[RecoveryFact]], *arguments: Any) -> Decide:
    def changes(view: View, now: datetime) -> Sequence[Change]:
        recovery = recoveries.known(recoveries.find(view, "r1"), "r1")
        return [(recoveries.stream("r1"), fact) for fact in decide(recovery, *arguments, now)]

    return changes


def _recovers(kind: RecoveryKind, subject: Subject) -> Decide:
    costs = tuple(Cost(f"refund-{n}", CostKind.REFUND, 990) for n in NUMBERS)
    return only_now(recovery_demands.open_recovery, "r1", kind, subject, "EUR", costs)


def _recoveries() -> Iterator[Command]:
    shipped, lost = with_all_shipped(), with_all_shipped().later(days=20).after(_loses())
    propose = _recovers(RecoveryKind.SUPPLIER_FAULT, Subject(ORDER, FIRST))
    claim = _recovers(RecoveryKind.CARRIER_LOSS, Subject(ORDER, carrier="dhl", number="P1"))
    proposed, claimed = shipped.after(propose), lost.after(claim)
    whole = Money(990 * len(NUMBERS), "EUR")
    accept, more = _of_recovery(recoveries.accept, whole, START), Cost("more", CostKind.FREIGHT, 500)
    settle = _of_recovery(recoveries.settle, "cn-1", whole, Method.CREDIT_NOTE)
    yield Command("OpenRecovery", shipped, propose, 1)
    yield Command("OpenRecovery, a claim", lost, claim, 3)
    yield Command("RaiseRecovery", proposed, only_now(recovery_demands.raise_recovery, "r1", more, "EUR"), 1)
    yield Command("AnswerRecovery, accepted", proposed, accept, 1)
    yield Command("AnswerRecovery, disputed", proposed, _of_recovery(recoveries.dispute, "not_ours", START), 1)
    yield Command("SettleRecovery", proposed.after(accept), settle, 1)
    yield Command("WriteOffRecovery", proposed, _of_recovery(recoveries.write_off, "too_small"), 1)
    yield Command("clock: recovery_answer", proposed.later(days=9), timer_runs_out("recovery_answer", "r1"), 1)

    early = with_all_shipped().after(_loses(), claim)
    yield Command("clock: claim_eligible", early.later(days=30), timer_runs_out("claim_eligible", "r1"), 1)
    yield Command("clock: claim_filing", early.later(days=90), timer_runs_out("claim_filing", "r1"), 1)
    yield Command("CollectDocument", claimed, _of_recovery(claims.collect, DocumentKind.PHOTO, PHOTO), 1)
    file, deny = _of_recovery(claims.file), _of_recovery(claims.deny, "packed_badly")
    approve, paid = _of_recovery(claims.approve, whole), _of_recovery(claims.pay, "p-1", whole)
    ready = claimed.after(*(_of_recovery(claims.collect, kind, PHOTO) for kind in DocumentKind))
    filed = ready.after(file)
    yield Command("FileClaim", ready, file, 1)
    yield Command("AcknowledgeClaim", filed, _of_recovery(claims.acknowledge, "DHL-7"), 1)
    yield Command("DecideClaim, approved", filed, approve, 1)
    yield Command("DecideClaim, denied", filed, deny, 1)
    yield Command("AppealClaim", filed.after(deny), _of_recovery(claims.appeal, "photos_show_it"), 1)
    yield Command("RecordClaimPayment", filed.after(approve), paid, 1)
    back = _of_recovery(claims.give_back, "b-1", whole)
    yield Command("ReturnClaimPayment", filed.after(approve, paid), back, 1)


def _invoices() -> Iterator[Command]:
    invoiced = _sent().after(large_invoice.records(FIRST, NUMBERS, 2))
    yield Command("ShipSupplierOrder, invoiced", invoiced, ships(), 54)
    for name, before, decide, facts in large_invoice.commands(FIRST, NUMBERS, 2):
        yield Command(name, _shipped().after(*before), decide, facts)


# --- stock, questions, messages -------------------------------------------------------------------


def _of_items(decide: Callable[..., Sequence[StockFact]], *arguments: Any, items: Iterable[Item]) -> Decide:
    """A decision on the stock of each item."""
    return lambda view, now: [
        (stock.stream(*item), fact)
        for item in items
        for fact in decide(stock.find(view, *item), *item, *arguments, now)
    ]


def _others() -> Iterator[Command]:
    shop, sent = market(), _sent()
    in_cart = _in_cart()
    reserve = only_now(order_stock.reserve, "cart", in_cart, None)
    reserved = shop.after(reserve)
    first = "acme", sku_of(NUMBERS[0])
    yield Command("Reserve", shop, reserve, 100)
    yield Command(
        "ExtendReservation", reserved, _of_items(stock.extend, "cart", START + 3 * DAY, START, items=in_cart), 50
    )
    yield Command("ReleaseReservation", reserved, _of_items(stock.release_hold, "cart", items=in_cart), 100)
    yield Command("clock: reservation", reserved.later(days=3), timer_runs_out("reservation", *first, "cart"), 2)
    stock_up = StockUpAsked("s1", *first, 99, START + 9 * DAY, START, answer_by=START + DAY)
    stocked = shop.after(lambda view, now: stocking_up.ask(view, stock_up))
    yield Command("clock: stock_up_answer", stocked.later(days=2), timer_runs_out("stock_up_answer", "s1"), 1)
    sold_out = shop.after(*(feeds(each, NUMBERS[0], 0, 2) for each in ("acme", "bolt", "core")))
    yield Command("clock: listing", sold_out, timer_runs_out("listing", *first, "0-1"), 1)
    yield Command("clock: feed", reserved.later(days=366), timer_runs_out("feed", *first), 1)
    yield Command("RecordFeed, less than was promised", sent, feeds("acme", NUMBERS[0], 1, 2), 3)
    yield Command("SetBuffer", sent, _of_items(stock.set_buffer, 9, items=[first]), 2)
    yield Command("SetLowStockThreshold", sent, _of_items(stock.set_low_threshold, 1, items=[first]), 2)

    ask = _asks(InquiryAsked("q1", Party.RETAILER, Party.SUPPLIER, Topic.DISPATCH, ORDER, START, FIRST))
    asked = sent.after(ask)
    yield Command("AskInquiry", sent, ask, 1)
    yield Command("AnswerInquiry", asked, _of_inquiry(inquiries.answer, InquiryAnswered("q1", START, "desk")), 1)
    yield Command("CloseInquiry", asked, _of_inquiry(inquiries.close, InquiryClosed("q1", "solved", "mia", START)), 1)
    yield Command("clock: answer", asked.later(days=9), timer_runs_out("answer", "q1"), 1)

    many = with_all_sent()
    promised_by = orders.known(orders.find(many.book, ORDER), ORDER).promised_by
    for kind, about in (
        (MessageKind.ORDER_CONFIRMED, About(ORDER)),
        (MessageKind.DISPATCH_INSTRUCTION, About(ORDER, FIRST, "supplier-1")),
        (MessageKind.DELAYED, About(ORDER, due=promised_by)),
        (MessageKind.REMINDER, About(ORDER, FIRST, "supplier-1", clock="dispatch", due=START + 2 * DAY)),
    ):
        yield Command(f"outbox: {kind}", many, _asks_message(kind, about), 1)
    confirmed = many.after(_asks_message(MessageKind.ORDER_CONFIRMED, About(ORDER)))
    failed = only_now(notices.failed, ("m1",), "no route", True)
    yield Command("outbox: sent", confirmed, only_now(notices.sent, ("m1",), "mail", "m-1"), 1)
    yield Command("outbox: failed", confirmed, failed, 1)
    yield Command("CancelMessage", confirmed, only_now(notices.cancel, "m1", "by_a_person", "mia"), 1)
    went = only_now(notices.sent, ("m1",), "mail", "m-1")
    yield Command(
        "RecordBounce", confirmed.after(went), only_now(notices.bounced, "m1", "", "5.1.1", "no such user"), 1
    )
    held = PersonalDataHeld(ORDER, "file 7", "mia", START, START + 9 * DAY)
    yield Command("HoldPersonalData", many, lambda view, now: erasing.hold(view, held), 1)
    yield Command("PutTemplate", many, _writes_template, 1)
    yield Command("WithdrawTemplate", many.after(_writes_template), _withdraws_template, 1)
    yield Command("RetryMessage", confirmed.after(failed), only_now(notices.retry, "m1", "mia"), 1)


def _writes_template(view: View, now: datetime) -> list[Change]:
    kind = MessageKind.DISPATCHED
    written = TemplateWritten(kind, "en", 0, "Your order {{ order }}", "It has left.\n", "mia", now)
    return changes_of(templates.stream(kind), templates.write(templates.find(view, kind), written))


def _withdraws_template(view: View, now: datetime) -> list[Change]:
    kind = MessageKind.DISPATCHED
    withdrawn = TemplateWithdrawn(kind, "en", "mia", now)
    return changes_of(templates.stream(kind), templates.withdraw(templates.find(view, kind), withdrawn))


def _asks(question: InquiryAsked) -> Decide:
    return lambda view, now: supplier_inquiries.ask(view, question)


def _of_inquiry(decide: Callable[..., Sequence[InquiryFact]], fact: InquiryFact) -> Decide:
    return lambda view, now: [
        (inquiries.stream("q1"), each) for each in decide(inquiries.known(inquiries.find(view, "q1"), "q1"), fact, now)
    ]


def _asks_message(kind: MessageKind, about: About) -> Decide:
    templates = {(each, "en"): 1 for each in MessageKind}
    return only_now(notices.ask, Notice("m1", kind, about, START, 1), templates)
