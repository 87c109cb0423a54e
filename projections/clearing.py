"""How well do shipping services get goods over a border: of how many of their parcels did customs hold which share?"""

from __future__ import annotations

from typing import NamedTuple

from ledger.nouns import orders, parcels
from ledger.nouns.parcels import Parcel, ParcelStatus
from projections.machine.histories import OrderHistory
from projections.machine.projection import From, projection
from projections.machine.reads import Answer, Where, snapshot
from projections.machine.rows import Int4
from projections.machine.tables import table

LEAST_PARCELS = 20
"""A share of fewer parcels says nothing."""


class ClearingShipment(NamedTuple):
    """Goods that left over a border with the service that was chosen for them."""

    carrier: str
    number: str
    epoch: Int4
    supplier_order_id: str
    service: str


class ClearedParcel(NamedTuple):
    """A parcel of which it is known whether customs held it: it did, or the parcel has come to an end."""

    carrier: str
    number: str
    epoch: Int4
    held: bool


SHIPMENTS = table("clearing_shipments", ClearingShipment, 4)
PARCELS = table("clearing_parcels", ClearedParcel, 3)


def _shipments(history: OrderHistory) -> list[ClearingShipment]:
    order, found = history.order, []
    for each in order.shipments:
        chosen = order.supplier_orders[each.supplier_order_id].shipping
        if chosen is not None and chosen.crosses_border and each.carrier in chosen.carriers:
            found.append(ClearingShipment(each.carrier, each.number, each.epoch, each.supplier_order_id, chosen.code))
    return found


def _parcels(parcel: Parcel) -> list[ClearedParcel]:
    found = []
    for use in parcels.uses(parcel):
        held = any(scan.status is ParcelStatus.CUSTOMS_HELD for scan in use.checkpoints)
        if use.voided is None and (held or use.is_over):
            found.append(ClearedParcel(use.carrier, use.number, use.epoch, held))
    return found


CLEARING = projection("clearing", 1, From(orders.NOUN, SHIPMENTS, _shipments), From(parcels.NOUN, PARCELS, _parcels))

# --- questions ------------------------------------------------------------------------------------


class ServiceClearing(NamedTuple):
    """How a service cleared its parcels."""

    service: str
    parcels: int
    held: int

    @property
    def held_basis_points(self) -> int | None:
        """None where too few parcels are known."""
        return self.held * 10_000 // self.parcels if self.parcels >= LEAST_PARCELS else None


_BY_SERVICE = """
    SELECT service, count(*), count(*) FILTER (WHERE held) FROM (
        SELECT DISTINCT service, carrier, number, epoch, held
        FROM {clearing_shipments} JOIN {clearing_parcels} USING (carrier, number, epoch)
    ) AS known GROUP BY service ORDER BY service
"""


async def by_service(where: Where) -> Answer[ServiceClearing]:
    async with snapshot(where, CLEARING) as at:
        return Answer([ServiceClearing(*row) for row in await at.rows(_BY_SERVICE, {})], at.position)
