"""Messages over the wire and at the terminal: listed, shown as letters, tried again, cancelled, each sent once."""

from __future__ import annotations

import email
import time
from collections import Counter
from collections.abc import Iterator
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest

from fulfilment.v1 import admin_pb2, audit_pb2, messages_pb2, orders_pb2, supplier_orders_pb2, work_pb2
from tests.support.service import (
    Client,
    Service,
    context,
    dsn_of,
    fields_of,
    patiently,
    reason_of,
    refused,
    serving,
)
from tests.support.terminal import Console
from tests.support.waiting import wait_for

SENT = messages_pb2.MESSAGE_STATE_SENT


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        client.approve(contact="Wei <orders@acme.cn>", acknowledge_within_hours=24, dispatch_within_hours=48)
        client.place("told", sku="untracked")
        send(client, "shop/told/1")
        yield client


def send(client: Client, supplier_order_id: str) -> None:
    request = supplier_orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id=supplier_order_id)
    client.orders.SendSupplierOrder(request)


def messages_of(client: Client, order_id: str = "", **more: Any) -> list[messages_pb2.Message]:
    head = client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
    request = messages_pb2.ListMessagesRequest(order_id=order_id, at_least=head, **more)
    return list(patiently(client.messages.ListMessages, request).messages)


def sent_of(client: Client, order_id: str, count: int) -> list[messages_pb2.Message]:
    """The messages of an order, once so many of them are sent."""
    wait_for(lambda: [each.state for each in messages_of(client, order_id)] == [SENT] * count)
    return messages_of(client, order_id)


def test_an_order_that_is_confirmed_and_sent_makes_messages_to_the_customer_and_the_supplier(
    client: Client, service: Service
):
    instruction, confirmation = sent_of(client, "shop/told", 2)
    assert (confirmation.kind, instruction.kind) == (
        messages_pb2.MESSAGE_KIND_ORDER_CONFIRMED,
        messages_pb2.MESSAGE_KIND_DISPATCH_INSTRUCTION,
    )
    assert confirmation.recipient == "order shop/told"
    assert (instruction.recipient, instruction.supplier_order_id) == ("acme", "shop/told/1")
    assert (instruction.channel, instruction.language, instruction.template_version) == ("file", "en", 5)
    mail = email.message_from_bytes(
        (service.data / "outbox" / "default" / confirmation.reference).read_bytes(), policy=SMTP
    )
    assert mail["To"] == "Ann Example <ann@example.org>"
    assert mail["Subject"] == "Your order told is confirmed"


def test_whom_no_letter_reaches_is_somebody_s_work(client: Client):
    client.approve("mute", contact="phone +86 755 1234")
    client.place(
        "mute",
        customer=orders_pb2.Customer(name="Jo", email="Herr Müller <m@x>"),
        lines=[orders_pb2.OrderLine(sku="silence", quantity=1, unit_price_minor=990, supplier_id="mute")],
    )
    send(client, "shop/mute/1")
    given_up = messages_pb2.MESSAGE_STATE_GIVEN_UP
    wait_for(lambda: [each.state for each in messages_of(client, "shop/mute")] == [given_up] * 2)
    assert [each.error for each in messages_of(client, "shop/mute")] == ["no_email_address", "unusable_email_address"]
    head = client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
    request = work_pb2.ListWorkRequest(order_id="shop/mute", at_least=head)
    work = patiently(client.work.ListWork, request).work
    assert {(each.owner, each.reason) for each in work if each.kind == work_pb2.WORK_KIND_MESSAGE} == {
        (work_pb2.WORK_OWNER_SUPPLIER_MANAGER, "dispatch_instruction: no_email_address"),
        (work_pb2.WORK_OWNER_AFTER_SALES, "order_confirmed: unusable_email_address"),
    }
    # Once the address is put right, it is sent by itself.
    client.orders.ChangeAddress(
        orders_pb2.ChangeAddressRequest(
            context=context(),
            order_id="shop/mute",
            customer=orders_pb2.Customer(name="Jo", email="Jo <jo@example.org>"),
            ship_to=orders_pb2.Address(lines=["1 Elm Street"], city="Berlin", country="DE"),
        )
    )
    # The supplier is to be told of the new address as well, and no letter reaches it.
    wait_for(lambda: [each.state for each in messages_of(client, "shop/mute")] == [given_up, given_up, SENT])
    for unreached in messages_of(client, "shop/mute")[:-1]:
        client.messages.CancelMessage(
            messages_pb2.CancelMessageRequest(context=context(), message_id=unreached.message_id)
        )


def test_a_letter_is_written_only_on_request_and_holds_personal_data(client: Client):
    _, confirmation = sent_of(client, "shop/told", 2)
    plain = client.messages.GetMessage(messages_pb2.GetMessageRequest(message_id=confirmation.message_id))
    assert not plain.HasField("letter")
    assert plain.message == confirmation
    assert "Ann" not in str(plain)
    shown = client.messages.GetMessage(
        messages_pb2.GetMessageRequest(message_id=confirmation.message_id, with_letter=True)
    )
    assert (shown.letter.name, shown.letter.email) == ("Ann Example", "ann@example.org")
    assert "1 × untracked" in shown.letter.text


def test_messages_are_listed_by_state_and_audience(client: Client):
    sent_of(client, "shop/told", 2)
    to_supplier = messages_of(client, audience=messages_pb2.MESSAGE_AUDIENCE_SUPPLIER, states=[SENT])
    assert {each.kind for each in to_supplier} == {messages_pb2.MESSAGE_KIND_DISPATCH_INSTRUCTION}
    assert messages_of(client, states=[messages_pb2.MESSAGE_STATE_GIVEN_UP]) == []
    unknown: Any = messages_pb2.ListMessagesRequest()
    unknown.states.append(99)
    assert fields_of(refused(client.messages.ListMessages, unknown)) == ["states[0]"]


def test_what_was_sent_is_neither_tried_again_nor_cancelled(client: Client):
    instruction, _ = sent_of(client, "shop/told", 2)
    retry = messages_pb2.RetryMessageRequest(context=context(), message_id=instruction.message_id)
    cancel = messages_pb2.CancelMessageRequest(context=context(), message_id=instruction.message_id)
    assert reason_of(refused(client.messages.RetryMessage, retry)) == "MESSAGE_IS_SENT"
    assert reason_of(refused(client.messages.CancelMessage, cancel)) == "MESSAGE_IS_SENT"


def test_a_message_that_is_not_there_is_unknown(client: Client):
    for call, request in (
        (client.messages.GetMessage, messages_pb2.GetMessageRequest(message_id="dispatched-999999")),
        (client.messages.RetryMessage, messages_pb2.RetryMessageRequest(context=context(), message_id="dispatched-9")),
        (client.messages.CancelMessage, messages_pb2.CancelMessageRequest(context=context(), message_id="delayed-9")),
    ):
        assert reason_of(refused(call, request)) == "UNKNOWN_MESSAGE"
    wrong = messages_pb2.GetMessageRequest(message_id="'; DROP")
    assert fields_of(refused(client.messages.GetMessage, wrong)) == ["message_id"]


def test_messages_are_listed_at_the_terminal(client: Client, service: Service):
    sent_of(client, "shop/told", 2)
    ff = Console(service.address)
    listed = ff("message", "list", "--order", "shop/told")
    assert listed.code == 0
    assert "shop/told/1" in listed.out
    assert "acme" in listed.out
    rows = ff("message", "list", "--state", "sent", "--audience", "customer", "--json").json
    (confirmation,) = [each for each in rows if each["order_id"] == "shop/told"]
    shown = ff("message", "show", confirmation["message_id"], "--letter")
    assert "Dear Ann Example," in shown.out
    assert "Ann" not in ff("message", "show", confirmation["message_id"]).out
    assert "[MESSAGE_IS_SENT]" in ff("message", "retry", confirmation["message_id"]).err
    assert "[MESSAGE_IS_SENT]" in ff("message", "cancel", confirmation["message_id"], "--reason", "wrong").err


def test_what_fails_waits_in_the_backlog_until_a_person_cancels_it_or_it_works(client: Client, service):
    outbox = service.data / "outbox"
    ff = Console(service.address)
    sent_of(client, "shop/told", 2)
    (outbox / "default").rename(outbox / "away")
    (outbox / "default").write_text("in the way")
    client.place("stuck", sku="untracked")
    send(client, "shop/stuck/1")
    failed = messages_pb2.MESSAGE_STATE_FAILED
    wait_for(lambda: [each.state for each in messages_of(client, "shop/stuck")] == [failed, failed])
    assert client.admin.GetStatus(admin_pb2.GetStatusRequest()).messages.failed == 2
    assert "2 failed and are tried again" in ff("status").out
    instruction, confirmation = messages_of(client, "shop/stuck")
    assert confirmation.error.startswith("file_")
    assert confirmation.HasField("next_at")
    (outbox / "default").unlink()
    (outbox / "away").rename(outbox / "default")
    result = ff("message", "cancel", confirmation.message_id, "--reason", "wrong person")
    assert (result.code, "cancelled" in result.out) == (0, True)
    retry = messages_pb2.RetryMessageRequest(context=context(), message_id=confirmation.message_id)
    assert reason_of(refused(client.messages.RetryMessage, retry)) == "MESSAGE_IS_CANCELLED"
    assert ff("message", "retry", instruction.message_id).code == 0
    wait_for(lambda: messages_of(client, "shop/stuck")[0].state == SENT)
    assert messages_of(client, "shop/stuck")[1].reason == "wrong person"


def test_two_servers_send_each_message_once(folder: Path):
    key = str(folder / "data" / "master.key")
    with serving(folder, "--data", str(folder / "data")) as first:
        second = ("--dsn", dsn_of(folder / "data"), "--role", "api", "--key-file", key, "--data", str(folder / "two"))
        with serving(folder, *second) as other, Client(first.address) as one, Client(other.address) as two:
            one.approve()
            for number in range(60):
                (one, two)[number % 2].place(f"n{number}", sku="untracked")
            wait_for(lambda: [each.state for each in messages_of(one)] == [SENT] * 60)
            streamed = one.audit.StreamFacts(audit_pb2.StreamFactsRequest())
            streamed_facts = Counter(
                fact.name for part in streamed for fact in part.facts if fact.name.startswith("message.")
            )
            assert streamed_facts == {"message.asked": 60, "message.sent": 60}
        letters = [path.name for path in folder.rglob("*.eml")]
        assert len(letters) == len(set(letters)) == 60


def test_a_service_without_an_outbox_sends_nothing(folder: Path):
    with (
        serving(folder, "--data", str(folder / "data"), "--outbox", "off") as service,
        Client(service.address) as client,
    ):
        client.approve()
        client.place("quiet", sku="untracked")
        time.sleep(2.5)
        (message,) = messages_of(client)
        assert (message.state, message.recipient) == (messages_pb2.MESSAGE_STATE_DUE, "")
        assert client.admin.GetStatus(admin_pb2.GetStatusRequest()).messages.waiting == 1
        assert not client.messages.GetMessage(
            messages_pb2.GetMessageRequest(message_id=message.message_id, with_letter=True)
        ).HasField("letter")
        assert not (folder / "data" / "outbox").exists()
