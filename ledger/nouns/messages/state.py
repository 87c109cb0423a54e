"""The state of a message."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum

from ledger.facts import Value
from ledger.nouns.messages.facts import MessageAsked, stream
from ledger.view import View


def find(view: View, message_id: str) -> Message | None:
    found: Message | None = view.state(stream(message_id))
    return found


class MessageStage(StrEnum):
    """How far a message is."""

    ASKED = "asked"
    FAILED = "failed"
    """It is tried again."""
    SENT = "sent"
    GIVEN_UP = "given_up"
    CANCELLED = "cancelled"
    BOUNCED = "bounced"
    """It was sent, and came back."""


class Message(Value, frozen=True):
    """A message, folded from its facts."""

    asked: MessageAsked
    stage: MessageStage
    next_at: datetime | None
    """When it is to be tried; None while it is not."""
    attempts: int = 0
    """How often it failed since a person last asked for it."""
    error: str = ""
    """What went wrong the last time."""
    answer: str = ""
    """What the other side said about it."""
    channel: str = ""
    reference: str = ""
    sent_at: datetime | None = None
    given_up_at: datetime | None = None
    because: str = ""
    """Why it was cancelled, or is not needed any more."""
    retries: int = 0
    """How often it was tried again from the beginning."""
    mail_id: str = ""
    """Of the mail that it went out in, or was to."""

    @property
    def message_id(self) -> str:
        return self.asked.message_id

    @property
    def reached_nobody(self) -> bool:
        """Whether it went to nobody, is not tried again, and is still to be told."""
        return self.stage in (MessageStage.GIVEN_UP, MessageStage.BOUNCED) and not self.because

    @property
    def lacks_address(self) -> bool:
        """Whether what it went wrong for is the address."""
        at_fault = _ADDRESS_ERRORS.match(self.error) or _NOBODY_THERE.match(self.answer)
        return self.reached_nobody and at_fault is not None


_ADDRESS_ERRORS = re.compile(r"(no|unusable|several)_email_address(es)?$|bounced_5\.1\.")
_NOBODY_THERE = re.compile(r"5\d\d[ -]5\.1\.")
"""How a mail server answers that it knows nobody there (RFC 3463, section 3.2)."""
