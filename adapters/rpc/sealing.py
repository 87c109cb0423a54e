"""What is about people: sealed before it goes into a command, unsealed for those who ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.people.personal_reads import note_keys
from adapters.rpc.calls import Call
from adapters.rpc.queries import Queries
from adapters.tenants import Tenant, Tenants
from ledger.engine.sealing import PersonKey, Sealer, TenantSealer, placed
from ledger.facts import Sealed, SealedText, Told, in_plain


def sealed_with(
    sealer: TenantSealer, personal: Mapping[str, Any], subject: str, bound_to: str
) -> tuple[Sealed | None, tuple[PersonKey, ...]]:
    """Personal data sealed, and its key; empty data gives neither. The ``owner`` names an empty subject later."""
    if not personal:
        return None, ()
    sealed, key = sealer.seal(personal, subject, bound_to)
    return sealed, (key,)


def sealed_note(
    sealer: TenantSealer, note: str, subject: str, bound_to: str
) -> tuple[Sealed | None, tuple[PersonKey, ...]]:
    return sealed_with(sealer, {"note": note} if note else {}, subject, bound_to)


def sealed_text(sealer: TenantSealer, written: str, subject: str, stream: str) -> tuple[Told, tuple[PersonKey, ...]]:
    """What somebody wrote, for a fact of this stream; the owner names an empty subject later."""
    sealed, keys = sealed_with(sealer, {"text": written} if written else {}, subject, placed(stream, _WRITTEN))
    if sealed is None:
        return "", keys
    return SealedText(sealed.key_id, sealed.box, sealer.digest(written.encode())), keys


_WRITTEN = "text"
"""What text is sealed for that stands in a fact by itself."""


class PersonalQueries(Queries):
    """Unseals what is about people for those who ask for it."""

    def __init__(self, tenants: Tenants, sealer: Sealer) -> None:
        super().__init__(tenants)
        self.sealer = sealer

    async def unsealed(
        self, tenant: Tenant, call: Call, about: str, *sealed: tuple[Sealed | None, str]
    ) -> dict[str, dict[str, Any]]:
        """The unsealed data, by the id of its key; without erased data. Each is given with what it is bound to.

        That the caller reads it ``about`` this is noted first; raises NotAllowed where it may not. Nothing as of a
        moment: what is known of people is shown as it is now or not at all.
        """
        if call.as_of is not None:
            return {}
        viewer = call.viewer(about)
        there = {each.key_id: (each, _place_of(each, bound_to)) for each, bound_to in sealed if each is not None}
        if not there:
            return {}
        keys = {
            key_id: key
            for key_id, key in (await tenant.log.keys_of(there)).items()
            if key is not None and (call.only is None or key.subject in call.only)
        }
        await note_keys(tenant.log, viewer, keys)
        sealer = self.sealer.of(tenant.schema)
        return {
            key_id: sealer.unseal(each, keys[key_id], bound_to)
            for key_id, (each, bound_to) in there.items()
            if key_id in keys
        }

    async def text_of(self, tenant: Tenant, call: Call, told: Told, stream: str, personal: bool) -> str:
        """What somebody wrote in a fact of this stream: what is sealed only if it is asked for and was not erased."""
        sealed = None if isinstance(told, str) else told
        unsealed = await self.unsealed(tenant, call, stream, (sealed, stream)) if personal else {}
        return str((content_of(sealed, unsealed) or {}).get("text", "")) or in_plain(told)


def _place_of(sealed: Sealed, bound_to: str) -> str:
    """Where it belongs; text that stands in a fact by itself is given with its stream."""
    return placed(bound_to, _WRITTEN) if isinstance(sealed, SealedText) else bound_to


def content_of(sealed: Sealed | None, unsealed: Mapping[str, dict[str, Any]]) -> dict[str, Any] | None:
    """What is known of a person; None once it was erased."""
    return unsealed.get(sealed.key_id) if sealed is not None else None
