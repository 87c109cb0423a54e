"""Goods that come back: their label, their parcel, what was received, and how it was found."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from ledger.decisions import delivery
from ledger.decisions.after_sales.docket import CaseDocket
from ledger.facts import Change, LineNo, Units
from ledger.nouns import cases, parcels, policies, stock
from ledger.nouns.cases import Inspection, ReturnInspected, ReturnLabelled, ReturnShipped
from ledger.nouns.orders import Order, after_sales
from ledger.nouns.parcels import ParcelRegistered, earliest
from ledger.nouns.policies import policy_at
from ledger.terms.parties import Party
from ledger.view import View


def label_return(view: View, labelled: ReturnLabelled, now: datetime) -> list[Change]:
    """The customer has a label; who pays the freight is recorded. Only delivered units come back, each once."""
    view.need(policies.stream(), cases.stream(labelled.case_id))
    docket = CaseDocket(view, labelled.case_id, now)
    case, order = docket.case, docket.order
    present = case.labels.get(labelled.label_id)
    by_line = labelled.by_line or (case.todo if present is None else present.by_line)
    payer = Party.RETAILER
    if case.ruling is not None:
        payer = cases.freight_payer(case, policy_at(policies.find(view), case.opened.at).free_return_within_days)
    senders = [case.opened.suppliers.get(line_no, "") for line_no in by_line]
    supplier_id = labelled.supplier_id or (senders[0] if senders else "")
    whole = replace(labelled, by_line=by_line, freight_payer=payer, supplier_id=supplier_id)
    if docket.add(cases.label(case, whole)) and present is None:
        expected = after_sales.ReturnExpected(order.order_id, case.case_id, by_line, labelled.at)
        docket.add_to_order(after_sales.expect_return(order.after_sales, expected, order.in_bucket("delivered")))
    return docket.close()


def ship_return(
    view: View, case_id: str, label_id: str, carrier: str, number: str, at: datetime, now: datetime
) -> list[Change]:
    """The customer sent a label's units back; their parcel is followed like any other."""
    view.need(policies.stream(), cases.stream(case_id), parcels.stream(carrier, number))
    docket = CaseDocket(view, case_id, now)
    if cases.ship_back(docket.case, label_id, carrier, number):
        label = docket.case.labels[label_id]
        registration = ParcelRegistered(
            carrier,
            number,
            epoch=0,
            at=at,
            by_line=label.by_line,
            return_of=case_id,
            exists_from=earliest(docket.order.placed.placed_at, label.at, at),
        )
        parcel, facts = delivery.registered(view, registration)
        docket.add_others(parcels.stream(carrier, number), facts)
        docket.add([ReturnShipped(case_id, label_id, carrier, number, parcel.epoch, at)])
    return docket.close()


def receive_return(view: View, case_id: str, by_line: Units, at: datetime, now: datetime) -> list[Change]:
    """Records how many units have come back in total."""
    docket = CaseDocket(view, case_id, now)
    docket.add(cases.receive(docket.case, by_line, at))
    return docket.close()


def inspect_return(
    view: View, case_id: str, by_line: dict[LineNo, Inspection], supplier_id: str, at: datetime, now: datetime
) -> list[Change]:
    """The inspection results in total; units that are newly fit for sale go back into stock, once."""
    docket = CaseDocket(view, case_id, now)
    case = docket.case
    cases.require_lines(case, by_line)
    if all(case.inspection(line_no) == found for line_no, found in by_line.items()):
        return docket.close()
    back = _back_undelivered(docket, by_line, at)
    undelivered = back.by_line if back is not None else {}
    restocked = cases.inspect(case, by_line, undelivered)
    into = {n: supplier_id or case.opened.suppliers.get(n, "") for n in restocked}
    streams = {n: stock.stream(into[n], docket.order.lines[n].sku) for n in restocked}
    view.need(*streams.values())
    docket.add([ReturnInspected(case_id, by_line, at, into, undelivered)])
    docket.add_to_order([back] if back is not None else [])
    for (owner, sku), units in _items(docket.order, into, restocked).items():
        docket.add_others(stock.stream(owner, sku), stock.restock(owner, sku, units, "returned", at, case_id))
    return docket.close()


def _back_undelivered(
    docket: CaseDocket, by_line: dict[LineNo, Inspection], at: datetime
) -> after_sales.ReturnedInspected | None:
    """The inspected units that nobody received from the customer, as far as they came back undelivered."""
    case, order = docket.case, docket.order
    beyond = {n: found.looked_at - case.received.get(n, 0) for n, found in by_line.items()}
    returned = order.in_bucket("returned")
    return after_sales.inspect_returned(order.after_sales, order.order_id, case.case_id, beyond, returned, at)


def _items(order: Order, into: dict[LineNo, str], units: Units) -> dict[tuple[str, str], int]:
    """Units by supplier and SKU: two lines may be of the same."""
    items: dict[tuple[str, str], int] = {}
    for line_no, count in units.items():
        item = (into[line_no], order.lines[line_no].sku)
        items[item] = items.get(item, 0) + count
    return items
