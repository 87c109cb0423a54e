"""What a connection is told of one thing, such as an order or a SKU: what it knows, and what it is still to be told.

A fact says that something is to be told, but not what: that is worked out when it is told, so the newest counts. What
was told stands in the facts as it was told. So what it is to be told is a difference, and nothing is told twice
knowingly, however often read models are rebuilt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b

from msgspec.structs import replace

from ledger.facts import Fact, Value
from ledger.refusals import NotFound
from ledger.terms.effects import Effect
from ledger.view import View, noun


class EffectSubject(StrEnum):
    """What an effect is about."""

    ORDER = "order"
    SKU = "sku"
    NUMBER = "number"
    """A parcel's, as ``carrier/number``."""
    MESSAGE = "message"
    """To a customer, who is told it by text as well."""


def effect_id(connection: str, added_at: datetime, subject: EffectSubject, object_id: str) -> str:
    """Of a connection that was added anew under the same name it is another: that one knows nothing."""
    whole = f"{connection}\n{added_at.timestamp():.6f}\n{subject}\n{object_id}"
    return blake2b(whole.encode(), digest_size=8).hexdigest()


def stream(known_as: str) -> str:
    return f"effect-{known_as}"


def find(view: View, known_as: str) -> ToldSubject | None:
    found: ToldSubject | None = view.state(stream(known_as))
    return found


# --- facts ----------------------------------------------------------------------------------------


class EffectAsked(Fact, frozen=True, tag="effect.asked"):
    """A connection is to be told how something is now."""

    effect_id: str
    connection: str
    added_at: datetime
    """When the connection was added: another of the same name is told for itself."""
    subject: EffectSubject
    object_id: str
    at: datetime
    again_at: datetime | None = None
    """Not before then, because it was told a moment ago, or it is night there."""
    anew: bool = False
    """Whether it is told although the system knows it, because somebody wants that."""


class EffectTold(Fact, frozen=True, tag="effect.told"):
    """The system knows one part of it."""

    effect_id: str
    part: str
    """Such as ``parcel/1``, of which there may be several."""
    said: Effect
    """How it is since then, as the system knows it."""
    at: datetime
    reference: str = ""
    """What the system calls it."""
    note: str = ""
    known: bool = False
    """Whether it was not told, because the system knew it by itself or it was so before it was connected."""
    more: bool = False
    """Whether another part is still to be told."""


class EffectFailed(Fact, frozen=True, tag="effect.failed"):
    """It could not be told."""

    effect_id: str
    why: str
    """Nothing of it is personal."""
    at: datetime
    again_at: datetime | None = None
    """When it is tried again; None where somebody has to look."""


class EffectReplayed(Fact, frozen=True, tag="effect.replayed"):
    """Somebody wants it tried again."""

    effect_id: str
    by: str
    at: datetime


class EffectEnding(StrEnum):
    """Why it is not to be told."""

    NOTHING = "nothing"
    """The system knows all of it, as it is by now."""
    DROPPED = "dropped"
    """Somebody gave it up, until something new is to be told."""
    REMOVED = "removed"
    """The connection is no more."""


class EffectEnded(Fact, frozen=True, tag="effect.ended"):
    """It is not to be told any more."""

    effect_id: str
    how: EffectEnding
    at: datetime
    by: str = ""


EffectFact = EffectAsked | EffectTold | EffectFailed | EffectReplayed | EffectEnded

# --- state ----------------------------------------------------------------------------------------


class ToldPart(Value, frozen=True):
    """What the system knows of a part."""

    said: Effect
    at: datetime
    reference: str = ""
    note: str = ""


class ToldSubject(Value, frozen=True):
    """What one connection knows of one thing, and whether it is to be told more."""

    asked: EffectAsked
    """When it was last asked for."""
    parts: Mapping[str, ToldPart] = {}
    waiting: bool = True
    """Whether something is to be told, also while somebody has to look first."""
    again_at: datetime | None = None
    """Not before then; None where that is at once, or somebody has to look."""
    why: str = ""
    """Why it could not be told the last time."""
    failed_at: datetime | None = None
    """Since when it cannot be told."""
    attempts: int = 0
    stuck: bool = False
    """Whether somebody has to look."""
    times_stuck: int = 0
    ended: EffectEnded | None = None

    @property
    def is_due(self) -> bool:
        return self.waiting and not self.stuck

    @property
    def told_at(self) -> datetime | None:
        return max((each.at for each in self.parts.values()), default=None)


def evolve(told: ToldSubject | None, fact: EffectFact) -> ToldSubject:
    if isinstance(fact, EffectAsked):
        known = told or ToldSubject(fact)
        return replace(known, asked=fact, waiting=True, again_at=fact.again_at, ended=None)
    assert told is not None, "it was asked for first"
    match fact:
        case EffectTold():
            parts = {**told.parts, fact.part: ToldPart(fact.said, fact.at, fact.reference, fact.note)}
            if fact.known:
                return replace(told, parts=parts, waiting=told.waiting and fact.more)
            return _at_rest(replace(told, parts=parts, waiting=fact.more))
        case EffectFailed():
            stuck = fact.again_at is None
            return replace(
                told,
                again_at=fact.again_at,
                why=fact.why,
                failed_at=told.failed_at or fact.at,
                attempts=told.attempts + 1,
                stuck=stuck,
                times_stuck=told.times_stuck + stuck,
            )
        case EffectReplayed():
            return _at_rest(told)
        case EffectEnded():
            return _at_rest(replace(told, waiting=False, ended=fact))


def _at_rest(told: ToldSubject) -> ToldSubject:
    return replace(told, again_at=None, why="", failed_at=None, attempts=0, stuck=False)


NOUN = noun("effect", EffectFact, evolve)

# --- refusals -------------------------------------------------------------------------------------


class UnknownEffect(NotFound, reason="UNKNOWN_EFFECT"):
    says = "nothing that was to be told has the id {effect_id}"
    effect_id: str


# --- decisions ------------------------------------------------------------------------------------

_PAUSES = (*(timedelta(seconds=each) for each in (5, 15, 60, 300, 900)), timedelta(hours=1))
"""After which it is tried again; the last again and again."""
PATIENCE = timedelta(days=3)
"""How long it is tried before somebody has to look: a weekend."""
STOCK_PAUSE = timedelta(seconds=10)
"""After a stock level was told the same SKU's is not told again so soon, unless it ran out or came back."""


def ask(told: ToldSubject | None, asked: EffectAsked) -> Sequence[EffectAsked]:
    """It is to be told how it is now. While it waits for that already this records nothing, unless it is told anew."""
    waits = told is not None and told.waiting and (told.asked.anew or not asked.anew)
    return [] if waits else [asked]


def pause_after(attempts: int) -> timedelta:
    """After so many attempts that failed."""
    return _PAUSES[min(attempts, len(_PAUSES) - 1)]


def fail(told: ToldSubject, why: str, at: datetime, *, lasting: bool) -> Sequence[EffectFailed]:
    """It is tried again, less and less often; where that will not help, somebody has to look."""
    if not told.is_due:
        return []
    since = told.failed_at or at
    again_at = None if lasting or at - since > PATIENCE else at + pause_after(told.attempts)
    return [EffectFailed(told.asked.effect_id, why[:500], at, again_at)]


def end(told: ToldSubject | None, ended: EffectEnded) -> Sequence[EffectEnded]:
    """What waits for nothing records nothing."""
    if told is None:
        raise UnknownEffect(ended.effect_id)
    return [ended] if told.waiting else []


def put_off(told: ToldSubject, until: datetime) -> Sequence[EffectAsked]:
    """It waits until then, which is no attempt in vain."""
    return [replace(told.asked, again_at=until)] if told.is_due else []


def replay(told: ToldSubject | None, replayed: EffectReplayed) -> Sequence[EffectReplayed]:
    """Only what somebody has to look at, or what waits to be tried again; all else records nothing."""
    if told is None:
        raise UnknownEffect(replayed.effect_id)
    return [replayed] if told.waiting and told.attempts else []
