"""Deciding on a paid order of 50 lines: pure functions over folded streams in memory, no gRPC, no database.

The decision reserves and commits the stock of every line, confirms the order and drafts the supplier order.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from time import perf_counter

from benchmarks.load import percentile
from benchmarks.stage import Figure, Stage
from ledger import fulfilment
from ledger.book import Book
from ledger.orders import Line, OrderPlaced, PaymentState
from ledger.stock import Feed, FeedRecorded
from ledger.suppliers import Agreement, SampleReviewed, SupplierApproved, SupplierRegistered, TermsAgreed
from ledger.values import Change, Destination, LineNo, Sealed, stock_stream, supplier_stream

LINES = 50
_SUPPLIER = "acme"


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    now = datetime.now(UTC)
    skus = [f"SKU-{number}" for number in range(LINES)]
    book = Book.of([*_approved(now), *((stock_stream(_SUPPLIER, sku), _feed(sku, now)) for sku in skus)])
    lines = tuple(Line(LineNo(number), sku, 2, 990, supplier_id=_SUPPLIER) for number, sku in enumerate(skus, 1))
    intake = OrderPlaced(
        "shop/1", "shop", "1", now, "EUR", lines, now, "digest", Sealed("key", b"box"), "person", True, True,
        Destination("DE"), PaymentState.PAID,
    )  # fmt: skip
    seconds = []
    for _ in range(stage.size.decisions):
        draft = book.begin()
        began = perf_counter()
        changes = fulfilment.place(draft, intake, False, "", now)
        seconds.append(perf_counter() - began)
        if len(changes) <= 2 * LINES:
            raise RuntimeError(f"{len(changes)} facts: the order was not confirmed")
    seconds.sort()
    yield Figure("decision.median_ms", percentile(seconds, 0.5) * 1000)
    yield Figure("decision.p99_ms", percentile(seconds, 0.99) * 1000)


def _approved(now: datetime) -> list[Change]:
    facts = (
        SupplierRegistered(_SUPPLIER, "Acme Ltd", now),
        SampleReviewed(_SUPPLIER, True, True, True, now),
        TermsAgreed(_SUPPLIER, Agreement(now, acknowledge_within_hours=24, dispatch_within_hours=48), now),
        SupplierApproved(_SUPPLIER, now),
    )
    return [(supplier_stream(_SUPPLIER), fact) for fact in facts]


def _feed(sku: str, now: datetime) -> FeedRecorded:
    return FeedRecorded(_SUPPLIER, sku, Feed(1_000_000, 1, now), now)
