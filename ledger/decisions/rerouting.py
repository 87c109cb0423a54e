"""Rerouting: units that their supplier does not send go to the next qualified one (DOMAIN 1).

Units become open first, so that no unit is ever in two active supplier orders.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ledger.decisions import customs
from ledger.decisions.docket import Docket, order_in, settled
from ledger.decisions.drafting import Instead, SupplierShare, draft
from ledger.decisions.order_stock import (
    Item,
    enlarge,
    give_back,
    items_of,
)
from ledger.decisions.sourcing import Sought, choices_for
from ledger.facts import Change, LineNo, Units
from ledger.nouns import orders, policies, stock
from ledger.nouns.choice import Choice, let_wait
from ledger.nouns.orders import (
    LEDGER,
    Hold,
    HoldReason,
    Order,
    OrderFact,
    WhenUnavailable,
    breaches,
    supplier_orders,
)
from ledger.nouns.orders.supplier_orders import SupplierOrder
from ledger.nouns.policies import Policy, policy_at
from ledger.refusals import Forbidden, numbered
from ledger.terms.clocks import Clock
from ledger.terms.parties import Party
from ledger.view import View

# --- refusals -------------------------------------------------------------------------------------


class NoQualifiedSupplier(Forbidden, reason="NO_QUALIFIED_SUPPLIER"):
    """Details name each SKU, its units and what a supplier that was considered has against it, numbered from 1."""

    says = "no supplier qualifies for {unserved}"
    unserved: Sequence[Choice]

    def sentence(self) -> str:
        return self.says.format(unserved="; ".join(map(why, self.unserved)))

    def figures(self) -> Mapping[str, object]:
        return numbered(row for choice in self.unserved for row in _figures(choice))


def _figures(choice: Choice) -> list[dict[str, object]]:
    """One row for each supplier that was considered; one without a supplier if nobody was."""
    wanted: dict[str, object] = {"sku": choice.sku, "units": choice.units}
    return [wanted | {"supplier_id": each.supplier_id, "against": each.against} for each in choice.considered] or [
        wanted
    ]


def why(choice: Choice) -> str:
    """Why no supplier was chosen, in words."""
    against = ", ".join(f"{each.supplier_id} {str(each.against).replace('_', ' ')}" for each in choice.considered)
    return f"{choice.units} of {choice.sku}: {against or 'nobody offers it'}"


class CannotReroute(Forbidden, reason="CANNOT_REROUTE"):
    says = (
        "{asked} of line {line_no} to reroute, {left} can be; units that were shipped, or that the supplier was asked "
        "for already, cannot"
    )
    line_no: int
    asked: int
    left: int


class NothingToReroute(Forbidden, reason="NOTHING_TO_REROUTE"):
    says = "{what} has no unit that could be rerouted"
    what: str


# --- decisions ------------------------------------------------------------------------------------


class Cause(NamedTuple):
    """Why units go to another supplier."""

    of: SupplierOrder | None
    """The supplier order that had them; None if they were open."""
    by: str
    """Who asked for it, or whose fault it is."""
    because: str
    to: str = ""
    """The supplier that a person named."""


def reroute(
    view: View, order_id: str, supplier_order_id: str, by_line: Units, cause: Cause, at: datetime, now: datetime
) -> list[Change]:
    """Take units from a supplier order, or open ones, to the next qualified supplier; all of them if none are named.

    A supplier that knows of them is asked first and has to agree. If nobody qualifies, the units stay where
    they are.
    """
    order = order_in(view, order_id)
    orders.require_placed(order, at)
    if not supplier_order_id:
        return _place_open(view, order, by_line, cause, at, now)
    supplier_order = order.supplier_order(supplier_order_id)
    possible = supplier_orders.reroutable(supplier_order)
    if not by_line and not possible and supplier_order.reroute_asked:
        return []
    wanted = _wanted(supplier_order_id, possible, by_line, supplier_order.shares)
    cause = cause._replace(of=supplier_order)
    made = choices_for(view, order, Sought(wanted, supplier_order.supplier_id, cause.to), at)
    _require_qualified(made)
    asked = supplier_orders.ask_to_reroute(supplier_order, wanted, cause.by, cause.because, cause.to, at)
    docket = Docket(order, asked)
    if supplier_order.sent_at is not None:
        return docket.settled(view, now)
    items = items_of(order, supplier_order.supplier_id, wanted)
    view.need(*(stock.stream(*item) for item in items))
    released = give_back(view, docket.order, items, now)
    reserved = _place(view, docket, wanted, made, cause, at, now)
    return [*docket.settled(view, now), *released, *reserved]


def reroute_overdue(view: View, order_id: str, supplier_order_id: str, clock: Clock, now: datetime) -> list[Change]:
    """Ask a supplier once to give up overdue units, so that the next one sends them.

    Units of a SKU for which nobody qualifies stay with it. Without units to ask for it records nothing.
    """
    order, policy = orders.find(view, order_id), policy_at(policies.find(view), now)
    since = _overdue(order, supplier_order_id, clock, policy, now) if order is not None else {}
    if order is None or not since:
        return []
    supplier_order = order.supplier_order(supplier_order_id)
    supplier_id = supplier_order.supplier_id
    units = {n: count for n, count in supplier_orders.reroutable(supplier_order).items() if n in since}
    choices = choices_for(view, order, Sought(units, supplier_id), now)
    unserved = tuple(choice for choice in choices if not choice.supplier_id)
    wanted = _units_of(order, units, [choice for choice in choices if choice.supplier_id])
    due = max(since.values())
    facts: list[OrderFact] = [
        orders.ReroutingSought(
            order_id=order_id,
            supplier_order_id=supplier_order_id,
            clock=clock,
            due=due,
            at=now,
            by_line=wanted,
            unserved=unserved,
            supplier_id=supplier_id,
        )
    ]
    if wanted:
        because = f"overdue: {clock}"
        facts += supplier_orders.ask_to_reroute(supplier_order, wanted, Party.SUPPLIER, because, "", now)
    return settled(view, order, facts, now)


def _overdue(
    order: Order, supplier_order_id: str, clock: Clock, policy: Policy, now: datetime
) -> dict[LineNo, datetime]:
    """Lines that are overdue for as long as the policy says, and since when; very old ones are left to people."""
    hours = policy.reroute_after.by_clock.get(clock)
    deadline = orders.deadline(order, supplier_order_id, clock)
    if hours is None or deadline is None:
        return {}
    wait = timedelta(hours=hours)
    since = breaches.overdue_since(order, deadline)
    return {n: at for n, at in since.items() if at + wait <= now and not policy.too_old(at + wait, now)}


def _place_open(view: View, order: Order, by_line: Units, cause: Cause, at: datetime, now: datetime) -> list[Change]:
    """Gives units without a supplier to one that qualifies now."""
    possible = order.in_bucket("open") if order.confirmed_at is not None else {}
    wanted = _wanted(f"order {order.order_id}", possible, by_line, order.lines)
    made = choices_for(view, order, Sought(wanted, named=cause.to), at)
    _require_qualified(made)
    docket = Docket(order)
    reserved = _place(view, docket, wanted, made, cause, at, now)
    return [*docket.settled(view, now), *reserved]


def serve_open(view: View, docket: Docket, now: datetime) -> list[Change]:
    """Gives open units to suppliers that have stock now. Returns the changes of the stock reserved for them."""
    order = docket.order
    units = order.in_bucket("open")
    if not units or order.hold(HoldReason.OUT_OF_STOCK, LEDGER) is None:
        return []
    made = [choice for choice in choices_for(view, order, Sought(units), now) if choice.supplier_id]
    if not made:
        return []
    return _place(view, docket, _units_of(order, units, made), made, Cause(None, LEDGER, "in_stock"), now, now)


def _wanted(what: str, possible: Units, by_line: Units, lines: Iterable[LineNo]) -> Units:
    for line_no, units in by_line.items():
        if line_no not in lines:
            raise supplier_orders.UnknownLine(what, line_no)
        if units > (left := possible.get(line_no, 0)):
            raise CannotReroute(line_no, asked=units, left=left)
    if not possible:
        raise NothingToReroute(what)
    return by_line or possible


def _require_qualified(choices: Sequence[Choice]) -> None:
    if unserved := [choice for choice in choices if not choice.supplier_id]:
        raise NoQualifiedSupplier(unserved)


def place_anew(view: View, docket: Docket, units: Units, cause: Cause, at: datetime, now: datetime) -> list[Change]:
    """Gives open units to the next qualified supplier; if there is none, the order says what happens to them.

    All units of a SKU go to one supplier, or none. Returns the changes of the stock reserved for them.
    """
    of = cause.of.supplier_id if cause.of else ""
    made = choices_for(view, docket.order, Sought(units, of, cause.to), at)
    if cause.to and (unserved := [choice for choice in made if not choice.supplier_id]):
        # The named supplier does not qualify any more: look for any other.
        again = choices_for(view, docket.order, Sought(_units_of(docket.order, units, unserved), of), at)
        made = [*(choice for choice in made if choice.supplier_id), *again]
    return _place(view, docket, units, made, cause, at, now)


def _place(
    view: View, docket: Docket, units: Units, made: Sequence[Choice], cause: Cause, at: datetime, now: datetime
) -> list[Change]:
    """Gives the units to the chosen suppliers. Returns the changes of the stock reserved for them."""
    return enlarge(view, docket.order.order_id, place_units(view, docket, [(units, made)], cause, at, now), now)


def place_units(
    view: View,
    docket: Docket,
    chosen: Iterable[tuple[Units, Sequence[Choice]]],
    cause: Cause,
    at: datetime,
    now: datetime,
) -> dict[Item, int]:
    """Gives units to the suppliers chosen for them. Returns the units to reserve for them, by item."""
    more: defaultdict[Item, int] = defaultdict(int)
    unserved: list[Choice] = []
    for units, made in chosen:
        _give(view, docket, units, made, cause, at, now)
        unserved += [choice for choice in made if not choice.supplier_id]
        for choice in made:
            if choice.supplier_id:
                more[choice.supplier_id, choice.sku] += choice.units
    docket.add(wait_for_person(docket.order, unserved, at))
    # The next supplier may be in another country than the last one.
    docket.add(customs.reconsider(view, docket.order, at))
    return more


def _give(
    view: View, docket: Docket, units: Units, made: Sequence[Choice], cause: Cause, at: datetime, now: datetime
) -> None:
    """Drafts supplier orders; units that nobody qualifies for wait, or are cancelled, where the order says so."""
    order = docket.order
    unserved = [choice for choice in made if not choice.supplier_id]
    waiting: list[Choice] = []
    if order.placed.when_unavailable is WhenUnavailable.BACKORDER:
        waiting = [choice for choice in map(let_wait, unserved) if choice.supplier_id]
    waits = _units_of(order, units, waiting)
    left = {n: count for n, count in _units_of(order, units, unserved).items() if n not in waits}
    served = [choice for choice in made if choice.supplier_id]
    instead = Instead(cause.of.supplier_order_id if cause.of else "", cause.because)
    if waits:
        docket.add([orders.UnitsBackordered(order.order_id, waits, at)])
    docket.add(draft(view, order, _shares(order, units, served, waiting), at, now, instead))
    if left and order.placed.when_unavailable is WhenUnavailable.CANCEL:
        docket.add([orders.UnitsCancelled(order.order_id, left, cause.by, "no_supplier", at)])


def _units_of(order: Order, units: Units, choices: Sequence[Choice]) -> Units:
    """Those of the units that the choices are about."""
    if not choices:
        return {}
    skus = {choice.sku for choice in choices}
    return {line_no: count for line_no, count in units.items() if order.lines[line_no].sku in skus}


def _shares(order: Order, units: Units, served: Sequence[Choice], waiting: Sequence[Choice]) -> list[SupplierShare]:
    """One share for each supplier, of all that it was chosen for."""
    chosen: defaultdict[str, list[Choice]] = defaultdict(list)
    for choice in (*served, *waiting):
        chosen[choice.supplier_id].append(choice)
    shares = {name: SupplierShare(name, {}, {}, tuple(choices)) for name, choices in chosen.items()}
    by_sku = {choice.sku: choice for choice in (*served, *waiting)}
    for line_no, count in units.items():
        if (given := by_sku.get(order.lines[line_no].sku)) is not None:
            share = shares[given.supplier_id]
            (share.backordered if given.backordered else share.units)[line_no] = count
    return list(shares.values())


def wait_for_person(order: Order, unserved: Sequence[Choice], at: datetime) -> list[OrderFact]:
    """Open units of a confirmed order are held for a person; the hold ends with the last of them.

    It names the lacking units, so that other supplier orders of the order go on.
    """
    if order.confirmed_at is None:
        return []
    present, lacking = order.hold(HoldReason.OUT_OF_STOCK, LEDGER), order.in_bucket("open")
    if not lacking:
        return [] if present is None else [*orders.release_hold(order, HoldReason.OUT_OF_STOCK, LEDGER, "", at)]
    if present is not None and present.lacking == lacking:
        return []
    unserved_skus = {choice.sku for choice in unserved}
    open_skus = {order.lines[line_no].sku for line_no in lacking}
    known = present.choices if present else ()
    choices = (*(each for each in known if each.sku in open_skus - unserved_skus), *unserved)
    hold = Hold(HoldReason.OUT_OF_STOCK, LEDGER, at, lacking=lacking, choices=choices)
    return [orders.HoldPlaced(order.order_id, hold, at)]
