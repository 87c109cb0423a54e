"""What is owed to and by a supplier: every amount is one entry, names its fact, and the sums are right."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.nouns.orders.supplier_orders import CompensationAccrued, CompensationReversed, SupplierOrderShipped
from ledger.nouns.recoveries import Method
from ledger.refusals import Refusal
from ledger.terms.clocks import Clock
from ledger.terms.money import Money
from ledger.terms.parties import Party
from projections import statements
from projections.machine.reads import PageOf
from projections.statements import Balance, EntryKind, Statement, StatementEntry, Total
from tests.support.projecting import asking, catch_up, verify, wipe
from tests.support.recovering import Recovering, refund
from tests.support.scenario import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    SECOND,
    TERMS,
    Scenario,
    a_shop,
    line,
    reject,
)
from tests.support.stalls import EmptyTenant

ONE_PERCENT = replace(TERMS, compensation_basis_points=100)


def trading() -> Scenario:
    """Acme sells tea for 2.50 EUR and mugs for 30.00 CNY, and pays one percent for being late; ink has no offer."""
    scenario = a_shop(tea=100, mug=100)
    scenario.agree_terms(ONE_PERCENT)
    scenario.offer("tea", Money(250, "EUR"))
    scenario.offer("mug", Money(3000, "CNY"))
    return scenario


def sold(scenario: Scenario | None = None) -> Scenario:
    """Three tea, two mugs and one ink, sent to acme at noon."""
    scenario = scenario or trading()
    scenario.place(line(1, "tea", 3), line(2, "mug", 2), line(3, "ink", 1))
    scenario.send()
    return scenario


async def statement(tenant: EmptyTenant, *period: datetime | None, supplier_id: str = "acme") -> Statement:
    async with asking(tenant) as where:
        return (await statements.get_statement(where, supplier_id, *period)).rows[0]


async def entries(
    tenant: EmptyTenant, *period: datetime | None, size: int = 100, currency: str = ""
) -> list[StatementEntry]:
    found: list[StatementEntry] = []
    token = ""
    async with asking(tenant) as where:
        while True:
            since, until = period or (None, None)
            page = PageOf(size, token)
            answer = await statements.list_entries(where, page, "acme", since, until, currency)
            found += answer.rows
            token = answer.next_page_token
            if not token:
                return found


# --- goods ----------------------------------------------------------------------------------------


async def test_goods_are_owed_when_they_are_shipped_at_the_cost_of_the_draft(tenant: EmptyTenant):
    scenario = sold()
    scenario.offer("tea", Money(999, "EUR"))
    scenario.later(hours=1)
    scenario.ship({1: 2})
    catch_up(tenant, scenario.log)
    (entry,) = await entries(tenant)
    position = next(n for n, (_, fact) in enumerate(scenario.log, 1) if isinstance(fact, SupplierOrderShipped))
    assert entry == StatementEntry(
        position,
        1,
        EntryKind.GOODS,
        "acme",
        "EUR",
        500,
        NOON + HOUR,
        "order-shopify/1",
        "order.supplier_order_shipped",
        FIRST,
        2,
    )


async def test_currencies_are_accounts_of_their_own_and_unknown_costs_are_counted(tenant: EmptyTenant):
    scenario = sold()
    scenario.ship()
    catch_up(tenant, scenario.log)
    assert await statement(tenant) == Statement(
        (
            Balance("CNY", 0, (Total(EntryKind.GOODS, 6000, 1),), 6000),
            Balance("EUR", 0, (Total(EntryKind.GOODS, 750, 1),), 750),
        ),
        units_without_cost=1,
    )
    unknown = [each for each in await entries(tenant) if each.kind is EntryKind.GOODS_WITHOUT_COST]
    assert [(each.line_no, each.units, each.amount_minor, each.currency) for each in unknown] == [(3, 1, 0, "")]


async def test_what_is_rejected_or_cancelled_is_never_owed(tenant: EmptyTenant):
    scenario = sold()
    scenario.answer({1: reject(3)})
    scenario.cancel({2: 2, 3: 1})
    scenario.answer_cancel(agreed=True)
    catch_up(tenant, scenario.log)
    assert await statement(tenant) == Statement((), 0)


async def test_another_suppliers_goods_are_not_in_the_statement(tenant: EmptyTenant):
    scenario = trading()
    scenario.offer("ink", Money(100, "EUR"), "bolt")
    scenario.place(line(1, "tea", 1), line(2, "ink", 1, "bolt"))
    for supplier_order_id, number in ((FIRST, "P1"), (SECOND, "P2")):
        scenario.send(supplier_order_id)
        scenario.ship(supplier_order_id=supplier_order_id, number=number)
    catch_up(tenant, scenario.log)
    assert [balance.closing_minor for balance in (await statement(tenant)).balances] == [250]
    assert [balance.closing_minor for balance in (await statement(tenant, supplier_id="bolt")).balances] == [100]
    assert await statement(tenant, supplier_id="zen") == Statement((), 0)


# --- compensation and recoveries ------------------------------------------------------------------


async def test_compensation_is_owed_by_the_supplier_until_it_is_reversed(tenant: EmptyTenant):
    scenario = sold()
    scenario.later(hours=48)
    scenario.miss(Clock.DISPATCH)
    scenario.later(hours=1)
    scenario.rule(Party.CARRIER)
    catch_up(tenant, scenario.log)
    assert [(each.kind, each.amount_minor, each.fact, each.object_id) for each in await entries(tenant)] == [
        (EntryKind.COMPENSATION, -30, "order.compensation_accrued", FIRST),
        (EntryKind.COMPENSATION_REVERSED, 30, "order.compensation_reversed", FIRST),
    ]
    (balance,) = (await statement(tenant)).balances
    assert balance.closing_minor == 0


async def test_an_accepted_recovery_is_owed_and_a_credit_note_sets_it_off(tenant: EmptyTenant):
    scenario = sold()
    scenario.ship()
    recovering = Recovering(scenario)
    recovering.of_supplier(refund(400))
    recovering.accept(300)
    recovering.settle(100, "cn-1", Method.CREDIT_NOTE)
    recovering.settle(80, "d-1", Method.DEDUCTION)
    recovering.settle(70, "p-1", Method.PAYMENT)
    recovering.write_off()
    catch_up(tenant, scenario.log)
    found = [each for each in await entries(tenant) if each.stream == "recovery-r1"]
    assert [(each.kind, each.amount_minor, each.fact) for each in found] == [
        (EntryKind.RECOVERY, -300, "recovery.accepted"),
        (EntryKind.RECOVERY_PAID, 70, "recovery.settlement_received"),
        (EntryKind.RECOVERY_WRITTEN_OFF, 50, "recovery.written_off"),
    ]
    # 7.50 of goods, less the 1.80 that were set off.
    assert (await statement(tenant)).balances[1].closing_minor == 570


async def test_what_a_carrier_owes_is_no_suppliers_debt(tenant: EmptyTenant):
    scenario = sold()
    scenario.ship()
    recovering = Recovering(scenario)
    recovering.of_carrier(refund(400))
    catch_up(tenant, scenario.log)
    assert {each.kind for each in await entries(tenant)} == {EntryKind.GOODS, EntryKind.GOODS_WITHOUT_COST}


# --- periods and pages ----------------------------------------------------------------------------


def a_month() -> Scenario:
    """Two orders a day apart, the second late."""
    scenario = trading()
    for number in (1, 2):
        order_id = f"shopify/{number}"
        scenario.place(line(1, "tea", number), order_id=order_id)
        scenario.send(f"{order_id}/1")
        scenario.later(days=1 if number == 1 else 3)
        scenario.ship(supplier_order_id=f"{order_id}/1", number=f"P{number}")
    return scenario


async def test_what_came_before_the_period_is_its_opening_balance(tenant: EmptyTenant):
    catch_up(tenant, a_month().log)
    (whole,) = (await statement(tenant)).balances
    assert whole == Balance("EUR", 0, (Total(EntryKind.COMPENSATION, -10, 1), Total(EntryKind.GOODS, 750, 2)), 740)
    (later,) = (await statement(tenant, NOON + 2 * DAY)).balances
    assert later == Balance("EUR", 250, (Total(EntryKind.COMPENSATION, -10, 1), Total(EntryKind.GOODS, 500, 1)), 740)
    (earlier,) = (await statement(tenant, None, NOON + 2 * DAY)).balances
    assert earlier == Balance("EUR", 0, (Total(EntryKind.GOODS, 250, 1),), 250)
    (after,) = (await statement(tenant, NOON + 90 * DAY)).balances
    assert after == Balance("EUR", 740, (), 740)
    # A period begins with its first instant and ends before its last.
    assert (await statement(tenant, NOON, NOON + DAY)).balances == ()
    assert len(await entries(tenant, NOON + DAY, NOON + 4 * DAY)) == 1


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_every_entry_is_listed_once_by_when_it_happened(tenant: EmptyTenant, size: int):
    scenario = a_month()
    sold_at = scenario.now
    scenario.place(line(1, "tea", 1), line(2, "mug", 1), order_id="shopify/3")
    scenario.send("shopify/3/1")
    scenario.ship(supplier_order_id="shopify/3/1", number="P3")
    catch_up(tenant, scenario.log)
    found = await entries(tenant, size=size)
    assert [(each.at, each.amount_minor) for each in found] == [
        (NOON + DAY, 250),
        (sold_at, 500),
        (sold_at, -10),
        (sold_at, 250),
        (sold_at, 3000),
    ]
    assert [each.amount_minor for each in await entries(tenant, size=size, currency="CNY")] == [3000]


# --- whatever happens -----------------------------------------------------------------------------

STEPS = st.lists(
    st.sampled_from(["later", "ship", "ship early", "miss", "carrier", "supplier", "cancel", "recover", "settle"]),
    min_size=4,
    max_size=14,
)


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_the_account_is_what_the_facts_say_and_a_rebuild_agrees(tenant: EmptyTenant, steps: list[str]):
    scenario = sold()
    recovering = Recovering(scenario)
    for number, step in enumerate(steps):
        try:
            match step:
                case "later":
                    scenario.later(hours=25)
                case "ship":
                    scenario.ship({1: 1}, number=f"P{number}")
                case "ship early":
                    scenario.ship({2: 1}, number=f"P{number}", at=NOON + HOUR)
                case "miss":
                    scenario.miss(Clock.DISPATCH)
                case "carrier" | "supplier":
                    scenario.rule(Party(step))
                case "cancel":
                    scenario.cancel({1: 1})
                    scenario.answer_cancel(agreed=True)
                case "recover":
                    recovering.of_supplier(refund(400))
                    recovering.accept(300)
                case _:
                    recovering.settle(100, f"s{number}", Method.PAYMENT)
        except Refusal:
            continue
    wipe(tenant)
    catch_up(tenant, scenario.log)
    found = asyncio.run(statement(tenant))
    assert {each.currency: each.closing_minor for each in found.balances if each.closing_minor} == _recount(scenario)
    assert verify(tenant, "statements").equal


def _recount(scenario: Scenario) -> dict[str, int]:
    """Straight from the facts, without the folds that the read model goes by."""
    owed: Counter[str] = Counter()
    for stream, fact in scenario.log:
        match fact:
            case SupplierOrderShipped():
                owed["EUR"] += 250 * sum(units for line_no, units in fact.by_line.items() if line_no == 1)
                owed["CNY"] += 3000 * sum(units for line_no, units in fact.by_line.items() if line_no == 2)
            case CompensationAccrued():
                owed["EUR"] -= fact.amount.amount_minor
            case CompensationReversed():
                owed["EUR"] += fact.amount.amount_minor
            case _ if stream.startswith("recovery-"):
                name = fact.fact_name()
                amount = getattr(fact, "amount_minor", 0)
                owed["EUR"] += {"recovery.accepted": -amount, "recovery.settlement_received": amount}.get(name, 0)
            case _:
                pass
    return {currency: amount for currency, amount in owed.items() if amount}
