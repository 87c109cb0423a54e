"""An order's story as the log has it at this moment: the order's own streams and no others."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from adapters.streams import read
from adapters.tenants import Tenant
from adapters.tracking_page.story import Story, StoryOf, sealed_towns, story_of, streams_of
from ledger.engine.sealing import Sealer, Unreadable, placed
from ledger.engine.trouble import in_short
from ledger.facts import Sealed
from ledger.nouns import orders, parcels, policies
from ledger.nouns.orders import Order
from ledger.nouns.policies import policy_at
from ledger.terms.brands import Brand, brand_of
from ledger.view import View

log = logging.getLogger("fulfilment.web")


class FoundOrder(NamedTuple):
    """An order, and how its customers know the retailer."""

    order: Order
    brand: Brand


async def find(tenant: Tenant, order_id: str, now: datetime) -> FoundOrder | None:
    view, _ = await read(tenant.log, [orders.stream(order_id), policies.stream()])
    order = orders.find(view, order_id)
    return FoundOrder(order, brand_in(view, order.placed.channel, now)) if order is not None else None


async def brand_of_channel(tenant: Tenant, channel: str, now: datetime) -> Brand:
    """As customers know it who have not said yet what they ordered: not by a name that an address may hold."""
    view, _ = await read(tenant.log, [policies.stream()])
    return brand_of(policy_at(policies.find(view), now).brands, channel)


def brand_in(view: View, channel: str, now: datetime) -> Brand:
    brand = brand_of(policy_at(policies.find(view), now).brands, channel)
    return replace(brand, name=brand.name or channel)


async def tell(tenant: Tenant, sealer: Sealer, found: FoundOrder, now: datetime) -> Story:
    """All that its customer is to know."""
    view, _ = await read(tenant.log, streams_of(found.order))
    towns = await _towns(tenant, sealer, sealed_towns(found.order, view))
    return story_of(StoryOf(found.order, view, towns, found.brand), now)


async def _towns(tenant: Tenant, sealer: Sealer, sealed: Sequence[tuple[Sealed, tuple[str, str]]]) -> dict[str, str]:
    """By key; none of whoever was erased."""
    keys = await tenant.log.keys_of([each.key_id for each, _ in sealed]) if sealed else {}
    towns = {}
    for each, told_under in sealed:
        if (key := keys.get(each.key_id)) is None:
            continue
        try:
            opened = sealer.of(tenant.schema).unseal(each, key, placed(parcels.stream(*told_under), "message"))
        except Unreadable as damaged:
            log.error("a scan does not open: %s", in_short(damaged))
            continue
        towns[each.key_id] = str(opened.get("city", ""))
    return towns


async def postal_code_of(tenant: Tenant, sealer: Sealer, order: Order | None) -> str:
    """The postal code that an order goes to; empty if there is none, or nobody knows it any more."""
    sealed = order.customer if order is not None else None
    if order is None or sealed is None:
        return ""
    key = (await tenant.log.keys_of([sealed.key_id])).get(sealed.key_id)
    if key is None:
        return ""
    return str(
        sealer.of(tenant.schema).unseal(sealed, key, placed(order.sealed_for, "customer")).get("postal_code", "")
    )
