"""Tracking services that are played over real HTTP: they take numbers, answer for them, and tell of them.

Each answers below its own name: ``/aftership``, ``/17track``, ``/kuaidi100``, ``/easypost``, ``/shippo`` and ``/dhl``.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx2

from tests.support.edge import HTTP
from tests.support.tracker_formats import (
    KEY,
    SECRET,
    WRITTEN,
    Followed,
    PlayedScan,
    as_told,
    in_their_order,
    may_ask,
    signed_as,
)

CUSTOMER = "the customer's code"
Answer = tuple[int, Any]
"""Status and what JSON says."""


@dataclass
class Aggregator:
    """All of them; what one was told is no news to another."""

    url: str = ""
    followed: dict[tuple[str, str], Followed] = field(default_factory=dict)
    """By system and number."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Which numbers were asked for, in their order."""
    registered: list[tuple[str, str]] = field(default_factory=list)
    """Which were given to be followed, again and again too."""
    phones: dict[str, str] = field(default_factory=dict)
    """By number the digits of the receiver's phone that it was given."""
    refused: set[str] = field(default_factory=set)
    """Numbers that nobody takes."""
    answers: list[int] = field(default_factory=list)
    """Statuses that it answers first, before it answers what is asked."""
    is_busy: bool = False
    """Whether it answers 429 to who asks, while it takes numbers."""

    def settings(self, system: str) -> dict[str, str]:
        """What a connection has to say to reach it."""
        told = {"customer": CUSTOMER, "callback": "https://edge.example.org/in/default/main"}
        more = told if system == "kuaidi100" else {}
        return {"api": f"{self.url}/{system}", **more}

    def follow(self, system: str, number: str, carrier: str, ours: str = "") -> Followed:
        """As if it had been given the number; its carrier as the service calls it."""
        return self.followed.setdefault((system, number), Followed(number, carrier, ours))

    def scan(self, system: str, number: str, *scans: PlayedScan) -> None:
        """The carrier has scanned it; nobody is told."""
        each = self.followed[system, number]
        each.scans = in_their_order([*each.scans, *scans])

    def tell(self, system: str, number: str, to: str, event_id: str = "") -> httpx2.Response:
        """Tells all that it knows of a number, to the address of a connection."""
        return self.push(system, self.written(system, number, event_id), to)

    def written(self, system: str, number: str, event_id: str = "") -> bytes:
        """A delivery of all that it knows of a number now."""
        each = self.followed[system, number]
        return as_told(system, WRITTEN[system](each), event_id or f"{number}-{len(each.scans)}")

    def push(self, system: str, body: bytes, to: str) -> httpx2.Response:
        """Sends a delivery, perhaps one that it sent before."""
        sent = signed_as(system, body)
        url = f"{to}?{sent.query}" if sent.query else to
        return HTTP.post(url, content=sent.body, headers=dict(sent.headers))

    # --- what it answers ---

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        parts = urlsplit(path)
        _, system, rest = parts.path.split("/", 2)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if self.answers:
            return self.answers.pop(0), {}
        if method == "GET" and self.is_busy:
            return 429, {}
        if not may_ask(system, headers):
            return 401, {"code": "unauthorized"}
        answers = {
            "aftership": self._aftership,
            "17track": self._seventeentrack,
            "kuaidi100": self._kuaidi100,
            "easypost": self._easypost,
            "shippo": self._shippo,
            "dhl": self._dhl,
        }
        return answers[system](method, rest, query, body)

    def _take(self, system: str, number: str, carrier: str, ours: str) -> bool | None:
        """Whether the number is new; None if nobody takes it."""
        self.registered.append((system, number))
        if number in self.refused:
            return None
        is_new = (system, number) not in self.followed
        self.follow(system, number, carrier, ours)
        return is_new

    def _show(self, system: str, number: str) -> dict[str, Any] | None:
        self.asked.append((system, number))
        each = self.followed.get((system, number))
        return WRITTEN[system](each) if each is not None else None

    def _aftership(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Answer:
        if method == "POST":
            given = json.loads(body)
            new = self._take(
                "aftership", given["tracking_number"], given["slug"], given.get("custom_fields", {}).get("carrier", "")
            )
            if new:
                return 201, {"meta": {"code": 201}, "data": {}}
            return 400, {"meta": {"code": 4003 if new is False else 4005}}
        since = query.get("updated_at_min", "")
        found = [WRITTEN["aftership"](each) for (system, _), each in self.followed.items() if system == "aftership"]
        shown = [each for each in found if each["updated_at"] >= since]
        return 200, {
            "meta": {"code": 200},
            "data": {"trackings": shown, "pagination": {"has_next_page": False, "next_cursor": None}},
        }

    def _seventeentrack(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Answer:
        if path == "getquota":
            return 200, {"code": 0, "data": {"quota_remain": 100}}
        accepted, rejected = [], []
        for each in json.loads(body):
            number = each["number"]
            if path == "register":
                new = self._take("17track", number, str(each.get("carrier", 0)), each.get("tag", ""))
                error = {True: 0, False: -18019901, None: -18019910}[new]
                shown = {"number": number} if new else None
            else:
                shown, error = self._show("17track", number), -18019902
            if shown is not None:
                accepted.append(shown)
            else:
                rejected.append({"number": number, "error": {"code": error}})
        return 200, {"code": 0, "data": {"accepted": accepted, "rejected": rejected}}

    def _kuaidi100(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Answer:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        param = json.loads(form["param"])
        if path == "poll":
            if param["key"] != KEY or param["parameters"]["salt"] != SECRET:
                return 200, {"result": False, "returnCode": "600"}
            new = self._take("kuaidi100", param["number"], param["company"], param["parameters"]["callbackurl"])
            if param["parameters"].get("phone"):
                self.phones[param["number"]] = param["parameters"]["phone"]
            code = {True: "200", False: "501", None: "701"}[new]
            return 200, {"result": bool(new), "returnCode": code, "message": ""}
        if form["sign"] != hashlib.md5((form["param"] + KEY + CUSTOMER).encode()).hexdigest().upper():
            return 200, {"result": False, "returnCode": "503", "message": ""}
        shown = self._show("kuaidi100", param["num"])
        return 200, shown or {"result": False, "returnCode": "500", "message": ""}

    def _easypost(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Answer:
        if method == "POST":
            given = json.loads(body)["tracker"]
            if self._take("easypost", given["tracking_code"], given["carrier"], "") is None:
                return 422, {"error": {"code": "TRACKER.CREATE.ERROR"}}
            return 201, WRITTEN["easypost"](self.followed["easypost", given["tracking_code"]])
        shown = self._show("easypost", query["tracking_code"]) if "tracking_code" in query else None
        return 200, {"trackers": [shown] if shown else [], "has_more": False}

    def _shippo(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Answer:
        if path.startswith("carrier_accounts"):
            return 200, {"results": []}
        if method == "POST":
            given = json.loads(body)
            if self._take("shippo", given["tracking_number"], given["carrier"], given.get("metadata", "")) is None:
                return 400, {"detail": "no such carrier"}
            return 200, WRITTEN["shippo"](self.followed["shippo", given["tracking_number"]])
        shown = self._show("shippo", unquote(path.rpartition("/")[2]))
        return (200, shown) if shown else (404, {"detail": "Not found."})

    def _dhl(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Answer:
        shown = self._show("dhl", query["trackingNumber"])
        return (200, {"shipments": [shown]}) if shown else (404, {"status": 404, "title": "No result found"})


@contextmanager
def aggregator() -> Iterator[Aggregator]:
    """The services, until the end."""
    played = Aggregator()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, found = played.answer(self.command, self.path, headers, body)
            sent = json.dumps(found, ensure_ascii=False).encode()
            self.send_response(status)
            if status == 429:
                self.send_header("retry-after", "1")
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as playing:
        threading.Thread(target=playing.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        played.url = f"http://127.0.0.1:{playing.server_address[1]}"
        yield played
        playing.shutdown()
