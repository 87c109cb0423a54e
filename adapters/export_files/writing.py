"""Files of rows: CSV and lines of JSON as they come, Parquet from CSV by pyarrow."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

GROUP_BYTES = 16 << 20
"""So much CSV is one row group of Parquet, and all that is kept in memory."""


class ColumnShape(NamedTuple):
    """A column of a file."""

    name: str
    type: str
    """In PostgreSQL."""
    nullable: bool
    meaning: str
    unit: str


class TableShape(NamedTuple):
    """What a file is of."""

    name: str
    meaning: str
    columns: Sequence[ColumnShape]


class RowFile(Protocol):
    """A file that gets rows."""

    def add(self, rows: bytes) -> None: ...

    def end(self) -> None: ...


class HashedFile:
    """A new file that is written once from its beginning to its end, and what it comes to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = 0
        self._sum = hashlib.sha256()
        self._file = path.open("wb")
        self.closed = False

    @property
    def sha256(self) -> str:
        return self._sum.hexdigest()

    def write(self, data: Any) -> int:
        if not self.closed:  # a writer that is given up still writes its end
            self._file.write(data)
            self._sum.update(data)
            self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """The file is on the disk then."""
        if not self.closed:
            self.closed = True
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def abandon(self) -> None:
        """Removes it."""
        self.closed = True
        self._file.close()
        self.path.unlink(missing_ok=True)


class JsonRows:
    """A JSON object in each line."""

    def __init__(self, table: TableShape, to: HashedFile) -> None:
        self._to = to

    def add(self, rows: bytes) -> None:
        self._to.write(rows)

    def end(self) -> None:
        self._to.close()


class CsvRows(JsonRows):
    """CSV with the names of the columns in its first line."""

    def __init__(self, table: TableShape, to: HashedFile) -> None:
        super().__init__(table, to)
        to.write((",".join(each.name for each in table.columns) + "\n").encode())


class ParquetRows:
    """Parquet with the types of the contract, and what each column means as its field's metadata."""

    def __init__(self, table: TableShape, to: HashedFile) -> None:
        import pyarrow as pa
        from pyarrow import csv, parquet

        self._pa, self._csv, self._to = pa, csv, to
        self.schema = schema(table)
        self._convert = csv.ConvertOptions(
            column_types=self.schema,
            null_values=[""],
            true_values=["true"],
            false_values=["false"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        self._read = csv.ReadOptions(column_names=self.schema.names)
        self._writer = parquet.ParquetWriter(pa.PythonFile(to, "w"), self.schema, compression="zstd")
        self._rows: list[bytes] = []
        self._size = 0

    def add(self, rows: bytes) -> None:
        self._rows.append(rows)
        self._size += len(rows)
        if self._size >= GROUP_BYTES:
            self._write()

    def end(self) -> None:
        if self._size:
            self._write()
        self._writer.close()
        self._to.close()

    def _write(self) -> None:
        lines = self._pa.BufferReader(b"".join(self._rows))
        self._rows, self._size = [], 0
        parsing = self._csv.ParseOptions(newlines_in_values=True)
        found = self._csv.read_csv(lines, self._read, parsing, self._convert)
        for field, column in zip(self.schema, found.columns, strict=True):
            if column.null_count and not field.nullable:
                raise ValueError(f"the column {field.name} is empty in a row, which the contract excludes")
        group = self._pa.Table.from_arrays(found.columns, schema=self.schema)
        self._writer.write_table(group, row_group_size=len(group))


def schema(table: TableShape) -> Any:
    """The Arrow schema of a table."""
    import pyarrow as pa

    types = {
        "text": pa.string(),
        "smallint": pa.int16(),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamptz": pa.timestamp("us", "UTC"),
    }
    fields = []
    for each in table.columns:
        says = {"description": each.meaning, **({"unit": each.unit} if each.unit else {})}
        fields.append(pa.field(each.name, types[each.type], each.nullable, says))
    return pa.schema(fields, {"table": table.name, "description": table.meaning})


FORMATS: Mapping[str, Callable[[TableShape, HashedFile], RowFile]] = {
    "parquet": ParquetRows,
    "csv": CsvRows,
    "jsonl": JsonRows,
}


def load(format_: str) -> None:
    """Raises ModuleNotFoundError where what a format takes is not installed."""
    if format_ == "parquet":
        import pyarrow.csv
        import pyarrow.parquet  # noqa: F401
