"""The contract over HTTP beside a service of a test, as a process of the edges has it: with its own pool."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import httpx2
import uvicorn
import uvloop
from google.protobuf import json_format
from google.protobuf.message import Message
from starlette.applications import Starlette

from adapters.access.clients import Clients
from adapters.access.gate import Gate
from adapters.every_tenant import end
from adapters.http_api.routes import routes
from adapters.keys.holders import Holders
from adapters.keys.holding import HeldKeys
from adapters.letters import Letters
from adapters.postgres import open_pool
from adapters.rpc import results
from adapters.rpc.commands import Commands
from adapters.rpc.services import READERS, services
from adapters.tenants import Tenants
from tests.support import documented
from tests.support.service import MISTAKE, Service

LONGEST_BODY = 16 << 20


class Http:
    """A caller over HTTP, who fails where a refusal is not documented."""

    def __init__(self, url: str, **headers: str) -> None:
        self.url = url
        self.client = httpx2.Client(base_url=url, headers=headers, timeout=100)

    def post(self, rpc: str, body: Any = None, **headers: str) -> httpx2.Response:
        """The answer to an RPC; the body is a message, what JSON can write, or the bytes themselves."""
        about = documented.rpcs()[rpc]
        content = body if isinstance(body, bytes) else as_body(body)
        sent = {"content-type": "application/json", **{name.replace("_", "-"): each for name, each in headers.items()}}
        answer = self.client.post(f"/v1/{about.service}/{rpc}", content=content, headers=sent)
        if answer.status_code != HTTPStatus.OK:
            self._require_documented(rpc, answer.json())
        return answer

    def call(self, rpc: str, body: Any = None, **headers: str) -> Any:
        """What the RPC answers, or the problem."""
        return self.post(rpc, body, **headers).json()

    @staticmethod
    def _require_documented(rpc: str, problem: dict[str, Any]) -> None:
        assert problem["detail"] != MISTAKE, f"{rpc} ended with a mistake of the service"
        if "reason" in problem:
            documented.require(rpc, problem["code"], problem["reason"])
            documented.require_figures(problem["reason"], problem["details"])


def as_body(body: Any) -> bytes:
    tree = json_format.MessageToDict(body) if isinstance(body, Message) else {} if body is None else body
    return json.dumps(tree).encode()


@contextmanager
def serving_http(service: Service) -> Iterator[str]:
    """The URL at which the service's contract answers over HTTP."""
    started: Future[tuple[str, uvicorn.Server]] = Future()

    async def serve() -> None:
        async with open_pool(service.dsn) as pool, open_pool(service.dsn) as writers:
            tenants, clients = Tenants(pool, writers), Clients(pool)
            keys = await HeldKeys.open(tenants.control, Holders(pool), service.data / "master.key")
            await clients.read()
            commands = Commands(tenants, keys.sealer, READERS, results.show)
            served = services(tenants, keys.sealer, Letters(keys.sealer), commands)
            app = Starlette(routes=routes(Gate(clients), served, commands, LONGEST_BODY))
            server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, ws="none"))
            following = asyncio.create_task(clients.run())
            with socket.create_server(("127.0.0.1", 0)) as listening:
                started.set_result((f"http://127.0.0.1:{listening.getsockname()[1]}", server))
                await server._serve([listening])
            tenants.closing = True
            await end([following])
            await tenants.drain()

    def run() -> None:
        try:
            uvloop.run(serve())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=run, name="http", daemon=True)
    thread.start()
    url, server = started.result(60)
    yield url
    server.should_exit = True
    thread.join(60)
    assert not thread.is_alive(), "the HTTP server did not stop"
