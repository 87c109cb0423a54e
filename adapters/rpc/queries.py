"""Queries that read the log itself: an order, a parcel, a supplier, stock, histories, and the log as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from google.rpc import code_pb2

from adapters.rpc import answers, invoices, shapes
from adapters.rpc.asks.parcels import parcel_of
from adapters.rpc.asks.stock import items_of
from adapters.rpc.drawing import drawn
from adapters.rpc.server import Commands, Context, deadline_of, refusal_of, tenant_name, to_receipt
from adapters.rpc.statuses import MISTAKE, code_of
from adapters.tenants import Tenant, Tenants
from fulfilment.v1 import audit_pb2, batch_pb2, orders_pb2, parcels_pb2, stock_pb2, suppliers_pb2
from ledger.decisions import customs, invoice
from ledger.engine.executor import MOST_AT_ONCE, Command, Receipt
from ledger.engine.log import Past, without_the_last_too_long
from ledger.engine.registry import Registry
from ledger.engine.sealing import Sealer
from ledger.facts import Sealed, order_of
from ledger.nouns import (
    NOUNS,
    cases,
    orders,
    parcels,
    policies,
    recoveries,
    skus,
    stock,
    suppliers,
)
from ledger.nouns.choice import Candidate, choose
from ledger.nouns.policies import policy_at
from ledger.refusals import BeyondTheLog, Malformed, Refusal
from ledger.view import Entry, Folded

FACTS_A_PAGE = 500
_FOLLOW_SECONDS = 0.25
"""How often a stream that waits at the end of the log looks for more."""


class Reader:
    """Folds streams as the log holds them at this moment."""

    def __init__(self, tenants: Tenants) -> None:
        self.tenants = tenants
        self.registry = Registry(NOUNS)

    async def tenant(self, context: Context) -> Tenant:
        return await self.tenants.find(tenant_name(context))

    async def entries(self, tenant: Tenant, streams: Sequence[str], at_least: int) -> tuple[list[Entry], int]:
        """The streams folded, and a position that the answer is not older than."""
        shapes.require(at_least >= 0, "at_least", f"{at_least} is below 0")
        head, rows = await tenant.log.read_streams(streams)
        require_position(at_least, head)
        view = Folded(self.registry.fold_rows(streams, rows))
        return [view.entry(stream) for stream in streams], head


def require_position(at_least: int, head: int) -> None:
    if at_least > head:
        raise BeyondTheLog(at_least, head)


class PersonalReader(Reader):
    """Unseals what is about people for those who ask for it."""

    def __init__(self, tenants: Tenants, sealer: Sealer) -> None:
        super().__init__(tenants)
        self._sealer = sealer

    async def unsealed(self, tenant: Tenant, *sealed: tuple[Sealed | None, str]) -> dict[str, dict[str, Any]]:
        """What was sealed, each with what it is bound to, by the id of its key; without what was erased."""
        there = {each.key_id: (each, bound_to) for each, bound_to in sealed if each is not None}
        keys = await tenant.log.keys_of(there)
        return {
            key_id: self._sealer.unseal(each, wrapped, bound_to)
            for key_id, (each, bound_to) in there.items()
            if (wrapped := keys.get(key_id)) is not None
        }


def content_of(sealed: Sealed | None, said: Mapping[str, dict[str, Any]]) -> dict[str, Any] | None:
    """What is known of a person; None once it was erased."""
    return said.get(sealed.key_id) if sealed is not None else None


class OrderQueries(PersonalReader):
    """OrderService's reads."""

    async def GetOrder(self, request: orders_pb2.GetOrderRequest, context: Context) -> orders_pb2.GetOrderResponse:
        tenant = await self.tenant(context)
        order_id = shapes.order_id(request.order_id)
        order, version, position = await self._order(tenant, order_id, request.at_least)
        if not request.with_personal_data:
            return orders_pb2.GetOrderResponse(order=answers.order(order, version, None), position=position)
        # The note was sealed with what the shop sent; a later address or customer comes without it.
        placed = order.placed
        said = await self.unsealed(
            tenant,
            (placed.customer, placed.sealed_for or order_id),
            (order.customer, order.sealed_for),
            *((hold.note, order_id) for hold in order.holds),
        )
        notes = {key_id: each.get("note", "") for key_id, each in said.items()}
        note = notes.get(placed.customer.key_id, "") if placed.customer else ""
        found = answers.order(order, version, content_of(order.customer, said), note, notes)
        return orders_pb2.GetOrderResponse(order=found, position=position)

    async def GetCustoms(
        self, request: orders_pb2.GetCustomsRequest, context: Context
    ) -> orders_pb2.GetCustomsResponse:
        tenant = await self.tenant(context)
        order_id = shapes.order_id(request.order_id)
        order, _, position = await self._order(tenant, order_id, request.at_least)
        streams = {supplier_id: suppliers.stream(supplier_id) for supplier_id in customs.involved(order)}
        entries, _ = await self.entries(tenant, list(streams.values()), 0)
        found = {name: entry.state for name, entry in zip(streams, entries, strict=True) if entry.state is not None}
        return orders_pb2.GetCustomsResponse(
            incoterm=answers.incoterm(order.incoterm),
            total=answers.money(customs.total_of(order)),
            states=[answers.customs_state(each) for each in customs.standings(order, found)],
            position=position,
        )

    async def GetCommercialInvoice(
        self, request: orders_pb2.GetCommercialInvoiceRequest, context: Context
    ) -> orders_pb2.GetCommercialInvoiceResponse:
        tenant = await self.tenant(context)
        supplier_order_id = shapes.supplier_order_id(request.supplier_order_id)
        parcel = parcel_of(request) if request.carrier or request.tracking_number else None
        order, _, position = await self._order(tenant, order_of(supplier_order_id), request.at_least)
        supplier_id = order.supplier_order(supplier_order_id).supplier_id
        stream = suppliers.stream(supplier_id)
        (supplier, terms), _ = await self.entries(tenant, [stream, policies.stream()], 0)
        sender = suppliers.known(supplier.state, supplier_id)
        bill = invoice.draw_up(
            order, supplier_order_id, sender, policy_at(terms.state, datetime.now(UTC)).seller, parcel
        )
        customer, address = order.customer, sender.registered.return_address
        people = await self.unsealed(tenant, (customer, order.sealed_for), (address, stream))
        said = invoices.message(bill, content_of(customer, people), content_of(address, people))
        pdf = await drawn(said) if request.with_pdf else b""
        return orders_pb2.GetCommercialInvoiceResponse(invoice=said, pdf=pdf, position=position)

    async def _order(self, tenant: Tenant, order_id: str, at_least: int) -> tuple[orders.Order, int, int]:
        """The order, its version, and the position that it was read at."""
        (entry,), position = await self.entries(tenant, [orders.stream(order_id)], at_least)
        return orders.known(entry.state, order_id), entry.version, position


class StockQueries(Reader):
    """StockService's reads."""

    async def GetStock(self, request: stock_pb2.GetStockRequest, context: Context) -> stock_pb2.GetStockResponse:
        items = items_of(request.items)
        streams = [stock.stream(*item) for item in items]
        entries, position = await self.entries(await self.tenant(context), streams, request.at_least)
        levels = [answers.stock_level(item, entry.state) for item, entry in zip(items, entries, strict=True)]
        return stock_pb2.GetStockResponse(levels=levels, position=position)


class SupplierQueries(PersonalReader):
    """SupplierService's reads."""

    async def GetSupplier(
        self, request: suppliers_pb2.GetSupplierRequest, context: Context
    ) -> suppliers_pb2.GetSupplierResponse:
        supplier_id = shapes.plain_id(request.supplier_id, "supplier_id")
        tenant, stream = await self.tenant(context), suppliers.stream(supplier_id)
        (entry,), position = await self.entries(tenant, [stream], request.at_least)
        state = suppliers.known(entry.state, supplier_id)
        contact, address = state.registered.contact, state.registered.return_address
        said = await self.unsealed(tenant, (contact, stream), (address, stream)) if request.with_personal_data else {}
        supplier = answers.supplier(
            state,
            entry.version,
            (content_of(contact, said) or {}).get("contact", ""),
            (content_of(address, said) or {}).get("address", ""),
        )
        return suppliers_pb2.GetSupplierResponse(supplier=supplier, position=position)

    async def GetSku(self, request: suppliers_pb2.GetSkuRequest, context: Context) -> suppliers_pb2.GetSkuResponse:
        sku = shapes.sku(request.sku, "sku")
        units = shapes.count(request.units, "units") or 1
        tenant = await self.tenant(context)
        (listed,), at = await self.entries(tenant, [skus.stream(sku)], request.at_least)
        ids = listed.state.suppliers if listed.state else ()
        streams = [*map(suppliers.stream, ids), *(stock.stream(supplier_id, sku) for supplier_id in ids)]
        entries, position = await self.entries(tenant, streams, at)
        candidates = [
            Candidate(supplier_id, known.state, own.state.available if own.state and own.state.tracked else None)
            for supplier_id, known, own in zip(ids, entries[: len(ids)], entries[len(ids) :], strict=True)
        ]
        return suppliers_pb2.GetSkuResponse(choice=answers.choice(choose(sku, units, candidates)), position=position)


class ParcelQueries(PersonalReader):
    """ParcelService's reads."""

    async def GetParcel(self, request: parcels_pb2.GetParcelRequest, context: Context) -> parcels_pb2.GetParcelResponse:
        carrier, number = parcel_of(request)
        tenant, stream = await self.tenant(context), parcels.stream(carrier, number)
        (entry,), position = await self.entries(tenant, [stream], request.at_least)
        state = parcels.known(entry.state, carrier, number)
        sealed = [*(scan.message for scan in state.checkpoints), *(proof.signed_by for proof in state.proofs)]
        said = await self.unsealed(tenant, *((each, stream) for each in sealed)) if request.with_personal_data else {}
        return parcels_pb2.GetParcelResponse(parcel=answers.parcel(state, entry.version, said), position=position)


class AuditQueries(Reader):
    """AuditService: the facts themselves."""

    async def GetHistory(self, request: audit_pb2.GetHistoryRequest, context: Context) -> audit_pb2.GetHistoryResponse:
        tenant = await self.tenant(context)
        if request.case_id:
            case_id = shapes.plain_id(request.case_id, "case_id")
            streams = [cases.stream(case_id)]
            (entry,), head = await self.entries(tenant, streams, request.at_least)
            labels = cases.known(entry.state, case_id).labels.values()
            parcels_of = [parcels.stream(each.carrier, each.number) for each in labels if each.number]
        elif request.recovery_id:
            recovery_id = shapes.recovery_id(request.recovery_id)
            streams = [recoveries.stream(recovery_id)]
            (entry,), head = await self.entries(tenant, streams, request.at_least)
            about = recoveries.known(entry.state, recovery_id).subject
            parcels_of = [parcels.stream(about.carrier, about.number)] if about.number else []
        elif request.supplier_id:
            supplier_id = shapes.plain_id(request.supplier_id, "supplier_id")
            streams, parcels_of = [suppliers.stream(supplier_id)], []
            (entry,), head = await self.entries(tenant, streams, request.at_least)
            suppliers.known(entry.state, supplier_id)
        else:
            order_id = shapes.order_id(request.order_id)
            streams = [orders.stream(order_id)]
            (entry,), head = await self.entries(tenant, streams, request.at_least)
            shipments = orders.known(entry.state, order_id).shipments
            parcels_of = [parcels.stream(each.carrier, each.number) for each in shipments]
        if request.with_parcels:
            streams += parcels_of
        page = shapes.page(request)
        rows = await tenant.log.history(streams, page.after(int) or 0, page.limit)
        if len(fitting := without_the_last_too_long(rows)) < len(rows):
            page = page._replace(size=min(len(fitting), page.limit - 1))
        shown, more = page.cut(rows, [past.position for past in rows])
        facts = [_stored(past) for past in shown]
        return audit_pb2.GetHistoryResponse(facts=facts, next_page_token=more, position=head)

    async def GetOrderAsOf(
        self, request: audit_pb2.GetOrderAsOfRequest, context: Context
    ) -> orders_pb2.GetOrderResponse:
        tenant = await self.tenant(context)
        order_id = shapes.order_id(request.order_id)
        which = request.WhichOneof("as_of")
        shapes.require(which is not None, "position", "is required, or recorded_until")
        position = request.position if which == "position" else None
        until = shapes.instant(request, "recorded_until") if which == "recorded_until" else None
        head = await tenant.log.head()
        if position is not None:
            shapes.require(position > 0, "position", "is not positive")
            require_position(position, head)
        stream = orders.stream(order_id)
        facts = await tenant.log.read_stream(stream, position, until)
        rows = [(fact.stream, fact.version, fact.topic, fact.state) for fact in facts]
        entry = Folded(self.registry.fold_rows([stream], rows)).entry(stream)
        order = answers.order(orders.known(entry.state, order_id), entry.version, None)
        return orders_pb2.GetOrderResponse(order=order, position=position or head)

    async def StreamFacts(
        self, request: audit_pb2.StreamFactsRequest, context: Context
    ) -> AsyncIterator[audit_pb2.StreamFactsResponse]:
        tenant = await self.tenant(context)
        shapes.require(request.after >= 0, "after", f"{request.after} is below 0")
        after = request.after
        require_position(after, await tenant.log.head())
        while True:
            page = without_the_last_too_long(await tenant.log.read_past(after, FACTS_A_PAGE))
            if page:
                after = page[-1].position
                yield audit_pb2.StreamFactsResponse(facts=[_stored(past) for past in page])
            elif not request.follow or self.tenants.closing:
                return
            else:
                await asyncio.sleep(_FOLLOW_SECONDS)


def _stored(past: Past) -> audit_pb2.StoredFact:
    return audit_pb2.StoredFact(
        position=past.position,
        stream=past.stream,
        version=past.version,
        name=past.topic,
        json=past.state.decode(),
        recorded_at=answers.stamp(past.recorded_at),
        actor=past.actor,
        request_id=past.command or "",
    )


class BatchCommands:
    """BatchService: many commands, an outcome each."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def ExecuteBatch(
        self, request: batch_pb2.ExecuteBatchRequest, context: Context
    ) -> batch_pb2.ExecuteBatchResponse:
        size = len(request.commands)
        shapes.require(0 < size <= MOST_AT_ONCE, "commands", f"{size} commands, 1 to {MOST_AT_ONCE} are taken")
        tenant = await self._commands.tenants.find(tenant_name(context))
        deadline = deadline_of(context)
        read: list[Command | Refusal | None] = []
        for index, each in enumerate(request.commands):
            read.append(await self._read(tenant, each, index, deadline))
            if index % 50 == 49:
                await asyncio.sleep(0)  # let the calls of others in between
        decided = iter(await tenant.ledger.execute_many([each for each in read if isinstance(each, Command)]))
        outcomes = [_outcome(next(decided) if isinstance(each, Command) else each) for each in read]
        return batch_pb2.ExecuteBatchResponse(outcomes=outcomes)

    async def _read(
        self, tenant: Tenant, each: batch_pb2.BatchCommand, index: int, deadline: float | None
    ) -> Command | Refusal | None:
        """The command, or why it is none; None for a mistake of ours."""
        which = each.WhichOneof("command")
        if which is None:
            return Malformed((f"commands[{index}]", "names no command"))
        try:
            return await self._commands.read_ahead(tenant, getattr(each, which), deadline)
        except Malformed as refusal:
            return refusal.within(f"commands[{index}].{which}")
        except Exception as error:  # noqa: BLE001 - one command that cannot be read spoils no other
            return refusal_of(error)


def _outcome(answer: Receipt | Exception | None) -> batch_pb2.BatchOutcome:
    if isinstance(answer, Receipt):
        return batch_pb2.BatchOutcome(receipt=to_receipt(answer))
    if isinstance(answer, Refusal):
        refusal = batch_pb2.BatchRefusal(
            code=code_of(answer), reason=answer.reason, message=answer.message, details=answer.details
        )
    else:
        refusal = batch_pb2.BatchRefusal(code=code_pb2.INTERNAL, reason="INTERNAL", message=MISTAKE.details)
    return batch_pb2.BatchOutcome(refusal=refusal)
