"""Alerts of a stock level, each once a crossing; stale feeds; oversold; what a return puts back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.facts import Fact
from ledger.nouns.orders import PaymentState
from ledger.nouns.orders.supplier_orders import RejectReason
from ledger.nouns.stock import (
    LONGEST_DEMAND_DAYS,
    Alert,
    AlertEnded,
    BackInStock,
    FeedStale,
    LowThresholdSet,
    OutOfStock,
    Oversold,
    Restocked,
    SoldOut,
    StockLow,
    StockReserved,
    StockRunningOut,
)
from ledger.refusals import Refusal
from tests.support.story import (
    DAY,
    HOUR,
    NOON,
    TERMS,
    Story,
    a_shop,
    accept,
    line,
    names,
    refused,
    reject,
    sent,
    the,
)

HOURLY = replace(TERMS, feed_interval_hours=4)
"""Terms with a feed every four hours."""

ALERTS = (StockLow, StockRunningOut, AlertEnded, SoldOut, BackInStock, FeedStale, Oversold)


def alerts(facts: list[Fact]) -> list[str]:
    return names(fact for fact in facts if isinstance(fact, ALERTS))


def fed(quantity: int = 10, **terms: Any) -> Story:
    """Acme agreed to a feed every four hours, and has sent one."""
    story = Story()
    if terms:
        story.agree(**terms)
    story.approve("acme", HOURLY)
    story.feed(quantity)
    return story


# --- low ------------------------------------------------------------------------------------------


def test_stock_below_its_threshold_is_low_and_told_once():
    story = a_shop(tea=10)
    story.agree(low_stock_units=5)
    assert alerts(story.reserve("cart-1", 5)) == []
    assert the(StockLow, story.reserve("cart-2", 1)) == StockLow("acme", "tea", 4, 5, NOON)
    assert alerts(story.reserve("cart-3", 1)) == []


def test_a_low_alert_ends_above_the_threshold_and_the_next_crossing_is_told_again():
    story = a_shop(tea=10)
    story.agree(low_stock_units=5)
    story.reserve("cart-1", 6)
    assert the(AlertEnded, story.let_go("cart-1")) == AlertEnded("acme", "tea", Alert.LOW, 10, NOON)
    assert alerts(story.reserve("cart-2", 6)) == ["low"]


def test_without_an_agreed_threshold_nothing_is_low():
    assert alerts(a_shop(tea=10).reserve("cart-1", 9)) == []


def test_a_threshold_of_the_sku_goes_before_the_policy_and_setting_it_is_a_crossing():
    story = a_shop(tea=10)
    story.agree(low_stock_units=5)
    assert names(story.threshold(11)) == ["low_threshold_set", "low"]
    assert story.threshold(11) == []
    assert names(story.threshold(None)) == ["low_threshold_set", "alert_ended"]
    assert a_shop(tea=10).threshold(None) == []


def test_a_threshold_of_zero_silences_one_sku():
    story = a_shop(tea=10)
    story.agree(low_stock_units=5)
    assert story.threshold(0) == [LowThresholdSet("acme", "tea", NOON, 0)]
    assert alerts(story.reserve("cart-1", 9)) == []


def test_thresholds_hold_from_their_date_on():
    story = a_shop(tea=10)
    story.agree(since=NOON + DAY, low_stock_units=11)
    assert alerts(story.feed(9)) == []
    story.later(days=1)
    assert alerts(story.feed(9, as_of=story.now)) == ["low"]


# --- about to sell out ----------------------------------------------------------------------------


def test_stock_that_lasts_three_days_at_the_demand_of_the_last_28_is_about_to_sell_out():
    story = a_shop(tea=34)
    story.place(line(1, "tea", 28))  # one a day
    assert alerts(story.feed(32)) == []  # 4 left
    told = the(StockRunningOut, story.feed(31))
    assert (told.available, told.demand, told.window_days, told.cover_days) == (3, 28, 28, 3)
    assert alerts(story.feed(30)) == []


def test_demand_older_than_the_window_counts_no_more():
    story = a_shop(tea=40)
    story.place(line(1, "tea", 28))
    story.later(days=28)
    assert alerts(story.feed(31)) == []
    assert story.stock().demand_of(28, story.now.toordinal()) == 0


def test_running_out_ends_when_the_stock_lasts_again():
    story = a_shop(tea=34)
    story.place(line(1, "tea", 28))
    story.feed(31)
    assert the(AlertEnded, story.feed(40)).alert is Alert.RUNNING_OUT
    assert alerts(story.feed(31)) == ["running_out"]


def test_what_a_cart_holds_is_no_demand_and_what_is_cancelled_is_none_any_more():
    story = a_shop(tea=100)
    story.reserve("cart-1", 10)
    story.place(line(1, "tea", 5))
    assert story.stock().demand_of(28, story.now.toordinal()) == 5
    story.cancel({1: 2})
    assert story.stock().demand_of(28, story.now.toordinal()) == 3


def test_the_demand_that_is_kept_is_bounded():
    story = a_shop(tea=10_000)
    for n in range(LONGEST_DEMAND_DAYS + 20):
        story.place(line(1, "tea", 1), order_id=f"shopify/{n}")
        story.later(days=1)
    kept = story.stock()
    assert len(kept.demand) == LONGEST_DEMAND_DAYS == kept.demand_kept


# --- sold out and back ----------------------------------------------------------------------------


def test_sold_out_and_back_in_stock_are_each_told_once():
    story = a_shop(tea=10)
    assert the(SoldOut, story.reserve("cart-1", 10)) == SoldOut("acme", "tea", NOON)
    assert alerts(story.feed(9)) == []
    assert alerts(story.feed(10)) == []
    assert the(BackInStock, story.feed(11)) == BackInStock("acme", "tea", 1, NOON)
    assert alerts(story.feed(12)) == []


def test_a_first_feed_of_nothing_is_sold_out():
    story = Story()
    story.approve("acme")
    assert names(story.feed(0)) == ["feed_recorded", "sold_out"]


def test_what_is_untracked_has_no_alerts():
    assert names(Story().buffer(5)) == ["buffer_set"]


@pytest.mark.parametrize(
    "crossing",
    [
        lambda story: story.place(line(1, "tea", 10), order_id="shopify/2"),
        lambda story: story.buffer(10),
        lambda story: story.feed(0),
        lambda story: story.correct(0),
    ],
    ids=["an order", "a buffer", "a feed", "a correction"],
)
def test_whatever_takes_the_last_unit_says_so_in_the_same_command(crossing):
    assert alerts(crossing(a_shop(tea=10))) == ["sold_out"]


@pytest.mark.parametrize(
    "crossing",
    [
        lambda story: story.let_go("cart-1"),
        lambda story: (story.later(hours=1), story.expire("cart-1"))[1],
        lambda story: story.feed(11),
        lambda story: story.restock(1),
    ],
    ids=["a release", "an expiry", "a feed", "a return"],
)
def test_whatever_brings_a_unit_back_says_so_in_the_same_command(crossing):
    story = a_shop(tea=10)
    story.reserve("cart-1", 10)
    assert alerts(crossing(story)) == ["back_in_stock"]


def test_a_suppliers_out_of_stock_answer_delists():
    story = sent(line(1, "tea", 3))
    assert alerts(story.answer({1: reject(3)})) == []
    other = sent(line(1, "tea", 3))
    out_of_stock = reject(3, RejectReason.OUT_OF_STOCK)
    assert alerts(other.answer({1: out_of_stock})) == ["sold_out"]


def test_committing_and_shipping_cross_nothing():
    story = a_shop(tea=3)
    story.place(line(1, "tea", 3))
    story.send()
    assert alerts(story.answer({1: accept(3)})) == []
    assert alerts(story.ship()) == []


# --- stale feeds ----------------------------------------------------------------------------------


def test_a_feed_older_than_agreed_is_stale_and_told_once():
    story = fed()
    story.later(hours=3)
    assert story.miss_feed() == []
    story.later(hours=1)
    assert story.miss_feed() == [FeedStale("acme", "tea", NOON + 4 * HOUR, story.now, 0, 1000)]
    assert story.miss_feed() == []


def test_while_a_feed_is_stale_more_is_kept_back_and_what_is_promised_stays_promised():
    story = fed(15, stale_buffer_units=2, stale_buffer_basis_points=1000)
    story.place(line(1, "tea", 5))
    story.reserve("cart-1", 4)
    story.later(hours=4)
    story.miss_feed()
    assert (story.stock().stale_buffer, story.stock().available) == (4, 2)  # 2 and a tenth of 15, rounded up
    with refused(OutOfStock, "3 asked, 2 available"):
        story.reserve("cart-2", 3)
    assert (story.stock().held, story.stock().committed) == (4, 5)


def test_what_was_held_before_the_feed_went_stale_can_still_be_committed():
    story = fed(4, stale_buffer_units=4)
    story.place(line(1, "tea", 4), payment=PaymentState.PENDING)
    story.later(hours=4)
    story.miss_feed()
    assert story.stock().available < 0
    story.pay()
    assert story.stock().committed == 4


def test_a_newer_feed_ends_the_staleness():
    story = fed()
    story.later(hours=5)
    story.miss_feed()
    assert names(story.feed(10)) == ["feed_recorded", "feed_fresh"]
    assert (story.stock().stale, story.stock().available) == (None, 10)
    story.later(hours=4)
    assert names(story.miss_feed()) == ["feed_stale"]


def test_an_ignored_feed_ends_no_staleness():
    story = fed()
    story.feed(10)
    story.later(hours=5)
    story.miss_feed()
    assert names(story.feed(9, version=1)) == ["feed_ignored"]
    assert story.stock().stale is not None


def test_a_feed_that_is_too_old_when_it_comes_is_stale_at_once():
    story = fed()
    story.later(hours=9)
    assert names(story.feed(10, as_of=NOON + HOUR)) == ["feed_recorded", "feed_stale"]
    assert names(story.feed(20, as_of=NOON + 2 * HOUR)) == ["feed_recorded"]
    assert (story.stock().stale_buffer, story.stock().available) == (2, 18)
    assert story.miss_feed() == []


def test_without_an_agreed_interval_no_feed_goes_stale():
    story = a_shop(tea=10)
    story.later(days=100)
    assert story.miss_feed() == []
    assert Story().miss_feed() == []


def test_a_wider_buffer_that_leaves_nothing_delists_and_a_fresh_feed_relists():
    story = fed(4, stale_buffer_units=4)
    story.later(hours=4)
    assert names(story.miss_feed()) == ["feed_stale", "sold_out"]
    assert names(story.feed(4)) == ["feed_recorded", "feed_fresh", "back_in_stock"]


def test_a_correction_does_not_stand_in_for_a_feed():
    story = fed()
    story.later(hours=4)
    story.miss_feed()
    story.correct(20)
    assert (story.stock().stale_buffer, story.stock().available) == (2, 18)


# --- oversold -------------------------------------------------------------------------------------


def three_orders() -> Story:
    story = a_shop(tea=10)
    for n in (1, 2, 3):
        story.later(minutes=1)
        story.place(line(1, "tea", 3), order_id=f"shopify/{n}")
    return story


def test_a_correction_below_what_is_committed_is_oversold_too():
    oversold = the(Oversold, three_orders().correct(5))
    assert (oversold.shortfall, oversold.reservations) == (4, ("shopify/3", "shopify/2"))


def test_oversold_is_told_again_only_when_the_shortfall_grows():
    story = three_orders()
    assert the(Oversold, story.feed(8)).shortfall == 1
    assert alerts(story.feed(8)) == []
    assert the(Oversold, story.feed(6)).shortfall == 3
    assert alerts(story.feed(7)) == []
    assert the(Oversold, story.feed(6)).shortfall == 3


def test_a_shortfall_that_a_cancellation_filled_is_told_anew():
    story = three_orders()
    story.feed(8)
    story.cancel(order_id="shopify/3")
    assert story.stock().shortfall == 0
    assert the(Oversold, story.feed(5)).reservations == ("shopify/2",)


def test_a_buffer_oversells_nobody():
    story = three_orders()
    assert alerts(story.buffer(10)) == ["sold_out"]


def test_a_hold_that_the_stock_covers_no_more_is_not_committed():
    story = a_shop(tea=5)
    story.place(line(1, "tea", 4), payment=PaymentState.PENDING)
    story.correct(3)
    story.pay()
    assert story.header() == "on_hold"
    assert story.stock().committed == 0


# --- returns --------------------------------------------------------------------------------------


def test_a_returned_unit_is_there_until_a_later_count_replaces_the_figure():
    story = a_shop(tea=10)
    story.later(hours=2)
    assert story.restock(2) == [Restocked("acme", "tea", 2, "returned", story.now, "case-1")]
    assert story.stock().available == 12
    story.feed(10, as_of=NOON + HOUR)
    assert story.stock().available == 12
    story.feed(12, as_of=NOON + 3 * HOUR)
    assert story.stock().available == 12
    assert story.stock().restocked == 0


def test_nothing_that_came_back_records_nothing():
    assert a_shop(tea=10).restock(0) == []


def test_a_unit_that_came_back_covers_what_was_committed():
    story = three_orders()
    story.feed(8)
    story.restock(1)
    assert story.stock().shortfall == 0


def test_what_came_back_to_untracked_stock_promises_nothing_before_a_feed():
    story = Story()
    story.approve("acme")
    story.restock(3)
    assert story.stock().available == 0
    story.feed(5, as_of=NOON - HOUR)
    assert story.stock().available == 8


# --- whatever happens -----------------------------------------------------------------------------

happenings = st.lists(
    st.one_of(
        st.tuples(st.just("feed"), st.integers(0, 30)),
        st.tuples(st.just("correct"), st.integers(0, 30)),
        st.tuples(st.just("place"), st.integers(1, 8)),
        st.tuples(st.just("reserve"), st.integers(1, 8)),
        st.tuples(st.just("let_go"), st.integers(0, 5)),
        st.tuples(st.just("expire"), st.integers(0, 5)),
        st.tuples(st.just("cancel"), st.integers(0, 5)),
        st.tuples(st.just("ship"), st.integers(0, 5)),
        st.tuples(st.just("restock"), st.integers(1, 5)),
        st.tuples(st.just("buffer"), st.integers(0, 10)),
        st.tuples(st.just("threshold"), st.integers(0, 10)),
        st.tuples(st.just("wait"), st.integers(1, 60)),
        st.tuples(st.just("serve"), st.integers(0, 5)),
    ),
    max_size=40,
)


def happen(story: Story, what: str, figure: int, placed: list[str]) -> list[Fact]:
    order_id = placed[figure % len(placed)] if placed else "shopify/0"
    present = story.stock()
    match what:
        case "feed" | "correct" | "restock" | "buffer" | "threshold":
            return list(getattr(story, what)(figure))
        case "place":
            placed.append(f"shopify/{len(placed)}")
            return story.place(line(1, "tea", figure), order_id=placed[-1])
        case "reserve":
            return story.reserve(f"cart-{len(present.reservations)}", figure, minutes=90)
        case "let_go" | "expire":
            names = list(present.reservations) or ["cart-0"]
            facts: list[Fact] = getattr(story, what)(names[figure % len(names)])
            return facts
        case "cancel":
            return story.cancel(order_id=order_id)
        case "ship":
            story.send(f"{order_id}/1")
            return story.ship(supplier_order_id=f"{order_id}/1", number=f"P{order_id[-1]}")
        case "wait":
            story.later(hours=figure)
            return story.miss_feed()
        case _:
            return story.serve(order_id)


@settings(max_examples=150, deadline=None)
@given(happenings)
def test_every_alert_is_told_once_a_crossing_and_nothing_is_ever_oversold(happened):
    story = fed(12, low_stock_units=5, stale_buffer_units=2, stale_buffer_basis_points=500)
    placed: list[str] = []
    stands = {Alert.LOW: False, Alert.SOLD_OUT: False, Alert.STALE: False}
    shortfall = 0
    for what, figure in happened:
        before = story.stock()
        promised = before.held + before.committed
        try:
            facts = happen(story, what, figure, placed)
        except Refusal:
            continue
        now = story.stock()
        told = [type(fact) for fact in facts if isinstance(fact, ALERTS)]
        threshold = 5 if now.low_threshold is None else now.low_threshold
        for alert, is_so, begins in (
            (Alert.LOW, threshold > 0 and now.available < threshold, StockLow),
            (Alert.SOLD_OUT, now.available <= 0, SoldOut),
            (Alert.STALE, now.stale is not None, FeedStale),
        ):
            # A level says of itself what the facts have told.
            if facts:
                assert told.count(begins) == (1 if is_so and not stands[alert] else 0), (alert, told)
                stands[alert] = is_so
        assert (now.low, now.sold_out) == (stands[Alert.LOW], stands[Alert.SOLD_OUT])
        assert told.count(Oversold) == (1 if now.shortfall > shortfall else 0)
        shortfall = now.shortfall
        if any(isinstance(fact, StockReserved) for fact in facts):
            assert now.available >= 0, f"{promised} promised before"


def test_the_alerts_of_an_order_stand_beside_its_facts_whatever_the_clock_says():
    """The terms in force are those of the moment of the decision, to the microsecond."""
    story = a_shop(tea=10)
    story.agree(since=NOON + timedelta(microseconds=1), low_stock_units=9)
    assert alerts(story.place(line(1, "tea", 3))) == []
    story.later(microseconds=1)
    assert alerts(story.place(line(1, "tea", 1), order_id="shopify/2")) == ["low"]
