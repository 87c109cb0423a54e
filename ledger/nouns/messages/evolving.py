"""How each fact changes a message."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from ledger.nouns.messages.facts import (
    MessageAsked,
    MessageBounced,
    MessageCancelled,
    MessageFact,
    MessageFailed,
    MessageGivenUp,
    MessageNotNeeded,
    MessageRetried,
    MessageSent,
)
from ledger.nouns.messages.state import Message, MessageStage
from ledger.view import noun


def evolve(message: Message | None, fact: MessageFact) -> Message:
    if isinstance(fact, MessageAsked):
        return Message(fact, MessageStage.ASKED, fact.not_before or fact.at)
    assert message is not None, "the first fact of a message is that it was asked for"
    match fact:
        case MessageSent():
            return replace(
                message,
                stage=MessageStage.SENT,
                next_at=None,
                channel=fact.channel,
                reference=fact.reference,
                sent_at=fact.at,
                mail_id=fact.mail_id,
            )
        case MessageFailed():
            return replace(
                message,
                stage=MessageStage.FAILED,
                next_at=fact.next_at,
                attempts=fact.attempt,
                error=fact.error,
                answer=fact.answer,
                mail_id=fact.mail_id,
            )
        case MessageGivenUp():
            return replace(
                message,
                stage=MessageStage.GIVEN_UP,
                next_at=None,
                attempts=fact.attempt,
                error=fact.error,
                answer=fact.answer,
                given_up_at=fact.at,
            )
        case MessageRetried(at=at):
            retries = message.retries + 1
            return replace(message, stage=MessageStage.ASKED, next_at=at, attempts=0, retries=retries, because="")
        case MessageNotNeeded(because=because):
            # It stays what it is: whatever follows it goes by that.
            return replace(message, because=because)
        case MessageBounced():
            return replace(
                message, stage=MessageStage.BOUNCED, error=fact.error, answer=fact.answer, given_up_at=fact.at
            )
        case MessageCancelled(because=because):
            return replace(message, stage=MessageStage.CANCELLED, next_at=None, because=because)
        case _:
            assert_never(fact)


NOUN = noun("message", MessageFact, evolve)
