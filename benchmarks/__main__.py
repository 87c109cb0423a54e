"""``python -m benchmarks``: measures, shows tables, and says which of the ratios wanted are met."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks import (
    access,
    batch,
    catch_up,
    checking,
    commands,
    decision,
    exports,
    files,
    lag,
    logs,
    long,
    machine,
    olist,
    picture,
    reading,
    resting,
    scorecards,
    starts,
    tenants,
    turns,
    webhooks,
)
from benchmarks.report import Table, number, tables
from benchmarks.stage import QUICK, Size, Skipped, stage

MEASUREMENTS = {
    "commands": commands.measure,
    "turns": turns.measure,
    "access": access.measure,
    "batch": batch.measure,
    "reading": reading.measure,
    "catch-up": catch_up.measure,
    "checking": checking.measure,
    "import": olist.measure,
    "files": files.measure,
    "export": exports.measure,
    "decision": decision.measure,
    "scorecards": scorecards.measure,
    "webhooks": webhooks.measure,
    "resting": resting.measure,
    "tenants": tenants.measure,
    "long": long.measure,
    "logs": logs.measure,
    "lag": lag.measure,
    "starts": starts.measure,
}
RESULTS = Path(__file__).with_name("RESULTS.md")
PICTURE = RESULTS.with_suffix(".svg")
MARK = "<!-- Below this line `make bench ARGS=--write` writes what it measured. -->\n"

progress = Console(stderr=True)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--runs", type=int, default=1, help="repeat all of it and give medians and spreads (%(default)s)")
    add("--only", action="append", choices=MEASUREMENTS, metavar="NAME", help=f"one of {', '.join(MEASUREMENTS)}")
    add("--quick", action="store_true", help="a smoke test: its figures mean nothing")
    add("--olist", type=Path, metavar="DIR", help="the folder of the Olist files, for the import")
    add("--long", type=int, metavar="FACTS", help="a further long stream, such as 1000000")
    add("--log", type=int, metavar="FACTS", help="a further, longer log, such as 10000000 (3 GB, and minutes)")
    add("--tenants", type=int, default=301, help="how many rest (%(default)s); 1,000 take 3 GB and minutes")
    add("--servers", type=int, default=1, help="on how many servers, each with a projector (%(default)s)")
    add("--dsn", help="a PostgreSQL to use instead of an embedded one; its user must be able to create databases")
    add("--json", action="store_true", help="write the figures of every run as JSON instead of tables")
    add("--write", action="store_true", help=f"write the tables into {RESULTS.name}, and a picture, as well")
    chosen = parser.parse_args()
    if chosen.quick and chosen.write:
        parser.error("the figures of --quick mean nothing; nobody should read them in RESULTS.md")
    return chosen


def main() -> None:
    chosen = options()
    # On SIGTERM it still ends the processes that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    figures: dict[str, list[float]] = {}
    skipped: dict[str, str] = {}
    size = QUICK if chosen.quick else Size(tenants=chosen.tenants, servers=chosen.servers)
    if chosen.long:
        size = replace(size, long_streams=(*size.long_streams, chosen.long))
    if chosen.log:
        size = replace(size, logs=(*size.logs, chosen.log))
    with stage(size, chosen.dsn, chosen.olist) as here:
        about = machine.facts(here.conninfo, here.folder)
        for run in range(chosen.runs):
            for name in chosen.only or MEASUREMENTS:
                began = time.monotonic()
                try:
                    for figure in MEASUREMENTS[name](here, run):
                        figures.setdefault(figure.name, []).append(figure.value)
                        progress.print(f"run {run + 1}: {figure.name} = {number(figure.value)}", highlight=False)
                except Skipped as reason:
                    skipped[name] = str(reason)
                progress.print(f"run {run + 1}: {name} took {time.monotonic() - began:.0f} s", style="dim")
    if chosen.json:
        print(json.dumps({"machine": about, "skipped": skipped, "figures": figures}, indent=2))
        return
    found = tables(figures, about, skipped)
    console = Console() if sys.stdout.isatty() else Console(width=120)
    for table in found:
        table.show(console)
    if chosen.write:
        picture.draw(figures, PICTURE)
        write(found)


def write(found: list[Table]) -> None:
    """Replaces what RESULTS.md says below its mark."""
    head = RESULTS.read_text().partition(MARK)[0]
    when = f'{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, `make bench ARGS="{" ".join(sys.argv[1:])}"`'
    RESULTS.write_text(
        head
        + MARK
        + f"\n{when}\n\n![What was measured beside what is wanted]({PICTURE.name})\n\n"
        + "\n".join(table.markdown() for table in found)
    )


if __name__ == "__main__":
    main()
