"""Why a supplier order cannot do what is asked of it."""

from __future__ import annotations

from ledger.nouns.orders.supplier_orders.state import Stage
from ledger.refusals import Forbidden, NotFound


class UnknownSupplierOrder(NotFound):
    def __init__(self, supplier_order_id: str) -> None:
        super().__init__(f"there is no supplier order {supplier_order_id}", supplier_order_id=supplier_order_id)


class NotSent(Forbidden):
    def __init__(self, supplier_order_id: str, stage: Stage) -> None:
        super().__init__(
            f"supplier order {supplier_order_id} is {stage}; send it first with OrderService.SendSupplierOrder",
            supplier_order_id=supplier_order_id,
            stage=stage,
        )


class NothingToShip(Forbidden):
    def __init__(self, supplier_order_id: str, stage: Stage) -> None:
        super().__init__(
            f"supplier order {supplier_order_id} is {stage}; it has no unit left to ship",
            supplier_order_id=supplier_order_id,
            stage=stage,
        )


class UnknownLine(NotFound):
    def __init__(self, of: str, line_no: int) -> None:
        super().__init__(f"{of} has no line {line_no}", of=of, line_no=line_no)


class OverAnswered(Forbidden):
    def __init__(self, line_no: int, asked: int, answered: int) -> None:
        super().__init__(
            f"{answered} of line {line_no} answered, {asked} unanswered",
            line_no=line_no,
            asked=asked,
            answered=answered,
        )


class UnderAnswered(Forbidden):
    def __init__(self, line_no: int, asked: int, answered: int) -> None:
        super().__init__(
            f"{answered} of line {line_no} answered, {asked} asked; say for every unit whether it is accepted, "
            "backordered or rejected",
            line_no=line_no,
            asked=asked,
            answered=answered,
        )


class OverShipped(Forbidden):
    def __init__(self, line_no: int, left: int, shipped: int) -> None:
        super().__init__(
            f"{shipped} of line {line_no} shipped, {left} left to ship", line_no=line_no, left=left, shipped=shipped
        )


class NoCancelAsked(Forbidden):
    def __init__(self, supplier_order_id: str) -> None:
        super().__init__(
            f"nobody asked supplier order {supplier_order_id} to cancel", supplier_order_id=supplier_order_id
        )
