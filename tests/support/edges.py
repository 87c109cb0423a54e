"""Messages with a field at the edge of what its type can hold, where careless code makes mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

_PLAIN: Mapping[int, tuple[object, ...]] = {
    FieldDescriptor.TYPE_STRING: ("", "\0", " ", "shop/1/x", "é" * 5000),
    FieldDescriptor.TYPE_BYTES: (b"", b"\0" * 100),
    FieldDescriptor.TYPE_INT32: (-1, 0, 2**31 - 1),
    FieldDescriptor.TYPE_ENUM: (-1, 99),
    FieldDescriptor.TYPE_INT64: (-1, 0, 2**63 - 1),
}
_TIMES: Mapping[str, tuple[Message, ...]] = {
    kind.DESCRIPTOR.full_name: (
        kind(seconds=-62_135_596_800),
        kind(seconds=-1),
        kind(seconds=253_402_300_799),
        kind(seconds=2**63 - 1),
        kind(seconds=1, nanos=-1),
    )
    for kind in (Timestamp, Duration)
}
_LEFT_OUT = {"context", "at_least"}
"""What every command has, and what a read model is waited for."""


def edges(message: Message) -> Iterator[Message]:
    """The message once for each edge of each of its fields, and of the fields of what it holds."""
    present = {field.name: value for field, value in message.ListFields()}
    for field in message.DESCRIPTOR.fields:
        if field.name not in _LEFT_OUT:
            others = {name: value for name, value in present.items() if name != field.name}
            for value in _edges_of(field, present.get(field.name)):
                yield type(message)(**others, **{field.name: value})


def _edges_of(field: Any, present: Any) -> Iterator[Any]:
    if not field.is_repeated:
        yield from _values(field, present)
    elif field.message_type is None or not field.message_type.GetOptions().map_entry:
        for value in _values(field, present[0] if present else None):
            yield [value, value]


def _values(field: Any, present: Any) -> Iterator[Any]:
    if field.message_type is None:
        yield from _PLAIN.get(field.type, ())
    elif field.message_type.full_name in _TIMES:
        yield from _TIMES[field.message_type.full_name]
    else:
        yield from edges(GetMessageClass(field.message_type)() if present is None else present)
