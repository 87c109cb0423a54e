"""Commercial invoices into messages, with the people on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.rpc.orders.shows import incoterm
from adapters.rpc.shows import money, stamp
from fulfilment.v1 import shipping_pb2 as pb
from ledger.decisions.invoice import CommercialLine, Invoice
from ledger.nouns.policies import Seller
from ledger.terms.money import in_64_bits

Personal = Mapping[str, Any] | None


def message(invoice: Invoice, buyer: Personal, return_address: Personal) -> pb.CommercialInvoice:
    """The invoice; buyer and return_address are what was unsealed, None where a person was erased."""
    supplier, order = invoice.supplier, invoice.order
    country = supplier.country_of(order.supplier_order(invoice.supplier_order_id).warehouse)
    return pb.CommercialInvoice(
        number=invoice.number,
        issued_at=stamp(invoice.issued_at),
        order_id=order.order_id,
        supplier_order_id=invoice.supplier_order_id,
        seller=_seller(invoice.seller) if invoice.seller is not None else None,
        shipper=pb.InvoiceParty(name=supplier.master.name, address=_address_lines(return_address), country=country),
        buyer=_buyer(invoice, buyer or {}),
        incoterm=incoterm(invoice.incoterm),
        lines=[_line(line) for line in invoice.lines],
        units=invoice.units,
        weight_grams=invoice.weight_grams,
        total=money(invoice.total),
        parcels=dict.fromkeys(f"{each.carrier} {each.number}" for each in invoice.shipments),
    )


def _seller(seller: Seller) -> pb.InvoiceParty:
    return pb.InvoiceParty(name=seller.name, address=seller.address, country=seller.country, tax_id=seller.tax_id)


def _address_lines(return_address: Personal) -> list[str]:
    """The supplier's return address as it was written: it sends from there as well."""
    written = str(return_address["address"]) if return_address else ""
    return [line.strip() for line in written.splitlines() if line.strip()]


def _buyer(invoice: Invoice, personal: Mapping[str, Any]) -> pb.InvoiceParty:
    place = invoice.ship_to.destination
    town = " ".join(filter(None, [personal.get("postal_code", ""), personal.get("city", "")]))
    return pb.InvoiceParty(
        name=personal.get("name", ""),
        address=[*personal.get("lines", ()), *filter(None, [town, place.region])],
        country=place.country,
        contact=[value for name in ("phone", "email") if (value := personal.get(name, ""))],
    )


def _line(line: CommercialLine) -> pb.InvoiceLine:
    return pb.InvoiceLine(
        line_no=line.line.line_no,
        sku=line.line.sku,
        title=line.line.title,
        hs_code=line.line.hs_code,
        origin=line.line.origin,
        units=line.units,
        unit_value_minor=line.line.customs_value_minor,
        value_minor=in_64_bits(line.value_minor),
        weight_grams=line.weight_grams,
    )
