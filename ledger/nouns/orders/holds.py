"""Decisions on holds: reasons for an order or one of its supplier orders to wait."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace

from ledger.facts import is_known
from ledger.nouns.orders import supplier_orders
from ledger.nouns.orders.details import missing_fields
from ledger.nouns.orders.evolving import stops_after, stops_with
from ledger.nouns.orders.facts import UNDER_WAY, Hold, HoldPlaced, HoldReason, HoldReleased, OrderFact
from ledger.nouns.orders.refusals import OrderClosed, StillIncomplete, UnknownHold
from ledger.nouns.orders.state import Header, Order, Stops


def place_hold(order: Order, hold: Hold) -> Sequence[OrderFact]:
    """A reason to wait. The same hold again records nothing, nor does one that only lacks the note."""
    counted = replace(hold, at=max(hold.at, order.placed.placed_at))
    return _with_told_at(order, place_holds(order, [counted]), hold.at)


def _with_told_at(order: Order, facts: Sequence[OrderFact], at: datetime) -> Sequence[OrderFact]:
    """The facts of a hold; the first keeps the time that was given, where it counts from the placing."""
    if not facts or at >= order.placed.placed_at:
        return facts
    return [replace(facts[0], told_at=at), *facts[1:]]


def place_holds(order: Order, holds: Sequence[Hold]) -> list[OrderFact]:
    """Reasons to wait, each of another scope, so that none depends on the one before it.

    One that stands already is recorded again only if it turns out to be older or says more.
    """
    standing = {each.key: each for each in order.holds}
    new: list[Hold] = []
    for hold in holds:
        _require_under_way(order, hold)
        present = standing.get(hold.key)
        if present is None or hold.at < present.at or not _adds_nothing(hold, present, order.is_erased):
            new.append(hold)
    placed = [HoldPlaced(order.order_id, hold, hold.at) for hold in new]
    return (
        [*placed, *_recomputed_clocks(order, new, stops_with(order, new), max(hold.at for hold in new))] if new else []
    )


def _require_under_way(order: Order, hold: Hold) -> None:
    """Refuses a hold that begins after the end of what it names, the order or one supplier order.

    One that began before that counts, also if it is recorded late.
    """
    named = order.supplier_order(hold.supplier_order_id) if hold.supplier_order_id else None
    ended_at = named.ended_at if named else order.ended_at
    if ended_at is None or hold.at < ended_at:
        return
    if named:
        raise supplier_orders.NothingToShip(named.supplier_order_id, named.stage)
    raise OrderClosed(order.order_id, order.header)


def _adds_nothing(hold: Hold, present: Hold, erased: bool) -> bool:
    """Whether a hold adds nothing to the present one of its key."""
    if hold.note_digest and not is_known(present.note_digest, hold.note_digest, hold.at == present.at, erased):
        return False
    return replace(hold, at=present.at, note=present.note, note_digest=present.note_digest) == present


def _recomputed_clocks(order: Order, holds: Iterable[Hold], stops: Stops, at: datetime) -> list[OrderFact]:
    """The clocks of the supplier orders that these holds are about, recomputed from all that stopped them."""
    scopes = dict.fromkeys(hold.supplier_order_id for hold in holds if hold.reason.stops_clocks)
    about = order.supplier_orders if "" in scopes else scopes
    facts: list[OrderFact] = []
    for each in about:
        stopping = (*stops.get("", ()), *stops.get(each, ()))
        facts += supplier_orders.recompute_clocks(order.supplier_orders[each], stopping, at)
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
    return _with_told_at(order, end_holds(order, ended, max(at, order.placed.placed_at)), at)


def end_holds(order: Order, ended: Iterable[Hold], at: datetime) -> list[OrderFact]:
    """These holds end; a supplier order whose clocks none stops any more goes on."""
    ended = list(ended)
    released = [HoldReleased(order.order_id, hold.reason, hold.owner, at, hold.supplier_order_id) for hold in ended]
    return [*released, *_recomputed_clocks(order, ended, stops_after(order, [hold.key for hold in ended], at), at)]


def end_with_order(order: Order, now: datetime, owners: Container[str] | None = None) -> list[OrderFact]:
    """Holds end once no unit is left to leave or to arrive: nothing waits any more. None means those of any owner."""
    over = order.header is Header.CANCELLED or (order.ordered and not any(map(order.units, UNDER_WAY)))
    ended = [hold for hold in order.holds if owners is None or hold.owner in owners] if over else []
    return end_holds(order, ended, max(now, *(hold.at for hold in ended))) if ended else []


def holds_on(order: Order, supplier_order_id: str) -> list[Hold]:
    """The holds that keep this supplier order from going on; one that names lacking units concerns only those."""
    return [hold for hold in order.holds if hold.supplier_order_id in ("", supplier_order_id) and not hold.lacking]


def held_at(order: Order, supplier_order_id: str, at: datetime) -> bool:
    """Whether a hold kept this supplier order from going on at that time: one that stands, or one that ended since."""
    stops = order.stops_on(supplier_order_id)
    stood = any(stop.since <= at and (stop.until is None or at < stop.until) for stop in stops)
    return stood or any(hold.at <= at for hold in holds_on(order, supplier_order_id))
