"""What is sealed in a fact, whatever fact it is, and where each of it belongs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from ledger.engine.sealing import placed
from ledger.facts import Fact, Sealed, SealedText
from ledger.nouns import orders, parcels


class SealedPart(NamedTuple):
    """Something that is sealed in a fact."""

    name: str
    """The field that holds it, such as "customer"."""
    sealed: Sealed
    bound_to: str


def sealed_parts(stream: str, fact: Fact) -> Iterator[SealedPart]:
    """All that is sealed in a fact of this stream, at any depth."""
    for holder, name, sealed in _within(fact, ""):
        yield SealedPart(name, sealed, _place(stream, fact, holder, name, sealed))


def _within(value: Any, name: str, holder: Any = None) -> Iterator[tuple[Any, str, Sealed]]:
    match value:
        case Sealed():
            yield holder, name, value
        case msgspec.Struct():
            for field in value.__struct_fields__:
                yield from _within(getattr(value, field), field, value)
        case Mapping():
            for each in value.values():
                yield from _within(each, name, holder)
        case tuple() | list():
            for each in value:
                yield from _within(each, name, holder)
        case _:
            return


def _place(stream: str, fact: Any, holder: Any, name: str, sealed: Sealed) -> str:
    """A person belongs to the order that it was first sealed for, a scan to the number that it came under."""
    order_id = stream.removeprefix(f"{orders.NOUN.prefix}-")
    if isinstance(sealed, SealedText):
        return placed(stream, "text")
    if name == "customer":
        return placed(getattr(holder, "sealed_for", "") or getattr(fact, "sealed_for", "") or order_id, name)
    if name == "message":
        return placed(parcels.stream(*(holder.told_under or (fact.carrier, fact.number))), name)
    if name == "signed_by":
        return placed(parcels.stream(fact.carrier, fact.number), name)
    return placed(order_id, name)
