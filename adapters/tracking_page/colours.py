"""The brand's colour, made so that everybody can read what is written in it and on it (WCAG 2.2: 4.5 to 1)."""

from __future__ import annotations

from typing import NamedTuple

Rgb = tuple[int, int, int]

_LEAST = 4.6
"""A little more than what is asked for, since colours are rounded."""
LIGHT_GROUND: Rgb = (255, 255, 255)
DARK_GROUND: Rgb = (22, 25, 29)
DARK_SHEET: Rgb = (32, 37, 43)
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)
_STEPS = 50


class Palette(NamedTuple):
    """Colours as ``#rrggbb``."""

    ink: str
    """Links and headings on light ground."""
    ink_dark: str
    """The same on dark ground."""
    fill: str
    """Buttons, which are the brand's own colour."""
    on_fill: str


def palette(colour: str) -> Palette:
    """What is made of ``#rrggbb``."""
    own = _rgb(colour)
    on_fill = max((_WHITE, (21, 25, 30)), key=lambda each: contrast(own, each))
    fill = own if contrast(own, on_fill) >= _LEAST else _towards(own, on_fill, (_BLACK, _WHITE)[on_fill != _WHITE])
    return Palette(
        _hex(_towards(own, LIGHT_GROUND, _BLACK)),
        _hex(_towards(own, DARK_SHEET, _WHITE)),
        _hex(fill),
        _hex(on_fill),
    )


def _towards(colour: Rgb, ground: Rgb, end: Rgb) -> Rgb:
    """The nearest colour on the way to black or white that can be read on the ground."""
    for step in range(_STEPS + 1):
        r, g, b = (round(own + (last - own) * step / _STEPS) for own, last in zip(colour, end, strict=True))
        if contrast((r, g, b), ground) >= _LEAST:
            return (r, g, b)
    return end


def contrast(one: Rgb, other: Rgb) -> float:
    """From 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Rgb) -> float:
    r, g, b = (each / 255 for each in colour)
    return 0.2126 * _linear(r) + 0.7152 * _linear(g) + 0.0722 * _linear(b)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def _rgb(colour: str) -> Rgb:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _hex(colour: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
