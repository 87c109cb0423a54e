"""The money of an order added up: what it costs, what came in, what went back, and what is owed (DOMAIN 1).

Nothing of it is stored. Sums over all that is known give the same in whatever order it was told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ledger.facts import LineNo, Units, Value, plus
from ledger.nouns.orders import after_sales
from ledger.nouns.orders.after_sales import Spans
from ledger.nouns.orders.debts import standing_minor
from ledger.nouns.orders.facts import ChargebackRecorded
from ledger.nouns.orders.lines import Line
from ledger.nouns.orders.payments import Payment, PaymentKind, PaymentState

if TYPE_CHECKING:
    from ledger.nouns.orders.state import Order

# --- what it costs --------------------------------------------------------------------------------


class Worth(Value, frozen=True, dict=True, gc=True):
    """What an order comes to by all but its payments: added up once, however many of these move on."""

    order: Order
    """Before them."""

    @cached_property
    def total_minor(self) -> int:
        return sum(line.amount_minor for line in self.order.lines.values()) + charges_minor(self.order)

    @cached_property
    def cancelled_minor(self) -> int:
        return cancelled_minor(self.order)

    @cached_property
    def settled_minor(self) -> int:
        return cancelled_minor(self.order, _settled(self.order))

    @cached_property
    def is_wanted(self) -> bool:
        return any(buckets.cancelled < buckets.total for buckets in self.order.buckets.values())

    @cached_property
    def due_minor(self) -> int:
        return self.total_minor - self.cancelled_minor if self.is_wanted else 0

    @cached_property
    def booked_minor(self) -> int:
        return self.order.after_sales.booked_minor

    @cached_property
    def paid_back_minor(self) -> int:
        return self.order.after_sales.paid_back_minor

    @cached_property
    def paid_back_by(self) -> Counter[str]:
        """What refunds of cases came to that name a payment of the shop, by its id."""
        by_reference = Counter[str]()
        for paid in self.order.after_sales.refunds.values():
            if paid.paid and paid.reference:
                by_reference[paid.reference] += paid.amount_minor
        return by_reference

    @cached_property
    def refunded_beyond_minor(self) -> int:
        """What refunds of cases gave beyond what an amendment left of the price: it went back already."""
        order, after = self.order, self.order.after_sales
        if order.money.amended_at is None:
            return 0
        costs = {each.charge_id: each.amount_minor for each in order.money.charges}
        charges = dict.fromkeys(name for refund in after.refunds.values() for name in refund.charges_minor)
        of_charges = (max(after.refunded_of_charge(name) - costs.get(name, 0), 0) for name in charges)
        return sum(refunded_beyond_minor(order, line_no) for line_no in after.refunds_of) + sum(of_charges)


def worth_of(order: Order) -> Worth:
    return order.worth or Worth(order)


def total_minor(order: Order) -> int:
    """What all lines and charges come to, cancelled units too."""
    return worth_of(order).total_minor


def charges_minor(order: Order) -> int:
    return sum(charge.amount_minor for charge in order.money.charges)


def due_minor(order: Order) -> int:
    """What is to be paid for what is still wanted; where nothing is, the charges are not due either."""
    return worth_of(order).due_minor


def price_minor(order: Order) -> int:
    """What all units that are not cancelled and all charges cost."""
    worth = worth_of(order)
    return worth.total_minor - worth.cancelled_minor


def cancelled_minor(order: Order, by_line: Units | None = None) -> int:
    """What cancelled units cost, or the first of them."""
    by_line = order.in_bucket("cancelled") if by_line is None else by_line
    if not order.after_sales.refunds:
        return sum(order.lines[line_no].worth_minor(units) for line_no, units in by_line.items())
    return sum(_cancelled_minor(order, line_no, units) for line_no, units in by_line.items())


def _cancelled_minor(order: Order, line_no: LineNo, units: int) -> int:
    """Cancelled units count from the first unit of their line on, but for those that refunds are for.

    Of a line with an exact total one unit may be worth a minor unit more than another, so none counts twice.
    """
    line, until, refunded_minor = order.lines[line_no], units, 0
    for first, count in sorted(_refunded_units(order, line_no)):
        if first >= until:
            break
        until += count
        refunded_minor += line.worth_minor(count, first)
    return line.worth_minor(min(until, line.quantity)) - refunded_minor


def _refunded_units(order: Order, line_no: LineNo) -> Spans:
    return _from_the_first(order.lines[line_no], order.after_sales.refunded_places(line_no))


def _from_the_first(line: Line, places: Spans) -> Spans:
    """The same units counted from the first one of the line on; what a line has no units for is left out."""
    ends = ((max(line.quantity - place - count, 0), line.quantity - place) for place, count in places)
    return tuple((first, end - first) for first, end in ends if end > first)


# --- what came in -----------------------------------------------------------------------------------

_CAME_IN = frozenset({PaymentState.PAID, PaymentState.PARTLY_REFUNDED, PaymentState.REFUNDED})
"""Words that say that the order was paid once."""
NO_MONEY = frozenset({PaymentState.REFUNDED, PaymentState.FAILED})
"""Nothing is left of the money; what was voided failed."""


def word_of(order: Order) -> PaymentState:
    """What the shop last said of the money without amounts."""
    return order.money.word or order.placed.payment


def amounts(order: Order, kind: PaymentKind) -> int:
    """The sum of all payments of a kind, in the order's currency; another cannot be compared without a rate."""
    return order.money.sums_minor.get((kind, order.currency), 0)


def has_any(order: Order, kind: PaymentKind) -> bool:
    """Whether there is a payment of a kind in the order's currency, whatever it comes to."""
    return (kind, order.currency) in order.money.sums_minor


def of_kind(order: Order, kind: PaymentKind) -> list[Payment]:
    return [each for each in order.money.payments if each.kind is kind and each.amount.currency == order.currency]


def came_in_minor(order: Order) -> int:
    """What was paid for the order, by amounts; else by the shop's word, which means what it cost when it was paid."""
    if order.money.on_delivery and not paid_by_word(order):
        return amounts(order, PaymentKind.CAPTURED) - captures_voided(order) + _collected(order)
    if captured := amounts(order, PaymentKind.CAPTURED):
        return captured - captures_voided(order)
    if not paid_by_word(order):
        return 0
    worth = worth_of(order)
    return max(order.money.paid_minor, worth.total_minor - worth.settled_minor)


def paid_by_word(order: Order) -> bool:
    """Whether the shop said that it was paid, and no amount tells how much."""
    return word_of(order) in _CAME_IN and not has_any(order, PaymentKind.CAPTURED)


ON_DELIVERY = "cash_on_delivery"
"""The method of payments that tell what carriers collected; without any, a delivered parcel brought its amount in."""


def _collected(order: Order) -> int:
    """What came in at the door, as far as no payment tells it."""
    if any(each.method == ON_DELIVERY for each in of_kind(order, PaymentKind.CAPTURED)):
        return 0
    return sum(each.collect_minor for each in order.shipments if each.bucket == "delivered")


def captures_voided(order: Order) -> int:
    """What was taken in the order's currency and then taken back before it was settled."""
    if not has_any(order, PaymentKind.VOIDED):
        return 0
    return sum(voided_of([each for each in order.money.payments if each.amount.currency == order.currency]).values())


def voided_of(payments: Sequence[Payment]) -> dict[str, int]:
    """What was taken back of each capture before it was settled, by its id.

    A source may call what it reserved and what it took of that by one id: a void takes what was not taken first.
    Without an amount it is about the whole of that, or else about all that was taken.
    """
    captured, reserved = (
        {each.payment_id: each.amount.amount_minor for each in payments if each.kind is kind}
        for kind in (PaymentKind.CAPTURED, PaymentKind.AUTHORISED)
    )
    voided: dict[str, int] = {}
    for each in payments:
        payment_id = each.of or each.payment_id
        if each.kind is PaymentKind.VOIDED and (taken := captured.get(payment_id)):
            untaken = max(reserved.get(payment_id, 0) - taken, 0)
            voided[payment_id] = voided.get(payment_id, -untaken) + (each.amount.amount_minor or untaken or taken)
    return {payment_id: min(max(minor, 0), captured[payment_id]) for payment_id, minor in voided.items()}


def _settled(order: Order) -> Units:
    """Units that were cancelled before a word settled the money of the order: nothing is owed for them."""
    settled_before, units = order.money.settled_before, Units()
    if settled_before is None:
        return units
    for at, by_line in order.money.cancelled:
        if at < settled_before:
            units = plus(units, by_line)
    cancelled = order.in_bucket("cancelled")
    return {line_no: min(count, cancelled.get(line_no, 0)) for line_no, count in units.items()}


# --- what went back ---------------------------------------------------------------------------------


def charged_back_minor(order: Order) -> int:
    """What banks took back in the order's currency; another cannot be compared without a rate that nobody agreed."""
    taken = (chargeback.amount for chargeback in order.chargebacks)
    return sum(amount.amount_minor for amount in taken if amount.currency == order.currency)


def refunded_by_shop_minor(order: Order) -> int:
    """What the shop paid back beside the refunds of cases, less what bounced."""
    if not order.money.payments_by_key:
        return 0
    return _paid_by_shop_minor(order) - amounts(order, PaymentKind.REFUND_RETURNED) + bounced_unknown_minor(order)


def _paid_by_shop_minor(order: Order) -> int:
    """What the refunds of the shop come to beyond those of cases."""
    of_cases, told = worth_of(order).paid_back_by, order.money.payments_by_key
    both = [(told.get((PaymentKind.REFUNDED, name)), minor) for name, minor in of_cases.items()]
    refunds = [(each.amount, minor) for each, minor in both if each is not None]
    same = sum(min(amount.amount_minor, minor) for amount, minor in refunds if amount.currency == order.currency)
    return amounts(order, PaymentKind.REFUNDED) - same


def bounced_unknown_minor(order: Order) -> int:
    """What bounced beyond all that is known to have gone back by then: it counts once that is told as well."""
    if not has_any(order, PaymentKind.REFUND_RETURNED):
        return 0
    returned = _returned(order)
    told = {each.payment_id: each.at for each in of_kind(order, PaymentKind.REFUNDED)}
    of_cases = [(each, each.paid_at) for each in order.after_sales.refunds.values() if each.paid_at is not None]
    moved = [(each.at, each.amount.amount_minor) for each in _refunds_by_shop(order)]
    moved += [(min(at, told.get(each.reference, at)), each.amount_minor) for each, at in of_cases]
    moved += [(each.at, -each.amount.amount_minor) for each in returned]
    gone = unknown = 0
    for _, minor in sorted(moved, key=lambda move: (move[0], -move[1])):
        unknown += max(-(gone + minor), 0)
        gone = max(gone + minor, 0)
    return unknown


def _refunds_by_shop(order: Order) -> list[Payment]:
    """Refunds of the shop; of one that refunds of cases name, what it comes to beyond them, because it is the same."""
    refunds, of_cases = of_kind(order, PaymentKind.REFUNDED), worth_of(order).paid_back_by
    return [_beyond(each, of_cases[each.payment_id]) for each in refunds] if of_cases else refunds


def _returned(order: Order) -> list[Payment]:
    """Refunds that bounced, none before the refund that it names."""
    told = {each.payment_id: each.at for each in of_kind(order, PaymentKind.REFUNDED)}
    returned = of_kind(order, PaymentKind.REFUND_RETURNED)
    return [replace(each, at=max(each.at, told.get(each.of, each.at))) for each in returned]


def _beyond(refund: Payment, of_cases: int) -> Payment:
    """The part of a refund that no case's refund is."""
    amount = refund.amount
    return replace(refund, amount=replace(amount, amount_minor=max(amount.amount_minor - of_cases, 0)))


def went_back_minor(order: Order) -> int:
    """All that went back, by whatever way."""
    return worth_of(order).paid_back_minor + refunded_by_shop_minor(order) + charged_back_minor(order)


def left_to_go_back(order: Order, refunded_minor: int) -> int:
    """What is left of what came in, once cases refunded so much, in minor units; below zero if more went back."""
    return came_in_minor(order) - charged_back_minor(order) - refunded_by_shop_minor(order) - refunded_minor


def left_minor(order: Order) -> int:
    """What is left of what came in after all that went back."""
    if all_gone_by_word(order):
        return 0
    return left_to_go_back(order, worth_of(order).paid_back_minor)


def all_gone_by_word(order: Order) -> bool:
    """Whether the shop said without amounts, after the last that it took, that all of it went back."""
    if word_of(order) not in NO_MONEY or not has_any(order, PaymentKind.CAPTURED):
        return False
    captured_at = max(each.at for each in of_kind(order, PaymentKind.CAPTURED))
    return order.payment_at is not None and order.payment_at >= captured_at


def last_went_back_at(order: Order) -> datetime | None:
    """When money last went back by an amount that is known, or did not come after all."""
    away = (PaymentKind.REFUNDED, PaymentKind.VOIDED, PaymentKind.FAILED, PaymentKind.CHARGED_BACK)
    paid = (each.paid_at for each in order.after_sales.refunds.values() if each.paid_at is not None)
    news: Iterable[Payment | ChargebackRecorded] = (
        *order.chargebacks,
        *(each for each in order.money.payments if each.kind in away),
    )
    return max((*paid, *(each.at for each in news)), default=None)


# --- what is owed -----------------------------------------------------------------------------------


def owed_minor(order: Order) -> int:
    """What is owed to the customer beside the refunds of cases: for units that were cancelled after they were paid, the
    charges too where nothing of the order is wanted, and for refunds that bounced.

    What the shop refunded, or a bank took back, pays it, whether it came before or after. Never is more owed than is
    left of what came in.
    """
    if word_of(order) in NO_MONEY and not has_any(order, PaymentKind.CAPTURED):
        return 0
    bounced, refunded = _bounced(order)
    owed = (
        max(_for_cancelled(order) - max(refunded - _overpaid_back_minor(order), 0), 0)
        + bounced
        - charged_back_minor(order)
    )
    unpaid = worth_of(order).booked_minor - worth_of(order).paid_back_minor
    return max(min(owed, left_minor(order) - unpaid), 0)


def _for_cancelled(order: Order) -> int:
    """What was paid for units that were cancelled since, and for what an amendment made cheaper."""
    lowered = order.money.lowered_minor
    if not (lowered or any(order.money.cancelled)):
        return 0
    came_in, worth = came_in_minor(order), worth_of(order)
    due, gone = worth.due_minor, worth.refunded_beyond_minor
    paid_for = max(lowered - gone, 0) + worth.cancelled_minor - worth.settled_minor
    return max(min(paid_for, came_in - due - gone), 0) if due else came_in


def _overpaid_back_minor(order: Order) -> int:
    """What the shop refunded of money that came twice, before anything was cancelled or made cheaper."""
    money = order.money
    over = came_in_minor(order) - total_minor(order) - money.taken_off_minor
    if over <= 0 or not has_any(order, PaymentKind.CAPTURED):
        return 0
    since = [at for at, _ in money.cancelled] + ([money.amended_at] if money.amended_at is not None else [])
    first = min(since, default=None)
    before = (each for each in _refunds_by_shop(order) if first is not None and each.at < first)
    return min(over, sum(each.amount.amount_minor for each in before))


def _bounced(order: Order) -> tuple[int, int]:
    """What bounced and was not paid again, and what the shop refunded beside that, in the order of their times."""
    if not has_any(order, PaymentKind.REFUND_RETURNED):
        return 0, _paid_by_shop_minor(order)
    moved = [*_refunds_by_shop(order), *(returned := _returned(order))]
    named = {each.of for each in returned}
    bounced = refunded = 0
    for each in sorted(moved, key=lambda payment: (payment.at, payment.payment_id not in named, payment.kind)):
        amount_minor = each.amount.amount_minor
        if each.kind is PaymentKind.REFUND_RETURNED:
            bounced += amount_minor
        else:
            again = min(bounced, amount_minor)
            bounced, refunded = bounced - again, refunded + amount_minor - again
    return max(bounced - bounced_unknown_minor(order), 0), refunded


def newly_owed_minor(order: Order) -> int:
    """What is owed beyond all debts that are recorded."""
    money = order.money
    bounced = any(kind is PaymentKind.REFUND_RETURNED for kind, _ in money.sums_minor)
    if not (money.cancelled or money.lowered_minor or bounced):
        return 0  # the usual case; this is asked for every command
    return max(owed_minor(order) - standing_minor(money.debts), 0)


def pay_by(order: Order) -> datetime | None:
    """By when the first of what is owed is to be paid back; None where no clock of it runs."""
    return min((each.pay_by for each in order.money.debts if each.left_minor), default=None)


def owed_since(order: Order) -> datetime:
    """Since when something is owed: the last cancellation, amendment or return of a refund."""
    returned = (each.at for each in of_kind(order, PaymentKind.REFUND_RETURNED))
    amended = (order.money.amended_at,) if order.money.amended_at is not None else ()
    return max((*(at for at, _ in order.money.cancelled), *returned, *amended), default=order.placed.placed_at)


# --- how it stands ----------------------------------------------------------------------------------


def payment_of(order: Order) -> PaymentState:
    """How the money stands by all amounts that are known: paid once what is left covers what is wanted."""
    came_in, word = came_in_minor(order), word_of(order)
    if word in NO_MONEY and not has_any(order, PaymentKind.CAPTURED):
        return word
    if came_in <= 0:
        return _not_come(order)
    left, due = left_minor(order), due_minor(order)
    went_back = left < came_in
    # What is left of an order can be free, as by a voucher of as much; then nothing has to be left of the money.
    if left >= due and (left or not went_back or worth_of(order).is_wanted):
        return PaymentState.PAID
    if not went_back:
        return PaymentState.PARTLY_PAID
    return PaymentState.PARTLY_REFUNDED if left > 0 else PaymentState.REFUNDED


def may_go(order: Order) -> bool:
    """Whether its money keeps it from nothing: it is paid, or is collected at the door."""
    return is_covered(order) or order.money.on_delivery


def is_covered(order: Order) -> bool:
    """Whether it is paid, or was and a part went back. What went back for units that are not wanted any more pays for
    none that came since: then as much has to have come in as was ever asked for.
    """
    if (payment := order.payment) is not PaymentState.PARTLY_REFUNDED:
        return payment is PaymentState.PAID
    return came_in_minor(order) >= total_minor(order) + order.money.taken_off_minor


def _not_come(order: Order) -> PaymentState:
    if has_any(order, PaymentKind.CAPTURED):
        return PaymentState.FAILED  # all that was taken was voided
    voided, word = of_kind(order, PaymentKind.VOIDED), word_of(order)
    # A void without an amount gives all free.
    whole = any(not each.amount.amount_minor for each in voided)
    if amounts(order, PaymentKind.AUTHORISED) > amounts(order, PaymentKind.VOIDED) and not whole:
        return PaymentState.AUTHORISED
    if voided or has_any(order, PaymentKind.FAILED):
        return PaymentState.FAILED
    return PaymentState.PENDING if word is PaymentState.UNKNOWN else word


# --- what units are worth in a refund ---------------------------------------------------------------


def refundable_minor(order: Order, line_no: LineNo) -> int:
    """What cases can refund of a line in all: what its units cost that are not cancelled; those that were refunded
    before an amendment made them cheaper, what they cost then.
    """
    left = order.lines[line_no].amount_minor - _cancelled_minor(order, line_no, order.buckets[line_no].cancelled)
    return left + refunded_beyond_minor(order, line_no)


def refunded_beyond_minor(order: Order, line_no: LineNo) -> int:
    """What refunds gave for units of a line beyond what these cost since an amendment."""
    if order.money.amended_at is None:
        return 0
    line, after = order.lines[line_no], order.after_sales
    units = min(after.refunded_units(line_no), line.quantity)
    return max(after.refunded_minor(line_no) - line.worth_minor(units, line.quantity - units), 0)


def share_minor(order: Order, line_no: LineNo, units: int) -> int:
    """What units are worth that are refunded for the first time.

    Refunds are for certain units of a line, from its last one back, and one that is taken back gives its own free
    again; cancelled units count from the first one on and pass over those. So whatever was taken back between, all
    shares make up the total. A share is what is missing of all refunded units together, because older ones may be
    rounded otherwise.
    """
    line = order.lines[line_no]
    if line.total_minor is None:
        return units * line.unit_price_minor
    now = _from_the_first(line, after_sales.free_places(order.after_sales, line_no, units))
    together = sum(line.worth_minor(count, first) for first, count in (*_refunded_units(order, line_no), *now))
    return max(together - order.after_sales.shares_minor(line_no), 0)
