"""What becomes of a confirmed order whose money all went back: it waits, or it is cancelled, as the terms say."""

import pytest

from ledger.nouns import orders
from ledger.nouns.cases import Remedy
from ledger.nouns.orders import Header, HoldReason, PaymentKind, PaymentState
from ledger.nouns.orders.supplier_orders import Stage
from ledger.nouns.policies import WhenReversed
from tests.support.casework import Desk, agreed
from tests.support.scenario import FIRST, ORDER, SECOND, Scenario, a_shop, line, names


def with_draft_and_sent(**terms) -> Scenario:
    """A confirmed order of two suppliers, of which the first was instructed."""
    scenario = a_shop(tea=10)
    if terms:
        agreed(scenario, **terms)
    scenario.place(line(1, "tea", 3), line(2, "mug", 1, "bolt"))
    scenario.send(FIRST)
    return scenario


CANCEL = {"on_payment_reversed": WhenReversed.CANCEL}


def test_by_default_what_has_not_left_waits_and_drafts_are_kept():
    scenario = with_draft_and_sent()
    facts = scenario.moved(PaymentKind.REFUNDED, 2_000)
    assert names(facts)[:2] == ["payment_recorded", "hold_placed"]
    assert [each.stage for each in scenario.order().supplier_orders.values()] == [Stage.SENT, Stage.DRAFT]
    assert [hold.reason for hold in scenario.order().holds] == [HoldReason.PAYMENT_REVERSED]


@pytest.mark.parametrize(
    "goes_back",
    [
        lambda scenario: scenario.moved(PaymentKind.REFUNDED, 2_000),
        lambda scenario: scenario.charge_back(2_000),
        lambda scenario: scenario.moved(PaymentKind.CHARGED_BACK, 2_000),
        lambda scenario: scenario.pay(PaymentState.FAILED),
        lambda scenario: scenario.pay(PaymentState.REFUNDED),
    ],
    ids=["refunded", "chargeback", "charged back as a payment", "failed by a word", "refunded by a word"],
)
def test_if_the_terms_say_so_drafts_are_cancelled_and_suppliers_are_asked_to_cancel(goes_back):
    scenario = with_draft_and_sent(**CANCEL)
    goes_back(scenario)
    order = scenario.order()
    assert [each.stage for each in order.supplier_orders.values()] == [Stage.CANCEL_REQUESTED, Stage.CANCELLED]
    assert order.supplier_order(FIRST).cancel_asked == {1: 3}
    assert [hold.reason for hold in order.holds] == [HoldReason.PAYMENT_REVERSED]
    scenario.answer_cancel(agreed=True)
    assert (scenario.header(), scenario.order().holds, orders.owed_minor(scenario.order())) == (Header.CANCELLED, (), 0)
    assert goes_back(scenario) == []


def test_a_part_that_goes_back_cancels_nothing():
    scenario = with_draft_and_sent(**CANCEL)
    scenario.moved(PaymentKind.REFUNDED, 1_999)
    assert scenario.order().units("cancelled") == 0
    assert scenario.order().supplier_order(SECOND).stage is Stage.DRAFT


def test_what_left_before_stays_with_the_customer():
    scenario = with_draft_and_sent(**CANCEL)
    scenario.ship({1: 1}, FIRST)
    scenario.moved(PaymentKind.REFUNDED, 2_000)
    assert scenario.order().supplier_order(FIRST).cancel_asked == {1: 2}


def test_terms_that_hold_later_are_not_yet_in_force():
    scenario = with_draft_and_sent()
    scenario.moved(PaymentKind.REFUNDED, 2_000)
    agreed(scenario, **CANCEL)
    assert scenario.moved(PaymentKind.REFUNDED, 2_000) == []
    assert scenario.order().units("cancelled") == 0


def test_a_refund_of_a_case_that_gives_the_last_money_back_cancels_the_rest():
    scenario = with_draft_and_sent(**CANCEL)
    scenario.moved(PaymentKind.REFUNDED, 1_000)
    scenario.ship({1: 2}, FIRST)
    scenario.later(days=1)
    scenario.receive()
    desk = Desk(scenario)
    desk.opens(by_line={1: 2})
    desk.files()
    desk.reviews()
    desk.rules()
    desk.approves(Remedy.REFUND)
    desk.grants()
    desk.pays()
    assert scenario.order(ORDER).payment is PaymentState.REFUNDED
    assert scenario.order().units("cancelled") == 1
    assert scenario.order().supplier_order(FIRST).cancel_asked == {1: 1}
