"""What a supplier is: whether it may be used, who it is by now, and on which terms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from ledger.facts import Value
from ledger.nouns import destinations, offers
from ledger.nouns.destinations import Refused
from ledger.nouns.offers import Offer, Offers
from ledger.nouns.reviews import Reviews
from ledger.nouns.suppliers.agreement import Agreement
from ledger.nouns.suppliers.facts import SupplierRegistered
from ledger.terms.places import Destination
from ledger.view import View


def stream(supplier_id: str) -> str:
    return f"supplier-{supplier_id}"


def find(view: View, supplier_id: str) -> Supplier | None:
    found: Supplier | None = view.state(stream(supplier_id))
    return found


class Standing(StrEnum):
    """Whether a supplier may be used: candidate -> sampling -> approved -> suspended -> retired."""

    CANDIDATE = "candidate"
    SAMPLING = "sampling"
    APPROVED = "approved"
    SUSPENDED = "suspended"
    RETIRED = "retired"


class Updates(Value, frozen=True):
    """What became of the master data since the supplier was registered."""

    master: SupplierRegistered
    """As if it had been registered like that."""
    as_of: Mapping[str, datetime] = {}
    """When the newest news was, by field."""


class Supplier(Value, frozen=True):
    """A supplier, folded from its facts."""

    registered: SupplierRegistered
    """As it came in; ``master`` has what changed since."""
    standing: Standing = Standing.CANDIDATE
    sample_passed: bool = False
    approved_at: datetime | None = None
    agreements: tuple[Agreement, ...] = ()
    """The latest effective first."""
    offers: Offers = Offers()
    score_basis_points: int | None = None
    """How well it did at its last review; None before the first."""
    reviews: Reviews = Reviews()
    updates: Updates | None = None
    refused: Refused = {}
    """Where it does not ship to."""
    contact_erased_at: datetime | None = None
    """When the person whom it names as its contact was last erased."""
    retired_at: datetime | None = None

    @property
    def supplier_id(self) -> str:
        return self.registered.supplier_id

    @property
    def master(self) -> SupplierRegistered:
        """Who it is and what it can do, as is known now."""
        return self.registered if self.updates is None else self.updates.master

    @property
    def reached_since(self) -> datetime:
        """Since when its contact is what it is now."""
        return self.updates.as_of.get("contact", self.registered.at) if self.updates else self.registered.at

    def country_of(self, warehouse: str) -> str:
        """Where a warehouse is, or the supplier if none is named; empty while nobody said."""
        return self.place_of(warehouse)[0]

    def place_of(self, warehouse: str) -> tuple[str, str]:
        """Country and region of a warehouse, or the supplier's country; empty while nobody said."""
        if not warehouse:
            return self.master.country, ""
        houses = self.master.warehouses
        return next(((each.country, each.region) for each in houses if each.code == warehouse), ("", ""))

    def offer_at(self, sku: str, at: datetime) -> Offer | None:
        """What it offers of a SKU at an instant."""
        return offers.holding(self.offers.get(sku, ()), at)

    def serves(self, destination: Destination, sku: str) -> bool:
        """Whether it ships a SKU there, as far as is known."""
        return not self.refused or destinations.serves(self.refused, destination, sku)

    def agreement_at(self, at: datetime) -> Agreement | None:
        """The agreement in force at an instant; None means that no clock and no compensation holds."""
        for agreement in self.agreements:
            if agreement.holds_at(at):
                return agreement
        return None
