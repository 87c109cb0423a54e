"""The lower bound: a grpc.aio server that takes PlaceOrder, does nothing, and answers an empty Receipt.

With the argument ``many`` it accepts calls as the ledger does, many at once; with a certificate and its key behind
that, over TLS.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import uvloop

from adapters.access.tls import Files, Tls
from adapters.rpc.accepting import aio_server
from fulfilment.v1 import common_pb2, orders_pb2


def placing(behaviour: Callable[[orders_pb2.PlaceOrderRequest, Any], Any]) -> grpc.GenericRpcHandler:
    """OrderService with PlaceOrder alone."""
    handler = grpc.unary_unary_rpc_method_handler(
        behaviour, orders_pb2.PlaceOrderRequest.FromString, common_pb2.Receipt.SerializeToString
    )
    return grpc.method_handlers_generic_handler("fulfilment.v1.OrderService", {"PlaceOrder": handler})


async def nothing(request: orders_pb2.PlaceOrderRequest, context: Any) -> common_pb2.Receipt:
    return common_pb2.Receipt()


async def main() -> None:
    server = aio_server() if "many" in sys.argv else grpc.aio.server()
    server.add_generic_rpc_handlers([placing(nothing)])
    if len(sys.argv) > 3:
        server_tls = Tls(Files(*map(Path, sys.argv[2:4])))
        port = server.add_secure_port("127.0.0.1:0", server_tls.credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(main())
