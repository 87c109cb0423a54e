"""Cases from the opening to the last step, and what they leave alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ledger.facts import Change
from ledger.nouns import cases, orders, recoveries
from ledger.nouns.cases import CaseStatus, Denial, Reason, Remedy
from ledger.nouns.orders import Header
from ledger.nouns.orders.after_sales import UnitsNotFree
from ledger.nouns.orders.supplier_orders import UnknownLine
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.parties import Party
from tests.support.casework import CASE, OTHER_PHOTO, PHOTO, Desk, agreed, approved, opened, reship_arrives, ruled
from tests.support.recovering import Recovering
from tests.support.scenario import DAY, HOUR, NOON, confirmed, delivered, line, names, refused, sent, shipped, the

# --- opening --------------------------------------------------------------------------------------


def test_a_case_takes_its_units_and_starts_the_clock_of_the_first_answer():
    desk = Desk(delivered())
    assert names(desk.opens()) == ["opened", "taken_into_case"]
    case = desk.case()
    assert (case.status, case.by_line, case.opened.suppliers) == (CaseStatus.OPENED, {1: 1}, {1: "acme"})
    assert case.opened.first_answer_by == desk.scenario.now + 24 * HOUR
    assert desk.scenario.order().after_sales.open_cases == [CASE]


def test_opening_the_same_case_twice_records_nothing():
    desk = opened()
    assert desk.opens() == []
    with refused(cases.CaseOpenedDifferently, "opened already"):
        desk.opens(Reason.QUALITY)


def test_a_case_names_an_order_and_lines_that_there_are():
    desk = Desk(delivered())
    with refused(orders.UnknownOrder, "no order shopify/7"):
        desk.opens(order_id="shopify/7")
    with refused(UnknownLine, "no line 4"):
        desk.opens(by_line={4: 1})
    with refused(cases.UnknownCase, "no case case-1"):
        desk.reviews()


def test_no_more_units_than_were_delivered_are_in_cases_together():
    desk = opened(by_line={1: 2})
    with refused(UnitsNotFree, "a case for 2 of line 1, 1 of it delivered", asked=2, free=1):
        desk.opens(by_line={1: 2}, case_id="case-2")
    assert desk.opens(by_line={1: 1}, case_id="case-2")


@pytest.mark.parametrize("reason", [r for r in Reason if r.about_arrived_units])
def test_what_has_not_arrived_is_neither_damaged_nor_wrong(reason: Reason):
    with refused(UnitsNotFree, "0 of it delivered"):
        Desk(shipped()).opens(reason)


@pytest.mark.parametrize("reason", [Reason.LOST, Reason.REFUSED])
def test_units_under_way_or_lost_can_be_lost_or_refused_but_not_those_that_never_left(reason: Reason):
    assert Desk(shipped()).opens(reason, {1: 3})
    lost = shipped()
    lost.scan(ParcelStatus.LOST)
    assert Desk(lost).opens(reason, {1: 3})
    with refused(UnitsNotFree, "0 of it not delivered"):
        Desk(sent()).opens(reason)


def test_late_is_what_is_under_way_after_its_promise():
    desk = Desk(shipped(promised_by=NOON + 5 * DAY))
    with refused(cases.NotLate, "is promised by 2026-03-07"):
        desk.opens(Reason.LATE)
    desk.scenario.later(days=6)
    assert desk.opens(Reason.LATE)
    with refused(cases.NotLate, "nothing was promised"):
        Desk(shipped()).opens(Reason.LATE)


def test_a_unit_that_was_late_and_arrives_stays_in_its_case():
    desk = Desk(shipped(promised_by=NOON + DAY))
    desk.scenario.later(days=2)
    desk.opens(Reason.LATE, {1: 3})
    desk.scenario.scan(ParcelStatus.DELIVERED)
    with refused(UnitsNotFree, "0 of it"):
        desk.opens(Reason.DAMAGED, case_id="case-2")


def test_what_the_customer_just_does_not_want_comes_within_the_return_window():
    scenario = delivered()
    scenario.later(days=14, seconds=1)
    desk = Desk(scenario)
    with refused(cases.OutsideReturnWindow, "closed at 2026-03-19 12:00Z"):
        desk.opens(Reason.CHANGED_MIND)
    assert desk.opens(Reason.DAMAGED), "what went wrong has no window: the ruling judges it"


def test_an_order_is_not_completed_while_a_case_is_open_and_opens_again_for_one():
    desk = opened()
    desk.scenario.later(days=30)
    assert desk.scenario.close_window() == []
    desk.reviews()
    desk.rules(Party.CUSTOMER)
    desk.denies()
    completed = the(orders.OrderCompleted, desk.scenario.close_window())
    assert completed.at == desk.scenario.now, "the case was closed after the window"
    desk.opens(Reason.QUALITY, case_id="case-2")
    assert desk.scenario.header() is Header.DELIVERED


# --- the machine ----------------------------------------------------------------------------------


def test_a_case_goes_from_opening_over_evidence_review_and_ruling_to_its_remedy():
    desk = opened()
    assert names(desk.asks("photo_of_label")) == ["evidence_requested"]
    assert desk.case().evidence_by == desk.scenario.now + 7 * DAY
    assert names(desk.files()) == ["evidence_added"]
    assert names(desk.reviews()) == ["review_started"]
    assert names(desk.rules(Party.SUPPLIER, PHOTO)) == ["liability_ruled"]
    assert names(desk.approves(Remedy.REFUND)) == ["remedy_approved"]
    assert names(desk.grants()) == ["refund_granted", "refund_booked"]
    assert desk.status() is CaseStatus.IN_REMEDY
    assert names(desk.pays()) == ["refund_paid", "refund_paid_back", "resolved", "case_closed"]
    assert desk.status() is CaseStatus.RESOLVED


def test_doing_a_step_twice_records_nothing():
    desk = opened()
    for step in (
        lambda: desk.asks("photo"),
        lambda: desk.files(),
        lambda: desk.reviews(),
        lambda: desk.rules(Party.SUPPLIER, PHOTO),
        lambda: desk.approves(Remedy.RETURN),
        lambda: desk.labels(),
        lambda: desk.sends_back(),
        lambda: desk.receives({1: 1}),
        lambda: desk.inspects(restocked=1),
        lambda: desk.grants(),
        lambda: desk.pays(),
    ):
        assert step()
        assert step() == []
    assert desk.status() is CaseStatus.RESOLVED


def test_evidence_is_asked_for_before_the_ruling():
    with refused(cases.PastEvidence, "liability ruled"):
        ruled().asks()


def test_a_review_starts_once():
    with refused(cases.ReviewPassed, "liability ruled"):
        ruled().reviews()


def test_liability_is_ruled_under_review_on_evidence_that_there_is():
    desk = opened()
    with refused(cases.NotUnderReview, "opened"):
        desk.rules()
    desk.reviews()
    with refused(cases.UnknownEvidence, "has no evidence"):
        desk.rules(Party.CARRIER, OTHER_PHOTO)
    desk.files()
    desk.rules(Party.CARRIER, PHOTO)
    assert desk.rules(Party.CARRIER, PHOTO) == []
    assert desk.rules(Party.SUPPLIER, PHOTO), "until a remedy is approved it can be ruled anew"


def test_a_remedy_is_approved_after_the_ruling_once_and_for_units_of_the_case():
    desk = opened()
    with refused(cases.NotRuled, "rule who is liable first"):
        desk.approves(Remedy.REFUND)
    desk.reviews()
    desk.rules()
    with refused(cases.OverRemedied, "2 of line 1"):
        desk.approves(Remedy.REFUND, {1: 2})
    with refused(UnknownLine, "case case-1 has no line 2"):
        desk.approves(Remedy.REFUND, {2: 1})
    desk.approves(Remedy.REFUND)
    assert desk.approves(Remedy.REFUND) == []
    with refused(cases.RemedyChosen, "approved"):
        desk.approves(Remedy.RETURN)
    with refused(cases.RemedyChosen, "approved"):
        desk.denies()


def test_goods_and_money_move_only_for_an_approved_remedy():
    desk = ruled()
    for step in (desk.labels, desk.grants, desk.denies_refund, lambda: desk.receives({1: 1})):
        with refused(cases.NoRemedyYet, "approve a remedy first"):
            step()
    with refused(cases.NoRemedyYet, "approve"):
        desk.inspects(restocked=1)


def test_a_denied_case_gives_its_units_free():
    desk = ruled()
    assert names(desk.denies(Denial.CUSTOMER_FAULT)) == ["denied", "case_closed"]
    assert desk.denies(Denial.CUSTOMER_FAULT) == []
    assert desk.case().denial is Denial.CUSTOMER_FAULT
    assert desk.opens(by_line={1: 3}, case_id="case-2")


def test_without_a_ruling_only_the_lack_of_evidence_denies_and_only_after_its_time():
    desk = opened()
    with refused(cases.NotRuled, "opened"):
        desk.denies(Denial.NOT_COVERED)
    with refused(cases.NotAskedForEvidence, "opened"):
        desk.denies(Denial.NO_EVIDENCE)
    desk.asks()
    with refused(cases.EvidenceStillDue, "has until"):
        desk.denies(Denial.NO_EVIDENCE)
    desk.scenario.later(days=7)
    assert desk.denies(Denial.NO_EVIDENCE)


def test_a_closed_case_takes_no_step_but_evidence():
    desk = ruled()
    desk.denies()
    for step in (
        desk.asks,
        desk.reviews,
        desk.rules,
        desk.labels,
        desk.grants,
        desk.cancels,
        desk.denies_refund,
        lambda: desk.approves(Remedy.REFUND),
        lambda: desk.receives({1: 1}),
        lambda: desk.inspects(missing=1),
        lambda: desk.denies(Denial.FRAUD),
    ):
        with refused(cases.CaseClosed, "reopen it with new evidence"):
            step()
    assert desk.files(OTHER_PHOTO)


def test_a_case_is_cancelled_before_goods_or_money_move():
    desk = approved(Remedy.RETURN)
    desk.labels()
    assert names(desk.cancels()) == ["cancelled", "return_given_up", "case_closed"]
    assert desk.cancels() == []
    assert desk.opens(case_id="case-2", by_line={1: 3})

    goods = approved(Remedy.RETURN)
    goods.labels()
    goods.receives({1: 1})
    with refused(cases.GoodsReceived, "1 units of case case-1 have come back"):
        goods.cancels()

    money = approved(Remedy.REFUND)
    money.grants()
    with refused(cases.RefundStands, "1 refunds granted"):
        money.cancels()

    reship = approved(Remedy.RESHIP)
    with refused(cases.WaitsForReship, "the reship has to end first"):
        reship.cancels()


def test_a_closed_case_is_reopened_on_evidence_that_came_after_it_was_closed():
    desk = ruled()
    with refused(cases.CaseNotClosed, "only a closed case"):
        desk.reopens(PHOTO)
    desk.denies()
    with refused(cases.NoNewEvidence, "no evidence was added"):
        desk.reopens(PHOTO)
    with refused(cases.UnknownEvidence, "has no evidence"):
        desk.reopens(OTHER_PHOTO)
    desk.files(OTHER_PHOTO)
    assert names(desk.reopens(OTHER_PHOTO)) == ["reopened", "taken_into_case"]
    assert desk.status() is CaseStatus.UNDER_REVIEW
    assert desk.scenario.order().after_sales.open_cases == [CASE]
    desk.rules(Party.SUPPLIER, OTHER_PHOTO)
    desk.approves(Remedy.REFUND)
    desk.grants()
    desk.pays()
    assert desk.status() is CaseStatus.RESOLVED


def test_units_that_another_case_took_meanwhile_are_not_taken_back_by_reopening():
    desk = ruled(by_line={1: 3})
    desk.denies()
    desk.opens(case_id="case-2")
    desk.files(OTHER_PHOTO)
    with refused(UnitsNotFree, "a case for 3 of line 1, 2 of it delivered"):
        desk.reopens(OTHER_PHOTO)


# --- the first answer -----------------------------------------------------------------------------


def test_a_first_answer_that_does_not_come_is_a_breach_once():
    desk = opened()
    desk.scenario.later(hours=23, minutes=59)
    assert desk.clock_runs() == []
    desk.scenario.later(minutes=1)
    assert names(desk.clock_runs()) == ["first_answer_missed"]
    assert desk.clock_runs() == []
    assert "first_answer_missed" not in names(desk.asks())


@pytest.mark.parametrize("step", ["answers", "asks"])
def test_an_answer_in_time_is_no_breach(step: str):
    desk = opened()
    desk.scenario.later(hours=23)
    getattr(desk, step)()
    desk.scenario.later(hours=5)
    assert desk.clock_runs() == []
    assert desk.answers() == [], "only the first answer counts"


def test_approving_and_denying_are_answers_too_and_a_review_is_none():
    assert ruled().case().first_answered_at is None
    assert approved(Remedy.REFUND).case().first_answered_at is not None
    desk = ruled()
    desk.denies()
    assert desk.case().first_answered_at is not None


def test_an_answer_that_came_late_is_a_breach_at_once_whoever_is_liable():
    desk = ruled(Party.CUSTOMER)
    desk.scenario.later(hours=25)
    assert names(desk.denies()) == ["denied", "first_answer_missed", "case_closed"]


def test_an_answer_in_time_that_is_recorded_late_withdraws_the_breach():
    desk = opened()
    desk.scenario.later(hours=26)
    desk.clock_runs()
    assert names(desk.answers(hours_ago=4)) == ["customer_answered", "first_answer_breach_withdrawn"]
    assert not desk.case().first_answer_missed


def test_the_time_for_the_first_answer_and_for_evidence_is_agreed():
    scenario = delivered()
    agreed(scenario, first_answer_within_hours=4, evidence_within_days=2)
    desk = Desk(scenario)
    desk.opens()
    desk.asks()
    assert desk.case().opened.first_answer_by == scenario.now + 4 * HOUR
    assert desk.case().evidence_by == scenario.now + 2 * DAY


# --- beside the rest of the trade -----------------------------------------------------------------


def test_an_order_of_fifty_lines_is_no_trouble():
    desk = Desk(delivered(*(line(n, "tea" if n == 1 else f"sku-{n}", 2) for n in range(1, 51))))
    desk.opens(by_line=dict.fromkeys(range(1, 51), 2))
    desk.reviews()
    desk.rules()
    desk.approves(Remedy.REFUND)
    assert sum(the(cases.RefundGranted, desk.grants()).amounts_minor.values()) == 50 * 2 * 500


def test_a_case_for_units_of_one_line_leaves_those_of_another_alone():
    scenario = delivered(line(1, "tea", 2), line(2, "mug", 2))
    desk = Desk(scenario)
    desk.opens(by_line={1: 2})
    assert desk.opens(by_line={2: 2}, case_id="case-2")


def test_what_was_placed_and_never_sent_is_no_case():
    with refused(UnitsNotFree, "0 of it"):
        Desk(confirmed()).opens()


OF_SUPPLIER = f"{CASE}/supplier/acme/EUR"


def nothing(recovery: Recovering) -> None:
    pass


def settle(recovery: Recovering) -> None:
    asked = recovery.recovery.asked_minor
    if asked > recovery.recovery.received_minor and not recovery.recovery.status.is_end:
        recovery.accept(asked)
        recovery.settle(asked - recovery.recovery.received_minor, f"cn-{asked}")


def case_changes(desk: Desk, meanwhile: Callable[[Recovering], object]) -> list[Change]:
    """All that became of a case with every kind of remedy, while something happens to its recovery at each step."""
    steps: list[Callable[[], object]] = [
        *(desk.reviews, desk.rules, lambda: desk.approves(Remedy.RESHIP)),
        lambda: reship_arrives(desk, ParcelStatus.LOST),
        lambda: desk.grants({1: 1}),
        lambda: desk.labels({1: 1}),
        desk.sends_back,
        lambda: desk.receives({1: 1}),
        lambda: desk.inspects(restocked=1),
        *(desk.denies_refund, desk.pays),
    ]
    desk.opens(by_line={1: 2})
    for step in steps:
        step()
        if recoveries.find(desk.scenario.book, OF_SUPPLIER) is not None:
            meanwhile(Recovering(desk.scenario, OF_SUPPLIER))
    assert desk.status() is CaseStatus.RESOLVED
    return [change for change in desk.scenario.log if not change[0].startswith("recovery-")]


@pytest.mark.parametrize("meanwhile", [Recovering.dispute, Recovering.write_off, settle])
def test_no_remedy_waits_for_a_recovery_nor_differs_by_what_becomes_of_it(meanwhile: Callable[[Recovering], object]):
    undisturbed = case_changes(Desk(delivered()), nothing)
    assert case_changes(Desk(delivered()), meanwhile) == undisturbed


def test_a_case_takes_a_hundred_pieces_of_evidence_and_the_same_again_also_then():
    desk = opened()
    for number in range(100):
        assert desk.files(f"photo-{number}")
    with refused(cases.TooMuchEvidence, "has 100 pieces of evidence, which is the most", most=100):
        desk.files("one more")
    assert desk.files("photo-7") == []
