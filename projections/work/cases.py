"""Work about return cases: what the retailer has to do next, and what a supplier left unresolved."""

from __future__ import annotations

from typing import Any

from ledger.nouns.cases import Case, CaseDeadlineMissed, CaseStatus, Denial, Remedy
from ledger.nouns.inquiries import Topic
from ledger.terms.clocks import Clock
from ledger.terms.parties import Party
from projections.machine.reads import FIRST
from projections.work.kinds import Next, Step, WorkKind
from projections.work.rows import STAMP, Item, Owner, item


def of_case(case: Case) -> list[Item]:
    late = [_unresolved(case, each) for each in case.late if each.clock is Clock.RESOLUTION and _is_waited_for(case)]
    what = _next_of(case)
    if what is None:
        return late
    (because, following), opened = what, case.opened
    # A case that was closed and opened again comes to the same steps anew.
    mark = f"{because.replace(' ', '_')}-{len(case.refunds)}-{case.closed_at or opened.at:{STAMP}}"
    due = shown_from = case.evidence_by if following.step is Step.DENY_CASE else None
    if following.step is Step.RECORD_REFUND_PAID:
        due = case.refunds[following.fields["refund_id"]].pay_by
    if case.first_answered_at is None:
        because, due = f"answer the customer, then {because}", opened.first_answer_by
        following = Next(Step.ANSWER_CUSTOMER, {"case_id": case.case_id})
    one = item(
        WorkKind.CASE,
        case.case_id,
        Owner.AFTER_SALES,
        opened.at,
        because,
        following,
        due=due,
        task_id=f"{WorkKind.CASE}-{case.case_id}-{mark}",
        order_id=case.order_id,
        shown_from=shown_from or FIRST,
    )
    return [*late, one]


def _is_waited_for(case: Case) -> bool:
    return not case.status.is_closed and case.ruling is not None and case.ruling.liable is Party.SUPPLIER


def _unresolved(case: Case, missed: CaseDeadlineMissed) -> Item:
    """A case that a supplier was to help to resolve: it is asked what keeps it."""
    about = {"inquiry_id": f"resolution-{missed.object_id.replace('/', '-')}"[:100], "order_id": case.order_id}
    asked = {"topic": Topic.OTHER, "asked_by": Party.RETAILER, "asked_of": Party.SUPPLIER}
    return item(
        WorkKind.BREACH,
        f"{missed.object_id}/{missed.clock}",
        Owner.SUPPLIER_MANAGER,
        missed.at,
        missed.clock.value,
        Next(Step.ASK_INQUIRY, {**about, **asked, "supplier_id": missed.supplier_id}),
        due=missed.due,
        order_id=case.order_id,
        supplier_id=missed.supplier_id,
    )


_CARRY_OUT = {Remedy.RETURN: Step.LABEL_RETURN, Remedy.REFUND: Step.GRANT_REFUND}
"""What a remedy begins with; a reship or an exchange begins with its approval."""


def _next_of(case: Case) -> tuple[str, Next] | None:
    """What the retailer has to do; None while a customer, a carrier or a supplier has to act."""
    what = _next_step(case)
    if what is None:
        return None
    because, step, fields = what
    return because, Next(step, {"case_id": case.case_id, **fields})


def _next_step(case: Case) -> tuple[str, Step, dict[str, Any]] | None:
    match case.status:
        case CaseStatus.OPENED:
            return "look at it", Step.START_REVIEW, {}
        case CaseStatus.EVIDENCE_REQUESTED:
            if case.unseen:
                return "look at the evidence", Step.START_REVIEW, {}
            return "deny it or ask again: no evidence came", Step.DENY_CASE, {"reason": Denial.NO_EVIDENCE}
        case CaseStatus.UNDER_REVIEW:
            return "rule on liability", Step.RULE_LIABILITY, {}
        case CaseStatus.LIABILITY_RULED:
            return "approve a remedy or deny it", Step.APPROVE_REMEDY, {}
        case CaseStatus.APPROVED if (remedy := case.remedy) is not None:
            step = _CARRY_OUT.get(remedy, Step.APPROVE_REMEDY)
            return f"carry out the {remedy}", step, {"remedy": remedy} if step is Step.APPROVE_REMEDY else {}
        case CaseStatus.IN_REMEDY if (line_no := case.to_inspect) is not None:
            return "inspect what came back", Step.RECORD_INSPECTION, {"lines": [{"line_no": line_no}]}
        case CaseStatus.IN_REMEDY if case.undecided or (case.todo and case.remedy is Remedy.REFUND):
            return "decide the refund", Step.GRANT_REFUND, {}
        case CaseStatus.IN_REMEDY:
            unpaid = (name for name, each in case.refunds.items() if each.paid_at is None and each.amount_minor)
            refund_id = next(unpaid, None)
            return None if refund_id is None else ("pay the refund", Step.RECORD_REFUND_PAID, {"refund_id": refund_id})
        case _:
            return None
