"""An upgrade while people work: the old version and a newer one on one database, then the newer one alone."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from fulfilment import client
from fulfilment.v1 import admin_pb2, common_pb2, orders_pb2, remarks_pb2, tracking_pb2
from tests.support.hosting import a_database
from tests.support.newer_version import FACT, SHAPE, newer_version
from tests.support.service import Client, context, names_of, order, reason_of, refused, serving
from tests.support.waiting import wait_for

_CALLERS = 3
VERIFIED = ("tracking", "stock_levels")
"""A read model whose rows the newer version has changed, and one that both versions write alike."""


class Callers:
    """Who places orders and reads them all the while, by the contract's own client as it comes."""

    def __init__(self, address: str) -> None:
        self.placed: list[str] = []
        self.failed: list[Exception] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._call, args=(address, f"caller{number}")) for number in range(_CALLERS)
        ]

    @contextmanager
    def calling(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self.end()

    def end(self) -> None:
        """What they do is done."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def more(self) -> None:
        """Waits for some more of their orders."""
        wanted = len(self.placed) + 5 * _CALLERS
        wait_for(lambda: self.failed or len(self.placed) >= wanted)

    def _call(self, address: str, name: str) -> None:
        number = 0
        with client.Client(address, actor=name) as ledger:
            while not self._stop.is_set() and not self.failed:
                try:
                    self._place(ledger, f"{name}-{number}")
                except Exception as error:  # noqa: BLE001 - the test names it
                    self.failed.append(error)
                number += 1
                time.sleep(0.1)

    def _place(self, ledger: client.Client, number: str) -> None:
        receipt = ledger.orders.PlaceOrder(order(number))
        self.placed.append(f"shop/{number}")
        ledger.orders.GetOrder(orders_pb2.GetOrderRequest(order_id=f"shop/{number}"))
        ledger.reports.ListOrders(tracking_pb2.ListOrdersRequest(at_least=receipt.position))


def _free_port() -> int:
    """A port for a server whose address is told before it starts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def _newer_projector(house: Path, dsn: str) -> Iterator[None]:
    words = [sys.executable, "server.py", "--role", "projector", "--dsn", dsn, "--log-level", "error"]
    process = subprocess.Popen(words, cwd=house)
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(60) == 0


def _shape(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        query = "SELECT shape FROM tenant_default.ledger_projections WHERE name = 'tracking'"
        ((shape,),) = connection.execute(query).fetchall()
        return int(shape)


def _caught_up(newer: Client) -> bool:
    found = newer.admin.GetStatus(admin_pb2.GetStatusRequest()).projections
    return bool(found) and not any(each.lag or each.error for each in found)


def _verified(newer: Client) -> list[str]:
    """What came of the verifications, once all have ended."""
    found = newer.admin.GetStatus(admin_pb2.GetStatusRequest()).projections
    done = [each.rebuild for each in found if each.name in VERIFIED and each.rebuild.startswith(("verified", "failed"))]
    return done if len(done) == len(VERIFIED) else []


def _note(order_id: str) -> Any:
    return remarks_pb2.AddOrderNoteRequest(context=context(), order_id=order_id, note="rang")


def test_nobody_notices_that_a_newer_version_takes_over(conninfo: str, tmp_path: Path):
    house, port = newer_version(tmp_path), _free_port()
    with a_database(conninfo) as dsn, serving(tmp_path / "one", "--dsn", dsn, "--outbox", "off") as old:
        key = str(old.data / "master.key")
        callers = Callers(f"ipv4:{old.address},127.0.0.1:{port}")
        with Client(old.address) as asked, callers.calling():
            callers.more()
            first = callers.placed[0]

            # 1. The schemas, by the newer version, and 2. its projector, beside the old processes.
            migrate = [sys.executable, "server.py", "migrate", "--dsn", dsn]
            subprocess.run(migrate, cwd=house, check=True, stdout=subprocess.DEVNULL)
            with _newer_projector(house, dsn):
                wait_for(lambda: _shape(dsn) == SHAPE)
                callers.more()

                # 3. Its API. What it writes first that the old version does not know stops that one there alone.
                where = ("--listen", f"127.0.0.1:{port}", "--role", "api", "--dsn", dsn, "--key-file", key)
                newer = serving(tmp_path / "two", *where, "--outbox", "off", house=house)
                with newer as service, Client(service.address) as ledger:
                    callers.more()
                    ledger.orders.AddOrderNote(_note(first))
                    error = refused(asked.orders.GetOrder, orders_pb2.GetOrderRequest(order_id=first))
                    assert reason_of(error) == "STORAGE_UNAVAILABLE"
                    assert f"{FACT} is a fact of a newer version" in str(error)
                    error = refused(asked.orders.AddOrderNote, _note(first))
                    assert reason_of(error) == "STORAGE_UNAVAILABLE"
                    # The newer projector takes the read models over that the old one cannot go on with.
                    wait_for(lambda: _caught_up(ledger))
                    callers.more()

                    # 4. The old version ends, and the newer one is alone.
                    assert old.stop() == 0
                    callers.more()
                    callers.end()
                    assert callers.failed == []
                    _require_all(ledger, callers.placed)


def _require_all(newer: Client, placed: list[str]) -> None:
    """Nothing that was acknowledged is lost, and the read models are what the log says."""
    wait_for(lambda: _caught_up(newer))
    listed = newer.reports.ListOrders(
        tracking_pb2.ListOrdersRequest(page=common_pb2.PageRequest(page_size=1000))
    ).orders
    assert set(placed) <= {each.order_id for each in listed}
    assert names_of(newer, FACT) == 1
    for name in VERIFIED:
        newer.admin.RebuildProjection(admin_pb2.RebuildProjectionRequest(name=name, verify_only=True))
    assert all(": equal, " in told for told in wait_for(lambda: _verified(newer)))
