"""What a fact replaces in the state of its stream: from what to what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from adapters.sentences import SentenceReader, catalogue, value_in_words
from ledger.nouns.orders import Order
from ledger.nouns.orders.supplier_orders import SupplierOrder
from ledger.nouns.suppliers import Supplier

_DERIVED: Mapping[type, tuple[str, ...]] = {Order: ("header",), SupplierOrder: ("stage",), Supplier: ("master",)}
"""What is not kept but follows from what is, and is told of as well."""


class Change(NamedTuple):
    """A value that was there and is another now."""

    field: str
    of: str
    """What within the stream it is a part of, such as a supplier order; empty where it is of the whole."""
    before: Any
    after: Any


def changes(before: Any, after: Any) -> list[Change]:
    """What is another value afterwards; what was not there before is new and replaces nothing."""
    return list(dict.fromkeys(_within(before, after, "")))


def told(change: Change, reader: SentenceReader) -> str:
    label = catalogue(reader.language)["changes"][change.field]
    if change.of:
        label = reader.phrase("of", label=label, of=change.of)
    before, after = (value_in_words(change.field, each, reader) for each in (change.before, change.after))
    return reader.phrase("change", label=label, before=before, after=after or reader.phrase("none"))


def _within(before: Any, after: Any, of: str) -> Iterator[Change]:
    if before is after or type(before) is not type(after):
        return
    if isinstance(before, dict):
        for key in before.keys() & after.keys():
            yield from _within(before[key], after[key], f"{of}/{key}" if isinstance(key, int) and of else str(key))
    elif isinstance(before, msgspec.Struct):
        for name in (*before.__struct_fields__, *_DERIVED.get(type(before), ())):
            one, other = getattr(before, name), getattr(after, name)
            if name in catalogue("en")["changes"]:
                if one != other and one not in (None, ""):
                    yield Change(name, of, one, other)
            elif isinstance(one, (dict, msgspec.Struct)):
                yield from _within(one, other, of)
