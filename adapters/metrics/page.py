"""The page of figures that Prometheus reads, for those who may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapters.access.callers import Caller
from adapters.access.gate import Gate
from adapters.http_api.problems import problem_of, response
from ledger.refusals import Refusal


def metrics_route(gate: Gate, text: Callable[[Caller], Awaitable[str]]) -> Route:
    """``/metrics``, for callers that may ask for the status."""

    async def metrics(request: Request) -> Response:
        try:
            caller = gate.who(request.headers.get("authorization", ""))
            caller.require("GetStatus")
        except Refusal as refusal:
            return response(*problem_of(refusal))
        return PlainTextResponse(await text(caller), media_type="text/plain; version=0.0.4")

    return Route("/metrics", metrics, methods=["GET"])
