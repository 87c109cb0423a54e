"""What is due to whom: which messages the facts make due, and what became of each (DOMAIN 8).

A row is written when a fact makes a message due, and follows the message's own stream from when it is
asked for. The rows tell the sender's task what to do; sending is recorded as facts, so a rebuild sends
nothing.
"""

from projections.outbox.lists import get_message, letters_of, list_messages, messages_of
from projections.outbox.rows import OUTBOX, MessageState, OutboxMessage
from projections.outbox.sending import (
    Backlog,
    Look,
    Mailed,
    backlog,
    due_by_time,
    look,
    mailed,
    open_threads,
    reached_nobody,
    unasked,
)

__all__ = [
    "OUTBOX",
    "Backlog",
    "Look",
    "Mailed",
    "MessageState",
    "OutboxMessage",
    "backlog",
    "due_by_time",
    "get_message",
    "letters_of",
    "list_messages",
    "look",
    "mailed",
    "messages_of",
    "open_threads",
    "reached_nobody",
    "unasked",
]
