"""Every RPC of the contract as ``POST /v1/SERVICE/METHOD``: the body is the request, the answer the response, in JSON.

The same table of methods as gRPC's, the same gate, limits and behaviours; only what carries them is another.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from ipaddress import ip_address
from time import perf_counter
from typing import Any, TypeVar

import msgspec
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from adapters.access.callers import EVERYBODY
from adapters.access.gate import Gate
from adapters.every_tenant import end
from adapters.http_api.openapi import Schema
from adapters.http_api.pages import pages
from adapters.http_api.problems import HEADERS, HttpFault, ending_of, problem_of, response
from adapters.http_api.reading import from_json
from adapters.http_api.writing import to_json
from adapters.metrics.calls import CANCELLED, OK, CallCounts, CallEnding
from adapters.rpc.calls import Call
from adapters.rpc.commands import Commands
from adapters.rpc.methods import LONGEST_ANSWER_BYTES, RpcMethod, methods, with_fewer_rows
from ledger.refusals import Malformed

T = TypeVar("T")

PROVEN = "fulfilment.certificate"
"""Stands in the scope of a request whose connection has proven a certificate."""
BODY_SECONDS = 60.0
"""How long a body may take."""
QUIET_SECONDS = 30.0
"""After so long without a message a stream sends an empty line, by which both ends notice that the other is gone."""
_LATE_SECONDS = 0.25
"""After its deadline a call is given so long to say itself that it passed."""
_LONG_BYTES = 1 << 18
"""What is longer is read and written in a thread, so that other calls go on."""
_TIMEOUT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_JSON = re.compile(r"application/json\s*(;\s*charset=\"?utf-8\"?\s*)?", re.IGNORECASE)


def routes(
    gate: Gate,
    served: Mapping[ServiceDescriptor, object],
    commands: Commands,
    message_bytes: int,
    beside: Schema,
    calls: CallCounts,
    *,
    by_certificate: bool = False,
) -> list[BaseRoute]:
    """All RPCs of these services, each behind the gate, and pages about them and what there is ``beside`` them.

    A body has so many bytes at most. How calls end is counted. Where gRPC asks each caller for a certificate, so does
    this, beside the token.
    """
    table = {
        (service.name, method.name): method
        for service, queries in served.items()
        for method in methods(service, commands, queries)
    }
    return [
        Route("/v1/{service}/{method}", _Contract(gate, table, message_bytes, calls, by_certificate=by_certificate)),
        *pages(served, beside),
    ]


class _Contract:
    """The application behind the path of an RPC."""

    def __init__(
        self,
        gate: Gate,
        table: Mapping[tuple[str, str], RpcMethod],
        message_bytes: int,
        calls: CallCounts,
        *,
        by_certificate: bool,
    ) -> None:
        self._gate = gate
        self._table = table
        self._message_bytes = message_bytes
        self._calls = calls
        self._by_certificate = by_certificate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            method = self._method(request)
        except HttpFault as fault:
            return await response(*problem_of(fault))(scope, receive, send)
        began, ending = perf_counter(), CANCELLED
        try:
            answer, ending = await self._answer_or_problem(request, method)
            await answer(scope, receive, send)
            if isinstance(answer, _Lines):
                ending = answer.ending
        except ClientDisconnect:
            pass
        finally:
            self._calls.of(method.name).ended(ending, perf_counter() - began)

    async def _answer_or_problem(self, request: Request, method: RpcMethod) -> tuple[Response | _Lines, CallEnding]:
        """The answer, and how the call has ended, as far as it has."""
        try:
            return await self._answer(request, method), OK
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 - the one place where an RPC ends badly
            problem, headers = problem_of(error)
            return response(problem, headers), ending_of(problem)

    async def _answer(self, request: Request, method: RpcMethod) -> Response | _Lines:
        if self._by_certificate and not request.scope.get(PROVEN):
            raise HttpFault(HTTPStatus.FORBIDDEN, "RPCs are called over a connection with a certificate of a client")
        call = admit(self._gate, method.name, request)
        _require_json(request)
        size = self._size(request)
        if method.descriptor.server_streaming:
            with call.caller.meter.reading(size):
                body = await self._body(request)
                asked = await _aside(len(body), partial(from_json, method.request, body))
            admitted = partial(admit, self._gate, method.name, request)
            call.about(asked)
            return _Lines(method.behaviour(asked, call), call, admitted)
        call.caller.meter.enter(size)
        try:
            return await self._unary(method, call, await self._body(request), request)
        finally:
            call.caller.meter.leave(size)

    def _method(self, request: Request) -> RpcMethod:
        where = request.path_params
        found = self._table.get((where["service"], where["method"]))
        if found is None:
            raise HttpFault(HTTPStatus.NOT_FOUND, "there is no such RPC; /openapi.json lists all")
        if request.method != "POST":
            raise HttpFault(HTTPStatus.METHOD_NOT_ALLOWED, "RPCs are called by POST", allow="POST")
        return found

    async def _unary(self, method: RpcMethod, call: Call, body: bytes, request: Request) -> Response:
        read = partial(from_json, method.request, body)
        asked: Any = await _aside(len(body), read)
        if "context" in asked.DESCRIPTOR.fields_by_name and not asked.context.request_id:
            asked.context.request_id = _idempotency_key(request)
        call.about(asked)
        answer = await _in_time(call, method.behaviour(asked, call))
        size = answer.ByteSize()
        if size > LONGEST_ANSWER_BYTES and method.lists:
            answer = await with_fewer_rows(method, read, call, size)
        return Response(await _aside(size, partial(to_json, answer)), 200, HEADERS, "application/json")

    def _size(self, request: Request) -> int:
        """How long the body is at most."""
        announced = request.headers.get("content-length", "")
        size = int(announced) if announced.isdecimal() else self._message_bytes
        if size > self._message_bytes:
            raise self._too_large()
        return size

    async def _body(self, request: Request) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for part in request.stream():
                    body += part
                    if len(body) > self._message_bytes:
                        raise self._too_large()
        except TimeoutError:
            raise HttpFault(HTTPStatus.REQUEST_TIMEOUT, f"the body did not come within {BODY_SECONDS:.0f} s") from None
        return bytes(body)

    def _too_large(self) -> HttpFault:
        return HttpFault(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has {self._message_bytes} bytes at most")


# --- what comes with a request --------------------------------------------------------------------


def admit(gate: Gate, rpc: str, request: Request) -> Call:
    """The call, if its credentials are good and their role may call the RPC; raises BadCredentials and NotAllowed."""
    caller = gate.who(request.headers.get("authorization", ""))
    if caller is EVERYBODY and not _is_here(request.url.hostname or ""):
        # A page of a foreign site whose name was made to mean this machine.
        raise HttpFault(
            HTTPStatus.MISDIRECTED_REQUEST,
            "until a client is registered the service answers to localhost alone",
        )
    caller.require(rpc)
    return Call(rpc, caller, request.headers.get("tenant"), _deadline_of(request))


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _deadline_of(request: Request) -> float | None:
    seconds = request.headers.get("request-timeout")
    if seconds is None:
        return None
    if not _TIMEOUT.fullmatch(seconds):
        raise Malformed(("Request-Timeout", f"{seconds[:50]!r} is no number of seconds such as 2.5"))
    return asyncio.get_running_loop().time() + float(seconds)


def _require_json(request: Request) -> None:
    """Another type is refused because browsers send it to other sites without asking them."""
    headers = request.headers
    if headers.get("content-length", "0") == "0" and not {"content-type", "transfer-encoding"} & {*headers}:
        return
    if not _JSON.fullmatch(headers.get("content-type", "")):
        raise HttpFault(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "say Content-Type: application/json", accept="application/json"
        )
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpFault(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body as it is, not compressed")


def _idempotency_key(request: Request) -> str:
    """A request id; as a structured field (RFC 9651) it stands in quotes."""
    key = request.headers.get("idempotency-key", "")
    return key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key


# --- answering ------------------------------------------------------------------------------------


async def _aside(size: int, work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work) if size > _LONG_BYTES else work()


async def _in_time(call: Call, answering: Awaitable[Any]) -> Any:
    try:
        async with asyncio.timeout_at(None if call.deadline is None else call.deadline + _LATE_SECONDS):
            return await answering
    except TimeoutError:
        if call.deadline is None or asyncio.get_running_loop().time() < call.deadline:
            raise
        raise HttpFault(
            HTTPStatus.GATEWAY_TIMEOUT,
            "the deadline passed; whether a command was recorded shows the same request again",
        ) from None


class _Lines:
    """A stream: a message a line. What goes wrong after the first of them is the last line, under ``problem``."""

    def __init__(self, messages: AsyncGenerator[Message, None], call: Call, admitted: Callable[[], Call]) -> None:
        self._messages = messages
        self._call = call
        self._admitted = admitted
        self.ending = CANCELLED
        """How the call has ended, once it has."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answering = asyncio.create_task(self._answer(scope, receive, send))
        gone = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({answering, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end([answering, gone])

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        out = _Out(send)
        try:
            await _in_time(self._call, self._send_all(out))
            self.ending = OK
        except Exception as error:  # noqa: BLE001 - as for answers of one message
            problem, headers = problem_of(error)
            self.ending = ending_of(problem)
            if not out.begun:
                return await response(problem, headers)(scope, receive, send)
            await out.write(msgspec.json.encode({"problem": problem}))
        await out.end()

    async def _send_all(self, out: _Out) -> None:
        meter = self._call.caller.meter
        meter.open_stream()
        try:
            while (message := await self._next(out)) is not None:
                await out.write(await _aside(message.ByteSize(), partial(to_json, message)))
        finally:
            meter.close_stream()
            await self._messages.aclose()

    async def _next(self, out: _Out) -> Message | None:
        following = asyncio.create_task(self._call.next_of(self._messages, self._admitted))
        try:
            while not (await asyncio.wait({following}, timeout=QUIET_SECONDS))[0]:
                await out.write(b"")
            return await following
        finally:
            await end([following])


class _Out:
    """The lines of an answer, which begins with the first one."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def _begin(self) -> None:
        headers = {**HEADERS, "content-type": "application/x-ndjson"}
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": 200, "headers": pairs})
        self.begun = True

    async def write(self, line: bytes) -> None:
        if not self.begun:
            await self._begin()
        await self._send({"type": "http.response.body", "body": line + b"\n", "more_body": True})

    async def end(self) -> None:
        if not self.begun:
            await self._begin()
        await self._send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    """Waits until the caller has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
