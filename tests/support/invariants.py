"""What must always hold of orders and of stock, whatever a test did."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.ledger_check.equations import order_faults, reservation_faults, stock_faults
from ledger.engine.book import Book
from ledger.facts import Fact
from ledger.nouns import stock
from ledger.nouns.orders import Order
from ledger.nouns.stock import Stock


def check_order(order: Order, book: Book) -> None:
    """Its units and its money add up, and no more is reserved for it than it has to ship."""
    assert not [*order_faults(order)]
    assert not [*reservation_faults(order, lambda supplier_id, sku: stock.find(book, supplier_id, sku))]


def check_stock(state: Stock, fact: Fact) -> None:
    """The counters are what a recount gives, and no promise is made of what is not there."""
    assert not [*stock_faults(state)]
    if isinstance(fact, stock.StockReserved):
        assert state.available >= 0, f"oversold: {state.available} available after {fact}"


def check_waiting(waiting: Sequence[str], kept: int, after: object, facts: Sequence[Fact]) -> None:
    """Later orders do not take stock that is kept for waiting ones."""
    assert isinstance(after, Stock)
    taking = (stock.StockReserved, stock.ReservationCommitted, stock.StockAwaited)
    takers = [fact.reservation_id for fact in facts if isinstance(fact, stock.StockReserved)]
    if takers and not set(takers) & set(waiting) and all(isinstance(fact, taking) for fact in facts):
        assert after.kept == kept, f"{takers} took what was kept for {waiting}"
