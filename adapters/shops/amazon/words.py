"""Amazon's words for carriers; one that it does not list is told as "Other" with its name."""

from __future__ import annotations

from adapters.tracking import carriers

_CODES = {
    "4px": "4PX",
    "amazon": "Amazon Shipping",
    "asendia": "Asendia",
    "australia-post": "Australia Post",
    "brazil-correios": "Correios",
    "canada-post": "Canada Post",
    "china-post": "China Post",
    "deutsch-post": "Deutsche Post",
    "dhl": "DHL",
    "dhl-germany": "DHL",
    "dhl-global-mail": "DHL eCommerce",
    "dpd": "DPD",
    "fedex": "FedEx",
    "gls": "GLS",
    "la-poste-colissimo": "La Poste",
    "ontrac": "OnTrac",
    "royal-mail": "Royal Mail",
    "sf-express": "SF Express",
    "ups": "UPS",
    "usps": "USPS",
    "yanwen": "Yanwen",
    "yunexpress": "Yun Express",
}


def carrier_code(carrier: str) -> str:
    """By our name; empty for one that Amazon does not list."""
    return _CODES.get(carrier, "")


def carrier_title(carrier: str) -> str:
    """As a buyer reads it."""
    known = carriers.known(carrier)
    return known.title if known is not None else carrier.replace("-", " ").title()
