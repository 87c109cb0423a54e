"""Every kind of work ends by itself when its reason has gone, and says before that what would end it.

A story sets a piece of work up, yields, and lets its reason go in the way it is named after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from adapters.rpc.work.shows import next_step
from ledger.decisions import stocking_up
from ledger.decisions.timers import ListingDue, StockUpAnswerDue
from ledger.facts import LineNo
from ledger.nouns import reviews, stock, suppliers
from ledger.nouns.cases import Reason, Remedy
from ledger.nouns.orders import CustomsLine, HoldReason, PaymentState
from ledger.nouns.parcels import Checkpoint, CustomsAsk, ParcelStatus
from ledger.nouns.stock import Alert, AlertEnded
from ledger.nouns.stock_ups import StockUpAnswered, StockUpAsked
from ledger.terms.clocks import Clock
from ledger.terms.money import Money
from ledger.terms.parties import Party
from ledger.terms.rates import Rate, RateName
from ledger.terms.shipping import Incoterm
from projections import work
from projections.machine.reads import PageOf
from projections.work import KINDS, Step, Work, WorkKind
from tests.support import edge_stories, message_stories
from tests.support.casework import PHOTO, Desk
from tests.support.invoicing import Invoicing, billed
from tests.support.projecting import asking, catch_up
from tests.support.recovering import Recovering, refund
from tests.support.scenario import (
    ANNA,
    DAY,
    GERMANY,
    HOUR,
    NOON,
    ORDER,
    TERMS,
    Scenario,
    a_shop,
    accept,
    confirmed,
    delivered,
    line,
    sent,
    shipped,
)
from tests.support.stalls import EmptyTenant

Story = Iterator[Scenario]
ANSWERS = replace(TERMS, effective_from=NOON - DAY, answer_within_hours=24)


class Ending(NamedTuple):
    """A story, and the work that stands until it goes on."""

    kind: WorkKind
    step: Step
    tell: Callable[[], Story]


STORIES: list[Ending] = []


def ends(kind: WorkKind, step: Step) -> Callable[[Callable[[], Story]], Callable[[], Story]]:
    def add(tell: Callable[[], Story]) -> Callable[[], Story]:
        STORIES.append(Ending(kind, step, tell))
        return tell

    return add


# --- holds ----------------------------------------------------------------------------------------


@ends(WorkKind.HOLD, Step.RELEASE_HOLD)
def a_hold_is_released() -> Story:
    scenario = sent()
    scenario.hold(HoldReason.FRAUD_REVIEW)
    yield scenario
    scenario.release(HoldReason.FRAUD_REVIEW)


@ends(WorkKind.HOLD, Step.RELEASE_HOLD)
def the_order_that_waits_is_cancelled() -> Story:
    scenario = confirmed()
    scenario.hold(HoldReason.CUSTOMER_REQUEST)
    yield scenario
    scenario.cancel()


@ends(WorkKind.HOLD, Step.COMPLETE_DETAILS)
def what_was_missing_comes_in() -> Story:
    scenario = a_shop(tea=10)
    scenario.place(line(1, "", 0))
    yield scenario
    scenario.complete(line(1, "tea", 1))


@ends(WorkKind.HOLD, Step.RECORD_PAYMENT)
def the_shop_says_how_the_payment_stands() -> Story:
    scenario = a_shop(tea=10)
    scenario.place(payment=PaymentState.UNKNOWN)
    yield scenario
    scenario.pay()


@ends(WorkKind.HOLD, Step.COMPLETE_CUSTOMS_DATA)
def what_customs_asks_for_comes_in() -> Story:
    scenario = Scenario()
    scenario.approve("acme", country="CN")
    scenario.feed(10)
    scenario.place(line(1, "tea", 3))
    yield scenario
    known = CustomsLine(LineNo(1), title="Tea", hs_code="090210", origin="CN", weight_grams=100)
    scenario.complete_customs(known, incoterm=Incoterm.DDP)


@ends(WorkKind.HOLD, Step.CHANGE_ADDRESS)
def a_bad_address_is_changed_and_the_hold_released() -> Story:
    scenario = confirmed()
    scenario.hold(HoldReason.BAD_ADDRESS)
    yield scenario
    scenario.later(hours=1)
    scenario.change_address(ANNA, GERMANY)
    scenario.release(HoldReason.BAD_ADDRESS)


@ends(WorkKind.HOLD, Step.CONFIRM_ORDER)
def what_was_out_of_stock_comes_in() -> Story:
    scenario = a_shop(tea=1)
    scenario.place(line(1, "tea", 5))
    yield scenario
    scenario.feed(10)


@ends(WorkKind.HOLD, Step.CANCEL_ORDER)
def money_that_went_back_comes_again() -> Story:
    scenario = sent()
    scenario.charge_back(1_500)
    yield scenario
    scenario.pay(PaymentState.FAILED)
    scenario.pay(PaymentState.PAID)


# --- breaches -------------------------------------------------------------------------------------


@ends(WorkKind.BREACH, Step.ACKNOWLEDGE)
def a_late_supplier_acknowledges() -> Story:
    scenario = sent()
    scenario.later(hours=25)
    scenario.miss(Clock.ACKNOWLEDGE)
    yield scenario
    scenario.answer({1: accept(3)})


@ends(WorkKind.BREACH, Step.REROUTE)
def a_late_supplier_ships() -> Story:
    scenario = sent()
    scenario.later(hours=49)
    scenario.miss(Clock.DISPATCH)
    yield scenario
    scenario.ship()


@ends(WorkKind.BREACH, Step.REROUTE)
def what_was_late_is_cancelled() -> Story:
    scenario = sent()
    scenario.later(hours=49)
    scenario.miss(Clock.DISPATCH)
    yield scenario
    scenario.cancel()
    scenario.answer_cancel(agreed=True)


@ends(WorkKind.BREACH, Step.ANSWER_CANCEL)
def a_late_supplier_gives_its_units_up() -> Story:
    scenario = sent()
    scenario.offer(supplier_id="bolt")
    scenario.feed(10, supplier_id="bolt")
    scenario.later(hours=49)
    scenario.miss(Clock.DISPATCH)
    scenario.reroute_overdue()
    yield scenario
    scenario.answer_cancel(agreed=True)


@ends(WorkKind.BREACH, Step.ASK_INQUIRY)
def what_is_past_its_promise_arrives() -> Story:
    scenario = shipped(promised_by=NOON + DAY)
    scenario.later(days=2)
    scenario.miss(Clock.DELIVERY, ORDER)
    yield scenario
    scenario.scan(ParcelStatus.DELIVERED)


@ends(WorkKind.BREACH, Step.ASK_INQUIRY)
def the_carrier_scans_at_last() -> Story:
    scenario = shipped()
    scenario.later(hours=37)
    scenario.miss_first_scan()
    yield scenario
    scenario.scan(ParcelStatus.IN_TRANSIT)


@ends(WorkKind.BREACH, Step.SEND)
def a_draft_that_nobody_sent_is_sent() -> Story:
    scenario = confirmed()
    scenario.later(hours=25)
    scenario.miss(Clock.SEND)
    yield scenario
    scenario.send()


# --- parcels --------------------------------------------------------------------------------------


@ends(WorkKind.PARCEL, Step.RECORD_SCAN)
def customs_lets_a_parcel_go() -> Story:
    scenario = shipped()
    scenario.scan(ParcelStatus.CUSTOMS_HELD)
    yield scenario
    scenario.later(hours=1)
    scenario.scan(ParcelStatus.IN_TRANSIT)


@ends(WorkKind.PARCEL, Step.ASK_INQUIRY)
def customs_gets_the_papers_of_the_supplier() -> Story:
    scenario = shipped()
    held = Checkpoint(scenario.now, ParcelStatus.CUSTOMS_HELD, customs_asks=CustomsAsk.DOCUMENTS)
    scenario.scans(replace(held, customs_asks_of=Party.SUPPLIER))
    yield scenario
    scenario.later(hours=1)
    scenario.scan(ParcelStatus.IN_TRANSIT)


@ends(WorkKind.PARCEL, Step.CONFIRM_LOSS)
def a_parcel_that_seemed_lost_arrives() -> Story:
    scenario = shipped()
    scenario.later(days=15)
    scenario.suspect_loss()
    yield scenario
    scenario.scan(ParcelStatus.DELIVERED)


@ends(WorkKind.PARCEL, Step.OPEN_CASE)
def a_case_is_opened_for_what_was_lost() -> Story:
    scenario = shipped()
    scenario.scan(ParcelStatus.LOST)
    yield scenario
    Desk(scenario).opens(Reason.LOST, {1: 3})


@ends(WorkKind.PARCEL, Step.OPEN_CASE)
def what_was_lost_is_refunded_by_the_shop() -> Story:
    scenario = shipped()
    scenario.scan(ParcelStatus.LOST)
    yield scenario
    scenario.pay(PaymentState.REFUNDED)


@ends(WorkKind.PARCEL, Step.OPEN_CASE)
def a_damaged_parcel_arrives() -> Story:
    scenario = shipped()
    scenario.scan(ParcelStatus.DAMAGED)
    yield scenario
    scenario.later(hours=1)
    scenario.scan(ParcelStatus.DELIVERED)


@ends(WorkKind.PARCEL, Step.RECORD_INSPECTION)
def what_came_back_is_looked_at() -> Story:
    scenario = shipped()
    scenario.scan(ParcelStatus.RETURNED)
    desk = Desk(scenario)
    desk.opens(Reason.REFUSED, {1: 3})
    yield scenario
    desk.inspects(restocked=3)


# --- stock ----------------------------------------------------------------------------------------


@ends(WorkKind.STOCK, Step.RECORD_FEED)
def a_feed_covers_what_was_oversold() -> Story:
    scenario = confirmed()
    scenario.feed(1)
    yield scenario
    scenario.feed(10)


@ends(WorkKind.STOCK, Step.RECORD_FEED)
def a_feed_comes_after_all() -> Story:
    scenario = Scenario()
    scenario.approve("acme")
    scenario.feed(10)
    scenario.log.append((stock.stream("acme", "tea"), stock.FeedStale("acme", "tea", NOON, NOON)))
    yield scenario
    scenario.log.append((stock.stream("acme", "tea"), stock.FeedFresh("acme", "tea", NOON)))


@ends(WorkKind.STOCK, Step.ASK_STOCK_UP)
def a_low_level_rises_again() -> Story:
    scenario = a_shop(tea=10)
    scenario.threshold(5)
    scenario.feed(3)
    yield scenario
    scenario.feed(10)


@ends(WorkKind.STOCK, Step.ASK_STOCK_UP)
def what_was_running_out_does_not_any_more() -> Story:
    scenario = a_shop(tea=10)
    tea = stock.stream("acme", "tea")
    scenario.log.append((tea, stock.StockRunningOut("acme", "tea", 2, 20, 28, 3, NOON)))
    yield scenario
    scenario.log.append((tea, AlertEnded("acme", "tea", Alert.RUNNING_OUT, 9, NOON)))


# --- questions, recoveries, suppliers, messages -----------------------------------------------------


@ends(WorkKind.INQUIRY, Step.ANSWER_INQUIRY)
def a_customer_is_answered() -> Story:
    scenario = sent()
    scenario.ask("q1", Party.RETAILER)
    yield scenario
    scenario.answer_inquiry("q1")


@ends(WorkKind.INQUIRY, Step.ANSWER_INQUIRY)
def a_late_supplier_answers() -> Story:
    scenario = sent()
    scenario.agree_terms(ANSWERS)
    scenario.ask("q1")
    scenario.later(days=2)
    scenario.miss_answer("q1")
    yield scenario
    scenario.answer_inquiry("q1")


def _of_supplier() -> Recovering:
    recovering = Recovering(shipped())
    recovering.of_supplier(refund(1_000))
    return recovering


def _of_carrier(*steps: str) -> Recovering:
    recovering = Recovering(shipped())
    recovering.scenario.scan(ParcelStatus.LOST)
    recovering.scenario.later(days=30)
    recovering.of_carrier(refund(1_000))
    for step in steps:
        getattr(recovering, step)()
    return recovering


@ends(WorkKind.RECOVERY, Step.ANSWER_RECOVERY)
def a_dispute_is_settled() -> Story:
    recovering = _of_supplier()
    recovering.dispute()
    yield recovering.scenario
    recovering.accept(500)


@ends(WorkKind.RECOVERY, Step.ANSWER_RECOVERY)
def what_is_disputed_is_written_off() -> Story:
    recovering = _of_supplier()
    recovering.dispute()
    yield recovering.scenario
    recovering.write_off()


@ends(WorkKind.RECOVERY, Step.COLLECT_DOCUMENT)
def the_documents_of_a_claim_are_collected() -> Story:
    recovering = _of_carrier()
    yield recovering.scenario
    recovering.collect()


@ends(WorkKind.RECOVERY, Step.FILE_CLAIM)
def a_claim_is_filed() -> Story:
    recovering = _of_carrier("collect")
    yield recovering.scenario
    recovering.file()


@ends(WorkKind.RECOVERY, Step.APPEAL_CLAIM)
def a_denied_claim_is_appealed() -> Story:
    recovering = _of_carrier("collect", "file", "acknowledge", "deny")
    yield recovering.scenario
    recovering.appeal()


@ends(WorkKind.SUSPENSION, Step.ACCEPT_SUSPENSION)
def a_supplier_is_suspended() -> Story:
    scenario = a_shop()
    rate = Rate(RateName.ON_TIME_DISPATCH, 10, 30, NOON - 90 * DAY, NOON, 9500)
    scenario.record([(suppliers.stream("acme"), reviews.SuspensionProposed("acme", rate, NOON))])
    yield scenario
    scenario.suspend()


ends(WorkKind.RECEPTION, Step.REPLAY_RECEPTION)(edge_stories.what_a_shop_told_is_tried_again)
ends(WorkKind.EFFECT, Step.REPLAY_EFFECT)(edge_stories.what_could_not_be_told_is_tried_again)
for step, tell in message_stories.STORIES:
    ends(WorkKind.MESSAGE, step)(tell)


@ends(WorkKind.ODDITY, Step.RELEASE_HOLD)
def the_hold_under_which_a_parcel_left_is_released() -> Story:
    scenario = sent()
    scenario.hold(HoldReason.FRAUD_REVIEW)
    scenario.ship()
    yield scenario
    scenario.release(HoldReason.FRAUD_REVIEW)


@ends(WorkKind.ODDITY, Step.SHIP)
def what_was_voided_and_scanned_all_the_same_is_shipped_again() -> Story:
    scenario = shipped()
    scenario.void()
    scenario.later(hours=1)
    scenario.scan(ParcelStatus.IN_TRANSIT)
    yield scenario
    scenario.ship()


@ends(WorkKind.ODDITY, Step.SEND)
def the_instruction_of_a_draft_that_left_is_recorded_for_before() -> Story:
    scenario = confirmed()
    scenario.later(hours=2)
    scenario.ship()
    yield scenario
    scenario.send(at=NOON + 2 * HOUR)


@ends(WorkKind.ODDITY, Step.FINISH_WORK)
def a_unit_too_many_comes_back() -> Story:
    scenario = sent()
    scenario.ship({1: 4})
    yield scenario
    scenario.later(hours=1)
    scenario.scan(ParcelStatus.RETURNED)


# --- cases and money ------------------------------------------------------------------------------


def _case(*steps: str, remedy: Remedy = Remedy.REFUND) -> Desk:
    """A case that came so far, whose customer was answered."""
    desk = Desk(delivered())
    desk.opens()
    desk.answers()
    told: dict[str, Callable[[], Any]] = {
        "files": desk.files,
        "reviews": desk.reviews,
        "rules": lambda: desk.rules(Party.SUPPLIER, PHOTO),
        "approves": lambda: desk.approves(remedy),
        "labels": desk.labels,
        "receives": lambda: desk.receives({1: 1}),
        "inspects": lambda: desk.inspects(not_restocked=1),
        "grants": desk.grants,
    }
    for step in steps:
        told[step]()
    return desk


RULED = ("files", "reviews", "rules")


@ends(WorkKind.CASE, Step.ANSWER_CUSTOMER)
def a_case_whose_customer_waits_is_cancelled() -> Story:
    desk = Desk(delivered())
    desk.opens()
    yield desk.scenario
    desk.cancels()


@ends(WorkKind.CASE, Step.START_REVIEW)
def somebody_looks_at_a_case() -> Story:
    desk = _case()
    yield desk.scenario
    desk.reviews()


@ends(WorkKind.CASE, Step.DENY_CASE)
def evidence_comes_late() -> Story:
    desk = _case()
    desk.asks()
    desk.scenario.later(days=8)
    yield desk.scenario
    desk.files()


@ends(WorkKind.CASE, Step.RULE_LIABILITY)
def liability_is_ruled() -> Story:
    desk = _case("files", "reviews")
    yield desk.scenario
    desk.rules(Party.SUPPLIER, PHOTO)


@ends(WorkKind.CASE, Step.APPROVE_REMEDY)
def a_case_is_denied() -> Story:
    desk = _case(*RULED)
    yield desk.scenario
    desk.denies()


@ends(WorkKind.CASE, Step.LABEL_RETURN)
def the_label_of_a_return_is_made() -> Story:
    desk = _case(*RULED, "approves", remedy=Remedy.RETURN)
    yield desk.scenario
    desk.labels()


@ends(WorkKind.CASE, Step.RECORD_INSPECTION)
def what_the_customer_sent_back_is_inspected() -> Story:
    desk = _case(*RULED, "approves", "labels", "receives", remedy=Remedy.RETURN)
    yield desk.scenario
    desk.inspects(not_restocked=1)


@ends(WorkKind.CASE, Step.GRANT_REFUND)
def a_refund_is_granted() -> Story:
    desk = _case(*RULED, "approves", "labels", "receives", "inspects", remedy=Remedy.RETURN)
    yield desk.scenario
    desk.grants()


@ends(WorkKind.CASE, Step.RECORD_REFUND_PAID)
def a_refund_is_paid() -> Story:
    desk = _case(*RULED, "approves", "grants")
    yield desk.scenario
    desk.pays()


@ends(WorkKind.CASE, Step.DENY_REFUND)
def a_refund_that_a_chargeback_took_is_taken_back() -> Story:
    desk = _case(*RULED, "approves", "grants")
    desk.scenario.charge_back(1_400)
    yield desk.scenario
    desk.takes_back()


@ends(WorkKind.REFUND, Step.RECORD_REFUND_PAID)
def what_is_owed_is_paid_back() -> Story:
    scenario = confirmed()
    scenario.cancel({1: 1})
    yield scenario
    scenario.pays_owed()


# --- stock-ups, drafts, invoices, listings ----------------------------------------------------------


def _stock_up() -> Scenario:
    """Acme is asked for 100 of tea from the tenth day on, and has a day to answer."""
    scenario = a_shop(tea=50)
    scenario.agree_terms(ANSWERS)
    asked = StockUpAsked("s1", "acme", "tea", 100, NOON + 20 * DAY, NOON, "mia")
    scenario.record(stocking_up.ask(scenario.book, asked))
    return scenario


def _secures(scenario: Scenario, units: int) -> None:
    answered = StockUpAnswered("s1", units, scenario.now, NOON + 10 * DAY, "mia")
    scenario.record(stocking_up.answer(scenario.book, answered, scenario.now))


@ends(WorkKind.STOCK_UP, Step.ANSWER_STOCK_UP)
def a_supplier_says_what_it_secures() -> Story:
    scenario = _stock_up()
    scenario.later(days=3)
    scenario.notice(StockUpAnswerDue("s1", due=scenario.now))
    yield scenario
    _secures(scenario, 100)


@ends(WorkKind.STOCK_UP, Step.ASK_STOCK_UP)
def a_supplier_has_more_after_all() -> Story:
    scenario = _stock_up()
    _secures(scenario, 60)
    yield scenario
    scenario.later(hours=1)
    _secures(scenario, 100)


@ends(WorkKind.STOCK_UP, Step.RECORD_FEED)
def a_feed_shows_all_that_was_secured() -> Story:
    scenario = _stock_up()
    _secures(scenario, 100)
    scenario.later(days=11)
    scenario.feed(30)
    yield scenario
    scenario.later(days=1)
    scenario.feed(100)


@ends(WorkKind.DRAFT, Step.SEND)
def a_draft_is_sent() -> Story:
    scenario = confirmed()
    yield scenario
    scenario.send()


@ends(WorkKind.DRAFT, Step.SEND)
def a_draft_is_cancelled() -> Story:
    scenario = confirmed()
    yield scenario
    scenario.cancel()


def _billed(amount_minor: int) -> Invoicing:
    scenario = a_shop(tea=10)
    scenario.offer("tea", Money(250, "EUR"))
    scenario.place(line(1, "tea", 2))
    scenario.send()
    scenario.ship()
    invoicing = Invoicing(scenario)
    invoicing.record(billed(2, amount_minor))
    return invoicing


@ends(WorkKind.INVOICE, Step.DISPUTE_INVOICE)
def an_invoice_that_differs_is_approved() -> Story:
    invoicing = _billed(900)
    yield invoicing.scenario
    invoicing.approve()


@ends(WorkKind.INVOICE, Step.RECORD_CREDIT_NOTE)
def a_disputed_invoice_is_credited() -> Story:
    invoicing = _billed(900)
    invoicing.dispute()
    yield invoicing.scenario
    invoicing.credit(900)


@ends(WorkKind.INVOICE, Step.RETURN_PAYMENT)
def what_was_paid_too_much_is_approved() -> Story:
    invoicing = _billed(900)
    invoicing.pay(900)
    yield invoicing.scenario
    invoicing.approve()


@ends(WorkKind.LISTING, Step.FINISH_WORK)
def a_sku_can_be_sold_again() -> Story:
    scenario = a_shop(tea=0)
    scenario.offer()
    scenario.notice(ListingDue("acme", "tea", "0-1", due=NOON))
    yield scenario
    scenario.feed(5)
    scenario.notice(ListingDue("acme", "tea", "0-2", due=NOON))


# --- all of them ----------------------------------------------------------------------------------


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.tell.__name__)
async def test_work_ends_by_itself_when(tenant: EmptyTenant, story: Ending):
    telling = story.tell()
    scenario = next(telling)
    written = len(scenario.log)
    catch_up(tenant, scenario.log, [work.WORK])
    (stands,) = [each for each in await all_of(tenant) if (each.kind, each.next.step) == (story.kind, story.step)]
    assert next_step(stands.next).request.ByteSize() > 0, "its request is one that the contract has"
    assert next(telling, None) is None
    catch_up(tenant, scenario.log[written:], [work.WORK])
    assert stands.task_id not in [each.task_id for each in await all_of(tenant)]


def test_there_is_a_story_for_each_step_of_each_kind_of_work():
    declared = {(kind, step) for kind, what in KINDS.items() for step in what.steps}
    assert KINDS.keys() == set(WorkKind)
    assert {(each.kind, each.step) for each in STORIES} == declared


async def all_of(tenant: EmptyTenant) -> list[Work]:
    async with asking(tenant) as where:
        return (await work.list_work(where, PageOf(1000))).rows
