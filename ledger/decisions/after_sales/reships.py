"""The remedy of sending once more: an order at no price, and what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from ledger.decisions import intake
from ledger.decisions.after_sales.docket import CaseDocket
from ledger.decisions.docket import after_facts
from ledger.decisions.order_stock import need_for
from ledger.decisions.sending_again import lines_again, unpaid_at_the_door_minor
from ledger.facts import Change, Units
from ledger.nouns import cases, orders, stock, suppliers
from ledger.nouns.cases import Exchange, Remedy, ReshipFailed, ReshipFailure, ReshipPlaced
from ledger.nouns.orders import OrderFact, OrderPlaced, PaymentState, after_sales
from ledger.nouns.suppliers import Standing
from ledger.view import View


def approve(
    view: View,
    case_id: str,
    remedy: Remedy,
    by_line: Units,
    supplier_id: str,
    at: datetime,
    now: datetime,
    exchange: Exchange | None = None,
) -> list[Change]:
    """Choose the remedy. What is sent is ordered at once; where that cannot be, the units are due a refund."""
    docket = CaseDocket(view, case_id, now)
    approve_in(docket, remedy, by_line, supplier_id, at, exchange)
    return docket.close()


def approve_in(
    docket: CaseDocket,
    remedy: Remedy,
    by_line: Units,
    supplier_id: str,
    at: datetime,
    exchange: Exchange | None = None,
) -> None:
    chosen = docket.add(cases.approve(docket.case, remedy, by_line, at, exchange))
    if chosen and remedy in (Remedy.RESHIP, Remedy.EXCHANGE):
        _reship(docket, supplier_id, at, exchange)


def _reship(docket: CaseDocket, supplier_id: str, at: datetime, exchange: Exchange | None = None) -> None:
    view, case, order = docket.view, docket.case, docket.order
    lines = lines_again(view, case, order, docket.paying, supplier_id, exchange)
    reship = _reship_order(docket, lines, at)
    need_for(view, lines)
    found = [suppliers.find(view, line.supplier_id) for line in lines if line.supplier_id]
    if any(each is None or each.standing is not Standing.APPROVED for each in found):
        docket.add([ReshipFailed(case.case_id, ReshipFailure.SUPPLIER_NOT_APPROVED, case.todo, at)])
        return
    try:
        changes = intake.place(view, reship, all_or_nothing=True, cart_id="", now=docket.now)
    except stock.OutOfStock:
        docket.add([ReshipFailed(case.case_id, ReshipFailure.OUT_OF_STOCK, case.todo, at)])
        return
    docket.changes += changes
    if orders.money_gone_at(docket.paying) is not None:
        # A reship waits for money as if the payment had changed after it was placed.
        own = orders.stream(reship.order_id)
        first, *others = [cast(OrderFact, fact) for stream, fact in changes if stream == own]
        docket.add_others(own, orders.keep_back(after_facts(orders.evolve(None, first), others), at))
    docket.sent_again = lines
    docket.add([ReshipPlaced(case.case_id, reship.order_id, case.todo, at)])
    paid = order.paid_order_id
    docket.add_to_paying([after_sales.UnitsReshipped(paid, case.case_id, reship.order_id, case.todo, at)])


def _reship_order(docket: CaseDocket, lines: tuple[orders.Line, ...], at: datetime) -> OrderPlaced:
    """An order at no price to the same customer and address; it is handled like any other order."""
    order, placed = docket.order, docket.order.placed
    order_id = _free_name(docket)
    channel, _, number = order_id.partition("/")
    return OrderPlaced(
        order_id=order_id,
        channel=channel,
        channel_order_id=number,
        placed_at=at,
        currency=order.currency,
        lines=lines,
        at=at,
        intake=f"reship of {docket.case.case_id}",
        customer=order.customer,
        has_contact=order.has_contact,
        has_address=order.has_address,
        destination=order.destination,
        payment=PaymentState.PENDING if any(line.total_minor for line in lines) else PaymentState.PAID,
        cash_on_delivery=unpaid_at_the_door_minor(docket.paying) > 0 and any(line.total_minor for line in lines),
        priority=placed.priority,
        packing=placed.packing,
        gift=placed.gift,
        incoterm=order.incoterm,
        reship_of=docket.case.case_id,
        original_order_id=order.paid_order_id,
        sealed_for=order.sealed_for,
    )


def _free_name(docket: CaseDocket) -> str:
    """``shopify/1001+R1``; a shop may have used the name itself. An id holds at most 100 characters."""
    channel, _, number = docket.order.paid_order_id.partition("/")
    count = len(docket.paying.after_sales.reships)
    while True:
        count += 1
        order_id = f"{channel}/{number[: 100 - len(f'+R{count}')]}+R{count}"
        if orders.find(docket.view, order_id) is None:
            return order_id


def follow_reship(view: View, case_id: str, now: datetime) -> list[Change]:
    """Notice that a reship has ended: what arrived is remedied, the rest is due a refund. Else records nothing."""
    if cases.find(view, case_id) is None:
        return []
    return CaseDocket(view, case_id, now).close()
