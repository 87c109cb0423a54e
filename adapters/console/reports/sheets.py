"""A report as it is shown: as a table at a terminal, as JSON, or as a page of HTML with charts beside the figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

import click

from adapters.console.reports import report_page
from adapters.console.reports.charts import Drawn, chart
from adapters.console.reports.report_page import MOST_BARS, Tile
from adapters.console.reports.windows import lacking, told
from adapters.console.terminal import files, words
from adapters.console.terminal.listings import print_rows
from adapters.console.terminal.session import Session

MOST_ROWS = 5_000
"""Of a page; more are for programs."""

HTML = click.option("--html", "as_html", metavar="FILE", help="Write a page with charts, to read and to print.")


class Chart(NamedTuple):
    """Bars that show what the rows amount to."""

    title: str
    unit: str
    bars: Sequence[Drawn]
    series: Sequence[tuple[str, str]] = ()
    latest: bool = False
    """Whether the last bars are drawn if there are too many, as of periods, and not the first."""


@dataclass(kw_only=True)
class Sheet:
    """A report: what it is about, its rows, how they are shown and what is drawn of them."""

    title: str
    says: str
    """What stands in it, for somebody who finds the page."""
    found: Iterable[Any]
    answer: Callable[[], Any]
    """What the service answered first, with the position and the window, once a row was asked for."""
    columns: Sequence[str]
    row: Callable[[Any], list[Any]]
    empty: str
    main: Callable[[Sequence[Any]], Chart | None] = lambda rows: None
    """Drawn beside the rows."""
    charts: Callable[[Sequence[Any]], Iterable[Chart]] = lambda rows: ()
    """Drawn above them, with figures of their own."""
    tiles: Callable[[Sequence[Any]], Sequence[Tile]] = lambda rows: ()
    as_json: Callable[[Any], dict[str, Any]] = words.as_json
    about: Sequence[str] = field(default_factory=tuple)
    """What it is narrowed down to, such as ``supplier SZ-001``."""

    @property
    def window(self) -> Any:
        return self.answer().window

    @property
    def lacking(self) -> str:
        """Where there is something, if nothing is in the window."""
        return lacking(self.window)

    @property
    def span(self) -> str:
        """The window as a sentence; empty where it has no bounds."""
        span = told(self.window)
        return f"{span}." if span else ""


def narrowed(**said: object) -> list[str]:
    """What a report is narrowed down to, by the names of the options: those that were said."""
    return [f"{name.replace('_', ' ')} {value}" for name, value in said.items() if value]


def present(session: Session, sheet: Sheet, limit: int | None, as_html: str | None) -> None:
    """Shows a report as it was asked for."""
    if as_html and session.changed_after is not None:
        raise click.UsageError("--changed-after is for copies of a list, and --html for whoever reads it.")
    if as_html:
        rows = list(islice(sheet.found, (limit or MOST_ROWS) + 1))
        shown = rows[: limit or MOST_ROWS]
        write(session, as_html, page(session, sheet, shown, more=len(rows) > len(shown)), len(shown))
        return
    print_rows(session, sheet.found, limit, list(sheet.columns), sheet.row, sheet.empty, sheet.as_json)
    if session.changed_after is None and not session.json and (said := sheet.lacking or sheet.span):
        session.out.say(said, style="" if sheet.lacking else "dim")


def write(session: Session, path: str, drawn: str, rows: int) -> None:
    files.write(path, lambda path: files.replace(path, drawn.encode()))
    print_written(session, rows, [path])


def print_written(session: Session, rows: int, paths: Sequence[str]) -> None:
    if session.json:
        session.out.json({"rows": rows, "files": list(paths)})
    else:
        session.out.say(f"{rows} {'row' if rows == 1 else 'rows'} written to {' and '.join(paths)}.")


def page(session: Session, sheet: Sheet, rows: Sequence[Any], *, more: bool = False) -> str:
    """The report as a page; with how much is left out if there are more rows."""
    charts = [each for each in sheet.charts(rows) if any(sum(bar.parts) for bar in each.bars)]
    cells = [[str(cell) if cell is not None else "" for cell in sheet.row(each)] for each in rows]
    table = report_page.table(sheet.title, sheet.columns, cells, sheet.empty)
    left_out = (
        f"Only the first {len(rows):,} of more rows are here; fulfilment report with --json has all." if more else ""
    )
    sections = [report_page.section(each.title, "", drawn(each), beside(each)) for each in charts]
    main = sheet.main(rows)
    picture = drawn(main) if main is not None and any(sum(bar.parts) for bar in main.bars) else ""
    said = " ".join(filter(None, [_left_out(main) if picture else "", left_out]))
    title = main.title if main is not None and picture else "All rows"
    sections.append(report_page.section(title, said, picture, table, len(sheet.columns)))
    return report_page.document(
        sheet.title,
        sheet.says,
        [f"Tenant {session.tenant_name}", *sheet.about, told(sheet.window), drawn_on(), sheet.lacking],
        sections,
        f"As of position {sheet.answer().position:,} of the log. Times are UTC where they end in Z.",
        sheet.tiles(rows),
    )


def _left_out(main: Chart | None) -> str:
    bars = len(main.bars) if main is not None else 0
    which = "last" if main is not None and main.latest else "first"
    return f"The chart shows the {which} {MOST_BARS} of {bars:,} of which there are data." if bars > MOST_BARS else ""


def drawn_on() -> str:
    return f"drawn {datetime.now(UTC):%Y-%m-%d %H:%M}Z"


def drawn(each: Chart) -> str:
    bars = each.bars[-MOST_BARS:] if each.latest else each.bars[:MOST_BARS]
    return chart(each.title, each.unit, bars, each.series)


def beside(each: Chart) -> str:
    """The figures of a chart, all of them."""
    parts = [f">{name}" for name, _ in each.series if name]
    headings = [
        "",
        *parts,
        f">{each.unit or 'figure'}",
        *([">target"] if any(bar.target is not None for bar in each.bars) else []),
    ]
    rows = [
        [
            bar.key,
            *(f"{part:,g}" for part in bar.parts if parts),
            bar.figure,
            *([f"{bar.target:g}" if bar.target is not None else ""] if headings[-1] == ">target" else []),
        ]
        for bar in each.bars
    ]
    return report_page.table(each.title, headings, rows, "")


def count(title: str, keys: Iterable[str], unit: str = "number") -> Chart:
    """How often each key is there, the most frequent first."""
    counts = sorted(Counter(keys).items(), key=lambda each: (-each[1], each[0]))
    return Chart(title, unit, [Drawn(key, [count], f"{count:,}") for key, count in counts])


def with_name(names: Mapping[str, str], supplier_id: str) -> str:
    """A supplier as a chart names it: its name with its id, which others may share the name with."""
    name = names.get(supplier_id, "")
    return f"{supplier_id} {name}".strip()
