"""SKUs that differ from a known one by upper and lower case alone: other SKUs, and odd (DOMAIN 3)."""

from __future__ import annotations

from collections.abc import Container, Iterable
from datetime import datetime

from ledger.facts import Change, LineNo, changes_of
from ledger.nouns import skus, suppliers
from ledger.nouns.orders import Line
from ledger.view import View


def spell(view: View, sku: str, at: datetime, *, listed: bool = False) -> list[Change]:
    """The SKU is known from now on; if others are spelled almost like it, the fact names them."""
    home = skus.stream(skus.folded(sku))
    return changes_of(home, skus.spell(view.state(home), sku, at, listed=listed))


def oddities(view: View, lines: Iterable[Line], untracked: Container[LineNo]) -> tuple[str, ...]:
    """What is odd about the SKUs of lines that nobody is known to have."""
    unknown = {
        line.sku: None
        for line in lines
        if (line.line_no in untracked or not line.supplier_id) and line.sku and not _is_offered(view, line)
    }
    if not unknown:
        return ()
    view.need(*(skus.stream(skus.folded(sku)) for sku in unknown))
    return tuple(odd for sku in unknown for odd in skus.oddities(skus.find(view, skus.folded(sku)), sku))


def _is_offered(view: View, line: Line) -> bool:
    if line.supplier_id:
        supplier = suppliers.find(view, line.supplier_id)
        return supplier is not None and line.sku in supplier.offers
    found = skus.find(view, line.sku)
    return found is not None and bool(found.suppliers)
