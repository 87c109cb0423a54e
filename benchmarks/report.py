"""Figures as tables: medians and spreads, and the targets for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from benchmarks.access import RATIOS as OF_ACCESS
from benchmarks.access import SUBJECTS as ACCESS
from benchmarks.batch import IN_FLIGHT, USUAL
from benchmarks.commands import LEVELS, SUBJECTS
from benchmarks.olist import ROLES
from benchmarks.tenants import FIGURES as OF_TENANTS
from benchmarks.turns import RATIOS as OF_TURNS
from benchmarks.turns import SUBJECTS as IN_TURNS
from benchmarks.watched import SUBJECTS as WATCHED

Figures = Mapping[str, Sequence[float]]
"""For each name, the value of each run."""

NONE = "–"


@dataclass
class Found:
    """What was measured, and what was not and why."""

    figures: dict[str, list[float]] = field(default_factory=dict)
    took: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of each part in each run."""
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


class Table(NamedTuple):
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        rule = ["---", *["--:"] * (len(self.header) - 1)]
        rows = [[cell.replace("|", "\\|") for cell in row] for row in self.rows]
        lines = ["| " + " | ".join(row) + " |" for row in (self.header, rule, *rows)]
        return f"### {self.title}\n\n" + "\n".join(lines) + "\n"

    def show(self, console: Console) -> None:
        table = RichTable(title=self.title, title_justify="left", title_style="bold")
        for index, name in enumerate(self.header):
            table.add_column(name, justify="right" if index else "left")
        for row in self.rows:
            table.add_row(*map(escape, row))
        console.print(table)


class Target(NamedTuple):
    """A figure, or the ratio of two, and the bound it should keep."""

    title: str
    name: str
    beside: str | None
    bound: float
    at_least: bool

    def values(self, figures: Figures) -> list[float]:
        """One for each run: two figures of one run were measured under the same noise."""
        values = figures.get(self.name, [])
        if self.beside is None:
            return list(values)
        return [value / other for value, other in zip(values, figures.get(self.beside, []), strict=False)]

    @property
    def wanted(self) -> str:
        return f"{'≥' if self.at_least else '<'} {number(self.bound)}"

    def is_met(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value < self.bound

    def row(self, figures: Figures) -> list[str]:
        values = self.values(figures)
        if not values:
            return [self.title, NONE, self.wanted, "not measured"]
        return [self.title, with_spread(values), self.wanted, "met" if self.is_met(median(values)) else "missed"]


def _rate(subject: str) -> str:
    return f"commands.{subject}.64.per_second"


def _late(subject: str) -> str:
    return f"commands.{subject}.64.p99_to_median"


TARGETS = (
    Target("the ledger / an empty call, 64 callers in short turns", "turns.ledger_to_empty", None, 0.65, True),
    Target("the ledger / a save per call, 64 callers in short turns", "turns.ledger_to_library", None, 5.5, True),
    Target("orders in batches / one by one by 64 callers, in short turns", "turns.batch_to_ledger", None, 3, True),
    Target("p99 / median of a call, 64 callers in short turns", "turns.ledger.p99_to_median", None, 4, False),
    Target("p99 / median of a call with the projector, 64 callers", _late("projected"), None, 4, False),
    Target("the ledger and its projector / an empty call, 64 callers", _rate("projected"), _rate("empty"), 0.5, True),
    Target(
        "the ledger and its projector / a save per call, 64 callers", _rate("projected"), _rate("library"), 3.5, True
    ),
    Target("64 callers over 10 tenants / one tenant, in short turns", "tenants.10_to_1", None, 0.75, True),
    Target("64 callers over 100 tenants / one tenant, in short turns", "tenants.100_to_1", None, 0.6, True),
    Target("64 callers on a log of 1,000,000 facts / of 10,000", "log.1000000_to_10000", None, 0.9, True),
    Target("64 callers on a log of 10,000,000 facts / of 10,000", "log.10000000_to_10000", None, 0.9, True),
    Target("64 callers all on one SKU / spread over 100", "log.hot_to_10000", None, 0.9, True),
    Target("the slowest read model behind 64 callers, seconds at most", "lag.most.seconds", None, 1, False),
    Target("tenants at rest, cores of all processes", "resting.many.cores", None, 0.05, False),
    Target("the first order on 100,000 facts after a start, ms", "long.100000.first.ms", None, 50, False),
    Target("a projector's start on 100,000 facts, ms", "long.100000.projector.ms", None, 1000, False),
    Target("the first order on 1,000,000 facts after a start, ms", "long.1000000.first.ms", None, 50, False),
    Target("a projector's start on 1,000,000 facts, ms", "long.1000000.projector.ms", None, 1000, False),
    Target("with metrics that are read / without, in short turns", "watched.metrics_to_plain", None, 0.98, True),
    Target("with traces / without, in short turns", "watched.traces_to_plain", None, 0.98, True),
    Target("an export beside / none, in short turns", "watched.export_to_plain", None, 0.98, True),
    Target("a question in SQL beside / none, in short turns", "watched.question_to_plain", None, 0.98, True),
    Target("the ledger with tokens / while it is open, in short turns", "access.tokens_to_open", None, 0.98, True),
    Target("the ledger with tokens / an empty call, both over TLS", "access.tls_to_empty_tls", None, 0.5, True),
    Target("reading an order in the process 64 callers write to, median ms", "reading.busy.median_ms", None, 5, False),
    Target("reading it in a second API process meanwhile, median ms", "reading.second.median_ms", None, 5, False),
    Target("webhooks kept while 64 callers write, webhooks/s", "webhooks.kept.per_second", None, 500, True),
    Target("a webhook of 500 a second while 64 callers write, median ms", "webhooks.paced.median_ms", None, 20, False),
    Target("catching up, all projections together, facts/s", "catch_up.all.facts_per_second", None, 20_000, True),
    Target("scorecards of all suppliers, median ms", "scorecards.all_suppliers.median_ms", None, 200, False),
    Target("importing the Olist half, seconds", "import.all.seconds", None, 15, False),
    Target("importing a file of CSV, rows/s", "files.new.rows_per_second", None, 3000, True),
    Target("exporting to Parquet, rows/s", "export.parquet.rows_per_second", None, 50_000, True),
    Target("the slowest decision on an order of 50 lines, median ms", "slowest_decision.median_ms", None, 1, False),
)

SECTIONS = {
    "turns": "64 callers in short turns",
    "watched": "64 callers in short turns, while others look on",
    "tenants": "64 callers over several tenants, in short turns",
    "resting": "Tenants at rest",
    "log": "64 callers on logs of different lengths, and on one SKU, in short turns",
    "long": "Starts on a long stream of stock",
    "lag": "How far the read models are behind 64 callers",
    "start": "Starts",
    "memory": "Memory",
    "batch": "Batches in flight",
    "reading": "Reading an order while 64 callers write",
    "webhooks": "Webhooks while 64 callers write",
    "access": "Tokens and TLS, 64 callers in short turns",
    "catch_up": "Read models from nothing to the head of a log",
    "checking": "A check of a ledger",
    "export": "Exports",
    "files": "Imports of files",
    "import": "Import of the Olist half",
    "scorecards": "Scorecards",
    "slowest_decision": "Decisions",
}
"""By how the names of figures begin."""

_PROCESSOR = "processor time of client, server and PostgreSQL for an order, µs"
_TITLES = {
    **{f"turns.{name}.per_second": f"{title}, calls/s" for name, title in IN_TURNS.items()},
    **{f"turns.{a}_to_{b}": f"{IN_TURNS[a]} / {IN_TURNS[b]}" for a, b in OF_TURNS if a != "batch"},
    **{f"turns.{name}.p99_to_median": f"p99 / median of {IN_TURNS[name]}" for name in ("empty", "library", "ledger")},
    **{f"turns.{name}.processor_us": f"{title}, {_PROCESSOR}" for name, title in IN_TURNS.items()},
    "turns.batch.processor_us": f"the ledger by ExecuteBatch, {_PROCESSOR}",
    "turns.batch.per_second": "the ledger by ExecuteBatch, two batches of 500 in flight, orders/s",
    "turns.batch_to_ledger": "the ledger by ExecuteBatch / the ledger, orders",
    **{f"watched.{name}.per_second": f"{title}, calls/s" for name, title in WATCHED.items()},
    **{f"watched.{name}_to_plain": f"{title} / {WATCHED['plain']}" for name, title in WATCHED.items()},
    **{
        f"watched.{name}.processor_to_plain": f"{title} / {WATCHED['plain']}, processor time of the server for a call"
        for name, title in WATCHED.items()
    },
    **{f"access.{name}.per_second": f"{title}, calls/s" for name, title in ACCESS.items()},
    **{f"access.{a}_to_{b}": f"{ACCESS[a]} / {ACCESS[b]}" for a, b in OF_ACCESS},
    "resting.1.cores": "one tenant, cores of all processes",
    "resting.many.cores": "all of them, cores of all processes",
    "resting.first_look.milliseconds": "looking at one of them after a start, ms of processor time",
    "tenants.empty.per_second": "an empty call just before, calls/s",
    "batch.orders_per_second": "two batches in flight, orders/s",
    "batch.median_ms": "one such batch, median ms",
    **{
        f"batch.{number}_to_{USUAL}": f"batches in flight: {number} / {USUAL}, orders"
        for number in IN_FLIGHT
        if number != USUAL
    },
    "reading.idle.median_ms": "while nobody writes, median ms",
    "reading.busy.median_ms": "in the process they write to, median ms",
    "reading.busy.p95_ms": "in the process they write to, p95 ms",
    "reading.empty.median_ms": "an empty call to that process meanwhile, median ms",
    "reading.empty.p95_ms": "an empty call to that process meanwhile, p95 ms",
    "reading.second.median_ms": "in a second API process meanwhile, median ms",
    "reading.second.p95_ms": "in a second API process meanwhile, p95 ms",
    **{f"import.{role}.seconds": f"{subject}, seconds" for role, subject in ROLES.items()},
    "files.new.rows_per_second": "a CSV file of new orders, two rows each, rows/s",
    "files.again.rows_per_second": "the same once more, rows/s",
    "files.most_mib": "memory of that import, MiB at most",
    "files.excel_mib": "memory of importing the same rows from Excel, MiB at most",
    "export.copy.rows_per_second": "PostgreSQL's COPY to a file of CSV, rows/s",
    **{
        f"export.{format_}{figure}": f"{how}, {title}"
        for format_, how in (("parquet", "to Parquet"), ("csv", "to CSV"))
        for figure, title in (
            (".rows_per_second", "rows/s"),
            ("_to_copy", "/ that COPY"),
            (".service.processor_seconds", "processor seconds of the service"),
            (".console.processor_seconds", "processor seconds of the console"),
            (".console.most_mib", "memory of the console, MiB at most"),
        )
    },
    "scorecards.fold.supplier_orders_per_second": "folding supplier orders into scorecards, supplier orders/s",
    "scorecards.all_suppliers.median_ms": "all suppliers, ranked by one rate, median ms",
    "scorecards.all_together.median_ms": "all suppliers together, median ms",
    "scorecards.all_together_in_any_window.median_ms": "the same over a window that is not the usual one, median ms",
    "scorecards.the_largest.median_ms": "the largest supplier, median ms",
    "scorecards.the_largest_in_any_window.median_ms": "the same over a window that is not the usual one, median ms",
    "scorecards.the_smallest.median_ms": "the smallest supplier, median ms",
    "scorecards.a_page.median_ms": "a page of 1,000 scorecards, median ms",
    "scorecards.a_trend.median_ms": "a rate of all together by week over 60 days, median ms",
    "scorecards.crossings.median_ms": "finding the rates that crossed their targets, median ms",
    "webhooks.kept.per_second": "kept by one edge process, webhooks/s",
    "webhooks.kept.median_ms": "one of them, median ms",
    "webhooks.kept.p99_ms": "one of them, p99 ms",
    "webhooks.empty.per_second": "the same to an endpoint that does nothing, webhooks/s",
    "webhooks.empty.median_ms": "one of them, median ms",
    "webhooks.empty.p99_ms": "one of them, p99 ms",
    "webhooks.kept_to_empty": "kept / answered by an endpoint that does nothing",
    "webhooks.drained.seconds": "until the last of them is an order, seconds after the last was kept",
    "webhooks.paced.per_second": "kept of 500 a second, webhooks/s",
    "webhooks.paced.median_ms": "one of 500 a second, median ms",
    "webhooks.paced.p99_ms": "one of 500 a second, p99 ms",
    "lag.per_second": "the ledger and its projector, calls/s",
    "lag.to_empty": "the ledger and its projector / an empty call just before",
    "lag.p99_to_median": "p99 / median of such a call",
    "lag.median.seconds": "the slowest read model, median seconds",
    "lag.most.seconds": "the slowest read model, seconds at most",
    "lag.most.facts": "the slowest read model, facts at most",
    "lag.until_caught_up.seconds": "after the last call, seconds until all is read",
    "start.empty.seconds": "an empty server, until its first answer, seconds",
    "start.new.seconds": "the ledger on a new database, seconds",
    "start.again.seconds": "the same again, seconds",
    "memory.order.kib": "what a server keeps for an order that it has placed, KiB",
    "slowest_decision.median_ms": "the slowest on an order of 50 lines in memory, median ms",
}
"""What is not named by how it was measured."""


def tables(found: Found, machine: Mapping[str, str], *, whole: bool = False) -> list[Table]:
    """All that was measured, and last what is wanted of it; of the whole, also what could not be measured."""
    figures = found.figures
    targets = [each for each in TARGETS if whole or each.values(figures)]
    made = [
        Table("Machine", ("", "as measured"), list(map(list, machine.items()))),
        Table("One-line orders placed per second", ("callers", *SUBJECTS.values()), _levels(figures, _throughput)),
        Table(
            "Milliseconds a call, median / p99, and how many times the median that is",
            ("callers", *SUBJECTS.values()),
            _levels(figures, _latency),
        ),
        *(_section(figures, begins, title) for begins, title in SECTIONS.items()),
        Table("On an order of 50 lines in memory, median ms", ("command", "deciding", "folding"), _decisions(figures)),
        Table("Not measured", ("part", "why"), [list(each) for each in (found.skipped | found.failed).items()]),
        Table("How long it took, seconds", ("part", ""), [[name, with_spread(each)] for name, each in _took(found)]),
        Table("What is wanted", ("ratio or figure", "measured", "wanted", ""), [each.row(figures) for each in targets]),
    ]
    return [table for table in made if table.rows]


def _section(figures: Figures, begins: str, title: str) -> Table:
    """The figures of a part, beside what is wanted of them."""
    wanted = {each.name: each for each in TARGETS if each.beside is None}
    rows = []
    for name, values in figures.items():
        if name.partition(".")[0] == begins:
            target = wanted[name].row(figures)[2:] if name in wanted else ["", ""]
            rows.append([title_of(name), with_spread(values), *target])
    header = ("what", "measured", "wanted", "")
    across = 4 if any(row[2] for row in rows) else 2
    return Table(title, header[:across], [row[:across] for row in rows])


def _took(found: Found) -> Iterator[tuple[str, list[float]]]:
    yield from found.took.items()
    if len(found.took) > 1:
        yield "all of it", [sum(run) for run in zip_longest(*found.took.values(), fillvalue=0.0)]


_LONG = {
    "without_snapshot": "the first order on it after a start, without a snapshot",
    "others_without_snapshot": "meanwhile orders on other SKUs, at most",
    "empty": "an empty call to a process that has just started",
    "short": "there, the first order on a SKU without a history",
    "first": "there, the first order on it",
    "others_at_most": "there, orders on other SKUs meanwhile, at most",
    "stock": "there, reading its stock",
    "stock_at_once": "there, 30 reads of it at once, until the last",
    "empty_meanwhile_at_most": "an empty call meanwhile, at most",
    "second": "the first order on it through a second process after that",
    "projector": "a projector that starts, until it has these orders",
}


def title_of(name: str) -> str:
    if name.startswith("long."):
        _, facts, what, unit = name.split(".")
        return f"{int(facts):,} facts: {_LONG[what]}, {unit}"
    if name.startswith("log."):
        return _of_a_log(*name.removeprefix("log.").removesuffix(".per_second").split("_to_"))
    if name.startswith("tenants.") and name not in _TITLES:
        number, _, figure = name.removeprefix("tenants.").replace("_to_", ".").partition(".")
        return f"tenants: {number} / 1" if figure == "1" else f"tenants: {number}, {OF_TENANTS[figure]}"
    if name.startswith(("catch_up.", "checking.")):
        _, what, unit = name.split(".")
        return f"{what}, {unit.replace('_per_', '/').replace('processor_', 'processor ').replace('/second', '/s')}"
    return _TITLES.get(name, name)


def _of_a_log(name: str, beside: str = "") -> str:
    told = {"hot": "all on one SKU", "empty": "an empty call"}
    named = [told.get(each) or f"a log of {int(each):,} facts" for each in (name, beside) if each]
    return " / ".join(named) if beside else f"{named[0]}, calls/s"


def _levels(figures: Figures, cell: Callable[[Figures, str], str]) -> list[list[str]]:
    """A row for each level that was measured, a cell for each subject."""
    rows = []
    for callers in LEVELS:
        cells = [cell(figures, f"commands.{subject}.{callers}") for subject in SUBJECTS]
        if any(each != NONE for each in cells):
            rows.append([str(callers), *cells])
    return rows


def _decisions(figures: Figures) -> list[list[str]]:
    """A row for each command, the slowest first."""
    medians = {name.split(".")[1]: median(values) for name, values in figures.items() if name.startswith("decision.")}
    rows = []
    for name in sorted(medians, key=medians.__getitem__, reverse=True):
        taken = (figures[f"decision.{name}.median_ms"], figures[f"folding.{name}.median_ms"])
        rows.append([name, *map(with_spread, taken)])
    return rows


def _throughput(figures: Figures, prefix: str) -> str:
    values = figures.get(f"{prefix}.per_second")
    return with_spread(values) if values else NONE


def _latency(figures: Figures, prefix: str) -> str:
    middle, late = figures.get(f"{prefix}.median_ms"), figures.get(f"{prefix}.p99_ms")
    if not middle or not late:
        return NONE
    times = median(one / other for one, other in zip(late, middle, strict=True))
    return f"{number(median(middle))} / {number(median(late))} ({number(times)})"


def number(value: float) -> str:
    """Three significant digits; thousands with a comma."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def with_spread(values: Iterable[float]) -> str:
    """The median, and in brackets the least and the most of several runs."""
    ordered = sorted(values)
    middle = number(median(ordered))
    return middle if len(ordered) == 1 else f"{middle} ({number(ordered[0])} – {number(ordered[-1])})"
