"""Proofs that a delivery is of somebody who knows a secret: over its raw bytes, compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adapters.edges.delivery import BadSignature, Delivery, Stale

TOLERANCE = timedelta(minutes=5)
"""How old a signed time may be, or how far ahead: what Standard Webhooks and those like it agree on."""
_PREFIX, _PUBLIC, _PRIVATE = "whsec_", "whpk_", "whsk_"
_MOST_SIGNATURES = 20
"""In one header: while secrets change there are a few, and nobody needs more."""
_LONGEST_ID = 256
_SHORTEST_BYTES = 24
"""Of a secret, as Standard Webhooks ask for."""


def mac(secret: str, signed: bytes) -> bytes:
    return hmac.new(secret.encode(), signed, hashlib.sha256).digest()


def hex_mac(secret: str, signed: bytes) -> str:
    return mac(secret, signed).hex()


def base64_mac(secret: str, signed: bytes) -> str:
    return base64.b64encode(mac(secret, signed)).decode()


def require_any(given: str, expected: Iterable[str]) -> None:
    """Raises BadSignature unless what is given is one of those that the valid secrets make; empty never is."""
    found = [_same(given, each) for each in expected]
    if not given or not any(found):
        raise BadSignature("the signature is of none of the connection's secrets")


def require_token(delivery: Delivery, tokens: Iterable[str], parameter: str = "token") -> None:
    """For systems that sign nothing: the address that they were given holds a secret."""
    query = urlsplit(delivery.url).query
    given = dict(parse_qsl(query, max_num_fields=20)).get(parameter, "") if query.count("&") < 20 else ""
    require_any(given, [each for each in tokens if each])


def require_fresh(seconds: str, now: datetime) -> None:
    """Raises Stale if a signed time lies too far from now, BadSignature if it is none."""
    if not seconds.isascii() or not seconds.isdecimal() or len(seconds) > 12:
        raise BadSignature("the time that was signed is none")
    if abs(int(seconds) - now.timestamp()) > TOLERANCE.total_seconds():
        raise Stale("it was signed more than five minutes away from now")


def require_standard_webhook(delivery: Delivery, secrets: Iterable[str], now: datetime) -> str:
    """Standard Webhooks: signatures of kind v1 by a secret, v1a by the key whose public half is given (``whpk_...``).

    The answer is the message's id, the same in repetitions.
    """
    message_id = delivery.headers.get("webhook-id", "")
    seconds = delivery.headers.get("webhook-timestamp", "")
    given = delivery.headers.get("webhook-signature", "").split()[:_MOST_SIGNATURES]
    signed = f"{message_id}.{seconds}.".encode("utf-8", "replace") + delivery.raw
    known = list(secrets)
    expected = [standard_signature(key, signed) for secret in known for key in _keys(secret)]
    right = [_same(one, each) for one in given for each in expected]
    right += [_is_signed(one, each, signed) for one in given for each in known if each.startswith(_PUBLIC)]
    if not 0 < len(message_id) <= _LONGEST_ID or not any(right):
        raise BadSignature("the signature is of none of the connection's secrets")
    require_fresh(seconds, now)
    return message_id


def standard_signature(key: bytes, signed: bytes) -> str:
    """Of what Standard Webhooks sign: ``id.seconds.`` and the body."""
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def standard_key(secret: str) -> bytes:
    """The bytes of ``whsec_...``; raises ValueError where it is none."""
    if not secret.startswith(_PREFIX):
        raise ValueError(f"it does not begin with {_PREFIX}")
    return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)


def _keys(secret: str) -> list[bytes]:
    """The bytes of a secret such as ``whsec_...``; one without that may be base64 or the key itself."""
    if secret.startswith((_PUBLIC, _PRIVATE)):
        return []  # everybody may know the one, and the other is nobody's secret here
    plain = [] if secret.startswith(_PREFIX) else [secret.encode()]
    try:
        return [base64.b64decode(secret.removeprefix(_PREFIX), validate=True), *plain]
    except (binascii.Error, ValueError):
        return plain


def _is_signed(given: str, secret: str, signed: bytes) -> bool:
    kind, _, signature = given.partition(",")
    try:
        public_key(secret).verify(base64.b64decode(signature, validate=True), signed)
    except (ValueError, InvalidSignature):
        return False
    return kind == "v1a"


def public_key(secret: str) -> Ed25519PublicKey:
    """That of ``whpk_...``; raises ValueError where it is none."""
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(secret.removeprefix(_PUBLIC), validate=True))


def standard_problem(secret: str) -> str:
    """What is wrong with a secret or a public key of Standard Webhooks, without quoting it; empty if nothing is."""
    longest = max(map(len, _keys(secret)), default=0)
    if longest >= _SHORTEST_BYTES:
        return ""
    if longest:
        return f"it has fewer than {_SHORTEST_BYTES} bytes, and may be guessed; make one with openssl rand -base64 24"
    try:
        public_key(secret)
    except ValueError:
        return "it is neither whsec_ with a secret in base64 nor whpk_ with an Ed25519 key; no delivery can be proven"
    return ""


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8", "replace"))
