"""What a batch appends is stored as it is, and found again, by whatever name."""

from __future__ import annotations

from typing import Any

from psycopg.sql import SQL, Identifier

from adapters.database.postgres import open_pool
from ledger.engine.log import Log
from ledger.engine.log_rows import EVERYTHING, Appending, Outcome
from ledger.engine.sealing import KeyRow
from tests.support.stalls import EmptyTenant

_ODD = [
    "plain",
    'a "quoted" one',
    "back\\slash\\",
    "{braces, and commas}",
    "\x05name\x1f1",
    "naïve 訂單 🧾",
    "NULL",
    "",
    " ",
]
_STORED = {
    "ledger_events": "originator_id, originator_version, topic, state, notification_id, command",
    "ledger_commands": "request_id, fingerprint, actor, position, version, refusal::text, warnings::text",
    "ledger_keys": "key_id, subject, wrapped, email, phone, bound_to, epoch, purpose",
}


def rows_of(names: list[str]) -> Appending:
    """Of a command for each name: a fact, a key and an outcome, with each column once null that can be."""
    facts = [
        (name, 2**40, f"topic {name}", f'{{"says": "{index} é"}}'.encode(), name) for index, name in enumerate(names)
    ]
    keys = [
        KeyRow(
            f"key {name}",
            name,
            wrapped=bytes(range(256)),
            email=name if index % 2 else None,
            phone=None if index % 2 else name,
            bound_to=name if index % 2 else None,
            epoch=index,
            purpose=None if index % 3 else name,
        )
        for index, name in enumerate(names)
    ]
    outcomes = [
        Outcome(
            name,
            b"" if index else bytes(37),
            name,
            index,
            0,
            None if index % 2 else '{"reason": "NO", "at": [1, null]}',
        )
        for index, name in enumerate(names)
    ]
    return Appending(facts, outcomes, keys)


async def stored(tenant: EmptyTenant) -> dict[str, list[Any]]:
    async with open_pool(tenant.conninfo) as pool, pool.connection() as connection:
        found = {}
        for table, columns in _STORED.items():
            query = SQL(f"SELECT {columns} FROM {{}} ORDER BY 1").format(Identifier(tenant.schema, table))
            found[table] = await (await connection.execute(query)).fetchall()
        return found


async def test_what_is_stored_is_what_was_given(tenant: EmptyTenant):
    rows = rows_of(_ODD)
    async with open_pool(tenant.conninfo) as pool, pool.connection() as connection:
        log = Log(tenant.schema, pool)
        await log.open(connection, [], False, after=0, streams=[], most=EVERYTHING)
        await log.append(connection, 0, rows)
    found = await stored(tenant)
    located = [(*fact[:4], position, fact[4]) for position, fact in enumerate(rows.facts, 1)]
    assert sorted(found["ledger_events"]) == sorted(located)
    assert sorted(found["ledger_keys"]) == sorted(map(tuple, rows.keys))
    assert sorted(each[:5] for each in found["ledger_commands"]) == sorted(each[:5] for each in rows.outcomes)
    assert [each[0] for each in found["ledger_commands"] if each[5]] == sorted(_ODD[::2], key=str.encode)


async def test_a_batch_finds_what_it_asks_for_by_whatever_name(tenant: EmptyTenant):
    async with open_pool(tenant.conninfo) as pool, pool.connection() as connection:
        log = Log(tenant.schema, pool)
        await log.open(connection, [], False, after=0, streams=[], most=EVERYTHING)
        await log.append(connection, 0, rows_of(_ODD))
        for name in _ODD:
            opening = await log.open(connection, [name], False, after=len(_ODD) - 2, streams=[name], most=100)
            await log.abandon(connection)
            assert [each.request_id for each in opening.outcomes] == [name]
            assert [stream for stream, *_ in opening.streams] == [name]
            assert [position for position, *_ in opening.tail] == [len(_ODD) - 1, len(_ODD)]
        opening = await log.open(connection, _ODD, False, after=len(_ODD), streams=_ODD, most=2)
        await log.abandon(connection)
        assert (len(opening.outcomes), len(opening.streams), opening.tail) == (len(_ODD), 3, [])
