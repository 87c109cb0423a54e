"""What is kept of each supplier's work: rows that rates count, and sums of them."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from ledger.terms.rates import RateName
from projections.machine.rows import ID, Column, Int2, Int4, Text
from projections.machine.tables import Table, Values, table


class SupplierOrderRow(NamedTuple):
    """One supplier order, and whether and when it counts in a rate."""

    supplier_order_id: str
    supplier_id: str
    order_id: str
    channel: str
    placed_at: datetime
    """Of the order."""
    acknowledge_due: datetime | None
    """None where no acknowledgement counts."""
    acknowledged_at: datetime | None
    acknowledged_in_time: bool
    dispatch_due: datetime | None
    """None where no dispatch counts."""
    dispatched_at: datetime | None
    """By the carrier's first scan, otherwise as the supplier reported."""
    dispatched_in_time: bool
    dispatch_by: datetime | None
    shipped_at: datetime | None
    """The dispatch as the supplier reported it."""
    shipped_late: bool
    """As the supplier reported."""
    cancelled_by: str
    """Whose doing it is that nothing is sent; empty unless cancelled."""
    cancelled: bool
    """By the supplier's fault."""
    delivered_at: datetime | None
    """When the last of its units arrived."""
    leads: bool
    """Whether it is the order's first one of its supplier, which stands for the order."""
    mistaken: bool
    """Whether an item was wrong, missing or mis-packed, by the supplier's fault."""
    defective: bool
    """Whether it leads and the order has a defect."""


class ParcelRow(NamedTuple):
    """One parcel to a customer."""

    number: str
    carrier: str
    epoch: Int4
    supplier_id: str
    order_id: str
    registered_at: datetime
    trackable: bool
    """It was scanned and its number has no warning."""
    promised_by: datetime | None
    delivered_at: datetime | None
    delivered_in_time: bool
    settles_at: datetime | None
    """Delivery or promise, whichever is first: then it is known."""


class OrderRow(NamedTuple):
    """What a customer ordered."""

    order_id: str
    channel: str
    placed_at: datetime
    currency: Text
    units: int
    value_minor: int
    suppliers: Int4
    promised_by: datetime | None
    delivered_at: datetime | None
    cancelled_by: str
    cancelled: bool
    """By a supplier's or the retailer's fault."""
    shipped_late: bool
    """Any of its supplier orders."""
    defective: bool


class ReviewRow(NamedTuple):
    """A review, for each supplier of the order, and for all together."""

    order_id: str
    review_id: str
    supplier_id: str
    """Empty for all together."""
    score: Int4
    at: datetime


class InquiryRow(NamedTuple):
    """A question that somebody has to answer."""

    inquiry_id: str
    supplier_id: str
    """Who has to answer; empty for the retailer."""
    order_id: str
    answer_due: datetime | None
    """None where no answer is owed."""
    answered_at: datetime | None
    answered_in_time: bool


class CaseRow(NamedTuple):
    """A case, for each supplier whose units it is about, and for all together."""

    case_id: str
    supplier_id: str
    """Empty for all together."""
    order_id: str
    opened_at: datetime
    resolution_due: datetime | None
    """None where nobody waits for the supplier to resolve it; for all together the earliest of its suppliers."""
    resolved_at: datetime | None
    resolved_in_time: bool


class DayRow(NamedTuple):
    """What is counted of a day, in UTC."""

    supplier_id: str
    """Empty for all together."""
    counted: str
    day: date
    numerator: int
    denominator: int


class UntilRow(NamedTuple):
    """The hour in which the log was last written to, in the one row of its table."""

    one: Int2
    until: datetime


SUPPLIER_ORDERS = table(
    "performance_supplier_orders",
    SupplierOrderRow,
    1,
    "(supplier_id, placed_at)",
    "(supplier_id, acknowledge_due)",
    "(supplier_id, dispatch_due)",
    "(supplier_id, shipped_at)",
    "(placed_at)",
    "(acknowledge_due)",
    "(dispatch_due)",
    "(shipped_at)",
    "(supplier_id, delivered_at)",
    "(delivered_at)",
)
PARCELS = table(
    "performance_parcels",
    ParcelRow,
    3,
    "(supplier_id, registered_at)",
    "(supplier_id, settles_at)",
    "(registered_at)",
    "(settles_at)",
)
ORDERS = table("performance_orders", OrderRow, 1, "(placed_at)", "(delivered_at)")
REVIEWS = table("performance_reviews", ReviewRow, 3, "(supplier_id, at)", "(at)")
INQUIRIES = table("performance_inquiries", InquiryRow, 1, "(supplier_id, answer_due)", "(answer_due)")
CASES = table(
    "performance_cases",
    CaseRow,
    2,
    "(supplier_id, opened_at)",
    "(opened_at)",
    "(supplier_id, resolution_due)",
    "(resolution_due)",
)
DAYS = table("performance_days", DayRow, 3)
FIGURES = [f"{name}_{part}" for name in RateName for part in ("numerator", "denominator")]
USUAL: Table[Values] = Table(
    "performance_usual",
    1,
    # The supplier is empty for all together.
    {"supplier_id": Column(ID), **dict.fromkeys(FIGURES, Column("int8 NOT NULL"))},
)
"""What each rate counts in its usual window up to USUAL_UNTIL."""
USUAL_UNTIL = table("performance_usual_until", UntilRow, 1)
COUNTED = (SUPPLIER_ORDERS, PARCELS, ORDERS, REVIEWS, INQUIRIES, CASES)
"""Tables of rows that are counted."""
