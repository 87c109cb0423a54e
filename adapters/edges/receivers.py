"""The customers behind what systems are told: the texts to them, whether they want any, the end of their phone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from adapters.edges.effects import TextTo
from adapters.edges.worker import ACTOR
from adapters.streams import read
from adapters.tenants import Tenant
from adapters.texting.choices import choice_of, number_hash
from adapters.texting.writing import Texts
from ledger.engine.commands import own_command
from ledger.engine.sealing import Sealer, placed
from ledger.facts import changes_of
from ledger.nouns import orders, parcels, text_choices
from ledger.nouns.text_choices import TextChoiceMade
from ledger.terms.effects import FollowNumber
from ledger.view import View

_SHOWN_BY_PHONE = frozenset({"sf-express"})
_PHONE_DIGITS = 4


class Nobody(Exception):
    """There is nobody to be texted: no phone is known, or the person was erased."""


class Declined(Exception):
    """Whoever has the number wants no text messages."""


class Receivers:
    """Opens what systems need to know of a customer at the moment when they are told."""

    def __init__(self, texts: Texts, sealer: Sealer) -> None:
        self._texts = texts
        self._sealer = sealer

    async def text_to(self, tenant: Tenant, message_id: str, asked_at: datetime) -> TextTo:
        """The text of a message and its number. Raises Nobody or Declined."""
        written = await self._texts.write(tenant.log, message_id)
        if written is None:
            raise Nobody
        choice = await choice_of(tenant.log, self._sealer.of(tenant.schema), written.phone)
        if choice is not None and choice.wants_none:
            raise Declined
        return TextTo(written.phone, written.text, asked_at)

    async def decline(self, tenant: Tenant, phone: str, by: str, occasion: str) -> None:
        """A gateway says that whoever has the number wants no texts: no other is asked either."""
        known_as = number_hash(self._sealer.of(tenant.schema), phone)
        made = TextChoiceMade(known_as, wants_none=True, by=by, at=datetime.now(UTC))
        stream = text_choices.stream(known_as)

        def decide(view: View) -> Any:
            return changes_of(stream, text_choices.choose(text_choices.find(view, known_as), made))

        await tenant.ledger.execute(own_command(f"declined:{occasion}", ACTOR, decide, (stream,)))

    async def phone_end(self, tenant: Tenant, followed: FollowNumber) -> str:
        """The end of the receiver's phone, opened for carriers that show nothing without; empty if nobody knows it."""
        if followed.carrier not in _SHOWN_BY_PHONE:
            return ""
        view, _ = await read(tenant.log, [parcels.stream(followed.carrier, followed.tracking_number)])
        parcel = parcels.find(view, followed.carrier, followed.tracking_number)
        if parcel is None or not parcel.order_id:
            return ""
        view, _ = await read(tenant.log, [orders.stream(parcel.order_id)])
        order = view.state(orders.stream(parcel.order_id))
        key = (await tenant.log.keys_of([order.customer.key_id])).get(order.customer.key_id) if order.customer else None
        if key is None:
            return ""
        sealer = self._sealer.of(tenant.schema)
        phone = sealer.unseal(order.customer, key, placed(order.sealed_for, "customer")).get("phone", "")
        return "".join(filter(str.isdigit, str(phone)))[-_PHONE_DIGITS:]
