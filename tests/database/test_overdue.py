"""Units of a supplier that misses a clock go to the next one by themselves, once it agrees (DOMAIN 1, 6)."""

from datetime import datetime, timedelta

import pytest

from ledger.decisions.timers import RerouteDue, Timer
from ledger.facts import Fact
from ledger.nouns.choice import Against
from ledger.nouns.orders import HoldReason, ReroutingSought, WhenUnavailable
from ledger.nouns.orders.supplier_orders import (
    CancelRequested,
    LineAnswer,
    RejectReason,
    Stage,
    SupplierOrderDrafted,
)
from ledger.nouns.policies import RerouteAfter
from ledger.terms.clocks import Clock
from ledger.terms.parties import Party
from tests.support.market import alone, market
from tests.support.obligations import LoggedScenario
from tests.support.scenario import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    SECOND,
    Scenario,
    accept,
    line,
    names,
    the,
)
from tests.support.stalls import EmptyTenant

ACKNOWLEDGE, DISPATCH = Clock.ACKNOWLEDGE, Clock.DISPATCH


def overdue(scenario: Scenario, clock: Clock = DISPATCH, hours: float = 49) -> Scenario:
    """So many hours after noon the clock has run out, and that is recorded."""
    scenario.later(hours=hours)
    scenario.miss(clock)
    return scenario


# --- who is asked, for what and why ---------------------------------------------------------------


@pytest.mark.parametrize(("clock", "hours"), [(ACKNOWLEDGE, 24), (DISPATCH, 48)])
def test_a_supplier_that_misses_a_clock_is_asked_for_its_units_with_the_reason(clock: Clock, hours: int):
    scenario = overdue(market(), clock, hours)
    facts = scenario.reroute_overdue(clock)
    assert names(facts) == ["rerouting_sought", "supplier_order_cancel_requested"]
    asked = the(CancelRequested, facts)
    assert (asked.by_line, asked.rerouted, asked.by, asked.because) == (
        {1: 3},
        {1: 3},
        Party.SUPPLIER,
        f"overdue: {clock}",
    )
    sought = the(ReroutingSought, facts)
    assert (sought.clock, sought.due, sought.by_line, sought.unserved) == (clock, NOON + hours * HOUR, {1: 3}, ())
    assert list(scenario.order().supplier_orders) == [FIRST], "nobody else has them before it agrees"


def test_its_agreement_sends_the_units_to_the_next_supplier_with_the_reason():
    scenario = overdue(market())
    scenario.reroute_overdue()
    drafted = the(SupplierOrderDrafted, scenario.answer_cancel(agreed=True))
    assert (drafted.supplier_id, drafted.units, drafted.instead_of) == ("bolt", {1: 3}, FIRST)
    assert drafted.because == "overdue: dispatch"
    assert scenario.supplier_order().stage is Stage.CANCELLED
    assert scenario.buckets() == {"assigned": 3}


def test_it_is_asked_once_for_each_clock():
    scenario = overdue(market(), ACKNOWLEDGE, 24)
    assert scenario.reroute_overdue(ACKNOWLEDGE) != []
    assert scenario.reroute_overdue(ACKNOWLEDGE) == []
    scenario.answer_cancel(agreed=False)
    assert scenario.reroute_overdue(ACKNOWLEDGE) == []
    overdue(scenario, DISPATCH, 24)
    assert the(CancelRequested, scenario.reroute_overdue()).because == "overdue: dispatch"


def test_units_that_it_was_asked_for_already_are_not_asked_for_again():
    scenario = overdue(market(), ACKNOWLEDGE, 24)
    scenario.reroute_overdue(ACKNOWLEDGE)
    overdue(scenario, DISPATCH, 24)
    assert names(scenario.reroute_overdue()) == ["rerouting_sought"]
    scenario.answer_cancel(agreed=False)
    assert scenario.reroute_overdue() == [], "it has said no after both clocks had run out"


def test_units_that_are_to_be_cancelled_are_left_out():
    scenario = market()
    scenario.cancel({1: 2})
    facts = overdue(scenario).reroute_overdue()
    assert the(ReroutingSought, facts).by_line == {1: 1}
    asked = the(CancelRequested, facts)
    assert (asked.by_line, asked.rerouted) == ({1: 3}, {1: 1})


def test_of_a_supplier_order_that_is_partly_shipped_the_rest_is_asked_for():
    scenario = market()
    scenario.ship({1: 2})
    asked = the(CancelRequested, overdue(scenario).reroute_overdue())
    assert asked.by_line == {1: 1}
    scenario.answer_cancel(agreed=True)
    assert scenario.buckets() == {"shipped": 2, "assigned": 1}


def test_a_parcel_that_left_first_keeps_its_units():
    scenario = overdue(market())
    scenario.reroute_overdue()
    assert "supplier_order_cancel_refused" in names(scenario.ship())
    assert scenario.buckets() == {"shipped": 3}


def test_a_supplier_that_keeps_its_units_keeps_them_whatever_the_orders_policy_says():
    scenario = overdue(market(when_unavailable=WhenUnavailable.CANCEL))
    scenario.reroute_overdue()
    scenario.answer_cancel(agreed=False)
    assert scenario.buckets() == {"assigned": 3}
    assert scenario.supplier_order().stage is Stage.SENT


def test_units_that_are_freed_and_that_nobody_takes_any_more_go_as_the_order_says():
    scenario = alone(WhenUnavailable.CANCEL)
    scenario.feed(3, supplier_id="bolt")
    overdue(scenario).reroute_overdue()
    scenario.feed(0, supplier_id="bolt")
    scenario.answer_cancel(agreed=True)
    assert scenario.buckets() == {"cancelled": 3}
    assert scenario.buckets(2) == {"assigned": 1}


def test_the_breach_and_what_it_costs_stand_whoever_sends_the_units():
    scenario = overdue(market())
    scenario.reroute_overdue()
    scenario.answer_cancel(agreed=True)
    assert (FIRST, DISPATCH) in scenario.order().missed
    assert scenario.supplier_order().late == {1: 3}


# --- where nobody qualifies -----------------------------------------------------------------------


def test_where_nobody_qualifies_nothing_is_taken_and_the_reason_is_recorded_once():
    scenario = overdue(alone())
    (sought,) = scenario.reroute_overdue()
    assert isinstance(sought, ReroutingSought)
    assert (sought.by_line, [(each.sku, each.units) for each in sought.unserved]) == ({}, [("tea", 3), ("ink", 1)])
    assert {each.supplier_id: each.against for each in sought.unserved[0].considered} == {
        "acme": Against.TAKEN_AWAY,
        "bolt": Against.OUT_OF_STOCK,
    }
    assert scenario.supplier_order().cancel_asked == {}
    assert scenario.buckets() == {"assigned": 3}
    scenario.feed(10, supplier_id="bolt")
    assert scenario.reroute_overdue() == [], "from here on it is work for a person"


def test_only_units_of_skus_that_somebody_qualifies_for_are_asked_for():
    scenario = alone()
    scenario.feed(3, supplier_id="bolt")
    facts = overdue(scenario).reroute_overdue()
    assert the(CancelRequested, facts).by_line == {1: 3}
    assert [choice.sku for choice in the(ReroutingSought, facts).unserved] == ["ink"]


# --- what is no reason ----------------------------------------------------------------------------


def test_before_the_breach_is_recorded_nothing_is_asked_for():
    scenario = market()
    scenario.later(hours=49)
    assert scenario.reroute_overdue() == []
    assert scenario.reroute_overdue(supplier_order_id=SECOND) == []
    assert scenario.reroute_overdue(order_id="shopify/9") == []
    assert overdue(scenario).reroute_overdue(ACKNOWLEDGE) == []


def test_what_came_late_but_came_is_not_asked_for():
    scenario = overdue(market(), ACKNOWLEDGE, 25)
    scenario.answer({1: accept(3)})
    assert scenario.reroute_overdue(ACKNOWLEDGE) == []
    overdue(scenario, DISPATCH, 24)
    scenario.ship()
    assert scenario.reroute_overdue() == []


def test_a_breach_that_is_withdrawn_is_no_reason_until_the_clock_is_missed_again():
    scenario = overdue(market())
    scenario.hold(HoldReason.CUSTOMER_REQUEST, at=NOON + 40 * HOUR)
    scenario.later(hours=11)
    scenario.release(HoldReason.CUSTOMER_REQUEST)
    assert scenario.reroute_overdue() == []
    overdue(scenario, DISPATCH, 8)
    assert the(ReroutingSought, scenario.reroute_overdue()).due == NOON + 68 * HOUR


@pytest.mark.parametrize("scope", ["", FIRST])
def test_an_order_on_hold_is_not_rerouted_before_the_hold_is_gone(scope: str):
    scenario = overdue(market())
    scenario.hold(HoldReason.CUSTOMER_REQUEST, supplier_order_id=scope)
    assert scenario.reroute_overdue() == []
    scenario.later(hours=1)
    scenario.release(HoldReason.CUSTOMER_REQUEST, supplier_order_id=scope)
    assert "supplier_order_cancel_requested" in names(scenario.reroute_overdue())


def test_a_hold_for_units_that_nobody_has_keeps_no_others_back():
    scenario = alone()
    scenario.answer({1: LineAnswer(accepted=1, rejected=2, because=RejectReason.OTHER), 2: accept(1)})
    scenario.feed(1, supplier_id="bolt")  # not enough for both
    assert scenario.holds() == [HoldReason.OUT_OF_STOCK]
    assert the(CancelRequested, overdue(scenario).reroute_overdue()).by_line == {1: 1}


@pytest.mark.parametrize("party", [Party.CUSTOMER, Party.CARRIER, Party.RETAILER])
def test_a_delay_that_is_ruled_anothers_takes_nothing_from_the_supplier(party: Party):
    scenario = overdue(market())
    scenario.rule(party)
    assert scenario.reroute_overdue() == []
    scenario.rule(Party.SUPPLIER)
    assert scenario.reroute_overdue() != []


def test_a_ruling_on_one_clock_says_nothing_of_the_other():
    scenario = overdue(market(), ACKNOWLEDGE, 24)
    scenario.rule(Party.CUSTOMER, clock=ACKNOWLEDGE)
    assert scenario.reroute_overdue(ACKNOWLEDGE) == []
    assert overdue(scenario, DISPATCH, 24).reroute_overdue() != []


def test_what_was_overdue_long_ago_is_left_to_people():
    scenario = overdue(market(), hours=48 + 48)
    scenario.later(seconds=1)
    assert scenario.reroute_overdue() == [], "an import of old orders asks nobody for anything"
    scenario.agree(message_age_hours=50)
    assert scenario.reroute_overdue() != []


# --- goods that it has yet to get -----------------------------------------------------------------


def waits_for_goods(expected_at: datetime | None) -> Scenario:
    """Acme accepts the ink and will have the tea on some day."""
    scenario = market()
    scenario.offer("ink", supplier_id="bolt")
    scenario.place(line(1, "tea", 3), line(2, "ink", 1), order_id="shopify/2")
    scenario.send("shopify/2/1")
    scenario.answer({1: LineAnswer(backordered=3, expected_at=expected_at), 2: accept(1)}, "shopify/2/1")
    scenario.later(hours=49)
    scenario.miss(DISPATCH, "shopify/2/1", "shopify/2")
    return scenario


def seek(scenario: Scenario) -> list[Fact]:
    return scenario.reroute_overdue(DISPATCH, "shopify/2/1", "shopify/2")


def test_a_supplier_that_named_a_day_is_taken_at_its_word_until_that_day():
    scenario = waits_for_goods(NOON + 5 * DAY)
    assert the(CancelRequested, seek(scenario)).by_line == {2: 1}
    assert seek(scenario) == []
    scenario.answer_cancel(agreed=True, supplier_order_id="shopify/2/1")
    scenario.later(days=3)
    facts = seek(scenario)
    assert the(CancelRequested, facts).by_line == {1: 3}
    assert the(ReroutingSought, facts).due == NOON + 5 * DAY
    assert seek(scenario) == []


def test_a_later_day_that_it_names_counts():
    scenario = waits_for_goods(NOON + 5 * DAY)
    scenario.answer({1: LineAnswer(backordered=3, expected_at=NOON + 9 * DAY)}, "shopify/2/1")
    assert the(CancelRequested, seek(scenario)).by_line == {2: 1}
    scenario.answer_cancel(agreed=True, supplier_order_id="shopify/2/1")
    scenario.later(days=6)
    assert seek(scenario) == []
    scenario.later(days=1)
    assert the(CancelRequested, seek(scenario)).by_line == {1: 3}


@pytest.mark.parametrize("expected_at", [None, NOON + DAY])
def test_goods_without_a_day_or_from_an_earlier_one_are_overdue_with_the_others(expected_at: datetime | None):
    scenario = waits_for_goods(expected_at)
    assert the(CancelRequested, seek(scenario)).by_line == {1: 3, 2: 1}


def test_goods_that_have_come_meanwhile_are_overdue_since_the_dispatch_was():
    scenario = waits_for_goods(NOON + 5 * DAY)
    scenario.answer({1: accept(3)}, "shopify/2/1")
    assert the(CancelRequested, seek(scenario)).by_line == {1: 3, 2: 1}


# --- what the retailer agreed with itself ---------------------------------------------------------


def test_the_retailer_may_wait_some_hours_more():
    scenario = market()
    scenario.agree(reroute_after=RerouteAfter(dispatch_hours=6))
    overdue(scenario, hours=53)
    assert scenario.reroute_overdue() == []
    scenario.later(hours=1)
    assert the(ReroutingSought, scenario.reroute_overdue()).due == NOON + 48 * HOUR


def test_a_clock_without_hours_is_left_to_people():
    scenario = market()
    scenario.agree(reroute_after=RerouteAfter(dispatch_hours=0))
    overdue(scenario, ACKNOWLEDGE, 25)
    assert scenario.reroute_overdue(ACKNOWLEDGE) == []
    assert overdue(scenario, DISPATCH, 24).reroute_overdue() != []


# --- when the clock task looks --------------------------------------------------------------------


def due_at(clock: Clock, hours: float) -> RerouteDue:
    return RerouteDue(FIRST, clock, due=NOON + hours * HOUR)


async def rerouting_due(logged: LoggedScenario, at: datetime | None = None) -> list[Timer]:
    return [each for each in await logged.due(at) if isinstance(each, RerouteDue)]


async def test_a_recorded_breach_is_due_for_rerouting_until_another_supplier_was_sought(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, market())
    logged.scenario.later(hours=48)
    assert await rerouting_due(logged) == []
    logged.scenario.miss(ACKNOWLEDGE)
    logged.scenario.miss(DISPATCH)
    assert await rerouting_due(logged) == [due_at(ACKNOWLEDGE, 24), due_at(DISPATCH, 48)]
    logged.scenario.reroute_overdue(ACKNOWLEDGE)
    assert await rerouting_due(logged) == [due_at(DISPATCH, 48)]
    logged.scenario.reroute_overdue(DISPATCH)
    assert await rerouting_due(logged) == []


async def test_it_is_due_as_the_policy_in_force_says_and_not_when_it_is_long_past(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, overdue(market()))
    last = NOON + (48 + 48) * HOUR
    assert await rerouting_due(logged, last) == [due_at(DISPATCH, 48)]
    assert await rerouting_due(logged, last + timedelta(seconds=1)) == []
    logged.scenario.agree(reroute_after=RerouteAfter(dispatch_hours=6), message_age_hours=1)
    assert await rerouting_due(logged, NOON + 53 * HOUR) == []
    assert await rerouting_due(logged, NOON + 55 * HOUR) == [due_at(DISPATCH, 54)]
    assert await rerouting_due(logged, NOON + 56 * HOUR) == []
    logged.scenario.agree(reroute_after=RerouteAfter(acknowledge_hours=0))
    assert await rerouting_due(logged, NOON + 55 * HOUR) == []


async def test_a_hold_and_a_ruling_take_it_away_and_give_it_back(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, overdue(market()))
    logged.scenario.hold(HoldReason.FRAUD_REVIEW)
    assert await rerouting_due(logged) == []
    logged.scenario.release(HoldReason.FRAUD_REVIEW)
    assert await rerouting_due(logged) == [due_at(DISPATCH, 48)]
    logged.scenario.rule(Party.CUSTOMER)
    assert await rerouting_due(logged) == []


async def test_goods_that_a_supplier_named_a_day_for_are_due_on_that_day(tenant: EmptyTenant):
    scenario = waits_for_goods(NOON + 5 * DAY)
    seek(scenario)
    logged = LoggedScenario(tenant, scenario)
    assert await rerouting_due(logged, NOON + 5 * DAY) == [
        RerouteDue("shopify/2/1", Clock.DISPATCH, due=NOON + 5 * DAY)
    ]


async def test_a_line_that_was_overdue_long_ago_hides_no_later_one(tenant: EmptyTenant):
    scenario = waits_for_goods(NOON + 5 * DAY)
    scenario.later(days=3)
    logged = LoggedScenario(tenant, scenario)
    assert await rerouting_due(logged) == [RerouteDue("shopify/2/1", Clock.DISPATCH, due=NOON + 5 * DAY)]
    assert the(CancelRequested, seek(scenario)).by_line == {1: 3}
    assert await rerouting_due(logged) == []
