"""What parcels are refused for."""

from __future__ import annotations

from tests.support.refusal_scenarios.about import Scenarios, as_it_is, beyond, of_parcel
from tests.support.service import stamp
from tests.support.trading import DAY, NOW, Trade, parcel_of

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
    "GetParcel": {"UNKNOWN_PARCEL": as_it_is, "BEYOND_THE_LOG": beyond},
}
