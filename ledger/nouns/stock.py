"""What a supplier has of a SKU, and who was promised how much of it (DOMAIN 3).

One stream per supplier and SKU. The rule above all: units held and committed never exceed what the
supplier's feed says there is. A SKU without any feed is untracked: nothing is promised of it.
Orders that wait for units stand in the stream, too, so that nobody who asks later is promised what they are owed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from itertools import takewhile
from typing import assert_never

import msgspec

from ledger.facts import Fact, Value, to_minute
from ledger.nouns.policies import Policy
from ledger.refusals import AlreadyExists, Forbidden, NotFound, numbered
from ledger.view import View, noun


def stream(supplier_id: str, sku: str) -> str:
    return f"stock-{supplier_id}/{sku}"


def find(view: View, supplier_id: str, sku: str) -> Stock | None:
    found: Stock | None = view.state(stream(supplier_id, sku))
    return found


# --- facts ----------------------------------------------------------------------------------------


class Feed(Value, frozen=True):
    """What the supplier said it has."""

    quantity: int
    version: int
    as_of: datetime
    """When the supplier counted."""
    includes_orders_up_to: datetime | None = None
    """The watermark: units committed until then are already taken off the quantity."""
    below_zero: int = 0
    """What the supplier said, where that was less than none; the quantity is 0 then."""


class FeedRecorded(Fact, frozen=True, tag="stock.feed_recorded"):
    """The supplier's newest figure; it replaces the one before."""

    supplier_id: str
    sku: str
    feed: Feed
    at: datetime
    stale_at: datetime | None = None
    """When it is too old, as was agreed with the supplier when it came; None if nothing was agreed."""
    warnings: tuple[str, ...] = ()
    """What is odd about it."""


class FeedIgnored(Fact, frozen=True, tag="stock.feed_ignored"):
    """A feed older than the one that holds came in; it changed nothing."""

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
    """Units left the supplier's house."""

    supplier_id: str
    sku: str
    reservation_id: str
    units: int
    at: datetime


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
    """An order waits for so many units, in all; whoever was placed later than it was comes after it."""

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
    """Returned units are in the supplier's house again, until a later count says what is there."""

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
    """The level is above its threshold again; the next crossing is told again."""

    supplier_id: str
    sku: str
    alert: Alert
    available: int
    at: datetime


class SoldOut(Fact, frozen=True, tag="stock.sold_out"):
    """Nothing can be promised any more: take it off sale."""

    supplier_id: str
    sku: str
    at: datetime


class BackInStock(Fact, frozen=True, tag="stock.back_in_stock"):
    """It was sold out and can be promised again: put it back on sale."""

    supplier_id: str
    sku: str
    available: int
    at: datetime


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
)

# --- state ----------------------------------------------------------------------------------------


class Hold(StrEnum):
    """What a live reservation is; a consumed, released or expired one is not kept."""

    HELD = "held"
    COMMITTED = "committed"


class Reservation(msgspec.Struct):
    """Units promised to one order or checkout."""

    units: int
    expires_at: datetime
    status: Hold = Hold.HELD
    extended: bool = False
    committed_at: datetime | None = None
    in_feed: bool = False
    """The feed's quantity has these units taken off already."""


class Shipped(msgspec.Struct):
    """Units that left but may still be counted in the feed's quantity."""

    units: int
    consumed_at: datetime
    committed_at: datetime | None


class Returned(msgspec.Struct):
    """Units that came back and that the feed may not have counted yet."""

    units: int
    at: datetime


LONGEST_DEMAND_DAYS = 90
"""For so many days the demand of each day is kept."""


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
    """Units that came in since they wait, as many as they wait for: nobody who asks later can have them."""
    held: int = 0
    committed: int = 0
    """Units committed and units shipped that the feed does not have taken off yet."""
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
    oversold: int = 0
    """How much of the shortfall was told."""

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
        """Units that can be promised to an order: one that waits comes after those alone that waited before it."""
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


def evolve(stock: Stock | None, fact: StockFact) -> Stock:
    stock = stock or Stock()
    if not stock.waiting:
        return _evolve(stock, fact)
    free = stock.free
    stock = _evolve(stock, fact)
    if isinstance(fact, StockReserved) and fact.reservation_id in stock.waiting:
        # What it had already was given back to be taken anew: no more was kept for it than it waits for.
        stock.kept -= min(fact.units, stock.waiting[fact.reservation_id])
    # Whatever comes in, by a feed or because it is given back, is for those who wait.
    came_in = max(stock.free - free, 0)
    stock.kept = max(min(stock.kept + came_in, stock.awaited, stock.free), 0)
    return stock


NOUN = noun("stock", StockFact, evolve)


def _evolve(stock: Stock, fact: StockFact) -> Stock:
    match fact:
        # What happens most stands first: a match looks at its cases one by one.
        case StockReserved():
            stock.reservations[fact.reservation_id] = Reservation(fact.units, fact.expires_at)
            stock.held += fact.units
        case ReservationCommitted():
            reservation = stock.reservations[fact.reservation_id]
            reservation.status, reservation.committed_at = Hold.COMMITTED, fact.at
            stock.held -= reservation.units
            stock.committed += reservation.units
            _demanded(stock, fact.at.toordinal(), reservation.units)
        case ReservationReleased() | ReservationExpired():
            _give_back(stock, fact.reservation_id, fact.units)
        case ReservationConsumed():
            _consume(stock, fact)
        case ReservationExtended():
            reservation = stock.reservations[fact.reservation_id]
            reservation.expires_at, reservation.extended = fact.expires_at, True
        case FeedRecorded(feed=feed):
            _take_feed(stock, feed)
            stock.stale_at = fact.stale_at
        case StockCorrected(quantity=quantity, at=at):
            version = stock.feed.version if stock.feed else 0
            _take_feed(stock, Feed(quantity, version, at, includes_orders_up_to=None))
        case StockAwaited():
            _wait(stock, fact)
        case WaitEnded(order_id=order_id):
            stock.awaited -= stock.waiting.pop(order_id, 0)
            stock.since.pop(order_id, None)
        case StockLow():
            stock.low = True
        case StockRunningOut():
            stock.running_out = True
        case AlertEnded(alert=alert):
            _end(stock, alert)
        case SoldOut():
            stock.sold_out = True
        case BackInStock():
            stock.sold_out = False
        case BufferSet(units=units):
            stock.buffer = units
        case FeedIgnored(feed=feed):
            stock.ignored = feed
        case Oversold(shortfall=shortfall):
            stock.oversold = shortfall
        case FeedStale():
            stock.stale, stock.stale_buffer = fact, _kept_back(stock.feed, fact)
        case FeedFresh():
            stock.stale, stock.stale_buffer = None, 0
        case Restocked(units=units):
            stock.returned.append(Returned(units, fact.at))
            stock.restocked += units
        case LowThresholdSet(units=threshold):
            stock.low_threshold = threshold
        case _:
            assert_never(fact)
    if stock.oversold:
        # What was told of a shortfall that shrank is told again when it grows.
        stock.oversold = min(stock.oversold, stock.shortfall)
    return stock


def _wait(stock: Stock, fact: StockAwaited) -> None:
    """Each stands behind those that were placed before it; of one instant, the one told first comes first."""
    last = next(reversed(stock.waiting), fact.order_id)
    stock.awaited += fact.units - stock.waiting.get(fact.order_id, 0)
    stock.kept += fact.kept
    stock.waiting[fact.order_id] = fact.units
    since = stock.since.setdefault(fact.order_id, fact.since or fact.at)
    if since < stock.since[last]:
        stock.waiting = dict(sorted(stock.waiting.items(), key=lambda each: stock.since[each[0]]))


def _covered(committed_at: datetime | None, mark: datetime | None) -> bool:
    """Whether a feed with this watermark has taken off units committed then."""
    return mark is not None and committed_at is not None and committed_at <= mark


def _take_feed(stock: Stock, feed: Feed) -> None:
    """A new figure: what it has taken off already is no longer taken off by us."""
    mark = feed.includes_orders_up_to
    stock.feed, stock.committed = feed, 0
    for reservation in stock.reservations.values():
        reservation.in_feed = _covered(reservation.committed_at, mark)
        if reservation.status is Hold.COMMITTED and not reservation.in_feed:
            stock.committed += reservation.units
    if stock.shipped:
        # Units that left before the supplier counted are not in its house, whatever the watermark says.
        stock.shipped = [shipped for shipped in stock.shipped if shipped.consumed_at > feed.as_of]
        stock.committed += sum([each.units for each in stock.shipped if not _covered(each.committed_at, mark)])
    if stock.returned:
        # And units that came back before it counted are in its figure.
        stock.returned = [returned for returned in stock.returned if returned.at > feed.as_of]
        stock.restocked = sum([returned.units for returned in stock.returned])
    if stock.stale is not None:
        stock.stale_buffer = _kept_back(feed, stock.stale)


def _kept_back(feed: Feed | None, stale: FeedStale) -> int:
    """What a stale feed keeps back; a share of its figure is rounded up."""
    quantity = feed.quantity if feed else 0
    return stale.buffer_units - (-quantity * stale.buffer_basis_points // 10_000)


def _demanded(stock: Stock, day: int, units: int) -> None:
    """Units were committed on a day, or are given back if units is negative."""
    demand = stock.demand
    if day not in demand:
        if units < 0 or max((day, *demand)) - day >= LONGEST_DEMAND_DAYS:
            return
        # What is kept lies near the newest day, so that only a newer one drops anything.
        for each in [*demand]:
            if day - each >= LONGEST_DEMAND_DAYS:
                stock.demand_kept -= demand.pop(each)
        demand[day] = 0
    demand[day] += units
    stock.demand_kept += units


def _end(stock: Stock, alert: Alert) -> None:
    if alert is Alert.LOW:
        stock.low = False
    elif alert is Alert.RUNNING_OUT:
        stock.running_out = False


def _consume(stock: Stock, fact: ReservationConsumed) -> None:
    reservation = stock.reservations[fact.reservation_id]
    if reservation.status is Hold.HELD:
        stock.held -= fact.units
        stock.committed += fact.units
    # The units stay taken off until a feed is counted after they left.
    stock.shipped.append(Shipped(fact.units, fact.at, reservation.committed_at))
    reservation.units -= fact.units
    if not reservation.units:
        del stock.reservations[fact.reservation_id]


def _give_back(stock: Stock, reservation_id: str, units: int) -> None:
    reservation = stock.reservations[reservation_id]
    if reservation.status is Hold.HELD:
        stock.held -= units
    else:
        if not reservation.in_feed:
            stock.committed -= units
        if reservation.committed_at is not None:
            _demanded(stock, reservation.committed_at.toordinal(), -units)
    reservation.units -= units
    if not reservation.units:
        del stock.reservations[reservation_id]


# --- refusals -------------------------------------------------------------------------------------


class OutOfStock(Forbidden):
    """Fewer units are available than were asked for; details name each supplier, SKU and the units, numbered from 1."""

    def __init__(self, lacking: Sequence[tuple[str, str, int, int]]) -> None:
        self.lacking = tuple(lacking)
        what = "; ".join(
            f"{sku} of {supplier_id}: {asked} asked, {available} available"
            for supplier_id, sku, asked, available in lacking
        )
        super().__init__(
            f"out of stock: {what}",
            **numbered(dict(zip(("supplier_id", "sku", "asked", "available"), each, strict=True)) for each in lacking),
        )


class ReservationExists(AlreadyExists):
    def __init__(self, reservation_id: str, units: int) -> None:
        super().__init__(
            f"reservation {reservation_id} holds {units} units already", reservation_id=reservation_id, units=units
        )


class UnknownReservation(NotFound):
    def __init__(self, reservation_id: str) -> None:
        super().__init__(
            f"there is no live reservation {reservation_id}; it was consumed, released, expired or never made",
            reservation_id=reservation_id,
        )


class ReservationTooSmall(Forbidden):
    def __init__(self, reservation_id: str, asked: int, units: int) -> None:
        super().__init__(
            f"reservation {reservation_id} has {units} units, {asked} asked",
            reservation_id=reservation_id,
            asked=asked,
            units=units,
        )


class HoldExpired(Forbidden):
    def __init__(self, reservation_id: str, expires_at: datetime) -> None:
        super().__init__(
            f"reservation {reservation_id} ran out at {to_minute(expires_at)}; take a new one",
            reservation_id=reservation_id,
            expires_at=expires_at.isoformat(),
        )


class AlreadyExtended(Forbidden):
    def __init__(self, reservation_id: str) -> None:
        super().__init__(f"reservation {reservation_id} was extended once already", reservation_id=reservation_id)


class NotLonger(Forbidden):
    def __init__(self, reservation_id: str, expires_at: datetime) -> None:
        super().__init__(
            f"reservation {reservation_id} lasts until {to_minute(expires_at)} already",
            reservation_id=reservation_id,
            expires_at=expires_at.isoformat(),
        )


class ReservationIsCommitted(Forbidden):
    def __init__(self, reservation_id: str) -> None:
        super().__init__(
            f"reservation {reservation_id} belongs to a confirmed order; cancel the order's units instead",
            reservation_id=reservation_id,
        )


# --- decisions ------------------------------------------------------------------------------------


def record_feed(
    stock: Stock | None,
    supplier_id: str,
    sku: str,
    feed: Feed,
    at: datetime,
    stale_at: datetime | None = None,
    *,
    offered: bool = True,
) -> list[StockFact]:
    """The supplier's newest figure. An older version is recorded as ignored; the same again records nothing.

    The first figure of a SKU that it has not offered and one below none are recorded with what is odd about them.
    """
    if stock and stock.feed:
        if feed == stock.feed:
            return []
        if feed == stock.ignored:
            return []
        if feed.version <= stock.feed.version:
            return [FeedIgnored(supplier_id, sku, feed, stock.feed.version, at)]
    warnings = []
    if not offered and (stock is None or stock.feed is None):
        warnings.append(f"{supplier_id} has a figure for {sku}, which it has not offered")
    if feed.below_zero:
        warnings.append(f"{supplier_id} has {feed.below_zero} units of {sku}, which counts as none")
    facts: list[StockFact] = [FeedRecorded(supplier_id, sku, feed, at, stale_at, tuple(warnings))]
    if stock and stock.stale and (stale_at is None or at < stale_at):
        facts.append(FeedFresh(supplier_id, sku, at))
    return facts


def go_stale(
    stock: Stock | None, supplier_id: str, sku: str, stale_at: datetime | None, policy: Policy, now: datetime
) -> list[StockFact]:
    """The last feed is older than was agreed: keep more back. Nothing to notice records nothing."""
    if stale_at is None or now < stale_at or (stock is not None and stock.stale is not None):
        return []
    units, basis_points = policy.stale_buffer_units, policy.stale_buffer_basis_points
    return [FeedStale(supplier_id, sku, stale_at, now, units, basis_points)]


def set_buffer(stock: Stock | None, supplier_id: str, sku: str, units: int, at: datetime) -> list[StockFact]:
    """Keep units back. The same buffer again records nothing."""
    if (stock.buffer if stock else 0) == units:
        return []
    return [BufferSet(supplier_id, sku, units, at)]


def set_low_threshold(
    stock: Stock | None, supplier_id: str, sku: str, units: int | None, at: datetime
) -> list[StockFact]:
    """When this stock is low; None leaves it to the retailer's policy. The same threshold again records nothing."""
    if (stock.low_threshold if stock else None) == units:
        return []
    return [LowThresholdSet(supplier_id, sku, at, units)]


def restock(supplier_id: str, sku: str, units: int, because: str, at: datetime, case_id: str = "") -> list[StockFact]:
    """Returned units are there again; that each comes back at most once is the return case's to say."""
    return [Restocked(supplier_id, sku, units, because, at, case_id)] if units else []


def report_none_left(
    stock: Stock | None, supplier_id: str, sku: str, given_back: int, because: str, at: datetime
) -> list[StockFact]:
    """The supplier has nothing beyond what it took on; given_back units are released by the same command.

    Untracked stock stays untracked.
    """
    if stock is None or stock.feed is None or stock.free + given_back <= 0:
        return []
    owed = sum([reservation.units for reservation in stock.reservations.values()]) - given_back
    return [StockCorrected(supplier_id, sku, owed, because, at)]


def reserve(
    stock: Stock | None, supplier_id: str, sku: str, reservation_id: str, units: int, expires_at: datetime, at: datetime
) -> list[StockFact]:
    """Hold units. The same hold again records nothing; stock that is not tracked cannot be held."""
    present = stock.reservations.get(reservation_id) if stock else None
    if stock is not None and present is not None:
        if present.status is Hold.HELD and present.expires_at <= at:
            return _take_again(stock, StockReserved(supplier_id, sku, reservation_id, units, expires_at, at))
        if present.units == units:
            return []
        raise ReservationExists(reservation_id, present.units)
    if stock is None or stock.available < units:
        raise OutOfStock([(supplier_id, sku, units, max(stock.available, 0) if stock else 0)])
    return [StockReserved(supplier_id, sku, reservation_id, units, expires_at, at)]


def _take_again(stock: Stock, wanted: StockReserved) -> list[StockFact]:
    """A new hold in place of one that ran out before anybody noticed."""
    ran_out = stock.reservations[wanted.reservation_id].units
    item = (wanted.supplier_id, wanted.sku)
    if stock.available + ran_out < wanted.units:
        raise OutOfStock([(*item, wanted.units, max(stock.available + ran_out, 0))])
    return [*expire(stock, *item, wanted.reservation_id, wanted.at), wanted]


def live(stock: Stock | None, reservation_id: str) -> Reservation:
    reservation = stock.reservations.get(reservation_id) if stock else None
    if reservation is None:
        raise UnknownReservation(reservation_id)
    return reservation


def can_commit(stock: Stock, reservation_id: str, units: int, now: datetime) -> bool:
    """Whether the hold still stands for so many units and the newest feed still covers it."""
    reservation = stock.reservations.get(reservation_id)
    if reservation is None or reservation.units != units or stock.feed is None:
        return False
    if reservation.status is Hold.COMMITTED:
        return True
    return now < reservation.expires_at and stock.committed + units <= stock.feed.quantity + stock.restocked


def freed_by(reservation: Reservation) -> int:
    """Units that can be promised again once the reservation is given back: those the feed took off cannot."""
    return 0 if reservation.in_feed else reservation.units


def extend(
    stock: Stock | None,
    supplier_id: str,
    sku: str,
    reservation_id: str,
    expires_at: datetime,
    at: datetime,
    now: datetime,
) -> list[StockFact]:
    """Hold longer, once. The same end again records nothing; an expired hold stays expired."""
    reservation = live(stock, reservation_id)
    if reservation.status is Hold.COMMITTED:
        raise ReservationIsCommitted(reservation_id)
    if reservation.expires_at == expires_at:
        return []
    if reservation.expires_at <= now:
        raise HoldExpired(reservation_id, reservation.expires_at)
    if reservation.extended:
        raise AlreadyExtended(reservation_id)
    if expires_at < reservation.expires_at:
        raise NotLonger(reservation_id, reservation.expires_at)
    return [ReservationExtended(supplier_id, sku, reservation_id, expires_at, at)]


def release_hold(stock: Stock | None, supplier_id: str, sku: str, reservation_id: str, at: datetime) -> list[StockFact]:
    """Give a hold back. A committed reservation is given back only by its order."""
    reservation = live(stock, reservation_id)
    if reservation.status is Hold.COMMITTED:
        raise ReservationIsCommitted(reservation_id)
    return [ReservationReleased(supplier_id, sku, reservation_id, reservation.units, at)]


def consume(
    stock: Stock | None, supplier_id: str, sku: str, reservation_id: str, units: int, at: datetime
) -> list[StockFact]:
    """Units of a reservation left the house."""
    reservation = live(stock, reservation_id)
    if units > reservation.units:
        raise ReservationTooSmall(reservation_id, units, reservation.units)
    return [ReservationConsumed(supplier_id, sku, reservation_id, units, at)]


def expire(stock: Stock | None, supplier_id: str, sku: str, reservation_id: str, now: datetime) -> list[StockFact]:
    """Notice that a hold ran out. Nothing to notice records nothing."""
    reservation = stock.reservations.get(reservation_id) if stock else None
    if reservation is None or reservation.status is Hold.COMMITTED or now < reservation.expires_at:
        return []
    return [ReservationExpired(supplier_id, sku, reservation_id, reservation.units, reservation.expires_at)]
