"""The service: wiring and process roles.

``python server.py`` runs all of it: PostgreSQL (embedded, or the one a DSN names), the API, and beside
it a projector process, so that read models never slow commands down. Roles can be started apart.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

# Read while gRPC is imported. Forks here only run other programs, so gRPC need not prepare for them; and it would write
# a line of its own form for everybody who knocks without TLS.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

import grpc
import psycopg
import uvloop
from grpc_health.v1 import health, health_pb2_grpc

from adapters.access import administration, settings
from adapters.access.clients import Clients
from adapters.access.gate import Gate
from adapters.access.listening import CannotListen, Unprotected
from adapters.access.oidc import Issuer
from adapters.access.settings import Access, BadAccessSettings, access_of, issuer_of
from adapters.access.tls import BadCertificate
from adapters.clock import Clocks
from adapters.database import replica, reporting_roles
from adapters.database import roles as database_roles
from adapters.database.dsn import add_database_tls, usable
from adapters.database.embedded import StartFailed
from adapters.database.postgres import BadTenantName, open_pool
from adapters.database.replica import Replica, replica_of
from adapters.database.reporting_views import ReportingViews
from adapters.database.schema_versions import SchemaInUse, SchemaNewer
from adapters.database.server import Database
from adapters.doctor.machine import Premises
from adapters.every_tenant import end
from adapters.keys import commands as key_commands
from adapters.keys.holders import Holders
from adapters.keys.holding import HeldKeys, require_apart
from adapters.ledger_check import command as check_command
from adapters.mail import settings as mail_settings
from adapters.mail.mailboxes import ReportsMailbox
from adapters.mail.returned_mail import ReturnedMail
from adapters.mail.settings import BadMailSettings, mailbox_of, sender_of
from adapters.messages.letters import Letters
from adapters.messages.outbox import Outbox
from adapters.messages.senders import FileSender, Sender
from adapters.metrics import settings as metrics_settings
from adapters.metrics.calls import CallCounts
from adapters.metrics.scrape import watched
from adapters.metrics.serving import Display, showing
from adapters.metrics.settings import shown_of
from adapters.people.contacts import OldContacts
from adapters.process import health_check
from adapters.process.folders import BadFolder, make_private
from adapters.process.logs import log_of_the_loop, log_to_stderr
from adapters.rpc import results
from adapters.rpc.accepting import aio_server
from adapters.rpc.commands import Commands
from adapters.rpc.health import GuardedHealth, Health
from adapters.rpc.reflection import add_reflection
from adapters.rpc.server import LONGEST_MESSAGE_BYTES, add_service
from adapters.rpc.services import READERS, services
from adapters.rpc.tracing import PER_SECOND, NoTraces, Tracing, tracing
from adapters.tenants import Tenants
from adapters.web import settings as web_settings
from adapters.web.app import edges
from adapters.web.serving import serving
from adapters.web.settings import Web, web_of
from fulfilment import __version__
from ledger.engine.keyring import KeyProblem
from ledger.engine.sealing import Sealer
from projections import PROJECTIONS
from projections.machine import runner

log = logging.getLogger("fulfilment")

DRAIN_SECONDS = 30.0
"""How long answers may take after a SIGTERM before their calls are cut off."""


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """What was chosen, on the command line or else in the environment; what is wrong with it ends the process."""
    parser = argparse.ArgumentParser(
        prog="server.py",
        usage="python server.py [OPTION ...]",
        description="The fulfilment ledger over gRPC.",
        epilog="Each option can also be set in the environment: FULFILMENT_LISTEN, FULFILMENT_DATA, and so on. Beside "
        f"the service there are {' and '.join(f'server.py {command}' for command in BESIDE)}, each with a --help.",
    )
    add = parser.add_argument
    add("--version", action="version", version=f"fulfilment {__version__}")
    chosen = [
        add("--listen", type=_address, default="127.0.0.1:50051", help="host:port (%(default)s)"),
        add("--data", type=_path, default="data", help="data folder (%(default)s)"),
        add("--dsn", type=_filled, help="a PostgreSQL to use instead of the embedded one"),
        add_database_tls(parser),
        replica.add_option(parser, _filled),
        add("--key-file", type=_path, help="keys of personal data (DATA/master.key)"),
        add("--traces", type=_filled, help="where spans of calls go by OTLP over gRPC, such as http://localhost:4317"),
        add(
            "--traces-per-second",
            type=_number,
            default=PER_SECOND,
            help="so many calls a second get them at most, beside those that their caller traces (%(default)s)",
        ),
        add("--role", choices=("all", "api", "projector", "edge"), default="all"),
        add("--log-level", choices=("debug", "info", "warning", "error"), default="info"),
        add("--log-format", choices=("json", "text"), default="text" if sys.stderr.isatty() else "json"),
        *settings.add_options(parser, _path),
        *web_settings.add_options(parser, _address),
        *metrics_settings.add_options(parser, _address),
        *mail_settings.add_options(parser, _path, _address),
    ]
    # Read as if they stood first on the command line, so that they are checked and real arguments win.
    words = {action.option_strings[0]: f"FULFILMENT_{action.dest.upper()}" for action in chosen}
    set_outside = [f"{option}={os.environ[name]}" for option, name in words.items() if name in os.environ]
    found = parser.parse_args([*set_outside, *arguments])
    found.key_file = found.key_file or found.data / "master.key"
    return found


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 on")
    return int(text)


def _filled(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; give it a value or leave it out")
    return text


def _path(text: str) -> Path:
    try:
        return Path(_filled(text)).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}; write the whole path") from error


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no address; write HOST:PORT, such as 127.0.0.1:50051")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise argparse.ArgumentTypeError(f"{text!r} is no address; IPv6 needs brackets, such as [::1]:50051")
    return text


# --- the API ----------------------------------------------------------------------------------------


def build_server(
    gate: Gate,
    tenants: Tenants,
    sealer: Sealer,
    letters: Letters,
    message_bytes: int,
    calls: CallCounts,
    files: FileSender | None,
    premises: Premises,
    *,
    private_too: bool,
    traces: Tracing | None = None,
) -> tuple[grpc.aio.Server, health.aio.HealthServicer]:
    """All services of the contract, with health and reflection, behind the gate."""
    commands = Commands(tenants, sealer, READERS, results.show)
    served = services(tenants, sealer, letters, commands, files, premises, private_too=private_too)
    server = aio_server(
        [
            ("grpc.max_receive_message_length", message_bytes),
            ("grpc.max_send_message_length", max(message_bytes, LONGEST_MESSAGE_BYTES)),
            # Two servers on one port would share its calls unnoticed; a taken port must be an error.
            ("grpc.so_reuseport", 0),
        ]
    )
    for service, queries in served.items():
        add_service(server, gate, service, commands, queries, calls, traces)
    healthy = GuardedHealth(gate)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    add_reflection(server, gate, [*(service.full_name for service in served), health.SERVICE_NAME])
    return server, healthy


class Listening(NamedTuple):
    """The API while it runs."""

    port: int
    clients: Clients
    """Who may call it."""
    metrics_port: int | None = None
    """Where its figures are shown, if they are."""


@asynccontextmanager
async def serve(
    conninfo: str,
    key_file: Path,
    access: Access,
    sender: Sender | None = None,
    returned: ReportsMailbox | None = None,
    *,
    private_too: bool = False,
    data: Path | None = None,
    traces: Tracing | None = None,
    shown: Display | None = None,
    others: Mapping[str, int] | None = None,
    reporting: Replica | None = None,
) -> AsyncIterator[Listening]:
    """The API, its clocks, its outbox and its health from start to drain.

    Without a sender, messages are neither asked for nor sent; without a mailbox, nobody reads returned mail here.
    ``others`` are the ids of the processes beside this one by their roles, for the figures that are to be shown.
    ``reporting`` is a replica from which exports are read.
    """
    async with open_pool(conninfo) as pool, open_pool(conninfo, keeps_plans=True) as writers:
        tenants = Tenants(pool, writers, reporting)
        await tenants.control.prepare()
        keys = await HeldKeys.open(tenants.control, Holders(pool), key_file)
        sealer = keys.sealer
        await tenants.find("default")
        clients = Clients(pool)
        await clients.read()
        access.listener.require_clients(is_open=clients.is_open)
        if shown is not None:
            shown.listener.require_clients(is_open=clients.is_open)
        letters, calls = Letters(sealer), CallCounts()
        files = sender if isinstance(sender, FileSender) else None
        certificate = access.tls.certificate if access.tls is not None else None
        premises = Premises(key_file, key_file.parent if data is None else data, certificate)
        gate = Gate(clients, access.issuer, by_certificate=access.by_certificate)
        server, healthy = build_server(
            gate,
            tenants,
            sealer,
            letters,
            access.message_bytes,
            calls,
            files,
            premises,
            private_too=private_too,
            traces=traces,
        )
        port = access.listener.listen(server)
        await server.start()
        beside = [
            asyncio.create_task(clients.run(), name="clients"),
            *(asyncio.create_task(each.run(), name="access") for each in access.renewed),
            asyncio.create_task(Clocks(tenants, files, sealer).run(), name="clocks"),
            asyncio.create_task(Health(tenants, writers, healthy).run(), name="health"),
            asyncio.create_task(OldContacts(tenants, sealer).run(), name="contacts"),
            asyncio.create_task(ReportingViews(tenants).run(), name="reporting views"),
            asyncio.create_task(keys.run(), name="keys"),
        ]
        if sender is not None:
            beside.append(asyncio.create_task(Outbox(tenants, letters, sender).run(), name="outbox"))
        if returned is not None:
            beside.append(asyncio.create_task(ReturnedMail(tenants, returned).run(), name="returned mail"))
        figures_of = watched("api", tenants, calls=calls, beside={} if others is None else others)
        try:
            async with AsyncExitStack() as figures:
                at = await figures.enter_async_context(showing(shown, gate, figures_of)) if shown is not None else None
                yield Listening(port, clients, at)
        finally:
            tenants.closing = True
            await healthy.enter_graceful_shutdown()
            await end(beside)
            await server.stop(DRAIN_SECONDS)
            await tenants.drain()


# --- the projector --------------------------------------------------------------------------------


async def project(conninfo: str, shown: Display | None, issuer: Issuer | None) -> None:
    """The projector's process: follows the log until it is stopped or its parent is gone, and shows its figures."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Given by the parent, which may be gone before this process can ask for its id.
    parent = int(os.environ.get("FULFILMENT_PARENT") or os.getppid())
    following = asyncio.create_task(asyncio.to_thread(runner.run_forever, conninfo, stop, PROJECTIONS))
    figures = [asyncio.create_task(show_projector(conninfo, shown, issuer))] if shown is not None else []
    try:
        while not stop.is_set():
            ended, _ = await asyncio.wait([following, *figures], timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
            if ended or os.getppid() != parent:
                stop.set()
        await following
        for each in figures:
            if each.done():
                await each  # it says why they cannot be shown
    finally:
        await end(figures)


async def show_projector(conninfo: str, shown: Display, issuer: Issuer | None) -> None:
    """The figures of a projector, once there is a database to look at, until it is cancelled."""
    async with open_pool(conninfo, max_size=3) as pool:
        clients = Clients(pool)
        while True:
            try:
                await clients.read()
                break
            except psycopg.Error:  # an API makes the tables
                await asyncio.sleep(1.0)
        shown.listener.require_clients(is_open=clients.is_open)
        beside = [asyncio.create_task(clients.run(), name="clients")]
        if issuer is not None:
            beside.append(asyncio.create_task(issuer.keys.run(), name="access"))
        tenants = Tenants(pool)
        try:
            async with showing(shown, Gate(clients, issuer), watched("projector", tenants)):
                await asyncio.Event().wait()
        finally:
            await end(beside)


# --- the edges ------------------------------------------------------------------------------------


@asynccontextmanager
async def serve_edges(
    conninfo: str,
    key_file: Path,
    web: Web,
    letters: FileSender | None = None,
    *,
    data: Path | None = None,
    reporting: Replica | None = None,
    shown: Display | None = None,
) -> AsyncIterator[int]:
    """The port of the edges, with their worker and reconciliation, from start to drain."""
    async with open_pool(conninfo) as pool, open_pool(conninfo, keeps_plans=True) as writers:
        tenants = Tenants(pool, writers, reporting)
        await tenants.control.prepare()
        keys = await HeldKeys.open(tenants.control, Holders(pool), key_file)
        clients = Clients(pool)
        await clients.read()
        web.listener.require_clients(is_open=clients.is_open)
        if shown is not None:
            shown.listener.require_clients(is_open=clients.is_open)
        beside = [
            asyncio.create_task(keys.run(), name="keys"),
            asyncio.create_task(clients.run(), name="clients"),
        ]
        if web.issuer is not None:
            beside.append(asyncio.create_task(web.issuer.keys.run(), name="access"))
        gate = Gate(clients, web.issuer)
        premises = Premises(key_file, key_file.parent if data is None else data, web.files and web.files.certificate)
        try:
            async with (
                edges(
                    tenants,
                    keys.sealer,
                    gate,
                    letters,
                    premises,
                    private_too=web.private_too,
                    message_bytes=web.message_bytes,
                    behind_proxy=web.behind_proxy,
                    by_certificate=web.files is not None and web.files.client_ca is not None,
                ) as running,
                serving(running.app, web.address, web.files) as port,
                AsyncExitStack() as beside_them,
            ):
                if shown is not None:
                    figures_of = watched("edge", tenants, more=running.figures)
                    await beside_them.enter_async_context(showing(shown, gate, figures_of))
                yield port
                tenants.closing = True
        finally:
            await end(beside)
            await tenants.drain()


async def run_edges(chosen: argparse.Namespace, web: Web) -> None:
    """The process of the edges: answers until it is stopped or its parent is gone."""
    asyncio.get_running_loop().set_exception_handler(log_of_the_loop)
    stop, parent = asyncio.Event(), int(os.environ.get("FULFILMENT_PARENT") or os.getppid())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    alone = "FULFILMENT_PARENT" not in os.environ  # else its parent has looked
    conninfo = usable(chosen.dsn, chosen.database_tls) if alone else chosen.dsn
    letters = FileSender(chosen.data / "outbox") if chosen.outbox == "file" else None
    serving_edges = serve_edges(
        *(conninfo, chosen.key_file, web, letters),
        data=chosen.data,
        reporting=replica_of(chosen),
        shown=shown_of(chosen),
    )
    async with serving_edges as port:
        log.info("the edges listen on %s:%d", web.address.rpartition(":")[0], port)
        while not stop.is_set() and os.getppid() == parent:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1.0)
        log.info("the edges stop: answering what is under way")


# --- processes beside this one ----------------------------------------------------------------------


_OF_ALL = ("key_file", "web", "web_private", "behind_proxy")
_OF_EDGES = ("tls_cert", "tls_key", "tls_client_ca", "message_mib", "data", "outbox", "database_tls", "reporting_dsn")
_OF_OIDC = ("oidc_issuer", "oidc_audience", "oidc_jwks", "oidc_claim")


def told_beside(role: str, chosen: argparse.Namespace) -> dict[str, str]:
    """The options of this process that hold for one with another role beside it, as its environment."""
    names = (*_OF_ALL, *_OF_EDGES, *_OF_OIDC) if role == "edge" else _OF_ALL
    options = {name: getattr(chosen, name) for name in names}
    return {f"FULFILMENT_{name.upper()}": str(value) for name, value in options.items() if value is not None}


def environment_beside(role: str, conninfo: str, chosen: argparse.Namespace) -> dict[str, str]:
    """Of a process with another role beside this one, whose figures this one shows."""
    outside = {name: value for name, value in os.environ.items() if name != "FULFILMENT_METRICS"}
    here = {"FULFILMENT_DSN": conninfo, "FULFILMENT_ROLE": role, "FULFILMENT_PARENT": str(os.getpid())}
    return {**outside, **told_beside(role, chosen), **here}


async def keep_beside(role: str, conninfo: str, chosen: argparse.Namespace, others: dict[str, int]) -> None:
    """A process with another role beside this one, started again should it die."""
    pause, environment = 1.0, environment_beside(role, conninfo, chosen)
    while True:
        words = [
            sys.executable,
            str(Path(__file__)),
            "--log-level",
            chosen.log_level,
            "--log-format",
            chosen.log_format,
        ]
        # A session of its own: a Ctrl-C at the terminal reaches only this process, which then drains.
        child = await asyncio.create_subprocess_exec(*words, env=environment, start_new_session=True)
        others[role] = child.pid
        try:
            code = await child.wait()
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                child.terminate()
            await child.wait()
            raise
        log.error("the %s ended with code %d; starting it again in %.0f s", role, code, pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, 60.0)


# --- start ------------------------------------------------------------------------------------------


async def run(chosen: argparse.Namespace) -> None:
    # Facts and states are not tracked by the collector; other objects live long or are freed by reference count.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    asyncio.get_running_loop().set_exception_handler(log_of_the_loop)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    folder = None if chosen.dsn else chosen.data
    access = access_of(chosen)  # before a database is made or started for nothing
    if access.listener.open_to_others:
        require_apart(chosen.key_file, chosen.data)
    if chosen.web is not None:
        web_of(chosen)
    shown, others = shown_of(chosen), dict[str, int]()
    sender, returned, reporting = sender_of(chosen), mailbox_of(chosen), replica_of(chosen)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(folder, chosen.dsn, chosen.database_tls))
        if chosen.outbox == "file":
            make_private(chosen.data, "--data")
            make_private(chosen.data / "outbox", "--data")
        private_too = chosen.web_private == "yes"
        serving_api = serve(
            *(database.conninfo, chosen.key_file, access, sender, returned),
            private_too=private_too,
            data=chosen.data,
            traces=stack.enter_context(tracing(chosen.traces, chosen.traces_per_second)),
            shown=shown,
            others=others,
            reporting=reporting,
        )
        listening = await stack.enter_async_context(serving_api)
        if chosen.role == "all":
            for role in ("projector", "edge") if chosen.web is not None else ("projector",):
                beside = asyncio.create_task(keep_beside(role, database.conninfo, chosen, others))
                stack.push_async_callback(_end_beside, beside)
        address = f"{chosen.listen.rpartition(':')[0]}:{listening.port}"
        log.info("listening on %s", address)
        print(_welcome(address, chosen, is_open=listening.clients.is_open), flush=True)
        await stop.wait()
        log.info("stopping: answering what is under way")
    log.info("stopped")


async def _end_beside(task: asyncio.Task[None]) -> None:
    """Cancelled once: it waits for its child, which a second cancellation would leave behind."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


_OPEN = """\
No client is registered, so it is open: this machine only, and everybody on it may do everything. The first client
closes it: python server.py client add NAME --role owner --all-tenants --personal {where}"""
_CLOSED = """\
Only registered clients may call: the console takes a token by --token-file or FULFILMENT_TOKEN_FILE."""


def _welcome(address: str, chosen: argparse.Namespace, *, is_open: bool) -> str:
    where = "the PostgreSQL of the DSN" if chosen.dsn else f"an embedded PostgreSQL under {chosen.data}/"
    server = "" if address == "127.0.0.1:50051" else f" --server {address}"
    server += " --ca FILE" if chosen.tls_cert else ""
    server += "" if is_open else " --token-file FILE"
    access = _OPEN.format(where="--dsn DSN" if chosen.dsn else f"--data {chosen.data}") if is_open else _CLOSED
    return f"""
The fulfilment ledger listens on {address}, on {where}.
{access}

Try, in another terminal:
  . .venv/bin/activate
  fulfilment{server} supplier add acme --name "Acme Ltd" --approve
  fulfilment{server} place --channel shop --id 1001 --line TEA:2:9.90:acme --currency EUR --paid \\
      --name "Ann Example" --email ann@example.org --address "1 Elm Street" --city Berlin --country DE
  fulfilment{server} show shop/1001
  fulfilment{server} --help

Ctrl-C stops it; the next start goes on with the same data.
"""


PROBLEMS = (
    *(KeyProblem, StartFailed, BadFolder, BadMailSettings, SchemaInUse, SchemaNewer, BadTenantName),
    *(administration.AdministrationFailed, BadAccessSettings, BadCertificate, CannotListen, Unprotected),
    *(health_check.Unhealthy, check_command.CannotCheck, NoTraces),
)
"""What is said in one sentence, without a traceback."""


BESIDE = {
    "check": check_command.main,
    "client": administration.main,
    "health": health_check.main,
    "keys": key_commands.main,
    "migrate": database_roles.main,
    "reporting": reporting_roles.main,
}
"""What is done beside the service, by the first word of the command line."""


def main() -> None:
    try:
        if (command := BESIDE.get(sys.argv[1] if len(sys.argv) > 1 else "")) is not None:
            return command(sys.argv[2:])
        chosen = options(sys.argv[1:])
        log_to_stderr(chosen.log_level, chosen.log_format)
        if chosen.role == "projector":
            if not chosen.dsn:
                raise SystemExit("server.py: the projector needs a DSN: --dsn or FULFILMENT_DSN")
            alone = "FULFILMENT_PARENT" not in os.environ  # else its parent has looked
            conninfo = usable(chosen.dsn, chosen.database_tls) if alone else chosen.dsn
            shown = shown_of(chosen)
            uvloop.run(project(conninfo, shown, issuer_of(chosen) if shown is not None else None))
        elif chosen.role == "edge":
            if not (chosen.dsn and chosen.web):
                raise SystemExit("server.py: the edges need a DSN and an address: --dsn and --web")
            uvloop.run(run_edges(chosen, web_of(chosen)))
        else:
            uvloop.run(run(chosen))
    except PROBLEMS as problem:
        raise SystemExit(f"server.py: {problem}") from None
    except psycopg.errors.InsufficientPrivilege as problem:
        raise SystemExit(
            f"server.py: the database refuses what the service needs ({' '.join(str(problem).split())}); as the role "
            "that owns its tables run: python server.py migrate --dsn OWNER --grant ROLE"
        ) from None
    except psycopg.OperationalError as problem:
        raise SystemExit(f"server.py: the database does not answer: {str(problem).strip()}") from None


if __name__ == "__main__":
    main()
