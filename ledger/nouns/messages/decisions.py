"""Sending, failing, bouncing, trying again and cancelling messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from zlib import crc32

from ledger.nouns.messages.facts import (
    MessageBounced,
    MessageCancelled,
    MessageFact,
    MessageFailed,
    MessageGivenUp,
    MessageNotNeeded,
    MessageRetried,
    MessageSent,
)
from ledger.nouns.messages.refusals import MessageIsCancelled, MessageIsSent, MessageNotSent, UnknownMessage
from ledger.nouns.messages.state import Message, MessageStage
from ledger.nouns.policies import Policy

MOST_IN_A_MAIL = 20
"""Messages; more of one thread go in further mails."""


def known(message: Message | None, message_id: str) -> Message:
    if message is None:
        raise UnknownMessage(message_id)
    return message


def send(message: Message, channel: str, reference: str, at: datetime, mail_id: str = "") -> Sequence[MessageFact]:
    """A sender took it over, which counts whatever was recorded meanwhile. Repeating it records nothing."""
    if message.stage is MessageStage.SENT:
        return []
    return [MessageSent(message.message_id, channel, at, reference, mail_id)]


def fail(
    message: Message, error: str, lasting: bool, policy: Policy, at: datetime, answer: str = "", mail_id: str = ""
) -> Sequence[MessageFact]:
    """A sender did not take it: try again later, or give up where that is of no use.

    A failure after it was sent, cancelled or given up records nothing.
    """
    if message.next_at is None:
        return []
    attempt = message.attempts + 1
    if lasting or attempt >= policy.message_attempts:
        return [MessageGivenUp(message.message_id, attempt, error, at, answer)]
    next_at = at + back_off(message.message_id, attempt, policy)
    return [
        MessageFailed(
            message_id=message.message_id,
            attempt=attempt,
            error=error,
            next_at=next_at,
            at=at,
            answer=answer,
            mail_id=mail_id,
        )
    ]


def next_mail(thread: Iterable[Message], now: datetime) -> list[Message]:
    """Which open messages of one thread go out now, in one mail and in this order; what is left comes after it.

    None goes while one of them waits to be tried again, so that a later step never overtakes an earlier one. What
    was in a mail that was not taken goes again in the same mail.
    """
    waiting = sorted(thread, key=lambda each: (each.asked.caused_at, each.asked.cause, each.message_id))
    if any(each.stage is MessageStage.FAILED and not is_due(each, now) for each in waiting):
        return []
    if not any(is_due(each, now) for each in waiting):
        return []
    first = _goes_with(waiting[0])
    return list(takewhile(lambda each: _goes_with(each) == first, waiting))[:MOST_IN_A_MAIL]


def is_due(message: Message, now: datetime) -> bool:
    return message.next_at is not None and message.next_at <= now


def _goes_with(message: Message) -> tuple[str, str, str]:
    """What messages of one mail have in common."""
    tried = message.mail_id if message.stage is MessageStage.FAILED else ""
    return message.asked.recipient, message.asked.language, tried


def back_off(message_id: str, attempt: int, policy: Policy) -> timedelta:
    """How long to wait after a failed attempt: twice as long each time, spread by an eighth either way.

    The spread derives from the id, because a decision must not use random values.
    """
    seconds = min(policy.message_retry_seconds * 2 ** min(attempt - 1, 30), policy.message_retry_most_seconds)
    spread = crc32(f"{message_id}/{attempt}".encode()) % 1000
    return timedelta(milliseconds=seconds * (3500 + spread) // 4)


def bounce(message: Message, mail_id: str, status: str, answer: str, at: datetime) -> Sequence[MessageFact]:
    """Its mail came back. Told again, or of a mail before a person had it sent once more, it is no news."""
    if message.sent_at is None:
        raise MessageNotSent(message.message_id)
    if message.stage is not MessageStage.SENT or mail_id not in ("", message.mail_id):
        return []
    error = f"bounced_{status}" if status else "bounced"
    return [MessageBounced(message.message_id, error, answer, at, message.mail_id)]


def retry(message: Message, by: str, at: datetime) -> Sequence[MessageFact]:
    """A person wants it tried again, now. A message that waits for its first attempt records nothing."""
    match message.stage:
        case MessageStage.ASKED:
            return []
        case MessageStage.SENT:
            raise MessageIsSent(message.message_id, message.sent_at or at)
        case MessageStage.CANCELLED:
            raise MessageIsCancelled(message.message_id, message.because)
        case MessageStage.FAILED | MessageStage.GIVEN_UP | MessageStage.BOUNCED:
            return [MessageRetried(message.message_id, by, at)]


def end(message: Message, because: str, at: datetime) -> Sequence[MessageFact]:
    """What it says is no longer true, so nobody needs to see to it that it is told."""
    return [MessageNotNeeded(message.message_id, because, at)] if message.reached_nobody else []


def cancel(message: Message, because: str, by: str, at: datetime) -> Sequence[MessageFact]:
    """It is not to be sent. Cancelling twice records nothing."""
    if message.stage is MessageStage.CANCELLED:
        return []
    if message.stage is MessageStage.SENT:
        raise MessageIsSent(message.message_id, message.sent_at or at)
    return [MessageCancelled(message.message_id, because, by, at)]
