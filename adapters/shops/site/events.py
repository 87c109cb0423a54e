"""What an own site is told, as CloudEvents 1.0: the types of the events, which are also their JSON Schema.

Each says how something is now, and not what changed. Names and units are those of the documents that the site sends.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ledger.terms.effects import Cancellation, Effect, Fulfilment, OrderStanding, RefundAsked, ShopLine, StockLevel

SPECVERSION = "1.0"
"""Of CloudEvents."""
SOURCE = "/connections/"
"""Before the name of the connection: with the id of an event it tells events apart."""

OrderId = Annotated[str, Meta(description="The site's own id of the order.")]


class _Event(Struct, frozen=True, kw_only=True):
    """Something that is told. Names may be added: whoever reads it leaves out what it does not know."""


class EventLine(_Event, frozen=True):
    """Units of a line of an order, as the site sold it."""

    line_id: Annotated[str, Meta(description="The site's own id of the line, or its sku where it said none.")]
    sku: str
    units: Annotated[int, Meta(ge=1)]


class OrderEvent(_Event, frozen=True):
    """How an order stands."""

    order_id: OrderId
    status: Annotated[str, Meta(description="Such as on_hold, confirmed, dispatched, delivered or cancelled.")]
    holds: Annotated[list[str], Meta(description="Why nothing is sent at the moment, such as incomplete.")]


class ShipmentEvent(_Event, frozen=True):
    """A parcel of an order. The same parcel_no again replaces what was told of it, such as a number that was wrong."""

    order_id: OrderId
    parcel_no: Annotated[int, Meta(ge=1, description="It stays when the tracking number is corrected.")]
    lines: Annotated[list[EventLine], Meta(description="Empty where only a part of a bundle is in it.")]
    carrier: Annotated[str, Meta(description="Our name of it, such as dhl.")]
    tracking_number: str
    tracking_url: Annotated[str, Meta(description="The carrier's page of it; empty where that is not known.")]
    shipped_at: datetime
    completes_order: Annotated[bool, Meta(description="Whether nothing of the order is still to be sent.")]
    withdrawn: Annotated[bool, Meta(description="Whether it has not left after all.")]


class CancellationEvent(_Event, frozen=True):
    """Units of an order that will not be sent: all of them up to now."""

    order_id: OrderId
    lines: list[EventLine]
    whole: Annotated[bool, Meta(description="Whether nothing of the order is sent, or was.")]
    reason: Annotated[str, Meta(description="A code such as out_of_stock; empty where none was given.")]


class RefundEvent(_Event, frozen=True):
    """Money that the customer is to get back, and that the site is to pay. It answers with order.refund."""

    order_id: OrderId
    refund_id: Annotated[str, Meta(description="Ours: say it as the refund_id of order.refund.")]
    amount_minor: Annotated[int, Meta(ge=1, description="In minor units of the currency.")]
    currency: str
    reason: Annotated[str, Meta(description="A code such as damaged; empty where none was given.")]
    lines: Annotated[list[EventLine], Meta(description="What it is for, where that is known.")]


class StockEvent(_Event, frozen=True):
    """How many units of a SKU can be sold now, over all suppliers."""

    sku: str
    available: Annotated[int, Meta(ge=0)]
    listed: Annotated[bool, Meta(description="Whether it is to be sold at all.")]


class PingEvent(_Event, frozen=True):
    """Nothing but that somebody tries the connection."""


Data = OrderEvent | ShipmentEvent | CancellationEvent | RefundEvent | StockEvent | PingEvent
TYPES: dict[str, type[Data]] = {
    "fulfilment.order": OrderEvent,
    "fulfilment.shipment": ShipmentEvent,
    "fulfilment.cancellation": CancellationEvent,
    "fulfilment.refund": RefundEvent,
    "fulfilment.stock": StockEvent,
    "fulfilment.ping": PingEvent,
}
"""By the type of the event."""
_NAMES = {kind: name for name, kind in TYPES.items()}


class CloudEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is sent: the attributes that CloudEvents require, and the data."""

    specversion: str
    id: str
    source: str
    type: str
    datacontenttype: str
    dataschema: str
    data: Data
    subject: str = ""
    """The order or SKU that it is about."""


def event(event_id: str, connection: str, data: Data, subject: str) -> bytes:
    """An event as it is sent; the same again has the same bytes."""
    kind = _NAMES[type(data)]
    found = CloudEvent(
        specversion=SPECVERSION,
        id=event_id,
        source=f"{SOURCE}{connection}",
        type=kind,
        subject=subject,
        datacontenttype="application/json",
        dataschema=f"/schemas/{kind}.json",
        data=data,
    )
    return msgspec.json.encode(found)


def data_of(effect: Effect) -> tuple[Data, str]:
    """What is told of an effect, and what it is about."""
    match effect:
        case OrderStanding():
            order_id = effect.channel_order_id
            return OrderEvent(order_id=order_id, status=effect.status, holds=list(effect.holds)), order_id
        case Fulfilment():
            return _shipment(effect), effect.channel_order_id
        case Cancellation():
            lines = _lines(effect.lines)
            cancelled = CancellationEvent(
                order_id=effect.channel_order_id, lines=lines, whole=effect.whole, reason=effect.reason
            )
            return cancelled, effect.channel_order_id
        case RefundAsked():
            return _refund(effect), effect.channel_order_id
        case StockLevel():
            return StockEvent(sku=effect.sku, available=effect.available, listed=effect.listed), effect.sku
        case _:
            raise TypeError(f"a site is told nothing of {type(effect).__name__}")


def _shipment(effect: Fulfilment) -> ShipmentEvent:
    return ShipmentEvent(
        order_id=effect.channel_order_id,
        parcel_no=effect.parcel_no,
        lines=_lines(effect.lines),
        carrier=effect.carrier,
        tracking_number=effect.tracking_number,
        tracking_url=effect.tracking_url,
        shipped_at=effect.shipped_at,
        completes_order=effect.completes,
        withdrawn=effect.withdrawn,
    )


def _refund(effect: RefundAsked) -> RefundEvent:
    return RefundEvent(
        order_id=effect.channel_order_id,
        refund_id=effect.refund_id,
        amount_minor=effect.amount_minor,
        currency=effect.currency,
        reason=effect.reason,
        lines=_lines(effect.lines),
    )


def _lines(lines: tuple[ShopLine, ...]) -> list[EventLine]:
    return [EventLine(line_id=each.channel_line_id or each.sku, sku=each.sku, units=each.units) for each in lines]
