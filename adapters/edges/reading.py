"""What all adapters read alike: money, times and ids, exactly, or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Annotated, TypeVar

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.edges.delivery import MalformedDelivery
from adapters.edges.meaning import NotUnderstood
from ledger.terms.money import CURRENCIES, MOST_MINOR, minor_digits

T = TypeVar("T")

_AHEAD = timedelta(minutes=5)
"""How far a source's clock may run before ours; signatures allow as much."""
MOST_UNITS = 1_000_000
Count = Annotated[int, msgspec.Meta(ge=-MOST_UNITS, le=MOST_UNITS)]
"""How many units of something a payload tells: no more than an order can have."""
_QUOTED = re.compile(r"'[^']*'")
"""What of a payload msgspec would put into its sentence."""


def decoded(raw: bytes, kind: type[T]) -> T:
    """JSON as the struct that a vendor's payload is, in which a number of the type Decimal keeps all its digits.

    Raises NotUnderstood with the path of the field, and nothing of what it holds.
    """
    try:
        return msgspec.json.decode(raw, type=kind, strict=False)
    except msgspec.ValidationError as error:
        raise NotUnderstood(_QUOTED.sub("'...'", str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotUnderstood("it is not JSON") from None


def door_decoded(raw: bytes, kind: type[T]) -> T:
    """The same at the door, where the little that is read is all that is asked; raises MalformedDelivery."""
    try:
        return decoded(raw, kind)
    except NotUnderstood as error:
        raise MalformedDelivery(str(error)) from None


def currency(code: str, field: str) -> str:
    if code not in CURRENCIES:
        raise NotUnderstood(f"{field}: no ISO 4217 code of a currency")
    return code


def minor(amount: Decimal | str, code: str, field: str) -> int:
    """An amount in minor units; one with more digits than its currency has is not rounded, but not understood."""
    try:
        scaled = Decimal(amount).scaleb(minor_digits(code))
        if not scaled.is_finite() or abs(scaled) > MOST_MINOR:
            raise NotUnderstood(f"{field}: no amount that can be")
        whole = int(scaled)
    except InvalidOperation:
        raise NotUnderstood(f"{field}: no number") from None
    if whole != scaled:
        raise NotUnderstood(f"{field}: more digits than {code} has")
    return whole


def instant(text: str, field: str, naive: tzinfo | None = None) -> datetime:
    """An ISO 8601 time; without an offset it is of the zone ``naive``, and not understood where that is not known."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise NotUnderstood(f"{field}: no time in ISO 8601") from None
    if found.tzinfo is None:
        if naive is None:
            raise NotUnderstood(f"{field}: a time without a zone")
        found = found.replace(tzinfo=naive)
    try:
        return found.astimezone(UTC)
    except (OverflowError, ValueError):
        raise NotUnderstood(f"{field}: a time that cannot be") from None


def believed(at: datetime, now: datetime) -> datetime:
    """When a source says that something happened. What lies ahead of its coming is of the second in which it came.

    Else all that is true later would be older than it.
    """
    return at if at <= now + _AHEAD else now.replace(microsecond=0)


def stamp(at: datetime) -> Timestamp:
    answer = Timestamp()
    answer.FromDatetime(at)
    return answer


def first(*texts: str | None) -> str:
    """The first that says something, without spaces at its ends."""
    return next((text.strip() for text in texts if text and text.strip()), "")


def lines(*texts: str | None) -> Iterable[str]:
    """Those that say something."""
    return (text.strip() for text in texts if text and text.strip())
