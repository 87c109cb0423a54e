"""What orders cost and how they were paid."""

from __future__ import annotations

from adapters.rpc.calls import Call
from adapters.rpc.listing import listed, page
from adapters.rpc.queries import Queries
from adapters.rpc.shapes import optional, plain_id
from adapters.rpc.windows import asked_window
from fulfilment.v1 import common_pb2
from fulfilment.v1 import money_totals_pb2 as pb
from projections import order_money


class MoneyTotalQueries(Queries):
    async def GetMoneyTotals(self, request: pb.GetMoneyTotalsRequest, call: Call) -> pb.GetMoneyTotalsResponse:
        channel, window = optional(plain_id, request.channel, "channel"), asked_window(request, None, now=call.now)
        answer = await order_money.totals(await self.where(request, call), channel, window[:2])
        return pb.GetMoneyTotalsResponse(
            totals=map(_totals, answer.rows), position=answer.position, window=window.answered(answer.extent)
        )

    async def ListPaymentDifferences(
        self, request: pb.ListPaymentDifferencesRequest, call: Call
    ) -> pb.ListPaymentDifferencesResponse:
        channel, place = optional(plain_id, request.channel, "channel"), await self.where(request, call)
        window = asked_window(request, None, now=call.now)
        answer = await order_money.list_differences(place, page(request), channel, window[:2])
        return listed(pb.ListPaymentDifferencesResponse, "differences", answer, _difference, window)


def _totals(each: order_money.MoneyTotals) -> pb.MoneyTotals:
    methods = [pb.MethodTotal(**one._asdict()) for one in each.methods]
    return pb.MoneyTotals(**{**each._asdict(), "methods": methods})


def _difference(each: order_money.OrderTotals) -> pb.PaymentDifference:
    return pb.PaymentDifference(
        order_id=each.order_id,
        total=common_pb2.Money(amount_minor=each.total_minor, currency=each.currency),
        came_in=common_pb2.Money(amount_minor=each.came_in_minor, currency=each.currency),
    )
