"""Why a return case cannot do what is asked of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from ledger.facts import LineNo
from ledger.nouns.cases.state import Case, CaseStatus
from ledger.nouns.orders.supplier_orders import UnknownLine
from ledger.refusals import AlreadyExists, Forbidden, NotFound, sentence_only
from ledger.terms.money import Money


class UnknownCase(NotFound, reason="UNKNOWN_CASE"):
    says = "there is no case {case_id}"
    case_id: str


class CaseOpenedDifferently(AlreadyExists, reason="CASE_OPENED_DIFFERENTLY"):
    says = "case {case_id} was opened already for other units or another reason"
    case_id: str


class _WrongStatus(Forbidden):
    """A step that the case's status does not allow; each is a refusal of its own."""

    case_id: str
    status: CaseStatus

    def sentence(self) -> str:
        return self.says.format(case_id=self.case_id, status=self.status.replace("_", " "))


class CaseClosed(_WrongStatus, reason="CASE_CLOSED"):
    says = "case {case_id} is {status}; reopen it with new evidence first"


class CaseNotClosed(_WrongStatus, reason="CASE_NOT_CLOSED"):
    says = "case {case_id} is {status}; only a closed case is reopened"


class PastEvidence(_WrongStatus, reason="PAST_EVIDENCE"):
    says = "case {case_id} is {status}; evidence is asked for before its review"


class ReviewPassed(_WrongStatus, reason="REVIEW_PASSED"):
    says = "case {case_id} is {status}; its review was started before"


class NotUnderReview(_WrongStatus, reason="NOT_UNDER_REVIEW"):
    says = "case {case_id} is {status}; liability is ruled under review"


class NotRuled(_WrongStatus, reason="NOT_RULED"):
    says = "case {case_id} is {status}; rule who is liable first"


class RemedyChosen(_WrongStatus, reason="REMEDY_CHOSEN"):
    says = "case {case_id} is {status}; its remedy was approved already"


class NoRemedyYet(_WrongStatus, reason="NO_REMEDY_YET"):
    says = "case {case_id} is {status}; approve a remedy first"


class WaitsForReship(_WrongStatus, reason="WAITS_FOR_RESHIP"):
    says = "case {case_id} is {status}; the reship has to end first; cancel its order if it is not wanted any more"


class EvidenceStillDue(Forbidden, reason="EVIDENCE_STILL_DUE"):
    says = "the customer of case {case_id} has until {due} to hand in evidence"
    case_id: str
    due: datetime


class NotAskedForEvidence(_WrongStatus, reason="NOT_ASKED_FOR_EVIDENCE"):
    says = "case {case_id} is {status}; it is denied for want of evidence only after evidence was asked for"


class UnknownEvidence(NotFound, reason="UNKNOWN_EVIDENCE"):
    says = "case {case_id} has no evidence {sha256}"
    case_id: str
    sha256: str


class TooMuchEvidence(Forbidden, reason="TOO_MUCH_EVIDENCE"):
    says = "case {case_id} has {most} pieces of evidence, which is the most; put more into one file"
    case_id: str
    most: int


class NoNewEvidence(Forbidden, reason="NO_NEW_EVIDENCE"):
    says = "no evidence was added to case {case_id} since it was closed; add some and name it"
    case_id: str


class OutsideReturnWindow(Forbidden, reason="OUTSIDE_RETURN_WINDOW"):
    says = "the return window of order {order_id} closed at {closed_at}"
    order_id: str
    closed_at: datetime


class NotLate(Forbidden, reason="NOT_LATE"):
    says = "order {order_id} is promised by {promised_by}"
    order_id: str
    promised_by: datetime | None
    promised_day: date | None = sentence_only()

    def sentence(self) -> str:
        if self.promised_by is None and self.promised_day is None:
            return f"nothing was promised of order {self.order_id}"
        return f"order {self.order_id} is promised by {self.promised_day}" if self.promised_day else super().sentence()


class OverRemedied(Forbidden, reason="OVER_REMEDIED"):
    says = "{asked} of line {line_no} to decide for, {left} left that nothing was decided for"
    line_no: int
    asked: int
    left: int


class AlreadyRefunded(Forbidden, reason="ALREADY_REFUNDED"):
    says = "{asked} of line {line_no} to send once more, {left} were not refunded yet"
    line_no: int
    asked: int
    left: int


class NotInspected(Forbidden, reason="NOT_INSPECTED"):
    says = "a refund for {asked} of line {line_no}, {inspected} came back, were inspected and wait for one"
    line_no: int
    asked: int
    inspected: int


class NothingToSendBack(Forbidden, reason="NOTHING_TO_SEND_BACK"):
    says = "case {case_id} has no unit left that could be sent back"
    case_id: str


class LabelledDifferently(AlreadyExists, reason="LABELLED_DIFFERENTLY"):
    says = "label {label_id} was recorded already for other units"
    label_id: str


class UnknownLabel(NotFound, reason="UNKNOWN_LABEL"):
    says = "case {case_id} has no label {label_id}"
    case_id: str
    label_id: str


class SentBackOtherwise(AlreadyExists, reason="SENT_BACK_OTHERWISE"):
    says = "what label {label_id} is for was sent back with {carrier} under {number}"
    label_id: str
    carrier: str
    number: str


class OverReceived(Forbidden, reason="OVER_RECEIVED"):
    says = "{received} of line {line_no} received, {labelled} have a label"
    line_no: int
    received: int
    labelled: int


class ReceivedBefore(Forbidden, reason="RECEIVED_BEFORE"):
    says = "{told} of line {line_no} received in all, {received} were received before"
    line_no: int
    told: int
    received: int


class OverInspected(Forbidden, reason="OVER_INSPECTED"):
    says = "{inspected} of line {line_no} inspected, {received} received"
    line_no: int
    inspected: int
    received: int


class NotMissing(Forbidden, reason="NOT_MISSING"):
    says = "{missing} of line {line_no} missing, {awaited} were not received"
    line_no: int
    missing: int
    awaited: int


class InspectedBefore(Forbidden, reason="INSPECTED_BEFORE"):
    says = "{told} of line {line_no} {what} in all, {inspected} were before; what was inspected stays so"
    line_no: int
    told: int
    inspected: int
    what: str


class UnknownRefund(NotFound, reason="UNKNOWN_REFUND"):
    says = "case {case_id} has no refund {refund_id}"
    case_id: str
    refund_id: str


class RefundWasPaid(Forbidden, reason="REFUND_WAS_PAID"):
    says = "refund {refund_id} of case {case_id} was paid; what was paid cannot be denied"
    case_id: str
    refund_id: str


class RefundCanBePaid(Forbidden, reason="REFUND_CAN_BE_PAID"):
    says = (
        "refund {refund_id} of case {case_id} was granted and can be paid: it is {amount}, and {left} is left of what "
        "came in; pay it"
    )
    case_id: str
    refund_id: str
    amount: Money
    left: Money


class NothingToRefund(Forbidden, reason="NOTHING_TO_REFUND"):
    says = "no unit of case {case_id} waits for a refund"
    case_id: str


class RefundGrantedDifferently(AlreadyExists, reason="REFUND_GRANTED_DIFFERENTLY"):
    says = "refund {refund_id} was granted already for other units"
    refund_id: str


class GoodsReceived(Forbidden, reason="GOODS_RECEIVED"):
    says = "{units} units of case {case_id} have come back; it cannot be cancelled any more"
    case_id: str
    units: int


class RefundStands(Forbidden, reason="REFUND_STANDS"):
    says = "case {case_id} has {refunds} refunds granted; it cannot be cancelled any more"
    case_id: str
    refunds: int


def known(case: Case | None, case_id: str) -> Case:
    if case is None:
        raise UnknownCase(case_id)
    return case


def require_open(case: Case) -> None:
    if case.status.is_closed:
        raise CaseClosed(case.case_id, case.status)


def require_lines(case: Case, lines: Iterable[LineNo]) -> None:
    """A step names lines of the case alone, not others of its order."""
    for line_no in lines:
        if line_no not in case.opened.by_line:
            raise UnknownLine(f"case {case.case_id}", line_no)
