"""What a customer is to know of its order, made from what the ledger knows, before any language.

What is not named here is not shown: no supplier, no name of a person, no address beyond the towns of scans.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from ledger.decisions import complaints
from ledger.facts import LineNo, Sealed, Units
from ledger.nouns import cases, orders, parcels
from ledger.nouns.cases import Case, CaseStatus, Reason
from ledger.nouns.orders import Header, Order, Shipment
from ledger.nouns.orders.payments import PaymentKind
from ledger.nouns.parcels import CustomsHold, Parcel, ParcelStatus
from ledger.terms.brands import Brand
from ledger.terms.money import Money
from ledger.terms.time_zones import zone_of
from ledger.view import View


class ShownGoods(NamedTuple):
    """Units of a line, as people call them."""

    line_no: LineNo
    units: int
    name: str


class ParcelStep(NamedTuple):
    """Something that happened to a parcel."""

    at: datetime
    what: str
    """A status; ``left`` or ``handed_to``."""
    town: str = ""
    country: str = ""
    carrier: str = ""
    """To which it was handed over."""


class Due(NamedTuple):
    """When something should arrive."""

    by: date
    """A day, or an instant."""
    is_estimate: bool
    """Of the carrier; else it was promised."""
    is_over: bool


class ShownParcel(NamedTuple):
    """A parcel."""

    carrier: str
    number: str
    status: ParcelStatus
    goods: tuple[ShownGoods, ...]
    steps: tuple[ParcelStep, ...]
    """The newest first."""
    due: Due | None
    arrived_at: datetime | None
    customs: CustomsHold | None
    pickup_until: datetime | None
    last_mile: tuple[str, str] | None
    """Carrier and number."""
    collect: Money | None

    @property
    def has_arrived(self) -> bool:
        return self.status is ParcelStatus.DELIVERED

    @property
    def progress(self) -> int:
        """How far it is, of 4; 0 where it goes astray."""
        return _PROGRESS.get(self.status, 0)


_PROGRESS = {
    ParcelStatus.REGISTERED: 1,
    ParcelStatus.IN_TRANSIT: 2,
    ParcelStatus.CUSTOMS_PROCESSING: 2,
    ParcelStatus.CUSTOMS_HELD: 2,
    ParcelStatus.DELAYED: 2,
    ParcelStatus.OTHER: 2,
    ParcelStatus.SUSPECTED_LOST: 2,
    ParcelStatus.OUT_FOR_DELIVERY: 3,
    ParcelStatus.ATTEMPT_FAILED: 3,
    ParcelStatus.AVAILABLE_FOR_PICKUP: 3,
    ParcelStatus.DELIVERED: 4,
}


class MoneyBack(NamedTuple):
    """Money that goes back, or went."""

    amount: Money
    paid_at: datetime | None = None
    pay_by: datetime | None = None


class ShownCase(NamedTuple):
    """What the customer reported."""

    case_id: str
    reason: Reason
    opened_at: datetime
    answer_by: datetime
    status: CaseStatus
    wanted: tuple[str, ...]
    evidence_by: datetime | None
    goods: tuple[ShownGoods, ...]
    files: int
    steps: tuple[str, ...]
    """``labelled``, ``coming_back``, ``came_back``, ``reshipped``."""
    refunds: tuple[MoneyBack, ...]

    @property
    def is_open(self) -> bool:
        return not self.status.is_closed


class Story(NamedTuple):
    """All of it."""

    order_id: str
    number: str
    """The shop's."""
    replaces: str
    """The number of the order whose goods it sends once more."""
    header: str
    placed_at: datetime
    parcels: tuple[ShownParcel, ...]
    due: Due | None
    waiting: tuple[ShownGoods, ...]
    is_backordered: bool
    cancelled: tuple[ShownGoods, ...]
    cases: tuple[ShownCase, ...]
    refunds: tuple[MoneyBack, ...]
    """Of the shop, beside those of cases."""
    replacements: tuple[tuple[str, int], ...]
    """The orders that send goods of it once more, each with the number of its link."""
    receipt_at: datetime | None
    can_confirm: bool
    reportable: Mapping[Reason, Units]
    """By what can be reported, the units that it can be about."""
    names: Mapping[LineNo, str]
    """What the goods of each line are called."""
    is_erased: bool
    zone: str
    """Where it goes."""
    language: str
    """The order's; empty if the shop named none."""
    brand: Brand

    @property
    def has_arrived(self) -> bool:
        """Whether something did, or may well have."""
        return any(each.progress > _UNDER_WAY or not each.progress for each in self.parcels)


_UNDER_WAY = 2


class StoryOf(NamedTuple):
    """What a story is made from."""

    order: Order
    view: View
    """With its parcels, its cases and the orders that send goods once more."""
    towns: Mapping[str, str]
    """Of scans, by the key that opened them."""
    brand: Brand


def streams_of(order: Order) -> list[str]:
    """What is to be read beside the order itself."""
    return [
        *(parcels.stream(each.carrier, each.number) for each in order.parcels),
        *(cases.stream(case_id) for case_id in order.after_sales.cases),
        *(orders.stream(order_id) for order_id in order.after_sales.reships),
    ]


def parcel_of(view: View, shipment: Shipment) -> Parcel | None:
    """The use of the number that the shipment is in."""
    found = parcels.find(view, shipment.carrier, shipment.number)
    return next((use for use in parcels.uses(found) if use.epoch == shipment.epoch), None)


def sealed_towns(order: Order, view: View) -> list[tuple[Sealed, tuple[str, str]]]:
    """What has the towns of its scans, each with the carrier and number that it was told under."""
    found = (parcel for each in order.parcels if (parcel := parcel_of(view, each)) is not None)
    return [
        (scan.message, scan.told_under or (parcel.carrier, parcel.number))
        for parcel in found
        for scan in parcel.checkpoints
        if scan.message is not None
    ]


def story_of(known: StoryOf, now: datetime) -> Story:
    order, view = known.order, known.view
    shown = tuple(_parcel(known, each, now) for each in order.parcels)
    found = [case for case_id in order.after_sales.cases if (case := cases.find(view, case_id)) is not None]
    again = [each for order_id in order.after_sales.reships if (each := orders.find(view, order_id)) is not None]
    backordered = order.in_bucket("backordered")
    is_erased = order.erased_at is not None  # what alone was kept too long may be gone before
    reportable = complaints.reportable(order, now) if not is_erased else {}
    return Story(
        order_id=order.order_id,
        number=order.placed.channel_order_id,
        replaces=order.placed.original_order_id.partition("/")[2],
        header=_header(order, shown),
        placed_at=order.placed.placed_at,
        parcels=shown,
        due=_due_of_order(order, shown, now),
        waiting=_goods(order, _units_in(order, "open", "assigned", "backordered")),
        is_backordered=bool(backordered),
        cancelled=_goods(order, order.in_bucket("cancelled")),
        cases=tuple(_case(order, case) for case in found),
        refunds=tuple(_refunds(order)),
        replacements=tuple((each.order_id, each.tracking_link.number) for each in again if _has_link(each)),
        receipt_at=order.receipt_confirmed_at if not _unconfirmed(order) else None,
        can_confirm=_unconfirmed(order) and not is_erased,
        reportable=reportable,
        names={line_no: line.title or line.sku for line_no, line in order.lines.items()},
        is_erased=is_erased,
        zone=_zone(order),
        language=order.placed.language,
        brand=known.brand,
    )


def _zone(order: Order) -> str:
    """Where it goes; of a country that is not known nobody can say."""
    found = zone_of(order.destination)
    return "UTC" if found.startswith("Etc/") else found


def _has_link(order: Order) -> bool:
    return not order.tracking_link.is_withdrawn


def _header(order: Order, shown: Sequence[ShownParcel]) -> str:
    """How far the order is, in a word."""
    header = order.header
    sent = [each for each in shown if each.status not in _ASTRAY]
    if header in (Header.DISPATCHED, Header.PARTLY_DISPATCHED) and shown and not sent:
        return "not_on_its_way"
    if header.is_over:
        return header.value
    # What the customer has to look after comes first.
    now = {each.status for each in shown}
    return next((f"one_{each}" for each in _TO_DO if each in now), header.value)


_TO_DO = (ParcelStatus.CUSTOMS_HELD, ParcelStatus.AVAILABLE_FOR_PICKUP, ParcelStatus.OUT_FOR_DELIVERY)

_ASTRAY = frozenset(
    {ParcelStatus.RETURNED, ParcelStatus.RETURNING, ParcelStatus.LOST, ParcelStatus.DESTROYED, ParcelStatus.REFUSED}
)


def _units_in(order: Order, *buckets: str) -> Units:
    units = {n: sum(getattr(each, bucket) for bucket in buckets) for n, each in order.buckets.items()}
    return {line_no: count for line_no, count in units.items() if count}


def _goods(order: Order, units: Units) -> tuple[ShownGoods, ...]:
    lines = ((order.lines[line_no], count) for line_no, count in units.items() if count and line_no in order.lines)
    return tuple(ShownGoods(line.line_no, count, line.title or line.sku) for line, count in lines)


# --- parcels --------------------------------------------------------------------------------------


def _parcel(known: StoryOf, shipment: Shipment, now: datetime) -> ShownParcel:
    order, parcel = known.order, parcel_of(known.view, shipment)
    status = _status(shipment, parcel)
    collect = sum(each.collect_minor for each in order.shipments if each.parcel == shipment.parcel)
    last = parcel.checkpoints[-1] if parcel is not None and parcel.checkpoints else None
    under_way = shipment.bucket == "shipped"
    return ShownParcel(
        carrier=shipment.carrier,
        number=shipment.number,
        status=status,
        goods=_goods(order, order.in_parcel(shipment)),
        steps=tuple(_steps(known, shipment, parcel)),
        due=_due_of_parcel(order, shipment, parcel, now),
        arrived_at=shipment.delivered_at if status is ParcelStatus.DELIVERED else None,
        customs=parcel.customs_hold if parcel is not None and status is ParcelStatus.CUSTOMS_HELD else None,
        pickup_until=last.pickup_until if last is not None and status is ParcelStatus.AVAILABLE_FOR_PICKUP else None,
        last_mile=parcel.last_miles[-1][:2] if parcel is not None and parcel.last_miles else None,
        collect=Money(collect, order.currency) if collect and under_way else None,
    )


_OF_BUCKET = {
    "delivered": ParcelStatus.DELIVERED,
    "lost": ParcelStatus.LOST,
    "returned": ParcelStatus.RETURNED,
}
"""What the order knows of its units counts more than the last scan: a receipt may have been confirmed."""


def _status(shipment: Shipment, parcel: Parcel | None) -> ParcelStatus:
    at_an_end = _OF_BUCKET.get(shipment.bucket)
    if at_an_end is not None:
        return at_an_end
    return parcel.status if parcel is not None else ParcelStatus.REGISTERED


def _steps(known: StoryOf, shipment: Shipment, parcel: Parcel | None) -> Iterable[ParcelStep]:
    """The newest first, and what the carrier tells again and again once."""
    found = [ParcelStep(shipment.shipped_at, "left")]
    for scan in parcel.checkpoints if parcel is not None else ():
        if scan.handed_over_to is not None:
            found.append(ParcelStep(scan.at, "handed_to", carrier=scan.handed_over_to[0]))
        town = scan.city or (known.towns.get(scan.message.key_id, "") if scan.message is not None else "")
        step = ParcelStep(scan.at, scan.status.value, town, scan.country)
        if found[-1][1:] != step[1:]:
            found.append(step)
    found.sort(key=lambda step: step.at)
    return reversed(found)


def _due_of_parcel(order: Order, shipment: Shipment, parcel: Parcel | None, now: datetime) -> Due | None:
    if shipment.bucket != "shipped" or (parcel is not None and not parcel.is_awaited):
        return None
    if parcel is not None and parcel.status is ParcelStatus.AVAILABLE_FOR_PICKUP:
        return None
    estimate = parcel.estimated_by if parcel is not None else None
    if estimate is not None:
        return Due(estimate, is_estimate=True, is_over=estimate < now)
    return _promise(order, now)


def _promise(order: Order, now: datetime) -> Due | None:
    if order.promised_by is None:
        return None
    return Due(order.promised_day or order.promised_by, is_estimate=False, is_over=order.promised_by < now)


def _due_of_order(order: Order, shown: Sequence[ShownParcel], now: datetime) -> Due | None:
    """When the last of it should arrive; the parcels say it themselves where there are any."""
    if order.header.is_over or order.delivered_at is not None:
        return None
    unsent = orders.unsent_by(order)
    if unsent is None:
        return None
    promised = _promise(order, now)
    if promised is not None and unsent == order.promised_by:
        return promised
    return Due(unsent, is_estimate=True, is_over=unsent < now)


def _unconfirmed(order: Order) -> bool:
    """Whether there is something that the customer can say has arrived."""
    arriving = [each for each in order.parcels if each.bucket in ("shipped", "delivered")]
    if not arriving:
        return False
    return any(not orders.is_confirmed_received(order, each) for each in arriving)


# --- reports and money ----------------------------------------------------------------------------


def _case(order: Order, case: Case) -> ShownCase:
    wanted = case.wanted if case.status is CaseStatus.EVIDENCE_REQUESTED else ()
    return ShownCase(
        case_id=case.case_id,
        reason=case.opened.reason,
        opened_at=case.opened.at,
        answer_by=case.opened.first_answer_by,
        status=case.status,
        wanted=wanted,
        evidence_by=case.evidence_by if wanted else None,
        goods=_goods(order, case.opened.by_line),
        files=len(case.evidence),
        steps=tuple(_case_steps(case)),
        refunds=tuple(
            MoneyBack(Money(each.amount_minor, case.currency or order.currency), each.paid_at, each.pay_by)
            for each in case.refunds.values()
            if each.amount_minor
        ),
    )


def _case_steps(case: Case) -> Iterable[str]:
    if case.status.is_closed and not case.received:
        return
    if case.received:
        yield "came_back"
    elif any(label.shipped_at for label in case.labels.values()):
        yield "coming_back"
    elif case.labels:
        yield "labelled"
    if case.reship is not None:
        yield "reshipped"


def _refunds(order: Order) -> Iterable[MoneyBack]:
    bounced = {each.of for each in order.money.payments if each.kind is PaymentKind.REFUND_RETURNED}
    for each in order.money.payments:
        if each.kind is PaymentKind.REFUNDED and each.payment_id not in bounced and each.amount.amount_minor:
            yield MoneyBack(each.amount, each.at)
