"""Invoices of suppliers in the read models: the list, and the statement of what is owed, invoiced, paid and open."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.nouns.orders.supplier_orders import SupplierOrderShipped
from ledger.nouns.supplier_invoices import Differs, InvoiceStatus, SupplierInvoicePaid
from ledger.refusals import Refusal
from ledger.terms.money import Money
from projections import statements, supplier_invoices, work
from projections.machine.reads import PageOf
from projections.statements import Balance, EntryKind, StatementEntry, Total
from projections.supplier_invoices import ListedInvoice
from projections.work import Step, WorkKind
from tests.support.invoicing import Invoicing, billed, charge
from tests.support.projecting import asking, catch_up, verify, wipe
from tests.support.scenario import DAY, FIRST, NOON, Scenario, a_shop, line
from tests.support.stalls import EmptyTenant


def shipped() -> Invoicing:
    """Five tea at 2.50 left at noon."""
    scenario = a_shop(tea=100)
    scenario.offer("tea", 250)
    scenario.place(line(1, "tea", 5))
    scenario.send()
    scenario.ship()
    return Invoicing(scenario)


async def balance(tenant: EmptyTenant, scenario: Scenario, **period) -> Balance:
    catch_up(tenant, scenario.log)
    async with asking(tenant) as where:
        (found,) = (await statements.get_statement(where, "acme", **period)).rows[0].balances
    return found


async def entries(tenant: EmptyTenant, size: int = 100) -> list[StatementEntry]:
    found: list[StatementEntry] = []
    token = ""
    async with asking(tenant) as where:
        while True:
            answer = await statements.list_entries(where, PageOf(size, token), "acme")
            found += answer.rows
            token = answer.next_page_token
            if not token:
                return found


# --- the statement --------------------------------------------------------------------------------


async def test_a_statement_says_what_is_owed_invoiced_paid_and_open(tenant: EmptyTenant):
    invoicing = shipped()
    invoicing.record(billed(4))
    invoicing.pay(600)
    found = await balance(tenant, invoicing.scenario)
    assert (found.owed_minor, found.invoiced_minor, found.paid_minor, found.open_minor) == (1250, 1000, 600, 400)
    assert found.closing_minor == 650


@pytest.mark.parametrize("size", [1, 100])
async def test_each_amount_names_the_fact_and_the_payment_that_it_stands_for(tenant: EmptyTenant, size: int):
    invoicing = shipped()
    invoicing.record(billed(5, 1300))
    invoicing.credit(50, credit_note="CN-9")
    invoicing.pay(1250, payment_id="T-7")
    catch_up(tenant, invoicing.scenario.log)
    found = await entries(tenant, size)
    assert [(each.kind, each.amount_minor, each.object_id, each.reference, each.fact) for each in found] == [
        (EntryKind.GOODS, 1250, FIRST, "", "order.supplier_order_shipped"),
        (EntryKind.INVOICED, 1300, "I1", "", "supplier_invoice.recorded"),
        (EntryKind.INVOICE_CREDITED, -50, "I1", "CN-9", "supplier_invoice.credited"),
        (EntryKind.INVOICE_PAID, -1250, "I1", "T-7", "supplier_invoice.paid"),
    ]
    assert {each.stream for each in found[1:]} == {"supplier_invoice-acme/I1"}


async def test_a_payment_that_came_back_is_owed_and_open_again(tenant: EmptyTenant):
    invoicing = shipped()
    invoicing.record(billed(5))
    invoicing.pay(1250)
    invoicing.unpay()
    found = await balance(tenant, invoicing.scenario)
    assert (found.closing_minor, found.paid_minor, found.open_minor) == (1250, 0, 1250)
    assert [each.amount_minor for each in await entries(tenant) if each.reference] == [-1250, 1250]


async def test_while_nobody_agreed_to_what_an_invoice_asks_too_much_its_goods_are_owed_at_their_cost(
    tenant: EmptyTenant,
):
    invoicing = shipped()
    invoicing.record(billed(5, 1300))
    assert (await balance(tenant, invoicing.scenario)).closing_minor == 1250


async def test_approving_an_invoice_makes_what_it_asks_owed(tenant: EmptyTenant):
    invoicing = shipped()
    invoicing.record(billed(5, 1300), charges=(charge(200),))
    invoicing.approve()
    invoicing.pay(1500)
    found = await balance(tenant, invoicing.scenario)
    assert Total(EntryKind.INVOICE_DIFFERENCE, 250, 1) in found.totals
    assert (found.owed_minor, found.closing_minor, found.open_minor) == (1500, 0, 0)


async def test_what_was_offered_in_another_currency_is_owed_once_as_its_approved_invoice_asks(tenant: EmptyTenant):
    """Tea is offered in CNY, a mug in USD, ink in EUR, and nobody offers a pen; one invoice in EUR is about all."""
    scenario = a_shop(tea=100, mug=100, ink=100, pen=100)
    for sku, cost in (("tea", Money(2_000, "CNY")), ("mug", Money(900, "USD")), ("ink", Money(100, "EUR"))):
        scenario.offer(sku, cost)
    scenario.place(*(line(n, sku, 2) for n, sku in enumerate(("tea", "mug", "ink", "pen"), start=1)))
    scenario.send()
    scenario.ship()
    invoicing = Invoicing(scenario)
    invoicing.record(billed(8, 3_000, line_no=0))
    owed = {"CNY": 4_000, "EUR": 200, "USD": 1_800}
    assert await closings(tenant, scenario) == owed  # while nobody agreed
    invoicing.approve()
    assert await closings(tenant, scenario) == {"EUR": 3_000}
    found = [each for size in (1, 100) for each in await entries(tenant, size)]
    assert len(found) == 2 * len({(each.position, each.line_no, each.kind) for each in found})
    invoicing.credit(3_000)
    assert await closings(tenant, scenario) == owed
    assert verify(tenant, "statements").equal


async def closings(tenant: EmptyTenant, scenario: Scenario) -> dict[str, int]:
    catch_up(tenant, scenario.log)
    scenario.log.clear()
    async with asking(tenant) as where:
        found = (await statements.get_statement(where, "acme")).rows[0].balances
    return {each.currency: each.closing_minor for each in found if each.closing_minor}


@pytest.mark.parametrize(("paid", "step"), [(0, Step.DISPUTE_INVOICE), (1_300, Step.RETURN_PAYMENT)])
async def test_an_approved_invoice_whose_goods_had_not_left_is_work_until_they_leave_or_are_credited(
    tenant: EmptyTenant, paid: int, step: Step
):
    invoicing = shipped()
    invoicing.record(billed(5, 1_300))
    invoicing.approve()
    if paid:
        invoicing.pay(paid)
    written = 0

    async def steps() -> list[Step]:
        nonlocal written
        log, written = invoicing.scenario.log[written:], len(invoicing.scenario.log)
        catch_up(tenant, log)
        async with asking(tenant) as where:
            found = (await work.list_work(where, PageOf())).rows
        return [each.next.step for each in found if each.kind is WorkKind.INVOICE]

    assert await steps() == []
    invoicing.scenario.void()
    assert await steps() == [step]
    if paid:
        invoicing.credit(1_300)
    else:
        invoicing.scenario.ship(number="P2")
    assert await steps() == []


async def test_an_invoice_for_less_than_agreed_leaves_nothing_owed_for_its_units(tenant: EmptyTenant):
    invoicing = shipped()
    invoicing.record(billed(5, 1000))
    invoicing.pay(1000)
    found = await balance(tenant, invoicing.scenario)
    assert (found.owed_minor, found.closing_minor) == (1000, 0)


async def test_goods_approved_in_advance_are_owed_once_when_they_leave(tenant: EmptyTenant):
    scenario = a_shop(tea=100)
    scenario.offer("tea", 250)
    scenario.place(line(1, "tea", 5))
    scenario.send()
    scenario.ship({1: 3})
    invoicing = Invoicing(scenario)
    invoicing.record(billed(5))
    invoicing.approve()
    scenario.later(hours=1)
    scenario.ship({1: 2}, number="P2")
    assert (await balance(tenant, scenario)).closing_minor == 1250


async def test_what_was_taken_back_and_invoiced_anew_is_owed_once(tenant: EmptyTenant):
    invoicing = shipped()
    invoicing.record(billed(5, 1300))
    invoicing.credit(1300)
    invoicing.record(billed(5), number="I2")
    found = await balance(tenant, invoicing.scenario)
    assert (found.owed_minor, found.invoiced_minor, found.open_minor) == (1250, 1250, 1250)


async def test_what_came_before_the_period_counts_in_what_was_invoiced_until_its_end(tenant: EmptyTenant):
    invoicing = shipped()
    invoicing.record(billed(5))
    invoicing.scenario.later(days=40)
    invoicing.pay(1000)
    found = await balance(tenant, invoicing.scenario, since=NOON + 30 * DAY)
    assert found == Balance("EUR", 1250, (Total(EntryKind.INVOICE_PAID, -1000, 1),), 250, 1250, 1000)


# --- the list -------------------------------------------------------------------------------------


async def listed(tenant: EmptyTenant, *about, size: int = 100) -> list[ListedInvoice]:
    found: list[ListedInvoice] = []
    token = ""
    async with asking(tenant) as where:
        while True:
            answer = await supplier_invoices.list_invoices(where, PageOf(size, token), *about)
            found += answer.rows
            token = answer.next_page_token
            if not token:
                return found


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_invoices_come_by_when_they_are_to_be_paid_and_those_without_a_day_last(tenant: EmptyTenant, size: int):
    invoicing = shipped()
    invoicing.record(billed(1), number="none")
    invoicing.record(billed(1), number="late", pay_by=date(2026, 6, 1))
    invoicing.record(billed(1), number="soon", pay_by=date(2026, 4, 1))
    Invoicing(invoicing.scenario, "bolt").record(billed(1), number="soon", pay_by=date(2026, 4, 1))
    catch_up(tenant, invoicing.scenario.log)
    assert [(each.supplier_id, each.number) for each in await listed(tenant, size=size)] == [
        ("acme", "soon"),
        ("bolt", "soon"),
        ("acme", "late"),
        ("acme", "none"),
    ]
    assert [each.number for each in await listed(tenant, "acme", (), date(2026, 5, 1))] == ["soon"]


async def test_an_invoice_is_listed_with_its_state_its_money_and_its_differences(tenant: EmptyTenant):
    invoicing = shipped()
    invoicing.record(billed(6, 1600))
    invoicing.credit(100)
    catch_up(tenant, invoicing.scenario.log)
    (found,) = await listed(tenant, "", [InvoiceStatus.DIFFERS])
    assert (found.total_minor, found.credited_minor, found.open_minor, found.pay_by) == (1600, 100, 1500, None)
    # Five of six for 16.00 are 13.33, which is 0.83 too much, and the sixth is 2.67; 1.00 of that came back.
    assert (found.over_minor, found.differs) == (250, (Differs.PRICE, Differs.QUANTITY))
    assert await listed(tenant, "", [InvoiceStatus.MATCHED]) == []


# --- whatever happens -----------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(st.sampled_from(["ship", "invoice", "approve", "dispute", "credit", "void", "pay"]), st.integers(1, 3)),
    min_size=3,
    max_size=12,
)


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_whatever_happened_the_account_is_what_is_owed_less_what_was_paid(
    tenant: EmptyTenant, steps: list[tuple[str, int]]
):
    scenario = a_shop(tea=100)
    scenario.offer("tea", 250)
    scenario.place(line(1, "tea", 9))
    scenario.send()
    invoicing = Invoicing(scenario)
    for count, (what, which) in enumerate(steps):
        number = f"I{which}"
        try:
            match what:
                case "ship":
                    scenario.ship({1: which}, number=f"P{count}")
                case "invoice":
                    invoicing.record(billed(which + 1, 250 * (which + 1) + count), number=number)
                case "approve":
                    invoicing.approve(number)
                case "dispute":
                    invoicing.dispute(number, because=f"{count}")
                case "credit":
                    invoicing.credit(100, number, credit_note=f"C{count}")
                case "void":
                    left = invoicing.invoice(number).total_minor - invoicing.invoice(number).credited_minor
                    invoicing.credit(left, number, credit_note=f"C{count}")
                case _:
                    invoicing.pay(200, number, payment_id=f"T{count}")
        except Refusal:
            continue
    wipe(tenant)
    catch_up(tenant, scenario.log)
    assert asyncio.run(closing(tenant)) == recount(invoicing)
    assert verify(tenant, "statements").equal
    assert verify(tenant, "supplier_invoices").equal


async def closing(tenant: EmptyTenant) -> dict[str, int]:
    async with asking(tenant) as where:
        found = (await statements.get_statement(where, "acme")).rows[0].balances
    return {"closing": sum(each.closing_minor for each in found), "paid": sum(each.paid_minor for each in found)}


def recount(invoicing: Invoicing) -> dict[str, int]:
    """What left at its cost, or at what an invoice asks that is right or was approved; less what was paid."""
    owed: Counter[str] = Counter()
    numbers = set()
    for stream, fact in invoicing.scenario.log:
        if isinstance(fact, SupplierOrderShipped):
            owed["closing"] += 250 * sum(fact.by_line.values())
        elif isinstance(fact, SupplierInvoicePaid):
            owed["paid"] += fact.amount_minor
            owed["closing"] -= fact.amount_minor
        if stream.startswith("supplier_invoice-"):
            numbers.add(stream.rpartition("/")[2])
    for number in numbers:
        invoice = invoicing.invoice(number)
        if invoice.is_accepted and not invoice.is_void:
            right = sum(units for match in invoice.matches for units in match.units.values())
            owed["closing"] += invoice.total_minor - invoice.credited_minor - 250 * right
    return {"closing": owed["closing"], "paid": owed["paid"]}
