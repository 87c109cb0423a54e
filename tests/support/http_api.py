"""The contract over HTTP, as callers of the edges use it."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import httpx2
from google.protobuf import json_format
from google.protobuf.message import Message

from tests.support import documented
from tests.support.service import MISTAKE

LONGEST_BODY = 16 << 20


class Http:
    """A caller over HTTP, who fails where a refusal is not documented."""

    def __init__(self, url: str, **headers: str) -> None:
        self.url = url
        self.client = httpx2.Client(base_url=url, headers=headers, timeout=100)

    def post(self, rpc: str, body: Any = None, **headers: str) -> httpx2.Response:
        """The answer to an RPC; the body is a message, what JSON can write, or the bytes themselves."""
        about = documented.rpcs()[rpc]
        content = body if isinstance(body, bytes) else as_body(body)
        sent = {"content-type": "application/json", **{name.replace("_", "-"): each for name, each in headers.items()}}
        answer = self.client.post(f"/v1/{about.service}/{rpc}", content=content, headers=sent)
        if answer.status_code != HTTPStatus.OK:
            self._require_documented(rpc, answer.json())
        return answer

    def call(self, rpc: str, body: Any = None, **headers: str) -> Any:
        """What the RPC answers, or the problem."""
        return self.post(rpc, body, **headers).json()

    @staticmethod
    def _require_documented(rpc: str, problem: dict[str, Any]) -> None:
        assert problem["detail"] != MISTAKE, f"{rpc} ended with a mistake of the service"
        if "reason" in problem:
            documented.require(rpc, problem["code"], problem["reason"])
            documented.require_figures(problem["reason"], problem["details"])


def as_body(body: Any) -> bytes:
    tree = json_format.MessageToDict(body) if isinstance(body, Message) else {} if body is None else body
    return json.dumps(tree).encode()
