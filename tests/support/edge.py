"""The edges in this process, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from adapters.access.tls import Files
from adapters.edges import accounts
from adapters.process.edges import serve_edges
from adapters.process.options import options
from adapters.web.settings import web_of
from tests.support.in_a_thread import running
from tests.support.service import Service
from tests.support.woo_shop import HTTP as HTTP
from tests.support.woo_shop import SECRET as SECRET
from tests.support.woo_shop import WooShop as WooShop
from tests.support.woo_shop import signed as signed
from tests.support.woo_shop import woo_order as woo_order
from tests.support.woo_shop import woo_shop as woo_shop


@contextmanager
def edging(service: Service, files: Files | None = None) -> Iterator[str]:
    """The address of the edges beside a service."""
    web = web_of(options(["--web", "127.0.0.1:0", "--web-private"]))._replace(files=files)
    edges = serve_edges(service.dsn, service.data / "master.key", web)
    with pytest.MonkeyPatch.context() as patched, running(edges, "the edges") as port:
        patched.setattr(accounts, "_ANEW_SECONDS", 0.0)  # a connection is known as soon as it is added
        yield f"{'https' if files else 'http'}://127.0.0.1:{port}"
