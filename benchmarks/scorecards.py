"""Scorecards of 10,000 suppliers over a million supplier orders, all of them inside the windows of the rates.

The million is made by the projection itself: for each order the facts of a whole life are made as
the log would hold them (placed, confirmed, drafted, sent, acknowledged, shipped, the parcel's scans, delivered;
some cancelled, mis-packed, complained or asked about, reviewed), folded by ``projections.machine.streams`` as a page of
the log is, and handed to the projection's own ``changes`` and writing, 1,000 orders a page in the order of time.
Only the log itself is left out. No row is written by hand. Suppliers differ in size as in reality: the largest has
some hundred times the orders of the smallest. Afterwards the tables are vacuumed, as they would be in time.

The answers of ``projections.scorecards`` are timed, without gRPC, over one connection that is warm.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from statistics import median
from time import perf_counter
from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Identifier

from adapters.database.migrations import TENANT_MIGRATIONS
from adapters.database.postgres import open_pool
from adapters.database.schema_versions import migrate
from benchmarks.stage import Figure, Stage
from ledger.engine.registry import Registry
from ledger.facts import Change, LineNo
from ledger.nouns import NOUNS, cases, inquiries, orders, parcels, suppliers
from ledger.nouns.cases import CaseOpened, LiabilityRuled, Reason, RefundGranted, RefundPaid, Remedy, RemedyApproved
from ledger.nouns.inquiries import InquiryAnswered, InquiryAsked, Topic
from ledger.nouns.orders import (
    Line,
    OrderConfirmed,
    OrderPlaced,
    OrderReviewed,
    PaymentState,
    UnitsDelivered,
)
from ledger.nouns.orders.after_sales import TakenIntoCase
from ledger.nouns.orders.supplier_orders import (
    CancelAgreed,
    CancelRequested,
    LineAnswer,
    PackingErrorFound,
    SupplierOrderAcknowledged,
    SupplierOrderDrafted,
    SupplierOrderSent,
    SupplierOrderShipped,
)
from ledger.nouns.parcels import (
    Checkpoint,
    CheckpointRecorded,
    ParcelRegistered,
    ParcelStatus,
)
from ledger.nouns.suppliers import (
    Agreement,
    SampleReviewed,
    SupplierApproved,
    SupplierRegistered,
    TermsAgreed,
)
from ledger.terms.parties import Party
from ledger.terms.rates import RateName
from projections.machine.database import make_tables, open_connection
from projections.machine.histories import folds
from projections.machine.reads import PageOf, Where
from projections.machine.streams import Page
from projections.supplier_performance import (
    SUPPLIER_PERFORMANCE,
    reviewing,
    scorecards,
    trends,
)
from projections.supplier_performance.trends import TrendStep
from projections.supplier_performance.windows import Window

_SCHEMA = "tenant_scorecards"
_FOLDS = folds(Registry(NOUNS))
_DAYS = 89
_NOW = datetime(2026, 9, 14, 9, 41, 7, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_ORDERS_A_PAGE = 1_000
_ONE = LineNo(1)


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    with stage.database() as conninfo:
        asyncio.run(_prepare(conninfo))
        began = perf_counter()
        with open_connection(conninfo) as connection:
            make_tables(connection, _SCHEMA, [SUPPLIER_PERFORMANCE])
            _fill(connection, stage.size.suppliers, stage.size.supplier_orders)
            seconds = perf_counter() - began
            for table in SUPPLIER_PERFORMANCE.tables:
                connection.execute(SQL("VACUUM ANALYZE {}").format(Identifier(_SCHEMA, table.name)))
        yield Figure("scorecards.fold.supplier_orders_per_second", stage.size.supplier_orders / seconds)
        for name, milliseconds in asyncio.run(_ask(conninfo, stage.size.suppliers, stage.size.answers)).items():
            yield Figure(f"scorecards.{name}.median_ms", milliseconds)


async def _prepare(conninfo: str) -> None:
    async with open_pool(conninfo) as pool, pool.connection() as connection:
        await migrate(connection, _SCHEMA, TENANT_MIGRATIONS)


# --- a million supplier orders --------------------------------------------------------------------


def _fill(connection: Connection[Any], suppliers: int, supplier_orders: int) -> None:
    chance = random.Random(7)
    position = 0
    for page in _pages(chance, [_name(number) for number in range(suppliers)], supplier_orders):
        position = _apply(connection, position, *page)


def _pages(
    chance: random.Random, suppliers: list[str], supplier_orders: int
) -> Iterator[tuple[datetime, list[Change]]]:
    """Facts, and when the last of them was recorded."""
    begin = _NOW - timedelta(days=_DAYS)
    yield begin, [change for supplier_id in suppliers for change in _approved(supplier_id, begin)]
    weights = list(accumulate(1 / (number + len(suppliers) / 100) for number in range(len(suppliers))))
    for first in range(0, supplier_orders, _ORDERS_A_PAGE):
        numbers = range(first, min(first + _ORDERS_A_PAGE, supplier_orders))
        changes = []
        for number in numbers:
            placed_at = begin + timedelta(days=_DAYS) * (number / supplier_orders)
            changes += _life(chance, number, placed_at, chance.choices(suppliers, cum_weights=weights)[0])
        yield begin + timedelta(days=_DAYS) * ((numbers[-1] + 1) / supplier_orders), changes


def _apply(connection: Connection[Any], after: int, recorded_until: datetime, changes: list[Change]) -> int:
    """Folds a page and has the projection write what it changes."""
    page = Page(after, after + len(changes), recorded_until)
    histories: dict[str, Any] = {}
    for stream, fact in changes:
        histories[stream] = _FOLDS[stream.partition("-")[0]](histories.get(stream), fact, page.position)
    page.change({stream: (None, history) for stream, history in histories.items()})
    with connection.transaction(), connection.cursor() as cursor:
        for written in SUPPLIER_PERFORMANCE.changes(page):
            written.write(cursor, _SCHEMA, "")
    return page.position


def _name(number: int) -> str:
    return f"supplier-{number:05}"


def _approved(supplier_id: str, at: datetime) -> list[Change]:
    agreement = Agreement(at, acknowledge_within_hours=24, dispatch_within_hours=48)
    facts = (
        SupplierRegistered(supplier_id, supplier_id, at),
        SampleReviewed(supplier_id, True, True, True, at),
        TermsAgreed(supplier_id, agreement, at),
        SupplierApproved(supplier_id, at),
    )
    return [(suppliers.stream(supplier_id), fact) for fact in facts]


def _life(chance: random.Random, number: int, placed_at: datetime, supplier_id: str) -> list[Change]:
    """Everything that has happened to an order of one supplier order by now."""
    order_id = f"shop/{number}"
    supplier_order_id, tracking_number, units = f"{order_id}/1", f"N{number}", {_ONE: 1}
    line = Line(_ONE, "SKU", 1, 990, supplier_id=supplier_id)
    sent_at, promised_by = placed_at + _HOUR, placed_at + timedelta(days=9)
    acknowledge_by, dispatch_by = sent_at + 24 * _HOUR, sent_at + 48 * _HOUR
    answered_at = sent_at + chance.expovariate(1 / 8) * _HOUR
    shipped_at = max(answered_at, sent_at + chance.gauss(30, 10) * _HOUR)
    delivered_at = shipped_at + timedelta(days=max(1.0, chance.gauss(5, 1.5)))
    facts: list[Any] = [
        OrderPlaced(
            order_id, "shop", str(number), placed_at, "EUR", (line,), placed_at,
            payment=PaymentState.PAID, promised_by=promised_by,
        ),
        OrderConfirmed(order_id, "ledger", placed_at, promised_by),
        SupplierOrderDrafted(supplier_order_id, supplier_id, units, placed_at),
        SupplierOrderSent(supplier_order_id, sent_at, acknowledge_by, dispatch_by),
    ]  # fmt: skip
    parcel: list[Any] = []
    case: list[Any] = []
    if chance.random() < 0.02:
        cancelled_at, by = sent_at + 3 * _HOUR, chance.choice(("supplier", "customer"))
        facts += [
            CancelRequested(supplier_order_id, units, by, "", cancelled_at),
            CancelAgreed(supplier_order_id, units, cancelled_at),
        ]
    else:
        facts.append(SupplierOrderAcknowledged(supplier_order_id, {_ONE: LineAnswer(accepted=1)}, answered_at))
        if chance.random() < 0.01:
            facts.append(PackingErrorFound(supplier_order_id, ("logo_label",), answered_at))
        facts.append(SupplierOrderShipped(supplier_order_id, "dhl", tracking_number, 1, units, shipped_at))
        parcel.append(
            ParcelRegistered(
                "dhl", tracking_number, 1, shipped_at, order_id, supplier_order_id, supplier_id, units,
                promised_by=promised_by,
            )
        )  # fmt: skip
        if chance.random() < 0.98:
            scan = Checkpoint(shipped_at + 4 * _HOUR, ParcelStatus.IN_TRANSIT)
            arrived = Checkpoint(delivered_at, ParcelStatus.DELIVERED)
            parcel += [CheckpointRecorded("dhl", tracking_number, each, each.at) for each in (scan, arrived)]
            facts.append(UnitsDelivered(order_id, "dhl", tracking_number, 1, units, delivered_at))
            case = _complaint(chance, number, supplier_id, delivered_at + _HOUR)
            facts += [TakenIntoCase(order_id, each.case_id, units, each.at, True) for each in case[:1]]
        if chance.random() < 0.3:
            stars = chance.choices((1, 2, 3, 4, 5), (1, 1, 5, 30, 63))[0]
            facts.append(OrderReviewed(order_id, f"r{number}", stars, delivered_at + timedelta(days=1)))
    question = _question(chance, number, supplier_id, sent_at)
    streams = {
        orders.stream(order_id): facts,
        parcels.stream("dhl", tracking_number): parcel,
        cases.stream(f"c{number}"): case,
        inquiries.stream(f"q{number}"): question,
    }
    return [(stream, fact) for stream, recorded in streams.items() for fact in recorded if fact.at <= _NOW]


def _complaint(chance: random.Random, number: int, supplier_id: str, at: datetime) -> list[Any]:
    """One delivery in fifty, of which half are the supplier's fault."""
    if chance.random() > 0.02:
        return []
    case_id, reason = f"c{number}", chance.choice((Reason.WRONG_ITEM, Reason.DAMAGED))
    liable = chance.choice((Party.SUPPLIER, Party.CARRIER))
    resolve_by = {supplier_id: at + 68 * _HOUR} if liable is Party.SUPPLIER else {}
    paid_at = at + chance.uniform(22, 72) * _HOUR
    return [
        CaseOpened(case_id, f"shop/{number}", reason, {_ONE: 1}, at + 24 * _HOUR, at, {_ONE: supplier_id}),
        LiabilityRuled(case_id, liable, ("photo",), (), at + 20 * _HOUR, resolve_by=resolve_by),
        RemedyApproved(case_id, Remedy.REFUND, {_ONE: 1}, at + 21 * _HOUR),
        RefundGranted(case_id, "r1", {_ONE: 1}, {_ONE: 990}, "EUR", at + 21 * _HOUR),
        RefundPaid(case_id, "r1", paid_at),
    ]


def _question(chance: random.Random, number: int, supplier_id: str, at: datetime) -> list[Any]:
    """One supplier order in ten is asked about."""
    if chance.random() > 0.1:
        return []
    inquiry_id, order_id = f"q{number}", f"shop/{number}"
    return [
        InquiryAsked(
            inquiry_id, Party.RETAILER, Party.SUPPLIER, Topic.DISPATCH, order_id, at, f"{order_id}/1", supplier_id,
            at + 24 * _HOUR,
        ),
        InquiryAnswered(inquiry_id, at + chance.expovariate(1 / 9) * _HOUR, "desk", supplier_id),
    ]  # fmt: skip


# --- the answers ----------------------------------------------------------------------------------


async def _ask(conninfo: str, suppliers: int, times: int) -> dict[str, float]:
    since = _NOW - timedelta(days=60)
    name, usual = RateName.ON_TIME_DISPATCH, Window(_NOW)
    async with open_pool(conninfo, max_size=1) as pool:
        where = Where(pool, _SCHEMA)
        questions: dict[str, Callable[[], Awaitable[Any]]] = {
            "all_suppliers": lambda: scorecards.rank(where, usual, name),
            "all_together": lambda: scorecards.get_rates(where, "", usual),
            "all_together_in_any_window": lambda: scorecards.get_rates(where, "", Window(_NOW, since, _NOW)),
            "the_largest": lambda: scorecards.get_rates(where, _name(0), usual),
            "the_largest_in_any_window": lambda: scorecards.get_rates(where, _name(0), Window(_NOW, since, _NOW)),
            "the_smallest": lambda: scorecards.get_rates(where, _name(suppliers - 1), usual),
            "a_page": lambda: scorecards.list_rates(where, PageOf(1000), usual),
            "a_trend": lambda: trends.get_trend(where, "", name, since, _NOW, TrendStep.WEEK, _NOW),
            "crossings": lambda: reviewing.crossings(where, _NOW),
        }
        await _agree(where, usual)
        return {question: await _milliseconds(ask, times) for question, ask in questions.items()}


async def _agree(where: Where, usual: Window) -> None:
    """Checks that the sums kept for the usual windows equal those counted from days and rows."""
    ranking = await scorecards.rank(where, usual)
    for column in ranking.columns:
        counted = await scorecards.rank(where, Window(_NOW, column.since, column.until))
        (same,) = (each for each in counted.columns if each.name is column.name)
        if same != column or sum(same.denominators) == 0:
            raise RuntimeError(f"{column.name}: the sums disagree")


async def _milliseconds(ask: Callable[[], Awaitable[Any]], times: int) -> float:
    await ask()
    seconds = []
    for _ in range(times):
        began = perf_counter()
        await ask()
        seconds.append(perf_counter() - began)
    return median(seconds) * 1000
