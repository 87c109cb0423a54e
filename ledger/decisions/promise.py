"""The shipping service of an order, and the promise to the customer when it arrives (DOMAIN 4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from ledger.decisions.customs import Border, border
from ledger.facts import LineNo, Units
from ledger.nouns import policies, suppliers
from ledger.nouns.orders import Order
from ledger.nouns.orders.supplier_orders import ShippingChosen, SupplierOrder, SupplierOrderDrafted, left_to_ship
from ledger.nouns.policies import Policy, policy_at
from ledger.nouns.suppliers import Agreement, Supplier
from ledger.terms.clocks import Clock
from ledger.terms.money import Money
from ledger.terms.places import Destination
from ledger.terms.shipping import Chosen, Consignment, choose
from ledger.terms.time_zones import end_of_day
from ledger.view import View


def chosen_service(
    policy: Policy, order: Order, supplier: Supplier | None, units: Units, warehouse: str
) -> Chosen | None:
    """The service that these units take; None while it is not known from or to which country they go."""
    origin = supplier.country_of(warehouse) if supplier is not None else ""
    if not (origin and order.destination.country):
        return None
    worth, weight = _worth_and_weight(order, units)
    crosses = border(supplier, order.destination, warehouse) is Border.CROSSED
    wanted = Consignment(
        origin=origin,
        destination=order.destination.country,
        priority=order.placed.priority,
        value=Money(worth, order.currency),
        weight_grams=weight,
        crosses_border=crosses,
        incoterm=order.incoterm,
        held_costs_minor=policy.held_parcel_costs_minor,
    )
    return choose(policy.shipping_services, wanted)


def _worth_and_weight(order: Order, units: Units) -> tuple[int, int]:
    """The worth and the weight of the units; a figure is 0 if it is unknown for one line."""
    worth = weight = 0
    known = True
    for line_no, count in units.items():
        line = order.lines[line_no]
        worth += line.customs_worth_minor(count)
        weight += line.weight_grams * count
        known = known and line.weight_grams > 0
    return worth, weight if known else 0


def by_shop(order: Order, lines: Iterable[LineNo]) -> list[datetime]:
    """The dispatch deadlines that the shop gave these lines."""
    return [deadline for n in lines if (deadline := order.lines[n].dispatch_by) is not None]


def dispatch_by(order: Order, lines: Iterable[LineNo], agreement: Agreement | None, at: datetime) -> datetime | None:
    """The dispatch deadline of a supplier order of these lines that is sent now; a deadline of the shop goes first."""
    if given := by_shop(order, lines):
        return min(given)
    return agreement.dispatch_by(at, order.placed.priority) if agreement is not None else None


_DAY = timedelta(days=1)


class Promise(NamedTuple):
    """The day that the customer is promised, or why there is none."""

    by: datetime | None = None
    none_because: str = ""


def end_of_promise(day: date | None, destination: Destination | None) -> datetime | None:
    """The last instant of a promised day where the order goes; None if no day, or no destination, is named.

    A promise is kept up to its instant; the midnight after the day belongs to the next day.
    """
    if day is None or destination is None:
        return None
    return end_of_day(day, destination) - timedelta.resolution


def promise(view: View, order: Order, drafts: Sequence[SupplierOrderDrafted], at: datetime) -> Promise:
    """The shop's own promise, otherwise the latest that the supplier orders allow."""
    if order.promised_by is not None:
        return Promise(order.promised_by)
    latest, policy = None, policy_at(policies.find(view), at)
    for draft in drafts:
        each = _promise_of(policy, order, suppliers.find(view, draft.supplier_id), draft, at)
        if each.by is None:
            return each
        latest = each.by if latest is None else max(latest, each.by)
    return Promise(latest)


def promise_anew(view: View, order: Order, chosen: Sequence[ShippingChosen], at: datetime) -> Promise | None:
    """What is promised at a new address, with the services chosen for it; None where what was promised stands.

    The shop's word stands, a promise that was broken already, and that of parts which keep the address of before.
    """
    placed, parts = order.placed, order.supplier_orders.values()
    if order.confirmed_at is None or placed.promised_by is not None or placed.promised_day is not None:
        return None
    kept = any(each.ship_to is not None or each.count("shipped") for each in parts)
    if order.is_missed(order.order_id, Clock.DELIVERY) or (kept and order.promised_by is None):
        return None
    latest, policy = order.promised_by if kept else None, policy_at(policies.find(view), at)
    services = {choice.supplier_order_id: choice.shipping for choice in chosen}
    for each in parts:
        if each.is_fixed:
            continue
        due = max(each.dispatch_by, at) if each.dispatch_by is not None else None
        shipping = services.get(each.supplier_order_id, each.shipping)
        said = _promise_of(
            policy, order, suppliers.find(view, each.supplier_id), _as_drafted(each, shipping, at), at, due
        )
        if said.by is None:
            return said
        latest = said.by if latest is None else max(latest, said.by)
    return None if latest is None else Promise(latest)


def _as_drafted(of: SupplierOrder, shipping: Chosen | None, at: datetime) -> SupplierOrderDrafted:
    """What is left of it, as if it were drafted now."""
    waits = {line_no: share.backordered for line_no, share in of.shares.items() if share.backordered}
    return SupplierOrderDrafted(of.supplier_order_id, of.supplier_id, left_to_ship(of), at, waits, shipping=shipping)


def _promise_of(
    policy: Policy,
    order: Order,
    supplier: Supplier | None,
    draft: SupplierOrderDrafted,
    at: datetime,
    due: datetime | None = None,
) -> Promise:
    """Dispatch deadline, longest transit and time for customs; without one of them there is no promise."""
    shipping = draft.shipping
    if shipping is None:
        return Promise(none_because=_unknown_country(supplier, draft))
    if not shipping.code:
        return Promise(none_because=shipping.because)
    if draft.backordered:
        return Promise(none_because=f"units wait for goods at {draft.supplier_id}")
    if order.untracked and not order.untracked.isdisjoint(draft.units):
        return Promise(none_because=f"the stock of {draft.supplier_id} is not tracked")
    deadline = due or dispatch_by(order, draft.units, supplier.agreement_at(at) if supplier is not None else None, at)
    if deadline is None:
        return Promise(none_because=f"no dispatch time is agreed with {draft.supplier_id}")
    days = shipping.days_to
    if border(supplier, order.destination, draft.warehouse) is Border.CROSSED:
        days += policy.customs_allowance_days
    return Promise(deadline + days * _DAY)


def _unknown_country(supplier: Supplier | None, draft: SupplierOrderDrafted) -> str:
    if supplier is None or not supplier.country_of(draft.warehouse):
        return f"the country of {' '.join(filter(None, [draft.supplier_id, draft.warehouse]))} is not known"
    return "the country of the customer is not known"
