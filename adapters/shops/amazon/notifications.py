"""Amazon's notifications, in both of its spellings, as they come out of a queue or by an event bus."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from adapters.edges import reading
from adapters.edges.delivery import MalformedDelivery, Received
from adapters.edges.meaning import NotUnderstood

ORDER_CHANGE = "ORDER_CHANGE"


class OrderHint(msgspec.Struct, frozen=True):
    """What a notification says of an order: that it has changed, and when."""

    order_id: str
    seller_id: str
    sent_by: str
    """AFN where Amazon sends it, MFN where the seller does."""
    changed_at: datetime


def received(raw: bytes) -> Received:
    """What the door reads; raises MalformedDelivery."""
    told = _notification(reading.door_decoded(raw, dict[str, Any]))
    topic, known_as = _text(told, "notificationType"), _text(_inner(told, "notificationMetadata"), "notificationId")
    if not topic or not known_as:
        raise MalformedDelivery("notificationType or notificationId: is missing")
    if topic != ORDER_CHANGE:
        return Received(topic[:100], known_as[:200], source_id=known_as)
    try:
        hint = _hint(told)
    except NotUnderstood as error:
        raise MalformedDelivery(str(error)) from None
    return Received(topic, hint.order_id, source_id=known_as, happened_at=hint.changed_at)


def order_hint(raw: bytes) -> OrderHint:
    return _hint(_notification(reading.decoded(raw, dict[str, Any])))


def _notification(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """An event bus puts it into an envelope of its own."""
    inner = body.get("detail")
    return inner if isinstance(inner, dict) else body


def _hint(told: Mapping[str, Any]) -> OrderHint:
    change = _inner(_inner(told, "payload"), "orderChangeNotification")
    order_id = _text(change, "amazonOrderId")
    if not order_id:
        raise NotUnderstood("payload.orderChangeNotification.amazonOrderId: is missing")
    at = _text(_inner(change, "orderChangeTrigger"), "timeOfOrderChange") or _text(told, "eventTime")
    return OrderHint(
        order_id,
        _text(change, "sellerId"),
        _text(_inner(change, "summary"), "fulfillmentType"),
        reading.instant(at, "eventTime"),
    )


def _field(told: Mapping[str, Any], name: str) -> Any:
    """By its name in camel case or in Pascal case: older kinds of notifications are written in the latter."""
    return told.get(name, told.get(name[0].upper() + name[1:]))


def _inner(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = _field(told, name)
    return found if isinstance(found, dict) else {}


def _text(told: Mapping[str, Any], name: str) -> str:
    found = _field(told, name)
    return found.strip() if isinstance(found, str) else ""
