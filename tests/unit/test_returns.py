"""Goods that come back: labelled, received, inspected, restocked, and who pays their way."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ledger.facts import LineNo
from ledger.nouns import cases
from ledger.nouns.cases import CaseStatus, Denial, Reason, Remedy
from ledger.nouns.orders.after_sales import NotReturnable, UnitsInReturn
from ledger.nouns.orders.supplier_orders import UnknownLine
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.stock import Restocked
from ledger.terms.parties import Party
from tests.support.casework import CASE, Desk, agreed, approved, opened, reship_arrives
from tests.support.scenario import DAY, delivered, names, refused, shipped, the

L1 = LineNo(1)


# --- returns --------------------------------------------------------------------------------------


def test_goods_come_back_are_inspected_restocked_once_and_then_refunded():
    desk = approved(Remedy.RETURN, {1: 3})
    available = desk.scenario.stock().available
    assert names(desk.labels()) == ["return_labelled", "return_expected"]
    assert names(desk.sends_back()) == ["registered", "return_shipped"]
    assert desk.scenario.parcel("BACK1").return_of == CASE
    desk.receives({1: 2})
    with refused(cases.NotInspected, "0 came back"):
        desk.grants({1: 1})
    facts = desk.inspects(restocked=1, not_restocked=1, missing=1)
    assert the(Restocked, facts).units == 1
    assert desk.scenario.stock().available == available + 1
    assert desk.inspects(restocked=1, not_restocked=1, missing=1) == []
    desk.grants({1: 1})
    desk.denies_refund({1: 2}, Denial.GOODS_USED)
    desk.pays()
    assert desk.status() is CaseStatus.RESOLVED
    assert desk.case().denial is Denial.GOODS_USED


def test_units_that_need_work_are_restocked_when_they_are_mended_and_the_case_waits_for_them():
    desk = approved(Remedy.RETURN)
    desk.labels()
    desk.receives({1: 1})
    assert "restocked" not in names(desk.inspects(needs_work=1))
    desk.grants()
    desk.pays()
    assert desk.status() is CaseStatus.IN_REMEDY, "goods that are worked on are not dealt with"
    assert names(desk.inspects(restocked=1)) == ["return_inspected", "restocked", "resolved", "case_closed"]


def test_what_was_restocked_stays_so():
    desk = approved(Remedy.RETURN, {1: 2})
    desk.labels()
    desk.receives({1: 2})
    desk.inspects(restocked=1)
    with refused(cases.InspectedBefore, "0 of line 1 restocked in all, 1 were before"):
        desk.inspects(not_restocked=2)


@pytest.mark.parametrize(
    "step",
    [
        lambda desk: desk.labels({2: 1}),
        lambda desk: desk.receives({2: 1}),
        lambda desk: desk.inspects(line_no=2, restocked=1),
        lambda desk: desk.grants({2: 1}),
        lambda desk: desk.denies_refund({2: 1}),
    ],
    ids=["label", "receive", "inspect", "grant", "deny"],
)
def test_goods_and_money_are_of_lines_of_the_case(step: Callable[[Desk], object]):
    with refused(UnknownLine, "case case-1 has no line 2", line_no=2):
        step(approved(Remedy.RETURN))


def test_no_more_is_received_than_labelled_nor_inspected_than_received():
    desk = approved(Remedy.RETURN, {1: 2})
    with refused(cases.OverReceived, "1 of line 1 received, 0 have a label"):
        desk.receives({1: 1})
    desk.labels({1: 1})
    desk.labels({1: 1}, "label-2")
    desk.receives({1: 1})
    with refused(cases.OverReceived, "3 of line 1 received, 2 have a label"):
        desk.receives({1: 3})
    with refused(cases.OverInspected, "2 of line 1 inspected, 1 received"):
        desk.inspects(restocked=2)
    with refused(cases.NotMissing, "2 of line 1 missing, 1 were not received"):
        desk.inspects(missing=2)
    desk.receives({1: 2})
    with refused(cases.ReceivedBefore, "1 of line 1 received in all, 2 were received before"):
        desk.receives({1: 1})


def test_a_missing_unit_that_comes_after_all_is_missing_no_more():
    desk = approved(Remedy.RETURN, {1: 2})
    desk.labels()
    desk.receives({1: 1})
    desk.inspects(restocked=1, missing=1)
    desk.receives({1: 2})
    assert desk.case().inspection(L1).missing == 0
    desk.inspects(restocked=2)
    desk.grants()
    desk.pays()
    assert desk.status() is CaseStatus.RESOLVED


def test_a_label_has_one_meaning_and_each_unit_comes_back_once():
    desk = approved(Remedy.RETURN, {1: 2})
    desk.labels({1: 1})
    with refused(cases.LabelledDifferently, "label-1"):
        desk.labels({1: 2})
    with refused(NotReturnable, "2 of line 1 to send back, 1 of it"):
        desk.labels({1: 2}, "label-2")
    with refused(cases.UnknownLabel, "no label label-9"):
        desk.sends_back(label_id="label-9")
    desk.sends_back()
    with refused(cases.SentBackOtherwise, "with dhl under BACK1"):
        desk.sends_back("BACK2")
    desk.labels({1: 1}, "label-2")
    desk.sends_back("P1", "label-2")
    assert desk.scenario.parcel().warnings[0] == "the number was used 3 days before for shopify/1/1"


def test_the_same_label_without_its_units_named_records_nothing():
    desk = approved(Remedy.REFUND)
    desk.labels()
    desk.grants()
    assert desk.labels() == []


def test_where_every_unit_has_its_remedy_there_is_nothing_to_send_back():
    desk = approved(Remedy.RESHIP)
    desk.labels()
    reship_arrives(desk)
    desk.looks_at_the_reship()
    with refused(cases.NothingToSendBack, "no unit left"):
        desk.labels(label_id="label-2")


def test_what_was_never_delivered_does_not_come_back():
    desk = Desk(shipped())
    desk.opens(Reason.LOST)
    desk.reviews()
    desk.rules(Party.CARRIER)
    desk.approves(Remedy.RETURN)
    with refused(NotReturnable, "0 of it delivered"):
        desk.labels()


def test_a_delivery_whose_goods_come_back_cannot_be_denied():
    desk = approved(Remedy.RETURN)
    desk.labels()
    with refused(UnitsInReturn, "what is sent back has arrived", coming_back=1):
        desk.scenario.dispute()


def test_a_delivery_that_the_customer_complained_of_is_not_undone_by_a_return_recorded_late():
    desk = opened(Reason.DAMAGED)
    scenario = desk.scenario
    scenario.scan(ParcelStatus.RETURNED, scenario.now - DAY)
    assert scenario.buckets() == {"delivered": 3}


def test_goods_that_the_customer_never_sends_are_not_waited_for_any_more():
    desk = approved(Remedy.RETURN)
    desk.labels()
    assert names(desk.denies_refund(because=Denial.GOODS_NOT_RETURNED)) == [
        "refund_denied",
        "return_given_up",
        "resolved",
        "case_closed",
    ]
    assert desk.scenario.order().after_sales.coming_back(L1) == 0


def test_goods_can_come_back_beside_a_reship():
    desk = approved(Remedy.RESHIP, reason=Reason.WRONG_ITEM)
    desk.labels({1: 1})
    reship_arrives(desk)
    assert names(desk.looks_at_the_reship()) == ["reship_arrived"]
    desk.receives({1: 1})
    assert names(desk.inspects(restocked=1))[-2:] == ["resolved", "case_closed"]


# --- who pays the way back ------------------------------------------------------------------------


@pytest.mark.parametrize("liable", list(Party))
def test_the_way_back_is_paid_by_whom_the_ruling_names(liable: Party):
    desk = approved(Remedy.RETURN, liable=liable)
    assert the(cases.ReturnLabelled, desk.labels()).freight_payer is liable


@pytest.mark.parametrize(("days", "payer"), [(7, Party.RETAILER), (8, Party.CUSTOMER)])
def test_a_free_return_within_its_window_is_the_retailers(days: int, payer: Party):
    scenario = delivered()
    agreed(scenario, free_return_within_days=7)
    scenario.later(days=days)
    desk = Desk(scenario)
    desk.opens(Reason.CHANGED_MIND)
    desk.reviews()
    desk.rules(Party.CUSTOMER)
    desk.approves(Remedy.RETURN)
    assert the(cases.ReturnLabelled, desk.labels()).freight_payer is payer
