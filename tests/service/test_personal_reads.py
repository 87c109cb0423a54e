"""Personal data is a right beside the role, and every read of it is noted before it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import grpc
import psycopg
import pytest
from google.protobuf import descriptor_pool

from adapters.access.roles import ROLES
from fulfilment.client import CallFailed
from fulfilment.failures import failure
from fulfilment.v1 import admin_pb2, audit_pb2, common_pb2, customer_invoices_pb2, orders_pb2, parcels_pb2, shipping_pb2
from tests.support import documented
from tests.support.access import administer, answer_to, bearer, knows, until
from tests.support.service import Client, Service, refused, stamp
from tests.support.terminal import Console
from tests.support.trading import NOW, PNG, SHA256, Trade, first_of, fresh, parcel_of

RPCS = documented.rpcs()
MARKER = "Zzyzx"
"""Stands in whatever is personal here."""
EMAIL, PHONE = "zzyzx@example.org", "+49 30 9990001"
ONE = common_pb2.PageRequest(page_size=1)
SELLER = admin_pb2.Seller(name="Brook & Sons", address=["10435 Berlin"], country="DE", tax_id="DE 811 128 135")
WISH = customer_invoices_pb2.InvoiceWish(buyer=customer_invoices_pb2.InvoiceBuyer(name=f"{MARKER} Ltd"))


class World(NamedTuple):
    """A service with clients, and for each RPC that shows personal data what to ask it for."""

    service: Service
    asked: Mapping[str, Mapping[str, Any]]
    order_id: str
    tokens: dict[str, str]

    def client(self, name: str) -> Client:
        return Client(self.service.address, token=self.tokens[name])

    def answer(self, name: str, rpc: str) -> Any:
        with self.client(name) as client:
            trade = Trade(client)
            answered = trade.call(rpc)(trade.request(rpc, **self.asked[rpc]))
            return list(answered) if RPCS[rpc].streams else answered

    def reads(self, **about: Any) -> list[audit_pb2.PersonalRead]:
        with self.client("auditor") as client:
            return list(client.audit.ListReads(audit_pb2.ListReadsRequest(**about)).reads)


@pytest.fixture(scope="module")
def world(service: Service) -> World:
    with Client(service.address) as client:
        asked, order_id = _story(Trade(client))
    tokens = {
        name: administer("add", name, "--dsn", service.dsn, "--role", role, "--tenant", "default", *more).token
        for name, role, more in (
            ("mia", "owner", ["--personal"]),
            ("tom", "owner", []),
            ("auditor", "auditor", []),
            ("reporting", "reporting", []),
        )
    }
    until(lambda: not knows(service.address, ""), "the first client closes the service")
    until(lambda: knows(service.address, tokens["reporting"]), "the clients are known")
    return World(service, asked, order_id, tokens)


def _story(trade: Trade) -> tuple[Mapping[str, Mapping[str, Any]], str]:
    """Everything that holds personal data, in the time before the first client, and how it is asked for."""
    client, supplier_id = trade.client, trade.candidate(contact=f"{MARKER} of sales")
    client.approve(contact=f"{MARKER} of acme")
    policy = client.admin.GetPolicy(admin_pb2.GetPolicyRequest()).in_force.policy
    policy.seller.CopyFrom(SELLER)
    trade.send("AgreePolicy", policy=policy)
    order_id = trade.shipped(
        customer=orders_pb2.Customer(name=MARKER, email=EMAIL, phone=PHONE),
        ship_to=orders_pb2.Address(lines=[f"1 {MARKER} Street"], city="Bonn", postal_code="53111", country="DE"),
        note=f"{MARKER} says please",
        invoice=WISH,
    )
    customs = shipping_pb2.CustomsLine(line_no=1, title="Tea", hs_code="0902.10", origin="CN", weight_grams=100)
    trade.send("CompleteCustomsData", order_id=order_id, lines=[customs], incoterm=shipping_pb2.INCOTERM_DAP)
    trade.send("AddOrderNote", order_id=order_id, note=f"{MARKER} called")
    scan = parcels_pb2.Checkpoint(at=stamp(NOW), status=parcels_pb2.PARCEL_STATUS_DELIVERED, message=f"to {MARKER}")
    trade.send("RecordCheckpoints", **parcel_of(order_id), checkpoints=[scan])
    trade.send("ProveDelivery", **parcel_of(order_id), signed_by=MARKER)
    case_id, inquiry_id = fresh(), fresh()
    trade.send("OpenCase", case_id=case_id, order_id=order_id, note=f"{MARKER} is cross")
    trade.send("AddEvidence", case_id=case_id, data=PNG)
    trade.send("AskInquiry", inquiry_id=inquiry_id, order_id=order_id, text=f"where is {MARKER}?")
    task_id = trade.task()
    receipt = trade.send("CommentOnWork", task_id=task_id, comment=f"{MARKER} again")
    recovery_id, invoice = trade.asked(), {"supplier_id": "acme", "number": fresh()}
    trade.send("WriteOffRecovery", recovery_id=recovery_id, reason=f"{MARKER} says no")
    trade.send("RecordSupplierInvoice", **invoice)
    trade.send("DisputeSupplierInvoice", **invoice, reason=f"{MARKER} sent less")
    client.read_up_to(receipt.position)
    (drawn_up,) = trade.send("ListCustomerInvoices", order_id=order_id).invoices
    messages = trade.send("ListMessages", order_id=order_id).messages
    personal = {"with_personal_data": True}
    return {
        "GetOrder": {"order_id": order_id, **personal},
        "GetTimeline": {"order_id": order_id, **personal},
        "GetParcel": {**parcel_of(order_id), **personal},
        "GetCase": {"case_id": case_id, **personal},
        "GetEvidence": {"case_id": case_id, "sha256": SHA256},
        "GetInquiry": {"inquiry_id": inquiry_id, **personal},
        "GetWork": {"task_id": task_id, **personal},
        "GetSupplier": {"supplier_id": supplier_id, **personal},
        "GetHistory": {"order_id": "", "recovery_id": recovery_id, **personal},
        "GetRecovery": {"recovery_id": recovery_id, **personal},
        "GetSupplierInvoice": {**invoice, **personal},
        "GetSupplierOrder": {**first_of(order_id), **personal},
        "GetCommercialInvoice": first_of(order_id),
        "GetCustomerInvoice": {"order_id": order_id, "number": drawn_up.number},
        "GetMessage": {"message_id": messages[0].message_id, "with_letter": True},
        "PreviewMessage": {"order_id": order_id},
        "FindCustomer": {"email": EMAIL},
        "GetTrackingLink": {"order_id": order_id},
        "GetTextChoice": {"phone": PHONE},
        "ListReads": {"email": EMAIL},
        "ExportPerson": {"email": EMAIL},
        "GetOrderFile": {"order_id": order_id, "format": audit_pb2.ORDER_FILE_FORMAT_HTML, **personal},
    }, order_id


# --- the right --------------------------------------------------------------------------------------


def test_whatever_asks_for_personal_data_is_tried_here(world: World):
    def asks(rpc: documented.Rpc) -> bool:
        fields = descriptor_pool.Default().FindMessageTypeByName(rpc.request).fields_by_name
        return not {"with_personal_data", "with_letter"}.isdisjoint(fields)

    # What a shop sent is tried where a shop sends, in test_edges_service.
    personal = {rpc.name for rpc in RPCS.values() if asks(rpc)} - {"GetReception"}
    of_staff_alone = ROLES["after_sales"].rpcs - ROLES["auditor"].rpcs
    questions = {name for name in of_staff_alone if not RPCS[name].is_command and name != "ExecuteBatch"}
    assert personal | questions | {"ListReads", "ExportPerson"} == world.asked.keys()


def test_without_the_right_nothing_personal_is_answered_whatever_the_role(world: World):
    for rpc in world.asked:
        try:
            shown = world.answer("tom", rpc)
        except grpc.RpcError as error:
            failed = failure(error)
        else:
            pytest.fail(f"{rpc} answered {shown}")
        assert (failed.code(), failed.reason) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_ALLOWED"), rpc
        assert failed.metadata == {"role": "owner", "rpc": rpc, "lacks": "personal"}
        assert MARKER not in failed.message
    assert not world.reads(client="tom")


def test_with_the_right_it_is_answered_and_noted(world: World):
    for rpc in world.asked:
        shown = str(world.answer("mia", rpc))
        assert MARKER in shown or rpc in (
            "GetEvidence",
            "FindCustomer",
            "GetTrackingLink",
            "ListReads",
            "GetTextChoice",
        ), rpc
        noted = world.reads(client="mia", page=ONE)
        assert [each.rpc for each in noted] == [rpc]
    about = {each.rpc: (each.object, each.order_id) for each in world.reads(client="mia")}
    case_id = world.asked["GetCase"]["case_id"]
    assert about["GetOrder"] == (f"order-{world.order_id}", world.order_id)
    assert about["GetCase"] == about["GetEvidence"] == (f"case-{case_id}", world.order_id)
    assert about["GetSupplier"] == (f"supplier-{world.asked['GetSupplier']['supplier_id']}", "")
    assert about["FindCustomer"] == ("customer", world.order_id)


def test_without_asking_for_it_nothing_personal_is_shown_or_noted(world: World):
    before = len(world.reads())
    for rpc in (
        "GetOrder",
        "GetTimeline",
        "GetParcel",
        "GetCase",
        "GetInquiry",
        "GetWork",
        "GetSupplier",
        "GetMessage",
    ):
        with world.client("tom") as client:
            trade = Trade(client)
            asked = {key: value for key, value in world.asked[rpc].items() if not key.startswith("with_")}
            assert MARKER not in str(trade.call(rpc)(trade.request(rpc, **asked))), rpc
    with world.client("tom") as client:
        assert client.templates.PreviewMessage(Trade(client).request("PreviewMessage", order_id="")).letter.text
    assert len(world.reads()) == before


@pytest.mark.parametrize("role", ["auditor", "reporting"])
def test_who_reads_for_others_sees_nobody(world: World, role: str):
    """Whatever it may call, about the order of one person and about all."""
    seen = 0
    for rpc in sorted(ROLES[role].rpcs):
        with world.client(role) as client:
            trade = Trade(client)
            fields = descriptor_pool.Default().FindMessageTypeByName(RPCS[rpc].request).fields_by_name
            asked = {key: value for key, value in world.asked.get(rpc, {}).items() if not key.startswith("with_")}
            if "order_id" in fields and not asked:
                asked = {"order_id": world.order_id}
            try:
                answered = trade.call(rpc)(trade.request(rpc, **asked))
                shown = str(list(answered) if RPCS[rpc].streams else answered)
            except grpc.RpcError as error:
                shown = failure(error).message
            seen += world.order_id in shown
            for personal in (MARKER, EMAIL, "9990001", "53111"):
                assert personal not in shown, rpc
    assert seen >= 5


# --- who saw whom -----------------------------------------------------------------------------------


def test_reads_of_the_time_before_the_first_client_are_everybodys(service: Service, world: World):
    with psycopg.connect(service.dsn) as connection:
        connection.execute(
            "INSERT INTO tenant_default.ledger_reads (client, rpc, object, subject) VALUES ('', 'GetOrder', 'x', 'y')"
        )
    (read,) = world.reads(client="")
    assert (read.client, read.rpc, read.order_id) == ("", "GetOrder", "")


def test_a_person_is_found_by_contact_and_an_order_by_its_id(world: World):
    other = {"customer": orders_pb2.Customer(name="Ann", email="ann@example.org")}
    with world.client("mia") as client:
        trade = Trade(client)
        same = orders_pb2.Customer(name=MARKER, email=EMAIL, phone=PHONE)
        second, third = trade.placed(customer=same), trade.placed(**other)
        for order_id in (world.order_id, second, third):
            trade.send("GetOrder", order_id=order_id, with_personal_data=True)
        for known_by in (
            audit_pb2.ListReadsRequest(email=EMAIL.upper()),
            audit_pb2.ListReadsRequest(phone="0049309990001"),
        ):
            reads = client.audit.ListReads(known_by).reads
            assert {each.order_id for each in reads if each.rpc == "GetOrder"} == {world.order_id, second}
        assert not client.audit.ListReads(audit_pb2.ListReadsRequest(email="nobody@example.org")).reads
    assert {each.order_id for each in world.reads(order_id=second)} == {second}
    with world.client("auditor") as client:
        unknown = refused(client.audit.ListReads, audit_pb2.ListReadsRequest(order_id="shop/nobody"))
        assert failure(unknown).reason == "UNKNOWN_ORDER"


def test_reads_come_page_by_page_within_a_time(world: World):
    world.answer("mia", "GetOrder")
    world.answer("mia", "GetCase")
    every = world.reads(client="mia")
    with world.client("auditor") as client:
        first = client.audit.ListReads(audit_pb2.ListReadsRequest(client="mia", page=ONE))
        after = common_pb2.PageRequest(page_size=1, page_token=first.next_page_token)
        second = client.audit.ListReads(audit_pb2.ListReadsRequest(client="mia", page=after))
    assert [*first.reads, *second.reads] == every[:2]
    assert [each.at.ToDatetime() for each in every] == sorted((each.at.ToDatetime() for each in every), reverse=True)
    since, until_ = every[1].at, every[0].at
    assert world.reads(client="mia", since=since, until=until_) == [every[1]]
    assert not world.reads(since=stamp(datetime.now(UTC) + timedelta(hours=1)))


def test_an_answer_that_cannot_be_noted_is_not_given(service: Service, world: World):
    request = orders_pb2.GetOrderRequest(order_id=world.order_id, with_personal_data=True).SerializeToString()
    with (
        psycopg.connect(service.dsn, autocommit=True) as connection,
        grpc.insecure_channel(service.address) as channel,
    ):
        connection.execute("ALTER TABLE tenant_default.ledger_reads RENAME TO elsewhere")
        try:
            answered = answer_to(channel, "GetOrder", request, bearer(world.tokens["mia"]))
        finally:
            connection.execute("ALTER TABLE tenant_default.elsewhere RENAME TO ledger_reads")
    assert isinstance(answered, CallFailed)
    assert answered.code() == grpc.StatusCode.INTERNAL
    assert MARKER in str(world.answer("mia", "GetOrder"))


def test_whoever_is_erased_is_not_read_and_what_was_read_stays_known(world: World):
    with world.client("mia") as client:
        trade = Trade(client)
        order_id = trade.placed(customer=orders_pb2.Customer(name="Eve", email="eve@example.org"))
        asked = orders_pb2.GetOrderRequest(order_id=order_id, with_personal_data=True)
        client.orders.GetOrder(asked)
        trade.send("ErasePerson", order_id=order_id, email="", even_if_open=True)
        client.orders.GetOrder(asked)
    (read,) = world.reads(order_id=order_id)
    assert (read.client, read.rpc) == ("mia", "GetOrder")


# --- the console ------------------------------------------------------------------------------------


def test_the_console_lists_reads_and_says_what_is_missing(world: World):
    console = Console(world.service.address, tenant="")
    console.environment["FULFILMENT_TOKEN"] = world.tokens["mia"]
    assert MARKER in console("show", world.order_id, "--personal").out
    listed = console("audit", "reads", "--order", world.order_id, "--client", "mia", "--limit", "1").out
    assert all(each in listed for each in ("mia", "GetOrder", world.order_id))
    assert "Nobody read any." in console("audit", "reads", "--since", "2999-01-01").out
    assert console("audit", "reads", "--order", "shop/1", "--email", EMAIL).code == 2
    console.environment["FULFILMENT_TOKEN"] = world.tokens["tom"]
    refusal = console("show", world.order_id, "--personal")
    assert "this shows personal data (GetOrder), which your token has no right to" in refusal.err
    assert refusal.err.strip().endswith("[NOT_ALLOWED]")
