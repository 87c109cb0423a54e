"""The list of questions: those that wait by when an answer is due, page by page."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ledger.terms.parties import Party
from projections import inquiries
from projections.inquiries import InquiryState, ListedInquiry
from projections.machine.reads import PageOf
from tests.support.projecting import asking, catch_up
from tests.support.scenario import (
    DAY,
    HOUR,
    NOON,
    ORDER,
    TERMS,
    Scenario,
    sent,
)
from tests.support.stalls import EmptyTenant


def several() -> Scenario:
    """Five questions: two to acme of which one is answered, two to us of which one is closed, one without a clock."""
    scenario = sent()
    scenario.agree_terms(replace(TERMS, effective_from=NOON - DAY, answer_within_hours=12))
    for number in (1, 2):
        scenario.ask(f"acme-{number}")
        scenario.ask(f"us-{number}", Party.RETAILER)
    scenario.ask("bolt", supplier_order_id="", supplier_id="bolt")
    scenario.later(hours=13)
    scenario.answer_inquiry("acme-1", at=NOON + HOUR)
    scenario.close_inquiry("us-1")
    scenario.miss_answer("acme-2")
    return scenario


async def listed(tenant: EmptyTenant, *arguments, size: int = 100) -> list[ListedInquiry]:
    found: list[ListedInquiry] = []
    token = ""
    async with asking(tenant) as where:
        while True:
            answer = await inquiries.list_inquiries(where, PageOf(size, token), *arguments)
            found += answer.rows
            token = answer.next_page_token
            if not token:
                return found


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_what_waits_comes_by_when_it_is_due_and_what_is_never_due_last(tenant: EmptyTenant, size: int):
    catch_up(tenant, several().log)
    assert [(each.inquiry_id, each.due, each.missed) for each in await listed(tenant, size=size)] == [
        ("acme-2", NOON + 12 * HOUR, True),
        ("us-2", NOON + 24 * HOUR, False),
        ("bolt", None, False),
    ]


async def test_questions_are_found_by_state_supplier_order_and_who_is_asked(tenant: EmptyTenant):
    catch_up(tenant, several().log)

    async def ids(*arguments) -> list[str]:
        return [each.inquiry_id for each in await listed(tenant, *arguments)]

    assert await ids(InquiryState.ANSWERED) == ["acme-1"]
    assert await ids(InquiryState.CLOSED) == ["us-1"]
    assert await ids(InquiryState.OPEN, "acme") == ["acme-2"]
    assert await ids(InquiryState.OPEN, "", ORDER, Party.RETAILER) == ["us-2"]
    assert await ids(InquiryState.OPEN, "", "shopify/9") == []
    (answered,) = await listed(tenant, InquiryState.ANSWERED)
    assert (answered.answered_at, answered.asked_by, answered.asked_of) == (
        NOON + HOUR,
        Party.RETAILER,
        Party.SUPPLIER,
    )
