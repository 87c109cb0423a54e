"""What was measured, as a picture (SVG, PNG or PDF): beside what it is compared with, and beside what is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.commands import LEVELS, SUBJECTS
from benchmarks.report import TARGETS, Figures, Target, number

_MET, _MISSED, _BESIDE = "#2a7f62", "#c8553d", "#b9bec6"
_LINES = ("#8a8f98", "#c8a13d", "#2a7f62", "#2f5d8a")
_ACROSS = 3
"""Panels in a row."""
_HOW = (
    "Black line: what is wanted. Green: met, red: missed, in brackets the ratio that counts where it is one. "
    "Grey: to compare with."
)


class Bar(NamedTuple):
    """A figure, and what is wanted of it: the bound of a target, as a multiple of another figure where there is one."""

    title: str
    name: str
    target: str = ""
    beside: str = ""


class Panel(NamedTuple):
    title: str
    bars: Sequence[Bar]


_TURNS = "turns.{}.per_second".format
_TENANTS = "tenants.{}.per_second".format
_LOG = "log.{}.per_second".format
PANELS = (
    Panel(
        "64 callers in short turns, orders a second",
        (
            Bar("empty call", _TURNS("empty")),
            Bar("a save per call", _TURNS("library")),
            Bar("the ledger", _TURNS("ledger"), "turns.ledger_to_empty", _TURNS("empty")),
            Bar("in batches", _TURNS("batch"), "turns.batch_to_ledger", _TURNS("ledger")),
        ),
    ),
    Panel(
        "64 callers over tenants, calls a second",
        (
            Bar("empty call", _TENANTS("empty")),
            Bar("1 tenant", _TENANTS("1")),
            Bar("10 tenants", _TENANTS("10"), "tenants.10_to_1", _TENANTS("1")),
            Bar("100 tenants", _TENANTS("100"), "tenants.100_to_1", _TENANTS("1")),
        ),
    ),
    Panel(
        "64 callers on logs, calls a second",
        (
            Bar("empty call", _LOG("empty")),
            Bar("10⁴ facts", _LOG("10000")),
            Bar("10⁶ facts", _LOG("1000000"), "log.1000000_to_10000", _LOG("10000")),
            Bar("10⁷ facts", _LOG("10000000"), "log.10000000_to_10000", _LOG("10000")),
            Bar("all on one SKU", _LOG("hot"), "log.hot_to_10000", _LOG("10000")),
        ),
    ),
    Panel(
        "Read models behind 64 callers, seconds",
        (
            Bar("median", "lag.median.seconds"),
            Bar("at most", "lag.most.seconds", "lag.most.seconds"),
            Bar("until caught up", "lag.until_caught_up.seconds"),
        ),
    ),
    Panel(
        "p99 of a call / its median, 64 callers",
        (
            Bar("empty call", "turns.empty.p99_to_median"),
            Bar("a save per call", "turns.library.p99_to_median"),
            Bar("the ledger", "turns.ledger.p99_to_median", "turns.ledger.p99_to_median"),
            Bar("with projector", "commands.projected.64.p99_to_median", "commands.projected.64.p99_to_median"),
        ),
    ),
    Panel(
        "64 callers while others look on / without",
        (
            Bar("nobody (noise)", "watched.twin_to_plain"),
            Bar("metrics", "watched.metrics_to_plain", "watched.metrics_to_plain"),
            Bar("traces", "watched.traces_to_plain", "watched.traces_to_plain"),
            Bar("an export", "watched.export_to_plain", "watched.export_to_plain"),
            Bar("SQL", "watched.question_to_plain", "watched.question_to_plain"),
        ),
    ),
    Panel(
        "After a start on 100,000 facts, ms",
        (
            Bar("order elsewhere", "long.100000.short.ms"),
            Bar("first order on it", "long.100000.first.ms", "long.100000.first.ms"),
            Bar("reading it", "long.100000.stock.ms"),
            Bar("no snapshot", "long.100000.without_snapshot.ms"),
        ),
    ),
    Panel(
        "Tenants at rest, cores of all processes",
        (Bar("one", "resting.1.cores"), Bar("many", "resting.many.cores", "resting.many.cores")),
    ),
    Panel(
        "From start to first answer, seconds",
        (
            Bar("empty server", "start.empty.seconds"),
            Bar("new database", "start.new.seconds"),
            Bar("again", "start.again.seconds"),
        ),
    ),
)


def draw(figures: Figures, path: Path) -> None:
    """Calls a second by callers, what matters in panels, and every target as a factor; what is missing is left out."""
    levels = [level for level in LEVELS if f"commands.empty.{level}.per_second" in figures]
    panels = [panel for panel in PANELS if any(bar.name in figures for bar in panel.bars)]
    targets = [target for target in TARGETS if target.values(figures)]
    rows = -(-len(panels) // _ACROSS)
    heights = [3.4 if levels else 0, 1.9 * rows, 0.28 * len(targets) + 0.8 if targets else 0]
    figure = Figure(figsize=(14, max(sum(heights), 1)), layout="constrained")
    shown = [height for height in heights if height] or [1]
    parts = iter(figure.subfigures(len(shown), 1, height_ratios=shown, squeeze=False)[:, 0])
    if levels:
        both = next(parts).subplots(1, 2)
        _of_commands(both[0], levels, figures, "per_second", "Orders a second by callers")
        _of_commands(both[1], levels, figures, "median_ms", "Milliseconds a call, median and (thin) p99", "p99_ms")
    if panels:
        part = next(parts)
        part.suptitle(_HOW, fontsize=9, x=0.01, ha="left")
        cells = list(part.subplots(rows, _ACROSS, squeeze=False).flat)
        for axis in cells[len(panels) :]:
            axis.set_visible(False)
        for axis, panel in zip(cells, panels, strict=False):
            _of_panel(axis, panel, figures)
    if targets:
        _of_targets(next(parts).subplots(), targets, figures)
    with rc_context({"svg.hashsalt": "benchmarks", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _of_panel(axis: Axes, panel: Panel, figures: Figures) -> None:
    bars = [bar for bar in panel.bars if bar.name in figures]
    wanted_of = {target.name: target for target in TARGETS if target.beside is None}
    for row, bar in enumerate(reversed(bars)):
        value, target = median(figures[bar.name]), wanted_of.get(bar.target)
        colour, told, end = _BESIDE, number(value), value
        if target is not None and (found := target.values(figures)):
            colour = _MET if target.is_met(median(found)) else _MISSED
            if bar.beside in figures:
                told += f" ({number(median(found))})"
            at = target.bound * (median(figures[bar.beside]) if bar.beside in figures else 1)
            axis.plot([at, at], [row - 0.45, row + 0.45], color="black", linewidth=1.5)
            end = max(value, at)
        axis.barh(row, value, color=colour, height=0.7)
        axis.annotate(f" {told}", (end, row), va="center", fontsize=8)
    axis.set_yticks(range(len(bars)), [bar.title for bar in reversed(bars)], fontsize=8)
    axis.tick_params(axis="x", labelsize=7)
    axis.margins(x=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_title(panel.title, fontsize=9, loc="left")


def _of_targets(axis: Axes, targets: Sequence[Target], figures: Figures) -> None:
    for row, target in enumerate(reversed(targets)):
        value = median(target.values(figures))
        share = max(value, 1e-9) / target.bound if target.at_least else target.bound / max(value, 1e-9)
        share = min(max(share, 0.05), 20)
        axis.barh(row, share - 1, left=1, color=_MET if target.is_met(value) else _MISSED, height=0.6)
        axis.annotate(f" {number(value)} (wanted {target.wanted}) ", (max(share, 1), row), va="center", fontsize=8)
    axis.set_yticks(range(len(targets)), [target.title for target in reversed(targets)], fontsize=8)
    axis.axvline(1, color="black", linewidth=1.5)
    axis.set_xscale("log")
    axis.set_xticks([0.1, 0.5, 1, 2, 5, 10], ["0.1", "0.5", "1", "2", "5", "10"])
    axis.minorticks_off()
    axis.margins(x=0.3, y=0.01)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_title(
        "How far each figure is from what is wanted, as a factor: right of the line it is met", fontsize=10, loc="left"
    )


def _of_commands(axis: Axes, levels: Sequence[int], figures: Figures, what: str, title: str, thin: str = "") -> None:
    for (subject, told), colour in zip(SUBJECTS.items(), _LINES, strict=True):
        for kind, width in ((what, 1.8), (thin, 0.7)):
            found = [(level, figures.get(f"commands.{subject}.{level}.{kind}")) for level in levels]
            points = [(level, median(values)) for level, values in found if values]
            if points:
                label = told if kind == what else None
                axis.plot(
                    *zip(*points, strict=True), marker="o", markersize=3, linewidth=width, color=colour, label=label
                )
    axis.set_xscale("log", base=4)
    axis.set_xticks(levels, [str(level) for level in levels])
    axis.set_xlabel("callers", fontsize=8)
    if thin:
        axis.set_yscale("log")
    else:
        axis.set_ylim(bottom=0)
    axis.tick_params(labelsize=8)
    if axis.lines:
        axis.legend(fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_title(title, fontsize=10, loc="left")
