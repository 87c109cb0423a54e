"""What is owed to a customer beside the refunds of cases, and by when it is to be paid back (DOMAIN 1, 6).

How much is owed follows from the sums (``balance``). A debt says since when a part of it is, so that it has a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from ledger.facts import Fact, Value
from ledger.terms.money import Money


class RefundOwed(Fact, frozen=True, tag="order.refund_owed"):
    """More is owed to the customer: units were cancelled after they were paid, or a refund bounced."""

    order_id: str
    amount: Money
    """So much more than was owed before."""
    at: datetime
    """Since when."""
    pay_by: datetime
    """By when the retailer pays it back."""


class Debt(Value, frozen=True):
    """An amount that became owed at one time."""

    since: datetime
    pay_by: datetime
    left_minor: int
    """How much of it is still owed."""
    ended_at: datetime | None = None
    """When the last of it was paid, or owed no more."""
    paid: bool = False


def standing_minor(debts: Sequence[Debt]) -> int:
    """What is owed of all debts."""
    return sum(each.left_minor for each in debts)


def lowered(debts: tuple[Debt, ...], owed_minor: int, at: datetime, *, paid: bool) -> tuple[Debt, ...]:
    """The debts, once no more than that is owed: the oldest are paid first."""
    less = standing_minor(debts) - owed_minor
    if less <= 0:
        return debts
    after: list[Debt] = []
    for each in debts:
        taken = min(each.left_minor, less)
        less -= taken
        if taken and taken == each.left_minor:
            each = replace(each, left_minor=0, ended_at=max(at, each.since), paid=paid)
        elif taken:
            each = replace(each, left_minor=each.left_minor - taken)
        after.append(each)
    return tuple(after)
