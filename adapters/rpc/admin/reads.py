"""AdminService: tenants, terms, where things stand, rebuilding read models, erasing people."""

from __future__ import annotations

from datetime import UTC, datetime

from adapters.letters import Letters
from adapters.outbox import held_up
from adapters.rpc import shapes
from adapters.rpc.admin import shows
from adapters.rpc.listing import listed, page
from adapters.rpc.reading import Context, Reader
from adapters.rpc.shows import stamp
from adapters.tenants import Tenant, Tenants
from fulfilment import __version__
from fulfilment.v1 import admin_pb2
from ledger.engine.sealing import Sealer
from ledger.nouns import orders, policies
from ledger.nouns.policies import Policies, Policy, policy_at
from ledger.refusals import Malformed, UnknownPerson
from projections import PROJECTIONS, outbox
from projections.machine.projection import named
from projections.machine.reads import Answer
from projections.machine.status import ask_for_rebuild, statuses


class AdminQueries(Reader):
    """AdminService but for its commands."""

    def __init__(self, tenants: Tenants, sealer: Sealer, letters: Letters) -> None:
        super().__init__(tenants)
        self._sealer = sealer
        self._letters = letters

    async def CreateTenant(
        self, request: admin_pb2.CreateTenantRequest, context: Context
    ) -> admin_pb2.CreateTenantResponse:
        await self.tenants.create(request.tenant)
        return admin_pb2.CreateTenantResponse()

    async def ListTenants(
        self, request: admin_pb2.ListTenantsRequest, context: Context
    ) -> admin_pb2.ListTenantsResponse:
        wanted = page(request)
        after = wanted.after(str) or ""
        known = [each for each in await self.tenants.control.list_tenants() if each.name > after]
        shown, more = wanted.cut(known, [each.name for each in known])
        tenants = [admin_pb2.Tenant(tenant=each.name, created_at=stamp(each.created_at)) for each in shown]
        return admin_pb2.ListTenantsResponse(tenants=tenants, next_page_token=more)

    async def GetPolicy(self, request: admin_pb2.GetPolicyRequest, context: Context) -> admin_pb2.GetPolicyResponse:
        at = shapes.instant(request, "at") or datetime.now(UTC)
        entry, position = await self.entry(await self.tenant(context), policies.stream(), request.at_least)
        agreed = entry.state or Policies()
        return admin_pb2.GetPolicyResponse(
            in_force=shows.version(*agreed.version_at(at)),
            to_come=[shows.version(*each) for each in agreed.to_come(at)],
            defaults=shows.policy(Policy()),
            position=position,
            versions=len(agreed.versions),
        )

    async def ListShippingServices(
        self, request: admin_pb2.ListShippingServicesRequest, context: Context
    ) -> admin_pb2.ListShippingServicesResponse:
        at = shapes.instant(request, "at") or datetime.now(UTC)
        wanted = page(request)
        entry, position = await self.entry(await self.tenant(context), policies.stream(), request.at_least)
        services = policy_at(entry.state, at).shipping_services
        first = wanted.after(int) or 0
        shown, more = wanted.cut(services[first:], range(first + 1, len(services) + 1))
        answer = Answer(shown, position, more)
        return listed(admin_pb2.ListShippingServicesResponse, "services", answer, shows.shipping_service)

    async def GetStatus(self, request: admin_pb2.GetStatusRequest, context: Context) -> admin_pb2.GetStatusResponse:
        tenant = await self.tenant(context)
        found = await statuses(self.tenants.pool, tenant.schema, PROJECTIONS)
        projections = [
            admin_pb2.ProjectionStatus(
                name=each.name,
                position=each.position,
                lag=each.lag,
                error=each.error or "",
                seen_at=stamp(each.seen_at),
                rebuild=each.rebuild,
            )
            for each in found
        ]
        return admin_pb2.GetStatusResponse(
            position=await tenant.log.head(),
            projections=projections,
            commands_waiting=tenant.ledger.waiting,
            messages=await self._backlog(tenant),
            version=__version__,
        )

    async def _backlog(self, tenant: Tenant) -> admin_pb2.MessageBacklog:
        fresh = await self._letters.fresh_since(tenant.log)
        async with self.tenants.pool.connection() as connection:
            found = await outbox.backlog(connection, tenant.schema, fresh)
            return admin_pb2.MessageBacklog(**found._asdict(), held_up=await held_up(connection, tenant.schema))

    async def RebuildProjection(
        self, request: admin_pb2.RebuildProjectionRequest, context: Context
    ) -> admin_pb2.RebuildProjectionResponse:
        tenant = await self.tenant(context)
        projection = named(PROJECTIONS, request.name)
        await ask_for_rebuild(self.tenants.pool, tenant.schema, projection, verify_only=request.verify_only)
        return admin_pb2.RebuildProjectionResponse()

    async def ErasePerson(
        self, request: admin_pb2.ErasePersonRequest, context: Context
    ) -> admin_pb2.ErasePersonResponse:
        tenant = await self.tenant(context)
        destroyed = [await tenant.log.destroy(subject) for subject in await self._subjects(tenant, request)]
        if not any(destroyed):
            raise UnknownPerson
        return admin_pb2.ErasePersonResponse(keys_destroyed=sum(destroyed))

    async def _subjects(self, tenant: Tenant, request: admin_pb2.ErasePersonRequest) -> tuple[str, ...]:
        match request.WhichOneof("person"):
            case "email":
                shapes.text(request.email, "email", 1000, required=True)
                return (self._sealer.subject_of(request.email, "", ""),)
            case "phone":
                shapes.text(request.phone, "phone", 1000, required=True)
                return (self._sealer.subject_of("", request.phone, ""),)
            case "order_id":
                order_id = shapes.order_id(request.order_id)
                entry, _ = await self.entry(tenant, orders.stream(order_id))
                return orders.known(entry.state, order_id).subjects
            case _:
                raise Malformed(("person", "is required: email, phone or order_id"))
