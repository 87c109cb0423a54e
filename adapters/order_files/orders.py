"""What the rows of a table mean: orders to be placed, one after the other, or why not."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple, TypeVar
from unicodedata import normalize

from google.protobuf.timestamp_pb2 import Timestamp

from adapters.order_files import values
from adapters.order_files.columns import COLUMNS, nearly
from adapters.order_files.tables import Cell, FileRow
from fulfilment.v1 import order_money_pb2, orders_pb2, shipping_pb2
from ledger.terms.money import CURRENCIES
from ledger.terms.order_numbers import order_number

T = TypeVar("T")

_MOST_LINES = 1000
_CHARGES = {
    "shipping": order_money_pb2.CHARGE_KIND_SHIPPING,
    "tax": order_money_pb2.CHARGE_KIND_TAX,
    "discount": order_money_pb2.CHARGE_KIND_DISCOUNT,
}
_PRIORITIES = {
    "": orders_pb2.PRIORITY_UNSPECIFIED,
    "standard": orders_pb2.PRIORITY_STANDARD,
    "express": orders_pb2.PRIORITY_EXPRESS,
}


class BadMapping(Exception):
    """Columns are mapped that the file does not have, or what is needed is not mapped."""


def unused(columns: Sequence[str], mapping: Mapping[str, str]) -> list[str]:
    """The columns that are not read.

    Raises BadMapping where two are called alike, or where one is called nearly as what nothing is known to be.
    """
    named = [each for each in columns if each]
    counted = Counter(map(_plain, named))
    if twice := next((each for each in named if counted[_plain(each)] > 1), None):
        raise BadMapping(f"several of its columns are called {twice!r}; give each a name of its own")
    used = set(map(_plain, mapping.values()))
    found = [each for each in named if _plain(each) not in used]
    for each in found:
        if (name := nearly(each)) is not None and name not in mapping:
            guess = shlex.quote(f"{name}={each}")
            raise BadMapping(
                f"its column {each!r} is none that is known; did you mean {name}? Say --map {guess}, or --map {name}== "
                "if it is not to be read"
            )
    return found


class FileOrder(NamedTuple):
    """Rows that are about one order."""

    number: str
    """The order's own number, as the file has it."""
    rows: Sequence[FileRow]
    request: orders_pb2.PlaceOrderRequest | None
    """None where it cannot be read."""
    faults: Sequence[str]


class Places:
    """Where a table has what: the index of each column that is mapped, or what is the same for all."""

    def __init__(self, columns: Sequence[str], mapping: Mapping[str, str]) -> None:
        """A mapping that begins with = is no heading but what all rows have, such as =EUR. Raises BadMapping."""
        self._columns = columns
        self._index: dict[str, int] = {}
        self._same = {name: said[1:] for name, said in mapping.items() if said.startswith("=")}
        there = {heading: index for index, heading in reversed(list(enumerate(map(_plain, columns))))}
        lacks = []
        for name, said in mapping.items():
            if name in self._same:
                continue
            if (index := there.get(_plain(said))) is None:
                lacks.append(f"{said!r} ({name})")
            else:
                self._index[name] = index
        if lacks:
            raise BadMapping(f"it has no column {', '.join(lacks)}; it has {', '.join(columns)}")
        if "order" not in self._index:
            raise BadMapping(f"say which column has the order's number: --map order=..., of {', '.join(columns)}")

    def has(self, name: str) -> bool:
        return name in self._index or name in self._same

    def cell(self, row: FileRow, name: str) -> Cell:
        """Empty where the row is too short, or nothing is mapped."""
        index = self._index.get(name)
        if index is None:
            return self._same.get(name, "")
        return row.cells[index] if index < len(row.cells) else ""

    def heading(self, name: str) -> str:
        """What a person finds it by in the file."""
        return self._columns[self._index[name]] if name in self._index else name


def _plain(heading: str) -> str:
    return normalize("NFC", heading.strip()).casefold()


def orders(rows: Iterable[FileRow], places: Places, channel: str, options: Mapping[str, str]) -> Iterator[FileOrder]:
    """The orders of a table. Rows that follow each other and have one number, or none below it, are one order."""
    seen = dict[int, int]()
    for number, group in _groups(rows, places):
        first = group[0].number
        known = int.from_bytes(blake2b(number.encode("utf-8", "replace"), digest_size=8).digest(), "big")
        before = seen.setdefault(known, first)
        if before != first:
            faults = [f"row {before} begins the same order: sort the file by order, or leave one out"]
            yield FileOrder(number, group, None, faults)
        else:
            reading = _Order(number, group, places, options)
            request = reading.request(channel)
            yield FileOrder(number, group, None if reading.faults else request, reading.faults)


def _groups(rows: Iterable[FileRow], places: Places) -> Iterator[tuple[str, list[FileRow]]]:
    number, group = "", list[FileRow]()
    for row in rows:
        if not any(each != "" for each in row.cells):
            continue
        named = values.text(places.cell(row, "order"))
        if group and named and named != number:
            yield number, group
            group = []
        number = named or number if group else named
        group.append(row)
    if group:
        yield number, group


class _Order:
    """An order as it is read, and what is wrong with it."""

    def __init__(self, number: str, rows: Sequence[FileRow], places: Places, options: Mapping[str, str]) -> None:
        self._number = number
        self._rows = rows
        self._places = places
        self._dates, self._decimal = options.get("dates", ""), options.get("decimal", "")
        self._zone = options.get("zone", "")
        self.faults: list[str] = []

    def request(self, channel: str) -> orders_pb2.PlaceOrderRequest | None:
        if not self._number:
            self.faults.append(f"{self._places.heading('order')}: is empty")
        if len(self._rows) > _MOST_LINES:
            self.faults.append(f"{len(self._rows):,} rows, {_MOST_LINES:,} at most")
        if self.faults:
            return None
        currency = self._text("currency").upper()
        if currency and currency not in CURRENCIES:
            self.faults.append(f"{self._places.heading('currency')}: {currency[:10]!r} is no code such as EUR")
            return None
        request = orders_pb2.PlaceOrderRequest(
            channel=channel,
            channel_order_id=self._number,
            currency=currency,
            lines=self._lines(currency),
            customer=orders_pb2.Customer(
                name=self._text("customer"), email=self._text("email"), phone=self._text("phone")
            ),
            ship_to=self._address(),
            note=self._text("note"),
            tags=[each.strip().lower() for each in self._text("tags").split(",") if each.strip()],
            language=self._text("language"),
            charges=list(self._charges(currency)),
        )
        self._add_rest(request)
        return request

    def _add_rest(self, request: orders_pb2.PlaceOrderRequest) -> None:
        """What has to be read, and may be wrong."""
        placed_at = self._whole("placed_at", lambda cell: values.instant(cell, self._dates, self._zone))
        if placed_at is not None:
            request.placed_at.CopyFrom(_stamp(placed_at))
        if (state := self._whole("payment", values.payment)) is not None:
            request.payment = orders_pb2.PaymentState.Value(f"PAYMENT_STATE_{state}")
        request.promised_day = self._whole("promised_day", lambda cell: values.day(cell, self._dates)) or ""
        request.cash_on_delivery = self._whole("cash_on_delivery", values.flag) or False
        priority = self._text("priority").casefold()
        if priority not in _PRIORITIES:
            self.faults.append(f"{self._places.heading('priority')}: is neither standard nor express")
        request.priority = _PRIORITIES.get(priority, orders_pb2.PRIORITY_UNSPECIFIED)
        incoterm = self._text("incoterm").upper()
        if incoterm not in ("", "DDP", "DAP", "DDU"):
            self.faults.append(f"{self._places.heading('incoterm')}: is neither DDP nor DAP")
        elif incoterm:
            request.incoterm = shipping_pb2.Incoterm.Value(f"INCOTERM_{incoterm}")

    # --- of the whole order ---

    def _cell(self, name: str) -> Cell:
        """What its first row says, or the first that says something; another row may not say another thing."""
        if not self._places.has(name):
            return ""
        found: Cell = ""
        for row in self._rows:
            cell = self._places.cell(row, name)
            if cell == "":
                continue
            if found == "":
                found = cell
            elif cell != found:
                self.faults.append(f"row {row.number}, {self._places.heading(name)}: differs from the rows before")
                break
        return found

    def _text(self, name: str) -> str:
        return values.text(self._cell(name))

    def _whole(self, name: str, read: Callable[[Cell], T]) -> T | None:
        return self._read(self._cell(name), name, read, "")

    def _read(self, cell: Cell, name: str, read: Callable[[Cell], T], where: str) -> T | None:
        if cell == "" or values.text(cell) == "":
            return None
        try:
            return read(cell)
        except ValueError as error:
            self.faults.append(f"{where}{self._places.heading(name)}: {error}")
            return None

    def _address(self) -> orders_pb2.Address:
        lines = [self._text(name) for name in ("address", "address_2", "address_3")]
        return orders_pb2.Address(
            lines=[each for each in lines if each],
            city=self._text("city"),
            region=self._text("region"),
            postal_code=self._text("postal_code"),
            country=values.country(self._cell("country")),
        )

    def _charges(self, currency: str) -> Iterator[order_money_pb2.Charge]:
        for name, kind in _CHARGES.items():
            amount = self._whole(name, lambda cell: values.amount_minor(cell, currency, self._decimal))
            if not amount:
                continue
            if name == "discount":
                amount = -abs(amount)  # some write it with a minus and some without
            elif amount < 0:
                self.faults.append(f"{self._places.heading(name)}: is below zero")
            yield order_money_pb2.Charge(charge_id=name, kind=kind, amount_minor=amount)

    # --- of each row ---

    def _lines(self, currency: str) -> Iterator[orders_pb2.OrderLine]:
        for row in self._rows:
            sku, quantity = values.text(self._places.cell(row, "sku")), self._of(row, "quantity", values.whole)
            if sku or quantity:
                yield self._line(
                    row, sku, 1 if quantity is None and not self._places.has("quantity") else quantity, currency
                )

    def _line(self, row: FileRow, sku: str, quantity: int | None, currency: str) -> orders_pb2.OrderLine:
        said = {name: values.text(self._places.cell(row, name)) for name in ("title", "supplier", "hs_code", "origin")}
        line = orders_pb2.OrderLine(
            sku=sku,
            title=said["title"],
            quantity=quantity or 0,
            supplier_id=said["supplier"],
            hs_code=said["hs_code"],
            origin=values.country(said["origin"]),
            weight_grams=self._of(row, "weight_grams", values.whole) or 0,
            channel_line_id=values.text(self._places.cell(row, "line_id")),
        )
        price, total = self._amount(row, "price", currency), self._amount(row, "line_total", currency)
        if total is not None:
            line.total_minor = total
            line.unit_price_minor = price if price is not None else total // (quantity or 1)
        elif price is not None:
            line.unit_price_minor = price
        return line

    def _amount(self, row: FileRow, name: str, currency: str) -> int | None:
        found = self._of(row, name, lambda cell: values.amount_minor(cell, currency, self._decimal))
        if found is not None and not currency:
            self.faults.append(f"{self._places.heading(name)}: needs a currency; say --map currency==EUR")
        if found is not None and found < 0:
            self.faults.append(f"row {row.number}, {self._places.heading(name)}: is below zero")
            return None
        return found

    def _of(self, row: FileRow, name: str, read: Callable[[Cell], T]) -> T | None:
        return self._read(self._places.cell(row, name), name, read, f"row {row.number}, ")


def _stamp(at: datetime) -> Timestamp:
    answer = Timestamp()
    answer.FromDatetime(at)
    return answer


def request_id(request: orders_pb2.PlaceOrderRequest) -> str:
    """The same for an order that a file has in the same words, whichever file it is."""
    digest = blake2b(request.SerializeToString(deterministic=True), digest_size=16).hexdigest()
    return f"file/{request.channel[:40]}/{digest}"


def order_id(request: orders_pb2.PlaceOrderRequest) -> str:
    return f"{request.channel}/{order_number(request.channel_order_id)}"


def template() -> tuple[list[str], list[str]]:
    """The headings of a file that needs no mapping, and a row as an example."""
    example = {
        "order": "1001",
        "placed_at": "2026-01-05T09:00:00Z",
        "currency": "EUR",
        "sku": "TEA",
        "quantity": "2",
        "price": "9.90",
        "title": "Green tea",
        "customer": "Ann Example",
        "email": "ann@example.org",
        "address": "1 Elm Street",
        "city": "Berlin",
        "postal_code": "10115",
        "country": "DE",
        "payment": "paid",
        "shipping": "4.90",
    }
    return list(COLUMNS), [example.get(name, "") for name in COLUMNS]
