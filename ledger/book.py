"""Folded streams in memory: what decisions read, and the closed table of nouns they are folded by.

The book holds only committed facts. A batch of commands works on a ``Draft`` over it, which is
committed when the database has committed, and dropped when it has not.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast, get_args

import msgspec

from ledger.refusals import Shown
from ledger.values import (
    Change,
    Fact,
    case_stream,
    inquiry_stream,
    message_stream,
    order_stream,
    parcel_stream,
    policy_stream,
    recovery_stream,
    sku_stream,
    stock_stream,
    supplier_stream,
    task_stream,
)

if TYPE_CHECKING:
    from ledger.inquiries import Inquiry
    from ledger.messages import Message
    from ledger.orders import Order
    from ledger.parcels import Parcel
    from ledger.policies import Policies
    from ledger.recoveries import Recovery
    from ledger.returns import Case
    from ledger.skus import Sku
    from ledger.stock import Stock
    from ledger.suppliers import Supplier
    from ledger.tasks import Task

S = TypeVar("S")


class UnknownFact(Shown):
    """The log holds a fact that this version of the service does not know."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown fact {name!r}: a newer version of the service wrote it; run that version")
        self.name = name


class Misplaced(Shown):
    """A decision put a fact on a stream of another noun, or returned a fact that is in no table."""

    def __init__(self, stream: str, fact: object) -> None:
        super().__init__(f"a {type(fact).__name__} does not belong on stream {stream!r}")


class Miss(Exception):
    """A decision needs streams the book has not loaded; load them and decide again."""

    def __init__(self, streams: Iterable[str]) -> None:
        self.streams = tuple(streams)
        super().__init__(", ".join(self.streams))


class Noun(NamedTuple):
    """What a kind of stream is made of: its fact classes, and how they fold to a state."""

    facts: tuple[type[Fact], ...]
    evolve: Callable[[Any, Any], Any]


def noun(facts: object, evolve: Callable[[Any, Any], Any]) -> Noun:
    """A noun from a union of fact classes, such as ``OrderFact``; a single class is a union of one."""
    return Noun(cast("tuple[type[Fact], ...]", get_args(facts) or (facts,)), evolve)


@cache
def the_nouns() -> Mapping[str, Noun]:
    """Every noun of the ledger by the prefix of its streams."""
    from ledger import (
        inquiries,
        messages,
        orders,
        parcels,
        policies,
        recoveries,
        returns,
        skus,
        stock,
        suppliers,
        tasks,
    )

    return {
        "order": noun(orders.OrderFact, orders.evolve),
        "stock": noun(stock.StockFact, stock.evolve),
        "sku": noun(skus.SkuFact, skus.evolve),
        "supplier": noun(suppliers.SupplierFact, suppliers.evolve),
        "parcel": noun(parcels.ParcelFact, parcels.evolve),
        "recovery": noun(recoveries.RecoveryFact, recoveries.evolve),
        "inquiry": noun(inquiries.InquiryFact, inquiries.evolve),
        "message": noun(messages.MessageFact, messages.evolve),
        "case": noun(returns.CaseFact, returns.evolve),
        "task": noun(tasks.TaskFact, tasks.evolve),
        "policy": noun(policies.PolicyFact, policies.evolve),
    }


_encoder = msgspec.json.Encoder()


class Registry:
    """The closed table of facts: name to class and back, and the fold of each stream."""

    def __init__(self, nouns: Mapping[str, Noun] | None = None) -> None:
        nouns = the_nouns() if nouns is None else nouns
        self.classes: dict[str, type[Fact]] = {}
        self._decoders: dict[str, Callable[[bytes], Fact]] = {}
        self._prefixes: dict[type[Fact], str] = {}
        self._evolve = {prefix: kind.evolve for prefix, kind in nouns.items()}
        for prefix, kind in nouns.items():
            for fact_class in kind.facts:
                self._add(prefix, fact_class)

    def _add(self, prefix: str, fact_class: type[Fact]) -> None:
        name = fact_class.fact_name()
        if not name or name in self.classes:
            raise ValueError(f"{fact_class.__name__} needs a name of its own, not {name!r}")
        self.classes[name] = fact_class
        self._decoders[name] = msgspec.json.Decoder(fact_class).decode
        self._prefixes[fact_class] = prefix

    def encode(self, fact: Fact) -> bytes:
        """The fact as it is stored: JSON that carries its name under ``fact``."""
        return _encoder.encode(fact)

    def decode(self, topic: str, state: bytes) -> Fact:
        """The stored fact; an unknown name is an error that says so, never an import."""
        decoder = self._decoders.get(topic)
        if decoder is None:
            raise UnknownFact(topic)
        return decoder(state)

    def fold(self, stream: str, state: Any, fact: Fact) -> Any:
        """The state after the fact."""
        prefix = stream.partition("-")[0]
        if self._prefixes.get(type(fact)) != prefix:
            raise Misplaced(stream, fact)
        return self._evolve[prefix](state, fact)

    def check(self, stream: str, fact: Fact) -> None:
        """Raises Misplaced unless the fact belongs on the stream."""
        if self._prefixes.get(type(fact)) != stream.partition("-")[0]:
            raise Misplaced(stream, fact)


class Entry(NamedTuple):
    """A folded stream: how many facts it has, and what they amount to. An empty one is (0, None)."""

    version: int
    state: Any


class Broken(NamedTuple):
    """Stands for the state of a stream that could not be folded; whoever needs it gets the error."""

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
            raise entry.state.error.with_traceback(None)  # or each time adds the frames it comes through
        return entry

    def state(self, stream: str) -> Any:
        """The state, None while the stream is empty; raises Miss if it is not loaded."""
        found = self.find(stream)
        if found is None or type(found.state) is Broken:
            found = self.entry(stream)  # which says what is the matter
        return found.state

    def missing(self, streams: Iterable[str]) -> list[str]:
        return [stream for stream in streams if self.find(stream) is None]

    def need(self, *streams: str) -> None:
        """Says early what a decision will read, so that all of it is loaded at once."""
        missing = self.missing(streams)
        if missing:
            raise Miss(missing)

    def order(self, order_id: str) -> Order | None:
        found: Order | None = self.state(order_stream(order_id))
        return found

    def stock(self, supplier_id: str, sku: str) -> Stock | None:
        found: Stock | None = self.state(stock_stream(supplier_id, sku))
        return found

    def sku(self, sku: str) -> Sku | None:
        found: Sku | None = self.state(sku_stream(sku))
        return found

    def supplier(self, supplier_id: str) -> Supplier | None:
        found: Supplier | None = self.state(supplier_stream(supplier_id))
        return found

    def parcel(self, carrier: str, number: str) -> Parcel | None:
        found: Parcel | None = self.state(parcel_stream(carrier, number))
        return found

    def recovery(self, recovery_id: str) -> Recovery | None:
        found: Recovery | None = self.state(recovery_stream(recovery_id))
        return found

    def inquiry(self, inquiry_id: str) -> Inquiry | None:
        found: Inquiry | None = self.state(inquiry_stream(inquiry_id))
        return found

    def message(self, message_id: str) -> Message | None:
        found: Message | None = self.state(message_stream(message_id))
        return found

    def case(self, case_id: str) -> Case | None:
        found: Case | None = self.state(case_stream(case_id))
        return found

    def task(self, task_id: str) -> Task | None:
        found: Task | None = self.state(task_stream(task_id))
        return found

    def policy(self) -> Policies | None:
        found: Policies | None = self.state(policy_stream())
        return found


class Book(View):
    """The committed streams used lately, folded up to ``position`` of the log."""

    def __init__(self, nouns: Mapping[str, Noun] | None = None, *, streams_kept: int = 50_000) -> None:
        self.registry = Registry(nouns)
        self.position = 0
        self._streams_kept = streams_kept
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._complete = False

    @classmethod
    def of(cls, changes: Iterable[Change] = (), nouns: Mapping[str, Noun] | None = None) -> Book:
        """A book without a database: these facts are all there is, every other stream is empty."""
        book = cls(nouns)
        book._complete = True
        book.record(changes)
        return book

    def record(self, changes: Iterable[Change]) -> None:
        """Folds the changes in as if they had been committed."""
        for stream, fact in changes:
            entry = self.entry(stream)
            self.position += 1
            self._entries[stream] = Entry(entry.version + 1, self.registry.fold(stream, entry.state, fact))

    def find(self, stream: str) -> Entry | None:
        entry = self._entries.get(stream)
        if entry is not None:
            self._entries.move_to_end(stream)
        elif self._complete:
            return EMPTY
        return entry

    def load(self, streams: Iterable[str], rows: Iterable[tuple[str, int, str, bytes]]) -> None:
        """Takes in whole streams: rows are (stream, version, topic, state) in order of version."""
        for stream in streams:
            self._entries[stream] = EMPTY
        for stream, version, topic, state in rows:
            self._advance(stream, version, topic, state)

    def follow(self, rows: Sequence[tuple[int, str, int, str, bytes]]) -> None:
        """Folds what others appended: rows are (position, stream, version, topic, state) in order.

        Streams that are not in the book stay out of it.
        """
        for position, stream, version, topic, state in rows:
            if stream in self._entries:
                self._advance(stream, version, topic, state)
            self.position = position

    def _advance(self, stream: str, version: int, topic: str, state: bytes) -> None:
        entry = self._entries[stream]
        if type(entry.state) is Broken:
            return
        try:
            fact = self.registry.decode(topic, state)
            self._entries[stream] = Entry(version, self.registry.fold(stream, entry.state, fact))
        except Exception as error:  # noqa: BLE001
            # One stream that cannot be read must not stop the commands that do not need it.
            self._entries[stream] = Entry(version, Broken(error))

    def forget(self, streams: Iterable[str]) -> None:
        for stream in streams:
            self._entries.pop(stream, None)

    def forget_all(self, position: int = 0) -> None:
        """Starts over at a position: every stream is loaded again when it is next needed."""
        self._entries.clear()
        self.position = position

    def trim(self) -> None:
        """Lets go of the streams used longest ago. Not while a draft is open: it relies on them."""
        while len(self._entries) > self._streams_kept:
            self._entries.popitem(last=False)

    def begin(self) -> Draft:
        return Draft(self)

    def merge(self, entries: Mapping[str, Entry], position: int) -> None:
        self._entries.update(entries)
        self.position = position


class Draft(View):
    """The book as it will be if the present batch commits."""

    __slots__ = ("_book", "_changed", "_entries", "position")

    def __init__(self, book: Book) -> None:
        self._book = book
        self._entries: dict[str, Entry] = {}
        """All that the batch has looked at so far, as of the facts before the present command."""
        self._changed: set[str] = set()
        self.position = book.position

    def find(self, stream: str) -> Entry | None:
        entry = self._entries.get(stream)
        if entry is None:
            entry = self._book.find(stream)
            if entry is not None:
                self._entries[stream] = entry
        return entry

    def state(self, stream: str) -> Any:
        # A decision on a large order asks hundreds of times, mostly for what was looked at before.
        entry = self._entries.get(stream)
        if entry is not None and type(state := entry.state) is not Broken:
            return state
        return self.entry(stream).state

    def missing(self, streams: Iterable[str]) -> list[str]:
        entries, look_up = self._entries, self._book.find
        missing = []
        for stream in streams:
            if stream not in entries:
                entry = look_up(stream)
                if entry is None:
                    missing.append(stream)
                else:
                    entries[stream] = entry
        return missing

    def check(self, changes: Sequence[Change]) -> None:
        """Raises Miss or Misplaced, before anything is applied."""
        missing = self.missing([stream for stream, _ in changes])
        if missing:
            raise Miss(missing)
        for stream, fact in changes:
            self._book.registry.check(stream, fact)

    def apply(self, stream: str, fact: Fact) -> int:
        """Folds one fact in and returns the version it takes the stream to."""
        entry = self.entry(stream)
        # Noted before it is folded: if the fold fails half way, the stream must be forgotten.
        self._changed.add(stream)
        version = entry.version + 1
        self._entries[stream] = Entry(version, self._book.registry.fold(stream, entry.state, fact))
        self.position += 1
        return version

    def commit(self) -> None:
        self._book.merge({stream: self._entries[stream] for stream in self._changed}, self.position)

    def drop(self) -> None:
        """Forgets every changed stream, because folding stock changes its committed state in place."""
        self._book.forget(self._changed)
        self._entries, self._changed = {}, set()
