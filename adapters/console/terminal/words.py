"""How times, money, enums and messages are written and read at a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
from google.protobuf import json_format
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from fulfilment.v1 import common_pb2
from ledger import facts
from ledger.terms.money import amount, minor_digits

# --- money ----------------------------------------------------------------------------------------


_MOST_MINOR = 2**63 - 1


def money(amount_minor: int, currency: str) -> str:
    """1234 EUR as ``12.34 EUR``."""
    return f"{amount(amount_minor, currency)} {currency}".strip()


def amount_minor(text: str, currency: str) -> int:
    """``12.34`` in minor units; more digits than the currency has are a mistake."""
    digits = minor_digits(currency)
    try:
        minor = Decimal(text).scaleb(digits)
    except ArithmeticError:
        minor = Decimal("NaN")
    if not minor.is_finite() or minor < 0 or minor != minor.to_integral_value():
        unit = f"with at most {digits} digits after the point" if digits else "without a point"
        raise click.UsageError(f"{text!r} is not an amount of {currency or 'money'} {unit}")
    if minor > _MOST_MINOR:
        raise click.UsageError(f"{text!r} is more than the {money(_MOST_MINOR, currency)} that an amount can be")
    return int(minor)


def to_money(text: str) -> common_pb2.Money:
    """An amount with its currency, such as 19.80:EUR."""
    amount, _, currency = text.partition(":")
    return common_pb2.Money(amount_minor=amount_minor(amount, currency.upper()), currency=currency.upper())


# --- whole numbers --------------------------------------------------------------------------------

_LEAST, _MOST = -(2**31), 2**31 - 1
"""What the fields of numbers have room for."""
_WHOLE = re.compile(r"[+-]?[0-9]{1,20}")


class WholeNumber(click.IntRange):
    """As click's, in plain words about what is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, str) and not _WHOLE.fullmatch(value):
            self.fail(f"{value!r} is not a whole number", param, ctx)
        return super().convert(value, param, ctx)


def whole(least: int = _LEAST) -> WholeNumber:
    """An option or argument that is a whole number, as large as its field takes."""
    return WholeNumber(least, _MOST)


POSITION = WholeNumber(0, (1 << 63) - 1)
"""A position of the log, as large as its field takes."""


def to_whole(text: str) -> int:
    """Raises ValueError with the bounds if it is none, or none that a field has room for."""
    if not _WHOLE.fullmatch(text) or not _LEAST <= int(text) <= _MOST:
        raise ValueError(f"{text!r} is not a whole number from {_LEAST} to {_MOST}")
    return int(text)


def fitting(text: str, hint: str) -> int:
    """The digits of a part of an option, such as the 2 of TEA:2."""
    try:
        return to_whole(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=hint) from None


# --- text -----------------------------------------------------------------------------------------


class FilledText(click.types.StringParamType):
    """A filter: an empty one, as a variable of a shell that is not set gives it, must not select everything."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        source = ctx.get_parameter_source(param.name or "") if ctx is not None and param is not None else None
        if source is click.core.ParameterSource.COMMANDLINE and not value.strip():
            self.fail("it is empty; give it a value or leave it out", param, ctx)
        return super().convert(value, param, ctx)


FILLED = FilledText()

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What would move a terminal's cursor, colour it, or turn the direction of what follows; not tab and newline."""


def plain(text: str) -> str:
    """A text with its control characters spelled out, as in ``\\u001b[2J``, which JSON takes for the same."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    """As ``plain``, of what has no lines of its own: a name, an id, a cell of a table."""
    return plain(text).replace("\n", "\\n").replace("\t", " ")


# --- time -----------------------------------------------------------------------------------------


class Instant(click.ParamType[Timestamp]):
    """An ISO 8601 time; without an offset it is UTC, as all times here are written."""

    name = "time"
    wanted = "a time such as 2026-03-02T12:00Z"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Timestamp:
        if isinstance(value, Timestamp):
            return value
        stamp = Timestamp()
        try:
            at = datetime.fromisoformat(value)
            stamp.FromDatetime(at if at.tzinfo is not None else at.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not {self.wanted}", param, ctx)
        return stamp


INSTANT = Instant()


def to_instant(text: str) -> Timestamp:
    """A time as it stands in a file."""
    return INSTANT.convert(text, None, None)


class DayOrInstant(Instant):
    """A calendar day such as 2026-01-12, kept as it is typed, or a time."""

    name = "day|time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return date.fromisoformat(value).isoformat()
        except (TypeError, ValueError):
            return super().convert(value, param, ctx)


DAY_OR_INSTANT = DayOrInstant()


def promised(message: Any) -> str:
    """What a customer was promised: a day, or a time."""
    return message.promised_day or minute(message, "promised_by")


def expected(message: Any, promise: Any = None) -> str:
    """When it is to arrive: the promised day as such. The promise may stand in another message."""
    promise = promise or message
    if message.HasField("expected_by") and message.expected_by == promise.promised_by:
        return promised(promise)
    return minute(message, "expected_by")


def numbers(message: Any) -> str:
    """The carrier and number of a parcel, and those of each last mile that it went on under."""
    which = [message, *message.last_miles]
    return ", then ".join(f"{each.carrier} {each.tracking_number}" for each in which)


def at(message: Any, field: str) -> datetime | None:
    """A time of a message, None if it is absent."""
    return getattr(message, field).ToDatetime(tzinfo=UTC) if message.HasField(field) else None


def minute(message: Any, field: str, zone: str = "") -> str:
    return to_minute(at(message, field), zone)


def to_minute(instant: datetime | None, zone: str = "") -> str:
    """In a time zone as ``2026-01-06 15:00+08:00``; without one in UTC."""
    if instant is None:
        return ""
    try:
        place = ZoneInfo(zone) if zone else None
    except ZoneInfoNotFoundError:  # of a server with newer zones
        place = None
    return instant.astimezone(place).isoformat(" ", "minutes") if place else facts.to_minute(instant)


def span(length: timedelta) -> str:
    """A length of time in its largest unit that fits."""
    seconds = abs(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size or (unit == "min" and seconds >= size):
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


# --- enums ----------------------------------------------------------------------------------------


def word(enum: Any, number: int) -> str:
    """An enum's value as a word: ``on hold``."""
    return word_of(enum.DESCRIPTOR, number)


def word_of(enum: EnumDescriptor, number: int) -> str:
    return _names(enum).get(number, str(number)).replace("_", " ")


def choice(enum: Any, *without: str) -> click.Choice[str]:
    """An option that takes an enum's words."""
    return click.Choice([name for number, name in _names(enum.DESCRIPTOR).items() if number and name not in without])


def number(enum: Any, name: str | None) -> Any:
    """The number of a word; 0 for none."""
    return next((number for number, each in _names(enum.DESCRIPTOR).items() if each == name), 0)


def _names(enum: EnumDescriptor) -> Mapping[int, str]:
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {value.number: value.name.removeprefix(prefix).lower() for value in enum.values}


# --- messages -------------------------------------------------------------------------------------


def as_json(message: Message, *, empty: bool = True) -> dict[str, Any]:
    """protobuf JSON with the names of the protos, and 64-bit numbers as numbers; with fields that are empty, or not."""
    tree = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=empty
    )
    _mend_numbers(message.DESCRIPTOR, tree)
    return tree


_WIDE = {
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT64,
}


def _mend_numbers(descriptor: Any, tree: dict[str, Any]) -> None:
    for field in descriptor.fields:
        value = tree.get(field.name)
        if value is None:
            continue
        if field.cpp_type in _WIDE:
            tree[field.name] = [int(each) for each in value] if isinstance(value, list) else int(value)
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, dict):
                    _mend_numbers(field.message_type, each)


# --- lists of options -----------------------------------------------------------------------------

_LINE_VALUE = re.compile(r"([0-9]+):(.+)", re.DOTALL)


def line_values(values: Iterable[str], option: str, example: str) -> Iterator[tuple[int, str]]:
    """``--origin 1:CN`` as line numbers with what is said of them."""
    for value in values:
        match = _LINE_VALUE.fullmatch(value)
        if match is None:
            raise click.BadParameter(f"{value!r} is not LINE:VALUE such as {example}", param_hint=option)
        yield int(match[1]), match[2]


_LINE_UNITS = re.compile(r"(\d+):(\d+)")


def line_units(values: Iterable[str], option: str) -> dict[int, int]:
    """``--line 1:2`` as units by line number."""
    found = {}
    for value in values:
        match = _LINE_UNITS.fullmatch(value)
        if match is None:
            raise click.BadParameter(f"{value!r} is not LINE:UNITS such as 1:2", param_hint=option)
        found[fitting(match[1], option)] = fitting(match[2], option)
    return found


def units_of_lines(values: Iterable[str]) -> list[common_pb2.LineUnits]:
    """The same as messages."""
    found = line_units(values, "--line")
    return [common_pb2.LineUnits(line_no=line_no, units=units) for line_no, units in found.items()]


def units(lines: Iterable[Any]) -> str:
    """So many units of each of these lines."""
    return " + ".join(f"{each.units} of line {each.line_no}" for each in lines)


def party(found: Any) -> str:
    """Somebody on an invoice, in one line."""
    return ", ".join(filter(None, [found.name, *found.address, found.country, found.tax_id]))


def sku_units(text: str, hint: str) -> tuple[str, int]:
    """``TEA:2`` as a SKU and its units; a SKU may have colons."""
    sku, _, units = text.rpartition(":")
    if not sku or not (units.isascii() and units.isdigit()):
        raise click.BadParameter(f"{text!r} is not SKU:UNITS such as TEA:2", param_hint=hint)
    return sku, fitting(units, hint)
