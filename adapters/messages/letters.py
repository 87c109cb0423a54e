"""Letters: messages in words, from templates and from data that is unsealed at this moment."""

from __future__ import annotations

import asyncio
from base64 import b32encode
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from jinja2 import UndefinedError
from msgspec.structs import replace

from adapters import evidence
from adapters.database.control import tenant_of
from adapters.invoices import customer_invoices
from adapters.invoices.drawing import drawn
from adapters.mail.addresses import addresses_in
from adapters.messages import library, previews
from adapters.messages.case_values import LABELLED, file_name, newest_label
from adapters.messages.envelope import Envelope, Erased
from adapters.messages.known import Known
from adapters.messages.layout import lay_out
from adapters.messages.library import TemplateSource
from adapters.messages.previews import PreviewWish
from adapters.messages.samples import a_sample
from adapters.messages.values import TELL_WHERE, values_of
from adapters.messages.wording import BadTemplate, Values, wording
from adapters.streams import read
from adapters.tracking_page.links import TrackingLinks
from ledger.decisions.notices import streams_of
from ledger.engine.log import Log
from ledger.engine.sealing import Sealer, placed
from ledger.facts import Sealed
from ledger.nouns import cases, inquiries, messages, orders, parcels, policies, supplier_invoices, suppliers
from ledger.nouns.cases import Case
from ledger.nouns.messages import About, Audience, Message, MessageAsked, MessageKind
from ledger.nouns.orders import Order
from ledger.nouns.policies import Policies, Policy, policy_at
from ledger.terms.brands import Brand, brand_of
from ledger.view import View

_FEW_ROWS = 50


class CannotBeWritten(KeyError):
    """The template prints what there is not, or too much."""


class Letters:
    """Writes letters."""

    def __init__(self, sealer: Sealer, opened: set[str] | None = None) -> None:
        self._sealer = sealer
        self._opened = opened
        self._links = TrackingLinks(sealer)
        self.newest = library.newest()

    def noting(self, opened: set[str]) -> Letters:
        """Writes the same, and adds the ids of the keys that are used for it."""
        return Letters(self._sealer, opened)

    async def present(self, log: Log, notices: Iterable[tuple[str, About]]) -> View:
        """The streams that messages depend on, as the log has them now; each message with its id and subject."""
        streams = list(dict.fromkeys(stream for each in notices for stream in streams_of(*each)))
        view, _ = await read(log, streams)
        return view

    @staticmethod
    async def policies(log: Log) -> Policies | None:
        """The retailer's terms as the log has them now."""
        view, _ = await read(log, [policies.stream()])
        return policies.find(view)

    async def fresh_since(self, log: Log, now: datetime | None = None) -> datetime:
        """What happened before this time makes no message any more."""
        now = now or datetime.now(UTC)
        return now - timedelta(hours=policy_at(await self.policies(log), now).message_age_hours)

    async def write(self, log: Log, view: View, asked: MessageAsked, source: TemplateSource | None = None) -> Envelope:
        """The letter of a message, by the template that it was asked with unless another is given.

        Raises Erased, and KeyError where the template is not there or asks for what there is not.
        """
        known = await self._known(log, *await self._with_order(log, view, asked))
        letter = await _written_aside(asked, source or library.source_of(view, asked), values_of(known), known.brand)
        name, email, phone = await self._reader(log, known)
        files = await self._attachments(log, known)
        return letter._replace(name=name, email=email, phone=phone, attachments=files)

    async def has_address(self, log: Log, view: View, asked: MessageAsked) -> bool:
        """Whether a mail can be sent to what is known of its reader now; raises Erased."""
        _, email, _ = await self._reader(log, await self._known(log, *await self._with_order(log, view, asked)))
        found = addresses_in(email)
        return len(found) == 1 if asked.audience is Audience.CUSTOMER else bool(found)

    async def preview(self, log: Log, wish: PreviewWish, order_id: str) -> tuple[MessageAsked, Envelope, int]:
        """A message that is not sent, about an order or about samples, and the position that it is as of.

        Raises Erased, and UnknownOrder.
        """
        now = datetime.now(UTC)
        what = About()
        if order_id:
            present, _ = await read(log, [orders.stream(order_id)])
            order = orders.known(orders.find(present, order_id), order_id)
            what = previews.about(order, wish.kind, wish.reason)
        view, position = await read(log, streams_of(f"{wish.kind}-", what))
        policy = policy_at(policies.find(view), now)
        asked = previews.asked(view, wish, what, policy, now)
        if order_id:
            return asked, await self.write(log, view, asked, wish.draft), position
        source = wish.draft or library.source_of(view, asked)
        values = a_sample(wish.kind, asked.language, wish.reason)
        brand = next(iter(policy.brands), Brand(name=str(values["shop"])))
        return asked, _written(asked, source, {**values, "shop": brand.name or values["shop"]}, brand), position

    async def _with_order(self, log: Log, view: View, asked: MessageAsked) -> tuple[View, MessageAsked]:
        """What time alone makes due names a case without its order, which has the goods."""
        case = cases.find(view, asked.about.case_id) if asked.about.case_id and not asked.about.order_id else None
        if case is None:
            return view, asked
        asked = replace(asked, about=replace(asked.about, order_id=case.order_id))
        return await self.present(log, [(asked.message_id, asked.about)]), asked

    async def _known(self, log: Log, view: View, asked: MessageAsked) -> Known:
        policy = policy_at(policies.find(view), asked.at)
        order = orders.find(view, asked.about.order_id) if asked.about.order_id else None
        person: dict[str, Any] = {}
        if order is not None and asked.kind in TELL_WHERE:
            to_whom = order.ship_to_of(asked.about.supplier_order_id)
            person = await self._unsealed(log, to_whom.customer, placed(to_whom.sealed_for, "customer"))
            person = {**person, "note": await self._note(log, order)}
        elif order is not None and asked.audience is Audience.CUSTOMER:
            person = await self._unsealed(log, order.customer, placed(order.sealed_for, "customer"))
        known = Known(asked, view, policy, _brand(policy, asked, order), person)
        return known._replace(
            question=await self._question(log, known),
            return_address=await self._return_address(log, known),
            objection=await self._objection(log, known),
            town=await self._town(log, known),
            tracking_page=self._tracking_page(log, known),
        )

    def _tracking_page(self, log: Log, known: Known) -> str:
        """The page of the order, which is for its customer alone."""
        order, site = known.order, known.brand.tracking_site
        if order is None or known.asked.audience is not Audience.CUSTOMER or order.tracking_link.is_withdrawn:
            return ""
        path = self._links.path_of(tenant_of(log.schema), order.order_id, order.tracking_link.number)
        return site + path if site else ""

    async def _reader(self, log: Log, known: Known) -> tuple[str, str, str]:
        """Name, e-mail address and phone number of whom it goes to, as far as each is known."""
        asked, person, supplier = known.asked, known.person, known.supplier
        if asked.audience is Audience.CUSTOMER:
            return person.get("name", ""), person.get("email", ""), person.get("phone", "")
        if asked.audience is Audience.STAFF:
            today = policy_at(policies.find(known.view), datetime.now(UTC))
            return asked.recipient, today.staff_address(asked.recipient), ""
        if supplier is None:
            return "", "", ""
        bound_to = placed(suppliers.stream(asked.about.supplier_id), "contact")
        unsealed = await self._unsealed(log, supplier.master.contact, bound_to)
        return supplier.master.name, unsealed.get("contact", ""), ""

    async def _question(self, log: Log, known: Known) -> str:
        """What the supplier is asked, in the words that it was asked in."""
        about = known.asked.about
        if known.asked.kind is not MessageKind.QUESTION or not about.inquiry_id:
            return ""  # a preview about an order names none
        inquiry = inquiries.find(known.view, about.inquiry_id)
        sealed = inquiry.asked.text if inquiry is not None else None
        return str(
            (await self._unsealed(log, sealed, placed(inquiries.stream(about.inquiry_id), "text"))).get("text", "")
        )

    async def _objection(self, log: Log, known: Known) -> str:
        """Why a supplier's invoice is not paid, as somebody wrote it."""
        invoice = known.invoice
        because = invoice.ruling.because if invoice is not None and invoice.ruling is not None else ""
        if isinstance(because, str):
            return because
        stream = supplier_invoices.stream(known.asked.about.supplier_id, known.asked.about.invoice_number)
        with suppress(Erased):
            return str((await self._unsealed(log, because, placed(stream, "text"))).get("text", ""))
        return ""

    async def _town(self, log: Log, known: Known) -> str:
        """The town of the parcel's last scan; scans of before have it in plain."""
        parcel = known.parcel
        scan = parcel.checkpoints[-1] if parcel is not None and parcel.checkpoints else None
        if parcel is None or scan is None:
            return ""
        under = placed(parcels.stream(*(scan.told_under or (parcel.carrier, parcel.number))), "message")
        with suppress(Erased):
            return scan.city or str((await self._unsealed(log, scan.message, under)).get("city", ""))
        return ""

    async def _return_address(self, log: Log, known: Known) -> str:
        """Where the goods of a case go: to the supplier's return address, or to the retailer."""
        label = newest_label(known.case)
        if label is None:
            return ""
        if not label.supplier_id:
            seller = known.policy.seller
            return "\n".join((seller.name, *seller.address, seller.country)) if seller is not None else ""
        supplier = known.supplier
        if supplier is None or label.supplier_id != known.asked.about.supplier_id:
            return ""
        bound_to = placed(suppliers.stream(label.supplier_id), "return_address")
        unsealed = await self._unsealed(log, supplier.master.return_address, bound_to)
        return str(unsealed.get("address", ""))

    def addressed(self, letter: Envelope, tenant: str, said: Sequence[Message], at: datetime) -> Envelope:
        """The letter of these messages with what its mail is known by."""
        first = said[0].asked
        mail = self._id("mail", tenant, *(f"{each.message_id} {each.retries}" for each in said))
        thread = self._id("thread", tenant, first.recipient, first.about.order_id or messages.subject_of(first.about))
        return letter._replace(message_id=first.message_id, mail_id=mail, thread_id=thread, at=at)

    def _id(self, *named: str) -> str:
        return b32encode(self._sealer.fingerprint("\0".join(named).encode())[:15]).decode().lower()

    async def _attachments(self, log: Log, known: Known) -> tuple[tuple[str, bytes], ...]:
        if known.asked.kind is MessageKind.DISPATCHED and known.order is not None:
            return await self._invoices(log, known.asked, known.order)
        if known.asked.kind is MessageKind.CASE_STEP and known.asked.about.because == LABELLED:
            return await self._label(log, known.case)
        return ()

    async def _label(self, log: Log, case: Case | None) -> tuple[tuple[str, bytes], ...]:
        """What the customer sticks on the parcel that comes back, with the message that has it."""
        label = newest_label(case)
        if case is None or label is None or label.file is None:
            return ()
        kept = evidence.Kept(label.file.sha256, evidence.subject_of(case))
        data = await evidence.read(log, self._sealer.of(log.schema), kept)
        if data is None:
            raise Erased
        return ((file_name(label), data),)

    async def _invoices(self, log: Log, asked: MessageAsked, order: Order) -> tuple[tuple[str, bytes], ...]:
        """The invoice that was drawn up when the parcel left, with the message that says so."""
        parcel = (asked.about.carrier, asked.about.number, asked.about.epoch)
        files = []
        for invoice in order.invoicing.invoices.values():
            if invoice.issued.parcel == parcel and invoice.credited is None:
                unsealed = {}
                for sealed, bound_to in customer_invoices.sealed_on(invoice):
                    with suppress(Erased):
                        unsealed[sealed.key_id if sealed else ""] = await self._unsealed(log, sealed, bound_to)
                pdf = await drawn(customer_invoices.message(invoice, unsealed))
                files.append((f"{invoice.issued.number}.pdf", pdf))
        return tuple(files)

    async def _note(self, log: Log, order: Order) -> str:
        """The note that came with the order; without the person of that time there is none any more."""
        first = order.placed
        bound_to = placed(first.sealed_for or first.order_id, "customer")
        try:
            return str((await self._unsealed(log, first.customer, bound_to)).get("note", ""))
        except Erased:
            return ""

    async def _unsealed(self, log: Log, sealed: Sealed | None, bound_to: str) -> dict[str, Any]:
        if sealed is None:
            return {}
        key = (await log.keys_of([sealed.key_id])).get(sealed.key_id)
        if key is None:
            raise Erased
        if self._opened is not None:
            self._opened.add(sealed.key_id)
        return self._sealer.of(log.schema).unseal(sealed, key, bound_to)


async def _written_aside(asked: MessageAsked, source: TemplateSource, values: Values, brand: Brand) -> Envelope:
    """The letter, by a thread where it may be long: a thousand lines take a quarter of a second."""
    rows = sum(len(table) for table in values.values() if isinstance(table, list))
    if rows > _FEW_ROWS:
        return await asyncio.to_thread(_written, asked, source, values, brand)
    return _written(asked, source, values, brand)


def _written(asked: MessageAsked, source: TemplateSource, values: Values, brand: Brand) -> Envelope:
    """The letter, to nobody yet."""
    try:
        subject, body = wording(*source).fill(values)
    except (BadTemplate, UndefinedError) as problem:
        raise CannotBeWritten(str(problem)) from problem
    text, html = lay_out([body], brand, asked.language, subject)
    to = (asked.message_id, asked.audience, asked.recipient, "", "", "")
    return Envelope(*to, asked.language, subject, text, (), html, brand, body)


def _brand(policy: Policy, asked: MessageAsked, order: Order | None) -> Brand:
    """As it was when the message was asked for; suppliers and staff read that of the retailer itself."""
    channel = order.placed.channel if order is not None and asked.audience is Audience.CUSTOMER else ""
    brand = brand_of(policy.brands, channel)
    return replace(brand, name=brand.name or channel)
