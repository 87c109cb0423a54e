"""Supplier invoices: what was given at which cost and what has left decide what is right, and no unit is paid twice."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.decisions import relevance
from ledger.facts import LineNo
from ledger.nouns.messages import About, MessageKind
from ledger.nouns.policies import Policy
from ledger.nouns.supplier_invoices import (
    InvoiceInOtherCurrency,
    InvoiceStatus,
    MoreThanInvoiced,
    MoreThanOpen,
    SupplierChargeKind,
    SupplierCreditNoteDiffers,
    SupplierInvoiceDisputed,
    SupplierInvoiceOver,
    SupplierInvoicePaid,
    SupplierInvoiceRecordedDifferently,
    SupplierPaymentDiffers,
    UnknownSupplierInvoice,
    UnknownSupplierPayment,
)
from ledger.nouns.suppliers import UnknownSupplier
from ledger.refusals import Refusal
from tests.support.invoicing import Invoicing, billed, charge
from tests.support.scenario import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    SECOND,
    TERMS,
    a_shop,
    line,
    names,
    refused,
    the,
)


def trading(*lines) -> Invoicing:
    """Five tea at 2.50 and two mugs at 4.00 were sent to acme; ink has no offer."""
    scenario = a_shop(tea=100, mug=100)
    scenario.offer("tea", 250)
    scenario.offer("mug", 400)
    scenario.place(*(lines or (line(1, "tea", 5), line(2, "mug", 2), line(3, "ink", 1))))
    scenario.send()
    return Invoicing(scenario)


def shipped(by_line: dict[int, int] | None = None) -> Invoicing:
    invoicing = trading()
    invoicing.scenario.ship(by_line)
    return invoicing


# --- matching -------------------------------------------------------------------------------------


def test_what_left_at_the_agreed_cost_is_right():
    invoicing = shipped({1: 5, 2: 2})
    facts = invoicing.record(billed(5), billed(2, 800, line_no=2), pay_by=date(2026, 4, 30))
    assert names(facts) == ["recorded", "matched", "supplier_order_invoiced"]
    invoice = invoicing.invoice()
    assert (invoice.status, invoice.total_minor, invoice.open_minor, invoice.differences) == (
        InvoiceStatus.MATCHED,
        2050,
        2050,
        [],
    )
    assert invoice.cost_minor == 2050


def test_the_same_invoice_again_records_nothing_and_another_under_its_number_is_refused():
    invoicing = shipped()
    invoicing.record(billed(5))
    invoicing.scenario.later(days=1)
    assert invoicing.record(billed(5)) == []
    assert invoicing.match() == []
    with refused(SupplierInvoiceRecordedDifferently, "invoice I1 of acme was recorded already with other content"):
        invoicing.record(billed(4))


def test_an_invoice_of_nobody_is_refused():
    invoicing = shipped()
    with refused(UnknownSupplier, "supplier zen is not registered"):
        Invoicing(invoicing.scenario, "zen").record(billed(5))
    for command in (invoicing.match, invoicing.approve, invoicing.dispute):
        with refused(UnknownSupplierInvoice, "there is no invoice I9 of acme"):
            command("I9")
    for about_money in (invoicing.credit, invoicing.pay):
        with refused(UnknownSupplierInvoice, "there is no invoice I9 of acme"):
            about_money(1, "I9")


def test_a_price_above_the_agreed_one_differs_by_what_is_too_much():
    invoicing = shipped()
    invoicing.record(billed(5, 1300))
    assert invoicing.invoice().status is InvoiceStatus.DIFFERS
    assert invoicing.differences() == [("price", 50, 5)]
    assert invoicing.difference().expected_minor == 1250


@pytest.mark.parametrize(("amount", "status"), [(1262, InvoiceStatus.MATCHED), (1263, InvoiceStatus.DIFFERS)])
def test_within_the_tolerance_of_the_policy_a_price_is_right(amount: int, status: InvoiceStatus):
    invoicing = shipped()
    invoicing.scenario.agree(invoice_tolerance_basis_points=100)
    invoicing.record(billed(5, amount))
    assert invoicing.invoice().status is status


def test_the_tolerance_is_that_of_the_day_on_which_the_invoice_came():
    invoicing = shipped()
    invoicing.scenario.agree(since=NOON + DAY, invoice_tolerance_basis_points=1000)
    invoicing.record(billed(5, 1300))
    invoicing.scenario.later(days=2)
    assert invoicing.match() == []
    invoicing.record(billed(5, 1300), number="I2")
    assert invoicing.differences("I2") == [("double", 1300, 5)]


def test_asking_for_less_than_was_agreed_is_right():
    invoicing = shipped()
    invoicing.record(billed(5, 1000))
    assert invoicing.invoice().status is InvoiceStatus.MATCHED


def test_units_that_have_not_left_differ_by_quantity():
    invoicing = shipped({1: 3})
    invoicing.record(billed(5))
    assert invoicing.differences() == [("quantity", 500, 2)]
    assert (invoicing.difference().ordered, invoicing.difference().shipped) == (5, 3)


def test_what_is_left_of_an_amount_that_does_not_divide_is_its_whole():
    invoicing = shipped({1: 2})
    invoicing.record(billed(3, 1000))
    # Of 10.00 for 3, two are 6.67, which is 1.67 more than agreed, and one is 3.33.
    assert invoicing.differences() == [("price", 167, 2), ("quantity", 333, 1)]
    assert sum(amount for _, amount, _ in invoicing.differences()) + 500 == 1000


@pytest.mark.parametrize(
    "unknown",
    [
        billed(1, of="shopify/9/1"),
        billed(1, of="PO 4711"),
        billed(1, of=""),
        billed(1, of="shopify/1/7"),
        billed(1, line_no=9),
        billed(1, line_no=1, sku="mug"),
        billed(1, line_no=0, sku="hat"),
    ],
)
def test_what_the_supplier_was_never_given_is_unknown(unknown):
    invoicing = shipped()
    invoicing.record(unknown)
    assert invoicing.differences() == [("unknown", 250, 1)]


def test_another_suppliers_order_is_unknown():
    invoicing = trading(line(1, "tea", 1), line(2, "mug", 1, "bolt"))
    invoicing.record(billed(1, of=SECOND, line_no=2))
    assert invoicing.differences() == [("unknown", 250, 1)]


def test_a_line_is_found_by_its_sku_and_without_one_all_of_the_supplier_order_is_meant():
    invoicing = trading(line(1, "tea", 1), line(2, "tea", 2), line(3, "mug", 1))
    invoicing.scenario.ship()
    invoicing.record(billed(3, line_no=0, sku="tea"))
    invoicing.record(billed(1, 400, line_no=0), number="I2")
    assert [invoicing.invoice(number).status for number in ("I1", "I2")] == [InvoiceStatus.MATCHED] * 2
    assert invoicing.scenario.supplier_order().invoiced["I1"].units == {LineNo(1): 1, LineNo(2): 2}
    assert invoicing.scenario.supplier_order().invoiced["I2"].units == {LineNo(3): 1}


def test_a_line_is_found_by_the_supplier_s_own_article_code_and_packing_is_a_part_of_the_agreed_cost():
    scenario = a_shop(tea=100)
    scenario.offer("tea", 250, article_code="T-99", packing_cost_minor=20)
    scenario.place(line(1, "tea", 5))
    scenario.send()
    scenario.ship()
    invoicing = Invoicing(scenario)
    invoicing.record(billed(5, line_no=0, sku="T-99"), charges=(charge(100, SupplierChargeKind.PACKING),))
    assert (invoicing.invoice().status, invoicing.invoice().cost_minor) == (InvoiceStatus.MATCHED, 1350)


def test_units_without_an_agreed_price_differ_by_all_that_is_asked():
    invoicing = shipped()
    invoicing.record(billed(1, 900, line_no=3))
    assert invoicing.differences() == [("price", 900, 1)]
    assert invoicing.difference().expected_minor is None
    invoicing.record(billed(5), number="I2", currency="CNY")
    assert invoicing.differences("I2") == [("price", 1250, 5)]


# --- double ---------------------------------------------------------------------------------------


def test_units_on_another_invoice_are_double():
    invoicing = shipped()
    invoicing.record(billed(3))
    invoicing.record(billed(5), number="I2")
    assert invoicing.differences("I2") == [("double", 750, 3)]
    assert invoicing.difference("I2").invoices == ("I1",)


def test_beyond_those_on_another_invoice_are_units_that_have_not_left():
    invoicing = shipped({1: 4})
    invoicing.record(billed(3))
    invoicing.record(billed(6), number="I2")
    assert invoicing.differences("I2") == [("double", 750, 3), ("quantity", 500, 2)]


def test_two_lines_of_an_invoice_do_not_have_the_same_unit():
    invoicing = shipped()
    invoicing.record(billed(4), billed(4))
    assert invoicing.differences() == [("quantity", 750, 3)]


def test_taking_all_of_an_invoice_back_frees_its_units_for_those_that_wait():
    invoicing = shipped()
    invoicing.record(billed(5, 1300))
    invoicing.record(billed(5), number="I2")
    assert names(invoicing.credit(1300)) == [
        "credited",
        "matched",
        "supplier_order_invoiced",
        "supplier_order_invoiced",
    ]
    assert invoicing.invoice().status is InvoiceStatus.CREDITED
    assert invoicing.invoice("I2").status is InvoiceStatus.MATCHED


# --- late shipments -------------------------------------------------------------------------------


def test_what_leaves_later_makes_a_later_match():
    invoicing = shipped({1: 3})
    invoicing.record(billed(5))
    invoicing.scenario.later(hours=1)
    facts = invoicing.scenario.ship({1: 1}, number="P2")
    assert "matched" in names(facts)
    assert invoicing.differences() == [("quantity", 250, 1)]
    invoicing.scenario.ship({1: 1}, number="P3")
    assert invoicing.invoice().status is InvoiceStatus.MATCHED
    assert "matched" not in names(invoicing.scenario.ship({2: 2}, number="P4"))


def test_an_invoice_may_come_before_anything_left():
    invoicing = trading()
    invoicing.record(billed(5))
    assert invoicing.differences() == [("quantity", 1250, 5)]
    invoicing.scenario.ship()
    assert invoicing.invoice().status is InvoiceStatus.MATCHED


def test_the_invoice_that_came_first_has_what_leaves_first():
    invoicing = trading()
    invoicing.record(billed(3))
    invoicing.record(billed(3), number="I2")
    invoicing.scenario.ship({1: 4})
    assert invoicing.differences() == []
    assert invoicing.differences("I2") == [("double", 500, 2)]
    invoicing.scenario.ship({1: 1}, number="P2")
    assert invoicing.differences("I2") == [("double", 250, 1)]


def test_an_order_that_comes_after_its_invoice_is_found_when_asked():
    scenario = a_shop(tea=100)
    scenario.offer("tea", 250)
    invoicing = Invoicing(scenario)
    invoicing.record(billed(3))
    assert invoicing.differences() == [("unknown", 750, 3)]
    scenario.place(line(1, "tea", 3))
    scenario.send()
    scenario.ship()
    assert names(invoicing.match()) == ["matched", "supplier_order_invoiced"]
    assert invoicing.invoice().status is InvoiceStatus.MATCHED


# --- charges --------------------------------------------------------------------------------------


def test_charges_that_nobody_agreed_to_differ():
    invoicing = shipped()
    invoicing.record(billed(5), charges=(charge(300), charge(125, SupplierChargeKind.TAX)))
    assert invoicing.differences() == [("charge", 425, 0)]


def test_the_policy_lets_a_share_of_the_goods_pass_as_charges():
    invoicing = shipped()
    invoicing.scenario.agree(invoice_charges_basis_points=1000)
    invoicing.record(billed(5), charges=(charge(126),))
    assert invoicing.differences() == [("charge", 1, 0)]


def test_goods_that_cost_less_than_agreed_make_up_for_charges():
    invoicing = shipped()
    invoicing.record(billed(5, 1150), charges=(charge(100, SupplierChargeKind.PACKING),))
    invoicing.record(billed(2, 700, line_no=2), charges=(charge(101),), number="I2")
    assert invoicing.differences() == []
    assert invoicing.differences("I2") == [("charge", 1, 0)]


def test_a_discount_makes_up_for_charges_and_prices():
    invoicing = shipped()
    invoicing.record(billed(5, 1300), charges=(charge(100), charge(-150, SupplierChargeKind.DISCOUNT)))
    assert (invoicing.invoice().total_minor, invoicing.invoice().over_minor) == (1250, 0)
    assert invoicing.invoice().status is InvoiceStatus.MATCHED


# --- approving and disputing ----------------------------------------------------------------------


def test_somebody_may_approve_what_differs_and_twice_is_once():
    invoicing = shipped({1: 3})
    invoicing.record(billed(5))
    assert names(invoicing.approve(because="in advance")) == ["approved", "supplier_order_invoiced"]
    assert invoicing.approve() == []
    assert invoicing.invoice().status is InvoiceStatus.APPROVED


def approved_and_not_left() -> Invoicing:
    """Somebody agreed to pay for five of which it turned out that they had not left."""
    invoicing = shipped({1: 5})
    invoicing.record(billed(5, 1_300))
    invoicing.approve()
    invoicing.scenario.later(hours=1)
    invoicing.scenario.void()
    return invoicing


def test_an_approved_invoice_whose_goods_turn_out_not_to_have_left_differs_again():
    invoicing = approved_and_not_left()
    invoice = invoicing.invoice()
    assert invoicing.differences() == [("quantity", 1_300, 5)]
    assert (invoice.status, invoice.is_accepted) == (InvoiceStatus.DIFFERS, False)
    assert invoice.exceeds_since == invoicing.scenario.now
    assert the(SupplierInvoicePaid, invoicing.pay(300)).unapproved == "not matched"


def test_it_is_approved_once_more_or_right_again_once_its_goods_leave():
    again, left = approved_and_not_left(), approved_and_not_left()
    assert "approved" in names(again.approve())
    assert again.approve() == []
    left.scenario.ship({1: 5}, number="P2")
    for invoicing in (again, left):
        assert (invoicing.invoice().status, invoicing.invoice().exceeds_since) == (InvoiceStatus.APPROVED, None)


def test_what_was_known_when_it_was_approved_stays_approved_whatever_leaves_and_does_not():
    invoicing = trading()
    invoicing.record(billed(5))
    invoicing.approve()
    invoicing.scenario.ship({1: 5})
    invoicing.scenario.void()
    assert invoicing.invoice().status is InvoiceStatus.APPROVED


def test_a_credit_note_for_what_did_not_leave_ends_that_it_differs():
    invoicing = approved_and_not_left()
    invoicing.credit(1_250)
    assert (invoicing.invoice().status, invoicing.invoice().exceeds_since) == (InvoiceStatus.APPROVED, None)


def test_what_was_approved_in_advance_is_on_no_other_invoice_when_it_leaves():
    invoicing = shipped({1: 3})
    invoicing.record(billed(5))
    invoicing.approve()
    invoicing.scenario.ship({1: 2}, number="P2")
    assert invoicing.differences() == []
    invoicing.record(billed(2), number="I2")
    assert invoicing.differences("I2") == [("double", 500, 2)]


def test_approving_what_is_double_takes_nothing_from_the_other_invoice():
    invoicing = shipped({1: 3})
    invoicing.record(billed(5))
    invoicing.record(billed(3), number="I2")
    invoicing.approve("I2")
    invoicing.scenario.ship({1: 2}, number="P2")
    assert invoicing.differences() == []


def test_what_is_approved_in_advance_is_what_has_not_left_and_not_what_is_double():
    invoicing = shipped({1: 3})
    invoicing.record(billed(3))
    invoicing.record(billed(5), number="I2")
    invoicing.approve("I2")
    assert invoicing.scenario.supplier_order().invoiced["I2"].units == {LineNo(1): 2}


def test_a_dispute_tells_what_was_too_much_and_by_when_the_supplier_answers():
    invoicing = shipped()
    invoicing.scenario.agree_terms(replace(TERMS, effective_from=NOON - DAY, answer_within_hours=24))
    invoicing.record(billed(5, 1300))
    fact = the(SupplierInvoiceDisputed, invoicing.dispute(because="too dear"))
    assert (fact.differed_minor, fact.answer_by, fact.by) == (50, NOON + 24 * HOUR, "mia")
    assert invoicing.dispute(because="too dear") == []
    assert invoicing.invoice().status is InvoiceStatus.DISPUTED


def test_a_credit_note_for_what_was_too_much_ends_the_dispute():
    invoicing = shipped()
    invoicing.record(billed(5, 1300))
    invoicing.dispute()
    invoicing.credit(50)
    assert (invoicing.invoice().status, invoicing.invoice().open_minor) == (InvoiceStatus.MATCHED, 1250)


def test_goods_that_leave_after_all_end_the_dispute():
    invoicing = shipped({1: 3})
    invoicing.record(billed(5))
    invoicing.dispute()
    invoicing.scenario.ship({1: 2}, number="P2")
    assert invoicing.invoice().status is InvoiceStatus.MATCHED


def test_a_dispute_about_something_else_ends_only_by_approving():
    invoicing = shipped()
    invoicing.record(billed(5))
    invoicing.dispute(because="broken on arrival")
    invoicing.credit(100)
    assert invoicing.invoice().status is InvoiceStatus.DISPUTED
    invoicing.approve()
    assert invoicing.invoice().status is InvoiceStatus.APPROVED


@pytest.mark.parametrize("approved_first", [True, False])
def test_of_an_approval_and_a_dispute_the_later_one_holds_whichever_is_told_first(approved_first: bool):
    invoicing = shipped()
    invoicing.record(billed(5, 1300))
    commands = [lambda: invoicing.approve(at=NOON + HOUR), lambda: invoicing.dispute(at=NOON + 2 * HOUR)]
    invoicing.scenario.later(days=1)
    for command in commands if approved_first else reversed(commands):
        command()
    assert invoicing.invoice().status is InvoiceStatus.DISPUTED


def test_of_what_is_over_nothing_is_approved_or_disputed():
    invoicing = shipped()
    invoicing.record(billed(5))
    invoicing.pay(1250)
    with refused(SupplierInvoiceOver, "invoice I1 of acme is paid: nothing of it is open"):
        invoicing.dispute()
    invoicing.record(billed(2, 800, line_no=2), number="I2")
    invoicing.credit(800, "I2")
    with refused(SupplierInvoiceOver, "invoice I2 of acme is credited"):
        invoicing.approve("I2")


def test_the_letter_about_a_dispute_is_not_sent_once_it_is_settled():
    invoicing = shipped()
    invoicing.record(billed(5, 1300))
    invoicing.dispute()
    about = About(supplier_id="acme", invoice_number="I1")
    policy = Policy()
    assert relevance.obsolete(invoicing.scenario.book, MessageKind.INVOICE_DISPUTE, about, policy) == ""
    invoicing.credit(50)
    assert relevance.obsolete(invoicing.scenario.book, MessageKind.INVOICE_DISPUTE, about, policy) == "settled"


# --- money ----------------------------------------------------------------------------------------


def test_payments_are_partial_and_never_more_than_is_open():
    invoicing = shipped()
    invoicing.record(billed(5))
    invoicing.pay(500, payment_id="T1")
    assert invoicing.pay(500, payment_id="T1") == []
    invoicing.credit(250)
    with refused(MoreThanOpen, "5.01 EUR paid for invoice I1 of acme, of which 5.00 EUR is open"):
        invoicing.pay(501, payment_id="T2")
    invoicing.pay(500, payment_id="T2")
    assert (invoicing.invoice().status, invoicing.invoice().open_minor) == (InvoiceStatus.PAID, 0)
    with refused(SupplierPaymentDiffers, "payment T1 for invoice I1 of acme was recorded already as 5.00 EUR"):
        invoicing.pay(499, payment_id="T1")


def test_what_a_payment_that_came_back_had_paid_is_open_again():
    invoicing = shipped()
    invoicing.record(billed(5))
    invoicing.pay(1250)
    assert names(invoicing.unpay()) == ["payment_returned"]
    assert invoicing.unpay() == []
    assert (invoicing.invoice().status, invoicing.invoice().open_minor) == (InvoiceStatus.MATCHED, 1250)
    assert invoicing.pay(1250) == []
    invoicing.pay(1250, payment_id="P2")
    assert invoicing.invoice().status is InvoiceStatus.PAID
    with refused(UnknownSupplierPayment, "there is no payment P3 for invoice I1 of acme"):
        invoicing.unpay(payment_id="P3")


def test_a_payment_that_nobody_had_agreed_to_is_recorded_with_a_warning():
    invoicing = shipped()
    invoicing.record(billed(5, 1300))
    paid = the(SupplierInvoicePaid, invoicing.pay(100))
    assert paid.warnings == ("invoice I1 of acme was not matched and nobody had approved it",)
    invoicing.dispute()
    assert the(SupplierInvoicePaid, invoicing.pay(100, payment_id="T2")).unapproved == "disputed"
    invoicing.approve()
    assert the(SupplierInvoicePaid, invoicing.pay(100, payment_id="T3")).warnings == ()


def test_no_more_is_taken_back_than_was_asked():
    invoicing = shipped()
    invoicing.record(billed(5))
    invoicing.credit(1000)
    assert invoicing.credit(1000) == []
    with refused(SupplierCreditNoteDiffers, "credit note C1 for invoice I1 of acme was recorded already as 10.00 EUR"):
        invoicing.credit(999)
    with refused(MoreThanInvoiced, "2.51 EUR taken back of invoice I1 of acme: it is of 12.50 EUR, 10.00 EUR was"):
        invoicing.credit(251, credit_note="C2")


def test_what_is_taken_back_after_it_was_paid_leaves_less_than_nothing_open():
    invoicing = shipped()
    invoicing.record(billed(5))
    invoicing.pay(1250)
    invoicing.credit(250)
    assert (invoicing.invoice().open_minor, invoicing.invoice().status) == (-250, InvoiceStatus.PAID)
    with refused(MoreThanOpen, r"0\.01 EUR paid for invoice I1 of acme, of which 0\.00 EUR is open"):
        invoicing.pay(1, payment_id="T2")


def test_money_in_another_currency_is_for_another_invoice():
    invoicing = shipped()
    invoicing.record(billed(5))
    for command in (invoicing.pay, invoicing.credit):
        with refused(InvoiceInOtherCurrency, "invoice I1 of acme is in EUR, not USD"):
            command(100, currency="USD")


# --- whatever happens -----------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ship", "invoice", "match", "approve", "dispute", "credit", "void", "pay"]),
        st.integers(1, 3),
        st.integers(1, 4),
    ),
    min_size=3,
    max_size=14,
)


@given(STEPS)
def test_no_unit_is_right_on_two_invoices_and_no_more_goes_out_than_was_asked(steps: list[tuple[str, int, int]]):
    invoicing = trading(line(1, "tea", 6))
    for count, (what, which, units) in enumerate(steps):
        number = f"I{which}"
        try:
            match what:
                case "ship":
                    invoicing.scenario.ship({1: units}, number=f"P{count}")
                case "invoice":
                    invoicing.record(billed(units), number=number)
                case "match":
                    invoicing.match(number)
                case "approve":
                    invoicing.approve(number)
                case "dispute":
                    invoicing.dispute(number, because=f"{count}")
                case "credit":
                    invoicing.credit(100 * units, number, credit_note=f"C{count}")
                case "void":
                    left = invoicing.invoice(number).total_minor - invoicing.invoice(number).credited_minor
                    invoicing.credit(left, number, credit_note=f"C{count}")
                case _:
                    invoicing.pay(100 * units, number, payment_id=f"T{count}")
        except Refusal:
            continue
        check(invoicing)


def check(invoicing: Invoicing) -> None:
    supplier_order = invoicing.scenario.supplier_order(FIRST)
    right: Counter[LineNo] = Counter()
    for number, counted in supplier_order.invoiced.items():
        invoice = invoicing.invoice(number)
        assert (counted.units, counted.waiting) == (invoice.taken(FIRST), invoice.waiting(FIRST))
        assert invoice.paid_minor <= invoice.total_minor
        assert invoice.credited_minor <= invoice.total_minor
        if not invoice.is_void:
            asked = sum(each.units for each in invoice.recorded.lines)
            found = sum(sum(match.units.values()) for match in invoice.matches)
            assert found + sum(units for _, _, units in invoicing.differences(number)) == asked
            right.update({line_no: units for match in invoice.matches for line_no, units in match.units.items()})
    assert all(units <= supplier_order.shares[line_no].shipped for line_no, units in right.items())
    # What has left and is right on none is on none that is looked at again.
    free = supplier_order.shares[LineNo(1)].shipped - right[LineNo(1)]
    assert not free or not any(each.waiting and not advance(invoicing) for each in supplier_order.invoiced.values())


def advance(invoicing: Invoicing) -> bool:
    """Whether an invoice was approved before its units left, which keeps them from others."""
    numbers = invoicing.scenario.supplier_order(FIRST).invoiced
    return any(invoicing.invoice(number).is_approved for number in numbers)
