"""How each supplier order counts: whether, from when, and whether as wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.nouns.cases import Case, CaseStatus, Reason
from ledger.nouns.orders import Order, Shipment
from ledger.nouns.orders.supplier_orders import Stage, SupplierOrder
from ledger.terms.parties import Party
from projections.machine.histories import OrderHistory
from projections.machine.streams import Page
from projections.supplier_performance.rows import SupplierOrderRow

FAULTS = ("supplier", "retailer", "carrier", "customer")
"""Where several parties wanted units cancelled, the first of these that did counts."""


_DISPATCHED = SupplierOrderRow._fields.index("dispatched_at")
"""Where it stands in the row; whether that was in time comes next."""


class _OrderPart(NamedTuple):
    """What a supplier order's row takes from its order alone, without its parcels and cases."""

    supplier_order: SupplierOrder
    row: SupplierOrderRow
    """With the dispatch as the supplier reported it."""
    shipments: list[Shipment]
    """Its parcels with units that were to be sent, once all of these are."""


def _order_parts(history: OrderHistory) -> list[_OrderPart]:
    parts = history.order.supplier_orders.values()
    # A reship is no order of its own.
    seen = {each.supplier_id for each in parts} if history.order.placed.reship_of else set[str]()
    found = []
    for each in parts:
        found.append(_order_part(history, each, leads=each.supplier_id not in seen))
        seen.add(each.supplier_id)
    return found


def _order_part(history: OrderHistory, each: SupplierOrder, *, leads: bool) -> _OrderPart:
    placed, stage, shipped_at = history.order.placed, each.stage, each.dispatched_at
    cancelled_by = _cancelling_party(history, each.supplier_order_id) if stage is Stage.CANCELLED else ""
    # A timely cancellation by others or a timely rejection does not count against the supplier.
    excused = cancelled_by not in ("", "supplier") or stage is Stage.REJECTED
    acknowledged_at = each.acknowledged_at
    acknowledge_due = each.acknowledge_by if _counts(each, each.acknowledge_by, acknowledged_at, excused) else None
    name = each.supplier_order_id
    shipments = [one for one in history.order.shipments if one.supplier_order_id == name and one.by_line]
    arrived = [one.delivered_at for one in shipments if one.delivered_at] if stage is Stage.CLOSED else []
    row = SupplierOrderRow(
        supplier_order_id=each.supplier_order_id,
        supplier_id=each.supplier_id,
        order_id=placed.order_id,
        channel=placed.channel,
        placed_at=placed.placed_at,
        acknowledge_due=acknowledge_due,
        acknowledged_at=acknowledged_at,
        acknowledged_in_time=in_time(acknowledged_at, acknowledge_due),
        dispatch_due=each.dispatch_by if _counts(each, each.dispatch_by, shipped_at, excused) else None,
        dispatched_at=None,
        dispatched_in_time=False,
        dispatch_by=each.dispatch_by,
        shipped_at=shipped_at,
        shipped_late=is_late(each),
        cancelled_by=cancelled_by,
        cancelled=cancelled_by == "supplier",
        delivered_at=max(arrived, default=None) if not placed.reship_of else None,
        leads=leads,
        mistaken=bool(each.packing_lacks),
        defective=leads and is_defective(history.order),
    )
    return _OrderPart(each, row, shipments if shipped_at else [])


def in_time(happened_at: datetime | None, due: datetime | None) -> bool:
    return happened_at is not None and due is not None and happened_at <= due


def is_late(each: SupplierOrder) -> bool:
    """Whether it was reported as shipped after its deadline."""
    shipped_at, due = each.dispatched_at, each.dispatch_by
    return shipped_at is not None and due is not None and shipped_at > due


def is_defective(order: Order) -> bool:
    """Whether the customer gave 1 or 2 stars, or had its bank take the money back."""
    return bool(order.chargebacks) or any(review.score <= 2 for review in order.reviews)


def _counts(each: SupplierOrder, due: datetime | None, met_at: datetime | None, excused: bool) -> bool:
    """Whether a deadline counts in a rate; one that is stopped by a hold does not count yet."""
    if met_at is not None or due is None:
        return True
    stopped = each.stopped_since is not None and each.stopped_since < due
    return not (stopped or (excused and _given_up_in_time(each, due)))


def _given_up_in_time(each: SupplierOrder, due: datetime | None) -> bool:
    """Whether all units that were cancelled, rejected or rerouted were so before the deadline."""
    return due is None or each.given_up_at is None or each.given_up_at < due


def supplier_orders(history: OrderHistory, page: Page, *, before: bool) -> Iterator[SupplierOrderRow]:
    cases = cases_of(history, page, before=before)
    for part in history.cached(_order_parts):
        each, row = part.supplier_order, part.row
        dispatched_at = _dispatched_at(part.shipments, page, before=before)
        mine = [case for case in cases if _is_about(case, each)]
        dispatched_in_time = in_time(dispatched_at, row.dispatch_due) and _given_up_in_time(each, row.dispatch_due)
        mistaken = row.mistaken or any(map(_is_mistake, mine))
        defective = row.defective or (row.leads and any(map(is_claim, mine)))
        # Like _replace, in a third of the time: there are many rows.
        dispatched = (dispatched_at, dispatched_in_time)
        yield SupplierOrderRow._make((*row[:_DISPATCHED], *dispatched, *row[_DISPATCHED + 2 : -2], mistaken, defective))


def cases_of(history: OrderHistory, page: Page, *, before: bool) -> list[Case]:
    found = (page.case(case_id, before=before) for case_id in history.order.after_sales.cases)
    return [case for case in found if case is not None]


def _is_about(case: Case, each: SupplierOrder) -> bool:
    """Whether a case is about units that the supplier had in this supplier order."""
    sent_by = case.opened.suppliers
    return any(sent_by.get(line_no) == each.supplier_id and line_no in each.shares for line_no in case.opened.by_line)


def is_claim(case: Case) -> bool:
    """Whether the customer complained of a fault and the case was neither denied nor cancelled."""
    return case.status not in (CaseStatus.DENIED, CaseStatus.CANCELLED) and not case.opened.reason.is_the_customers


def _is_mistake(case: Case) -> bool:
    """Whether the supplier was ruled to have sent something else or too little."""
    ruled = case.ruling is not None and case.ruling.liable is Party.SUPPLIER
    return ruled and is_claim(case) and case.opened.reason in (Reason.WRONG_ITEM, Reason.MISSING_ITEM)


def _cancelling_party(history: OrderHistory, what: str) -> str:
    parties = history.cancelled_by.get(what, frozenset())
    return next((party for party in FAULTS if party in parties), "unknown")


def _dispatched_at(shipments: Sequence[Shipment], page: Page, *, before: bool) -> datetime | None:
    """When the last parcel left: by the carrier's first scan, until then as the supplier reported."""
    left = []
    for shipment in shipments:
        parcel = page.parcel(shipment.carrier, shipment.number, shipment.epoch, before=before)
        scanned_at = parcel.first_scan_at if parcel else None
        left.append(scanned_at or shipment.shipped_at)
    return max(left, default=None)
