"""An own site: what it writes, and how it signs it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from adapters.edges.delivery import Delivery

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def site_order(order_id: str = "1001", **changes: Any) -> dict[str, Any]:
    """The data of an order with all that it can have but a promised instant."""
    return {
        "order_id": order_id,
        "currency": "EUR",
        "placed_at": "2026-01-05T08:59:00+00:00",
        "lines": [
            {
                "line_id": "a",
                "sku": "TEA",
                "title": "Green tea",
                "quantity": 2,
                "unit_price_minor": 990,
                "total_minor": 1900,
                "supplier_id": "acme",
                "dispatch_by": "2026-01-07T09:00:00Z",
                "hs_code": "0902.10",
                "origin": "CN",
                "weight_grams": 120,
                "declared_value_minor": 950,
            },
            {"line_id": "b", "sku": "CUP", "quantity": 1, "unit_price_minor": 500},
        ],
        "charges": [
            {"charge_id": "post", "kind": "shipping", "amount_minor": 490, "title": "Post"},
            {"charge_id": "voucher", "kind": "discount", "amount_minor": -100},
        ],
        "payments": [
            {
                "payment_id": "p1",
                "kind": "captured",
                "amount_minor": 2790,
                "method": "card",
                "at": "2026-01-05T09:00:00Z",
            }
        ],
        "customer": {"name": "Ann Example", "email": "ann@example.org", "phone": "+49 30 123456"},
        "ship_to": {
            "lines": ["1 Elm Street"],
            "city": "Berlin",
            "region": "BE",
            "postal_code": "10115",
            "country": "DE",
        },
        "priority": "express",
        "incoterm": "ddp",
        "promised_day": "2026-01-12",
        "language": "de",
        "gift": True,
        "packing": ["gift_wrap"],
        "note": "Ring twice\nplease",
        "tags": ["VIP"],
        "invoice": {
            "name": "Example Ltd",
            "tax_id": "DE1",
            "address": ["2 Oak Street"],
            "included_tax_basis_points": 700,
        },
        **changes,
    }


def told(kind: str, data: dict[str, Any], at: str = "2026-01-05T09:00:00Z") -> dict[str, Any]:
    return {"type": kind, "timestamp": at, "data": data}


def signature(signed: bytes, secret: str = SECRET) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def signed_headers(body: bytes, message_id: str, now: datetime, secret: str = SECRET) -> dict[str, str]:
    seconds = str(int(now.timestamp()))
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": signature(f"{message_id}.{seconds}.".encode() + body, secret),
    }


def delivery(document: Any, message_id: str = "m1", secret: str = SECRET) -> Delivery:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Delivery(signed_headers(body, message_id, NOW, secret), body, "https://example.org/in/default/web")
