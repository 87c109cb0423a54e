"""Short commands for what happens to orders, in memory: ``scenario.place(...); scenario.ship(...)``.

Every method runs one command at ``scenario.now``, records what it decided, checks that no unit was
lost or promised twice, and returns the facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

import pytest

from ledger.decisions import (
    amending,
    cancelling,
    confirmation,
    corrections,
    delivery,
    dispatch,
    intake,
    last_miles,
    order_payments,
    rerouting,
    sourcing,
    stock_alerts,
    stock_watch,
    supplier_inquiries,
)
from ledger.decisions.corrections import Why
from ledger.decisions.rerouting import Cause
from ledger.decisions.timers import AnswerDue, FeedDue, FirstScanDue, LossDue, ReservationDue, ReturnWindowDue, Timer
from ledger.engine.book import Book
from ledger.facts import (
    Change,
    Fact,
    LineNo,
    Sealed,
    Units,
    changes_of,
    order_of,
)
from ledger.nouns import (
    NOUNS,
    inquiries,
    orders,
    parcels,
    policies,
    stock,
    suppliers,
)
from ledger.nouns.inquiries import (
    InquiryAnswered,
    InquiryAsked,
    InquiryClosed,
    Topic,
)
from ledger.nouns.offers import Offer
from ledger.nouns.orders import (
    Charge,
    Header,
    Hold,
    HoldReason,
    Line,
    Order,
    OrderPlaced,
    Payment,
    PaymentKind,
    PaymentState,
    Told,
    breaches,
)
from ledger.nouns.orders.supplier_orders import LineAnswer, RejectReason, SupplierOrder
from ledger.nouns.parcels import (
    Checkpoint,
    Parcel,
    ParcelRegistered,
    ParcelStatus,
)
from ledger.nouns.policies import Policy
from ledger.nouns.stock import Feed, Stock, StockFact
from ledger.nouns.suppliers import Agreement, Supplier
from ledger.refusals import Refusal
from ledger.terms.clocks import Clock
from ledger.terms.money import Money
from ledger.terms.parties import Party
from ledger.terms.places import Destination
from ledger.terms.shipping import Incoterm
from tests.support import documented
from tests.support.invariants import check_order, check_stock, check_waiting

F = TypeVar("F", bound=Fact)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

ANNA = Sealed("key-anna", b"Anna, Elm Street 1")
GERMANY = Destination("DE", "Berlin", "10")
TERMS = Agreement(
    effective_from=NOON - 30 * DAY,
    acknowledge_within_hours=24,
    dispatch_within_hours=48,
    express_dispatch_within_hours=24,
    first_scan_within_hours=36,
)

ORDER = "shopify/1"
FIRST, SECOND, THIRD = (f"{ORDER}/{n}" for n in (1, 2, 3))
"""The supplier orders of the order, as they are drafted."""


def line(n: int, sku: str, quantity: int, supplier_id: str = "acme", unit_price_minor: int = 500, **more: Any) -> Line:
    return Line(LineNo(n), sku, quantity, unit_price_minor=unit_price_minor, supplier_id=supplier_id, **more)


def units(by_line: dict[int, int] | None) -> Units:
    return {LineNo(n): count for n, count in (by_line or {}).items()}


def accept(count: int) -> LineAnswer:
    return LineAnswer(accepted=count)


def reject(count: int, because: RejectReason = RejectReason.OTHER) -> LineAnswer:
    return LineAnswer(rejected=count, because=because)


def scan(status: ParcelStatus, at: datetime, code: str = "") -> Checkpoint:
    return Checkpoint(at, status, code)


class Scenario:
    """What happened so far; nothing but the facts is kept."""

    def __init__(self) -> None:
        self.book = Book.of(NOUNS)
        self.log: list[Change] = []
        self.now = NOON

    def later(self, **time: float) -> datetime:
        self.now += timedelta(**time)
        return self.now

    def record(self, changes: Iterable[Change]) -> list[Fact]:
        """Records the facts that a decision returned."""
        changes = list(stock_watch.watched(self.book, list(changes), self.now))
        waited = {stream: self._waited(stream) for stream, _ in changes if stream.startswith("stock-")}
        for stream, fact in changes:
            self.book.record([(stream, fact)])
            state = self.book.state(stream)
            if isinstance(state, Stock):
                check_stock(state, fact)
        for stream in dict.fromkeys(stream for stream, _ in changes):
            state = self.book.state(stream)
            if isinstance(state, Order):
                check_order(state, self.book)
        for stream, (waiting, kept) in waited.items():
            check_waiting(waiting, kept, self.book.state(stream), [f for name, f in changes if name == stream])
        self.log += changes
        return [fact for _, fact in changes]

    def _waited(self, stream: str) -> tuple[list[str], int]:
        """Who waited for a stock before a command, and what was kept for them."""
        before = self.book.state(stream)
        return (list(before.waiting), before.kept) if isinstance(before, Stock) else ([], 0)

    # --- what there is ---

    def everything(self) -> dict[str, object]:
        """Each stream's state, to be compared: stock changes in place, every other state is a new one if it changed."""
        states = ((stream, entry.state) for stream, entry in self.book.shelf._entries.items())
        return {stream: repr(state) if isinstance(state, Stock) else state for stream, state in states}

    def order(self, order_id: str = ORDER) -> Order:
        return orders.known(orders.find(self.book, order_id), order_id)

    def supplier_order(self, supplier_order_id: str = FIRST) -> SupplierOrder:
        return self.order(supplier_order_id.rpartition("/")[0]).supplier_order(supplier_order_id)

    def buckets(self, line_no: int = 1, order_id: str = ORDER) -> dict[str, int]:
        """The buckets of a line that are not empty."""
        buckets = self.order(order_id).buckets[LineNo(line_no)]
        return {name: count for name in buckets.__struct_fields__ if (count := getattr(buckets, name))}

    def stock(self, sku: str = "tea", supplier_id: str = "acme") -> Stock:
        found = stock.find(self.book, supplier_id, sku)
        assert found is not None
        return found

    def supplier(self, supplier_id: str = "acme") -> Supplier:
        return suppliers.known(suppliers.find(self.book, supplier_id), supplier_id)

    def parcel(self, number: str = "P1", carrier: str = "dhl") -> Parcel:
        return parcels.known(parcels.find(self.book, carrier, number), carrier, number)

    def header(self, order_id: str = ORDER) -> Header:
        return self.order(order_id).header

    def holds(self, order_id: str = ORDER) -> list[HoldReason]:
        return [hold.reason for hold in self.order(order_id).holds]

    # --- suppliers and stock ---

    def approve(self, supplier_id: str = "acme", agreement: Agreement = TERMS, **more: Any) -> list[Fact]:
        """A supplier on its whole way to approval."""
        at = self.now
        facts: list[suppliers.SupplierFact] = [
            suppliers.SupplierRegistered(supplier_id, supplier_id.title(), at, **more),
            suppliers.SampleReviewed(supplier_id, True, True, True, at),
            suppliers.TermsAgreed(supplier_id, agreement, at),
            suppliers.SupplierApproved(supplier_id, at),
        ]
        return self.record((suppliers.stream(supplier_id), fact) for fact in facts)

    def suspend(self, supplier_id: str = "acme") -> list[Fact]:
        return self._about_supplier(supplier_id, suppliers.suspend(self.supplier(supplier_id), "late", self.now))

    def reinstate(self, supplier_id: str = "acme") -> list[Fact]:
        return self._about_supplier(supplier_id, suppliers.reinstate(self.supplier(supplier_id), self.now))

    def agree_terms(self, agreement: Agreement, supplier_id: str = "acme") -> list[Fact]:
        return self._about_supplier(supplier_id, suppliers.agree_terms(self.supplier(supplier_id), agreement, self.now))

    def offer(self, sku: str = "tea", cost: Money | int = 300, supplier_id: str = "acme", **more: Any) -> list[Fact]:
        """What a supplier offers of a SKU; a bare cost is in euro cents."""
        price = Money(cost, "EUR") if isinstance(cost, int) else cost
        return self.record(sourcing.offer_sku(self.book, supplier_id, Offer(sku, price, **more), self.now))

    def update_supplier(self, supplier_id: str = "acme", at: datetime | None = None, **named: Any) -> list[Fact]:
        update = suppliers.SupplierUpdated(supplier_id, at or self.now, **named)
        return self._about_supplier(supplier_id, suppliers.update(self.supplier(supplier_id), update))

    def _about_supplier(self, supplier_id: str, facts: Sequence[suppliers.SupplierFact]) -> list[Fact]:
        return self.record((suppliers.stream(supplier_id), fact) for fact in facts)

    def feed(
        self,
        quantity: int,
        sku: str = "tea",
        supplier_id: str = "acme",
        version: int | None = None,
        as_of: datetime | None = None,
        watermark: datetime | None = None,
    ) -> list[Fact]:
        """A feed, one version newer than the last unless a version is named."""
        present = stock.find(self.book, supplier_id, sku)
        if version is None:
            version = present.feed.version + 1 if present and present.feed else 1
        feed = Feed(quantity, version, as_of or self.now, watermark)
        return self.record(stock_alerts.record_feed(self.book, supplier_id, sku, feed, self.now))

    def buffer(self, count: int, sku: str = "tea") -> list[Fact]:
        return self._about_stock(
            "acme", sku, stock.set_buffer(stock.find(self.book, "acme", sku), "acme", sku, count, self.now)
        )

    def threshold(self, count: int | None, sku: str = "tea") -> list[Fact]:
        present = stock.find(self.book, "acme", sku)
        return self._about_stock("acme", sku, stock.set_low_threshold(present, "acme", sku, count, self.now))

    def restock(self, count: int, sku: str = "tea", case_id: str = "case-1", supplier_id: str = "acme") -> list[Fact]:
        facts = stock.restock(supplier_id, sku, count, "returned", self.now, case_id)
        return self._about_stock(supplier_id, sku, facts)

    def correct(self, quantity: int, sku: str = "tea") -> list[Fact]:
        """Somebody counted, or the supplier corrected its figure."""
        return self._about_stock("acme", sku, [stock.StockCorrected("acme", sku, quantity, "phone", self.now)])

    def agree(self, since: datetime | None = None, **terms: Any) -> list[Fact]:
        """The retailer's own terms, from now on unless said otherwise."""
        return self.record(
            changes_of(
                policies.stream(),
                policies.agree(policies.find(self.book), Policy(**terms), since or self.now, self.now),
            )
        )

    def reserve(self, reservation_id: str, count: int, minutes: int = 15, sku: str = "tea") -> list[Fact]:
        present = stock.find(self.book, "acme", sku)
        until = self.now + timedelta(minutes=minutes)
        return self._about_stock(
            "acme", sku, stock.reserve(present, "acme", sku, reservation_id, count, until, self.now)
        )

    def extend(self, reservation_id: str, until: datetime) -> list[Fact]:
        facts = stock.extend(self.stock(), "acme", "tea", reservation_id, until, self.now, self.now)
        return self._about_stock("acme", "tea", facts)

    def let_go(self, reservation_id: str) -> list[Fact]:
        return self._about_stock(
            "acme", "tea", stock.release_hold(self.stock(), "acme", "tea", reservation_id, self.now)
        )

    def _about_stock(self, supplier_id: str, sku: str, facts: Sequence[StockFact]) -> list[Fact]:
        return self.record((stock.stream(supplier_id, sku), fact) for fact in facts)

    def expire(self, reservation_id: str, sku: str = "tea") -> list[Fact]:
        return self.notice(ReservationDue("acme", sku, reservation_id, due=self.now))

    # --- orders ---

    def place(
        self,
        *lines: Line,
        order_id: str = ORDER,
        payment: PaymentState = PaymentState.PAID,
        all_or_nothing: bool = False,
        cart_id: str = "",
        **more: Any,
    ) -> list[Fact]:
        """An order that is complete and paid unless said otherwise."""
        channel, _, number = order_id.partition("/")
        known: dict[str, Any] = {"placed_at": self.now, "customer": ANNA, "has_contact": True, "has_address": True}
        known |= {"currency": "EUR", "destination": GERMANY, "intake": order_id, "lines": lines or (line(1, "tea", 3),)}
        placed = OrderPlaced(
            order_id=order_id,
            channel=channel,
            channel_order_id=number,
            at=self.now,
            payment=payment,
            **{**known, **more},
        )
        return self.record(intake.place(self.book, placed, all_or_nothing, cart_id, self.now))

    def complete(self, *lines: Line, order_id: str = ORDER, **more: Any) -> list[Fact]:
        payment = more.pop("payment", None)
        details = orders.DetailsCompleted(order_id, more.pop("at", self.now), lines, **more)
        return self.record(intake.complete_details(self.book, details, payment, self.now))

    def amend(
        self,
        *lines: Line,
        order_id: str = ORDER,
        version: int = 0,
        charges: Sequence[Charge] = (),
        at: datetime | None = None,
    ) -> list[Fact]:
        """The order is to have these lines now, and no others."""
        wanted = orders.Wanted(lines, tuple(charges), at or self.now, version)
        return self.record(amending.amend(self.book, order_id, wanted, "customer", "customer_edit", self.now))

    def complete_customs(
        self,
        *lines: orders.CustomsLine,
        incoterm: Incoterm | None = None,
        declared: Money | None = None,
        order_id: str = ORDER,
    ) -> list[Fact]:
        completed = orders.CustomsDataCompleted(order_id, self.now, lines, incoterm)
        return self.record(intake.complete_customs_data(self.book, completed, declared, self.now))

    def pay(
        self, payment: PaymentState = PaymentState.PAID, order_id: str = ORDER, at: datetime | None = None
    ) -> list[Fact]:
        return self.record(order_payments.record_payment(self.book, order_id, payment, at or self.now, self.now))

    def moves(self, *payments: Payment, order_id: str = ORDER) -> list[Fact]:
        return self.record(order_payments.record_payment(self.book, order_id, None, self.now, self.now, payments))

    def moved(
        self, kind: PaymentKind, amount_minor: int, payment_id: str = "", at: datetime | None = None, of: str = ""
    ) -> list[Fact]:
        """Money of the order, in euros."""
        payment_id = payment_id or f"{kind}-{amount_minor}"
        return self.moves(Payment(payment_id, kind, Money(amount_minor, "EUR"), at or self.now, of=of))

    def pays_owed(
        self, payment_id: str = "back-1", amount_minor: int | None = None, currency: str = "EUR", order_id: str = ORDER
    ) -> list[Fact]:
        amount = None if amount_minor is None else Money(amount_minor, currency)
        return self.record(order_payments.pay_owed(self.book, order_id, payment_id, amount, self.now, self.now))

    def charge_back(
        self, amount_minor: int, chargeback_id: str = "cb-1", currency: str = "EUR", order_id: str = ORDER
    ) -> list[Fact]:
        amount = Money(amount_minor, currency)
        chargeback = orders.ChargebackRecorded(order_id, chargeback_id, amount, self.now)
        return self.record(order_payments.record_chargeback(self.book, chargeback, self.now))

    def hold(
        self,
        reason: HoldReason,
        owner: str = "mia",
        supplier_order_id: str = "",
        order_id: str = ORDER,
        at: datetime | None = None,
    ) -> list[Fact]:
        hold = Hold(reason, owner, at or self.now, supplier_order_id=supplier_order_id)
        return self.record(confirmation.place_hold(self.book, order_id, hold, self.now))

    def release(
        self,
        reason: HoldReason,
        owner: str = "",
        supplier_order_id: str = "",
        order_id: str = ORDER,
        at: datetime | None = None,
    ) -> list[Fact]:
        return self.record(
            confirmation.release_hold(self.book, order_id, reason, owner, supplier_order_id, at or self.now, self.now)
        )

    def confirm(self, order_id: str = ORDER, backorder_lacking: bool = False) -> list[Fact]:
        return self.record(confirmation.confirm(self.book, order_id, backorder_lacking, "mia", self.now, self.now))

    def change_address(
        self, customer: Sealed, destination: Destination, order_id: str = ORDER, at: datetime | None = None
    ) -> list[Fact]:
        changed = orders.AddressChanged(order_id, customer, destination, at or self.now)
        return self.record(intake.change_address(self.book, changed, self.now))

    def reach(self, customer: Sealed, digest: str = "", at: datetime | None = None) -> list[Fact]:
        """The customer of the order is reached otherwise, as was added to whoever it is now."""
        changed = orders.ContactChanged(ORDER, customer, at or self.now, digest)
        return self.record(intake.change_contact(self.book, changed, self.order().customer, self.now))

    def receive(self, order_id: str = ORDER, at: datetime | None = None) -> list[Fact]:
        return self.record(delivery.confirm_receipt(self.book, order_id, "customer", at or self.now, self.now))

    def review(self, score: int, review_id: str = "r1") -> list[Fact]:
        return self._about_order(ORDER, orders.review(self.order(), review_id, score, self.now))

    def _about_order(self, order_id: str, facts: Sequence[orders.OrderFact]) -> list[Fact]:
        return self.record((orders.stream(order_id), fact) for fact in facts)

    # --- supplier orders ---

    def send(self, supplier_order_id: str = FIRST, at: datetime | None = None) -> list[Fact]:
        return self.record(dispatch.send_supplier_order(self.book, supplier_order_id, at or self.now, self.now))

    def answer(
        self, by_line: dict[int, LineAnswer], supplier_order_id: str = FIRST, at: datetime | None = None
    ) -> list[Fact]:
        answers = {LineNo(n): answer for n, answer in by_line.items()}
        return self.record(dispatch.acknowledge(self.book, supplier_order_id, answers, at or self.now, self.now))

    def pack(self, *packed_with: str, supplier_order_id: str = FIRST, at: datetime | None = None) -> list[Fact]:
        return self.record(dispatch.pack(self.book, supplier_order_id, packed_with, at or self.now, self.now))

    def ship(
        self,
        by_line: dict[int, int] | None = None,
        supplier_order_id: str = FIRST,
        number: str = "P1",
        at: datetime | None = None,
        carrier: str = "dhl",
        skus: dict[str, int] | None = None,
    ) -> list[Fact]:
        told = Told(units(by_line), skus or {})
        return self.record(dispatch.ship(self.book, supplier_order_id, carrier, number, told, at or self.now, self.now))

    def cancel(self, by_line: dict[int, int] | None = None, order_id: str = ORDER) -> list[Fact]:
        return self.record(
            cancelling.cancel(self.book, order_id, units(by_line), "customer", "changed_mind", self.now, self.now)
        )

    def answer_cancel(self, agreed: bool, supplier_order_id: str = FIRST, at: datetime | None = None) -> list[Fact]:
        because = "" if agreed else "too_late"
        return self.record(
            cancelling.answer_cancel(self.book, supplier_order_id, agreed, because, at or self.now, self.now)
        )

    def reroute(
        self,
        by_line: dict[int, int] | None = None,
        supplier_order_id: str = FIRST,
        order_id: str = ORDER,
        to: str = "",
        by: str = "supplier",
    ) -> list[Fact]:
        cause = Cause(None, by, "overdue", to)
        return self.record(
            rerouting.reroute(self.book, order_id, supplier_order_id, units(by_line), cause, self.now, self.now)
        )

    # --- parcels ---

    def announce(self, number: str = "P1", **more: Any) -> list[Fact]:
        """A number is registered before its order is known."""
        return self.record(delivery.register_parcel(self.book, ParcelRegistered("dhl", number, 0, self.now, **more)))

    def scan(self, status: ParcelStatus, at: datetime | None = None, number: str = "P1", code: str = "") -> list[Fact]:
        return self.scans(scan(status, at or self.now, code), number=number)

    def scans(self, *checkpoints: Checkpoint, number: str = "P1", carrier: str = "dhl") -> list[Fact]:
        which = (carrier, number)
        return self.record(last_miles.record_checkpoints(self.book, *which, checkpoints, self.now, self.now))

    def hand_over(self, last: str = "L1", carrier: str = "dhl", number: str = "P1") -> list[Fact]:
        """It goes on under another number, of the same carrier unless said otherwise."""
        to = (carrier, last)
        return self.record(last_miles.hand_over(self.book, "dhl", number, to, self.now, self.now))

    def confirm_loss(self, number: str = "P1", by: Party = Party.CARRIER) -> list[Fact]:
        return self.record(delivery.confirm_loss(self.book, "dhl", number, by, "tracing_failed", self.now, self.now))

    def dispute(self, number: str = "P1", at: datetime | None = None) -> list[Fact]:
        because = "not received"
        return self.record(delivery.dispute_delivery(self.book, "dhl", number, because, at or self.now, self.now))

    def void(self, number: str = "P1", supplier_order_id: str = "") -> list[Fact]:
        """It did not leave."""
        why = Why("label never used", "mia", self.now)
        return self.record(corrections.void_parcel(self.book, "dhl", number, supplier_order_id, why, self.now))

    def void_all(self, supplier_order_id: str = FIRST) -> list[Fact]:
        """Nothing of a supplier order left."""
        why = Why("reported by mistake", "mia", self.now)
        return self.record(corrections.void_shipment(self.book, supplier_order_id, why, self.now))

    def correct_number(self, number: str, right: str, supplier_order_id: str = "", carrier: str = "dhl") -> list[Fact]:
        """It left under another number."""
        why = Why("mistyped", "mia", self.now)
        to = (carrier, right)
        return self.record(corrections.correct_tracking(self.book, "dhl", number, to, supplier_order_id, why, self.now))

    # --- inquiries ---

    def ask(self, inquiry_id: str = "q1", asked_of: Party = Party.SUPPLIER, **more: Any) -> list[Fact]:
        """The retailer asks the supplier of the first supplier order, or a customer the retailer."""
        of_supplier = asked_of is Party.SUPPLIER
        about = {"supplier_order_id": FIRST if of_supplier else "", "asked_by": Party.RETAILER, "order_id": ORDER}
        if not of_supplier:
            about["asked_by"] = Party.CUSTOMER
        known = {"topic": Topic.DISPATCH, "at": self.now, **about, **more}
        asked = InquiryAsked(inquiry_id=inquiry_id, asked_of=asked_of, **known)
        return self.record(supplier_inquiries.ask(self.book, asked))

    def answer_inquiry(self, inquiry_id: str = "q1", at: datetime | None = None, by: str = "desk") -> list[Fact]:
        inquiry = inquiries.known(inquiries.find(self.book, inquiry_id), inquiry_id)
        answered = InquiryAnswered(inquiry_id, at or self.now, by, inquiry.asked.supplier_id)
        return self._about_inquiry(inquiry_id, inquiries.answer(inquiry, answered, self.now))

    def close_inquiry(self, inquiry_id: str = "q1", at: datetime | None = None) -> list[Fact]:
        inquiry = inquiries.known(inquiries.find(self.book, inquiry_id), inquiry_id)
        closed = InquiryClosed(inquiry_id, "solved", "mia", at or self.now)
        return self._about_inquiry(inquiry_id, inquiries.close(inquiry, closed, self.now))

    def miss_answer(self, inquiry_id: str = "q1") -> list[Fact]:
        return self.notice(AnswerDue(inquiry_id, due=self.now))

    def _about_inquiry(self, inquiry_id: str, facts: Sequence[inquiries.InquiryFact]) -> list[Fact]:
        return self.record((inquiries.stream(inquiry_id), fact) for fact in facts)

    # --- what time does ---

    def notice(self, timer: Timer) -> list[Fact]:
        return self.record(timer.notice(self.book, self.now))

    def miss(self, clock: Clock, object_id: str = FIRST, order_id: str = ORDER) -> list[Fact]:
        facts = breaches.miss_deadline(orders.find(self.book, order_id), object_id, clock, self.now)
        return self._about_order(order_id, facts)

    def rule(
        self,
        party: Party,
        because: str = "",
        clock: Clock = Clock.DISPATCH,
        supplier_order_id: str = FIRST,
        at: datetime | None = None,
    ) -> list[Fact]:
        order_id = order_of(supplier_order_id)
        facts = breaches.rule_delay(
            self.order(order_id), supplier_order_id, clock, party, because, "mia", at or self.now, self.now
        )
        return self._about_order(order_id, facts)

    def reroute_overdue(
        self, clock: Clock = Clock.DISPATCH, supplier_order_id: str = FIRST, order_id: str = ORDER
    ) -> list[Fact]:
        return self.record(rerouting.reroute_overdue(self.book, order_id, supplier_order_id, clock, self.now))

    def miss_first_scan(self, number: str = "P1", epoch: int = 1) -> list[Fact]:
        return self.notice(FirstScanDue(f"dhl/{number}/{epoch}", due=self.now))

    def suspect_loss(self, number: str = "P1", epoch: int = 1) -> list[Fact]:
        return self.notice(LossDue("dhl", number, epoch, due=self.now))

    def miss_feed(self, sku: str = "tea", supplier_id: str = "acme") -> list[Fact]:
        return self.notice(FeedDue(supplier_id, sku, due=self.now))

    def serve(self, order_id: str = ORDER) -> list[Fact]:
        return self.record(confirmation.serve_waiting(self.book, order_id, self.now))

    def close_window(self, order_id: str = ORDER) -> list[Fact]:
        return self.notice(ReturnWindowDue(order_id, due=self.now))


# --- where scenarios begin --------------------------------------------------------------------------


def a_shop(**feeds: int) -> Scenario:
    """Acme is approved and has 10 of tea, or these quantities; Bolt is approved too and never sends a feed."""
    scenario = Scenario()
    scenario.approve("acme")
    scenario.approve("bolt")
    for sku, quantity in (feeds or {"tea": 10}).items():
        scenario.feed(quantity, sku)
    return scenario


def confirmed(*lines: Line, **more: Any) -> Scenario:
    """An order of 3 tea, or of these lines, is confirmed; its supplier orders are drafts."""
    scenario = a_shop(tea=10, mug=10)
    scenario.place(*lines, **more)
    assert scenario.header() is Header.CONFIRMED
    return scenario


def sent(*lines: Line, **more: Any) -> Scenario:
    """Its supplier orders went out."""
    scenario = confirmed(*lines, **more)
    for supplier_order_id in scenario.order().supplier_orders:
        scenario.send(supplier_order_id)
    return scenario


def shipped(*lines: Line, **more: Any) -> Scenario:
    """All of its first supplier order left in parcel P1."""
    scenario = sent(*lines, **more)
    scenario.ship()
    return scenario


def delivered(*lines: Line, **more: Any) -> Scenario:
    """And arrived three days later."""
    scenario = shipped(*lines, **more)
    scenario.later(days=3)
    scenario.scan(ParcelStatus.DELIVERED)
    return scenario


# --- what tests ask -------------------------------------------------------------------------------


def names(facts: Iterable[Fact]) -> list[str]:
    """The facts by name, without their noun where it is clear: ``placed``, ``reserved``."""
    return [fact.fact_name().partition(".")[2] for fact in facts]


def the(fact_class: type[F], facts: Iterable[Fact]) -> F:
    """The one fact of this class."""
    (found,) = (fact for fact in facts if isinstance(fact, fact_class))
    return found


def refused(refusal: type[Refusal], message: str, **details: object) -> Any:
    """``with refused(OverShipped, "4 of line 1 shipped", left=3)``: the refusal, its sentence, its figures."""

    def figures(error: Refusal) -> bool:
        documented.require_figures(error.reason, error.details)
        return details.items() <= {key: _plain(value) for key, value in error.details.items()}.items()

    return pytest.raises(refusal, match=message, check=cast(Any, figures))


def _plain(value: str) -> object:
    return int(value) if value.lstrip("-").isdecimal() else value
