"""What a shop is to be told of an order: the difference between how it is and what the shop knows.

Numbers that are corrected, parcels that turn out not to have left, further parcels and units that are cancelled all
follow from that one comparison, whatever came first and however often it is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from ledger.facts import Fact, LineNo, Units, plus
from ledger.nouns.effects import ToldPart
from ledger.nouns.orders import LEDGER, Header, Line, Order, UnitsCancelled
from ledger.nouns.orders.supplier_orders import CancelRequested, SupplierOrderShipped, TrackingCorrected
from ledger.terms.effects import (
    Cancellation,
    Effect,
    EffectKind,
    Fulfilment,
    HeldBack,
    OrderStanding,
    RefundAsked,
    ShopLine,
    StandingHold,
    kind_of,
)

Kinds = Collection[EffectKind]
Parts = Mapping[str, ToldPart]
STANDING = "order"
HELD = "hold"
CANCELLATION = "cancellation"


class Untold(NamedTuple):
    """A part that a system is to be told."""

    part: str
    effect: Effect
    before: ToldPart | None


def of_order(order: Order, told: Parts, kinds: Kinds, *, anew: bool = False) -> list[Untold]:
    """What is to be told, in its order: how it stands and is held, parcels that did not leave, corrected and further
    ones, cancels, refunds.

    An old order that was recorded for its figures, and one that sends units once more, which no shop knows, are told
    nothing of. ``anew`` also what the shop knows, as if it did not.
    """
    if order.placed.historical or order.placed.reship_of:
        return []
    found = [
        *_standing(order, told),
        *_held(order, told),
        *_parcels(order, told),
        *_cancelled(order, told),
        *_refunds(order, told),
    ]
    found += _known_still(order, told, {each.part for each in found}) if anew else []
    return [each for each in found if kind_of(each.effect) in kinds]


def _known_still(order: Order, told: Parts, changed: Collection[str]) -> list[Untold]:
    """What a shop was told and is still so, as its first news."""
    return [
        Untold(part, each.said, None)
        for part, each in told.items()
        if part not in changed and _stands(order, each.said)
    ]


def _stands(order: Order, said: Effect) -> bool:
    match said:
        case Fulfilment():
            return not said.withdrawn
        case RefundAsked():
            refund = order.after_sales.refunds.get(said.refund_id)
            return refund is not None and not refund.paid
        case HeldBack():
            return bool(said.holds) and not order.header.is_over
        case _:
            return True


def _standing(order: Order, told: Parts) -> list[Untold]:
    holds = tuple(sorted({str(each.reason) for each in order.holds}))
    now, before = OrderStanding(order.placed.channel_order_id, str(order.header), holds), told.get(STANDING)
    return [Untold(STANDING, now, before)] if before is None or before.said != now else []


def _held(order: Order, told: Parts) -> list[Untold]:
    """Holds that somebody placed. Those of the ledger come and go with stock, money and addresses, which shops see."""
    standing = {(str(each.reason), each.owner) for each in order.holds if not each.supplier_order_id}
    holds = tuple(StandingHold(reason, owner) for reason, owner in sorted(standing) if owner != LEDGER)
    now, before = HeldBack(order.placed.channel_order_id, holds), told.get(HELD)
    if order.header.is_over or (now == before.said if before is not None else not holds):
        return []
    return [Untold(HELD, now, before)]


def _parcels(order: Order, told: Parts) -> list[Untold]:
    present = _contents(order)
    known = {part: each for part, each in told.items() if isinstance(each.said, Fulfilment) and not each.said.withdrawn}
    left = order.units("open") + order.units("backordered") + order.units("assigned")
    paired = _paired(present, known)
    gone = [_withdrawn(part, known[part]) for part in known if part not in paired.values()]
    number = sum(part.startswith("parcel/") for part in told)
    changed = []
    for index, fulfilment in enumerate(present):
        part = paired.get(index)
        if part is None:
            number += 1
        parcel_no = number if part is None else int(part.partition("/")[2])
        before = known.get(f"parcel/{parcel_no}")
        completed = before is not None and isinstance(before.said, Fulfilment) and before.said.completes
        completes = not left and (completed or index == len(present) - 1)
        now = replace(fulfilment, parcel_no=parcel_no, completes=completes)
        if before is None or now != before.said:
            changed.append(Untold(f"parcel/{parcel_no}", now, before))
    return [*gone, *changed]


def _withdrawn(part: str, before: ToldPart) -> Untold:
    assert isinstance(before.said, Fulfilment), "a parcel's part"
    return Untold(part, replace(before.said, withdrawn=True, completes=False), before)


def _paired(present: Sequence[Fulfilment], known: Parts) -> dict[int, str]:
    """Which parcel is which part: by its number; else the same goods go under another number now."""
    free = dict(known)
    paired: dict[int, str] = {}
    for by_number in (True, False):
        for index, now in enumerate(present):
            if index not in paired and (part := _same(now, free, by_number=by_number)) is not None:
                paired[index] = part
                del free[part]
    return paired


def _same(now: Fulfilment, free: Parts, *, by_number: bool) -> str | None:
    for part, each in free.items():
        said = each.said
        assert isinstance(said, Fulfilment), "a parcel's part"
        numbers = ((now.carrier, now.tracking_number), (said.carrier, said.tracking_number))
        if numbers[0] == numbers[1] if by_number else now.lines == said.lines:
            return part
    return None


def _contents(order: Order) -> list[Fulfilment]:
    """The parcels that hold something of the order, the first reported first."""
    found: dict[tuple[str, str, int], Units] = {}
    for each in order.shipments:
        if each.by_line or not order.lines:
            found[each.parcel] = plus(found.get(each.parcel, {}), each.by_line)
    shipped_at = {each.parcel: each.shipped_at for each in reversed(order.shipments)}
    before: Units = {}
    fulfilments: list[Fulfilment] = []
    for parcel, units in found.items():
        carrier, number, _ = parcel
        sold = _sold(order, before := plus(before, units))
        lines = tuple(_less(sold, [line for each in fulfilments for line in each.lines]))
        fulfilments.append(Fulfilment(order.placed.channel_order_id, 0, lines, carrier, number, shipped_at[parcel]))
    return fulfilments


def _less(sold: Iterable[ShopLine], before: Sequence[ShopLine]) -> Iterator[ShopLine]:
    for line in sold:
        units = line.units - sum(each.units for each in before if each.line_no == line.line_no)
        if units > 0:
            yield replace(line, units=units)


def _sold(order: Order, units: Units) -> list[ShopLine]:
    """Units by the lines that the shop sold: as many of a bundle as all of its parts make."""
    bundles: dict[LineNo, list[Line]] = {}
    for line in order.lines.values():
        bundles.setdefault(line.part_of.line_no if line.part_of else line.line_no, []).append(line)
    lines = []
    for line_no, parts in bundles.items():
        whole = parts[0].part_of
        count = min(units.get(each.line_no, 0) // (each.part_of.units if each.part_of else 1) for each in parts)
        if count:
            lines.append(ShopLine(line_no, whole.sku if whole else parts[0].sku, count, parts[0].channel_line_id))
    return lines


def _cancelled(order: Order, told: Parts) -> list[Untold]:
    """All units that will not be sent, unless the shop knows of each of them."""
    before = told.get(CANCELLATION)
    known = before.said.lines if before is not None and isinstance(before.said, Cancellation) else ()
    whole = order.header is Header.CANCELLED
    lines = _sold(order, order.in_bucket("cancelled"))
    if not (any(_less(lines, known)) or (before is None and whole)):
        return []
    lines = _most(lines, known)
    return [Untold(CANCELLATION, Cancellation(order.placed.channel_order_id, tuple(lines), whole), before)]


def _most(lines: Sequence[ShopLine], others: Sequence[ShopLine]) -> list[ShopLine]:
    by_line = {each.line_no: each for each in others}
    for each in lines:
        known = by_line.get(each.line_no)
        by_line[each.line_no] = each if known is None or known.units < each.units else known
    return [by_line[line_no] for line_no in sorted(by_line)]


def _refunds(order: Order, told: Parts) -> list[Untold]:
    found = []
    for refund_id, refund in order.after_sales.refunds.items():
        part = f"refund/{refund_id}"
        if part not in told and not refund.paid and refund.amount_minor > 0:
            asked = RefundAsked(
                order.placed.channel_order_id,
                refund_id,
                refund.amount_minor,
                order.currency,
                lines=tuple(_sold(order, refund.by_line)),
                case_id=refund.case_id,
            )
            found.append(Untold(part, asked, None))
    return found


def known_by(order: Order, told: Parts, facts: Sequence[Fact]) -> dict[str, Effect]:
    """What the shop knows of an order by having told it: these facts are recorded from what it told."""
    numbers = {_number_of(fact) for fact in facts}
    found: dict[str, Effect] = {
        part: effect for part, effect, _ in _parcels(order, told) if _number_in(effect) in numbers
    }
    if any(isinstance(fact, UnitsCancelled | CancelRequested) for fact in facts):
        before = told.get(CANCELLATION)
        known = before.said.lines if before is not None and isinstance(before.said, Cancellation) else ()
        lines = _most(_sold(order, plus(order.in_bucket("cancelled"), _asked(order))), known)
        whole = not any(_less(_sold(order, {n: each.total for n, each in order.buckets.items()}), lines))
        found[CANCELLATION] = Cancellation(order.placed.channel_order_id, tuple(lines), whole)
    return found


def _asked(order: Order) -> Units:
    """Units that suppliers were asked not to send, but for those that go to another one."""
    asked: Units = {}
    for each in order.supplier_orders.values():
        asked = plus(asked, {n: max(units - each.reroute_asked.get(n, 0), 0) for n, units in each.cancel_asked.items()})
    return asked


def _number_in(effect: Effect) -> tuple[str, str]:
    assert isinstance(effect, Fulfilment), "a parcel's part"
    return (effect.carrier, effect.tracking_number)


def _number_of(fact: Fact) -> tuple[str, str] | None:
    match fact:
        case SupplierOrderShipped():
            return (fact.carrier, fact.number)
        case TrackingCorrected():
            return (fact.right[0], fact.right[1])
        case _:
            return None
