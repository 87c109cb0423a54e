"""A new read model is one file, such as this one, and one line in a tuple: the rest follows."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import NamedTuple

import pytest
from psycopg.sql import SQL, Identifier

from ledger.nouns import orders, suppliers
from ledger.nouns.orders import Header
from ledger.nouns.suppliers import Standing, Supplier
from projections import PROJECTIONS
from projections.machine.histories import OrderHistory
from projections.machine.projection import From, projection
from projections.machine.reads import Answer, PageOf, Where, snapshot
from projections.machine.rows import Int4, Text
from projections.machine.tables import table
from tests.support.projecting import (
    asking,
    catch_up,
    caught_up,
    connect,
    contents,
    listed,
    projector,
    rebuild,
    statuses,
    until,
    verify,
    write_down,
)
from tests.support.scenario import DAY, NOON, line, sent
from tests.support.stalls import EmptyTenant

# --- the file: who was ever asked for a SKU, how does the order stand, and may the supplier sell? --------------------


class Wanted(NamedTuple):
    """A line of an order; every column that there is."""

    order_id: str
    line_no: Int4
    sku: str
    units: int
    status: Header
    placed_at: datetime
    delivered_at: datetime | None
    supplier_orders: dict[str, int]
    """How many lines each has."""


class Known(NamedTuple):
    """A supplier, and where it does not stand as wanted, how."""

    supplier_id: str
    trouble: Standing | None
    name: Text


WANTED = table("wanted_lines", Wanted, 2, "(sku, placed_at, order_id)")
KNOWN = table("wanted_suppliers", Known, 1)


def _lines(history: OrderHistory) -> list[Wanted]:
    order = history.order
    return [
        Wanted(
            order_id=order.order_id,
            line_no=line_no,
            sku=each.sku,
            units=each.quantity,
            status=history.header,
            placed_at=order.placed.placed_at,
            delivered_at=history.delivered_at,
            supplier_orders={part.supplier_order_id: len(part.shares) for part in order.supplier_orders.values()},
        )
        for line_no, each in order.lines.items()
    ]


def _supplier(supplier: Supplier) -> list[Known]:
    standing = supplier.standing
    return [Known(supplier.supplier_id, None if standing is Standing.APPROVED else standing, supplier.supplier_id)]


WANTED_LINES = projection("wanted", 1, From(orders.NOUN, WANTED, _lines), From(suppliers.NOUN, KNOWN, _supplier))

_LIST = """
    SELECT * FROM {wanted_lines} WHERE sku = %(sku)s AND order_id > %(after)s ORDER BY order_id LIMIT %(limit)s
"""


async def list_wanted(where: Where, page: PageOf, sku: str) -> Answer[Wanted]:
    """Who wanted a SKU, by order."""
    parameters = {"sku": sku, "after": page.after(str) or "", "limit": page.limit}
    async with snapshot(where, WANTED_LINES) as at:
        found = await at.each(_LIST, parameters, Wanted)
        rows, token = page.cut(found, [row.order_id for row in found])
        return Answer(rows, at.position, token)


# --- the line ---------------------------------------------------------------------------------------------------------

ALL = (*PROJECTIONS, WANTED_LINES)
FIRST_PAGE = PageOf()


def wanted(tenant: EmptyTenant, sku: str, page: PageOf = FIRST_PAGE, at_least: int = 0) -> Answer[Wanted]:
    async def ask() -> Answer[Wanted]:
        async with asking(tenant, at_least) as where:
            return await list_wanted(where, page, sku)

    return asyncio.run(ask())


@pytest.fixture
def tenant(new_tenant: EmptyTenant) -> EmptyTenant:
    """Without a read model: its tables are made here."""
    return new_tenant


def test_it_is_followed_and_answers_with_the_rows_that_it_was_filled_with(tenant: EmptyTenant):
    scenario = sent(line(1, "tea", 3), line(2, "mug", 1, "bolt"))
    head = catch_up(tenant, scenario.log, ALL)
    answer = wanted(tenant, "tea", at_least=head)
    order = scenario.order()
    parts = dict.fromkeys(order.supplier_orders, 1)
    assert len(parts) == 2
    tea = Wanted(order.order_id, 1, "tea", 3, order.header, order.placed.placed_at, None, parts)
    assert answer == Answer([tea], head)
    assert type(answer.rows[0].status) is Header


def test_its_rows_change_with_the_facts_whatever_the_pages(tenant: EmptyTenant):
    scenario = sent(line(1, "tea", 3))
    catch_up(tenant, scenario.log, ALL, page_facts=2)
    before = len(scenario.log)
    scenario.later(hours=1)
    scenario.cancel()
    catch_up(tenant, scenario.log[before:], ALL, page_facts=1)
    (tea,) = wanted(tenant, "tea").rows
    assert tea.status is scenario.order().header
    assert verify(tenant, "wanted", ALL).equal


def test_it_is_read_page_by_page(tenant: EmptyTenant):
    scenario = sent(line(1, "tea", 1), order_id="shopify/1")
    for number in (2, 3):
        scenario.place(line(1, "tea", 1), order_id=f"shopify/{number}")
    catch_up(tenant, scenario.log, ALL)
    first = wanted(tenant, "tea", PageOf(2))
    second = wanted(tenant, "tea", PageOf(2, first.next_page_token))
    assert [row.order_id for row in first.rows + second.rows] == ["shopify/1", "shopify/2", "shopify/3"]
    assert second.next_page_token == ""


def test_a_projector_follows_it_beside_the_others_and_its_status_shows_where_it_stands(tenant: EmptyTenant):
    scenario = sent(line(1, "tea", 3))
    with listed(tenant), projector(tenant.conninfo, ALL):
        write_down(tenant, scenario.log)
        until(lambda: caught_up(tenant) and statuses(tenant, ALL)["wanted"].lag == 0)
        assert statuses(tenant, ALL)["wanted"].error is None
        assert len(contents(tenant, [WANTED_LINES])["wanted_lines"]) == 1


def test_it_is_rebuilt_and_a_row_that_the_log_does_not_tell_is_found(tenant: EmptyTenant):
    catch_up(tenant, sent(line(1, "tea", 3), promised_by=NOON + 5 * DAY).log, ALL)
    right = contents(tenant, [WANTED_LINES])
    assert right["wanted_suppliers"]
    assert rebuild(tenant, "wanted", ALL).equal
    with connect(tenant) as connection:
        connection.execute(SQL("UPDATE {}.wanted_lines SET units = 4").format(Identifier(tenant.schema)))
    lines, known = verify(tenant, "wanted", ALL).tables
    assert (lines.equal, known.equal) == (False, True)
    assert not rebuild(tenant, "wanted", ALL).equal
    assert contents(tenant, [WANTED_LINES]) == right
