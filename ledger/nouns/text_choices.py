"""Text choices: that whoever has a phone number wants no text messages, or wants them again.

The number stands here as a keyed hash alone, which outlives the person's erasure on purpose: who said no to texts and
is forgotten is not to be texted again by a later order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ledger.facts import Fact, Value
from ledger.view import View, noun


def stream(number_hash: str) -> str:
    return f"texts-{number_hash}"


def find(view: View, number_hash: str) -> TextChoice | None:
    found: TextChoice | None = view.state(stream(number_hash))
    return found


# --- facts ----------------------------------------------------------------------------------------


class TextChoiceMade(Fact, frozen=True, tag="texts.chosen"):
    """Whoever has the number said whether they want text messages, or a gateway said so for them."""

    number_hash: str
    wants_none: bool
    by: str
    at: datetime


TextChoiceFact = TextChoiceMade

# --- state ----------------------------------------------------------------------------------------


class TextChoice(Value, frozen=True):
    """What was said last."""

    wants_none: bool
    by: str
    at: datetime


def evolve(choice: TextChoice | None, fact: TextChoiceFact) -> TextChoice:
    return TextChoice(fact.wants_none, fact.by, fact.at)


NOUN = noun("texts", TextChoiceFact, evolve)

# --- decisions ------------------------------------------------------------------------------------


def choose(choice: TextChoice | None, made: TextChoiceMade) -> Sequence[TextChoiceMade]:
    """What was said already records nothing; who never said anything may be texted."""
    wants_none = choice is not None and choice.wants_none
    return [] if wants_none == made.wants_none else [made]
