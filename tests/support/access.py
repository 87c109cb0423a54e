"""Clients of a service in a test: registered beside it, as an administrator does."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, NamedTuple

import grpc

from adapters.access import administration
from fulfilment.failures import CallFailed, failure
from tests.support import documented

UNREADABLE = b"\xff"
"""A request of no kind: whoever gets past the gate is told so, and nothing happens."""


class Administered(NamedTuple):
    """What a command of an administrator printed."""

    out: str
    told: str

    @property
    def token(self) -> str:
        return self.out.strip()


def administer(*words: str) -> Administered:
    """Runs ``server.py client ...`` in this process."""
    out, told = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(told):
        administration.main(words)
    return Administered(out.getvalue(), told.getvalue())


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


def answer_to(channel: grpc.Channel, rpc: str, request: bytes, metadata: Any = ()) -> CallFailed | bytes:
    """What an RPC answers to these bytes: its answer, the first one of a stream, or how it failed."""
    about = documented.rpcs()[rpc]
    kind = channel.unary_stream if about.streams else channel.unary_unary
    call: Any = kind(f"/fulfilment.v1.{about.service}/{rpc}")
    try:
        answered = call(request, metadata=metadata, timeout=60)
        return bytes(next(answered, b"") if about.streams else answered)
    except grpc.RpcError as error:
        return failure(error)


def reason_for(channel: grpc.Channel, rpc: str, metadata: Any = ()) -> str:
    """Why an RPC refuses a call whose request is unreadable."""
    refused = answer_to(channel, rpc, UNREADABLE, metadata)
    assert isinstance(refused, CallFailed), f"{rpc} took what is no request"
    return refused.reason


def until(holds: Callable[[], bool], what: str) -> None:
    """Waits for what a server notices within seconds."""
    give_up_at = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < give_up_at, f"never: {what}"
        time.sleep(0.1)


def knows(address: str, token: str) -> bool:
    """Whether the service takes a token."""
    with grpc.insecure_channel(address) as channel:
        return reason_for(channel, "ListTenants", bearer(token)) != "CREDENTIALS"
