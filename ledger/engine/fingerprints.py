"""Fingerprints of requests: under one request id they tell a repetition from another request.

A fingerprint is a keyed hash of a request's content, in one of two forms:

- 32 bytes under a key that never changes, where the request holds nothing personal;
- the number of an epoch, and a hash under a key of that epoch, where it does.

Erasing a person must leave nothing by which somebody could find out, by trying contents, what a request said. So
fingerprints of an earlier epoch are not compared, and those of commands about an erased person are emptied; both pass
for the same request. A command that recorded no fact, because it was refused or told nothing new, is in no stream that
would say whom it was about: its fingerprint is marked, and all that are marked are emptied with the next erasure.
"""

from __future__ import annotations

from collections.abc import Callable

EPOCH_BYTES = 4
_OF_EPOCH_BYTES = EPOCH_BYTES + 32
_MARK = b"\0"
_MARKED_BYTES = _OF_EPOCH_BYTES + len(_MARK)
"""37, which an index of the database knows as well."""


def marked(fingerprint: bytes) -> bytes:
    """That of a command that recorded nothing, as it is stored."""
    return fingerprint + _MARK if len(fingerprint) == _OF_EPOCH_BYTES else fingerprint


def is_marked(stored: bytes) -> bool:
    return len(stored) == _MARKED_BYTES


def is_surely_same(stored: bytes, given: bytes, earlier: Callable[[], bytes] | None) -> bool:
    """Whether the stored one is of the same request; earlier is what versions before epochs made of it."""
    return stored in (given, marked(given)) or (earlier is not None and stored == earlier())


def is_same(stored: bytes, given: bytes, earlier: Callable[[], bytes] | None) -> bool:
    """Whether the stored one can be of the same request, as far as they can be compared."""
    if not stored or is_surely_same(stored, given, earlier):
        return True
    both_of_epochs = len(given) == _OF_EPOCH_BYTES and len(stored) in (_OF_EPOCH_BYTES, _MARKED_BYTES)
    return both_of_epochs and stored[:EPOCH_BYTES] != given[:EPOCH_BYTES]
