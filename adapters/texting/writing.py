"""Text messages in words: what an asked message says in short, made of data that is unsealed at this moment."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from adapters.messages.envelope import Envelope, Erased
from adapters.messages.letters import Letters
from adapters.messages.library import TemplateSource
from adapters.people.spellings import e164
from adapters.streams import read
from adapters.texting.wording import MOST_SEGMENTS, PAGE, TEXTS, fitted, language_of, segments
from ledger.decisions import telling
from ledger.decisions.order_differences import Parts, Untold
from ledger.engine.log import Log
from ledger.nouns import messages, orders, policies
from ledger.nouns.messages import MessageAsked
from ledger.nouns.policies import policy_at
from ledger.view import View


class WrittenText(NamedTuple):
    """In plain."""

    phone: str
    text: str


class Texts:
    """Writes text messages."""

    def __init__(self, letters: Letters) -> None:
        self._letters = letters

    async def due(self, log: Log, message_id: str, told: Parts, now: datetime) -> list[Untold]:
        """Whether its customer is to be told a message by text, as the log is now."""
        asked = await _asked(log, message_id)
        if asked is None:
            return []
        view = await self._letters.present(log, [(message_id, asked.about)])
        return telling.of_message(view, message_id, told, policy_at(policies.find(view), now), now)

    async def quiet_until(self, log: Log, message_id: str, now: datetime) -> datetime | None:
        """Until when its customer is left alone, because it may be night there; None if it is not."""
        asked = await _asked(log, message_id)
        if asked is None:
            return None
        view = await self._letters.present(log, [(message_id, asked.about)])
        return telling.quiet_until(view, message_id, policy_at(policies.find(view), now), now)

    async def write(self, log: Log, message_id: str) -> WrittenText | None:
        """None where no phone is known that could be reached from anywhere, and where the customer was erased."""
        asked = await _asked(log, message_id)
        if asked is None:
            return None
        view = await self._letters.present(log, [(message_id, asked.about)])
        order = orders.find(view, asked.about.order_id)
        asked = replace(asked, language=language_of(asked.language))
        short = TEXTS[asked.language][asked.kind]
        try:
            letter = await self._letter(log, view, asked, short + PAGE)
            if segments(letter.subject) > MOST_SEGMENTS:  # the words count more than the page
                letter = await self._letter(log, view, asked, short)
        except Erased:
            return None
        phone = e164(letter.phone, order.destination.country if order is not None else "")
        return WrittenText(phone, fitted(letter.subject)) if phone else None

    async def _letter(self, log: Log, view: View, asked: MessageAsked, source: str) -> Envelope:
        """A text is a letter's subject: one line without markup."""
        return await self._letters.write(log, view, asked, TemplateSource(source, "-"))


async def _asked(log: Log, message_id: str) -> MessageAsked | None:
    view, _ = await read(log, [messages.stream(message_id)])
    message = messages.find(view, message_id)
    return message.asked if message is not None else None
