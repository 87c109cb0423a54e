"""The gRPC server: every RPC of the contract found by its name, refusals turned into statuses.

A method whose request has a context is a command: read, execute, receipt. All others are methods of the same
name on what answers the service's questions.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from copy import copy
from functools import partial
from typing import Any, cast

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from adapters.access.gate import Gate
from adapters.rpc.calls import Call, Context, admit
from adapters.rpc.commands import Commands
from adapters.rpc.faults import all_faults
from adapters.rpc.statuses import refuse
from adapters.tenants import Tenant, Tenants
from ledger.refusals import Malformed
from projections.machine.reads import USUAL_ROWS

log = logging.getLogger("fulfilment.rpc")

Admitted = Callable[[Context], Call]
"""The gate, for one RPC."""
Behaviour = Callable[[Any, Call], Awaitable[Any]]
LONGEST_MESSAGE_BYTES = 16 * 1024 * 1024
"""The largest order, the largest evidence and a batch of 1,000 orders of 16 KiB fit; anything larger, once it is
unpacked, is refused by gRPC itself."""

LONGEST_ANSWER_BYTES = 3 << 20
"""Of a list: clients take 4 MiB by default."""


_BUSY = frozenset({"PlaceOrder", "ExecuteBatch", "RecordFeed", "RecordCheckpoints"})
"""What many callers send at once. Registered with gRPC these have queues of their own, and everything else
passes them by; not all methods are, because each call costs gRPC a look at every registered one."""


def add_service(
    server: grpc.aio.Server, gate: Gate, service: ServiceDescriptor, commands: Commands, queries: object
) -> None:
    """All methods of a service, found by name, each behind the gate."""
    table = {method.name: _handler(gate, method, commands, queries) for method in service.methods}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service.full_name, table)])
    busy = {name: handler for name, handler in table.items() if name in _BUSY}
    if busy:
        server.add_registered_method_handlers(service.full_name, busy)


def _handler(
    gate: Gate, method: MethodDescriptor, commands: Commands, queries: object
) -> grpc.RpcMethodHandler[Any, Any]:
    request: type[Message] = message_factory.GetMessageClass(method.input_type)
    admitted = partial(admit, gate, method.name)
    if method.server_streaming:
        return grpc.unary_stream_rpc_method_handler(_streaming(admitted, request, getattr(queries, method.name)))
    if "context" in request.DESCRIPTOR.fields_by_name:
        return grpc.unary_unary_rpc_method_handler(_answering(admitted, request, commands.execute))
    return grpc.unary_unary_rpc_method_handler(_answering(admitted, request, _asking(queries, method.name)))


# Messages are read and written here and not by gRPC, which would send the caller errors in its own words.


def _answering(
    admitted: Admitted, kind: type[Message], behaviour: Behaviour
) -> Callable[[bytes, Context], Awaitable[bytes]]:
    lists = "page" in kind.DESCRIPTOR.fields_by_name

    async def answer(sent: bytes, context: Context) -> bytes:
        try:
            call = admitted(context)
            meter, size = call.caller.meter, len(sent)
            meter.enter(size)
            try:
                request = _read(kind, sent)
                answer = (await behaviour(request, call)).SerializeToString()
                if len(answer) > LONGEST_ANSWER_BYTES and lists:
                    answer = await _shorter(behaviour, kind, sent, call, answer)
                return cast("bytes", answer)
            finally:
                meter.leave(size)
        except Exception as error:  # noqa: BLE001 - the one place where an RPC ends badly
            refuse(context, error)
            return b""

    return answer


def _asking(queries: Any, name: str) -> Behaviour:
    """A query that reports all faults of a malformed request, by reading it once more without a database."""
    ask, blind = getattr(queries, name), copy(queries)
    for attribute, value in vars(queries).items():
        setattr(blind, attribute, _NoTenants() if isinstance(value, Tenants) else _Unreachable())

    async def answer(request: Any, call: Call) -> Any:
        try:
            return await ask(request, call)
        except Malformed as first:
            raise all_faults(first, lambda: _run_blind(getattr(blind, name)(request, call))) from None

    return answer


def _run_blind(asking: Any) -> None:
    """Runs it up to its first access to the database, without other tasks in between."""
    try:
        asking.send(None)
    finally:
        asking.close()


class _Unreachable:
    def __getattr__(self, name: str) -> Any:
        raise LookupError(name)


class _NoTenants(_Unreachable):
    """Any tenant, without a database."""

    pool: Any = _Unreachable()

    async def find(self, name: str) -> Tenant:
        return Tenant(name, "", cast("Any", self.pool), cast("Any", self.pool))


async def _shorter(behaviour: Behaviour, kind: type[Message], sent: bytes, call: Call, answer: bytes) -> bytes:
    """The same page of a list with fewer rows, until it is small enough for clients."""
    request: Any = _read(kind, sent)
    size = request.page.page_size or USUAL_ROWS
    while len(answer) > LONGEST_ANSWER_BYTES and size > 1:
        size = max(1, size * LONGEST_ANSWER_BYTES // len(answer) * 3 // 4)
        request.page.page_size = size
        answer = (await behaviour(request, call)).SerializeToString()
    return answer


def _streaming(
    admitted: Admitted, kind: type[Message], behaviour: Callable[[Any, Call], AsyncIterator[Message]]
) -> Callable[[bytes, Context], AsyncIterator[bytes]]:
    async def stream(sent: bytes, context: Context) -> AsyncIterator[bytes]:
        try:
            call = admitted(context)
            call.caller.meter.open_stream()
            try:
                async for message in behaviour(_read(kind, sent), call):
                    admitted(context)  # a stream may outlive its caller's token
                    yield message.SerializeToString()
            finally:
                call.caller.meter.close_stream()
        except Exception as error:  # noqa: BLE001 - the one place where an RPC ends badly
            refuse(context, error)

    return stream


def _read(kind: type[Message], sent: bytes) -> Message:
    try:
        return kind.FromString(sent)
    except DecodeError:
        raise Malformed(("request", f"is no {kind.DESCRIPTOR.full_name}: its bytes cannot be decoded")) from None
