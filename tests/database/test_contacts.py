"""People found by what they gave as contact: by keyed hashes that stand in no fact and go with the person."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg.sql import SQL, Identifier

from adapters.database.migrations import TENANT_MIGRATIONS
from adapters.database.postgres import open_pool
from adapters.database.schema_versions import migrate
from adapters.every_tenant import REST
from adapters.people.contacts import OldContacts, orders_beside, orders_of
from adapters.tenants import Tenant, Tenants
from ledger.decisions import intake
from ledger.engine.executor import Ledger
from ledger.engine.keyring import KeyRing
from ledger.engine.log import Log
from ledger.engine.sealing import KeyRow, Sealer
from ledger.facts import Sealed
from ledger.nouns import NOUNS
from ledger.nouns.orders import AddressChanged
from ledger.terms.places import Destination
from tests.support.projecting import connect, write_down
from tests.support.scenario import Scenario, a_shop, line
from tests.support.stalls import EmptyTenant, destroy

RING = KeyRing.of_master_key(bytes(range(32)))
SEALER = Sealer(RING)
ANN = {"email": "Ann@Example.org", "phone": "+49 (30) 123-45 67"}


def test_one_contact_is_one_hash_however_it_is_written():
    own = SEALER.of("tenant_shop")
    plain = own.contacts("ann@example.org", "+49301234567")
    for email, phone in (
        (" Ann@Example.ORG ", "0049 30 1234567"),
        ("ANN@example.org", "(+49) 30/123-4567"),
        ("ann@ example.org", "+４９ ３０ １２３４５６７"),
    ):
        assert own.contacts(email, phone) == plain
    assert {*own.contacts("", "ext.")} == {(None, None)}
    others = {own.contacts("bob@example.org", "49301234568")[0], plain[0]}
    assert len({each for both in others for each in both}) == 4


def test_a_hash_needs_the_keys_and_says_nothing_in_another_tenant_or_epoch():
    def known(sealer: Sealer, schema: str = "tenant_shop") -> set[str | None]:
        return {each for both in sealer.of(schema).contacts(**ANN) for each in both}

    here = known(SEALER)
    assert not here & known(SEALER, "tenant_other")
    assert not here & known(Sealer(KeyRing.of_master_key(bytes(32))))
    assert not here & known(Sealer(RING.with_another().with_newest_only()))
    assert here < known(Sealer(RING.with_another())), "while there are two epochs, people are found in both"
    assert not here & {SEALER.subject_of(**ANN, fallback="").removeprefix("person-")}
    assert not any(part in hash_ for hash_ in map(str, here) for part in ("ann", "1234567"))


@asynccontextmanager
async def serving(tenant: EmptyTenant) -> AsyncIterator[tuple[Tenant, OldContacts]]:
    """The tenant as a process serves it, and what gives old keys their contacts."""
    name = tenant.schema.removeprefix("tenant_")
    async with open_pool(tenant.conninfo) as pool:
        log = Log(tenant.schema, pool)
        served = Tenant(name, tenant.schema, log, Ledger(log, NOUNS))

        class _One(Tenants):
            async def find(self, name: str) -> Tenant:
                return served

        yield served, OldContacts(_One(pool), SEALER)


def sealed(personal: dict[str, str], subject: str, order_id: str, keys: list[KeyRow]) -> dict[str, Any]:
    """As versions of before sealed it: bound to the order alone, the key to its id alone."""
    key_id, secret, nonce = os.urandom(16).hex(), os.urandom(32), os.urandom(12)
    box = nonce + AESGCM(secret).encrypt(nonce, msgspec.json.encode(personal), order_id.encode())
    wrapper = AESGCM(RING.epochs[1].derive("wrap data keys"))
    wrapped = nonce + wrapper.encrypt(nonce, secret, key_id.encode())
    keys.append(KeyRow(key_id, subject, wrapped, None, None, None, 1, None))
    return {"customer": Sealed(key_id, box), "subject": subject}


def kept(tenant: EmptyTenant, keys: list[KeyRow]) -> None:
    """As versions of before kept them: without contacts."""
    with connect(tenant) as connection:
        for key in keys:
            insert = f"INSERT INTO {tenant.schema}.ledger_keys (key_id, subject, wrapped) VALUES (%s, %s, %s)"
            connection.execute(insert, key[:3])


def before(tenant: EmptyTenant) -> None:
    """Orders in a database that was made before contacts were kept, and is brought up to date."""
    keys: list[KeyRow] = []
    scenario = a_shop(tea=10)
    scenario.place(line(1, "tea", 1), order_id="shop/1", **sealed(ANN, "person-ann", "shop/1", keys))
    bob = {"phone": "0044 20 7946"}
    scenario.place(line(1, "tea", 1), order_id="shop/2", **sealed(bob, "person-bob", "shop/2", keys))
    _moved(scenario, "shop/2", keys)
    with connect(tenant) as connection:
        connection.execute(
            f"ALTER TABLE {tenant.schema}.ledger_keys DROP email, DROP phone, DROP bound_to, DROP epoch, DROP purpose"
        )
        for table in ("ledger_inbox", "ledger_connections", "ledger_reads", "ledger_snapshots"):
            connection.execute(f"DROP TABLE {tenant.schema}.{table}")
        connection.execute(f"DROP INDEX {tenant.schema}.ledger_commands_marked_idx")
        connection.execute(f"ALTER TABLE {tenant.schema}.ledger_schema DROP works_with")
        connection.execute(f"UPDATE {tenant.schema}.ledger_schema SET version = {_BEFORE}")
    kept(tenant, keys)
    write_down(tenant, scenario.log)
    asyncio.run(_migrate(tenant))


async def key_ids(tenant: EmptyTenant) -> list[str]:
    """Of Ann, Bob and Carol."""
    with connect(tenant) as connection:
        return [
            key for (key,) in connection.execute(f"SELECT key_id FROM {tenant.schema}.ledger_keys ORDER BY subject")
        ]


_BEFORE = next(n for n, each in enumerate(TENANT_MIGRATIONS) if "ledger_keys_email_idx" in each)
"""How many migrations a database had before."""


async def _migrate(tenant: EmptyTenant) -> None:
    async with open_pool(tenant.conninfo) as pool, pool.connection() as connection:
        await migrate(connection, tenant.schema, TENANT_MIGRATIONS)


def _moved(scenario: Scenario, order_id: str, keys: list[KeyRow]) -> None:
    """The order goes to somebody else now."""
    carol = sealed({"email": "carol@example.org"}, "person-carol", order_id, keys)
    changed = AddressChanged(order_id, carol["customer"], Destination("FR"), scenario.now, carol["subject"])
    scenario.record(intake.change_address(scenario.book, changed, scenario.now))


async def test_people_of_orders_from_before_are_found_once_their_keys_were_looked_at(tenant: EmptyTenant):
    await asyncio.to_thread(before, tenant)
    async with serving(tenant) as (served, old):
        own = SEALER.of(served.schema)
        by_mail = own.contacts("ann@example.org", "")
        assert await orders_of(served.log, own, by_mail) == []
        assert not await old.tick(served.name)
        assert await old.tick(served.name) == REST, "all are done"
        assert await orders_of(served.log, own, by_mail) == ["shop/1"]
        assert await orders_of(served.log, own, own.contacts("", "+49301234567")) == ["shop/1"]
        assert await orders_of(served.log, own, own.contacts("", "+44 207946")) == ["shop/2"]
        assert await orders_of(served.log, own, own.contacts("carol@example.org", "")) == ["shop/2"]


async def test_who_was_erased_before_or_since_is_not_found(tenant: EmptyTenant):
    await asyncio.to_thread(before, tenant)
    async with serving(tenant) as (served, old):
        own = SEALER.of(served.schema)
        await destroy(served.log, "person-bob")
        while not await old.tick(served.name):
            pass
        assert await orders_of(served.log, own, own.contacts("", "+44 207946")) == []
        ann, bob, carol = await key_ids(tenant)
        assert await orders_beside(served.log, own, [ann]) == ["shop/1"]
        assert await orders_beside(served.log, own, [bob]) == []
        assert await orders_beside(served.log, own, [carol]) == ["shop/2"]
        await destroy(served.log, "person-ann")
        assert await orders_of(served.log, own, own.contacts(**ANN)) == []
        async with served.log.pool.connection() as connection:
            query = SQL("SELECT email, phone, bound_to FROM {} WHERE subject = 'person-ann'")
            cursor = await connection.execute(query.format(Identifier(tenant.schema, "ledger_keys")))
            assert await cursor.fetchall() == [(None, None, None)]


async def test_a_ledger_that_begins_now_has_no_keys_from_before(tenant: EmptyTenant):
    async with serving(tenant) as (served, old):
        assert await old.tick(served.name) == REST


@pytest.mark.parametrize("damage", [b"x" * 60, b""])
async def test_a_key_that_opens_nothing_keeps_no_other_from_being_found(tenant: EmptyTenant, damage: bytes):
    await asyncio.to_thread(before, tenant)
    async with serving(tenant) as (served, old):
        own = SEALER.of(served.schema)
        async with served.log.pool.connection() as connection:
            spoil = SQL("UPDATE {} SET wrapped = %s WHERE subject = 'person-ann'")
            await connection.execute(spoil.format(Identifier(tenant.schema, "ledger_keys")), (damage,))
        while not await old.tick(served.name):
            pass
        assert await orders_of(served.log, own, own.contacts(**ANN)) == []
        assert await orders_of(served.log, own, own.contacts("", "+44 207946")) == ["shop/2"]
