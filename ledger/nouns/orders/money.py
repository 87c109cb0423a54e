"""Decisions on the money of an order: what came in, what went back, and what that means for its units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec.structs import replace

from ledger.nouns.orders import after_sales
from ledger.nouns.orders.after_sales import RefundPaidBack
from ledger.nouns.orders.balance import (
    NO_MONEY,
    bounced_unknown_minor,
    came_in_minor,
    charged_back_minor,
    due_minor,
    has_any,
    is_covered,
    last_went_back_at,
    left_minor,
    left_to_go_back,
    may_go,
    owed_minor,
    refunded_by_shop_minor,
    total_minor,
    went_back_minor,
)
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
    PaymentRecorded,
)
from ledger.nouns.orders.holds import end_holds, place_holds
from ledger.nouns.orders.payments import Payment, PaymentKind, PaymentState
from ledger.nouns.orders.refusals import ChargebackDiffers, MoreThanCameIn, MoreThanOwed, NothingOwed, PaymentDiffers
from ledger.nouns.orders.state import Header, Order
from ledger.terms.money import Money

MoneyFact = ChargebackRecorded | PaymentChanged | PaymentRecorded | RefundPaidBack
"""Facts by which the money of an order moves."""


def change_payment(order: Order, payment: PaymentState, at: datetime) -> list[OrderFact]:
    """What the shop says of the money now. The same state again records nothing, unless it ends a hold.

    Paid releases the holds that waited for it. Money that goes back before the confirmation is awaited again; all of it
    going back after the confirmation keeps what has not left from leaving. News counts by its own time: what is older
    than what is known is recorded and moves nothing, and so is a word where the amounts that came in are known, unless
    all went back. Money may have come before the order, for which it counts from the placing.
    """
    changed = since_placing(order, PaymentChanged(order.order_id, payment, at))
    told_at, at = at, changed.at
    ended = _ended_by_payment(order, at) if payment is PaymentState.PAID else []
    if payment is order.payment and not ended and not _paid_again(order, payment, at):
        return []
    known = payment not in NO_MONEY and has_any(order, PaymentKind.CAPTURED)
    if known or (order.payment_at is not None and told_at < order.payment_at):
        return [PaymentChanged(order.order_id, payment, told_at, outdated=True)]
    if payment is PaymentState.PAID:
        return [changed, *end_holds(order, ended, at)]
    return [changed, *_without_money(evolve(order, changed), at)]


def record_payment(order: Order, payment: Payment) -> list[OrderFact]:
    """Money moved, so much. The same movement again records nothing; whatever it comes to, it is recorded.

    How the money stands follows from the sums, and from that the holds that wait for money.
    """
    if (known := order.money.payments_by_key.get(payment.key)) is not None:
        if known.amount != payment.amount:
            raise PaymentDiffers(payment.payment_id, known.amount)
        return []
    if payment.kind is PaymentKind.CHARGED_BACK:
        taken = ChargebackRecorded(order.order_id, payment.payment_id, payment.amount, payment.at)
        return list(record_chargeback(order, since_placing(order, taken)))
    recorded = since_placing(order, PaymentRecorded(order.order_id, payment, payment.at))
    after = evolve(order, recorded)
    recorded = replace(recorded, odd=tuple(_odd_payment(after, payment)))
    return [recorded, *follow_payment(order, after, recorded.at)]


def _odd_payment(after: Order, payment: Payment) -> Iterator[str]:
    """What is odd about the newest payment of an order."""
    amount, kind = payment.amount, str(payment.kind).replace("_", " ")
    came_in, total = (Money(each, after.currency) for each in (came_in_minor(after), total_minor(after)))
    if amount.currency != after.currency:
        yield f"{amount} was {kind} of an order in {after.currency or 'no currency yet'}, and counts for nothing"
    elif payment.kind is PaymentKind.CAPTURED and (more := came_in.amount_minor - total.amount_minor) > 0:
        yield f"{Money(more, after.currency)} more came in than the order costs, {total}"
    elif payment.kind is PaymentKind.REFUND_RETURNED and (more := bounced_unknown_minor(after)) > 0:
        bounced = Money(more, after.currency)
        yield f"{bounced} more bounced than is known to have been refunded, and counts for nothing yet"
    elif payment.kind in (PaymentKind.REFUNDED, PaymentKind.VOIDED) and (more := -left_minor(after)) > 0:
        yield f"{Money(more, after.currency)} more went back than came in, {came_in}"


def follow_payment(before: Order, after: Order, at: datetime) -> Sequence[OrderFact]:
    """The holds that wait for money, after news of it by amounts."""
    payment = after.payment
    if payment is PaymentState.PAID:
        ended = [hold for hold in after.holds if hold.reason in _FOR_MONEY and _of_money(hold)]
        return end_holds(after, ended, max((at, *(hold.at for hold in ended))))
    if payment is PaymentState.PARTLY_REFUNDED and is_covered(after):
        ended = [each for each in after.holds if each.reason is HoldReason.AWAITING_PAYMENT and each.owner == LEDGER]
        return end_holds(after, ended, max((at, *(hold.at for hold in ended))))
    return [] if payment is before.payment else _without_money(after, at)


_FOR_MONEY = (HoldReason.AWAITING_PAYMENT, HoldReason.PAYMENT_REVERSED)


def _of_money(hold: Hold) -> bool:
    """Whether money ends the hold: a person ends what it placed on one supplier order."""
    return not hold.supplier_order_id or hold.owner == LEDGER


def await_payment(order: Order, supplier_order_ids: Sequence[str], at: datetime) -> Sequence[OrderFact]:
    """Parts that came in addition to a confirmed order wait for their money, as far as amounts say that it lacks."""
    if order.payment not in (PaymentState.PARTLY_PAID, PaymentState.PARTLY_REFUNDED) or may_go(order):
        return []
    reason = HoldReason.AWAITING_PAYMENT
    return place_holds(order, [Hold(reason, LEDGER, at, supplier_order_id=each) for each in supplier_order_ids])


def _without_money(order: Order, at: datetime) -> Sequence[OrderFact]:
    """What waits where an order is not paid: all of it before the confirmation; after it, if all the money went."""
    if may_go(order):
        return []
    if _awaits_confirmation(order):
        waits = order.hold(HoldReason.AWAITING_PAYMENT) is not None
        return [] if waits else [HoldPlaced(order.order_id, Hold(HoldReason.AWAITING_PAYMENT, LEDGER, at), at)]
    return keep_back(order, at) if order.payment in NO_MONEY else []


def money_gone_at(order: Order) -> datetime | None:
    """When the last of the money for its units went back; None if some is left, or it was paid again since.

    Of a chargeback in another currency nobody can say what it leaves.
    """
    if order.payment in NO_MONEY:
        return max(filter(None, (order.payment_at, last_went_back_at(order))), default=order.placed.at)
    if not order.chargebacks or not (_nothing_left(order) or _charged_back_otherwise(order)):
        return None
    gone_at = max(chargeback.at for chargeback in order.chargebacks)
    since = order.payment_at if order.payment is PaymentState.PAID else None
    return None if since is not None and since > gone_at else gone_at


def _nothing_left(order: Order) -> bool:
    """Whether all went back that came in, or that was to come in, where nobody said that it did."""
    return left_minor(order) <= 0 if came_in_minor(order) else went_back_minor(order) >= due_minor(order)


def _charged_back_otherwise(order: Order) -> bool:
    return any(chargeback.amount.currency != order.currency for chargeback in order.chargebacks)


def _paid_again(order: Order, payment: PaymentState, at: datetime) -> bool:
    """Whether "paid" is news to a paid order: its money went back before."""
    gone_at = money_gone_at(order) if payment is PaymentState.PAID and order.chargebacks else None
    return gone_at is not None and at > gone_at


def _ended_by_payment(order: Order, at: datetime) -> list[Hold]:
    """The holds that money which came then ends: not those of money that went back later."""
    return [
        hold
        for hold in order.holds
        if _of_money(hold)
        and (
            hold.reason is HoldReason.AWAITING_PAYMENT or (hold.reason is HoldReason.PAYMENT_REVERSED and hold.at <= at)
        )
    ]


def keep_back(order: Order, at: datetime) -> Sequence[OrderFact]:
    """What has not left waits, because its money went back: for the money, or for a person."""
    if order.header is Header.CANCELLED or not any(map(order.units, ("open", "backordered", "assigned"))):
        return []
    # The money of a reship is that of an order of before it, and counts by its own time.
    return place_holds(order, [Hold(HoldReason.PAYMENT_REVERSED, LEDGER, at)])


def share_money(reship: Order, paying: Order, change: MoneyFact) -> Sequence[OrderFact]:
    """What a change of the money of the order that paid for a reship's units means for the reship."""
    if isinstance(change, PaymentChanged) and change.outdated:
        return []
    if isinstance(change, PaymentChanged | PaymentRecorded) and paying.payment is PaymentState.PAID:
        return end_holds(reship, _ended_by_payment(reship, change.at), change.at)
    return keep_back(reship, change.at) if money_gone_at(paying) is not None else []


def _awaits_confirmation(order: Order) -> bool:
    return order.confirmed_at is None and order.header is not Header.CANCELLED


def record_chargeback(order: Order, chargeback: ChargebackRecorded) -> Sequence[OrderFact]:
    """The bank took money back, which is recorded whatever it comes to. The same chargeback again records nothing.

    Where nothing is left of what was paid for the order's units, those that have not left wait.
    """
    for each in order.chargebacks:
        if each.chargeback_id == chargeback.chargeback_id:
            if each.amount != chargeback.amount:
                raise ChargebackDiffers(each.chargeback_id, each.amount)
            return []
    after = evolve(order, chargeback)
    gone = money_gone_at(after) is not None
    chargeback = replace(chargeback, warnings=tuple(_odd(after, chargeback)))
    return [chargeback, *keep_back(order, chargeback.at)] if gone else [chargeback]


def _odd(after: Order, chargeback: ChargebackRecorded) -> Iterator[str]:
    """What is odd about the newest chargeback of an order."""
    if chargeback.amount.currency != after.currency:
        yield f"{chargeback.amount} was charged back of an order in {after.currency or 'no currency yet'}"
        return
    refunded, taken = _refunded_minor(after), charged_back_minor(after)
    whole = total_minor(after)
    if refunded + taken > whole:
        figures = (refunded + taken - whole, whole, refunded, taken)
        more, price, back, charged = (Money(each, after.currency) for each in figures)
        yield f"{more} more went back than the order cost: of {price}, {back} was refunded and {charged} charged back"


def _refunded_minor(order: Order) -> int:
    return order.after_sales.paid_back_minor + refunded_by_shop_minor(order)


def require_paid(order: Order) -> None:
    """Only money that came can go back."""
    if order.payment not in (PaymentState.PAID, PaymentState.PARTLY_PAID, PaymentState.PARTLY_REFUNDED):
        raise after_sales.NothingPaid(order.order_id, order.payment)


def require_left(order: Order, asked_minor: int, refunded_minor: int) -> None:
    """Never more goes back than came in, by refunds of cases, of the shop and by chargebacks together."""
    if asked_minor > left_to_go_back(order, refunded_minor):
        raise MoreThanCameIn(
            order.order_id,
            asked=Money(asked_minor, order.currency),
            came_in=Money(came_in_minor(order), order.currency),
            refunded=Money(refunded_minor + refunded_by_shop_minor(order), order.currency),
            charged_back=Money(charged_back_minor(order), order.currency),
        )


def pay_refund(order: Order, refund_id: str, at: datetime, reference: str = "") -> list[OrderFact]:
    """A refund was paid out; how the money stands follows. Paying it twice records nothing."""
    refunds = order.after_sales
    refund = refunds.refunds[refund_id]
    if refund.paid:
        return []
    paid_back = RefundPaidBack(order.order_id, refund_id, at, reference)
    after = evolve(order, paid_back)
    # What the shop told of by this reference is the same money; a refund beyond that is not.
    if (more := went_back_minor(after) - went_back_minor(order)) > 0:
        require_left(order, more, refunds.paid_back_minor)
    return [paid_back, *follow_payment(order, after, at)]


def pay_owed(order: Order, payment_id: str, amount: Money | None, at: datetime) -> list[OrderFact]:
    """What is owed for cancelled units or for a refund that bounced was paid, all of it or a part. Twice records
    nothing.
    """
    known = order.money.payments_by_key.get((PaymentKind.REFUNDED, payment_id))
    if known is None:
        owed = Money(owed_minor(order), order.currency)
        if not owed.amount_minor:
            raise NothingOwed(order.order_id)
        amount = amount or owed
        if amount.currency != owed.currency or amount.amount_minor > owed.amount_minor:
            raise MoreThanOwed(order.order_id, amount, owed)
    elif amount is None:
        return []
    return record_payment(order, Payment(payment_id, PaymentKind.REFUNDED, amount, at))
