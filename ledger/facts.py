"""What a fact is, and the values that every fact is made of: instants, ids, sealed personal data.

Everything here is frozen, compares by value, and is stored as JSON inside facts, so a field once
stored is never renamed. New knowledge is a new optional field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NewType, TypeVar

import msgspec

LineNo = NewType("LineNo", int)
"""The number of an order line, from 1, as the shop numbered them."""

Units = dict[LineNo, int]
"""How many units of each line; every count is at least 1."""

N = TypeVar("N", bound=int)

Change = tuple[str, "Fact"]
"""A fact and the stream it belongs to: what a decision returns a list of."""


class Value(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A part of a fact: compared by value, stored as a JSON object without its default fields.

    gc=False makes the garbage collector skip them: a frozen value made of older values is never part
    of a cycle, and a busy ledger has millions.
    """


class Fact(Value, frozen=True, tag_field="fact", tag=""):
    """Something that happened (elsewhere: an event). Stored under its tag, a stable name such as ``order.placed``."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about it, in sentences; the receipt carries them. Some facts store them."""
        return ()

    @property
    def occurred_at(self) -> datetime | None:
        """When it happened, by its own time; None where it has none. As a rule that is ``at``."""
        at: datetime | None = getattr(self, "at", None)
        return at

    @classmethod
    def fact_name(cls) -> str:
        """The stable name under which this shape is stored."""
        return str(cls.__struct_config__.tag)


def changes_of(stream: str, facts: Iterable[Fact]) -> list[Change]:
    return [(stream, fact) for fact in facts]


def plus(units: Mapping[N, int], more: Mapping[N, int]) -> dict[N, int]:
    """Units of both, line by line."""
    return {**units, **{line_no: units.get(line_no, 0) + count for line_no, count in more.items()}}


def minus(units: Mapping[N, int], less: Mapping[N, int]) -> dict[N, int]:
    """Units without others, line by line; a line with none left is omitted."""
    left = {line_no: count - less.get(line_no, 0) for line_no, count in units.items()}
    return {line_no: count for line_no, count in left.items() if count > 0}


def to_minute(at: datetime) -> str:
    """An instant in UTC, to the minute, for people; programs get it in full."""
    return f"{at:%Y-%m-%d %H:%M}Z"


class Sealed(Value, frozen=True):
    """Personal data encrypted under a key of its own; unreadable once that key is destroyed."""

    key_id: str
    """Names the row of the key in the tenant's key table."""
    box: bytes
    """AES-256-GCM: 12 bytes nonce, then ciphertext and tag; stored as base64."""


class SealedText(Sealed, frozen=True):
    """What somebody wrote, sealed where it came in and bound to the stream of its fact."""

    digest: str
    """Keyed hash of the text: the same again is recognised without its content."""


Told = str | SealedText
"""What somebody wrote in a fact: sealed, empty, or in plain as facts of before have it."""


def same_text(one: Told, other: Told, erased: bool = False) -> bool:
    """Whether two can have been written alike, as far as that can be told without opening them."""
    if isinstance(one, SealedText) and isinstance(other, SealedText):
        return may_be_same(one.digest, other.digest, erased)
    return one == other


def in_plain(told: Told) -> str:
    """What somebody wrote, as far as it stands there without a seal."""
    return told if isinstance(told, str) else ""


def may_be_same(stored: str, given: str, erased: bool = False) -> bool:
    """Whether two digests can be of the same text; a digest is ``EPOCH.HASH``, and empty where there is no text.

    Those of different epochs cannot be compared, and those of an erased person must not be: whoever tries texts is not
    to learn which one it was. Then what is known beside has to tell.
    """
    if not (stored and given):
        return stored == given
    return erased or stored == given or stored.rpartition(".")[0] != given.rpartition(".")[0]


def is_known(stored: str, given: str, same_moment: bool, erased: bool) -> bool:
    """Whether a text is known already: by its digest, or, where that cannot be compared, by its moment."""
    equal = stored == given and not (erased and stored)
    return equal or (same_moment and may_be_same(stored, given, erased))


# --- ids --------------------------------------------------------------------------------------

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:#+-]{0,99}")


def is_plain_id(text: str) -> bool:
    """Whether text may be an id: 1 to 100 letters, digits and ``._:#+-``, no slash, no space."""
    return _PLAIN.fullmatch(text) is not None


def is_sku(text: str) -> bool:
    """Whether text may be a SKU: 1 to 255 printable characters, not starting or ending in space."""
    return 0 < len(text) <= 255 and text.isprintable() and text == text.strip()


def order_of(supplier_order_id: str) -> str:
    """The order a supplier order ``channel/number/n`` belongs to."""
    return supplier_order_id.rpartition("/")[0]


def supplier_order_of(object_id: str) -> str:
    """The supplier order that a clock is of: of a later request to cancel it is ``channel/number/n#2``."""
    order_id, slash, number = object_id.rpartition("/")
    return order_id + slash + number.partition("#")[0]
