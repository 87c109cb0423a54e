"""Cancelling: at once where no supplier knows of the units, by asking it where one does."""

from collections.abc import Callable

import pytest

from ledger.nouns.orders import (
    CannotCancel,
    Header,
    HoldReason,
    NothingToCancel,
    PaymentState,
    UnitsCancelled,
)
from ledger.nouns.orders.supplier_orders import (
    CancelRefused,
    CancelRequested,
    LineAnswer,
    NoCancelAsked,
    Stage,
    UnknownLine,
)
from ledger.nouns.parcels import ParcelStatus
from tests.support.scenario import (
    FIRST,
    SECOND,
    Scenario,
    a_shop,
    confirmed,
    line,
    names,
    refused,
    reject,
    sent,
    shipped,
    the,
)


def test_an_order_that_is_not_confirmed_is_cancelled_at_once_and_its_stock_is_free():

    scenario = a_shop()
    scenario.place(payment=PaymentState.PENDING)
    assert names(scenario.cancel()) == ["units_cancelled", "hold_released", "reservation_released"]
    assert scenario.header() is Header.CANCELLED
    assert scenario.stock().available == 10


def test_a_draft_is_cancelled_at_once_because_its_supplier_does_not_know():
    scenario = confirmed()
    assert names(scenario.cancel()) == ["supplier_order_cancelled", "refund_owed", "reservation_released"]
    assert scenario.supplier_order().stage is Stage.CANCELLED
    assert scenario.header() is Header.CANCELLED


def test_cancelling_a_cancelled_order_records_nothing():
    scenario = confirmed()
    scenario.cancel()
    assert scenario.cancel() == []


def test_a_supplier_that_was_sent_the_order_is_asked():
    scenario = sent()
    facts = scenario.cancel()
    assert the(CancelRequested, facts).by_line == {1: 3}
    assert scenario.supplier_order().stage is Stage.CANCEL_REQUESTED
    assert scenario.buckets() == {"assigned": 3}
    assert scenario.cancel() == []


def test_what_the_supplier_agrees_to_is_cancelled_and_its_stock_is_free():
    scenario = sent()
    scenario.cancel({1: 2})
    facts = scenario.answer_cancel(agreed=True)
    assert names(facts) == ["supplier_order_cancelled", "refund_owed", "reservation_released"]
    assert scenario.buckets() == {"assigned": 1, "cancelled": 2}
    assert scenario.stock().available == 9


def test_what_the_supplier_refuses_goes_on():
    scenario = sent()
    scenario.cancel()
    assert the(CancelRefused, scenario.answer_cancel(agreed=False)).because == "too_late"
    assert scenario.buckets() == {"assigned": 3}
    assert scenario.supplier_order().stage is Stage.SENT


def test_an_answer_without_a_question_is_refused():
    scenario = sent()
    with refused(NoCancelAsked, "nobody asked supplier order shopify/1/1 to cancel", supplier_order_id=FIRST):
        scenario.answer_cancel(agreed=True)
    scenario.cancel()
    scenario.answer_cancel(agreed=True)
    with refused(NoCancelAsked, "nobody asked"):
        scenario.answer_cancel(agreed=True)


def test_a_shipment_beats_the_cancel_request():
    scenario = sent()
    scenario.cancel()
    facts = scenario.ship()
    assert the(CancelRefused, facts).because == "already_shipped"
    assert scenario.buckets() == {"shipped": 3}


def test_a_cancel_request_stands_open_for_those_of_its_units_that_did_not_leave():
    scenario = sent(line(1, "tea", 4))
    scenario.cancel({1: 3})
    refused_for = the(CancelRefused, scenario.ship({1: 3}))
    assert (refused_for.because, refused_for.by_line) == ("already_shipped", {1: 2})
    assert scenario.supplier_order().cancel_asked == {1: 1}
    assert scenario.supplier_order().stage is Stage.CANCEL_REQUESTED
    scenario.answer_cancel(agreed=True)
    assert scenario.buckets() == {"shipped": 3, "cancelled": 1}


def test_units_that_leave_are_refused_to_another_supplier_before_they_are_to_who_wants_none():
    scenario = sent(line(1, "tea", 4))
    scenario.approve("cora")
    scenario.offer(supplier_id="cora")
    scenario.cancel({1: 2})
    scenario.reroute({1: 1})
    assert the(CancelRefused, scenario.ship({1: 2})).by_line == {1: 1}
    assert (scenario.supplier_order().cancel_asked, scenario.supplier_order().reroute_asked) == ({1: 2}, {})


def test_a_cancel_request_stands_while_its_units_are_still_there():
    scenario = sent()
    scenario.cancel({1: 2})
    scenario.ship({1: 1})
    assert scenario.supplier_order().stage is Stage.CANCEL_REQUESTED
    scenario.answer_cancel(agreed=True)
    assert scenario.buckets() == {"shipped": 1, "cancelled": 2}


def test_units_rejected_meanwhile_need_no_cancelling_by_the_supplier():
    scenario = sent()
    scenario.cancel()
    facts = scenario.answer({1: reject(3)})
    assert names(facts) == ["supplier_order_acknowledged", "units_cancelled", "refund_owed", "reservation_released"]
    assert the(UnitsCancelled, facts).by == "customer"
    assert scenario.header() is Header.CANCELLED
    with refused(NoCancelAsked, "nobody asked"):
        scenario.answer_cancel(agreed=True)


def test_units_rejected_beside_those_to_cancel_leave_the_wish_as_it_is():
    scenario = sent()
    scenario.cancel({1: 1})
    scenario.answer({1: LineAnswer(accepted=2, rejected=1)})
    assert scenario.buckets() == {"assigned": 2, "open": 1}
    scenario.answer_cancel(agreed=True)
    assert scenario.buckets() == {"assigned": 1, "open": 1, "cancelled": 1}


def test_part_of_a_line_is_cancelled():
    scenario = confirmed(line(1, "tea", 3), line(2, "mug", 1))
    scenario.cancel({1: 1})
    assert (scenario.buckets(1), scenario.buckets(2)) == ({"assigned": 2, "cancelled": 1}, {"assigned": 1})
    assert scenario.header() is Header.CONFIRMED


def test_units_that_are_not_there_yet_are_cancelled_before_those_that_are():
    scenario = a_shop(tea=3)
    scenario.place(line(1, "tea", 5))
    scenario.confirm(backorder_lacking=True)
    scenario.cancel({1: 2})
    assert scenario.buckets() == {"assigned": 3, "cancelled": 2}
    assert scenario.stock().reservations["shopify/1"].units == 3


def test_open_units_go_first_then_drafts_and_only_then_is_a_supplier_asked():
    scenario = sent()
    scenario.answer({1: LineAnswer(accepted=2, rejected=1)})
    facts = scenario.cancel({1: 2})
    assert names(facts) == ["units_cancelled", "supplier_order_cancel_requested", "hold_released", "refund_owed"]
    assert the(CancelRequested, facts).by_line == {1: 1}


def test_cancelling_asks_only_the_suppliers_that_know():
    scenario = confirmed(line(1, "tea", 1), line(2, "ink", 1, "bolt"))
    scenario.send(SECOND)
    assert names(scenario.cancel()) == [
        "supplier_order_cancelled",
        "supplier_order_cancel_requested",
        "refund_owed",
        "reservation_released",
    ]


def test_more_than_there_is_cannot_be_cancelled():
    with refused(CannotCancel, "5 of line 1 to cancel, 3 can still be cancelled", line_no=1, asked=5, left=3):
        confirmed().cancel({1: 5})


def test_shipped_units_can_only_be_returned():
    with refused(NothingToCancel, "shipped units can only be returned", order_id="shopify/1"):
        shipped().cancel()
    with refused(CannotCancel, "1 of line 1 to cancel, 0 can still be cancelled", asked=1, left=0):
        shipped().cancel({1: 1})


def test_a_line_that_the_order_does_not_have_cannot_be_cancelled():
    with refused(UnknownLine, "order shopify/1 has no line 7", line_no=7):
        confirmed().cancel({7: 1})
    without_lines = a_shop()
    without_lines.place(lines=())
    with refused(UnknownLine, "order shopify/1 has no line 7"):
        without_lines.cancel({7: 1})


def test_what_was_shipped_stays_when_the_rest_is_cancelled():
    scenario = sent()
    scenario.ship({1: 1})
    scenario.cancel()
    scenario.answer_cancel(agreed=True)
    assert scenario.buckets() == {"shipped": 1, "cancelled": 2}
    assert scenario.supplier_order().stage is Stage.SHIPPED
    assert scenario.header() is Header.DISPATCHED


# --- what ends with the order ---------------------------------------------------------------------


def unpaid() -> Scenario:
    scenario = a_shop()
    scenario.place(payment=PaymentState.PENDING)
    return scenario


def out_of_stock() -> Scenario:
    scenario = a_shop(tea=1)
    scenario.place(line(1, "tea", 5))
    return scenario


def without_lines() -> Scenario:
    scenario = a_shop()
    scenario.place(lines=())
    return scenario


def of_nobody_approved() -> Scenario:
    scenario = a_shop()
    scenario.suspend("acme")
    scenario.place()
    return scenario


def charged_back() -> Scenario:
    scenario = confirmed()
    scenario.charge_back(1_500)
    return scenario


every_hold = pytest.mark.parametrize("waits", [unpaid, out_of_stock, without_lines, of_nobody_approved, charged_back])


@every_hold
def test_the_ledgers_own_holds_end_with_the_order(waits: Callable[[], Scenario]):
    scenario = waits()
    assert [hold.owner for hold in scenario.order().holds] == ["ledger"]
    assert "hold_released" in names(scenario.cancel())
    assert (scenario.holds(), scenario.header()) == ([], Header.CANCELLED)
    assert scenario.cancel() == []


@every_hold
def test_the_hold_of_a_person_ends_with_the_order_too(waits: Callable[[], Scenario]):
    scenario = waits()
    scenario.hold(HoldReason.FRAUD_REVIEW)
    scenario.cancel()
    assert scenario.holds() == []
    assert scenario.cancel() == []


def test_a_hold_of_the_ledger_ends_when_the_last_unit_arrived_that_left_all_the_same():
    scenario = sent()
    scenario.charge_back(1_500)
    scenario.ship()
    assert scenario.holds() == [HoldReason.PAYMENT_REVERSED], "somebody may still stop the parcel"
    scenario.scan(ParcelStatus.DELIVERED)
    assert scenario.holds() == []


def test_a_hold_of_the_ledger_ends_when_the_supplier_agrees_to_cancel_the_last_unit():
    scenario = sent()
    scenario.ship({1: 1})
    scenario.charge_back(1_500)
    scenario.cancel()
    scenario.scan(ParcelStatus.DELIVERED)
    assert scenario.holds() == [HoldReason.PAYMENT_REVERSED]
    assert "hold_released" in names(scenario.answer_cancel(agreed=True))
    assert scenario.holds() == []
