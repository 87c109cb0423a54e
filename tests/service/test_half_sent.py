"""Messages that are never sent whole: how much of them is taken, for how long, and that others do not wait for them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from adapters.rpc import turnstile
from adapters.rpc.accepting import UNASKED_BYTES
from fulfilment.client import AsyncClient
from fulfilment.v1 import admin_pb2
from tests.support.guarded import guarded
from tests.support.half_sent import SAID_BYTES, HalfSent
from tests.support.service import Client, Service, fields_of, reason_of, refused

PLACE = "/fulfilment.v1.OrderService/PlaceOrder"
FOLLOW = "/fulfilment.v1.AuditService/StreamFacts"
HEALTH = "/grpc.health.v1.Health/Check"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
PLACES = turnstile.BYTES_COMING // SAID_BYTES
CALLS = 2 * PLACES


def sent(caller: HalfSent) -> tuple[int, int]:
    """How many of its messages the server has asked for, and how many it has not but took the first bytes of."""
    each = list(caller.sent.values())
    return sum(size > UNASKED_BYTES for size in each), each.count(UNASKED_BYTES)


@pytest.mark.parametrize("path", [PLACE, FOLLOW, REFLECTION])
def test_of_a_client_half_of_what_there_is_room_for_is_asked_for_and_of_the_rest_come_the_first_bytes(
    service: Service, path: str
):
    with HalfSent(service.address, path, CALLS) as caller:
        assert caller.go_on_until(lambda: sent(caller) == (PLACES // 2, CALLS - PLACES // 2)), sent(caller)
        assert not caller.ended


async def test_who_shows_no_token_is_refused_before_the_message_comes_and_others_do_not_wait_for_a_client_s(
    embedded: str, tmp_path: Path
):
    clients = dict.fromkeys(("slow", "other"), ("--role", "owner", "--all-tenants"))
    async with guarded(embedded, tmp_path, clients=clients) as service:
        with HalfSent(service.address, PLACE, CALLS) as caller:
            assert await asyncio.to_thread(caller.go_on_until, lambda: len(caller.ended) == CALLS)
            assert sent(caller)[0] == 0
            assert b"grpc-status\x0216" in caller.told
        with HalfSent(service.address, PLACE, CALLS, token=service.tokens["slow"]) as caller:
            assert await asyncio.to_thread(caller.go_on_until, lambda: sent(caller)[0] == PLACES // 2)
            async with AsyncClient(service.address, token=service.tokens["other"]) as other:
                await other.admin.GetStatus(admin_pb2.GetStatusRequest(), timeout=5)
            async with AsyncClient(service.address, token=service.tokens["slow"]) as waits:
                asked = asyncio.ensure_future(waits.admin.GetStatus(admin_pb2.GetStatusRequest(), timeout=20))
                assert not (await asyncio.wait([asked], timeout=0.3))[0]
                caller.close()
                await asked


def test_a_message_that_does_not_come_in_time_is_refused_and_makes_room(
    service: Service, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(turnstile, "SECONDS", 0.2)
    monkeypatch.setattr(turnstile, "LOOK_SECONDS", 0.1)
    with HalfSent(service.address, PLACE, CALLS) as caller, Client(service.address) as client:
        client.admin.GetStatus(admin_pb2.GetStatusRequest(), timeout=20)  # behind all of them
        assert caller.go_on_until(lambda: len(caller.ended) == CALLS)
        assert b"there may be 0 seconds for sending a message at most" in caller.told


@pytest.mark.parametrize("path", [PLACE, FOLLOW, HEALTH])
def test_a_call_that_ends_without_a_message_is_malformed(service: Service, path: str):
    with grpc.insecure_channel(service.address) as channel:
        error = refused(lambda nothing: list(channel.stream_stream(path)(nothing, timeout=20)), iter(()))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED")
    assert fields_of(error) == ["request"]
    assert "the call ended without a message" in str(error.details())


def test_a_health_check_waits_for_nobody_s_messages(service: Service):
    calls = turnstile.MOST_OF_STRANGERS + 4
    with (
        HalfSent(service.address, HEALTH, calls) as caller,
        HalfSent(service.address, PLACE, CALLS) as other,
        grpc.insecure_channel(service.address) as channel,
    ):
        other.go_on(0.5)
        assert caller.go_on_until(lambda: len(caller.ended) == 4)
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
        assert check(health_pb2.HealthCheckRequest(), timeout=5).status == health_pb2.HealthCheckResponse.SERVING
        assert caller.go_on_until(lambda: len(caller.ended) == 5)
