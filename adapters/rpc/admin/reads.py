"""AdminService: tenants, terms, where things stand, rebuilding read models."""

from __future__ import annotations

import time
from datetime import datetime

from adapters.doctor.machine import Premises
from adapters.messages.letters import Letters
from adapters.messages.outbox import held_up
from adapters.rpc import shapes
from adapters.rpc.admin import shows
from adapters.rpc.admin.clocks import ClockQueries
from adapters.rpc.admin.doctor import Doctor
from adapters.rpc.calls import Call
from adapters.rpc.faults import require
from adapters.rpc.listing import listed, page
from adapters.rpc.shows import stamp
from adapters.streams import as_known, reader
from adapters.tenants import Tenant, Tenants
from fulfilment import __version__
from fulfilment.v1 import admin_pb2 as pb
from fulfilment.v1 import doctor_pb2, shipping_pb2
from ledger.engine.past import AsOf
from ledger.engine.sealing import Sealer
from ledger.nouns import policies
from ledger.nouns.policies import TRADE, Policies, policy_at
from ledger.terms import customs_territories
from projections import PROJECTIONS, outbox
from projections.machine.projection import named
from projections.machine.reads import Answer
from projections.machine.status import ask_for_rebuild, statuses

_COMPARING_SECONDS = 1.0
"""After which a page of compared snapshots ends, so that the next shows how far it is."""


class AdminQueries(ClockQueries):
    """AdminService but for its commands."""

    def __init__(self, tenants: Tenants, sealer: Sealer, letters: Letters, premises: Premises) -> None:
        super().__init__(tenants)
        self._doctor = Doctor(tenants, premises)
        self._sealer = sealer
        self._letters = letters

    async def CreateTenant(self, request: pb.CreateTenantRequest, call: Call) -> pb.CreateTenantResponse:
        await self.tenants.create(call.caller.tenant(request.tenant))
        return pb.CreateTenantResponse()

    async def ListTenants(self, request: pb.ListTenantsRequest, call: Call) -> pb.ListTenantsResponse:
        wanted = page(request)
        after = wanted.after(str) or ""
        tenants = await self.tenants.control.list_tenants()
        known = [each for each in tenants if each.name > after and call.caller.may_use(each.name)]
        shown, more = wanted.cut(known, [each.name for each in known])
        answer = [pb.Tenant(tenant=each.name, created_at=stamp(each.created_at)) for each in shown]
        return pb.ListTenantsResponse(tenants=answer, next_page_token=more)

    async def GetPolicy(self, request: pb.GetPolicyRequest, call: Call) -> pb.GetPolicyResponse:
        at = shapes.instant(request, "at") or call.now
        entry, position = await self.entry(await self.tenant(call), policies.stream(), request.at_least)
        agreed = entry.state or Policies()
        return pb.GetPolicyResponse(
            in_force=shows.version(*agreed.version_at(at)),
            to_come=[shows.version(*each) for each in agreed.to_come(at)],
            defaults=shows.policy(TRADE),
            position=position,
            versions=len(agreed.versions),
        )

    async def ListShippingServices(
        self, request: pb.ListShippingServicesRequest, call: Call
    ) -> pb.ListShippingServicesResponse:
        wanted, tenant = page(request), await self.tenant(call)
        first, at, at_least = 0, shapes.instant(request, "at") or call.now, request.at_least
        if (begun := wanted.after(tuple[int, int, datetime])) is not None:
            # The table as it was on the first page: it may have been agreed anew.
            first, at_least, at = begun
            if call.as_of is None:
                tenant = tenant._replace(log=as_known(tenant.log, AsOf(at_least, at)))
        entry, position = await self.entry(tenant, policies.stream(), at_least)
        services = policy_at(entry.state, at).shipping_services
        ends = range(first + 1, len(services) + 1)
        shown, more = wanted.cut(services[first:], [(end, position, at) for end in ends])
        answer = Answer(shown, position, more)
        return listed(pb.ListShippingServicesResponse, "services", answer, shows.shipping_service)

    async def FindCustomsTerritory(
        self, request: shipping_pb2.FindCustomsTerritoryRequest, call: Call
    ) -> shipping_pb2.FindCustomsTerritoryResponse:
        require(request.country != "", "country", "is required: an ISO 3166-1 alpha-2 code such as DE")
        address = (
            shapes.country(request.country, "country", []),
            shapes.taken(request.region, "region"),
            shapes.taken(request.postal_code, "postal_code"),
        )
        part = customs_territories.part_of(*address)
        territory = shipping_pb2.CustomsTerritory(
            code=customs_territories.territory(*address),
            part=part.name if part is not None else "",
            source=customs_territories.source_of(*address),
        )
        return shipping_pb2.FindCustomsTerritoryResponse(territory=territory)

    async def GetStatus(self, request: pb.GetStatusRequest, call: Call) -> pb.GetStatusResponse:
        tenant = await self.tenant(call)
        found = await statuses(self.tenants.pool, tenant.schema, PROJECTIONS)
        projections = [
            pb.ProjectionStatus(
                name=each.name,
                position=each.position,
                lag=each.lag,
                error=each.error or "",
                seen_at=stamp(each.seen_at),
                rebuild=each.rebuild,
            )
            for each in found
        ]
        return pb.GetStatusResponse(
            position=await tenant.log.head(),
            projections=projections,
            commands_waiting=tenant.ledger.waiting,
            messages=await self._backlog(tenant),
            version=__version__,
        )

    async def _backlog(self, tenant: Tenant) -> pb.MessageBacklog:
        fresh = await self._letters.fresh_since(tenant.log)
        async with self.tenants.pool.connection() as connection:
            found = await outbox.backlog(connection, tenant.schema, fresh)
            return pb.MessageBacklog(**found._asdict(), held_up=await held_up(connection, tenant.schema))

    async def Diagnose(self, request: doctor_pb2.DiagnoseRequest, call: Call) -> doctor_pb2.DiagnoseResponse:
        return await self._doctor.look(call)

    async def RebuildProjection(self, request: pb.RebuildProjectionRequest, call: Call) -> pb.RebuildProjectionResponse:
        tenant = await self.tenant(call)
        projection = named(PROJECTIONS, request.name)
        await ask_for_rebuild(self.tenants.pool, tenant.schema, projection, verify_only=request.verify_only)
        return pb.RebuildProjectionResponse()

    async def CompareSnapshots(self, request: pb.CompareSnapshotsRequest, call: Call) -> pb.CompareSnapshotsResponse:
        wanted = page(request)
        comparing = reader((await self.tenant(call)).log).comparing
        counts = await comparing.counts()
        streams = await comparing.streams(wanted.after(str) or "", wanted.limit)
        shown, more = wanted.cut(streams, streams)
        ends_at, snapshots = time.monotonic() + _COMPARING_SECONDS, []
        for stream in shown:
            snapshots += [pb.SnapshotComparison(**each._asdict()) async for each in comparing.compare(stream)]
            if time.monotonic() > ends_at and stream != streams[-1]:
                more = wanted.token_after(stream)
                break
        return pb.CompareSnapshotsResponse(snapshots=snapshots, next_page_token=more, **counts._asdict())
