"""All clocks, and how long each runs by the terms in force."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.rpc import shapes, shows
from adapters.rpc.calendars import show_working_time
from adapters.rpc.calls import Call
from adapters.rpc.queries import Queries
from adapters.rpc.shapes import optional, plain_id
from adapters.rpc.shows import number_of
from fulfilment.v1 import common_pb2
from fulfilment.v1 import obligations_pb2 as pb
from ledger.nouns import policies, suppliers
from ledger.nouns.policies import Policy, policy_at
from ledger.nouns.suppliers import Agreement
from ledger.terms.clocks import CLOCKS, Clock

_clock = number_of(pb.ObligationClock)


class ClockQueries(Queries):
    async def ListClocks(self, request: pb.ListClocksRequest, call: Call) -> pb.ListClocksResponse:
        at = shapes.instant(request, "at") or call.now
        supplier_id = optional(plain_id, request.supplier_id, "supplier_id")
        streams = [policies.stream(), *([suppliers.stream(supplier_id)] if supplier_id else [])]
        (agreed, *named), position = await self.entries(await self.tenant(call), streams, request.at_least)
        agreement = suppliers.known(named[0].state, supplier_id).agreement_at(at) if named else None
        policy = policy_at(agreed.state, at)
        return pb.ListClocksResponse(clocks=[_told(each, policy, agreement) for each in CLOCKS], position=position)


def _told(clock: Clock, policy: Policy, agreement: Agreement | None) -> pb.ClockInForce:
    told = CLOCKS[clock]
    return pb.ClockInForce(
        clock=_clock(clock),
        owner=shows.party(clock.owner) if clock.owner is not None else common_pb2.PARTY_UNSPECIFIED,
        what=told.what,
        starts=told.starts,
        ends=told.ends,
        stops=told.stops,
        usual=told.usual,
        terms=[shown for name in told.terms for shown in _terms(name, policy, agreement)],
    )


def _terms(name: str, policy: Policy, agreement: Agreement | None) -> Iterator[pb.ClockTerm]:
    whose, _, term = name.partition(".")
    if term == "claim_terms":
        for carrier in ("", *sorted({each.carrier for each in policy.claim_terms if each.carrier})):
            agreed = policy.claim_terms_of(carrier)
            yield pb.ClockTerm(name=f"{name}.loss_filing_days", days=agreed.loss_filing_days, carrier=carrier)
            yield pb.ClockTerm(name=f"{name}.damage_filing_days", days=agreed.damage_filing_days, carrier=carrier)
        return
    terms = policy if whose == "policy" else agreement
    working = terms.working if terms is not None else None
    if working is not None and (length := working.terms.get(term)) is not None:
        yield pb.ClockTerm(name=name, working_time=show_working_time(length), time_zone=working.calendar.time_zone)
    elif (hours := getattr(terms, f"{term}_hours", None)) is not None:
        yield pb.ClockTerm(name=name, hours=hours)
    else:
        yield pb.ClockTerm(name=name)
