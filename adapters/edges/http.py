"""Requests to foreign systems: bounded in time, size and number, and never into the own network."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from copy import copy
from ipaddress import ip_address
from types import TracebackType
from typing import Self

import httpx2
import msgspec

_TIMEOUT = httpx2.Timeout(30.0, connect=10.0, pool=30.0)
_WHOLE_SECONDS = 60.0
"""How long a request may take in all: a system that answers byte by byte holds nobody."""
_LONGEST_ANSWER_BYTES = 16 << 20
_LONGEST_WAIT_SECONDS = 3600.0
_USUAL_WAIT_SECONDS = 60.0
_LONGEST_TURN_SECONDS = 20.0
"""How long a request waits for its turn; who would wait longer comes again."""
_SLOWEST = 0.0001


class SystemUnreachable(Exception):
    """The system did not answer; the text says why, without the request's address or content."""


class TryLater(Exception):
    """The system takes no more requests for so many seconds."""

    def __init__(self, seconds: float, headers: Mapping[str, str] | None = None) -> None:
        """With the headers of its answer, if it was the system that said so."""
        super().__init__(f"it takes no more requests for {seconds:.0f} s")
        self.seconds = seconds
        self.headers = headers or {}


class Limit(msgspec.Struct, frozen=True):
    """So many requests a second, and some at once."""

    calls_per_second: float
    calls_at_once: int


class Reply(msgspec.Struct, frozen=True):
    """What a system answered."""

    status: int
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes


class Bucket:
    """A system's limit, kept before it has to say so. What it is told goes before what it is asked.

    Else a tracker that answers every question with 429 would never hear of a new number.
    """

    def __init__(self, limit: Limit) -> None:
        self.calls_per_second = limit.calls_per_second
        """What the system allows now, which it may say with its answers."""
        self._most = float(limit.calls_at_once)
        self._left = self._most
        self._at = 0.0
        self._rests_until = {False: 0.0, True: 0.0}
        """Of questions, and of what it is told."""
        self._waiting = 0
        """How many questions wait for their turn."""
        self._overtook = 0
        """How often something went before them."""

    def rest(self, seconds: float, *, told: bool = False) -> None:
        """Takes no question for so long, because the system said so; nor what it is told, if it said so to that."""
        until = asyncio.get_running_loop().time() + seconds
        for each in (False, True) if told else (False,):
            self._rests_until[each] = max(self._rests_until[each], until)

    async def take(self, *, told: bool = False) -> None:
        """Waits for its turn; those that wait are served in their order.

        Raises TryLater while it rests, and where that takes too long.
        """
        now = asyncio.get_running_loop().time()
        if (rests := self._rests_until[told] - now) > 0:
            raise TryLater(rests)
        self._left = min(self._most, self._left + (now - self._at) * self.calls_per_second)
        self._at = now
        left = self._left - 1.0 + (self._waiting if told else 0)
        pause = -left / self.calls_per_second
        if pause > _LONGEST_TURN_SECONDS:
            raise TryLater(pause)
        self._left -= 1.0
        self._overtook += told
        if pause > 0:
            await (asyncio.sleep(pause) if told else self._turn(pause))

    async def _turn(self, pause: float) -> None:
        """Of a question: all that goes before it meanwhile takes a turn of its own."""
        self._waiting += 1
        try:
            while pause:
                before = self._overtook
                await asyncio.sleep(pause)
                pause = (self._overtook - before) / self.calls_per_second
        finally:
            self._waiting -= 1


class KeptToken(msgspec.Struct, frozen=True):
    """What a system gave out for a while, to be shown with requests."""

    text: str
    ends_at: float
    """By the clock of the event loop."""


class Http:
    """Requests of one connection, within the limits of its system. It lives as long as its process."""

    def __init__(self, client: HttpClient, usual: Limit, others: Mapping[str, Limit] | None = None) -> None:
        self._client = client
        self._bucket = Bucket(usual)
        self._others = {name: Bucket(limit) for name, limit in (others or {}).items()}
        self.goes_first = False
        self.tokens: dict[str, KeptToken] = {}
        """Those that the system gave out, by what an adapter knows them as; nothing of them is written down."""

    @property
    def told(self) -> Http:
        """The same, for what the system is told, which goes before what it is asked."""
        same = copy(self)
        same.goes_first = True
        return same

    def allows(self, limit: str, calls_per_second: float) -> None:
        """The system has said how many requests it takes."""
        self._others[limit].calls_per_second = max(_SLOWEST, calls_per_second)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes = b"",
        limit: str = "",
    ) -> Reply:
        """The answer, whatever its status; redirects are answers. Raises TryLater and SystemUnreachable.

        Where the system counts some requests apart, ``limit`` is which.
        """
        bucket = self._others[limit] if limit else self._bucket
        await bucket.take(told=self.goes_first)
        reply = await self._client.request(method, url, headers=headers or {}, params=params or {}, content=content)
        if reply.status == 429 or (reply.status == 503 and "retry-after" in reply.headers):
            # Of what is counted apart it is known how soon one more is taken.
            usual = 1 / bucket.calls_per_second if limit else _USUAL_WAIT_SECONDS
            seconds = _seconds(reply.headers.get("retry-after", ""), usual)
            bucket.rest(seconds, told=self.goes_first)
            raise TryLater(seconds, reply.headers)
        return reply


class HttpClient:
    """The one client of a process; enter it to open it."""

    def __init__(self, *, private_too: bool = False) -> None:
        """Addresses of the own machine and network are refused, unless shops stand there."""
        self._open = httpx2.AsyncClient(
            transport=_Outside(private_too=private_too), timeout=_TIMEOUT, trust_env=False, follow_redirects=False
        )

    async def __aenter__(self) -> Self:
        await self._open.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], params: Mapping[str, str], content: bytes
    ) -> Reply:
        # What is packed may unpack to anything, so nothing packed is asked for.
        sent = {"accept-encoding": "identity", "user-agent": "fulfilment-ledger", **headers}
        query = dict(params) or None  # an empty one would take away that of the address
        try:
            async with (
                asyncio.timeout(_WHOLE_SECONDS),
                self._open.stream(method, url, headers=sent, params=query, content=content) as answer,
            ):
                return Reply(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, await _body(answer))
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise SystemUnreachable("it did not answer in time") from error
        except httpx2.UnsupportedProtocol as error:
            raise SystemUnreachable("its address begins neither with https:// nor with http://") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise SystemUnreachable(f"it cannot be reached ({type(error).__name__})") from error


async def _body(answer: httpx2.Response) -> bytes:
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise SystemUnreachable("its answer is packed, which was not asked for")
    parts, size = [], 0
    async for part in answer.aiter_raw():
        size += len(part)
        if size > _LONGEST_ANSWER_BYTES:
            raise SystemUnreachable(f"its answer is longer than {_LONGEST_ANSWER_BYTES >> 20} MiB")
        parts.append(part)
    return b"".join(parts)


def _seconds(retry_after: str, usual: float) -> float:
    """How long a system wants to be left alone; a date counts as the usual time."""
    try:
        wanted = float(retry_after)
    except ValueError:
        wanted = usual
    return min(_LONGEST_WAIT_SECONDS, max(1.0, wanted))


class _Outside(httpx2.AsyncBaseTransport):
    """Connects to the very address that was looked at, so that a name cannot change its meaning in between."""

    def __init__(self, *, private_too: bool) -> None:
        self._private_too = private_too
        # No connection is used again: by its number it could be that of another name, whose certificate was checked.
        self._inner = httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_connections=50, max_keepalive_connections=0))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        host = request.url.host
        number = await self._number_of(host, request.url.port or (443 if request.url.scheme == "https" else 80))
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=number)
        return await self._inner.handle_async_request(request)

    async def _number_of(self, host: str, port: int) -> str:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise SystemUnreachable("the name of its host is not known") from error
        numbers = [str(where[0]).partition("%")[0] for *_, where in found]
        allowed = [number for number in numbers if self._private_too or _is_public(number)]
        if not allowed:
            raise SystemUnreachable("its address is one of this machine or network, which is not asked")
        return allowed[0]

    async def aclose(self) -> None:
        await self._inner.aclose()


def _is_public(number: str) -> bool:
    found = ip_address(number)
    mapped = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    return (mapped or found).is_global and not found.is_multicast
