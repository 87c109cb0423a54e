"""No statement is of the kinds that Citus does not take: neither in the code, nor as it is sent in any test here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from adapters.database.control import Control
from adapters.database.migrations import CONTROL_MIGRATIONS, TENANT_MIGRATIONS
from adapters.database.postgres import open_pool
from projections import PROJECTIONS
from projections.machine import awake
from projections.machine.tables import SHADOW
from tests.support.portable import HOUSE, ROOMS, VOLATILE, NotPortable, not_portable
from tests.support.stalls import EmptyTenant

_VERB = re.compile(
    r"\s*(?:--[^\n]*\n\s*)*(?:SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|CREATE|ALTER|DROP|LOCK|SET|TRUNCATE|COPY|GRANT|REVOKE"
    r"|COMMENT)\s"
)
MIGRATIONS = [
    statement
    for each in (*CONTROL_MIGRATIONS, *TENANT_MIGRATIONS)
    for statement in each.split(";")
    if statement.strip()
]


def files() -> list[Path]:
    return [
        path for room in ROOMS for path in ([HOUSE / room] if room.endswith(".py") else (HOUSE / room).rglob("*.py"))
    ]


def literals(source: str) -> Iterator[tuple[int, str]]:
    """Every text of a module, with its line; what is put into it stands as an ellipsis."""
    tree = ast.parse(source)
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "{...}" for part in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str | bytes) and id(node) not in inside:
            yield node.lineno, node.value if isinstance(node.value, str) else node.value.decode(errors="replace")


def statements() -> Iterator[tuple[str, str]]:
    """What looks like SQL in the code, and where; migrations are sent in pieces, at their semicolons."""
    for path in files():
        for line, text in literals(path.read_text()):
            if _VERB.match(text):
                for part in text.split(";") if path.name == "migrations.py" else [text]:
                    yield f"{path.relative_to(HOUSE)}:{line}", part


def test_no_statement_in_the_code_is_of_a_kind_that_citus_does_not_take():
    found = list(statements())
    assert len(found) > 200
    assert [f"{where}: {why}" for where, statement in found if (why := not_portable(statement))] == []


@pytest.mark.parametrize("statement", dict.fromkeys(MIGRATIONS))
def test_no_migration_is(statement: str):
    assert not_portable(statement) == ""


def test_no_column_of_a_tenant_is_filled_by_something_volatile(tenant: EmptyTenant):
    """What an INSERT ... SELECT leaves out is put into it before Citus sees it."""
    with psycopg.connect(tenant.conninfo) as connection:
        query = """
            SELECT attrelid::regclass::text, attname, pg_get_expr(adbin, adrelid) FROM pg_attrdef
            JOIN pg_attribute ON (attrelid, attnum) = (adrelid, adnum) JOIN pg_class ON pg_class.oid = adrelid
            WHERE relnamespace = %s::regnamespace
        """
        found = connection.execute(query, (tenant.schema,)).fetchall()
    assert len(found) > 10
    assert [each for each in found if VOLATILE.search(each[2])] == []


def test_no_table_of_a_read_model_is_made_in_such_a_way(conninfo: str):
    with psycopg.connect(conninfo) as connection:
        made = [
            statement.as_string(connection)
            for projection in PROJECTIONS
            for table in projection.tables
            for suffix in ("", SHADOW)
            for statement in table.create("tenant_shop", suffix)
        ]
    assert [why for statement in made if (why := not_portable(statement))] == []


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("SELECT 1; SELECT 2", "two statements at once"),
        ("SELECT ';' -- ;\n;", ""),
        ("ALTER TABLE a.b ADD c text UNIQUE", "a constraint within ADD column"),
        ("ALTER TABLE a.b ADD COLUMN x int, ADD c text CHECK (c IN ('a', 'b'))", "a constraint within ADD column"),
        ("-- why\n ALTER TABLE a.b /* as */ ADD c text UNIQUE", "a constraint within ADD column"),
        ("ALTER TABLE a.b ADD c numeric(10, 2) UNIQUE", "a constraint within ADD column"),
        ("ALTER TABLE a.b ADD c numeric(10, 2), ADD CONSTRAINT c_key UNIQUE (c)", ""),
        ("ALTER TABLE a.b ADD c text NOT NULL DEFAULT ''", ""),
        ("ALTER TABLE a.b ADD CONSTRAINT c_key UNIQUE (c)", ""),
        ("UPDATE a.b SET c = clock_timestamp()", "the volatile clock_timestamp in UPDATE or INSERT ... SELECT"),
        ("UPDATE a.b AS t SET c = 1 WHERE pg_try_advisory_xact_lock(1)", "the volatile pg_try_advisory_xact_lock in"),
        ("INSERT INTO a.b (c) SELECT random() FROM a.d", "the volatile random in UPDATE or INSERT ... SELECT"),
        ("WITH n AS (INSERT INTO a.b SELECT gen_random_uuid()) SELECT 1", "the volatile gen_random_uuid in UPDATE or"),
        ('UPDATE "a"."b" "t" SET c = random()', "the volatile random in UPDATE or INSERT ... SELECT"),
        ("MERGE INTO a.b USING a.d ON true WHEN MATCHED THEN UPDATE SET c = random()", "the volatile random in UPDATE"),
        ("SELECT random() FROM a.b FOR UPDATE", ""),
        ("INSERT INTO a.b VALUES (clock_timestamp())", ""),
        ("INSERT INTO a.b VALUES (clock_timestamp()) ON CONFLICT (c) DO UPDATE SET d = 1", "the volatile clock_"),
        ("SELECT clock_timestamp() FROM a.b FOR UPDATE", ""),
        ("UPDATE a.b SET c = now()", ""),
    ],
)
def test_each_kind_is_known(statement: str, why: str):
    assert not_portable(statement).startswith(why)
    assert bool(not_portable(statement)) == bool(why)


def test_every_function_that_is_called_and_volatile_is_known_as_such(conninfo: str):
    called = {name for _, statement in statements() for name in re.findall(r"\b([a-z_0-9]+)\s*\(", statement)}
    with psycopg.connect(conninfo) as connection:
        query = "SELECT proname FROM pg_proc WHERE provolatile = 'v' AND prokind = 'f' AND proname = ANY(%s)"
        volatile = {name for (name,) in connection.execute(query, (sorted(called),)).fetchall()}
    assert volatile >= {"clock_timestamp", "set_config"}
    assert {name for name in volatile if not VOLATILE.search(f"{name}(")} == set()


async def test_what_is_sent_is_looked_at_wherever_it_was_made(tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(awake, "_WAKE", "UPDATE fulfilment.tenants SET awake_until = clock_timestamp()")
    async with open_pool(tenant.conninfo) as pool:
        await Control(pool).list_tenants()
        async with pool.connection() as connection:
            with pytest.raises(
                NotPortable, match=r"projections/machine/awake\.py:\d+ sent the volatile clock_timestamp"
            ):
                await awake.wake(connection, tenant.schema)
