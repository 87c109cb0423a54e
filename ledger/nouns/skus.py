"""SKUs: who offers what the retailer sells (DOMAIN 2).

The conditions are in the supplier's stream; a retired supplier stays listed and does not qualify.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ledger.facts import Fact, Value
from ledger.view import View, noun


def stream(sku: str) -> str:
    """Who offers the SKU."""
    return f"sku-{sku}"


def find(view: View, sku: str) -> Sku | None:
    found: Sku | None = view.state(stream(sku))
    return found


# --- facts ----------------------------------------------------------------------------------------


class SupplierListed(Fact, frozen=True, tag="sku.supplier_listed"):
    """A supplier offered the SKU for the first time."""

    sku: str
    supplier_id: str
    at: datetime


SkuFact = SupplierListed

# --- state ----------------------------------------------------------------------------------------


class Sku(Value, frozen=True):
    """A SKU, folded from its facts."""

    suppliers: tuple[str, ...] = ()
    """Who offers it, the first listed first."""


def evolve(sku: Sku | None, fact: SkuFact) -> Sku:
    return Sku((*(sku.suppliers if sku else ()), fact.supplier_id))


NOUN = noun("sku", SkuFact, evolve)


# --- decisions ------------------------------------------------------------------------------------


def list_supplier(present: Sku | None, sku: str, supplier_id: str, at: datetime) -> Sequence[SkuFact]:
    """The supplier offers the SKU. One that is listed is not listed again."""
    if present is not None and supplier_id in present.suppliers:
        return []
    return [SupplierListed(sku, supplier_id, at)]
