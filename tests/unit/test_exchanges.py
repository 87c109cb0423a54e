"""Exchanges for another SKU, freight that the customer owes, and cases that the policy approves by itself."""

from __future__ import annotations

import pytest

from ledger.decisions import catalogue
from ledger.facts import LineNo
from ledger.nouns import cases
from ledger.nouns.cases import CaseStatus, Reason, Remedy, RemedyChosen, ReshipFailure
from ledger.nouns.orders import HoldReason, PaymentState
from ledger.nouns.orders.supplier_orders import UnknownLine
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.policies import CaseApproval
from ledger.nouns.skus import BundlePart, SkuDescribed
from ledger.terms.money import Money
from ledger.terms.parties import Party
from tests.support.casework import CASE, RESHIP, Desk, agreed, reship_arrives, ruled
from tests.support.scenario import DAY, delivered, names, refused

PRICE = 500


def to_exchange(units: int = 2) -> Desk:
    """Two units of tea to be exchanged; mugs are there."""
    desk = ruled(by_line={1: units})
    desk.scenario.feed(10, "mug")
    return desk


# --- exchanges ------------------------------------------------------------------------------------


def test_an_exchange_orders_another_sku_at_no_price_and_is_over_when_it_arrives():
    desk = to_exchange()
    assert "reship_placed" in names(desk.exchanges("mug"))
    line = desk.scenario.order(RESHIP).lines[LineNo(1)]
    assert (line.sku, line.quantity, line.amount_minor) == ("mug", 2, 0)
    assert desk.scenario.stock("mug").committed == 2
    reship_arrives(desk)
    desk.looks_at_the_reship()
    assert (desk.status(), desk.case().refunds) == (CaseStatus.RESOLVED, {})


def of_a_set(desk: Desk, price: int | None = None) -> Desk:
    """The units are exchanged for sets of two teas and a mug."""
    parts = (BundlePart("tea", 2), BundlePart("mug", 1))
    described = SkuDescribed("set", desk.scenario.now, parts=parts)
    desk.scenario.record(catalogue.describe_sku(desk.scenario.book, described))
    desk.exchanges("set", price)
    return desk


def test_a_bundle_that_is_sent_instead_is_there_once_all_of_its_parts_are():
    desk = of_a_set(to_exchange(), PRICE - 150)
    assert [each.sku for each in desk.scenario.order(RESHIP).lines.values()] == ["tea", "mug"]
    reship_arrives(desk)
    desk.looks_at_the_reship()
    (refund,) = desk.case().refunds.values()
    assert (desk.case().reships[0].arrived, refund.amount_minor) == ({1: 2}, 300)


def test_a_bundle_of_which_a_part_does_not_arrive_is_due_a_refund_as_a_whole():
    desk = of_a_set(to_exchange())
    desk.scenario.cancel({102: 1}, RESHIP)
    reship_arrives(desk)
    desk.looks_at_the_reship()
    assert (desk.case().reships[0].arrived, desk.case().todo) == ({1: 1}, {1: 1})


def test_a_part_of_a_bundle_that_was_sent_instead_is_not_what_was_paid_for():
    desk = of_a_set(to_exchange())
    reship_arrives(desk)
    desk.looks_at_the_reship()
    ruled_on_the_reship(desk, 101)
    with refused(UnknownLine, "order shopify/1 has no line 101"):
        desk.grants({101: 1}, refund_id="r2", case_id="case-2")
    desk.denies_refund(case_id="case-2")
    assert desk.status("case-2") is CaseStatus.RESOLVED


def ruled_on_the_reship(desk: Desk, line_no: int = 1) -> None:
    desk.opens(Reason.DAMAGED, {line_no: 1}, "case-2", RESHIP)
    desk.reviews("case-2")
    desk.rules(case_id="case-2")
    desk.approves(Remedy.REFUND, case_id="case-2")


def test_a_unit_that_was_sent_for_a_dearer_one_is_refunded_at_what_it_cost():
    desk = to_exchange()
    desk.exchanges("mug", PRICE - 150)
    reship_arrives(desk)
    desk.looks_at_the_reship()
    ruled_on_the_reship(desk)
    desk.grants({1: 1}, refund_id="r2", case_id="case-2")
    assert desk.case("case-2").refunds["r2"].amount_minor == PRICE - 150


def test_what_its_sender_does_not_have_is_sent_by_who_offers_it():
    desk = to_exchange()
    desk.scenario.offer("ink", supplier_id="bolt")
    desk.exchanges("ink")
    assert [each.supplier_id for each in desk.scenario.order(RESHIP).supplier_orders.values()] == ["bolt"]


def test_what_nobody_offers_is_sent_by_who_sent_the_units_before():
    desk = to_exchange()
    desk.exchanges("ink")
    assert [each.supplier_id for each in desk.scenario.order(RESHIP).supplier_orders.values()] == ["acme"]


def test_the_same_exchange_again_records_nothing_and_another_one_is_refused():
    desk = to_exchange()
    desk.exchanges("mug")
    assert desk.exchanges("mug") == []
    with refused(RemedyChosen, "its remedy was approved already"):
        desk.exchanges("ink")


def test_what_costs_less_is_refunded_by_the_difference_once_it_has_arrived():
    desk = to_exchange()
    desk.exchanges("mug", PRICE - 150)
    assert desk.case().refunds == {}
    reship_arrives(desk)
    desk.looks_at_the_reship()
    (refund_id,) = desk.case().refunds
    assert desk.case().refunds[refund_id].amount_minor == 300
    assert desk.status() is CaseStatus.IN_REMEDY
    desk.pays(refund_id)
    assert desk.status() is CaseStatus.RESOLVED


def test_what_costs_more_waits_until_the_difference_is_paid():
    desk = to_exchange()
    desk.exchanges("mug", PRICE + 100)
    order = desk.scenario.order(RESHIP)
    assert order.lines[LineNo(1)].amount_minor == 200
    assert [hold.reason for hold in order.holds] == [HoldReason.AWAITING_PAYMENT]
    desk.scenario.pay(PaymentState.PAID, RESHIP)
    assert desk.scenario.order(RESHIP).confirmed_at is not None


def test_an_exchange_that_cannot_be_sent_is_refunded():
    desk = ruled(by_line={1: 2})
    desk.scenario.feed(1, "mug")
    assert "reship_failed" in names(desk.exchanges("mug", PRICE - 150))
    assert (desk.case().reship_failure, desk.case().remedy) == (ReshipFailure.OUT_OF_STOCK, Remedy.REFUND)
    desk.grants()
    assert desk.case().refunds["refund-1"].amount_minor == 2 * PRICE


def test_an_exchange_that_is_lost_is_refunded_wholly():
    desk = to_exchange()
    desk.exchanges("mug", PRICE - 150)
    reship_arrives(desk, ParcelStatus.LOST)
    desk.looks_at_the_reship()
    desk.grants()
    assert sum(each.amount_minor for each in desk.case().refunds.values()) == 2 * PRICE


# --- freight --------------------------------------------------------------------------------------


def sent_back(freight_minor: int, **terms: int) -> Desk:
    """Two units that the customer did not want any more have come back and were inspected."""
    scenario = delivered()
    agreed(scenario, **terms)
    desk = Desk(scenario)
    desk.opens(Reason.CHANGED_MIND, {1: 2})
    desk.reviews()
    desk.rules(Party.CUSTOMER)
    desk.approves(Remedy.RETURN)
    now = scenario.now
    labelled = cases.ReturnLabelled(CASE, "label-1", {LineNo(1): 2}, Party.RETAILER, now, freight_minor=freight_minor)
    desk.label_as(labelled)
    desk.receives({1: 2})
    desk.inspects(restocked=2)
    return desk


def test_what_the_customer_owes_for_the_way_back_is_taken_off_once():
    desk = sent_back(390)
    desk.grants({1: 1})
    desk.grants({1: 1}, refund_id="refund-2")
    refunds = desk.case().refunds
    assert [(each.amount_minor, each.freight_minor) for each in refunds.values()] == [(110, 390), (500, 0)]


def test_freight_above_the_refund_leaves_nothing_to_pay_and_the_case_ends():
    desk = sent_back(1_500)
    desk.grants()
    assert (desk.case().refunds["refund-1"].amount_minor, desk.status()) == (0, CaseStatus.RESOLVED)


def test_within_the_window_of_free_returns_nothing_is_taken_off():
    desk = sent_back(390, free_return_within_days=14)
    desk.grants()
    assert desk.case().refunds["refund-1"].amount_minor == 2 * PRICE


def test_an_amount_that_a_person_names_is_what_the_customer_gets():
    desk = sent_back(390)
    desk.grants({1: 2}, amounts={1: 800})
    assert (desk.case().refunds["refund-1"].amount_minor, desk.case().freight_owed_minor) == (800, 390)


# --- by policy ------------------------------------------------------------------------------------

CHEAP = CaseApproval("damaged", "refund", Money(2 * PRICE, "EUR"), within_days=7, liable=Party.CARRIER)


def test_a_case_within_the_terms_is_approved_as_it_is_opened():
    scenario = delivered()
    agreed(scenario, case_approvals=(CHEAP,))
    desk = Desk(scenario)
    assert names(desk.opens(Reason.DAMAGED, {1: 2}))[:4] == [
        "opened",
        "taken_into_case",
        "liability_ruled",
        "remedy_approved",
    ]
    case = desk.case()
    assert case.ruling is not None
    assert (case.status, case.remedy, case.ruling.liable) == (CaseStatus.APPROVED, Remedy.REFUND, Party.CARRIER)
    assert case.first_answered_at == scenario.now
    assert desk.opens(Reason.DAMAGED, {1: 2}) == []
    desk.grants()
    desk.pays()
    assert desk.status() is CaseStatus.RESOLVED


@pytest.mark.parametrize(
    ("reason", "units", "days"),
    [(Reason.QUALITY, 2, 0), (Reason.DAMAGED, 3, 0), (Reason.DAMAGED, 2, 8)],
    ids=["another reason", "too dear", "too late"],
)
def test_any_other_case_waits_for_a_person(reason: Reason, units: int, days: int):
    scenario = delivered()
    agreed(scenario, case_approvals=(CHEAP,))
    scenario.now += days * DAY
    desk = Desk(scenario)
    desk.opens(reason, {1: units})
    assert desk.status() is CaseStatus.OPENED


def test_a_reship_that_the_policy_approves_is_ordered_at_once():
    scenario = delivered()
    agreed(scenario, case_approvals=(CaseApproval("damaged", "reship", Money(9_999, "EUR")),))
    desk = Desk(scenario)
    assert "reship_placed" in names(desk.opens(Reason.DAMAGED, {1: 1}))
    assert scenario.order(RESHIP).confirmed_at is not None
