"""Messages: who is told what of an order, a case, a supplier's lateness, and when; and how they are listed."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from adapters.messages.envelope import Envelope
from ledger.nouns import orders
from ledger.nouns.cases import Remedy
from ledger.nouns.messages import Audience, MessageKind
from ledger.nouns.orders import HoldReason
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.clocks import Clock
from ledger.terms.parties import Party
from ledger.terms.places import Destination
from projections import outbox
from projections.machine.reads import PageOf
from projections.outbox import MessageState
from tests.support.casework import PHOTO, Desk
from tests.support.office import Postbox, an_office, busy
from tests.support.projecting import asking, catch_up, connect, contents, one
from tests.support.recovering import Recovering, refund
from tests.support.scenario import (
    DAY,
    FIRST,
    NOON,
    ORDER,
    SECOND,
    TERMS,
    a_shop,
    accept,
    confirmed,
    delivered,
    line,
    sent,
)
from tests.support.stalls import EmptyTenant, destroy

# --- a whole order ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("country", "language"), [("DE", "en"), ("TW", "zh")])
async def test_the_life_of_an_order_sends_everybody_what_they_need_and_nothing_twice(
    tenant: EmptyTenant, country: str, language: str
):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        promise = NOON + 9 * DAY
        where = Destination(country, "Berlin", "10")
        scenario = confirmed(line(1, "tea", 3), promised_by=promise, destination=where, **office.customer())
        office.use(scenario)
        await office.tick()
        scenario.send()
        await office.tick()
        scenario.later(hours=1)
        scenario.answer({1: accept(3)})
        await office.tick()
        scenario.later(hours=42)
        await office.tick()  # six hours before the dispatch is due
        scenario.later(hours=6)
        scenario.miss(Clock.DISPATCH)
        await office.tick()
        scenario.later(hours=2)
        scenario.ship()
        await office.tick()
        scenario.later(days=2)
        scenario.scan(ParcelStatus.CUSTOMS_HELD)
        await office.tick()
        scenario.later(days=1)
        scenario.scan(ParcelStatus.OUT_FOR_DELIVERY)
        await office.tick()
        scenario.later(hours=5)
        scenario.scan(ParcelStatus.DELIVERED)
        for _ in range(3):
            await office.tick()
        assert postbox.kinds_sent_to("supplier") == ["dispatch_instruction", "reminder", "breach_notice"]
        assert postbox.kinds_sent_to("staff") == ["breach_alert", "parcel_alert"]
        assert postbox.kinds_sent_to("customer") == [
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
        assert {each.state for each in await office.messages()} == {MessageState.SENT}


async def test_facts_and_rows_of_messages_hold_no_personal_data(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        office.use(sent(**office.customer()))
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
        scenario = confirmed(**office.customer())
        scenario.cancel()
        office.use(scenario)
        await office.tick()
        assert await office.states() == {"order_confirmed": "cancelled", "units_cancelled": "sent"}


async def test_a_customer_is_told_once_what_was_cancelled_together_what_comes_back_and_that_it_was_paid(
    tenant: EmptyTenant,
):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        lines = (line(1, "tea", 3, total_minor=1_000), line(2, "mug", 1, "bolt"))
        scenario = confirmed(*lines, **office.customer())
        office.use(scenario)
        await office.tick()
        scenario.cancel({1: 1, 2: 1})
        await office.tick()
        scenario.later(hours=1)
        scenario.pays_owed()
        await office.tick()
        cancelled, paid = [each.text for each in postbox.letters if each.message_id.startswith("units_cancelled")]
        assert "1 × tea: 3.33 EUR\n- 1 × mug: 5.00 EUR\n\nYou get 8.33 EUR back." in cancelled
        assert "8.33 EUR is on its way to you" in paid
        assert "1 × tea: 3.33 EUR\n- 1 × mug: 5.00 EUR" in paid


async def test_a_message_that_waits_for_its_next_attempt_is_not_sent_once_it_is_untrue(tenant: EmptyTenant):
    postbox = Postbox(fails=1)
    async with an_office(tenant, postbox) as office:
        scenario = confirmed(**office.customer())
        office.use(scenario)
        await office.tick()
        assert await office.states() == {"order_confirmed": "failed"}
        scenario.cancel()
        scenario.later(minutes=5)
        await office.tick()
        confirmation = next(each for each in await office.messages() if each.message_id.startswith("order_confirmed"))
        assert (confirmation.state, confirmation.because) == (MessageState.CANCELLED, "order_cancelled")
        assert [letter.message_id.partition("-")[0] for letter in postbox.letters] == ["units_cancelled"]


async def test_an_instruction_waits_while_a_hold_stands_and_goes_out_after_its_release(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapters.messages.handing_over._WAIT_SECONDS", 0.0)
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        scenario = sent(**office.customer())
        office.use(scenario)
        scenario.hold(HoldReason.FRAUD_REVIEW)
        for _ in range(6):
            await office.tick()
        assert (postbox.kinds_sent_to("customer"), postbox.kinds_sent_to("supplier")) == (["order_confirmed"], [])
        # No attempt has failed, and who was not instructed is not told to wait.
        assert office.facts() == {"message.asked": 3, "message.sent": 1, "message.cancelled": 1}
        scenario.release(HoldReason.FRAUD_REVIEW)
        await office.tick()
        assert postbox.kinds_sent_to("supplier") == ["dispatch_instruction"]


async def test_a_supplier_that_was_instructed_is_told_once_to_wait_and_to_go_on_when_no_hold_stands(
    tenant: EmptyTenant,
):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        scenario = sent(line(1, "tea", 3), line(2, "mug", 1, "bolt"), **office.customer())
        office.use(scenario)
        await office.tick()
        scenario.hold(HoldReason.FRAUD_REVIEW)
        await office.tick()
        scenario.hold(HoldReason.CUSTOMER_REQUEST)
        scenario.hold(HoldReason.OTHER, supplier_order_id=SECOND)
        scenario.later(hours=5)
        scenario.release(HoldReason.FRAUD_REVIEW)
        await office.tick()
        scenario.release(HoldReason.CUSTOMER_REQUEST)
        await office.tick()
        assert postbox.kinds_sent_to("supplier") == ["dispatch_instruction"] * 2 + ["wait"] * 2 + ["go_on"]
        go_on = postbox.letters[-1]
        assert go_on.recipient == "acme"
        assert go_on.subject == f"Please go on with {FIRST}: dispatch by 4 March 2026, 17:00 UTC"
        assert "3 × tea" in go_on.text
        assert "Dispatch by: 4 March 2026, 17:00 UTC" in go_on.text  # five hours later than before
        scenario.release(HoldReason.OTHER, supplier_order_id=SECOND)
        for _ in range(2):
            await office.tick()
        assert postbox.kinds_sent_to("supplier")[-2:] == ["go_on", "go_on"]


async def test_who_was_not_told_to_wait_is_not_told_to_go_on(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        scenario = sent(**office.customer())
        office.use(scenario)
        await office.tick()
        scenario.hold(HoldReason.FRAUD_REVIEW)
        scenario.release(HoldReason.FRAUD_REVIEW)
        for _ in range(2):
            await office.tick()
        assert postbox.kinds_sent_to("supplier") == ["dispatch_instruction"]
        because = {each.kind.value: each.because for each in await office.messages(MessageState.CANCELLED)}
        assert because == {"wait": "released", "go_on": "not_told_to_wait"}


async def test_what_has_left_is_told_neither_to_wait_nor_to_go_on(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        scenario = sent(**office.customer())
        office.use(scenario)
        await office.tick()
        scenario.ship()
        scenario.hold(HoldReason.FRAUD_REVIEW)
        await office.tick()
        scenario.release(HoldReason.FRAUD_REVIEW)
        await office.tick()
        assert postbox.kinds_sent_to("supplier") == ["dispatch_instruction"]


async def test_suppliers_that_knew_the_old_address_are_told_the_new_one(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        scenario = sent(line(1, "tea", 3), line(2, "mug", 1, "bolt"), **office.customer())
        office.use(scenario)
        scenario.pack("box", supplier_order_id=SECOND)
        await office.tick()
        scenario.later(hours=1)
        moved = office.customer(lines=["2 Oak Street"])["customer"]
        scenario.change_address(moved, Destination("FR"))
        await office.tick()
        instructions = {each.recipient: each.text for each in postbox.letters if each.audience is Audience.SUPPLIER}
        assert postbox.kinds_sent_to("supplier") == ["dispatch_instruction"] * 2 + ["address_change"]
        assert "2 Oak Street\nBerlin\nFR" in instructions["acme"]
        assert "acknowledge the new address by 3 March 2026, 13:00 UTC" in instructions["acme"]
        assert "1 Elm Street\nBerlin\n" in instructions["bolt"]


async def test_an_instruction_that_is_sent_late_names_the_address_of_its_own_part(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapters.messages.handing_over._WAIT_SECONDS", 0.0)
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        scenario = sent(line(1, "tea", 3), line(2, "mug", 1, "bolt"), **office.customer())
        office.use(scenario)
        scenario.hold(HoldReason.FRAUD_REVIEW)
        scenario.pack("box", supplier_order_id=SECOND)
        await office.tick()
        scenario.change_address(office.customer(lines=["2 Oak Street"])["customer"], Destination("FR"))
        scenario.release(HoldReason.FRAUD_REVIEW)
        await office.tick()
        told = {
            each.recipient: each.text for each in postbox.letters if each.message_id.startswith("dispatch_instruction")
        }
        assert ("2 Oak Street" in told["acme"], "1 Elm Street" in told["bolt"]) == (True, True)


async def test_what_waits_for_a_hold_is_not_looked_at_all_the_time_and_keeps_nothing_waiting(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapters.messages.outbox.MOST_AT_ONCE", 1)
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        scenario = sent(**office.customer())
        scenario.hold(HoldReason.FRAUD_REVIEW)
        office.use(scenario)
        for _ in range(4):
            await office.tick()
        assert await office.tick() == 0
        scenario.place(line(1, "mug", 1), order_id="shop/2", **office.customer("shop/2"))
        for _ in range(2):
            await office.tick()
        assert postbox.kinds_sent_to("customer") == ["order_confirmed"] * 2


async def test_an_instruction_that_waits_for_a_hold_is_not_sent_once_nothing_is_left_to_ship(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapters.messages.handing_over._WAIT_SECONDS", 0.0)
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        scenario = sent(**office.customer())
        office.use(scenario)
        scenario.hold(HoldReason.FRAUD_REVIEW)
        await office.tick()
        scenario.cancel()
        scenario.answer_cancel(agreed=True)
        for _ in range(2):
            await office.tick()
        assert postbox.kinds_sent_to("supplier") == []
        by_kind = {each.kind: each for each in await office.messages(audience=Audience.SUPPLIER)}
        instruction = by_kind[MessageKind.DISPATCH_INSTRUCTION]
        assert (instruction.state, instruction.because) == (MessageState.CANCELLED, "nothing_to_ship")


async def test_the_read_model_of_messages_goes_on_while_they_are_handed_over(tenant: EmptyTenant):
    class Slow(Postbox):
        async def hand_over(self, tenant_name: str, letter: Envelope) -> str:
            await asyncio.wait_for(asyncio.to_thread(catch_up, tenant), 10)
            return await super().hand_over(tenant_name, letter)

    slow = Slow()
    async with an_office(tenant, slow) as office:
        office.use(confirmed(**office.customer()))
        assert await office.tick() == 1
        assert slow.kinds_sent_to("customer") == ["order_confirmed"]


async def test_nobody_writes_to_a_person_who_was_erased(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        office.use(confirmed(**office.customer()))
        await destroy(office.tenant.log, orders.anchor(ORDER))
        await office.tick()
        (message,) = await office.messages()
        assert (message.state, message.because) == (MessageState.CANCELLED, "person_erased")


async def test_each_step_of_a_case_is_told_to_the_customer(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        desk = Desk(delivered(**office.customer()))
        office.use(desk.scenario)
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
            desk.scenario.later(minutes=5)
        steps = [each for each in await office.messages() if each.kind is MessageKind.CASE_STEP]
        assert [each.about.because for each in reversed(steps)] == [
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
        assert {each.state for each in steps} == {MessageState.SENT}
        paid = [each.text for each in postbox.letters[before:] if "5.00 EUR is on its way to you" in each.text]
        assert len(paid) == 1


async def test_a_request_for_evidence_that_came_meanwhile_is_not_sent(tenant: EmptyTenant):
    async with an_office(tenant, Postbox()) as office:
        desk = Desk(delivered(**office.customer()))
        desk.opens()
        desk.asks()
        desk.files()
        desk.reviews()
        office.use(desk.scenario)
        await office.tick()
        states = {
            each.about.because: each.state for each in await office.messages() if each.kind is MessageKind.CASE_STEP
        }
        assert states == {
            "opened": MessageState.SENT,
            "evidence_requested": MessageState.CANCELLED,
            "under_review": MessageState.SENT,
        }


async def test_staff_is_told_of_a_customer_who_waits_and_of_one_who_waited_too_long(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        desk = Desk(delivered(**office.customer()))
        desk.opens()
        office.use(desk.scenario)
        desk.scenario.later(hours=20)
        await office.tick()
        await office.tick()
        assert postbox.kinds_sent_to("staff") == ["case_due"]
        assert "Order: 1\nGoods: " in postbox.letters[-1].text
        desk.scenario.later(hours=4)
        desk.clock_runs()
        await office.tick()
        assert postbox.kinds_sent_to("staff") == ["case_due", "breach_alert"]
        assert {each.recipient for each in postbox.letters if each.audience is Audience.STAFF} == {"after_sales"}


async def test_a_customer_who_was_answered_needs_no_reminder_to_staff(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        desk = Desk(delivered(**office.customer()))
        desk.opens()
        desk.answers()
        office.use(desk.scenario)
        desk.scenario.later(hours=20)
        await office.tick()
        assert postbox.kinds_sent_to("staff") == []


async def test_a_supplier_is_reminded_of_a_question_and_told_that_it_was_late(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        scenario = sent(**office.customer())
        scenario.agree_terms(replace(TERMS, effective_from=NOON, answer_within_hours=24))
        scenario.ship()
        scenario.ask("q1")
        office.use(scenario)
        await office.tick()
        scenario.later(hours=20)
        await office.tick()
        assert postbox.kinds_sent_to("supplier") == ["question", "reminder"]
        scenario.later(hours=4)
        scenario.miss_answer()
        await office.tick()
        assert postbox.kinds_sent_to("supplier") == ["question", "reminder", "breach_notice"]
        assert "breach_alert" in postbox.kinds_sent_to("staff")
        assert "to answer our question" in postbox.letters[-1].text + postbox.letters[-2].text


async def test_a_supplier_that_does_not_answer_for_a_cost_is_told_so(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        scenario = sent(**office.customer())
        scenario.agree_terms(replace(TERMS, effective_from=NOON, answer_within_hours=24))
        recovering = Recovering(scenario)
        recovering.of_supplier(refund(1000))
        scenario.ship()
        scenario.later(hours=24)
        assert recovering.miss_answer()
        office.use(scenario)
        await office.tick()
        found = [each.about for each in await office.messages() if each.kind is MessageKind.BREACH_NOTICE]
        assert [(each.clock, each.recovery_id, each.supplier_id) for each in found] == [
            ("recovery_answer", recovering.recovery_id, "acme")
        ]


async def test_staff_is_told_of_each_crossing_of_a_stock_level_once(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        scenario = a_shop(tea=3)
        scenario.place(line(1, "tea", 3), **office.customer())
        scenario.feed(1, "tea")
        office.use(scenario)
        await office.tick()
        await office.tick()
        alerts = [each for each in await office.messages() if each.kind is MessageKind.STOCK_ALERT]
        assert {each.about.because for each in alerts} >= {"oversold", "sold_out"}
        assert {(each.recipient, each.about.sku, each.state) for each in alerts} == {
            ("supplier_manager", "tea", MessageState.SENT)
        }
        assert len({each.about.because for each in alerts}) == len(alerts)


# --- asking -----------------------------------------------------------------------------------------


async def test_messages_are_listed_by_order_state_and_audience_page_after_page(tenant: EmptyTenant):
    async with an_office(tenant, Postbox()) as office:
        office.use(busy(office, 3))
        await office.tick()
        of_one = await office.messages(order_id="shopify/1")
        assert {each.kind for each in of_one} == {MessageKind.ORDER_CONFIRMED, MessageKind.DISPATCH_INSTRUCTION}
        assert {each.about.order_id for each in of_one} == {"shopify/1"}
        to_suppliers = await office.messages(MessageState.SENT, audience=Audience.SUPPLIER)
        assert [each.kind for each in to_suppliers] == [MessageKind.DISPATCH_INSTRUCTION] * 3
        assert await office.messages(MessageState.FAILED) == []
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
        office.use(busy(office, 2))
        await office.catch_up()
        async with asking(tenant) as where, where.pool.connection() as connection:
            assert await outbox.backlog(connection, tenant.schema, NOON - DAY) == (4, 0, 0)
            assert await outbox.backlog(connection, tenant.schema, NOON) == (0, 0, 0)
            await office.tick()
            assert await outbox.backlog(connection, tenant.schema, NOON - DAY) == (0, 2, 0)
