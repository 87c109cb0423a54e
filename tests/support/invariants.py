"""What must always hold of orders and of stock, whatever a test did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledger.engine.book import Book
from ledger.facts import Fact
from ledger.nouns import stock
from ledger.nouns.orders import Order, Shipment, left_minor, owed_minor, standing_minor
from ledger.nouns.orders.supplier_orders import SupplierOrder
from ledger.nouns.stock import Stock


def check_order(order: Order, book: Book) -> None:
    """Every unit of every line is in exactly one bucket and with at most one supplier."""
    supplier_orders = order.supplier_orders.values()
    for line_no, buckets in order.buckets.items():
        counts = [getattr(buckets, name) for name in buckets.__struct_fields__]
        assert min(counts) >= 0, f"a bucket of line {line_no} is negative: {buckets}"
        assert buckets.total == order.lines[line_no].quantity, f"units of line {line_no} were lost: {buckets}"
        shares = [each.shares[line_no] for each in supplier_orders if line_no in each.shares]
        for share in shares:
            assert min(getattr(share, name) for name in share.__struct_fields__) >= 0, f"negative: {share}"
        in_supplier_orders = sum(share.unshipped + share.shipped for share in shares)
        assert in_supplier_orders <= order.lines[line_no].quantity, (
            f"a unit of line {line_no} is in two supplier orders"
        )
        assert buckets.assigned == sum(share.pending + share.accepted for share in shares)
        assert buckets.backordered == sum(share.backordered for share in shares)
        assert buckets.shipped + buckets.delivered + buckets.lost + buckets.returned == sum(
            share.shipped for share in shares
        )
        assert buckets.cancelled >= sum(share.cancelled for share in shares)
        for place in ("shipped", "delivered", "lost", "returned"):
            in_parcels = sum(each.by_line.get(line_no, 0) for each in order.shipments if each.bucket == place)
            assert getattr(buckets, place) == in_parcels
    for each in supplier_orders:
        assert each.delivered == _arrived(each, order.shipments)
    _check_reservations(order, book)
    _check_after_sales(order)


def _check_after_sales(order: Order) -> None:
    """No unit is in two cases, none comes back that was not delivered, no more is refunded than was paid."""
    after_sales = order.after_sales
    for line_no, line in order.lines.items():
        assert 0 <= after_sales.kept(line_no, "another reason") <= order.sent.get(line_no, 0)
        assert 0 <= after_sales.inspected(line_no) <= order.buckets[line_no].returned
        assert 0 <= after_sales.coming_back(line_no) <= order.buckets[line_no].delivered
        assert 0 <= after_sales.refunded_minor(line_no) <= line.amount_minor
    granted_minor = after_sales.booked_minor - after_sales.paid_back_minor
    owed = owed_minor(order)
    assert owed == 0 or 0 < owed + granted_minor <= left_minor(order), "more is owed than is left"
    assert standing_minor(order.money.debts) == owed or order.placed.historical, "each part of it has a clock"


def _arrived(supplier_order: SupplierOrder, shipments: Iterable[Shipment]) -> int:
    return sum(
        sum(each.by_line.values())
        for each in shipments
        if each.bucket == "delivered" and each.supplier_order_id == supplier_order.supplier_order_id
    )


def _check_reservations(order: Order, book: Book) -> None:
    """No more is reserved for an order than it has to ship."""
    unshipped: dict[tuple[str, str], int] = {}
    for each in order.supplier_orders.values():
        for line_no, share in each.shares.items():
            item = (each.supplier_id, order.lines[line_no].sku)
            unshipped[item] = unshipped.get(item, 0) + share.unshipped
    for line_no, own in order.lines.items():
        item = (own.supplier_id, own.sku)
        open_units = order.buckets[line_no].open if order.confirmed_at is None else 0
        unshipped[item] = unshipped.get(item, 0) + open_units
    for (supplier_id, sku), left in unshipped.items():
        state = stock.find(book, supplier_id, sku) if supplier_id and sku else None
        if state is not None and order.order_id in state.reservations:
            reserved = state.reservations[order.order_id].units
            assert 0 < reserved <= left, f"{reserved} of {sku} reserved for {order.order_id}, {left} to ship"


def check_stock(state: Stock, fact: Fact) -> None:
    """The counters are what a recount gives, and no promise is made of what is not there."""
    live = state.reservations.values()
    assert all(each.units > 0 for each in live)
    assert state.held == sum(each.units for each in live if each.status is stock.ReservationStatus.HELD)
    committed = sum(
        each.units for each in live if each.status is stock.ReservationStatus.COMMITTED and not each.in_feed
    )
    assert state.committed >= committed
    assert state.awaited == sum(state.waiting.values())
    assert 0 <= state.kept <= max(min(state.awaited, state.free), 0)
    assert all(count > 0 for count in state.waiting.values())
    if isinstance(fact, stock.StockReserved):
        assert state.available >= 0, f"oversold: {state.available} available after {fact}"


def check_waiting(waiting: Sequence[str], kept: int, after: object, facts: Sequence[Fact]) -> None:
    """Later orders do not take stock that is kept for waiting ones."""
    assert isinstance(after, Stock)
    taking = (stock.StockReserved, stock.ReservationCommitted, stock.StockAwaited)
    takers = [fact.reservation_id for fact in facts if isinstance(fact, stock.StockReserved)]
    if takers and not set(takers) & set(waiting) and all(isinstance(fact, taking) for fact in facts):
        assert after.kept == kept, f"{takers} took what was kept for {waiting}"
