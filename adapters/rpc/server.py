"""The gRPC server: every RPC of the contract found by its name, refusals turned into statuses.

A method whose request has a reader in ``asks`` is a command: read, execute, receipt. All others are
methods of the same name on the service's query class.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from copy import copy
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from adapters.rpc import shapes
from adapters.rpc.asks import AHEAD, LOOKS, READERS, Before, Edge
from adapters.rpc.statuses import MISTAKE, status_of
from adapters.tenants import Tenant, Tenants
from fulfilment.v1 import cases_pb2, common_pb2
from ledger.decisions import stock_alerts
from ledger.engine.executor import Command, DecisionFailed, Receipt
from ledger.engine.sealing import Sealer
from ledger.engine.trouble import in_short, is_trouble
from ledger.refusals import Malformed, Refusal, StorageUnavailable, without_frames
from projections.machine.reads import PATIENCE_SECONDS, USUAL_ROWS, Where

log = logging.getLogger("fulfilment.rpc")

Context = grpc.aio.ServicerContext[Any, Any]
Behaviour = Callable[[Any, Context], Awaitable[Any]]
LONGEST_MESSAGE_BYTES = 16 * 1024 * 1024
"""The largest order, the largest evidence and a batch of 1,000 orders of 16 KiB fit; anything larger, once it is
unpacked, is refused by gRPC itself."""

LONGEST_COMMAND_BYTES = 3 << 19
"""1,000 lines with long titles fit, and a fact of it, in JSON, stays below the 4 MiB that clients take."""
LONGEST_ANSWER_BYTES = 3 << 20
"""Of a list: clients take 4 MiB unless they are told otherwise."""


def tenant_name(context: Context) -> str:
    """The tenant that a call names in its metadata."""
    for key, value in context.invocation_metadata() or ():
        if key == "tenant":
            return str(value)
    return "default"


def to_receipt(receipt: Receipt) -> common_pb2.Receipt:
    outcome = common_pb2.Receipt.OUTCOME_REPLAYED if receipt.replayed else common_pb2.Receipt.OUTCOME_APPLIED
    return common_pb2.Receipt(
        position=receipt.position, version=receipt.version, outcome=outcome, warnings=receipt.warnings
    )


class Commands:
    """Commands on their way from the wire to a tenant's ledger."""

    def __init__(self, tenants: Tenants, sealer: Sealer) -> None:
        self.tenants = tenants
        self._sealer = sealer

    async def execute(self, request: Any, context: Context) -> common_pb2.Receipt:
        tenant, deadline = await self.tenants.find(tenant_name(context)), deadline_of(context)
        if type(request) in AHEAD:
            return to_receipt(await tenant.ledger.execute(await self.read_ahead(tenant, request, deadline)))
        return to_receipt(await tenant.ledger.execute(partial(self.read, request, deadline)))

    async def read_ahead(self, tenant: Tenant, request: Any, deadline: float | None) -> Command:
        """As read, once all is asked and stored that the decision needs."""
        now, look = datetime.now(UTC), LOOKS.get(type(request))
        seen = await look(request, where(self.tenants, tenant, request, deadline), now) if look else None
        command, before = self._read(request, deadline, now, seen)
        if before is not None:
            await before(tenant.log)
        return command

    def read(self, request: Any, deadline: float | None) -> Command:
        """The request as a command; raises Malformed with the path of the field to mend."""
        command, before = self._read(request, deadline, datetime.now(UTC))
        assert before is None, f"{type(request).__name__} is to be read ahead"
        return command

    def _read(
        self, request: Any, deadline: float | None, now: datetime, seen: object = None
    ) -> tuple[Command, Before | None]:
        """The request as a command, and what has to be done before it is decided; raises Malformed with all faults."""
        try:
            return self._command(request, deadline, now, seen)
        except Malformed as first:
            raise shapes.all_faults(first, lambda: self._command(request, deadline, now, seen)) from None

    def _command(
        self, request: Any, deadline: float | None, now: datetime, seen: object
    ) -> tuple[Command, Before | None]:
        context = request.context
        request_id, actor = shapes.request_id(context.request_id), shapes.actor(context.actor)
        content = request.DESCRIPTOR.full_name.encode() + b"\0" + _without_context(request)
        if len(content) > LONGEST_COMMAND_BYTES and not isinstance(request, cases_pb2.AddEvidenceRequest):
            raise Malformed(("request", f"{len(content)} bytes, {LONGEST_COMMAND_BYTES} at most"))
        fingerprint = self._sealer.fingerprint(content)
        edge = Edge(self._sealer, now, actor, fingerprint.hex()[:32], [], seen)
        ask = READERS[type(request)](request, edge)
        decide = stock_alerts.watching(ask.decide, now)
        asked = (decide, ask.streams, ask.keys, deadline, edge.warnings, ask.owner)
        command = Command(request_id, actor, fingerprint, *asked)
        return command, ask.before


def _without_context(request: Any) -> bytes:
    """What a request says without who asks: the same content again has the same digest.

    The context is field 1 of every command, so that its tag, its length and its bytes come first.
    """
    whole: bytes = request.SerializeToString(deterministic=True)
    if not request.HasField("context"):
        return whole
    size = request.context.ByteSize()
    return whole[1 + max(1, (size.bit_length() + 6) // 7) + size :]


def where(tenants: Tenants, tenant: Tenant, request: Any, deadline: float | None) -> Where:
    """Whom to ask a read model for a request that says ``at_least``."""
    shapes.require(request.at_least >= 0, "at_least", f"{request.at_least} is below 0")
    # A little sooner than the caller stops waiting, so that the refusal still reaches it.
    remaining = PATIENCE_SECONDS if deadline is None else deadline - asyncio.get_running_loop().time() - 0.05
    return Where(tenants.pool, tenant.schema, request.at_least, min(PATIENCE_SECONDS, max(0.0, remaining)))


def deadline_of(context: Context) -> float | None:
    """When the caller stops waiting, in the time of the event loop."""
    remaining = remaining_of(context)
    return None if remaining is None else asyncio.get_running_loop().time() + remaining


def remaining_of(context: Context) -> float | None:
    """Seconds until the caller stops waiting; None if it set no deadline, which grpc's types leave out."""
    return cast("float | None", context.time_remaining())


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
    if request in READERS:
        return grpc.unary_unary_rpc_method_handler(_answering(request, commands.execute))
    return grpc.unary_unary_rpc_method_handler(_answering(request, _asking(queries, method.name)))


# Messages are read and written here and not by gRPC, which would tell the caller of an error there in its own words.


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
    """A query that names all faults of a malformed request, by reading it once more where nothing can be asked."""
    ask, blind = getattr(queries, name), copy(queries)
    for attribute, value in vars(queries).items():
        setattr(blind, attribute, _NoTenants() if isinstance(value, Tenants) else _Unreachable())

    async def answer(request: Any, context: Context) -> Any:
        try:
            return await ask(request, context)
        except Malformed as first:
            raise shapes.all_faults(first, lambda: _run_blind(getattr(blind, name)(request, context))) from None

    return answer


def _run_blind(asking: Any) -> None:
    """Up to where it would ask the database; nothing else has a turn until then."""
    try:
        asking.send(None)
    finally:
        asking.close()


class _Unreachable:
    def __getattr__(self, name: str) -> Any:
        raise LookupError(name)


class _NoTenants(_Unreachable):
    """Every tenant, but nothing can be asked of any."""

    pool: Any = _Unreachable()

    async def find(self, name: str) -> Tenant:
        return Tenant(name, "", cast("Any", self.pool), cast("Any", self.pool))


async def _shorter(behaviour: Behaviour, kind: type[Message], sent: bytes, context: Context, answer: bytes) -> bytes:
    """The same page of a list with fewer rows, until it is one that clients take."""
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


def refusal_of(error: Exception) -> Refusal | None:
    """What the caller is told; None for a mistake of ours, of which only the log tells where."""
    if isinstance(error, Refusal):
        return error
    if is_trouble(error):
        return StorageUnavailable(in_short(error))
    if not isinstance(error, DecisionFailed):  # of which the ledger has told
        log.error("an RPC failed with %s", in_short(error), exc_info=error)
    return None
