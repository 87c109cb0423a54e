"""OpenID Connect: a token that an identity provider has signed (a JWT) names one of the clients.

It is checked here, against the provider's public keys (a JWKS), and the provider is asked nothing. What the client may
do stands in the table of clients as it does for a client with a token of ours, so that there is one place to look and
to revoke.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, build_opener

import jwt
import msgspec

log = logging.getLogger("fulfilment.oidc")

LONGEST_TOKEN = 8192
"""Characters; what is longer does not come through gRPC's own bound on metadata."""
LEEWAY_SECONDS = 60
"""By how much the clocks of the provider and of this machine may differ."""
_MOST_KNOWN = 10_000
"""Tokens that were checked and are not checked again until they expire."""
_MOST_NAMES = 100
"""Of a claim that is a list, such as of groups."""
_LONGEST_SUBJECT = 255
"""As OpenID Connect bounds it."""
_MOST_KEYS_BYTES = 256 * 1024
_FETCH_SECONDS = 5.0
_LOOK_SECONDS = 2.0
_FETCH_AGAIN_SECONDS = 300.0
"""How often the keys are read from their URL: a provider publishes a new key well before it signs with it."""
_SOONEST_SECONDS = 30.0
"""How soon after they were read last, if a token names a key that is not among them."""

_RSA = ("RS256", "RS384", "RS512")
_ECDSA = {"P-256": ("ES256",), "P-384": ("ES384",), "P-521": ("ES512",)}


class BadKeys(Exception):
    """The keys of the identity provider cannot be used; the message says why."""


class Key(NamedTuple):
    public: Any
    algorithms: Sequence[str]
    """What it signs with, by its own kind and never by what a token says: that is how algorithms get confused."""


class Proven(NamedTuple):
    """What a valid token says."""

    names: frozenset[str]
    """The values of the claim that names clients."""
    subject: str
    """Whom it was given to, as the provider knows it."""
    expires_at: float


class _NoRedirects(HTTPRedirectHandler):
    """Keys come from where the operator said, and from nowhere that answers for it."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Keys:
    """The public keys of a provider, by their ids, from a file or an https URL."""

    def __init__(self, source: Path | str, tls: ssl.SSLContext | None = None) -> None:
        self._source = source
        self._tls = tls
        self._keys: Mapping[str, Key] = {}
        self._seen: object = None
        self._read_at = float("-inf")
        self._missed = False
        self.changes = 0
        """How often they changed."""

    def find(self, key_id: str) -> Key | None:
        found = self._keys.get(key_id)
        if found is None:
            self._missed = True
        return found

    def read(self) -> None:
        """Reads them; raises BadKeys and keeps those of before if that fails."""
        self._read_at, self._missed = time.monotonic(), False
        content = self._content()
        if content != self._seen:
            self._keys, self._seen = public_keys(content), content
            self.changes += 1

    async def run(self) -> None:
        """Reads them when the file changes, now and then from a URL, and soon if one is missing; until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._is_due():
                try:
                    await asyncio.to_thread(self.read)
                except BadKeys as problem:
                    log.warning("%s; those of before still hold", problem)

    def _is_due(self) -> bool:
        age = time.monotonic() - self._read_at
        soon = isinstance(self._source, Path) or (self._missed and age > _SOONEST_SECONDS)
        return soon or age > _FETCH_AGAIN_SECONDS

    def _content(self) -> bytes:
        try:
            content = self._source.read_bytes() if isinstance(self._source, Path) else self._fetched(self._source)
        except HTTPError as error:
            why = "it redirects; name where it leads to" if 300 <= error.code < 400 else f"it answers {error.code}"
            raise BadKeys(f"the keys of {self._source} cannot be read ({why})") from error
        except (OSError, HTTPException) as error:
            why = getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__
            raise BadKeys(f"the keys of {self._source} cannot be read ({why})") from error
        if len(content) > _MOST_KEYS_BYTES:
            raise BadKeys(f"the keys of {self._source} are longer than {_MOST_KEYS_BYTES} bytes")
        return content

    def _fetched(self, url: str) -> bytes:
        opener = build_opener(_NoRedirects, HTTPSHandler(context=self._tls or ssl.create_default_context()))
        with opener.open(url, timeout=_FETCH_SECONDS) as answer:
            content: bytes = answer.read(_MOST_KEYS_BYTES + 1)
        return content


def public_keys(content: bytes) -> Mapping[str, Key]:
    """The keys of a JWKS that sign by RSA or ECDSA; raises BadKeys if there is none."""
    try:
        given = msgspec.json.decode(content, type=dict[str, Any]).get("keys")
    except msgspec.DecodeError as error:
        raise BadKeys("the keys of the identity provider are no JWKS: no JSON object with a list of keys") from error
    found = {}
    for each in given if isinstance(given, list) else []:
        if isinstance(each, dict) and isinstance(each.get("kid"), str) and (key := _key(each)) is not None:
            found[each["kid"]] = key
    if not found:
        raise BadKeys("the identity provider has no key with an id (kid) that signs by RSA or ECDSA")
    return found


def _key(given: dict[str, Any]) -> Key | None:
    algorithms: Sequence[str] = ()
    if given.get("kty") == "RSA":
        algorithms = _RSA
    elif given.get("kty") == "EC":
        algorithms = _ECDSA.get(str(given.get("crv")), ())
    if "alg" in given:
        algorithms = [each for each in algorithms if each == given["alg"]]
    if not algorithms or given.get("use", "sig") != "sig" or "d" in given:
        return None  # not to sign with, or a secret that should not be here
    try:
        return Key(jwt.PyJWK(given, algorithms[0]).key, algorithms)
    except (jwt.PyJWTError, ValueError):
        return None


class Issuer:
    """What makes names of clients of tokens: the provider, for whom its tokens must be, and the claim with the name."""

    def __init__(self, issuer: str, audience: str, keys: Keys, claim: str = "sub") -> None:
        self._issuer, self._audience, self._claim = issuer, audience, claim
        self.keys = keys
        self._known: dict[bytes, Proven] = {}
        self._changes = 0

    def proven(self, token: str) -> Proven | None:
        """What a token proves; None if it is not valid, for whatever reason."""
        if self._changes != self.keys.changes:
            self._known.clear()  # a key may have been withdrawn
            self._changes = self.keys.changes
        if len(token) > LONGEST_TOKEN:
            return None
        digest = sha256(token.encode(errors="replace")).digest()
        known = self._known.get(digest)
        if known is None:
            known = self._checked(token)
            if known is None:
                return None
            if len(self._known) >= _MOST_KNOWN:
                self._known.pop(next(iter(self._known)))
            self._known[digest] = known
        if time.time() >= known.expires_at:
            del self._known[digest]
            return None
        return known

    def _checked(self, token: str) -> Proven | None:
        try:
            key = self.keys.find(str(jwt.get_unverified_header(token)["kid"]))
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key.public,
                algorithms=list(key.algorithms),
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"], "enforce_minimum_key_length": True},
            )
            return Proven(_names(claims.get(self._claim)), _actor(claims["sub"]), int(claims["exp"]) + LEEWAY_SECONDS)
        except Exception as error:  # noqa: BLE001 - anything may be in it, and what is wrong helps only who attacks
            log.debug("a token was not valid: %s", type(error).__name__)
            return None


def _actor(subject: str) -> str:
    """A subject that can stand in the log, where it is recorded as who asked."""
    if not subject.isprintable() or len(subject) > _LONGEST_SUBJECT:
        raise ValueError("a subject that cannot be recorded")
    return subject


def _names(claim: object) -> frozenset[str]:
    values = claim if isinstance(claim, list) else [claim]
    return frozenset(each for each in values[:_MOST_NAMES] if isinstance(each, str))
