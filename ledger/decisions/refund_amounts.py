"""How much of its money a customer gets back: for units, less what it owes for freight, and of charges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ledger.facts import LineNo
from ledger.nouns import orders
from ledger.nouns.cases import Case
from ledger.nouns.orders import Order, after_sales
from ledger.nouns.orders.after_sales import Amounts, ChargeAmounts
from ledger.terms.money import MOST_MINOR, Money, round_half_up

WHOLE_BASIS_POINTS = 10_000


class Share(NamedTuple):
    """What units of a line are worth that are refunded now."""

    whole_minor: int
    left_minor: int
    """Without what earlier refunds gave for them."""
    fresh_minor: int
    """The part of those that no refund was granted for before."""

    def at_most(self, minor: int) -> Share:
        return Share(min(self.whole_minor, minor), min(self.left_minor, minor), self.fresh_minor)


def share_of(case: Case, paying: Order, line_no: LineNo, units: int) -> Share:
    """Units of a case that was reopened may be refunded once more: what is left of them by then."""
    line, granted = paying.lines[line_no], min(case.refunded_units(line_no), case.by_line[line_no])
    not_here = min(units, case.by_line[line_no] - granted)
    # Another case, for another reason, may have refunded a part of some: what is left of the line is left of them.
    fresh = min(not_here, max(line.quantity - paying.after_sales.refunded_units(line_no), 0))
    fresh_minor = orders.share_minor(paying, line_no, fresh)
    elsewhere_minor = line.worth_minor(not_here - fresh)
    again_minor = line.worth_minor(units - not_here)
    again_left = min(again_minor, line.worth_minor(granted) - case.refunded_minor(line_no)) if units > not_here else 0
    of_line = orders.refundable_minor(paying, line_no) - paying.after_sales.refunded_minor(line_no)
    left = min(fresh_minor + elsewhere_minor + again_left, of_line, MOST_MINOR)
    return Share(fresh_minor + elsewhere_minor + again_minor, left, fresh_minor)


def amounts_of(paying: Order, shares: Mapping[LineNo, Share], share_basis_points: int, named: Amounts) -> Amounts:
    """What each line's units get: never more than is left of what was paid for them.

    What cost nothing gets nothing beside others: a present is refunded with what it came with.
    """
    amounts, booked_minor = Amounts(), paying.after_sales.booked_minor
    in_all = orders.left_to_go_back(paying, booked_minor)
    is_any_priced = any(each.whole_minor for each in shares.values())
    for line_no, (whole, left, _) in shares.items():
        part = round_half_up(whole * (share_basis_points or WHOLE_BASIS_POINTS), WHOLE_BASIS_POINTS)
        asked = named.get(line_no, min(part, left))
        is_free = is_any_priced and not (whole or asked)
        if asked > left or not (left or is_free):
            wanted = Money(named.get(line_no, part), paying.currency)
            raise after_sales.RefundTooLarge(line_no, wanted, Money(max(left, 0), paying.currency))
        if line_no not in named and 0 < in_all < asked:
            asked = in_all
        if asked > in_all:
            orders.require_left(paying, asked, booked_minor)
        in_all, booked_minor = in_all - asked, booked_minor + asked
        amounts[line_no] = asked
    return amounts


def take_off(amounts: Amounts, lines: Iterable[LineNo], owed_minor: int) -> int:
    """Takes what the customer owes off the amounts that nobody named; returns how much that was."""
    left = owed_minor
    for line_no in sorted(lines):
        taken = min(amounts[line_no], left)
        amounts[line_no] -= taken
        left -= taken
    return owed_minor - left


def charge_amounts(paying: Order, wanted: Mapping[str, int], booked_minor: int) -> ChargeAmounts:
    """What is refunded of each charge: never more than is left of it, nor of what came in."""
    charges = {charge.charge_id: charge for charge in paying.money.charges}
    amounts = ChargeAmounts()
    for charge_id, named_minor in wanted.items():
        if charge_id not in charges:
            raise after_sales.UnknownCharge(paying.order_id, charge_id)
        left = max(charges[charge_id].amount_minor - paying.after_sales.refunded_of_charge(charge_id), 0)
        in_all = orders.left_to_go_back(paying, booked_minor)
        asked = named_minor or (min(left, in_all) if in_all > 0 else left)
        if asked > left or not left:
            figures = (Money(each, paying.currency) for each in (asked, left))
            raise after_sales.ChargeRefundTooLarge(charge_id, *figures)
        orders.require_left(paying, asked, booked_minor)
        booked_minor += asked
        amounts[charge_id] = asked
    return amounts
