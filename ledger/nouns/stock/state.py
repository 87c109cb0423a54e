"""How many units of a SKU there are and who was promised how many, folded from the facts."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from itertools import takewhile

import msgspec

from ledger.facts import Value
from ledger.nouns.stock.facts import Feed, FeedStale
from ledger.view import View


def stream(supplier_id: str, sku: str) -> str:
    return f"stock-{supplier_id}/{sku}"


def find(view: View, supplier_id: str, sku: str) -> Stock | None:
    found: Stock | None = view.state(stream(supplier_id, sku))
    return found


class ReservationStatus(StrEnum):
    """What a live reservation is; a consumed, released or expired one is not kept."""

    HELD = "held"
    COMMITTED = "committed"


class Reservation(msgspec.Struct, gc=False):
    """Units promised to one order or checkout."""

    units: int
    expires_at: datetime
    status: ReservationStatus = ReservationStatus.HELD
    extended: bool = False
    committed_at: datetime | None = None
    in_feed: bool = False
    """The feed's quantity has these units subtracted already."""


class Shipped(msgspec.Struct, gc=False):
    """Units that left but may still be counted in the feed's quantity."""

    units: int
    consumed_at: datetime
    committed_at: datetime | None


class Returned(msgspec.Struct, gc=False):
    """Units that came back and that the feed may not have counted yet."""

    units: int
    at: datetime


class Secured(Value, frozen=True):
    """Units that feeds are to show between two instants, and those that have left in that time."""

    units: int
    since: datetime
    until: datetime
    left: int = 0


class Stock(msgspec.Struct):
    """What there is and who was promised it.

    The one state that evolve changes in place: a hot SKU has tens of thousands of reservations, and
    copying them for every order would be quadratic. Whoever folds it owns it.
    """

    feed: Feed | None = None
    ignored: Feed | None = None
    """The last feed that came too late."""
    buffer: int = 0
    reservations: dict[str, Reservation] = {}
    shipped: list[Shipped] = []
    waiting: dict[str, int] = {}
    """Orders that wait, the oldest first, and for how many units each."""
    since: dict[str, datetime] = {}
    """When each of them was placed."""
    awaited: int = 0
    """Units that all of them wait for."""
    kept: int = 0
    """Units that came in while they wait, at most as many as they wait for: nobody who asks later can have them."""
    held: int = 0
    committed: int = 0
    """Units committed and units shipped that the feed has not subtracted yet."""
    returned: list[Returned] = []
    restocked: int = 0
    """Units returned since the feed was counted."""
    stale_at: datetime | None = None
    """When the last feed is too old."""
    stale: FeedStale | None = None
    """Stands while the last feed is too old."""
    stale_buffer: int = 0
    """Units kept back beside the buffer while the feed is stale."""
    low_threshold: int | None = None
    demand: dict[int, int] = {}
    """Units committed each day, by the ordinal of the day in UTC."""
    demand_kept: int = 0
    """The sum of demand, which no window's demand exceeds."""
    low: bool = False
    running_out: bool = False
    sold_out: bool = False
    secured: dict[str, Secured] = {}
    """By stock-up. A dict is replaced and never changed, so that a copy of the stock may share it."""
    oversold: int = 0
    """How much of the shortfall was reported."""

    @property
    def tracked(self) -> bool:
        return self.feed is not None

    @property
    def free(self) -> int:
        """Units that nobody was promised; below zero when a feed fell under what was promised."""
        feed = self.feed
        if feed is None:
            return 0
        return feed.quantity + self.restocked - self.held - self.committed - self.buffer - self.stale_buffer

    @property
    def available(self) -> int:
        """Units that can be promised to whoever asks now; below zero when a feed fell under what was promised."""
        return self.free - self.kept

    def available_to(self, order_id: str) -> int:
        """Units that can be promised to an order; before one that waits come only those that waited before it."""
        kept = self.kept
        if order_id in self.waiting:
            before = sum([units for _, units in takewhile(lambda each: each[0] != order_id, self.waiting.items())])
            kept = min(kept, before)
        return self.free - kept

    @property
    def shortfall(self) -> int:
        """Units that were committed and are not there."""
        if self.feed is None:
            return 0
        return max(0, self.committed - self.feed.quantity - self.restocked)

    def demand_of(self, days: int, today: int) -> int:
        """Units committed in the last so many days; today is the ordinal of the last of them."""
        return sum([units for day, units in self.demand.items() if today - days < day])
