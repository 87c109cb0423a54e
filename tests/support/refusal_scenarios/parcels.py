"""What parcels are refused for."""

from __future__ import annotations

from tests.support.refusal_scenarios.about import Scenarios, as_it_is, beyond, of_parcel
from tests.support.service import stamp
from tests.support.trading import DAY, NOW, Fields, Trade, first_of, parcel_of

_ALL: Fields = {"carrier": "", "tracking_number": ""}


def _of_another_supplier_order(trade: Trade) -> Fields:
    order_id = trade.shipped()
    return {**parcel_of(order_id), "supplier_order_id": f"{order_id}/9"}


def _sent_back(trade: Trade) -> Fields:
    return {"carrier": "dhl", "tracking_number": f"{trade.sent_back()}B"}


def _received(trade: Trade) -> Fields:
    order_id = trade.delivered()
    trade.send("ConfirmReceipt", order_id=order_id)
    return parcel_of(order_id)


PARCELS: Scenarios = {
    "RecordCheckpoints": {"UNKNOWN_PARCEL": as_it_is},
    "ProveDelivery": {"UNKNOWN_PARCEL": as_it_is, "NOT_DELIVERED": of_parcel(Trade.shipped)},
    "DisputeDelivery": {
        "UNKNOWN_PARCEL": as_it_is,
        "NOT_DELIVERED": of_parcel(Trade.shipped),
        "DISPUTED_TOO_EARLY": lambda trade: {**parcel_of(trade.delivered()), "at": stamp(NOW - DAY)},
        "UNITS_IN_RETURN": of_parcel(lambda trade: f"shop/{trade.labelled()}"),
    },
    "ConfirmLoss": {
        "UNKNOWN_PARCEL": as_it_is,
        "ALREADY_DELIVERED": of_parcel(Trade.delivered),
        "PARCEL_RETURNED": of_parcel(Trade.came_back),
    },
    "CorrectTracking": {
        "UNKNOWN_PARCEL": as_it_is,
        "UNKNOWN_SHIPMENT": _of_another_supplier_order,
        "PARCEL_IS_VOID": lambda trade: {**parcel_of(trade.corrected()), "right_tracking_number": "OTHER"},
        "PARCEL_OF_RETURN": _sent_back,
        "NO_SHIPMENT_TO_CORRECT": lambda trade: {"carrier": "dhl", "tracking_number": trade.announced()},
    },
    "HandOverParcel": {
        "UNKNOWN_PARCEL": as_it_is,
        "PARCEL_IS_VOID": lambda trade: {**parcel_of(trade.corrected()), "last_mile_tracking_number": "NEVER"},
    },
    "VoidParcel": {
        "UNKNOWN_PARCEL": as_it_is,
        "UNKNOWN_SHIPMENT": _of_another_supplier_order,
        "UNKNOWN_ORDER": lambda trade: {**_ALL, "supplier_order_id": "shop/nobody/1"},
        "UNKNOWN_SUPPLIER_ORDER": lambda trade: {**_ALL, "supplier_order_id": f"{trade.placed()}/9"},
        "PARCEL_IS_VOID": of_parcel(Trade.corrected),
        "PARCEL_OF_RETURN": _sent_back,
        "NOTHING_SHIPPED": lambda trade: {**_ALL, **first_of(trade.sent())},
        "RECEIPT_IS_CONFIRMED": _received,
        "UNITS_IN_CASE": of_parcel(lambda trade: f"shop/{trade.opened()}"),
    },
    "GetParcel": {"UNKNOWN_PARCEL": as_it_is, "BEYOND_THE_LOG": beyond},
}
