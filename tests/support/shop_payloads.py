"""Real payloads of shops, and what becomes of them, as the tables of the tests say it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from adapters.edges.agreement import Account
from adapters.edges.delivery import Received, Refused
from adapters.edges.meaning import KnownNow, NotUnderstood
from adapters.edges.systems import SYSTEMS
from fulfilment.v1 import orders_pb2 as pb
from fulfilment.v1.order_money_pb2 import PAYMENT_KIND_REFUNDED as REFUNDED
from tests.support.tracking_payloads import VENDORS

NOTHING_KNOWN = KnownNow({}, complete=True)


def bodies(path: str) -> Iterator[dict[str, Any]]:
    """What a file holds, each as a delivery would: recorders put envelopes around it, and answers list it."""
    found = json.loads((VENDORS / path).read_text())
    if isinstance(found, dict):
        found = found.get("data", found)
    if isinstance(found, dict) and {"headers", "body"} <= set(found):
        found = found["body"]
    yield from found if isinstance(found, list) else [found]


def became(system: str, received: Received, body: Any, known: KnownNow = NOTHING_KNOWN) -> str:
    """In short: the commands, why there are none, or why it is not understood."""
    try:
        found = SYSTEMS[system].understand(received, json.dumps(body).encode(), Account("main", {}, ({},)), known)
    except (NotUnderstood, Refused) as reason:
        return f"not understood: {reason}"
    return "; ".join(map(_command, (each.request for each in found.wanted))) or found.ignored or f"early: {found.early}"


def _command(request: Any) -> str:
    if not isinstance(request, pb.PlaceOrderRequest):
        return type(request).__name__.removesuffix("Request")
    units = sum(each.quantity for each in request.lines)
    total = sum(each.total_minor for each in request.lines) + sum(each.amount_minor for each in request.charges)
    back = sum(each.amount.amount_minor for each in request.payments if each.kind == REFUNDED)
    paid = " at the door" if request.cash_on_delivery else "" if request.payments else " unpaid"
    paid += f", {back} back" if back else ""
    to = request.ship_to.country or "nowhere"
    of = f"{units} units in {len(request.lines)} lines to {to}"
    return f"{request.channel_order_id}: {of}, {total} {request.currency}{paid}"
