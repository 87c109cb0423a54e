"""What is due to whom: which messages the facts make due, and what became of each (DOMAIN 8).

A row is written when a fact makes a message due, and follows the message's own stream from when it is
asked for. The rows tell the sender's task what to do; sending is recorded as facts, so a rebuild sends
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace
from psycopg import AsyncConnection

from ledger.decisions.notices import Notice
from ledger.facts import Fact, order_of
from ledger.nouns import inquiries, messages, recoveries
from ledger.nouns.cases import (
    Case,
    CaseCancelled,
    CaseDenied,
    CaseFact,
    CaseOpened,
    CaseReopened,
    CaseResolved,
    EvidenceRequested,
    FirstAnswerMissed,
    RefundDenied,
    RefundGranted,
    RefundPaid,
    RemedyApproved,
    ReshipFailed,
    ReturnLabelled,
    ReturnReceived,
    ReviewStarted,
)
from ledger.nouns.inquiries import Inquiry
from ledger.nouns.messages import About, Audience, Kind, Message, UnknownMessage
from ledger.nouns.orders import DeadlineMissed, OrderConfirmed, UnitsDelivered
from ledger.nouns.orders.supplier_orders import (
    CancelRequested,
    SupplierOrderAcknowledged,
    SupplierOrderSent,
    SupplierOrderShipped,
)
from ledger.nouns.parcels import CheckpointRecorded, FirstScanMissed, LossConfirmed, LossSuspected, Parcel, ParcelStatus
from ledger.nouns.policies import Policy
from ledger.nouns.stock import Alert, FeedStale, Oversold, SoldOut, StockLow, StockRunningOut
from ledger.terms.clocks import Clock
from ledger.terms.money import Money
from ledger.terms.parties import Party
from projections.machine.histories import OrderHistory, RecoveryHistory
from projections.machine.projection import FromPages, projection
from projections.machine.reads import LAST, Answer, PageOf, Where, rows_now, snapshot
from projections.machine.rows import Int4, Text
from projections.machine.streams import LoggedFact, Page
from projections.machine.tables import AddedRows, Rows, Written, table
from projections.sla import SLA

# --- tables ---------------------------------------------------------------------------------------


class State(StrEnum):
    """What became of a message."""

    DUE = "due"
    """A fact made it due; nobody has asked for it yet."""
    TOO_OLD = "too_old"
    """Nobody will: it happened too long ago when it was first seen."""
    ASKED = "asked"
    FAILED = "failed"
    SENT = "sent"
    GIVEN_UP = "given_up"
    CANCELLED = "cancelled"


class OutboxMessage(NamedTuple):
    """One message and what became of it."""

    message_id: str
    cause: int
    """The position of the fact that made it due; 0 where time did."""
    kind: Kind
    state: State
    audience: Audience
    order_id: str
    about: About
    caused_at: datetime
    next_at: datetime | None
    """When the sender is to do something; None while it is not."""
    attempts: Int4 = 0
    recipient: str = ""
    language: str = ""
    template_version: Int4 = 0
    asked_at: datetime | None = None
    sent_at: datetime | None = None
    channel: Text = ""
    reference: Text = ""
    error: Text = ""
    because: Text = ""


MESSAGES = table(
    "outbox_messages",
    OutboxMessage,
    1,
    "(state, next_at, message_id)",
    "(state, caused_at, message_id)",
    "(order_id, caused_at, message_id)",
)


def _messages(page: Page) -> list[Written]:
    """What facts make due, and what the messages' own facts say, which goes before it."""
    asked = Rows(MESSAGES)
    # Never as new ones, even if they are: a fact has made most of them due before.
    asked.changed = [_asked(message) for _, message in page.changed(messages.NOUN.prefix)]
    due = [_due(notice) for facts in page.facts.values() for logged in facts for notice in notices(logged)]
    return [AddedRows(MESSAGES, due), asked]


OUTBOX = projection("outbox", 1, FromPages((MESSAGES,), _messages))


def _due(notice: Notice) -> OutboxMessage:
    return OutboxMessage(
        message_id=notice.message_id,
        cause=notice.cause,
        kind=notice.kind,
        state=State.DUE,
        audience=notice.kind.audience,
        order_id=notice.about.order_id,
        about=notice.about,
        caused_at=notice.caused_at,
        next_at=notice.caused_at,
    )


def _asked(message: Message) -> OutboxMessage:
    asked = message.asked
    return OutboxMessage(
        message_id=asked.message_id,
        cause=asked.cause,
        kind=asked.kind,
        state=State(message.stage),
        audience=asked.audience,
        order_id=asked.about.order_id,
        about=asked.about,
        caused_at=asked.caused_at,
        next_at=message.next_at,
        attempts=message.attempts,
        recipient=asked.recipient,
        language=asked.language,
        template_version=asked.template_version,
        asked_at=asked.at,
        sent_at=message.sent_at,
        channel=message.channel,
        reference=message.reference,
        error=message.error,
        because=message.because,
    )


# --- what makes a message due -----------------------------------------------------------------------


class _Cause(NamedTuple):
    """What of a fact becomes a message."""

    kind: Kind
    about: About
    at: datetime


def notices(logged: LoggedFact) -> Iterator[Notice]:
    """The messages that a fact makes due."""
    causes = _CAUSES.get(type(logged.fact))
    for cause in causes(logged.fact, logged.history) if causes else ():
        yield Notice(f"{cause.kind}-{logged.position}", cause.kind, cause.about, cause.at, logged.position)


def _confirmed(fact: OrderConfirmed, history: OrderHistory) -> Iterable[_Cause]:
    """Of a reship the case has told already."""
    if history.order.placed.reship_of:
        return
    yield _Cause(Kind.ORDER_CONFIRMED, About(fact.order_id, due=fact.promised_by), fact.at)


def _sent(fact: SupplierOrderSent, history: OrderHistory) -> Iterable[_Cause]:
    yield _Cause(Kind.DISPATCH_INSTRUCTION, _of(history, fact.supplier_order_id, due=fact.dispatch_by), fact.at)


def _acknowledged(fact: SupplierOrderAcknowledged, history: OrderHistory) -> Iterable[_Cause]:
    waiting = [answer for answer in fact.by_line.values() if answer.backordered]
    if waiting:
        expected = [answer.expected_at for answer in waiting if answer.expected_at is not None]
        due = max(expected, default=None)
        about = _of(history, fact.supplier_order_id, because="backordered", due=due)
        yield _Cause(Kind.DELAYED, about, fact.at)


def _shipped(fact: SupplierOrderShipped, history: OrderHistory) -> Iterable[_Cause]:
    about = _of(history, fact.supplier_order_id, carrier=fact.carrier, number=fact.number, epoch=fact.epoch)
    yield _Cause(Kind.DISPATCHED, about, fact.at)


def _delivered(fact: UnitsDelivered, history: OrderHistory) -> Iterable[_Cause]:
    about = About(fact.order_id, carrier=fact.carrier, number=fact.number, epoch=fact.epoch)
    yield _Cause(Kind.DELIVERED, about, fact.at)


def _cancel_asked(fact: CancelRequested, history: OrderHistory) -> Iterable[_Cause]:
    yield _Cause(Kind.CANCEL_REQUEST, _of(history, fact.supplier_order_id), fact.at)


def _missed(fact: DeadlineMissed, history: OrderHistory) -> Iterable[_Cause]:
    """When it was due counts, not when it was noticed: an old breach that an import shows is no news."""
    about = About(fact.order_id, clock=fact.clock.value, due=fact.due)
    if fact.object_id != fact.order_id:
        about = _of(history, fact.object_id, clock=fact.clock.value, due=fact.due)
        yield _Cause(Kind.BREACH_NOTICE, about, fact.due)
    yield _Cause(Kind.BREACH_ALERT, about, fact.due)
    if fact.clock is Clock.DISPATCH:
        yield _Cause(Kind.DELAYED, replace(about, because="dispatch_late", clock="", due=None), fact.due)


def _of(history: OrderHistory, supplier_order_id: str, **more: Any) -> About:
    each = history.order.supplier_orders[supplier_order_id]
    return About(history.order.order_id, supplier_order_id, each.supplier_id, **more)


def _first_scan_missed(fact: FirstScanMissed, parcel: Parcel) -> Iterable[_Cause]:
    about = _parcel(parcel, clock="first_scan", due=fact.due)
    if about.supplier_id:
        yield _Cause(Kind.BREACH_NOTICE, about, fact.due)
    yield _Cause(Kind.BREACH_ALERT, about, fact.due)


def _scanned(fact: CheckpointRecorded, parcel: Parcel) -> Iterable[_Cause]:
    """Only a scan that says where the parcel is now, and says it for the first time; none of an earlier use."""
    status = fact.checkpoint.status
    if fact.checkpoint not in parcel.checkpoints:
        return
    if parcel.status is not status or sum(scan.status is status for scan in parcel.checkpoints) > 1:
        return
    at = fact.checkpoint.at
    if parcel.order_id and status is ParcelStatus.OUT_FOR_DELIVERY:
        yield _Cause(Kind.OUT_FOR_DELIVERY, _parcel(parcel), at)
    if parcel.order_id and status in _LATE:
        yield _Cause(Kind.DELAYED, _parcel(parcel, because=_LATE[status]), at)
    if status in _TROUBLE:
        yield _Cause(Kind.PARCEL_ALERT, _parcel(parcel, because=status.value), at)


_LATE = {ParcelStatus.DELAYED: "carrier", ParcelStatus.CUSTOMS_HELD: "customs"}
_TROUBLE = frozenset(
    {
        ParcelStatus.CUSTOMS_HELD,
        ParcelStatus.DAMAGED,
        ParcelStatus.RETURNING,
        ParcelStatus.RETURNED,
        ParcelStatus.REFUSED,
        ParcelStatus.LOST,
        ParcelStatus.DESTROYED,
    }
)


def _loss_suspected(fact: LossSuspected, parcel: Parcel) -> Iterable[_Cause]:
    yield _Cause(Kind.PARCEL_ALERT, _parcel(parcel, because="suspected_lost"), fact.due or fact.at)


def _parcel(parcel: Parcel, **more: Any) -> About:
    which = (parcel.carrier, parcel.number, parcel.epoch)
    return About(parcel.order_id, parcel.supplier_order_id, parcel.supplier_id, *which, **more)


def _loss_confirmed(fact: LossConfirmed, parcel: Parcel) -> Iterable[_Cause]:
    if parcel.status is ParcelStatus.LOST:
        yield _Cause(Kind.PARCEL_ALERT, _parcel(parcel, because="lost"), fact.at)


def _case_step(fact: CaseFact, case: Case) -> Iterable[_Cause]:
    step = f"approved_{fact.remedy}" if isinstance(fact, RemedyApproved) else _STEPS[type(fact)]
    due = fact.due if isinstance(fact, EvidenceRequested) else None
    amount = None
    if isinstance(fact, RefundGranted | RefundPaid):
        amount = Money(case.refunds[fact.refund_id].amount_minor, case.currency)
    about = About(case.order_id, case_id=case.case_id, because=step, due=due, amount=amount)
    yield _Cause(Kind.CASE_STEP, about, fact.at)


_STEPS: Mapping[type[Fact], str] = {
    CaseOpened: "opened",
    EvidenceRequested: "evidence_requested",
    ReviewStarted: "under_review",
    RemedyApproved: "approved",
    CaseDenied: "denied",
    ReshipFailed: "reship_failed",
    ReturnLabelled: "return_labelled",
    ReturnReceived: "return_received",
    RefundGranted: "refund_granted",
    RefundDenied: "refund_denied",
    RefundPaid: "refund_paid",
    CaseResolved: "resolved",
    CaseCancelled: "cancelled",
    CaseReopened: "reopened",
}
"""What a customer is told of a case; who is liable is between the retailer and the others."""


def _first_answer_missed(fact: FirstAnswerMissed, case: Case) -> Iterable[_Cause]:
    about = About(case.order_id, case_id=case.case_id, clock="first_answer", due=fact.due)
    yield _Cause(Kind.BREACH_ALERT, about, fact.due)


def _answer_missed(fact: inquiries.AnswerMissed, inquiry: Inquiry) -> Iterable[_Cause]:
    asked = inquiry.asked
    about = About(
        asked.order_id,
        asked.supplier_order_id,
        asked.supplier_id,
        clock="answer",
        due=fact.due,
        inquiry_id=inquiry.inquiry_id,
    )
    if asked.asked_of is Party.SUPPLIER:
        yield _Cause(Kind.BREACH_NOTICE, about, fact.due)
    yield _Cause(Kind.BREACH_ALERT, about, fact.due)


def _recovery_answer_missed(fact: recoveries.AnswerMissed, history: RecoveryHistory) -> Iterable[_Cause]:
    subject = history.recovery.subject
    about = About(
        subject.order_id,
        subject.supplier_order_id,
        fact.supplier_id,
        clock="recovery_answer",
        due=fact.due,
        recovery_id=fact.recovery_id,
    )
    yield _Cause(Kind.BREACH_NOTICE, about, fact.due)
    yield _Cause(Kind.BREACH_ALERT, about, fact.due)


def _level(alert: Alert) -> Callable[[Any, Any], Iterable[_Cause]]:
    def told(fact: Any, history: Any) -> Iterable[_Cause]:
        at = fact.stale_at if alert is Alert.STALE else fact.at
        about = About(supplier_id=fact.supplier_id, sku=fact.sku, because=alert.value)
        yield _Cause(Kind.STOCK_ALERT, about, at)

    return told


_CAUSES: Mapping[type[Fact], Callable[[Any, Any], Iterable[_Cause]]] = {
    OrderConfirmed: _confirmed,
    SupplierOrderSent: _sent,
    SupplierOrderAcknowledged: _acknowledged,
    SupplierOrderShipped: _shipped,
    UnitsDelivered: _delivered,
    CancelRequested: _cancel_asked,
    DeadlineMissed: _missed,
    FirstScanMissed: _first_scan_missed,
    CheckpointRecorded: _scanned,
    LossSuspected: _loss_suspected,
    LossConfirmed: _loss_confirmed,
    **dict.fromkeys(_STEPS, _case_step),
    FirstAnswerMissed: _first_answer_missed,
    inquiries.AnswerMissed: _answer_missed,
    recoveries.AnswerMissed: _recovery_answer_missed,
    Oversold: _level(Alert.OVERSOLD),
    StockLow: _level(Alert.LOW),
    StockRunningOut: _level(Alert.RUNNING_OUT),
    SoldOut: _level(Alert.SOLD_OUT),
    FeedStale: _level(Alert.STALE),
}
"""What makes a message due, by fact. What only time makes due stands in ``due_by_time``."""

# --- what the sender's task asks ------------------------------------------------------------------


_decode_about = msgspec.json.Decoder(About).decode
_UNASKED = """
    SELECT message_id, kind, about, caused_at, cause FROM {outbox_messages}
    WHERE state = 'due' AND next_at > %(fresh)s AND next_at <= %(now)s AND message_id <> ALL(%(known)s)
    ORDER BY next_at, message_id LIMIT %(limit)s
"""
_UNSENT = """
    SELECT found.* FROM unnest(ARRAY['asked', 'failed']) AS wanted (state) CROSS JOIN LATERAL (
        SELECT message_id, kind, about, caused_at, cause FROM {outbox_messages} AS m
        WHERE m.state = wanted.state AND m.next_at <= %(now)s AND m.message_id <> ALL(%(known)s)
        ORDER BY m.next_at, m.message_id LIMIT %(limit)s
    ) AS found LIMIT %(limit)s
"""
_BY_TIME = """
    SELECT found.* FROM (
        SELECT CASE clock WHEN 'delivery' THEN 'delayed-' WHEN 'first_answer' THEN 'case_due-'
                ELSE 'reminder-' || clock || '-' END
                || object_id || '-' || to_char(due AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS"Z"') AS message_id,
            object_id, clock, supplier_id, due
        FROM {sla_obligations} AS o
        WHERE state = 'open' AND alarm AND stopped_since IS NULL AND due > %(now)s
            AND (clock IN ('acknowledge', 'dispatch', 'first_answer') AND due <= %(remind)s
                OR clock = 'answer' AND owner = 'supplier' AND due <= %(remind)s
                OR clock = 'delivery' AND due <= %(notice)s)
    ) AS found
    WHERE message_id <> ALL(%(known)s)
        AND NOT EXISTS (SELECT 1 FROM {outbox_messages} AS m WHERE m.message_id = found.message_id)
    ORDER BY due, message_id LIMIT %(limit)s
"""


async def unasked(
    connection: AsyncConnection[Any], schema: str, policy: Policy, now: datetime, known: Sequence[str], limit: int
) -> list[Notice]:
    """Messages that are due and that nobody has asked for, but for the known ones, the oldest first."""
    parameters = {"now": now, "fresh": now - timedelta(hours=policy.message_age_hours), "known": known, "limit": limit}
    rows = await rows_now(connection, schema, _UNASKED, parameters, OUTBOX, SLA)
    return [_notice(*row) for row in rows]


async def due_by_time(
    connection: AsyncConnection[Any], schema: str, policy: Policy, now: datetime, known: Sequence[str], limit: int
) -> list[Notice]:
    """Messages that only time makes due: clocks of suppliers that run out soon, and promised days that are near."""
    parameters = {
        "now": now,
        "remind": now + timedelta(hours=policy.remind_before_hours),
        "notice": now + timedelta(hours=policy.delay_notice_hours),
        "known": known,
        "limit": limit,
    }
    rows = await rows_now(connection, schema, _BY_TIME, parameters, OUTBOX, SLA)
    return [_by_time(now, *row) for row in rows]


def _by_time(now: datetime, message_id: str, object_id: str, clock: str, supplier_id: str, due: datetime) -> Notice:
    if clock == Clock.DELIVERY:
        return Notice(message_id, Kind.DELAYED, About(object_id, due=due), now)
    if clock == "first_answer":
        return Notice(message_id, Kind.CASE_DUE, About(clock=clock, due=due, case_id=object_id), now)
    if clock == "answer":
        about = About(supplier_id=supplier_id, clock=clock, due=due, inquiry_id=object_id)
        return Notice(message_id, Kind.REMINDER, about, now)
    about = About(order_of(object_id), object_id, supplier_id, clock=clock, due=due)
    return Notice(message_id, Kind.REMINDER, about, now)


async def unsent(
    connection: AsyncConnection[Any], schema: str, now: datetime, known: Sequence[str], limit: int
) -> list[Notice]:
    """Messages to hand over now, but for the known ones."""
    rows = await rows_now(connection, schema, _UNSENT, {"now": now, "known": known, "limit": limit}, OUTBOX, SLA)
    return [_notice(*row) for row in rows]


def _notice(message_id: str, kind: str, about: str, caused_at: datetime, cause: int) -> Notice:
    return Notice(message_id, Kind(kind), _decode_about(about), caused_at, cause)


# --- questions ------------------------------------------------------------------------------------


class Backlog(NamedTuple):
    """How much is still to be sent, and how much nobody will try again by itself."""

    waiting: int
    failed: int
    given_up: int


_STATE = "CASE WHEN state = 'due' AND caused_at <= %(fresh)s THEN 'too_old' ELSE state END AS state"
_COLUMNS = ", ".join(_STATE if name == "state" else name for name in OutboxMessage._fields)
_ONE = "SELECT {columns} FROM {outbox_messages} WHERE message_id = %(message_id)s"
_OF_ORDER = """
    SELECT * FROM (
        SELECT {columns} FROM {outbox_messages} WHERE order_id = %(order_id)s
            AND (caused_at, message_id) < (%(before_at)s, %(before_id)s)
    ) AS found
    WHERE state = ANY(%(states)s) AND (%(audience)s = '' OR audience = %(audience)s)
    ORDER BY caused_at DESC, message_id DESC LIMIT %(limit)s
"""
_IN_STATES = """
    SELECT found.* FROM unnest(%(states)s::text[]) AS wanted (state) CROSS JOIN LATERAL (
        SELECT {columns} FROM {outbox_messages} AS m
        WHERE m.state = CASE wanted.state WHEN 'too_old' THEN 'due' ELSE wanted.state END
            AND (m.caused_at, m.message_id) < (%(before_at)s, %(before_id)s)
            AND (wanted.state <> 'due' OR m.caused_at > %(fresh)s)
            AND (wanted.state <> 'too_old' OR m.caused_at <= %(fresh)s)
            AND (%(audience)s = '' OR m.audience = %(audience)s)
        ORDER BY m.caused_at DESC, m.message_id DESC LIMIT %(limit)s
    ) AS found ORDER BY found.caused_at DESC, found.message_id DESC LIMIT %(limit)s
"""
_BACKLOG = """
    SELECT
        (SELECT count(*) FROM {outbox_messages} WHERE state = 'due' AND next_at > %(fresh)s)
            + (SELECT count(*) FROM {outbox_messages} WHERE state = 'asked'),
        (SELECT count(*) FROM {outbox_messages} WHERE state = 'failed'),
        (SELECT count(*) FROM {outbox_messages} WHERE state = 'given_up')
"""


def _with_columns(query: str) -> str:
    return query.replace("{columns}", _COLUMNS)


async def get_message(where: Where, message_id: str, fresh: datetime) -> Answer[OutboxMessage]:
    """One message; raises UnknownMessage. What happened before ``fresh`` and was not asked for is too old."""
    async with snapshot(where, OUTBOX) as at:
        found = await at.each(_with_columns(_ONE), {"message_id": message_id, "fresh": fresh}, OutboxMessage)
        if not found:
            raise UnknownMessage(message_id)
        return Answer(found, at.position)


async def list_messages(
    where: Where,
    page: PageOf,
    fresh: datetime,
    states: Iterable[State] = (),
    order_id: str = "",
    audience: Audience | None = None,
) -> Answer[OutboxMessage]:
    """Messages in these states or in any, of an order or of all, to an audience or to all, the newest first."""
    before_at, before_id = page.after(tuple[datetime, str]) or (LAST, "")
    parameters = {
        "fresh": fresh,
        "states": [state.value for state in states or State],
        "order_id": order_id,
        "audience": audience.value if audience else "",
        "before_at": before_at,
        "before_id": before_id,
        "limit": page.limit,
    }
    async with snapshot(where, OUTBOX) as at:
        found = await at.each(_with_columns(_OF_ORDER if order_id else _IN_STATES), parameters, OutboxMessage)
        rows, token = page.cut(found, [(row.caused_at, row.message_id) for row in found])
        return Answer(rows, at.position, token)


async def backlog(connection: AsyncConnection[Any], schema: str, fresh: datetime) -> Backlog:
    """What waits to be sent, what is tried again, what was given up."""
    rows = await rows_now(connection, schema, _BACKLOG, {"fresh": fresh}, OUTBOX, SLA)
    return Backlog(*rows[0]) if rows else Backlog(0, 0, 0)
