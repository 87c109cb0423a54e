"""Amazon's marketplaces: their ids, and which of the three regional addresses of the API they are asked at."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

ENDPOINTS = {
    "na": "https://sellingpartnerapi-na.amazon.com",
    "eu": "https://sellingpartnerapi-eu.amazon.com",
    "fe": "https://sellingpartnerapi-fe.amazon.com",
}
SANDBOX = "https://sandbox."


class Marketplace(msgspec.Struct, frozen=True):
    """A country in which Amazon sells."""

    country: str
    marketplace_id: str
    region: str
    currency: str


_TABLE = (
    Marketplace("US", "ATVPDKIKX0DER", "na", "USD"),
    Marketplace("CA", "A2EUQ1WTGCTBG2", "na", "CAD"),
    Marketplace("MX", "A1AM78C64UM0Y8", "na", "MXN"),
    Marketplace("BR", "A2Q3Y263D00KWC", "na", "BRL"),
    Marketplace("IE", "A28R8C7NBKEWEA", "eu", "EUR"),
    Marketplace("ES", "A1RKKUPIHCS9HS", "eu", "EUR"),
    Marketplace("GB", "A1F83G8C2ARO7P", "eu", "GBP"),
    Marketplace("FR", "A13V1IB3VIYZZH", "eu", "EUR"),
    Marketplace("BE", "AMEN7PMS3EDWL", "eu", "EUR"),
    Marketplace("NL", "A1805IZSGTT6HS", "eu", "EUR"),
    Marketplace("DE", "A1PA6795UKMFR9", "eu", "EUR"),
    Marketplace("IT", "APJ6JRA9NG5V4", "eu", "EUR"),
    Marketplace("SE", "A2NODRKZP88ZB9", "eu", "SEK"),
    Marketplace("ZA", "AE08WJ6YKNBMC", "eu", "ZAR"),
    Marketplace("PL", "A1C3SOZRARQ6R3", "eu", "PLN"),
    Marketplace("EG", "ARBP9OOSHTCHU", "eu", "EGP"),
    Marketplace("TR", "A33AVAJ2PDY3EV", "eu", "TRY"),
    Marketplace("SA", "A17E79C6D8DWNP", "eu", "SAR"),
    Marketplace("AE", "A2VIGQ35RCS4UG", "eu", "AED"),
    Marketplace("IN", "A21TJRUUN4KGV", "eu", "INR"),
    Marketplace("SG", "A19VAU5U5O7RUS", "fe", "SGD"),
    Marketplace("AU", "A39IBJ37TRP1C6", "fe", "AUD"),
    Marketplace("JP", "A1VC38T7YXB528", "fe", "JPY"),
)
_BY_NAME = {name: each for each in _TABLE for name in (each.country, each.marketplace_id)}
_BY_NAME["UK"] = _BY_NAME["GB"]


def marketplace(name: str) -> Marketplace | None:
    """By its id, or by the two letters of its country."""
    return _BY_NAME.get(name.strip().upper())


def marketplaces(names: str) -> Sequence[Marketplace]:
    """Those that a setting names, with commas between them; raises ValueError unless all are of one region."""
    named = [each.strip() for each in names.split(",") if each.strip()]
    found = {name: marketplace(name) for name in named}
    unknown = sorted(name for name, one in found.items() if one is None)
    if unknown or not named:
        raise ValueError(f"marketplaces are countries such as DE, or ids of marketplaces: {', '.join(unknown)[:80]}")
    there = [one for one in found.values() if one is not None]
    if len({one.region for one in there}) > 1:
        raise ValueError("marketplaces are of several regions: make a connection for each, as each has its own token")
    return list({one.marketplace_id: one for one in there}.values())
