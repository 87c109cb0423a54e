"""The lower bound of a webhook: our HTTP server with an endpoint that reads the body and answers, and does nothing."""

from __future__ import annotations

import asyncio

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.web.serving import serving


async def nothing(request: Request) -> Response:
    await request.body()
    return Response(b"kept\n")


async def main() -> None:
    app = Starlette(routes=[Route("/in/{tenant}/{connection}", nothing, methods=["POST"])])
    async with serving(app, "127.0.0.1:0", None) as port:
        print(f"listening on 127.0.0.1:{port}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
