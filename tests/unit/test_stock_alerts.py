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
from tests.support.scenario import (
    DAY,
    HOUR,
    NOON,
    TERMS,
    Scenario,
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


def fed(quantity: int = 10, **terms: Any) -> Scenario:
    """Acme agreed to a feed every four hours, and has sent one."""
    scenario = Scenario()
    if terms:
        scenario.agree(**terms)
    scenario.approve("acme", HOURLY)
    scenario.feed(quantity)
    return scenario


# --- low ------------------------------------------------------------------------------------------


def test_stock_below_its_threshold_is_low_and_recorded_so_once():
    scenario = a_shop(tea=10)
    scenario.agree(low_stock_units=5)
    assert alerts(scenario.reserve("cart-1", 5)) == []
    assert the(StockLow, scenario.reserve("cart-2", 1)) == StockLow("acme", "tea", 4, 5, NOON)
    assert alerts(scenario.reserve("cart-3", 1)) == []


def test_a_low_alert_ends_above_the_threshold_and_the_next_crossing_is_recorded_again():
    scenario = a_shop(tea=10)
    scenario.agree(low_stock_units=5)
    scenario.reserve("cart-1", 6)
    assert the(AlertEnded, scenario.let_go("cart-1")) == AlertEnded("acme", "tea", Alert.LOW, 10, NOON)
    assert alerts(scenario.reserve("cart-2", 6)) == ["low"]


def test_without_an_agreed_threshold_nothing_is_low():
    assert alerts(a_shop(tea=10).reserve("cart-1", 9)) == []


def test_a_threshold_of_the_sku_goes_before_the_policy_and_setting_it_is_a_crossing():
    scenario = a_shop(tea=10)
    scenario.agree(low_stock_units=5)
    assert names(scenario.threshold(11)) == ["low_threshold_set", "low"]
    assert scenario.threshold(11) == []
    assert names(scenario.threshold(None)) == ["low_threshold_set", "alert_ended"]
    assert a_shop(tea=10).threshold(None) == []


def test_a_threshold_of_zero_silences_one_sku():
    scenario = a_shop(tea=10)
    scenario.agree(low_stock_units=5)
    assert scenario.threshold(0) == [LowThresholdSet("acme", "tea", NOON, 0)]
    assert alerts(scenario.reserve("cart-1", 9)) == []


def test_thresholds_hold_from_their_date_on():
    scenario = a_shop(tea=10)
    scenario.agree(since=NOON + DAY, low_stock_units=11)
    assert alerts(scenario.feed(9)) == []
    scenario.later(days=1)
    assert alerts(scenario.feed(9, as_of=scenario.now)) == ["low"]


# --- about to sell out ----------------------------------------------------------------------------


def test_stock_that_lasts_three_days_at_the_demand_of_the_last_28_is_about_to_sell_out():
    scenario = a_shop(tea=34)
    scenario.place(line(1, "tea", 28))  # one a day
    assert alerts(scenario.feed(32)) == []  # 4 left
    raised = the(StockRunningOut, scenario.feed(31))
    assert (raised.available, raised.demand, raised.window_days, raised.cover_days) == (3, 28, 28, 3)
    assert alerts(scenario.feed(30)) == []


def test_demand_older_than_the_window_counts_no_more():
    scenario = a_shop(tea=40)
    scenario.place(line(1, "tea", 28))
    scenario.later(days=28)
    assert alerts(scenario.feed(31)) == []
    assert scenario.stock().demand_of(28, scenario.now.toordinal()) == 0


def test_running_out_ends_when_the_stock_lasts_again():
    scenario = a_shop(tea=34)
    scenario.place(line(1, "tea", 28))
    scenario.feed(31)
    assert the(AlertEnded, scenario.feed(40)).alert is Alert.RUNNING_OUT
    assert alerts(scenario.feed(31)) == ["running_out"]


def test_what_a_cart_holds_is_no_demand_and_what_is_cancelled_is_none_any_more():
    scenario = a_shop(tea=100)
    scenario.reserve("cart-1", 10)
    scenario.place(line(1, "tea", 5))
    assert scenario.stock().demand_of(28, scenario.now.toordinal()) == 5
    scenario.cancel({1: 2})
    assert scenario.stock().demand_of(28, scenario.now.toordinal()) == 3


def test_the_demand_that_is_kept_is_bounded():
    scenario = a_shop(tea=10_000)
    for n in range(LONGEST_DEMAND_DAYS + 20):
        scenario.place(line(1, "tea", 1), order_id=f"shopify/{n}")
        scenario.later(days=1)
    kept = scenario.stock()
    assert len(kept.demand) == LONGEST_DEMAND_DAYS == kept.demand_kept


# --- sold out and back ----------------------------------------------------------------------------


def test_sold_out_and_back_in_stock_are_each_recorded_once():
    scenario = a_shop(tea=10)
    assert the(SoldOut, scenario.reserve("cart-1", 10)) == SoldOut("acme", "tea", NOON)
    assert alerts(scenario.feed(9)) == []
    assert alerts(scenario.feed(10)) == []
    assert the(BackInStock, scenario.feed(11)) == BackInStock("acme", "tea", 1, NOON)
    assert alerts(scenario.feed(12)) == []


def test_a_first_feed_of_nothing_is_sold_out():
    scenario = Scenario()
    scenario.approve("acme")
    assert names(scenario.feed(0)) == ["feed_recorded", "spelled", "sold_out"]


def test_what_is_untracked_has_no_alerts():
    assert names(Scenario().buffer(5)) == ["buffer_set"]


@pytest.mark.parametrize(
    "crossing",
    [
        lambda scenario: scenario.place(line(1, "tea", 10), order_id="shopify/2"),
        lambda scenario: scenario.buffer(10),
        lambda scenario: scenario.feed(0),
        lambda scenario: scenario.correct(0),
    ],
    ids=["an order", "a buffer", "a feed", "a correction"],
)
def test_whatever_takes_the_last_unit_says_so_in_the_same_command(crossing):
    assert alerts(crossing(a_shop(tea=10))) == ["sold_out"]


@pytest.mark.parametrize(
    "crossing",
    [
        lambda scenario: scenario.let_go("cart-1"),
        lambda scenario: (scenario.later(hours=1), scenario.expire("cart-1"))[1],
        lambda scenario: scenario.feed(11),
        lambda scenario: scenario.restock(1),
    ],
    ids=["a release", "an expiry", "a feed", "a return"],
)
def test_whatever_brings_a_unit_back_says_so_in_the_same_command(crossing):
    scenario = a_shop(tea=10)
    scenario.reserve("cart-1", 10)
    assert alerts(crossing(scenario)) == ["back_in_stock"]


def test_a_suppliers_out_of_stock_answer_delists():
    scenario = sent(line(1, "tea", 3))
    assert alerts(scenario.answer({1: reject(3)})) == []
    other = sent(line(1, "tea", 3))
    out_of_stock = reject(3, RejectReason.OUT_OF_STOCK)
    assert alerts(other.answer({1: out_of_stock})) == ["sold_out"]


def test_committing_and_shipping_cross_nothing():
    scenario = a_shop(tea=3)
    scenario.place(line(1, "tea", 3))
    scenario.send()
    assert alerts(scenario.answer({1: accept(3)})) == []
    assert alerts(scenario.ship()) == []


# --- stale feeds ----------------------------------------------------------------------------------


def test_a_feed_older_than_agreed_is_stale_and_recorded_so_once():
    scenario = fed()
    scenario.later(hours=3)
    assert scenario.miss_feed() == []
    scenario.later(hours=1)
    assert scenario.miss_feed() == [FeedStale("acme", "tea", NOON + 4 * HOUR, scenario.now, 0, 1000)]
    assert scenario.miss_feed() == []


def test_while_a_feed_is_stale_more_is_kept_back_and_what_is_promised_stays_promised():
    scenario = fed(15, stale_buffer_units=2, stale_buffer_basis_points=1000)
    scenario.place(line(1, "tea", 5))
    scenario.reserve("cart-1", 4)
    scenario.later(hours=4)
    scenario.miss_feed()
    assert (scenario.stock().stale_buffer, scenario.stock().available) == (4, 2)  # 2 and a tenth of 15, rounded up
    with refused(OutOfStock, "3 asked, 2 available"):
        scenario.reserve("cart-2", 3)
    assert (scenario.stock().held, scenario.stock().committed) == (4, 5)


def test_what_was_held_before_the_feed_went_stale_can_still_be_committed():
    scenario = fed(4, stale_buffer_units=4)
    scenario.place(line(1, "tea", 4), payment=PaymentState.PENDING)
    scenario.later(hours=4)
    scenario.miss_feed()
    assert scenario.stock().available < 0
    scenario.pay()
    assert scenario.stock().committed == 4


def test_a_newer_feed_ends_the_staleness():
    scenario = fed()
    scenario.later(hours=5)
    scenario.miss_feed()
    assert names(scenario.feed(10)) == ["feed_recorded", "feed_fresh"]
    assert (scenario.stock().stale, scenario.stock().available) == (None, 10)
    scenario.later(hours=4)
    assert names(scenario.miss_feed()) == ["feed_stale"]


def test_an_ignored_feed_ends_no_staleness():
    scenario = fed()
    scenario.feed(10)
    scenario.later(hours=5)
    scenario.miss_feed()
    assert names(scenario.feed(9, version=1)) == ["feed_ignored"]
    assert scenario.stock().stale is not None


def test_a_feed_that_is_too_old_when_it_comes_is_stale_at_once():
    scenario = fed()
    scenario.later(hours=9)
    assert names(scenario.feed(10, as_of=NOON + HOUR)) == ["feed_recorded", "feed_stale"]
    assert names(scenario.feed(20, as_of=NOON + 2 * HOUR)) == ["feed_recorded"]
    assert (scenario.stock().stale_buffer, scenario.stock().available) == (2, 18)
    assert scenario.miss_feed() == []


def test_without_an_agreed_interval_no_feed_goes_stale():
    scenario = a_shop(tea=10)
    scenario.later(days=100)
    assert scenario.miss_feed() == []
    assert Scenario().miss_feed() == []


def test_a_wider_buffer_that_leaves_nothing_delists_and_a_fresh_feed_relists():
    scenario = fed(4, stale_buffer_units=4)
    scenario.later(hours=4)
    assert names(scenario.miss_feed()) == ["feed_stale", "sold_out"]
    assert names(scenario.feed(4)) == ["feed_recorded", "feed_fresh", "back_in_stock"]


def test_a_correction_does_not_stand_in_for_a_feed():
    scenario = fed()
    scenario.later(hours=4)
    scenario.miss_feed()
    scenario.correct(20)
    assert (scenario.stock().stale_buffer, scenario.stock().available) == (2, 18)


# --- oversold -------------------------------------------------------------------------------------


def three_orders() -> Scenario:
    scenario = a_shop(tea=10)
    for n in (1, 2, 3):
        scenario.later(minutes=1)
        scenario.place(line(1, "tea", 3), order_id=f"shopify/{n}")
    return scenario


def test_a_correction_below_what_is_committed_is_oversold_too():
    oversold = the(Oversold, three_orders().correct(5))
    assert (oversold.shortfall, oversold.reservations) == (4, ("shopify/3", "shopify/2"))


def test_oversold_ends_once_when_nothing_is_lacking_any_more():
    scenario = three_orders()
    scenario.feed(7)
    assert AlertEnded not in [type(fact) for fact in scenario.feed(8)], "one is still lacking"
    ended = the(AlertEnded, scenario.feed(9))
    assert (ended.alert, ended.available) == (Alert.OVERSOLD, 0)
    assert Alert.OVERSOLD not in [fact.alert for fact in scenario.feed(20) if isinstance(fact, AlertEnded)]


def test_oversold_is_recorded_again_only_when_the_shortfall_grows():
    scenario = three_orders()
    assert the(Oversold, scenario.feed(8)).shortfall == 1
    assert alerts(scenario.feed(8)) == []
    assert the(Oversold, scenario.feed(6)).shortfall == 3
    assert alerts(scenario.feed(7)) == []
    assert the(Oversold, scenario.feed(6)).shortfall == 3


def test_a_shortfall_that_comes_back_after_a_cancellation_is_recorded_again():
    scenario = three_orders()
    scenario.feed(8)
    scenario.cancel(order_id="shopify/3")
    assert scenario.stock().shortfall == 0
    assert the(Oversold, scenario.feed(5)).reservations == ("shopify/2",)


def test_a_buffer_oversells_nobody():
    scenario = three_orders()
    assert alerts(scenario.buffer(10)) == ["sold_out"]


def test_a_hold_that_the_stock_covers_no_more_is_not_committed():
    scenario = a_shop(tea=5)
    scenario.place(line(1, "tea", 4), payment=PaymentState.PENDING)
    scenario.correct(3)
    scenario.pay()
    assert scenario.header() == "on_hold"
    assert scenario.stock().committed == 0


# --- returns --------------------------------------------------------------------------------------


def test_a_returned_unit_is_there_until_a_later_count_replaces_the_figure():
    scenario = a_shop(tea=10)
    scenario.later(hours=2)
    assert scenario.restock(2) == [Restocked("acme", "tea", 2, "returned", scenario.now, "case-1")]
    assert scenario.stock().available == 12
    scenario.feed(10, as_of=NOON + HOUR)
    assert scenario.stock().available == 12
    scenario.feed(12, as_of=NOON + 3 * HOUR)
    assert scenario.stock().available == 12
    assert scenario.stock().restocked == 0


def test_nothing_that_came_back_records_nothing():
    assert a_shop(tea=10).restock(0) == []


def test_a_unit_that_came_back_covers_what_was_committed():
    scenario = three_orders()
    scenario.feed(8)
    scenario.restock(1)
    assert scenario.stock().shortfall == 0


def test_what_came_back_to_untracked_stock_promises_nothing_before_a_feed():
    scenario = Scenario()
    scenario.approve("acme")
    scenario.restock(3)
    assert scenario.stock().available == 0
    scenario.feed(5, as_of=NOON - HOUR)
    assert scenario.stock().available == 8


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


def happen(scenario: Scenario, what: str, figure: int, placed: list[str]) -> list[Fact]:
    order_id = placed[figure % len(placed)] if placed else "shopify/0"
    present = scenario.stock()
    match what:
        case "feed" | "correct" | "restock" | "buffer" | "threshold":
            return list(getattr(scenario, what)(figure))
        case "place":
            placed.append(f"shopify/{len(placed)}")
            return scenario.place(line(1, "tea", figure), order_id=placed[-1])
        case "reserve":
            return scenario.reserve(f"cart-{len(present.reservations)}", figure, minutes=90)
        case "let_go" | "expire":
            names = list(present.reservations) or ["cart-0"]
            facts: list[Fact] = getattr(scenario, what)(names[figure % len(names)])
            return facts
        case "cancel":
            return scenario.cancel(order_id=order_id)
        case "ship":
            scenario.send(f"{order_id}/1")
            return scenario.ship(supplier_order_id=f"{order_id}/1", number=f"P{order_id[-1]}")
        case "wait":
            scenario.later(hours=figure)
            return scenario.miss_feed()
        case _:
            return scenario.serve(order_id)


@settings(max_examples=150)
@given(happenings)
def test_every_alert_is_recorded_once_a_crossing_and_nothing_is_ever_oversold(happened):
    scenario = fed(12, low_stock_units=5, stale_buffer_units=2, stale_buffer_basis_points=500)
    placed: list[str] = []
    stands = {Alert.LOW: False, Alert.SOLD_OUT: False, Alert.STALE: False}
    shortfall = 0
    for what, figure in happened:
        before = scenario.stock()
        promised = before.held + before.committed
        try:
            facts = happen(scenario, what, figure, placed)
        except Refusal:
            continue
        now = scenario.stock()
        raised = [type(fact) for fact in facts if isinstance(fact, ALERTS)]
        threshold = 5 if now.low_threshold is None else now.low_threshold
        for alert, is_so, begins in (
            (Alert.LOW, threshold > 0 and now.available < threshold, StockLow),
            (Alert.SOLD_OUT, now.available <= 0, SoldOut),
            (Alert.STALE, now.stale is not None, FeedStale),
        ):
            # The flags of a level agree with its facts.
            if facts:
                assert raised.count(begins) == (1 if is_so and not stands[alert] else 0), (alert, raised)
                stands[alert] = is_so
        assert (now.low, now.sold_out) == (stands[Alert.LOW], stands[Alert.SOLD_OUT])
        assert raised.count(Oversold) == (1 if now.shortfall > shortfall else 0)
        shortfall = now.shortfall
        if any(isinstance(fact, StockReserved) for fact in facts):
            assert now.available >= 0, f"{promised} promised before"


def test_the_alerts_of_an_order_stand_beside_its_facts_whatever_the_clock_says():
    """The terms in force are those of the moment of the decision, to the microsecond."""
    scenario = a_shop(tea=10)
    scenario.agree(since=NOON + timedelta(microseconds=1), low_stock_units=9)
    assert alerts(scenario.place(line(1, "tea", 3))) == []
    scenario.later(microseconds=1)
    assert alerts(scenario.place(line(1, "tea", 1), order_id="shopify/2")) == ["low"]
