"""A case is opened, and approved at once where the policy says so."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from ledger.decisions import complaints
from ledger.decisions.after_sales.docket import CaseDocket, take
from ledger.decisions.after_sales.reships import approve_in
from ledger.decisions.after_sales.review import with_due
from ledger.decisions.docket import order_in
from ledger.decisions.sending_again import senders_of
from ledger.facts import Change, changes_of
from ledger.nouns import cases, orders, policies
from ledger.nouns.cases import CaseOpened, Remedy
from ledger.nouns.orders import Order, supplier_orders
from ledger.nouns.policies import CaseApproval, Policy, policy_at
from ledger.view import View


def open_case(view: View, opened: CaseOpened, now: datetime) -> list[Change]:
    """A customer complained; opened.first_answer_by and what stands in the order are set here.

    The same case again records nothing. What the customer only changed its mind about has to be reported within
    the return window; for other reasons there is no window, the ruling decides.
    """
    view.need(policies.stream(), cases.stream(opened.case_id), orders.stream(opened.order_id))
    order = order_in(view, opened.order_id)
    present = cases.find(view, opened.case_id)
    if present is not None:
        requested = (opened.order_id, opened.reason, opened.by_line)
        if requested != (present.order_id, present.opened.reason, present.opened.by_line):
            raise cases.CaseOpenedDifferently(opened.case_id)
        return []
    policy = policy_at(policies.find(view), opened.at)
    for line_no in opened.by_line:
        if line_no not in order.lines:
            raise supplier_orders.UnknownLine(f"order {order.order_id}", line_no)
    taken = take(order, opened.case_id, opened.reason, opened.by_line, opened.at)
    whole = replace(
        opened,
        first_answer_by=policy.first_answer_by(opened.at),
        suppliers=senders_of(order, opened.by_line),
        delivered_at=complaints.arrived_at(order, opened.by_line) if opened.reason.about_arrived_units else None,
    )
    complaints.require_reason(order, whole)
    approval = _approval(policy, order, whole)
    if approval is None:
        return [(cases.stream(opened.case_id), whole), *changes_of(orders.stream(order.order_id), taken)]
    docket = CaseDocket(view, opened.case_id, now, whole)
    docket.add_to_order(taken)
    ruling = cases.LiabilityRuled(opened.case_id, approval.liable, ("approved_by_policy",), (), opened.at)
    docket.add([with_due(docket, ruling)])
    approve_in(docket, Remedy(approval.remedy), {}, "", opened.at)
    return docket.close()


def _approval(policy: Policy, order: Order, opened: CaseOpened) -> CaseApproval | None:
    """The first term of the policy by which a case is approved at once: its reason, what its units cost, its window."""
    worth = sum(order.lines[line_no].worth_minor(units) for line_no, units in opened.by_line.items())
    for term in policy.case_approvals if not order.placed.reship_of else ():
        until = opened.delivered_at + timedelta(days=term.within_days) if opened.delivered_at else None
        in_time = not term.within_days or until is None or opened.at <= until
        cheap = term.most.currency == order.currency and worth <= term.most.amount_minor
        if term.reason == opened.reason and in_time and cheap:
            return term
    return None
