"""The targets of rates: what the retailer agreed with itself, and with suppliers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ledger.nouns import policies
from ledger.nouns.policies import Policies
from ledger.terms.rates import RateName
from projections.machine.reads import Snapshot

_AGREED = """
    SELECT supplier_id, effective_from, effective_until, acknowledgement_target, response_target, resolution_target
    FROM {performance_agreements}
    WHERE %(supplier_ids)s::text[] IS NULL OR supplier_id = ANY(%(supplier_ids)s)
    ORDER BY supplier_id, effective_from DESC
"""


class TargetsInForce(NamedTuple):
    """The targets in force at one instant."""

    policy: Mapping[RateName, int | None]
    agreed: Mapping[str, Mapping[RateName, int]]
    """By supplier, where an agreement says otherwise."""

    def of(self, supplier_id: str, name: RateName) -> int | None:
        return self.agreed.get(supplier_id, self.policy).get(name, self.policy[name])


class Terms(NamedTuple):
    """What the retailer agreed with itself and with suppliers of targets."""

    policies: Policies
    agreed: Mapping[str, Sequence[tuple[Any, ...]]]
    """Of each supplier with agreed targets: from, until, the targets of AGREED_RATES, the latest first."""

    def at(self, instant: datetime) -> TargetsInForce:
        targets = self.policies.in_force(instant).targets
        agreed = {}
        for supplier_id, rows in self.agreed.items():
            in_force = (row for row in rows if row[0] <= instant and (row[1] is None or instant < row[1]))
            _, _, *found = next(in_force, (None, None))
            agreed[supplier_id] = {
                name: target for name, target in zip(AGREED_RATES, found, strict=False) if target is not None
            }
        return TargetsInForce({name: targets.of(name) for name in RateName}, agreed)


AGREED_RATES = (RateName.ACKNOWLEDGEMENT, RateName.RESPONSE, RateName.RESOLUTION)
"""The rates whose target stands in an agreement; for resolution there is no other."""


async def policies_agreed(at: Snapshot) -> Policies:
    """The retailer's terms, all versions."""
    return await at.state(policies.NOUN, policies.stream()) or Policies()


async def terms_of(at: Snapshot, supplier_ids: Sequence[str] | None) -> Terms:
    agreed: dict[str, list[tuple[Any, ...]]] = {}
    for supplier_id, *terms in await at.rows(_AGREED, {"supplier_ids": supplier_ids}):
        agreed.setdefault(supplier_id, []).append(tuple(terms))
    return Terms(await policies_agreed(at), agreed)
