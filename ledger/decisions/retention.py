"""Retention: what was kept of an order's customer for as long as the policy says is erased, kind by kind."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from ledger.decisions.docket import order_changes
from ledger.decisions.erasing import together
from ledger.facts import Change, changes_of
from ledger.nouns import cases, orders, policies, suppliers
from ledger.nouns.orders import InvoiceCustomerCopied, Order, PersonErased
from ledger.nouns.orders.supplier_orders import ShipTo
from ledger.nouns.policies import policy_at
from ledger.nouns.suppliers import ContactErased, Supplier
from ledger.terms.retention import PURPOSES, PersonalKind, Retention
from ledger.view import Decide, View

CLOCK = "clock"
_KINDS = {purpose: kind for kind, purposes in PURPOSES.items() for purpose in purposes}


class Expiry(NamedTuple):
    """Whose keys end, for what they were made, and whose commands are not recognised by what they said any more."""

    subjects: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    """None means all that are left."""


class Copies(NamedTuple):
    """What was sealed once more for invoices, of the customers on them that were looked at; not all can be read."""

    facts: tuple[InvoiceCustomerCopied, ...] = ()
    looked_at: frozenset[str] = frozenset()
    """By the ids of their keys."""


NO_COPIES = Copies()


def due_kinds(view: View, order_id: str, now: datetime) -> list[PersonalKind]:
    """What of an order has been kept for long enough. All that sends the same units has to be over as well, and no hold
    may keep it."""
    order = orders.find(view, order_id)
    retention = policy_at(policies.find(view), now).retention_of(orders.channel_of(order_id))
    if order is None or retention is None:
        return []
    since = _since(view, order_id, retention, now)
    return [] if since is None else orders.due_kinds(order, retention, since, now)


def _since(view: View, order_id: str, retention: Retention, now: datetime) -> datetime | None:
    """When the periods of all that goes to the same customer have begun; None while something has to stay."""
    since = []
    for each in _family(view, order_id):
        over, held_until = orders.over_since(each), each.personal_data_held_until
        if over is None or over > now or (held_until is not None and held_until > now):
            return None
        since.append(orders.counted_from(each, over, from_shipment=retention.from_shipment))
    return max(since)


def _family(view: View, order_id: str) -> list[Order]:
    order_ids = together(view, [order_id])
    view.need(*map(orders.stream, order_ids))
    return [order for each in order_ids if (order := orders.find(view, each)) is not None]


def to_copy(order: Order, kinds: Collection[PersonalKind]) -> dict[str, ShipTo]:
    """Whom invoices show that outlast the customer, by key id."""
    goes = PersonalKind.CUSTOMER in kinds and PersonalKind.INVOICE not in kinds
    return order.invoicing.uncopied if goes else {}


def _expiring(view: View, order_id: str, now: datetime, copies: Copies) -> tuple[Order | None, list[PersonalKind]]:
    """The order, and what of it can go. The customer cannot before it was copied for its invoices."""
    order, kinds = orders.find(view, order_id), due_kinds(view, order_id, now)
    if order is not None and not to_copy(order, kinds).keys() <= copies.looked_at:
        kinds = [kind for kind in kinds if kind is not PersonalKind.CUSTOMER]
    return order, kinds


def expire(view: View, order_id: str, now: datetime, copies: Copies = NO_COPIES) -> list[Change]:
    """Says what is erased; nothing where nothing is due."""
    order, kinds = _expiring(view, order_id, now, copies)
    if order is None or not kinds:
        return []
    wanted = to_copy(order, kinds)
    copied = [fact for fact in copies.facts if fact.copied in wanted]
    return order_changes(order_id, [*copied, PersonErased(order_id, CLOCK, now, kinds=tuple(kinds))])


def ending(view: View, order_id: str, now: datetime, copies: Copies = NO_COPIES) -> Expiry:
    """What ends with that: the keys of these kinds, and all that are left once no kind is."""
    order, kinds = _expiring(view, order_id, now, copies)
    if order is None or not kinds:
        return Expiry()
    over = orders.over_since(order)
    last = over is not None and set(orders.kept_since(order, over)) <= set(kinds)
    purposes = () if last else tuple(purpose for kind in kinds for purpose in PURPOSES[kind])
    if not last and not purposes:
        return Expiry()
    streams = (orders.stream(order_id), *map(cases.stream, order.after_sales.cases))
    return Expiry((orders.anchor(order_id),), streams, purposes)


def expire_contact(view: View, supplier_id: str, now: datetime) -> list[Change]:
    """Says that the contact of a retired supplier is erased; nothing if that is not due."""
    stream = suppliers.stream(supplier_id)
    supplier: Supplier | None = view.state(stream)
    since = suppliers.contact_kept_since(supplier) if supplier is not None else None
    days = policy_at(policies.find(view), now).supplier_days
    if since is None or not days or since + timedelta(days=days) > now:
        return []
    return changes_of(stream, [ContactErased(supplier_id, CLOCK, now)])


def ending_contact(view: View, supplier_id: str, now: datetime) -> Expiry:
    """What ends with that: all keys of what is sealed about the supplier."""
    stream = suppliers.stream(supplier_id)
    return Expiry((stream,), (stream,)) if expire_contact(view, supplier_id, now) else Expiry()


def noting(decide: Decide, purposes: Collection[str], whose: Callable[[View], str], now: datetime) -> Decide:
    """The decision; if it is about an order that is over, it says that there is something to keep for a time again."""

    def noted(view: View) -> list[Change]:
        changes = list(decide(view))
        order_id = orders.anchored(whose(view)) if changes else ""
        if not order_id or (order := orders.find(view, order_id)) is None:
            return changes
        kinds = [_KINDS[purpose] for purpose in purposes if purpose in _KINDS]
        return changes + order_changes(order_id, orders.added(order, kinds, now) if kinds else [])

    return noted
