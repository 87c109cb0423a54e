"""The process of the roles all and api: the API on its database, and beside it those with the other roles."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
from contextlib import AsyncExitStack, suppress
from importlib import import_module

from adapters.access.settings import access_of
from adapters.database.replica import replica_of
from adapters.database.server import Database
from adapters.keys.holding import require_apart
from adapters.mail.settings import mailbox_of, sender_of
from adapters.process.api import serve
from adapters.process.folders import make_private
from adapters.process.logs import log_of_the_loop
from adapters.process.others import keep_beside
from adapters.rpc.tracing import tracing
from adapters.web.settings import web_of

log = logging.getLogger("fulfilment")


async def run(chosen: argparse.Namespace) -> None:
    """Until it is stopped."""
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
    others = dict[str, int]()
    shown = None
    if chosen.metrics is not None:
        shown = import_module("adapters.metrics.settings").shown_of(chosen)
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
