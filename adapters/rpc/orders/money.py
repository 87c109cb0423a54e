"""What an order costs beside its lines and what was paid for it, from messages and into them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from adapters.rpc import shapes
from adapters.rpc.commands import Edge
from adapters.rpc.faults import each, fault, require
from adapters.rpc.shapes import enum, plain_id
from adapters.rpc.shows import money, number_of, stamp
from fulfilment.v1 import common_pb2
from fulfilment.v1 import order_money_pb2 as pb
from ledger.nouns import orders
from ledger.nouns.orders import Charge, ChargeKind, Header, Order, Payment, PaymentKind
from ledger.terms.money import MOST_MINOR, in_64_bits

_MOST = 100

_charge_kind = enum(pb.ChargeKind, ChargeKind)
_payment_kind = enum(pb.PaymentKind, PaymentKind)
_charge_number = number_of(pb.ChargeKind)
_payment_number = number_of(pb.PaymentKind)


def charges(messages: Sequence[pb.Charge], lines_minor: int) -> tuple[Charge, ...]:
    """Beside lines that come to so much: all together cost something, or nothing."""
    require(len(messages) <= _MOST, "charges", f"{len(messages)} charges, {_MOST} at most")
    found = each(messages, "charges", _charge)
    require(len({charge.charge_id for charge in found}) == len(found), "charges", "two have the same charge_id")
    total = lines_minor + sum(charge.amount_minor for charge in found)
    require(total >= 0, "charges", f"with the lines they come to {total} minor units, less than nothing")
    shapes.total(total, "charges", "cost with the lines")
    return found


def _charge(message: pb.Charge) -> Charge:
    kind, amount_minor = _charge_kind(message.kind, "kind"), message.amount_minor
    if kind is ChargeKind.DISCOUNT:
        require(-MOST_MINOR <= amount_minor <= 0, "amount_minor", f"{amount_minor} is no discount: 0 or below")
    else:
        shapes.minor(amount_minor, "amount_minor")
    return Charge(plain_id(message.charge_id, "charge_id"), kind, amount_minor, shapes.taken(message.title, "title"))


def payments(messages: Sequence[pb.Payment], at: datetime, edge: Edge) -> tuple[Payment, ...]:
    """Those that say no time were at this one."""
    require(len(messages) <= _MOST, "payments", f"{len(messages)} payments, {_MOST} at most")
    found = each(messages, "payments", lambda message: _payment(message, at, edge))
    require(len({payment.key for payment in found}) == len(found), "payments", "two have the same kind and payment_id")
    return found


def first_payments(messages: Sequence[pb.Payment], at: datetime, edge: Edge) -> tuple[Payment, ...]:
    """Those that an order brings with it."""
    found = payments(messages, at, edge)
    taken = any(payment.kind is PaymentKind.CHARGED_BACK for payment in found)
    require(not taken, "payments", "what a bank took back is told by RecordPayment or RecordChargeback")
    return found


_MAY_BE_NOTHING = (PaymentKind.VOIDED, PaymentKind.FAILED)


def _payment(message: pb.Payment, at: datetime, edge: Edge) -> Payment:
    kind = _payment_kind(message.kind, "kind")
    if not message.HasField("amount"):
        fault("amount", "is required")
    return Payment(
        plain_id(message.payment_id, "payment_id"),
        kind,
        shapes.money(message.amount, "amount", 0 if kind in _MAY_BE_NOTHING else 1),
        shapes.happened(message, edge.now) if message.HasField("at") else at,
        shapes.word(message.method, "method", 50),
        plain_id(message.of, "of") if message.of else "",
    )


def _to_collect(state: Order) -> int:
    """What carriers still have to collect."""
    if not state.money.on_delivery or state.header is Header.CANCELLED:
        return 0
    under_way = sum(each.collect_minor for each in state.shipments if each.bucket == "shipped")
    to_leave = [each for each in state.supplier_orders.values() if each.unshipped]
    return under_way + sum(orders.left_to_collect_minor(state, each.supplier_order_id) for each in to_leave)


def collected(amount_minor: int, state: Order) -> common_pb2.Money | None:
    return common_pb2.Money(amount_minor=amount_minor, currency=state.currency) if amount_minor else None


def shown(state: Order) -> dict[str, Any]:
    """The fields of an order's message that are about its money."""
    return {
        "charges": [
            pb.Charge(
                charge_id=charge.charge_id,
                kind=_charge_number(charge.kind),
                amount_minor=charge.amount_minor,
                title=charge.title,
            )
            for charge in state.money.charges
        ],
        "payments": [
            pb.Payment(
                payment_id=payment.payment_id,
                kind=_payment_number(payment.kind),
                amount=money(payment.amount),
                at=stamp(payment.at),
                method=payment.method,
                of=payment.of,
            )
            for payment in state.money.payments
        ],
        "money": pb.OrderMoney(
            total_minor=in_64_bits(orders.total_minor(state)),
            due_minor=in_64_bits(orders.due_minor(state)),
            came_in_minor=in_64_bits(orders.came_in_minor(state)),
            went_back_minor=in_64_bits(orders.went_back_minor(state)),
            owed_minor=in_64_bits(orders.owed_minor(state)),
            to_collect_minor=_to_collect(state),
            pay_by=stamp(orders.pay_by(state)),
        ),
        "source_version": state.money.version,
    }
