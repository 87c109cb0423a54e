"""What the protos promise, the service keeps: every RPC, every refusal, every command in a batch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from google.rpc import error_details_pb2, status_pb2

from adapters.http_api.problems import HTTP_STATUSES
from adapters.rpc.services import READERS
from adapters.rpc.statuses import CODES, code_of, status_of
from fulfilment.v1 import admin_pb2, batch_pb2, common_pb2
from ledger.nouns.stock import OutOfStock
from ledger.refusals import Malformed, Refusal
from tests.support import documented
from tests.support.contract import refusal_classes, request_classes

ROOT = Path(__file__).resolve().parents[2]
AS_OF = common_pb2.AsOf.DESCRIPTOR


def test_every_request_with_a_context_is_a_command_and_no_other_is() -> None:
    with_context = {each for each in request_classes().values() if "context" in each.DESCRIPTOR.fields_by_name}
    assert set(READERS) == with_context


def test_every_command_can_stand_in_a_batch() -> None:
    fields = batch_pb2.BatchCommand.DESCRIPTOR.oneofs_by_name["command"].fields
    erasing = admin_pb2.ErasePersonRequest.DESCRIPTOR.full_name  # which says in a field of its own who asks
    assert {field.message_type.full_name for field in fields if field.message_type} == {
        *(r.DESCRIPTOR.full_name for r in READERS),
        erasing,
    }


@pytest.mark.parametrize("kind", refusal_classes(), ids=lambda kind: kind.reason)
def test_every_refusal_has_a_status(kind: type[Refusal]) -> None:
    refusal = Refusal.restored(kind.reason, "a sentence", {"figure": "1"})
    if isinstance(refusal, Malformed):
        refusal.faults = (("lines[0]", "is required"),)
    assert code_of(refusal) in CODES.values()
    assert status_of(refusal).details == "a sentence"


def test_whatever_is_got_or_listed_can_be_as_of_a_moment_or_the_docs_say_why_not():
    without = {
        name
        for name, each in request_classes().items()
        if (name.startswith("Get") or "page" in each.DESCRIPTOR.fields_by_name)
        and getattr(each.DESCRIPTOR.fields_by_name.get("as_of"), "message_type", None) != AS_OF
    }
    listed = re.findall(
        r"^\| `([A-Z]\w+)` \| (\S.{20,}) \|$", (ROOT / "docs" / "auditing.md").read_text(), re.MULTILINE
    )
    assert without == {name for name, _ in listed}


def test_every_status_of_a_refusal_has_one_of_http():
    assert HTTP_STATUSES.keys() == {*CODES.values()}


def test_of_more_figures_than_a_call_carries_the_first_are_listed_and_the_others_counted() -> None:
    lacking = [("supplier-of-tea", f"sku-{number}", 2, 1) for number in range(200)]
    ((_, packed),) = status_of(OutOfStock(lacking)).trailing_metadata
    assert len(packed) < 4000
    status = status_pb2.Status.FromString(packed)
    info = error_details_pb2.ErrorInfo()
    status.details[0].Unpack(info)
    assert (info.metadata["sku_1"], info.metadata["asked_1"], info.metadata["available_1"]) == ("sku-0", "2", "1")
    assert len(info.metadata) - 1 + int(info.metadata["left_out"]) == 4 * 200
    assert status.message.endswith("…")


def test_every_refusal_of_a_decision_is_named_in_the_protos() -> None:
    named = {refused.reason for rpc in documented.rpcs().values() for refused in rpc.refusals}
    leaves = {kind.reason for kind in refusal_classes() if kind not in CODES or kind.__name__ == "Malformed"}
    # Guards of the stock decisions: orders never give back or consume more than they reserved, and what is committed
    # carries an order's id, which no caller can name as a reservation's.
    guards = {"RESERVATION_TOO_SMALL", "RESERVATION_IS_COMMITTED"}
    # Once given, and stored as outcomes: what has left is recorded now.
    assert leaves - named == guards | {"OVER_SHIPPED", "PARCEL_OF_ANOTHER_ORDER"}


def test_a_reason_names_one_refusal() -> None:
    reasons = [kind.reason for kind in refusal_classes()]
    assert len(set(reasons)) == len(reasons)
