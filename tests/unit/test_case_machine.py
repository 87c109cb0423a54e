"""Random after-sales work against the real decisions: money, units and stock are conserved whatever is tried.

What is counted here is counted from the facts alone, never from the state that decided them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace

from ledger.decisions import recovery_demands
from ledger.decisions.timers import timer
from ledger.engine.book import Book
from ledger.facts import Change, Fact, LineNo
from ledger.nouns import (
    NOUNS,
    cases,
    orders,
    recoveries,
    stock,
)
from ledger.nouns.cases import (
    CaseStatus,
    Denial,
    Reason,
    Remedy,
)
from ledger.nouns.orders import Header, after_sales
from ledger.nouns.parcels import ClaimOpened, ParcelStatus
from ledger.nouns.recoveries import (
    Cost,
    CostKind,
    RecoveryKind,
    Subject,
)
from ledger.refusals import Refusal
from ledger.terms.parties import Party
from ledger.view import EMPTY, Entry
from tests.support.casework import OTHER_PHOTO, PHOTO, Desk
from tests.support.scenario import ORDER, TERMS, Scenario, line

CASES = ["case-1", "case-2", "case-3"]
MONEY = (
    orders.ChargebackRecorded,
    after_sales.RefundBooked,
    after_sales.RefundUnbooked,
    after_sales.RefundPaidBack,
)
PRICES = {1: 500, 2: 900}
QUANTITIES = {1: 4, 2: 3}

a_case = st.integers(0, 11)
"""Which of the cases that there are, counted round."""
a_name = st.sampled_from(CASES)
a_line = st.sampled_from([1, 1, 2])
at_times = st.integers(0, 2).map(lambda n: n == 2)
seldom = st.integers(0, 5).map(lambda n: n == 5)
a_count = st.integers(1, 3)
a_refusal = st.sampled_from([Reason.REFUSED, Reason.LOST])
some_lines = st.dictionaries(a_line, a_count, min_size=1, max_size=2)
maybe_lines: st.SearchStrategy[dict[int, int]] = st.one_of(st.just({}), st.just({}), some_lines, st.just({1: 1}))


class Blinking(Book):
    """A book that can be made blind to recoveries: then each looks as if it had never been opened."""

    blind: ClassVar[bool] = False

    def find(self, stream: str) -> Entry | None:
        return EMPTY if self.blind and stream.startswith("recovery-") else super().find(stream)


class UnwaitingDesk(Desk):
    """A desk that makes each decision twice: what the customer gets must not depend on any recovery."""

    def _do(self, decide: Callable[[], list[Change]]) -> list[Fact]:
        assert _for_the_customer(decide) == _for_the_customer(decide, blind=True), "a remedy depends on a recovery"
        return self.scenario.record(decide())


def _for_the_customer(decide: Callable[[], list[Change]], blind: bool = False) -> list[Change] | str:
    """The decision without what it does to recoveries, or why it was refused."""
    Blinking.blind = blind
    try:
        return [change for change in decide() if not _of_a_recovery(*change)]
    except Refusal as refusal:
        return refusal.reason
    finally:
        Blinking.blind = False


def _of_a_recovery(stream: str, fact: Fact) -> bool:
    """A parcel remembers which recoveries claim for it."""
    return stream.startswith("recovery-") or isinstance(fact, ClaimOpened)


class AfterSales(RuleBasedStateMachine):
    seen: ClassVar[Counter[str]] = Counter()
    """How often each fact was recorded, over all runs."""

    def __init__(self) -> None:
        super().__init__()
        self.scenario = Scenario()
        self.scenario.book = Blinking.of(NOUNS)
        self.desk = UnwaitingDesk(self.scenario)
        self.parcels = 0
        self._found: dict[tuple[type[Fact], ...], tuple[list[Fact], int]] = {}

    @initialize(remedy=st.sampled_from(Remedy), liable=st.sampled_from(Party), hours=st.sampled_from([None, 1, 72]))
    def a_broken_delivery(self, remedy: Remedy, liable: Party, hours: int | None) -> None:
        """Line 1 comes in two parcels, line 2 in one; what came first is broken."""
        scenario = self.scenario
        for supplier_id in ("acme", "bolt"):
            scenario.approve(supplier_id, replace(TERMS, resolve_within_hours=hours))
        scenario.agree(refund_within_hours=hours or 5)
        scenario.feed(8, "tea")
        scenario.feed(8, "mug", "bolt")
        scenario.place(
            line(1, "tea", QUANTITIES[1], unit_price_minor=PRICES[1]),
            line(2, "mug", QUANTITIES[2], "bolt", unit_price_minor=PRICES[2]),
            promised_by=scenario.now,
        )
        for supplier_order_id in scenario.order().supplier_orders:
            scenario.send(supplier_order_id)
        scenario.ship({1: 2}, f"{ORDER}/1", "P1")
        scenario.ship({1: 2}, f"{ORDER}/1", "P2")
        scenario.ship({2: 3}, f"{ORDER}/2", "P3")
        scenario.later(hours=1)
        scenario.scan(ParcelStatus.DELIVERED, number="P1")
        self.desk.opens(Reason.DAMAGED, {1: 2}, "case-1")
        self.work_on("case-1", liable, remedy, {})

    # --- how a step is taken ---

    def attempt(self, step: Callable[[], list[Fact]], repeatable: bool = True) -> list[Fact] | None:
        """None if it was refused, which changes nothing. What was done records nothing when it is done again."""
        before = self.scenario.everything()
        try:
            facts = step()
        except Refusal:
            assert self.scenario.everything() == before
            return None
        if facts and repeatable:
            assert self.attempt(step, repeatable=False) in ([], None), "a repetition recorded something"
        return facts

    def facts(self, *classes: type[Fact]) -> list[Fact]:
        """Those of these classes in the log, which only grows."""
        found, read = self._found.get(classes, ([], 0))
        found += [fact for _, fact in self.scenario.log[read:] if isinstance(fact, classes)]
        self._found[classes] = found, len(self.scenario.log)
        return found

    def named(self, pick: int) -> str:
        known = [case_id for case_id in CASES if cases.find(self.scenario.book, case_id) is not None]
        return known[pick % len(known)]

    def reships(self) -> list[str]:
        return list(self.scenario.order().after_sales.reships)

    # --- the shop around it ---

    @rule(hours=st.sampled_from([1, 30, 200, 400]))
    def time_passes(self, hours: int) -> None:
        """And clocks of cases run out, each once."""
        self.scenario.later(hours=hours)
        for case_id in CASES:
            case = cases.find(self.scenario.book, case_id)
            for each in cases.readings(case) if case is not None else ():
                if each.overdue(self.scenario.now):
                    run_out = timer(each.clock, [each.object_id], each.due)
                    assert self.scenario.notice(run_out)
                    assert self.scenario.notice(run_out) == []

    @invariant()
    def no_clock_of_a_case_is_missed_that_was_met_or_given_up_in_time(self) -> None:
        for case_id in CASES:
            case = cases.find(self.scenario.book, case_id)
            for each in cases.readings(case) if case is not None else ():
                assert not each.is_missed or each.late or not each.over

    @rule(
        number=st.sampled_from(["P1", "P2", "P3"]),
        status=st.sampled_from([ParcelStatus.DELIVERED, ParcelStatus.LOST, ParcelStatus.RETURNED]),
    )
    def a_carrier_scans(self, number: str, status: ParcelStatus) -> None:
        self.attempt(lambda: self.scenario.scan(status, number=number))

    @rule(number=st.sampled_from(["P1", "P2", "P3"]))
    def a_delivery_is_disputed(self, number: str) -> None:
        self.attempt(lambda: self.scenario.dispute(number))

    @rule(number=st.sampled_from(["P1", "P2", "P3"]), left=st.booleans())
    def what_was_reported_of_a_parcel_is_put_right(self, number: str, left: bool) -> None:
        """It left under another number, or so it seemed; or it did not leave, and does now."""
        if left:
            self.attempt(lambda: self.scenario.correct_number(number, f"{number}X"))
            self.attempt(lambda: self.scenario.correct_number(f"{number}X", number))
        elif self.attempt(lambda: self.scenario.void(number)):
            of = f"{ORDER}/2" if number == "P3" else f"{ORDER}/1"
            self.attempt(lambda: self.scenario.ship(supplier_order_id=of, number=number))

    @rule(quantity=st.integers(0, 8))
    def a_feed_comes(self, quantity: int) -> None:
        self.attempt(lambda: self.scenario.feed(quantity), repeatable=False)

    @rule(pick=st.integers(0, 3), seen=st.booleans())
    def a_reship_arrives(self, pick: int, seen: bool) -> None:
        self.end_a_reship(pick, ParcelStatus.DELIVERED, seen)

    @rule(pick=st.integers(0, 3), seen=st.booleans(), lost=st.booleans())
    def a_reship_fails(self, pick: int, seen: bool, lost: bool) -> None:
        self.end_a_reship(pick, ParcelStatus.LOST if lost else None, seen)

    @rule(pick=a_case, liable=st.sampled_from(Party))
    def a_reship_goes_its_way(self, pick: int, liable: Party) -> None:
        """It is sent once more and arrives, and the case sees it."""
        self.work_on(self.named(pick), liable, Remedy.RESHIP, {})
        self.end_a_reship(pick, ParcelStatus.DELIVERED, seen=True)

    def end_a_reship(self, pick: int, end: ParcelStatus | None, seen: bool) -> None:
        """It arrives, is lost, or is cancelled, and its case may see it."""
        # What waits for its money does not leave; it can be cancelled.
        ways = (Header.CONFIRMED,) if end is not None else (Header.CONFIRMED, Header.ON_HOLD)
        live = [each for each in self.reships() if self.scenario.header(each) in ways]
        if not live:
            return
        order_id = live[pick % len(live)]
        if end is None:
            self.scenario.cancel(order_id=order_id)
        else:
            self.deliver(order_id, end)
        for case_id in CASES if seen else ():
            self.attempt(partial(self.desk.looks_at_the_reship, case_id))

    def deliver(self, order_id: str, status: ParcelStatus) -> None:
        for supplier_order_id in self.scenario.order(order_id).supplier_orders:
            self.parcels += 1
            self.scenario.send(supplier_order_id)
            self.scenario.ship(supplier_order_id=supplier_order_id, number=f"R{self.parcels}")
            self.scenario.scan(status, number=f"R{self.parcels}")

    @rule(pick=a_case, end=st.sampled_from(["open", "raise", "write off"]))
    def somebody_works_on_the_recovery(self, pick: int, end: str) -> None:
        """Whatever becomes of it must make no difference."""
        case_id = self.named(pick)
        if end == "write off":
            recovery_id = f"{case_id}/supplier/acme/EUR"
            recovery = recoveries.find(self.scenario.book, recovery_id)
            if recovery is not None:
                try:
                    facts = recoveries.write_off(recovery, "hopeless", self.scenario.now)
                except Refusal:
                    return
                self.scenario.record((recoveries.stream(recovery_id), fact) for fact in facts)
            return
        cost = Cost(recovery_demands.cost_id(case_id, end), CostKind.REFUND, 100)
        subject = Subject(ORDER, f"{ORDER}/1", "acme", case_id)
        demand = recovery_demands.Demand(RecoveryKind.SUPPLIER_FAULT, subject, "EUR", (cost,))
        self.scenario.record(recovery_demands.recover(self.scenario.book, demand, self.scenario.now))

    # --- the case ---

    @rule()
    def nobody_answers(self) -> None:
        self.scenario.later(hours=24)
        for case_id in CASES:
            self.attempt(partial(self.desk.clock_runs, case_id))

    @rule(case_id=a_name, reason=st.sampled_from(Reason), by_line=some_lines, of_reship=st.booleans())
    def a_customer_complains(self, case_id: str, reason: Reason, by_line: dict[int, int], of_reship: bool) -> None:
        order_id = self.reships()[-1] if of_reship and self.reships() else ORDER
        known = cases.find(self.scenario.book, case_id)
        order = self.scenario.order(order_id)
        free = {n: self.free(order_id, n, reason) for n in by_line}
        facts = self.attempt(lambda: self.desk.opens(reason, by_line, case_id, order_id))
        if known is None and facts is not None:
            assert all(by_line[n] <= free[n] for n in by_line)
            assert all(LineNo(n) in order.lines for n in by_line)
        elif known is None and reason not in (Reason.LATE, Reason.CHANGED_MIND):
            assert any(LineNo(n) not in order.lines or by_line[n] > free[n] for n in by_line)

    def free(self, order_id: str, n: int, reason: Reason) -> int:
        """Units that a case of this reason could be about, counted from the facts of all cases."""
        buckets = self.scenario.order(order_id).buckets.get(LineNo(n))
        if buckets is None:
            return 0
        mine, all_taken = 0, 0
        kinds: dict[str, bool] = {}
        has, part, reasons = Counter[str](), dict[str, int](), dict[str, str]()
        for fact in self.facts(after_sales.TakenIntoCase, after_sales.CaseLeft):
            assert isinstance(fact, after_sales.TakenIntoCase | after_sales.CaseLeft)
            if fact.order_id != order_id:
                continue
            if isinstance(fact, after_sales.TakenIntoCase):
                kinds.setdefault(fact.case_id, fact.arrived)
                reasons[fact.case_id], part[fact.case_id] = fact.reason, 0
                has[fact.case_id] += fact.by_line.get(LineNo(n), 0)
            else:
                has[fact.case_id] -= fact.given_free.get(LineNo(n), 0)
                part[fact.case_id] = fact.part_given.get(LineNo(n), 0)
        for case_id, count in has.items():
            count -= part[case_id] if reasons[case_id] != reason else 0
            all_taken += count
            mine += count if kinds[case_id] == reason.about_arrived_units else 0
        there = sum(int(getattr(buckets, bucket)) for bucket in reason.buckets)
        sent = buckets.shipped + buckets.delivered + buckets.lost + buckets.returned
        return max(min(there - mine, sent - all_taken), 0)

    @rule(pick=a_case, liable=st.sampled_from(Party), remedy=st.sampled_from(Remedy), by_line=maybe_lines)
    def a_case_is_decided(self, pick: int, liable: Party, remedy: Remedy, by_line: dict[int, int]) -> None:
        self.work_on(self.named(pick), liable, remedy, by_line)

    def work_on(self, case_id: str, liable: Party, remedy: Remedy, by_line: dict[int, int]) -> None:
        """The usual way, as far as its status lets it."""
        self.attempt(lambda: self.desk.reviews(case_id))
        self.attempt(lambda: self.desk.rules(liable, case_id=case_id))
        self.attempt(lambda: self.desk.approves(remedy, by_line, case_id))

    @rule(
        pick=a_case,
        step=st.sampled_from(["asks", "reviews", "rules", "answers", "clock_runs", "looks_at_the_reship"]),
    )
    def somebody_works_on_a_case(self, pick: int, step: str) -> None:
        case_id = self.named(pick)
        case = cases.find(self.scenario.book, case_id)
        facts = self.attempt(lambda: getattr(self.desk, step)(case_id=case_id))
        closed = case is not None and case.status.is_closed
        if closed and facts and step in ("asks", "reviews", "rules"):
            raise AssertionError(f"{step} on a {case.status if case else ''} case")

    @rule(pick=a_case, because=st.sampled_from([Denial.NOT_COVERED, Denial.NO_EVIDENCE]), ruled=st.booleans())
    def a_case_is_denied(self, pick: int, because: Denial, ruled: bool) -> None:
        case_id = self.named(pick)
        if ruled:
            self.attempt(lambda: self.desk.reviews(case_id))
            self.attempt(lambda: self.desk.rules(case_id=case_id))
        self.attempt(lambda: self.desk.denies(because, case_id))

    @rule(pick=a_case, really=seldom)
    def a_case_is_cancelled(self, pick: int, really: bool) -> None:
        case_id = self.named(pick)
        if self.desk.status(case_id) in (CaseStatus.APPROVED, CaseStatus.IN_REMEDY) and not really:
            return
        received = self.received(case_id)
        facts = self.attempt(lambda: self.desk.cancels(case_id))
        assert not (facts and received), "goods had come back"

    @rule(pick=a_case, photo=st.sampled_from([PHOTO, OTHER_PHOTO]), again=st.booleans())
    def evidence_comes(self, pick: int, photo: str, again: bool) -> None:
        case_id = self.named(pick)
        self.attempt(lambda: self.desk.files(photo, case_id))
        if again:
            self.attempt(lambda: self.desk.reopens(photo, case_id=case_id))

    # --- goods and money ---

    @rule(pick=a_case, by_line=maybe_lines, label=st.sampled_from(["l1", "l2"]))
    def a_label_is_made(self, pick: int, by_line: dict[int, int], label: str) -> None:
        case_id = self.named(pick)
        self.attempt(lambda: self.desk.labels(by_line, label, case_id))
        self.attempt(lambda: self.desk.sends_back(f"B-{case_id}-{label}", label, case_id))

    @rule(pick=a_case, n=a_line, count=st.integers(0, 3), wild=at_times)
    def goods_come_back(self, pick: int, n: int, count: int, wild: bool) -> None:
        case_id = self.named(pick)
        most = count if wild else min(count, self.desk.case(case_id).labelled(LineNo(n)))
        self.attempt(lambda: self.desk.receives({n: most}, case_id))

    @rule(pick=a_case, n=a_line, found=st.lists(st.integers(0, 2), min_size=4, max_size=4), wild=at_times)
    def goods_are_inspected(self, pick: int, n: int, found: list[int], wild: bool) -> None:
        case_id = self.named(pick)
        inspection = dict(zip(("restocked", "not_restocked", "needs_work", "missing"), found, strict=True))
        if not wild:
            there = self.received(case_id)[n]
            inspection["restocked"] = min(inspection["restocked"], there)
            inspection["needs_work"] = min(inspection["needs_work"], there - inspection["restocked"])
            inspection["not_restocked"] = there - inspection["restocked"] - inspection["needs_work"]
            inspection["missing"] = self.desk.case(case_id).awaited(LineNo(n))
        self.attempt(lambda: self.desk.inspects(case_id, n, **inspection))

    @rule(pick=a_case, kept=st.integers(0, 2), restocked=st.integers(0, 2), answered=st.booleans())
    def a_return_goes_its_way(self, pick: int, kept: int, restocked: int, answered: bool) -> None:
        """The customer keeps some, the others are inspected, and what was found fit for sale is refunded."""
        case_id = self.named(pick)
        self.attempt(lambda: self.desk.labels(label_id="all", case_id=case_id))
        case = self.desk.case(case_id)
        for n in case.by_line:
            there = max(case.labelled(n) - kept, case.received.get(n, 0))
            self.attempt(partial(self.desk.receives, {n: there}, case_id))
            fit = min(max(restocked, case.inspection(n).restocked), there)
            self.attempt(partial(self.desk.inspects, case_id, n, restocked=fit, not_restocked=there - fit))
        if answered:
            self.attempt(lambda: self.desk.grants(refund_id=f"{case_id}-all", case_id=case_id))
            self.attempt(lambda: self.desk.denies_refund(case_id=case_id))
            self.attempt(lambda: self.desk.pays(f"{case_id}-all", case_id))

    @rule(
        pick=a_case,
        by_line=maybe_lines,
        share=st.sampled_from([0, 0, 3333, 5000]),
        refund=st.sampled_from(["r1", "r2", "r3", "r4"]),
        amount=st.sampled_from([0, 0, 0, 1, 499, 1001]),
    )
    def money_is_granted(self, pick: int, by_line: dict[int, int], share: int, refund: str, amount: int) -> None:
        case_id = self.named(pick)
        named = dict.fromkeys(by_line, amount) if amount else {}
        self.attempt(lambda: self.desk.grants(by_line, share, named, refund, case_id))

    @rule(pick=a_case, by_line=maybe_lines)
    def money_is_denied(self, pick: int, by_line: dict[int, int]) -> None:
        case_id = self.named(pick)
        self.attempt(lambda: self.desk.denies_refund(by_line, Denial.GOODS_USED, case_id), repeatable=not by_line)

    @rule(pick=a_case, refund=st.sampled_from(["r1", "r2", "r3", "r4"]))
    def money_is_paid(self, pick: int, refund: str) -> None:
        case_id = self.named(pick)
        owed = [name for name, each in self.desk.case(case_id).refunds.items() if each.paid_at is None]
        paid = self.attempt(lambda: self.desk.pays(owed[0] if owed else refund, case_id))
        back = self.attempt(lambda: self.desk.takes_back(owed[0] if owed else refund, case_id))
        assert (paid is None) == (back is not None) or not owed, "a granted refund is paid or taken back"

    @rule(amount=st.sampled_from([1, 700, 2_000, 9_000]))
    def a_bank_takes_money_back(self, amount: int) -> None:
        """However much it says; never more than three times, or little is left to refund."""
        if (taken := len(self.scenario.order().chargebacks)) < 3:
            facts = self.attempt(lambda: self.scenario.charge_back(amount, f"cb-{taken + 1}"), repeatable=False)
            assert facts, "what a bank did is never refused"

    # --- what must hold ---

    @invariant()
    def no_more_is_granted_or_paid_than_came_in(self) -> None:
        """Counted at every refund, by all that had gone back or was granted until then."""
        came_in = sum(PRICES[n] * QUANTITIES[n] for n in PRICES)
        taken = granted = paid = 0
        amounts: dict[str, int] = {}
        for fact in self.facts(*MONEY):
            match fact:
                case orders.ChargebackRecorded():
                    taken += fact.amount.amount_minor
                case after_sales.RefundBooked():
                    amounts[fact.refund_id] = sum(fact.amounts_minor.values())
                    granted += amounts[fact.refund_id]
                    assert granted + taken <= came_in
                case after_sales.RefundUnbooked():
                    granted -= amounts[fact.refund_id]
                case after_sales.RefundPaidBack():
                    paid += amounts[fact.refund_id]
                    assert paid + taken <= came_in
                case _:
                    pass

    @invariant()
    def nothing_is_sent_once_more_after_its_money_went_back(self) -> None:
        """Whichever came first; nobody in this shop pays again."""
        back, amounts = 0, dict[str, int]()
        for fact in self.facts(*MONEY):
            match fact:
                case orders.ChargebackRecorded():
                    back += fact.amount.amount_minor
                case after_sales.RefundBooked():
                    amounts[fact.refund_id] = sum(fact.amounts_minor.values())
                case after_sales.RefundPaidBack():
                    back += amounts[fact.refund_id]
                case _:
                    pass
        gone = back >= sum(PRICES[n] * QUANTITIES[n] for n in PRICES)
        for order_id in self.reships():
            reship = self.scenario.order(order_id)
            waits = any(map(reship.units, ("open", "backordered", "assigned")))
            assert (self.scenario.holds(order_id) == [orders.HoldReason.PAYMENT_REVERSED]) == (gone and waits)

    def received(self, case_id: str) -> Counter[int]:
        """The newest count of what came back, line by line."""
        found: Counter[int] = Counter()
        for fact in self.facts(cases.ReturnReceived):
            assert isinstance(fact, cases.ReturnReceived)
            if fact.case_id == case_id:
                found.update({n: count - found[n] for n, count in fact.by_line.items()})
        return +found

    def undelivered(self, case_id: str) -> Counter[int]:
        """What was inspected in a case that had come back without having arrived."""
        found: Counter[int] = Counter()
        for fact in self.facts(cases.ReturnInspected):
            assert isinstance(fact, cases.ReturnInspected)
            found.update(fact.undelivered if fact.case_id == case_id else {})
        return found

    @invariant()
    def no_more_is_refunded_than_was_paid_for_the_units(self) -> None:
        by_line: Counter[int] = Counter()
        by_case: Counter[tuple[str, int]] = Counter()
        granted: dict[str, cases.RefundGranted] = {}
        for fact in self.facts(cases.RefundGranted, cases.RefundTakenBack):
            if isinstance(fact, cases.RefundTakenBack):
                sign, fact = -1, granted[fact.refund_id]
            else:
                assert isinstance(fact, cases.RefundGranted)
                sign, granted[fact.refund_id] = 1, fact
            assert fact.by_line
            for n, amount in fact.amounts_minor.items():
                assert 0 < amount <= fact.by_line[n] * PRICES[n]
                by_line[n] += sign * amount
                by_case[fact.case_id, n] += sign * amount
        assert all(amount <= PRICES[n] * QUANTITIES[n] for n, amount in by_line.items())
        for (case_id, line_no), amount in by_case.items():
            assert amount <= PRICES[line_no] * self.desk.case(case_id).opened.by_line[LineNo(line_no)]
        paid = [fact.refund_id for fact in self.facts(cases.RefundPaid) if isinstance(fact, cases.RefundPaid)]
        assert len(paid) == len(set(paid)), "a refund was paid twice"

    @invariant()
    def every_unit_comes_back_and_is_restocked_at_most_once(self) -> None:
        restocked: Counter[str] = Counter()
        for fact in self.facts(stock.Restocked):
            assert isinstance(fact, stock.Restocked)
            restocked[f"{fact.case_id} {fact.sku}"] += fact.units
        for case_id in CASES:
            received = self.received(case_id) + self.undelivered(case_id)
            assert restocked[f"{case_id} tea"] <= received[1]
            assert restocked[f"{case_id} mug"] <= received[2]
        for order_id in (ORDER, *self.reships()):
            back: Counter[int] = Counter()
            for case_id in CASES:
                case = cases.find(self.scenario.book, case_id)
                back.update(self.received(case_id) if case is not None and case.order_id == order_id else {})
            for n, count in back.items():
                assert count <= self.scenario.order(order_id).buckets[LineNo(n)].delivered
            for n, buckets in self.scenario.order(order_id).buckets.items():
                looked_at = sum(self.undelivered(c)[n] for c in CASES if self.of_order(c, order_id))
                assert looked_at <= buckets.returned

    def of_order(self, case_id: str, order_id: str) -> bool:
        case = cases.find(self.scenario.book, case_id)
        return case is not None and case.order_id == order_id

    @rule(pick=a_case, number=st.sampled_from(["P1", "P2", "P3"]), restocked=st.integers(0, 2), reason=a_refusal)
    def a_parcel_comes_back_and_is_inspected(self, pick: int, number: str, restocked: int, reason: Reason) -> None:
        """A case is opened for it, unless there is one, and somebody at the supplier looks at the goods."""
        self.attempt(lambda: self.scenario.scan(ParcelStatus.RETURNED, number=number))
        case_id = CASES[pick % len(CASES)]
        n = 2 if number == "P3" else 1
        self.attempt(lambda: self.desk.opens(reason, {n: 1}, case_id))
        if cases.find(self.scenario.book, case_id) is not None:
            self.attempt(lambda: self.desk.inspects(case_id, n, restocked=restocked))

    @invariant()
    def no_unit_gets_both_the_money_and_the_goods(self) -> None:
        for case_id in CASES:
            case = cases.find(self.scenario.book, case_id)
            if case is None or case.reship is None:
                continue
            for n, count in case.reship.by_line.items():
                whole = case.opened.by_line[n]
                refunded = sum(refund.by_line.get(n, 0) for refund in case.refunds.values())
                assert count + min(refunded, whole) <= whole

    @invariant()
    def what_is_closed_is_finished_and_what_is_open_holds_its_order(self) -> None:
        for case_id in CASES:
            case = cases.find(self.scenario.book, case_id)
            if case is None:
                continue
            is_open = case_id in self.scenario.order(case.order_id).after_sales.open_cases
            assert is_open == (not case.status.is_closed)
            if is_open:
                assert self.scenario.close_window(case.order_id) == []
            if case.status is CaseStatus.RESOLVED:
                assert not case.todo
                assert all(refund.paid_at is not None for refund in case.refunds.values())
                assert case.returns_dealt_with

    def teardown(self) -> None:
        """The log, stored and read back, gives the same states."""
        registry = self.scenario.book.registry
        stored = [(stream, fact.fact_name(), registry.encode(fact)) for stream, fact in self.scenario.log]
        again = Book.of(NOUNS, ((stream, registry.decode(name, state)) for stream, name, state in stored))
        for stream in dict.fromkeys(stream for stream, _ in self.scenario.log):
            assert again.state(stream) == self.scenario.book.state(stream)
        self.seen.update({name for _, name, _ in stored})


USUAL = {
    *("case.reship_placed", "case.reship_arrived", "case.reship_failed", "case.refund_granted", "case.refund_paid"),
    *("case.return_labelled", "case.return_received", "case.return_inspected", "case.refund_denied"),
    *("order.units_returned", "order.returned_inspected"),
    *("case.resolved", "stock.restocked", "order.refund_paid_back", "recovery.opened"),
    "case.deadline_missed",
}
"""Facts that the machine must have met, or it proves little."""


def test_money_units_and_stock_are_conserved_whatever_after_sales_tries():
    AfterSales.seen.clear()
    for turn in range(15):  # as a rule the first meets all that is usual
        # Where Hypothesis draws without chance, as it does in CI, a turn without a seed repeats the one before.
        run_state_machine_as_test(
            seed(turn)(AfterSales) if settings().derandomize else AfterSales,
            settings=settings(
                max_examples=100,
                stateful_step_count=50,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
            ),
        )
        if AfterSales.seen.keys() >= USUAL:
            return
    raise AssertionError(f"never met: {', '.join(USUAL - AfterSales.seen.keys())}")
