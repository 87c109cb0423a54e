"""What are the rates of DOMAIN 7 of each supplier and of all together?

A rate is {numerator, denominator, window, target, status}; the window is [since, until), and what is due
after ``now`` does not count yet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.terms.rates import Rate, RateName, RateStatus, is_at_most, statuses
from projections.machine.reads import Answer, Extent, PageOf, Snapshot, Where, snapshot
from projections.supplier_performance.counts import onwards
from projections.supplier_performance.projection import SUPPLIER_PERFORMANCE
from projections.supplier_performance.targets import AGREED_RATES, TargetsInForce, terms_of
from projections.supplier_performance.windows import Sums, Window, add_rows, extent_of, sums_of, usual_until


class Scorecard(NamedTuple):
    """The rates of a supplier; of all together where supplier_id is empty."""

    supplier_id: str
    rates: tuple[Rate, ...]


_SUPPLIERS = """
    SELECT supplier_id FROM {performance_suppliers} WHERE supplier_id > %(after)s ORDER BY supplier_id LIMIT %(limit)s
"""


async def scorecards_of(at: Snapshot, supplier_ids: Sequence[str], window: Window) -> list[Scorecard]:
    """The scorecards of these suppliers; "" is all together."""
    sums = await sums_of(at, supplier_ids, window)
    targets = (await terms_of(at, supplier_ids)).at(window.ends)
    windows = {name: window.of(name) for name in RateName}

    def rate(supplier_id: str, name: RateName) -> Rate:
        numerator, denominator = sums[supplier_id, name]
        since, until = windows[name]
        return Rate(name, numerator, denominator, since, until, targets.of(supplier_id, name))

    return [Scorecard(each, tuple(rate(each, name) for name in RateName)) for each in supplier_ids]


async def get_rates(where: Where, supplier_id: str, window: Window) -> Answer[Scorecard]:
    """The rates of one supplier, or of all together if none is named."""
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        cards = await scorecards_of(at, [supplier_id], window)
        extent = None if _has_data(cards) else await extent_of(at, supplier_id, RateName, window.now)
        return Answer(cards, at.position, extent=extent)


def _has_data(cards: Iterable[Scorecard]) -> bool:
    return any(rate.denominator for card in cards for rate in card.rates)


async def list_rates(where: Where, page: PageOf, window: Window) -> Answer[Scorecard]:
    """The rates of every supplier that is registered or was given anything to send, by id."""
    parameters = {"after": page.after(str) or "", "limit": page.limit}
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        found = [row[0] for row in await at.rows(_SUPPLIERS, parameters)]
        supplier_ids, token = page.cut(found, found)
        cards = await scorecards_of(at, supplier_ids, window) if supplier_ids else []
        lacking = not (token or page.token or _has_data(cards))
        return Answer(cards, at.position, token, await extent_of(at, "", RateName, window.now) if lacking else None)


_EVERY_USUAL = "SELECT * FROM {performance_usual} WHERE supplier_id <> ''"
_EVERY = "SELECT supplier_id FROM {performance_suppliers} ORDER BY supplier_id"


class RateColumn(NamedTuple):
    """One rate of many suppliers; the entries stand in the order of the ranking's suppliers."""

    name: RateName
    since: datetime
    until: datetime
    numerators: list[int]
    denominators: list[int]
    targets: list[int | None]
    statuses: list[RateStatus]

    def rate(self, index: int) -> Rate:
        return Rate(
            self.name, self.numerators[index], self.denominators[index], self.since, self.until, self.targets[index]
        )


class Ranking(NamedTuple):
    """All rates of all suppliers, column by column: ten thousand suppliers are too many for an object a rate."""

    supplier_ids: list[str]
    columns: tuple[RateColumn, ...]
    position: int
    extent: Extent | None = None
    """Where there is something of what is ranked by, if that has nothing in its window."""


async def rank(where: Where, window: Window, by: RateName | None = None) -> Ranking:
    """Every supplier and its rates; the worst first by a rate, those without data last, else by id."""
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        ranked = await ranking(at, window, by)
        if any(whole for each in ranked.columns if by in (None, each.name) for whole in each.denominators):
            return ranked
        return ranked._replace(extent=await extent_of(at, "", [by] if by else RateName, window.now))


async def ranking(at: Snapshot, window: Window, by: RateName | None = None) -> Ranking:
    """As ``rank``, of a read model at one moment."""
    supplier_ids, figures = await _figures(at, window)
    if by is not None:
        order = _worst_first(by, *figures[by])
        supplier_ids = [supplier_ids[index] for index in order]
        figures = {name: (_sorted(parts[0], order), _sorted(parts[1], order)) for name, parts in figures.items()}
    targets = (await terms_of(at, None)).at(window.ends)
    columns = [_column(name, supplier_ids, *parts, window, targets) for name, parts in figures.items()]
    return Ranking(supplier_ids, tuple(columns), at.position)


_Figures = dict[RateName, tuple[list[int], list[int]]]
"""Numerators and denominators of each rate, in the order of the suppliers."""


async def _figures(at: Snapshot, window: Window) -> tuple[list[str], _Figures]:
    """Every supplier, and its figures."""
    supplier_ids = [row[0] for row in await at.rows(_EVERY, {})]
    until = await usual_until(at, window)
    if until is None:
        sums = await sums_of(at, supplier_ids, window)
        return supplier_ids, {
            name: ([sums[each, name][0] for each in supplier_ids], [sums[each, name][1] for each in supplier_ids])
            for name in RateName
        }
    known = {row[0]: row for row in await at.rows(_EVERY_USUAL, {})}
    nothing = (0,) * (1 + 2 * len(RateName))
    rows = [known.get(supplier_id, nothing) for supplier_id in supplier_ids]
    parts = [list(part) for part in zip(*rows, strict=True)][1:] or [[] for _ in nothing[1:]]
    figures = {name: (parts[2 * index], parts[2 * index + 1]) for index, name in enumerate(RateName)}
    await _catch_up(at, supplier_ids, until, window.now, figures)
    return supplier_ids, figures


async def _catch_up(
    at: Snapshot, supplier_ids: Sequence[str], until: datetime, now: datetime, figures: _Figures
) -> None:
    """Adds what passed since the sums of the usual windows end."""
    passed: Sums = defaultdict(lambda: [0, 0])
    stretches = [each for name in RateName for each in onwards(name, until, now)]
    await add_rows(at, supplier_ids, stretches, passed)
    places = {supplier_id: index for index, supplier_id in enumerate(supplier_ids)}
    for (supplier_id, name), changes in passed.items():
        if supplier_id in places:
            for part, change in zip(figures[name], changes, strict=True):
                part[places[supplier_id]] += change


def _column(
    name: RateName,
    supplier_ids: Sequence[str],
    numerators: list[int],
    denominators: list[int],
    window: Window,
    targets: TargetsInForce,
) -> RateColumn:
    wanted = [targets.policy[name]] * len(supplier_ids)
    if targets.agreed and name in AGREED_RATES:
        wanted = [targets.of(each, name) for each in supplier_ids]
    found = statuses(name, wanted, zip(numerators, denominators, strict=True))
    return RateColumn(name, *window.of(name), numerators, denominators, wanted, found)


def _sorted(part: Sequence[int], order: Iterable[int]) -> list[int]:
    return [part[index] for index in order]


def _worst_first(name: RateName, numerators: Sequence[int], denominators: Sequence[int]) -> list[int]:
    sign = -1 if is_at_most(name) else 1
    keys = [(not of, sign * part / of if of else 0.0) for part, of in zip(numerators, denominators, strict=True)]
    return sorted(range(len(keys)), key=keys.__getitem__)
