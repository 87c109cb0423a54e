"""Several server processes on one database: callers that fight, kills, restarts, clocks that notice once."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import psutil  # type: ignore[import-untyped]
import pytest
from google.protobuf.duration_pb2 import Duration

from adapters.database.embedded import EmbeddedServer
from fulfilment.v1 import orders_pb2, stock_pb2, supplier_orders_pb2
from tests.support.service import (
    HOUSE,
    Client,
    ServiceProcess,
    context,
    dsn_of,
    facts_named,
    names_of,
    offer,
    order,
    reason_of,
    serving,
    stamp,
)
from tests.support.waiting import wait_for

# --- the ledger under fire ---------------------------------------------------------------------------------


def test_two_servers_and_64_callers_promise_exactly_what_there_is(folder: Path) -> None:
    """2,000 requests fight over 200 units of one SKU through two processes."""
    with serving(folder, "--data", str(folder / "data")) as first:
        dsn = dsn_of(folder / "data")
        with serving(
            folder, "--dsn", dsn, "--role", "api", "--key-file", str(folder / "data" / "master.key")
        ) as second:
            clients = [Client(first.address), Client(second.address)]
            clients[0].approve()
            clients[0].feed(200)
            policy = orders_pb2.STOCK_POLICY_ALL_OR_NOTHING

            def buy(n: int) -> str:
                try:
                    clients[n % 2].orders.PlaceOrder(order(f"fight-{n}", stock_policy=policy), timeout=60)
                except grpc.RpcError as error:
                    return reason_of(error)
                return "promised"

            with ThreadPoolExecutor(64) as callers:
                outcomes = Counter(callers.map(buy, range(2000)))
            assert outcomes == {"promised": 200, "OUT_OF_STOCK": 1800}
            (level,) = (
                clients[1]
                .stock.GetStock(stock_pb2.GetStockRequest(items=[stock_pb2.Item(supplier_id="acme", sku="tea")]))
                .levels
            )
            assert (level.available, level.held + level.committed) == (0, 200)
            for client in clients:
                client.close()


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_no_answered_command_is_lost_however_the_service_ends(folder: Path, how: int, code: int) -> None:
    answered: list[str] = []
    with serving(folder, "--data", str(folder / "data")) as service:
        client = Client(service.address)
        client.approve()
        stop_at = time.monotonic() + 20

        def place(worker: int) -> None:
            for n in range(10_000):
                number = f"term-{worker}-{n}"
                try:
                    client.place(number, sku="untracked")
                except grpc.RpcError:
                    return
                answered.append(number)
                if time.monotonic() > stop_at:
                    return

        workers = [threading.Thread(target=place, args=(worker,)) for worker in range(8)]
        for worker in workers:
            worker.start()
        wait_for(lambda: len(answered) > 200, pause=0.01)
        assert service.stop(how) == code
        for worker in workers:
            worker.join()
        client.close()
    with serving(folder, "--data", str(folder / "data")) as again, Client(again.address) as client:
        for number in (*answered[:20], *answered[-50:]):
            assert client.get(f"shop/{number}").order_id == f"shop/{number}"


def test_a_projector_goes_with_a_service_that_was_killed_before_it_could_look(folder: Path) -> None:
    database = EmbeddedServer(folder / "data")
    service = ServiceProcess(folder, "--dsn", database.start(), "--key-file", str(folder / "master.key"))
    wait_for(lambda: children_of(service), pause=0.0)
    (projector,) = children_of(service)
    service.stop(signal.SIGKILL)
    try:
        wait_for(lambda: not is_there(projector))
    finally:
        if is_there(projector):
            projector.kill()
        database.stop()


def children_of(service: ServiceProcess) -> list[psutil.Process]:
    """The processes beside a server's own."""
    return list(psutil.Process(service.process.pid).children())


def is_there(process: psutil.Process) -> bool:
    """Not so one that has ended and that nobody has asked for its code."""
    return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE


def test_a_lost_key_file_is_reported_in_one_sentence(folder: Path) -> None:
    with serving(folder, "--data", str(folder / "data"), "--role", "api"):
        pass
    key = folder / "data" / "master.key"
    assert key.stat().st_mode & 0o777 == 0o600
    words = [sys.executable, "server.py", "--listen", "127.0.0.1:0", "--data", str(folder / "data")]
    key.unlink()
    lost = subprocess.run(words, cwd=HOUSE, capture_output=True, text=True, timeout=60)
    assert lost.returncode == 1
    assert "master.key is missing; restore it" in lost.stderr
    assert "Traceback" not in lost.stderr
    key.touch(0o600)
    key.write_bytes(bytes(range(32)))
    wrong = subprocess.run(words, cwd=HOUSE, capture_output=True, text=True, timeout=60)
    assert "belongs to another ledger" in wrong.stderr


# --- time ----------------------------------------------------------------------------------------------------


def test_clocks_notice_each_thing_once_also_with_two_processes_and_after_a_restart(folder: Path) -> None:
    """A dispatch and an acknowledgement that are overdue, and a reservation that runs out."""
    data_folder = folder / "data"
    long_ago = datetime.now(UTC) - timedelta(days=5)
    with serving(folder, "--data", str(data_folder)) as first:
        arguments = ("--dsn", dsn_of(data_folder), "--role", "api", "--key-file", str(data_folder / "master.key"))
        with serving(folder, *arguments), Client(first.address) as client:
            client.approve(at=long_ago, acknowledge_within_hours=24, dispatch_within_hours=48)
            client.feed(10)
            client.place("late", placed_at=stamp(long_ago))
            client.orders.SendSupplierOrder(
                supplier_orders_pb2.SendSupplierOrderRequest(
                    context=context(), supplier_order_id="shop/late/1", at=stamp(long_ago)
                )
            )
            reserved_at = datetime.now(UTC)
            client.stock.Reserve(
                stock_pb2.ReserveRequest(
                    context=context(),
                    reservation_id="cart-1",
                    items=[stock_pb2.ItemUnits(item=stock_pb2.Item(supplier_id="acme", sku="tea"), units=4)],
                    hold_for=Duration(seconds=4),
                )
            )
            wait_for(lambda: names_of(client, "order.deadline_missed") == 2)
            wait_for(lambda: names_of(client, "stock.reservation_expired") == 1)
            (expired,) = facts_named(client, "stock.reservation_expired")
            assert expired.recorded_at.ToDatetime(UTC) >= reserved_at + timedelta(seconds=4)
            time.sleep(2.5)
    with serving(folder, "--data", str(data_folder)) as again, Client(again.address) as client:
        time.sleep(2.5)
        assert names_of(client, "order.deadline_missed") == 2
        assert names_of(client, "stock.reservation_expired") == 1
        missed = client.get("shop/late").supplier_orders[0].missed_clocks
        assert list(missed) == ["acknowledge", "dispatch"]


def test_overdue_units_are_asked_for_once_also_with_two_processes_and_after_a_restart(folder: Path) -> None:
    """Acme missed the acknowledgement and the dispatch of two orders; Bolt has units for one of them."""
    data_folder = folder / "data"
    sent_at = datetime.now(UTC) - timedelta(days=2, minutes=1)
    with serving(folder, "--data", str(data_folder)) as first:
        arguments = ("--dsn", dsn_of(data_folder), "--role", "api", "--key-file", str(data_folder / "master.key"))
        with serving(folder, *arguments), Client(first.address) as client:
            for supplier_id in ("acme", "bolt"):
                client.approve(supplier_id, at=sent_at, acknowledge_within_hours=24, dispatch_within_hours=48)
                client.feed(5, supplier_id=supplier_id)
            offer(client, "bolt", "tea", 400)
            for number, sku in (("late", "tea"), ("alone", "mug")):
                client.place(number, placed_at=stamp(sent_at), sku=sku)
                client.orders.SendSupplierOrder(
                    supplier_orders_pb2.SendSupplierOrderRequest(
                        context=context(), supplier_order_id=f"shop/{number}/1", at=stamp(sent_at)
                    )
                )
            wait_for(lambda: names_of(client, "order.rerouting_sought") == 4)
            time.sleep(2.5)
    with serving(folder, "--data", str(data_folder)) as again, Client(again.address) as client:
        time.sleep(2.5)
        assert names_of(client, "order.rerouting_sought") == 4
        assert names_of(client, "order.supplier_order_cancel_requested") == 1
        (held,) = client.get("shop/alone").supplier_orders
        assert list(held.reroute_asked) == []
        client.orders.AnswerCancelRequest(
            supplier_orders_pb2.AnswerCancelRequestRequest(
                context=context(), supplier_order_id="shop/late/1", agreed=True
            )
        )
        taken, given = client.get("shop/late").supplier_orders
        assert taken.status == supplier_orders_pb2.SUPPLIER_ORDER_STATUS_CANCELLED
        assert (given.supplier_id, given.instead_of) == ("bolt", "shop/late/1")
        assert given.reroute_reason in ("overdue: acknowledge", "overdue: dispatch"), (
            "whichever the clock came to first"
        )
