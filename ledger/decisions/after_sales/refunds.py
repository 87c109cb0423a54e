"""Money that goes back for a case: granted, denied, taken back, paid."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ledger.decisions import order_payments
from ledger.decisions.after_sales.docket import CaseDocket, pay_by
from ledger.decisions.docket import Docket, newly_owed
from ledger.decisions.refund_amounts import amounts_of, charge_amounts, share_of, take_off
from ledger.facts import Change, Units
from ledger.nouns import cases, orders
from ledger.nouns.cases import Denial, RefundGranted, Remedy
from ledger.nouns.orders import after_sales, breaches, supplier_orders
from ledger.nouns.orders.after_sales import Amounts
from ledger.terms.money import MOST_MINOR
from ledger.view import View


def grant_refund(
    view: View,
    case_id: str,
    refund_id: str,
    by_line: Units,
    share_basis_points: int,
    amounts_minor: Amounts,
    at: datetime,
    now: datetime,
    charges_minor: Mapping[str, int] = {},
) -> list[Change]:
    """Money back for units and of charges: amounts that are named, or a share of the units' price.

    Without named units and charges all undecided units are meant; 0 of a charge means all that is left of it. A named
    amount above what is left of what was paid is refused; a share gives at most what is left. The same refund again
    records nothing.
    """
    docket = CaseDocket(view, case_id, now)
    case, paying = docket.case, docket.paying
    present = case.refunds.get(refund_id)
    if present is not None:
        if by_line not in ({}, present.by_line):
            raise cases.RefundGrantedDifferently(refund_id)
        return docket.close()
    if refund_id in paying.after_sales.refunds:
        raise cases.RefundGrantedDifferently(refund_id)
    units = by_line
    if not by_line and not charges_minor:
        undecided = case.undecided if case.remedy is Remedy.RETURN else case.todo
        units = {n: min(count, case.todo.get(n, 0)) for n, count in undecided.items()}
    cases.require_undecided(case, units)
    orders.require_paid(paying)
    for line_no in units:
        if line_no not in paying.lines:  # a part of a bundle that was sent instead of what was paid
            raise supplier_orders.UnknownLine(f"order {paying.order_id}", line_no)
    most = _most_minor(docket)
    shares = {n: share_of(case, paying, n, count).at_most(most * count) for n, count in units.items()}
    amounts = amounts_of(paying, shares, share_basis_points, amounts_minor)
    freight = take_off(amounts, {n for n in amounts if n not in amounts_minor}, case.freight_owed_minor)
    charged = charge_amounts(paying, charges_minor, paying.after_sales.booked_minor + sum(amounts.values()))
    granted = RefundGranted(
        case_id=case_id,
        refund_id=refund_id,
        by_line=units,
        amounts_minor=amounts,
        currency=paying.currency,
        at=at,
        charges_minor=charged,
        freight_minor=freight,
    )
    docket.add(cases.grant_refund(case, pay_by(view, granted)))
    exact = {n: share.fresh_minor for n, share in shares.items() if paying.lines[n].total_minor is not None}
    booked = after_sales.RefundBooked(
        order_id=paying.order_id,
        case_id=case_id,
        refund_id=refund_id,
        by_line=units,
        amounts_minor=amounts,
        at=at,
        shares_minor=exact,
        charges_minor=charged,
    )
    paid = {n: orders.refundable_minor(paying, n) for n in amounts}
    docket.add_to_paying(after_sales.book_refund(paying.after_sales, booked, paid, paying.currency))
    return docket.close()


def _most_minor(docket: CaseDocket) -> int:
    """What one unit of a case can be worth: no more than it cost where it was sent for dearer ones."""
    if not (exchanged_in := docket.order.placed.reship_of):
        return MOST_MINOR
    docket.view.need(cases.stream(exchanged_in))
    chosen = cases.known(cases.find(docket.view, exchanged_in), exchanged_in).chosen
    price = chosen.exchange.unit_price_minor if chosen is not None and chosen.exchange is not None else None
    return MOST_MINOR if price is None else price


def deny_refund(view: View, case_id: str, by_line: Units, because: Denial, at: datetime, now: datetime) -> list[Change]:
    """Deny a refund for these units, or for all undecided ones; they are not awaited any more."""
    docket = CaseDocket(view, case_id, now)
    facts = cases.deny_refund(docket.case, by_line, because, at)
    docket.add(facts)
    for fact in facts:
        if fact.not_awaited:
            given_up = after_sales.ReturnGivenUp(docket.order.order_id, case_id, fact.not_awaited, at)
            docket.add_to_order([given_up])
    return docket.close()


def take_back_refund(
    view: View, case_id: str, refund_id: str, because: Denial, at: datetime, now: datetime
) -> list[Change]:
    """Withdraw a granted refund that cannot be paid, because the order's money went back in another way."""
    docket = CaseDocket(view, case_id, now)
    paying = docket.paying
    docket.add(cases.take_back_refund(docket.case, refund_id, because, orders.left_minor(paying), at))
    unbooked = Docket(paying, [after_sales.RefundUnbooked(paying.order_id, refund_id, at)])
    unbooked.add(newly_owed(view, unbooked.order))
    docket.add_to_paying(unbooked.facts)
    return docket.close()


def record_refund_paid(
    view: View, case_id: str, refund_id: str, reference: str, at: datetime, now: datetime
) -> list[Change]:
    """The shop paid a refund out; the order's payment follows. A repetition records nothing."""
    docket = CaseDocket(view, case_id, now)
    if docket.add(cases.pay_refund(docket.case, refund_id, reference, at)):
        order_docket = Docket(docket.paying, orders.pay_refund(docket.paying, refund_id, at, reference))
        stopped = order_payments.stop_reversed(view, order_docket, now)
        order_docket.add(newly_owed(view, order_docket.order))
        docket.add_to_paying([*order_docket.facts, *breaches.settle(order_docket.order, now)])
        docket.changes += [*stopped, *order_payments.follow_money(view, order_docket, now)]
    return docket.close()
