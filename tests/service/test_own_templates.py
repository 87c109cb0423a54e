"""Templates over the wire and at the terminal: changed, tried out, withdrawn; what was sent stays as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fulfilment.v1 import admin_pb2, common_pb2, messages_pb2, orders_pb2, parcels_pb2
from fulfilment.v1 import templates_pb2 as pb
from tests.support.service import Client, Service, fields_of, patiently, refused, stamp
from tests.support.terminal import Console
from tests.support.trading import DAY, NOW, Trade, fresh, parcel_of
from tests.support.waiting import wait_for

CONFIRMED = messages_pb2.MESSAGE_KIND_ORDER_CONFIRMED
CUSTOMER, SUPPLIER = messages_pb2.MESSAGE_AUDIENCE_CUSTOMER, messages_pb2.MESSAGE_AUDIENCE_SUPPLIER


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        client.approve()
        yield client


@pytest.fixture
def trade(client: Client) -> Trade:
    return Trade(client)


def messages_of(trade: Trade, order_id: str, kind: Any) -> list[messages_pb2.Message]:
    request = messages_pb2.ListMessagesRequest(order_id=order_id)
    listed = patiently(trade.client.messages.ListMessages, request).messages
    return [each for each in listed if each.kind == kind and each.language]


def letter_of(trade: Trade, order_id: str, kind: Any) -> tuple[messages_pb2.Message, messages_pb2.Letter]:
    (message,) = wait_for(lambda: messages_of(trade, order_id, kind))
    request = messages_pb2.GetMessageRequest(message_id=message.message_id, with_letter=True)
    answer = patiently(trade.client.messages.GetMessage, request)
    return answer.message, answer.letter


def test_messages_are_written_by_the_retailer_s_template_and_keep_its_version(trade: Trade):
    put = {"kind": CONFIRMED, "language": "en", "subject": "Got it: {{ order }}"}
    trade.send("PutTemplate", **put, body="# Thanks, {{ name }}\n\nFirst words.")
    first = trade.placed()
    message, letter = letter_of(trade, first, CONFIRMED)
    assert (message.own_template, message.template_version) == (True, 1)
    assert letter.text.startswith("Thanks, Ann Example\n\nFirst words.")
    assert "<h1" in letter.html

    trade.send("PutTemplate", **put, body="Second words.")
    assert trade.send("PutTemplate", **put, body="Second words.").version == 2
    second = trade.placed()
    assert letter_of(trade, second, CONFIRMED)[1].text.startswith("Second words.")
    assert "First words." in letter_of(trade, first, CONFIRMED)[1].text

    trade.send("WithdrawTemplate", kind=CONFIRMED, language="en")
    third = trade.placed()
    message, letter = letter_of(trade, third, CONFIRMED)
    assert not message.own_template
    assert "Thank you for your order" in letter.text
    assert "Second words." in letter_of(trade, second, CONFIRMED)[1].text


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"body": "Hello\n\n{{ oder }}"}, "body", "line 3: there is no 'oder'; did you mean order?"),
        ({"subject": "{{ order"}, "subject", "line 1: "),
        ({"body": "{% for i in range(9999999) %}x{% endfor %}"}, "body", "line 1: a loop goes through a table"),
        ({"body": ""}, "body", "is required"),
        ({"subject": "two\nlines"}, "subject", "control character"),
        ({"language": ""}, "language", "is required"),
        ({"language": "english"}, "language", "is not an ISO 639-1 code"),
        ({"kind": 0}, "kind", ""),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_with_its_line(
    trade: Trade, change: dict[str, Any], field: str, sentence: str
):
    wanted = {"kind": CONFIRMED, "language": "en", "subject": "Yes", "body": "Yes.", **change}
    error = refused(trade.client.templates.PutTemplate, trade.request("PutTemplate", **wanted))
    assert fields_of(error) == [field]
    assert sentence in str(error.details())
    assert not pb.ListTemplatesResponse.FromString(own(trade).SerializeToString()).templates


def own(trade: Trade) -> pb.ListTemplatesResponse:
    answer: pb.ListTemplatesResponse = trade.client.templates.ListTemplates(pb.ListTemplatesRequest(own_only=True))
    return answer


def test_all_templates_are_listed_page_by_page_and_read_with_their_names(trade: Trade):
    found: list[pb.MessageTemplate] = []
    request = pb.ListTemplatesRequest()
    request.page.page_size = 20
    while True:
        answer = trade.client.templates.ListTemplates(request)
        found += answer.templates
        request.page.page_token = answer.next_page_token
        if not answer.next_page_token:
            break
    kinds = len(messages_pb2.MessageKind.keys()) - 1
    assert {(each.kind, each.language) for each in found} == {
        (kind, language) for kind in range(1, kinds + 1) for language in ("en", "zh")
    }
    read = trade.client.templates.GetTemplate(pb.GetTemplateRequest(kind=CONFIRMED, language="zh"))
    assert "您的订单" in read.template.subject
    assert "{% for line in lines %}" in read.template.body
    examples = {each.name: each.example for each in read.names}
    assert examples["order"] == "1001"
    assert examples["lines: goods"] == "绿茶 250 克"
    french = trade.client.templates.GetTemplate(pb.GetTemplateRequest(kind=CONFIRMED, language="fr"))
    assert french.template.language == "en"
    old = trade.client.templates.GetTemplate(pb.GetTemplateRequest(kind=CONFIRMED, language="en", version=1))
    assert (old.template.version, old.template.own) == (1, False)


def test_a_message_is_previewed_with_samples_and_nothing_is_recorded(trade: Trade):
    head = trade.client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
    for kind in range(1, len(messages_pb2.MessageKind.keys())):
        for language in ("en", "zh"):
            request: Any = pb.PreviewMessageRequest(language=language)
            request.kind = kind
            answer = trade.client.templates.PreviewMessage(request)
            assert answer.template.language == language
            assert answer.letter.subject
            assert f'<html lang="{language}">' in answer.letter.html
    draft = pb.PreviewMessageRequest(kind=CONFIRMED, subject="Hi {{ name }}", body="You ordered {{ order }}.")
    answer = trade.client.templates.PreviewMessage(draft)
    assert (answer.letter.subject, answer.template.version) == ("Hi Ann Example", 0)
    assert answer.letter.text.startswith("You ordered 1001.")
    assert trade.client.admin.GetStatus(admin_pb2.GetStatusRequest()).position == head


def test_a_message_is_previewed_about_an_order(trade: Trade):
    order_id = trade.placed(language="zh")
    request = pb.PreviewMessageRequest(kind=CONFIRMED, order_id=order_id)
    answer = trade.client.templates.PreviewMessage(request)
    assert answer.template.language == "zh"
    assert "尊敬的 Ann Example：" in answer.letter.text
    assert answer.letter.email == "ann@example.org"
    for kind in ("DELAYED", "DISPATCH_INSTRUCTION", "CASE_STEP", "DELIVERED", "BREACH_ALERT", "QUESTION"):
        request = pb.PreviewMessageRequest(
            kind=messages_pb2.MessageKind.Value(f"MESSAGE_KIND_{kind}"), order_id=order_id
        )
        assert trade.client.templates.PreviewMessage(request).letter.subject


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"reason": "no_such"}, "reason"),
        ({"body": "x"}, "subject"),
        ({"subject": "x", "body": "{{ y }}"}, "body"),
        ({"language": "english"}, "language"),
        ({"kind": messages_pb2.MESSAGE_KIND_LISTING, "order_id": "shop/1"}, "order_id"),
    ],
)
def test_a_preview_of_what_there_is_not_is_refused(trade: Trade, wanted: dict[str, Any], field: str):
    request = pb.PreviewMessageRequest(**{"kind": messages_pb2.MESSAGE_KIND_DELAYED, **wanted})
    assert fields_of(refused(trade.client.templates.PreviewMessage, request)) == [field]


def test_a_customer_reads_where_its_parcel_waits_and_what_customs_asks(trade: Trade):
    for status, more, kind, words in (
        (
            "AVAILABLE_FOR_PICKUP",
            {"pickup_until": stamp(NOW + 7 * DAY), "city": "Berlin"},
            "READY_FOR_PICKUP",
            "Berlin",
        ),
        ("ATTEMPT_FAILED", {}, "ATTEMPT_FAILED", "We missed you"),
        ("CUSTOMS_HELD", {"customs_asks": parcels_pb2.CUSTOMS_ASK_PAYMENT}, "CUSTOMS_REQUEST", "duty and taxes"),
        (
            "CUSTOMS_HELD",
            {"customs_asks": parcels_pb2.CUSTOMS_ASK_DOCUMENTS, "customs_asks_of": common_pb2.PARTY_CUSTOMER},
            "CUSTOMS_REQUEST",
            "has the papers or particulars that it needs from you",
        ),
    ):
        order_id, carrier, number = shipped(trade)
        scan = parcels_pb2.Checkpoint(
            at=stamp(NOW), status=parcels_pb2.ParcelStatus.Value(f"PARCEL_STATUS_{status}"), **more
        )
        trade.send("RecordCheckpoints", carrier=carrier, tracking_number=number, checkpoints=[scan])
        letter = letter_of(trade, order_id, messages_pb2.MessageKind.Value(f"MESSAGE_KIND_{kind}"))[1]
        assert words in letter.text
        assert number in letter.text


def test_a_customer_reads_the_number_of_the_last_mile_once(trade: Trade):
    order_id, carrier, number = shipped(trade)
    last = {"last_mile_carrier": "usps", "last_mile_tracking_number": f"{number}LAST"}
    trade.send("HandOverParcel", carrier=carrier, tracking_number=number, **last)
    trade.send("HandOverParcel", carrier=carrier, tracking_number=number, **last)
    letter = letter_of(trade, order_id, messages_pb2.MESSAGE_KIND_LAST_MILE)[1]
    assert "USPS" in letter.text
    assert f"{number}LAST".upper() in letter.text


def test_a_parcel_is_kept_only_where_it_waits(trade: Trade):
    _, carrier, number = shipped(trade)
    scan = parcels_pb2.Checkpoint(
        at=stamp(NOW), status=parcels_pb2.PARCEL_STATUS_IN_TRANSIT, pickup_until=stamp(NOW + DAY)
    )
    request = trade.request("RecordCheckpoints", carrier=carrier, tracking_number=number, checkpoints=[scan])
    error = refused(trade.client.parcels.RecordCheckpoints, request)
    assert fields_of(error) == ["checkpoints[0].pickup_until"]


def test_a_customer_is_told_of_a_loss_and_what_happens_now(trade: Trade):
    order_id, carrier, number = shipped(trade)
    trade.send("ConfirmLoss", carrier=carrier, tracking_number=number)
    letter = letter_of(trade, order_id, messages_pb2.MESSAGE_KIND_LOST)[1]
    assert "You need not do anything. We send these goods once more" in letter.text


def test_a_supplier_that_is_asked_reads_the_question(trade: Trade):
    order_id = trade.shipped()
    trade.send("AskInquiry", inquiry_id=fresh(), order_id=order_id, text="Which glaze do\nthe mugs have?")
    letter = letter_of(trade, order_id, messages_pb2.MESSAGE_KIND_QUESTION)[1]
    assert "Which glaze do\nthe mugs have?" in letter.text


def shipped(trade: Trade) -> tuple[str, str, str]:
    order_id = trade.shipped()
    parcel = parcel_of(order_id)
    return order_id, parcel["carrier"], parcel["tracking_number"]


def test_an_order_says_what_its_customer_reads_and_an_odd_language_is_a_warning(trade: Trade):
    number = fresh()
    receipt = trade.client.place(number, sku=number, language="Klingon!")
    assert any("'Klingon!' is no language" in warning for warning in receipt.warnings)
    order_id = trade.placed(language="zh_CN")
    assert trade.client.orders.GetOrder(orders_pb2.GetOrderRequest(order_id=order_id)).order.language == "zh"


# --- at the terminal ------------------------------------------------------------------------------


def test_a_template_is_taken_out_changed_tried_out_and_put_back(client: Client, service: Service, tmp_path: Path):
    ff = Console(service.address)
    shown = ff("message", "template", "show", "dispatched", "--language", "zh")
    assert shown.out.startswith("Subject: ")
    assert "您的订单 {{ order }} 已发货" in shown.out
    file = tmp_path / "dispatched.txt"
    file.write_text(shown.out.replace("已发货", "已经上路"), encoding="utf-8")
    page = tmp_path / "page.html"
    tried = ff("message", "preview", "dispatched", "--language", "zh", "--template", str(file), "--html", str(page))
    assert "您的订单 1001 已经上路" in tried.out
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    put = ff("message", "template", "put", "dispatched", str(file), "--language", "zh")
    assert "Template dispatched zh  version 1, yours" in put.out
    assert "已经上路" in ff("message", "template", "list", "--own").out
    assert "已经上路" in ff("message", "template", "show", "dispatched", "--language", "zh", "--version", "1").out
    back = ff("message", "template", "withdraw", "dispatched", "--language", "zh")
    assert "the service's" in back.out
    assert ff("message", "template", "list", "--own").out.strip() == "No templates."


def test_what_is_wrong_with_a_template_is_said_with_its_line(service: Service, tmp_path: Path):
    ff = Console(service.address)
    file = tmp_path / "bad.txt"
    file.write_text("Subject: Order {{ order }}\n\nHello\n{{ nam }}\n", encoding="utf-8")
    refused = ff("message", "template", "put", "dispatched", str(file))
    assert "body: line 2: there is no 'nam'; did you mean name?" in refused.err
    file.write_text("Hello", encoding="utf-8")
    assert (
        "does not begin with a line such as: Subject:" in ff("message", "preview", "lost", "--template", str(file)).err
    )


def test_the_names_that_a_template_may_print_are_listed_with_examples(service: Service):
    out = Console(service.address)("message", "template", "show", "dispatched", "--names").out
    assert "lines: goods" in out
    assert "00340434161094042557" in out
