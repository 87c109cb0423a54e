"""Supplier orders: what one supplier is to send for one order, from draft to shipped (DOMAIN 1).

Their facts stand in the order's stream, because the units of a line must be counted in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import assert_never

from msgspec.structs import replace

from ledger.facts import (
    Fact,
    LineNo,
    Units,
    Value,
)
from ledger.nouns.choice import Choice
from ledger.nouns.suppliers import CompensationTerms, PeakPeriod
from ledger.refusals import Forbidden, NotFound
from ledger.terms.money import Money
from ledger.terms.shipping import Chosen

# --- facts ----------------------------------------------------------------------------------------


class OfSupplierOrder(Fact, frozen=True, tag=""):
    """A fact about one supplier order."""

    supplier_order_id: str


class SupplierOrderDrafted(OfSupplierOrder, frozen=True, tag="order.supplier_order_drafted"):
    """Units of the order were given to a supplier; it does not know yet."""

    supplier_id: str
    units: Units
    at: datetime
    backordered: Units = {}
    """Units given to it that it has to get first."""
    packing: tuple[str, ...] = ()
    """What it is to pack with, such as ``logo_label``; what it cannot do is replaced by the agreed fallback."""
    unit_costs: dict[LineNo, Money] = {}
    """What the retailer owes for a unit of each line, by the supplier's offer then; without one it is left out."""
    instead_of: str = ""
    """The supplier order that had the units before, where they were rerouted."""
    because: str = ""
    """Why they were rerouted."""
    choices: tuple[Choice, ...] = ()
    """Why this supplier, for each SKU, where it was not the shop that named it."""
    shipping: Chosen | None = None
    """The service it is to be sent with; None where a country was not known, so that none could be chosen."""


class ShippingChosen(OfSupplierOrder, frozen=True, tag="order.shipping_chosen"):
    """Another service was chosen for a supplier order, because its address or what is known of it changed."""

    shipping: Chosen
    at: datetime


class SupplierOrderSent(OfSupplierOrder, frozen=True, tag="order.supplier_order_sent"):
    """The dispatch instruction went out; its clocks run. A clock without a time was not agreed."""

    at: datetime
    acknowledge_by: datetime | None = None
    dispatch_by: datetime | None = None
    first_scan_within_hours: int | None = None
    peaks: tuple[PeakPeriod, ...] = ()
    """The agreed peak periods that were not over, for clocks that start later."""
    compensation: CompensationTerms | None = None
    """What a late dispatch costs under the agreement in force; None where nothing was agreed."""


class RejectReason(StrEnum):
    """Why a supplier does not take units."""

    OUT_OF_STOCK = "out_of_stock"
    DISCONTINUED = "discontinued"
    CANNOT_SHIP_TO = "cannot_ship_to"
    PRICE_CHANGED = "price_changed"
    QUANTITY_CHANGED = "quantity_changed"
    OTHER = "other"


class Answer(Value, frozen=True):
    """The supplier's answer for one line, in units."""

    accepted: int = 0
    backordered: int = 0
    rejected: int = 0
    expected_at: datetime | None = None
    """When backordered units are expected."""
    because: RejectReason | None = None

    @property
    def units(self) -> int:
        return self.accepted + self.backordered + self.rejected


class SupplierOrderAcknowledged(OfSupplierOrder, frozen=True, tag="order.supplier_order_acknowledged"):
    """The supplier's answer, line by line. Rejected units are open again."""

    by_line: dict[LineNo, Answer]
    at: datetime


class Oddity(StrEnum):
    """What should not have happened, and did: it is recorded all the same, and somebody's work."""

    ON_HOLD = "on_hold"
    """A hold stood."""
    TOO_EARLY = "too_early"
    """Before the order was placed, or more than three days before the supplier was told: the time cannot be right."""

    @property
    def sentence(self) -> str:
        """What to tell whoever records it."""
        if self is Oddity.ON_HOLD:
            return "the order was on hold; it is recorded and is somebody's work"
        return "the time cannot be right: it is before the order, or long before the supplier was told of it"


class SupplierOrderPacked(OfSupplierOrder, frozen=True, tag="order.supplier_order_packed"):
    """The goods are packed, with what."""

    packed_with: tuple[str, ...]
    at: datetime
    oddities: tuple[Oddity, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(each.sentence for each in self.oddities)


class PackingErrorFound(OfSupplierOrder, frozen=True, tag="order.packing_error_found"):
    """It was packed without something that it was to be packed with: an order error of the supplier."""

    lacking: tuple[str, ...]
    at: datetime


class PackingCorrected(OfSupplierOrder, frozen=True, tag="order.packing_corrected"):
    """It was packed anew, with all that lacked: the error is withdrawn."""

    at: datetime


class SupplierOrderShipped(OfSupplierOrder, frozen=True, tag="order.supplier_order_shipped"):
    """Units left in a parcel, as the supplier says."""

    carrier: str
    number: str
    epoch: int
    by_line: Units
    at: datetime
    oddities: tuple[Oddity, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(each.sentence for each in self.oddities)


class CancelRequested(OfSupplierOrder, frozen=True, tag="order.supplier_order_cancel_requested"):
    """The supplier was asked not to ship these units; it takes the place of an earlier request."""

    by_line: Units
    by: str
    because: str
    at: datetime
    rerouted: Units = {}
    """Those of them that are to go to another supplier; the others are to be cancelled."""
    reroute_to: str = ""
    """The supplier that a person named for them; empty if the ledger is to choose."""


class CancelAgreed(OfSupplierOrder, frozen=True, tag="order.supplier_order_cancelled"):
    """The supplier will not ship these units; they are cancelled, but for those that are rerouted."""

    by_line: Units
    at: datetime
    by: str = ""
    """On whose wish a draft was cancelled, which no supplier was asked about; otherwise the request says it."""
    rerouted: Units = {}
    """Those of them that are open again, to go to another supplier."""


class CancelRefused(OfSupplierOrder, frozen=True, tag="order.supplier_order_cancel_refused"):
    """The cancel request came too late, because the parcel left first or the supplier said so."""

    because: str
    at: datetime
    by_line: Units = {}
    """The units that it came too late for, and it stands open for the rest; empty means for all."""


class ClocksStopped(OfSupplierOrder, frozen=True, tag="order.clocks_stopped"):
    """A hold of the retailer or the customer stopped the supplier's clocks, or did so earlier than was known."""

    at: datetime
    acknowledge_by: datetime | None = None
    """When it would be due if the clock had not stopped; None if that is as it was."""
    dispatch_by: datetime | None = None


class ClocksResumed(OfSupplierOrder, frozen=True, tag="order.clocks_resumed"):
    """No such hold stands any more; the clocks are due later by the time that they stood still in all."""

    at: datetime
    acknowledge_by: datetime | None = None
    dispatch_by: datetime | None = None


class CompensationAccrued(OfSupplierOrder, frozen=True, tag="order.compensation_accrued"):
    """The supplier owes for a late dispatch, under the agreement in force when the supplier order was sent."""

    supplier_id: str
    amount: Money
    net_amount_minor: int
    """Price of the units that had not left in time, in the currency of the amount."""
    terms: CompensationTerms
    """What it was computed by; a cap in another currency than the amount was not applied."""
    at: datetime


class ReversalReason(StrEnum):
    """Why compensation is owed no more."""

    WITHDRAWN = "withdrawn"
    """The dispatch was not late after all."""
    RULED = "ruled"
    """The delay was ruled another party's."""
    RECOUNTED = "recounted"
    """Some units had left in time after all; what is owed for the others accrues anew."""


class CompensationReversed(OfSupplierOrder, frozen=True, tag="order.compensation_reversed"):
    """What had accrued is owed no more."""

    supplier_id: str
    amount: Money
    because: ReversalReason
    at: datetime


SupplierOrderFact = (
    SupplierOrderDrafted
    | ShippingChosen
    | SupplierOrderSent
    | SupplierOrderAcknowledged
    | SupplierOrderPacked
    | PackingErrorFound
    | PackingCorrected
    | SupplierOrderShipped
    | CancelRequested
    | CancelAgreed
    | CancelRefused
    | ClocksStopped
    | ClocksResumed
    | CompensationAccrued
    | CompensationReversed
)

# --- state ----------------------------------------------------------------------------------------


class Stage(StrEnum):
    """How far a supplier order is; always derived from its units and facts."""

    DRAFT = "draft"
    SENT = "sent"
    ACCEPTED = "accepted"
    PARTLY_ACCEPTED = "partly_accepted"
    REJECTED = "rejected"
    PACKED = "packed"
    CANCEL_REQUESTED = "cancel_requested"
    CANCELLED = "cancelled"
    PARTLY_SHIPPED = "partly_shipped"
    SHIPPED = "shipped"
    CLOSED = "closed"


class Share(Value, frozen=True):
    """A supplier order's share of one line: each unit is in exactly one of these."""

    pending: int = 0
    accepted: int = 0
    backordered: int = 0
    rejected: int = 0
    cancelled: int = 0
    shipped: int = 0
    rerouted: int = 0
    """Taken from it for another supplier."""

    @property
    def unshipped(self) -> int:
        """Units that can still be shipped or cancelled."""
        return self.pending + self.accepted + self.backordered

    def answer(self, answer: Answer) -> Share:
        """Pending units are answered first, then earlier backorders."""
        from_backorder = answer.units - self.pending
        return replace(
            self,
            pending=0,
            accepted=self.accepted + answer.accepted,
            backordered=self.backordered - from_backorder + answer.backordered,
            rejected=self.rejected + answer.rejected,
        )

    def cancel(self, units: int) -> Share:
        return replace(self.drop(units), cancelled=self.cancelled + units)

    def reroute(self, units: int) -> Share:
        return replace(self.drop(units), rerouted=self.rerouted + units)

    def drop(self, units: int) -> Share:
        """Without so many unshipped units: those that are not there yet first."""
        from_backordered = min(units, self.backordered)
        return replace(self, backordered=self.backordered - from_backordered).take(units - from_backordered)

    def ship(self, units: int) -> Share:
        return replace(self.take(units), shipped=self.shipped + units)

    def take(self, units: int) -> Share:
        """Without so many unshipped units: accepted ones first, then pending, then backordered."""
        from_accepted = min(units, self.accepted)
        from_pending = min(units - from_accepted, self.pending)
        return replace(
            self,
            accepted=self.accepted - from_accepted,
            pending=self.pending - from_pending,
            backordered=self.backordered - (units - from_accepted - from_pending),
        )


class Stop(Value, frozen=True):
    """A hold that keeps clocks from running, while it stands."""

    reason: str
    owner: str
    since: datetime
    until: datetime | None = None


Span = tuple[datetime, datetime | None]
"""From when until when; None while it lasts."""


def union(stops: Iterable[Stop], since: datetime, before: datetime | None) -> list[Span]:
    """When any of the stops stood, from since on: spans that neither touch nor overlap, the first first.

    Those that began only when all was over, at before, stopped nothing.
    """
    spans: list[Span] = []
    for stop in sorted(stops, key=attrgetter("since")):
        begin, end = max(stop.since, since), stop.until
        if (end is not None and end <= begin) or (before is not None and begin >= before):
            continue
        if spans and ((last := spans[-1])[1] is None or begin <= last[1]):
            end = None if last[1] is None or end is None else max(last[1], end)
            spans[-1] = (last[0], end)
        else:
            spans.append((begin, end))
    return spans


def later_by(due: datetime | None, spans: Iterable[Span]) -> datetime | None:
    """When a clock is due that stood still in these spans; those after it was due give it no time back."""
    for begin, end in spans:
        if due is None or end is None or begin >= due:
            break
        due += end - begin
    return due


class Wish(Value, frozen=True):
    """Who last wanted units back from a supplier, and why."""

    by: str
    because: str
    to: str = ""
    """The supplier that is to have them instead, if a person named one."""


class SupplierOrder(Value, frozen=True):
    """A supplier order as its facts tell it."""

    supplier_order_id: str
    supplier_id: str
    shares: dict[LineNo, Share]
    drafted_at: datetime
    packing: tuple[str, ...] = ()
    unit_costs: dict[LineNo, Money] = {}
    shipping: Chosen | None = None
    sent_at: datetime | None = None
    acknowledge_by: datetime | None = None
    dispatch_by: datetime | None = None
    agreed: tuple[datetime | None, datetime | None] = (None, None)
    """By when it was to acknowledge and to dispatch when it was sent, before any hold."""
    first_scan_within_hours: int | None = None
    peaks: tuple[PeakPeriod, ...] = ()
    compensation_terms: CompensationTerms | None = None
    answers: tuple[SupplierOrderAcknowledged, ...] = ()
    """As they were told, one after the other: they add up."""
    acknowledged_at: datetime | None = None
    """When it first showed that it took the order on: by its answer, by packing or by shipping."""
    packed_at: datetime | None = None
    packed_with: tuple[str, ...] = ()
    packing_oddities: tuple[Oddity, ...] = ()
    packing_lacks: tuple[str, ...] = ()
    """What it was to be packed with and was not."""
    instead_of: str = ""
    because: str = ""
    choices: tuple[Choice, ...] = ()
    last_shipped_at: datetime | None = None
    cancel_asked: Units = {}
    reroute_asked: Units = {}
    """Those of cancel_asked that are to go to another supplier."""
    cancel_wish: Wish | None = None
    reroute_wish: Wish | None = None
    stopped_since: datetime | None = None
    dropped: tuple[tuple[datetime, Units], ...] = ()
    """Units that it will not ship after all, as they were rejected, cancelled or rerouted, and when each were."""
    delivered: int = 0
    """Units delivered; the order keeps it up to date."""
    late: Units = {}
    """Units that had not left when the late dispatch was recorded, but for those that turn out to have left in time.

    What is rejected or cancelled later was late all the same. The order keeps it up to date.
    """
    compensation: CompensationAccrued | None = None
    """What it owes for a late dispatch."""

    def count(self, what: str) -> int:
        return sum(map(attrgetter(what), self.shares.values()))

    @property
    def unshipped(self) -> int:
        return self.count("unshipped")

    @property
    def came_to_nothing(self) -> bool:
        """No unit left or ever will: all were cancelled, rejected or rerouted."""
        return not any(share.unshipped or share.shipped for share in self.shares.values())

    @property
    def given_up_at(self) -> datetime | None:
        """When the last unit was dropped, if any was; None while any is still to go."""
        return None if not self.dropped or self.unshipped else max(at for at, _ in self.dropped)

    @property
    def ended_at(self) -> datetime | None:
        """When the last unit left or was dropped; None while any is still to go."""
        ends = [at for at in (self.dispatched_at, self.given_up_at) if at is not None]
        return max(ends, default=None)

    @property
    def dispatched_at(self) -> datetime | None:
        """When the last unit left that was to be shipped; None while any is still to go."""
        return None if self.last_shipped_at is None or self.unshipped else self.last_shipped_at

    @property
    def stage(self) -> Stage:
        if self.came_to_nothing:
            return Stage.CANCELLED if self.count("cancelled") or self.count("rerouted") else Stage.REJECTED
        shipped = self.count("shipped")
        if not self.unshipped:
            return Stage.CLOSED if self.delivered >= shipped else Stage.SHIPPED
        if self.cancel_asked:
            return Stage.CANCEL_REQUESTED
        if shipped:
            return Stage.PARTLY_SHIPPED
        if self.packed_at is not None:
            return Stage.PACKED
        if self.answers:
            whole = not self.count("pending") and not self.count("backordered") and not self.count("rejected")
            return Stage.ACCEPTED if whole else Stage.PARTLY_ACCEPTED
        return Stage.SENT if self.sent_at is not None else Stage.DRAFT


def draft(fact: SupplierOrderDrafted) -> SupplierOrder:
    lines = {*fact.units, *fact.backordered}
    shares = {n: Share(pending=fact.units.get(n, 0), backordered=fact.backordered.get(n, 0)) for n in sorted(lines)}
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
    )


def evolve(supplier_order: SupplierOrder, fact: SupplierOrderFact) -> SupplierOrder:
    match fact:
        case SupplierOrderDrafted():
            return draft(fact)
        case ShippingChosen(shipping=shipping):
            return replace(supplier_order, shipping=shipping)
        case SupplierOrderSent():
            return replace(
                supplier_order,
                sent_at=fact.at,
                acknowledge_by=fact.acknowledge_by,
                dispatch_by=fact.dispatch_by,
                agreed=(fact.acknowledge_by, fact.dispatch_by),
                first_scan_within_hours=fact.first_scan_within_hours,
                peaks=fact.peaks,
                compensation_terms=fact.compensation,
            )
        case SupplierOrderAcknowledged(by_line=by_line):
            answered = {line_no: supplier_order.shares[line_no].answer(answer) for line_no, answer in by_line.items()}
            shares = {**supplier_order.shares, **answered}
            cancel_asked, reroute_asked = _still_asked(supplier_order, shares)
            rejected = {line_no: answer.rejected for line_no, answer in by_line.items() if answer.rejected}
            return replace(
                _dropped(supplier_order, rejected, fact.at),
                shares=shares,
                cancel_asked=cancel_asked,
                reroute_asked=reroute_asked,
                answers=(*supplier_order.answers, fact),
                acknowledged_at=_first(supplier_order.acknowledged_at, fact.at),
            )
        case SupplierOrderPacked(at=at):
            return replace(
                supplier_order,
                packed_at=at,
                packed_with=fact.packed_with,
                packing_oddities=fact.oddities,
                # Who packs or ships has taken the order on, whether it said so or not.
                acknowledged_at=_first(supplier_order.acknowledged_at, at),
            )
        case PackingErrorFound(lacking=lacking):
            return replace(supplier_order, packing_lacks=lacking)
        case PackingCorrected():
            return replace(supplier_order, packing_lacks=())
        case SupplierOrderShipped(by_line=by_line, at=at):
            return replace(
                supplier_order,
                shares=_changed(supplier_order.shares, by_line, Share.ship),
                last_shipped_at=max(at, supplier_order.last_shipped_at or at),
                acknowledged_at=_first(supplier_order.acknowledged_at, at),
                late=_still_late(supplier_order, by_line, at),
            )
        case CancelRequested():
            return _asked(supplier_order, fact)
        case CancelAgreed(by_line=by_line, rerouted=rerouted):
            cancelled = {
                line_no: left for line_no, units in by_line.items() if (left := units - rerouted.get(line_no, 0))
            }
            shares = _changed(supplier_order.shares, cancelled, Share.cancel)
            shares = _changed(shares, rerouted, Share.reroute)
            dropped = _dropped(supplier_order, by_line, fact.at)
            return replace(dropped, shares=shares, cancel_asked={}, reroute_asked={})
        case CancelRefused():
            return _refused(supplier_order, fact.by_line)
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
        case _:
            assert_never(fact)


def _first(earlier: datetime | None, at: datetime) -> datetime:
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
    """What it is asked for without these units: those that were to be rerouted are refused first."""
    refused = by_line or supplier_order.cancel_asked
    asked, rerouted = minus(supplier_order.cancel_asked, refused), minus(supplier_order.reroute_asked, refused)
    return replace(supplier_order, cancel_asked=asked, reroute_asked=rerouted)


def minus(units: Units, less: Units) -> Units:
    """Units without others, line by line; a line without any left is not named."""
    return {n: left for n, count in units.items() if (left := count - less.get(n, 0)) > 0}


def _still_late(supplier_order: SupplierOrder, by_line: Units, at: datetime) -> Units:
    """The late units without those of a parcel that left in time."""
    if not supplier_order.late or supplier_order.dispatch_by is None or at > supplier_order.dispatch_by:
        return supplier_order.late
    return minus(supplier_order.late, by_line)


def _changed(shares: dict[LineNo, Share], by_line: Units, change: Callable[[Share, int], Share]) -> dict[LineNo, Share]:
    return {**shares, **{line_no: change(shares[line_no], units) for line_no, units in by_line.items()}}


def _asked(supplier_order: SupplierOrder, request: CancelRequested) -> SupplierOrder:
    wish = Wish(request.by, request.because, request.reroute_to)
    more_rerouted = sum(request.rerouted.values()) > sum(supplier_order.reroute_asked.values())
    asked = replace(supplier_order, cancel_asked=request.by_line, reroute_asked=request.rerouted)
    return replace(asked, reroute_wish=wish) if more_rerouted else replace(asked, cancel_wish=wish)


def _still_asked(supplier_order: SupplierOrder, shares: dict[LineNo, Share]) -> tuple[Units, Units]:
    """What it is still asked to cancel, and to reroute of that, once units were rejected.

    Units rejected beyond those that it was not asked about meet a wish: one to cancel before one to reroute.
    """
    cancel_asked, reroute_asked = {}, {}
    for line_no, asked in supplier_order.cancel_asked.items():
        left = min(asked, shares[line_no].unshipped)
        rerouted = supplier_order.reroute_asked.get(line_no, 0)
        met_by_rerouting = max(asked - left - (asked - rerouted), 0)
        if left:
            cancel_asked[line_no] = left
        if rerouted > met_by_rerouting:
            reroute_asked[line_no] = rerouted - met_by_rerouting
    return cancel_asked, reroute_asked


# --- refusals -------------------------------------------------------------------------------------


class UnknownSupplierOrder(NotFound):
    def __init__(self, supplier_order_id: str) -> None:
        super().__init__(f"there is no supplier order {supplier_order_id}", supplier_order_id=supplier_order_id)


class NotSent(Forbidden):
    def __init__(self, supplier_order_id: str, stage: Stage) -> None:
        super().__init__(
            f"supplier order {supplier_order_id} is {stage}; send it first with OrderService.SendSupplierOrder",
            supplier_order_id=supplier_order_id,
            stage=stage,
        )


class NothingToShip(Forbidden):
    def __init__(self, supplier_order_id: str, stage: Stage) -> None:
        super().__init__(
            f"supplier order {supplier_order_id} is {stage}; it has no unit left to ship",
            supplier_order_id=supplier_order_id,
            stage=stage,
        )


class UnknownLine(NotFound):
    def __init__(self, of: str, line_no: int) -> None:
        super().__init__(f"{of} has no line {line_no}", of=of, line_no=line_no)


class OverAnswered(Forbidden):
    def __init__(self, line_no: int, asked: int, answered: int) -> None:
        super().__init__(
            f"{answered} of line {line_no} answered, {asked} unanswered",
            line_no=line_no,
            asked=asked,
            answered=answered,
        )


class UnderAnswered(Forbidden):
    def __init__(self, line_no: int, asked: int, answered: int) -> None:
        super().__init__(
            f"{answered} of line {line_no} answered, {asked} asked; say for every unit whether it is accepted, "
            "backordered or rejected",
            line_no=line_no,
            asked=asked,
            answered=answered,
        )


class OverShipped(Forbidden):
    def __init__(self, line_no: int, left: int, shipped: int) -> None:
        super().__init__(
            f"{shipped} of line {line_no} shipped, {left} left to ship", line_no=line_no, left=left, shipped=shipped
        )


class NoCancelAsked(Forbidden):
    def __init__(self, supplier_order_id: str) -> None:
        super().__init__(
            f"nobody asked supplier order {supplier_order_id} to cancel", supplier_order_id=supplier_order_id
        )


# --- decisions ------------------------------------------------------------------------------------


def acknowledge(
    supplier_order: SupplierOrder, by_line: dict[LineNo, Answer], at: datetime
) -> Sequence[SupplierOrderFact]:
    """The supplier's answer. The same answer of the same moment records nothing; any other adds to those before."""
    answered = SupplierOrderAcknowledged(supplier_order.supplier_order_id, by_line, at)
    if answered in supplier_order.answers:
        return []
    _require_sent(supplier_order)
    for line_no, answer in by_line.items():
        share = share_of(supplier_order, line_no)
        if answer.units > share.pending + share.backordered:
            raise OverAnswered(line_no, asked=share.pending + share.backordered, answered=answer.units)
        if answer.units < share.pending:
            raise UnderAnswered(line_no, asked=share.pending, answered=answer.units)
    return [answered]


def pack(
    supplier_order: SupplierOrder, packed_with: tuple[str, ...], at: datetime, oddities: tuple[Oddity, ...] = ()
) -> Sequence[SupplierOrderFact]:
    """Packed, with what. Saying it twice records nothing; what lacks of the instructions is an error, once."""
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


def ship(
    supplier_order: SupplierOrder,
    carrier: str,
    number: str,
    epoch: int,
    by_line: Units,
    at: datetime,
    oddities: tuple[Oddity, ...] = (),
) -> Sequence[SupplierOrderFact]:
    """Units left in a parcel; no lines named means all that is left.

    A cancel request has come too late for those of its units that left, and stands open for the others.
    """
    _require_sent(supplier_order)
    if not supplier_order.unshipped:
        raise NothingToShip(supplier_order.supplier_order_id, supplier_order.stage)
    for line_no, units in by_line.items():
        left = share_of(supplier_order, line_no).unshipped
        if units > left:
            raise OverShipped(line_no, left=left, shipped=units)
    supplier_order_id = supplier_order.supplier_order_id
    shipped = SupplierOrderShipped(supplier_order_id, carrier, number, epoch, by_line, at, oddities)
    gone = minus(supplier_order.cancel_asked, left_to_ship(evolve(supplier_order, shipped)))
    return [shipped, CancelRefused(supplier_order_id, "already_shipped", at, gone)] if gone else [shipped]


def left_to_ship(supplier_order: SupplierOrder) -> Units:
    """All units that can still be shipped, by line."""
    return {line_no: left for line_no, share in supplier_order.shares.items() if (left := share.unshipped)}


def expected_at(supplier_order: SupplierOrder, line_no: LineNo) -> datetime | None:
    """The day that the supplier last named for units of a line that it has yet to get."""
    if not supplier_order.shares[line_no].backordered:
        return None
    told = sorted(supplier_order.answers, key=attrgetter("at"))
    answers = [each.by_line[line_no] for each in told if line_no in each.by_line]
    return next((answer.expected_at for answer in reversed(answers) if answer.backordered), None)


def ask_to_cancel(
    supplier_order: SupplierOrder, by_line: Units, by: str, because: str, at: datetime
) -> Sequence[SupplierOrderFact]:
    """Ask the supplier not to ship units, beside those it was asked for; a draft is cancelled at once.

    Units that were to be rerouted come first: who cancels them does not want them from anybody.
    """
    if supplier_order.sent_at is None:
        return [CancelAgreed(supplier_order.supplier_order_id, by_line, at, by)]
    asked, rerouted = dict(supplier_order.cancel_asked), dict(supplier_order.reroute_asked)
    for line_no, units in by_line.items():
        turned = min(units, rerouted.pop(line_no, 0))
        if left := supplier_order.reroute_asked.get(line_no, 0) - turned:
            rerouted[line_no] = left
        asked[line_no] = asked.get(line_no, 0) + units - turned
    to = supplier_order.reroute_wish.to if supplier_order.reroute_wish and rerouted else ""
    return [CancelRequested(supplier_order.supplier_order_id, asked, by, because, at, rerouted, to)]


def ask_to_reroute(
    supplier_order: SupplierOrder, by_line: Units, by: str, because: str, to: str, at: datetime
) -> Sequence[SupplierOrderFact]:
    """Ask the supplier for units that are to go to another one; a draft gives them up at once."""
    if supplier_order.sent_at is None:
        return [CancelAgreed(supplier_order.supplier_order_id, by_line, at, by, rerouted=by_line)]
    asked, rerouted = _more(supplier_order.cancel_asked, by_line), _more(supplier_order.reroute_asked, by_line)
    return [CancelRequested(supplier_order.supplier_order_id, asked, by, because, at, rerouted, to)]


def _more(units: Units, more: Units) -> Units:
    return {line_no: units.get(line_no, 0) + more.get(line_no, 0) for line_no in {**units, **more}}


def reroutable(supplier_order: SupplierOrder) -> Units:
    """The units that it is not asked for yet, by line."""
    return _beyond(supplier_order, supplier_order.cancel_asked)


def cancellable(supplier_order: SupplierOrder) -> Units:
    """The units that nobody asked it to cancel yet, by line; those that are to be rerouted can be."""
    return _beyond(supplier_order, cancels_asked(supplier_order))


def _beyond(supplier_order: SupplierOrder, asked: Units) -> Units:
    left = {n: units - asked.get(n, 0) for n, units in left_to_ship(supplier_order).items()}
    return {line_no: units for line_no, units in left.items() if units}


def cancels_asked(supplier_order: SupplierOrder) -> Units:
    """The units that it was asked for and that nobody else is to send."""
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


def reckon_clocks(supplier_order: SupplierOrder, stops: Iterable[Stop], at: datetime) -> list[SupplierOrderFact]:
    """Where its clocks stand by all holds that are known, in whatever order they were told. No news records nothing.

    A clock stands still for the union of the holds' times, from when it runs.
    """
    if supplier_order.sent_at is None:
        return []
    spans = union(stops, supplier_order.sent_at, supplier_order.ended_at)
    stopped_since = spans[-1][0] if spans and spans[-1][1] is None else None
    acknowledge_by, dispatch_by = (later_by(due, spans) for due in supplier_order.agreed)
    present = (supplier_order.acknowledge_by, supplier_order.dispatch_by)
    if (stopped_since, acknowledge_by, dispatch_by) == (supplier_order.stopped_since, *present):
        return []
    supplier_order_id = supplier_order.supplier_order_id
    if stopped_since is None:
        return [ClocksResumed(supplier_order_id, at, acknowledge_by, dispatch_by)]
    if (acknowledge_by, dispatch_by) == present:
        return [ClocksStopped(supplier_order_id, stopped_since)]
    return [ClocksStopped(supplier_order_id, stopped_since, acknowledge_by, dispatch_by)]


def share_of(supplier_order: SupplierOrder, line_no: LineNo) -> Share:
    share = supplier_order.shares.get(line_no)
    if share is None:
        raise UnknownLine(f"supplier order {supplier_order.supplier_order_id}", line_no)
    return share


def _require_sent(supplier_order: SupplierOrder) -> None:
    if supplier_order.sent_at is None:
        raise NotSent(supplier_order.supplier_order_id, supplier_order.stage)
