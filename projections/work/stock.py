"""The work that stock raises: alerts, each from when it is first raised until it ends."""

from __future__ import annotations

from typing import Any

from ledger.facts import Fact
from ledger.nouns import stock
from ledger.nouns.skus import Sku
from ledger.nouns.stock import Alert
from projections.machine.streams import Page
from projections.machine.tables import AddedRows, Rows
from projections.work.kinds import FINISH, Next, Step, WorkKind
from projections.work.rows import ITEMS, Item, Owner, item

_STRONGER = {Alert.LOW: (Alert.RUNNING_OUT, Alert.SOLD_OUT), Alert.RUNNING_OUT: (Alert.SOLD_OUT,)}
"""Levels that say the same and more, of which one raises work alone."""
_LEVELS = {
    Alert.OVERSOLD: Owner.OPERATIONS,
    Alert.LOW: Owner.SUPPLIER_MANAGER,
    Alert.RUNNING_OUT: Owner.SUPPLIER_MANAGER,
    Alert.SOLD_OUT: Owner.SUPPLIER_MANAGER,
    Alert.STALE: Owner.SUPPLIER_MANAGER,
}


def of_stock(page: Page) -> tuple[Rows[Item], AddedRows[Item]]:
    """What a page changes of the alerts that stand: the first one stays until its end, however often it is recorded."""
    raised: dict[tuple[WorkKind, str], Item | None] = {}
    ended = set()
    for position, fact, _ in page.facts.get(stock.NOUN.prefix, ()):
        if (one := _alert(position, fact)) is not None:
            if raised.get((one.kind, one.subject)) is None:
                raised[one.kind, one.subject] = one
        elif (subject := _ended(fact)) is not None:
            ended.add((WorkKind.STOCK, subject))
            raised[WorkKind.STOCK, subject] = None
    gone = Rows(ITEMS)
    gone.gone = sorted(ended)
    return gone, AddedRows(ITEMS, (one for one in raised.values() if one is not None))


def of_sku(sku: Sku) -> list[Item]:
    """A SKU that is delisted, until it is relisted."""
    listing = sku.listing
    if listing is None or not listing.delisted:
        return []
    against = ", ".join(f"{supplier_id} {why.replace('_', ' ')}" for supplier_id, why in listing.against.items())
    one = item(
        WorkKind.LISTING,
        listing.sku,
        Owner.OPERATIONS,
        listing.since,
        f"take it off sale: {against}",
        FINISH,
        task_id=f"{WorkKind.LISTING}-{listing.crossings}-{listing.sku}",
        sku=listing.sku,
    )
    return [one]


def _alert(position: int, fact: Fact) -> Item | None:
    match fact:
        case stock.Oversold(shortfall=shortfall, reservations=reservations):
            alert, why = Alert.OVERSOLD, f"{shortfall} short: {', '.join(reservations[:5])}"
        case stock.StockLow(available=available, threshold=threshold):
            alert, why = Alert.LOW, f"{available} left, {threshold} wanted"
        case stock.StockRunningOut(available=available, cover_days=days):
            alert, why = Alert.RUNNING_OUT, f"{available} left, which last {days} days at most"
        case stock.SoldOut():
            alert, why = Alert.SOLD_OUT, "it can promise none"
        case stock.FeedStale():
            alert, why = Alert.STALE, "no feed came"
        case _:
            return None
    goods = {"supplier_id": fact.supplier_id, "sku": fact.sku}
    # More is asked for where there is too little; else the figure may be wrong, or is too old.
    wrong = alert in (Alert.OVERSOLD, Alert.STALE)
    return item(
        WorkKind.STOCK,
        _level(fact, alert),
        _LEVELS[alert],
        fact.at,
        f"{alert}: {why}",
        Next(Step.RECORD_FEED, {"item": goods}) if wrong else Next(Step.ASK_STOCK_UP, goods),
        task_id=f"{WorkKind.STOCK}-{alert}-{position}",
        supplier_id=fact.supplier_id,
        sku=fact.sku,
        unless=tuple(_level(fact, each) for each in _STRONGER.get(alert, ())),
        stream=stock.stream(fact.supplier_id, fact.sku),
    )


def _ended(fact: Fact) -> str | None:
    """The alert that a fact ends."""
    match fact:
        case stock.AlertEnded(alert=alert):
            return _level(fact, alert)
        case stock.BackInStock():
            return _level(fact, Alert.SOLD_OUT)
        case stock.FeedFresh():
            return _level(fact, Alert.STALE)
        case _:
            return None


def _level(fact: Any, alert: Alert) -> str:
    return f"{fact.supplier_id}/{fact.sku}/{alert}"
