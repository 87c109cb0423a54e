"""How does the trade do, by supplier, SKU, carrier, shop, week or month?

Deadlines, deliveries, orders and reviews stand in the tables of ``projections.supplier_performance``, so that
the figures here are those of the scorecards. The tables here hold which goods they are about, which cases
there were, and what these cost. Each figure belongs to the time of what it counts: a dispatch to its
deadline, a case to its opening, a cost to the day it arose.

What has several suppliers, SKUs or carriers counts for each of them, and once for all together.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from ledger.facts import LineNo, Units
from ledger.nouns import cases, orders
from ledger.nouns.cases import Case
from ledger.nouns.orders import Order
from ledger.nouns.orders.supplier_orders import SupplierOrder, SupplierOrderShipped
from ledger.nouns.recoveries import CostKind
from ledger.terms.money import in_64_bits, round_half_up
from ledger.terms.parties import Party
from projections.machine.histories import OrderHistory
from projections.machine.projection import From, projection
from projections.machine.reads import Answer, PageOf, Where, snapshot
from projections.machine.rows import Int4
from projections.machine.tables import table
from projections.supplier_performance import SUPPLIER_PERFORMANCE

# --- tables ---------------------------------------------------------------------------------------


class Goods(NamedTuple):
    """A line of an order, in each parcel that it is in, or at the supplier that it has not left."""

    order_id: str
    line_no: Int4
    supplier_order_id: str
    """Empty while nobody was given the line."""
    carrier: str
    """This and the next are those of a parcel; empty while none left."""
    number: str
    epoch: Int4
    supplier_id: str
    sku: str


class CaseLine(NamedTuple):
    """A line that a case is about."""

    case_id: str
    line_no: Int4
    order_id: str
    supplier_id: str
    """Who sent the units; empty where that is not known."""
    opened_at: datetime
    liable: Party | None
    """None before a ruling."""


class CaseCost(NamedTuple):
    """What a line of a case cost."""

    case_id: str
    line_no: Int4
    kind: CostKind
    reference: str
    """The refund, the label, or the position of the shipment."""
    currency: str
    """Empty where it is the order's, which a case does not know before money was granted."""
    amount_minor: int
    at: datetime


GOODS = table("trade_goods", Goods, 6)
CASE_LINES = table("trade_case_lines", CaseLine, 2, "(opened_at)")
COSTS = table("trade_costs", CaseCost, 4, "(at)")

# --- what is kept ---------------------------------------------------------------------------------


def _goods(history: OrderHistory) -> list[Goods]:
    order = history.order
    given = {line_no for each in order.supplier_orders.values() for line_no in each.shares}
    nobodys = [
        Goods(
            order_id=order.order_id,
            line_no=line_no,
            supplier_order_id="",
            carrier="",
            number="",
            epoch=0,
            supplier_id=line.supplier_id,
            sku=line.sku,
        )
        for line_no, line in order.lines.items()
        if line_no not in given
    ]
    return [*nobodys, *(row for each in order.supplier_orders.values() for row in _given(order, each))]


def _given(order: Order, each: SupplierOrder) -> Iterator[Goods]:
    """One row for each parcel that a line is in, or one for a line that did not leave."""
    parcels = [parcel for parcel in order.shipments if parcel.supplier_order_id == each.supplier_order_id]
    for line_no in each.shares:
        line = (order.order_id, line_no, each.supplier_order_id)
        what = (each.supplier_id, order.lines[line_no].sku)
        left = {(one.carrier, one.number, one.epoch): None for one in parcels if line_no in one.by_line}
        yield from (Goods(*line, *which, *what) for which in left or [("", "", 0)])


def _case_lines(case: Case) -> list[CaseLine]:
    opened, liable = case.opened, case.ruling.liable if case.ruling else None
    return [
        CaseLine(case.case_id, line_no, case.order_id, opened.suppliers.get(line_no, ""), opened.at, liable)
        for line_no in sorted({*opened.by_line, *case.by_line})
    ]


def _costs(case: Case) -> list[CaseCost]:
    """What the customer gets back, and what it costs to bring goods back."""
    refunds = [
        CaseCost(
            case_id=case.case_id,
            line_no=line_no,
            kind=CostKind.REFUND,
            reference=refund_id,
            currency=case.currency,
            amount_minor=in_64_bits(amount),
            at=refund.granted_at,
        )
        for refund_id, refund in case.refunds.items()
        for line_no, amount in refund.amounts_minor.items()
        if amount
    ]
    # What is refunded of charges stands with the first line of the refund.
    charges = [
        CaseCost(
            case_id=case.case_id,
            line_no=min(refund.by_line or case.opened.by_line),
            kind=CostKind.REFUND,
            reference=f"{refund_id}/charges",
            currency=case.currency,
            amount_minor=in_64_bits(charged),
            at=refund.granted_at,
        )
        for refund_id, refund in case.refunds.items()
        if (charged := sum(refund.charges_minor.values()))
    ]
    freight = [
        CaseCost(
            case_id=case.case_id,
            line_no=line_no,
            kind=CostKind.FREIGHT,
            reference=label.label_id,
            currency="",
            amount_minor=amount,
            at=label.at,
        )
        for label in case.labels.values()
        if label.freight_payer is not Party.CUSTOMER
        for line_no, amount in _shared(label.freight_minor, label.by_line).items()
    ]
    return refunds + charges + freight


def _shared(amount_minor: int, by_line: Units) -> dict[LineNo, int]:
    """An amount shared among lines by their units; the parts add up to it exactly."""
    shares: dict[LineNo, int] = {}
    units, counted, given = sum(by_line.values()), 0, 0
    for line_no, count in by_line.items():
        counted += count
        so_far = round_half_up(amount_minor * counted, units)
        if so_far > given:
            shares[line_no] = so_far - given
        given = so_far
    return shares


def _sent_again(history: OrderHistory) -> list[CaseCost]:
    """What the goods of a reship cost, at the cost frozen in its draft; goods without an offer have no known cost."""
    order = history.order
    if not order.placed.reship_of:
        return []
    return [
        CaseCost(
            case_id=order.placed.reship_of,
            line_no=line_no,
            kind=CostKind.RESHIP,
            reference=str(position),
            currency=cost.currency,
            amount_minor=in_64_bits(units * cost.amount_minor),
            at=fact.at,
        )
        for position, fact in history.accounted
        if isinstance(fact, SupplierOrderShipped) and history.has_left(fact)
        for line_no, units in fact.by_line.items()
        if (cost := order.supplier_orders[fact.supplier_order_id].unit_costs.get(line_no)) is not None
    ]


TRADE = projection(
    "trade",
    2,
    From(orders.NOUN, GOODS, _goods),
    From(cases.NOUN, CASE_LINES, _case_lines),
    From(orders.NOUN, COSTS, _sent_again),
    From(cases.NOUN, COSTS, _costs),
)

# --- questions ------------------------------------------------------------------------------------


class GroupBy(StrEnum):
    """What the rows of a review are about."""

    EVERYTHING = "everything"
    SUPPLIER = "supplier"
    SKU = "sku"
    CARRIER = "carrier"
    CHANNEL = "channel"
    WEEK = "week"
    """ISO weeks in UTC, such as 2026-W09."""
    MONTH = "month"
    """Months in UTC, such as 2026-03."""


class TradeFilter(NamedTuple):
    """The filters of a review; empty ones do not count."""

    since: datetime
    until: datetime
    supplier_id: str = ""
    sku: str = ""
    carrier: str = ""
    channel: str = ""
    time_zone: str = "UTC"
    """Whose weeks and months the rows are about."""


class Borne(NamedTuple):
    """What after-sales cost in one currency, by who was ruled liable; None before a ruling."""

    liable: Party | None
    currency: str
    amount_minor: int


class Figures(NamedTuple):
    """One row of a review. Where a denominator is 0 there is no data."""

    key: str
    orders: int = 0
    dispatches_due: int = 0
    dispatched_on_time: int = 0
    dispatched_late: int = 0
    parcels_due: int = 0
    parcels_on_time: int = 0
    orders_delivered: int = 0
    cases: int = 0
    reviews: int = 0
    score_sum: int = 0
    costs: tuple[Borne, ...] = ()


class _Count(NamedTuple):
    """Objects of a table that are counted, each once for every key that it has."""

    source: str
    goods: str
    """How its goods are found, as ``g``."""
    object: str
    instant: str
    figures: tuple[tuple[str, str], ...]
    """What an object adds to each figure."""
    liable: str = "''"
    currency: str = "''"


_OF_ORDER = "g.order_id = x.order_id"
_OF_LINE = f"{_OF_ORDER} AND g.line_no = x.line_no AND (x.supplier_id = '' OR g.supplier_id = x.supplier_id)"
_PRICED = """(
    SELECT c.*, l.order_id, l.supplier_id, l.liable, coalesce(nullif(c.currency, ''), o.currency, '') AS priced_in
    FROM {trade_costs} AS c JOIN {trade_case_lines} AS l USING (case_id, line_no)
    LEFT JOIN {performance_orders} AS o ON o.order_id = l.order_id
)"""
_COUNTS = (
    _Count("{performance_orders}", _OF_ORDER, "x.order_id", "x.placed_at", (("orders", "1"),)),
    _Count("{performance_orders}", _OF_ORDER, "x.order_id", "x.delivered_at", (("orders_delivered", "1"),)),
    _Count(
        "{performance_supplier_orders}",
        f"{_OF_ORDER} AND g.supplier_order_id = x.supplier_order_id",
        "x.supplier_order_id",
        "x.dispatch_due",
        (
            ("dispatches_due", "1"),
            ("dispatched_on_time", "x.dispatched_in_time::int"),
            ("dispatched_late", "coalesce((x.dispatched_at > x.dispatch_due)::int, 0)"),
        ),
    ),
    _Count(
        "{performance_parcels}",
        f"{_OF_ORDER} AND g.carrier = x.carrier AND g.number = x.number AND g.epoch = x.epoch",
        "x.carrier || '/' || x.number || '/' || x.epoch",
        "x.settles_at",
        (("parcels_due", "1"), ("parcels_on_time", "x.delivered_in_time::int")),
    ),
    _Count("{trade_case_lines}", _OF_LINE, "x.case_id", "x.opened_at", (("cases", "1"),)),
    _Count(
        "(SELECT * FROM {performance_reviews} WHERE supplier_id = '')",
        _OF_ORDER,
        "x.order_id || '/' || x.review_id",
        "x.at",
        (("reviews", "1"), ("score_sum", "x.score")),
    ),
    _Count(
        source=_PRICED,
        goods=_OF_LINE,
        object="x.case_id || '/' || x.line_no || '/' || x.kind || '/' || x.reference",
        instant="x.at",
        figures=(("costs", "x.amount_minor"),),
        liable="x.liable",
        currency="x.priced_in",
    ),
)
_KEYS = {
    GroupBy.EVERYTHING: "''",
    GroupBy.SUPPLIER: "coalesce(g.supplier_id, '')",
    GroupBy.SKU: "coalesce(g.sku, '')",
    GroupBy.CARRIER: "coalesce(g.carrier, '')",
    GroupBy.CHANNEL: "split_part(x.order_id, '/', 1)",
    GroupBy.WEEK: """to_char({instant} AT TIME ZONE %(time_zone)s::text, 'IYYY"-W"IW')""",
    GroupBy.MONTH: "to_char({instant} AT TIME ZONE %(time_zone)s::text, 'YYYY-MM')",
}
_FILTERS = {
    "supplier_id": "g.supplier_id = %(supplier_id)s",
    "sku": "g.sku = %(sku)s",
    "carrier": "g.carrier = %(carrier)s",
    "channel": "split_part(x.order_id, '/', 1) = %(channel)s",
}
_REVIEW = """
    WITH counted AS ({counted}),
        shown AS (SELECT DISTINCT key FROM counted WHERE %(after)s::text IS NULL OR key > %(after)s ORDER BY key
            LIMIT %(limit)s)
    SELECT key, figure, liable, currency, sum(amount)
    FROM counted JOIN shown USING (key) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""

_EXTENT = "SELECT min(first), max(last) FROM ({found}) AS found"


async def review(where: Where, page: PageOf, group_by: GroupBy, about: TradeFilter) -> Answer[Figures]:
    """The figures of [since, until), by key; keys that nothing was counted for are left out."""
    parameters = {**about._asdict(), "after": page.after(str), "limit": page.limit}
    query = _REVIEW.replace("{counted}", " UNION ALL ".join(_counted(each, group_by, about) for each in _COUNTS))
    async with snapshot(where, TRADE, SUPPLIER_PERFORMANCE) as at:
        figures = _figures(await at.rows(query, parameters))
        rows, token = page.cut(figures, [each.key for each in figures])
        ever = _EXTENT.replace("{found}", " UNION ALL ".join(_ever(each, about) for each in _COUNTS))
        extent = None if figures or page.token else await at.extent(ever, parameters)
        return Answer(rows, at.position, token, extent)


def _ever(count: _Count, about: TradeFilter) -> str:
    """When the first and the last was, whatever the window, of what has happened by now."""
    conditions = [f"{count.instant} <= now()", *_filters(about)]
    return f"""
        SELECT min({count.instant}) AS first, max({count.instant}) AS last
        FROM {count.source} AS x {_goods_of(count, conditions)} WHERE {" AND ".join(conditions)}
    """  # noqa: S608


def _filters(about: TradeFilter) -> list[str]:
    return [condition for name, condition in _FILTERS.items() if getattr(about, name)]


def _goods_of(count: _Count, parts: list[str]) -> str:
    """The goods that a query is about, if a part of it asks for them."""
    return f"LEFT JOIN {{trade_goods}} AS g ON {count.goods}" if "g." in " ".join(parts) else ""


def _counted(count: _Count, group_by: GroupBy, about: TradeFilter) -> str:
    """Rows of key, figure, liable, currency and amount. Only words of this file go into the text."""
    conditions = [f"{count.instant} >= %(since)s", f"{count.instant} < %(until)s", *_filters(about)]
    key = _KEYS[group_by].replace("{instant}", count.instant)
    goods = _goods_of(count, [key, *conditions])
    names = ", ".join(f"'{name}'" for name, _ in count.figures)
    amounts = ", ".join(amount for _, amount in count.figures)
    return f"""
        SELECT key, figure, liable, currency, amount::int8 FROM (
            SELECT DISTINCT ({key}) COLLATE "C" AS key, {count.object} AS object,
                {count.liable} AS liable, {count.currency} AS currency, ARRAY[{amounts}]::int8[] AS amounts
            FROM {count.source} AS x {goods} WHERE {" AND ".join(conditions)}
        ) AS found CROSS JOIN LATERAL unnest(ARRAY[{names}], found.amounts) AS measured (figure, amount)
    """  # noqa: S608


def _figures(rows: list[tuple[str, str, str, str, Decimal]]) -> list[Figures]:
    found: dict[str, dict[str, Any]] = {}
    for key, figure, liable, currency, total in rows:
        amount = in_64_bits(int(total))
        mine = found.setdefault(key, {"costs": ()})
        if figure == "costs":
            mine["costs"] += (Borne(Party(liable) if liable else None, currency, amount),)
        else:
            mine[figure] = amount
    return [Figures(key, **figures) for key, figures in found.items()]
