"""A gateway of text messages that is played: it speaks as Twilio does, and JSON of our own, and keeps what it sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

ACCOUNT, TOKEN = "AC0123456789abcdef0123456789abcdef", "the token"


@dataclass
class TextGateway:
    """What was sent, and what is answered next."""

    address: str = ""
    sent: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0
    """How often it was asked to send something."""
    lose: int = 0
    """So many answers are lost after the text was sent."""
    refuse: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """Answered first, and nothing is sent."""

    def to(self, phone: str) -> list[dict[str, Any]]:
        return [each for each in self.sent if each["to"] == phone]

    def take(self, text: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked += 1
        if self.refuse:
            return self.refuse.pop(0)
        if any(text.get("id") and each.get("id") == text["id"] for each in self.sent):
            return 409, {}
        made = {"sid": f"SM{len(self.sent) + 1}", "date_created": format_datetime(datetime.now(UTC)), **text}
        self.sent.append(made)
        if self.lose:
            self.lose -= 1
            return 502, {}
        return 201, {"sid": made["sid"], "id": made["sid"]}


@contextmanager
def text_gateway() -> Iterator[TextGateway]:
    gateway = TextGateway()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            phone = parse_qs(urlsplit(self.path).query).get("To", [""])[0]
            found = [{**each, "status": "sent"} for each in gateway.to(phone)]
            self.answer(200, {"messages": found})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json":
                form = dict(parse_qsl(body.decode()))
                self.answer(*gateway.take({"to": form["To"], "body": form["Body"], "form": form}))
            else:
                self.answer(*gateway.take(json.loads(body)))

        def answer(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as playing:
        threading.Thread(target=playing.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        gateway.address = f"http://127.0.0.1:{playing.server_address[1]}"
        yield gateway
        playing.shutdown()
