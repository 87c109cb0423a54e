"""Messages that reached nobody: ended once they are no longer true, tried again once there is another address."""

from __future__ import annotations

import pytest

from ledger.decisions import notices
from ledger.decisions.notices import Notice
from ledger.facts import Change
from ledger.nouns import messages, suppliers
from ledger.nouns.messages import (
    MessageBounced,
    MessageFact,
    MessageGivenUp,
    MessageKind,
    MessageNotNeeded,
    MessageRetried,
    MessageSent,
    MessageStage,
)
from ledger.terms.clocks import Clock
from tests.support.asking_messages import ask, message_of, notice
from tests.support.scenario import ANNA, FIRST, HOUR, NOON, Scenario, confirmed, sent


def unreached(scenario: Scenario, wanted: Notice, error: str, *more: MessageFact) -> str:
    """A message that was asked for and reached nobody."""
    scenario.record(ask(scenario, wanted))
    stream, message_id = messages.stream(wanted.message_id), wanted.message_id
    facts = more or (MessageGivenUp(message_id, 1, error, scenario.now),)
    scenario.record([(stream, fact) for fact in facts])
    return message_id


def again(scenario: Scenario, message_id: str, *, reachable: bool = True) -> list[Change]:
    return notices.look_again(scenario.book, message_id, reachable, scenario.now)


def an_instruction(error: str, *more: MessageFact) -> tuple[Scenario, str]:
    scenario = sent()
    wanted = notice(MessageKind.DISPATCH_INSTRUCTION, scenario, supplier_order_id=FIRST, supplier_id="acme")
    return scenario, unreached(scenario, wanted, error, *more)


def test_what_reached_nobody_needs_nobody_once_it_is_no_longer_true():
    scenario, message_id = an_instruction("timeout")
    assert again(scenario, message_id) == []
    scenario.ship()
    ((_, fact),) = changes = again(scenario, message_id)
    assert fact == MessageNotNeeded(message_id, "nothing_to_ship", scenario.now)
    scenario.record(changes)
    message = messages.find(scenario.book, message_id)
    assert message is not None
    assert (message.stage, message.because, message.reached_nobody) == (MessageStage.GIVEN_UP, "nothing_to_ship", False)
    assert again(scenario, message_id) == []


def test_a_message_without_an_address_is_tried_again_once_there_is_a_newer_one():
    scenario = confirmed()
    message_id = unreached(scenario, notice(MessageKind.ORDER_CONFIRMED, scenario), "no_email_address")
    assert again(scenario, message_id) == [], "the address is as old as the attempt"
    scenario.later(hours=1)
    scenario.reach(ANNA)
    assert again(scenario, message_id, reachable=False) == []
    assert again(scenario, message_id) == [
        (messages.stream(message_id), MessageRetried(message_id, "ledger", scenario.now))
    ]


def test_a_message_that_failed_for_something_else_is_not_tried_again_for_an_address():
    scenario = confirmed()
    message_id = unreached(scenario, notice(MessageKind.ORDER_CONFIRMED, scenario), "smtp_554")
    scenario.later(hours=1)
    scenario.reach(ANNA)
    assert again(scenario, message_id) == []


def test_an_address_of_long_ago_has_nothing_sent_again():
    scenario = confirmed()
    message_id = unreached(scenario, notice(MessageKind.ORDER_CONFIRMED, scenario), "no_email_address")
    scenario.later(hours=1)
    scenario.reach(ANNA)
    scenario.later(days=3)
    assert again(scenario, message_id) == []


@pytest.mark.parametrize(("status", "told_again"), [("5.1.1", True), ("5.2.2", False)])
def test_what_came_back_for_its_address_is_tried_again_at_one_that_is_newer_than_the_mail(
    status: str, told_again: bool
):
    sent_at = NOON + HOUR
    facts = (MessageSent("x", "smtp", sent_at), MessageBounced("x", f"bounced_{status}", "", sent_at + 5 * HOUR))
    scenario, message_id = an_instruction("", *facts)
    scenario.later(hours=3)
    update = suppliers.SupplierUpdated("acme", scenario.now, contact=ANNA, digests={"contact": "new"})
    scenario.record([(suppliers.stream("acme"), update)])
    scenario.later(hours=4)
    assert bool(again(scenario, message_id)) is told_again


def test_a_mail_server_that_knows_nobody_there_is_told_apart_from_one_that_refuses_the_mail():
    nobody, refused_it = (
        message_of(MessageGivenUp("dispatched-7", 1, "smtp_550", NOON, f"550 {status} no"))
        for status in ("5.1.1", "5.7.1")
    )
    assert (nobody.lacks_address, refused_it.lacks_address) == (True, False)


def test_a_message_to_staff_is_tried_again_once_its_role_has_an_address():
    scenario = sent()
    scenario.later(days=3)
    scenario.miss(Clock.DISPATCH)
    wanted = notice(
        MessageKind.BREACH_ALERT, scenario, supplier_order_id=FIRST, supplier_id="acme", clock=Clock.DISPATCH
    )
    message_id = unreached(scenario, wanted, "no_email_address")
    scenario.later(hours=1)
    scenario.agree(staff_mail=(("any", "team@brook.example"),))
    assert [fact for _, fact in again(scenario, message_id)] == [MessageRetried(message_id, "ledger", scenario.now)]
    assert again(scenario, message_id, reachable=False) == []


def test_what_is_tried_again_by_hand_is_looked_at_as_if_it_were_new():
    ended = message_of(
        MessageGivenUp("dispatched-7", 12, "timeout", NOON), MessageNotNeeded("dispatched-7", "superseded", NOON)
    )
    (retried,) = messages.retry(ended, "mia", NOON)
    assert messages.evolve(ended, retried).because == ""
    assert messages.end(message_of(), "superseded", NOON) == []
