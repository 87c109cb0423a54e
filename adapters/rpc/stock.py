"""StockService."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.commands import Ask, Edge, Reader, Readers
from adapters.rpc.faults import require
from adapters.rpc.queries import Queries
from adapters.rpc.shapes import count, happened, instant, plain_id
from adapters.rpc.shows import stamp
from fulfilment.v1 import stock_pb2 as pb
from ledger.decisions import order_stock, stock_alerts
from ledger.facts import Change, changes_of
from ledger.nouns import policies, stock, suppliers
from ledger.view import View


def _item(item: pb.Item, field: str = "item") -> order_stock.Item:
    return plain_id(item.supplier_id, f"{field}.supplier_id"), shapes.sku(item.sku, f"{field}.sku")


def items_of(items: Sequence[pb.Item], field: str = "items") -> list[order_stock.Item]:
    require(0 < len(items) <= 100, field, "is required: 1 to 100 items")
    found = [_item(item, f"{field}[{index}]") for index, item in enumerate(items)]
    require(len(set(found)) == len(found), field, "an item is named twice")
    return found


def record_feed(request: pb.RecordFeedRequest, edge: Edge) -> Ask:
    item = _item(request.item)
    feed = stock.Feed(
        max(request.quantity, 0),
        count(request.feed_version, "feed_version", 1, 2**62),
        happened(request, edge.now, "as_of"),
        instant(request, "includes_orders_up_to"),
        min(request.quantity, 0),
    )
    streams = (stock.stream(*item), suppliers.stream(item[0]), policies.stream())
    return Ask(lambda view: stock_alerts.record_feed(view, *item, feed, edge.now), streams)


def _of_stock(item: order_stock.Item, decide: Callable[[stock.Stock | None], Sequence[stock.StockFact]]) -> Ask:
    stream, supplier_id = stock.stream(*item), item[0]

    def known(view: View) -> Sequence[Change]:
        suppliers.known(suppliers.find(view, supplier_id), supplier_id)
        return changes_of(stream, decide(stock.find(view, *item)))

    return Ask(known, (stream, suppliers.stream(supplier_id)))


def set_buffer(request: pb.SetBufferRequest, edge: Edge) -> Ask:
    item, units = _item(request.item), count(request.units, "units")
    return _of_stock(item, lambda own: stock.set_buffer(own, *item, units, edge.now))


def set_low_stock_threshold(request: pb.SetLowStockThresholdRequest, edge: Edge) -> Ask:
    item = _item(request.item)
    units = count(request.units, "units") if request.HasField("units") else None
    return _of_stock(item, lambda own: stock.set_low_threshold(own, *item, units, edge.now))


def reserve(request: pb.ReserveRequest, edge: Edge) -> Ask:
    reservation_id = plain_id(request.reservation_id, "reservation_id")
    items = items_of([wanted.item for wanted in request.items])
    units = [count(wanted.units, f"items[{index}].units", 1) for index, wanted in enumerate(request.items)]
    hold_for = shapes.span(request, "hold_for", timedelta(seconds=1), timedelta(days=30))
    wanted = dict(zip(items, units, strict=True))
    return Ask(
        lambda view: order_stock.reserve(view, reservation_id, wanted, hold_for, edge.now),
        (*(stock.stream(*item) for item in items), policies.stream()),
    )


def extend_reservation(request: pb.ExtendReservationRequest, edge: Edge) -> Ask:
    reservation_id, items = plain_id(request.reservation_id, "reservation_id"), items_of(request.items)
    expires_at = instant(request, "expires_at")
    require(expires_at is not None and expires_at > edge.now, "expires_at", "is required and must lie ahead")
    assert expires_at is not None
    latest = edge.now + timedelta(days=30)
    require(expires_at <= latest, "expires_at", "is more than 30 days ahead")
    return Ask(
        lambda view: [
            (stock.stream(*item), fact)
            for item in items
            for fact in stock.extend(stock.find(view, *item), *item, reservation_id, expires_at, edge.now, edge.now)
        ],
        tuple(stock.stream(*item) for item in items),
    )


def release_reservation(request: pb.ReleaseReservationRequest, edge: Edge) -> Ask:
    reservation_id, items = plain_id(request.reservation_id, "reservation_id"), items_of(request.items)
    return Ask(
        lambda view: [
            (stock.stream(*item), fact)
            for item in items
            for fact in stock.release_hold(stock.find(view, *item), *item, reservation_id, edge.now)
        ],
        tuple(stock.stream(*item) for item in items),
    )


READERS: Readers = {
    pb.RecordFeedRequest: Reader(record_feed),
    pb.SetBufferRequest: Reader(set_buffer),
    pb.SetLowStockThresholdRequest: Reader(set_low_stock_threshold),
    pb.ReserveRequest: Reader(reserve),
    pb.ExtendReservationRequest: Reader(extend_reservation),
    pb.ReleaseReservationRequest: Reader(release_reservation),
}


class StockQueries(Queries):
    """StockService's reads."""

    async def GetStock(self, request: pb.GetStockRequest, call: Call) -> pb.GetStockResponse:
        items = [_stored(each) for each in zip(items_of(request.items), request.items, strict=True)]
        streams = [stock.stream(*item) for spellings in items for item in spellings]
        entries, position = await self.entries(await self.tenant(call), streams, request.at_least)
        states = {stream: entry.state for stream, entry in zip(streams, entries, strict=True)}
        levels = [_level_of(spellings, states) for spellings in items]
        return pb.GetStockResponse(levels=levels, position=position)


def _stored(named: tuple[order_stock.Item, pb.Item]) -> list[order_stock.Item]:
    """An item as it may be stored."""
    (supplier_id, composed), item = named
    return [(supplier_id, sku) for sku in dict.fromkeys((composed, item.sku.strip()))]


def _level_of(spellings: list[order_stock.Item], states: Mapping[str, stock.Stock | None]) -> pb.StockLevel:
    """The level of the first of them that has one."""
    item = next((each for each in spellings if states[stock.stream(*each)] is not None), spellings[0])
    return _level(item, states[stock.stream(*item)])


def _level(item: order_stock.Item, state: stock.Stock | None) -> pb.StockLevel:
    own, feed = state or stock.Stock(), state.feed if state else None
    return pb.StockLevel(
        item=pb.Item(supplier_id=item[0], sku=item[1]),
        tracked=own.tracked,
        quantity=feed.quantity if feed else 0,
        feed_version=feed.version if feed else 0,
        as_of=stamp(feed.as_of) if feed else None,
        held=own.held,
        committed=own.committed,
        buffer=own.buffer,
        available=own.available,
        restocked=own.restocked,
        stale_buffer=own.stale_buffer,
        awaited=own.awaited,
        kept=own.kept,
        stale_since=stamp(own.stale.at) if own.stale else None,
        stale_at=stamp(own.stale_at),
        shortfall=own.shortfall,
    )
