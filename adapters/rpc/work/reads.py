"""WorkService's queries: which work there is, and how much of each kind."""

from __future__ import annotations

from datetime import UTC, datetime

from adapters.rpc import shapes
from adapters.rpc.listing import any_of, listed, page
from adapters.rpc.queries import Context, Queries
from adapters.rpc.shapes import optional, optional_enum
from adapters.rpc.work.shows import counted, shown
from fulfilment.v1 import work_pb2 as pb
from projections import work
from projections.work import WorkFilter

_read_owner = shapes.enum(pb.WorkOwner, work.Owner)
_read_kind = shapes.enum(pb.WorkKind, work.WorkKind)


class WorkQueries(Queries):
    """WorkService but for its commands."""

    async def ListWork(self, request: pb.ListWorkRequest, context: Context) -> pb.ListWorkResponse:
        where, wanted = await self.where(request, context), work_filter(request)
        return listed(pb.ListWorkResponse, "work", await work.list_work(where, page(request), wanted), shown)

    async def CountWork(self, request: pb.CountWorkRequest, context: Context) -> pb.CountWorkResponse:
        where, wanted = await self.where(request, context), work_filter(request.matching, "matching.")
        answer = await work.count_work(where, wanted, datetime.now(UTC))
        return pb.CountWorkResponse(counts=[counted(each) for each in answer.rows], position=answer.position)


def work_filter(request: pb.ListWorkRequest, within: str = "") -> WorkFilter:
    """Which work is asked for."""
    return WorkFilter(
        owner=optional_enum(_read_owner, request.owner, f"{within}owner"),
        kinds=any_of(_read_kind, request.kinds, f"{within}kinds"),
        until=shapes.instant(request, "due_before"),
        unclaimed=request.unclaimed,
        claimed_by=shapes.text(request.claimed_by, f"{within}claimed_by", 100),
        order_id=optional(shapes.order_id, request.order_id, f"{within}order_id"),
        supplier_id=optional(shapes.plain_id, request.supplier_id, f"{within}supplier_id"),
    )
