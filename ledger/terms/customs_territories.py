"""Customs territories: between which addresses goods have to be declared (DOMAIN 4).

What counts is the declaration, not the duty: where goods between two places need customs papers, the places are in
different territories. So what is in the European Union's customs territory but outside its area of value added tax
counts as outside: goods for the Canaries are declared as goods for Switzerland are (Union Customs Code, Article 1(3)).

A territory is named by the ISO 3166-1 or 3166-2 code of what it consists of, the Union by EU. A country that stands
nowhere here is a territory of its own. Unions in which goods still need papers are not listed: Turkey, Andorra and San
Marino with the EU, the customs unions of the Gulf and of southern Africa.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from ledger.terms.places import Destination, plain

UNION = "EU"

_UNIONS = {
    UNION: (
        "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MC MT NL PL PT RO SE SI SK",
        "Union Customs Code (Regulation 952/2013), Article 4(1), and 4(2)(a) for Monaco",
    ),
    "CH": ("CH LI", "Customs Treaty between Switzerland and Liechtenstein of 1923"),
    "GB": ("GB IM", "Customs and Excise Agreement of 1979 between the United Kingdom and the Isle of Man"),
    "US": ("US PR", "19 CFR 101.1: the States, the District of Columbia and Puerto Rico"),
}
"""Countries without papers between them, and where that is agreed."""


class Part(NamedTuple):
    """A part of a country that is not in the territory of the rest."""

    country: str
    territory: str
    name: str
    postal_codes: str
    """What its postal codes begin with, and those of no other place of the country."""
    regions: str
    """How shops name it as a region: codes and names."""
    source: str


_CODE_4 = "Union Customs Code, Article 4(1), leaves it out"
_VAT_6 = "VAT Directive (2006/112/EC), Article 6(1), leaves it out"
_OVERSEAS = "Treaty on the Functioning of the EU, Annex II: an overseas territory, not in the Union"
_AUSTRALIA = "Customs Act 1901, section 4: Australia without its external territories"
_AMERICA = "19 CFR 101.1 does not name it"

PARTS = (
    Part("DE", "DE-HELGOLAND", "Heligoland", "27498", "Helgoland, Heligoland", _CODE_4),
    Part(
        "DE", "CH", "Büsingen", "78266", "Büsingen, Büsingen am Hochrhein, Buesingen",
        "Treaty of 1964 that takes Büsingen into the Swiss customs area; Union Customs Code, Article 4(1)",
    ),
    Part(
        "ES", "ES-CN", "Canary Islands", "35 38",
        "CN, GC, TF, Canarias, Islas Canarias, Canary Islands, Las Palmas, Santa Cruz de Tenerife, Tenerife", _VAT_6,
    ),
    Part("ES", "ES-CE", "Ceuta", "51", "CE, Ceuta", _CODE_4),
    Part("ES", "ES-ML", "Melilla", "52", "ML, Melilla", _CODE_4),
    Part("IT", "IT-LIVIGNO", "Livigno", "23041", "Livigno", _CODE_4),
    Part("IT", "IT-CAMPIONE", "Campione d'Italia", "22061", "Campione, Campione d'Italia", _VAT_6),
    Part(
        "IT", "SM", "San Marino", "4789", "SM, San Marino",
        "Customs union of 1991, with T2 papers; not in the area of the VAT Directive",
    ),
    Part("IT", "VA", "Vatican City", "00120", "Vatican City, Città del Vaticano", "not in Article 4 of the Code"),
    Part("FI", "AX", "Åland", "22", "01, AX, Åland, Åland Islands, Ahvenanmaa", _VAT_6),
    Part("GR", "GR-69", "Mount Athos", "63086 63087", "69, Mount Athos, Agion Oros, Agio Oros", _VAT_6),
    Part("FR", "GP", "Guadeloupe", "971", "971, GP, GUA, Guadeloupe", _VAT_6),
    Part("FR", "BL", "Saint-Barthélemy", "97133 977", "BL, Saint-Barthélemy", "European Council Decision 2010/718/EU"),
    Part("FR", "MF", "Saint-Martin", "97150 978", "MF, Saint-Martin", _VAT_6),
    Part("FR", "MQ", "Martinique", "972", "972, MQ, Martinique", _VAT_6),
    Part("FR", "GF", "French Guiana", "973", "973, GF, Guyane, Guyane française, French Guiana", _VAT_6),
    Part("FR", "RE", "Réunion", "974", "974, RE, LRE, Réunion, La Réunion", _VAT_6),
    Part("FR", "YT", "Mayotte", "976", "976, YT, MAY, Mayotte", _VAT_6),
    Part("FR", "PM", "Saint-Pierre-et-Miquelon", "975", "975, PM, Saint-Pierre-et-Miquelon", _OVERSEAS),
    Part("FR", "TF", "French Southern Territories", "984", "984, TF, Terres australes françaises", _OVERSEAS),
    Part("FR", "WF", "Wallis and Futuna", "986", "986, WF, Wallis-et-Futuna, Wallis and Futuna", _OVERSEAS),
    Part("FR", "PF", "French Polynesia", "987", "987, PF, Polynésie française, French Polynesia", _OVERSEAS),
    Part("FR", "NC", "New Caledonia", "988", "988, NC, Nouvelle-Calédonie, New Caledonia", _OVERSEAS),
    Part("FR", UNION, "Monaco", "980", "MC, Monaco", "Union Customs Code, Article 4(2)(a)"),
    Part("NL", "AW", "Aruba", "", "AW, Aruba", _OVERSEAS),
    Part("NL", "CW", "Curaçao", "", "CW, Curaçao", _OVERSEAS),
    Part("NL", "SX", "Sint Maarten", "", "SX, Sint Maarten", _OVERSEAS),
    Part("NL", "BQ", "Caribbean Netherlands", "", "BQ, BQ1, BQ2, BQ3, Bonaire, Saba, Sint Eustatius", _OVERSEAS),
    Part("DK", "GL", "Greenland", "39", "GL, Greenland, Grønland, Kalaallit Nunaat", _OVERSEAS),
    Part(
        "DK", "FO", "Faroe Islands", "", "FO, Faroe Islands, Færøerne, Føroyar",
        "Treaty on the Functioning of the EU, Article 355(5)(a)",
    ),
    Part(
        "GB", UNION, "Northern Ireland", "BT",
        "NIR, Northern Ireland, Antrim, County Antrim, Armagh, County Armagh, Down, County Down, Fermanagh, "
        "County Fermanagh, Londonderry, County Londonderry, Tyrone, County Tyrone",
        "Windsor Framework (Protocol on Ireland and Northern Ireland), Article 5(3) and (4)",
    ),
    Part(
        "GB", "JE", "Jersey", "JE", "JE, Jersey",
        "Customs arrangement of 2018 with the United Kingdom: no duty, but goods are declared for Jersey's own tax",
    ),
    Part(
        "GB", "GG", "Guernsey", "GY", "GG, GGY, Guernsey, Alderney, Sark",
        "Customs arrangement of 2018 with the United Kingdom: no duty, but outside its VAT, so goods are declared",
    ),
    Part("GB", "GI", "Gibraltar", "GX11", "GI, Gibraltar", "neither in Article 4 of the Code nor the UK's"),
    Part("NO", "SJ", "Svalbard and Jan Mayen", "917 8099", "21, 22, SJ, Svalbard, Jan Mayen", "Svalbard Act of 1925"),
    Part("CH", "CH-SAMNAUN", "Samnaun", "7562 7563", "Samnaun", "Swiss Customs Act, Article 3(3): excluded"),
    Part("CH", "IT-CAMPIONE", "Campione d'Italia", "6911", "", "the Swiss postal code it had until 2020"),
    Part("US", "VI", "US Virgin Islands", "008", "VI, Virgin Islands, US Virgin Islands", _AMERICA),
    Part("US", "GU", "Guam", "9691 9692 9693", "GU, Guam", _AMERICA),
    Part("US", "MP", "Northern Mariana Islands", "9695", "MP, Northern Mariana Islands, Saipan", _AMERICA),
    Part("US", "AS", "American Samoa", "96799", "AS, American Samoa", _AMERICA),
    Part("AU", "NF", "Norfolk Island", "2899", "NF, Norfolk Island", _AUSTRALIA),
    Part("AU", "CX", "Christmas Island", "6798", "CX, Christmas Island", _AUSTRALIA),
    Part("AU", "CC", "Cocos Islands", "6799", "CC, Cocos Islands, Cocos (Keeling) Islands", _AUSTRALIA),
    Part("CN", "HK", "Hong Kong", "999077", "HK, 91, Hong Kong, 香港", "Basic Law of Hong Kong, Article 116"),
    Part("CN", "MO", "Macao", "999078", "MO, 92, Macao, Macau, 澳门, 澳門", "Basic Law of Macao, Article 112"),
    Part(
        "CN", "TW", "Taiwan", "999079", "TW, 71, Taiwan, 台湾, 台灣, 臺灣",
        "a separate customs territory, as which it is a member of the World Trade Organization",
    ),
)  # fmt: skip
"""The parts of countries that customs treats otherwise than the rest, each with its source.

The Azores and Madeira, the Balearics, Jungholz and the Kleinwalsertal are in their country's territory, so they are not
here. Goods from Northern Ireland to Great Britain need no papers, goods the other way do; one answer for both is that
there is a border.
"""

_UNION_OF = {country: name for name, (members, _) in _UNIONS.items() for country in members.split()}
_BY_POSTAL_CODE: dict[str, list[tuple[str, Part]]] = {}
_BY_REGION: dict[tuple[str, str], Part] = {}

for _part in PARTS:
    _codes = _BY_POSTAL_CODE.setdefault(_part.country, [])
    _codes += [(code, _part) for code in _part.postal_codes.split()]
    _codes.sort(key=lambda entry: len(entry[0]), reverse=True)
    for _region in filter(None, _part.regions.split(", ")):
        for _name in (_region, _part.country + _region):
            _BY_REGION[_part.country, plain(_name)] = _part


@lru_cache(maxsize=10_000)
def territory(country: str, region: str = "", postal_code: str = "") -> str:
    """The customs territory of an address, of whose postal code the beginning is enough; empty without a country."""
    part = part_of(country, region, postal_code)
    return part.territory if part is not None else _UNION_OF.get(country, country)


def territory_of(place: Destination) -> str:
    return territory(place.country, place.region, place.postal_prefix)


def part_of(country: str, region: str, postal_code: str) -> Part | None:
    """The part of its country that an address is in, where customs treats it otherwise than the rest.

    A postal code says it more surely than the name of a region, which shops write as they like.
    """
    entries = _BY_POSTAL_CODE.get(country)
    if entries is None:
        return None
    code = compact(postal_code)
    found = next((part for prefix, part in entries if code.startswith(prefix)), None)
    return found or _BY_REGION.get((country, plain(region)))


def telling_postal_code(country: str, code: str) -> str:
    """As much of a compact postal code as tells the part of the country by; empty for most addresses."""
    for prefix, _ in _BY_POSTAL_CODE.get(country, ()):
        if code.startswith(prefix):
            return prefix
    return ""


def source_of(country: str, region: str = "", postal_code: str = "") -> str:
    """Where it is written in which territory an address is; empty for a country that is one by itself."""
    part = part_of(country, region, postal_code)
    if part is not None:
        return part.source
    return _UNIONS[_UNION_OF[country]][1] if country in _UNION_OF else ""


def compact(postal_code: str) -> str:
    """A postal code as it is compared, and without a country in front, as in ``F-97410`` or ``IT 23041``."""
    code = unicodedata.normalize("NFKC", postal_code)
    if "-" in code:
        before, _, after = code.partition("-")
        code = after if before.strip().isalpha() else code
    return _BEFORE_DIGITS.sub("", "".join(code.split()).upper())


_BEFORE_DIGITS = re.compile(r"^[A-Z]{1,2}(?=\d{4,}$)", re.ASCII)
"""A country in front of a code of digits alone; the letters of a British code have fewer digits behind them."""
