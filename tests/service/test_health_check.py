"""``server.py health``, which a container or a supervisor runs to know whether the service takes commands."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import grpc
import psycopg
import pytest
from grpc_health.v1 import health, health_pb2_grpc
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from adapters.access.tls import Files
from adapters.process import health_check
from tests.support.certificates import Authority, Pair
from tests.support.edge import edging
from tests.support.guarded import guarded
from tests.support.hosting import a_database
from tests.support.service import Service

OWNER = ("--role", "owner", "--all-tenants")


def words_of(pair: Pair) -> list[str]:
    return ["--tls-cert", str(pair.certificate), "--tls-key", str(pair.key)]


async def asked(*words: str | Path) -> None:
    await asyncio.to_thread(health_check.main, [str(each) for each in words])


async def test_a_service_that_takes_commands_is_healthy(service: Service, capsys: pytest.CaptureFixture[str]):
    await asked("--listen", service.address)
    assert capsys.readouterr().out == f"{service.address} takes commands\n"


async def test_where_nobody_listens_nothing_answers():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(health_check.Unhealthy, match=f"nothing answers at {address} "):
        await asked("--listen", address, "--seconds", "2")


async def test_a_service_that_is_stopping_takes_no_commands():
    server, healthy = grpc.aio.server(), health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    await healthy.enter_graceful_shutdown()
    with pytest.raises(health_check.Unhealthy, match=f"{address} takes no commands now"):
        await asked("--listen", address)
    await server.stop(0)


async def test_edges_that_are_a_process_of_their_own_are_asked_whether_they_keep_deliveries(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    authority = Authority(tmp_path)
    own, other = authority.issue("edge"), authority.issue("other")
    for files in (None, Files(own.certificate, own.key, None)):
        with edging(service, files) as url:
            web = url.rpartition("/")[2]
            certificate = ["--tls-cert", str(own.certificate)] if files else []
            await asked("--web", web, *certificate)
            assert capsys.readouterr().out == f"{web} takes deliveries\n"
            if files:
                with pytest.raises(health_check.Unhealthy, match="nothing answers"):
                    await asked("--web", web, "--tls-cert", other.certificate)
    monkeypatch.setenv("FULFILMENT_ROLE", "edge")
    monkeypatch.setenv("FULFILMENT_WEB", web)
    with pytest.raises(health_check.Unhealthy, match=f"nothing answers at {web}"):
        await asked()


async def test_edges_whose_database_is_gone_keep_none(embedded: str, tmp_path: Path):
    with a_database(embedded) as dsn, edging(Service("", tmp_path, dsn)) as url:
        name = conninfo_to_dict(dsn)["dbname"]
        with psycopg.connect(embedded, autocommit=True) as connection:
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(str(name))))
            connection.execute(SQL("CREATE DATABASE {} ALLOW_CONNECTIONS false").format(Identifier(str(name))))
        with pytest.raises(health_check.Unhealthy, match="takes no deliveries now"):
            await asked("--web", url.rpartition("/")[2])


async def test_over_tls_it_asks_the_server_that_has_this_certificate_and_shows_it(conninfo: str, tmp_path: Path):
    authority = Authority(tmp_path)
    own, other = authority.issue("server"), authority.issue("other")
    clients = ["--tls-client-ca", str(authority.file)]
    async with guarded(conninfo, tmp_path, *words_of(own), *clients, clients={"mia": OWNER}) as service:
        await asked("--listen", service.address, *words_of(own))
        with pytest.raises(health_check.Unhealthy, match="nothing answers"):
            await asked("--listen", service.address, *words_of(other), "--seconds", "2")
        with pytest.raises(health_check.Unhealthy, match="nothing answers"):
            await asked("--listen", service.address, "--seconds", "2")
    with pytest.raises(health_check.Unhealthy, match="the certificate cannot be read"):
        await asked("--listen", service.address, "--tls-cert", tmp_path / "none.pem")


def test_its_words_come_from_the_environment_of_the_service(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FULFILMENT_LISTEN", "0.0.0.0:1")
    with pytest.raises(health_check.Unhealthy, match=r"nothing answers at 0\.0\.0\.0:1 .*127\.0\.0\.1:1"):
        health_check.main(["--seconds", "1"])
