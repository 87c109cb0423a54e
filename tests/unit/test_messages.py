"""Messages: asked for once, tried again and given up, and not sent once they are no longer true."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from ledger.decisions import notices, relevance
from ledger.decisions.notices import Notice
from ledger.facts import Change, Fact
from ledger.nouns import messages, templates
from ledger.nouns.messages import (
    About,
    Audience,
    Message,
    MessageAsked,
    MessageBounced,
    MessageCancelled,
    MessageFailed,
    MessageGivenUp,
    MessageIsCancelled,
    MessageIsSent,
    MessageKind,
    MessageNotSent,
    MessageRetried,
    MessageSent,
    MessageStage,
    UnknownMessage,
    back_off,
)
from ledger.nouns.orders import HoldReason
from ledger.nouns.orders.supplier_orders import LineAnswer
from ledger.nouns.parcels import Checkpoint, CustomsAsk, ParcelStatus
from ledger.nouns.policies import Policy
from ledger.nouns.templates import TemplateWithdrawn, TemplateWritten
from ledger.terms.clocks import Clock
from ledger.terms.parties import Party
from ledger.terms.places import Destination
from ledger.terms.shipping import Incoterm
from tests.support.asking_messages import ASKED, ask, message_of, notice
from tests.support.scenario import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    ORDER,
    Scenario,
    accept,
    confirmed,
    delivered,
    line,
    refused,
    sent,
    shipped,
)


def facts_of(changes: list[Change]) -> list[str]:
    """What was recorded: ``asked``, or ``cancelled`` and why."""
    return [
        fact.because if isinstance(fact, MessageCancelled) else fact.fact_name().partition(".")[2]
        for _, fact in changes
    ]


DISPATCHED: dict[str, Any] = {
    "supplier_order_id": FIRST,
    "supplier_id": "acme",
    "carrier": "dhl",
    "number": "P1",
    "epoch": 1,
}

# --- asking ---------------------------------------------------------------------------------------


def test_a_message_is_asked_for_once():
    scenario = confirmed()
    wanted = notice(MessageKind.ORDER_CONFIRMED, scenario)
    (change,) = ask(scenario, wanted)
    scenario.record([change])
    assert ask(scenario, wanted) == []


def test_a_message_says_to_whom_in_which_language_and_by_which_template():
    scenario = confirmed(destination=Destination("TW"))
    ((stream, fact),) = ask(scenario, notice(MessageKind.ORDER_CONFIRMED, scenario))
    assert isinstance(fact, MessageAsked)
    assert stream == "message-order_confirmed-7"
    assert (fact.audience, fact.recipient, fact.language, fact.template_version, fact.cause) == (
        Audience.CUSTOMER,
        f"order {ORDER}",
        "zh",
        2,
        7,
    )


def test_suppliers_and_staff_are_named_by_id_and_role():
    scenario = sent()
    supplier = ask(
        scenario, notice(MessageKind.DISPATCH_INSTRUCTION, scenario, supplier_order_id=FIRST, supplier_id="acme")
    )
    scenario.later(days=3)
    scenario.miss(Clock.DISPATCH)
    staff = ask(scenario, notice(MessageKind.BREACH_ALERT, scenario, supplier_order_id=FIRST, clock="dispatch"))
    assert [fact.recipient for _, fact in (*supplier, *staff) if isinstance(fact, MessageAsked)] == [
        "acme",
        "operations",
    ]


def test_a_language_without_templates_falls_back():
    scenario = confirmed()
    only_english = {(kind, "en"): 1 for kind in MessageKind}
    german = notices.ask(scenario.book, notice(MessageKind.ORDER_CONFIRMED, scenario), only_english, scenario.now)
    assert german[0][1].language == "en"  # type: ignore[attr-defined]


def language_of(scenario: Scenario, kind: MessageKind = MessageKind.ORDER_CONFIRMED, **about: Any) -> str:
    ((_, fact),) = ask(scenario, notice(kind, scenario, **about))
    assert isinstance(fact, MessageAsked)
    return fact.language


def test_a_customer_reads_the_language_of_the_order_else_of_the_destination_else_english():
    assert language_of(confirmed(language="zh", destination=Destination("DE"))) == "zh"
    assert language_of(confirmed(language="en", destination=Destination("CN"))) == "en"
    assert language_of(confirmed(destination=Destination("CN"))) == "zh"
    assert language_of(confirmed(language="fr", destination=Destination("CN"))) == "zh"
    assert language_of(confirmed(language="fr", destination=Destination("FR"))) == "en"


def written(language: str = "en", body: str = "It has left.") -> TemplateWritten:
    return TemplateWritten(MessageKind.ORDER_CONFIRMED, language, 0, "Your order", body, "mia", NOON)


def write(scenario: Scenario, template: TemplateWritten) -> list[Fact]:
    kind = template.kind
    facts = templates.write(templates.find(scenario.book, kind), template)
    return scenario.record([(templates.stream(kind), fact) for fact in facts])


def test_a_message_is_asked_with_the_retailer_s_template_while_there_is_one():
    scenario = confirmed(language="fr")
    wanted = notice(MessageKind.ORDER_CONFIRMED, scenario)

    def template() -> tuple[str, int, bool]:
        ((_, fact),) = ask(scenario, wanted)
        assert isinstance(fact, MessageAsked)
        return fact.language, fact.template_version, fact.own_template

    assert template() == ("en", 2, False)
    write(scenario, written())
    write(scenario, written(body="It left."))
    assert template() == ("en", 2, True)
    write(scenario, written("fr", "Partie."))
    assert template() == ("fr", 1, True)
    withdrawn = TemplateWithdrawn(MessageKind.ORDER_CONFIRMED, "fr", "mia", NOON)
    known = templates.find(scenario.book, MessageKind.ORDER_CONFIRMED)
    scenario.record(
        [(templates.stream(MessageKind.ORDER_CONFIRMED), each) for each in templates.withdraw(known, withdrawn)]
    )
    assert template() == ("en", 2, True)
    known = templates.find(scenario.book, MessageKind.ORDER_CONFIRMED)
    assert templates.withdraw(known, withdrawn) == []
    assert known is not None
    assert known.version("fr", 1) is not None


def test_a_template_that_is_in_use_already_records_nothing_and_versions_count_by_language():
    scenario = confirmed()
    assert [fact.version for fact in write(scenario, written())] == [1]  # type: ignore[attr-defined]
    assert write(scenario, written()) == []
    assert [fact.version for fact in write(scenario, written(body="Gone."))] == [2]  # type: ignore[attr-defined]
    assert [fact.version for fact in write(scenario, written("zh"))] == [1]  # type: ignore[attr-defined]


def test_what_happened_long_ago_makes_no_message():
    scenario = confirmed()
    wanted = notice(MessageKind.ORDER_CONFIRMED, scenario)
    scenario.later(hours=48)
    assert facts_of(ask(scenario, wanted)) == ["asked"]
    scenario.later(minutes=1)
    assert ask(scenario, wanted) == []


def test_what_is_not_urgent_waits_some_minutes_for_further_steps_of_the_same():
    scenario = shipped()
    ((_, dispatched),) = ask(scenario, notice(MessageKind.DISPATCHED, scenario, **DISPATCHED))
    ((_, instructed),) = ask(sent(), notice(MessageKind.DISPATCH_INSTRUCTION, sent(), supplier_order_id=FIRST))
    assert isinstance(dispatched, MessageAsked)
    assert isinstance(instructed, MessageAsked)
    assert dispatched.not_before == scenario.now + timedelta(minutes=3)
    assert messages.evolve(None, dispatched).next_at == dispatched.not_before
    assert instructed.not_before is None


def test_what_happened_longer_ago_waits_for_nothing():
    scenario = shipped()
    wanted = notice(MessageKind.DISPATCHED, scenario, **DISPATCHED)
    scenario.later(minutes=4)
    ((_, dispatched),) = ask(scenario, wanted)
    assert isinstance(dispatched, MessageAsked)
    assert dispatched.not_before is None


# --- is it still true? ----------------------------------------------------------------------------


def test_a_confirmation_is_not_sent_for_an_order_that_was_cancelled():
    scenario = confirmed()
    scenario.cancel()
    assert facts_of(ask(scenario, notice(MessageKind.ORDER_CONFIRMED, scenario))) == ["asked", "order_cancelled"]


def test_a_dispatch_is_notified_until_the_parcel_is_there():
    scenario = shipped()
    assert facts_of(ask(scenario, notice(MessageKind.DISPATCHED, scenario, **DISPATCHED))) == ["asked"]
    scenario.scan(ParcelStatus.DELIVERED)
    assert facts_of(ask(scenario, notice(MessageKind.DISPATCHED, scenario, **DISPATCHED))) == ["asked", "superseded"]


def test_a_delay_is_not_notified_once_the_goods_have_left():
    scenario = sent()
    scenario.later(hours=49)
    scenario.miss(Clock.DISPATCH)
    late = notice(MessageKind.DELAYED, scenario, supplier_order_id=FIRST, because="dispatch_late")
    assert facts_of(ask(scenario, late)) == ["asked"]
    scenario.ship()
    assert facts_of(ask(scenario, late)) == ["asked", "superseded"]


def test_a_delay_by_the_carrier_is_not_notified_once_the_parcel_moves():
    scenario = shipped()
    scenario.scan(ParcelStatus.DELAYED)
    late = notice(MessageKind.DELAYED, scenario, **DISPATCHED, because="carrier")
    assert facts_of(ask(scenario, late)) == ["asked"]
    scenario.later(hours=1)
    scenario.scan(ParcelStatus.OUT_FOR_DELIVERY)
    assert facts_of(ask(scenario, late)) == ["asked", "superseded"]
    assert facts_of(ask(scenario, notice(MessageKind.OUT_FOR_DELIVERY, scenario, **DISPATCHED))) == ["asked"]
    scenario.scan(ParcelStatus.DELIVERED)
    assert facts_of(ask(scenario, notice(MessageKind.OUT_FOR_DELIVERY, scenario, **DISPATCHED))) == [
        "asked",
        "superseded",
    ]


def test_a_backorder_is_notified_while_goods_are_waited_for():
    scenario = sent()
    waits = notice(MessageKind.DELAYED, scenario, supplier_order_id=FIRST, because="backordered")
    scenario.answer({1: backorder(3)})
    assert facts_of(ask(scenario, waits)) == ["asked"]
    scenario.ship()
    assert facts_of(ask(scenario, waits)) == ["asked", "superseded"]


def backorder(count: int) -> LineAnswer:
    return LineAnswer(backordered=count)


def test_a_delivery_is_not_notified_to_who_disputed_it_or_confirmed_it():
    arrived: dict[str, Any] = {"carrier": "dhl", "number": "P1", "epoch": 1}
    scenario = delivered()
    assert facts_of(ask(scenario, notice(MessageKind.DELIVERED, scenario, **arrived))) == ["asked"]
    scenario.dispute()
    assert facts_of(ask(scenario, notice(MessageKind.DELIVERED, scenario, **arrived))) == ["asked", "delivery_disputed"]
    scenario.receive()
    assert facts_of(ask(scenario, notice(MessageKind.DELIVERED, scenario, **arrived))) == ["asked", "receipt_confirmed"]


def test_an_instruction_is_not_sent_where_nothing_is_left_to_ship():
    scenario = shipped()
    wanted = notice(MessageKind.DISPATCH_INSTRUCTION, scenario, supplier_order_id=FIRST, supplier_id="acme")
    assert facts_of(ask(scenario, wanted)) == ["asked", "nothing_to_ship"]


def test_an_instruction_waits_for_a_hold_and_for_the_answer_whether_all_that_is_left_can_be_stopped():
    scenario = sent()
    wanted = notice(MessageKind.DISPATCH_INSTRUCTION, scenario, supplier_order_id=FIRST, supplier_id="acme")

    def waits() -> bool:
        return relevance.waits(scenario.book, wanted.kind, wanted.about)

    assert not waits()
    scenario.hold(HoldReason.BAD_ADDRESS, supplier_order_id=FIRST)
    assert waits()
    assert not relevance.waits(scenario.book, MessageKind.CANCEL_REQUEST, wanted.about)
    scenario.release(HoldReason.BAD_ADDRESS, supplier_order_id=FIRST)
    assert not waits()
    scenario.cancel({1: 1})
    assert not waits()
    scenario.cancel()
    assert waits()
    scenario.answer_cancel(agreed=False)
    assert not waits()


def test_a_cancel_request_is_not_sent_once_it_is_answered():
    scenario = sent()
    scenario.cancel()
    wanted = notice(MessageKind.CANCEL_REQUEST, scenario, supplier_order_id=FIRST, supplier_id="acme")
    assert facts_of(ask(scenario, wanted)) == ["asked"]
    scenario.answer_cancel(agreed=True)
    assert facts_of(ask(scenario, wanted)) == ["asked", "answered"]


def test_a_breach_that_was_withdrawn_is_notified_to_nobody():
    scenario = sent()
    scenario.answer({1: accept(3)})
    scenario.later(hours=49)
    scenario.miss(Clock.DISPATCH)
    late: dict[str, Any] = {"supplier_order_id": FIRST, "supplier_id": "acme", "clock": "dispatch"}
    scenario.ship(at=NOON + 47 * HOUR)
    for kind in (MessageKind.BREACH_NOTICE, MessageKind.BREACH_ALERT):
        assert facts_of(ask(scenario, notice(kind, scenario, **late))) == ["asked", "breach_withdrawn"]


def test_a_missed_first_scan_is_notified_unless_it_was_scanned_in_time_after_all():
    scenario = shipped()
    scenario.later(hours=37)
    scenario.miss_first_scan()
    late = {**DISPATCHED, "clock": "first_scan"}
    assert facts_of(ask(scenario, notice(MessageKind.BREACH_NOTICE, scenario, **late))) == ["asked"]
    scenario.scan(ParcelStatus.IN_TRANSIT, NOON + HOUR)
    assert facts_of(ask(scenario, notice(MessageKind.BREACH_ALERT, scenario, **late))) == ["asked", "breach_withdrawn"]


def test_a_parcel_in_trouble_is_notified_while_it_is():
    scenario = shipped()
    scenario.scan(ParcelStatus.DAMAGED)
    wanted = notice(MessageKind.PARCEL_ALERT, scenario, **DISPATCHED, because="damaged")
    assert facts_of(ask(scenario, wanted)) == ["asked"]
    scenario.later(hours=1)
    scenario.scan(ParcelStatus.RETURNING)
    assert facts_of(ask(scenario, wanted)) == ["asked", "superseded"]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (MessageKind.ATTEMPT_FAILED, ParcelStatus.ATTEMPT_FAILED),
        (MessageKind.READY_FOR_PICKUP, ParcelStatus.AVAILABLE_FOR_PICKUP),
    ],
)
def test_a_customer_is_told_where_its_parcel_waits_while_it_does(kind: MessageKind, status: ParcelStatus):
    scenario = shipped()
    scenario.scan(status)
    wanted = notice(kind, scenario, **DISPATCHED)
    assert facts_of(ask(scenario, wanted)) == ["asked"]
    scenario.later(hours=1)
    scenario.scan(ParcelStatus.DELIVERED)
    assert facts_of(ask(scenario, wanted)) == ["asked", "superseded"]


def held(incoterm: Incoterm | None, asks: CustomsAsk = CustomsAsk.PAYMENT) -> Scenario:
    scenario = shipped(incoterm=incoterm)
    scenario.scans(Checkpoint(scenario.now, ParcelStatus.CUSTOMS_HELD, customs_asks=asks))
    return scenario


def test_customs_asks_the_customer_to_pay_unless_the_seller_does():
    for incoterm, asked, delayed in ((Incoterm.DAP, [], ["asked_to_pay"]), (Incoterm.DDP, ["paid_by_the_seller"], [])):
        scenario = held(incoterm)
        request = notice(MessageKind.CUSTOMS_REQUEST, scenario, **DISPATCHED)
        delay = notice(MessageKind.DELAYED, scenario, **DISPATCHED, because="customs")
        assert facts_of(ask(scenario, request)) == ["asked", *asked]
        assert facts_of(ask(scenario, delay)) == ["asked", *delayed]
    scenario = held(Incoterm.DAP, CustomsAsk.DOCUMENTS)
    delay = notice(MessageKind.DELAYED, scenario, **DISPATCHED, because="customs")
    assert facts_of(ask(scenario, delay)) == ["asked"]


def test_customs_asks_for_papers_whom_the_carrier_names():
    for asks_of, facts in ((Party.CUSTOMER, []), (Party.SUPPLIER, ["asked_of_another"])):
        scenario = shipped(incoterm=Incoterm.DDP)
        scan = Checkpoint(scenario.now, ParcelStatus.CUSTOMS_HELD, customs_asks=CustomsAsk.DOCUMENTS)
        scenario.scans(replace(scan, customs_asks_of=asks_of))
        request = notice(MessageKind.CUSTOMS_REQUEST, scenario, **DISPATCHED, because="documents")
        assert facts_of(ask(scenario, request)) == ["asked", *facts]


def test_a_loss_is_told_unless_the_parcel_turns_up_first():
    scenario = shipped()
    scenario.confirm_loss()
    lost = notice(MessageKind.LOST, scenario, **DISPATCHED)
    assert facts_of(ask(scenario, lost)) == ["asked"]
    scenario.later(hours=1)
    scenario.scan(ParcelStatus.DELIVERED)
    assert facts_of(ask(scenario, lost)) == ["asked", "superseded"]


def test_a_message_about_an_earlier_use_of_a_number_is_superseded():
    scenario = shipped()
    old = {**DISPATCHED, "epoch": 0}
    assert facts_of(ask(scenario, notice(MessageKind.DISPATCHED, scenario, **old))) == ["asked", "superseded"]


# --- what only time makes due ----------------------------------------------------------------------


def reminder(scenario: Scenario, clock: Clock, due: Any) -> Notice:
    about = {"supplier_order_id": FIRST, "supplier_id": "acme", "clock": clock.value, "due": due}
    return notice(MessageKind.REMINDER, scenario, cause=0, **about)


def test_a_supplier_is_reminded_of_a_clock_that_runs():
    scenario = sent()
    scenario.later(hours=43)
    assert facts_of(ask(scenario, reminder(scenario, Clock.DISPATCH, NOON + 48 * HOUR))) == ["asked"]


def test_nobody_is_reminded_of_a_clock_that_was_met_moved_or_stands():
    met, moved, stopped = sent(), sent(), sent()
    met.ship()
    for scenario in (moved, stopped):
        scenario.hold(HoldReason.FRAUD_REVIEW)
        scenario.later(hours=1)
    moved.release(HoldReason.FRAUD_REVIEW)
    for scenario in (met, moved, stopped):
        assert ask(scenario, reminder(scenario, Clock.DISPATCH, NOON + 48 * HOUR)) == []
    assert facts_of(ask(moved, reminder(moved, Clock.DISPATCH, NOON + 49 * HOUR))) == ["asked"]


def test_nobody_is_reminded_of_a_clock_that_is_shorter_than_the_notice():
    scenario = sent(line(1, "tea", 3, dispatch_by=NOON + 5 * HOUR))
    assert ask(scenario, reminder(scenario, Clock.DISPATCH, NOON + 5 * HOUR)) == []


@pytest.mark.parametrize("wait", ["not_dispatched", "on_hold", "backordered"])
def test_a_customer_is_told_why_the_promised_day_will_not_be_kept(wait: str):
    promise = NOON + 5 * DAY
    scenario = sent(promised_by=promise)
    if wait == "on_hold":
        scenario.hold(HoldReason.CUSTOMS_DATA)
    elif wait == "backordered":
        scenario.answer({1: backorder(3)})
    scenario.later(days=4)
    ((_, fact),) = ask(scenario, notice(MessageKind.DELAYED, scenario, cause=0, due=promise))
    assert isinstance(fact, MessageAsked)
    assert fact.about.because == wait


def test_a_promise_is_not_called_late_once_everything_has_left():
    scenario = shipped(promised_by=NOON + 5 * DAY)
    assert ask(scenario, notice(MessageKind.DELAYED, scenario, cause=0, due=NOON + 5 * DAY)) == []


# --- what comes of it -----------------------------------------------------------------------------


def test_a_message_that_was_sent_stays_sent():
    message = message_of(MessageSent("dispatched-7", "file", NOON, "7.eml"))
    assert (message.stage, message.sent_at, message.next_at) == (MessageStage.SENT, NOON, None)
    assert messages.send(message, "file", "7.eml", NOON + HOUR) == []
    assert messages.fail(message, "timeout", False, Policy(), NOON) == []


def test_a_sender_that_took_a_cancelled_message_has_sent_it():
    message = message_of(MessageCancelled("dispatched-7", "by_a_person", "mia", NOON))
    assert messages.send(message, "file", "", NOON) == [MessageSent("dispatched-7", "file", NOON)]


def test_a_failed_message_is_tried_again_later_and_later_and_then_given_up():
    policy = Policy(message_attempts=4, message_retry_seconds=60, message_retry_most_seconds=120)
    message, waits = message_of(), []
    for attempt in (1, 2, 3):
        (fact,) = messages.fail(message, "timeout", False, policy, NOON)
        assert isinstance(fact, MessageFailed)
        assert (fact.attempt, fact.error) == (attempt, "timeout")
        waits.append((fact.next_at - NOON).total_seconds())
        message = messages.evolve(message, fact)
        assert message.next_at == fact.next_at
    assert 52 <= waits[0] <= 75
    assert 105 <= waits[1] <= 150
    assert 105 <= waits[2] <= 150
    assert messages.fail(message, "timeout", False, policy, NOON) == [
        MessageGivenUp("dispatched-7", 4, "timeout", NOON)
    ]


def test_what_will_never_work_is_given_up_at_once():
    assert messages.fail(message_of(), "no_address", True, Policy(), NOON) == [
        MessageGivenUp("dispatched-7", 1, "no_address", NOON)
    ]


def test_the_wait_doubles_and_spreads_by_the_id_alone():
    policy = Policy()
    waits = {back_off(f"dispatched-{n}", 1, policy) for n in range(100)}
    assert len(waits) > 20
    assert all(timedelta(seconds=52) <= wait <= timedelta(seconds=75) for wait in waits)
    assert back_off("dispatched-1", 3, policy) == back_off("dispatched-1", 3, policy)
    assert back_off("dispatched-1", 400, policy) <= timedelta(seconds=policy.message_retry_most_seconds * 1.25)


def test_a_person_has_a_given_up_message_tried_again_from_the_start():
    given_up = message_of(MessageGivenUp("dispatched-7", 12, "timeout", NOON))
    (fact,) = messages.retry(given_up, "mia", NOON + HOUR)
    assert fact == MessageRetried("dispatched-7", "mia", NOON + HOUR)
    again = messages.evolve(given_up, fact)
    assert (again.stage, again.attempts, again.next_at) == (MessageStage.ASKED, 0, NOON + HOUR)
    assert messages.retry(again, "mia", NOON + HOUR) == []


def test_what_was_sent_or_cancelled_is_not_tried_again():
    with refused(MessageIsSent, "was sent at 2026-03-02"):
        messages.retry(message_of(MessageSent("dispatched-7", "file", NOON)), "mia", NOON)
    with refused(MessageIsCancelled, "was cancelled: superseded", because="superseded"):
        messages.retry(message_of(MessageCancelled("dispatched-7", "superseded", "ledger", NOON)), "mia", NOON)


def test_a_message_is_cancelled_once_and_not_after_it_was_sent():
    (fact,) = messages.cancel(message_of(), "wrong", "mia", NOON)
    assert fact == MessageCancelled("dispatched-7", "wrong", "mia", NOON)
    assert messages.cancel(message_of(fact), "wrong", "mia", NOON) == []
    with refused(MessageIsSent, "was sent at"):
        messages.cancel(message_of(MessageSent("dispatched-7", "file", NOON)), "wrong", "mia", NOON)


def test_a_message_that_nobody_asked_for_is_unknown():
    scenario = confirmed()
    for decide in (
        lambda: notices.retry(scenario.book, "dispatched-9", "mia", NOON),
        lambda: notices.cancel(scenario.book, "dispatched-9", "wrong", "mia", NOON),
    ):
        with refused(UnknownMessage, "there is no message dispatched-9"):
            decide()


def test_a_mail_that_comes_back_fails_its_message_once_until_a_person_has_it_sent_again():
    sent_ = message_of(MessageSent("dispatched-7", "smtp", NOON, "Q1", "m1"))
    (fact,) = messages.bounce(sent_, "m1", "5.1.1", "no such user", NOON + HOUR)
    assert fact == MessageBounced("dispatched-7", "bounced_5.1.1", "no such user", NOON + HOUR, "m1")
    bounced = messages.evolve(sent_, fact)
    assert (bounced.stage, bounced.error, bounced.next_at) == (MessageStage.BOUNCED, "bounced_5.1.1", None)
    assert messages.bounce(bounced, "m1", "5.1.1", "no such user", NOON + HOUR) == []
    (retried,) = messages.retry(bounced, "mia", NOON + 2 * HOUR)
    again = messages.evolve(messages.evolve(bounced, retried), MessageSent("dispatched-7", "smtp", NOON, "Q2", "m2"))
    assert again.retries == 1
    assert messages.bounce(again, "m1", "5.1.1", "no such user", NOON + 3 * HOUR) == []
    assert len(messages.bounce(again, "m2", "", "", NOON + 3 * HOUR)) == 1


def test_what_was_not_sent_cannot_come_back():
    for message in (message_of(), message_of(MessageGivenUp("dispatched-7", 12, "timeout", NOON))):
        with refused(MessageNotSent, "message dispatched-7 was not sent"):
            messages.bounce(message, "", "5.1.1", "", NOON)


# --- which go together ------------------------------------------------------------------------------


def step(number: int, *facts: Any, waits_minutes: int = 0, **asked: Any) -> Message:
    """The message of a step that happened so many seconds after noon."""
    at = NOON + timedelta(seconds=number)
    until = at + timedelta(minutes=waits_minutes) if waits_minutes else None
    fact = replace(ASKED, message_id=f"case_step-{number}", cause=number, caused_at=at, not_before=until, **asked)
    message = messages.evolve(None, fact)
    for fact in facts:
        message = messages.evolve(message, fact)
    return message


def numbers(mail: list[Message]) -> list[int]:
    return [each.asked.cause for each in mail]


def failed_at(number: int, again_minutes: int, mail_id: str = "m1") -> MessageFailed:
    again = NOON + timedelta(minutes=again_minutes)
    return MessageFailed(f"case_step-{number}", 1, "smtp_451", again, NOON, mail_id=mail_id)


def test_steps_wait_for_each_other_and_go_in_one_mail_in_the_order_in_which_they_happened():
    thread = [step(number, waits_minutes=3) for number in (2, 1, 3)]
    assert messages.next_mail(thread, NOON + timedelta(minutes=2)) == []
    assert numbers(messages.next_mail(thread, NOON + timedelta(minutes=4))) == [1, 2, 3]


def test_an_urgent_step_takes_along_what_waits():
    assert numbers(messages.next_mail([step(2), step(1, waits_minutes=3)], NOON + timedelta(seconds=5))) == [1, 2]


def test_no_step_goes_before_one_that_waits_to_be_tried_again():
    thread = [step(1, failed_at(1, 10)), step(2)]
    assert messages.next_mail(thread, NOON + timedelta(minutes=9)) == []
    assert numbers(messages.next_mail(thread, NOON + timedelta(minutes=10))) == [1]


def test_what_was_in_a_mail_that_was_not_taken_goes_again_in_the_same_mail():
    thread = [step(1, failed_at(1, 10)), step(2, failed_at(2, 9)), step(3), step(4, failed_at(4, 9, "m2"))]
    assert numbers(messages.next_mail(thread, NOON + timedelta(minutes=10))) == [1, 2]


def test_what_goes_to_somebody_else_or_in_another_language_is_another_mail():
    for other in (step(2, recipient="person-2"), step(2, language="zh")):
        assert numbers(messages.next_mail([step(1), other, step(3)], NOON + HOUR)) == [1]


def test_a_mail_says_no_more_than_anybody_reads():
    assert len(messages.next_mail([step(number) for number in range(1, 50)], NOON + HOUR)) == messages.MOST_IN_A_MAIL


def test_customers_and_staff_follow_orders_and_suppliers_their_part_of_it():
    about = About(ORDER, FIRST, "acme")
    threads = {audience: messages.thread_of(audience, about) for audience in Audience}
    assert threads == {
        "customer": f"customer  {ORDER}",
        "supplier": f"supplier acme {FIRST}",
        "staff": f"staff  {ORDER}",
    }
    assert messages.thread_of(Audience.CUSTOMER, About(ORDER, case_id="c1")) == "customer  c1"
