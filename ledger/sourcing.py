"""Who can send what an order needs: its candidates, as the suppliers, their stock and the order stand (DOMAIN 2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger import skus, suppliers
from ledger.allotment import Item, demand_of, within_reach
from ledger.choice import Against, Candidate, Choice, choose
from ledger.orders import Order, OrderFact, SuppliersChosen
from ledger.supplier_orders import RejectReason
from ledger.suppliers import Offer
from ledger.values import Change, LineNo, Units, sku_stream, stock_stream, supplier_stream
from ledger.view import View, changes_of


def offer_sku(view: View, supplier_id: str, offer: Offer, at: datetime) -> list[Change]:
    """What a supplier offers of a SKU, which then knows of it. The same offer again records nothing."""
    view.need(supplier_stream(supplier_id), sku_stream(offer.sku))
    supplier = suppliers.known(view.supplier(supplier_id), supplier_id)
    offered = suppliers.offer_sku(supplier, offer, at)
    listed = skus.list_supplier(view.sku(offer.sku), offer.sku, supplier_id, at)
    return [*changes_of(supplier_stream(supplier_id), offered), *changes_of(sku_stream(offer.sku), listed)]


# --- lines whose shop does not know the supplier --------------------------------------------------


class Found(NamedTuple):
    """What came of looking for the suppliers of an order's lines."""

    facts: Sequence[OrderFact] = ()
    unserved: tuple[Choice, ...] = ()
    """SKUs that somebody offers and nobody qualifies for."""


def find_suppliers(view: View, order: Order, cart_id: str, at: datetime) -> Found:
    """Lines without a supplier get one, if somebody qualifies who offers their SKU."""
    wanted: defaultdict[str, Units] = defaultdict(dict)
    for line_no, units in order.in_bucket("open").items():
        line = order.lines[line_no]
        if line.sku and not line.supplier_id:
            wanted[line.sku][line_no] = units
    if not wanted or order.confirmed_at is not None:
        return Found()
    _need(view, wanted)
    claimed = demand_of(order.lines.values(), order.in_bucket("open"))
    choices = []
    for sku, by_line in wanted.items():
        candidates = []
        for supplier_id in _listed(view, sku):
            available = within_reach(view, (supplier_id, sku), order.order_id, cart_id)
            if available is not None:
                available = max(available - sum(claimed.get((supplier_id, sku), {}).values()), 0)
            candidates.append(Candidate(supplier_id, view.supplier(supplier_id), available))
        choices.append(choose(sku, sum(by_line.values()), candidates))
    made = tuple(choice for choice in choices if choice.supplier_id)
    chosen = {line_no: choice.supplier_id for choice in made for line_no in wanted[choice.sku]}
    facts = [SuppliersChosen(order.order_id, chosen, made, at)] if made else []
    return Found(facts, tuple(each for each in choices if each.considered and not each.supplier_id))


def out_of_stock(unserved: Iterable[Choice]) -> list[tuple[str, str, int, int]]:
    """Suppliers that would do but for their stock: supplier, SKU, units asked, units available."""
    return [
        (each.supplier_id, choice.sku, choice.units, each.available or 0)
        for choice in unserved
        for each in choice.considered
        if each.against is Against.OUT_OF_STOCK
    ]


# --- units that a supplier does not send ----------------------------------------------------------


class Sought(NamedTuple):
    """Units for which a supplier is sought, in place of the one that had them."""

    units: Units
    of: str = ""
    """The supplier that had them, if it is known."""
    named: str = ""
    """The one that a person wants; empty if the ledger is to choose."""


def choices_for(view: View, order: Order, sought: Sought, *, backordered: bool = False) -> list[Choice]:
    """The next supplier for each SKU's units together."""
    wanted: defaultdict[str, Units] = defaultdict(dict)
    for line_no, units in sought.units.items():
        wanted[order.lines[line_no].sku][line_no] = units
    _need(view, wanted, (sought.of, sought.named))
    # Whoever has the units cannot be named to get them.
    named = sought.named != sought.of and bool(sought.named)
    choices = []
    for sku, by_line in wanted.items():
        against = _against(order, sku, by_line, sought.of)
        ids = [sought.named] if sought.named else _preferred(view, sku, sought.of)
        candidates = [
            Candidate(
                supplier_id,
                view.supplier(supplier_id),
                within_reach(view, (supplier_id, sku), order.order_id),
                against.get(supplier_id),
            )
            for supplier_id in ids
        ]
        units = sum(by_line.values())
        choices.append(choose(sku, units, candidates, backordered=backordered, named=named))
    return choices


def _against(order: Order, sku: str, lines: Iterable[LineNo], of: str) -> dict[str, Against]:
    """What the order has against suppliers: what they answered about these units, and what was taken from them."""
    against: dict[str, Against] = {}
    for each in order.supplier_orders.values():
        for line_no, answer in ((n, answer) for answers in each.answers for n, answer in answers.items()):
            if answer.rejected and answer.because is RejectReason.DISCONTINUED and order.lines[line_no].sku == sku:
                against[each.supplier_id] = Against.DISCONTINUED
            elif answer.rejected and line_no in lines:
                against.setdefault(each.supplier_id, Against.TURNED_DOWN)
    for each in order.supplier_orders.values():
        if any(line_no in each.shares and each.shares[line_no].rerouted for line_no in lines):
            against.setdefault(each.supplier_id, Against.TAKEN_AWAY)
    against.setdefault(of, Against.TAKEN_AWAY)
    return against


def _preferred(view: View, sku: str, of: str) -> list[str]:
    """Who offers the SKU: the backups of the present supplier in their order, then the others."""
    listed = _listed(view, sku)
    present = view.supplier(of) if of else None
    offer = present.offers.get(sku) if present else None
    backups = [each for each in offer.backups if each in listed] if offer else []
    return list(dict.fromkeys((*backups, *listed)))


def _listed(view: View, sku: str) -> tuple[str, ...]:
    found = view.sku(sku)
    return found.suppliers if found else ()


def _need(view: View, wanted: Mapping[str, object], others: Iterable[str] = ()) -> None:
    """Load the SKUs together, and then all who offer one."""
    view.need(*(sku_stream(sku) for sku in wanted))
    items: list[Item] = [(each, sku) for sku in wanted for each in (*_listed(view, sku), *filter(None, others))]
    names = dict.fromkeys(supplier_id for supplier_id, _ in items)
    view.need(*(stock_stream(*item) for item in items), *map(supplier_stream, names))
