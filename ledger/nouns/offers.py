"""What a supplier offers of a SKU: at which cost, from which warehouse, from when until when (DOMAIN 2).

The facts stand in the supplier's stream. An offer without dates replaces all earlier ones of the SKU; one that
begins on a day stands beside the others, and of those that hold at an instant the one that began last counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from ledger.facts import Fact, Told, Value
from ledger.large_map import LargeMap
from ledger.refusals import NotFound
from ledger.terms.money import MOST_MINOR, Money


class PriceBreak(Value, frozen=True):
    """What a unit costs from so many units of an order on."""

    units: int
    cost_minor: int
    """In the currency of the offer's cost."""


class Offer(Value, frozen=True):
    """What a supplier offers of one SKU."""

    sku: str
    cost: Money
    """Of one unit, without packing, where no break says otherwise."""
    minimum_quantity: int = 1
    lead_time_days: int = 0
    backups: tuple[str, ...] = ()
    """Other suppliers of the same SKU, the preferred one first."""
    article_code: str = ""
    """The supplier's own name of the SKU."""
    breaks: tuple[PriceBreak, ...] = ()
    """The fewest units first."""
    packing_cost_minor: int = 0
    """What it takes for packing one unit, beside its cost and in its currency."""
    warehouse: str = ""
    """The supplier's warehouse that it leaves from; empty means where the supplier sits."""
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def unit_cost(self, units: int) -> Money:
        """What the retailer owes for each of so many units, packing included."""
        if not (self.breaks or self.packing_cost_minor):
            return self.cost
        cost_minor = self.cost.amount_minor
        for each in self.breaks:
            if units >= each.units:
                cost_minor = each.cost_minor
        return Money(cost_minor + self.packing_cost_minor, self.cost.currency)

    def too_dear(self, units: int) -> Money | None:
        """What so many units cost, if it is more than any amount may be."""
        cost = self.unit_cost(units)
        total = units * cost.amount_minor
        return Money(total, cost.currency) if total > MOST_MINOR else None


Offers = LargeMap[tuple[Offer, ...]]
"""By SKU, the offer that begins last first; none of a SKU that was withdrawn. There are thousands."""


# --- facts ----------------------------------------------------------------------------------------


class SkuOffered(Fact, frozen=True, tag="supplier.sku_offered"):
    """The supplier offers a SKU on these conditions."""

    supplier_id: str
    offer: Offer
    at: datetime


class OfferWithdrawn(Fact, frozen=True, tag="supplier.offer_withdrawn"):
    """The supplier offers the SKU no more, whatever was to hold later."""

    supplier_id: str
    sku: str
    because: Told
    at: datetime


# --- state ----------------------------------------------------------------------------------------


def evolve(offers: Offers, fact: SkuOffered | OfferWithdrawn) -> Offers:
    if isinstance(fact, OfferWithdrawn):
        return offers.changed(fact.sku, ())
    sku = fact.offer.sku
    return offers.changed(sku, _listed(offers.get(sku, ()), fact.offer))


_EARLIEST = datetime.min.replace(tzinfo=UTC)
"""Where an offer without dates stands among the others."""


def _listed(present: tuple[Offer, ...], offer: Offer) -> tuple[Offer, ...]:
    if offer.valid_from is None:
        return (offer,)
    others = (each for each in present if each.valid_from != offer.valid_from)
    return tuple(sorted((offer, *others), key=lambda each: each.valid_from or _EARLIEST, reverse=True))


def holding(offers: Iterable[Offer], at: datetime) -> Offer | None:
    """The one of a SKU's offers that holds at an instant."""
    for offer in offers:
        since, until = offer.valid_from, offer.valid_until
        if (since is None or since <= at) and (until is None or at < until):
            return offer
    return None


def end_of(offers: Iterable[Offer]) -> datetime | None:
    """When the last of a SKU's offers ends; None if one never does."""
    ends = [offer.valid_until for offer in offers]
    return max((end for end in ends if end is not None), default=None) if None not in ends else None


# --- refusals -------------------------------------------------------------------------------------


class SkuNotOffered(NotFound, reason="SKU_NOT_OFFERED"):
    says = "supplier {supplier_id} never offered {sku}"
    supplier_id: str
    sku: str


# --- decisions ------------------------------------------------------------------------------------


def offer_sku(offers: Offers, supplier_id: str, offer: Offer, at: datetime) -> list[SkuOffered]:
    """What the supplier offers of a SKU. What changes nothing records nothing."""
    present = offers.get(offer.sku, ())
    return [] if _listed(present, offer) == present else [SkuOffered(supplier_id, offer, at)]


def withdraw(offers: Offers, supplier_id: str, sku: str, because: Told, at: datetime) -> list[OfferWithdrawn]:
    """It offers the SKU no more. Withdrawing twice records nothing."""
    present = offers.get(sku)
    if present is None:
        raise SkuNotOffered(supplier_id, sku)
    return [OfferWithdrawn(supplier_id, sku, because, at)] if present else []
