"""AfterShip: deliveries and answers, of the dated versions and of v4, which differ in the names of their fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from urllib.parse import quote

import msgspec

from adapters.edges.agreement import Account, Field
from adapters.edges.delivery import Delivery, MalformedDelivery, Received
from adapters.edges.http import Http, Reply
from adapters.edges.meaning import KnownNow, Understood
from adapters.edges.questions import Fetched, FetchedPage, Tracked
from adapters.edges.reading import decoded, door_decoded, first
from adapters.edges.signatures import base64_mac, require_any
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
    answer_of,
    answered,
    get,
    post_json,
    refused,
    required_answer,
    send,
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
    HELD_FOR_PAYMENT,
    IN_TRANSIT,
    LOST,
    OTHER,
    OUT_FOR_DELIVERY,
    REACHED,
    REFUSED,
    REGISTERED,
    RETURNED,
    RETURNING,
    SUSPECTED_LOST,
    Meaning,
    meaning,
)

_ALREADY_THERE = 4003
_PAGE = 100
_OVERLAP = timedelta(minutes=10)

WORDS: Mapping[str, Meaning] = {
    "Pending": REGISTERED,
    "InfoReceived": REGISTERED,
    "InTransit": IN_TRANSIT,
    "OutForDelivery": OUT_FOR_DELIVERY,
    "AttemptFail": ATTEMPT_FAILED,
    "AvailableForPickup": FOR_PICKUP,
    "Delivered": DELIVERED,
    "Expired": SUSPECTED_LOST,
    "InTransit_006": AT_CUSTOMS,
    "Delivered_002": REACHED,  # fetched by the customer
    "Delivered_003": REACHED,  # signed for by the customer
    "Delivered_004": REACHED,  # handed over for cash
    "Delivered_005": REACHED,  # to a neighbour
    "Exception_003": REFUSED,
    "Exception_004": HELD_FOR_PAPERS,
    "Exception_005": DELAYED,
    "Exception_006": HELD_FOR_PAYMENT,
    "Exception_007": ATTEMPT_FAILED,
    "Exception_008": ATTEMPT_FAILED,
    "Exception_009": RETURNING,
    "Exception_010": RETURNING,
    "Exception_011": RETURNED,
    "Exception_012": DAMAGED,
    "Exception_013": LOST,
    "Exception_016": DELAYED,
    "Exception_017": DELAYED,
    "Exception_018": HELD_FOR_PAPERS,
    "Exception_019": DELAYED,
    "Exception_020": OTHER,  # cancelled
    "Exception_021": DESTROYED,
}
"""By subtag, else by tag; "Exception" alone says nothing that we have a word for."""


class _Checkpoint(msgspec.Struct):
    checkpoint_time: str | None = None
    tag: str | None = None
    subtag: str | None = None
    message: str | None = None
    city: str | None = None
    state: str | None = None
    country_iso3: str | None = None
    country_region: str | None = None


class _Estimate(msgspec.Struct):
    estimated_delivery_date: str | None = None
    estimated_delivery_date_max: str | None = None
    datetime: str | None = None
    datetime_max: str | None = None

    @property
    def text(self) -> str:
        return first(self.estimated_delivery_date_max, self.datetime_max, self.estimated_delivery_date, self.datetime)


class _Leg(msgspec.Struct):
    tracking_number: str | None = None
    slug: str | None = None


class _Tracking(msgspec.Struct):
    tracking_number: str
    slug: str | None = None
    id: str | None = None
    tag: str | None = None
    subtag: str | None = None
    updated_at: str | None = None
    signed_by: str | None = None
    custom_fields: dict[str, str | None] | None = None
    destination_country_iso3: str | None = None
    destination_country_region: str | None = None
    courier_destination_country_iso3: str | None = None
    courier_destination_country_region: str | None = None
    expected_delivery: str | None = None
    courier_estimated_delivery: _Estimate | None = None
    latest_estimated_delivery: _Estimate | None = None
    last_mile: _Leg | None = None
    checkpoints: list[_Checkpoint] | None = None

    @property
    def carrier(self) -> str:
        return carriers.of_aftership(self.slug or "")


class _Event(msgspec.Struct):
    event: str
    msg: _Tracking
    event_id: str | None = None
    ts: int | None = None


class _About(msgspec.Struct):
    tracking_number: str
    slug: str | None = None
    updated_at: str | None = None


class _Seen(msgspec.Struct):
    """As much of an event as the door reads."""

    event: str
    msg: _About
    event_id: str | None = None
    ts: int | None = None


class AfterShip(Tracker):
    name = "aftership"
    what = "AfterShip: tracking of more than a thousand carriers"
    api = "https://api.aftership.com/tracking/2025-01"
    settings: ClassVar[Mapping[str, Field]] = {"carriers": CARRIERS, "api": API}
    secrets: ClassVar[Mapping[str, Field]] = {
        "webhook_secret": Field("the webhook secret, of Settings, Webhooks", required=True),
        "api_key": Field("the API key, to register numbers and to ask for them"),
    }
    calls_per_second = 10.0
    asks_numbers = 0  # it is asked for all that changed
    asks_every_seconds = 300.0

    def verify(self, delivery: Delivery, account: Account, now: datetime) -> Received | None:
        expected = (base64_mac(secret, delivery.raw) for secret in account.every("webhook_secret"))
        require_any(delivery.headers.get("aftership-hmac-sha256", ""), expected)
        seen = door_decoded(delivery.raw, _Seen)
        if not seen.msg.tracking_number:
            raise MalformedDelivery("msg.tracking_number: is empty")
        happened_at = instant_or_none(seen.msg.updated_at)
        if happened_at is None and seen.ts is not None and 0 < seen.ts < 1 << 32:
            happened_at = datetime.fromtimestamp(seen.ts, UTC)
        carrier = carriers.of_aftership(seen.msg.slug or "")
        return Received(seen.event, f"{carrier}/{seen.msg.tracking_number}", seen.event_id or "", happened_at)

    def understand(self, received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
        return understood([_parcel(decoded(raw, _Event).msg)], known)

    def registering(self, tracked: Sequence[Tracked], account: Account) -> list[TrackerCall]:
        return [
            post_json(
                self.at(account, "/trackings"),
                {
                    "tracking_number": each.number,
                    "slug": found.slug if (found := carriers.known(each.carrier)) else each.carrier,
                    # It comes back with every delivery, whatever AfterShip makes of the slug.
                    "custom_fields": {"carrier": each.carrier},
                },
                _headers(account),
                [each],
            )
            for each in tracked
        ]

    def registered(self, call: TrackerCall, reply: Reply) -> list[Registration]:
        answer = answer_of(reply, _Answer)
        if answered(reply) or (answer is not None and answer.meta.code == _ALREADY_THERE):
            return [Registration(each) for each in call.about]
        return refused(call, reply)

    def asking(self, tracked: Sequence[Tracked], account: Account) -> list[TrackerCall]:
        numbers = ((each, {"tracking_numbers": each.number, "limit": "5"}) for each in tracked)
        return [get(self.at(account, "/trackings"), query, _headers(account), [each]) for each, query in numbers]

    def told(self, call: TrackerCall, reply: Reply) -> list[Fetched]:
        return _fetched(_page(reply))

    def checking(self, account: Account) -> TrackerCall | None:
        return get(self.at(account, "/trackings"), {"limit": "1"}, _headers(account))

    async def changed_since(self, http: Http, account: Account, cursor: str) -> FetchedPage:
        return await _changed(http, account, self.at(account, "/trackings"), cursor)


def _parcel(tracking: _Tracking) -> ToldParcel:
    named = (tracking.custom_fields or {}).get("carrier") or ""
    at = country(
        first(
            tracking.destination_country_region,
            tracking.destination_country_iso3,
            tracking.courier_destination_country_region,
            tracking.courier_destination_country_iso3,
        )
    )
    estimates = [
        each.text for each in (tracking.courier_estimated_delivery, tracking.latest_estimated_delivery) if each
    ]
    last = tracking.last_mile
    return ToldParcel(
        carriers=[named, tracking.carrier],
        number=tracking.tracking_number,
        scans=[_scan(each) for each in tracking.checkpoints or ()],
        expected_by=latest(first(*estimates, tracking.expected_delivery), at),
        last_mile=(carriers.of_aftership(last.slug), last.tracking_number)
        if last and last.slug and last.tracking_number
        else None,
        signed_by=tracking.signed_by or "",
        state=_state(tracking),
    )


def _scan(each: _Checkpoint) -> Scan:
    place = Place(each.city or "", country(each.country_region or each.country_iso3), each.state or "")
    means = meaning(WORDS, each.subtag or "", each.tag or "")
    return Scan(told(each.checkpoint_time), means, first(each.subtag, each.tag), each.message or "", place)


def _state(tracking: _Tracking) -> Scan | None:
    """ "Expired" is said of the whole: that there was no scan for 30 days is no scan."""
    if tracking.tag != "Expired":
        return None
    return Scan(told(tracking.updated_at), SUSPECTED_LOST, first(tracking.subtag, tracking.tag))


# --- what is asked for ----------------------------------------------------------------------------


class _Meta(msgspec.Struct):
    code: int = 0


class _Answer(msgspec.Struct):
    meta: _Meta = msgspec.field(default_factory=_Meta)


class _Pagination(msgspec.Struct):
    has_next_page: bool = False
    next_cursor: str | None = None


class _Listed(msgspec.Struct):
    trackings: list[msgspec.Raw] = []
    tracking: msgspec.Raw = msgspec.Raw()
    pagination: _Pagination = msgspec.field(default_factory=_Pagination)


class _Listing(msgspec.Struct):
    data: _Listed


def _headers(account: Account) -> dict[str, str]:
    return {"as-api-key": account.secret("api_key")}


def _page(reply: Reply) -> _Listed:
    return required_answer(reply, _Listing).data


def _fetched(page: _Listed) -> list[Fetched]:
    """Each tracking as the event that would have told it."""
    found = (bytes(each) for each in (*page.trackings, page.tracking))
    return [_as_event(raw) for raw in found if raw]


def _as_event(raw: bytes) -> Fetched:
    about = decoded(raw, _About)
    carrier = carriers.of_aftership(about.slug or "")
    event = b'{"event":"tracking_asked","msg":' + raw + b"}"
    received = Received(
        "tracking_asked", f"{carrier}/{about.tracking_number}", "", instant_or_none(about.updated_at), content=raw
    )
    return Fetched(received, event)


async def _changed(http: Http, account: Account, url: str, cursor: str) -> FetchedPage:
    """The cursor: since when, the next page's, and the newest time of the pages before."""
    since, token, newest = [*cursor.split(" "), "", "", ""][:3]
    query = (
        f"limit={_PAGE}"
        + (f"&updated_at_min={quote(since)}" if since else "")
        + (f"&cursor={quote(token)}" if token else "")
    )
    page = _page(await send(http, TrackerCall("GET", f"{url}?{query}", _headers(account))))
    found = _fetched(page)
    times = [each.received.happened_at for each in found if each.received.happened_at is not None]
    newest = max([newest or since, *((at - _OVERLAP).isoformat() for at in times)])
    following = page.pagination.next_cursor if page.pagination.has_next_page else ""
    if following:
        return FetchedPage(tuple(found), f"{since} {following} {newest}")
    # A time to come is not gone on from: nothing would be found any more before it has come.
    return FetchedPage(tuple(found), min(newest, (datetime.now(UTC) - _OVERLAP).isoformat()), done=True)
