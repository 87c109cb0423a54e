"""Takes spans by OTLP over gRPC, as a collector of OpenTelemetry does, and does nothing with them."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import uvloop

_METHOD = "opentelemetry.proto.collector.trace.v1.TraceService"


async def taken(request: bytes, context: Any) -> bytes:
    """An empty answer says that all of them were taken."""
    return b""


async def main() -> None:
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
    handler: Any = grpc.unary_unary_rpc_method_handler(taken)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(_METHOD, {"Export": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
