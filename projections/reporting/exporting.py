"""How rows of the contract leave the ledger: as PostgreSQL writes them, in CSV or as lines of JSON."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, cast

from psycopg.sql import SQL, Composed, Identifier, Literal

from projections.machine.aside import aside
from projections.machine.reads import Where
from projections.reporting import REPORT_TABLES, ReportTable


class RowEncoding(StrEnum):
    """How rows are written."""

    CSV = "csv"
    JSON_LINES = "json_lines"


SETTINGS = """
    SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO', true),
        set_config('enable_seqscan', 'on', true), set_config('statement_timeout', %(timeout)s, true)
"""
"""For the transaction in which rows are copied: whole tables are read, for which no index is of use."""

_AS_CSV = "COPY (SELECT {columns} FROM ({query}) AS r {where}) TO STDOUT (FORMAT csv)"
_AS_JSON = """
    COPY (SELECT row_to_json(r) FROM ({query}) AS r {where}) TO STDOUT (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')
"""
"""JSON has neither of these two characters in it, so that it is written as it is."""


_TRACKING = (
    "WITH ledger_tracking AS (SELECT unnest({names}::text[]) AS application_name, {as_of}::bigint AS notification_id) "
)
"""Read models that are folded aside all stand at their position."""
_TABLE = re.compile(r"\{schema\}\.(\w+)")


def copy_of(table: ReportTable, after: int, encoding: RowEncoding, place: Where) -> Composed:
    """What copies the rows of a table that changed after a position, or all of a table that is always whole."""
    query = _as_of(table, place) if place.as_of else _written(table.query, schema=Identifier(place.schema))
    partly = after and not table.always_whole
    where = SQL("WHERE r.position > {}").format(Literal(after)) if partly else SQL("")
    if encoding is RowEncoding.JSON_LINES:
        return SQL(_AS_JSON).format(query=query, where=where)
    columns = [SQL("r.{}{}").format(Identifier(each.name), _CASTS.get(each.kind, SQL(""))) for each in table.columns]
    return SQL(_AS_CSV).format(columns=SQL(", ").join(columns), query=query, where=where)


def _as_of(table: ReportTable, place: Where) -> Composed:
    """The same query on what is folded aside."""
    query = table.query.replace("{schema}.ledger_tracking", "ledger_tracking")
    tables = {name: Identifier(place.schema, name + aside(place.as_of)) for name in _TABLE.findall(query)}
    names = sorted({name for each in REPORT_TABLES for name in each.read_models})
    return _written(_TRACKING + _TABLE.sub(r"{\1}", query), names=Literal(names), as_of=Literal(place.as_of), **tables)


def _written(query: str, **names: Any) -> Composed:
    return SQL(cast("Any", query)).format(**names)


_CASTS = {"boolean": SQL("::text")}
"""As a text it is true or false, else t or f."""
