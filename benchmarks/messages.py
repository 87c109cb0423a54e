"""The requests that every measurement sends: an approved supplier with stock, orders, whole lives of orders."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from fulfilment.v1 import batch_pb2, common_pb2, orders_pb2, parcels_pb2, stock_pb2, supplier_orders_pb2, suppliers_pb2

SUPPLIER = "acme"
CHANNEL = "shop"
SKUS = 100
_PLENTY = 1_000_000


def context() -> common_pb2.CommandContext:
    return common_pb2.CommandContext(request_id=uuid.uuid4().hex, actor="benchmark")


def _stamp(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def command(**which: Any) -> batch_pb2.BatchCommand:
    return batch_pb2.BatchCommand(**which)


def approved_supplier_with_stock(skus: int = SKUS) -> list[batch_pb2.BatchCommand]:
    """A supplier that may be used, and plenty of each of its SKUs."""
    since = _stamp(datetime.now(UTC) - timedelta(days=1))
    agreement = suppliers_pb2.Agreement(
        effective_from=since, acknowledge_within_hours=24, dispatch_within_hours=48, first_scan_within_hours=36
    )
    name: Any = {"context": context(), "supplier_id": SUPPLIER}
    matches: Any = {"material_matches": True, "packaging_matches": True, "manual_matches": True}
    standing = [
        command(register_supplier=suppliers_pb2.RegisterSupplierRequest(**name, name="Acme Ltd")),
        command(review_sample=suppliers_pb2.ReviewSampleRequest(**name, **matches)),
        command(agree_terms=suppliers_pb2.AgreeTermsRequest(**name, agreement=agreement)),
        command(approve_supplier=suppliers_pb2.ApproveSupplierRequest(**name)),
    ]
    for each in standing:
        getattr(each, str(each.WhichOneof("command"))).context.request_id = uuid.uuid4().hex
    return [*standing, *(command(record_feed=_feed(number)) for number in range(skus))]


def _feed(number: int) -> stock_pb2.RecordFeedRequest:
    item = stock_pb2.Item(supplier_id=SUPPLIER, sku=f"SKU-{number}")
    return stock_pb2.RecordFeedRequest(context=context(), item=item, quantity=_PLENTY, feed_version=1)


def order(series: str, number: int, *, paid: bool = False, skus: int = SKUS) -> orders_pb2.PlaceOrderRequest:
    """An order of one line that reserves stock, of a customer of its own whose data gets sealed.

    Unpaid it becomes two facts: placed, with a hold until the money comes, and reserved.
    """
    line = orders_pb2.OrderLine(sku=f"SKU-{number % skus}", quantity=1, unit_price_minor=990, supplier_id=SUPPLIER)
    return orders_pb2.PlaceOrderRequest(
        context=context(),
        channel=CHANNEL,
        channel_order_id=f"{series}-{number}",
        currency="EUR",
        lines=[line],
        customer=orders_pb2.Customer(name="Ann Example", email=f"ann.{series}.{number}@example.org"),
        ship_to=orders_pb2.Address(lines=["1 Elm Street"], city="Berlin", postal_code="10115", country="DE"),
        payment=orders_pb2.PAYMENT_STATE_PAID if paid else orders_pb2.PAYMENT_STATE_PENDING,
    )


def orders(series: str, count: int, skus: int = SKUS) -> list[orders_pb2.PlaceOrderRequest]:
    return [order(series, number, skus=skus) for number in range(count)]


def order_id(series: str, number: int) -> str:
    return f"{CHANNEL}/{series}-{number}"


def life(series: str, number: int) -> list[batch_pb2.BatchCommand]:
    """Everything that happens to an order for which nothing goes wrong, from the shop to the door."""
    supplier_order_id = f"{order_id(series, number)}/1"
    tracking_number = f"{series}{number}".upper()
    answer = supplier_orders_pb2.LineAnswer(line_no=1, accepted=1)
    sent: Any = {"supplier_order_id": supplier_order_id}
    scans = parcels_pb2.RecordCheckpointsRequest(
        context=context(), carrier="dhl", tracking_number=tracking_number, checkpoints=_scans()
    )
    return [
        command(place_order=order(series, number, paid=True)),
        command(send_supplier_order=supplier_orders_pb2.SendSupplierOrderRequest(context=context(), **sent)),
        command(
            acknowledge_supplier_order=supplier_orders_pb2.AcknowledgeSupplierOrderRequest(
                context=context(), **sent, lines=[answer]
            )
        ),
        command(pack_supplier_order=supplier_orders_pb2.PackSupplierOrderRequest(context=context(), **sent)),
        command(
            ship_supplier_order=supplier_orders_pb2.ShipSupplierOrderRequest(
                context=context(), **sent, carrier="dhl", tracking_number=tracking_number
            )
        ),
        command(record_checkpoints=scans),
    ]


def _scans() -> list[parcels_pb2.Checkpoint]:
    now = datetime.now(UTC)
    seen = (
        parcels_pb2.PARCEL_STATUS_IN_TRANSIT,
        parcels_pb2.PARCEL_STATUS_OUT_FOR_DELIVERY,
        parcels_pb2.PARCEL_STATUS_DELIVERED,
    )
    return [
        parcels_pb2.Checkpoint(at=_stamp(now + timedelta(seconds=n)), status=status) for n, status in enumerate(seen)
    ]


def batches(commands: Iterable[batch_pb2.BatchCommand], size: int) -> Iterator[batch_pb2.ExecuteBatchRequest]:
    """The commands in their order, so many in each call."""
    waiting = list(commands)
    for start in range(0, len(waiting), size):
        yield batch_pb2.ExecuteBatchRequest(commands=waiting[start : start + size])
