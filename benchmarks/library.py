"""The naive way: an application of the eventsourcing library that saves one aggregate for each call.

Run with a conninfo. The library is used with its defaults: its PostgreSQL recorder with its table
lock, its JSON transcoder, its pool of 5 to 15 connections. It does less than the ledger: it knows no
request ids, seals nothing, and reserves stock without looking at what there is, so that no two calls
ever conflict. Like the ledger it records two events: placed and reserved.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import grpc
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from google.protobuf.json_format import MessageToDict
from psycopg.conninfo import conninfo_to_dict

from benchmarks.empty import placing
from fulfilment.v1 import common_pb2, orders_pb2

THREADS = 5
"""As many as its pool keeps connections. More are slower: saves queue for the table lock, threads for the GIL."""


class Order(Aggregate):
    """An order with its customer in plain, and the stock it asks for."""

    class Placed(Aggregate.Created):
        channel: str
        number: str
        content: dict[str, Any]

    @event(Placed)
    def __init__(self, channel: str, number: str, content: dict[str, Any]) -> None:
        self.channel, self.number, self.content = channel, number, content
        self.reserved: dict[str, int] = {}

    @staticmethod
    def create_id(channel: str, number: str) -> UUID:
        return uuid5(NAMESPACE_URL, f"/orders/{channel}/{number}")

    @event("StockReserved")
    def reserve(self, units: dict[str, int]) -> None:
        self.reserved = units


class Orders(Application[UUID]):
    def place(self, request: orders_pb2.PlaceOrderRequest, context: Any) -> common_pb2.Receipt:
        order = Order(request.channel, request.channel_order_id, MessageToDict(request))
        order.reserve({f"{line.supplier_id}/{line.sku}": line.quantity for line in request.lines})
        recordings = self.save(order)
        position, version = recordings[-1].notification.id, order.version
        return common_pb2.Receipt(position=position, version=version, outcome=common_pb2.Receipt.OUTCOME_APPLIED)


def environment(conninfo: str) -> dict[str, str]:
    """What the library wants to know of PostgreSQL; nothing else is set."""
    known = conninfo_to_dict(conninfo)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(known["dbname"]),
        "POSTGRES_HOST": str(known.get("host", "127.0.0.1")),
        "POSTGRES_PORT": str(known.get("port", "")),
        "POSTGRES_USER": str(known.get("user", "postgres")),
        "POSTGRES_PASSWORD": str(known.get("password", "")),
    }


def main() -> None:
    application = Orders(environment(sys.argv[1]))
    server = grpc.server(ThreadPoolExecutor(THREADS))
    server.add_generic_rpc_handlers([placing(application.place)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
