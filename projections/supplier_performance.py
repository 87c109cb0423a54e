"""How well does each supplier do, and how much was sold and sent in all: what is kept to answer that.

What decides whether a supplier order, an order, a parcel or a review counts in a rate, from when, and
whether as wanted, stands in its row, so that a rate is a sum over one range of one index. Beside the rows
stand sums of them, kept by what changes: by day, and for the usual windows (``projections.counting``).
The rates themselves are asked in ``projections.scorecards``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from ledger.nouns import cases, inquiries, orders, parcels, suppliers
from ledger.nouns.cases import Case, Reason, Status
from ledger.nouns.inquiries import Inquiry
from ledger.nouns.orders import Header, Order, Shipment
from ledger.nouns.orders.supplier_orders import Stage, SupplierOrder
from ledger.nouns.parcels import Parcel
from ledger.nouns.reviews import ProposalState, Verdict
from ledger.nouns.suppliers import Standing, Supplier
from ledger.terms.money import in_64_bits
from ledger.terms.parties import Party
from ledger.terms.rates import RateName
from projections.counting import (
    CASES,
    COUNTED,
    DAYS,
    INQUIRIES,
    ORDERS,
    PARCELS,
    REVIEWS,
    SUPPLIER_ORDERS,
    USUAL,
    USUAL_UNTIL,
    CaseRow,
    Counted,
    InquiryRow,
    OrderRow,
    ParcelRow,
    ReviewRow,
    SupplierOrderRow,
    Tally,
)
from projections.machine.histories import OrderHistory
from projections.machine.projection import From, FromPages, projection
from projections.machine.reads import Answer, PageOf, Where, snapshot
from projections.machine.rows import Int4
from projections.machine.streams import Page
from projections.machine.tables import AddedRows, Written, table

# --- tables ---------------------------------------------------------------------------------------


class SupplierRow(NamedTuple):
    """A supplier that is registered or was given anything to send."""

    supplier_id: str


class StandingRow(NamedTuple):
    """How a supplier stands."""

    supplier_id: str
    standing: Standing
    review_from: datetime | None
    """Its last review or else its approval: from then the next one is awaited."""
    reviewed_at: datetime | None
    score_basis_points: Int4 | None
    verdict: Verdict | None
    """Of the last review."""


class ProposalRow(NamedTuple):
    """A proposal to suspend a supplier."""

    supplier_id: str
    rate: RateName
    state: ProposalState
    proposed_at: datetime
    seen: bytes
    """The figures that it was proposed for, as in the fact."""


class AgreementRow(NamedTuple):
    """The targets of an agreement, in basis points; None where the retailer's policy says."""

    supplier_id: str
    effective_from: datetime
    effective_until: datetime | None
    acknowledgement_target: Int4 | None
    response_target: Int4 | None


SUPPLIERS = table("performance_suppliers", SupplierRow, 1)
STANDINGS = table("performance_standings", StandingRow, 1, "(review_from)")
PROPOSALS = table("performance_proposals", ProposalRow, 2, "(proposed_at, supplier_id, rate)")
AGREEMENTS = table("performance_agreements", AgreementRow, 2)

# --- what is kept ---------------------------------------------------------------------------------

_FAULTS = ("supplier", "retailer", "carrier", "customer")
"""Where several parties wanted units cancelled, the first of these that did counts."""


# --- supplier orders ------------------------------------------------------------------------------


class _Leg(NamedTuple):
    """What a supplier order's row takes from its order alone, without its parcels and cases."""

    supplier_order: SupplierOrder
    row: SupplierOrderRow
    """As the supplier said when it dispatched."""
    shipments: list[Shipment]
    """Its parcels, once all that was to be shipped is."""


def _legs(history: OrderHistory) -> list[_Leg]:
    parts = history.order.supplier_orders.values()
    # Units that are sent once more are no order of their own.
    met = {each.supplier_id for each in parts} if history.order.placed.reship_of else set[str]()
    legs = []
    for each in parts:
        legs.append(_leg(history, each, leads=each.supplier_id not in met))
        met.add(each.supplier_id)
    return legs


def _leg(history: OrderHistory, each: SupplierOrder, *, leads: bool) -> _Leg:
    placed, stage, shipped_at = history.order.placed, each.stage, each.dispatched_at
    cancelled_by = _whose(history, each.supplier_order_id) if stage is Stage.CANCELLED else ""
    # What others than the supplier cancelled in time, and what it turned down in time, is not held against it.
    let_off = cancelled_by not in ("", "supplier") or stage is Stage.REJECTED
    acknowledged_at = each.acknowledged_at
    acknowledge_due = each.acknowledge_by if _counts(each, each.acknowledge_by, acknowledged_at, let_off) else None
    of_it = [one for one in history.order.shipments if one.supplier_order_id == each.supplier_order_id]
    arrived = [one.delivered_at for one in of_it if one.delivered_at] if stage is Stage.CLOSED else []
    row = SupplierOrderRow(
        supplier_order_id=each.supplier_order_id,
        supplier_id=each.supplier_id,
        order_id=placed.order_id,
        channel=placed.channel,
        placed_at=placed.placed_at,
        acknowledge_due=acknowledge_due,
        acknowledged_at=acknowledged_at,
        acknowledged_in_time=_in_time(acknowledged_at, acknowledge_due),
        dispatch_due=each.dispatch_by if _counts(each, each.dispatch_by, shipped_at, let_off) else None,
        dispatched_at=None,
        dispatched_in_time=False,
        dispatch_by=each.dispatch_by,
        shipped_at=shipped_at,
        shipped_late=_is_late(each),
        cancelled_by=cancelled_by,
        cancelled=cancelled_by == "supplier",
        delivered_at=max(arrived, default=None) if not placed.reship_of else None,
        leads=leads,
        mistaken=bool(each.packing_lacks),
        defective=leads and _is_defective(history.order),
    )
    return _Leg(each, row, of_it if shipped_at else [])


def _in_time(happened_at: datetime | None, due: datetime | None) -> bool:
    return happened_at is not None and due is not None and happened_at <= due


def _is_late(each: SupplierOrder) -> bool:
    """Whether it was said to be shipped after its deadline."""
    shipped_at, due = each.dispatched_at, each.dispatch_by
    return shipped_at is not None and due is not None and shipped_at > due


def _is_defective(order: Order) -> bool:
    """Whether the customer gave 1 or 2 stars, or had its bank take the money back."""
    return bool(order.chargebacks) or any(review.score <= 2 for review in order.reviews)


def _counts(each: SupplierOrder, due: datetime | None, met_at: datetime | None, let_off: bool) -> bool:
    """Whether a deadline counts in a rate; one that stands still on the retailer's hold does not, as yet."""
    if met_at is not None or due is None:
        return True
    stopped = each.stopped_since is not None and each.stopped_since < due
    return not (stopped or (let_off and _given_up_in_time(each, due)))


def _given_up_in_time(each: SupplierOrder, due: datetime | None) -> bool:
    """Whether no unit was cancelled, rejected or rerouted only after it was late."""
    return due is None or each.given_up_at is None or each.given_up_at < due


def _supplier_orders(history: OrderHistory, page: Page, *, before: bool) -> Iterator[SupplierOrderRow]:
    cases = _cases_of(history, page, before=before)
    for leg in history.cached(_legs):
        each, row = leg.supplier_order, leg.row
        dispatched_at = _dispatched_at(leg.shipments, page, before=before)
        mine = [case for case in cases if _is_about(case, each)]
        yield row._replace(
            dispatched_at=dispatched_at,
            dispatched_in_time=_in_time(dispatched_at, row.dispatch_due) and _given_up_in_time(each, row.dispatch_due),
            mistaken=row.mistaken or any(map(_is_mistake, mine)),
            defective=row.defective or (row.leads and any(map(_is_claim, mine))),
        )


def _cases_of(history: OrderHistory, page: Page, *, before: bool) -> list[Case]:
    found = (page.case(case_id, before=before) for case_id in history.order.after_sales.cases)
    return [case for case in found if case is not None]


def _is_about(case: Case, each: SupplierOrder) -> bool:
    """Whether a case is about units that the supplier had in this supplier order."""
    sent_by = case.opened.suppliers
    return any(sent_by.get(line_no) == each.supplier_id and line_no in each.shares for line_no in case.opened.by_line)


def _is_claim(case: Case) -> bool:
    """Whether the customer found fault with something, and was not told that it is mistaken."""
    return case.status not in (Status.DENIED, Status.CANCELLED) and not case.opened.reason.is_the_customers


def _is_mistake(case: Case) -> bool:
    """Whether the supplier was ruled to have sent something else or too little."""
    ruled = case.ruling is not None and case.ruling.liable is Party.SUPPLIER
    return ruled and _is_claim(case) and case.opened.reason in (Reason.WRONG_ITEM, Reason.MISSING_ITEM)


def _whose(history: OrderHistory, what: str) -> str:
    parties = history.cancelled_by.get(what, frozenset())
    return next((party for party in _FAULTS if party in parties), "unknown")


def _dispatched_at(shipments: Sequence[Shipment], page: Page, *, before: bool) -> datetime | None:
    """When the last parcel left: the carrier's first scan tells, before one the supplier's word."""
    left = []
    for shipment in shipments:
        parcel = page.parcel(shipment.carrier, shipment.number, shipment.epoch, before=before)
        scanned_at = parcel.first_scan_at if parcel else None
        left.append(scanned_at or shipment.shipped_at)
    return max(left, default=None)


# --- orders, parcels, reviews ---------------------------------------------------------------------


def _orders(history: OrderHistory, page: Page, *, before: bool) -> list[OrderRow]:
    """What a customer ordered; units that are sent once more were ordered before."""
    if history.order.placed.reship_of:
        return []
    row = history.cached(_order)
    if row.defective or not any(map(_is_claim, _cases_of(history, page, before=before))):
        return [row]
    return [row._replace(defective=True)]


def _order(history: OrderHistory) -> OrderRow:
    """Its row, but for what its cases say."""
    order = history.order
    lines = order.lines.values()
    cancelled_by = _whose_order(history) if history.header is Header.CANCELLED else ""
    return OrderRow(
        order_id=order.order_id,
        channel=order.placed.channel,
        placed_at=order.placed.placed_at,
        currency=order.currency,
        units=sum(line.quantity for line in lines),
        value_minor=in_64_bits(sum(line.quantity * line.unit_price_minor for line in lines)),
        suppliers=len({each.supplier_id for each in order.supplier_orders.values()}),
        promised_by=order.promised_by,
        delivered_at=history.delivered_at,
        cancelled_by=cancelled_by,
        cancelled=cancelled_by in ("supplier", "retailer"),
        shipped_late=any(_is_late(each) for each in order.supplier_orders.values()),
        defective=_is_defective(order),
    )


def _whose_order(history: OrderHistory) -> str:
    # What was only taken from one supplier for another was not cancelled.
    parts = history.order.supplier_orders
    gone = [who for what, who in history.cancelled_by.items() if what not in parts or parts[what].count("cancelled")]
    parties = frozenset[str]().union(*gone)
    return next((party for party in _FAULTS if party in parties), "unknown")


def _parcels(parcel: Parcel) -> list[ParcelRow]:
    """Parcels to customers; what they send back is not a supplier's doing."""
    return [_parcel(use) for use in parcels.uses(parcel) if not use.return_of]


def _parcel(parcel: Parcel) -> ParcelRow:
    promise, delivery = parcel.promised_by, parcel.delivered_at
    return ParcelRow(
        number=parcel.number,
        carrier=parcel.carrier,
        epoch=parcel.epoch,
        supplier_id=parcel.supplier_id,
        order_id=parcel.order_id,
        registered_at=parcel.registered_at,
        trackable=parcel.first_scan_at is not None,
        promised_by=promise,
        delivered_at=delivery,
        delivered_in_time=_in_time(delivery, promise),
        settles_at=None if promise is None else min(promise, delivery or promise),
    )


def _reviews(history: OrderHistory) -> list[ReviewRow]:
    """Each review, for all together and for every supplier of the order: it does not say whom it means."""
    order = history.order
    if not order.reviews:
        return []
    suppliers = dict.fromkeys(["", *(each.supplier_id for each in order.supplier_orders.values())])
    return [
        ReviewRow(order.order_id, review.review_id, supplier_id, review.score, review.at)
        for review in order.reviews
        for supplier_id in suppliers
    ]


def _inquiry(inquiry: Inquiry) -> list[InquiryRow]:
    asked, answered_at, closed = inquiry.asked, inquiry.answered_at, inquiry.closed
    due = asked.answer_by
    if due is not None and answered_at is None and closed is not None and closed.at < due:
        due = None
    row = InquiryRow(
        inquiry_id=asked.inquiry_id,
        supplier_id=asked.supplier_id if asked.asked_of is Party.SUPPLIER else "",
        order_id=asked.order_id,
        answer_due=due,
        answered_at=answered_at,
        answered_in_time=_in_time(answered_at, due),
    )
    return [row]


def _cases(case: Case) -> list[CaseRow]:
    """A case, for all together and for every supplier whose units it is about; one that was cancelled is none."""
    if case.status is Status.CANCELLED:
        return []
    suppliers = dict.fromkeys(["", *case.opened.suppliers.values()])
    return [CaseRow(case.case_id, supplier_id, case.order_id, case.opened.at) for supplier_id in suppliers]


# --- suppliers ------------------------------------------------------------------------------------


def _standing(supplier: Supplier) -> list[StandingRow]:
    last = supplier.reviews.last
    row = StandingRow(
        supplier_id=supplier.supplier_id,
        standing=supplier.standing,
        review_from=last.at if last else supplier.approved_at,
        reviewed_at=last.at if last else None,
        score_basis_points=supplier.score_basis_points,
        verdict=last.verdict if last else None,
    )
    return [row]


def _proposals(supplier: Supplier) -> list[ProposalRow]:
    return [
        ProposalRow(supplier.supplier_id, name, each.state, each.proposed_at, msgspec.json.encode(each.rate))
        for name, each in supplier.reviews.proposals.items()
    ]


def _agreements(supplier: Supplier) -> list[AgreementRow]:
    """What was agreed of targets, if anything ever was; of two agreements from one day on, the later signed."""
    rows = {
        each.effective_from: AgreementRow(
            supplier.supplier_id,
            each.effective_from,
            each.effective_until,
            each.acknowledgement_target_basis_points,
            each.response_target_basis_points,
        )
        for each in reversed(supplier.agreements)
    }
    return list(rows.values()) if any(row[3:] != (None, None) for row in rows.values()) else []


# --- all of it ------------------------------------------------------------------------------------

_COUNTED_OF: tuple[From[Any], ...] = (
    From(orders.NOUN, REVIEWS, _reviews),
    From(parcels.NOUN, PARCELS, _parcels),
    From(inquiries.NOUN, INQUIRIES, _inquiry),
    From(cases.NOUN, CASES, _cases),
)
"""Counted rows of one stream each; those of orders depend on parcels and cases as well."""


def _counted(page: Page) -> list[Written]:
    """Rows of all that is counted, and their sums."""
    tally = Tally(page.recorded_until)
    counted = {each.name: Counted(each, tally) for each in COUNTED}
    for history, now in page.orders_concerned():
        before = list(_supplier_orders(history, page, before=True)) if history else []
        counted[SUPPLIER_ORDERS.name].replace(before, _supplier_orders(now, page, before=False))
        was = _orders(history, page, before=True) if history else []
        counted[ORDERS.name].replace(was, _orders(now, page, before=False))
    for source in _COUNTED_OF:
        source.follow(page, counted[source.table.name])
    names = [supplier.supplier_id for _, supplier in page.changed(suppliers.NOUN.prefix)]
    names += [row.supplier_id for row in counted[SUPPLIER_ORDERS.name].new]
    # The sums come last: they look at the rows as the page leaves them.
    return [*counted.values(), AddedRows(SUPPLIERS, map(SupplierRow, names)), tally]


SUPPLIER_PERFORMANCE = projection(
    "supplier_performance",
    5,
    FromPages((*COUNTED, DAYS, USUAL, USUAL_UNTIL, SUPPLIERS), _counted),
    From(suppliers.NOUN, STANDINGS, _standing),
    From(suppliers.NOUN, PROPOSALS, _proposals),
    From(suppliers.NOUN, AGREEMENTS, _agreements),
)

# --- everything recorded --------------------------------------------------------------------------


class Summary(NamedTuple):
    """Exact figures over everything recorded, of one channel or of all."""

    orders: int
    supplier_orders: int
    multi_supplier_orders: int
    """Orders whose supplier orders went to more than one supplier."""
    suppliers: int
    """Those that were given a supplier order."""
    units: int
    gmv_minor: Mapping[str, int]
    """Price times quantity of all lines, by currency."""
    supplier_orders_dispatched: int
    """All units that were to be shipped left, as the supplier said."""
    supplier_orders_dispatched_on_time: int
    delivered_orders: int
    delivered_late: int


class SupplierTotal(NamedTuple):
    """What a supplier dispatched, as it said; on time and late count those that had a deadline."""

    supplier_id: str
    supplier_orders: int
    dispatched: int
    on_time: int
    late: int


_ORDER_TOTALS = """
    SELECT currency, count(*), count(*) FILTER (WHERE suppliers > 1), coalesce(sum(units), 0)::int8,
        coalesce(sum(value_minor), 0), count(delivered_at), count(*) FILTER (WHERE delivered_at > promised_by)
    FROM {performance_orders} WHERE %(channel)s = '' OR channel = %(channel)s GROUP BY currency ORDER BY currency
"""
_SUPPLIER_ORDER_TOTALS = """
    SELECT count(*), count(DISTINCT supplier_id), count(shipped_at), count(*) FILTER (WHERE shipped_at <= dispatch_by)
    FROM {performance_supplier_orders} WHERE %(channel)s = '' OR channel = %(channel)s
"""
_SUPPLIER_TOTALS = """
    SELECT supplier_id, count(*) AS supplier_orders, count(shipped_at) AS dispatched,
        count(*) FILTER (WHERE shipped_at <= dispatch_by) AS on_time,
        count(*) FILTER (WHERE shipped_at > dispatch_by) AS late
    FROM {performance_supplier_orders}
    WHERE supplier_id > %(after)s AND (%(channel)s = '' OR channel = %(channel)s)
    GROUP BY supplier_id ORDER BY supplier_id LIMIT %(limit)s
"""


async def summary(where: Where, channel: str = "") -> Answer[Summary]:
    """Everything recorded, in one row."""
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        by_currency = await at.rows(_ORDER_TOTALS, {"channel": channel})
        ((supplier_orders, suppliers, dispatched, on_time),) = await at.rows(
            _SUPPLIER_ORDER_TOTALS, {"channel": channel}
        )
    totals = [sum(column) for column in list(zip(*by_currency, strict=True))[1:]] or [0] * 6
    orders, multi, units, _, delivered, late = totals
    # An order without lines may have no currency, and then it has no value either.
    gmv = {row[0]: in_64_bits(int(row[4])) for row in by_currency if row[0]}
    figures = Summary(orders, supplier_orders, multi, suppliers, units, gmv, dispatched, on_time, delivered, late)
    return Answer([figures], at.position)


async def list_supplier_totals(where: Where, page: PageOf, channel: str = "") -> Answer[SupplierTotal]:
    """What each supplier dispatched, by its id."""
    parameters = {"after": page.after(str) or "", "channel": channel, "limit": page.limit}
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        found = await at.each(_SUPPLIER_TOTALS, parameters, SupplierTotal)
        rows, token = page.cut(found, [total.supplier_id for total in found])
        return Answer(rows, at.position, token)
