"""The engine alone: a call becomes two constant facts, exactly once and durable, with nothing read, sealed or decided.

Run with a conninfo. The difference from an empty call is the cost of the transaction and of its queue; the difference
from the ledger is the cost of the trade itself.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

from adapters.database.migrations import TENANT_MIGRATIONS
from adapters.database.postgres import open_pool
from adapters.database.schema_versions import migrate
from adapters.rpc.accepting import aio_server
from benchmarks.empty import placing
from fulfilment.v1 import common_pb2, orders_pb2
from ledger.engine.commands import Command
from ledger.engine.executor import Ledger
from ledger.engine.log import Log
from ledger.facts import Fact
from ledger.view import noun

_SCHEMA = "tenant_bare"


class Called(Fact, frozen=True, tag="bare.called"):
    """A call came in."""


def _evolve(calls: int | None, fact: Called) -> int:
    return (calls or 0) + 1


async def main(conninfo: str) -> None:
    async with open_pool(conninfo) as pool:
        async with pool.connection() as connection:
            await migrate(connection, _SCHEMA, TENANT_MIGRATIONS)
        ledger = Ledger(Log(_SCHEMA, pool), [noun("bare", Called, _evolve)])
        await ledger.start()

        async def place(request: orders_pb2.PlaceOrderRequest, context: object) -> common_pb2.Receipt:
            streams = (f"bare-{request.channel_order_id}", f"bare-{request.lines[0].sku}")
            changes = [(stream, Called()) for stream in streams]
            command = Command(request.context.request_id, "benchmark", b"", lambda view: changes, streams)
            receipt = await ledger.execute(command)
            return common_pb2.Receipt(position=receipt.position, version=receipt.version)

        server = aio_server()
        server.add_generic_rpc_handlers([placing(place)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        print(f"listening on 127.0.0.1:{port}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
