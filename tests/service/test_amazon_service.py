"""Amazon over real sockets: what lies in a queue or comes by a bus makes orders, once, and asking finds the rest."""

import json
from datetime import UTC, datetime, timedelta

import httpx2
import psycopg
import pytest

from fulfilment.v1 import edges_pb2, orders_pb2
from ledger.nouns import effects
from tests.support.amazon import PUSH, playing_amazon, seller_secrets, seller_settings, vendor_settings
from tests.support.amazon_orders import amazon_order, notification, purchase_order, text
from tests.support.hosting import hosted
from tests.support.service import context
from tests.support.trading import Trade
from tests.support.waiting import wait_for

DONE, IGNORED, FAILED = (
    edges_pb2.RECEPTION_STATE_DONE,
    edges_pb2.RECEPTION_STATE_IGNORED,
    edges_pb2.RECEPTION_STATE_FAILED,
)


@pytest.fixture(scope="module")
def quick():
    """What is told and failed waits long elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(effects, "_PAUSES", (timedelta(seconds=0.3),))
        patch.setattr(effects, "STOCK_PAUSE", timedelta(seconds=0.3))
        yield


@pytest.fixture(scope="module")
def service(embedded, quick):
    """One that also calls systems on this machine."""
    with hosted(embedded, "--web-private") as service:
        yield service


@pytest.fixture(scope="module")
def trade(client):
    """Cups are there, and a supplier who sends them."""
    trade = Trade(client)
    client.approve("acme")
    trade.send("OfferSku", supplier_id="acme")
    client.feed(50, sku="cup")
    return trade


@pytest.fixture(scope="module")
def amazon(edge, client, trade):
    """It sells as "main", and a vendor sends for it as "vendor"."""
    with playing_amazon() as amazon:
        secrets = seller_secrets()
        login = {name: secrets[name] for name in ("refresh", "client_secret")}
        amazon.put(amazon_order("302-lost", lastUpdatedTime=text(datetime.now(UTC))))
        amazon.purchase_orders["PO1"] = purchase_order("PO1")
        for name, system, settings, known in (
            ("main", "amazon", seller_settings(amazon), secrets),
            ("vendor", "amazon-vendor", vendor_settings(amazon), login),
        ):
            client.edges.AddConnection(
                edges_pb2.AddConnectionRequest(
                    context=context(), name=name, system=system, settings=settings, secrets=known
                )
            )
        yield amazon


def became(client, object_id, *states):
    """What is in the inbox about an object, the oldest first, once all of it is worked on."""

    def found():
        listed = client.edges.ListReceptions(edges_pb2.ListReceptionsRequest()).receptions
        rows = [each for each in listed if each.object_id == object_id][::-1]
        waits = any(each.state == edges_pb2.RECEPTION_STATE_WAITING for each in rows)
        return rows if len(rows) >= len(states) and not waits else None

    rows = wait_for(found)
    assert tuple(each.state for each in rows) == states, [(each.topic, each.reason) for each in rows]
    return rows


def order(client, order_id):
    return client.orders.GetOrder(orders_pb2.GetOrderRequest(order_id=order_id, with_personal_data=True)).order


def test_what_lies_in_the_queue_is_asked_for_and_placed_and_the_queue_forgets_it(amazon, client):
    amazon.put(amazon_order("302-1"))
    amazon.tell(notification("302-1", "n-1", "2026-01-05T09:30:01Z"))
    hint, state = became(client, "302-1", DONE, DONE)
    assert (hint.topic, hint.found_by_asking, list(hint.about)) == ("ORDER_CHANGE", False, ["main/302-1"])
    assert (state.topic, state.found_by_asking, list(state.about)) == ("order", True, ["main/302-1"])
    placed = order(client, "main/302-1")
    assert (placed.customer.name, placed.money.came_in_minor, placed.payment) == ("Ann Example", 2470, 3)
    assert placed.promised_by.ToJsonString() == "2026-01-08T22:59:59Z"
    assert placed.lines[0].line.channel_line_id == "i-1"
    wait_for(lambda: not amazon.queue)


def test_a_queue_is_listened_to_again_after_a_pause(amazon, client, service):
    client.edges.PauseConnection(edges_pb2.PauseConnectionRequest(context=context(), name="main"))
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        rests = (
            "SELECT FROM fulfilment.wakeups WHERE what = 'listening' AND due_at = 'infinity' AND leased_until IS NULL"
        )
        wait_for(lambda: connection.execute(rests).fetchone() is not None)
    amazon.put(amazon_order("302-12"))
    amazon.tell(notification("302-12", "n-12", "2026-01-05T09:30:01Z"))
    client.edges.ResumeConnection(edges_pb2.ResumeConnectionRequest(context=context(), name="main"))
    became(client, "302-12", DONE, DONE)


def test_an_event_bus_may_push_and_what_comes_twice_is_asked_for_once(amazon, client, edge):
    amazon.put(amazon_order("302-2"))
    before = amazon.asked["getOrder"]
    event = {"detail-type": "ORDER_CHANGE", "detail": notification("302-2", "n-2", "2026-01-05T09:30:01Z", camel=True)}

    def push(key=PUSH):
        headers = {"x-api-key": key, "content-type": "application/json"}
        return httpx2.post(f"{edge}/in/default/main", content=json.dumps(event), headers=headers).status_code

    assert push("another") == 401
    assert push() == 200
    became(client, "302-2", DONE, DONE)
    assert push() == 200
    amazon.tell(event["detail"])  # and by the queue as well
    wait_for(lambda: not amazon.queue)
    became(client, "302-2", DONE, DONE)
    assert amazon.asked["getOrder"] == before + 1


def test_a_buyers_wish_cancels_what_has_not_left_and_the_same_state_again_does_nothing(amazon, client):
    wish = {"cancellationRequest": {"requester": "BUYER", "cancelReason": "Changed mind"}}
    wished = amazon_order("302-1", lastUpdatedTime="2026-01-05T10:00:00Z")
    wished["orderItems"][0]["cancellation"] = wish
    amazon.put(wished)
    amazon.tell(notification("302-1", "n-3", "2026-01-05T10:00:00Z"))
    became(client, "302-1", DONE, DONE, DONE, DONE)
    assert order(client, "main/302-1").status == orders_pb2.ORDER_STATUS_CANCELLED
    amazon.tell(notification("302-1", "n-4", "2026-01-05T09:59:00Z"))  # late, and known
    *_, late = became(client, "302-1", DONE, DONE, DONE, DONE, IGNORED)
    assert "known" in late.reason


def test_asking_finds_what_was_never_notified_and_what_is_no_notification_is_seen(amazon, client):
    (found,) = became(client, "302-lost", DONE)
    assert found.found_by_asking
    assert order(client, "main/302-lost").lines[0].line.sku == "cup"
    amazon.tell("what somebody else put there")
    listed = wait_for(
        lambda: client.edges.ListReceptions(edges_pb2.ListReceptionsRequest(states=[FAILED])).receptions or None
    )
    assert [each.topic for each in listed] == ["unreadable"]
    checks = client.edges.TestConnection(edges_pb2.TestConnectionRequest(name="main")).checks
    assert [each.problem for each in checks] == ["", "", "", ""]


def test_what_amazon_does_not_answer_now_is_asked_for_again(amazon, client):
    amazon.put(amazon_order("302-5"))
    amazon.limits = {"getOrder": (2.0, 0)}
    amazon.tell(notification("302-5", "n-5", "2026-01-05T09:30:01Z"))

    def waits():
        listed = client.edges.ListReceptions(edges_pb2.ListReceptionsRequest(connection="main")).receptions
        return [each for each in listed if each.object_id == "302-5" and "no more requests" in each.reason]

    (row,) = wait_for(lambda: waits() or None)
    assert (row.state, row.attempts) == (edges_pb2.RECEPTION_STATE_WAITING, 0)
    assert row.next_at.ToDatetime(tzinfo=UTC) > datetime.now(UTC)
    amazon.limits = {}


def test_a_vendors_purchase_order_is_found_and_placed_once(amazon, client):
    (found,) = became(client, "PO1", DONE)
    assert found.topic == "purchase_order"
    placed = order(client, "vendor/PO1")
    assert (placed.lines[0].line.sku, placed.lines[0].line.unit_price_minor) == ("cup", 500)


# --- what Amazon is told --------------------------------------------------------------------------


def sent(amazon, client, trade, order_id):
    """An order that Amazon notifies of, and that its supplier has been given."""
    amazon.put(amazon_order(order_id))
    amazon.tell(notification(order_id, f"n-{order_id}", "2026-01-05T09:30:01Z"))
    became(client, order_id, DONE, DONE)
    assert order(client, f"main/{order_id}").status == orders_pb2.ORDER_STATUS_CONFIRMED
    trade.send("SendSupplierOrder", supplier_order_id=f"main/{order_id}/1")
    return f"main/{order_id}/1"


def test_amazon_learns_of_a_parcel_and_of_the_stock_that_is_left(amazon, client, trade):
    amazon.stock = {"cup": 1}
    supplier_order_id = sent(amazon, client, trade, "302-7")
    trade.send(
        "ShipSupplierOrder", supplier_order_id=supplier_order_id, carrier="ups", tracking_number="1Z999AA10123456784"
    )
    (parcel,) = wait_for(lambda: amazon.orders["302-7"].get("packages"))
    assert (parcel["packageReferenceId"], parcel["carrier"]) == ("1", "UPS")
    assert parcel["packageItems"] == [{"orderItemId": "i-1", "quantity": 2}]
    wait_for(lambda: amazon.stock["cup"] > 1)
    # What comes back of it changes nothing.
    amazon.tell(notification("302-7", "n-back", text(datetime.now(UTC))))
    *_, state = became(client, "302-7", DONE, DONE, DONE, IGNORED)
    assert "nothing that the ledger keeps" in state.reason
    assert amazon.asked["confirmShipment"] == 1


def test_a_wish_that_is_granted_is_told_to_amazon_as_a_cancel(amazon, client, trade):
    amazon.slow = 0
    sent(amazon, client, trade, "302-8")
    wish = {"cancellationRequest": {"requester": "BUYER", "cancelReason": "Changed mind"}}
    wished = amazon_order("302-8", lastUpdatedTime="2026-01-05T10:00:00Z")
    wished["orderItems"][0]["cancellation"] = wish
    amazon.put(wished)
    amazon.tell(notification("302-8", "n-wish", "2026-01-05T10:00:00Z"))
    became(client, "302-8", DONE, DONE, DONE, DONE)
    assert amazon.orders["302-8"]["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"  # the supplier is asked first
    trade.send("AnswerCancelRequest", supplier_order_id="main/302-8/1", agreed=True)
    wait_for(lambda: amazon.orders["302-8"]["fulfillment"]["fulfillmentStatus"] == "CANCELLED")


def test_a_vendor_accepts_what_is_confirmed_and_confirms_what_it_sends(amazon, client, trade):
    amazon.slow = 0
    assert wait_for(lambda: amazon.purchase_orders["PO1"]["orderDetails"]["orderStatus"] == "ACCEPTED")
    trade.send("SendSupplierOrder", supplier_order_id="vendor/PO1/1")
    trade.send(
        "ShipSupplierOrder", supplier_order_id="vendor/PO1/1", carrier="ups", tracking_number="1Z999AA10123456785"
    )
    assert wait_for(lambda: amazon.purchase_orders["PO1"]["orderDetails"]["orderStatus"] == "SHIPPED")
    codes = [each["acknowledgementStatus"]["code"] for each in amazon.confirmed if "acknowledgementStatus" in each]
    assert codes == ["00"]
