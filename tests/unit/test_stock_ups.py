"""Stocking up: what a supplier secures before a peak, an answer that is missing, and what its feeds show of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.decisions import notices, stocking_up
from ledger.decisions.notices import Notice
from ledger.decisions.timers import StockUpAnswerDue
from ledger.facts import Fact
from ledger.nouns import stock_ups
from ledger.nouns.messages import About, MessageKind
from ledger.nouns.stock_ups import (
    StockUp,
    StockUpAnswered,
    StockUpAnsweredTooEarly,
    StockUpAnswerMissed,
    StockUpAsked,
    StockUpAskedDifferently,
    StockUpBreachWithdrawn,
    StockUpIsWithdrawn,
    StockUpShown,
    StockUpState,
    StockUpWithdrawn,
    UnknownStockUp,
    expected,
)
from ledger.nouns.suppliers import UnknownSupplier
from ledger.terms.clocks import Clock
from tests.support.scenario import DAY, HOUR, NOON, TERMS, Scenario, a_shop, line, names, refused, the

PEAK, OVER = NOON + 10 * DAY, NOON + 20 * DAY
ANSWERS = replace(TERMS, effective_from=NOON - DAY, answer_within_hours=24)


class StockingUp:
    """One stock-up of a scenario: a hundred tea until the peak is over."""

    def __init__(self, scenario: Scenario | None = None) -> None:
        self.scenario = scenario or a_shop(tea=50)
        self.scenario.agree_terms(ANSWERS)

    @property
    def stock_up(self) -> StockUp:
        return stock_ups.known(stock_ups.find(self.scenario.book, "s1"), "s1")

    def ask(self, units: int = 100, supplier_id: str = "acme", answer_by: datetime | None = None) -> list[Fact]:
        asked = StockUpAsked("s1", supplier_id, "tea", units, OVER, self.scenario.now, "mia", answer_by)
        return self.scenario.record(stocking_up.ask(self.scenario.book, asked))

    def answer(self, units: int, since: datetime | None = PEAK, at: datetime | None = None) -> list[Fact]:
        answered = StockUpAnswered("s1", units, at or self.scenario.now, since, "mia")
        return self.scenario.record(stocking_up.answer(self.scenario.book, answered, self.scenario.now))

    def withdraw(self, at: datetime | None = None) -> list[Fact]:
        withdrawn = StockUpWithdrawn("s1", "no peak", "mia", at or self.scenario.now)
        return self.scenario.record(stocking_up.withdraw(self.scenario.book, withdrawn, self.scenario.now))

    def miss(self) -> list[Fact]:
        return self.scenario.notice(StockUpAnswerDue("s1", due=self.scenario.now))

    def feed(self, quantity: int, day: int, watermark: datetime | None = None) -> list[Fact]:
        """A count so many days after noon."""
        self.scenario.now = max(self.scenario.now, NOON + day * DAY)
        return self.scenario.feed(quantity, as_of=NOON + day * DAY, watermark=watermark)


def asked() -> StockingUp:
    stocking = StockingUp()
    stocking.ask()
    return stocking


def secured(units: int = 100) -> StockingUp:
    stocking = asked()
    stocking.answer(units)
    return stocking


# --- asking ---------------------------------------------------------------------------------------


def test_a_supplier_answers_by_its_agreement_unless_a_time_is_named():
    assert the(StockUpAsked, StockingUp().ask()).answer_by == NOON + 24 * HOUR
    assert the(StockUpAsked, StockingUp().ask(answer_by=NOON + 7 * DAY)).answer_by == NOON + 7 * DAY


def test_the_same_again_records_nothing_and_something_else_under_its_id_is_refused():
    stocking = asked()
    stocking.scenario.later(hours=1)
    assert stocking.ask() == []
    with refused(StockUpAskedDifferently, "stock-up s1 was asked already with other content"):
        stocking.ask(units=99)
    with refused(UnknownSupplier, "supplier zen is not registered"):
        stocking.ask(supplier_id="zen")


def test_what_nobody_asked_is_neither_answered_nor_withdrawn():
    stocking = StockingUp()
    for command in (lambda: stocking.answer(1), stocking.withdraw):
        with refused(UnknownStockUp, "there is no stock-up s1"):
            command()
    assert stocking.miss() == []


@pytest.mark.parametrize(
    ("demand", "growth", "units"),
    [(56, 10_000, 20), (56, 30_000, 60), (1, 10_000, 1), (0, 30_000, 0), (57, 10_000, 21)],
)
def test_what_is_expected_follows_from_demand_its_growth_and_the_days(demand: int, growth: int, units: int):
    assert expected(demand, 28, NOON, NOON + 10 * DAY, growth) == units


# --- answering ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("units", "since", "state"),
    [
        (100, PEAK, StockUpState.SECURED),
        (120, PEAK, StockUpState.SECURED),
        (99, PEAK, StockUpState.PARTLY_SECURED),
        (0, None, StockUpState.DECLINED),
        (100, OVER, StockUpState.DECLINED),
    ],
)
def test_an_answer_secures_all_a_part_or_nothing(units: int, since: datetime | None, state: StockUpState):
    stocking = asked()
    stocking.answer(units, since)
    assert stocking.stock_up.state is state
    assert stocking.answer(units, since) == []


def test_an_answer_that_never_came_is_missed_once():
    stocking = asked()
    stocking.scenario.later(hours=24)
    assert stocking.miss() == [StockUpAnswerMissed("s1", "acme", NOON + DAY, NOON + DAY)]
    assert stocking.miss() == []


def test_an_answer_too_late_is_missed_at_once_and_news_of_an_earlier_one_withdraws_that():
    stocking = asked()
    stocking.scenario.later(hours=30)
    assert names(stocking.answer(50)) == ["answered", "answer_missed", "units_secured"]
    facts = stocking.answer(100, at=NOON + HOUR)
    assert the(StockUpBreachWithdrawn, facts).happened_at == NOON + HOUR
    assert (stocking.stock_up.secured, stocking.stock_up.is_missed) == (50, False)


def test_the_last_answer_by_its_own_time_holds():
    stocking = secured(60)
    stocking.scenario.later(hours=2)
    stocking.answer(100, at=NOON + HOUR)
    assert stocking.stock_up.secured == 100
    stocking.answer(80, at=NOON + timedelta(minutes=30))
    assert stocking.stock_up.secured == 100


def test_an_answer_is_not_older_than_what_was_asked():
    with refused(StockUpAnsweredTooEarly, "is older than stock-up s1"):
        asked().answer(1, at=NOON - HOUR)


def test_what_is_withdrawn_in_time_is_owed_no_answer_and_takes_none():
    stocking = asked()
    assert names(stocking.withdraw()) == ["withdrawn"]
    assert stocking.withdraw() == []
    stocking.scenario.later(days=3)
    assert stocking.miss() == []
    with refused(StockUpIsWithdrawn, "stock-up s1 is withdrawn"):
        stocking.answer(1)


# --- kept or not ----------------------------------------------------------------------------------


def test_a_feed_of_the_time_shows_that_it_is_kept_and_later_ones_are_looked_at_no_more():
    stocking = secured()
    assert "shown" not in names(stocking.feed(10, day=9))
    shown = the(StockUpShown, stocking.feed(100, day=10))
    assert (shown.units, shown.kept, shown.as_of) == (100, True, PEAK)
    assert stocking.scenario.stock().secured == {}
    assert "shown" not in names(stocking.feed(1, day=11))
    assert stocking.stock_up.state is StockUpState.KEPT


def test_a_feed_that_shows_less_is_told_and_again_only_when_it_is_more():
    stocking = secured()
    assert the(StockUpShown, stocking.feed(40, day=10)).kept is False
    assert stocking.stock_up.state is StockUpState.NOT_KEPT
    assert "shown" not in names(stocking.feed(40, day=11))
    assert the(StockUpShown, stocking.feed(70, day=12)).units == 70
    assert the(StockUpShown, stocking.feed(100, day=13)).kept is True


def test_a_feed_after_the_peak_shows_nothing():
    stocking = secured()
    assert "shown" not in names(stocking.feed(100, day=20))
    assert stocking.scenario.stock().secured == {}
    assert stocking.stock_up.state is StockUpState.SECURED


def test_what_left_since_it_was_there_counts_as_shown():
    stocking = secured()
    stocking.scenario.place(line(1, "tea", 30))
    stocking.scenario.send()
    stocking.scenario.now = PEAK + HOUR
    stocking.scenario.ship()
    assert the(StockUpShown, stocking.feed(70, day=11)).kept is True


def test_what_left_before_it_was_to_be_there_does_not_count():
    stocking = secured()
    stocking.scenario.place(line(1, "tea", 30))
    stocking.scenario.send()
    stocking.scenario.ship()
    assert the(StockUpShown, stocking.feed(70, day=11)).units == 70


def test_units_that_the_supplier_has_set_aside_for_orders_count_as_shown():
    stocking = secured()
    stocking.scenario.place(line(1, "tea", 30))
    assert the(StockUpShown, stocking.feed(70, day=11, watermark=PEAK)).kept is True


def test_an_answer_that_comes_after_the_feed_is_compared_with_it():
    stocking = asked()
    stocking.feed(100, day=10)
    stocking.scenario.later(hours=1)
    shown = the(StockUpShown, stocking.answer(100, at=NOON + HOUR))
    assert shown.kept is True
    assert stocking.scenario.stock().secured == {}


def test_another_answer_is_shown_anew():
    stocking = secured()
    stocking.feed(40, day=10)
    stocking.answer(200)
    assert the(StockUpShown, stocking.feed(150, day=11)).kept is False
    assert stocking.stock_up.state is StockUpState.NOT_KEPT


def test_of_what_is_withdrawn_no_feed_shows_anything():
    stocking = secured()
    stocking.withdraw()
    assert stocking.scenario.stock().secured == {}
    assert names(stocking.feed(100, day=10)) == ["feed_recorded"]


# --- whatever happens -----------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(st.sampled_from(["later", "answer", "feed", "miss", "withdraw"]), st.integers(0, 30)),
    min_size=1,
    max_size=10,
)


@given(STEPS)
def test_it_is_kept_only_if_a_feed_of_the_time_shows_what_the_last_answer_secured(steps: list[tuple[str, int]]):
    stocking = asked()
    for what, figure in steps:
        match what:
            case "later":
                stocking.scenario.later(days=figure)
            case "answer" if stocking.stock_up.withdrawn is None:
                stocking.answer(figure * 5, PEAK if figure else None)
            case "feed":
                stocking.scenario.feed(figure * 5)
            case "miss":
                stocking.miss()
            case "withdraw":
                stocking.withdraw()
            case _:
                continue
    stock_up = stocking.stock_up
    if stock_up.state is StockUpState.KEPT:
        assert stock_up.shown is not None
        assert stock_up.shown.units >= stock_up.secured
        assert PEAK <= stock_up.shown.as_of < OVER
    watched = stocking.scenario.stock().secured.get("s1")
    assert watched is None or watched.units == stock_up.secured
    assert names(fact for _, fact in stocking.scenario.log).count("answer_missed") <= 1


# --- messages -------------------------------------------------------------------------------------


def asking(stocking: StockingUp, kind: MessageKind, **about: Any) -> list[str]:
    """What asking for a message about it records: ``asked``, and why it is not sent if it is not."""
    scenario = stocking.scenario
    wanted = Notice("m-1", kind, About(supplier_id="acme", stock_up_id="s1", **about), scenario.now, 1)
    changes = notices.ask(scenario.book, wanted, {(each, "en"): 1 for each in MessageKind}, scenario.now)
    return [getattr(fact, "because", "asked") for _, fact in changes]


def test_a_supplier_is_asked_until_it_answers():
    stocking = asked()
    assert asking(stocking, MessageKind.STOCK_UP_REQUEST) == ["asked"]
    stocking.answer(1)
    assert asking(stocking, MessageKind.STOCK_UP_REQUEST) == ["asked", "answered"]


def test_a_supplier_is_reminded_while_its_answer_is_due_and_not_of_a_time_that_is_shorter_than_the_notice():
    clock = Clock.STOCK_UP_ANSWER.value
    stocking = asked()
    assert asking(stocking, MessageKind.REMINDER, clock=clock, due=NOON + DAY) == ["asked"]
    assert asking(stocking, MessageKind.REMINDER, clock=clock, due=NOON + 2 * DAY) == ["asked", "no_longer_due"]
    stocking.answer(1)
    assert asking(stocking, MessageKind.REMINDER, clock=clock, due=NOON + DAY) == ["asked", "no_longer_due"]
    hasty = StockingUp()
    hasty.ask(answer_by=NOON + HOUR)
    assert asking(hasty, MessageKind.REMINDER, clock=clock, due=NOON + HOUR) == ["asked", "no_longer_due"]


def test_a_breach_that_was_withdrawn_is_told_to_nobody():
    stocking = asked()
    stocking.scenario.later(hours=30)
    stocking.miss()
    about = {"clock": Clock.STOCK_UP_ANSWER.value, "due": NOON + DAY}
    assert asking(stocking, MessageKind.BREACH_NOTICE, **about) == ["asked"]
    stocking.answer(1, at=NOON + HOUR)
    assert asking(stocking, MessageKind.BREACH_NOTICE, **about) == ["asked", "breach_withdrawn"]
