"""How a client calls: with metadata and a deadline, with retries, and with the errors of ``failures``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import grpc

from fulfilment.failures import CallFailed, failure

T = TypeVar("T")

REPEATED = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED}
)
"""Codes that are tried again. The ledger answers a request id once, so that a retry is harmless."""


@dataclass(frozen=True)
class Manner:
    """What all calls of a client have in common."""

    metadata: tuple[tuple[str, str], ...]
    timeout_seconds: float
    pauses_seconds: Sequence[float]
    repeated: frozenset[grpc.StatusCode]

    def applied(self, details: Any, timeout_seconds: float | None) -> Any:
        """The details of a call with the metadata, and with a timeout if it has none."""
        metadata = (*self.metadata, *(details.metadata or ()))
        timeout = timeout_seconds if details.timeout is None else details.timeout
        return details._replace(metadata=metadata, timeout=timeout)

    def may_pass(self, failed: CallFailed) -> bool:
        """Whether to ask again; what is too long for gRPC itself stays so."""
        too_long = failed.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and not failed.from_service
        return failed.code() in self.repeated and not too_long

    def repeat(self, attempt: Callable[[], T]) -> T:
        """What an attempt returns in the end; it must be harmless to make it twice."""
        for pause in self.pauses_seconds:
            try:
                return attempt()
            except CallFailed as failed:
                if not self.may_pass(failed):
                    raise
            time.sleep(pause)
        return attempt()


class Calls(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """The calls of a client with threads."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        details = self._manner.applied(client_call_details, self._manner.timeout_seconds)

        def attempt() -> Any:
            call = continuation(details, request)
            error = call.exception()
            if isinstance(error, grpc.RpcError):
                raise failure(error) from None
            return call

        return self._manner.repeat(attempt)

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return _Stream(continuation(self._manner.applied(client_call_details, None), request))


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
        details = self._manner.applied(client_call_details, self._manner.timeout_seconds)
        for pause in (*self._manner.pauses_seconds, None):
            call = await continuation(details, request)
            try:
                await call
            except grpc.RpcError as error:
                failed = failure(error)
                if pause is None or not self._manner.may_pass(failed):
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
        return self._messages(await continuation(self._manner.applied(client_call_details, None), request))

    async def _messages(self, call: Any) -> AsyncIterator[Any]:
        try:
            async for message in call:
                yield message
        except grpc.RpcError as error:
            raise failure(error) from None
        finally:
            call.cancel()
