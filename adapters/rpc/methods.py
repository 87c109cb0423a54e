"""The RPCs of the contract, each with what it takes and what answers it, whatever it travels by.

A method whose request has a context is a command: read, execute, receipt. All others are methods of the same
name on what answers the service's questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from typing import Any, NamedTuple, cast

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from msgspec.structs import replace

from adapters.rpc.calls import Call
from adapters.rpc.commands import Commands
from adapters.rpc.faults import all_faults
from adapters.rpc.listing import at_one_position
from adapters.tenants import Tenant, Tenants
from ledger.refusals import Malformed
from projections.machine.reads import USUAL_ROWS

LONGEST_ANSWER_BYTES = 3 << 20
"""Of a list: clients take 4 MiB by default."""


class RpcMethod(NamedTuple):
    """An RPC."""

    descriptor: MethodDescriptor
    request: type[Message]
    behaviour: Callable[[Any, Call], Any]
    """Answers a request: with a message to wait for, or one after the other if it is a stream."""

    @property
    def name(self) -> str:
        return self.descriptor.name

    @property
    def lists(self) -> bool:
        """Whether it answers pages."""
        return "page" in self.request.DESCRIPTOR.fields_by_name


def methods(service: ServiceDescriptor, commands: Commands, queries: object) -> Iterator[RpcMethod]:
    """All RPCs of a service, found by name."""
    for descriptor in service.methods:
        request: type[Message] = message_factory.GetMessageClass(descriptor.input_type)
        if "context" in request.DESCRIPTOR.fields_by_name:
            yield RpcMethod(descriptor, request, commands.execute)
        elif descriptor.server_streaming:
            yield RpcMethod(descriptor, request, getattr(queries, descriptor.name))
        else:
            yield RpcMethod(descriptor, request, _asking(queries, descriptor))


def _asking(queries: Any, method: MethodDescriptor) -> Callable[[Any, Call], Any]:
    """A query that reports all faults of a malformed request, by reading it once more without a database."""
    name, has_past = method.name, "as_of" in method.input_type.fields_by_name
    ask, blind = getattr(queries, name), copy(queries)
    pages = "page" in method.input_type.fields_by_name and "position" in method.output_type.fields_by_name
    for attribute, value in vars(queries).items():
        setattr(blind, attribute, _NoTenants() if isinstance(value, Tenants) else _Unreachable())

    async def answer(request: Any, call: Call) -> Any:
        try:
            if has_past and request.HasField("as_of"):
                call = replace(call, as_of=await queries.moment(request, call))
            found = await ask(request, call)
            if pages:
                at_one_position(request, found)
            return found
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


async def with_fewer_rows(method: RpcMethod, read: Callable[[], Any], call: Call, size: int) -> Message:
    """The same page of a list, which took so many bytes, with fewer rows, until it is small enough for clients."""
    request, answer = read(), None
    rows = request.page.page_size or USUAL_ROWS
    while answer is None or (size > LONGEST_ANSWER_BYTES and rows > 1):
        rows = max(1, rows * LONGEST_ANSWER_BYTES // size * 3 // 4)
        request.page.page_size = rows
        answer = await method.behaviour(request, call)
        size = answer.ByteSize()
    return cast("Message", answer)
