"""Customs territories: addresses that were looked up one by one, each with where it is written."""

from __future__ import annotations

import pytest

from adapters.rpc.orders.people import person_of
from fulfilment.v1 import orders_pb2 as pb
from ledger.decisions.customs import Border, border
from ledger.nouns.suppliers import Supplier, SupplierRegistered, Warehouse
from ledger.terms.customs_territories import PARTS, compact, part_of, source_of, territory, territory_of
from ledger.terms.places import COUNTRIES, Destination
from tests.support.scenario import NOON

UCC = "Regulation (EU) 952/2013, Article 4"
VAT = "Directive 2006/112/EC, Article 6"
TFEU = "Treaty on the Functioning of the European Union, Annex II"

CHECKED = [
    # city, country, region, postal code, territory, where that is written
    ("Madrid", "ES", "M", "28001", "EU", UCC + "(1)"),
    ("Palma", "ES", "PM", "07001", "EU", UCC + "(1): the Balearics are not excepted"),
    ("Las Palmas", "ES", "Las Palmas", "35001", "ES-CN", VAT + "(1)(b)"),
    ("Adeje", "ES", "", "38670", "ES-CN", VAT + "(1)(b)"),
    ("Santa Cruz", "ES", "Santa Cruz de Tenerife", "", "ES-CN", VAT + "(1)(b)"),
    ("Ceuta", "ES", "CE", "51001", "ES-CE", UCC + "(1)"),
    ("Melilla", "ES", "", "52001", "ES-ML", UCC + "(1)"),
    ("Tirano", "IT", "SO", "23037", "EU", UCC + "(1): of Sondrio only Livigno is excepted"),
    ("Livigno", "IT", "SO", "23041", "IT-LIVIGNO", UCC + "(1)"),
    ("Campione d'Italia", "IT", "CO", "22061", "IT-CAMPIONE", VAT + "(1)(f); in the customs territory since 2020"),
    ("Campione d'Italia", "CH", "", "CH-6911", "IT-CAMPIONE", VAT + "(1)(f); its Swiss postal code"),
    ("Varese", "IT", "VA", "21100", "EU", UCC + "(1): VA is Varese, not the Vatican"),
    ("Dogana", "IT", "", "47891", "SM", "Agreement on Cooperation and Customs Union of 1991, with T2 papers"),
    ("San Marino", "SM", "", "47890", "SM", "Agreement on Cooperation and Customs Union of 1991, with T2 papers"),
    ("Rimini", "IT", "RN", "47921", "EU", UCC + "(1)"),
    ("Vatican City", "VA", "", "00120", "VA", "not named by " + UCC),
    ("Vatican City", "IT", "", "00120", "VA", "not named by " + UCC),
    ("Helgoland", "DE", "SH", "27498", "DE-HELGOLAND", UCC + "(1)"),
    ("Cuxhaven", "DE", "NI", "27472", "EU", UCC + "(1)"),
    ("Büsingen", "DE", "BW", "D-78266", "CH", "Treaty of 23 November 1964 between Germany and Switzerland"),
    ("Gottmadingen", "DE", "BW", "78244", "EU", UCC + "(1)"),
    ("Mittelberg", "AT", "8", "6993", "EU", UCC + "(1): the Kleinwalsertal is not excepted"),
    ("Vaduz", "LI", "", "9490", "CH", "Customs Treaty of 29 March 1923"),
    ("Samnaun", "CH", "GR", "7563", "CH-SAMNAUN", "Swiss Customs Act of 18 March 2005, Article 3(3)"),
    ("Scuol", "CH", "GR", "7550", "CH", "Swiss Customs Act of 18 March 2005, Article 3(1)"),
    ("Mariehamn", "FI", "", "22100", "AX", VAT + "(1)(d)"),
    ("Mariehamn", "AX", "", "22100", "AX", VAT + "(1)(d)"),
    ("Turku", "FI", "19", "20100", "EU", UCC + "(1)"),
    ("Karyes", "GR", "", "630 86", "GR-69", VAT + "(1)(a)"),
    ("Ouranoupoli", "GR", "", "630 75", "EU", UCC + "(1): the village before Mount Athos"),
    ("Belfast", "GB", "", "BT1 5GS", "EU", "Windsor Framework, Article 5"),
    ("Derry", "GB", "Northern Ireland", "", "EU", "Windsor Framework, Article 5"),
    ("Bath", "GB", "England", "BA1 1LT", "GB", "Taxation (Cross-border Trade) Act 2018"),
    ("Edinburgh", "GB", "SCT", "EH1 1YZ", "GB", "Taxation (Cross-border Trade) Act 2018"),
    ("Douglas", "IM", "", "IM1 2EA", "GB", "Customs and Excise Agreement of 1979"),
    ("Douglas", "GB", "", "IM1 2EA", "GB", "Customs and Excise Agreement of 1979"),
    ("St Helier", "JE", "", "JE2 3QA", "JE", "Customs arrangement of 26 November 2018; GST (Jersey) Law 2007"),
    ("St Helier", "GB", "", "je2 3qa", "JE", "Customs arrangement of 26 November 2018; GST (Jersey) Law 2007"),
    ("St Peter Port", "GB", "", "GY1 1WR", "GG", "Customs arrangement of 26 November 2018"),
    ("Gibraltar", "GI", "", "GX11 1AA", "GI", "not named by " + UCC),
    ("Monaco", "MC", "", "98000", "EU", UCC + "(2)(a)"),
    ("Monaco", "FR", "", "98000", "EU", UCC + "(2)(a)"),
    ("Andorra la Vella", "AD", "", "AD500", "AD", "Agreement of 28 June 1990: a union in which goods are declared"),
    ("Paris", "FR", "IDF", "75001", "EU", UCC + "(1)"),
    ("Ajaccio", "FR", "20R", "20000", "EU", UCC + "(1): Corsica is not excepted"),
    ("Saint-Denis", "FR", "", "97400", "RE", VAT + "(1)(c)"),
    ("Saint-Denis", "RE", "", "97400", "RE", VAT + "(1)(c)"),
    ("Pointe-à-Pitre", "FR", "Guadeloupe", "97110", "GP", VAT + "(1)(c)"),
    ("Fort-de-France", "FR", "", "97200", "MQ", VAT + "(1)(c)"),
    ("Cayenne", "FR", "GF", "", "GF", VAT + "(1)(c)"),
    ("Mamoudzou", "FR", "", "97600", "YT", VAT + "(1)(c)"),
    ("Marigot", "FR", "", "97150", "MF", VAT + "(1)(c)"),
    ("Gustavia", "FR", "", "97133", "BL", "European Council Decision 2010/718/EU"),
    ("Nouméa", "FR", "", "98800", "NC", TFEU),
    ("Papeete", "PF", "", "98714", "PF", TFEU),
    ("Willemstad", "NL", "CW", "", "CW", TFEU),
    ("Funchal", "PT", "30", "9000-017", "EU", UCC + "(1): Madeira and the Azores are not excepted"),
    ("Nuuk", "DK", "", "3900", "GL", TFEU),
    ("Nuuk", "GL", "", "3900", "GL", TFEU),
    ("Tórshavn", "FO", "", "100", "FO", "Treaty on the Functioning of the European Union, Article 355(5)(a)"),
    ("Tromsø", "NO", "55", "9008", "NO", "Norwegian Act on the Movement of Goods of 2022"),
    ("Longyearbyen", "NO", "", "9170", "SJ", "Svalbard Act of 17 July 1925"),
    ("Istanbul", "TR", "34", "34000", "TR", "Decision 1/95 of the Association Council: with A.TR papers"),
    ("San Juan", "PR", "", "00901", "US", "19 CFR 101.1"),
    ("San Juan", "US", "PR", "00901", "US", "19 CFR 101.1"),
    ("Charlotte Amalie", "US", "VI", "00802", "VI", "19 CFR 101.1 does not name it"),
    ("Hagåtña", "US", "", "96910", "GU", "19 CFR 101.1 does not name it"),
    ("Honolulu", "US", "HI", "96813", "US", "19 CFR 101.1"),
    ("Shenzhen", "CN", "Guangdong", "518000", "CN", "Customs Law of the People's Republic of China"),
    ("Kowloon", "CN", "Hong Kong", "999077", "HK", "Basic Law of Hong Kong, Article 116"),
    ("香港", "CN", "香港", "", "HK", "Basic Law of Hong Kong, Article 116"),
    ("Macao", "MO", "", "", "MO", "Basic Law of Macao, Article 112"),
    ("Taipei", "CN", "台湾", "", "TW", "WTO: Separate Customs Territory of Taiwan, Penghu, Kinmen and Matsu"),
    ("Kingston", "AU", "", "2899", "NF", "Customs Act 1901, section 4"),
]


@pytest.mark.parametrize(("city", "country", "region", "postal_code", "expected", "source"), CHECKED)
def test_the_customs_territory_is_found_from_what_of_an_address_stays_readable(
    city: str, country: str, region: str, postal_code: str, expected: str, source: str
):
    address = pb.Address(lines=["1 Elm Street"], city=city, region=region, postal_code=postal_code, country=country)
    readable = person_of(pb.Customer(), address, country).destination
    assert territory_of(readable) == expected, source
    assert territory(country, region, postal_code) == expected, source


@pytest.mark.parametrize(
    ("origin", "destination", "expected"),
    [
        (("ES", ""), Destination("ES", "", "35"), Border.CROSSED),
        (("ES", "Canarias"), Destination("ES", "", "38"), Border.NONE),
        (("ES", "Canarias"), Destination("ES", "", "28"), Border.CROSSED),
        (("FR", ""), Destination("FR", "", "98"), Border.NONE),
        (("FR", ""), Destination("FR", "", "974"), Border.CROSSED),
        (("FR", ""), Destination("RE"), Border.CROSSED),
        (("IE", ""), Destination("GB", "", "BT1"), Border.NONE),
        (("GB", ""), Destination("GB", "", "BT1"), Border.CROSSED),
        (("GB", "Northern Ireland"), Destination("DE"), Border.NONE),
        (("GB", ""), Destination("IM"), Border.NONE),
        (("GB", ""), Destination("JE"), Border.CROSSED),
        (("CH", ""), Destination("DE", "", "78266"), Border.NONE),
        (("DE", ""), Destination("DE", "", "78266"), Border.CROSSED),
        (("DE", ""), Destination("DE", "", "78"), Border.NONE),
        (("DE", ""), Destination("AX"), Border.CROSSED),
        (("CN", ""), Destination("CN", "HK"), Border.CROSSED),
        (("US", ""), Destination("PR"), Border.NONE),
        (("US", ""), Destination("", "PR"), Border.UNKNOWN),
    ],
)
def test_a_border_lies_between_customs_territories_not_countries(
    origin: tuple[str, str], destination: Destination, expected: Border
):
    house = Warehouse("main", *origin)
    supplier = Supplier(SupplierRegistered("acme", "Acme", NOON, country="XK", warehouses=(house,)))
    assert border(supplier, destination, "main") is expected


@pytest.mark.parametrize(
    ("country", "code", "expected"),
    [
        ("IT", "IT 23041", "IT-LIVIGNO"),
        ("IT", "IT23041", "IT-LIVIGNO"),
        ("ES", "ES 35001", "ES-CN"),
        ("FR", "F 97200", "MQ"),
        ("DE", "D\u00a027498", "DE-HELGOLAND"),
        ("DE", "\uff12\uff17\uff14\uff19\uff18", "DE-HELGOLAND"),
        ("GB", "BT11AA", "EU"),
    ],
)
def test_a_postal_code_is_understood_as_people_write_it(country: str, code: str, expected: str):
    assert territory(country, "", code) == expected
    address = pb.Address(postal_code=code)
    assert territory_of(person_of(pb.Customer(), address, country).destination) == expected


def test_of_most_addresses_no_more_of_the_postal_code_is_readable_than_a_district():
    for country, code, readable in (("DE", "78262", "78"), ("IT", "23030", "23"), ("DE", "27498", "27498")):
        address = pb.Address(postal_code=code)
        assert person_of(pb.Customer(), address, country).destination.postal_prefix == readable


def test_every_part_has_its_source_and_is_found_by_each_of_its_codes_and_names():
    for part in PARTS:
        assert part.country in COUNTRIES
        assert part.source
        for code in part.postal_codes.split():
            assert part_of(part.country, "", compact(code)) == part
        for region in filter(None, part.regions.split(", ")):
            found = part_of(part.country, region, "")
            assert found is not None
            assert found.territory == part.territory
            assert source_of(part.country, region) == part.source


def test_a_country_that_is_in_no_union_is_a_territory_by_itself():
    assert territory("JP", "Tokyo", "100-0001") == "JP"
    assert source_of("JP") == ""
    assert territory("") == ""
