"""Whether a request is the one that came before under the same id, as far as that may still be known.

A fingerprint is a keyed hash of the request: of 32 bytes under a key that never changes; where the request holds what
is personal, behind the number of an epoch and under a key of that epoch. What was made in another epoch cannot be
compared any more and passes for the same, so that nobody learns by trying what somebody was who is erased. The
fingerprints of commands about an erased person are emptied, and pass for the same at once. What a command was about
that recorded nothing, for it was refused or knew it all, no stream tells: so its fingerprint is marked, and emptied
with whoever is erased next.
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
