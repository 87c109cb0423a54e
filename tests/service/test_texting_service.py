"""Text messages over real sockets: each once, in the reader's language, to nobody who was erased."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

import pytest

from adapters.people.spellings import e164
from adapters.texting.twilio import signature
from adapters.texting.wording import segments
from fulfilment.v1 import admin_pb2, audit_pb2, edges_pb2, orders_pb2, parcels_pb2
from ledger.nouns import effects
from tests.support.edge import HTTP
from tests.support.hosting import hosted
from tests.support.service import context, order, stamp
from tests.support.terminal import Console
from tests.support.text_gateway import ACCOUNT, TOKEN, text_gateway
from tests.support.trading import Trade
from tests.support.waiting import wait_for

OUT, WAITS = parcels_pb2.PARCEL_STATUS_OUT_FOR_DELIVERY, parcels_pb2.PARCEL_STATUS_AVAILABLE_FOR_PICKUP
TOLD = edges_pb2.EFFECT_STATE_TOLD


@pytest.fixture(scope="module")
def service(embedded):
    """One that also calls gateways on this machine."""
    with (
        pytest.MonkeyPatch.context() as patch,
        hosted(embedded, "--web-private") as service,
    ):
        patch.setattr(effects, "_PAUSES", (timedelta(seconds=0.3),))
        yield service


@pytest.fixture(scope="module")
def gateway(edge, client):
    with text_gateway() as gateway:
        callback = f"{edge}/in/default/texts"
        settings = {"account": ACCOUNT, "from": "+15005550006", "api": gateway.address, "callback": callback}
        connect(client, "texts", "twilio", {"token": TOKEN}, channel="web", **settings)
        others = {"url": f"{gateway.address}/send", "sender": "Brook", "texts": "ready_for_pickup"}
        connect(client, "more-texts", "sms-gateway", {"token": "t"}, channel="china", **others)
        yield gateway


@pytest.fixture(scope="module")
def trade(client):
    quiet(client, "none")
    return Trade(client)


@pytest.fixture(scope="module")
def ff(service):
    return Console(service.address)


def quiet(client, hours, since=None):
    """Agrees when nobody is texted."""
    policy = admin_pb2.Policy(text_quiet_hours=hours)
    client.admin.AgreePolicy(admin_pb2.AgreePolicyRequest(context=context(), policy=policy, effective_from=since))


def hours_now(name, begins, ends):
    """Quiet hours that begin and end so many minutes from now, by the clock of a zone."""
    local = datetime.now(ZoneInfo(name))
    return "-".join(f"{local + timedelta(minutes=each):%H:%M}" for each in (begins, ends))


def connect(client, name, system, secrets, **settings):
    client.edges.AddConnection(
        edges_pb2.AddConnectionRequest(context=context(), name=name, system=system, settings=settings, secrets=secrets)
    )


def shipped(trade, channel, number, phone, **more):
    customer = orders_pb2.Customer(name="Ann Example", email=f"ann{number}@example.org", phone=phone)
    trade.client.orders.PlaceOrder(order(str(number), channel=channel, customer=customer, **more))
    supplier_order_id = f"{channel}/{number}/1"
    trade.send("SendSupplierOrder", supplier_order_id=supplier_order_id)
    trade.send(
        "ShipSupplierOrder", supplier_order_id=supplier_order_id, carrier="dhl", tracking_number=f"T{channel}{number}"
    )


def scanned(trade, channel, number, status):
    scan = parcels_pb2.Checkpoint(at=stamp(datetime.now(UTC)), status=status)
    trade.send("RecordCheckpoints", carrier="dhl", tracking_number=f"T{channel}{number}", checkpoints=[scan])


def told(client, connection, count):
    """What came of the texts of a connection, once so many are settled."""

    def found():
        rows = client.edges.ListEffects(edges_pb2.ListEffectsRequest(connection=connection)).effects
        return rows if len([each for each in rows if each.state == TOLD]) >= count else None

    return wait_for(found)


def test_a_customer_is_texted_once_although_answers_are_lost_and_what_does_not_arrive_is_work(
    edge, client, trade, gateway
):
    gateway.lose, before = 1, gateway.asked
    shipped(trade, "web", 1, "030 1234567")
    for _ in range(2):
        scanned(trade, "web", 1, OUT)
    (row,) = told(client, "texts", 1)
    (text,) = gateway.to("+49301234567")
    assert gateway.asked == before + 1  # after the lost answer it was looked whether the text went out
    assert row.subject == edges_pb2.EFFECT_SUBJECT_MESSAGE
    assert (row.reference, list(row.told)) == (text["sid"], ["text to the customer of web/1: out_for_delivery"])
    assert "your order 1 arrives today" in text["body"]
    assert segments(text["body"]) <= 2
    assert text["form"]["From"] == "+15005550006"
    callback = text["form"]["StatusCallback"]
    for status, answered in (("delivered", 200), ("undelivered", 200), ("undelivered", 200)):
        form = {"MessageSid": text["sid"], "MessageStatus": status, "ErrorCode": "30003", "To": text["to"]}
        body = urlencode(form)
        signed = {"x-twilio-signature": signature(TOKEN, callback, parse_qsl(body))}
        sent = {"content-type": "application/x-www-form-urlencoded"}
        assert HTTP.post(callback, content=body, headers={**sent, **signed}).status_code == answered
        assert HTTP.post(callback, content=body + "0", headers={**sent, **signed}).status_code == 401

    def failed():
        asked = edges_pb2.ListReceptionsRequest(connection="texts")
        rows = client.edges.ListReceptions(asked).receptions
        return rows if rows and rows[0].state == edges_pb2.RECEPTION_STATE_FAILED else None

    (missed,) = wait_for(failed)
    assert missed.reason.startswith("the text message out_for_delivery to the customer of web/1 did not arrive (30003)")
    assert list(missed.about) == ["web/1"]


def test_nobody_is_texted_who_was_erased_or_has_no_phone_meanwhile(client, trade, gateway):
    client.edges.PauseConnection(edges_pb2.PauseConnectionRequest(context=context(), name="texts"))
    before = len(gateway.sent)
    for number, phone in ((2, "030 7654321"), (3, "")):
        shipped(trade, "web", number, phone)
        scanned(trade, "web", number, OUT)

    def noticed():
        found = client.edges.ListEffects(edges_pb2.ListEffectsRequest(connection="texts")).effects
        return len(found) >= 3

    wait_for(noticed)
    erase = admin_pb2.ErasePersonRequest(email="ann2@example.org", even_if_open=True, asked_by=context())
    client.admin.ErasePerson(erase)
    client.edges.ResumeConnection(edges_pb2.ResumeConnectionRequest(context=context(), name="texts"))
    rows = told(client, "texts", 3)
    assert [list(each.told) for each in rows[:2]] == [[], []]
    assert len(gateway.sent) == before


def test_any_gateway_is_asked_by_json_in_chinese_and_who_wants_no_texts_is_left_alone(client, trade, gateway):
    in_china = orders_pb2.Address(lines=["1 Elm Road"], city="Shenzhen", postal_code="518000", country="CN")
    gateway.lose = 1
    shipped(trade, "china", 4, "138 0013 8000", ship_to=in_china)
    scanned(trade, "china", 4, WAITS)
    (row,) = told(client, "more-texts", 1)
    (text,) = gateway.to("+8613800138000")
    assert row.reference
    assert "订单4的包裹待领取" in text["text"]
    assert (text["sender"], text["order"], text["about"]) == ("Brook", "china/4", "ready_for_pickup")
    assert text["segments"] == segments(text["text"]) <= 2
    gateway.refuse.append((422, {"reason": "opted_out"}))
    shipped(trade, "china", 5, "138 0013 8001", ship_to=in_china)
    scanned(trade, "china", 5, WAITS)
    rows = told(client, "more-texts", 2)
    assert rows[0].note == "the customer wants no text messages"
    assert not gateway.to("+8613800138001")
    # The gateway said so once: it is known, and not asked again.
    learned = client.edges.GetTextChoice(edges_pb2.GetTextChoiceRequest(phone="13800138001", country="CN"))
    assert (learned.choice, learned.by) == (edges_pb2.TEXT_CHOICE_NONE, "edge/sms-gateway/more-texts")


def test_who_answers_stop_is_texted_no_more_even_after_being_erased_until_they_answer_start(
    edge, client, trade, gateway
):
    answered(edge, "SM-in-1", "030 9998887", "Stop")
    wait_for(lambda: choice(client, "+49309998887").choice == edges_pb2.TEXT_CHOICE_NONE)
    assert choice(client, "0049 30 9998887").by == "edge/twilio/texts"
    asked = gateway.asked
    shipped(trade, "web", 20, "030 9998887")
    scanned(trade, "web", 20, OUT)
    row = wait_for(lambda: next((each for each in effects_of(client) if list(each.told) == [about(20)]), None))
    assert (row.note, row.reference) == ("the customer wants no text messages", "")
    exported = client.audit.ExportPerson(audit_pb2.ExportPersonRequest(order_id="web/20"))
    (since,) = [each.order.no_texts_since for each in exported if each.WhichOneof("part") == "order"]
    assert since.ToDatetime(UTC) <= datetime.now(UTC)
    erase = admin_pb2.ErasePersonRequest(email="ann20@example.org", even_if_open=True, asked_by=context())
    client.admin.ErasePerson(erase)
    assert choice(client, "+49309998887").choice == edges_pb2.TEXT_CHOICE_NONE
    assert gateway.asked == asked
    answered(edge, "SM-in-2", "030 9998887", "START")
    wait_for(lambda: choice(client, "+49309998887").choice == edges_pb2.TEXT_CHOICE_WANTED)
    shipped(trade, "web", 21, "030 9998887")
    scanned(trade, "web", 21, OUT)
    wait_for(lambda: gateway.to("+49309998887"))


def about(number):
    return f"text to the customer of web/{number}: out_for_delivery"


def effects_of(client):
    return client.edges.ListEffects(edges_pb2.ListEffectsRequest(connection="texts")).effects


def choice(client, phone):
    return client.edges.GetTextChoice(edges_pb2.GetTextChoiceRequest(phone=phone))


def answered(edge, sid, phone, text):
    """As Twilio passes on what somebody wrote back."""
    url = f"{edge}/in/default/texts"
    body = urlencode({"MessageSid": sid, "From": e164(phone, "DE"), "Body": text, "SmsStatus": "received"})
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": signature(TOKEN, url, parse_qsl(body)),
    }
    assert HTTP.post(url, content=body, headers=headers).status_code == 200


def test_people_say_at_the_console_who_wants_no_texts(ff):
    assert ff("text", "show", "030 4445556", "--country", "de").out == (
        "Whoever has this number may be texted; nobody said otherwise.\n"
    )
    for _ in range(2):
        said = ff("text", "opt-out", "030 4445556", "--country", "DE")
        assert said.out == "Whoever has this number wants no text messages.\n"
    assert ff("text", "show", "+49304445556").out.startswith("Whoever has this number wants no text messages, since 20")
    assert ff("text", "opt-in", "+49304445556").out == "Whoever has this number may be texted again.\n"
    refused = ff("text", "opt-out", "030 4445556")
    says = "phone: is no number that can be texted: write it with its calling code, or say its country"
    assert (refused.code, refused.err) == (1, f"Error: {says} [MALFORMED]\n")


def test_a_text_waits_while_it_is_night_where_its_customer_lives(client, trade, gateway):
    quiet(client, hours_now("Asia/Shanghai", -60, 60))
    in_china = orders_pb2.Address(lines=["1 Elm Road"], city="Shenzhen", postal_code="518000", country="CN")
    shipped(trade, "china", 6, "138 0013 8002", ship_to=in_china)
    scanned(trade, "china", 6, WAITS)
    row = wait_for(lambda: next((each for each in waiting(client, "more-texts") if each.HasField("again_at")), None))
    night = row.again_at.ToDatetime(UTC) - datetime.now(UTC)
    assert timedelta(minutes=57) < night < timedelta(minutes=61)
    assert (row.attempts, row.reason) == (0, "")
    assert not gateway.to("+8613800138002")
    shipped(trade, "web", 7, "030 1112223")
    scanned(trade, "web", 7, WAITS)
    wait_for(lambda: gateway.to("+49301112223"))


def waiting(client, connection):
    states = [edges_pb2.EFFECT_STATE_WAITING]
    return client.edges.ListEffects(edges_pb2.ListEffectsRequest(connection=connection, states=states)).effects
