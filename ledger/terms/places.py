"""Places: countries by their ISO 3166-1 codes, and destinations."""

from __future__ import annotations

import unicodedata

from ledger.facts import Value


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


COUNTRIES = _codes(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO
    JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR
    MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO
    RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV
    TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
    """
)
"""ISO 3166-1 alpha-2, and XK, which posts and customs use for Kosovo."""

OTHER_CODES = {"UK": "GB", "EL": "GR"}
"""Codes in use for a country that are not its own; ISO 3166-1 reserves them for that."""


def plain(region: str) -> str:
    """A region's name or code as it is compared: without accents, case, spaces and signs."""
    return "".join(c for c in unicodedata.normalize("NFKD", region).casefold() if c.isalnum())


class Destination(Value, frozen=True):
    """The part of an address that decisions and reports need; the rest is sealed."""

    country: str = ""
    """ISO 3166-1 alpha-2, upper case; empty when the shop did not give it."""
    region: str = ""
    """State or province, as the shop wrote it."""
    postal_prefix: str = ""
    """The first characters of the postal code, too few to find a house, and enough to find the customs territory."""
