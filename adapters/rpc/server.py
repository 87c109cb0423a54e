"""The gRPC server: every RPC of the contract found by its name, refusals turned into statuses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from time import perf_counter
from typing import Any, cast

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from adapters.access.gate import Gate
from adapters.metrics.calls import CANCELLED, CallCounts, CallEnding, RpcCalls
from adapters.rpc.calls import Call
from adapters.rpc.commands import Commands
from adapters.rpc.contexts import Context, admit
from adapters.rpc.methods import LONGEST_ANSWER_BYTES, RpcMethod, methods, with_fewer_rows
from adapters.rpc.statuses import refuse
from adapters.rpc.tracing import Answering, Tracing, traced
from adapters.rpc.turnstile import Turnstile
from ledger.refusals import Malformed

log = logging.getLogger("fulfilment.rpc")

Admitted = Callable[[Context], Call]
"""The gate, for one RPC."""
LONGEST_MESSAGE_BYTES = 16 * 1024 * 1024
"""The largest order, the largest evidence and a batch of 1,000 orders of 16 KiB fit; anything larger, once it is
unpacked, is refused by gRPC itself."""

_BUSY = frozenset({"PlaceOrder", "ExecuteBatch", "RecordFeed", "RecordCheckpoints"})
"""What many callers send at once. Registered with gRPC these have queues of their own, and everything else
passes them by; not all methods are, because each call costs gRPC a look at every registered one."""


def add_service(
    server: grpc.aio.Server,
    gate: Gate,
    service: ServiceDescriptor,
    commands: Commands,
    queries: object,
    calls: CallCounts,
    turnstile: Turnstile,
    traces: Tracing | None = None,
) -> None:
    """All RPCs of a service, each behind the gate; how they end is counted, and traced where that is wanted."""
    table = {
        method.name: _handler(gate, method, calls.of(method.name), turnstile, traces)
        for method in methods(service, commands, queries)
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service.full_name, table)])
    busy = {name: handler for name, handler in table.items() if name in _BUSY}
    if busy:
        server.add_registered_method_handlers(service.full_name, busy)


# Messages are read and written here and not by gRPC: it would ask for a message before it is known who sends it, and
# send the caller errors in its own words. So to gRPC each call is one that brings a stream of messages, of which one is
# taken; to callers it is the same.


def _handler(
    gate: Gate, method: RpcMethod, ended: RpcCalls, turnstile: Turnstile, traces: Tracing | None
) -> grpc.RpcMethodHandler[Any, Any]:
    admitted = partial(admit, gate, method.name)
    if method.descriptor.server_streaming:
        return grpc.stream_stream_rpc_method_handler(_streaming(admitted, method, ended, turnstile))
    service = method.descriptor.containing_service.full_name
    answer = traced(traces, service, method.name, _answering(admitted, method, ended, turnstile))
    return grpc.stream_unary_rpc_method_handler(answer)


def _answering(admitted: Admitted, method: RpcMethod, ended: RpcCalls, turnstile: Turnstile) -> Answering:
    kind, behaviour, lists = method.request, method.behaviour, method.lists

    async def answer(_: object, context: Context) -> bytes:
        began = perf_counter()
        try:
            call = admitted(context)
            meter = call.caller.meter
            sent = await turnstile.message(meter, context)
            began, size = perf_counter(), len(sent)
            meter.enter(size)
            try:
                request = _read(kind, sent)
                call.about(request)
                answer = (await behaviour(request, call)).SerializeToString()
                if len(answer) > LONGEST_ANSWER_BYTES and lists:
                    shorter = await with_fewer_rows(method, partial(_read, kind, sent), call, len(answer))
                    answer = shorter.SerializeToString()
                ended.answered(perf_counter() - began)
                return cast("bytes", answer)
            finally:
                meter.leave(size)
        except asyncio.CancelledError:
            ended.ended(CANCELLED, perf_counter() - began)
            raise
        except Exception as error:  # noqa: BLE001 - the one place where an RPC ends badly
            ended.ended(CallEnding(*refuse(context, error)), perf_counter() - began)
            return b""

    return answer


def _streaming(
    admitted: Admitted, method: RpcMethod, ended: RpcCalls, turnstile: Turnstile
) -> Callable[[object, Context], AsyncIterator[bytes]]:
    kind, behaviour = method.request, method.behaviour

    async def stream(_: object, context: Context) -> AsyncIterator[bytes]:
        began = perf_counter()
        try:
            call = admitted(context)
            meter = call.caller.meter
            sent = await turnstile.message(meter, context)
            began = perf_counter()
            with meter.reading(len(sent)):
                request = _read(kind, sent)
            call.about(request)
            meter.open_stream()
            try:
                async with aclosing(behaviour(request, call)) as messages:
                    while (message := await call.next_of(messages, partial(admitted, context))) is not None:
                        yield message.SerializeToString()
            finally:
                meter.close_stream()
            ended.answered(perf_counter() - began)
        except (asyncio.CancelledError, GeneratorExit):
            ended.ended(CANCELLED, perf_counter() - began)
            raise
        except Exception as error:  # noqa: BLE001 - the one place where an RPC ends badly
            ended.ended(CallEnding(*refuse(context, error)), perf_counter() - began)

    return stream


def _read(kind: type[Message], sent: bytes) -> Message:
    try:
        return kind.FromString(sent)
    except DecodeError:
        raise Malformed(("request", f"is no {kind.DESCRIPTOR.full_name}: its bytes cannot be decoded")) from None
