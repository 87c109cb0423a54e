"""An own site over real sockets: the page's lines as they are typed, edits, and what is wrong said at once."""

import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import grpc
import httpx2
import pytest

from fulfilment.v1 import edges_pb2, orders_pb2
from tests.support.own_site import SECRET, signed_headers, site_order, told
from tests.support.pages import missing
from tests.support.service import HOUSE, context
from tests.support.terminal import Console
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def site(edge, client):
    """Sends a document to a connection, as the site does."""
    secrets = {"secret": SECRET}
    asked = edges_pb2.AddConnectionRequest(context=context(), name="site", system="site", secrets=secrets)
    client.edges.AddConnection(asked)

    def send(document, message_id):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        headers = signed_headers(body, message_id, datetime.now(UTC))
        return httpx2.post(f"{edge}/in/default/site", content=body, headers=headers, timeout=30)

    return send


def worked_on(client, count):
    """What the inbox has, the oldest first, once so many are there and none waits."""

    def found():
        rows = client.edges.ListReceptions(edges_pb2.ListReceptionsRequest(connection="site")).receptions
        waits = any(each.state == edges_pb2.RECEPTION_STATE_WAITING for each in rows)
        return rows[::-1] if len(rows) >= count and not waits else None

    return wait_for(found)


def test_an_order_is_placed_edited_paid_cancelled_and_refunded_by_its_site(site, client):
    first = site_order("7", promised_day=None, lines=[{**each, "supplier_id": None} for each in site_order()["lines"]])
    assert (site(told("order", first), "7-1").status_code, site(told("order", first), "7-1").text) == (200, "kept\n")
    lines = [{**first["lines"][0], "quantity": 3, "total_minor": 2850}, first["lines"][1]]
    moved = {**first["ship_to"], "city": "Bonn"}
    site(told("order", {**first, "lines": lines, "ship_to": moved}, "2026-01-05T10:00:00Z"), "7-2")
    paid = {"order_id": "7", "payments": [{"payment_id": "p2", "kind": "captured", "amount_minor": 950}]}
    site(told("order.payment", paid, "2026-01-05T10:01:00Z"), "7-3")
    units = {"order_id": "7", "lines": [{"line_id": "b", "units": 1}], "reason": "changed_mind"}
    site(told("order.cancellation", units, "2026-01-05T10:02:00Z"), "7-4")
    refund = {"order_id": "7", "refund_id": "r1", "amount_minor": 500}
    site(told("order.refund", refund, "2026-01-05T10:03:00Z"), "7-5")
    rows = worked_on(client, 5)
    assert {each.state for each in rows} == {edges_pb2.RECEPTION_STATE_DONE}, [each.reason for each in rows]
    known = client.orders.GetOrder(orders_pb2.GetOrderRequest(order_id="site/7", with_personal_data=True)).order
    assert [(each.line.sku, each.wanted) for each in known.lines] == [("TEA", 3), ("CUP", 0)]
    assert known.ship_to.city == "Bonn"
    assert (known.money.came_in_minor, known.money.went_back_minor) == (3740, 500)
    assert {each.payment_id for each in known.payments} == {"p1", "p2", "r1"}


def test_what_does_not_fit_is_answered_with_the_place_of_all_that_is_wrong_and_not_kept(site, client):
    before = len(worked_on(client, 0) or ())
    answer = site(told("order", site_order("8", currency="EURO", note=7)), "8-1")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [each["pointer"] for each in answer.json()["violations"]] == ["/data/currency", "/data/note"]
    assert site(b"{", "8-2").status_code == 400
    assert len(worked_on(client, 0) or ()) == before


def test_something_else_under_the_same_id_is_kept_for_a_person_and_replayed_once_it_is_right(site, client):
    """A repetition is one by its content: nothing that was answered with "kept" is lost without a word."""
    count = len(worked_on(client, 0) or ())
    order = site_order("61", promised_day=None, lines=[{"sku": "TEA", "quantity": 1, "unit_price_minor": 990}])
    other = {**order, "order_id": "62"}
    for document in (told("order", order), told("order", other), told("order", order), told("order", other)):
        assert site(document, "61-1").text == "kept\n"
    rows = worked_on(client, count + 2)[count:]
    failed = edges_pb2.RECEPTION_STATE_FAILED
    assert [(each.object_id, each.state) for each in rows] == [("61", edges_pb2.RECEPTION_STATE_DONE), ("62", failed)]
    assert rows[1].reason == "what came under the same id before had another content; replay it if it is right"
    asked = edges_pb2.ReplayReceptionRequest(context=context(), reception_id=rows[1].reception_id)
    client.edges.ReplayReception(asked)
    assert wait_for(lambda: orders_of(client, "site/62"))[0].order_id == "site/62"


def test_a_slash_behind_the_address_makes_no_difference(edge, site, client):
    body = json.dumps(told("order", site_order("63", promised_day=None))).encode()
    headers = signed_headers(body, "63-1", datetime.now(UTC))
    answer = httpx2.post(f"{edge}/in/default/site/", content=body, headers=headers, timeout=30)
    assert (answer.status_code, answer.text) == (200, "kept\n")


def orders_of(client, order_id):
    with suppress(grpc.RpcError):
        return [client.orders.GetOrder(orders_pb2.GetOrderRequest(order_id=order_id)).order]
    return []


def test_the_schemas_are_served_and_the_document_of_the_contract_has_them(edge):
    answer = httpx2.get(f"{edge}/schemas/order.json")
    assert answer.headers["content-type"] == "application/schema+json"
    assert answer.json()["$id"] == "/schemas/order.json"
    assert httpx2.get(f"{edge}/schemas/nothing.json").status_code == 404
    document = httpx2.get(f"{edge}/openapi.json").json()
    body = document["paths"]["/in/{tenant}/{connection}"]["post"]["requestBody"]["content"]["application/json"]
    assert {"$ref": "#/components/schemas/OrderTold"} in body["schema"]["oneOf"]
    assert "ISO 4217" in httpx2.get(f"{edge}/docs/SiteOrder").text


def test_the_lines_of_the_page_take_a_site_from_nothing_to_its_first_order(service, edge, tmp_path):
    (block,) = re.findall(r"```console\n(.*?)```", (HOUSE / "docs" / "own-site.md").read_text(), re.DOTALL)
    steps = [each.rstrip("\n") for each in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    commands, shown = zip(*(_parted(step) for step in steps), strict=True)
    script = "\n".join(commands[:-1]).replace("http://127.0.0.1:8080", edge)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "FULFILMENT_SERVER": service.address,
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        ["bash", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    lacks = missing([line for lines in shown[:-1] for line in lines], done.stdout)
    assert not lacks, f"{done.stdout}{done.stderr}\nlacks {lacks}"
    (last,) = shown[-1:]
    words = commands[-1].split()[1:]
    wait_for(lambda: not missing(last, Console(service.address)(*words).out))


def _parted(step):
    """What is typed, and the lines that come out: those behind the first that ends what is typed."""
    lines = step.split("\n")
    if lines[0].endswith("() {"):
        end = lines.index("  }")
    elif lines[0].count("'") % 2:
        end = next(number for number, line in enumerate(lines) if number and "'" in line)
    else:
        end = 0
    return "\n".join(lines[: end + 1]), lines[end + 1 :]
