"""BatchService: many commands, an outcome each."""

from __future__ import annotations

import asyncio

from google.rpc import code_pb2

from adapters.rpc.commands import Commands, to_receipt
from adapters.rpc.faults import require
from adapters.rpc.queries import Context, deadline_of, tenant_name
from adapters.rpc.statuses import MISTAKE, code_of, refusal_of
from adapters.tenants import Tenant
from fulfilment.v1 import batch_pb2 as pb
from ledger.engine.executor import MOST_AT_ONCE, Command, Receipt
from ledger.refusals import Malformed, Refusal


class BatchCommands:
    """BatchService: many commands, an outcome each."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def ExecuteBatch(self, request: pb.ExecuteBatchRequest, context: Context) -> pb.ExecuteBatchResponse:
        size = len(request.commands)
        require(0 < size <= MOST_AT_ONCE, "commands", f"{size} commands, 1 to {MOST_AT_ONCE} are taken")
        tenant = await self._commands.tenants.find(tenant_name(context))
        deadline = deadline_of(context)
        read: list[Command | Refusal | None] = []
        for index, each in enumerate(request.commands):
            read.append(await self._read(tenant, each, index, deadline))
            if index % 50 == 49:
                await asyncio.sleep(0)  # let the calls of others in between
        decided = iter(await tenant.ledger.execute_many([each for each in read if isinstance(each, Command)]))
        outcomes = [_outcome(next(decided) if isinstance(each, Command) else each) for each in read]
        return pb.ExecuteBatchResponse(outcomes=outcomes)

    async def _read(
        self, tenant: Tenant, each: pb.BatchCommand, index: int, deadline: float | None
    ) -> Command | Refusal | None:
        """The command, or why it is none; None for a mistake of ours."""
        which = each.WhichOneof("command")
        if which is None:
            return Malformed((f"commands[{index}]", "names no command"))
        try:
            return await self._commands.read_ahead(tenant, getattr(each, which), deadline)
        except Malformed as refusal:
            return refusal.within(f"commands[{index}].{which}")
        except Exception as error:  # noqa: BLE001 - one command that cannot be read spoils no other
            return refusal_of(error)


def _outcome(answer: Receipt | Exception | None) -> pb.BatchOutcome:
    if isinstance(answer, Receipt):
        return pb.BatchOutcome(receipt=to_receipt(answer))
    if isinstance(answer, Refusal):
        refusal = pb.BatchRefusal(
            code=code_of(answer), reason=answer.reason, message=answer.message, details=answer.details
        )
    else:
        refusal = pb.BatchRefusal(code=code_pb2.INTERNAL, reason="INTERNAL", message=MISTAKE.details)
    return pb.BatchOutcome(refusal=refusal)
