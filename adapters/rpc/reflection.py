"""gRPC's reflection, for callers that the gate knows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from adapters.access.callers import Caller
from adapters.access.gate import Gate
from adapters.rpc.contexts import Context, who
from adapters.rpc.statuses import refuse
from adapters.rpc.turnstile import Turnstile
from ledger.refusals import Refusal


def add_reflection(server: grpc.aio.Server, gate: Gate, turnstile: Turnstile, names: Sequence[str]) -> None:
    """Reflection of these services and of itself."""
    guarded = GuardedReflection(gate, turnstile, [*names, reflection.SERVICE_NAME])
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(guarded, server)  # type: ignore[no-untyped-call]


class GuardedReflection:
    """Tells the contract to whoever may call something of it."""

    def __init__(self, gate: Gate, turnstile: Turnstile, names: Sequence[str]) -> None:
        self._gate = gate
        self._turnstile = turnstile
        self._reflection: Any = reflection.aio.ReflectionServicer(names)

    async def ServerReflectionInfo(self, requests: object, context: Context) -> AsyncIterator[Any]:
        try:
            caller, _ = who(self._gate, context)
            questions = self._questions(caller, context)
            async for answer in self._reflection.ServerReflectionInfo(questions, context):
                yield answer
        except Refusal as refusal:
            refuse(context, refusal)

    async def _questions(self, caller: Caller, context: Context) -> AsyncIterator[Any]:
        while (question := await self._turnstile.next_message(caller.meter, context)) is not None:
            yield question
