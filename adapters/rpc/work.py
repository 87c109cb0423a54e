"""WorkService's reads: what there is to do, for whom and by when."""

from __future__ import annotations

from adapters.rpc import shapes
from adapters.rpc.answers import stamp
from adapters.rpc.reports import where_of
from adapters.rpc.server import Context
from adapters.tenants import Tenants
from fulfilment.v1 import work_pb2
from projections import work

_kind = shapes.number_of(work_pb2.WorkKind)
_owner = shapes.number_of(work_pb2.WorkOwner)
_read_owner = shapes.enum(work_pb2.WorkOwner, work.Owner)


class WorkQueries:
    """WorkService but for its commands."""

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants

    async def ListWork(self, request: work_pb2.ListWorkRequest, context: Context) -> work_pb2.ListWorkResponse:
        answer = await work.list_work(
            await where_of(self._tenants, request, context),
            shapes.page(request),
            _read_owner(request.owner, "owner") if request.owner else None,
            shapes.instant(request, "due_before"),
            unclaimed=request.unclaimed,
            claimed_by=shapes.text(request.claimed_by, "claimed_by", 100),
            order_id=shapes.order_id(request.order_id) if request.order_id else "",
        )
        return work_pb2.ListWorkResponse(
            work=[_work(each) for each in answer.rows],
            next_page_token=answer.next_page_token,
            position=answer.position,
        )


def _work(each: work.Work) -> work_pb2.Work:
    return work_pb2.Work(
        task_id=each.task_id,
        kind=_kind(each.kind),
        owner=_owner(each.owner),
        due=stamp(each.due),
        raised_at=stamp(each.raised_at),
        reason=each.because,
        order_id=each.order_id,
        supplier_order_id=each.supplier_order_id,
        supplier_id=each.supplier_id,
        carrier=each.carrier,
        tracking_number=each.number,
        sku=each.sku,
        claimed_by=each.claimed_by,
        claimed_at=stamp(each.claimed_at),
    )
