"""Which suppliers are there, whose review is due, what does it see, which rates crossed their targets?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from ledger.nouns import suppliers
from ledger.nouns.reviews import Proposal, ProposalState, Seen, Verdict
from ledger.nouns.suppliers import Standing
from ledger.terms.rates import Rate, RateStatus
from projections.machine.changes import Listed, ListedStreams
from projections.machine.reads import FIRST, Answer, PageOf, Where, snapshot
from projections.supplier_performance.projection import SUPPLIER_PERFORMANCE
from projections.supplier_performance.scorecards import RateColumn, ranking, scorecards_of
from projections.supplier_performance.targets import policies_agreed
from projections.supplier_performance.windows import Window


async def see(where: Where, supplier_id: str, since: datetime | None, until: datetime | None, now: datetime) -> Seen:
    """The rates of a supplier in a period, by default as long as the time between two reviews."""
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        end = until or now
        begin = since or end - timedelta(days=(await policies_agreed(at)).in_force(now).review_every_days)
        (card,) = await scorecards_of(at, [supplier_id], Window(now, begin, end))
        return Seen(begin, end, at.position, card.rates)


class Crossing(NamedTuple):
    """Rates of a supplier that miss their targets and are not proposed, or recovered and are."""

    supplier_id: str
    rates: tuple[Rate, ...]


class ReviewDue(NamedTuple):
    """A supplier in use and when its next review is due."""

    supplier_id: str
    due: datetime
    reviewed_at: datetime | None
    score_basis_points: int | None
    verdict: Verdict | None


class ListedSupplier(NamedTuple):
    """A supplier that was registered, and how it stands."""

    supplier_id: str
    standing: Standing
    due: datetime | None
    """When its next review is; None for one that is not in use."""
    reviewed_at: datetime | None
    score_basis_points: int | None
    verdict: Verdict | None
    open_proposals: int
    name: str


class Proposed(NamedTuple):
    """A proposal to suspend a supplier."""

    supplier_id: str
    proposal: Proposal


_WATCHED = "SELECT supplier_id, standing FROM {performance_standings} WHERE standing = ANY(%(standings)s)"
_CROSSED = "SELECT supplier_id, rate FROM {performance_proposals}"
_REVIEWS_DUE = """
    SELECT supplier_id, review_from + %(every)s AS due, reviewed_at, score_basis_points, verdict
    FROM {performance_standings}
    WHERE standing = ANY(%(standings)s) AND review_from < %(until)s - %(every)s
        AND (review_from + %(every)s, supplier_id) > (%(after_due)s, %(after_id)s)
    ORDER BY review_from, supplier_id LIMIT %(limit)s
"""
_LISTED = """
    SELECT supplier_id, standing, CASE WHEN standing = ANY(%(in_use)s) THEN review_from + %(every)s END AS due,
        reviewed_at, score_basis_points, verdict,
        (SELECT count(*) FROM {performance_proposals} AS p
            WHERE p.supplier_id = s.supplier_id AND p.state = 'open') AS open_proposals,
        name
    FROM {performance_standings} AS s
    WHERE standing = ANY(%(standings)s) AND supplier_id > %(after)s AND {changed}
    ORDER BY supplier_id LIMIT %(limit)s
"""
_PROPOSALS = """
    SELECT supplier_id, state, proposed_at, seen, rate FROM {performance_proposals}
    WHERE (%(supplier_id)s = '' OR supplier_id = %(supplier_id)s) AND (%(state)s = '' OR state = %(state)s)
        AND (proposed_at, supplier_id, rate) > (%(after_at)s, %(after_id)s, %(after_rate)s) AND {changed}
    ORDER BY proposed_at, supplier_id, rate LIMIT %(limit)s
"""
_IN_USE = [Standing.APPROVED.value, Standing.SUSPENDED.value]


async def crossings(where: Where, now: datetime) -> Answer[Crossing]:
    """Crossings in the usual windows up to now that are not recorded yet."""
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        ranked = await ranking(at, Window(now))
        least = (await policies_agreed(at)).in_force(now).suspension_least_cases
        standings = dict(await at.rows(_WATCHED, {"standings": _IN_USE}))
        crossed = {(supplier_id, name) for supplier_id, name in await at.rows(_CROSSED, {})}
    found: dict[str, list[Rate]] = {}
    for column in ranked.columns:
        for index in _crossed(column, ranked.supplier_ids, crossed, least):
            supplier_id, below = ranked.supplier_ids[index], column.statuses[index] is RateStatus.BREACH
            if standings.get(supplier_id) in (_IN_USE if not below else (Standing.APPROVED,)):
                found.setdefault(supplier_id, []).append(column.rate(index))
    return Answer([Crossing(supplier_id, tuple(rates)) for supplier_id, rates in found.items()], ranked.position)


def _crossed(
    column: RateColumn, supplier_ids: Sequence[str], crossed: set[tuple[str, str]], least: int
) -> Iterator[int]:
    """Where a rate over enough cases misses its target and is not proposed, or is proposed and keeps it."""
    proposed = {supplier_id for supplier_id, name in crossed if name == column.name}
    cases = zip(column.denominators, column.statuses, supplier_ids, strict=True)
    for index, (of, found, supplier_id) in enumerate(cases):
        if of >= least and (found is RateStatus.BREACH) != (supplier_id in proposed):
            yield index


async def list_reviews_due(where: Where, page: PageOf, until: datetime, now: datetime) -> Answer[ReviewDue]:
    """Suppliers whose next review is due before an instant, the longest overdue first."""
    after_due, after_id = page.after(tuple[datetime, str]) or (FIRST, "")
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        every = timedelta(days=(await policies_agreed(at)).in_force(now).review_every_days)
        parameters = {
            "standings": _IN_USE,
            "every": every,
            "until": until,
            "after_due": after_due,
            "after_id": after_id,
            "limit": page.limit,
        }
        found = [
            ReviewDue(supplier_id, due, reviewed_at, score, Verdict(verdict) if verdict else None)
            for supplier_id, due, reviewed_at, score, verdict in await at.rows(_REVIEWS_DUE, parameters)
        ]
        rows, token = page.cut(found, [(each.due, each.supplier_id) for each in found])
        return Answer(rows, at.position, token)


_SUPPLIERS = Listed(
    query=_LISTED,
    make=ListedSupplier,
    key=lambda row: row.supplier_id,
    subject=ListedStreams(suppliers.NOUN, ("supplier_id",)),
    of=lambda row: row.supplier_id,
)


async def list_suppliers(
    where: Where, page: PageOf, standings: Sequence[Standing], now: datetime
) -> Answer[ListedSupplier]:
    """Suppliers of these standings, or all, by their ids."""
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        parameters = {
            "standings": [each.value for each in standings or Standing],
            "in_use": _IN_USE,
            "every": timedelta(days=(await policies_agreed(at)).in_force(now).review_every_days),
            "after": page.after(str) or "",
            "limit": page.limit,
        }
        return await _SUPPLIERS.page(at, page, parameters)


async def list_proposals(
    where: Where, page: PageOf, supplier_id: str = "", state: ProposalState | None = None
) -> Answer[Proposed]:
    """Proposals to suspend a supplier whose rates have not recovered, the oldest first."""
    after_at, after_id, after_rate = page.after(tuple[datetime, str, str]) or (FIRST, "", "")
    parameters: dict[str, Any] = {
        "supplier_id": supplier_id,
        "state": state.value if state else "",
        "after_at": after_at,
        "after_id": after_id,
        "after_rate": after_rate,
        "limit": page.limit,
    }
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        return await _PROPOSED.page(at, page, parameters)


def _proposed(supplier_id: str, state: str, proposed_at: datetime, seen: bytes, **_: str) -> Proposed:
    return Proposed(supplier_id, Proposal(msgspec.json.decode(seen, type=Rate), proposed_at, ProposalState(state)))


_PROPOSED = Listed(
    query=_PROPOSALS,
    make=_proposed,
    key=lambda row: (row.proposal.proposed_at, row.supplier_id, row.proposal.rate.name),
    subject=ListedStreams(suppliers.NOUN, ("supplier_id",)),
    of=lambda row: row.supplier_id,
)
