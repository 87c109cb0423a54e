"""The shape of messages: what a field may hold, and the value it means.

Every function takes the field's path and raises Malformed with it, so that the caller knows what to
mend (``faults``). Incomplete requests are not refused here: the domain makes holds of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar
from unicodedata import normalize

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.rpc.faults import fault, require
from fulfilment.v1 import common_pb2
from ledger.facts import LineNo, Units, is_plain_id, is_sku, to_minute
from ledger.terms.carriers import carrier_name
from ledger.terms.money import CURRENCIES, MOST_MINOR, Money
from ledger.terms.order_numbers import is_order_number, order_number
from ledger.terms.parties import Party
from ledger.terms.places import COUNTRIES, OTHER_CODES
from ledger.terms.tracking_numbers import compact

MOST_UNITS = 1_000_000
_AHEAD = timedelta(days=1)
"""How far a source's clock may run before ours."""

E = TypeVar("E", bound=StrEnum)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND, _END_SECOND = 0, int(datetime(3000, 1, 1, tzinfo=UTC).timestamp())

_LANGUAGE = re.compile(r"[a-z]{2}")
_LOCALE = re.compile(r"([A-Za-z]{2})(?:[-_][A-Za-z0-9_-]{1,30})?")
_MESSAGE_ID = re.compile(r"[a-z_]{1,40}-[A-Za-z0-9._:#+%/-]{1,500}")
_REQUEST_ID = re.compile(r"[!-~]{1,100}")
_BETWEEN_DIGITS = re.compile(r"[\s.]+")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROLS_WITHIN_LINES = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_CONTACT = re.compile(r"[^\s<>()\[\],;:\"]+@[^\s<>()\[\],;:\"]+|(?<!\w)(?:\+|00?)[1-9](?:[ ()/.\u2010-\u2015-]*\d){7,}")
_MOST_TAKEN = 1000
"""Characters of a field in an order that a shop has taken: longer ones are no name and no town."""


def text(value: str, field: str, most: int, *, required: bool = False) -> str:
    """Free text of one line and at most so many characters, without control characters."""
    return _text(value, field, most, _CONTROLS, required)


def lines(value: str, field: str, most: int, *, required: bool = False) -> str:
    """Free text of several lines and at most so many characters."""
    return _text(value, field, most, _CONTROLS_WITHIN_LINES, required)


def word(value: str, field: str, most: int, *, required: bool = False) -> str:
    """A word or a few that are kept in plain: without the e-mail addresses and telephone numbers in them."""
    # What is too long was faulted; looking through all of it would take the square of its length.
    said = text(value, field, most, required=required)[:most]
    if not said.isascii() and _CONTACT.search(plain := normalize("NFKC", said)):
        said = plain  # full-width letters hide none
    return _CONTACT.sub("…", said)


def taken(value: str, field: str) -> str:
    """A line of text in an order that a shop has accepted; its content is not refused."""
    if not value:
        return ""
    if value.isprintable() and len(value) <= _MOST_TAKEN:
        return value.strip()
    return _taken(value, field, _MOST_TAKEN, _CONTROLS)


def taken_lines(value: str, field: str, most: int) -> str:
    """The same in several lines, such as a note."""
    return _taken(value, field, most, _CONTROLS_WITHIN_LINES)


def _taken(value: str, field: str, most: int, unwanted: re.Pattern[str]) -> str:
    if len(value) > most:
        fault(field, f"{len(value)} characters, {most} at most")
    return (value if value.isprintable() else unwanted.sub(" ", value)).strip()


def _text(value: str, field: str, most: int, unwanted: re.Pattern[str], required: bool) -> str:
    if len(value) > most:
        fault(field, f"{len(value)} characters, {most} at most")
    if not value.isprintable() and (found := unwanted.search(value)):
        fault(field, f"contains the control character U+{ord(found[0]):04X}")
    if required and not value.strip():
        fault(field, "is required")
    return value


def words(values: Sequence[str], field: str, most: int = 50) -> tuple[str, ...]:
    """A short list of short words, such as packing instructions."""
    if not values:
        return ()
    require(len(values) <= 20, field, f"{len(values)} words, 20 at most")
    return tuple(word(value, f"{field}[{index}]", most, required=True) for index, value in enumerate(values))


def tags(values: Sequence[str], field: str) -> tuple[str, ...]:
    """Each once, as it is kept: what differs by case, or by spaces around it, is the same tag."""
    if not values:
        return ()
    named = [normalize("NFC", value.strip()).lower() for value in values]
    return tuple(dict.fromkeys(words(named, field)))


def some(values: Sequence[object], field: str, most: int, what: str) -> None:
    """At least one, and no more than so many."""
    require(len(values) > 0, field, f"is required: 1 to {most} {what}")
    require(len(values) <= most, field, f"{len(values)} {what}, {most} at most")


def _misfit(value: str, field: str, most: int, characters: str) -> None:
    """What is wrong with a value that is not 1 to so many of these characters."""
    if not value:
        fault(field, f"is required: 1 to {most} {characters}")
    require(len(value) <= most, field, f"{len(value)} characters, {most} at most")
    fault(field, f"{value!r} is not made of {characters}")


def _unlike(value: str, field: str, shape: str) -> None:
    fault(field, f"{value!r} is not {shape}" if value else f"is required: {shape}")


def plain_id(value: str, field: str) -> str:
    if not is_plain_id(value):
        _misfit(value, field, 100, "letters, digits and ._:#+-, starting with a letter or digit")
    return value


def request_id(value: str) -> str:
    if _REQUEST_ID.fullmatch(value) is None:
        _misfit(value, "context.request_id", 100, "printable ASCII characters without spaces")
    return value


def actor(value: str) -> str:
    return text(value, "context.actor", 100)


def sku(value: str, field: str) -> str:
    """Without spaces at its ends, and composed where it is not ASCII: what looks the same is the same SKU."""
    value = value.strip()
    if not value.isascii():
        value = normalize("NFC", value)
    if not is_sku(value):
        _misfit(value, field, 255, "printable characters")
    return value


def stored_skus(value: str, field: str) -> tuple[str, ...]:
    """A SKU as it may be stored: some of before are as they were sent, if that is not composed."""
    return tuple(dict.fromkeys((sku(value, field), value.strip())))


def channel_order_id(value: str) -> tuple[str, str]:
    """The channel's own number of an order, however it is written, and as it stands in the order's id: encoded where
    an id cannot hold it."""
    number = taken(value, "channel_order_id")
    encoded = order_number(number)
    if not is_order_number(encoded):
        whole = f"{len(encoded)} characters as they stand in an order's id, 300 at most"
        fault("channel_order_id", whole if number else "is required")
    return number, encoded


def order_id(value: str, field: str = "order_id") -> str:
    channel, slash, number = value.partition("/")
    if not (slash and is_plain_id(channel) and is_order_number(number)):
        _unlike(value, field, 'an order such as "shopify/1001": channel/channel_order_id')
    return value


def supplier_order_id(value: str, field: str = "supplier_order_id") -> str:
    order, _, number = value.rpartition("/")
    if not (number.isascii() and number.isdigit() and order.count("/") == 1):
        _unlike(value, field, 'a supplier order such as "shopify/1001/1": channel/channel_order_id/n')
    order_id(order, field)
    return value


def recovery_id(value: str, field: str = "recovery_id") -> str:
    """As a client made it, or as the ledger did: parts with slashes between them, such as ``dhl/JD1/1/found``."""
    if len(value) > 600 or not all(is_order_number(part) for part in value.split("/")):
        _unlike(value, field, "made of letters, digits and ._:#+-, with slashes between its parts")
    return value


def sha256(value: str, field: str = "sha256") -> str:
    digest = value.lower()
    if len(digest) != 64 or not all(digit in "0123456789abcdef" for digit in digest):
        fault(field, "is not 64 hexadecimal digits")
    return digest


def message_id(value: str, field: str = "message_id") -> str:
    """A kind and what makes it due, such as ``dispatched-1234``."""
    if _MESSAGE_ID.fullmatch(value) is None:
        _unlike(value, field, "an id that ListMessages names")
    return value


def carrier(value: str, field: str = "carrier") -> str:
    """Two spellings of one carrier are one carrier: ``DHL Express`` is ``dhl``."""
    return plain_id(carrier_name(value), field)


def tracking_number(value: str, field: str = "tracking_number") -> str:
    """Upper case and without the spaces and dashes that labels print."""
    return plain_id(compact(value), field)


def hs_code(value: str, field: str) -> str:
    """Without the dots and spaces that tariffs print; whether customs can use it is the domain's concern."""
    return _BETWEEN_DIGITS.sub("", taken(value, field)) if value else ""


_NO_COUNTRY = "is not an ISO 3166-1 alpha-2 code such as DE"


def country(value: str, field: str, warnings: list[str]) -> str:
    """An ISO 3166-1 alpha-2 code, empty if there is none; corrections are warned about, except upper case."""
    if value in COUNTRIES or not value:
        return value
    code = value.strip().upper()
    known = OTHER_CODES.get(code, code)
    if known not in COUNTRIES:
        fault(field, f"{value!r} {_NO_COUNTRY}")
    if known != code:
        warnings.append(f"{field}: {value} is {known} in ISO 3166-1")
    return known


def country_if_known(value: str, field: str, warnings: list[str]) -> str:
    """Like ``country``, without refusing: an unknown code is left out, with a warning."""
    if value in COUNTRIES or not value:
        return value
    code = value.strip().upper()
    if OTHER_CODES.get(code, code) not in COUNTRIES:
        warnings.append(f"{field}: {value!r} {_NO_COUNTRY}, and is left out")
        return ""
    return country(value, field, warnings)


def language(value: str, field: str) -> str:
    if value and _LANGUAGE.fullmatch(value) is None:
        fault(field, f"{value!r} is not an ISO 639-1 code such as en")
    return value


def language_of_locale(value: str, field: str, warnings: list[str]) -> str:
    """Of a locale such as ``zh-CN``; what is none is odd, and no reason to refuse what a shop has sold."""
    if not value:
        return ""
    found = _LOCALE.fullmatch(value.strip())
    if found is None:
        warnings.append(f"{field}: {value[:50]!r} is no language such as en or zh-CN")
    return found[1].lower() if found else ""


def currency(value: str, field: str, *, required: bool = True) -> str:
    if value in CURRENCIES:
        return value
    code = value.strip().upper()
    if code not in CURRENCIES and (code or required):
        fault(field, f"{value!r} is not an ISO 4217 code such as EUR")
    return code


def minor(value: int, field: str, least: int = 0) -> int:
    """An amount in minor units of a currency that is named elsewhere."""
    return count(value, field, least, MOST_MINOR)


def total(amount_minor: int, field: str, verb: str = "come to") -> None:
    """What amounts come to, such as those of an order's lines."""
    if amount_minor > MOST_MINOR:
        fault(field, f"{verb} {amount_minor} minor units, {MOST_MINOR} at most")


def money(value: common_pb2.Money, field: str, least: int = 0) -> Money:
    minor(value.amount_minor, f"{field}.amount_minor", least)
    return Money(value.amount_minor, currency(value.currency, f"{field}.currency"))


def count(value: int, field: str, least: int = 0, most: int = MOST_UNITS) -> int:
    if not least <= value <= most:
        fault(field, f"{value} is not between {least} and {most}")
    return value


def seen(message: Any, field: str) -> int | None:
    """How many versions of its object the caller had seen, None if the request does not name one."""
    return count(getattr(message, field), field) if message.HasField(field) else None


def instant(message: Any, field: str) -> datetime | None:
    """A timestamp field of a message in UTC, None if it is absent."""
    name = field.rpartition(".")[2]
    if not message.HasField(name):
        return None
    stamp: Timestamp = getattr(message, name)
    # What is due some days before or after it still is an instant of the calendar.
    if not _FIRST_SECOND <= stamp.seconds < _END_SECOND:
        fault(field, "is not an instant between the years 1970 and 2999")
        return None
    if not 0 <= stamp.nanos < 1_000_000_000:
        fault(field, "is not an instant: its nanos are not between 0 and 999,999,999")
        return None
    # In a quarter of the time that the message's own conversion takes.
    return _EPOCH + timedelta(0, stamp.seconds, stamp.nanos // 1000)


def day(text: str, field: str) -> date | None:
    """A calendar day such as ``2026-01-12``, None if it is empty."""
    if not text:
        return None
    try:
        found = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None or not 1970 <= found.year < 2999:
        fault(field, f"{text[:40]!r} is not a day between the years 1970 and 2998, such as 2026-01-12")
    return found


_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def span(message: Any, field: str, least: timedelta, most: timedelta) -> timedelta | None:
    """A duration field of a message, None if it is absent."""
    if not message.HasField(field):
        return None
    duration: Duration = getattr(message, field)
    # Looked at first, because no timedelta is as long as some durations are.
    if 0 <= duration.seconds <= most.total_seconds() and least <= (found := duration.ToTimedelta()) <= most:
        return found
    fault(field, f"is not between {least.total_seconds():.0f} and {most.total_seconds():.0f} seconds")
    return None


def happened(message: Any, now: datetime, field: str = "at") -> datetime:
    """When something happened, by default now; it cannot lie in the future."""
    at = instant(message, field)
    if at is None:
        return now
    if at > now + _AHEAD:
        fault(field, f"{to_minute(at)} lies in the future")
    return at


def by_line(lines: Iterable[common_pb2.LineUnits], field: str = "lines") -> Units:
    units: Units = {}
    for index, line in enumerate(lines):
        line_no = LineNo(count(line.line_no, f"{field}[{index}].line_no", 1))
        require(line_no not in units, f"{field}[{index}].line_no", f"line {line_no} is named twice")
        units[line_no] = count(line.units, f"{field}[{index}].units", 1)
    return units


def enum(descriptor: Any, members: type[E], *, unspecified: E | None = None) -> Callable[[int, str], E]:
    """A reader of one enum: by name, without the prefix that all values of a proto enum share."""
    prefix = descriptor.DESCRIPTOR.values_by_number[0].name.removesuffix("UNSPECIFIED")
    names = {value.number: value.name.removeprefix(prefix).lower() for value in descriptor.DESCRIPTOR.values}
    known = {member.value: member for member in members}
    table = {number: known[name] for number, name in names.items() if name in known}
    if unspecified is not None:
        table[0] = unspecified

    def read(number: int, field: str) -> E:
        member = table.get(number)
        if member is None:
            allowed = ", ".join(f"{prefix}{each.value.upper()}" for each in table.values())
            fault(field, f"{names.get(number, number)} is not allowed here; use one of {allowed}")
            return next(iter(table.values()))
        return member

    return read


def optional(read: Callable[[str, str], str], value: str, field: str) -> str:
    """A field that may be left empty."""
    return read(value, field) if value else ""


def optional_enum(read: Callable[[int, str], E], value: int, field: str) -> E | None:
    """A member of an enum; None for none."""
    return read(value, field) if value else None


_party = enum(common_pb2.Party, Party)


def party(value: int, field: str, *allowed: Party) -> Party:
    """A party, one of these if any are named."""
    found = _party(value, field)
    require(not allowed or found in allowed, field, f"is not one of {', '.join(allowed)}")
    return found


def parcel(message: Any) -> tuple[str, str]:
    """The carrier and the number that a message names."""
    return carrier(message.carrier), tracking_number(message.tracking_number)
