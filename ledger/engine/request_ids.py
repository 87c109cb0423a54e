"""How request ids (idempotency keys) are stored, so that nobody's can be taken for somebody else's.

There are three kinds: those of clients with a name, those of callers without one, which are stored as they are sent,
and the ledger's own. A request id as it is sent has printable ASCII characters alone and no space.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

OWN = "§"
"""The prefix of the ledger's own request ids. No client can send it, so none can use such an id."""


class Former(NamedTuple):
    """A command as it was stored before clients had names.

    It counts only with the same fingerprint, so that nobody learns which ids others have used.
    """

    request_id: str
    fingerprint: bytes
    streams: tuple[str, ...]
    earlier_fingerprint: Callable[[], bytes] | None = None
    """As of a command."""


def stored_id(client: str, request_id: str) -> str:
    """As what a client's request id is stored: each client has its own.

    They begin with a space so that the ids of callers without a name lie together in the index, where it takes no time
    to see that a tenant has none.
    """
    return f" {client} {request_id}" if client else request_id


def sent_id(stored: str) -> str:
    """The request id as it was sent."""
    return stored.rpartition(" ")[2] if stored.startswith(" ") else stored
