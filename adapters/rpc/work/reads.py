"""WorkService's queries: which work there is, how much of each kind, and what was said of one piece."""

from __future__ import annotations

from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.listing import any_of, listed, page
from adapters.rpc.sealing import PersonalQueries, content_of
from adapters.rpc.shapes import optional, optional_enum
from adapters.rpc.shows import stamp
from adapters.rpc.work.asks import task_id_of
from adapters.rpc.work.shows import counted, shown
from adapters.tenants import Tenant
from fulfilment.v1 import work_pb2 as pb
from ledger.engine.sealing import placed
from ledger.nouns import tasks
from ledger.nouns.tasks import Task, UnknownWork
from projections import work
from projections.work import WorkFilter

_read_owner = shapes.enum(pb.WorkOwner, work.Owner)
_read_kind = shapes.enum(pb.WorkKind, work.WorkKind)


class WorkQueries(PersonalQueries):
    """WorkService but for its commands."""

    async def ListWork(self, request: pb.ListWorkRequest, call: Call) -> pb.ListWorkResponse:
        where, wanted = await self.where(request, call), work_filter(request, call)
        return listed(pb.ListWorkResponse, "work", await work.list_work(where, page(request), wanted), shown)

    async def CountWork(self, request: pb.CountWorkRequest, call: Call) -> pb.CountWorkResponse:
        where, wanted = await self.where(request, call), work_filter(request.matching, call, "matching.")
        answer = await work.count_work(where, wanted)
        return pb.CountWorkResponse(counts=[counted(each) for each in answer.rows], position=answer.position)

    async def GetWork(self, request: pb.GetWorkRequest, call: Call) -> pb.GetWorkResponse:
        tenant, task_id = await self.tenant(call), task_id_of(request)
        found = await work.find_work(await self.where(request, call), task_id)
        entry, position = await self.entry(tenant, tasks.stream(task_id), 0)
        task: Task | None = entry.state
        if task is None and not found.rows:
            raise UnknownWork(task_id)
        response = pb.GetWorkResponse(position=min(position, found.position))
        if found.rows:
            response.work.CopyFrom(shown(found.rows[0]))
        if task is not None:
            response.comments.extend(await self._comments(tenant, task, call, request.with_personal_data))
            if (finished := task.finished) is not None:
                stream = tasks.stream(task_id)
                outcome = await self.text_of(tenant, call, finished.outcome, stream, request.with_personal_data)
                response.finished.CopyFrom(pb.FinishedWork(by=finished.by, at=stamp(finished.at), outcome=outcome))
        return response

    async def _comments(self, tenant: Tenant, task: Task, call: Call, personal: bool) -> list[pb.WorkComment]:
        """What was said of it; the texts for those who ask for them, without erased ones."""
        stream = tasks.stream(task.task_id)
        sealed = [(each.note, placed(stream, "note")) for each in task.comments]
        texts = await self.unsealed(tenant, call, stream, *sealed) if personal else {}
        return [
            pb.WorkComment(
                at=stamp(each.at), by=each.by, comment=(content_of(each.note, texts) or {"note": ""})["note"]
            )
            for each in task.comments
        ]


def work_filter(request: pb.ListWorkRequest, call: Call, within: str = "") -> WorkFilter:
    """Which work is asked for."""
    return WorkFilter(
        owner=optional_enum(_read_owner, request.owner, f"{within}owner"),
        kinds=any_of(_read_kind, request.kinds, f"{within}kinds"),
        until=shapes.instant(request, "due_before"),
        unclaimed=request.unclaimed,
        claimed_by=shapes.text(request.claimed_by, f"{within}claimed_by", 100),
        team=shapes.text(request.team, f"{within}team", 100),
        order_id=optional(shapes.order_id, request.order_id, f"{within}order_id"),
        supplier_id=optional(shapes.plain_id, request.supplier_id, f"{within}supplier_id"),
        put_off=request.put_off,
        now=call.now,
    )
