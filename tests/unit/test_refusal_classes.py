"""A refusal is data: its fields, its sentence and the figures that programs get of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from enum import StrEnum

import pytest

from ledger.refusals import Forbidden, Refusal, sentence_only
from ledger.terms.money import Money
from tests.support import documented
from tests.support.contract import refusal_classes
from tests.support.refusals import sample

AT = datetime(2026, 1, 5, 9, 30, 15, tzinfo=UTC)


class Why(StrEnum):
    TOO_DEAR = "too_dear"


class OverReceived(Forbidden, reason="TEST_OVER_RECEIVED"):
    says = "{received} of line {line_no} received, {labelled} have a label"
    line_no: int
    received: int
    labelled: int


class TooDear(Forbidden, reason="TEST_TOO_DEAR"):
    says = "{asked} asked {at} {where}, {left} left: {reasons}"
    asked: Money
    left: Money
    at: datetime
    where: str = sentence_only()
    reasons: Sequence[Why]
    day: date | None


def test_a_refusal_carries_its_fields_its_sentence_and_its_figures():
    refusal = OverReceived(1, received=3, labelled=2)
    assert (refusal.line_no, refusal.received, refusal.labelled) == (1, 3, 2)
    assert refusal.reason == "TEST_OVER_RECEIVED"
    assert refusal.message == str(refusal) == "3 of line 1 received, 2 have a label"
    assert refusal.details == {"line_no": "1", "received": "3", "labelled": "2"}


def test_people_read_amounts_minutes_and_lists_and_programs_minor_units_and_whole_instants():
    refusal = TooDear(
        asked=Money(1500, "EUR"), left=Money(999, "EUR"), at=AT, where="here", reasons=[Why.TOO_DEAR] * 2, day=None
    )
    assert refusal.message == "15.00 EUR asked 2026-01-05 09:30Z here, 9.99 EUR left: too_dear, too_dear"
    assert refusal.details == {
        "asked_minor": "1500",
        "left_minor": "999",
        "currency": "EUR",
        "at": "2026-01-05T09:30:15+00:00",
        "reasons": "too_dear, too_dear",
        "day": "",
    }


def test_what_somebody_wrote_is_shown_as_it_is():
    class Quoted(Forbidden, reason="TEST_QUOTED"):
        says = "{name} is no name"
        name: str

    assert Quoted("{0} {name} %s").message == "{0} {name} %s is no name"


def test_a_refusal_without_a_reason_of_its_own_cannot_be_defined():
    with pytest.raises(TypeError, match="Nameless is stored under a reason"):

        class Nameless(Forbidden):
            says = "no"


def test_a_field_that_is_left_out_is_a_mistake():
    with pytest.raises(TypeError, match="labelled"):
        OverReceived(1, 2)  # type: ignore[call-arg]  # mypy sees it, and sees here if it ever does not


@pytest.mark.parametrize("kind", refusal_classes(), ids=lambda kind: kind.reason)
def test_every_refusal_says_what_it_is_about_and_has_figures_that_programs_read(kind: type[Refusal]):
    refusal = sample(kind)
    assert refusal.message == str(refusal)
    assert refusal.message
    assert not {"{", "}"} & set(refusal.message)
    documented.require_figures(kind.reason, refusal.details)
