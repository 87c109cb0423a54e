"""Terms of the policy as they are typed: by name and value, or in a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

import click
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from adapters.console.terminal import words
from adapters.console.terms.calendars import to_weekdays, to_working_time
from adapters.console.terms.policy_words import MAY_BE_NEVER
from fulfilment.v1 import admin_pb2, calendars_pb2

T = TypeVar("T")


def change_term(message: Message, usual: Message, whole: str, name: str, value: str) -> None:
    """Sets a term by its name; without a value the default comes back."""
    own, _, part = name.partition(".")
    field = message.DESCRIPTOR.fields_by_name.get(own)
    if field is None or (part and field.message_type is None):
        raise click.UsageError(f"the policy has no term {whole}{_nearest(whole)}")
    if not value and not part:
        _reset(message, usual, field)
    elif value == "never" and message.DESCRIPTOR is MAY_BE_NEVER:
        message.ClearField(own)
    elif field.message_type is None:
        _fill(message, field, whole, value)
    elif field.message_type.GetOptions().map_entry:
        _set_entry(getattr(message, own), whole, part, value)
    elif field.is_repeated:
        raise click.UsageError(f"{own} is a table: give it as a whole with --file; `policy show --json` prints it")
    elif not part:
        raise click.UsageError(f"{whole} has parts, such as {whole}.{field.message_type.fields[0].name}")
    else:
        change_term(getattr(message, own), getattr(usual, own), whole, part, value)


def _reset(message: Message, usual: Message, field: Any) -> None:
    """As the trade has it; what is left out of the whole policy is filled in by the service."""
    message.ClearField(field.name)
    if field.message_type is None and field.has_presence and usual.HasField(field.name):
        setattr(message, field.name, getattr(usual, field.name))


def _fill(message: Message, field: Any, whole: str, value: str) -> None:
    if field.enum_type is calendars_pb2.Weekday.DESCRIPTOR:
        getattr(message, field.name)[:] = _typed(to_weekdays, value)
    elif field.is_repeated:
        getattr(message, field.name)[:] = [each.strip() for each in value.split(",")]
    elif field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        setattr(message, field.name, value)
    elif field.enum_type is not None:
        setattr(message, field.name, _number(field.enum_type, whole, value))
    else:
        try:
            setattr(message, field.name, int(value))
        except ValueError:
            raise click.UsageError(f"{whole} takes a whole number up to {2**31 - 1}, not {value!r}") from None


def _number(enum: Any, whole: str, value: str) -> int:
    numbers: dict[str, int] = {words.word_of(enum, each.number): each.number for each in enum.values if each.number}
    found = numbers.get(value.replace("_", " "))
    if found is None:
        raise click.UsageError(f"{whole} is one of {', '.join(name.replace(' ', '_') for name in numbers)}")
    return found


def _set_entry(entries: Any, whole: str, key: str, value: str) -> None:
    if not key:
        raise click.UsageError(f"{whole} is set one by one, such as {whole}.DE=de")
    if not value:
        entries.pop(key, None)
    elif whole.startswith("working.terms."):
        term = _typed(to_working_time, value)
        if isinstance(term, int):
            raise click.UsageError(f"{whole} takes working time such as 2wd or 16wh, not {value!r}")
        entries[key].CopyFrom(term)
    else:
        entries[key] = value


def _typed(read: Callable[[str], T], value: str) -> T:
    try:
        return read(value)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _nearest(name: str) -> str:
    near = get_close_matches(name, _names(admin_pb2.Policy.DESCRIPTOR), 1)
    return f"; did you mean {near[0]}?" if near else "; `policy show` lists them"


def _names(descriptor: Any) -> Iterator[str]:
    for field in descriptor.fields:
        yield field.name
        if field.message_type is not None and not field.is_repeated:
            yield from (f"{field.name}.{part}" for part in _names(field.message_type))


def take_file(message: Message, text: str) -> None:
    """Replaces what the file names."""
    try:
        json_format.Parse(text, admin_pb2.Policy())
    except json_format.ParseError as error:
        said = str(error).partition("\n")[0]
        raise click.UsageError(f"--file is no Policy in protobuf JSON: {said}") from None
    _make_room(message, json.loads(text))
    json_format.Parse(text, message)


def _make_room(message: Message, tree: Mapping[str, Any]) -> None:
    """Reading JSON adds to lists and tables, so those it names are emptied before."""
    fields: Any = message.DESCRIPTOR.fields
    for field in fields:
        for name in {field.name, field.json_name} & tree.keys():
            if isinstance(tree[name], dict) and not field.message_type.GetOptions().map_entry:
                _make_room(getattr(message, field.name), tree[name])
            else:
                message.ClearField(field.name)
