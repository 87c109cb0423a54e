"""Orders: what a customer bought in a shop, and in which bucket each unit of it is (DOMAIN 1).

For every line, at every position of the log:
``ordered = open + backordered + assigned + shipped + delivered + cancelled + lost``.
Header statuses are derived from the buckets and never stored.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any, TypeVar

from msgspec.structs import replace

from ledger.facts import (
    Fact,
    LineNo,
    Sealed,
    Units,
    Value,
    to_minute,
)
from ledger.nouns import order_after_sales, supplier_orders
from ledger.nouns.choice import Choice
from ledger.nouns.order_after_sales import (
    AfterSales,
    Amounts,
    RefundPaidBack,
    TakenIntoCase,
)
from ledger.nouns.supplier_orders import (
    CancelAgreed,
    CancelRefused,
    CancelRequested,
    ClocksResumed,
    ClocksStopped,
    CompensationAccrued,
    CompensationReversed,
    Oddity,
    OfSupplierOrder,
    PackingCorrected,
    PackingErrorFound,
    ShippingChosen,
    Stop,
    SupplierOrder,
    SupplierOrderAcknowledged,
    SupplierOrderDrafted,
    SupplierOrderFact,
    SupplierOrderPacked,
    SupplierOrderSent,
    SupplierOrderShipped,
    UnknownSupplierOrder,
)
from ledger.refusals import AlreadyExists, Forbidden, NotFound
from ledger.terms.money import MOST_MINOR, Money, TotalTooLarge
from ledger.terms.parties import Party
from ledger.terms.places import Destination
from ledger.terms.shipping import Incoterm, Priority
from ledger.view import View, noun

LEDGER = "ledger"
"""The owner of holds that the ledger places and releases itself."""

UNDER_WAY = ("open", "backordered", "assigned", "shipped")
"""The buckets of units that are still to arrive."""


def stream(order_id: str) -> str:
    """order_id is ``channel/number``, such as ``shopify/1001``."""
    return f"order-{order_id}"


def find(view: View, order_id: str) -> Order | None:
    found: Order | None = view.state(stream(order_id))
    return found


# --- facts ----------------------------------------------------------------------------------------


class SincePlacing(Fact, frozen=True, kw_only=True, tag=""):
    """What a shop may know before it has the order, such as a payment; of before the placing, it counts from then."""

    told_at: datetime | None = None
    """What was told as its time, where that is before the order was placed."""

    @property
    def warnings(self) -> tuple[str, ...]:
        if self.told_at is None:
            return ()
        return (f"{to_minute(self.told_at)} is before the order was placed, from when it counts",)


class PaymentState(StrEnum):
    """What the shop says of the money."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    AUTHORISED = "authorised"
    PAID = "paid"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    FAILED = "failed"


class HoldReason(StrEnum):
    """Why nothing may be dispatched."""

    INCOMPLETE = "incomplete"
    AWAITING_PAYMENT = "awaiting_payment"
    PAYMENT_REVERSED = "payment_reversed"
    """The money had come and went back, all of it, before the goods left."""
    FRAUD_REVIEW = "fraud_review"
    BAD_ADDRESS = "bad_address"
    OUT_OF_STOCK = "out_of_stock"
    CUSTOMER_REQUEST = "customer_request"
    CUSTOMS_DATA = "customs_data"
    OTHER = "other"

    @property
    def stops_clocks(self) -> bool:
        """Holds of the retailer or the customer stop the supplier's clocks; its own reasons do not."""
        return self is not HoldReason.OUT_OF_STOCK


class WhenUnavailable(StrEnum):
    """What to do with units of a confirmed order that no supplier qualifies for."""

    HOLD = "hold"
    """A person decides."""
    BACKORDER = "backorder"
    """They wait at the best supplier that has yet to get them; where there is none, a person decides."""
    CANCEL = "cancel"


class Line(Value, frozen=True):
    """One line of the order as the shop sent it. What it left out is empty or zero."""

    line_no: LineNo
    sku: str
    quantity: int
    unit_price_minor: int
    title: str = ""
    supplier_id: str = ""
    dispatch_by: datetime | None = None
    """A dispatch deadline that the shop gave; it goes before the agreement's."""
    hs_code: str = ""
    origin: str = ""
    weight_grams: int = 0
    """Net weight of one unit."""
    declared_value_minor: int = 0
    """What one unit is declared at customs for, where that is not its price, such as for a gift."""

    @property
    def customs_value_minor(self) -> int:
        """What one unit is worth to customs; 0 while nobody said."""
        return self.declared_value_minor or self.unit_price_minor


HoldKey = tuple[HoldReason, str, str]
"""What tells holds apart: reason, owner and scope."""


class Hold(Value, frozen=True):
    """One reason to wait, and who can end it."""

    reason: HoldReason
    owner: str
    """Who has to act: a person, a team, or ``ledger`` for holds that it places and releases itself."""
    at: datetime
    missing: tuple[str, ...] = ()
    """Field paths, for incomplete orders."""
    lacking: Units = {}
    """Units by line, where stock lacks."""
    supplier_order_id: str = ""
    """Only this supplier order waits; empty means the whole order."""
    note: Sealed | None = None
    choices: tuple[Choice, ...] = ()
    """Why no supplier qualified, for each SKU, where that is the reason."""
    note_digest: str = ""
    """Keyed hash of the note: another one is recognised without its content."""

    @property
    def key(self) -> HoldKey:
        return (self.reason, self.owner, self.supplier_order_id)


class OrderPlaced(Fact, frozen=True, tag="order.placed"):
    """A shop sold something: all that was known at that moment."""

    order_id: str
    channel: str
    channel_order_id: str
    placed_at: datetime
    currency: str
    lines: tuple[Line, ...]
    at: datetime
    intake: str = ""
    """Keyed hash of the order as it was sent: the same again is recognised without its content."""
    customer: Sealed | None = None
    subject: str = ""
    """Pseudonym of the customer, whose data keys carry it."""
    has_contact: bool = False
    has_address: bool = False
    """Whether a country and a street or town were given; what they are is sealed."""
    destination: Destination = Destination()
    payment: PaymentState = PaymentState.UNKNOWN
    priority: Priority = Priority.STANDARD
    promised_by: datetime | None = None
    packing: tuple[str, ...] = ()
    gift: bool = False
    holds: tuple[Hold, ...] = ()
    untracked: tuple[LineNo, ...] = ()
    """Lines of SKUs without a feed: accepted, but nothing is promised of their stock."""
    return_window_days: int = 14
    when_unavailable: WhenUnavailable = WhenUnavailable.HOLD
    incoterm: Incoterm | None = None
    reship_of: str = ""
    """The case whose units it sends once more, at no price; empty for what a customer ordered."""
    original_order_id: str = ""
    """The order that was paid for them; only with reship_of."""
    sealed_for: str = ""
    """The order that its customer was sealed for; empty means this one."""
    promised_day: date | None = None
    """The day that the customer was promised, where it was told a day; promised_by is its end at the destination."""
    historical: bool = False
    """An order of before, recorded for its figures: nobody has anything to do about it."""


class SuppliersChosen(Fact, frozen=True, tag="order.suppliers_chosen"):
    """Lines whose supplier the shop did not know were given one."""

    order_id: str
    by_line: dict[LineNo, str]
    choices: tuple[Choice, ...]
    """Why, for each SKU."""
    at: datetime


class DetailsCompleted(SincePlacing, frozen=True, tag="order.details_completed"):
    """What was missing came in; lines replace those of the same number."""

    order_id: str
    at: datetime
    lines: tuple[Line, ...] = ()
    customer: Sealed | None = None
    subject: str = ""
    has_contact: bool = False
    has_address: bool = False
    destination: Destination | None = None
    currency: str = ""
    untracked: tuple[LineNo, ...] = ()
    incoterm: Incoterm | None = None
    promised_by: datetime | None = None
    """When the promised day ends at the new destination; only where a day was promised."""


class CustomsLine(Value, frozen=True):
    """What customs asks of one line; what is empty or zero was not said and stays as it was."""

    line_no: LineNo
    title: str = ""
    hs_code: str = ""
    origin: str = ""
    weight_grams: int = 0
    declared_value_minor: int = 0


class CustomsDataCompleted(SincePlacing, frozen=True, tag="order.customs_data_completed"):
    """What customs asks for came in or was put right, before or after confirmation."""

    order_id: str
    at: datetime
    lines: tuple[CustomsLine, ...] = ()
    incoterm: Incoterm | None = None


class HoldPlaced(SincePlacing, frozen=True, tag="order.hold_placed"):
    """Nothing is dispatched while it stands; a hold of the same reason, owner and scope is replaced."""

    order_id: str
    hold: Hold
    at: datetime


class HoldReleased(SincePlacing, frozen=True, tag="order.hold_released"):
    """One hold ended; others stand."""

    order_id: str
    reason: HoldReason
    owner: str
    at: datetime
    supplier_order_id: str = ""


class PaymentChanged(SincePlacing, frozen=True, tag="order.payment_changed"):
    """The shop said something new of the money."""

    order_id: str
    payment: PaymentState
    at: datetime
    outdated: bool = False
    """Newer news was known already: it is recorded and moves nothing."""


class OrderConfirmed(Fact, frozen=True, tag="order.confirmed"):
    """The promise to the customer is frozen; by is ``ledger`` or the person who confirmed."""

    order_id: str
    by: str
    at: datetime
    promised_by: datetime | None = None
    no_promise_because: str = ""
    """Why the customer is promised no day."""


class UnitsBackordered(Fact, frozen=True, tag="order.units_backordered"):
    """These open units wait for goods, and somebody decided that they may."""

    order_id: str
    by_line: Units
    at: datetime


class UnitsReserved(Fact, frozen=True, tag="order.units_reserved"):
    """Units that had waited for stock, or for a first feed, have their reservation now."""

    order_id: str
    by_line: Units
    at: datetime
    by_supplier: dict[str, Units] = {}
    """The same by who is to send them, for a line may wait with several; empty before the confirmation."""


class AddressChanged(Fact, frozen=True, tag="order.address_changed"):
    """The parcels go elsewhere; only before packing."""

    order_id: str
    customer: Sealed
    destination: Destination
    at: datetime
    subject: str = ""
    promised_by: datetime | None = None
    """When the promised day ends at the new destination; only where a day was promised."""
    outdated: bool = False
    """A newer address was known already: it is recorded and moves nothing."""

    @property
    def warnings(self) -> tuple[str, ...]:
        return ("a newer address is known, which stays; this one is only recorded",) if self.outdated else ()


class UnitsCancelled(Fact, frozen=True, tag="order.units_cancelled"):
    """Units that no supplier had been given will not be sent. An order without lines names none."""

    order_id: str
    by_line: Units
    by: str
    because: str
    at: datetime


class UnitsDelivered(Fact, frozen=True, tag="order.units_delivered"):
    """A parcel of the order arrived."""

    order_id: str
    carrier: str
    number: str
    epoch: int
    by_line: Units
    at: datetime


class DeliveryReopened(Fact, frozen=True, tag="order.delivery_reopened"):
    """A delivery was disputed, or a loss turned out wrong: the units are on their way again."""

    order_id: str
    carrier: str
    number: str
    epoch: int
    by_line: Units
    at: datetime


class UnitsLost(Fact, frozen=True, tag="order.units_lost"):
    """The carrier gave a parcel of the order up."""

    order_id: str
    carrier: str
    number: str
    epoch: int
    by_line: Units
    at: datetime


class ReceiptConfirmed(Fact, frozen=True, tag="order.receipt_confirmed"):
    """The customer, or the carrier for it, said that everything is there."""

    order_id: str
    by: str
    at: datetime


class OrderReviewed(Fact, frozen=True, tag="order.reviewed"):
    """The customer's stars, 1 to 5; the text is not kept."""

    order_id: str
    review_id: str
    score: int
    at: datetime


class ChargebackRecorded(SincePlacing, frozen=True, tag="order.chargeback_recorded"):
    """The customer had its bank take the money back; chargeback_id is the bank's or the payment service's."""

    order_id: str
    chargeback_id: str
    amount: Money
    at: datetime
    because: str = ""
    """The bank's reason code, such as ``4853``."""
    warnings: tuple[str, ...] = ()


class OrderCompleted(Fact, frozen=True, tag="order.completed"):
    """The return window closed with no case open."""

    order_id: str
    at: datetime


class Clock(StrEnum):
    """The clocks that stand in an order's stream (DOMAIN 6)."""

    ACKNOWLEDGE = "acknowledge"
    DISPATCH = "dispatch"
    DELIVERY = "delivery"


class DeadlineMissed(Fact, frozen=True, tag="order.deadline_missed"):
    """A clock was due and nothing had happened; recorded once per object and clock."""

    order_id: str
    object_id: str
    """The supplier order, or the order itself for the delivery clock."""
    clock: Clock
    due: datetime
    at: datetime
    supplier_id: str = ""


class BreachWithdrawn(Fact, frozen=True, tag="order.breach_withdrawn"):
    """It was no breach after all; the news of that came late."""

    order_id: str
    object_id: str
    clock: Clock
    happened_at: datetime | None
    """When it had happened in time; None if it had not, but the clock stood still, or nobody wanted it any more."""
    at: datetime
    supplier_id: str = ""


class DelayRuled(Fact, frozen=True, tag="order.delay_ruled"):
    """Somebody ruled whose fault it is that a supplier order's clock ran out; the newest ruling counts."""

    order_id: str
    supplier_order_id: str
    clock: Clock
    party: Party
    because: str
    by: str
    at: datetime
    supplier_id: str = ""
    outdated: bool = False
    """A newer ruling was known already: it is recorded and moves nothing."""


class ReroutingSought(Fact, frozen=True, tag="order.rerouting_sought"):
    """Another supplier was sought for what one had not done by then; recorded once for each clock and due time."""

    order_id: str
    supplier_order_id: str
    clock: Clock
    due: datetime
    """When the clock was due, or the later day that the supplier had named for goods that it has yet to get."""
    at: datetime
    by_line: Units = {}
    """The units that it was then asked to give up."""
    unserved: tuple[Choice, ...] = ()
    """Why nobody qualifies, for each SKU that stays with it."""
    supplier_id: str = ""


OrderFact = (
    OrderPlaced
    | SuppliersChosen
    | DetailsCompleted
    | CustomsDataCompleted
    | HoldPlaced
    | HoldReleased
    | PaymentChanged
    | OrderConfirmed
    | UnitsBackordered
    | UnitsReserved
    | AddressChanged
    | UnitsCancelled
    | UnitsDelivered
    | DeliveryReopened
    | UnitsLost
    | ReceiptConfirmed
    | OrderReviewed
    | ChargebackRecorded
    | OrderCompleted
    | DeadlineMissed
    | BreachWithdrawn
    | DelayRuled
    | ReroutingSought
    | SupplierOrderDrafted
    | ShippingChosen
    | SupplierOrderSent
    | SupplierOrderAcknowledged
    | SupplierOrderPacked
    | PackingErrorFound
    | PackingCorrected
    | SupplierOrderShipped
    | CancelRequested
    | CancelAgreed
    | CancelRefused
    | ClocksStopped
    | ClocksResumed
    | CompensationAccrued
    | CompensationReversed
    | order_after_sales.RemedyFact
)

# --- state ----------------------------------------------------------------------------------------


class Header(StrEnum):
    """The status of the whole order, derived."""

    RECEIVED = "received"
    ON_HOLD = "on_hold"
    CONFIRMED = "confirmed"
    PARTLY_DISPATCHED = "partly_dispatched"
    DISPATCHED = "dispatched"
    PARTLY_DELIVERED = "partly_delivered"
    DELIVERED = "delivered"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Buckets(Value, frozen=True):
    """Where the units of one line are: each in exactly one bucket."""

    open: int = 0
    backordered: int = 0
    assigned: int = 0
    shipped: int = 0
    delivered: int = 0
    cancelled: int = 0
    lost: int = 0

    def move(self, units: int, source: str, target: str) -> Buckets:
        return replace(self, **{source: getattr(self, source) - units, target: getattr(self, target) + units})

    @property
    def total(self) -> int:
        return self.open + self.backordered + self.assigned + self.shipped + self.delivered + self.cancelled + self.lost


class Shipment(Value, frozen=True):
    """A parcel of the order and in which bucket its units are: shipped, delivered or lost."""

    supplier_order_id: str
    carrier: str
    number: str
    epoch: int
    by_line: Units
    shipped_at: datetime
    bucket: str = "shipped"
    delivered_at: datetime | None = None
    oddities: tuple[Oddity, ...] = ()


AtSupplier = tuple[str, LineNo]
"""A line with the supplier that is to send it; "" until a supplier order has it."""

Stops = Mapping[str, tuple[Stop, ...]]
"""Holds that stop clocks, over or not, by the supplier order that waits; "" means all of them."""


class Order(Value, frozen=True):
    """An order as its facts tell it."""

    placed: OrderPlaced
    """As it came in; what changed since stands in the fields below."""
    lines: dict[LineNo, Line]
    buckets: dict[LineNo, Buckets]
    currency: str
    payment: PaymentState
    destination: Destination
    customer: Sealed | None
    has_contact: bool
    has_address: bool
    promised_by: datetime | None
    promised_day: date | None = None
    """The day whose end promised_by is, where the customer was told a day."""
    payment_at: datetime | None = None
    """The time of the newest news of the money since the order was recorded, as it was told."""
    address_at: datetime | None = None
    """The time of the newest address since the placing."""
    incoterm: Incoterm | None = None
    no_promise_because: str = ""
    """Why a confirmed order promises no day."""
    subjects: tuple[str, ...] = ()
    """Pseudonyms of the people whose data its facts hold sealed, the latest last."""
    holds: tuple[Hold, ...] = ()
    stops: Stops = {}
    """Since the confirmation: before it no supplier has anything to do."""
    untracked: frozenset[LineNo] = frozenset()
    unreserved: Mapping[AtSupplier, int] = {}
    """Units that nothing was reserved for when it was to be: backordered by us, or of SKUs without a feed."""
    chosen: dict[LineNo, Choice] = {}
    """Lines whose supplier the shop did not know, and why they have the one they have."""
    confirmed_at: datetime | None = None
    supplier_orders: dict[str, SupplierOrder] = {}
    shipments: tuple[Shipment, ...] = ()
    cancelled_empty: bool = False
    given_up_at: datetime | None = None
    """When units were last cancelled or lost."""
    receipt_confirmed_at: datetime | None = None
    completed_at: datetime | None = None
    missed: frozenset[tuple[str, Clock]] = frozenset()
    rulings: dict[tuple[str, Clock], DelayRuled] = {}
    """Whose fault a missed clock is, where somebody ruled."""
    sought: dict[tuple[str, Clock], ReroutingSought] = {}
    """What last came of seeking another supplier for what was overdue."""
    reviews: tuple[OrderReviewed, ...] = ()
    chargebacks: tuple[ChargebackRecorded, ...] = ()
    after_sales: AfterSales = AfterSales()

    @property
    def order_id(self) -> str:
        return self.placed.order_id

    @property
    def paid_order_id(self) -> str:
        """The order whose money paid for its units: itself, or the one that a reship sends once more."""
        return self.placed.original_order_id or self.placed.order_id

    @property
    def sealed_for(self) -> str:
        """The order id that its customer is sealed for: what unsealing needs."""
        # Who moved since was sealed for this order itself.
        return (
            self.placed.sealed_for
            if self.placed.sealed_for and self.customer == self.placed.customer
            else self.order_id
        )

    @property
    def sent(self) -> Units:
        """Units that ever left, by line; they never become fewer."""
        return {n: count for n, b in self.buckets.items() if (count := b.shipped + b.delivered + b.lost)}

    @property
    def subject(self) -> str:
        """Whom new personal data of the order is sealed for; empty while nobody is known."""
        return self.subjects[-1] if self.subjects else ""

    def units(self, bucket: str) -> int:
        return sum(map(attrgetter(bucket), self.buckets.values()))

    def in_bucket(self, bucket: str) -> Units:
        counts = zip(self.buckets, map(attrgetter(bucket), self.buckets.values()), strict=True)
        return {line_no: count for line_no, count in counts if count}

    def waiting_for_stock(self) -> Units:
        """Units without a reservation that are still to be shipped."""
        by_line: Units = {}
        for (_, line_no), units in self.waiting_at_suppliers().items():
            by_line[line_no] = by_line.get(line_no, 0) + units
        return by_line

    def waiting_at_suppliers(self) -> dict[AtSupplier, int]:
        """The same by who is to send them."""
        waiting = {key: min(units, self._to_ship(*key)) for key, units in self.unreserved.items()}
        return {key: units for key, units in waiting.items() if units > 0}

    def _to_ship(self, supplier_id: str, line_no: LineNo) -> int:
        """Unshipped units; those that are open after the confirmation are nobody's until they are assigned again."""
        if supplier_id:
            mine = (each for each in self.supplier_orders.values() if each.supplier_id == supplier_id)
            return sum(each.shares[line_no].unshipped for each in mine if line_no in each.shares)
        buckets = self.buckets[line_no]
        return buckets.backordered + buckets.assigned + (buckets.open if self.confirmed_at is None else 0)

    @property
    def ordered(self) -> int:
        return sum(buckets.total for buckets in self.buckets.values())

    @property
    def header(self) -> Header:
        ordered, cancelled, lost = self.ordered, self.units("cancelled"), self.units("lost")
        wanted = ordered - cancelled - lost
        delivered, shipped = self.units("delivered"), self.units("shipped")
        if self.cancelled_empty or (ordered and cancelled == ordered):
            return Header.CANCELLED
        if self.completed_at is not None:
            return Header.COMPLETED
        if delivered and delivered == wanted:
            return Header.DELIVERED
        if delivered:
            return Header.PARTLY_DELIVERED
        if self.holds:
            return Header.ON_HOLD
        if shipped or lost:
            return Header.DISPATCHED if shipped == wanted else Header.PARTLY_DISPATCHED
        return Header.CONFIRMED if self.confirmed_at is not None else Header.RECEIVED

    @property
    def delivered_at(self) -> datetime | None:
        """When the last unit arrived that was to arrive; None while any is under way."""
        if any(map(self.units, UNDER_WAY)) or not self.units("delivered"):
            return None
        return max(shipment.delivered_at for shipment in self.shipments if shipment.delivered_at is not None)

    @property
    def ended_at(self) -> datetime | None:
        """When the last of its units was delivered or given up; None while anything is left to wait for."""
        match self.header:
            case Header.CANCELLED:
                return self.given_up_at
            case Header.DELIVERED | Header.COMPLETED:
                ends = [at for at in (self.delivered_at, self.given_up_at) if at is not None]
                return max(ends, default=None)
            case _:
                return None

    def hold(self, reason: HoldReason, owner: str = "") -> Hold | None:
        """A hold of this reason on the whole order, of any owner if none is named."""
        return next(
            (h for h in self.holds if h.reason is reason and owner in ("", h.owner) and not h.supplier_order_id), None
        )

    def supplier_order(self, supplier_order_id: str) -> SupplierOrder:
        found = self.supplier_orders.get(supplier_order_id)
        if found is None:
            raise UnknownSupplierOrder(supplier_order_id)
        return found

    def shipment(self, carrier: str, number: str, epoch: int) -> Shipment | None:
        return next(
            (s for s in self.shipments if s.carrier == carrier and s.number == number and s.epoch == epoch), None
        )

    def deadlines(self) -> Iterator[Deadline]:
        """Every clock of the order that has a due time; of what came to nothing only those that were missed."""
        for each in self.supplier_orders.values():
            came_to_nothing = bool(each.dropped) and each.came_to_nothing
            for deadline in _deadlines_of(each):
                if not came_to_nothing or self._was_missed(deadline):
                    yield deadline
        if self.promised_by is not None:
            cancelled, arrived_at = self.header is Header.CANCELLED, self.delivered_at
            given_up_at = self.given_up_at if cancelled or arrived_at is not None else None
            promise = _deadline(self.order_id, Clock.DELIVERY, self.promised_by, arrived_at, None, "", given_up_at)
            if not cancelled or self._was_missed(promise):
                yield promise

    def _was_missed(self, deadline: Deadline) -> bool:
        """Of a clock that is over: whether it was missed, by what is recorded or by what is known now."""
        return deadline.passed(deadline.due) or (deadline.object_id, deadline.clock) in self.missed

    def deadline(self, object_id: str, clock: Clock) -> Deadline | None:
        return next((each for each in self.deadlines() if (each.object_id, each.clock) == (object_id, clock)), None)


class Deadline(Value, frozen=True):
    """One clock: when it is due, when it was met, since when it stands still."""

    object_id: str
    clock: Clock
    due: datetime
    met_at: datetime | None
    stopped_since: datetime | None = None
    supplier_id: str = ""
    given_up_at: datetime | None = None
    """When the last of what it waited for was given up instead, if that is what ended it."""

    @property
    def owner(self) -> Party:
        """Who is obliged: the supplier by its agreement, the retailer by its promise."""
        return Party.RETAILER if self.clock is Clock.DELIVERY else Party.SUPPLIER

    @property
    def over(self) -> bool:
        """Nothing is waited for any more."""
        return self.met_at is not None or self.given_up_at is not None

    @property
    def late(self) -> bool:
        if self.met_at is not None:
            return self.met_at > self.due
        # What was still to be done at that moment was late when it was given up.
        return self.given_up_at is not None and self.given_up_at >= self.due

    @property
    def stands(self) -> bool:
        """It was stopped before it was due."""
        return self.stopped_since is not None and self.stopped_since < self.due

    def passed(self, now: datetime) -> bool:
        """Nothing had happened when it was due, and it was running then."""
        if self.stands:
            return False
        return self.late or (not self.over and now >= self.due)


def _deadlines_of(each: SupplierOrder) -> Iterator[Deadline]:
    if each.sent_at is None:
        return
    given_up_at, answered_at = each.given_up_at, each.acknowledged_at
    for clock, due, met_at, ended_at in (
        (Clock.ACKNOWLEDGE, each.acknowledge_by, answered_at, given_up_at if answered_at is None else None),
        (Clock.DISPATCH, each.dispatch_by, each.dispatched_at, given_up_at),
    ):
        if due is not None:
            what = (each.supplier_order_id, clock, due)
            yield _deadline(*what, met_at, each.stopped_since, each.supplier_id, ended_at)


def _deadline(
    object_id: str,
    clock: Clock,
    due: datetime,
    met_at: datetime | None,
    stopped_since: datetime | None,
    supplier_id: str,
    given_up_at: datetime | None,
) -> Deadline:
    """What was given up after it was due was late, also where all the rest was in time."""
    if given_up_at is not None and (met_at is None or met_at <= due <= given_up_at):
        return Deadline(object_id, clock, due, None, stopped_since, supplier_id, given_up_at)
    return Deadline(object_id, clock, due, met_at, stopped_since, supplier_id)


def evolve(order: Order | None, fact: OrderFact) -> Order:
    if isinstance(fact, OrderPlaced):
        return _placed(fact)
    assert order is not None, "the first fact of an order is its placing"
    if isinstance(fact, OfSupplierOrder):
        return _supplier_order_moved(order, fact)
    match fact:
        case SuppliersChosen():
            return _supplied(order, fact)
        case DetailsCompleted():
            return _completed(order, fact)
        case CustomsDataCompleted():
            return _customs_completed(order, fact)
        case HoldPlaced(hold=hold):
            return replace(order, holds=(*_other_holds(order, hold.key), hold), stops=_stopped(order, [hold]))
        case HoldReleased():
            key = (fact.reason, fact.owner, fact.supplier_order_id)
            stops = _resumed(order, [key], fact.at)
            return replace(order, holds=tuple(_other_holds(order, key)), stops=stops)
        case PaymentChanged():
            if fact.outdated:
                return order
            return replace(order, payment=fact.payment, payment_at=fact.told_at or fact.at)
        case OrderConfirmed():
            return replace(
                order,
                confirmed_at=fact.at,
                promised_by=fact.promised_by,
                no_promise_because=fact.no_promise_because,
            )
        case UnitsBackordered(by_line=by_line):
            moved = _moved(order, by_line, "open", "backordered")
            return replace(moved, unreserved=_plus(order.unreserved, "", by_line))
        case UnitsReserved():
            return _reserved(order, fact)
        case AddressChanged():
            return _readdressed(order, fact)
        case UnitsCancelled(by_line=by_line):
            order = _given_up(order, fact.at)
            return _cancelled(order, by_line) if by_line else replace(order, cancelled_empty=True)
        case UnitsDelivered():
            return _shipment_to(order, fact, "delivered")
        case UnitsLost():
            return _given_up(_shipment_to(order, fact, "lost"), fact.at)
        case DeliveryReopened():
            return replace(_shipment_to(order, fact, "shipped"), completed_at=None)
        case ReceiptConfirmed():
            return replace(order, receipt_confirmed_at=fact.at)
        case OrderReviewed():
            return replace(order, reviews=(*order.reviews, fact))
        case ChargebackRecorded():
            return replace(order, chargebacks=(*order.chargebacks, fact))
        case OrderCompleted():
            return replace(order, completed_at=fact.at)
        case DeadlineMissed():
            missed = order.missed | {(fact.object_id, fact.clock)}
            late = _late_units(order, fact.object_id) if fact.clock is Clock.DISPATCH else {}
            return _with_late(replace(order, missed=missed), fact, late)
        case BreachWithdrawn():
            return _with_late(_no_breach(order, (fact.object_id, fact.clock)), fact, {})
        case DelayRuled():
            if fact.outdated:
                return order
            return replace(order, rulings={**order.rulings, (fact.supplier_order_id, fact.clock): fact})
        case ReroutingSought():
            return replace(order, sought={**order.sought, (fact.supplier_order_id, fact.clock): fact})
        case TakenIntoCase():
            # An order with an open case is not over, whenever its return window closed.
            return replace(order, after_sales=order_after_sales.evolve(order.after_sales, fact), completed_at=None)
        case _:
            return replace(order, after_sales=order_after_sales.evolve(order.after_sales, fact))


NOUN = noun("order", OrderFact, evolve)


def _placed(fact: OrderPlaced) -> Order:
    return Order(  # many by their place: Python passes more than 15 names in a slower way
        fact,
        {line.line_no: line for line in fact.lines},
        {line.line_no: Buckets(line.quantity) for line in fact.lines},
        fact.currency,
        fact.payment,
        fact.destination,
        fact.customer,
        fact.has_contact,
        fact.has_address,
        fact.promised_by,
        fact.promised_day,
        incoterm=fact.incoterm,
        subjects=(fact.subject,) if fact.subject else (),
        holds=fact.holds,
        untracked=frozenset(fact.untracked),
        unreserved=_all_units(fact.lines, fact.untracked),
    )


def _all_units(lines: Iterable[Line], wanted: Iterable[LineNo]) -> dict[AtSupplier, int]:
    return {("", line.line_no): line.quantity for line in lines if line.line_no in wanted} if wanted else {}


def _other_holds(order: Order, key: HoldKey) -> list[Hold]:
    return [each for each in order.holds if each.key != key]


def _given_up(order: Order, at: datetime) -> Order:
    return replace(order, given_up_at=max(at, order.given_up_at or at))


def _stopped(order: Order, holds: Iterable[Hold]) -> Stops:
    """All that stopped clocks, with these holds; one that stands already may turn out to be older."""
    stops = order.stops
    for hold in holds:
        if not hold.reason.stops_clocks or order.confirmed_at is None:
            continue
        scope = hold.supplier_order_id
        present = _standing(stops, hold.key)
        since = hold.at if present is None else min(present.since, hold.at)
        others = [stop for stop in stops.get(scope, ()) if stop is not present]
        stops = {**stops, scope: (*others, Stop(hold.reason, hold.owner, since))}
    return stops


def _resumed(order: Order, keys: Iterable[HoldKey], at: datetime) -> Stops:
    """All that stopped clocks, after these holds ended."""
    stops = order.stops
    for key in keys:
        if (present := _standing(stops, key)) is not None:
            others = [stop for stop in stops[key[2]] if stop is not present]
            stops = {**stops, key[2]: (*others, replace(present, until=max(at, present.since)))}
    return stops


def _standing(stops: Stops, key: HoldKey) -> Stop | None:
    reason, owner, scope = key
    return next((s for s in stops.get(scope, ()) if (s.reason, s.owner, s.until) == (reason, owner, None)), None)


def _reserved(order: Order, fact: UnitsReserved) -> Order:
    left = order.waiting_at_suppliers()
    served = {(supplier_id, n): units for supplier_id, each in fact.by_supplier.items() for n, units in each.items()}
    for line_no, units in {} if served else fact.by_line.items():
        # Nobody said with whom: a line of a fact of before waits with one supplier, but for rare cases.
        for key in (key for key in left if key[1] == line_no):
            served[key] = min(units, left[key])
            units -= served[key]
    unreserved = {key: units - served.get(key, 0) for key, units in left.items() if units > served.get(key, 0)}
    waiting = {line_no for _, line_no in unreserved}
    return replace(order, unreserved=unreserved, untracked=order.untracked - (fact.by_line.keys() - waiting))


def _plus(unreserved: Mapping[AtSupplier, int], supplier_id: str, by_line: Units) -> dict[AtSupplier, int]:
    more = {(supplier_id, n): unreserved.get((supplier_id, n), 0) + units for n, units in by_line.items()}
    return {**unreserved, **more}


def _supplied(order: Order, fact: SuppliersChosen) -> Order:
    lines = {n: replace(order.lines[n], supplier_id=supplier_id) for n, supplier_id in fact.by_line.items()}
    by_sku = {choice.sku: choice for choice in fact.choices}
    chosen = {line_no: by_sku[line.sku] for line_no, line in lines.items()}
    untracked = {line_no for line_no, choice in chosen.items() if choice.untracked}
    return replace(
        order,
        lines={**order.lines, **lines},
        chosen={**order.chosen, **chosen},
        untracked=order.untracked | untracked,
        unreserved={**order.unreserved, **_all_units(lines.values(), untracked)},
    )


def _completed(order: Order, fact: DetailsCompleted) -> Order:
    lines = {**order.lines, **{line.line_no: line for line in fact.lines}}
    buckets = dict(order.buckets)
    for line in fact.lines:
        # What was cancelled stays cancelled.
        cancelled = min(buckets[line.line_no].cancelled, line.quantity) if line.line_no in buckets else 0
        buckets[line.line_no] = Buckets(open=line.quantity - cancelled, cancelled=cancelled)
    return replace(
        order,
        lines=lines,
        buckets=buckets,
        chosen={n: choice for n, choice in order.chosen.items() if lines[n] is order.lines[n]},
        currency=fact.currency or order.currency,
        customer=fact.customer or order.customer,
        subjects=_and(order.subjects, fact.subject),
        has_contact=order.has_contact or fact.has_contact,
        has_address=order.has_address or fact.has_address,
        destination=fact.destination or order.destination,
        address_at=fact.at if fact.customer or fact.destination else order.address_at,
        untracked=frozenset(fact.untracked),
        unreserved=_all_units(lines.values(), fact.untracked),
        incoterm=fact.incoterm or order.incoterm,
        promised_by=fact.promised_by or order.promised_by,
    )


def _readdressed(order: Order, fact: AddressChanged) -> Order:
    if fact.outdated:
        # Who is erased is erased from it too.
        known = not fact.subject or fact.subject in order.subjects
        return order if known else replace(order, subjects=(fact.subject, *order.subjects))
    return replace(
        order,
        customer=fact.customer,
        has_contact=True,
        has_address=True,
        destination=fact.destination,
        address_at=fact.at,
        subjects=_and(order.subjects, fact.subject),
        promised_by=fact.promised_by or order.promised_by,
    )


def _customs_completed(order: Order, fact: CustomsDataCompleted) -> Order:
    lines = dict(order.lines)
    for said in fact.lines:
        new = {name: value for name in said.__struct_fields__ if (value := getattr(said, name))}
        lines[said.line_no] = replace(lines[said.line_no], **new)
    return replace(order, lines=lines, incoterm=fact.incoterm or order.incoterm)


def _and(subjects: tuple[str, ...], subject: str) -> tuple[str, ...]:
    return (*(each for each in subjects if each != subject), subject) if subject else subjects


def _moved(order: Order, by_line: Units, source: str, target: str) -> Order:
    buckets = dict(order.buckets)
    for line_no, units in by_line.items():
        buckets[line_no] = buckets[line_no].move(units, source, target)
    return replace(order, buckets=buckets)


def _cancelled(order: Order, by_line: Units) -> Order:
    """Open units go first, then those that were backordered without a supplier."""
    buckets = dict(order.buckets)
    for line_no, units in by_line.items():
        from_open = min(units, buckets[line_no].open)
        moved = buckets[line_no].move(from_open, "open", "cancelled")
        buckets[line_no] = moved.move(units - from_open, "backordered", "cancelled")
    return replace(order, buckets=buckets)


def _shipment_to(order: Order, fact: UnitsDelivered | UnitsLost | DeliveryReopened, bucket: str) -> Order:
    shipment = order.shipment(fact.carrier, fact.number, fact.epoch)
    assert shipment is not None, "only parcels of the order move its units"
    delivered_at = fact.at if bucket == "delivered" else None
    changed = replace(shipment, bucket=bucket, delivered_at=delivered_at)
    moved = _moved(order, fact.by_line, shipment.bucket, bucket)
    supplier_order = moved.supplier_orders[shipment.supplier_order_id]
    units = sum(fact.by_line.values())
    arrived = units if bucket == "delivered" else -units if shipment.bucket == "delivered" else 0
    counted = replace(supplier_order, delivered=supplier_order.delivered + arrived)
    return replace(
        moved,
        shipments=tuple(changed if each is shipment else each for each in order.shipments),
        supplier_orders={**moved.supplier_orders, counted.supplier_order_id: counted},
    )


def _no_breach(order: Order, what: tuple[str, Clock]) -> Order:
    """A ruling was about this delay; if the clock is missed again, that is another one."""
    rulings = {each: ruling for each, ruling in order.rulings.items() if each != what}
    return replace(order, missed=order.missed - {what}, rulings=rulings)


def _late_units(order: Order, supplier_order_id: str) -> Units:
    """Units of a supplier order that have not left, or left or were dropped after its deadline."""
    supplier_order = order.supplier_orders[supplier_order_id]
    due, late = supplier_order.dispatch_by, supplier_orders.left_to_ship(supplier_order)
    if due is None:
        return late
    left = [s.by_line for s in order.shipments if s.supplier_order_id == supplier_order_id and s.shipped_at > due]
    for by_line in (*left, *(by_line for at, by_line in supplier_order.dropped if at >= due)):
        late = order_after_sales.plus(late, by_line)
    return late


def _with_late(order: Order, fact: DeadlineMissed | BreachWithdrawn, late: Units) -> Order:
    if fact.clock is not Clock.DISPATCH:
        return order
    changed = replace(order.supplier_orders[fact.object_id], late=late)
    return replace(order, supplier_orders={**order.supplier_orders, fact.object_id: changed})


def _supplier_order_moved(order: Order, fact: SupplierOrderFact) -> Order:
    """A supplier order's fact, and what it does to the buckets of the order's lines."""
    if isinstance(fact, SupplierOrderDrafted):
        after = supplier_orders.draft(fact)
        order = _moved(order, fact.units, "open", "assigned")
        if order.unreserved:
            order = replace(order, unreserved=_given_to(order.unreserved, fact))
        if any(choice.untracked for choice in fact.choices):
            order = _unreserved(order, fact)
    else:
        before = order.supplier_orders[fact.supplier_order_id]
        after = supplier_orders.evolve(before, fact)
        order = replace(order, buckets=_follow_shares(order.buckets, before, after))
    if isinstance(fact, CancelAgreed):
        order = _given_up(order, fact.at)
    elif isinstance(fact, SupplierOrderShipped):
        shipment = Shipment(
            fact.supplier_order_id,
            fact.carrier,
            fact.number,
            fact.epoch,
            fact.by_line,
            shipped_at=fact.at,
            oddities=fact.oddities,
        )
        order = replace(order, shipments=(*order.shipments, shipment))
    return replace(order, supplier_orders={**order.supplier_orders, after.supplier_order_id: after})


def _unreserved(order: Order, fact: SupplierOrderDrafted) -> Order:
    """Units went to a supplier that sends no feed of them."""
    skus = {choice.sku for choice in fact.choices if choice.untracked}
    units = {n: count for n, count in fact.units.items() if order.lines[n].sku in skus}
    unreserved = _plus(order.unreserved, fact.supplier_id, units)
    return replace(order, unreserved=unreserved, untracked=order.untracked | units.keys())


def _given_to(unreserved: Mapping[AtSupplier, int], fact: SupplierOrderDrafted) -> Mapping[AtSupplier, int]:
    """Units that wait and were no supplier's yet are this one's to get; what lines had beyond them was cancelled."""
    drafted = order_after_sales.plus(fact.units, fact.backordered)
    taken = {n: count for n, units in drafted.items() if (count := min(units, unreserved.get(("", n), 0)))}
    if not taken:
        return unreserved
    rest = {key: units for key, units in unreserved.items() if key[0] or key[1] not in taken}
    return _plus(rest, fact.supplier_id, taken)


def _follow_shares(
    buckets: dict[LineNo, Buckets], before: SupplierOrder, after: SupplierOrder
) -> dict[LineNo, Buckets]:
    """The lines' buckets change by what the supplier order's shares changed."""
    if before.shares is after.shares:
        return buckets
    changed = dict(buckets)
    for line_no, share in after.shares.items():
        was, line = before.shares[line_no], buckets[line_no]
        if was is share:
            continue
        changed[line_no] = replace(
            line,
            open=line.open + share.rejected + share.rerouted - was.rejected - was.rerouted,
            backordered=line.backordered + share.backordered - was.backordered,
            assigned=line.assigned + share.pending + share.accepted - was.pending - was.accepted,
            cancelled=line.cancelled + share.cancelled - was.cancelled,
            shipped=line.shipped + share.shipped - was.shipped,
        )
    return changed


# --- refusals -------------------------------------------------------------------------------------


class UnknownOrder(NotFound):
    def __init__(self, order_id: str) -> None:
        super().__init__(f"there is no order {order_id}", order_id=order_id)


class OrderPlacedDifferently(AlreadyExists):
    def __init__(self, order_id: str) -> None:
        super().__init__(f"order {order_id} was placed already with other content", order_id=order_id)


class OrderOnHold(Forbidden):
    def __init__(self, order_id: str, holds: Iterable[Hold]) -> None:
        reasons = ", ".join(sorted({str(hold.reason) for hold in holds}))
        super().__init__(f"order {order_id} is on hold: {reasons}", order_id=order_id, holds=reasons)


class OrderIsConfirmed(Forbidden):
    def __init__(self, order_id: str) -> None:
        super().__init__(
            f"order {order_id} is confirmed; of its details only the address can still change, by ChangeAddress",
            order_id=order_id,
        )


class NotConfirmable(Forbidden):
    def __init__(self, order_id: str, why: str) -> None:
        super().__init__(f"order {order_id} cannot be confirmed: {why}", order_id=order_id, why=why)


class UnknownHold(NotFound):
    def __init__(self, order_id: str, reason: HoldReason, owner: str) -> None:
        super().__init__(
            f"order {order_id} has no hold {reason}" + (f" of {owner}" if owner else ""),
            order_id=order_id,
            hold=reason,
            owner=owner,
        )


class StillIncomplete(Forbidden):
    def __init__(self, order_id: str, missing: Iterable[str]) -> None:
        fields = ", ".join(missing)
        super().__init__(
            f"order {order_id} still lacks {fields}; complete it with OrderService.CompleteDetails",
            order_id=order_id,
            missing=fields,
        )


class OrderClosed(Forbidden):
    def __init__(self, order_id: str, header: Header) -> None:
        super().__init__(f"order {order_id} is {header}", order_id=order_id, status=header)


class AlreadyPacked(Forbidden):
    def __init__(self, order_id: str, supplier_order_id: str) -> None:
        super().__init__(
            f"supplier order {supplier_order_id} is packed; the address can change only before packing",
            order_id=order_id,
            supplier_order_id=supplier_order_id,
        )


class CannotCancel(Forbidden):
    def __init__(self, line_no: int, asked: int, left: int) -> None:
        super().__init__(
            f"{asked} of line {line_no} to cancel, {left} can still be cancelled; units that were shipped can only "
            "be returned",
            line_no=line_no,
            asked=asked,
            left=left,
        )


class NothingToCancel(Forbidden):
    def __init__(self, order_id: str) -> None:
        super().__init__(
            f"order {order_id} has no unit left that could be cancelled; shipped units can only be returned",
            order_id=order_id,
        )


class NotDispatched(Forbidden):
    def __init__(self, order_id: str, header: Header) -> None:
        super().__init__(
            f"order {order_id} is {header}; a receipt is confirmed after dispatch", order_id=order_id, status=header
        )


class ReceivedTooEarly(Forbidden):
    def __init__(self, order_id: str, at: datetime, placed_at: datetime) -> None:
        super().__init__(
            f"order {order_id} was placed {to_minute(placed_at)} and cannot have been received {to_minute(at)}; "
            "give the time at which it was",
            order_id=order_id,
            at=at.isoformat(),
            placed_at=placed_at.isoformat(),
        )


class BeforePlacing(Forbidden):
    def __init__(self, order_id: str, at: datetime, placed_at: datetime) -> None:
        super().__init__(
            f"order {order_id} was placed {to_minute(placed_at)}, so nobody can have said this of it {to_minute(at)}; "
            "give the time at which it was said",
            order_id=order_id,
            at=at.isoformat(),
            placed_at=placed_at.isoformat(),
        )


class ReviewDiffers(AlreadyExists):
    def __init__(self, review_id: str, score: int) -> None:
        super().__init__(f"review {review_id} was recorded with {score} stars", review_id=review_id, score=score)


class ChargebackDiffers(AlreadyExists):
    def __init__(self, chargeback_id: str, amount: Money) -> None:
        super().__init__(
            f"chargeback {chargeback_id} was recorded already, of {amount}",
            chargeback_id=chargeback_id,
            amount_minor=amount.amount_minor,
            currency=amount.currency,
        )


class MoreThanCameIn(Forbidden):
    def __init__(self, order_id: str, asked: Money, came_in: Money, refunded: Money, charged_back: Money) -> None:
        super().__init__(
            f"{asked} more to go back of order {order_id}: {came_in} came in, of which {refunded} was refunded and "
            f"{charged_back} charged back; deny what cannot go back, by the refund's id if it was granted",
            order_id=order_id,
            asked_minor=asked.amount_minor,
            came_in_minor=came_in.amount_minor,
            refunded_minor=refunded.amount_minor,
            charged_back_minor=charged_back.amount_minor,
            currency=asked.currency,
        )


# --- decisions ------------------------------------------------------------------------------------


def known(order: Order | None, order_id: str) -> Order:
    if order is None:
        raise UnknownOrder(order_id)
    return order


def require_placed(order: Order, at: datetime) -> None:
    """Nobody instructs, answers or cancels before the order was placed: clocks would run from an impossible time."""
    if at < order.placed.placed_at:
        raise BeforePlacing(order.order_id, at, order.placed.placed_at)


S = TypeVar("S", DetailsCompleted, CustomsDataCompleted, PaymentChanged, ChargebackRecorded)


def since_placing(order: Order, fact: S) -> S:
    """The fact as it counts: not before the order was placed."""
    placed_at = order.placed.placed_at
    return fact if fact.at >= placed_at else replace(fact, at=placed_at, told_at=fact.at)


def missing_fields(order: Order, lacking: Container[LineNo] | None = None) -> tuple[str, ...]:
    """What was understood but is not enough to fulfil the order (DOMAIN 1), as field paths.

    Lines that lack stock wait for it and not for a supplier; without being named they are those of the ledger's hold.
    """
    if lacking is None:
        hold = order.hold(HoldReason.OUT_OF_STOCK, LEDGER) if order.holds else None
        lacking = hold.lacking if hold else ()
    missing = []
    if not order.lines:
        missing.append("lines")
    for index, line in enumerate(order.lines.values()):
        if line.quantity and order.buckets[line.line_no].cancelled == line.quantity:
            continue
        if line.sku and line.quantity and line.supplier_id:
            continue
        supplied = line.supplier_id or line.line_no in lacking
        for name, value in (("sku", line.sku), ("quantity", line.quantity), ("supplier_id", supplied)):
            if not value:
                missing.append(f"lines[{index}].{name}")
    if not order.has_address:
        missing.append("ship_to")
    if not order.has_contact:
        missing.append("customer")
    if order.payment is PaymentState.UNKNOWN:
        missing.append("payment")
    return tuple(missing)


def place_hold(order: Order, hold: Hold) -> Sequence[OrderFact]:
    """A reason to wait. The same hold again records nothing, nor does one without a note where there is one."""
    counted = replace(hold, at=max(hold.at, order.placed.placed_at))
    return _as_told(order, place_holds(order, [counted]), hold.at)


def _as_told(order: Order, facts: Sequence[OrderFact], at: datetime) -> Sequence[OrderFact]:
    """Facts of a hold; the first says what was told as its time, where it counts from the placing."""
    if not facts or at >= order.placed.placed_at:
        return facts
    return [replace(facts[0], told_at=at), *facts[1:]]


def place_holds(order: Order, holds: Sequence[Hold]) -> list[OrderFact]:
    """Reasons to wait, each of another scope, so that none has to see the one before it.

    One that stands already is news only if it turns out to be older.
    """
    standing = {each.key: each for each in order.holds}
    news: list[Hold] = []
    for hold in holds:
        _require_under_way(order, hold)
        present = standing.get(hold.key)
        if present is None or hold.at < present.at or not _says_no_more(hold, present):
            news.append(hold)
    placed = [HoldPlaced(order.order_id, hold, hold.at) for hold in news]
    return [*placed, *_clocks(order, news, _stopped(order, news), max(hold.at for hold in news))] if news else []


def _require_under_way(order: Order, hold: Hold) -> None:
    """After the end of what it names, the order or one supplier order, nothing waits any more.

    A hold that began before it is history, which counts also where it is told late.
    """
    named = order.supplier_order(hold.supplier_order_id) if hold.supplier_order_id else None
    ended_at = named.ended_at if named else order.ended_at
    if ended_at is None or hold.at < ended_at:
        return
    if named:
        raise supplier_orders.NothingToShip(named.supplier_order_id, named.stage)
    raise OrderClosed(order.order_id, order.header)


def _says_no_more(hold: Hold, present: Hold) -> bool:
    """Whether a hold says nothing that the present one of its key does not say."""
    if hold.note_digest not in ("", present.note_digest):
        return False
    return replace(hold, at=present.at, note=present.note, note_digest=present.note_digest) == present


def _clocks(order: Order, holds: Iterable[Hold], stops: Stops, at: datetime) -> list[OrderFact]:
    """How the clocks of the supplier orders that these holds are about stand, by all that stopped them."""
    scopes = dict.fromkeys(hold.supplier_order_id for hold in holds if hold.reason.stops_clocks)
    about = order.supplier_orders if "" in scopes else scopes
    facts: list[OrderFact] = []
    for each in about:
        stopping = (*stops.get("", ()), *stops.get(each, ()))
        facts += supplier_orders.reckon_clocks(order.supplier_orders[each], stopping, at)
    return facts


def release_hold(
    order: Order, reason: HoldReason, owner: str, supplier_order_id: str, at: datetime
) -> Sequence[OrderFact]:
    """End holds of one reason: of one owner, or of all if none is named."""
    if supplier_order_id:
        order.supplier_order(supplier_order_id)
    ended = [
        hold
        for hold in order.holds
        if hold.reason is reason and (not owner or hold.owner == owner) and hold.supplier_order_id == supplier_order_id
    ]
    if not ended:
        raise UnknownHold(order.order_id, reason, owner)
    if reason is HoldReason.INCOMPLETE and (missing := missing_fields(order)):
        raise StillIncomplete(order.order_id, missing)
    return _as_told(order, end_holds(order, ended, max(at, order.placed.placed_at)), at)


def end_holds(order: Order, ended: Iterable[Hold], at: datetime) -> list[OrderFact]:
    """These holds end; a supplier order whose clocks none stops any more goes on."""
    ended = list(ended)
    released = [HoldReleased(order.order_id, hold.reason, hold.owner, at, hold.supplier_order_id) for hold in ended]
    return [*released, *_clocks(order, ended, _resumed(order, [hold.key for hold in ended], at), at)]


def end_with_order(order: Order, now: datetime) -> list[OrderFact]:
    """Once no unit is left to leave or to arrive, nothing waits: the ledger's own holds end. People end theirs."""
    over = order.header is Header.CANCELLED or (order.ordered and not any(map(order.units, UNDER_WAY)))
    own = [hold for hold in order.holds if hold.owner == LEDGER] if over else []
    return end_holds(order, own, max(now, *(hold.at for hold in own))) if own else []


def holds_on(order: Order, supplier_order_id: str) -> list[Hold]:
    """The holds that keep this supplier order from going on; one that names lacking units is about those alone."""
    return [hold for hold in order.holds if hold.supplier_order_id in ("", supplier_order_id) and not hold.lacking]


def held_at(order: Order, supplier_order_id: str, at: datetime) -> bool:
    """Whether a hold kept this supplier order from going on at that time: one that stands, or one that ended since."""
    stops = (*order.stops.get("", ()), *order.stops.get(supplier_order_id, ()))
    stood = any(stop.since <= at and (stop.until is None or at < stop.until) for stop in stops)
    return stood or any(hold.at <= at for hold in holds_on(order, supplier_order_id))


def complete_details(order: Order, completed: DetailsCompleted) -> Sequence[OrderFact]:
    """What was missing came in, before confirmation. Nothing new records nothing, nor does an address that is old."""
    if order.address_at is not None and completed.at < order.address_at:
        nothing: dict[str, Any] = {"customer": None, "destination": None, "promised_by": None, "subject": ""}
        completed = replace(completed, **nothing, has_contact=False, has_address=False)
    if (
        all(_known_as(order, line) for line in completed.lines)
        and completed.customer in (None, order.customer)
        and completed.has_contact in (False, order.has_contact)
        and completed.has_address in (False, order.has_address)
        and completed.destination in (None, order.destination)
        and completed.currency in ("", order.currency)
        and completed.incoterm in (None, order.incoterm)
    ):
        return []
    if order.confirmed_at is not None:
        raise OrderIsConfirmed(order.order_id)
    return [completed]


def require_total(before: Order, after: Order) -> None:
    """What all lines cost, or are declared for, is bounded, also where they were completed one by one."""
    for worth in (attrgetter("unit_price_minor"), attrgetter("declared_value_minor")):
        was, total = (sum(line.quantity * worth(line) for line in each.lines.values()) for each in (before, after))
        if total > max(was, MOST_MINOR):
            raise TotalTooLarge(f"order {after.order_id}", Money(total, after.currency))


def _known_as(order: Order, line: Line) -> bool:
    """Whether the line is as it is here; one that names no supplier may have been given one."""
    present = order.lines.get(line.line_no)
    if present is not None and line.line_no in order.chosen and not line.supplier_id:
        return line == replace(present, supplier_id="")
    return line == present


_NO_MONEY = frozenset({PaymentState.REFUNDED, PaymentState.FAILED})
"""Nothing is left of the money; what was voided failed."""


def change_payment(order: Order, payment: PaymentState, at: datetime) -> list[OrderFact]:
    """What the shop says of the money now. The same state again records nothing, unless it ends a hold.

    Paid releases the holds that waited for it. Money that goes back before the confirmation is awaited again; all of it
    going back after the confirmation keeps what has not left from leaving. News counts by its own time: what is older
    than what is known is recorded and moves nothing. Money may have come before the order, for which it counts from
    the placing.
    """
    changed = since_placing(order, PaymentChanged(order.order_id, payment, at))
    told_at, at = at, changed.at
    ended = _ended_by_payment(order, at) if payment is PaymentState.PAID else []
    if payment is order.payment and not ended and not _paid_again(order, payment, at):
        return []
    if order.payment_at is not None and told_at < order.payment_at:
        return [PaymentChanged(order.order_id, payment, told_at, outdated=True)]
    if payment is PaymentState.PAID:
        return [changed, *end_holds(order, ended, at)]
    if _awaits_confirmation(order) and order.hold(HoldReason.AWAITING_PAYMENT) is None:
        return [changed, HoldPlaced(order.order_id, Hold(HoldReason.AWAITING_PAYMENT, LEDGER, at), at)]
    gone = payment in _NO_MONEY and not _awaits_confirmation(order)
    return [changed, *keep_back(order, at)] if gone else [changed]


def money_gone_at(order: Order) -> datetime | None:
    """When the last of the money for its units went back; None if some is left, or it was paid again since.

    Of a chargeback in another currency nobody can say what it leaves.
    """
    if order.payment in _NO_MONEY:
        return order.payment_at or order.placed.at
    if not order.chargebacks or not (_left_nothing(order) or _charged_back_otherwise(order)):
        return None
    gone_at = max(chargeback.at for chargeback in order.chargebacks)
    since = order.payment_at if order.payment is PaymentState.PAID else None
    return None if since is not None and since > gone_at else gone_at


def _left_nothing(order: Order) -> bool:
    """Whether nothing of the money is left; of a paid order that of cancelled units may be what the bank took."""
    if order.payment is PaymentState.PAID:
        return left_minor(order) <= 0
    return _all_went_back(order)


def _charged_back_otherwise(order: Order) -> bool:
    return any(chargeback.amount.currency != order.currency for chargeback in order.chargebacks)


def _paid_again(order: Order, payment: PaymentState, at: datetime) -> bool:
    """Whether "paid" is news to a paid order: its money went back before."""
    gone_at = money_gone_at(order) if payment is PaymentState.PAID and order.chargebacks else None
    return gone_at is not None and at > gone_at


def _ended_by_payment(order: Order, at: datetime) -> list[Hold]:
    """The holds that money which came then ends: not those of money that went back later."""
    return [
        hold
        for hold in order.holds
        if not hold.supplier_order_id
        and (
            hold.reason is HoldReason.AWAITING_PAYMENT or (hold.reason is HoldReason.PAYMENT_REVERSED and hold.at <= at)
        )
    ]


def keep_back(order: Order, at: datetime) -> Sequence[OrderFact]:
    """What has not left waits, because its money went back: for the money, or for a person."""
    if order.header is Header.CANCELLED or not any(map(order.units, ("open", "backordered", "assigned"))):
        return []
    # The money of a reship is that of an order of before it, and counts by its own time.
    return place_holds(order, [Hold(HoldReason.PAYMENT_REVERSED, LEDGER, at)])


def share_money(reship: Order, paying: Order, news: ChargebackRecorded | PaymentChanged) -> Sequence[OrderFact]:
    """What news of the money of the order that paid for a reship's units means for the reship."""
    if isinstance(news, PaymentChanged) and news.outdated:
        return []
    if isinstance(news, PaymentChanged) and news.payment is PaymentState.PAID:
        return end_holds(reship, _ended_by_payment(reship, news.at), news.at)
    return keep_back(reship, news.at) if money_gone_at(paying) is not None else []


def _awaits_confirmation(order: Order) -> bool:
    return order.confirmed_at is None and order.header is not Header.CANCELLED


def send(order: Order, supplier_order_id: str, sent: SupplierOrderSent) -> Sequence[OrderFact]:
    """The dispatch instruction went out. Sending twice records nothing."""
    supplier_order = order.supplier_order(supplier_order_id)
    if supplier_order.sent_at is not None:
        return []
    if holds := holds_on(order, supplier_order_id):
        raise OrderOnHold(order.order_id, holds)
    if not supplier_order.unshipped:
        raise supplier_orders.NothingToShip(supplier_order_id, supplier_order.stage)
    stopping = (*order.stops.get("", ()), *order.stops.get(supplier_order_id, ()))
    if not stopping:
        return [sent]
    # It may be told after a hold that began later.
    return [sent, *supplier_orders.reckon_clocks(supplier_orders.evolve(supplier_order, sent), stopping, sent.at)]


def change_address(order: Order, changed: AddressChanged) -> list[AddressChanged]:
    """Send it elsewhere; only before packing. One that is older than the present one is recorded and moves nothing.

    The same address of the same time again records nothing.
    """
    present_at = order.address_at or order.placed.placed_at
    same = (changed.customer, changed.destination) == (order.customer, order.destination)
    if same and changed.at <= present_at:
        return []
    if order.header in (Header.COMPLETED, Header.CANCELLED, Header.DELIVERED):
        raise OrderClosed(order.order_id, order.header)
    for each in order.supplier_orders.values():
        if each.packed_at is not None or each.count("shipped"):
            raise AlreadyPacked(order.order_id, each.supplier_order_id)
    return [replace(changed, outdated=True)] if changed.at < present_at else [changed]


def confirm_receipt(order: Order, by: str, at: datetime, returned: Sequence[Shipment] = ()) -> Sequence[OrderFact]:
    """The customer, or the carrier for it, has all that was dispatched and not returned. Twice records nothing.

    After a dispute, or for a later parcel, a receipt can be confirmed again.
    """
    if not order.shipments:
        raise NotDispatched(order.order_id, order.header)
    if at < order.placed.placed_at:
        raise ReceivedTooEarly(order.order_id, at, order.placed.placed_at)
    arrived: list[OrderFact] = [
        UnitsDelivered(order.order_id, each.carrier, each.number, each.epoch, each.by_line, at)
        for each in order.shipments
        if each.bucket != "delivered" and each not in returned
    ]
    if order.receipt_confirmed_at is not None and not arrived:
        return []
    return [*arrived, ReceiptConfirmed(order.order_id, by, at)]


def review(order: Order, review_id: str, score: int, at: datetime) -> Sequence[OrderFact]:
    """The customer's stars. The same review again records nothing."""
    for each in order.reviews:
        if each.review_id == review_id:
            if each.score != score:
                raise ReviewDiffers(review_id, each.score)
            return []
    return [OrderReviewed(order.order_id, review_id, score, at)]


def record_chargeback(order: Order, chargeback: ChargebackRecorded) -> Sequence[OrderFact]:
    """The bank took money back, which is recorded whatever it comes to. The same chargeback again records nothing.

    Where nothing is left of what was paid for the order's units, those that have not left wait.
    """
    for each in order.chargebacks:
        if each.chargeback_id == chargeback.chargeback_id:
            if each.amount != chargeback.amount:
                raise ChargebackDiffers(each.chargeback_id, each.amount)
            return []
    after = evolve(order, chargeback)
    gone = money_gone_at(after) is not None
    chargeback = replace(chargeback, warnings=tuple(_odd(after, chargeback)))
    return [chargeback, *keep_back(order, chargeback.at)] if gone else [chargeback]


def _odd(after: Order, chargeback: ChargebackRecorded) -> Iterator[str]:
    """What is odd about the newest chargeback of an order."""
    if chargeback.amount.currency != after.currency:
        yield f"{chargeback.amount} was charged back of an order in {after.currency or 'no currency yet'}"
        return
    refunded, taken = after.after_sales.paid_back_minor, charged_back_minor(after)
    whole = sum(line.quantity * line.unit_price_minor for line in after.lines.values())
    if refunded + taken > whole:
        figures = (refunded + taken - whole, whole, refunded, taken)
        more, price, back, charged = (Money(each, after.currency) for each in figures)
        yield f"{more} more went back than the units cost: of {price}, {back} was refunded and {charged} charged back"


def complete(order: Order | None, closes_at: datetime | None, now: datetime) -> Sequence[OrderFact]:
    """Notice that the return window closed with no case open. Nothing to notice records nothing."""
    if order is None or closes_at is None or order.completed_at is not None or now < closes_at:
        return []
    if order.after_sales.open_cases:
        return []
    cases_left_at = [share.left_at for share in order.after_sales.cases.values() if share.left_at is not None]
    return [OrderCompleted(order.order_id, max([closes_at, *cases_left_at]))]


def require_paid(order: Order) -> None:
    """Only money that came can go back."""
    if order.payment not in (PaymentState.PAID, PaymentState.PARTLY_REFUNDED):
        raise order_after_sales.NothingPaid(order.order_id, order.payment)


def price_of(order: Order, units: Units) -> Amounts:
    """What was to be paid for units, line by line, in minor units."""
    return {line_no: count * order.lines[line_no].unit_price_minor for line_no, count in units.items()}


def came_in_minor(order: Order) -> int:
    """What was paid for the order, as far as the shop's word says: the price of all units, or nothing."""
    if order.payment not in (PaymentState.PAID, PaymentState.PARTLY_REFUNDED, PaymentState.REFUNDED):
        return 0
    return sum(line.quantity * line.unit_price_minor for line in order.lines.values())


def charged_back_minor(order: Order) -> int:
    """What banks took back in the order's currency; another cannot be compared without a rate that nobody agreed."""
    amounts = (chargeback.amount for chargeback in order.chargebacks)
    return sum(amount.amount_minor for amount in amounts if amount.currency == order.currency)


def left_to_go_back(order: Order, refunded_minor: int) -> int:
    """What is left of what came in, once so much is refunded, in minor units; below zero if more went back."""
    return came_in_minor(order) - charged_back_minor(order) - refunded_minor


def left_minor(order: Order) -> int:
    """What is left of what came in after all that was refunded and charged back."""
    return left_to_go_back(order, order.after_sales.paid_back_minor)


def require_left(order: Order, asked_minor: int, refunded_minor: int) -> None:
    """Never more goes back than came in, by refunds and by chargebacks together."""
    if asked_minor > left_to_go_back(order, refunded_minor):
        figures = (asked_minor, came_in_minor(order), refunded_minor, charged_back_minor(order))
        raise MoreThanCameIn(order.order_id, *(Money(each, order.currency) for each in figures))


def _all_went_back(order: Order) -> bool:
    """Whether nothing is left of what was paid for the units that are not cancelled."""
    wanted = {line_no: buckets.total - buckets.cancelled for line_no, buckets in order.buckets.items()}
    back_minor = order.after_sales.paid_back_minor + charged_back_minor(order)
    return back_minor >= sum(price_of(order, wanted).values())


def pay_refund(order: Order, refund_id: str, at: datetime) -> list[OrderFact]:
    """A refund was paid out; the payment follows. Paying it twice records nothing."""
    after_sales = order.after_sales
    refund = after_sales.refunds[refund_id]
    if refund.paid:
        return []
    require_left(order, sum(refund.amounts_minor.values()), after_sales.paid_back_minor)
    paid_back = RefundPaidBack(order.order_id, refund_id, at)
    after = evolve(order, paid_back)
    payment = PaymentState.REFUNDED if _all_went_back(after) else PaymentState.PARTLY_REFUNDED
    # It follows from all that is known, so it is never older than that.
    return [paid_back, *change_payment(after, payment, max(at, after.payment_at or at))]
