"""What is kept of a stream where its folded state does not hold all that read models need.

Most nouns' history is their state. These keep more: of an order who asked for a cancellation and which facts change
what is owed, of a recovery and of a supplier's invoice all their facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar, cast

import msgspec
from msgspec.structs import replace

from ledger.engine.registry import Registry
from ledger.nouns import cases, orders, parcels, recoveries, stock, supplier_invoices
from ledger.nouns.orders import Header, HoldPlaced, HoldReleased, Order, UnitsCancelled
from ledger.nouns.orders.supplier_orders import (
    CancelAgreed,
    CancelRequested,
    CompensationAccrued,
    CompensationReversed,
    ShipmentVoided,
    SupplierOrderSent,
    SupplierOrderShipped,
    TrackingCorrected,
)
from ledger.nouns.recoveries import Recovery, RecoveryFact
from ledger.nouns.stock import Stock
from ledger.nouns.supplier_invoices import SupplierInvoice, SupplierInvoiceFact

R = TypeVar("R")

# --- orders ---------------------------------------------------------------------------------------

AccountedFact = SupplierOrderShipped | ShipmentVoided | CompensationAccrued | CompensationReversed
Parcel = tuple[str, str, int]
"""Carrier, number and epoch."""


class ParcelReport(NamedTuple):
    """That goods left in a parcel, under this number or another, or that they did not."""

    position: int
    supplier_order_id: str
    left: bool


_MOST_REPORTS = 12
"""That are kept of the same goods: nobody has read more of them lately."""


class OrderHistory(msgspec.Struct, eq=False):
    """An order, and what its state does not keep, such as who asked for units to be cancelled."""

    order: Order
    asked_by: Mapping[str, str] = {}
    """Who last asked a supplier order to cancel."""
    cancelled_by: Mapping[str, frozenset[str]] = {}
    """By supplier order, or by the order's own id for units that no supplier had been given."""
    accounted: tuple[tuple[int, AccountedFact], ...] = ()
    """What changes what is owed to or by a supplier, each with its position in the log."""
    instructed: Mapping[str, int] = {}
    """Supplier orders that were sent, each with the position of that."""
    waiting: Mapping[str, int] = {}
    """Those of them that a hold keeps waiting, each with the position of the hold since which it does."""
    turned: Mapping[str, int] = {}
    """Those that the last fact of a hold made wait, or go on, each with the position of what it was told before."""
    renumbered: Mapping[Parcel, Parcel] = {}
    """Parcels that left under other numbers than were reported first, each with that."""
    reports: Mapping[Parcel, tuple[ParcelReport, ...]] = {}
    """By parcel what was reported of its goods, also under numbers before, the oldest first."""
    taken_back: Mapping[str, Parcel] = {}
    """By supplier order the parcel that did not leave, while its goods have not left in another."""
    _cache: dict[object, Any] = {}

    def reported(self, parcel: Parcel, supplier_order_id: str) -> list[ParcelReport]:
        """What was reported of the goods of a supplier order in a parcel, the oldest first."""
        of_all = self.reports.get(parcel, ())
        return [each for each in of_all if each.left or each.supplier_order_id == supplier_order_id]

    def has_left(self, reported: SupplierOrderShipped) -> bool:
        """Whether a parcel that was reported was not taken back since."""
        voided = self.order.supplier_orders[reported.supplier_order_id].voided
        parcel = (reported.carrier, reported.number, reported.epoch)
        return parcel not in [self.renumbered.get(each, each) for each in voided]

    def cached(self, make: Callable[[OrderHistory], R]) -> R:
        """The result of a pure function of this history, computed only the first time.

        The rows of an order are asked for twice: when they are new, and when the next fact changes them.
        """
        found = self._cache.get(make)
        if found is None:
            found = self._cache[make] = make(self)
        return cast("R", found)

    @property
    def header(self) -> Header:
        return self.cached(_header)

    @property
    def delivered_at(self) -> datetime | None:
        return self.cached(_delivered_at)

    def after(self, order: Order, **more: Any) -> OrderHistory:
        """The history after another fact."""
        return replace(self, order=order, _cache={}, **more)


def _header(history: OrderHistory) -> Header:
    return history.order.header


def _delivered_at(history: OrderHistory) -> datetime | None:
    return history.order.delivered_at


def _fold_order(history: OrderHistory | None, fact: Any, position: int) -> OrderHistory:
    if history is None:
        return OrderHistory(orders.evolve(None, fact))
    order = orders.evolve(history.order, fact)
    match fact:
        case SupplierOrderShipped() | ShipmentVoided():
            accounted = (*history.accounted, (position, fact))
            return history.after(order, accounted=accounted, **_reported(history, fact, position))
        case CompensationAccrued() | CompensationReversed():
            return history.after(order, accounted=(*history.accounted, (position, fact)))
        case TrackingCorrected():
            wrong = (fact.carrier, fact.number, fact.epoch)
            first = history.renumbered.get(wrong, wrong)
            reports = _with(
                history,
                fact.right,
                history.reports.get(wrong, ()),
                ParcelReport(position, fact.supplier_order_id, left=True),
            )
            return history.after(order, renumbered={**history.renumbered, fact.right: first}, reports=reports)
        case CancelRequested():
            return history.after(order, asked_by={**history.asked_by, fact.supplier_order_id: fact.by})
        case CancelAgreed():
            by = fact.by or history.asked_by.get(fact.supplier_order_id, "")
            return _cancelled(history, order, fact.supplier_order_id, by)
        case UnitsCancelled():
            return _cancelled(history, order, fact.order_id, fact.by)
        case SupplierOrderSent():
            return history.after(order, instructed={**history.instructed, fact.supplier_order_id: position})
        case HoldPlaced() | HoldReleased():
            return _held(history, order, position, placed=isinstance(fact, HoldPlaced))
        case _:
            return history.after(order)


def _reported(history: OrderHistory, fact: SupplierOrderShipped | ShipmentVoided, position: int) -> dict[str, Any]:
    """What was reported of goods goes with them into the parcel that they leave in after one in which they did not."""
    parcel, taken_back = (fact.carrier, fact.number, fact.epoch), history.taken_back
    before = history.reports.get(parcel, ())
    if isinstance(fact, ShipmentVoided):
        reports = _with(history, parcel, before, ParcelReport(position, fact.supplier_order_id, left=False))
        return {"reports": reports, "taken_back": {**taken_back, fact.supplier_order_id: parcel}}
    if not fact.by_line or before:
        return {}
    instead_of = taken_back.get(fact.supplier_order_id)
    before = history.reports[instead_of] if instead_of is not None else ()
    reports = _with(history, parcel, before, ParcelReport(position, fact.supplier_order_id, left=True))
    return {"reports": reports, "taken_back": {k: v for k, v in taken_back.items() if k != fact.supplier_order_id}}


def _with(
    history: OrderHistory, parcel: Parcel, before: tuple[ParcelReport, ...], report: ParcelReport
) -> dict[Parcel, tuple[ParcelReport, ...]]:
    return {**history.reports, parcel: (*before, report)[-_MOST_REPORTS:]}


def _cancelled(history: OrderHistory, order: Order, what: str, by: str) -> OrderHistory:
    parties = history.cancelled_by.get(what, frozenset()) | {by}
    return history.after(order, cancelled_by={**history.cancelled_by, what: parties})


def _held(history: OrderHistory, order: Order, position: int, *, placed: bool) -> OrderHistory:
    before = history.waiting
    held = {
        name: before.get(name, position)
        for name in history.instructed
        if order.supplier_orders[name].unshipped and orders.holds_on(order, name)
    }
    stopped = {name: history.instructed[name] for name in held if name not in before}
    let_go = {name: since for name, since in before.items() if name not in held}
    return history.after(order, waiting=held, turned=stopped if placed else let_go)


# --- recoveries -----------------------------------------------------------------------------------


class RecoveryHistory(NamedTuple):
    """A recovery and all its facts, each with its position in the log; there are few."""

    recovery: Recovery
    facts: tuple[tuple[int, RecoveryFact], ...]


def _fold_recovery(history: RecoveryHistory | None, fact: Any, position: int) -> RecoveryHistory:
    recovery = recoveries.evolve(history.recovery if history else None, fact)
    return RecoveryHistory(recovery, (*(history.facts if history else ()), (position, fact)))


# --- supplier invoices ----------------------------------------------------------------------------


class InvoiceHistory(NamedTuple):
    """A supplier's invoice and all its facts, each with its position in the log; there are few."""

    invoice: SupplierInvoice
    facts: tuple[tuple[int, SupplierInvoiceFact], ...]


def _fold_invoice(history: InvoiceHistory | None, fact: Any, position: int) -> InvoiceHistory:
    invoice = supplier_invoices.evolve(history.invoice if history else None, fact)
    return InvoiceHistory(invoice, (*(history.facts if history else ()), (position, fact)))


# --- stock ----------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class StockHistory:
    """A supplier's SKU. It is changed in place, as the state in it is, so its former value cannot be kept."""

    supplier_id: str
    sku: str
    stock: Stock
    position: int = 0
    """Of its last fact."""


class Movement(NamedTuple):
    """What a fact of a stock stream did to the units that are available."""

    delta: int
    available: int


def _fold_stock(history: StockHistory | None, fact: Any, position: int) -> StockHistory:
    history = history or StockHistory(fact.supplier_id, fact.sku, Stock())
    history.stock, history.position = stock.evolve(history.stock, fact), position
    return history


def _stock_again(stock: Stock, fact: Any, position: int) -> StockHistory:
    return StockHistory(fact.supplier_id, fact.sku, stock, position)


# --- all of them ----------------------------------------------------------------------------------

Fold = Callable[[Any, Any, int], Any]
"""The history after a fact, which stands at a position of the log; None is the history of an empty stream."""

_MORE_THAN_STATE: Mapping[str, Fold] = {
    orders.NOUN.prefix: _fold_order,
    recoveries.NOUN.prefix: _fold_recovery,
    supplier_invoices.NOUN.prefix: _fold_invoice,
    stock.NOUN.prefix: _fold_stock,
}


def folds(registry: Registry) -> dict[str, Fold]:
    """The fold of each noun's streams, by the prefix of their names."""
    return {prefix: _MORE_THAN_STATE.get(prefix) or _of_state(evolve) for prefix, evolve in registry.evolve.items()}


Again = Callable[[Any, Any, int], Any]
"""The history of a state that was kept, with the last fact before that and its position."""

_AGAIN: Mapping[str, Again] = {stock.NOUN.prefix: _stock_again}


def again(prefix: str) -> Again | None:
    """How the history of such a stream is had of a state that was kept; None where it is not."""
    return _AGAIN.get(prefix) or (None if prefix in _MORE_THAN_STATE else _state_alone)


def _state_alone(state: Any, fact: Any, position: int) -> Any:
    return state


def _of_state(evolve: Callable[[Any, Any], Any]) -> Fold:
    return lambda state, fact, position: evolve(state, fact)


# --- what depends on what -------------------------------------------------------------------------


def orders_of(changed: Mapping[str, Mapping[str, tuple[Any, Any]]]) -> list[str]:
    """The order streams whose rows may depend on what changed: orders, and those of changed parcels and cases."""
    names = dict.fromkeys(changed.get("order", ()))
    for _, parcel in changed.get("parcel", {}).values():
        names.update((orders.stream(order_id), None) for use in parcels.uses(parcel) for order_id in use.order_ids)
    names.update((orders.stream(case.order_id), None) for _, case in changed.get("case", {}).values())
    return list(names)


def neighbours_of(histories: Iterable[OrderHistory]) -> Iterator[str]:
    """The streams of parcels and cases that orders' rows may depend on."""
    for history in histories:
        yield from (parcels.stream(each.carrier, each.number) for each in history.order.shipments)
        yield from map(cases.stream, history.order.after_sales.cases)
