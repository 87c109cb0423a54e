"""Work as messages, each piece with the request that comes next."""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from adapters.rpc.shows import number_of, stamp
from fulfilment.v1 import batch_pb2
from fulfilment.v1 import work_pb2 as pb
from projections import work
from projections.work import Next, Step

_kind = number_of(pb.WorkKind)
_owner = number_of(pb.WorkOwner)


def shown(each: work.Work) -> pb.Work:
    return pb.Work(
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
        next=next_step(each.next),
        team=each.team,
        put_off_until=stamp(each.put_off_until),
        comments=each.comments,
        further_order_ids=each.further_order_ids,
        stream=each.stream,
    )


def counted(each: work.WorkCount) -> pb.WorkCount:
    return pb.WorkCount(
        kind=_kind(each.kind),
        owner=_owner(each.owner),
        pieces=each.pieces,
        overdue=each.overdue,
        unclaimed=each.unclaimed,
        first_due=stamp(each.first_due),
    )


def next_step(following: Next) -> pb.NextStep:
    """The request of a step, with what is known of its fields."""
    method = rpc_of(following.step)
    request = GetMessageClass(method.input_type)()
    known = {name: _value(method.input_type.fields_by_name[name], value) for name, value in following.fields.items()}
    json_format.ParseDict(known, request)
    step = pb.NextStep(rpc=f"{method.containing_service.name}.{method.name}")
    step.request.Pack(request)
    return step


@cache
def rpc_of(step: Step) -> MethodDescriptor:
    """The RPC that takes the command of a step."""
    wanted = batch_pb2.BatchCommand.DESCRIPTOR.fields_by_name[step].message_type
    return next(
        method
        for file in batch_pb2.DESCRIPTOR.dependencies
        for service in file.services_by_name.values()
        for method in service.methods
        if method.input_type is wanted
    )


def _value(field: FieldDescriptor, value: Any) -> Any:
    """A word of the ledger as the enum's value that it is."""
    if field.enum_type is None:
        return value
    prefix = field.enum_type.values[0].name.removesuffix("UNSPECIFIED")
    return f"{prefix}{value}".upper()
