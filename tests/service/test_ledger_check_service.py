"""``fulfilment audit check``: the ledger is checked beside the service, in a process of its own."""

from __future__ import annotations

import json
import signal
from asyncio.subprocess import Process
from typing import Any

import psycopg
import pytest

from adapters.rpc import ledger_checks
from fulfilment.v1 import admin_pb2, audit_pb2
from tests.support.service import Client, Service
from tests.support.terminal import Console, placed
from tests.support.trading import Trade, first_of
from tests.support.waiting import wait_for


def report_of(client: Client, **asked: Any) -> audit_pb2.LedgerReport:
    answers = list(client.audit.CheckLedger(audit_pb2.CheckLedgerRequest(**asked), timeout=60))
    assert all(answer.progress for answer in answers[:-1])
    return answers[-1].report


def test_the_ledger_of_a_service_that_works_on_is_whole(client: Client):
    trade = Trade(client)
    trade.sent()
    report = report_of(client)
    looked_at = {each.check: each.looked_at for each in report.checks}
    assert list(report.findings) == list(report.not_checked) == []
    assert looked_at["positions"] == looked_at["facts"] == report.checked_to > 0
    assert looked_at["read models"] > 0
    trade.placed()
    later = report_of(client, after=report.checked_to, without_read_models=True)
    assert 0 < {each.check: each.looked_at for each in later.checks}["positions"] == later.checked_to - later.after
    assert "read models" not in {each.check for each in later.checks}


def test_what_was_known_already_and_recorded_nothing_is_no_fault(client: Client):
    trade = Trade(client)
    order_id = trade.sent()
    for _ in range(2):
        head = client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
        assert trade.send("SendSupplierOrder", **first_of(order_id)).position == head
        assert trade.send("TagOrder", order_id=order_id, add=["vip"]).position >= head
    assert list(report_of(client, without_read_models=True).findings) == []


def test_the_console_shows_what_is_wrong_and_ends_with_1(service: Service, client: Client):
    ff = Console(service.address)
    placed(ff, "check-1")
    assert "Everything holds." in ff("audit", "check", "--without-read-models").out
    head = client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        change = "UPDATE tenant_default.ledger_events SET command = %s WHERE notification_id = %s RETURNING command"
        was = connection.execute("SELECT command FROM tenant_default.ledger_events WHERE notification_id = %s", (head,))
        ((command,),) = was.fetchall()
        connection.execute(change, ("nobody-asked", head))
        wrong = ff("audit", "check", "--without-read-models")
        told = ff("--json", "audit", "check", "--without-read-models")
        connection.execute(change, (command, head))
    assert (wrong.code, told.code) == (1, 1)
    assert f"at position {head}" in wrong.out
    assert "request nobody-asked has no outcome" in wrong.out
    assert str(json.loads(told.out)["findings"][0]["position"]) == str(head)


def test_two_checks_are_made_one_after_the_other(client: Client):
    asked = audit_pb2.CheckLedgerRequest(without_read_models=True)
    first = client.audit.CheckLedger(asked, timeout=60)
    second = client.audit.CheckLedger(asked, timeout=60)
    answers = [*map(list, (first, second))]
    assert all(each[-1].report.checks for each in answers)
    assert "waits until another check is over" in {answer.progress for each in answers for answer in each}


def test_a_check_that_nobody_waits_for_ends(client: Client, monkeypatch: pytest.MonkeyPatch):
    processes: list[Process] = []
    start = ledger_checks._started

    async def noted(*arguments: Any) -> Process:
        processes.append(await start(*arguments))
        return processes[-1]

    monkeypatch.setattr(ledger_checks, "_started", noted)
    stream = client.audit.CheckLedger(audit_pb2.CheckLedgerRequest(), timeout=60)
    wait_for(lambda: processes)
    stream.cancel()
    wait_for(lambda: processes[0].returncode == -signal.SIGKILL)
    assert report_of(client, without_read_models=True).checks, "the next one has its turn"
