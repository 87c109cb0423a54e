"""Who calls, as the gate found out: what it may do, for which tenants, and under which name it is recorded."""

from __future__ import annotations

import msgspec

from adapters.access.limits import NO_LIMITS, Meter
from adapters.access.roles import ROLES
from adapters.database.control import DEFAULT_TENANT
from ledger.refusals import NotAllowed, UnknownTenant

UNNAMED = "unknown"
"""The actor of a command that says nobody."""
OWN_NAMES = frozenset({"clock", "outbox", "edge", "ledger", UNNAMED})
"""Under which the service itself records, or nobody in particular: no client has one of these names."""


class Caller(msgspec.Struct, frozen=True):
    """Who calls."""

    name: str
    """Of the client; empty for everybody while no client is registered."""
    role: str
    tenants: frozenset[str] | None
    """None for all of them."""
    supplier: str = ""
    """Whose orders alone it sees."""
    personal: bool = False
    """Whether it may see personal data."""
    expires_at: float = float("inf")
    """In seconds since 1970."""
    person: str = ""
    """Who of the client's people it is, as the identity provider knows them."""
    meter: Meter = msgspec.field(default_factory=Meter)
    """What the client has under way."""

    def may(self, rpc: str) -> bool:
        """Whether its role may call an RPC."""
        return rpc in ROLES[self.role].rpcs

    def require(self, rpc: str) -> None:
        """Refuses an RPC that its role may not call."""
        if not self.may(rpc):
            raise NotAllowed(self.role, rpc)

    def require_personal(self, rpc: str) -> None:
        """Refuses to show personal data to a client without the right to it."""
        if not self.personal:
            raise NotAllowed(self.role, rpc, "personal")

    def may_use(self, tenant: str) -> bool:
        return self.tenants is None or tenant in self.tenants

    def tenant(self, named: str | None) -> str:
        """Whose ledger a call is for; one that is not granted is as unknown as one that does not exist."""
        if named is None:
            named = next(iter(self.tenants)) if self.tenants and len(self.tenants) == 1 else DEFAULT_TENANT
        if not self.may_use(named):
            raise UnknownTenant(named)
        return named

    @property
    def proven(self) -> str:
        """Who it is as far as that is proven: the client, and whom of its people. Empty for everybody."""
        return f"{self.name}/{self.person}" if self.person else self.name

    def actor(self, said: str) -> str:
        """Under which name a command is recorded: the client's own, and behind it what the call says."""
        if not self.name:
            return said or UNNAMED
        return f"{self.proven}/{said}" if said else self.proven


EVERYBODY = Caller(name="", role="owner", tenants=None, personal=True, meter=Meter(NO_LIMITS))
"""Whoever calls while no client is registered."""
