"""How each fact changes a supplier order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, assert_never

from msgspec.structs import replace

from ledger.facts import LineNo, Units, minus
from ledger.nouns.orders.supplier_orders.facts import (
    CancelAgreed,
    CancelRefused,
    CancelRequested,
    ClocksResumed,
    ClocksStopped,
    CompensationAccrued,
    CompensationReversed,
    PackingCorrected,
    PackingErrorFound,
    ShipmentVoided,
    ShippingChosen,
    SupplierOrderAcknowledged,
    SupplierOrderDrafted,
    SupplierOrderFact,
    SupplierOrderInvoiced,
    SupplierOrderPacked,
    SupplierOrderSent,
    SupplierOrderShipped,
    TrackingCorrected,
)
from ledger.nouns.orders.supplier_orders.state import (
    AskedAgain,
    CancelAsk,
    Invoiced,
    LeftAfterAll,
    LineShare,
    ShipTo,
    SupplierOrder,
    Wish,
)


def draft(fact: SupplierOrderDrafted) -> SupplierOrder:
    lines = {*fact.units, *fact.backordered}
    shares = {n: LineShare(pending=fact.units.get(n, 0), backordered=fact.backordered.get(n, 0)) for n in sorted(lines)}
    return SupplierOrder(
        fact.supplier_order_id,
        fact.supplier_id,
        shares,
        fact.at,
        fact.packing,
        fact.unit_costs,
        shipping=fact.shipping,
        instead_of=fact.instead_of,
        because=fact.because,
        choices=fact.choices,
        article_codes=fact.article_codes,
        packing_costs=fact.packing_costs,
        warehouse=fact.warehouse,
        send_by=fact.send_by,
    )


def evolve(supplier_order: SupplierOrder, fact: SupplierOrderFact) -> SupplierOrder:
    match fact:
        case SupplierOrderDrafted():
            return draft(fact)
        case ShippingChosen(shipping=shipping):
            return replace(supplier_order, shipping=shipping)
        case SupplierOrderSent():
            sent = replace(
                supplier_order,
                sent_at=fact.at,
                acknowledge_by=fact.acknowledge_by,
                dispatch_by=fact.dispatch_by,
                agreed=(fact.acknowledge_by, fact.dispatch_by),
                first_scan_within_hours=fact.first_scan_within_hours,
                peaks=fact.peaks,
                compensation_terms=fact.compensation,
                working=fact.working,
                cancel_answer_within_hours=fact.cancel_answer_within_hours,
            )
            if fact.address_changed_at is None:
                return sent
            return ask_again(sent, fact.address_changed_at, fact.acknowledge_again_by)
        case SupplierOrderAcknowledged(by_line=by_line):
            take = LineShare.answer_before if supplier_order.told_before(fact.at) else LineShare.answer
            answered = {line_no: take(supplier_order.shares[line_no], answer) for line_no, answer in by_line.items()}
            shares = {**supplier_order.shares, **answered}
            cancel_asked, reroute_asked = _still_asked(supplier_order, shares)
            rejected = {line_no: answer.rejected for line_no, answer in by_line.items() if answer.rejected}
            acknowledged_at, asked_again = _acknowledged(supplier_order, fact.at)
            return replace(
                _dropped(supplier_order, rejected, fact.at),
                shares=shares,
                cancel_asked=cancel_asked,
                reroute_asked=reroute_asked,
                answers=(*supplier_order.answers, fact),
                acknowledged_at=acknowledged_at,
                asked_again=asked_again,
                asks=_still_open(supplier_order.asks, cancel_asked, fact.at),
            )
        case SupplierOrderPacked(at=at):
            # Packing or shipping shows that it took the order on, also without an answer.
            acknowledged_at, asked_again = _acknowledged(supplier_order, at)
            return replace(
                supplier_order,
                packed_at=at,
                packed_with=fact.packed_with,
                packing_oddities=fact.oddities,
                acknowledged_at=acknowledged_at,
                asked_again=asked_again,
            )
        case PackingErrorFound(lacking=lacking):
            return replace(supplier_order, packing_lacks=lacking)
        case PackingCorrected():
            return replace(supplier_order, packing_lacks=())
        case SupplierOrderShipped(by_line=by_line, at=at):
            acknowledged_at, asked_again = _acknowledged(supplier_order, at)
            shipped_at = supplier_order.last_shipped_at
            return replace(
                supplier_order,
                shares=_changed(supplier_order.shares, by_line, LineShare.ship),
                # What left beside what was ordered ends no clock.
                last_shipped_at=max(at, shipped_at or at) if by_line else shipped_at,
                acknowledged_at=acknowledged_at,
                asked_again=asked_again,
                late=_still_late(supplier_order, by_line, at),
                **(_left_after_all(supplier_order, by_line, at) if supplier_order.dropped else {}),
            )
        case ShipmentVoided(by_line=by_line):
            parcel, shares = (fact.carrier, fact.number, fact.epoch), supplier_order.shares
            back = LineShare.unship if supplier_order.answers else LineShare.unship_unanswered
            shares = _changed(shares, by_line, back)
            # What did not leave is the supplier's to send, whatever it was before.
            after_all = tuple(
                replace(each, by_line=minus(each.by_line, by_line)) for each in supplier_order.left_after_all
            )
            return replace(
                supplier_order, shares=shares, voided=(*supplier_order.voided, parcel), left_after_all=after_all
            )
        case TrackingCorrected():
            return supplier_order
        case CancelRequested():
            return _asked(supplier_order, fact)
        case CancelAgreed(by_line=by_line, rerouted=rerouted):
            cancelled = {
                line_no: left for line_no, units in by_line.items() if (left := units - rerouted.get(line_no, 0))
            }
            shares = _changed(supplier_order.shares, cancelled, LineShare.cancel)
            shares = _changed(shares, rerouted, LineShare.reroute)
            dropped = _dropped(supplier_order, by_line, fact.at)
            asks = _still_open(supplier_order.asks, {}, fact.at)
            return replace(dropped, shares=shares, cancel_asked={}, reroute_asked={}, asks=asks)
        case CancelRefused():
            refused = _refused(supplier_order, fact.by_line)
            return replace(refused, asks=_still_open(refused.asks, refused.cancel_asked, fact.at))
        case ClocksStopped(at=at):
            return replace(
                supplier_order,
                stopped_since=at,
                acknowledge_by=fact.acknowledge_by or supplier_order.acknowledge_by,
                dispatch_by=fact.dispatch_by or supplier_order.dispatch_by,
            )
        case ClocksResumed():
            return replace(
                supplier_order,
                stopped_since=None,
                acknowledge_by=fact.acknowledge_by,
                dispatch_by=fact.dispatch_by,
            )
        case CompensationAccrued():
            return replace(supplier_order, compensation=fact)
        case CompensationReversed():
            return replace(supplier_order, compensation=None)
        case SupplierOrderInvoiced(invoice=number):
            invoiced = {**supplier_order.invoiced, number: Invoiced(fact.by_line, fact.waiting)}
            return replace(supplier_order, invoiced=invoiced)
        case _:
            assert_never(fact)


def ask_again(supplier_order: SupplierOrder, at: datetime, acknowledge_by: datetime | None) -> SupplierOrder:
    """It was told another address: what it accepted it is to accept once more, in so much time from then on."""
    shares = {line_no: share.ask_again() for line_no, share in supplier_order.shares.items()}
    clocked = acknowledge_by is not None or supplier_order.acknowledge_by is None
    since = max(at, supplier_order.sent_at or at)
    asked = replace(supplier_order, shares=shares, asked_again=AskedAgain(since, clocked))
    if not clocked:
        return asked
    agreed = (acknowledge_by, supplier_order.agreed[1])
    return replace(asked, acknowledge_by=acknowledge_by, agreed=agreed, acknowledged_at=None)


def keep_address(supplier_order: SupplierOrder, ship_to: ShipTo, at: datetime) -> SupplierOrder:
    """It turns out to have been packed, or to have left, before its supplier was asked again."""
    acknowledged_at = _earliest(supplier_order.acknowledged_at, at)
    return replace(supplier_order, ship_to=ship_to, asked_again=None, acknowledged_at=acknowledged_at)


def with_parcels(supplier_order: SupplierOrder, shipped_at: Sequence[datetime]) -> SupplierOrder:
    """As it is if these are all its parcels that left: when it took the order on, where it goes, when the last left."""
    answered_at = (answer.at for answer in supplier_order.answers)
    packed_at = () if supplier_order.packed_at is None else (supplier_order.packed_at,)
    signs, again = [*answered_at, *packed_at, *shipped_at], supplier_order.asked_again
    since = signs if again is None else [at for at in signs if at >= again.at]
    ship_to = supplier_order.ship_to
    if ship_to is not None and not supplier_order.is_fixed:
        ship_to = None
    return replace(
        supplier_order,
        last_shipped_at=max(shipped_at, default=None),
        acknowledged_at=min(since if again is not None and again.clocked else signs, default=None),
        asked_again=again and replace(again, acknowledged_at=min(since, default=None)),
        ship_to=ship_to,
    )


def _acknowledged(supplier_order: SupplierOrder, at: datetime) -> tuple[datetime | None, AskedAgain | None]:
    """When it first took the order on, and what it was asked again; what came before that says nothing of it."""
    first, again = supplier_order.acknowledged_at, supplier_order.asked_again
    if again is None:
        return _earliest(first, at), None
    if at < again.at:
        return (first if again.clocked else _earliest(first, at)), again
    return _earliest(first, at), replace(again, acknowledged_at=_earliest(again.acknowledged_at, at))


def _earliest(earlier: datetime | None, at: datetime) -> datetime:
    return at if earlier is None else min(earlier, at)


def _dropped(supplier_order: SupplierOrder, by_line: Units, at: datetime) -> SupplierOrder:
    """Units that it will not ship after all; those that were dropped in time were not late."""
    if not by_line:
        return supplier_order
    due, late = supplier_order.dispatch_by, supplier_order.late
    if due is not None and at < due:
        late = minus(late, by_line)
    return replace(supplier_order, dropped=(*supplier_order.dropped, (at, by_line)), late=late)


def _refused(supplier_order: SupplierOrder, by_line: Units) -> SupplierOrder:
    """Without the request for these units: those that were to be rerouted are refused first."""
    refused = by_line or supplier_order.cancel_asked
    asked, rerouted = minus(supplier_order.cancel_asked, refused), minus(supplier_order.reroute_asked, refused)
    return replace(supplier_order, cancel_asked=asked, reroute_asked=rerouted)


def _left_after_all(supplier_order: SupplierOrder, by_line: Units, at: datetime) -> dict[str, Any]:
    """What changes where units that were dropped have left: those that were dropped last."""
    back = {n: beyond for n, units in by_line.items() if (beyond := units - supplier_order.shares[n].unshipped) > 0}
    if not back:
        return {}
    kept, left = [], [*supplier_order.left_after_all]
    for dropped_at, dropped in reversed(supplier_order.dropped):
        if still := minus(dropped, back):
            kept.append((dropped_at, still))
        if of_these := minus(dropped, still):
            left.append(LeftAfterAll(dropped_at, at, of_these))
        back = minus(back, dropped)
    return {"dropped": tuple(reversed(kept)), "left_after_all": tuple(left)}


def _still_late(supplier_order: SupplierOrder, by_line: Units, at: datetime) -> Units:
    """The late units without those of a parcel that left in time."""
    if not supplier_order.late or supplier_order.dispatch_by is None or at > supplier_order.dispatch_by:
        return supplier_order.late
    return minus(supplier_order.late, by_line)


def _changed(
    shares: dict[LineNo, LineShare], by_line: Units, change: Callable[[LineShare, int], LineShare]
) -> dict[LineNo, LineShare]:
    return {**shares, **{line_no: change(shares[line_no], units) for line_no, units in by_line.items()}}


def _asked(supplier_order: SupplierOrder, request: CancelRequested) -> SupplierOrder:
    wish = Wish(request.by, request.because, request.reroute_to)
    more_rerouted = sum(request.rerouted.values()) > sum(supplier_order.reroute_asked.values())
    more, asks = minus(request.by_line, supplier_order.cancel_asked), supplier_order.asks
    if more and request.answer_by is not None:
        asks = (*asks, CancelAsk(more, request.answer_by))
    asked = replace(supplier_order, cancel_asked=request.by_line, reroute_asked=request.rerouted, asks=asks)
    return replace(asked, reroute_wish=wish) if more_rerouted else replace(asked, cancel_wish=wish)


def _still_open(asks: tuple[CancelAsk, ...], left: Units, at: datetime) -> tuple[CancelAsk, ...]:
    """The requests once only these units are still asked for: those of the last ones."""
    found = []
    for ask in reversed(asks):
        units = {n: count for n, asked in ask.units.items() if (count := min(asked, left.get(n, 0)))}
        ended_at = ask.ended_at or (None if units else at)
        found.append(replace(ask, units=units, ended_at=ended_at))
        left = minus(left, units)
    return tuple(reversed(found))


def _still_asked(supplier_order: SupplierOrder, shares: dict[LineNo, LineShare]) -> tuple[Units, Units]:
    """What it is still asked to cancel, and to reroute of that, once units were rejected.

    Rejected units are first those that it was not asked about, then those to cancel, then those to reroute.
    """
    cancel_asked, reroute_asked = {}, {}
    for line_no, asked in supplier_order.cancel_asked.items():
        left = min(asked, shares[line_no].unshipped)
        rerouted = supplier_order.reroute_asked.get(line_no, 0)
        rejected_of_rerouted = max(asked - left - (asked - rerouted), 0)
        if left:
            cancel_asked[line_no] = left
        if rerouted > rejected_of_rerouted:
            reroute_asked[line_no] = rerouted - rejected_of_rerouted
    return cancel_asked, reroute_asked
