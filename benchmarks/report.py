"""Figures as tables: medians and spreads, and the targets for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.access import RATIOS as OF_ACCESS
from benchmarks.access import SUBJECTS as ACCESS
from benchmarks.batch import IN_FLIGHT, USUAL
from benchmarks.commands import LEVELS, SUBJECTS
from benchmarks.olist import ROLES
from benchmarks.tenants import FIGURES as OF_TENANTS
from benchmarks.tenants import NUMBERS
from benchmarks.turns import RATIOS
from benchmarks.turns import SUBJECTS as IN_TURNS

Figures = Mapping[str, Sequence[float]]
"""For each name, the value of each run."""

NONE = "–"


class Table(NamedTuple):
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        rule = ["---", *["--:"] * (len(self.header) - 1)]
        lines = ["| " + " | ".join(row) + " |" for row in (self.header, rule, *self.rows)]
        return f"### {self.title}\n\n" + "\n".join(lines) + "\n"

    def show(self, console: Console) -> None:
        table = RichTable(title=self.title, title_justify="left", title_style="bold")
        for index, name in enumerate(self.header):
            table.add_column(name, justify="right" if index else "left")
        for row in self.rows:
            table.add_row(*row)
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

    def row(self, figures: Figures) -> list[str]:
        wanted = f"{'≥' if self.at_least else '<'} {number(self.bound)}"
        values = self.values(figures)
        if not values:
            return [self.title, wanted, NONE, "not measured"]
        value = median(values)
        met = value >= self.bound if self.at_least else value < self.bound
        return [self.title, wanted, with_spread(values), "met" if met else "missed"]


def _rate(subject: str) -> str:
    return f"commands.{subject}.64.per_second"


TARGETS = (
    Target("the ledger / an empty call, 64 callers in short turns", "turns.ledger_to_empty", None, 0.5, True),
    Target("the ledger / a save per call, 64 callers in short turns", "turns.ledger_to_library", None, 3.5, True),
    Target("the ledger with tokens / while it is open, in short turns", "access.tokens_to_open", None, 0.98, True),
    Target("the ledger with tokens / an empty call, both over TLS", "access.tls_to_empty_tls", None, 0.5, True),
    Target("the ledger / an empty call, 64 callers", _rate("ledger"), _rate("empty"), 0.5, True),
    Target("the ledger and its projector / an empty call, 64 callers", _rate("projected"), _rate("empty"), 0.5, True),
    Target("the ledger / a save per call, 64 callers", _rate("ledger"), _rate("library"), 3.5, True),
    Target(
        "the ledger and its projector / a save per call, 64 callers", _rate("projected"), _rate("library"), 3.5, True
    ),
    Target("orders in batches / one by one, 64 callers", "batch.orders_per_second", _rate("ledger"), 2.5, True),
    Target("reading an order in the process 64 callers write to, median ms", "reading.busy.median_ms", None, 5, False),
    Target("reading it in a second API process meanwhile, median ms", "reading.second.median_ms", None, 5, False),
    Target("catching up, all projections together, facts/s", "catch_up.all.facts_per_second", None, 20_000, True),
    Target("scorecards of all suppliers, median ms", "scorecards.all_suppliers.median_ms", None, 200, False),
    Target("importing the Olist half, seconds", "import.all.seconds", None, 15, False),
    Target("importing a CSV file of 100,000 rows, rows/s", "files.new.rows_per_second", None, 3000, True),
    Target("exporting 1,000,000 rows to Parquet, rows/s", "export.parquet.rows_per_second", None, 50_000, True),
    Target("webhooks kept while 64 callers write, webhooks/s", "webhooks.kept.per_second", None, 500, True),
    Target("a webhook of 500 a second while 64 callers write, median ms", "webhooks.paced.median_ms", None, 20, False),
    Target("301 tenants (or --tenants) at rest, cores of all processes", "resting.many.cores", None, 0.05, False),
    Target("64 callers over 10 tenants / one tenant, in short turns", "tenants.10_to_1", None, 0.75, True),
    Target("64 callers over 100 tenants / one tenant, in short turns", "tenants.100_to_1", None, 0.6, True),
    Target("the first order on 100,000 facts after a start, ms", "long.100000.first.ms", None, 50, False),
    Target("a projector's start on 100,000 facts, ms", "long.100000.projector.ms", None, 1000, False),
    Target("64 callers on a log of 1,000,000 facts / of 10,000", "log.1000000_to_10000", None, 0.9, True),
    Target("64 callers on a log of 10,000,000 facts / of 10,000", "log.10000000_to_10000", None, 0.9, True),
    Target("64 callers all on one SKU / spread over 100", "log.hot_to_10000", None, 0.9, True),
    Target("the slowest read model behind 64 callers, seconds at most", "lag.most.seconds", None, 1, False),
    Target("the slowest decision on an order of 50 lines, median ms", "slowest_decision.median_ms", None, 1, False),
)

OTHERS = {
    **{f"turns.{name}.per_second": f"64 callers in short turns, {title}, calls/s" for name, title in IN_TURNS.items()},
    **{f"turns.{a}_to_{b}": f"64 callers in short turns, {IN_TURNS[a]} / {IN_TURNS[b]}" for a, b in RATIOS},
    **{f"access.{name}.per_second": f"64 callers in short turns, {title}, calls/s" for name, title in ACCESS.items()},
    **{f"access.{a}_to_{b}": f"64 callers in short turns, {ACCESS[a]} / {ACCESS[b]}" for a, b in OF_ACCESS},
    "resting.1.cores": "one tenant at rest, cores of all processes",
    "resting.many.cores": "301 tenants (or --tenants) at rest, cores of all processes",
    "resting.make_one.milliseconds": "making one tenant of them, ms",
    "resting.first_looks.seconds": "looking at all of them after a start, seconds of processor time",
    **{
        f"tenants.{number}.{figure}": f"64 callers in short turns, tenants: {number}, {title}"
        for number in NUMBERS
        for figure, title in OF_TENANTS.items()
    },
    "tenants.10_to_1": "64 callers in short turns, over 10 tenants / one tenant",
    "tenants.100_to_1": "64 callers in short turns, over 100 tenants / one tenant",
    "batch.orders_per_second": "orders/s by ExecuteBatch, two batches in flight",
    "batch.median_ms": "one such batch, median ms",
    **{
        f"batch.{number}_to_{USUAL}": f"orders/s by ExecuteBatch, batches in flight: {number} / {USUAL}"
        for number in IN_FLIGHT
        if number != USUAL
    },
    "reading.idle.median_ms": "reading an order while nobody writes, median ms",
    "reading.busy.median_ms": "reading an order in the process 64 callers write to, median ms",
    "reading.busy.p95_ms": "reading an order in the process 64 callers write to, p95 ms",
    "reading.empty.median_ms": "an empty call to that process meanwhile, median ms",
    "reading.empty.p95_ms": "an empty call to that process meanwhile, p95 ms",
    "reading.second.median_ms": "reading it in a second API process meanwhile, median ms",
    "reading.second.p95_ms": "reading it in a second API process meanwhile, p95 ms",
    **{f"import.{role}.seconds": f"importing the Olist half, {subject}, seconds" for role, subject in ROLES.items()},
    "files.new.rows_per_second": "importing a CSV file of new orders, two rows each, rows/s",
    "files.again.rows_per_second": "importing it once more, rows/s",
    "export.copy.rows_per_second": "1,000,000 rows by PostgreSQL's COPY to a file of CSV, rows/s",
    **{
        f"export.{format_}{figure}": f"exporting them {how}, {title}"
        for format_, how in (("parquet", "to Parquet"), ("csv", "to CSV"))
        for figure, title in (
            (".rows_per_second", "rows/s"),
            ("_to_copy", "/ that COPY"),
            (".service.processor_seconds", "processor seconds of the service"),
            (".console.processor_seconds", "processor seconds of the console"),
            (".console.most_mib", "memory of the console, MiB at most"),
        )
    },
    "files.most_mib": "memory of that import, MiB at most",
    "files.excel_mib": "memory of importing the same rows from Excel, MiB at most",
    "scorecards.fold.supplier_orders_per_second": "folding supplier orders into scorecards, supplier orders/s",
    "scorecards.all_suppliers.median_ms": "scorecards of all suppliers, ranked by one rate, median ms",
    "scorecards.all_together.median_ms": "the scorecard of all suppliers together, median ms",
    "scorecards.all_together_in_any_window.median_ms": "the same over a window that is not the usual one, median ms",
    "scorecards.the_largest.median_ms": "the scorecard of the largest supplier, median ms",
    "scorecards.the_largest_in_any_window.median_ms": "the same over a window that is not the usual one, median ms",
    "scorecards.the_smallest.median_ms": "the scorecard of the smallest supplier, median ms",
    "scorecards.a_page.median_ms": "a page of 1,000 scorecards, median ms",
    "scorecards.a_trend.median_ms": "a rate of all together by week over 60 days, median ms",
    "webhooks.kept.per_second": "webhooks through one edge process, kept while 64 callers write, webhooks/s",
    "webhooks.kept.median_ms": "one of them, median ms",
    "webhooks.kept.p99_ms": "one of them, p99 ms",
    "webhooks.empty.per_second": "the same to an endpoint that does nothing, webhooks/s",
    "webhooks.empty.median_ms": "one of them, median ms",
    "webhooks.empty.p99_ms": "one of them, p99 ms",
    "webhooks.kept_to_empty": "webhooks kept / answered by an endpoint that does nothing",
    "webhooks.drained.seconds": "until the last of them is an order, seconds after the last was kept",
    "webhooks.paced.per_second": "webhooks kept of 500 a second while 64 callers write, webhooks/s",
    "webhooks.paced.median_ms": "webhooks at 500 a second while 64 callers write, median ms",
    "webhooks.paced.p99_ms": "one of them, p99 ms",
    "lag.per_second": "64 callers, the ledger and its projector, calls/s",
    "lag.to_empty": "64 callers, the ledger and its projector / an empty call just before",
    "lag.median.seconds": "the slowest read model behind them, median seconds",
    "lag.most.seconds": "the slowest read model behind them, seconds at most",
    "lag.most.facts": "the slowest read model behind them, facts at most",
    "lag.until_caught_up.seconds": "after the last of them, seconds until all is read",
    "start.empty.seconds": "starting an empty server, until its first answer, seconds",
    "start.new.seconds": "starting the ledger on a new database, seconds",
    "start.again.seconds": "starting it again, seconds",
    "memory.order.kib": "memory that a server keeps for an order that it has placed, KiB",
    "slowest_decision.median_ms": "the slowest decision on an order of 50 lines in memory, median ms",
    "scorecards.crossings.median_ms": "finding the rates that crossed their targets, median ms",
}


def tables(figures: Figures, machine: Mapping[str, str], skipped: Mapping[str, str]) -> list[Table]:
    """All that was measured; tables without a figure are left out."""
    apart = ("commands.", "decision.", "folding.")
    others = [[_title(name), with_spread(values)] for name, values in figures.items() if not name.startswith(apart)]
    others += [[f"{name}: not measured", reason] for name, reason in skipped.items()]
    found = [
        Table("Machine", ("", "as measured"), list(map(list, machine.items()))),
        Table("One-line orders placed per second", ("callers", *SUBJECTS.values()), _levels(figures, _throughput)),
        Table("Milliseconds a call, median / p99", ("callers", *SUBJECTS.values()), _levels(figures, _latency)),
        Table("Beside that", ("what", "median (from – to)"), others),
        Table("On an order of 50 lines in memory, median ms", ("command", "deciding", "folding"), _decisions(figures)),
        Table(
            "What is wanted", ("ratio or figure", "wanted", "measured", ""), [target.row(figures) for target in TARGETS]
        ),
    ]
    return [table for table in found if table.rows]


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


def _title(name: str) -> str:
    if name.startswith("long."):
        _, facts, what, unit = name.split(".")
        return f"a stock stream of {int(facts):,} facts: {_LONG[what]}, {unit}"
    if name.startswith("log."):
        return _of_a_log(*name.removeprefix("log.").removesuffix(".per_second").split("_to_"))
    if name.startswith("catch_up."):
        return f"catching up, {name.split('.')[1]}, facts/s"
    return OTHERS.get(name, name)


def _of_a_log(name: str, beside: str = "") -> str:
    told = {"hot": "all on one SKU", "empty": "an empty call"}
    named = [told.get(each, f"a log of {each} facts") for each in (name, beside) if each]
    return f"64 callers in short turns, {' / '.join(named)}" + ("" if beside else ", calls/s")


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
    return f"{number(median(middle))} / {number(median(late))}" if middle and late else NONE


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
