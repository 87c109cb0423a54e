"""Supplier orders: sent, answered line by line, packed, shipped in parts."""

from datetime import timedelta

from ledger.facts import LineNo
from ledger.nouns.orders import Header, HoldReason
from ledger.nouns.orders.supplier_orders import (
    LineAnswer,
    LineShare,
    NothingToShip,
    NotSent,
    OverAnswered,
    RejectReason,
    Stage,
    SupplierOrderAcknowledged,
    SupplierOrderSent,
    SupplierOrderShipped,
    UnderAnswered,
    UnknownLine,
    UnknownSupplierOrder,
    expected_at,
)
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.stock import StockCorrected
from ledger.terms.shipping import Priority
from tests.support.scenario import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    SECOND,
    a_shop,
    accept,
    confirmed,
    line,
    names,
    refused,
    reject,
    sent,
    shipped,
    the,
)

# --- sending --------------------------------------------------------------------------------------


def test_sending_starts_the_clocks_that_were_agreed():
    facts = confirmed().send()
    assert facts == [SupplierOrderSent(FIRST, NOON, NOON + 24 * HOUR, NOON + 48 * HOUR, first_scan_within_hours=36)]


def test_an_express_order_is_due_sooner():
    scenario = confirmed(priority=Priority.EXPRESS)
    assert the(SupplierOrderSent, scenario.send()).dispatch_by == NOON + 24 * HOUR


def test_a_deadline_that_the_shop_gave_goes_before_the_agreement():
    scenario = confirmed(
        line(1, "tea", 1, dispatch_by=NOON + 10 * HOUR), line(2, "mug", 1, dispatch_by=NOON + 9 * HOUR)
    )
    assert the(SupplierOrderSent, scenario.send()).dispatch_by == NOON + 9 * HOUR


def test_sending_twice_records_nothing():
    assert sent().send() == []


def test_a_supplier_order_with_nothing_left_is_not_sent():
    scenario = confirmed()
    scenario.cancel()
    with refused(NothingToShip, "shopify/1/1 is cancelled; it has no unit left to ship", stage="cancelled"):
        scenario.send()


def test_an_unknown_supplier_order_is_refused():
    with refused(UnknownSupplierOrder, "there is no supplier order shopify/1/7", supplier_order_id="shopify/1/7"):
        confirmed().send("shopify/1/7")


# --- the answer -----------------------------------------------------------------------------------


def test_a_supplier_accepts_what_it_was_sent():
    scenario = sent()
    scenario.answer({1: accept(3)})
    assert scenario.supplier_order().stage is Stage.ACCEPTED
    assert scenario.buckets() == {"assigned": 3}


def test_the_same_answer_again_records_nothing():
    scenario = sent()
    scenario.answer({1: accept(3)})
    assert scenario.answer({1: accept(3)}) == []


def test_answers_with_equal_figures_add_up():
    scenario = sent(line(1, "tea", 4))
    scenario.answer({1: LineAnswer(accepted=2, backordered=2)})
    for _ in range(2):
        scenario.later(days=1)
        assert "supplier_order_acknowledged" in names(scenario.answer({1: reject(1)}))
    assert scenario.supplier_order().shares[LineNo(1)] == LineShare(accepted=2, rejected=2)
    scenario.later(days=1)
    with refused(OverAnswered, "1 of line 1 answered, 0 unanswered"):
        scenario.answer({1: reject(1)})


def test_a_day_that_is_moved_there_and_back_is_moved_back():
    scenario = sent(line(1, "tea", 2))
    for day in (5, 9, 5):
        scenario.later(hours=1)
        scenario.answer({1: LineAnswer(backordered=2, expected_at=NOON + day * DAY)})
        assert expected_at(scenario.supplier_order(), LineNo(1)) == NOON + day * DAY
    scenario.answer({1: LineAnswer(backordered=2, expected_at=NOON + 20 * DAY)}, at=NOON)
    assert expected_at(scenario.supplier_order(), LineNo(1)) == NOON + 5 * DAY, "older than what is known"


def test_a_draft_cannot_be_answered():
    with refused(NotSent, "shopify/1/1 is draft; send it first", stage="draft"):
        confirmed().answer({1: accept(3)})


def test_a_supplier_cannot_answer_for_more_than_it_was_sent():
    with refused(OverAnswered, "5 of line 1 answered, 3 unanswered", line_no=1, asked=3, answered=5):
        sent().answer({1: accept(5)})


def test_a_supplier_answers_for_every_unit_of_a_line():
    with refused(UnderAnswered, "2 of line 1 answered, 3 asked; say for every unit", line_no=1, asked=3, answered=2):
        sent().answer({1: accept(2)})


def test_a_line_that_the_supplier_was_not_sent_cannot_be_answered():
    with refused(UnknownLine, "supplier order shopify/1/1 has no line 2", line_no=2):
        sent().answer({2: accept(1)})


def test_lines_may_be_answered_one_after_the_other():
    scenario = sent(line(1, "tea", 2), line(2, "mug", 1))
    scenario.answer({1: accept(2)})
    assert scenario.supplier_order().stage is Stage.PARTLY_ACCEPTED
    scenario.answer({2: accept(1)})
    assert scenario.supplier_order().stage is Stage.ACCEPTED


def test_a_supplier_may_let_units_wait_and_says_until_when():
    scenario = sent()
    expected = NOON + timedelta(days=9)
    facts = scenario.answer({1: LineAnswer(accepted=1, backordered=2, expected_at=expected)})
    assert the(SupplierOrderAcknowledged, facts).by_line[1].expected_at == expected  # type: ignore[index]
    assert scenario.buckets() == {"assigned": 1, "backordered": 2}
    assert scenario.stock().reservations["shopify/1"].units == 3


def test_units_that_waited_are_accepted_later():
    scenario = sent()
    scenario.answer({1: LineAnswer(accepted=1, backordered=2)})
    scenario.answer({1: accept(2)})
    assert scenario.buckets() == {"assigned": 3}
    assert scenario.supplier_order().stage is Stage.ACCEPTED


def test_rejected_units_are_open_again_and_give_their_stock_back():
    scenario = sent()
    scenario.answer({1: LineAnswer(accepted=1, rejected=2, because=RejectReason.PRICE_CHANGED)})
    assert scenario.buckets() == {"assigned": 1, "open": 2}
    assert scenario.stock().available == 9
    assert scenario.supplier_order().stage is Stage.PARTLY_ACCEPTED


def test_a_supplier_order_rejected_as_a_whole_is_rejected():
    scenario = sent()
    scenario.answer({1: reject(3)})
    assert scenario.supplier_order().stage is Stage.REJECTED


def test_rejecting_backordered_units_keeps_the_stock_of_the_accepted_ones():
    scenario = a_shop(tea=3)
    scenario.place(line(1, "tea", 5))
    scenario.confirm(backorder_lacking=True)
    scenario.send()
    scenario.answer({1: LineAnswer(accepted=3, rejected=2)})
    assert scenario.stock().reservations["shopify/1"].units == 3


def test_out_of_stock_corrects_the_figure_of_the_feed():
    scenario = sent()
    facts = scenario.answer({1: LineAnswer(accepted=1, rejected=2, because=RejectReason.OUT_OF_STOCK)})
    assert the(StockCorrected, facts).quantity == 1
    assert scenario.stock().available == 0


def test_another_reason_corrects_no_stock():
    facts = sent().answer({1: reject(3, RejectReason.OTHER)})
    assert names(facts) == ["supplier_order_acknowledged", "hold_placed", "reservation_released"]


def test_out_of_stock_of_an_untracked_sku_corrects_nothing():
    scenario = sent(line(1, "ink", 2, "bolt"))
    facts = scenario.answer({1: reject(2, RejectReason.OUT_OF_STOCK)})
    assert names(facts) == ["supplier_order_acknowledged", "hold_placed"]


# --- packing --------------------------------------------------------------------------------------


def test_packing_says_with_what():
    scenario = sent()
    scenario.pack("logo_label", "brand_card")
    assert scenario.supplier_order().packed_with == ("logo_label", "brand_card")
    assert scenario.supplier_order().stage is Stage.PACKED


def test_packing_twice_records_nothing_and_packing_anew_counts():
    scenario = sent()
    scenario.pack("logo_label")
    assert scenario.pack("logo_label") == []
    assert names(scenario.pack("after_sales_card")) == ["supplier_order_packed"]


def test_a_draft_is_not_packed_and_neither_is_what_has_gone():
    with refused(NotSent, "is draft"):
        confirmed().pack("logo_label")
    with refused(NothingToShip, "is shipped; it has no unit left to ship", stage="shipped"):
        shipped().pack("logo_label")


def test_who_packs_has_taken_the_order_on():
    scenario = sent()
    scenario.later(hours=3)
    scenario.pack("logo_label")
    assert scenario.supplier_order().acknowledged_at == NOON + 3 * HOUR


# --- shipping -------------------------------------------------------------------------------------


def test_shipping_without_lines_means_all_that_is_left():
    scenario = sent(line(1, "tea", 3), line(2, "mug", 1))
    facts = scenario.ship()
    assert the(SupplierOrderShipped, facts).by_line == {1: 3, 2: 1}
    assert scenario.supplier_order().stage is Stage.SHIPPED
    assert scenario.header() is Header.DISPATCHED


def test_shipping_in_parts_takes_several_parcels():
    scenario = sent()
    scenario.ship({1: 1}, number="P1")
    assert scenario.supplier_order().stage is Stage.PARTLY_SHIPPED
    scenario.ship({1: 2}, number="P2")
    assert scenario.buckets() == {"shipped": 3}
    assert [(each.number, each.by_line) for each in scenario.order().shipments] == [("P1", {1: 1}), ("P2", {1: 2})]


def test_the_same_shipment_again_records_nothing():
    scenario = sent()
    scenario.ship({1: 1})
    assert scenario.ship({1: 1}) == []
    scenario.ship(number="P2")
    assert scenario.ship(number="P2") == []
    assert scenario.ship({1: 2}, number="P2") == []


def test_another_shipment_with_equal_figures_is_not_taken_for_the_same():
    scenario = sent(line(1, "tea", 4))
    scenario.ship({1: 1})
    scenario.later(days=100)
    scenario.ship({1: 1})
    assert [(each.number, each.epoch, each.by_line) for each in scenario.order().shipments] == [
        ("P1", 1, {1: 1}),
        ("P1", 2, {1: 1}),
    ], "the number is used again"


def test_what_nobody_knows_cannot_be_shipped():
    with refused(UnknownLine, "order shopify/1 has no line 2"):
        sent().ship({2: 1})
    with refused(NothingToShip, "is shipped"):
        shipped().ship(number="P2")


def test_shipping_consumes_what_was_reserved():
    scenario = sent()
    scenario.ship({1: 1})
    assert scenario.stock().reservations["shopify/1"].units == 2
    assert scenario.stock().available == 7


def test_backordered_units_are_shipped_when_they_are_there():
    scenario = a_shop(tea=1)
    scenario.place(line(1, "tea", 2))
    scenario.confirm(backorder_lacking=True)
    scenario.send()
    scenario.ship({1: 1})
    scenario.ship({1: 1}, number="P2")
    assert scenario.buckets() == {"shipped": 2}
    assert scenario.stock().reservations == {}


def test_a_supplier_order_is_closed_when_all_it_shipped_arrived():
    scenario = shipped()
    scenario.scan(ParcelStatus.DELIVERED)
    assert scenario.supplier_order().stage is Stage.CLOSED


def test_two_suppliers_ship_on_their_own():
    scenario = sent(line(1, "tea", 1), line(2, "ink", 2, "bolt"))
    scenario.ship(supplier_order_id=SECOND)
    assert (scenario.buckets(1), scenario.buckets(2)) == ({"assigned": 1}, {"shipped": 2})
    assert scenario.header() is Header.PARTLY_DISPATCHED


def test_a_hold_may_be_placed_on_a_supplier_order_that_exists():
    with refused(UnknownSupplierOrder, "there is no supplier order shopify/1/7"):
        sent().hold(HoldReason.OTHER, supplier_order_id="shopify/1/7")


def test_an_acceptance_that_is_told_after_the_goods_left_was_in_time():
    scenario = sent(line(1, "tea", 3))
    scenario.later(hours=30)
    scenario.ship({1: 2}, at=NOON + 29 * HOUR)
    assert scenario.order().missed
    told = {1: accept(3)}
    scenario.answer(told, at=NOON + 3 * HOUR)
    assert not scenario.order().missed
    assert scenario.supplier_order().shares[LineNo(1)].accepted == 1
    assert scenario.answer(told, at=NOON + 3 * HOUR) == []
    scenario.ship({1: 1}, number="P2")
    assert scenario.answer(told, at=NOON + 3 * HOUR) == []
    with refused(OverAnswered, "4 of line 1 answered, 0 unanswered"):
        scenario.answer({1: reject(4)})
