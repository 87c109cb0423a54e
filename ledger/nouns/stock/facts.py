"""What happens to a supplier's stock of a SKU, as it is stored."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from ledger.facts import Fact, Value


class Feed(Value, frozen=True):
    """How many units the supplier reports."""

    quantity: int
    version: int
    as_of: datetime
    """When the supplier counted."""
    includes_orders_up_to: datetime | None = None
    """The watermark: units committed until then are already subtracted from the quantity."""
    below_zero: int = 0
    """The reported figure, if it was negative; the quantity is 0 then."""


class FeedRecorded(Fact, frozen=True, tag="stock.feed_recorded"):
    """The supplier's newest figure; it replaces the one before."""

    supplier_id: str
    sku: str
    feed: Feed
    at: datetime
    stale_at: datetime | None = None
    """When it becomes too old, by the agreement in force when it came; None if nothing was agreed."""
    warnings: tuple[str, ...] = ()
    """What is odd about it."""

    @property
    def occurred_at(self) -> datetime:
        """When the supplier counted; ``at`` is when that was told."""
        return self.feed.as_of


class FeedIgnored(Fact, frozen=True, tag="stock.feed_ignored"):
    """A feed older than the present one came in; it changed nothing."""

    supplier_id: str
    sku: str
    feed: Feed
    newest_version: int
    at: datetime


class Oversold(Fact, frozen=True, tag="stock.oversold"):
    """There is less than was committed; reservations names who is affected, the latest first.

    Recorded when the shortfall appears, and again each time that it grows.
    """

    supplier_id: str
    sku: str
    shortfall: int
    reservations: tuple[str, ...]
    at: datetime


class StockCorrected(Fact, frozen=True, tag="stock.corrected"):
    """Something else than a feed showed what there is, such as a supplier that answers "out of stock"."""

    supplier_id: str
    sku: str
    quantity: int
    because: str
    at: datetime


class BufferSet(Fact, frozen=True, tag="stock.buffer_set"):
    """So many units are never promised."""

    supplier_id: str
    sku: str
    units: int
    at: datetime


class StockReserved(Fact, frozen=True, tag="stock.reserved"):
    """Units are held for an order or a checkout until they are committed, released or expire."""

    supplier_id: str
    sku: str
    reservation_id: str
    units: int
    expires_at: datetime
    at: datetime


class ReservationExtended(Fact, frozen=True, tag="stock.reservation_extended"):
    """The hold lasts longer; this happens at most once."""

    supplier_id: str
    sku: str
    reservation_id: str
    expires_at: datetime
    at: datetime


class ReservationCommitted(Fact, frozen=True, tag="stock.reservation_committed"):
    """The order was confirmed; the units are its own and do not expire."""

    supplier_id: str
    sku: str
    reservation_id: str
    at: datetime


class ReservationConsumed(Fact, frozen=True, tag="stock.reservation_consumed"):
    """Units left the supplier's warehouse."""

    supplier_id: str
    sku: str
    reservation_id: str
    units: int
    at: datetime


class ReservationRestored(Fact, frozen=True, tag="stock.reservation_restored"):
    """Units turned out not to have left: they are the order's own again."""

    supplier_id: str
    sku: str
    reservation_id: str
    units: int
    consumed_at: datetime
    """When they had left, as was reported."""
    at: datetime
    committed_at: datetime | None = None
    """When they were committed; None where a feed that was counted since made that unknown."""


class ReservationReleased(Fact, frozen=True, tag="stock.reservation_released"):
    """Units are free again."""

    supplier_id: str
    sku: str
    reservation_id: str
    units: int
    at: datetime


class ReservationExpired(Fact, frozen=True, tag="stock.reservation_expired"):
    """Nobody committed the hold in time; its units are free again."""

    supplier_id: str
    sku: str
    reservation_id: str
    units: int
    at: datetime


class StockAwaited(Fact, frozen=True, tag="stock.awaited"):
    """An order waits for so many units, in all; orders that were placed later come after it."""

    supplier_id: str
    sku: str
    order_id: str
    units: int
    at: datetime
    since: datetime | None = None
    """When the order was placed; None in old facts, which go by at."""
    kept: int = 0
    """Units that are there and kept for it from now on: nobody else can have them, as the supplier is not approved."""


class WaitEnded(Fact, frozen=True, tag="stock.wait_ended"):
    """The order waits no more: it has its units, or does not want them any more."""

    supplier_id: str
    sku: str
    order_id: str
    at: datetime


class FeedStale(Fact, frozen=True, tag="stock.feed_stale"):
    """No newer feed came in time: until one does, more is kept back than the buffer alone."""

    supplier_id: str
    sku: str
    stale_at: datetime
    at: datetime
    buffer_units: int = 0
    buffer_basis_points: int = 0
    """Of the figure that went stale."""


class FeedFresh(Fact, frozen=True, tag="stock.feed_fresh"):
    """A feed came after the last one had gone stale; the buffer is its usual one again."""

    supplier_id: str
    sku: str
    at: datetime


class Restocked(Fact, frozen=True, tag="stock.restocked"):
    """Returned units are in the supplier's warehouse again, until a later count says what is there."""

    supplier_id: str
    sku: str
    units: int
    because: str
    at: datetime
    case_id: str = ""


class LowThresholdSet(Fact, frozen=True, tag="stock.low_threshold_set"):
    """Fewer available units than these are low stock; None means what the retailer's policy says."""

    supplier_id: str
    sku: str
    at: datetime
    units: int | None = None


class Alert(StrEnum):
    """What staff are told of a level, once each time that it crosses a threshold."""

    LOW = "low"
    RUNNING_OUT = "running_out"
    SOLD_OUT = "sold_out"
    STALE = "stale"
    OVERSOLD = "oversold"


class StockLow(Fact, frozen=True, tag="stock.low"):
    """Fewer units are available than the threshold."""

    supplier_id: str
    sku: str
    available: int
    threshold: int
    at: datetime


class StockRunningOut(Fact, frozen=True, tag="stock.running_out"):
    """What is available lasts no longer than the days of cover, at the demand of the last window."""

    supplier_id: str
    sku: str
    available: int
    demand: int
    """Units committed in the window."""
    window_days: int
    cover_days: int
    at: datetime


class AlertEnded(Fact, frozen=True, tag="stock.alert_ended"):
    """The level is above its threshold again; the next crossing is reported again."""

    supplier_id: str
    sku: str
    alert: Alert
    available: int
    at: datetime


class SoldOut(Fact, frozen=True, tag="stock.sold_out"):
    """Nothing of this supplier can be promised any more."""

    supplier_id: str
    sku: str
    at: datetime


class BackInStock(Fact, frozen=True, tag="stock.back_in_stock"):
    """It was sold out and can be promised again."""

    supplier_id: str
    sku: str
    available: int
    at: datetime


class UnitsSecured(Fact, frozen=True, tag="stock.units_secured"):
    """The supplier is to have so many units ready, which its feeds are to show; 0 where they need not any more."""

    supplier_id: str
    sku: str
    stock_up_id: str
    units: int
    at: datetime
    since: datetime | None = None
    """When they are there."""
    until: datetime | None = None
    """When it is too late for them."""


StockFact = (
    FeedRecorded
    | FeedIgnored
    | Oversold
    | StockCorrected
    | BufferSet
    | StockReserved
    | ReservationExtended
    | ReservationCommitted
    | ReservationConsumed
    | ReservationRestored
    | ReservationReleased
    | ReservationExpired
    | StockAwaited
    | WaitEnded
    | FeedStale
    | FeedFresh
    | Restocked
    | LowThresholdSet
    | StockLow
    | StockRunningOut
    | AlertEnded
    | SoldOut
    | BackInStock
    | UnitsSecured
)
