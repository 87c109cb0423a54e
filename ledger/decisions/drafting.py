"""Drafting supplier orders: the one place where units of an order are given to suppliers (DOMAIN 1)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ledger.decisions.promise import chosen_service
from ledger.facts import LineNo, Units
from ledger.nouns import policies, suppliers
from ledger.nouns.choice import Choice
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
    view: View, order: Order, shares: Iterable[SupplierShare], at: datetime, instead: Instead | None = None
) -> list[SupplierOrderDrafted]:
    """One supplier order for each share, numbered on from those that the order has."""
    policy, instead, drafted = policy_at(policies.find(view), at), instead or Instead(), []
    for number, share in enumerate(shares, len(order.supplier_orders) + 1):
        supplier, units = suppliers.find(view, share.supplier_id), _all_of(share)
        drafted.append(
            SupplierOrderDrafted(
                f"{order.order_id}/{number}",
                share.supplier_id,
                share.units,
                at,
                share.backordered,
                _packing(policy, order.placed, supplier),
                unit_costs=_unit_costs(order, units, supplier),
                instead_of=instead.of,
                because=instead.because,
                choices=share.choices,
                shipping=chosen_service(policy, order, supplier, units),
            )
        )
    return drafted


def choose_again(view: View, order: Order, at: datetime) -> list[ShippingChosen]:
    """Chooses services again for supplier orders that are not packed, where new data lead to another choice."""
    chosen: list[ShippingChosen] = []
    policy = policy_at(policies.find(view), at)
    for each in order.supplier_orders.values():
        if not each.is_fixed:
            shipping = chosen_service(policy, order, suppliers.find(view, each.supplier_id), left_to_ship(each))
            if shipping is not None and shipping != each.shipping:
                chosen.append(ShippingChosen(each.supplier_order_id, shipping, at))
    return chosen


def _unit_costs(order: Order, lines: Iterable[LineNo], supplier: Supplier | None) -> dict[LineNo, Money]:
    """What a unit of each line costs by what the supplier offers now; it cannot change afterwards."""
    if supplier is None or not supplier.offers:
        return {}
    offers = supplier.offers
    return {n: offer.cost for n in lines if (offer := offers.get(order.lines[n].sku)) is not None}


def _packing(policy: Policy, placed: OrderPlaced, supplier: Supplier | None) -> tuple[str, ...]:
    """What the supplier is to pack with; brand packs that it does not have are replaced by the agreed fallback."""
    asked = placed.packing
    if policy.channel_packing:
        usual = policy.packing_of(placed.channel)
        asked = (*usual, *(word for word in asked if word not in usual))
    if not asked:
        return asked
    own = supplier.registered.packing if supplier else ()
    possible = tuple(word for word in asked if word in own or word not in policy.brand_packs)
    if possible == asked or policy.brand_pack_fallback in possible:
        return possible
    return (*possible, policy.brand_pack_fallback)


def _all_of(share: SupplierShare) -> Units:
    if not share.backordered:
        return share.units
    lines = {**share.units, **share.backordered}
    return {line_no: share.units.get(line_no, 0) + share.backordered.get(line_no, 0) for line_no in lines}
