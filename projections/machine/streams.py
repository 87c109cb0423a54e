"""Streams folded page by page: the input of every projection, whose rows are computed from folded streams.

A projection's rows are a function of the folded streams and of nothing else, so it does not matter
where a page of the log begins or ends. Streams used lately stay in memory; others are read from the
log again. One fold serves all projections that stand at the same position.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple, cast

from psycopg import Connection

from ledger.engine.log_sql import HEAD
from ledger.engine.registry import Registry
from ledger.engine.shelf import Memory, Shelf
from ledger.engine.snapshots import code_shape
from ledger.engine.statements import in_schema
from ledger.engine.trouble import in_short
from ledger.facts import Fact
from ledger.nouns import cases, parcels
from ledger.nouns.cases import Case
from ledger.nouns.parcels import Parcel
from ledger.refusals import Shown
from ledger.view import EMPTY, Entry
from projections.machine.histories import (
    Again,
    Movement,
    OrderHistory,
    StockHistory,
    again,
    folds,
    neighbours_of,
    orders_of,
)

_PAGE = """
    SELECT notification_id, originator_id, originator_version, topic, state, recorded_at
    FROM {ledger_events} WHERE notification_id > %b AND notification_id <= %b ORDER BY notification_id LIMIT %b
"""
_STREAMS = """
    SELECT notification_id, originator_id, topic, state
    FROM {ledger_events} WHERE originator_id = ANY(%b::text[]) AND notification_id <= %b
    ORDER BY originator_id, originator_version
"""
_SNAPSHOTS = """
    SELECT stream, kept.version, array(
        SELECT state FROM {ledger_snapshots} AS each
        WHERE originator_id = stream AND each.shape = kept.shape AND each.version = kept.version ORDER BY part
    ), parts
    FROM unnest(%b::text[]) AS wanted (stream), LATERAL (
        SELECT shape, version, parts FROM {ledger_snapshots}
        WHERE originator_id = stream AND shape = %b AND position <= %b AND part = 0 ORDER BY version DESC LIMIT 1
    ) AS kept
"""
_SINCE = """
    SELECT notification_id, topic, state FROM {ledger_events}
    WHERE originator_id = %b AND originator_version >= %b::bigint AND notification_id <= %b
    ORDER BY originator_version
"""
_WEIGHED_BYTES = 1 << 20
"""How many more bytes of facts are folded into a state that does not keep them before it is weighed again."""

StoredFact = tuple[int, str, int, str, bytes, datetime]
"""Position, stream, version, topic, state, when it was recorded."""

_RECORDED_AT = itemgetter(5)

log = logging.getLogger("fulfilment.projections")

Changed = dict[str, tuple[Any, Any]]
"""By stream: its history before the page (None if it is new) and after it. A stock's is the same object twice."""


class BadFact(Shown):
    """A fact of the log could not be read or folded; nothing after it is looked at."""

    def __init__(self, position: int, stream: str, cause: Exception) -> None:
        super().__init__(f"the fact at position {position} ({stream}): {in_short(cause)}")
        self.position = position


class LoggedFact(NamedTuple):
    """A fact in its place in the log, and the history of its stream as it was right after it."""

    position: int
    fact: Fact
    history: Any
    """OrderHistory, RecoveryHistory, or another noun's state; of stock a Movement."""


# --- a page ---------------------------------------------------------------------------------------


class Page:
    """A stretch of the log, folded: each touched stream as it was before and as it is after."""

    def __init__(self, after: int, position: int, recorded_until: datetime) -> None:
        self.after = after
        self.position = position
        self.recorded_until = recorded_until
        """When the newest of its facts was recorded."""
        self.facts: dict[str, list[LoggedFact]] = {}
        """Every fact by noun, in the order of the log."""
        self.touched: Mapping[str, int] = {}
        """The position of the last of its facts in each stream."""
        self._changed: dict[str, Changed] = {}
        self._neighbours: dict[str, Any] = {}

    def changed(self, prefix: str) -> Iterable[tuple[Any, Any]]:
        """The histories of a noun's changed streams: before, None if it is new, and after."""
        return self._changed.get(prefix, {}).values()

    def by_stream(self, prefix: str) -> Iterable[tuple[str, tuple[Any, Any]]]:
        """The same, each with the name of its stream."""
        return self._changed.get(prefix, {}).items()

    def stamped(self, prefix: str) -> Iterator[tuple[Any, Any, int]]:
        """The same, each with the position of the last fact of its stream."""
        touched = self.touched
        for stream, (before, now) in self._changed.get(prefix, {}).items():
            yield before, now, touched[stream]

    def change(self, histories: Mapping[str, tuple[Any, Any]]) -> None:
        """Notes the streams that the page changes."""
        for stream, pair in histories.items():
            self._changed.setdefault(_prefix(stream), {})[stream] = pair

    def orders_concerned(self) -> Iterator[tuple[OrderHistory | None, OrderHistory]]:
        """The orders that changed, or that a changed parcel or case belongs to."""
        changed = self._changed.get("order", {})
        for stream in orders_of(self._changed):
            yield changed.get(stream) or (self._neighbours[stream], self._neighbours[stream])

    def parcel(self, carrier: str, number: str, epoch: int, *, before: bool) -> Parcel | None:
        """A parcel of one of orders_concerned, as it was before the page or as it is after it."""
        parcel = self._neighbour("parcel", parcels.stream(carrier, number), before=before)
        return next((use for use in parcels.uses(parcel) if use.epoch == epoch), None)

    def case(self, case_id: str, *, before: bool) -> Case | None:
        """A case of one of orders_concerned, as it was before the page or as it is after it."""
        return cast("Case | None", self._neighbour("case", cases.stream(case_id), before=before))

    def _neighbour(self, prefix: str, stream: str, *, before: bool) -> Any:
        pair = self._changed.get(prefix, {}).get(stream)
        return self._neighbours.get(stream) if pair is None else pair[0 if before else 1]

    def load_neighbours(self, load: Callable[[Iterable[str]], Mapping[str, Any]]) -> None:
        """Adds unchanged streams: orders of changed parcels and cases, and their other parcels and cases."""
        self._load_unchanged(load, orders_of(self._changed))
        self._load_unchanged(load, neighbours_of(now for _, now in self.orders_concerned()))

    def _load_unchanged(self, load: Callable[[Iterable[str]], Mapping[str, Any]], streams: Iterable[str]) -> None:
        self._neighbours.update(load(s for s in dict.fromkeys(streams) if s not in self._changed.get(_prefix(s), ())))


def _prefix(stream: str) -> str:
    return stream.partition("-")[0]


# --- the fold -------------------------------------------------------------------------------------


class Streams:
    """Reads one tenant's log in pages and folds its streams, up to ``position``."""

    def __init__(
        self,
        schema: str,
        position: int,
        registry: Registry,
        *,
        streams_kept: int = 60_000,
        memory: Memory | None = None,
        with_snapshots: bool = False,
    ) -> None:
        """With snapshots it begins with those of long streams; what is to prove others folds all facts itself.
        ``memory`` is where its histories are, beside those of others in the same thread."""
        self.schema = schema
        self.position = position
        self._registry = registry
        self._folds = folds(registry)
        self._with_snapshots = with_snapshots
        self._histories = Shelf(streams_kept, memory or Memory())
        self._weighed: dict[str, int] = {}
        """What the states of long streams weighed when that was last looked at."""
        self._page, self._load, self._head, self._snapshots, self._since = (
            in_schema(template, schema) for template in (_PAGE, _STREAMS, HEAD, _SNAPSHOTS, _SINCE)
        )

    def head(self, connection: Connection[Any]) -> int:
        """The position of the last fact in the log."""
        return int(connection.execute(self._head, prepare=True, binary=True).fetchall()[0][0])

    def read(self, connection: Connection[Any], limit: int, up_to: int = 2**62) -> Page | None:
        """Folds the next facts in; None at the end. Raises BadFact only if it stands first."""
        cursor = connection.execute(self._page, (self.position, up_to, limit), prepare=True, binary=True)
        rows: list[StoredFact] = cursor.fetchall()
        if not rows:
            return None
        facts = self._decoded(rows)
        while True:
            try:
                page, now = self._folded(connection, rows[: len(facts)], facts)
                break
            except _Broken as broken:
                if broken.index == 0:
                    raise BadFact(rows[0][0], rows[0][1], broken.cause) from broken.cause
                facts = facts[: broken.index]
        self._keep(now, rows)
        self.position = page.position
        return page

    def _decoded(self, rows: Sequence[StoredFact]) -> list[Fact]:
        """The facts up to the first that cannot be read."""
        facts: list[Fact] = []
        decode = self._registry.decode
        for position, stream, _, topic, state, _ in rows:
            try:
                facts.append(decode(topic, state))
            except Exception as error:
                if not facts:
                    raise BadFact(position, stream, error) from error
                break
        return facts

    def _folded(
        self, connection: Connection[Any], rows: Sequence[StoredFact], facts: Sequence[Fact]
    ) -> tuple[Page, dict[str, Any]]:
        """The page, and the histories of the streams that it touches."""
        page = Page(self.position, rows[-1][0], max(map(_RECORDED_AT, rows)))
        page.touched = {row[1]: row[0] for row in rows}
        load = partial(self._known, connection)
        before = load(stream for _, stream, version, _, _, _ in rows if version > 1)
        now: dict[str, Any] = {}
        try:
            self._fold_in(page, before, now, rows, facts)
            page.change({stream: (before.get(stream), history) for stream, history in now.items()})
            page.load_neighbours(load)
        except BaseException:
            # Streams that are changed in place are already beyond this page: read them from the log again.
            for stream in now:
                if stream.startswith("stock-"):
                    self._histories.pop(stream)
            raise
        return page, now

    def _fold_in(
        self,
        page: Page,
        before: Mapping[str, Any],
        now: dict[str, Any],
        rows: Sequence[StoredFact],
        facts: Sequence[Fact],
    ) -> None:
        folds = self._folds
        logged: dict[str, list[LoggedFact]] = {prefix: [] for prefix in folds}
        for index, ((position, stream, _, _, _, _), fact) in enumerate(zip(rows, facts, strict=True)):
            prefix = stream.partition("-")[0]
            history = now[stream] if stream in now else before.get(stream)
            available = history.stock.available if type(history) is StockHistory else 0
            # Noted before the fold: if that fails half way, the history must be dropped.
            now[stream] = history
            try:
                now[stream] = history = folds[prefix](history, fact, position)
            except Exception as error:
                raise _Broken(index, error) from error
            if type(history) is StockHistory:
                left = history.stock.available
                history = Movement(left - available, left)
            logged[prefix].append(LoggedFact(position, fact, history))
        page.facts = logged

    def _known(self, connection: Connection[Any], streams: Iterable[str]) -> dict[str, Any]:
        """The histories as of ``position``: from memory, else folded from the log. Of an empty stream None."""
        found: dict[str, Any] = {}
        missing: dict[str, None] = {}
        for stream in streams:
            if (entry := self._histories.use(stream)) is not None:
                found[stream] = entry.state
            else:
                missing[stream] = None
        if missing:
            found.update(self._loaded(connection, list(missing)))
        return found

    def _loaded(self, connection: Connection[Any], streams: list[str]) -> dict[str, Any]:
        loaded: dict[str, Any] = dict.fromkeys(streams)
        sizes: Counter[str] = Counter()
        if self._with_snapshots:
            loaded |= self._of_snapshots(connection, list(filter(self._has_snapshots, streams)), sizes)
        whole = [stream for stream in streams if loaded[stream] is None]
        cursor = connection.execute(self._load, (whole, self.position), prepare=True, binary=True)
        for position, stream, topic, state in cursor.fetchall():
            fact = self._registry.decode(topic, state)
            loaded[stream] = self._folds[_prefix(stream)](loaded[stream], fact, position)
            sizes[stream] += len(state)
        for stream, history in loaded.items():
            self._histories.put(stream, Entry(0, history, sizes[stream]))
        return loaded

    def _has_snapshots(self, stream: str) -> bool:
        return self._registry.is_restorable(stream) and again(_prefix(stream)) is not None

    def _of_snapshots(self, connection: Connection[Any], streams: list[str], sizes: Counter[str]) -> dict[str, Any]:
        """Those of which there are snapshots of this code that are not after the position."""
        if not streams:
            return {}
        asked = (streams, code_shape(), self.position)
        rows = connection.execute(self._snapshots, asked, prepare=True, binary=True).fetchall()
        sizes.update({stream: sum(map(len, parts)) for stream, _, parts, _ in rows})
        return {stream: self._since_snapshot(connection, stream, sizes, *kept) for stream, *kept in rows}

    def _since_snapshot(
        self,
        connection: Connection[Any],
        stream: str,
        sizes: Counter[str],
        version: int,
        parts: list[bytes],
        number: int,
    ) -> Any:
        """A history from a snapshot on; None if that cannot be read."""
        try:
            if len(parts) != number:
                raise ValueError(f"{len(parts)} of {number} parts are there")
            history = self._registry.restore(stream, parts[0])
            for part in parts[1:]:
                history = self._registry.restore_more(stream, history, part)
        except Exception:
            log.exception("the snapshot of %s at version %d cannot be read and is not used", stream, version)
            return None
        rows = connection.execute(self._since, (stream, version, self.position), prepare=True, binary=True).fetchall()
        sizes[stream] += sum(len(state) for _, _, state in rows)
        last, *newer = ((self._registry.decode(topic, state), position) for position, topic, state in rows)
        history = cast("Again", again(_prefix(stream)))(history, *last)
        for fact, position in newer:
            history = self._folds[_prefix(stream)](history, fact, position)
        return history

    def _keep(self, now: Mapping[str, Any], rows: Sequence[StoredFact]) -> None:
        sizes: Counter[str] = Counter()
        for _, stream, _, _, state, _ in rows:
            sizes[stream] += len(state)
        for stream, history in now.items():
            before = self._histories.use(stream) or EMPTY
            size = before.stored_bytes + sizes[stream]
            if size > _WEIGHED_BYTES + 2 * self._weighed.get(stream, 0) and self._has_snapshots(stream):
                size = self._weighed[stream] = self._weight(stream, history)
            self._histories.put(stream, Entry(0, history, size))
        self._histories.trim()

    def _weight(self, stream: str, history: Any) -> int:
        """The bytes that a state would be kept in: of a stream without end its facts say nothing."""
        state = history.stock if type(history) is StockHistory else history
        return sum(map(len, self._registry.keep(stream, state)))

    def trim(self, kept: int) -> None:
        """Drops the streams used longest ago."""
        self._histories.trim(kept)


class _Broken(Exception):
    """The fold of the fact at an index of the page failed."""

    def __init__(self, index: int, cause: Exception) -> None:
        super().__init__(in_short(cause))
        self.index = index
        self.cause = cause
