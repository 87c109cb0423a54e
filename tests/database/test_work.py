"""Work for people: it comes and goes with its reason, and is claimed and finished once."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.facts import Change
from ledger.nouns import (
    inquiries,
    messages,
    reviews,
    stock,
    suppliers,
    tasks,
)
from ledger.nouns.cases import Reason, Remedy
from ledger.nouns.inquiries import InquiryAnswered, InquiryAsked, Topic
from ledger.nouns.messages import (
    About,
    Audience,
    MessageAsked,
    MessageGivenUp,
    MessageRetried,
)
from ledger.nouns.orders import HoldReason, PaymentKind, PaymentState
from ledger.nouns.parcels import Checkpoint, CustomsAsk, ParcelStatus
from ledger.nouns.stock import Alert, AlertEnded
from ledger.nouns.tasks import (
    TaskAssigned,
    TaskClaimed,
    TaskFinished,
    TaskPutOff,
    TaskReleased,
)
from ledger.terms.clocks import Clock
from ledger.terms.parties import Party
from ledger.terms.rates import Rate, RateName
from ledger.terms.shipping import Incoterm
from projections import work
from projections.machine.reads import PageOf
from projections.work import Owner, Step, Work, WorkFilter, WorkKind
from tests.support.casework import PHOTO, Desk
from tests.support.projecting import (
    asking,
    begin_again,
    catch_up,
    contents,
    rebuild,
)
from tests.support.recovering import Recovering
from tests.support.scenario import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    ORDER,
    SECOND,
    Scenario,
    a_shop,
    confirmed,
    delivered,
    line,
    sent,
    shipped,
)
from tests.support.stalls import EmptyTenant

# --- what raises work -------------------------------------------------------------------------------


class Queue:
    """The queue of a scenario that goes to the log step by step."""

    def __init__(self, tenant: EmptyTenant, scenario: Scenario) -> None:
        self.tenant = tenant
        self.scenario = scenario
        self._written = 0

    async def all(self, **more: Any) -> list[Work]:
        new = self.scenario.log[self._written :]
        self._written = len(self.scenario.log)
        catch_up(self.tenant, new)
        async with asking(self.tenant) as where:
            wanted = WorkFilter(**{"now": self.scenario.now, **more})
            return (await work.list_work(where, PageOf(1000), wanted)).rows

    async def what(self, **more: Any) -> list[tuple[WorkKind, str, Owner]]:
        return [(each.kind, each.because, each.owner) for each in await self.all(**more)]

    def record(self, *changes: Change) -> None:
        self.scenario.record(changes)

    def write(self, *changes: Change) -> None:
        """Into the log as they are, without what a scenario's stock would say to them."""
        self.scenario.log += changes


async def test_a_hold_is_work_until_it_is_released(tenant: EmptyTenant):
    queue = Queue(tenant, sent())
    queue.scenario.hold(HoldReason.FRAUD_REVIEW, "李 from risk")
    (hold,) = await queue.all()
    assert (hold.kind, hold.owner, hold.because, hold.order_id, hold.due) == (
        WorkKind.HOLD,
        Owner.OPERATIONS,
        "fraud_review",
        ORDER,
        NOON,
    )
    queue.scenario.release(HoldReason.FRAUD_REVIEW)
    assert await queue.all() == []
    queue.scenario.later(hours=1)
    queue.scenario.hold(HoldReason.FRAUD_REVIEW, "李 from risk")
    (again,) = await queue.all()
    assert again.task_id != hold.task_id


async def test_money_that_went_back_is_work_until_it_comes_again(tenant: EmptyTenant):
    queue = Queue(tenant, sent())
    queue.scenario.charge_back(1_500)
    assert await queue.what() == [(WorkKind.HOLD, "payment_reversed", Owner.OPERATIONS)]
    queue.scenario.pay(PaymentState.FAILED)
    queue.scenario.pay(PaymentState.PAID)
    assert await queue.all() == []


async def test_a_refund_whose_money_went_back_is_to_be_denied(tenant: EmptyTenant):
    desk = Desk(delivered())
    desk.opens()
    desk.reviews()
    desk.rules()
    desk.approves(Remedy.REFUND)
    desk.grants()
    queue = Queue(tenant, desk.scenario)
    pay = (WorkKind.CASE, "pay the refund", Owner.AFTER_SALES)
    assert await queue.what() == [pay]
    desk.scenario.charge_back(1_400)
    deny = "refund refund-1 of 5.00 EUR cannot be paid, 1.00 EUR is left of what came in: deny it"
    assert set(await queue.what()) == {pay, (WorkKind.CASE, deny, Owner.AFTER_SALES)}
    desk.takes_back()
    assert await queue.what() == [(WorkKind.CASE, "decide the refund", Owner.AFTER_SALES)]
    desk.denies_refund()
    assert await queue.all() == []


async def test_a_chargeback_of_more_than_is_left_is_to_be_disputed(tenant: EmptyTenant):
    queue = Queue(tenant, delivered())
    queue.scenario.charge_back(1_500)
    assert await queue.all() == []
    queue.scenario.charge_back(100, "cb-2")
    odd = "1.00 EUR more went back than the order cost: of 15.00 EUR, 0.00 EUR was refunded and 16.00 EUR charged back"
    assert await queue.what() == [(WorkKind.ODDITY, f"chargeback cb-2: {odd}; dispute it", Owner.AFTER_SALES)]


async def test_money_that_is_owed_for_what_was_cancelled_is_work_until_it_is_paid(tenant: EmptyTenant):
    queue = Queue(tenant, confirmed(line(1, "tea", 3, total_minor=1_000)))
    queue.scenario.cancel({1: 1})
    queue.scenario.send()
    owed = (WorkKind.REFUND, "3.33 EUR is owed to the customer: pay it back", Owner.AFTER_SALES)
    assert await queue.what() == [owed]
    queue.scenario.pays_owed()
    assert await queue.all() == []
    queue.scenario.later(hours=1)
    queue.scenario.moved(PaymentKind.REFUND_RETURNED, 333, of="back-1")
    assert await queue.what() == [owed]


async def test_of_a_cancelled_order_nothing_waits_and_nothing_is_late(tenant: EmptyTenant):
    queue = Queue(tenant, sent())
    queue.scenario.later(hours=49)
    queue.scenario.miss(Clock.DISPATCH)
    queue.scenario.hold(HoldReason.FRAUD_REVIEW)
    queue.scenario.pack()
    queue.scenario.charge_back(1_500)
    assert len(await queue.all()) == 4
    queue.scenario.cancel()
    queue.scenario.answer_cancel(agreed=True)
    assert await queue.all() == []


async def test_holds_go_to_those_who_can_end_them_and_money_is_only_waited_for(tenant: EmptyTenant):
    queue = Queue(tenant, a_shop(tea=1))
    queue.scenario.place(line(1, "tea", 5), payment=PaymentState.PENDING)
    queue.scenario.place(line(1, "", 0), order_id="shopify/2")
    assert sorted(await queue.what()) == [
        (WorkKind.HOLD, "incomplete: lines[0].sku, lines[0].quantity", Owner.OPERATIONS),
        (WorkKind.HOLD, "out_of_stock", Owner.SUPPLIER_MANAGER),
    ]


async def test_a_breach_is_work_until_it_happens_or_is_withdrawn(tenant: EmptyTenant):
    queue = Queue(tenant, sent())
    queue.scenario.later(hours=49)
    queue.scenario.miss(Clock.ACKNOWLEDGE)
    queue.scenario.miss(Clock.DISPATCH)
    found = await queue.all()
    assert [(each.because, each.due, each.supplier_order_id, each.supplier_id) for each in found] == [
        ("acknowledge", NOON + 24 * HOUR, FIRST, "acme"),
        ("dispatch", NOON + 48 * HOUR, FIRST, "acme"),
    ]
    queue.scenario.ship()
    assert await queue.all() == []


def a_late_order(bolt_has: int) -> Scenario:
    """Acme has not sent 3 of tea in time, which Bolt offers too, nor an ink that nobody else offers."""
    scenario = sent(line(1, "tea", 3), line(2, "ink", 1))
    scenario.offer(supplier_id="bolt")
    scenario.feed(bolt_has, supplier_id="bolt")
    scenario.later(hours=49)
    scenario.miss(Clock.DISPATCH)
    return scenario


async def test_a_breach_says_what_came_of_giving_the_units_to_another_supplier(tenant: EmptyTenant):
    queue = Queue(tenant, a_late_order(bolt_has=4))
    (breach,) = await queue.all()
    queue.scenario.reroute_overdue()
    (asked,) = await queue.all()
    nobody = "nobody else qualifies for 1 of ink"
    assert asked.because == f"dispatch; asked to give its units up and has not answered; {nobody}"
    assert asked.task_id == breach.task_id, "it is the same work, whoever has claimed it"
    queue.scenario.answer_cancel(agreed=False)
    assert [each.because for each in await queue.all()] == [f"dispatch; did not give its units up; {nobody}"]
    queue.scenario.reroute({1: 3})
    queue.scenario.answer_cancel(agreed=True)
    assert [each.because for each in await queue.all()] == [f"dispatch; {nobody}", "send it"]
    queue.scenario.ship()
    queue.scenario.send(SECOND)
    assert await queue.all() == []


async def test_a_breach_says_what_the_others_have_against_them(tenant: EmptyTenant):
    queue = Queue(tenant, a_late_order(bolt_has=2))
    queue.scenario.reroute_overdue()
    assert [each.because for each in await queue.all()] == [
        "dispatch; nobody else qualifies for 3 of tea (bolt out of stock), 1 of ink"
    ]


async def test_what_came_late_before_anybody_noticed_is_no_work(tenant: EmptyTenant):
    queue = Queue(tenant, sent())
    queue.scenario.later(hours=50)
    queue.scenario.ship()
    assert await queue.all() == []


async def test_a_first_scan_that_is_missing_is_work_until_the_carrier_scans(tenant: EmptyTenant):
    queue = Queue(tenant, shipped())
    queue.scenario.later(hours=37)
    queue.scenario.miss_first_scan()
    (breach,) = await queue.all()
    assert (breach.because, breach.carrier, breach.number, breach.order_id) == ("first_scan", "dhl", "P1", ORDER)
    queue.scenario.scan(ParcelStatus.IN_TRANSIT)
    assert await queue.all() == []


async def test_a_parcel_that_left_under_a_hold_is_work_until_the_hold_ends(tenant: EmptyTenant):
    queue = Queue(tenant, sent())
    queue.scenario.hold(HoldReason.FRAUD_REVIEW)
    queue.scenario.pack()
    assert (WorkKind.ODDITY, "packed on hold: fraud_review", Owner.OPERATIONS) in await queue.what()
    queue.scenario.ship()
    odd = [each for each in await queue.all() if each.kind is WorkKind.ODDITY]
    assert [(each.because, each.supplier_order_id) for each in odd] == [("left on hold: fraud_review", FIRST)]
    queue.scenario.release(HoldReason.FRAUD_REVIEW)
    assert await queue.all() == []


async def test_a_dispatch_at_a_time_that_cannot_be_right_is_work(tenant: EmptyTenant):
    queue = Queue(tenant, sent())
    queue.scenario.ship(at=NOON - 30 * DAY)
    (odd,) = [each for each in await queue.all() if each.kind is WorkKind.ODDITY]
    assert (odd.because, odd.due) == ("left 2026-01-31 12:00Z, before it can have been", NOON)


async def test_a_parcel_in_trouble_is_work_until_it_moves(tenant: EmptyTenant):
    queue = Queue(tenant, shipped())
    queue.scenario.scan(ParcelStatus.CUSTOMS_HELD)
    (held,) = await queue.all()
    queue.scenario.later(hours=1)
    queue.scenario.scan(ParcelStatus.CUSTOMS_HELD)
    assert await queue.all() == [held]
    queue.scenario.later(hours=1)
    queue.scenario.scan(ParcelStatus.IN_TRANSIT)
    assert await queue.all() == []
    queue.scenario.later(days=15)
    queue.scenario.suspect_loss()
    assert await queue.what() == [(WorkKind.PARCEL, "suspected_lost", Owner.OPERATIONS)]
    queue.scenario.scan(ParcelStatus.LOST)
    assert await queue.what() == [(WorkKind.PARCEL, "lost", Owner.AFTER_SALES)]


async def test_work_about_a_box_names_all_its_orders_and_is_found_by_each(tenant: EmptyTenant):
    queue = Queue(tenant, a_box())
    queue.scenario.scan(ParcelStatus.CUSTOMS_HELD)
    for order_id in (ORDER, "shopify/2"):
        (held,) = await queue.all(order_id=order_id)
        assert (held.order_id, held.further_order_ids) == (ORDER, ("shopify/2",))
    assert await queue.all(order_id="shopify/3") == []
    async with asking(tenant) as where:
        (counted,) = (await work.count_work(where, WorkFilter(order_id="shopify/2", now=queue.scenario.now))).rows
        assert counted.pieces == 1


def a_box() -> Scenario:
    """A parcel of two orders."""
    scenario = shipped()
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.send("shopify/2/1")
    scenario.ship(supplier_order_id="shopify/2/1")
    return scenario


async def test_the_next_step_names_the_line_of_a_parcel_that_came_back_and_that_nobody_has_looked_at(
    tenant: EmptyTenant,
):
    scenario = shipped(line(1, "tea", 2), line(2, "mug", 1))
    scenario.scan(ParcelStatus.RETURNED)
    queue, desk = Queue(tenant, scenario), Desk(scenario)
    desk.opens(Reason.REFUSED, {1: 2, 2: 1})
    for line_no, count in ((1, 2), (2, 1)):
        (back,) = [each for each in await queue.all() if each.kind is WorkKind.PARCEL]
        assert back.next.fields == {"case_id": "case-1", "lines": [{"line_no": line_no}]}
        desk.inspects(line_no=line_no, restocked=count)
    assert [each.kind for each in await queue.all()] == [WorkKind.CASE]


async def test_what_is_damaged_in_a_box_is_work_for_each_order(tenant: EmptyTenant):
    queue = Queue(tenant, a_box())
    queue.scenario.scan(ParcelStatus.DAMAGED)
    found = await queue.all()
    assert [(each.order_id, each.because, each.next.fields["lines"]) for each in found] == [
        (ORDER, "damaged", [{"line_no": 1, "units": 3}]),
        ("shopify/2", "damaged", [{"line_no": 1, "units": 1}]),
    ]
    assert len({each.task_id for each in found}) == 2


@pytest.mark.parametrize("decision", ["it pays a part", "a present", "it says no"])
async def test_a_parcel_that_was_lost_and_refunded_and_arrives_is_work_until_somebody_decides(
    tenant: EmptyTenant, decision: str
):
    queue = Queue(tenant, shipped())
    queue.scenario.scan(ParcelStatus.LOST)
    queue.scenario.later(days=1)
    queue.scenario.pay(PaymentState.REFUNDED)
    assert await queue.all() == []
    queue.scenario.later(days=1)
    queue.scenario.scan(ParcelStatus.DELIVERED)
    (found,) = await queue.all()
    assert found.because.startswith("the customer has the goods and 15.00 EUR back")
    assert (found.owner, found.order_id, found.number) == (Owner.AFTER_SALES, ORDER, "P1")
    assert (found.next.step, found.next.fields) == (Step.ANSWER_RECOVERY, {"recovery_id": "dhl/P1/1/found"})
    recovery = Recovering(queue.scenario, "dhl/P1/1/found")
    if decision == "it says no":
        recovery.dispute(decision)
        (disputed,) = await queue.all()
        assert disputed.because == "settle the dispute"
    if decision == "it pays a part":
        recovery.accept(700)
    else:
        recovery.write_off(decision)
    assert await queue.all() == []


async def test_a_parcel_that_was_lost_and_arrives_before_anything_was_given_is_no_work(tenant: EmptyTenant):
    queue = Queue(tenant, shipped())
    queue.scenario.scan(ParcelStatus.LOST)
    queue.scenario.later(days=1)
    queue.scenario.scan(ParcelStatus.DELIVERED)
    assert await queue.all() == []


async def test_a_shipment_under_another_parcels_last_mile_is_work_until_it_is_corrected(tenant: EmptyTenant):
    queue = Queue(tenant, shipped())
    scenario = queue.scenario
    scenario.hand_over()
    scenario.approve("bolt")
    scenario.feed(5, supplier_id="bolt")
    scenario.place(line(1, "tea", 1, "bolt"), order_id="shopify/2")
    scenario.send("shopify/2/1")
    scenario.ship(supplier_order_id="shopify/2/1", number="L1")
    (odd,) = [each for each in await queue.all() if each.kind is WorkKind.ODDITY]
    assert "the number of another parcel's last mile" in odd.because
    scenario.correct_number("L1", "L7", "shopify/2/1")
    assert [each for each in await queue.all() if each.kind is WorkKind.ODDITY] == []


@pytest.mark.parametrize(
    ("incoterm", "asks", "asks_of", "owner", "because", "step"),
    [
        (Incoterm.DAP, CustomsAsk.PAYMENT, None, Owner.AFTER_SALES, "payment, from the customer", Step.RECORD_SCAN),
        (Incoterm.DDP, CustomsAsk.PAYMENT, None, Owner.OPERATIONS, "payment, from the retailer", Step.RECORD_SCAN),
        (None, CustomsAsk.DOCUMENTS, None, Owner.OPERATIONS, "documents, from the retailer", Step.RECORD_SCAN),
        (
            Incoterm.DDP, CustomsAsk.DOCUMENTS, Party.CUSTOMER, Owner.AFTER_SALES, "documents, from the customer",
            Step.RECORD_SCAN,
        ),
        (
            Incoterm.DAP, CustomsAsk.DOCUMENTS, Party.SUPPLIER, Owner.SUPPLIER_MANAGER, "documents, from the supplier",
            Step.ASK_INQUIRY,
        ),
    ],
)  # fmt: skip
async def test_what_customs_asks_is_due_when_the_answer_is_and_asked_of_who_has_it(
    tenant: EmptyTenant,
    incoterm: Incoterm | None,
    asks: CustomsAsk,
    asks_of: Party | None,
    owner: Owner,
    because: str,
    step: Step,
):
    queue = Queue(tenant, shipped(incoterm=incoterm))
    answer_by = NOON + 5 * DAY
    scan = Checkpoint(
        queue.scenario.now, ParcelStatus.CUSTOMS_HELD,
        customs_asks=asks, customs_answer_by=answer_by, customs_asks_of=asks_of,
    )  # fmt: skip
    queue.scenario.scans(scan)
    (work,) = await queue.all()
    assert (work.owner, work.due, work.because) == (owner, answer_by, f"customs_held: {because}")
    assert work.next.step is step
    assert queue.scenario.scans(scan) == []


@pytest.mark.parametrize("historical", [False, True])
@pytest.mark.parametrize("announced", [False, True])
async def test_an_order_that_is_recorded_for_its_figures_leaves_no_work(
    tenant: EmptyTenant, historical: bool, announced: bool
):
    queue = Queue(tenant, a_shop(tea=10))
    scenario = queue.scenario
    if announced:
        scenario.announce("P1")
    scenario.place(line(1, "", 2), line(2, "tea", 1), order_id="shopify/2", historical=historical)
    scenario.place(historical=historical)
    scenario.send()
    scenario.later(hours=49)
    scenario.miss(Clock.DISPATCH)
    seen = set(await queue.what())
    scenario.ship(at=NOON - 30 * DAY)
    seen |= set(await queue.what())
    scenario.later(hours=37)
    scenario.miss_first_scan()
    seen |= set(await queue.what())
    scenario.later(days=15)
    scenario.suspect_loss()
    seen |= set(await queue.what())
    kinds = {kind for kind, _, _ in seen}
    assert kinds == (set() if historical else {WorkKind.HOLD, WorkKind.BREACH, WorkKind.ODDITY, WorkKind.PARCEL})


async def test_a_parcel_that_arrives_back_is_the_same_piece_of_work(tenant: EmptyTenant):
    queue = Queue(tenant, shipped())
    queue.scenario.scan(ParcelStatus.RETURNED)
    (returned,) = await queue.all()
    queue.scenario.later(hours=1)
    queue.scenario.scan(ParcelStatus.DELIVERED)
    assert await queue.all() == [returned]


async def test_a_question_is_work_for_us_and_for_a_supplier_that_is_late(tenant: EmptyTenant):
    queue = Queue(tenant, sent())
    by_customer = InquiryAsked("q1", Party.CUSTOMER, Party.RETAILER, Topic.DISPATCH, ORDER, NOON, answer_by=NOON + DAY)
    of_supplier = InquiryAsked(
        "q2", Party.RETAILER, Party.SUPPLIER, Topic.STOCK, ORDER, NOON, FIRST, "acme", NOON + DAY
    )
    queue.record((inquiries.stream("q1"), by_customer), (inquiries.stream("q2"), of_supplier))
    assert await queue.what() == [(WorkKind.INQUIRY, "dispatch, asked by customer", Owner.AFTER_SALES)]
    missed = inquiries.InquiryAnswerMissed("q2", NOON + DAY, NOON + DAY, "acme")
    queue.record(
        (inquiries.stream("q2"), missed), (inquiries.stream("q1"), InquiryAnswered("q1", NOON + 2 * HOUR, by="mia"))
    )
    assert await queue.what() == [(WorkKind.INQUIRY, "stock, not answered by supplier", Owner.SUPPLIER_MANAGER)]
    queue.record((inquiries.stream("q2"), InquiryAnswered("q2", NOON + 2 * DAY, by="acme")))
    assert await queue.what() == []


async def test_an_alert_is_one_piece_of_work_until_it_ends(tenant: EmptyTenant):
    queue = Queue(tenant, a_shop(tea=10))
    tea = stock.stream("acme", "tea")
    queue.write((tea, stock.Oversold("acme", "tea", 2, ("shopify/2",), NOON)))
    (oversold,) = await queue.all()
    assert (oversold.kind, oversold.owner, oversold.because, oversold.supplier_id, oversold.sku) == (
        WorkKind.STOCK,
        Owner.OPERATIONS,
        "oversold: 2 short: shopify/2",
        "acme",
        "tea",
    )
    queue.write(
        (tea, stock.Oversold("acme", "tea", 4, ("shopify/2", "shopify/1"), NOON + HOUR)),
        (tea, stock.StockLow("acme", "tea", 1, 3, NOON)),
    )
    assert {each.task_id for each in await queue.all()} >= {oversold.task_id}
    assert len(await queue.all()) == 2
    queue.write(
        (tea, AlertEnded("acme", "tea", Alert.OVERSOLD, 5, NOON)),
        (tea, AlertEnded("acme", "tea", Alert.LOW, 5, NOON)),
        (tea, stock.Oversold("acme", "tea", 1, (), NOON + DAY)),
    )
    (again,) = await queue.all()
    assert again.task_id not in ("", oversold.task_id)


async def test_a_case_is_work_while_the_next_step_is_ours(tenant: EmptyTenant):
    desk = Desk(delivered())
    queue = Queue(tenant, desk.scenario)
    steps = []
    for step in (
        desk.opens,
        desk.asks,
        desk.files,
        desk.reviews,
        lambda: desk.rules(Party.SUPPLIER, PHOTO),
        lambda: desk.approves(Remedy.RETURN),
        desk.labels,
        lambda: desk.receives({1: 1}),
        lambda: desk.inspects(not_restocked=1),
        desk.grants,
        desk.pays,
    ):
        step()
        steps.append([(each.because, each.owner) for each in await queue.all() if each.kind is WorkKind.CASE])
    assert [found[0][0] if found else "" for found in steps] == [
        "answer the customer, then look at it",
        "",
        "look at the evidence",
        "rule on liability",
        "approve a remedy or deny it",
        "carry out the return",
        "",
        "inspect what came back",
        "decide the refund",
        "pay the refund",
        "",
    ]
    assert {owner for found in steps for _, owner in found} == {Owner.AFTER_SALES}


async def test_a_case_whose_evidence_does_not_come_is_work_once_it_was_due(tenant: EmptyTenant):
    desk = Desk(delivered())
    desk.opens()
    desk.asks()
    desk.scenario.later(days=7)
    desk.asks("photo_of_label")
    queue, due = Queue(tenant, desk.scenario), desk.case().evidence_by
    assert due is not None
    desk.scenario.now = due - HOUR
    assert await queue.all() == []
    desk.scenario.now = due
    (late,) = await queue.all()
    assert (late.because, late.due) == ("deny it or ask again: no evidence came", due)


async def test_a_proposal_to_suspend_is_work_until_somebody_decides(tenant: EmptyTenant):
    queue = Queue(tenant, a_shop())
    rate = Rate(RateName.ON_TIME_DISPATCH, 10, 30, NOON - 90 * DAY, NOON, 9500)
    queue.record((suppliers.stream("acme"), reviews.SuspensionProposed("acme", rate, NOON)))
    (proposal,) = await queue.all()
    assert (proposal.kind, proposal.owner, proposal.supplier_id) == (
        WorkKind.SUSPENSION,
        Owner.SUPPLIER_MANAGER,
        "acme",
    )
    assert proposal.because == "on_time_dispatch misses its target"
    queue.scenario.suspend()
    assert await queue.all() == []


async def test_a_message_that_was_given_up_is_work_until_it_is_tried_again(tenant: EmptyTenant):
    queue = Queue(tenant, a_shop())
    kind = messages.MessageKind.DISPATCH_INSTRUCTION
    asked = MessageAsked("m-1", kind, Audience.SUPPLIER, About(ORDER, FIRST, "acme"), "acme", "en", 1, NOON, NOON, 1)
    stream = messages.stream("m-1")
    queue.record((stream, asked), (stream, MessageGivenUp("m-1", 12, "timeout", NOON)))
    assert await queue.what() == [(WorkKind.MESSAGE, "dispatch_instruction: timeout", Owner.SUPPLIER_MANAGER)]
    queue.record((stream, MessageRetried("m-1", "mia", NOON)))
    assert await queue.what() == []


# --- asking -----------------------------------------------------------------------------------------


async def test_work_is_listed_by_owner_due_time_order_and_who_has_it(tenant: EmptyTenant):
    scenario = sent(line(1, "tea", 1), line(2, "ink", 1, "bolt"))
    scenario.hold(HoldReason.CUSTOMER_REQUEST, "mia", supplier_order_id=FIRST)
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.later(hours=1)
    scenario.hold(HoldReason.BAD_ADDRESS, order_id="shopify/2")
    scenario.later(hours=48)
    scenario.miss(Clock.DISPATCH, f"{ORDER}/2")
    queue = Queue(tenant, scenario)
    whole = await queue.all()
    assert [each.because for each in whole] == ["customer_request", "bad_address", "dispatch"]
    assert [each.because for each in await queue.all(owner=Owner.AFTER_SALES)] == ["customer_request"]
    assert [each.because for each in await queue.all(until=NOON + HOUR)] == ["customer_request"]
    assert [each.because for each in await queue.all(order_id="shopify/2")] == ["bad_address"]
    first, second, third = (each.task_id for each in whole)
    queue.record(
        (tasks.stream(first), TaskClaimed(first, "mia", NOON)),
        (tasks.stream(second), TaskClaimed(second, "tom", NOON)),
        (tasks.stream(second), TaskReleased(second, "tom", NOON)),
        (tasks.stream(third), TaskFinished(third, "done", "tom", NOON)),
    )
    assert [(each.because, each.claimed_by) for each in await queue.all()] == [
        ("customer_request", "mia"),
        ("bad_address", ""),
    ]
    assert [each.because for each in await queue.all(unclaimed=True)] == ["bad_address"]
    assert [each.because for each in await queue.all(claimed_by="mia")] == ["customer_request"]
    async with asking(tenant) as where:
        page = await work.list_work(where, PageOf(1))
        rest = await work.list_work(where, PageOf(1, page.next_page_token))
        assert [each.because for each in (*page.rows, *rest.rows)] == ["customer_request", "bad_address"]
        assert rest.next_page_token == ""


async def test_work_is_listed_and_counted_by_kind_and_supplier(tenant: EmptyTenant):
    scenario = sent(line(1, "tea", 1), line(2, "ink", 1, "bolt"))
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.hold(HoldReason.BAD_ADDRESS, order_id="shopify/2")
    scenario.later(hours=49)
    for supplier_order_id in (FIRST, SECOND):
        scenario.miss(Clock.DISPATCH, supplier_order_id)
    queue = Queue(tenant, scenario)
    assert [each.kind for each in await queue.all()] == [WorkKind.HOLD, WorkKind.BREACH, WorkKind.BREACH]
    assert [each.kind for each in await queue.all(kinds=[WorkKind.HOLD])] == [WorkKind.HOLD]
    assert len(await queue.all(kinds=[WorkKind.HOLD, WorkKind.BREACH])) == 3
    assert [each.supplier_order_id for each in await queue.all(supplier_id="bolt")] == [SECOND]
    first = (await queue.all(kinds=[WorkKind.BREACH]))[0]
    queue.record((tasks.stream(first.task_id), TaskClaimed(first.task_id, "mia", NOON)))
    assert len(await queue.all()) == 3
    now = NOON + 48 * HOUR
    async with asking(tenant) as where:
        counts = (await work.count_work(where, WorkFilter(now=now))).rows
        assert [(each.kind, each.owner, each.pieces, each.overdue, each.unclaimed) for each in counts] == [
            (WorkKind.BREACH, Owner.OPERATIONS, 2, 0, 1),
            (WorkKind.HOLD, Owner.OPERATIONS, 1, 1, 1),
        ]
        assert counts[0].first_due == first.due
        later = (await work.count_work(where, WorkFilter(supplier_id="bolt", now=now + HOUR))).rows
        assert [(each.kind, each.pieces, each.overdue) for each in later] == [(WorkKind.BREACH, 1, 1)]
        assert (await work.count_work(where, WorkFilter(owner=Owner.AFTER_SALES))).rows == []


async def test_what_is_put_off_is_back_by_itself_and_a_team_finds_what_it_is_to_do(tenant: EmptyTenant):
    scenario = sent()
    scenario.hold(HoldReason.BAD_ADDRESS)
    queue = Queue(tenant, scenario)
    (job,) = await queue.all()
    stream = tasks.stream(job.task_id)
    queue.record(
        (stream, TaskPutOff(job.task_id, "mia", NOON, NOON + DAY)),
        (stream, TaskAssigned(job.task_id, "boss", NOON, team="night")),
    )
    for now, put_off, found in (
        (NOON + DAY - HOUR, False, 0),
        (NOON + DAY - HOUR, True, 1),
        (NOON + DAY, False, 1),
        (NOON + DAY, True, 0),
    ):
        assert len(await queue.all(now=now, put_off=put_off)) == found, (now, put_off)
    (theirs,) = await queue.all(team="night")
    assert (theirs.team, theirs.put_off_until, theirs.claimed_by, theirs.claimed_at) == ("night", NOON + DAY, "", None)
    assert await queue.all(team="day") == []
    assert len(await queue.all(unclaimed=True)) == 1
    queue.record((stream, TaskAssigned(job.task_id, "boss", NOON + HOUR, "tom", "night")))
    (toms,) = await queue.all(claimed_by="tom")
    assert (toms.claimed_by, toms.claimed_at) == ("tom", NOON + HOUR)
    assert await queue.all(unclaimed=True) == []
    queue.record((stream, TaskPutOff(job.task_id, "tom", NOON + HOUR)))
    assert len(await queue.all(now=NOON, put_off=False)) == 1


async def test_a_queue_that_is_rebuilt_is_the_same(tenant: EmptyTenant):
    scenario = sent()
    scenario.hold(HoldReason.BAD_ADDRESS)
    scenario.later(hours=49)
    scenario.miss(Clock.DISPATCH)
    queue = Queue(tenant, scenario)
    tea = stock.stream("acme", "tea")
    for hours in range(3):
        queue.write((tea, stock.Oversold("acme", "tea", 1 + hours, (), NOON + hours * HOUR)))
        await queue.all()
    (first, *_) = await queue.all()
    queue.record(
        (tasks.stream(first.task_id), TaskClaimed(first.task_id, "mia", NOON)),
        (tasks.stream(first.task_id), TaskPutOff(first.task_id, "mia", NOON, NOON + DAY)),
        (tasks.stream(first.task_id), TaskAssigned(first.task_id, "boss", NOON + HOUR, "tom", "night")),
    )
    before, rows = await queue.all(), contents(tenant)
    assert rebuild(tenant, "work").equal
    begin_again(tenant)
    catch_up(tenant)
    assert (await queue.all(), contents(tenant)) == (before, rows)
