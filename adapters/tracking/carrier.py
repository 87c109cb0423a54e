"""Any carrier, supplier or tracker that speaks our format, JSON or CSV (docs/tracking.md).

Its words are ours, such as ``in_transit`` or ``customs_held``, so that nothing has to be translated.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import ClassVar

import msgspec

from adapters.edges.agreement import Account, Check, Field
from adapters.edges.delivery import Delivery, Received
from adapters.edges.http import Http, Reply
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood
from adapters.edges.questions import Fetched, Tracked
from adapters.edges.reading import decoded, door_decoded
from adapters.edges.signatures import require_standard_webhook, standard_problem
from adapters.tracking.countries import country
from adapters.tracking.moments import Place, instant_or_none, latest, told
from adapters.tracking.scans import Scan, ToldParcel, understood
from adapters.tracking.tracker import Tracker, TrackerCall
from adapters.tracking.words import HELD, HELD_FOR_PAPERS, HELD_FOR_PAYMENT, PROHIBITED, REACHED, Meaning, meaning
from fulfilment.v1 import parcels_pb2 as pb

_STATUS = "PARCEL_STATUS_"
_NOT_OF_SCANS = ("UNSPECIFIED", "VOID")
WORDS: Mapping[str, Meaning] = {
    **{
        name.removeprefix(_STATUS).lower(): Meaning(number)
        for name, number in pb.ParcelStatus.items()
        if name.removeprefix(_STATUS) not in _NOT_OF_SCANS
    },
    "customs_held": HELD,
    "customs_held/documents": HELD_FOR_PAPERS,
    "customs_held/payment": HELD_FOR_PAYMENT,
    "customs_held/prohibited": PROHIBITED,
}
_MOST_ROWS = 100_000
_TEXTS = (
    *("at", "status", "code", "text", "city", "region", "country"),
    *("customs_asks", "customs_answer_by", "pickup_until"),
)
_OF_WHOLE = (
    *("tracking_number", "carrier", "expected_by"),
    *("last_mile_carrier", "last_mile_tracking_number", "signed_by"),
)
_COLUMNS = frozenset({*_TEXTS, *_OF_WHOLE, "reached_customer"})
_REQUIRED = frozenset({"tracking_number", "at", "status"})


class _Scan(msgspec.Struct):
    at: str
    status: str
    code: str = ""
    text: str = ""
    city: str = ""
    region: str = ""
    country: str = ""
    customs_asks: str = ""
    customs_answer_by: str = ""
    pickup_until: str = ""
    reached_customer: bool = False


class _Parcel(msgspec.Struct):
    tracking_number: str
    carrier: str = ""
    expected_by: str = ""
    destination_country: str = ""
    last_mile_carrier: str = ""
    last_mile_tracking_number: str = ""
    signed_by: str = ""
    scans: list[_Scan] = []


class _File(msgspec.Struct):
    parcels: list[_Parcel]


class _About(msgspec.Struct):
    tracking_number: str
    carrier: str = ""


class _Seen(msgspec.Struct):
    parcels: list[_About]


class AnyCarrier(Tracker):
    name = "carrier"
    what = "any carrier that sends our own format, JSON or CSV"
    settings: ClassVar[Mapping[str, Field]] = {"carrier": Field("the carrier's name, where its data does not name it")}
    secrets: ClassVar[Mapping[str, Field]] = {
        "secret": Field("the secret that its deliveries are signed with, such as whsec_...", required=True)
    }
    asks_numbers = 0  # it tells, and neither is told nor asked
    effects = frozenset()

    def verify(self, delivery: Delivery, account: Account, now: datetime) -> Received | None:
        message_id = require_standard_webhook(delivery, account.every("secret"), now)
        return Received("scans", _object(delivery.raw, account), message_id, one_content=True)

    async def check(self, http: Http, account: Account) -> list[Check]:
        """Nobody is called: whether what it signs with can be used at all."""
        return [Check("its secret", standard_problem(account.secret("secret")))]

    def knows(self, carrier: str) -> bool:
        return False  # nothing is told it: it tells us

    def understand(self, received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
        parcels = decoded(raw, _File).parcels if _is_json(raw) else list(_rows(raw))
        if not parcels:
            return Understood(ignored="it tells of no parcel")
        return understood([_parcel(each, account) for each in parcels], known)

    def asking(self, tracked: Sequence[Tracked], account: Account) -> list[TrackerCall]:
        return []

    def told(self, call: TrackerCall, reply: Reply) -> list[Fetched]:
        return []


def _is_json(raw: bytes) -> bool:
    return raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"


def _object(raw: bytes, account: Account) -> str:
    """The parcel, if it is about one; what is about many is worked on in the order in which it came."""
    if not _is_json(raw):
        return "many"
    parcels = door_decoded(raw, _Seen).parcels
    if len(parcels) != 1:
        return "many"
    return f"{parcels[0].carrier or account.settings.get('carrier', '')}/{parcels[0].tracking_number}"


def _parcel(each: _Parcel, account: Account) -> ToldParcel:
    last = (each.last_mile_carrier, each.last_mile_tracking_number)
    if any(last) and not all(last):
        raise NotUnderstood("last_mile_carrier: needs last_mile_tracking_number, and it needs that")
    return ToldParcel(
        carriers=[each.carrier or account.settings.get("carrier", "")],
        number=each.tracking_number,
        scans=[_scan(scan) for scan in each.scans],
        expected_by=latest(each.expected_by, country(each.destination_country)),
        last_mile=last if all(last) else None,
        signed_by=each.signed_by,
    )


def _scan(each: _Scan) -> Scan:
    at = told(each.at)
    if at is None:
        raise NotUnderstood("at: no time in ISO 8601, or of a year that no parcel is of")
    status, asks = each.status.strip().lower(), each.customs_asks.strip().lower()
    means = meaning(WORDS, f"{status}/{asks}" if asks else status)
    if each.reached_customer and means.status == pb.PARCEL_STATUS_DELIVERED:
        means = REACHED
    return Scan(
        at,
        means,
        each.code or ("" if means.known else each.status),
        each.text,
        Place(each.city, country(each.country), each.region),
        customs_answer_by=instant_or_none(each.customs_answer_by),
        pickup_until=instant_or_none(each.pickup_until),
    )


# --- CSV ------------------------------------------------------------------------------------------


def _rows(raw: bytes) -> Iterator[_Parcel]:
    """The rows of one parcel are one parcel, wherever they stand in the file."""
    try:
        reader = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True)
        _require_columns(reader.fieldnames or ())
        rows = [row for row in reader if any(row.values())]
    except UnicodeDecodeError:
        raise NotUnderstood("it is no UTF-8") from None
    except csv.Error:
        raise NotUnderstood("it is no CSV with commas and double quotes") from None
    if len(rows) > _MOST_ROWS:
        raise NotUnderstood(f"more than {_MOST_ROWS} rows")
    if odd := next((index for index, row in enumerate(rows, 2) if None in row or None in row.values()), None):
        raise NotUnderstood(f"row {odd}: not as many fields as the header")
    for _, group in groupby(sorted(rows, key=_of_parcel), _of_parcel):
        yield _of_rows(list(group))


def _require_columns(names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise NotUnderstood("the header names a column twice")
    if missing := _REQUIRED - set(names):
        raise NotUnderstood(f"the header lacks {', '.join(sorted(missing))}")
    if set(names) - _COLUMNS:
        raise NotUnderstood(f"the header has columns that are not known; known are {', '.join(sorted(_COLUMNS))}")


def _of_parcel(row: Mapping[str, str]) -> tuple[str, str]:
    return row.get("carrier", ""), row["tracking_number"]


def _of_rows(rows: Sequence[Mapping[str, str]]) -> _Parcel:
    last = rows[-1]
    scans = [
        _Scan(**{name: row.get(name, "") for name in _TEXTS}, reached_customer=_is_yes(row.get("reached_customer", "")))
        for row in rows
    ]
    whole = {name: last.get(name, "") for name in _OF_WHOLE}
    return _Parcel(**whole, destination_country=last.get("country", ""), scans=scans)


def _is_yes(text: str) -> bool:
    return text.strip().lower() in ("true", "yes", "1")
