"""Reports as of a position: what each answered when the log stood there, from read models that are folded aside."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from adapters import folding_aside
from adapters.database.postgres import open_pool
from fulfilment.v1 import admin_pb2, audit_pb2, common_pb2, obligations_pb2, reports_pb2, totals_pb2
from ledger.refusals import ProjectionBehind
from projections import PROJECTIONS
from projections.machine import aside as aside_tables
from projections.machine.aside import MOST_ASIDE, aside, drop_old, fold_aside
from projections.machine.database import open_connection
from tests.support.contract import request_classes
from tests.support.list_story import rows_of
from tests.support.refusal_scenarios.stock_ups import asked as stock_up
from tests.support.service import Client, Service, fields_of, patiently, reason_of, refused, stamp
from tests.support.terminal import Console
from tests.support.trading import DAY, NOW, REFUND, WELL_FORMED, Trade, bought, first_of, parcel_of

REPORTS = [each.name for each in reports_pb2.DESCRIPTOR.services_by_name["ReportService"].methods]
LISTS_OF_READ_MODELS = [
    "ListCases",
    "ListRecoveries",
    "ListSupplierInvoices",
    "ListCustomerInvoices",
    "ListEffects",
    "ListMessages",
    "ListWork",
    "ListSupplierOrders",
    "ListStockUps",
    "ListInquiries",
]


def asked(trade: Trade, rpc: str, order_id: str) -> Any:
    request = request_classes()[rpc](**WELL_FORMED.get(rpc, {}))
    for field in ("supplier_id", "order_id"):
        if field in request.DESCRIPTOR.fields_by_name and getattr(request, field):
            setattr(request, field, {"supplier_id": "acme", "order_id": order_id}[field])
    for field in ("window", "period"):
        if field in request.DESCRIPTOR.fields_by_name and "now" in getattr(request, field).DESCRIPTOR.fields_by_name:
            getattr(request, field).now.FromDatetime(NOW)
    return request


def answers(trade: Trade, order_id: str, things: dict[str, Any], **more: Any) -> dict[str, Any]:
    found = {}
    for rpc, request in ({rpc: asked(trade, rpc, order_id) for rpc in REPORTS + LISTS_OF_READ_MODELS} | things).items():
        wanted = type(request)(**more)
        wanted.MergeFrom(request)
        found[rpc] = patiently(trade.call(rpc), wanted)
    return found


def paged(trade: Trade, rpc: str, position: int) -> list[Any]:
    """The rows of a list as of a position, page by page with something written in between."""
    request, rows = asked(trade, rpc, ""), []
    request.as_of.position = position
    while True:
        request.page.page_size = 1
        answer = trade.call(rpc)(request)
        rows += rows_of(answer)
        request.page.page_token = answer.next_page_token
        if not answer.next_page_token:
            return rows
        trade.placed()


def things_of(trade: Trade, order_id: str) -> dict[str, Any]:
    """Questions about single things that read models answer: a piece of work and a message of the order."""
    request = request_classes()
    opened = {
        "order_id": f"shop/{trade.opened()}",
        "at_least": trade.client.admin.GetStatus(admin_pb2.GetStatusRequest()).position,
    }
    work = patiently(trade.call("ListWork"), request["ListWork"](**opened)).work[0]
    message = patiently(trade.call("ListMessages"), request["ListMessages"](order_id=order_id)).messages[0]
    return {
        "GetWork": request["GetWork"](task_id=work.task_id),
        "GetMessage": request["GetMessage"](message_id=message.message_id),
    }


def test_every_report_says_as_of_a_position_what_it_said_there(client: Client, service: Service):
    trade, seen = Trade(client), []
    order_id = trade.sent(5, lines=[bought("cup", 2)])
    client.read_up_to(client.admin.GetStatus(admin_pb2.GetStatusRequest()).position)
    things = things_of(trade, order_id)
    for step in range(3):
        client.read_up_to(client.admin.GetStatus(admin_pb2.GetStatusRequest()).position)
        seen.append(answers(trade, order_id, things))
        if step == 0:
            trade.send("ClaimWork", task_id=things["GetWork"].task_id)
            trade.send("ShipSupplierOrder", **first_of(order_id), **parcel_of(order_id), at=stamp(NOW - DAY))
            trade.opened()
            stock_up(trade)
            trade.inquiry()
        if step == 1:
            trade.approved(REFUND)
            trade.placed()
            trade.inquiry()
    read = [each for each in PROJECTIONS if each.name != "reporting"]
    # The clocks of the service record facts, too, so that not all of a step stand at one position.
    for position in sorted({each.position for found in seen for each in found.values()}):
        # Here and at once, since a process for each report takes its time.
        fold_aside(service.dsn, "tenant_default", read, position, f"token-{position}")
        then = answers(trade, order_id, things, as_of=common_pb2.AsOf(position=position))
        for found in seen:
            there = {rpc: each for rpc, each in found.items() if each.position == position}
            assert {rpc: then[rpc] for rpc in there} == there
    assert seen[0]["GetWork"].work != seen[1]["GetWork"].work
    for rpc in LISTS_OF_READ_MODELS:
        assert paged(trade, rpc, position) == rows_of(then[rpc]), rpc
    for rpc in ("ListCases", "ListSupplierOrders", "ListStockUps", "ListInquiries"):
        assert rows_of(seen[0][rpc]) != rows_of(seen[1][rpc]), rpc
    assert seen[0]["GetSummary"] != seen[1]["GetSummary"] != seen[2]["GetSummary"]


def test_what_was_folded_for_one_question_serves_the_next(client: Client, service: Service):
    position = client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
    as_of = common_pb2.AsOf(position=position)
    patiently(client.reports.GetSummary, totals_pb2.GetSummaryRequest(as_of=as_of))
    with psycopg.connect(service.dsn, autocommit=True) as database:
        tables = "SELECT oid FROM pg_class WHERE relname LIKE %s AND relkind = 'r' ORDER BY oid"
        before = database.execute(tables, (f"%{aside(position)}",)).fetchall()
        assert before
        client.reports.GetSummary(totals_pb2.GetSummaryRequest(as_of=as_of))
        assert database.execute(tables, (f"%{aside(position)}",)).fetchall() == before


async def test_what_several_ask_for_as_of_a_position_is_folded_by_reading_the_log_once(
    client: Client, service: Service, processes: list[list[str]], monkeypatch: pytest.MonkeyPatch
):
    Trade(client).placed()
    monkeypatch.setattr(folding_aside, "_GATHER_SECONDS", 1.0)
    position, patient = (
        client.admin.GetStatus(admin_pb2.GetStatusRequest()).position,
        asyncio.get_running_loop().time() + 50,
    )
    wanted = [each for each in PROJECTIONS if each.name in ("trade", "statements", "sla", "reporting")]
    async with open_pool(service.dsn, max_size=4) as pool:
        asides = folding_aside.Asides(pool)
        asked = [asides.prepare("tenant_default", [each], position, patient) for each in wanted]
        await asyncio.gather(*asked, asides.prepare("tenant_default", wanted[:2], position, patient))
        await asides.close()
    assert [sorted(words[-4:]) for words in processes] == [sorted(each.name for each in wanted)]


async def test_what_another_process_of_the_service_folds_is_waited_for_and_not_begun_again(
    client: Client, service: Service, processes: list[list[str]]
):
    Trade(client).placed()
    position = client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
    (trade,) = (each for each in PROJECTIONS if each.name == "trade")
    begun = """
        INSERT INTO tenant_default.ledger_projections (name, shape, builder, builder_seen_at, progress, requested_at)
        VALUES (%s, %s, 'another', now(), 1, now())
    """
    async with open_pool(service.dsn, max_size=2) as pool:
        async with pool.connection() as connection:
            await connection.execute(begun, (trade.name + aside(position), trade.shape))
        asides = folding_aside.Asides(pool)
        with pytest.raises(ProjectionBehind) as behind:
            # Whoever asks while it is folded is soon told how far it is.
            async with asyncio.timeout(20):
                await asides.prepare("tenant_default", [trade], position, asyncio.get_running_loop().time() + 50)
        assert (behind.value.position, processes) == (1, [])
        async with pool.connection() as connection:
            await aside_tables.let_go(connection, "tenant_default", "another")
        await asides.prepare("tenant_default", [trade], position, asyncio.get_running_loop().time() + 50)
        await asides.close()
    assert len(processes) == 1


def test_a_process_that_was_taken_for_dead_writes_nothing_more(client: Client, service: Service):
    Trade(client).sent()
    position = client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
    (trade,) = (each for each in PROJECTIONS if each.name == "trade")
    row = trade.name + aside(position)
    with open_connection(service.dsn) as database:

        def changes(page: Any) -> Any:
            database.execute("UPDATE tenant_default.ledger_projections SET builder = 'another' WHERE name = %s", (row,))
            return trade.changes(page)

        fold_aside(service.dsn, "tenant_default", [trade._replace(changes=changes)], position, "slow")
        asked = "SELECT builder, result FROM tenant_default.ledger_projections WHERE name = %s"
        assert database.execute(asked, (row,)).fetchall() == [("another", None)]
        table = Identifier("tenant_default", trade.tables[0].name + aside(position))
        assert database.execute(SQL("SELECT count(*) FROM {}").format(table)).fetchone() == (0,)
        fold_aside(service.dsn, "tenant_default", [trade], position, "quick")
        assert database.execute(asked, (row,)).fetchall() == [("another", None)], "it was taken over"
        database.execute("UPDATE tenant_default.ledger_projections SET builder = NULL WHERE name = %s", (row,))
        fold_aside(service.dsn, "tenant_default", [trade], position, "quick")
        assert database.execute(asked, (row,)).fetchall() == [(None, "aside")]


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The words with which each process was started that folds."""
    found: list[list[str]] = []
    start = asyncio.create_subprocess_exec

    async def starting(*words: Any, **more: Any) -> Any:
        found.append(list(words))
        return await start(*words, **more)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", starting)
    return found


def test_the_console_asks_reports_as_of_a_position_or_an_instant(client: Client, service: Service):
    type_, position = Console(service.address), client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
    facts = next(client.audit.StreamFacts(audit_pb2.StreamFactsRequest(after=position - 1))).facts
    Trade(client).placed()
    summary = ("report", "summary", "--json")
    orders = [type_(*summary, *then).json["orders"] for then in ((), ("--as-of", str(position)))]
    assert orders[0] == orders[1] + 1
    instant = facts[-1].recorded_at.ToJsonString()
    assert type_(*summary, "--as-of", instant).json["orders"] == orders[1]
    assert type_("report", "late", "--as-of", str(position)).code == 0
    assert "BEYOND_THE_LOG" in type_("report", "due", "--as-of", "999999999").err
    early = type_("report", "breaches", "--as-of", "1999-01-01").err
    assert "is before the first fact; ask for a later moment" in early


def test_a_moment_that_reports_cannot_show_is_refused(client: Client):
    def said(**as_of: Any) -> Any:
        request = obligations_pb2.ListObligationsRequest(as_of=common_pb2.AsOf(**as_of))
        return refused(client.reports.ListObligations, request)

    assert fields_of(said(happened_until=stamp(NOW))) == ["as_of.happened_until"]
    assert reason_of(said(position=2**40)) == "BEYOND_THE_LOG"


def test_only_so_many_positions_are_kept_aside_and_those_asked_for_longest_ago_go_first(
    client: Client, service: Service
):
    summary = [each for each in PROJECTIONS if each.name == "trade"]
    with open_connection(service.dsn) as database:
        late = "UPDATE tenant_default.ledger_projections SET requested_at = requested_at - interval '1 minute'"
        for position in range(1, MOST_ASIDE + 2):
            fold_aside(service.dsn, "tenant_default", summary, position, f"token-{position}")
            database.execute(late)
        kept = (
            "SELECT DISTINCT split_part(relname, '@', 2)::int FROM pg_class WHERE relname LIKE '%@%' AND relkind = 'r'"
        )
        found = sorted(position for (position,) in database.execute(kept).fetchall())
        assert found == [*range(2, MOST_ASIDE + 2)]
        database.execute(late.replace("1 minute", "1 day"))
        assert drop_old(service.dsn, "tenant_default") == 0
        assert database.execute(kept).fetchall() == []
        rows = database.execute("SELECT name FROM tenant_default.ledger_projections WHERE name LIKE '%@%'").fetchall()
        assert rows == []
