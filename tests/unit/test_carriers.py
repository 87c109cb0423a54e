"""The table of carriers, held against the couriers and the lists of the collection."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from adapters.tracking import carriers
from ledger.terms.carriers import carrier_name
from ledger.terms.tracking_numbers import oddities

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason=f"{DATA} is not there")

NOT_LISTED = {
    "cainiao": "younger than the list",
    "jd-express": "younger than the list",
}
CHINESE = (
    *("sf-express", "china-post", "china-ems", "yanwen", "yunexpress", "zto-express", "yto", "sto", "yundaex"),
    *("cainiao", "jd-express", "4px"),
)
WORLD = (
    *("dhl", "dhl-germany", "fedex", "ups", "usps", "canada-post", "royal-mail", "australia-post", "deutsch-post"),
    *("la-poste-colissimo", "dpd", "gls", "amazon", "landmark-global", "ontrac", "postnl", "brazil-correios"),
)


def site(url: str) -> str:
    """The last two parts of the host: dhl.com."""
    return ".".join((urlsplit(url).hostname or "").split(".")[-2:])


@needs_data
def test_every_courier_of_the_collection_has_a_row_a_format_and_a_page_at_the_same_site():
    for path in sorted((DATA / "couriers").glob("*.json")):
        courier = json.loads(path.read_text())
        name = {"s10": "china-post"}.get(courier["courier_code"], carrier_name(courier["courier_code"]))
        row = carriers.known(name)
        assert row is not None, name
        assert oddities(name, "NO NUMBER OF ANYBODY") or name == "china-post", name  # it has a format to miss
        for each in courier["tracking_numbers"]:
            if each.get("tracking_url"):
                page = carriers.tracking_page(name, each["test_numbers"]["valid"][0].replace(" ", ""))
                assert site(page) == site(each["tracking_url"]), name


@needs_data
def test_aftership_knows_every_carrier_by_the_slug_that_it_is_told():
    slugs = set(json.loads((DATA / "aftership" / "courier_slugs.json").read_text()))
    assert {each.name for each in carriers.all_carriers() if each.slug not in slugs} == {*NOT_LISTED}


@pytest.mark.parametrize("name", CHINESE)
def test_a_chinese_carrier_has_a_chinese_name_and_somebody_who_follows_it(name: str):
    row = carriers.known(name)
    assert row is not None
    assert row.chinese
    assert any("\u4e00" <= sign <= "\u9fff" for sign in row.chinese)
    assert row.slug or row.kuaidi100 or row.seventeentrack


@pytest.mark.parametrize("name", [*CHINESE, *WORLD])
def test_a_carrier_is_found_by_each_name_that_a_tracker_has_for_it(name: str):
    row = carriers.known(name)
    assert row is not None
    assert carriers.of_aftership(row.slug.upper()) == name
    for found in (
        row.seventeentrack and carriers.of_seventeentrack(row.seventeentrack, "other"),
        row.kuaidi100 and carriers.of_kuaidi100(row.kuaidi100),
        row.easypost and carriers.of_easypost(row.easypost.lower()),
        row.shippo and carriers.of_shippo(row.shippo),
    ):
        assert not found or found == name
    assert carrier_name(row.title) == name or carrier_name(row.name) == name


def test_every_page_is_one_of_https_and_holds_the_number_and_nothing_else_of_it():
    for each in carriers.all_carriers():
        page = carriers.tracking_page(each.name, "A&B/1?x=#")
        assert page.startswith("https://")
        assert "A%26B%2F1%3Fx%3D%23" in page
    assert carriers.tracking_page("somebody-new", "N1") == "https://t.17track.net/en#nums=N1"
