"""Receptions: what a system told that could not be made into commands, and what people did about it.

The inbox holds what was told, sealed and for a time. A fact stands here only where somebody has to look, and holds
nothing of what was told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from ledger.facts import Fact, Value
from ledger.refusals import NotFound
from ledger.view import View, noun


def stream(reception_id: str) -> str:
    return f"reception-{reception_id}"


def find(view: View, reception_id: str) -> Reception | None:
    found: Reception | None = view.state(stream(reception_id))
    return found


# --- facts ----------------------------------------------------------------------------------------


class ReceptionFailed(Fact, frozen=True, tag="reception.failed"):
    """It could not be understood, was refused, or waited too long; or it asks for what a person has to do."""

    reception_id: str
    connection: str
    topic: str
    object_id: str
    """What it is about, by its id at the system."""
    why: str
    """Which field or refusal; nothing of what it holds."""
    at: datetime
    due: datetime | None = None
    """By when somebody has to deal with it; at once if not said."""


class Ending(StrEnum):
    """How somebody dealt with it."""

    REPLAYED = "replayed"
    """It is tried again; where it fails again, that is a new failure."""
    DROPPED = "dropped"


class ReceptionSettled(Fact, frozen=True, tag="reception.settled"):
    """Somebody dealt with it."""

    reception_id: str
    how: Ending
    by: str
    at: datetime


ReceptionFact = ReceptionFailed | ReceptionSettled

# --- state ----------------------------------------------------------------------------------------


class Reception(Value, frozen=True):
    """What failed last, and whether somebody has dealt with it."""

    failed: ReceptionFailed
    failures: int = 1
    settled: ReceptionSettled | None = None


def evolve(reception: Reception | None, fact: ReceptionFact) -> Reception:
    if isinstance(fact, ReceptionFailed):
        return Reception(fact, reception.failures + 1 if reception is not None else 1)
    assert reception is not None, "only what failed is settled"
    return Reception(reception.failed, reception.failures, fact)


NOUN = noun("reception", ReceptionFact, evolve)

# --- refusals -------------------------------------------------------------------------------------


class UnknownReception(NotFound, reason="UNKNOWN_RECEPTION"):
    says = "nothing that was received and failed has the id {reception_id}"
    reception_id: str


# --- decisions ------------------------------------------------------------------------------------


def fail(reception: Reception | None, failed: ReceptionFailed) -> Sequence[ReceptionFact]:
    """Somebody has to look. While somebody has, the same failure again records nothing."""
    if reception is not None and reception.settled is None:
        return []
    return [failed]


def settle(reception: Reception | None, settled: ReceptionSettled) -> Sequence[ReceptionFact]:
    """What is settled records nothing."""
    if reception is None:
        raise UnknownReception(settled.reception_id)
    return [] if reception.settled is not None else [settled]
