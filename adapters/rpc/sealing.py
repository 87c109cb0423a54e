"""What is about people: sealed before it goes into a command, unsealed for those who ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.rpc.queries import Queries
from adapters.tenants import Tenant, Tenants
from ledger.engine.sealing import PersonKey, Sealer
from ledger.facts import Sealed


def sealed_with(
    sealer: Sealer, personal: Mapping[str, Any], subject: str, bound_to: str
) -> tuple[Sealed | None, tuple[PersonKey, ...]]:
    """Personal data sealed, and its key; empty data gives neither. The ``owner`` names an empty subject later."""
    if not personal:
        return None, ()
    sealed, key = sealer.seal(personal, subject, bound_to)
    return sealed, (key,)


def sealed_note(sealer: Sealer, note: str, subject: str, bound_to: str) -> tuple[Sealed | None, tuple[PersonKey, ...]]:
    return sealed_with(sealer, {"note": note} if note else {}, subject, bound_to)


class PersonalQueries(Queries):
    """Unseals what is about people for those who ask for it."""

    def __init__(self, tenants: Tenants, sealer: Sealer) -> None:
        super().__init__(tenants)
        self.sealer = sealer

    async def unsealed(self, tenant: Tenant, *sealed: tuple[Sealed | None, str]) -> dict[str, dict[str, Any]]:
        """The unsealed data, by the id of its key; without erased data. Each is given with what it is bound to."""
        there = {each.key_id: (each, bound_to) for each, bound_to in sealed if each is not None}
        keys = await tenant.log.keys_of(there)
        return {
            key_id: self.sealer.unseal(each, wrapped, bound_to)
            for key_id, (each, bound_to) in there.items()
            if (wrapped := keys.get(key_id)) is not None
        }


def content_of(sealed: Sealed | None, unsealed: Mapping[str, dict[str, Any]]) -> dict[str, Any] | None:
    """What is known of a person; None once it was erased."""
    return unsealed.get(sealed.key_id) if sealed is not None else None
