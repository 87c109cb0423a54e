"""Destinations that a supplier does not ship to, as its answers or a person said (DOMAIN 2).

The facts stand in the supplier's stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ledger.facts import Fact, Told, Value
from ledger.terms.places import Destination


class RefusedDestination(Value, frozen=True):
    """A place that it does not ship to."""

    country: str
    region: str = ""
    """Only this part of the country; empty means all of it."""
    sku: str = ""
    """Only this SKU; empty means all."""

    def includes(self, other: RefusedDestination) -> bool:
        """Whether it says the same of a place, a SKU or more of them."""
        return (
            self.country == other.country
            and self.sku in ("", other.sku)
            and self.region.casefold() in ("", other.region.casefold())
        )


# --- facts ----------------------------------------------------------------------------------------


class DestinationRefused(Fact, frozen=True, tag="supplier.destination_refused"):
    """It does not ship there."""

    supplier_id: str
    refused: RefusedDestination
    because: Told
    at: datetime


class DestinationServed(Fact, frozen=True, tag="supplier.destination_served"):
    """It ships there after all; what was refused within takes no effect any more."""

    supplier_id: str
    served: RefusedDestination
    at: datetime


# --- state ----------------------------------------------------------------------------------------

Refused = Mapping[str, tuple[RefusedDestination, ...]]
"""By their SKU, those of all SKUs under the empty one: none of a thousand SKUs looks at all others."""


def evolve(refused: Refused, fact: DestinationRefused | DestinationServed) -> Refused:
    if isinstance(fact, DestinationServed):
        return _without(refused, fact.served)
    place, left = fact.refused, _without(refused, fact.refused)
    return {**left, place.sku: (*left.get(place.sku, ()), place)}


def _without(refused: Refused, place: RefusedDestination) -> Refused:
    """Without those that a place includes."""
    about = {place.sku: refused.get(place.sku, ())} if place.sku else refused
    left = {sku: tuple(each for each in places if not place.includes(each)) for sku, places in about.items()}
    after = {**refused, **left}
    for sku, places in left.items():
        if not places:
            del after[sku]
    return after


def serves(refused: Refused, destination: Destination, sku: str) -> bool:
    return not _is_known(refused, RefusedDestination(destination.country, destination.region, sku))


def _is_known(refused: Refused, place: RefusedDestination) -> bool:
    return any(each.includes(place) for sku in {"", place.sku} for each in refused.get(sku, ()))


# --- decisions ------------------------------------------------------------------------------------


def refuse(
    refused: Refused, supplier_id: str, place: RefusedDestination, because: Told, at: datetime
) -> list[DestinationRefused]:
    """It does not ship there. What is known records nothing."""
    return [] if _is_known(refused, place) else [DestinationRefused(supplier_id, place, because, at)]


def serve(refused: Refused, supplier_id: str, place: RefusedDestination, at: datetime) -> list[DestinationServed]:
    """It ships there after all. What was not refused records nothing."""
    known = any(place.includes(each) for places in refused.values() for each in places)
    return [DestinationServed(supplier_id, place, at)] if known else []
