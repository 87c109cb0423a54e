"""Over HTTP the same gate: tokens, roles, tenants, limits."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import psycopg
import pytest

from adapters.access.roles import ROLES
from adapters.access.tls import Files
from tests.support import documented
from tests.support.access import administer, until
from tests.support.certificates import Authority
from tests.support.edge import edging
from tests.support.hosting import hosting
from tests.support.http_api import Http, as_body
from tests.support.service import Service, order
from tests.support.trading import fresh

RPCS = documented.rpcs()
SOME = ("shop", "supplier", "reporting", "admin")


class Guarded(NamedTuple):
    """A service with clients."""

    url: str
    service: Service
    tokens: dict[str, str]

    def of(self, name: str) -> Http:
        return Http(self.url, authorization=f"Bearer {self.tokens[name]}")


@pytest.fixture(scope="module")
def guarded(embedded: str) -> Iterator[Guarded]:
    with (
        tempfile.TemporaryDirectory(prefix="fulfilment-", ignore_cleanup_errors=True) as folder,
        hosting(embedded, Path(folder, "data")) as service,
    ):
        tokens: dict[str, str] = {}
        where = ("--dsn", service.dsn)
        for role in SOME:
            supplier = ("--supplier", "acme") if role == "supplier" else ()
            tokens[role] = administer("add", role, "--role", role, "--tenant", "default", *supplier, *where).token
        tokens["hill"] = administer("add", "hill", "--role", "owner", "--tenant", "hill", *where).token
        tokens["slow"] = administer(
            "add", "slow", "--role", "owner", "--all-tenants", "--calls-per-second", "1", *where
        ).token
        with edging(service) as url:
            yield Guarded(url, service, tokens)


@pytest.mark.parametrize("role", SOME)
def test_a_role_may_call_over_http_what_its_row_names_and_nothing_else(guarded: Guarded, role: str):
    http = guarded.of(role)
    for rpc in RPCS:
        problem = http.call(rpc, b"unreadable")
        if rpc in ROLES[role].rpcs:
            assert (problem["status"], problem["reason"]) == (400, "MALFORMED"), rpc
        else:
            assert (problem["status"], problem["reason"]) == (403, "NOT_ALLOWED"), rpc
            assert problem["details"] == {"role": role, "rpc": rpc, "lacks": "role"}


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer  x", "Basic eA==", "Bearer flk_shop_x", "Bearer " + "a" * 5000]
)
def test_without_good_credentials_nothing_is_read(guarded: Guarded, authorization: str):
    answer = Http(guarded.url).post("PlaceOrder", b"unreadable", authorization=authorization)
    assert (answer.status_code, answer.json()["reason"]) == (401, "CREDENTIALS")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_client_is_recorded_and_its_request_ids_are_its_own(guarded: Guarded):
    placed = order(fresh())
    guarded.of("shop").call("PlaceOrder", placed)
    found = guarded.of("shop").call("GetOrder", {"order_id": f"shop/{placed.channel_order_id}"})
    assert found["order"]["order_id"] == f"shop/{placed.channel_order_id}"
    with psycopg.connect(guarded.service.dsn) as connection:
        stored = [row[0] for row in connection.execute("SELECT request_id FROM tenant_default.ledger_commands")]
    assert stored == [f" shop {placed.context.request_id}"]


def test_a_tenant_that_is_not_granted_is_unknown(guarded: Guarded):
    for headers in ({"tenant": "hill"}, {"tenant": "no such"}):
        answer = guarded.of("shop").post("PlaceOrder", order(fresh()), **headers)
        assert (answer.status_code, answer.json()["reason"]) == (404, "UNKNOWN_TENANT")
    assert guarded.of("hill").call("ListOrders")["details"] == {"tenant": "hill"}


def test_what_is_too_much_is_refused_with_a_time_to_come_back(guarded: Guarded):
    http = guarded.of("slow")
    answers = [http.post("GetStatus") for _ in range(20)]
    limited = [each for each in answers if each.status_code == 429]
    assert limited
    assert limited[0].json()["reason"] == "RATE_LIMITED"
    assert int(limited[0].headers["retry-after"]) >= 1


def test_a_stream_ends_when_its_token_is_revoked(guarded: Guarded):
    where = ("--dsn", guarded.service.dsn)
    token = administer("add", "reader", "--role", "owner", "--tenant", "default", *where).token
    http = Http(guarded.url, authorization=f"Bearer {token}")
    until(lambda: http.client.post("/v1/AdminService/GetStatus").status_code == 200, "the client is known")
    guarded.of("shop").call("PlaceOrder", order(fresh()))
    with http.client.stream(
        "POST",
        "/v1/AuditService/StreamFacts",
        content=as_body({"follow": True}),
        headers={"content-type": "application/json"},
    ) as answer:
        lines = answer.iter_lines()
        assert "facts" in next(lines)
        administer("revoke", "reader", *where)
        until(lambda: http.client.post("/v1/AdminService/GetStatus").status_code == 401, "the token is revoked")
        last = next(line for line in lines if line)
    assert '"problem":{"type":"/problems/CREDENTIALS"' in last


def test_a_stream_ends_when_its_tenant_is_taken_away(guarded: Guarded):
    where = ("--dsn", guarded.service.dsn)
    token = administer("add", "moved", "--role", "owner", "--tenant", "default", *where).token
    http = Http(guarded.url, authorization=f"Bearer {token}")
    until(lambda: http.client.post("/v1/AdminService/GetStatus").status_code == 200, "the client is known")
    guarded.of("shop").call("PlaceOrder", order(fresh()))
    with http.client.stream(
        "POST",
        "/v1/AuditService/StreamFacts",
        content=as_body({"follow": True}),
        headers={"content-type": "application/json"},
    ) as answer:
        lines = answer.iter_lines()
        assert "facts" in next(lines)
        administer("change", "moved", "--tenant", "elsewhere", *where)
        until(lambda: http.client.post("/v1/AdminService/GetStatus").status_code == 404, "it may use another tenant")
        last = next(line for line in lines if line)
    assert '"problem":{"type":"/problems/UNKNOWN_TENANT"' in last


def test_figures_are_for_whoever_may_read_the_status(guarded: Guarded):
    assert guarded.of("admin").client.get("/metrics").status_code == 200
    assert guarded.of("shop").client.get("/metrics").json()["reason"] == "NOT_ALLOWED"
    assert Http(guarded.url).client.get("/metrics").json()["reason"] == "CREDENTIALS"


def test_streams_count_as_calls_of_a_second(guarded: Guarded):
    http = guarded.of("slow")
    assert 429 in [http.post("StreamFacts").status_code for _ in range(20)]


def test_where_callers_need_a_certificate_a_token_alone_calls_nothing(guarded: Guarded, tmp_path: Path):
    authority = Authority(tmp_path)
    ours, theirs = authority.issue("server"), authority.issue("caller")
    files = Files(ours.certificate, ours.key, authority.file)
    with edging(guarded.service, files) as url:
        token = {"authorization": f"Bearer {guarded.tokens['admin']}"}
        trusted = ssl.create_default_context(cafile=str(authority.file))
        without = httpx2.post(f"{url}/v1/AdminService/GetStatus", verify=trusted, headers=token)
        assert (without.status_code, without.json()["title"]) == (403, "Forbidden")
        assert httpx2.get(f"{url}/healthz", verify=trusted).status_code == 200
        trusted.load_cert_chain(theirs.certificate, theirs.key)
        assert httpx2.post(f"{url}/v1/AdminService/GetStatus", verify=trusted, headers=token).status_code == 200


def test_once_clients_are_asked_who_they_are_the_service_answers_to_any_name(guarded: Guarded):
    answer = guarded.of("admin").client.post("/v1/AdminService/GetStatus", headers={"host": "ledger.example"})
    assert answer.status_code == 200
