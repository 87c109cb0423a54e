"""What Shopify tells beside orders: returns, holds, what it asks about people, and that the app is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from adapters.edges import reading
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood, WantedCommand
from adapters.shops.known import known_lines
from adapters.shops.shopify.parcels import HOLDER
from adapters.shops.shopify.payloads import HANDLE, FulfilmentOrder, Redaction, ShopifyReturn, at
from fulfilment.v1 import admin_pb2, cases_pb2, common_pb2, edges_pb2, orders_pb2

_TIME_FOR_PEOPLE = timedelta(days=30)
"""Within which Shopify wants to hear of a person's data that it is handed out, or erased."""
_UNINSTALLED = "the app was uninstalled in the shop"
_REASONS: Mapping[str, cases_pb2.CaseReason.ValueType] = {
    "defective": cases_pb2.CASE_REASON_QUALITY,
    "not_as_described": cases_pb2.CASE_REASON_NOT_AS_DESCRIBED,
    "wrong_item": cases_pb2.CASE_REASON_WRONG_ITEM,
}
"""All other reasons say that the customer does not want it: its size, its colour, or none."""
_HOLDS: Mapping[str, orders_pb2.HoldReason.ValueType] = {
    "awaiting_payment": orders_pb2.HOLD_REASON_AWAITING_PAYMENT,
    "high_risk_of_fraud": orders_pb2.HOLD_REASON_FRAUD_REVIEW,
    "incorrect_address": orders_pb2.HOLD_REASON_BAD_ADDRESS,
}
_ASKED = {"requested", "open"}
_TAKEN_BACK = frozenset({"canceled", "cancelled", "declined"})


def of_return(told: ShopifyReturn, channel: str, known: KnownNow) -> Understood:
    """A case for each reason that the customer gives."""
    if told.of is None:
        raise NotUnderstood("order: is missing")
    there = known.order(f"{channel}/{told.of}")
    if there is None:
        return Understood(early="the order that is sent back is not known yet")
    if told.status in _TAKEN_BACK:
        return _taken_back(told, there)
    if told.status not in _ASKED or not told.return_line_items:
        return Understood(ignored="what becomes of a case is decided in the ledger")
    numbers = {line.line_id: line for line in known_lines(there)}
    by_reason: dict[str, Counter[int]] = {}
    notes: dict[str, list[str]] = {}
    for each in told.return_line_items:
        line_id = each.fulfillment_line_item.line_item.id if each.fulfillment_line_item is not None else 0
        line = numbers.get(str(line_id))
        if line is None:
            raise NotUnderstood("return_line_items: one is of a line that the ledger does not know")
        reason = cases_pb2.CaseReason.Name(_REASONS.get(each.return_reason or "", cases_pb2.CASE_REASON_CHANGED_MIND))
        for line_no, per in line.parts:
            by_reason.setdefault(reason, Counter())[line_no] += each.quantity * per
        notes.setdefault(reason, []).extend(reading.lines(each.customer_note))
    return Understood(
        tuple(_case(told, there, reason, lines, " / ".join(notes[reason])) for reason, lines in by_reason.items())
    )


def _case(told: ShopifyReturn, there: orders_pb2.Order, reason: str, lines: Counter[int], note: str) -> WantedCommand:
    request = cases_pb2.OpenCaseRequest(
        case_id=f"{_cases_of(told)}{reason.removeprefix('CASE_REASON_').lower()}",
        order_id=there.order_id,
        reason=cases_pb2.CaseReason.Value(reason),
        lines=[common_pb2.LineUnits(line_no=no, units=count) for no, count in sorted(lines.items())],
        note=note[:2000],
    )
    return WantedCommand(request, f"{told.of}/return/{told.id}", reason)


def _cases_of(told: ShopifyReturn) -> str:
    return f"return-{told.id}-"


def _taken_back(told: ShopifyReturn, there: orders_pb2.Order) -> Understood:
    cases = [each for each in there.open_cases if each.startswith(_cases_of(told))]
    if not cases:
        return Understood(ignored="there is no open case of it")
    by = common_pb2.PARTY_RETAILER if told.status == "declined" else common_pb2.PARTY_CUSTOMER
    requests = [cases_pb2.CancelCaseRequest(case_id=each, by=by, reason="shop_return_ended") for each in cases]
    return Understood(tuple(WantedCommand(each, f"{told.of}/return/{told.id}/end", each.case_id) for each in requests))


def of_fulfilment_order(told: FulfilmentOrder, channel: str, known: KnownNow) -> Understood:
    """A hold that somebody put in the shop, or took away; and a wish to cancel, which a person answers."""
    if told.order_id is None:
        return Understood(ignored="it does not say of which order; the shop is asked for it")
    there = known.order(f"{channel}/{told.order_id}")
    if there is None:
        return Understood(ignored="the ledger has no such order")
    owner, changed = f"{HOLDER}-{told.id}", at(told.updated_at, "updated_at")
    standing = [each for each in there.holds if each.owner == owner]
    if told.status == "on_hold" and not told.is_held_here:
        if standing:
            return Understood(ignored="it is on hold here as well")
        return Understood((_held(told, there, owner, changed),))
    wanted = tuple(_released(told, there, each, changed) for each in standing)
    if told.request_status == "cancellation_requested":
        look = "the shop asks not to send what it had asked to be sent: cancel the order here, or reject it in the shop"
        return Understood(wanted, look=look)
    return Understood(wanted) if wanted else Understood(ignored="it says nothing that the ledger keeps")


def _held(told: FulfilmentOrder, there: orders_pb2.Order, owner: str, changed: datetime | None) -> WantedCommand:
    holds = [each for each in told.fulfillment_holds if each.handle != HANDLE]
    reason = reading.first(*(each.reason for each in holds))
    request = orders_pb2.PlaceHoldRequest(
        order_id=there.order_id,
        reason=_HOLDS.get(reason, orders_pb2.HOLD_REASON_OTHER),
        owner=owner,
        note=" / ".join(reading.lines(*(each.reason_notes for each in holds)))[:2000],
    )
    if changed is not None:
        request.at.CopyFrom(reading.stamp(changed))
    return _about(request, told, "hold", "ORDER_CLOSED", "NOTHING_TO_SHIP")


def _released(
    told: FulfilmentOrder, there: orders_pb2.Order, hold: orders_pb2.Hold, changed: datetime | None
) -> WantedCommand:
    request = orders_pb2.ReleaseHoldRequest(order_id=there.order_id, reason=hold.reason, owner=hold.owner)
    if changed is not None:
        request.at.CopyFrom(reading.stamp(changed))
    return _about(request, told, "release", "UNKNOWN_HOLD")


def _about(
    request: orders_pb2.PlaceHoldRequest | orders_pb2.ReleaseHoldRequest, told: FulfilmentOrder, what: str, *fine: str
) -> WantedCommand:
    thing = f"{told.order_id}/fulfilment-order/{told.id}/{what}"
    return WantedCommand(request, thing, told.updated_at or "1", frozenset(fine))


# --- people, and the end ----------------------------------------------------------------------------


def of_redaction(told: Redaction, channel: str) -> Understood:
    """The person is erased wherever its address, its number or these orders lead."""
    customer = told.customer
    asks = [admin_pb2.ErasePersonRequest(order_id=f"{channel}/{each}") for each in told.orders_to_redact]
    if customer is not None and (email := reading.first(customer.email)):
        asks.append(admin_pb2.ErasePersonRequest(email=email))
    if customer is not None and (phone := reading.first(customer.phone)):
        asks.append(admin_pb2.ErasePersonRequest(phone=phone))
    if not asks:
        return Understood(ignored="it names neither orders nor an address nor a number")
    fine = frozenset({"UNKNOWN_ORDER"})
    return Understood(tuple(WantedCommand(each, "redact", str(place), fine) for place, each in enumerate(asks)))


def of_data_request(asked_at: datetime | None) -> Understood:
    look = "a person wants all that is kept of it: inbox show --personal says who, person export writes it"
    return Understood(look=look, due=_due(asked_at))


def of_shop_redaction(asked_at: datetime | None) -> Understood:
    """It comes 48 hours after the app was uninstalled."""
    return Understood(forgets=True, due=_due(asked_at))


def _due(asked_at: datetime | None) -> datetime | None:
    return asked_at + _TIME_FOR_PEOPLE if asked_at is not None else None


def of_uninstalled(connection: str, version: str) -> Understood:
    """Nothing can be asked or told any more; what still comes waits until somebody has looked."""
    pause = WantedCommand(
        edges_pb2.PauseConnectionRequest(name=connection, because=_UNINSTALLED), "uninstalled", version
    )
    return Understood((pause,), look=f"{_UNINSTALLED}: install it and resume, or remove the connection")
