"""What is still kept of customers whose orders are over, what would go when, and what went?

How long each kind stays is a term of the retailer's, which may change at any time: so the rows say since when it
counts, and a question brings the periods. None of it is personal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from ledger.nouns import inquiries, orders, recoveries, suppliers
from ledger.nouns.inquiries import Inquiry
from ledger.nouns.orders import PersonErased
from ledger.nouns.policies import Policy
from ledger.nouns.suppliers import Supplier
from ledger.terms.retention import PersonalKind, Retention
from projections.machine.histories import OrderHistory, RecoveryHistory
from projections.machine.projection import From, FromPages, projection
from projections.machine.reads import FIRST, Answer, PageOf, Where, rows_now, snapshot
from projections.machine.streams import Page
from projections.machine.tables import Rows, Written, columns, table

ON_INVOICE = "customer_on_invoice"
"""A customer whom an invoice shows: of that, name and address stay longer."""
SUPPLIER = "supplier"

# --- tables ---------------------------------------------------------------------------------------


class KeptData(NamedTuple):
    """A kind of data of an order that is over, or of a supplier that was retired."""

    object_id: str
    """Of the order or supplier."""
    stays_as: str
    """A PersonalKind, ON_INVOICE or SUPPLIER."""
    channel: str
    """Empty for a supplier."""
    since: datetime
    """When it was over."""
    sent_at: datetime
    """When periods begin that count from the shipment."""
    held_until: datetime | None
    """A legal hold."""


class Beside(NamedTuple):
    """What has to be over as well before anything of an order goes: a question, a recovery, an order that sends its
    units once more."""

    order_id: str
    object_id: str
    over_since: datetime | None
    """None while it is open."""


class Gone(NamedTuple):
    """A kind that was erased alone, because it had been kept for long enough."""

    order_id: str
    kind: PersonalKind
    at: datetime


KEPT = table(
    "retention_kept",
    KeptData,
    2,
    "(channel, stays_as, since, object_id)",
    "(channel, stays_as, sent_at, object_id)",
)
BESIDE = table("retention_beside", Beside, 2)
GONE = table("retention_gone", Gone, 2, "(at)")

# --- what is kept ---------------------------------------------------------------------------------


def _of_order(history: OrderHistory) -> list[KeptData]:
    order = history.order
    if (over := orders.over_since(order)) is None:
        return []
    row = KeptData(
        object_id=order.order_id,
        stays_as="",
        channel=orders.channel_of(order.order_id),
        since=over,
        sent_at=orders.counted_from(order, over, from_shipment=True),
        held_until=order.personal_data_held_until,
    )
    kinds = [kind.value for kind in orders.kept_since(order, over)]
    if order.invoicing.uncopied:
        kinds = [ON_INVOICE if kind == PersonalKind.CUSTOMER else kind for kind in kinds]
    return [row._replace(stays_as=kind) for kind in kinds]


def _once_more(history: OrderHistory) -> list[Beside]:
    order = history.order
    if order.paid_order_id == order.order_id:
        return []
    return [Beside(order.paid_order_id, order.order_id, orders.over_since(order))]


def _of_inquiry(inquiry: Inquiry) -> list[Beside]:
    told = [each.at for each in (*inquiry.answers, inquiry.closed) if each is not None]
    over = None if inquiry.is_open else max(told)
    return [Beside(inquiry.asked.order_id, inquiries.stream(inquiry.inquiry_id), over)]


def _of_recovery(history: RecoveryHistory) -> list[Beside]:
    recovery = history.recovery
    stream, subject = recoveries.stream(recovery.recovery_id), recovery.subject
    over = max(fact.at for _, fact in history.facts) if recovery.status.is_end else None
    order_ids = dict.fromkeys((subject.order_id, *subject.further_order_ids))
    return [Beside(order_id, stream, over) for order_id in order_ids if order_id]


def _of_supplier(supplier: Supplier) -> list[KeptData]:
    since = suppliers.contact_kept_since(supplier)
    return [] if since is None else [KeptData(supplier.supplier_id, SUPPLIER, "", since, since, None)]


def _gone(page: Page) -> list[Written]:
    rows = Rows(GONE)
    for _, fact, _ in page.facts.get(orders.NOUN.prefix, ()):
        if isinstance(fact, PersonErased):
            rows.changed += [Gone(fact.order_id, kind, fact.at) for kind in fact.kinds]
    return [rows]


RETENTION = projection(
    "retention",
    2,
    From(orders.NOUN, KEPT, _of_order),
    From(suppliers.NOUN, KEPT, _of_supplier),
    From(orders.NOUN, BESIDE, _once_more),
    From(inquiries.NOUN, BESIDE, _of_inquiry),
    From(recoveries.NOUN, BESIDE, _of_recovery),
    FromPages((GONE,), _gone),
)

# --- periods --------------------------------------------------------------------------------------


class Period(NamedTuple):
    """How long something stays, of the orders of a channel."""

    channel: str
    stays_as: str
    days: timedelta
    from_shipment: bool


_CHANNELS = """
    WITH RECURSIVE found AS (
        SELECT min(channel) AS channel FROM {retention_kept}
        UNION ALL
        SELECT (SELECT min(channel) FROM {retention_kept} WHERE channel > found.channel) FROM found
        WHERE found.channel IS NOT NULL
    )
    SELECT channel FROM found WHERE channel <> ''
"""


def _periods(policy: Policy, channels: Iterable[str]) -> list[Period]:
    found = [Period("", SUPPLIER, timedelta(days=policy.supplier_days), False)] if policy.supplier_days else []
    for channel in channels:
        retention = policy.retention_of(channel) or Retention()
        for kind in PersonalKind:
            days = timedelta(days=retention.days(kind))
            for stays_as in (kind.value, ON_INVOICE) if kind is PersonalKind.CUSTOMER else (kind.value,):
                found += [Period(channel, stays_as, days, retention.from_shipment)] if days else []
    return found


def _parameters(periods: Sequence[Period], by: datetime) -> dict[str, Any]:
    columns_of = columns(periods) if periods else [[], [], [], []]
    return {**dict(zip(Period._fields, columns_of, strict=True)), "by": by}


_FOUND = """
    unnest(%(channel)s::text[], %(stays_as)s::text[], %(days)s::interval[], %(from_shipment)s::bool[])
        AS period (channel, stays_as, days, from_shipment)
    CROSS JOIN LATERAL (
        {by_end} UNION ALL {by_shipment}
    ) AS found
"""
# In the order in which periods end. What is open beside an order keeps all of it, and so does what was over later.
_KEPT_UNTIL = """
    (SELECT object_id, stays_as, {counted} + period.days AS due, held_until FROM {retention_kept} AS kept
    WHERE {condition} AND kept.channel = period.channel AND kept.stays_as = period.stays_as
        AND {counted} <= %(by)s - period.days AND {counted} >= %(after_due)s - period.days
        AND ({counted} + period.days, object_id, kept.stays_as) > (%(after_due)s, %(after_id)s, %(after_kind)s)
        AND NOT EXISTS (SELECT FROM {retention_beside} AS beside WHERE beside.order_id = kept.object_id
            AND kept.channel <> '' AND coalesce(beside.over_since > %(by)s - period.days, true))
        AND (held_until IS NOT NULL AND held_until > %(by)s) = %(held)s
    ORDER BY {counted}, object_id LIMIT %(limit)s)
"""


def _kept_until(counted: str, condition: str) -> str:
    return _KEPT_UNTIL.replace("{counted}", counted).replace("{condition}", condition)


_FOUND = _FOUND.replace("{by_end}", _kept_until("since", "NOT period.from_shipment"))
_FOUND = _FOUND.replace("{by_shipment}", _kept_until("sent_at", "period.from_shipment"))
_LIST = """
    SELECT object_id, found.stays_as, due, held_until FROM {found}
    ORDER BY due, object_id, found.stays_as LIMIT %(limit)s
""".replace("{found}", _FOUND)
_COUNT = """
    SELECT found.stays_as, count(*) FILTER (WHERE due <= %(now)s), count(*) FROM {found} GROUP BY found.stays_as
""".replace("{found}", _FOUND)
_LATELY = "SELECT kind, count(*) FROM {retention_gone} WHERE at > %(since)s GROUP BY kind"
_Place = tuple[datetime, str, str]
_BEGIN: _Place = (FIRST, "", "")

# --- questions ------------------------------------------------------------------------------------


class DueData(NamedTuple):
    """A kind of data that goes then, if nothing happens before."""

    object_id: str
    stays_as: str
    due: datetime
    held_until: datetime | None

    @property
    def kind(self) -> PersonalKind | None:
        """None of a supplier's contact."""
        return kind_of(self.stays_as)


def kind_of(stays_as: str) -> PersonalKind | None:
    """None of a supplier's contact."""
    if stays_as == SUPPLIER:
        return None
    return PersonalKind.CUSTOMER if stays_as == ON_INVOICE else PersonalKind(stays_as)


async def due(
    connection: AsyncConnection[Any], schema: str, policy: Policy, now: datetime, limit: int
) -> list[DueData]:
    """What has been kept for long enough, the longest overdue first; empty while there are no tables yet."""
    if not policy.retention and not policy.supplier_days:
        return []
    found = await rows_now(connection, schema, _CHANNELS, {}, RETENTION) if policy.retention else []
    periods = _periods(policy, [channel for (channel,) in found])
    rows = await rows_now(connection, schema, _LIST, _asked(periods, now, limit), RETENTION)
    return [DueData._make(row) for row in rows]


def _asked(
    periods: Sequence[Period],
    by: datetime,
    limit: int,
    after: tuple[datetime, str, str] = _BEGIN,
    *,
    held: bool = False,
) -> dict[str, Any]:
    after_due, after_id, after_kind = after
    place = {"after_due": after_due, "after_id": after_id, "after_kind": after_kind}
    return {**_parameters(periods, by), **place, "held": held, "limit": limit}


class DueCounts(NamedTuple):
    """How much of a kind goes."""

    stays_as: str
    due_now: int
    due_by_then: int


class Forecast(NamedTuple):
    """What goes by a time, in the order of that, how much it is in all, what holds keep, and what went lately."""

    due: list[DueData]
    counts: list[DueCounts]
    held: list[DueData]
    lately: dict[str, int]


MOST_HELD = 100
_ALL = 2**31


async def forecast(
    where: Where, policy: Policy, now: datetime, by: datetime, lately: datetime, page: PageOf
) -> Answer[Forecast]:
    """A page of what goes by then, by a policy. Answered with one row, which holds the page."""
    async with snapshot(where, RETENTION) as at:
        periods = _periods(policy, [channel for (channel,) in await at.rows(_CHANNELS, {})])
        after = page.after(tuple[datetime, str, str]) or _BEGIN
        found = [DueData._make(row) for row in await at.rows(_LIST, _asked(periods, by, page.limit, after))]
        rows, token = page.cut(found, [(each.due, each.object_id, each.stays_as) for each in found])
        counts = await at.rows(_COUNT, {**_asked(periods, by, _ALL), "now": now})
        held = await at.rows(_LIST, _asked(periods, by, MOST_HELD, held=True))
        gone = await at.rows(_LATELY, {"since": lately})
        forecast = Forecast(
            rows, [DueCounts._make(each) for each in counts], [DueData._make(e) for e in held], dict(gone)
        )
        return Answer([forecast], at.position, token)
