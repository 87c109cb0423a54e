"""Letters: messages in words, from templates in files and data that is unsealed at this moment.

A template is ``templates/LANGUAGE/KIND.VERSION.txt``: a head of ``Subject: ...`` and of phrases
(``reason/customs: it is held by customs.``), an empty line, and the text. ``$name`` stands for a
value, and for the phrase of that name that fits, also in phrases below it. A changed template is a new
file with the next version; the old one stays, because messages name the version that they were asked
with.
"""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from math import ceil
from string import Template
from typing import Any, NamedTuple
from urllib.parse import quote

from msgspec.structs import replace

from adapters import customer_invoices
from adapters.drawing import drawn
from adapters.messages.envelope import Envelope, Erased
from adapters.messages.layout import lay_out
from adapters.messages.markup import quoted
from adapters.streams import read
from ledger.decisions.notices import streams_of
from ledger.engine.log import Log
from ledger.engine.sealing import Sealer
from ledger.facts import LineNo, Sealed, Units
from ledger.nouns import messages, orders, policies, stock_ups, supplier_invoices, suppliers
from ledger.nouns.messages import (
    About,
    Audience,
    Message,
    MessageAsked,
    MessageKind,
)
from ledger.nouns.orders import Order
from ledger.nouns.orders.supplier_orders import ShipTo, reroutable
from ledger.nouns.policies import Policies, policy_at
from ledger.nouns.supplier_invoices import SupplierInvoice
from ledger.terms import time_zones
from ledger.terms.brands import Brand, brand_of
from ledger.terms.clocks import Clock
from ledger.terms.money import Money
from ledger.terms.shipping import Chosen
from ledger.view import View

# --- templates ------------------------------------------------------------------------------------


class Pattern(NamedTuple):
    """One version of a kind's template in one language."""

    subject: Template
    phrases: Mapping[tuple[str, str], Template]
    """By name and by the word that picks it."""
    text: Template

    def fill(self, values: Mapping[str, str], picks: Mapping[str, str]) -> tuple[str, str]:
        """Subject and text; raises KeyError where a value is missing."""
        filled = dict(values)
        for (name, word), phrase in self.phrases.items():
            if picks.get(name) == word:
                filled[name] = phrase.substitute(filled)
        return self.subject.substitute(filled), self.text.substitute(filled)

    def each(self, name: str, items: Iterable[tuple[str, Mapping[str, str]]]) -> str:
        """A line for each item: the phrase of that name which its word picks, with its values."""
        return "\n".join(self.phrases[name, word].substitute(values) for word, values in items)


def _pattern(source: str) -> Pattern:
    head, _, text = source.partition("\n\n")
    lines = dict(line.split(": ", 1) for line in head.splitlines())
    subject = Template(lines.pop("Subject"))
    phrases = {(name, word): Template(line) for key, line in lines.items() for name, _, word in [key.partition("/")]}
    return Pattern(subject, phrases, Template(text))


def read_templates() -> dict[tuple[MessageKind, str, int], Pattern]:
    """Every version of every template, by kind, language and version."""
    found = {}
    for folder in files("adapters").joinpath("templates").iterdir():
        for file in folder.iterdir():
            kind, version, _ = file.name.split(".")
            found[MessageKind(kind), folder.name, int(version)] = _pattern(file.read_text(encoding="utf-8"))
    return found


def newest(templates: Mapping[tuple[MessageKind, str, int], Pattern]) -> dict[tuple[MessageKind, str], int]:
    """The version that new messages are asked with."""
    versions: dict[tuple[MessageKind, str], int] = {}
    for kind, language, version in templates:
        versions[kind, language] = max(version, versions.get((kind, language), 0))
    return versions


# --- letters --------------------------------------------------------------------------------------


class Letters:
    """Writes letters."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._templates = read_templates()
        self.newest = newest(self._templates)

    async def present(self, log: Log, notices: Iterable[tuple[str, About]]) -> View:
        """The streams that messages depend on, as the log has them now; each message with its id and subject."""
        streams = list(dict.fromkeys(stream for each in notices for stream in streams_of(*each)))
        view, _ = await read(log, streams)
        return view

    async def policies(self, log: Log) -> Policies | None:
        """The retailer's terms as the log has them now."""
        view, _ = await read(log, [policies.stream()])
        return policies.find(view)

    async def fresh_since(self, log: Log) -> datetime:
        """What happened before this time makes no message any more."""
        now = datetime.now(UTC)
        return now - timedelta(hours=policy_at(await self.policies(log), now).message_age_hours)

    async def write(self, log: Log, view: View, asked: MessageAsked) -> Envelope:
        """The letter of a message; raises Erased, and KeyError for a template that asks for what there is not."""
        about = asked.about
        order = orders.find(view, about.order_id) if about.order_id else None
        supplier = suppliers.find(view, about.supplier_id) if about.supplier_id else None
        person: dict[str, Any] = {}
        contact = ""
        if order is not None and asked.kind in _TELL_WHERE:
            to_whom = order.ship_to_of(about.supplier_order_id)
            person = await self._unsealed(log, to_whom.customer, to_whom.sealed_for)
            person = {**person, "note": await self._note(log, order)}
        elif order is not None and asked.audience is Audience.CUSTOMER:
            person = await self._unsealed(log, order.customer, order.sealed_for)
        if asked.audience is Audience.STAFF:
            contact = policy_at(policies.find(view), datetime.now(UTC)).staff_address(asked.recipient)
        elif asked.audience is Audience.SUPPLIER and supplier is not None and supplier.master.contact is not None:
            bound_to = suppliers.stream(about.supplier_id)
            contact = (await self._unsealed(log, supplier.master.contact, bound_to)).get("contact", "")
        name = supplier.master.name if supplier else ""
        values, picks = _values(asked, order, person, name)
        pattern = self._templates[asked.kind, asked.language, asked.template_version]
        if stock_up := stock_ups.find(view, about.stock_up_id) if about.stock_up_id else None:
            until = in_words(stock_up.asked.until, asked.language, with_time=False)
            values |= {"units": str(stock_up.asked.units), "until": until}
        if about.invoice_number:
            invoice = supplier_invoices.find(view, about.supplier_id, about.invoice_number)
            lines = pattern.each("differs", _differences(invoice)) if invoice else ""
            values["differences"] = f"{lines}\n\n" if lines else ""
            values["objection"] = invoice.ruling.because if invoice and invoice.ruling else ""
        subject, text = pattern.fill(values, picks)
        to = (asked.message_id, asked.audience, asked.recipient)
        if asked.audience is Audience.CUSTOMER:
            who = (person.get("name", ""), person.get("email", ""), person.get("phone", ""))
        else:
            who = (name if asked.audience is Audience.SUPPLIER else asked.recipient, contact, "")
        brand = self._brand(policies.find(view), asked, order)
        body = "\n\n".join(map(quoted, text.split("\n\n")))
        text, html = lay_out([body], brand, asked.language, subject)
        files = await self._attachments(log, asked, order)
        return Envelope(*to, *who, asked.language, subject, text, files, html, brand, body)

    def _brand(self, agreed: Policies | None, asked: MessageAsked, order: Order | None) -> Brand:
        """As it was when the message was asked for; suppliers and staff read that of the retailer itself."""
        channel = order.placed.channel if order and asked.audience is Audience.CUSTOMER else ""
        brand = brand_of(policy_at(agreed, asked.at).brands, channel)
        return replace(brand, name=brand.name or channel)

    def addressed(self, letter: Envelope, tenant: str, said: Sequence[Message], at: datetime) -> Envelope:
        """The letter of these messages with what its mail is known by."""
        first = said[0].asked
        mail = self._id("mail", tenant, *(f"{each.message_id} {each.retries}" for each in said))
        thread = self._id("thread", tenant, first.recipient, first.about.order_id or messages.subject_of(first.about))
        return letter._replace(message_id=first.message_id, mail_id=mail, thread_id=thread, at=at)

    def _id(self, *named: str) -> str:
        return b32encode(self._sealer.fingerprint("\0".join(named).encode())[:15]).decode().lower()

    async def _attachments(self, log: Log, asked: MessageAsked, order: Order | None) -> tuple[tuple[str, bytes], ...]:
        """The invoice that was drawn up when the parcel left, with the message that says so."""
        parcel = (asked.about.carrier, asked.about.number, asked.about.epoch)
        if asked.kind is not MessageKind.DISPATCHED or order is None or not order.invoicing.invoices:
            return ()
        files = []
        for invoice in order.invoicing.invoices.values():
            if invoice.issued.parcel == parcel and invoice.credited is None:
                unsealed = {}
                for sealed, bound_to in customer_invoices.sealed_on(invoice.issued):
                    with suppress(Erased):
                        unsealed[sealed.key_id if sealed else ""] = await self._unsealed(log, sealed, bound_to)
                pdf = await drawn(customer_invoices.message(invoice, unsealed))
                files.append((f"{invoice.issued.number}.pdf", pdf))
        return tuple(files)

    async def _note(self, log: Log, order: Order) -> str:
        """The note that came with the order; without the person of that time there is none any more."""
        placed = order.placed
        try:
            return str(
                (await self._unsealed(log, placed.customer, placed.sealed_for or placed.order_id)).get("note", "")
            )
        except Erased:
            return ""

    async def _unsealed(self, log: Log, sealed: Sealed | None, bound_to: str) -> dict[str, Any]:
        if sealed is None:
            return {}
        wrapped = (await log.keys_of([sealed.key_id])).get(sealed.key_id)
        if wrapped is None:
            raise Erased
        return self._sealer.unseal(sealed, wrapped, bound_to)


def _values(
    asked: MessageAsked, order: Order | None, person: Mapping[str, Any], supplier: str
) -> tuple[dict[str, str], dict[str, str]]:
    """What a template may ask for, and the words that pick its phrases."""
    about, language = asked.about, asked.language
    due = about.due
    if due is None and asked.kind in _TELL_OF_A_PROMISE and order is not None:
        due = order.promised_by
    supplier_order = order.supplier_orders.get(about.supplier_order_id) if order is not None else None
    if supplier_order is not None and asked.kind in (MessageKind.DISPATCH_INSTRUCTION, MessageKind.GO_ON):
        due = supplier_order.dispatch_by  # a hold may have moved it
    if supplier_order is not None and asked.kind is MessageKind.ADDRESS_CHANGE:
        due = supplier_order.acknowledge_by if due is not None else None
    if asked.kind is MessageKind.DELAYED and not about.supplier_order_id:
        due = None  # the day that was promised, which is the one that will not be kept
    of_promise = asked.kind in _TELL_OF_A_PROMISE or about.clock == Clock.DELIVERY
    day = order.promised_day if order is not None and of_promise else None
    until = day if day is not None and due is not None else due
    days = _days_until(until, asked.caused_at) if until else 0
    amount = about.amount
    if order is not None and asked.kind is MessageKind.UNITS_CANCELLED and amount is None:
        owed = orders.owed_minor(order)
        amount = Money(owed, order.currency) if owed else None
    # A supplier reads its clocks on its own wall.
    place = supplier_order.time_zone if supplier_order and asked.audience is Audience.SUPPLIER else ""
    collect = orders.left_to_collect_minor(order, about.supplier_order_id) if order and supplier_order else 0
    packing = supplier_order.packing if supplier_order else ()
    service = supplier_order.shipping if supplier_order else None
    codes = supplier_order.article_codes if supplier_order and asked.audience is Audience.SUPPLIER else {}
    express = order is not None and order.placed.priority == "express"
    values = {
        "name": person.get("name", ""),
        "shop": order.placed.channel if order else "",
        "order": order.placed.channel_order_id if order else "",
        "supplier_order": about.supplier_order_id,
        "subject": about.case_id
        or about.supplier_order_id
        or about.order_id
        or about.inquiry_id
        or about.number
        or about.stock_up_id,
        "case": about.case_id,
        "inquiry": about.inquiry_id,
        "sku": about.sku,
        "invoice": about.invoice_number,
        "stock_up": about.stock_up_id,
        "units": "",
        "until": "",
        "differences": "",
        "objection": "",
        "amount": str(amount or ""),
        "supplier": supplier,
        "carrier": _carrier(about.carrier),
        "number": about.number,
        "link": link_of(about.carrier, about.number),
        "lines": _lines(order, _units(asked, order), codes) if order else "",
        "ship_to": _ship_to(order.ship_to_of(about.supplier_order_id), person) if order and supplier_order else "",
        "packing": ", ".join(word.replace("_", " ") for word in packing),
        "service_name": _service(service) if service else "",
        "note_text": person.get("note", ""),
        "collect_amount": str(Money(collect, order.currency)) if order else "",
        **dict.fromkeys(_PHRASES_OF_AN_INSTRUCTION, ""),
        "due": in_words(until, language, with_time=asked.audience is not Audience.CUSTOMER, zone=place)
        if until
        else "",
        "days": str(days),
    }
    picks = {
        "greeting": "named" if values["name"] else "unnamed",
        "wait": "one" if days == 1 else "more",
        "expected": "known" if due else "unknown",
        "due": "known" if due else "unknown",
        "pack": "named" if packing else "plain",
        "gift": "yes" if order is not None and order.placed.gift else "no",
        "service": "known" if service is not None and service.code else "unknown",
        "note": "yes" if person.get("note") else "no",
        "collect": "yes" if collect else "no",
        "speed": "express" if express else "standard",
        "money": "none" if amount is None else "owed",
        "reason": about.because,
        "trouble": about.because,
        "step": about.because,
        "level": about.because,
        "clock": about.clock,
    }
    return values, picks


_PHRASES_OF_AN_INSTRUCTION = ("pack", "gift", "service", "note", "collect")
"""Empty where nothing is to be said of it."""
_TELL_OF_A_PROMISE = (MessageKind.ORDER_CONFIRMED, MessageKind.DISPATCHED, MessageKind.TRACKING_CORRECTED)
"""What a customer reads in when to expect its goods."""
_TELL_WHERE = (MessageKind.DISPATCH_INSTRUCTION, MessageKind.ADDRESS_CHANGE)
"""What a supplier reads an address in."""
_TELL_TO_SHIP = (*_TELL_WHERE, MessageKind.GO_ON)


def _differences(invoice: SupplierInvoice) -> Iterable[tuple[str, Mapping[str, str]]]:
    """In what an invoice differs, each with the word that picks its phrase."""
    lines = invoice.recorded.lines
    for each, line in [(each, lines[match.index]) for match in invoice.matches for each in match.differences]:
        expected = "" if each.expected_minor is None else str(invoice.money(each.expected_minor))
        word = "no_price" if each.kind == "price" and not expected else each.kind
        what = " ".join(part for part in (line.supplier_order_id, line.sku) if part)
        values = {"what": what, "units": str(each.units), "shipped": str(each.shipped), "expected": expected}
        more = {"amount": str(invoice.money(each.amount_minor)), "invoices": ", ".join(each.invoices)}
        yield word, {**values, **more}
    if invoice.charges_over_minor:
        yield "charge", {"amount": str(invoice.money(invoice.charges_over_minor))}


_SHORT = 4
"""Carriers with so short a name write it in capitals: DHL, SF, YTO."""


def _units(asked: MessageAsked, order: Order | None) -> Units:
    """The units of an order that a message is about."""
    about = asked.about
    if order is None:
        return {}
    if about.number:
        shipment = order.shipment(about.carrier, about.number, about.epoch)
        return order.in_parcel(shipment) if shipment else {}
    if asked.kind is MessageKind.UNITS_CANCELLED and (cancelled := order.in_bucket("cancelled")):
        return cancelled
    supplier_order = order.supplier_orders.get(about.supplier_order_id)
    if supplier_order is None:
        return {line_no: line.quantity for line_no, line in order.lines.items()}
    if asked.kind is MessageKind.CANCEL_REQUEST:
        return supplier_order.cancel_asked
    if asked.kind in _TELL_TO_SHIP:
        return reroutable(supplier_order)
    return {line_no: share.unshipped for line_no, share in supplier_order.shares.items() if share.unshipped}


def _lines(order: Order, units: Units, codes: Mapping[LineNo, str]) -> str:
    """How many of what; a supplier reads its own article code beside the SKU."""
    lines = ((order.lines[line_no], count) for line_no, count in units.items())
    return "\n".join(
        f"{count} × {line.sku}"
        + (f" [{codes[line.line_no]}]" if line.line_no in codes else "")
        + (f"  {line.title}" if line.title else "")
        for line, count in lines
    )


def _ship_to(ship_to: ShipTo, person: Mapping[str, Any]) -> str:
    where = ship_to.destination
    town = " ".join(part for part in (person.get("postal_code"), person.get("city")) if part)
    parts = [person.get("name"), *person.get("lines", ()), town, where.region, where.country, person.get("phone")]
    return "\n".join(str(part) for part in parts if part)


def _service(chosen: Chosen) -> str:
    """Such as ``international line (Yanwen, Yunexpress)``."""
    return f"{chosen.code.replace('_', ' ')} ({', '.join(map(_carrier, chosen.carriers))})"


def _carrier(name: str) -> str:
    return name.upper() if len(name) <= _SHORT else name.title()


def _days_until(due: date, since: datetime) -> int:
    """The days a customer waits: calendar days, or begun days until an instant; at least 1."""
    days = ceil((due - since) / timedelta(days=1)) if isinstance(due, datetime) else (due - since.date()).days
    return max(1, days)


def in_words(at: date, language: str, *, with_time: bool, zone: str = "") -> str:
    """A day, or a day and a time in a zone, which is UTC if none is named, as the language writes it."""
    clock = ""
    if isinstance(at, datetime):
        at = at.astimezone(time_zones.zone(zone or "UTC"))
        clock = f"{at:%H:%M}" if with_time else ""
    if language == "zh":
        return f"{at.year}年{at.month}月{at.day}日" + (f" {clock}（{zone or 'UTC'}）" if clock else "")
    place = f" ({zone})" if zone else " UTC"
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}" + (f", {clock}{place}" if clock else "")


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
"""Not strftime's names, which change with the locale of the process."""

_LINKS = {
    "dhl": "https://www.dhl.com/en/express/tracking.html?AWB={}",
    "fedex": "https://www.fedex.com/fedextrack/?trknbr={}",
    "ups": "https://www.ups.com/track?tracknum={}",
    "usps": "https://tools.usps.com/go/TrackConfirmAction?tLabels={}",
}
_ANY_CARRIER = "https://t.17track.net/en#nums={}"


def link_of(carrier: str, number: str) -> str:
    """Where a customer can follow a parcel: at the carrier's page, or at one that knows all carriers."""
    return _LINKS.get(carrier, _ANY_CARRIER).format(quote(number, safe="")) if number else ""
