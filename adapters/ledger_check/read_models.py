"""Read models beside the facts: each is built anew in temporary tables, and compared where the real one stands.

Nothing of the ledger is touched. The real tables are held still for the comparison alone, by a transaction that sees
them as they were when it began.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from psycopg import Connection, Cursor
from psycopg.sql import SQL, Identifier

from adapters.ledger_check.findings import CheckTally
from ledger.engine.registry import Registry
from ledger.engine.statements import in_schema
from ledger.engine.trouble import in_short
from ledger.nouns import NOUNS
from projections.machine.projection import Projection
from projections.machine.rebuilding import BUILT_FACTS
from projections.machine.streams import Page, Streams
from projections.machine.tables import SHADOW, Table

_TEMPORARY = "pg_temp"
_HAS_TEMPORARY = """
    SELECT current_setting('transaction_read_only') = 'off' AND has_database_privilege(current_database(), 'TEMPORARY')
"""
_STANDS_AT = """
    SELECT name, coalesce(notification_id, 0), shape FROM {schema}.ledger_projections
    LEFT JOIN {schema}.ledger_tracking ON application_name = name
"""
_COUNT = """
    SELECT count(*), coalesce(sum(hash_record_extended(ROW({columns}), 0)::numeric), 0)::text FROM {table}
"""
_DIFFERENT = """
    (SELECT {key} FROM (SELECT {columns} FROM {live} EXCEPT SELECT {columns} FROM {rebuilt}) AS only_live)
    UNION
    (SELECT {key} FROM (SELECT {columns} FROM {rebuilt} EXCEPT SELECT {columns} FROM {live}) AS only_rebuilt)
    LIMIT 5
"""
_KEPT = "SELECT name, shape FROM {schema}.ledger_projections WHERE shape IS NOT NULL"
_HOLD = "LOCK TABLE {tables} IN ACCESS SHARE MODE"
CHECK = "read models"

Told = Callable[[int], None]
"""Hears up to which position they are built."""


def check_read_models(
    connection: Connection[Any], schema: str, projections: Sequence[Projection], tally: CheckTally, told: Told
) -> None:
    """Builds those that are there anew, and compares them. Raises nothing that a damaged fact or table causes."""
    ((has_temporary,),) = connection.execute(_HAS_TEMPORARY).fetchall()
    if not has_temporary:
        tally.not_checked[CHECK] = (
            "they are built anew in temporary tables, which a standby has not and this role may not make; "
            "ask the server itself, or a backup that was restored"
        )
        return
    shapes = dict(connection.execute(in_schema(_KEPT, schema)).fetchall())
    for each in projections:
        if shapes.get(each.name) != each.shape:
            tally.not_checked[f"{CHECK}: {each.name}"] = "this version of the service has not built it yet"
    wanted = [each for each in projections if shapes.get(each.name) == each.shape]
    if wanted:
        _Building(connection, schema, wanted, tally, told).run()


class _Building:
    def __init__(
        self, connection: Connection[Any], schema: str, wanted: list[Projection], tally: CheckTally, told: Told
    ) -> None:
        self._connection = connection
        self._schema = schema
        self._wanted = wanted
        self._tally = tally
        self._told = told
        self._streams = Streams(schema, 0, Registry(NOUNS))

    def run(self) -> None:
        for table in (table for each in self._wanted for table in each.tables):
            for statement in table.create(_TEMPORARY, SHADOW):
                self._connection.execute(statement)
        # Most of the way before the tables are held still.
        self._go_on(min(self._positions().values()))
        if not self._wanted:
            return
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            self._hold(cursor)
            positions = self._positions()
            for each in sorted(self._wanted, key=lambda each: positions[each.name]):
                self._go_on(positions[each.name])
                if each in self._wanted and self._streams.position == positions[each.name]:
                    for table in (table for table in each.tables if table.compared):
                        self._compare(cursor, each, table)
                self._wanted = [other for other in self._wanted if other is not each]

    def _hold(self, cursor: Cursor[Any]) -> None:
        """No rebuild puts other tables in their place; before the transaction sees anything."""
        names = [Identifier(self._schema, table.name) for each in self._wanted for table in each.tables]
        cursor.execute(in_schema(_HOLD, self._schema, tables=SQL(", ").join(names)))

    def _positions(self) -> dict[str, int]:
        found = self._connection.execute(in_schema(_STANDS_AT, self._schema)).fetchall()
        return {name: position for name, position, _ in found if name in {each.name for each in self._wanted}}

    def _go_on(self, up_to: int) -> None:
        """Builds on up to a position; what cannot be built is found, and left."""
        while self._wanted and self._streams.position < up_to:
            try:
                page = self._streams.read(self._connection, BUILT_FACTS, up_to=up_to)
            except Exception as error:  # noqa: BLE001 - whatever a damaged fact does
                self._tally.find(CHECK, f"cannot be built anew: {in_short(error)}", self._streams.position + 1)
                self._wanted = []
                return
            if page is None:
                return
            for each in [*self._wanted]:
                self._apply(each, page)
            self._told(page.position)

    def _apply(self, each: Projection, page: Page) -> None:
        try:
            with self._connection.transaction(), self._connection.cursor() as cursor:
                for written in each.changes(page):
                    written.write(cursor, _TEMPORARY, SHADOW)
        except Exception as error:  # noqa: BLE001 - whatever a damaged fact does
            what = f"{each.name} cannot be built anew: {in_short(error)}"
            self._tally.find(CHECK, what, page.position)
            self._wanted = [other for other in self._wanted if other is not each]

    def _compare(self, cursor: Cursor[Any], each: Projection, table: Table[Any]) -> None:
        live, rebuilt = Identifier(self._schema, table.name), Identifier(_TEMPORARY, table.name + SHADOW)
        columns = SQL(", ").join(map(Identifier, table.compared))
        (was,), (now,) = (
            cursor.execute(in_schema(_COUNT, self._schema, table=name, columns=columns)).fetchall()
            for name in (live, rebuilt)
        )
        self._tally.look(CHECK, was[0])
        if was != now:
            key = SQL(", ").join(map(Identifier, list(table.columns)[: table.key]))
            names = {"key": key, "live": live, "rebuilt": rebuilt, "columns": columns}
            rows = cursor.execute(in_schema(_DIFFERENT, self._schema, **names)).fetchall()
            examples = ", ".join(" ".join(map(str, row)) for row in rows)
            what = f"{table.name} of {each.name} has {was[0]} rows, and {now[0]} if built anew, such as {examples}"
            self._tally.find(CHECK, what, self._streams.position)
