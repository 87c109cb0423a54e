"""Inquiries: who has to answer by when; a missed answer is recorded once and withdrawn if it was none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.nouns import inquiries
from ledger.nouns.inquiries import (
    AnsweredBeforeAsked,
    InquiryAnswerMissed,
    InquiryAsked,
    InquiryAskedDifferently,
    InquiryBreachWithdrawn,
    InquiryIsClosed,
    UnknownInquiry,
)
from ledger.nouns.orders import HoldReason, UnknownOrder
from ledger.nouns.orders.supplier_orders import UnknownSupplierOrder
from ledger.nouns.suppliers import Agreement, UnknownSupplier
from ledger.refusals import Refusal
from ledger.terms.calendars import PeakPeriod
from ledger.terms.parties import Party
from tests.support.scenario import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    ORDER,
    SECOND,
    TERMS,
    Scenario,
    names,
    refused,
    sent,
    the,
)

ANSWERS = replace(TERMS, effective_from=NOON - DAY, answer_within_hours=24)


def a_trade(agreement: Agreement = ANSWERS) -> Scenario:
    """An order that acme has, under this agreement."""
    scenario = sent()
    scenario.agree_terms(agreement)
    return scenario


def asked(agreement: Agreement = ANSWERS) -> Scenario:
    scenario = a_trade(agreement)
    scenario.ask()
    return scenario


# --- asking ---------------------------------------------------------------------------------------


def test_a_supplier_answers_by_its_agreement_in_force_when_it_is_asked():
    scenario = a_trade()
    (fact,) = scenario.ask()
    assert isinstance(fact, InquiryAsked)
    assert (fact.supplier_id, fact.order_id, fact.supplier_order_id) == ("acme", ORDER, FIRST)
    assert fact.answer_by == NOON + 24 * HOUR
    scenario.agree_terms(replace(ANSWERS, effective_from=NOON + HOUR, answer_within_hours=1))
    scenario.later(hours=2)
    assert scenario.miss_answer() == []
    assert the(InquiryAsked, scenario.ask("q2")).answer_by == NOON + 3 * HOUR


def test_without_agreed_hours_no_clock_runs():
    scenario = asked(replace(ANSWERS, answer_within_hours=None))
    scenario.later(days=90)
    assert scenario.miss_answer() == []
    assert names(scenario.answer_inquiry()) == ["answered"]


def test_a_question_asked_in_a_peak_may_be_answered_later():
    scenario = a_trade(replace(ANSWERS, peaks=(PeakPeriod(NOON, NOON + DAY, 12),)))
    assert the(InquiryAsked, scenario.ask()).answer_by == NOON + 36 * HOUR


@pytest.mark.parametrize("asked_by", [Party.CUSTOMER, Party.SUPPLIER])
def test_the_retailer_answers_by_its_own_policy(asked_by):
    scenario = a_trade()
    more = {"asked_by": asked_by, "supplier_id": "acme" if asked_by is Party.SUPPLIER else ""}
    assert the(InquiryAsked, scenario.ask("q1", Party.RETAILER, **more)).answer_by == NOON + 24 * HOUR
    scenario.agree(answer_within_hours=4)
    assert the(InquiryAsked, scenario.ask("q2", Party.RETAILER, **more)).answer_by == NOON + 4 * HOUR


def test_a_supplier_may_be_asked_about_a_whole_order():
    scenario = a_trade()
    fact = the(InquiryAsked, scenario.ask(supplier_order_id="", supplier_id="bolt"))
    assert (fact.supplier_id, fact.answer_by) == ("bolt", None)


def test_a_question_is_about_something_that_is_there():
    scenario = a_trade()
    with refused(UnknownOrder, "there is no order shopify/9"):
        scenario.ask(order_id="shopify/9", supplier_order_id="")
    with refused(UnknownSupplierOrder, "there is no supplier order shopify/1/2"):
        scenario.ask(supplier_order_id=SECOND)
    with refused(UnknownSupplier, "supplier zen is not registered"):
        scenario.ask(supplier_order_id="", supplier_id="zen")


def test_the_same_question_again_records_nothing_and_another_under_its_id_is_refused():
    scenario = a_trade()
    scenario.ask(content="5f2a")
    assert scenario.ask(content="5f2a") == []
    with refused(InquiryAskedDifferently, "inquiry q1 was asked already with other content"):
        scenario.ask(content="77aa")


# --- answering ------------------------------------------------------------------------------------


def test_an_answer_in_time_meets_the_clock_and_the_same_again_records_nothing():
    scenario = asked()
    scenario.later(hours=24)
    assert names(scenario.answer_inquiry()) == ["answered"]
    assert scenario.answer_inquiry() == []
    scenario.later(days=3)
    assert names(scenario.answer_inquiry()) == ["answered"]
    assert scenario.miss_answer() == []


def test_an_answer_that_never_came_is_missed_once():
    scenario = asked()
    scenario.later(hours=23)
    assert scenario.miss_answer() == []
    scenario.later(hours=1)
    assert scenario.miss_answer() == [InquiryAnswerMissed("q1", NOON + 24 * HOUR, scenario.now, "acme")]
    assert scenario.miss_answer() == []
    assert names(scenario.answer_inquiry(at=NOON + 25 * HOUR)) == ["answered"]


def test_an_answer_too_late_is_missed_at_once():
    scenario = asked()
    scenario.later(hours=25)
    assert names(scenario.answer_inquiry()) == ["answered", "answer_missed"]
    assert scenario.miss_answer() == []


def test_an_earlier_answer_that_is_recorded_late_withdraws_the_breach():
    scenario = asked()
    scenario.later(hours=30)
    scenario.answer_inquiry()
    withdrawn = the(InquiryBreachWithdrawn, scenario.answer_inquiry(at=NOON + 20 * HOUR))
    assert (withdrawn.happened_at, withdrawn.supplier_id) == (NOON + 20 * HOUR, "acme")
    inquiry = inquiries.find(scenario.book, "q1")
    assert inquiry is not None
    assert (inquiry.answered_at, inquiry.is_missed) == (NOON + 20 * HOUR, False)
    assert scenario.miss_answer() == []


def test_no_hold_stops_an_answer():
    scenario = asked()
    scenario.hold(HoldReason.CUSTOMER_REQUEST)
    scenario.later(hours=24)
    assert names(scenario.miss_answer()) == ["answer_missed"]


def test_an_answer_is_not_older_than_its_question():
    with refused(AnsweredBeforeAsked, "is older than inquiry q1"):
        asked().answer_inquiry(at=NOON - HOUR)


def test_what_nobody_asked_cannot_be_answered_or_closed():
    for command in (a_trade().answer_inquiry, a_trade().close_inquiry):
        with refused(UnknownInquiry, "there is no inquiry q1"):
            command()
    assert a_trade().miss_answer() == []


# --- closing --------------------------------------------------------------------------------------


def test_of_what_is_closed_in_time_no_answer_is_owed():
    scenario = asked()
    scenario.later(hours=20)
    assert names(scenario.close_inquiry()) == ["closed"]
    assert scenario.close_inquiry() == []
    scenario.later(hours=20)
    assert scenario.miss_answer() == []


def test_a_closing_in_time_that_is_recorded_late_withdraws_the_breach():
    scenario = asked()
    scenario.later(hours=25)
    scenario.miss_answer()
    withdrawn = the(InquiryBreachWithdrawn, scenario.close_inquiry(at=NOON + 20 * HOUR))
    assert withdrawn.happened_at is None


def test_closing_too_late_hides_no_missed_answer():
    scenario = asked()
    scenario.later(hours=25)
    assert names(scenario.close_inquiry()) == ["closed", "answer_missed"]


def test_what_is_closed_is_not_answered_any_more():
    scenario = asked()
    scenario.close_inquiry()
    with refused(InquiryIsClosed, "inquiry q1 is closed"):
        scenario.answer_inquiry()


# --- whatever happens -----------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(st.sampled_from(["later", "answer", "close", "miss"]), st.integers(0, 20)), min_size=1, max_size=12
)


@given(STEPS)
def test_a_breach_stands_exactly_while_no_answer_is_known_to_have_come_in_time(steps):
    scenario, due = asked(), NOON + 24 * HOUR
    for what, hours in steps:
        at = max(NOON, scenario.now - hours * HOUR)
        try:
            match what:
                case "later":
                    scenario.later(hours=hours)
                case "answer":
                    scenario.answer_inquiry(at=at)
                case "close":
                    scenario.close_inquiry(at=at)
                case _:
                    scenario.miss_answer()
        except Refusal:
            continue
    scenario.miss_answer()
    inquiry = inquiries.find(scenario.book, "q1")
    assert inquiry is not None
    first = min((each.at for each in inquiry.answers), default=None)
    let_off = inquiry.closed is not None and inquiry.closed.at < due and first is None
    assert inquiry.is_missed is (scenario.now >= due and not let_off and (first is None or first > due))
    assert names(fact for _, fact in scenario.log).count("answer_missed") <= 1
