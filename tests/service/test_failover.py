"""A primary that dies and its standby that takes over: no answer is lost, and all comes back by itself."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from fulfilment.failures import failure
from fulfilment.v1 import audit_pb2, edges_pb2, orders_pb2, supplier_orders_pb2
from tests.support.edge import SECRET, WooShop, woo_order
from tests.support.service import (
    Client,
    ServiceProcess,
    context,
    order,
    serving,
    stamp,
)
from tests.support.standby import pair
from tests.support.waiting import wait_for

ROUNDS = 5
CALLERS = 4
DAY = timedelta(days=1)
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


class Callers:
    """Threads that place orders one after another; what was answered, and the requests that were not."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.answered: dict[str, tuple[orders_pb2.PlaceOrderRequest, int]] = {}
        self.refused: list[grpc.RpcError] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(each,)) for each in range(CALLERS)]

    def _call(self, caller: int) -> None:
        with Client(self._address) as client:
            number = 0
            while not self._over.is_set():
                number += 1
                request = order(f"{caller}-{number}", sku="untracked", request_id=f"{caller}-{number}")
                self._place(client, request)

    def _place(self, client: Client, request: orders_pb2.PlaceOrderRequest) -> None:
        """Asks until it is answered, as a client does that wants to know."""
        while not self._over.is_set():
            try:
                receipt = client.orders.PlaceOrder(request)
            except grpc.RpcError as error:
                self.refused.append(error)
                time.sleep(0.2)
            else:
                self.answered[request.context.request_id] = request, receipt.position
                time.sleep(0.05)
                return

    def more(self, number: int) -> None:
        """Waits for further answers."""
        wanted = len(self.answered) + number
        wait_for(lambda: len(self.answered) >= wanted, pause=0.02)

    def __enter__(self) -> Callers:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for each in self._threads:
            each.join()


@contextmanager
def health_of(service: ServiceProcess) -> Iterator[Any]:
    """Asks for the health of a name."""
    with grpc.insecure_channel(service.address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        yield lambda name="": stub.Check(health_pb2.HealthCheckRequest(service=name)).status


def edges_of(service: ServiceProcess) -> list[str]:
    """Where edges have listened so far, by the log."""
    return re.findall(r"the edges listen on (127\.0\.0\.1:\d+)", service.log.read_text())


def overdue(client: Client, number: str) -> None:
    """An order whose supplier was to answer yesterday: the clock notices it."""
    client.place(number, placed_at=stamp(datetime.now(UTC) - 3 * DAY))
    sent = supplier_orders_pb2.SendSupplierOrderRequest(
        context=context(), supplier_order_id=f"shop/{number}/1", at=stamp(datetime.now(UTC) - 2 * DAY)
    )
    client.orders.SendSupplierOrder(sent)


def connect_a_shop(client: Client) -> None:
    request = edges_pb2.AddConnectionRequest(
        context=context(),
        name="main",
        system="woocommerce",
        settings={"shop": "https://shop.example.org"},
        secrets={"webhook": SECRET},
    )
    client.edges.AddConnection(request)


def deliver(shop: WooShop, number: int) -> None:
    """As shops do: until it is taken."""

    def taken() -> bool:
        try:
            return shop.send(woo_order(number), "order.created").status_code == 200
        except httpx2.HTTPError:
            return False

    wait_for(taken)


def everything_works(client: Client, shop: WooShop, service: ServiceProcess, number: int) -> None:
    """Commands, clock, outbox, projector and edges do something new."""
    overdue(client, f"late-{number}")
    deliver(shop, number)
    late = f"shop/late-{number}"
    wait_for(lambda: client.get(late).supplier_orders[0].missed_clocks == ["acknowledge"])
    wait_for(lambda: knows(client, f"main/{number}"))
    before = mails_of(service)
    client.place(f"new-{number}")
    wait_for(lambda: mails_of(service) > before)


def knows(client: Client, order_id: str) -> bool:
    try:
        return bool(client.get(order_id))
    except grpc.RpcError:
        return False


def mails_of(service: ServiceProcess) -> int:
    """How many letters the outbox has written."""
    return len(list((service.data / "outbox" / "default").glob("*.eml")))


def require_all_once(client: Client, callers: Callers) -> None:
    """Every receipt is in the log, once, and the same when it is asked for again; the log has no gap."""
    facts = [fact for page in client.audit.StreamFacts(audit_pb2.StreamFactsRequest()) for fact in page.facts]
    assert [fact.position for fact in facts] == list(range(1, len(facts) + 1))
    placed = Counter(fact.stream for fact in facts if fact.name == "order.placed")
    assert set(placed.values()) == {1}
    for request, position in callers.answered.values():
        assert placed[f"order-shop/{request.channel_order_id}"] == 1
        assert facts[position - 1].stream == f"order-shop/{request.channel_order_id}"
        again = client.orders.PlaceOrder(request)
        assert again.position == position


@pytest.mark.timeout(400)  # it starts a dozen servers, and the processor may have to be shared
def test_five_primaries_die_under_load_and_no_answer_is_lost(folder: Path) -> None:
    with pair(folder) as both, serving(folder, "--dsn", both.dsn, "--web", "127.0.0.1:0") as service:
        (address,) = wait_for(lambda: edges_of(service))
        with Client(service.address) as client, health_of(service) as health:
            client.approve(at=datetime.now(UTC) - 30 * DAY, acknowledge_within_hours=24)
            connect_a_shop(client)
            shop = WooShop(f"http://{address}", "main")
            with Callers(service.address) as callers:
                for number in range(1, ROUNDS + 1):
                    callers.more(20)
                    both.primary.die()
                    wait_for(lambda: health() == NOT_SERVING)
                    if number == ROUNDS:
                        # Nobody takes over for longer than commands wait: they are told to come again.
                        wait_for(lambda: callers.refused)
                    both.promote()
                    wait_for(lambda: health() == SERVING)
                    callers.more(20)
                    both.follow()
                    if number in (1, ROUNDS):
                        everything_works(client, shop, service, number)
                # A standby that dies keeps commits waiting, which is told, and no answer is given meanwhile.
                both.standby.die()
                wait_for(lambda: health() == NOT_SERVING)
                both.standby.start()
                wait_for(lambda: health() == SERVING)
                callers.more(20)
            for each in callers.refused:
                assert each.code() is grpc.StatusCode.UNAVAILABLE, each
                assert failure(each).retry_seconds, each
            client.read_up_to(client.place("last").position)
            require_all_once(client, callers)
            wait_for(lambda: health("projection") == SERVING)
        assert edges_of(service) == [address]
