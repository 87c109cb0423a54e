"""AuditService: the facts themselves, one by one and as a stream, and who read personal data."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from fnmatch import fnmatchcase

import msgspec
from msgspec.structs import replace

from adapters.fact_schemas import FactSchema, fact_schemas
from adapters.people.personal_reads import ReadFilter, list_reads, note_subjects
from adapters.rpc import shapes
from adapters.rpc.admin import erasing
from adapters.rpc.admin.erasing import KnownBy
from adapters.rpc.calls import Call
from adapters.rpc.faults import require
from adapters.rpc.finding.in_words import decoded, in_words, reader_of
from adapters.rpc.finding.order_file import WholeOrderFiles
from adapters.rpc.finding.person_export import show_read
from adapters.rpc.finding.timeline import written
from adapters.rpc.listing import listed, page, period
from adapters.rpc.orders.shows import order
from adapters.rpc.queries import require_position
from adapters.rpc.sealing import content_of
from adapters.rpc.shows import stamp
from adapters.tenants import Tenant
from fulfilment.v1 import audit_pb2 as pb
from fulfilment.v1 import common_pb2, orders_pb2
from ledger.engine import selection
from ledger.engine.log_rows import Past, without_the_last_too_long
from ledger.engine.request_ids import sent_id
from ledger.nouns import cases, orders, parcels, recoveries, suppliers
from ledger.nouns.orders.refusals import UnknownOrder
from projections.machine.reads import FIRST, LAST, Answer

_LONGEST_NAME = 100
_MOST_NAMES = 50
_LONGEST_STREAM = 500
_LONGEST_CLIENT = 300
"""Its name, and whom of its people it is."""
_FOLLOW_SECONDS = 0.25
"""How often a stream that waits at the end of the log looks for more."""
_SILENT_SECONDS = 1.0
"""After so long a stream that finds nothing says how far it is."""


class AuditQueries(WholeOrderFiles):
    """AuditService."""

    async def GetHistory(self, request: pb.GetHistoryRequest, call: Call) -> pb.GetHistoryResponse:
        tenant = await self.tenant(call)
        own, touched, head = await self._about(tenant, request)
        streams = [own, *(parcels.stream(*parcel) for parcel in touched if request.with_parcels)]
        wanted = page(request)
        rows = await tenant.log.history(streams, wanted.after(int) or 0, wanted.limit)
        if len(fitting := without_the_last_too_long(rows)) < len(rows):
            wanted = wanted._replace(size=min(len(fitting), wanted.limit - 1))
        shown, more = wanted.cut(rows, [past.position for past in rows])
        answer = listed(pb.GetHistoryResponse, "facts", Answer(shown, head, more), _stored)
        if request.language:
            reader = reader_of(request)
            for told, past, fact in zip(await in_words(tenant, shown, reader), shown, answer.facts, strict=True):
                fact.sentence = told.line(past, reader)
        if request.with_personal_data:
            await self._add_texts(tenant, shown, answer.facts, own, call)
        return answer

    async def _add_texts(
        self, tenant: Tenant, rows: Sequence[Past], facts: Sequence[pb.StoredFact], about: str, call: Call
    ) -> None:
        """What somebody wrote in each, as far as it was not erased."""
        sealed = [written(past.stream, decoded(past)) for past in rows]
        unsealed = await self.unsealed(tenant, call, about, *sealed)
        for (each, _), fact in zip(sealed, facts, strict=True):
            fact.written = ", ".join(map(str, (content_of(each, unsealed) or {}).values()))

    async def _about(self, tenant: Tenant, request: pb.GetHistoryRequest) -> tuple[str, list[tuple[str, str]], int]:
        """The stream whose history is asked for, the parcels that belong to it, and the head of the log."""
        if request.case_id:
            case_id = shapes.plain_id(request.case_id, "case_id")
            stream = cases.stream(case_id)
            entry, head = await self.entry(tenant, stream, request.at_least)
            labels = cases.known(entry.state, case_id).labels.values()
            return stream, [(each.carrier, each.number) for each in labels if each.number], head
        if request.recovery_id:
            recovery_id = shapes.recovery_id(request.recovery_id)
            stream = recoveries.stream(recovery_id)
            entry, head = await self.entry(tenant, stream, request.at_least)
            about = recoveries.known(entry.state, recovery_id).subject
            return stream, [(about.carrier, about.number)] if about.number else [], head
        if request.supplier_id:
            supplier_id = shapes.plain_id(request.supplier_id, "supplier_id")
            stream = suppliers.stream(supplier_id)
            entry, head = await self.entry(tenant, stream, request.at_least)
            suppliers.known(entry.state, supplier_id)
            return stream, [], head
        order_id = shapes.order_id(request.order_id)
        stream = orders.stream(order_id)
        entry, head = await self.entry(tenant, stream, request.at_least)
        reported = orders.known(entry.state, order_id).reported_parcels
        return stream, list(dict.fromkeys((carrier, number) for carrier, number, _ in reported)), head

    async def GetOrderAsOf(self, request: pb.GetOrderAsOfRequest, call: Call) -> orders_pb2.GetOrderResponse:
        order_id = shapes.order_id(request.order_id)
        which = request.WhichOneof("as_of")
        require(which is not None, "position", "is required, or recorded_until")
        as_of = common_pb2.AsOf(**{which or "": getattr(request, which or "order_id")})
        past = replace(call, as_of=await self.moment(orders_pb2.GetOrderRequest(as_of=as_of), call))
        entry, position = await self.entry(await self.tenant(past), orders.stream(order_id))
        shown = order(orders.known(entry.state, order_id), entry.version, None)
        return orders_pb2.GetOrderResponse(order=shown, position=position)

    async def StreamFacts(self, request: pb.StreamFactsRequest, call: Call) -> AsyncIterator[pb.StreamFactsResponse]:
        wanted = _selected(request)
        tenant = await self.tenant(call)
        require(request.after >= 0, "after", f"{request.after} is below 0")
        require_position(request.after, await tenant.log.head())
        # Whoever follows may wait for an order that is to come.
        if wanted.stream and not request.follow and not await tenant.log.history([wanted.stream], 0, 1):
            raise UnknownOrder(shapes.order_id(request.order_id))
        selected, told, now = selection.SelectedFacts(tenant.log, wanted, request.after), request.after, time.monotonic
        await selected.begin()
        told_at = now()
        while True:
            facts = await selected.step()
            ends = selected.is_at_end and (not request.follow or selected.is_over or self.tenants.closing)
            is_silent = selected.position > told and (ends or now() - told_at > _SILENT_SECONDS)
            if facts or is_silent:
                told, told_at = selected.position, now()
                yield pb.StreamFactsResponse(facts=[_stored(past) for past in facts], position=told)
            if ends:
                return
            if selected.is_at_end:
                await asyncio.sleep(_FOLLOW_SECONDS)

    async def ListFactSchemas(self, request: pb.ListFactSchemasRequest, call: Call) -> pb.ListFactSchemasResponse:
        await self.tenant(call)
        wanted = page(request)
        pattern = shapes.text(request.name, "name", _LONGEST_NAME) or "*"
        after = wanted.after(str) or ""
        found = [
            each for name, each in fact_schemas().items() if name > after and fnmatchcase(name, _only_stars(pattern))
        ]
        shown, more = wanted.cut(found[: wanted.limit], [each.name for each in found])
        return pb.ListFactSchemasResponse(schemas=map(_schema, shown), next_page_token=more)

    async def ListReads(self, request: pb.ListReadsRequest, call: Call) -> pb.ListReadsResponse:
        wanted, (since, until) = page(request), period(request)
        client = shapes.text(request.client, "client", _LONGEST_CLIENT) if request.HasField("client") else None
        whose = erasing.known_by(request) if request.WhichOneof("person") else None
        tenant = await self.tenant(call)
        subjects = await self._subjects(tenant, whose, call) if whose is not None else None
        about = ReadFilter(subjects, client, since or FIRST, until or LAST)
        found = await list_reads(tenant.log, about, wanted.after(tuple[datetime, int]) or (LAST, 0), wanted.limit)
        shown, more = wanted.cut(found, [(each.at, each.read_id) for each in found])
        return pb.ListReadsResponse(reads=map(show_read, shown), next_page_token=more)

    async def _subjects(self, tenant: Tenant, whose: KnownBy, call: Call) -> list[str]:
        """Whose reads are asked for."""
        viewer = None if whose.order_id else call.viewer("customer")
        subjects = sorted(await erasing.subjects(tenant, self.sealer, whose))
        if viewer is not None:
            await note_subjects(tenant.log, viewer, [each for each in subjects if orders.anchored(each)])
        return subjects


def _only_stars(pattern: str) -> str:
    """For fnmatch, to which brackets and question marks mean something, too."""
    return re.sub(r"[\[?]", r"[\g<0>]", pattern)


def _schema(fact: FactSchema) -> pb.FactSchema:
    schema = msgspec.json.encode(fact.schema).decode()
    return pb.FactSchema(name=fact.name, meaning=fact.meaning, since=fact.since, json_schema=schema)


def _stored(past: Past) -> pb.StoredFact:
    return pb.StoredFact(
        position=past.position,
        stream=past.stream,
        version=past.version,
        name=past.topic,
        json=past.state.decode(),
        recorded_at=stamp(past.recorded_at),
        actor=past.actor,
        request_id=sent_id(past.command or ""),
    )


def _selected(request: pb.StreamFactsRequest) -> selection.Selection:
    require(not (request.order_id and request.stream_prefix), "stream_prefix", "is given beside order_id")
    require(len(request.names) <= _MOST_NAMES, "names", f"has {len(request.names)} names; {_MOST_NAMES} are the most")
    order_id = shapes.optional(lambda value, _: shapes.order_id(value), request.order_id, "order_id")
    since, until = period(request)
    return selection.Selection(
        stream=orders.stream(order_id) if order_id else "",
        prefix=shapes.text(request.stream_prefix, "stream_prefix", _LONGEST_STREAM),
        names=[shapes.text(name, f"names[{n}]", _LONGEST_NAME, required=True) for n, name in enumerate(request.names)],
        actor=shapes.text(request.actor, "actor", _LONGEST_CLIENT),
        since=since,
        until=until,
    )
