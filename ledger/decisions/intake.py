"""Orders from intake to confirmation: an order, the suppliers it needs and the stock it reserves.

Each decision takes a view of folded streams and returns changes, or refuses. None of them looks at a clock:
``at`` is when something happened as its source says, ``now`` is the ledger's own time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce
from typing import Any

from msgspec.structs import replace

from ledger.decisions import cancelling, customs, rerouting, spelling
from ledger.decisions.addressing import readdress
from ledger.decisions.catalogue import customs_data, drawn
from ledger.decisions.docket import (
    Docket,
    after_facts,
    newly_owed,
    order_changes,
    order_in,
    settled,
)
from ledger.decisions.drafting import SupplierShare, choose_again, draft
from ledger.decisions.order_stock import (
    Allotment,
    Item,
    allot,
    demand_of,
    give_back,
    items_of,
    need_for,
    reserve_late,
)
from ledger.decisions.promise import end_of_promise, promise
from ledger.decisions.rerouting import Cause
from ledger.decisions.sourcing import (
    NOBODY_SOUGHT,
    Found,
    find_suppliers,
    let_lines_wait,
    out_of_stock,
)
from ledger.decisions.suitability import Unusable, require_usable, unusable_suppliers
from ledger.facts import (
    Change,
    LineNo,
    Sealed,
    Units,
    changes_of,
    may_be_same,
    plus,
)
from ledger.nouns import (
    orders,
    policies,
    stock,
)
from ledger.nouns.orders import (
    LEDGER,
    ChargebackRecorded,
    Hold,
    HoldReason,
    Line,
    Order,
    OrderFact,
    OrderPlaced,
    Payment,
    PaymentState,
    SuppliersChosen,
)
from ledger.nouns.orders.supplier_orders import Wish
from ledger.nouns.policies import WhenReversed, policy_at
from ledger.terms.money import Money
from ledger.view import View


def place(view: View, intake: OrderPlaced, all_or_nothing: bool, cart_id: str, now: datetime) -> list[Change]:
    """Record an order of a shop. The same order again records nothing.

    What is missing, unpaid or out of stock becomes a hold; all_or_nothing refuses instead when stock
    lacks. An order that is paid and has no hold is confirmed at once.
    """
    present = orders.find(view, intake.order_id)
    if present is not None:
        if not (
            may_be_same(present.placed.intake, intake.intake, present.is_erased) and _alike(present.placed, intake)
        ):
            raise orders.OrderPlacedDifferently(intake.order_id)
        return []
    if intake.promised_day is not None:
        intake = replace(intake, promised_by=end_of_promise(intake.promised_day, intake.destination))
    if (lines := drawn(view, intake.lines)) is not intake.lines:
        intake = replace(intake, lines=lines)
    order = orders.evolve(None, intake)
    found, missing = NOBODY_SOUGHT, orders.missing_fields(order)
    if missing:
        found = find_suppliers(view, order, cart_id, intake.at)
        order = after_facts(order, found.facts)
        missing = orders.missing_fields(order, found.lacking)
    papers = customs.missing_for(view, order, intake.at).get("", ())
    ready = not missing and not found.lacking and not papers and orders.may_go(order)
    open_units = order.in_bucket("open")
    demand = demand_of(order.lines.values(), open_units)
    unusable = unusable_suppliers(view, order, open_units, intake.at)
    allotment = allot(view, intake.order_id, demand, now, commit=ready and not unusable, cart_id=cart_id)
    if all_or_nothing and (allotment.lacking or out_of_stock(found.unserved)):
        lacking = [(*item, *figures) for item, figures in allotment.lacking.items()]
        raise stock.OutOfStock(lacking + out_of_stock(found.unserved))
    others = _stock_holds(allotment, demand, unusable, intake.at, found)
    if papers:
        others.append(Hold(HoldReason.CUSTOMS_DATA, LEDGER, intake.at, missing=papers))
    holds = _intake_holds(order, missing, found, others, intake.at)
    untracked = untracked_lines(view, order.lines.values())
    placed = replace(
        intake,
        holds=holds,
        untracked=untracked,
        warnings=() if intake.historical else spelling.oddities(view, order.lines.values(), untracked),
        return_window_days=policy_at(policies.find(view), intake.at).return_window_days,
    )
    facts: list[OrderFact] = [placed, *found.facts]
    if ready and not holds:
        facts += _confirmation(view, after_facts(orders.evolve(None, placed), found.facts), LEDGER, {}, intake.at, now)
    return [*order_changes(intake.order_id, facts), *(allotment.surplus if found.lacking else allotment.reserved())]


def _alike(placed: OrderPlaced, intake: OrderPlaced) -> bool:
    """Whether two orders are alike in what stands in plain; parts that the ledger made of bundles do not tell."""

    def plain(order: OrderPlaced) -> tuple[Any, ...]:
        lines = [(each.line_no, each.sku, each.quantity, each.unit_price_minor) for each in order.lines]
        return order.currency, order.priority, order.gift, order.destination.country, lines

    return any(line.part_of for line in placed.lines) or plain(placed) == plain(intake)


def _intake_holds(
    order: Order, missing: tuple[str, ...], found: Found, others: list[Hold], at: datetime
) -> tuple[Hold, ...]:
    holds = []
    if missing:
        holds.append(Hold(HoldReason.INCOMPLETE, LEDGER, at, missing=missing, choices=found.unqualified))
    if order.payment is not PaymentState.UNKNOWN and not orders.may_go(order):
        holds.append(Hold(HoldReason.AWAITING_PAYMENT, LEDGER, at))
    return (*holds, *others)


def _stock_holds(
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


def _confirmation(
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


def _confirm_if_ready(view: View, docket: Docket, at: datetime, now: datetime, reserve: bool = False) -> list[Change]:
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
        hold for hold in _stock_holds(allotment, demand, unusable, at, NOBODY_SOUGHT) if hold.key not in present
    ]:
        last += [orders.HoldPlaced(order.order_id, hold, at) for hold in holds]
    elif ready:
        last += _confirmation(view, order, LEDGER, {}, at, now)
    docket.add(newly_owed(view, docket.order))
    return [*docket.changes(), *order_changes(order.order_id, last), *allotment.reserved()]


def complete_details(
    view: View, details: orders.DetailsCompleted, payment: PaymentState | None, now: datetime
) -> list[Change]:
    """Adds missing details; details.untracked and promised_by are set here. Known details record nothing.

    When nothing lacks any more, the order may be confirmed.
    """
    order_id, given_at = details.order_id, details.at
    order = order_in(view, order_id)
    lines = drawn(view, details.lines, order.lines)
    details = orders.since_placing(order, replace(details, lines=lines))
    at = details.at
    if order.header is orders.Header.CANCELLED:
        raise orders.OrderClosed(order_id, order.header)
    merged = orders.with_lines(order, lines)
    need_for(view, merged.values())
    promised_by = end_of_promise(order.promised_day, details.destination)
    untracked = untracked_lines(view, merged.values())
    odd = spelling.oddities(view, lines, untracked)
    details = replace(details, untracked=untracked, promised_by=promised_by, odd_skus=odd)
    docket = Docket(order, orders.complete_details(order, details))
    orders.require_total(order, docket.order)
    if payment is not None:
        docket.add(orders.change_payment(docket.order, payment, given_at))
    if not docket.facts:
        return []
    _reconsider(view, docket, at)
    dropped = _give_back_dropped(view, order, docket.order, now)
    return [
        *dropped,
        *_confirm_if_ready(view, docket, at, now, reserve=bool(lines)),
        *follow_money(view, docket, now),
    ]


def go_on_amended(view: View, before: Order, docket: Docket, at: datetime, now: datetime) -> list[Change]:
    """An order that is not confirmed goes on after an amendment: its holds and its stock follow its lines."""
    if (hold := docket.order.hold(HoldReason.OUT_OF_STOCK, LEDGER)) is not None:
        docket.add(orders.end_holds(docket.order, [hold], max(at, hold.at)))  # it names what lacked before
    _reconsider(view, docket, at)
    dropped = _give_back_dropped(view, before, docket.order, now)
    return [*dropped, *_confirm_if_ready(view, docket, at, now, reserve=True)]


def _give_back_dropped(view: View, before: Order, after: Order, now: datetime) -> list[Change]:
    """Release what was reserved of items that the order wants no more at all."""
    wanted = demand_of(after.lines.values(), after.in_bucket("open"))
    dropped = [item for item in items_of(before, "", before.in_bucket("open")) if item not in wanted]
    view.need(*(stock.stream(*item) for item in dropped))
    return give_back(view, after, dropped, now)


def _reconsider(view: View, docket: Docket, at: datetime) -> None:
    """Updates the ledger's holds for missing details and for customs data."""
    docket.add(_reconsider_missing(view, docket.order, at))
    docket.add(customs.reconsider(view, docket.order, at))


def _reconsider_missing(view: View, order: Order, at: datetime) -> list[OrderFact]:
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


def record_payment(
    view: View,
    order_id: str,
    payment: PaymentState | None,
    at: datetime,
    now: datetime,
    payments: Sequence[Payment] = (),
) -> list[Change]:
    """Money moved, or the payment state changes. A paid order without holds is confirmed."""
    order = order_in(view, order_id)
    docket = Docket(order)
    for each in payments:
        docket.add(orders.record_payment(docket.order, each))
    if payment is not None:
        docket.add(orders.change_payment(docket.order, payment, at))
    if not docket.facts:
        return []
    at = max(at, order.placed.placed_at)
    docket.add(_reconsider_missing(view, docket.order, at))
    stopped = stop_reversed(view, docket, now)
    return [*_confirm_if_ready(view, docket, at, now), *stopped, *follow_money(view, docket, now)]


def stop_reversed(view: View, docket: Docket, now: datetime) -> list[Change]:
    """Where all the money went back just now and the retailer's terms say so, what has not left is cancelled, or its
    suppliers are asked to; the docket's facts come first. By default the hold that was placed keeps it back.
    """
    placed = [fact.hold for fact in docket.facts if isinstance(fact, orders.HoldPlaced)]
    holds = [hold for hold in placed if (hold.reason, hold.owner) == (HoldReason.PAYMENT_REVERSED, LEDGER)]
    if not holds or policy_at(policies.find(view), holds[-1].at).on_payment_reversed is not WhenReversed.CANCEL:
        return []
    return cancelling.stop_all(view, docket, Wish("customer", "payment_reversed"), holds[-1].at, now)


def pay_owed(
    view: View, order_id: str, payment_id: str, amount: Money | None, at: datetime, now: datetime
) -> list[Change]:
    """What is owed of an order beside its cases was paid."""
    order = order_in(view, order_id)
    docket = Docket(order, orders.pay_owed(order, payment_id, amount, at))
    stopped = stop_reversed(view, docket, now)
    return [*docket.settled(view, now), *stopped, *follow_money(view, docket, now)] if docket.facts else []


def follow_money(view: View, docket: Docket, now: datetime) -> list[Change]:
    """Reships wait for the payment of the order that paid for them, as that order itself does."""
    money_facts = [fact for fact in docket.facts if isinstance(fact, orders.MoneyFact)]
    reships = docket.order.after_sales.reships if money_facts else ()
    view.need(*map(orders.stream, reships))
    changes: list[Change] = []
    for reship in (order_in(view, reship_id) for reship_id in reships):
        own = Docket(reship, orders.share_money(reship, docket.order, money_facts[-1]))
        more = _confirm_if_ready(view, own, money_facts[-1].at, now) if own.facts else []
        # One command cannot reserve the same stock twice: the second reship keeps waiting for a person.
        if {stream for stream, _ in changes}.isdisjoint(stream for stream, _ in more):
            changes += more
    return changes


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
    return _confirm_if_ready(view, docket, at, now, reserve=reason is HoldReason.OUT_OF_STOCK or bool(found.facts))


def _require_stock(view: View, order: Order, now: datetime) -> None:
    need_for(view, order.lines.values())
    demand = demand_of(order.lines.values(), order.in_bucket("open"))
    allotment = allot(view, order.order_id, demand, now, commit=True)
    if allotment.lacking:
        raise stock.OutOfStock([(*item, *figures) for item, figures in allotment.lacking.items()])


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
    docket.add(_reconsider_missing(view, docket.order, now))
    return _confirm_if_ready(view, docket, now, now, reserve=True)


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
        raise stock.OutOfStock([(*item, *figures) for item, figures in allotment.lacking.items()])
    backordered = _lacking_by_line(allotment, demand)
    for item, (_, available) in allotment.lacking.items():
        allotment.take(item, available, commit=True)
    if order.hold(HoldReason.OUT_OF_STOCK):
        docket.add(orders.release_hold(order, HoldReason.OUT_OF_STOCK, "", "", at))
    docket.add(_confirmation(view, order, by, backordered, at, now))
    docket.add(customs.reconsider(view, docket.order, at))
    return [*docket.changes(), *allotment.changes]


def complete_customs_data(
    view: View, completed: orders.CustomsDataCompleted, declared_total: Money | None, now: datetime
) -> list[Change]:
    """Adds customs data. When nothing lacks any more, its holds end and the order may be confirmed."""
    order = order_in(view, completed.order_id)
    completed = orders.since_placing(order, completed)
    at = completed.at
    docket = Docket(order, customs.complete(order, completed, declared_total))
    if not docket.facts:
        return []
    docket.add(customs.reconsider(view, docket.order, at))
    docket.add(choose_again(view, docket.order, at))
    return _confirm_if_ready(view, docket, at, now)


def change_address(view: View, changed: orders.AddressChanged, now: datetime) -> list[Change]:
    """Change the address of what is not packed. A hold for a missing address ends.

    The newest counts. Suppliers that know the old one acknowledge again; service, customs and promise follow.
    """
    order = order_in(view, changed.order_id)
    orders.require_placed(order, changed.at)
    fact = orders.change_address(order, changed)
    if fact is None or fact.outdated:
        return Docket(order, [fact] if fact is not None else []).changes()
    fact, chosen = readdress(view, order, fact)
    docket = Docket(order, [fact])
    _reconsider(view, docket, changed.at)
    docket.add(chosen)
    return _confirm_if_ready(view, docket, changed.at, now)


def change_contact(view: View, changed: orders.ContactChanged, known: Sealed | None, now: datetime) -> list[Change]:
    """Reach the customer otherwise. A hold for a missing contact ends."""
    order = order_in(view, changed.order_id)
    orders.require_placed(order, changed.at)
    fact = orders.change_contact(order, changed, known)
    docket = Docket(order, [fact] if fact is not None else [])
    if fact is None or fact.outdated:
        return docket.changes()
    _reconsider(view, docket, changed.at)
    return _confirm_if_ready(view, docket, changed.at, now)


def review(view: View, order_id: str, review_id: str, score: int, at: datetime) -> list[Change]:
    """Records a rating of the customer."""
    return order_changes(order_id, orders.review(order_in(view, order_id), review_id, score, at))


def record_chargeback(view: View, chargeback: ChargebackRecorded, now: datetime) -> list[Change]:
    """The bank took the money back; if all of it is gone, units that have not left wait."""
    order = order_in(view, chargeback.order_id)
    chargeback = orders.since_placing(order, chargeback)
    docket = Docket(order, orders.record_chargeback(order, chargeback))
    stopped = stop_reversed(view, docket, now)
    return [*docket.settled(view, now), *stopped, *follow_money(view, docket, now)]


def reserve(
    view: View, reservation_id: str, wanted: Mapping[Item, int], hold_for: timedelta | None, now: datetime
) -> list[Change]:
    """Hold stock for a checkout, all items together or none; by default as long as the policy says."""
    view.need(*(stock.stream(*item) for item in wanted))
    expires_at = now + (hold_for or timedelta(minutes=policy_at(policies.find(view), now).reservation_minutes))
    changes: list[Change] = []
    lacking: list[tuple[str, str, int, int]] = []
    for item, units in wanted.items():
        try:
            facts = stock.reserve(stock.find(view, *item), *item, reservation_id, units, expires_at, now)
        except stock.OutOfStock as refusal:
            lacking += refusal.lacking
        else:
            changes += changes_of(stock.stream(*item), facts)
    if lacking:
        raise stock.OutOfStock(lacking)
    return changes
