"""The addresses of tracking pages: sealed words, which only this service can make and read.

A link seals its tenant, its order and its number under keys derived from one that all epochs share, so that it opens
after every restart and every rotation. It is the same whenever it is made, and all that was not made here reads as
nothing: the seal is proven, in constant time, before anything is looked up.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from ledger.engine.sealing import Sealer

PATH = "/t/"
_BLOCK_BYTES = 16
_LONGEST = 1000
_ORDER, _FORM = b"order", b"form"
"""What something is sealed for: a form is no link."""


class LinkedOrder(NamedTuple):
    """What a link leads to."""

    tenant: str
    order_id: str
    number: int
    """Of the links of the order."""


class TrackingLinks:
    """Makes links and reads them."""

    def __init__(self, sealer: Sealer) -> None:
        halves = [sealer.fingerprint(f"tracking link {half}\0".encode()) for half in ("mac", "cipher")]
        self._cipher = AESSIV(b"".join(halves))

    def path_of(self, tenant: str, order_id: str, number: int) -> str:
        """The address of a page, without its site."""
        return PATH + self._sealed(f"{tenant}\0{order_id}\0{number}", _ORDER)

    def opened(self, token: str) -> LinkedOrder | None:
        """What a link leads to; None for everything that was not made here."""
        parts = self._unsealed(token, _ORDER).split("\0")
        return LinkedOrder(parts[0], parts[1], int(parts[2])) if len(parts) == 3 else None

    def form_of(self, page: str, words: str) -> str:
        """What a form of a page carries, so that what is sent can be known to be of a form that was shown there."""
        return self._sealed(words, _FORM, page.encode())

    def words_of(self, page: str, form: str) -> str:
        """What a form carries; empty if it was not made for this page."""
        return self._unsealed(form, _FORM, page.encode())

    def _sealed(self, words: str, *purpose: bytes) -> str:
        plain = words.encode() + b"\0"
        plain += b"\0" * (-len(plain) % _BLOCK_BYTES)  # its length tells little of what is in it
        return urlsafe_b64encode(self._cipher.encrypt(plain, list(purpose))).decode().rstrip("=")

    def _unsealed(self, token: str, *purpose: bytes) -> str:
        if len(token) > _LONGEST or not token.isascii():
            return ""
        try:
            sealed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
            plain = self._cipher.decrypt(sealed, list(purpose)).rstrip(b"\0").decode()
        except (ValueError, InvalidTag):
            return ""
        # Base64 has several spellings of some bytes, and a link has one.
        return plain if self._sealed(plain, *purpose) == token else ""
