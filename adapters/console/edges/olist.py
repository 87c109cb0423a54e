"""``fulfilment import``: other systems' data into the ledger, as often as one likes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

import click

from adapters.console.terminal import files
from adapters.console.terminal.batches import Bar, Result, send
from adapters.console.terminal.client import Trouble
from adapters.console.terminal.commands import Nouns
from adapters.console.terminal.session import Session
from adapters.order_files import olist
from fulfilment.v1 import admin_pb2

_MOST_PROBLEMS = 20


@click.group("import", cls=Nouns)
def imports() -> None:
    """Bring other systems' data in."""


@imports.command("olist")
@click.argument("folder", type=click.Path(path_type=Path))
@click.pass_obj
def import_olist(session: Session, folder: Path) -> int:
    """Import the CSV files of Olist's marketplace: sellers, orders, items, payments, reviews.

    Every order is recorded with its own historical times. A second run changes nothing, and one that was
    interrupted goes on where it stopped. Rows that cannot be understood are named and left out.
    """
    started = time.monotonic()
    tables = read_tables(folder)
    try:
        source = olist.Olist(tables)
    except ZoneInfoNotFoundError:
        raise Trouble(
            "this machine has no time zone data for America/Sao_Paulo; install tzdata", "NO_TIME_ZONES"
        ) from None
    result = Result()
    try:
        with Bar(session) as bar:
            for what, table, groups in (
                ("suppliers", "sellers", source.suppliers()),
                ("orders", "orders", source.orders()),
            ):
                bar.begin(what, len(tables[table]))
                send(session.client, groups, result, bar)
    except Trouble as trouble:
        trouble.message += "; run the same command again to go on where it stopped"
        raise
    position = session.client.call(session.client.admin.GetStatus, admin_pb2.GetStatusRequest()).position
    report = Report(folder, tables, source, result, position, time.monotonic() - started)
    if session.json:
        session.out.json(report.as_json())
    else:
        report.show(session)
    return 1 if result.refused or source.problems else 0


# --- reading --------------------------------------------------------------------------------------


def read_tables(folder: Path) -> dict[str, list[olist.Row]]:
    if not folder.is_dir():
        raise Trouble(f"there is no folder {folder}", "NO_FOLDER")
    there = {name for name in olist.COLUMNS if (folder / f"{name}.csv").is_file()}
    missing = [f"{name}.csv" for name in olist.COLUMNS if name not in there and name not in olist.OPTIONAL]
    if missing:
        raise Trouble(f"{folder} lacks {', '.join(missing)}", "FILES_MISSING", missing=missing)
    return {name: _read(folder / f"{name}.csv", columns) for name, columns in olist.COLUMNS.items() if name in there}


def _read(path: Path, columns: Iterable[str]) -> list[olist.Row]:
    return [olist.Row(path.name, line, cells) for line, cells in files.read_csv(path, columns)]


# --- reporting ------------------------------------------------------------------------------------


@dataclass
class Report:
    """What was read, what was recorded, what is odd."""

    folder: Path
    tables: Mapping[str, list[olist.Row]]
    source: olist.Olist
    result: Result
    position: int
    seconds: float

    @property
    def oddities(self) -> dict[str, list[str]]:
        """In the order in which they are explained."""
        return {kind: found for kind in olist.ODDITIES if (found := self.source.oddities.get(kind))}

    def as_json(self) -> dict[str, Any]:
        return {
            "read": {name: len(rows) for name, rows in self.tables.items()},
            "applied": dict(self.result.applied),
            "replayed": dict(self.result.replayed),
            "refused": dict(self.result.refused),
            "refusal_examples": dict(self.result.examples),
            "oddities": {kind: len(found) for kind, found in self.oddities.items()},
            "problems": self.source.problems,
            "position": self.position,
            "seconds": round(self.seconds, 3),
        }

    def show(self, session: Session) -> None:
        out, result = session.out, self.result
        new, known = result.applied.total(), result.replayed.total()
        summary = f"{new:,} new commands recorded" if new else "Nothing new"
        again = f"{known:,} were known already" if known else ""
        out.title(f"Olist from {self.folder}", f"in {self.seconds:.1f} s")
        out.say(f"{', '.join(filter(None, [summary, again]))}; the log stands at {self.position:,}.")
        out.blank()
        out.table(["file", ">rows read"], [[f"{name}.csv", f"{len(rows):,}"] for name, rows in self.tables.items()])
        out.blank()
        kinds = dict.fromkeys([*result.applied, *result.replayed])
        rows = [[kind.replace("_", " "), f"{result.applied[kind]:,}", f"{result.replayed[kind]:,}"] for kind in kinds]
        out.table(["command", ">new", ">known"], rows)
        if self.oddities:
            out.blank()
            rows = [[kind.replace("_", " "), f"{len(f):,}", olist.ODDITIES[kind]] for kind, f in self.oddities.items()]
            out.table(["oddity", ">times", "what it is, and what was made of it"], rows)
        self._print_losses(session)

    def _print_losses(self, session: Session) -> None:
        out = session.out
        if problems := self.source.problems:
            out.blank()
            out.title(f"{len(problems)} rows could not be understood")
            for problem in problems[:_MOST_PROBLEMS]:
                out.say(problem)
            if len(problems) > _MOST_PROBLEMS:
                out.say(f"... and {len(problems) - _MOST_PROBLEMS} more; --json lists all.")
        if self.result.refused:
            out.blank()
            rows = [[reason, count, self.result.examples[reason][0]] for reason, count in self.result.refused.items()]
            out.table(["refused because", ">times", "for example"], rows)
