"""What has to happen by when, what happened too late, and what is the clock task to look at now?

An obligation is one clock of one object (DOMAIN 6): a supplier order's acknowledgement and dispatch,
an order's delivery, a parcel's first scan, an inquiry's answer, a case's first answer, a claim's filing, a
supplier's answer to a recovery. Each has an owner: the supplier, the carrier or the retailer. Beside them
stand timers that oblige nobody but make facts when they run out: stock that is held, parcels that nobody
sees, return windows, waiting times of claims, reships that a case waits for, overdue units that another
supplier is to be sought for.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from psycopg import AsyncConnection, Cursor
from psycopg.sql import SQL, Identifier

from ledger.decisions import after_sales
from ledger.decisions.timers import Timer, timer
from ledger.facts import Fact
from ledger.nouns import cases, inquiries, orders, parcels, policies, recoveries, stock, stock_ups, suppliers
from ledger.nouns.cases import Case
from ledger.nouns.inquiries import Inquiry
from ledger.nouns.orders import breaches
from ledger.nouns.parcels import Parcel
from ledger.nouns.policies import policy_at
from ledger.nouns.stock import (
    ReservationCommitted,
    ReservationConsumed,
    ReservationExpired,
    ReservationExtended,
    ReservationReleased,
    StockReserved,
)
from ledger.nouns.stock_ups import StockUp
from ledger.nouns.suppliers import Supplier
from ledger.terms.clocks import Clock, ClockState, Reading
from ledger.terms.parties import Party
from projections.machine.changes import Listed, NamedStreams
from projections.machine.histories import OrderHistory, RecoveryHistory
from projections.machine.projection import From, FromPages, projection
from projections.machine.reads import FIRST, LAST, Answer, PageOf, Where, rows_now, snapshot, state_now
from projections.machine.rows import Int4
from projections.machine.streams import Page
from projections.machine.tables import Rows, Written, columns, table

# --- tables ---------------------------------------------------------------------------------------


class Obligation(NamedTuple):
    """One clock of one object."""

    object_id: str
    """Of the supplier order, order, inquiry, case or recovery; carrier/number/epoch of a parcel."""
    clock: Clock
    supplier_id: str
    """The supplier that is obliged, or whose parcel the carrier is to scan; empty if the retailer is."""
    owner: Party
    """Who is obliged."""
    due: datetime
    state: ClockState
    met_at: datetime | None
    stopped_since: datetime | None
    missed_at: datetime | None
    withdrawn_at: datetime | None
    alarm: bool
    """Whether somebody has to notice when it is due."""
    time_zone: str = ""
    """Of the calendar of the supplier that is obliged; empty where none is agreed, and of other parties."""
    stream: str = ""
    """The stream that it is of."""


class StockHold(NamedTuple):
    """Stock that is held for somebody."""

    supplier_id: str
    sku: str
    reservation_id: str
    units: int
    expires_at: datetime


class Silence(NamedTuple):
    """A parcel that should be scanned again."""

    carrier: str
    number: str
    epoch: Int4
    last_seen_at: datetime


class WaitingClaim(NamedTuple):
    """A claim that cannot be filed yet."""

    recovery_id: str
    eligible_at: datetime


class WritableSupplier(NamedTuple):
    """A supplier that the ledger can write to."""

    supplier_id: str


class ReturnWindow(NamedTuple):
    """An order that is complete once nothing can be sent back any more."""

    order_id: str
    closes_at: datetime


class EndedReship(NamedTuple):
    """An order that sends units of a case once more, and of which no unit is under way any more."""

    order_id: str
    ended_at: datetime


class ReshipWait(NamedTuple):
    """A case that waits for a reship."""

    case_id: str
    order_id: str


class Overdue(NamedTuple):
    """A time since which another supplier is to be sought for lines that are overdue."""

    supplier_order_id: str
    clock: Clock
    since: datetime


OBLIGATIONS = table(
    "sla_obligations",
    Obligation,
    3,
    "(state, due, object_id, clock)",
    "(supplier_id, state, due, object_id, clock)",
    "(owner, state, due, object_id, clock)",
    "(stream)",
)
HOLDS = table("sla_holds", StockHold, 3, "(expires_at)")
SILENCES = table("sla_silences", Silence, 3, "(last_seen_at)")
WAITING_CLAIMS = table("sla_waiting_claims", WaitingClaim, 1, "(eligible_at)")
RETURN_WINDOWS = table("sla_return_windows", ReturnWindow, 1, "(closes_at)")
RESHIPS = table("sla_reships", EndedReship, 1)
RESHIP_WAITS = table("sla_reship_waits", ReshipWait, 1)
WRITABLE = table("sla_writable_suppliers", WritableSupplier, 1)
OVERDUE = table("sla_overdue", Overdue, 3, "(clock, since)")

# --- what is kept ---------------------------------------------------------------------------------


def _of_order(history: OrderHistory) -> list[Obligation]:
    order = history.order
    found = _obligations(orders.readings(order))
    zones = {each.supplier_order_id: each.time_zone for each in order.supplier_orders.values() if each.time_zone}
    return [row._replace(time_zone=zones.get(row.object_id, "")) for row in found] if zones else found


def _of_parcel(parcel: Parcel) -> list[Obligation]:
    return [row for use in parcels.uses(parcel) for row in _obligations(parcels.readings(use))]


def _of_inquiry(inquiry: Inquiry) -> list[Obligation]:
    return [row._replace(time_zone=inquiry.asked.time_zone) for row in _obligations(inquiries.readings(inquiry))]


def _of_recovery(history: RecoveryHistory) -> list[Obligation]:
    zone = history.recovery.time_zone
    rows = _obligations(recoveries.readings(history.recovery))
    return [row._replace(time_zone=zone) if row.owner is Party.SUPPLIER else row for row in rows]


def _of_stock_up(stock_up: StockUp) -> list[Obligation]:
    return _obligations(stock_ups.readings(stock_up))


def _of_case(case: Case) -> list[Obligation]:
    return _obligations(cases.readings(case))


def _obligations(readings: Iterable[Reading]) -> list[Obligation]:
    """Open and former obligations; none of what was given up in time."""
    return [
        Obligation(
            object_id=each.object_id,
            clock=each.clock,
            supplier_id=each.supplier_id,
            owner=each.owner,
            due=each.due,
            state=state,
            met_at=each.met_at,
            stopped_since=None if each.over else each.stopped_since,
            missed_at=each.missed_at,
            withdrawn_at=each.withdrawn_at,
            alarm=each.runs,
        )
        for each in readings
        if (state := each.state) is not None
    ]


def _window(history: OrderHistory) -> list[ReturnWindow]:
    closes_at = orders.window_closes_at(history.order, history.delivered_at)
    return [] if closes_at is None else [ReturnWindow(history.order.order_id, closes_at)]


def _reship(history: OrderHistory) -> list[EndedReship]:
    order = history.order
    if not order.placed.reship_of or not after_sales.has_ended(order):
        return []
    return [EndedReship(order.order_id, history.delivered_at or order.placed.at)]


def _overdue(history: OrderHistory) -> list[Overdue]:
    order = history.order
    if not order.breaches:
        return []
    return [
        Overdue(each.object_id, each.clock, since)
        for each in orders.deadlines(order)
        for since in sorted(set(breaches.overdue_since(order, each).values()))
    ]


def _writable(supplier: Supplier) -> list[WritableSupplier]:
    return [WritableSupplier(supplier.supplier_id)] if supplier.registered.contact is not None else []


def _wait(case: Case) -> list[ReshipWait]:
    return [ReshipWait(case.case_id, case.reship.order_id)] if case.reship is not None else []


def _silences(parcel: Parcel) -> list[Silence]:
    """Only of the present use of a number."""
    silence = Silence(parcel.carrier, parcel.number, parcel.epoch, parcel.last_seen_at)
    return [silence] if parcel.awaits_scan else []


def _waiting(history: RecoveryHistory) -> list[WaitingClaim]:
    recovery = history.recovery
    return [] if recovery.waits_until is None else [WaitingClaim(recovery.recovery_id, recovery.waits_until)]


class _Holds:
    """What a page changes of the stock that is held.

    A hot SKU has too many reservations to fold its stream for a page, so only the reservations that
    the page names are followed: new ones as a whole, others by the units that were taken off.
    """

    def __init__(self) -> None:
        self._whole: dict[tuple[str, str, str], tuple[int, datetime] | None] = {}
        """Those that the page made, None once they are gone; and all that it saw committed."""
        self._taken: dict[tuple[str, str, str], int] = {}
        self._extended: dict[tuple[str, str, str], datetime] = {}

    def follow(self, fact: Fact) -> None:
        match fact:
            case StockReserved():
                self._whole[fact.supplier_id, fact.sku, fact.reservation_id] = (fact.units, fact.expires_at)
            case ReservationExtended():
                self._extend((fact.supplier_id, fact.sku, fact.reservation_id), fact.expires_at)
            case ReservationCommitted():
                self._whole[fact.supplier_id, fact.sku, fact.reservation_id] = None
            case ReservationConsumed() | ReservationReleased() | ReservationExpired():
                self._take((fact.supplier_id, fact.sku, fact.reservation_id), fact.units)
            case _:
                pass

    def _extend(self, key: tuple[str, str, str], expires_at: datetime) -> None:
        if key not in self._whole:
            self._extended[key] = expires_at
        elif (hold := self._whole[key]) is not None:
            self._whole[key] = (hold[0], expires_at)

    def _take(self, key: tuple[str, str, str], units: int) -> None:
        if key not in self._whole:
            self._taken[key] = self._taken.get(key, 0) + units
        elif (hold := self._whole[key]) is not None:
            self._whole[key] = (hold[0] - units, hold[1]) if hold[0] > units else None

    @property
    def is_empty(self) -> bool:
        return not (self._taken or self._extended or self._whole)

    def write(self, cursor: Cursor[Any], schema: str, suffix: str) -> None:
        table = Identifier(schema, HOLDS.name + suffix)
        parts = dict.fromkeys((*self._taken, *self._extended))
        if parts:
            keys = columns(parts)
            units = [self._taken.get(key, 0) for key in parts]
            until = [self._extended.get(key) for key in parts]
            statement = SQL(cast("Any", _TAKE)).format(table=table)
            cursor.execute(statement, [*keys, units, until], prepare=True)
        rows = Rows(HOLDS)
        for key, hold in self._whole.items():
            if hold is None:
                rows.gone.append(key)
            else:
                rows.changed.append(StockHold(*key, *hold))
        rows.write(cursor, schema, suffix)


_TAKE = """
    WITH part AS (
        SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::int8[], %b::timestamptz[])
            AS part (supplier_id, sku, reservation_id, taken, expires_at)
    ), gone AS (
        DELETE FROM {table} AS hold USING part
        WHERE (hold.supplier_id, hold.sku, hold.reservation_id) = (part.supplier_id, part.sku, part.reservation_id)
            AND hold.units <= part.taken
    )
    UPDATE {table} AS hold
    SET units = hold.units - part.taken, expires_at = coalesce(part.expires_at, hold.expires_at)
    FROM part
    WHERE (hold.supplier_id, hold.sku, hold.reservation_id) = (part.supplier_id, part.sku, part.reservation_id)
        AND hold.units > part.taken
"""


def _holds(page: Page) -> list[Written]:
    holds = _Holds()
    for _, fact, _ in page.facts.get(stock.NOUN.prefix, ()):
        holds.follow(fact)
    return [holds]


OBLIGATIONS_OF = (
    From(orders.NOUN, OBLIGATIONS, _of_order),
    From(parcels.NOUN, OBLIGATIONS, _of_parcel),
    From(inquiries.NOUN, OBLIGATIONS, _of_inquiry),
    From(recoveries.NOUN, OBLIGATIONS, _of_recovery),
    From(stock_ups.NOUN, OBLIGATIONS, _of_stock_up),
    From(cases.NOUN, OBLIGATIONS, _of_case),
)
"""The clocks of each noun."""

SLA = projection(
    "sla",
    15,
    *OBLIGATIONS_OF,
    FromPages((HOLDS,), _holds),
    From(parcels.NOUN, SILENCES, _silences),
    From(orders.NOUN, RETURN_WINDOWS, _window),
    From(recoveries.NOUN, WAITING_CLAIMS, _waiting),
    From(orders.NOUN, RESHIPS, _reship),
    From(cases.NOUN, RESHIP_WAITS, _wait),
    From(orders.NOUN, OVERDUE, _overdue),
    From(suppliers.NOUN, WRITABLE, _writable),
)

# --- what the clock task asks ---------------------------------------------------------------------

_DUE = """
    (SELECT clock, ARRAY[object_id], due FROM {sla_obligations}
        WHERE state = 'open' AND due <= %(now)s AND alarm ORDER BY due LIMIT %(limit)s)
    UNION ALL
    (SELECT 'loss', ARRAY[carrier, number, epoch::text], last_seen_at + %(silence)s FROM {sla_silences}
        WHERE last_seen_at <= %(now)s - %(silence)s ORDER BY last_seen_at LIMIT %(limit)s)
    UNION ALL
    (SELECT 'reservation', ARRAY[supplier_id, sku, reservation_id], expires_at FROM {sla_holds}
        WHERE expires_at <= %(now)s ORDER BY expires_at LIMIT %(limit)s)
    UNION ALL
    (SELECT 'return_window', ARRAY[order_id], closes_at FROM {sla_return_windows}
        WHERE closes_at <= %(now)s ORDER BY closes_at LIMIT %(limit)s)
    UNION ALL
    (SELECT 'claim_eligible', ARRAY[recovery_id], eligible_at FROM {sla_waiting_claims}
        WHERE eligible_at <= %(now)s ORDER BY eligible_at LIMIT %(limit)s)
    UNION ALL
    (SELECT 'reship', ARRAY[case_id], ended_at FROM {sla_reship_waits} JOIN {sla_reships} USING (order_id)
        WHERE ended_at <= %(now)s ORDER BY ended_at LIMIT %(limit)s)
    UNION ALL
    (SELECT 'reroute', ARRAY[supplier_order_id, clock], since + wait
        FROM unnest(%(clocks)s::text[], %(waits)s::interval[]) AS agreed (clock, wait) JOIN {sla_overdue} USING (clock)
        WHERE since BETWEEN %(now)s - wait - %(age)s AND %(now)s - wait ORDER BY 3 LIMIT %(limit)s)
    UNION ALL
    (SELECT 'draft', ARRAY[object_id], due FROM {sla_obligations} JOIN {sla_writable_suppliers} USING (supplier_id)
        WHERE state IN ('open', 'missed') AND clock = 'send' AND met_at IS NULL AND stopped_since IS NULL
            AND due > %(drafts_after)s AND due <= %(drafts_until)s ORDER BY due LIMIT %(limit)s)
    ORDER BY 3 LIMIT %(limit)s
"""


async def due(connection: AsyncConnection[Any], schema: str, now: datetime, limit: int) -> list[Timer]:
    """What has run out and was not noticed yet, the longest overdue first.

    Clocks that stand still are not due. Empty while the projection has no tables yet.
    """
    policy = policy_at(await state_now(connection, schema, policies.NOUN, policies.stream()), now)
    waits = policy.reroute_after.by_clock
    ready_by, agreed = policy.sending.ready_by(now), timedelta(hours=policy.send_within_hours)
    parameters = {
        "now": now,
        "limit": limit,
        "silence": timedelta(days=policy.suspected_lost_after_days),
        "clocks": list(waits),
        "waits": [timedelta(hours=wait) for wait in waits.values()],
        "age": timedelta(hours=policy.message_age_hours),
        # A draft is due so long after it could be sent.
        "drafts_after": now - timedelta(hours=policy.message_age_hours) + agreed,
        "drafts_until": None if ready_by is None else ready_by + agreed,
    }
    return [timer(*row) for row in await rows_now(connection, schema, _DUE, parameters, SLA)]


# --- questions ------------------------------------------------------------------------------------


class Counts(NamedTuple):
    """How a supplier stands with one clock; supplier_id is empty where the retailer is obliged."""

    supplier_id: str
    clock: Clock
    open: int
    met: int
    missed: int
    withdrawn: int


_LIST = """
    SELECT found.* FROM unnest(%(states)s::text[]) AS wanted (state) CROSS JOIN LATERAL (
        SELECT * FROM {sla_obligations} AS o
        WHERE {condition} o.state = wanted.state
            AND o.due >= %(since)s AND o.due < %(until)s
            AND (o.due, o.object_id, o.clock) > (%(after_due)s, %(after_id)s, %(after_clock)s)
            AND (%(clock)s = '' OR o.clock = %(clock)s) AND {changed}
        ORDER BY o.due, o.object_id, o.clock LIMIT %(limit)s
    ) AS found ORDER BY found.due, found.object_id, found.clock LIMIT %(limit)s
"""
_EXTENT = """
    SELECT min(o.due), max(o.due) FROM {sla_obligations} AS o
    WHERE {condition} o.state = ANY(%(states)s) AND (%(clock)s = '' OR o.clock = %(clock)s)
"""
_COUNT = """
    SELECT obliged.supplier_id, clock,
        count(*) FILTER (WHERE state = 'open') AS open, count(*) FILTER (WHERE state = 'met') AS met,
        count(*) FILTER (WHERE state = 'missed') AS missed, count(*) FILTER (WHERE state = 'withdrawn') AS withdrawn
    FROM (
        SELECT supplier_id, clock, state FROM {sla_obligations}
            WHERE supplier_id = ANY(%(supplier_ids)s) AND owner <> 'retailer'
                AND due >= %(since)s AND due < %(until)s
        UNION ALL
        SELECT '', clock, state FROM {sla_obligations} WHERE owner = 'retailer' AND '' = ANY(%(supplier_ids)s)
            AND due >= %(since)s AND due < %(until)s
    ) AS obliged
    GROUP BY obliged.supplier_id, clock ORDER BY obliged.supplier_id, clock
"""
"""What the retailer is to do for a supplier, as to send it an order, is no clock of that supplier."""
_NEXT_SUPPLIERS = """
    WITH RECURSIVE next (supplier_id, number) AS (
        (SELECT supplier_id, 1 FROM {sla_obligations} WHERE supplier_id {compared} %(after)s
            ORDER BY supplier_id LIMIT 1)
        UNION ALL
        SELECT (SELECT min(o.supplier_id) FROM {sla_obligations} AS o WHERE o.supplier_id > next.supplier_id),
            next.number + 1
        FROM next WHERE next.supplier_id IS NOT NULL AND next.number < %(limit)s
    )
    SELECT supplier_id FROM next WHERE supplier_id IS NOT NULL ORDER BY supplier_id
"""


_LISTED = Listed(
    query=_LIST,
    make=Obligation,
    key=lambda row: (row.due, row.object_id, row.clock.value),
    subject=NamedStreams(tuple(each.noun for each in OBLIGATIONS_OF), "o.stream"),
    of=lambda row: row.stream,
)


async def list_obligations(
    where: Where,
    page: PageOf,
    states: Iterable[ClockState] = (ClockState.OPEN,),
    supplier_id: str = "",
    clock: Clock | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    owner: Party | None = None,
) -> Answer[Obligation]:
    """Obligations in these states that are due in [since, until), the earliest first."""
    after_due, after_id, after_clock = page.after(tuple[datetime, str, str]) or (FIRST, "", "")
    parameters = {
        "states": [state.value for state in states],
        "supplier_id": supplier_id,
        "owner": owner.value if owner else "",
        "clock": clock.value if clock else "",
        "since": since or FIRST,
        "until": until or LAST,
        "after_due": after_due,
        "after_id": after_id,
        "after_clock": after_clock,
        "limit": page.limit,
    }
    of_supplier = "o.supplier_id = %(supplier_id)s AND" if supplier_id else ""
    of_owner = "o.owner = %(owner)s AND" if owner else ""
    condition = f"{of_supplier} {of_owner}"
    async with snapshot(where, SLA) as at:
        found = await _LISTED._replace(query=_LIST.replace("{condition}", condition)).page(at, page, parameters)
        lacking = not (found.rows or found.changes or page.token)
        extent = await at.extent(_EXTENT.replace("{condition}", condition), parameters) if lacking else None
        return found._replace(extent=extent)


async def list_breaches(
    where: Where,
    page: PageOf,
    since: datetime | None = None,
    until: datetime | None = None,
    supplier_id: str = "",
    clock: Clock | None = None,
    owner: Party | None = None,
) -> Answer[Obligation]:
    """Deadlines in [since, until) that were missed, without those that turned out to be met."""
    return await list_obligations(where, page, (ClockState.MISSED,), supplier_id, clock, since, until, owner)


_EVER_DUE = """
    SELECT min(due), max(due) FROM {sla_obligations}
    WHERE %(supplier_id)s = '' OR (supplier_id = %(supplier_id)s AND owner <> 'retailer')
"""


async def count_obligations(
    where: Where, page: PageOf, supplier_id: str = "", since: datetime | None = None, until: datetime | None = None
) -> Answer[Counts]:
    """How each supplier stands with what is due in [since, until), clock by clock; a page has so many suppliers."""
    async with snapshot(where, SLA) as at:
        supplier_ids, token = [supplier_id], ""
        if not supplier_id:
            after = page.after(str)
            # The retailer itself, whose name here is empty, comes first.
            query = _NEXT_SUPPLIERS.replace("{compared}", ">")
            found = [row[0] for row in await at.rows(query, {"after": after or "", "limit": page.limit})]
            if after is None:
                found.insert(0, "")
            supplier_ids, token = page.cut(found, found)
        bounds = {"since": since or FIRST, "until": until or LAST}
        rows = await at.each(_COUNT, {"supplier_ids": supplier_ids, **bounds}, Counts)
        lacking = not (rows or token or page.token)
        extent = await at.extent(_EVER_DUE, {"supplier_id": supplier_id}) if lacking else None
        return Answer(rows, at.position, token, extent)
