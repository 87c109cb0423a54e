"""Who can send what an order needs: its candidates, as the suppliers, their stock and the order stand (DOMAIN 2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import starmap
from typing import NamedTuple

from ledger.decisions import spelling
from ledger.decisions.order_stock import Item, demand_of, within_reach
from ledger.decisions.promise import chosen_service
from ledger.facts import Change, LineNo, Units, changes_of
from ledger.nouns import policies, skus, stock, suppliers
from ledger.nouns.choice import (
    Against,
    Candidate,
    Choice,
    choose,
    let_wait,
    with_freight,
)
from ledger.nouns.offers import Offer
from ledger.nouns.orders import Order, OrderFact, SuppliersChosen
from ledger.nouns.orders.supplier_orders import RejectReason
from ledger.nouns.policies import policy_at
from ledger.terms.money import Money
from ledger.view import Miss, View


def offer_sku(view: View, supplier_id: str, offer: Offer, at: datetime) -> list[Change]:
    """What a supplier offers of a SKU, which then knows of it. The same offer again records nothing."""
    view.need(suppliers.stream(supplier_id), skus.stream(offer.sku), skus.stream(skus.folded(offer.sku)))
    supplier = suppliers.known(suppliers.find(view, supplier_id), supplier_id)
    offered = suppliers.offer_sku(supplier, offer, at)
    listed = skus.list_supplier(skus.find(view, offer.sku), offer.sku, supplier_id, at)
    return [
        *changes_of(suppliers.stream(supplier_id), offered),
        *changes_of(skus.stream(offer.sku), listed),
        *(spelling.spell(view, offer.sku, at, listed=True) if listed else ()),
    ]


# --- lines whose shop does not know the supplier --------------------------------------------------


class Found(NamedTuple):
    """What came of looking for the suppliers of an order's lines."""

    facts: Sequence[OrderFact] = ()
    unserved: tuple[Choice, ...] = ()
    """SKUs that somebody offers and nobody qualifies for."""
    lacking: Units = {}
    """Units, by line, of those of them that only wait for stock."""

    @property
    def waiting(self) -> tuple[Choice, ...]:
        return tuple(choice for choice in self.unserved if choice.lacks_stock)

    @property
    def unqualified(self) -> tuple[Choice, ...]:
        return tuple(choice for choice in self.unserved if not choice.lacks_stock)


NOBODY_SOUGHT = Found()


def find_suppliers(view: View, order: Order, cart_id: str, at: datetime) -> Found:
    """Lines without a supplier get one, if somebody qualifies who offers their SKU."""
    wanted: defaultdict[str, Units] = defaultdict(dict)
    for line_no, units in order.in_bucket("open").items():
        line = order.lines[line_no]
        if line.sku and not line.supplier_id:
            wanted[line.sku][line_no] = units
    if not wanted or order.confirmed_at is not None:
        return NOBODY_SOUGHT
    demand = demand_of(order.lines.values(), order.in_bucket("open"))
    claimed = {item: sum(by_line.values()) for item, by_line in demand.items()}
    reservation_ids = (order.order_id, cart_id) if cart_id else (order.order_id,)
    market = _Market(view, order, wanted, at, reservation_ids, claimed)
    choices = [market.choose(sku, market.listed(sku)) for sku in wanted]
    made = tuple(choice for choice in choices if choice.supplier_id)
    chosen = {line_no: choice.supplier_id for choice in made for line_no in wanted[choice.sku]}
    facts = [SuppliersChosen(order.order_id, chosen, made, at)] if made else []
    unserved = tuple(each for each in choices if each.considered and not each.supplier_id)
    lacking = {n: units for choice in unserved if choice.lacks_stock for n, units in wanted[choice.sku].items()}
    return Found(facts, unserved, lacking)


def let_lines_wait(order: Order, found: Found, at: datetime) -> Sequence[OrderFact]:
    """Gives lines that only wait for stock the supplier that they wait for."""
    choices = tuple(map(let_wait, found.waiting))
    by_sku = {choice.sku: choice.supplier_id for choice in choices}
    chosen = {line_no: by_sku[order.lines[line_no].sku] for line_no in found.lacking}
    return [SuppliersChosen(order.order_id, chosen, choices, at)] if chosen else []


def out_of_stock(unserved: Iterable[Choice]) -> list[tuple[str, str, int, int]]:
    """Suppliers that only lack stock: supplier, SKU, units asked, units available."""
    return [
        (each.supplier_id, choice.sku, choice.units, each.available or 0)
        for choice in unserved
        for each in choice.considered
        if each.against is Against.OUT_OF_STOCK
    ]


# --- units that a supplier does not send ----------------------------------------------------------


class Sought(NamedTuple):
    """Units for which a new supplier is sought."""

    units: Units
    of: str = ""
    """The supplier that had them, if it is known."""
    named: str = ""
    """The one that is wanted; empty if the ledger is to choose."""
    by_offer: bool = False
    """Whether it has to offer them; a person may want units of it that it does not."""


def choices_for(view: View, order: Order, sought: Sought, at: datetime) -> list[Choice]:
    """The next supplier for each SKU's units together."""
    return _choices(view, order, _history(order), sought, at)


def choices_for_each(view: View, order: Order, soughts: Iterable[Sought], at: datetime) -> list[list[Choice]]:
    """The same for several; what lacks for all of them is loaded together."""
    history, found, missing = _history(order), list[list[Choice]](), list[str]()
    for sought in soughts:
        try:
            found.append(_choices(view, order, history, sought, at))
        except Miss as miss:
            missing += miss.streams
    if missing:
        raise Miss(missing)
    return found


_Reason = tuple[str, Against]
"""A supplier, and what the order has against it."""
_History = tuple[Mapping[str, list[_Reason]], Mapping[LineNo, list[_Reason]]]
"""By SKU, and by line."""


def _choices(view: View, order: Order, history: _History, sought: Sought, at: datetime) -> list[Choice]:
    wanted: defaultdict[str, Units] = defaultdict(dict)
    for line_no, units in sought.units.items():
        wanted[order.lines[line_no].sku][line_no] = units
    market = _Market(view, order, wanted, at, (order.order_id,), others=(sought.of, sought.named))
    # The supplier that has the units cannot be named as the next one.
    named = sought.named != sought.of and bool(sought.named) and not sought.by_offer
    choices = []
    for sku, by_line in wanted.items():
        against = _against(history, sku, by_line, sought.of)
        ids = (sought.named,) if sought.named else market.preferred(sku, sought.of)
        choices.append(market.choose(sku, ids, against, named=named))
    return choices


def _history(order: Order) -> _History:
    """What suppliers answered, and what was taken from them."""
    by_sku: defaultdict[str, list[_Reason]] = defaultdict(list)
    by_line: defaultdict[LineNo, list[_Reason]] = defaultdict(list)
    for each in order.supplier_orders.values():
        for line_no, answer in ((n, answer) for answered in each.answers for n, answer in answered.by_line.items()):
            if answer.rejected and answer.because is RejectReason.DISCONTINUED:
                by_sku[order.lines[line_no].sku].append((each.supplier_id, Against.DISCONTINUED))
            elif answer.rejected:
                by_line[line_no].append((each.supplier_id, Against.TURNED_DOWN))
        for line_no, share in each.shares.items():
            if share.rerouted:
                by_line[line_no].append((each.supplier_id, Against.TAKEN_AWAY))
    return by_sku, by_line


def _against(history: _History, sku: str, lines: Iterable[LineNo], of: str) -> dict[str, Against]:
    """What counts against suppliers for units of these lines; their own answers go before reroutes."""
    by_sku, by_line = history
    against = dict(by_sku.get(sku, ()))
    for line_no in lines:
        for supplier_id, why in by_line.get(line_no, ()):
            if why is Against.TURNED_DOWN and against.get(supplier_id) is not Against.DISCONTINUED:
                against[supplier_id] = why
            else:
                against.setdefault(supplier_id, why)
    against.setdefault(of, Against.TAKEN_AWAY)
    return against


class _Market:
    """Who offers these SKUs; all that is to be known of them is loaded together."""

    def __init__(
        self,
        view: View,
        order: Order,
        wanted: Mapping[str, Units],
        at: datetime,
        reservation_ids: tuple[str, ...],
        claimed: Mapping[Item, int] = {},
        others: Iterable[str] = (),
    ) -> None:
        """Units of these reservations are within reach; claimed units are promised already."""
        view.need(*map(skus.stream, wanted))
        self._view, self._reservation_ids, self._claimed = view, reservation_ids, claimed
        self._order, self._wanted, self._at = order, wanted, at
        self._policy = policy_at(policies.find(view), at)
        self._priced_in = {service.cost.currency for service in self._policy.shipping_services}
        self._listed = {sku: found.suppliers if (found := skus.find(view, sku)) else () for sku in wanted}
        also = tuple(filter(None, others))
        items = [(each, sku) for sku, listed in self._listed.items() for each in (*listed, *also)]
        names = dict.fromkeys([supplier_id for supplier_id, _ in items])
        view.need(*starmap(stock.stream, items), *map(suppliers.stream, names))
        self._suppliers = {supplier_id: suppliers.find(view, supplier_id) for supplier_id in names}

    def choose(
        self, sku: str, ids: Iterable[str], against: Mapping[str, Against] = {}, *, named: bool = False
    ) -> Choice:
        """Which of these suppliers is to send the units; against is what the order has against them."""
        by_line = self._wanted[sku]
        made = choose(sku, sum(by_line.values()), self._candidates(sku, ids, against), self._at, named=named)
        able = [each for each in made.considered if each.against in (None, Against.OUT_OF_STOCK)]
        currencies = {each.cost.currency for each in able if each.cost is not None}
        if len(able) < 2 or len(currencies) > 1 or currencies.isdisjoint(self._priced_in):
            return made
        found = {each.supplier_id: self._freight(each.supplier_id, sku, by_line) for each in able}
        return with_freight(made, {name: cost for name, cost in found.items() if cost and cost.currency in currencies})

    def _freight(self, supplier_id: str, sku: str, by_line: Units) -> Money | None:
        """What it costs to send the units by themselves; None while their weight or a country is not known."""
        supplier = self._suppliers[supplier_id]
        offer = supplier.offer_at(sku, self._at) if supplier is not None else None
        warehouse = offer.warehouse if offer is not None else ""
        chosen = chosen_service(self._policy, self._order, supplier, by_line, warehouse)
        return chosen.cost if chosen is not None else None

    def _candidates(self, sku: str, ids: Iterable[str], against: Mapping[str, Against]) -> list[Candidate]:
        """These suppliers as they stand."""
        found = []
        for each in ids:
            claimed = self._claimed.get((each, sku), 0) if self._claimed else 0
            available = within_reach(stock.find(self._view, each, sku), self._reservation_ids, claimed)
            supplier, why = self._suppliers[each], against.get(each)
            if why is None and supplier is not None and supplier.refused:
                why = None if supplier.serves(self._order.destination, sku) else Against.NOT_SERVED
            found.append(Candidate(each, supplier, available, why))
        return found

    def listed(self, sku: str) -> tuple[str, ...]:
        return self._listed[sku]

    def preferred(self, sku: str, of: str) -> Iterable[str]:
        """Who offers the SKU: the backups of the present supplier in their order, then the others."""
        listed, present = self._listed[sku], self._suppliers.get(of)
        offer = present.offer_at(sku, self._at) if present else None
        if offer is None or not offer.backups:
            return listed
        return dict.fromkeys((*filter(listed.__contains__, offer.backups), *listed))
