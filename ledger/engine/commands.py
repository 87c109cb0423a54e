"""Commands: what callers want of the ledger, and what they get for an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

import msgspec

from ledger.engine.log_rows import Ended
from ledger.engine.request_ids import OWN, Former
from ledger.engine.sealing import PersonKey
from ledger.engine.trouble import in_short
from ledger.engine.wire import SqlStatement
from ledger.refusals import Refusal
from ledger.view import Decide, Entry, View


class Command(msgspec.Struct, frozen=True, gc=False):
    """Something a caller wants.

    ``decide`` is pure: it reads no clock and makes no random value or key, because it is called again after a Miss and
    after a failed commit. gc=False, as of a ``Value``: a thousand of them wait while a batch is decided.
    """

    request_id: str
    actor: str
    fingerprint: bytes
    """A keyed hash of the canonical request: the same request_id with another one is refused."""
    decide: Decide
    streams: tuple[str, ...] = ()
    """What it is known to touch; the first is the subject whose version the receipt states."""
    keys: Sequence[PersonKey] = ()
    """The keys of what it sealed; stored only if it is applied and records facts."""
    deadline: float | None = None
    """When the caller stops waiting, by the monotonic clock."""
    warnings: Sequence[str] = ()
    """What was odd about the request when it was read; the receipt carries it."""
    owner: Callable[[View], str] | None = None
    """The subject of the keys, where it depends on the streams: as pure as ``decide``. If empty, none are stored."""
    destroys: Callable[[View], Ended] | None = None
    """What ends with it, for good: as pure as ``decide``."""
    besides: Sequence[SqlStatement] = ()
    """What else is written in its transaction; only if it is applied and records facts."""
    earlier_fingerprint: Callable[[], bytes] | None = None
    """Makes the fingerprint that versions before epochs gave it."""
    with_subject: bool = False
    """Whether the receipt brings the subject as well."""
    formerly: Callable[[], Former] | None = None
    """Tells as what the same command may have been stored before its client had a name."""


def own_command(request: str, actor: str, decide: Decide, streams: Sequence[str]) -> Command:
    """A command that the ledger sends itself; ``request`` names the occasion, which is handled once."""
    request_id = f"{OWN}{actor}:{request}"
    return Command(request_id, actor, sha256(request_id.encode()).digest(), decide, tuple(streams))


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """The command is in the ledger for good."""

    position: int
    """Of its last fact; the head of the log if it recorded none."""
    version: int
    """Of its subject, after the command."""
    replayed: bool
    """Whether this is the outcome of an earlier request with the same id."""
    warnings: tuple[str, ...] = ()
    """What is odd about what was recorded; the same when it is replayed."""
    subject: Entry | None = None
    """The subject as it is after the command, or now if this is a replay; only if the command asks for it."""
    formerly: bool = False
    """Whether the command was found as what it was stored as before."""


class DecisionFailed(Exception):
    """A decision raised an error that is no refusal: a mistake of ours. Nothing was recorded."""

    def __init__(self, request_id: str, cause: Exception) -> None:
        super().__init__(f"request {request_id} could not be decided: {in_short(cause)}")
        self.request_id = request_id
        self.cause = cause


Answer = Receipt | Refusal | DecisionFailed

Unread = Callable[[], Command]
"""Turns what a caller sent into a command, or raises what is wrong with it."""
