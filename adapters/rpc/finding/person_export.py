"""All that is kept of a person, part by part: each order with what belongs to it, and who read of it.

What other RPCs show of an order is asked of them, so that it reads the same. Beside it stands all that was ever sealed
in its facts, because they show what holds now. Each part is made when it is sent: no order has to fit into memory
with the next one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec.structs import replace

from adapters import evidence
from adapters.edges.accounts import Accounts
from adapters.edges.inbox import Inbox
from adapters.messages.envelope import Erased
from adapters.messages.letters import Letters
from adapters.people.contacts import OldContacts
from adapters.people.personal_reads import Read, ReadFilter, list_reads, note_keys, note_subjects
from adapters.people.spellings import e164
from adapters.rpc.admin import erasing
from adapters.rpc.calls import Call
from adapters.rpc.cases.reads import CaseQueries
from adapters.rpc.cases.shows import evidence as evidence_of
from adapters.rpc.cases.shows import printed
from adapters.rpc.customer_invoices.reads import CustomerInvoiceQueries
from adapters.rpc.edges.reads import show_reception
from adapters.rpc.finding.related import Related, related_to
from adapters.rpc.finding.sealed_facts import SealedPart, sealed_parts
from adapters.rpc.finding.timeline import history, of_these
from adapters.rpc.inquiries.reads import InquiryQueries
from adapters.rpc.messages import MessageQueries, show_message
from adapters.rpc.orders.reads import OrderQueries
from adapters.rpc.sealing import PersonalQueries
from adapters.rpc.shows import stamp
from adapters.tenants import Tenant, Tenants
from adapters.texting.choices import choice_of
from fulfilment.v1 import audit_pb2 as pb
from fulfilment.v1 import cases_pb2, customer_invoices_pb2, inquiries_pb2, orders_pb2
from ledger.engine.log_rows import Past
from ledger.engine.sealing import Sealer, StoredKey
from ledger.nouns import cases, inquiries, messages, orders, suppliers
from ledger.nouns.cases import Case
from ledger.nouns.messages import Audience
from ledger.nouns.orders import Order
from ledger.nouns.text_choices import TextChoice
from ledger.refusals import UnknownPerson
from projections import outbox
from projections.machine.reads import FIRST, LAST, Where

_PIECE_BYTES = 1 << 20
_READS_AT_ONCE = 500
_ERASED, _UNASKED, _UNWRITABLE = "erased", "not written yet", "cannot be written"
_TO_OTHERS, _SHARED = "not to the person", "about others, too"

Part = pb.ExportPersonResponse
Parts = AsyncIterator[pb.ExportPersonResponse]


class _Export(NamedTuple):
    """What is being exported."""

    tenant: Tenant
    call: Call
    """Which uses the person's data keys alone."""
    where: Where
    order_ids: Sequence[str]
    with_evidence: bool


class PersonExport(PersonalQueries):
    """AuditService.ExportPerson."""

    def __init__(self, tenants: Tenants, sealer: Sealer, letters: Letters) -> None:
        super().__init__(tenants, sealer)
        self._letters = letters
        self._accounts = Accounts(sealer)
        self._orders = OrderQueries(tenants, sealer)
        self._cases = CaseQueries(tenants, sealer)
        self._inquiries = InquiryQueries(tenants, sealer)
        self._invoices = CustomerInvoiceQueries(tenants, sealer)
        self._messages = MessageQueries(tenants, letters)

    async def ExportPerson(self, request: pb.ExportPersonRequest, call: Call) -> Parts:
        known, viewer, now = erasing.known_by(request), call.viewer("customer"), datetime.now(UTC)
        tenant = await self.tenant(call)
        await OldContacts(self.tenants, self.sealer).finish(tenant.name)
        found = await erasing.find(tenant, self.sealer, known)
        order_ids, subjects = await erasing.orders_of(tenant, found), await erasing.subjects_of(tenant, found)
        if not (order_ids or found.supplier_ids):
            raise UnknownPerson
        where = Where(self.tenants.pool, tenant.schema, await tenant.log.head())
        await note_subjects(
            tenant.log, viewer, [*map(orders.anchor, order_ids), *map(suppliers.stream, found.supplier_ids)]
        )
        yield Part(person=pb.ExportedPerson(at=stamp(now), order_ids=order_ids, supplier_ids=found.supplier_ids))
        export = _Export(tenant, replace(call, only=frozenset(subjects)), where, order_ids, request.with_evidence)
        counts: Counter[str] = Counter()
        for order_id in order_ids:
            async for part in self._order(export, order_id):
                _count(counts, part)
                yield part
        async for part in _reads(tenant, subjects, now):
            _count(counts, part)
            yield part
        yield Part(counts=pb.ExportedCounts(**counts))

    async def _order(self, export: _Export, order_id: str) -> Parts:
        """An order, and what belongs to it."""
        tenant, call = export.tenant, export.call
        asked = orders_pb2.GetOrderRequest(order_id=order_id, with_personal_data=True)
        shown = (await self._orders.GetOrder(asked, call)).order
        entry, _ = await self.entry(tenant, orders.stream(order_id))
        order: Order = orders.known(entry.state, order_id)
        said = await self._text_choice(tenant, shown)
        since = stamp(said.at) if said is not None and said.wants_none else None
        held = stamp(order.personal_data_held_until)
        yield Part(order=pb.ExportedOrder(order=shown, held_until=held, no_texts_since=since))
        related = await related_to(order, tenant, export.where)
        for each in (self._about_cases, self._about_inquiries, self._about_messages, self._sealed):
            async for part in each(export, related):
                yield part
        async for part in self._about_invoices(export, order):
            yield part
        async for part in self._told(export, order_id):
            yield part

    async def _text_choice(self, tenant: Tenant, order: orders_pb2.Order) -> TextChoice | None:
        """What whoever has its phone number said of text messages."""
        phone = e164(order.customer.phone, order.ship_to.country)
        return await choice_of(tenant.log, self.sealer.of(tenant.schema), phone) if phone else None

    async def _about_cases(self, export: _Export, related: Related) -> Parts:
        for case_id in _ids(related, cases.NOUN.prefix):
            asked = cases_pb2.GetCaseRequest(case_id=case_id, with_personal_data=True)
            yield Part(case=(await self._cases.GetCase(asked, export.call)).case)
            entry, _ = await self.entry(export.tenant, cases.stream(case_id))
            case: Case = cases.known(entry.state, case_id)
            labels = (printed(each) for each in case.labels.values())
            for file in filter(None, (*map(evidence_of, case.evidence.values()), *labels)):
                async for part in self._file(export, case, file):
                    yield part

    async def _file(self, export: _Export, case: Case, file: cases_pb2.Evidence) -> Parts:
        """Its bytes are opened only where they are asked for."""
        kept, log, data = evidence.Kept(file.sha256, evidence.subject_of(case)), export.tenant.log, b""
        there = await evidence.is_kept(log, kept)
        if there and export.with_evidence:
            await note_subjects(log, export.call.viewer(cases.stream(case.case_id)), [kept.subject])
            data = await evidence.read(log, self.sealer.of(export.tenant.schema), kept) or b""
        first = pb.ExportedFile(case_id=case.case_id, evidence=file, erased=not there, data=data[:_PIECE_BYTES])
        yield Part(file=first)
        for start in range(_PIECE_BYTES, len(data), _PIECE_BYTES):
            yield Part(file=pb.ExportedFile(data=data[start : start + _PIECE_BYTES]))

    async def _about_inquiries(self, export: _Export, related: Related) -> Parts:
        for inquiry_id in _ids(related, inquiries.NOUN.prefix):
            asked = inquiries_pb2.GetInquiryRequest(inquiry_id=inquiry_id, with_personal_data=True)
            yield Part(inquiry=(await self._inquiries.GetInquiry(asked, export.call)).inquiry)

    async def _about_invoices(self, export: _Export, order: Order) -> Parts:
        for number in order.invoicing.invoices:
            asked = customer_invoices_pb2.GetCustomerInvoiceRequest(order_id=order.order_id, number=number)
            yield Part(invoice=(await self._invoices.GetCustomerInvoice(asked, export.call)).invoice)

    async def _about_messages(self, export: _Export, related: Related) -> Parts:
        fresh = await self._letters.fresh_since(export.tenant.log)
        for message_id in _ids(related, messages.NOUN.prefix):
            (found,) = (await outbox.get_message(export.where, message_id, fresh)).rows
            part = pb.ExportedMessage(message=show_message(found), no_letter=_TO_OTHERS)
            if found.audience is Audience.CUSTOMER:
                try:
                    letter = await self._messages.letter(export.tenant, found, export.call)
                    if letter is not None:
                        letter.ClearField("html")  # it says the same
                    part = pb.ExportedMessage(message=part.message, letter=letter, no_letter="" if letter else _UNASKED)
                except Erased:
                    part.no_letter = _ERASED
                except KeyError:
                    part.no_letter = _UNWRITABLE
            yield Part(message=part)

    async def _told(self, export: _Export, order_id: str) -> Parts:
        """What shops told of it, as it came. What others stand in as well is not shown."""
        inbox, viewer = Inbox.of(export.tenant), export.call.viewer(orders.stream(order_id))
        accounts = await self._accounts.read(export.tenant)
        for reception_id in await inbox.about([order_id]):
            row = await inbox.get(reception_id)
            if row is None:
                continue  # it was kept long enough meanwhile
            shown, connected = pb.ExportedReception(reception=show_reception(row)), accounts.get(row.connection)
            body = inbox.opened(row, connected.box_key) if connected is not None else None
            shared = not set(row.about) <= set(export.order_ids)
            if body is None or shared:
                shown.no_body, body = _SHARED if shared else _ERASED, b""
            else:
                await note_subjects(export.tenant.log, viewer, [orders.anchor(order_id)])
            shown.body = body[:_PIECE_BYTES]
            yield Part(reception=shown)
            for start in range(_PIECE_BYTES, len(body), _PIECE_BYTES):
                yield Part(reception=pb.ExportedReception(body=body[start : start + _PIECE_BYTES]))

    async def _sealed(self, export: _Export, related: Related) -> Parts:
        """All facts that something of the person is sealed in, or was."""
        log, viewer = export.tenant.log, export.call.viewer(related.streams[0])
        for past, fact in of_these(await history(export.tenant, related.streams), related.uses):
            found = list(sealed_parts(past.stream, fact))
            keys = await log.keys_of(each.sealed.key_id for each in found) if found else {}
            await note_keys(log, viewer, [key_id for key_id, key in keys.items() if _opens(key, export.call)])
            texts = [text for each in found for text in self._texts(export, each, keys.get(each.sealed.key_id))]
            if texts:
                yield Part(fact=_fact(past, texts))

    def _texts(self, export: _Export, part: SealedPart, key: StoredKey | None) -> Iterator[pb.ExportedText]:
        if key is None:
            yield pb.ExportedText(name=part.name, erased=True)
        elif _opens(key, export.call):
            opened = self.sealer.of(export.tenant.schema).unseal(part.sealed, key, part.bound_to)
            for name, value in opened.items():
                yield pb.ExportedText(name=name, values=map(str, value) if isinstance(value, list) else [str(value)])


def _opens(key: StoredKey | None, call: Call) -> bool:
    return key is not None and (call.only is None or key.subject in call.only)


def _fact(past: Past, texts: Sequence[pb.ExportedText]) -> pb.ExportedFact:
    return pb.ExportedFact(stream=past.stream, name=past.topic, recorded_at=stamp(past.recorded_at), texts=texts)


def _ids(related: Related, prefix: str) -> Iterator[str]:
    """The ids of the streams of one kind."""
    for stream in related.streams:
        kind, _, its_id = stream.partition("-")
        if kind == prefix:
            yield its_id


async def _reads(tenant: Tenant, subjects: Iterable[str], until: datetime) -> Parts:
    """Who read of the person before, the newest first."""
    about, before = ReadFilter(sorted(subjects), None, FIRST, until), (LAST, 0)
    while found := await list_reads(tenant.log, about, before, _READS_AT_ONCE):
        before = found[-1].at, found[-1].read_id
        for each in found:
            yield Part(read=show_read(each))


def show_read(each: Read) -> pb.PersonalRead:
    about = orders.anchored(each.subject)
    return pb.PersonalRead(at=stamp(each.at), client=each.client, rpc=each.rpc, object=each.object, order_id=about)


def _count(counts: Counter[str], part: pb.ExportPersonResponse) -> None:
    match kind := part.WhichOneof("part"):
        case "file" if not part.file.case_id:
            return  # it goes on with the file before
        case "reception" if not part.reception.HasField("reception"):
            return
        case "inquiry":
            counts["inquiries"] += 1
        case _:
            counts[f"{kind}s"] += 1
    counts["erased"] += _is_erased(part)


def _is_erased(part: pb.ExportPersonResponse) -> bool:
    match part.WhichOneof("part"):
        case "order":
            return part.order.order.HasField("erased_at")
        case "case":
            return part.case.HasField("erased_at")
        case "inquiry":
            return part.inquiry.HasField("erased_at")
        case "message":
            return part.message.no_letter == _ERASED
        case "file":
            return part.file.erased
        case "reception":
            return part.reception.no_body == _ERASED
        case "fact":
            return any(text.erased for text in part.fact.texts)
        case _:
            return False
