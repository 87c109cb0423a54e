"""Amounts of money as people write them."""

from __future__ import annotations

from decimal import Decimal

_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
_MINOR_DIGITS = {**dict.fromkeys(_NO_DIGITS.split(), 0), **dict.fromkeys(_THREE_DIGITS.split(), 3)}
"""ISO 4217: most currencies have two digits after the point, these have none or three."""


def minor_digits(currency: str) -> int:
    return _MINOR_DIGITS.get(currency, 2)


def amount(amount_minor: int, currency: str) -> str:
    """1234 of EUR as ``12.34``."""
    digits = minor_digits(currency)
    return f"{Decimal(amount_minor).scaleb(-digits):,.{digits}f}"
