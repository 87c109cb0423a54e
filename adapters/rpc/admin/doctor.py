"""AdminService.Diagnose: what the service finds when it looks over itself."""

from __future__ import annotations

from datetime import UTC, datetime

from adapters.doctor.database import database, replica
from adapters.doctor.finding import Finding, Severity
from adapters.doctor.machine import Premises, machine
from adapters.doctor.tenants import of_tenants
from adapters.metrics.standing import standing_of
from adapters.rpc.calls import Call
from adapters.tenants import Tenants
from fulfilment.v1 import doctor_pb2 as pb
from projections.machine.status import has_projector

MOST_TENANTS = 100
"""So many are looked at."""
_ALIVE_SECONDS = 30.0
_LEVELS = {
    Severity.OK: pb.FINDING_LEVEL_OK,
    Severity.WARNING: pb.FINDING_LEVEL_WARNING,
    Severity.FAILS: pb.FINDING_LEVEL_FAILS,
}


class Doctor:
    """Looks over this process, its machine and its database."""

    def __init__(self, tenants: Tenants, premises: Premises) -> None:
        self._tenants = tenants
        self._premises = premises

    async def look(self, call: Call) -> pb.DiagnoseResponse:
        now = datetime.now(UTC)
        found = list(machine(self._premises, now))
        pool_sizes = sum(pool.max_size for pool in self._tenants.pools.values())
        tenants = [each for each in await self._tenants.control.list_tenants() if call.caller.may_use(each.name)]
        looked_at = tenants[:MOST_TENANTS]
        async with self._tenants.pool.connection() as connection:
            found += await database(connection, pool_sizes, now.date(), [each.schema for each in looked_at])
            projector = await has_projector(connection, _ALIVE_SECONDS)
        if self._tenants.replica is not None and looked_at:
            found.append(await replica(self._tenants.replica, self._tenants.pool, looked_at[0].schema))
        standings = {each.name: await standing_of(self._tenants, each.name) for each in looked_at}
        found += of_tenants(standings, len(tenants), projector=projector)
        return pb.DiagnoseResponse(findings=map(_shown, found))


def _shown(finding: Finding) -> pb.Finding:
    return pb.Finding(check=finding.check, level=_LEVELS[finding.level], found=finding.found, advice=finding.advice)
