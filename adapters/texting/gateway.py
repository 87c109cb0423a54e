"""Gateways of text messages: what all have in common, and one for any that speaks our own JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b, sha256
from typing import Annotated, ClassVar, NamedTuple
from urllib.parse import urlsplit

import msgspec

from adapters.edges.agreement import Account, Field, names
from adapters.edges.delivery import Delivery, Received
from adapters.edges.effects import NotDone, Telling, TextTo, ToldNow
from adapters.edges.http import Http, Reply, SystemUnreachable
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood, WantedCommand
from adapters.edges.reading import door_decoded
from adapters.edges.signatures import require_standard_webhook
from adapters.edges.system import System
from adapters.people.spellings import e164
from adapters.texting.choices import OPTED_OUT, wants_none
from adapters.texting.wording import segments
from fulfilment.v1 import edges_pb2
from ledger.decisions.telling import WORTH_A_TEXT
from ledger.terms.effects import EffectKind, TextMessage

CHANNEL = Field("the channel whose customers are texted", required=True)
ABOUT = Field(f"about what, with commas between: {', '.join(sorted(WORTH_A_TEXT))}; all if not said")
NO_MOBILE = "the number takes no text messages"
_ANSWER = "answer-"
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_NO_ACCOUNT = (401, 402, 403)


class Answered(NamedTuple):
    """What somebody wrote back."""

    phone: str
    text: str
    text_id: str
    """The gateway's."""


class TextGateway(System):
    """Sends text messages, and tells which of them did not arrive."""

    role: ClassVar[str] = "shop"
    """None of whose commands it asks for."""
    beside: ClassVar[frozenset[str]] = frozenset({"RecordTextChoice"})
    effects: ClassVar[frozenset[EffectKind]] = frozenset({EffectKind.TEXT})

    def checked(self, settings: Mapping[str, str]) -> Mapping[str, str]:
        unknown = sorted(set(names(settings.get("texts", ""))) - WORTH_A_TEXT)
        if unknown:
            raise ValueError(f"texts: there is no {unknown[0]}; there are {', '.join(sorted(WORTH_A_TEXT))}")
        return settings

    def understand(self, received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
        """Its order is looked up, so that the body is found with the order's person."""
        if received.object_id.startswith(_ANSWER):
            return _chosen(received.object_id, *self.written(raw))
        about, code = self.missed(received, raw)
        why = f" ({_plain(code)})" if _plain(code) else ""
        if known.order(received.object_id) is None:
            what = f"a text message of no known order {_plain(received.object_id)}".rstrip()
            return Understood(look=f"{what} did not arrive{why}: look for it at the gateway, and drop this")
        what = f"the text message {_plain(about)}".rstrip()
        told = "tell the customer otherwise if that is needed, and drop this"
        return Understood(look=f"{what} to the customer of {received.object_id} did not arrive{why}: {told}")

    def missed(self, received: Received, raw: bytes) -> tuple[str, str]:
        """About what a text was that did not arrive, and the gateway's code for why."""
        raise NotImplementedError

    def written(self, raw: bytes) -> Answered:
        """What a customer answered."""
        raise NotImplementedError

    def heard(self, answered: Answered, account: Account) -> Received | None:
        """An answer that says whether its writer wants texts; nobody reads what else they write.

        What one number writes is about one object, in its order; the number itself stands in the sealed body alone.
        """
        said = wants_none(answered.text)
        if said is None or not e164(answered.phone):
            return None
        key = sha256(account.secrets[-1].get("token", "").encode()).digest()
        writer = blake2b(e164(answered.phone).encode(), key=key, digest_size=10).hexdigest()
        return Received("STOP" if said else "START", f"{_ANSWER}{writer}", answered.text_id)


def _chosen(object_id: str, phone: str, text: str, text_id: str) -> Understood:
    choice = edges_pb2.TEXT_CHOICE_NONE if wants_none(text) else edges_pb2.TEXT_CHOICE_WANTED
    return Understood(
        (WantedCommand(edges_pb2.RecordTextChoiceRequest(phone=phone, choice=choice), object_id, text_id),)
    )


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


class _Written(msgspec.Struct):
    """What a customer wrote back."""

    id: _Named
    writer: _Named = msgspec.field(name="from")
    text: str = ""


class _News(msgspec.Struct):
    writer: str | None = msgspec.field(name="from", default=None)


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
        "webhook": Field("whsec_ and the secret that its news and answers are signed with"),
    }
    calls_per_second = 10.0

    def checked(self, settings: Mapping[str, str]) -> Mapping[str, str]:
        require_address(settings, "url")
        return super().checked(settings)

    def verify(self, delivery: Delivery, account: Account, now: datetime) -> Received | None:
        source_id = require_standard_webhook(delivery, account.every("webhook"), now)
        if door_decoded(delivery.raw, _News).writer is not None:
            door_decoded(delivery.raw, _Written)
            return self.heard(self.written(delivery.raw), account)
        told = door_decoded(delivery.raw, _Status)
        if told.status != "undelivered":
            return None
        return Received(told.status, told.order, source_id, one_content=True)

    def written(self, raw: bytes) -> Answered:
        written = msgspec.json.decode(raw, type=_Written)
        return Answered(written.writer, written.text, written.id)

    def missed(self, received: Received, raw: bytes) -> tuple[str, str]:
        told = msgspec.json.decode(raw, type=_Status)
        return told.about, told.code

    async def carry_out(self, http: Http, account: Account, telling: Telling) -> ToldNow:
        effect, to = text_to(telling)
        sender, order_id = account.settings["sender"], effect.order_id
        body = _Asked(
            id=telling.key,
            to=to.phone,
            sender=sender,
            text=to.text,
            segments=segments(to.text),
            order=order_id,
            about=effect.about,
        )
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
                return ToldNow(note=OPTED_OUT, wants_none=True)
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
