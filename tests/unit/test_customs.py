"""Customs: what must be known before goods cross a border, and who waits until it is."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ledger.decisions import customs
from ledger.decisions.customs import (
    Border,
    CustomsDataMissing,
    DeclaredTotalDiffers,
    border,
)
from ledger.facts import LineNo, Sealed
from ledger.nouns.orders import (
    CustomsLine,
    Header,
    HoldReason,
    Line,
    OrderClosed,
    OrderOnHold,
    UnknownOrder,
    holds_on,
)
from ledger.nouns.orders.supplier_orders import UnknownLine
from ledger.terms.money import Money
from ledger.terms.places import COUNTRIES, Destination
from ledger.terms.shipping import Incoterm
from tests.support.scenario import (
    FIRST,
    GERMANY,
    HOUR,
    NOON,
    SECOND,
    Scenario,
    accept,
    line,
    names,
    refused,
    reject,
)

KNOWN: dict[str, Any] = {"title": "Tea", "hs_code": "090210", "origin": "CN", "weight_grams": 100}
ALL_OF_LINE_1 = (
    "lines[0].title",
    "lines[0].hs_code",
    "lines[0].origin",
    "lines[0].weight_grams",
)
CODES = Path(__file__).parents[3] / "shared" / "data" / "codes" / "harmonized-system.csv"


def a_chinese_shop() -> Scenario:
    """Acme sits in China, Bolt in Germany; both have 10 of tea and of mugs."""
    scenario = Scenario()
    for supplier_id, country in (("acme", "CN"), ("bolt", "DE")):
        scenario.approve(supplier_id, country=country)
        scenario.feed(10, "tea", supplier_id)
        scenario.feed(10, "mug", supplier_id)
    return scenario


def sent_abroad(**more: Any) -> Scenario:
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3, **KNOWN), incoterm=Incoterm.DDP, **more)
    scenario.send()
    return scenario


def customs_line(line_no: int = 1, **more: Any) -> CustomsLine:
    return CustomsLine(LineNo(line_no), **more)


def missing(scenario: Scenario) -> list[tuple[str, tuple[str, ...]]]:
    """The holds for customs data: which supplier order waits, and for what."""
    return [(h.supplier_order_id, h.missing) for h in scenario.order().holds if h.reason is HoldReason.CUSTOMS_DATA]


# --- borders --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "destination", "expected"),
    [
        ("DE", "DE", Border.NONE),
        ("FR", "DE", Border.NONE),
        ("CH", "LI", Border.NONE),
        ("CN", "DE", Border.CROSSED),
        ("DE", "CH", Border.CROSSED),
        ("GB", "IE", Border.CROSSED),
        ("CN", "HK", Border.CROSSED),
        ("", "DE", Border.UNKNOWN),
        ("CN", "", Border.UNKNOWN),
        ("", "", Border.UNKNOWN),
    ],
)
def test_a_border_lies_between_countries_of_different_customs_unions(origin: str, destination: str, expected: Border):
    scenario = Scenario()
    scenario.approve("acme", country=origin)
    assert border(scenario.supplier(), Destination(destination)) is expected


def test_a_supplier_that_nobody_registered_has_no_country():
    assert border(None, Destination("DE")) is Border.UNKNOWN


def test_the_countries_are_the_249_of_the_standard_and_kosovo():
    assert len(COUNTRIES) == 250


# --- the hold ---------------------------------------------------------------------------------------


def test_an_order_that_crosses_a_border_waits_for_every_field_that_is_missing():
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3), line(2, "mug", 1, **{**KNOWN, "hs_code": "6912", "origin": "XX"}))
    assert scenario.header() is Header.ON_HOLD
    assert missing(scenario) == [("", ("incoterm", *ALL_OF_LINE_1, "lines[1].hs_code", "lines[1].origin"))]
    assert scenario.stock().held == 3


def test_a_complete_order_crosses_the_border_without_a_hold():
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3, **KNOWN), incoterm=Incoterm.DAP)
    assert scenario.header() is Header.CONFIRMED


def test_within_a_country_or_a_union_nothing_is_asked():
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3, "bolt"), destination=Destination("FR"))
    assert (scenario.header(), missing(scenario)) == (Header.CONFIRMED, [])


def test_only_lines_that_cross_the_border_are_asked_about():
    scenario = a_chinese_shop()
    scenario.place(line(1, "mug", 1, "bolt"), line(2, "tea", 1, **{**KNOWN, "title": ""}), incoterm=Incoterm.DDP)
    assert missing(scenario) == [("", ("lines[1].title",))]


def test_goods_worth_nothing_need_a_declared_value():
    scenario = a_chinese_shop()
    scenario.place(
        Line(LineNo(1), "tea", 1, 0, supplier_id="acme", **KNOWN),
        Line(LineNo(2), "mug", 1, 0, supplier_id="acme", declared_value_minor=300, **KNOWN),
        incoterm=Incoterm.DDP,
    )
    assert missing(scenario) == [("", ("lines[0].unit_price_minor",))]


@pytest.mark.parametrize("code", ["", "09021", "tea leaf", "0902100000000", "٠٩٠٢١٠"])
def test_an_hs_code_has_six_to_twelve_digits(code: str):
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3, **{**KNOWN, "hs_code": code}), incoterm=Incoterm.DDP)
    assert missing(scenario) == [("", ("lines[0].hs_code",))]


def test_every_code_of_the_harmonized_system_is_one():
    if not CODES.exists():
        pytest.skip(f"{CODES} is not there")
    with CODES.open(encoding="utf-8", newline="") as file:
        codes = [row["hscode"] for row in csv.DictReader(file) if row["level"] == "6"]
    assert len(codes) > 5000
    assert all(customs.HS_CODE.fullmatch(code) for code in codes)


def test_completing_the_order_releases_the_hold_and_confirms_it():
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3))
    facts = scenario.complete(line(1, "tea", 3, **KNOWN), incoterm=Incoterm.DDP)
    assert names(facts)[:2] == ["details_completed", "hold_released"]
    assert scenario.header() is Header.CONFIRMED


def test_an_address_that_comes_later_asks_for_customs_data():
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3), has_address=False, destination=Destination())
    assert scenario.holds() == [HoldReason.INCOMPLETE]
    scenario.complete(has_address=True, destination=GERMANY, customer=Sealed("key-anna", b"Berlin"))
    assert scenario.holds() == [HoldReason.CUSTOMS_DATA]


def test_a_supplier_that_is_registered_later_asks_for_customs_data_before_confirmation():
    scenario = Scenario()
    scenario.place(line(1, "tea", 3))
    assert scenario.holds() == [HoldReason.OTHER]
    scenario.approve("acme", country="CN")
    assert names(scenario.release(HoldReason.OTHER)) == ["hold_released", "hold_placed", "wait_ended"]
    assert scenario.holds() == [HoldReason.CUSTOMS_DATA]
    assert scenario.order().confirmed_at is None


# --- completing customs data --------------------------------------------------------------------------


def test_customs_data_can_come_in_piece_by_piece_and_the_hold_names_what_is_left():
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3))
    scenario.complete_customs(customs_line(title="Tea", hs_code="090210"))
    assert missing(scenario) == [("", ("incoterm", "lines[0].origin", "lines[0].weight_grams"))]
    facts = scenario.complete_customs(customs_line(origin="CN", weight_grams=100), incoterm=Incoterm.DAP)
    assert names(facts)[:2] == ["customs_data_completed", "hold_released"]
    assert scenario.header() is Header.CONFIRMED


def test_the_same_customs_data_again_records_nothing():
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3))
    scenario.complete_customs(customs_line(title="Tea"), incoterm=Incoterm.DAP)
    assert scenario.complete_customs(customs_line(title="Tea"), incoterm=Incoterm.DAP) == []


def test_customs_data_of_a_line_that_is_not_there_is_refused():
    scenario = sent_abroad()
    with refused(UnknownLine, "order shopify/1 has no line 7", line_no=7):
        scenario.complete_customs(customs_line(7, title="Tea"))


def test_customs_data_of_an_unknown_or_cancelled_order_is_refused():
    scenario = a_chinese_shop()
    with refused(UnknownOrder, "there is no order shopify/1"):
        scenario.complete_customs(customs_line(title="Tea"))
    scenario.place(line(1, "tea", 3))
    scenario.cancel()
    with refused(OrderClosed, "order shopify/1 is cancelled"):
        scenario.complete_customs(customs_line(title="Tea"))


def test_a_declared_total_is_the_sum_of_the_lines():
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3, **KNOWN), line(2, "mug", 2, **KNOWN))
    with refused(
        DeclaredTotalDiffers, "26.00 EUR declared, the lines add up to 25.00 EUR", lines_minor=2500, currency="EUR"
    ):
        scenario.complete_customs(incoterm=Incoterm.DDP, declared=Money(2600, "EUR"))
    with refused(DeclaredTotalDiffers, "25.00 USD declared, the lines add up to 25.00 EUR", declared_currency="USD"):
        scenario.complete_customs(incoterm=Incoterm.DDP, declared=Money(2500, "USD"))
    scenario.complete_customs(incoterm=Incoterm.DDP, declared=Money(2500, "EUR"))
    assert scenario.header() is Header.CONFIRMED


def test_a_declared_value_counts_before_the_price_and_what_is_cancelled_does_not_count():
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3, **KNOWN), line(2, "mug", 2, **KNOWN))
    scenario.cancel({2: 1})
    total = Money(3 * 700 + 500, "EUR")
    scenario.complete_customs(customs_line(declared_value_minor=700), incoterm=Incoterm.DDP, declared=total)
    assert customs.total_of(scenario.order()) == total


def test_cancelling_what_lacks_customs_data_ends_the_wait():
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3), line(2, "mug", 1, "bolt"))
    assert "hold_released" in names(scenario.cancel({1: 3}))
    assert missing(scenario) == []


# --- after confirmation -------------------------------------------------------------------------------


def test_only_the_supplier_order_that_crosses_the_border_waits():
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3), line(2, "mug", 1, "bolt"), destination=Destination("CN"), incoterm=Incoterm.DDP)
    scenario.complete_customs(customs_line(2, **KNOWN))
    assert scenario.header() is Header.CONFIRMED
    scenario.change_address(Sealed("key-anna", b"Berlin"), GERMANY)
    assert missing(scenario) == [(FIRST, ALL_OF_LINE_1)]
    scenario.send(SECOND)
    with refused(OrderOnHold, "customs_data"):
        scenario.send(FIRST)


def test_another_country_asks_for_customs_data_and_the_goods_wait():
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3), destination=Destination("CN"))
    scenario.send()
    scenario.later(hours=2)
    facts = scenario.change_address(Sealed("key-anna", b"Berlin"), GERMANY)
    assert names(facts) == ["address_changed", "hold_placed", "clocks_stopped", "shipping_chosen"]
    assert missing(scenario) == [(FIRST, ("incoterm", *ALL_OF_LINE_1))]
    assert holds_on(scenario.order(), FIRST)
    scenario.later(hours=3)
    facts = scenario.complete_customs(customs_line(**KNOWN), incoterm=Incoterm.DDP)
    assert names(facts) == ["customs_data_completed", "hold_released", "clocks_resumed", "shipping_chosen"]
    assert scenario.supplier_order().dispatch_by == NOON + 51 * HOUR
    scenario.ship()


def test_an_address_back_within_the_border_ends_the_wait():
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3), destination=Destination("CN"))
    scenario.change_address(Sealed("key-anna", b"Berlin"), GERMANY)
    assert scenario.header() is Header.ON_HOLD
    scenario.change_address(Sealed("key-anna", b"Beijing"), Destination("CN"))
    assert scenario.header() is Header.CONFIRMED


def test_units_that_a_supplier_rejects_ask_for_no_customs_data_any_more():
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3), destination=Destination("CN"))
    scenario.send()
    scenario.change_address(Sealed("key-anna", b"Berlin"), GERMANY)
    scenario.answer({1: reject(3)})
    assert [scope for scope, _ in missing(scenario) if scope == FIRST] == []


def test_units_that_go_to_a_supplier_behind_a_border_wait_for_customs_data():
    scenario = a_chinese_shop()
    scenario.offer("tea", supplier_id="acme")
    scenario.offer("tea", supplier_id="bolt")
    scenario.place(line(1, "tea", 3, "bolt"), line(2, "mug", 1, "bolt"))
    scenario.send()
    scenario.answer({1: reject(3), 2: accept(1)})
    assert scenario.supplier_order(SECOND).supplier_id == "acme"
    assert missing(scenario) == [(SECOND, ("incoterm", *ALL_OF_LINE_1))]
    scenario.ship({2: 1})
    with refused(OrderOnHold, "customs_data"):
        scenario.send(SECOND)
    scenario.complete_customs(customs_line(**KNOWN), incoterm=Incoterm.DDP)
    scenario.send(SECOND)


def test_a_hold_for_customs_data_cannot_be_released_while_the_data_is_missing():
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3))
    with refused(CustomsDataMissing, "order shopify/1 lacks what customs asks for: incoterm, lines"):
        scenario.release(HoldReason.CUSTOMS_DATA)
    scenario.hold(HoldReason.CUSTOMS_DATA, owner="mia")
    assert names(scenario.release(HoldReason.CUSTOMS_DATA, owner="mia")) == ["hold_released"]


def test_a_person_cannot_confirm_what_lacks_customs_data():
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3))
    with refused(OrderOnHold, "customs_data"):
        scenario.confirm()


def test_nothing_is_sent_across_a_border_without_customs_data_even_if_no_hold_stands():
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3), destination=Destination("CN"))
    order = scenario.order()
    moved = replace(order, destination=GERMANY)  # as a log from before there were such holds would fold
    with refused(
        CustomsDataMissing,
        f"supplier order {FIRST} lacks what customs asks for: incoterm",
        of="supplier order " + FIRST,
    ):
        customs.require_data(moved, FIRST, scenario.supplier())
    customs.require_data(order, FIRST, scenario.supplier())


# --- where it stands ------------------------------------------------------------------------------


def test_an_order_shows_for_each_part_where_it_stands_with_customs():
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3, **KNOWN), line(2, "mug", 1, "bolt"), incoterm=Incoterm.DDP)
    found = {name: scenario.supplier(name) for name in ("acme", "bolt")}
    first, second = customs.standings(scenario.order(), found, NOON)
    assert first == (FIRST, "acme", "CN", "DE", Border.CROSSED, (), "CN", "EU")
    assert second == (SECOND, "bolt", "DE", "DE", Border.NONE, (), "EU", "EU")
    assert customs.standings(scenario.order(), {}, NOON)[0] == (FIRST, "acme", "", "DE", Border.UNKNOWN, (), "", "EU")


def test_what_no_supplier_order_has_yet_is_shown_by_supplier():
    scenario = a_chinese_shop()
    scenario.place(line(1, "tea", 3), incoterm=Incoterm.DDP)
    (only,) = customs.standings(scenario.order(), {"acme": scenario.supplier()}, NOON)
    assert only == ("", "acme", "CN", "DE", Border.CROSSED, ALL_OF_LINE_1, "CN", "EU")
