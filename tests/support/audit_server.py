"""The audit service in this process, over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from adapters.access.clients import Clients
from adapters.access.gate import Gate
from adapters.metrics.calls import CallCounts
from adapters.rpc.accepting import aio_server
from adapters.rpc.server import LONGEST_MESSAGE_BYTES, add_service
from adapters.rpc.turnstile import Turnstile
from fulfilment.v1 import audit_pb2, audit_pb2_grpc


@asynccontextmanager
async def audit(queries: object) -> AsyncIterator[audit_pb2_grpc.AuditServiceAsyncStub]:
    """A client of it, which these queries answer."""
    server = aio_server()
    service = audit_pb2.DESCRIPTOR.services_by_name["AuditService"]
    nobody: Any = None  # neither clients nor commands are asked for
    add_service(server, Gate(Clients(nobody)), service, nobody, queries, CallCounts(), Turnstile(LONGEST_MESSAGE_BYTES))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield audit_pb2_grpc.AuditServiceStub(channel)
    await server.stop(None)
