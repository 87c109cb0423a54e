"""The command line of the check."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from adapters.database import beside
from adapters.database.control import CONTROL_SCHEMA, DEFAULT_TENANT
from adapters.database.migrations import TENANT_MIGRATIONS
from adapters.database.schema_versions import SchemaNewer
from adapters.ledger_check.check import STEPS, BadNotes, CheckRun, Notes, Progress, usual_workers
from adapters.ledger_check.findings import SHOWN, CheckTally
from adapters.process.folders import path
from ledger.engine.statements import in_schema
from ledger.refusals import BeyondTheLog
from projections.machine.database import open_connection

_TENANT = "SELECT schema FROM {schema}.tenants WHERE name = %s"
_VERSION = "SELECT version FROM {schema}.ledger_schema"
_SAY_SECONDS = 1.0


class CannotCheck(Exception):
    """The message says why."""


def main(arguments: Sequence[str]) -> None:
    """Checks, prints the report, and exits with 1 if anything was found. Raises CannotCheck, NoLedger, StartFailed."""
    asyncio.run(_run(parser().parse_args(arguments)))


async def _run(chosen: argparse.Namespace) -> None:
    async with beside.database(chosen, only_read=True) as database:
        await asyncio.to_thread(check_at, database.conninfo, chosen)


def check_at(conninfo: str, chosen: argparse.Namespace) -> None:
    """The same, of a database that runs already."""
    schema = _schema_of(conninfo, chosen.tenant)
    notes = Notes(chosen.state)
    try:
        progress = _progress(notes, chosen)
        tally = CheckRun(conninfo, schema, progress, notes, _sayer(chosen), chosen.workers).run()
    except BadNotes as error:
        raise CannotCheck(str(error)) from error
    except BeyondTheLog as beyond:
        of_notes = chosen.state is not None and chosen.after is None
        hint = f"; {chosen.state} is of a longer log: delete it to check the whole of this one" if of_notes else ""
        raise CannotCheck(f"{beyond.sentence()}{hint}") from None
    report = _report(progress, tally)
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n" if chosen.json else "\n".join(_lines(report)) + "\n")
    if tally.found:
        raise SystemExit(1)


def _schema_of(conninfo: str, tenant: str) -> str:
    with open_connection(conninfo) as connection:
        row = connection.execute(in_schema(_TENANT, CONTROL_SCHEMA), (tenant,)).fetchone()
        if row is None:
            raise CannotCheck(f"there is no tenant {tenant}; name one with --tenant")
        ((version,),) = connection.execute(in_schema(_VERSION, row[0])).fetchall()
    known = len(TENANT_MIGRATIONS)
    if version > known:
        raise SchemaNewer(row[0], version, known)
    if version < known:
        raise CannotCheck(
            f"the tables of tenant {tenant} are of an earlier version ({version} of {known}): check them with the "
            "version of the service that made them, or bring them up to date: python server.py migrate"
        )
    return str(row[0])


def _progress(notes: Notes, chosen: argparse.Namespace) -> Progress:
    progress = notes.read(chosen.tenant)
    if progress.head and (chosen.only or chosen.after is not None):
        raise CannotCheck(
            f"{chosen.state} is of a check that is not over: go on without --only and --after, or delete it"
        )
    if not progress.head:
        progress.steps = tuple(step for step in STEPS if step in (chosen.only or STEPS))
        if chosen.after is not None:
            progress.checked_to = chosen.after
    return progress


def _sayer(chosen: argparse.Namespace) -> Callable[[str], None]:
    """Says how far it is on stderr, once in a second."""
    said_at = 0.0

    def say(words: str) -> None:
        nonlocal said_at
        if not chosen.quiet and time.monotonic() - said_at >= _SAY_SECONDS:
            said_at = time.monotonic()
            print(words, file=sys.stderr, flush=True)

    return say


# --- the report -----------------------------------------------------------------------------------


class CheckReport(msgspec.Struct):
    """What a check did and found; ``--json`` prints it."""

    tenant: str
    after: int
    """Facts up to this position were looked at by a check before."""
    checked_to: int
    """Up to this position everything that was asked for was looked at; go on with ``--after`` it."""
    found: int
    tally: CheckTally


def _report(progress: Progress, tally: CheckTally) -> CheckReport:
    return CheckReport(progress.tenant, progress.checked_to, progress.head, tally.found, tally)


def _lines(report: CheckReport) -> list[str]:
    tally = report.tally
    since = f" after position {report.after}" if report.after else ""
    lines = [f"Checked the ledger of {report.tenant}{since} up to position {report.checked_to}.", ""]
    lines += [f"{name:<20}{each.looked_at:>14} looked at{each.found:>10} wrong" for name, each in tally.checks.items()]
    lines += ["", "Seconds: " + ", ".join(f"{step} {seconds:.1f}" for step, seconds in tally.seconds.items())]
    lines += [f"Not checked: {name}: {why}" for name, why in tally.not_checked.items()]
    lines += ["", *map(str, tally.first)] if tally.found else ["", "Everything holds."]
    if tally.found > len(tally.first):
        lines += [f"These are the first {SHOWN} of each check; {tally.found} were found in all."]
    return lines


# --- the options ----------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="server.py check",
        parents=[beside.options()],
        description="Read a whole ledger and recompute what must hold of it. It changes nothing, works beside a "
        "running service, on a standby and on a restored backup, and exits with 1 if anything is wrong.",
    )
    add: Callable[..., Any] = made.add_argument
    add("--tenant", default=DEFAULT_TENANT, help="whose ledger (%(default)s)")
    add("--after", type=_position, metavar="N", help="only positions after this one, and streams with a fact there")
    add("--state", type=path, metavar="FILE", help="go on where the last check with this file ended")
    add("--only", action="append", choices=STEPS, help="only this step; can be given several times")
    add("--workers", type=_workers, default=usual_workers(), help="processes that fold streams (%(default)s)")
    add("--json", action="store_true", help="print the report as JSON")
    add("--quiet", action="store_true", help="say nothing of how far it is")
    return made


def _position(text: str) -> int:
    return _number(text, "a position of the log", 0, (1 << 63) - 1)


def _workers(text: str) -> int:
    return _number(text, "a number of processes", 1, 64)


def _number(text: str, what: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and least <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}, from {least} to {most}")
    return int(text)
