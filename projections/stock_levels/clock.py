"""What the clock task asks about stock."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from ledger.decisions.timers import FeedDue, ListingDue, Timer, WaitingDue
from projections.machine.reads import rows_now
from projections.stock_levels.projection import STOCK_LEVELS

_CAN = """{stock_levels} AS c JOIN {stock_sellers} AS t USING (supplier_id)
        LEFT JOIN {stock_offer_ends} AS e USING (supplier_id, sku)
    WHERE c.tracked AND c.available > 0 AND t.approved AND (e.ends_at IS NULL OR e.ends_at > %(now)s)"""
"""Which suppliers can promise a unit of what."""
_DUE = """
    (SELECT 'feed', supplier_id, sku, '', stale_at FROM {stock_levels}
        WHERE stale_at <= %(now)s AND stale_since IS NULL ORDER BY stale_at LIMIT %(limit)s)
    UNION ALL
    (WITH lacking AS (
        SELECT sku, supplier_id FROM {stock_levels} WHERE sold_out
        UNION
        SELECT sku, supplier_id FROM {stock_sellers} JOIN {stock_levels} USING (supplier_id) WHERE NOT approved
        UNION
        SELECT sku, supplier_id FROM {stock_offer_ends} WHERE ends_at <= %(now)s
    )
    SELECT 'listing', min(supplier_id), sku, coalesce(min(g.crossings), 0) || '-' || max(l.position), max(l.as_of)
    FROM lacking JOIN {stock_levels} AS l USING (sku, supplier_id) JOIN {stock_sellers} AS s USING (supplier_id)
        LEFT JOIN {stock_listings} AS g USING (sku)
    WHERE l.tracked AND s.sold AND g.delisted IS NOT TRUE AND NOT EXISTS (SELECT FROM {can} AND c.sku = lacking.sku)
    GROUP BY sku ORDER BY sku LIMIT %(limit)s)
    UNION ALL
    (SELECT 'listing', min(supplier_id), sku, max(g.crossings) || '-' || max(c.position), max(g.since)
        FROM {stock_listings} AS g JOIN {can_join} AND g.delisted
        GROUP BY sku ORDER BY sku LIMIT %(limit)s)
    UNION ALL
    (SELECT 'waiting', order_id, '', coalesce(max(position), 0)
        || CASE WHEN bool_or(seeks) THEN '-' || count(*) FILTER (WHERE approved) ELSE '' END, min(placed_at)
    FROM (
        SELECT w.order_id, w.together, w.seeks, w.placed_at, l.position, coalesce(s.approved, false) AS approved,
            CASE WHEN w.seeks THEN coalesce(s.approved, false) AND (l.tracked IS NOT TRUE OR l.free >= w.units)
            ELSE coalesce(l.free >= w.units, false) END AS servable
        FROM {stock_waiting} AS w LEFT JOIN {stock_levels} AS l USING (supplier_id, sku)
            LEFT JOIN {stock_sellers} AS s USING (supplier_id)
    ) AS waiting
    GROUP BY order_id
    HAVING coalesce(bool_and(servable) FILTER (WHERE together), true)
        AND coalesce(bool_or(servable) FILTER (WHERE NOT together), true)
    ORDER BY 5, 2 LIMIT %(limit)s)
""".replace("{can}", _CAN).replace("{can_join}", _CAN.replace("JOIN", "USING (sku) JOIN", 1))
"""What is due in one question: it is asked of each tenant every second."""


async def due(connection: AsyncConnection[Any], schema: str, now: datetime, limit: int) -> list[Timer]:
    """Feeds that went stale, SKUs to be delisted or relisted, and orders whose stock is there, the oldest first.

    An order is named with the position at which its stock last moved, and with how many of the suppliers that could
    serve it are approved: each movement, and each approval, is one more occasion, and one only. Empty while the
    projection has no tables yet.
    """
    found = await rows_now(connection, schema, _DUE, {"now": now, "limit": limit}, STOCK_LEVELS)
    return [_timer(*row) for row in found]


def _timer(kind: str, of: str, sku: str, occasion: str, at: datetime) -> Timer:
    if kind == "feed":
        return FeedDue(of, sku, due=at)
    return ListingDue(of, sku, occasion, due=at) if kind == "listing" else WaitingDue(of, occasion, due=at)
