"""Charts of bars as SVG, to stand in a page of HTML."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from html import escape
from typing import Any

from adapters.console import files

_TARGET_COLOUR = "#d55e00"


_BEYOND = 1.08
"""How far an axis extends beyond the longest bar, which would look cut off otherwise."""


def chart(
    title: str,
    unit: str,
    bars: Sequence[tuple[str, float]],
    series: Sequence[tuple[str, str, Sequence[float]]],
    target: float | None = None,
) -> str:
    """Horizontal bars, the first on top, with stacked series where there are several; text stays text."""
    # They take longer to load than most commands take to run.
    with files.needing("reports"):
        import matplotlib as mpl
        from matplotlib.figure import Figure as Canvas

    # Keys are drawn as they are: a dollar sign starts no formula, and a letter that the measuring font lacks is drawn
    # by the reader's own.
    with (
        warnings.catch_warnings(),
        mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "text.parse_math": False, "font.size": 10}),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        canvas = Canvas(figsize=(6.4, 0.9 + 0.3 * max(len(bars), 2)), layout="constrained")
        axes = canvas.subplots()
        _draw(axes, unit, [_short(key) for key, _ in bars], series, target)
        if series[0][0]:
            canvas.legend(loc="outside lower center", ncols=len(series), frameon=False)
        drawn = io.StringIO()
        canvas.savefig(drawn, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inlined(drawn.getvalue(), title)


def _draw(
    axes: Any,
    unit: str,
    keys: Sequence[str],
    series: Sequence[tuple[str, str, Sequence[float]]],
    target: float | None,
) -> None:
    places = range(len(keys))
    left = [0.0] * len(keys)
    for name, colour, values in series:
        axes.barh(places, values, left=left, color=colour, label=name or None, height=0.7)
        left = [start + value for start, value in zip(left, values, strict=True)]
    for place, end in zip(places, left, strict=True):
        # At the end of the axis, where neither a bar nor the target crosses them.
        axes.annotate(
            f"{end:,.1f}" if unit == "%" else f"{end:,.2f}",
            (1, place),
            (4, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
        )
    axes.set_yticks(places, keys)
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    axes.margins(y=0.02)
    axes.set_xlim(0, _BEYOND * max(*left, target or 0))
    if target is not None:
        axes.axvline(target, color=_TARGET_COLOUR, linestyle="--", linewidth=1.5)
        axes.annotate(
            f"target {target:g}",
            (target, 1),
            (0, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            color=_TARGET_COLOUR,
        )
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)


def _short(key: str) -> str:
    return key if len(key) <= 22 else f"{key[:21]}…"


def _inlined(svg: str, title: str) -> str:
    """The drawing alone, in the colour of the page's text, with a title for screen readers."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r' xmlns(:xlink)?="[^"]*"', "", body).replace("xlink:href", "href")
    ink = body.replace("#000000", "currentColor").replace("fill: black", "fill: currentColor")
    name = re.sub(r"\W+", "-", title.lower())
    # Ids are unique in a page, so those of several drawings must differ.
    ink = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", ink)
    ink = re.sub(r"'DejaVu Sans'[^;\"]*sans-serif", "system-ui, sans-serif", ink)
    ink = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', "", ink, count=1)
    return ink.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)
