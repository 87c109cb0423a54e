"""What do orders cost, how were they paid, and where is that not the same?

A row for each order of which more is known than its lines: a charge, or a payment with its amount. What the goods of
all orders cost stands in the tables of ``projections.supplier_performance``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from msgspec.structs import replace

from ledger.nouns import orders
from ledger.nouns.orders import ChargeKind, Order, Payment, PaymentKind, PaymentState
from ledger.terms.money import Money, in_64_bits
from projections.machine.changes import Listed, ListedStreams
from projections.machine.histories import OrderHistory
from projections.machine.projection import From, projection
from projections.machine.reads import FIRST, LAST, Answer, PageOf, Where, snapshot
from projections.machine.tables import table
from projections.supplier_performance import EVER, SUPPLIER_PERFORMANCE, Placed, placed_ever

# --- tables ---------------------------------------------------------------------------------------


class OrderTotals(NamedTuple):
    """What an order costs and what came in for it, in minor units of its currency."""

    order_id: str
    channel: str
    currency: str
    shipping_minor: int
    other_charges_minor: int
    total_minor: int
    """Lines and charges, cancelled units too."""
    came_in_minor: int
    has_payment: bool
    compared: bool
    """Whether what it costs and what came in are both known: it has lines, and money came in by its amount."""


class PaidBy(NamedTuple):
    """What an order was paid with, by one method."""

    order_id: str
    currency: str
    """Of the payments."""
    method: str
    channel: str
    taken_minor: int
    reserved_minor: int
    """While nothing was taken."""


ORDERS = table("money_orders", OrderTotals, 1, "(order_id) WHERE compared AND came_in_minor <> total_minor")
PAID_BY = table("money_paid_by", PaidBy, 3)

# --- what is kept ---------------------------------------------------------------------------------

_BY_CUSTOMERS = (PaymentKind.CAPTURED, PaymentKind.AUTHORISED, PaymentKind.FAILED)


def _order(history: OrderHistory) -> list[OrderTotals]:
    order, money = history.order, history.order.money
    if not (money.charges or money.payments):
        return []
    by_customers = _by_customers(order)
    shipping = sum(each.amount_minor for each in money.charges if each.kind is ChargeKind.SHIPPING)
    row = OrderTotals(
        order_id=order.order_id,
        channel=order.placed.channel,
        currency=order.currency or next((each.amount.currency for each in by_customers), ""),
        shipping_minor=in_64_bits(shipping),
        other_charges_minor=in_64_bits(orders.charges_minor(order) - shipping),
        total_minor=in_64_bits(orders.total_minor(order)),
        came_in_minor=in_64_bits(orders.came_in_minor(order)),
        has_payment=bool(by_customers),
        compared=bool(order.lines and _taken(order)),
    )
    return [row]


def _paid_by(history: OrderHistory) -> list[PaidBy]:
    order = history.order
    if not order.money.payments:
        return []
    taken, reserved = _by_method(_taken(order)), _by_method(_reserved(order))
    return [
        PaidBy(
            order.order_id, *key, order.placed.channel, in_64_bits(taken.get(key, 0)), in_64_bits(reserved.get(key, 0))
        )
        for key in _by_method(_by_customers(order))
    ]


def _by_customers(order: Order) -> list[Payment]:
    return [each for each in order.money.payments if each.kind in _BY_CUSTOMERS]


def _taken(order: Order) -> list[Payment]:
    """What was captured and not voided."""
    payments = order.money.payments
    voided = orders.voided_of(payments)
    left = [
        (each, each.amount.amount_minor - voided.get(each.payment_id, 0))
        for each in payments
        if each.kind is PaymentKind.CAPTURED
    ]
    return [replace(each, amount=Money(minor, each.amount.currency)) for each, minor in left if minor]


def _reserved(order: Order) -> list[Payment]:
    """What was authorised and not voided, while nothing was captured."""
    if order.payment is not PaymentState.AUTHORISED:
        return []
    payments = order.money.payments
    voided = {each.of or each.payment_id for each in payments if each.kind is PaymentKind.VOIDED}
    return [each for each in payments if each.kind is PaymentKind.AUTHORISED and each.payment_id not in voided]


def _by_method(payments: Iterable[Payment]) -> dict[tuple[str, str], int]:
    """Sums by currency and method."""
    sums: dict[tuple[str, str], int] = {}
    for each in payments:
        key = (each.amount.currency, each.method)
        sums[key] = sums.get(key, 0) + each.amount.amount_minor
    return sums


ORDER_MONEY = projection(
    "order_money",
    2,
    From(orders.NOUN, ORDERS, _order),
    From(orders.NOUN, PAID_BY, _paid_by),
)

# --- questions ------------------------------------------------------------------------------------


class MethodTotal(NamedTuple):
    """What was paid by one method."""

    method: str
    taken_minor: int
    reserved_minor: int


class MoneyTotals(NamedTuple):
    """What orders in one currency cost and how they were paid."""

    currency: str
    goods_minor: int = 0
    freight_minor: int = 0
    other_charges_minor: int = 0
    orders_with_payment: int = 0
    orders_paid_exactly: int = 0
    orders_paid_differently: int = 0
    methods: tuple[MethodTotal, ...] = ()


_GOODS = """
    SELECT currency, sum(value_minor) FROM {performance_orders}
    WHERE (%(channel)s = '' OR channel = %(channel)s) AND currency <> '' AND placed_at >= %(since)s
        AND placed_at < %(until)s
    GROUP BY currency
"""
_ORDERS = """
    SELECT currency, sum(shipping_minor), sum(other_charges_minor), count(*) FILTER (WHERE has_payment),
        count(*) FILTER (WHERE compared AND came_in_minor = total_minor),
        count(*) FILTER (WHERE compared AND came_in_minor <> total_minor)
    FROM {money_orders} AS m WHERE (%(channel)s = '' OR channel = %(channel)s) AND currency <> '' AND {placed}
    GROUP BY currency
"""
_OF_ORDERS = MoneyTotals._fields[2:7]
"""What that query counts, in its order."""
_METHODS = """
    SELECT currency, method, sum(taken_minor), sum(reserved_minor) FROM {money_paid_by} AS m
    WHERE (%(channel)s = '' OR channel = %(channel)s) AND {placed} GROUP BY currency, method ORDER BY currency, method
"""
_DIFFERENCES = """
    SELECT * FROM {money_orders} AS m WHERE compared AND came_in_minor <> total_minor
        AND order_id > %(after)s AND (%(channel)s = '' OR channel = %(channel)s) AND {placed} AND {changed}
    ORDER BY order_id LIMIT %(limit)s
"""
_DIFFER_EVER = """
    SELECT min(o.placed_at), max(o.placed_at) FROM {money_orders} AS m JOIN {performance_orders} AS o USING (order_id)
    WHERE compared AND came_in_minor <> total_minor AND (%(channel)s = '' OR m.channel = %(channel)s)
"""
_PLACED = """
    EXISTS (SELECT FROM {performance_orders} AS o
        WHERE o.order_id = m.order_id AND o.placed_at >= %(since)s AND o.placed_at < %(until)s)
"""


def _of_placed(query: str, placed: Placed) -> str:
    """The query about orders that were placed in a window, if one is named."""
    return query.replace("{placed}", "true" if placed == EVER else _PLACED)


async def totals(where: Where, channel: str = "", placed: Placed = EVER) -> Answer[MoneyTotals]:
    """Everything recorded about orders that were placed in [since, until), by currency."""
    asked = {"channel": channel, "since": placed[0] or FIRST, "until": placed[1] or LAST}
    async with snapshot(where, ORDER_MONEY, SUPPLIER_PERFORMANCE) as at:
        found: dict[str, dict[str, Any]] = {}
        for currency, amount in await at.rows(_GOODS, asked):
            found.setdefault(currency, {})["goods_minor"] = in_64_bits(int(amount))
        for currency, *figures in await at.rows(_of_placed(_ORDERS, placed), asked):
            known = zip(_OF_ORDERS, (in_64_bits(int(each)) for each in figures), strict=True)
            found.setdefault(currency, {}).update(known)
        for currency, method, *sums in await at.rows(_of_placed(_METHODS, placed), asked):
            total = MethodTotal(method, *(in_64_bits(int(each)) for each in sums))
            mine = found.setdefault(currency, {})
            mine["methods"] = (*mine.get("methods", ()), total)
        rows = [MoneyTotals(currency, **found[currency]) for currency in sorted(found)]
        return Answer(rows, at.position, extent=None if rows else await placed_ever(at, channel))


_LISTED = Listed(
    query=_DIFFERENCES,
    make=OrderTotals,
    key=lambda row: row.order_id,
    subject=ListedStreams(orders.NOUN, ("m.order_id",)),
    of=lambda row: row.order_id,
)


async def list_differences(where: Where, page: PageOf, channel: str = "", placed: Placed = EVER) -> Answer[OrderTotals]:
    """Orders of which other money came in than they cost, by id."""
    parameters = {
        "after": page.after(str) or "",
        "channel": channel,
        "since": placed[0] or FIRST,
        "until": placed[1] or LAST,
        "limit": page.limit,
    }
    async with snapshot(where, ORDER_MONEY, SUPPLIER_PERFORMANCE) as at:
        answer = await _LISTED._replace(query=_of_placed(_DIFFERENCES, placed)).page(at, page, parameters)
        lacking = not (answer.rows or page.token or answer.changes)
        return answer._replace(extent=await at.extent(_DIFFER_EVER, parameters) if lacking else None)
