"""The contract over HTTP and JSON: the same answers and refusals as over gRPC, from the same service."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.message import Message

from adapters.access.limits import Meter
from adapters.http_api import routes
from fulfilment.failures import failure
from fulfilment.v1 import audit_pb2, batch_pb2, orders_pb2
from tests.support import documented
from tests.support.edge import edging
from tests.support.figures import read
from tests.support.http_api import LONGEST_BODY, Http, as_body
from tests.support.service import HOUSE, Client, Service, names_of, order
from tests.support.trading import Trade, fresh
from tests.support.waiting import wait_for

RPCS = documented.rpcs()
UNARY = sorted(name for name, rpc in RPCS.items() if not rpc.streams)


@pytest.fixture(scope="module")
def http(service: Service) -> Iterator[Http]:
    with edging(service) as url:
        yield Http(url)


@pytest.fixture
def trade(client: Client) -> Trade:
    return Trade(client)


def over_grpc(client: Client, rpc: str, request: Message) -> Any:
    """The answer as JSON, or code, reason, sentence and figures of the refusal."""
    try:
        answer = Trade(client).call(rpc)(request)
    except grpc.RpcError as error:
        failed = failure(error)
        figures = {key: value for key, value in failed.metadata.items() if key != "left_out"}
        return {"code": error.code().name, "reason": failed.reason, "details": figures, "faults": list(failed.fields)}
    return json_format.MessageToDict(answer, preserving_proto_field_name=True)


def over_http(http: Http, rpc: str, request: Message) -> Any:
    answer = http.call(rpc, request)
    if "reason" not in answer or "code" not in answer:
        return answer
    faults = [(each["field"], each["description"]) for each in answer.get("violations", ())]
    return {"code": answer["code"], "reason": answer["reason"], "details": answer["details"], "faults": faults}


# --- the same as over gRPC ------------------------------------------------------------------------


@pytest.mark.parametrize("rpc", UNARY)
def test_what_is_well_formed_is_answered_over_http_as_over_grpc(client: Client, http: Http, trade: Trade, rpc: str):
    """A command is sent once each way: the second time its first outcome is answered again."""
    request = trade.request(rpc)
    first, again = over_http(http, rpc, request), over_grpc(client, rpc, request)
    if rpc in LASTING:
        first, again = LASTING[rpc](first), LASTING[rpc](again)
    elif "outcome" in first:
        assert (first.pop("outcome"), again.pop("outcome")) == ("OUTCOME_APPLIED", "OUTCOME_REPLAYED")
    assert _still(first) == _still(again)


LASTING: dict[str, Callable[[Any], Any]] = {
    "Diagnose": lambda answer: [each["check"] for each in answer["findings"]],
    "GetStatus": lambda answer: (answer["version"], sorted(each["name"] for each in answer["projections"])),
}
"""What an answer about the service itself says at every look: a projector or a sender may work between two of them."""


def _still(tree: Any) -> Any:
    """An answer without what goes on by itself: the head of the log, the time."""
    if isinstance(tree, list):
        return [_still(each) for each in tree]
    if not isinstance(tree, dict):
        return tree
    moving = {"position", "as_of", "since", "until", "head"}
    return {name: _still(each) for name, each in tree.items() if name not in moving}


def test_a_batch_has_an_outcome_for_each_command_over_http_too(http: Http, trade: Trade):
    placed, refused = trade.request("PlaceOrder"), trade.request("ConfirmOrder")
    commands = [batch_pb2.BatchCommand(place_order=placed), batch_pb2.BatchCommand(confirm_order=refused)]
    applied, declined = http.call("ExecuteBatch", batch_pb2.ExecuteBatchRequest(commands=commands))["outcomes"]
    assert applied["receipt"]["outcome"] == "OUTCOME_APPLIED"
    assert (declined["refusal"]["reason"], declined["refusal"]["details"]) == (
        "UNKNOWN_ORDER",
        {"order_id": "shop/nobody"},
    )


REFUSED = {
    "malformed": (lambda trade: ("PlaceOrder", order(fresh(), currency="euro", units=-1)), 400),
    "unknown": (lambda trade: ("GetOrder", trade.request("GetOrder")), 404),
    "beyond the log": (lambda trade: ("ListCases", message_of("ListCases", at_least=1 << 40)), 400),
    "on hold": (lambda trade: ("ConfirmOrder", trade.request("ConfirmOrder", order_id=trade.unpaid())), 409),
    "taken": (lambda trade: ("PlaceOrder", order(trade.placed().partition("/")[2], units=7)), 409),
    "many figures": (lambda trade: ("ReleaseHold", trade.request("ReleaseHold", **incomplete(trade))), 409),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refusal_says_over_http_what_it_says_over_grpc(client: Client, http: Http, trade: Trade, kind: str):
    ask, status = REFUSED[kind]
    rpc, request = ask(trade)
    assert _still(over_http(http, rpc, request)) == _still(over_grpc(client, rpc, request))
    answer = http.post(rpc, request)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert (problem["status"], problem["type"]) == (status, f"/problems/{problem['reason']}")
    assert problem["title"].upper().replace(" ", "_") == problem["reason"]


def message_of(rpc: str, **fields: Any) -> Any:
    kind = descriptor_pool.Default().FindMessageTypeByName(RPCS[rpc].request)
    return message_factory.GetMessageClass(kind)(**fields)


def incomplete(trade: Trade) -> dict[str, Any]:
    order_id = trade.placed(lines=[orders_pb2.OrderLine(unit_price_minor=1)])
    return {"order_id": order_id, "reason": orders_pb2.HOLD_REASON_INCOMPLETE}


# --- what comes with a request --------------------------------------------------------------------


def test_a_request_id_can_be_the_idempotency_key(http: Http):
    placed = {"channel": "shop", "channelOrderId": fresh(), "currency": "EUR", "lines": [{"sku": "tea", "quantity": 1}]}
    key = uuid.uuid4().hex
    first = http.call("PlaceOrder", placed, idempotency_key=key)
    again = http.call("PlaceOrder", placed, idempotency_key=f'"{key}"')
    assert (first["outcome"], again["outcome"]) == ("OUTCOME_APPLIED", "OUTCOME_REPLAYED")
    assert first["position"] == again["position"]
    own = http.call("PlaceOrder", {**placed, "context": {"requestId": uuid.uuid4().hex}}, idempotency_key=key)
    assert (own["outcome"], own["position"] >= first["position"]) == ("OUTCOME_APPLIED", True)
    assert http.call("PlaceOrder", placed)["violations"][0]["field"] == "context.request_id"
    assert http.call("PlaceOrder", placed, idempotency_key="a b")["violations"][0]["field"] == "context.request_id"


def test_the_tenant_is_named_by_a_header(client: Client, http: Http):
    name = f"t{uuid.uuid4().hex[:8]}"
    http.call("CreateTenant", {"tenant": name})
    order_id = f"shop/{fresh()}"
    request = order(order_id.partition("/")[2])
    assert "position" in http.call("PlaceOrder", request, tenant=name)
    assert http.call("GetOrder", {"orderId": order_id}, tenant=name)["order"]["order_id"] == order_id
    assert http.call("GetOrder", {"orderId": order_id})["reason"] == "UNKNOWN_ORDER"
    assert http.call("GetOrder", {"orderId": order_id}, tenant="nobody")["reason"] == "UNKNOWN_TENANT"


def test_a_command_whose_time_is_over_is_refused_and_not_recorded(client: Client, http: Http, trade: Trade):
    request = order(fresh())
    answer = http.post("PlaceOrder", request, request_timeout="0")
    assert (answer.status_code, answer.json()["reason"]) == (504, "DEADLINE_PASSED")
    assert http.call("GetOrder", {"order_id": f"shop/{request.channel_order_id}"})["reason"] == "UNKNOWN_ORDER"
    assert http.call("PlaceOrder", request, request_timeout="60.5")["outcome"] == "OUTCOME_APPLIED"
    for wrong in ("soon", "-1", "1e3", "", "1." + "0" * 99):
        assert http.call("PlaceOrder", request, request_timeout=wrong)["violations"][0]["field"] == "Request-Timeout"


# --- bad input ------------------------------------------------------------------------------------


def faults_of(http: Http, rpc: str, body: bytes | dict[str, Any]) -> dict[str, str]:
    answer = http.post(rpc, body)
    assert (answer.status_code, answer.json()["reason"]) == (400, "MALFORMED"), answer.text
    return {each["field"]: each["description"] for each in answer.json()["violations"]}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "is no JSON: Expecting property name enclosed in double quotes in line 1, column 2"),
        (b'{"a": 1', "is no JSON: "),
        (b"{}\n{}", "is no JSON: Extra data in line 2, column 1"),
        (b"[]", "an array is no object"),
        (b"null", "null is no object"),
        (b'"text"', "'text' is no object"),
        (b"\xff\xfe", "is not UTF-8: byte 1 cannot be read"),
        ('{"channel": "ü"}'.encode("latin-1"), "is not UTF-8: byte 14 cannot be read"),
        ("\ufeff{}".encode(), "is no JSON: Unexpected UTF-8 BOM"),
        (b'{"lines": ' + b"[" * 100_000, "is nested too deeply"),
        (b'{"a":' * 100_000, "is nested too deeply"),
        (b'{"placed_at": NaN}', "holds NaN, which is no number of JSON"),
        (b'{"placed_at": -Infinity}', "holds -Infinity, which is no number of JSON"),
        (b'{"lines": [{"quantity": ' + b"9" * 5000 + b"}]}", "holds a number of thousands of digits"),
    ],
)
def test_what_is_no_json_is_refused_and_says_where(http: Http, body: bytes, says: str):
    assert faults_of(http, "PlaceOrder", body)["request"].startswith(says)


def test_all_faults_of_a_body_are_said_at_once_each_with_its_path(client: Client, http: Http):
    recorded = names_of(client, "order.placed")
    body = """{
        "context": {"request_id": 7, "with_result": "yes"}, "channel": "shop", "channel": "shop",
        "chanel_order_id": "1", "currency": null, "custmer": {"name": "Ann"},
        "lines": [{"sku": "tea", "quantity": 1.5, "unitPriceMinor": "12x"},
                  {"quantity": 3000000000, "unit_price_minor": 1e999999999, "unitPriceMinor": 1}, 5, null],
        "payment": "PAID", "placed_at": "yesterday", "promised_by": "2026-13-01T00:00:00Z",
        "ship_to": {"lines": "1 Elm Street", "country": "\\ud800"}, "customer": []
    }"""
    assert faults_of(http, "PlaceOrder", body.encode()) == {
        "channel": "is given twice",
        "context.request_id": "7 is no string",
        "context.with_result": "'yes' is neither true nor false",
        "chanel_order_id": "is no field of PlaceOrderRequest; did you mean channel_order_id?",
        "custmer": "is no field of PlaceOrderRequest; did you mean customer?",
        "lines[0].quantity": "1.5 is no whole number",
        "lines[0].unit_price_minor": "'12x' is no whole number",
        "lines[1].quantity": "3000000000 does not fit into 32 bits",
        "lines[1].unit_price_minor": "1E+999999999 does not fit into 64 bits",
        "lines[1].unitPriceMinor": "is given beside unit_price_minor, and only one of the two can be",
        "lines[2]": "5 is no object",
        "lines[3]": "null is no object",
        "payment": "'PAID' is no PaymentState; use one of PAYMENT_STATE_PENDING, PAYMENT_STATE_AUTHORISED, "
        "PAYMENT_STATE_PAID, PAYMENT_STATE_PARTLY_REFUNDED, PAYMENT_STATE_REFUNDED, PAYMENT_STATE_FAILED, "
        "PAYMENT_STATE_PARTLY_PAID",
        "placed_at": "'yesterday' is not an instant such as 2026-01-05T09:00:00Z",
        "promised_by": "'2026-13-01T00:00:00Z' is not an instant such as 2026-01-05T09:00:00Z",
        "ship_to.lines": "'1 Elm Street' is no array",
        "ship_to.country": "holds one half of a surrogate pair, which is no character",
        "customer": "an array is no object",
    }
    assert names_of(client, "order.placed") == recorded


def test_of_many_faults_the_first_fifty_are_said(http: Http):
    assert len(faults_of(http, "PlaceOrder", {f"field_{number}": 1 for number in range(100_000)})) == 50


def test_a_misspelt_name_is_refused_however_long_and_odd(http: Http):
    (path,) = faults_of(http, "PlaceOrder", json.dumps({"\ud800" * 100_000: 1}).encode())
    assert len(path) < 100


@pytest.mark.parametrize("text", ["not base64", "a", "YQ==YQ==", "ä", "\ud800"])
def test_bytes_are_base64(http: Http, text: str):
    assert "data" in faults_of(http, "AddEvidence", json.dumps({"data": text}).encode())


def test_bytes_can_be_written_in_both_alphabets_of_base64(client: Client, http: Http, trade: Trade):
    case_id = trade.opened()
    asked = {"case_id": case_id, "type": "EVIDENCE_TYPE_PNG", "given_by": "PARTY_CUSTOMER"}
    for encoded in ("iVBORw0KGgr_-w==", "iVBORw0KGgr/+w"):
        answer = http.call("AddEvidence", {**asked, "data": encoded}, idempotency_key=uuid.uuid4().hex)
        assert answer["outcome"] == "OUTCOME_APPLIED", answer


def test_no_rpc_makes_a_mistake_of_odd_values(http: Http):
    for rpc in UNARY:
        kind = descriptor_pool.Default().FindMessageTypeByName(RPCS[rpc].request)
        values: tuple[Any, ...] = ("", "\x00", -1, 2**63 - 1, True, [], [{}], {}, "9" * 20)
        for odd in values:
            http.call(rpc, {field.name: odd for field in kind.fields})


# --- HTTP itself ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/v1/OrderService/Nothing", {}, 404),
        ("POST", "/v1/Nothing/PlaceOrder", {}, 404),
        ("POST", "/v1/StockService/PlaceOrder", {}, 404),
        ("GET", "/v1/OrderService/PlaceOrder", {}, 405),
        ("OPTIONS", "/v1/OrderService/PlaceOrder", {"origin": "https://evil.example"}, 405),
        ("POST", "/v1/OrderService/PlaceOrder", {"content-type": "text/plain"}, 415),
        ("POST", "/v1/OrderService/PlaceOrder", {"content-type": "application/json; charset=latin-1"}, 415),
        ("POST", "/v1/OrderService/PlaceOrder", {"content-type": "application/jsonp"}, 415),
        ("POST", "/v1/OrderService/PlaceOrder", {"content-encoding": "gzip"}, 415),
        ("POST", "/v1/OrderService/PlaceOrder", {"host": "rebound.example"}, 421),
        ("POST", "/v1/OrderService/PlaceOrder", {"content-length": str(LONGEST_BODY + 1)}, 413),
    ],
)
def test_what_http_refuses_is_a_problem_without_a_reason(
    http: Http, method: str, path: str, headers: dict[str, str], status: int
):
    content = None if method == "GET" else b"{}"
    sent = {"content-type": "application/json", **headers}
    if status == 413:
        content = b" " * (LONGEST_BODY + 1)
    answer = http.client.request(method, path, content=content, headers=sent)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json().keys() == {"type", "title", "status", "detail"}
    assert not any(name.startswith("access-control") for name in answer.headers)


def test_a_body_of_unknown_length_is_cut_off_where_it_gets_too_long(http: Http):
    def parts() -> Iterator[bytes]:
        for _ in range(LONGEST_BODY // (1 << 16) + 2):
            yield b" " * (1 << 16)

    answer = http.client.post(
        "/v1/OrderService/PlaceOrder", content=parts(), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 413


def test_a_query_needs_no_body(http: Http):
    answer = http.client.post("/v1/AdminService/GetStatus")
    assert answer.status_code == 200
    assert answer.json()["version"]


def test_calls_over_http_are_counted_as_those_over_grpc(http: Http):
    before = read(http.client.get("/metrics").text)

    def more(rpc: str, code: str, reason: str = "") -> float:
        name = f'fulfilment_calls_total{{rpc="{rpc}",code="{code}",reason="{reason}"}}'
        return read(http.client.get("/metrics").text).get(name, 0.0) - before.get(name, 0.0)

    http.call("GetStatus")
    http.call("GetOrder", {"order_id": "shop/nowhere"})
    http.client.post("/v1/OrderService/GetOrder", content=b"{}", headers={"content-type": "text/plain"})
    http.client.get("/v1/OrderService/GetOrder")  # not by POST, so that it calls nothing
    lines_of(http, "StreamFacts", {})
    lines_of(http, "StreamFacts", {"after": "-1"})
    assert more("GetStatus", "OK") == 1
    assert more("GetOrder", "NOT_FOUND", "UNKNOWN_ORDER") == 1
    assert more("GetOrder", "INVALID_ARGUMENT", "UNSUPPORTED_MEDIA_TYPE") == 1
    assert more("StreamFacts", "OK") == more("StreamFacts", "INVALID_ARGUMENT", "MALFORMED") == 1
    count = 'fulfilment_call_seconds_count{rpc="GetOrder"}'
    assert read(http.client.get("/metrics").text)[count] - before.get(count, 0.0) == 2


# --- lists and streams ----------------------------------------------------------------------------


def test_a_list_is_paged_over_http_as_over_grpc(http: Http, trade: Trade):
    for _ in range(3):
        newest = trade.send("RegisterSupplier", supplier_id=fresh()).position
    seen: list[str] = []
    token = ""
    while True:
        page = http.call("ListSuppliers", {"at_least": newest, "page": {"page_size": 2, "page_token": token}})
        seen += [each["supplier_id"] for each in page["suppliers"]]
        token = page.get("next_page_token", "")
        if not token:
            break
    assert len(seen) == len(set(seen)) >= 3


def lines_of(http: Http, rpc: str, body: Any) -> list[Any]:
    about = RPCS[rpc]
    path = f"/v1/{about.service}/{rpc}"
    headers = {"content-type": "application/json"}
    with http.client.stream("POST", path, content=as_body(body), headers=headers) as answer:
        if answer.status_code != 200:
            return [json.loads(answer.read())]
        assert answer.headers["content-type"] == "application/x-ndjson"
        return [json.loads(line) for line in answer.iter_lines() if line]


def test_a_stream_is_a_message_a_line(client: Client, http: Http, trade: Trade):
    trade.placed()
    facts = [fact for line in lines_of(http, "StreamFacts", {}) for fact in line["facts"]]
    same = [fact.name for part in client.audit.StreamFacts(audit_pb2.StreamFactsRequest()) for fact in part.facts]
    assert [fact["name"] for fact in facts][: len(same)] == same
    (refused,) = lines_of(http, "StreamFacts", {"after": "-1"})
    assert (refused["status"], refused["reason"]) == (400, "MALFORMED")
    (nobody,) = lines_of(http, "ExportPerson", {"email": "nobody@example.org"})
    assert (nobody["status"], nobody["reason"]) == (404, "UNKNOWN_PERSON")
    (unknown,) = lines_of(http, "GetEvidence", {"case_id": "nobody", "sha256": "ab" * 32})
    assert unknown["reason"] == "UNKNOWN_CASE"


def test_a_stream_that_waits_says_so_and_ends_when_its_caller_has_gone(
    http: Http, trade: Trade, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(routes, "QUIET_SECONDS", 0.05)
    ended = threading.Event()
    close = Meter.close_stream

    def closed(meter: Meter) -> None:
        ended.set()
        close(meter)

    monkeypatch.setattr(Meter, "close_stream", closed)
    position = http.call("PlaceOrder", order(fresh()))["position"]
    body = as_body({"after": position, "follow": True})
    with http.client.stream(
        "POST", "/v1/AuditService/StreamFacts", content=body, headers={"content-type": "application/json"}
    ) as answer:
        lines = answer.iter_lines()
        assert next(lines) == ""
        placed = trade.placed()
        streams = (fact["stream"] for line in lines if line for fact in json.loads(line)["facts"])
        assert f"order-{placed}" in streams, "with what else was recorded meanwhile"
        assert not ended.is_set()
    assert ended.wait(60)
    name = 'fulfilment_calls_total{rpc="StreamFacts",code="CANCELLED",reason=""}'
    assert wait_for(lambda: read(http.client.get("/metrics").text).get(name))


# --- the page -------------------------------------------------------------------------------------


def test_the_calls_of_the_page_are_answered_as_it_shows(http: Http):
    (block,) = re.findall(r"```console\n(.*?)```", (HOUSE / "docs" / "http.md").read_text(), re.DOTALL)
    steps = [each.strip().rsplit("\n", 1) for each in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    assert len(steps) == 3
    for command, shown in steps:
        words = shlex.split(command.replace("\\\n", " ").replace("http://127.0.0.1:8080", http.url))
        assert words[0] == "curl"
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert re.fullmatch(".*".join(map(re.escape, shown.split("…"))), done.stdout), done.stdout + done.stderr
