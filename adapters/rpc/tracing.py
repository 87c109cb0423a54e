"""Traces: calls as spans, and below each the stages of its command's way. Without a tracer nothing of it runs.

The spans of a call take about as long as the call. So a caller says which of its calls are traced, and of those of all
others so many a second are: all of them while little is done. Nothing of this runs in a call that is not traced.

Spans name RPCs, statuses and reasons of refusals; never what a request says. OpenTelemetry comes with the extra
``otel``, and is imported only where somebody asked for traces.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc

from adapters.rpc.contexts import Context
from fulfilment import __version__
from ledger.engine.measures import WATCH, Passed

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

Answering = Callable[[object, Context], Awaitable[bytes]]
"""Answers a call, whose message comes by its context."""

_PARENT = frozenset({"traceparent", "tracestate"})
"""What a caller names its own span by (w3.org/TR/trace-context)."""
_DECIDED = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-([0-9a-f]{2})")
"""A ``traceparent``; the last bit of its flags says whether the caller keeps its own span."""
_CODES = {status.value[0]: status for status in grpc.StatusCode}
_OF_OURS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE})
"""What is an error of the service; a refusal is an answer."""


class NoTraces(Exception):
    """Traces cannot be sent; the message says what to do."""


class Tracing:
    """A tracer, and how many calls a second it takes of callers that do not say whether theirs are traced."""

    def __init__(self, tracer: Tracer, per_second: int) -> None:
        self.tracer = tracer
        self._per_second = per_second
        self._second, self._left = 0, per_second

    def takes(self, told: Mapping[str, str]) -> bool:
        """Whether a call is traced that came with this."""
        if decided := _DECIDED.fullmatch(told.get("traceparent", "")):
            return bool(int(decided[1], 16) & 1)
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._left = second, self._per_second
        self._left -= 1
        return self._left >= 0


@contextmanager
def tracing(endpoint: str | None, per_second: int) -> Iterator[Tracing | None]:
    """A tracer that sends to an address by OTLP over gRPC; none where none is said. What is left is sent at the end.

    An address that begins with http:// is called without TLS. Raises NoTraces.
    """
    if endpoint is None:
        yield None
        return
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise NoTraces('--traces needs the extra otel: pip install "fulfilment-server[otel]"') from None
    resource = Resource.create({"service.name": "fulfilment", "service.version": __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    try:
        yield Tracing(provider.get_tracer("fulfilment", __version__), per_second)
    finally:
        provider.shutdown()


def traced(tracing: Tracing | None, service: str, rpc: str, answer: Answering) -> Answering:
    """The same, where it is traced in a span whose parent is the caller's; as it is where nobody traces."""
    if tracing is None:
        return answer
    from opentelemetry.trace import SpanKind, Status, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    propagator = TraceContextTextMapPropagator()
    named = {"rpc.system.name": "grpc", "rpc.method": f"{service}/{rpc}"}

    async def answer_in_span(messages: object, context: Context) -> bytes:
        told = {str(key): str(value) for key, value in context.invocation_metadata() or () if key in _PARENT}
        if not tracing.takes(told):
            return await answer(messages, context)
        parent = propagator.extract(told)
        with tracing.tracer.start_as_current_span(
            f"{service}/{rpc}", parent, SpanKind.SERVER, named, record_exception=False, set_status_on_exception=False
        ) as span:
            watching = WATCH.set(partial(_stages, tracing.tracer))
            try:
                answered = await answer(messages, context)
            finally:
                WATCH.reset(watching)
            status = _status_of(context)
            span.set_attribute("rpc.response.status_code", status.name)
            if status in _OF_OURS:
                span.set_status(Status(StatusCode.ERROR))
            return answered

    return answer_in_span


def _status_of(context: Any) -> grpc.StatusCode:
    code = context.code()
    return code if isinstance(code, grpc.StatusCode) else _CODES.get(code or 0, grpc.StatusCode.UNKNOWN)


def _stages(tracer: Tracer, queued_at: float, passed: Passed) -> None:
    """The stages as spans below the present one; they are known once all of them are over."""
    wall, mono = time.time_ns(), time.monotonic()

    def at(moment: float) -> int:
        return wall - round((mono - moment) * 1e9)

    stages = {
        "queue": (queued_at, passed.taken),
        "open": (passed.taken, passed.opened),
        "decide": (passed.opened, passed.decided),
        "commit": (passed.decided, passed.committed),
    }
    for name, (began, ended) in stages.items():
        tracer.start_span(name, start_time=at(began)).end(at(ended))
