"""ParcelService's reads."""

from __future__ import annotations

from adapters.rpc import shapes
from adapters.rpc.parcels import shows
from adapters.rpc.queries import Context
from adapters.rpc.sealing import PersonalQueries
from fulfilment.v1 import parcels_pb2 as pb
from ledger.nouns import parcels


class ParcelQueries(PersonalQueries):
    """ParcelService's reads."""

    async def GetParcel(self, request: pb.GetParcelRequest, context: Context) -> pb.GetParcelResponse:
        carrier, number = shapes.parcel(request)
        tenant, stream = await self.tenant(context), parcels.stream(carrier, number)
        entry, position = await self.entry(tenant, stream, request.at_least)
        state = parcels.known(entry.state, carrier, number)
        sealed = [*(scan.message for scan in state.checkpoints), *(proof.signed_by for proof in state.proofs)]
        unsealed = (
            await self.unsealed(tenant, *((each, stream) for each in sealed)) if request.with_personal_data else {}
        )
        return pb.GetParcelResponse(parcel=shows.parcel(state, entry.version, unsealed), position=position)
