"""Currencies by their ISO 4217 codes, how many digits each has after the point, and amounts as people write them."""

from __future__ import annotations

from decimal import Decimal

_WITHOUT_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_TWO_DIGITS = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY
    COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
    INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR
    MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP
    STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
    ANG BGN CUC HRK SLL ZWL
"""
"""The last line left the list of ISO 4217 since 2021: refunds and claims of orders of before are still in them."""
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DIGITS = "CLF UYW"

_BY_DIGITS = {0: _WITHOUT_DIGITS, 2: _TWO_DIGITS, 3: _THREE_DIGITS, 4: _FOUR_DIGITS}
_MINOR_DIGITS = {code: digits for digits, codes in _BY_DIGITS.items() for code in codes.split()}

CURRENCIES = frozenset(_MINOR_DIGITS)
"""All that are in use. Metals, bonds, tests (XTS) and "no currency" (XXX) have no minor unit and are not among them."""


def minor_digits(currency: str) -> int:
    """Digits after the point: 2 of EUR, 0 of JPY, 3 of KWD; 2 of what is no currency, as a fact of before may say."""
    return _MINOR_DIGITS.get(currency, 2)


def amount(amount_minor: int, currency: str) -> str:
    """1234 of EUR as ``12.34``, of JPY as ``1,234``."""
    digits = minor_digits(currency)
    return f"{Decimal(amount_minor).scaleb(-digits):,.{digits}f}"
