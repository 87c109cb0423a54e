"""Orders as the rows that an import reads as the same orders again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from urllib.parse import unquote

from adapters.order_files import values
from adapters.order_files.columns import COLUMNS
from fulfilment.v1 import order_money_pb2, orders_pb2, shipping_pb2
from ledger.terms.money import minor_digits

Row = Mapping[str, str]
"""By the name of the column."""

_CHARGES = {
    order_money_pb2.CHARGE_KIND_SHIPPING: "shipping",
    order_money_pb2.CHARGE_KIND_TAX: "tax",
    order_money_pb2.CHARGE_KIND_DISCOUNT: "discount",
}
_READ_AS: Mapping[str, Callable[[str], str]] = {"payment": values.payment, "country": values.country}
"""Where the same can be written in several words."""
_AMBIGUOUS_DIGITS = 3
"""So many behind a point could be thousands."""


class Unwritable(Exception):
    """The columns cannot say what the order is; a sentence says what of it."""


class Columns:
    """Which headings a file has, and what all its rows have in common."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        """By what a connection keeps; without any mapping all columns under their own names."""
        mapped = {each: settings[each] for each in COLUMNS if each in settings} or {each: each for each in COLUMNS}
        self._same = {name: said[1:] for name, said in mapped.items() if said.startswith("=")}
        self._headings = {name: said for name, said in mapped.items() if name not in self._same}
        self._mark = "," if settings.get("decimal") == "comma" else "."

    @property
    def headings(self) -> Sequence[str]:
        return list(self._headings.values())

    def rows(self, order: orders_pb2.Order) -> Iterator[Sequence[str]]:
        """A row for each line that is still wanted; raises Unwritable."""
        whole = self._whole(order)
        for name, same in self._same.items():
            read = _READ_AS.get(name, str.casefold)
            if name in whole and read(whole[name]) != read(same):
                raise Unwritable(f"its {name} is {whole[name]!r}, and that of all rows is {same!r}")
        for name in ("address_2", "address_3"):
            if whole[name] and name not in self._headings:
                raise Unwritable(f"its address has more lines than there are columns: {name} lacks")
        for number, line in enumerate([*self._lines(order)] or [{}]):
            row = {**(whole if not number else {"order": whole["order"]}), **line}
            yield [row.get(name, "") for name in self._headings]

    def _whole(self, order: orders_pb2.Order) -> Row:
        said, ship_to = order.customer, order.ship_to
        lines = [*ship_to.lines[:2], ", ".join(ship_to.lines[2:])]
        placed_at = order.placed_at.ToDatetime(UTC).isoformat().replace("+00:00", "Z")
        return {
            "order": unquote(order.order_id.partition("/")[2]),
            "placed_at": placed_at,
            "currency": order.currency,
            "customer": said.name,
            "email": said.email,
            "phone": said.phone,
            **dict(zip(("address", "address_2", "address_3"), [*lines, "", ""], strict=False)),
            "city": ship_to.city,
            "region": ship_to.region,
            "postal_code": ship_to.postal_code,
            "country": ship_to.country,
            "payment": _word(orders_pb2.PaymentState.Name(order.payment), "PAYMENT_STATE_"),
            **self._charges(order),
            "note": order.note,
            "tags": ",".join(order.tags),
            "language": order.language,
            "priority": "express" if order.priority == orders_pb2.PRIORITY_EXPRESS else "",
            "promised_day": order.promised_day,
            "incoterm": _word(shipping_pb2.Incoterm.Name(order.incoterm), "INCOTERM_").upper(),
            "cash_on_delivery": "yes" if order.money.to_collect_minor else "",
        }

    def _charges(self, order: orders_pb2.Order) -> dict[str, str]:
        found: dict[str, int] = {}
        for each in order.charges:
            name = _CHARGES.get(each.kind)
            if name is None or name not in self._headings:
                raise Unwritable(f"there is no column for its charge {each.charge_id}")
            found[name] = found.get(name, 0) + each.amount_minor
        return {name: self._amount(minor, order.currency) for name, minor in found.items()}

    def _lines(self, order: orders_pb2.Order) -> Iterator[dict[str, str]]:
        for state in order.lines:
            if state.HasField("part_of"):
                raise Unwritable("a bundle of it was taken apart; its lines are no longer those of the shop")
            if state.wanted or not state.line.quantity:
                yield self._line(state, order.currency)

    def _line(self, state: orders_pb2.OrderLineState, currency: str) -> dict[str, str]:
        line, total = state.line, state.wanted_minor
        found = {
            "sku": line.sku,
            "quantity": str(state.wanted),
            "title": line.title,
            "line_id": line.channel_line_id,
            "supplier": "" if state.HasField("choice") else line.supplier_id,
            "hs_code": line.hs_code,
            "origin": line.origin,
            "weight_grams": str(line.weight_grams or ""),
        }
        if state.wanted != 1 and "quantity" not in self._headings:
            raise Unwritable(f"line {line.line_no} has {state.wanted} units, and there is no column quantity")
        is_price_alone = total == line.unit_price_minor * state.wanted
        if is_price_alone and "price" in self._headings:
            return found | {"price": self._amount(line.unit_price_minor, currency)}
        if "line_total" not in self._headings:
            raise Unwritable("its units do not all cost the same, and there is no column line_total")
        return found | {
            "price": self._amount(line.unit_price_minor, currency),
            "line_total": self._amount(total, currency),
        }

    def _amount(self, minor: int, currency: str) -> str:
        digits = minor_digits(currency)
        text = f"{Decimal(minor).scaleb(-digits):f}"
        return f"{text}{'0' if digits == _AMBIGUOUS_DIGITS else ''}".replace(".", self._mark)


def _word(name: str, prefix: str) -> str:
    """A word of the contract as files have it; empty where nothing was said."""
    word = name.removeprefix(prefix).replace("_", " ").lower()
    return "" if word == "unspecified" else word
