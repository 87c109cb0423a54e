"""Some of the facts of a log, in its order: of streams, names, an actor, a time; in steps that keep nobody waiting.

A stream, or a prefix of streams, is found by the index of streams, and a time by halving the log, whose positions are
dense. Names and actors have no index: who asks for them reads what lies between, so many facts in a step.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from ledger.engine.log import Log
from ledger.engine.log_rows import MOST_BYTES, Past, without_the_last_too_long

FACTS_A_STEP = 500
"""So many are given at most."""
READ_A_STEP = 20_000
"""So many are looked at: 5 ms for names, 70 ms for an actor."""
MOST_BY_STREAM = 100_000
"""More facts of a prefix than these are not sorted in memory; the log is read in its order, then."""
CLOCKS_DIFFER = timedelta(minutes=10)
"""Instants of recording grow with positions, but for the clocks of two machines of which one took over."""

_AFTER_ALL = "\U0010ffff"
"""Behind a prefix it stands after all that begins with the prefix."""
_OF_STREAMS = "originator_id || '' BETWEEN %b AND %b"
"""What the index helped with was looked up before: here it would only mislead who plans the query."""
_OF_NAMES = "topic LIKE ANY(%b::text[])"
_OF_ACTOR = """EXISTS (
    SELECT FROM {ledger_commands} AS cause
    WHERE cause.request_id = command AND (cause.actor = %b OR starts_with(cause.actor, %b))
)"""


class Selection(NamedTuple):
    """Which facts; what is empty selects all."""

    stream: str = ""
    """This stream alone."""
    prefix: str = ""
    """The streams whose names begin so."""
    names: Sequence[str] = ()
    """Names of facts, in which a star stands for any characters."""
    actor: str = ""
    """A client, whoever of its people it was, or one of these as CLIENT/PERSON."""
    since: datetime | None = None
    until: datetime | None = None
    """Recorded before then."""

    @property
    def streams(self) -> tuple[str, str] | None:
        """The first and the last name of a stream that is meant."""
        if self.stream or not self.prefix:
            return (self.stream, self.stream) if self.stream else None
        return self.prefix, self.prefix + _AFTER_ALL

    def conditions(self) -> tuple[str, list[Any]]:
        """In SQL, for a row of the log, with their parameters."""
        said: list[tuple[str, tuple[Any, ...]]] = []
        if self.streams is not None:
            said.append((_OF_STREAMS, self.streams))
        if self.names:
            said.append((_OF_NAMES, ([_as_like(name) for name in self.names],)))
        if self.actor:
            said.append((_OF_ACTOR, (self.actor, f"{self.actor}/")))
        if self.since is not None:
            said.append(("recorded_at >= %b", (self.since,)))
        if self.until is not None:
            said.append(("recorded_at < %b", (self.until,)))
        return "".join(f" AND {sql}" for sql, _ in said), [value for _, values in said for value in values]


def _as_like(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return escaped.replace("*", "%")


class SelectedFacts:
    """Reads the selected facts after a position, step by step."""

    def __init__(self, log: Log, selection: Selection, after: int) -> None:
        self._log, self._selection = log, selection
        self._also, self._parameters = selection.conditions()
        self.position = after
        """All that are selected up to it were given."""
        self.is_at_end = False
        """Whether the log had nothing beyond."""
        self.is_over = False
        """Whether nothing that is recorded later can be selected."""
        self._upto = 0
        self._listed: list[int] | None = None
        """The positions of the facts of the streams, as far as the log was when it began."""

    async def begin(self) -> None:
        """Finds out from where on there is something to read."""
        await self._look()
        if (since := self._selection.since) is not None:
            self.position = max(self.position, await self._log.position_before(since - CLOCKS_DIFFER))
        if self._selection.streams is not None and self.position < self._upto:
            found = await self._log.positions(*self._selection.streams, self.position, self._upto, MOST_BY_STREAM + 1)
            self._listed = found if len(found) <= MOST_BY_STREAM else None

    async def _look(self) -> None:
        """How far there is something to read."""
        self._upto = await self._log.head()
        until = self._selection.until
        if until is not None and datetime.now(UTC) > until + CLOCKS_DIFFER:
            self._upto = min(self._upto, await self._log.position_before(until + CLOCKS_DIFFER))
            self.is_over = True

    async def step(self) -> list[Past]:
        """The next of them; there may be none in this step, and more in the next, unless it is at the end."""
        if self.position >= self._upto:
            self._listed = None
            await self._look()
        self.is_at_end = self.position >= self._upto
        if self.is_at_end:
            return []
        where, of_it, upto = self._next()
        parameters = (*of_it, *self._parameters)
        rows = await self._log.past_where(where + self._also, parameters, FACTS_A_STEP)
        fitting = without_the_last_too_long(rows)
        is_cut = len(rows) == FACTS_A_STEP or sum(len(past.state) for past in rows) >= MOST_BYTES
        self.position = fitting[-1].position if is_cut else upto
        return fitting

    def _next(self) -> tuple[str, Sequence[Any], int]:
        """What to look at next: a condition with its parameters, and up to which position that is."""
        if self._listed is not None:
            first = bisect_right(self._listed, self.position)
            page = self._listed[first : first + FACTS_A_STEP]
            is_last = first + FACTS_A_STEP >= len(self._listed)
            return "notification_id = ANY(%b::bigint[])", (page,), self._upto if is_last else page[-1]
        upto = min(self.position + READ_A_STEP, self._upto)
        return "notification_id > %b AND notification_id <= %b", (self.position, upto), upto
