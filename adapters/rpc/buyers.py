"""Whom an invoice for a customer is made out to: sealed as the customer is, and erased with the person."""

from __future__ import annotations

from adapters.rpc import shapes
from adapters.rpc.commands import Edge
from adapters.rpc.faults import require
from adapters.rpc.sealing import sealed_with
from fulfilment.v1 import customer_invoices_pb2 as pb
from ledger.engine.sealing import PersonKey, placed
from ledger.nouns.orders import InvoiceWish, anchor

_MOST_LINES = 20


def invoice_wish(
    wish: pb.InvoiceWish, field: str, order_id: str, edge: Edge
) -> tuple[InvoiceWish, tuple[PersonKey, ...]]:
    """The wish with its buyer sealed, and the key of that."""
    buyer = wish.buyer
    require(len(buyer.address) <= _MOST_LINES, f"{field}.buyer.address", f"more than {_MOST_LINES} lines")
    address = [shapes.taken(line, f"{field}.buyer.address[{index}]") for index, line in enumerate(buyer.address)]
    personal = {
        "name": shapes.taken(buyer.name, f"{field}.buyer.name"),
        "tax_id": shapes.text(buyer.tax_id.strip(), f"{field}.buyer.tax_id", 100),
        "address": [line for line in address if line],
    }
    personal = {name: value for name, value in personal.items() if value}
    sealed, keys = sealed_with(edge.sealer, personal, anchor(order_id), placed(order_id, "buyer"))
    digest = edge.sealer.digest(buyer.SerializeToString(deterministic=True)) if personal else ""
    rate = shapes.count(wish.included_tax_basis_points, f"{field}.included_tax_basis_points", most=10_000)
    return InvoiceWish(sealed, digest, rate), keys
