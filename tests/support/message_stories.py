"""How the work about a message that reached nobody ends, for the test of all work."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ledger.nouns import messages
from ledger.nouns.messages import (
    About,
    Audience,
    MessageAsked,
    MessageGivenUp,
    MessageKind,
    MessageNotNeeded,
    MessageRetried,
)
from projections.work import Step
from tests.support.scenario import FIRST, NOON, ORDER, Scenario, a_shop

Story = Iterator[Scenario]
MESSAGE, TRIED_AGAIN = messages.stream("m-1"), MessageRetried("m-1", "mia", NOON)
STORIES: list[tuple[Step, Callable[[], Story]]] = []


def _when(step: Step) -> Callable[[Callable[[], Story]], Callable[[], Story]]:
    def add(tell: Callable[[], Story]) -> Callable[[], Story]:
        STORIES.append((step, tell))
        return tell

    return add


def _unreached(audience: Audience, recipient: str, error: str) -> Scenario:
    """A message to somebody that was given up."""
    scenario = a_shop()
    kind, about = MessageKind.DISPATCH_INSTRUCTION, About(ORDER, FIRST, "acme")
    asked = MessageAsked("m-1", kind, audience, about, recipient, "en", 1, NOON, NOON, 1)
    scenario.record([(MESSAGE, asked), (MESSAGE, MessageGivenUp("m-1", 12, error, NOON))])
    return scenario


@_when(Step.RETRY_MESSAGE)
def a_message_is_tried_again() -> Story:
    scenario = _unreached(Audience.SUPPLIER, "acme", "timeout")
    yield scenario
    scenario.record([(MESSAGE, TRIED_AGAIN)])


@_when(Step.RETRY_MESSAGE)
def what_a_message_says_is_no_longer_true() -> Story:
    scenario = _unreached(Audience.SUPPLIER, "acme", "timeout")
    yield scenario
    scenario.record([(MESSAGE, MessageNotNeeded("m-1", "nothing_to_ship", NOON))])


@_when(Step.UPDATE_SUPPLIER)
def a_message_goes_to_the_new_address_of_a_supplier() -> Story:
    scenario = _unreached(Audience.SUPPLIER, "acme", "no_email_address")
    yield scenario
    scenario.record([(MESSAGE, TRIED_AGAIN)])


@_when(Step.CHANGE_ADDRESS)
def a_message_goes_to_the_new_address_of_a_customer() -> Story:
    scenario = _unreached(Audience.CUSTOMER, "person-1", "bounced_5.1.1")
    yield scenario
    scenario.record([(MESSAGE, TRIED_AGAIN)])


@_when(Step.AGREE_POLICY)
def a_message_goes_to_the_new_address_of_a_role() -> Story:
    scenario = _unreached(Audience.STAFF, "operations", "no_email_address")
    yield scenario
    scenario.record([(MESSAGE, TRIED_AGAIN)])
