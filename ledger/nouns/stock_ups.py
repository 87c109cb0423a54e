"""Stock-ups: what suppliers are asked to have ready before a peak, what they secure, whether it is there (DOMAIN 3).

A supplier answers by its agreement. Whether it keeps its answer is shown by its own feeds: ``decisions.stocking_up``
compares them with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from msgspec.structs import replace

from ledger.facts import Fact, Told, Value
from ledger.refusals import AlreadyExists, Forbidden, NotFound
from ledger.terms.clocks import Clock, ClockState, Reading
from ledger.view import View, noun


def stream(stock_up_id: str) -> str:
    return f"stock_up-{stock_up_id}"


def find(view: View, stock_up_id: str) -> StockUp | None:
    found: StockUp | None = view.state(stream(stock_up_id))
    return found


# --- facts ----------------------------------------------------------------------------------------


class OfStockUp(Fact, frozen=True, tag=""):
    """A fact about one stock-up."""

    stock_up_id: str


class StockUpAsked(OfStockUp, frozen=True, tag="stock_up.asked"):
    """A supplier was asked to have so many units of a SKU ready, which are expected to be sold until then."""

    supplier_id: str
    sku: str
    units: int
    until: datetime
    at: datetime
    by: str = ""
    answer_by: datetime | None = None
    """None where no time was agreed."""


class StockUpAnswered(OfStockUp, frozen=True, tag="stock_up.answered"):
    """The supplier secures so many units, which are there from a time on; none if it has none."""

    units: int
    at: datetime
    since: datetime | None = None
    by: str = ""


class StockUpWithdrawn(OfStockUp, frozen=True, tag="stock_up.withdrawn"):
    """Nothing is asked any more."""

    because: Told
    by: str
    at: datetime


class StockUpAnswerMissed(OfStockUp, frozen=True, tag="stock_up.answer_missed"):
    """An answer was due and none had come; recorded once."""

    supplier_id: str
    due: datetime
    at: datetime


class StockUpBreachWithdrawn(OfStockUp, frozen=True, tag="stock_up.answer_breach_withdrawn"):
    """It was no breach after all; the news of that came late."""

    supplier_id: str
    happened_at: datetime | None
    """When it had been answered in time; None if nothing was asked any more by then."""
    at: datetime


class StockUpShown(OfStockUp, frozen=True, tag="stock_up.shown"):
    """A feed that was counted when the units were to be there showed so many of them."""

    units: int
    as_of: datetime
    """When the supplier counted."""
    at: datetime
    kept: bool = False
    """As many as it had secured."""

    @property
    def occurred_at(self) -> datetime:
        """When the supplier counted; ``at`` is when that was told."""
        return self.as_of


StockUpFact = (
    StockUpAsked | StockUpAnswered | StockUpWithdrawn | StockUpAnswerMissed | StockUpBreachWithdrawn | StockUpShown
)

# --- state ----------------------------------------------------------------------------------------


class StockUpState(StrEnum):
    """How far a stock-up is; always derived."""

    ASKED = "asked"
    SECURED = "secured"
    """All that was asked."""
    PARTLY_SECURED = "partly_secured"
    DECLINED = "declined"
    """Nothing, or not before it is too late."""
    KEPT = "kept"
    """A feed showed what was secured."""
    NOT_KEPT = "not_kept"
    """Feeds showed less."""
    WITHDRAWN = "withdrawn"


class StockUp(Value, frozen=True):
    """A stock-up, folded from its facts."""

    asked: StockUpAsked
    answers: tuple[StockUpAnswered, ...] = ()
    """By their own time; the last one holds."""
    withdrawn: StockUpWithdrawn | None = None
    missed: StockUpAnswerMissed | None = None
    breach_withdrawn: StockUpBreachWithdrawn | None = None
    shown: StockUpShown | None = None
    """What feeds showed since the last answer, the most."""

    @property
    def stock_up_id(self) -> str:
        return self.asked.stock_up_id

    @property
    def answer(self) -> StockUpAnswered | None:
        return self.answers[-1] if self.answers else None

    @property
    def answered_at(self) -> datetime | None:
        """When it was first answered."""
        return self.answers[0].at if self.answers else None

    @property
    def secured(self) -> int:
        """Units that are there before it is too late, as the supplier says."""
        answer = self.answer
        in_time = answer is not None and answer.since is not None and answer.since < self.asked.until
        return answer.units if answer is not None and in_time else 0

    @property
    def is_missed(self) -> bool:
        return self.missed is not None and self.breach_withdrawn is None

    @property
    def state(self) -> StockUpState:
        if self.withdrawn is not None:
            return StockUpState.WITHDRAWN
        if self.answer is None:
            return StockUpState.ASKED
        if self.shown is not None:
            return StockUpState.KEPT if self.shown.kept else StockUpState.NOT_KEPT
        if not self.secured:
            return StockUpState.DECLINED
        return StockUpState.SECURED if self.secured >= self.asked.units else StockUpState.PARTLY_SECURED


def evolve(stock_up: StockUp | None, fact: StockUpFact) -> StockUp:
    if isinstance(fact, StockUpAsked):
        return StockUp(fact)
    assert stock_up is not None, "the first fact of a stock-up is that it was asked"
    match fact:
        case StockUpAnswered():
            answers = tuple(sorted((*stock_up.answers, fact), key=lambda answer: answer.at))
            holds = answers[-1] is fact
            return replace(stock_up, answers=answers, shown=None if holds else stock_up.shown)
        case StockUpWithdrawn():
            return replace(stock_up, withdrawn=fact)
        case StockUpAnswerMissed():
            return replace(stock_up, missed=fact)
        case StockUpBreachWithdrawn():
            return replace(stock_up, breach_withdrawn=fact)
        case StockUpShown():
            return replace(stock_up, shown=fact)
        case _:
            assert_never(fact)


NOUN = noun("stock_up", StockUpFact, evolve)


def readings(stock_up: StockUp) -> list[Reading]:
    """The supplier has to answer, if a time was agreed; of what is withdrawn before no answer is due."""
    asked, missed, breach_withdrawn = stock_up.asked, stock_up.missed, stock_up.breach_withdrawn
    if asked.answer_by is None:
        return []
    return [
        Reading(
            object_id=stock_up.stock_up_id,
            clock=Clock.STOCK_UP_ANSWER,
            due=asked.answer_by,
            met_at=stock_up.answered_at,
            supplier_id=asked.supplier_id,
            missed_at=missed.at if missed is not None else None,
            withdrawn_at=breach_withdrawn.at if breach_withdrawn is not None else None,
            given_up_at=stock_up.withdrawn.at if stock_up.withdrawn is not None else None,
        )
    ]


# --- refusals -------------------------------------------------------------------------------------


class UnknownStockUp(NotFound, reason="UNKNOWN_STOCK_UP"):
    says = "there is no stock-up {stock_up_id}; use StockUpService.AskStockUp"
    stock_up_id: str


class StockUpAskedDifferently(AlreadyExists, reason="STOCK_UP_ASKED_DIFFERENTLY"):
    says = "stock-up {stock_up_id} was asked already with other content"
    stock_up_id: str


class StockUpIsWithdrawn(Forbidden, reason="STOCK_UP_IS_WITHDRAWN"):
    says = "stock-up {stock_up_id} is withdrawn; ask anew under another id"
    stock_up_id: str


class StockUpAnsweredTooEarly(Forbidden, reason="STOCK_UP_ANSWERED_TOO_EARLY"):
    says = "an answer at {answered_at} is older than stock-up {stock_up_id} of {asked_at}"
    stock_up_id: str
    asked_at: datetime
    answered_at: datetime


# --- decisions ------------------------------------------------------------------------------------


def known(stock_up: StockUp | None, stock_up_id: str) -> StockUp:
    if stock_up is None:
        raise UnknownStockUp(stock_up_id)
    return stock_up


def ask(stock_up: StockUp | None, asked: StockUpAsked) -> Sequence[StockUpFact]:
    """Something new is asked. The same under the same id again records nothing, whoever asks."""
    if stock_up is None:
        return [asked]
    before = stock_up.asked
    if replace(asked, at=before.at, by=before.by, answer_by=before.answer_by) != before:
        raise StockUpAskedDifferently(asked.stock_up_id)
    return []


def answer(stock_up: StockUp, answered: StockUpAnswered, now: datetime) -> Sequence[StockUpFact]:
    """The supplier's answer; the last one by its own time holds. The same of the same moment records nothing."""
    if any((each.at, each.units, each.since) == (answered.at, answered.units, answered.since)
           for each in stock_up.answers):  # fmt: skip
        return []
    if stock_up.withdrawn is not None:
        raise StockUpIsWithdrawn(stock_up.stock_up_id)
    if answered.at < stock_up.asked.at:
        raise StockUpAnsweredTooEarly(stock_up.stock_up_id, stock_up.asked.at, answered.at)
    return _settled(stock_up, answered, now)


def withdraw(stock_up: StockUp, withdrawn: StockUpWithdrawn, now: datetime) -> Sequence[StockUpFact]:
    """Nothing is asked any more. Withdrawing twice records nothing."""
    return [] if stock_up.withdrawn is not None else _settled(stock_up, withdrawn, now)


def show(stock_up: StockUp | None, units: int, as_of: datetime, now: datetime) -> Sequence[StockUpFact]:
    """What a feed showed, the first time and whenever it is more, until it is all that was secured."""
    if stock_up is None or stock_up.withdrawn is not None or not stock_up.secured:
        return []
    before = stock_up.shown
    if before is not None and (before.kept or before.units >= units):
        return []
    return [StockUpShown(stock_up.stock_up_id, units, as_of, now, units >= stock_up.secured)]


def miss_answer(stock_up: StockUp | None, now: datetime) -> Sequence[StockUpFact]:
    """Notice that no answer came in time. Nothing to notice records nothing."""
    if stock_up is None:
        return []
    overdue = [reading for reading in readings(stock_up) if reading.overdue(now)]
    return [StockUpAnswerMissed(each.object_id, each.supplier_id, each.due, now) for each in overdue]


def _settled(stock_up: StockUp, fact: StockUpFact, now: datetime) -> list[StockUpFact]:
    """The fact, and what follows for the clock: too late is a breach, in time after all is none."""
    facts = [fact]
    for each in readings(evolve(stock_up, fact)):
        verdict = each.verdict(now)
        if verdict is ClockState.MISSED:
            facts.append(StockUpAnswerMissed(each.object_id, each.supplier_id, each.due, now))
        elif verdict is ClockState.WITHDRAWN:
            facts.append(StockUpBreachWithdrawn(each.object_id, each.supplier_id, each.met_at, now))
    return facts


def expected(demand: int, window_days: int, at: datetime, until: datetime, growth_basis_points: int) -> int:
    """Units that are sold until then if demand grows to such a share of that of the last days, rounded up."""
    seconds = max((until - at) // timedelta(seconds=1), 0)
    return -(-demand * seconds * growth_basis_points // (window_days * 86_400 * 10_000))
