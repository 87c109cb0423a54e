"""An own site as a system of the edges: documents signed by Standard Webhooks, each looked at when it comes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from adapters.edges.agreement import CHANNEL, Account, Check, Field
from adapters.edges.delivery import USUAL_ANSWERS, AtTheDoor, Delivery, DoorAnswer, Received
from adapters.edges.http import Http
from adapters.edges.meaning import KnownNow, Understood
from adapters.edges.signatures import require_standard_webhook, standard_problem
from adapters.edges.system import System
from adapters.shops.site.checking import of_inbox, problem, told
from adapters.shops.site.documents import OrderTold
from adapters.shops.site.meaning import meant


class OwnSite(System):
    """The retailer's own site, or any other shop that writes our documents."""

    name: ClassVar[str] = "site"
    what: ClassVar[str] = "your own site, or any other shop that sends our JSON documents"
    role: ClassVar[str] = "shop"
    settings: ClassVar[Mapping[str, Field]] = {"channel": CHANNEL}
    secrets: ClassVar[Mapping[str, Field]] = {
        "secret": Field(
            "what its deliveries are signed with: a secret (whsec_...) or a public key (whpk_...)", required=True
        )
    }

    def verify(self, delivery: Delivery, account: Account, now: datetime) -> Received | None:
        message_id = require_standard_webhook(delivery, account.every("secret"), now)
        found = told(delivery.raw, now)
        return Received(
            str(found.__struct_config__.tag),
            found.data.order_id.strip(),
            message_id,
            found.timestamp,
            whole=isinstance(found, OrderTold),
            one_content=True,
        )

    async def check(self, http: Http, account: Account) -> list[Check]:
        """Nobody is called: whether what it signs with can be used at all."""
        found = [(number, standard_problem(each)) for number, each in enumerate(account.every("secret"))]
        return [Check("its secret" if not number else "its secret of before", problem) for number, problem in found]

    def answer(self, outcome: AtTheDoor) -> DoorAnswer:
        usual = USUAL_ANSWERS[outcome]
        if usual.status < 300:
            return usual
        found = problem(usual.status, usual.body.decode().strip())
        return DoorAnswer(found.status, found.body, found.content_type, usual.headers)

    def understand(self, received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
        found = of_inbox(raw)
        return meant(found, account.channel, known)
