"""Fulfilments that others made in the shop: by hand in its admin, or by a supplier's own app.

What has left is recorded at the supplier that was to send it. What the ledger cannot place is held, so that nothing is
sent twice, and shown to a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from adapters.edges import reading
from adapters.edges.meaning import KnownNow, WantedCommand
from adapters.shops.known import KnownLine, known_lines
from adapters.shops.shopify.payloads import ShopifyOrder, ShopifyParcel, at
from adapters.shops.shopify.selling import LEFT
from fulfilment.v1 import common_pb2, orders_pb2, parcels_pb2, supplier_orders_pb2
from ledger.terms.carriers import carrier_name

HOLDER = "shopify"
"""Whose holds these are: a person's, who looks at the shop."""
_NOT_NAMED = "other"
"""The carrier of a number that was told without one."""
_GIVEN_UP = frozenset(
    {supplier_orders_pb2.SUPPLIER_ORDER_STATUS_CANCELLED, supplier_orders_pb2.SUPPLIER_ORDER_STATUS_REJECTED}
)


class SentByOthers(msgspec.Struct):
    """What is to be recorded of it, and what a person has to look at."""

    wanted: list[WantedCommand] = []
    problems: list[str] = []


def units_sent(order: ShopifyOrder) -> Counter[int]:
    """By line, as the shop says."""
    sent = Counter[int]()
    for parcel in order.fulfillments:
        if parcel.status in LEFT:
            sent.update(_units(parcel))
    return sent


def _units(parcel: ShopifyParcel) -> Counter[int]:
    found = Counter[int]()
    for line in parcel.line_items:
        found[line.id] += max(0, line.quantity)
    return found


def of_parcels(
    order: ShopifyOrder, before: ShopifyOrder | None, there: orders_pb2.Order, known: KnownNow
) -> SentByOthers:
    """Of all that the shop says was sent, what the ledger does not know."""
    found, told = SentByOthers(), {each.id: each for each in before.fulfillments} if before is not None else {}
    space = ToSend(there)
    for parcel in order.fulfillments:
        one = of_parcel(parcel, told.get(parcel.id), there, known, space)
        found.wanted += one.wanted
        found.problems += one.problems
    return found


def of_parcel(
    parcel: ShopifyParcel,
    before: ShopifyParcel | None,
    there: orders_pb2.Order,
    known: KnownNow,
    space: ToSend | None = None,
) -> SentByOthers:
    """One fulfilment, by what was told of it before; of those that the ledger told of, what others changed."""
    found, name, numbers = SentByOthers(), f"fulfilment {parcel.id}", _known_numbers(there)
    if before is not None and (_says(before) == _says(parcel) or _is_older(parcel, before)):
        return found
    fresh = [number for number in parcel.numbers if number.upper() not in numbers]
    if parcel.status == "cancelled":
        if len(fresh) < len(parcel.numbers) and (before is None or before.status != "cancelled"):
            found.problems.append(f"{name} was cancelled in the shop; if its parcel has not left, void it here")
        return found
    if parcel.status not in LEFT or (parcel.numbers and not fresh) or not _units(parcel):
        return found
    carrier = carrier_name(reading.first(parcel.tracking_company, _NOT_NAMED))
    old = [each for each in before.numbers if each.upper() in numbers] if before is not None else []
    if fresh and old and before is not None and not set(old) & set(parcel.numbers):
        found.wanted.append(_corrected(parcel, numbers[old[0].upper()], old[0], carrier, fresh[0]))
        return found
    if _is_late(parcel, carrier, fresh, there, known):
        return found
    space = space or ToSend(there)
    taken, lacking = space.take(_units(parcel))
    if fresh and taken:
        found.wanted += _shipped(parcel, carrier, fresh[0], taken)
    if (lacking or (not fresh and taken)) and not _is_held(there):
        found.wanted.append(_held(parcel, there))
        what = "without a tracking number" if not fresh else f"with {lacking} units that no supplier is to send"
        found.problems.append(f"{name} was made in the shop by others, {what}: look what has left")
    return found


def _is_late(parcel: ShopifyParcel, carrier: str, fresh: list[str], there: orders_pb2.Order, known: KnownNow) -> bool:
    """Whether the shop is behind: it was told of the parcel, which has another number here by now, or did not leave."""
    if f"gid://shopify/Fulfillment/{parcel.id}" in known.told(there.order_id):
        return True
    there_once = known.parcel(carrier, fresh[0]) if fresh else None
    return there_once is not None and there_once.status == parcels_pb2.PARCEL_STATUS_VOID


def _is_older(parcel: ShopifyParcel, before: ShopifyParcel) -> bool:
    changed, last = (at(each.updated_at, "fulfillments.updated_at") for each in (parcel, before))
    return changed is not None and last is not None and changed < last


def _says(parcel: ShopifyParcel) -> tuple[object, ...]:
    return parcel.status, parcel.numbers, _units(parcel)


def _known_numbers(there: orders_pb2.Order) -> dict[str, str]:
    """The carrier of each number of the order, those of the last mile too."""
    found = {each.tracking_number.upper(): each.carrier for each in there.shipments}
    for shipment in there.shipments:
        found |= {each.tracking_number.upper(): shipment.carrier for each in shipment.last_miles}
    return found


def _is_held(there: orders_pb2.Order) -> bool:
    """Whether somebody looks at it already."""
    return any((each.reason, each.owner) == (orders_pb2.HOLD_REASON_OTHER, HOLDER) for each in there.holds)


class ToSend:
    """Units of an order that its suppliers have yet to send, by the shop's lines."""

    def __init__(self, there: orders_pb2.Order) -> None:
        self._lines = {line.line_id: line for line in known_lines(there)}
        self._left: dict[str, Counter[int]] = {}
        for each in there.supplier_orders:
            if each.status not in _GIVEN_UP:
                open_units = {
                    share.line_no: share.pending + share.accepted + share.backordered for share in each.shares
                }
                self._left[each.supplier_order_id] = Counter(open_units)

    def take(self, wanted: Counter[int]) -> tuple[dict[str, Counter[int]], int]:
        """So many units of the shop's lines, by supplier order; and how many nobody is to send."""
        taken: dict[str, Counter[int]] = {}
        lacking = 0
        for line_id, count in wanted.items():
            line = self._lines.get(str(line_id))
            lacking += self._take_line(line, count, taken) if line is not None else 0
        return taken, lacking

    def _take_line(self, line: KnownLine, count: int, taken: dict[str, Counter[int]]) -> int:
        lacks = 0
        for line_no, per in line.parts:
            missing = count * per
            for supplier_order_id, left in self._left.items():
                units = min(missing, left[line_no])
                if units > 0:
                    left[line_no] -= units
                    missing -= units
                    taken.setdefault(supplier_order_id, Counter())[line_no] += units
            lacks = max(lacks, -(-missing // per))
        return lacks


def _shipped(
    parcel: ShopifyParcel, carrier: str, number: str, taken: dict[str, Counter[int]]
) -> Iterator[WantedCommand]:
    left_at = at(parcel.created_at, "fulfillments.created_at")
    for supplier_order_id, counted in taken.items():
        lines = [common_pb2.LineUnits(line_no=no, units=count) for no, count in sorted(counted.items())]
        request = supplier_orders_pb2.ShipSupplierOrderRequest(
            supplier_order_id=supplier_order_id, carrier=carrier, tracking_number=number, lines=lines
        )
        if left_at is not None:
            request.at.CopyFrom(reading.stamp(left_at))
        thing = f"{parcel.order_id}/fulfilment/{parcel.id}/{supplier_order_id.rpartition('/')[2]}"
        yield WantedCommand(request, thing, number)


def _corrected(parcel: ShopifyParcel, carrier: str, number: str, right: str, right_number: str) -> WantedCommand:
    request = parcels_pb2.CorrectTrackingRequest(
        carrier=carrier,
        tracking_number=number,
        right_carrier=right if right != _NOT_NAMED else carrier,
        right_tracking_number=right_number,
        reason="shop_edit",
    )
    if (found_at := at(parcel.updated_at, "fulfillments.updated_at")) is not None:
        request.at.CopyFrom(reading.stamp(found_at))
    return WantedCommand(request, f"{parcel.order_id}/fulfilment/{parcel.id}/number", right_number)


def _held(parcel: ShopifyParcel, there: orders_pb2.Order) -> WantedCommand:
    """Nothing of the order goes out before somebody has looked."""
    request = orders_pb2.PlaceHoldRequest(
        order_id=there.order_id,
        reason=orders_pb2.HOLD_REASON_OTHER,
        owner=HOLDER,
        note="Fulfilled in the shop by others. Record what has left or cancel it, then release the hold.",
    )
    fine = frozenset({"ORDER_CLOSED", "NOTHING_TO_SHIP"})
    return WantedCommand(request, f"{parcel.order_id}/fulfilment/{parcel.id}/hold", parcel.updated_at or "1", fine)
