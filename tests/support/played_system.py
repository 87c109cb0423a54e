"""A system of the edges that tells commands in so many words, for tests of what becomes of any of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from google.protobuf import json_format

from adapters.edges.agreement import Account, Field
from adapters.edges.delivery import Delivery, Received
from adapters.edges.meaning import KnownNow, Understood, WantedCommand
from adapters.edges.signatures import hex_mac, require_any
from adapters.edges.system import System
from fulfilment.v1 import orders_pb2, stock_pb2
from tests.support.edge import HTTP

SECRET = "the secret of the played system"
_REQUESTS: Mapping[str, Any] = {
    "cancel": orders_pb2.CancelOrderRequest,
    "pay": orders_pb2.RecordPaymentRequest,
    "feed": stock_pb2.RecordFeedRequest,
    "release": orders_pb2.ReleaseHoldRequest,
}


class PlayedSystem(System):
    """What it tells is ``{"about": ..., "commands": [[command, fields], ...]}``; a command "crash" is a mistake."""

    name = "played"
    what = "a system that tests play"
    role = "owner"
    secrets: ClassVar[Mapping[str, Field]] = {"secret": Field("the secret", required=True)}

    def verify(self, delivery: Delivery, account: Account, now: datetime) -> Received | None:
        require_any(
            delivery.headers.get("x-signature", ""), [hex_mac(each, delivery.raw) for each in account.every("secret")]
        )
        return Received("told", json.loads(delivery.raw)["about"])

    def understand(self, received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
        commands = json.loads(raw)["commands"]
        if any(name == "crash" for name, _ in commands):
            raise RuntimeError("Ann Example")
        return Understood(
            tuple(
                WantedCommand(json_format.ParseDict(fields, _REQUESTS[name]()), f"{received.object_id}/{index}", "1")
                for index, (name, fields) in enumerate(commands)
            )
        )


def tell(url: str, about: str, *commands: tuple[str, Mapping[str, Any]]) -> int:
    """The status that it is answered with."""
    body = json.dumps({"about": about, "commands": commands}).encode()
    return HTTP.post(url, content=body, headers={"x-signature": hex_mac(SECRET, body)}).status_code
