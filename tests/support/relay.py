"""A line to PostgreSQL that can be cut at a chosen moment: real losses for the tests of the engine."""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from types import TracebackType
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_COMMIT = b"COMMIT\0"


class Cut(Enum):
    """When the line is cut, once."""

    BEFORE_COMMIT_ARRIVES = auto()
    AFTER_COMMIT_IS_PASSED_ON = auto()
    AFTER_COMMIT_IS_DONE = auto()


class Relay:
    """Forwards connections to the server of a conninfo; ``cut`` arms one loss, ``down`` refuses all."""

    def __init__(self, conninfo: str) -> None:
        self._target = conninfo_to_dict(conninfo)
        self._given = conninfo
        self.cut: Cut | None = None
        self.down = False
        self.losses = 0
        self.held: asyncio.Event | None = None
        """The answer to the next commit comes once this is set; nothing is closed meanwhile."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.conninfo = make_conninfo(self._given, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()

    async def _serve(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        if self.down:
            client_out.close()
            return
        server_in, server_out = await self._connect()
        lines = [
            asyncio.create_task(self._towards_server(client_in, server_out)),
            asyncio.create_task(self._towards_client(server_in, client_out)),
        ]
        try:
            await asyncio.wait(lines, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            for writer in (client_out, server_out):
                writer.transport.abort()
            for line in lines:
                line.cancel()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = str(self._target.get("host") or "127.0.0.1"), int(self._target.get("port") or 5432)
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def _towards_server(self, client: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while data := await client.read(65536):
            if _COMMIT in data and self.cut is Cut.BEFORE_COMMIT_ARRIVES:
                return self._lose()
            server.write(data)
            await server.drain()
            if _COMMIT in data and self.cut is Cut.AFTER_COMMIT_IS_PASSED_ON:
                return self._lose()

    async def _towards_client(self, server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while data := await server.read(65536):
            if self.down:
                return None
            if _COMMIT in data and self.cut is Cut.AFTER_COMMIT_IS_DONE:
                return self._lose()
            if _COMMIT in data and self.held is not None:
                held, self.held = self.held, None
                await held.wait()
            client.write(self._passed_on(data))
            await client.drain()

    def _passed_on(self, data: bytes) -> bytes:
        return data

    def _lose(self) -> None:
        self.cut = None
        self.losses += 1
