"""ParcelService's reads."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.parcels import shows
from adapters.rpc.sealing import PersonalQueries
from fulfilment.v1 import parcels_pb2 as pb
from ledger.engine.sealing import placed
from ledger.facts import Sealed
from ledger.nouns import parcels
from ledger.nouns.parcels import Parcel


class ParcelQueries(PersonalQueries):
    """ParcelService's reads."""

    async def GetParcel(self, request: pb.GetParcelRequest, call: Call) -> pb.GetParcelResponse:
        carrier, number = shapes.parcel(request)
        tenant, stream = await self.tenant(call), parcels.stream(carrier, number)
        entry, position = await self.entry(tenant, stream, request.at_least)
        state = parcels.known(entry.state, carrier, number)
        if (first := parcels.first_mile_of(state)) is not None:
            entry, position = await self.entry(tenant, parcels.stream(*first[:2]), position)
            state = next(use for use in parcels.uses(entry.state) if use.epoch == first[2])
        unsealed = await self.unsealed(tenant, call, stream, *_sealed(state)) if request.with_personal_data else {}
        return pb.GetParcelResponse(parcel=shows.parcel(state, entry.version, unsealed), position=position)


def _sealed(state: Parcel) -> Iterator[tuple[Sealed | None, str]]:
    """What is sealed of a parcel, each with the stream of the number that it was told under."""
    for scan in state.checkpoints:
        yield scan.message, placed(parcels.stream(*(scan.told_under or (state.carrier, state.number))), "message")
    for proof in state.proofs:
        yield proof.signed_by, placed(parcels.stream(proof.carrier, proof.number), "signed_by")
