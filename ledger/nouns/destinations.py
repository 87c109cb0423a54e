"""Destinations that a supplier does not ship to, as its answers or a person said (DOMAIN 2).

The facts stand in the supplier's stream.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def evolve(
    refused: tuple[RefusedDestination, ...], fact: DestinationRefused | DestinationServed
) -> tuple[RefusedDestination, ...]:
    if isinstance(fact, DestinationServed):
        return tuple(each for each in refused if not fact.served.includes(each))
    return (*(each for each in refused if not fact.refused.includes(each)), fact.refused)


def serves(refused: Sequence[RefusedDestination], destination: Destination, sku: str) -> bool:
    wanted = RefusedDestination(destination.country, destination.region, sku)
    return not any(each.includes(wanted) for each in refused)


# --- decisions ------------------------------------------------------------------------------------


def refuse(
    refused: Sequence[RefusedDestination], supplier_id: str, place: RefusedDestination, because: Told, at: datetime
) -> list[DestinationRefused]:
    """It does not ship there. What is known records nothing."""
    known = any(each.includes(place) for each in refused)
    return [] if known else [DestinationRefused(supplier_id, place, because, at)]


def serve(
    refused: Sequence[RefusedDestination], supplier_id: str, place: RefusedDestination, at: datetime
) -> list[DestinationServed]:
    """It ships there after all. What was not refused records nothing."""
    return [DestinationServed(supplier_id, place, at)] if any(place.includes(each) for each in refused) else []
