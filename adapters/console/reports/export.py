"""``fulfilment export``: the tables of the contract for reporting as files, all at once or what changed since."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click

from adapters.console.terminal import files, words
from adapters.console.terminal.client import Trouble, Unreachable
from adapters.console.terminal.commands import Words
from adapters.console.terminal.past import AS_OF
from adapters.console.terminal.progress import WAITING, CountedBar
from adapters.console.terminal.session import Session
from adapters.export_files import manifest, writing
from adapters.export_files.folder import ExportFolder, exporting, goes_on_after
from adapters.export_files.manifest import ExportedFile, ExportManifest, Unusable
from adapters.export_files.writing import ColumnShape, TableShape
from fulfilment.v1 import common_pb2
from fulfilment.v1 import exports_pb2 as pb

GONE = "gone"
"""What went of all tables: whoever goes on needs it beside each of them."""
_WORTH_SAYING_SECONDS = 10
"""Read models are a moment behind whenever something is recorded."""
_PAUSES = (1, 5, 15)
"""Seconds after which what was ended is begun anew, before it is given up: a replica ends what keeps it from
following."""
_ENCODINGS = {"jsonl": pb.ROW_ENCODING_JSON_LINES}


@click.command(cls=Words)
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option("--to", "folder", metavar="DIR", help="The folder of the files; it is made if it is not there.")
@click.option(
    "--format", "format_", type=click.Choice(list(writing.FORMATS)), help="As before in this folder, at first parquet."
)
@click.option(
    "--after",
    type=words.POSITION,
    metavar="POSITION",
    help="Only what changed after it; as a rule what the folder has not yet. 0 begins anew.",
)
@AS_OF
@click.option(
    "--list", "lists", is_flag=True, help="List the tables, or the columns of those named, and write nothing."
)
@click.option("--wait", default=3600.0, show_default=True, metavar="SECONDS", help="How long it may take.")
@click.pass_obj
def export(
    session: Session,
    tables: tuple[str, ...],
    folder: str | None,
    format_: str | None,
    after: int | None,
    as_of: common_pb2.AsOf | None,
    lists: bool,
    wait: float,
) -> None:
    """Write the tables for reporting to files, all of one moment: those named, or all.

    A folder that has an export gets what changed since, in further files; its manifest.json says which files there
    are, and up to which position. It is safe to repeat. What went stands in the table gone. Where the database ends
    it, it begins anew, three times within 21 seconds; until it is whole nothing is changed.

    \b
      fulfilment export --to reporting
      fulfilment export orders parcels --to reporting --format csv
      fulfilment export --to reporting --after 0
      fulfilment export --to year-2025 --as-of 2026-01-01
    """
    known = session.client.call(session.client.exports.ListReportTables, pb.ListReportTablesRequest())
    chosen = _chosen(known, tables)
    if lists:
        _list(session, [each for each in chosen if not tables or each.table in tables], in_full=bool(tables))
        return
    if not folder:
        raise click.UsageError("Name the folder with --to DIR.")
    if after and as_of:
        raise click.UsageError("--as-of writes all rows; it cannot be combined with --after.")
    began = time.monotonic()
    try:
        with manifest.alone(Path(folder)):
            before = manifest.read(Path(folder))
            _require_the_same(session, before, folder, format_, as_of)
            format_ = format_ or (before.format if before else "parquet")
            with files.needing("reports"):
                writing.load(format_)
            manifest.clean(Path(folder), before, [each.table for each in known.tables])
            contract, is_past = known.contract_version, as_of is not None
            draft = partial(ExportFolder, Path(folder), session.tenant_name, contract, format_, before, is_past)
            asked = goes_on_after(before, {each.table: _shape(each) for each in chosen}, 0 if as_of else after)
            request = pb.ExportTablesRequest(
                tables=[pb.TableToExport(table=each.table, after=asked[each.table]) for each in chosen],
                encoding=_ENCODINGS.get(format_, pb.ROW_ENCODING_CSV),
                as_of=as_of,
            )
            made, added, lag = _written(session, draft, chosen, request, wait)
    except Unusable as why:
        raise Trouble(str(why), "EXPORT_UNUSABLE") from None
    except OSError as error:
        raise Trouble(f"{folder} cannot be written: {error.strerror or error}", "UNWRITABLE") from None
    _report(session, made, added, lag, folder, time.monotonic() - began)


# --- what is asked for ----------------------------------------------------------------------------


def _chosen(known: pb.ListReportTablesResponse, named: Sequence[str]) -> list[pb.ExportedTable]:
    """The tables that are named, with what went of them; all if none is."""
    tables = {each.table: each for each in known.tables}
    if unknown := [name for name in named if name not in tables]:
        raise click.BadParameter(
            f"there is no table {', '.join(unknown)}; fulfilment export --list lists them", param_hint="TABLE"
        )
    return [tables[name] for name in dict.fromkeys([*named, GONE])] if named else list(known.tables)


def _shape(table: pb.ExportedTable) -> TableShape:
    columns = [ColumnShape(each.column, each.type, each.nullable, each.meaning, each.unit) for each in table.columns]
    return TableShape(table.table, table.meaning, columns)


def _require_the_same(
    session: Session,
    before: ExportManifest | None,
    folder: str,
    format_: str | None,
    as_of: common_pb2.AsOf | None,
) -> None:
    """A folder has the tables of one tenant in one format, as they are or as they were."""
    if before is None:
        return
    if before.tenant != session.tenant_name:
        raise Unusable(f"{folder} holds tables of {before.tenant}, not of {session.tenant_name}; name another folder")
    if before.as_of is not (as_of is not None):
        holds = "as they were at a moment" if before.as_of else "as they are"
        raise Unusable(f"{folder} holds tables {holds}; name another folder")
    if format_ not in (None, before.format):
        raise Unusable(f"{folder} holds files of {before.format}, not of {format_}; name another folder")


# --- writing --------------------------------------------------------------------------------------


class ExportLag(NamedTuple):
    """How far what was read was behind the log."""

    facts: int
    seconds: int


def _written(
    session: Session,
    draft: Callable[[], ExportFolder],
    chosen: Sequence[pb.ExportedTable],
    request: pb.ExportTablesRequest,
    wait: float,
) -> tuple[ExportManifest, Mapping[str, ExportedFile], ExportLag]:
    """What the folder holds now, and what was added; begun anew where the database or its replica ended it."""
    until, pauses = time.monotonic() + wait, iter(_PAUSES)
    while True:
        folder = draft()
        try:
            added, lag = _write(session, folder, chosen, request, until - time.monotonic())
            return folder.finish(), added, lag
        except Unreachable as trouble:
            pause = next(pauses, None)
            if trouble.reason != "STORAGE_UNAVAILABLE" or pause is None or time.monotonic() + pause > until:
                raise
            session.out.warn(f"{trouble.message.partition('; ')[0]}; it begins anew in {pause} s")
            time.sleep(pause)


def _write(
    session: Session,
    draft: ExportFolder,
    chosen: Sequence[pb.ExportedTable],
    request: pb.ExportTablesRequest,
    wait: float,
) -> tuple[dict[str, ExportedFile], ExportLag]:
    """The files that were added, by their tables."""
    added, lag = {}, ExportLag(0, 0)
    with (
        exporting(draft),
        _progress(session, len(chosen), request.HasField("as_of")) as progress,
        closing(_answers(session, request, wait, progress)) as rows,
    ):
        for table, asked in zip(chosen, request.tables, strict=True):
            progress.begin(table.table)
            draft.begin(_shape(table))
            position = 0
            for answer in rows:
                draft.add(answer.rows, answer.row_count)
                progress.advance(answer.row_count)
                position, lag = answer.position, ExportLag(answer.facts_behind, answer.seconds_behind)
                if answer.table_ends:
                    break
            else:
                raise Trouble(f"the service ended before {table.table} did; nothing was changed", "INCOMPLETE")
            made = draft.end(asked.after, position, list(table.key), table.always_whole)
            if made is not None:
                added[table.table] = made
            progress.end()
    return added, lag


def _answers(
    session: Session, request: pb.ExportTablesRequest, wait: float, progress: ExportBar
) -> Generator[pb.ExportTablesResponse, None, None]:
    """The stream; as of a moment it is asked for again until the read models are folded up to there."""
    until = time.monotonic() + wait
    while True:
        rows = session.client.stream(session.client.exports.ExportTables, request, until - time.monotonic())
        with closing(rows):
            try:
                first = next(rows)
            except Unreachable as trouble:
                if trouble.reason != "PROJECTION_BEHIND" or not request.HasField("as_of"):
                    raise
                progress.fold(int(trouble.details["position"]), int(trouble.details["at_least"]))
                continue
            yield first
            yield from rows
            return


class ExportBar:
    """How far it is, at a terminal on standard error."""

    def __init__(self, bar: CountedBar, tables: int) -> None:
        self._bar, self._tables = bar, tables
        self._table, self._done, self._rows = "", 0, 0

    def fold(self, position: int, until: int) -> None:
        """How far the read models are, before the first table."""
        self._bar.folded(position, until)

    def begin(self, table: str) -> None:
        """Shown with its first rows: before those of the first table the service may fold the log."""
        self._table = table

    def advance(self, rows: int) -> None:
        self._rows += rows
        self._show()

    def end(self) -> None:
        self._done += 1
        self._show()

    def _show(self) -> None:
        counted = f"{self._done} of {self._tables} tables, {self._rows:,} rows"
        self._bar.show(self._table, self._done, self._tables, counted)


@contextmanager
def _progress(session: Session, tables: int, as_of: bool) -> Iterator[ExportBar]:
    with CountedBar.of(session, WAITING if as_of else "waiting for the service") as bar:
        yield ExportBar(bar, tables)


# --- what is told ---------------------------------------------------------------------------------


def _report(
    session: Session,
    made: ExportManifest,
    added: Mapping[str, ExportedFile],
    lag: ExportLag,
    folder: str,
    seconds: float,
) -> None:
    rows = sum(each.rows for each in added.values())
    if session.json:
        listed = [{"table": name, "file": each.file, "rows": each.rows} for name, each in added.items()]
        behind = {"facts_behind": lag.facts, "seconds_behind": lag.seconds}
        session.out.json({"position": made.position, "rows": rows, "files": listed, **behind})
        return
    session.out.table(
        ["table", ">rows", ">bytes", "file"],
        [[name, f"{each.rows:,}", f"{each.bytes:,}", each.file] for name, each in added.items() if each.rows],
    )
    if not rows:
        new = f"is {_behind(lag)}" if lag.seconds >= _WORTH_SAYING_SECONDS else "is as new as the ledger"
        session.out.say(f"Nothing to write up to position {made.position}; {folder} {new}.")
        return
    speed = f", {rows / seconds:,.0f} rows a second" if rows >= 10_000 else ""
    session.out.say(f"{rows:,} rows up to position {made.position} written to {folder} in {seconds:.1f} s{speed}.")
    if lag.seconds >= _WORTH_SAYING_SECONDS and not made.as_of:
        session.out.say(f"That is {_behind(lag)}: the next run writes what is beyond it.")


def _behind(lag: ExportLag) -> str:
    return f"{lag.facts:,} facts behind the ledger, the first of them {lag.seconds:,} s old"


def _list(session: Session, tables: Sequence[pb.ExportedTable], *, in_full: bool) -> None:
    if session.json:
        session.out.json([words.as_json(each) for each in tables])
        return
    if not in_full:
        session.out.table(["table", "what a row is"], [[each.table, each.meaning] for each in tables])
        return
    for table in tables:
        session.out.title(table.table, table.meaning)
        session.out.table(
            ["column", "type", "", "unit", "what"],
            [
                [each.column, each.type, "" if each.nullable else "always", each.unit, each.meaning]
                for each in table.columns
            ],
        )
