"""Decisions on the money of an order: what came in, what went back, and what that means for its units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec.structs import replace

from ledger.facts import Units
from ledger.nouns.orders import after_sales
from ledger.nouns.orders.after_sales import Amounts, RefundPaidBack
from ledger.nouns.orders.details import since_placing
from ledger.nouns.orders.evolving import evolve
from ledger.nouns.orders.facts import (
    LEDGER,
    ChargebackRecorded,
    Hold,
    HoldPlaced,
    HoldReason,
    OrderFact,
    PaymentChanged,
    PaymentState,
)
from ledger.nouns.orders.holds import end_holds, place_holds
from ledger.nouns.orders.refusals import ChargebackDiffers, MoreThanCameIn
from ledger.nouns.orders.state import Header, Order
from ledger.terms.money import Money

_NO_MONEY = frozenset({PaymentState.REFUNDED, PaymentState.FAILED})
"""Nothing is left of the money; a voided payment counts as failed."""


def change_payment(order: Order, payment: PaymentState, at: datetime) -> list[OrderFact]:
    """The state of the payment as the shop reports it. The same state again records nothing, unless it ends a hold.

    A payment ends the holds that waited for it. Money that goes back before the confirmation is awaited again; if all
    of it goes back later, what has not left is put on hold. A state that is older than the known one is recorded and
    changes nothing. A payment from before the order counts from the placing.
    """
    changed = since_placing(order, PaymentChanged(order.order_id, payment, at))
    told_at, at = at, changed.at
    ended = _ended_by_payment(order, at) if payment is PaymentState.PAID else []
    if payment is order.payment and not ended and not _paid_again(order, payment, at):
        return []
    if order.payment_at is not None and told_at < order.payment_at:
        return [PaymentChanged(order.order_id, payment, told_at, outdated=True)]
    if payment is PaymentState.PAID:
        return [changed, *end_holds(order, ended, at)]
    if _awaits_confirmation(order) and order.hold(HoldReason.AWAITING_PAYMENT) is None:
        return [changed, HoldPlaced(order.order_id, Hold(HoldReason.AWAITING_PAYMENT, LEDGER, at), at)]
    gone = payment in _NO_MONEY and not _awaits_confirmation(order)
    return [changed, *keep_back(order, at)] if gone else [changed]


def money_gone_at(order: Order) -> datetime | None:
    """When the last of the money for its units went back; None if some is left, or it was paid again since.

    What a chargeback in another currency leaves is unknown, so it counts as all.
    """
    if order.payment in _NO_MONEY:
        return order.payment_at or order.placed.at
    if not order.chargebacks or not (_nothing_left(order) or _charged_back_in_other_currency(order)):
        return None
    gone_at = max(chargeback.at for chargeback in order.chargebacks)
    since = order.payment_at if order.payment is PaymentState.PAID else None
    return None if since is not None and since > gone_at else gone_at


def _nothing_left(order: Order) -> bool:
    """Whether nothing of the money is left; in a paid order the bank may have taken that of cancelled units."""
    if order.payment is PaymentState.PAID:
        return left_minor(order) <= 0
    return _all_went_back(order)


def _charged_back_in_other_currency(order: Order) -> bool:
    return any(chargeback.amount.currency != order.currency for chargeback in order.chargebacks)


def _paid_again(order: Order, payment: PaymentState, at: datetime) -> bool:
    """Whether an order that counts as paid was paid again after its money went back."""
    gone_at = money_gone_at(order) if payment is PaymentState.PAID and order.chargebacks else None
    return gone_at is not None and at > gone_at


def _ended_by_payment(order: Order, at: datetime) -> list[Hold]:
    """The holds that a payment at that time ends: not those of money that went back later."""
    return [
        hold
        for hold in order.holds
        if not hold.supplier_order_id
        and (
            hold.reason is HoldReason.AWAITING_PAYMENT or (hold.reason is HoldReason.PAYMENT_REVERSED and hold.at <= at)
        )
    ]


def keep_back(order: Order, at: datetime) -> Sequence[OrderFact]:
    """A hold on what has not left, because its money went back."""
    if order.header is Header.CANCELLED or not any(map(order.units, ("open", "backordered", "assigned"))):
        return []
    # The money of a reship is that of an earlier order, and counts by its own time.
    return place_holds(order, [Hold(HoldReason.PAYMENT_REVERSED, LEDGER, at)])


def share_money(reship: Order, paying: Order, change: ChargebackRecorded | PaymentChanged) -> Sequence[OrderFact]:
    """What a change of the money of the order that paid for a reship's units means for the reship."""
    if isinstance(change, PaymentChanged) and change.outdated:
        return []
    if isinstance(change, PaymentChanged) and change.payment is PaymentState.PAID:
        return end_holds(reship, _ended_by_payment(reship, change.at), change.at)
    return keep_back(reship, change.at) if money_gone_at(paying) is not None else []


def _awaits_confirmation(order: Order) -> bool:
    return order.confirmed_at is None and order.header is not Header.CANCELLED


def record_chargeback(order: Order, chargeback: ChargebackRecorded) -> Sequence[OrderFact]:
    """The bank took money back, which is recorded whatever the amount. The same chargeback again records nothing.

    If nothing is left of what was paid for the order's units, those that have not left are put on hold.
    """
    for each in order.chargebacks:
        if each.chargeback_id == chargeback.chargeback_id:
            if each.amount != chargeback.amount:
                raise ChargebackDiffers(each.chargeback_id, each.amount)
            return []
    after = evolve(order, chargeback)
    gone = money_gone_at(after) is not None
    chargeback = replace(chargeback, warnings=tuple(_warnings(after, chargeback)))
    return [chargeback, *keep_back(order, chargeback.at)] if gone else [chargeback]


def _warnings(after: Order, chargeback: ChargebackRecorded) -> Iterator[str]:
    """What is odd about the newest chargeback of an order."""
    if chargeback.amount.currency != after.currency:
        yield f"{chargeback.amount} was charged back of an order in {after.currency or 'no currency yet'}"
        return
    refunded, taken = after.after_sales.paid_back_minor, charged_back_minor(after)
    whole = sum(line.quantity * line.unit_price_minor for line in after.lines.values())
    if refunded + taken > whole:
        figures = (refunded + taken - whole, whole, refunded, taken)
        more, price, back, charged = (Money(each, after.currency) for each in figures)
        yield f"{more} more went back than the units cost: of {price}, {back} was refunded and {charged} charged back"


def require_paid(order: Order) -> None:
    """Only money that came can go back."""
    if order.payment not in (PaymentState.PAID, PaymentState.PARTLY_REFUNDED):
        raise after_sales.NothingPaid(order.order_id, order.payment)


def price_of(order: Order, units: Units) -> Amounts:
    """What was to be paid for units, line by line, in minor units."""
    return {line_no: count * order.lines[line_no].unit_price_minor for line_no, count in units.items()}


def came_in_minor(order: Order) -> int:
    """What was paid for the order, by the state that the shop reports: the price of all units, or nothing."""
    if order.payment not in (PaymentState.PAID, PaymentState.PARTLY_REFUNDED, PaymentState.REFUNDED):
        return 0
    return sum(line.quantity * line.unit_price_minor for line in order.lines.values())


def charged_back_minor(order: Order) -> int:
    """What banks took back in the order's currency; another cannot be compared without a rate that nobody agreed."""
    amounts = (chargeback.amount for chargeback in order.chargebacks)
    return sum(amount.amount_minor for amount in amounts if amount.currency == order.currency)


def left_to_go_back(order: Order, refunded_minor: int) -> int:
    """What is left of what came in, once so much is refunded, in minor units; below zero if more went back."""
    return came_in_minor(order) - charged_back_minor(order) - refunded_minor


def left_minor(order: Order) -> int:
    """What is left of what came in after all that was refunded and charged back."""
    return left_to_go_back(order, order.after_sales.paid_back_minor)


def require_left(order: Order, asked_minor: int, refunded_minor: int) -> None:
    """Never more goes back than came in, by refunds and by chargebacks together."""
    if asked_minor > left_to_go_back(order, refunded_minor):
        raise MoreThanCameIn(
            order.order_id,
            asked=Money(asked_minor, order.currency),
            came_in=Money(came_in_minor(order), order.currency),
            refunded=Money(refunded_minor, order.currency),
            charged_back=Money(charged_back_minor(order), order.currency),
        )


def _all_went_back(order: Order) -> bool:
    """Whether nothing is left of what was paid for the units that are not cancelled."""
    wanted = {line_no: buckets.total - buckets.cancelled for line_no, buckets in order.buckets.items()}
    back_minor = order.after_sales.paid_back_minor + charged_back_minor(order)
    return back_minor >= sum(price_of(order, wanted).values())


def pay_refund(order: Order, refund_id: str, at: datetime) -> list[OrderFact]:
    """A refund was paid out; the payment follows. Paying it twice records nothing."""
    after_sales = order.after_sales
    refund = after_sales.refunds[refund_id]
    if refund.paid:
        return []
    require_left(order, sum(refund.amounts_minor.values()), after_sales.paid_back_minor)
    paid_back = RefundPaidBack(order.order_id, refund_id, at)
    after = evolve(order, paid_back)
    payment = PaymentState.REFUNDED if _all_went_back(after) else PaymentState.PARTLY_REFUNDED
    # It follows from all that is known, so its time is not before that.
    return [paid_back, *change_payment(after, payment, max(at, after.payment_at or at))]
