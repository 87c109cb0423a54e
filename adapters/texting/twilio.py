"""Twilio, and gateways that speak as it does: text messages, and what became of them by signed callbacks."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from adapters.edges.agreement import Account, Check, Field
from adapters.edges.delivery import Delivery, MalformedDelivery, Received
from adapters.edges.effects import NotDone, Telling, TextTo, ToldNow
from adapters.edges.http import Http, Reply
from adapters.edges.meaning import NotUnderstood
from adapters.edges.reading import decoded
from adapters.edges.signatures import require_any
from adapters.texting.choices import OPTED_OUT
from adapters.texting.gateway import (
    ABOUT,
    CHANNEL,
    NO_MOBILE,
    Answered,
    TextGateway,
    require_address,
    require_taken,
    text_to,
)

_API = "https://api.twilio.com"
_SERVICE = "MG"
"""How the id of a messaging service begins, which chooses the number that a text comes from."""
_MISSED = frozenset({"undelivered", "failed"})
_MOST_FIELDS = 100
_PORTS = {"https": 443, "http": 80}
_OPTED_OUT, _NO_MOBILE = 21610, 21614
_BAD_NUMBERS = frozenset({21211, 21217, 21219, 21408, 21612})
"""No number, or none that this account may send to."""
_CLOCKS_DIFFER = timedelta(minutes=2)
Pairs = Sequence[tuple[str, str]]


def signature(token: str, url: str, pairs: Pairs) -> str:
    """Base64 of the HMAC-SHA1 of the address with the sorted parameters behind it, each value of a name once."""
    signed = url + "".join(name + value for name, value in sorted(set(pairs)))
    mac = hmac.new(token.encode(), signed.encode("utf-8", "replace"), hashlib.sha1)
    return base64.b64encode(mac.digest()).decode()


class _Message(msgspec.Struct):
    sid: str
    body: str = ""
    status: str = ""
    date_created: str | None = None


class _Messages(msgspec.Struct):
    messages: list[_Message] = []


class _Problem(msgspec.Struct):
    code: int = 0


class Twilio(TextGateway):
    name = "twilio"
    what = "Twilio: text messages"
    settings: ClassVar[Mapping[str, Field]] = {
        "account": Field("the account's SID, AC...", required=True),
        "from": Field("whom texts come from: a number, a name, or a messaging service, MG...", required=True),
        "channel": CHANNEL,
        "texts": ABOUT,
        "callback": Field("this connection's address as Twilio reaches it, to be told what did not arrive"),
        "api": Field("another address of its API, such as of a proxy; its own if not said"),
    }
    secrets: ClassVar[Mapping[str, Field]] = {"token": Field("the account's auth token", required=True)}
    calls_per_second = 10.0

    def checked(self, settings: Mapping[str, str]) -> Mapping[str, str]:
        for name in ("callback", "api"):
            require_address(settings, name)
        if not settings.get("account", "").startswith("AC") or not settings["account"].isalnum():
            raise ValueError("account is no SID such as AC0123456789abcdef0123456789abcdef")
        return super().checked(settings)

    # --- in ---

    def verify(self, delivery: Delivery, account: Account, now: datetime) -> Received | None:
        pairs = _pairs(delivery.raw)
        urls = _as_called(delivery.url, account.settings.get("callback", ""))
        expected = [signature(token, url, pairs) for token in account.every("token") for url in urls]
        require_any(delivery.headers.get("x-twilio-signature", ""), expected)
        form = dict(pairs)
        status, sid = form.get("MessageStatus", ""), form.get("MessageSid", "")
        if not status:
            return self.heard(self.written(delivery.raw), account) if sid else None
        if status not in _MISSED:
            return None  # on its way
        if not sid:
            raise MalformedDelivery("MessageSid: is missing")
        named = dict(parse_qsl(urlsplit(delivery.url).query, max_num_fields=_MOST_FIELDS))
        return Received(named.get("about", ""), named.get("order", sid), f"{sid}/{status}")

    def written(self, raw: bytes) -> Answered:
        form = dict(_pairs(raw))
        return Answered(
            form.get("From", ""), form.get("OptOutType") or form.get("Body", ""), form.get("MessageSid", "")
        )

    def missed(self, received: Received, raw: bytes) -> tuple[str, str]:
        return received.topic, dict(_pairs(raw)).get("ErrorCode", "")

    # --- out ---

    async def check(self, http: Http, account: Account) -> list[Check]:
        reply = await http.request("GET", f"{_root(account)}.json", headers=_headers(account))
        problem = "" if reply.status < 300 else f"it answers {reply.status}: look at the account's SID and token"
        callback = "" if account.settings.get("callback") else "without the setting callback nobody hears of that"
        return [Check("the account is known", problem), Check("what does not arrive is told", callback)]

    async def carry_out(self, http: Http, account: Account, telling: Telling) -> ToldNow:
        """Twilio recognises no repetition: it is looked first whether the text went out before an answer was lost."""
        effect, to = text_to(telling)
        if sid := await _sent(http, account, to):
            return ToldNow(sid)
        sender = account.settings["from"]
        form = {
            "To": to.phone,
            "MessagingServiceSid" if sender.startswith(_SERVICE) else "From": sender,
            "Body": to.text,
        }
        if callback := account.settings.get("callback", ""):
            form["StatusCallback"] = f"{callback}?{urlencode({'order': effect.order_id, 'about': effect.about})}"
        headers = {**_headers(account), "content-type": "application/x-www-form-urlencoded"}
        content = urlencode(form).encode()
        return _told(await http.request("POST", f"{_root(account)}/Messages.json", headers=headers, content=content))


def _told(reply: Reply) -> ToldNow:
    require_taken(reply)
    if reply.status < 300:
        return ToldNow(decoded(reply.body, _Message).sid)
    code = decoded(reply.body, _Problem).code
    if code == _OPTED_OUT:
        return ToldNow(note=OPTED_OUT, wants_none=True)
    if code == _NO_MOBILE:
        return ToldNow(note=NO_MOBILE)
    if code in _BAD_NUMBERS:
        raise NotDone(f"it sends nothing to this number ({code}): correct the customer's phone, or drop this")
    raise NotUnderstood(f"it answers {reply.status} with the code {code}")


async def _sent(http: Http, account: Account, to: TextTo) -> str:
    """The id of the same text to the same number since it was asked for; empty where there is none."""
    since = to.since - _CLOCKS_DIFFER
    params = {"To": to.phone, "DateSent>": f"{since:%Y-%m-%d}", "PageSize": "50"}
    reply = await http.request("GET", f"{_root(account)}/Messages.json", headers=_headers(account), params=params)
    require_taken(reply)
    if reply.status >= 300:
        raise NotUnderstood(f"it answers {reply.status} to the question what was sent")
    found = decoded(reply.body, _Messages).messages
    # A trial account writes a sentence of its own before each text.
    same = (each for each in found if each.body.endswith(to.text) and each.status not in _MISSED)
    return next((each.sid for each in same if _made_at(each) >= since), "")


def _made_at(message: _Message) -> datetime:
    try:
        return parsedate_to_datetime(message.date_created or "").astimezone(UTC)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)  # it is in the answer to a question for those of that day


def _root(account: Account) -> str:
    api = account.settings.get("api", _API).rstrip("/")
    return f"{api}/2010-04-01/Accounts/{account.settings['account']}"


def _headers(account: Account) -> dict[str, str]:
    login = base64.b64encode(f"{account.settings['account']}:{account.secret('token')}".encode()).decode()
    return {"authorization": f"Basic {login}"}


def _pairs(raw: bytes) -> Pairs:
    try:
        return parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise MalformedDelivery("it is no form") from None


def _as_called(url: str, callback: str) -> list[str]:
    """The address as Twilio may have signed it: as it is known outside, with its port and without."""
    query = urlsplit(url).query
    known = [url, *([f"{callback}?{query}" if query else callback] if callback else [])]
    return list(dict.fromkeys(spelt for each in known for spelt in (each, *_with_and_without_port(each))))


def _with_and_without_port(url: str) -> list[str]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        return []
    bare = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc
    hosts = (bare, f"{bare}:{port or _PORTS.get(parts.scheme, 443)}")
    return [parts._replace(netloc=host).geturl() for host in hosts]
