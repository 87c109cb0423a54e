"""EasyPost: events of trackers, and answers about trackers."""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

import msgspec

from adapters.edges.agreement import Account, Field
from adapters.edges.delivery import Delivery, Received
from adapters.edges.http import Reply
from adapters.edges.meaning import KnownNow, Understood
from adapters.edges.questions import Fetched, Tracked
from adapters.edges.reading import decoded, door_decoded, first
from adapters.edges.signatures import hex_mac, require_any
from adapters.tracking import carriers
from adapters.tracking.countries import country
from adapters.tracking.moments import Place, instant_or_none, latest, told
from adapters.tracking.scans import Scan, ToldParcel, understood
from adapters.tracking.tracker import (
    API,
    CARRIERS,
    Registration,
    Tracker,
    TrackerCall,
    answered,
    get,
    post_json,
    refused,
    required_answer,
)
from adapters.tracking.words import (
    ATTEMPT_FAILED,
    DAMAGED,
    DELAYED,
    DELIVERED,
    FOR_PICKUP,
    IN_TRANSIT,
    LOST,
    OTHER,
    OUT_FOR_DELIVERY,
    REFUSED,
    REGISTERED,
    RETURNING,
    Meaning,
    meaning,
)

_SIGN = "hmac-sha256-hex="

WORDS: Mapping[str, Meaning] = {
    "pre_transit": REGISTERED,
    "in_transit": IN_TRANSIT,
    "out_for_delivery": OUT_FOR_DELIVERY,
    "delivered": DELIVERED,
    "available_for_pickup": FOR_PICKUP,
    "return_to_sender": RETURNING,
    "failure": OTHER,
    "cancelled": OTHER,
    "error": OTHER,
    "unknown": OTHER,
    "in_transit/delayed": DELAYED,
    "in_transit/weather_delay": DELAYED,
    "in_transit/damaged": DAMAGED,
    "failure/damaged": DAMAGED,
    "failure/lost": LOST,
    "failure/refused": REFUSED,
    "failure/return": RETURNING,
    "failure/delivery_exception": ATTEMPT_FAILED,
    "failure/address_correction": ATTEMPT_FAILED,
}
"""By status and its detail, else by status."""


class _Location(msgspec.Struct):
    city: str | None = None
    state: str | None = None
    country: str | None = None


class _Detail(msgspec.Struct):
    datetime: str | None = None
    status: str | None = None
    status_detail: str | None = None
    message: str | None = None
    description: str | None = None
    tracking_location: _Location | None = None


class _CarrierDetail(msgspec.Struct):
    est_delivery_date_local: str | None = None
    destination_tracking_location: _Location | None = None


class _Tracker(msgspec.Struct):
    tracking_code: str
    carrier: str | None = None
    updated_at: str | None = None
    est_delivery_date: str | None = None
    signed_by: str | None = None
    carrier_detail: _CarrierDetail | None = None
    tracking_details: list[_Detail] | None = None


class _Event(msgspec.Struct):
    description: str
    result: msgspec.Raw
    mode: str | None = None


class _About(msgspec.Struct):
    tracking_code: str = ""
    carrier: str | None = None
    updated_at: str | None = None


class _Seen(msgspec.Struct):
    description: str
    id: str = ""
    result: _About | None = None


class EasyPost(Tracker):
    name = "easypost"
    what = "EasyPost: trackers of carriers, most of them of North America"
    api = "https://api.easypost.com/v2"
    settings: ClassVar[Mapping[str, Field]] = {"carriers": CARRIERS, "api": API}
    secrets: ClassVar[Mapping[str, Field]] = {
        "webhook_secret": Field("the secret that its webhook was made with", required=True),
        "api_key": Field("the API key, to register numbers and to ask for them"),
    }
    calls_per_second = 5.0

    def verify(self, delivery: Delivery, account: Account, now: datetime) -> Received | None:
        secrets = (unicodedata.normalize("NFKD", each) for each in account.every("webhook_secret"))
        expected = [_SIGN + hex_mac(each, delivery.raw) for each in secrets]
        require_any(delivery.headers.get("x-hmac-signature", ""), expected)
        seen = door_decoded(delivery.raw, _Seen)
        about = seen.result or _About()
        return Received(
            seen.description,
            _object(about) if about.tracking_code else seen.description,
            seen.id,
            instant_or_none(about.updated_at),
        )

    def knows(self, carrier: str) -> bool:
        found = carriers.known(carrier)
        return found is not None and bool(found.easypost)

    def understand(self, received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
        event = decoded(raw, _Event)
        if not event.description.startswith("tracker."):
            return Understood(ignored=f"{event.description} tells of no parcel")
        if event.mode == "test":
            return Understood(ignored="it is of EasyPost's test mode")
        return understood([_parcel(decoded(bytes(event.result), _Tracker))], known)

    def registering(self, tracked: Sequence[Tracked], account: Account) -> list[TrackerCall]:
        # The same again answers the tracker that is there.
        return [
            post_json(self.at(account, "/trackers"), {"tracker": _tracker(each)}, _headers(account), [each])
            for each in tracked
        ]

    def registered(self, call: TrackerCall, reply: Reply) -> list[Registration]:
        return [Registration(each) for each in call.about] if answered(reply) else refused(call, reply)

    def asking(self, tracked: Sequence[Tracked], account: Account) -> list[TrackerCall]:
        return [get(self.at(account, "/trackers"), _tracker(each), _headers(account), [each]) for each in tracked]

    def told(self, call: TrackerCall, reply: Reply) -> list[Fetched]:
        return [_fetched(bytes(each)) for each in required_answer(reply, _Listing).trackers]

    def checking(self, account: Account) -> TrackerCall | None:
        return get(self.at(account, "/trackers"), {"page_size": "1"}, _headers(account))


def _parcel(tracker: _Tracker) -> ToldParcel:
    scans = [_scan(each) for each in tracker.tracking_details or ()]
    return ToldParcel(
        carriers=[carriers.of_easypost(tracker.carrier or "")],
        number=tracker.tracking_code,
        scans=scans,
        expected_by=_estimate(tracker),
        signed_by=tracker.signed_by or "",
    )


def _estimate(tracker: _Tracker) -> datetime | None:
    """The day at the destination, where it is told: the other field writes that day as midnight in UTC."""
    detail = tracker.carrier_detail or _CarrierDetail()
    at = detail.destination_tracking_location or _Location()
    whole = (tracker.est_delivery_date or "").removesuffix("T00:00:00Z")
    return latest(first(detail.est_delivery_date_local, whole), country(at.country))


def _scan(each: _Detail) -> Scan:
    status, detail = each.status or "", each.status_detail or ""
    code = f"{status}/{detail}" if detail and detail != "unknown" else status
    at = each.tracking_location or _Location()
    place = Place(at.city or "", country(at.country), at.state or "")
    text = first(each.message, each.description)
    return Scan(told(each.datetime), meaning(WORDS, code, status), code, text, place)


# --- what is asked for ----------------------------------------------------------------------------


class _Listing(msgspec.Struct):
    trackers: list[msgspec.Raw]


def _headers(account: Account) -> dict[str, str]:
    basic = base64.b64encode(f"{account.secret('api_key')}:".encode()).decode()
    return {"authorization": f"Basic {basic}"}


def _tracker(each: Tracked) -> dict[str, str]:
    found = carriers.known(each.carrier)
    return {"tracking_code": each.number, "carrier": found.easypost if found and found.easypost else each.carrier}


def _object(about: _About) -> str:
    return f"{carriers.of_easypost(about.carrier or '')}/{about.tracking_code}"


def _fetched(raw: bytes) -> Fetched:
    """A tracker as the event that would have told it."""
    about = decoded(raw, _About)
    received = Received("tracker.asked", _object(about), "", instant_or_none(about.updated_at), content=raw)
    return Fetched(received, b'{"description":"tracker.asked","result":' + raw + b"}")
