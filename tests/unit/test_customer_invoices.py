"""Invoices for customers: when they are drawn up, what stands on them, their numbers, what cancels them."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from adapters.invoices.customer_invoices import message
from adapters.invoices.customer_pdf import draw
from ledger.decisions import customer_invoices
from ledger.facts import Fact, LineNo, Sealed
from ledger.nouns.invoice_series import NumberTaken
from ledger.nouns.orders import (
    Charge,
    ChargeKind,
    CustomerInvoice,
    InvoiceCredited,
    InvoiceIsCredited,
    InvoiceIssued,
    InvoiceNotIssued,
    InvoiceRequested,
    InvoiceWish,
    NoSellerToInvoice,
    UnknownCustomerInvoice,
    due_minor,
    stream,
    total_minor,
)
from ledger.nouns.orders.after_sales import RefundBooked
from ledger.nouns.policies import Seller
from ledger.terms.calendars import Calendar, WorkingTerms
from tests.support.scenario import ANNA, NOON, ORDER, Scenario, line, refused, units

SELLER = Seller("Brook & Sons", ("10435 Berlin",), "DE", "DE 811 128 135")
BUYER = Sealed("key-buyer", b"Example Ltd")
SHIPPING = Charge("shipping", ChargeKind.SHIPPING, 490)
WANTED = InvoiceWish()
DISCOUNT = Charge("discount", ChargeKind.DISCOUNT, -100)
TAX = Charge("tax", ChargeKind.TAX, 333)


def sent(*lines: Any, seller: Seller | None = SELLER, wish: InvoiceWish | None = WANTED, **more: Any) -> Scenario:
    """An order of three of tea for 10.00, sent to its supplier, that asks for an invoice."""
    scenario = Scenario()
    scenario.approve()
    scenario.agree(seller=seller)
    scenario.place(*(lines or (line(1, "tea", 3, total_minor=1000),)), invoice=wish, **more)
    scenario.send()
    return scenario


def one(facts: list[Fact]) -> InvoiceIssued:
    (issued,) = (fact for fact in facts if isinstance(fact, InvoiceIssued))
    return issued


def ask(scenario: Scenario, wish: InvoiceWish = WANTED) -> list[Fact]:
    asked = InvoiceRequested(ORDER, wish, "mia", scenario.now)
    return scenario.record(customer_invoices.request(scenario.book, asked, scenario.now))


def credit(scenario: Scenario, number: str, because: str = "wrong buyer") -> list[Fact]:
    return scenario.record(
        customer_invoices.credit(scenario.book, ORDER, number, because, "mia", scenario.now, scenario.now)
    )


# --- when the goods leave ---------------------------------------------------------------------------


def test_what_leaves_is_invoiced_in_the_same_moment_with_the_next_number():
    scenario = sent()
    facts = scenario.ship()
    issued = one(facts)
    assert (issued.number, issued.dated, issued.seller) == ("DE811128135-2026-000001", NOON.date(), SELLER)
    assert [(each.sku, each.units, each.amount_minor) for each in issued.lines] == [("tea", 3, 1000)]
    assert (issued.ship_to.customer, issued.parcel, issued.total_minor) == (ANNA, ("dhl", "P1", 1), 1000)
    assert NumberTaken("DE811128135-2026", 1, ORDER, scenario.now) in facts


def test_who_asks_for_no_invoice_gets_none_and_an_old_order_that_is_imported_neither():
    for scenario in (sent(wish=None), sent(historical=True)):
        assert not any(isinstance(fact, InvoiceIssued | NumberTaken) for fact in scenario.ship())


def test_the_same_shipment_again_takes_no_number():
    scenario = sent()
    scenario.ship()
    assert scenario.ship() == []


def test_each_parcel_has_an_invoice_and_charges_stand_on_the_first_but_for_those_that_go_by_the_goods():
    scenario = sent(charges=(SHIPPING, DISCOUNT, TAX))
    first, second = one(scenario.ship({1: 1})), one(scenario.ship({1: 2}, number="P2"))
    assert [each.amount_minor for each in first.lines] == [333]
    assert [(each.charge_id, each.amount_minor) for each in first.charges] == [
        ("shipping", 490), ("discount", -33), ("tax", 111),
    ]  # fmt: skip
    assert [each.amount_minor for each in second.lines] == [667]
    assert [(each.charge_id, each.amount_minor) for each in second.charges] == [("discount", -67), ("tax", 222)]
    assert second.number == "DE811128135-2026-000002"
    assert first.total_minor + second.total_minor == due_minor(scenario.order()) == 1723


@settings(max_examples=60)
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=5),
    st.integers(0, 10_000),
    st.integers(0, 3),
    st.integers(0, 999),
    st.integers(0, 500),
)
def test_all_invoices_come_to_what_the_order_costs_however_it_is_parted(
    parts: list[int], total: int, cancelled: int, tax: int, taken_off: int
):
    charges = (
        SHIPPING,
        Charge("tax", ChargeKind.TAX, tax),
        Charge("discount", ChargeKind.DISCOUNT, -min(taken_off, total)),
    )
    quantity = sum(parts) + cancelled
    scenario = sent(line(1, "tea", quantity, total_minor=total), charges=charges)
    if cancelled:
        scenario.cancel({1: cancelled})
        scenario.answer_cancel(agreed=True)
    issued = [one(scenario.ship({1: count}, number=f"P{n}")) for n, count in enumerate(parts)]
    assert sum(each.total_minor for each in issued) == due_minor(scenario.order())


def test_a_charge_that_an_amendment_took_away_is_taken_back_by_the_next_invoice():
    scenario = sent(line(1, "tea", 2), charges=(SHIPPING,))
    first = one(scenario.ship({1: 1}, number="P1"))
    scenario.amend(line(1, "tea", 2))
    second = one(scenario.ship(number="P2"))
    assert [(each.total_minor, [c.amount_minor for c in each.charges]) for each in (first, second)] == [
        (990, [490]),
        (10, [-490]),
    ]
    assert first.total_minor + second.total_minor == total_minor(scenario.order())


def test_without_a_seller_that_has_a_tax_id_goods_leave_with_a_warning_and_the_invoice_follows():
    for seller in (None, Seller("Brook & Sons"), Seller("Brook & Sons", tax_id="税")):
        scenario = sent(seller=seller)
        (missed,) = (fact for fact in scenario.ship() if isinstance(fact, InvoiceNotIssued))
        assert "no seller with a tax id" in missed.warnings[0]
        assert scenario.order().invoicing.not_issued
        with refused(NoSellerToInvoice, "no seller with a tax id", order_id=ORDER):
            ask(scenario, InvoiceWish(BUYER, "digest"))
        scenario.agree(seller=SELLER)
        assert one(ask(scenario)).total_minor == 1000
        assert not scenario.order().invoicing.not_issued


def test_a_year_ends_where_the_retailer_is_and_begins_with_the_first_number():
    scenario = Scenario()
    scenario.approve()
    calendar = WorkingTerms(Calendar("Asia/Shanghai"), {})
    scenario.agree(seller=SELLER, working=calendar)
    scenario.place(line(1, "tea", 2), invoice=InvoiceWish())
    scenario.send()
    scenario.now = datetime(2026, 12, 31, 15, 59, tzinfo=UTC)
    assert one(scenario.ship({1: 1})).number == "DE811128135-2026-000001"
    scenario.later(minutes=1)
    issued = one(scenario.ship({1: 1}, number="P2"))
    assert (issued.number, issued.dated.isoformat()) == ("DE811128135-2027-000001", "2027-01-01")


# --- asked for later --------------------------------------------------------------------------------


def test_who_asks_late_gets_one_invoice_for_what_has_left_and_further_ones_with_further_parcels():
    scenario = sent(wish=None, charges=(SHIPPING,))
    scenario.ship({1: 1})
    wish = InvoiceWish(BUYER, "digest", 1900)
    issued = one(ask(scenario, wish))
    assert (issued.wish, issued.parcel, issued.total_minor) == (wish, None, 823)
    assert issued.included_tax_minor == 131  # 8.23 x 19 / 119
    assert one(scenario.ship({1: 2}, number="P2")).wish == wish


def test_asking_the_same_again_records_nothing_and_before_anything_left_only_the_wish():
    scenario = sent(wish=None)
    assert [type(fact) for fact in ask(scenario)] == [InvoiceRequested]
    assert ask(scenario) == []
    scenario.ship()
    assert ask(scenario) == []


# --- credit notes -----------------------------------------------------------------------------------


def test_a_credit_note_has_a_series_of_its_own_and_cancels_an_invoice_once():
    scenario = sent()
    number = one(scenario.ship()).number
    facts = credit(scenario, number)
    (note,) = (fact for fact in facts if isinstance(fact, InvoiceCredited))
    assert (note.invoice, note.number) == (number, "DE811128135-C2026-000001")
    assert NumberTaken("DE811128135-C2026", 1, ORDER, scenario.now) in facts
    assert credit(scenario, number) == []
    with refused(InvoiceIsCredited, "cancelled already", credit_note=note.number):
        credit(scenario, number, "returned")


def test_an_invoice_that_there_is_not_cannot_be_cancelled():
    with refused(UnknownCustomerInvoice, "has no invoice", number="DE811128135-2026-000001"):
        credit(sent(), "DE811128135-2026-000001")


def test_what_was_cancelled_is_put_on_another_invoice_with_another_buyer():
    scenario = sent(charges=(SHIPPING,))
    credit(scenario, one(scenario.ship()).number)
    again = one(ask(scenario, InvoiceWish(BUYER, "digest")))
    assert (again.number, again.total_minor, again.wish.buyer) == ("DE811128135-2026-000002", 1490, BUYER)
    assert ask(scenario, InvoiceWish(BUYER, "digest")) == []


def test_what_was_refunded_meanwhile_stands_on_no_other_invoice():
    scenario = sent(charges=(SHIPPING,))
    credit(scenario, one(scenario.ship()).number)
    refund = RefundBooked(
        ORDER, "case-1", "refund-1", units({1: 1}), {LineNo(1): 333}, scenario.now, {LineNo(1): 333}, {"shipping": 490}
    )
    scenario.book.record([(stream(ORDER), refund)])
    issued = one(ask(scenario, InvoiceWish(BUYER, "digest")))
    assert [(each.units, each.amount_minor) for each in issued.lines] == [(2, 667)]
    assert issued.charges == ()


# --- paper ------------------------------------------------------------------------------------------


def paper(scenario: Scenario, number: str, **people: Any) -> str:
    found = message(scenario.order().invoicing.invoices[number], people)
    assert draw(found) == draw(found)
    return PdfReader(BytesIO(draw(found))).pages[0].extract_text()


def test_an_invoice_is_drawn_with_its_buyer_and_without_once_the_person_was_erased():
    scenario = sent(wish=InvoiceWish(BUYER, "digest", 1900), charges=(SHIPPING,))
    number = one(scenario.ship()).number
    buyer = {"name": "范例公司", "tax_id": "91310000MA1FL0"}
    text = paper(scenario, number, **{"key-buyer": buyer, "key-anna": {"name": "Anna", "city": "Berlin"}})
    for expected in (
        number,
        "范例公司",
        "Tax ID 91310000MA1FL0",
        "Berlin",
        "DE 811 128 135",
        "Shipping",
        "14.90",
        "2.38",
    ):
        assert expected in text
    erased = paper(scenario, number)
    for expected in (number, "14.90", "DE 811 128 135"):
        assert expected in erased
    for gone in buyer.values():
        assert gone not in erased


def test_a_cancelled_invoice_is_drawn_as_its_credit_note():
    scenario = sent()
    number = one(scenario.ship()).number
    credit(scenario, number)
    text = paper(scenario, number)
    for expected in ("CREDIT NOTE", "DE811128135-C2026-000001", number, "-10.00", "wrong buyer"):
        assert expected in text


def test_an_invoice_of_an_order_that_changes_stays_as_it_was():
    scenario = sent()
    issued = one(scenario.ship())
    scenario.agree(seller=Seller("Another Ltd", tax_id="FR1"))
    assert scenario.order().invoicing.invoices[issued.number] == CustomerInvoice(issued)


# --- long orders ------------------------------------------------------------------------------------


def calls_for(lines: int) -> int:
    """How many functions are called to draw up the invoice of an order of so many lines, each partly refunded."""
    scenario = sent(*(line(number, f"tea-{number}", 2, total_minor=1000) for number in range(1, lines + 1)), wish=None)
    scenario.ship()
    each = {LineNo(number): 1 for number in range(1, lines + 1)}
    scenario.record(
        [(stream(ORDER), RefundBooked(ORDER, "case", "refund", each, dict.fromkeys(each, 500), scenario.now))]
    )
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        issued = one(ask(scenario))
    finally:
        sys.setprofile(None)
    assert [(each.units, each.amount_minor) for each in issued.lines] == [(1, 500)] * lines
    return calls


def test_an_invoice_of_twice_as_many_lines_is_no_more_than_twice_the_work():
    assert calls_for(80) < 2.5 * calls_for(40)
