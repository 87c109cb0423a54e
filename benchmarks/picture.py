"""What was measured beside what is wanted, as a picture (SVG)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.commands import LEVELS, SUBJECTS
from benchmarks.report import TARGETS, Figures, Target, number

_MET, _MISSED = "#2a7f62", "#c8553d"
_LINES = ("#8a8f98", "#c8a13d", "#2a7f62", "#2f5d8a")


def draw(figures: Figures, path: Path) -> None:
    """Every target as a share of what is wanted (right of the line is met), and calls a second by callers."""
    targets = [target for target in TARGETS if target.values(figures)]
    levels = [level for level in LEVELS if f"commands.empty.{level}.per_second" in figures]
    heights = [size for size in (0.32 * len(targets), 3.5 if levels else 0) if size]
    figure = Figure(figsize=(12, sum(heights) + 1.5), layout="constrained")
    axes = figure.subplots(max(len(heights), 1), height_ratios=heights or [1], squeeze=False)[:, 0]
    if targets:
        _of_targets(axes[0], targets, figures)
    if levels:
        _of_commands(axes[-1], levels, figures)
    with rc_context({"svg.hashsalt": "benchmarks", "svg.fonttype": "none"}):
        figure.savefig(path, format="svg", metadata={"Date": None})


def _of_targets(axis: Axes, targets: Sequence[Target], figures: Figures) -> None:
    for row, target in enumerate(reversed(targets)):
        value = median(target.values(figures))
        share = value / target.bound if target.at_least else target.bound / max(value, 1e-9)
        met = value >= target.bound if target.at_least else value < target.bound
        axis.barh(row, share - 1, left=1, color=_MET if met else _MISSED, height=0.6)
        wanted = f"{'≥' if target.at_least else '<'} {number(target.bound)}"
        axis.annotate(f" {number(value)} (wanted {wanted}) ", (max(share, 1), row), va="center", fontsize=8)
    axis.set_yticks(range(len(targets)), [target.title for target in reversed(targets)], fontsize=8)
    axis.axvline(1, color="black", linewidth=1)
    axis.set_xscale("log")
    axis.margins(x=0.35)
    axis.set_title("How far each figure is from what is wanted, as a factor: right of the line it is met", fontsize=10)


def _of_commands(axis: Axes, levels: Sequence[int], figures: Figures) -> None:
    for (subject, title), colour in zip(SUBJECTS.items(), _LINES, strict=True):
        found = [(level, figures.get(f"commands.{subject}.{level}.per_second")) for level in levels]
        points = [(level, median(values)) for level, values in found if values]
        axis.plot(*zip(*points, strict=True), marker="o", color=colour, label=title)
    axis.set_xscale("log", base=4)
    axis.set_xticks(levels, [str(level) for level in levels])
    axis.set_xlabel("callers")
    axis.set_ylabel("calls a second")
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=8)
    axis.set_title("One-line orders placed per second", fontsize=10)
