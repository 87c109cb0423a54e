"""Why a return case cannot do what is asked of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from ledger.facts import LineNo, to_minute
from ledger.nouns.cases.state import Case
from ledger.nouns.orders.supplier_orders import UnknownLine
from ledger.refusals import AlreadyExists, Forbidden, NotFound
from ledger.terms.money import Money


class UnknownCase(NotFound):
    def __init__(self, case_id: str) -> None:
        super().__init__(f"there is no case {case_id}", case_id=case_id)


class CaseOpenedDifferently(AlreadyExists):
    def __init__(self, case_id: str) -> None:
        super().__init__(f"case {case_id} was opened already for other units or another reason", case_id=case_id)


class _WrongStatus:
    """A step that the case's status does not allow; each is a refusal of its own."""

    needs = ""

    def __init__(self, case: Case) -> None:
        assert isinstance(self, Forbidden)
        message = f"case {case.case_id} is {case.status.replace('_', ' ')}; {self.needs}"
        Forbidden.__init__(self, message, case_id=case.case_id, status=case.status)


class CaseClosed(_WrongStatus, Forbidden):
    needs = "reopen it with new evidence first"


class CaseNotClosed(_WrongStatus, Forbidden):
    needs = "only a closed case is reopened"


class PastEvidence(_WrongStatus, Forbidden):
    needs = "evidence is asked for before its review"


class ReviewPassed(_WrongStatus, Forbidden):
    needs = "its review was started before"


class NotUnderReview(_WrongStatus, Forbidden):
    needs = "liability is ruled under review"


class NotRuled(_WrongStatus, Forbidden):
    needs = "rule who is liable first"


class RemedyChosen(_WrongStatus, Forbidden):
    needs = "its remedy was approved already"


class NoRemedyYet(_WrongStatus, Forbidden):
    needs = "approve a remedy first"


class WaitsForReship(_WrongStatus, Forbidden):
    needs = "the reship has to end first; cancel its order if it is not wanted any more"


class EvidenceStillDue(Forbidden):
    def __init__(self, case_id: str, due: datetime) -> None:
        super().__init__(
            f"the customer of case {case_id} has until {to_minute(due)} to hand in evidence",
            case_id=case_id,
            due=due.isoformat(),
        )


class NotAskedForEvidence(_WrongStatus, Forbidden):
    needs = "it is denied for want of evidence only after evidence was asked for"


class UnknownEvidence(NotFound):
    def __init__(self, case_id: str, sha256: str) -> None:
        super().__init__(f"case {case_id} has no evidence {sha256}", case_id=case_id, sha256=sha256)


class NoNewEvidence(Forbidden):
    def __init__(self, case_id: str) -> None:
        super().__init__(
            f"no evidence was added to case {case_id} since it was closed; add some and name it", case_id=case_id
        )


class OutsideReturnWindow(Forbidden):
    def __init__(self, order_id: str, closed_at: datetime) -> None:
        super().__init__(
            f"the return window of order {order_id} closed at {to_minute(closed_at)}",
            order_id=order_id,
            closed_at=closed_at.isoformat(),
        )


class NotLate(Forbidden):
    def __init__(self, order_id: str, promised_by: datetime | None, promised_day: date | None = None) -> None:
        promise = promised_day or (to_minute(promised_by) if promised_by else "")
        super().__init__(
            f"order {order_id} is promised by {promise}" if promise else f"nothing was promised of order {order_id}",
            order_id=order_id,
            promised_by=promised_by.isoformat() if promised_by else "",
        )


class OverRemedied(Forbidden):
    def __init__(self, line_no: int, asked: int, left: int) -> None:
        super().__init__(
            f"{asked} of line {line_no} to decide for, {left} left that nothing was decided for",
            line_no=line_no,
            asked=asked,
            left=left,
        )


class AlreadyRefunded(Forbidden):
    def __init__(self, line_no: int, asked: int, left: int) -> None:
        super().__init__(
            f"{asked} of line {line_no} to send once more, {left} were not refunded yet",
            line_no=line_no,
            asked=asked,
            left=left,
        )


class NotInspected(Forbidden):
    def __init__(self, line_no: int, asked: int, inspected: int) -> None:
        super().__init__(
            f"a refund for {asked} of line {line_no}, {inspected} came back, were inspected and wait for one",
            line_no=line_no,
            asked=asked,
            inspected=inspected,
        )


class NothingToSendBack(Forbidden):
    def __init__(self, case_id: str) -> None:
        super().__init__(f"case {case_id} has no unit left that could be sent back", case_id=case_id)


class LabelledDifferently(AlreadyExists):
    def __init__(self, label_id: str) -> None:
        super().__init__(f"label {label_id} was recorded already for other units", label_id=label_id)


class UnknownLabel(NotFound):
    def __init__(self, case_id: str, label_id: str) -> None:
        super().__init__(f"case {case_id} has no label {label_id}", case_id=case_id, label_id=label_id)


class SentBackOtherwise(AlreadyExists):
    def __init__(self, label_id: str, carrier: str, number: str) -> None:
        super().__init__(
            f"what label {label_id} is for was sent back with {carrier} under {number}",
            label_id=label_id,
            carrier=carrier,
            number=number,
        )


class OverReceived(Forbidden):
    def __init__(self, line_no: int, received: int, labelled: int) -> None:
        super().__init__(
            f"{received} of line {line_no} received, {labelled} have a label",
            line_no=line_no,
            received=received,
            labelled=labelled,
        )


class ReceivedBefore(Forbidden):
    def __init__(self, line_no: int, told: int, received: int) -> None:
        super().__init__(
            f"{told} of line {line_no} received in all, {received} were received before",
            line_no=line_no,
            told=told,
            received=received,
        )


class OverInspected(Forbidden):
    def __init__(self, line_no: int, inspected: int, received: int) -> None:
        super().__init__(
            f"{inspected} of line {line_no} inspected, {received} received",
            line_no=line_no,
            inspected=inspected,
            received=received,
        )


class NotMissing(Forbidden):
    def __init__(self, line_no: int, missing: int, awaited: int) -> None:
        super().__init__(
            f"{missing} of line {line_no} missing, {awaited} were not received",
            line_no=line_no,
            missing=missing,
            awaited=awaited,
        )


class InspectedBefore(Forbidden):
    def __init__(self, line_no: int, told: int, inspected: int, what: str) -> None:
        super().__init__(
            f"{told} of line {line_no} {what} in all, {inspected} were before; what was inspected stays so",
            line_no=line_no,
            told=told,
            inspected=inspected,
            what=what,
        )


class UnknownRefund(NotFound):
    def __init__(self, case_id: str, refund_id: str) -> None:
        super().__init__(f"case {case_id} has no refund {refund_id}", case_id=case_id, refund_id=refund_id)


class RefundWasPaid(Forbidden):
    def __init__(self, case_id: str, refund_id: str) -> None:
        super().__init__(
            f"refund {refund_id} of case {case_id} was paid; what was paid cannot be denied",
            case_id=case_id,
            refund_id=refund_id,
        )


class RefundCanBePaid(Forbidden):
    def __init__(self, case_id: str, refund_id: str, amount: Money, left: Money) -> None:
        super().__init__(
            f"refund {refund_id} of case {case_id} was granted and can be paid: it is {amount}, and {left} is left of "
            "what came in; pay it",
            case_id=case_id,
            refund_id=refund_id,
            amount_minor=amount.amount_minor,
            left_minor=left.amount_minor,
            currency=amount.currency,
        )


class NothingToRefund(Forbidden):
    def __init__(self, case_id: str) -> None:
        super().__init__(f"no unit of case {case_id} waits for a refund", case_id=case_id)


class RefundGrantedDifferently(AlreadyExists):
    def __init__(self, refund_id: str) -> None:
        super().__init__(f"refund {refund_id} was granted already for other units", refund_id=refund_id)


class GoodsReceived(Forbidden):
    def __init__(self, case_id: str, units: int) -> None:
        super().__init__(
            f"{units} units of case {case_id} have come back; it cannot be cancelled any more",
            case_id=case_id,
            units=units,
        )


class RefundStands(Forbidden):
    def __init__(self, case_id: str, refunds: int) -> None:
        super().__init__(
            f"case {case_id} has {refunds} refunds granted; it cannot be cancelled any more",
            case_id=case_id,
            refunds=refunds,
        )


def known(case: Case | None, case_id: str) -> Case:
    if case is None:
        raise UnknownCase(case_id)
    return case


def require_open(case: Case) -> None:
    if case.status.is_closed:
        raise CaseClosed(case)


def require_lines(case: Case, lines: Iterable[LineNo]) -> None:
    """A step names lines of the case alone, not others of its order."""
    for line_no in lines:
        if line_no not in case.opened.by_line:
            raise UnknownLine(f"case {case.case_id}", line_no)
