"""An address of the retailer's that is told what happens: it keeps what came, and answers as a test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class ToldRequest(NamedTuple):
    """What came, as it came."""

    headers: dict[str, str]
    """Names in small letters."""
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class ToldSite:
    """What came, and what is answered next."""

    url: str = ""
    came: list[ToldRequest] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """Statuses that are answered first, before 200."""

    def told(self, kind: str, subject: str) -> list[dict[str, Any]]:
        """The data of the events of a type about one order or SKU, each once, in the order in which they came."""
        events = {each.event["id"]: each.event for each in self.came}
        found = (each for each in events.values() if (each["type"], each.get("subject", "")) == (kind, subject))
        return [each["data"] for each in found]


@contextmanager
def told_site() -> Iterator[ToldSite]:
    site = ToldSite()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            site.came.append(ToldRequest({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(site.answers.pop(0) if site.answers else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as playing:
        threading.Thread(target=playing.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        site.url = f"http://127.0.0.1:{playing.server_address[1]}/hooks"
        yield site
        playing.shutdown()
