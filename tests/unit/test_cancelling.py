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
from tests.support.story import (
    FIRST,
    SECOND,
    Story,
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

    story = a_shop()
    story.place(payment=PaymentState.PENDING)
    assert names(story.cancel()) == ["units_cancelled", "hold_released", "reservation_released"]
    assert story.header() is Header.CANCELLED
    assert story.stock().available == 10


def test_a_draft_is_cancelled_at_once_because_its_supplier_does_not_know():
    story = confirmed()
    assert names(story.cancel()) == ["supplier_order_cancelled", "reservation_released"]
    assert story.supplier_order().stage is Stage.CANCELLED
    assert story.header() is Header.CANCELLED


def test_cancelling_a_cancelled_order_records_nothing():
    story = confirmed()
    story.cancel()
    assert story.cancel() == []


def test_a_supplier_that_was_sent_the_order_is_asked():
    story = sent()
    facts = story.cancel()
    assert the(CancelRequested, facts).by_line == {1: 3}
    assert story.supplier_order().stage is Stage.CANCEL_REQUESTED
    assert story.buckets() == {"assigned": 3}
    assert story.cancel() == []


def test_what_the_supplier_agrees_to_is_cancelled_and_its_stock_is_free():
    story = sent()
    story.cancel({1: 2})
    assert names(story.answer_cancel(agreed=True)) == ["supplier_order_cancelled", "reservation_released"]
    assert story.buckets() == {"assigned": 1, "cancelled": 2}
    assert story.stock().available == 9


def test_what_the_supplier_refuses_goes_on():
    story = sent()
    story.cancel()
    assert the(CancelRefused, story.answer_cancel(agreed=False)).because == "too_late"
    assert story.buckets() == {"assigned": 3}
    assert story.supplier_order().stage is Stage.SENT


def test_an_answer_without_a_question_is_refused():
    story = sent()
    with refused(NoCancelAsked, "nobody asked supplier order shopify/1/1 to cancel", supplier_order_id=FIRST):
        story.answer_cancel(agreed=True)
    story.cancel()
    story.answer_cancel(agreed=True)
    with refused(NoCancelAsked, "nobody asked"):
        story.answer_cancel(agreed=True)


def test_a_shipment_beats_the_cancel_request():
    story = sent()
    story.cancel()
    facts = story.ship()
    assert the(CancelRefused, facts).because == "already_shipped"
    assert story.buckets() == {"shipped": 3}


def test_a_cancel_request_stands_open_for_those_of_its_units_that_did_not_leave():
    story = sent(line(1, "tea", 4))
    story.cancel({1: 3})
    refused_for = the(CancelRefused, story.ship({1: 3}))
    assert (refused_for.because, refused_for.by_line) == ("already_shipped", {1: 2})
    assert story.supplier_order().cancel_asked == {1: 1}
    assert story.supplier_order().stage is Stage.CANCEL_REQUESTED
    story.answer_cancel(agreed=True)
    assert story.buckets() == {"shipped": 3, "cancelled": 1}


def test_units_that_leave_are_refused_to_another_supplier_before_they_are_to_who_wants_none():
    story = sent(line(1, "tea", 4))
    story.approve("cora")
    story.offer(supplier_id="cora")
    story.cancel({1: 2})
    story.reroute({1: 1})
    assert the(CancelRefused, story.ship({1: 2})).by_line == {1: 1}
    assert (story.supplier_order().cancel_asked, story.supplier_order().reroute_asked) == ({1: 2}, {})


def test_a_cancel_request_stands_while_its_units_are_still_there():
    story = sent()
    story.cancel({1: 2})
    story.ship({1: 1})
    assert story.supplier_order().stage is Stage.CANCEL_REQUESTED
    story.answer_cancel(agreed=True)
    assert story.buckets() == {"shipped": 1, "cancelled": 2}


def test_units_rejected_meanwhile_need_no_cancelling_by_the_supplier():
    story = sent()
    story.cancel()
    facts = story.answer({1: reject(3)})
    assert names(facts) == ["supplier_order_acknowledged", "units_cancelled", "reservation_released"]
    assert the(UnitsCancelled, facts).by == "customer"
    assert story.header() is Header.CANCELLED
    with refused(NoCancelAsked, "nobody asked"):
        story.answer_cancel(agreed=True)


def test_units_rejected_beside_those_to_cancel_leave_the_wish_as_it_is():
    story = sent()
    story.cancel({1: 1})
    story.answer({1: LineAnswer(accepted=2, rejected=1)})
    assert story.buckets() == {"assigned": 2, "open": 1}
    story.answer_cancel(agreed=True)
    assert story.buckets() == {"assigned": 1, "open": 1, "cancelled": 1}


def test_part_of_a_line_is_cancelled():
    story = confirmed(line(1, "tea", 3), line(2, "mug", 1))
    story.cancel({1: 1})
    assert (story.buckets(1), story.buckets(2)) == ({"assigned": 2, "cancelled": 1}, {"assigned": 1})
    assert story.header() is Header.CONFIRMED


def test_units_that_are_not_there_yet_are_cancelled_before_those_that_are():
    story = a_shop(tea=3)
    story.place(line(1, "tea", 5))
    story.confirm(backorder_lacking=True)
    story.cancel({1: 2})
    assert story.buckets() == {"assigned": 3, "cancelled": 2}
    assert story.stock().reservations["shopify/1"].units == 3


def test_open_units_go_first_then_drafts_and_only_then_is_a_supplier_asked():
    story = sent()
    story.answer({1: LineAnswer(accepted=2, rejected=1)})
    facts = story.cancel({1: 2})
    assert names(facts) == ["units_cancelled", "supplier_order_cancel_requested", "hold_released"]
    assert the(CancelRequested, facts).by_line == {1: 1}


def test_cancelling_asks_only_the_suppliers_that_know():
    story = confirmed(line(1, "tea", 1), line(2, "ink", 1, "bolt"))
    story.send(SECOND)
    assert names(story.cancel()) == [
        "supplier_order_cancelled",
        "supplier_order_cancel_requested",
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
    story = sent()
    story.ship({1: 1})
    story.cancel()
    story.answer_cancel(agreed=True)
    assert story.buckets() == {"shipped": 1, "cancelled": 2}
    assert story.supplier_order().stage is Stage.SHIPPED
    assert story.header() is Header.DISPATCHED


# --- what ends with the order ---------------------------------------------------------------------


def unpaid() -> Story:
    story = a_shop()
    story.place(payment=PaymentState.PENDING)
    return story


def out_of_stock() -> Story:
    story = a_shop(tea=1)
    story.place(line(1, "tea", 5))
    return story


def without_lines() -> Story:
    story = a_shop()
    story.place(lines=())
    return story


def of_nobody_approved() -> Story:
    story = a_shop()
    story.suspend("acme")
    story.place()
    return story


def charged_back() -> Story:
    story = confirmed()
    story.charge_back(1_500)
    return story


every_hold = pytest.mark.parametrize("waits", [unpaid, out_of_stock, without_lines, of_nobody_approved, charged_back])


@every_hold
def test_the_ledgers_own_holds_end_with_the_order(waits: Callable[[], Story]):
    story = waits()
    assert [hold.owner for hold in story.order().holds] == ["ledger"]
    assert "hold_released" in names(story.cancel())
    assert (story.holds(), story.header()) == ([], Header.CANCELLED)
    assert story.cancel() == []


@every_hold
def test_the_hold_of_a_person_stays_until_the_person_ends_it(waits: Callable[[], Story]):
    story = waits()
    story.hold(HoldReason.FRAUD_REVIEW)
    story.cancel()
    assert story.holds() == [HoldReason.FRAUD_REVIEW]


def test_a_hold_of_the_ledger_ends_when_the_last_unit_arrived_that_left_all_the_same():
    story = sent()
    story.charge_back(1_500)
    story.ship()
    assert story.holds() == [HoldReason.PAYMENT_REVERSED], "somebody may still stop the parcel"
    story.scan(ParcelStatus.DELIVERED)
    assert story.holds() == []


def test_a_hold_of_the_ledger_ends_when_the_supplier_agrees_to_cancel_the_last_unit():
    story = sent()
    story.ship({1: 1})
    story.charge_back(1_500)
    story.cancel()
    story.scan(ParcelStatus.DELIVERED)
    assert story.holds() == [HoldReason.PAYMENT_REVERSED]
    assert "hold_released" in names(story.answer_cancel(agreed=True))
    assert story.holds() == []
