"""The API over TLS: who can connect, who is known by a certificate or by an identity provider, and its limits."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from fulfilment.client import AsyncClient, CallFailed, Refused, Unavailable, tls
from fulfilment.v1 import admin_pb2, audit_pb2, orders_pb2
from tests.support.certificates import Authority
from tests.support.guarded import Guarded, guarded
from tests.support.identity import AUDIENCE, ISSUER, Provider, jwks
from tests.support.service import order
from tests.support.terminal import Console

SHOP = ("--role", "shop", "--tenant", "default")
OWNER = ("--role", "owner", "--all-tenants")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def told(pair: Any) -> list[str]:
    """The options of a server that has this certificate."""
    return ["--tls-cert", str(pair.certificate), "--tls-key", str(pair.key)]


@asynccontextmanager
async def calling(service: Guarded, client: str = "", **more: Any) -> AsyncIterator[AsyncClient]:
    token = more.pop("token", service.tokens[client] if client else "")
    async with AsyncClient(service.address, token=token, pauses_seconds=(), **more) as ledger:
        yield ledger


async def failed(call: Any, request: Message) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        await call(request)
    return caught.value


ASKED = admin_pb2.ListTenantsRequest()


async def test_over_tls_a_token_counts_and_who_does_not_trust_the_certificate_does_not_connect(
    conninfo: str, tmp_path: Path, authority: Authority
):
    options = told(authority.issue("server"))
    async with guarded(conninfo, tmp_path, *options, clients={"web": SHOP}) as service:
        async with calling(service, "web", credentials=tls(authority.file)) as ledger:
            assert (await ledger.orders.PlaceOrder(order("1"))).position > 0
        async with calling(service, credentials=tls(authority.file)) as ledger:
            assert (await failed(ledger.admin.ListTenants, ASKED)).reason == "CREDENTIALS"
        async with calling(service, "web", credentials=tls(Authority(tmp_path, "other").file)) as ledger:
            assert "CERTIFICATE_VERIFY_FAILED" in (await failed(ledger.admin.ListTenants, ASKED)).message
        async with calling(service, "web") as ledger:
            assert isinstance(await failed(ledger.admin.ListTenants, ASKED), Unavailable)


async def test_a_renewed_certificate_is_used_by_new_connections_without_a_restart(
    conninfo: str, tmp_path: Path, authority: Authority
):
    pair, renewed = authority.issue("server"), Authority(tmp_path, "next").issue("renewed")
    async with guarded(conninfo, tmp_path, *told(pair), clients={"web": SHOP}) as service:
        async with calling(service, "web", credentials=tls(authority.file)) as before:
            await before.admin.ListTenants(ASKED)
            shutil.copy(renewed.certificate, pair.certificate)
            shutil.copy(renewed.key, pair.key)
            async with calling(service, "web", credentials=tls(tmp_path / "next.pem")) as after:
                await after.admin.ListTenants(ASKED)
            await before.admin.ListTenants(ASKED)  # its connection goes on
        async with calling(service, "web", credentials=tls(authority.file)) as late:
            assert "CERTIFICATE_VERIFY_FAILED" in (await failed(late.admin.GetPolicy, ASKED)).message


async def test_a_client_is_known_by_an_alternative_name_of_its_certificate_and_never_by_its_common_name(
    conninfo: str, tmp_path: Path, authority: Authority
):
    options = [*told(authority.issue("server")), "--tls-client-ca", str(authority.file)]
    clients = {
        "web": (*SHOP, "--certificate", "shop.example"),
        "desk": (*OWNER, "--certificate", "spiffe://example/desk"),
        "other": OWNER,
    }
    async with guarded(conninfo, tmp_path, *options, clients=clients) as service:
        assert [name for name, token in service.tokens.items() if token] == ["other"]

        async def role_of(token: str = "", **certificate: Any) -> str:
            """Which client it is, by what it may do; or why it is none."""
            pair = authority.issue("caller", **certificate)
            async with calling(
                service, token=token, credentials=tls(authority.file, pair.certificate, pair.key)
            ) as ledger:
                try:
                    await ledger.admin.ListTenants(ASKED)
                    await ledger.admin.RebuildProjection(admin_pb2.RebuildProjectionRequest(name="none"))
                except Refused as refused:
                    return refused.metadata.get("role") or refused.reason
            raise AssertionError("there is no such read model")

        assert await role_of(names=["shop.example", "www.shop.example"]) == "shop"
        assert await role_of(names=["spiffe://example/desk"]) == "UNKNOWN_PROJECTION"
        assert await role_of(names=["www.example"], common_name="shop.example") == "CREDENTIALS"
        assert await role_of(names=[], common_name="shop.example") == "CREDENTIALS"
        assert await role_of(names=["shop.example", "spiffe://example/desk"]) == "CREDENTIALS"
        assert await role_of(names=["shop.example.evil.example"]) == "CREDENTIALS"
        assert await role_of(names=["shop.example"], token="flk_other_wrong") == "CREDENTIALS"
        assert await role_of(names=["shop.example"], token=service.tokens["other"]) == "UNKNOWN_PROJECTION"
        async with calling(service, "other", credentials=tls(authority.file)) as ledger:
            assert isinstance(await failed(ledger.admin.ListTenants, ASKED), Unavailable)


async def test_a_token_of_the_identity_provider_names_a_client_and_whom_it_was_given_to_is_recorded(
    conninfo: str, tmp_path: Path
):
    provider, file = Provider(), tmp_path / "jwks.json"
    file.write_bytes(jwks(provider))
    options = ["--oidc-issuer", ISSUER, "--oidc-audience", AUDIENCE, "--oidc-jwks", str(file)]
    clients = {"web": (*SHOP, "--oidc", "shop-app"), "desk": (*OWNER, "--personal", "--oidc", "support")}
    async with guarded(conninfo, tmp_path, *options, "--oidc-claim", "groups", clients=clients) as service:
        for number, (groups, reason) in enumerate(
            [(["support", "staff"], ""), ("shop-app", "NOT_ALLOWED"), (["support", "shop-app"], "CREDENTIALS")]
        ):
            token = provider.token(sub=f"u-{number}", groups=groups)
            async with calling(service, token=token) as ledger:
                placed = order(str(number))
                if reason == "CREDENTIALS":
                    assert (await failed(ledger.orders.PlaceOrder, placed)).reason == reason
                    continue
                await ledger.orders.PlaceOrder(placed)
                if reason:
                    assert (
                        await failed(ledger.admin.CreateTenant, admin_pb2.CreateTenantRequest(tenant="x"))
                    ).reason == reason
        async with calling(service, token=provider.token(sub="u-9", groups=["support"])) as ledger:
            facts = [f async for page in ledger.audit.StreamFacts(audit_pb2.StreamFactsRequest()) for f in page.facts]
            placed_by = [fact.actor for fact in facts if fact.name == "order.placed"]
            assert placed_by == ["desk/u-0/test", "web/u-1/test"]
            await ledger.orders.GetOrder(orders_pb2.GetOrderRequest(order_id="shop/0", with_personal_data=True))
            for client, by in (("desk", ["desk/u-9"]), ("desk/u-9", ["desk/u-9"]), ("desk/u-0", []), ("des", [])):
                found = await ledger.audit.ListReads(audit_pb2.ListReadsRequest(client=client))
                assert [read.client for read in found.reads] == by
        async with calling(service, token=provider.token(exp=1, groups=["support"])) as ledger:
            assert (await failed(ledger.admin.ListTenants, ASKED)).reason == "CREDENTIALS"


async def test_a_client_that_calls_too_often_is_told_when_to_try_again_and_others_are_not_hindered(
    conninfo: str, tmp_path: Path
):
    clients = {"wild": (*SHOP, "--calls-per-second", "1"), "calm": SHOP}
    async with (
        guarded(conninfo, tmp_path, clients=clients) as service,
        calling(service, "wild") as wild,
        calling(service, "calm") as calm,
    ):
        answers = await asyncio.gather(*(wild.admin.ListTenants(ASKED) for _ in range(8)), return_exceptions=True)
        limited = next(each for each in answers if isinstance(each, CallFailed))
        assert (limited.code(), limited.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
        assert limited.metadata["limit"] == "1"
        assert 0 < int(limited.metadata["retry_milliseconds"]) <= 1000
        await calm.admin.ListTenants(ASKED)


async def test_calls_that_ended_in_whatever_way_are_not_under_way_any_more(conninfo: str, tmp_path: Path):
    clients = {"one": (*SHOP, "--calls-at-once", "1")}
    async with guarded(conninfo, tmp_path, clients=clients) as service, calling(service, "one") as ledger:
        for _ in range(3):
            unknown = orders_pb2.GetOrderRequest(order_id="shop/none")
            assert (await failed(ledger.orders.GetOrder, unknown)).reason == "UNKNOWN_ORDER"
            assert (
                await failed(ledger.admin.CreateTenant, admin_pb2.CreateTenantRequest(tenant="x"))
            ).reason == "NOT_ALLOWED"
        assert (await ledger.orders.PlaceOrder(order("1"))).position > 0


async def test_the_longest_message_can_be_chosen(conninfo: str, tmp_path: Path):
    async with guarded(conninfo, tmp_path, "--message-mib", "1") as service, calling(service) as ledger:
        long = order("1", note="x" * (1 << 20))
        too_long = await failed(ledger.orders.PlaceOrder, long)
        assert (too_long.code(), too_long.from_service) == (grpc.StatusCode.RESOURCE_EXHAUSTED, False)
        assert (await ledger.orders.PlaceOrder(order("1"))).position > 0


async def test_the_console_encrypts_and_says_what_to_do_where_only_one_side_does(
    conninfo: str, tmp_path: Path, authority: Authority
):
    options = told(authority.issue("server"))
    token = tmp_path / "token"
    async with guarded(conninfo, tmp_path, *options, clients={"desk": OWNER}) as service:
        token.write_text(service.tokens["desk"])
        console = Console(service.address)
        encrypted = ("--ca", str(authority.file), "--token-file", str(token))
        assert (
            (await asyncio.to_thread(console, "tenant", "list", *encrypted)).out.splitlines()[1].startswith("default")
        )
        plain = await asyncio.to_thread(console, "tenant", "list")
        assert (plain.code, "does it encrypt? Then say --tls, or --ca FILE" in plain.err) == (3, True)
    async with guarded(conninfo, tmp_path) as service:
        told_too_much = await asyncio.to_thread(Console(service.address), "tenant", "list", "--ca", str(authority.file))
        assert told_too_much.code == 3
        assert f"the service at {service.address} does not encrypt; leave out --tls, --ca" in told_too_much.err
