"""The edges over real sockets: a shop's webhooks become orders, once, in its own order, whatever goes wrong."""

import gzip
import json
import re
import socket
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from adapters.edges import accounts, worker
from adapters.edges.inbox import Inbox
from adapters.edges.traffic import Traffic
from adapters.web import bodies, serving
from fulfilment.v1 import admin_pb2, edges_pb2, orders_pb2, tracking_pb2, work_pb2
from tests.support import own_site
from tests.support.hosting import hosted
from tests.support.service import context, refused
from tests.support.terminal import Console
from tests.support.waiting import wait_for
from tests.support.woo_shop import HTTP, SECRET, Fault, WooShop, signed, woo_order, woo_shop

DONE, IGNORED, EARLY, FAILED = (
    edges_pb2.RECEPTION_STATE_DONE,
    edges_pb2.RECEPTION_STATE_IGNORED,
    edges_pb2.RECEPTION_STATE_EARLY,
    edges_pb2.RECEPTION_STATE_FAILED,
)


@pytest.fixture(scope="module")
def service(embedded):
    """One that also calls shops on this machine."""
    with hosted(embedded, "--web-private") as service:
        yield service


@pytest.fixture(scope="module")
def shop(edge, client):
    """A shop that is connected under the name main, and cannot be asked."""
    client.edges.AddConnection(
        edges_pb2.AddConnectionRequest(
            context=context(),
            name="main",
            system="woocommerce",
            settings={"shop": "https://shop.example.org"},
            secrets={"webhook": SECRET},
        )
    )
    return WooShop(edge, "main")


def receptions(client, **wanted):
    return client.edges.ListReceptions(edges_pb2.ListReceptionsRequest(**wanted)).receptions


def became(client, object_id, *states):
    """What is in the inbox about an object, the oldest first, once nothing of it waits."""

    def found():
        rows = [each for each in receptions(client) if each.object_id == str(object_id)]
        waits = any(each.state == edges_pb2.RECEPTION_STATE_WAITING for each in rows)
        return rows[::-1] if rows and not waits and len(rows) >= len(states or (1,)) else None

    rows = wait_for(found)
    assert not states or tuple(each.state for each in rows) == states, [each.reason for each in rows]
    return rows


def order(client, order_id):
    return client.orders.GetOrder(
        orders_pb2.GetOrderRequest(order_id=f"main/{order_id}", with_personal_data=True)
    ).order


def test_a_paid_order_of_the_shop_is_placed_and_a_ping_is_answered(shop, client):
    assert HTTP.post(f"{shop.edge}/in/default/main", content=b"webhook_id=7").status_code == 200
    assert shop.send(woo_order(1001), "order.created").status_code == 200
    (row,) = became(client, 1001, DONE)
    assert list(row.about) == ["main/1001"]
    position = client.edges.ListReceptions(edges_pb2.ListReceptionsRequest()).position
    known = client.reports.ListOrders(tracking_pb2.ListOrdersRequest(at_least=position)).orders
    assert "main/1001" in {each.order_id for each in known}
    placed = order(client, 1001)
    assert placed.customer.name == "Ann Example"
    assert placed.ship_to.country == "DE"
    assert (placed.money.total_minor, placed.money.came_in_minor) == (2470, 2470)
    assert placed.payment == orders_pb2.PAYMENT_STATE_PAID
    assert [(each.line.sku, each.line.quantity) for each in placed.lines] == [("cup", 2)]


def test_what_the_shop_told_of_a_person_is_exported_as_it_came(shop, client, service, tmp_path):
    shop.send(woo_order(1009), "order.created")
    became(client, 1009, DONE)
    told = Console(service.address)("person", "export", "--order", "main/1009", "--to", str(tmp_path / "ann.json"))
    assert told.code == 0, told.err
    records = json.loads((tmp_path / "ann.json").read_text())["records"]
    received = [record["reception"] for record in records if "reception" in record]
    assert 1009 in {each["body"]["id"] for each in received}


def test_the_same_again_is_kept_once_whoever_repeats_it(shop, client):
    body = woo_order(1002)
    assert {shop.send(body, "order.created").status_code for _ in range(3)} == {200}
    shop.send(body, "order.updated", x_wc_webhook_delivery_id="d2")
    became(client, 1002, DONE)


def test_an_order_that_the_shop_edits_pays_readdresses_and_cancels_follows(shop, client):
    first = woo_order(1003, status="pending", date_paid_gmt=None)
    shop.send(first, "order.created")
    became(client, 1003, DONE)
    assert order(client, 1003).payment == orders_pb2.PAYMENT_STATE_PENDING
    paid = {
        **first,
        "status": "processing",
        "date_modified_gmt": "2026-01-05T09:10:00",
        "date_paid_gmt": "2026-01-05T09:10:00",
    }
    shop.send(paid)
    became(client, 1003, DONE, DONE)
    assert order(client, 1003).payment == orders_pb2.PAYMENT_STATE_PAID
    moved = {**paid["shipping"], "address_1": "2 Oak Street", "city": "Bonn", "postcode": "53111"}
    lines = [{**paid["line_items"][0], "quantity": 3, "total": "29.70"}]
    edited = {
        **paid,
        "shipping": moved,
        "line_items": lines,
        "total": "34.60",
        "date_modified_gmt": "2026-01-05T09:20:00",
    }
    shop.send(edited)
    became(client, 1003, DONE, DONE, DONE)
    known = order(client, 1003)
    assert [(each.line.line_no, each.wanted) for each in known.lines] == [(1, 3)]
    assert known.ship_to.city == "Bonn"
    assert known.money.due_minor == 3460
    shop.send({**edited, "status": "cancelled", "date_modified_gmt": "2026-01-05T09:30:00"})
    became(client, 1003, DONE, DONE, DONE, DONE)
    assert order(client, 1003).status == orders_pb2.ORDER_STATUS_CANCELLED


def test_an_older_state_that_comes_late_is_ignored_and_the_same_state_in_another_spelling_is_the_same(shop, client):
    newer = woo_order(1004, date_modified_gmt="2026-01-05T10:00:00", customer_note="ring twice")
    shop.send(newer, "order.created")
    became(client, 1004, DONE)
    spelled = json.dumps({**newer, "_links": {}}, indent=2).encode()
    assert shop.post(spelled).status_code == 200
    shop.send(woo_order(1004))
    *_, late = became(client, 1004, DONE, IGNORED)
    assert "newer" in late.reason


def gmt(at):
    return f"{at:%Y-%m-%dT%H:%M:%S}"


@pytest.mark.parametrize("ahead", [timedelta(hours=3), timedelta(days=2_900_000)])
def test_a_time_to_come_makes_nothing_that_is_told_later_older(shop, client, ahead):
    number = 1905 if ahead.days else 1906
    odd = woo_order(number, date_modified_gmt=gmt(datetime.now(UTC) + ahead))
    shop.send(odd, "order.created")
    became(client, number, DONE)
    cup = {**odd["line_items"][0], "quantity": 1, "total": "9.90"}
    shop.send({**odd, "date_modified_gmt": gmt(datetime.now(UTC)), "line_items": [cup], "total": "14.80"})
    became(client, number, DONE, DONE)
    assert [each.wanted for each in order(client, number).lines] == [1]


def test_a_deleted_order_is_cancelled_and_what_is_no_order_is_ignored(shop, client):
    shop.send(woo_order(1005), "order.created")
    became(client, 1005, DONE)
    shop.send({"id": 1005}, "order.deleted")
    became(client, 1005, DONE, DONE)
    assert order(client, 1005).status == orders_pb2.ORDER_STATUS_CANCELLED
    shop.send({"id": 77, "name": "Peppermint"}, "product.updated")
    became(client, 77, IGNORED)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-wc-webhook-signature": ""}, 401),
        ({"x-wc-webhook-signature": "AAAA"}, 401),
        ({"x-wc-webhook-signature": "é"}, 401),
        ({"x-wc-webhook-topic": "order updated"}, 400),
        ({"content-encoding": "br"}, 400),
        ({"content-encoding": "gzip"}, 400),
    ],
)
def test_what_is_not_proven_or_not_what_the_shop_sends_is_refused_for_good(shop, client, headers, status):
    body = json.dumps(woo_order(6001)).encode()
    sent = {"x-wc-webhook-topic": "order.updated", "x-wc-webhook-signature": signed(body)}
    sent |= headers
    answer = HTTP.post(
        f"{shop.edge}/in/default/main",
        content=body,
        headers=[(name.encode(), value.encode()) for name, value in sent.items()],
    )
    assert answer.status_code == status
    assert not [each for each in receptions(client) if each.object_id == "6001"]


def test_a_proven_body_that_is_no_order_is_refused_and_one_that_is_cut_off_is_not_proven(shop):
    assert shop.post(b"not json").status_code == 400
    assert shop.post(b'{"no": "id"}').status_code == 400
    body = json.dumps(woo_order(6002)).encode()
    assert shop.post(body[:-9], x_wc_webhook_signature=signed(body)).status_code == 401


def test_nobody_learns_which_tenants_and_connections_there_are(shop):
    answers = [
        HTTP.post(f"{shop.edge}/in/{tenant}/{name}", content=b"{}")
        for tenant, name in (("default", "nobody"), ("nobody", "main"), ("No Tenant!", "main"))
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(410, answers[0].text)}


def test_a_body_that_is_huge_or_unpacks_to_something_huge_is_not_taken(shop):
    assert shop.post(b" " * ((4 << 20) + 1)).status_code == 413
    bomb = gzip.compress(b"0" * (200 << 20), 1)
    assert len(bomb) < (2 << 20)
    assert shop.post(bomb, content_encoding="gzip").status_code == 413
    body = json.dumps(woo_order(1006)).encode()
    packed = shop.post(
        gzip.compress(body), "order.created", x_wc_webhook_signature=signed(body), content_encoding="gzip"
    )
    assert packed.status_code == 200


def test_an_order_that_is_not_understood_is_work_until_it_is_dropped_or_replayed(shop, client, service):
    for number in (7001, 7002):
        shop.send(woo_order(number, currency="ZZZ"), "order.created")
        (row,) = became(client, number, FAILED)
        assert "currency" in row.reason
        assert "Ann" not in row.reason
    ids = [became(client, number, FAILED)[0].reception_id for number in (7001, 7002)]
    kinds = work_pb2.ListWorkRequest(kinds=[work_pb2.WORK_KIND_RECEPTION])

    def work():
        return client.work.ListWork(kinds).work

    wait_for(lambda: len(work()) == 2)
    console = Console(service.address)
    assert "1 Elm Street" not in console("inbox", "show", ids[0]).out
    assert "1 Elm Street" in console("inbox", "show", ids[0], "--personal").out
    assert ids[0] in console("inbox", "list", "--state", "failed").out
    assert console("inbox", "replay", ids[0]).code == 0
    (again,) = became(client, 7001, FAILED)
    assert again.attempts == 3
    assert console("inbox", "drop", ids[1]).code == 0
    wait_for(lambda: len(work()) == 1)
    assert console("inbox", "drop", ids[0]).code == 0
    wait_for(lambda: not work())


def test_a_person_who_is_erased_is_erased_from_the_inbox(shop, client):
    newer = {"date_modified_gmt": "2026-01-05T10:00:00"}
    shop.send(woo_order(1007, **newer), "order.created")
    became(client, 1007, DONE)
    shop.send(woo_order(1007))  # older
    became(client, 1007, DONE, IGNORED)
    shop.send(woo_order(1007, **{**newer, "meta_data": ["of no concern"]}))
    rows = became(client, 1007, DONE, IGNORED, IGNORED)
    client.admin.ErasePerson(admin_pb2.ErasePersonRequest(order_id="main/1007", even_if_open=True))
    for row in rows:
        wanted = edges_pb2.GetReceptionRequest(reception_id=row.reception_id, with_personal_data=True)
        assert not client.edges.GetReception(wanted).body


def test_a_slow_sender_is_cut_off_and_holds_nobody(shop, monkeypatch):
    monkeypatch.setattr(serving, "HEADER_SECONDS", 0.3)
    monkeypatch.setattr(bodies, "SECONDS", 0.3)
    host, port = shop.edge.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as silent:
        silent.sendall(b"POST /in/default/main HT")
        assert silent.recv(100) == b""
    with socket.create_connection((host, int(port)), timeout=20) as slow:
        slow.sendall(b"POST /in/default/main HTTP/1.1\r\nhost: edge\r\ncontent-length: 100\r\n\r\n{")
        assert slow.recv(100).startswith(b"HTTP/1.1 503")


def test_what_comes_while_a_connection_is_paused_waits_and_goes_on(shop, client, service, monkeypatch):
    monkeypatch.setattr(accounts, "_FRESH_SECONDS", 600.0)  # so long the door may still use what it knew
    shop.send(woo_order(1010), "order.created")
    became(client, 1010, DONE)
    console = Console(service.address)
    assert "paused" in console("connection", "pause", "main").out
    assert shop.send(woo_order(1008), "order.created").status_code == 200
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        rests = "SELECT FROM fulfilment.wakeups WHERE what = 'inbox' AND due_at = 'infinity' AND leased_until IS NULL"
        wait_for(lambda: connection.execute(rests).fetchone() is not None)  # nobody looks for the end of a pause
    (row,) = [each for each in receptions(client) if each.object_id == "1008"]
    assert row.state == edges_pb2.RECEPTION_STATE_WAITING
    assert console("connection", "resume", "main").code == 0
    became(client, 1008, DONE)


def test_what_was_kept_is_worked_on_in_small_parts_also_while_much_comes_in_all_the_time(shop, client, monkeypatch):
    monkeypatch.setattr(Traffic, "is_heavy", True)
    monkeypatch.setattr(worker, "_FEW_AT_ONCE", 2)
    asked: list[int] = []
    due = Inbox.due

    async def noted(inbox, connections, most):
        asked.append(most)
        return await due(inbox, connections, most)

    monkeypatch.setattr(Inbox, "due", noted)
    for number in range(1301, 1307):
        assert shop.send(woo_order(number), "order.created").status_code == 200
    for number in range(1301, 1307):
        became(client, number, DONE)
    assert set(asked) == {2}
    assert len(asked) >= 3


def test_two_secrets_are_valid_after_a_rotation_and_none_is_shown(shop, client, service, tmp_path):
    console, file = Console(service.address), tmp_path / "secret"
    for secret, name in (("second secret", "2001"), ("third secret", "2002")):
        file.write_text(f"{secret}\n")
        rotated = console("connection", "rotate", "main", "--secret-file", str(file))
        assert rotated.code == 0
        body = json.dumps(woo_order(int(name))).encode()
        wait_for(lambda: shop.post(body, x_wc_webhook_signature=signed(body, secret)).status_code == 200)  # noqa: B023
        shown = console("connection", "show", "main").out + console("--json", "connection", "list").out
        assert secret not in shown
        assert "2 valid" in shown
    body = json.dumps(woo_order(2003)).encode()
    assert shop.post(body, x_wc_webhook_signature=signed(body, SECRET)).status_code == 401
    assert shop.post(body, x_wc_webhook_signature=signed(body, "second secret")).status_code == 200
    file.write_text(SECRET)
    console("connection", "rotate", "main", "--secret-file", str(file))


def test_a_shop_is_asked_for_what_it_did_not_tell(edge, client, service, tmp_path):
    file = tmp_path / "secrets"
    file.write_text(f"webhook={SECRET}\nkey=ck_1\nsecret=cs_1\n")
    console = Console(service.address)
    with woo_shop(edge, "asked") as shop:
        for number in range(1, 121):
            shop.change(3000 + number, f"2026-11-27T10:{number // 60:02}:{number % 60:02}")
        shop.orders[3050]["date_modified_gmt"] = "2026-11-27T10:00:50 or so"
        shop.faults = [Fault(429, headers={"retry-after": "1"})]
        added = console(
            "connection", "add", "woocommerce", "--name", "asked", "--shop", shop.url, "--secret-file", str(file)
        )
        assert (added.code, "/in/default/asked" in added.out) == (0, True)

        def standing():
            found = client.edges.ListConnections(edges_pb2.ListConnectionsRequest()).connections
            return next(each for each in found if each.name == "asked")

        wait_for(lambda: standing().HasField("asked_at") and standing().found_by_asking == 120)
        wait_for(lambda: not standing().waiting)
        assert "120" in console("connection", "show", "asked").out
        off = [topic for topic, status in sorted(shop.statuses.items()) if status == "disabled"]
        assert off
        wait_for(lambda: f"switched off its webhooks: {', '.join(off)};" in standing().problem)
        failed = console("inbox", "list", "--connection", "asked", "--state", "failed").out
        assert ("3050" in failed, "date_modified_gmt: no time" in failed, failed.count("order.")) == (True, True, 1)
        tested = console("connection", "test", "asked")
        assert (tested.code, "it is disabled" in tested.out, "orders can be read" in tested.out) == (1, True, True)
        found = client.orders.GetOrder(orders_pb2.GetOrderRequest(order_id="asked/3120")).order
        assert found.money.total_minor == 2470
        assert len({query["modified_after"][0] for query in shop.asked if "modified_after" in query}) >= 3
        # What a webhook tells then is the same, and nothing new.
        shop.send(shop.orders[3001], "order.created")
        assert standing().waiting == 0
    assert console("connection", "remove", "asked", "--yes").code == 0
    wait_for(lambda: HTTP.post(f"{edge}/in/default/asked", content=b"").status_code == 410)


def test_a_connection_that_is_added_anew_takes_in_what_the_one_of_before_had(edge, client, service, tmp_path):
    file = tmp_path / "secret"
    file.write_text(own_site.SECRET)
    console = Console(service.address)
    for count in (1, 2):
        assert console("connection", "add", "site", "--name", "again", "--secret-file", str(file)).code == 0
        for _ in (1, 2):  # twice is once
            raw = json.dumps(own_site.told("order", own_site.site_order("A1"))).encode()
            headers = own_site.signed_headers(raw, "again-1", datetime.now(UTC))
            assert HTTP.post(f"{edge}/in/default/again", content=raw, headers=headers).status_code == 200
        assert len(receptions(client, connection="again")) == count
        assert console("connection", "remove", "again", "--yes").code == 0
        wait_for(lambda: HTTP.post(f"{edge}/in/default/again", content=b"").status_code == 410)


def test_figures_are_counted_and_tell_of_nobody(shop):
    assert HTTP.get(f"{shop.edge}/healthz").text == "ok\n"
    figures = HTTP.get(f"{shop.edge}/metrics").text
    assert 'fulfilment_edge_deliveries_total{system="woocommerce",outcome="kept"}' in figures
    assert 'outcome="bad_signature"' in figures
    assert "ann@example.org" not in figures


@pytest.mark.parametrize(
    ("system", "fields"),
    [
        ("woocommerce", ["settings[shop]"]),
        ("shopify", ["settings[shop]"]),
        ("webhook", ["settings[url]", "settings[channel]"]),
        ("twilio", ["settings[account]", "settings[from]", "settings[channel]"]),
        ("amazon", ["settings[marketplaces]", "settings[seller]", "settings[client]"]),
    ],
)
def test_a_setting_that_is_missing_is_said_once(client, system, fields):
    request = edges_pb2.AddConnectionRequest(context=context(), name="x", system=system)
    sentence = str(refused(client.edges.AddConnection, request).details())
    assert re.findall(r"(settings\S*): ", sentence) == fields


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"system": "spotify"}, "system"),
        ({"settings": {}}, "settings[shop]"),
        ({"settings": {"shop": "ftp://shop"}}, "settings"),
        ({"secrets": {}}, "secrets[webhook]"),
        ({"secrets": {"webhook": "s", "password": "hunter2"}}, "secrets"),
        ({"name": "a b"}, "name"),
    ],
)
def test_a_connection_is_refused_what_its_system_does_not_know(client, wrong, field):
    fields = {
        "name": "x",
        "system": "woocommerce",
        "settings": {"shop": "shop.example.org"},
        "secrets": {"webhook": "s"},
    }
    request = edges_pb2.AddConnectionRequest(context=context(), **{**fields, **wrong})
    sentence = str(refused(client.edges.AddConnection, request).details())
    assert sentence.startswith(f"{field}: ")
    assert "is required" not in sentence or "system" not in wrong  # of another system than the one that was meant
    assert "hunter2" not in sentence
