"""Streams as the log holds them at this moment, folded."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.engine.log import Log, Recorded
from ledger.engine.registry import Registry
from ledger.nouns import NOUNS
from ledger.view import Entry, Folded, View

_REGISTRY = Registry(NOUNS)


async def read(log: Log, streams: Sequence[str]) -> tuple[View, int]:
    """These streams and no others, and the head of the log. One that cannot be read fails who asks for it."""
    head, rows = await log.read_streams(streams)
    return Folded(_REGISTRY.fold_rows(streams, rows)), head


def fold(stream: str, facts: Sequence[Recorded]) -> Entry:
    """A stream of these facts alone."""
    rows = [(fact.stream, fact.version, fact.topic, fact.state) for fact in facts]
    return Folded(_REGISTRY.fold_rows([stream], rows)).entry(stream)
