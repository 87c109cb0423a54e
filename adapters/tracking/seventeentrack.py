"""17TRACK v2.4: deliveries, and answers of gettrackinfo, which have the same shape."""

from __future__ import annotations

import hashlib
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
from adapters.edges.signatures import require_any
from adapters.tracking import carriers
from adapters.tracking.countries import country
from adapters.tracking.moments import Place, ToldTime, latest, told, told_in_zone
from adapters.tracking.scans import Scan, ToldParcel, understood
from adapters.tracking.tracker import (
    API,
    CARRIERS,
    Registration,
    Tracker,
    TrackerCall,
    UnexpectedAnswer,
    answer_of,
    answered,
    parts,
    post_json,
    refused,
    required_answer,
)
from adapters.tracking.words import (
    AT_CUSTOMS,
    ATTEMPT_FAILED,
    DAMAGED,
    DELAYED,
    DELIVERED,
    DESTROYED,
    FOR_PICKUP,
    HELD_FOR_PAPERS,
    IN_TRANSIT,
    LOST,
    OTHER,
    OUT_FOR_DELIVERY,
    REFUSED,
    REGISTERED,
    RETURNED,
    RETURNING,
    SUSPECTED_LOST,
    Meaning,
    meaning,
)

_ALREADY_REGISTERED = -18019901
_OF_QUOTA = (-18019907, -18019908)
_TAG = "carrier:"
"""A number's tag comes back with each delivery: it holds our name of the carrier, whatever 17TRACK makes of it."""

WORDS: Mapping[str, Meaning] = {
    "NotFound": REGISTERED,
    "InfoReceived": REGISTERED,
    "InTransit": IN_TRANSIT,
    "Expired": SUSPECTED_LOST,
    "AvailableForPickup": FOR_PICKUP,
    "OutForDelivery": OUT_FOR_DELIVERY,
    "DeliveryFailure": ATTEMPT_FAILED,
    "Delivered": DELIVERED,
    "InTransit_CustomsProcessing": AT_CUSTOMS,
    "InTransit_CustomsReleased": IN_TRANSIT,
    "InTransit_CustomsRequiringInformation": HELD_FOR_PAPERS,
    "DeliveryFailure_Rejected": REFUSED,
    "Exception_Returning": RETURNING,
    "Exception_Returned": RETURNED,
    "Exception_Damage": DAMAGED,
    "Exception_Rejected": REFUSED,
    "Exception_Delayed": DELAYED,
    "Exception_Lost": LOST,
    "Exception_Destroyed": DESTROYED,
    "Exception_NoBody": OTHER,
    "Exception_Security": OTHER,  # customs or a payment: which is not said
    "Exception_Cancel": OTHER,
    "Exception_Other": OTHER,
    # Stages, where an event has no sub-status.
    "PickedUp": IN_TRANSIT,
    "Departure": IN_TRANSIT,
    "Arrival": IN_TRANSIT,
    "Returning": RETURNING,
    "Returned": RETURNED,
}
_KNOWN_OF = {
    "NotFound": ("Other", "InvalidCode"),
    "InfoReceived": ("",),
    "InTransit": ("PickedUp", "Other", "Departure", "Arrival"),
    "Expired": ("Other",),
    "AvailableForPickup": ("Other",),
    "OutForDelivery": ("Other",),
    "DeliveryFailure": ("Other", "NoBody", "Security", "InvalidAddress"),
    "Delivered": ("Other",),
}
WORDS = {**WORDS, **{f"{word}_{sub}": WORDS[word] for word, subs in _KNOWN_OF.items() for sub in subs if sub}}
"""Sub-statuses that mean what their status means. One that is in neither table is unknown, and stays under OTHER."""


class _RawTime(msgspec.Struct):
    date: str | None = None
    time: str | None = None
    timezone: str | None = None


class _Address(msgspec.Struct):
    country: str | None = None
    state: str | None = None
    city: str | None = None


class _Event(msgspec.Struct):
    time_iso: str | None = None
    time_utc: str | None = None
    time_raw: _RawTime | None = None
    description: str | None = None
    stage: str | None = None
    sub_status: str | None = None
    address: _Address | None = None

    @property
    def told(self) -> ToldTime | None:
        if self.time_iso or self.time_utc or self.time_raw is None:
            return told(self.time_iso) or told(self.time_utc)
        return told_in_zone(f"{self.time_raw.date or ''} {self.time_raw.time or ''}", self.time_raw.timezone)


class _Provider(msgspec.Struct):
    key: int = 0
    name: str | None = None


class _Provided(msgspec.Struct):
    provider: _Provider | None = None
    latest_sync_time: str | None = None
    events: list[_Event] | None = None


class _Tracking(msgspec.Struct):
    providers: list[_Provided] | None = None


class _Estimate(msgspec.Struct):
    source: str | None = None
    to: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")


class _Metrics(msgspec.Struct):
    estimated_delivery_date: _Estimate | None = None


class _Misc(msgspec.Struct):
    local_number: str | None = None
    local_provider: str | None = None
    local_key: int | None = None


class _Status(msgspec.Struct):
    status: str | None = None
    sub_status: str | None = None


class _Shipping(msgspec.Struct):
    recipient_address: _Address | None = None


class _Info(msgspec.Struct):
    latest_status: _Status | None = None
    shipping_info: _Shipping | None = None
    time_metrics: _Metrics | None = None
    misc_info: _Misc | None = None
    tracking: _Tracking | None = None

    @property
    def provided(self) -> list[_Provided]:
        return (self.tracking.providers if self.tracking else None) or []


class _Item(msgspec.Struct):
    number: str
    carrier: int | None = None
    tag: str | None = None
    track_info: _Info | None = None


class _Delivery(msgspec.Struct):
    event: str
    data: _Item


class _About(msgspec.Struct):
    number: str
    carrier: int | None = None
    tag: str | None = None


class _Seen(msgspec.Struct):
    event: str
    data: _About


class SeventeenTrack(Tracker):
    name = "17track"
    what = "17TRACK: tracking of about three thousand carriers, in two legs"
    api = "https://api.17track.net/track/v2.4"
    settings: ClassVar[Mapping[str, Field]] = {"carriers": CARRIERS, "api": API}
    secrets: ClassVar[Mapping[str, Field]] = {
        "api_key": Field("the security key, of Settings, Security", required=True)
    }
    calls_per_second = 3.0
    calls_at_once = 3
    asks_numbers = 40

    def verify(self, delivery: Delivery, account: Account, now: datetime) -> Received | None:
        keys = account.every("api_key")
        expected = [hashlib.sha256(delivery.raw + b"/" + key.encode()).hexdigest() for key in keys]
        require_any(delivery.headers.get("sign", "").lower(), expected)
        seen = door_decoded(delivery.raw, _Seen)
        return _received(seen.event, seen.data, b"")

    def knows(self, carrier: str) -> bool:
        return True  # it finds the carrier of a number by itself

    def understand(self, received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
        delivery = decoded(raw, _Delivery)
        if delivery.event == "TRACKING_STOPPED":
            return Understood(ignored="17TRACK follows the number no more")
        return understood([_parcel(delivery.data)], known)

    def registering(self, tracked: Sequence[Tracked], account: Account) -> list[TrackerCall]:
        return [
            post_json(self.at(account, "/register"), [_registration(each) for each in part], _headers(account), part)
            for part in parts(tracked, self.asks_numbers)
        ]

    def registered(self, call: TrackerCall, reply: Reply) -> list[Registration]:
        answer = answer_of(reply, _Answer)
        if not answered(reply) or answer is None or answer.code != 0:
            return refused(call, reply)
        rejected = {each.number: each.error for each in answer.data.rejected}
        return [_outcome(each, rejected.get(each.number)) for each in call.about]

    def asking(self, tracked: Sequence[Tracked], account: Account) -> list[TrackerCall]:
        return [
            post_json(
                self.at(account, "/gettrackinfo"),
                [{"number": each.number} for each in part],
                _headers(account),
                part,
            )
            for part in parts(tracked, self.asks_numbers)
        ]

    def told(self, call: TrackerCall, reply: Reply) -> list[Fetched]:
        answer = required_answer(reply, _Answer)
        if answer.code != 0:
            raise UnexpectedAnswer(f"17TRACK answered with the code {answer.code}")
        return [_fetched(bytes(each)) for each in answer.data.accepted]

    def checking(self, account: Account) -> TrackerCall | None:
        return post_json(self.at(account, "/getquota"), [], _headers(account))


def _parcel(item: _Item) -> ToldParcel:
    info = item.track_info or _Info()
    tag = item.tag or ""
    named = tag.removeprefix(_TAG) if tag.startswith(_TAG) else ""
    to = info.shipping_info.recipient_address if info.shipping_info else None
    estimate = info.time_metrics.estimated_delivery_date if info.time_metrics else None
    # 17TRACK's own estimate is a figure of what parcels usually take; a carrier's is a promise.
    expected = first(estimate.to, estimate.from_) if estimate and estimate.source != "17TRACK" else ""
    return ToldParcel(
        carriers=[named, *_carriers(item, info)],
        number=item.number,
        scans=[_scan(event) for each in info.provided for event in each.events or ()],
        expected_by=latest(expected, country(to.country if to else "")),
        last_mile=_last_mile(item, info),
        state=_state(info),
    )


def _carriers(item: _Item, info: _Info) -> list[str]:
    providers = [each.provider for each in info.provided if each.provider is not None]
    names = {each.key: each.name or "" for each in providers}
    keys = [item.carrier or 0, *names]
    return [name for key in keys if (name := carriers.of_seventeentrack(key, names.get(key, "")))]


def _last_mile(item: _Item, info: _Info) -> tuple[str, str] | None:
    misc = info.misc_info
    if misc is None or not misc.local_number or _plain(misc.local_number) == _plain(item.number):
        return None
    carrier = carriers.of_seventeentrack(misc.local_key or 0, misc.local_provider or "")
    return (carrier, misc.local_number) if carrier else None


def _plain(number: str) -> str:
    return "".join(number.upper().split())


def _scan(event: _Event) -> Scan:
    code = first(event.sub_status, event.stage)
    at = event.address or _Address()
    place = Place(at.city or "", country(at.country), at.state or "")
    return Scan(event.told, meaning(WORDS, code), code, event.description or "", place)


def _state(info: _Info) -> Scan | None:
    """That a number expired is said of the whole, and by the time that 17TRACK last asked."""
    status = info.latest_status or _Status()
    if status.status != "Expired":
        return None
    asked = max((each.latest_sync_time or "" for each in info.provided), default="")
    return Scan(told(asked), SUSPECTED_LOST, first(status.sub_status, status.status))


def _received(topic: str, about: _About, content: bytes) -> Received:
    """It has no id of its own and no time of its own: what is the same by its content is the same."""
    tag = about.tag or ""
    named = tag.removeprefix(_TAG) if tag.startswith(_TAG) else ""
    carrier = named or carriers.of_seventeentrack(about.carrier or 0, "") or str(about.carrier or 0)
    return Received(topic, f"{carrier}/{about.number}", content=content)


# --- what is asked for ----------------------------------------------------------------------------


class _Error(msgspec.Struct):
    code: int = 0


class _Rejected(msgspec.Struct):
    number: str = ""
    error: _Error = msgspec.field(default_factory=_Error)


class _Data(msgspec.Struct):
    accepted: list[msgspec.Raw] = []
    rejected: list[_Rejected] = []


class _Answer(msgspec.Struct):
    code: int = 0
    data: _Data = msgspec.field(default_factory=_Data)


def _headers(account: Account) -> dict[str, str]:
    return {"17token": account.secret("api_key")}


def _registration(each: Tracked) -> dict[str, object]:
    found = carriers.known(each.carrier)
    key = {"carrier": found.seventeentrack} if found and found.seventeentrack else {"auto_detection": True}
    return {"number": each.number, "tag": _TAG + each.carrier, **key}


def _outcome(each: Tracked, error: _Error | None) -> Registration:
    if error is None or error.code == _ALREADY_REGISTERED:
        return Registration(each)
    return Registration(each, f"17TRACK does not take the number ({error.code})", later=error.code in _OF_QUOTA)


def _fetched(raw: bytes) -> Fetched:
    """An answer as the delivery that would have told it."""
    received = _received("TRACKING_ASKED", decoded(raw, _About), raw)
    return Fetched(received, b'{"event":"TRACKING_ASKED","data":' + raw + b"}")
