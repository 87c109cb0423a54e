"""What happens to a parcel, as it is stored."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from msgspec.structs import replace

from ledger.facts import Fact, Sealed, Units, Value
from ledger.terms.money import Money
from ledger.terms.parties import Party
from ledger.terms.tracking_numbers import oddities


class ParcelStatus(StrEnum):
    """Where a parcel is, by its newest scan."""

    REGISTERED = "registered"
    IN_TRANSIT = "in_transit"
    CUSTOMS_PROCESSING = "customs_processing"
    CUSTOMS_HELD = "customs_held"
    OUT_FOR_DELIVERY = "out_for_delivery"
    ATTEMPT_FAILED = "attempt_failed"
    AVAILABLE_FOR_PICKUP = "available_for_pickup"
    DELIVERED = "delivered"
    DELAYED = "delayed"
    RETURNING = "returning"
    RETURNED = "returned"
    DAMAGED = "damaged"
    SUSPECTED_LOST = "suspected_lost"
    LOST = "lost"
    DESTROYED = "destroyed"
    REFUSED = "refused"
    OTHER = "other"
    """The carrier's word was not known; it is kept as it came."""
    VOID = "void"
    """Nothing of ours left under this number; no scan says so."""


GIVEN_UP = frozenset({ParcelStatus.LOST, ParcelStatus.DESTROYED})
"""The units in it are lost to the order."""


class ParcelRegistered(Fact, frozen=True, tag="parcel.registered"):
    """A carrier has, or will have, a parcel under this number. by_line is empty while no order is known."""

    carrier: str
    number: str
    epoch: int
    at: datetime
    order_id: str = ""
    supplier_order_id: str = ""
    supplier_id: str = ""
    by_line: Units = {}
    country: str = ""
    """The destination, ISO 3166-1 alpha-2, as far as it is known."""
    first_scan_by: datetime | None = None
    """When the carrier must have scanned it, by the supplier's agreement."""
    promised_by: datetime | None = None
    warnings: tuple[str, ...] = ()
    """What is odd about the number, such as a wrong check digit; a warning never refuses."""
    return_of: str = ""
    """The case whose units come back in it; such a parcel belongs to no order."""
    exists_from: datetime | None = None
    """The earliest that it can have existed: scans from before are of an earlier use of the number."""
    promised_day: date | None = None
    """The day whose end promised_by is, where the customer was promised a day."""
    historical: bool = False
    """Of an old order, recorded for its figures: nobody has anything to do about it."""
    collect: Money | None = None
    """What the carrier collects from the customer at the door."""
    exists_alone_from: datetime | None = None
    """exists_from without regard to the number's use before, where that makes it later."""
    last_mile_of: tuple[str, str, int] | None = None
    """Carrier, number and epoch of the parcel that goes on under this number; it has its scans."""


class ParcelLinked(Fact, frozen=True, tag="parcel.linked"):
    """The order, or the case, of a parcel that a carrier had announced first became known."""

    carrier: str
    number: str
    order_id: str
    supplier_order_id: str
    supplier_id: str
    by_line: Units
    at: datetime
    country: str = ""
    first_scan_by: datetime | None = None
    promised_by: datetime | None = None
    return_of: str = ""
    """The case whose units come back in it; then it belongs to no order."""
    exists_from: datetime | None = None
    """The earliest that it can have existed: scans from before, recorded already or not, are of an earlier use."""
    promised_day: date | None = None
    historical: bool = False
    collect: Money | None = None
    last_mile_of: tuple[str, str, int] | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about the number, for whoever ships it; whoever announced it got the same warnings."""
        return oddities(self.carrier, self.number)


class ParcelUnitsAdded(Fact, frozen=True, tag="parcel.units_added"):
    """More units turned out to be in it: of the same supplier order, told line by line, or of another one of its
    supplier to the same destination."""

    carrier: str
    number: str
    epoch: int
    at: datetime
    order_id: str
    supplier_order_id: str
    by_line: Units
    promised_by: datetime | None = None
    promised_day: date | None = None
    historical: bool = False
    collect: Money | None = None
    warnings: tuple[str, ...] = ()
    """What is odd about it, such as that the two orders are of different people."""


class CustomsAsk(StrEnum):
    """What customs wants before it lets a parcel go."""

    DOCUMENTS = "documents"
    PAYMENT = "payment"
    PROHIBITED = "prohibited"
    """Nothing helps: the goods may not enter."""

    @property
    def usually_of(self) -> Party:
        """Whom it is asked of where nobody says: duty of the buyer, papers of the retailer, who sells."""
        return Party.CUSTOMER if self is CustomsAsk.PAYMENT else Party.RETAILER


class Checkpoint(Value, frozen=True):
    """One scan, at the carrier's own time."""

    at: datetime
    status: ParcelStatus
    code: str = ""
    """The carrier's or tracker's word as it came, such as ``InTransit_002``."""
    city: str = ""
    """Only of scans of before: the town stands sealed in the message now."""
    country: str = ""
    message: Sealed | None = None
    """The carrier's text, which may name people, and the town."""
    customs_asks: CustomsAsk | None = None
    """What is asked for, where customs holds the parcel."""
    customs_answer_by: datetime | None = None
    """By when it has to be there."""
    customs_asks_of: Party | None = None
    """Who has to give it; None where neither the carrier nor the order's terms say."""
    reached_customer: bool = False
    """Whether the carrier says that it was delivered to the customer, and not back to the sender."""
    pickup_until: datetime | None = None
    """How long the carrier keeps it for the customer to fetch."""
    expected_by: datetime | None = None
    """When the carrier then expected to deliver it."""
    handed_over_to: tuple[str, str] | None = None
    """The carrier and number of the last mile, where this scan says that it goes on under those."""
    told_under: tuple[str, str] | None = None
    """The carrier and number of the last mile that it was told under."""

    def same_scan(self, other: Checkpoint) -> bool:
        """Whether both are the same scan, under whatever number; what is sealed differs each time it is sealed."""
        return self.at == other.at and self.status is other.status and self._bare == other._bare

    @property
    def _bare(self) -> Checkpoint:
        return replace(self, city="", message=None, told_under=None)


class CheckpointRecorded(Fact, frozen=True, tag="parcel.checkpoint_recorded"):
    """A carrier scanned the parcel; checkpoint.at says when it did."""

    carrier: str
    number: str
    checkpoint: Checkpoint
    at: datetime
    epoch: int = 0
    """The earlier use of the number that it counts for; 0 where it is not known to be of one."""
    of_void: bool = False
    """Whether nothing was to be under way: the shipment was taken back."""

    @property
    def occurred_at(self) -> datetime:
        """When the carrier scanned it; ``at`` is when that was told."""
        return self.checkpoint.at

    @property
    def warnings(self) -> tuple[str, ...]:
        if not self.of_void:
            return ()
        return ("the parcel was voided, so this counts for nothing; it is somebody's work to find out what left",)


class ParcelHandedOver(Fact, frozen=True, tag="parcel.handed_over"):
    """Another carrier takes it the last mile, under a number of its own; scans under either are of the one parcel."""

    carrier: str
    number: str
    epoch: int
    last_mile: tuple[str, str, int]
    """Carrier, number and epoch."""
    at: datetime

    @property
    def goes_on_as(self) -> str:
        """The number of the last mile, as people write it."""
        return " ".join(self.last_mile[:2])


class HandOverTakenBack(Fact, frozen=True, tag="parcel.hand_over_taken_back"):
    """It does not go on under that number: what was scanned under it is somebody else's."""

    carrier: str
    number: str
    epoch: int
    last_mile: tuple[str, str, int]
    because: str
    by: str
    at: datetime

    @property
    def not_as(self) -> str:
        return " ".join(self.last_mile[:2])


class DeliveryProven(Fact, frozen=True, tag="parcel.delivery_proven"):
    """A proof of delivery was handed in: the signer's name is sealed, the photo named by its hash."""

    carrier: str
    """With the number that it was handed in for, which may be that of a last mile."""
    number: str
    at: datetime
    signed_by: Sealed | None = None
    photo_sha256: str = ""
    signed_digest: str = ""
    """Keyed hash of the signer's name: recognises the same name without its content."""


class DeliveryDisputed(Fact, frozen=True, tag="parcel.delivery_disputed"):
    """Somebody denies that it arrived: the parcel is not delivered until a later scan says so again."""

    carrier: str
    number: str
    because: str
    at: datetime


class ArrivalCorrected(Fact, frozen=True, tag="parcel.arrival_corrected"):
    """It arrived at another time than was known: an earlier scan of the delivery was told later, or, of the deliveries
    that were told, a dispute leaves a later one."""

    carrier: str
    number: str
    delivered_at: datetime
    at: datetime
    epoch: int = 0
    """The earlier use of the number that it is about; 0 is the present one."""


class FirstScanMissed(Fact, frozen=True, tag="parcel.first_scan_missed"):
    """The carrier had not scanned it by the agreed time after its reported dispatch."""

    carrier: str
    number: str
    due: datetime
    at: datetime


class FirstScanBreachWithdrawn(Fact, frozen=True, tag="parcel.first_scan_breach_withdrawn"):
    """The carrier had scanned it in time after all; the scan was recorded late."""

    carrier: str
    number: str
    happened_at: datetime
    at: datetime
    epoch: int = 0
    """The earlier use of the number that it is about; 0 is the present one."""


class LossSuspected(Fact, frozen=True, tag="parcel.loss_suspected"):
    """No scan for the agreed number of days; it may still be delivered."""

    carrier: str
    number: str
    last_seen_at: datetime
    at: datetime
    due: datetime | None = None
    """When it was to be suspected; ``at`` says when that was noticed."""


class ClaimOpened(Fact, frozen=True, tag="parcel.claim_opened"):
    """A claim on the carrier is prepared for it; the recovery shows how far that is."""

    carrier: str
    number: str
    recovery_id: str
    at: datetime


class LossConfirmed(Fact, frozen=True, tag="parcel.loss_confirmed"):
    """The carrier, or a person who looked into it, gave the parcel up."""

    carrier: str
    number: str
    epoch: int
    by: Party
    because: str
    at: datetime


class FoundAfterLoss(Fact, frozen=True, tag="parcel.found_after_loss"):
    """A parcel that was given up arrived after all: what was paid or sent for the loss is to be recovered."""

    carrier: str
    number: str
    epoch: int
    lost_at: datetime
    at: datetime
    order_id: str = ""
    supplier_order_id: str = ""
    supplier_id: str = ""
    by_line: Units = {}


class ParcelVoided(Fact, frozen=True, tag="parcel.voided"):
    """Nothing of ours left under this number then: its scans are those of the number's other uses, or of strangers."""

    carrier: str
    number: str
    epoch: int
    because: str
    by: str
    at: datetime
    instead: tuple[str, str, int] | None = None
    """Carrier, number and epoch of the parcel that left in truth; None where none did."""
    supplier_order_id: str = ""
    """Its units alone were not in the parcel, which holds those of others; empty where there was no parcel."""

    @property
    def left_as(self) -> str:
        """Its carrier and number, as people write them; empty where none left."""
        return " ".join(self.instead[:2]) if self.instead is not None else ""


ParcelFact = (
    ParcelRegistered
    | ParcelLinked
    | ParcelUnitsAdded
    | ParcelHandedOver
    | HandOverTakenBack
    | CheckpointRecorded
    | DeliveryProven
    | DeliveryDisputed
    | ArrivalCorrected
    | FirstScanMissed
    | FirstScanBreachWithdrawn
    | LossSuspected
    | ClaimOpened
    | LossConfirmed
    | FoundAfterLoss
    | ParcelVoided
)
