"""Gateways of text messages: what all have in common, and one for any that speaks our own JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

import msgspec

from adapters.edges.http import Http, Reply, SystemUnreachable
from adapters.edges.reading import door_decoded
from adapters.edges.signatures import require_standard_webhook
from adapters.edges.system import (
    Account,
    Delivery,
    Field,
    KnownNow,
    NotDone,
    NotUnderstood,
    Received,
    System,
    Telling,
    TextTo,
    ToldNow,
    Understood,
    names,
)
from adapters.texting.wording import segments
from ledger.decisions.telling import WORTH_A_TEXT
from ledger.terms.effects import EffectKind, TextMessage

CHANNEL = Field("the channel whose customers are texted", required=True)
ABOUT = Field(f"about what, with commas between: {', '.join(sorted(WORTH_A_TEXT))}; all if not said")
OPTED_OUT = "the customer wants no text messages"
NO_MOBILE = "the number takes no text messages"
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_NO_ACCOUNT = (401, 402, 403)


class TextGateway(System):
    """Sends text messages, and tells which of them did not arrive."""

    role: ClassVar[str] = "shop"
    """None of whose commands it asks for."""
    effects: ClassVar[frozenset[EffectKind]] = frozenset({EffectKind.TEXT})

    def checked(self, settings: Mapping[str, str]) -> Mapping[str, str]:
        unknown = sorted(set(names(settings.get("texts", ""))) - WORTH_A_TEXT)
        if unknown:
            raise ValueError(f"texts: there is no {unknown[0]}; there are {', '.join(sorted(WORTH_A_TEXT))}")
        return settings

    def understand(self, received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
        """Its order is looked up, so that the body is found with the order's person."""
        about, code = self.missed(received, raw)
        known.order(received.object_id)
        what = f"the text message {_plain(about)}".rstrip()
        why = f" ({_plain(code)})" if _plain(code) else ""
        told = "tell the customer otherwise if that is needed, and drop this"
        return Understood(look=f"{what} to the customer of {received.object_id} did not arrive{why}: {told}")

    def missed(self, received: Received, raw: bytes) -> tuple[str, str]:
        """About what a text was that did not arrive, and the gateway's code for why."""
        raise NotImplementedError


def _plain(word: str) -> str:
    """A code or a name; nothing that somebody may have written about a person."""
    return word if _PLAIN.fullmatch(word) else ""


def require_address(settings: Mapping[str, str], name: str) -> None:
    """Raises ValueError where a setting is there and is no address."""
    parts = urlsplit(settings.get(name, "https://example.org"))
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.fragment:
        raise ValueError(f"{name} is not an address such as https://sms.example.org/send")


def text_to(telling: Telling) -> tuple[TextMessage, TextTo]:
    if not isinstance(telling.effect, TextMessage) or telling.text is None:
        raise NotDone("a gateway of text messages is told nothing else")
    return telling.effect, telling.text


def require_taken(reply: Reply) -> None:
    """Raises SystemUnreachable where the gateway takes nothing at all now."""
    if reply.status in _NO_ACCOUNT:
        raise SystemUnreachable(f"it answers {reply.status}: it does not take the connection's account")
    if reply.status >= 500:
        raise SystemUnreachable(f"it answers {reply.status}")


class _Asked(msgspec.Struct):
    id: str
    to: str
    sender: str
    text: str
    segments: int
    order: str
    about: str


class _Answer(msgspec.Struct):
    id: str = ""
    reason: str = ""


_Named = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f]{1,200}$")]


class _Status(msgspec.Struct):
    order: _Named
    about: _Named
    status: _Named
    code: str = ""


class AnyGateway(TextGateway):
    """Speaks the JSON of docs/edges.md."""

    name = "sms-gateway"
    what = "any gateway of text messages, by JSON of our own"
    settings: ClassVar[Mapping[str, Field]] = {
        "url": Field("the address that text messages are sent to", required=True),
        "sender": Field("whom they come from: a number or a name", required=True),
        "channel": CHANNEL,
        "texts": ABOUT,
    }
    secrets: ClassVar[Mapping[str, Field]] = {
        "token": Field("what it knows the service by", required=True),
        "webhook": Field("whsec_ and the secret that its status news is signed with"),
    }
    calls_per_second = 10.0

    def checked(self, settings: Mapping[str, str]) -> Mapping[str, str]:
        require_address(settings, "url")
        return super().checked(settings)

    def verify(self, delivery: Delivery, account: Account, now: datetime) -> Received | None:
        source_id = require_standard_webhook(delivery, account.every("webhook"), now)
        told = door_decoded(delivery.raw, _Status)
        return Received(told.status, told.order, source_id) if told.status == "undelivered" else None

    def missed(self, received: Received, raw: bytes) -> tuple[str, str]:
        told = msgspec.json.decode(raw, type=_Status)
        return told.about, told.code

    async def carry_out(self, http: Http, account: Account, telling: Telling) -> ToldNow:
        effect, to = text_to(telling)
        sender, order_id = account.settings["sender"], effect.order_id
        body = _Asked(telling.key, to.phone, sender, to.text, segments(to.text), order_id, effect.about)
        headers = {
            "authorization": f"Bearer {account.secret('token')}",
            "content-type": "application/json",
            "idempotency-key": telling.key,
        }
        reply = await http.request("POST", account.settings["url"], headers=headers, content=msgspec.json.encode(body))
        require_taken(reply)
        answer = _answer_of(reply)
        if reply.status == 409 or (reply.status < 300 and answer.id):
            return ToldNow(_plain(answer.id) or telling.key)  # 409: it has this id from before an answer was lost
        if (
            reply.status < 300
        ):  # as of gateways that say so where a text is not taken; tried again it might go out twice
            raise NotDone(f"it answers {reply.status} without an id: look there whether the text went out")
        match answer.reason:
            case "opted_out":
                return ToldNow(note=OPTED_OUT)
            case "no_mobile":
                return ToldNow(note=NO_MOBILE)
            case "bad_number":
                raise NotDone("it knows no such number: correct the customer's phone, or drop this")
            case _:
                raise NotUnderstood(f"it answers {reply.status} {_plain(answer.reason)}".rstrip())


def _answer_of(reply: Reply) -> _Answer:
    """What it says, as far as it is JSON; its status says the rest."""
    try:
        return msgspec.json.decode(reply.body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Answer()
