"""Tables in files: CSV in any usual encoding, or Excel; row by row, and never more of them than memory takes."""

from __future__ import annotations

import csv
import re
import zipfile
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder, lookup
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from itertools import count, islice
from pathlib import Path
from typing import IO, Any, NamedTuple

import charset_normalizer
import python_calamine

Cell = str | int | float | bool | datetime | date | time | timedelta

_PART_BYTES = 1 << 20
_SAMPLE_BYTES = 1 << 16
_LEAST_ZEROS = 16
"""Of so many bytes of UTF-16 more than one is zero; a file in UTF-8 may hold one by mistake."""
_LONGEST_LINE = 1 << 20
"""Characters; a file without any line would fill the memory."""
_MOST_COLUMNS = 1000
_DELIMITERS = ",;\t|"
_DELIMITER_LINES = 20
_NOT_LATIN = ["shift_jis", "cp1251", "cp1253"]
"""What spreadsheets write of words that are not Latin, where it is neither Unicode nor Chinese; of equals the first."""
_WORDS_NOT_LATIN = re.compile(rb"[\x80-\xff]{4}")
_CENTRAL_EUROPE = re.compile(r"[a-z][\u00b9\u00b3\u00a3\u00bf\u00bc\u00be]|\u00a3[a-z]|\ufffd", re.IGNORECASE)
"""Letters of Central Europe that read as Western signs, such as the \u0142 that is a small three."""
_HAN = re.compile(r"[\u4e00-\u9fff\u3000-\u303f\uff00-\uffef]")

_LARGEST_EXCEL_BYTES = 200 << 20
_MOST_UNPACKED_BYTES = 1 << 30
_MOST_PARTS = 5000
_MOST_CELLS = 10_000_000
"""Of a sheet from its first to its last row and column: also empty ones between take memory."""
_PLACE = re.compile(rb'\br="([A-Z]{1,3})([0-9]{1,7})"')


class BadTable(Exception):
    """The file cannot be read as a table; a sentence says why, and what to do."""


class FileRow(NamedTuple):
    """A row as a spreadsheet counts it: the names of the columns stand in row 1."""

    number: int
    cells: Sequence[Cell]


class FileTable(NamedTuple):
    """A table that is being read."""

    columns: Sequence[str]
    rows: Iterator[FileRow]
    what: str
    """How it was read, such as "CSV in utf-8, with ; between cells"."""
    rows_about: int
    """How many rows there are, more or less."""


@contextmanager
def table(path: Path, encoding: str = "", delimiter: str = "", sheet: str = "") -> Iterator[FileTable]:
    """A file as a table; what is not said is found. Raises BadTable."""
    try:
        with path.open("rb") as file:
            begins = file.read(4)
        if begins.startswith(b"PK\x03\x04"):
            yield _excel(path, sheet)
        elif begins.startswith(b"\xd0\xcf\x11\xe0"):
            raise BadTable("it is an Excel file of before 2007, or protected by a password; save it as .xlsx or as CSV")
        else:
            with _csv(path, encoding, delimiter) as found:
                yield found
    except OSError as error:
        raise BadTable(f"it cannot be read: {error.strerror or error}") from None


# --- CSV ------------------------------------------------------------------------------------------


@contextmanager
def _csv(path: Path, encoding: str, delimiter: str) -> Iterator[FileTable]:
    found, lines = _encoding(path)
    encoding = encoding or found
    try:
        name = lookup(encoding).name
    except LookupError:
        raise BadTable(f"there is no encoding {encoding[:40]!r}") from None
    with path.open(encoding=encoding, newline="") as file:
        separator = delimiter or _delimiter(file, name)
        file.seek(0)
        records = csv.reader(_lines(file, name), delimiter=separator, strict=True)
        rows = _records(records)
        head = next((row for row in rows if any(row.cells) and not str(row.cells[0]).startswith("sep=")), None)
        if head is None:
            raise BadTable("it is empty")
        shown = {"\t": "tabs"}.get(separator, separator)
        columns = _named([str(each) for each in head.cells])
        yield FileTable(columns, rows, f"CSV in {name}, with {shown} between cells", max(0, lines - 1))


def _encoding(path: Path) -> tuple[str, int]:
    """The encoding of a file, and how many lines it has: found from its first bytes, or all of them."""
    decoder = getincrementaldecoder("utf-8")()
    lines, is_utf8, odd = 0, True, bytearray()
    with path.open("rb") as file:
        head = file.read(_SAMPLE_BYTES)
        file.seek(0)
        while part := file.read(_PART_BYTES):
            lines += part.count(b"\n")
            if is_utf8:
                is_utf8 = _goes_on(decoder, part)
            if len(odd) < _SAMPLE_BYTES:
                odd += b"\n".join(line for line in part[: 4 * _SAMPLE_BYTES].split(b"\n") if not line.isascii())
    if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return "utf-16", lines
    zeros = head[:4096].count(0)
    if is_utf8 and zeros * _LEAST_ZEROS <= len(head[:4096]):
        return "utf-8-sig" if head.startswith(BOM_UTF8) else "utf-8", lines
    if zeros:
        return ("utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"), lines
    return _of_bytes(bytes(odd[:_SAMPLE_BYTES])), lines


def _goes_on(decoder: Any, part: bytes) -> bool:
    try:
        decoder.decode(part)
    except UnicodeDecodeError:
        return False
    return True


def _of_bytes(odd: bytes) -> str:
    """The encoding of lines that are not ASCII. Chinese is looked for first: what is not, hardly reads as it."""
    for encoding in ("gb18030", "big5"):
        text = odd.decode(encoding, "replace")
        strange = [each for each in text if not each.isascii()]
        if strange and "\ufffd" not in text[:-1] and _is_usual(strange, encoding):
            return encoding
    if not _WORDS_NOT_LATIN.search(odd):
        return _latin(odd.decode("cp1252", "replace").lower())
    found = [
        each for each in charset_normalizer.from_bytes(odd, cp_isolation=_NOT_LATIN) if each.encoding in _NOT_LATIN
    ]
    least = min(found, key=lambda each: (each.chaos, -each.coherence, _NOT_LATIN.index(each.encoding)), default=None)
    return least.encoding if least is not None else "cp1252"


def _latin(western: str) -> str:
    """Of a text that was read as Western: letters that no language there has together are those of another."""
    acute = any(each in western for each in "áí")
    if _CENTRAL_EUROPE.search(western) or (acute and any(each in western for each in "øìù")):
        return "cp1250"
    return "cp1254" if not acute and any(each in western for each in "þðý") else "cp1252"


def _is_usual(strange: Sequence[str], encoding: str) -> bool:
    """Whether nearly all of it are characters that people write: both encodings begin with the most used ones."""
    ends = (b"\xb0\xa1", b"\xd7\xfe") if encoding == "gb18030" else (b"\xa4\x40", b"\xc6\x7e")
    usual = 0
    for each in strange:
        raw = each.encode(encoding, "replace")
        usual += ends[0] <= raw <= ends[1] or bool(_HAN.match(each) and raw[:1] in (b"\xa1", b"\xa3"))
    return usual >= 0.8 * len(strange)


def _delimiter(file: IO[str], encoding: str) -> str:
    """That with which the first lines have the most cells, and most often equally many."""
    lines = [line for line in islice(_lines(file, encoding), _DELIMITER_LINES) if line.strip()]
    if lines and (said := re.fullmatch(r"sep=(.)\s*", lines[0])):
        return said[1]
    scores = {}
    for each in _DELIMITERS:
        try:
            widths = Counter(len(row) for row in csv.reader(lines, delimiter=each) if row)
        except csv.Error:
            continue
        width, times = widths.most_common(1)[0] if widths else (1, 0)
        scores[each] = (width > 1, times / max(1, widths.total()), width)
    return max(scores, key=scores.__getitem__, default=",")


def _lines(file: IO[str], encoding: str) -> Iterator[str]:
    while True:
        try:
            line = file.readline(_LONGEST_LINE)
        except UnicodeError:
            raise BadTable(f"it is not in {encoding} all through; say its encoding") from None
        if len(line) >= _LONGEST_LINE:
            raise BadTable(f"a line is longer than {_LONGEST_LINE:,} characters; is it a table?")
        if not line:
            return
        yield line


def _records(records: Iterator[list[str]]) -> Iterator[FileRow]:
    """Row by row. What follows one that is broken is not read: a quotation mark that lacks has swallowed some of it."""
    for number in count(1):
        try:
            cells = next(records, None)
        except csv.Error as error:
            why = "a cell that is too long" if "field larger" in str(error) else f"no CSV ({error})"
            raise BadTable(
                f"row {number:,} has {why}; mend its quotation marks, from there on nothing was read"
            ) from None
        if cells is None:
            return
        yield FileRow(number, cells)


def _named(cells: Sequence[str]) -> Sequence[str]:
    if len(cells) > _MOST_COLUMNS:
        raise BadTable(f"it has {len(cells):,} columns, {_MOST_COLUMNS:,} at most")
    return [each.strip().lstrip("\ufeff") for each in cells]


# --- Excel ----------------------------------------------------------------------------------------


def _excel(path: Path, sheet: str) -> FileTable:
    if path.stat().st_size > _LARGEST_EXCEL_BYTES:
        raise BadTable(f"it is larger than {_LARGEST_EXCEL_BYTES >> 20} MiB; save it as CSV")
    _require_bounded(path)
    try:
        book = python_calamine.load_workbook(path)
        name = sheet or next(iter(book.sheet_names), "")
        if name not in book.sheet_names:
            raise BadTable(f"it has no sheet {name[:40]!r}; there are {', '.join(book.sheet_names[:20])}")
        found = book.get_sheet_by_name(name)
        rows = _of_sheet(found)
        head = next((row for row in rows if any(each != "" for each in row.cells)), None)
    except BadTable:
        raise
    except BaseException as error:  # its reader is written in Rust, whose mistakes are none of Exception
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
            raise
        raise BadTable(f"it cannot be read as Excel ({type(error).__name__}); save it again, or as CSV") from None
    if head is None:
        raise BadTable(f"its sheet {name!r} is empty")
    columns = _named([str(each) for each in head.cells])
    return FileTable(columns, rows, f"Excel, its sheet {name!r}", max(0, found.height - 1))


def _of_sheet(sheet: python_calamine.CalamineSheet) -> Iterator[FileRow]:
    for number, cells in enumerate(sheet.iter_rows(), 1):
        yield FileRow(number, cells)


def _require_bounded(path: Path) -> None:
    """Raises BadTable if it unpacks to more than memory takes: it is unpacked once and counted, part by part."""
    left = _MOST_UNPACKED_BYTES
    try:
        with zipfile.ZipFile(path) as packed:
            parts = packed.infolist()
            if len(parts) > _MOST_PARTS or sum(each.file_size for each in parts) > left:
                raise BadTable(f"it unpacks to more than {_MOST_UNPACKED_BYTES >> 20} MiB; save it as CSV")
            for each in parts:
                with packed.open(each) as part:
                    left -= _unpacked_bytes(part, is_sheet=each.filename.startswith("xl/worksheets/"))
    except BadTable:
        raise
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
        raise BadTable(f"it cannot be unpacked ({type(error).__name__}); save it again, or as CSV") from None


def _unpacked_bytes(part: IO[bytes], *, is_sheet: bool) -> int:
    """How long a part is. Where its header lies about that, reading it fails."""
    size, last_row, last_column, rest = 0, 0, 0, b""
    while chunk := part.read(_PART_BYTES):
        size += len(chunk)
        if is_sheet:
            places = _PLACE.findall(rest + chunk)
            rest = chunk[-32:]
            last_row = max([last_row, *(int(row) for _, row in places)])
            last_column = max([last_column, *map(_column, {letters for letters, _ in places})])
            if last_row * last_column > _MOST_CELLS:
                raise BadTable(
                    f"its cells reach to row {last_row:,} and column {last_column:,}; delete what lies behind the table"
                )
    return size


def _column(letters: Iterable[int]) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
