"""What was sold, line by line: values that the facts of orders are made of."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from ledger.facts import LineNo, Value
from ledger.terms.money import share


class WhenUnavailable(StrEnum):
    """What to do with units of a confirmed order that no supplier qualifies for."""

    HOLD = "hold"
    """A person decides."""
    BACKORDER = "backorder"
    """They wait at the best supplier that has yet to get them; where there is none, a person decides."""
    CANCEL = "cancel"


class PartOf(Value, frozen=True):
    """The line of a bundle, as the shop numbered it, that a line was made of."""

    line_no: LineNo
    sku: str
    units: int
    """Of the part, in each unit of the bundle."""


class Line(Value, frozen=True):
    """One line of the order as the shop sent it. What it left out is empty or zero."""

    line_no: LineNo
    sku: str
    quantity: int
    unit_price_minor: int
    title: str = ""
    supplier_id: str = ""
    dispatch_by: datetime | None = None
    """A dispatch deadline that the shop gave; it takes precedence over the agreement's."""
    hs_code: str = ""
    origin: str = ""
    weight_grams: int = 0
    """Net weight of one unit."""
    declared_value_minor: int = 0
    """What one unit is declared at customs for, where that is not its price, such as for a gift."""
    total_minor: int | None = None
    """What all its units cost together, exactly, after discounts; None means quantity x unit price."""
    part_of: PartOf | None = None
    """None for what the shop sold by itself."""
    given_up: int = 0
    """Units, the first ones, that an amendment took away: the total is for the others. Only with a total."""
    substitute_for: int = 0
    """The line that it takes the place of."""
    channel_line_id: str = ""
    """The shop's own id of it, or of the bundle that it is a part of."""

    @property
    def amount_minor(self) -> int:
        """What all its units cost together."""
        return self.quantity * self.unit_price_minor if self.total_minor is None else self.total_minor

    def worth_minor(self, units: int, first: int = 0) -> int:
        """What so many units cost, from the unit ``first`` on, counted from 0: all parts add up to the amount."""
        if self.total_minor is None:
            return units * self.unit_price_minor
        # The units that were given up are the first ones, and cost nothing.
        since, until = max(first - self.given_up, 0), max(first + units - self.given_up, 0)
        return share(self.total_minor, self.quantity - self.given_up, since, until - since)

    @property
    def customs_value_minor(self) -> int:
        """What one unit is worth to customs; 0 while it is not known."""
        if self.total_minor is None:
            return self.declared_value_minor or self.unit_price_minor
        return self.customs_worth_minor(1)

    def customs_worth_minor(self, units: int) -> int:
        """What so many units are worth to customs."""
        if self.declared_value_minor:
            return units * self.declared_value_minor
        if self.total_minor is None:
            return units * self.unit_price_minor
        return share(self.total_minor, self.quantity - self.given_up, 0, units)
