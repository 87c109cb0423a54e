"""Suppliers: who they are, whether they may be used, and what was agreed with them (DOMAIN 2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, assert_never

from msgspec.structs import replace

from ledger.facts import Fact, Sealed, Told, Value, may_be_same
from ledger.nouns import destinations, offers, reviews
from ledger.nouns.destinations import DestinationRefused, DestinationServed, RefusedDestination
from ledger.nouns.offers import Offer, Offers, OfferWithdrawn, SkuOffered
from ledger.nouns.policies import Policy
from ledger.nouns.reviews import (
    ProposalState,
    RateRecovered,
    Reviews,
    SupplierReviewed,
    SuspensionDismissed,
    SuspensionProposed,
)
from ledger.refusals import AlreadyExists, Forbidden, NotFound, require_seen, sentence_only
from ledger.terms.calendars import PeakPeriod, WorkingTerms, due_after
from ledger.terms.money import Money
from ledger.terms.places import Destination
from ledger.terms.rates import Rate, RateName
from ledger.terms.shipping import Priority
from ledger.view import View, noun


def stream(supplier_id: str) -> str:
    return f"supplier-{supplier_id}"


def find(view: View, supplier_id: str) -> Supplier | None:
    found: Supplier | None = view.state(stream(supplier_id))
    return found


# --- facts ----------------------------------------------------------------------------------------


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
        named = {name: value for name in _PLAIN if (value := getattr(self, name)) is not None}
        return named | {name: getattr(self, name) for name in self.digests}

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(f"newer news of {name.replace('_', ' ')} is known, which stays" for name in self.outdated)


_PLAIN = ("name", "country", "return_freight_paid_by_supplier", "packing", "warehouses")
_SEALED = ("contact", "return_address")


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


class CompensationTerms(Value, frozen=True):
    """What a late dispatch costs the supplier."""

    basis_points: int
    """Hundredths of a percent of the net line amount, at least 1."""
    effective_from: datetime
    """Of the agreement with these terms."""
    cap: Money | None = None


_EXPRESS_DISPATCH = "express_dispatch_within"
AGREEMENT_TERMS = (
    "acknowledge_within",
    "dispatch_within",
    _EXPRESS_DISPATCH,
    "first_scan_within",
    "answer_within",
    "feed_interval",
    "cancel_answer_within",
    "resolve_within",
)
"""What can be agreed in working time instead of hours."""


class Agreement(Value, frozen=True):
    """Agreed terms. A clock that is None was not agreed and does not run."""

    effective_from: datetime
    effective_until: datetime | None = None
    acknowledge_within_hours: int | None = None
    dispatch_within_hours: int | None = None
    express_dispatch_within_hours: int | None = None
    first_scan_within_hours: int | None = None
    answer_within_hours: int | None = None
    compensation_basis_points: int = 0
    compensation_cap: Money | None = None
    feed_interval_hours: int | None = None
    peaks: tuple[PeakPeriod, ...] = ()
    acknowledgement_target_basis_points: int | None = None
    """The share of supplier orders to be acknowledged in time; None means as the retailer's policy says."""
    response_target_basis_points: int | None = None
    """The share of messages to be answered in time; None means as the retailer's policy says."""
    working: WorkingTerms | None = None
    """Its calendar, and those of its terms that are counted by it instead of in hours."""
    cancel_answer_within_hours: int | None = None
    """How soon it answers a request to cancel."""
    resolve_within_hours: int | None = None
    """How soon a case is resolved that was ruled to be its to bear."""
    resolution_target_basis_points: int | None = None
    """The share of such cases to be resolved in time; None means that none is agreed."""

    def holds_at(self, at: datetime) -> bool:
        return self.effective_from <= at and (self.effective_until is None or at < self.effective_until)

    def acknowledge_by(self, at: datetime) -> datetime | None:
        return self._due(at, self.acknowledge_within_hours, "acknowledge_within")

    def dispatch_by(self, at: datetime, priority: Priority) -> datetime | None:
        if self.dispatch_term(priority) == _EXPRESS_DISPATCH:
            return self._due(at, self.express_dispatch_within_hours, _EXPRESS_DISPATCH)
        return self._due(at, self.dispatch_within_hours, "dispatch_within")

    def dispatch_term(self, priority: Priority) -> str:
        """The term that dispatching goes by: express orders have one of their own, if one is agreed."""
        counted = self.working.terms if self.working is not None else ()
        own = self.express_dispatch_within_hours is not None or _EXPRESS_DISPATCH in counted
        return _EXPRESS_DISPATCH if own and priority is Priority.EXPRESS else "dispatch_within"

    def feed_by(self, counted_at: datetime) -> datetime | None:
        """When a feed that was counted then is too old."""
        return self._due(counted_at, self.feed_interval_hours, "feed_interval")

    def answer_by(self, at: datetime) -> datetime | None:
        return self._due(at, self.answer_within_hours, "answer_within")

    def resolve_by(self, at: datetime) -> datetime | None:
        """When a case is to be resolved that is ruled then."""
        return self._due(at, self.resolve_within_hours, "resolve_within")

    @property
    def time_zone(self) -> str:
        """Of its calendar; empty where none is agreed."""
        return self.working.calendar.time_zone if self.working is not None else ""

    def _due(self, at: datetime, hours: int | None, term: str) -> datetime | None:
        return due_after(at, hours, self.peaks, self.working, term)

    @property
    def compensation(self) -> CompensationTerms | None:
        """What a late dispatch costs; None where nothing was agreed."""
        if not self.compensation_basis_points:
            return None
        return CompensationTerms(self.compensation_basis_points, self.effective_from, self.compensation_cap)


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

# --- state ----------------------------------------------------------------------------------------


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
    refused: tuple[RefusedDestination, ...] = ()
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
    digests = {name: _ERASED for name in _SEALED if getattr(before.master, name) is not None}
    return replace(before, master=replace(before.master, digests={**before.master.digests, **digests}))


# --- refusals -------------------------------------------------------------------------------------


class UnknownSupplier(NotFound, reason="UNKNOWN_SUPPLIER"):
    says = "supplier {supplier_id} is not registered; use SupplierService.RegisterSupplier"
    supplier_id: str


class SupplierRegisteredDifferently(AlreadyExists, reason="SUPPLIER_REGISTERED_DIFFERENTLY"):
    says = "supplier {supplier_id} is registered already with other content, which stays as it is"
    supplier_id: str


class UnknownWarehouse(NotFound, reason="UNKNOWN_WAREHOUSE"):
    says = "supplier {supplier_id} has no warehouse {warehouse}; use SupplierService.UpdateSupplier"
    supplier_id: str
    warehouse: str


class SampleMissing(Forbidden, reason="SAMPLE_MISSING"):
    says = "supplier {supplier_id} cannot be approved before a sample matched in material, packaging and manual"
    supplier_id: str


class TermsMissing(Forbidden, reason="TERMS_MISSING"):
    says = "supplier {supplier_id} cannot be approved before terms are agreed"
    supplier_id: str


class WrongStanding(Forbidden, reason="WRONG_STANDING"):
    says = "supplier {supplier_id} is {standing} and cannot be {wanted}"
    supplier_id: str
    standing: Standing
    wanted: str = sentence_only()


class SupplierNotApproved(Forbidden, reason="SUPPLIER_NOT_APPROVED"):
    says = "supplier {supplier_id} is {standing}, not approved; nothing can be assigned to it"
    supplier_id: str
    standing: str


# --- decisions ------------------------------------------------------------------------------------

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
    nothing = {name: "" for name in _SEALED if getattr(present, name) is None}
    known = {name: getattr(present, name) for name in _PLAIN} | nothing | present.digests
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


def agree_terms(
    supplier: Supplier, agreement: Agreement, at: datetime, seen: int | None = None
) -> Sequence[SupplierFact]:
    """Terms from a date on. The same agreement again records nothing.

    seen is how many agreements there were when it was drawn up; None skips that check.
    """
    if supplier.standing is Standing.RETIRED:
        raise WrongStanding(supplier.supplier_id, supplier.standing, "given terms")
    if agreement == next((a for a in supplier.agreements if a.effective_from == agreement.effective_from), None):
        return []
    require_seen(f"what was agreed with {supplier.supplier_id}", seen, len(supplier.agreements))
    return [TermsAgreed(supplier.supplier_id, agreement, at)]


def change_terms(
    supplier: Supplier, named: Agreement, ends: Collection[str], at: datetime, seen: int | None = None
) -> Sequence[SupplierFact]:
    """Terms from a date on as they were, but for those that are named or end. What changes nothing records nothing."""
    before = supplier.agreement_at(named.effective_from)
    if before is None:
        return agree_terms(supplier, named, at, seen)
    after = _with_named(before, named, ends)
    ended = tuple(name for name in ENDING_TERMS if name in ends and _is_agreed(before, name))
    facts = agree_terms(supplier, after, at, seen)
    return [replace(fact, ended=ended) if isinstance(fact, TermsAgreed) else fact for fact in facts]


_FIELDS = {
    "compensation": "compensation_basis_points",
    "compensation_cap": "compensation_cap",
    "acknowledgement_target": "acknowledgement_target_basis_points",
    "response_target": "response_target_basis_points",
    "resolution_target": "resolution_target_basis_points",
    "peaks": "peaks",
} | {name: f"{name}_hours" for name in AGREEMENT_TERMS}
ENDING_TERMS = (*_FIELDS, "calendar")
"""What can be agreed no more, by the names that they have in a request."""


def _is_agreed(agreement: Agreement, name: str) -> bool:
    working = agreement.working
    if name == "calendar":
        return working is not None
    return bool(getattr(agreement, _FIELDS[name])) or (working is not None and name in working.terms)


def _with_named(before: Agreement, named: Agreement, ends: Collection[str]) -> Agreement:
    """A term is in hours or in working time: naming it in one of them ends it in the other."""
    stay = [name for name in _FIELDS if name not in ends and not _is_agreed(named, name)]
    kept = {_FIELDS[name]: getattr(before, _FIELDS[name]) for name in stay}
    if "peaks" not in ends and named.peaks:
        begun = {peak.since for peak in named.peaks}
        kept["peaks"] = (*(peak for peak in before.peaks if peak.since not in begun), *named.peaks)
    working, old = named.working, None if "calendar" in ends else before.working
    if old is not None:
        terms = {name: time for name, time in old.terms.items() if name in stay}
        calendar, own = (working.calendar, working.terms) if working is not None else (old.calendar, {})
        working = WorkingTerms(calendar, {**terms, **own})
    return replace(named, **kept, working=working)


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
