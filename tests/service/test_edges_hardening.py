"""The edges when something is wrong: news that is early, a database that is away, senders that are odd or hostile."""

import json
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx2
import pytest

from adapters.access.tls import Files
from adapters.edges import leases, worker
from adapters.edges.systems import SYSTEMS
from adapters.web import bodies, door
from fulfilment.v1 import edges_pb2, orders_pb2
from tests.support import played_system
from tests.support.certificates import Authority
from tests.support.edge import HTTP, SECRET, WooShop, edging, signed, woo_order
from tests.support.in_a_thread import running
from tests.support.played_system import PlayedSystem, tell
from tests.support.relay import Relay
from tests.support.service import Service, context
from tests.support.waiting import wait_for

WAITING, EARLY, DONE, FAILED = (
    edges_pb2.RECEPTION_STATE_WAITING,
    edges_pb2.RECEPTION_STATE_EARLY,
    edges_pb2.RECEPTION_STATE_DONE,
    edges_pb2.RECEPTION_STATE_FAILED,
)


@pytest.fixture(scope="module")
def played():
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(SYSTEMS, "played", PlayedSystem())
        yield


@pytest.fixture(scope="module")
def edge(played, service):
    with edging(service) as address:
        yield address


@pytest.fixture(scope="module")
def shop(edge, client):
    connect(client, "main", "woocommerce", SECRET, shop="https://shop.example.org")
    return WooShop(edge, "main")


@pytest.fixture(scope="module")
def told(edge, client):
    """Where the played system sends."""
    connect(client, "played", "played", played_system.SECRET)
    return f"{edge}/in/default/played"


def connect(client, name, system, secret, **settings):
    client.edges.AddConnection(
        edges_pb2.AddConnectionRequest(
            context=context(), name=name, system=system, settings=settings, secrets={"": secret}
        )
    )


def receptions(client, object_id):
    found = client.edges.ListReceptions(edges_pb2.ListReceptionsRequest()).receptions
    return [each for each in found if each.object_id == object_id][::-1]


def became(client, object_id, *states):
    """What is in the inbox about an object, the oldest first, once it is in these states."""

    def found():
        rows = receptions(client, object_id)
        return rows if [each.state for each in rows] == list(states) else None

    return wait_for(found)


def order(client, order_id):
    return client.orders.GetOrder(orders_pb2.GetOrderRequest(order_id=order_id, with_personal_data=True)).order


# --- early, and half ------------------------------------------------------------------------------


def test_news_of_an_order_that_is_placed_later_waits_for_it(told, client, monkeypatch):
    monkeypatch.setattr(worker, "_PAUSES", (timedelta(milliseconds=100),))
    assert tell(told, "later", ("cancel", {"orderId": "shop/L1", "by": "PARTY_CUSTOMER", "reason": "x"})) == 200
    (row,) = became(client, "later", EARLY)
    assert "UNKNOWN_ORDER" in row.reason
    client.place("L1", sku="untracked")
    became(client, "later", DONE)
    assert order(client, "shop/L1").status == orders_pb2.ORDER_STATUS_CANCELLED


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (
            ("feed", {"item": {"supplierId": "nobody", "sku": "tea"}, "quantity": 1, "feedVersion": 1}),
            "UNKNOWN_SUPPLIER",
        ),
        (("cancel", {"orderId": "shop/H1", "by": "PARTY_CUSTOMER", "lines": [{"lineNo": 9, "units": 1}]}), None),
    ],
)
def test_what_a_person_has_to_enter_is_not_waited_for_and_what_other_news_brings_is(told, client, command, reason):
    if not receptions(client, "H1"):
        client.place("H1", sku="untracked")
    about = f"not found {command[0]}"
    assert tell(told, about, command) == 200
    (row,) = became(client, about, FAILED if reason else EARLY)
    assert (reason or "UNKNOWN_LINE") in row.reason


def test_of_several_commands_none_is_recorded_where_one_is_malformed(told, client):
    client.place("M1", sku="untracked")
    before = order(client, "shop/M1").version
    cancel = ("cancel", {"orderId": "shop/M1", "by": "PARTY_CUSTOMER", "reason": "x"})
    payment = {"paymentId": "p1", "kind": "PAYMENT_KIND_REFUNDED", "amount": {"amountMinor": "5", "currency": "ZZZ"}}
    assert tell(told, "half", cancel, ("pay", {"orderId": "shop/M1", "payments": [payment]})) == 200
    (row,) = became(client, "half", FAILED)
    assert "payments[0].amount.currency" in row.reason
    assert order(client, "shop/M1").version == before


def test_a_mistake_in_an_adapter_is_work_and_quotes_nobody(told, client):
    assert tell(told, "mistake", ("crash", {})) == 200
    assert tell(told, "behind it", ("cancel", {"orderId": "shop/M1", "by": "PARTY_CUSTOMER", "reason": "x"})) == 200
    became(client, "behind it", DONE)
    (row,) = became(client, "mistake", FAILED)
    assert row.reason == "a mistake of the service: RuntimeError"


# --- the database is away -------------------------------------------------------------------------


def test_without_the_database_nothing_is_acknowledged_and_what_was_is_worked_on_when_it_is_back(
    played, service, client, monkeypatch
):
    monkeypatch.setattr(door, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(leases, "_AFTER_TROUBLE_SECONDS", 0.1)
    connect(client, "away", "woocommerce", SECRET, shop="https://shop.example.org")
    with (
        running(Relay(service.dsn), "the relay") as relay,
        edging(Service(service.address, service.data, relay.conninfo)) as edge,
    ):
        shop = WooShop(edge, "away")
        assert shop.send(woo_order(1), "order.created").status_code == 200
        became(client, "1", DONE)
        relay.down = True
        statuses = [shop.send(woo_order(number), "order.created").status_code for number in (2, 3)]
        assert statuses == [503, 503]
        assert HTTP.get(f"{edge}/healthz").status_code == 503
        relay.down = False
        wait_for(lambda: shop.send(woo_order(2), "order.created").status_code == 200)
        became(client, "2", DONE)
        assert HTTP.get(f"{edge}/healthz").status_code == 200
    assert order(client, "away/2").order_id == "away/2"


# --- who knocks -----------------------------------------------------------------------------------


def test_over_tls_who_trusts_the_certificate_is_heard_and_plain_text_is_not(service, client, shop, tmp_path):
    authority = Authority(tmp_path)
    pair = authority.issue("edge")
    with edging(service, Files(pair.certificate, pair.key)) as edge:
        trusting = ssl.create_default_context(cafile=str(authority.file))
        body = json.dumps(woo_order(5001)).encode()
        headers = {"x-wc-webhook-topic": "order.created", "x-wc-webhook-signature": signed(body)}
        with httpx2.Client(verify=trusting) as trusted:
            assert trusted.post(f"{edge}/in/default/main", content=body, headers=headers).status_code == 200
        with pytest.raises(httpx2.ConnectError):
            httpx2.post(f"{edge}/in/default/main", content=body, headers=headers)
        with pytest.raises(httpx2.HTTPError):
            httpx2.post(f"{edge.replace('https', 'http')}/in/default/main", content=body, headers=headers)
        old = ssl.create_default_context(cafile=str(authority.file))
        with pytest.deprecated_call():
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with httpx2.Client(verify=old) as outdated, pytest.raises(httpx2.ConnectError):
            outdated.get(f"{edge}/healthz")
    became(client, "5001", DONE)


def raw(edge, *parts, cut=False):
    """The first line of what is answered to these bytes, after which nothing comes if they are cut off."""
    host, _, port = edge.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        for part in parts:
            connection.sendall(part)
        if cut:
            connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(4096)
    return answer.partition(b"\r\n")[0]


HEAD = b"POST /in/default/main HTTP/1.1\r\nhost: edge\r\n"


def test_what_is_cut_off_too_long_or_no_http_is_refused_and_kept_nowhere(shop, client, monkeypatch):
    monkeypatch.setattr(bodies, "SECONDS", 0.3)
    body = json.dumps(woo_order(5002)).encode()
    signature = f"x-wc-webhook-topic: order.created\r\nx-wc-webhook-signature: {signed(body)}\r\n".encode()
    length = f"content-length: {len(body)}\r\n".encode()
    assert not raw(shop.edge, HEAD, signature, length, b"\r\n", body[:-5], cut=True).startswith(b"HTTP/1.1 2")
    assert not raw(shop.edge, HEAD, b"x-long: " + b"x" * 70_000, b"\r\n\r\n").startswith(b"HTTP/1.1 2")
    assert raw(shop.edge, HEAD, b"content-length: 5000000\r\n\r\n").startswith(b"HTTP/1.1 413")
    chunk = b"%x\r\n%s\r\n" % (1 << 20, b" " * (1 << 20))
    many = [b"transfer-encoding: chunked\r\n\r\n", *[chunk] * 4, chunk]
    assert raw(shop.edge, HEAD, *many).startswith(b"HTTP/1.1 413")
    assert raw(shop.edge, HEAD, b"content-length: x\r\n\r\n").startswith(b"HTTP/1.1 400")
    both = b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}"
    assert not raw(shop.edge, HEAD, both).startswith(b"HTTP/1.1 2")
    assert raw(shop.edge, b"\x16\x03\x01\x02\x00\x01\x00").startswith(b"HTTP/1.1 400")
    assert not receptions(client, "5002")


ODD = [
    (lambda text: text.encode("utf-16"), 400, None),
    (lambda text: text.replace("Ann", "Anné").encode("latin-1"), 400, None),
    (lambda text: b"\xef\xbb\xbf" + text.encode(), 400, None),
    (lambda text: text.replace('"2026-01-05T09:00:00"', '"05.01.2026"').encode(), 200, "date_modified_gmt: no time"),
    (lambda text: text.replace('"EUR"', '"EUX"').encode(), 200, "currency: no ISO 4217"),
    (lambda text: text.replace('"line_items": [', '"line_items": [7, ').encode(), 200, "line_items"),
    (lambda text: text.replace('"quantity": 2', '"quantity": "two"').encode(), 200, "quantity: no number"),
    (lambda text: text.replace('"country": "DE"', '"country": "Deutschland"').encode(), 200, ""),
    (lambda text: text.replace('"fee_lines"', '"new_of_a_plugin": {"a": [1]}, "fee_lines"').encode(), 200, ""),
]
"""What is done to the text of an order, the status it is answered with, and the reason why it is not placed."""


@pytest.mark.parametrize("number", range(len(ODD)))
def test_a_proven_order_that_is_odd_is_refused_has_failed_with_its_field_or_is_placed(shop, client, number):
    (change, status, reason), order_id = ODD[number], 5100 + number
    sent = shop.post(change(json.dumps(woo_order(order_id), ensure_ascii=False)), "order.created")
    assert sent.status_code == status
    if reason is None:
        assert not receptions(client, str(order_id))
        return
    (row,) = became(client, str(order_id), FAILED if reason else DONE)
    assert reason in row.reason
    assert "Ann" not in row.reason


def test_two_orders_with_one_id_are_one_order_as_it_was_told_last(shop, client):
    first = woo_order(5900)
    moved = {**first["shipping"], "city": "Bonn", "postcode": "53111"}
    second = {**first, "shipping": moved, "line_items": [{"id": 1, "quantity": 5, "sku": "mug", "total": "50.00"}]}
    with ThreadPoolExecutor(4) as senders:
        statuses = list(senders.map(lambda body: shop.send(body, "order.created").status_code, [first] * 4))
    statuses.append(shop.send(second, "order.created").status_code)
    assert set(statuses) == {200}
    became(client, "5900", DONE, DONE)
    known = order(client, "main/5900")
    assert known.ship_to.city == "Bonn"
    assert {each.line.sku: each.wanted for each in known.lines if each.wanted} == {"mug": 5}
