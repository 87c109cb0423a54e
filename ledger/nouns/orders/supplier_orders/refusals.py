"""Why a supplier order cannot do what is asked of it."""

from __future__ import annotations

from ledger.nouns.orders.supplier_orders.state import Stage
from ledger.refusals import Forbidden, NotFound


class UnknownSupplierOrder(NotFound, reason="UNKNOWN_SUPPLIER_ORDER"):
    says = "there is no supplier order {supplier_order_id}"
    supplier_order_id: str


class NotSent(Forbidden, reason="NOT_SENT"):
    says = "supplier order {supplier_order_id} is {stage}; send it first with OrderService.SendSupplierOrder"
    supplier_order_id: str
    stage: Stage


class NothingToShip(Forbidden, reason="NOTHING_TO_SHIP"):
    says = (
        "supplier order {supplier_order_id} is {stage}; it has no unit left to ship: what left all the same is told by "
        "its lines"
    )
    supplier_order_id: str
    stage: Stage


class UnknownLine(NotFound, reason="UNKNOWN_LINE"):
    says = "{of} has no line {line_no}"
    of: str
    line_no: int


class OverAnswered(Forbidden, reason="OVER_ANSWERED"):
    says = "{answered} of line {line_no} answered, {asked} unanswered"
    line_no: int
    asked: int
    answered: int


class UnderAnswered(Forbidden, reason="UNDER_ANSWERED"):
    says = (
        "{answered} of line {line_no} answered, {asked} asked; say for every unit whether it is accepted, backordered "
        "or rejected"
    )
    line_no: int
    asked: int
    answered: int


class OverShipped(Forbidden, reason="OVER_SHIPPED"):
    """Given no more: what left is recorded. It is stored as the outcome of commands."""

    says = "{shipped} of line {line_no} shipped, {left} left to ship"
    line_no: int
    left: int
    shipped: int


class NoCancelAsked(Forbidden, reason="NO_CANCEL_ASKED"):
    says = "nobody asked supplier order {supplier_order_id} to cancel"
    supplier_order_id: str
