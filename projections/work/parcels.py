"""Work about parcels: what went wrong on their way, and those that nobody scanned."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import reduce
from typing import Any

from ledger.facts import plus
from ledger.nouns.cases import Reason
from ledger.nouns.parcels import GIVEN_UP, Checkpoint, CustomsHold, Parcel, ParcelStatus
from ledger.terms.clocks import Clock
from ledger.terms.parties import Party
from projections.work.kinds import FINISH, Next, Step, WorkKind, ask_about_customs, ask_where, units_of
from projections.work.rows import Item, Owner, item

_TROUBLE = {
    ParcelStatus.CUSTOMS_HELD: Owner.OPERATIONS,
    ParcelStatus.SUSPECTED_LOST: Owner.OPERATIONS,
    ParcelStatus.DAMAGED: Owner.AFTER_SALES,
    ParcelStatus.RETURNING: Owner.AFTER_SALES,
    ParcelStatus.RETURNED: Owner.AFTER_SALES,
    ParcelStatus.REFUSED: Owner.AFTER_SALES,
    ParcelStatus.LOST: Owner.AFTER_SALES,
    ParcelStatus.DESTROYED: Owner.AFTER_SALES,
}
"""Whose work a parcel in this state is."""


def of_parcel(parcel: Parcel) -> list[Item]:
    """Only of the present use of a number."""
    if parcel.historical:
        return []
    items = [*_trouble(parcel)] if parcel.status in _TROUBLE and not _is_the_orders(parcel) else []
    if parcel.stray is not None:
        items.append(_stray(parcel, parcel.stray))
    missed = parcel.missed
    if missed is not None and parcel.first_scan_missed and parcel.first_scan_at is None:
        name = parcel.supplier_order_id
        following = ask_where(Clock.FIRST_SCAN, name) if name else Next(Step.RECORD_SCAN, _named(parcel))
        items.append(
            _parcel(parcel, WorkKind.BREACH, Clock.FIRST_SCAN, Owner.OPERATIONS, missed.at, following, missed.due)
        )
    return items


def _stray(parcel: Parcel, scan: Checkpoint) -> Item:
    """Something may have left after all: then it is shipped again under its number."""
    shipping = {**_named(parcel), "supplier_order_id": parcel.supplier_order_id}
    following = Next(Step.SHIP, shipping) if parcel.supplier_order_id else FINISH
    return item(
        WorkKind.ODDITY,
        f"{parcel.carrier}/{parcel.number}/{parcel.epoch}/scanned_though_void",
        Owner.OPERATIONS,
        scan.at,
        f"scanned though it was voided: {scan.status}",
        following,
        **_about(parcel),
    )


def _is_the_orders(parcel: Parcel) -> bool:
    """Whether the order knows that its parcel is lost or back, and what was done about it."""
    return bool(parcel.order_id) and (parcel.status in GIVEN_UP or parcel.status is ParcelStatus.RETURNED)


def _trouble(parcel: Parcel) -> Iterator[Item]:
    since = parcel.last_seen_at
    # Skips disputed deliveries, which may be newer.
    for scan in reversed([each for each in parcel.checkpoints if each.status is not ParcelStatus.DELIVERED]):
        if scan.status is not parcel.status:
            break
        since = scan.at
    if (held := parcel.customs_hold) is not None and held.asks_of is not None:
        yield _asked_by_customs(parcel, held, held.asks_of, since)
    elif parcel.status is ParcelStatus.DAMAGED and parcel.order_id:
        yield from _damaged(parcel, since)
    else:
        yield _parcel(parcel, WorkKind.PARCEL, parcel.status, _TROUBLE[parcel.status], since, _of_trouble(parcel), None)


def _damaged(parcel: Parcel, since: datetime) -> Iterator[Item]:
    """For each order in it, because each has a case of its own."""
    for order_id in parcel.order_ids:
        own = [each for each in parcel.contents if each.order_id == order_id]
        units = reduce(plus, (each.by_line for each in own))
        following = Next(Step.OPEN_CASE, {"order_id": order_id, "reason": Reason.DAMAGED, "lines": units_of(units)})
        because = parcel.status if order_id == parcel.order_id else f"{parcel.status}/{order_id}"
        one = _parcel(parcel, WorkKind.PARCEL, because, _TROUBLE[parcel.status], since, following, None)
        first = own[0].supplier_order_id
        yield one._replace(because=parcel.status, order_id=order_id, supplier_order_id=first, further_order_ids=())


_TALKS_TO = {
    Party.CUSTOMER: Owner.AFTER_SALES,
    Party.SUPPLIER: Owner.SUPPLIER_MANAGER,
    Party.RETAILER: Owner.OPERATIONS,
}
"""The staff that sees to it that somebody gives customs what it asks for."""


def _asked_by_customs(parcel: Parcel, held: CustomsHold, asks_of: Party, since: datetime) -> Item:
    """Due when customs wants its answer. The customer gets a message by itself; a supplier is asked."""
    asks_supplier = asks_of is Party.SUPPLIER and parcel.supplier_order_id
    following = ask_about_customs(parcel.supplier_order_id) if asks_supplier else _of_trouble(parcel)
    owner = _TALKS_TO.get(asks_of, Owner.OPERATIONS)
    one = _parcel(parcel, WorkKind.PARCEL, parcel.status, owner, since, following, held.answer_by)
    return one._replace(because=f"{parcel.status}: {held.asks}, from the {asks_of}")


def _of_trouble(parcel: Parcel) -> Next:
    """What one does about a parcel in trouble: where nothing else helps, its next scan is recorded."""
    match parcel.status:
        case ParcelStatus.SUSPECTED_LOST:
            return Next(Step.CONFIRM_LOSS, {**_named(parcel), "by": Party.CARRIER})
        case _:
            return Next(Step.RECORD_SCAN, _named(parcel))


def _named(parcel: Parcel) -> dict[str, str]:
    return {"carrier": parcel.carrier, "tracking_number": parcel.number}


def _parcel(
    parcel: Parcel, kind: WorkKind, because: str, owner: Owner, at: datetime, following: Next, due: datetime | None
) -> Item:
    return item(
        kind,
        f"{parcel.carrier}/{parcel.number}/{parcel.epoch}/{because}",
        owner,
        at,
        because,
        following,
        due=due,
        **_about(parcel),
    )


def _about(parcel: Parcel) -> dict[str, Any]:
    """What work about a parcel names: all the orders that have units in it, the first of them with its supplier's."""
    return {
        "order_id": parcel.order_id,
        "supplier_order_id": parcel.supplier_order_id,
        "supplier_id": parcel.supplier_id,
        "carrier": parcel.carrier,
        "number": parcel.number,
        "further_order_ids": parcel.order_ids[1:],
    }
