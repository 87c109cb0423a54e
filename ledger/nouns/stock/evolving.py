"""How each fact changes the stock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from msgspec.structs import replace

from ledger.nouns.stock.facts import (
    Alert,
    AlertEnded,
    BackInStock,
    BufferSet,
    Feed,
    FeedFresh,
    FeedIgnored,
    FeedRecorded,
    FeedStale,
    LowThresholdSet,
    Oversold,
    ReservationCommitted,
    ReservationConsumed,
    ReservationExpired,
    ReservationExtended,
    ReservationReleased,
    ReservationRestored,
    Restocked,
    SoldOut,
    StockAwaited,
    StockCorrected,
    StockFact,
    StockLow,
    StockReserved,
    StockRunningOut,
    UnitsSecured,
    WaitEnded,
)
from ledger.nouns.stock.state import Reservation, ReservationStatus, Returned, Secured, Shipped, Stock
from ledger.view import noun

LONGEST_DEMAND_DAYS = 90
"""How many days of demand are kept, day by day."""


def evolve(stock: Stock | None, fact: StockFact) -> Stock:
    stock = stock or Stock()
    if not stock.waiting:
        return _evolve(stock, fact)
    free = stock.free
    stock = _evolve(stock, fact)
    if isinstance(fact, StockReserved) and fact.reservation_id in stock.waiting:
        # What it had was given back to be reserved again: no more was kept for it than it waits for.
        stock.kept -= min(fact.units, stock.waiting[fact.reservation_id])
    # Units that come in, by a feed or because they are given back, are for those who wait.
    came_in = max(stock.free - free, 0)
    stock.kept = max(min(stock.kept + came_in, stock.awaited, stock.free), 0)
    return stock


NOUN = noun("stock", StockFact, evolve, kept_as=Stock)

_COUNT_ANEW = frozenset({FeedRecorded, StockCorrected})
"""Facts that need every reservation to be counted again."""


def copied(stock: Stock, reservations: dict[str, Reservation] | None = None) -> Stock:
    """A copy, which still shares its reservations unless it gets others."""
    return replace(
        stock,
        reservations=stock.reservations.copy() if reservations is None else reservations,
        waiting=stock.waiting.copy(),
        since=stock.since.copy(),
        shipped=stock.shipped.copy(),
        returned=stock.returned.copy(),
        demand=stock.demand.copy(),
    )


def part(copy: Stock, fact: StockFact) -> None:
    """Gives a copy its own of each reservation that the fact will change in place."""
    kept = copy.reservations
    for name in [*kept] if type(fact) in _COUNT_ANEW else [getattr(fact, "reservation_id", "")]:
        if name in kept:
            kept[name] = replace(kept[name])


def after(own: Stock | None, facts: Sequence[StockFact], whole: bool = False) -> Stock:
    """A copy of the stock with the facts applied; unless whole, only with the reservations that they name."""
    present = own or Stock()
    kept = present.reservations
    if not whole and _COUNT_ANEW.isdisjoint(map(type, facts)):
        kept = {name: kept[name] for fact in facts if (name := getattr(fact, "reservation_id", "")) in kept}
    found = copied(present, {name: replace(reservation) for name, reservation in kept.items()})
    for fact in facts:
        found = evolve(found, fact)
    return found


def _evolve(stock: Stock, fact: StockFact) -> Stock:
    match fact:
        # The most frequent facts come first: a match tries its cases one by one.
        case StockReserved():
            stock.reservations[fact.reservation_id] = Reservation(fact.units, fact.expires_at)
            stock.held += fact.units
        case ReservationCommitted():
            reservation = stock.reservations[fact.reservation_id]
            reservation.status, reservation.committed_at = ReservationStatus.COMMITTED, fact.at
            stock.held -= reservation.units
            stock.committed += reservation.units
            _count_demand(stock, fact.at.toordinal(), reservation.units)
        case ReservationReleased() | ReservationExpired():
            _give_back(stock, fact.reservation_id, fact.units)
        case ReservationConsumed():
            _consume(stock, fact)
        case ReservationRestored():
            _restore(stock, fact)
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
            _add_waiting(stock, fact)
        case WaitEnded(order_id=order_id):
            stock.awaited -= stock.waiting.pop(order_id, 0)
            stock.since.pop(order_id, None)
        case StockLow():
            stock.low = True
        case StockRunningOut():
            stock.running_out = True
        case AlertEnded(alert=alert):
            _end_alert(stock, alert)
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
            stock.stale, stock.stale_buffer = fact, _stale_buffer(stock.feed, fact)
        case FeedFresh():
            stock.stale, stock.stale_buffer = None, 0
        case Restocked(units=units):
            stock.returned.append(Returned(units, fact.at))
            stock.restocked += units
        case LowThresholdSet(units=threshold):
            stock.low_threshold = threshold
        case UnitsSecured():
            _secure(stock, fact)
        case _:
            assert_never(fact)
    if stock.oversold:
        # A shortfall that shrank is reported again when it grows.
        stock.oversold = min(stock.oversold, stock.shortfall)
    return stock


def _add_waiting(stock: Stock, fact: StockAwaited) -> None:
    """Orders wait in the order in which they were placed; of one instant, in the order of recording."""
    last = next(reversed(stock.waiting), fact.order_id)
    stock.awaited += fact.units - stock.waiting.get(fact.order_id, 0)
    stock.kept += fact.kept
    stock.waiting[fact.order_id] = fact.units
    since = stock.since.setdefault(fact.order_id, fact.since or fact.at)
    if since < stock.since[last]:
        stock.waiting = dict(sorted(stock.waiting.items(), key=lambda each: stock.since[each[0]]))


def _is_in_feed(committed_at: datetime | None, mark: datetime | None) -> bool:
    """Whether a feed with this watermark has already subtracted units committed then."""
    return mark is not None and committed_at is not None and committed_at <= mark


def _take_feed(stock: Stock, feed: Feed) -> None:
    """A new figure: units that it has subtracted already are no longer subtracted here."""
    mark = feed.includes_orders_up_to
    stock.feed, stock.committed = feed, 0
    for reservation in stock.reservations.values():
        reservation.in_feed = _is_in_feed(reservation.committed_at, mark)
        if reservation.status is ReservationStatus.COMMITTED and not reservation.in_feed:
            stock.committed += reservation.units
    if stock.shipped:
        # Units that left before the supplier counted are not in its warehouse, whatever the watermark says.
        stock.shipped = [shipped for shipped in stock.shipped if shipped.consumed_at > feed.as_of]
        stock.committed += sum([each.units for each in stock.shipped if not _is_in_feed(each.committed_at, mark)])
    if stock.returned:
        # And units that came back before it counted are in its figure.
        stock.returned = [returned for returned in stock.returned if returned.at > feed.as_of]
        stock.restocked = sum([returned.units for returned in stock.returned])
    if stock.stale is not None:
        stock.stale_buffer = _stale_buffer(feed, stock.stale)


def _stale_buffer(feed: Feed | None, stale: FeedStale) -> int:
    """Units kept back while a feed is stale; a share of its figure is rounded up."""
    quantity = feed.quantity if feed else 0
    return stale.buffer_units - (-quantity * stale.buffer_basis_points // 10_000)


def _count_demand(stock: Stock, day: int, units: int) -> None:
    """Counts units committed on a day, or given back if negative."""
    demand = stock.demand
    if day not in demand:
        if units < 0 or max((day, *demand)) - day >= LONGEST_DEMAND_DAYS:
            return
        # All days that are kept are near the newest one, so that only a newer one drops anything.
        for each in [*demand]:
            if day - each >= LONGEST_DEMAND_DAYS:
                stock.demand_kept -= demand.pop(each)
        demand[day] = 0
    demand[day] += units
    stock.demand_kept += units


def _end_alert(stock: Stock, alert: Alert) -> None:
    if alert is Alert.LOW:
        stock.low = False
    elif alert is Alert.RUNNING_OUT:
        stock.running_out = False


def _secure(stock: Stock, fact: UnitsSecured) -> None:
    others = {name: each for name, each in stock.secured.items() if name != fact.stock_up_id}
    if fact.units and fact.since is not None and fact.until is not None:
        left = sum([each.units for each in stock.shipped if each.consumed_at >= fact.since])
        others[fact.stock_up_id] = Secured(fact.units, fact.since, fact.until, left)
    stock.secured = others


def _consume(stock: Stock, fact: ReservationConsumed) -> None:
    reservation = stock.reservations[fact.reservation_id]
    if reservation.status is ReservationStatus.HELD:
        stock.held -= fact.units
        stock.committed += fact.units
    # The units stay subtracted until a feed is counted after they left.
    stock.shipped.append(Shipped(fact.units, fact.at, reservation.committed_at))
    reservation.units -= fact.units
    if not reservation.units:
        del stock.reservations[fact.reservation_id]
    if stock.secured:
        stock.secured = {
            name: replace(each, left=each.left + fact.units) if fact.at >= each.since else each
            for name, each in stock.secured.items()
        }


def _restore(stock: Stock, fact: ReservationRestored) -> None:
    mark = stock.feed.includes_orders_up_to if stock.feed else None
    wanted, shipped = fact.units, list[Shipped]()
    for each in stock.shipped:
        same = (each.consumed_at, each.committed_at) == (fact.consumed_at, fact.committed_at)
        taken = min(wanted, each.units) if same else 0
        wanted -= taken
        if taken and not _is_in_feed(each.committed_at, mark):
            stock.committed -= taken
        if each.units > taken:
            shipped.append(replace(each, units=each.units - taken))
    stock.shipped = shipped
    own = stock.reservations.get(fact.reservation_id)
    if own is None:
        own = Reservation(0, fact.at, ReservationStatus.COMMITTED, committed_at=fact.committed_at)
        own.in_feed = _is_in_feed(fact.committed_at, mark)
    stock.reservations[fact.reservation_id] = replace(own, units=own.units + fact.units)
    if not own.in_feed:
        stock.committed += fact.units
    stock.secured = {
        name: replace(each, left=max(each.left - fact.units, 0)) if fact.consumed_at >= each.since else each
        for name, each in stock.secured.items()
    }


def _give_back(stock: Stock, reservation_id: str, units: int) -> None:
    reservation = stock.reservations[reservation_id]
    if reservation.status is ReservationStatus.HELD:
        stock.held -= units
    else:
        if not reservation.in_feed:
            stock.committed -= units
        if reservation.committed_at is not None:
            _count_demand(stock, reservation.committed_at.toordinal(), -units)
    reservation.units -= units
    if not reservation.units:
        del stock.reservations[reservation_id]
