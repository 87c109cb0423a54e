"""The HTTP server of the edges: one that lets nobody hold it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from adapters.access.listening import CannotListen
from adapters.access.tls import Files
from adapters.http_api.routes import PROVEN

HEADER_SECONDS = 10.0
"""How long a connection may take until the headers of a request are there."""
_KEEP_ALIVE_SECONDS = 15
_MOST_CONNECTIONS = 1000
_LONGEST_HEADERS_BYTES = 32 << 10
_DRAIN_SECONDS = 20
_LOOK_SECONDS = 60.0


class PatientOnlyFor(H11Protocol):
    """Closes a connection that does not bring a whole request's headers in time; uvicorn itself would wait for ever."""

    _too_slow: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        encrypted = transport.get_extra_info("ssl_object")
        if encrypted is not None and encrypted.getpeercert():
            self.app = _proven(self.app)
        self._wait()

    def data_received(self, data: bytes) -> None:
        if self._too_slow is None and not self._is_answering:
            self._wait()
        super().data_received(data)
        if self._is_answering:
            self._stop_waiting()

    @property
    def _is_answering(self) -> bool:
        cycle: Any = self.cycle  # None before the first request, which uvicorn's types leave out
        return cycle is not None and not cycle.response_complete

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._too_slow = self.loop.call_later(HEADER_SECONDS, self._cut)

    def _stop_waiting(self) -> None:
        if self._too_slow is not None:
            self._too_slow.cancel()
            self._too_slow = None

    def _cut(self) -> None:
        self._too_slow = None
        if not self.transport.is_closing():
            self.transport.close()


def _proven(app: Any) -> Any:
    """The application, which is told that its caller has a certificate of the authorities that are trusted."""

    async def told(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, PROVEN: True}, receive, send)

    return told


class _Server(uvicorn.Server):
    """Leaves signals to the process, and says when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@asynccontextmanager
async def serving(app: Starlette, address: str, files: Files | None) -> AsyncIterator[int]:
    """The port, which the system chooses if the address says 0. At the end it drains. Raises CannotListen."""
    listening = _listening(address)
    config = uvicorn.Config(
        app,
        http=PatientOnlyFor,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        limit_concurrency=_MOST_CONNECTIONS,
        h11_max_incomplete_event_size=_LONGEST_HEADERS_BYTES,
    )
    config.load()
    if files is not None:
        config.ssl = _tls(files)
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]), name="web")
    renewing = asyncio.create_task(_renew(config, files), name="web tls") if files is not None else None
    try:
        await server.ready.wait()
        yield int(listening.getsockname()[1])
    finally:
        if renewing is not None:
            renewing.cancel()
        server.should_exit = True
        await task


def _listening(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
    except OSError as error:
        raise CannotListen(address, error.strerror or str(error)) from error
    listening.setblocking(False)
    return listening


def _tls(files: Files) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.certificate, files.key)
    if files.client_ca is not None:
        # Shops and customers have none: only the contract asks for it.
        context.load_verify_locations(files.client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


async def _renew(config: uvicorn.Config, files: Files) -> None:
    """New connections get the certificate as it is in its files; those that are half written are left for later."""
    stamps = files.stamps()
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        if (found := files.stamps()) != stamps and isinstance(config.ssl, ssl.SSLContext):
            try:
                config.ssl.load_cert_chain(files.certificate, files.key)
            except (OSError, ssl.SSLError):
                continue
            stamps = found
