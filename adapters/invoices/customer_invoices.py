"""Invoices for customers into messages, with the people on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adapters.rpc.shows import day, money, number_of, stamp
from fulfilment.v1 import customer_invoices_pb2 as pb
from fulfilment.v1 import order_money_pb2, shipping_pb2
from ledger.engine.sealing import placed
from ledger.facts import Sealed, SealedText, in_plain
from ledger.nouns import orders
from ledger.nouns.orders import CustomerInvoice, InvoiceCredited, InvoiceIssued
from ledger.terms.money import Money, in_64_bits

_charge_kind = number_of(order_money_pb2.ChargeKind)

Unsealed = Mapping[str, Mapping[str, Any]]
"""What was unsealed, by the id of its key; what was erased is not in it."""


def sealed_on(invoice: CustomerInvoice) -> Iterable[tuple[Sealed | None, str]]:
    """What is sealed of an invoice's buyer and of its credit note, and what each is bound to."""
    yield from _buyers(invoice.issued)
    if invoice.credited is not None and isinstance(invoice.credited.because, SealedText):
        yield invoice.credited.because, orders.stream(invoice.issued.order_id)


def _buyers(issued: InvoiceIssued) -> Iterable[tuple[Sealed | None, str]]:
    """Whom the customer named for it, and the customer."""
    ship_to = issued.ship_to
    return (
        (issued.wish.buyer, placed(issued.order_id, "buyer")),
        (ship_to.customer, placed(ship_to.sealed_for, "customer")),
    )


def message(invoice: CustomerInvoice, unsealed: Unsealed) -> pb.CustomerInvoice:
    issued, credited, seller = invoice.issued, invoice.credited, invoice.issued.seller
    return pb.CustomerInvoice(
        number=issued.number,
        order_id=issued.order_id,
        dated=day(issued.dated),
        left_at=stamp(issued.left_at),
        total=money(Money(issued.total_minor, issued.currency)),
        seller=shipping_pb2.InvoiceParty(
            name=seller.name, address=seller.address, country=seller.country, tax_id=seller.tax_id
        ),
        buyer=_buyer(issued, unsealed),
        lines=[
            pb.CustomerInvoiceLine(**{name: getattr(line, name) for name in line.__struct_fields__})
            for line in issued.lines
        ],
        charges=[
            order_money_pb2.Charge(
                charge_id=each.charge_id,
                kind=_charge_kind(each.kind),
                amount_minor=each.amount_minor,
                title=each.title,
            )
            for each in issued.charges
        ],
        included_tax_basis_points=issued.wish.included_tax_basis_points,
        included_tax_minor=in_64_bits(issued.included_tax_minor),
        parcel=" ".join(issued.parcel[:2]) if issued.parcel else "",
        credit_note=_credit_note(credited, unsealed) if credited else None,
    )


def _credit_note(credited: InvoiceCredited, unsealed: Unsealed) -> pb.CreditNote:
    because = credited.because
    reason = in_plain(because) or unsealed.get(getattr(because, "key_id", ""), {}).get("text", "")
    return pb.CreditNote(number=credited.number, dated=day(credited.dated), reason=reason, by=credited.by)


def _buyer(issued: InvoiceIssued, unsealed: Unsealed) -> shipping_pb2.InvoiceParty:
    """Whom the customer named for it, and of the customer what that leaves out."""
    named, customer = (unsealed.get(each.key_id, {}) if each else {} for each, _ in _buyers(issued))
    place = issued.ship_to.destination
    if named.get("address"):
        return shipping_pb2.InvoiceParty(
            name=named.get("name") or customer.get("name", ""), address=named["address"], tax_id=named.get("tax_id", "")
        )
    town = " ".join(filter(None, [customer.get("postal_code", ""), customer.get("city", "")]))
    return shipping_pb2.InvoiceParty(
        name=named.get("name") or customer.get("name", ""),
        address=[*customer.get("lines", ()), *filter(None, [town, place.region])],
        country=place.country,
        tax_id=named.get("tax_id", ""),
    )
