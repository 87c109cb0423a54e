"""Why an order cannot do what is asked of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ledger.facts import to_minute
from ledger.nouns.orders.facts import Hold, HoldReason
from ledger.nouns.orders.state import Header, Order
from ledger.refusals import AlreadyExists, Forbidden, NotFound
from ledger.terms.money import Money


class UnknownOrder(NotFound):
    def __init__(self, order_id: str) -> None:
        super().__init__(f"there is no order {order_id}", order_id=order_id)


class OrderPlacedDifferently(AlreadyExists):
    def __init__(self, order_id: str) -> None:
        super().__init__(f"order {order_id} was placed already with other content", order_id=order_id)


class OrderOnHold(Forbidden):
    def __init__(self, order_id: str, holds: Iterable[Hold]) -> None:
        reasons = ", ".join(sorted({str(hold.reason) for hold in holds}))
        super().__init__(f"order {order_id} is on hold: {reasons}", order_id=order_id, holds=reasons)


class OrderIsConfirmed(Forbidden):
    def __init__(self, order_id: str) -> None:
        super().__init__(
            f"order {order_id} is confirmed; of its details only the address can still change, by ChangeAddress",
            order_id=order_id,
        )


class NotConfirmable(Forbidden):
    def __init__(self, order_id: str, why: str) -> None:
        super().__init__(f"order {order_id} cannot be confirmed: {why}", order_id=order_id, why=why)


class UnknownHold(NotFound):
    def __init__(self, order_id: str, reason: HoldReason, owner: str) -> None:
        super().__init__(
            f"order {order_id} has no hold {reason}" + (f" of {owner}" if owner else ""),
            order_id=order_id,
            hold=reason,
            owner=owner,
        )


class StillIncomplete(Forbidden):
    def __init__(self, order_id: str, missing: Iterable[str]) -> None:
        fields = ", ".join(missing)
        super().__init__(
            f"order {order_id} still lacks {fields}; complete it with OrderService.CompleteDetails",
            order_id=order_id,
            missing=fields,
        )


class OrderClosed(Forbidden):
    def __init__(self, order_id: str, header: Header) -> None:
        super().__init__(f"order {order_id} is {header}", order_id=order_id, status=header)


class AlreadyPacked(Forbidden):
    def __init__(self, order_id: str, supplier_order_id: str) -> None:
        super().__init__(
            f"supplier order {supplier_order_id} is packed; the address can change only before packing",
            order_id=order_id,
            supplier_order_id=supplier_order_id,
        )


class CannotCancel(Forbidden):
    def __init__(self, line_no: int, asked: int, left: int) -> None:
        super().__init__(
            f"{asked} of line {line_no} to cancel, {left} can still be cancelled; units that were shipped can only "
            "be returned",
            line_no=line_no,
            asked=asked,
            left=left,
        )


class NothingToCancel(Forbidden):
    def __init__(self, order_id: str) -> None:
        super().__init__(
            f"order {order_id} has no unit left that could be cancelled; shipped units can only be returned",
            order_id=order_id,
        )


class NotDispatched(Forbidden):
    def __init__(self, order_id: str, header: Header) -> None:
        super().__init__(
            f"order {order_id} is {header}; a receipt is confirmed after dispatch", order_id=order_id, status=header
        )


class ReceivedTooEarly(Forbidden):
    def __init__(self, order_id: str, at: datetime, placed_at: datetime) -> None:
        super().__init__(
            f"order {order_id} was placed {to_minute(placed_at)} and cannot have been received {to_minute(at)}; "
            "give the time at which it was",
            order_id=order_id,
            at=at.isoformat(),
            placed_at=placed_at.isoformat(),
        )


class BeforePlacing(Forbidden):
    def __init__(self, order_id: str, at: datetime, placed_at: datetime) -> None:
        super().__init__(
            f"order {order_id} was placed {to_minute(placed_at)}, so nobody can have said this of it {to_minute(at)}; "
            "give the time at which it was said",
            order_id=order_id,
            at=at.isoformat(),
            placed_at=placed_at.isoformat(),
        )


class ReviewDiffers(AlreadyExists):
    def __init__(self, review_id: str, score: int) -> None:
        super().__init__(f"review {review_id} was recorded with {score} stars", review_id=review_id, score=score)


class ChargebackDiffers(AlreadyExists):
    def __init__(self, chargeback_id: str, amount: Money) -> None:
        super().__init__(
            f"chargeback {chargeback_id} was recorded already, of {amount}",
            chargeback_id=chargeback_id,
            amount_minor=amount.amount_minor,
            currency=amount.currency,
        )


class MoreThanCameIn(Forbidden):
    def __init__(self, order_id: str, asked: Money, came_in: Money, refunded: Money, charged_back: Money) -> None:
        super().__init__(
            f"{asked} more to go back of order {order_id}: {came_in} came in, of which {refunded} was refunded and "
            f"{charged_back} charged back; deny what cannot go back, by the refund's id if it was granted",
            order_id=order_id,
            asked_minor=asked.amount_minor,
            came_in_minor=came_in.amount_minor,
            refunded_minor=refunded.amount_minor,
            charged_back_minor=charged_back.amount_minor,
            currency=asked.currency,
        )


def known(order: Order | None, order_id: str) -> Order:
    if order is None:
        raise UnknownOrder(order_id)
    return order


def require_placed(order: Order, at: datetime) -> None:
    """Nobody instructs, answers or cancels before the order was placed: clocks would run from an impossible time."""
    if at < order.placed.placed_at:
        raise BeforePlacing(order.order_id, at, order.placed.placed_at)
