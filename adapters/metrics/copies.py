"""How far the replica that exports are read from is behind, and whether it answers, before an export asks.

A tenant whose copy had all is asked for again once its log has grown; one of them always, as an export would ask.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from adapters.database.replica import Lag, Replica
from adapters.metrics.standing import Standings
from adapters.tenants import Tenants
from ledger.engine.trouble import in_short
from ledger.refusals import StorageUnavailable, UnknownTenant

log = logging.getLogger("fulfilment.metrics")

LOOK_SECONDS = 15.0
_PATIENCE_SECONDS = 10.0
"""After which one that says nothing does not answer."""
_NOTHING = Lag(0, 0.0)

LagOf = Callable[[str], Awaitable[Lag]]


class ReplicaStandings:
    """The copies of all tenants, as they were when they were last looked at."""

    def __init__(self, tenants: Tenants, replica: Replica, standings: Standings) -> None:
        self._tenants = tenants
        self._replica = replica
        self._standings = standings
        self._whole: dict[str, int] = {}
        """By tenant, the head of its log that its copy has reached."""
        self.answers: bool | None = None
        """Whether exports are answered from it, of whichever tenant; None until it is known."""
        self.lags: Mapping[str, Lag] = {}
        """By tenant; without those of which it does not answer."""

    async def run(self) -> None:
        """Looks until it is cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        try:
            async with (
                asyncio.timeout(_PATIENCE_SECONDS) as patience,
                self._replica.looked_at(self._tenants.pool) as lag_of,
            ):
                found = await self._lags(lag_of, patience)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at again in a moment
            if not isinstance(error, StorageUnavailable | TimeoutError):  # which the replica's own log tells
                log.error("the replica could not be looked at: %s", in_short(error))
            self._whole.clear()
            self.answers, self.lags = False, {}
        else:
            self.answers = None not in found.values()
            self.lags = {name: lag for name, lag in found.items() if lag is not None}

    async def _lags(self, lag_of: LagOf, patience: asyncio.Timeout) -> dict[str, Lag | None]:
        found: dict[str, Lag | None] = {}
        for name, standing in sorted(self._standings.by_tenant.items()):
            if found and self._whole.get(name) == standing.position:
                found[name] = _NOTHING
                continue
            patience.reschedule(asyncio.get_running_loop().time() + _PATIENCE_SECONDS)
            found[name] = lag = await self._lag(lag_of, name)
            if lag is not None and not lag.facts:
                self._whole[name] = standing.position
            else:
                self._whole.pop(name, None)
        return found

    async def _lag(self, lag_of: LagOf, name: str) -> Lag | None:
        try:
            return await lag_of((await self._tenants.log_of(name)).schema)
        except (StorageUnavailable, UnknownTenant):
            return None
