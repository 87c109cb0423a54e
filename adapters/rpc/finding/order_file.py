"""The whole file of an order, for an auditor: one document of all that the ledger knows about it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from adapters import evidence
from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.faults import require
from adapters.rpc.finding.in_words import InWords, in_words, names, reader_of
from adapters.rpc.finding.order_page import Cell, Row, Section, page
from adapters.rpc.finding.order_tables import OrderBelongings, Tables
from adapters.rpc.finding.person_export import PersonExport
from adapters.rpc.finding.related import Related, related_to
from adapters.rpc.finding.timeline import history, of_these, written
from adapters.rpc.sealing import content_of
from adapters.sentences import SentenceReader
from adapters.streams import read
from adapters.tenants import Tenant
from fulfilment.v1 import audit_pb2 as pb
from fulfilment.v1 import cases_pb2, inquiries_pb2, orders_pb2
from ledger.engine.log_rows import Past
from ledger.engine.request_ids import sent_id
from ledger.engine.statements import in_schema
from ledger.nouns import cases, inquiries, messages, orders, parcels, recoveries
from ledger.nouns.orders import Order
from projections.machine.reads import Where

_PIECE_BYTES = 1 << 20
_NAMED_BY = ("order_id", "supplier_order_id", "case_id", "recovery_id", "inquiry_id", "message_id", "number")
"""Figures of a refusal that name what belongs to an order."""
# A refusal is kept with the streams that its command was about; one of before is found by what its figures name.
_COMMANDS = """
    SELECT request_id, actor, decided_at, position, refusal, warnings FROM {schema}.ledger_commands
    WHERE request_id = ANY(%(done)s)
    UNION
    SELECT request_id, actor, decided_at, position, refusal, warnings FROM {schema}.ledger_commands
    WHERE refusal IS NOT NULL AND position >= %(since)s AND position <= %(until)s AND (
        refusal -> 'about' ?| %(streams)s OR EXISTS (
            SELECT FROM jsonb_each_text(refusal -> 'details') AS figure
            WHERE figure.key = ANY(%(keys)s) AND figure.value = ANY(%(values)s)
        )
    )
    ORDER BY decided_at, request_id
"""


class _Command(NamedTuple):
    request_id: str
    actor: str
    decided_at: datetime
    position: int
    refusal: Mapping[str, Any] | None
    warnings: Sequence[str] | None


class _Told(NamedTuple):
    """A fact, in words, with what somebody wrote in it."""

    past: Past
    words: InWords
    wrote: str


class WholeOrderFiles(PersonExport):
    """AuditService.GetOrderFile."""

    async def GetOrderFile(self, request: pb.GetOrderFileRequest, call: Call) -> AsyncIterator[pb.GetOrderFileResponse]:
        known = request.format in (pb.ORDER_FILE_FORMAT_HTML, pb.ORDER_FILE_FORMAT_JSON)
        require(known, "format", "is required: ORDER_FILE_FORMAT_HTML or ORDER_FILE_FORMAT_JSON")
        order_id, reader = shapes.order_id(request.order_id), reader_of(request)
        tenant, personal = await self.tenant(call), request.with_personal_data
        asked = orders_pb2.GetOrderRequest(order_id=order_id, with_personal_data=personal)
        shown = (await self._orders.GetOrder(asked, call)).order
        entry, _ = await self.entry(tenant, orders.stream(order_id))
        order: Order = orders.known(entry.state, order_id)
        head = await tenant.log.head()
        related = await related_to(order, tenant, Where(self.tenants.pool, tenant.schema, head))
        told, reader = await self._history(tenant, order, related, reader, call if personal else None)
        of = await _belongings(tenant, order, related)
        made = _Made(tenant.name, call.caller.name, datetime.now(UTC), head, personal)
        commands = await _commands(tenant, related, order, told, head)
        if request.format == pb.ORDER_FILE_FORMAT_HTML:
            make = partial(_page, made, shown, of, told, commands, reader)
        else:
            parts = await self._parts(related, call, personal)
            make = partial(_json, made, shown, told, commands, of, parts, reader)
        # By a thread: a thousand lines take a tenth of a second.
        data = (await asyncio.to_thread(make)).encode()
        for start in range(0, len(data), _PIECE_BYTES):
            yield pb.GetOrderFileResponse(data=data[start : start + _PIECE_BYTES])
        end = pb.OrderFileEnd(size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), position=head)
        yield pb.GetOrderFileResponse(end=end)

    async def _history(
        self, tenant: Tenant, order: Order, related: Related, reader: SentenceReader, call: Call | None
    ) -> tuple[list[_Told], SentenceReader]:
        """All facts, and the reader with the names that it needs for them."""
        rows = await history(tenant, related.streams)
        own = list(of_these(rows, related.uses))
        words = await in_words(tenant, rows, reader)
        named = await names(tenant, rows, {order.order_id})
        skus = named.skus.get(order.order_id, {})
        knowing = reader._replace(suppliers=named.suppliers, skus=skus, currency=order.currency)
        by_position = dict(zip((past.position for past in rows), words, strict=True))
        sealed = [written(past.stream, fact) for past, fact in own]
        unsealed = await self.unsealed(tenant, call, related.streams[0], *sealed) if call is not None else {}
        wrote = [", ".join(map(str, (content_of(each, unsealed) or {}).values())) for each, _ in sealed]
        told = [_Told(past, by_position[past.position], text) for (past, _), text in zip(own, wrote, strict=True)]
        return told, knowing

    async def _parts(self, related: Related, call: Call, personal: bool) -> dict[str, list[Any]]:
        """Cases and questions as their own RPCs answer them."""
        found: dict[str, list[Any]] = {"cases": [], "inquiries": []}
        for stream in related.streams:
            kind, _, its_id = stream.partition("-")
            if kind == cases.NOUN.prefix:
                case = cases_pb2.GetCaseRequest(case_id=its_id, with_personal_data=personal)
                found["cases"].append(_as_json((await self._cases.GetCase(case, call)).case))
            elif kind == inquiries.NOUN.prefix:
                inquiry = inquiries_pb2.GetInquiryRequest(inquiry_id=its_id, with_personal_data=personal)
                found["inquiries"].append(_as_json((await self._inquiries.GetInquiry(inquiry, call)).inquiry))
        return found


class _Made(NamedTuple):
    """How the file came to be."""

    tenant: str
    by: str
    at: datetime
    position: int
    personal: bool


async def _belongings(tenant: Tenant, order: Order, related: Related) -> OrderBelongings:
    view, _ = await read(tenant.log, related.streams)

    def of(noun: Any) -> dict[str, Any]:
        found = {stream.partition("-")[2]: stream for stream in related.streams if stream.startswith(f"{noun.prefix}-")}
        states = {its_id: view.state(stream) for its_id, stream in found.items()}
        return {its_id: state for its_id, state in states.items() if state is not None}  # a message may only be due

    uses = [use for parcel in of(parcels.NOUN).values() for use in parcels.uses(parcel)]
    own = [use for use in uses if (use.carrier, use.number, use.epoch) in related.uses]
    cases_of = list(of(cases.NOUN).values())
    kept = [
        each.sha256
        for case in cases_of
        for each in case.evidence.values()
        if await evidence.is_kept(tenant.log, evidence.Kept(each.sha256, evidence.subject_of(case)))
    ]
    owed, asked, told = of(recoveries.NOUN), of(inquiries.NOUN), of(messages.NOUN)
    return OrderBelongings(
        order=order, parcels=own, cases=cases_of, recoveries=owed, inquiries=asked, messages=told, kept=frozenset(kept)
    )


async def _commands(
    tenant: Tenant, related: Related, order: Order, told: Sequence[_Told], until: int
) -> list[_Command]:
    named = [stream.partition("-")[2] for stream in related.streams]
    named += [*order.supplier_orders, *(number for _, number, _ in related.uses)]
    asked = {
        "done": list({each.past.command for each in told if each.past.command}),
        "since": told[0].past.position,
        "until": until,
        "keys": list(_NAMED_BY),
        "values": named,
        "streams": list(related.streams),
    }
    query = in_schema(_COMMANDS, tenant.schema)
    async with tenant.log.pool.connection() as connection:
        return [_Command(*row) for row in await (await connection.execute(query, asked)).fetchall()]


# --- as a page --------------------------------------------------------------------------------------


def _page(
    made: _Made,
    shown: orders_pb2.Order,
    of: OrderBelongings,
    told: Sequence[_Told],
    commands: Sequence[_Command],
    reader: SentenceReader,
) -> str:
    tables = Tables(reader)
    sections = [*tables.sections(of)]
    happened = Section(
        "history", ["position", "happened", "recorded", "who", "what"], [_fact(each, tables) for each in told]
    )
    asked = Section(
        "commands", ["request", "at", "who", "outcome"], [_command(each, told, tables) for each in commands]
    )
    order = of.order
    customer, goes = shown.customer, shown.ship_to
    address = ", ".join(filter(None, [*goes.lines, goes.postal_code, goes.city, goes.region, goes.country]))
    facts = [
        ("tenant", made.tenant),
        ("made_at", reader.moment(made.at)),
        ("made_by", made.by or reader.phrase("nobody")),
        ("zone", reader.zone or "UTC"),
        ("log", str(made.position)),
        ("personal", tables.word("personal_shown" if made.personal else "personal_sealed")),
        ("state", tables.text("header", order.header)),
        ("payment", tables.text("payment", order.payment)),
        ("promised", reader.moment(order.promised_by) if order.promised_by else str(order.promised_day or "")),
        ("customer", ", ".join(filter(None, [customer.name, customer.email, customer.phone]))),
        ("ship_to", address or order.destination.country),
    ]
    title = tables.word("title").format(order_id=order.order_id)
    wanted = [(name, text) for name, text in facts if text]
    return page(title, wanted, [*sections[:2], happened, asked, *sections[2:]], reader)


def _fact(each: _Told, tables: Tables) -> Row:
    past, words, reader = each.past, each.words, tables.reader
    changed = reader.phrase("changed", changes=reader.phrase("list").join(words.changes)) if words.changes else ""
    below = [("wrote", each.wrote), ("changed", changed), ("more", f"{past.topic} · {past.stream}")]
    return {
        "position": str(past.position),
        "happened": tables.at(words.happened_at),
        "recorded": tables.at(past.recorded_at),
        "who": words.who or reader.phrase("nobody"),
        "what": Cell(words.what, below),
    }


def _command(command: _Command, told: Sequence[_Told], tables: Tables) -> Row:
    positions = _positions(command, told)
    if command.refusal is not None:
        reason = str(command.refusal.get("reason", ""))
        below = [("", str(command.refusal.get("message", ""))), ("more", reason)]
        outcome = Cell(tables.word("refused"), below, "refused")
    else:
        facts = tables.word("facts").format(positions=", ".join(map(str, positions)))
        warned = [("more", warning) for warning in command.warnings or ()]
        outcome = Cell(tables.word("applied"), [("more", facts), *warned])
    return {
        "request": sent_id(command.request_id),
        "at": tables.at(command.decided_at),
        "who": command.actor or tables.reader.phrase("nobody"),
        "outcome": outcome,
    }


def _positions(command: _Command, told: Sequence[_Told]) -> list[int]:
    return [each.past.position for each in told if each.past.command == command.request_id]


# --- as JSON ----------------------------------------------------------------------------------------


def _tables(of: OrderBelongings, reader: SentenceReader) -> dict[str, list[Any]]:
    """What stands in the tables of the page, as they tell it."""

    def plain(cell: Cell | str) -> str:
        shown = Cell(cell) if isinstance(cell, str) else cell
        return "; ".join(filter(None, [shown.text, *(text for _, text in shown.below)]))

    sections = Tables(reader).sections(of)
    return {each.name: [{name: plain(cell) for name, cell in row.items()} for row in each.rows] for each in sections}


def _json(
    made: _Made,
    shown: orders_pb2.Order,
    told: Sequence[_Told],
    commands: Sequence[_Command],
    of: OrderBelongings,
    parts: Mapping[str, list[Any]],
    reader: SentenceReader,
) -> str:
    document = {
        "order_id": shown.order_id,
        "tenant": made.tenant,
        "made_at": made.at.isoformat(),
        "made_by": made.by,
        "position": made.position,
        "language": reader.language,
        "time_zone": reader.zone or "UTC",
        "with_personal_data": made.personal,
        "order": _as_json(shown),
        "facts": [_fact_as_json(each, reader) for each in told],
        "commands": [_command_as_json(each, told) for each in commands],
        **_tables(of, reader),
        **parts,
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _as_json(message: Message) -> Any:
    return MessageToDict(message, preserving_proto_field_name=True)


def _fact_as_json(each: _Told, reader: SentenceReader) -> dict[str, Any]:
    past = each.past
    return {
        "position": past.position,
        "stream": past.stream,
        "version": past.version,
        "name": past.topic,
        "happened_at": each.words.happened_at.isoformat(),
        "recorded_at": past.recorded_at.isoformat(),
        "actor": past.actor,
        "request_id": sent_id(past.command or ""),
        "sentence": each.words.line(past, reader),
        "changes": list(each.words.changes),
        "written": each.wrote,
        "content": json.loads(past.state),
    }


def _command_as_json(command: _Command, told: Sequence[_Told]) -> dict[str, Any]:
    return {
        "request_id": sent_id(command.request_id),
        "actor": command.actor,
        "decided_at": command.decided_at.isoformat(),
        "position": command.position,
        "outcome": "refused" if command.refusal is not None else "applied",
        "facts": _positions(command, told),
        "refusal": command.refusal,
        "warnings": command.warnings or [],
    }
