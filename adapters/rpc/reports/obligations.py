"""What is due, and what was missed."""

from __future__ import annotations

from adapters.rpc import shapes, shows
from adapters.rpc.calls import Call
from adapters.rpc.listing import due_until, listed, page
from adapters.rpc.queries import Queries
from adapters.rpc.shapes import optional, optional_enum, plain_id
from adapters.rpc.shows import number_of, stamp
from adapters.rpc.windows import asked_window
from fulfilment.v1 import obligations_pb2 as pb
from ledger.terms.clocks import Clock, ClockState
from projections import obligations

_clock = number_of(pb.ObligationClock)
_state = number_of(pb.ObligationState)
_read_clock = shapes.enum(pb.ObligationClock, Clock)
_read_state = shapes.enum(pb.ObligationState, ClockState, unspecified=ClockState.OPEN)


class ObligationQueries(Queries):
    async def ListObligations(self, request: pb.ListObligationsRequest, call: Call) -> pb.ListObligationsResponse:
        now = call.now
        within, window = due_until(request, now), asked_window(request, None, now=now)
        if within is not None:
            window = window._replace(until=min(within, window.until or within))
        answer = await obligations.list_obligations(
            await self.where(request, call),
            page(request),
            (_read_state(request.state, "state"),),
            optional(plain_id, request.supplier_id, "supplier_id"),
            optional_enum(_read_clock, request.clock, "clock"),
            window.since,
            window.until,
            optional_enum(shapes.party, request.owner, "owner"),
        )
        return listed(pb.ListObligationsResponse, "obligations", answer, _obligation, window)

    async def ListBreaches(self, request: pb.ListBreachesRequest, call: Call) -> pb.ListBreachesResponse:
        window = asked_window(request, ("due_since", "due_until"), now=call.now)
        answer = await obligations.list_breaches(
            await self.where(request, call),
            page(request),
            window.since,
            window.until,
            optional(plain_id, request.supplier_id, "supplier_id"),
            optional_enum(_read_clock, request.clock, "clock"),
            optional_enum(shapes.party, request.owner, "owner"),
        )
        return listed(pb.ListBreachesResponse, "breaches", answer, _obligation, window)

    async def CountObligations(self, request: pb.CountObligationsRequest, call: Call) -> pb.CountObligationsResponse:
        window = asked_window(request, None, now=call.now)
        answer = await obligations.count_obligations(
            await self.where(request, call),
            page(request),
            optional(plain_id, request.supplier_id, "supplier_id"),
            window.since,
            window.until,
        )
        return listed(pb.CountObligationsResponse, "counts", answer, _count, window)


def _obligation(each: obligations.Obligation) -> pb.Obligation:
    return pb.Obligation(
        object_id=each.object_id,
        clock=_clock(each.clock),
        supplier_id=each.supplier_id,
        due=stamp(each.due),
        state=_state(each.state),
        met_at=stamp(each.met_at),
        stopped_since=stamp(each.stopped_since),
        missed_at=stamp(each.missed_at),
        withdrawn_at=stamp(each.withdrawn_at),
        owner=shows.party(each.owner),
        time_zone=each.time_zone,
        stream=each.stream,
    )


def _count(each: obligations.Counts) -> pb.ObligationCount:
    return pb.ObligationCount(**{**each._asdict(), "clock": _clock(each.clock)})
