"""Messages as tests ask for them."""

from __future__ import annotations

from typing import Any

from ledger.decisions import notices
from ledger.decisions.notices import Notice
from ledger.facts import Change
from ledger.nouns import messages
from ledger.nouns.messages import About, Audience, Message, MessageAsked, MessageFact, MessageKind
from tests.support.scenario import NOON, ORDER, Scenario

TEMPLATES = {(kind, language): 2 for kind in MessageKind for language in ("en", "zh")}
ASKED = MessageAsked(
    "dispatched-7", MessageKind.DISPATCHED, Audience.CUSTOMER, About(ORDER), "person-1", "en", 1, NOON, NOON
)


def message_of(*facts: MessageFact) -> Message:
    message = None
    for fact in (ASKED, *facts):
        message = messages.evolve(message, fact)
    assert message is not None
    return message


def notice(kind: MessageKind, scenario: Scenario, cause: int = 7, **about: Any) -> Notice:
    named = {"order_id": ORDER, **about}
    return Notice(f"{kind}-{cause}", kind, About(**named), scenario.now, cause)


def ask(scenario: Scenario, wanted: Notice) -> list[Change]:
    return notices.ask(scenario.book, wanted, TEMPLATES, scenario.now)
