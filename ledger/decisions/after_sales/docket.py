"""A case and its order while a command is decided, and what follows for the case by itself."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from ledger.decisions import case_costs, complaints
from ledger.decisions.docket import order_in
from ledger.facts import Change, Fact, Units, changes_of, minus
from ledger.nouns import cases, orders, policies
from ledger.nouns.cases import Case, CaseFact, CaseOpened, CaseStatus, Reason, RefundGranted, ReshipFailure
from ledger.nouns.orders import Order, OrderFact, after_sales
from ledger.nouns.orders.after_sales import Amounts
from ledger.nouns.policies import policy_at
from ledger.view import View


class CaseDocket:
    """A case and its order while a command is decided: each step sees what the steps before it added."""

    def __init__(self, view: View, case_id: str, now: datetime, opened: CaseOpened | None = None) -> None:
        self.view, self.now = view, now
        self.case = cases.evolve(None, opened) if opened else cases.known(cases.find(view, case_id), case_id)
        self.order = order_in(view, self.case.order_id)
        self.changes: list[Change] = [(cases.stream(case_id), opened)] if opened else []
        self.before, self.sent_again, self.at = self.case, tuple[orders.Line, ...](), now
        ended = reship_end(view, self.case, now)
        if self.add(ended):
            refund_difference(self, ended)
            self._settle()

    def add(self, facts: Iterable[CaseFact]) -> bool:
        """Adds facts of the case; returns whether there were any."""
        added = False
        for fact in facts:
            self.case, self.at = cases.evolve(self.case, fact), fact.at
            self.changes.append((cases.stream(self.case.case_id), fact))
            added = True
        return added

    def add_to_order(self, facts: Iterable[OrderFact]) -> None:
        """Adds facts of the order that the case is about."""
        for fact in facts:
            self.order = orders.evolve(self.order, fact)
            self.changes.append((orders.stream(self.order.order_id), fact))

    def add_others(self, stream: str, facts: Iterable[Fact]) -> None:
        self.changes += changes_of(stream, facts)

    @property
    def paying(self) -> Order:
        """The order that was paid: for a reship the original order, otherwise its own."""
        paid = self.order.paid_order_id
        return self.order if paid == self.order.order_id else order_in(self.view, paid)

    def add_to_paying(self, facts: Iterable[OrderFact]) -> None:
        if self.order.paid_order_id == self.order.order_id:
            self.add_to_order(facts)
        else:
            self.add_others(orders.stream(self.order.paid_order_id), facts)

    def close(self) -> list[Change]:
        """All that was added, and what follows for the recoveries of the case."""
        self._settle()
        if self.changes:
            self.changes += case_costs.follow(self.view, self.before, self.case, self.order, self.sent_again, self.at)
        return self.changes

    def _settle(self) -> None:
        """Adds what follows: a remedy that is over, an answer that came late, units that are free again."""
        if self.changes:
            self.add(cases.settle(self.case, self.now))
            self.add(cases.settle_clock(self.case, self.now))
            self._release()

    def _release(self) -> None:
        """A closed case releases its order, and the units that it did nothing for."""
        case, share = self.case, self.order.after_sales.cases.get(self.case.case_id)
        if case.closed_at is None or share is None:
            return
        freed = minus(share.by_line, case.by_line)
        lines = self.paying.lines
        part_given = case.part_given(lambda n, units: lines[n].worth_minor(units) if n in lines else 0)
        withdrawn = case.status is CaseStatus.CANCELLED
        left = after_sales.CaseLeft(self.order.order_id, case.case_id, self.now, freed, part_given, withdrawn)
        self.add_to_order(after_sales.leave(self.order.after_sales, left))


def reship_end(view: View, case: Case, now: datetime) -> list[CaseFact]:
    """What follows for the case once no unit of its reship is under way any more."""
    reship = orders.find(view, case.reship.order_id) if case.reship is not None else None
    if reship is None or not has_ended(reship):
        return []
    assert case.reship is not None, "it was found by the case"
    arrived = _arrived_whole(reship, case.reship.by_line)
    ends = (ReshipFailure.LOST, ReshipFailure.RETURNED, ReshipFailure.CANCELLED)
    because = next((end for end in ends if reship.units(end)), ReshipFailure.CANCELLED)
    return cases.end_reship(case, arrived, minus(case.reship.by_line, arrived), because, now)


def _arrived_whole(reship: Order, by_line: Units) -> Units:
    """Units of a case that arrived; of what was sent as the parts of a bundle, those of which each part did."""
    delivered, arrived = reship.in_bucket("delivered"), Units()
    for line_no, units in by_line.items():
        lines = {line_no: 1}
        if line_no not in reship.lines:
            of = {n: line.part_of for n, line in reship.lines.items() if line.part_of is not None}
            lines = {n: part.units for n, part in of.items() if part.line_no == line_no}
        if whole := min(units, *(delivered.get(n, 0) // each for n, each in lines.items())):
            arrived[line_no] = whole
    return arrived


def refund_difference(docket: CaseDocket, ended: Iterable[CaseFact]) -> None:
    """What units of another SKU cost less is refunded once they have arrived, as far as money is left."""
    case, paying = docket.case, docket.paying
    price = case.chosen.exchange.unit_price_minor if case.chosen and case.chosen.exchange else None
    refund_id = f"{case.case_id}-difference"
    arrived = next((fact for fact in ended if isinstance(fact, cases.ReshipArrived)), None)
    if price is None or arrived is None or refund_id in paying.after_sales.refunds:
        return
    left = orders.left_to_go_back(paying, paying.after_sales.booked_minor)
    amounts: Amounts = {}
    for line_no, units in arrived.by_line.items():
        less = paying.lines[line_no].worth_minor(units) - units * price
        of_line = orders.refundable_minor(paying, line_no) - paying.after_sales.refunded_minor(line_no)
        if (amount := min(less, of_line, left)) > 0:
            amounts[line_no], left = amount, left - amount
    if amounts:
        units_of = {n: arrived.by_line[n] for n in amounts}
        exact = {n: orders.share_minor(paying, n, count) for n, count in units_of.items()}
        exact = {n: minor for n, minor in exact.items() if paying.lines[n].total_minor is not None}
        at = arrived.at
        granted = RefundGranted(case.case_id, refund_id, units_of, amounts, paying.currency, at)
        docket.add([pay_by(docket.view, granted)])
        booked = after_sales.RefundBooked(
            order_id=paying.order_id,
            case_id=case.case_id,
            refund_id=refund_id,
            by_line=units_of,
            amounts_minor=amounts,
            at=at,
            shares_minor=exact,
        )
        docket.add_to_paying([booked])


def has_ended(order: Order) -> bool:
    """Whether no unit of it is still to arrive."""
    return not any(map(order.units, orders.UNDER_WAY))


def pay_by(view: View, granted: RefundGranted) -> RefundGranted:
    """With when it must have been paid, unless there is nothing to pay."""
    if not (sum(granted.amounts_minor.values()) + sum(granted.charges_minor.values())):
        return granted
    return replace(granted, pay_by=policy_at(policies.find(view), granted.at).pay_by(granted.at))


def take(order: Order, case_id: str, reason: Reason, by_line: Units, at: datetime) -> list[after_sales.TakenIntoCase]:
    """The units of a case, if they are where its reason says and in no other case."""
    present, arrived = complaints.present(order, reason), reason.about_arrived_units
    taken = after_sales.TakenIntoCase(order.order_id, case_id, by_line, at, arrived, reason)
    return after_sales.take(order.after_sales, taken, present, order.sent)
