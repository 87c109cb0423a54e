"""Streams folded page by page: what the rows of every projection are computed from.

A projection's rows are a function of the folded streams and of nothing else, so it does not matter
where a page of the log begins or ends. Streams used lately stay in memory; others are read from the
log again. One fold serves all projections that stand at the same position.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar, cast

import msgspec
from msgspec.structs import replace
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from ledger.engine.log import EVENTS_TABLE
from ledger.engine.registry import Registry
from ledger.engine.trouble import in_short
from ledger.facts import Fact
from ledger.nouns import (
    NOUNS,
    cases,
    inquiries,
    messages,
    orders,
    parcels,
    recoveries,
    stock,
    suppliers,
    tasks,
)
from ledger.nouns.cases import Case
from ledger.nouns.inquiries import Inquiry
from ledger.nouns.messages import Message
from ledger.nouns.orders import (
    Header,
    Order,
    UnitsCancelled,
)
from ledger.nouns.orders.supplier_orders import (
    CancelAgreed,
    CancelRequested,
    CompensationAccrued,
    CompensationReversed,
    SupplierOrderShipped,
)
from ledger.nouns.parcels import (
    FirstScanBreachWithdrawn,
    FirstScanMissed,
    Parcel,
    ParcelRegistered,
)
from ledger.nouns.recoveries import Recovery, RecoveryFact
from ledger.nouns.stock import Stock, StockFact
from ledger.nouns.suppliers import Supplier
from ledger.nouns.tasks import Task
from ledger.refusals import Shown

_PAGE = """
    SELECT notification_id, originator_id, originator_version, topic, state, recorded_at
    FROM {events} WHERE notification_id > %b AND notification_id <= %b ORDER BY notification_id LIMIT %b
"""
_STREAMS = """
    SELECT notification_id, originator_id, topic, state
    FROM {events} WHERE originator_id = ANY(%b::text[]) AND notification_id <= %b
    ORDER BY originator_id, originator_version
"""
_HEAD = "SELECT coalesce(max(notification_id), 0) FROM {events}"

R = TypeVar("R")

Row = tuple[int, str, int, str, bytes, datetime]
"""Position, stream, version, topic, state, when it was recorded."""


class BadFact(Shown):
    """A fact of the log could not be read or folded; nothing after it is looked at."""

    def __init__(self, position: int, stream: str, cause: Exception) -> None:
        super().__init__(f"the fact at position {position} ({stream}): {in_short(cause)}")
        self.position = position


# --- what is remembered of a stream ---------------------------------------------------------------


AccountedFact = SupplierOrderShipped | CompensationAccrued | CompensationReversed


class OrderHistory(msgspec.Struct, eq=False):
    """An order, and what its state does not keep, such as on whose wish units were cancelled."""

    order: Order
    asked_by: Mapping[str, str] = {}
    """Who last asked a supplier order to cancel."""
    cancelled_by: Mapping[str, frozenset[str]] = {}
    """By supplier order, or by the order's own id for units that no supplier had been given."""
    accounted: tuple[tuple[int, AccountedFact], ...] = ()
    """What changes what is owed to or by a supplier, each with its position in the log."""
    _made: dict[object, Any] = {}

    def cached(self, make: Callable[[OrderHistory], R]) -> R:
        """What a pure function makes of this history, computed only the first time.

        The rows of an order are asked for twice: when they are new, and when the next fact changes them.
        """
        if make not in self._made:
            self._made[make] = make(self)
        return cast("R", self._made[make])

    @property
    def header(self) -> Header:
        return self.cached(_header)

    @property
    def delivered_at(self) -> datetime | None:
        return self.cached(_delivered_at)

    def and_then(self, order: Order, **more: Any) -> OrderHistory:
        return replace(self, order=order, _made={}, **more)


def _header(history: OrderHistory) -> Header:
    return history.order.header


def _delivered_at(history: OrderHistory) -> datetime | None:
    return history.order.delivered_at


class ParcelUse(NamedTuple):
    """One use of a tracking number, and what the parcel's state does not keep."""

    parcel: Parcel
    first_scan_missed: FirstScanMissed | None = None
    first_scan_withdrawn: FirstScanBreachWithdrawn | None = None


class RecoveryHistory(NamedTuple):
    """A recovery and all that was told of it, each fact with its position in the log; there are few."""

    recovery: Recovery
    told: tuple[tuple[int, RecoveryFact], ...]


ParcelHistory = tuple[ParcelUse, ...]
"""All uses of a tracking number, the present one last."""


@dataclass(slots=True, eq=False)
class StockHistory:
    """A supplier's SKU. It is told in place, as the state it holds is."""

    supplier_id: str
    sku: str
    stock: Stock
    position: int = 0
    """Of the last fact that was told."""


class Movement(NamedTuple):
    """A fact of a stock stream, and what it did to the units that are available."""

    position: int
    fact: StockFact
    delta: int
    available: int


def tell_order(history: OrderHistory | None, fact: Any, position: int) -> OrderHistory:
    """The order's history after the fact, which stands at a position of the log."""
    if history is None:
        return OrderHistory(orders.evolve(None, fact))
    order = orders.evolve(history.order, fact)
    match fact:
        case SupplierOrderShipped() | CompensationAccrued() | CompensationReversed():
            return history.and_then(order, accounted=(*history.accounted, (position, fact)))
        case CancelRequested():
            return history.and_then(order, asked_by={**history.asked_by, fact.supplier_order_id: fact.by})
        case CancelAgreed():
            by = fact.by or history.asked_by.get(fact.supplier_order_id, "")
            return _cancelled(history, order, fact.supplier_order_id, by)
        case UnitsCancelled():
            return _cancelled(history, order, fact.order_id, fact.by)
        case _:
            return history.and_then(order)


def _cancelled(history: OrderHistory, order: Order, what: str, by: str) -> OrderHistory:
    parties = history.cancelled_by.get(what, frozenset()) | {by}
    return history.and_then(order, cancelled_by={**history.cancelled_by, what: parties})


def tell_parcel(uses: ParcelHistory | None, fact: Any, position: int) -> ParcelHistory:
    """The uses of a tracking number after the fact; a new registration starts one and takes over its scans."""
    earlier = uses or ()
    if isinstance(fact, ParcelRegistered):
        last = (each._replace(parcel=parcels.left_to(each.parcel, fact.exists_from)) for each in earlier[-1:])
        return (*earlier[:-1], *last, ParcelUse(parcels.evolve(None, fact)))
    # What is told of an earlier use names it.
    epoch = getattr(fact, "epoch", 0)
    at = next((n for n, each in enumerate(earlier) if each.parcel.epoch == epoch), len(earlier) - 1)
    history = earlier[at]
    missed = fact if isinstance(fact, FirstScanMissed) else history.first_scan_missed
    withdrawn = fact if isinstance(fact, FirstScanBreachWithdrawn) else history.first_scan_withdrawn
    return (*earlier[:at], ParcelUse(parcels.evolve(history.parcel, fact), missed, withdrawn), *earlier[at + 1 :])


def tell_inquiry(inquiry: Inquiry | None, fact: Any, position: int) -> Inquiry:
    """The inquiry after the fact; its state keeps all that is asked of it."""
    return inquiries.evolve(inquiry, fact)


def tell_supplier(supplier: Supplier | None, fact: Any, position: int) -> Supplier:
    """The supplier after the fact; its state keeps all that is asked of it."""
    return suppliers.evolve(supplier, fact)


def tell_message(message: Message | None, fact: Any, position: int) -> Message:
    """The message after the fact; its state keeps all that is asked of it."""
    return messages.evolve(message, fact)


def tell_recovery(history: RecoveryHistory | None, fact: Any, position: int) -> RecoveryHistory:
    """The recovery's history after the fact, which stands at a position of the log."""
    recovery = recoveries.evolve(history.recovery if history else None, fact)
    return RecoveryHistory(recovery, (*(history.told if history else ()), (position, fact)))


def tell_stock(history: StockHistory | None, fact: Any, position: int) -> StockHistory:
    """The same history, with the fact in it."""
    history = history or StockHistory(fact.supplier_id, fact.sku, Stock())
    history.stock, history.position = stock.evolve(history.stock, fact), position
    return history


def tell_case(case: Case | None, fact: Any, position: int) -> Case:
    """The case after the fact; its state keeps all that is asked of it."""
    return cases.evolve(case, fact)


def tell_task(task: Task | None, fact: Any, position: int) -> Task:
    """The task after the fact; its state keeps all that is asked of it."""
    return tasks.evolve(task, fact)


TELL: Mapping[str, Callable[[Any, Any, int], Any]] = {
    "order": tell_order,
    "parcel": tell_parcel,
    "inquiry": tell_inquiry,
    "supplier": tell_supplier,
    "message": tell_message,
    "recovery": tell_recovery,
    "stock": tell_stock,
    "case": tell_case,
    "task": tell_task,
}
"""How each kind of stream that is folded here takes a fact in, and its position."""


class LoggedFact(NamedTuple):
    """A fact in its place in the log, and the history it is part of as it was right after it."""

    position: int
    fact: Fact
    history: Any
    """OrderHistory, ParcelHistory, or the state of another folded noun; None for facts of other nouns."""


# --- a page ---------------------------------------------------------------------------------------


class Page:
    """A stretch of the log, folded: each touched stream as it was before and as it is after."""

    def __init__(self, after: int, position: int, recorded_until: datetime) -> None:
        self.after = after
        self.position = position
        self.recorded_until = recorded_until
        """When the newest of its facts was recorded."""
        self.touched: dict[str, tuple[Any, Any]] = {}
        """Every folded stream that has facts in the page: its history before (None if new) and after.

        A stock's is the same history both times."""
        self.movements: list[Movement] = []
        self.others: list[tuple[int, Fact]] = []
        """Facts of stock and of nouns that are not folded, with their positions."""
        self.told: list[LoggedFact] = []
        """Every fact, in the order of the log."""
        self._known: dict[str, Any] = {}

    def orders(self) -> Iterable[tuple[OrderHistory | None, OrderHistory]]:
        """The orders that changed."""
        return (uses for stream, uses in self.touched.items() if stream.startswith("order-"))

    def parcels(self) -> Iterable[tuple[ParcelHistory, ParcelHistory]]:
        """The tracking numbers that changed."""
        return ((before or (), now) for stream, (before, now) in self.touched.items() if stream.startswith("parcel-"))

    def inquiries(self) -> Iterable[tuple[Inquiry | None, Inquiry]]:
        """The inquiries that changed."""
        return (states for stream, states in self.touched.items() if stream.startswith("inquiry-"))

    def suppliers(self) -> Iterable[tuple[Supplier | None, Supplier]]:
        """The suppliers that changed."""
        return (states for stream, states in self.touched.items() if stream.startswith("supplier-"))

    def messages(self) -> Iterable[tuple[Message | None, Message]]:
        """The messages that changed."""
        return (states for stream, states in self.touched.items() if stream.startswith("message-"))

    def tasks(self) -> Iterable[tuple[Task | None, Task]]:
        """The tasks that changed."""
        return (states for stream, states in self.touched.items() if stream.startswith("task-"))

    def recoveries(self) -> Iterable[tuple[Recovery | None, Recovery]]:
        """The recoveries that changed."""
        return ((before and before.recovery, now.recovery) for before, now in self.recovery_stories())

    def recovery_stories(self) -> Iterable[tuple[RecoveryHistory | None, RecoveryHistory]]:
        """The recoveries that changed, and all that was told of them."""
        return (uses for stream, uses in self.touched.items() if stream.startswith("recovery-"))

    def stocks(self) -> Iterable[tuple[bool, StockHistory]]:
        """The supplier's SKUs that changed, and whether they are new."""
        return ((before is None, now) for stream, (before, now) in self.touched.items() if stream.startswith("stock-"))

    def cases(self) -> Iterable[tuple[Case | None, Case]]:
        """The return cases that changed."""
        return (pair for stream, pair in self.touched.items() if stream.startswith("case-"))

    def orders_concerned(self) -> Iterable[tuple[OrderHistory | None, OrderHistory]]:
        """The orders that changed, or that a changed parcel or case belongs to."""
        for stream in _concerned(self.touched):
            yield self.touched.get(stream) or (self._known[stream], self._known[stream])

    def parcel(self, carrier: str, number: str, epoch: int, *, before: bool) -> ParcelUse | None:
        """A parcel of one of orders_concerned, as it was before the page or as it is after it."""
        stream = parcels.stream(carrier, number)
        pair = self.touched.get(stream)
        uses = self._known.get(stream) if pair is None else pair[0 if before else 1]
        return next((history for history in uses or () if history.parcel.epoch == epoch), None)

    def case(self, case_id: str, *, before: bool) -> Case | None:
        """A case of one of orders_concerned, as it was before the page or as it is after it."""
        stream = cases.stream(case_id)
        pair = self.touched.get(stream)
        found: Case | None = self._known.get(stream) if pair is None else pair[0 if before else 1]
        return found

    def know(self, streams: Mapping[str, Any]) -> None:
        """Adds streams that did not change but that rows depend on."""
        self._known.update(streams)


def _concerned(touched: Mapping[str, tuple[Any, Any]]) -> list[str]:
    """The order streams whose rows may depend on the touched streams."""
    names = dict.fromkeys(stream for stream in touched if stream.startswith("order-"))
    for stream, (_, after) in touched.items():
        if stream.startswith("parcel-"):
            names.update((orders.stream(history.parcel.order_id), None) for history in after if history.parcel.order_id)
        elif stream.startswith("case-"):
            names[orders.stream(after.order_id)] = None
    return list(names)


def _neighbours(history: OrderHistory) -> Iterator[str]:
    """The streams that an order's rows may depend on."""
    yield from (parcels.stream(each.carrier, each.number) for each in history.order.shipments)
    yield from map(cases.stream, history.order.after_sales.cases)


# --- the fold -------------------------------------------------------------------------------------


class Streams:
    """One tenant's streams of the nouns in TELL, folded up to ``position``."""

    def __init__(
        self, schema: str, position: int = 0, registry: Registry | None = None, *, streams_kept: int = 60_000
    ) -> None:
        self.schema = schema
        self.position = position
        self._registry = registry or Registry(NOUNS)
        self._streams_kept = streams_kept
        self._stories: OrderedDict[str, Any] = OrderedDict()
        events = Identifier(schema, EVENTS_TABLE)
        self._page, self._load, self._head = (
            SQL(cast("Any", template)).format(events=events).as_bytes(None) for template in (_PAGE, _STREAMS, _HEAD)
        )

    def head(self, connection: Connection[Any]) -> int:
        """The position of the last fact in the log."""
        return int(connection.execute(self._head, prepare=True, binary=True).fetchall()[0][0])

    def read(self, connection: Connection[Any], limit: int, up_to: int = 2**62) -> Page | None:
        """Folds the next facts in; None at the end. Raises BadFact only if it stands first."""
        cursor = connection.execute(self._page, (self.position, up_to, limit), prepare=True, binary=True)
        rows: list[Row] = cursor.fetchall()
        if not rows:
            return None
        facts = self._decoded(rows)
        while True:
            try:
                page = self._folded(connection, rows[: len(facts)], facts)
                break
            except _Broken as broken:
                if broken.index == 0:
                    raise BadFact(rows[0][0], rows[0][1], broken.cause) from broken.cause
                facts = facts[: broken.index]
        self._keep(page)
        self.position = page.position
        return page

    def _decoded(self, rows: Sequence[Row]) -> list[Fact]:
        """The facts up to the first that cannot be read."""
        facts: list[Fact] = []
        decode = self._registry.decode
        for position, stream, _, topic, state, _ in rows:
            try:
                facts.append(decode(topic, state))
            except Exception as error:
                if not facts:
                    raise BadFact(position, stream, error) from error
                break
        return facts

    def _folded(self, connection: Connection[Any], rows: Sequence[Row], facts: Sequence[Fact]) -> Page:
        page = Page(self.position, rows[-1][0], max(row[5] for row in rows))
        found = self._at_hand(connection, [stream for _, stream, version, _, _, _ in rows if version > 1])
        now: dict[str, Any] = {}
        try:
            self._tell(page, found, now, rows, facts)
            page.touched = {stream: (found.get(stream), history) for stream, history in now.items()}
            self._meet_neighbours(connection, page)
        except BaseException:
            # What was told in place is told no further than the page before: read it from the log again.
            for stream in now:
                if stream.startswith("stock-"):
                    self._stories.pop(stream, None)
            raise
        return page

    def _tell(
        self, page: Page, found: Mapping[str, Any], now: dict[str, Any], rows: Sequence[Row], facts: Sequence[Fact]
    ) -> None:
        for index, ((position, stream, _, _, _, _), fact) in enumerate(zip(rows, facts, strict=True)):
            prefix = stream.partition("-")[0]
            tell = TELL.get(prefix)
            if tell is None or prefix == "stock":
                page.others.append((position, fact))
                # Of a stock's history, which is told in place, nobody may keep what it was.
                page.told.append(LoggedFact(position, fact, None))
                if tell is None:
                    continue
            history = now[stream] if stream in now else found.get(stream)
            available = history.stock.available if type(history) is StockHistory else 0
            # Before it is told: should that fail half way, the history must be forgotten.
            now[stream] = history
            try:
                now[stream] = history = tell(history, fact, position)
            except Exception as error:
                raise _Broken(index, error) from error
            if type(history) is StockHistory:
                left = history.stock.available
                page.movements.append(Movement(position, cast("StockFact", fact), left - available, left))
            else:
                page.told.append(LoggedFact(position, fact, history))

    def _meet_neighbours(self, connection: Connection[Any], page: Page) -> None:
        """Orders of touched parcels and cases, and the other parcels and cases of those orders."""
        concerned = _concerned(page.touched)
        page.know(self._at_hand(connection, [stream for stream in concerned if stream not in page.touched]))
        uses = page.orders_concerned()
        neighbours = dict.fromkeys(stream for _, history in uses for stream in _neighbours(history))
        page.know(self._at_hand(connection, [stream for stream in neighbours if stream not in page.touched]))

    def _at_hand(self, connection: Connection[Any], streams: Iterable[str]) -> dict[str, Any]:
        """The uses as of ``position``: from memory, else folded from the log. An empty stream is None."""
        found: dict[str, Any] = {}
        missing: dict[str, None] = {}
        for stream in streams:
            if stream in self._stories:
                self._stories.move_to_end(stream)
                found[stream] = self._stories[stream]
            elif stream.partition("-")[0] in TELL:
                missing[stream] = None
        if missing:
            found.update(self._loaded(connection, list(missing)))
        return found

    def _loaded(self, connection: Connection[Any], streams: list[str]) -> dict[str, Any]:
        loaded: dict[str, Any] = dict.fromkeys(streams)
        cursor = connection.execute(self._load, (streams, self.position), prepare=True, binary=True)
        for position, stream, topic, state in cursor.fetchall():
            fact = self._registry.decode(topic, state)
            loaded[stream] = TELL[stream.partition("-")[0]](loaded[stream], fact, position)
        self._stories.update(loaded)
        return loaded

    def _keep(self, page: Page) -> None:
        for stream, (_, history) in page.touched.items():
            self._stories[stream] = history
            self._stories.move_to_end(stream)
        self.trim(self._streams_kept)

    def trim(self, kept: int) -> None:
        """Lets go of the streams used longest ago."""
        while len(self._stories) > kept:
            self._stories.popitem(last=False)


class _Broken(Exception):
    """The fold of the fact at an index of the page failed."""

    def __init__(self, index: int, cause: Exception) -> None:
        super().__init__(in_short(cause))
        self.index = index
        self.cause = cause
