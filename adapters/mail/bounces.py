"""Bounces: reports of mail servers that a mail of ours could not be delivered (RFC 3464), read out of other mail.

Nothing of a mail is trusted but what names one of ours: the envelope id that was handed over with it (RFC 3461), or the
Message-ID of the mail that comes back with the report. Nobody can make either up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, message_from_string
from email.message import Message
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import NamedTuple

from adapters.mail.answers import without_people

_OUR_ID = re.compile(r"[a-z2-7]{24}")
_IN_BRACKETS = re.compile(r"<([^<>@]+)@[^<>]+>")
STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


class Bounce(NamedTuple):
    """A mail of ours that reached nobody."""

    mail_id: str
    status: str
    """Such as 5.1.1; empty if the report has none (RFC 3463)."""
    answer: str
    """What the last mail server said, without addresses."""
    at: datetime | None
    """When it was reported, if that can be read."""
    report: str
    """What the report is recognised by when it is read again."""


def read_bounce(raw: bytes) -> Bounce | None:
    """What a mail reports; None if it is no report of a failure, or of no mail that could be ours.

    A delay is no failure: the server tries on.
    """
    mail = message_from_bytes(raw)
    if mail.get_content_type() != "multipart/report" or _parameter(mail, "report-type") != "delivery-status":
        return None
    fields = [block for part in _parts(mail, "message/delivery-status") for block in _blocks(part)]
    failed = next((block for block in fields if _field(block, "Action").lower() == "failed"), None)
    mail_id = next(filter(_OUR_ID.fullmatch, _named(mail, fields)), "")
    if failed is None or not mail_id:
        return None
    found = STATUS.search(_field(failed, "Status"))
    recipient = _value(_field(failed, "Final-Recipient") or _field(failed, "Original-Recipient"))
    answer = without_people(_value(_field(failed, "Diagnostic-Code")), recipient)
    return Bounce(mail_id, found[0] if found else "", answer, _date(mail), sha256(raw).hexdigest()[:32])


def _named(mail: Message, fields: list[Message]) -> Iterator[str]:
    """The ids of the mail that came back: of its envelope, or of itself as far as it was returned."""
    for block in fields:
        yield _field(block, "Original-Envelope-Id").lower()
    for part in mail.walk():
        returned: Message | None = None
        if part.get_content_type() in ("message/rfc822", "message/global"):
            returned = next(_blocks(part), None)
        elif part.get_content_type() in ("text/rfc822-headers", "message/global-headers"):
            text = part.get_payload(decode=True)
            returned = message_from_string(text.decode(errors="replace")) if isinstance(text, bytes) else None
        if returned is not None:
            yield from (each.lower() for each in _IN_BRACKETS.findall(_field(returned, "Message-ID")))


def _parts(mail: Message, content_type: str) -> Iterator[Message]:
    return (part for part in mail.walk() if part.get_content_type() == content_type)


def _blocks(part: Message) -> Iterator[Message]:
    payload = part.get_payload()
    return (each for each in payload if isinstance(each, Message)) if isinstance(payload, list) else iter(())


def _field(block: Message, name: str) -> str:
    return " ".join(str(block.get(name, "")).split())


def _value(field: str) -> str:
    """What stands behind the type: ``user unknown`` of ``smtp; user unknown``."""
    return field.partition(";")[2].strip() or field


def _parameter(mail: Message, name: str) -> str:
    found = mail.get_param(name, "")
    return found.lower() if isinstance(found, str) else ""


def _date(mail: Message) -> datetime | None:
    try:
        found = parsedate_to_datetime(_field(mail, "Date"))
    except (ValueError, TypeError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
