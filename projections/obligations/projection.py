"""How facts become obligations and timers."""

from __future__ import annotations

from collections.abc import Iterable

from ledger.decisions import after_sales
from ledger.nouns import cases, inquiries, orders, parcels, recoveries, stock_ups, suppliers
from ledger.nouns.cases import Case
from ledger.nouns.inquiries import Inquiry
from ledger.nouns.orders import breaches
from ledger.nouns.parcels import Parcel
from ledger.nouns.stock_ups import StockUp
from ledger.nouns.suppliers import Supplier
from ledger.terms.clocks import Reading
from ledger.terms.parties import Party
from projections.machine.histories import OrderHistory, RecoveryHistory
from projections.machine.projection import From, FromPages, projection
from projections.obligations.rows import (
    HOLDS,
    OBLIGATIONS,
    OVERDUE,
    RESHIP_WAITS,
    RESHIPS,
    RETURN_WINDOWS,
    SILENCES,
    WAITING_CLAIMS,
    WRITABLE,
    EndedReship,
    Obligation,
    Overdue,
    ReshipWait,
    ReturnWindow,
    Silence,
    WaitingClaim,
    WritableSupplier,
)
from projections.obligations.stock_holds import holds


def _of_order(history: OrderHistory) -> list[Obligation]:
    order = history.order
    found = _obligations(orders.readings(order))
    zones = {each.supplier_order_id: each.time_zone for each in order.supplier_orders.values() if each.time_zone}
    return [row._replace(time_zone=zones.get(row.object_id, "")) for row in found] if zones else found


def _of_parcel(parcel: Parcel) -> list[Obligation]:
    return [row for use in parcels.uses(parcel) for row in _obligations(parcels.readings(use))]


def _of_inquiry(inquiry: Inquiry) -> list[Obligation]:
    return [row._replace(time_zone=inquiry.asked.time_zone) for row in _obligations(inquiries.readings(inquiry))]


def _of_recovery(history: RecoveryHistory) -> list[Obligation]:
    zone = history.recovery.time_zone
    rows = _obligations(recoveries.readings(history.recovery))
    return [row._replace(time_zone=zone) if row.owner is Party.SUPPLIER else row for row in rows]


def _of_stock_up(stock_up: StockUp) -> list[Obligation]:
    return _obligations(stock_ups.readings(stock_up))


def _of_case(case: Case) -> list[Obligation]:
    return _obligations(cases.readings(case))


def _obligations(readings: Iterable[Reading]) -> list[Obligation]:
    """Open and former obligations; none of what was given up in time."""
    return [
        Obligation(
            object_id=each.object_id,
            clock=each.clock,
            supplier_id=each.supplier_id,
            owner=each.owner,
            due=each.due,
            state=state,
            met_at=each.met_at,
            stopped_since=None if each.over else each.stopped_since,
            missed_at=each.missed_at,
            withdrawn_at=each.withdrawn_at,
            alarm=each.runs,
        )
        for each in readings
        if (state := each.state) is not None
    ]


def _window(history: OrderHistory) -> list[ReturnWindow]:
    closes_at = orders.window_closes_at(history.order, history.delivered_at)
    return [] if closes_at is None else [ReturnWindow(history.order.order_id, closes_at)]


def _reship(history: OrderHistory) -> list[EndedReship]:
    order = history.order
    if not order.placed.reship_of or not after_sales.has_ended(order):
        return []
    return [EndedReship(order.order_id, history.delivered_at or order.placed.at)]


def _overdue(history: OrderHistory) -> list[Overdue]:
    order = history.order
    if not order.breaches:
        return []
    return [
        Overdue(each.object_id, each.clock, since)
        for each in orders.deadlines(order)
        for since in sorted(set(breaches.overdue_since(order, each).values()))
    ]


def _writable(supplier: Supplier) -> list[WritableSupplier]:
    return [WritableSupplier(supplier.supplier_id)] if supplier.registered.contact is not None else []


def _wait(case: Case) -> list[ReshipWait]:
    return [ReshipWait(case.case_id, case.reship.order_id)] if case.reship is not None else []


def _silences(parcel: Parcel) -> list[Silence]:
    """Only of the present use of a number."""
    silence = Silence(parcel.carrier, parcel.number, parcel.epoch, parcel.last_seen_at)
    return [silence] if parcel.awaits_scan else []


def _waiting(history: RecoveryHistory) -> list[WaitingClaim]:
    recovery = history.recovery
    return [] if recovery.waits_until is None else [WaitingClaim(recovery.recovery_id, recovery.waits_until)]


OBLIGATIONS_OF = (
    From(orders.NOUN, OBLIGATIONS, _of_order),
    From(parcels.NOUN, OBLIGATIONS, _of_parcel),
    From(inquiries.NOUN, OBLIGATIONS, _of_inquiry),
    From(recoveries.NOUN, OBLIGATIONS, _of_recovery),
    From(stock_ups.NOUN, OBLIGATIONS, _of_stock_up),
    From(cases.NOUN, OBLIGATIONS, _of_case),
)
"""The clocks of each noun."""

SLA = projection(
    "sla",
    16,
    *OBLIGATIONS_OF,
    FromPages((HOLDS,), holds),
    From(parcels.NOUN, SILENCES, _silences),
    From(orders.NOUN, RETURN_WINDOWS, _window),
    From(recoveries.NOUN, WAITING_CLAIMS, _waiting),
    From(orders.NOUN, RESHIPS, _reship),
    From(cases.NOUN, RESHIP_WAITS, _wait),
    From(orders.NOUN, OVERDUE, _overdue),
    From(suppliers.NOUN, WRITABLE, _writable),
)
