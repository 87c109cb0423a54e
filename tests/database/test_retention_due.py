"""What is due to be erased is found by an index: a tenant of which nothing is due costs nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from psycopg.sql import SQL, Identifier

from adapters.database.postgres import open_pool
from ledger.nouns.policies import Policy
from ledger.terms.retention import Retention
from projections.retention import DueData, due
from tests.support.projecting import connect
from tests.support.stalls import EmptyTenant

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = Policy(
    retention=(
        Retention(customer_days=30, texts_days=3650),
        Retention("slow"),
        Retention("mine", 60, from_shipment=True),
    )
)
_FILL = """
    INSERT INTO {table} SELECT channel || '/' || n, kind, channel, %(over)s - n * interval '1 second', %(over)s, NULL
    FROM generate_series(1, 5000) AS n, unnest(ARRAY['mine', 'shop', 'slow']) AS channel,
        unnest(ARRAY['texts', 'letters']) AS kind
"""
_READ = """
    SELECT sum(seq_tup_read), sum(idx_tup_fetch) FROM pg_stat_xact_user_tables
    WHERE relid = %s::regclass
"""


def test_nothing_that_is_not_due_is_read(tenant: EmptyTenant):
    table, kept = f"{tenant.schema}.retention_kept", Identifier(tenant.schema, "retention_kept")
    with connect(tenant) as connection:
        connection.execute(
            SQL(_FILL).format(table=Identifier(tenant.schema, "retention_kept")), {"over": NOW - 100 * DAY}
        )
        connection.execute(SQL("ANALYZE {}").format(Identifier(tenant.schema, "retention_kept")))

    async def asked() -> tuple[list[DueData], int, int]:
        async with open_pool(tenant.conninfo) as pool, pool.connection() as connection, connection.transaction():
            found = await due(connection, tenant.schema, POLICY, NOW, 500)
            row = await (await connection.execute(_READ, (table,))).fetchone()
            assert row is not None
            return found, int(row[0]), int(row[1])

    found, scanned, fetched = asyncio.run(asked())
    assert (found, scanned) == ([], 0)
    assert fetched < 20, "the channels that there are, and no row of them"

    since = NOW - 31 * DAY
    with connect(tenant) as connection:
        insert = SQL("INSERT INTO {} VALUES ('shop/due', 'customer', 'shop', %s, %s, NULL)")
        connection.execute(insert.format(kept), (since, since))
    found, scanned, fetched = asyncio.run(asked())
    assert found == [DueData("shop/due", "customer", since + 30 * DAY, None)]
    assert (scanned, fetched < 20) == (0, True)
