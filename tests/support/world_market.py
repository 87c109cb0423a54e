"""A market of a played world: it tells of its orders by a file, which somebody imports, mends and imports again."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from tests.support.terminal import Console
from tests.support.world_shops import CARRIAGE, PRICE, Bought

_COUNTED = ("rows", "orders", "applied", "replayed", "failed")


class Market:
    """Its file has one order twice, and one with a word where a number belongs."""

    name: ClassVar[str] = "market"
    """Of the connection that keeps its columns, which its orders have as their channel."""
    what: ClassVar[str] = "a market that sends a file"
    brand: ClassVar[str] = "Old Market"
    first: ClassVar[int] = 11001
    least: ClassVar[int] = 2
    """Orders, so that one is good."""

    def __init__(self, server: str, folder: Path) -> None:
        self._console = Console(server)
        self._file, self._errors = folder / "orders.csv", folder / "errors.csv"
        self._sold: list[Bought] = []
        self.counts: list[Mapping[str, int]] = []
        """What came of each import."""

    def known_as(self, number: int) -> str:
        return str(number)

    def sells(self, bought: Bought) -> None:
        self._sold.append(bought)

    def is_imported(self, say: Callable[[str], object]) -> None:
        """As it came, then the rows that came back, mended, and in the end all of it once more."""
        rows = [_row(each) for each in self._sold]
        rows[1] = {**rows[1], "Quantity": "some"}
        _write(self._file, rows[0], [*rows, rows[0]])
        say(f"→ The file of the market: {self._import(self._file, '--errors', str(self._errors))}")
        with self._errors.open(encoding="utf-8-sig", newline="") as file:
            back = list(csv.DictReader(file))
        for each in back:
            say(f"✗ row {each['row']}: {each['why']}")
        right = {each.known_as: each.units for each in self._sold}
        mended = [
            {**each, "Quantity": right[each["Order Number"]]} for each in back if "begins the same" not in each["why"]
        ]
        _write(self._errors, back[0], mended)
        say(f"→ What came back of it, mended: {self._import(self._errors)}")
        say(f"→ The whole file again: {self._import(self._file)}")

    def _import(self, file: Path, *more: str) -> str:
        result = self._console("--json", "order", "import", str(file), "--connection", self.name, "--yes", *more)
        assert result.out, result.err
        told: Mapping[str, Any] = result.json
        self.counts.append({name: told[name] for name in _COUNTED})
        return f"{told['applied']} orders new, {told['replayed']} known, {told['failed']} not taken"

    @property
    def wanted(self) -> Sequence[Mapping[str, int]]:
        """What has to come of each import."""
        some = len(self._sold)
        whole = {"rows": some + 1, "orders": some + 1, "failed": 2}
        return [
            {**whole, "applied": some - 1, "replayed": 0},
            {"rows": 1, "orders": 1, "applied": 1, "replayed": 0, "failed": 0},
            {**whole, "applied": 0, "replayed": some - 1},
        ]


def _row(bought: Bought) -> dict[str, Any]:
    return {
        "Order Number": bought.known_as,
        "Order Date": bought.at.isoformat(),
        "Currency": "EUR",
        "SKU": bought.sku,
        "Quantity": bought.units,
        "Unit Price": f"{PRICE:.2f}",
        "Shipping": f"{CARRIAGE:.2f}",
        "Recipient Name": f"{bought.customer} Example",
        "Email": bought.email,
        "Address 1": "1 Elm Street",
        "City": "Berlin",
        "ZIP": "10115",
        "Country": "Germany",
        "Payment Status": "paid",
    }


def _write(path: Path, headings: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(headings))
        writer.writeheader()
        writer.writerows(rows)
