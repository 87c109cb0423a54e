"""Return cases over a real socket: their whole way, their evidence, their refusals."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from adapters.rpc.cases.evidence import MOST_EVIDENCE_BYTES, MOST_LABEL_BYTES
from fulfilment.v1 import admin_pb2, audit_pb2, batch_pb2, cases_pb2, common_pb2, orders_pb2, returns_pb2
from tests.support.case_client import PDF, PNG, Work
from tests.support.contract import request_classes
from tests.support.service import Client, Service, context, fields_of, reason_of, refused


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        client.approve()
        client.feed(100)
        yield client


def test_a_case_with_a_return_goes_its_whole_way(client: Client) -> None:
    work = Work(client, "back")
    work.opens()
    assert client.get(work.order_id).open_cases == [work.case_id]
    work.send("RequestEvidence", wanted=["photo_of_label"])
    assert work.case().status == cases_pb2.CASE_STATUS_EVIDENCE_REQUESTED
    work.rules(cases_pb2.REMEDY_RETURN)
    work.send("RecordReturnLabel", label_id="label-1", freight_minor=590)
    work.send("RecordReturnShipped", label_id="label-1", carrier="DHL", tracking_number="back 1")
    work.send("RecordReturnReceived", lines=[common_pb2.LineUnits(line_no=1, units=2)])
    work.send("RecordInspection", lines=[returns_pb2.InspectedLine(line_no=1, restocked=1, not_restocked=1)])
    work.send("GrantRefund", refund_id="r-back", lines=[cases_pb2.LineAmount(line_no=1, units=1)])
    work.send("DenyRefund", reason=cases_pb2.DENIAL_GOODS_USED)
    work.send("RecordRefundPaid", refund_id="r-back", reference="psp-1")
    case = work.case()
    assert case.status == cases_pb2.CASE_STATUS_RESOLVED
    (line,), (label,), (refund,) = case.lines, case.labels, case.refunds
    assert (line.labelled, line.received, line.inspected.restocked, line.supplier_id) == (2, 2, 1, "acme")
    assert (label.freight_payer, label.tracking_number, label.freight_minor) == (
        common_pb2.PARTY_SUPPLIER,
        "BACK1",
        590,
    )
    assert (refund.amount_minor, refund.reference, case.currency) == (990, "psp-1", "EUR")
    assert case.denial == cases_pb2.DENIAL_GOODS_USED
    assert client.get(work.order_id).payment == orders_pb2.PAYMENT_STATE_PARTLY_REFUNDED
    assert client.get(work.order_id).open_cases == []


def test_what_people_wrote_is_shown_only_if_asked_for(client: Client) -> None:
    work = Work(client, "note")
    work.opens()
    work.rules(cases_pb2.REMEDY_REFUND)
    assert work.case().note == ""
    with_data = work.case(with_personal_data=True)
    assert with_data.note == "The cup of Ann Example came broken"
    assert with_data.ruling.note == "Ann sent a photo"


def test_what_was_noted_of_a_denial_is_shown_until_the_case_is_reopened(client: Client) -> None:
    work = Work(client, "nonote")
    work.opens()
    work.send("AddEvidence", type=cases_pb2.EVIDENCE_TYPE_PNG, data=PNG)
    work.send("StartReview")
    work.send("RuleLiability", liable=common_pb2.PARTY_CUSTOMER, reasons=["dropped"])
    work.send("DenyCase", reason=cases_pb2.DENIAL_CUSTOMER_FAULT, note="Ann dropped it herself")
    assert work.case().denial_note == ""
    assert work.case(with_personal_data=True).denial_note == "Ann dropped it herself"
    work.send("AddEvidence", type=cases_pb2.EVIDENCE_TYPE_PNG, data=PNG + b" dropped by the courier")
    again = sha256(PNG + b" dropped by the courier").hexdigest()
    work.send("ReopenCase", evidence_sha256=[again])
    assert work.case(with_personal_data=True).denial_note == ""


def test_a_reship_goes_to_the_same_person_and_resolves_its_case(client: Client) -> None:
    work = Work(client, "again")
    work.opens()
    work.rules(cases_pb2.REMEDY_RESHIP)
    (reship,) = work.case().reships
    assert reship.order_id == "shop/again+R1"
    shown = client.orders.GetOrder(orders_pb2.GetOrderRequest(order_id=reship.order_id, with_personal_data=True)).order
    assert (shown.customer.name, list(shown.ship_to.lines)) == ("Ann Example", ["1 Elm Street"])
    assert (shown.reship_of, shown.original_order_id) == (work.case_id, work.order_id)
    assert [line.line.unit_price_minor for line in shown.lines] == [0]
    work.arrives(reship.order_id, "AGAINR1")
    work.send("AnswerCustomer")
    assert work.case().status == cases_pb2.CASE_STATUS_RESOLVED


def test_the_history_of_a_case_is_its_facts_and_those_of_its_parcels(client: Client) -> None:
    work = Work(client, "past")
    work.opens()
    work.rules(cases_pb2.REMEDY_RETURN)
    work.send("RecordReturnLabel", label_id="label-1")
    work.send("RecordReturnShipped", label_id="label-1", carrier="dhl", tracking_number="PASTBACK")
    facts = client.audit.GetHistory(audit_pb2.GetHistoryRequest(case_id=work.case_id)).facts
    assert [fact.name for fact in facts][:2] == ["case.opened", "case.evidence_added"]
    assert {fact.stream for fact in facts} == {f"case-{work.case_id}"}
    whole = client.audit.GetHistory(audit_pb2.GetHistoryRequest(case_id=work.case_id, with_parcels=True)).facts
    assert {fact.stream for fact in whole} == {f"case-{work.case_id}", "parcel-dhl/PASTBACK"}
    error = refused(client.audit.GetHistory, audit_pb2.GetHistoryRequest(case_id="nobodys"))
    assert reason_of(error) == "UNKNOWN_CASE"


# --- evidence -----------------------------------------------------------------------------------------


def evidence_of(client: Client, work: Work, data: bytes = PNG) -> bytes:
    request = cases_pb2.GetEvidenceRequest(case_id=work.case_id, sha256=sha256(data).hexdigest())
    return b"".join(piece.data for piece in client.cases.GetEvidence(request))


def test_evidence_comes_back_as_it_was_handed_in_and_is_kept_once(client: Client) -> None:
    first, second = Work(client, "photo1"), Work(client, "photo2")
    for work in (first, second):
        work.opens()
        work.send("AddEvidence", type=cases_pb2.EVIDENCE_TYPE_PNG, data=PNG)
        assert evidence_of(client, work) == PNG
    before = first.case().version
    first.send("AddEvidence", type=cases_pb2.EVIDENCE_TYPE_PNG, data=PNG)
    assert first.case().version == before
    (evidence,) = first.case().evidence
    assert (evidence.size_bytes, evidence.type) == (len(PNG), cases_pb2.EVIDENCE_TYPE_PNG)
    error = refused(
        lambda asked: list(client.cases.GetEvidence(asked)),
        cases_pb2.GetEvidenceRequest(case_id=first.case_id, sha256="0" * 64),
    )
    assert reason_of(error) == "UNKNOWN_EVIDENCE"


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (cases_pb2.EVIDENCE_TYPE_JPEG, b"\xff\xd8\xff\xe0 a photo"),
        (cases_pb2.EVIDENCE_TYPE_WEBP, b"RIFF\x10\0\0\0WEBPVP8 "),
        (cases_pb2.EVIDENCE_TYPE_PDF, b"%PDF-1.7 a letter"),
        (cases_pb2.EVIDENCE_TYPE_MP4, b"\0\0\0\x18ftypisom a film"),
    ],
)
def test_every_kind_of_evidence_is_known_by_how_it_begins(client: Client, kind: int, data: bytes) -> None:
    work = Work(client, f"kind{kind}")
    work.opens()
    work.send("AddEvidence", type=kind, data=data)
    assert evidence_of(client, work, data) == data
    wrong = refused(client.cases.AddEvidence, work.request("AddEvidence", type=kind, data=PNG))
    assert (reason_of(wrong), fields_of(wrong)) == ("MALFORMED", ["data"])


def test_evidence_is_not_too_large_nor_of_a_kind_that_is_not_named(client: Client) -> None:
    work = Work(client, "large")
    work.opens()
    large = work.request("AddEvidence", type=cases_pb2.EVIDENCE_TYPE_PNG, data=PNG.ljust(MOST_EVIDENCE_BYTES + 1))
    assert fields_of(refused(client.cases.AddEvidence, large)) == ["data"]
    assert fields_of(refused(client.cases.AddEvidence, work.request("AddEvidence", data=PNG))) == ["type"]


def test_the_largest_evidence_comes_back_in_pieces_that_any_client_takes(client: Client) -> None:
    work = Work(client, "large")
    work.opens()
    data = PNG.ljust(MOST_EVIDENCE_BYTES, b"x")
    work.send("AddEvidence", type=cases_pb2.EVIDENCE_TYPE_PNG, data=data)
    request = cases_pb2.GetEvidenceRequest(case_id=work.case_id, sha256=sha256(data).hexdigest())
    pieces = list(client.cases.GetEvidence(request))
    assert b"".join(piece.data for piece in pieces) == data
    assert max(piece.ByteSize() for piece in pieces) <= 3 << 20
    assert [piece.evidence.size_bytes for piece in pieces] == [len(data)] + [0] * (len(pieces) - 1)


def test_evidence_of_an_unknown_case_is_refused_and_nothing_is_kept(client: Client, service: Service) -> None:
    request = cases_pb2.AddEvidenceRequest(
        context=context(), case_id="nobodys", type=cases_pb2.EVIDENCE_TYPE_PDF, data=b"%PDF-1.4 nobody's"
    )
    assert reason_of(refused(client.cases.AddEvidence, request)) == "UNKNOWN_CASE"


def test_the_file_of_a_label_is_kept_sealed_and_read_as_evidence_is(client: Client) -> None:
    work = Work(client, "label")
    work.opens()
    work.rules(cases_pb2.REMEDY_RETURN)
    wrong = work.request("RecordReturnLabel", label_id="l-1", file=b"GIF89a")
    assert fields_of(refused(client.cases.RecordReturnLabel, wrong)) == ["file"]
    large = work.request("RecordReturnLabel", label_id="l-1", file=PDF.ljust(MOST_LABEL_BYTES + 1))
    assert fields_of(refused(client.cases.RecordReturnLabel, large)) == ["file"]
    work.send("RecordReturnLabel", label_id="l-1")
    assert work.case().labels[0].file_sha256 == ""
    for _ in range(2):
        work.send("RecordReturnLabel", label_id="l-1", file=PDF)
    (label,), (line,) = work.case().labels, work.case().lines
    assert (label.file_sha256, line.labelled) == (sha256(PDF).hexdigest(), 2)
    request = cases_pb2.GetEvidenceRequest(case_id=work.case_id, sha256=label.file_sha256)
    (piece,) = client.cases.GetEvidence(request)
    assert (piece.data, piece.evidence.type) == (PDF, cases_pb2.EVIDENCE_TYPE_PDF)
    facts = client.audit.GetHistory(audit_pb2.GetHistoryRequest(case_id=work.case_id)).facts
    assert [fact.name for fact in facts].count("case.return_labelled") == 2


def test_a_fact_never_names_bytes_that_are_not_there(client: Client) -> None:
    """The case and its evidence in one batch: the bytes come before the case is known."""
    work = Work(client, "batch")
    commands = [
        batch_pb2.BatchCommand(
            open_case=work.request(
                "OpenCase",
                order_id=work.order_id,
                reason=cases_pb2.CASE_REASON_DAMAGED,
                lines=[common_pb2.LineUnits(line_no=1, units=1)],
            )
        ),
        batch_pb2.BatchCommand(add_evidence=work.request("AddEvidence", type=cases_pb2.EVIDENCE_TYPE_PNG, data=PNG)),
        batch_pb2.BatchCommand(record_return_label=work.request("RecordReturnLabel", file=PDF)),
    ]
    request = batch_pb2.ExecuteBatchRequest(commands=commands)
    opened, kept, labelled = client.batch.ExecuteBatch(request).outcomes
    assert opened.WhichOneof("outcome") == "receipt"
    assert (kept.refusal.reason, labelled.refusal.reason) == ("EVIDENCE_NOT_KEPT", "EVIDENCE_NOT_KEPT")
    _, kept, _ = client.batch.ExecuteBatch(request).outcomes
    assert kept.WhichOneof("outcome") == "receipt", "the same request again finds the case"
    assert evidence_of(client, work) == PNG


def test_who_is_erased_is_erased_from_evidence_and_notes_too(client: Client) -> None:
    person = orders_pb2.Customer(name="Bob Forgotten", email="bob@example.org")
    work = Work(client, "erased", customer=person)
    work.opens(note="Bob is unhappy")
    data = PNG + b"of Bob"
    work.send("AddEvidence", type=cases_pb2.EVIDENCE_TYPE_PNG, data=data)
    client.admin.ErasePerson(admin_pb2.ErasePersonRequest(email="bob@example.org", even_if_open=True))
    request = cases_pb2.GetEvidenceRequest(case_id=work.case_id, sha256=sha256(data).hexdigest())
    assert reason_of(refused(lambda asked: list(client.cases.GetEvidence(asked)), request)) == "EVIDENCE_ERASED"
    assert work.case(with_personal_data=True).note == ""


# --- refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rpc", "fields", "field"),
    [
        ("OpenCase", {"order_id": "shop/x", "reason": 1}, "lines"),
        ("OpenCase", {"order_id": "shop/x", "lines": [common_pb2.LineUnits(line_no=1, units=1)]}, "reason"),
        ("OpenCase", {"order_id": "x", "reason": 1}, "order_id"),
        ("RequestEvidence", {}, "wanted"),
        ("RuleLiability", {"reasons": ["x"]}, "liable"),
        ("RuleLiability", {"liable": 1}, "reasons"),
        ("RuleLiability", {"liable": 1, "reasons": ["x"], "evidence_sha256": ["zz"]}, "evidence_sha256[0]"),
        ("ApproveRemedy", {}, "remedy"),
        ("DenyCase", {}, "reason"),
        ("RecordReturnLabel", {"label_id": "l", "freight_minor": -1}, "freight_minor"),
        ("RecordReturnReceived", {}, "lines"),
        ("RecordInspection", {"lines": [returns_pb2.InspectedLine()]}, "lines[0].line_no"),
        ("GrantRefund", {"refund_id": "r", "share_basis_points": 10_001}, "share_basis_points"),
        ("GrantRefund", {"refund_id": "r", "lines": [cases_pb2.LineAmount(line_no=1)]}, "lines[0].units"),
        ("DenyRefund", {}, "reason"),
        ("DenyRefund", {"reason": 1, "refund_id": "r", "lines": [common_pb2.LineUnits(line_no=1, units=1)]}, "lines"),
        ("CancelCase", {}, "by"),
        ("ReopenCase", {}, "evidence_sha256"),
    ],
)
def test_what_a_request_lacks_is_named(client: Client, rpc: str, fields: dict[str, Any], field: str) -> None:
    request = request_classes()[rpc](context=context(), case_id="case-x", **fields)
    assert fields_of(refused(getattr(client.cases, rpc), request))[:1] == [field]


COMMANDS: dict[str, dict[str, Any]] = {
    "AnswerCustomer": {},
    "RequestEvidence": {"wanted": ["photo"]},
    "StartReview": {},
    "RuleLiability": {"liable": 1, "reasons": ["x"]},
    "ApproveRemedy": {"remedy": 1},
    "DenyCase": {"reason": 1},
    "RecordReturnLabel": {"label_id": "l"},
    "RecordReturnShipped": {"label_id": "l", "carrier": "dhl", "tracking_number": "X"},
    "RecordReturnReceived": {"lines": [common_pb2.LineUnits(line_no=1, units=1)]},
    "RecordInspection": {"lines": [returns_pb2.InspectedLine(line_no=1)]},
    "GrantRefund": {"refund_id": "r"},
    "DenyRefund": {"reason": 1},
    "RecordRefundPaid": {"refund_id": "r"},
    "CancelCase": {"by": 1},
    "ReopenCase": {"evidence_sha256": ["0" * 64]},
}


@pytest.mark.parametrize("rpc", COMMANDS)
def test_every_command_says_that_a_case_is_unknown(client: Client, rpc: str) -> None:
    request = request_classes()[rpc](context=context(), case_id="nobodys", **COMMANDS[rpc])
    assert reason_of(refused(getattr(client.cases, rpc), request)) == "UNKNOWN_CASE"


def test_no_note_stands_in_plain_in_the_log_nor_in_what_the_server_writes(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    work = Work(client, "plain")
    work.opens(note="Plainly Ann's words")
    facts = client.audit.GetHistory(audit_pb2.GetHistoryRequest(case_id=work.case_id)).facts
    assert not any("Plainly" in fact.json for fact in facts)
    assert "Plainly" not in caplog.text
