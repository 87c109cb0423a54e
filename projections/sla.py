"""What has to happen by when, what happened too late, and what is the clock task to look at now?

An obligation is one clock of one object (DOMAIN 6): a supplier order's acknowledgement and dispatch,
an order's delivery, a parcel's first scan, an inquiry's answer, a case's first answer, a claim's filing, a
supplier's answer to a recovery. Each has an owner: the supplier, the carrier or the retailer. Beside them
stand timers that oblige nobody but make facts when they run out: stock that is held, parcels that nobody
sees, return windows, waiting times of claims, reships that a case waits for, overdue units that another
supplier is to be sought for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, cast

from psycopg import AsyncConnection, Cursor, errors
from psycopg.sql import SQL, Identifier

from ledger.decisions import after_sales
from ledger.facts import Fact, order_of
from ledger.nouns import (
    cases,
    claims,
    orders,
    parcels,
    recoveries,
)
from ledger.nouns.cases import Case
from ledger.nouns.inquiries import Inquiry
from ledger.nouns.orders import Deadline, breaches
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
    Breach,
    OrderHistory,
    Page,
    ParcelHistory,
    ParcelUse,
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


class State(StrEnum):
    """What became of an obligation."""

    OPEN = "open"
    """Still to be met; nobody has recorded a breach."""
    MET = "met"
    MISSED = "missed"
    WITHDRAWN = "withdrawn"
    """Recorded as missed, and met in time after all."""


class Clock(StrEnum):
    """All clocks that oblige somebody."""

    ACKNOWLEDGE = "acknowledge"
    DISPATCH = "dispatch"
    DELIVERY = "delivery"
    FIRST_SCAN = "first_scan"
    ANSWER = "answer"
    CLAIM_FILING = "claim_filing"
    RECOVERY_ANSWER = "recovery_answer"
    FIRST_ANSWER = "first_answer"


_ALWAYS = LAST - timedelta(days=366)
"""An instant at which every clock has run out: decisions asked at it tell which clocks run at all."""


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
        obligations.replace(_of_inquiry(earlier) if earlier else (), _of_inquiry(later))
    waiting = Rows(WAITING_CLAIMS)
    for recovery, then in page.recoveries():
        obligations.replace(_of_recovery(recovery), _of_recovery(then))
        waiting.replace(_waiting(recovery), _waiting(then))
    for was, case in page.cases():
        obligations.replace(_of_case(was) if was else (), _of_case(case))
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
    7,
    (OBLIGATIONS, HOLDS, SILENCES, RETURN_WINDOWS, WAITING_CLAIMS, RESHIPS, RESHIP_WAITS, OVERDUE, POLICIES),
    changes,
)


def _terms(policy: Policy) -> Values:
    """What of the retailer's terms says when timers run out."""
    after = policy.reroute_after
    hours = (after.acknowledge_hours, after.dispatch_hours, policy.message_age_hours)
    return (policy.suspected_lost_after_days, *hours)


def _of_order(history: OrderHistory) -> list[Values]:
    order = history.order
    left = dict(history.breaches)
    rows = []
    for deadline in order.deadlines():
        key = (deadline.object_id, deadline.clock)
        rows.append(_obligation(deadline, key in order.missed, left.pop(key, None)))
    # Of these nothing is owed any more, as after a cancellation; that they were missed stays.
    return rows + [_past(breach) for breach in left.values()]


def _obligation(deadline: Deadline, missed: bool, breach: Breach | None) -> Values:
    alarm = not missed and deadline.passed(_ALWAYS)
    if missed:
        state = State.MISSED
    elif not deadline.over or alarm:
        state = State.OPEN
    else:
        state = State.WITHDRAWN if breach else State.MET
    return (
        deadline.object_id,
        deadline.clock.value,
        deadline.supplier_id,
        deadline.owner.value,
        deadline.due,
        state.value,
        deadline.met_at,
        None if deadline.over else deadline.stopped_since,
        breach.missed.at if breach else None,
        breach.withdrawn.at if breach and breach.withdrawn else None,
        alarm,
    )


def _past(breach: Breach) -> Values:
    fact, withdrawn = breach.missed, breach.withdrawn
    state = State.WITHDRAWN if withdrawn else State.MISSED
    met_at = withdrawn.happened_at if withdrawn else None
    withdrawn_at = withdrawn.at if withdrawn else None
    owner = Deadline(fact.object_id, fact.clock, fact.due, met_at).owner
    what = (fact.object_id, fact.clock.value, breach.supplier_id, owner.value, fact.due)
    return (*what, state.value, met_at, None, fact.at, withdrawn_at, False)


def _window(history: OrderHistory) -> list[Values]:
    order, delivered_at = history.order, history.delivered_at
    if delivered_at is None:
        return []
    closes_at = delivered_at + timedelta(days=order.placed.return_window_days)
    return [(order.order_id, closes_at)] if orders.complete(order, closes_at, _ALWAYS) else []


def _reship(history: OrderHistory) -> list[Values]:
    """An order that sends units of a case once more, and of which no unit is under way any more."""
    order = history.order
    if not order.placed.reship_of or not after_sales.has_ended(order):
        return []
    return [(order.order_id, history.delivered_at or order.placed.at)]


def _overdue(history: OrderHistory) -> list[Values]:
    """Each time since which another supplier is to be sought for lines that are overdue."""
    order = history.order
    if not order.missed:
        return []
    return [
        (each.object_id, each.clock.value, since)
        for each in order.deadlines()
        for since in sorted(set(breaches.overdue_since(order, each).values()))
    ]


def _wait(case: Case) -> list[Values]:
    return [(case.case_id, case.reship.order_id)] if case.reship is not None else []


def _of_case(case: Case) -> list[Values]:
    """The retailer answers first; one that was closed without an answer in time obliges it no more."""
    missed, withdrawn, answered_at = case.missed, case.withdrawn, case.first_answered_at
    alarm = cases.answer_overdue(case, _ALWAYS)
    if not (alarm or missed or answered_at):
        return []
    kept = State.OPEN if alarm else State.MET
    state = State.WITHDRAWN if withdrawn else State.MISSED if missed else kept
    who = ("", Party.RETAILER.value)
    what = (case.case_id, Clock.FIRST_ANSWER.value, *who, case.opened.first_answer_by, state.value, answered_at, None)
    return [(*what, missed.at if missed else None, withdrawn.at if withdrawn else None, alarm)]


def _of_parcels(uses: ParcelHistory) -> Iterator[Values]:
    return (_of_parcel(history) for history in uses if history.parcel.first_scan_by is not None)


def _of_parcel(history: ParcelUse) -> Values:
    parcel, missed, withdrawn = history.parcel, history.first_scan_missed, history.first_scan_withdrawn
    alarm = bool(parcels.miss_first_scan(parcel, parcel.epoch, _ALWAYS))
    kept = State.OPEN if alarm else State.MET
    state = State.WITHDRAWN if withdrawn else State.MISSED if missed else kept
    return (
        f"{parcel.carrier}/{parcel.number}/{parcel.epoch}",
        Clock.FIRST_SCAN.value,
        parcel.supplier_id,
        Party.CARRIER.value,
        missed.due if missed else parcel.first_scan_by,
        state.value,
        parcel.first_scan_at,
        None,
        missed.at if missed else None,
        withdrawn.at if withdrawn else None,
        alarm,
    )


def _of_inquiry(inquiry: Inquiry) -> list[Values]:
    """One without agreed hours obliges nobody, and one that was closed in time does so no more."""
    asked, answered_at, missed = inquiry.asked, inquiry.answered_at, inquiry.missed
    alarm = missed is None and inquiry.overdue(_ALWAYS)
    if asked.answer_by is None or not (missed or alarm or answered_at):
        return []
    kept = State.OPEN if alarm else State.MET
    return [
        (
            inquiry.inquiry_id,
            Clock.ANSWER.value,
            asked.supplier_id if asked.asked_of is Party.SUPPLIER else "",
            asked.asked_of.value,
            asked.answer_by,
            (State.WITHDRAWN if inquiry.withdrawn else State.MISSED if missed else kept).value,
            answered_at,
            None,
            missed.at if missed else None,
            inquiry.withdrawn.at if inquiry.withdrawn else None,
            alarm,
        )
    ]


def _silences(uses: ParcelHistory) -> list[Values]:
    """Only the present use of a number can be lost."""
    if not uses:
        return []
    parcel = uses[-1].parcel
    row = (parcel.carrier, parcel.number, parcel.epoch, parcel.last_seen_at)
    return [row] if parcels.suspect_loss(parcel, parcel.epoch, 0, _ALWAYS) else []


def _of_recovery(recovery: Recovery | None) -> list[Values]:
    return [] if recovery is None else [*_filing(recovery), *_answer(recovery)]


def _filing(recovery: Recovery) -> Iterator[Values]:
    """That a claim is filed before it is barred, which nobody owes once it is given up or its parcel is found."""
    status, file_by = recovery.status, recovery.opened.file_by
    what = (recovery.recovery_id, Clock.CLAIM_FILING.value, "", Party.RETAILER.value, file_by)
    if file_by is None:
        return
    if recovery.filed_at is not None:
        yield (*what, State.MET.value, recovery.filed_at, None, None, None, False)
    elif recovery.barred_at is not None:
        yield (*what, State.MISSED.value, None, None, recovery.barred_at, None, False)
    elif status.is_unfiled:
        yield (*what, State.OPEN.value, None, None, None, None, True)


def _answer(recovery: Recovery) -> Iterator[Values]:
    """That the supplier answers what it was last asked; a breach stays, whatever is asked later."""
    missed, withdrawn_at = recovery.answer_missed, recovery.answer_withdrawn_at
    what = (recovery.recovery_id, Clock.RECOVERY_ANSWER.value, recovery.subject.supplier_id, Party.SUPPLIER.value)
    if missed is not None:
        state = State.WITHDRAWN if withdrawn_at else State.MISSED
        yield (*what, missed.due, state.value, recovery.answered_at, None, missed.at, withdrawn_at, False)
    elif recovery.answer_by is not None and recovery.answered_at is not None:
        yield (*what, recovery.answer_by, State.MET.value, recovery.answered_at, None, None, None, False)
    elif recovery.answer_by is not None and recoveries.miss_answer(recovery, _ALWAYS):
        yield (*what, recovery.answer_by, State.OPEN.value, None, None, None, None, True)


def _waiting(recovery: Recovery | None) -> list[Values]:
    if recovery is None or not claims.become_eligible(recovery, _ALWAYS):
        return []
    return [(recovery.recovery_id, recovery.opened.eligible_at)]


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
    state: State
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
    row["clock"], row["state"], row["owner"] = Clock(row["clock"]), State(row["state"]), Party(row["owner"])
    return Obligation(**row)


async def list_obligations(
    where: Where,
    page: PageOf,
    states: Iterable[State] = (State.OPEN,),
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
    return await list_obligations(where, page, (State.MISSED,), supplier_id, clock, since, until, owner)


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
