"""What is sent once more for a case, or instead of its units: which lines, by whom, and what is to be paid for it."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from ledger.facts import LineNo
from ledger.nouns import orders, skus, stock
from ledger.nouns.cases import Case, Exchange
from ledger.nouns.orders import Line, Order
from ledger.view import View


def senders_of(order: Order, lines: Iterable[LineNo]) -> dict[LineNo, str]:
    """The supplier that sent units of each line last, or the one that was to send them."""
    sent = {
        line_no: each.supplier_id
        for each in order.supplier_orders.values()
        for line_no, share in each.shares.items()
        if share.shipped
    }
    return {line_no: sent.get(line_no) or order.lines[line_no].supplier_id for line_no in lines}


def lines_again(
    view: View, case: Case, order: Order, paying: Order, supplier_id: str, exchange: Exchange | None
) -> tuple[Line, ...]:
    """The lines of the order that sends a case's units once more, or others instead.

    They cost nothing, but for what others cost more, and for what was to be paid at the door and never was.
    """
    senders = senders_of(order, case.todo)
    unpaid = 0 if case.opened.reason.about_arrived_units else unpaid_at_the_door_minor(paying)
    lines: list[Line] = []
    for line_no, units in case.todo.items():
        line = order.lines[line_no]
        worth = paying.lines.get(line_no, line).worth_minor(units)
        again = _instead(line, units, worth, exchange) if exchange is not None else _again(line, units)
        due, unpaid = min(worth, unpaid), unpaid - min(worth, unpaid)
        if due:
            again = replace(again, total_minor=(again.total_minor or 0) + due)
        lines.append(replace(again, supplier_id=supplier_id or _sender(view, senders[line_no], exchange)))
    return tuple(lines)


def unpaid_at_the_door_minor(paying: Order) -> int:
    """What carriers were to collect for an order and did not."""
    return max(orders.due_minor(paying) - orders.came_in_minor(paying), 0) if paying.money.on_delivery else 0


def _again(line: Line, units: int) -> Line:
    declared = line.customs_value_minor
    free = replace(line, quantity=units, unit_price_minor=0, total_minor=None, given_up=0, dispatch_by=None)
    return replace(free, declared_value_minor=declared)


def _instead(line: Line, units: int, worth_minor: int, exchange: Exchange) -> Line:
    """Units of another SKU: where they cost more, the customer owes what they cost more."""
    price = exchange.unit_price_minor
    more = max(units * price - worth_minor, 0) if price is not None else 0
    return Line(
        line.line_no,
        exchange.sku,
        units,
        0,
        total_minor=more or None,
        declared_value_minor=line.customs_value_minor if price is None else price,
    )


def _sender(view: View, before: str, exchange: Exchange | None) -> str:
    """Who sent the units before; of another SKU that others have and it does not, whom the ledger chooses."""
    if exchange is None:
        return before
    view.need(skus.stream(exchange.sku), stock.stream(before, exchange.sku))
    found, own = skus.find(view, exchange.sku), stock.find(view, before, exchange.sku)
    offered_by = found.suppliers if found is not None else ()
    return "" if offered_by and before not in offered_by and (own is None or not own.tracked) else before
