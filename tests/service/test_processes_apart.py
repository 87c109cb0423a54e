"""API, projector and edge as processes of their own, with the very settings of the compose file, on one database."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import httpx2
import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from fulfilment import client
from fulfilment.v1 import exports_pb2
from tests.support.access import administer
from tests.support.certificates import Authority
from tests.support.figures import Figures, read
from tests.support.hosting import a_database
from tests.support.role_process import Role, running
from tests.support.service import HOUSE, order
from tests.support.waiting import wait_for

_SETTING = re.compile(r"^ +(FULFILMENT_[A-Z_]+): (\S+)$", re.MULTILINE)
ROLES = ("api", "projector", "edge")


def settings() -> dict[str, dict[str, str]]:
    """As they stand in the file, by role: those of all, and those of each."""
    head, services = (HOUSE / "deploy" / "compose.yaml").read_text().split("\nservices:\n")
    found = [dict(_SETTING.findall(part)) for part in re.split(r"^  \w+:$", services, flags=re.MULTILINE)]
    return {each["FULFILMENT_ROLE"]: {**dict(_SETTING.findall(head)), **each} for each in found if each}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


class Apart:
    """The three, and how they are called."""

    def __init__(self, dsn: str, data: Path, keys: Path) -> None:
        authority = Authority(keys)
        pair = authority.issue("tls")
        self.authority = authority.file
        self.trusted = ssl.create_default_context(cafile=str(authority.file))
        self.token = administer("add", "mia", "--role", "owner", "--all-tenants", "--dsn", dsn).token
        here = {
            "FULFILMENT_DSN": dsn,
            "FULFILMENT_REPORTING_DSN": "host=/nowhere dbname=none user=none",
            "FULFILMENT_TLS_CERT": str(pair.certificate),
            "FULFILMENT_TLS_KEY": str(pair.key),
            "FULFILMENT_DATA": str(data),
            "FULFILMENT_KEY_FILE": str(keys / "master.key"),
        }
        self.environments: dict[str, dict[str, str]] = {}
        self.processes: dict[str, Role] = {}
        for role, each in settings().items():
            self.environments[role] = {**each, **here}
            for name, value in each.items():
                if value.startswith("0.0.0.0:"):  # containers are reached by others; tests are not
                    self.environments[role][name] = f"127.0.0.1:{_free_port()}"

    def start(self, opened: ExitStack, folder: Path) -> None:
        for role in ROLES:
            self.processes[role] = opened.enter_context(running(role, folder, environment=self.environments[role]))
            if role == "api":  # which makes the tables and the key file
                self.processes[role].told("(figures at )")

    def metrics(self, role: str) -> httpx2.Response:
        self.processes[role].told("(figures at )")
        url = f"https://{self.environments[role]['FULFILMENT_METRICS']}/metrics"
        return httpx2.get(url, verify=self.trusted, headers={"authorization": f"Bearer {self.token}"})

    def figures(self, role: str) -> Figures:
        return read(self.metrics(role).raise_for_status().text)

    def client(self) -> client.Client:
        address = self.environments["api"]["FULFILMENT_LISTEN"].replace("127.0.0.1", "localhost")
        credentials = grpc.ssl_channel_credentials(self.authority.read_bytes())
        return client.Client(address, tenant="default", token=self.token, credentials=credentials, pauses_seconds=())


@pytest.fixture(scope="module")
def apart(embedded: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    data, keys = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("keys")
    with a_database(embedded) as dsn, ExitStack() as opened:
        found = Apart(dsn, data, keys)
        found.start(opened, data)
        with found.client() as mia:
            mia.orders.PlaceOrder(order("watched"))
        yield found


@pytest.mark.parametrize("role", ROLES)
def test_each_tells_of_itself_and_of_where_each_tenant_stands(apart: Apart, role: str):
    def of_tenants() -> Figures:
        found = apart.figures(role)
        lag = 'fulfilment_projection_lag_facts{tenant="default",projection="tracking"}'
        there = found.get(lag) == 0 and found['fulfilment_log_position{tenant="default"}'] > 0
        return found if there and found["fulfilment_loop_lag_seconds_count"] > 0 else {}

    found: Figures = wait_for(of_tenants, 30)
    assert found[f'fulfilment_info{{version="0.1.0",role="{role}"}}'] == 1
    assert 'fulfilment_projection_stands{tenant="default",projection="sla"}' in found
    assert 'fulfilment_outbox_messages{tenant="default",state="waiting"}' in found
    assert 'fulfilment_inbox_deliveries{tenant="default",state="failed"}' in found
    assert 'fulfilment_clocks_late_seconds{tenant="default"}' in found
    memory = psutil.Process(apart.processes[role].process.pid).memory_info().rss
    assert memory / 2 < found[f'fulfilment_memory_bytes{{role="{role}"}}'] < memory * 2
    assert found[f'fulfilment_cpu_seconds_total{{role="{role}"}}'] > 0
    assert any(name.startswith("fulfilment_pool_connections{") for name in found)
    assert not any("watched" in name for name in found)


def test_only_the_edges_tell_of_deliveries_and_only_who_decides_of_batches(apart: Apart):
    found = {role: apart.figures(role) for role in ROLES}
    assert {role for role, each in found.items() if "fulfilment_edge_effects_lag_seconds" in each} == {"edge"}
    assert "fulfilment_commands_waiting" in found["api"]
    assert "fulfilment_commands_waiting" not in found["projector"]
    called = {role for role, each in found.items() if any(name.startswith("fulfilment_calls_total") for name in each)}
    assert called == {"api"}


@pytest.mark.parametrize("role", ROLES)
def test_each_shows_its_figures_to_clients_alone(apart: Apart, role: str):
    assert apart.metrics(role).status_code == 200
    refused = httpx2.get(f"https://{apart.environments[role]['FULFILMENT_METRICS']}/metrics", verify=apart.trusted)
    assert (refused.status_code, refused.json()["reason"]) == (401, "CREDENTIALS")


def test_each_that_exports_does_so_from_the_replica_that_it_is_told(apart: Apart):
    for role in ("api", "edge"):
        apart.processes[role].told("(exports are refused until the replica of --reporting-dsn answers)")
    with apart.client() as mia, pytest.raises(grpc.RpcError) as refused:
        list(mia.exports.ExportTables(exports_pb2.ExportTablesRequest()))
    assert "its replica for exports" in str(refused.value)
    apart.processes["edge"].told("(the edges listen on)")
    url = f"https://{apart.environments['edge']['FULFILMENT_WEB']}/v1/ExportService/ExportTables"
    headers = {"authorization": f"Bearer {apart.token}"}
    assert "its replica for exports" in httpx2.post(url, json={}, verify=apart.trusted, headers=headers).text


@pytest.mark.parametrize(("role", "says"), [("api", "takes commands"), ("edge", "takes deliveries")])
def test_the_image_s_question_for_its_health_is_answered_in_their_environment(apart: Apart, role: str, says: str):
    apart.processes[role].told("(listen)")
    words = [sys.executable, "server.py", "health"]
    told = subprocess.run(words, cwd=HOUSE, env=apart.environments[role], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout.strip().endswith(says), told.stderr) == (0, True, "")


def test_a_projector_that_starts_first_waits_for_the_tables(embedded: str, tmp_path: Path):
    name = "empty_for_figures"
    with psycopg.connect(embedded, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            dsn = make_conninfo(embedded, dbname=name)
            with running("projector", tmp_path, ["--dsn", dsn, "--metrics", "0"]) as projector:
                projector.told("the projector lost its database, (trying again)")
                administer("add", "watcher", "--role", "operations", "--tenant", "default", "--dsn", dsn)
                assert httpx2.get(projector.figures).json()["reason"] == "CREDENTIALS"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_projector_that_cannot_show_its_figures_ends_and_says_why(apart: Apart, embedded: str, tmp_path: Path):
    taken = apart.environments["api"]["FULFILMENT_METRICS"]
    words = ["--role", "projector", "--dsn", embedded, "--data", str(tmp_path), "--metrics", taken]
    ended = subprocess.run(
        [sys.executable, "server.py", *words], cwd=HOUSE, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, "server.py: " in ended.stderr, taken in ended.stderr) == (1, True, True)
    assert "Traceback" not in ended.stderr
