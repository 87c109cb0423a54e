"""How much there was in all."""

from __future__ import annotations

from adapters.rpc.listing import listed, page
from adapters.rpc.reading import Context, Reader
from adapters.rpc.shapes import optional, plain_id
from fulfilment.v1 import common_pb2, totals_pb2
from projections import supplier_performance


class TotalQueries(Reader):
    async def GetSummary(
        self, request: totals_pb2.GetSummaryRequest, context: Context
    ) -> totals_pb2.GetSummaryResponse:
        answer = await supplier_performance.summary(
            await self.where(request, context), optional(plain_id, request.channel, "channel")
        )
        figures = answer.rows[0]._asdict()
        amounts = figures.pop("gmv_minor").items()
        gmv = [common_pb2.Money(amount_minor=amount, currency=currency) for currency, amount in amounts]
        return totals_pb2.GetSummaryResponse(**figures, gmv=gmv, position=answer.position)

    async def ListSupplierTotals(
        self, request: totals_pb2.ListSupplierTotalsRequest, context: Context
    ) -> totals_pb2.ListSupplierTotalsResponse:
        place = await self.where(request, context)
        answer = await supplier_performance.list_supplier_totals(
            place, page(request), optional(plain_id, request.channel, "channel")
        )
        return listed(totals_pb2.ListSupplierTotalsResponse, "totals", answer, _total)


def _total(each: supplier_performance.SupplierTotal) -> totals_pb2.SupplierTotal:
    return totals_pb2.SupplierTotal(**each._asdict())
