"""The parcels of an order, which know when their carriers expect to deliver them."""

from __future__ import annotations

from adapters.rpc.orders.shows import Parcels
from adapters.streams import read
from adapters.tenants import Tenant
from ledger.nouns import parcels
from ledger.nouns.orders import Order


async def parcels_of(tenant: Tenant, order: Order) -> Parcels:
    """Its parcels as they are now, which may be later than the order was read at."""
    streams = list(dict.fromkeys(parcels.stream(each.carrier, each.number) for each in order.shipments))
    if not streams:
        return {}
    view, _ = await read(tenant.log, streams)
    found = [use for stream in streams for use in parcels.uses(view.state(stream))]
    return {(use.carrier, use.number, use.epoch): use for use in found}
