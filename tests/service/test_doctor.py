"""What the service finds when it looks over itself: at the console, and over HTTP's contract the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from adapters.doctor import database, machine
from adapters.doctor.finding import Finding, Severity
from adapters.doctor.machine import Premises
from adapters.doctor.tenants import of_tenants
from adapters.metrics.standing import ReadModel, TenantStanding
from fulfilment.v1 import doctor_pb2
from ledger.engine.keyring import load_or_create
from tests.support.certificates import Authority
from tests.support.service import Client, Service
from tests.support.terminal import Console

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "synchronous_standby_names": "",
    "data_checksums": "on",
    "max_connections": "100",
    "superuser_reserved_connections": "3",
    "server_version_num": "170002",
    "server_version": "17.2",
    "autovacuum": "on",
}


def diagnosed(client: Client) -> dict[str, doctor_pb2.Finding]:
    return {each.check: each for each in client.admin.Diagnose(doctor_pb2.DiagnoseRequest()).findings}


def durability(**settings: str) -> dict[str, Severity]:
    return {each.check: each.level for each in database.durability({**SETTINGS, **settings})}


def test_it_looks_at_all_that_keeps_the_service_running(client: Client):
    found = diagnosed(client)
    assert found.keys() >= {
        *("versions", "disk", "key file", "fsync", "full_page_writes", "synchronous_commit", "data checksums"),
        *(
            "database version",
            "connections",
            "idle transactions",
            "clock",
            "migrations",
            "reporting",
            "wraparound",
            "bloat",
            "size",
        ),
        *("tenants", "projector", "read models", "messages", "deliveries", "deadlines"),
    }
    assert found["clock"].level == doctor_pb2.FINDING_LEVEL_OK
    assert found["migrations"].level == doctor_pb2.FINDING_LEVEL_OK
    for each in found.values():
        assert each.found
        assert bool(each.advice) == (each.level != doctor_pb2.FINDING_LEVEL_OK), each


def test_the_database_of_tests_writes_nothing_through_and_it_says_so(client: Client, service: Service):
    with psycopg.connect(service.dsn) as connection:
        ((fsync,),) = connection.execute("SHOW fsync").fetchall()
    expected = doctor_pb2.FINDING_LEVEL_OK if fsync == "on" else doctor_pb2.FINDING_LEVEL_FAILS
    assert diagnosed(client)["fsync"].level == expected


def test_a_session_that_is_idle_in_a_transaction_is_found(
    client: Client, service: Service, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(database, "_LONG_IDLE_SECONDS", 0.0)
    with psycopg.connect(service.dsn) as connection:
        connection.execute("SELECT 1")
        assert diagnosed(client)["idle transactions"].level == doctor_pb2.FINDING_LEVEL_WARNING


def migrated(service: Service, schema: str, more: int, works_with: str) -> None:
    """As a newer version leaves a schema behind that it has brought up to date."""
    with psycopg.connect(service.dsn) as connection:
        update = SQL("UPDATE {}.ledger_schema SET version = version + %s, works_with = {}")
        connection.execute(update.format(Identifier(schema), SQL(works_with)), (more,))


@pytest.mark.parametrize("schema", ["fulfilment", "tenant_default"])
def test_what_a_newer_version_only_added_is_told_and_what_it_changed_fails(
    client: Client, service: Service, schema: str
):
    known = diagnosed(client)["migrations"]
    with psycopg.connect(service.dsn) as connection:
        query = SQL("SELECT works_with FROM {}.ledger_schema").format(Identifier(schema))
        ((before,),) = connection.execute(query).fetchall()
    try:
        migrated(service, schema, 1, "version")
        added = diagnosed(client)["migrations"]
        assert added.level == doctor_pb2.FINDING_LEVEL_WARNING
        assert f"schema {schema} has" in added.found
        assert "only added" in added.found
        assert "end this version" in added.advice
        migrated(service, schema, 1, "version + 1")
        changed = diagnosed(client)["migrations"]
        assert changed.level == doctor_pb2.FINDING_LEVEL_FAILS
        assert "start that one" in changed.advice
    finally:
        migrated(service, schema, -2, str(before))
    assert diagnosed(client)["migrations"] == known


def test_the_console_exits_with_how_bad_it_is(ff: Console, client: Client):
    worst = max(each.level for each in diagnosed(client).values())
    answered = ff("doctor", "--all")
    assert answered.code == {1: 0, 2: 1, 3: 2}[worst]
    assert "full_page_writes" in answered.out
    as_json = json.loads(ff("--json", "doctor").out)
    assert {"check", "level", "found"} <= as_json["findings"][0].keys()


def test_settings_that_lose_answers_fail():
    assert set(durability().values()) == {Severity.OK}
    assert durability(fsync="off")["fsync"] is Severity.FAILS
    assert durability(full_page_writes="off")["full_page_writes"] is Severity.FAILS
    assert durability(synchronous_commit="off")["synchronous_commit"] is Severity.FAILS
    assert durability(synchronous_commit="local")["synchronous_commit"] is Severity.OK
    assert durability(synchronous_commit="local", synchronous_standby_names="b")["synchronous_commit"] is Severity.FAILS
    assert durability(data_checksums="off")["data checksums"] is Severity.WARNING


@pytest.mark.parametrize(
    ("found", "level"),
    [
        (database.version_of({**SETTINGS, "server_version_num": "140020"}, NOW.date()), Severity.FAILS),
        (database.version_of({**SETTINGS, "server_version_num": "150020"}, NOW.date()), Severity.OK),
        (
            database.version_of({**SETTINGS, "server_version_num": "150020"}, NOW.date().replace(2027, 9)),
            Severity.WARNING,
        ),
        (database.connections(SETTINGS, 20, 20), Severity.OK),
        (database.connections(SETTINGS, 80, 20), Severity.WARNING),
        (database.connections(SETTINGS, 97, 20), Severity.FAILS),
        (database.wraparound(200_000_000), Severity.OK),
        (database.wraparound(1_200_000_000), Severity.WARNING),
        (database.wraparound(1_900_000_000), Severity.FAILS),
        (database.bloat([], SETTINGS), Severity.OK),
        (database.bloat([("tenant_a.sla", 10, 20_000)], SETTINGS), Severity.WARNING),
        (database.bloat([], {**SETTINGS, "autovacuum": "off"}), Severity.FAILS),
        (database.schema("fulfilment", 3, 2, 3), Severity.OK),
        (database.schema("fulfilment", 2, 2, 3), Severity.FAILS),
        (database.schema("fulfilment", 4, 4, 3), Severity.FAILS),
        (database.schema("fulfilment", 4, 3, 3), Severity.WARNING),
    ],
)
def test_the_state_of_the_database_has_its_level(found: Finding, level: Severity):
    assert found.level is level
    assert bool(found.advice) == (level is not Severity.OK)


def of_machine(premises: Premises, now: datetime = NOW) -> dict[str, Finding]:
    return {each.check: each for each in machine.machine(premises, now)}


@pytest.fixture
def ff(service: Service) -> Console:
    """The console at the service."""
    return Console(service.address)


@pytest.fixture
def premises(folder: Path) -> Premises:
    (folder / "data").mkdir()
    (folder / "keys").mkdir(mode=0o700)
    load_or_create(folder / "keys" / "master.key", ledger_has_data=False)
    return Premises(folder / "keys" / "master.key", folder / "data")


def test_a_key_file_is_to_be_private_and_apart_from_the_data(premises: Premises):
    assert of_machine(premises)["key file"].level is Severity.OK
    beside = premises._replace(data=premises.key_file.parent)
    assert of_machine(beside)["key file"].level is Severity.WARNING
    premises.key_file.chmod(0o644)
    assert of_machine(premises)["key file"].level is Severity.FAILS
    premises.key_file.unlink()
    assert of_machine(premises)["key file"].level is Severity.FAILS


def test_a_full_disk_is_seen(premises: Premises, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "_TOO_LITTLE", 1 << 62)
    assert of_machine(premises)["disk"].level is Severity.FAILS


def test_a_certificate_that_expires_is_seen(premises: Premises, folder: Path):
    issued = Authority(folder).issue("localhost", valid=timedelta(days=40))
    with_it = premises._replace(certificate=issued.certificate)
    now = datetime.now(UTC)
    for days, level in ((0, Severity.OK), (25, Severity.WARNING), (38, Severity.FAILS), (41, Severity.FAILS)):
        assert of_machine(with_it, now + timedelta(days=days))["certificate"].level is level
    issued.certificate.write_text("no certificate")
    assert of_machine(with_it)["certificate"].level is Severity.FAILS


def test_each_tenant_that_waits_is_named():
    well = TenantStanding(10, {"sla": ReadModel(0, 0.0, False)}, {"given_up": 0}, {"failed": 0}, 0, 0.0)
    bad = {
        "stands": well._replace(models={"sla": ReadModel(3, 1.0, True)}),
        "behind": well._replace(models={"sla": ReadModel(3, 90.0, False)}),
        "letters": well._replace(messages={"given_up": 2}),
        "inbox": well._replace(inbox={"failed": 4}),
        "late": well._replace(late=5, late_seconds=900.0),
    }
    found = list(of_tenants({"well": well, **bad}, 6, projector=True))
    told = {each.found.partition(":")[0]: each for each in found if each.level is not Severity.OK}
    assert told.keys() == bad.keys()
    assert told["stands"].level is Severity.FAILS
    assert all(each.advice for each in told.values())
    assert {each.level for each in of_tenants({"well": well}, 1, projector=True)} == {Severity.OK}
    assert Severity.FAILS in {each.level for each in of_tenants({"well": well}, 1, projector=False)}
