"""Requests into commands: for each request message, what it asks of the ledger.

One function a request, a file a noun. It checks shapes, names the streams it is known to touch, and
returns a decision: a call of a pure function with the folded streams to come. Personal data is sealed
here and goes no further in plain.
"""

from adapters.rpc.asks import (
    cases,
    inquiries,
    messages,
    orders,
    parcels,
    policies,
    recoveries,
    stock,
    supplier_orders,
    suppliers,
    work,
)
from adapters.rpc.asks.ask import AHEAD, LOOKS, READERS, Ask, Before, Edge

__all__ = [
    "AHEAD",
    "LOOKS",
    "READERS",
    "Ask",
    "Before",
    "Edge",
    "cases",
    "inquiries",
    "messages",
    "orders",
    "parcels",
    "policies",
    "recoveries",
    "stock",
    "supplier_orders",
    "suppliers",
    "work",
]
