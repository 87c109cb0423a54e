"""Decisions that span several nouns: an order, the stock it reserves, the parcels that carry it.

Each takes a view of folded streams and returns changes, or refuses. None of them looks at a clock:
``at`` is when something happened as its source says, ``now`` is the ledger's own time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from msgspec.structs import replace

from ledger import orders, parcels, stock, supplier_orders, suppliers
from ledger.orders import Clock, Hold, HoldReason, Line, Order, OrderFact, OrderPlaced, PaymentState
from ledger.parcels import Checkpoint, Parcel, ParcelRegistered, ParcelStatus
from ledger.policies import Policies, policy_at
from ledger.stock import Stock, StockFact
from ledger.supplier_orders import Answer, RejectReason, SupplierOrder, SupplierOrderDrafted, SupplierOrderSent
from ledger.suppliers import Standing, Supplier
from ledger.values import (
    Change,
    Fact,
    LineNo,
    Units,
    order_of,
    order_stream,
    parcel_stream,
    policy_stream,
    stock_stream,
    supplier_stream,
)

Item = tuple[str, str]
"""A supplier's id and its SKU: what one stock stream is about."""

LEDGER = "ledger"
"""The owner of holds that the ledger places and releases itself."""


class View(Protocol):
    """Folded streams; None where nothing is recorded. Asking for one that is not in memory raises a miss."""

    def order(self, order_id: str) -> Order | None: ...
    def stock(self, supplier_id: str, sku: str) -> Stock | None: ...
    def supplier(self, supplier_id: str) -> Supplier | None: ...
    def parcel(self, carrier: str, number: str) -> Parcel | None: ...
    def policy(self) -> Policies | None: ...
    def need(self, *streams: str) -> None:
        """Have all these streams at hand before deciding, so that they are loaded together."""


def _order(view: View, order_id: str) -> Order:
    return orders.known(view.order(order_id), order_id)


def _changes(stream: str, facts: Iterable[Fact]) -> list[Change]:
    return [(stream, fact) for fact in facts]


def _order_changes(order_id: str, facts: Iterable[Fact]) -> list[Change]:
    return _changes(order_stream(order_id), facts)


def _after(order: Order, facts: Iterable[OrderFact]) -> Order:
    for fact in facts:
        order = orders.evolve(order, fact)
    return order


def _settled(order: Order, facts: Sequence[OrderFact], now: datetime, after: Order | None = None) -> list[Change]:
    """The facts, and what they say of the order's clocks; after is the order with them, if it is at hand."""
    return _order_changes(order.order_id, [*facts, *orders.settle(after or _after(order, facts), now)])


# --- stock for an order ---------------------------------------------------------------------------


def _demand(lines: Iterable[Line], units: Mapping[LineNo, int]) -> dict[Item, Units]:
    """What is wanted of each supplier's SKU, line by line; lines without a supplier or SKU want nothing yet."""
    demand: defaultdict[Item, Units] = defaultdict(dict)
    for line in lines:
        wanted = units.get(line.line_no, 0)
        if wanted and line.supplier_id and line.sku:
            demand[line.supplier_id, line.sku][line.line_no] = wanted
    return demand


def _need_for(view: View, lines: Iterable[Line]) -> None:
    items = dict.fromkeys((line.supplier_id, line.sku) for line in lines if line.supplier_id)
    names = dict.fromkeys(supplier_id for supplier_id, _ in items)
    view.need(*(stock_stream(*item) for item in items if all(item)), *map(supplier_stream, names))


class _Allotment:
    """Stock for one order, decided for all its lines together: facts if it suffices, else what lacks."""

    def __init__(self, view: View, order_id: str, cart_id: str, now: datetime, expires_at: datetime) -> None:
        self.view, self.order_id, self.cart_id = view, order_id, cart_id
        self.now, self.expires_at = now, expires_at
        self.changes: list[Change] = []
        self.surplus: list[Change] = []
        """What the order holds beyond what it wants; to be given back also when something lacks."""
        self.lacking: dict[Item, tuple[int, int]] = {}
        """For each item that lacks: units asked and units available."""

    def take(self, item: Item, units: int, commit: bool) -> None:
        """Hold units, or commit them, on top of whatever the order or its cart holds already."""
        own = self.view.stock(*item)
        if own is None or not own.tracked:
            return
        kept = own.reservations.get(self.order_id)
        if kept is not None and kept.units == units and self._stands(own, units, commit):
            if commit and kept.status is stock.Hold.HELD:
                self._record(item, stock.ReservationCommitted(*item, self.order_id, self.now))
            return
        if kept is not None and kept.units > units:
            surplus = stock.ReservationReleased(*item, self.order_id, kept.units - units, self.now)
            self.surplus.append((stock_stream(*item), surplus))
        given_back = [self.order_id] if kept is not None else []
        cart = own.reservations.get(self.cart_id)
        # Only a hold can be a cart's: nobody takes over what was committed to another order.
        if cart is not None and cart is not kept and cart.status is stock.Hold.HELD:
            given_back.append(self.cart_id)
        available = own.available + sum(own.reservations[r].units for r in given_back)
        if units and available < units:
            self.lacking[item] = (units, max(available, 0))
            return
        for reservation_id in given_back:
            released = own.reservations[reservation_id].units
            self._record(item, stock.ReservationReleased(*item, reservation_id, released, self.now))
        if not units:
            return
        self._record(item, stock.StockReserved(*item, self.order_id, units, self.expires_at, self.now))
        if commit:
            self._record(item, stock.ReservationCommitted(*item, self.order_id, self.now))

    def reserved(self) -> list[Change]:
        """All lines are reserved together, or none of them."""
        return self.surplus if self.lacking else self.changes

    def _stands(self, own: Stock, units: int, commit: bool) -> bool:
        if commit:
            return stock.can_commit(own, self.order_id, units, self.now)
        return self.now < own.reservations[self.order_id].expires_at

    def _record(self, item: Item, fact: StockFact) -> None:
        self.changes.append((stock_stream(*item), fact))


def _allot(
    view: View, order_id: str, demand: Mapping[Item, Units], now: datetime, commit: bool, cart_id: str = ""
) -> _Allotment:
    minutes = policy_at(view.policy(), now).reservation_minutes
    allotment = _Allotment(view, order_id, cart_id, now, now + timedelta(minutes=minutes))
    for item, by_line in demand.items():
        allotment.take(item, sum(by_line.values()), commit)
    return allotment


def _give_back(view: View, after: Order, items: Iterable[Item], now: datetime) -> list[Change]:
    """Release what the order reserved of these items beyond what it still has to ship of them.

    Units that were backordered have no reservation of their own: losing them gives nothing back.
    """
    changes: list[Change] = []
    wanted = _unshipped(after)
    for item in items:
        own = view.stock(*item)
        reservation = own.reservations.get(after.order_id) if own else None
        surplus = reservation.units - wanted[item] if reservation else 0
        if surplus > 0:
            changes += _changes(stock_stream(*item), stock.release(own, *item, after.order_id, surplus, now))
    return changes


def _unshipped(order: Order) -> defaultdict[Item, int]:
    """Units still to be shipped of each item; those a supplier rejected are nobody's any more."""
    totals: defaultdict[Item, int] = defaultdict(int)
    for each in order.supplier_orders.values():
        _add(totals, _items(order, each.supplier_id, supplier_orders.left_to_ship(each)))
    if order.confirmed_at is None:
        _add(totals, _items(order, "", order.in_bucket("open")))
    return totals


def _items(order: Order, supplier_id: str, by_line: Units) -> dict[Item, int]:
    totals: defaultdict[Item, int] = defaultdict(int)
    for line_no, units in by_line.items():
        line = order.lines[line_no]
        item = (supplier_id or line.supplier_id, line.sku)
        if all(item):
            totals[item] += units
    return totals


# --- intake and confirmation ----------------------------------------------------------------------


def place(view: View, intake: OrderPlaced, all_or_nothing: bool, cart_id: str, now: datetime) -> list[Change]:
    """A shop sold something. The same order again records nothing.

    What is missing, unpaid or out of stock becomes a hold; all_or_nothing refuses instead when stock
    lacks. An order that is paid and has no hold is confirmed at once.
    """
    view.need(policy_stream(), order_stream(intake.order_id))
    _need_for(view, intake.lines)
    present = view.order(intake.order_id)
    if present is not None:
        if present.placed.intake != intake.intake:
            raise orders.OrderPlacedDifferently(intake.order_id)
        return []
    order = orders.evolve(None, intake)
    ready = not orders.missing_fields(order) and intake.payment is PaymentState.PAID
    demand = _demand(intake.lines, order.in_bucket("open"))
    unusable = _unusable_suppliers(view, order)
    allotment = _allot(view, intake.order_id, demand, now, commit=ready and not unusable, cart_id=cart_id)
    if allotment.lacking and all_or_nothing:
        raise stock.OutOfStock([(*item, *figures) for item, figures in allotment.lacking.items()])
    holds = _intake_holds(order, allotment, demand, unusable, intake.at)
    placed = replace(
        intake,
        holds=holds,
        untracked=_untracked(view, order.lines.values()),
        return_window_days=policy_at(view.policy(), intake.at).return_window_days,
    )
    facts: list[OrderFact] = [placed]
    if ready and not holds:
        facts += _confirmation(orders.evolve(None, placed), LEDGER, {}, intake.at)
    return [*_order_changes(intake.order_id, facts), *allotment.reserved()]


def _intake_holds(
    order: Order, allotment: _Allotment, demand: Mapping[Item, Units], unusable: Units, at: datetime
) -> tuple[Hold, ...]:
    holds = []
    if missing := orders.missing_fields(order):
        holds.append(Hold(HoldReason.INCOMPLETE, LEDGER, at, missing=missing))
    if order.payment not in (PaymentState.PAID, PaymentState.UNKNOWN):
        holds.append(Hold(HoldReason.AWAITING_PAYMENT, LEDGER, at))
    holds += _stock_holds(allotment, demand, unusable, at)
    return tuple(holds)


def _stock_holds(allotment: _Allotment, demand: Mapping[Item, Units], unusable: Units, at: datetime) -> list[Hold]:
    holds = []
    if unusable:
        fields = tuple(f"line {line_no}: supplier is not approved" for line_no in unusable)
        holds.append(Hold(HoldReason.OTHER, LEDGER, at, missing=fields, lacking=unusable))
    if allotment.lacking:
        holds.append(Hold(HoldReason.OUT_OF_STOCK, LEDGER, at, lacking=_lacking_by_line(allotment, demand)))
    return holds


def _lacking_by_line(allotment: _Allotment, demand: Mapping[Item, Units]) -> Units:
    """Which lines go short: an item's available units serve its first lines first."""
    short: Units = {}
    for item, (_, available) in allotment.lacking.items():
        for line_no, units in demand[item].items():
            served = min(units, available)
            available -= served
            if units > served:
                short[line_no] = units - served
    return short


def _unusable_suppliers(view: View, order: Order) -> Units:
    """Open units of lines whose supplier may not be given work."""
    unusable: Units = {}
    for line_no, units in order.in_bucket("open").items():
        supplier_id = order.lines[line_no].supplier_id
        if supplier_id:
            supplier = view.supplier(supplier_id)
            if supplier is None or supplier.standing is not Standing.APPROVED:
                unusable[line_no] = units
    return unusable


def _untracked(view: View, lines: Iterable[Line]) -> tuple[LineNo, ...]:
    """Lines of which nothing can be promised, because no feed ever said what there is."""
    return tuple(line.line_no for line in lines if line.supplier_id and line.sku and not _tracked(view, line))


def _tracked(view: View, line: Line) -> bool:
    own = view.stock(line.supplier_id, line.sku)
    return own is not None and own.tracked


def _confirmation(order: Order, by: str, backordered: Units, at: datetime) -> list[OrderFact]:
    """Freeze the promise and draft one supplier order for each supplier."""
    facts: list[OrderFact] = []
    if backordered:
        facts.append(orders.UnitsBackordered(order.order_id, backordered, at))
    facts.append(orders.OrderConfirmed(order.order_id, by, at, order.promised_by))
    shares: dict[str, tuple[Units, Units]] = {}
    for line_no, units in order.in_bucket("open").items():
        assigned, waiting = shares.setdefault(order.lines[line_no].supplier_id, ({}, {}))
        waits = backordered.get(line_no, 0)
        if units > waits:
            assigned[line_no] = units - waits
        if waits:
            waiting[line_no] = waits
    first = len(order.supplier_orders) + 1
    for number, (supplier_id, (assigned, waiting)) in enumerate(shares.items(), first):
        supplier_order_id = f"{order.order_id}/{number}"
        facts.append(SupplierOrderDrafted(supplier_order_id, supplier_id, assigned, at, waiting, order.placed.packing))
    return facts


def _go_on(
    view: View, order: Order, facts: Sequence[OrderFact], at: datetime, now: datetime, reserve: bool = False
) -> list[Change]:
    """The facts, and the confirmation where they make the order ready: paid, no hold, stock at hand.

    reserve holds stock also for an order that is not ready yet.
    """
    order = _after(order, facts)
    ready = not order.holds and order.payment is PaymentState.PAID
    if order.confirmed_at is not None or not order.units("open") or not (ready or reserve):
        return _order_changes(order.order_id, facts)
    _need_for(view, order.lines.values())
    demand = _demand(order.lines.values(), order.in_bucket("open"))
    unusable = _unusable_suppliers(view, order)
    allotment = _allot(view, order.order_id, demand, now, commit=ready and not unusable)
    changes = allotment.reserved()
    if holds := [hold for hold in _stock_holds(allotment, demand, unusable, at) if hold.key not in _keys(order)]:
        placed = [orders.HoldPlaced(order.order_id, hold, at) for hold in holds]
        return [*_order_changes(order.order_id, [*facts, *placed]), *changes]
    confirmation = _confirmation(order, LEDGER, {}, at) if ready else []
    return [*_order_changes(order.order_id, [*facts, *confirmation]), *changes]


def _keys(order: Order) -> set[tuple[HoldReason, str, str]]:
    return {hold.key for hold in order.holds}


def complete_details(
    view: View, details: orders.DetailsCompleted, payment: PaymentState | None, now: datetime
) -> list[Change]:
    """What was missing came in; details.untracked is set here. When nothing lacks any more, the order goes its way."""
    order_id, lines, at = details.order_id, details.lines, details.at
    order = _order(view, order_id)
    if order.header is orders.Header.CANCELLED:
        raise orders.OrderClosed(order_id, order.header)
    merged = {**order.lines, **{line.line_no: line for line in lines}}
    _need_for(view, merged.values())
    details = replace(details, untracked=_untracked(view, merged.values()))
    facts: list[OrderFact] = [*orders.complete_details(order, details)]
    after = _after(order, facts)
    if payment is not None:
        facts += orders.change_payment(after, payment, at)
        after = _after(order, facts)
    facts += _reconsider_missing(after, at)
    wanted = _demand(after.lines.values(), after.in_bucket("open"))
    dropped = [item for item in _items(order, "", order.in_bucket("open")) if item not in wanted]
    view.need(*(stock_stream(*item) for item in dropped))
    return [*_give_back(view, after, dropped, now), *_go_on(view, order, facts, at, now, reserve=bool(lines))]


def _reconsider_missing(order: Order, at: datetime) -> list[OrderFact]:
    """The incomplete hold names what still lacks, or goes."""
    present = order.hold(HoldReason.INCOMPLETE, LEDGER)
    missing = orders.missing_fields(order)
    if present is None or present.missing == missing:
        return []
    if missing:
        hold = replace(present, missing=missing, at=at)
        return [orders.HoldPlaced(order.order_id, hold, at)]
    return list(orders.release_hold(order, HoldReason.INCOMPLETE, LEDGER, "", at))


def record_payment(view: View, order_id: str, payment: PaymentState, at: datetime, now: datetime) -> list[Change]:
    """What the shop says of the money. A paid order without holds is confirmed."""
    order = _order(view, order_id)
    facts = orders.change_payment(order, payment, at)
    facts += _reconsider_missing(_after(order, facts), at)
    return _go_on(view, order, facts, at, now) if facts else []


def release_hold(
    view: View, order_id: str, reason: HoldReason, owner: str, supplier_order_id: str, at: datetime, now: datetime
) -> list[Change]:
    """End a hold. The last one gone, a paid order is confirmed; stock that still lacks refuses the release."""
    order = _order(view, order_id)
    facts = orders.release_hold(order, reason, owner, supplier_order_id, at)
    if reason is HoldReason.OUT_OF_STOCK:
        _require_stock(view, order, now)
    if reason is HoldReason.OTHER and any(isinstance(f, orders.HoldReleased) and f.owner == LEDGER for f in facts):
        for line_no in _unusable_suppliers(view, order):
            supplier_id = order.lines[line_no].supplier_id
            suppliers.require_approved(view.supplier(supplier_id), supplier_id)
    return _go_on(view, order, facts, at, now, reserve=reason is HoldReason.OUT_OF_STOCK)


def _require_stock(view: View, order: Order, now: datetime) -> None:
    _need_for(view, order.lines.values())
    demand = _demand(order.lines.values(), order.in_bucket("open"))
    allotment = _allot(view, order.order_id, demand, now, commit=True)
    if allotment.lacking:
        raise stock.OutOfStock([(*item, *figures) for item, figures in allotment.lacking.items()])


def confirm(view: View, order_id: str, backorder_lacking: bool, by: str, at: datetime, now: datetime) -> list[Change]:
    """A person confirms. backorder_lacking lets what is out of stock wait at the supplier.

    Confirming a confirmed order records nothing.
    """
    order = _order(view, order_id)
    if order.confirmed_at is not None:
        return []
    if not order.units("open"):
        raise orders.NotConfirmable(order_id, "it has no open unit")
    standing = [hold for hold in order.holds if not (backorder_lacking and hold.reason is HoldReason.OUT_OF_STOCK)]
    if standing:
        raise orders.OrderOnHold(order_id, standing)
    _need_for(view, order.lines.values())
    for line_no in order.in_bucket("open"):
        supplier_id = order.lines[line_no].supplier_id
        suppliers.require_approved(view.supplier(supplier_id), supplier_id)
    demand = _demand(order.lines.values(), order.in_bucket("open"))
    allotment = _allot(view, order_id, demand, now, commit=True)
    if allotment.lacking and not backorder_lacking:
        raise stock.OutOfStock([(*item, *figures) for item, figures in allotment.lacking.items()])
    backordered = _lacking_by_line(allotment, demand)
    for item, (_, available) in allotment.lacking.items():
        allotment.take(item, available, commit=True)
    facts: list[OrderFact] = []
    if order.hold(HoldReason.OUT_OF_STOCK):
        facts += orders.release_hold(order, HoldReason.OUT_OF_STOCK, "", "", at)
    facts += _confirmation(order, by, backordered, at)
    return [*_order_changes(order_id, facts), *allotment.changes]


# --- supplier orders ------------------------------------------------------------------------------


def send_supplier_order(view: View, supplier_order_id: str, at: datetime, now: datetime) -> list[Change]:
    """The dispatch instruction went out; the clocks of the agreement in force start."""
    order = _order(view, order_of(supplier_order_id))
    supplier_order = order.supplier_order(supplier_order_id)
    supplier = view.supplier(supplier_order.supplier_id)
    agreement = supplier.agreement_at(at) if supplier else None
    by_shop = [deadline for n in supplier_order.shares if (deadline := order.lines[n].dispatch_by) is not None]
    agreed = agreement.dispatch_by(at, order.placed.priority) if agreement else None
    sent = SupplierOrderSent(
        supplier_order_id,
        at,
        acknowledge_by=agreement.acknowledge_by(at) if agreement else None,
        dispatch_by=min(by_shop) if by_shop else agreed,
        first_scan_within_hours=agreement.first_scan_within_hours if agreement else None,
    )
    return _settled(order, orders.send(order, supplier_order_id, sent), now)


def acknowledge(
    view: View, supplier_order_id: str, by_line: dict[LineNo, Answer], at: datetime, now: datetime
) -> list[Change]:
    """The supplier's answer. Rejected units give their stock back; "out of stock" corrects the supplier's figure."""
    order = _order(view, order_of(supplier_order_id))
    supplier_order = order.supplier_order(supplier_order_id)
    facts = supplier_orders.acknowledge(supplier_order, by_line, at)
    if not facts:
        return []
    supplier_id = supplier_order.supplier_id
    view.need(*(stock_stream(supplier_id, order.lines[n].sku) for n in by_line))
    rejected: Units = {line_no: answer.rejected for line_no, answer in by_line.items() if answer.rejected}
    after = _after(order, facts)
    released = _give_back(view, after, _items(order, supplier_id, rejected), now)
    corrected = _none_left(view, order, supplier_id, by_line, released, at)
    return [*_settled(order, facts, now, after), *released, *corrected]


def _none_left(
    view: View,
    order: Order,
    supplier_id: str,
    by_line: Mapping[LineNo, Answer],
    released: Sequence[Change],
    at: datetime,
) -> list[Change]:
    """A supplier that is out of stock has no more than it took on, whatever its feed said."""
    skus = {
        order.lines[line_no].sku for line_no, answer in by_line.items() if answer.because is RejectReason.OUT_OF_STOCK
    }
    given_back = {fact.sku: fact.units for _, fact in released if isinstance(fact, stock.ReservationReleased)}
    changes: list[Change] = []
    for sku in sorted(skus):
        facts = stock.report_none_left(
            view.stock(supplier_id, sku), supplier_id, sku, given_back.get(sku, 0), "supplier_out_of_stock", at
        )
        changes += _changes(stock_stream(supplier_id, sku), facts)
    return changes


def pack(view: View, supplier_order_id: str, packed_with: tuple[str, ...], at: datetime, now: datetime) -> list[Change]:
    """The goods are packed, with what. Nothing is packed while a hold stands."""
    order = _order(view, order_of(supplier_order_id))
    facts = supplier_orders.pack(order.supplier_order(supplier_order_id), packed_with, at)
    if facts:
        orders.require_no_hold(order, supplier_order_id)
    return _settled(order, facts, now)


def ship(
    view: View, supplier_order_id: str, carrier: str, number: str, by_line: Units, at: datetime, now: datetime
) -> list[Change]:
    """Units left in a parcel; no lines named means all that is left. The same shipment again records nothing.

    Nothing is dispatched while a hold stands.
    """
    order = _order(view, order_of(supplier_order_id))
    supplier_order = order.supplier_order(supplier_order_id)
    skus = {order.lines[line_no].sku for line_no in supplier_order.shares}
    view.need(parcel_stream(carrier, number), *(stock_stream(supplier_order.supplier_id, sku) for sku in skus))
    if _shipped_before(order, supplier_order, carrier, number, by_line):
        return []
    orders.require_no_hold(order, supplier_order_id)
    by_line = by_line or supplier_orders.left_to_ship(supplier_order)
    parcel, parcel_facts = _register_shipment(view, order, supplier_order, carrier, number, by_line, at)
    if order.shipment(carrier, number, parcel.epoch) is not None:
        raise parcels.ParcelOfAnotherOrder(carrier, number, order.order_id)
    facts: list[OrderFact] = [*supplier_orders.ship(supplier_order, carrier, number, parcel.epoch, by_line, at)]
    facts += _follow(_after(order, facts), parcel)
    return [
        *_settled(order, facts, now),
        *_changes(parcel_stream(carrier, number), parcel_facts),
        *_consume(view, order, supplier_order.supplier_id, by_line, at),
    ]


def _shipped_before(order: Order, supplier_order: SupplierOrder, carrier: str, number: str, by_line: Units) -> bool:
    """Whether this shipment is known. "All that is left" is the same again only once nothing is left."""
    same = (supplier_order.supplier_order_id, carrier, number)
    return any(
        (each.supplier_order_id, each.carrier, each.number) == same
        and (by_line == each.by_line or (not by_line and not supplier_order.unshipped))
        for each in order.shipments
    )


def _register_shipment(
    view: View,
    order: Order,
    supplier_order: SupplierOrder,
    carrier: str,
    number: str,
    by_line: Units,
    at: datetime,
) -> tuple[Parcel, Sequence[Fact]]:
    hours = supplier_order.first_scan_within_hours
    registration = ParcelRegistered(
        carrier,
        number,
        epoch=0,
        at=at,
        order_id=order.order_id,
        supplier_order_id=supplier_order.supplier_order_id,
        supplier_id=supplier_order.supplier_id,
        by_line=by_line,
        country=order.destination.country,
        first_scan_by=None if hours is None else at + timedelta(hours=hours),
        promised_by=order.promised_by,
    )
    return _registered(view, registration)


def _registered(view: View, registration: ParcelRegistered) -> tuple[Parcel, Sequence[parcels.ParcelFact]]:
    present = view.parcel(registration.carrier, registration.number)
    reuse_after_days = policy_at(view.policy(), registration.at).number_reuse_after_days
    facts = parcels.register(present, registration, reuse_after_days)
    parcel = present
    for fact in facts:
        parcel = parcels.evolve(parcel, fact)
    assert parcel is not None, "registering leaves a parcel"
    return parcel, facts


def _consume(view: View, order: Order, supplier_id: str, by_line: Units, at: datetime) -> list[Change]:
    """What left is no longer reserved; units that were never reserved have nothing to consume."""
    changes: list[Change] = []
    for item, units in _items(order, supplier_id, by_line).items():
        own = view.stock(*item)
        reservation = own.reservations.get(order.order_id) if own else None
        if reservation is not None:
            facts = stock.consume(own, *item, order.order_id, min(units, reservation.units), at)
            changes += _changes(stock_stream(*item), facts)
    return changes


# --- cancelling -----------------------------------------------------------------------------------


def cancel(
    view: View, order_id: str, by_line: Units, by: str, because: str, at: datetime, now: datetime
) -> list[Change]:
    """Cancel units, or all that can still be cancelled if none are named.

    Units that no supplier knows of are cancelled at once; for the others the supplier is asked.
    """
    order = _order(view, order_id)
    if order.header is orders.Header.CANCELLED:
        return []
    if not order.lines:
        return _order_changes(order_id, [orders.UnitsCancelled(order_id, {}, by, because, at)])
    loose, shares = _cancellable(order)
    wanted = by_line or _all_of(loose, shares)
    if not wanted:
        if any(each.cancel_asked for each in shares):
            return []
        raise orders.NothingToCancel(order_id)
    facts: list[OrderFact] = []
    at_once, asked = _spread(order, wanted, loose, shares)
    if at_once:
        facts.append(orders.UnitsCancelled(order_id, at_once, by, because, at))
    freed = list(_items(order, "", at_once))
    for supplier_order, units in asked:
        facts += supplier_orders.ask_to_cancel(supplier_order, units, by, because, at)
        if supplier_order.sent_at is None:
            freed += _items(order, supplier_order.supplier_id, units)
    freed = list(dict.fromkeys(freed))
    view.need(*(stock_stream(*item) for item in freed))
    after = _after(order, facts)
    return [*_settled(order, facts, now, after), *_give_back(view, after, freed, now)]


def _add(totals: defaultdict[Item, int], more: Mapping[Item, int]) -> None:
    for item, units in more.items():
        totals[item] += units


def _cancellable(order: Order) -> tuple[Units, list[SupplierOrder]]:
    """Units that no supplier order has, by line, and the supplier orders with unshipped units, drafts first."""
    live = sorted(
        (each for each in order.supplier_orders.values() if each.unshipped), key=lambda each: each.sent_at is not None
    )
    loose: Units = {}
    for line_no, buckets in order.buckets.items():
        waiting = sum(each.shares[line_no].backordered for each in live if line_no in each.shares)
        if left := buckets.open + buckets.backordered - waiting:
            loose[line_no] = left
    return loose, live


def _all_of(loose: Units, live: Iterable[SupplierOrder]) -> Units:
    everything = dict(loose)
    for each in live:
        for line_no, units in supplier_orders.cancellable(each).items():
            everything[line_no] = everything.get(line_no, 0) + units
    return everything


def _spread(
    order: Order, wanted: Units, loose: Units, live: Sequence[SupplierOrder]
) -> tuple[Units, list[tuple[SupplierOrder, Units]]]:
    """Which units are cancelled at once, and which supplier orders are asked for how many."""
    at_once: Units = {}
    asked: list[tuple[SupplierOrder, Units]] = [(each, {}) for each in live]
    cancellable = [supplier_orders.cancellable(each) for each in live]
    for line_no, units in wanted.items():
        if line_no not in order.lines:
            raise supplier_orders.UnknownLine(f"order {order.order_id}", line_no)
        left = units
        if taken := min(left, loose.get(line_no, 0)):
            at_once[line_no] = taken
            left -= taken
        for (_, share), can in zip(asked, cancellable, strict=True):
            if taken := min(left, can.get(line_no, 0)):
                share[line_no] = taken
                left -= taken
        if left:
            raise orders.CannotCancel(line_no, asked=units, left=units - left)
    return at_once, [(each, share) for each, share in asked if share]


def answer_cancel(
    view: View, supplier_order_id: str, agreed: bool, because: str, at: datetime, now: datetime
) -> list[Change]:
    """The supplier's answer to a cancel request; agreed units give their stock back."""
    order = _order(view, order_of(supplier_order_id))
    supplier_order = order.supplier_order(supplier_order_id)
    facts = supplier_orders.answer_cancel(supplier_order, agreed, because, at)
    units = supplier_orders.still_asked(supplier_order) if agreed else {}
    items = _items(order, supplier_order.supplier_id, units)
    view.need(*(stock_stream(*item) for item in items))
    after = _after(order, facts)
    return [*_settled(order, facts, now, after), *_give_back(view, after, items, now)]


# --- what the customer says ------------------------------------------------------------------------


def change_address(view: View, changed: orders.AddressChanged, now: datetime) -> list[Change]:
    """Send it elsewhere; only before packing. An address that was missing is missing no more."""
    order = _order(view, changed.order_id)
    facts = [*orders.change_address(order, changed)]
    if not facts:
        return []
    return _go_on(view, order, [*facts, *_reconsider_missing(_after(order, facts), changed.at)], changed.at, now)


def review(view: View, order_id: str, review_id: str, score: int, at: datetime) -> list[Change]:
    """The customer's stars."""
    return _order_changes(order_id, orders.review(_order(view, order_id), review_id, score, at))


def reserve(
    view: View, reservation_id: str, wanted: Mapping[Item, int], hold_for: timedelta | None, now: datetime
) -> list[Change]:
    """Hold stock for a checkout, all items together or none; as long as the retailer's policy unless said."""
    view.need(*(stock_stream(*item) for item in wanted))
    expires_at = now + (hold_for or timedelta(minutes=policy_at(view.policy(), now).reservation_minutes))
    changes: list[Change] = []
    lacking: list[tuple[str, str, int, int]] = []
    for item, units in wanted.items():
        try:
            facts = stock.reserve(view.stock(*item), *item, reservation_id, units, expires_at, now)
        except stock.OutOfStock as refusal:
            lacking += refusal.lacking
        else:
            changes += _changes(stock_stream(*item), facts)
    if lacking:
        raise stock.OutOfStock(lacking)
    return changes


# --- parcels --------------------------------------------------------------------------------------


def register_parcel(view: View, registration: ParcelRegistered) -> list[Change]:
    """A number that a carrier or a shop announced before any shipment named it."""
    _, facts = _registered(view, registration)
    return _changes(parcel_stream(registration.carrier, registration.number), facts)


def record_checkpoints(
    view: View, carrier: str, number: str, scans: Sequence[Checkpoint], at: datetime, now: datetime
) -> list[Change]:
    """Scans of one parcel, in any order; those known already record nothing. A delivery reaches the order."""
    parcel = parcels.known(view.parcel(carrier, number), carrier, number)
    facts: list[parcels.ParcelFact] = []
    for scan in scans:
        for fact in parcels.record_checkpoint(parcel, scan, at):
            parcel = parcels.evolve(parcel, fact)
            facts.append(fact)
    return [*_changes(parcel_stream(carrier, number), facts), *_reach_order(view, parcel, now)] if facts else []


def confirm_receipt(view: View, order_id: str, by: str, at: datetime, now: datetime) -> list[Change]:
    """The customer, or the carrier for it, has all that was dispatched. Saying it twice records nothing."""
    order = _order(view, order_id)
    return _settled(order, orders.confirm_receipt(order, by, at), now)


def dispute_delivery(view: View, carrier: str, number: str, because: str, at: datetime, now: datetime) -> list[Change]:
    """Somebody denies a delivery: parcel and order are under way again."""
    parcel = parcels.known(view.parcel(carrier, number), carrier, number)
    facts = parcels.dispute_delivery(parcel, because, at)
    changes = _changes(parcel_stream(carrier, number), facts)
    if not facts or not parcel.order_id:
        return changes
    order = _order(view, parcel.order_id)
    shipment = order.shipment(carrier, number, parcel.epoch)
    if shipment is None or shipment.bucket != "delivered":
        return changes
    reopened = orders.DeliveryReopened(order.order_id, carrier, number, parcel.epoch, shipment.by_line, at)
    return [*changes, *_settled(order, [reopened], now)]


def _reach_order(view: View, parcel: Parcel, now: datetime) -> list[Change]:
    if not parcel.order_id:
        return []
    order = _order(view, parcel.order_id)
    facts = _follow(order, parcel)
    return _settled(order, facts, now) if facts else []


def _follow(order: Order, parcel: Parcel) -> list[OrderFact]:
    """What the parcel's status means for the order's units. Only a dispute takes a delivery back."""
    shipment = order.shipment(parcel.carrier, parcel.number, parcel.epoch)
    if shipment is None or shipment.bucket == "delivered":
        return []
    where = (order.order_id, parcel.carrier, parcel.number, parcel.epoch, shipment.by_line)
    if parcel.delivered_at is not None:
        return [orders.UnitsDelivered(*where, parcel.delivered_at)]
    lost = parcel.status in (ParcelStatus.LOST, ParcelStatus.DESTROYED)
    if lost and shipment.bucket == "shipped":
        return [orders.UnitsLost(*where, parcel.last_seen_at)]
    if not lost and shipment.bucket == "lost":
        return [orders.DeliveryReopened(*where, parcel.last_seen_at)]
    return []


# --- what time does -------------------------------------------------------------------------------


def miss_deadline(view: View, order_id: str, object_id: str, clock: Clock, now: datetime) -> list[Change]:
    """Notice that one of an order's clocks ran out. Nothing to notice records nothing."""
    return _order_changes(order_id, orders.miss_deadline(view.order(order_id), object_id, clock, now))


def complete_order(view: View, order_id: str, now: datetime) -> list[Change]:
    """Notice that the return window closed. Nothing to notice records nothing."""
    order = view.order(order_id)
    delivered_at = order.delivered_at if order else None
    closes_at = None
    if order is not None and delivered_at is not None:
        closes_at = delivered_at + timedelta(days=order.placed.return_window_days)
    return _order_changes(order_id, orders.complete(order, closes_at, now))


def expire_reservation(view: View, supplier_id: str, sku: str, reservation_id: str, now: datetime) -> list[Change]:
    """Notice that a hold ran out. Nothing to notice records nothing."""
    facts = stock.expire(view.stock(supplier_id, sku), supplier_id, sku, reservation_id, now)
    return _changes(stock_stream(supplier_id, sku), facts)


def miss_first_scan(view: View, carrier: str, number: str, epoch: int, now: datetime) -> list[Change]:
    """Notice that a carrier never scanned a parcel in time. Nothing to notice records nothing."""
    facts = parcels.miss_first_scan(view.parcel(carrier, number), epoch, now)
    return _changes(parcel_stream(carrier, number), facts)


def suspect_loss(view: View, carrier: str, number: str, epoch: int, now: datetime) -> list[Change]:
    """Notice that nobody has seen a parcel for long. Nothing to notice records nothing."""
    after_days = policy_at(view.policy(), now).suspected_lost_after_days
    facts = parcels.suspect_loss(view.parcel(carrier, number), epoch, after_days, now)
    return _changes(parcel_stream(carrier, number), facts)
