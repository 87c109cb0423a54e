"""All that is kept of a person, given to it: whole, nothing of others, and empty once it was erased."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fulfilment.v1 import (
    admin_pb2,
    audit_pb2,
    cases_pb2,
    common_pb2,
    inquiries_pb2,
    messages_pb2,
    orders_pb2,
    parcels_pb2,
    remarks_pb2,
    supplier_orders_pb2,
)
from tests.support.case_client import PNG, Work
from tests.support.service import Client, Service, context, reason_of, refused, stamp
from tests.support.terminal import Console
from tests.support.waiting import wait_for

_KEYS = "SELECT key_id FROM tenant_default.ledger_keys WHERE wrapped IS NOT NULL AND subject = ANY(%s)"
_OF_EVIDENCE = "SELECT key_id FROM tenant_default.ledger_evidence"
_KEY_ID = r'"key_id":"([^"]+)"'
_FACTS = "SELECT originator_id, topic, convert_from(state, 'UTF8') FROM tenant_default.ledger_events"


LARGE = PNG + bytes(range(256)) * 10_000


def customer(name: str, **more: str) -> dict[str, Any]:
    return {"customer": orders_pb2.Customer(name=name, **more)}


def export(client: Client, **asked: Any) -> list[audit_pb2.ExportPersonResponse]:
    head = client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
    client.read_up_to(head)
    return list(client.audit.ExportPerson(audit_pb2.ExportPersonRequest(**asked)))


def of_kind(parts: Sequence[audit_pb2.ExportPersonResponse], kind: str) -> Iterator[Any]:
    return (getattr(part, kind) for part in parts if part.WhichOneof("part") == kind)


def texts(parts: Sequence[audit_pb2.ExportPersonResponse]) -> dict[str, list[str]]:
    """What was ever written, by its name."""
    found: dict[str, list[str]] = {}
    for fact in of_kind(parts, "fact"):
        for text in fact.texts:
            found.setdefault(text.name, []).extend(text.values)
    return found


@pytest.fixture(scope="module")
def ann(client: Client) -> Work:
    """Two orders of Ann under two spellings, with all that can be written about one, and an order of Ben."""
    client.approve("ann-tea", contact="Sue <sue@tea.example.org>")
    work = Work(client, "ann-1", **customer("Ann", email="ann.x@example.org", phone="+49 30 777001"))
    second = client.place("ann-2", **customer("Ann Example", email="Ann <ANN.X@Example.org>", phone="0049 30 777001"))
    client.place("ben-1", **customer("Ben Other", email="ben@example.org"))
    assert second.outcome
    work.opens()
    work.rules(cases_pb2.REMEDY_REFUND)
    client.orders.AddOrderNote(
        remarks_pb2.AddOrderNoteRequest(context=context(), order_id=work.order_id, note="rang about the blue door")
    )
    client.inquiries.AskInquiry(
        inquiries_pb2.AskInquiryRequest(
            context=context(),
            inquiry_id="ann-asks",
            order_id=work.order_id,
            asked_by=common_pb2.PARTY_CUSTOMER,
            asked_of=common_pb2.PARTY_RETAILER,
            text="where is my cup?",
        )
    )
    client.orders.ChangeAddress(
        orders_pb2.ChangeAddressRequest(
            context=context(),
            order_id="shop/ann-2",
            customer=orders_pb2.Customer(name="Ann Example", email="ann.x@example.org"),
            ship_to=orders_pb2.Address(lines=["2 Oak Street"], city="Bonn", country="DE"),
        )
    )
    client.parcels.ProveDelivery(
        parcels_pb2.ProveDeliveryRequest(
            context=context(), carrier="dhl", tracking_number="ANN-1", signed_by="A. Neighbour"
        )
    )
    asked = messages_pb2.ListMessagesRequest(order_id=work.order_id, states=[messages_pb2.MESSAGE_STATE_SENT])
    wait_for(lambda: client.messages.ListMessages(asked).messages)
    return work


def test_all_that_is_kept_of_a_person_is_exported_and_nothing_of_others(client: Client, service: Service, ann: Work):
    parts = export(client, email="Ann <ann.X@example.org>", with_evidence=True)
    (person,) = of_kind(parts, "person")
    assert sorted(person.order_ids) == ["shop/ann-1", "shop/ann-2"]
    first, second = sorted(of_kind(parts, "order"), key=lambda each: str(each.order.order_id))
    assert (first.order.customer.name, first.order.notes[0].note) == ("Ann", "rang about the blue door")
    assert list(second.order.ship_to.lines) == ["2 Oak Street"]
    (case,), (inquiry,) = of_kind(parts, "case"), of_kind(parts, "inquiry")
    assert (case.note, case.ruling.note) == ("The cup of Ann Example came broken", "Ann sent a photo")
    assert inquiry.text == "where is my cup?"
    (file,) = of_kind(parts, "file")
    assert (file.case_id, file.data, file.erased) == (ann.case_id, PNG, False)
    letters = [each for each in of_kind(parts, "message") if each.HasField("letter")]
    assert letters
    assert not any(each.letter.html for each in letters)
    assert {each.letter.email.lower() for each in letters} <= {"ann.x@example.org", "ann <ann.x@example.org>"}
    written = texts(parts)
    assert "1 Elm Street" in written["lines"], "the address of before"
    assert {"rang about the blue door", "The cup of Ann Example came broken"} <= {*written["note"]}
    assert written["signed_by"] == ["A. Neighbour"]
    counts = parts[-1].counts
    assert (counts.orders, counts.cases, counts.inquiries, counts.files, counts.erased) == (2, 1, 1, 1, 0)
    everything = str(parts)
    for other in ("Ben Other", "ben@example.org", "sue@tea.example.org"):
        assert other not in everything


def test_no_key_of_a_person_is_left_out(client: Client, service: Service, ann: Work):
    parts = export(client, phone="+49 30 777 001")
    exported = {(fact.stream, fact.name) for fact in of_kind(parts, "fact") if any(text.values for text in fact.texts)}
    with psycopg.connect(service.dsn) as connection:
        keys = connection.execute(_KEYS, (["order shop/ann-1", "order shop/ann-2"],)).fetchall()
        of_evidence = {key_id for (key_id,) in connection.execute(_OF_EVIDENCE).fetchall()}
        facts = connection.execute(_FACTS).fetchall()
    sealed = {
        key_id for stream, name, state in facts if (stream, name) in exported for key_id in re.findall(_KEY_ID, state)
    }
    assert len(keys) > 8
    assert {key_id for (key_id,) in keys} <= sealed | of_evidence


def test_an_export_is_noted_before_it_is_answered_and_lists_the_reads_before_it(client: Client, ann: Work):
    client.orders.GetOrder(orders_pb2.GetOrderRequest(order_id="shop/ann-2", with_personal_data=True))
    before = len(client.audit.ListReads(audit_pb2.ListReadsRequest(order_id="shop/ann-2")).reads)
    parts = export(client, order_id="shop/ann-2")
    reads = client.audit.ListReads(audit_pb2.ListReadsRequest(order_id="shop/ann-2")).reads
    noted = reads[: len(reads) - before]
    assert {each.rpc for each in noted} == {"ExportPerson"}
    assert "customer" in {each.object for each in noted}
    told = [each for each in of_kind(parts, "read") if each.order_id == "shop/ann-2"]
    assert len(told) == before
    assert "GetOrder" in {each.rpc for each in told}


def test_in_a_box_that_two_share_each_is_given_its_own(client: Client):
    for number in ("cleo", "dora"):
        client.place(number, **customer(number.title(), email=f"{number}@example.org"))
        sent = supplier_orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id=f"shop/{number}/1")
        client.orders.SendSupplierOrder(sent)
        shipped = supplier_orders_pb2.ShipSupplierOrderRequest(
            context=context(), supplier_order_id=f"shop/{number}/1", carrier="dhl", tracking_number="SHARED"
        )
        client.orders.ShipSupplierOrder(shipped)
    scan = parcels_pb2.Checkpoint(at=stamp(datetime.now(UTC)), status=parcels_pb2.PARCEL_STATUS_DELIVERED)
    client.parcels.RecordCheckpoints(
        parcels_pb2.RecordCheckpointsRequest(
            context=context(), carrier="dhl", tracking_number="SHARED", checkpoints=[scan]
        )
    )
    proof = parcels_pb2.ProveDeliveryRequest(
        context=context(), carrier="dhl", tracking_number="SHARED", signed_by="Cleo herself"
    )
    client.parcels.ProveDelivery(proof)
    hers, other = (export(client, email=f"{each}@example.org") for each in ("cleo", "dora"))
    assert texts(hers)["signed_by"] == ["Cleo herself"]
    assert "Dora" not in str(hers)
    assert "Cleo" not in str(other)


def test_the_console_writes_one_private_document_with_its_files(client: Client, service: Service, ann: Work, tmp_path):
    console, path, folder = Console(service.address), tmp_path / "ann.json", tmp_path / "files"
    told = console("person", "export", "--email", "ANN.x@example.org", "--to", str(path), "--evidence", str(folder))
    assert told.code == 0, told.err
    assert "2 orders, 1 cases" in told.out
    document = json.loads(path.read_text())
    kinds = [next(iter(record)) for record in document["records"]]
    assert {"order", "case", "inquiry", "message", "file", "fact", "read"} <= {*kinds}
    (file,) = (record["file"] for record in document["records"] if "file" in record)
    assert (folder / file["saved_as"]).read_bytes() == PNG
    assert [each.stat().st_mode & 0o777 for each in (path, folder / file["saved_as"], folder)] == [0o600, 0o600, 0o700]
    assert {each.name for each in tmp_path.iterdir()} == {"ann.json", "files"}
    assert document["counts"]["orders"] == 2


def test_nobody_and_who_is_of_another_tenant_is_unknown(client: Client, service: Service, ann: Work, tmp_path: Path):
    client.admin.CreateTenant(admin_pb2.CreateTenantRequest(tenant="elsewhere"))
    asked = audit_pb2.ExportPersonRequest(email="ann.x@example.org")
    with Client(service.address, tenant="elsewhere") as other:
        assert reason_of(refused(lambda request: list(other.audit.ExportPerson(request)), asked)) == "UNKNOWN_PERSON"
    path = tmp_path / "nobody.json"
    told = Console(service.address)("person", "export", "--email", "ann.x@example.org", "--to", "/nowhere/ann.json")
    assert (told.code, "/nowhere/ann.json cannot be written" in told.err) == (1, True)
    told = Console(service.address)("person", "export", "--email", "nobody@example.org", "--to", str(path))
    assert (told.code, [*tmp_path.iterdir()]) == (1, [])
    assert "nothing" in told.err


def test_once_erased_the_export_of_the_order_says_so_and_holds_nothing(client: Client):
    work = Work(client, "fay", **customer("Fay Gone", email="fay@example.org"))
    work.opens()
    work.send("AddEvidence", type=cases_pb2.EVIDENCE_TYPE_PNG, data=LARGE)
    before = export(client, email="fay@example.org", with_evidence=True)
    assert "Fay Gone" in str(before[:20])
    pieces = [each.data for each in of_kind(before, "file")]
    assert (len(pieces), max(map(len, pieces)), b"".join(pieces)) == (3, 1 << 20, LARGE)
    assert before[-1].counts.files == 1
    client.admin.ErasePerson(admin_pb2.ErasePersonRequest(email="fay@example.org", even_if_open=True))
    asked = audit_pb2.ExportPersonRequest(email="fay@example.org")
    assert reason_of(refused(lambda request: list(client.audit.ExportPerson(request)), asked)) == "UNKNOWN_PERSON"
    parts = export(client, order_id="shop/fay", with_evidence=True)
    (order,), (case,), (file,) = (of_kind(parts, kind) for kind in ("order", "case", "file"))
    assert order.order.HasField("erased_at")
    assert case.HasField("erased_at")
    assert (file.erased, file.data) == (True, b"")
    assert not any(texts(parts).values())
    assert {each.no_letter for each in of_kind(parts, "message")} <= {
        "erased",
        "not to the person",
        "not written yet",
    }
    assert parts[-1].counts.erased > 3
    for gone in ("Fay Gone", "fay@example.org", "The cup of"):
        assert gone not in str(parts)
