"""Timers: what ran out is known by a request id, and what is noticed stands in the stream that it is about."""

import pytest

from ledger.decisions.timers import (
    TIMERS,
    AcknowledgeDue,
    AnswerDue,
    CancelAnswerDue,
    ClaimEligibleDue,
    ClaimFilingDue,
    DeliveryDue,
    DispatchDue,
    DraftDue,
    FeedDue,
    FirstAnswerDue,
    FirstScanDue,
    ListingDue,
    LossDue,
    RecoveryAnswerDue,
    RefundPaidDue,
    RerouteDue,
    ReservationDue,
    ReshipDue,
    ResolutionDue,
    RetentionDue,
    ReturnWindowDue,
    SendDue,
    StockUpAnswerDue,
    SupplierContactDue,
    Timer,
    WaitingDue,
    timer,
)
from ledger.terms.clocks import Clock
from tests.support.scenario import FIRST, NOON, ORDER, sent

AT = "2026-03-02T12:00:00+00:00:0"
IDS = [
    (AcknowledgeDue(FIRST, due=NOON), "acknowledge:shopify/1/shopify/1/1", "order-shopify/1"),
    (DispatchDue(FIRST, due=NOON), "dispatch:shopify/1/shopify/1/1", "order-shopify/1"),
    (SendDue(FIRST, due=NOON), "send:shopify/1/shopify/1/1", "order-shopify/1"),
    (DraftDue(FIRST, due=NOON), "draft:shopify/1/shopify/1/1", "order-shopify/1"),
    (CancelAnswerDue(f"{FIRST}#2", due=NOON), "cancel_answer:shopify/1/shopify/1/1#2", "order-shopify/1"),
    (DeliveryDue(ORDER, due=NOON), "delivery:shopify/1/shopify/1", "order-shopify/1"),
    (FirstScanDue("dhl/P1/2", due=NOON), "first_scan:dhl/P1/2", "parcel-dhl/P1"),
    (AnswerDue("q1", due=NOON), "answer:q1", "inquiry-q1"),
    (StockUpAnswerDue("s1", due=NOON), "stock_up_answer:s1", "stock_up-s1"),
    (FirstAnswerDue("c1", due=NOON), "first_answer:c1", "case-c1"),
    (ResolutionDue("c1/acme", due=NOON), "resolution:c1/acme", "case-c1"),
    (RefundPaidDue("c1/r1", due=NOON), "refund_paid:c1/r1", "case-c1"),
    (ClaimFilingDue("r1", due=NOON), "claim_filing:r1", "recovery-r1"),
    (RecoveryAnswerDue("r1", due=NOON), "recovery_answer:r1", "recovery-r1"),
    (ClaimEligibleDue("r1", due=NOON), "claim_eligible:r1", "recovery-r1"),
    (LossDue("dhl", "P1", 2, due=NOON), "loss:dhl/P1/2", "parcel-dhl/P1"),
    (ReservationDue("acme", "tea", "cart", due=NOON), "reservation:acme/tea/cart", "stock-acme/tea"),
    (FeedDue("acme", "tea", due=NOON), "feed:acme/tea", "stock-acme/tea"),
    (ListingDue("acme", "tea", "1-7", due=NOON), "listing:acme/tea/1-7", "sku-tea"),
    (ReturnWindowDue(ORDER, due=NOON), "return_window:shopify/1", "order-shopify/1"),
    (WaitingDue(ORDER, "7-1", due=NOON), "waiting:shopify/1/7-1", "order-shopify/1"),
    (RerouteDue(FIRST, Clock.DISPATCH, due=NOON), "reroute:shopify/1/shopify/1/1/dispatch", "order-shopify/1"),
    (ReshipDue("c1", due=NOON), "reship:c1", "case-c1"),
    (RetentionDue(ORDER, due=NOON), "retention:shopify/1", "order-shopify/1"),
    (SupplierContactDue("acme", due=NOON), "supplier_contact:acme", "supplier-acme"),
]
"""Processes of other versions run beside this one: an id that changes is a thing that is noticed twice."""


@pytest.mark.parametrize(("due", "request_id", "stream"), IDS, ids=[due.name for due, _, _ in IDS])
def test_what_ran_out_is_known_by_its_request_id(due: Timer, request_id: str, stream: str):
    assert (due.request(0), due.stream) == (f"{request_id}:{AT}", stream)
    assert due.request(3).endswith(":3")


def test_every_timer_and_clock_is_known_by_its_name():
    assert {due.name: type(due) for due, _, _ in IDS} == TIMERS
    assert set(Clock) <= TIMERS.keys()


def test_a_read_model_names_a_timer_in_texts():
    assert timer("loss", ["dhl", "P1", "2"], NOON) == LossDue("dhl", "P1", 2, due=NOON)
    assert timer("reroute", [FIRST, "dispatch"], NOON) == RerouteDue(FIRST, Clock.DISPATCH, due=NOON)


def test_nothing_is_noticed_before_its_time_and_once_after_it():
    scenario = sent()
    due = AcknowledgeDue(FIRST, due=NOON)
    assert scenario.notice(due) == []
    scenario.later(hours=24)
    assert [fact.fact_name() for fact in scenario.notice(due)] == ["order.deadline_missed"]
    assert scenario.notice(due) == []
