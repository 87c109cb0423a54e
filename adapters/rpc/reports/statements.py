"""What is owed to and by a supplier."""

from __future__ import annotations

from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.listing import listed, page
from adapters.rpc.queries import Queries
from adapters.rpc.shows import number_of, stamp
from adapters.rpc.windows import asked_window
from fulfilment.v1 import common_pb2
from fulfilment.v1 import statements_pb2 as pb
from projections import statements

_statement_kind = number_of(pb.StatementKind)


class StatementQueries(Queries):
    async def GetStatement(self, request: pb.GetStatementRequest, call: Call) -> pb.GetStatementResponse:
        supplier_id = shapes.plain_id(request.supplier_id, "supplier_id")
        where, window = await self.where(request, call), asked_window(request, now=call.now)
        await self.require_supplier(supplier_id, call)
        answer = await statements.get_statement(where, supplier_id, window.since, window.until)
        (statement,) = answer.rows
        return pb.GetStatementResponse(
            balances=[_balance(each) for each in statement.balances],
            units_without_cost=statement.units_without_cost,
            position=answer.position,
            window=window.answered(answer.extent),
        )

    async def ListStatementEntries(
        self, request: pb.ListStatementEntriesRequest, call: Call
    ) -> pb.ListStatementEntriesResponse:
        supplier_id = shapes.plain_id(request.supplier_id, "supplier_id")
        currency = shapes.currency(request.currency, "currency", required=False)
        where, window = await self.where(request, call), asked_window(request, now=call.now)
        wanted = page(request)
        await self.require_supplier(supplier_id, call)
        answer = await statements.list_entries(where, wanted, supplier_id, window.since, window.until, currency)
        return listed(pb.ListStatementEntriesResponse, "entries", answer, _entry, window)


def _balance(each: statements.Balance) -> pb.StatementBalance:
    totals = [
        pb.StatementTotal(kind=_statement_kind(one.kind), amount_minor=one.amount_minor, entries=one.entries)
        for one in each.totals
    ]
    return pb.StatementBalance(
        currency=each.currency,
        opening_minor=each.opening_minor,
        totals=totals,
        closing_minor=each.closing_minor,
        owed_minor=each.owed_minor,
        invoiced_minor=each.invoiced_minor,
        paid_minor=each.paid_minor,
        open_minor=each.open_minor,
    )


def _entry(each: statements.StatementEntry) -> pb.StatementEntry:
    return pb.StatementEntry(
        at=stamp(each.at),
        kind=_statement_kind(each.kind),
        amount=common_pb2.Money(amount_minor=each.amount_minor, currency=each.currency),
        object_id=each.object_id,
        line_no=each.line_no,
        units=each.units,
        fact_position=each.position,
        stream=each.stream,
        fact=each.fact,
        reference=each.reference,
    )
