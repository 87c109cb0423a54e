"""What after-sales takes out of an order: units in cases, units coming back, refunds, reships (DOMAIN 5).

A case is a stream of its own. What has to be counted over all cases of an order is recorded in the order's
stream: no unit is in two cases, none comes back that was not delivered, and no more is refunded than was paid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import assert_never

from msgspec.structs import replace

from ledger.facts import (
    Fact,
    LineNo,
    Units,
    Value,
    minus,
    plus,
)
from ledger.refusals import Forbidden, NotFound, sentence_only
from ledger.terms.money import Money

Amounts = dict[LineNo, int]
"""Minor units of money by line."""

ChargeAmounts = dict[str, int]
"""Minor units of money by the id of the charge that they are refunded of."""

Spans = tuple[tuple[int, int], ...]
"""Units of a line one after the other: the first and how many, where 0 is the last unit of the line."""

# --- facts ----------------------------------------------------------------------------------------


class TakenIntoCase(Fact, frozen=True, tag="order.taken_into_case"):
    """Units of the order are in a case; no other case can be opened for them."""

    order_id: str
    case_id: str
    by_line: Units
    at: datetime
    arrived: bool = False
    """Whether they had been delivered; otherwise they were under way, lost or returned undelivered."""
    reason: str = ""
    """The case's; empty in an old fact."""


class CaseLeft(Fact, frozen=True, tag="order.case_closed"):
    """A case of the order was closed. Units that got a remedy stay with it, the others are free again."""

    order_id: str
    case_id: str
    at: datetime
    given_free: Units = {}
    part_given: Units = {}
    """Units that stay with it and got a part of their money at most: they may have a case for another reason."""
    withdrawn: bool = False
    """Whether it was cancelled: what did not arrive is settled by nothing."""


class ReturnExpected(Fact, frozen=True, tag="order.return_expected"):
    """Delivered units are to come back, each at most once."""

    order_id: str
    case_id: str
    by_line: Units
    at: datetime


class ReturnGivenUp(Fact, frozen=True, tag="order.return_given_up"):
    """Nobody waits any more for these units to come back."""

    order_id: str
    case_id: str
    by_line: Units
    at: datetime


class ReturnedInspected(Fact, frozen=True, tag="order.returned_inspected"):
    """Somebody looked at units that came back to the sender undelivered, each once."""

    order_id: str
    case_id: str
    by_line: Units
    at: datetime


class RefundBooked(Fact, frozen=True, tag="order.refund_booked"):
    """The customer is to get so much of its money back, line by line in the order's currency."""

    order_id: str
    case_id: str
    refund_id: str
    by_line: Units
    amounts_minor: Amounts
    at: datetime
    shares_minor: Amounts = {}
    """What these units are of a line that has an exact total, where no other refund was granted for them before."""
    charges_minor: ChargeAmounts = {}


class RefundPaidBack(Fact, frozen=True, tag="order.refund_paid_back"):
    """The shop paid a refund out."""

    order_id: str
    refund_id: str
    at: datetime
    reference: str = ""
    """The shop's or payment provider's id of the payment."""


class RefundUnbooked(Fact, frozen=True, tag="order.refund_unbooked"):
    """A refund that could not be paid any more was taken back."""

    order_id: str
    refund_id: str
    at: datetime


class UnitsReshipped(Fact, frozen=True, tag="order.units_reshipped"):
    """The units are sent once more, under an order of their own at no price."""

    order_id: str
    case_id: str
    reship_order_id: str
    by_line: Units
    at: datetime


RemedyFact = (
    TakenIntoCase
    | CaseLeft
    | ReturnExpected
    | ReturnGivenUp
    | ReturnedInspected
    | RefundBooked
    | RefundPaidBack
    | RefundUnbooked
    | UnitsReshipped
)

# --- state ----------------------------------------------------------------------------------------


class CaseShare(Value, frozen=True):
    """What one case has of the order."""

    by_line: Units
    arrived: bool
    is_open: bool = True
    coming_back: Units = {}
    """Units that are to come back or have."""
    left_at: datetime | None = None
    """When the case was last closed."""
    reason: str = ""
    part_given: Units = {}
    """Units of a closed case that may have another for another reason."""
    inspected: Units = {}
    """Units that came back undelivered and were looked at."""
    about: Units = {}
    """The most units that it ever had; none of a case that was cancelled."""
    taken_at: datetime | None = None
    """When it was first opened."""

    def to_inspect(self, line_no: LineNo) -> int:
        """Units that had not arrived and that nobody has looked at."""
        return self.about.get(line_no, 0) - self.inspected.get(line_no, 0)

    def keeps(self, line_no: LineNo, reason: str) -> int:
        """Units that no other case of this reason can have; a case of an old fact keeps all."""
        units = self.by_line.get(line_no, 0)
        if self.is_open or not self.reason or self.reason == reason:
            return units
        return max(units - self.part_given.get(line_no, 0), 0)


class BookedRefund(Value, frozen=True):
    """Money that goes back."""

    case_id: str
    by_line: Units
    amounts_minor: Amounts
    shares_minor: Amounts = {}
    charges_minor: ChargeAmounts = {}
    paid_at: datetime | None = None
    reference: str = ""
    places: dict[LineNo, Spans] = {}
    """Which units it is for, of lines that have an exact total."""

    @property
    def paid(self) -> bool:
        return self.paid_at is not None

    @property
    def amount_minor(self) -> int:
        return sum(self.amounts_minor.values()) + sum(self.charges_minor.values())


class AfterSales(Value, frozen=True):
    """What all cases of an order have taken out of it."""

    cases: dict[str, CaseShare] = {}
    refunds: dict[str, BookedRefund] = {}
    cases_of: dict[LineNo, tuple[str, ...]] = {}
    """By line, the cases that had units of it: what is asked of each line looks at no others."""
    refunds_of: dict[LineNo, tuple[str, ...]] = {}
    reships: tuple[str, ...] = ()
    """The orders under which units were sent once more."""

    @property
    def open_cases(self) -> list[str]:
        return [case_id for case_id, share in self.cases.items() if share.is_open]

    def _cases_of(self, line_no: LineNo) -> Iterator[CaseShare]:
        return map(self.cases.__getitem__, self.cases_of.get(line_no, ()))

    def _refunds_of(self, line_no: LineNo) -> Iterator[BookedRefund]:
        return map(self.refunds.__getitem__, self.refunds_of.get(line_no, ()))

    def in_cases(self, line_no: LineNo, arrived: bool | None = None) -> int:
        """Units in cases: those that had arrived, the others, or all."""
        shares = (share for share in self._cases_of(line_no) if arrived in (None, share.arrived))
        return sum(share.by_line.get(line_no, 0) for share in shares)

    def kept(self, line_no: LineNo, reason: str, arrived: bool | None = None, but: str = "") -> int:
        """Units that no case of this reason can have, because other cases have them; but one case is not counted."""
        others = [self.cases[case_id] for case_id in self.cases_of.get(line_no, ()) if case_id != but]
        return sum(share.keeps(line_no, reason) for share in others if arrived in (None, share.arrived))

    def first_taken_at(self, line_no: LineNo) -> datetime | None:
        """When the first case was opened that has units which had not arrived."""
        shares = (each for each in self._cases_of(line_no) if not each.arrived and each.by_line.get(line_no))
        return min((each.taken_at for each in shares if each.taken_at is not None), default=None)

    def inspected(self, line_no: LineNo) -> int:
        """Units that came back undelivered and were looked at."""
        return sum(share.inspected.get(line_no, 0) for share in self._cases_of(line_no))

    def about(self, line_no: LineNo) -> int:
        """Units that had not arrived and that cases were or are about."""
        return sum(share.about.get(line_no, 0) for share in self._cases_of(line_no) if not share.arrived)

    def dealt_with(self, line_no: LineNo) -> int:
        """Units that had not arrived and that cases which are over were about."""
        over = (share for share in self._cases_of(line_no) if not share.is_open and not share.arrived)
        return sum(share.about.get(line_no, 0) for share in over)

    def refunded_units(self, line_no: LineNo) -> int:
        """Units that refunds are for; one may be counted in two, each for a part of its price."""
        return sum(refund.by_line.get(line_no, 0) for refund in self._refunds_of(line_no))

    def refunded_places(self, line_no: LineNo) -> Spans:
        """The units of a line that has an exact total which refunds are for."""
        return tuple(span for refund in self._refunds_of(line_no) for span in refund.places.get(line_no, ()))

    def coming_back(self, line_no: LineNo) -> int:
        return sum(share.coming_back.get(line_no, 0) for share in self._cases_of(line_no))

    def refunded_minor(self, line_no: LineNo) -> int:
        return sum(refund.amounts_minor.get(line_no, 0) for refund in self._refunds_of(line_no))

    def shares_minor(self, line_no: LineNo) -> int:
        """What was refunded of a line that has an exact total, but for what was taken off."""
        return sum(refund.shares_minor.get(line_no, 0) for refund in self._refunds_of(line_no))

    def refunded_of_charge(self, charge_id: str) -> int:
        return sum(refund.charges_minor.get(charge_id, 0) for refund in self.refunds.values())

    @property
    def booked_minor(self) -> int:
        return sum(refund.amount_minor for refund in self.refunds.values())

    @property
    def paid_back_minor(self) -> int:
        return sum(refund.amount_minor for refund in self.refunds.values() if refund.paid)


def evolve(after_sales: AfterSales, fact: RemedyFact) -> AfterSales:
    match fact:
        case TakenIntoCase(case_id=case_id):
            present = after_sales.cases.get(case_id)
            before = present or CaseShare({}, fact.arrived, reason=fact.reason, taken_at=fact.at)
            by_line = plus(before.by_line, fact.by_line)
            about = {n: max(units, before.about.get(n, 0)) for n, units in by_line.items()}
            taken = replace(before, by_line=by_line, about={**before.about, **about}, is_open=True)
            taken_of = _with(after_sales.cases_of, fact.by_line, case_id)
            return replace(_with_case(after_sales, case_id, taken), cases_of=taken_of)
        case CaseLeft(case_id=case_id):
            share = after_sales.cases[case_id]
            return _with_case(
                after_sales,
                case_id,
                replace(
                    share,
                    by_line=minus(share.by_line, fact.given_free),
                    is_open=False,
                    left_at=fact.at,
                    part_given=fact.part_given,
                    about={} if fact.withdrawn else share.about,
                ),
            )
        case ReturnExpected(case_id=case_id):
            share = after_sales.cases[case_id]
            return _with_case(after_sales, case_id, replace(share, coming_back=plus(share.coming_back, fact.by_line)))
        case ReturnGivenUp(case_id=case_id):
            share = after_sales.cases[case_id]
            return _with_case(after_sales, case_id, replace(share, coming_back=minus(share.coming_back, fact.by_line)))
        case ReturnedInspected(case_id=case_id):
            share = after_sales.cases[case_id]
            return _with_case(after_sales, case_id, replace(share, inspected=plus(share.inspected, fact.by_line)))
        case RefundBooked():
            refund = BookedRefund(fact.case_id, fact.by_line, fact.amounts_minor, fact.shares_minor, fact.charges_minor)
            if fact.shares_minor:
                places = {n: free_places(after_sales, n, fact.by_line.get(n, 0)) for n in fact.shares_minor}
                refund = replace(refund, places=places)
            booked_of = _with(after_sales.refunds_of, (*fact.by_line, *fact.amounts_minor), fact.refund_id)
            return replace(after_sales, refunds={**after_sales.refunds, fact.refund_id: refund}, refunds_of=booked_of)
        case RefundPaidBack(refund_id=refund_id):
            paid = replace(after_sales.refunds[refund_id], paid_at=fact.at, reference=fact.reference)
            return replace(after_sales, refunds={**after_sales.refunds, refund_id: paid})
        case RefundUnbooked():
            left = {name: refund for name, refund in after_sales.refunds.items() if name != fact.refund_id}
            left_of = {
                line_no: tuple(name for name in names if name != fact.refund_id)
                for line_no, names in after_sales.refunds_of.items()
            }
            return replace(after_sales, refunds=left, refunds_of=left_of)
        case UnitsReshipped():
            return replace(after_sales, reships=(*after_sales.reships, fact.reship_order_id))
        case _:
            assert_never(fact)


def free_places(after_sales: AfterSales, line_no: LineNo, units: int) -> Spans:
    """So many units that no refund is for, from the last one of the line back."""
    found, place = [], 0
    for first, count in sorted(after_sales.refunded_places(line_no)):
        if (free := min(first - place, units)) > 0:
            found.append((place, free))
            units -= free
        place = first + count
    return (*found, (place, units)) if units else tuple(found)


def _with(names_of: dict[LineNo, tuple[str, ...]], lines: Iterable[LineNo], name: str) -> dict[LineNo, tuple[str, ...]]:
    known = {line_no: names_of.get(line_no, ()) for line_no in lines}
    return names_of | {line_no: (*names, name) for line_no, names in known.items() if name not in names}


def _with_case(after_sales: AfterSales, case_id: str, share: CaseShare) -> AfterSales:
    return replace(after_sales, cases={**after_sales.cases, case_id: share})


# --- refusals -------------------------------------------------------------------------------------


class UnitsNotFree(Forbidden, reason="UNITS_NOT_FREE"):
    says = "a case for {asked} of line {line_no}, {free} of it {where} and in no other case"
    line_no: int
    asked: int
    free: int
    where: str = sentence_only()


class NotReturnable(Forbidden, reason="NOT_RETURNABLE"):
    says = "{asked} of line {line_no} to send back, {left} of it delivered and not returned already"
    line_no: int
    asked: int
    left: int


class UnitsInReturn(Forbidden, reason="UNITS_IN_RETURN"):
    says = (
        "{coming_back} of line {line_no} are on their way back and only {delivered} would be left as delivered; what "
        "is sent back has arrived"
    )
    line_no: int
    coming_back: int
    delivered: int


class RefundTooLarge(Forbidden, reason="REFUND_TOO_LARGE"):
    says = "{asked} asked for line {line_no}, {left} left of what was paid for its units"
    line_no: int
    asked: Money
    left: Money


class UnknownCharge(NotFound, reason="UNKNOWN_CHARGE"):
    says = "order {order_id} has no charge {charge_id}"
    order_id: str
    charge_id: str


class ChargeRefundTooLarge(Forbidden, reason="CHARGE_REFUND_TOO_LARGE"):
    says = "{asked} asked for charge {charge_id}, {left} of it left to refund"
    charge_id: str
    asked: Money
    left: Money


class NothingPaid(Forbidden, reason="NOTHING_PAID"):
    says = "the payment of order {order_id} is {payment}: there is nothing to refund"
    order_id: str
    payment: str


# --- decisions ------------------------------------------------------------------------------------


def require_delivered(after_sales: AfterSales, delivered: Mapping[LineNo, int]) -> None:
    """Refuses if more units are coming back than these that are delivered."""
    for line_no, count in delivered.items():
        if after_sales.coming_back(line_no) > count:
            raise UnitsInReturn(line_no, after_sales.coming_back(line_no), count)


def leave(after_sales: AfterSales, left: CaseLeft) -> Sequence[CaseLeft]:
    """A case is closed. Closing a closed one records nothing."""
    share = after_sales.cases.get(left.case_id)
    return [left] if share is not None and share.is_open else []


def take(after_sales: AfterSales, taken: TakenIntoCase, present: Units, sent: Units) -> list[TakenIntoCase]:
    """Take units into a case; present counts those that its reason is about, sent all that ever left.

    A unit is in one open case. After its remedy that case can be reopened; a unit that got a part of its money can have
    another case, for another reason.
    """
    where = "delivered" if taken.arrived else "not delivered"
    for line_no, units in taken.by_line.items():
        left = free(after_sales, line_no, taken.reason, taken.arrived, present, sent)
        if units > left:
            raise UnitsNotFree(line_no, units, left, where)
    share = after_sales.cases.get(taken.case_id)
    for line_no, units in share.by_line.items() if share is not None else ():
        # What stayed with the case may be in another one by now.
        left = sent.get(line_no, 0) - after_sales.kept(line_no, taken.reason, but=taken.case_id)
        if units > left:
            raise UnitsNotFree(line_no, units, max(left, 0), where)
    return [taken]


def free(after_sales: AfterSales, line_no: LineNo, reason: str, arrived: bool, present: Units, sent: Units) -> int:
    """Units that a case can have for a reason; present counts those that it is about, sent all that ever left."""
    same_kind = present.get(line_no, 0) - after_sales.kept(line_no, reason, arrived)
    return max(min(same_kind, sent.get(line_no, 0) - after_sales.kept(line_no, reason)), 0)


def inspect_returned(
    after_sales: AfterSales, order_id: str, case_id: str, asked: Units, returned: Units, at: datetime
) -> ReturnedInspected | None:
    """As many of the asked units as came back undelivered and nobody looked at; returned counts all that came back."""
    share = after_sales.cases.get(case_id)
    if share is None or share.arrived:
        return None
    found: Units = {}
    for line_no, units in asked.items():
        left = returned.get(line_no, 0) - after_sales.inspected(line_no)
        mine = share.to_inspect(line_no)
        if (count := min(units, left, mine)) > 0:
            found[line_no] = count
    return ReturnedInspected(order_id, case_id, found, at) if found else None


def expect_return(after_sales: AfterSales, expected: ReturnExpected, delivered: Units) -> list[ReturnExpected]:
    """Units are to come back: only delivered ones, each once."""
    share = after_sales.cases[expected.case_id]
    for line_no, units in expected.by_line.items():
        left = min(
            delivered.get(line_no, 0) - after_sales.coming_back(line_no),
            share.by_line.get(line_no, 0) - share.coming_back.get(line_no, 0),
        )
        if units > left:
            raise NotReturnable(line_no, units, max(left, 0))
    return [expected]


def book_refund(
    after_sales: AfterSales, booked: RefundBooked, paid_minor: Amounts, currency: str
) -> list[RefundBooked]:
    """Money goes back: over all cases of the order never more than was paid for the line."""
    for line_no, amount_minor in booked.amounts_minor.items():
        left_minor = paid_minor.get(line_no, 0) - after_sales.refunded_minor(line_no)
        if amount_minor > left_minor:
            raise RefundTooLarge(line_no, Money(amount_minor, currency), Money(left_minor, currency))
    return [booked]
