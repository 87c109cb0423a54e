"""What a shop is told over real sockets, once, in its order, whatever goes wrong."""

import tempfile
from contextlib import contextmanager
from datetime import timedelta

import httpx2
import pytest

from adapters.edges.telling import Teller
from adapters.shops.woocommerce.system import WooCommerce
from fulfilment.v1 import edges_pb2, orders_pb2, work_pb2
from ledger.nouns import effects
from ledger.refusals import ProjectionBehind
from projections import stock_levels
from tests.support.aggregator import aggregator
from tests.support.edge import edging
from tests.support.hosting import hosted
from tests.support.service import context, order, patiently
from tests.support.terminal import Console
from tests.support.tracker_formats import SECRETS as TRACKERS
from tests.support.trading import Trade
from tests.support.waiting import wait_for
from tests.support.woo_shop import SECRET, Fault, woo_shop

WAITING, FAILED, TOLD, DROPPED = (
    edges_pb2.EFFECT_STATE_WAITING,
    edges_pb2.EFFECT_STATE_FAILED,
    edges_pb2.EFFECT_STATE_TOLD,
    edges_pb2.EFFECT_STATE_DROPPED,
)


@pytest.fixture(scope="module")
def quick():
    """Pauses and limits of real shops would take long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WooCommerce, "calls_per_second", 500.0)
        patch.setattr(effects, "_PAUSES", (timedelta(seconds=0.3),))
        patch.setattr(effects, "STOCK_PAUSE", timedelta(seconds=0.3))
        yield


@pytest.fixture(scope="module")
def service(embedded, quick):
    """One that also calls shops on this machine."""
    with hosted(embedded, "--web-private") as service:
        yield service


@contextmanager
def connected(client, edge, name, **settings):
    """A shop that is connected under a name, and whose REST API may be written."""
    with woo_shop(edge, name) as shop:
        client.edges.AddConnection(
            edges_pb2.AddConnectionRequest(
                context=context(),
                name=name,
                system="woocommerce",
                settings={"shop": shop.url, **settings},
                secrets={"webhook": SECRET, "key": "ck_1", "secret": "cs_1"},
            )
        )
        yield shop


@pytest.fixture(scope="module")
def shop(edge, client):
    with connected(client, edge, "main") as shop:
        yield shop


@pytest.fixture(scope="module")
def trade(client):
    return Trade(client)


def sold(trade, shop, number, units=2, sku="tea", channel="main"):
    """An order that its supplier was given, and that the shop knows."""
    shop.change(number)
    lines = [
        orders_pb2.OrderLine(
            sku=sku, quantity=units, unit_price_minor=990, supplier_id="acme", channel_line_id=f"{number}1"
        )
    ]
    trade.client.orders.PlaceOrder(order(str(number), channel=channel, lines=lines))
    trade.send("SendSupplierOrder", supplier_order_id=f"{channel}/{number}/1")


def ship(trade, number, tracking_number, units=0, channel="main"):
    lines = [{"line_no": 1, "units": units}] if units else []
    trade.send(
        "ShipSupplierOrder",
        supplier_order_id=f"{channel}/{number}/1",
        carrier="dhl",
        tracking_number=tracking_number,
        lines=lines,
    )


def listed(client, **wanted):
    return client.edges.ListEffects(edges_pb2.ListEffectsRequest(**wanted)).effects


def effect_of(client, object_id, state, connection="main"):
    """The effect about something, once it is in a state."""

    def found():
        rows = listed(client, connection=connection, object_id=object_id)
        return next((each for each in rows if each.state == state), None)

    return wait_for(found)


def test_a_shop_learns_numbers_their_corrections_and_what_did_not_leave(shop, client, trade):
    sold(trade, shop, 1001)
    ship(trade, 1001, "A1", units=1)
    wait_for(lambda: shop.numbers(1001) == ["A1"])
    (tracking,) = shop.trackings[1001]
    assert tracking["custom_tracking_provider"] == "DHL Express"
    assert "A1" in tracking["custom_tracking_link"]
    assert shop.orders[1001]["status"] == "processing"
    ship(trade, 1001, "A2")
    wait_for(lambda: shop.orders[1001]["status"] == "completed")
    assert shop.numbers(1001) == ["A1", "A2"]
    wait_for(lambda: len(effect_of(client, "main/1001", TOLD).told) == 2)
    effect_id = effect_of(client, "main/1001", TOLD).effect_id
    both = edges_pb2.GetEffectRequest(effect_id=effect_id)
    both.as_of.position = client.edges.GetEffect(edges_pb2.GetEffectRequest(effect_id=effect_id)).position
    trade.send(
        "CorrectTracking",
        supplier_order_id="main/1001/1",
        carrier="dhl",
        tracking_number="A2",
        right_carrier="dhl",
        right_tracking_number="A9",
        reason="typo",
    )
    wait_for(lambda: shop.numbers(1001) == ["A1", "A9"])
    trade.send("VoidParcel", carrier="dhl", tracking_number="A9", reason="not_handed_over")
    wait_for(lambda: shop.numbers(1001) == ["A1"])
    assert wait_for(lambda: shop.orders[1001]["status"] == "processing")
    told = ["parcel 1: dhl A1, 1 of tea", "parcel 2: dhl A9, 1 of tea did not leave"]
    wait_for(lambda: list(effect_of(client, "main/1001", TOLD).told) == told)  # it was told before that was recorded
    then = patiently(client.edges.GetEffect, both).effect
    assert list(then.told) == ["parcel 1: dhl A1, 1 of tea", "parcel 2: dhl A2, 1 of tea"]


def test_a_shop_without_a_place_for_numbers_gets_a_note(client, edge, trade):
    with connected(client, edge, "plain") as shop:
        shop.tracks = False
        sold(trade, shop, 1002, channel="plain")
        ship(trade, 1002, "B1", channel="plain")
        wait_for(lambda: shop.orders[1002]["status"] == "completed")
        (note,) = shop.notes[1002]
        assert note["note"].startswith("Parcel 1: DHL Express B1 (2 x tea). https://")
        assert not note["customer_note"]


def test_a_cancelled_order_is_cancelled_in_the_shop(shop, trade):
    sold(trade, shop, 1003)
    trade.send("CancelOrder", order_id="main/1003", reason="out_of_stock")
    trade.send("AnswerCancelRequest", supplier_order_id="main/1003/1", agreed=True)
    wait_for(lambda: shop.orders[1003]["status"] == "cancelled")


def test_what_the_shop_told_itself_is_not_told_back(shop, client):
    bought = shop.change(1005, date_modified_gmt="2026-01-05T09:00:00")
    shop.send(bought, "order.created")
    shop.send(shop.change(1005, status="cancelled", date_modified_gmt="2026-01-05T09:30:00"))
    known = effect_of(client, "main/1005", TOLD)
    assert list(known.told) == ["cancelled"]
    assert not [path for method, path, _ in shop.told if "/1005" in path]


def test_stock_is_told_as_it_is_and_a_product_that_there_is_not_is_no_failure(shop, client, trade):
    shop.products = {7: {"id": 7, "sku": "cup", "stock_quantity": None, "parent_id": 0}}
    shop.products[8] = {"id": 8, "sku": "can", "stock_quantity": None, "parent_id": 7}
    for number, sku in ((1010, "cup"), (1011, "can"), (1012, "hat")):
        sold(trade, shop, number, units=1, sku=sku)
    for version, sku in enumerate(("cup", "can", "hat", "never sold here"), 1):
        client.feed(40, sku=sku, version=version)
    wait_for(lambda: (shop.products[7]["stock_quantity"], shop.products[8]["stock_quantity"]) == (39, 39))
    assert ("PUT", "/wc/v3/products/7/variations/8") in [(method, path) for method, path, _ in shop.told]
    assert effect_of(client, "hat", TOLD).note == "the shop has no product of this SKU"
    assert not listed(client, object_id="never sold here")
    calls = len(shop.told)
    for version in range(11, 31):
        client.feed(50 + version, sku="cup", version=version)
    wait_for(lambda: shop.products[7]["stock_quantity"] == 79)
    assert len(shop.told) - calls < 20, "only the newest counts"
    client.feed(0, sku="cup", version=40)
    wait_for(lambda: shop.products[7]["stock_quantity"] == 0)


def test_a_bundle_is_told_as_often_as_its_scarcest_part_makes_it(client, edge, trade, service):
    console = Console(service.address)
    console("sku", "describe", "set", "--part", "pot:1", "--part", "lid:2")
    console("sku", "describe", "twin set", "--part", "set:2", "--part", "lid:1")
    with connected(client, edge, "bundles", skus="set,twin set,pot") as shop:
        products = {
            sku: {"id": number, "sku": sku, "parent_id": 0} for number, sku in enumerate(("set", "twin set"), 1)
        }
        shop.products = {each["id"]: each for each in products.values()}

        def levels():
            return [each.get("stock_quantity") for each in products.values()]

        client.feed(50, sku="pot")
        client.feed(9, sku="lid")
        wait_for(lambda: levels() == [4, 1])
        client.feed(3, sku="pot", version=2)
        wait_for(lambda: levels() == [3, 1])
        client.feed(0, sku="lid", version=2)
        wait_for(lambda: levels() == [0, 0])
        console("sku", "describe", "set", "--part", "pot:1")
        wait_for(lambda: levels() == [3, 0])


def test_outages_limits_and_lost_answers_are_overcome_without_telling_twice(shop, client, trade):
    for number in range(1020, 1024):
        sold(trade, shop, number)
    shop.faults = [
        Fault(500, "GET", "/1020/shipment-trackings", times=2),
        Fault(429, "POST", "/1021/shipment-trackings", headers={"retry-after": "1"}),
        Fault(0, "POST", "/1022/shipment-trackings", after=True),
        Fault(0, "PUT", "/orders/1023", after=True),
    ]
    for number in range(1020, 1024):
        ship(trade, number, f"C{number}")
    for number in range(1020, 1024):
        wait_for(lambda: shop.orders[number]["status"] == "completed")  # noqa: B023
        assert shop.numbers(number) == [f"C{number}"]
        assert effect_of(client, f"main/{number}", TOLD).attempts == 0
    assert not shop.faults


def test_what_the_shop_refuses_is_work_until_it_is_replayed_or_dropped(shop, client, trade, service):
    for number in (1030, 1031):
        sold(trade, shop, number)
        del shop.orders[number]
        ship(trade, number, f"D{number}")
    failed = [effect_of(client, f"main/{number}", FAILED) for number in (1030, 1031)]
    assert failed[0].reason == "the shop does not have it (404 woocommerce_rest_order_invalid_id)"
    kinds = work_pb2.ListWorkRequest(kinds=[work_pb2.WORK_KIND_EFFECT])
    wait_for(lambda: len(client.work.ListWork(kinds).work) == 2)
    console = Console(service.address)
    assert failed[0].effect_id in console("effect", "list", "--state", "failed").out
    assert "does not have it" in console("effect", "show", failed[0].effect_id).out
    assert "2 failed" in console("connection", "show", "main").out
    shop.change(1030)
    assert console("effect", "replay", failed[0].effect_id).code == 0
    wait_for(lambda: shop.numbers(1030) == ["D1030"])
    assert console("effect", "drop", failed[1].effect_id).code == 0
    effect_of(client, "main/1031", DROPPED)
    wait_for(lambda: not client.work.ListWork(kinds).work)


def test_a_process_that_is_lost_after_it_told_tells_nothing_twice(shop, client, trade, monkeypatch):
    told = Teller._told
    lost: list[object] = []

    async def dies(self, tenant, due, *more, **named):
        if not lost:
            lost.append(due)
            raise RuntimeError("killed")
        await told(self, tenant, due, *more, **named)

    monkeypatch.setattr(Teller, "_told", dies)
    sold(trade, shop, 1040)
    ship(trade, 1040, "E1")
    wait_for(lambda: lost)
    sold(trade, shop, 1041)  # is heard, so that nobody waits for the lease
    effect_of(client, "main/1040", TOLD)
    assert shop.numbers(1040) == ["E1"]


def test_a_paused_connection_is_told_later_and_a_removed_one_nothing(client, edge, trade, service):
    console = Console(service.address)
    with connected(client, edge, "resting") as shop:
        console("connection", "pause", "resting")
        sold(trade, shop, 1080, channel="resting")
        ship(trade, 1080, "G1", channel="resting")
        effect_of(client, "resting/1080", WAITING, "resting")
        assert not shop.told
        console("connection", "resume", "resting")
        wait_for(lambda: shop.numbers(1080) == ["G1"])
        console("connection", "pause", "resting")
        sold(trade, shop, 1081, channel="resting")
        ship(trade, 1081, "G2", channel="resting")
        effect_of(client, "resting/1081", WAITING, "resting")
        console("connection", "remove", "resting", "--yes")
        effect_of(client, "resting/1081", DROPPED, "resting")
        assert not shop.numbers(1081)


def test_a_new_connection_is_told_what_happens_from_then_on_and_all_stock_if_that_is_wanted(
    client, edge, trade, service
):
    late = orders_pb2.OrderLine(sku="late tea", quantity=1, unit_price_minor=990, supplier_id="acme")
    more = orders_pb2.OrderLine(sku="late tea", quantity=1, unit_price_minor=990, supplier_id="acme")
    client.orders.PlaceOrder(order("1090", channel="late", lines=[late, more]))
    trade.send("SendSupplierOrder", supplier_order_id="late/1090/1")
    ship(trade, 1090, "H1", units=1, channel="late")
    client.feed(30, sku="late tea")
    with connected(client, edge, "late") as shop:
        shop.change(1090)
        shop.products = {9: {"id": 9, "sku": "late tea", "stock_quantity": 1, "parent_id": 0}}
        trade.send(
            "ShipSupplierOrder",
            supplier_order_id="late/1090/1",
            carrier="dhl",
            tracking_number="H2",
            lines=[{"line_no": 2, "units": 1}],
        )
        wait_for(lambda: shop.numbers(1090) == ["H2"])
        assert shop.products[9]["stock_quantity"] in (1, 30)
        assert Console(service.address)("connection", "tell-stock", "late").code == 0
        wait_for(lambda: shop.products[9]["stock_quantity"] == 30)
        console = Console(service.address)
        for _ in range(2):
            before = effect_of(client, "late/1090", TOLD, "late").told_at.ToDatetime()
            assert console("connection", "tell", "late", "--from", "2026-01-01").code == 0
            wait_for(lambda: effect_of(client, "late/1090", TOLD, "late").told_at.ToDatetime() > before)  # noqa: B023
            assert sorted(shop.numbers(1090)) == ["H1", "H2"]
        assert len([path for method, path, _ in shop.told if method == "POST" and "trackings" in path]) == 2


def follows(client, played, system, name):
    client.edges.AddConnection(
        edges_pb2.AddConnectionRequest(
            context=context(),
            name=name,
            system=system,
            settings={"carriers": "sf-express", **played.settings(system)},
            secrets=TRACKERS[system],
        )
    )


def test_each_new_number_is_followed_by_the_first_connection_that_covers_its_carrier(client, edge, trade, service):
    with aggregator() as played:
        trade.send("RegisterParcel", carrier="sf-express", tracking_number="SF1234567890001")
        for name, system in (("first", "kuaidi100"), ("second", "aftership")):
            follows(client, played, system, name)
        client.orders.PlaceOrder(order("1100", channel="by-phone"))
        trade.send("SendSupplierOrder", supplier_order_id="by-phone/1100/1")
        sf = {"supplier_order_id": "by-phone/1100/1", "carrier": "sf-express", "tracking_number": "SF1234567890002"}
        trade.send("ShipSupplierOrder", **sf)
        effect_of(client, "sf-express/SF1234567890002", TOLD, "first")
        assert played.registered == [("kuaidi100", "SF1234567890002")], "once, there alone, and no number of before"
        assert played.phones == {"SF1234567890002": "4567"}
        played.refused.add("SF1234567890003")
        Console(service.address)("connection", "pause", "first")
        trade.send("RegisterParcel", carrier="sf-express", tracking_number="SF1234567890003")
        effect_of(client, "sf-express/SF1234567890003", FAILED, "second")
        for name in ("first", "second"):
            Console(service.address)("connection", "remove", name, "--yes")


def test_orders_are_told_while_the_read_model_of_stock_is_behind(shop, client, trade, monkeypatch):
    figures = stock_levels.figures

    async def behind(*_):
        raise ProjectionBehind("stock_levels", 2, 1)

    monkeypatch.setattr(stock_levels, "figures", behind)
    shop.products[12] = {"id": 12, "sku": "slow", "stock_quantity": None, "parent_id": 0}
    sold(trade, shop, 1110, sku="slow")
    client.feed(9, sku="slow")
    ship(trade, 1110, "J1")
    wait_for(lambda: shop.numbers(1110) == ["J1"])
    assert shop.products[12]["stock_quantity"] is None
    monkeypatch.setattr(stock_levels, "figures", figures)
    client.feed(8, sku="slow", version=2)  # is heard
    wait_for(lambda: shop.products[12]["stock_quantity"] is not None)


def test_figures_say_what_waits_and_for_how_long(shop, edge):
    figures = httpx2.get(f"{edge}/metrics").text
    assert 'fulfilment_edge_effects{state="waiting"}' in figures
    assert "fulfilment_edge_effects_lag_seconds" in figures


def test_settings_that_name_what_cannot_be_told_are_refused(client, edge, service):
    console = Console(service.address)
    with woo_shop(edge, "wrong") as shop, tempfile.NamedTemporaryFile("w", suffix=".secret") as file:
        file.write("hook\n")
        file.flush()
        add = ("connection", "add", "woocommerce", "--name", "wrong", "--shop", shop.url, "--secret-file", file.name)
        answer = console(*add, "--set", "told=parcels")
    assert answer.code != 0
    assert "settings[told]" in answer.out + answer.err


def test_several_processes_tell_each_thing_once_and_within_limits(shop, client, trade, service):
    with edging(service):
        numbers = range(1050, 1070)
        for number in numbers:
            sold(trade, shop, number, units=1)
        for number in numbers:
            ship(trade, number, f"F{number}")
        for number in numbers:
            wait_for(lambda: shop.orders[number]["status"] == "completed")  # noqa: B023
    posted = [path for method, path, _ in shop.told if method == "POST" and path.endswith("/shipment-trackings")]
    assert all(posted.count(f"/wc-shipment-tracking/v3/orders/{number}/shipment-trackings") == 1 for number in numbers)
