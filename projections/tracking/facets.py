"""What orders are found by, each as ``kind/value``: of one kind or of several together.

People are not among it: no read model knows them.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.nouns.orders import Header, Order, deadlines
from ledger.nouns.orders.supplier_orders import Stage
from projections.machine.histories import OrderHistory
from projections.tracking.rows import Facet

LATE = "late/"


def sku(value: str) -> str:
    return f"sku/{value}"


def supplier(supplier_id: str) -> str:
    return f"supplier/{supplier_id}"


def stage(value: Stage) -> str:
    """Of one of its supplier orders."""
    return f"stage/{value}"


def status(value: Header) -> str:
    """Of the order itself."""
    return f"status/{value}"


def country(code: str) -> str:
    return f"country/{code}"


def tag(value: str) -> str:
    return f"tag/{value}"


def number(order_number: str) -> str:
    """The shop's own number, as it stands in the order's id: the same in several shops."""
    return f"number/{order_number}"


def sent_again(original_order_id: str) -> str:
    """Of an order that sends units of another one once more."""
    return f"sent_again/{original_order_id}"


def facets(history: OrderHistory) -> list[Facet]:
    placed_at, order_id = history.order.placed.placed_at, history.order.order_id
    return [Facet(each, placed_at, order_id) for each in sorted({*_of_order(history)})]


def _of_order(history: OrderHistory) -> Iterator[str]:
    order = history.order
    yield status(history.header)
    yield number(order.order_id.partition("/")[2])
    for line in order.lines.values():
        if line.sku:
            yield sku(line.sku)
        if line.supplier_id:
            yield supplier(line.supplier_id)
    for each in order.supplier_orders.values():
        yield supplier(each.supplier_id)
        yield stage(each.stage)
    if order.destination.country:
        yield country(order.destination.country)
    yield from map(tag, order.remarks.tags)
    if order.placed.original_order_id:
        yield sent_again(order.placed.original_order_id)
    if history.cached(is_late):
        yield LATE


def is_late(history: OrderHistory) -> bool:
    """Whether a clock of the order ran out that still waits for something."""
    order: Order = history.order
    return bool(order.breaches) and any(each.is_missed and not each.over for each in deadlines(order))
