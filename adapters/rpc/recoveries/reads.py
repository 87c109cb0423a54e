"""RecoveryService's reads: one recovery from the log, lists from the read model."""

from __future__ import annotations

from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.listing import any_of, due_until, listed, page
from adapters.rpc.recoveries import shows
from adapters.rpc.sealing import PersonalQueries
from adapters.rpc.shapes import carrier, optional, plain_id
from fulfilment.v1 import recoveries_pb2 as pb
from ledger.nouns import recoveries
from ledger.nouns.recoveries import RecoveryKind
from ledger.terms.parties import Party
from projections.recoveries import RecoveryFilter, list_recoveries

_read_status = shapes.enum(pb.RecoveryStatus, recoveries.RecoveryStatus)


class RecoveryQueries(PersonalQueries):
    """RecoveryService but for its commands."""

    async def GetRecovery(self, request: pb.GetRecoveryRequest, call: Call) -> pb.GetRecoveryResponse:
        recovery_id = shapes.recovery_id(request.recovery_id)
        tenant, stream = await self.tenant(call), recoveries.stream(recovery_id)
        entry, position = await self.entry(tenant, stream, request.at_least)
        state = recoveries.known(entry.state, recovery_id)
        because = await self.text_of(tenant, call, state.because, stream, request.with_personal_data)
        recovery = shows.recovery(state, entry.version, because)
        return pb.GetRecoveryResponse(recovery=recovery, position=position)

    async def ListRecoveries(self, request: pb.ListRecoveriesRequest, call: Call) -> pb.ListRecoveriesResponse:
        about, wanted = _about(request, call), page(request)
        answer = await list_recoveries(await self.where(request, call), wanted, about)
        return listed(pb.ListRecoveriesResponse, "recoveries", answer, shows.row)


def _about(request: pb.ListRecoveriesRequest, call: Call) -> RecoveryFilter:
    return RecoveryFilter(
        kinds=_kinds(request.party) if request.party else (),
        statuses=tuple(any_of(_read_status, request.statuses, "statuses")),
        supplier_id=optional(plain_id, request.supplier_id, "supplier_id"),
        carrier=optional(carrier, request.carrier, "carrier"),
        order_id=optional(shapes.order_id, request.order_id, "order_id"),
        case_id=optional(plain_id, request.case_id, "case_id"),
        due_until=due_until(request, call.now),
    )


def _kinds(number: int) -> tuple[RecoveryKind, ...]:
    party = shapes.party(number, "party", Party.SUPPLIER, Party.CARRIER, Party.CUSTOMER)
    return tuple(kind for kind in RecoveryKind if kind.party is party)
