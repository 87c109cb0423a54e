"""A row for each message: written when a fact makes it due, it follows the message's own stream from then on."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from ledger.decisions.notices import Notice
from ledger.nouns import messages
from ledger.nouns.messages import About, Audience, Message, MessageKind
from projections.machine.projection import FromPages, projection
from projections.machine.rows import Int4, Text
from projections.machine.streams import Page
from projections.machine.tables import AddedRows, Rows, Written, table
from projections.outbox.causes import notices


class MessageState(StrEnum):
    """What became of a message."""

    DUE = "due"
    """A fact made it due; nobody has asked for it yet."""
    TOO_OLD = "too_old"
    """Nobody will: it happened too long ago when it was first seen."""
    ASKED = "asked"
    FAILED = "failed"
    SENT = "sent"
    GIVEN_UP = "given_up"
    CANCELLED = "cancelled"
    BOUNCED = "bounced"


class OutboxMessage(NamedTuple):
    """One message and what became of it."""

    message_id: str
    cause: int
    """The position of the fact that made it due; 0 where time did."""
    kind: MessageKind
    state: MessageState
    audience: Audience
    order_id: str
    about: About
    caused_at: datetime
    next_at: datetime | None
    """When the sender is to do something; None while it is not."""
    attempts: Int4 = 0
    recipient: str = ""
    language: str = ""
    template_version: Int4 = 0
    asked_at: datetime | None = None
    sent_at: datetime | None = None
    channel: Text = ""
    reference: Text = ""
    error: Text = ""
    because: Text = ""
    answer: Text = ""
    """What the other side said when it did not take it."""
    mail_id: Text = ""
    thread: Text = ""
    """What it keeps its order with."""
    own_template: bool = False
    position: int = 0
    """Of the last fact of its stream, else of the one that made it due."""


MESSAGES = table(
    "outbox_messages",
    OutboxMessage,
    1,
    "(state, next_at, message_id)",
    "(state, caused_at, message_id)",
    "(order_id, caused_at, message_id)",
    "(thread, state)",
    "(mail_id)",
    "(position)",
)


def _messages(page: Page) -> list[Written]:
    """Messages that facts make due, and messages as their own facts have them, which go first."""
    asked = Rows(MESSAGES)
    # Never inserted as new rows: most of them exist already because a fact made them due.
    asked.changed = [_asked(message, position) for _, message, position in page.stamped(messages.NOUN.prefix)]
    due = [_due(notice) for facts in page.facts.values() for notice in notices(facts)]
    return [AddedRows(MESSAGES, due), asked]


OUTBOX = projection("outbox", 9, FromPages((MESSAGES,), _messages))


def _due(notice: Notice) -> OutboxMessage:
    return OutboxMessage(
        position=notice.cause,
        message_id=notice.message_id,
        cause=notice.cause,
        kind=notice.kind,
        state=MessageState.DUE,
        audience=notice.kind.audience,
        order_id=notice.about.order_id,
        about=notice.about,
        caused_at=notice.caused_at,
        next_at=notice.caused_at,
        thread=messages.thread_of(notice.kind.audience, notice.about),
    )


def _asked(message: Message, position: int) -> OutboxMessage:
    asked = message.asked
    return OutboxMessage(
        position=position,
        message_id=asked.message_id,
        cause=asked.cause,
        kind=asked.kind,
        state=MessageState(message.stage),
        audience=asked.audience,
        order_id=asked.about.order_id,
        about=asked.about,
        caused_at=asked.caused_at,
        next_at=message.next_at,
        attempts=message.attempts,
        recipient=asked.recipient,
        language=asked.language,
        template_version=asked.template_version,
        asked_at=asked.at,
        sent_at=message.sent_at,
        channel=message.channel,
        reference=message.reference,
        error=message.error,
        because=message.because,
        answer=message.answer,
        mail_id=message.mail_id,
        thread=messages.thread_of(asked.audience, asked.about),
        own_template=asked.own_template,
    )
