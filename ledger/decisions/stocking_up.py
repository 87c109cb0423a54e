"""Stocking up before a peak: what is asked of a supplier and answered, and whether its feeds show it (DOMAIN 3).

What a supplier secured stands in the stock's stream as long as feeds are to show it, so that a feed of a SKU of which
nothing is secured looks at nothing more.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from ledger.facts import Change, changes_of
from ledger.nouns import stock, stock_ups, suppliers
from ledger.nouns.stock import Feed, Stock, UnitsSecured
from ledger.nouns.stock_ups import StockUp, StockUpAnswered, StockUpAsked, StockUpWithdrawn
from ledger.view import View


def ask(view: View, asked: StockUpAsked) -> list[Change]:
    """Ask a supplier to stock up; it answers by its agreement in force, unless a time is named."""
    supplier = suppliers.known(suppliers.find(view, asked.supplier_id), asked.supplier_id)
    agreement = supplier.agreement_at(asked.at)
    if asked.answer_by is None and agreement is not None:
        asked = replace(asked, answer_by=agreement.answer_by(asked.at))
    facts = stock_ups.ask(stock_ups.find(view, asked.stock_up_id), asked)
    return changes_of(stock_ups.stream(asked.stock_up_id), facts)


def answer(view: View, answered: StockUpAnswered, now: datetime) -> list[Change]:
    """What the supplier secures; the feed that is known may show it already."""
    stock_up_id = answered.stock_up_id
    before = stock_ups.known(stock_ups.find(view, stock_up_id), stock_up_id)
    facts = list(stock_ups.answer(before, answered, now))
    after = before
    for fact in facts:
        after = stock_ups.evolve(after, fact)
    if not facts or after.answer == before.answer:
        return changes_of(stock_ups.stream(stock_up_id), facts)
    own = stock.find(view, after.asked.supplier_id, after.asked.sku)
    secured = _secured(after, now)
    if own is not None and own.feed is not None and secured.units and _is_shown_by(secured, own.feed):
        # Those that left since then are counted from now on only, but for those that the feed still has.
        units = own.feed.quantity + _in_feed(own, own.feed)
        shown = stock_ups.show(after, units, own.feed.as_of, now)
        facts += shown
        if any(isinstance(fact, stock_ups.StockUpShown) and fact.kept for fact in shown):
            secured = replace(secured, units=0)
    changes = changes_of(stock_ups.stream(stock_up_id), facts)
    if secured.units or (own is not None and stock_up_id in own.secured):
        changes.append((stock.stream(secured.supplier_id, secured.sku), secured))
    return changes


def withdraw(view: View, withdrawn: StockUpWithdrawn, now: datetime) -> list[Change]:
    """Nothing is asked any more."""
    stock_up_id = withdrawn.stock_up_id
    stock_up = stock_ups.known(stock_ups.find(view, stock_up_id), stock_up_id)
    changes = changes_of(stock_ups.stream(stock_up_id), stock_ups.withdraw(stock_up, withdrawn, now))
    own = stock.find(view, stock_up.asked.supplier_id, stock_up.asked.sku)
    if changes and own is not None and stock_up_id in own.secured:
        changes.append(_ended(stock_up.asked.supplier_id, stock_up.asked.sku, stock_up_id, now))
    return changes


def after_feed(view: View, own: Stock, supplier_id: str, sku: str, feed: Feed, now: datetime) -> list[Change]:
    """What a new feed shows of what was secured. Nothing is looked for any more once it is shown, or too late."""
    changes: list[Change] = []
    for stock_up_id, secured in own.secured.items():
        if feed.as_of >= secured.until:
            changes.append(_ended(supplier_id, sku, stock_up_id, now))
        elif feed.as_of >= secured.since:
            # What left before the supplier counted had been there.
            later = sum(each.units for each in own.shipped if each.consumed_at > feed.as_of)
            units = feed.quantity + _in_feed(own, feed) + max(secured.left - later, 0)
            facts = stock_ups.show(stock_ups.find(view, stock_up_id), units, feed.as_of, now)
            changes += changes_of(stock_ups.stream(stock_up_id), facts)
            if any(isinstance(fact, stock_ups.StockUpShown) and fact.kept for fact in facts):
                changes.append(_ended(supplier_id, sku, stock_up_id, now))
    return changes


def _secured(stock_up: StockUp, now: datetime) -> UnitsSecured:
    asked, answer = stock_up.asked, stock_up.answer
    since = answer.since if answer is not None else None
    return UnitsSecured(
        asked.supplier_id, asked.sku, stock_up.stock_up_id, stock_up.secured, now, since=since, until=asked.until
    )


def _ended(supplier_id: str, sku: str, stock_up_id: str, now: datetime) -> Change:
    return stock.stream(supplier_id, sku), UnitsSecured(supplier_id, sku, stock_up_id, 0, now)


def _is_shown_by(secured: UnitsSecured, feed: Feed) -> bool:
    return secured.since is not None and secured.until is not None and secured.since <= feed.as_of < secured.until


def _in_feed(own: Stock, feed: Feed) -> int:
    """Units that its supplier has set aside for orders, and taken off the figure."""
    mark = feed.includes_orders_up_to
    if mark is None:
        return 0
    return sum(
        each.units for each in own.reservations.values() if each.committed_at is not None and each.committed_at <= mark
    )
