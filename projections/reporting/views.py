"""The views of the contract: made in a schema of their own, with what they mean as comments of the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from psycopg.sql import SQL, Composed, Identifier, Literal

from projections.reporting import REPORT_TABLES
from projections.reporting.declaring import DescribedColumn, ReportTable

CONTRACT_VERSION = 2
"""Raised with every table or column that is added, and where one was said to mean something else than it does: then the
service renews the views and their comments by itself."""

_PREFIX = "reporting_"
_CONTRACT = "The version of the contract, and each table and column of it."


def views_schema(schema: str) -> str:
    """The schema of the views of a tenant, by that of its tables."""
    return _PREFIX + schema.removeprefix("tenant_")


def statements(schema: str) -> Iterator[Composed]:
    """What makes the views on the tables of a tenant's schema, or brings them up to date; what was granted stays."""
    views = views_schema(schema)
    names = {"views": Identifier(views), "schema": Identifier(schema)}

    def do(template: str, **more: Any) -> Composed:
        return SQL(cast("Any", template)).format(**names, **more)

    about = f"The contract for reporting, version {CONTRACT_VERSION}: tables and columns are only ever added."
    yield do("COMMENT ON SCHEMA {views} IS {about}", about=Literal(about))
    for each in REPORT_TABLES:
        view = Identifier(views, each.name)
        yield do(f"CREATE OR REPLACE VIEW {{view}} AS {each.query}", view=view)
        yield do("COMMENT ON VIEW {view} IS {meaning}", view=view, meaning=Literal(each.meaning))
        for column in each.columns:
            of = Identifier(views, each.name, column.name)
            yield do("COMMENT ON COLUMN {of} IS {says}", of=of, says=Literal(comment(column)))
    contract = Identifier(views, "contract")
    yield do(_CONTRACT_VIEW, view=contract, version=Literal(CONTRACT_VERSION), views_name=Literal(views))
    yield do("COMMENT ON VIEW {view} IS {meaning}", view=contract, meaning=Literal(_CONTRACT))
    for name, meaning in _CONTRACT_COLUMNS.items():
        of = Identifier(views, "contract", name)
        yield do("COMMENT ON COLUMN {of} IS {says}", of=of, says=Literal(meaning))


_CONTRACT_COLUMNS = {
    "version": "The version of the contract, the same in every row.",
    "table_name": "The table, which is a view of this schema.",
    "place": "The place of the column in its table, from 1 on.",
    "column_name": "The column.",
    "type": "Its type, as PostgreSQL names it.",
    "meaning": "What it means, and in brackets in what it counts.",
}
_CONTRACT_VIEW = """
    CREATE OR REPLACE VIEW {view} AS
    SELECT {version} AS version, c.relname::text AS table_name, a.attnum::int AS place, a.attname::text AS column_name,
        format_type(a.atttypid, a.atttypmod) AS type, col_description(c.oid, a.attnum) AS meaning
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relnamespace = {views_name}::regnamespace AND c.relkind = 'v'
"""


def comment(column: DescribedColumn) -> str:
    """What a column means, and in what it counts."""
    return f"{column.meaning} [{column.unit}]" if column.unit else column.meaning


def lines(table: ReportTable) -> Iterator[str]:
    """The contract of a table, a line for each column: what may never change."""
    for column in table.columns:
        key = " key" if column.name in table.key_columns else ""
        yield f"{table.name}.{column.name} {column.kind}{key}"
