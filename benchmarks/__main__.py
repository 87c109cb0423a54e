"""``python -m benchmarks``: measures, shows tables, and says which of the ratios wanted are met."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks import machine, picture
from benchmarks.parts import PARTS, Course
from benchmarks.report import Found, Table, tables
from benchmarks.stage import LARGE, QUICK, Size, stage

RESULTS = Path(__file__).with_name("RESULTS.md")
PICTURE = RESULTS.with_suffix(".svg")
MARK = "<!-- Below this line `make bench ARGS=--write` writes what it measured. -->\n"
END = "<!-- Above this line it ends. -->\n"

progress = Console(stderr=True)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--runs", type=int, default=1, help="repeat all of it and give medians and spreads (%(default)s)")
    add("--only", action="append", choices=PARTS, metavar="NAME", help=f"one of {', '.join(PARTS)}")
    add("--quick", action="store_true", help="a smoke test: its figures mean nothing")
    add("--large", action="store_true", help="everything as large as what is wanted says: an hour, 20 GB of disk")
    add("--olist", type=Path, metavar="DIR", help="the folder of the Olist files, for the import")
    add("--long", type=int, metavar="FACTS", help="a further long stream, such as 1000000")
    add("--log", type=int, metavar="FACTS", help="a further, longer log, such as 10000000 (12 GB, and minutes)")
    add("--lines", type=int, default=50, help="of the order that decisions are made on (%(default)s, or more)")
    add("--tenants", type=int, help=f"how many rest ({Size().tenants}); 1,000 at most take 3 GB and minutes")
    add("--servers", type=int, default=1, help="on how many servers, each with a projector (%(default)s)")
    add("--dsn", help="a PostgreSQL to use instead of an embedded one; its user must be able to create databases")
    add("--json", action="store_true", help="write the figures of every run as JSON instead of tables")
    add("--picture", type=Path, metavar="FILE", help="draw the picture into a file: .svg, .png or .pdf")
    add("--write", action="store_true", help=f"write the tables into {RESULTS.name}, and its picture, as well")
    chosen = parser.parse_args()
    if chosen.quick and chosen.write:
        parser.error("the figures of --quick mean nothing; nobody should read them in RESULTS.md")
    if chosen.only and chosen.write:
        parser.error("--write replaces all tables in RESULTS.md; leave out --only, or use --picture or --json")
    if chosen.lines < 50:
        parser.error("--lines is at least 50: on fewer, commands have less to do than what is expected of them")
    if chosen.quick and chosen.large:
        parser.error("either --quick or --large")
    return chosen


def size_of(chosen: argparse.Namespace) -> Size:
    size = replace(
        QUICK if chosen.quick else LARGE if chosen.large else Size(), servers=chosen.servers, order_lines=chosen.lines
    )
    if chosen.tenants:
        size = replace(size, tenants=chosen.tenants, rest_seconds=max(size.rest_seconds, LARGE.rest_seconds))
    if chosen.long:
        size = replace(size, long_streams=tuple(dict.fromkeys((*size.long_streams, chosen.long))))
    if chosen.log:
        size = replace(size, logs=tuple(dict.fromkeys((*size.logs, chosen.log))))
    return size


def main() -> int:
    chosen = options()
    # It still ends the processes that it started, and no second signal keeps it from that.
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    size = size_of(chosen)
    course = Course(list(dict.fromkeys(chosen.only or PARTS)), chosen.runs, progress, usual=size == Size())
    course.tell_plan()
    try:
        with stage(size, chosen.dsn, chosen.olist) as here:
            about = machine.facts(here.conninfo, here.folder) | {"how much was done": size.told()}
            found = course.go(here)
    except Ended as signalled:
        progress.print("Ended; nothing of it is left.")
        return 128 + int(signalled.args[0])
    show(chosen, found, about)
    return 1 if found.failed else 0


class Ended(BaseException):
    """Somebody does not want it any more."""


def _end(number: int, frame: object) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    progress.print("Ending the processes that were started.")
    raise Ended(number)


def show(chosen: argparse.Namespace, found: Found, about: dict[str, str]) -> None:
    if chosen.picture:
        picture.draw(found.figures, chosen.picture)
    if chosen.json:
        print(json.dumps({"machine": about, **vars(found)}, indent=2))
        return
    made = tables(found, about, whole=not chosen.only)
    console = Console() if sys.stdout.isatty() else Console(width=120)
    for table in made:
        table.show(console)
    if chosen.write:
        picture.draw(found.figures, PICTURE)
        write(made)


def write(found: list[Table]) -> None:
    """Replaces what RESULTS.md says between its marks."""
    head, _, rest = RESULTS.read_text().partition(MARK)
    tail = rest.partition(END)[2]
    when = f'{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, `make bench ARGS="{" ".join(sys.argv[1:])}"`'
    RESULTS.write_text(
        head
        + MARK
        + f"\n{when}\n\n![What was measured beside what is wanted]({PICTURE.name})\n\n"
        + "\n".join(table.markdown() for table in found[-1:] + found[:-1])  # what is wanted comes first
        + "\n"
        + END
        + tail
    )


if __name__ == "__main__":
    sys.exit(main())
