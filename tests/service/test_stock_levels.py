"""What the stock levels read model answers: levels, movements, what is to be delisted, and what is due."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import psycopg
import pytest
from msgspec.structs import replace

from adapters.database.postgres import open_pool
from fulfilment.v1 import (
    admin_pb2,
    common_pb2,
    orders_pb2,
    stock_levels_pb2,
    stock_pb2,
    suppliers_pb2,
)
from ledger.decisions import catalogue, stock_watch
from ledger.decisions.timers import FeedDue, ListingDue, Timer
from ledger.nouns import stock, suppliers
from ledger.nouns.orders import PaymentState
from ledger.nouns.orders.supplier_orders import LineAnswer, RejectReason
from ledger.nouns.skus import BundlePart, SkuDescribed
from ledger.nouns.stock import Alert
from ledger.nouns.suppliers import SupplierRegistered
from projections import stock_levels
from projections.machine.reads import PageOf
from tests.support.projecting import (
    asking,
    begin_again,
    catch_up,
    contents,
    verify,
)
from tests.support.scenario import (
    DAY,
    HOUR,
    NOON,
    ORDER,
    TERMS,
    Scenario,
    line,
)
from tests.support.service import (
    Client,
    Service,
    context,
    reason_of,
    stamp,
)
from tests.support.stalls import EmptyTenant
from tests.support.waiting import wait_for

TABLES = [table.name for table in stock_levels.STOCK_LEVELS.tables]


def a_busy_week() -> Scenario:
    """Feeds, orders, a cart, a return, a stale feed, an oversold one, and orders that wait."""
    scenario = Scenario()
    scenario.agree(low_stock_units=4)
    scenario.approve("acme", replace(TERMS, feed_interval_hours=48))
    scenario.approve("bolt")
    scenario.feed(10)
    scenario.place(line(1, "tea", 3), line(2, "ink", 1, "bolt"))
    scenario.reserve("cart-1", 2)
    scenario.later(hours=1)
    scenario.expire("cart-1")
    scenario.feed(4, "mug", "bolt")
    scenario.place(line(1, "tea", 5), order_id="shopify/2", payment=PaymentState.PENDING)
    scenario.place(line(1, "tea", 6), line(2, "mug", 2, "bolt"), order_id="shopify/3")
    scenario.send()
    scenario.ship({1: 3})
    scenario.restock(1)
    scenario.later(days=2)
    scenario.miss_feed()
    scenario.correct(2)
    scenario.offer("ink", supplier_id="bolt", valid_until=scenario.now)
    for parts in ((BundlePart("tea", 2),), (BundlePart("tea", 1), BundlePart("mug", 1))):
        scenario.record(catalogue.describe_sku(scenario.book, SkuDescribed("set", scenario.now, parts=parts)))
    for units in (0, 1, 0):
        scenario.feed(units, "ink", "bolt")
        scenario.notice(ListingDue("bolt", "ink", str(units), due=scenario.now))
    return scenario


# --- in a log -------------------------------------------------------------------------------------


async def levels(tenant: EmptyTenant, now: datetime = NOON + 3 * DAY, **asked: Any) -> list[stock_levels.Level]:
    async with asking(tenant) as where:
        return (await stock_levels.list_levels(where, PageOf(), now, **asked)).rows


async def due(tenant: EmptyTenant, now: datetime) -> list[Timer]:
    """All but the listings, which have tests of their own."""
    async with open_pool(tenant.conninfo) as pool, pool.connection() as connection:
        found = await stock_levels.due(connection, tenant.schema, now, 100)
    return [each for each in found if not isinstance(each, ListingDue)]


async def test_a_level_equals_what_the_folded_stream_holds(tenant: EmptyTenant):
    scenario = a_busy_week()
    catch_up(tenant, scenario.log)
    found = {(level.supplier_id, level.sku): level for level in await levels(tenant, scenario.now)}
    assert list(found) == [("acme", "tea"), ("bolt", "ink"), ("bolt", "mug")]
    for (supplier_id, sku), level in found.items():
        state = scenario.stock(sku, supplier_id)
        assert state.feed is not None
        assert (level.quantity, level.as_of) == (state.feed.quantity, state.feed.as_of)
        for name in ("held", "committed", "buffer", "stale_buffer", "available", "shortfall", "restocked", "stale_at"):
            assert getattr(level, name) == getattr(state, name), name
    tea = found["acme", "tea"]
    assert (tea.stale_since, tea.low_threshold, tea.demand) == (scenario.now, 4, 3)
    assert tea.alerts == (Alert.LOW, Alert.SOLD_OUT, Alert.STALE)
    assert tea.cover_days == 0


async def test_days_of_cover_follow_the_demand_of_the_window_that_is_agreed_now(tenant: EmptyTenant):
    scenario = Scenario()
    scenario.approve("acme")
    scenario.feed(20)
    scenario.place(line(1, "tea", 6))
    scenario.agree(since=NOON + 10 * DAY, demand_window_days=12)
    scenario.approve("bolt")
    scenario.feed(5, "ink", "bolt")
    catch_up(tenant, scenario.log)
    (tea,) = await levels(tenant, NOON, supplier_id="acme")
    assert (tea.demand, tea.cover_days) == (6, 14 * 28 / 6)
    (tea,) = await levels(tenant, NOON + 11 * DAY, skus=("tea",))
    assert (tea.demand, tea.cover_days) == (6, 14 * 12 / 6)
    (tea,) = await levels(tenant, NOON + 12 * DAY, skus=("tea",))
    assert (tea.demand, tea.cover_days) == (0, None)


async def test_levels_are_filtered_by_the_alerts_that_stand_and_paged(tenant: EmptyTenant):
    scenario = a_busy_week()
    catch_up(tenant, scenario.log)
    for alerts, expected in (
        ([Alert.SOLD_OUT], ["tea", "ink"]),
        ([Alert.OVERSOLD], []),
        ([Alert.STALE, Alert.LOW], ["tea", "ink"]),
        ([Alert.RUNNING_OUT], []),
        ([], ["tea", "ink", "mug"]),
    ):
        assert [level.sku for level in await levels(tenant, alerts=alerts)] == expected, alerts
    scenario.feed(1, version=99)
    scenario.place(line(1, "tea", 1), order_id="shopify/9")
    catch_up(tenant, scenario.log[len(a_busy_week().log) :])
    async with asking(tenant) as where:
        first = await stock_levels.list_levels(where, PageOf(1), NOON)
        second = await stock_levels.list_levels(where, PageOf(2, first.next_page_token), NOON)
    assert [level.sku for level in (*first.rows, *second.rows)] == ["tea", "ink", "mug"]
    assert second.next_page_token == ""


async def test_an_oversold_level_is_found_by_its_shortfall(tenant: EmptyTenant):
    scenario = Scenario()
    scenario.approve("acme")
    scenario.feed(5)
    scenario.place(line(1, "tea", 5))
    scenario.feed(3)
    catch_up(tenant, scenario.log)
    (level,) = await levels(tenant, alerts=[Alert.OVERSOLD])
    assert (level.shortfall, level.available) == (2, -2)


async def test_movements_add_up_to_what_is_available_and_name_their_orders(tenant: EmptyTenant):
    scenario = a_busy_week()
    catch_up(tenant, scenario.log)
    found: list[stock_levels.StockMovement] = []
    async with asking(tenant) as where:
        page = PageOf(3)
        while True:
            answer = await stock_levels.list_movements(where, page, "acme", ("tea",))
            found += answer.rows
            page = PageOf(3, answer.next_page_token)
            if not page.token:
                break
    mine = [fact for stream, fact in scenario.log if stream == "stock-acme/tea"]
    assert [movement.what for movement in reversed(found)] == [fact.fact_name() for fact in mine]
    assert sum(movement.delta for movement in found) == scenario.stock().available == found[0].available
    reserved = next(movement for movement in found if movement.order_id == ORDER and movement.what == "stock.reserved")
    assert (reserved.units, reserved.delta, reserved.at) == (3, -3, NOON)
    cart = next(movement for movement in found if movement.reservation_id == "cart-1")
    assert cart.order_id == ""


async def test_a_sku_is_delisted_while_no_approved_supplier_has_any_left(tenant: EmptyTenant):
    scenario = Scenario()
    for supplier_id, tea in (("acme", 0), ("bolt", 2)):
        scenario.approve(supplier_id)
        scenario.feed(tea, "tea", supplier_id)
    scenario.record([(suppliers.stream("nobody"), SupplierRegistered("nobody", "Nobody", NOON))])
    scenario.feed(7, "mug", "nobody")
    catch_up(tenant, scenario.log)

    async def listings(**asked: Any) -> dict[str, tuple[bool, int, int]]:
        async with asking(tenant) as where:
            rows = (await stock_levels.list_listings(where, PageOf(), NOON, **asked)).rows
        return {each.sku: (each.listed, each.available, each.suppliers) for each in rows}

    assert await listings() == {"mug": (False, 0, 0), "tea": (True, 2, 1)}
    assert await listings(listed=False) == {"mug": (False, 0, 0)}
    assert await listings(sku="tea") == {"tea": (True, 2, 1)}
    written = len(scenario.log)
    scenario.suspend("bolt")
    catch_up(tenant, scenario.log[written:])
    assert list(await listings(listed=False)) == ["mug", "tea"]
    written = len(scenario.log)
    scenario.reinstate("bolt")
    catch_up(tenant, scenario.log[written:])
    assert list(await listings(listed=True)) == ["tea"]


async def test_a_stale_feed_is_due_until_it_was_noticed(tenant: EmptyTenant):
    scenario = Scenario()
    scenario.approve("acme", replace(TERMS, feed_interval_hours=4))
    scenario.feed(10)
    catch_up(tenant, scenario.log)
    assert await due(tenant, NOON + 3 * HOUR) == []
    assert await due(tenant, NOON + 4 * HOUR) == [FeedDue("acme", "tea", due=NOON + 4 * HOUR)]
    scenario.later(hours=4)
    catch_up(tenant, [(stock.stream("acme", "tea"), fact) for fact in scenario.miss_feed()])
    assert await due(tenant, NOON + 9 * HOUR) == []


@pytest.fixture
def nobody_served_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a command that more orders wait for than it serves."""
    monkeypatch.setattr(stock_watch, "MOST_SERVED", 0)


@pytest.mark.usefixtures("nobody_served_at_once")
async def test_waiting_orders_are_due_once_their_stock_is_there_the_oldest_first(tenant: EmptyTenant):
    scenario = Scenario()
    scenario.approve("acme")
    scenario.feed(0)
    scenario.feed(0, "mug")
    for number, wanted in (("1", 4), ("2", 2)):
        scenario.place(line(1, "tea", wanted), order_id=f"shopify/{number}")
        scenario.later(minutes=1)
    scenario.place(line(1, "tea", 1), line(2, "mug", 1), order_id="shopify/both")
    catch_up(tenant, scenario.log)
    assert await due(tenant, scenario.now) == []
    for units, expected in ((1, []), (3, ["shopify/2"]), (4, ["shopify/1", "shopify/2"])):
        written = len(scenario.log)
        scenario.feed(units)
        catch_up(tenant, scenario.log[written:])
        found = await due(tenant, scenario.now)
        assert [each.names[0] for each in found] == expected
        # The same stock is one occasion, a new figure another.
        assert {each.names[1] for each in found} <= {str(len(scenario.log)), str(len(scenario.log) - 1)}
    written = len(scenario.log)
    scenario.serve("shopify/1")
    catch_up(tenant, scenario.log[written:])
    assert await due(tenant, scenario.now) == []


@pytest.mark.usefixtures("nobody_served_at_once")
async def test_units_that_a_supplier_turned_down_are_due_once_another_has_them(tenant: EmptyTenant):
    scenario = Scenario()
    for supplier_id, there in (("acme", 1), ("bolt", 0)):
        scenario.approve(supplier_id)
        scenario.offer(supplier_id=supplier_id)
        scenario.feed(there, supplier_id=supplier_id)
    scenario.place(line(1, "tea", 1, ""))
    scenario.send()
    scenario.answer({1: LineAnswer(rejected=1, because=RejectReason.OTHER)})
    catch_up(tenant, scenario.log)
    assert await due(tenant, scenario.now) == []
    written = len(scenario.log)
    scenario.feed(1, supplier_id="bolt")
    catch_up(tenant, scenario.log[written:])
    assert [each.names[0] for each in await due(tenant, scenario.now)] == [ORDER]


@pytest.mark.usefixtures("nobody_served_at_once")
async def test_backordered_units_are_due_with_the_first_unit_that_comes(tenant: EmptyTenant):
    scenario = Scenario()
    scenario.approve("acme")
    scenario.feed(2)
    scenario.place(line(1, "tea", 5))
    scenario.confirm(backorder_lacking=True)
    scenario.feed(3)
    catch_up(tenant, scenario.log)
    assert [each.names[0] for each in await due(tenant, scenario.now)] == [ORDER]


def test_rows_are_the_same_however_the_log_is_cut_and_when_they_are_rebuilt(tenant: EmptyTenant):
    catch_up(tenant, a_busy_week().log)
    whole = {name: rows for name, rows in contents(tenant).items() if name in TABLES}
    assert all(whole.values()), "every table has rows to compare"
    assert verify(tenant, "stock_levels").equal
    for page_facts in (1, 2, 7):
        begin_again(tenant)
        catch_up(tenant, page_facts=page_facts)
        assert {name: rows for name, rows in contents(tenant).items() if name in TABLES} == whole


def test_a_level_that_was_tampered_with_is_found_by_a_verification(tenant: EmptyTenant):
    catch_up(tenant, a_busy_week().log)
    with psycopg.connect(tenant.conninfo, autocommit=True) as connection:
        connection.execute(f'UPDATE "{tenant.schema}".stock_levels SET available = available + 1')
    assert not verify(tenant, "stock_levels").equal


async def test_nothing_is_due_before_there_are_tables(tenant: EmptyTenant):
    assert await due(tenant, NOON) == []


# --- over gRPC ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        yield client


def item(sku: str) -> stock_pb2.Item:
    return stock_pb2.Item(supplier_id="acme", sku=sku)


def level_of(client: Client, sku: str, at_least: int = 0) -> Any:
    request = stock_levels_pb2.ListStockLevelsRequest(supplier_id="acme", sku=sku, at_least=at_least)
    (level,) = client.reports.ListStockLevels(request).levels
    return level


def test_a_stale_feed_widens_the_buffer_by_itself_and_exactly_once(client: Client):
    client.approve(feed_interval_hours=1)
    now = datetime.now(UTC)
    almost = stamp(now - timedelta(hours=1) + timedelta(seconds=6))
    feed: dict[str, Any] = {"item": item("stale"), "quantity": 20}
    receipt = client.stock.RecordFeed(
        stock_pb2.RecordFeedRequest(context=context(), feed_version=1, as_of=almost, **feed)
    )
    assert level_of(client, "stale", receipt.position).available == 20
    wait_for(lambda: level_of(client, "stale").HasField("stale_since"))
    level = level_of(client, "stale")
    assert (level.stale_buffer, level.available) == (2, 18)
    assert list(level.alerts) == [stock_levels_pb2.STOCK_ALERT_STALE]
    time.sleep(2)
    request = stock_levels_pb2.ListStockMovementsRequest(supplier_id="acme", sku="stale")
    moved = [(each.what, each.delta) for each in client.reports.ListStockMovements(request).movements]
    assert moved == [("stock.feed_stale", -2), ("stock.feed_recorded", 20)]
    fresh = client.stock.RecordFeed(stock_pb2.RecordFeedRequest(context=context(), feed_version=2, **feed))
    assert level_of(client, "stale", fresh.position).available == 20


def test_an_order_out_of_stock_is_confirmed_in_the_call_that_brings_its_stock(client: Client):
    client.approve()
    client.feed(1, "waited")
    client.place("waits", units=3, sku="waited")
    assert client.get("shop/waits").status == orders_pb2.ORDER_STATUS_ON_HOLD
    client.feed(3, "waited", version=2)
    assert client.get("shop/waits").status == orders_pb2.ORDER_STATUS_CONFIRMED
    last = client.feed(4, "waited", version=3)
    assert level_of(client, "waited", last.position).available == 1


def test_whoever_waits_gets_what_a_cancelled_order_gives_back_in_the_same_call(client: Client):
    client.approve()
    client.feed(2, "given-back")
    client.place("has-it", units=2, sku="given-back")
    client.place("waits-for-it", units=2, sku="given-back")
    gives_up: dict[str, Any] = {"order_id": "shop/has-it", "by": common_pb2.PARTY_CUSTOMER, "reason": "changed_mind"}
    client.orders.CancelOrder(orders_pb2.CancelOrderRequest(context=context(), **gives_up))
    assert client.get("shop/waits-for-it").status == orders_pb2.ORDER_STATUS_CONFIRMED


def test_a_feed_for_more_orders_than_one_command_serves_serves_them_all_by_age_and_nobody_newer(client: Client):
    client.approve()
    client.feed(0, "crowd")
    waiting = [f"crowd-{n}" for n in range(stock_watch.MOST_SERVED + 10)]
    for number in waiting:
        client.place(number, sku="crowd")
    client.feed(len(waiting), "crowd", version=2)
    client.place("crowd-newer", sku="crowd")
    assert client.get("shop/crowd-newer").status == orders_pb2.ORDER_STATUS_ON_HOLD
    wait_for(lambda: all(client.get(f"shop/{n}").status == orders_pb2.ORDER_STATUS_CONFIRMED for n in waiting))


def test_who_waits_is_served_before_whoever_orders_while_the_feed_comes(client: Client):
    client.approve()
    client.feed(0, "queued")
    waiting = [f"queued-{n}" for n in range(5)]
    for number in waiting:
        client.place(number, sku="queued")
    client.feed(5, "queued", version=2)
    newer: list[str] = []
    while not all(client.get(f"shop/{n}").status == orders_pb2.ORDER_STATUS_CONFIRMED for n in waiting):
        newer.append(f"newer-{len(newer)}")
        client.place(newer[-1], sku="queued")
        assert len(newer) < 600, "nobody serves those who wait"
        time.sleep(0.05)
    assert all(client.get(f"shop/{n}").status == orders_pb2.ORDER_STATUS_ON_HOLD for n in newer)


def test_an_order_without_a_supplier_is_served_by_itself_by_a_feed_or_by_a_supplier_that_is_reinstated(client: Client):
    for supplier_id in ("acme", "cora"):
        client.approve(supplier_id)
        client.feed(0, "sought", supplier_id)
        offer = suppliers_pb2.Offer(sku="sought", cost=common_pb2.Money(amount_minor=5, currency="EUR"))
        client.suppliers.OfferSku(
            suppliers_pb2.OfferSkuRequest(context=context(), supplier_id=supplier_id, offer=offer)
        )
    unnamed = [orders_pb2.OrderLine(sku="sought", quantity=2, unit_price_minor=990)]
    client.place("sought-1", lines=unnamed)
    assert [each.reason for each in client.get("shop/sought-1").holds] == [orders_pb2.HOLD_REASON_OUT_OF_STOCK]
    client.feed(2, "sought", version=2)
    wait_for(lambda: client.get("shop/sought-1").status == orders_pb2.ORDER_STATUS_CONFIRMED)
    client.suppliers.SuspendSupplier(
        suppliers_pb2.SuspendSupplierRequest(context=context(), supplier_id="cora", reason="late")
    )
    client.feed(9, "sought", "cora", version=2)
    client.place("sought-2", lines=unnamed)
    time.sleep(2)  # the clock has looked at it
    assert client.get("shop/sought-2").status == orders_pb2.ORDER_STATUS_ON_HOLD
    client.suppliers.ReinstateSupplier(suppliers_pb2.ReinstateSupplierRequest(context=context(), supplier_id="cora"))
    wait_for(lambda: client.get("shop/sought-2").status == orders_pb2.ORDER_STATUS_CONFIRMED)


def test_an_order_before_the_first_feed_is_reserved_by_itself_when_the_feed_comes(client: Client):
    client.approve()
    client.place("early", units=2, sku="early")
    fed = client.feed(5, "early")
    wait_for(lambda: level_of(client, "early", fed.position).committed == 2)
    assert not client.get("shop/early").lines[0].untracked


def test_thresholds_alerts_and_listings_over_the_wire(client: Client):
    client.approve()
    client.admin.AgreePolicy(
        admin_pb2.AgreePolicyRequest(context=context(), policy=admin_pb2.Policy(low_stock_units=3))
    )
    client.feed(5, "thin")
    low = client.stock.SetLowStockThreshold(
        stock_pb2.SetLowStockThresholdRequest(context=context(), item=item("thin"), units=6)
    )
    level = level_of(client, "thin", low.position)
    assert (list(level.alerts), level.low_threshold) == ([stock_levels_pb2.STOCK_ALERT_LOW], 6)
    again = client.stock.SetLowStockThreshold(
        stock_pb2.SetLowStockThresholdRequest(context=context(), item=item("thin"))
    )
    level = level_of(client, "thin", again.position)
    assert (list(level.alerts), level.low_threshold) == ([], 3)
    gone = client.stock.SetBuffer(stock_pb2.SetBufferRequest(context=context(), item=item("thin"), units=5))
    request = stock_levels_pb2.ListStockLevelsRequest(
        alerts=[stock_levels_pb2.STOCK_ALERT_SOLD_OUT], sku="thin", at_least=gone.position
    )
    assert [each.sku for each in client.reports.ListStockLevels(request).levels] == ["thin"]
    delisted = stock_levels_pb2.ListListingsRequest(
        filter=stock_levels_pb2.LISTING_FILTER_DELISTED, at_least=gone.position
    )
    assert "thin" in [each.sku for each in client.reports.ListListings(delisted).listings]
    (shown,) = client.stock.GetStock(stock_pb2.GetStockRequest(items=[item("thin")])).levels
    assert (shown.available, shown.shortfall) == (0, 0)


@pytest.mark.parametrize(
    ("rpc", "asked"),
    [
        ("ListStockLevels", {"alerts": [99]}),
        ("ListStockLevels", {"supplier_id": "no/slash"}),
        ("ListStockMovements", {"sku": "tea"}),
        ("ListStockMovements", {"supplier_id": "acme"}),
        ("ListListings", {"filter": 99}),
        ("ListListings", {"page": common_pb2.PageRequest(page_token="wrong")}),
    ],
    ids=["an alert", "a supplier", "no supplier", "no SKU", "a filter", "a token"],
)
def test_a_malformed_question_is_refused(client: Client, rpc: str, asked: dict[str, Any]):
    with pytest.raises(grpc.RpcError) as caught:
        getattr(client.reports, rpc)(getattr(stock_levels_pb2, f"{rpc}Request")(**asked))
    assert reason_of(caught.value) == "MALFORMED"


def test_a_share_of_more_than_all_is_refused(client: Client):
    policy = admin_pb2.Policy(stale_buffer_basis_points=10_001)
    with pytest.raises(grpc.RpcError) as caught:
        client.admin.AgreePolicy(admin_pb2.AgreePolicyRequest(context=context(), policy=policy))
    assert reason_of(caught.value) == "MALFORMED"
