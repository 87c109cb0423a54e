"""The state of a supplier order: its share of each line, its stage, when its clocks stood still."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from operator import attrgetter

from msgspec.structs import replace

from ledger.facts import LineNo, Sealed, Units, Value
from ledger.nouns.choice import Choice
from ledger.nouns.orders.supplier_orders.facts import CompensationAccrued, LineAnswer, Oddity, SupplierOrderAcknowledged
from ledger.nouns.suppliers import CompensationTerms
from ledger.terms.calendars import Calendar, PeakPeriod, WorkingTerms
from ledger.terms.money import Money
from ledger.terms.places import Destination
from ledger.terms.shipping import Chosen


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


class LineShare(Value, frozen=True):
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
    def given(self) -> int:
        """Units that the supplier was given, whatever became of them."""
        return self.unshipped + self.rejected + self.cancelled + self.shipped + self.rerouted

    @property
    def unshipped(self) -> int:
        """Units that can still be shipped or cancelled."""
        return self.pending + self.accepted + self.backordered

    def answer(self, answer: LineAnswer) -> LineShare:
        """Pending units are answered first, then earlier backorders."""
        answer = self.still_open(answer)
        from_backorder = answer.units - self.pending
        return replace(
            self,
            pending=0,
            accepted=self.accepted + answer.accepted,
            backordered=self.backordered - from_backorder + answer.backordered,
            rejected=self.rejected + answer.rejected,
        )

    def still_open(self, answer: LineAnswer) -> LineAnswer:
        """An answer without what it accepts of units that have left, as far as it goes beyond those that have not."""
        beyond = answer.units - self.pending - self.backordered
        if beyond <= 0 or not self.shipped:
            return answer
        return replace(answer, accepted=answer.accepted - min(answer.accepted, self.shipped, beyond))

    def answer_before(self, answer: LineAnswer) -> LineShare:
        """An answer of before the supplier was asked again: what it accepted then is still to be accepted."""
        from_pending = min(answer.backordered + answer.rejected, self.pending)
        from_backorder = answer.backordered + answer.rejected - from_pending
        return replace(
            self,
            pending=self.pending - from_pending,
            backordered=self.backordered - from_backorder + answer.backordered,
            rejected=self.rejected + answer.rejected,
        )

    def ask_again(self) -> LineShare:
        """What was accepted is to be accepted once more."""
        return replace(self, pending=self.pending + self.accepted, accepted=0)

    def cancel(self, units: int) -> LineShare:
        return replace(self.drop(units), cancelled=self.cancelled + units)

    def reroute(self, units: int) -> LineShare:
        return replace(self.drop(units), rerouted=self.rerouted + units)

    def drop(self, units: int) -> LineShare:
        """Without so many unshipped units: backordered ones first."""
        from_backordered = min(units, self.backordered)
        return replace(self, backordered=self.backordered - from_backordered).take(units - from_backordered)

    def ship(self, units: int) -> LineShare:
        """Beyond its unshipped units, it sent some that it had rejected, or that it had given up."""
        back = units - self.unshipped
        if back <= 0:
            return replace(self.take(units), shipped=self.shipped + units)
        rejected = min(back, self.rejected)
        left, given_up = self.take(units - back), self.rerouted - (back - rejected)
        return replace(left, shipped=self.shipped + units, rejected=self.rejected - rejected, rerouted=given_up)

    def unship(self, units: int) -> LineShare:
        """Units that did not leave are the supplier's to send, whatever they were before."""
        return replace(self, accepted=self.accepted + units, shipped=self.shipped - units)

    def unship_unanswered(self, units: int) -> LineShare:
        """The same where its supplier answered nothing: nothing of it is accepted."""
        return self.unship(units).ask_again()

    def take(self, units: int) -> LineShare:
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


def merged_spans(stops: Iterable[Stop], since: datetime, before: datetime | None) -> list[Span]:
    """When any of the stops stood, from ``since`` on: spans that neither touch nor overlap, in order.

    Those that began at ``before`` or later, when all was over, stopped nothing.
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


def later_by(due: datetime | None, spans: Iterable[Span], calendar: Calendar | None = None) -> datetime | None:
    """When a clock is due that stood still in these spans; those that began after it was due do not count.

    One that counts working time gets back what would have been worked.
    """
    for begin, end in spans:
        if due is None or end is None or begin >= due:
            break
        due = due + (end - begin) if calendar is None else calendar.plus(due, calendar.between(begin, end))
    return due


class Wish(Value, frozen=True):
    """Who last wanted units back from a supplier, and why."""

    by: str
    because: str
    to: str = ""
    """The supplier that is to have them instead, if a person named one."""


class CancelAsk(Value, frozen=True):
    """One request to cancel whose answer has a due time: what it added to those before."""

    units: Units
    """Those that are not answered yet: the first request is answered first."""
    answer_by: datetime
    ended_at: datetime | None = None
    """When the last of them was cancelled, refused, rejected, or left."""


class ShipTo(Value, frozen=True):
    """To whom something goes, and where; who and the house are sealed."""

    customer: Sealed | None
    destination: Destination
    sealed_for: str
    """What unsealing needs."""
    since: datetime
    digest: str = ""


class AskedAgain(Value, frozen=True):
    """A supplier that knows of its order was told another address, and has to acknowledge again."""

    at: datetime
    clocked: bool
    """Whether its clock runs anew; one that was missed before does not, because what was late stays late."""
    acknowledged_at: datetime | None = None


NEUTRAL = ("neutral", "no_papers", "no_prices", "no_advertising")
"""How every supplier packs; what it is to pack with is added to that and replaces none of it."""


class Invoiced(Value, frozen=True):
    """What one invoice of the supplier counts of a supplier order."""

    units: Units
    waiting: Units = {}


class LeftAfterAll(Value, frozen=True):
    """Units that were dropped and left: at their deadline they were not awaited if they were dropped before it."""

    dropped_at: datetime
    left_at: datetime
    by_line: Units


class SupplierOrder(Value, frozen=True):
    """A supplier order, folded from its facts."""

    supplier_order_id: str
    supplier_id: str
    shares: dict[LineNo, LineShare]
    drafted_at: datetime
    packing: tuple[str, ...] = ()
    """What it is to pack with, beside NEUTRAL."""
    unit_costs: dict[LineNo, Money] = {}
    shipping: Chosen | None = None
    send_by: datetime | None = None
    sent_at: datetime | None = None
    acknowledge_by: datetime | None = None
    dispatch_by: datetime | None = None
    agreed: tuple[datetime | None, datetime | None] = (None, None)
    """By when it was to acknowledge and to dispatch when it was sent, before any hold."""
    first_scan_within_hours: int | None = None
    peaks: tuple[PeakPeriod, ...] = ()
    compensation_terms: CompensationTerms | None = None
    working: WorkingTerms | None = None
    """The supplier's calendar, and the terms that go by it."""
    answers: tuple[SupplierOrderAcknowledged, ...] = ()
    """In the order of recording: they add up."""
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
    cancel_answer_within_hours: int | None = None
    asks: tuple[CancelAsk, ...] = ()
    """The requests to cancel whose answers have a due time, over or not, in the order of recording."""
    cancel_asked: Units = {}
    reroute_asked: Units = {}
    """Those of cancel_asked that are to go to another supplier."""
    cancel_wish: Wish | None = None
    reroute_wish: Wish | None = None
    stopped_since: datetime | None = None
    dropped: tuple[tuple[datetime, Units], ...] = ()
    """Units that it will not ship after all, as they were rejected, cancelled or rerouted, and when each were."""
    left_after_all: tuple[LeftAfterAll, ...] = ()
    """Units that left although they were dropped, the newest last."""
    delivered: int = 0
    """Units delivered; the order keeps it up to date."""
    late: Units = {}
    """Units that had not left when the late dispatch was recorded, but for those that turn out to have left in time.

    What is rejected or cancelled later still counts as late. The order keeps it up to date.
    """
    compensation: CompensationAccrued | None = None
    """What it owes for a late dispatch."""
    ship_to: ShipTo | None = None
    """Where it goes, if that is not where the order goes now: it was packed or had left when that changed."""
    asked_again: AskedAgain | None = None
    invoiced: dict[str, Invoiced] = {}
    """By the number of the invoice, the first recorded first."""
    article_codes: dict[LineNo, str] = {}
    packing_costs: dict[LineNo, Money] = {}
    warehouse: str = ""
    voided: tuple[tuple[str, str, int], ...] = ()
    """Carrier, number and epoch of parcels that were reported and did not leave."""

    def count(self, what: str) -> int:
        return sum(map(attrgetter(what), self.shares.values()))

    @property
    def instructed_packing(self) -> tuple[str, ...]:
        """The whole packing instruction."""
        return (*NEUTRAL, *(word for word in self.packing if word not in NEUTRAL))

    def calendar_of(self, term: str) -> Calendar | None:
        """The calendar that a term of its clocks goes by; None if its hours run through."""
        return self.working.calendar_of(term) if self.working is not None else None

    @property
    def time_zone(self) -> str:
        """Of the calendar of its supplier; empty where none was agreed."""
        return self.working.calendar.time_zone if self.working is not None else ""

    @property
    def unshipped(self) -> int:
        return self.count("unshipped")

    @property
    def has_unshipped(self) -> bool:
        """Whether any unit is still to go; unlike the count, the first one tells."""
        return any(map(attrgetter("unshipped"), self.shares.values()))

    @property
    def is_fixed(self) -> bool:
        """Whether it goes where it goes: it is packed, or all of it has left."""
        return self.packed_at is not None or not self.has_unshipped

    def told_before(self, at: datetime) -> bool:
        """Whether something happened before its supplier was asked again, and was not yet about what it is now."""
        return self.asked_again is not None and at < self.asked_again.at

    @property
    def came_to_nothing(self) -> bool:
        """No unit left or ever will: all were cancelled, rejected or rerouted."""
        return not any(share.unshipped or share.shipped for share in self.shares.values())

    @property
    def given_up_at(self) -> datetime | None:
        """When the last unit was dropped, if any was; None while any is still to go."""
        return None if not self.dropped or self.has_unshipped else max(at for at, _ in self.dropped)

    @property
    def ended_at(self) -> datetime | None:
        """When the last unit left or was dropped; None while any is still to go."""
        ends = [at for at in (self.dispatched_at, self.given_up_at) if at is not None]
        return max(ends, default=None)

    @property
    def dispatched_at(self) -> datetime | None:
        """When the last unit left that was to be shipped; None while any is still to go."""
        return None if self.last_shipped_at is None or self.has_unshipped else self.last_shipped_at

    @property
    def stage(self) -> Stage:
        if self.came_to_nothing:
            return Stage.CANCELLED if self.count("cancelled") or self.count("rerouted") else Stage.REJECTED
        shipped = self.count("shipped")
        if not self.has_unshipped:
            return Stage.CLOSED if self.delivered >= shipped else Stage.SHIPPED
        if self.cancel_asked:
            return Stage.CANCEL_REQUESTED
        if shipped:
            return Stage.PARTLY_SHIPPED
        if self.packed_at is not None:
            return Stage.PACKED
        if self.answers and (self.asked_again is None or self.asked_again.acknowledged_at is not None):
            whole = not self.count("pending") and not self.count("backordered") and not self.count("rejected")
            return Stage.ACCEPTED if whole else Stage.PARTLY_ACCEPTED
        return Stage.SENT if self.sent_at is not None else Stage.DRAFT
