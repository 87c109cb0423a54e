"""Why an order cannot do what is asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ledger.nouns.orders.facts import HoldReason
from ledger.nouns.orders.state import Header, Order
from ledger.refusals import AlreadyExists, Forbidden, NotFound
from ledger.terms.money import Money


class UnknownOrder(NotFound, reason="UNKNOWN_ORDER"):
    says = "there is no order {order_id}"
    order_id: str


class OrderPlacedDifferently(AlreadyExists, reason="ORDER_PLACED_DIFFERENTLY"):
    says = "order {order_id} was placed already with other content"
    order_id: str


class OrderOnHold(Forbidden, reason="ORDER_ON_HOLD"):
    says = "order {order_id} is on hold: {holds}"
    order_id: str
    holds: Sequence[HoldReason]


class OrderIsConfirmed(Forbidden, reason="ORDER_IS_CONFIRMED"):
    says = "order {order_id} is confirmed; of its details only the address can still change, by ChangeAddress"
    order_id: str


class NotConfirmable(Forbidden, reason="NOT_CONFIRMABLE"):
    says = "order {order_id} cannot be confirmed: {why}"
    order_id: str
    why: str


class UnknownHold(NotFound, reason="UNKNOWN_HOLD"):
    says = "order {order_id} has no hold {hold} of {owner}"
    order_id: str
    hold: HoldReason
    owner: str

    def sentence(self) -> str:
        # Nobody is named where holds of all owners are meant.
        return super().sentence().removesuffix(" of ")


class StillIncomplete(Forbidden, reason="STILL_INCOMPLETE"):
    says = "order {order_id} still lacks {missing}; complete it with OrderService.CompleteDetails"
    order_id: str
    missing: Sequence[str]


class OrderClosed(Forbidden, reason="ORDER_CLOSED"):
    says = "order {order_id} is {status}"
    order_id: str
    status: Header


class AlreadyPacked(Forbidden, reason="ALREADY_PACKED"):
    says = (
        "every part of order {order_id} is packed or has left, such as supplier order {supplier_order_id}; the address "
        "can change only before packing"
    )
    order_id: str
    supplier_order_id: str


class LineIsOfAnotherSku(Forbidden, reason="LINE_IS_OF_ANOTHER_SKU"):
    says = "line {line_no} is of {sku}, not of {asked}; a substitute is a new line, with substitute_for"
    line_no: int
    sku: str
    asked: str


class CannotCancel(Forbidden, reason="CANNOT_CANCEL"):
    says = (
        "{asked} of line {line_no} to cancel, {left} can still be cancelled; units that were shipped can only be "
        "returned"
    )
    line_no: int
    asked: int
    left: int


class NothingToCancel(Forbidden, reason="NOTHING_TO_CANCEL"):
    says = "order {order_id} has no unit left that could be cancelled; shipped units can only be returned"
    order_id: str


class NotDispatched(Forbidden, reason="NOT_DISPATCHED"):
    says = "order {order_id} is {status}; a receipt is confirmed after dispatch"
    order_id: str
    status: Header


class ReceivedTooEarly(Forbidden, reason="RECEIVED_TOO_EARLY"):
    says = "order {order_id} was placed {placed_at} and cannot have been received {at}; give the time at which it was"
    order_id: str
    at: datetime
    placed_at: datetime


class BeforePlacing(Forbidden, reason="BEFORE_PLACING"):
    says = (
        "order {order_id} was placed {placed_at}, so nobody can have said this of it {at}; give the time at which it "
        "was said"
    )
    order_id: str
    at: datetime
    placed_at: datetime


class ReviewDiffers(AlreadyExists, reason="REVIEW_DIFFERS"):
    says = "review {review_id} was recorded with {score} stars"
    review_id: str
    score: int


class ChargebackDiffers(AlreadyExists, reason="CHARGEBACK_DIFFERS"):
    says = "chargeback {chargeback_id} was recorded already, of {amount}"
    chargeback_id: str
    amount: Money


class PaymentDiffers(AlreadyExists, reason="ORDER_PAYMENT_DIFFERS"):
    says = "payment {payment_id} was recorded already, of {amount}"
    payment_id: str
    amount: Money


class NothingOwed(Forbidden, reason="NOTHING_OWED"):
    says = (
        "nothing is owed of order {order_id} beside the refunds of its cases; record what was paid all the same as a "
        "payment"
    )
    order_id: str


class MoreThanOwed(Forbidden, reason="MORE_THAN_OWED"):
    says = "{asked} was paid of order {order_id}, {owed} is owed; record what was paid beyond that as a payment"
    order_id: str
    asked: Money
    owed: Money


class MoreThanCameIn(Forbidden, reason="MORE_THAN_CAME_IN"):
    says = (
        "{asked} more to go back of order {order_id}: {came_in} came in, of which {refunded} was refunded and "
        "{charged_back} charged back; deny what cannot go back, by the refund's id if it was granted"
    )
    order_id: str
    asked: Money
    came_in: Money
    refunded: Money
    charged_back: Money


def known(order: Order | None, order_id: str) -> Order:
    if order is None:
        raise UnknownOrder(order_id)
    return order


def require_placed(order: Order, at: datetime) -> None:
    """Nobody instructs, answers or cancels before the order was placed: clocks would run from an impossible time."""
    if at < order.placed.placed_at:
        raise BeforePlacing(order.order_id, at, order.placed.placed_at)


class NothingShipped(Forbidden, reason="NOTHING_SHIPPED"):
    says = "nothing of supplier order {supplier_order_id} was reported as shipped"
    supplier_order_id: str


class ReceiptIsConfirmed(Forbidden, reason="RECEIPT_IS_CONFIRMED"):
    says = "order {order_id} has a receipt of {confirmed_at} for parcel {number} of {carrier}, so it did leave"
    order_id: str
    carrier: str
    number: str
    confirmed_at: datetime


class UnitsInCase(Forbidden, reason="UNITS_IN_CASE"):
    says = (
        "{in_cases} of line {line_no} are or were in cases, and only {left} would be left that they can be about; "
        "what a case is about did leave"
    )
    line_no: int
    in_cases: int
    left: int
