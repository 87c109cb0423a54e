"""Who takes part in the trade."""

from __future__ import annotations

from enum import StrEnum


class Party(StrEnum):
    """Who asks, who is obliged, who is to pay or to blame."""

    CUSTOMER = "customer"
    RETAILER = "retailer"
    SUPPLIER = "supplier"
    CARRIER = "carrier"
