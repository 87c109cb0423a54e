"""How much there was in all."""

from __future__ import annotations

from adapters.rpc.calls import Call
from adapters.rpc.listing import listed, page
from adapters.rpc.queries import Queries
from adapters.rpc.shapes import optional, plain_id
from adapters.rpc.windows import asked_window
from fulfilment.v1 import common_pb2
from fulfilment.v1 import totals_pb2 as pb
from projections.supplier_performance import totals


class TotalQueries(Queries):
    async def GetSummary(self, request: pb.GetSummaryRequest, call: Call) -> pb.GetSummaryResponse:
        channel, window = optional(plain_id, request.channel, "channel"), asked_window(request, None, now=call.now)
        answer = await totals.summary(await self.where(request, call), channel, window[:2])
        figures = answer.rows[0]._asdict()
        amounts = figures.pop("gmv_minor").items()
        gmv = [common_pb2.Money(amount_minor=amount, currency=currency) for currency, amount in amounts]
        return pb.GetSummaryResponse(
            **figures, gmv=gmv, position=answer.position, window=window.answered(answer.extent)
        )

    async def ListSupplierTotals(
        self, request: pb.ListSupplierTotalsRequest, call: Call
    ) -> pb.ListSupplierTotalsResponse:
        place = await self.where(request, call)
        channel, window = optional(plain_id, request.channel, "channel"), asked_window(request, None, now=call.now)
        answer = await totals.list_supplier_totals(place, page(request), channel, window[:2])
        return listed(pb.ListSupplierTotalsResponse, "totals", answer, _total, window)


def _total(each: totals.SupplierTotal) -> pb.SupplierTotal:
    return pb.SupplierTotal(**each._asdict())
