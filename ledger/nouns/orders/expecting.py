"""When the units of an order should arrive, as far as that is known (DOMAIN 4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from ledger.nouns.orders.state import Order
from ledger.nouns.orders.supplier_orders import SupplierOrder, expected_at


def unsent_by(order: Order) -> datetime | None:
    """When the last of its units that have not left should arrive; None if all have, or if nobody knows.

    Units that their supplier has yet to get leave on the day that it named, and are on their way as long as its
    service takes at most; for all others the promise counts.
    """
    waiting = order.units("open") + order.units("backordered") + order.units("assigned")
    restocked = [found for each in order.supplier_orders.values() for found in _restocked(each)]
    expected = [at for _, at in restocked]
    if waiting > sum(units for units, _ in restocked) and order.promised_by is not None:
        expected.append(order.promised_by)
    return max(expected, default=None)


def _restocked(each: SupplierOrder) -> Iterator[tuple[int, datetime]]:
    """Units that wait for goods, with when they should arrive."""
    transit = timedelta(days=each.shipping.days_to) if each.shipping is not None and each.shipping.code else timedelta()
    for line_no, share in each.shares.items():
        if share.backordered and (leaves_at := expected_at(each, line_no)) is not None:
            yield share.backordered, leaves_at + transit


def expected_by(order: Order, parcels: Iterable[datetime | None]) -> datetime | None:
    """When the last of its units should arrive; parcels says when each one under way is estimated, if it is.

    None once nobody waits for it any more, or if nothing was promised.
    """
    return last_of(order.header.is_over or order.delivered_at is not None, unsent_by(order), parcels, order.promised_by)


def last_of(
    over: bool, unsent: datetime | None, parcels: Iterable[datetime | None], promised: datetime | None
) -> datetime | None:
    """The latest of when what has not left, and each parcel under way, should arrive."""
    if over:
        return None
    known = [at for at in (unsent, *(estimate or promised for estimate in parcels)) if at is not None]
    return max(known, default=None)
