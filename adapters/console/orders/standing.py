"""How an order stands: what it is read by, what is said after each command about it, and what can be done next."""

from __future__ import annotations

from collections.abc import Iterable

import click

from adapters.console.terminal.client import Command, Q, RequestRefused
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import word
from fulfilment.v1 import common_pb2, orders_pb2, supplier_orders_pb2

LINE = click.option(
    "--line", "lines", multiple=True, metavar="LINE:UNITS", help="Only these units, such as 1:2; once for each line."
)


def read_order(
    session: Session,
    order_id: str,
    at_least: int = 0,
    personal: bool = False,
    as_of: common_pb2.AsOf | None = None,
) -> orders_pb2.Order:
    request = orders_pb2.GetOrderRequest(order_id=order_id, at_least=at_least, with_personal_data=personal, as_of=as_of)
    return session.client.call(session.client.orders.GetOrder, request).order


def order_of(supplier_order_id: str) -> str:
    return supplier_order_id.rpartition("/")[0]


def record(session: Session, order_id: str, rpc: Command[Q], request: Q) -> None:
    """Send a command about an order, and print the state of the order after it."""
    receipt = session.client.call(rpc, request)
    try:
        after = read_order(session, order_id, at_least=receipt.position)
    except RequestRefused as refused:
        if refused.reason != "NOT_ALLOWED":
            raise
        # A role such as the supplier's may do this, and sees no whole order.
        session.show_recorded(receipt)
        return
    session.print_result(receipt, f"Order {order_id}", after, status_of(after), next_steps(after))


def line_numbers(session: Session, order_id: str, missing: Iterable[str]) -> list[int]:
    """By which the order's lines are known; asked for where field paths name lines by their places."""
    return [each.line.line_no for each in read_order(session, order_id).lines] if "[" in "".join(missing) else []


def status_of(order: orders_pb2.Order) -> str:
    return word(orders_pb2.OrderStatus, order.status)


def next_steps(order: orders_pb2.Order) -> list[str]:
    """What a person can do now, as commands."""
    order_id, steps = order.order_id, []
    for hold in order.holds:
        match hold.reason:
            case orders_pb2.HOLD_REASON_INCOMPLETE:
                steps.append(f"Next: fulfilment order complete {order_id}, with what is missing")
            case orders_pb2.HOLD_REASON_AWAITING_PAYMENT:
                steps.append(f"Next: fulfilment order pay {order_id}")
            case orders_pb2.HOLD_REASON_OUT_OF_STOCK if order.HasField("confirmed_at"):
                steps.append(f"Next, when somebody has it: fulfilment order reroute {order_id} --by retailer")
            case orders_pb2.HOLD_REASON_OUT_OF_STOCK:
                steps.append(f"Next: fulfilment order confirm {order_id} --backorder-lacking, or wait for a feed")
            case orders_pb2.HOLD_REASON_CUSTOMS_DATA if hold.owner == "ledger":
                steps.append(f"Next: fulfilment order customs {order_id}, with what is missing")
            case orders_pb2.HOLD_REASON_OTHER if hold.owner == "ledger":
                steps.append(f"Next: approve the supplier, then fulfilment order release {order_id} other")
            case _:
                reason = word(orders_pb2.HoldReason, hold.reason).replace(" ", "_")
                scope = f" --supplier-order {hold.supplier_order_id}" if hold.supplier_order_id else ""
                steps.append(f"Next, once it is settled: fulfilment order release {order_id} {reason}{scope}")
    if order.money.owed_minor:
        steps.append(f"Next, when it is paid back: fulfilment order refund-paid {order_id} PAYMENT_ID")
    if any(not hold.lacking for hold in order.holds) or (not order.HasField("confirmed_at") and order.holds):
        return steps
    if order.status == orders_pb2.ORDER_STATUS_RECEIVED:
        return [f"Next: fulfilment order confirm {order_id}"]
    return [*steps, *(step for each in order.supplier_orders if (step := _next_for(each)))]


def _next_for(each: supplier_orders_pb2.SupplierOrder) -> str:
    name = each.supplier_order_id
    match each.status:
        case supplier_orders_pb2.SUPPLIER_ORDER_STATUS_DRAFT:
            return f"Next: fulfilment order send {name}"
        case supplier_orders_pb2.SUPPLIER_ORDER_STATUS_SENT:
            return f"Next, when {each.supplier_id} answers: fulfilment order ack {name}"
        case supplier_orders_pb2.SUPPLIER_ORDER_STATUS_ACCEPTED | supplier_orders_pb2.SUPPLIER_ORDER_STATUS_PACKED:
            return f"Next, when it leaves: fulfilment order ship {name} --carrier NAME --number NUMBER"
        case supplier_orders_pb2.SUPPLIER_ORDER_STATUS_CANCEL_REQUESTED:
            return f"Next, when {each.supplier_id} answers: fulfilment order cancel-answer {name} --agreed | --refused"
        case _:
            return ""
