"""A played shop of Shopify over real sockets: what it sells, changes and sends becomes facts, once."""

from datetime import timedelta
from typing import Any

import httpx2
import psycopg
import pytest

from adapters.edges import forgetting
from adapters.shops.shopify.system import Shopify
from fulfilment.v1 import common_pb2, edges_pb2, orders_pb2, parcels_pb2, supplier_orders_pb2, work_pb2
from ledger.nouns import effects
from tests.support.hosting import hosted
from tests.support.service import context, offer
from tests.support.shopify_orders import fulfilment, money, place, refund
from tests.support.shopify_shop import APP_SECRET, CLIENT_ID, LOCATION, shopify_shop
from tests.support.terminal import Console
from tests.support.waiting import wait_for

DONE, IGNORED, FAILED = (
    edges_pb2.RECEPTION_STATE_DONE,
    edges_pb2.RECEPTION_STATE_IGNORED,
    edges_pb2.RECEPTION_STATE_FAILED,
)


@pytest.fixture(scope="module")
def quick():
    """Pauses and limits of real shops would take long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Shopify, "calls_per_second", 500.0)
        patch.setattr(effects, "_PAUSES", (timedelta(seconds=0.3),))
        patch.setattr(forgetting, "_AGAIN", timedelta(seconds=0.3))
        patch.setattr(effects, "STOCK_PAUSE", timedelta(seconds=0.3))
        yield


@pytest.fixture(scope="module")
def service(embedded, quick):
    """One that also calls shops on this machine."""
    with hosted(embedded, "--web-private") as service:
        yield service


@pytest.fixture(scope="module")
def console(service):
    return Console(service.address)


@pytest.fixture(scope="module")
def shop(edge, client, console, tmp_path_factory):
    """A shop that is connected as the README says, and tells each change by a webhook."""
    offer(client, "acme", "cup", 300)
    file = tmp_path_factory.mktemp("shopify") / "main.secret"
    file.write_text(f"secret={APP_SECRET}\nclient_id={CLIENT_ID}\n")
    with shopify_shop(edge, "main") as shop:
        path = f"deliver_to={edge}/in/default/main"
        wanted = ["--name", "main", "--shop", shop.url, "--set", f"location={LOCATION}", "--set", path]
        added = console("connection", "add", "shopify", *wanted, "--secret-file", str(file))
        assert (added.code, "/in/default/main" in added.out) == (0, True)
        shop.tells = True
        yield shop


def rows(client, object_id, *states, by="main"):
    """What is in the inbox about an object, the oldest first, once nothing of it waits."""

    def found():
        every = client.edges.ListReceptions(edges_pb2.ListReceptionsRequest(connection=by)).receptions
        rows = [each for each in every if each.object_id == str(object_id)]
        waits = any(each.state == edges_pb2.RECEPTION_STATE_WAITING for each in rows)
        return rows[::-1] if len(rows) >= len(states) and not waits else None

    rows = wait_for(found)
    assert tuple(each.state for each in rows) == states, [each.reason for each in rows]
    return rows


def order(client, order_id, channel="main"):
    return client.orders.GetOrder(
        orders_pb2.GetOrderRequest(order_id=f"{channel}/{order_id}", with_personal_data=True)
    ).order


def keys_of(service, name):
    """How many keys a connection had, and how many of them still open something."""
    query = "SELECT count(*), count(wrapped) FROM tenant_default.ledger_keys WHERE subject = %s"
    with psycopg.connect(service.dsn) as connection:
        return connection.execute(query, [f"connection-{name}"]).fetchone()


def receptions(client):
    kinds = work_pb2.ListWorkRequest(kinds=[work_pb2.WORK_KIND_RECEPTION])
    return client.work.ListWork(kinds).work


def test_the_test_of_a_connection_makes_the_webhooks_and_says_what_works(shop, console):
    shop.tells = False
    found = console("connection", "test", "main")
    assert (found.code, "a webhook for orders/create, made now" in found.out) == (0, True)
    assert set(shop.webhooks.values()) == {f"{shop.edge}/in/default/main"}
    shop.tells = True


def test_an_order_is_placed_edited_readdressed_paid_back_and_cancelled(shop, client):
    shop.sell(1)
    rows(client, 1, DONE)
    placed = order(client, 1)
    assert (placed.customer.name, placed.status) == ("Ann Example", orders_pb2.ORDER_STATUS_CONFIRMED)
    assert (placed.money.total_minor, placed.money.came_in_minor) == (2470, 2470)
    assert [(each.line.sku, each.line.channel_line_id, each.wanted) for each in placed.lines] == [("cup", "11", 2)]
    cup = shop.orders[1]["line_items"][0]
    back: dict[str, Any] = {
        "line_items": [{**cup, "current_quantity": 1}],
        "refunds": [refund(3, 1, "9.90", [(11, 1, "cancel")])],
        "financial_status": "partially_refunded",
        "current_total_price": "14.80",
        "current_total_price_set": money("14.80"),
    }
    shop.change(1, at="2026-01-05T10:10:00+01:00", **back)
    shop.send("refunds/create", back["refunds"][0])
    shop.change(1, at="2026-01-05T10:20:00+01:00", shipping_address=place(city="Bonn", zip="53111"))
    rows(client, 1, DONE, DONE, IGNORED, DONE)
    known = order(client, 1)
    assert (known.lines[0].wanted, known.money.went_back_minor, known.ship_to.city) == (1, 990, "Bonn")
    shop.change(1, at="2026-01-05T10:30:00+01:00", cancelled_at="2026-01-05T10:30:00+01:00", cancel_reason="customer")
    rows(client, 1, DONE, DONE, IGNORED, DONE, DONE)
    assert order(client, 1).status == orders_pb2.ORDER_STATUS_CANCELLED


def test_an_older_state_and_the_same_state_change_nothing(shop, client):
    shop.sell(2)
    newer = shop.change(2, at="2026-01-05T10:10:00+01:00", note="Ring twice")
    rows(client, 2, DONE, IGNORED)
    assert shop.send("orders/paid", newer).status_code == 200
    shop.send("orders/updated", {**newer, "updated_at": "2026-01-05T10:05:00+01:00"})
    *_, late = rows(client, 2, DONE, IGNORED, IGNORED)
    assert late.reason


def test_a_parcel_that_others_sent_leaves_its_supplier_once(shop, client):
    shop.sell(3)
    rows(client, 3, DONE)
    body = fulfilment(31, 3, [(31, 2)], "1Z12345E0205271688")
    shop.send("fulfillments/create", body)
    shop.change(3, at="2026-01-06T10:00:00+01:00", fulfillments=[body], fulfillment_status="fulfilled")
    rows(client, 3, DONE, DONE, IGNORED)
    (shipment,) = order(client, 3).shipments
    assert (shipment.carrier, shipment.tracking_number) == ("ups", "1Z12345E0205271688")
    assert [(each.line_no, each.units) for each in shipment.lines] == [(1, 2)]


def test_what_cannot_be_placed_is_held_and_is_a_persons_work(shop, client, console):
    shop.sell(4)
    rows(client, 4, DONE)
    shop.send("fulfillments/create", fulfilment(41, 4, [(41, 2)], None))
    (_, failed) = rows(client, 4, DONE, FAILED)
    assert "without a tracking number" in failed.reason
    assert [(each.owner, each.reason) for each in order(client, 4).holds] == [("shopify", orders_pb2.HOLD_REASON_OTHER)]
    wait_for(lambda: any("without a tracking number" in each.reason for each in receptions(client)))
    assert console("inbox", "drop", failed.reception_id).code == 0
    wait_for(lambda: not receptions(client))


def test_a_hold_in_the_shop_is_asked_for_once_it_is_hinted_at(shop, client):
    shop.sell(5)
    rows(client, 5, DONE)
    shop.held.add(5)
    hint = {"fulfillment_order": {"id": "gid://shopify/FulfillmentOrder/51", "status": "on_hold"}}
    shop.send("fulfillment_orders/placed_on_hold", hint)
    rows(client, 5, DONE, DONE)
    assert [each.reason for each in order(client, 5).holds] == [orders_pb2.HOLD_REASON_BAD_ADDRESS]
    shop.held.clear()


def test_a_person_is_erased_when_the_shop_asks_for_it_and_what_is_kept_is_work(shop, client):
    shop.sell(6, email="eve@example.org", shipping_address=place(phone=None), billing_address=None, customer=None)
    shop.sell(7, email="eve@example.org", shipping_address=place(phone=None), billing_address=None, customer=None)
    shop.change(6, at="2026-01-05T10:30:00+01:00", cancelled_at="2026-01-05T10:30:00+01:00")
    rows(client, 6, DONE, DONE)
    rows(client, 7, DONE)
    request = {"shop_id": 1, "customer": {"email": "eve@example.org"}, "orders_to_redact": [6, 99]}
    assert shop.send("customers/redact", request).status_code == 200
    (row,) = rows(client, "customers/redact", FAILED)
    assert "main/7" in row.reason
    assert not order(client, 6).customer.name
    assert order(client, 7).customer.name


def test_a_person_who_wants_to_know_is_work_that_is_due_in_thirty_days(shop, client):
    request = {"shop_id": 1, "customer": {"email": "eve@example.org"}, "orders_requested": [7]}
    shop.send("customers/data_request", request)
    (row,) = rows(client, "customers/data_request", FAILED)

    def task():
        return next((each for each in receptions(client) if row.reception_id in each.task_id), None)

    found = wait_for(task)
    assert (found.due.ToDatetime() - row.happened_at.ToDatetime()).days == 30
    assert "eve" not in found.reason


def test_a_shop_is_asked_for_what_it_did_not_tell_and_found_the_same_is_nothing_new(
    edge, client, console, tmp_path, service
):
    file = tmp_path / "secrets"
    file.write_text(f"secret={APP_SECRET}\nclient_id={CLIENT_ID}\n")
    with shopify_shop(edge, "asked") as lost:
        for number in range(101, 136):
            lost.sell(number)
            lost.change(number, at=f"2026-11-27T10:{number - 100:02}:00+01:00")
        lost.answers = [429]
        console("connection", "add", "shopify", "--name", "asked", "--shop", lost.url, "--secret-file", str(file))

        def standing():
            found = client.edges.ListConnections(edges_pb2.ListConnectionsRequest()).connections
            return next(each for each in found if each.name == "asked")

        wait_for(lambda: standing().HasField("asked_at") and standing().found_by_asking == 35)
        wait_for(lambda: not standing().waiting)
        found = client.orders.GetOrder(orders_pb2.GetOrderRequest(order_id="asked/135")).order
        assert found.money.total_minor == 2470
        assert lost.send("orders/updated", lost.orders[120]).status_code == 200
        assert standing().waiting == 0
        assert lost.called.count("ChangedOrders") == 4
    assert keys_of(service, "asked")[1] > 0
    assert console("connection", "remove", "asked", "--yes").code == 0
    assert keys_of(service, "asked")[1] == 0


def sent(client, order_id, number):
    """Its supplier sends all of it, as the ledger is told."""
    supplier_order = f"main/{order_id}/1"
    client.orders.SendSupplierOrder(
        supplier_orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id=supplier_order)
    )
    client.orders.ShipSupplierOrder(
        supplier_orders_pb2.ShipSupplierOrderRequest(
            context=context(), supplier_order_id=supplier_order, carrier="ups", tracking_number=number
        )
    )


def test_the_shop_is_told_of_parcels_and_what_it_tells_of_them_is_no_news(shop, client):
    shop.sell(8)
    rows(client, 8, DONE)
    sent(client, 8, "1Z12345E0205271601")

    def fulfilments():
        return [(each["status"], each["tracking_number"]) for each in shop.orders[8]["fulfillments"]]

    wait_for(lambda: fulfilments() == [("success", "1Z12345E0205271601")])
    assert shop.orders[8]["fulfillment_status"] == "fulfilled"
    client.parcels.CorrectTracking(
        parcels_pb2.CorrectTrackingRequest(
            context=context(),
            carrier="ups",
            tracking_number="1Z12345E0205271601",
            right_carrier="dhl",
            right_tracking_number="JD014600006281230704",
        )
    )
    old = parcels_pb2.GetParcelRequest(carrier="ups", tracking_number="1Z12345E0205271601")
    assert client.parcels.GetParcel(old).parcel.status == parcels_pb2.PARCEL_STATUS_VOID  # by which late news is known
    wait_for(lambda: fulfilments() == [("success", "JD014600006281230704")])
    assert shop.orders[8]["fulfillments"][0]["tracking_company"] == "DHL Express"
    client.parcels.VoidParcel(
        parcels_pb2.VoidParcelRequest(
            context=context(), carrier="dhl", tracking_number="JD014600006281230704", reason="label_not_used"
        )
    )
    wait_for(lambda: fulfilments() == [("cancelled", "JD014600006281230704")])
    rows(client, 8, DONE, IGNORED, IGNORED, IGNORED)
    assert not order(client, 8).shipments
    assert not [each for each in receptions(client) if "main/8" in each.reason]


def test_the_shop_is_told_what_will_not_be_sent_and_what_can_be_sold(shop, client):
    shop.stock = {"cup": 3}
    shop.sell(9)
    rows(client, 9, DONE)
    client.orders.CancelOrder(
        orders_pb2.CancelOrderRequest(
            context=context(), order_id="main/9", by=common_pb2.PARTY_SUPPLIER, reason="out_of_stock"
        )
    )
    wait_for(lambda: shop.orders[9]["cancelled_at"])
    assert not shop.orders[9]["refunds"]
    shop.answers = [429, 500]
    client.feed(4000, sku="cup")
    wait_for(lambda: shop.stock["cup"] > 3000)


def test_a_hold_here_is_a_hold_in_the_shop_until_it_is_released(shop, client, console):
    shop.sell(10)
    rows(client, 10, DONE)
    fraud = orders_pb2.HOLD_REASON_FRAUD_REVIEW
    place_hold = orders_pb2.PlaceHoldRequest(context=context(), order_id="main/10", reason=fraud, owner="mia")
    client.orders.PlaceHold(place_hold)
    wait_for(lambda: [each["reason"] for each in shop.holds.values()] == ["HIGH_RISK_OF_FRAUD"])
    rows(client, 10, DONE, IGNORED)
    assert [each.owner for each in order(client, 10).holds] == ["mia"]
    release = orders_pb2.ReleaseHoldRequest(context=context(), order_id="main/10", reason=fraud, owner="mia")
    client.orders.ReleaseHold(release)
    wait_for(lambda: not shop.holds)
    wait_for(lambda: "not held" in console("effect", "list", "--about", "main/10", "--json").out)


def test_an_app_that_is_uninstalled_pauses_its_connection(shop, client, console):
    shop.send("app/uninstalled", {"id": 77, "domain": "played.myshopify.com"})
    rows(client, 77, FAILED)
    shown = console("connection", "show", "main").out
    assert "paused" in shown
    assert "the app was uninstalled in the shop" in shown
    assert console("connection", "resume", "main").code == 0


@pytest.mark.parametrize("family", ["x-shopify-", "shopify-"])
def test_only_what_the_app_has_signed_is_taken(shop, family):
    body = b'{"id": 9, "updated_at": "2026-01-05T10:00:00Z"}'
    assert shop.post("orders/updated", body, family=family).status_code == 200
    forged = {f"{family}hmac-sha256": "AAAA"}
    assert shop.post("orders/updated", body, family=family, **forged).status_code == 401
    assert httpx2.post(f"{shop.edge}/in/default/main", content=body).status_code == 401


def test_a_shop_that_has_gone_is_forgotten_once_its_orders_are_over(edge, client, console, tmp_path, service):
    file = tmp_path / "left.secret"
    file.write_text(f"secret={APP_SECRET}\n")
    with shopify_shop(edge, "left") as left:
        console("connection", "add", "shopify", "--name", "left", "--shop", left.url, "--secret-file", str(file))
        for order_id in (31, 32):
            left.send("orders/create", left.sell(order_id, email=f"c{order_id}@example.org"))
            rows(client, order_id, DONE, by="left")
        left.send("orders/cancelled", left.change(31, cancelled_at="2026-01-06T10:00:00+01:00"))
        rows(client, 31, DONE, DONE, by="left")
        left.send("app/uninstalled", {"id": 78})
        rows(client, 78, FAILED, by="left")
        left.send("shop/redact", {"shop_id": 1, "shop_domain": "left.myshopify.com"})
        (waits,) = rows(client, "shop/redact", edges_pb2.RECEPTION_STATE_EARLY, by="left")
        assert "1 orders stay, which are open or held: left/32" in waits.reason
        assert [bool(order(client, each, "left").customer.name) for each in (31, 32)] == [False, True]
        assert "paused" in console("connection", "show", "left").out
        over = orders_pb2.CancelOrderRequest(
            context=context(), order_id="left/32", by=common_pb2.PARTY_CUSTOMER, reason="changed_mind"
        )
        client.orders.CancelOrder(over)
        wait_for(lambda: "there is no connection left" in console("connection", "show", "left").err)
    (gone,) = rows(client, "shop/redact", DONE, by="left")
    assert gone.reason == "the customers of its orders were erased, and the connection was removed"
    assert not order(client, 32, "left").customer.name
    every = client.edges.ListReceptions(edges_pb2.ListReceptionsRequest(connection="left")).receptions
    opened = [edges_pb2.GetReceptionRequest(reception_id=e.reception_id, with_personal_data=True) for e in every]
    assert len(opened) == 5
    assert not any(client.edges.GetReception(each).body for each in opened)
    assert keys_of(service, "left") == (2, 0)
