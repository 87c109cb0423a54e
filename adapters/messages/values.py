"""What templates may print of a message, by name: words, figures and tables, all made from what the ledger knows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from adapters.messages.case_values import case_values
from adapters.messages.known import Known
from adapters.messages.supplier_values import instruction_values, invoice_values
from adapters.messages.wording import Row
from adapters.messages.words import carrier_name, days_until
from adapters.tracking.carriers import tracking_page
from ledger.facts import LineNo, Units
from ledger.nouns import orders, parcels, stock_ups
from ledger.nouns.messages import About, Audience, MessageKind, subject_of
from ledger.nouns.orders import Line, Order
from ledger.nouns.orders.supplier_orders import reroutable
from ledger.terms.clocks import Clock
from ledger.terms.money import Money

TELL_WHERE = (MessageKind.DISPATCH_INSTRUCTION, MessageKind.ADDRESS_CHANGE)
"""What a supplier reads an address in."""
_TELL_TO_SHIP = (*TELL_WHERE, MessageKind.GO_ON)


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
        **instruction_values(known),
        **_parcel(known),
        **invoice_values(known),
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
