"""Lists as a whole, page by page, or only what changed after a position: for whoever keeps a copy of one.

What changes is found in the log: the streams that have facts since then. So it costs no column, no index and no command
anything, and a filter applies as it does to the list. A row belongs to one stream; a stream that changed and has no row
in the list, any more or at all, is gone from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from ledger.view import Noun
from projections.machine.reads import Answer, Changes, PageOf, Snapshot

R = TypeVar("R")

MOST_FACTS = 100_000
"""How many facts a page looks through, of which few may be the last of a stream: then it is shorter, or empty."""

CHANGED = "{changed}"
"""Where a query restricts its rows to what changed."""

# What came after "up_to" is for the next time, also on a later page.
_CHANGED = """
    SELECT substr(e.originator_id, %(skipped)s), e.notification_id FROM {ledger_events} AS e
    WHERE e.notification_id > %(after)s AND e.notification_id <= %(last)s
        AND e.originator_id >= %(first_name)s AND e.originator_id < %(end_of_names)s
        AND e.originator_version = (
            SELECT max(originator_version) FROM {ledger_events} AS later
            WHERE later.originator_id = e.originator_id AND later.notification_id <= %(up_to)s
        )
    ORDER BY e.notification_id LIMIT %(limit)s
"""


class ListedStreams(NamedTuple):
    """The streams whose rows a list has, and in which columns of its query their ids stand."""

    noun: Noun
    columns: tuple[str, ...]
    """Several where an id is several words between slashes, of which only the last may have slashes itself."""

    @property
    def condition(self) -> str:
        """That a row is of a stream that changed; only words of this package go into it."""
        arrays = ", ".join(f"%(changed_{index})s::text[]" for index in range(len(self.columns)))
        return f"({', '.join(self.columns)}) IN (SELECT * FROM unnest({arrays}))"  # noqa: S608

    def parameters(self, ids: Sequence[str]) -> dict[str, list[str]]:
        words = [each.split("/", len(self.columns) - 1) if len(self.columns) > 1 else [each] for each in ids]
        return {f"changed_{index}": [each[index] for each in words] for index in range(len(self.columns))}


class Listed(NamedTuple):
    """A list: its query, which is restricted where ``{changed}`` stands, and how its rows are made and named."""

    query: str
    make: Callable[..., Any]
    key: Callable[[Any], Any]
    """By which the list is in order."""
    subject: ListedStreams
    of: Callable[[Any], str]
    """The id of the stream that a row is of."""

    async def page(self, at: Snapshot, page: PageOf, parameters: dict[str, Any]) -> Answer[Any]:
        """A page of the list; or of what changed in it, each stream once, by its last fact."""
        if page.changed_after is None:
            found = await at.each(self.query.replace(CHANGED, "true"), parameters, self.make)
            rows, token = page.cut(found, list(map(self.key, found)))
            return Answer(rows, at.position, token)
        ids, until, token = await changed_streams(at, page, self.subject.noun)
        query = self.query.replace(CHANGED, self.subject.condition)
        found = await at.each(query, {**parameters, **self.subject.parameters(ids), "limit": None}, self.make)
        there = set(map(self.of, found))
        gone = [each for each in ids if each not in there]
        return Answer(found, at.position, token, changes=Changes(until, gone))


async def changed_streams(at: Snapshot, page: PageOf, noun: Noun) -> tuple[list[str], int, str]:
    """The ids of a noun's streams that changed, until which position, and the token of the next page."""
    position, up_to = page.begun or (page.changed_after or 0, at.position)
    last = min(up_to, position + MOST_FACTS)
    prefix = f"{noun.prefix}-"
    parameters = {
        "after": position,
        "last": last,
        "up_to": up_to,
        "skipped": len(prefix) + 1,
        "first_name": prefix,
        "end_of_names": f"{noun.prefix}.",
        "limit": page.limit,
    }
    found = await at.rows(_CHANGED, parameters)
    shown, token = page.cut(found, [(seen, up_to) for _, seen in found])
    if not token and last < up_to:
        token = page.token_after((last, up_to))
    return [stream for stream, _ in shown], up_to, token
