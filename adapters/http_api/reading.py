"""JSON as requests of the contract, by protobuf's JSON mapping.

Strict, unlike protobuf's own reader: what is misspelt, doubled or of another type is refused with its path, and all
that is wrong is said at once.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.web.doubled_names import Doubled, as_object
from ledger.refusals import Malformed

M = TypeVar("M", bound=Message)

_MOST_FAULTS = 50
_LONGEST_QUOTED = 60
_MOST_NAMES = 12
_WHOLE = re.compile(r"-?[0-9]{1,20}")


class _Wrong(Exception):
    """What is wrong with a value."""


class _Enough(Exception):
    """Enough faults are found."""


def from_json(kind: type[M], body: bytes) -> M:
    """The request that a body is, an empty one for no body; raises Malformed with the path of each fault."""
    message, reading = kind(), _Reading()
    try:
        if body:
            reading.message(message, _parsed(body), "")
    except _Enough:
        pass
    except RecursionError:
        raise Malformed(("request", "is nested too deeply")) from None
    if reading.faults:
        raise Malformed(*reading.faults)
    return message


# --- the text -------------------------------------------------------------------------------------


def _no_number(text: str) -> Any:
    raise _Wrong(f"holds {text}, which is no number of JSON")


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), object_pairs_hook=as_object, parse_float=Decimal, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        fault = f"is not UTF-8: byte {error.start + 1} cannot be read"
    except json.JSONDecodeError as error:
        fault = f"is no JSON: {error.msg} in line {error.lineno}, column {error.colno}"
    except _Wrong as error:
        fault = str(error)
    except ValueError:  # Python reads no longer ones
        fault = "holds a number of thousands of digits"
    raise Malformed(("request", fault))


# --- the message ----------------------------------------------------------------------------------


class _Field(NamedTuple):
    """A field, and how one value of it is read; None if that is a message of the contract."""

    descriptor: FieldDescriptor
    read: Callable[[Any], Any] | None
    alone: str
    """What only one field of the object can be: itself, or the choice that it belongs to."""


class _Reading:
    def __init__(self) -> None:
        self.faults: list[tuple[str, str]] = []

    def fault(self, path: str, sentence: str) -> None:
        self.faults.append((path or "request", sentence))
        if len(self.faults) >= _MOST_FAULTS:
            raise _Enough

    def message(self, message: Message, tree: Any, path: str) -> None:
        if not isinstance(tree, dict):
            return self.fault(path, f"{_quoted(tree)} is no object")
        within = f"{path}." if path else ""
        if isinstance(tree, Doubled):
            for name in tree.names:
                self.fault(f"{within}{_cut(name)}", "is given twice")
        fields, given = _fields(message.DESCRIPTOR), dict[str, str]()
        for name, value in tree.items():
            field = fields.get(name)
            if field is None:
                self.fault(f"{within}{_cut(name)}", _unknown(message.DESCRIPTOR, name))
            elif value is None:
                continue  # as if it were not there
            elif (other := given.setdefault(field.alone, name)) != name:
                self.fault(f"{within}{name}", f"is given beside {other}, and only one of the two can be")
            else:
                self._field(message, field, value, f"{within}{field.descriptor.name}")

    def _field(self, message: Message, field: _Field, value: Any, path: str) -> None:
        descriptor = field.descriptor
        if not descriptor.is_repeated:
            return self._one(message, field, value, path)
        if descriptor.message_type is not None and descriptor.message_type.GetOptions().map_entry:
            return self._map(message, field, value, path)
        if not isinstance(value, list):
            return self.fault(path, f"{_quoted(value)} is no array")
        rows = getattr(message, descriptor.name)
        for index, each in enumerate(value):
            if field.read is None:
                self.message(rows.add(), each, f"{path}[{index}]")
            else:
                self._set(rows.append, field.read, each, f"{path}[{index}]")
        return None

    def _one(self, message: Message, field: _Field, value: Any, path: str) -> None:
        name = field.descriptor.name
        if field.read is None:
            below = getattr(message, name)
            below.SetInParent()
            self.message(below, value, path)
        elif field.descriptor.message_type is not None:
            self._set(getattr(message, name).CopyFrom, field.read, value, path)
        else:
            self._set(partial(setattr, message, name), field.read, value, path)

    def _map(self, message: Message, field: _Field, value: Any, path: str) -> None:
        if not isinstance(value, dict):
            return self.fault(path, f"{_quoted(value)} is no object")
        rows = getattr(message, field.descriptor.name)
        below = _fields(field.descriptor.message_type)["value"]
        for key, each in value.items():
            within = f"{path}[{_cut(key)}]"
            if isinstance(value, Doubled) and key in value.names:
                self.fault(within, "is given twice")
            elif below.read is None:
                self._set(lambda name: self.message(rows[name], each, within), _text, key, within)  # noqa: B023
            else:
                self._set(lambda found: rows.update({_text(key): found}), below.read, each, within)  # noqa: B023
        return None

    def _set(self, put: Callable[[Any], object], read: Callable[[Any], Any], value: Any, path: str) -> None:
        try:
            put(read(value))
        except _Wrong as wrong:
            self.fault(path, str(wrong))


@cache
def _fields(message: Descriptor) -> Mapping[str, _Field]:
    """The fields of a message by both names that JSON may have for each: that of the proto, and in camelCase."""
    found: dict[str, _Field] = {}
    for descriptor in message.fields:
        choice = descriptor.containing_oneof
        field = _Field(descriptor, _reader(descriptor), choice.full_name if choice else descriptor.name)
        found[descriptor.name] = found[descriptor.json_name] = field
    return found


# --- values ---------------------------------------------------------------------------------------


def _reader(field: FieldDescriptor) -> Callable[[Any], Any] | None:
    if field.enum_type is not None:
        return partial(_member, field.enum_type)
    if field.message_type is None:
        return _SCALARS[field.type]
    return _WELL_KNOWN.get(field.message_type.full_name)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"{_quoted(value)} is no string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _Wrong("holds one half of a surrogate pair, which is no character") from None
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(f"{_quoted(value)} is neither true nor false")
    return value


def _whole(bits: int, value: Any) -> int:
    number: int | Decimal | None = None
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and _WHOLE.fullmatch(value):
        number = int(value)
    if number is None:
        raise _Wrong(f"{_quoted(value)} is no whole number")
    if not -(1 << (bits - 1)) <= number < 1 << (bits - 1):
        raise _Wrong(f"{_quoted(value)} does not fit into {bits} bits")
    if number != (whole := int(number)):
        raise _Wrong(f"{_quoted(value)} is no whole number")
    return whole


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        plain = value.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        except ValueError:
            pass
    raise _Wrong(f"{_quoted(value)} is no base64")


def _member(enum: EnumDescriptor, value: Any) -> int:
    if isinstance(value, str):
        if (found := enum.values_by_name.get(value)) is not None:
            return found.number
        names = [each.name for each in enum.values if each.number]
        shown = get_close_matches(value.upper(), names, _MOST_NAMES, 0.5) if len(names) > _MOST_NAMES else names
        raise _Wrong(f"{_quoted(value)} is no {enum.name}; use one of {', '.join(shown or names)}")
    return _whole(32, value)


_SCALARS: Mapping[int, Callable[[Any], Any]] = {
    FieldDescriptor.TYPE_STRING: _text,
    FieldDescriptor.TYPE_BOOL: _truth,
    FieldDescriptor.TYPE_INT32: partial(_whole, 32),
    FieldDescriptor.TYPE_INT64: partial(_whole, 64),
    FieldDescriptor.TYPE_BYTES: _bytes,
}
"""All that requests of the contract hold."""


def _written(kind: type[Timestamp | Duration], such_as: str, value: Any) -> Message:
    message = kind()
    try:
        message.FromJsonString(_text(value))
    except (ValueError, OverflowError, _Wrong):
        raise _Wrong(f"{_quoted(value)} is not {such_as}") from None
    return message


_WELL_KNOWN: Mapping[str, Callable[[Any], Any]] = {
    Timestamp.DESCRIPTOR.full_name: partial(_written, Timestamp, "an instant such as 2026-01-05T09:00:00Z"),
    Duration.DESCRIPTOR.full_name: partial(_written, Duration, "a length of time in seconds such as 90s"),
}
"""Messages that JSON has a way of its own to write."""


def _unknown(message: Any, name: str) -> str:
    near = get_close_matches(name[:100], [field.name for field in message.fields], 1)
    return f"is no field of {message.name}" + (f"; did you mean {near[0]}?" if near else "")


def _quoted(value: Any) -> str:
    """A value for a sentence: of what has parts, only what it is."""
    match value:
        case dict():
            return "an object"
        case list():
            return "an array"
        case bool() | None:
            return json.dumps(value)
        case str():
            return repr(_cut(value))
        case _:
            return _cut(str(value))


def _cut(text: str) -> str:
    # What is no UTF-8 could not be answered either.
    readable = text[:_LONGEST_QUOTED].encode(errors="replace").decode()
    return readable if len(text) <= _LONGEST_QUOTED else f"{readable}…"
