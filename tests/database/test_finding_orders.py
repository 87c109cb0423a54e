"""Orders found by what they are about, against a plain look at each folded order; and by whether they changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from ledger.facts import Sealed
from ledger.nouns import orders
from ledger.nouns.orders import Header, NoteAdded, Order, PaymentState, TagsChanged, deadlines
from ledger.nouns.orders.supplier_orders import Stage
from ledger.terms.clocks import Clock
from ledger.terms.places import Destination
from projections import tracking
from projections.machine import changes
from projections.machine.reads import PageOf
from projections.tracking import OrderFilter, TrackedOrder
from tests.support.projecting import asking, catch_up, rebuild, verify
from tests.support.scenario import HOUR, NOON, Scenario, a_shop, line
from tests.support.stalls import EmptyTenant

COUNTRIES = ("DE", "FR", "AT")
SKUS = ("tea", "mug", "cup")


def _trade() -> Scenario:
    """30 orders, an hour apart, each another mixture of SKU, supplier, country, tags, and how far it is."""
    scenario = a_shop(tea=1000, mug=1000)
    for number in range(30):
        order_id = f"{('shop', 'mall')[number % 2]}/{number}"
        lines = [line(1, SKUS[number % 3], 1, ("acme", "bolt")[number % 2])]
        if number % 4 == 0:
            lines.append(line(2, "tea", 2, "bolt"))
        scenario.place(
            *lines,
            order_id=order_id,
            payment=PaymentState.PENDING if number % 10 == 9 else PaymentState.PAID,
            destination=Destination(COUNTRIES[number % 5 % 3]),
            tags=[(), ("vip",), ("vip", "gift")][number % 3],
        )
        if number % 3 and number % 10 != 9:
            scenario.send(f"{order_id}/1")
        if number % 6 == 1 and number % 10 != 9:
            scenario.ship(supplier_order_id=f"{order_id}/1", number=f"P{number}")
        scenario.later(hours=1)
    scenario.later(days=3)
    for number in (2, 5, 8):
        order_id = f"{('shop', 'mall')[number % 2]}/{number}"
        scenario.miss(Clock.DISPATCH, f"{order_id}/1", order_id)
    scenario.ship(supplier_order_id="mall/5/1", number="P5")  # late, and left since
    return scenario


TRADE = _trade()
ORDERS = {stream.removeprefix("order-"): None for stream, _ in TRADE.log if stream.startswith("order-")}


def numbers(*order_ids: str) -> list[int]:
    return [int(order_id.partition("/")[2]) for order_id in order_ids]


async def found(tenant: EmptyTenant, size: int = 1000, **about: Any) -> list[str]:
    """The orders that a filter finds, page after page."""
    ids: list[str] = []
    token = ""
    async with asking(tenant) as where:
        while True:
            answer = await tracking.list_orders(where, PageOf(size, token), OrderFilter(**about))
            ids += [order.order_id for order in answer.rows]
            token = answer.next_page_token
            if not token:
                return ids
            assert len(answer.rows) == size


def _is(order: Order, about: dict[str, Any]) -> bool:
    """The same, as one would look by hand."""
    parts = order.supplier_orders.values()
    stages, supplier_id = about.get("stages", ()), about.get("supplier_id", "")
    at_supplier = [part for part in parts if supplier_id in ("", part.supplier_id)]
    named = {one.supplier_id for one in order.lines.values()} | {part.supplier_id for part in parts}
    late = any(each.is_missed and not each.over for each in deadlines(order))
    return (
        (not about.get("sku") or about["sku"] in {one.sku for one in order.lines.values()})
        and (not supplier_id or supplier_id in named)
        and (not stages or any(part.stage in stages for part in at_supplier))
        and about.get("country", order.destination.country) == order.destination.country
        and {*about.get("tags", ())} <= {*order.remarks.tags}
        and (not about.get("late") or late)
        and (not about.get("statuses") or order.header in about["statuses"])
        and about.get("channel", order.placed.channel) == order.placed.channel
        and about.get("since", NOON)
        <= order.placed.placed_at
        < about.get("until", datetime.max.replace(tzinfo=NOON.tzinfo))
    )


QUESTIONS: list[dict[str, Any]] = [
    {"sku": "tea"},
    {"sku": "cup"},
    {"sku": "nothing"},
    {"supplier_id": "bolt"},
    {"stages": [Stage.DRAFT]},
    {"stages": [Stage.DRAFT, Stage.SENT, Stage.SHIPPED]},
    {"supplier_id": "bolt", "stages": [Stage.SENT]},
    {"supplier_id": "acme", "stages": [Stage.DRAFT, Stage.SHIPPED]},
    {"country": "FR"},
    {"tags": ["vip"]},
    {"tags": ["vip", "gift"]},
    {"late": True},
    {"late": True, "supplier_id": "acme"},
    {"sku": "tea", "country": "DE", "tags": ["gift"]},
    {"sku": "mug", "supplier_id": "bolt", "country": "AT", "tags": ["vip"], "stages": [Stage.SHIPPED]},
    {"sku": "tea", "statuses": [Header.CONFIRMED, Header.ON_HOLD], "channel": "shop"},
    {"statuses": [Header.ON_HOLD]},
    {"channel": "mall", "country": "DE", "since": NOON + 5 * HOUR, "until": NOON + 20 * HOUR},
]


@pytest.mark.parametrize("about", QUESTIONS, ids=[", ".join(each) + f" {n}" for n, each in enumerate(QUESTIONS)])
async def test_filters_combine_and_every_order_that_fits_is_found_once(tenant: EmptyTenant, about: dict[str, Any]):
    catch_up(tenant, TRADE.log)
    wanted = [order_id for order_id in ORDERS if _is(TRADE.order(order_id), about)]
    assert await found(tenant, **about) == wanted
    for size in (1, 3):
        assert await found(tenant, size, **about) == wanted


def test_the_questions_find_some_orders_and_not_all():
    counts = [sum(_is(TRADE.order(order_id), about) for order_id in ORDERS) for about in QUESTIONS]
    assert counts[2] == 0
    assert all(0 < count < 30 for index, count in enumerate(counts) if index != 2)


async def test_an_order_is_found_by_its_own_number_in_every_channel(tenant: EmptyTenant):
    scenario = a_shop(tea=10)
    for order_id in ("shop/1", "mall/1", "shop/2"):
        scenario.place(line(1, "tea", 1), order_id=order_id)
    catch_up(tenant, scenario.log)
    async with asking(tenant) as where:
        assert (await tracking.find_numbered(where, "1")).rows == ["mall/1", "shop/1"]
        assert (await tracking.find_numbered(where, "3")).rows == []


async def test_what_an_order_is_no_more_does_not_find_it(tenant: EmptyTenant):
    scenario = a_shop(tea=10)
    scenario.place(line(1, "tea", 1), tags=("vip",))
    catch_up(tenant, scenario.log)
    begun = len(scenario.log)
    assert await found(tenant, stages=[Stage.DRAFT], tags=["vip"]) == ["shopify/1"]
    scenario.send()
    change = TagsChanged("shopify/1", "mia", scenario.now, added=("slow",), removed=("vip",))
    scenario.record((orders.stream("shopify/1"), fact) for fact in orders.change_tags(scenario.order().remarks, change))
    catch_up(tenant, scenario.log[begun:])
    assert await found(tenant, stages=[Stage.DRAFT]) == []
    assert await found(tenant, tags=["vip"]) == []
    assert await found(tenant, stages=[Stage.SENT], tags=["slow"]) == ["shopify/1"]


async def test_a_listed_order_tells_where_it_goes_its_tags_and_whether_it_is_late(tenant: EmptyTenant):
    catch_up(tenant, TRADE.log)
    async with asking(tenant) as where:
        found = {each.order_id: each for each in (await tracking.list_orders(where, PageOf())).rows}
    assert found["shop/2"].details.is_late
    assert not found["mall/5"].details.is_late, "it left since"
    assert (found["shop/2"].details.country, found["shop/2"].details.tags) == ("AT", ("gift", "vip"))


async def test_what_orders_are_found_by_is_rebuilt_as_it_was(tenant: EmptyTenant):
    catch_up(tenant, TRADE.log)
    before = await found(tenant, sku="tea", tags=["vip"])
    assert verify(tenant, "tracking").equal
    rebuild(tenant, "tracking")
    assert await found(tenant, sku="tea", tags=["vip"]) == before


# --- by whether they changed ----------------------------------------------------------------------


async def changed(tenant: EmptyTenant, after: int, size: int = 1000, **about: Any) -> tuple[list[str], int]:
    """The orders that changed, page after page, and where the next list goes on."""
    ids: list[str] = []
    token = ""
    async with asking(tenant) as where:
        while True:
            page = PageOf(size, token, changed_after=after)
            orders_found = await tracking.list_orders(where, page, OrderFilter(**about))
            assert orders_found.changes is not None
            ids += [order.order_id for order in orders_found.rows]
            token = orders_found.next_page_token
            if not token:
                return ids, orders_found.changes.until


def _last_positions(scenario: Scenario, after: int) -> list[str]:
    last = {stream.removeprefix("order-"): n for n, (stream, _) in enumerate(scenario.log, 1) if stream[:6] == "order-"}
    return sorted((order_id for order_id, n in last.items() if n > after), key=last.__getitem__)


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_each_order_that_changed_is_told_once_by_its_last_change(tenant: EmptyTenant, size: int):
    head = catch_up(tenant, TRADE.log)
    for after in (0, head // 3, head // 2, head - 4, head):
        assert await changed(tenant, after, size) == (_last_positions(TRADE, after), head)


async def test_changes_can_be_asked_for_of_some_orders_only(tenant: EmptyTenant):
    head = catch_up(tenant, TRADE.log)
    wanted = [each for each in _last_positions(TRADE, head // 2) if _is(TRADE.order(each), {"sku": "tea"})]
    assert wanted
    assert (await changed(tenant, head // 2, 2, sku="tea"))[0] == wanted


async def test_who_follows_changes_misses_none_and_hears_none_twice_while_more_come(tenant: EmptyTenant):
    scenario = a_shop(tea=100)
    for number in range(6):
        scenario.place(line(1, "tea", 1), order_id=f"shop/{number}")
    catch_up(tenant, scenario.log)
    async with asking(tenant) as where:
        first = await tracking.list_orders(where, PageOf(2, changed_after=0))
        assert first.changes is not None
        until = first.changes.until
        begun = len(scenario.log)
        for number in (0, 4):  # one that was told already, one that is still to come
            scenario.send(f"shop/{number}/1")
        scenario.place(line(1, "tea", 1), order_id="shop/6")
        catch_up(tenant, scenario.log[begun:])
        told: list[TrackedOrder] = list(first.rows)
        answer = first
        while answer.next_page_token:
            answer = await tracking.list_orders(where, PageOf(2, answer.next_page_token, changed_after=0))
            assert answer.changes is not None
            assert answer.changes.until == until
            told += answer.rows
    assert [each.order_id for each in told] == [f"shop/{number}" for number in range(6)]
    assert (await changed(tenant, until))[0] == ["shop/0", "shop/4", "shop/6"]


@pytest.mark.parametrize("most", [1, 7, 1000])
async def test_a_page_looks_through_so_many_facts_and_the_next_goes_on(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch, most: int
):
    head = catch_up(tenant, TRADE.log)
    monkeypatch.setattr(changes, "MOST_FACTS", most)
    assert await changed(tenant, 0, 5) == (_last_positions(TRADE, 0), head)


async def test_a_note_is_a_change(tenant: EmptyTenant):
    scenario = a_shop(tea=10)
    scenario.place(line(1, "tea", 1))
    note = NoteAdded("shopify/1", Sealed("key-note", b"box"), "digest-of-the-note", "mia", scenario.now)
    scenario.record([(orders.stream("shopify/1"), note)])
    head = catch_up(tenant, scenario.log)
    assert await changed(tenant, head - 1) == (["shopify/1"], head)
