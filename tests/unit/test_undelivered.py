"""Units that came back undelivered: what cases do about them, who looks at them, and how their order ends."""

from __future__ import annotations

import pytest

from ledger.facts import LineNo
from ledger.nouns import orders, stock
from ledger.nouns.cases import CaseStatus, OverInspected, Reason, Remedy, ReshipFailure
from ledger.nouns.orders import Header
from ledger.nouns.orders.after_sales import UnitsNotFree
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.parties import Party
from tests.support.casework import RESHIP, Desk, reship_arrives
from tests.support.scenario import ORDER, Scenario, names, refused, shipped

RETURNED, LOST = ParcelStatus.RETURNED, ParcelStatus.LOST


def back(by_line: dict[int, int] | None = None, status: ParcelStatus = RETURNED, **more: object) -> Desk:
    """All three units of an order came back, or were lost, and a case is about them."""
    scenario = shipped(**more)
    scenario.scan(status)
    desk = Desk(scenario)
    desk.opens(Reason.REFUSED, by_line or {1: 3})
    return desk


def made_good(desk: Desk, remedy: Remedy = Remedy.REFUND) -> None:
    desk.reviews()
    desk.rules(Party.CUSTOMER)
    desk.approves(remedy)


# --- a case about them ----------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [Reason.REFUSED, Reason.LOST])
def test_a_case_can_be_about_units_that_came_back(reason: Reason):
    scenario = shipped()
    scenario.scan(RETURNED)
    assert names(Desk(scenario).opens(reason, {1: 3})) == ["opened", "taken_into_case"]
    with refused(UnitsNotFree, "1 of line 1, 0 of it not delivered"):
        Desk(scenario).opens(reason, {1: 1}, "case-2")


def test_units_that_came_back_did_not_arrive():
    scenario = shipped()
    scenario.scan(RETURNED)
    with refused(UnitsNotFree, "1 of line 1, 0 of it delivered"):
        Desk(scenario).opens(Reason.DAMAGED, {1: 1})


def test_a_reship_that_comes_back_is_due_a_refund():
    desk = back()
    made_good(desk, Remedy.RESHIP)
    reship_arrives(desk, RETURNED)
    assert "reship_failed" in names(desk.looks_at_the_reship())
    assert (desk.case().reship_failure, desk.case().remedy) == (ReshipFailure.RETURNED, Remedy.REFUND)


# --- inspected ------------------------------------------------------------------------------------


def test_what_came_back_undelivered_is_inspected_without_a_label_and_restocked_once():
    desk = back()
    before = desk.scenario.stock().available
    assert names(desk.inspects(restocked=2, not_restocked=1)) == ["return_inspected", "returned_inspected", "restocked"]
    assert desk.scenario.stock().available == before + 2
    assert desk.inspects(restocked=2, not_restocked=1) == []
    with refused(OverInspected, "4 of line 1 inspected, 3 received"):
        desk.inspects(restocked=3, not_restocked=1)


def test_it_is_inspected_in_a_case_that_is_over_too_and_the_case_stays_over():
    desk = back()
    made_good(desk)
    desk.grants()
    desk.pays()
    assert desk.status() is CaseStatus.RESOLVED
    assert "restocked" in names(desk.inspects(restocked=1, needs_work=2))
    assert "restocked" in names(desk.inspects(restocked=3))
    assert (desk.status(), desk.scenario.order().after_sales.inspected(LineNo(1))) == (CaseStatus.RESOLVED, 3)


def test_a_second_case_about_the_same_units_restocks_nothing_more():
    desk = back()
    made_good(desk)
    desk.grants(share=1_000)
    desk.pays()
    desk.inspects(restocked=3)
    restocked = [fact for _, fact in desk.scenario.log if isinstance(fact, stock.Restocked)]
    assert sum(fact.units for fact in restocked) == 3


def test_what_is_inspected_before_the_refund_is_refunded_by_a_return():
    desk = back()
    desk.inspects(restocked=3)
    made_good(desk, Remedy.RETURN)
    assert desk.case().undecided == {LineNo(1): 3}
    desk.grants()
    desk.pays()
    assert desk.status() is CaseStatus.RESOLVED


def test_what_was_only_lost_is_not_there_to_be_inspected():
    desk = back(status=LOST)
    made_good(desk)
    with refused(OverInspected, "1 of line 1 inspected, 0 received"):
        desk.inspects(restocked=1)


def test_what_somebody_looked_at_is_there_whatever_the_carrier_says_later():
    desk = back()
    desk.inspects(restocked=3)
    desk.scenario.later(days=1)
    desk.scenario.scan(ParcelStatus.IN_TRANSIT)
    assert desk.scenario.buckets() == {"returned": 3}


# --- the end of the order -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [RETURNED, LOST])
def test_an_order_of_which_nothing_arrived_is_closed_once_its_money_is_paid_back(status: ParcelStatus):
    desk = back(status=status)
    made_good(desk)
    desk.grants()
    assert desk.scenario.header() is Header.DISPATCHED
    desk.pays()
    assert desk.scenario.header() is Header.CLOSED
    assert desk.scenario.order().ended_at == desk.scenario.order().given_up_at


def test_a_case_that_is_denied_settles_it_too():
    desk = back()
    desk.reviews()
    desk.rules(Party.CUSTOMER)
    desk.denies()
    assert desk.scenario.header() is Header.CLOSED


def test_it_is_not_closed_while_a_unit_has_no_case():
    desk = back({1: 2})
    made_good(desk)
    desk.grants()
    desk.pays()
    assert desk.scenario.header() is Header.DISPATCHED


def test_a_reship_of_which_nothing_arrives_is_closed():
    desk = back()
    made_good(desk, Remedy.RESHIP)
    reship_arrives(desk, LOST)
    assert desk.scenario.header(RESHIP) is Header.CLOSED


def test_a_closed_order_has_no_clock_and_no_hold():
    desk = back(promised_by=shipped().later(days=9))
    desk.scenario.hold(orders.HoldReason.CUSTOMER_REQUEST, "mia")
    made_good(desk)
    desk.grants()
    desk.pays()
    assert desk.scenario.header() is Header.CLOSED
    assert [each for each in orders.deadlines(desk.scenario.order()) if each.object_id == ORDER] == []


# --- another case ---------------------------------------------------------------------------------


def part_refunded(reason: Reason = Reason.DAMAGED, share: int = 1_000) -> Desk:
    """A customer kept one of three units and got a tenth of its price back."""
    scenario = shipped()
    scenario.later(days=3)
    scenario.scan(ParcelStatus.DELIVERED)
    desk = Desk(scenario)
    desk.opens(reason, {1: 3})
    made_good(desk)
    desk.grants(share=share)
    desk.pays()
    return desk


def test_units_whose_case_is_over_may_have_another_for_another_reason():
    desk = part_refunded()
    assert names(desk.opens(Reason.QUALITY, {1: 3}, "case-2")) == ["opened", "taken_into_case"]
    desk.reviews("case-2")
    desk.rules(case_id="case-2")
    desk.approves(Remedy.REFUND, case_id="case-2")
    desk.grants(refund_id="refund-2", case_id="case-2")
    assert desk.case("case-2").refunds["refund-2"].amount_minor == 1_350, "what the first one left"


def test_not_for_the_same_reason_nor_while_it_is_open():
    desk = part_refunded()
    with refused(UnitsNotFree, "1 of line 1, 0 of it delivered"):
        desk.opens(Reason.DAMAGED, {1: 1}, "case-2")
    desk.opens(Reason.QUALITY, {1: 3}, "case-2")
    with refused(UnitsNotFree, "1 of line 1, 0 of it delivered"):
        desk.opens(Reason.WRONG_ITEM, {1: 1}, "case-3")


def test_not_for_units_whose_price_was_wholly_paid_back():
    desk = part_refunded(share=10_000)
    with refused(UnitsNotFree, "1 of line 1, 0 of it delivered"):
        desk.opens(Reason.QUALITY, {1: 1}, "case-2")


def test_a_case_is_not_opened_again_while_another_one_has_its_units():
    desk = part_refunded()
    desk.opens(Reason.QUALITY, {1: 3}, "case-2")
    desk.files()
    with refused(UnitsNotFree, "3 of line 1, 0 of it delivered"):
        desk.reopens(*desk.case().unseen)


def test_what_was_late_may_be_damaged_when_it_arrives():
    scenario = shipped(promised_by=Scenario().now)
    scenario.later(days=3)
    desk = Desk(scenario)
    desk.opens(Reason.LATE, {1: 3})
    made_good(desk)
    desk.grants(share=1_000)
    desk.pays()
    scenario.scan(ParcelStatus.DELIVERED)
    assert names(desk.opens(Reason.DAMAGED, {1: 3}, "case-2")) == ["opened", "taken_into_case"]
