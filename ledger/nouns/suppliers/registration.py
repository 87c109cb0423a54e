"""A supplier becomes known, and its master data changes."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from ledger.facts import may_be_same
from ledger.nouns.suppliers.facts import (
    PLAIN,
    SEALED,
    SampleReviewed,
    SupplierFact,
    SupplierRegistered,
    SupplierUpdated,
)
from ledger.nouns.suppliers.refusals import SupplierRegisteredDifferently, WrongStanding
from ledger.nouns.suppliers.state import Standing, Supplier


def register(supplier: Supplier | None, registration: SupplierRegistered) -> Sequence[SupplierFact]:
    """A new candidate. The same registration again records nothing."""
    if supplier is None:
        return [registration]
    present = supplier.registered
    sealed = {name: getattr(present, name) for name in ("contact", "return_address", "intake", "digests", "at")}
    erased = supplier.contact_erased_at is not None
    if replace(registration, **sealed) != present or not _of_the_same_people(registration, present, erased):
        raise SupplierRegisteredDifferently(registration.supplier_id)
    return []


def _of_the_same_people(one: SupplierRegistered, other: SupplierRegistered, erased: bool) -> bool:
    """A registration without a hash, as older versions recorded it, only shows whether there were any."""
    if one.intake and other.intake:
        return may_be_same(one.intake, other.intake, erased)
    return [each is None for each in (one.contact, one.return_address)] == [
        each is None for each in (other.contact, other.return_address)
    ]


def update(supplier: Supplier, update: SupplierUpdated) -> Sequence[SupplierFact]:
    """Master data as it is now. Nothing new records nothing; of each field the newest news by its time counts."""
    present, as_of = supplier.master, supplier.updates.as_of if supplier.updates else {}
    nothing = {name: "" for name in SEALED if getattr(present, name) is None}
    known = {name: getattr(present, name) for name in PLAIN} | nothing | present.digests
    said = update.named | update.digests
    if all(known.get(name) == value for name, value in said.items()):
        return []
    outdated = tuple(name for name in said if name in as_of and update.at < as_of[name])
    return [replace(update, outdated=outdated)]


def review_sample(supplier: Supplier, review: SampleReviewed) -> Sequence[SupplierFact]:
    """Every review is kept; the last one counts."""
    if supplier.standing is Standing.RETIRED:
        raise WrongStanding(supplier.supplier_id, supplier.standing, "sampled")
    return [review]
