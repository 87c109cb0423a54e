"""What is personal stands nowhere in plain: a mark in every text field of every RPC, looked for wherever it could leak.

Marks of what is kept in plain, which every table may have, show that the search finds what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import psycopg
from psycopg.sql import SQL, Identifier

from fulfilment.v1 import admin_pb2, batch_pb2, orders_pb2, parcels_pb2
from ledger.engine.log import CHANNEL
from tests.support import documented
from tests.support.marks import PERSONAL, PLAIN, Marks, found, has_any, mark
from tests.support.refusal_scenarios.customer_invoices import invoiced as customers_invoice
from tests.support.refusal_scenarios.stock_ups import asked as stock_up
from tests.support.refusal_scenarios.supplier_invoices import invoiced as suppliers_invoice
from tests.support.service import Client, serving, stamp
from tests.support.trading import NOW, ON_TIME, RETURN, Fields, Trade, fresh, line, parcel_of


def _scanned(trade: Trade) -> Fields:
    scan = parcels_pb2.Checkpoint(at=stamp(NOW), status=parcels_pb2.PARCEL_STATUS_IN_TRANSIT)
    return {**parcel_of(trade.shipped()), "checkpoints": [scan]}


def _incomplete(trade: Trade) -> Fields:
    number = fresh()
    trade.client.place(number, sku=number, customer=None, ship_to=None)
    return {"order_id": f"shop/{number}", "ship_to": orders_pb2.Address(country="DE")}


def _paid_invoice(trade: Trade) -> Fields:
    invoice = suppliers_invoice(trade)
    trade.send("RecordSupplierPayment", **invoice)
    return invoice


def _offered(trade: Trade) -> Fields:
    supplier_id = trade.candidate()
    trade.send("OfferSku", supplier_id=supplier_id)
    return {"supplier_id": supplier_id}


def _delivered_case(trade: Trade) -> Fields:
    order_id = trade.delivered()
    return {"order_id": order_id, "case_id": fresh(), "lines": [line()]}


APPLIED: Mapping[str, Callable[[Trade], Fields]] = {
    "PlaceOrder": lambda trade: {},
    "CompleteDetails": _incomplete,
    "ChangeAddress": lambda trade: {"order_id": trade.placed(), "ship_to": orders_pb2.Address(country="DE")},
    "PlaceHold": lambda trade: {"order_id": trade.placed()},
    "AddOrderNote": lambda trade: {"order_id": trade.placed()},
    "RecordCheckpoints": _scanned,
    "ProveDelivery": lambda trade: parcel_of(trade.delivered()),
    "OpenCase": _delivered_case,
    "AddEvidence": lambda trade: {"case_id": trade.opened()},
    "RuleLiability": lambda trade: {"case_id": trade.reviewed()},
    "DenyCase": lambda trade: {"case_id": trade.ruled()},
    "RecordReturnLabel": lambda trade: {"case_id": trade.approved(RETURN)},
    "AnswerRecovery": lambda trade: {"recovery_id": trade.asked(), "accepted": None, "dispute_reason": "worn"},
    "WriteOffRecovery": lambda trade: {"recovery_id": trade.asked()},
    "DecideClaim": lambda trade: {"recovery_id": trade.filed(), "approved": None, "denial_reason": "late"},
    "AppealClaim": lambda trade: {"recovery_id": _denied_claim(trade)},
    "AskInquiry": lambda trade: {"inquiry_id": fresh(), "order_id": trade.placed()},
    "AnswerInquiry": lambda trade: {"inquiry_id": trade.inquiry()},
    "CommentOnWork": lambda trade: {"task_id": trade.task()},
    "FinishWork": lambda trade: {"task_id": trade.task()},
    "RegisterSupplier": lambda trade: {"supplier_id": fresh()},
    "UpdateSupplier": lambda trade: {"supplier_id": trade.candidate()},
    "WithdrawOffer": _offered,
    "RefuseDestination": lambda trade: {"supplier_id": trade.candidate()},
    "SuspendSupplier": lambda trade: {"supplier_id": trade.supplier()},
    "RetireSupplier": lambda trade: {"supplier_id": trade.candidate()},
    "DismissSuspension": lambda trade: {"supplier_id": trade.proposed(), "rate": ON_TIME},
    "WithdrawStockUp": lambda trade: {"stock_up_id": stock_up(trade)},
    "ApproveSupplierInvoice": suppliers_invoice,
    "DisputeSupplierInvoice": suppliers_invoice,
    "ReturnSupplierPayment": _paid_invoice,
    "RequestCustomerInvoice": lambda trade: {"order_id": trade.placed()},
    "IssueCreditNote": customers_invoice,
    "AddConnection": lambda trade: {"name": fresh().lower()},
    "RotateConnectionSecret": lambda trade: {"name": _connected(trade)},
    "RecordTextChoice": lambda _: {"country": "DE"},
}
"""By command that carries what is personal, something that there is and that it is applied to."""


def _connected(trade: Trade) -> str:
    name = fresh().lower()
    trade.send("AddConnection", name=name)
    return name


def _denied_claim(trade: Trade) -> str:
    recovery_id = trade.filed()
    trade.send("DecideClaim", recovery_id=recovery_id, approved=None, denial_reason="late")
    return recovery_id


def test_every_command_that_carries_what_is_personal_is_sent_here() -> None:
    carry = {name for name, rpc in documented.rpcs().items() if rpc.is_command and has_any(_request(rpc), PERSONAL)}
    assert carry == APPLIED.keys()


def _request(rpc: documented.Rpc) -> Any:
    return Trade(None).request(rpc.name).DESCRIPTOR  # type: ignore[arg-type]


def test_what_is_personal_is_in_no_table_log_notice_refusal_and_segment_of_the_write_ahead_log(folder: Path) -> None:
    marks, plain = Marks(), Marks()
    # Its own process and database: what it logs and writes ahead is all its own.
    with serving(folder) as service, psycopg.connect(service.dsn, autocommit=True) as connection:
        connection.execute(SQL("LISTEN {}").format(Identifier(CHANNEL)))
        with Client(service.address) as client:
            client.approve(acknowledge_within_hours=24, dispatch_within_hours=48, first_scan_within_hours=24)
            refusals = "\n".join(_send_all(Trade(client), marks, plain))
            client.read_up_to(client.place(fresh(), sku=fresh()).position)
            status = str(client.admin.GetStatus(admin_pb2.GetStatusRequest()))
        notices = "\n".join(notice.payload for notice in connection.notifies(timeout=0.1))
        tables = dict(_tables(connection))
        segments = [each.read_bytes().decode("latin-1") for each in (folder / "postgres" / "pg_wal").glob("0*")]
    log = "\n".join(path.read_text() for path in folder.rglob("*.log"))
    assert (len(marks) > 150, bool(notices), bool(segments)) == (True, True, True)
    told = {"log": log, "status": status, "notices": notices, "refusals": refusals}
    places = {**tables, **told, "write-ahead log": "".join(segments)}
    leaks = [f"{field} in {where}" for where, text in places.items() for field in found(marks, text)]
    assert "\n".join(leaks) == ""
    for where in ("tenant_default.ledger_events", "write-ahead log"):
        assert found(plain, places[where]), f"the search finds nothing in {where}"
    assert found(plain, log) == []


def _send_all(trade: Trade, marks: Marks, plain: Marks) -> Iterator[str]:
    """Sends every request with marks: about something that there is, about nothing, too long, and in a batch."""
    batch = []
    for name, rpc in documented.rpcs().items():
        if name in APPLIED:
            fields = APPLIED[name](trade)
            for again in (False, True):
                request = trade.request(name, **fields)
                mark(request, PERSONAL, marks)
                mark(request, PLAIN, plain)
                refusal = [*_refusal(trade, name, request)]
                assert again or refusal == [], f"{name} is to be applied"
                yield from refusal
        for times in (1, 3000):
            request = trade.request(name)
            mark(request, PERSONAL, marks, times)
            mark(request, PLAIN, plain, times)
            if not rpc.streams:
                yield from _refusal(trade, name, request)
        if rpc.is_command:
            batch.append(_in_batch(trade.request(name), marks))
    for outcome in trade.client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=batch)).outcomes:
        yield str(outcome)


def _in_batch(request: Any, marks: Marks) -> batch_pb2.BatchCommand:
    mark(request, PERSONAL, marks)
    fields = batch_pb2.BatchCommand.DESCRIPTOR.oneofs_by_name["command"].fields
    (field,) = [each.name for each in fields if each.message_type == request.DESCRIPTOR]
    return batch_pb2.BatchCommand(**{field: request})


def _refusal(trade: Trade, name: str, request: Any) -> Iterator[str]:
    """All that a refused caller is told."""
    try:
        trade.call(name)(request)
    except grpc.RpcError as refused:
        call: Any = refused
        yield f"{call.details()} {call.trailing_metadata()!r}"


def _tables(connection: psycopg.Connection[Any]) -> Iterator[tuple[str, str]]:
    """All rows of all tables, by the name of each."""
    tables = connection.execute(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    for schema, table in tables.fetchall():
        with connection.cursor().copy(SQL("COPY {} TO STDOUT").format(Identifier(schema, table))) as copied:
            yield f"{schema}.{table}", b"".join(copied).decode()
