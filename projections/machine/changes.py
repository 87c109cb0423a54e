"""Lists as a whole, page by page, or only what changed after a position: for whoever keeps a copy of one.

What changes is found in the log: the streams that have facts since then. So it costs no command anything, and a filter
applies as it does to the list. A row belongs to one stream; a stream that changed and has no row in the list, any more
or at all, is gone from it. Rows that never go and say themselves by which position they came or changed are found by
that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from ledger.engine.log_sql import HEAD
from ledger.refusals import BeyondTheLog
from ledger.view import Noun
from projections.machine.reads import Answer, Changes, PageOf, Snapshot

R = TypeVar("R")

MOST_FACTS = 100_000
"""How many facts a page looks through, of which few may be the last of a stream: then it is shorter, or empty."""

CHANGED = "{changed}"
"""Where a query restricts its rows to what changed."""

# What came after "up_to" is for the next time, also on a later page.
_CHANGED = """
    SELECT e.originator_id, e.notification_id FROM {ledger_events} AS e
    WHERE e.notification_id > %(after)s AND e.notification_id <= %(last)s
        AND split_part(e.originator_id, '-', 1) = ANY(%(prefixes)s)
        AND e.originator_version = (
            SELECT max(originator_version) FROM {ledger_events} AS later
            WHERE later.originator_id = e.originator_id AND later.notification_id <= %(up_to)s
        )
    ORDER BY e.notification_id LIMIT %(limit)s
"""


class ListedThings(Protocol):
    """What the rows of a list are of."""

    async def changed(self, at: Snapshot, page: PageOf) -> tuple[list[str], int, str]:
        """The ids of what changed, until which position, and the token of the next page."""

    @property
    def condition(self) -> str:
        """That a row is of what changed; only words of this package go into it."""

    def parameters(self, ids: Sequence[str]) -> dict[str, list[str]]:
        """Of the condition."""


class ListedStreams(NamedTuple):
    """The streams of a noun, and in which columns of the list's query their ids stand."""

    noun: Noun
    columns: tuple[str, ...]
    """Several where an id is several words between slashes, of which only the last may have slashes itself."""

    async def changed(self, at: Snapshot, page: PageOf) -> tuple[list[str], int, str]:
        return await changed_streams(at, page, self.noun)

    @property
    def condition(self) -> str:
        arrays = ", ".join(f"%(changed_{index})s::text[]" for index in range(len(self.columns)))
        return f"({', '.join(self.columns)}) IN (SELECT * FROM unnest({arrays}))"  # noqa: S608

    def parameters(self, ids: Sequence[str]) -> dict[str, list[str]]:
        words = [each.split("/", len(self.columns) - 1) if len(self.columns) > 1 else [each] for each in ids]
        return {f"changed_{index}": [each[index] for each in words] for index in range(len(self.columns))}


class NamedStreams(NamedTuple):
    """The streams of several nouns, whose names are the ids, and in which column of the list's query they stand."""

    nouns: tuple[Noun, ...]
    column: str

    async def changed(self, at: Snapshot, page: PageOf) -> tuple[list[str], int, str]:
        return await _changed(at, page, self.nouns)

    @property
    def condition(self) -> str:
        return f"{self.column} = ANY(%(changed)s::text[])"

    def parameters(self, ids: Sequence[str]) -> dict[str, list[str]]:
        return {"changed": list(ids)}


class _Changed(NamedTuple):
    id: str
    position: int


class Positioned(NamedTuple):
    """Rows that never go, by a query that answers ids and positions of those between ``after`` and ``up_to``, in that
    order, and goes on ``WITH TIES``; and in which column of the list's query the ids stand."""

    query: str
    column: str

    async def changed(self, at: Snapshot, page: PageOf) -> tuple[list[str], int, str]:
        found, up_to, token = await added(at, page, self.query, {}, _Changed)
        return [each.id for each in found], up_to, token

    @property
    def condition(self) -> str:
        return f"{self.column} = ANY(%(changed)s::text[])"

    def parameters(self, ids: Sequence[str]) -> dict[str, list[str]]:
        return {"changed": list(ids)}


class Listed(NamedTuple):
    """A list: its query, which is restricted where ``{changed}`` stands, and how its rows are made and named."""

    query: str
    make: Callable[..., Any]
    key: Callable[[Any], Any]
    """By which the list is in order."""
    subject: ListedThings
    of: Callable[[Any], str]
    """The id of what a row is of."""

    async def page(self, at: Snapshot, page: PageOf, parameters: dict[str, Any]) -> Answer[Any]:
        """A page of the list; or of what changed in it, each stream once, by its last fact."""
        if page.changed_after is None:
            found = await at.each(self.query.replace(CHANGED, "true"), parameters, self.make)
            rows, token = page.cut(found, list(map(self.key, found)))
            return Answer(rows, at.position, token)
        ids, until, token = await self.subject.changed(at, page)
        query = self.query.replace(CHANGED, self.subject.condition)
        found = await at.each(query, {**parameters, **self.subject.parameters(ids), "limit": None}, self.make)
        there = set(map(self.of, found))
        gone = [each for each in ids if each not in there]
        return Answer(found, at.position, token, changes=Changes(until, gone))


async def changed_streams(at: Snapshot, page: PageOf, noun: Noun) -> tuple[list[str], int, str]:
    """The ids of a noun's streams that changed, until which position, and the token of the next page."""
    names, until, token = await _changed(at, page, (noun,))
    return [each.removeprefix(f"{noun.prefix}-") for each in names], until, token


async def _changed(at: Snapshot, page: PageOf, nouns: Iterable[Noun]) -> tuple[list[str], int, str]:
    """The names of the streams of these nouns that changed, until which position, and the token of the next page."""
    position, up_to = await _span(at, page)
    last = min(up_to, position + MOST_FACTS)
    parameters = {
        "after": position,
        "last": last,
        "up_to": up_to,
        "prefixes": [each.prefix for each in nouns],
        "limit": page.limit,
    }
    found = await at.rows(_CHANGED, parameters)
    shown, token = page.cut(found, [(seen, up_to) for _, seen in found])
    if not token and last < up_to:
        token = page.token_after((last, up_to))
    return [stream for stream, _ in shown], up_to, token


async def _span(at: Snapshot, page: PageOf) -> tuple[int, int]:
    """After which position and up to which this page looks.

    Raises BeyondTheLog for a position that the log does not have, such as one from before an older backup was
    restored: whoever goes on from there would miss what is written until the log reaches it.
    """
    after = page.changed_after or 0
    if after > at.position:  # as where the read model lags
        ((head,),) = await at.rows(HEAD, {})
        if after > head:
            raise BeyondTheLog(after, head)
    return page.begun or (after, at.position)


async def added(
    at: Snapshot, page: PageOf, query: str, parameters: dict[str, Any], make: Callable[..., R]
) -> tuple[list[R], int, str]:
    """A page of rows with a ``position`` by that, until which position, and the token of the next page.

    The query has those between ``after`` and ``up_to`` in order, the first ``size`` WITH TIES.
    """
    position, up_to = await _span(at, page)
    size = page.limit - 1
    found = await at.each(query, {**parameters, "after": position, "up_to": up_to, "size": size}, make)
    last: Any = found[-1] if len(found) >= size else None
    return found, up_to, "" if last is None else page.token_after((last.position, up_to))
