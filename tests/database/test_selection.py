"""Some facts of a long log: those that are selected, each once, and by an index where there is one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import TupleRow

from adapters.database.postgres import open_pool
from ledger.engine import selection
from ledger.engine.log import Log
from ledger.engine.selection import SelectedFacts, Selection
from tests.support.stalls import EmptyTenant
from tests.support.tenants import Tenants

FACTS = 4_000
NAMES = ("order.placed", "order.confirmed", "parcel.linked", "stock.reserved")
BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
"""When the first was recorded; then one a minute."""
_FILL = """
    INSERT INTO {0}.ledger_events
        (originator_id, originator_version, topic, state, notification_id, command, recorded_at)
    SELECT CASE WHEN mod(n, 4) = 0 THEN 'stock-acme/tea' || n / 400 ELSE 'order-shop/' || n / 40 END, n,
        (%s::text[])[mod(n, 4) + 1], '{{}}', n, 'r' || n, %s + n * interval '1 minute'
    FROM generate_series(1, {1}) AS n;
    INSERT INTO {0}.ledger_commands (request_id, fingerprint, position, version, actor)
    SELECT 'r' || n, '', n, 1,
        CASE WHEN mod(n, 1000) = 7 THEN 'mia/ann' WHEN mod(n, 1000) = 8 THEN 'miau' ELSE 'shop' END
    FROM generate_series(1, {1}) AS n
"""


class RecordingLog(Log):
    """Remembers what it asked the database."""

    asked: list[tuple[bytes, Sequence[Any]]]

    async def rows(self, query: bytes, parameters: Sequence[Any] = ()) -> list[TupleRow]:
        self.asked.append((query, parameters))
        return await super().rows(query, parameters)

    def read(self, dsn: str) -> int:
        """How many facts the database looked at for it."""
        with psycopg.connect(dsn) as connection:
            # As the statements of a service are planned in the end: once for all parameters.
            connection.execute("SET plan_cache_mode = force_generic_plan")
            return sum(_looked_at(connection, query, parameters) for query, parameters in self.asked)


def _looked_at(connection: psycopg.Connection[Any], query: bytes, parameters: Sequence[Any]) -> int:
    found = connection.execute(b"EXPLAIN (ANALYZE, FORMAT JSON) " + query, parameters, binary=False).fetchone()
    assert found is not None
    return _tuples(found[0][0]["Plan"])


def _tuples(plan: dict[str, Any]) -> int:
    own = 0
    if plan.get("Relation Name") == "ledger_events" and plan["Node Type"] != "Index Only Scan":
        removed = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
        own = int((plan["Actual Rows"] + removed) * plan["Actual Loops"])
    return own + sum(map(_tuples, plan.get("Plans", ())))


@pytest.fixture(scope="module")
def filled(handed_on: Tenants) -> Iterator[EmptyTenant]:
    """A tenant whose log the tests only read."""
    tenant = handed_on.take()
    yield fill(tenant)
    handed_on.give_back(tenant)


@pytest.fixture
def changed(tenant: EmptyTenant) -> EmptyTenant:
    """A tenant whose log a test changes."""
    return fill(tenant)


def fill(tenant: EmptyTenant) -> EmptyTenant:
    with psycopg.connect(tenant.conninfo, autocommit=True) as connection:
        facts, commands = _FILL.format(tenant.schema, FACTS).split(";")
        connection.execute(facts.encode(), (list(NAMES), BEGAN))
        connection.execute(commands.encode())
        connection.execute(f"ANALYZE {tenant.schema}.ledger_events".encode())
    return tenant


@asynccontextmanager
async def logged(tenant: EmptyTenant) -> AsyncIterator[RecordingLog]:
    async with open_pool(tenant.conninfo) as pool:
        log = RecordingLog(tenant.schema, pool)
        log.asked = []
        yield log


async def selected(log: Log, wanted: Selection, after: int = 0) -> list[int]:
    """The positions of all that are selected."""
    facts, found = SelectedFacts(log, wanted, after), list[int]()
    await facts.begin()
    while not facts.is_at_end:
        found += [past.position for past in await facts.step()]
        assert not found or found[-1] <= facts.position
    assert facts.position >= (found or [0])[-1]
    return found


def minutes(count: float) -> datetime:
    return BEGAN + timedelta(minutes=count)


EVERY = range(1, FACTS + 1)
SELECTED = {
    "everything": (Selection(), list(EVERY)),
    "a stream": (Selection(stream="order-shop/7"), [n for n in EVERY if n // 40 == 7 and n % 4]),
    "a stream that is not there": (Selection(stream="order-shop"), []),
    "a prefix": (Selection(prefix="order-shop/7"), [n for n in EVERY if str(n // 40).startswith("7") and n % 4]),
    "a wide prefix": (Selection(prefix="stock-"), [n for n in EVERY if n % 4 == 0]),
    "a name": (Selection(names=["order.placed"]), [n for n in EVERY if n % 4 == 0]),
    "names with stars": (Selection(names=["order.*", "*_linked", "parcel.l*d"]), [n for n in EVERY if n % 4 < 3]),
    "no pattern of SQL": (Selection(names=["order_placed", "%"]), []),
    "a client": (Selection(actor="mia"), [7, 1007, 2007, 3007]),
    "a person of a client": (Selection(actor="mia/ann"), [7, 1007, 2007, 3007]),
    "another person": (Selection(actor="mia/bob"), []),
    "since": (Selection(since=minutes(3990)), list(range(3990, FACTS + 1))),
    "until": (Selection(until=minutes(5)), [1, 2, 3, 4]),
    "between": (Selection(since=minutes(2000.5), until=minutes(2003)), [2001, 2002]),
    "all at once": (
        Selection(prefix="order-", names=["order.*"], actor="mia", since=minutes(1), until=minutes(5000)),
        [],
    ),
    "some at once": (Selection(prefix="order-", names=["stock.*"], actor="mia", since=minutes(8)), [1007, 2007, 3007]),
}


@pytest.mark.parametrize("what", SELECTED)
async def test_what_is_selected_comes_once_and_in_order(
    filled: EmptyTenant, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    wanted, expected = SELECTED[what]
    async with logged(filled) as log:
        assert await selected(log, wanted) == expected
        assert await selected(log, wanted, 2001) == [n for n in expected if n > 2001]
        monkeypatch.setattr(selection, "FACTS_A_STEP", 20)
        monkeypatch.setattr(selection, "READ_A_STEP", 300)
        monkeypatch.setattr(selection, "MOST_BY_STREAM", 50)
        assert await selected(log, wanted) == expected


@pytest.mark.parametrize(
    "wanted",
    [
        Selection(stream="order-shop/7"),
        Selection(prefix="order-shop/77"),
        Selection(prefix="stock-acme/tea3", names=["x"]),
        Selection(since=minutes(3985)),
        Selection(until=minutes(15)),
        Selection(since=minutes(2000), until=minutes(2015)),
    ],
    ids=str,
)
async def test_a_stream_and_a_time_are_found_by_an_index(filled: EmptyTenant, wanted: Selection) -> None:
    async with logged(filled) as log:
        await selected(log, wanted)
        assert log.read(filled.conninfo) < 300, f"of {FACTS}"


async def test_a_name_has_no_index(filled: EmptyTenant) -> None:
    """So that the test above can fail."""
    async with logged(filled) as log:
        await selected(log, Selection(names=["none"]))
        assert log.read(filled.conninfo) >= FACTS


async def test_a_clock_that_was_put_back_hides_nothing(changed: EmptyTenant) -> None:
    with psycopg.connect(changed.conninfo, autocommit=True) as connection:
        move = f"UPDATE {changed.schema}.ledger_events SET recorded_at = recorded_at - interval '9 minutes'"
        connection.execute(f"{move} WHERE notification_id > 2000".encode())
    async with logged(changed) as log:
        assert await selected(log, Selection(since=minutes(1995), until=minutes(1998))) == [
            *(1995, 1996, 1997),
            *(2004, 2005, 2006),
        ]


async def test_a_step_reads_no_more_than_a_step(filled: EmptyTenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "READ_A_STEP", 1_000)
    async with logged(filled) as log:
        facts = SelectedFacts(log, Selection(names=["none"]), 0)
        await facts.begin()
        assert (await facts.step(), facts.position, facts.is_at_end) == ([], 1_000, False)
        assert (await facts.step(), facts.position) == ([], 2_000)


async def test_long_facts_are_cut_without_a_loss(changed: EmptyTenant) -> None:
    with psycopg.connect(changed.conninfo, autocommit=True) as connection:
        long = f"UPDATE {changed.schema}.ledger_events SET state = convert_to(repeat('x', 900000), 'UTF8')"
        connection.execute(f"{long} WHERE notification_id % 40 IN (1, 2) AND notification_id < 200".encode())
    async with logged(changed) as log:
        wanted = Selection(names=["order.confirmed", "parcel.linked"])
        assert await selected(log, wanted) == [n for n in EVERY if n % 4 in (1, 2)]
        assert await selected(log, wanted._replace(prefix="order-")) == [n for n in EVERY if n % 4 in (1, 2)]


def test_the_plan_of_a_query_is_read() -> None:
    plan = {"Node Type": "Seq Scan", "Relation Name": "ledger_events", "Actual Rows": 2, "Actual Loops": 3}
    assert (
        _tuples(json.loads(json.dumps({"Node Type": "Limit", "Plans": [{**plan, "Rows Removed by Filter": 1}]}))) == 9
    )
