"""Proofs that a delivery is of somebody who knows a secret: over its raw bytes, compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from adapters.edges.system import BadSignature, Delivery, Stale

TOLERANCE = timedelta(minutes=5)
"""How old a signed time may be, or how far ahead: what Standard Webhooks and those like it agree on."""
_PREFIX = "whsec_"
_MOST_SIGNATURES = 20
"""In one header: while secrets change there are a few, and nobody needs more."""


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
    """Standard Webhooks, for the signatures of kind v1. The answer is the message's id, the same in repetitions."""
    message_id = delivery.headers.get("webhook-id", "")
    seconds = delivery.headers.get("webhook-timestamp", "")
    given = delivery.headers.get("webhook-signature", "").split()
    signed = f"{message_id}.{seconds}.".encode() + delivery.raw
    macs = (hmac.new(key, signed, hashlib.sha256).digest() for secret in secrets for key in _keys(secret))
    expected = ["v1," + base64.b64encode(each).decode() for each in macs]
    right = [_same(one, each) for one in given[:_MOST_SIGNATURES] for each in expected]
    if not message_id or not any(right):
        raise BadSignature("the signature is of none of the connection's secrets")
    require_fresh(seconds, now)
    return message_id


def _keys(secret: str) -> list[bytes]:
    """The bytes of a secret such as ``whsec_...``; one without that may be base64 or the key itself."""
    plain = [] if secret.startswith(_PREFIX) else [secret.encode()]
    try:
        return [base64.b64decode(secret.removeprefix(_PREFIX), validate=True), *plain]
    except (binascii.Error, ValueError):
        return plain


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8", "replace"))
