"""The connections of a tenant as the edges use them: their systems, and their secrets opened."""

from __future__ import annotations

import asyncio
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from adapters.edges.agreement import Account
from adapters.edges.system import System
from adapters.edges.systems import SYSTEMS
from adapters.streams import read
from adapters.tenants import Tenant
from ledger.engine.sealing import Sealer, StoredKey
from ledger.nouns import connections
from ledger.nouns.connections import Connection

_FRESH_SECONDS = 1.0
"""How late the edge may notice that a connection was added, rotated, paused or removed."""

_ANEW_SECONDS = 0.1


class Connected(NamedTuple):
    """A connection, ready to be used."""

    system: System
    account: Account
    box_key: bytes
    """What the bodies that it receives are sealed under."""
    added_at: datetime
    paused: bool


class Accounts:
    """Opens the connections of tenants, and keeps them for a moment."""

    def __init__(self, sealer: Sealer, systems: Mapping[str, System] = SYSTEMS) -> None:
        self._sealer = sealer
        self._systems = systems
        self._kept: dict[str, tuple[float, Mapping[str, Connected]]] = {}
        self._reading: dict[str, asyncio.Task[None]] = {}

    async def of(self, tenant: Tenant) -> Mapping[str, Connected]:
        """By name; without those of systems that this service does not know."""
        at, found = self._kept.get(tenant.name, (0.0, {}))
        if at and time.monotonic() - at <= _FRESH_SECONDS:
            return found
        return await self.anew(tenant)

    async def anew(self, tenant: Tenant) -> Mapping[str, Connected]:
        """The same as of this moment, or hardly before: whoever guesses names makes nobody read all the time."""
        asked_at = time.monotonic()
        while True:
            at, found = self._kept.get(tenant.name, (0.0, {}))
            if at and asked_at - at <= _ANEW_SECONDS:
                return found
            reading = self._reading.get(tenant.name)
            if reading is None:  # else all that come at this moment would read the same
                reading = self._reading[tenant.name] = asyncio.create_task(self._renew(tenant), name="connections")
            await asyncio.shield(reading)

    async def _renew(self, tenant: Tenant) -> None:
        """Keeps them as of its begin: what is recorded while they are read may not be among them."""
        began = time.monotonic()
        try:
            self._kept[tenant.name] = began, await self.read(tenant)
        finally:
            del self._reading[tenant.name]

    async def names(self, tenant: Tenant) -> list[str]:
        """Of all connections that there are now."""
        return list(await _there(tenant))

    async def ages(self, tenant: Tenant) -> dict[str, datetime]:
        """When each of them was added, by name."""
        return {name: one.added.at for name, one in (await _there(tenant)).items()}

    async def read(self, tenant: Tenant) -> Mapping[str, Connected]:
        """As they are now."""
        there = await _there(tenant)
        sealed = [each for one in there.values() for each in (one.added.box_key, *one.secrets)]
        keys = await tenant.log.keys_of([each.key_id for each in sealed])
        return {
            name: self._opened(tenant.schema, name, one, keys)
            for name, one in there.items()
            if one.added.system in self._systems
            and all(keys.get(each.key_id) for each in (one.added.box_key, *one.secrets))
        }

    def _opened(self, schema: str, name: str, one: Connection, keys: Mapping[str, StoredKey | None]) -> Connected:
        def opened(number: int) -> dict[str, str]:
            sealed = (one.added.box_key, *one.secrets)[number]
            key = keys[sealed.key_id]
            assert key is not None, "it was there"
            return self._sealer.of(schema).unseal(sealed, key, connections.bound_to(name))

        secrets = tuple(opened(number + 1) for number in range(len(one.secrets)))
        account = Account(name, one.added.settings, secrets)
        system = self._systems[one.added.system]
        return Connected(system, account, b64decode(opened(0)["key"]), one.added.at, one.paused)


async def _there(tenant: Tenant) -> Mapping[str, Connection]:
    view, _ = await read(tenant.log, [connections.stream()])
    known = connections.find(view)
    return known.by_name if known is not None else {}


def sealable_key(key: bytes) -> dict[str, str]:
    """A key for bodies, in the form in which it is sealed."""
    return {"key": b64encode(key).decode()}
