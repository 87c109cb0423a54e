"""How well shipping services clear goods through customs."""

from __future__ import annotations

from adapters.rpc.calls import Call
from adapters.rpc.queries import Queries
from fulfilment.v1 import shipping_pb2 as pb
from projections import clearing


class ClearingQueries(Queries):
    async def GetServiceClearing(
        self, request: pb.GetServiceClearingRequest, call: Call
    ) -> pb.GetServiceClearingResponse:
        answer = await clearing.by_service(await self.where(request, call))
        return pb.GetServiceClearingResponse(services=map(_service, answer.rows), position=answer.position)


def _service(each: clearing.ServiceClearing) -> pb.ServiceClearing:
    return pb.ServiceClearing(
        service=each.service, parcels=each.parcels, held=each.held, held_basis_points=each.held_basis_points
    )
