"""Real payloads of trackers, and what of the ledger their translation is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from adapters.edges.agreement import Account
from adapters.edges.delivery import Received
from adapters.edges.http import Reply
from adapters.edges.meaning import KnownNow, Understood
from adapters.edges.systems import SYSTEMS
from adapters.tracking.tracker import Tracker, TrackerCall
from fulfilment.v1 import parcels_pb2 as pb

VENDORS = Path(__file__).parents[3] / "shared" / "data" / "vendors"


class EveryParcel(KnownNow):
    """A ledger that was told of every number, and of none of its scans."""

    def __init__(self) -> None:
        super().__init__({}, complete=True)

    def parcel(self, carrier: str, tracking_number: str) -> pb.Parcel | None:
        return pb.Parcel(carrier=carrier, tracking_number=tracking_number)


def account(**secrets: str) -> Account:
    return Account("main", {}, (secrets,))


def account_with(settings: Mapping[str, str]) -> Account:
    return Account("main", settings, ({},))


def tracker(name: str) -> Tracker:
    found = SYSTEMS[name]
    assert isinstance(found, Tracker)
    return found


def understood(
    name: str, raw: bytes, known: KnownNow | None = None, settings: Mapping[str, str] | None = None
) -> Understood:
    return SYSTEMS[name].understand(Received("told", "it"), raw, account_with(settings or {}), known or EveryParcel())


def scans(found: Understood) -> list[pb.Checkpoint]:
    requests = (each.request for each in found.wanted)
    return [scan for each in requests if isinstance(each, pb.RecordCheckpointsRequest) for scan in each.checkpoints]


def status(scan: pb.Checkpoint) -> str:
    return pb.ParcelStatus.Name(scan.status).removeprefix("PARCEL_STATUS_").lower()


def in_short(found: Understood) -> Iterator[str]:
    """What became of a payload, as the tables of the tests say it."""
    for each in found.wanted:
        request = each.request
        if isinstance(request, pb.RecordCheckpointsRequest):
            newest = request.checkpoints[-1]
            estimate = f", expected {newest.expected_by.ToJsonString()}" if newest.HasField("expected_by") else ""
            count = len(request.checkpoints)
            yield f"{count} of {request.carrier} {request.tracking_number}, at last {status(newest)}{estimate}"
        else:
            yield f"{type(request).__name__} {each.object_id}"
    if found.ignored or found.early:
        yield found.ignored or found.early


def told(name: str, body: bytes) -> list[bytes]:
    """The deliveries that an answer of a system is worth."""
    return [
        each.raw for each in tracker(name).told(TrackerCall("GET", "https://example.com", {}), Reply(200, {}, body))
    ]
