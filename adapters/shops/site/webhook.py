"""Webhooks as a system of the edges: an address of the retailer's is told what happens, signed and in order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import urlsplit

from adapters.edges.agreement import Account, Check, Field
from adapters.edges.delivery import BadSignature, Delivery, Received
from adapters.edges.effects import Telling, ToldNow, WantsNoMore
from adapters.edges.http import Http, Reply, SystemUnreachable
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood
from adapters.edges.signatures import standard_key, standard_signature
from adapters.edges.system import System
from adapters.shops.site.events import PingEvent, data_of, event
from ledger.terms.effects import EffectKind


class Webhook(System):
    """An address that is told of orders, shipments, cancellations, refunds and stock by signed CloudEvents."""

    name: ClassVar[str] = "webhook"
    what: ClassVar[str] = "an address of your own that is told what happens, by signed CloudEvents"
    role: ClassVar[str] = "shop"
    settings: ClassVar[Mapping[str, Field]] = {
        "url": Field("the address that is told, such as https://shop.example.org/hooks", required=True),
        "channel": Field(
            "the channel whose orders it is told of, such as the name of the site's connection", required=True
        ),
    }
    secrets: ClassVar[Mapping[str, Field]] = {
        "secret": Field("what events are signed with: whsec_ and 24 bytes or more in base64", required=True)
    }
    calls_per_second: ClassVar[float] = 20.0
    effects: ClassVar[frozenset[EffectKind]] = frozenset(
        {EffectKind.ORDER, EffectKind.FULFILMENT, EffectKind.CANCELLATION, EffectKind.REFUND, EffectKind.STOCK}
    )

    def checked(self, settings: Mapping[str, str]) -> Mapping[str, str]:
        parts = urlsplit(settings.get("url", ""))
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.fragment:
            raise ValueError("url is not an address such as https://shop.example.org/hooks")
        return settings

    def verify(self, delivery: Delivery, account: Account, now: datetime) -> Received | None:
        raise BadSignature("nothing is taken in here; connect a site for that")

    def understand(self, received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
        raise NotUnderstood("nothing is taken in here")

    # --- out ---

    async def check(self, http: Http, account: Account) -> list[Check]:
        """Sends it a ping."""
        if not _keys(account):
            return [Check("its secret", "it is not whsec_ with base64; events cannot be signed")]
        now = datetime.now(UTC)
        body = event(f"ping-{now.timestamp():.6f}", account.name, PingEvent(), "")
        reply = await _post(http, account, f"ping-{now.timestamp():.6f}", body, now)
        problem = "" if reply.status < 300 else f"it answers {reply.status}; 2xx says that it took an event"
        return [Check("it takes a signed fulfilment.ping", problem)]

    async def carry_out(self, http: Http, account: Account, telling: Telling) -> ToldNow:
        data, subject = data_of(telling.effect)
        body = event(telling.key, account.name, data, subject)
        reply = await _post(http, account, telling.key, body, datetime.now(UTC))
        if reply.status < 300:
            return ToldNow(reference=telling.key)
        if reply.status == 410:
            raise WantsNoMore("its address answers 410: it wants to be told nothing any more")
        if reply.status >= 500:
            raise SystemUnreachable(f"it answers {reply.status}")
        # An address that is wrong, or does not take one event: the others are told, and this is tried again.
        raise NotUnderstood(f"it answers {reply.status}; 2xx says that it took the event")


async def _post(http: Http, account: Account, event_id: str, body: bytes, now: datetime) -> Reply:
    """Signed anew with the time of each attempt, by each secret that is valid, so that one can be changed."""
    seconds = str(int(now.timestamp()))
    signed = f"{event_id}.{seconds}.".encode() + body
    headers = {
        "content-type": "application/cloudevents+json; charset=utf-8",
        "webhook-id": event_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(standard_signature(key, signed) for key in _keys(account)),
    }
    return await http.request("POST", account.settings["url"], headers=headers, content=body)


def _keys(account: Account) -> list[bytes]:
    found = []
    for secret in account.every("secret"):
        try:
            found.append(standard_key(secret))
        except ValueError:
            continue
    return found
