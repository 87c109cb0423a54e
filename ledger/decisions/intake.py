"""Intake: what a shop tells of an order, when it places it and later: details, customs data, address, contact, rating.

Each decision takes a view of folded streams and returns changes, or refuses. None of them looks at a clock:
``at`` is when something happened as its source says, ``now`` is the ledger's own time.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from ledger.decisions import confirmation, customs, order_payments, spelling
from ledger.decisions.addressing import readdress
from ledger.decisions.catalogue import drawn
from ledger.decisions.docket import Docket, after_facts, order_changes, order_in
from ledger.decisions.drafting import choose_again
from ledger.decisions.order_stock import allot, demand_of, give_back, items_of, need_for
from ledger.decisions.promise import end_of_promise
from ledger.decisions.sourcing import NOBODY_SOUGHT, Found, find_suppliers, out_of_stock
from ledger.decisions.suitability import unusable_suppliers
from ledger.facts import Change, Sealed, may_be_same
from ledger.nouns import orders, policies, stock
from ledger.nouns.orders import LEDGER, Hold, HoldReason, Order, OrderFact, OrderPlaced, PaymentState
from ledger.nouns.policies import policy_at
from ledger.terms.money import Money
from ledger.view import View


def place(view: View, intake: OrderPlaced, all_or_nothing: bool, cart_id: str, now: datetime) -> list[Change]:
    """Record an order of a shop. The same order again records nothing.

    What is missing, unpaid or out of stock becomes a hold; all_or_nothing refuses instead when stock
    lacks. An order that is paid and has no hold is confirmed at once.
    """
    present = orders.find(view, intake.order_id)
    if present is not None:
        if not _is_same(present, intake):
            raise orders.OrderPlacedDifferently(intake.order_id)
        return []
    intake = _completed(view, intake)
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
    if all_or_nothing and (lacking := allotment.out_of_stock() + out_of_stock(found.unserved)):
        raise stock.OutOfStock(lacking)
    others = confirmation.stock_holds(allotment, demand, unusable, intake.at, found)
    if papers:
        others.append(Hold(HoldReason.CUSTOMS_DATA, LEDGER, intake.at, missing=papers))
    placed = _placed(view, intake, order, _intake_holds(order, missing, found, others, intake.at))
    facts: list[OrderFact] = [placed, *found.facts]
    if ready and not placed.holds:
        order = after_facts(orders.evolve(None, placed), found.facts)
        facts += confirmation.confirming_facts(view, order, LEDGER, {}, intake.at, now)
    return [*order_changes(intake.order_id, facts), *(allotment.surplus if found.lacking else allotment.reserved())]


def _is_same(present: Order, intake: OrderPlaced) -> bool:
    """Whether an order that is known was placed with the same content."""
    return may_be_same(present.placed.intake, intake.intake, present.is_erased) and _alike(present.placed, intake)


def _alike(placed: OrderPlaced, intake: OrderPlaced) -> bool:
    """Whether two orders are alike in what stands in plain; parts that the ledger made of bundles do not tell."""

    def plain(order: OrderPlaced) -> tuple[Any, ...]:
        lines = [(each.line_no, each.sku, each.quantity, each.unit_price_minor) for each in order.lines]
        return order.currency, order.priority, order.gift, order.destination.country, lines

    return any(line.part_of for line in placed.lines) or plain(placed) == plain(intake)


def _completed(view: View, intake: OrderPlaced) -> OrderPlaced:
    """With the parts of its bundles, and the end of the day that was promised."""
    if intake.promised_day is not None:
        intake = replace(intake, promised_by=end_of_promise(intake.promised_day, intake.destination))
    lines = drawn(view, intake.lines)
    return intake if lines is intake.lines else replace(intake, lines=lines)


def _placed(view: View, intake: OrderPlaced, order: Order, holds: tuple[Hold, ...]) -> OrderPlaced:
    """With what the ledger itself notes of the order as it is placed."""
    untracked = confirmation.untracked_lines(view, order.lines.values())
    return replace(
        intake,
        holds=holds,
        untracked=untracked,
        warnings=() if intake.historical else spelling.oddities(view, order.lines.values(), untracked),
        return_window_days=policy_at(policies.find(view), intake.at).return_window_days,
    )


def _intake_holds(
    order: Order, missing: tuple[str, ...], found: Found, others: list[Hold], at: datetime
) -> tuple[Hold, ...]:
    holds = []
    if missing:
        holds.append(Hold(HoldReason.INCOMPLETE, LEDGER, at, missing=missing, choices=found.unqualified))
    if order.payment is not PaymentState.UNKNOWN and not orders.may_go(order):
        holds.append(Hold(HoldReason.AWAITING_PAYMENT, LEDGER, at))
    return (*holds, *others)


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
    untracked = confirmation.untracked_lines(view, merged.values())
    odd = spelling.oddities(view, lines, untracked)
    details = replace(details, untracked=untracked, promised_by=promised_by, odd_skus=odd)
    docket = Docket(order, orders.complete_details(order, details))
    orders.require_total(order, docket.order)
    if payment is not None:
        docket.add(orders.change_payment(docket.order, payment, given_at))
    if not docket.facts:
        return []
    confirmation.reconsider(view, docket, at)
    dropped = _give_back_dropped(view, order, docket.order, now)
    return [
        *dropped,
        *confirmation.confirm_if_ready(view, docket, at, now, reserve=bool(lines)),
        *order_payments.follow_money(view, docket, now),
    ]


def go_on_amended(view: View, before: Order, docket: Docket, at: datetime, now: datetime) -> list[Change]:
    """An order that is not confirmed goes on after an amendment: its holds and its stock follow its lines."""
    if (hold := docket.order.hold(HoldReason.OUT_OF_STOCK, LEDGER)) is not None:
        docket.add(orders.end_holds(docket.order, [hold], max(at, hold.at)))  # it names what lacked before
    confirmation.reconsider(view, docket, at)
    dropped = _give_back_dropped(view, before, docket.order, now)
    return [*dropped, *confirmation.confirm_if_ready(view, docket, at, now, reserve=True)]


def _give_back_dropped(view: View, before: Order, after: Order, now: datetime) -> list[Change]:
    """Release what was reserved of items that the order wants no more at all."""
    wanted = demand_of(after.lines.values(), after.in_bucket("open"))
    dropped = [item for item in items_of(before, "", before.in_bucket("open")) if item not in wanted]
    view.need(*(stock.stream(*item) for item in dropped))
    return give_back(view, after, dropped, now)


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
    return confirmation.confirm_if_ready(view, docket, at, now)


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
    confirmation.reconsider(view, docket, changed.at)
    docket.add(chosen)
    return confirmation.confirm_if_ready(view, docket, changed.at, now)


def change_contact(view: View, changed: orders.ContactChanged, known: Sealed | None, now: datetime) -> list[Change]:
    """Reach the customer otherwise. A hold for a missing contact ends."""
    order = order_in(view, changed.order_id)
    orders.require_placed(order, changed.at)
    fact = orders.change_contact(order, changed, known)
    docket = Docket(order, [fact] if fact is not None else [])
    if fact is None or fact.outdated:
        return docket.changes()
    confirmation.reconsider(view, docket, changed.at)
    return confirmation.confirm_if_ready(view, docket, changed.at, now)


def review(view: View, order_id: str, review_id: str, score: int, at: datetime) -> list[Change]:
    """Records a rating of the customer."""
    return order_changes(order_id, orders.review(order_in(view, order_id), review_id, score, at))
