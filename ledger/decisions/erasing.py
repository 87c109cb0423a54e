"""Erasing a person: the orders that held it say so, and the keys of all that was sealed about them end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ledger.decisions.docket import order_changes
from ledger.facts import Change
from ledger.nouns import orders
from ledger.nouns.orders import Order, PersonErased
from ledger.view import View


def erase(view: View, order_ids: Iterable[str], keys: int, by: str, now: datetime) -> list[Change]:
    """The orders, and those by which their goods were sent again, say that their customer was erased."""
    return [
        change
        for order in _found(view, together(view, order_ids))
        for change in order_changes(order.order_id, [PersonErased(order.order_id, by, now, keys)])
    ]


def together(view: View, order_ids: Iterable[str]) -> list[str]:
    """These orders, and all that are of the same units: they go to the same person."""
    order_ids = list(order_ids)
    paid = _found(view, dict.fromkeys(order.paid_order_id for order in _found(view, order_ids)))
    together = [order_id for order in paid for order_id in (order.order_id, *order.after_sales.reships)]
    return list(dict.fromkeys([*order_ids, *together]))


def _found(view: View, order_ids: Iterable[str]) -> list[Order]:
    order_ids = list(order_ids)
    view.need(*map(orders.stream, order_ids))
    return [order for order_id in order_ids if (order := orders.find(view, order_id)) is not None]
