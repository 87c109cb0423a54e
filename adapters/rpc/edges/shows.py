"""What connections are told, as messages."""

from __future__ import annotations

from collections.abc import Iterable

from adapters.rpc.shows import number_of, stamp
from fulfilment.v1 import edges_pb2 as pb
from ledger.terms.effects import (
    Cancellation,
    Effect,
    FollowNumber,
    Fulfilment,
    HeldBack,
    OrderStanding,
    RefundAsked,
    ShopLine,
    StockLevel,
    TextMessage,
)
from ledger.terms.money import Money
from projections.effects import ListedEffect

_subject = number_of(pb.EffectSubject)
_state = number_of(pb.EffectState)


def effect(row: ListedEffect) -> pb.Effect:
    return pb.Effect(
        effect_id=row.effect_id,
        connection=row.connection,
        subject=_subject(row.subject),
        object_id=row.object_id,
        state=_state(row.state),
        asked_at=stamp(row.asked_at),
        again_at=stamp(row.again_at),
        attempts=row.attempts,
        reason=row.why,
        told=map(in_short, row.said),
        reference=row.reference,
        note=row.note,
        told_at=stamp(row.told_at),
    )


def in_short(said: Effect) -> str:
    match said:
        case OrderStanding():
            return " ".join((said.status, *(f"({each})" for each in said.holds)))
        case HeldBack():
            return f"held: {', '.join(each.reason for each in said.holds)}" if said.holds else "not held"
        case Fulfilment():
            gone = " did not leave" if said.withdrawn else ""
            return f"parcel {said.parcel_no}: {said.carrier} {said.tracking_number}{_lines(said.lines)}{gone}"
        case Cancellation():
            return "cancelled" if said.whole else f"cancelled{_lines(said.lines)}"
        case RefundAsked():
            return f"refund {said.refund_id}: {Money(said.amount_minor, said.currency)}"
        case StockLevel():
            return f"{said.available} available" if said.listed else "delisted"
        case FollowNumber():
            return "followed"
        case TextMessage():
            return f"text to the customer of {said.order_id}: {said.about}"


def _lines(lines: Iterable[ShopLine]) -> str:
    return "".join(f", {line.units} of {line.sku}" for line in lines)
