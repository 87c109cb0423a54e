"""How the trade does: every figure counts what it says, once for every key, and costs name who is liable."""

from __future__ import annotations

from typing import Any

from ledger.decisions import after_sales
from ledger.nouns.cases import Remedy, ReturnLabelled
from ledger.nouns.orders import Charge, ChargeKind
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.money import Money
from ledger.terms.parties import Party
from projections import trade
from projections.machine.reads import FIRST, LAST, PageOf
from projections.trade import Borne, Figures, GroupBy, TradeFilter
from tests.support.casework import (
    CASE,
    PHOTO,
    RESHIP,
    Desk,
    approved,
    ruled,
)
from tests.support.projecting import (
    asking,
    begin_again,
    catch_up,
    contents,
)
from tests.support.scenario import (
    DAY,
    HOUR,
    NOON,
    SECOND,
    Scenario,
    a_shop,
    delivered,
    line,
)
from tests.support.stalls import EmptyTenant


async def reviewed(
    tenant: EmptyTenant, scenario: Scenario, group_by: GroupBy = GroupBy.EVERYTHING, size: int = 100, **about: Any
) -> list[Figures]:
    """All rows, page after page; the scenario goes to the log once."""
    head = catch_up(tenant, scenario.log)
    scenario.log.clear()
    found: list[Figures] = []
    token = ""
    async with asking(tenant, head) as where:
        while True:
            filters = TradeFilter(**{"since": FIRST, "until": LAST, **about})
            answer = await trade.review(where, PageOf(size, token), group_by, filters)
            found += answer.rows
            token = answer.next_page_token
            if not token:
                return found


async def the_row(tenant: EmptyTenant, scenario: Scenario, **how: Any) -> Figures:
    (row,) = await reviewed(tenant, scenario, **how)
    return row


def two_suppliers() -> Scenario:
    """Tea from acme left in time and arrived, ink from bolt was due two days after noon and left an hour late."""
    scenario = a_shop(tea=100)
    scenario.place(line(1, "tea", 2), line(2, "ink", 1, "bolt"))
    scenario.send()
    scenario.send(SECOND)
    scenario.ship(number="P1")
    scenario.scan(ParcelStatus.DELIVERED, number="P1")
    scenario.later(hours=49)
    scenario.ship(supplier_order_id=SECOND, number="P2", carrier="ups")
    return scenario


# --- what is counted ------------------------------------------------------------------------------


async def test_each_supplier_sku_and_carrier_has_its_own_dispatches_and_all_together_have_both(tenant: EmptyTenant):
    scenario = two_suppliers()
    everything = await the_row(tenant, scenario)
    assert (everything.key, everything.orders, everything.orders_delivered) == ("", 1, 0)
    assert (everything.dispatches_due, everything.dispatched_on_time, everything.dispatched_late) == (2, 1, 1)
    for group_by, keys in (
        (GroupBy.SUPPLIER, ["acme", "bolt"]),
        (GroupBy.SKU, ["ink", "tea"]),
        (GroupBy.CARRIER, ["dhl", "ups"]),
    ):
        rows = {row.key: row for row in await reviewed(tenant, scenario, group_by)}
        assert list(rows) == keys
        assert [row.orders for row in rows.values()] == [1, 1]
        late = {"bolt", "ink", "ups"}
        assert all((row.dispatched_late, row.dispatches_due) == (key in late, 1) for key, row in rows.items())


async def test_filters_name_what_is_looked_at(tenant: EmptyTenant):
    scenario = two_suppliers()
    for about in ({"supplier_id": "bolt"}, {"sku": "ink"}, {"carrier": "ups"}):
        row = await the_row(tenant, scenario, **about)
        assert (row.orders, row.dispatches_due, row.dispatched_late) == (1, 1, 1)
    assert (await the_row(tenant, scenario, channel="shopify")).dispatches_due == 2
    assert await reviewed(tenant, scenario, channel="amazon") == []
    (row,) = await reviewed(tenant, scenario, GroupBy.CHANNEL)
    assert (row.key, row.dispatches_due) == ("shopify", 2)


async def test_what_did_not_leave_is_due_and_neither_in_time_nor_late(tenant: EmptyTenant):
    scenario = a_shop(tea=100)
    scenario.place(line(1, "tea", 2))
    scenario.send()
    row = await the_row(tenant, scenario)
    assert (row.dispatches_due, row.dispatched_on_time, row.dispatched_late) == (1, 0, 0)
    (row,) = await reviewed(tenant, scenario, GroupBy.CARRIER)
    assert (row.key, row.dispatches_due) == ("", 1)
    assert not any(row.dispatches_due for row in await reviewed(tenant, scenario, until=NOON))


async def test_weeks_and_months_are_those_of_what_is_counted_in_utc(tenant: EmptyTenant):
    scenario = two_suppliers()
    day = (NOON + 2 * DAY).isocalendar()
    rows = {row.key: row for row in await reviewed(tenant, scenario, GroupBy.WEEK)}
    assert rows[f"{day.year}-W{day.week:02}"].dispatches_due == 2
    months = {row.key: row for row in await reviewed(tenant, scenario, GroupBy.MONTH)}
    assert months[f"{NOON:%Y-%m}"].orders == 1


async def test_weeks_and_months_are_those_of_the_time_zone_that_is_asked_for(tenant: EmptyTenant):
    scenario = a_shop(tea=100)
    scenario.later(hours=11.5)
    scenario.later(days=6)  # Sunday in UTC, and Monday in Kolkata
    scenario.place(line(1, "tea", 2))
    (utc,) = await reviewed(tenant, scenario, GroupBy.WEEK)
    (there,) = await reviewed(tenant, scenario, GroupBy.WEEK, time_zone="Asia/Kolkata")
    week, next_week = (each.isocalendar() for each in (NOON, NOON + 7 * DAY))
    assert (utc.key, there.key) == (f"{week.year}-W{week.week:02}", f"{next_week.year}-W{next_week.week:02}")


async def test_a_period_begins_with_its_first_instant_and_ends_before_its_last(tenant: EmptyTenant):
    scenario = two_suppliers()
    assert (await the_row(tenant, scenario, since=NOON, until=NOON + HOUR)).orders == 1
    found = await reviewed(tenant, scenario, until=NOON)
    assert not any(row.orders for row in found)


async def test_pages_follow_each_other_by_key(tenant: EmptyTenant):
    scenario = two_suppliers()
    assert [row.key for row in await reviewed(tenant, scenario, GroupBy.SKU, size=1)] == ["ink", "tea"]
    assert await reviewed(tenant, scenario, GroupBy.SKU, size=1) == await reviewed(tenant, scenario, GroupBy.SKU)


# --- cases and what they cost ---------------------------------------------------------------------


async def test_a_case_counts_for_its_own_lines_and_before_its_ruling_for_no_party(tenant: EmptyTenant):
    desk = Desk(delivered(line(1, "tea", 3), line(2, "mug", 3, "acme")))
    desk.opens(by_line={1: 1})
    row = await the_row(tenant, desk.scenario)
    assert (row.cases, row.orders_delivered, row.costs) == (1, 1, ())
    assert {row.key: row.cases for row in await reviewed(tenant, desk.scenario, GroupBy.SKU)} == {"tea": 1, "mug": 0}
    desk.opens(by_line={1: 1, 2: 1}, case_id="case-2")
    row = await the_row(tenant, desk.scenario)
    assert row.cases == 2
    assert {row.key: row.cases for row in await reviewed(tenant, desk.scenario, GroupBy.SKU)} == {"tea": 2, "mug": 1}


async def test_a_refund_costs_whoever_is_ruled_liable(tenant: EmptyTenant):
    desk = ruled(Party.CARRIER, by_line={1: 2})
    desk.approves(Remedy.REFUND)
    desk.grants({1: 1})
    row = await the_row(tenant, desk.scenario)
    assert row.costs == (Borne(Party.CARRIER, "EUR", 500),)
    (row,) = await reviewed(tenant, desk.scenario, GroupBy.SUPPLIER)
    assert (row.key, row.costs) == ("acme", (Borne(Party.CARRIER, "EUR", 500),))


async def test_what_is_refunded_of_the_shipping_costs_too(tenant: EmptyTenant):
    desk = Desk(delivered(charges=(Charge("shipping", ChargeKind.SHIPPING, 490),)))
    desk.opens()
    desk.files()
    desk.reviews()
    desk.rules()
    desk.approves(Remedy.REFUND)
    desk.grants({1: 1}, charges={"shipping": 0})
    found = await the_row(tenant, desk.scenario)
    assert found.costs == (Borne(Party.SUPPLIER, "EUR", 990),)


async def test_bringing_goods_back_costs_its_freight_shared_exactly_among_lines(tenant: EmptyTenant):
    desk = Desk(delivered(line(1, "tea", 2), line(2, "mug", 1, "acme")))
    desk.opens(by_line={1: 2, 2: 1})
    desk.files()
    desk.reviews()
    desk.rules(Party.SUPPLIER, PHOTO)
    desk.approves(Remedy.RETURN)
    now = desk.scenario.now
    label = ReturnLabelled(CASE, "label-1", {}, Party.RETAILER, now, freight_minor=1000)
    desk.scenario.record(after_sales.label_return(desk.scenario.book, label, now))
    assert (await the_row(tenant, desk.scenario)).costs == (Borne(Party.SUPPLIER, "EUR", 1000),)
    rows = {row.key: row.costs for row in await reviewed(tenant, desk.scenario, GroupBy.SKU)}
    assert rows == {"mug": (Borne(Party.SUPPLIER, "EUR", 333),), "tea": (Borne(Party.SUPPLIER, "EUR", 667),)}


async def test_a_reship_costs_its_goods_and_is_no_order_of_its_own(tenant: EmptyTenant):
    desk = approved(Remedy.RESHIP, {1: 2})
    # The goods of the reship were drafted without an offer: nobody knows their cost.
    desk.scenario.send(f"{RESHIP}/1")
    desk.scenario.ship(supplier_order_id=f"{RESHIP}/1", number="P9")
    row = await the_row(tenant, desk.scenario)
    assert (row.orders, row.costs, row.dispatches_due) == (1, (), 2)


async def test_a_reship_costs_what_its_supplier_was_to_get_for_the_goods(tenant: EmptyTenant):
    desk = ruled(by_line={1: 2})
    desk.scenario.offer("tea", Money(250, "EUR"))
    desk.approves(Remedy.RESHIP)
    desk.scenario.send(f"{RESHIP}/1")
    desk.scenario.ship(supplier_order_id=f"{RESHIP}/1", number="P9")
    for group_by, key in ((GroupBy.EVERYTHING, ""), (GroupBy.SUPPLIER, "acme"), (GroupBy.SKU, "tea")):
        (row,) = await reviewed(tenant, desk.scenario, group_by)
        assert (row.key, row.costs) == (key, (Borne(Party.SUPPLIER, "EUR", 500),))


# --- satisfaction ---------------------------------------------------------------------------------


async def test_a_review_counts_for_every_sku_of_its_order_and_once_for_all(tenant: EmptyTenant):
    scenario = delivered(line(1, "tea", 1), line(2, "mug", 1, "acme"))
    scenario.review(4)
    scenario.review(1, "r2")
    row = await the_row(tenant, scenario)
    assert (row.reviews, row.score_sum) == (2, 5)
    found = {row.key: (row.reviews, row.score_sum) for row in await reviewed(tenant, scenario, GroupBy.SKU)}
    assert found == {"mug": (2, 5), "tea": (2, 5)}


def test_it_does_not_matter_where_a_page_of_the_log_ends(tenant: EmptyTenant):
    desk = approved(Remedy.RESHIP, {1: 2})
    desk.scenario.send(f"{RESHIP}/1")
    desk.scenario.ship({1: 1}, f"{RESHIP}/1", "P8")
    desk.scenario.ship({1: 1}, f"{RESHIP}/1", "P9")
    desk.scenario.scan(ParcelStatus.DELIVERED, number="P8")
    desk.scenario.scan(ParcelStatus.LOST, number="P9")
    desk.looks_at_the_reship()
    desk.grants()
    catch_up(tenant, desk.scenario.log)
    expected = contents(tenant, [trade.TRADE])
    assert {name: len(rows) for name, rows in expected.items()} == {
        "trade_goods": 3, "trade_case_lines": 1, "trade_costs": 1,
    }  # fmt: skip
    begin_again(tenant)
    catch_up(tenant, page_facts=2)
    assert contents(tenant, [trade.TRADE]) == expected
