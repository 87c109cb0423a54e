"""Stock: feeds and their watermark, reservations, never a promise of what is not there."""

import pytest

from ledger.decisions import stock_alerts
from ledger.nouns import stock
from ledger.nouns.stock import (
    AlreadyExtended,
    BufferSet,
    Feed,
    FeedIgnored,
    FeedRecorded,
    HoldExpired,
    OutOfStock,
    Oversold,
    ReservationExists,
    ReservationExpired,
    ReservationIsCommitted,
    ReservationTooSmall,
    Stock,
    StockCorrected,
    UnknownReservation,
)
from ledger.nouns.suppliers import UnknownSupplier
from tests.support.scenario import (
    DAY,
    HOUR,
    NOON,
    Scenario,
    a_shop,
    confirmed,
    line,
    names,
    refused,
    sent,
    the,
)

TEA = stock.stream("acme", "tea")

# --- feeds ----------------------------------------------------------------------------------------


def test_a_feed_says_what_there_is():
    scenario = Scenario()
    scenario.approve("acme")
    scenario.offer("tea")
    assert scenario.feed(10) == [FeedRecorded("acme", "tea", Feed(10, 1, NOON), NOON)]
    assert scenario.stock().available == 10


def test_a_feed_of_a_supplier_that_nobody_registered_makes_no_level():
    scenario = Scenario()
    with refused(UnknownSupplier, "supplier acme is not registered"):
        scenario.feed(10)


def test_the_first_feed_of_what_was_never_offered_is_taken_with_a_warning():
    scenario = Scenario()
    scenario.approve("acme")
    assert the(FeedRecorded, scenario.feed(10)).warnings == ("acme has a figure for tea, which it has not offered",)
    assert scenario.stock().available == 10
    assert the(FeedRecorded, scenario.feed(9)).warnings == ()


def test_a_feed_below_none_counts_as_none_and_says_so():
    scenario = a_shop(tea=10)
    below = Feed(0, 2, NOON, below_zero=-9)
    facts = scenario.record(stock_alerts.record_feed(scenario.book, "acme", "tea", below, NOON))
    assert the(FeedRecorded, facts).warnings == ("acme has -9 units of tea, which counts as none",)
    assert scenario.stock().available == 0
    # Another figure of the same version is not taken for a repetition.
    assert names(scenario.record(stock_alerts.record_feed(scenario.book, "acme", "tea", Feed(0, 2, NOON), NOON))) == [
        "feed_ignored"
    ]


def test_the_same_feed_again_records_nothing():
    scenario = a_shop(tea=10)
    assert scenario.feed(10, version=1) == []


def test_a_feed_with_an_older_version_is_recorded_as_ignored_once_and_never_applied():
    scenario = a_shop(tea=10)
    scenario.feed(7, version=5)
    ignored = the(FeedIgnored, scenario.feed(9, version=3))
    assert (ignored.feed.version, ignored.newest_version) == (3, 5)
    assert scenario.stock().available == 7
    assert scenario.feed(9, version=3) == []


def test_a_feed_without_a_watermark_is_assumed_not_to_know_our_orders():
    scenario = confirmed()
    scenario.later(hours=1)
    scenario.feed(10)
    assert scenario.stock().available == 7


def test_the_watermark_says_which_orders_the_feed_has_taken_off_already():
    scenario = confirmed()
    scenario.later(hours=1)
    scenario.feed(7, watermark=NOON)
    assert scenario.stock().available == 7
    scenario.place(line(1, "tea", 2), order_id="shopify/2")
    assert scenario.stock().available == 5


def test_an_order_after_the_watermark_is_still_taken_off():
    scenario = confirmed()
    scenario.feed(10, watermark=NOON - HOUR)
    assert scenario.stock().available == 7


def test_units_that_left_after_the_supplier_counted_are_still_in_its_figure():
    scenario = sent()
    scenario.later(hours=2)
    scenario.ship()
    scenario.feed(10, as_of=NOON + HOUR)
    assert scenario.stock().available == 7
    scenario.feed(7, as_of=NOON + 3 * HOUR)
    assert scenario.stock().available == 7


def test_units_shipped_under_a_watermark_are_taken_off_again_by_a_feed_without_one():
    scenario = sent()
    scenario.feed(7, watermark=NOON)
    scenario.later(hours=2)
    scenario.ship()
    scenario.feed(10, as_of=NOON + HOUR)
    assert scenario.stock().available == 7


def test_a_feed_below_what_is_committed_names_who_is_affected_the_latest_first():
    scenario = a_shop(tea=10)
    for n in (1, 2, 3):
        scenario.later(minutes=1)
        scenario.place(line(1, "tea", 3), order_id=f"shopify/{n}")
    oversold = the(Oversold, scenario.feed(5))
    assert (oversold.shortfall, oversold.reservations) == (4, ("shopify/3", "shopify/2"))
    assert scenario.stock().available == -4


def test_a_feed_below_what_is_only_held_is_not_oversold():
    scenario = a_shop(tea=10)
    scenario.reserve("cart-1", 8)
    assert names(scenario.feed(5)) == ["feed_recorded", "sold_out"]
    assert scenario.stock().available == -3


def test_nothing_is_promised_while_a_feed_is_below_what_was_promised():
    scenario = a_shop(tea=10)
    scenario.reserve("cart-1", 8)
    scenario.feed(5)
    with refused(
        OutOfStock, "tea of acme: 1 asked, 0 available", supplier_id_1="acme", sku_1="tea", asked_1=1, available_1=0
    ):
        scenario.reserve("cart-2", 1)


def test_a_buffer_is_never_promised():
    scenario = a_shop(tea=10)
    facts = stock.set_buffer(scenario.stock(), "acme", "tea", 4, NOON)
    assert facts == [BufferSet("acme", "tea", 4, NOON)]
    scenario.record((TEA, fact) for fact in facts)
    assert scenario.stock().available == 6
    assert stock.set_buffer(scenario.stock(), "acme", "tea", 4, NOON) == []
    assert stock.set_buffer(None, "acme", "tea", 0, NOON) == []


# --- corrections ----------------------------------------------------------------------------------


def test_a_supplier_that_has_nothing_left_has_what_is_promised_and_no_more():
    scenario = confirmed()
    (corrected,) = stock.report_none_left(scenario.stock(), "acme", "tea", 0, "supplier_out_of_stock", NOON)
    assert corrected == StockCorrected("acme", "tea", 3, "supplier_out_of_stock", NOON)
    scenario.record([(TEA, corrected)])
    assert scenario.stock().available == 0
    assert stock.report_none_left(scenario.stock(), "acme", "tea", 0, "supplier_out_of_stock", NOON) == []


def test_a_correction_stands_until_a_newer_feed():
    scenario = confirmed()
    scenario.record((TEA, f) for f in stock.report_none_left(scenario.stock(), "acme", "tea", 0, "phone", NOON))
    assert names(scenario.feed(10, version=1)) == ["feed_ignored"]
    scenario.feed(10, version=2)
    assert scenario.stock().available == 7


def test_what_was_never_tracked_is_not_corrected():
    assert stock.report_none_left(None, "acme", "ink", 0, "phone", NOON) == []


# --- reservations ---------------------------------------------------------------------------------


def test_units_are_held_until_they_expire():
    scenario = a_shop(tea=10)
    assert names(scenario.reserve("cart-1", 4)) == ["reserved"]
    assert scenario.stock().available == 6
    scenario.later(minutes=14)
    assert scenario.expire("cart-1") == []
    scenario.later(minutes=1)
    assert the(ReservationExpired, scenario.expire("cart-1")).units == 4
    assert scenario.stock().available == 10
    assert scenario.expire("cart-1") == []


def test_the_same_reservation_again_records_nothing_and_another_figure_is_refused():
    scenario = a_shop(tea=10)
    scenario.reserve("cart-1", 4)
    assert scenario.reserve("cart-1", 4) == []
    with refused(ReservationExists, "cart-1 holds 4 units already", units=4):
        scenario.reserve("cart-1", 5)


def test_a_hold_that_ran_out_unnoticed_is_taken_anew():
    scenario = a_shop(tea=5)
    scenario.reserve("cart-1", 4)
    scenario.later(hours=1)
    assert names(scenario.reserve("cart-1", 5)) == ["reservation_expired", "reserved", "sold_out"]
    scenario.later(hours=1)
    with refused(OutOfStock, "6 asked, 5 available"):
        scenario.reserve("cart-1", 6)


@pytest.mark.parametrize("tracked", [True, False])
def test_more_than_is_available_is_refused(tracked):
    scenario = a_shop(tea=3) if tracked else a_shop(mug=1)
    with refused(OutOfStock, f"tea of acme: 4 asked, {3 if tracked else 0} available"):
        scenario.reserve("cart-1", 4)


def test_a_hold_is_extended_once():
    scenario = a_shop(tea=10)
    scenario.reserve("cart-1", 4)
    assert names(scenario.extend("cart-1", NOON + HOUR)) == ["reservation_extended"]
    assert scenario.extend("cart-1", NOON + HOUR) == []
    with refused(AlreadyExtended, "cart-1 was extended once already", reservation_id="cart-1"):
        scenario.extend("cart-1", NOON + 2 * HOUR)
    scenario.later(minutes=59)
    assert scenario.expire("cart-1") == []


def test_an_expired_hold_is_not_extended():
    scenario = a_shop(tea=10)
    scenario.reserve("cart-1", 4)
    scenario.later(minutes=15)
    with refused(HoldExpired, "cart-1 ran out at 2026-03-02 12:15Z; take a new one"):
        scenario.extend("cart-1", NOON + HOUR)


def test_a_hold_is_given_back():
    scenario = a_shop(tea=10)
    scenario.reserve("cart-1", 4)
    assert names(scenario.let_go("cart-1")) == ["reservation_released"]
    assert scenario.stock().available == 10
    with refused(UnknownReservation, "there is no live reservation cart-1", reservation_id="cart-1"):
        scenario.let_go("cart-1")


def test_what_is_committed_neither_expires_nor_is_extended_nor_given_back_by_hand():
    scenario = confirmed()
    scenario.later(days=365)
    assert scenario.expire("shopify/1") == []
    with refused(ReservationIsCommitted, "belongs to a confirmed order"):
        scenario.let_go("shopify/1")
    with refused(ReservationIsCommitted, "cancel the order's units instead"):
        scenario.extend("shopify/1", scenario.now + DAY)


def test_an_expired_hold_cannot_be_committed():
    scenario = a_shop(tea=10)
    scenario.reserve("cart-1", 4)
    assert stock.can_commit(scenario.stock(), "cart-1", 4, NOON)
    assert not stock.can_commit(scenario.stock(), "cart-1", 4, NOON + HOUR)
    assert not stock.can_commit(scenario.stock(), "cart-1", 3, NOON)
    assert not stock.can_commit(Stock(), "cart-1", 4, NOON)


def test_what_is_consumed_must_exist():
    scenario = confirmed()
    with refused(UnknownReservation, "there is no live reservation cart-9"):
        stock.consume(scenario.stock(), "acme", "tea", "cart-9", 1, NOON)
    with refused(ReservationTooSmall, "shopify/1 has 3 units, 4 asked", asked=4, units=3):
        stock.consume(scenario.stock(), "acme", "tea", "shopify/1", 4, NOON)


def test_two_orders_never_share_a_unit():
    scenario = a_shop(tea=3)
    scenario.place(line(1, "tea", 2))
    scenario.place(line(1, "tea", 2), order_id="shopify/2")
    assert scenario.stock().available == 1
    assert list(scenario.stock().reservations) == ["shopify/1"]
