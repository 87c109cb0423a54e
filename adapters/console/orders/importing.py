"""``fulfilment order import``: orders in CSV and Excel files, by the columns that a connection keeps."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

import click

from adapters.console.edges.connections import find_connection, pair
from adapters.console.terminal import files
from adapters.console.terminal.batches import Bar, Group, Result, send
from adapters.console.terminal.client import Trouble
from adapters.console.terminal.commands import Words
from adapters.console.terminal.sentences import translated
from adapters.console.terminal.session import Session
from adapters.order_files import orders as reading
from adapters.order_files.columns import COLUMNS, OPTIONS, guessed
from adapters.order_files.orders import BadMapping, FileOrder, Places
from adapters.order_files.tables import BadTable, Cell, FileTable, table
from adapters.order_files.values import text
from fulfilment.v1 import batch_pb2, common_pb2, edges_pb2

_SYSTEM = "file"
_MOST_SHOWN = 20
_FIELD = re.compile(r"\bcommands\[\d+\]\.\w+\.")
_LINE = re.compile(r"\blines\[(\d{1,4})\]\.")
_ABOUT_ROWS = ("row", "why")
"""What a file of errors has before the columns of the file."""

Settings = dict[str, str]


@click.command("import", cls=Words)
@click.argument("source", metavar="FILE", required=False, default="")
@click.option("--connection", "name", metavar="NAME", help="Whose columns it has; the channel of its orders.")
@click.option("--map", "maps", metavar="NAME=COLUMN", multiple=True, help="What a column is; NAME==VALUE of all rows.")
@click.option("--set", "sets", metavar="NAME=VALUE", multiple=True, help="A further setting, such as dates=dmy.")
@click.option("--dry-run", is_flag=True, help="Read all of it, say what is wrong, and send none.")
@click.option("--errors", metavar="FILE", help="Write the rows that were not taken, each with its reason, as CSV.")
@click.option("--template", "new", metavar="FILE", help="Write an empty file with all columns instead.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def import_orders(
    session: Session,
    source: str,
    name: str | None,
    maps: Sequence[str],
    sets: Sequence[str],
    dry_run: bool,
    errors: str | None,
    new: str | None,
    yes: bool,
) -> int:
    """Place the orders of a CSV or Excel FILE. The same orders again change nothing.

    Which column is what is found from usual headings in English, Chinese and German, shown, and kept by the
    connection; --map changes it.

    \b
      fulfilment order import orders.xlsx --connection excel --dry-run
      fulfilment order import orders.xlsx --connection excel --map currency==EUR
    """
    if new:
        headings, example = reading.template()
        files.write_csv(new, headings, [dict(zip(headings, example, strict=True))])
        return 0
    if not source or not name:
        raise click.UsageError("Missing FILE or --connection; --template writes a file to begin with.")
    before = kept(session, name)
    given = _given(maps, COLUMNS, "--map") | _given(sets, OPTIONS, "--set")
    asked = (before or {}) | given
    try:
        with table(files.path(source), asked.get("encoding", ""), _delimiter(asked), asked.get("sheet", "")) as found:
            settings = asked if before is not None else guessed(_not_about_rows(found.columns)) | asked
            mapping = {each: said for each, said in settings.items() if each in COLUMNS}
            unused = reading.unused(_not_about_rows(found.columns), mapping)
            places = Places(found.columns, mapping)
            if settings != before:
                _show(session, found, settings)
            if unused and not session.json:
                session.out.say(f"Not used: {', '.join(unused)}")
            if settings != before and not dry_run:
                _keep(session, name, before, settings, yes=yes)
            own = settings | {"channel": settings.get("channel") or name}
            return _Import(session, source, found, places, own, unused).run(errors, dry_run=dry_run)
    except (BadTable, BadMapping) as bad:
        raise Trouble(f"{source}: {bad}", "UNREADABLE") from None


# --- which column is what -------------------------------------------------------------------------


def _given(pairs: Sequence[str], known: Mapping[str, object], option: str) -> Settings:
    found = dict(pair(each, option) for each in pairs)
    for each in found:
        if each not in known:
            raise click.BadParameter(f"{each!r} is not one of {', '.join(known)}", param_hint=option)
    return found


def _delimiter(settings: Settings) -> str:
    said = settings.get("delimiter", "")
    return "\t" if said == "tab" else said


def _not_about_rows(columns: Sequence[str]) -> Sequence[str]:
    """Without what a file of errors has before them, so that it can be mended and imported."""
    return columns[len(_ABOUT_ROWS) :] if tuple(columns[: len(_ABOUT_ROWS)]) == _ABOUT_ROWS else columns


def kept(session: Session, name: str) -> Settings | None:
    """What the connection keeps; None if there is none."""
    known = find_connection(session, name)
    if known is not None and known.system != _SYSTEM:
        raise click.BadParameter(f"{name} is a connection of {known.system}", param_hint="--connection")
    return dict(known.settings) if known is not None else None


def _show(session: Session, found: FileTable, settings: Settings) -> None:
    if session.json:
        return
    session.out.title("Columns", found.what)
    rows = [[name, said, COLUMNS[name].what] for name in COLUMNS if (said := settings.get(name))]
    rows += [[name, said, OPTIONS[name]] for name in OPTIONS if (said := settings.get(name))]
    session.out.table(["name", "column", "what it is"], rows)
    session.out.blank()


def _keep(session: Session, name: str, before: Settings | None, settings: Settings, *, yes: bool) -> None:
    """The next file of the connection has the same columns, unless somebody says otherwise."""
    if not yes:
        click.confirm("Import with these columns, and keep them?", abort=True, err=True)
    add = edges_pb2.AddConnectionRequest(
        context=session.client.context(None), name=name, system=_SYSTEM, settings=settings
    )
    commands = [batch_pb2.BatchCommand(add_connection=add)]
    if before is not None:  # it holds nothing else, so that it is made anew
        remove = edges_pb2.RemoveConnectionRequest(context=session.client.context(None), name=name)
        commands.insert(0, batch_pb2.BatchCommand(remove_connection=remove))
    request = batch_pb2.ExecuteBatchRequest(commands=commands)
    for outcome in session.client.call(session.client.batch.ExecuteBatch, request).outcomes:
        if outcome.HasField("refusal"):
            raise Trouble(translated(outcome.refusal.message), outcome.refusal.reason)


# --- the import -----------------------------------------------------------------------------------


class _Import:
    """One file on its way."""

    def __init__(
        self,
        session: Session,
        source: str,
        found: FileTable,
        places: Places,
        settings: Settings,
        unused: Sequence[str],
    ) -> None:
        self._session = session
        self._source = source
        self._table = found
        self._unused = unused
        self._orders = reading.orders(found.rows, places, settings["channel"], settings)

    def run(self, errors: str | None, *, dry_run: bool) -> int:
        with files.writing_csv(errors, (*_ABOUT_ROWS, *_not_about_rows(self._table.columns))) as write:
            result = _FileResult(self._table, write)
            if dry_run:
                deque(self._read(result), maxlen=0)
            else:
                self._send(result)
        self._report(result, errors, dry_run=dry_run)
        if result.broken:
            raise Trouble(result.broken, "UNREADABLE")
        return 1 if result.failed else 0

    def _send(self, result: _FileResult) -> None:
        try:
            with _RowBar(self._session, result) as bar:
                bar.begin("rows", max(1, self._table.rows_about))
                send(self._session.client, self._groups(result), result, bar)
        except Trouble as trouble:
            trouble.message += "; run the same command again to go on where it stopped"
            raise

    def _read(self, result: _FileResult) -> Iterator[FileOrder]:
        """The orders up to the end, or to where the file is broken."""
        try:
            for each in self._orders:
                result.read(each)
                yield each
        except BadTable as bad:
            result.broken = f"{self._source}: {bad}"

    def _groups(self, result: _FileResult) -> Iterator[Group]:
        for each in self._read(result):
            if each.request is not None:
                request = each.request
                known_as = reading.request_id(request)
                request.context.CopyFrom(self._session.client.context(known_as))
                result.sent[known_as] = each
                yield [batch_pb2.BatchCommand(place_order=request)]

    def _report(self, result: _FileResult, errors: str | None, *, dry_run: bool) -> None:
        out, shown = self._session.out, result.shown
        new, known = result.applied.total(), result.replayed.total()
        if self._session.json:
            problems = [dict(zip(("row", "order", "reason"), each, strict=True)) for each in shown]
            counts = {"rows": result.rows, "orders": result.orders, "applied": new, "replayed": known}
            more = {"problems": problems, "unused": list(self._unused)}
            out.json({**counts, "failed": result.failed, "dry_run": dry_run, **more})
            return
        came = "nothing was sent" if dry_run else f"{new:,} recorded, {known:,} known already"
        out.say(f"{result.rows:,} rows, {result.orders:,} orders: {came}, {result.failed:,} not taken.")
        for row, number, why in shown:
            out.say(f"row {row}{f', order {number}' if number else ''}: {why}")
        if result.failed > len(shown):
            out.say(f"... and {result.failed - len(shown):,} more; --errors FILE writes all.", style="dim")
        if errors and result.failed:
            out.say(f"{errors} has their rows: mend them there, and import that file.")


class _FileResult(Result):
    """What came of the orders of a file; it holds those alone that are under way."""

    def __init__(self, found: FileTable, write: Callable[[Sequence[object]], None]) -> None:
        super().__init__()
        self._skip = len(found.columns) - len(_not_about_rows(found.columns))
        self._write = write
        self.sent: dict[str, FileOrder] = {}
        self.rows = self.orders = self.failed = self.settled_rows = 0
        self.shown: list[tuple[int, str, str]] = []
        self.broken = ""
        """Why the rest of the file was not read, if it was not."""

    def read(self, order: FileOrder) -> None:
        self.orders += 1
        self.rows += len(order.rows)
        if order.request is None:
            self._fail(order, "; ".join(order.faults))
            self.settled_rows += len(order.rows)

    def _fail(self, order: FileOrder, why: str) -> None:
        self.failed += 1
        if len(self.shown) < _MOST_SHOWN:
            self.shown.append((order.rows[0].number, order.number[:100], why))
        for row in order.rows:
            self._write((row.number, why, *(_as_it_was(each) for each in row.cells[self._skip :])))

    def _add_receipt(self, which: str, request_id: str, receipt: common_pb2.Receipt) -> None:
        super()._add_receipt(which, request_id, receipt)
        self.settled_rows += len(self.sent.pop(request_id).rows)

    def _add_refusal(self, request_id: str, refusal: batch_pb2.BatchRefusal) -> None:
        order = self.sent.pop(request_id)
        self.settled_rows += len(order.rows)
        message = _FIELD.sub("", refusal.message)
        if order.request is not None and len(order.request.lines) == len(order.rows):
            message = _LINE.sub(lambda line: f"row {order.rows[int(line[1])].number}, ", message)
        self._fail(order, f"{translated(message)} [{refusal.reason}]")


def _as_it_was(cell: Cell) -> str:
    return cell if isinstance(cell, str) else text(cell)


class _RowBar(Bar):
    """Progress by rows, whichever way they became orders."""

    def __init__(self, session: Session, result: _FileResult) -> None:
        super().__init__(session)
        self._result = result
        self._shown = 0

    def advance(self, count: int) -> None:
        super().advance(self._result.settled_rows - self._shown)
        self._shown = self._result.settled_rows
