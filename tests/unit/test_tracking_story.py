"""What a customer is to know of its order, whatever happened to it."""

from __future__ import annotations

import pytest

from adapters.tracking_page.rendering import page
from adapters.tracking_page.story import Story, StoryOf, story_of
from adapters.tracking_page.wording import PageWords
from ledger.decisions import complaints
from ledger.facts import LineNo
from ledger.nouns.cases import CaseStatus, Reason, Remedy
from ledger.nouns.orders import Header
from ledger.nouns.parcels import Checkpoint, CustomsAsk, ParcelStatus
from ledger.refusals import Refusal
from ledger.terms.brands import Brand
from tests.support.casework import Desk, approved, opened, reship_arrives
from tests.support.scenario import DAY, HOUR, NOON, ORDER, Scenario, delivered, line, scan, sent, shipped

BRAND = Brand(name="Brook & Sons")
L1 = LineNo(1)


def told(scenario: Scenario, order_id: str = ORDER) -> Story:
    return story_of(StoryOf(scenario.order(order_id), scenario.book, {}, BRAND), scenario.now)


def shown(story: Story, language: str = "en") -> str:
    """The page, which has to be made whatever the story is."""
    values = {"story": story, "here": "/t/x", "lang": "", "errors": [], "replacements": []}
    return bytes(page("order", PageWords(language, story.zone), BRAND, values).body).decode()


def statuses(story: Story) -> list[ParcelStatus]:
    return [each.status for each in story.parcels]


# --- parcels --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [each for each in ParcelStatus if each is not ParcelStatus.VOID])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_there_is_a_page_for_whatever_a_carrier_says(status: ParcelStatus, language: str):
    scenario = shipped()
    scenario.scan(status, at=scenario.later(days=1))
    words = PageWords(language)
    assert words(f"status.{told(scenario).parcels[0].status}") in shown(told(scenario), language)


def test_what_the_order_knows_counts_more_than_the_last_scan():
    scenario = shipped()
    scenario.scan(ParcelStatus.IN_TRANSIT, at=scenario.later(days=1))
    scenario.receive()
    story = told(scenario)
    assert statuses(story) == [ParcelStatus.DELIVERED]
    assert story.parcels[0].arrived_at == scenario.now
    assert (story.receipt_at, story.can_confirm, story.header) == (scenario.now, False, "delivered")


def test_a_lost_parcel_is_lost_and_its_goods_can_be_reported():
    scenario = shipped()
    scenario.scan(ParcelStatus.IN_TRANSIT, at=scenario.later(days=1))
    scenario.confirm_loss()
    story = told(scenario)
    assert (statuses(story), story.header) == ([ParcelStatus.LOST], "not_on_its_way")
    assert story.reportable[Reason.LOST] == {L1: 3}
    assert not story.can_confirm


def test_goods_that_were_cancelled_or_have_not_left_are_named_beside_the_parcels():
    scenario = sent(line(1, "tea", 3), line(2, "mug", 2))
    scenario.ship(by_line={1: 2})
    scenario.cancel({2: 1})
    scenario.answer_cancel(agreed=True)
    story = told(scenario)
    assert [(each.line_no, each.units) for each in story.parcels[0].goods] == [(1, 2)]
    assert [(each.line_no, each.units) for each in story.waiting] == [(1, 1), (2, 1)]
    assert [(each.line_no, each.units) for each in story.cancelled] == [(2, 1)]
    assert story.header == Header.PARTLY_DISPATCHED


def test_a_parcel_says_where_its_number_goes_on_and_an_estimate_before_the_promise():
    scenario = shipped()
    scenario.hand_over("L1")
    expected = scenario.now + 4 * DAY
    scenario.scans(Checkpoint(scenario.later(hours=5), ParcelStatus.IN_TRANSIT, expected_by=expected))
    parcel = told(scenario).parcels[0]
    assert parcel.last_mile == ("dhl", "L1") or parcel.last_mile == ("usps", "L1")
    assert parcel.due is not None
    assert (parcel.due.by, parcel.due.is_estimate, parcel.due.is_over) == (expected, True, False)


def test_what_a_carrier_tells_again_is_told_once_and_the_newest_first():
    scenario = shipped()
    first = scenario.later(hours=1)
    scenario.scans(*(scan(ParcelStatus.IN_TRANSIT, first + n * HOUR) for n in range(5)))
    scenario.scans(scan(ParcelStatus.OUT_FOR_DELIVERY, first + 6 * HOUR))
    steps = told(scenario).parcels[0].steps
    assert [each.what for each in steps] == ["out_for_delivery", "in_transit", "left"]


def test_a_parcel_that_waits_to_be_fetched_heads_the_page_with_its_last_day():
    scenario = shipped(promised_by=NOON + 6 * DAY)
    waits = Checkpoint(scenario.later(days=1), ParcelStatus.AVAILABLE_FOR_PICKUP, pickup_until=NOON + 5 * DAY)
    scenario.scans(waits)
    story = told(scenario)
    assert (story.header, story.parcels[0].due) == ("one_available_for_pickup", None)
    assert "It waits for you until" in shown(story)


def test_a_customs_hold_heads_the_page_until_it_is_over():
    scenario = shipped()
    held = Checkpoint(scenario.later(days=1), ParcelStatus.CUSTOMS_HELD, customs_asks=CustomsAsk.PAYMENT)
    scenario.scans(held)
    assert told(scenario).header == "one_customs_held"
    assert "Duty and taxes are to be paid" in shown(told(scenario))
    scenario.scan(ParcelStatus.IN_TRANSIT, at=scenario.later(days=1))
    assert told(scenario).header == Header.DISPATCHED
    assert "What customs wants" not in shown(told(scenario))


# --- reports --------------------------------------------------------------------------------------


def test_what_is_offered_to_be_reported_is_taken_and_nothing_else_is():
    """The page and the decision cannot differ, whatever happened before."""
    for begin in (shipped, delivered, lambda: opened().scenario, lambda: approved(Remedy.REFUND).scenario):
        for reason in Reason:
            scenario = begin()
            free = complaints.reportable(scenario.order(), scenario.now).get(reason, {}).get(L1, 0)
            for number in range(1, 5):
                scenario = begin()
                desk = Desk(scenario)
                if number <= free:
                    desk.opens(reason, {1: number}, case_id="another")
                else:
                    with pytest.raises(Refusal):
                        desk.opens(reason, {1: number}, case_id="another")


def test_what_the_customer_just_does_not_want_can_be_reported_within_its_window():
    scenario = delivered()
    assert Reason.CHANGED_MIND in told(scenario).reportable
    scenario.later(days=15)
    assert Reason.CHANGED_MIND not in told(scenario).reportable
    assert Reason.DAMAGED in told(scenario).reportable


def test_a_case_says_what_is_wanted_what_is_done_and_what_money_comes_back():
    desk = opened()
    desk.asks("photo_of_damage")
    (case,) = told(desk.scenario).cases
    assert (case.status, case.wanted, case.is_open) == (CaseStatus.EVIDENCE_REQUESTED, ("photo_of_damage",), True)
    assert "photo of damage" in shown(told(desk.scenario))
    desk = approved(Remedy.REFUND)
    desk.grants()
    (case,) = told(desk.scenario).cases
    (refund,) = case.refunds
    assert (str(refund.amount), refund.paid_at, refund.pay_by is not None) == ("5.00 EUR", None, True)
    assert "5.00 EUR is being paid back to you by" in shown(told(desk.scenario))
    desk.scenario.later(days=1)
    desk.pays()
    (case,) = told(desk.scenario).cases
    assert (case.status, case.refunds[0].paid_at) == (CaseStatus.RESOLVED, desk.scenario.now)
    assert "5.00 EUR was paid back to you on" in shown(told(desk.scenario))


def test_goods_that_go_back_are_followed_and_those_sent_once_more_have_a_page_of_their_own():
    desk = approved(Remedy.RETURN)
    desk.labels()
    assert told(desk.scenario).cases[0].steps == ("labelled",)
    desk.sends_back()
    assert told(desk.scenario).cases[0].steps == ("coming_back",)
    desk.receives({1: 1})
    assert told(desk.scenario).cases[0].steps == ("came_back",)
    desk = approved(Remedy.RESHIP)
    story = told(desk.scenario)
    ((reship, number),) = story.replacements
    assert number == 1
    assert told(desk.scenario, reship).replaces == story.number
    assert "A replacement for goods of order" in shown(told(desk.scenario, reship))
    reship_arrives(desk)
    assert told(desk.scenario, reship).header == "delivered"


# --- time -----------------------------------------------------------------------------------------


def test_a_promise_that_was_not_kept_is_admitted():
    scenario = shipped(promised_by=NOON + 6 * DAY)
    assert told(scenario).reportable.get(Reason.LATE) is None
    scenario.later(days=7)
    story = told(scenario)
    assert story.parcels[0].due is not None
    assert story.parcels[0].due.is_over
    assert "We are sorry that it takes longer." in shown(story)
    assert story.reportable[Reason.LATE] == {L1: 3}
