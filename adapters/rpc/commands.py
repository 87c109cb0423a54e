"""Commands between the wire and a tenant's ledger: what a request becomes, and what reading it needs."""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import msgspec
from google.protobuf.message import Message

from adapters.rpc import own, shapes
from adapters.rpc.calls import Call
from adapters.rpc.faults import all_faults
from adapters.rpc.personal import holds_personal
from adapters.rpc.queries import where
from adapters.tenants import Tenant, Tenants
from fulfilment.v1 import cases_pb2, common_pb2, people_pb2
from ledger.decisions import retention, stock_watch
from ledger.engine.commands import Command, Receipt
from ledger.engine.log import Log
from ledger.engine.log_rows import Ended
from ledger.engine.request_ids import Former, stored_id
from ledger.engine.sealing import PersonKey, Sealer, TenantSealer, as_digest
from ledger.engine.wire import SqlStatement
from ledger.refusals import Malformed
from ledger.view import Decide, Entry, View
from projections.machine.reads import Where

LONGEST_COMMAND_BYTES = 3 << 19
"""1,000 lines with long titles fit, and a fact of it, in JSON, stays below the 4 MiB that clients take."""

Before = Callable[[Log], Awaitable[None]]

Besides = Callable[[str], SqlStatement]
"""What is to be written for a tenant, by its name."""


class Ask(msgspec.Struct, frozen=True, gc=False):
    """A request as it was read: its decision, the streams it is known to touch (the subject first), the data keys under
    which its personal data was sealed."""

    decide: Decide
    streams: tuple[str, ...]
    keys: Sequence[PersonKey] = ()
    owner: Callable[[View], str] | None = None
    """The person whose keys they are, if only the streams show it; empty if there is none."""
    of_new: bool = False
    """Whether it makes what the keys are of, so that none of that can have been over before."""
    destroys: Callable[[View], Ended] | None = None
    """Whose keys end with it."""
    before: Before | None = None
    """What must be stored before the decision, such as evidence; the Reader has before set."""
    besides: Besides | None = None
    """What is written in the same transaction, if facts are recorded."""


class Edge(msgspec.Struct, frozen=True, gc=False):
    """What translating needs beside the request."""

    sealer: TenantSealer
    """That of the tenant whose ledger it is for."""
    now: datetime
    actor: str
    digest: str
    """What recognises the same content again, where it is personal: a keyed hash of the request without its context."""
    warnings: list[str]
    """What is odd about the request and was put right; its reader adds to it."""
    seen: Any = None
    """What a read model was asked for the request, if it has a ``look``."""


class Reader(NamedTuple):
    """How the request of a command is read."""

    read: Callable[[Any, Edge], Ask]
    look: Callable[[Any, Where, datetime], Awaitable[Any]] | None = None
    """Asks a read model for what the decision is to see of it."""
    before: bool = False
    """Whether something has to be stored before it is decided."""
    makes: str = ""
    """The field with the id of what it makes, which the ledger gives where it is empty."""

    @property
    def ahead(self) -> bool:
        """Whether it is read as soon as it comes. All the others are read with the batch that decides them."""
        return self.before or self.look is not None


Readers = Mapping[type[Message], Reader]

Show = Callable[[Tenant, Entry], Awaitable[Message | None]]
"""What a stream's state is as a message; None where the contract has none for it."""


def to_receipt(receipt: Receipt, made_id: str = "", result: Message | None = None) -> common_pb2.Receipt:
    answer = common_pb2.Receipt()
    tell(answer, receipt, made_id, result)
    return answer


def tell(answer: common_pb2.Receipt, receipt: Receipt, made_id: str, result: Message | None) -> None:
    """Fills in an answer where it is: protobuf copies a message that is put into another by serializing it."""
    answer.position, answer.version, answer.made_id = receipt.position, receipt.version, made_id
    answer.outcome = common_pb2.Receipt.OUTCOME_REPLAYED if receipt.replayed else common_pb2.Receipt.OUTCOME_APPLIED
    answer.warnings.extend(receipt.warnings)
    if result is not None:
        answer.result.Pack(result)


class MadeId(NamedTuple):
    """The id that the ledger made for what a request makes; both are empty if it brought its own."""

    id: str = ""
    formerly: str = ""
    """What it would be for a caller without a name."""

    def of(self, receipt: Receipt) -> str:
        return self.formerly if receipt.formerly else self.id


NOT_MADE = MadeId()


class Commands:
    """Reads commands and executes them in a tenant's ledger."""

    def __init__(self, tenants: Tenants, sealer: Sealer, readers: Readers, show: Show) -> None:
        self.tenants = tenants
        self._sealer = sealer
        self._readers = readers
        self._personal = {request for request in readers if holds_personal(request)}
        self._show = show

    async def execute(self, request: Any, call: Call) -> common_pb2.Receipt:
        tenant = await self.tenants.find(call.tenant)
        made_id, ahead = self.make_id(request, call.caller.name), self._readers[type(request)].ahead
        read = await self.read_ahead(tenant, request, call) if ahead else partial(self.read, tenant, request, call)
        receipt = own.told(await tenant.ledger.execute(read), call)
        return to_receipt(receipt, made_id.of(receipt), await self.result(tenant, receipt, call))

    def require_well_formed(self, tenant: Tenant, request: Any, call: Call) -> None:
        """Raises Malformed as executing it would; of what has to look something up first that shows only then."""
        if not self._readers[type(request)].ahead:
            self.read(tenant, request, call)

    def make_id(self, request: Any, client: str) -> MadeId:
        """Gives what the request makes an id, if it left that to the ledger: the same for the client's request id."""
        field = self._readers[type(request)].makes
        if not field or getattr(request, field):
            return NOT_MADE
        made_id = MadeId(self._made_id(request, field, client), self._made_id(request, field, ""))
        setattr(request, field, made_id.id)
        return made_id

    def _made_id(self, request: Any, field: str, client: str) -> str:
        name = f"{request.DESCRIPTOR.full_name}\0{stored_id(client, request.context.request_id)}".encode()
        return f"{field[0].upper()}-{b32encode(self._sealer.fingerprint(name)).decode()[:12]}"

    async def result(self, tenant: Tenant, receipt: Receipt, call: Call) -> Message | None:
        """What the command was about, as a message, if it asked for that and its caller may read it."""
        shown = await self._show(tenant, receipt.subject) if receipt.subject is not None else None
        if shown is None:
            return None
        is_erasure = isinstance(shown, people_pb2.ErasedCounts)
        return shown if call.caller.may("ErasePerson" if is_erasure else f"Get{shown.DESCRIPTOR.name}") else None

    async def read_ahead(self, tenant: Tenant, request: Any, call: Call) -> Command:
        """As read, once all is asked and stored that the decision needs."""
        now, look = datetime.now(UTC), self._readers[type(request)].look
        seen = await look(request, where(self.tenants, tenant, request, call.deadline), now) if look else None
        command, before = self._read(tenant, request, call, now, seen)
        if before is not None:
            await before(tenant.log)
        return command

    def read(self, tenant: Tenant, request: Any, call: Call) -> Command:
        """The request as a command; raises Malformed with the path of the field to mend."""
        command, before = self._read(tenant, request, call, datetime.now(UTC))
        assert before is None, f"{type(request).__name__} is to be read ahead"
        return command

    def _read(
        self, tenant: Tenant, request: Any, call: Call, now: datetime, seen: object = None
    ) -> tuple[Command, Before | None]:
        """The request as a command, and what has to be done before it is decided; raises Malformed with all faults."""
        try:
            return self._command(tenant, request, call, now, seen)
        except Malformed as first:
            raise all_faults(first, lambda: self._command(tenant, request, call, now, seen)) from None

    def _command(
        self, tenant: Tenant, request: Any, call: Call, now: datetime, seen: object
    ) -> tuple[Command, Before | None]:
        context = request.context
        request_id = shapes.request_id(context.request_id)
        actor = call.caller.actor(shapes.actor(context.actor))
        content = _content(request)
        if len(content) > LONGEST_COMMAND_BYTES and not isinstance(request, cases_pb2.AddEvidenceRequest):
            raise Malformed(("request", f"{len(content)} bytes, {LONGEST_COMMAND_BYTES} at most"))
        sealer = self._sealer.of(tenant.schema)
        fingerprint, earlier = self._fingerprint(request, content, sealer)
        edge = Edge(sealer, now, actor, as_digest(fingerprint) if earlier else "", [], seen)
        ask = self._readers[type(request)].read(request, edge)
        decide = own.decided(stock_watch.watching(_noting(ask, now), now), request, call)
        client = call.caller.name
        command = Command(
            stored_id(client, request_id),
            actor,
            fingerprint,
            decide=decide,
            streams=ask.streams,
            keys=ask.keys,
            deadline=call.deadline,
            warnings=edge.warnings,
            owner=ask.owner,
            destroys=ask.destroys,
            besides=(ask.besides(tenant.name),) if ask.besides else (),
            with_subject=context.with_result,
            formerly=partial(self._former, request, client, sealer, ask.streams) if client else None,
            earlier_fingerprint=earlier,
        )
        return command, ask.before

    def _fingerprint(
        self, request: Any, content: bytes, sealer: TenantSealer
    ) -> tuple[bytes, Callable[[], bytes] | None]:
        """What recognises the request, and, where that ends with an epoch, what versions before epochs made of it."""
        if type(request) not in self._personal:
            return self._sealer.fingerprint(content), None
        return sealer.fingerprint(content), partial(self._sealer.fingerprint, content)

    def _former(self, request: Any, client: str, sealer: TenantSealer, streams: tuple[str, ...]) -> Former:
        """The same request as a caller without a name may have sent it before."""
        field, content = self._readers[type(request)].makes, _content(request)
        if field and getattr(request, field) == (made_id := self._made_id(request, field, client)):
            formerly = self._made_id(request, field, "")
            setattr(request, field, formerly)
            content = _content(request)
            setattr(request, field, made_id)
            streams = tuple(each.replace(made_id, formerly) for each in streams)
        fingerprint, earlier = self._fingerprint(request, content, sealer)
        return Former(request.context.request_id, fingerprint, streams, earlier)


def _noting(ask: Ask, now: datetime) -> Decide:
    """The decision; what it seals about an order that is over is kept for a time again."""
    if not ask.keys or ask.of_new:
        return ask.decide
    subject = ask.keys[0].subject
    return retention.noting(ask.decide, [key.purpose for key in ask.keys], ask.owner or (lambda _: subject), now)


def _content(request: Any) -> bytes:
    """What a request says, without who says it."""
    name: str = request.DESCRIPTOR.full_name
    return name.encode() + b"\0" + _without_context(request)


def _without_context(request: Any) -> bytes:
    """A request without its context: the same content again has the same digest.

    The context is field 1 of every command, so that its tag, its length and its bytes come first.
    """
    whole: bytes = request.SerializeToString(deterministic=True)
    if not request.HasField("context"):
        return whole
    size = request.context.ByteSize()
    return whole[1 + max(1, (size.bit_length() + 6) // 7) + size :]
