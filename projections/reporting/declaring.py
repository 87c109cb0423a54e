"""How a table of the contract for reporting is declared: a named tuple, with what each column means and counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

from projections.machine.rows import Column, columns_of
from projections.machine.tables import Table, stamped_table


class Means(NamedTuple):
    """What a column says, and what it counts in."""

    meaning: str
    unit: str = ""


class DescribedColumn(NamedTuple):
    """A column as readers see it."""

    name: str
    kind: str
    """Its type in PostgreSQL."""
    may_be_null: bool
    meaning: str
    unit: str
    expression: str
    """What it is in the query of its view."""


class ReportTable(NamedTuple):
    """A table of the contract: what a view of ``reporting_TENANT`` shows, and an export holds."""

    name: str
    row: type[tuple[Any, ...]]
    """Its columns after the position, in their order, the key first; only ever added to at the end."""
    key: int
    source: str
    """The FROM clause, where ``{schema}`` is the tenant's; the rows are called t."""
    expressions: Mapping[str, str]
    """Of columns that are not simply t's."""
    made_in: Table[Any] | None
    """Where its rows are made, if they are made for reporting."""
    read_models: tuple[str, ...] = ("reporting",)
    """Whose rows it shows."""
    always_whole: bool = False
    """Whether rows do not know when they changed: their position is that of the read model."""

    @property
    def rows_table(self) -> Table[Any]:
        assert self.made_in is not None
        return self.made_in

    @property
    def meaning(self) -> str:
        return " ".join((self.row.__doc__ or "").split())

    @property
    def columns_of_row(self) -> Mapping[str, Column]:
        return columns_of(self.row)

    @property
    def columns(self) -> list[DescribedColumn]:
        kinds = self.columns_of_row
        found = [_POSITION._replace(expression=self.expressions.get("position", "t.position"))]
        for name, hint in get_type_hints(self.row, include_extras=True).items():
            says = next(each for each in _marks(hint) if isinstance(each, Means))
            kind = kinds[name].declared
            expression = self.expressions.get(name, f"t.{name}")
            found.append(
                DescribedColumn(
                    name, _TYPES[kind.split(" ")[0]], not kind.endswith("NOT NULL"), says.meaning, says.unit, expression
                )
            )
            if name == "supplier_id" and self.name != "suppliers":
                found.append(_SUPPLIER_NAME)
        return found

    @property
    def key_columns(self) -> list[str]:
        return list(self.columns_of_row)[: self.key]

    @property
    def query(self) -> str:
        """What the view selects; ``{schema}`` is the tenant's."""
        columns = self.columns
        listed = ", ".join(f"{each.expression} AS {each.name}" for each in columns)
        names = " LEFT JOIN {schema}.reporting_suppliers AS s ON s.supplier_id = t.supplier_id"
        source = self.source
        if _SUPPLIER_NAME in columns:
            before, where, after = source.partition(" WHERE ")
            source = before + names + where + after
        return f"SELECT {listed} FROM {source}"  # noqa: S608


_TYPES = {
    "text": "text",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "bool": "boolean",
    "date": "date",
    "timestamptz": "timestamptz",
}

_POSITION = DescribedColumn(
    "position", "bigint", False, "The position of the log by which the row last changed, or a later one.", "", ""
)
_SUPPLIER_NAME = DescribedColumn(
    "supplier_name", "text", True, "The supplier's name as it is now; that it changed moves no position.", "", "s.name"
)


def _marks(hint: Any) -> tuple[Any, ...]:
    return get_args(hint)[1:] if get_origin(hint) is Annotated else ()


def made(name: str, row: type[tuple[Any, ...]], key: int) -> ReportTable:
    """A table whose rows are made for reporting."""
    rows = stamped_table(f"reporting_{name}", row, key)
    return ReportTable(name, row, key, f"{{schema}}.{rows.name} AS t", {}, rows)


def shown(
    name: str, row: type[tuple[Any, ...]], key: int, shown_of: str, source: str, /, **expressions: str
) -> ReportTable:
    """A table that shows the rows of another read model, or other rows of reporting."""
    return ReportTable(
        name=name,
        row=row,
        key=key,
        source=" ".join(source.split()),
        expressions=expressions,
        made_in=None,
        read_models=(shown_of,),
    )


class GoneRow(NamedTuple):
    """A row that was in a table of reporting and is there no more, or went once and came back."""

    table_name: Annotated[str, Means("The table that it was in, with `reporting_` before its name.")]
    key: Annotated[str, Means("The values of its key, a JSON array in the order of the key's columns.")]


GONE = replace(stamped_table("reporting_gone", GoneRow, 2), handed_on=True)
