"""What a decision reads: folded streams by name, and what a kind of stream is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast, get_args

import msgspec

from ledger.facts import Change, Fact


class Miss(Exception):
    """A decision needs streams that are not loaded; load them and decide again."""

    def __init__(self, streams: Iterable[str]) -> None:
        self.streams = tuple(streams)
        super().__init__(", ".join(self.streams))


class Noun(NamedTuple):
    """A kind of stream, elsewhere called an aggregate type: the prefix of its streams' names, its fact classes, and the
    function that folds them to a state."""

    prefix: str
    """A stream is named ``prefix-id``."""
    facts: tuple[type[Fact], ...]
    evolve: Callable[[Any, Any], Any]
    state: type | None = None
    """What they fold to, where streams become so long that it is kept now and then (engine/snapshots.py)."""


def noun(prefix: str, facts: object, evolve: Callable[[Any, Any], Any], *, kept_as: type | None = None) -> Noun:
    """A noun from a union of fact classes, such as ``OrderFact``; a single class is a union of one.

    Streams without an end, such as the stock of a SKU, name what they fold to as ``kept_as``.
    """
    return Noun(prefix, cast("tuple[type[Fact], ...]", get_args(facts) or (facts,)), evolve, kept_as)


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A folded stream: its version, which is how many facts it has, and its state. An empty one is at version 0 and has
    no state.

    gc=False, as of a ``Value``: it is part of no cycle, and there are as many as streams in memory.
    """

    version: int
    state: Any
    stored_bytes: int = 0
    """Of what it was folded from: its facts, or a snapshot and the facts since; of long streams what counts of it."""


class Broken(NamedTuple):
    """Stands for the state of a stream that could not be folded; reading it raises the error."""

    error: Exception


EMPTY = Entry(0, None)


class View:
    """What a decision reads: states by name, each as of the facts before this command."""

    def find(self, stream: str) -> Entry | None:
        """The folded stream, or None if it is not loaded."""
        raise NotImplementedError

    def entry(self, stream: str) -> Entry:
        """The folded stream; raises Miss if it is not loaded."""
        entry = self.find(stream)
        if entry is None:
            raise Miss((stream,))
        if type(entry.state) is Broken:
            raise entry.state.error.with_traceback(None)  # otherwise each raise adds its frames
        return entry

    def state(self, stream: str) -> Any:
        """The state, None while the stream is empty; raises Miss if it is not loaded."""
        found = self.find(stream)
        if found is None or type(found.state) is Broken:
            found = self.entry(stream)  # raises what is wrong
        return found.state

    def missing(self, streams: Iterable[str]) -> list[str]:
        return [stream for stream in streams if self.find(stream) is None]

    def need(self, *streams: str) -> None:
        """Declares what a decision will read, so that all of it is loaded at once."""
        missing = self.missing(streams)
        if missing:
            raise Miss(missing)


class Folded(View):
    """These streams and no others."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self.entries = entries

    def find(self, stream: str) -> Entry | None:
        return self.entries.get(stream)


Decide = Callable[[View], Sequence[Change]]
"""A decision: pure, so that it can be run again. It may raise a Refusal or a Miss."""
