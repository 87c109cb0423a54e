"""What templates may print of an instruction to a supplier, and of an invoice of a supplier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adapters.messages.known import Known
from adapters.messages.wording import Row
from adapters.messages.words import carrier_name, humane
from ledger.nouns.orders.supplier_orders import ShipTo
from ledger.nouns.supplier_invoices import SupplierInvoice
from ledger.terms.shipping import Chosen


def instruction_values(known: Known) -> dict[str, str | int]:
    order, supplier_order = known.order, known.supplier_order
    if order is None or supplier_order is None:
        return {"ship_to": "", "packing": "", "service": "", "note": "", "gift": 0, "express": 0}
    packing = (humane(word, known.asked.language) for word in supplier_order.packing)
    return {
        "ship_to": _ship_to(order.ship_to_of(known.asked.about.supplier_order_id), known.person),
        "packing": ("、" if known.asked.language == "zh" else ", ").join(packing),
        "service": _service(supplier_order.shipping),
        "note": known.person.get("note", ""),
        "gift": int(order.placed.gift),
        "express": int(order.placed.priority == "express"),
    }


def _ship_to(ship_to: ShipTo, person: Mapping[str, Any]) -> str:
    where = ship_to.destination
    town = " ".join(part for part in (person.get("postal_code"), person.get("city")) if part)
    parts = [person.get("name"), *person.get("lines", ()), town, where.region, where.country, person.get("phone")]
    return "\n".join(str(part) for part in parts if part)


def _service(chosen: Chosen | None) -> str:
    """Such as ``international line (Yanwen, Yunexpress)``."""
    if chosen is None or not chosen.code:
        return ""
    return f"{chosen.code.replace('_', ' ')} ({', '.join(map(carrier_name, chosen.carriers))})"


def invoice_values(known: Known) -> dict[str, str | list[Row]]:
    return {
        "invoice": known.asked.about.invoice_number,
        "objection": known.objection,
        "differences": list(_differences(known.invoice)) if known.invoice else [],
    }


def _differences(invoice: SupplierInvoice) -> Iterable[Row]:
    """In what an invoice differs."""
    lines = invoice.recorded.lines
    for each, line in [(each, lines[match.index]) for match in invoice.matches for each in match.differences]:
        expected = "" if each.expected_minor is None else str(invoice.money(each.expected_minor))
        yield {
            "kind": "no_price" if each.kind == "price" and not expected else each.kind,
            "what": " ".join(part for part in (line.supplier_order_id, line.sku) if part),
            "units": str(each.units),
            "shipped": str(each.shipped),
            "expected": expected,
            "amount": str(invoice.money(each.amount_minor)),
            "invoices": ", ".join(each.invoices),
        }
    if invoice.charges_over_minor:
        empty = dict.fromkeys(("what", "units", "shipped", "expected", "invoices"), "")
        yield {"kind": "charge", "amount": str(invoice.money(invoice.charges_over_minor)), **empty}
