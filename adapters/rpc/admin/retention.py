"""AdminService.GetRetention, and the periods of the policy: how long each kind of personal data stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from adapters.rpc import shapes
from adapters.rpc.admin import shows
from adapters.rpc.calls import Call
from adapters.rpc.faults import require
from adapters.rpc.listing import page
from adapters.rpc.queries import Queries, where
from adapters.rpc.shapes import count
from adapters.rpc.shows import number_of, stamp
from fulfilment.v1 import people_pb2 as pb
from ledger.nouns import policies
from ledger.nouns.policies import policy_at
from ledger.terms.retention import PersonalKind, Retention
from projections import retention
from projections.retention import DueData, Forecast

MOST_DAYS = 36_500
_MOST_CHANNELS = 200
_LATELY = timedelta(days=30)
_DAYS = [f"{kind.value}_days" for kind in PersonalKind]

_kind = number_of(pb.PersonalKind)


def read_retention(given: Sequence[pb.Retention]) -> tuple[Retention, ...]:
    field = "policy.retention"
    require(len(given) <= _MOST_CHANNELS, field, f"{len(given)} channels, {_MOST_CHANNELS} at most")
    periods = tuple(_periods(each, f"{field}[{index}]") for index, each in enumerate(given))
    require(len({each.channel for each in periods}) == len(periods), field, "two are of the same channel")
    return periods


def _periods(given: pb.Retention, field: str) -> Retention:
    days = {name: count(getattr(given, name), f"{field}.{name}", most=MOST_DAYS) for name in _DAYS}
    channel = shapes.optional(shapes.plain_id, given.channel, f"{field}.channel")
    return Retention(channel, from_shipment=given.from_shipment, **days)


class RetentionQueries(Queries):
    """What is kept for how long, and what goes when."""

    async def GetRetention(self, request: pb.GetRetentionRequest, call: Call) -> pb.GetRetentionResponse:
        now, days = datetime.now(UTC), count(request.within_days, "within_days", most=MOST_DAYS)
        tenant, wanted = await self.tenant(call), page(request)
        entry, _ = await self.entry(tenant, policies.stream())
        policy = policy_at(entry.state, now)
        asked = where(self.tenants, tenant, request, call.deadline)
        answer = await retention.forecast(asked, policy, now, now + timedelta(days=days), now - _LATELY, wanted)
        (found,) = answer.rows
        return pb.GetRetentionResponse(
            retention=map(shows.retention, policy.retention),
            supplier_days=policy.supplier_days,
            counts=_counts(found),
            due=map(_due, found.due),
            held=map(_due, found.held),
            next_page_token=answer.next_page_token,
            position=answer.position,
        )


def _counts(found: Forecast) -> list[pb.RetentionCount]:
    counts: dict[int, pb.RetentionCount] = {}
    for each in found.counts:
        kind = _number(retention.kind_of(each.stays_as))
        known = counts.setdefault(kind, pb.RetentionCount(kind=kind))
        known.due_now += each.due_now
        known.due_within += each.due_by_then
    for gone, times in found.lately.items():
        kind = _kind(PersonalKind(gone))
        counts.setdefault(kind, pb.RetentionCount(kind=kind)).gone_lately = times
    return [counts[kind] for kind in sorted(counts)]


def _due(found: DueData) -> pb.DueData:
    return pb.DueData(
        object_id=found.object_id,
        kind=_number(found.kind),
        due=stamp(found.due),
        held_until=stamp(found.held_until),
    )


def _number(kind: PersonalKind | None) -> pb.PersonalKind.ValueType:
    return pb.PERSONAL_KIND_SUPPLIER if kind is None else _kind(kind)
