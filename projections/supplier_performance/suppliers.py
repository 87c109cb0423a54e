"""Which suppliers there are, and how each stands: reviews, proposals to suspend, agreed targets."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec

from ledger.nouns.reviews import ProposalState, Verdict
from ledger.nouns.suppliers import Standing, Supplier
from ledger.terms.rates import RateName
from projections.machine.rows import Int4, Text
from projections.machine.tables import table


class SupplierRow(NamedTuple):
    """A supplier that is registered or was given anything to send."""

    supplier_id: str


class StandingRow(NamedTuple):
    """How a supplier stands."""

    supplier_id: str
    standing: Standing
    review_from: datetime | None
    """Its last review or else its approval: from then the next one is awaited."""
    reviewed_at: datetime | None
    score_basis_points: Int4 | None
    verdict: Verdict | None
    """Of the last review."""
    name: Text


class ProposalRow(NamedTuple):
    """A proposal to suspend a supplier."""

    supplier_id: str
    rate: RateName
    state: ProposalState
    proposed_at: datetime
    seen: bytes
    """The figures that it was proposed for, as in the fact."""


class AgreementRow(NamedTuple):
    """The targets of an agreement, in basis points; None where the retailer's policy applies."""

    supplier_id: str
    effective_from: datetime
    effective_until: datetime | None
    acknowledgement_target: Int4 | None
    response_target: Int4 | None
    resolution_target: Int4 | None


SUPPLIERS = table("performance_suppliers", SupplierRow, 1)
STANDINGS = table("performance_standings", StandingRow, 1, "(review_from)")
PROPOSALS = table("performance_proposals", ProposalRow, 2, "(proposed_at, supplier_id, rate)")
AGREEMENTS = table("performance_agreements", AgreementRow, 2)


def standing(supplier: Supplier) -> list[StandingRow]:
    last = supplier.reviews.last
    row = StandingRow(
        supplier_id=supplier.supplier_id,
        standing=supplier.standing,
        review_from=last.at if last else supplier.approved_at,
        reviewed_at=last.at if last else None,
        score_basis_points=supplier.score_basis_points,
        verdict=last.verdict if last else None,
        name=supplier.master.name,
    )
    return [row]


def proposals(supplier: Supplier) -> list[ProposalRow]:
    return [
        ProposalRow(supplier.supplier_id, name, each.state, each.proposed_at, msgspec.json.encode(each.rate))
        for name, each in supplier.reviews.proposals.items()
    ]


def agreements(supplier: Supplier) -> list[AgreementRow]:
    """The agreed targets, if there are any; of two agreements from the same day, the later one counts."""
    rows = {
        each.effective_from: AgreementRow(
            supplier.supplier_id,
            each.effective_from,
            each.effective_until,
            each.acknowledgement_target_basis_points,
            each.response_target_basis_points,
            each.resolution_target_basis_points,
        )
        for each in reversed(supplier.agreements)
    }
    return list(rows.values()) if any(any(target is not None for target in row[3:]) for row in rows.values()) else []
