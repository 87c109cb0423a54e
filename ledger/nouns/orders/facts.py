"""What happens to an order, as it is stored."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from ledger.facts import Fact, LineNo, Sealed, Units, Value, to_minute
from ledger.nouns.choice import Choice
from ledger.nouns.orders import after_sales, invoices, remarks, tracking_links
from ledger.nouns.orders.debts import RefundOwed
from ledger.nouns.orders.lines import Line, WhenUnavailable
from ledger.nouns.orders.payments import Charge, Payment, PaymentState
from ledger.nouns.orders.supplier_orders import (
    CancelAgreed,
    CancelRefused,
    CancelRequested,
    ClocksResumed,
    ClocksStopped,
    CompensationAccrued,
    CompensationReversed,
    PackingCorrected,
    PackingErrorFound,
    ShipmentVoided,
    ShippingChosen,
    SupplierOrderAcknowledged,
    SupplierOrderDrafted,
    SupplierOrderInvoiced,
    SupplierOrderPacked,
    SupplierOrderSent,
    SupplierOrderShipped,
    TrackingCorrected,
)
from ledger.terms.clocks import Clock
from ledger.terms.money import Money
from ledger.terms.parties import Party
from ledger.terms.places import Destination
from ledger.terms.retention import PersonalKind
from ledger.terms.shipping import Incoterm, Priority

LEDGER = "ledger"
"""The owner of holds that the ledger places and releases itself."""

UNDER_WAY = ("open", "backordered", "assigned", "shipped")
"""The buckets of units that are still to arrive."""


class SincePlacing(Fact, frozen=True, kw_only=True, tag=""):
    """What a shop may know before it has the order, such as a payment; it counts from the placing at the earliest."""

    told_at: datetime | None = None
    """The time that was given, where that is before the order was placed."""

    @property
    def warnings(self) -> tuple[str, ...]:
        if self.told_at is None:
            return ()
        return (f"{to_minute(self.told_at)} is before the order was placed, from when it counts",)


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


HoldKey = tuple[HoldReason, str, str]
"""What identifies a hold: reason, owner and scope."""


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
    """Keyed hash of the note: recognises another one without its content."""

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
    """Keyed hash of the order as it was sent: recognises a repetition without its content."""
    customer: Sealed | None = None
    subject: str = ""
    """A pseudonym of the customer, whose data keys carry it. Only in facts of before; see ``anchor``."""
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
    """An old order, recorded for its figures: nobody has anything to do about it."""
    tags: tuple[str, ...] = ()
    """Words of the shop to find it by."""
    charges: tuple[Charge, ...] = ()
    payments: tuple[Payment, ...] = ()
    cash_on_delivery: bool = False
    """Carriers collect the money at the door: it is confirmed unpaid."""
    warnings: tuple[str, ...] = ()
    """What is odd about it, such as a SKU that differs from a known one by case alone."""
    invoice: invoices.InvoiceWish | None = None
    """Only where the customer wants an invoice."""
    language: str = ""
    """ISO 639-1, in which the customer reads; empty where the shop did not say."""


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
    odd_skus: tuple[str, ...] = ()
    """What is odd about them: known ones differ by case alone."""

    @property
    def warnings(self) -> tuple[str, ...]:
        return (*super().warnings, *self.odd_skus)


class CustomsLine(Value, frozen=True):
    """What customs asks of one line; what is empty or zero was not given and stays as it was."""

    line_no: LineNo
    title: str = ""
    hs_code: str = ""
    origin: str = ""
    weight_grams: int = 0
    declared_value_minor: int = 0


class CustomsDataCompleted(SincePlacing, frozen=True, tag="order.customs_data_completed"):
    """What customs asks for came in or was corrected, before or after confirmation."""

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
    """The shop reported another state of the payment."""

    order_id: str
    payment: PaymentState
    at: datetime
    outdated: bool = False
    """A newer state was known already: this one is recorded and changes nothing."""


class PaymentRecorded(SincePlacing, frozen=True, tag="order.payment_recorded"):
    """Money moved: so much, as its source says. The sums of all that is known count, not the order of the news."""

    order_id: str
    payment: Payment
    at: datetime
    odd: tuple[str, ...] = ()
    """What is odd about it, in sentences."""

    @property
    def warnings(self) -> tuple[str, ...]:
        return (*super().warnings, *self.odd)


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
    """The same by supplier, because a line may wait with several; empty before the confirmation."""


class OrderAmended(SincePlacing, frozen=True, tag="order.amended"):
    """The shop changed what it had sold: more units, another price, other charges.

    What it wants fewer of is cancelled by facts of their own.
    """

    order_id: str
    at: datetime
    version: int = 0
    """Of the order at its source, higher with each change; 0 where the source counts none."""
    lines: tuple[Line, ...] = ()
    """New lines, and those that changed, as they are now; their quantity counts all units that were ever ordered."""
    added: Units = {}
    """Units that came in addition, by line; they are open."""
    charges: tuple[Charge, ...] | None = None
    """All of them as they are now; None if they stay as they are."""
    untracked: tuple[LineNo, ...] = ()
    """Of the lines with added units those of which nothing can be promised, because no feed says what there is."""
    outdated: bool = False
    """A newer state was known already: this one is recorded and changes nothing."""

    @property
    def warnings(self) -> tuple[str, ...]:
        if self.outdated:
            return ("a newer state of the order is known, which stays; this one is only recorded",)
        return super().warnings


class AddressChanged(Fact, frozen=True, tag="order.address_changed"):
    """What is not packed goes elsewhere."""

    order_id: str
    customer: Sealed
    destination: Destination
    at: datetime
    subject: str = ""
    promised_by: datetime | None = None
    """When what was promised ends now: a promised day at the new destination, or what the ledger promises anew."""
    outdated: bool = False
    """A newer address was known already: this one is recorded and changes nothing."""
    digest: str = ""
    """Keyed hash of customer and address: the same again is recognised without its content."""
    kept: tuple[str, ...] = ()
    """Supplier orders that are packed, or of which parcels have left: these keep the address that they had."""
    asked: dict[str, datetime | None] = {}
    """Supplier orders whose suppliers have to acknowledge again, and by when; without a time that is not clocked."""
    no_promise_because: str = ""
    """Why no day is promised any more; empty where the promise stands or was made anew."""

    @property
    def warnings(self) -> tuple[str, ...]:
        if self.outdated:
            return ("a newer address is known, which stays; this one is only recorded",)
        return tuple(self._kept(supplier_order_id) for supplier_order_id in self.kept)

    def _kept(self, supplier_order_id: str) -> str:
        if supplier_order_id in self.asked:
            return (
                f"what has left of supplier order {supplier_order_id} keeps the address that it had; the rest gets it"
            )
        return f"supplier order {supplier_order_id} is packed or has left, and keeps the address that it had"


class ContactChanged(Fact, frozen=True, tag="order.contact_changed"):
    """The customer is reached otherwise; everything still goes where it went."""

    order_id: str
    customer: Sealed
    """The whole person, with the address as it was."""
    at: datetime
    digest: str = ""
    """Keyed hash of what was said: the same again is recognised without its content."""
    outdated: bool = False
    """Newer news of the customer was known already: this is recorded and changes nothing."""

    @property
    def warnings(self) -> tuple[str, ...]:
        return ("newer news of the customer is known, which stays; this is only recorded",) if self.outdated else ()


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
    instead_of: datetime | None = None
    """When it had been taken to have arrived, where it did at another time: nobody has to be told again."""


class DeliveryReopened(Fact, frozen=True, tag="order.delivery_reopened"):
    """A delivery was disputed, or a loss or a return turned out wrong: the units are on their way again."""

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


class UnitsReturned(Fact, frozen=True, tag="order.units_returned"):
    """A parcel of the order came back to its sender undelivered: refused, unclaimed, or with a bad address."""

    order_id: str
    carrier: str
    number: str
    epoch: int
    by_line: Units
    at: datetime


class ReceiptConfirmed(Fact, frozen=True, tag="order.receipt_confirmed"):
    """The customer, or the carrier for it, confirmed that everything arrived."""

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
    """It was no breach after all; the fact that shows it arrived late."""

    order_id: str
    object_id: str
    clock: Clock
    happened_at: datetime | None
    """When the clock had been met in time; None if it was not, but stood still, or nobody wanted the units any more."""
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
    """A newer ruling was known already: this one is recorded and changes nothing."""


class PersonErased(Fact, frozen=True, tag="order.person_erased"):
    """The keys of all that was sealed of the order's customer until then are destroyed."""

    order_id: str
    by: str
    at: datetime
    keys: int = 0
    """How many were destroyed at once, of this order and of all others of the person."""
    kinds: tuple[PersonalKind, ...] = ()
    """What alone was erased because it had been kept for as long as the policy says; none means everything."""


class PersonalDataAdded(Fact, frozen=True, tag="order.personal_data_added"):
    """Something about the customer was written, or handed in, of an order that was over: it is kept anew."""

    order_id: str
    at: datetime


class PersonalDataHeld(Fact, frozen=True, tag="order.personal_data_held"):
    """What is kept of the order's customer has to stay until then, whoever wants it erased: a legal hold."""

    order_id: str
    because: str
    by: str
    at: datetime
    until: datetime


class ReroutingSought(Fact, frozen=True, tag="order.rerouting_sought"):
    """Another supplier was sought for overdue units; recorded once for each clock and due time."""

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
    | PaymentRecorded
    | OrderConfirmed
    | UnitsBackordered
    | UnitsReserved
    | OrderAmended
    | AddressChanged
    | ContactChanged
    | UnitsCancelled
    | UnitsDelivered
    | DeliveryReopened
    | UnitsLost
    | UnitsReturned
    | ReceiptConfirmed
    | OrderReviewed
    | ChargebackRecorded
    | OrderCompleted
    | DeadlineMissed
    | BreachWithdrawn
    | RefundOwed
    | DelayRuled
    | ReroutingSought
    | PersonErased
    | PersonalDataAdded
    | PersonalDataHeld
    | SupplierOrderDrafted
    | ShippingChosen
    | SupplierOrderSent
    | SupplierOrderAcknowledged
    | SupplierOrderPacked
    | PackingErrorFound
    | PackingCorrected
    | SupplierOrderShipped
    | ShipmentVoided
    | TrackingCorrected
    | CancelRequested
    | CancelAgreed
    | CancelRefused
    | ClocksStopped
    | ClocksResumed
    | CompensationAccrued
    | CompensationReversed
    | remarks.RemarkFact
    | tracking_links.TrackingLinkFact
    | SupplierOrderInvoiced
    | invoices.CustomerInvoiceFact
    | after_sales.RemedyFact
)
