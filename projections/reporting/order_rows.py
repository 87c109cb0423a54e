"""Orders, their lines, supplier orders, holds and payments, as reporting jobs read them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, NamedTuple

from ledger.nouns import orders
from ledger.nouns.orders import LEDGER, PaymentKind
from ledger.nouns.orders.supplier_orders import CompensationAccrued, CompensationReversed, SupplierOrder
from ledger.terms.money import in_64_bits
from projections.machine.histories import OrderHistory
from projections.machine.rows import Int4
from projections.reporting.declaring import Means, made

MINOR = "minor units of the currency"
UNITS = "units"

# --- orders ---------------------------------------------------------------------------------------


class ReportedOrder(NamedTuple):
    """One row for each order, those that send units once more too."""

    order_id: Annotated[str, Means("The order: channel/number.")]
    channel: Annotated[str, Means("The shop that sold it.")]
    status: Annotated[str, Means("How far it is: received, on_hold, confirmed, …, completed, cancelled, closed.")]
    payment: Annotated[str, Means("How its money stands, by the shop's word or the amounts that are known.")]
    placed_at: Annotated[datetime, Means("When the customer ordered.")]
    recorded_at: Annotated[datetime, Means("By its own time, as placed_at: not when the ledger was told.")]
    confirmed_at: Annotated[datetime | None, Means("When it was confirmed.")]
    promised_by: Annotated[datetime | None, Means("By when it was promised to arrive.")]
    delivered_at: Annotated[datetime | None, Means("When the last of its units arrived.")]
    ended_at: Annotated[datetime | None, Means("When the last of its units was delivered or given up.")]
    completed_at: Annotated[datetime | None, Means("When nothing could be sent back any more.")]
    cancelled_at: Annotated[datetime | None, Means("When units were last cancelled.")]
    country: Annotated[str | None, Means("Where it goes: ISO 3166-1 alpha-2.")]
    currency: Annotated[str | None, Means("Of its amounts: ISO 4217.")]
    lines: Annotated[Int4, Means("How many lines it has.", "lines")]
    units: Annotated[int, Means("Units of all lines, cancelled ones too.", UNITS)]
    total_minor: Annotated[int, Means("What all lines and charges come to, cancelled units too.", MINOR)]
    came_in_minor: Annotated[int, Means("What was paid for it.", MINOR)]
    went_back_minor: Annotated[int, Means("What went back to the customer, by whatever way.", MINOR)]
    is_held: Annotated[bool, Means("Whether something holds it.")]
    is_late: Annotated[bool, Means("Whether a breach of it or of one of its supplier orders stands.")]
    is_historical: Annotated[bool, Means("Whether it was recorded for its figures only.")]
    reship_of: Annotated[str | None, Means("The case whose units it sends once more.")]
    original_order_id: Annotated[str | None, Means("The order that was paid for what it sends once more.")]


class ReportedLine(NamedTuple):
    """One row for each line of an order; its units are each in exactly one of the counts."""

    order_id: Annotated[str, Means("The order.")]
    line_no: Annotated[Int4, Means("The line's number in the order.")]
    sku: Annotated[str, Means("What was sold.")]
    supplier_id: Annotated[str | None, Means("Who is to send it, as far as that is chosen for the line.")]
    placed_at: Annotated[datetime, Means("When the customer ordered.")]
    quantity: Annotated[int, Means("Units that were ordered.", UNITS)]
    unit_price_minor: Annotated[int, Means("The price of one unit.", MINOR)]
    amount_minor: Annotated[int, Means("What all its units cost together, after discounts.", MINOR)]
    currency: Annotated[str | None, Means("Of its amounts: ISO 4217.")]
    open_units: Annotated[int, Means("Given to no supplier yet.", UNITS)]
    backordered_units: Annotated[int, Means("Wait for stock.", UNITS)]
    assigned_units: Annotated[int, Means("A supplier is to send them.", UNITS)]
    shipped_units: Annotated[int, Means("On their way.", UNITS)]
    delivered_units: Annotated[int, Means("Arrived.", UNITS)]
    cancelled_units: Annotated[int, Means("Nobody wants them any more.", UNITS)]
    lost_units: Annotated[int, Means("Lost under way.", UNITS)]
    returned_units: Annotated[int, Means("Came back to the sender undelivered.", UNITS)]


class ReportedHold(NamedTuple):
    """One row for each reason that holds an order, or one supplier order of it, now."""

    order_id: Annotated[str, Means("The order that waits.")]
    reason: Annotated[str, Means("Why it waits.")]
    supplier_order_id: Annotated[str, Means("The supplier order that waits; empty if the whole order does.")]
    since: Annotated[datetime, Means("Since when.")]
    holds: Annotated[Int4, Means("How many hold it for this reason.", "holds")]
    by_ledger: Annotated[bool, Means("Whether the ledger placed one, which it ends itself.")]


class ReportedPayment(NamedTuple):
    """One row for each movement of an order's money that its source told with an amount."""

    order_id: Annotated[str, Means("The order.")]
    kind: Annotated[str, Means("What happened: authorised, captured, voided, failed, refunded, …, charged_back.")]
    payment_id: Annotated[str, Means("The source's own id.")]
    amount_minor: Annotated[int, Means("How much.", MINOR)]
    currency: Annotated[str, Means("ISO 4217.")]
    at: Annotated[datetime, Means("When, as its source says.")]
    method: Annotated[str | None, Means("A word such as card.")]
    of_payment_id: Annotated[str | None, Means("The payment that it is about: the capture that was voided.")]


class ReportedCompensation(NamedTuple):
    """One row for each time that a supplier came to owe compensation for a late dispatch, or owed it no more."""

    fact_position: Annotated[int, Means("The position of the fact that says so.")]
    kind: Annotated[str, Means("accrued or reversed.")]
    order_id: Annotated[str, Means("The order.")]
    supplier_order_id: Annotated[str, Means("What was late.")]
    supplier_id: Annotated[str, Means("Who owes.")]
    amount_minor: Annotated[int, Means("How much; below zero where it is owed no more.", MINOR)]
    currency: Annotated[str, Means("ISO 4217.")]
    at: Annotated[datetime, Means("When it was recorded.")]
    because: Annotated[str | None, Means("Why it is owed no more.")]


class ReportedSupplierOrder(NamedTuple):
    """One row for each supplier order: what one supplier was given of an order."""

    supplier_order_id: Annotated[str, Means("The supplier order: order/number.")]
    order_id: Annotated[str, Means("The order.")]
    supplier_id: Annotated[str, Means("Who sends it.")]
    status: Annotated[str, Means("How far it is: draft, sent, accepted, …, shipped, closed, cancelled.")]
    warehouse: Annotated[str | None, Means("The supplier's warehouse that it is sent from.")]
    placed_at: Annotated[datetime, Means("When the customer ordered.")]
    drafted_at: Annotated[datetime, Means("When it was made.")]
    sent_at: Annotated[datetime | None, Means("When the supplier was given it.")]
    acknowledge_by: Annotated[datetime | None, Means("By when the supplier has to answer.")]
    acknowledged_at: Annotated[datetime | None, Means("When it answered.")]
    packed_at: Annotated[datetime | None, Means("When it was packed.")]
    dispatch_by: Annotated[datetime | None, Means("By when it has to leave.")]
    dispatched_at: Annotated[datetime | None, Means("When the last unit left; empty while any is still to go.")]
    stopped_since: Annotated[datetime | None, Means("Since when its clocks stand still.")]
    units: Annotated[int, Means("All units that it was ever given.", UNITS)]
    unshipped_units: Annotated[int, Means("Still to leave.", UNITS)]
    shipped_units: Annotated[int, Means("Left.", UNITS)]
    delivered_units: Annotated[int, Means("Arrived, of those that left.", UNITS)]
    rejected_units: Annotated[int, Means("The supplier would not send them.", UNITS)]
    cancelled_units: Annotated[int, Means("Cancelled.", UNITS)]
    rerouted_units: Annotated[int, Means("Given to another supplier instead.", UNITS)]
    cost_minor: Annotated[int | None, Means("What its units cost, as agreed; empty if not known of all.", MINOR)]
    currency: Annotated[str | None, Means("Of the cost: ISO 4217.")]
    instead_of: Annotated[str | None, Means("The supplier order that it takes the place of.")]


ORDERS = made("orders", ReportedOrder, 1)
LINES = made("order_lines", ReportedLine, 2)
SUPPLIER_ORDERS = made("supplier_orders", ReportedSupplierOrder, 1)
HOLDS = made("holds", ReportedHold, 3)
PAYMENTS = made("payments", ReportedPayment, 3)
COMPENSATION = made("compensation", ReportedCompensation, 1)

# --- what is kept ---------------------------------------------------------------------------------


def order(history: OrderHistory) -> list[ReportedOrder]:
    found, placed = history.order, history.order.placed
    row = ReportedOrder(
        order_id=placed.order_id,
        channel=placed.channel,
        status=history.header,
        payment=found.payment,
        placed_at=placed.placed_at,
        recorded_at=placed.at,
        confirmed_at=found.confirmed_at,
        promised_by=found.promised_by,
        delivered_at=history.delivered_at,
        ended_at=found.ended_at,
        completed_at=found.completed_at,
        cancelled_at=found.cancelled_at,
        country=found.destination.country or None,
        currency=found.currency or None,
        lines=len(found.lines),
        units=sum(line.quantity for line in found.lines.values()),
        total_minor=in_64_bits(orders.total_minor(found)),
        came_in_minor=in_64_bits(orders.came_in_minor(found)),
        went_back_minor=in_64_bits(orders.went_back_minor(found)),
        is_held=bool(found.holds),
        is_late=bool(found.missed),
        is_historical=placed.historical,
        reship_of=placed.reship_of or None,
        original_order_id=placed.original_order_id or None,
    )
    return [row]


def lines(history: OrderHistory) -> list[ReportedLine]:
    found = history.order
    order_id, placed_at, currency = found.order_id, found.placed.placed_at, found.currency or None
    rows = []
    for line_no, line in found.lines.items():
        where = found.buckets[line_no]
        rows.append(
            ReportedLine(
                order_id=order_id,
                line_no=line_no,
                sku=line.sku,
                supplier_id=line.supplier_id or None,
                placed_at=placed_at,
                quantity=line.quantity,
                unit_price_minor=line.unit_price_minor,
                amount_minor=in_64_bits(line.amount_minor),
                currency=currency,
                open_units=where.open,
                backordered_units=where.backordered,
                assigned_units=where.assigned,
                shipped_units=where.shipped,
                delivered_units=where.delivered,
                cancelled_units=where.cancelled,
                lost_units=where.lost,
                returned_units=where.returned,
            )
        )
    return rows


def supplier_orders(history: OrderHistory) -> list[ReportedSupplierOrder]:
    return [_supplier_order(history, each) for each in history.order.supplier_orders.values()]


def _supplier_order(history: OrderHistory, each: SupplierOrder) -> ReportedSupplierOrder:
    unshipped, shipped = each.unshipped, each.count("shipped")
    rejected, cancelled, rerouted = each.count("rejected"), each.count("cancelled"), each.count("rerouted")
    cost_minor, currency = _cost(each)
    return ReportedSupplierOrder(
        supplier_order_id=each.supplier_order_id,
        order_id=history.order.order_id,
        supplier_id=each.supplier_id,
        status=each.stage,
        warehouse=each.warehouse or None,
        placed_at=history.order.placed.placed_at,
        drafted_at=each.drafted_at,
        sent_at=each.sent_at,
        acknowledge_by=each.acknowledge_by,
        acknowledged_at=each.acknowledged_at,
        packed_at=each.packed_at,
        dispatch_by=each.dispatch_by,
        dispatched_at=each.dispatched_at,
        stopped_since=each.stopped_since,
        units=unshipped + shipped + rejected + cancelled + rerouted,
        unshipped_units=unshipped,
        shipped_units=shipped,
        delivered_units=each.delivered,
        rejected_units=rejected,
        cancelled_units=cancelled,
        rerouted_units=rerouted,
        cost_minor=cost_minor,
        currency=currency,
        instead_of=each.instead_of or None,
    )


def _cost(each: SupplierOrder) -> tuple[int | None, str | None]:
    costs = each.unit_costs
    currencies = {cost.currency for cost in costs.values()}
    if len(currencies) != 1 or len(costs) < len(each.shares):
        return None, None
    return in_64_bits(sum(costs[n].amount_minor * share.given for n, share in each.shares.items())), currencies.pop()


def holds(history: OrderHistory) -> list[ReportedHold]:
    found: dict[tuple[str, str], ReportedHold] = {}
    for hold in history.order.holds:
        key = (hold.reason, hold.supplier_order_id)
        row = ReportedHold(history.order.order_id, *key, hold.at, 1, hold.owner == LEDGER)
        if (other := found.get(key)) is not None:
            row = row._replace(
                since=min(other.since, row.since), holds=other.holds + 1, by_ledger=other.by_ledger or row.by_ledger
            )
        found[key] = row
    return list(found.values())


def payments(history: OrderHistory) -> list[ReportedPayment]:
    found, order_id = history.order, history.order.order_id
    rows = [
        ReportedPayment(
            order_id=order_id,
            kind=each.kind,
            payment_id=each.payment_id,
            amount_minor=each.amount.amount_minor,
            currency=each.amount.currency,
            at=each.at,
            method=each.method or None,
            of_payment_id=each.of or None,
        )
        for each in found.money.payments
    ]
    return rows + [
        ReportedPayment(
            order_id=order_id,
            kind=PaymentKind.CHARGED_BACK,
            payment_id=each.chargeback_id,
            amount_minor=each.amount.amount_minor,
            currency=each.amount.currency,
            at=each.at,
            method=None,
            of_payment_id=None,
        )
        for each in found.chargebacks
    ]


def compensation(history: OrderHistory) -> list[ReportedCompensation]:
    rows = []
    for position, fact in history.accounted:
        if isinstance(fact, CompensationAccrued | CompensationReversed):
            accrued = isinstance(fact, CompensationAccrued)
            rows.append(
                ReportedCompensation(
                    fact_position=position,
                    kind="accrued" if accrued else "reversed",
                    order_id=history.order.order_id,
                    supplier_order_id=fact.supplier_order_id,
                    supplier_id=fact.supplier_id,
                    amount_minor=fact.amount.amount_minor if accrued else -fact.amount.amount_minor,
                    currency=fact.amount.currency,
                    at=fact.at,
                    because=None if isinstance(fact, CompensationAccrued) else fact.because,
                )
            )
    return rows
