"""Olist's orders as commands of the ledger: what each thing that its files tell is in the contract.

Request ids derive from Olist's own ids, so that a second import of the same rows changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from fulfilment.v1 import (
    common_pb2,
    order_feedback_pb2,
    order_money_pb2,
    orders_pb2,
    parcels_pb2,
    supplier_orders_pb2,
    suppliers_pb2,
)
from fulfilment.v1.batch_pb2 import BatchCommand

CHANNEL = "olist"
CARRIER = "olist"
CURRENCY = "BRL"
ACTOR = "olist-import"

_DISPATCH_WITHIN_HOURS = 48
"""Olist gives every item a deadline of its own, which goes before it."""


class OlistItem(NamedTuple):
    """A row of order_items: one unit of a product."""

    line_no: int
    seller_id: str
    product_id: str
    ship_by: datetime | None
    price_centavos: int
    freight_centavos: int


class OlistPayment(NamedTuple):
    """A row of order_payments."""

    number: str
    method: str
    centavos: int


class OlistTimes(NamedTuple):
    """What is known of an order's way, in UTC."""

    purchased: datetime
    approved: datetime | None
    carried: datetime | None
    delivered: datetime | None
    promised: datetime | None

    @property
    def newest(self) -> datetime:
        return max(each for each in self[:4] if each is not None)

    @property
    def paid(self) -> datetime | None:
        """When it was paid: at the latest when the carrier got the goods."""
        return self.approved or self.left

    @property
    def left(self) -> datetime | None:
        """When the goods left: at the latest when they arrived."""
        return self.carried or self.delivered


class OlistCustomer(NamedTuple):
    """A row of customers."""

    person: str
    """A pseudonym that Olist gives."""
    city: str
    region: str
    postal_code: str


def cost_centavos(items: Iterable[OlistItem]) -> int:
    return sum(item.price_centavos + item.freight_centavos for item in items)


def paid_centavos(payments: Iterable[OlistPayment]) -> int:
    return sum(payment.centavos for payment in payments)


def covers(payments: Iterable[OlistPayment], items: Iterable[OlistItem]) -> bool:
    """Whether the payments alone say that the order is paid."""
    paid = paid_centavos(payments)
    return paid > 0 and paid >= cost_centavos(items)


class OrderCommands:
    """The commands of one order and of the part of it that each supplier has."""

    def __init__(self, order_id: str, sellers: Sequence[str]) -> None:
        self.order_id = f"{CHANNEL}/{order_id}"
        self._ids = order_id
        # The ledger numbers supplier orders by the first line of each supplier, as this list is.
        self._parts = [(number, f"{self.order_id}/{number}") for number, _ in enumerate(sellers, 1)]

    def placed(
        self, customer: OlistCustomer, times: OlistTimes, lines: Iterable[tuple[OlistItem, int]]
    ) -> BatchCommand:
        """Each line with the weight of its product in grams, 0 where it is not known."""
        lines = list(lines)
        placed = orders_pb2.PlaceOrderRequest(
            context=_context(self._ids, "place"),
            channel=CHANNEL,
            channel_order_id=self._ids,
            placed_at=_stamp(times.purchased),
            currency=CURRENCY,
            lines=[_line(item, weight_grams) for item, weight_grams in lines],
            customer=orders_pb2.Customer(email=f"{customer.person}@customers.olist.example"),
            ship_to=orders_pb2.Address(
                city=customer.city, region=customer.region, postal_code=customer.postal_code, country="BR"
            ),
            payment=orders_pb2.PAYMENT_STATE_PENDING,
            promised_by=_stamp(times.promised),
            historical=True,
            charges=_freight(item for item, _ in lines),
        )
        return BatchCommand(place_order=placed)

    def paid(self, at: datetime) -> BatchCommand:
        paid = orders_pb2.RecordPaymentRequest(
            context=_context(self._ids, "pay"),
            order_id=self.order_id,
            payment=orders_pb2.PAYMENT_STATE_PAID,
            at=_stamp(at),
        )
        return BatchCommand(record_payment=paid)

    def payments(self, payments: Iterable[OlistPayment], times: OlistTimes) -> BatchCommand:
        """All of them, with ids of their own: a folder that had no payments before may have them later."""
        kind = order_money_pb2.PAYMENT_KIND_CAPTURED if times.paid else order_money_pb2.PAYMENT_KIND_AUTHORISED
        moved = [
            order_money_pb2.Payment(
                payment_id=each.number,
                kind=kind if each.centavos else order_money_pb2.PAYMENT_KIND_FAILED,
                amount=common_pb2.Money(amount_minor=each.centavos, currency=CURRENCY),
                method=each.method,
            )
            for each in payments
        ]
        what, at = ("payments", times.paid) if times.paid else ("reserved", times.purchased)
        recorded = orders_pb2.RecordPaymentRequest(
            context=_context(self._ids, what), order_id=self.order_id, payments=moved, at=_stamp(at)
        )
        return BatchCommand(record_payment=recorded)

    def sent(self, at: datetime) -> Iterator[BatchCommand]:
        for number, part in self._parts:
            sent = supplier_orders_pb2.SendSupplierOrderRequest(
                context=_context(self._ids, f"send/{number}"), supplier_order_id=part, at=_stamp(at)
            )
            yield BatchCommand(send_supplier_order=sent)

    def shipped(self, at: datetime, carried: datetime | None, delivered: datetime | None) -> Iterator[BatchCommand]:
        for number, part in self._parts:
            shipped = supplier_orders_pb2.ShipSupplierOrderRequest(
                context=_context(self._ids, f"ship/{number}"),
                supplier_order_id=part,
                carrier=CARRIER,
                tracking_number=f"{self._ids}-{number}",
                at=_stamp(at),
            )
            yield BatchCommand(ship_supplier_order=shipped)
            # Two requests: a later export of the same order adds the delivery and repeats the rest.
            if carried is not None:
                yield self._scanned(number, "carried", parcels_pb2.PARCEL_STATUS_IN_TRANSIT, carried)
            if delivered is not None:
                yield self._scanned(number, "delivered", parcels_pb2.PARCEL_STATUS_DELIVERED, delivered)

    def _scanned(
        self, number: int, what: str, status: parcels_pb2.ParcelStatus.ValueType, at: datetime
    ) -> BatchCommand:
        scanned = parcels_pb2.RecordCheckpointsRequest(
            context=_context(self._ids, f"{what}/{number}"),
            carrier=CARRIER,
            tracking_number=f"{self._ids}-{number}",
            checkpoints=[parcels_pb2.Checkpoint(at=_stamp(at), status=status)],
        )
        return BatchCommand(record_checkpoints=scanned)

    def cancelled(
        self, by: common_pb2.Party.ValueType, reason: str, at: datetime, asked: bool
    ) -> Iterator[BatchCommand]:
        """With asked, the suppliers know of the order; they agreed, because nothing was sent."""
        cancelled = orders_pb2.CancelOrderRequest(
            context=_context(self._ids, "cancel"), order_id=self.order_id, by=by, reason=reason, at=_stamp(at)
        )
        yield BatchCommand(cancel_order=cancelled)
        for number, part in self._parts if asked else ():
            agreed = supplier_orders_pb2.AnswerCancelRequestRequest(
                context=_context(self._ids, f"agree/{number}"), supplier_order_id=part, agreed=True, at=_stamp(at)
            )
            yield BatchCommand(answer_cancel_request=agreed)

    def reviewed(self, review_id: str, score: int, at: datetime) -> BatchCommand:
        review = order_feedback_pb2.RecordReviewRequest(
            context=_context(self._ids, f"review/{review_id}"),
            order_id=self.order_id,
            review_id=review_id,
            score=score,
            at=_stamp(at),
        )
        return BatchCommand(record_review=review)


def _line(item: OlistItem, weight_grams: int) -> orders_pb2.OrderLine:
    return orders_pb2.OrderLine(
        line_no=item.line_no,
        sku=item.product_id,
        quantity=1,
        unit_price_minor=item.price_centavos,
        supplier_id=item.seller_id,
        dispatch_by=_stamp(item.ship_by),
        weight_grams=weight_grams,
    )


def _freight(items: Iterable[OlistItem]) -> list[order_money_pb2.Charge]:
    centavos = sum(item.freight_centavos for item in items)
    kind = order_money_pb2.CHARGE_KIND_SHIPPING
    return [order_money_pb2.Charge(charge_id="freight", kind=kind, amount_minor=centavos)] if centavos else []


def supplier(seller_id: str, approved_at: datetime) -> list[BatchCommand]:
    """A seller as an approved supplier."""
    since = _stamp(approved_at)

    def context(what: str) -> common_pb2.CommandContext:
        return _context(f"seller/{seller_id}", what)

    terms = suppliers_pb2.Agreement(effective_from=since, dispatch_within_hours=_DISPATCH_WITHIN_HOURS)
    known: dict[str, Any] = {"supplier_id": seller_id, "at": since}
    registered = suppliers_pb2.RegisterSupplierRequest(
        context=context("register"), name=f"Olist seller {seller_id[:8]}", country="BR", **known
    )
    sampled = suppliers_pb2.ReviewSampleRequest(
        context=context("sample"), material_matches=True, packaging_matches=True, manual_matches=True, **known
    )
    agreed = suppliers_pb2.AgreeTermsRequest(context=context("terms"), agreement=terms, **known)
    approved = suppliers_pb2.ApproveSupplierRequest(context=context("approve"), **known)
    return [
        BatchCommand(register_supplier=registered),
        BatchCommand(review_sample=sampled),
        BatchCommand(agree_terms=agreed),
        BatchCommand(approve_supplier=approved),
    ]


def _context(ids: str, what: str) -> common_pb2.CommandContext:
    return common_pb2.CommandContext(request_id=f"olist/{ids}/{what}", actor=ACTOR)


def _stamp(at: datetime | None) -> Timestamp | None:
    return None if at is None else Timestamp(seconds=int(at.timestamp()))
