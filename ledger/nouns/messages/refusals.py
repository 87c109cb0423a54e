"""Why something about a message is refused."""

from __future__ import annotations

from datetime import datetime

from ledger.refusals import Forbidden, NotFound


class UnknownMessage(NotFound, reason="UNKNOWN_MESSAGE"):
    says = "there is no message {message_id}, or nobody has asked for it yet"
    message_id: str


class MessageIsSent(Forbidden, reason="MESSAGE_IS_SENT"):
    says = "message {message_id} was sent at {sent_at}"
    message_id: str
    sent_at: datetime


class MessageIsCancelled(Forbidden, reason="MESSAGE_IS_CANCELLED"):
    says = "message {message_id} was cancelled: {because}"
    message_id: str
    because: str


class MessageNotSent(Forbidden, reason="MESSAGE_NOT_SENT"):
    says = "message {message_id} was not sent, so it cannot have bounced"
    message_id: str
