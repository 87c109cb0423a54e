"""One order, the parcels of a number, and the holds that stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from ledger.nouns import orders
from ledger.nouns.orders import HoldReason, UnknownOrder
from ledger.nouns.parcels import NOT_AWAITED, ParcelStatus
from projections.machine.changes import Listed, ListedStreams
from projections.machine.reads import FIRST, Answer, PageOf, Snapshot, Where, rows_now, snapshot
from projections.tracking.projection import TRACKING
from projections.tracking.rows import OrderHold, TrackedOrder, TrackedParcel

_ORDER = "SELECT * FROM {tracking_orders} WHERE order_id = %(order_id)s"
_PARCELS_OF = """
    SELECT * FROM {tracking_parcels} WHERE order_id = ANY(%(order_ids)s) ORDER BY registered_at, carrier, number, epoch
"""
_PARCELS_NAMED = """
    SELECT p.* FROM (
        SELECT number, carrier, epoch FROM {tracking_parcels}
        WHERE number = %(number)s AND (%(carrier)s = '' OR carrier = %(carrier)s)
        UNION
        SELECT of_number, of_carrier, of_epoch FROM {tracking_last_miles}
        WHERE number = %(number)s AND (%(carrier)s = '' OR carrier = %(carrier)s)
    ) AS found JOIN {tracking_parcels} AS p USING (number, carrier, epoch)
    ORDER BY p.carrier, p.epoch DESC, p.number
"""
# Those without a scan count from when they were told.
_SILENT = """
    SELECT DISTINCT ON (number, carrier) number, carrier, country FROM {tracking_parcels}
    WHERE (number, carrier) > (%(number)s, %(carrier)s) AND delivered_at IS NULL AND status <> ALL(%(over)s)
        AND coalesce(scan_at, registered_at) BETWEEN %(since)s AND %(until)s
    ORDER BY number, carrier, epoch DESC LIMIT %(limit)s
"""
_HOLDS = """
    SELECT * FROM {tracking_holds}
    WHERE (cardinality(%(reasons)s::text[]) = 0 OR reason = ANY(%(reasons)s)) AND (%(owner)s = '' OR owner = %(owner)s)
        AND (since, order_id, reason, owner, supplier_order_id) > (
            %(after_at)s, %(after_id)s, %(after_reason)s, %(after_owner)s, %(after_scope)s
        ) AND {changed}
    ORDER BY since, order_id, reason, owner, supplier_order_id LIMIT %(limit)s
"""


async def with_parcels(at: Snapshot, orders: Sequence[TrackedOrder]) -> list[TrackedOrder]:
    by_id = {order.order_id: order for order in orders}
    for parcel in await at.each(_PARCELS_OF, {"order_ids": list(by_id)}, TrackedParcel):
        by_id[parcel.order_id].parcels += (parcel,)
    return list(orders)


async def get_order(where: Where, order_id: str) -> Answer[TrackedOrder]:
    """One order with its parcels; raises UnknownOrder."""
    async with snapshot(where, TRACKING) as at:
        found = await at.each(_ORDER, {"order_id": order_id}, TrackedOrder)
        if not found:
            raise UnknownOrder(order_id)
        return Answer(await with_parcels(at, found), at.position)


async def find_parcels(where: Where, number: str, carrier: str = "") -> Answer[TrackedParcel]:
    """Every use of a tracking number, a last mile's too, of one carrier or of any; the newest of each carrier first."""
    async with snapshot(where, TRACKING) as at:
        parameters = {"number": number, "carrier": carrier}
        found = await at.each(_PARCELS_NAMED, parameters, TrackedParcel)
        return Answer(found, at.position)


async def silent_parcels(
    connection: AsyncConnection[Any], schema: str, since: datetime, until: datetime, after: tuple[str, str], limit: int
) -> list[tuple[str, str, str]]:
    """Parcels under way whose newest scan is of that time: number, carrier and destination, by the first two."""
    number, carrier = after
    parameters = {
        "number": number,
        "carrier": carrier,
        "over": [each.value for each in NOT_AWAITED - {ParcelStatus.RETURNING}],
        "since": since,
        "until": until,
        "limit": limit,
    }
    return await rows_now(connection, schema, _SILENT, parameters, TRACKING)


_LISTED_HOLDS = Listed(
    query=_HOLDS,
    make=OrderHold,
    key=lambda row: (row.since, row.order_id, *row.hold.key),
    subject=ListedStreams(orders.NOUN, ("order_id",)),
    of=lambda row: row.order_id,
)


async def list_holds(
    where: Where, page: PageOf, reasons: Iterable[HoldReason] = (), owner: str = ""
) -> Answer[OrderHold]:
    """The holds that stand, for one of these reasons or for any, of one owner or of all; the oldest first."""
    after = page.after(tuple[datetime, str, str, str, str]) or (FIRST, "", "", "", "")
    parameters = {
        "reasons": [reason.value for reason in reasons],
        "owner": owner,
        **dict(zip(("after_at", "after_id", "after_reason", "after_owner", "after_scope"), after, strict=True)),
        "limit": page.limit,
    }
    async with snapshot(where, TRACKING) as at:
        return await _LISTED_HOLDS.page(at, page, parameters)
