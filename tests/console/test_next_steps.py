"""The command that the console names for each step of work is one that the console takes."""

from __future__ import annotations

import re
import shlex
from typing import Any

import click
import pytest
from google.protobuf.message_factory import GetMessageClass

from adapters.console.main import root
from adapters.console.terminal.session import Session
from adapters.console.work.next_steps import COMMANDS, command_of, typed
from adapters.rpc.work.shows import next_step, rpc_of
from fulfilment.v1 import cases_pb2, common_pb2, orders_pb2, work_pb2
from ledger.nouns.orders import HoldReason
from projections.work import Next, Step

SAID = {
    "AMOUNT": "5.00",
    "CODE": "DE",
    "CREDIT_NOTE": "C1",
    "EMAIL": "ann@example.org",
    "KIND": "order",
    "PARTY": "supplier",
    "QUANTITY": "1",
    "SKU:QTY:PRICE": "TEA:1:9.90",
    "STATUS": "delivered",
    "TIME": "2026-12-01",
    "UNITS": "1",
}
"""What a person says in the place of a word in capitals; any text where nothing else is named here."""


def whole(step: Step) -> Any:
    """The request of a step with something in every field that a list or a word can be."""
    request: Any = GetMessageClass(rpc_of(step).input_type)()
    for field in request.DESCRIPTOR.fields:
        if field.name in ("context", "at") or field.type == field.TYPE_BYTES:
            continue
        if field.is_repeated:
            if field.message_type is not None and "line_no" in field.message_type.fields_by_name:
                getattr(request, field.name).add(line_no=1)
        elif field.message_type is not None:
            getattr(request, field.name).SetInParent()
        else:
            setattr(request, field.name, 1 if field.enum_type or field.type != field.TYPE_STRING else "shop/1")
    return request


def parsed(line: str) -> click.Context:
    """What click makes of a whole line; raises UsageError."""
    words = shlex.split(line)
    assert words.pop(0) == "fulfilment"
    command: click.Command = root
    path = []
    while isinstance(command, click.Group):
        path.append(words.pop(0))
        command = command.commands[path[-1]]
    return command.make_context(" ".join(path), words, parent=click.Context(root, obj=Session()))


def said(line: str) -> str:
    return re.sub(r"\b[A-Z][A-Z_:]+\b", lambda word: SAID.get(word[0], "said"), line)


@pytest.mark.parametrize("step", Step)
def test_the_command_of_each_step_is_taken_once_what_is_in_capitals_is_said(step: Step):
    template = COMMANDS[rpc_of(step).input_type.name]
    line = typed(template, whole(step))
    assert not re.search(r"[{}\[\]|]", line)
    parsed(said(f"fulfilment {line}"))


def test_no_command_is_of_a_step_that_there_is_not():
    assert {rpc_of(step).input_type.name for step in Step} == COMMANDS.keys()


def command(step: Step, **fields: Any) -> str:
    return command_of(Session(), next_step(Next(step, fields)))


def test_an_inspection_names_the_line_that_nobody_has_looked_at():
    inspect = command(Step.RECORD_INSPECTION, case_id="c1", lines=[{"line_no": 2}])
    assert inspect == "fulfilment case inspect c1 --line 2 --restocked UNITS"


def test_what_is_known_stands_in_the_command_and_what_is_not_is_left_out_or_in_capitals():
    about = {"order_id": "shop/1", "reason": HoldReason.FRAUD_REVIEW}
    assert command(Step.RELEASE_HOLD, **about) == "fulfilment order release shop/1 fraud_review"
    named = command(Step.RELEASE_HOLD, **about, owner="risk team", supplier_order_id="shop/1/2")
    assert named == "fulfilment order release shop/1 fraud_review --owner 'risk team' --supplier-order shop/1/2"
    lost = command(Step.OPEN_CASE, order_id="shop/1", reason="lost", lines=[{"line_no": n, "units": 2} for n in (1, 3)])
    assert lost == "fulfilment case open --order shop/1 --reason lost --line 1:2 --line 3:2"
    assert command(Step.APPROVE_REMEDY, case_id="c1") == "fulfilment case approve c1 REMEDY"
    assert command(Step.REROUTE, order_id="shop/1", by="supplier") == "fulfilment order reroute shop/1 --by supplier"
    before = command(Step.SEND, supplier_order_id="shop/1/1", at="2026-03-02T12:00:00Z")
    assert before == "fulfilment order send shop/1/1 --at 2026-03-02T12:00:00Z"
    parsed(before)
    missing = command(Step.COMPLETE_DETAILS, order_id="shop/1", lines=[{"line_no": 2}], customer={})
    assert missing.startswith("fulfilment order complete shop/1 --line 2:SKU:QTY:PRICE --name NAME --email EMAIL")


def test_money_that_is_owed_without_a_case_is_paid_by_another_command():
    assert command(Step.RECORD_REFUND_PAID, case_id="c1", refund_id="r1") == "fulfilment case paid c1 r1"
    assert command(Step.RECORD_REFUND_PAID, order_id="shop/1") == "fulfilment order refund-paid shop/1 PAYMENT_ID"


def test_a_line_that_is_copied_goes_where_the_list_came_from(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("FULFILMENT_SERVER", raising=False)
    monkeypatch.setenv("FULFILMENT_TENANT", "brook")
    step = next_step(Next(Step.SEND, {"supplier_order_id": "shop/1/1"}))
    assert command_of(Session(tenant="brook"), step) == "fulfilment order send shop/1/1"
    other = command_of(Session(server="ledger:1", tenant="hill"), step)
    assert other == "fulfilment --server ledger:1 --tenant hill order send shop/1/1"


def test_a_step_that_only_a_newer_service_knows_has_no_command():
    step = work_pb2.NextStep(rpc="OrderService.Teleport")
    step.request.Pack(common_pb2.Money())
    assert command_of(Session(), step) == ""
    step.request.type_url = "type.googleapis.com/fulfilment.v1.TeleportRequest"
    assert command_of(Session(), step) == ""


def test_the_request_of_a_step_has_its_ids_and_the_words_of_the_contract():
    step = next_step(Next(Step.RELEASE_HOLD, {"order_id": "shop/1", "reason": "fraud_review", "owner": "risk"}))
    request = orders_pb2.ReleaseHoldRequest()
    assert (step.rpc, step.request.Unpack(request)) == ("OrderService.ReleaseHold", True)
    reason = orders_pb2.HOLD_REASON_FRAUD_REVIEW
    assert request == orders_pb2.ReleaseHoldRequest(order_id="shop/1", reason=reason, owner="risk")
    case = cases_pb2.OpenCaseRequest()
    lines = [{"line_no": 1, "units": 2}]
    next_step(Next(Step.OPEN_CASE, {"order_id": "shop/1", "reason": "lost", "lines": lines})).request.Unpack(case)
    assert (case.reason, case.lines[0].units) == (cases_pb2.CASE_REASON_LOST, 2)
