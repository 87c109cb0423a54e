"""RecoveryService's reads: one recovery from the log, lists from the read model."""

from __future__ import annotations

from datetime import UTC, datetime

from adapters.rpc import answers, shapes
from adapters.rpc.answers import stamp
from adapters.rpc.queries import Reader
from adapters.rpc.reports import where_of
from adapters.rpc.server import Context
from fulfilment.v1 import recoveries_pb2
from ledger.nouns import recoveries
from ledger.nouns.recoveries import Kind
from ledger.terms.parties import Party
from projections.recoveries import About, Listed, list_recoveries

_read_status = shapes.enum(recoveries_pb2.RecoveryStatus, recoveries.Status)


class RecoveryQueries(Reader):
    """RecoveryService but for its commands."""

    async def GetRecovery(
        self, request: recoveries_pb2.GetRecoveryRequest, context: Context
    ) -> recoveries_pb2.GetRecoveryResponse:
        recovery_id = shapes.recovery_id(request.recovery_id)
        streams = [recoveries.stream(recovery_id)]
        (entry,), position = await self.entries(await self.tenant(context), streams, request.at_least)
        recovery = answers.recovery(recoveries.known(entry.state, recovery_id), entry.version)
        return recoveries_pb2.GetRecoveryResponse(recovery=recovery, position=position)

    async def ListRecoveries(
        self, request: recoveries_pb2.ListRecoveriesRequest, context: Context
    ) -> recoveries_pb2.ListRecoveriesResponse:
        about, page = _about(request), shapes.page(request)
        answer = await list_recoveries(await where_of(self.tenants, request, context), page, about)
        return recoveries_pb2.ListRecoveriesResponse(
            recoveries=[_listed(each) for each in answer.rows],
            next_page_token=answer.next_page_token,
            position=answer.position,
        )


def _about(request: recoveries_pb2.ListRecoveriesRequest) -> About:
    statuses = (_read_status(status, f"statuses[{index}]") for index, status in enumerate(request.statuses))
    return About(
        kinds=_kinds(request.party) if request.party else (),
        statuses=tuple(dict.fromkeys(statuses)),
        supplier_id=shapes.plain_id(request.supplier_id, "supplier_id") if request.supplier_id else "",
        carrier=shapes.carrier(request.carrier) if request.carrier else "",
        order_id=shapes.order_id(request.order_id) if request.order_id else "",
        case_id=shapes.plain_id(request.case_id, "case_id") if request.case_id else "",
        due_until=shapes.due_until(request, datetime.now(UTC)),
    )


def _kinds(number: int) -> tuple[Kind, ...]:
    party = shapes.party(number, "party", Party.SUPPLIER, Party.CARRIER, Party.CUSTOMER)
    return tuple(kind for kind in Kind if kind.party is party)


def _listed(each: Listed) -> recoveries_pb2.ListedRecovery:
    return recoveries_pb2.ListedRecovery(
        recovery_id=each.recovery_id,
        kind=answers.recovery_kind(each.kind),
        status=answers.recovery_status(each.status),
        party=answers.party(each.kind.party),
        order_id=each.order_id,
        supplier_order_id=each.supplier_order_id,
        supplier_id=each.supplier_id,
        case_id=each.case_id,
        carrier=each.carrier,
        tracking_number=each.number,
        epoch=each.epoch,
        currency=each.currency,
        asked_minor=each.asked_minor,
        claimed_minor=each.claimed_minor,
        agreed_minor=each.agreed_minor,
        received_minor=each.received_minor,
        returned_minor=each.returned_minor,
        opened_at=stamp(each.opened_at),
        due=stamp(each.due),
        found_at=stamp(each.found_at),
        ended_at=stamp(each.ended_at),
    )
