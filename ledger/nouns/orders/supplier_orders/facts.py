"""What happens to a supplier order, as it is stored in the order's stream."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from ledger.facts import Fact, LineNo, Units, Value
from ledger.nouns.choice import Choice
from ledger.nouns.suppliers import CompensationTerms
from ledger.terms.calendars import PeakPeriod, WorkingTerms
from ledger.terms.money import Money
from ledger.terms.shipping import Chosen


class OfSupplierOrder(Fact, frozen=True, tag=""):
    """A fact about one supplier order."""

    supplier_order_id: str


class SupplierOrderDrafted(OfSupplierOrder, frozen=True, tag="order.supplier_order_drafted"):
    """Units of the order were given to a supplier; it does not know yet."""

    supplier_id: str
    units: Units
    at: datetime
    backordered: Units = {}
    """Units given to it that it has to get first."""
    packing: tuple[str, ...] = ()
    """What it is to pack with, such as ``logo_label``; what it cannot do is replaced by the agreed fallback."""
    unit_costs: dict[LineNo, Money] = {}
    """What the retailer owes for a unit of each line, by the supplier's offer then; without one it is left out."""
    instead_of: str = ""
    """The supplier order that had the units before, where they were rerouted."""
    because: str = ""
    """Why they were rerouted."""
    choices: tuple[Choice, ...] = ()
    """Why this supplier, for each SKU, where it was not the shop that named it."""
    shipping: Chosen | None = None
    """The service it is to be sent with; None where a country was not known, so that none could be chosen."""
    article_codes: dict[LineNo, str] = {}
    """The supplier's own names of what the lines are about, by its offers then."""
    packing_costs: dict[LineNo, Money] = {}
    """The part of unit_costs that is for packing."""
    warehouse: str = ""
    """The supplier's warehouse that it is sent from; empty means where the supplier sits."""
    send_by: datetime | None = None
    """When the retailer has to have sent it; None where nobody has to."""


class ShippingChosen(OfSupplierOrder, frozen=True, tag="order.shipping_chosen"):
    """Another service was chosen for a supplier order, because its address or what is known of it changed."""

    shipping: Chosen
    at: datetime


class SupplierOrderSent(OfSupplierOrder, frozen=True, tag="order.supplier_order_sent"):
    """The dispatch instruction went out; its clocks run. A clock without a time was not agreed."""

    at: datetime
    acknowledge_by: datetime | None = None
    dispatch_by: datetime | None = None
    first_scan_within_hours: int | None = None
    peaks: tuple[PeakPeriod, ...] = ()
    """The agreed peak periods that were not over, for clocks that start later."""
    compensation: CompensationTerms | None = None
    """What a late dispatch costs under the agreement in force; None where nothing was agreed."""
    working: WorkingTerms | None = None
    """The supplier's calendar from then on, and those of its terms for clocks of a supplier order that go by it; for
    holds that stop its clocks, and for clocks that start later."""
    address_changed_at: datetime | None = None
    """When the address changed since, where this was recorded after that: the supplier has to acknowledge again."""
    acknowledge_again_by: datetime | None = None
    """By when; None where nothing is agreed, or the first acknowledgement was late by then."""
    cancel_answer_within_hours: int | None = None
    """How soon it answers a request to cancel; where that goes by its calendar, ``working`` has it."""


class RejectReason(StrEnum):
    """Why a supplier does not take units."""

    OUT_OF_STOCK = "out_of_stock"
    DISCONTINUED = "discontinued"
    CANNOT_SHIP_TO = "cannot_ship_to"
    PRICE_CHANGED = "price_changed"
    QUANTITY_CHANGED = "quantity_changed"
    OTHER = "other"


class LineAnswer(Value, frozen=True):
    """The supplier's answer for one line, in units."""

    accepted: int = 0
    backordered: int = 0
    rejected: int = 0
    expected_at: datetime | None = None
    """When backordered units are expected."""
    because: RejectReason | None = None

    @property
    def units(self) -> int:
        return self.accepted + self.backordered + self.rejected


class SupplierOrderAcknowledged(OfSupplierOrder, frozen=True, tag="order.supplier_order_acknowledged"):
    """The supplier's answer, line by line. Rejected units are open again."""

    by_line: dict[LineNo, LineAnswer]
    at: datetime


class Oddity(StrEnum):
    """What should not have happened, but did: it is recorded, and becomes somebody's work."""

    ON_HOLD = "on_hold"
    """A hold stood."""
    TOO_EARLY = "too_early"
    """Before the order was placed, or more than three days before the instruction: the time cannot be right."""
    FORMER_ADDRESS = "former_address"
    """Before its address changed, which its supplier has not acknowledged: it goes to the one before."""
    NOT_SENT = "not_sent"
    """Its supplier had not been told to send it."""
    CANCELLED = "cancelled"
    """Units left that their supplier had agreed to cancel."""
    GIVEN_UP = "given_up"
    """Units left that their supplier had rejected, or given up for another one."""
    OVER = "over"
    """More units left than it was given."""
    UNORDERED = "unordered"
    """Units of a SKU left that it does not have."""
    NUMBER_IN_USE = "number_in_use"
    """They left under the number of the last mile of another parcel, which is under way and cannot hold them."""

    @property
    def sentence(self) -> str:
        """The warning for whoever records it."""
        return _SENTENCES[self]


_SENTENCES = {
    Oddity.ON_HOLD: "the order was on hold; it is recorded and is somebody's work",
    Oddity.TOO_EARLY: "the time cannot be right: it is before the order, or long before the supplier was told of it",
    Oddity.FORMER_ADDRESS: "it was before the address changed: it goes to the address before, and is somebody's work",
    Oddity.NOT_SENT: "the supplier had not been told to send it; it is recorded and is somebody's work",
    Oddity.CANCELLED: "units left that the supplier had agreed to cancel; they stay cancelled, and are somebody's work",
    Oddity.GIVEN_UP: "units left that the supplier had rejected or given up for another; that is somebody's work",
    Oddity.OVER: "more units left than the supplier was given; nobody owes for them, and they are somebody's work",
    Oddity.UNORDERED: "a SKU left that the supplier was not given; nobody owes for it, and it is somebody's work",
    Oddity.NUMBER_IN_USE: "the number is that of another parcel's last mile; whose it is, somebody has to find out",
}


class SupplierOrderPacked(OfSupplierOrder, frozen=True, tag="order.supplier_order_packed"):
    """The goods are packed, with what."""

    packed_with: tuple[str, ...]
    at: datetime
    oddities: tuple[Oddity, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(each.sentence for each in self.oddities)


class PackingErrorFound(OfSupplierOrder, frozen=True, tag="order.packing_error_found"):
    """It was packed without something that it was to be packed with: an order error of the supplier."""

    lacking: tuple[str, ...]
    at: datetime


class PackingCorrected(OfSupplierOrder, frozen=True, tag="order.packing_corrected"):
    """It was packed again, with all that lacked: the error is withdrawn."""

    at: datetime


class SupplierOrderShipped(OfSupplierOrder, frozen=True, tag="order.supplier_order_shipped"):
    """Units left in a parcel, as the supplier says."""

    carrier: str
    number: str
    epoch: int
    by_line: Units
    at: datetime
    oddities: tuple[Oddity, ...] = ()
    collect_minor: int = 0
    """What its carrier collects from the customer, in the order's currency."""
    unreserved: Units = {}
    """Units among them that had no reservation of stock."""
    over: Units = {}
    """Units in it beside those that it was to send: they are in no count of the order, and nobody owes for them."""
    unordered: dict[str, int] = {}
    """Units in it of SKUs that it does not have, by what the supplier calls them."""
    in_parcel_of: str = ""
    """The order whose parcel it was before these units were found to be in it too; empty where that is the order."""
    told_under: tuple[str, str] | None = None
    """The carrier and number that it was reported under, where that is the last mile of the parcel."""

    @property
    def warnings(self) -> tuple[str, ...]:
        odd = tuple(each.sentence for each in self.oddities)
        if self.told_under is None:
            return odd
        named = " ".join(self.told_under)
        return (*odd, f"{named} is the last mile of parcel {self.carrier} {self.number}, which the goods are in")


class ShipmentVoided(OfSupplierOrder, frozen=True, tag="order.shipment_voided"):
    """A parcel did not leave after all: its units are to be shipped, as if it had never been reported."""

    carrier: str
    number: str
    epoch: int
    by_line: Units
    because: str
    by: str
    at: datetime


class TrackingCorrected(OfSupplierOrder, frozen=True, tag="order.tracking_corrected"):
    """A parcel left under another carrier or number than was reported."""

    carrier: str
    number: str
    epoch: int
    right: tuple[str, str, int]
    """Carrier, number and epoch of the parcel that left."""
    because: str
    by: str
    at: datetime
    in_parcel_of: str = ""
    """The order whose parcel that is, where it is another's."""

    @property
    def left_as(self) -> str:
        """Carrier and number, as people write them."""
        return " ".join(self.right[:2])


class CancelRequested(OfSupplierOrder, frozen=True, tag="order.supplier_order_cancel_requested"):
    """The supplier was asked not to ship these units; it replaces an earlier request."""

    by_line: Units
    by: str
    because: str
    at: datetime
    rerouted: Units = {}
    """Those of them that are to go to another supplier; the others are to be cancelled."""
    reroute_to: str = ""
    """The supplier that a person named for them; empty if the ledger is to choose."""
    answer_by: datetime | None = None
    """When its supplier must have answered for the units that this request adds; None where nothing is agreed."""


class CancelAgreed(OfSupplierOrder, frozen=True, tag="order.supplier_order_cancelled"):
    """The supplier will not ship these units; they are cancelled, but for those that are rerouted."""

    by_line: Units
    at: datetime
    by: str = ""
    """Who wanted a draft cancelled, about which no supplier was asked; otherwise the request names them."""
    rerouted: Units = {}
    """Those of them that are open again, to go to another supplier."""


class CancelRefused(OfSupplierOrder, frozen=True, tag="order.supplier_order_cancel_refused"):
    """The cancel request came too late, because the parcel left first or the supplier said so."""

    because: str
    at: datetime
    by_line: Units = {}
    """The units that it came too late for; it stays open for the others. Empty means all."""


class ClocksStopped(OfSupplierOrder, frozen=True, tag="order.clocks_stopped"):
    """A hold of the retailer or the customer stopped the supplier's clocks, or did so earlier than was known."""

    at: datetime
    acknowledge_by: datetime | None = None
    """When it would be due if the clock had not stopped; None if that is as it was."""
    dispatch_by: datetime | None = None


class ClocksResumed(OfSupplierOrder, frozen=True, tag="order.clocks_resumed"):
    """No such hold stands any more; the clocks are due later by the time that they stood still in all."""

    at: datetime
    acknowledge_by: datetime | None = None
    dispatch_by: datetime | None = None


class CompensationAccrued(OfSupplierOrder, frozen=True, tag="order.compensation_accrued"):
    """The supplier owes for a late dispatch, under the agreement in force when the supplier order was sent."""

    supplier_id: str
    amount: Money
    net_amount_minor: int
    """Price of the units that had not left in time, in the currency of the amount."""
    terms: CompensationTerms
    """What it was computed by; a cap in another currency than the amount was not applied."""
    at: datetime


class ReversalReason(StrEnum):
    """Why compensation is owed no more."""

    WITHDRAWN = "withdrawn"
    """The dispatch was not late after all."""
    RULED = "ruled"
    """The delay was ruled another party's."""
    RECOUNTED = "recounted"
    """Some units had left in time after all; what is owed for the others accrues again."""


class CompensationReversed(OfSupplierOrder, frozen=True, tag="order.compensation_reversed"):
    """What had accrued is owed no more."""

    supplier_id: str
    amount: Money
    because: ReversalReason
    at: datetime


class SupplierOrderInvoiced(OfSupplierOrder, frozen=True, tag="order.supplier_order_invoiced"):
    """An invoice of the supplier counts so many units; it takes the place of what the same invoice counted before."""

    invoice: str
    """Its number."""
    by_line: Units
    """Units that no other invoice may be paid for."""
    at: datetime
    waiting: Units = {}
    """Units that it names beside them, which have not left or are on another invoice."""


SupplierOrderFact = (
    SupplierOrderDrafted
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
    | SupplierOrderInvoiced
)
