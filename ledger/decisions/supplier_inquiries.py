"""Asking about an order: whom, and by when the answer is due (DOMAIN 2, 6)."""

from __future__ import annotations

from msgspec.structs import replace

from ledger.decisions.docket import order_in
from ledger.facts import Change, changes_of
from ledger.nouns import inquiries, policies, suppliers
from ledger.nouns.inquiries import InquiryAsked
from ledger.nouns.policies import policy_at
from ledger.terms.parties import Party
from ledger.view import View


def ask(view: View, asked: InquiryAsked) -> list[Change]:
    """A question about an order or a supplier order; supplier_id and answer_by are completed here.

    A supplier answers by its agreement at that time, the retailer by its own policy.
    """
    order = order_in(view, asked.order_id)
    if asked.supplier_order_id:
        asked = replace(asked, supplier_id=order.supplier_order(asked.supplier_order_id).supplier_id)
    present = inquiries.find(view, asked.inquiry_id)
    return changes_of(inquiries.stream(asked.inquiry_id), inquiries.ask(present, _due(view, asked), order.is_erased))


def _due(view: View, asked: InquiryAsked) -> InquiryAsked:
    """The question with when its answer is due."""
    supplier = (
        suppliers.known(suppliers.find(view, asked.supplier_id), asked.supplier_id) if asked.supplier_id else None
    )
    if asked.asked_of is Party.RETAILER:
        return replace(asked, answer_by=policy_at(policies.find(view), asked.at).answer_by(asked.at))
    assert supplier is not None, "who asks a supplier names it"
    agreement = supplier.agreement_at(asked.at)
    if agreement is None:
        return asked
    return replace(asked, answer_by=agreement.answer_by(asked.at), time_zone=agreement.time_zone)
