"""Who a contact belongs to: people found by e-mail address and phone number, by keyed hashes alone.

The hashes stand beside the data keys, so that erasing a person ends both and no read model has to know them. The writer
stores them with the facts; old keys are given theirs here, from what they unseal.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple

from adapters.every_tenant import AT_ONCE, REST, EveryTenant
from adapters.people.spellings import formerly, international, mailbox, of_any_tag, phone_spellings, untagged
from adapters.tenants import Tenant, Tenants
from ledger.engine.log import Log
from ledger.engine.registry import Registry
from ledger.engine.sealing import Contacts, Sealer, StoredKey, TenantSealer, Unreadable, placed
from ledger.engine.statements import in_schema
from ledger.facts import Sealed
from ledger.nouns import NOUNS
from ledger.nouns.orders import AddressChanged, DetailsCompleted, OrderPlaced

log = logging.getLogger("fulfilment.contacts")

_HELD = "SELECT key_id, subject, email, phone, coalesce(bound_to, ''), wrapped, epoch FROM {schema}.ledger_keys WHERE "
_BY_CONTACT = f"{_HELD} email = ANY(%(emails)s) UNION {_HELD} phone = ANY(%(phones)s)"
_BY_SUBJECT = f"{_HELD} subject = ANY(%(subjects)s) AND wrapped IS NOT NULL"
_BY_KEY = f"{_HELD} key_id = ANY(%(key_ids)s) AND wrapped IS NOT NULL"


Spelling = list[Contacts]
"""A contact in one spelling, as each epoch hides it."""


class Held(NamedTuple):
    """A key that was not destroyed: whose it is, by which contacts the person is found, and in which order."""

    key_id: str
    subject: str
    email: str | None
    phone: str | None
    order_id: str
    """Empty where it opens no contact."""
    wrapped: bytes
    epoch: int


def known_as(sealer: TenantSealer, email: str, phone: str, country: str = "", *, tags: bool = False) -> list[Spelling]:
    """As what the key table may hold an e-mail address, with all its tags if so, or a number that is dialled there."""
    if email:
        address = mailbox(email)
        spellings = [address, of_any_tag(address), untagged(address)] if tags and address else [address]
        return [sealer.contacts(each, "") for each in dict.fromkeys(spellings) if each]
    spelled = phone_spellings(phone, country)
    hidden = [sealer.contacts("", each) for each in spelled]
    if hidden and (kept := formerly(spelled[0])):
        hidden[0] += sealer.contacts("", kept)
    return hidden


def every_epoch(spellings: Iterable[Spelling]) -> list[Contacts]:
    return [each for spelling in spellings for each in spelling]


async def of_contacts(log: Log, contacts: Iterable[Contacts]) -> list[Held]:
    """The keys of those who gave one of these e-mail addresses or phone numbers; none of whoever was erased."""
    emails, phones = [], []
    for each in contacts:
        emails += [each.email] if each.email else []
        phones += [each.phone] if each.phone else []
    return await _held(log, _BY_CONTACT, emails=emails, phones=phones)


async def of_subjects(log: Log, subjects: Iterable[str]) -> list[Held]:
    """All keys of these subjects."""
    return await _held(log, _BY_SUBJECT, subjects=list(subjects))


async def beside(log: Log, sealer: TenantSealer, held: Iterable[Held]) -> list[Held]:
    """All keys with a contact that one of these has, too, whatever their epochs."""
    known = [sealer.hashes_in(each.email, each.phone, each.wrapped, each.epoch) for each in held]
    return await of_contacts(log, [spelled for each in known for spelled in sealer.spelled(*each)])


async def orders_of(log: Log, sealer: TenantSealer, contacts: Iterable[Contacts]) -> list[str]:
    """All orders of those who gave this e-mail address or this phone number; none of whoever was erased."""
    return await _orders(log, sealer, await of_contacts(log, contacts))


async def orders_beside(log: Log, sealer: TenantSealer, key_ids: Iterable[str]) -> list[str]:
    """The same by all contacts that are sealed under these keys."""
    held = await _held(log, _BY_KEY, key_ids=list(key_ids))
    return await _orders(log, sealer, held + await beside(log, sealer, held))


async def _orders(log: Log, sealer: TenantSealer, found: list[Held]) -> list[str]:
    """Who is found by a phone number is known by the e-mail address as well; in old orders, by a pseudonym."""
    same = await beside(log, sealer, [each._replace(phone=None) for each in found])
    same += await of_subjects(log, {each.subject for each in found})
    return list(dict.fromkeys(each.order_id for each in found + same if each.order_id))


async def _held(log: Log, query: str, **parameters: list[str]) -> list[Held]:
    if not any(parameters.values()):
        return []
    async with log.pool.connection() as connection:
        return [
            Held._make(row)
            for row in await (await connection.execute(in_schema(query, log.schema), parameters)).fetchall()
        ]


# --- old keys ---------------------------------------------------------------------------------

_LOOK_SECONDS = REST.total_seconds()
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
    UPDATE {schema}.ledger_keys AS k SET email = found.email, phone = found.phone, bound_to = found.bound_to,
        purpose = 'customer'
    FROM unnest(%s::text[], %s::bytea[], %s::text[], %s::text[], %s::text[])
        AS found (key_id, wrapped, email, phone, bound_to)
    WHERE k.key_id = found.key_id AND k.wrapped = found.wrapped
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

    async def finish(self, name: str) -> None:
        """All of a tenant's keys, so that whoever is known by them alone is found."""
        while not await self.tick(name):
            pass

    async def tick(self, name: str) -> timedelta:
        """Some more of a tenant's keys; how long there is nothing to do."""
        tenant = await self._tenants.find(name)
        async with tenant.log.pool.connection() as connection:
            left = await (await connection.execute(in_schema(_LEFT, tenant.schema))).fetchone()
            if left is None:
                return REST
            where = {"after": self._after.get(name, 0), "until": left[0], "topics": list(_WITH_PEOPLE)}
            cursor = await connection.execute(in_schema(_FACTS, tenant.schema), {**where, "limit": _FACTS_AT_ONCE})
            rows = await cursor.fetchall()
            if not rows:
                await connection.execute(in_schema(_DONE, tenant.schema))
                return REST
        await self._remember(tenant, [_REGISTRY.decode(topic, state) for _, topic, state in rows])
        self._after[name] = rows[-1][0]
        return AT_ONCE

    async def _remember(self, tenant: Tenant, facts: Iterable[Any]) -> None:
        sealed = [
            (fact.customer, getattr(fact, "sealed_for", "") or fact.order_id, _country(fact))
            for fact in facts
            if fact.customer
        ]
        keys, sealer = (
            await tenant.log.keys_of(customer.key_id for customer, _, _ in sealed),
            self._sealer.of(tenant.schema),
        )
        found = [
            (customer.key_id, key.wrapped, *contacts, bound_to)
            for customer, bound_to, country in sealed
            if (key := keys.get(customer.key_id)) is not None
            and any(contacts := _contacts(sealer, customer, key, placed(bound_to, "customer"), country))
        ]
        async with tenant.log.pool.connection() as connection:
            columns = [*map(list, zip(*found, strict=True))] or [[], [], [], [], []]
            await connection.execute(in_schema(_REMEMBER, tenant.schema), columns)


def _country(fact: Any) -> str:
    return fact.destination.country if fact.destination is not None else ""


def _contacts(sealer: TenantSealer, customer: Sealed, key: StoredKey, bound_to: str, country: str) -> Contacts:
    try:
        personal = sealer.unseal(customer, key, bound_to)
    except Unreadable as error:
        log.warning("nobody is found by it: %s", error)
        return Contacts(None, None)
    return sealer.stored_as(mailbox(personal.get("email", "")), international(personal.get("phone", ""), country), key)
