"""How tracking services write a parcel, sign what they tell, and know who asks: for those that tests play."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

SECRET, KEY = "the secret of the deliveries", "the key of the API"
BEIJING = timedelta(hours=8)


@dataclass(frozen=True)
class PlayedScan:
    """A scan in words of the ledger."""

    at: datetime
    status: str
    """One of ours, or else a word as the service writes it."""
    text: str = ""
    city: str = ""
    country: str = ""


@dataclass
class Followed:
    """A number that a service was told to follow, and what it knows of it."""

    number: str
    carrier: str
    """As the service calls it."""
    ours: str = ""
    """What it was given to give back."""
    scans: list[PlayedScan] = field(default_factory=list)

    @property
    def updated_at(self) -> datetime:
        return max((each.at for each in self.scans), default=datetime(2020, 1, 1, tzinfo=UTC))


class Sent(NamedTuple):
    """A delivery as it is sent."""

    headers: Mapping[str, str]
    body: bytes
    query: str = ""


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- how a parcel is written ----------------------------------------------------------------------


def _aftership(each: Followed) -> dict[str, Any]:
    words = {
        "registered": "InfoReceived_001",
        "in_transit": "InTransit_007",
        "out_for_delivery": "OutForDelivery_001",
        "delivered": "Delivered_001",
    }
    scans = [
        {
            "checkpoint_time": _iso(scan.at),
            "tag": words.get(scan.status, scan.status).partition("_")[0],
            "subtag": words.get(scan.status, scan.status),
            "message": scan.text,
            "city": scan.city,
            "country_region": scan.country,
        }
        for scan in each.scans
    ]
    return {
        "id": hashlib.md5(each.number.encode()).hexdigest(),
        "tracking_number": each.number,
        "slug": each.carrier,
        "updated_at": _iso(each.updated_at),
        "custom_fields": {"carrier": each.ours} if each.ours else None,
        "checkpoints": scans,
    }


def _seventeentrack(each: Followed) -> dict[str, Any]:
    words = {
        "registered": "InfoReceived",
        "in_transit": "InTransit_Other",
        "out_for_delivery": "OutForDelivery_Other",
        "delivered": "Delivered_Other",
    }
    events = [
        {
            "time_iso": _iso(scan.at),
            "description": scan.text,
            "sub_status": words.get(scan.status, scan.status),
            "address": {"country": scan.country, "city": scan.city},
        }
        for scan in each.scans
    ]
    provider = {"key": int(each.carrier or 0), "name": ""}
    return {
        "number": each.number,
        "carrier": int(each.carrier or 0),
        "tag": each.ours,
        "track_info": {"tracking": {"providers": [{"provider": provider, "events": events}]}},
    }


def _kuaidi100(each: Followed) -> dict[str, Any]:
    words = {"registered": "101", "in_transit": "1002", "out_for_delivery": "5", "delivered": "3"}
    scans = [
        {
            "ftime": (scan.at.astimezone(UTC) + BEIJING).strftime("%Y-%m-%d %H:%M:%S"),
            "context": scan.text,
            "statusCode": words.get(scan.status, scan.status),
            "areaName": scan.city,
        }
        for scan in each.scans
    ]
    return {"status": "200", "nu": each.number, "com": each.carrier, "state": "0", "data": scans}


def _easypost(each: Followed) -> dict[str, Any]:
    words = {"registered": "pre_transit"}
    scans = [
        {
            "datetime": _iso(scan.at),
            "status": words.get(scan.status, scan.status),
            "message": scan.text,
            "tracking_location": {"city": scan.city, "country": scan.country},
        }
        for scan in each.scans
    ]
    return {
        "id": f"trk_{each.number}",
        "tracking_code": each.number,
        "carrier": each.carrier,
        "updated_at": _iso(each.updated_at),
        "tracking_details": scans,
    }


def _shippo(each: Followed) -> dict[str, Any]:
    words = {"registered": "PRE_TRANSIT", "in_transit": "TRANSIT", "delivered": "DELIVERED"}
    out = {"status": "TRANSIT", "substatus": {"code": "out_for_delivery"}}
    scans = [
        {
            **(out if scan.status == "out_for_delivery" else {"status": words.get(scan.status, scan.status)}),
            "status_date": _iso(scan.at),
            "status_details": scan.text,
            "location": {"city": scan.city, "country": scan.country},
        }
        for scan in each.scans
    ]
    return {
        "tracking_number": each.number,
        "carrier": each.carrier,
        "metadata": each.ours,
        "tracking_status": {**scans[-1], "object_updated": _iso(each.updated_at)} if scans else None,
        "tracking_history": scans,
    }


def _dhl(each: Followed) -> dict[str, Any]:
    words = {"registered": "pre-transit", "in_transit": "transit", "out_for_delivery": "transit"}
    events = [
        {
            "timestamp": _iso(scan.at),
            "statusCode": words.get(scan.status, scan.status),
            "description": scan.text,
            "location": {"address": {"countryCode": scan.country, "addressLocality": scan.city}},
        }
        for scan in each.scans
    ]
    return {"id": each.number, "service": each.carrier or "express", "events": events}


WRITTEN: Mapping[str, Callable[[Followed], dict[str, Any]]] = {
    "aftership": _aftership,
    "17track": _seventeentrack,
    "kuaidi100": _kuaidi100,
    "easypost": _easypost,
    "shippo": _shippo,
    "dhl": _dhl,
}


# --- how it is told -------------------------------------------------------------------------------


def _mac(secret: str, signed: bytes) -> bytes:
    return hmac.digest(secret.encode(), signed, "sha256")


def signed_as(system: str, body: bytes, secret: str = SECRET, now: datetime | None = None) -> Sent:
    """A body as the service sends it, with its proof; that of kuaidi100 is the ``param`` of its form."""
    seconds = str(int((now or datetime.now(UTC)).timestamp()))
    match system:
        case "aftership":
            return Sent({"aftership-hmac-sha256": base64.b64encode(_mac(secret, body)).decode()}, body)
        case "17track":
            return Sent({"sign": hashlib.sha256(body + b"/" + secret.encode()).hexdigest()}, body)
        case "kuaidi100":
            sign = hashlib.md5(body + secret.encode()).hexdigest().upper()
            form = urlencode({"param": body.decode(), "sign": sign}).encode()
            return Sent({"content-type": "application/x-www-form-urlencoded"}, form)
        case "easypost":
            return Sent({"x-hmac-signature": "hmac-sha256-hex=" + _mac(secret, body).hex()}, body)
        case "shippo":
            signature = _mac(secret, seconds.encode() + b"." + body).hex()
            return Sent({"shippo-auth-signature": f"t={seconds},v1={signature}"}, body)
        case "dhl":
            return Sent({}, body, urlencode({"token": secret}))
        case _:
            message = hashlib.sha256(body).hexdigest()[:20]
            signature = base64.b64encode(_mac(secret, f"{message}.{seconds}.".encode() + body)).decode()
            headers = {"webhook-id": message, "webhook-timestamp": seconds, "webhook-signature": f"v1,{signature}"}
            return Sent(headers, body)


def as_told(system: str, written: Mapping[str, Any], event_id: str = "e1") -> bytes:
    """A parcel as the service writes it, as the body of what it tells."""
    envelopes: Mapping[str, dict[str, Any]] = {
        "aftership": {"event": "tracking_update", "event_id": event_id, "ts": 1772000000, "msg": written},
        "17track": {"event": "TRACKING_UPDATED", "data": written},
        "kuaidi100": {"status": "polling", "lastResult": written},
        "easypost": {"description": "tracker.updated", "id": event_id, "mode": "production", "result": written},
        "shippo": {"event": "track_updated", "data": written},
        "dhl": {"shipments": [written]},
    }
    return json.dumps(envelopes[system], ensure_ascii=False).encode()


SECRETS: Mapping[str, Mapping[str, str]] = {
    "aftership": {"webhook_secret": SECRET, "api_key": KEY},
    "17track": {"api_key": SECRET},
    "kuaidi100": {"salt": SECRET, "key": KEY},
    "easypost": {"webhook_secret": SECRET, "api_key": KEY},
    "shippo": {"hmac_secret": SECRET, "api_key": KEY},
    "dhl": {"api_key": KEY, "token": SECRET},
    "carrier": {"secret": SECRET},
}
"""What a connection to a service that is played has to know."""


def may_ask(system: str, headers: Mapping[str, str]) -> bool:
    """Whether who asks knows the key; headers by their names in small letters. kuaidi100 signs its form instead."""
    basic = base64.b64encode(f"{KEY}:".encode()).decode()
    expected: Mapping[str, tuple[str, str]] = {
        "aftership": ("as-api-key", KEY),
        "17track": ("17token", SECRET),
        "easypost": ("authorization", f"Basic {basic}"),
        "shippo": ("authorization", f"ShippoToken {KEY}"),
        "dhl": ("dhl-api-key", KEY),
    }
    name, value = expected.get(system, ("", ""))
    return not name or headers.get(name) == value


def in_their_order(scans: Sequence[PlayedScan]) -> list[PlayedScan]:
    return sorted(scans, key=lambda scan: scan.at)
