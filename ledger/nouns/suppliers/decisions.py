"""Whether a supplier may be used, what it offers and where it ships to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ledger.facts import Told
from ledger.nouns import destinations, offers, reviews
from ledger.nouns.destinations import RefusedDestination
from ledger.nouns.offers import Offer
from ledger.nouns.policies import Policy
from ledger.nouns.reviews import ProposalState, SuspensionProposed
from ledger.nouns.suppliers.facts import (
    SupplierApproved,
    SupplierFact,
    SupplierReinstated,
    SupplierRetired,
    SupplierSuspended,
)
from ledger.nouns.suppliers.refusals import (
    SampleMissing,
    SupplierNotApproved,
    TermsMissing,
    UnknownSupplier,
    UnknownWarehouse,
    WrongStanding,
)
from ledger.nouns.suppliers.state import Standing, Supplier
from ledger.terms.rates import Rate, RateName

_IN_USE = frozenset({Standing.APPROVED, Standing.SUSPENDED})
"""Suppliers that have, or recently had, something to send."""


def contact_kept_since(supplier: Supplier) -> datetime | None:
    """Since when the contact of a retired supplier is kept; None while it is in use, and once it was erased."""
    if supplier.retired_at is None:
        return None
    changed_at = supplier.updates.as_of.values() if supplier.updates is not None else ()
    since, erased_at = max((supplier.retired_at, *changed_at)), supplier.contact_erased_at
    return since if erased_at is None or erased_at < since else None


def known(supplier: Supplier | None, supplier_id: str) -> Supplier:
    if supplier is None:
        raise UnknownSupplier(supplier_id)
    return supplier


def approve(supplier: Supplier, at: datetime) -> Sequence[SupplierFact]:
    """Only after a sample passed and terms are agreed. Approving twice records nothing."""
    if supplier.standing is Standing.APPROVED:
        return []
    if supplier.standing in (Standing.SUSPENDED, Standing.RETIRED):
        raise WrongStanding(supplier.supplier_id, supplier.standing, "approved")
    if not supplier.sample_passed:
        raise SampleMissing(supplier.supplier_id)
    if not supplier.agreements:
        raise TermsMissing(supplier.supplier_id)
    return [SupplierApproved(supplier.supplier_id, at)]


def offer_sku(supplier: Supplier, offer: Offer, at: datetime) -> Sequence[SupplierFact]:
    """What it offers of a SKU. The same offer again records nothing."""
    if supplier.standing is Standing.RETIRED:
        raise WrongStanding(supplier.supplier_id, supplier.standing, "listed with a SKU")
    if offer.warehouse and all(each.code != offer.warehouse for each in supplier.master.warehouses):
        raise UnknownWarehouse(supplier.supplier_id, offer.warehouse)
    return offers.offer_sku(supplier.offers, supplier.supplier_id, offer, at)


def withdraw_offer(supplier: Supplier, sku: str, because: Told, at: datetime) -> Sequence[SupplierFact]:
    """It offers the SKU no more. Withdrawing twice records nothing."""
    return offers.withdraw(supplier.offers, supplier.supplier_id, sku, because, at)


def refuse_destination(
    supplier: Supplier, place: RefusedDestination, because: Told, at: datetime
) -> Sequence[SupplierFact]:
    """It does not ship there. What is known records nothing."""
    return destinations.refuse(supplier.refused, supplier.supplier_id, place, because, at)


def serve_destination(supplier: Supplier, place: RefusedDestination, at: datetime) -> Sequence[SupplierFact]:
    """It ships there after all. What was not refused records nothing."""
    return destinations.serve(supplier.refused, supplier.supplier_id, place, at)


def suspend(supplier: Supplier, because: Told, at: datetime) -> Sequence[SupplierFact]:
    """Stop new assignments. Suspending twice records nothing."""
    if supplier.standing is Standing.SUSPENDED:
        return []
    if supplier.standing is not Standing.APPROVED:
        raise WrongStanding(supplier.supplier_id, supplier.standing, "suspended")
    return [SupplierSuspended(supplier.supplier_id, because, at)]


def review(supplier: Supplier, seen: reviews.Seen, policy: Policy, at: datetime) -> Sequence[SupplierFact]:
    """Record the figures that were seen of a supplier that is in use. The same figures again record nothing."""
    if supplier.standing not in _IN_USE:
        raise WrongStanding(supplier.supplier_id, supplier.standing, "reviewed")
    found = reviews.review(supplier.reviews, supplier.supplier_id, seen, policy, at)
    if supplier.standing is Standing.SUSPENDED:
        return [fact for fact in found if not isinstance(fact, SuspensionProposed)]
    return found


def notice_rates(
    supplier: Supplier | None, rates: Sequence[Rate], policy: Policy, at: datetime
) -> Sequence[SupplierFact]:
    """Records the rates that crossed their targets, either way."""
    if supplier is None or supplier.standing not in _IN_USE:
        return []
    found = reviews.recover(supplier.reviews, supplier.supplier_id, rates, policy, at)
    if supplier.standing is Standing.SUSPENDED:
        return found
    return [*found, *reviews.propose(supplier.reviews, supplier.supplier_id, rates, policy, at)]


def accept_suspension(supplier: Supplier, name: RateName, at: datetime) -> Sequence[SupplierFact]:
    """Suspend, as was proposed for a rate, dismissed or not. Accepting twice records nothing."""
    proposal = reviews.proposal_of(supplier.reviews, supplier.supplier_id, name)
    if proposal.state is ProposalState.ACCEPTED:
        return []
    return suspend(supplier, f"{name} {proposal.rate.numerator} of {proposal.rate.denominator}", at)


def dismiss_suspension(supplier: Supplier, name: RateName, because: Told, at: datetime) -> Sequence[SupplierFact]:
    """Decide against a proposal. Dismissing twice, or after the suspension, records nothing."""
    return reviews.dismiss(supplier.reviews, supplier.supplier_id, name, because, at)


def reinstate(supplier: Supplier, at: datetime) -> Sequence[SupplierFact]:
    """Back to approved. Reinstating an approved supplier records nothing."""
    if supplier.standing is Standing.APPROVED:
        return []
    if supplier.standing is not Standing.SUSPENDED:
        raise WrongStanding(supplier.supplier_id, supplier.standing, "reinstated")
    return [SupplierReinstated(supplier.supplier_id, at)]


def retire(supplier: Supplier, because: Told, at: datetime) -> Sequence[SupplierFact]:
    """For good, from any standing. Retiring twice records nothing."""
    if supplier.standing is Standing.RETIRED:
        return []
    return [SupplierRetired(supplier.supplier_id, because, at)]


def require_approved(supplier: Supplier | None, supplier_id: str) -> Supplier:
    """The supplier, if new work may be assigned to it."""
    if known(supplier, supplier_id).standing is not Standing.APPROVED:
        raise SupplierNotApproved(supplier_id, known(supplier, supplier_id).standing)
    assert supplier is not None
    return supplier
