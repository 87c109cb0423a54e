"""Money: currencies by their ISO 4217 codes, amounts in minor units, and amounts as people write them."""

from __future__ import annotations

from decimal import Decimal

from ledger.facts import Value
from ledger.refusals import Forbidden

_WITHOUT_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_TWO_DIGITS = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY
    COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
    INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR
    MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP
    STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
    ANG BGN CUC HRK SLL ZWL
"""
"""The currencies of the last line left ISO 4217 since 2021; refunds and claims of older orders still use them."""
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DIGITS = "CLF UYW"

_BY_DIGITS = {0: _WITHOUT_DIGITS, 2: _TWO_DIGITS, 3: _THREE_DIGITS, 4: _FOUR_DIGITS}
_MINOR_DIGITS = {code: digits for digits, codes in _BY_DIGITS.items() for code in codes.split()}

CURRENCIES = frozenset(_MINOR_DIGITS)
"""All that are in use. Metals, bonds, tests (XTS) and "no currency" (XXX) have no minor unit and are not among them."""


def minor_digits(currency: str) -> int:
    """Digits after the point: 2 for EUR, 0 for JPY, 3 for KWD; 2 for an unknown code, which old facts may have."""
    return _MINOR_DIGITS.get(currency, 2)


def amount(amount_minor: int, currency: str) -> str:
    """1234 in EUR as ``12.34``, in JPY as ``1,234``."""
    digits = minor_digits(currency)
    return f"{Decimal(amount_minor).scaleb(-digits):,.{digits}f}"


MOST_MINOR = 10**15
"""The largest amount that is taken, and the largest total of an order or a recovery, in minor units.

Ten trillion euros, or millions of dollars in rials. A sum of 9,000 such amounts fits 64 bits.
"""


class Money(Value, frozen=True):
    """An amount in minor units (cents, fen, yen) of an ISO 4217 currency."""

    amount_minor: int
    currency: str

    def __str__(self) -> str:
        return f"{amount(self.amount_minor, self.currency)} {self.currency}"


def in_64_bits(amount_minor: int) -> int:
    """The amount, limited to what 64 bits hold: for sums and products of amounts that are stored or answered.

    Facts from before amounts were bounded can exceed that, and so can many orders of the largest amounts.
    """
    return max(-(2**63), min(amount_minor, 2**63 - 1))


def round_half_up(dividend: int, divisor: int) -> int:
    """The quotient of two numbers that are not negative, in whole minor units; a half goes up."""
    return (2 * dividend + divisor) // (2 * divisor)


def share(total_minor: int, units: int, first: int, count: int) -> int:
    """What so many of all units are worth that cost a total together, from the unit ``first`` on, counted from 0.

    It is the difference of two rounded partial sums. So the shares of all units add up to the total to the last minor
    unit, in whatever parts they are taken.
    """
    if not units:
        return 0
    return round_half_up(total_minor * (first + count), units) - round_half_up(total_minor * first, units)


def largest_total(currency: str) -> Money:
    return Money(MOST_MINOR, currency)


class TotalTooLarge(Forbidden, reason="TOTAL_TOO_LARGE"):
    """What is recorded already and what is new add up to more than any total may be."""

    says = "the total of {of} would be {total}; {most} at most is taken"
    of: str
    total: Money
    most: Money
