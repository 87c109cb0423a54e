"""The facts that there are: how each is stored as JSON under its name, and how streams of them fold to states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from types import GenericAlias
from typing import Any, get_args, get_origin

import msgspec
from msgspec.structs import fields, replace

from ledger.engine.turns import in_turns
from ledger.facts import Fact
from ledger.large_map import LargeMap
from ledger.refusals import Shown
from ledger.view import EMPTY, Broken, Entry, Noun


class UnknownFact(Shown):
    """The log holds a fact that this version of the service does not know."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown fact {name!r}: a newer version of the service wrote it; run that version")
        self.name = name


class Misplaced(Shown):
    """A decision put a fact on a stream of another noun, or returned a fact that is in no table."""

    def __init__(self, stream: str, fact: object) -> None:
        super().__init__(f"a {type(fact).__name__} does not belong on stream {stream!r}")


_encoder = msgspec.json.Encoder()

_COUNTED_OF_LONG = 0.45
"""The share of what is stored of a long stream that counts when its memory is estimated."""

PART_ITEMS = 2_000
"""How many items of a large field are kept, and read again, at once: a few milliseconds of work."""


def _apart(value: object) -> dict[str, Any]:
    """What stands for a LargeMap among the other fields: its items are always kept in parts."""
    if isinstance(value, LargeMap):
        return {}
    raise NotImplementedError(type(value).__name__)


class _Kept:
    """How states of a type are kept and read again: in parts, where they have large fields."""

    def __init__(self, state: type) -> None:
        self._whole: Callable[[bytes], Any] = msgspec.json.Decoder(
            state, dec_hook=lambda kind, items: LargeMap()
        ).decode
        self._encode = msgspec.json.Encoder(enc_hook=_apart).encode
        named: list[Any] = []
        for each in fields(state):
            origin, of = get_origin(each.type), get_args(each.type)
            if origin is LargeMap:
                named.append((each.name, GenericAlias(dict, (str, *of)), msgspec.field(default_factory=dict)))
            elif origin in (dict, list):
                named.append((each.name, each.type, msgspec.field(default_factory=origin)))
        self._part = msgspec.defstruct(f"PartOf{state.__name__}", named, omit_defaults=True)
        self._more: Callable[[bytes], Any] = msgspec.json.Decoder(self._part).decode

    def parts(self, state: Any) -> Iterator[bytes]:
        """The state without its large fields, then their items, in order."""
        held = {name: getattr(state, name) for name in self._part.__struct_fields__}
        most = {name: 0 if isinstance(items, LargeMap) else PART_ITEMS for name, items in held.items()}
        large = {name: items for name, items in held.items() if len(items) > most[name]}
        yield self._encode(replace(state, **{name: type(items)() for name, items in large.items()}))
        for name, items in large.items():
            rest: Iterator[Any] = iter(items if isinstance(items, list) else items.items())
            while some := list(islice(rest, PART_ITEMS)):
                yield _encoder.encode(self._part(**{name: some if isinstance(items, list) else dict(some)}))

    def restore(self, first: bytes) -> Any:
        return self._whole(first)

    def restore_more(self, state: Any, part: bytes) -> Any:
        more = self._more(part)
        for name in self._part.__struct_fields__:
            held, items = getattr(state, name), getattr(more, name)
            if isinstance(held, list):
                held.extend(items)
            elif isinstance(held, dict):
                held.update(items)
            elif items:
                for key, value in items.items():
                    held = held.changed(key, value)
                state = replace(state, **{name: held})
        return state


# Made once for all tables with the same classes: a process has many tables.
_kept = cache(_Kept)


@cache
def _decoder(fact_class: type[Fact]) -> Callable[[bytes], Fact]:
    return msgspec.json.Decoder(fact_class).decode


class Registry:
    """Encodes, decodes and folds the facts of the nouns it is made of, and of no others."""

    def __init__(self, nouns: Iterable[Noun]) -> None:
        self.classes: dict[str, type[Fact]] = {}
        self._decoders: dict[str, Callable[[bytes], Fact]] = {}
        self._prefixes: dict[type[Fact], str] = {}
        self.evolve: dict[str, Callable[[Any, Any], Any]] = {}
        """How the streams of each prefix fold."""
        self._kept: dict[str, _Kept] = {}
        """How states are kept, of the prefixes whose streams become long."""
        for noun in nouns:
            self.evolve[noun.prefix] = noun.evolve
            if noun.state is not None:
                self._kept[noun.prefix] = _kept(noun.state)
            for fact_class in noun.facts:
                self._add(noun.prefix, fact_class)

    def _add(self, prefix: str, fact_class: type[Fact]) -> None:
        name = fact_class.fact_name()
        if not name or name in self.classes:
            raise ValueError(f"{fact_class.__name__} needs a name of its own, not {name!r}")
        self.classes[name] = fact_class
        self._decoders[name] = _decoder(fact_class)
        self._prefixes[fact_class] = prefix

    def encode(self, fact: Fact) -> bytes:
        """The fact as it is stored: JSON that carries its name under ``fact``."""
        return _encoder.encode(fact)

    def decode(self, topic: str, state: bytes) -> Fact:
        """The stored fact; an unknown name raises UnknownFact, and never imports anything."""
        decoder = self._decoders.get(topic)
        if decoder is None:
            raise UnknownFact(topic)
        return decoder(state)

    def fold(self, stream: str, state: Any, fact: Fact) -> Any:
        """The state after the fact."""
        prefix = stream.partition("-")[0]
        if self._prefixes.get(type(fact)) != prefix:
            raise Misplaced(stream, fact)
        return self.evolve[prefix](state, fact)

    def fold_rows(self, streams: Iterable[str], rows: Sequence[tuple[str, int, str, bytes]]) -> dict[str, Entry]:
        """Whole streams, folded: rows are (stream, version, topic, state) in order of version."""
        entries = dict.fromkeys(streams, EMPTY)
        for stream, version, topic, state in rows:
            entries[stream] = self.advance(stream, entries[stream], version, topic, state)
        return entries

    async def fold_in_turns(
        self, streams: Iterable[str], rows: Sequence[tuple[str, int, str, bytes]]
    ) -> dict[str, Entry]:
        """The same in an event loop that others need, too."""
        entries = dict.fromkeys(streams, EMPTY)
        async for stream, version, topic, state in in_turns(rows):
            entries[stream] = self.advance(stream, entries[stream], version, topic, state)
        return entries

    def advance(self, stream: str, entry: Entry, version: int, topic: str, state: bytes) -> Entry:
        """The stream after one more stored fact, or as a snapshot, which has no topic.

        Broken if that cannot be read, which fails only those who need it.
        """
        if type(entry.state) is Broken:
            return entry
        try:
            if not topic:
                return Entry(version, self.restore(stream, state), self.counted(stream, len(state)))
            folded = self.fold(stream, entry.state, self.decode(topic, state))
            return Entry(version, folded, entry.stored_bytes + self.counted(stream, len(state)))
        except Exception as error:  # noqa: BLE001
            return Entry(version, Broken(error))

    # --- states ---

    def is_restorable(self, stream: str) -> bool:
        """Whether states of such a stream can be kept."""
        return stream.partition("-")[0] in self._kept

    def keep(self, stream: str, state: Any) -> Iterator[bytes]:
        """A state as it is kept, part by part: JSON, as instants keep their offset in it."""
        return self._kept[stream.partition("-")[0]].parts(state)

    def restore(self, stream: str, first: bytes) -> Any:
        """The state of a stream by the first part that was kept of it."""
        return self._kept[stream.partition("-")[0]].restore(first)

    def restore_more(self, stream: str, state: Any, part: bytes) -> Any:
        """The state with a further part of it, which may have changed in place."""
        return self._kept[stream.partition("-")[0]].restore_more(state, part)

    def counted(self, stream: str, stored_bytes: int) -> int:
        """What counts of the stored bytes of a fact or of a snapshot when memory is estimated: a reservation takes 200
        to 250 bytes, and 180 as a fact, 320 with its commitment, 140 to 170 in a snapshot."""
        return int(stored_bytes * _COUNTED_OF_LONG) if self.is_restorable(stream) else stored_bytes

    def check(self, stream: str, fact: Fact) -> None:
        """Raises Misplaced unless the fact belongs on the stream."""
        if self._prefixes.get(type(fact)) != stream.partition("-")[0]:
            raise Misplaced(stream, fact)
