"""What templates may print of a message, by name: words, figures and tables, all made from what the ledger knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from adapters.messages.case_values import case_values
from adapters.messages.wording import Row
from adapters.messages.words import carrier_name, days_until, humane, in_words
from adapters.tracking.carriers import tracking_page
from ledger.facts import LineNo, Units
from ledger.nouns import cases, orders, parcels, stock_ups, supplier_invoices, suppliers
from ledger.nouns.cases import Case
from ledger.nouns.messages import About, Audience, MessageAsked, MessageKind, subject_of
from ledger.nouns.orders import Line, Order
from ledger.nouns.orders.supplier_orders import ShipTo, SupplierOrder, reroutable
from ledger.nouns.parcels import Parcel
from ledger.nouns.policies import Policy
from ledger.nouns.supplier_invoices import SupplierInvoice
from ledger.terms.brands import Brand
from ledger.terms.clocks import Clock
from ledger.terms.money import Money
from ledger.terms.shipping import Chosen
from ledger.terms.time_zones import zone_of
from ledger.view import View

TELL_WHERE = (MessageKind.DISPATCH_INSTRUCTION, MessageKind.ADDRESS_CHANGE)
"""What a supplier reads an address in."""
_TELL_TO_SHIP = (*TELL_WHERE, MessageKind.GO_ON)


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


def values_of(known: Known) -> dict[str, str | int | list[Row]]:
    """Every name, for any kind; what does not apply is empty, 0, or a table without rows."""
    about, order, supplier = known.asked.about, known.order, known.supplier
    carrier, number = about.last_mile or (about.carrier, about.number)
    stock_up = stock_ups.find(known.view, about.stock_up_id) if about.stock_up_id else None
    return {
        "name": known.person.get("name", ""),
        "shop": known.brand.name,
        "order": order.placed.channel_order_id if order else "",
        "order_link": known.brand.link_to(order.placed.channel_order_id) if order else "",
        "tracking_page": known.tracking_page,
        "supplier": supplier.master.name if supplier else "",
        "supplier_order": about.supplier_order_id,
        "concerns": _concerns(known),
        "reason": about.because,
        "clock": about.clock,
        "inquiry": about.inquiry_id,
        "question": known.question,
        "sku": about.sku,
        "stock_up": about.stock_up_id,
        "units": stock_up.asked.units if stock_up else 0,
        "until": known.day(stock_up.asked.until) if stock_up else "",
        "carrier": carrier_name(carrier) if carrier else "",
        "number": number,
        "link": tracking_page(carrier, number),
        **_due(known),
        **_money(known),
        **_goods(known),
        **_instruction(known),
        **_parcel(known),
        **_invoice(known),
        **_levels(about),
        **case_values(about.case_id, known.case, order, known.asked.language, known.return_address),
    }


# --- when -----------------------------------------------------------------------------------------

_OF_THE_PROMISE = (
    *(MessageKind.ORDER_CONFIRMED, MessageKind.DISPATCHED, MessageKind.TRACKING_CORRECTED),
    MessageKind.LAST_MILE,
)


def _due(known: Known) -> dict[str, str | int]:
    due = _due_at(known)
    order = known.order
    of_promise = known.asked.kind in _OF_THE_PROMISE or known.asked.about.clock == Clock.DELIVERY
    if known.asked.kind is MessageKind.LAST_MILE:
        of_promise = known.asked.about.due is None  # else it is the carrier's estimate
    day = order.promised_day if order is not None and of_promise else None
    until: date | None = day if day is not None and due is not None else due
    days = days_until(until, known.asked.caused_at, known.zone) if until is not None else 0
    return {"due": known.time(until), "days": days}


def _due_at(known: Known) -> datetime | None:
    """What a message names as due, or when what it is about is expected."""
    asked, order, supplier_order = known.asked, known.order, known.supplier_order
    due = asked.about.due
    match asked.kind:
        case kind if kind in _OF_THE_PROMISE and due is None and order is not None:
            return order.promised_by
        case MessageKind.DISPATCH_INSTRUCTION | MessageKind.GO_ON if supplier_order is not None:
            return supplier_order.dispatch_by  # a hold may have moved it
        case MessageKind.ADDRESS_CHANGE if supplier_order is not None:
            return supplier_order.acknowledge_by if due is not None else None
        case MessageKind.DELAYED if not asked.about.supplier_order_id:
            return None  # the day that was promised, which is the one that will not be kept
        case _:
            return due


# --- what -----------------------------------------------------------------------------------------


def _goods(known: Known) -> dict[str, str | list[Row]]:
    order = known.order
    if order is None:
        return {"lines": [], "worth": ""}
    units = _units(known, order)
    worths = {line_no: _worth_minor(known, order.lines[line_no], count) for line_no, count in units.items()}
    worth = sum(worths.values())
    to_supplier = known.asked.audience is Audience.SUPPLIER
    codes = known.supplier_order.article_codes if known.supplier_order and to_supplier else {}
    return {
        "lines": [
            _line(order, line_no, count, codes, 0 if to_supplier else worths[line_no])
            for line_no, count in units.items()
        ],
        # What customers pay is nothing that a supplier reads.
        "worth": str(Money(worth, order.currency)) if worth and not to_supplier else "",
    }


def _worth_minor(known: Known, line: Line, count: int) -> int:
    """What so many units of a line cost: the first ones are those that were cancelled, the others come after them."""
    if known.order is None or known.asked.kind is MessageKind.UNITS_CANCELLED:
        return line.worth_minor(count)
    units = known.order.buckets[line.line_no]
    return line.worth_minor(count, min(max(units.cancelled, line.given_up), units.total - count))


def _line(order: Order, line_no: LineNo, count: int, codes: Mapping[LineNo, str], worth: int) -> Row:
    line = order.lines[line_no]
    amount = str(Money(worth, order.currency)) if worth else ""
    return {
        "units": str(count),
        "sku": line.sku,
        "title": line.title,
        "goods": line.title or line.sku,
        "code": codes.get(line_no, ""),
        "amount": amount,
    }


def _units(known: Known, order: Order) -> Units:
    """The units of an order that a message is about."""
    about, supplier_order = known.asked.about, known.supplier_order
    if known.case is not None:
        return known.case.opened.by_line
    if about.further:
        return about.further
    if about.number:
        shipment = order.shipment(about.carrier, about.number, about.epoch)
        return order.in_parcel(shipment) if shipment else {}
    if known.asked.kind is MessageKind.UNITS_CANCELLED and (cancelled := order.in_bucket("cancelled")):
        return cancelled
    if supplier_order is None:
        wanted = {line_no: buckets.total - buckets.cancelled for line_no, buckets in order.buckets.items()}
        return {line_no: units for line_no, units in wanted.items() if units}
    if known.asked.kind is MessageKind.CANCEL_REQUEST:
        return supplier_order.cancel_asked
    if known.asked.kind in _TELL_TO_SHIP:
        return reroutable(supplier_order)
    return {line_no: share.unshipped for line_no, share in supplier_order.shares.items() if share.unshipped}


def _money(known: Known) -> dict[str, str]:
    order, supplier_order, amount = known.order, known.supplier_order, known.asked.about.amount
    if order is None:
        return {"amount": str(amount or ""), "total": "", "charges": "", "compensation": "", "collect": ""}
    if known.asked.kind is MessageKind.UNITS_CANCELLED and amount is None and (owed := orders.owed_minor(order)):
        amount = Money(owed, order.currency)
    charges, total = orders.charges_minor(order), orders.price_minor(order)
    owes = supplier_order.compensation if supplier_order is not None else None
    collect = _to_collect_minor(known, order)
    return {
        "amount": str(amount or ""),
        "total": str(Money(total, order.currency)) if total else "",
        "charges": str(Money(charges, order.currency)) if charges else "",
        "compensation": str(owes.amount) if owes is not None else "",
        "collect": str(Money(collect, order.currency)) if collect else "",
    }


def _to_collect_minor(known: Known, order: Order) -> int:
    """What carriers have yet to collect at the door: of a parcel, of a supplier order, or of the whole order."""
    about = known.asked.about
    if about.number:
        which = (about.carrier, about.number, about.epoch)
        return sum(each.collect_minor for each in order.shipments if each.parcel == which and each.bucket == "shipped")
    parts = [about.supplier_order_id] if about.supplier_order_id else list(order.supplier_orders)
    return sum(orders.left_to_collect_minor(order, each) for each in parts)


# --- to suppliers ---------------------------------------------------------------------------------


def _instruction(known: Known) -> dict[str, str | int]:
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


def _invoice(known: Known) -> dict[str, str | list[Row]]:
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


# --- parcels and stock ----------------------------------------------------------------------------


def _concerns(known: Known) -> str:
    """The one thing that a message is about; staff reads of all the orders whose goods are in a parcel."""
    about, parcel = known.asked.about, known.parcel
    use = next((use for use in parcels.uses(parcel) if use.epoch == about.epoch), None)
    if use is None or known.asked.kind is not MessageKind.PARCEL_ALERT or len(use.order_ids) < 2:
        return subject_of(about)
    return ("、" if known.asked.language == "zh" else ", ").join(each.supplier_order_id for each in use.contents)


def _parcel(known: Known) -> dict[str, str]:
    parcel = known.parcel
    scan = parcel.checkpoints[-1] if parcel is not None and parcel.checkpoints else None
    if scan is None:
        return {"place": "", "scanned": "", "customs_asks": "", "answer_by": "", "pickup_until": ""}
    return {
        "place": ", ".join(part for part in (known.town, scan.country) if part),
        "scanned": known.time(scan.at),
        "customs_asks": scan.customs_asks or "",
        "answer_by": known.day(scan.customs_answer_by),
        "pickup_until": known.day(scan.pickup_until),
    }


LEVELS = ("available", "threshold", "cover_days", "shortfall", "orders_affected")
"""Figures of an alert, where it has them."""


def _levels(about: About) -> dict[str, int]:
    return {name: about.figures.get(name, 0) for name in LEVELS}
