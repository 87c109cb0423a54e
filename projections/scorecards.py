"""What are the rates of DOMAIN 7 of each supplier and of all together, what is behind them, how do they move?

A rate is {numerator, denominator, window, target, status}; the window is [since, until), and what is due
after ``now`` does not count yet. Whole days are taken from sums by day and the rest of the window is
counted from rows; windows as usual, up to about now, are taken from sums of just these windows, and only
what passed since the last full hour is counted. Both ways give the same figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any, NamedTuple

from ledger.nouns import policies
from ledger.nouns.policies import Policies
from ledger.terms.rates import WINDOW_DAYS, Rate, RateName, RateStatus, is_at_most, statuses
from projections.counting import COUNTS, Stretch, Whose, count_rows, counted_in, onwards
from projections.machine.reads import FIRST, Answer, PageOf, Snapshot, Where, snapshot
from projections.supplier_performance import SUPPLIER_PERFORMANCE

_MOMENT = timedelta(microseconds=1)
_NEAR = timedelta(days=2)
"""How far from now the sums of the usual windows may end; beyond it, sums by day are the shorter way."""

_FEW = 50
"""So many suppliers are looked up one by one."""

Sums = dict[tuple[str, RateName], list[int]]
"""Numerator and denominator of each supplier and rate; "" is all together."""


class Scorecard(NamedTuple):
    """The rates of a supplier; of all together where supplier_id is empty."""

    supplier_id: str
    rates: tuple[Rate, ...]


class Window(NamedTuple):
    """What time a rate is about; without bounds it is the rate's own window up to ``now``."""

    now: datetime
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_usual(self) -> bool:
        return self.since is None and self.until is None

    def of(self, name: RateName) -> tuple[datetime, datetime]:
        until = self.until or self.now
        return self.since or until - timedelta(days=WINDOW_DAYS[name]), until

    @property
    def ends(self) -> datetime:
        """The instant whose targets count."""
        return min(self.until or self.now, self.now)

    def counted(self, name: RateName) -> tuple[datetime, datetime]:
        """The part of it whose cases are due."""
        since, until = self.of(name)
        return since, min(until, self.now + _MOMENT)


# --- counting -------------------------------------------------------------------------------------

_USUAL_UNTIL = "SELECT until FROM {performance_usual_until}"
_USUAL = "SELECT * FROM {performance_usual} WHERE supplier_id = ANY(%(supplier_ids)s)"
_DAYS = """
    SELECT d.supplier_id, wanted.rate, sum(d.numerator)::int8, sum(d.denominator)::int8
    FROM unnest(%(rates)s::text[], %(counted)s::text[], %(first)s::date[], %(after)s::date[])
            AS wanted (rate, counted, first, after)
        JOIN {performance_days} AS d
            ON d.counted = wanted.counted AND d.day >= wanted.first AND d.day < wanted.after
    WHERE d.supplier_id = ANY(%(supplier_ids)s) GROUP BY 1, 2
"""


async def _sums(at: Snapshot, supplier_ids: Sequence[str], window: Window) -> Sums:
    """What the rates of these suppliers count in their windows."""
    sums: Sums = defaultdict(lambda: [0, 0])
    until = await _usual_until(at, window)
    if until is not None:
        for supplier_id, *figures in await at.rows(_USUAL, {"supplier_ids": supplier_ids}):
            for index, name in enumerate(RateName):
                sums[supplier_id, name] = figures[2 * index : 2 * index + 2]
        stretches = [each for name in RateName for each in onwards(name, until, window.now)]
    else:
        spans = {name: window.counted(name) for name in RateName}
        await _add_days(at, supplier_ids, spans, sums)
        stretches = [Stretch(name, *edge) for name, span in spans.items() for edge in _edges(*span)]
    await _add_rows(at, supplier_ids, stretches, sums)
    return sums


async def _usual_until(at: Snapshot, window: Window) -> datetime | None:
    """Where the sums of the usual windows end, if the window is one that they serve."""
    ends = await at.rows(_USUAL_UNTIL, {}) if window.is_usual else []
    return ends[0][0] if ends and abs(window.now - ends[0][0]) <= _NEAR else None


async def _add_days(
    at: Snapshot, supplier_ids: Sequence[str], spans: Mapping[RateName, tuple[datetime, datetime]], sums: Sums
) -> None:
    """Adds the whole days of each rate's span."""
    days = {name: _whole_days(*span) for name, span in spans.items()}
    parameters = {
        "supplier_ids": supplier_ids,
        "rates": [name.value for name in days],
        "counted": [counted_in(name) for name in days],
        "first": [first for first, _ in days.values()],
        "after": [after for _, after in days.values()],
    }
    for supplier_id, name, numerator, denominator in await at.rows(_DAYS, parameters):
        sums[supplier_id, RateName(name)] = [numerator, denominator]


async def _add_rows(at: Snapshot, supplier_ids: Sequence[str], stretches: Iterable[Stretch], sums: Sums) -> None:
    named = [each for each in supplier_ids if each]
    # Many suppliers are found faster in all rows of a stretch than one by one.
    counting = count_rows(stretches, named if len(named) <= _FEW else None, whole="" in supplier_ids)
    for supplier_id, name, numerator, denominator in await at.rows(*counting) if counting else ():
        found = sums[supplier_id, RateName(name)]
        found[0] += numerator
        found[1] += denominator


def _whole_days(since: datetime, until: datetime) -> tuple[date, date]:
    """The first of the days that lie whole between two instants, and the day after the last of them."""
    since, until = since.astimezone(UTC), until.astimezone(UTC)
    first = since.date() + timedelta(days=since.time() != time.min)
    return first, max(first, until.date())


def _edges(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """What is left of a span without its whole days."""
    first, after = (_midnight(day) for day in _whole_days(since, until))
    yield since, min(first, until)
    yield max(after, first, since), until


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


# --- targets --------------------------------------------------------------------------------------

_AGREED = """
    SELECT supplier_id, effective_from, effective_until, acknowledgement_target, response_target
    FROM {performance_agreements}
    WHERE %(supplier_ids)s::text[] IS NULL OR supplier_id = ANY(%(supplier_ids)s)
    ORDER BY supplier_id, effective_from DESC
"""


class _Targets(NamedTuple):
    """The targets in force at one instant."""

    policy: Mapping[RateName, int | None]
    agreed: Mapping[str, Mapping[RateName, int]]
    """By supplier, where an agreement says otherwise."""

    def of(self, supplier_id: str, name: RateName) -> int | None:
        return self.agreed.get(supplier_id, self.policy).get(name, self.policy[name])


class _Terms(NamedTuple):
    """What the retailer agreed with itself and with suppliers of targets."""

    policies: Policies
    agreed: Mapping[str, Sequence[tuple[Any, ...]]]
    """Of each supplier whose agreements say something: from, until, the two targets, the latest first."""

    def at(self, instant: datetime) -> _Targets:
        targets = self.policies.in_force(instant).targets
        agreed = {}
        for supplier_id, rows in self.agreed.items():
            in_force = (row for row in rows if row[0] <= instant and (row[1] is None or instant < row[1]))
            _, _, *found = next(in_force, (None, None))
            agreed[supplier_id] = {
                name: target for name, target in zip(_AGREED_RATES, found, strict=False) if target is not None
            }
        return _Targets({name: targets.of(name) for name in RateName}, agreed)


_AGREED_RATES = (RateName.ACKNOWLEDGEMENT, RateName.RESPONSE)
"""The rates whose target stands in an agreement."""


async def policies_agreed(at: Snapshot) -> Policies:
    """The retailer's terms, all versions."""
    return await at.state(policies.NOUN, policies.stream()) or Policies()


async def _terms(at: Snapshot, supplier_ids: Sequence[str] | None) -> _Terms:
    agreed: dict[str, list[tuple[Any, ...]]] = {}
    for supplier_id, *terms in await at.rows(_AGREED, {"supplier_ids": supplier_ids}):
        agreed.setdefault(supplier_id, []).append(tuple(terms))
    return _Terms(await policies_agreed(at), agreed)


# --- scorecards -----------------------------------------------------------------------------------

_SUPPLIERS = """
    SELECT supplier_id FROM {performance_suppliers} WHERE supplier_id > %(after)s ORDER BY supplier_id LIMIT %(limit)s
"""


async def scorecards_of(at: Snapshot, supplier_ids: Sequence[str], window: Window) -> list[Scorecard]:
    """The scorecards of these suppliers; "" is all together."""
    sums = await _sums(at, supplier_ids, window)
    targets = (await _terms(at, supplier_ids)).at(window.ends)
    windows = {name: window.of(name) for name in RateName}

    def rate(supplier_id: str, name: RateName) -> Rate:
        numerator, denominator = sums[supplier_id, name]
        since, until = windows[name]
        return Rate(name, numerator, denominator, since, until, targets.of(supplier_id, name))

    return [Scorecard(each, tuple(rate(each, name) for name in RateName)) for each in supplier_ids]


async def get_rates(where: Where, supplier_id: str, window: Window) -> Answer[Scorecard]:
    """The rates of one supplier, or of all together if none is named."""
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        return Answer(await scorecards_of(at, [supplier_id], window), at.position)


async def list_rates(where: Where, page: PageOf, window: Window) -> Answer[Scorecard]:
    """The rates of every supplier that is registered or was given anything to send, by id."""
    parameters = {"after": page.after(str) or "", "limit": page.limit}
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        found = [row[0] for row in await at.rows(_SUPPLIERS, parameters)]
        supplier_ids, token = page.cut(found, found)
        cards = await scorecards_of(at, supplier_ids, window) if supplier_ids else []
        return Answer(cards, at.position, token)


# --- all suppliers at once ------------------------------------------------------------------------

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


async def rank(where: Where, window: Window, by: RateName | None = None) -> Ranking:
    """Every supplier and its rates; the worst first by a rate, those without data last, else by id."""
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        return await ranking(at, window, by)


async def ranking(at: Snapshot, window: Window, by: RateName | None = None) -> Ranking:
    """As ``rank``, of a read model at one moment."""
    supplier_ids, figures = await _figures(at, window)
    if by is not None:
        order = _worst_first(by, *figures[by])
        supplier_ids = [supplier_ids[index] for index in order]
        figures = {name: (_sorted(parts[0], order), _sorted(parts[1], order)) for name, parts in figures.items()}
    targets = (await _terms(at, None)).at(window.ends)
    columns = [_column(name, supplier_ids, *parts, window, targets) for name, parts in figures.items()]
    return Ranking(supplier_ids, tuple(columns), at.position)


_Figures = dict[RateName, tuple[list[int], list[int]]]
"""Numerators and denominators of each rate, in the order of the suppliers."""


async def _figures(at: Snapshot, window: Window) -> tuple[list[str], _Figures]:
    """Every supplier, and its figures."""
    supplier_ids = [row[0] for row in await at.rows(_EVERY, {})]
    until = await _usual_until(at, window)
    if until is None:
        sums = await _sums(at, supplier_ids, window)
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
    await _add_rows(at, supplier_ids, stretches, passed)
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
    targets: _Targets,
) -> RateColumn:
    wanted = [targets.policy[name]] * len(supplier_ids)
    if targets.agreed and name in _AGREED_RATES:
        wanted = [targets.of(each, name) for each in supplier_ids]
    found = statuses(name, wanted, zip(numerators, denominators, strict=True))
    return RateColumn(name, *window.of(name), numerators, denominators, wanted, found)


def _sorted(part: Sequence[int], order: Iterable[int]) -> list[int]:
    return [part[index] for index in order]


def _worst_first(name: RateName, numerators: Sequence[int], denominators: Sequence[int]) -> list[int]:
    sign = -1 if is_at_most(name) else 1
    keys = [(not of, sign * part / of if of else 0.0) for part, of in zip(numerators, denominators, strict=True)]
    return sorted(range(len(keys)), key=keys.__getitem__)


# --- how a rate moves -----------------------------------------------------------------------------

MOST_STEPS = 500


class Step(StrEnum):
    """How long the parts of a trend are."""

    WEEK = "week"
    """From Monday to Monday, in UTC."""
    MONTH = "month"


_BY_DAY = """
    SELECT day, numerator, denominator FROM {performance_days}
    WHERE supplier_id = %(supplier_id)s AND counted = %(counted)s AND day >= %(first)s AND day < %(after)s
"""


def steps(since: datetime, until: datetime, step: Step) -> list[tuple[datetime, datetime]]:
    """The weeks or months of a period; the first and the last are as short as the period makes them."""
    bounds = [since]
    while bounds[-1] < until:
        bounds.append(min(_midnight(_next(bounds[-1].astimezone(UTC).date(), step)), until))
    return list(pairwise(bounds))


def _next(day: date, step: Step) -> date:
    if step is Step.WEEK:
        return day + timedelta(days=7 - day.weekday())
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


async def get_trend(
    where: Where, supplier_id: str, name: RateName, since: datetime, until: datetime, step: Step, now: datetime
) -> Answer[Rate]:
    """A rate of each week or month of a period, each with the target in force at its end."""
    parts = steps(since, until, step)
    counted_until = min(until, now + _MOMENT)
    first, after = _whole_days(since, counted_until)
    parameters = {"supplier_id": supplier_id, "counted": counted_in(name), "first": first, "after": after}
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        sums = [[0, 0] for _ in parts]
        index = 0
        for day, numerator, denominator in sorted(await at.rows(_BY_DAY, parameters)):
            while _midnight(day) >= parts[index][1]:
                index += 1
            sums[index][0] += numerator
            sums[index][1] += denominator
        edges = list(_edges(since, counted_until))
        for (begin, end), figures in zip(parts, sums, strict=True):
            stretches = [Stretch(name, max(first, begin), min(last, end)) for first, last in edges]
            await _add_rows(at, [supplier_id], stretches, {(supplier_id, name): figures})
        terms = await _terms(at, [supplier_id])
        rates = [
            Rate(name, numerator, denominator, begin, end, terms.at(min(end, now)).of(supplier_id, name))
            for (begin, end), (numerator, denominator) in zip(parts, sums, strict=True)
        ]
        return Answer(rates, at.position)


# --- what is behind a rate ------------------------------------------------------------------------


class Case(NamedTuple):
    """A supplier order, parcel, order or review that a rate counted."""

    object_id: str
    """A parcel is ``carrier/number/epoch``, a review ``order/review``."""
    order_id: str
    at: datetime
    """The instant that puts it into the window: its deadline, registration, settling or placing."""
    happened_at: datetime | None
    in_numerator: bool


_CASES = """
    SELECT {case} AS object_id, order_id, {instant} AS at, {happened} AS happened_at,
        ({numerator})::int > 0 AS in_numerator
    FROM {table}
    WHERE {condition} {instant} >= %(since)s AND {instant} < %(until)s
        AND ({numerator})::int + ({denominator})::int > 0
        AND ({instant}, {case}) > (%(after_at)s, %(after_id)s)
        AND (%(in_numerator)s::bool IS NULL OR (({numerator})::int > 0) = %(in_numerator)s)
"""


async def list_cases(
    where: Where,
    page: PageOf,
    name: RateName,
    supplier_id: str,
    window: Window,
    in_numerator: bool | None = None,
) -> Answer[Case]:
    """What is behind a rate: all that it counted, or only what is (or is not) in its numerator."""
    since, until = window.counted(name)
    after_at, after_id = page.after(tuple[datetime, str]) or (FIRST, "")
    parameters = {
        "supplier_id": supplier_id,
        "since": since,
        "until": until,
        "in_numerator": in_numerator,
        "after_at": after_at,
        "after_id": after_id,
        "limit": page.limit,
    }
    query = f"{' UNION ALL '.join(_cases(name, supplier_id))} ORDER BY at, object_id LIMIT %(limit)s"
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        found = await at.each(query, parameters, Case)
        rows, token = page.cut(found, [(case.at, case.object_id) for case in found])
        return Answer(rows, at.position, token)


def _cases(name: RateName, supplier_id: str) -> Iterator[str]:
    """The queries of one rate; only words of this package go into them."""
    for count in COUNTS[counted_in(name)]:
        if supplier_id and count.whose is Whose.ALL:
            continue
        # What counts for suppliers alone may have rows of its own for all together: they name no supplier.
        by_supplier = supplier_id or count.whose is Whose.SUPPLIER
        condition = "supplier_id = %(supplier_id)s AND" if by_supplier else ""
        query = _CASES.replace("{condition}", condition).replace("{table}", f"{{{count.table.name}}}")
        for word in ("case", "instant", "happened", "numerator", "denominator"):
            query = query.replace(f"{{{word}}}", getattr(count, word))
        yield query
