"""Whether a SKU can be sold at all: delisted when no qualified supplier can promise a unit, relisted when one can.

Many things change that: a feed, an order, a suspension, an offer that is withdrawn or ends. So a read model finds the
SKUs whose listing is no longer right, and the decision looks at the present again (DOMAIN 3).
"""

from __future__ import annotations

from datetime import datetime

from ledger.facts import Change, changes_of
from ledger.nouns import skus, stock, suppliers
from ledger.nouns.suppliers import Standing
from ledger.view import View


def reconsider(view: View, supplier_id: str, sku: str, now: datetime) -> list[Change]:
    """Delist or relist a SKU; supplier_id is the one whose stock shows it. Without a crossing it records nothing."""
    view.need(skus.stream(sku))
    found = skus.find(view, sku)
    sellers = dict.fromkeys((supplier_id, *(found.suppliers if found else ())))
    if found is not None and found.listing is not None and found.listing.delisted:
        sellers = {supplier_id: None}
    view.need(*map(suppliers.stream, sellers), *(stock.stream(each, sku) for each in sellers))
    against = {each: _against(view, each, sku, now) for each in sellers}
    if all(against.values()):
        return changes_of(skus.stream(sku), skus.delist(found, sku, against, now))
    own = stock.find(view, supplier_id, sku)
    available = own.available if own is not None and not against[supplier_id] else 0
    return changes_of(skus.stream(sku), skus.relist(found, sku, supplier_id, available, now)) if available else []


def _against(view: View, supplier_id: str, sku: str, now: datetime) -> str:
    """Why a supplier can promise no unit; empty if it can. One that never offered the SKU may be named by a shop."""
    supplier, own = suppliers.find(view, supplier_id), stock.find(view, supplier_id, sku)
    if supplier is None or supplier.standing is not Standing.APPROVED:
        return str(supplier.standing) if supplier is not None else "unknown"
    if own is None or not own.tracked:
        return "untracked"
    if (offered := supplier.offers.get(sku)) is not None and supplier.offer_at(sku, now) is None:
        return "not_offered_now" if offered else "withdrawn"
    if own.available > 0:
        return ""
    return "stale" if own.available + own.stale_buffer > 0 else "sold_out"
