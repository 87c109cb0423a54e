"""Decisions on what there is: the supplier's figures, what came back, what is kept back."""

from __future__ import annotations

from datetime import datetime

from ledger.nouns.policies import Policy
from ledger.nouns.stock.facts import (
    BufferSet,
    Feed,
    FeedFresh,
    FeedIgnored,
    FeedRecorded,
    FeedStale,
    LowThresholdSet,
    Restocked,
    StockCorrected,
    StockFact,
)
from ledger.nouns.stock.state import Stock


def record_feed(
    stock: Stock | None,
    supplier_id: str,
    sku: str,
    feed: Feed,
    at: datetime,
    stale_at: datetime | None = None,
    *,
    offered: bool = True,
) -> list[StockFact]:
    """The supplier's newest figure. An older version is recorded as ignored; the same again records nothing.

    The first figure of a SKU that it has not offered, and a negative one, are recorded with a warning.
    """
    if stock and stock.feed:
        if feed == stock.feed:
            return []
        if feed == stock.ignored:
            return []
        if feed.version <= stock.feed.version:
            return [FeedIgnored(supplier_id, sku, feed, stock.feed.version, at)]
    warnings = []
    if not offered and (stock is None or stock.feed is None):
        warnings.append(f"{supplier_id} has a figure for {sku}, which it has not offered")
    if feed.below_zero:
        warnings.append(f"{supplier_id} has {feed.below_zero} units of {sku}, which counts as none")
    facts: list[StockFact] = [FeedRecorded(supplier_id, sku, feed, at, stale_at, tuple(warnings))]
    if stock and stock.stale and (stale_at is None or at < stale_at):
        facts.append(FeedFresh(supplier_id, sku, at))
    return facts


def go_stale(
    stock: Stock | None, supplier_id: str, sku: str, stale_at: datetime | None, policy: Policy, now: datetime
) -> list[StockFact]:
    """Keeps more units back if the last feed is older than was agreed."""
    if stale_at is None or now < stale_at or (stock is not None and stock.stale is not None):
        return []
    units, basis_points = policy.stale_buffer_units, policy.stale_buffer_basis_points
    return [FeedStale(supplier_id, sku, stale_at, now, units, basis_points)]


def set_buffer(stock: Stock | None, supplier_id: str, sku: str, units: int, at: datetime) -> list[StockFact]:
    """Keep units back. The same buffer again records nothing."""
    if (stock.buffer if stock else 0) == units:
        return []
    return [BufferSet(supplier_id, sku, units, at)]


def set_low_threshold(
    stock: Stock | None, supplier_id: str, sku: str, units: int | None, at: datetime
) -> list[StockFact]:
    """When this stock is low; None leaves it to the retailer's policy. The same threshold again records nothing."""
    if (stock.low_threshold if stock else None) == units:
        return []
    return [LowThresholdSet(supplier_id, sku, at, units)]


def restock(supplier_id: str, sku: str, units: int, because: str, at: datetime, case_id: str = "") -> list[StockFact]:
    """Returned units are there again; the return case makes sure that each comes back at most once."""
    return [Restocked(supplier_id, sku, units, because, at, case_id)] if units else []


def report_none_left(
    stock: Stock | None, supplier_id: str, sku: str, given_back: int, because: str, at: datetime
) -> list[StockFact]:
    """The supplier has nothing beyond what it took on; given_back units are released by the same command.

    Untracked stock stays untracked.
    """
    if stock is None or stock.feed is None or stock.free + given_back <= 0:
        return []
    owed = sum([reservation.units for reservation in stock.reservations.values()]) - given_back
    return [StockCorrected(supplier_id, sku, owed, because, at)]
