"""What an inbox holds: what arrived, how each row is kept, what came of it, and how much there is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from adapters.edges.accounts import Connected
from adapters.edges.delivery import Received

OTHER_CONTENT = "what came under the same id before had another content; replay it if it is right"


class InboxState(StrEnum):
    """What became of something that was received."""

    WAITING = "waiting"
    EARLY = "early"
    DONE = "done"
    IGNORED = "ignored"
    FAILED = "failed"
    DROPPED = "dropped"


class Arrival(NamedTuple):
    """Something that is to be kept."""

    connected: Connected
    received: Received
    raw: bytes
    asked: bool = False
    """Whether the system was asked for it."""


class InboxRow(NamedTuple):
    """Something that was received, as it is kept."""

    reception_id: str
    connection: str
    topic: str
    object_id: str
    happened_at: datetime | None
    whole: bool
    asked: bool
    received_at: datetime
    state: str
    attempts: int
    next_at: datetime | None
    reason: str
    about: Sequence[str]
    box: bytes | None
    newer: Sequence[str] | None = None
    """What a newer state of the same object was about, if one was worked on before this was due."""

    @property
    def is_other_content(self) -> bool:
        """Whether something else came under its source's id before, and nobody has looked at that."""
        return self.attempts == 0 and self.reason == OTHER_CONTENT

    @property
    def received(self) -> Received:
        """What the door read of it, but for what shows repetitions."""
        return Received(self.topic, self.object_id, happened_at=self.happened_at, whole=self.whole)


class Workable(NamedTuple):
    """What of an inbox can be worked on."""

    connections: Sequence[str]
    paused: Sequence[tuple[str, str]] = ()
    """Connections that are paused, each with a topic that does not wait for that."""

    @property
    def parameters(self) -> dict[str, Any]:
        paused, topics = [each for each, _ in self.paused], [topic for _, topic in self.paused]
        return {"connections": list(self.connections), "paused": paused, "topics": topics}


class WorkedOn(NamedTuple):
    """What came of working on it once."""

    state: InboxState
    reason: str = ""
    about: Sequence[str] = ()
    next_at: datetime | None = None
    is_attempt: bool = True
    """Whether what follows is a further attempt, whose requests have other ids."""
    unknown_words: Sequence[str] = ()
    """Words of the system that its adapter has no meaning for."""
    look: str = ""
    """Why somebody has to look at it, though it is done."""
    due: datetime | None = None
    """By when somebody has to."""


class InboxCount(NamedTuple):
    """What an inbox holds of one connection."""

    connection: str
    waiting: int
    early: int
    failed: int
    received_at: datetime | None
