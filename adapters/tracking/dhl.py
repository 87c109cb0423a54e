"""DHL's unified tracking (Shipment Tracking - Unified): answers about numbers, and pushes of the same shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

import msgspec

from adapters.edges.agreement import Account, Field
from adapters.edges.delivery import Delivery, MalformedDelivery, Received
from adapters.edges.http import Reply
from adapters.edges.meaning import KnownNow, Understood
from adapters.edges.questions import Fetched, Tracked
from adapters.edges.reading import decoded, door_decoded, first
from adapters.edges.signatures import require_token
from adapters.tracking.countries import country
from adapters.tracking.moments import Place, latest, told
from adapters.tracking.scans import Scan, ToldParcel, understood
from adapters.tracking.tracker import API, CARRIERS, Tracker, TrackerCall, get, required_answer
from adapters.tracking.words import (
    ATTEMPT_FAILED,
    DAMAGED,
    DELIVERED,
    IN_TRANSIT,
    OTHER,
    REFUSED,
    REGISTERED,
    RETURNING,
    Meaning,
    meaning,
)

_CALLS_A_DAY = 250
"""What DHL grants to begin with."""
_MOST_CALLS_A_DAY = 1_000_000

WORDS: Mapping[str, Meaning] = {
    "pre-transit": REGISTERED,
    "transit": IN_TRANSIT,
    "delivered": DELIVERED,
    "failure": ATTEMPT_FAILED,
    "unknown": OTHER,
}
_OF_FAILURES = (("return", RETURNING), ("refus", REFUSED), ("damage", DAMAGED))
"""A failure's code says no more: what its texts say, in English."""

_ARMS = {
    "express": "dhl",
    "parcel-de": "dhl-germany",
    "parcel-nl": "dhl-nl",
    "parcel-pl": "dhl-poland",
    "parcel-uk": "dhl-parcel-uk",
    "ecommerce": "dhl-global-mail",
    "ecommerce-europe": "dhl-ecommerce-europe",
    "dgf": "dhl-global-forwarding",
    "sameday": "dhl-sameday",
}
"""Our names of DHL's arms, by its services; numbers of some are known to shops as simply DHL's."""


class _Address(msgspec.Struct):
    countryCode: str | None = None  # noqa: N815
    addressLocality: str | None = None  # noqa: N815


class _Location(msgspec.Struct):
    address: _Address | None = None


class _Event(msgspec.Struct):
    timestamp: str | None = None
    statusCode: str | None = None  # noqa: N815
    status: str | None = None
    description: str | None = None
    remark: str | None = None
    location: _Location | None = None


class _Frame(msgspec.Struct):
    estimatedThrough: str | None = None  # noqa: N815


class _Person(msgspec.Struct):
    name: str | None = None
    givenName: str | None = None  # noqa: N815
    familyName: str | None = None  # noqa: N815


class _Proof(msgspec.Struct):
    signed: _Person | None = None


class _Details(msgspec.Struct):
    proofOfDelivery: _Proof | None = None  # noqa: N815


class _Shipment(msgspec.Struct):
    id: str | int
    service: str | None = None
    destination: _Location | None = None
    status: _Event | None = None
    estimatedTimeOfDelivery: str | None = None  # noqa: N815
    estimatedDeliveryTimeFrame: _Frame | None = None  # noqa: N815
    details: _Details | None = None
    events: list[_Event] | None = None


class _Answer(msgspec.Struct):
    shipments: list[_Shipment]


class _About(msgspec.Struct):
    id: str | int
    service: str | None = None


class _Seen(msgspec.Struct):
    shipments: list[_About]


class Dhl(Tracker):
    name = "dhl"
    what = "DHL: its unified tracking, of Express, Parcel and eCommerce"
    api = "https://api-eu.dhl.com"
    settings: ClassVar[Mapping[str, Field]] = {
        "carriers": CARRIERS,
        "api": API,
        "service": Field("the service to ask for, such as express or parcel-de; all if not said"),
        "calls_a_day": Field(f"how many questions a day DHL answers; {_CALLS_A_DAY} if not said"),
    }
    secrets: ClassVar[Mapping[str, Field]] = {
        "api_key": Field("the API key (DHL-API-Key)", required=True),
        "token": Field("a random text that the address for pushes ends with, as ?token=..."),
    }
    effects = frozenset()  # it follows all of its numbers
    calls_per_second = 0.2
    calls_at_once = 1

    def verify(self, delivery: Delivery, account: Account, now: datetime) -> Received | None:
        require_token(delivery, account.every("token"))
        seen = door_decoded(delivery.raw, _Seen)
        if not seen.shipments:
            raise MalformedDelivery("shipments: are none")
        return Received("push", _object(seen.shipments[0]))

    def knows(self, carrier: str) -> bool:
        return carrier in _ARMS.values()

    def understand(self, received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
        return understood(map(_parcel, decoded(raw, _Answer).shipments), known)

    def checked(self, settings: Mapping[str, str]) -> Mapping[str, str]:
        a_day = settings.get("calls_a_day", "1")
        if not (a_day.isascii() and a_day.isdecimal() and 0 < int(a_day) <= _MOST_CALLS_A_DAY):
            raise ValueError(f"calls_a_day is not a number from 1 to {_MOST_CALLS_A_DAY}")
        return settings

    def pause_between_questions(self, account: Account) -> float:
        return 86_400 / int(account.settings.get("calls_a_day") or _CALLS_A_DAY)

    def asking(self, tracked: Sequence[Tracked], account: Account) -> list[TrackerCall]:
        service = account.settings.get("service", "")
        return [
            get(
                self.at(account, "/track/shipments"),
                _query(each, service),
                {"dhl-api-key": account.secret("api_key")},
                [each],
            )
            for each in tracked
        ]

    def told(self, call: TrackerCall, reply: Reply) -> list[Fetched]:
        if reply.status == 404:
            return []  # it has not heard of the number yet
        seen = required_answer(reply, _Seen)
        if not seen.shipments:
            return []
        about = call.about[0].object_id if call.about else _object(seen.shipments[0])
        return [Fetched(Received("asked", about, content=reply.body), reply.body)]


def _parcel(shipment: _Shipment) -> ToldParcel:
    to = _place(shipment.destination).country
    frame = shipment.estimatedDeliveryTimeFrame or _Frame()
    proof = shipment.details.proofOfDelivery if shipment.details else None
    signed = proof.signed if proof and proof.signed else _Person()
    told_events = [*(shipment.events or ()), *([shipment.status] if shipment.status else ())]
    return ToldParcel(
        carriers=[_ARMS.get(shipment.service or "", "dhl"), "dhl"],
        number=str(shipment.id),
        scans=[_scan(each) for each in told_events],
        expected_by=latest(first(frame.estimatedThrough, shipment.estimatedTimeOfDelivery), to),
        signed_by=first(" ".join(filter(None, (signed.givenName, signed.familyName))), signed.name),
    )


def _scan(each: _Event) -> Scan:
    code = (each.statusCode or "").strip()
    text = " ".join(filter(None, (each.status, each.description, each.remark)))
    means = meaning(WORDS, code)
    if code == "failure":
        means = next((other for word, other in _OF_FAILURES if word in text.lower()), means)
    return Scan(told(each.timestamp), means, code, text, _place(each.location))


def _place(location: _Location | None) -> Place:
    address = (location.address if location else None) or _Address()
    town = (address.addressLocality or "").rpartition(", ")[2]
    return Place(town, country(address.countryCode))


def _query(each: Tracked, service: str) -> dict[str, str]:
    query = {"trackingNumber": each.number, "language": "en"}
    return {**query, "service": service} if service else query


def _object(about: _About) -> str:
    return f"{_ARMS.get(about.service or '', 'dhl')}/{about.id}"
