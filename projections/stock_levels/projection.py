"""How facts become rows of stock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import structs

from ledger.decisions.order_stock import could_serve
from ledger.facts import Units
from ledger.nouns import offers, orders, skus, stock, suppliers
from ledger.nouns.choice import Against
from ledger.nouns.offers import OfferWithdrawn, SkuOffered
from ledger.nouns.orders import LEDGER, HoldReason, Order
from ledger.nouns.skus import Sku, SkuDescribed
from ledger.nouns.suppliers import Standing, Supplier
from projections.machine.histories import Movement, OrderHistory, StockHistory
from projections.machine.projection import From, FromPages, projection
from projections.machine.streams import Page
from projections.machine.tables import Rows, Written
from projections.stock_levels.rows import (
    BUNDLES,
    LEVELS,
    LISTINGS,
    MOVEMENTS,
    OFFER_ENDS,
    SELLERS,
    WAITING,
    LevelRow,
    OfferEnd,
    SkuBundle,
    SkuListing,
    StockMovement,
    SupplierApproval,
    WaitingOrder,
)


def _seller(supplier: Supplier) -> list[SupplierApproval]:
    sold = supplier.approved_at is not None
    return [SupplierApproval(supplier.supplier_id, supplier.standing is Standing.APPROVED, sold)]


def _offer_ends(page: Page) -> list[Written]:
    """By fact and not by supplier: of thousands of offers a page changes a few."""
    ends: dict[tuple[str, str], datetime | None] = {}
    for _, fact, supplier in page.facts.get(suppliers.NOUN.prefix, ()):
        if isinstance(fact, OfferWithdrawn):
            ends[fact.supplier_id, fact.sku] = fact.at
        elif isinstance(fact, SkuOffered):
            sku = fact.offer.sku
            ends[fact.supplier_id, sku] = offers.end_of(supplier.offers.get(sku, ()))
    rows = Rows(OFFER_ENDS)
    rows.changed = [OfferEnd(*item, ends_at) for item, ends_at in ends.items() if ends_at is not None]
    rows.gone = [item for item, ends_at in ends.items() if ends_at is None]
    return [rows]


def _listing(sku: Sku) -> list[SkuListing]:
    return [SkuListing(**structs.asdict(sku.listing))] if sku.listing is not None else []


def _bundles(page: Page) -> list[Written]:
    parts: dict[str, dict[str, int]] = {}
    for _, fact, sku in page.facts.get(skus.NOUN.prefix, ()):
        if isinstance(fact, SkuDescribed) and fact.parts is not None:
            parts[fact.sku] = {part.sku: part.units for part in sku.master.parts}
    rows = Rows(BUNDLES)
    rows.changed = [SkuBundle(sku, made_of) for sku, made_of in parts.items() if made_of]
    rows.gone = [(sku,) for sku, made_of in parts.items() if not made_of]
    return [rows]


def _level(history: StockHistory) -> list[LevelRow]:
    stock, feed = history.stock, history.stock.feed
    row = LevelRow(
        supplier_id=history.supplier_id,
        sku=history.sku,
        position=history.position,
        tracked=stock.tracked,
        quantity=feed.quantity if feed else 0,
        feed_version=feed.version if feed else 0,
        as_of=feed.as_of if feed else None,
        stale_at=stock.stale_at,
        stale_since=stock.stale.at if stock.stale else None,
        restocked=stock.restocked,
        held=stock.held,
        committed=stock.committed,
        buffer=stock.buffer,
        stale_buffer=stock.stale_buffer,
        free=stock.free,
        awaited=stock.awaited,
        kept=stock.kept,
        available=stock.available,
        shortfall=stock.shortfall,
        low_threshold=stock.low_threshold,
        low=stock.low,
        running_out=stock.running_out,
        sold_out=stock.sold_out,
        demand={day: units for day, units in sorted(stock.demand.items()) if units},
    )
    return [row]


def _movements(page: Page) -> list[Written]:
    rows = Rows(MOVEMENTS)
    for position, fact, moved in page.facts.get(stock.NOUN.prefix, ()):
        rows.new.append(_movement(position, fact, moved))
    return [rows]


def _movement(position: int, fact: Any, moved: Movement) -> StockMovement:
    return StockMovement(
        position=position,
        supplier_id=fact.supplier_id,
        sku=fact.sku,
        what=fact.fact_name(),
        units=_figure(fact),
        delta=moved.delta,
        available=moved.available,
        reservation_id=getattr(fact, "reservation_id", "") or getattr(fact, "order_id", ""),
        because=getattr(fact, "because", "") or "; ".join(fact.warnings),
        at=fact.at,
    )


def _figure(fact: Any) -> int | None:
    """The units that a fact itself names: of a feed its quantity, of an alert none."""
    feed = getattr(fact, "feed", None)
    figure = feed.quantity if feed else getattr(fact, "units", getattr(fact, "quantity", None))
    return getattr(fact, "shortfall", figure)


def _waiting(history: OrderHistory) -> list[WaitingOrder]:
    """What an order waits for: together before its confirmation, afterwards each unit as it comes."""
    order = history.order
    if order.confirmed_at is not None:
        return _waiting_confirmed(order)
    own = {hold.reason: hold for hold in order.holds if hold.owner == LEDGER and not hold.supplier_order_id}
    waiting, unusable = own.get(HoldReason.OUT_OF_STOCK), own.get(HoldReason.OTHER)
    items = _items(order, order.in_bucket("open"))
    rows: dict[tuple[str, str], tuple[int, bool, bool]] = {}
    for hold in (own.get(HoldReason.INCOMPLETE), waiting):
        if hold is not None:
            found = could_serve(order, hold, Against.OUT_OF_STOCK, Against.NOT_APPROVED)
            rows.update({item: (units, False, True) for item, units in found.items()})
    lines = waiting.lacking if waiting else order.waiting_for_stock()
    rows.update({item: (items[item], True, False) for item in _items(order, lines) if item in items})
    if unusable is not None:
        rows.update({item: (items[item], True, True) for item in _items(order, unusable.lacking) if item in items})
    return _rows(order, rows)


def _waiting_confirmed(order: Order) -> list[WaitingOrder]:
    """Units that their supplier has yet to get, and open ones with whoever could send them."""
    rows = dict.fromkeys(_assigned_items(order), (1, False, False))
    hold = order.hold(HoldReason.OUT_OF_STOCK, LEDGER)
    if hold is not None:
        found = could_serve(order, hold, Against.OUT_OF_STOCK, Against.NOT_APPROVED)
        rows = {**{item: (units, False, True) for item, units in found.items()}, **rows}
    return _rows(order, rows)


def _rows(order: Order, items: Mapping[tuple[str, str], tuple[int, bool, bool]]) -> list[WaitingOrder]:
    placed_at = order.placed.placed_at
    return [
        WaitingOrder(
            order_id=order.order_id,
            supplier_id=supplier_id,
            sku=sku,
            units=units,
            together=together,
            seeks=seeks,
            placed_at=placed_at,
        )
        for (supplier_id, sku), (units, together, seeks) in items.items()
    ]


def _items(order: Order, by_line: Units) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for line_no, units in by_line.items():
        line = order.lines[line_no]
        if line.supplier_id and line.sku:
            item = (line.supplier_id, line.sku)
            found[item] = found.get(item, 0) + units
    return found


def _assigned_items(order: Order) -> Iterable[tuple[str, str]]:
    return (
        (supplier_id, order.lines[line_no].sku)
        for supplier_id, line_no in sorted(order.waiting_at_suppliers())
        if supplier_id
    )


STOCK_LEVELS = projection(
    "stock_levels",
    5,
    From(stock.NOUN, LEVELS, _level, compared=False),
    FromPages((MOVEMENTS,), _movements),
    From(orders.NOUN, WAITING, _waiting),
    From(suppliers.NOUN, SELLERS, _seller),
    FromPages((OFFER_ENDS,), _offer_ends),
    From(skus.NOUN, LISTINGS, _listing),
    FromPages((BUNDLES,), _bundles),
)
