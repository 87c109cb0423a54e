"""What a case costs and who is asked for it: recoveries follow the case, which never waits for them (DOMAIN 5).

A supplier is asked for the units that it sent, a carrier for its parcels. Nothing here refuses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.decisions.recovery_demands import (
    Demand,
    cost_id,
    give_up,
    recover,
)
from ledger.facts import Change, LineNo, Units
from ledger.nouns import orders, suppliers
from ledger.nouns.cases import Case, CaseStatus, Reship
from ledger.nouns.orders import Line, Order, Shipment
from ledger.nouns.recoveries import (
    Cost,
    CostKind,
    RecoveryKind,
    Subject,
)
from ledger.terms.money import MOST_MINOR, Money
from ledger.terms.parties import Party
from ledger.view import View

_RECOVERED_FROM = (Party.SUPPLIER, Party.CARRIER)
"""Who can be asked to bear costs."""


class Spent(NamedTuple):
    """What was spent because of units of a line."""

    line_no: LineNo
    currency: str
    cost: Cost


def follow(
    view: View, before: Case, case: Case, order: Order, sent_again: Sequence[Line], at: datetime
) -> list[Change]:
    """What a command on a case means for its recoveries; sent_again are the lines of a reship that it placed.

    A new ruling withdraws what the other party was asked for. A case that came to nothing asks for nothing.
    """
    if case.ruling is None:
        return []
    liable, spent = case.ruling.liable, list(_spent(view, case, order, sent_again, at))
    changes: list[Change] = []
    if before.ruling != case.ruling:
        for other in _RECOVERED_FROM:
            if other is liable:
                continue
            for demand in _demands(other, case, order, spent, asking=False):
                changes += give_up(view, demand, "ruled_otherwise", at)
    nothing = case.status in (CaseStatus.DENIED, CaseStatus.CANCELLED) and not spent
    for demand in _demands(liable, case, order, spent, asking=True):
        changes += give_up(view, demand, "nothing_spent", at) if nothing else recover(view, demand, at)
    return changes


def _demands(liable: Party, case: Case, order: Order, spent: Sequence[Spent], *, asking: bool) -> Iterable[Demand]:
    """Each party's part, currency by currency; without asking, what it could have been asked for."""
    subjects: dict[str, tuple[RecoveryKind, Subject]] = {}
    costs: dict[tuple[str, str], list[Cost]] = {}
    lines: dict[LineNo, str] = {}
    for line_no, (kind, subject) in _subjects(liable, case, order).items():
        # The kind of recovery is the same for all, so the name of the subject is unique.
        lines[line_no] = party = subject.supplier_id if kind is RecoveryKind.SUPPLIER_FAULT else subject.number
        subjects.setdefault(party, (kind, subject))
        costs.setdefault((party, order.currency), [])
    for line_no, currency, cost in spent:
        if line_no in lines:
            costs.setdefault((lines[line_no], currency), []).append(cost)
    for (party, currency), each in costs.items():
        yield Demand(*subjects[party], currency, tuple(each) if asking else ())


def _subjects(liable: Party, case: Case, order: Order) -> dict[LineNo, tuple[RecoveryKind, Subject]]:
    """Who is asked for what units of each line cost, and by what name."""
    match liable:
        case Party.SUPPLIER:
            return {n: (RecoveryKind.SUPPLIER_FAULT, subject) for n, subject in _of_suppliers(case, order)}
        case Party.CARRIER:
            kind = RecoveryKind.CARRIER_DAMAGE if case.opened.reason.about_arrived_units else RecoveryKind.CARRIER_LOSS
            return {n: (kind, subject) for n, subject in _of_parcels(case, order)}
        case _:
            return {}


def _of_suppliers(case: Case, order: Order) -> Iterable[tuple[LineNo, Subject]]:
    """By the last supplier order of the supplier that sent the units."""
    given = order.supplier_orders.values()
    last = {(each.supplier_id, line_no): each.supplier_order_id for each in given for line_no in each.shares}
    for line_no in case.opened.by_line:
        supplier_id = case.opened.suppliers.get(line_no, "")
        yield line_no, Subject(order.order_id, last.get((supplier_id, line_no), ""), supplier_id, case.case_id)


def _of_parcels(case: Case, order: Order) -> Iterable[tuple[LineNo, Subject]]:
    """By the last parcel of each line, preferably one whose status fits the reason of the case."""
    carrying: defaultdict[LineNo, list[Shipment]] = defaultdict(list)
    for shipment in order.shipments:
        for line_no in shipment.by_line:
            carrying[line_no].append(shipment)
    places = case.opened.reason.buckets

    def rank(shipment: Shipment) -> tuple[bool, bool, datetime]:
        return shipment.bucket in places, shipment.bucket == "lost", shipment.shipped_at

    for line_no in case.opened.by_line:
        if line_no in carrying:
            last = max(carrying[line_no], key=rank)
            parcel = (last.carrier, last.number, last.epoch)
            yield line_no, Subject(order.order_id, last.supplier_order_id, "", case.case_id, *parcel)


# --- what was spent ---------------------------------------------------------------------------------


def _spent(view: View, case: Case, order: Order, sent_again: Sequence[Line], at: datetime) -> Iterable[Spent]:
    """Refunds as granted, reshipped units at their cost price, return freight that the retailer pays."""
    for refund_id, refund in case.refunds.items():
        for line_no, amount_minor in refund.amounts_minor.items():
            named = cost_id(case.case_id, "refund", refund_id, line_no)
            yield from _cost(line_no, case.currency, named, CostKind.REFUND, amount_minor)
        for charge_id, amount_minor in refund.charges_minor.items():
            named = cost_id(case.case_id, "refund", refund_id, charge_id)
            line_no = min(refund.by_line or case.opened.by_line)
            yield from _cost(line_no, case.currency, named, CostKind.REFUND, amount_minor)
    for reship in case.reships:
        yield from _reship(view, case, reship, {line.line_no: line for line in sent_again}, at)
    for label in case.labels.values():
        if label.freight_payer is not Party.CUSTOMER:
            named = cost_id(case.case_id, "freight", label.label_id)
            yield from _cost(min(label.by_line), order.currency, named, CostKind.FREIGHT, label.freight_minor)


def _reship(view: View, case: Case, reship: Reship, placed: Mapping[LineNo, Line], at: datetime) -> Iterable[Spent]:
    """The cost of reshipped units that were not cancelled; without an agreed cost price it is unknown."""
    order = orders.find(view, reship.order_id)
    lines = order.lines if order is not None else placed
    sent: Units = reship.by_line
    if order is not None:
        sent = {line_no: buckets.total - buckets.cancelled for line_no, buckets in order.buckets.items()}
    agreed = _agreed_costs(order) if order is not None else {}
    for line_no, units in sent.items():
        cost = _unit_cost(view, agreed, lines.get(line_no), units, at)
        if cost is not None:
            named = cost_id(case.case_id, "reship", reship.order_id, line_no, units)
            part_of = lines[line_no].part_of
            whole = part_of.line_no if part_of is not None and line_no not in reship.by_line else line_no
            yield from _cost(whole, cost.currency, named, CostKind.RESHIP, units * cost.amount_minor)


def _agreed_costs(order: Order) -> dict[LineNo, Money]:
    """What a unit of each line costs, as it was agreed when a supplier was first given units of it."""
    agreed: dict[LineNo, Money] = {}
    for each in reversed(order.supplier_orders.values()):
        agreed |= each.unit_costs
    return agreed


def _unit_cost(view: View, agreed: Mapping[LineNo, Money], line: Line | None, units: int, at: datetime) -> Money | None:
    """As it was agreed; before that, as is offered now."""
    if line is None or not line.supplier_id:
        return None
    if line.line_no in agreed:
        return agreed[line.line_no]
    supplier = suppliers.find(view, line.supplier_id)
    offer = supplier.offer_at(line.sku, at) if supplier is not None else None
    return offer.unit_cost(units) if offer is not None else None


def _cost(line_no: LineNo, currency: str, named: str, kind: CostKind, amount_minor: int) -> Iterable[Spent]:
    # The units may cost more than the largest amount of a recovery.
    asked_minor = min(amount_minor, MOST_MINOR)
    return (Spent(line_no, currency, Cost(named, kind, asked_minor)),) if amount_minor > 0 else ()
