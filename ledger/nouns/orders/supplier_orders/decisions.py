"""Decisions on one supplier order: what its supplier answers, packs and ships, what is taken back from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter

from ledger.facts import LineNo, Units, minus, plus
from ledger.nouns.orders.supplier_orders.evolving import evolve
from ledger.nouns.orders.supplier_orders.facts import (
    CancelAgreed,
    CancelRefused,
    CancelRequested,
    ClocksResumed,
    ClocksStopped,
    LineAnswer,
    Oddity,
    PackingCorrected,
    PackingErrorFound,
    SupplierOrderAcknowledged,
    SupplierOrderFact,
    SupplierOrderPacked,
    SupplierOrderShipped,
)
from ledger.nouns.orders.supplier_orders.refusals import (
    NoCancelAsked,
    NothingToShip,
    NotSent,
    OverAnswered,
    UnderAnswered,
    UnknownLine,
)
from ledger.nouns.orders.supplier_orders.state import (
    LineShare,
    Stop,
    SupplierOrder,
    Wish,
    later_by,
    merged_spans,
)
from ledger.terms.calendars import due_after


def acknowledge(
    supplier_order: SupplierOrder, by_line: dict[LineNo, LineAnswer], at: datetime
) -> Sequence[SupplierOrderFact]:
    """The supplier's answer. The same answer of the same moment records nothing; any other adds to those before.

    It may be told after the goods left: what it accepts of those is only history.
    """
    answered = SupplierOrderAcknowledged(supplier_order.supplier_order_id, by_line, at)
    if answered in supplier_order.answers:
        return []
    _require_sent(supplier_order)
    outdated = supplier_order.told_before(at)  # then what it accepted is only history
    for line_no, answer in by_line.items():
        share = share_of(supplier_order, line_no)
        said = answer.units - answer.accepted if outdated else share.still_open(answer).units
        if said > share.pending + share.backordered:
            raise OverAnswered(line_no, asked=share.pending + share.backordered, answered=answer.units)
        if said < share.pending and not outdated:
            raise UnderAnswered(line_no, asked=share.pending, answered=answer.units)
    return [answered]


def pack(
    supplier_order: SupplierOrder, packed_with: tuple[str, ...], at: datetime, oddities: tuple[Oddity, ...] = ()
) -> Sequence[SupplierOrderFact]:
    """Packed, and with what. Repeating it records nothing; packing that lacks is an error, recorded once."""
    if supplier_order.packed_at is not None and supplier_order.packed_with == packed_with:
        return []
    _require_sent(supplier_order)
    if not supplier_order.unshipped:
        raise NothingToShip(supplier_order.supplier_order_id, supplier_order.stage)
    supplier_order_id = supplier_order.supplier_order_id
    packed = SupplierOrderPacked(supplier_order_id, packed_with, at, oddities)
    lacking = tuple(word for word in supplier_order.packing if word not in packed_with)
    if lacking == supplier_order.packing_lacks:
        return [packed]
    if lacking:
        return [packed, PackingErrorFound(supplier_order_id, lacking, at)]
    return [packed, PackingCorrected(supplier_order_id, at)]


def ship(supplier_order: SupplierOrder, shipped: SupplierOrderShipped) -> Sequence[SupplierOrderFact]:
    """Units left in a parcel. A cancel request came too late for those of its units that left, and stays open for the
    others."""
    gone = minus(supplier_order.cancel_asked, left_to_ship(evolve(supplier_order, shipped)))
    if not gone:
        return [shipped]
    return [shipped, CancelRefused(supplier_order.supplier_order_id, "already_shipped", shipped.at, gone)]


def left_to_ship(supplier_order: SupplierOrder) -> Units:
    """All units that can still be shipped, by line."""
    return {line_no: left for line_no, share in supplier_order.shares.items() if (left := share.unshipped)}


def expected_at(supplier_order: SupplierOrder, line_no: LineNo) -> datetime | None:
    """The day that the supplier last named for units of a line that it has yet to get."""
    if not supplier_order.shares[line_no].backordered:
        return None
    by_time = sorted(supplier_order.answers, key=attrgetter("at"))
    answers = [each.by_line[line_no] for each in by_time if line_no in each.by_line]
    return next((answer.expected_at for answer in reversed(answers) if answer.backordered), None)


def ask_to_cancel(
    supplier_order: SupplierOrder, by_line: Units, by: str, because: str, at: datetime
) -> Sequence[SupplierOrderFact]:
    """Ask the supplier not to ship units, in addition to those asked for before; a draft is cancelled at once.

    Units that were to be rerouted come first: they are not wanted from anybody any more.
    """
    if supplier_order.sent_at is None:
        return [CancelAgreed(supplier_order.supplier_order_id, by_line, at, by)]
    asked, rerouted = dict(supplier_order.cancel_asked), dict(supplier_order.reroute_asked)
    for line_no, units in by_line.items():
        not_rerouted = min(units, rerouted.pop(line_no, 0))
        if left := supplier_order.reroute_asked.get(line_no, 0) - not_rerouted:
            rerouted[line_no] = left
        asked[line_no] = asked.get(line_no, 0) + units - not_rerouted
    to = supplier_order.reroute_wish.to if supplier_order.reroute_wish and rerouted else ""
    return [cancel_request(supplier_order, asked, Wish(by, because, to), rerouted, at)]


def cancel_request(
    supplier_order: SupplierOrder, asked: Units, wish: Wish, rerouted: Units, at: datetime
) -> CancelRequested:
    """The request for these units, with when its answer is due as agreed when the supplier order was sent."""
    hours, peaks = supplier_order.cancel_answer_within_hours, supplier_order.peaks
    answer_by = due_after(at, hours, peaks, supplier_order.working, "cancel_answer_within")
    name = supplier_order.supplier_order_id
    return CancelRequested(
        supplier_order_id=name,
        by_line=asked,
        by=wish.by,
        because=wish.because,
        at=at,
        rerouted=rerouted,
        reroute_to=wish.to,
        answer_by=answer_by,
    )


def ask_to_reroute(
    supplier_order: SupplierOrder, by_line: Units, by: str, because: str, to: str, at: datetime
) -> Sequence[SupplierOrderFact]:
    """Ask the supplier for units that are to go to another one; a draft gives them up at once."""
    if supplier_order.sent_at is None:
        return [CancelAgreed(supplier_order.supplier_order_id, by_line, at, by, rerouted=by_line)]
    asked, rerouted = plus(supplier_order.cancel_asked, by_line), plus(supplier_order.reroute_asked, by_line)
    return [cancel_request(supplier_order, asked, Wish(by, because, to), rerouted, at)]


def reroutable(supplier_order: SupplierOrder) -> Units:
    """The units that it was not asked to cancel or give up yet, by line."""
    return _beyond(supplier_order, supplier_order.cancel_asked)


def cancellable(supplier_order: SupplierOrder) -> Units:
    """The units that nobody asked it to cancel yet, by line; those that are to be rerouted can be."""
    return _beyond(supplier_order, cancels_asked(supplier_order))


def _beyond(supplier_order: SupplierOrder, asked: Units) -> Units:
    left = {n: units - asked.get(n, 0) for n, units in left_to_ship(supplier_order).items()}
    return {line_no: units for line_no, units in left.items() if units}


def cancels_asked(supplier_order: SupplierOrder) -> Units:
    """The units that it was asked to cancel, without those that another supplier is to send."""
    rerouted = supplier_order.reroute_asked
    return {n: left for n, units in supplier_order.cancel_asked.items() if (left := units - rerouted.get(n, 0))}


def answer_cancel(
    supplier_order: SupplierOrder, agreed: bool, because: str, at: datetime
) -> Sequence[SupplierOrderFact]:
    """The supplier's answer to a cancel request."""
    if not supplier_order.cancel_asked:
        raise NoCancelAsked(supplier_order.supplier_order_id)
    if agreed:
        asked, rerouted = supplier_order.cancel_asked, supplier_order.reroute_asked
        return [CancelAgreed(supplier_order.supplier_order_id, asked, at, rerouted=rerouted)]
    return [CancelRefused(supplier_order.supplier_order_id, because, at)]


def recompute_clocks(supplier_order: SupplierOrder, stops: Iterable[Stop], at: datetime) -> list[SupplierOrderFact]:
    """Its clocks by all known holds, in whatever order they were recorded. No change records nothing.

    A clock stands still while any of the holds stands, from when it runs.
    """
    if supplier_order.sent_at is None:
        return []
    stops, again = tuple(stops), supplier_order.asked_again
    spans = merged_spans(stops, supplier_order.sent_at, supplier_order.ended_at)
    stopped_since = spans[-1][0] if spans and spans[-1][1] is None else None
    since = again.at if again is not None and again.clocked else supplier_order.sent_at
    until_answered = merged_spans(stops, since, supplier_order.ended_at)
    acknowledge_by = later_by(
        supplier_order.agreed[0], until_answered, supplier_order.calendar_of("acknowledge_within")
    )
    dispatch_by = later_by(supplier_order.agreed[1], spans, supplier_order.calendar_of("dispatch_within"))
    present = (supplier_order.acknowledge_by, supplier_order.dispatch_by)
    if (stopped_since, acknowledge_by, dispatch_by) == (supplier_order.stopped_since, *present):
        return []
    supplier_order_id = supplier_order.supplier_order_id
    if stopped_since is None:
        return [ClocksResumed(supplier_order_id, at, acknowledge_by, dispatch_by)]
    if (acknowledge_by, dispatch_by) == present:
        return [ClocksStopped(supplier_order_id, stopped_since)]
    return [ClocksStopped(supplier_order_id, stopped_since, acknowledge_by, dispatch_by)]


def share_of(supplier_order: SupplierOrder, line_no: LineNo) -> LineShare:
    share = supplier_order.shares.get(line_no)
    if share is None:
        raise UnknownLine(f"supplier order {supplier_order.supplier_order_id}", line_no)
    return share


def _require_sent(supplier_order: SupplierOrder) -> None:
    if supplier_order.sent_at is None:
        raise NotSent(supplier_order.supplier_order_id, supplier_order.stage)
