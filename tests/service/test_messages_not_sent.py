"""What makes no message, or only one: old orders, late scans, repetitions."""

from __future__ import annotations

from collections import Counter

from ledger.nouns.messages import MessageKind
from ledger.nouns.orders import HoldReason
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.clocks import Clock
from projections.outbox import MessageState
from tests.support.office import Postbox, an_office
from tests.support.scenario import DAY, FIRST, HOUR, NOON, SECOND, a_shop, accept, confirmed, line, sent
from tests.support.stalls import EmptyTenant


async def test_an_import_of_old_orders_sends_nothing(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        scenario = a_shop(tea=50)
        for number in range(5):
            scenario.place(line(1, "tea", 1), order_id=f"shopify/{number}", promised_by=NOON + 3 * DAY)
            scenario.send(f"shopify/{number}/1")
        scenario.later(days=400)
        for number in range(5):
            # What the clock notices now had been due long ago.
            scenario.miss(Clock.DISPATCH, f"shopify/{number}/1", f"shopify/{number}")
            scenario.miss(Clock.DELIVERY, f"shopify/{number}", f"shopify/{number}")
            scenario.ship(supplier_order_id=f"shopify/{number}/1", number=f"P{number}", at=NOON + DAY)
        scenario.later(days=20)
        for number in range(5):
            scenario.suspect_loss(f"P{number}")
        office.use(scenario)
        assert await office.tick() == 0
        assert await office.tick() == 0
        assert {each.state for each in await office.messages()} == {MessageState.TOO_OLD}
        assert (postbox.calls, office.facts()) == (0, {})
        assert await office.messages(MessageState.DUE) == []
        assert len(await office.messages(MessageState.TOO_OLD)) == 5 * 8


async def test_an_old_scan_that_comes_late_makes_no_message(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        scenario = sent(**office.customer())
        scenario.ship()
        scenario.later(hours=5)
        scenario.scan(ParcelStatus.DELIVERED)
        scenario.scan(ParcelStatus.OUT_FOR_DELIVERY, scenario.now - HOUR)
        office.use(scenario)
        await office.tick()
        assert "out_for_delivery" not in await office.states()


async def test_a_scan_of_an_earlier_use_of_the_number_makes_no_message(tenant: EmptyTenant):
    async with an_office(tenant, Postbox()) as office:
        scenario = sent(**office.customer())
        scenario.ship()
        scenario.scan(ParcelStatus.OUT_FOR_DELIVERY)
        for days in (9, 8):
            scenario.scan(ParcelStatus.OUT_FOR_DELIVERY, scenario.now - days * DAY)
        office.use(scenario)
        await office.tick()
        assert [each.kind for each in await office.messages()].count(MessageKind.OUT_FOR_DELIVERY) == 1


async def test_a_scan_recorded_twice_makes_one_message(tenant: EmptyTenant):
    async with an_office(tenant, Postbox()) as office:
        scenario = sent(**office.customer())
        scenario.ship()
        for _ in range(2):
            scenario.later(hours=5)
            scenario.scan(ParcelStatus.OUT_FOR_DELIVERY)
        office.use(scenario)
        await office.tick()
        assert [each.kind for each in await office.messages()].count(MessageKind.OUT_FOR_DELIVERY) == 1


async def test_a_supplier_is_reminded_once_and_again_only_if_the_time_moved(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        scenario = sent(**office.customer())
        scenario.answer({1: accept(3)})
        office.use(scenario)
        for _ in range(3):
            scenario.later(hours=14)
            await office.tick()
            await office.tick()
        assert postbox.kinds_sent_to("supplier").count("reminder") == 1
        scenario.hold(HoldReason.FRAUD_REVIEW)
        scenario.later(hours=10)
        scenario.release(HoldReason.FRAUD_REVIEW)
        await office.tick()
        assert postbox.kinds_sent_to("supplier").count("reminder") == 2
        reminders = [each for each in await office.messages() if each.kind is MessageKind.REMINDER]
        assert [each.message_id for each in reminders] == [
            f"reminder-dispatch-{FIRST}-20260304T220000Z",
            f"reminder-dispatch-{FIRST}-20260304T120000Z",
        ]


async def test_a_supplier_that_is_late_is_told_so_and_asked_for_its_units_once(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        scenario = sent(**office.customer())
        scenario.answer({1: accept(3)})
        scenario.offer(supplier_id="bolt")
        office.use(scenario)
        scenario.later(hours=48)
        scenario.miss(Clock.DISPATCH)
        scenario.reroute_overdue()
        for _ in range(2):
            await office.tick()
            await office.tick()
        told = Counter(each.kind.value for each in await office.messages(MessageState.SENT))
        assert (told["breach_notice"], told["cancel_request"]) == (1, 1)
        scenario.answer_cancel(agreed=True)
        scenario.send(SECOND)
        await office.tick()
        assert postbox.kinds_sent_to("supplier")[-1] == "dispatch_instruction"


async def test_a_customer_is_told_in_advance_that_a_promise_will_not_be_kept(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        scenario = confirmed(promised_by=NOON + 5 * DAY, **office.customer())
        office.use(scenario)
        await office.tick()
        scenario.later(days=3, hours=1)
        await office.tick()
        await office.tick()
        assert postbox.kinds_sent_to("customer") == ["order_confirmed", "delayed"]
        assert "a part of it has not left yet" in postbox.letters[-1].text


async def test_a_promise_that_is_near_makes_no_message_of_goods_that_are_on_their_way(tenant: EmptyTenant):
    async with an_office(tenant, Postbox()) as office:
        scenario = sent(promised_by=NOON + 5 * DAY, **office.customer())
        scenario.ship()
        office.use(scenario)
        await office.tick()
        scenario.later(days=4)
        assert await office.tick() == 0
