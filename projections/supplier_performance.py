"""How well does each supplier do, and how much was sold and sent in all: what is kept to answer that.

What decides whether a supplier order, an order, a parcel or a review counts in a rate, from when, and
whether as wanted, stands in its row, so that a rate is a sum over one range of one index. Beside the rows
stand sums of them, kept by what changes: by day, and for the usual windows (``projections.counting``).
The rates themselves are asked in ``projections.scorecards``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from ledger.nouns.cases import Case, Reason, Status
from ledger.nouns.inquiries import Inquiry
from ledger.nouns.orders import Header, Order, Shipment
from ledger.nouns.orders.supplier_orders import Stage, SupplierOrder
from ledger.nouns.policies import PolicyAgreed
from ledger.nouns.suppliers import Supplier
from ledger.terms.money import in_64_bits
from ledger.terms.parties import Party
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
    Counted,
    Tally,
)
from projections.machine.reads import (
    Answer,
    PageOf,
    Where,
    snapshot,
)
from projections.machine.streams import (
    OrderHistory,
    Page,
    ParcelHistory,
    ParcelUse,
)
from projections.machine.tables import (
    ID,
    Once,
    Projection,
    Rows,
    Table,
    Values,
    Written,
)

# --- tables ---------------------------------------------------------------------------------------

SUPPLIERS = Table("performance_suppliers", 1, {"supplier_id": ID})
"""All that are registered or were given anything to send."""
STANDINGS = Table(
    "performance_standings",
    1,
    {
        "supplier_id": ID,
        "standing": ID,
        "review_from": "timestamptz",  # its last review or else its approval: from then the next one is awaited
        "reviewed_at": "timestamptz",
        "score_basis_points": "int4",
        "verdict": ID,  # of the last review; empty before the first
    },
    ("(review_from)",),
)
PROPOSALS = Table(
    "performance_proposals",
    2,
    {
        "supplier_id": ID,
        "rate": ID,
        "state": ID,
        "proposed_at": "timestamptz NOT NULL",
        "seen": "bytea NOT NULL",  # the figures that it was proposed for, as in the fact
    },
    ("(proposed_at, supplier_id, rate)",),
)
AGREEMENTS = Table(
    "performance_agreements",
    2,
    {
        "supplier_id": ID,
        "effective_from": "timestamptz NOT NULL",
        "effective_until": "timestamptz",
        "acknowledgement_target": "int4",  # basis points; null where the retailer's policy says
        "response_target": "int4",
    },
)
POLICIES = Table(
    "performance_policies",
    1,
    {
        "position": "int8 NOT NULL",
        "effective_from": "timestamptz NOT NULL",
        "policy": "bytea NOT NULL",  # as in the fact
    },
)

# --- what is kept ---------------------------------------------------------------------------------

_FAULTS = ("supplier", "retailer", "carrier", "customer")
"""Where several parties wanted units cancelled, the first of these that did counts."""


def changes(page: Page) -> list[Written]:
    """Rows of all that is counted, their sums, and what is known of suppliers."""
    tally = Tally(page.recorded_until)
    supplier_orders, parcels = Counted(SUPPLIER_ORDERS, tally), Counted(PARCELS, tally)
    orders, reviews, inquiries = Counted(ORDERS, tally), Counted(REVIEWS, tally), Counted(INQUIRIES, tally)
    cases = Counted(CASES, tally)
    for history, now in page.orders_concerned():
        before = list(_supplier_orders(history, page, before=True)) if history else []
        supplier_orders.replace(before, _supplier_orders(now, page, before=False))
        orders.replace(_orders(history, page, before=True) if history else (), _orders(now, page, before=False))
    for history, now in page.orders():
        if now.order.reviews:
            reviews.replace(history.cached(_reviews) if history else [], now.cached(_reviews))
    for earlier, after in page.parcels():
        parcels.replace(_parcels(earlier), _parcels(after))
    for asked, inquiry in page.inquiries():
        inquiries.replace([_inquiry(asked)] if asked else [], [_inquiry(inquiry)])
    for case, after_case in page.cases():
        cases.replace(_cases(case) if case else (), _cases(after_case))
    standings, proposals, agreements = Rows(STANDINGS), Rows(PROPOSALS), Rows(AGREEMENTS)
    for known, supplier in page.suppliers():
        standings.replace([_standing(known)] if known else [], [_standing(supplier)])
        proposals.replace(_proposals(known) if known else [], _proposals(supplier))
        agreements.replace(_agreements(known) if known else [], _agreements(supplier))
    policies = Rows(POLICIES)
    for position, fact in page.others:
        if isinstance(fact, PolicyAgreed):
            policies.new.append((position, fact.effective_from, msgspec.json.encode(fact.policy)))
    registered = [(supplier.supplier_id,) for _, supplier in page.suppliers()]
    suppliers = Once(SUPPLIERS, [*registered, *((row[1],) for row in supplier_orders.new)])
    # The sums come last: they look at the rows as the page leaves them.
    counted = [supplier_orders, parcels, orders, reviews, inquiries, cases]
    return [*counted, suppliers, standings, proposals, agreements, policies, tally]


SUPPLIER_PERFORMANCE = Projection(
    "supplier_performance",
    5,
    (
        *COUNTED,
        DAYS,
        USUAL,
        USUAL_UNTIL,
        SUPPLIERS,
        STANDINGS,
        PROPOSALS,
        AGREEMENTS,
        POLICIES,
    ),
    changes,
)


# --- supplier orders ------------------------------------------------------------------------------


class _Leg(NamedTuple):
    """What a supplier order's row takes from its order alone, without its parcels and cases."""

    supplier_order: SupplierOrder
    what: Values
    shipments: list[Shipment]
    """Its parcels, once all that was to be shipped is."""
    dispatch_due: datetime | None
    as_said: Values
    """What follows from the dispatch as the supplier said it, and from what became of the order."""
    leads: bool
    defective: bool


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
    return _Leg(
        each,
        (
            each.supplier_order_id,
            each.supplier_id,
            placed.order_id,
            placed.channel,
            placed.placed_at,
            acknowledge_due,
            acknowledged_at,
            _in_time(acknowledged_at, acknowledge_due),
        ),
        of_it if shipped_at else [],
        each.dispatch_by if _counts(each, each.dispatch_by, shipped_at, let_off) else None,
        (
            each.dispatch_by,
            shipped_at,
            _is_late(each),
            cancelled_by,
            cancelled_by == "supplier",
            max(arrived, default=None) if not placed.reship_of else None,
            leads,
        ),
        leads,
        _is_defective(history.order),
    )


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


def _supplier_orders(history: OrderHistory, page: Page, *, before: bool) -> Iterator[Values]:
    cases = _cases_of(history, page, before=before)
    for leg in history.cached(_legs):
        dispatched_at = _dispatched_at(leg.shipments, page, before=before)
        mine = [case for case in cases if _is_about(case, leg.supplier_order)]
        yield (
            *leg.what,
            leg.dispatch_due,
            dispatched_at,
            _in_time(dispatched_at, leg.dispatch_due) and _given_up_in_time(leg.supplier_order, leg.dispatch_due),
            *leg.as_said,
            bool(leg.supplier_order.packing_lacks) or any(map(_is_mistake, mine)),
            leg.leads and (leg.defective or any(map(_is_claim, mine))),
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
        history = page.parcel(shipment.carrier, shipment.number, shipment.epoch, before=before)
        scanned_at = history.parcel.first_scan_at if history else None
        left.append(scanned_at or shipment.shipped_at)
    return max(left, default=None)


# --- orders, parcels, reviews ---------------------------------------------------------------------


def _orders(history: OrderHistory, page: Page, *, before: bool) -> list[Values]:
    """What a customer ordered; units that are sent once more were ordered before."""
    if history.order.placed.reship_of:
        return []
    defective = _is_defective(history.order) or any(map(_is_claim, _cases_of(history, page, before=before)))
    return [(*history.cached(_order), defective)]


def _order(history: OrderHistory) -> Values:
    order = history.order
    lines = order.lines.values()
    cancelled_by = _whose_order(history) if history.header is Header.CANCELLED else ""
    return (
        order.order_id,
        order.placed.channel,
        order.placed.placed_at,
        order.currency,
        sum(line.quantity for line in lines),
        in_64_bits(sum(line.quantity * line.unit_price_minor for line in lines)),
        len({each.supplier_id for each in order.supplier_orders.values()}),
        order.promised_by,
        history.delivered_at,
        cancelled_by,
        cancelled_by in ("supplier", "retailer"),
        any(_is_late(each) for each in order.supplier_orders.values()),
    )


def _whose_order(history: OrderHistory) -> str:
    # What was only taken from one supplier for another was not cancelled.
    parts = history.order.supplier_orders
    gone = [who for what, who in history.cancelled_by.items() if what not in parts or parts[what].count("cancelled")]
    parties = frozenset[str]().union(*gone)
    return next((party for party in _FAULTS if party in parties), "unknown")


def _parcels(uses: ParcelHistory) -> Iterator[Values]:
    """Parcels to customers; what they send back is not a supplier's doing."""
    return (_parcel(history) for history in uses if not history.parcel.return_of)


def _parcel(history: ParcelUse) -> Values:
    parcel = history.parcel
    promise, delivery = parcel.promised_by, parcel.delivered_at
    return (
        parcel.number,
        parcel.carrier,
        parcel.epoch,
        parcel.supplier_id,
        parcel.order_id,
        parcel.registered_at,
        parcel.first_scan_at is not None,
        promise,
        delivery,
        _in_time(delivery, promise),
        None if promise is None else min(promise, delivery or promise),
    )


def _reviews(history: OrderHistory) -> list[Values]:
    """Each review, for all together and for every supplier of the order: it does not say whom it means."""
    order = history.order
    suppliers = dict.fromkeys(["", *(each.supplier_id for each in order.supplier_orders.values())])
    return [
        (order.order_id, review.review_id, supplier_id, review.score, review.at)
        for review in order.reviews
        for supplier_id in suppliers
    ]


def _inquiry(inquiry: Inquiry) -> Values:
    asked, answered_at, closed = inquiry.asked, inquiry.answered_at, inquiry.closed
    due = asked.answer_by
    if due is not None and answered_at is None and closed is not None and closed.at < due:
        due = None
    return (
        asked.inquiry_id,
        asked.supplier_id if asked.asked_of is Party.SUPPLIER else "",
        asked.order_id,
        due,
        answered_at,
        _in_time(answered_at, due),
    )


def _cases(case: Case) -> list[Values]:
    """A case, for all together and for every supplier whose units it is about; one that was cancelled is none."""
    if case.status is Status.CANCELLED:
        return []
    suppliers = dict.fromkeys(["", *case.opened.suppliers.values()])
    return [(case.case_id, supplier_id, case.order_id, case.opened.at) for supplier_id in suppliers]


# --- suppliers ------------------------------------------------------------------------------------


def _standing(supplier: Supplier) -> Values:
    last = supplier.reviews.last
    return (
        supplier.supplier_id,
        supplier.standing.value,
        last.at if last else supplier.approved_at,
        last.at if last else None,
        supplier.score_basis_points,
        last.verdict.value if last else "",
    )


def _proposals(supplier: Supplier) -> list[Values]:
    return [
        (supplier.supplier_id, name.value, each.state.value, each.proposed_at, msgspec.json.encode(each.rate))
        for name, each in supplier.reviews.proposals.items()
    ]


def _agreements(supplier: Supplier) -> list[Values]:
    """What was agreed of targets, if anything ever was; of two agreements from one day on, the later signed."""
    rows = {
        each.effective_from: (
            supplier.supplier_id,
            each.effective_from,
            each.effective_until,
            each.acknowledgement_target_basis_points,
            each.response_target_basis_points,
        )
        for each in reversed(supplier.agreements)
    }
    return list(rows.values()) if any(row[3:] != (None, None) for row in rows.values()) else []


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
