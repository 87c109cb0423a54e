"""How systems are called: what each connection was told of limits, and given as tokens, is kept between calls."""

from __future__ import annotations

from adapters.edges.accounts import Connected
from adapters.edges.http import Http, HttpClient, Limit
from adapters.tenants import Tenant


class Outgoing:
    """The requests of this process to the systems of all tenants."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._kept: dict[tuple[str, str, str], Http] = {}

    def of(self, tenant: Tenant, connected: Connected) -> Http:
        """The requests of one connection, the same ones whoever makes them."""
        system = connected.system
        key = (tenant.name, connected.account.name, system.name)
        found = self._kept.get(key)
        if found is None:
            usual = Limit(system.calls_per_second, system.calls_at_once)
            found = self._kept[key] = Http(self._client, usual, system.limits)
        return found
