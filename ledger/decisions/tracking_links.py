"""The link of an order's tracking page: withdrawn and renewed, at any time."""

from __future__ import annotations

from datetime import datetime

from ledger.decisions.docket import order_changes, order_in
from ledger.facts import Change
from ledger.nouns import orders
from ledger.view import View


def withdraw(view: View, order_id: str, by: str, at: datetime) -> list[Change]:
    """It opens nothing any more."""
    link = order_in(view, order_id).tracking_link
    return order_changes(order_id, orders.withdraw_link(link, order_id, by, at))


def renew(view: View, order_id: str, by: str, at: datetime) -> list[Change]:
    """Another one takes its place."""
    link = order_in(view, order_id).tracking_link
    return order_changes(order_id, orders.renew_link(link, order_id, by, at))
