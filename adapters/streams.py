"""Streams as the log holds them at this moment, folded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import TypeVar

from ledger.engine.log import Log
from ledger.engine.past import AsOf, PastReader
from ledger.engine.reader import StreamReader
from ledger.engine.registry import Registry
from ledger.nouns import NOUNS
from ledger.view import Folded, Miss, View

_REGISTRY = Registry(NOUNS)

R = TypeVar("R")


def reader(log: Log) -> StreamReader:
    """The one of a log: what it folded for one query serves the next."""
    if log.reader is None:
        log.reader = StreamReader(log, _REGISTRY)
    found: StreamReader = log.reader
    return found


def as_known(log: Log, moment: AsOf) -> Log:
    """The same log, whose streams are read as of a moment."""
    past = copy(log)
    past.reader = PastReader(log, _REGISTRY, moment)
    return past


async def read(log: Log, streams: Sequence[str]) -> tuple[View, int]:
    """These streams and no others, and the head of the log. One that cannot be read fails who asks for it."""
    head, entries = await reader(log).fold_all(streams)
    return Folded(entries), head


async def reading(log: Log, ask: Callable[[View], R]) -> R:
    """What is asked of the streams that it needs, as they are now."""
    streams: list[str] = []
    while True:
        view, _ = await read(log, streams)
        try:
            return ask(view)
        except Miss as miss:
            streams += miss.streams
