"""From what a tracker tells of a parcel to commands: what the ledger has already is left out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo

import msgspec
from google.protobuf.message import Message

from adapters.edges.meaning import KnownNow, NotUnderstood, Understood, WantedCommand
from adapters.edges.reading import stamp
from adapters.tracking.moments import Moment, Place, ToldTime, moment, offsets
from adapters.tracking.words import Meaning, ends_a_journey
from fulfilment.v1 import parcels_pb2
from ledger.facts import is_plain_id
from ledger.terms.carriers import carrier_name
from ledger.terms.tracking_numbers import compact

_MOST_SCANS = 200
"""In one command; a longer history is several."""
_MOST_IN_ALL = 5000
_LONGEST_TEXT = 1000
_ZONE_UNKNOWN = "[local time, zone not told] "


class Scan(msgspec.Struct, frozen=True):
    """One scan, as a tracker told it."""

    told: ToldTime | None
    """None where it told no time that can be: such a scan cannot be recorded."""
    means: Meaning
    code: str = ""
    """The word as it came; holds no free text, which may name people."""
    text: str = ""
    place: Place = Place()
    vague: bool = False
    """Whether it has no word of its own: whatever the ledger has of the same time is the same scan."""
    customs_answer_by: datetime | None = None
    pickup_until: datetime | None = None


class ToldParcel(msgspec.Struct, frozen=True):
    """What a tracker tells of one parcel."""

    carriers: Sequence[str]
    """Who has it, the likeliest name first: the one under which the ledger knows the number counts."""
    number: str
    scans: Sequence[Scan]
    expected_by: datetime | None = None
    last_mile: tuple[str, str] | None = None
    """The carrier and number that it goes on under."""
    signed_by: str = ""
    state: Scan | None = None
    """What is said of the parcel as a whole, where no scan says the same, such as that nobody has seen it for long."""


def understood(parcels: Iterable[ToldParcel], known: KnownNow) -> Understood:
    """Commands for each parcel, those first whose number the ledger knows.

    Where it knows none of them, all wait. Among others a number that nobody told yet is asked for at last: the refusal
    lets what is told wait, and then the others have nothing new.
    """
    wanted: list[WantedCommand] = []
    unknown: list[tuple[ToldParcel, str, str]] = []
    words: set[str] = set()
    told_nothing = ""
    for parcel in parcels:
        words |= {shortened(each.code) for each in parcel.scans if not each.means.known}
        number = tracking_number(parcel.number)
        names = list(dict.fromkeys(map(_carrier, filter(None, parcel.carriers))))
        if not names:
            raise NotUnderstood("carrier: is not told")
        found = next(((each, now) for each in names if (now := known.parcel(each, number)) is not None), None)
        if found is None:
            unknown.append((parcel, names[0], number))
            continue
        wanted += _commands(parcel, found[0], number, found[1])
        told_nothing = told_nothing or ("nothing new" if parcel.scans else "no scans yet")
    if unknown and not wanted:
        return Understood(
            early="nobody told of parcel " + ", ".join(f"{name} {number}" for _, name, number in unknown[:5])
        )
    for parcel, name, number in unknown:
        wanted += _commands(parcel, name, number, parcels_pb2.Parcel(carrier=name, tracking_number=number))
    news = {scan.code for each in wanted for scan in getattr(each.request, "checkpoints", ())}
    return Understood(
        tuple(wanted),
        ignored="" if wanted else told_nothing or "it tells of no parcel",
        unknown_words=tuple(sorted(words & news)),
    )


def tracking_number(text: str) -> str:
    """In capitals and without spaces and dashes; raises NotUnderstood for what can be no number."""
    number = compact(text)
    if not is_plain_id(number):
        raise NotUnderstood("tracking_number: is none: 1 to 100 letters, digits and ._:#+-")
    return number


def _carrier(name: str) -> str:
    found = carrier_name(name)
    if not is_plain_id(found):
        raise NotUnderstood("carrier: is no name that a carrier can have")
    return found


def _commands(parcel: ToldParcel, carrier: str, number: str, now: parcels_pb2.Parcel) -> Iterator[WantedCommand]:
    about = f"{carrier}/{number}"
    checkpoints = _new(parcel, now)
    for start in range(0, len(checkpoints), _MOST_SCANS):
        part = checkpoints[start : start + _MOST_SCANS]
        scans = parcels_pb2.RecordCheckpointsRequest(carrier=carrier, tracking_number=number, checkpoints=part)
        yield WantedCommand(scans, about, _version(scans))
    if parcel.last_mile is not None:
        yield from _hand_over(parcel.last_mile, carrier, number, now)
    arrived = now.HasField("delivered_at") or any(ends_a_journey(each.status) for each in checkpoints)
    signed_by = shortened("".join(filter(str.isprintable, parcel.signed_by)))
    if signed_by and arrived and not now.proven:
        proof = parcels_pb2.ProveDeliveryRequest(carrier=carrier, tracking_number=number, signed_by=signed_by)
        yield WantedCommand(proof, f"{about}/proof", _version(proof), fine=frozenset({"NOT_DELIVERED"}))


def _hand_over(last: tuple[str, str], carrier: str, number: str, now: parcels_pb2.Parcel) -> Iterator[WantedCommand]:
    name, its = _carrier(last[0]), tracking_number(last[1])
    of_it = {(carrier, number), (now.carrier, now.tracking_number)}
    if (name, its) in of_it | {(each.carrier, each.tracking_number) for each in now.last_miles}:
        return
    request = parcels_pb2.HandOverParcelRequest(
        carrier=carrier, tracking_number=number, last_mile_carrier=name, last_mile_tracking_number=its
    )
    yield WantedCommand(request, f"{carrier}/{number}/last_mile", _version(request), fine=frozenset({"PARCEL_IS_VOID"}))


def _new(parcel: ToldParcel, now: parcels_pb2.Parcel) -> list[parcels_pb2.Checkpoint]:
    """The scans that the ledger does not have, by their time; the newest of all tells an estimate that is new."""
    if len(parcel.scans) > _MOST_IN_ALL:
        raise NotUnderstood(f"scans: more than {_MOST_IN_ALL} of one parcel")
    at_places = offsets((each.told, each.place) for each in parcel.scans)
    has = {_key(each) for each in now.checkpoints}
    times = {_time(each) for each in now.checkpoints}
    told = {
        _key(scan): scan
        for each in parcel.scans
        if (scan := _checkpoint(each, at_places)) is not None and not (each.vague and _time(scan) in times)
    }
    checkpoints = sorted(told.values(), key=_time)
    checkpoints += _state(parcel, at_places, checkpoints, now)
    fresh = [each for each in checkpoints if _key(each) not in has]
    if parcel.expected_by is None or not checkpoints or now.HasField("delivered_at"):
        return fresh
    newest, estimate = checkpoints[-1], stamp(parcel.expected_by)
    if newest.status == parcels_pb2.PARCEL_STATUS_DELIVERED or now.estimated_by == estimate:
        return fresh
    newest.expected_by.CopyFrom(estimate)
    return fresh if newest in fresh else [*fresh, newest]


def _state(
    parcel: ToldParcel,
    at_places: dict[Place, tzinfo],
    checkpoints: Sequence[parcels_pb2.Checkpoint],
    now: parcels_pb2.Parcel,
) -> list[parcels_pb2.Checkpoint]:
    """What is said of the parcel as a whole, unless a scan says it, or the newest that the ledger has."""
    if parcel.state is None or any(each.code == parcel.state.code for each in checkpoints):
        return []
    own = [each for each in now.checkpoints if not each.of_earlier_use]
    if own and own[-1].code == parcel.state.code:
        return []
    found = _checkpoint(parcel.state, {})
    return [found] if found is not None else []


def _checkpoint(scan: Scan, at_places: dict[Place, tzinfo]) -> parcels_pb2.Checkpoint | None:
    if scan.told is None:
        return None
    when: Moment = moment(scan.told, scan.place, at_places, at_end=ends_a_journey(scan.means.status))
    answer = parcels_pb2.Checkpoint(
        at=stamp(when.at),
        status=scan.means.status,
        code=shortened(scan.code),
        city=shortened(scan.place.city),
        country=scan.place.country,
        message=shortened(scan.text if when.certain else _ZONE_UNKNOWN + scan.text),
        customs_asks=scan.means.asks,
        reached_customer=scan.means.reached_customer,
    )
    if scan.customs_answer_by is not None and scan.means.asks:
        answer.customs_answer_by.CopyFrom(stamp(scan.customs_answer_by))
    if scan.pickup_until is not None and scan.means.status in _WAITING:
        answer.pickup_until.CopyFrom(stamp(scan.pickup_until))
    return answer


_WAITING = (parcels_pb2.PARCEL_STATUS_AVAILABLE_FOR_PICKUP, parcels_pb2.PARCEL_STATUS_ATTEMPT_FAILED)


def _time(scan: parcels_pb2.Checkpoint) -> tuple[int, int]:
    return scan.at.seconds, scan.at.nanos


def _key(scan: parcels_pb2.Checkpoint) -> tuple[object, ...]:
    """What makes a scan the same again: not its texts, which are sealed, nor an estimate, which changes."""
    return (*_time(scan), scan.status, scan.code, scan.country, scan.reached_customer)


def _version(request: Message) -> str:
    """Of the content, so that the same is the same request and other content is another one."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()[:20]


def shortened(text: str) -> str:
    """As much of a text as the contract takes."""
    text = text.strip()
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
