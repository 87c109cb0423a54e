"""Which supplier is to send units of a SKU, and why it and no other (DOMAIN 2).

A supplier qualifies if it is approved, offers the SKU, accepts so few units, has them (or sends no feed),
ships to where they go and did not turn them down. Among those, a known stock goes before an unknown one; then the
lower cost (where all are in one currency, with freight where that is in it too), the shorter lead time, the better
score and the order of preference decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec.structs import replace

from ledger.facts import Value
from ledger.nouns.suppliers import Standing, Supplier
from ledger.terms.money import Money


class Against(StrEnum):
    """Why a supplier does not qualify."""

    NOT_APPROVED = "not_approved"
    NOT_OFFERED = "not_offered"
    BELOW_MINIMUM = "below_minimum"
    OUT_OF_STOCK = "out_of_stock"
    TURNED_DOWN = "turned_down"
    """It rejected these units before."""
    DISCONTINUED = "discontinued"
    """It answered this order that it does not sell the SKU any more."""
    TAKEN_AWAY = "taken_away"
    """It had these units, and they were taken from it."""
    NOT_SERVED = "not_served"
    """It does not ship to where the order goes."""
    TOO_DEAR = "too_dear"
    """They cost more than any amount may be."""


class Considered(Value, frozen=True):
    """A supplier that was considered, with the figures that were looked at."""

    supplier_id: str
    against: Against | None = None
    """None if it qualifies."""
    available: int | None = None
    """Units that it could promise; None if it sends no feed of the SKU."""
    minimum_quantity: int = 1
    cost: Money | None = None
    """Of each of so many units, packing included; None if it does not offer the SKU."""
    lead_time_days: int = 0
    score_basis_points: int | None = None
    """Its last score; None before its first review."""
    freight: Money | None = None
    """What it costs to send the units from it, where that was compared."""


class Choice(Value, frozen=True):
    """The supplier that was chosen for units of a SKU, and all that were considered, the best first."""

    sku: str
    units: int
    supplier_id: str = ""
    """Empty if none qualified."""
    considered: tuple[Considered, ...] = ()
    backordered: bool = False
    """None had the units: stock was ignored, and the chosen supplier has to get them first."""
    named: bool = False
    """A person named the supplier: only its approval and its stock were looked at."""

    @property
    def lacks_stock(self) -> bool:
        """Nobody was chosen, and somebody lacks nothing but stock: more of it would serve the units."""
        return not self.supplier_id and any(each.against is Against.OUT_OF_STOCK for each in self.considered)

    @property
    def untracked(self) -> bool:
        """Whether nothing is promised, because the chosen supplier, the first one, sends no feed."""
        return bool(self.supplier_id) and self.considered[0].available is None


class Candidate(Value, frozen=True):
    """A supplier of the SKU in its present state."""

    supplier_id: str
    supplier: Supplier | None
    available: int | None
    """Units that it could promise; None if it sends no feed of the SKU."""
    against: Against | None = None
    """Why the order excludes it."""


def choose(sku: str, units: int, candidates: Iterable[Candidate], at: datetime, *, named: bool = False) -> Choice:
    """The best of the candidates by what they offer then, the earlier one among equals.

    named leaves only approval and stock to look at.
    """
    considered = [_considered(sku, units, candidate, at, named) for candidate in candidates]
    best, ordered = _best(considered, units)
    return Choice(sku, units, best, ordered, named=named)


def with_freight(choice: Choice, freights: Mapping[str, Money]) -> Choice:
    """The choice by what the units cost at their destination; freights are in the currency of the costs."""
    considered = [replace(each, freight=freights.get(each.supplier_id)) for each in choice.considered]
    best, ordered = _best(considered, choice.units)
    return replace(choice, supplier_id=best, considered=ordered)


def let_wait(choice: Choice) -> Choice:
    """The choice made again with stock ignored, for units that nobody has."""
    considered = [
        replace(each, against=None) if each.against is Against.OUT_OF_STOCK else each for each in choice.considered
    ]
    best, ordered = _best(considered, choice.units)
    return replace(choice, supplier_id=best, considered=ordered, backordered=True)


def _considered(sku: str, units: int, candidate: Candidate, at: datetime, named: bool) -> Considered:
    supplier, available = candidate.supplier, candidate.available
    offer = supplier.offer_at(sku, at) if supplier else None
    against = None if named else candidate.against
    if supplier is None or supplier.standing is not Standing.APPROVED:
        against = Against.NOT_APPROVED
    elif offer is not None and offer.too_dear(units):
        against = Against.TOO_DEAR
    elif against is None and offer is None and not named:
        against = Against.NOT_OFFERED
    elif against is None and offer is not None and units < offer.minimum_quantity and not named:
        against = Against.BELOW_MINIMUM
    elif against is None and available is not None and available < units:
        against = Against.OUT_OF_STOCK
    score = supplier.score_basis_points if supplier else None
    if offer is None:
        return Considered(candidate.supplier_id, against, available, score_basis_points=score)
    minimum, days = offer.minimum_quantity, offer.lead_time_days
    return Considered(
        supplier_id=candidate.supplier_id,
        against=against,
        available=available,
        minimum_quantity=minimum,
        cost=offer.unit_cost(units),
        lead_time_days=days,
        score_basis_points=score,
    )


def _best(considered: Sequence[Considered], units: int) -> tuple[str, tuple[Considered, ...]]:
    """Who is chosen, and all of them in order: those that qualify, the best first, then the others."""
    qualified: list[Considered] = []
    others: list[Considered] = []
    for each in considered:
        (qualified if each.against is None else others).append(each)
    if not qualified:
        return "", tuple(others)
    ranked = _ranked(qualified, units)
    return ranked[0].supplier_id, (*ranked, *others)


def _ranked(qualified: list[Considered], units: int) -> list[Considered]:
    if len(qualified) == 1:
        return qualified
    one_currency = len({each.cost.currency for each in qualified if each.cost}) == 1
    landed = one_currency and all(each.freight is not None for each in qualified)

    def rank(each: Considered) -> tuple[bool, int, int, int]:
        cost = each.cost.amount_minor if one_currency and each.cost else 0
        if landed and each.freight is not None:
            cost = units * cost + each.freight.amount_minor
        score = -1 if each.score_basis_points is None else each.score_basis_points
        return (each.available is None, cost, each.lead_time_days, -score)

    # Sorting is stable: the order of preference decides between equals.
    return sorted(qualified, key=rank)
