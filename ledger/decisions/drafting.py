"""Drafting supplier orders: the one place where units of an order are given to suppliers (DOMAIN 1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from ledger.decisions.promise import chosen_service
from ledger.facts import LineNo, Units
from ledger.nouns import policies, suppliers
from ledger.nouns.choice import Choice
from ledger.nouns.offers import Offer
from ledger.nouns.orders import Order, OrderPlaced
from ledger.nouns.orders.supplier_orders import ShippingChosen, SupplierOrderDrafted, left_to_ship
from ledger.nouns.policies import Policy, policy_at
from ledger.nouns.suppliers import Supplier
from ledger.terms.money import Money
from ledger.view import View


class SupplierShare(NamedTuple):
    """What one supplier is given of an order."""

    supplier_id: str
    units: Units
    backordered: Units
    """Units that it has to get first."""
    choices: tuple[Choice, ...] = ()
    """Why it was chosen, where it was not the shop that named it."""


class Instead(NamedTuple):
    """What a supplier order is drafted in place of."""

    of: str = ""
    """The supplier order that had the units before; empty if none had them lately."""
    because: str = ""


def draft(
    view: View,
    order: Order,
    shares: Iterable[SupplierShare],
    at: datetime,
    now: datetime,
    instead: Instead | None = None,
) -> list[SupplierOrderDrafted]:
    """One supplier order for each share, numbered on from those that the order has."""
    policy, instead, drafted = policy_at(policies.find(view), at), instead or Instead(), []
    # Nobody can send what was not drafted yet, so its clock does not begin before the ledger drafts it.
    send_by = None if order.placed.historical else policy.send_by(max(at, now))
    parts = [part for share in shares for part in _by_warehouse(view, order, share, at)]
    for number, part in enumerate(parts, len(order.supplier_orders) + 1):
        supplier, share, offered, units = part.supplier, part.share, part.offered, _all_of(part.share)
        drafted.append(
            SupplierOrderDrafted(
                f"{order.order_id}/{number}",
                share.supplier_id,
                share.units,
                at,
                share.backordered,
                _packing(policy, order.placed, supplier),
                unit_costs=_unit_costs(order, units, offered),
                instead_of=instead.of,
                because=instead.because,
                choices=share.choices,
                shipping=chosen_service(policy, order, supplier, units, part.warehouse),
                article_codes={n: each.article_code for n, each in offered.items() if each.article_code},
                packing_costs={
                    n: Money(each.packing_cost_minor, each.cost.currency)
                    for n, each in offered.items()
                    if each.packing_cost_minor
                },
                warehouse=part.warehouse,
                send_by=send_by,
            )
        )
    return drafted


class _Part(NamedTuple):
    """What leaves one warehouse of a supplier."""

    supplier: Supplier | None
    share: SupplierShare
    offered: Mapping[LineNo, Offer]
    """What it offers of the lines now; it cannot change afterwards."""
    warehouse: str = ""


def _by_warehouse(view: View, order: Order, share: SupplierShare, at: datetime) -> list[_Part]:
    """The share, or where the goods leave from several warehouses, that of each of them."""
    supplier, lines = suppliers.find(view, share.supplier_id), order.lines
    if supplier is None or not supplier.offers:
        return [_Part(supplier, share, {})]
    numbers = dict.fromkeys([*share.units, *share.backordered])
    offered = {n: offer for n in numbers if (offer := supplier.offer_at(lines[n].sku, at)) is not None}
    if not supplier.master.warehouses:
        return [_Part(supplier, share, offered)]
    house_of = {n: offered[n].warehouse if n in offered else "" for n in numbers}
    parts = []
    for house in dict.fromkeys(house_of.values()):
        units, backordered = ({n: u for n, u in of.items() if house_of[n] == house} for of in share[1:3])
        skus = {lines[n].sku for n in (*units, *backordered)}
        choices = tuple(choice for choice in share.choices if choice.sku in skus)
        own = {n: offer for n, offer in offered.items() if house_of[n] == house}
        parts.append(_Part(supplier, SupplierShare(share.supplier_id, units, backordered, choices), own, house))
    return parts


def choose_again(view: View, order: Order, at: datetime) -> list[ShippingChosen]:
    """Chooses services again for supplier orders that are not packed, where new data lead to another choice."""
    chosen: list[ShippingChosen] = []
    policy = policy_at(policies.find(view), at)
    for each in order.supplier_orders.values():
        if not each.is_fixed:
            shipping = chosen_service(
                policy, order, suppliers.find(view, each.supplier_id), left_to_ship(each), each.warehouse
            )
            if shipping is not None and shipping != each.shipping:
                chosen.append(ShippingChosen(each.supplier_order_id, shipping, at))
    return chosen


def _unit_costs(order: Order, units: Units, offered: Mapping[LineNo, Offer]) -> dict[LineNo, Money]:
    """What the retailer owes for a unit of each line; where a price depends on it, by how many of its SKU there are."""
    of_sku = Counter[str]()
    if any(each.breaks for each in offered.values()):
        for line_no, count in units.items():
            of_sku[order.lines[line_no].sku] += count
    return {n: each.unit_cost(of_sku[each.sku] if each.breaks else 1) for n, each in offered.items()}


def _packing(policy: Policy, placed: OrderPlaced, supplier: Supplier | None) -> tuple[str, ...]:
    """What the supplier is to pack with; brand packs that it does not have are replaced by the agreed fallback."""
    asked = placed.packing
    if policy.channel_packing:
        usual = policy.packing_of(placed.channel)
        asked = (*usual, *(word for word in asked if word not in usual))
    if not asked:
        return asked
    own = supplier.master.packing if supplier else ()
    possible = tuple(word for word in asked if word in own or word not in policy.brand_packs)
    if possible == asked or policy.brand_pack_fallback in possible:
        return possible
    return (*possible, policy.brand_pack_fallback)


def _all_of(share: SupplierShare) -> Units:
    if not share.backordered:
        return share.units
    lines = {**share.units, **share.backordered}
    return {line_no: share.units.get(line_no, 0) + share.backordered.get(line_no, 0) for line_no in lines}
