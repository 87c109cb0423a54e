"""Charts of bars as SVG, to stand in a page of HTML beside their figures; the page's styles colour them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple
from unicodedata import east_asian_width

_WIDTH, _KEYS, _FIGURES = 680, 232, 92
_LEFT, _RIGHT = _KEYS, _WIDTH - _FIGURES
_ROW, _BAR, _TOP, _BOTTOM = 26, 18, 26, 44
_BEYOND = 1.04
"""How far an axis extends beyond the longest bar, which would look cut off otherwise."""
_NARROW = frozenset("fijlrtI.,:;'|!()[]/- ")
MISSED = "missed"


class Drawn(NamedTuple):
    """A bar: whose it is, its parts, the figure at its end, and what it should be."""

    key: str
    parts: Sequence[float]
    figure: str
    target: float | None = None
    missed: bool = False
    """Whether the target is not kept, which gives the bar another colour."""


def chart(title: str, unit: str, bars: Sequence[Drawn], series: Sequence[tuple[str, str]] = ()) -> str:
    """Horizontal bars, the first on top; with parts where series name and style them, and with their targets."""
    longest = max([*(sum(bar.parts) for bar in bars), *(bar.target or 0 for bar in bars)], default=0)
    scale = (_RIGHT - _LEFT) / (_BEYOND * longest) if longest else 0
    bottom = _TOP + _ROW * len(bars)
    styles = [style for _, style in series] or [""]
    body = [
        *_axis(unit, longest, scale, bottom, whole=all(isinstance(part, int) for bar in bars for part in bar.parts)),
        *(part for place, bar in enumerate(bars) for part in _bar(bar, _TOP + _ROW * place, scale, styles)),
        *_targets(bars, scale),
    ]
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {bottom + _BOTTOM}" role="img" aria-label="{escape(title)}: '
        f'the figures stand in the table beside it">{"".join(body)}</svg>{_legend(bars, series)}</figure>'
    )


def _axis(unit: str, longest: float, scale: float, bottom: int, *, whole: bool) -> Iterator[str]:
    for tick in _ticks(longest, whole):
        at = _LEFT + tick * scale
        yield f'<path class="grid" d="M{at:.1f} {_TOP}V{bottom}"/>'
        yield _text(at, bottom + 16, f"{tick:,g}" if tick < 1e6 else f"{tick:,.0f}", "middle", "tick")
    yield f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}"/>'
    if unit:
        yield _text((_LEFT + _RIGHT) / 2, bottom + 34, unit, "middle", "tick")


def _ticks(longest: float, whole: bool) -> list[float]:
    """Round figures from nought on, some five of them; of what is counted no fractions."""
    if not longest:
        return [0]
    rough = max(longest / 4, 1) if whole else longest / 4
    size = 10.0 ** math.floor(math.log10(rough))
    steps = (1, 2, 5, 10) if whole else (1, 2, 2.5, 5, 10)
    step = next(each * size for each in steps if each * size >= rough)
    return [step * count for count in range(math.floor(longest / step * (1 + 1e-9)) + 1)]


def _bar(bar: Drawn, top: float, scale: float, styles: Sequence[str]) -> Iterator[str]:
    middle, left = top + _ROW / 2, float(_LEFT)
    yield _text(_LEFT - 8, middle + 4, _short(bar.key), "end", "", bar.key)
    for length, style in zip(bar.parts, styles, strict=False):
        if length > 0:
            used = MISSED if bar.missed else style
            yield (
                f'<rect class="bar {used}" x="{left:.1f}" y="{top + (_ROW - _BAR) / 2:g}" '
                f'width="{length * scale:.1f}" height="{_BAR}"/>'
            )
            left += length * scale
    yield _text(_RIGHT + 8, middle + 4, bar.figure, "start", "")


def _targets(bars: Sequence[Drawn], scale: float) -> Iterator[str]:
    """A line across each bar, which is one line where all should be the same; then it is named."""
    wanted = {bar.target for bar in bars if bar.target is not None}
    for place, bar in enumerate(bars):
        if bar.target is not None:
            top = _TOP + _ROW * place
            yield f'<path class="target" d="M{_LEFT + bar.target * scale:.1f} {top}V{top + _ROW}"/>'
    if len(wanted) == 1:
        (target,) = wanted
        yield _text(_LEFT + target * scale, _TOP - 8, f"target {target:g}", "middle", "goal")


def _legend(bars: Sequence[Drawn], series: Sequence[tuple[str, str]]) -> str:
    entries = [(style, name) for name, style in series if name]
    if any(bar.missed for bar in bars):
        entries.append((MISSED, "target missed"))
    keys = [f'<span><i class="{style}"></i>{escape(name)}</span>' for style, name in entries]
    if any(bar.target is not None for bar in bars):
        keys.append('<span><i class="goal"></i>target</span>')
    return f"<figcaption>{''.join(keys)}</figcaption>" if keys else ""


def _text(x: float, y: float, text: str, anchor: str, style: str, whole: str = "") -> str:
    """Text stays text; what had to be cut short is told whole where a pointer rests on it."""
    named = f"<title>{escape(whole)}</title>" if whole not in ("", text) else ""
    styled = f' class="{style}"' if style else ""
    return f'<text{styled} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{named}{escape(text)}</text>'


def _short(key: str) -> str:
    """As much of it as its column has room for, whatever the reader's own letters look like."""
    widths = [_letter(each) for each in key]
    if sum(widths) <= _KEYS - 12:
        return key
    room, taken = _KEYS - 26.0, 0
    while room >= widths[taken]:
        room -= widths[taken]
        taken += 1
    return f"{key[:taken].rstrip()}…"


def _letter(letter: str) -> float:
    """About how wide it is at most, at 13 pixels."""
    if east_asian_width(letter) in "WF":
        return 13.5
    if letter in _NARROW:
        return 5
    return 11 if letter in "mwMW@%" else 9.5 if letter.isupper() else 7.9
