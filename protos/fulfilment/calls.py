"""How a client calls: with metadata and a deadline, with retries, and with the errors of ``failures``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import grpc

from fulfilment.failures import CallFailed, failure

T = TypeVar("T")

REPEATED = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
    }
)
"""Codes that are tried again. The ledger answers a request id once, so that a retry is harmless. CANCELLED is what gRPC
itself tells those who call in the very moment a server stops; what its caller cancels raises something else."""
LONGEST_PAUSE_SECONDS = 60.0
"""A service that wants to be asked still later is not waited for: whoever called decides."""


@dataclass(frozen=True)
class Manner:
    """What all calls of a client have in common."""

    metadata: tuple[tuple[str, str], ...] = field(repr=False)
    """It holds the token."""
    timeout_seconds: float
    pauses_seconds: Sequence[float]
    repeated: frozenset[grpc.StatusCode]

    def applied(self, details: Any, timeout_seconds: float | None) -> Any:
        """The details of a call with the metadata and this timeout."""
        return details._replace(metadata=(*self.metadata, *(details.metadata or ())), timeout=timeout_seconds)

    def attempt_seconds(self, until: float | None) -> float:
        """How long an attempt of a call may take that is over at ``until``."""
        return self.timeout_seconds if until is None else until - time.monotonic()

    def pause(self, failed: CallFailed, usual_seconds: float | None, until: float | None) -> float | None:
        """How long to wait before asking again, by what the service says, else as usual; None where that is no use.

        What is too long for gRPC itself stays so.
        """
        too_long = failed.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and not failed.from_service
        if usual_seconds is None or failed.code() not in self.repeated or too_long:
            return None
        pause = usual_seconds if failed.retry_seconds is None else failed.retry_seconds
        return None if is_over(until, pause) or pause > max(usual_seconds, LONGEST_PAUSE_SECONDS) else pause

    def repeat(self, attempt: Callable[[], T], until: float | None = None) -> T:
        """What an attempt returns in the end; it must be harmless to make it twice, and begins before ``until``."""
        for usual_seconds in self.pauses_seconds:
            try:
                return attempt()
            except CallFailed as failed:
                pause = self.pause(failed, usual_seconds, until)
                if pause is None:
                    raise
            time.sleep(pause)
        return attempt()


def deadline(timeout_seconds: float | None) -> float | None:
    """When a call is over that names a timeout: all its attempts share that."""
    return None if timeout_seconds is None else time.monotonic() + timeout_seconds


def is_over(until: float | None, pause_seconds: float) -> bool:
    """Whether nothing is left of a call's time after a pause."""
    return until is not None and time.monotonic() + pause_seconds >= until


class Calls(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """The calls of a client with threads."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self.closed = False
        """gRPC ends the process where a closed channel is asked for an RPC that it was never asked for before."""

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        until = deadline(client_call_details.timeout)

        def attempt() -> Any:
            self._require_open()
            details = self._manner.applied(client_call_details, self._manner.attempt_seconds(until))
            call = continuation(details, request)
            error = call.exception()
            if isinstance(error, grpc.RpcError):
                raise failure(error) from None
            return call

        return self._manner.repeat(attempt, until)

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        self._require_open()
        details = self._manner.applied(client_call_details, client_call_details.timeout)
        return _Stream(continuation(details, request))

    def _require_open(self) -> None:
        if self.closed:
            raise ValueError("this client is closed")


class _Stream:
    """The messages of a stream, and what else its call can do."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._call)
        except grpc.RpcError as error:
            raise failure(error) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)


class AsyncCalls(grpc.aio.UnaryUnaryClientInterceptor):
    """The calls of a client in asyncio that are answered once."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        until = deadline(client_call_details.timeout)
        for usual_seconds in (*self._manner.pauses_seconds, None):
            details = self._manner.applied(client_call_details, self._manner.attempt_seconds(until))
            call = await continuation(details, request)
            try:
                await call
            except grpc.RpcError as error:
                failed = failure(error)
                pause = self._manner.pause(failed, usual_seconds, until)
                if pause is None:
                    raise failed from None
                await asyncio.sleep(pause)
            else:
                break
        return call


class AsyncStreams(grpc.aio.UnaryStreamClientInterceptor):
    """The streams of a client in asyncio; grpc.aio takes an interceptor for one kind of call only."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner

    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        details = self._manner.applied(client_call_details, client_call_details.timeout)
        return self._messages(await continuation(details, request))

    async def _messages(self, call: Any) -> AsyncIterator[Any]:
        try:
            async for message in call:
                yield message
        except grpc.RpcError as error:
            raise failure(error) from None
        finally:
            call.cancel()
