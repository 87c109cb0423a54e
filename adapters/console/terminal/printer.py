"""What commands print: sentences, facts and tables, on a terminal or for a program, and JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from adapters.console.terminal import words

_PLAIN_WIDTH = 500
"""A pipe has no width: nothing is wrapped there."""
_WHOLE = 20
"""Words up to this length are never broken over two lines."""
_GAP = 2


class Printer:
    """Tables and sentences on standard output; plain where nobody looks at colours.

    All output of commands goes through here, so that no name can control the terminal.
    """

    def __init__(self) -> None:
        self.is_terminal = sys.stdout.isatty()
        self._console = Console(
            file=sys.stdout,
            width=None if self.is_terminal else _PLAIN_WIDTH,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=False,
        )

    def json(self, value: Any) -> None:
        print(words.plain(json.dumps(value, indent=2, ensure_ascii=False)))

    def json_line(self, value: Any) -> None:
        """One of many, which are read line by line."""
        print(words.plain(json.dumps(value, ensure_ascii=False)))

    def line(self, *parts: tuple[str, str]) -> None:
        """Words with their styles in one line, which a terminal cuts off where it is full."""
        text = Text("  ").join(Text(words.one_line(word), style=style) for word, style in parts if word)
        if self.is_terminal:
            self._console.print(text, no_wrap=True, overflow="ellipsis", crop=True)
        else:
            print(text.plain)

    def flush(self) -> None:
        sys.stdout.flush()

    def warn(self, text: str) -> None:
        """A warning, on standard error, so that programs can read standard output."""
        print(f"Warning: {words.plain(text)}", file=sys.stderr)

    def note(self, text: str) -> None:
        """What is no part of the answer, on standard error as well."""
        print(words.plain(text), file=sys.stderr)

    @property
    def width(self) -> int:
        return self._console.width

    def say(self, text: str, style: str = "", indent: int = 0) -> None:
        """A sentence; a terminal breaks it where it is full."""
        self._print(Padding(Text(words.plain(text), style=style), (0, 0, 0, indent)))

    def command(self, text: str, indent: int = 2) -> None:
        """A line to be copied: never broken, however narrow the terminal is."""
        self._console.print(Text(" " * indent + words.one_line(text), style="cyan"), soft_wrap=True)

    def title(self, text: str, more: str = "") -> None:
        self._print(Text.assemble((words.one_line(text), "bold"), "  " if more else "", words.one_line(more)))

    def facts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Names and values, one a line; empty values are left out."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in pairs:
            if value:
                grid.add_row(words.one_line(name), Text(words.plain(value)))
        self._print(grid)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str = "") -> None:
        """Rows under columns, without the empty ones. A name that starts with ``>`` is of numbers, which lean right.

        Where a terminal is too narrow, times and sentences go on in the next line, and only long ids break. Where
        not even their words stand beside each other, each row stands by itself, a line for each column.
        """
        kept = [[_cell(cell) for cell in row] for row in rows]
        if not kept:
            if empty:
                self.say(empty, style="dim")
            return
        filled = [index for index in range(len(columns)) if any(cells[index] for cells in kept)]
        names = [words.one_line(columns[index].removeprefix(">")) for index in filled]
        lines = [[cells[index] for index in filled] for cells in kept]
        widths = _widths(list(zip(map(Text, names), *lines, strict=True)), self.width)
        if widths is None:
            for number, cells in enumerate(lines):
                if number:
                    self.blank()
                self.facts(zip(names, map(str, cells), strict=True))
            return
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for index, name, width in zip(filled, names, widths, strict=True):
            leans: Literal["left", "right"] = "right" if columns[index].startswith(">") else "left"
            table.add_column(name, justify=leans, overflow="fold", width=width)
        for cells in lines:
            table.add_row(*cells)
        self._print(table)

    def blank(self) -> None:
        self._print("")

    def _print(self, what: Any) -> None:
        if self.is_terminal:
            self._console.print(what)
            return
        # rich fills lines up with spaces, which only get in the way of grep and diff.
        with self._console.capture() as captured:
            self._console.print(what)
        print("\n".join(line.rstrip() for line in captured.get().split("\n")), end="")


def _cell(value: object) -> Text:
    return Text("" if value is None else words.one_line(str(value)))


def _widths(columns: Sequence[Sequence[Text]], room: int) -> list[int] | None:
    """How wide each column may be; None where even their words do not fit.

    It is not left to rich: that shrinks the widest columns whatever their words, widens them again to their
    minimum, and crops what then stands beyond the edge.
    """
    room -= _GAP * (len(columns) - 1)
    widths = [max(cell.cell_len for cell in cells) for cells in columns]
    words = [max(cell_len(word) for cell in cells for word in cell.plain.split() or [""]) for cells in columns]
    shortest = [min(longest, _WHOLE) for longest in words]
    if sum(shortest) > room:
        return None
    least = words if sum(words) <= room else shortest
    while sum(widths) > room:
        # The widest column shrinks, as long as it has more room than its words need.
        index = max(range(len(widths)), key=lambda index: (widths[index] > least[index], widths[index]))
        widths[index] = max(_longest_line(cell.plain, widths[index] - 1) for cell in columns[index])
    return widths


def _longest_line(text: str, width: int) -> int:
    """The longest line of a text that is wrapped to a width between words."""
    longest = line = 0
    for word in text.split():
        size = min(cell_len(word), width)
        line = line + 1 + size if line and line + 1 + size <= width else size
        longest = max(longest, line)
    return longest
