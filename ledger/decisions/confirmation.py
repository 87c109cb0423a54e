"""Confirmation: an order is promised and its supplier orders drafted, once it is paid, complete and has its stock.

Until then it waits with a hold for each reason. Whatever ends one asks again whether the order may be confirmed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import reduce

from msgspec.structs import replace

from ledger.decisions import customs, rerouting
from ledger.decisions.catalogue import customs_data
from ledger.decisions.docket import Docket, newly_owed, order_changes, order_in, settled
from ledger.decisions.drafting import SupplierShare, draft
from ledger.decisions.order_stock import Allotment, Item, allot, demand_of, need_for, reserve_late
from ledger.decisions.promise import promise
from ledger.decisions.rerouting import Cause
from ledger.decisions.sourcing import NOBODY_SOUGHT, Found, find_suppliers, let_lines_wait, out_of_stock
from ledger.decisions.suitability import Unusable, require_usable, unusable_suppliers
from ledger.facts import Change, LineNo, Units, plus
from ledger.nouns import orders, stock
from ledger.nouns.orders import LEDGER, Hold, HoldReason, Line, Order, OrderFact, SuppliersChosen
from ledger.view import View

_WAITS = (HoldReason.OUT_OF_STOCK, HoldReason.OTHER)
"""Holds of the ledger's own that name lines whose stock lacks, or whose supplier is not approved."""


def confirm(view: View, order_id: str, backorder_lacking: bool, by: str, at: datetime, now: datetime) -> list[Change]:
    """A person confirms. With backorder_lacking, units that are out of stock wait at the supplier.

    Confirming a confirmed order records nothing.
    """
    order = order_in(view, order_id)
    orders.require_placed(order, at)
    if order.confirmed_at is not None:
        return []
    if not order.units("open"):
        raise orders.NotConfirmable(order_id, "it has no open unit")
    standing = [hold for hold in order.holds if not (backorder_lacking and hold.reason is HoldReason.OUT_OF_STOCK)]
    if standing:
        raise orders.OrderOnHold(order_id, sorted({hold.reason for hold in standing}))
    found = find_suppliers(view, order, "", at)
    docket = Docket(order, [*found.facts, *let_lines_wait(order, found, at)])
    order = docket.order
    need_for(view, order.lines.values())
    require_usable(view, order, order.in_bucket("open"), at)
    demand = demand_of(order.lines.values(), order.in_bucket("open"))
    allotment = allot(view, order_id, demand, now, commit=True)
    if allotment.lacking and not backorder_lacking:
        raise stock.OutOfStock(allotment.out_of_stock())
    backordered = _lacking_by_line(allotment, demand)
    for item, (_, available) in allotment.lacking.items():
        allotment.take(item, available, commit=True)
    if order.hold(HoldReason.OUT_OF_STOCK):
        docket.add(orders.release_hold(order, HoldReason.OUT_OF_STOCK, "", "", at))
    docket.add(confirming_facts(view, order, by, backordered, at, now))
    docket.add(customs.reconsider(view, docket.order, at))
    return [*docket.changes(), *allotment.changes]


def confirm_if_ready(view: View, docket: Docket, at: datetime, now: datetime, reserve: bool = False) -> list[Change]:
    """The new facts, and the confirmation if the order is ready now: paid, no hold, stock available.

    Of a confirmed order also what follows for its clocks: a hold that ended may leave one late.

    reserve holds stock also for an order that is not ready yet.
    """
    order = docket.order
    ready = not order.holds and orders.may_go(order)
    if order.confirmed_at is not None or not order.units("open") or not (ready or reserve):
        return docket.settled(view, now)
    need_for(view, order.lines.values())
    customs_holds = customs.reconsider(view, order, at) if ready else []
    if customs_holds:
        docket.add(customs_holds)
        order, ready = docket.order, False
    open_units = order.in_bucket("open")
    demand = demand_of(order.lines.values(), open_units)
    unusable = unusable_suppliers(view, order, open_units, at)
    allotment = allot(view, order.order_id, demand, now, commit=ready and not unusable)
    present = {hold.key for hold in order.holds}
    last: list[OrderFact] = []
    if holds := [
        hold for hold in stock_holds(allotment, demand, unusable, at, NOBODY_SOUGHT) if hold.key not in present
    ]:
        last += [orders.HoldPlaced(order.order_id, hold, at) for hold in holds]
    elif ready:
        last += confirming_facts(view, order, LEDGER, {}, at, now)
    docket.add(newly_owed(view, docket.order))
    return [*docket.changes(), *order_changes(order.order_id, last), *allotment.reserved()]


def confirming_facts(
    view: View, order: Order, by: str, backordered: Units, at: datetime, now: datetime
) -> list[OrderFact]:
    """Freeze the promise and draft one supplier order for each supplier."""
    facts: list[OrderFact] = []
    if backordered:
        facts.append(orders.UnitsBackordered(order.order_id, backordered, at))
    shares: dict[str, SupplierShare] = {}
    for line_no, units in order.in_bucket("open").items():
        supplier_id = order.lines[line_no].supplier_id
        share = shares.setdefault(supplier_id, SupplierShare(supplier_id, {}, {}))
        waits = backordered.get(line_no, 0)
        if units > waits:
            share.units[line_no] = units - waits
        if waits:
            share.backordered[line_no] = waits
    drafts = draft(view, order, shares.values(), at, now)
    promised = promise(view, order, drafts, at)
    facts.append(orders.OrderConfirmed(order.order_id, by, at, promised.by, promised.none_because))
    return [*facts, *drafts]


def stock_holds(
    allotment: Allotment, demand: Mapping[Item, Units], unusable: Unusable, at: datetime, found: Found
) -> list[Hold]:
    holds = []
    if unusable:
        fields = tuple(f"line {line_no}: {why}" for line_no, (_, why) in unusable.items())
        lacking = {line_no: units for line_no, (units, _) in unusable.items()}
        holds.append(Hold(HoldReason.OTHER, LEDGER, at, missing=fields, lacking=lacking))
    if allotment.lacking or found.lacking:
        lacking = {**_lacking_by_line(allotment, demand), **found.lacking}
        holds.append(Hold(HoldReason.OUT_OF_STOCK, LEDGER, at, lacking=lacking, choices=found.waiting))
    return holds


def _lacking_by_line(allotment: Allotment, demand: Mapping[Item, Units]) -> Units:
    """Which lines lack units: an item's available units go to its first lines first."""
    short: Units = {}
    for item, (_, available) in allotment.lacking.items():
        for line_no, units in demand[item].items():
            served = min(units, available)
            available -= served
            if units > served:
                short[line_no] = units - served
    return short


def untracked_lines(view: View, lines: Iterable[Line]) -> tuple[LineNo, ...]:
    """Lines whose stock is unknown, because their supplier never sent a feed."""
    return tuple(line.line_no for line in lines if line.supplier_id and line.sku and not _tracked(view, line))


def _tracked(view: View, line: Line) -> bool:
    own = stock.find(view, line.supplier_id, line.sku)
    return own is not None and own.tracked


def reconsider(view: View, docket: Docket, at: datetime) -> None:
    """Updates the ledger's holds for missing details and for customs data."""
    docket.add(reconsider_missing(view, docket.order, at))
    docket.add(customs.reconsider(view, docket.order, at))


def reconsider_missing(view: View, order: Order, at: datetime) -> list[OrderFact]:
    """Finds suppliers for lines without one, and updates the holds for what is missing or out of stock."""
    found = find_suppliers(view, order, "", at) if orders.missing_fields(order, ()) else NOBODY_SOUGHT
    docket = Docket(order, found.facts)
    missing = orders.missing_fields(docket.order, found.lacking)
    if order.confirmed_at is None and order.header is not orders.Header.CANCELLED:
        incomplete = Hold(HoldReason.INCOMPLETE, LEDGER, at, missing=missing, choices=found.unqualified)
        docket.add(_own_hold(docket.order, incomplete, bool(missing)))
        waiting = order.hold(HoldReason.OUT_OF_STOCK, LEDGER)
        served = {line_no for fact in docket.facts if isinstance(fact, SuppliersChosen) for line_no in fact.by_line}
        named = {n: units for n, units in (waiting.lacking if waiting else {}).items() if order.lines[n].supplier_id}
        lacking = {**{n: units for n, units in named.items() if n not in served}, **found.lacking}
        out_of_stock = Hold(HoldReason.OUT_OF_STOCK, LEDGER, at, lacking=lacking, choices=found.waiting)
        docket.add(_own_hold(docket.order, out_of_stock, bool(lacking)))
    return docket.facts


def _own_hold(order: Order, hold: Hold, stands: bool) -> Sequence[OrderFact]:
    """Updates a hold of the ledger; without a change it records nothing."""
    present = order.hold(hold.reason, LEDGER)
    if not stands:
        return orders.end_holds(order, [present], hold.at) if present else []
    if present is not None and replace(hold, at=present.at) == present:
        return []
    return [orders.HoldPlaced(order.order_id, hold, hold.at)]


def place_hold(view: View, order_id: str, hold: Hold, now: datetime) -> list[Change]:
    """Place a hold. One that is recorded late may show that a clock was stopped when it was due."""
    order = order_in(view, order_id)
    return settled(view, order, orders.place_hold(order, hold), now)


def release_hold(
    view: View, order_id: str, reason: HoldReason, owner: str, supplier_order_id: str, at: datetime, now: datetime
) -> list[Change]:
    """End a hold. Without holds a paid order is confirmed; a release is refused while stock lacks."""
    order = order_in(view, order_id)
    given_at, at = at, max(at, order.placed.placed_at)
    seeks = reason in (HoldReason.INCOMPLETE, HoldReason.OUT_OF_STOCK)
    found = find_suppliers(view, order, "", at) if seeks else NOBODY_SOUGHT
    docket = Docket(order, found.facts)
    docket.add(orders.release_hold(docket.order, reason, owner, supplier_order_id, given_at))
    own = any(isinstance(fact, orders.HoldReleased) and fact.owner == LEDGER for fact in docket.facts)
    if reason is HoldReason.OUT_OF_STOCK and own and order.confirmed_at is not None:
        return rerouting.reroute(view, order_id, "", {}, Cause(None, LEDGER, "hold_released"), at, now)
    if reason is HoldReason.OUT_OF_STOCK:
        if found.lacking:
            raise stock.OutOfStock(out_of_stock(found.unserved))
        _require_stock(view, docket.order, now)
    if reason is HoldReason.OTHER and own:
        require_usable(view, order, unusable_suppliers(view, order, order.in_bucket("open"), at), at)
    if reason is HoldReason.CUSTOMS_DATA:
        docket.add(customs_data(view, docket.order, at))
        customs.require_data_to_release(view, docket.order, docket.facts, at)
    return confirm_if_ready(view, docket, at, now, reserve=reason is HoldReason.OUT_OF_STOCK or bool(found.facts))


def _require_stock(view: View, order: Order, now: datetime) -> None:
    need_for(view, order.lines.values())
    demand = demand_of(order.lines.values(), order.in_bucket("open"))
    allotment = allot(view, order.order_id, demand, now, commit=True)
    if allotment.lacking:
        raise stock.OutOfStock(allotment.out_of_stock())


def serve_waiting(view: View, order_id: str, now: datetime) -> list[Change]:
    """Reserve the stock that an order waits for, if there is some now; otherwise record nothing.

    Before the confirmation all its lines are reserved together, afterwards each unit when it is available.
    """
    order = orders.find(view, order_id)
    if order is None:
        return []
    if order.confirmed_at is None:
        return _serve_unconfirmed(view, order, now)
    docket = Docket(order)
    anew = rerouting.serve_open(view, docket, now)
    changes, served = reserve_late(view, docket.order, now)
    if served:
        by_line = reduce(plus, served.values())
        docket.add([orders.UnitsReserved(order_id, dict(sorted(by_line.items())), now, served)])
    # A late reservation holds all units of the item, including those that were reserved just now.
    late = {stream for stream, _ in changes}
    anew = [change for change in anew if change[0] not in late]
    return [*(docket.settled(view, now) if docket.facts else []), *anew, *changes]


def _serve_unconfirmed(view: View, order: Order, now: datetime) -> list[Change]:
    """Serve all lines together: find suppliers for lines without one, and reserve the stock."""
    found = find_suppliers(view, order, "", now)
    docket = Docket(order, found.facts)
    order = docket.order
    lines = order.lines.values()
    need_for(view, lines)
    tracked = {n: units for n, units in order.waiting_for_stock().items() if _tracked(view, order.lines[n])}
    holds = [hold for reason in _WAITS if (hold := order.hold(reason, LEDGER)) is not None and hold.lacking]
    if (
        not (holds or tracked or found.facts)
        or found.lacking
        or unusable_suppliers(view, order, order.in_bucket("open"), now)
    ):
        return []
    if allot(view, order.order_id, demand_of(lines, order.in_bucket("open")), now, commit=True).lacking:
        return []
    if tracked:
        docket.add([orders.UnitsReserved(order.order_id, tracked, now)])
    docket.add(orders.end_holds(docket.order, holds, now))
    docket.add(reconsider_missing(view, docket.order, now))
    return confirm_if_ready(view, docket, now, now, reserve=True)
