"""Decisions on what is known of an order: its lines, its customer, its address."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from ledger.facts import LineNo, Sealed, is_known
from ledger.nouns.orders.balance import total_minor
from ledger.nouns.orders.facts import (
    LEDGER,
    AddressChanged,
    ChargebackRecorded,
    ContactChanged,
    CustomsDataCompleted,
    DetailsCompleted,
    HoldReason,
    OrderAmended,
    OrderFact,
    PaymentChanged,
    PaymentRecorded,
)
from ledger.nouns.orders.lines import Line
from ledger.nouns.orders.payments import PaymentState
from ledger.nouns.orders.refusals import AlreadyPacked, OrderClosed, OrderIsConfirmed
from ledger.nouns.orders.state import Header, Order
from ledger.nouns.orders.supplier_orders import SupplierOrder
from ledger.terms.money import MOST_MINOR, Money, TotalTooLarge, largest_total


def missing_fields(order: Order, lacking: Container[LineNo] | None = None) -> tuple[str, ...]:
    """What is still missing to fulfil the order (DOMAIN 1), as field paths.

    Lines that lack stock need no supplier yet; if they are not given, they are those of the ledger's hold.
    """
    if lacking is None:
        hold = order.hold(HoldReason.OUT_OF_STOCK, LEDGER) if order.holds else None
        lacking = hold.lacking if hold else ()
    missing = []
    if not order.lines:
        missing.append("lines")
    for index, line in enumerate(order.lines.values()):
        if line.quantity and order.buckets[line.line_no].cancelled == line.quantity:
            continue
        if line.sku and line.quantity and line.supplier_id:
            continue
        supplied = line.supplier_id or line.line_no in lacking
        for name, value in (("sku", line.sku), ("quantity", line.quantity), ("supplier_id", supplied)):
            if not value:
                missing.append(f"lines[{index}].{name}")
    if not order.has_address:
        missing.append("ship_to")
    if not order.has_contact:
        missing.append("customer")
    if order.payment is PaymentState.UNKNOWN:
        missing.append("payment")
    return tuple(missing)


def complete_details(order: Order, completed: DetailsCompleted) -> Sequence[OrderFact]:
    """What was missing came in, before confirmation. Nothing new, or an old address, records nothing."""
    if order.address_at is not None and completed.at < order.address_at:
        nothing: dict[str, Any] = {"customer": None, "destination": None, "promised_by": None}
        completed = replace(completed, **nothing, has_contact=False, has_address=False)
    if (
        all(_known_as(order, line) for line in completed.lines)
        and completed.customer in (None, order.customer)
        and completed.has_contact in (False, order.has_contact)
        and completed.has_address in (False, order.has_address)
        and completed.destination in (None, order.destination)
        and completed.currency in ("", order.currency)
        and completed.incoterm in (None, order.incoterm)
    ):
        return []
    if order.confirmed_at is not None:
        raise OrderIsConfirmed(order.order_id)
    return [completed]


def require_total(before: Order, after: Order) -> None:
    """Refuses if all lines and charges cost, or all lines are declared for, more than the largest total."""
    for worth in (total_minor, _declared_minor):
        was, total = worth(before), worth(after)
        if total > max(was, MOST_MINOR):
            raise TotalTooLarge(f"order {after.order_id}", Money(total, after.currency), largest_total(after.currency))


def _declared_minor(order: Order) -> int:
    return sum(line.quantity * line.declared_value_minor for line in order.lines.values())


def _known_as(order: Order, line: Line) -> bool:
    """Whether the line is known like this; one that names no supplier may have been given one."""
    present = order.lines.get(line.line_no)
    if present is not None and line.line_no in order.chosen and not line.supplier_id:
        return line == replace(present, supplier_id="")
    return line == present


def change_address(order: Order, changed: AddressChanged) -> AddressChanged | None:
    """Send what is not packed elsewhere; the fact names the supplier orders that keep their former address.

    One that is older than the present one is recorded and changes nothing. The same of the same time again records
    nothing.
    """
    present_at = order.address_at or order.placed.placed_at
    same = is_address(order, changed)
    if same and changed.at <= present_at:
        return None
    if order.header in (Header.COMPLETED, Header.CANCELLED, Header.CLOSED, Header.DELIVERED):
        raise OrderClosed(order.order_id, order.header)
    if changed.at < present_at:
        return replace(changed, outdated=True)
    if same or not (kept := _parts_that_keep(order)):
        return changed
    still_to_pack = sum(map(order.units, _STILL_TO_SHIP)) - sum(each.unshipped for each in kept if each.is_fixed)
    if not still_to_pack:
        raise AlreadyPacked(order.order_id, kept[0].supplier_order_id)
    return replace(changed, kept=tuple(each.supplier_order_id for each in kept))


def change_contact(order: Order, changed: ContactChanged, known: Sealed | None) -> ContactChanged | None:
    """The customer is reached otherwise, whatever has left; ``known`` is the customer that it was added to.

    The same again records nothing. What is older than the present customer, or was added to another one, is recorded
    and changes nothing.
    """
    if order.contact is not None and changed.digest and _is_said_again(order, order.contact, changed):
        return None
    outdated = changed.at < order.reached_since or order.customer != known
    return replace(changed, outdated=True) if outdated else changed


def _is_said_again(order: Order, present: ContactChanged, changed: ContactChanged) -> bool:
    return is_known(present.digest, changed.digest, present.at == changed.at, order.is_erased)


_STILL_TO_SHIP = ("open", "backordered", "assigned")


def is_address(order: Order, changed: AddressChanged) -> bool:
    """Whether it is where the order goes already."""
    if changed.digest and order.addresses:
        present = order.addresses[-1]
        same_moment = (changed.destination, changed.at) == (present.destination, present.since)
        return is_known(present.digest, changed.digest, same_moment, order.is_erased)
    return (changed.customer, changed.destination) == (order.customer, order.destination)


def _parts_that_keep(order: Order) -> list[SupplierOrder]:
    """What is packed or has left; of what came to nothing, nothing goes anywhere."""
    parts = order.supplier_orders.values()
    return [each for each in parts if each.count("shipped") or (each.packed_at is not None and each.unshipped)]


S = TypeVar(
    "S", DetailsCompleted, CustomsDataCompleted, PaymentChanged, PaymentRecorded, ChargebackRecorded, OrderAmended
)


def since_placing(order: Order, fact: S) -> S:
    """The fact, counted from the placing if its time is before that."""
    placed_at = order.placed.placed_at
    return fact if fact.at >= placed_at else replace(fact, at=placed_at, told_at=fact.at)
