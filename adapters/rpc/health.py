"""gRPC's health service: of the service, of its own commands, and of the read models of every tenant."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from datetime import timedelta
from typing import Any

import grpc
import psycopg
from grpc_health.v1 import health, health_pb2
from psycopg_pool import AsyncConnectionPool

from adapters import clock
from adapters.access.gate import Gate
from adapters.every_tenant import REST, EveryTenant
from adapters.messages import outbox_work
from adapters.rpc.contexts import Context, who
from adapters.rpc.statuses import refuse
from adapters.rpc.turnstile import Turnstile
from adapters.tenants import Tenants
from ledger.refusals import Refusal, UnknownTenant
from projections import PROJECTIONS
from projections.machine.status import has_projector, statuses

SECONDS = 1.0
"""How often it is looked."""
_ALIVE_SECONDS = 30.0
"""A projection that nobody has worked on for so long does not serve."""
_MOST_LAG = 20_000
"""Nor does one that is so many facts behind the log: about a second's work."""

_PATIENCE_SECONDS = 3.0
"""How long the database may take for an answer, or for a commit, before the service does not serve."""
_STANDS = """
    SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'SyncRep'
        AND query_start < clock_timestamp() - make_interval(secs => %s))
"""
"""Whether a commit waits for a standby for so long."""
_UNREACHABLE = (psycopg.Error, TimeoutError, OSError)

log = logging.getLogger("fulfilment.health")


def add_health(server: grpc.aio.Server, healthy: GuardedHealth) -> None:
    """The service under its name."""
    read, write = health_pb2.HealthCheckRequest.FromString, health_pb2.HealthCheckResponse.SerializeToString
    table: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "Check": grpc.stream_unary_rpc_method_handler(healthy.Check, read, write),
        "Watch": grpc.stream_stream_rpc_method_handler(healthy.Watch, read, write),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(health.SERVICE_NAME, table)])


class GuardedHealth(health.aio.HealthServicer):
    """gRPC's health service. That of the service itself is open, so that a load balancer needs no token; what stands
    where in it is for registered clients, each for its own tenants."""

    def __init__(self, gate: Gate, turnstile: Turnstile) -> None:
        super().__init__()
        self._gate = gate
        self._turnstile = turnstile

    async def Check(self, _: object, context: Context) -> Any:
        try:
            request = await self._visible(context)
        except Refusal as refusal:
            refuse(context, refusal)
            return health_pb2.HealthCheckResponse()
        return await super().Check(request, context)

    async def Watch(self, _: object, context: Context) -> None:
        try:
            request = await self._visible(context)
        except Refusal as refusal:
            refuse(context, refusal)
        else:
            await super().Watch(request, context)

    async def _visible(self, context: Context) -> health_pb2.HealthCheckRequest:
        """The request; one for a tenant that the caller may not use asks for a name that nothing has."""
        # Read as a stranger's, whoever it is: a load balancer waits for nobody's messages.
        request: health_pb2.HealthCheckRequest = await self._turnstile.message_of_a_stranger(context)
        if request.service == "":
            return request
        caller, _ = who(self._gate, context)
        named = request.service.split(".")
        if len(named) == 3 and not caller.may_use(named[2]):
            return health_pb2.HealthCheckRequest(service="?")
        return request


class Health:
    """Sets for each name whether it serves.

    - "" is the service: whether commands can be taken. A read model that does not serve is no reason to send callers
      elsewhere, so that the service serves without it.
    - ``clock`` and ``outbox`` are the ledger's own commands.
    - ``projection.NAME.TENANT`` is a read model of a tenant, ``projection.NAME`` that of all tenants together,
      ``projection`` every read model of every tenant. One that does not serve counts for all.
    """

    def __init__(self, tenants: Tenants, writers: AsyncConnectionPool[Any], healthy: health.aio.HealthServicer) -> None:
        self._tenants = tenants
        self._writers = writers
        self._healthy = healthy
        self._published: dict[str, bool] = {}
        self._down: defaultdict[str, set[str]] = defaultdict(set)
        """The tenants in which a read model does not serve, by its name."""
        self._seen: set[str] = set()
        """The tenants that were looked at."""
        self._projected = True
        """Whether a projector lives."""

    async def run(self) -> None:
        """Looks until it is cancelled."""
        await asyncio.gather(
            self._look_at_the_service(), EveryTenant(self._tenants.control, log, self._look_at, SECONDS).run()
        )

    async def _look_at_the_service(self) -> None:
        while True:
            looking = asyncio.create_task(self._takes_commands())
            if not (await asyncio.wait({looking}, timeout=_PATIENCE_SECONDS))[0]:
                await self._publish("", serves=False)  # a machine that is gone is noticed late
            await self._publish("", serves=await looking)
            if self._published[""]:
                await self._look_for_a_projector()
            for actor in (clock.ACTOR, outbox_work.ACTOR):
                await self._publish(actor, serves=actor not in self._tenants.taken())
            await asyncio.sleep(SECONDS)

    async def _takes_commands(self) -> bool:
        """Whether the database answers, and what is committed is not waiting for a standby that is gone."""
        try:
            async with self._tenants.pool.connection() as connection, self._writers.connection():
                # Commands use other connections, whose errors the writer notices itself.
                row = await (await connection.execute(_STANDS, (_PATIENCE_SECONDS,))).fetchone()
        except _UNREACHABLE:
            return False
        waits = row is not None and bool(row[0])
        if waits and self._published.get(""):
            log.error(
                "no command is answered: PostgreSQL waits for a synchronous standby to confirm what was committed; "
                "bring one back, or take it out of synchronous_standby_names"
            )
        return not waits

    async def _look_for_a_projector(self) -> None:
        """Tenants at rest are not looked at: their read models serve as long as a projector lives."""
        try:
            async with self._tenants.pool.connection() as connection:
                projected = await has_projector(connection, _ALIVE_SECONDS)
        except _UNREACHABLE:
            return
        if projected is not self._projected:
            self._projected = projected
            for tenant in sorted(self._seen):
                await self._publish_models(tenant)

    async def _look_at(self, tenant: str) -> timedelta:
        serves = dict.fromkeys((each.name for each in PROJECTIONS), False)
        try:
            schema = (await self._tenants.log_of(tenant)).schema
            for each in await statuses(self._tenants.watchers, schema, PROJECTIONS):
                serves[each.name] = each.is_alive(_ALIVE_SECONDS) and each.lag <= _MOST_LAG
        except (*_UNREACHABLE, UnknownTenant) as error:
            log.debug("the read models of %s do not serve: %s", tenant, type(error).__name__)
        for name, does in serves.items():
            self._down[name].discard(tenant)
            if not does:
                self._down[name].add(tenant)
        self._seen.add(tenant)
        await self._publish_models(tenant)
        return REST if all(serves.values()) else timedelta(seconds=SECONDS)

    async def _publish_models(self, tenant: str) -> None:
        lives = self._projected
        for name, down in self._down.items():
            await self._publish(f"projection.{name}.{tenant}", serves=lives and tenant not in down)
            await self._publish(f"projection.{name}", serves=lives and not down)
        await self._publish("projection", serves=lives and not any(self._down.values()))

    async def _publish(self, name: str, *, serves: bool) -> None:
        if self._published.get(name) is not serves:
            self._published[name] = serves
            status = health_pb2.HealthCheckResponse
            await self._healthy.set(name, status.SERVING if serves else status.NOT_SERVING)
