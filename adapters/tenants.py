"""The tenants this process serves: each with its own serial ledger over shared pools."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from psycopg_pool import AsyncConnectionPool

from adapters.database.control import BadTenantName, Control
from adapters.database.replica import Replica
from adapters.folding_aside import Asides
from ledger.engine.executor import Ledger
from ledger.engine.log import Log
from ledger.engine.measures import Measures
from ledger.engine.transactions import Together
from ledger.nouns import NOUNS
from ledger.refusals import Malformed, NotTheOwner, UnknownTenant
from projections.machine.awake import StayingAwake


class Tenant(NamedTuple):
    """A retailer as this process serves it."""

    name: str
    schema: str
    log: Log
    ledger: Ledger


@contextmanager
def _bad_name_as_malformed() -> Iterator[None]:
    """Turns a name that no tenant can have into a malformed request."""
    try:
        yield
    except BadTenantName as error:
        raise Malformed(("tenant", str(error))) from error


class Tenants:
    """Finds tenants by name and starts their ledgers when they are first asked for."""

    def __init__(
        self,
        pool: AsyncConnectionPool[Any],
        writers: AsyncConnectionPool[Any] | None = None,
        watchers: AsyncConnectionPool[Any] | None = None,
        replica: Replica | None = None,
    ) -> None:
        self.pool = pool
        self.watchers = watchers or pool
        """Few, because each keeps the plans of all that clock, outbox and health ask of those that are awake."""
        self.replica = replica
        """From which exports are read, if there is one."""
        self._writers = writers or pool
        self._together = Together(self._writers)
        self.control = Control(pool)
        self.measures = Measures()
        """What the ledgers of this process measure."""
        self.pools = {"readers": pool, "writers": self._writers, "watchers": self.watchers}
        self._serving: dict[str, Tenant] = {}
        self.asides = Asides(pool)
        """Read models as of a position."""
        self.closing = False
        """Set before the drain, so that streams stop waiting for new facts."""

    async def find(self, name: str) -> Tenant:
        """The tenant of that name; raises UnknownTenant, and Malformed if it cannot name one."""
        tenant = self._serving.get(name)
        return tenant if tenant is not None else await self._start(name)

    async def log_of(self, name: str) -> Log:
        """The log of a tenant, which is not served for it; raises UnknownTenant."""
        if (tenant := self._serving.get(name)) is not None:
            return tenant.log
        schema = await self.control.schema_of(name)
        if schema is None:
            raise UnknownTenant(name)
        return Log(schema, self.pool, self._writers)

    async def create(self, name: str) -> Tenant:
        """Makes a tenant; one that exists stays as it is. Raises NotTheOwner where the database does not let it."""
        with _bad_name_as_malformed():
            try:
                await self.control.create_tenant(name)
            except psycopg.errors.InsufficientPrivilege:
                raise NotTheOwner(name) from None
        return await self.find(name)

    async def _start(self, name: str) -> Tenant:
        with _bad_name_as_malformed():
            schema = await self.control.schema_of(name)
        if schema is None:
            raise UnknownTenant(name)
        await self.control.bring_up_to_date(schema)
        log = Log(schema, self.pool, self._writers)
        tenant = Tenant(name, schema, log, self._ledger(log))
        await tenant.ledger.start()
        served = self._serving.setdefault(name, tenant)
        if served is not tenant:
            # Another call started it meanwhile. There is no lock, because starting a tenant may take long.
            await tenant.ledger.stop()
        return served

    def _ledger(self, log: Log) -> Ledger:
        return Ledger(
            log,
            NOUNS,
            stay_awake=StayingAwake(log.writers, log.schema),
            together=self._together,
            measures=self.measures,
        )

    @property
    def serving(self) -> list[Tenant]:
        """Those whose ledgers have been started here."""
        return list(self._serving.values())

    def taken(self) -> set[str]:
        """The ledger's own actors whose request ids another caller has used."""
        return {actor for tenant in self._serving.values() for actor in tenant.ledger.taken}

    async def drain(self) -> None:
        """Takes no more commands and answers all that wait."""
        await self.asides.close()
        await asyncio.gather(*(tenant.ledger.stop() for tenant in self._serving.values()))
