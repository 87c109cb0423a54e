"""Orders that wait for stock get it when it is there, the oldest first, and each unit once."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.decisions.rerouting import NoQualifiedSupplier
from ledger.decisions.stock_watch import MOST_SERVED
from ledger.nouns import orders
from ledger.nouns.orders import (
    Header,
    HoldReason,
    OrderConfirmed,
    PaymentState,
    UnitsReserved,
)
from ledger.nouns.orders.supplier_orders import LineAnswer, RejectReason
from ledger.nouns.stock import OutOfStock, ReservationStatus
from tests.support.scenario import (
    FIRST,
    HOUR,
    NOON,
    ORDER,
    Scenario,
    a_shop,
    line,
    names,
    refused,
    sent,
    the,
    units,
)

# --- before the confirmation ----------------------------------------------------------------------


def test_an_order_that_was_out_of_stock_is_confirmed_once_there_is_enough():
    scenario = a_shop(tea=2)
    scenario.place(line(1, "tea", 3))
    assert scenario.serve() == []
    assert names(scenario.feed(3)) == [
        "feed_recorded",
        "hold_released",
        "confirmed",
        "supplier_order_drafted",
        "reserved",
        "reservation_committed",
        "wait_ended",
        "sold_out",
    ]
    assert scenario.serve() == []


def test_all_lines_of_a_waiting_order_are_reserved_together_or_none():
    scenario = a_shop(tea=2, mug=0)
    scenario.place(line(1, "tea", 3), line(2, "mug", 1))
    scenario.feed(10)
    assert scenario.serve() == []
    scenario.feed(1, "mug")
    scenario.serve()
    assert scenario.header() is Header.CONFIRMED


def test_an_unpaid_order_gets_a_hold_on_its_stock_and_waits_for_the_money_alone():
    scenario = a_shop(tea=2)
    scenario.place(line(1, "tea", 3), payment=PaymentState.PENDING)
    scenario.feed(5)
    scenario.serve()
    assert scenario.holds() == [HoldReason.AWAITING_PAYMENT]
    assert scenario.stock().reservations[ORDER].status is ReservationStatus.HELD


def test_a_hold_that_a_person_placed_is_left_to_that_person():
    scenario = a_shop(tea=10)
    scenario.place(payment=PaymentState.PENDING)
    scenario.hold(HoldReason.OUT_OF_STOCK, "mia")
    assert scenario.serve() == []


def test_an_order_placed_before_the_first_feed_is_reserved_as_soon_as_the_feed_comes():
    scenario = Scenario()
    scenario.approve("acme")
    scenario.place(payment=PaymentState.PENDING)
    assert scenario.serve() == []
    scenario.feed(10)
    assert names(scenario.serve()) == ["units_reserved", "reserved"]
    assert scenario.order().untracked == frozenset()
    assert scenario.serve() == []


def test_an_order_placed_before_the_first_feed_is_reserved_at_the_latest_when_it_is_confirmed():
    scenario = Scenario()
    scenario.approve("acme")
    scenario.place(payment=PaymentState.PENDING)
    scenario.feed(10)
    scenario.pay()
    assert scenario.stock().reservations[ORDER].status is ReservationStatus.COMMITTED
    # Nothing more to reserve: the clock only notes that it waits no more.
    assert names(scenario.serve()) == ["units_reserved", "wait_ended"]
    assert scenario.stock().committed == 3


# --- after the confirmation -----------------------------------------------------------------------


def backordered(wanted: int = 5, there: int = 2) -> Scenario:
    """A person let what lacks wait at the supplier."""
    scenario = a_shop(tea=there)
    scenario.place(line(1, "tea", wanted))
    scenario.confirm(backorder_lacking=True)
    return scenario


def test_backordered_units_are_reserved_when_stock_comes():
    scenario = backordered()
    assert scenario.order().waiting_for_stock() == units({1: 3})
    assert scenario.serve() == []
    assert the(UnitsReserved, scenario.feed(10)).by_line == units({1: 3})
    assert (scenario.stock().committed, scenario.stock().available) == (5, 5)
    assert scenario.order().waiting_for_stock() == {}
    assert scenario.serve() == []


def test_backordered_units_are_reserved_one_by_one_as_they_come():
    scenario = backordered()
    assert the(UnitsReserved, scenario.feed(3)).by_line == units({1: 1})
    assert scenario.serve() == []
    assert the(UnitsReserved, scenario.feed(5)).by_line == units({1: 2})


def test_what_was_cancelled_or_shipped_meanwhile_waits_no_more():
    scenario = backordered()
    scenario.cancel({1: 3})
    # It takes none of them: what it has was reserved before.
    assert names(scenario.feed(10)) == ["feed_recorded", "units_reserved", "wait_ended", "back_in_stock"]
    assert scenario.stock().committed == 2
    assert scenario.serve() == []
    other = backordered()
    other.send()
    other.ship({1: 5})
    other.feed(10, as_of=other.now)
    assert other.serve() == []


def test_a_confirmed_order_of_an_untracked_sku_is_reserved_when_its_first_feed_comes():
    scenario = Scenario()
    scenario.approve("acme")
    scenario.place(line(1, "tea", 3), line(2, "tea", 2), line(3, "ink", 1))
    assert scenario.order().untracked == {1, 2, 3}
    scenario.feed(4)
    assert the(UnitsReserved, scenario.serve()).by_line == units({1: 3, 2: 1})
    assert the(UnitsReserved, scenario.feed(9)).by_line == units({2: 1})
    assert scenario.stock().reservations[ORDER].units == 5
    assert scenario.order().untracked == {3}


def test_units_that_were_cancelled_before_the_confirmation_are_not_waited_for_after_it():
    scenario = Scenario()
    scenario.approve("acme")
    scenario.place(line(1, "tea", 3), payment=PaymentState.PENDING)
    scenario.cancel({1: 1})
    scenario.pay()
    assert scenario.order().waiting_for_stock() == {1: 2}


def test_units_that_a_feed_has_taken_off_are_not_promised_twice():
    scenario = backordered(wanted=5, there=2)
    scenario.later(hours=1)
    scenario.feed(1, watermark=scenario.now)  # ours are taken off already, one more came
    assert scenario.stock().reservations[ORDER].in_feed
    assert scenario.serve() == []
    assert (scenario.stock().free, scenario.stock().available) == (1, 0), "kept for who waits"
    scenario.feed(6)
    scenario.serve()
    assert (scenario.stock().reservations[ORDER].units, scenario.stock().available) == (5, 1)


def test_a_backorder_of_the_supplier_keeps_its_reservation_and_waits_for_nothing():
    scenario = sent(line(1, "tea", 3))
    scenario.answer({1: LineAnswer(accepted=2, backordered=1)})
    assert scenario.order().waiting_for_stock() == {}
    assert scenario.serve() == []


def test_an_unknown_order_is_left_alone():
    assert a_shop().serve("shopify/9") == []


def test_who_came_first_is_served_first():
    scenario = a_shop(tea=0)
    for n in (1, 2):
        scenario.place(line(1, "tea", 3), order_id=f"shopify/{n}")
    scenario.feed(4)
    scenario.serve("shopify/1")
    assert scenario.serve("shopify/2") == []
    assert (scenario.header("shopify/1"), scenario.header("shopify/2")) == (Header.CONFIRMED, Header.ON_HOLD)
    assert scenario.now == NOON
    assert FIRST in scenario.order().supplier_orders


# --- before whoever asks later --------------------------------------------------------------------


def five_waiting() -> Scenario:
    """Nothing is there, and five orders wait for one unit each."""
    scenario = a_shop(tea=0)
    for n in range(1, 6):
        scenario.place(line(1, "tea", 1), order_id=f"shopify/{n}")
    return scenario


def test_units_that_come_in_are_for_those_who_waited_and_not_for_whoever_asks_first():
    scenario = five_waiting()
    scenario.feed(5)
    for n in range(6, 9):
        scenario.place(line(1, "tea", 1), order_id=f"shopify/{n}")
        assert scenario.holds(f"shopify/{n}") == [HoldReason.OUT_OF_STOCK]
    for n in (8, 3, 7, 1, 2, 6, 5, 4):
        scenario.serve(f"shopify/{n}")
    served = [n for n in range(1, 9) if scenario.header(f"shopify/{n}") is Header.CONFIRMED]
    assert served == [1, 2, 3, 4, 5]


def test_neither_a_cart_nor_a_rerouting_takes_what_is_kept_for_those_who_wait():
    scenario = five_waiting()
    scenario.feed(6)
    with refused(OutOfStock, "tea of acme: 2 asked, 1 available"):
        scenario.reserve("cart-1", 2)
    scenario.reserve("cart-1", 1)
    assert (scenario.stock().committed, scenario.stock().available) == (5, 0)
    other = a_shop(tea=0)
    other.offer(supplier_id="acme")
    other.offer(supplier_id="bolt")
    other.feed(9, supplier_id="bolt")
    other.place(line(1, "tea", 2, "bolt"), order_id="shopify/9")
    other.place(line(1, "tea", 2))
    other.feed(3)
    with refused(NoQualifiedSupplier, "acme out of stock"):
        other.reroute(supplier_order_id="shopify/9/1", order_id="shopify/9")


def test_what_was_there_before_anybody_waited_is_nobodys():
    scenario = a_shop(tea=4)
    scenario.place(line(1, "tea", 6))
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    assert scenario.header("shopify/2") is Header.CONFIRMED
    scenario.feed(6)  # one of them is the second order's: two came in
    assert (scenario.stock().free, scenario.stock().kept, scenario.stock().available) == (5, 2, 3)


@pytest.mark.parametrize("comes_back", ["cancelled", "expired", "restocked", "corrected", "buffer", "released"])
def test_whatever_comes_in_goes_to_those_who_wait_in_the_same_decision(comes_back: str):
    scenario = a_shop(tea=4)
    scenario.buffer(1)
    scenario.place(line(1, "tea", 2), order_id="shopify/0")
    scenario.reserve("cart-1", 1)
    scenario.place(line(1, "tea", 4))
    scenario.confirm(backorder_lacking=True)
    assert scenario.order().waiting_for_stock() == units({1: 4})
    match comes_back:
        case "cancelled":
            facts = scenario.cancel(order_id="shopify/0")
        case "expired":
            scenario.later(hours=1)
            facts = scenario.expire("cart-1")
        case "restocked":
            facts = scenario.restock(2)
        case "corrected":
            facts = scenario.correct(5)
        case "buffer":
            facts = scenario.buffer(0)
        case _:
            facts = scenario.let_go("cart-1")
    assert sum(the(UnitsReserved, facts).by_line.values()) == scenario.stock().reservations[ORDER].units > 0
    assert (scenario.stock().free, scenario.stock().available) == (0, 0)


def test_what_one_command_does_not_get_to_is_kept_and_served_by_the_clock():
    scenario = a_shop(tea=0)
    for n in range(1, MOST_SERVED + 4):
        scenario.place(line(1, "tea", 1), order_id=f"shopify/{n}")
    scenario.feed(MOST_SERVED + 2)
    served = [n for n in range(1, MOST_SERVED + 4) if scenario.header(f"shopify/{n}") is Header.CONFIRMED]
    assert served == [*range(1, MOST_SERVED + 1)]
    assert (scenario.stock().kept, scenario.stock().available) == (2, 0)
    scenario.place(line(1, "tea", 1), order_id="shopify/late")
    assert scenario.holds("shopify/late") == [HoldReason.OUT_OF_STOCK]
    scenario.serve(f"shopify/{MOST_SERVED + 1}")
    assert scenario.header(f"shopify/{MOST_SERVED + 2}") is Header.CONFIRMED, "with the one before it"
    assert scenario.holds(f"shopify/{MOST_SERVED + 3}") == [HoldReason.OUT_OF_STOCK]


def test_an_order_that_gets_its_units_from_one_supplier_leaves_those_of_the_other_to_who_waits_there():
    scenario = two_who_lack()
    scenario.place(line(1, "tea", 2, "bolt"), order_id="shopify/2")
    scenario.feed(2, supplier_id="bolt")
    assert scenario.holds("shopify/2") == [HoldReason.OUT_OF_STOCK], "kept for the first, which wants three"
    scenario.feed(3)
    assert scenario.supplier_order().supplier_id == "acme"
    assert scenario.header("shopify/2") is Header.CONFIRMED, "in the same decision"


def test_what_a_waiting_order_cannot_take_yet_is_kept_and_its_wait_refuses_nobody():
    scenario = a_shop(tea=0)
    scenario.place(line(1, "tea", 3))
    scenario.suspend()
    assert names(scenario.feed(3)) == ["feed_recorded"]
    assert scenario.holds() == [HoldReason.OUT_OF_STOCK]
    assert (scenario.stock().kept, scenario.stock().available) == (3, 0)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(["place", "feed", "cancel", "cart", "let_go"]), st.integers(1, 6), st.integers(0, 9)),
        max_size=25,
    )
)
def test_nobody_who_could_have_its_units_still_waits_and_nobody_newer_has_them(steps: list[tuple[str, int, int]]):
    scenario = a_shop(tea=0)
    for n, (what, count, which) in enumerate(steps):
        scenario.later(minutes=1)
        waited, order_id = dict(scenario.stock().waiting), f"shopify/{n}"
        match what:
            case "place":
                facts = scenario.place(line(1, "tea", count), order_id=order_id)
                # The newest gets nothing of what comes before somebody older has all.
                assert not waited or scenario.holds(order_id) or scenario.stock().waiting == waited
            case "feed":
                facts = scenario.feed(which)
            case "cancel" if orders.find(scenario.book, f"shopify/{which}") is not None:
                facts = (
                    []
                    if scenario.header(f"shopify/{which}") is Header.CANCELLED
                    else scenario.cancel(order_id=f"shopify/{which}")
                )
            case "cart" if scenario.stock().available >= count:
                facts = scenario.reserve(f"cart-{n}", count, minutes=10_000)
            case "let_go" if f"cart-{which}" in scenario.stock().reservations:
                facts = scenario.let_go(f"cart-{which}")
            case _:
                continue
        served = [fact.order_id for fact in facts if isinstance(fact, OrderConfirmed) and fact.order_id in waited]
        assert served == [each for each in waited if each in served], "the oldest first"
        stock = scenario.stock()
        if (first := next(iter(stock.waiting), None)) is not None:
            assert stock.free < stock.waiting[first], "nobody waits whose units are there"


def test_who_gives_up_waiting_leaves_what_was_kept_to_those_behind():
    scenario = a_shop(tea=0, mug=0)
    scenario.place(line(1, "tea", 2), line(2, "mug", 1))
    for n in (2, 3):
        scenario.place(line(1, "tea", 1), order_id=f"shopify/{n}")
    scenario.feed(2)
    assert (scenario.stock().kept, scenario.stock().available) == (2, 0)
    scenario.cancel({1: 1})
    assert [scenario.header(f"shopify/{n}") for n in (2, 3)] == [Header.CONFIRMED, Header.ON_HOLD]
    scenario.cancel()
    assert scenario.header("shopify/3") is Header.CONFIRMED
    assert (scenario.stock().waiting, scenario.stock().kept) == ({}, 0)


def test_backordered_units_of_a_confirmed_order_come_before_a_newer_order():
    scenario = backordered()
    scenario.feed(5)
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    assert scenario.holds("shopify/2") == [HoldReason.OUT_OF_STOCK]
    assert scenario.order().waiting_for_stock() == {}


def test_who_waits_longer_for_more_is_not_overtaken_by_who_waits_for_less():
    scenario = a_shop(tea=0)
    scenario.place(line(1, "tea", 3))
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.feed(2)
    assert scenario.serve("shopify/2") == []
    scenario.feed(3)
    assert scenario.serve("shopify/2") == []
    scenario.serve()
    assert scenario.header() is Header.CONFIRMED


# --- where the ledger is to choose the supplier ---------------------------------------------------


def two_who_lack() -> Scenario:
    """Acme and Bolt both offer tea, have one unit each, and an order of three waits for whoever gets more."""
    scenario = a_shop(tea=1)
    for supplier_id in ("acme", "bolt"):
        scenario.offer(supplier_id=supplier_id)
    scenario.feed(1, supplier_id="bolt")
    scenario.place(line(1, "tea", 3, ""))
    return scenario


@pytest.mark.parametrize("supplier_id", ["acme", "bolt"])
def test_an_order_without_a_supplier_waits_for_stock_and_goes_to_whoever_gets_it(supplier_id: str):
    scenario = two_who_lack()
    assert scenario.holds() == [HoldReason.OUT_OF_STOCK]
    assert scenario.serve() == []
    scenario.feed(4, supplier_id=supplier_id)
    scenario.place(line(1, "tea", 2, supplier_id), order_id="shopify/2")
    assert scenario.holds("shopify/2") == [HoldReason.OUT_OF_STOCK], "who waited comes first, also here"
    scenario.serve()
    assert scenario.header() is Header.CONFIRMED
    assert scenario.supplier_order().supplier_id == supplier_id
    assert ORDER not in scenario.stock("tea", "acme").waiting
    assert ORDER not in scenario.stock("tea", "bolt").waiting


def test_a_supplier_that_is_reinstated_serves_who_waited():
    scenario = a_shop(tea=1)
    for supplier_id in ("acme", "bolt"):
        scenario.offer(supplier_id=supplier_id)
    scenario.feed(9, supplier_id="bolt")
    scenario.suspend("bolt")
    scenario.place(line(1, "tea", 3, ""))
    assert scenario.holds() == [HoldReason.OUT_OF_STOCK]
    assert scenario.serve() == []
    scenario.reinstate("bolt")
    scenario.serve()
    assert scenario.supplier_order().supplier_id == "bolt"


@pytest.mark.parametrize("chosen_by_the_shop", [True, False])
def test_an_order_whose_only_supplier_was_suspended_goes_on_once_it_is_reinstated(chosen_by_the_shop: bool):
    scenario = a_shop(tea=9)
    scenario.offer(supplier_id="acme")
    scenario.suspend("acme")
    scenario.place(line(1, "tea", 3, "acme" if chosen_by_the_shop else ""))
    assert scenario.holds() == [HoldReason.OTHER if chosen_by_the_shop else HoldReason.INCOMPLETE]
    assert scenario.serve() == []
    scenario.reinstate("acme")
    scenario.serve()
    assert scenario.header() is Header.CONFIRMED


def test_lines_with_and_without_a_supplier_wait_together():
    scenario = two_who_lack()
    scenario.feed(0, "mug")
    scenario.place(line(1, "mug", 1), line(2, "tea", 3, ""), order_id="shopify/2")
    assert scenario.order("shopify/2").holds[0].lacking == units({1: 1, 2: 3})
    scenario.cancel()
    scenario.feed(9)
    assert scenario.serve("shopify/2") == []
    scenario.feed(1, "mug")
    scenario.serve("shopify/2")
    assert scenario.header("shopify/2") is Header.CONFIRMED


def test_what_is_completed_beside_leaves_the_order_waiting_for_stock():
    scenario = a_shop(tea=1)
    scenario.offer(supplier_id="acme")
    scenario.place(line(1, "tea", 3, ""), has_address=False)
    assert set(scenario.holds()) == {HoldReason.INCOMPLETE, HoldReason.OUT_OF_STOCK}
    scenario.complete(has_address=True)
    assert scenario.holds() == [HoldReason.OUT_OF_STOCK]
    scenario.feed(5)
    scenario.serve()
    assert scenario.header() is Header.CONFIRMED


def test_a_person_lets_an_order_without_a_supplier_wait_at_the_best_of_them():
    scenario = two_who_lack()
    scenario.confirm(backorder_lacking=True)
    assert scenario.supplier_order().supplier_id == "acme"
    assert scenario.buckets() == {"assigned": 1, "backordered": 2}
    assert scenario.stock("tea", "acme").waiting == {ORDER: 2}
    assert scenario.stock("tea", "bolt").waiting == {}


# --- after a supplier turned units down -----------------------------------------------------------


@pytest.mark.parametrize("because", [RejectReason.OUT_OF_STOCK, RejectReason.OTHER])
def test_units_of_a_confirmed_order_that_nobody_has_are_served_before_a_newer_order(because: RejectReason):
    scenario = a_shop(tea=1)
    for supplier_id in ("acme", "bolt"):
        scenario.offer(supplier_id=supplier_id)
    scenario.feed(0, supplier_id="bolt")
    scenario.place(line(1, "tea", 1, ""))
    scenario.send()
    scenario.answer({1: LineAnswer(rejected=1, because=because)})
    assert scenario.holds() == [HoldReason.OUT_OF_STOCK]
    assert scenario.serve() == []
    scenario.feed(1, supplier_id="bolt")
    scenario.place(line(1, "tea", 1, "bolt"), order_id="shopify/2")
    assert scenario.holds("shopify/2") == [HoldReason.OUT_OF_STOCK]
    scenario.serve()
    assert (scenario.holds(), scenario.supplier_order(f"{ORDER}/2").supplier_id) == ([], "bolt")
    assert ORDER not in scenario.stock("tea", "bolt").waiting
    assert scenario.serve() == []


def test_open_and_backordered_units_of_one_item_are_served_in_one_go():
    scenario = a_shop(tea=1)
    for supplier_id in ("acme", "bolt"):
        scenario.offer(supplier_id=supplier_id)
    scenario.feed(0, supplier_id="bolt")
    scenario.place(line(1, "tea", 1), line(2, "tea", 2, "bolt"))
    scenario.confirm(backorder_lacking=True)
    scenario.send()
    scenario.answer({1: LineAnswer(rejected=1, because=RejectReason.OTHER)})
    assert scenario.stock("tea", "bolt").waiting == {ORDER: 3}
    assert the(UnitsReserved, scenario.feed(2, supplier_id="bolt")).by_line == units({2: 1})
    assert (scenario.holds(), scenario.stock("tea", "bolt").reservations[ORDER].units) == ([], 2)
    assert scenario.serve() == []
    assert the(UnitsReserved, scenario.feed(3, supplier_id="bolt")).by_line == units({2: 1})
    assert scenario.serve() == []


def test_whoever_gets_more_beside_what_it_has_leaves_what_is_kept_for_those_behind():
    scenario = backordered()
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.feed(6)
    scenario.serve()
    scenario.place(line(1, "tea", 1), order_id="shopify/3")
    assert scenario.holds("shopify/3") == [HoldReason.OUT_OF_STOCK]
    scenario.serve("shopify/2")
    assert scenario.header("shopify/2") is Header.CONFIRMED


# --- while the supplier is not approved -----------------------------------------------------------


@pytest.mark.parametrize("chosen_by_the_shop", [True, False])
@pytest.mark.parametrize("there_before", [True, False])
def test_what_a_suspended_supplier_has_is_for_those_who_waited_for_its_return(
    chosen_by_the_shop: bool, there_before: bool
):
    scenario = Scenario()
    scenario.approve("acme")
    scenario.offer(supplier_id="acme")
    scenario.suspend("acme")
    if there_before:
        scenario.feed(1)
    scenario.place(line(1, "tea", 1, "acme" if chosen_by_the_shop else ""))
    if not there_before:
        scenario.feed(1)
    scenario.reinstate("acme")
    scenario.place(line(1, "tea", 1, ""), order_id="shopify/2")
    assert scenario.holds("shopify/2") == [HoldReason.OUT_OF_STOCK]
    scenario.serve()
    assert scenario.header() is Header.CONFIRMED
    assert scenario.stock().waiting == {"shopify/2": 1}


# --- who is the oldest ----------------------------------------------------------------------------


def test_details_that_are_recorded_again_do_not_reserve():
    scenario = a_shop(tea=0, mug=0)
    scenario.place(line(1, "tea", 3), order_id="shopify/newer", placed_at=NOON)
    scenario.place(line(1, "mug", 1), order_id="shopify/older", placed_at=NOON - HOUR)
    scenario.feed(2)
    to_tea = line(1, "tea", 1)
    assert "stock_reserved" not in names(scenario.complete(to_tea, order_id="shopify/older"))
    assert list(scenario.stock().waiting) == ["shopify/older", "shopify/newer"]
    assert scenario.complete(to_tea, order_id="shopify/older") == []


def test_the_oldest_order_is_the_one_placed_first_and_not_the_one_recorded_first():
    scenario = a_shop(tea=0)
    for n, days in enumerate((0, 3, 0, 3)):
        scenario.place(line(1, "tea", 1), order_id=f"shopify/{n}", placed_at=NOON - timedelta(days=days))
    assert list(scenario.stock().waiting) == ["shopify/1", "shopify/3", "shopify/0", "shopify/2"]
    scenario.feed(2)
    for n in range(4):
        scenario.serve(f"shopify/{n}")
    served = [n for n in range(4) if scenario.header(f"shopify/{n}") is Header.CONFIRMED]
    assert served == [1, 3]
