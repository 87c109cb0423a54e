"""Who may do what, over a real socket: roles, tokens, actors."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import psycopg
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from adapters.access.roles import ROLES
from adapters.console.terminal.session import Session
from fulfilment.client import AsyncClient, CallFailed
from fulfilment.failures import failure
from fulfilment.v1 import admin_pb2, audit_pb2, batch_pb2
from tests.support import documented
from tests.support.access import UNREADABLE, administer, answer_to, bearer, knows, reason_for, until
from tests.support.service import Client, ServiceProcess, context, order, reason_of, serving
from tests.support.terminal import Console
from tests.support.trading import Trade, fresh

RPCS = documented.rpcs()


class Guarded(NamedTuple):
    """A service with a client of each role, and one of another tenant."""

    service: ServiceProcess
    data: str
    tokens: Mapping[str, str]
    channel: grpc.Channel

    def client(self, name: str, tenant: str = "") -> Client:
        return Client(self.service.address, tenant, token=self.tokens[name])

    def add(self, name: str, *words: str) -> str:
        return administer("add", name, "--data", self.data, *words).token

    def of(self, name: str) -> Any:
        return bearer(self.tokens[name])


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    with (
        tempfile.TemporaryDirectory(prefix="fulfilment-", ignore_cleanup_errors=True) as folder,
        serving(Path(folder), "--data", f"{folder}/data", "--role", "api") as service,
        grpc.insecure_channel(service.address) as channel,
    ):
        assert "it is open: this machine only" in service.log.read_text()
        tokens: dict[str, str] = {}
        found = Guarded(service, f"{folder}/data", tokens, channel)
        with Client(service.address) as anybody:
            anybody.admin.CreateTenant(admin_pb2.CreateTenantRequest(tenant="hill"))
        for role in ROLES:
            supplier = ("--supplier", "acme") if role == "supplier" else ()
            name = role.replace("_", "-")
            tokens[role] = found.add(name, "--role", role, "--tenant", "default", *supplier)
        tokens["hill"] = found.add("hill-owner", "--role", "owner", "--tenant", "hill", "--personal")
        until(lambda: not knows(service.address, ""), "the first client closes the service")
        until(lambda: knows(service.address, tokens["hill"]), "the last client is known")
        yield found


# --- roles ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_call_what_its_row_names_and_nothing_else(guarded: Guarded, role: str):
    for rpc in RPCS:
        answered = answer_to(guarded.channel, rpc, UNREADABLE, guarded.of(role))
        assert isinstance(answered, CallFailed)
        if rpc in ROLES[role].rpcs:
            assert answered.reason == "MALFORMED", rpc
        else:
            assert (answered.code(), answered.reason) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_ALLOWED"), rpc
            assert answered.metadata == {"role": role, "rpc": rpc, "lacks": "role"}


@pytest.mark.parametrize("role", [name for name, role in ROLES.items() if "ExecuteBatch" in role.rpcs])
def test_a_role_may_do_in_a_batch_what_it_may_do_alone(guarded: Guarded, role: str):
    fields = batch_pb2.BatchCommand.DESCRIPTOR.oneofs_by_name["command"].fields
    commands = [batch_pb2.BatchCommand() for _ in fields]
    for field, command in zip(fields, commands, strict=True):
        getattr(command, field.name).SetInParent()
    rpcs = [
        documented.rpc_of(getattr(command, field.name).DESCRIPTOR.full_name).name
        for field, command in zip(fields, commands, strict=True)
    ]
    with guarded.client(role) as client:
        outcomes = client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=commands)).outcomes
    reasons = dict(zip(rpcs, (each.refusal.reason for each in outcomes), strict=True))
    assert reasons == {rpc: "MALFORMED" if rpc in ROLES[role].rpcs else "NOT_ALLOWED" for rpc in rpcs}
    assert {*reasons.values()} >= {"MALFORMED"}


def test_a_command_that_a_batch_may_not_hold_is_not_recorded_and_spoils_no_other(guarded: Guarded):
    trade = Trade(guarded.client("shop"))
    allowed, forbidden = trade.request("PlaceOrder"), trade.request("ApproveSupplier")
    commands = [
        batch_pb2.BatchCommand(approve_supplier=forbidden),
        batch_pb2.BatchCommand(place_order=allowed),
    ]
    first, second = trade.client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=commands)).outcomes
    assert (first.refusal.reason, first.refusal.details["rpc"]) == ("NOT_ALLOWED", "ApproveSupplier")
    assert second.receipt.position > 0
    with psycopg.connect(guarded.service.dsn) as connection:
        stored = [row[0] for row in connection.execute("SELECT request_id FROM tenant_default.ledger_commands")]
    assert any(request_id.endswith(allowed.context.request_id) for request_id in stored)
    assert not any(request_id.endswith(forbidden.context.request_id) for request_id in stored)


def test_a_receipt_brings_only_what_the_role_may_read(guarded: Guarded):
    for role, brings in (("carrier", False), ("operations", True)):
        with guarded.client(role) as client:
            trade = Trade(client)
            asks = context()
            asks.with_result = True
            receipt = trade.send("RegisterParcel", carrier="dhl", tracking_number=fresh(), context=asks)
            assert receipt.HasField("result") is brings


# --- credentials ------------------------------------------------------------------------------------


def test_without_good_credentials_every_rpc_is_refused_alike(guarded: Guarded):
    """The reason CREDENTIALS, in the same words whatever is wrong."""
    shop = guarded.tokens["shop"]
    secret = shop.removeprefix("flk_shop_")
    wrong: list[Any] = [
        (),
        (("authorization", ""),),
        (("authorization", "Bearer"),),
        (("authorization", shop),),
        (("authorization", f"Basic {shop}"),),
        bearer(""),
        bearer("flk_shop_"),
        bearer(f"flk_owner_{secret}"),
        bearer(shop[:-1]),
        bearer(shop.upper()),
        bearer(f"{shop}{shop}"),
        bearer("flk_" + "a" * 6000),
    ]
    answers = {rpc: answer_to(guarded.channel, rpc, UNREADABLE) for rpc in RPCS}
    for number, metadata in enumerate(wrong):
        for rpc in ("PlaceOrder", "GetOrder", "StreamFacts", "ExecuteBatch", "ListTenants"):
            answers[f"{rpc} {number}"] = answer_to(guarded.channel, rpc, UNREADABLE, metadata)
    for about, answered in answers.items():
        assert isinstance(answered, CallFailed)
        assert (answered.code(), answered.reason) == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS"), about
    assert len({str(answered) for answered in answers.values()}) == 1


def test_more_than_a_call_may_carry_is_refused_too(guarded: Guarded):
    answered = answer_to(guarded.channel, "GetOrder", UNREADABLE, bearer("flk_" + "a" * 100_000))
    assert isinstance(answered, CallFailed)


def test_the_scheme_may_be_in_any_case_and_the_token_only_as_it_is(guarded: Guarded):
    for scheme in ("bearer", "BEARER"):
        metadata = (("authorization", f"{scheme} {guarded.tokens['owner']}"),)
        assert reason_for(guarded.channel, "GetOrder", metadata) == "MALFORMED"


def test_a_token_is_rotated_without_a_pause_and_a_revoked_client_stays_out(guarded: Guarded):
    old, data = guarded.add("rotating", "--role", "auditor", "--tenant", "default"), ("--data", guarded.data)
    address = guarded.service.address
    until(lambda: knows(address, old), "the first token is known")
    new = administer("rotate", "rotating", *data).token
    until(lambda: knows(address, new), "the second token is known")
    assert knows(address, old)
    administer("revoke", "rotating", "--old-token-only", *data)
    until(lambda: not knows(address, old), "the first token is retired")
    with Client(address, token=new) as auditor, guarded.client("operations") as operations:
        operations.place(fresh())
        following = auditor.audit.StreamFacts(audit_pb2.StreamFactsRequest(follow=True), timeout=60)
        assert next(following).facts
        administer("revoke", "rotating", *data)
        until(lambda: not knows(address, new), "the client is revoked")
        with pytest.raises(CallFailed) as ended:
            list(following)
        assert (ended.value.code(), ended.value.reason) == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS")


def test_a_stream_without_news_ends_when_its_token_expires(guarded: Guarded):
    token, data = guarded.add("expiring", "--role", "auditor", "--tenant", "default"), ("--data", guarded.data)
    address = guarded.service.address
    until(lambda: knows(address, token), "the token is known")
    with Client(address, token=token) as auditor, guarded.client("operations") as operations:
        operations.place(fresh())
        following = auditor.audit.StreamFacts(audit_pb2.StreamFactsRequest(follow=True), timeout=60)
        assert next(following).facts
        administer("change", "expiring", "--expires", (datetime.now(UTC) + timedelta(seconds=3)).isoformat(), *data)
        with pytest.raises(CallFailed) as ended:
            list(following)
        assert (ended.value.code(), ended.value.reason) == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS")


def test_a_client_that_is_changed_may_do_something_else_at_once_with_the_same_token(guarded: Guarded):
    token, data = guarded.add("changing", "--role", "auditor", "--tenant", "default"), ("--data", guarded.data)
    address = guarded.service.address
    until(lambda: knows(address, token), "the client is known")
    with grpc.insecure_channel(address) as channel:
        assert reason_for(channel, "PlaceOrder", bearer(token)) == "NOT_ALLOWED"
        administer("change", "changing", "--role", "shop", *data)
        until(lambda: reason_for(channel, "PlaceOrder", bearer(token)) == "MALFORMED", "it has another role")
        assert reason_for(channel, "GetHistory", bearer(token)) == "NOT_ALLOWED"


def test_only_the_health_of_the_service_itself_is_open(guarded: Guarded):
    healthy: Any = health_pb2_grpc.HealthStub(guarded.channel)
    assert healthy.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING

    def check(name: str, metadata: Any = ()) -> str:
        try:
            healthy.Check(health_pb2.HealthCheckRequest(service=name), metadata=metadata)
        except grpc.RpcError as error:
            failed = failure(error)
            return failed.reason if failed.from_service else failed.code().name
        return "known"

    owner = guarded.of("owner")  # of another tenant
    until(lambda: check("projection.sla.hill", guarded.of("hill")) == "known", "the read models of hill are looked at")
    assert [check("clock"), check("projection.sla.hill"), check("nothing")] == ["CREDENTIALS"] * 3
    assert check("clock", owner) == "known"
    assert check("projection.sla.hill", owner) == check("projection.sla.nowhere", owner) == "NOT_FOUND"
    watched = healthy.Watch(health_pb2.HealthCheckRequest(service="clock"))
    with pytest.raises(grpc.RpcError) as refusal:
        next(watched)
    assert reason_of(refusal.value) == "CREDENTIALS"


def test_reflection_is_for_registered_clients(guarded: Guarded):
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(guarded.channel)
    (listed,) = stub.ServerReflectionInfo(iter([ask]), metadata=guarded.of("reporting"))
    assert "fulfilment.v1.OrderService" in {each.name for each in listed.list_services_response.service}
    with pytest.raises(grpc.RpcError) as refusal:
        list(stub.ServerReflectionInfo(iter([ask])))
    assert reason_of(refusal.value) == "CREDENTIALS"


# --- actors -----------------------------------------------------------------------------------------


def test_who_recorded_something_is_proven(guarded: Guarded):
    numbers = [fresh() for _ in range(3)]
    with guarded.client("shop") as shop:
        for number, actor in zip(numbers, ("mia", "", "clock"), strict=True):
            asks = context()
            asks.actor = actor
            shop.place(number, context=asks)
    recorded = []
    with guarded.client("auditor") as auditor:
        for number in numbers:
            history = auditor.audit.GetHistory(audit_pb2.GetHistoryRequest(order_id=f"shop/{number}"))
            recorded.append(history.facts[0].actor)
    assert recorded == ["shop/mia", "shop", "shop/clock"]


# --- clients and the console ------------------------------------------------------------------------


def test_the_client_for_asyncio_takes_a_token_too(guarded: Guarded):
    async def ask(token: str) -> str:
        async with AsyncClient(guarded.service.address, token=token, pauses_seconds=()) as client:
            facts = client.follow()
            with suppress(CallFailed):
                await client.orders.PlaceOrder(order(fresh(), context=client.context()))
                return (await anext(facts)).actor
            return "refused"

    assert asyncio.run(ask("")) == "refused"
    assert asyncio.run(ask(guarded.tokens["operations"])) != "refused"


def test_the_console_takes_a_token_and_says_in_a_sentence_what_is_wrong_with_it(guarded: Guarded, tmp_path: Path):
    console = Console(guarded.service.address, tenant="")
    missing = console("status")
    assert missing.code == 1
    assert "asks for a token; name the file that holds yours with --token-file" in missing.err
    assert missing.err.strip().endswith("[CREDENTIALS]")

    file = tmp_path / "token"
    file.write_text(f"{guarded.tokens['hill']}\n")
    file.chmod(0o640)
    seen = console("status", "--token-file", str(file))
    assert "Log of hill" in seen.out
    assert f"Warning: others can read the token in {file}; make it yours alone: chmod 600" in seen.err
    file.chmod(0o600)
    assert "Warning" not in console("status", "--token-file", str(file)).err
    console.environment["FULFILMENT_TOKEN_FILE"] = str(file)
    assert console("history", "shop/1", "--json").code in (0, 1)
    assert console("place", "--channel", "shop", "--id", "typed", "--line", "TEA:1:1.00", "--currency", "EUR").code == 0
    with guarded.client("hill") as client:
        history = client.audit.GetHistory(audit_pb2.GetHistoryRequest(order_id="shop/typed"))
        assert history.facts[0].actor == "hill-owner"

    file.write_text("flk_hill-owner_wrong")
    wrong = console("status")
    assert f"does not take the token of {file}: it is unknown, expired or revoked" in wrong.err
    del console.environment["FULFILMENT_TOKEN_FILE"]
    console.environment["FULFILMENT_TOKEN"] = guarded.tokens["reporting"]
    refusal = console("tenant", "add", "mine")
    assert "your token has the role reporting, which may not do this (CreateTenant)" in refusal.err
    untold = console("doctor")
    assert (untold.code, "ask as a client of the role operations" in untold.out) == (2, True)
    unreadable = console("status", "--token-file", str(tmp_path / "none"))
    assert (unreadable.code, "cannot be read" in unreadable.err) == (1, True)


def test_whoever_may_not_read_the_policy_sees_what_the_retailer_owes_in_utc(guarded: Guarded, tmp_path: Path):
    file = tmp_path / "token"
    file.write_text(guarded.tokens["reporting"])
    file.chmod(0o600)
    assert Session(server=guarded.service.address, token_file=str(file)).time_zone == ""


def test_no_token_is_ever_written_down(guarded: Guarded):
    log = guarded.service.log.read_text()
    assert "closed: only registered clients may call" in log
    with psycopg.connect(guarded.service.dsn) as connection:
        kept = str(connection.execute("SELECT clients::text FROM fulfilment.clients").fetchall())
    for token in guarded.tokens.values():
        secret = token[-20:]
        assert secret not in log
        assert secret not in kept
