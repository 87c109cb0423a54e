"""Invoices for the customer: drawn up in the moment in which goods leave, or when they are asked for later (DOMAIN 1).

Each takes its number in the same decision, so that a number and its document are recorded together or not at all.
"""

from __future__ import annotations

from datetime import date, datetime

from ledger.decisions.ahead import Ahead
from ledger.decisions.docket import Docket, order_changes, order_in
from ledger.facts import Change, Told, Units, is_known, same_text
from ledger.nouns import invoice_series, orders, policies
from ledger.nouns.invoice_series import InvoiceKind, NumberTaken
from ledger.nouns.orders import InvoiceCredited, InvoiceIssued, InvoiceNotIssued, InvoiceRequested, Order, Shipment
from ledger.nouns.policies import Policy, Seller, policy_at
from ledger.terms.time_zones import zone
from ledger.view import View


def after_shipping(view: View, docket: Docket, by_line: Units, now: datetime) -> list[Change]:
    """The invoice for what left just now, if the order asks for one; without a seller to name that is a warning."""
    order = docket.order
    if order.invoicing.wish is None or order.placed.historical:
        return []
    shipment = order.shipments[-1]
    issued, taken = _draw_up(view, order, by_line, now, shipment)
    if issued is not None:
        docket.add([issued])
    elif orders.lines_for(order, by_line):
        docket.add([InvoiceNotIssued(order.order_id, shipment.shipped_at)])
    return taken


def request(view: View, asked: InvoiceRequested, now: datetime) -> list[Change]:
    """An invoice is wanted, or another buyer on those to come. What has left and stands on none is put on one now."""
    order = order_in(view, asked.order_id)
    wish = order.invoicing.wish
    same = (
        wish is not None
        and wish.included_tax_basis_points == asked.wish.included_tax_basis_points
        and is_known(wish.digest, asked.wish.digest, same_moment=False, erased=order.is_erased)
    )
    docket = Docket(order, [] if same else [asked])
    by_line = orders.to_invoice(order)
    if not by_line:
        return docket.changes()
    issued, taken = _draw_up(view, docket.order, by_line, now)
    if issued is None:
        raise orders.NoSellerToInvoice(order.order_id)
    docket.add([issued])
    return [*docket.changes(), *taken]


def credit(view: View, order_id: str, number: str, because: Told, by: str, at: datetime, now: datetime) -> list[Change]:
    """Cancel an invoice by a credit note. The same again records nothing."""
    order = order_in(view, order_id)
    invoice = orders.invoice_of(order, number)
    if (credited := invoice.credited) is not None:
        if same_text(credited.because, because, order.is_erased):
            return []
        raise orders.InvoiceIsCredited(number, credited.number)
    note, taken = _credit_note(view, invoice.issued, because, by, at, now)
    return [*order_changes(order_id, [note]), (invoice_series.stream(taken.series), taken)]


def after_voiding(view: View, docket: Docket, because: Told, by: str, at: datetime, now: datetime) -> list[Change]:
    """Credit notes for the invoices of which nothing has left after all, the newest first."""
    changes: list[Change] = []
    for issued in reversed([*docket.order.invoicing.standing]):
        if orders.has_left(docket.order, issued):
            continue
        ahead = Ahead(view)
        ahead.add(changes)
        note, taken = _credit_note(ahead, issued, because, by, at, now)
        docket.add([note])
        changes.append((invoice_series.stream(taken.series), taken))
    return changes


def _credit_note(
    view: View, issued: InvoiceIssued, because: Told, by: str, at: datetime, now: datetime
) -> tuple[InvoiceCredited, NumberTaken]:
    dated = _today(policy_at(policies.find(view), now), now)
    taken = _take(view, InvoiceKind.CREDIT_NOTE, issued.seller, dated, issued.order_id, now)
    assert taken is not None, "who gave the invoice has a tax id"
    return InvoiceCredited(
        order_id=issued.order_id, invoice=issued.number, number=taken.text, dated=dated, because=because, by=by, at=at
    ), taken


def _draw_up(
    view: View, order: Order, by_line: Units, now: datetime, shipment: Shipment | None = None
) -> tuple[InvoiceIssued | None, list[Change]]:
    """The invoice for these units with the fact of its number; none without lines, or without a seller to name."""
    policy, lines = policy_at(policies.find(view), now), orders.lines_for(order, by_line)
    seller, dated = policy.seller, _today(policy, now)
    if seller is None or not lines:
        return None, []
    taken = _take(view, InvoiceKind.INVOICE, seller, dated, order.order_id, now)
    if taken is None:
        return None, []
    supplier_order_id = shipment.supplier_order_id if shipment else ""
    issued = InvoiceIssued(
        order_id=order.order_id,
        number=taken.text,
        dated=dated,
        seller=seller,
        currency=order.currency,
        lines=lines,
        ship_to=order.ship_to_of(supplier_order_id, shipment) if shipment else order.ship_to,
        left_at=shipment.shipped_at if shipment else max(each.shipped_at for each in order.shipments),
        at=now,
        charges=orders.charges_for(order, lines),
        wish=order.invoicing.wish or orders.InvoiceWish(),
        parcel=(shipment.carrier, shipment.number, shipment.epoch) if shipment else None,
    )
    return issued, [(invoice_series.stream(taken.series), taken)]


def _take(
    view: View, document: InvoiceKind, seller: Seller, dated: date, order_id: str, now: datetime
) -> NumberTaken | None:
    series = invoice_series.series_of(document, seller.tax_id, dated.year)
    return invoice_series.take_number(invoice_series.find(view, series), series, order_id, now) if series else None


def _today(policy: Policy, now: datetime) -> date:
    """The day where the retailer is, as its calendar says; in UTC without one."""
    return now.astimezone(zone(policy.working.calendar.time_zone)).date() if policy.working else now.date()
