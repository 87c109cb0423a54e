"""Drafting supplier orders: the one place where units of an order are given to suppliers (DOMAIN 1)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ledger.orders import Order
from ledger.supplier_orders import SupplierOrderDrafted
from ledger.values import LineNo, Money, Units
from ledger.view import View


class Share(NamedTuple):
    """What one supplier is given of an order."""

    supplier_id: str
    units: Units
    backordered: Units
    """Units that it has to get first."""


def draft(view: View, order: Order, shares: Iterable[Share], at: datetime) -> list[SupplierOrderDrafted]:
    """One supplier order for each share, numbered on from those that the order has."""
    return [
        _drafted(view, order, f"{order.order_id}/{number}", share, at)
        for number, share in enumerate(shares, len(order.supplier_orders) + 1)
    ]


def _drafted(view: View, order: Order, supplier_order_id: str, share: Share, at: datetime) -> SupplierOrderDrafted:
    return SupplierOrderDrafted(
        supplier_order_id,
        share.supplier_id,
        share.units,
        at,
        share.backordered,
        order.placed.packing,
        unit_costs=_unit_costs(view, order, share),
    )


def _unit_costs(view: View, order: Order, share: Share) -> dict[LineNo, Money]:
    """What a unit of each line costs by what the supplier offers now; it cannot change afterwards."""
    supplier = view.supplier(share.supplier_id)
    if supplier is None or not supplier.offers:
        return {}
    offers = {
        line_no: supplier.offers.get(order.lines[line_no].sku) for line_no in {**share.units, **share.backordered}
    }
    return {line_no: offer.cost for line_no, offer in offers.items() if offer is not None}
