"""What the clock task asks about what has run out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection

from ledger.decisions.timers import Timer, timer
from ledger.nouns import policies
from ledger.nouns.policies import policy_at
from projections.machine.reads import rows_now, state_now
from projections.obligations.projection import SLA

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
