"""What the log stores and what it answers: facts, outcomes of commands, and the rows of one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from ledger.engine.fingerprints import is_marked
from ledger.engine.sealing import KeyRow
from ledger.engine.wire import SqlStatement

EVERYTHING = 2**62
"""No limit."""

MOST_BYTES = 2 << 20
"""Of facts at once: a message with them and their metadata stays below 3 MiB."""

Located = tuple[int, str, int, str, bytes]
"""A fact by its position: stream, version, topic, state."""


class Recorded(NamedTuple):
    """A fact as the log keeps it; ``command`` is the request id that caused it."""

    position: int
    stream: str
    version: int
    topic: str
    state: bytes
    command: str | None
    recorded_at: datetime


class Past(NamedTuple):
    """A fact of a stream's history, and who caused it (empty when no command is known)."""

    position: int
    stream: str
    version: int
    topic: str
    state: bytes
    command: str | None
    recorded_at: datetime
    actor: str


def without_the_last_too_long(page: list[Past], most_bytes: int = MOST_BYTES) -> list[Past]:
    """A page without the fact that crosses the limit, unless there is no other."""
    crosses = len(page) > 1 and sum(len(past.state) for past in page) > most_bytes
    return page[:-1] if crosses else page


class Outcome(NamedTuple):
    """What became of a command, kept for good; ``refusal`` is JSON, None when it was applied."""

    request_id: str
    fingerprint: bytes
    actor: str
    position: int
    version: int
    refusal: str | None
    warnings: tuple[str, ...] = ()


class Opening(NamedTuple):
    """What the database knows when a batch begins, read under the lock."""

    outcomes: list[Outcome]
    tail: list[Located]
    streams: list[tuple[str, int, str, bytes]]
    has_former: bool = False
    """Whether there are commands of before clients had names."""
    most: int = EVERYTHING
    """How many facts may be read at once while it is open."""


class Ended(NamedTuple):
    """What a command ends for good when it erases a person."""

    subjects: Sequence[str]
    """Whose keys are destroyed."""
    streams: Sequence[str] = ()
    """Whose commands are not recognised by their content any more."""
    purposes: Sequence[str] = ()
    """What the keys were for that alone are destroyed; none means all of them."""

    def ends(self, key: KeyRow) -> bool:
        return key.subject in self.subjects and (not self.purposes or key.purpose in self.purposes)


FactRow = tuple[str, int, str, bytes, str]
"""A fact to be stored: its stream, version, topic and state, and the request id that causes it."""


@dataclass(slots=True)
class Appending:
    """The rows of one transaction."""

    facts: list[FactRow] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    keys: list[KeyRow] = field(default_factory=list)
    warned: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    """The request ids of the few commands that have warnings, and these."""
    destroyed: list[tuple[str, str]] = field(default_factory=list)
    """Whose keys are destroyed before any of these rows is inserted, and what these were for; "" is for all."""
    forgotten: list[str] = field(default_factory=list)
    """The streams whose commands, up to now, are not to be recognised by their content any more."""
    besides: list[SqlStatement] = field(default_factory=list)
    """What commands want to be written with their facts."""

    def destroy(self, ended: Ended) -> None:
        """Ends keys: those that are stored, and those of commands before this one."""
        self.destroyed.extend((subject, purpose) for subject in ended.subjects for purpose in ended.purposes or ("",))
        self.forgotten.extend(ended.streams)
        self.keys = [key for key in self.keys if not ended.ends(key)]
        forgotten = {command for stream, *_, command in self.facts if stream in ended.streams}
        self.outcomes = [
            each._replace(fingerprint=b"") if each.request_id in forgotten or is_marked(each.fingerprint) else each
            for each in self.outcomes
        ]
