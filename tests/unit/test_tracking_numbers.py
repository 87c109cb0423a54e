"""Tracking numbers and carriers: odd numbers are warned about, and a carrier has one name however it is spelled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.rpc import shapes
from ledger.nouns.parcels import ParcelRegistered, ParcelStatus
from ledger.terms import carriers
from ledger.terms.carriers import carrier_name
from ledger.terms.tracking_numbers import oddities
from tests.support.scenario import a_shop, sent, the

DATA = Path(__file__).parents[3] / "shared" / "data"
COURIERS, SLUGS = DATA / "couriers", DATA / "aftership" / "courier_slugs.json"
needs_data = pytest.mark.skipif(not DATA.exists(), reason=f"{DATA} is not there")


def numbers(kind: str) -> Iterator[tuple[str, str]]:
    """Every number of the couriers' own examples. What posts number by the UPU's standard, China Post does."""
    for path in sorted(COURIERS.glob("*.json")):
        courier = json.loads(path.read_text())
        name = {"s10": "china-post"}.get(courier["courier_code"], courier["courier_code"])
        for each in courier["tracking_numbers"]:
            yield from ((name, number) for number in each["test_numbers"][kind])


@needs_data
def test_every_valid_number_of_the_couriers_passes():
    found = list(numbers("valid"))
    assert len(found) > 80
    odd = {n: o for name, n in found if (o := oddities(carrier_name(name), shapes.tracking_number(n)))}
    assert odd == {}


@needs_data
def test_every_invalid_number_of_the_couriers_is_warned_about():
    found = list(numbers("invalid"))
    assert len(found) > 40
    silent = [n for name, n in found if not oddities(carrier_name(name), shapes.tracking_number(n))]
    assert silent == []


@pytest.mark.parametrize(
    ("carrier", "number", "warning"),
    [
        ("china-post", "RB123456785CN", ()),
        ("china-post", "RB123456786CN", ("check digit is 6, 5 expected",)),
        ("china-post", "RB123456785XX", ("XX is no country",)),
        ("china-post", "RB00000003CN", ()),
        ("yanwen", "UG123456789YP", ()),
        ("yanwen", "RB123456786CN", ("check digit is 6, 5 expected",)),
        ("dhl", "00340434161094042557", ()),
        ("dhl", "00340434161094042558", ("check digit is 8, 7 expected",)),
        ("dhl", "P1", ("no known format of dhl",)),
        ("canada-post", "RB123456785CA", ()),
        ("zto-express", "anything", ()),
        ("a-man-with-a-van", "7", ()),
    ],
)
def test_what_is_odd_about_a_number_is_warned_about(carrier: str, number: str, warning: tuple[str, ...]):
    assert oddities(carrier, number) == warning


def test_a_digit_of_another_script_is_no_digit():
    assert oddities("yunexpress", "YT٢٢٢٩٥٢١٢٧٢١٦٤٤٤٦") == ("no known format of yunexpress",)


# --- at registration ------------------------------------------------------------------------------


def test_a_warning_is_recorded_when_the_parcel_is_registered_and_refuses_nothing():
    scenario = sent()
    facts = scenario.ship(number="3318810010")
    assert the(ParcelRegistered, facts).warnings == ("check digit is 0, 4 expected",)
    assert scenario.parcel("3318810010").warnings == ("check digit is 0, 4 expected",)
    scenario.scan(ParcelStatus.DELIVERED, number="3318810010")
    assert scenario.buckets() == {"delivered": 3}


def test_a_good_number_is_registered_without_a_warning():
    assert the(ParcelRegistered, a_shop().announce("3318810025")).warnings == ()


# --- carriers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("dhl", "dhl"),
        ("DHL", "dhl"),
        ("DHL Express", "dhl"),
        ("dhl_express", "dhl"),
        ("Fed-Ex", "fedex"),
        ("Federal Express", "fedex"),
        ("canada_post", "canada-post"),
        ("CanadaPost", "canada-post"),
        ("顺丰速运", "sf-express"),
        ("SF", "sf-express"),
        ("Zhong Tong", "zto-express"),
        ("燕文", "yanwen"),
        ("YunTu", "yunexpress"),
        ("Deutsche Post", "deutsch-post"),
        ("DHL Germany", "dhl-germany"),
        ("Correios  de_Portugal", "correios-de-portugal"),
    ],
)
def test_two_spellings_of_one_carrier_are_one_carrier(spelling: str, name: str):
    assert shapes.carrier(spelling) == name
    assert shapes.carrier(name) == name


def test_no_spelling_means_two_carriers():
    spellings = [carriers._key(each) for name, others in carriers._ALIASES.items() for each in (name, *others.split())]
    assert len(spellings) == len(set(spellings))


@needs_data
def test_the_names_are_aftership_s():
    slugs = json.loads(SLUGS.read_text())
    assert set(carriers._ALIASES) - set(slugs) == {"cainiao", "jd-express"}  # which it does not have
    # None of them is taken for another carrier.
    assert [slug for slug in slugs if carrier_name(slug) != slug] == []


@pytest.mark.parametrize("written", ["jd 0146-0000-3rf", "JD\u2011014600003RF", "JD014600003RF"])
def test_numbers_are_compared_without_spaces_dashes_and_case(written: str):
    assert shapes.tracking_number(written) == "JD014600003RF"
