"""What belongs to an order: the streams of its parcels, cases, recoveries, inquiries, messages and tasks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from adapters.streams import read
from adapters.tenants import Tenant
from ledger.engine.statements import in_schema
from ledger.nouns import cases, inquiries, messages, orders, parcels, recoveries, tasks
from ledger.nouns.cases import Case
from ledger.nouns.orders import Order
from projections import inquiries as inquiry_lists
from projections import outbox, work
from projections import recoveries as recovery_lists
from projections.machine.reads import FIRST, MOST_ROWS, PageOf, Where
from projections.recoveries import RecoveryFilter
from projections.work import Work, WorkFilter, WorkKind

Use = tuple[str, str, int]
"""A use of a tracking number: carrier, number, epoch."""


class Related(NamedTuple):
    """What belongs to an order."""

    streams: Sequence[str]
    uses: frozenset[Use]
    """Its parcels: the facts of other uses of their numbers are another order's."""
    work: Sequence[Work]
    position: int


async def related_to(order: Order, tenant: Tenant, where: Where) -> Related:
    """All that the log and the read models know of it."""
    order_id = order.order_id
    case_streams = list(map(cases.stream, order.after_sales.cases))
    view, _ = await read(tenant.log, case_streams)
    found: list[Case] = [view.state(stream) for stream in case_streams]
    labels = [label for case in found for label in case.labels.values() if label.number]
    uses = frozenset(
        [
            *order.reported_parcels,
            *((each.carrier, each.number, each.epoch) for each in labels),
        ]
    )
    sent = await outbox.list_messages(where, PageOf(MOST_ROWS), FIRST, order_id=order_id)
    asked = await inquiry_lists.inquiries_about(where, [order_id])
    owed = await recovery_lists.list_recoveries(where, PageOf(MOST_ROWS), RecoveryFilter(order_id=order_id))
    to_do = await work.list_work(where, PageOf(MOST_ROWS), WorkFilter(order_id=order_id, now=datetime.now(UTC)))
    others = [
        *case_streams,
        *(recoveries.stream(each.recovery_id) for each in owed.rows),
        *(inquiries.stream(each.inquiry_id) for each in asked.rows),
        *(messages.stream(each.message_id) for each in sent.rows),
    ]
    own = [orders.stream(order_id), *{parcels.stream(carrier, number): None for carrier, number, _ in uses}]
    position = min(each.position for each in (sent, asked, owed, to_do))
    return Related([*own, *others, *await _tasks(tenant, order_id, uses, others)], uses, to_do.rows, position)


# --- tasks ----------------------------------------------------------------------------------------

_BEGIN_WITH = """
    SELECT e.originator_id FROM unnest(%(first)s::text[], %(last)s::text[]) AS r (first, last) CROSS JOIN LATERAL (
        SELECT originator_id FROM {schema}.ledger_events
        WHERE originator_id >= r.first AND originator_id < r.last AND originator_version = 1
    ) AS e
"""
_REST = re.compile(r"(-([^-/]+-)?(\d+-)?\d{8}T\d{6}Z)?")
"""What follows in the id of a task after the id of what it is about, unless a slash goes before it."""


async def _tasks(tenant: Tenant, order_id: str, uses: Iterable[Use], others: Sequence[str]) -> list[str]:
    """The streams of tasks about these: the id of a task begins with the id of what raised it."""
    about = [order_id, *("/".join(map(str, use)) for use in uses)]
    within = [f"{tasks.stream(kind)}-{each}/" for kind in WorkKind for each in about]
    within += [f"{tasks.stream(each)}/" for each in others]
    alone = [tasks.stream(each) for each in others]
    query = in_schema(_BEGIN_WITH, tenant.schema)
    first = [*within, *alone]
    async with tenant.log.pool.connection() as connection:
        # The next text that does not begin so: its last character is the next one.
        last = [each[:-1] + chr(ord(each[-1]) + 1) for each in first]
        found = [row[0] for row in await (await connection.execute(query, {"first": first, "last": last})).fetchall()]
    return sorted(
        {
            stream
            for stream in found
            if stream.startswith(tuple(within))
            or any(stream.startswith(each) and _REST.fullmatch(stream.removeprefix(each)) for each in alone)
        }
    )
