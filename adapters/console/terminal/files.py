"""The files that commands write and read: cells that are safe in spreadsheets, one sentence for a bad path."""

from __future__ import annotations

import csv
import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from unicodedata import normalize

import click
from google.protobuf import json_format
from google.protobuf.message import Message

from adapters.console.terminal import words
from adapters.console.terminal.client import Trouble

F = TypeVar("F", bound=Callable[..., Any])
M = TypeVar("M", bound=Message)

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t")


def option_csv(what: str) -> Callable[[F], F]:
    """``--csv FILE``, where - is standard output."""
    return click.option("--csv", "as_csv", metavar="FILE", help=f"{what}; - is standard output.")


def cell(value: object) -> str:
    """A value as a cell that no spreadsheet takes for a formula; numbers stay numbers."""
    text = words.plain(str(value))
    return f"'{text}" if text.startswith(_BEGINS_A_FORMULA) and not _NUMBER.fullmatch(text) else text


def write_csv(path: str | Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """A header and a line for each row, in UTF-8; to standard output where the path is -."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([cell(row[column]) for column in columns] for row in rows)
    if str(path) == "-":
        sys.stdout.write(text.getvalue())
    else:
        write(path, lambda path: path.write_text(text.getvalue(), encoding="utf-8", newline=""))


@contextmanager
def writing_csv(path: str | None, columns: Sequence[str]) -> Iterator[Callable[[Sequence[object]], None]]:
    """The same row by row, for whoever calls what this gives; nothing is written without a path.

    Nobody else may read the file: its rows can be about persons.
    """
    if path is None:
        yield lambda row: None
        return
    try:
        with open(path, "w", encoding="utf-8", newline="", opener=_for_the_owner) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            yield lambda row: writer.writerow([cell(each) for each in row])
    except OSError as error:
        raise Trouble(f"{path} cannot be written: {error.strerror or error}", "UNWRITABLE") from None


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def path(name: str) -> Path:
    """A file that is read piece by piece."""
    found = Path(name)
    if not found.is_file():
        raise Trouble(f"{name} cannot be read: there is no such file", "UNREADABLE")
    return found


def write(path: str | Path, put: Callable[[Path], object]) -> None:
    """Write something to a path, or report in a sentence why that is not possible."""
    try:
        put(Path(path))
    except OSError as error:
        raise Trouble(f"{path} cannot be written: {error.strerror or error}", "UNWRITABLE") from None


def replace(path: Path, data: bytes) -> None:
    """Write a file for its owner alone, and in one step."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def needing(name: str) -> Iterator[None]:
    """For imports of an extra's packages: reports how to install missing ones."""
    try:
        yield
    except ModuleNotFoundError as error:
        how = f"pip install 'fulfilment-server[{name}]'"
        raise Trouble(f"this needs {error.name}, which is not installed: {how}", "EXTRA_MISSING") from None


def read(path: str | Path) -> bytes:
    """The content of a file, or of standard input where the path is -."""
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else Path(path).read_bytes()
    except OSError as error:
        raise Trouble(f"{path} cannot be read: {error.strerror or error}", "UNREADABLE") from None


def text(path: str | Path, content: bytes | None = None) -> str:
    """The content of a file of UTF-8."""
    try:
        return (read(path) if content is None else content).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Trouble(f"{path} is not in UTF-8: {error.reason} at byte {error.start}", "UNREADABLE") from None


def message(path: str | Path, kind: type[M]) -> M:
    """The content of a file as a message, from its protobuf JSON."""
    content = text(path)
    try:
        return json_format.Parse(content, kind())
    except json_format.ParseError as error:
        raise click.UsageError(f"--file is no {kind.DESCRIPTOR.name} in protobuf JSON: {error}") from None


def read_csv(
    path: str | Path, columns: Iterable[str], content: bytes | None = None
) -> Iterator[tuple[int, dict[str | None, Any]]]:
    """The rows of a CSV file as csv.DictReader gives them, each with the line that it ends on."""
    try:
        reader = csv.DictReader(io.StringIO(text(path, content), newline=""))
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing and not reader.fieldnames:
            named = ", ".join(missing)
            raise Trouble(
                f"{path} begins with no names of columns; it needs {named}", "COLUMNS_MISSING", missing=missing
            )
        if missing:
            lacks = " and no column ".join(missing)
            raise Trouble(f"{path} has no column {lacks}", "COLUMNS_MISSING", missing=missing)
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise Trouble(f"{path} cannot be read as CSV: {error}", "UNREADABLE") from None


def rows(
    path: str, content: bytes, required: Sequence[str], optional: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV file that has these columns and no other; what lacks is empty."""
    for line, cells in read_csv(path, required, content):
        unknown = [str(column) for column in cells if column not in (*required, *optional)]
        if unknown:
            known = ", ".join((*required, *optional))
            fault = "more cells than columns" if None in cells else f"a column {', '.join(unknown)}"
            raise Trouble(f"{path}, line {line} has {fault}; its columns are {known}", "COLUMNS_UNKNOWN")
        # Composed, so that what looks the same is the same.
        yield line, {column: normalize("NFC", (cells.get(column) or "").strip()) for column in (*required, *optional)}
