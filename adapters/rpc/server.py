"""The gRPC server: every RPC of the contract found by its name, refusals turned into statuses.

A method whose request has a context is a command: read, execute, receipt. All others are methods of the same
name on what answers the service's questions.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from copy import copy
from typing import Any, cast

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from adapters.rpc.commands import Commands
from adapters.rpc.faults import all_faults
from adapters.rpc.queries import Context
from adapters.rpc.statuses import MISTAKE, refusal_of, status_of
from adapters.tenants import Tenant, Tenants
from ledger.refusals import Malformed, without_frames
from projections.machine.reads import USUAL_ROWS

log = logging.getLogger("fulfilment.rpc")

Behaviour = Callable[[Any, Context], Awaitable[Any]]
LONGEST_MESSAGE_BYTES = 16 * 1024 * 1024
"""The largest order, the largest evidence and a batch of 1,000 orders of 16 KiB fit; anything larger, once it is
unpacked, is refused by gRPC itself."""

LONGEST_ANSWER_BYTES = 3 << 20
"""Of a list: clients take 4 MiB by default."""


_BUSY = frozenset({"PlaceOrder", "ExecuteBatch", "RecordFeed", "RecordCheckpoints"})
"""What many callers send at once. Registered with gRPC these have queues of their own, and everything else
passes them by; not all methods are, because each call costs gRPC a look at every registered one."""


def add_service(server: grpc.aio.Server, service: ServiceDescriptor, commands: Commands, queries: object) -> None:
    """All methods of a service, found by name."""
    table = {method.name: _handler(method, commands, queries) for method in service.methods}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service.full_name, table)])
    busy = {name: handler for name, handler in table.items() if name in _BUSY}
    if busy:
        server.add_registered_method_handlers(service.full_name, busy)


def _handler(method: MethodDescriptor, commands: Commands, queries: object) -> grpc.RpcMethodHandler[Any, Any]:
    request: type[Message] = message_factory.GetMessageClass(method.input_type)
    if method.server_streaming:
        return grpc.unary_stream_rpc_method_handler(_streaming(request, getattr(queries, method.name)))
    if "context" in request.DESCRIPTOR.fields_by_name:
        return grpc.unary_unary_rpc_method_handler(_answering(request, commands.execute))
    return grpc.unary_unary_rpc_method_handler(_answering(request, _asking(queries, method.name)))


# Messages are read and written here and not by gRPC, which would send the caller errors in its own words.


def _answering(kind: type[Message], behaviour: Behaviour) -> Callable[[bytes, Context], Awaitable[bytes]]:
    lists = "page" in kind.DESCRIPTOR.fields_by_name

    async def answer(sent: bytes, context: Context) -> bytes:
        try:
            request = _read(kind, sent)
            answer = (await behaviour(request, context)).SerializeToString()
            if len(answer) > LONGEST_ANSWER_BYTES and lists:
                answer = await _shorter(behaviour, kind, sent, context, answer)
            return cast("bytes", answer)
        except Exception as error:  # noqa: BLE001 - the one place where an RPC ends badly
            _refuse(context, error)
            return b""

    return answer


def _asking(queries: Any, name: str) -> Behaviour:
    """A query that reports all faults of a malformed request, by reading it once more without a database."""
    ask, blind = getattr(queries, name), copy(queries)
    for attribute, value in vars(queries).items():
        setattr(blind, attribute, _NoTenants() if isinstance(value, Tenants) else _Unreachable())

    async def answer(request: Any, context: Context) -> Any:
        try:
            return await ask(request, context)
        except Malformed as first:
            raise all_faults(first, lambda: _run_blind(getattr(blind, name)(request, context))) from None

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


async def _shorter(behaviour: Behaviour, kind: type[Message], sent: bytes, context: Context, answer: bytes) -> bytes:
    """The same page of a list with fewer rows, until it is small enough for clients."""
    request: Any = _read(kind, sent)
    size = request.page.page_size or USUAL_ROWS
    while len(answer) > LONGEST_ANSWER_BYTES and size > 1:
        size = max(1, size * LONGEST_ANSWER_BYTES // len(answer) * 3 // 4)
        request.page.page_size = size
        answer = (await behaviour(request, context)).SerializeToString()
    return answer


def _streaming(
    kind: type[Message], behaviour: Callable[[Any, Context], AsyncIterator[Message]]
) -> Callable[[bytes, Context], AsyncIterator[bytes]]:
    async def stream(sent: bytes, context: Context) -> AsyncIterator[bytes]:
        try:
            async for message in behaviour(_read(kind, sent), context):
                yield message.SerializeToString()
        except Exception as error:  # noqa: BLE001 - the one place where an RPC ends badly
            _refuse(context, error)

    return stream


def _read(kind: type[Message], sent: bytes) -> Message:
    try:
        return kind.FromString(sent)
    except DecodeError:
        raise Malformed(("request", f"is no {kind.DESCRIPTOR.full_name}: its bytes cannot be decoded")) from None


def _refuse(context: Context, error: Exception) -> None:
    """Ends a call with the status of an error.

    Not by ``abort``, which keeps an error of its own with the call: a circle that only a full collection frees.
    """
    refusal = refusal_of(error)
    status = MISTAKE if refusal is None else status_of(refusal)
    context.set_code(status.code)
    context.set_details(status.details)
    context.set_trailing_metadata(status.trailing_metadata)
    without_frames(error)
