"""The senders of webhooks, in a process of their own: signed beforehand, over connections that stay open.

A client for HTTP takes longer for a request than the edge does, so these write and read the few bytes themselves.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from time import perf_counter

from benchmarks import load
from benchmarks.load import Load
from fulfilment.v1 import common_pb2, edges_pb2

CONNECTION = "bench"
_SECRET = "the secret of the webhooks"
_SENDERS = 16
_PATH = f"/in/default/{CONNECTION}"


async def connect(address: str) -> None:
    """A shop of WooCommerce, which cannot be asked."""
    async with load.connected(address) as ledger:
        await ledger.edges.AddConnection(
            edges_pb2.AddConnectionRequest(
                context=common_pb2.CommandContext(request_id="connect", actor="benchmark"),
                name=CONNECTION,
                system="woocommerce",
                settings={"shop": "https://shop.example.org"},
                secrets={"webhook": _SECRET},
            )
        )


async def send(address: str, first_id: int, warm_up: int, deliveries: int, per_second: float = 0.0) -> Load:
    """Orders as webhooks, each once; as fast as they are answered, or so many a second."""
    requests = list(_requests(first_id, warm_up + deliveries))
    host, _, port = address.rpartition(":")
    senders = [await asyncio.open_connection(host, int(port)) for _ in range(_SENDERS)]
    try:
        await _all(senders, requests[:warm_up])
        return await _all(senders, requests[warm_up:], per_second)
    finally:
        for _, writer in senders:
            writer.close()


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _all(senders: Sequence[Connection], requests: Sequence[bytes], per_second: float = 0.0) -> Load:
    waiting = iter(enumerate(requests))
    each: list[float] = []
    with load.without_collector():
        began = perf_counter()

        async def sender(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for number, request in waiting:
                # A delivery that has to wait for a free connection has waited: it counts from when it was due.
                due = began + number / per_second if per_second else perf_counter()
                await asyncio.sleep(max(0.0, due - perf_counter()))
                writer.write(request)
                await _answered(reader)
                each.append(perf_counter() - due)

        async with asyncio.TaskGroup() as group:
            for reader, writer in senders:
                group.create_task(sender(reader, writer))
        seconds = perf_counter() - began
    return Load(seconds, sorted(each))


async def _answered(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
    if not head.startswith(b"http/1.1 200 "):
        status = head.partition(b"\r\n")[0].decode()
        raise RuntimeError(f"a delivery was answered with {status}")


def _requests(first_id: int, count: int) -> Iterator[bytes]:
    for order_id in range(first_id, first_id + count):
        body = json.dumps(_order(order_id)).encode()
        signature = b64encode(hmac.digest(_SECRET.encode(), body, sha256)).decode()
        head = (
            f"POST {_PATH} HTTP/1.1\r\nhost: edge\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            f"x-wc-webhook-topic: order.created\r\nx-wc-webhook-signature: {signature}\r\n\r\n"
        )
        yield head.encode() + body


def _order(order_id: int) -> dict[str, object]:
    """As WooCommerce writes it, with one line, and what plugins add that nothing reads."""
    place = {
        "first_name": "Ann",
        "last_name": f"Example {order_id}",
        "company": "",
        "address_1": "1 Elm Street",
        "address_2": "",
        "city": "Berlin",
        "state": "",
        "postcode": "10115",
        "country": "DE",
    }
    return {
        "id": order_id,
        "number": str(order_id),
        "status": "processing",
        "currency": "EUR",
        "date_created_gmt": "2026-01-05T09:00:00",
        "date_modified_gmt": "2026-01-05T09:00:00",
        "date_paid_gmt": "2026-01-05T09:00:00",
        "total": "9.90",
        "total_tax": "0.00",
        "customer_note": "",
        "billing": {**place, "email": f"ann{order_id}@example.org", "phone": "+49 30 123456"},
        "shipping": place,
        "payment_method": "card",
        "line_items": [{"id": 315, "name": "Cup", "quantity": 1, "sku": "cup", "total": "9.90"}],
        "shipping_lines": [],
        "fee_lines": [],
        "refunds": [],
        "meta_data": [{"id": number, "key": f"_plugin_{number}", "value": "x" * 40} for number in range(10)],
    }
