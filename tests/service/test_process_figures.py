"""Each process by itself shows its figures: the API, a projector and an edge, on one database."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import grpc
import httpx2
import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from fulfilment.v1 import exports_pb2
from tests.service.test_metrics import Figures, read
from tests.support.access import administer
from tests.support.hosting import a_database
from tests.support.service import HOUSE, Client, order
from tests.support.waiting import wait_for

NOWHERE = "host=/nowhere dbname=none user=none"
ROLES: Mapping[str, tuple[str, ...]] = {
    "api": ("--listen", "127.0.0.1:0", "--reporting-dsn", NOWHERE),
    "projector": (),
    "edge": ("--web", "127.0.0.1:0", "--reporting-dsn", NOWHERE),
}


class Role(NamedTuple):
    """A process with one role."""

    process: subprocess.Popen[bytes]
    log: Path

    def told(self, pattern: str) -> str:
        """What stands in its log, once it does."""

        def found() -> str:
            assert self.process.poll() is None, self.log.read_text()
            there = re.search(pattern, self.log.read_text())
            return there[1] if there else ""

        return str(wait_for(found, 60))

    @property
    def url(self) -> str:
        return self.told(r"figures at (http://127\.0\.0\.1:\d+/metrics)")

    def figures(self) -> Figures:
        return read(httpx2.get(self.url).raise_for_status().text)


@contextmanager
def running(role: str, folder: Path, dsn: str, *more: str) -> Iterator[Role]:
    log = folder / f"{role}.log"
    words = ["--role", role, "--dsn", dsn, "--data", str(folder), "--log-format", "json", "--metrics", "0", *more]
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "server.py", *words], cwd=HOUSE, stdout=out, stderr=out)
    try:
        yield Role(process, log)
    finally:
        process.terminate()
        assert process.wait(40) == 0, log.read_text()


@pytest.fixture(scope="module")
def apart(embedded: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Role]]:
    folder = tmp_path_factory.mktemp("apart")
    with a_database(embedded) as dsn, ExitStack() as started:
        found = {"api": started.enter_context(running("api", folder, dsn, *ROLES["api"]))}
        address = found["api"].told(r"listening on (\S+?)\"")
        for role in ("projector", "edge"):
            found[role] = started.enter_context(running(role, folder, dsn, *ROLES[role]))
        with Client(address) as client:
            client.approve()
            client.orders.PlaceOrder(order("watched"))
            position = client.place("watched-too").position
            client.read_up_to(position)
        yield found


@pytest.mark.parametrize("role", ROLES)
def test_each_process_tells_of_itself_and_of_where_each_tenant_stands(apart: dict[str, Role], role: str):
    shown = apart[role]

    def of_tenants() -> Figures:
        found = shown.figures()
        lag = 'fulfilment_projection_lag_facts{tenant="default",projection="tracking"}'
        return found if found.get(lag) == 0 and found['fulfilment_log_position{tenant="default"}'] > 0 else {}

    found: Figures = wait_for(of_tenants, 30)
    assert found[f'fulfilment_info{{version="0.1.0",role="{role}"}}'] == 1
    assert 'fulfilment_projection_stands{tenant="default",projection="sla"}' in found
    assert 'fulfilment_outbox_messages{tenant="default",state="waiting"}' in found
    assert 'fulfilment_inbox_deliveries{tenant="default",state="failed"}' in found
    assert 'fulfilment_clocks_late_seconds{tenant="default"}' in found
    memory = psutil.Process(shown.process.pid).memory_info().rss
    assert memory / 2 < found[f'fulfilment_memory_bytes{{role="{role}"}}'] < memory * 2
    assert found[f'fulfilment_cpu_seconds_total{{role="{role}"}}'] > 0
    assert found["fulfilment_loop_lag_seconds_count"] > 0
    assert any(name.startswith("fulfilment_pool_connections{") for name in found)
    assert not any("watched" in name for name in found)


def test_only_the_edges_tell_of_deliveries_and_only_who_decides_of_batches(apart: dict[str, Role]):
    found = {role: wait_for(each.figures) for role, each in apart.items()}
    assert {role for role, each in found.items() if "fulfilment_edge_effects_lag_seconds" in each} == {"edge"}
    assert "fulfilment_commands_waiting" in found["api"]
    assert "fulfilment_commands_waiting" not in found["projector"]
    assert {role for role, each in found.items() if any(n.startswith("fulfilment_calls_total") for n in each)} == {
        "api"
    }


def test_each_process_that_exports_does_so_from_the_replica_that_it_is_told(apart: dict[str, Role]):
    for role in ("api", "edge"):
        apart[role].told("(exports are refused until the replica of --reporting-dsn answers)")
    with Client(apart["api"].told(r'listening on (\S+?)"')) as client, pytest.raises(grpc.RpcError) as refused:
        list(client.exports.ExportTables(exports_pb2.ExportTablesRequest()))
    edge = apart["edge"].told(r'the edges listen on (\S+?)"')
    problem = httpx2.post(f"http://{edge}/v1/ExportService/ExportTables", json={}).text
    assert "its replica for exports" in (refused.value.details() or "")
    assert "its replica for exports" in problem


def test_a_projector_waits_for_the_tables_and_is_closed_like_the_api(embedded: str, tmp_path: Path):
    name = "empty_for_figures"
    with psycopg.connect(embedded, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            dsn = make_conninfo(embedded, dbname=name)
            with running("projector", tmp_path, dsn) as projector:
                projector.told("the projector lost its database, (trying again)")
                token = administer("add", "watcher", "--role", "operations", "--tenant", "default", "--dsn", dsn).token
                refused = httpx2.get(projector.url)
                assert (refused.status_code, refused.json()["reason"]) == (401, "CREDENTIALS")
                allowed = httpx2.get(projector.url, headers={"authorization": f"Bearer {token}"})
                assert 'role="projector"' in allowed.raise_for_status().text
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_projector_that_cannot_show_its_figures_ends_and_says_why(
    apart: dict[str, Role], embedded: str, tmp_path: Path
):
    taken = re.search(r":(\d+)/", apart["api"].url)
    assert taken
    words = ["--role", "projector", "--dsn", embedded, "--data", str(tmp_path), "--metrics", taken[1]]
    ended = subprocess.run(
        [sys.executable, "server.py", *words], cwd=HOUSE, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, "server.py: " in ended.stderr, taken[1] in ended.stderr) == (1, True, True)
    assert "Traceback" not in ended.stderr
