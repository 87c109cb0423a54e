"""Evidence is kept sealed beside the log: once for each order, and only until the customer is erased."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from psycopg.sql import SQL, Identifier

from adapters import evidence
from adapters.database.postgres import open_pool
from adapters.evidence import Kept
from ledger.engine.keyring import KeyRing
from ledger.engine.log import Log
from ledger.engine.sealing import Sealer, Unreadable
from tests.support.stalls import EmptyTenant, destroy

DATA = b"%PDF-1.4 a letter of Ann Example"
ANN = Kept(evidence.hash_of(DATA), "order shop/ann")
BOB = Kept(evidence.hash_of(DATA), "order shop/bob")
SEALER = Sealer(KeyRing.of_master_key(b"k" * 32)).of("tenant_stalls")


@asynccontextmanager
async def a_log(tenant: EmptyTenant) -> AsyncIterator[Log]:
    async with open_pool(tenant.conninfo, max_size=2) as pool:
        yield Log(tenant.schema, pool)


async def rows(log: Log, query: str) -> list[Any]:
    async with log.pool.connection() as connection:
        cursor = await connection.execute(SQL(cast("Any", query)).format(Identifier(log.schema)))
        return list(await cursor.fetchall())


async def test_what_is_kept_comes_back_and_stands_nowhere_in_plain(tenant: EmptyTenant):
    async with a_log(tenant) as log:
        await evidence.keep(log, SEALER, ANN, DATA)
        assert await evidence.read(log, SEALER, ANN) == DATA
        ((box,),) = await rows(log, "SELECT box FROM {}.ledger_evidence")
        assert b"Ann" not in box


async def test_the_same_bytes_are_kept_once_for_each_order(tenant: EmptyTenant):
    async with a_log(tenant) as log:
        for kept in (ANN, ANN, BOB):
            await evidence.keep(log, SEALER, kept, DATA)
        assert await rows(log, "SELECT count(*) FROM {}.ledger_evidence") == [(2,)]
        assert await rows(log, "SELECT count(*) FROM {}.ledger_keys") == [(2,)]


async def test_who_is_erased_loses_the_bytes_and_others_do_not(tenant: EmptyTenant):
    async with a_log(tenant) as log:
        await evidence.keep(log, SEALER, ANN, DATA)
        await evidence.keep(log, SEALER, BOB, DATA)
        await destroy(log, ANN.subject)
        assert await evidence.read(log, SEALER, ANN) is None
        assert await evidence.read(log, SEALER, BOB) == DATA
        await evidence.keep(log, SEALER, ANN, DATA)
        assert await evidence.read(log, SEALER, ANN) == DATA, "handed in anew, it is kept anew"


async def test_bytes_that_are_not_what_they_were_are_not_shown(tenant: EmptyTenant):
    async with a_log(tenant) as log:
        await evidence.keep(log, SEALER, ANN, DATA)
        await rows(log, "UPDATE {}.ledger_evidence SET box = set_byte(box, 20, 255 - get_byte(box, 20)) RETURNING 1")
        with pytest.raises(Unreadable):
            await evidence.read(log, SEALER, ANN)
        with pytest.raises(Unreadable):
            await evidence.read(log, SEALER, Kept("0" * 64, "person-ann"))
        await evidence.keep(log, SEALER, Kept("1" * 64, "person-eve"), DATA)
        with pytest.raises(Unreadable, match="another hash"):
            await evidence.read(log, SEALER, Kept("1" * 64, "person-eve"))
