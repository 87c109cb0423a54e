"""Tracking numbers: what is odd about one, by its carrier's formats and check digits (DOMAIN 4).

An odd number causes a warning and never a refusal: carriers invent formats faster than tables follow.
The formats are those that carriers publish; S10 is the standard of the Universal Postal Union.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ledger.terms.places import COUNTRIES

Expected = Callable[[str], str]
"""The check character that belongs to a serial number."""


def _weighted_mod_10(even: int, odd: int) -> Expected:
    """Digits from the left times two weights in turn, filled up to the next ten; letters count as UPS defines."""

    def expected(serial: str) -> str:
        values = (int(c) if c.isdigit() else (ord(c) - 3) % 10 for c in serial)
        total = sum(value * (odd if place % 2 else even) for place, value in enumerate(values))
        return str(-total % 10)

    return expected


def _mod_7(serial: str) -> str:
    return str(int(serial) % 7)


def _weighted_mod_11_10(*weights: int) -> Expected:
    """FedEx: the weighted sum modulo 11, ten as zero."""
    return lambda serial: str(sum(w * int(c) for w, c in zip(weights, serial, strict=True)) % 11 % 10)


def _mod_37_36(serial: str) -> str:
    """ISO 7064 mod 37,36 over digits and letters, as DPD uses it."""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    carry = 36
    for character in serial:
        carry = (carry + alphabet.index(character)) % 36 or 36
        carry = carry * 2 % 37
    return alphabet[(37 - carry) % 36]


def _s10(serial: str) -> str:
    rest = 11 - sum(w * int(c) for w, c in zip((8, 6, 4, 2, 3, 5, 9, 7), serial, strict=True)) % 11
    return {10: "0", 11: "5"}.get(rest, str(rest))


class Format(NamedTuple):
    """A shape of numbers. ``serial`` and ``check`` are groups of the shape where it has a check digit."""

    shape: re.Pattern[str]
    expected: Expected | None = None
    before_serial: str = ""
    """What the check digit includes although labels omit it."""

    def oddity(self, number: str) -> str | None:
        """None if the number has another shape, else what is wrong with it, if anything."""
        match = self.shape.fullmatch(number)
        if match is None:
            return None
        groups = match.groupdict()
        if (country := groups.get("country")) is not None and country not in COUNTRIES:
            return f"{country} is no country"
        if self.expected is not None:
            expected = self.expected(self.before_serial + groups["serial"])
            if groups["check"] != expected:
                return f"check digit is {groups['check']}, {expected} expected"
        return ""


def _format(shape: str, expected: Expected | None = None, before_serial: str = "") -> Format:
    return Format(re.compile(shape, re.ASCII), expected, before_serial)


_FEDEX_34 = _weighted_mod_11_10(1, 7, 3, 1, 7, 3, 1, 7, 3, 1, 7, 3, 1)
_FEDEX_12 = _weighted_mod_11_10(3, 1, 7, 3, 1, 7, 3, 1, 7, 3, 1)
_UPS = _weighted_mod_10(1, 2)
_SSCC = _weighted_mod_10(3, 1)
_S10 = _format(r"[A-Z]{2}(?P<serial>\d{8})(?P<check>\d)(?P<country>[A-Z]{2})", _s10)

_FORMATS: dict[str, Sequence[Format]] = {
    "amazon": (_format(r"TB[ACM]\d{12}"), _format(r"[AFC]\d{10}")),
    "canada-post": (_format(r"(?P<serial>\d{15})(?P<check>\d)", _weighted_mod_10(3, 1)), _S10),
    "dhl": (
        _format(r"(?P<serial>\d{9,10})(?P<check>\d)", _mod_7),
        _format(r"J[A-Z]{2,3}\d{9,10}"),
        _format(r"JJ?D\d{16,20}"),
        _format(r"00(?P<serial>\d{17})(?P<check>\d)", _SSCC),
        _format(r"(?:GM|LX|RX|UV|CN|SG|TH|IN|HK|MY)(?=\D*\d)[0-9A-Z]{10,39}"),
        _format(r"\d{14}"),
    ),
    "dpd": (
        _format(r"(?P<serial>\d{27})(?P<check>[0-9A-Z])", _mod_37_36),
        _format(r"(?P<serial>\d{14})(?P<check>[0-9A-Z])", _mod_37_36),
    ),
    "fedex": (
        _format(r"(?P<serial>\d{11})(?P<check>\d)", _FEDEX_12),
        _format(r"(?P<serial>\d{14})(?P<check>\d)", _weighted_mod_10(1, 3)),
        _format(r"\d{2}(?P<serial>\d{15})(?P<check>\d)", _SSCC),
        _format(r"96\d{5}(?P<serial>\d{14})(?P<check>\d)", _weighted_mod_10(1, 3)),
        _format(r"3\d{15}(?P<serial>\d{11})(?P<check>\d)\d{4}", _FEDEX_12),
        _format(r"[0-8]\d{19}(?P<serial>\d{13})(?P<check>\d)", _FEDEX_34),
        _format(r"96\d{18}(?P<serial>\d{13})(?P<check>\d)", _FEDEX_34),
    ),
    "landmark-global": (_format(r"LTN\d{8}N1"),),
    "ontrac": (
        _format(r"C(?P<serial>\d{13})(?P<check>\d)", _UPS, "4"),
        _format(r"D(?P<serial>\d{13})(?P<check>\d)", _UPS, "5"),
    ),
    "ups": (
        _format(r"1Z(?P<serial>[A-Z0-9]{15})(?P<check>\d)", _UPS),
        _format(r"[AHJKTV](?P<serial>\d{9})(?P<check>\d)", _UPS),
    ),
    "yanwen": (_format(r"[A-Z]{2}\d{9}YP"), _S10),
    "yunexpress": (_format(r"YT\d{16}"),),
}
"""The shapes of carriers that publish them. For another carrier only what looks like S10 is checked: most
posts of the world use it, and nobody else does."""


_BETWEEN = re.compile(r"[\s\-\u2010-\u2015\u2212]+")


def compact(number: str) -> str:
    """A number as it is compared: two spellings of one number are one number (DOMAIN 4)."""
    return _BETWEEN.sub("", number).upper()


def oddities(carrier: str, number: str) -> tuple[str, ...]:
    """What is odd about a carrier's number, written in capitals, without spaces and dashes; nothing if it fits."""
    formats = _FORMATS.get(carrier)
    found = [oddity for each in formats or (_S10,) if (oddity := each.oddity(number)) is not None]
    if not found:
        return (f"no known format of {carrier}",) if formats else ()
    return () if "" in found else (found[0],)
