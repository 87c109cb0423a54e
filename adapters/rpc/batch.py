"""BatchService: many commands, an outcome each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from google.protobuf.message import Message
from google.rpc import code_pb2

from adapters.rpc import own
from adapters.rpc.calls import Call, rpc_of
from adapters.rpc.commands import NOT_MADE, Commands, MadeId, tell
from adapters.rpc.faults import require
from adapters.rpc.statuses import MISTAKE, code_of, refusal_of
from adapters.tenants import Tenant
from fulfilment.v1 import batch_pb2 as pb
from ledger.engine.commands import Command, Receipt
from ledger.engine.gathering import MOST_AT_ONCE
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
        made_ids: list[MadeId] = []
        async for index, each in in_turns(enumerate(request.commands)):
            which = each.WhichOneof("command")
            if which is None:
                made_ids.append(NOT_MADE)
                read.append(Malformed((f"commands[{index}]", "names no command")))
                continue
            command = getattr(each, which)
            made_ids.append(self._make_id(command, call.caller.name))
            try:
                read.append(await self._read(tenant, command, call))
            except Malformed as refusal:
                read.append(refusal.within(f"commands[{index}].{which}"))
            except Exception as error:  # noqa: BLE001 - one command that cannot be read spoils no other
                read.append(refusal_of(error))
        decided = iter(await tenant.ledger.execute_many([each for each in read if isinstance(each, Command)]))
        answers = [own.told(next(decided), call) if isinstance(command, Command) else command for command in read]
        room, told = _RESULT_BYTES, pb.ExecuteBatchResponse()
        async for answer, made_id in in_turns(zip(answers, made_ids, strict=True)):
            outcome = told.outcomes.add()
            if not isinstance(answer, Receipt):
                outcome.refusal.CopyFrom(_refusal(answer))
                continue
            result = None
            if answer.subject is not None and room > 0:
                result = await self._commands.result(tenant, answer, call)
                room -= result.ByteSize() if result is not None else 0
            tell(outcome.receipt, answer, made_id.of(answer), result if room >= 0 else None)
        return told

    def _make_id(self, command: Message, client: str) -> MadeId:
        return NOT_MADE if type(command) in self._prepared else self._commands.make_id(command, client)

    async def _read(self, tenant: Tenant, command: Message, call: Call) -> Command:
        call.caller.require(rpc_of(command))
        prepare = self._prepared.get(type(command), self._commands.read_ahead)
        return await prepare(tenant, command, call)


def _refusal(answer: Exception | None) -> pb.BatchRefusal:
    """A refusal; None is a mistake of ours."""
    if not isinstance(answer, Refusal):
        return pb.BatchRefusal(code=code_pb2.INTERNAL, reason="INTERNAL", message=MISTAKE.details)
    return pb.BatchRefusal(code=code_of(answer), reason=answer.reason, message=answer.message, details=answer.details)
