"""What each fact makes of a supplier."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from ledger.nouns import destinations, offers, reviews
from ledger.nouns.destinations import DestinationRefused, DestinationServed
from ledger.nouns.offers import OfferWithdrawn, SkuOffered
from ledger.nouns.reviews import RateRecovered, SupplierReviewed, SuspensionDismissed, SuspensionProposed
from ledger.nouns.suppliers.facts import (
    SEALED,
    ContactErased,
    SampleReviewed,
    SupplierApproved,
    SupplierFact,
    SupplierRegistered,
    SupplierReinstated,
    SupplierRetired,
    SupplierSuspended,
    SupplierUpdated,
    TermsAgreed,
)
from ledger.nouns.suppliers.state import Standing, Supplier, Updates
from ledger.view import noun


def evolve(supplier: Supplier | None, fact: SupplierFact) -> Supplier:
    if isinstance(fact, SupplierRegistered):
        return Supplier(fact)
    assert supplier is not None, "the first fact of a supplier is its registration"
    match fact:
        case SupplierUpdated():
            return replace(supplier, updates=_updated(supplier, fact))
        case SampleReviewed():
            standing = Standing.SAMPLING if supplier.standing is Standing.CANDIDATE else supplier.standing
            return replace(supplier, sample_passed=fact.passed, standing=standing)
        case TermsAgreed(agreement=agreement):
            agreements = sorted((agreement, *supplier.agreements), key=lambda a: a.effective_from, reverse=True)
            return replace(supplier, agreements=tuple(agreements))
        case SkuOffered() | OfferWithdrawn():
            return replace(supplier, offers=offers.evolve(supplier.offers, fact))
        case DestinationRefused() | DestinationServed():
            return replace(supplier, refused=destinations.evolve(supplier.refused, fact))
        case SupplierApproved(at=at):
            return replace(supplier, standing=Standing.APPROVED, approved_at=at)
        case SupplierReinstated():
            return replace(supplier, standing=Standing.APPROVED)
        case SupplierSuspended():
            return replace(supplier, standing=Standing.SUSPENDED, reviews=supplier.reviews.suspended())
        case SupplierRetired(at=at):
            return replace(supplier, standing=Standing.RETIRED, retired_at=at)
        case SupplierReviewed(score_basis_points=score):
            return replace(supplier, score_basis_points=score, reviews=reviews.evolve(supplier.reviews, fact))
        case SuspensionProposed() | RateRecovered() | SuspensionDismissed():
            return replace(supplier, reviews=reviews.evolve(supplier.reviews, fact))
        case ContactErased(at=at):
            return replace(supplier, contact_erased_at=at, updates=_erased(supplier))
        case _:
            assert_never(fact)


NOUN = noun("supplier", SupplierFact, evolve, kept_as=Supplier)


def _updated(supplier: Supplier, fact: SupplierUpdated) -> Updates:
    before = supplier.updates or Updates(supplier.registered)
    news = {name: value for name, value in fact.named.items() if name not in fact.outdated}
    digests = {**before.master.digests, **{name: fact.digests[name] for name in fact.digests if name in news}}
    master = replace(before.master, **news, digests=digests)
    return Updates(master, {**before.as_of, **dict.fromkeys(news, fact.at)})


_ERASED = "erased"
"""The digest of what was erased: like no other, so that a right guess is news as a wrong one is."""


def _erased(supplier: Supplier) -> Updates:
    before = supplier.updates or Updates(supplier.registered)
    digests = {name: _ERASED for name in SEALED if getattr(before.master, name) is not None}
    return replace(before, master=replace(before.master, digests={**before.master.digests, **digests}))
