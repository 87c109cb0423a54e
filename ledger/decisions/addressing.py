"""A new address of an order: who has to acknowledge again, what it is sent with, what is promised now (DOMAIN 1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from ledger.decisions.docket import after_facts
from ledger.decisions.drafting import choose_again
from ledger.decisions.promise import end_of_promise, promise_anew
from ledger.nouns import orders, policies, suppliers
from ledger.nouns.orders import AddressChanged, Order, OrderFact
from ledger.nouns.orders.supplier_orders import ShippingChosen, SupplierOrder
from ledger.terms.clocks import Clock
from ledger.view import View


def readdress(view: View, order: Order, changed: AddressChanged) -> tuple[AddressChanged, Sequence[ShippingChosen]]:
    """The change with what follows of it, and the services that other parts of the order take from then on.

    The same address again, of a later time, asks nobody.
    """
    view.need(policies.stream(), *(suppliers.stream(each.supplier_id) for each in order.supplier_orders.values()))
    asked = {} if orders.is_address(order, changed) else _asked(view, order, changed.at)
    changed = replace(changed, asked=asked, promised_by=end_of_promise(order.promised_day, changed.destination))
    after = after_facts(order, [changed])
    chosen = choose_again(view, after, changed.at)
    if (promised := promise_anew(view, after, chosen, changed.at)) is not None:
        changed = replace(changed, promised_by=promised.by, no_promise_because=promised.none_because)
    return changed, chosen


def told_again(view: View, order: Order, supplier_order_id: str, at: datetime) -> list[OrderFact]:
    """A supplier order that goes where the order goes now, which its supplier has not been told yet."""
    own, here = order.supplier_orders[supplier_order_id], order.ship_to
    assert here.customer is not None, "an address that changed names somebody"
    asked = {supplier_order_id: _acknowledge_by(view, order, own, at)}
    changed = AddressChanged(order.order_id, here.customer, here.destination, at, digest=here.digest, asked=asked)
    return [changed, *choose_again(view, after_facts(order, [changed]), at)]


def _asked(view: View, order: Order, at: datetime) -> dict[str, datetime | None]:
    """Supplier orders whose suppliers know of them and have not packed, and by when each is to acknowledge again."""
    return {
        each.supplier_order_id: _acknowledge_by(view, order, each, max(at, each.sent_at))
        for each in order.supplier_orders.values()
        if each.sent_at is not None and not each.is_fixed
    }


def _acknowledge_by(view: View, order: Order, of: SupplierOrder, at: datetime) -> datetime | None:
    """None where nothing is agreed, and of a clock that was missed: what was late stays late."""
    clock = orders.deadline(order, of.supplier_order_id, Clock.ACKNOWLEDGE)
    if clock is not None and clock.due <= at and clock.passed(at):
        return None
    supplier = suppliers.find(view, of.supplier_id)
    agreement = supplier.agreement_at(at) if supplier is not None else None
    return agreement.acknowledge_by(at) if agreement is not None else None
