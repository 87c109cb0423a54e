"""The rows of where things are. They hold no personal data: of an order and its parcels only what is named here."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, NamedTuple

from ledger.facts import LineNo, Units, Value
from ledger.nouns.orders import Buckets, Header, Hold, HoldReason, last_of
from ledger.nouns.orders.supplier_orders import Stage
from ledger.nouns.parcels import NOT_AWAITED, CustomsAsk, CustomsHold, ParcelStatus
from ledger.terms.parties import Party
from projections.machine.rows import Int4, Text
from projections.machine.tables import table


class TrackedLine(Value, frozen=True):
    """One line and where its units are."""

    line_no: LineNo
    sku: str
    supplier_id: str
    units: Buckets


class TrackedSupplierOrder(Value, frozen=True):
    """One supplier order and how far it is."""

    supplier_order_id: str
    supplier_id: str
    status: Stage
    units: int
    """All units that it was ever given."""
    unshipped: int
    shipped: int
    delivered: int
    sent_at: datetime | None = None
    acknowledged_at: datetime | None = None
    packed_at: datetime | None = None
    dispatch_by: datetime | None = None
    dispatched_at: datetime | None = None
    stopped_since: datetime | None = None


class TrackedHold(Value, frozen=True):
    """One reason to wait."""

    reason: HoldReason
    at: datetime
    missing: tuple[str, ...] = ()
    supplier_order_id: str = ""


class Details(Value, frozen=True):
    """What an order's row keeps beside its columns."""

    confirmed_at: datetime | None = None
    promised_day: date | None = None
    lines: tuple[TrackedLine, ...] = ()
    supplier_orders: tuple[TrackedSupplierOrder, ...] = ()
    holds: tuple[TrackedHold, ...] = ()
    country: str = ""
    """Where it goes; empty while that is not known."""
    tags: tuple[str, ...] = ()
    is_late: bool = False
    """Whether a clock of it ran out that waits for something still."""
    reship_of: str = ""
    original_order_id: str = ""
    unsent_by: datetime | None = None
    """When the last of its units that have not left should arrive."""
    erased_at: datetime | None = None
    """When its customer was erased."""


class KeptOrder(NamedTuple):
    """One order."""

    order_id: str
    channel: str
    status: Header
    placed_at: datetime
    promised_by: datetime | None
    delivered_at: datetime | None
    details: Details


class TrackedOrder(KeptOrder):
    """Where one order is."""

    parcels: tuple[TrackedParcel, ...] = ()

    @property
    def expected_by(self) -> datetime | None:
        """When it should arrive; None once it has, when nobody waits for it, or if nothing was promised."""
        over = self.delivered_at is not None or Header(self.status).is_over
        parcels = [each.estimated_by for each in self.parcels if each.is_awaited]
        return last_of(over, self.details.unsent_by, parcels, self.promised_by)


class LastScan(NamedTuple):
    """The newest scan of a parcel by the carrier's own time."""

    at: datetime
    status: ParcelStatus
    city: str
    country: str


class TrackedParcel(NamedTuple):
    """Where one parcel is, and what one supplier order has in it."""

    number: str
    carrier: str
    epoch: Int4
    supplier_order_id: str
    """Empty while it is not known."""
    order_id: str
    supplier_id: str
    status: ParcelStatus
    country: Text
    lines: Units
    registered_at: datetime
    promised_by: datetime | None
    promised_day: date | None
    first_scan_at: datetime | None
    delivered_at: datetime | None
    scan_at: datetime | None
    scan_status: Annotated[ParcelStatus | None, "text NOT NULL"]
    scan_city: Text
    scan_country: Text
    customs_held_since: datetime | None
    customs_asks: Annotated[CustomsAsk | None, "text NOT NULL"]
    customs_answer_by: datetime | None
    estimated_by: datetime | None
    """When its carrier expects to deliver it."""
    last_miles: tuple[tuple[str, str], ...]
    """Carrier and number of each last mile that it was handed over to."""
    customs_asks_of: Annotated[Party | None, "text NOT NULL"]

    @property
    def last_scan(self) -> LastScan | None:
        if self.scan_at is None or self.scan_status is None:
            return None
        return LastScan(self.scan_at, self.scan_status, self.scan_city, self.scan_country)

    @property
    def customs_hold(self) -> CustomsHold | None:
        if self.customs_held_since is None:
            return None
        return CustomsHold(self.customs_held_since, self.customs_asks, self.customs_answer_by, self.customs_asks_of)

    @property
    def expected_by(self) -> datetime | None:
        """When it should arrive: by its carrier, else as promised. None once nobody waits for it, or if unknown."""
        return self.estimated_by or self.promised_by if self.is_awaited else None

    @property
    def is_awaited(self) -> bool:
        """Whether a customer waits for it."""
        return self.delivered_at is None and ParcelStatus(self.status) not in NOT_AWAITED


class LastMile(NamedTuple):
    """A number of a last mile, and the parcel that went on under it."""

    number: str
    carrier: str
    of_carrier: str
    of_number: str
    of_epoch: Int4


class OrderHold(NamedTuple):
    """One hold that stands, and the order that waits."""

    order_id: str
    reason: HoldReason
    owner: str
    supplier_order_id: str
    """Empty where the whole order waits."""
    since: datetime
    hold: Hold
    """Without its note."""


class Facet(NamedTuple):
    """Something that an order can be found by."""

    facet: str
    """What it is of the order, and which: ``sku/TEA``."""
    placed_at: datetime
    order_id: str


ORDERS = table("tracking_orders", KeptOrder, 1)
PARCELS = table("tracking_parcels", TrackedParcel, 4, "(order_id)")
HOLDS = table("tracking_holds", OrderHold, 4, "(since, order_id, reason, owner, supplier_order_id)")
LAST_MILES = table("tracking_last_miles", LastMile, 5)
FACETS = table("tracking_facets", Facet, 3)
