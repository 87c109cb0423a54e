"""Amending: what a shop changes of an order that it has sold (DOMAIN 1).

More units and new lines go as at intake, fewer units as a cancel, and a price changes money only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from ledger.decisions import catalogue, confirmation, customs, intake
from ledger.decisions.cancelling import cancel_units, cancellable
from ledger.decisions.docket import Docket, order_in
from ledger.decisions.order_stock import Item, enlarge, give_back, need_for
from ledger.decisions.rerouting import Cause, place_units
from ledger.decisions.sourcing import Sought, choices_for_each
from ledger.decisions.suitability import unusable_suppliers
from ledger.facts import Change, Units
from ledger.nouns import orders, stock
from ledger.nouns.orders import Wanted
from ledger.nouns.orders.supplier_orders import Wish
from ledger.nouns.stock import ReservationReleased
from ledger.view import View


def amend(view: View, order_id: str, wanted: Wanted, by: str, because: str, now: datetime) -> list[Change]:
    """The order is to be like this now. The same again records nothing, and an older state is only recorded."""
    order = order_in(view, order_id)
    wanted = replace(wanted, lines=catalogue.drawn(view, wanted.lines, order.lines))
    docket, amendment = Docket(order), orders.amend(order, wanted)
    fact, freed = amendment.fact, list[Item]()
    if fact is not None and fact.outdated:
        return Docket(order, [fact]).changes()
    if fact is not None:
        grown = [line for line in fact.lines if line.line_no in fact.added]
        need_for(view, grown)
        docket.add([replace(fact, untracked=confirmation.untracked_lines(view, grown))])
        orders.require_total(order, docket.order)
    at = max(wanted.at, order.placed.placed_at)
    if amendment.fewer:
        freed = cancel_units(view, docket, amendment.fewer, cancellable(docket.order), Wish(by, because), at)
    if not docket.facts:
        return []
    docket.add(orders.follow_payment(order, docket.order, at))
    if order.confirmed_at is None:
        return intake.go_on_amended(view, order, docket, at, now)
    return _confirmed(view, docket, fact.added if fact is not None else {}, freed, at, now)


def _confirmed(
    view: View, docket: Docket, added: Units, freed: list[Item], at: datetime, now: datetime
) -> list[Change]:
    """Added units go to suppliers; an item that some units leave while others come keeps what it needs reserved."""
    released = {(fact.supplier_id, fact.sku): fact.units for fact in _releases(view, docket, freed, now)}
    known = set(docket.order.supplier_orders)
    more = _place(view, docket, added, at, now)
    new = [each for each in docket.order.supplier_orders if each not in known]
    docket.add(orders.await_payment(docket.order, new, at))
    docket.add(customs.reconsider_if_held(view, docket.order, at))
    return [*docket.settled(view, now), *_reserve(view, docket.order.order_id, released, more, now)]


def _releases(view: View, docket: Docket, freed: list[Item], now: datetime) -> list[ReservationReleased]:
    facts = (fact for _, fact in give_back(view, docket.order, freed, now))
    return [fact for fact in facts if isinstance(fact, ReservationReleased)]


def _place(view: View, docket: Docket, added: Units, at: datetime, now: datetime) -> dict[Item, int]:
    """Drafts supplier orders for added units, at the supplier that the shop named or the best; what to reserve.

    Who was named and may not be given them, by what it offers or where it ships to, leaves them to a person.
    """
    by_supplier: defaultdict[tuple[str, bool], Units] = defaultdict(dict)
    unusable = unusable_suppliers(view, docket.order, added, at)
    for line_no, units in added.items():
        named = docket.order.lines[line_no].supplier_id if line_no not in docket.order.chosen else ""
        by_supplier[named, bool(named) and line_no in unusable][line_no] = units
    sought = [Sought(share, "", named, by_offer) for (named, by_offer), share in by_supplier.items()]
    made = choices_for_each(view, docket.order, sought, at)
    chosen = zip(by_supplier.values(), made, strict=True)
    return place_units(view, docket, chosen, Cause(None, "", "amended"), at, now)


def _reserve(
    view: View, order_id: str, released: Mapping[Item, int], more: Mapping[Item, int], now: datetime
) -> list[Change]:
    """The stock that an amendment gives back, and what it takes in addition: of an item only the difference."""
    net = {item: more.get(item, 0) - released.get(item, 0) for item in (*released, *more)}
    back = [
        (stock.stream(*item), ReservationReleased(*item, order_id, -units, now))
        for item, units in net.items()
        if units < 0
    ]
    return [*back, *enlarge(view, order_id, {item: units for item, units in net.items() if units > 0}, now)]
