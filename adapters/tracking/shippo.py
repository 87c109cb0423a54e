"""Shippo: track_updated webhooks, and answers about tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar
from urllib.parse import quote

import msgspec

from adapters.edges.agreement import Account, Field
from adapters.edges.delivery import Delivery, Received
from adapters.edges.http import Reply
from adapters.edges.meaning import KnownNow, Understood
from adapters.edges.questions import Fetched, Tracked
from adapters.edges.reading import decoded, door_decoded
from adapters.edges.signatures import hex_mac, require_any, require_fresh, require_token
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
    UnexpectedAnswer,
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
    DESTROYED,
    FOR_PICKUP,
    IN_TRANSIT,
    LOST,
    OTHER,
    OUT_FOR_DELIVERY,
    REGISTERED,
    RETURNED,
    RETURNING,
    Meaning,
    meaning,
)

WORDS: Mapping[str, Meaning] = {
    "PRE_TRANSIT": REGISTERED,
    "TRANSIT": IN_TRANSIT,
    "DELIVERED": DELIVERED,
    "RETURNED": RETURNED,
    "FAILURE": OTHER,
    "UNKNOWN": OTHER,
    "TRANSIT/out_for_delivery": OUT_FOR_DELIVERY,
    "TRANSIT/delivery_attempted": ATTEMPT_FAILED,
    "TRANSIT/notice_left": ATTEMPT_FAILED,
    "TRANSIT/address_issue": ATTEMPT_FAILED,
    "TRANSIT/location_inaccessible": ATTEMPT_FAILED,
    "TRANSIT/delayed": DELAYED,
    "TRANSIT/delivery_rescheduled": DELAYED,
    "TRANSIT/pickup_available": FOR_PICKUP,
    "TRANSIT/package_damaged": DAMAGED,
    "TRANSIT/return_to_sender": RETURNING,
    "RETURNED/return_to_sender": RETURNING,
    "FAILURE/package_undeliverable": ATTEMPT_FAILED,
    "FAILURE/package_disposed": DESTROYED,
    "FAILURE/package_lost": LOST,
    "FAILURE/package_damaged": DAMAGED,
    "FAILURE/package_unclaimed": ATTEMPT_FAILED,
}
"""By status and substatus, else by status."""


class _Place(msgspec.Struct):
    city: str | None = None
    state: str | None = None
    country: str | None = None


class _Substatus(msgspec.Struct):
    code: str | None = None
    text: str | None = None


class _Status(msgspec.Struct):
    status: str | None = None
    status_date: str | None = None
    status_details: str | None = None
    substatus: _Substatus | None = None
    location: _Place | None = None
    object_updated: str | None = None


class _Track(msgspec.Struct):
    tracking_number: str
    carrier: str | None = None
    eta: str | None = None
    metadata: str | None = None
    address_to: _Place | None = None
    tracking_status: _Status | None = None
    tracking_history: list[_Status] | None = None


class _Hook(msgspec.Struct):
    event: str = ""
    test: bool | None = None
    data: _Track | None = None


class _About(msgspec.Struct):
    tracking_number: str = ""
    carrier: str | None = None
    tracking_status: _Status | None = None


class _Seen(msgspec.Struct):
    event: str = ""
    data: _About | None = None


class Shippo(Tracker):
    name = "shippo"
    what = "Shippo: tracking of the carriers that it sells labels of"
    api = "https://api.goshippo.com"
    settings: ClassVar[Mapping[str, Field]] = {"carriers": CARRIERS, "api": API}
    secrets: ClassVar[Mapping[str, Field]] = {
        "token": Field("a random text that the webhook's address ends with, as ?token=...; or else hmac_secret"),
        "hmac_secret": Field("the secret of Shippo's signatures, if its support has set one up"),
        "api_key": Field("the API token, to register numbers and to ask for them"),
    }
    calls_per_second = 5.0

    def verify(self, delivery: Delivery, account: Account, now: datetime) -> Received | None:
        secrets = account.every("hmac_secret")
        if secrets:
            _require_signature(delivery, secrets, now)
        else:
            require_token(delivery, account.every("token"))
        seen = door_decoded(delivery.raw, _Seen)
        about = seen.data or _About()
        status = about.tracking_status or _Status()
        happened_at = instant_or_none(status.object_updated) or instant_or_none(status.status_date)
        return Received(seen.event or "track_updated", _object(about), happened_at=happened_at)

    def knows(self, carrier: str) -> bool:
        found = carriers.known(carrier)
        return found is not None and bool(found.shippo)

    def understand(self, received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
        hook = decoded(raw, _Hook)
        if hook.test:
            return Understood(ignored="Shippo says that it is a test")
        if hook.event not in ("track_updated", "track_asked") or hook.data is None:
            return Understood(ignored="it tells of no parcel")
        return understood([_parcel(hook.data)], known)

    def registering(self, tracked: Sequence[Tracked], account: Account) -> list[TrackerCall]:
        return [
            post_json(
                self.at(account, "/tracks/"),
                {"carrier": _token(each), "tracking_number": each.number, "metadata": _CARRIER + each.carrier},
                _headers(account),
                [each],
            )
            for each in tracked
        ]

    def registered(self, call: TrackerCall, reply: Reply) -> list[Registration]:
        return [Registration(each) for each in call.about] if answered(reply) else refused(call, reply)

    def asking(self, tracked: Sequence[Tracked], account: Account) -> list[TrackerCall]:
        return [
            get(
                self.at(account, f"/tracks/{quote(_token(each), safe='')}/{quote(each.number, safe='')}"),
                {},
                _headers(account),
                [each],
            )
            for each in tracked
        ]

    def told(self, call: TrackerCall, reply: Reply) -> list[Fetched]:
        about = required_answer(reply, _About)
        if not about.tracking_number:
            raise UnexpectedAnswer("the answer names no tracking_number")
        received = Received("track_asked", _object(about), content=reply.body)
        return [Fetched(received, b'{"event":"track_asked","data":' + reply.body + b"}")]

    def checking(self, account: Account) -> TrackerCall | None:
        return get(self.at(account, "/carrier_accounts/"), {"results": "1"}, _headers(account))


_CARRIER = "carrier:"
"""The metadata of a track comes back with each delivery: it holds our name of the carrier."""


def _require_signature(delivery: Delivery, secrets: Sequence[str], now: datetime) -> None:
    """``t=SECONDS,v1=HEX`` over the seconds, a dot and the body."""
    header = delivery.headers.get("shippo-auth-signature", "")
    parts = dict(part.strip().partition("=")[::2] for part in header.split(",", 4))
    seconds, signed = parts.get("t", ""), parts.get("t", "").encode() + b"." + delivery.raw
    require_any(parts.get("v1", ""), [hex_mac(secret, signed) for secret in secrets])
    require_fresh(seconds, now)


def _parcel(track: _Track) -> ToldParcel:
    metadata = track.metadata or ""
    named = metadata.removeprefix(_CARRIER) if metadata.startswith(_CARRIER) else ""
    history = track.tracking_history or ([track.tracking_status] if track.tracking_status else [])
    to = track.address_to or _Place()
    return ToldParcel(
        carriers=[named, carriers.of_shippo(track.carrier or "")],
        number=track.tracking_number,
        scans=[_scan(each) for each in history],
        expected_by=latest(track.eta, country(to.country)),
    )


def _scan(each: _Status) -> Scan:
    status = each.status or ""
    code = f"{status}/{each.substatus.code}" if each.substatus and each.substatus.code else status
    at = each.location or _Place()
    place = Place(at.city or "", country(at.country), at.state or "")
    return Scan(told(each.status_date), meaning(WORDS, code, status), code, each.status_details or "", place)


def _headers(account: Account) -> dict[str, str]:
    return {"authorization": f"ShippoToken {account.secret('api_key')}"}


def _token(each: Tracked) -> str:
    found = carriers.known(each.carrier)
    return found.shippo if found and found.shippo else each.carrier


def _object(about: _About) -> str:
    return f"{carriers.of_shippo(about.carrier or '')}/{about.tracking_number}"
