"""What every query needs: the tenant, how new the answer has to be, the streams as they are now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from adapters.rpc.calls import Call
from adapters.rpc.faults import require
from adapters.rpc.shapes import instant
from adapters.streams import as_known, read
from adapters.tenants import Tenant, Tenants
from ledger.engine.past import AsOf
from ledger.engine.selection import CLOCKS_DIFFER
from ledger.nouns import suppliers
from ledger.refusals import BeyondTheLog
from ledger.view import Entry
from projections.machine.reads import PATIENCE_SECONDS, Where

_THE_LEAST = timedelta(microseconds=1)
"""By which instants differ."""


def where(tenants: Tenants, tenant: Tenant, request: Any, deadline: float | None) -> Where:
    """Where and how long to wait for a read model that has reached the request's ``at_least``."""
    # Commands that look only at the log have none.
    at_least = getattr(request, "at_least", 0)
    require(at_least >= 0, "at_least", f"{at_least} is below 0")
    # A little sooner than the caller stops waiting, so that the refusal still reaches it.
    remaining = PATIENCE_SECONDS if deadline is None else deadline - monotonic() - 0.05
    return Where(tenants.pool, tenant.schema, at_least, min(PATIENCE_SECONDS, max(0.0, remaining)))


class Queries:
    """What answers the questions of a service, from the log as it is at this moment or from read models."""

    def __init__(self, tenants: Tenants) -> None:
        self.tenants = tenants

    async def tenant(self, call: Call) -> Tenant:
        """The tenant, with its log as it is, or as it was known where the call asks for that."""
        tenant = await self.tenants.find(call.tenant)
        return tenant if call.as_of is None else tenant._replace(log=as_known(tenant.log, call.as_of))

    async def moment(self, request: Any, call: Call) -> AsOf:
        """As of when a request asks that has ``as_of``."""
        for field in ("at_least", "with_personal_data", "with_pdf", "with_letter"):
            require(not getattr(request, field, False), "as_of", f"is given beside {field}")
        asked = request.as_of
        until, happened = instant(asked, "as_of.recorded_until"), instant(asked, "as_of.happened_until")
        log, now = (await self.tenants.find(call.tenant)).log, datetime.now(UTC)
        require(until is None or until <= now + CLOCKS_DIFFER, "as_of.recorded_until", "is later than now")
        if not asked.HasField("position"):
            position = await log.position_before(until + _THE_LEAST) if until is not None else await log.head()
            return AsOf(position, happened or until or now, happened)
        require(asked.position > 0, "as_of.position", "is not positive")
        recorded_at = await log.recorded_at(asked.position)
        if recorded_at is None:
            raise BeyondTheLog(asked.position, await log.head())
        return AsOf(asked.position, happened or recorded_at, happened)

    async def where(self, request: Any, call: Call) -> Where:
        """Where to read a read model, and how long to wait."""
        found = where(self.tenants, await self.tenant(call), request, call.deadline)
        if call.as_of is None:
            return found
        require(
            call.as_of.happened_until is None,
            "as_of.happened_until",
            "cannot be asked of a read model, which knows what was recorded alone",
        )
        position, prepare = call.as_of.position, self.tenants.asides.prepare
        require(position > 0, "as_of", "is before the first fact; ask for a later moment")
        return found._replace(
            as_of=position,
            prepare=lambda read_models, give_up_at: prepare(found.schema, read_models, position, give_up_at),
        )

    async def entries(self, tenant: Tenant, streams: Sequence[str], at_least: int = 0) -> tuple[list[Entry], int]:
        """The streams folded, and a position that the answer is not older than."""
        require(at_least >= 0, "at_least", f"{at_least} is below 0")
        view, head = await read(tenant.log, streams)
        require_position(at_least, head)
        return [view.entry(stream) for stream in streams], head

    async def entry(self, tenant: Tenant, stream: str, at_least: int = 0) -> tuple[Entry, int]:
        """The same of one stream."""
        (found,), head = await self.entries(tenant, [stream], at_least)
        return found, head

    async def require_supplier(self, supplier_id: str, call: Call) -> None:
        """Refuses what is asked of a supplier that is not registered, or was not then; of none it is about all."""
        if supplier_id:
            entry, _ = await self.entry(await self.tenant(call), suppliers.stream(supplier_id))
            suppliers.known(entry.state, supplier_id)


def require_position(at_least: int, head: int) -> None:
    if at_least > head:
        raise BeyondTheLog(at_least, head)
