"""What a message is written from: the ledger at this moment, and what was unsealed for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from adapters.messages.words import in_words
from ledger.nouns import cases, orders, parcels, supplier_invoices, suppliers
from ledger.nouns.cases import Case
from ledger.nouns.messages import Audience, MessageAsked
from ledger.nouns.orders import Order
from ledger.nouns.orders.supplier_orders import SupplierOrder
from ledger.nouns.parcels import Parcel
from ledger.nouns.policies import Policy
from ledger.nouns.supplier_invoices import SupplierInvoice
from ledger.terms.brands import Brand
from ledger.terms.time_zones import zone_of
from ledger.view import View


class Known(NamedTuple):
    """All that a message is written from: the ledger as it is now, and what was unsealed for it."""

    asked: MessageAsked
    view: View
    policy: Policy
    """As it was when the message was asked for."""
    brand: Brand
    person: Mapping[str, Any]
    """The customer: name, lines, city, postal_code, phone, note."""
    question: str = ""
    objection: str = ""
    town: str = ""
    """Of the last scan."""
    return_address: str = ""
    tracking_page: str = ""
    """Where the customer sees its order; empty if there is none."""

    @property
    def order(self) -> Order | None:
        return orders.find(self.view, self.asked.about.order_id) if self.asked.about.order_id else None

    @property
    def supplier_order(self) -> SupplierOrder | None:
        order = self.order
        return order.supplier_orders.get(self.asked.about.supplier_order_id) if order is not None else None

    @property
    def case(self) -> Case | None:
        return cases.find(self.view, self.asked.about.case_id) if self.asked.about.case_id else None

    @property
    def parcel(self) -> Parcel | None:
        about = self.asked.about
        return parcels.find(self.view, about.carrier, about.number) if about.number else None

    @property
    def invoice(self) -> SupplierInvoice | None:
        """A supplier's."""
        about = self.asked.about
        number = about.invoice_number
        return supplier_invoices.find(self.view, about.supplier_id, number) if number else None

    @property
    def supplier(self) -> suppliers.Supplier | None:
        about = self.asked.about
        return suppliers.find(self.view, about.supplier_id) if about.supplier_id else None

    @property
    def zone(self) -> str:
        """The reader's: a customer reads times where the order goes, a supplier and staff by their calendars."""
        match self.asked.audience:
            case Audience.CUSTOMER:
                return zone_of(self.order.destination) if self.order is not None else ""
            case Audience.SUPPLIER:
                return _suppliers_zone(self)
            case Audience.STAFF:
                return self.policy.working.calendar.time_zone if self.policy.working is not None else ""

    def day(self, at: date | None) -> str:
        return in_words(at, self.asked.language, with_time=False, zone=self.zone) if at is not None else ""

    def time(self, at: date | None) -> str:
        """With the time of day; customers read days."""
        with_time = self.asked.audience is not Audience.CUSTOMER
        return in_words(at, self.asked.language, with_time=with_time, zone=self.zone) if at is not None else ""


def _suppliers_zone(known: Known) -> str:
    if known.supplier_order is not None and known.supplier_order.time_zone:
        return known.supplier_order.time_zone
    supplier = known.supplier
    agreement = supplier.agreement_at(known.asked.at) if supplier is not None else None
    return agreement.time_zone if agreement is not None else ""
