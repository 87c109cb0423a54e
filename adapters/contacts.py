"""Who a contact belongs to: people found by e-mail address and phone number, by keyed hashes alone.

The hashes stand beside the data keys, so that erasing a person ends both and no read model has to know them. The writer
stores them with the facts; old keys are given theirs here, from what they unseal.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, cast

from psycopg.sql import SQL, Identifier

from adapters.every_tenant import EveryTenant
from adapters.tenants import Tenant, Tenants
from ledger.engine.log import Log
from ledger.engine.registry import Registry
from ledger.engine.sealing import Contacts, Sealer, Unreadable
from ledger.facts import Sealed
from ledger.nouns import NOUNS
from ledger.nouns.orders import AddressChanged, DetailsCompleted, OrderPlaced

log = logging.getLogger("fulfilment.contacts")

_ORDERS_OF = """
    WITH given AS ({given}), people AS (
        SELECT k.subject FROM given JOIN {schema}.ledger_keys AS k ON k.email = given.email
        UNION SELECT k.subject FROM given JOIN {schema}.ledger_keys AS k ON k.phone = given.phone
        UNION SELECT given.subject FROM given
    )
    SELECT DISTINCT k.bound_to FROM people JOIN {schema}.ledger_keys AS k USING (subject)
    WHERE k.wrapped IS NOT NULL AND k.bound_to IS NOT NULL
"""
_CONTACTS = "SELECT %(email)s::text AS email, %(phone)s::text AS phone, '' AS subject"
_OF_KEYS = """
    SELECT email, phone, subject FROM {schema}.ledger_keys WHERE key_id = ANY(%(key_ids)s) AND wrapped IS NOT NULL
"""


async def orders_of(log: Log, contacts: Contacts) -> list[str]:
    """All orders of those who gave this e-mail address or this phone number; none of whoever was erased."""
    return await _orders(log, _CONTACTS, contacts._asdict())


async def orders_beside(log: Log, key_ids: Iterable[str]) -> list[str]:
    """The same by all contacts that are sealed under these keys."""
    return await _orders(log, _OF_KEYS, {"key_ids": list(key_ids)})


async def _orders(log: Log, given: str, parameters: dict[str, Any]) -> list[str]:
    query = _ORDERS_OF.replace("{given}", given)
    async with log.pool.connection() as connection:
        return [row[0] for row in await (await connection.execute(_in(log, query), parameters)).fetchall()]


def _in(log: Log, template: str) -> Any:
    return SQL(cast("Any", template)).format(schema=Identifier(log.schema))


# --- old keys ---------------------------------------------------------------------------------

_LOOK_SECONDS = 600.0
_FACTS_AT_ONCE = 500
_WITH_PEOPLE = tuple(fact.fact_name() for fact in (OrderPlaced, DetailsCompleted, AddressChanged))
_REGISTRY = Registry(NOUNS)

_LEFT = "SELECT notification_id FROM {schema}.ledger_tracking WHERE application_name = '__contacts__'"
_DONE = "DELETE FROM {schema}.ledger_tracking WHERE application_name = '__contacts__'"
_FACTS = """
    SELECT notification_id, topic, state FROM {schema}.ledger_events
    WHERE notification_id > %(after)s AND notification_id <= %(until)s AND topic = ANY(%(topics)s)
    ORDER BY notification_id LIMIT %(limit)s
"""
_REMEMBER = """
    UPDATE {schema}.ledger_keys AS k SET email = found.email, phone = found.phone, bound_to = found.bound_to
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS found (key_id, email, phone, bound_to)
    WHERE k.key_id = found.key_id AND k.wrapped IS NOT NULL
"""


class OldContacts:
    """Gives keys from before their contacts: once for each tenant, from its first fact on, beside all else.

    It is begun anew if the process ends meanwhile, and several processes may do it at once.
    """

    def __init__(self, tenants: Tenants, sealer: Sealer) -> None:
        self._tenants = tenants
        self._sealer = sealer
        self._after: dict[str, int] = {}

    async def run(self) -> None:
        await EveryTenant(self._tenants.control, log, self.tick, _LOOK_SECONDS).run()

    async def tick(self, name: str) -> bool:
        """Some more of a tenant's keys; whether there are others left."""
        tenant = await self._tenants.find(name)
        async with tenant.log.pool.connection() as connection:
            left = await (await connection.execute(_in(tenant.log, _LEFT))).fetchone()
            if left is None:
                return False
            where = {"after": self._after.get(name, 0), "until": left[0], "topics": list(_WITH_PEOPLE)}
            cursor = await connection.execute(_in(tenant.log, _FACTS), {**where, "limit": _FACTS_AT_ONCE})
            rows = await cursor.fetchall()
            if not rows:
                await connection.execute(_in(tenant.log, _DONE))
                return False
        await self._remember(tenant, [_REGISTRY.decode(topic, state) for _, topic, state in rows])
        self._after[name] = rows[-1][0]
        return True

    async def _remember(self, tenant: Tenant, facts: Iterable[Any]) -> None:
        sealed = [(fact.customer, getattr(fact, "sealed_for", "") or fact.order_id) for fact in facts if fact.customer]
        keys = await tenant.log.keys_of(customer.key_id for customer, _ in sealed)
        found = [
            (customer.key_id, *contacts, bound_to)
            for customer, bound_to in sealed
            if (wrapped := keys.get(customer.key_id)) is not None
            and any(contacts := self._contacts(tenant.name, customer, wrapped, bound_to))
        ]
        async with tenant.log.pool.connection() as connection:
            columns = [*map(list, zip(*found, strict=True))] or [[], [], [], []]
            await connection.execute(_in(tenant.log, _REMEMBER), columns)

    def _contacts(self, tenant: str, customer: Sealed, wrapped: bytes, bound_to: str) -> Contacts:
        try:
            personal = self._sealer.unseal(customer, wrapped, bound_to)
        except Unreadable as error:
            log.warning("nobody is found by it: %s", error)
            return Contacts(None, None)
        return self._sealer.contacts(tenant, personal.get("email", ""), personal.get("phone", ""))
