"""The outbox: what the facts make due goes out once, whatever fails, whoever runs it, however often it is rebuilt."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from psycopg.sql import SQL, Identifier

from adapters.letters import Envelope, Letters
from adapters.outbox import HeldUp, Outbox, held_up
from adapters.postgres import open_pool
from adapters.senders import FileSender, NotTaken
from adapters.tenants import Tenant, Tenants
from ledger.decisions import notices
from ledger.engine.executor import Command, Ledger
from ledger.engine.log import Log
from ledger.engine.sealing import MasterKey, Sealer
from ledger.nouns import NOUNS, messages
from ledger.nouns.cases import Remedy
from ledger.nouns.messages import Audience, Kind
from ledger.nouns.orders import HoldReason
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.clocks import Clock
from ledger.terms.parties import Party
from ledger.terms.places import Destination
from projections import outbox
from projections.machine.reads import PageOf
from projections.outbox import State
from tests.support.casework import PHOTO, Desk
from tests.support.projecting import (
    asking,
    catch_up,
    connect,
    contents,
    forget,
    one,
    rebuild,
)
from tests.support.recovering import Recovering, refund
from tests.support.service import HOUSE
from tests.support.stalls import EmptyTenant
from tests.support.story import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    ORDER,
    SECOND,
    TERMS,
    Story,
    a_shop,
    accept,
    confirmed,
    delivered,
    line,
    sent,
)

PERSON = {"name": "Ann Example", "email": "ann@example.org", "lines": ["1 Elm Street"], "city": "Berlin"}
SUBJECT = "person-1"


class Postbox:
    """A sender that remembers what it took, and fails as often as it is told to."""

    channel = "postbox"

    def __init__(self, fails: int = 0, why: Exception | None = None) -> None:
        self.letters: list[Envelope] = []
        self.calls = 0
        self._fails = fails
        self._why = why or NotTaken("unreachable")

    async def hand_over(self, tenant: str, letter: Envelope) -> str:
        self.calls += 1
        await asyncio.sleep(0.001)
        if self._fails:
            self._fails -= 1
            raise self._why
        self.letters.append(letter)
        return f"no-{len(self.letters)}"

    def told(self, audience: str) -> list[str]:
        """What was sent to an audience, in order."""
        return [each.message_id.partition("-")[0] for each in self.letters if each.audience == audience]


class Office:
    """A process that sends the messages of one tenant, and the story that makes them due."""

    def __init__(self, tenant: EmptyTenant, tenants: Tenants, serving: Tenant, sealer: Sealer, sender: Any) -> None:
        self.empty = tenant
        self.tenant = serving
        self.sealer = sealer
        self.outbox = Outbox(tenants, Letters(sealer), sender)
        self.story = Story()
        self._written = 0

    def tell(self, story: Story) -> None:
        self.story, self._written = story, 0

    def customer(self, order_id: str = ORDER, **other: Any) -> dict[str, Any]:
        """What an order carries of its customer, sealed for real."""
        sealed, key = self.sealer.seal({**PERSON, **other}, SUBJECT, order_id)
        with connect(self.empty) as connection:
            insert = f"INSERT INTO {self.empty.schema}.ledger_keys (key_id, subject, wrapped) VALUES (%s, %s, %s)"
            connection.execute(insert, key)
        return {"customer": sealed, "subject": SUBJECT}

    async def catch_up(self) -> None:
        new = self.story.log[self._written :]
        self._written = len(self.story.log)
        await asyncio.to_thread(catch_up, self.empty, new)

    async def tick(self, now: datetime | None = None) -> int:
        """Follows the log, does what is due, and follows again."""
        await self.catch_up()
        done = await self.outbox.tick(self.tenant, now or self.story.now)
        await asyncio.to_thread(catch_up, self.empty)
        return done

    async def messages(self, *states: State, **more: Any) -> list[outbox.OutboxMessage]:
        await self.catch_up()
        async with asking(self.empty) as where:
            fresh = self.story.now - 2 * DAY
            return (await outbox.list_messages(where, PageOf(1000), fresh, states, **more)).rows

    async def states(self) -> dict[str, str]:
        """The state of the only message of each kind."""
        found = await self.messages()
        assert len({each.kind for each in found}) == len(found)
        return {each.kind.value: each.state.value for each in found}

    def facts(self) -> Counter[str]:
        """How many facts of messages the log holds, by name."""
        with connect(self.empty) as connection:
            query = f"SELECT topic FROM {self.empty.schema}.ledger_events WHERE originator_id LIKE 'message-%%'"
            return Counter(topic for (topic,) in connection.execute(query).fetchall())


@asynccontextmanager
async def an_office(tenant: EmptyTenant, sender: Any, secret: bytes = b"0" * 32) -> AsyncIterator[Office]:
    async with open_pool(tenant.conninfo) as pool:
        log = Log(tenant.schema, pool)
        ledger = Ledger(log, NOUNS)
        await ledger.start()
        serving = Tenant(tenant.schema.removeprefix("tenant_"), tenant.schema, log, ledger)
        yield Office(tenant, Tenants(pool), serving, Sealer(MasterKey(secret)), sender)
        await ledger.stop()


# --- a whole order ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("country", "language"), [("DE", "en"), ("TW", "zh")])
async def test_the_life_of_an_order_tells_everybody_what_they_need_and_nothing_twice(
    tenant: EmptyTenant, country: str, language: str
):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        promise = NOON + 9 * DAY
        where = Destination(country, "Berlin", "10")
        story = confirmed(line(1, "tea", 3), promised_by=promise, destination=where, **office.customer())
        office.tell(story)
        await office.tick()
        story.send()
        await office.tick()
        story.later(hours=1)
        story.answer({1: accept(3)})
        await office.tick()
        story.later(hours=42)
        await office.tick()  # six hours before the dispatch is due
        story.later(hours=6)
        story.miss(Clock.DISPATCH)
        await office.tick()
        story.later(hours=2)
        story.ship()
        await office.tick()
        story.later(days=2)
        story.scan(ParcelStatus.CUSTOMS_HELD)
        await office.tick()
        story.later(days=1)
        story.scan(ParcelStatus.OUT_FOR_DELIVERY)
        await office.tick()
        story.later(hours=5)
        story.scan(ParcelStatus.DELIVERED)
        for _ in range(3):
            await office.tick()
        assert postbox.told("supplier") == ["dispatch_instruction", "reminder", "breach_notice"]
        assert postbox.told("staff") == ["breach_alert", "parcel_alert"]
        assert postbox.told("customer") == [
            "order_confirmed",
            "delayed",  # the supplier was late
            "dispatched",
            "delayed",  # customs
            "out_for_delivery",
            "delivered",
        ]
        to_customer = [letter for letter in postbox.letters if letter.audience is Audience.CUSTOMER]
        assert {(letter.name, letter.email, letter.language) for letter in to_customer} == {
            ("Ann Example", "ann@example.org", language)
        }
        assert all("Ann Example" in letter.text for letter in to_customer)
        assert {letter.language for letter in postbox.letters if letter.audience is Audience.STAFF} == {"en"}
        assert office.facts() == {"message.asked": 11, "message.sent": 11}
        assert {each.state for each in await office.messages()} == {State.SENT}


async def test_facts_and_rows_of_messages_hold_no_personal_data(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        office.tell(sent(**office.customer()))
        await office.tick()
        assert postbox.letters
        with connect(tenant) as connection:
            query = f"SELECT string_agg(convert_from(state, 'UTF8'), '') FROM {tenant.schema}.ledger_events"
            stored = one(connection, query.replace(tenant.schema, "{}"), tenant)
        for word in ("Ann Example", "ann@example.org", "Elm Street"):
            assert word not in stored
            assert word not in str(contents(tenant))


async def test_an_order_that_is_cancelled_first_gets_no_confirmation(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        story = confirmed(**office.customer())
        story.cancel()
        office.tell(story)
        await office.tick()
        assert await office.states() == {"order_confirmed": "cancelled"}
        assert postbox.calls == 0


async def test_a_message_that_waits_for_its_next_attempt_is_not_sent_once_it_is_untrue(tenant: EmptyTenant):
    postbox = Postbox(fails=1)
    async with an_office(tenant, postbox) as office:
        story = confirmed(**office.customer())
        office.tell(story)
        await office.tick()
        assert await office.states() == {"order_confirmed": "failed"}
        story.cancel()
        story.later(minutes=5)
        await office.tick()
        (message,) = await office.messages()
        assert (message.state, message.because) == (State.CANCELLED, "order_cancelled")
        assert postbox.letters == []


async def test_an_instruction_waits_while_a_hold_stands_and_goes_out_after_its_release(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapters.outbox._WAIT_SECONDS", 0.0)
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        story = sent(**office.customer())
        office.tell(story)
        story.hold(HoldReason.FRAUD_REVIEW)
        for _ in range(6):
            await office.tick()
        assert (postbox.told("customer"), postbox.told("supplier")) == (["order_confirmed"], [])
        assert office.facts() == {"message.asked": 2, "message.sent": 1}  # and no attempt has failed
        story.release(HoldReason.FRAUD_REVIEW)
        await office.tick()
        assert postbox.told("supplier") == ["dispatch_instruction"]


async def test_what_waits_for_a_hold_is_not_looked_at_all_the_time_and_keeps_nothing_waiting(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapters.outbox.MOST_AT_ONCE", 1)
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        story = sent(**office.customer())
        story.hold(HoldReason.FRAUD_REVIEW)
        office.tell(story)
        for _ in range(4):
            await office.tick()
        assert await office.tick() == 0
        story.place(line(1, "mug", 1), order_id="shop/2", **office.customer("shop/2"))
        for _ in range(2):
            await office.tick()
        assert postbox.told("customer") == ["order_confirmed"] * 2


async def test_an_instruction_that_waits_for_a_hold_is_not_sent_once_nothing_is_left_to_ship(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapters.outbox._WAIT_SECONDS", 0.0)
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        story = sent(**office.customer())
        office.tell(story)
        story.hold(HoldReason.FRAUD_REVIEW)
        await office.tick()
        story.cancel()
        story.answer_cancel(agreed=True)
        for _ in range(2):
            await office.tick()
        assert postbox.told("supplier") == []
        told = {each.kind: each for each in await office.messages(audience=Audience.SUPPLIER)}
        instruction = told[Kind.DISPATCH_INSTRUCTION]
        assert (instruction.state, instruction.because) == (State.CANCELLED, "nothing_to_ship")


async def test_the_read_model_of_messages_goes_on_while_they_are_handed_over(tenant: EmptyTenant):
    class Slow(Postbox):
        async def hand_over(self, tenant_name: str, letter: Envelope) -> str:
            await asyncio.wait_for(asyncio.to_thread(catch_up, tenant), 10)
            return await super().hand_over(tenant_name, letter)

    slow = Slow()
    async with an_office(tenant, slow) as office:
        office.tell(confirmed(**office.customer()))
        assert await office.tick() == 1
        assert slow.told("customer") == ["order_confirmed"]


async def test_nobody_writes_to_a_person_who_was_erased(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        office.tell(confirmed(**office.customer()))
        await office.tenant.log.destroy(SUBJECT)
        await office.tick()
        (message,) = await office.messages()
        assert (message.state, message.because) == (State.CANCELLED, "person_erased")


async def test_each_step_of_a_case_is_told_to_the_customer(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        desk = Desk(delivered(**office.customer()))
        office.tell(desk.story)
        await office.tick()
        before = len(postbox.letters)
        for step in (
            desk.opens,
            desk.asks,
            desk.files,
            desk.reviews,
            lambda: desk.rules(Party.SUPPLIER, PHOTO),
            lambda: desk.approves(Remedy.RETURN),
            desk.labels,
            desk.sends_back,
            lambda: desk.receives({1: 1}),
            lambda: desk.inspects(not_restocked=1),
            desk.grants,
            desk.pays,
        ):
            step()
            await office.tick()
            desk.story.later(minutes=5)
        told = [each for each in await office.messages() if each.kind is Kind.CASE_STEP]
        assert [each.about.because for each in reversed(told)] == [
            "opened",
            "evidence_requested",
            "under_review",
            "approved_return",
            "return_labelled",
            "return_received",
            "refund_granted",
            "refund_paid",
            "resolved",
        ]
        assert {each.state for each in told} == {State.SENT}
        paid = [each.text for each in postbox.letters[before:] if "5.00 EUR is on its way to you" in each.text]
        assert len(paid) == 1


async def test_a_request_for_evidence_that_came_meanwhile_is_not_sent(tenant: EmptyTenant):
    async with an_office(tenant, Postbox()) as office:
        desk = Desk(delivered(**office.customer()))
        desk.opens()
        desk.asks()
        desk.files()
        desk.reviews()
        office.tell(desk.story)
        await office.tick()
        states = {each.about.because: each.state for each in await office.messages() if each.kind is Kind.CASE_STEP}
        assert states == {
            "opened": State.SENT,
            "evidence_requested": State.CANCELLED,
            "under_review": State.SENT,
        }


async def test_staff_is_told_of_a_customer_who_waits_and_of_one_who_waited_too_long(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        desk = Desk(delivered(**office.customer()))
        desk.opens()
        office.tell(desk.story)
        desk.story.later(hours=20)
        await office.tick()
        await office.tick()
        assert postbox.told("staff") == ["case_due"]
        desk.story.later(hours=4)
        desk.clock_runs()
        await office.tick()
        assert postbox.told("staff") == ["case_due", "breach_alert"]
        assert {each.recipient for each in postbox.letters if each.audience is Audience.STAFF} == {"after_sales"}


async def test_a_customer_who_was_answered_needs_no_reminder_to_staff(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        desk = Desk(delivered(**office.customer()))
        desk.opens()
        desk.answers()
        office.tell(desk.story)
        desk.story.later(hours=20)
        await office.tick()
        assert postbox.told("staff") == []


async def test_a_supplier_is_reminded_of_a_question_and_told_that_it_was_late(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        story = sent(**office.customer())
        story.agree_terms(replace(TERMS, effective_from=NOON, answer_within_hours=24))
        story.ship()
        story.ask("q1")
        office.tell(story)
        story.later(hours=20)
        await office.tick()
        assert postbox.told("supplier") == ["reminder"]
        story.later(hours=4)
        story.miss_answer()
        await office.tick()
        assert postbox.told("supplier") == ["reminder", "breach_notice"]
        assert "breach_alert" in postbox.told("staff")
        assert "to answer our question" in postbox.letters[-1].text + postbox.letters[-2].text


async def test_a_supplier_that_does_not_answer_for_a_cost_is_told_so(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        story = sent(**office.customer())
        story.agree_terms(replace(TERMS, effective_from=NOON, answer_within_hours=24))
        recovering = Recovering(story)
        recovering.of_supplier(refund(1000))
        story.ship()
        story.later(hours=24)
        assert recovering.miss_answer()
        office.tell(story)
        await office.tick()
        found = [each.about for each in await office.messages() if each.kind is Kind.BREACH_NOTICE]
        assert [(each.clock, each.recovery_id, each.supplier_id) for each in found] == [
            ("recovery_answer", recovering.recovery_id, "acme")
        ]


async def test_staff_is_told_of_each_crossing_of_a_stock_level_once(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        story = a_shop(tea=3)
        story.place(line(1, "tea", 3), **office.customer())
        story.feed(1, "tea")
        office.tell(story)
        await office.tick()
        await office.tick()
        alerts = [each for each in await office.messages() if each.kind is Kind.STOCK_ALERT]
        assert {each.about.because for each in alerts} >= {"oversold", "sold_out"}
        assert {(each.recipient, each.about.sku, each.state) for each in alerts} == {
            ("supplier_manager", "tea", State.SENT)
        }
        assert len({each.about.because for each in alerts}) == len(alerts)


# --- what is not told -------------------------------------------------------------------------------


async def test_an_import_of_old_orders_sends_nothing(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        story = a_shop(tea=50)
        for number in range(5):
            story.place(line(1, "tea", 1), order_id=f"shopify/{number}", promised_by=NOON + 3 * DAY)
            story.send(f"shopify/{number}/1")
        story.later(days=400)
        for number in range(5):
            # What the clock notices now had been due long ago.
            story.miss(Clock.DISPATCH, f"shopify/{number}/1", f"shopify/{number}")
            story.miss(Clock.DELIVERY, f"shopify/{number}", f"shopify/{number}")
            story.ship(supplier_order_id=f"shopify/{number}/1", number=f"P{number}", at=NOON + DAY)
        story.later(days=20)
        for number in range(5):
            story.suspect_loss(f"P{number}")
        office.tell(story)
        assert await office.tick() == 0
        assert await office.tick() == 0
        assert {each.state for each in await office.messages()} == {State.TOO_OLD}
        assert (postbox.calls, office.facts()) == (0, {})
        assert await office.messages(State.DUE) == []
        assert len(await office.messages(State.TOO_OLD)) == 5 * 8


async def test_an_old_scan_that_comes_late_tells_nothing(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        story = sent(**office.customer())
        story.ship()
        story.later(hours=5)
        story.scan(ParcelStatus.DELIVERED)
        story.scan(ParcelStatus.OUT_FOR_DELIVERY, story.now - HOUR)
        office.tell(story)
        await office.tick()
        assert "out_for_delivery" not in await office.states()


async def test_a_scan_of_an_earlier_use_of_the_number_tells_nothing(tenant: EmptyTenant):
    async with an_office(tenant, Postbox()) as office:
        story = sent(**office.customer())
        story.ship()
        story.scan(ParcelStatus.OUT_FOR_DELIVERY)
        for days in (9, 8):
            story.scan(ParcelStatus.OUT_FOR_DELIVERY, story.now - days * DAY)
        office.tell(story)
        await office.tick()
        assert [each.kind for each in await office.messages()].count(Kind.OUT_FOR_DELIVERY) == 1


async def test_a_scan_told_twice_or_again_is_told_once(tenant: EmptyTenant):
    async with an_office(tenant, Postbox()) as office:
        story = sent(**office.customer())
        story.ship()
        for _ in range(2):
            story.later(hours=5)
            story.scan(ParcelStatus.OUT_FOR_DELIVERY)
        office.tell(story)
        await office.tick()
        assert [each.kind for each in await office.messages()].count(Kind.OUT_FOR_DELIVERY) == 1


async def test_a_supplier_is_reminded_once_and_again_only_if_the_time_moved(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        story = sent(**office.customer())
        story.answer({1: accept(3)})
        office.tell(story)
        for _ in range(3):
            story.later(hours=14)
            await office.tick()
            await office.tick()
        assert postbox.told("supplier").count("reminder") == 1
        story.hold(HoldReason.FRAUD_REVIEW)
        story.later(hours=10)
        story.release(HoldReason.FRAUD_REVIEW)
        await office.tick()
        assert postbox.told("supplier").count("reminder") == 2
        reminders = [each for each in await office.messages() if each.kind is Kind.REMINDER]
        assert [each.message_id for each in reminders] == [
            f"reminder-dispatch-{FIRST}-20260304T220000Z",
            f"reminder-dispatch-{FIRST}-20260304T120000Z",
        ]


async def test_a_supplier_that_is_late_is_told_so_and_asked_for_its_units_once(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        story = sent(**office.customer())
        story.answer({1: accept(3)})
        story.offer(supplier_id="bolt")
        office.tell(story)
        story.later(hours=48)
        story.miss(Clock.DISPATCH)
        story.reroute_overdue()
        for _ in range(2):
            await office.tick()
            await office.tick()
        assert Counter(postbox.told("supplier"))["breach_notice"] == 1
        assert Counter(postbox.told("supplier"))["cancel_request"] == 1
        story.answer_cancel(agreed=True)
        story.send(SECOND)
        await office.tick()
        assert postbox.told("supplier")[-1] == "dispatch_instruction"


async def test_a_customer_is_told_in_advance_that_a_promise_will_not_be_kept(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        story = confirmed(promised_by=NOON + 5 * DAY, **office.customer())
        office.tell(story)
        await office.tick()
        story.later(days=3, hours=1)
        await office.tick()
        await office.tick()
        assert postbox.told("customer") == ["order_confirmed", "delayed"]
        assert "a part of it has not left yet" in postbox.letters[-1].text


async def test_a_promise_that_is_near_tells_nothing_of_goods_that_are_on_their_way(tenant: EmptyTenant):
    async with an_office(tenant, Postbox()) as office:
        story = sent(promised_by=NOON + 5 * DAY, **office.customer())
        story.ship()
        office.tell(story)
        await office.tick()
        story.later(days=4)
        assert await office.tick() == 0


# --- failing ----------------------------------------------------------------------------------------


async def test_what_a_sender_does_not_take_is_tried_again_ever_later_until_it_does(tenant: EmptyTenant):
    postbox = Postbox(fails=3)
    async with an_office(tenant, postbox) as office:
        story = confirmed(**office.customer())
        office.tell(story)
        waits = []
        for attempt in (1, 2, 3):
            await office.tick()
            (message,) = await office.messages()
            assert (message.state, message.attempts, message.error) == (State.FAILED, attempt, "unreachable")
            assert message.next_at is not None
            waits.append((message.next_at - story.now).total_seconds())
            assert await office.tick(message.next_at - timedelta(seconds=1)) == 0
            story.later(seconds=waits[-1])
        assert waits[0] < waits[1] < waits[2]
        await office.tick()
        assert await office.states() == {"order_confirmed": "sent"}
        assert (postbox.calls, len(postbox.letters)) == (4, 1)
        assert office.facts() == {"message.asked": 1, "message.failed": 3, "message.sent": 1}


async def test_a_message_that_is_given_up_waits_for_a_person(tenant: EmptyTenant):
    postbox = Postbox(fails=1, why=NotTaken("no_such_address", lasting=True))
    async with an_office(tenant, postbox) as office:
        office.tell(confirmed(**office.customer()))
        await office.tick()
        await office.tick()
        (message,) = await office.messages()
        assert (message.state, message.error, message.next_at) == (State.GIVEN_UP, "no_such_address", None)
        assert postbox.calls == 1
        name, now = message.message_id, office.story.now
        retry = Command("r1", "mia", b"", lambda v: notices.retry(v, name, "mia", now), (messages.stream(name),))
        await office.tenant.ledger.execute(retry)
        await office.tick()
        assert await office.states() == {"order_confirmed": "sent"}


async def test_a_sender_that_breaks_fails_one_message_and_spoils_no_other(tenant: EmptyTenant):
    postbox = Postbox(fails=1, why=ZeroDivisionError("Ann Example"))
    async with an_office(tenant, postbox) as office:
        office.tell(sent(**office.customer()))
        await office.tick()
        assert sorted((await office.states()).values()) == ["failed", "sent"]
        assert {each.error for each in await office.messages()} == {"sender_failed", ""}


# --- never twice ------------------------------------------------------------------------------------


def busy(office: Office, orders: int = 8) -> Story:
    story = a_shop(tea=100)
    for number in range(orders):
        order_id = f"shopify/{number}"
        story.place(line(1, "tea", 1), order_id=order_id, **office.customer(order_id))
        story.send(f"{order_id}/1")
    return story


async def test_two_processes_send_each_message_once(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as one_office, an_office(tenant, postbox) as other:
        one_office.tell(busy(one_office))
        await one_office.catch_up()
        now = one_office.story.now
        done = await asyncio.gather(*(each.outbox.tick(each.tenant, now) for each in (one_office, other)))
        assert sorted(done) == [0, 16]
        # The read model has followed none of it, and the other process takes over.
        idle = (one_office, other)[done.index(0)]
        assert await idle.outbox.tick(idle.tenant, now) == 16
        assert Counter(letter.message_id for letter in postbox.letters).most_common(1)[0][1] == 1
        assert len(postbox.letters) == postbox.calls == 16
        assert one_office.facts() == {"message.asked": 16, "message.sent": 16}


async def test_a_rebuild_sends_nothing_and_gives_the_same_rows(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        office.tell(busy(office, 3))
        await office.tick()
        before, sent_before = contents(tenant), len(postbox.letters)
        assert (await asyncio.to_thread(rebuild, tenant, "outbox")).equal
        await asyncio.to_thread(forget, tenant)
        await asyncio.to_thread(catch_up, tenant)
        assert contents(tenant) == before
        await office.tick()
        assert len(postbox.letters) == sent_before


async def test_a_read_model_that_starts_over_meanwhile_sends_nothing_again(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office, an_office(tenant, postbox) as fresh:
        story = busy(office, 3)
        office.tell(story)
        await office.tick()
        # All that the facts of orders made due stands there again, as if nobody had asked for it.
        with connect(tenant) as connection:
            connection.execute(f"UPDATE {tenant.schema}.outbox_messages SET state = 'due', next_at = caused_at")
        assert await fresh.outbox.tick(fresh.tenant, story.now) == 6
        assert len(postbox.letters) == postbox.calls == 6
        assert office.facts() == {"message.asked": 6, "message.sent": 6}


_DIES = """
import asyncio, os, signal, sys
from datetime import datetime
from pathlib import Path
from adapters.senders import FileSender
from tests.support.stalls import EmptyTenant
from tests.service.test_outbox import an_office

class Dies(FileSender):
    async def hand_over(self, tenant, letter):
        await super().hand_over(tenant, letter)
        os.kill(os.getpid(), signal.SIGKILL)

async def main(conninfo, schema, folder, now):
    async with an_office(EmptyTenant(conninfo, schema), Dies(Path(folder))) as office:
        await office.outbox.tick(office.tenant, datetime.fromisoformat(now))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_message_about_what_cannot_be_read_keeps_no_other_waiting(tenant: EmptyTenant):
    async with an_office(tenant, Postbox()) as office:
        story = busy(office, 3)
        office.tell(story)
        await office.catch_up()
    with connect(tenant) as connection:
        newer = """
            INSERT INTO {}.ledger_events (originator_id, originator_version, topic, state, notification_id)
            SELECT originator_id, max(originator_version) + 1, 'order.teleported', '{{}}', %s
            FROM {}.ledger_events WHERE originator_id = 'order-shopify/0' GROUP BY originator_id
        """
        schema = Identifier(tenant.schema)
        connection.execute(SQL(newer).format(schema, schema), (len(story.log) + 1,))
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        for _ in range(2):
            await office.outbox.tick(office.tenant, story.now)
        assert sorted(letter.message_id.partition("-")[0] for letter in postbox.letters) == [
            *["dispatch_instruction"] * 2,
            *["order_confirmed"] * 2,
        ]


async def test_a_tick_hands_over_more_than_a_hundred_messages(tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("adapters.outbox._TURN_SECONDS", 50.0)
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        story = busy(office, 90)
        office.tell(story)
        await office.catch_up()
        assert await office.outbox.tick(office.tenant, story.now) == 180
        assert len({letter.message_id for letter in postbox.letters}) == 180


async def test_a_turn_ends_after_a_while_so_that_other_tenants_get_theirs(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapters.outbox._TURN_SECONDS", 0.0001)
    async with an_office(tenant, Postbox()) as office:
        story = busy(office, 40)
        office.tell(story)
        await office.catch_up()
        assert [await office.outbox.tick(office.tenant, story.now) for _ in range(2)] == [50, 30]


async def test_who_keeps_messages_from_being_sent_for_long_is_told(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office, an_office(tenant, postbox) as stopped:
        office.tell(confirmed(**office.customer()))
        async with stopped.outbox._leading(stopped.tenant) as held:
            assert held is not None
            assert await office.tick() == 0
            monkeypatch.setattr("adapters.outbox._HELD_UP_SECONDS", 0.0)
            who = f"session {held.info.backend_pid} idle in transaction has held the outbox for"
            with pytest.raises(HeldUp, match=f"no messages are sent: {who}"):
                await office.tick()
            async with asking(tenant) as where, where.pool.connection() as connection:
                assert (await held_up(connection, tenant.schema)).startswith(who)
        assert await office.tick() == 1


async def test_a_kill_between_the_hand_over_and_its_record_leaves_one_letter(tenant: EmptyTenant, tmp_path: Path):
    async with an_office(tenant, FileSender(tmp_path)) as office:
        office.tell(confirmed(**office.customer()))
        await office.catch_up()
        words = [sys.executable, "-c", _DIES, tenant.conninfo, tenant.schema, str(tmp_path), NOON.isoformat()]
        died = await asyncio.to_thread(subprocess.run, words, cwd=HOUSE, capture_output=True, text=True, timeout=60)
        assert died.returncode == -signal.SIGKILL, died.stderr
        (letter,) = await asyncio.to_thread(lambda: list(tmp_path.rglob("*.eml")))
        written = letter.stat()
        assert office.facts() == {"message.asked": 1}
        await office.tick()
        assert office.facts() == {"message.asked": 1, "message.sent": 1}
        assert await asyncio.to_thread(lambda: list(tmp_path.rglob("*"))) == [letter.parent, letter]
        assert (letter.stat().st_ino, letter.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
        assert await office.states() == {"order_confirmed": "sent"}


# --- asking -----------------------------------------------------------------------------------------


async def test_messages_are_listed_by_order_state_and_audience_page_after_page(tenant: EmptyTenant):
    async with an_office(tenant, Postbox()) as office:
        office.tell(busy(office, 3))
        await office.tick()
        of_one = await office.messages(order_id="shopify/1")
        assert {each.kind for each in of_one} == {Kind.ORDER_CONFIRMED, Kind.DISPATCH_INSTRUCTION}
        assert {each.about.order_id for each in of_one} == {"shopify/1"}
        to_suppliers = await office.messages(State.SENT, audience=Audience.SUPPLIER)
        assert [each.kind for each in to_suppliers] == [Kind.DISPATCH_INSTRUCTION] * 3
        assert await office.messages(State.FAILED) == []
        found, token = [], ""
        async with asking(tenant) as where:
            for _ in range(3):
                answer = await outbox.list_messages(where, PageOf(2, token), NOON - DAY)
                found += [each.message_id for each in answer.rows]
                token = answer.next_page_token
        assert token == ""
        assert len(set(found)) == len(found) == 6


async def test_the_backlog_counts_what_is_not_sent(tenant: EmptyTenant):
    async with an_office(tenant, Postbox(fails=2)) as office:
        office.tell(busy(office, 2))
        await office.catch_up()
        async with asking(tenant) as where, where.pool.connection() as connection:
            assert await outbox.backlog(connection, tenant.schema, NOON - DAY) == (4, 0, 0)
            assert await outbox.backlog(connection, tenant.schema, NOON) == (0, 0, 0)
            await office.tick()
            assert await outbox.backlog(connection, tenant.schema, NOON - DAY) == (0, 2, 0)
