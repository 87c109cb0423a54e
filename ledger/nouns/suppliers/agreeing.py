"""Terms are agreed, changed and ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from msgspec.structs import replace

from ledger.nouns.suppliers.agreement import AGREEMENT_TERMS, Agreement
from ledger.nouns.suppliers.facts import SupplierFact, TermsAgreed
from ledger.nouns.suppliers.refusals import WrongStanding
from ledger.nouns.suppliers.state import Standing, Supplier
from ledger.refusals import require_seen
from ledger.terms.calendars import WorkingTerms


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
