"""What has to happen by when, what happened too late, and what is the clock task to look at now?

An obligation is one clock of one object (DOMAIN 6): a supplier order's acknowledgement and dispatch,
an order's delivery, a parcel's first scan, an inquiry's answer, a case's first answer, a claim's filing, a
supplier's answer to a recovery. Each has an owner: the supplier, the carrier or the retailer. Beside them
stand timers that oblige nobody but make facts when they run out: stock that is held, parcels that nobody
sees, return windows, waiting times of claims, reships that a case waits for, overdue units that another
supplier is to be sought for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, cast

from psycopg import AsyncConnection, Cursor, errors
from psycopg.sql import SQL, Identifier

from ledger.decisions import after_sales
from ledger.facts import Fact, order_of
from ledger.nouns import (
    cases,
    inquiries,
    orders,
    parcels,
    recoveries,
)
from ledger.nouns.cases import Case
from ledger.nouns.orders import breaches
from ledger.nouns.policies import Policy, PolicyAgreed, RerouteAfter
from ledger.nouns.recoveries import Recovery
from ledger.nouns.stock import (
    ReservationCommitted,
    ReservationConsumed,
    ReservationExpired,
    ReservationExtended,
    ReservationReleased,
    StockReserved,
)
from ledger.terms.clocks import Clock, ClockState, Reading
from ledger.terms.parties import Party
from projections.machine.reads import (
    FIRST,
    LAST,
    Answer,
    PageOf,
    Where,
    snapshot,
)
from projections.machine.streams import (
    OrderHistory,
    Page,
    ParcelHistory,
)
from projections.machine.tables import (
    ID,
    Projection,
    Rows,
    Table,
    Values,
    Written,
)

# --- tables ---------------------------------------------------------------------------------------

OBLIGATIONS = Table(
    "sla_obligations",
    2,
    {
        "object_id": ID,  # of the supplier order, order, inquiry, case or recovery; carrier/number/epoch of a parcel
        "clock": ID,
        "supplier_id": ID,  # who is obliged, or whose parcel the carrier is to scan; empty if the retailer is
        "owner": ID,
        "due": "timestamptz NOT NULL",
        "state": ID,
        "met_at": "timestamptz",
        "stopped_since": "timestamptz",
        "missed_at": "timestamptz",
        "withdrawn_at": "timestamptz",
        "alarm": "bool NOT NULL",  # whether somebody has to notice when it is due
    },
    (
        "(state, due, object_id, clock)",
        "(supplier_id, state, due, object_id, clock)",
        "(owner, state, due, object_id, clock)",
    ),
)
HOLDS = Table(
    "sla_holds",
    3,
    {
        "supplier_id": ID,
        "sku": ID,
        "reservation_id": ID,
        "units": "int8 NOT NULL",
        "expires_at": "timestamptz NOT NULL",
    },
    ("(expires_at)",),
)
SILENCES = Table(
    "sla_silences",
    3,
    {"carrier": ID, "number": ID, "epoch": "int4 NOT NULL", "last_seen_at": "timestamptz NOT NULL"},
    ("(last_seen_at)",),
)
WAITING_CLAIMS = Table(
    "sla_waiting_claims", 1, {"recovery_id": ID, "eligible_at": "timestamptz NOT NULL"}, ("(eligible_at)",)
)
RETURN_WINDOWS = Table("sla_return_windows", 1, {"order_id": ID, "closes_at": "timestamptz NOT NULL"}, ("(closes_at)",))
RESHIPS = Table("sla_reships", 1, {"order_id": ID, "ended_at": "timestamptz NOT NULL"})
RESHIP_WAITS = Table("sla_reship_waits", 1, {"case_id": ID, "order_id": ID})
OVERDUE = Table(
    "sla_overdue",
    3,
    {"supplier_order_id": ID, "clock": ID, "since": "timestamptz NOT NULL"},
    ("(clock, since)",),
)
POLICIES = Table(
    "sla_policies",
    1,
    {
        "position": "int8 NOT NULL",
        "effective_from": "timestamptz NOT NULL",
        "suspected_lost_after_days": "int4 NOT NULL",
        "reroute_after_acknowledge_hours": "int4",  # NULL where it is left to people
        "reroute_after_dispatch_hours": "int4",
        "message_age_hours": "int4 NOT NULL",
    },
)

# --- what is kept ---------------------------------------------------------------------------------


def changes(page: Page) -> list[Written]:
    """Rows of obligations and timers."""
    obligations, silences, windows = Rows(OBLIGATIONS), Rows(SILENCES), Rows(RETURN_WINDOWS)
    reships, waits, overdue = Rows(RESHIPS), Rows(RESHIP_WAITS), Rows(OVERDUE)
    for history, now in page.orders():
        obligations.replace(history.cached(_of_order) if history else (), now.cached(_of_order))
        windows.replace(history.cached(_window) if history else (), now.cached(_window))
        reships.replace(history.cached(_reship) if history else (), now.cached(_reship))
        overdue.replace(history.cached(_overdue) if history else (), now.cached(_overdue))
    for before, after in page.parcels():
        obligations.replace(_of_parcels(before), _of_parcels(after))
        silences.replace(_silences(before), _silences(after))
    for earlier, later in page.inquiries():
        obligations.replace(_rows(inquiries.readings(earlier)) if earlier else (), _rows(inquiries.readings(later)))
    waiting = Rows(WAITING_CLAIMS)
    for recovery, then in page.recoveries():
        obligations.replace(_rows(recoveries.readings(recovery)) if recovery else (), _rows(recoveries.readings(then)))
        waiting.replace(_waiting(recovery), _waiting(then))
    for was, case in page.cases():
        obligations.replace(_rows(cases.readings(was)) if was else (), _rows(cases.readings(case)))
        waits.replace(_wait(was) if was else (), _wait(case))
    policies = Rows(POLICIES)
    holds = _Holds()
    for position, fact in page.others:
        if isinstance(fact, PolicyAgreed):
            policies.new.append((position, fact.effective_from, *_terms(fact.policy)))
        else:
            holds.follow(fact)
    return [obligations, silences, windows, waiting, reships, waits, overdue, policies, holds]


SLA = Projection(
    "sla",
    8,
    (OBLIGATIONS, HOLDS, SILENCES, RETURN_WINDOWS, WAITING_CLAIMS, RESHIPS, RESHIP_WAITS, OVERDUE, POLICIES),
    changes,
)


def _terms(policy: Policy) -> Values:
    """What of the retailer's terms says when timers run out."""
    after = policy.reroute_after
    hours = (after.acknowledge_hours, after.dispatch_hours, policy.message_age_hours)
    return (policy.suspected_lost_after_days, *hours)


def _of_order(history: OrderHistory) -> list[Values]:
    return _rows(orders.readings(history.order))


def _of_parcels(uses: ParcelHistory) -> list[Values]:
    return [row for use in uses for row in _rows(parcels.readings(use.parcel))]


def _rows(readings: Iterable[Reading]) -> list[Values]:
    """What is owed, or was; of what was given up in time nothing is."""
    return [_row(each, state) for each in readings if (state := each.state) is not None]


def _row(reading: Reading, state: ClockState) -> Values:
    return (
        reading.object_id,
        reading.clock.value,
        reading.supplier_id,
        reading.owner.value,
        reading.due,
        state.value,
        reading.met_at,
        None if reading.over else reading.stopped_since,
        reading.missed_at,
        reading.withdrawn_at,
        reading.runs,
    )


def _window(history: OrderHistory) -> list[Values]:
    order, delivered_at = history.order, history.delivered_at
    if delivered_at is None:
        return []
    closes_at = delivered_at + timedelta(days=order.placed.return_window_days)
    return [(order.order_id, closes_at)] if orders.may_complete(order) else []


def _reship(history: OrderHistory) -> list[Values]:
    """An order that sends units of a case once more, and of which no unit is under way any more."""
    order = history.order
    if not order.placed.reship_of or not after_sales.has_ended(order):
        return []
    return [(order.order_id, history.delivered_at or order.placed.at)]


def _overdue(history: OrderHistory) -> list[Values]:
    """Each time since which another supplier is to be sought for lines that are overdue."""
    order = history.order
    if not order.breaches:
        return []
    return [
        (each.object_id, each.clock.value, since)
        for each in orders.deadlines(order)
        for since in sorted(set(breaches.overdue_since(order, each).values()))
    ]


def _wait(case: Case) -> list[Values]:
    return [(case.case_id, case.reship.order_id)] if case.reship is not None else []


def _silences(uses: ParcelHistory) -> list[Values]:
    """Only the present use of a number can be lost."""
    if not uses:
        return []
    parcel = uses[-1].parcel
    row = (parcel.carrier, parcel.number, parcel.epoch, parcel.last_seen_at)
    return [row] if parcel.awaits_scan else []


def _waiting(recovery: Recovery | None) -> list[Values]:
    if recovery is None or recovery.waits_until is None:
        return []
    return [(recovery.recovery_id, recovery.waits_until)]


class _Holds:
    """What a page changes of the stock that is held.

    A hot SKU has too many reservations to fold its stream for a page, so only the reservations that
    the page names are followed: as a whole if it made them, otherwise by what it took off.
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

    def write(self, cursor: Cursor[Any], schema: str, suffix: str) -> None:
        table = Identifier(schema, HOLDS.name + suffix)
        parts = dict.fromkeys((*self._taken, *self._extended))
        if parts:
            columns = [list(column) for column in zip(*parts, strict=True)]
            units = [self._taken.get(key, 0) for key in parts]
            until = [self._extended.get(key) for key in parts]
            statement = SQL(cast("Any", _TAKE)).format(table=table)
            cursor.execute(statement, [*columns, units, until], prepare=True)
        rows = Rows(HOLDS)
        for key, hold in self._whole.items():
            if hold is None:
                rows.gone.append(key)
            else:
                rows.changed.append((*key, *hold))
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

# --- what the clock task asks ---------------------------------------------------------------------


class Timer(StrEnum):
    """Every clock that makes a fact when it runs out."""

    ACKNOWLEDGE = "acknowledge"
    DISPATCH = "dispatch"
    DELIVERY = "delivery"
    FIRST_SCAN = "first_scan"
    ANSWER = "answer"
    LOSS = "loss"
    RESERVATION = "reservation"
    RETURN_WINDOW = "return_window"
    CLAIM_FILING = "claim_filing"
    RECOVERY_ANSWER = "recovery_answer"
    CLAIM_ELIGIBLE = "claim_eligible"
    FEED = "feed"
    WAITING = "waiting"
    FIRST_ANSWER = "first_answer"
    RESHIP = "reship"
    REROUTE = "reroute"


class Due(NamedTuple):
    """Something the clock task is to notice; names are the arguments of the decision that notices it."""

    timer: Timer
    names: tuple[str, ...]
    """(order_id, object_id) of acknowledge, dispatch and delivery; (carrier, number, epoch) of first_scan
    and loss; (inquiry_id,) of answer; (supplier_id, sku, reservation_id) of reservation; (order_id,) of
    return_window; (recovery_id,) of claim_filing, recovery_answer and claim_eligible; (supplier_id, sku) of
    feed; (order_id, position) of waiting, where its stock last moved at that position of the log; (case_id,) of
    first_answer and reship; (order_id, supplier_order_id, clock) of reroute."""
    due: datetime


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
    ORDER BY 3 LIMIT %(limit)s
"""
_TERMS = """
    SELECT suspected_lost_after_days, reroute_after_acknowledge_hours, reroute_after_dispatch_hours, message_age_hours
    FROM {sla_policies} WHERE effective_from <= %(now)s
    ORDER BY effective_from DESC, position DESC LIMIT 1
"""


async def due(connection: AsyncConnection[Any], schema: str, now: datetime, limit: int) -> list[Due]:
    """What has run out and nobody has noticed, the longest overdue first.

    Clocks that stand still are not due. Empty while the projection has no tables yet.
    """
    names = {table.name: Identifier(schema, table.name) for table in SLA.tables}
    try:
        cursor = await connection.execute(SQL(cast("Any", _TERMS)).format(**names), {"now": now})
        days, *hours, age_hours = await cursor.fetchone() or _terms(Policy())
        waits = RerouteAfter(*hours).by_clock
        parameters = {
            "now": now,
            "limit": limit,
            "silence": timedelta(days=days),
            "clocks": list(waits),
            "waits": [timedelta(hours=wait) for wait in waits.values()],
            "age": timedelta(hours=age_hours),
        }
        cursor = await connection.execute(SQL(cast("Any", _DUE)).format(**names), parameters)
        return [_due(Timer(timer), found, at) for timer, found, at in await cursor.fetchall()]
    except errors.UndefinedTable:
        return []


def _due(timer: Timer, names: Sequence[str], at: datetime) -> Due:
    if timer in (Timer.ACKNOWLEDGE, Timer.DISPATCH):
        return Due(timer, (order_of(names[0]), names[0]), at)
    if timer is Timer.REROUTE:
        return Due(timer, (order_of(names[0]), *names), at)
    if timer is Timer.DELIVERY:
        return Due(timer, (names[0], names[0]), at)
    if timer is Timer.FIRST_SCAN:
        return Due(timer, tuple(names[0].split("/")), at)
    return Due(timer, tuple(names), at)


# --- questions ------------------------------------------------------------------------------------


class Obligation(NamedTuple):
    """One clock of one object."""

    object_id: str
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
        SELECT object_id, clock, supplier_id, owner, due, state, met_at, stopped_since, missed_at, withdrawn_at
        FROM {sla_obligations} AS o
        WHERE {condition} o.state = wanted.state
            AND o.due >= %(since)s AND o.due < %(until)s
            AND (o.due, o.object_id, o.clock) > (%(after_due)s, %(after_id)s, %(after_clock)s)
            AND (%(clock)s = '' OR o.clock = %(clock)s)
        ORDER BY o.due, o.object_id, o.clock LIMIT %(limit)s
    ) AS found ORDER BY found.due, found.object_id, found.clock LIMIT %(limit)s
"""
_COUNT = """
    SELECT supplier_id, clock,
        count(*) FILTER (WHERE state = 'open') AS open, count(*) FILTER (WHERE state = 'met') AS met,
        count(*) FILTER (WHERE state = 'missed') AS missed, count(*) FILTER (WHERE state = 'withdrawn') AS withdrawn
    FROM {sla_obligations} WHERE supplier_id = ANY(%(supplier_ids)s)
    GROUP BY supplier_id, clock ORDER BY supplier_id, clock
"""
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


def _read(**row: Any) -> Obligation:
    row["clock"], row["state"], row["owner"] = Clock(row["clock"]), ClockState(row["state"]), Party(row["owner"])
    return Obligation(**row)


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
    query = _LIST.replace("{condition}", f"{of_supplier} {of_owner}")
    async with snapshot(where, SLA) as at:
        found = await at.each(query, parameters, _read)
        rows, token = page.cut(found, [(row.due, row.object_id, row.clock.value) for row in found])
        return Answer(rows, at.position, token)


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


async def count_obligations(where: Where, page: PageOf, supplier_id: str = "") -> Answer[Counts]:
    """How each supplier stands, clock by clock; a page has so many suppliers."""
    async with snapshot(where, SLA) as at:
        supplier_ids, token = [supplier_id], ""
        if not supplier_id:
            after = page.after(str)
            # The retailer itself, whose name here is empty, comes first.
            query = _NEXT_SUPPLIERS.replace("{compared}", ">=" if after is None else ">")
            found = [row[0] for row in await at.rows(query, {"after": after or "", "limit": page.limit})]
            supplier_ids, token = page.cut(found, found)
        rows = await at.each(_COUNT, {"supplier_ids": supplier_ids}, _read_counts)
        return Answer(rows, at.position, token)


def _read_counts(**row: Any) -> Counts:
    return Counts(**{**row, "clock": Clock(row["clock"])})
