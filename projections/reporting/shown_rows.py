"""Tables of the contract that show the rows of other read models, whose rows say their position themselves."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, NamedTuple

from ledger.terms.rates import WINDOW_DAYS, RateName
from projections.machine.rows import Int4
from projections.reporting.declaring import Means, shown
from projections.reporting.order_rows import MINOR, UNITS


class ReportedLevel(NamedTuple):
    """One row for each SKU of each supplier: what it has of it."""

    supplier_id: Annotated[str, Means("The supplier.")]
    sku: Annotated[str, Means("The SKU.")]
    is_tracked: Annotated[bool, Means("Whether the supplier sends its stock.")]
    quantity: Annotated[int, Means("What its last feed said.", UNITS)]
    as_of: Annotated[datetime | None, Means("When that was so.")]
    held_units: Annotated[int, Means("Held for orders that are not confirmed.", UNITS)]
    committed_units: Annotated[int, Means("Promised to confirmed orders and still to leave.", UNITS)]
    buffer_units: Annotated[int, Means("Kept back for safety.", UNITS)]
    available_units: Annotated[int, Means("Can be promised to new orders.", UNITS)]
    shortfall_units: Annotated[int, Means("Promised, and more than there is.", UNITS)]
    is_low: Annotated[bool, Means("Whether it is low.")]
    is_running_out: Annotated[bool, Means("Whether it will not last.")]
    is_sold_out: Annotated[bool, Means("Whether it can promise none.")]
    stale_since: Annotated[datetime | None, Means("Since when its feed is too old.")]


class ReportedMovement(NamedTuple):
    """One row for each fact about the stock of a SKU of a supplier."""

    fact_position: Annotated[int, Means("The position of the fact.")]
    supplier_id: Annotated[str, Means("The supplier.")]
    sku: Annotated[str, Means("The SKU.")]
    fact: Annotated[str, Means("What happened: the fact's name.")]
    units: Annotated[int | None, Means("Units that the fact names: of a feed its quantity.", UNITS)]
    delta_units: Annotated[int, Means("How it changed what is available.", UNITS)]
    available_units: Annotated[int, Means("What was available after it.", UNITS)]
    reservation_id: Annotated[str | None, Means("The reservation that it is about.")]
    at: Annotated[datetime, Means("When.")]


class ReportedEntry(NamedTuple):
    """One row for each amount of a supplier's statement, and the fact that it stands for."""

    fact_position: Annotated[int, Means("The position of the fact.")]
    line_no: Annotated[
        Int4, Means("The line of the order; 0 where it is not about one. Of an invoice it tells entries apart.")
    ]
    kind: Annotated[str, Means("What it is for: goods, compensation, recovery, invoice_paid, …")]
    supplier_id: Annotated[str, Means("Whose account.")]
    amount_minor: Annotated[int, Means("Owed to the supplier; below zero where the supplier owes.", MINOR)]
    currency: Annotated[str, Means("ISO 4217.")]
    units: Annotated[int, Means("Units that it is for.", UNITS)]
    object_id: Annotated[str, Means("The supplier order, the recovery, or the number of the invoice.")]
    at: Annotated[datetime, Means("When.")]


class ReportedMessage(NamedTuple):
    """One row for each message that facts made due, and what became of it; without what it says and to whom."""

    message_id: Annotated[str, Means("The message.")]
    kind: Annotated[str, Means("What it tells.")]
    state: Annotated[str, Means("due, too_old, asked, failed, sent, given_up, cancelled or bounced.")]
    audience: Annotated[str, Means("customer, supplier or staff.")]
    order_id: Annotated[str | None, Means("The order.")]
    caused_at: Annotated[datetime, Means("When what it tells happened.")]
    asked_at: Annotated[datetime | None, Means("When it was asked for.")]
    sent_at: Annotated[datetime | None, Means("When it was sent.")]
    next_at: Annotated[datetime | None, Means("When something is to be done about it.")]
    attempts: Annotated[Int4, Means("How often sending was tried.", "attempts")]
    channel: Annotated[str | None, Means("How it was sent.")]
    language: Annotated[str | None, Means("In which language.")]
    template_version: Annotated[Int4, Means("Which version of its template.")]


class ReportedDay(NamedTuple):
    """One row for each day and what rates count of it; sum both figures over days before you divide."""

    supplier_id: Annotated[str, Means("The supplier; empty for all together.")]
    counted: Annotated[str, Means("What is counted: a rate, or late_shipment for those of 10 and of 30 days.")]
    day: Annotated[date, Means("The day, in UTC.")]
    numerator: Annotated[int, Means("Of satisfaction the sum of the scores.", "cases")]
    denominator: Annotated[int, Means("What could have been.", "cases")]


class ReportedWindow(NamedTuple):
    """One row for each supplier and rate in its usual window, which ends with the hour of the last fact."""

    supplier_id: Annotated[str, Means("The supplier; empty for all together.")]
    rate: Annotated[str, Means("The rate.")]
    window_days: Annotated[Int4, Means("How far back the rate looks.", "days")]
    until: Annotated[datetime, Means("The end of the window.")]
    numerator: Annotated[int, Means("Of satisfaction the sum of the scores.", "cases")]
    denominator: Annotated[int, Means("What could have been.", "cases")]


class ReportedGone(NamedTuple):
    """One row for each row that went from a table; it may have come back since, which a later position shows."""

    table_name: Annotated[str, Means("The table; of breaches it is obligations.")]
    key: Annotated[str, Means("The values of its key: a JSON array, in the order of the key's columns.")]


class ReportedProgress(NamedTuple):
    """One row for each read model that the tables show: its position is how far it is."""

    read_model: Annotated[str, Means("The read model.")]


GONE_ROWS = shown(
    "gone", ReportedGone, 2, "reporting", "{schema}.reporting_gone AS t", table_name="substr(t.table_name, 11)"
)
PROGRESS = shown(
    "progress",
    ReportedProgress,
    1,
    "reporting",
    """{schema}.ledger_tracking AS t WHERE t.application_name IN
        ('reporting', 'stock_levels', 'statements', 'outbox', 'supplier_performance')""",
    position="t.notification_id",
    read_model="t.application_name",
)._replace(always_whole=True)

LEVELS = shown(
    "stock_levels",
    ReportedLevel,
    2,
    "stock_levels",
    "{schema}.stock_levels AS t",
    is_tracked="t.tracked",
    held_units="t.held",
    committed_units="t.committed",
    buffer_units="t.buffer",
    available_units="t.available",
    shortfall_units="t.shortfall",
    is_low="t.low",
    is_running_out="t.running_out",
    is_sold_out="t.sold_out",
)
MOVEMENTS = shown(
    "stock_movements",
    ReportedMovement,
    1,
    "stock_levels",
    "{schema}.stock_movements AS t",
    fact_position="t.position",
    fact="t.what",
    delta_units="t.delta",
    available_units="t.available",
    reservation_id="nullif(t.reservation_id, '')",
)
STATEMENTS = shown(
    "statements",
    ReportedEntry,
    3,
    "statements",
    "{schema}.statement_entries AS t",
    fact_position="t.position",
    amount_minor="greatest(least(t.amount_minor, 9223372036854775807), -9223372036854775808)::bigint",
)
MESSAGES = shown(
    "messages",
    ReportedMessage,
    1,
    "outbox",
    "{schema}.outbox_messages AS t",
    order_id="nullif(t.order_id, '')",
    channel="nullif(t.channel, '')",
    language="nullif(t.language, '')",
)

_AT = "(SELECT notification_id FROM {schema}.ledger_tracking WHERE application_name = 'supplier_performance')"
"""Sums do not say what changed them last: where their read model stands is never too early."""

_RATES = ", ".join(
    f"('{name}', {days}, w.{name}_numerator, w.{name}_denominator)"
    for name, days in ((each.value, WINDOW_DAYS[each]) for each in RateName)
)
RATE_DAYS = shown(
    "rate_days", ReportedDay, 3, "supplier_performance", "{schema}.performance_days AS t", position=_AT
)._replace(always_whole=True)
RATE_WINDOWS = shown(
    "rate_windows",
    ReportedWindow,
    2,
    "supplier_performance",
    f"""{{schema}}.performance_usual AS w CROSS JOIN {{schema}}.performance_usual_until AS u
        CROSS JOIN LATERAL (VALUES {_RATES}) AS r (rate, window_days, numerator, denominator)
        CROSS JOIN LATERAL (SELECT w.supplier_id, r.*, u.until) AS t""",
    position=_AT,
    rate='t.rate COLLATE "C"',
)._replace(always_whole=True)
