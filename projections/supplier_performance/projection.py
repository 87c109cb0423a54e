"""Filling the rows that rates count, and their sums."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ledger.nouns import cases, inquiries, orders, parcels, suppliers
from ledger.nouns.cases import Case, CaseStatus
from ledger.nouns.inquiries import Inquiry
from ledger.nouns.orders import Header
from ledger.nouns.parcels import Parcel
from ledger.terms.clocks import Clock, ClockState
from ledger.terms.money import in_64_bits
from ledger.terms.parties import Party
from projections.machine.histories import OrderHistory
from projections.machine.projection import From, FromPages, projection
from projections.machine.streams import Page
from projections.machine.tables import AddedRows, Written
from projections.supplier_performance.rows import (
    CASES,
    COUNTED,
    DAYS,
    INQUIRIES,
    ORDERS,
    PARCELS,
    REVIEWS,
    SUPPLIER_ORDERS,
    USUAL,
    USUAL_UNTIL,
    CaseRow,
    InquiryRow,
    OrderRow,
    ParcelRow,
    ReviewRow,
)
from projections.supplier_performance.sums import Counted, Tally
from projections.supplier_performance.supplier_orders import (
    FAULTS,
    cases_of,
    in_time,
    is_claim,
    is_defective,
    is_late,
    supplier_orders,
)
from projections.supplier_performance.suppliers import (
    AGREEMENTS,
    PROPOSALS,
    STANDINGS,
    SUPPLIERS,
    SupplierRow,
    agreements,
    proposals,
    standing,
)


def _orders(history: OrderHistory, page: Page, *, before: bool) -> list[OrderRow]:
    """What a customer ordered; units that are sent once more were ordered before."""
    if history.order.placed.reship_of:
        return []
    row = history.cached(_order)
    if row.defective or not any(map(is_claim, cases_of(history, page, before=before))):
        return [row]
    return [row._replace(defective=True)]


def _order(history: OrderHistory) -> OrderRow:
    """Its row, without what its cases add."""
    order = history.order
    lines = order.lines.values()
    cancelled_by = _cancelling_party(history) if history.header is Header.CANCELLED else ""
    return OrderRow(
        order_id=order.order_id,
        channel=order.placed.channel,
        placed_at=order.placed.placed_at,
        currency=order.currency,
        units=sum(line.quantity for line in lines),
        value_minor=in_64_bits(sum(line.amount_minor for line in lines)),
        suppliers=len({each.supplier_id for each in order.supplier_orders.values()}),
        promised_by=order.promised_by,
        delivered_at=history.delivered_at,
        cancelled_by=cancelled_by,
        cancelled=cancelled_by in ("supplier", "retailer"),
        shipped_late=any(is_late(each) for each in order.supplier_orders.values()),
        defective=is_defective(order),
    )


def _cancelling_party(history: OrderHistory) -> str:
    # Units that were only rerouted were not cancelled.
    parts = history.order.supplier_orders
    gone = [who for what, who in history.cancelled_by.items() if what not in parts or parts[what].count("cancelled")]
    parties = frozenset[str]().union(*gone)
    return next((party for party in FAULTS if party in parties), "unknown")


def _parcels(parcel: Parcel) -> list[ParcelRow]:
    """Parcels to customers; what they send back is not a supplier's doing, and what was voided is no parcel."""
    return [_parcel(use) for use in parcels.uses(parcel) if _is_to_customer(use)]


def _is_to_customer(use: Parcel) -> bool:
    """A number of a last mile is no parcel of its own."""
    return not (use.return_of or use.last_mile_of) and use.voided is None


def _parcel(parcel: Parcel) -> ParcelRow:
    promise, delivery = parcel.due_by, parcel.delivered_at
    return ParcelRow(
        number=parcel.number,
        carrier=parcel.carrier,
        epoch=parcel.epoch,
        supplier_id=parcel.supplier_id,
        order_id=parcel.order_id,
        registered_at=parcel.registered_at,
        trackable=parcel.first_scan_at is not None,
        promised_by=promise,
        delivered_at=delivery,
        delivered_in_time=in_time(delivery, promise),
        settles_at=None if promise is None else min(promise, delivery or promise),
    )


def _reviews(history: OrderHistory) -> list[ReviewRow]:
    """Each review, for all together and for every supplier of the order, because it names none."""
    order = history.order
    if not order.reviews:
        return []
    suppliers = dict.fromkeys(["", *(each.supplier_id for each in order.supplier_orders.values())])
    return [
        ReviewRow(order.order_id, review.review_id, supplier_id, review.score, review.at)
        for review in order.reviews
        for supplier_id in suppliers
    ]


def _inquiry(inquiry: Inquiry) -> list[InquiryRow]:
    asked, answered_at, closed = inquiry.asked, inquiry.answered_at, inquiry.closed
    due = asked.answer_by
    if due is not None and answered_at is None and closed is not None and closed.at < due:
        due = None
    row = InquiryRow(
        inquiry_id=asked.inquiry_id,
        supplier_id=asked.supplier_id if asked.asked_of is Party.SUPPLIER else "",
        order_id=asked.order_id,
        answer_due=due,
        answered_at=answered_at,
        answered_in_time=in_time(answered_at, due),
    )
    return [row]


def _cases(case: Case) -> list[CaseRow]:
    """A case, for all together and for every supplier whose units it is about; one that was cancelled is none."""
    if case.status is CaseStatus.CANCELLED:
        return []
    due = _resolution_due(case)
    resolved_at = case.closed_at if case.status is CaseStatus.RESOLVED else None
    names = dict.fromkeys(["", *case.opened.suppliers.values(), *due])
    return [
        CaseRow(
            case_id=case.case_id,
            supplier_id=name,
            order_id=case.order_id,
            opened_at=case.opened.at,
            resolution_due=due.get(name),
            resolved_at=resolved_at,
            resolved_in_time=in_time(resolved_at, due.get(name)),
        )
        for name in names
    ]


def _resolution_due(case: Case) -> dict[str, datetime]:
    """When the case was to be resolved, by supplier that bears it: what was late stays late, also if it ended since."""
    found = {
        each.supplier_id: each.due
        for each in cases.readings(case)
        if each.clock is Clock.RESOLUTION and each.state not in (None, ClockState.WITHDRAWN)
    }
    return {**found, "": min(found.values())} if found else {}


_COUNTED_OF: tuple[From[Any], ...] = (
    From(orders.NOUN, REVIEWS, _reviews),
    From(parcels.NOUN, PARCELS, _parcels),
    From(inquiries.NOUN, INQUIRIES, _inquiry),
    From(cases.NOUN, CASES, _cases),
)
"""Counted rows of one stream each; those of orders depend on parcels and cases as well."""


def _counted(page: Page) -> list[Written]:
    """Rows of all that is counted, and their sums."""
    tally = Tally(page.recorded_until)
    counted = {each.name: Counted(each, tally) for each in COUNTED}
    for history, now in page.orders_concerned():
        before = list(supplier_orders(history, page, before=True)) if history else []
        counted[SUPPLIER_ORDERS.name].replace(before, supplier_orders(now, page, before=False))
        was = _orders(history, page, before=True) if history else []
        counted[ORDERS.name].replace(was, _orders(now, page, before=False))
    for source in _COUNTED_OF:
        source.follow(page, counted[source.table.name])
    names = [supplier.supplier_id for _, supplier in page.changed(suppliers.NOUN.prefix)]
    names += [row.supplier_id for row in counted[SUPPLIER_ORDERS.name].new]
    # The sums come last: they look at the rows as the page leaves them.
    return [*counted.values(), AddedRows(SUPPLIERS, map(SupplierRow, names)), tally]


SUPPLIER_PERFORMANCE = projection(
    "supplier_performance",
    7,
    FromPages((*COUNTED, DAYS, USUAL, USUAL_UNTIL, SUPPLIERS), _counted),
    From(suppliers.NOUN, STANDINGS, standing),
    From(suppliers.NOUN, PROPOSALS, proposals),
    From(suppliers.NOUN, AGREEMENTS, agreements),
)
