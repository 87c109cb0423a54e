"""What an address of the retailer's is told over real sockets: signed, once, in order, until it is gone."""

import base64
import os
from datetime import UTC, datetime, timedelta

import pytest

from adapters.edges.delivery import BadSignature, Delivery
from adapters.edges.signatures import require_standard_webhook
from fulfilment.v1 import edges_pb2, orders_pb2
from ledger.nouns import effects
from tests.support.edge import edging
from tests.support.hosting import hosted
from tests.support.own_site import SECRET
from tests.support.service import context, order
from tests.support.told_site import told_site
from tests.support.trading import Trade
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def service(embedded):
    """One that also calls addresses on this machine."""
    with (
        pytest.MonkeyPatch.context() as patch,
        hosted(embedded, "--web-private") as service,
    ):
        patch.setattr(effects, "_PAUSES", (timedelta(seconds=0.3),))
        patch.setattr(effects, "STOCK_PAUSE", timedelta(seconds=0.3))
        yield service


@pytest.fixture(scope="module")
def site(service, client):
    """An address that is told of the channel web."""
    with edging(service), told_site() as site:
        connect(client, "events", site)
        yield site


@pytest.fixture(scope="module")
def trade(client):
    return Trade(client)


def connect(client, name, site, **settings):
    client.edges.AddConnection(
        edges_pb2.AddConnectionRequest(
            context=context(),
            name=name,
            system="webhook",
            settings={"url": site.url, "channel": "web", **settings},
            secrets={"secret": SECRET},
        )
    )


def sold(trade, number):
    lines = [
        orders_pb2.OrderLine(
            sku="tea", quantity=2, unit_price_minor=990, supplier_id="acme", channel_line_id=f"{number}a"
        )
    ]
    trade.client.orders.PlaceOrder(order(str(number), channel="web", lines=lines))
    trade.send("SendSupplierOrder", supplier_order_id=f"web/{number}/1")


def ship(trade, number, tracking_number):
    trade.send("ShipSupplierOrder", supplier_order_id=f"web/{number}/1", carrier="dhl", tracking_number=tracking_number)


def test_an_order_is_told_of_as_it_goes_on_each_event_signed_and_whole(site, trade):
    sold(trade, 1)
    wait_for(lambda: {each["status"] for each in site.told("fulfilment.order", "1")} >= {"confirmed"})
    ship(trade, 1, "A1")
    wait_for(lambda: site.told("fulfilment.shipment", "1"))
    (shipment,) = site.told("fulfilment.shipment", "1")
    assert shipment["lines"] == [{"line_id": "1a", "sku": "tea", "units": 2}]
    assert (shipment["carrier"], shipment["tracking_number"], shipment["completes_order"]) == ("dhl", "A1", True)
    assert "A1" in shipment["tracking_url"]
    wait_for(lambda: site.told("fulfilment.order", "1")[-1]["status"] == "dispatched")
    for came in site.came:
        delivery = Delivery(came.headers, came.body, site.url)
        assert require_standard_webhook(delivery, [SECRET], datetime.now(UTC)) == came.event["id"]
        assert came.headers["content-type"].startswith("application/cloudevents+json")
        assert (came.event["specversion"], came.event["source"]) == ("1.0", "/connections/events")
        assert came.event["dataschema"] == f"/schemas/{came.event['type']}.json"


def test_what_it_does_not_take_comes_again_under_the_same_id(site, trade):
    sold(trade, 2)
    wait_for(lambda: site.told("fulfilment.order", "2"))
    wait_for(lambda: site.told("fulfilment.order", "2")[-1]["status"] == "confirmed")
    site.answers += [500, 404]
    ship(trade, 2, "B1")
    wait_for(lambda: site.told("fulfilment.shipment", "2") and not site.answers)
    wait_for(lambda: site.told("fulfilment.order", "2")[-1]["status"] == "dispatched")
    again = [each for each in site.came if each.event["id"] in {c.event["id"] for c in site.came if c is not each}]
    assert again
    assert len({each.body for each in again}) == len({each.event["id"] for each in again})


def test_while_its_secret_changes_events_are_signed_with_both(site, client, trade):
    other = "whsec_" + base64.b64encode(os.urandom(24)).decode()
    client.edges.RotateConnectionSecret(
        edges_pb2.RotateConnectionSecretRequest(
            context=context(), name="events", system="webhook", secrets={"secret": other}
        )
    )
    sold(trade, 3)
    wait_for(lambda: site.told("fulfilment.order", "3"))
    came = site.came[-1]
    for secret in (other, SECRET):
        require_standard_webhook(Delivery(came.headers, came.body, ""), [secret], datetime.now(UTC))
    with pytest.raises(BadSignature):
        require_standard_webhook(Delivery(came.headers, came.body + b" ", ""), [SECRET], datetime.now(UTC))


def test_trying_a_connection_sends_a_ping_and_says_what_is_wrong(site, client):
    def problem():
        answer = client.edges.TestConnection(edges_pb2.TestConnectionRequest(name="events"))
        return answer.checks[0].problem

    assert problem() == ""
    assert site.came[-1].event["type"] == "fulfilment.ping"
    site.answers.append(404)
    assert "it answers 404" in problem()


def test_an_address_that_is_gone_is_told_nothing_more_and_its_connection_is_paused(site, client, trade):
    with told_site() as gone:
        gone.answers += [410] * 20
        connect(client, "gone", gone, told="order")
        sold(trade, 4)

        def paused():
            listed = client.edges.ListConnections(edges_pb2.ListConnectionsRequest()).connections
            return next((each for each in listed if each.name == "gone" and each.paused), None)

        assert wait_for(paused).changed_by == "edge/webhook/gone"
        asked = edges_pb2.ListEffectsRequest(connection="gone", states=[edges_pb2.EFFECT_STATE_FAILED])
        failed = wait_for(lambda: client.edges.ListEffects(asked).effects)
        assert "410" in failed[0].reason
        wait_for(lambda: site.told("fulfilment.order", "4"))
