"""What orders cost and how they were paid in the read models: by currency, by method, and where it differs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ledger.nouns.orders import Charge, ChargeKind, Payment, PaymentKind, PaymentState
from ledger.terms.money import Money
from projections import order_money
from projections.machine.reads import PageOf
from projections.order_money import MethodTotal, MoneyTotals
from tests.support.projecting import asking, catch_up, verify
from tests.support.scenario import Scenario, a_shop, line
from tests.support.stalls import EmptyTenant

CAPTURED, RESERVED = PaymentKind.CAPTURED, PaymentKind.AUTHORISED
SHIPPING = Charge("shipping", ChargeKind.SHIPPING, 490)
SPRING = Charge("spring", ChargeKind.DISCOUNT, -200)


def paid(scenario: Scenario, number: str, *moved: tuple[PaymentKind, int, str], currency: str = "EUR", **more) -> None:
    """An order of 15.00 in its currency, with what moved of its money: kind, amount and method."""
    payments = tuple(
        Payment(f"p{n}", kind, Money(amount_minor, currency), scenario.now, method)
        for n, (kind, amount_minor, method) in enumerate(moved)
    )
    unpaid = {"payment": PaymentState.PENDING, "currency": currency}
    scenario.place(line(1, "tea", 3), order_id=f"shopify/{number}", **{**unpaid, **more})
    if payments:
        scenario.moves(*payments, order_id=f"shopify/{number}")


async def totals(tenant: EmptyTenant, scenario: Scenario, channel: str = "") -> list[MoneyTotals]:
    catch_up(tenant, scenario.log)
    async with asking(tenant) as where:
        return (await order_money.totals(where, channel)).rows


async def differences(tenant: EmptyTenant, size: int = 100) -> list[tuple[str, int, int]]:
    found: list[order_money.OrderTotals] = []
    token = ""
    async with asking(tenant) as where:
        while True:
            answer = await order_money.list_differences(where, PageOf(size, token))
            found += answer.rows
            if not (token := answer.next_page_token):
                return [(each.order_id, each.total_minor, each.came_in_minor) for each in found]


@pytest.fixture
def scenario() -> Scenario:
    return a_shop(tea=1_000)


async def test_amounts_of_two_currencies_are_never_added_up(tenant: EmptyTenant, scenario: Scenario):
    paid(scenario, "1", (CAPTURED, 1_990, "card"), charges=(SHIPPING,))
    paid(scenario, "2", (CAPTURED, 1_000, "card"), (CAPTURED, 500, "voucher"), currency="USD")
    assert await totals(tenant, scenario) == [
        MoneyTotals("EUR", 1_500, 490, 0, 1, 1, 0, (MethodTotal("card", 1_990, 0),)),
        MoneyTotals("USD", 1_500, 0, 0, 1, 1, 0, (MethodTotal("card", 1_000, 0), MethodTotal("voucher", 500, 0))),
    ]
    assert await differences(tenant) == []


async def test_a_payment_in_another_currency_stands_there_and_pays_nothing(tenant: EmptyTenant, scenario: Scenario):
    paid(scenario, "1")
    scenario.moves(Payment("d", CAPTURED, Money(1_500, "USD"), scenario.now, "card"), order_id="shopify/1")
    euros, dollars = await totals(tenant, scenario)
    assert (euros.goods_minor, euros.methods, euros.orders_paid_exactly) == (1_500, (), 0)
    assert dollars == MoneyTotals("USD", methods=(MethodTotal("card", 1_500, 0),))


PARTS: Sequence[tuple[tuple[tuple[PaymentKind, int, str], ...], tuple[MethodTotal, ...], tuple[int, int, int]]] = [
    (((RESERVED, 1_500, "card"),), (MethodTotal("card", 0, 1_500),), (1, 0, 0)),
    (((RESERVED, 1_500, "card"), (CAPTURED, 1_500, "card")), (MethodTotal("card", 1_500, 0),), (1, 1, 0)),
    (((CAPTURED, 1_499, "card"),), (MethodTotal("card", 1_499, 0),), (1, 0, 1)),
    (((CAPTURED, 1_500, ""), (CAPTURED, 1, "")), (MethodTotal("", 1_501, 0),), (1, 0, 1)),
    (((PaymentKind.FAILED, 0, "voucher"),), (MethodTotal("voucher", 0, 0),), (1, 0, 0)),
    (((CAPTURED, 1_500, "card"), (PaymentKind.REFUNDED, 1_500, "card")), (MethodTotal("card", 1_500, 0),), (1, 1, 0)),
    ((), (), (0, 0, 0)),
]


@pytest.mark.parametrize(("moved", "methods", "counted"), PARTS)
async def test_an_order_is_compared_once_money_came_in_for_it(
    tenant: EmptyTenant, scenario: Scenario, moved, methods, counted
):
    paid(scenario, "1", *moved)
    (found,) = await totals(tenant, scenario)
    assert found.methods == methods
    assert (found.orders_with_payment, found.orders_paid_exactly, found.orders_paid_differently) == counted


async def test_what_was_voided_did_not_come_in(tenant: EmptyTenant, scenario: Scenario):
    paid(scenario, "1", (CAPTURED, 1_500, "card"))
    gone = Payment("v", PaymentKind.VOIDED, Money(0, "EUR"), scenario.now, of="p0")
    again = Payment("again", CAPTURED, Money(1_500, "EUR"), scenario.now, "voucher")
    scenario.moves(gone, again, order_id="shopify/1")
    (found,) = await totals(tenant, scenario)
    assert found.methods == (MethodTotal("card", 0, 0), MethodTotal("voucher", 1_500, 0))
    assert found.orders_paid_exactly == 1


async def test_a_void_of_what_was_reserved_and_not_taken_leaves_what_was_taken(tenant: EmptyTenant, scenario: Scenario):
    scenario.place(line(1, "tea", 3), order_id="shopify/1", payment=PaymentState.PENDING)
    moved = [(RESERVED, 2_000), (CAPTURED, 1_500), (PaymentKind.VOIDED, 500)]
    payments = [Payment("p", kind, Money(minor, "EUR"), scenario.now, "card") for kind, minor in moved]
    scenario.moves(*payments, order_id="shopify/1")
    (found,) = await totals(tenant, scenario)
    assert (found.methods, found.orders_paid_exactly) == ((MethodTotal("card", 1_500, 0),), 1)
    scenario.moves(Payment("v", PaymentKind.VOIDED, Money(300, "EUR"), scenario.now, of="p"), order_id="shopify/1")
    (found,) = await totals(tenant, scenario)
    assert (found.methods, found.orders_paid_differently) == ((MethodTotal("card", 1_200, 0),), 1)


async def test_a_word_names_no_amount_and_an_order_without_lines_no_price(tenant: EmptyTenant, scenario: Scenario):
    scenario.place(line(1, "tea", 3), order_id="shopify/1", charges=(SHIPPING, SPRING))
    scenario.place(order_id="shopify/2", lines=(), payment=PaymentState.PENDING)
    scenario.moves(Payment("p", CAPTURED, Money(100, "EUR"), scenario.now, "card"), order_id="shopify/2")
    (found,) = await totals(tenant, scenario)
    assert found == MoneyTotals("EUR", 1_500, 490, -200, 1, 0, 0, (MethodTotal("card", 100, 0),))


async def test_cancelled_units_are_counted_and_what_differs_is_listed_page_by_page(
    tenant: EmptyTenant, scenario: Scenario
):
    for number in range(5):
        paid(scenario, str(number), (CAPTURED, 1_500 + number, "card"))
    scenario.cancel(order_id="shopify/0")
    catch_up(tenant, scenario.log)
    wanted = [(f"shopify/{number}", 1_500, 1_500 + number) for number in range(1, 5)]
    assert await differences(tenant, 2) == await differences(tenant) == wanted
    assert verify(tenant, "order_money").equal
    async with asking(tenant) as where:
        assert (await order_money.totals(where, "another")).rows == []
        (found,) = (await order_money.totals(where, "shopify")).rows
    assert (found.orders_with_payment, found.orders_paid_exactly, found.orders_paid_differently) == (5, 1, 4)
