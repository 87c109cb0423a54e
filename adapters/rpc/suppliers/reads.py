"""SupplierService's reads."""

from __future__ import annotations

from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.sealing import PersonalQueries, content_of
from adapters.rpc.shows import choice
from adapters.rpc.suppliers import shows
from fulfilment.v1 import suppliers_pb2 as pb
from ledger.engine.sealing import placed
from ledger.nouns import skus, stock, suppliers
from ledger.nouns.choice import Candidate, choose


class SupplierQueries(PersonalQueries):
    """SupplierService's reads."""

    async def GetSupplier(self, request: pb.GetSupplierRequest, call: Call) -> pb.GetSupplierResponse:
        supplier_id = shapes.plain_id(request.supplier_id, "supplier_id")
        tenant, stream = await self.tenant(call), suppliers.stream(supplier_id)
        entry, position = await self.entry(tenant, stream, request.at_least)
        state = suppliers.known(entry.state, supplier_id)
        contact, address = state.master.contact, state.master.return_address
        sealed = (contact, placed(stream, "contact")), (address, placed(stream, "return_address"))
        unsealed = await self.unsealed(tenant, call, stream, *sealed) if request.with_personal_data else {}
        supplier = shows.supplier(
            state,
            entry.version,
            (content_of(contact, unsealed) or {}).get("contact", ""),
            (content_of(address, unsealed) or {}).get("address", ""),
        )
        return pb.GetSupplierResponse(supplier=supplier, position=position)

    async def GetSku(self, request: pb.GetSkuRequest, call: Call) -> pb.GetSkuResponse:
        sku = shapes.sku(request.sku, "sku")
        units = shapes.count(request.units, "units") or 1
        tenant = await self.tenant(call)
        listed, at = await self.entry(tenant, skus.stream(sku), request.at_least)
        ids = listed.state.suppliers if listed.state else ()
        streams = [*map(suppliers.stream, ids), *(stock.stream(supplier_id, sku) for supplier_id in ids)]
        entries, position = await self.entries(tenant, streams, at)
        candidates = [
            Candidate(supplier_id, known.state, own.state.available if own.state and own.state.tracked else None)
            for supplier_id, known, own in zip(ids, entries[: len(ids)], entries[len(ids) :], strict=True)
        ]
        master = shows.sku_master(listed.state.master) if listed.state and listed.state.master else None
        return pb.GetSkuResponse(
            master=master, choice=choice(choose(sku, units, candidates, call.now)), position=position
        )
