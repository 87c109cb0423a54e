"""What a shop is told of an order: the difference between how it is and what the shop knows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.decisions import order_differences, telling
from ledger.facts import LineNo
from ledger.nouns import effects
from ledger.nouns.cases import Remedy
from ledger.nouns.effects import (
    EffectAsked,
    EffectEnded,
    EffectEnding,
    EffectReplayed,
    EffectSubject,
    EffectTold,
    UnknownEffect,
)
from ledger.nouns.orders import LEDGER, HoldReason, PartOf
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.effects import (
    Cancellation,
    EffectKind,
    Fulfilment,
    HeldBack,
    OrderStanding,
    ShopLine,
    StandingHold,
    StockLevel,
)
from tests.support.casework import approved
from tests.support.scenario import NOON, ORDER, line, sent, shipped

ALL = frozenset(EffectKind) - {EffectKind.ORDER}
ASKED = EffectAsked("0a", "main", NOON, EffectSubject.ORDER, ORDER, NOON)


class Shop:
    """A shop that is told each difference, and knows it then."""

    def __init__(self, scenario, kinds=ALL):
        self.scenario = scenario
        self.kinds = kinds
        self.knows: Any = None

    def record(self, facts):
        for fact in facts:
            self.knows = effects.evolve(self.knows, fact)
        return facts

    def ask(self, before=None, own=()):
        """Asks as after a look at the log."""
        order = self.scenario.order()
        return self.record(telling.ask_of_order(order, self.knows, ASKED, self.kinds, before, own))

    def is_told(self):
        """What it is told now."""
        parts = self.knows.parts if self.knows else {}
        found = order_differences.of_order(self.scenario.order(), parts, self.kinds)
        for number, each in enumerate(found, 1):
            if self.knows is None:
                self.record([ASKED])
            self.record(telling.told_now(self.knows, each, NOON, f"ref-{number}", "", more=number < len(found)))
        return [each.effect for each in found]


def parcels(told):
    return [(each.parcel_no, each.tracking_number, each.withdrawn, each.completes) for each in told]


# --- orders ---------------------------------------------------------------------------------------


def test_a_parcel_is_told_with_its_lines_as_the_shop_sold_them():
    shop = Shop(shipped(line(1, "tea", 2, channel_line_id="315")))
    (told,) = shop.is_told()
    assert told == Fulfilment("1", 1, (ShopLine(1, "tea", 2, "315"),), "dhl", "P1", told.shipped_at, completes=True)
    assert shop.is_told() == []


def test_an_order_is_complete_with_the_parcel_that_leaves_nothing_to_be_sent():
    scenario = sent(line(1, "tea", 3))
    shop = Shop(scenario)
    scenario.ship({1: 1})
    assert parcels(shop.is_told()) == [(1, "P1", False, False)]
    scenario.ship({1: 2}, number="P2")
    assert parcels(shop.is_told()) == [(2, "P2", False, True)]
    assert shop.is_told() == [], "what was told of the first parcel is not told again"


def test_cancelling_the_rest_completes_an_order_too():
    scenario = sent(line(1, "tea", 3))
    shop = Shop(scenario)
    scenario.ship({1: 1})
    shop.is_told()
    scenario.cancel({1: 2})
    scenario.answer_cancel(agreed=True)
    last, cancelled = shop.is_told()
    assert parcels([last]) == [(1, "P1", False, True)]
    assert cancelled == Cancellation("1", (ShopLine(1, "tea", 2),), whole=False)


def test_a_corrected_number_is_the_same_parcel_under_another_number():
    scenario = shipped(line(1, "tea", 2))
    shop = Shop(scenario)
    shop.is_told()
    scenario.correct_number("P1", "P9")
    difference: Any
    (difference,) = order_differences.of_order(scenario.order(), shop.knows.parts, ALL)
    assert (difference.part, difference.before.reference) == ("parcel/1", "ref-1")
    assert parcels([difference.before.said]) == [(1, "P1", False, True)]
    assert parcels(shop.is_told()) == [(1, "P9", False, True)]


def test_a_parcel_that_did_not_leave_is_withdrawn_and_what_leaves_then_is_another():
    scenario = shipped(line(1, "tea", 2))
    shop = Shop(scenario)
    shop.is_told()
    scenario.void("P1")
    assert parcels(shop.is_told()) == [(1, "P1", True, False)]
    assert shop.is_told() == []
    scenario.ship(number="P2")
    assert parcels(shop.is_told()) == [(2, "P2", False, True)]


def test_what_changed_back_before_it_was_told_is_not_told():
    scenario = shipped(line(1, "tea", 2))
    shop = Shop(scenario)
    assert shop.ask()
    scenario.void("P1")
    assert order_differences.of_order(scenario.order(), shop.knows.parts, ALL) == []
    shop.record(telling.nothing_to_tell(shop.knows, NOON))
    assert not shop.knows.waiting


def test_a_bundle_is_sent_once_all_of_its_parts_are():
    part = PartOf(LineNo(1), "gift box", 1)
    scenario = sent(line(101, "tea", 2, part_of=part), line(102, "mug", 2, part_of=part))
    shop = Shop(scenario)
    scenario.ship({101: 2, 102: 1})
    scenario.ship({102: 1}, number="P2")
    first, second = shop.is_told()
    assert first.lines == (ShopLine(1, "gift box", 1),)
    assert second.lines == (ShopLine(1, "gift box", 1),)


def test_a_cancelled_order_is_told_as_a_whole():
    scenario = sent(line(1, "tea", 2))
    scenario.cancel()
    shop = Shop(scenario)
    assert shop.is_told() == [], "its supplier has not agreed"
    scenario.answer_cancel(agreed=True)
    assert shop.is_told() == [Cancellation("1", (ShopLine(1, "tea", 2),), whole=True)]


def test_what_the_shop_told_itself_is_not_told_back():
    scenario = sent(line(1, "tea", 2))
    shop = Shop(scenario)
    own = scenario.cancel()
    shop.ask(own=own)
    assert not shop.knows.waiting
    scenario.answer_cancel(agreed=True)
    assert shop.is_told() == []


def test_a_parcel_that_the_shop_reported_is_not_told_back_but_its_correction_is():
    scenario = sent(line(1, "tea", 2))
    shop = Shop(scenario)
    shop.ask(own=scenario.ship())
    assert shop.is_told() == []
    scenario.correct_number("P1", "P9")
    assert parcels(shop.is_told()) == [(1, "P9", False, True)]


def test_what_was_so_before_a_shop_was_connected_it_is_taken_to_know():
    scenario = sent(line(1, "tea", 3))
    scenario.ship({1: 1})
    before = scenario.order()
    scenario.ship({1: 2}, number="P2")
    shop = Shop(scenario)
    shop.ask(before=before)
    assert parcels(shop.is_told()) == [(2, "P2", False, True)]


def test_a_hold_is_told_while_it_stands_and_those_of_the_ledger_are_not():
    scenario = sent(line(1, "tea", 2))
    shop = Shop(scenario)
    scenario.hold(HoldReason.FRAUD_REVIEW, owner="mia")
    scenario.hold(HoldReason.OUT_OF_STOCK, owner=LEDGER)
    assert shop.is_told() == [HeldBack("1", (StandingHold("fraud_review", "mia"),))]
    assert shop.is_told() == []
    scenario.release(HoldReason.FRAUD_REVIEW, owner="mia")
    assert shop.is_told() == [HeldBack("1")]
    assert Shop(scenario).is_told() == [], "it was over before anybody was told"


def test_nothing_is_asked_for_twice_and_nothing_where_nothing_differs():
    scenario = shipped(line(1, "tea", 2))
    shop = Shop(scenario)
    assert shop.ask() == [ASKED]
    assert shop.ask() == []
    shop.is_told()
    assert shop.ask() == []
    scenario.scan(ParcelStatus.DELIVERED)
    assert shop.ask() == []


def test_what_a_shop_knows_is_told_anew_where_that_is_wanted_but_not_what_is_over():
    scenario = sent(line(1, "tea", 3))
    scenario.ship({1: 1})
    shop = Shop(scenario)
    shop.ask()
    shop.is_told()
    scenario.void("P1")
    scenario.ship({1: 3}, number="P2")
    shop.is_told()
    assert shop.is_told() == []
    again = order_differences.of_order(scenario.order(), shop.knows.parts, ALL, anew=True)
    assert parcels([each.effect for each in again]) == [(2, "P2", False, True)]
    assert [each.before for each in again] == [None]
    asked = replace(ASKED, anew=True)
    assert shop.record(telling.ask(shop.knows, asked, again)) == [asked]
    assert shop.record(telling.ask(shop.knows, asked, again)) == [], "it waits for that already"


def test_a_connection_is_told_only_what_it_wants():
    assert Shop(shipped(line(1, "tea", 2)), kinds={EffectKind.STOCK}).is_told() == []


def test_a_granted_refund_is_told_once_and_not_once_it_is_paid():
    desk = approved(Remedy.REFUND)
    shop = Shop(desk.scenario, kinds={EffectKind.REFUND})
    desk.grants()
    before = shop.knows
    (told,) = shop.is_told()
    assert (told.refund_id, told.amount_minor, told.currency) == ("refund-1", 500, "EUR")
    assert told.lines == (ShopLine(1, "tea", 1),)
    assert shop.is_told() == []
    shop.knows = before
    desk.pays()
    assert shop.is_told() == []


STEPS = st.sampled_from(("ship one", "ship all", "void", "correct", "cancel", "tell", "tell"))


@example(["ship one", "ship one", "ship all", "tell", "void"])
@example(["ship one", "ship one", "ship all", "tell", "void", "tell", "cancel"])
@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_whatever_happens_when_the_shop_knows_each_parcel_as_it_is_and_was_told_nothing_twice(steps):
    scenario = sent(line(1, "tea", 6))
    shop, told = Shop(scenario), []
    for number, step in enumerate((*steps, "tell")):
        left = scenario.buckets().get("assigned", 0)
        shipments = scenario.order().shipments
        if step == "ship one" and left:
            scenario.ship({1: 1}, number=f"P{number}")
        elif step == "ship all" and left:
            scenario.ship(number=f"P{number}")
        elif step == "void" and shipments:
            scenario.void(shipments[number % len(shipments)].number)
        elif step == "correct" and shipments:
            scenario.correct_number(shipments[number % len(shipments)].number, f"C{number}")
        elif step == "cancel" and left:
            scenario.cancel({1: 1})
            scenario.answer_cancel(agreed=True)
        elif step == "tell":
            told += shop.is_told()
    known = [each.said for part, each in (shop.knows.parts.items() if shop.knows else ()) if part.startswith("parcel/")]
    present = {(each.tracking_number, each.lines[0].units) for each in known if not each.withdrawn}
    assert present == {(each.number, each.by_line[LineNo(1)]) for each in scenario.order().shipments}
    last: dict[tuple[type, str], object] = {}
    for each in told:
        about = (type(each), getattr(each, "tracking_number", ""))
        assert last.get(about) != each, "nothing is told twice, unless something else was told between"
        last[about] = each
    done = any(each.completes and not each.withdrawn for each in known)
    assert done == bool(present and not scenario.buckets().get("assigned", 0))


# --- SKUs -----------------------------------------------------------------------------------------


def told_level(level, at=NOON):
    asked = EffectAsked("0b", "main", NOON, EffectSubject.SKU, "tea", NOON)
    knows = effects.evolve(None, asked)
    return effects.evolve(knows, EffectTold("0b", telling.LEVEL, level, at))


def test_a_level_is_told_where_it_differs_and_not_so_soon_again_unless_it_ran_out():
    knows = told_level(StockLevel("tea", 5))
    asked = EffectAsked("0b", "main", NOON, EffectSubject.SKU, "tea", NOON)
    assert telling.ask_of_level(knows, asked, StockLevel("tea", 5)) == []
    later = replace(asked, again_at=NOON + effects.STOCK_PAUSE)
    assert telling.ask_of_level(knows, asked, StockLevel("tea", 4)) == [later]
    assert telling.ask_of_level(knows, asked, StockLevel("tea", 0)) == [asked]
    assert telling.ask_of_level(knows, asked, StockLevel("tea", 5), anew=True) == [replace(asked, anew=True)]


def test_a_sku_whose_stock_nobody_tells_is_not_told():
    assert telling.of_level(None, {}) == []


# --- failures -------------------------------------------------------------------------------------


def test_it_is_tried_less_and_less_often_and_after_days_somebody_has_to_look():
    knows, at = effects.evolve(None, ASKED), NOON
    pauses = []
    while not knows.stuck:
        (failed,) = effects.fail(knows, "it does not answer", at, lasting=False)
        knows = effects.evolve(knows, failed)
        if failed.again_at is not None:
            pauses.append(failed.again_at - at)
            at = failed.again_at
    assert pauses[:3] == [timedelta(seconds=5), timedelta(seconds=15), timedelta(minutes=1)]
    assert effects.PATIENCE < at - NOON < effects.PATIENCE + timedelta(hours=2)
    assert effects.fail(knows, "again", at, lasting=False) == []


def test_what_is_stuck_is_replayed_or_dropped_and_nothing_is_told_in_between():
    knows = effects.evolve(None, ASKED)
    (failed,) = effects.fail(knows, "no such order", NOON, lasting=True)
    knows = effects.evolve(knows, failed)
    assert (knows.stuck, knows.is_due, knows.times_stuck) == (True, False, 1)
    assert effects.ask(knows, ASKED) == [], "it waits for somebody"
    (replayed,) = effects.replay(knows, EffectReplayed("0a", "mia", NOON))
    again = effects.evolve(knows, replayed)
    assert (again.is_due, again.attempts) == (True, 0)
    assert effects.replay(again, replayed) == []
    dropped = EffectEnded("0a", EffectEnding.DROPPED, NOON, "mia")
    over = effects.evolve(knows, *effects.end(knows, dropped))
    assert (over.waiting, over.stuck) == (False, False)
    assert effects.end(over, dropped) == []
    assert effects.ask(over, ASKED) == [ASKED], "something new is told again"


def test_what_was_never_to_be_told_is_unknown():
    with pytest.raises(UnknownEffect):
        effects.replay(None, EffectReplayed("0c", "mia", NOON))
    with pytest.raises(UnknownEffect):
        effects.end(None, EffectEnded("0c", EffectEnding.DROPPED, NOON, "mia"))


def test_a_part_that_is_told_after_it_was_dropped_is_known_and_no_more_is_told():
    knows = effects.evolve(None, ASKED)
    knows = effects.evolve(knows, EffectEnded("0a", EffectEnding.DROPPED, NOON, "mia"))
    difference = order_differences.Untold("parcel/1", StockLevel("tea", 1), None)
    knows = effects.evolve(knows, *telling.told_now(knows, difference, NOON, "r", "", more=True))
    assert (knows.waiting, knows.parts["parcel/1"].reference) == (False, "r")


def test_another_connection_of_the_same_name_is_told_for_itself():
    ids = {effects.effect_id("main", NOON + timedelta(days=n), EffectSubject.ORDER, ORDER) for n in range(2)}
    assert len(ids) == 2


def test_whoever_wants_to_know_how_orders_stand_is_told_each_change_once():
    desk = shipped(line(1, "tea", 2))
    site = Shop(desk, kinds={EffectKind.ORDER})
    (standing,) = site.is_told()
    assert standing == OrderStanding(desk.order().placed.channel_order_id, "dispatched")
    assert site.is_told() == []
    assert Shop(desk).is_told() != []
    assert all(not isinstance(each, OrderStanding) for each in Shop(desk).is_told())
