"""BatchService: many commands, an outcome each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from google.protobuf.message import Message
from google.rpc import code_pb2

from adapters.rpc import own
from adapters.rpc.calls import Call
from adapters.rpc.commands import NOT_MADE, Commands, MadeId, rpc_of, to_receipt
from adapters.rpc.faults import require
from adapters.rpc.statuses import MISTAKE, code_of, refusal_of
from adapters.tenants import Tenant
from fulfilment.v1 import batch_pb2 as pb
from ledger.engine.executor import MOST_AT_ONCE, Command, Receipt
from ledger.engine.turns import in_turns
from ledger.refusals import Malformed, Refusal

_RESULT_BYTES = 3 << 20
"""How much the results that were asked for may hold together: clients take answers of 4 MiB."""


Prepare = Callable[[Tenant, Any, Call], Awaitable[Command]]
"""Makes a command of a request that has to be looked into before."""


class BatchCommands:
    """BatchService: many commands, an outcome each."""

    def __init__(self, commands: Commands, prepared: Mapping[type[Message], Prepare]) -> None:
        """Prepared are the requests that say themselves who asks, in a field of their own."""
        self._commands = commands
        self._prepared = prepared

    async def ExecuteBatch(self, request: pb.ExecuteBatchRequest, call: Call) -> pb.ExecuteBatchResponse:
        size = len(request.commands)
        require(0 < size <= MOST_AT_ONCE, "commands", f"{size} commands, 1 to {MOST_AT_ONCE} are taken")
        tenant = await self._commands.tenants.find(call.tenant)
        read: list[Command | Refusal | None] = []
        made_ids = [self._make_id(each, call.caller.name) for each in request.commands]
        async for index, each in in_turns(enumerate(request.commands)):
            read.append(await self._read(tenant, each, index, call))
        decided = iter(await tenant.ledger.execute_many([each for each in read if isinstance(each, Command)]))
        answers = [own.told(next(decided), call) if isinstance(command, Command) else command for command in read]
        room, outcomes = _RESULT_BYTES, []
        async for answer, made_id in in_turns(zip(answers, made_ids, strict=True)):
            result = (
                await self._commands.result(tenant, answer, call) if isinstance(answer, Receipt) and room > 0 else None
            )
            room -= result.ByteSize() if result is not None else 0
            outcomes.append(_outcome(answer, made_id, result if room >= 0 else None))
        return pb.ExecuteBatchResponse(outcomes=outcomes)

    def _make_id(self, each: pb.BatchCommand, client: str) -> MadeId:
        which = each.WhichOneof("command")
        if which is None or type(getattr(each, which)) in self._prepared:
            return NOT_MADE
        return self._commands.make_id(getattr(each, which), client)

    async def _read(self, tenant: Tenant, each: pb.BatchCommand, index: int, call: Call) -> Command | Refusal | None:
        """The command, or why it is none; None for a mistake of ours."""
        which = each.WhichOneof("command")
        if which is None:
            return Malformed((f"commands[{index}]", "names no command"))
        try:
            command = getattr(each, which)
            call.caller.require(rpc_of(command))
            if (prepare := self._prepared.get(type(command))) is not None:
                return await prepare(tenant, command, call)
            return await self._commands.read_ahead(tenant, command, call)
        except Malformed as refusal:
            return refusal.within(f"commands[{index}].{which}")
        except Exception as error:  # noqa: BLE001 - one command that cannot be read spoils no other
            return refusal_of(error)


def _outcome(answer: Receipt | Exception | None, made_id: MadeId, result: Message | None) -> pb.BatchOutcome:
    if isinstance(answer, Receipt):
        return pb.BatchOutcome(receipt=to_receipt(answer, made_id.of(answer), result))
    if isinstance(answer, Refusal):
        refusal = pb.BatchRefusal(
            code=code_of(answer), reason=answer.reason, message=answer.message, details=answer.details
        )
    else:
        refusal = pb.BatchRefusal(code=code_pb2.INTERNAL, reason="INTERNAL", message=MISTAKE.details)
    return pb.BatchOutcome(refusal=refusal)
