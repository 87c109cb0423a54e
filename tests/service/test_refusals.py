"""Every refusal that the protos document, produced over a real socket.

``tests/support/refusal_scenarios`` names for each RPC what it is refused for, and what makes it so. Every test with a
client watches that nothing else is refused (``tests.support.service.Documented``).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import grpc
import pytest
from google.rpc import code_pb2

from adapters.rpc import queries
from adapters.rpc.statuses import code_of
from fulfilment.v1 import audit_pb2, orders_pb2
from ledger.refusals import Refusal
from tests.support import documented
from tests.support.contract import refusal_classes
from tests.support.documented import Refused
from tests.support.edges import edges
from tests.support.hosting import hosting
from tests.support.projecting import forget
from tests.support.refusal_scenarios import SCENARIOS
from tests.support.refusal_scenarios.about import Elsewhere, Scenario
from tests.support.service import (
    HOUSE,
    Client,
    Service,
    error_info,
    fields_of,
)
from tests.support.stalls import EmptyTenant
from tests.support.trading import (
    DAY,
    NOW,
    WELL_FORMED,
    Fields,
    Trade,
    first_of,
    fresh,
    parcel_of,
)

RPCS = documented.rpcs()

# --- what everybody may be refused for --------------------------------------------------------------

OF_QUERIES = frozenset(
    {
        Refused("UNAUTHENTICATED", "CREDENTIALS"),
        Refused("PERMISSION_DENIED", "NOT_ALLOWED"),
        Refused("INVALID_ARGUMENT", "MALFORMED"),
        Refused("NOT_FOUND", "UNKNOWN_TENANT"),
        Refused("RESOURCE_EXHAUSTED", "RATE_LIMITED"),
        Refused("UNAVAILABLE", "STORAGE_UNAVAILABLE"),
    }
)
OF_COMMANDS = OF_QUERIES | {
    Refused("ALREADY_EXISTS", "REQUEST_REUSED"),
    Refused("RESOURCE_EXHAUSTED", "QUEUE_FULL"),
    Refused("DEADLINE_EXCEEDED", "DEADLINE_PASSED"),
    Refused("UNAVAILABLE", "SHUTTING_DOWN"),
}
OF_BATCHES = OF_QUERIES | {Refused("RESOURCE_EXHAUSTED", "QUEUE_FULL"), Refused("UNAVAILABLE", "SHUTTING_DOWN")}
OF_NO_TENANT = OF_QUERIES - {Refused("NOT_FOUND", "UNKNOWN_TENANT")}
LIKE_NO_OTHERS = {"ExecuteBatch": OF_BATCHES, "ListTenants": OF_NO_TENANT, "Diagnose": OF_NO_TENANT}
"""What these share, which are no commands, and ask no tenant or many things of it."""

WITHOUT_FIGURES = {"UNKNOWN_PERSON"}
"""Nothing may be said of somebody who is not known."""


# --- the world --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trade(service: Service) -> Iterator[Trade]:
    with Client(service.address) as client:
        client.approve(at=NOW - 300 * DAY)
        yield Trade(client)


@pytest.fixture(scope="module")
def unread(embedded: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trade]:
    """A service whose facts nobody projects."""
    with hosting(embedded, tmp_path_factory.mktemp("unread"), projections=()) as service:
        forget(EmptyTenant(service.dsn, "tenant_default"))
        with Client(service.address) as client:
            yield Trade(client)


def refused(trade: Trade, rpc: str, request: Any) -> grpc.RpcError:
    def ask() -> None:
        answered = trade.call(rpc)(request)
        list(answered if RPCS[rpc].streams else ())

    with pytest.raises(grpc.RpcError) as caught:
        ask()
    error: grpc.RpcError = caught.value
    return error


def answer_of(error: Any) -> tuple[str, str, str, dict[str, str]]:
    """The status, the reason, the sentence and the figures."""
    info = error_info(error)
    return error.code().name, info.reason, error.details(), dict(info.metadata)


# --- the table and the protos -----------------------------------------------------------------------


@pytest.mark.parametrize("rpc", RPCS.values(), ids=lambda rpc: rpc.name)
def test_an_rpc_documents_what_it_shares_and_what_the_table_produces(rpc: documented.Rpc):
    shared = LIKE_NO_OTHERS.get(rpc.name, OF_COMMANDS if rpc.is_command else OF_QUERIES)
    assert shared <= rpc.refusals
    assert {each.reason for each in rpc.refusals - shared} == set(SCENARIOS.get(rpc.name, ()))


def test_every_reason_is_documented_with_its_status():
    known = {kind.reason for kind in refusal_classes()}
    for rpc in RPCS.values():
        for refusal in rpc.refusals:
            assert refusal.reason in known, f"{rpc.name} documents {refusal.reason}, which is no refusal"
            code = code_of(Refusal.restored(refusal.reason, "", {}))
            assert refusal.status == code_pb2.Code.Name(code), f"{rpc.name} documents {refusal}"


def test_what_is_not_documented_is_reported_in_one_sentence():
    with pytest.raises(AssertionError, match="GetOrder was refused with NOT_FOUND / UNKNOWN_CASE, which its comment"):
        documented.require("GetOrder", "NOT_FOUND", "UNKNOWN_CASE")


@pytest.mark.parametrize(
    ("figures", "fault"),
    [
        ({"acme/tea": "3"}, "names a figure 'acme/tea'"),
        ({"Left": "3"}, "names a figure 'Left'"),
        ({"l" * 65: "3"}, "names a figure"),
        ({"declared": "15.00 EUR"}, "is text for people"),
        ({"lacking": "asked=5 available=3"}, "is text for people"),
        ({"left_minor": "15.00", "currency": "EUR"}, "is no amount in minor units"),
        ({"left_minor": "1500"}, "and not the currency"),
    ],
)
def test_figures_that_a_program_cannot_read_are_found(figures: dict[str, str], fault: str):
    documented.require_figures("REASON", {"line_no": "1", "left_minor": "0", "currency": "EUR"})
    with pytest.raises(AssertionError, match=fault):
        documented.require_figures("REASON", figures)


def rows(kind: Callable[[object], bool]) -> list[Any]:
    """The rows of the table whose refusals are produced in such a way."""
    found = [(rpc, reason, how) for rpc, reasons in SCENARIOS.items() for reason, how in reasons.items() if kind(how)]
    return [pytest.param(*row, id=f"{row[0]}-{row[1]}") for row in found]


@pytest.mark.parametrize(("rpc", "reason", "scenario"), rows(callable))
def test_what_an_rpc_documents_it_refuses(
    rpc: str, reason: str, scenario: Scenario, trade: Trade, unread: Trade, monkeypatch: pytest.MonkeyPatch
):
    asked = trade
    if reason == "PROJECTION_BEHIND":
        asked = unread
        monkeypatch.setattr(queries, "PATIENCE_SECONDS", 0.1)
    request = asked.request(rpc, **scenario(asked))
    head = asked.send("GetSku").position if RPCS[rpc].is_command else 0
    refusal = answer_of(refused(asked, rpc, request))
    status, produced, sentence, figures = refusal
    assert (status, produced) in RPCS[rpc].refusals
    assert produced == reason
    assert sentence
    assert figures or reason in WITHOUT_FIGURES
    if RPCS[rpc].is_command:
        again = answer_of(refused(asked, rpc, request))
        assert again == refusal or produced == again[1] == "BEYOND_THE_LOG", "only where the log ends may change"
        later = asked.client.audit.StreamFacts(audit_pb2.StreamFactsRequest(after=head))
        recorded = [fact.name for part in later for fact in part.facts if fact.request_id == request.context.request_id]
        assert recorded == []


@pytest.mark.parametrize(("rpc", "reason", "elsewhere"), rows(lambda how: isinstance(how, Elsewhere)))
def test_what_no_caller_can_bring_about_is_produced_elsewhere(rpc: str, reason: str, elsewhere: Elsewhere):
    assert_produces(elsewhere, reason)


def assert_produces(elsewhere: Elsewhere, reason: str) -> None:
    """The test is there, and names the reason or its class."""
    source = (HOUSE / elsewhere.file).read_text()
    (test,) = [each for each in ast.parse(source).body if isinstance(each, _FUNCTION) and each.name == elsewhere.test]
    code = ast.get_source_segment(source, test) or ""
    assert elsewhere.test.startswith("test_")
    assert reason in code or Refusal.by_reason[reason].__name__ in code


_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


# --- what everybody may be refused for --------------------------------------------------------------


@pytest.mark.parametrize("rpc", [rpc.name for rpc in RPCS.values() if rpc.is_command])
def test_a_command_that_says_nothing_is_malformed(trade: Trade, rpc: str):
    whole = trade.request(rpc)
    request = type(whole)(context=whole.context)
    error = refused(trade, rpc, request)
    assert answer_of(error)[:2] == ("INVALID_ARGUMENT", "MALFORMED")
    fields = {*request.DESCRIPTOR.fields_by_name, *request.DESCRIPTOR.oneofs_by_name} - {"context"}
    assert {re.split(r"[.[]", path)[0] for path in fields_of(error)} <= fields


def test_a_query_that_says_nothing_is_malformed(trade: Trade):
    error = refused(trade, "GetOrder", orders_pb2.GetOrderRequest())
    assert (answer_of(error)[:2], fields_of(error)[:1]) == (("INVALID_ARGUMENT", "MALFORMED"), ["order_id"])


@pytest.fixture(scope="module")
def things(trade: Trade) -> Fields:
    """What there is, by the fields that name it."""
    order_id, case_id = trade.sent(), trade.labelled()
    return {
        "order_id": order_id,
        **first_of(order_id),
        **parcel_of(f"shop/{case_id}"),
        "case_id": case_id,
        "supplier_id": trade.supplier(),
        "recovery_id": trade.filed(),
        "inquiry_id": trade.inquiry(),
    }


@pytest.mark.parametrize("rpc", sorted(RPCS.keys() - {"ExecuteBatch"}))
def test_whatever_a_field_holds_is_no_mistake_of_the_service(trade: Trade, things: Fields, rpc: str):
    """It is taken, or refused as documented, which the client sees to."""
    about = {name: value for name, value in things.items() if name in WELL_FORMED.get(rpc, ())}
    for request in edges(trade.request(rpc, **about)):
        if RPCS[rpc].is_command:
            request.context.request_id = fresh()  # type: ignore[attr-defined]
        with suppress(grpc.RpcError):
            answered = trade.call(rpc)(request)
            list(answered if RPCS[rpc].streams else ())


@pytest.mark.parametrize("rpc", ["ConfirmOrder", "GetOrder", "ExecuteBatch"])
def test_a_tenant_that_nobody_created_is_unknown(trade: Trade, rpc: str):
    confirm = trade.request("ConfirmOrder")
    request = trade.request(rpc, **({"commands": [{"confirm_order": confirm}]} if rpc == "ExecuteBatch" else {}))
    with Client(trade.client.address, "nowhere") as client:
        status, reason, _, figures = answer_of(refused(Trade(client), rpc, request))
    assert (status, reason, figures) == ("NOT_FOUND", "UNKNOWN_TENANT", {"tenant": "nowhere"})


def test_a_request_id_is_used_for_one_content_alone(trade: Trade):
    request = trade.request("PlaceOrder")
    trade.call("PlaceOrder")(request)
    request.gift = True
    status, reason, _, figures = answer_of(refused(trade, "PlaceOrder", request))
    assert (status, reason) == ("ALREADY_EXISTS", "REQUEST_REUSED")
    assert figures == {"request_id": request.context.request_id}


_HERE = "tests/service/test_refusals.py"
_ACCESS = "tests/service/test_access.py"
_ENGINE = "tests/database/test_ledger_engine.py"
PRODUCED_BY = {
    "CREDENTIALS": Elsewhere(_ACCESS, "test_without_good_credentials_every_rpc_is_refused_alike"),
    "RATE_LIMITED": Elsewhere(
        "tests/service/test_protected.py",
        "test_a_client_that_calls_too_often_is_told_when_to_try_again_and_others_are_not_hindered",
    ),
    "NOT_ALLOWED": Elsewhere(_ACCESS, "test_a_role_may_call_what_its_row_names_and_nothing_else"),
    "MALFORMED": Elsewhere(_HERE, "test_a_command_that_says_nothing_is_malformed"),
    "UNKNOWN_TENANT": Elsewhere(_HERE, "test_a_tenant_that_nobody_created_is_unknown"),
    "REQUEST_REUSED": Elsewhere(_HERE, "test_a_request_id_is_used_for_one_content_alone"),
    "QUEUE_FULL": Elsewhere(_ENGINE, "test_beyond_the_queue_callers_are_turned_away_at_once"),
    "DEADLINE_PASSED": Elsewhere(_ENGINE, "test_a_command_whose_deadline_passed_is_dropped_and_not_remembered"),
    "SHUTTING_DOWN": Elsewhere(_ENGINE, "test_draining_answers_all_that_is_queued_and_takes_no_more"),
    # A command and a read of the log.
    "STORAGE_UNAVAILABLE": Elsewhere(
        _ENGINE, "test_while_the_database_is_away_callers_are_told_so_and_a_repeat_succeeds_later"
    ),
}


def test_what_everybody_may_be_refused_for_is_produced():
    assert set(PRODUCED_BY) == {each.reason for each in OF_COMMANDS}
    for reason, elsewhere in PRODUCED_BY.items():
        assert_produces(elsewhere, reason)
