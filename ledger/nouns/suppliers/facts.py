"""Facts of suppliers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ledger.facts import Fact, Sealed, Told, Value
from ledger.nouns.destinations import DestinationRefused, DestinationServed
from ledger.nouns.offers import OfferWithdrawn, SkuOffered
from ledger.nouns.reviews import RateRecovered, SupplierReviewed, SuspensionDismissed, SuspensionProposed
from ledger.nouns.suppliers.agreement import Agreement


class Warehouse(Value, frozen=True):
    """A house that the supplier sends from."""

    code: str
    """Its name among the supplier's warehouses, by which offers name it."""
    country: str
    region: str = ""
    time_zone: str = ""
    """An IANA name such as ``Asia/Shanghai``."""


class SupplierRegistered(Fact, frozen=True, tag="supplier.registered"):
    """A supplier became known, as a candidate."""

    supplier_id: str
    name: str
    at: datetime
    country: str = ""
    contact: Sealed | None = None
    return_address: Sealed | None = None
    return_freight_paid_by_supplier: bool = False
    packing: tuple[str, ...] = ()
    """What it can pack with, such as ``logo_label`` and ``brand_card``."""
    intake: str = ""
    """Keyed hash of contact and return address as they were sent: recognises others without their content."""
    warehouses: tuple[Warehouse, ...] = ()
    digests: dict[str, str] = {}
    """The same of each of them; empty in facts of before."""


class SupplierUpdated(Fact, frozen=True, tag="supplier.updated"):
    """Master data changed or was put right; what is None stays as it was."""

    supplier_id: str
    at: datetime
    name: str | None = None
    country: str | None = None
    contact: Sealed | None = None
    return_address: Sealed | None = None
    digests: dict[str, str] = {}
    """Keyed hashes of contact and return address, where they are named; empty of one that is nothing any more."""
    return_freight_paid_by_supplier: bool | None = None
    packing: tuple[str, ...] | None = None
    warehouses: tuple[Warehouse, ...] | None = None
    outdated: tuple[str, ...] = ()
    """Fields of which newer news was known already: they are recorded and move nothing."""

    @property
    def named(self) -> dict[str, Any]:
        """What it says, by field."""
        named = {name: value for name in PLAIN if (value := getattr(self, name)) is not None}
        return named | {name: getattr(self, name) for name in self.digests}

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(f"newer news of {name.replace('_', ' ')} is known, which stays" for name in self.outdated)


PLAIN = ("name", "country", "return_freight_paid_by_supplier", "packing", "warehouses")
SEALED = ("contact", "return_address")


class SampleReviewed(Fact, frozen=True, tag="supplier.sample_reviewed"):
    """A sample was compared with the description in three respects."""

    supplier_id: str
    material_matches: bool
    packaging_matches: bool
    manual_matches: bool
    at: datetime

    @property
    def passed(self) -> bool:
        return self.material_matches and self.packaging_matches and self.manual_matches


class TermsAgreed(Fact, frozen=True, tag="supplier.terms_agreed"):
    """An agreement was signed; it holds from its own date on."""

    supplier_id: str
    agreement: Agreement
    at: datetime
    ended: tuple[str, ...] = ()
    """Terms that were agreed before and are no more."""

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(f"{name.replace('_', ' ')} is agreed no more" for name in self.ended)


class SupplierApproved(Fact, frozen=True, tag="supplier.approved"):
    """It may be sent orders from now on."""

    supplier_id: str
    at: datetime


class SupplierSuspended(Fact, frozen=True, tag="supplier.suspended"):
    """No new assignments; running ones go on."""

    supplier_id: str
    because: Told
    at: datetime


class SupplierReinstated(Fact, frozen=True, tag="supplier.reinstated"):
    """A suspended supplier may be sent orders again."""

    supplier_id: str
    at: datetime


class SupplierRetired(Fact, frozen=True, tag="supplier.retired"):
    """It is not used any more, for good."""

    supplier_id: str
    because: Told
    at: datetime


class ContactErased(Fact, frozen=True, tag="supplier.contact_erased"):
    """The keys of its contact, its return address and of what was written about it until then are destroyed."""

    supplier_id: str
    by: str
    at: datetime


SupplierFact = (
    SupplierRegistered
    | SupplierUpdated
    | SampleReviewed
    | TermsAgreed
    | SupplierApproved
    | SkuOffered
    | OfferWithdrawn
    | DestinationRefused
    | DestinationServed
    | SupplierSuspended
    | SupplierReinstated
    | SupplierRetired
    | SupplierReviewed
    | SuspensionProposed
    | RateRecovered
    | SuspensionDismissed
    | ContactErased
)
