"""Where is each order, supplier order and parcel, when is it expected, what does it wait for, how is it found?"""

from projections.tracking.finding import OrderFilter, find_numbered, list_orders, list_with_sent_again
from projections.tracking.lists import find_parcels, get_order, list_holds, silent_parcels
from projections.tracking.projection import TRACKING
from projections.tracking.rows import (
    LastScan,
    OrderHold,
    TrackedHold,
    TrackedLine,
    TrackedOrder,
    TrackedParcel,
    TrackedSupplierOrder,
)

__all__ = [
    "TRACKING",
    "LastScan",
    "OrderFilter",
    "OrderHold",
    "TrackedHold",
    "TrackedLine",
    "TrackedOrder",
    "TrackedParcel",
    "TrackedSupplierOrder",
    "find_numbered",
    "find_parcels",
    "get_order",
    "list_holds",
    "list_orders",
    "list_with_sent_again",
    "silent_parcels",
]
