"""The state of an order: where its units are, what holds it, what is due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import StrEnum
from operator import attrgetter

from msgspec.structs import replace

from ledger.facts import LineNo, Sealed, Units, Value, plus
from ledger.nouns.choice import Choice
from ledger.nouns.orders.after_sales import AfterSales
from ledger.nouns.orders.balance import Worth, payment_of
from ledger.nouns.orders.debts import Debt
from ledger.nouns.orders.facts import (
    UNDER_WAY,
    BreachWithdrawn,
    ChargebackRecorded,
    ContactChanged,
    DeadlineMissed,
    DelayRuled,
    Hold,
    HoldKey,
    HoldReason,
    OrderPlaced,
    OrderReviewed,
    ReroutingSought,
)
from ledger.nouns.orders.invoices import Invoicing
from ledger.nouns.orders.lines import Line
from ledger.nouns.orders.payments import Charge, Payment, PaymentKey, PaymentKind, PaymentState
from ledger.nouns.orders.remarks import Remarks
from ledger.nouns.orders.supplier_orders import Oddity, ShipTo, Stop, SupplierOrder, UnknownSupplierOrder
from ledger.nouns.orders.tracking_links import TrackingLink
from ledger.terms.clocks import Clock
from ledger.terms.places import Destination
from ledger.terms.retention import PersonalKind
from ledger.terms.shipping import Incoterm
from ledger.view import View


def stream(order_id: str) -> str:
    """order_id is ``channel/number``, such as ``shopify/1001``."""
    return f"order-{order_id}"


def anchor(order_id: str) -> str:
    """Whose keys are those of what is sealed about an order: all of it goes at once.

    Which orders are of one person is told by no fact, only by the contacts in the key table.
    """
    return f"{_ANCHOR}{order_id}"


def anchored(subject: str) -> str:
    """The order that an anchor is of; empty for any other subject."""
    return subject.removeprefix(_ANCHOR) if subject.startswith(_ANCHOR) else ""


_ANCHOR = "order "


def find(view: View, order_id: str) -> Order | None:
    found: Order | None = view.state(stream(order_id))
    return found


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
    CLOSED = "closed"
    """Nothing arrived, and what was lost or came back is settled with the customer."""

    @property
    def is_over(self) -> bool:
        """Nothing more is to come of the order."""
        return self in (Header.COMPLETED, Header.CANCELLED, Header.CLOSED)


class Buckets(Value, frozen=True):
    """Where the units of one line are: each in exactly one bucket."""

    open: int = 0
    backordered: int = 0
    assigned: int = 0
    shipped: int = 0
    delivered: int = 0
    cancelled: int = 0
    lost: int = 0
    returned: int = 0
    """Came back to the sender undelivered."""

    def move(self, units: int, source: str, target: str) -> Buckets:
        return replace(self, **{source: getattr(self, source) - units, target: getattr(self, target) + units})

    @property
    def sent(self) -> int:
        return self.shipped + self.delivered + self.lost + self.returned

    @property
    def total(self) -> int:
        arrived_or_not = self.delivered + self.returned + self.cancelled + self.lost
        return self.open + self.backordered + self.assigned + self.shipped + arrived_or_not


ParcelKey = tuple[str, str, int]
"""Carrier, number and epoch."""


class Shipment(Value, frozen=True):
    """Units of a supplier order that left in a parcel, as they were told: shipped, delivered, returned or lost.

    All that an order has in a parcel is in one bucket.
    """

    supplier_order_id: str
    carrier: str
    number: str
    epoch: int
    by_line: Units
    shipped_at: datetime
    bucket: str = "shipped"
    delivered_at: datetime | None = None
    oddities: tuple[Oddity, ...] = ()
    ended_at: datetime | None = None
    """When it was lost or returned."""
    ship_to: ShipTo | None = None
    """Where it goes, if that is not where its supplier order goes now: it had left when that changed."""
    collect_minor: int = 0
    """What its carrier collects from the customer."""
    unreserved: Units = {}
    """Units among them that had no reservation of stock."""
    not_cancelled: tuple[Units, Units] | None = None
    """Units among them that its supplier was to cancel, and those of them that were to be rerouted; it was too late."""

    over: Units = {}
    """Units in it beside those that were to be sent."""
    unordered: dict[str, int] = {}
    """Units in it of SKUs that the supplier order does not have."""
    in_parcel_of: str = ""
    """The order whose parcel it was before, where that is another."""

    @property
    def parcel(self) -> ParcelKey:
        return (self.carrier, self.number, self.epoch)


class Breach(Value, frozen=True):
    """A clock that was missed, as it was recorded."""

    missed: DeadlineMissed
    withdrawn: BreachWithdrawn | None = None

    @property
    def withdrawn_at(self) -> datetime | None:
        return self.withdrawn.at if self.withdrawn is not None else None


class OrderMoney(Value, frozen=True):
    """What is known of an order's money beside the prices of its lines; ``balance`` adds it up."""

    charges: tuple[Charge, ...] = ()
    payments_by_key: dict[PaymentKey, Payment] = {}
    """With amounts, as they were told; what a bank took back stands in the order's chargebacks."""
    sums_minor: dict[tuple[PaymentKind, str], int] = {}
    """What they come to, by kind and currency."""
    word: PaymentState | None = None
    """What the shop last said of the money without amounts, since the placing."""
    settled_before: datetime | None = None
    """A word settled the units that were cancelled before it: "paid" was for the others, "partly refunded" gave their
    money back. None while no word did."""
    cancelled: tuple[tuple[datetime, Units], ...] = ()
    """Units that were cancelled, and when each were."""
    on_delivery: bool = False
    """Carriers collect the money at the door."""
    paid_minor: int = 0
    """What had come in by the shop's word before an amendment; a later word starts over."""
    lowered_minor: int = 0
    """By how much amendments made it cheaper than it was once."""
    taken_off_minor: int = 0
    """The same, whatever others made it dearer by."""
    amended_at: datetime | None = None
    version: int = 0
    """Of the newest amendment, by its source's time and count."""
    debts: tuple[Debt, ...] = ()
    """What became owed to the customer, the oldest first, those that were paid too."""

    @property
    def payments(self) -> tuple[Payment, ...]:
        return tuple(self.payments_by_key.values())

    def with_payments(self, more: Iterable[Payment]) -> OrderMoney:
        by_key, sums = self.payments_by_key.copy(), self.sums_minor.copy()
        for each in more:
            by_key[each.key] = each
            of = (each.kind, each.amount.currency)
            sums[of] = sums.get(of, 0) + each.amount.amount_minor
        return replace(self, payments_by_key=by_key, sums_minor=sums)


AtSupplier = tuple[str, LineNo]
"""A line with the supplier that is to send it; "" until a supplier order has it."""

Stops = dict[str, tuple[Stop, ...]]
"""Holds that stop clocks, over or not, by the supplier order that waits; "" means all of them."""


class Order(Value, frozen=True):
    """An order, folded from its facts."""

    placed: OrderPlaced
    """As it came in; what changed since is in the fields below."""
    lines: dict[LineNo, Line]
    buckets: dict[LineNo, Buckets]
    currency: str
    said: PaymentState
    """How the money stands, as the shop says; what amounts tell goes before it."""
    destination: Destination
    customer: Sealed | None
    has_contact: bool
    has_address: bool
    promised_by: datetime | None
    promised_day: date | None = None
    """The day whose end promised_by is, where the customer was told a day."""
    payment_at: datetime | None = None
    """The time, as given, of the newest payment state since the order was recorded."""
    address_at: datetime | None = None
    """The time of the newest address since the placing."""
    contact: ContactChanged | None = None
    """How the customer is reached, if that changed since the newest address."""
    incoterm: Incoterm | None = None
    no_promise_because: str = ""
    """Why a confirmed order promises no day."""
    subjects: tuple[str, ...] = ()
    """Pseudonyms that facts of before have of the people whose data they hold sealed, the latest last."""
    holds_by_key: dict[HoldKey, Hold] = {}
    """Its holds, the latest last."""
    stops: Stops = {}
    """Since the confirmation: before it no supplier has anything to do."""
    untracked: frozenset[LineNo] = frozenset()
    unreserved: Mapping[AtSupplier, int] = {}
    """Units that could not be reserved: backordered by us, or of SKUs without a feed."""
    chosen: dict[LineNo, Choice] = {}
    """Lines whose supplier the shop did not know, and why they have the one they have."""
    confirmed_at: datetime | None = None
    supplier_orders: dict[str, SupplierOrder] = {}
    shipments_by_place: dict[int, Shipment] = {}
    """In the order of recording; each keeps its place where others are taken out."""
    places: Mapping[ParcelKey, tuple[int, ...]] = {}
    """Where among them those in each parcel are: none of a thousand parcels looks at all of them."""
    cancelled_empty: bool = False
    cancelled_at: datetime | None = None
    """When units were last cancelled."""
    receipt_confirmed_at: datetime | None = None
    completed_at: datetime | None = None
    breaches: Mapping[tuple[str, Clock], Breach] = {}
    """The last breach of each clock of each object, also if it was withdrawn."""
    rulings: dict[tuple[str, Clock], DelayRuled] = {}
    """Whose fault a missed clock is, where somebody ruled."""
    sought: dict[tuple[str, Clock], ReroutingSought] = {}
    """The last result of seeking another supplier for overdue units."""
    reviews: tuple[OrderReviewed, ...] = ()
    chargebacks: tuple[ChargebackRecorded, ...] = ()
    after_sales: AfterSales = AfterSales()
    addresses: tuple[ShipTo, ...] = ()
    """Where it was to go, the present address last; none while that never changed."""
    remarks: Remarks = Remarks()
    money: OrderMoney = OrderMoney()
    invoicing: Invoicing = Invoicing()
    erased_at: datetime | None = None
    """When its customer was last erased."""
    expired: Mapping[PersonalKind, datetime] = {}
    """What is gone, by kind, and since when; all of it once the customer was erased."""
    written_at: datetime | None = None
    """When something about the customer was last written, or handed in, since the order was over."""
    personal_data_held_until: datetime | None = None
    """Until when a legal hold keeps what is kept of its customer; the last one counts."""
    tracking_link: TrackingLink = TrackingLink()
    worth: Worth | None = None
    """What it comes to beside its payments, while nothing but payments come; every other fact ends that."""

    @property
    def order_id(self) -> str:
        return self.placed.order_id

    @property
    def is_erased(self) -> bool:
        """Whether its customer was erased: what that was must not be found out by trying either."""
        return self.erased_at is not None or bool(self.expired)

    @property
    def payment(self) -> PaymentState:
        """How the money stands: it follows from all amounts, where some are known."""
        return payment_of(self) if self.money.payments_by_key or self.money.on_delivery else self.said

    @property
    def paid_order_id(self) -> str:
        """The order whose money paid for its units: itself, or the one that a reship sends once more."""
        return self.placed.original_order_id or self.placed.order_id

    @property
    def missed(self) -> frozenset[tuple[str, Clock]]:
        """The breaches that stand: of which object, by which clock."""
        return frozenset(key for key, breach in self.breaches.items() if breach.withdrawn is None)

    def is_missed(self, object_id: str, clock: Clock) -> bool:
        """Whether a breach stands."""
        breach = self.breaches.get((object_id, clock))
        return breach is not None and breach.withdrawn is None

    @property
    def reached_since(self) -> datetime:
        """Since when the customer is reached as it is now."""
        since = self.address_at or self.placed.placed_at
        return since if self.contact is None else max(since, self.contact.at)

    @property
    def sealed_for(self) -> str:
        """The order id that its customer is sealed for: what unsealing needs."""
        # After a change of address the customer is sealed for this order itself.
        return (
            self.placed.sealed_for
            if self.placed.sealed_for and self.customer == self.placed.customer
            else self.order_id
        )

    @property
    def ship_to(self) -> ShipTo:
        """Where it goes now, but for parts that keep an address of before."""
        if self.addresses:
            return self.addresses[-1]
        since = self.address_at or self.placed.placed_at
        return ShipTo(self.customer, self.destination, self.sealed_for, since)

    def ship_to_of(self, supplier_order_id: str, shipment: Shipment | None = None) -> ShipTo:
        """Where a supplier order goes, or a parcel of it."""
        kept = shipment.ship_to if shipment is not None else None
        return kept or self.supplier_orders[supplier_order_id].ship_to or self.ship_to

    def destination_of(self, supplier_order: SupplierOrder) -> Destination:
        return self.destination if supplier_order.ship_to is None else supplier_order.ship_to.destination

    def ship_to_at(self, at: datetime) -> ShipTo | None:
        """Where it was to go at a time before its address last changed; None if that is where it goes now."""
        before = [each for each in self.addresses[:-1] if each.since <= at] or self.addresses[:1]
        return before[-1] if before else None

    @property
    def sent(self) -> Units:
        """Units that ever left, by line; they never become fewer."""
        return {n: count for n, b in self.buckets.items() if (count := b.sent)}

    def units(self, bucket: str) -> int:
        return sum(map(attrgetter(bucket), self.buckets.values()))

    def in_bucket(self, bucket: str) -> Units:
        return {line_no: count for line_no, each in self.buckets.items() if (count := getattr(each, bucket))}

    def waiting_for_stock(self) -> Units:
        """Units without a reservation that are still to be shipped."""
        by_line: Units = {}
        for (_, line_no), units in self.waiting_at_suppliers().items():
            by_line[line_no] = by_line.get(line_no, 0) + units
        return by_line

    def waiting_at_suppliers(self) -> dict[AtSupplier, int]:
        """The same by the supplier that is to send them."""
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
        ordered, cancelled = self.ordered, self.units("cancelled")
        not_arrived = self.units("lost") + self.units("returned")
        wanted = ordered - cancelled - not_arrived
        delivered, shipped = self.units("delivered"), self.units("shipped")
        if self.cancelled_empty or (ordered and cancelled == ordered):
            return Header.CANCELLED
        if self.completed_at is not None:
            return Header.COMPLETED
        if delivered and delivered == wanted:
            return Header.DELIVERED
        if delivered:
            return Header.PARTLY_DELIVERED
        if not_arrived and self._is_closed:
            return Header.CLOSED
        if self.holds:
            return Header.ON_HOLD
        if shipped or not_arrived:
            return Header.DISPATCHED if shipped == wanted else Header.PARTLY_DISPATCHED
        return Header.CONFIRMED if self.confirmed_at is not None else Header.RECEIVED

    @property
    def _is_closed(self) -> bool:
        """Whether nothing is under way any more and all lost and returned units are settled, where none arrived.

        They are if all the money went back, or if cases about each of them are over and every refund is paid. A reship
        costs nothing: what becomes of its units is settled by the case that sent them.
        """
        after = self.after_sales
        owed = after.open_cases or any(not e.paid and any(e.amounts_minor.values()) for e in after.refunds.values())
        if owed or any(map(self.units, UNDER_WAY)):
            return False
        if self.placed.reship_of or self.payment in (PaymentState.REFUNDED, PaymentState.FAILED):
            return True
        return all(after.dealt_with(n) >= each.lost + each.returned for n, each in self.buckets.items())

    @property
    def delivered_at(self) -> datetime | None:
        """When the last unit arrived that was to arrive; None while any is under way."""
        if any(map(self.units, UNDER_WAY)) or not self.units("delivered"):
            return None
        # What was sent beside what was ordered keeps nobody waiting.
        return max(each.delivered_at for each in self.shipments if each.delivered_at is not None and each.by_line)

    @property
    def given_up_at(self) -> datetime | None:
        """When units were last cancelled, lost or returned; not of parcels that moved on since."""
        ends = [each.ended_at for each in self.shipments if each.ended_at is not None]
        return max(ends, default=self.cancelled_at) if self.cancelled_at is None else max([self.cancelled_at, *ends])

    @property
    def ended_at(self) -> datetime | None:
        """When the last of its units was delivered or given up; None while anything is left to wait for."""
        match self.header:
            case Header.CANCELLED | Header.CLOSED:
                return self.given_up_at
            case Header.DELIVERED | Header.COMPLETED:
                ends = [at for at in (self.delivered_at, self.given_up_at) if at is not None]
                return max(ends, default=None)
            case _:
                return None

    def stops_on(self, supplier_order_id: str) -> tuple[Stop, ...]:
        """All holds that stopped the clocks of a supplier order, over or not."""
        return (*self.stops.get("", ()), *self.stops.get(supplier_order_id, ()))

    @property
    def holds(self) -> tuple[Hold, ...]:
        return tuple(self.holds_by_key.values())

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

    @property
    def shipments(self) -> tuple[Shipment, ...]:
        """In the order of recording."""
        return tuple(self.shipments_by_place.values())

    def shipment(self, carrier: str, number: str, epoch: int) -> Shipment | None:
        """The first of its shipments in a parcel, which has the bucket and the end of all of them."""
        places = self.places.get((carrier, number, epoch))
        return None if places is None else self.shipments_by_place[places[0]]

    def in_parcel(self, of: Shipment) -> Units:
        """All its units in the parcel of a shipment, in whatever supplier orders."""
        units: Units = {}
        for place in self.places[of.parcel]:
            by_line = self.shipments_by_place[place].by_line
            units = plus(units, by_line) if units else by_line
        return units

    @property
    def reported_parcels(self) -> list[ParcelKey]:
        """Its parcels, also those that did not leave after all."""
        void = (parcel for each in self.supplier_orders.values() for parcel in each.voided)
        return list(dict.fromkeys((*self.places, *void)))

    @property
    def parcels(self) -> list[Shipment]:
        """Its parcels: the first shipment in each."""
        return [self.shipments_by_place[places[0]] for places in self.places.values()]
