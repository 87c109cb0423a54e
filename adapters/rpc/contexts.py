"""What comes with a call of gRPC: credentials, the tenant, the deadline."""

from __future__ import annotations

from time import monotonic
from typing import Any, cast

import grpc

from adapters.access.callers import Caller
from adapters.access.gate import Gate
from adapters.rpc.calls import Call

Context = grpc.aio.ServicerContext[Any, Any]


def admit(gate: Gate, rpc: str, context: Context) -> Call:
    """The call, if its credentials are good and their role may call the RPC; raises BadCredentials and NotAllowed."""
    caller, named = who(gate, context)
    caller.require(rpc)
    return Call(rpc, caller, named, _deadline_of(context))


def who(gate: Gate, context: Context) -> tuple[Caller, str | None]:
    """The caller, and the tenant that it names. Of several values of one key the first counts."""
    named: str | None = None
    authorization = ""
    for key, value in context.invocation_metadata() or ():
        if key == "tenant" and named is None:
            named = str(value)
        elif key == "authorization" and not authorization:
            authorization = str(value)
    return gate.who(authorization, context), named


def _deadline_of(context: Context) -> float | None:
    # None if it set no deadline, which grpc's types leave out.
    remaining = cast("float | None", context.time_remaining())
    return None if remaining is None else monotonic() + remaining
