"""Marks in the text fields of requests: words that stand nowhere else, so that whoever finds one knows its field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tests.support.contract import holds_text, kept

PERSONAL = ("SEALED", "CONTACT")
PLAIN = ("WORD", "BUSINESS", "PLACE")

Marks = dict[str, str]
"""The full name of the field that each mark was put into."""

_MARKS = [re.compile(each) for each in (r"zq\d{5}", r"493077\d{6}", r"7a71(?:3\d){5}")]
"""A word, a telephone number, and a word as PostgreSQL prints bytes; each alone is found many times faster."""


_NUMBERS = count()


def found(marks: Marks, text: str) -> list[str]:
    """The fields whose marks stand in a text."""
    seen = (each for kind in _MARKS for each in kind.findall(text))
    there = {each if each[:2] != "7a" else bytes.fromhex(each).decode() for each in seen}
    return sorted({marks[each] for each in there if each in marks})


def has_any(descriptor: Any, kinds: tuple[str, ...], seen: frozenset[str] = frozenset()) -> bool:
    """Whether a message, or one within it, has a text field of these kinds."""
    return any(
        kept(field) in kinds
        or (
            (_is_message(field) and field.message_type.full_name not in seen)
            and has_any(field.message_type, kinds, seen | {descriptor.full_name})
        )
        for field in descriptor.fields
    )


def mark(message: Message, kinds: tuple[str, ...], marks: Marks, times: int = 1) -> None:
    """Puts a mark, or it so many times, into each text field of these kinds, making the messages that have any.

    What is personal takes the place of what the field holds; what is plain is left where it holds something.
    """
    fields: Any = message.DESCRIPTOR.fields
    for field in fields:
        value = getattr(message, field.name)
        if field.containing_oneof is not None and not message.HasField(field.name):
            continue
        if kept(field) in kinds and (kept(field) in PERSONAL or not value):
            _put(message, field, _new(field, marks) * times)
        elif _is_message(field) and field.name != "context":
            for part in _parts(message, field, kinds):
                mark(part, kinds, marks, times)


def _is_message(field: FieldDescriptor) -> bool:
    """Whether it is one of our messages."""
    return field.message_type is not None and field.message_type.file.package == "fulfilment.v1"


def _parts(message: Message, field: Any, kinds: tuple[str, ...]) -> Iterator[Message]:
    value = getattr(message, field.name)
    if field.is_repeated:
        yield from value if not field.message_type.GetOptions().map_entry else ()
    elif message.HasField(field.name) or (kinds == PERSONAL and has_any(field.message_type, kinds)):
        yield value


def _new(field: FieldDescriptor, marks: Marks) -> str:
    """Fit for what the field is checked for: an address, a number, else a word."""
    number = next(_NUMBERS)
    word, phone = f"zq{number:05}", f"4930{77_000_000 + number}"
    marks[phone if field.name == "phone" else word] = field.full_name
    png = f"\x89PNG\r\n\x1a\n{word}"
    made = {"email": f"{word}@example.org", "phone": f"+{phone}", "data": png, "file": png}
    return made.get(field.name, f"{word}x")


def _put(message: Message, field: FieldDescriptor, made: str) -> None:
    value: Any = made.encode("latin-1") if field.type == FieldDescriptor.TYPE_BYTES else made
    if field.is_repeated and holds_text(field) and field.message_type is None:
        getattr(message, field.name)[:] = [value]
    elif field.message_type is None:
        setattr(message, field.name, value)
