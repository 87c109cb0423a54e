"""Notes and tags of an order, which may come at any time."""

from __future__ import annotations

from ledger.decisions.docket import order_changes, order_in
from ledger.facts import Change
from ledger.nouns import orders
from ledger.view import View


def add_note(view: View, note: orders.NoteAdded) -> list[Change]:
    """Somebody wrote something down. The same note again records nothing."""
    order = order_in(view, note.order_id)
    return order_changes(note.order_id, orders.add_note(order.remarks, note, order.is_erased))


def change_tags(view: View, change: orders.TagsChanged) -> list[Change]:
    """Tags come and go. What is so already records nothing."""
    return order_changes(change.order_id, orders.change_tags(order_in(view, change.order_id).remarks, change))
