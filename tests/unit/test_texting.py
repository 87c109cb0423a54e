"""Text messages without a network: segments, signatures, answers of gateways, and what is worth a text."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.edges.agreement import Account
from adapters.edges.delivery import BadSignature, Delivery, MalformedDelivery, Stale
from adapters.edges.effects import NotDone, Telling, TextTo, ToldNow
from adapters.edges.http import Http, Reply, SystemUnreachable
from adapters.edges.meaning import KnownNow, NotUnderstood
from adapters.edges.signatures import standard_key, standard_signature
from adapters.edges.systems import SYSTEMS
from adapters.messages.samples import a_sample, samples
from adapters.messages.wording import check, wording
from adapters.people.spellings import e164
from adapters.texting.choices import wants_none
from adapters.texting.twilio import signature
from adapters.texting.wording import PAGE, TEXTS, fitted, language_of, segments
from fulfilment.v1 import orders_pb2
from ledger.decisions import notices, telling
from ledger.decisions.order_differences import Untold
from ledger.decisions.telling import WORTH_A_TEXT
from ledger.nouns import effects, parcels
from ledger.nouns.effects import EffectAsked, EffectSubject, ToldPart
from ledger.nouns.messages import MessageKind
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.policies import TRADE
from ledger.terms.effects import EffectKind, FollowNumber, TextMessage
from ledger.terms.places import COUNTRIES, Destination
from ledger.terms.quiet_hours import are_quiet_hours, quiet_until
from ledger.terms.time_zones import zone, zones_of
from tests.support.asking_messages import ask, notice
from tests.support.scenario import NOON, ORDER, Scenario, shipped
from tests.support.text_gateway import ACCOUNT, TOKEN

VENDORS = Path(__file__).parents[3] / "shared" / "data" / "vendors"
needs_data = pytest.mark.skipif(not VENDORS.exists(), reason=f"{VENDORS} is not there")

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
WHSEC = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
TWILIO = Account(
    "texts",
    {
        "account": ACCOUNT,
        "from": "+15005550006",
        "channel": "web",
        "callback": "https://e.example.org/in/default/texts",
    },
    ({"token": TOKEN}, {"token": "the one of before"}),
)
ANY = Account(
    "texts",
    {"url": "https://sms.example.org/send", "sender": "Brook", "channel": "web"},
    ({"token": "t", "webhook": WHSEC},),
)
TEXT = TextTo("+4930123456", "Brook: your parcel arrives today.", NOW)
TO_SEND = Telling(TextMessage("web/1", "out_for_delivery"), "0a-1", text=TEXT)


# --- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" * 77, 3),  # the sign of two places is not cut, which needs a place more
        ("包" * 70, 1),
        ("包" * 71, 2),
        ("包" * 135, 3),
        ("a" * 69 + "ê", 1),
        ("a" * 70 + "ê", 2),
        ("😀" * 35, 1),
        ("😀" * 67, 3),
        ("", 1),
    ],
)
def test_segments_are_counted_as_networks_count_them(text: str, count: int):
    assert segments(text) == count


def test_a_text_that_is_too_long_is_cut_to_two_segments():
    assert fitted("a" * 400) == "a" * 306
    assert fitted("包" * 400) == "包" * 134
    assert fitted("short") == "short"


@pytest.mark.parametrize("language", list(TEXTS))
@pytest.mark.parametrize("kind", sorted(WORTH_A_TEXT))
def test_each_text_can_be_printed_and_takes_two_segments_with_its_usual_values(language: str, kind: Any):
    check(TEXTS[language][kind] + PAGE, "-", samples(kind, language))
    wide = a_sample(kind, language, "documents")
    said, _ = wording(TEXTS[language][kind], "-").fill({**wide, "shop": "Brook & Sons", "order": "1001"})
    assert segments(said) <= 2
    assert "1001" in said


def test_a_language_without_texts_reads_english():
    assert [language_of(each) for each in ("zh", "en", "de")] == ["zh", "en", "en"]


@pytest.mark.parametrize(
    ("phone", "country", "found"),
    [
        ("+49 (0)30 1234567", "US", "+49301234567"),
        ("030 1234567", "DE", "+49301234567"),
        ("0049 30 1234567", "", "+49301234567"),
        ("138 0013 8000", "CN", "+8613800138000"),
        ("(415) 555-2671", "US", "+14155552671"),
        ("030 1234567", "", ""),
        ("12", "DE", ""),
        ("+999 1234567890", "", ""),
        ("+49 301234567890123", "", ""),
        ("call me", "DE", ""),
        ("", "DE", ""),
    ],
)
def test_a_phone_is_texted_in_e164_or_not_at_all(phone: str, country: str, found: str):
    assert e164(phone, country) == found


# --- twilio ---------------------------------------------------------------------------------------


@needs_data
def test_the_vectors_of_twilio_hold():
    vectors = json.loads((VENDORS / "signatures" / "vectors.json").read_text())["twilio"]
    assert vectors
    for each in vectors:
        pairs = [(name, value) for name, value in each["form"]]
        assert signature(each["token"], each["url"], pairs) == each["signature"]
        assert signature(each["token"], each["url"], [*pairs[::-1], pairs[0]]) == each["signature"]
        assert signature(each["token"] + "x", each["url"], pairs) != each["signature"]


def called(
    form: str, token: str = TOKEN, url: str = "https://e.example.org/in/default/texts?order=web%2F1&about=lost"
) -> Delivery:
    """As a proxy passes it on: the address that is signed is the one that Twilio called."""
    pairs = parse_qsl(form, keep_blank_values=True)
    inside = f"http://10.0.0.7:8080/in/default/texts?{url.partition('?')[2]}"
    return Delivery({"x-twilio-signature": signature(token, url, pairs)}, form.encode(), inside)


KNOWN = KnownNow({"order web/1": orders_pb2.Order(order_id="web/1")}, complete=True)


@pytest.mark.parametrize(
    ("query", "whose"),
    [("", "of no known order SM1"), ("?order=web%2F2&about=lost", "of no known order")],
)
def test_a_text_that_did_not_arrive_and_is_of_no_order_is_nobodys_by_name(query: str, whose: str):
    """Such as one that somebody sent from the gateway's own page, with our callback."""
    url = f"https://e.example.org/in/default/texts{query}"
    delivery = called("MessageSid=SM1&MessageStatus=failed&ErrorCode=30003", url=url)
    delivery = Delivery(delivery.headers, delivery.raw, url)
    received = SYSTEMS["twilio"].verify(delivery, TWILIO, NOW)
    assert received is not None
    meant = SYSTEMS["twilio"].understand(received, delivery.raw, TWILIO, KNOWN)
    wanted = f"a text message {whose} did not arrive (30003): look for it at the gateway, and drop this"
    assert meant.look == wanted


@pytest.mark.parametrize("token", [TOKEN, "the one of before"])
def test_what_did_not_arrive_is_work_that_names_the_order_and_no_phone(token: str):
    delivery = called("MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30003&To=4930123456", token)
    received = SYSTEMS["twilio"].verify(delivery, TWILIO, NOW)
    assert received is not None
    assert (received.object_id, received.topic, received.source_id) == ("web/1", "lost", "SM1/undelivered")
    meant = SYSTEMS["twilio"].understand(received, delivery.raw, TWILIO, KNOWN)
    assert meant.look.startswith("the text message lost to the customer of web/1 did not arrive (30003)")
    assert "4930123456" not in meant.look
    assert not meant.wanted


@pytest.mark.parametrize(
    "form",
    [
        "MessageSid=SM1&MessageStatus=delivered",
        "MessageSid=SM2&Body=Where%20is%20it&From=%2B4930123456",
        "MessageSid=SM2&Body=STOP&From=12345",
        "MessageSid=SM2&Body=STOP",
        "Body=STOP&From=%2B4930123456",
    ],
)
def test_what_arrived_and_what_else_customers_answer_is_not_kept(form: str):
    assert SYSTEMS["twilio"].verify(called(form), TWILIO, NOW) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("STOP", True),
        (" stop. ", True),
        ("Arrêt", True),
        ("退订", True),
        ("td", True),
        ("START", False),
        ("Unstop!", False),
        ("stop it at the door please", None),
        ("", None),
        ("stop" * 1000, None),
        ("HELP", None),
    ],
)
def test_only_an_answer_of_one_such_word_says_whether_texts_are_wanted(text: str, said: bool | None):
    assert wants_none(text) is said


def test_who_answers_stop_or_start_is_heard_and_its_number_stands_in_the_body_alone():
    choices = []
    for sid, more in (("SM1", "Body=Stop"), ("SM2", "Body=START"), ("SM3", "Body=nein&OptOutType=STOP")):
        delivery = called(f"MessageSid={sid}&From=%2B4930123456&SmsStatus=received&{more}")
        received = SYSTEMS["twilio"].verify(delivery, TWILIO, NOW)
        assert received is not None
        assert "4930123456" not in f"{received.object_id} {received.topic} {received.source_id}"
        meant = SYSTEMS["twilio"].understand(received, delivery.raw, TWILIO, KnownNow({}, complete=True))
        (wanted,) = meant.wanted
        asked: Any = wanted.request
        assert (asked.phone, wanted.version) == ("+4930123456", sid)
        choices.append((received.object_id, received.topic, asked.choice))
    assert len({each[0] for each in choices}) == 1  # in the order in which one number wrote them
    assert [each[1:] for each in choices] == [("STOP", 1), ("START", 2), ("STOP", 1)]
    wrong = called("MessageSid=SM1&From=%2B4930123456&Body=STOP", token="theirs")
    with pytest.raises(BadSignature):
        SYSTEMS["twilio"].verify(wrong, TWILIO, NOW)


def test_the_address_is_signed_with_its_port_or_without():
    for url in ("https://e.example.org:443/in/default/texts?order=1", "https://e.example.org/in/default/texts?order=1"):
        assert SYSTEMS["twilio"].verify(called("MessageSid=SM1&MessageStatus=failed", url=url), TWILIO, NOW)


def test_nobody_else_can_say_that_a_text_did_not_arrive():
    right = called("MessageSid=SM1&MessageStatus=failed")
    for wrong in (
        Delivery({}, right.raw, right.url),
        Delivery(right.headers, right.raw + b"&ErrorCode=1", right.url),
        Delivery(right.headers, right.raw, right.url.replace("web%2F1", "web%2F2")),
        Delivery(right.headers, right.raw, "http://host:port/in"),
        called("MessageSid=SM1&MessageStatus=failed", token="theirs"),
    ):
        with pytest.raises(BadSignature):
            SYSTEMS["twilio"].verify(wrong, TWILIO, NOW)
    with pytest.raises(MalformedDelivery):
        SYSTEMS["twilio"].verify(Delivery({}, b"\xff=1", right.url), TWILIO, NOW)


# --- what gateways answer -------------------------------------------------------------------------


class Played:
    """Answers each request with the next answer."""

    def __init__(self, *answers: tuple[int, object]) -> None:
        self.answers = list(answers)
        self.methods: list[str] = []

    async def request(self, method: str, url: str, **_: Any) -> Reply:
        self.methods.append(method)
        status, body = self.answers.pop(0)
        return Reply(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def tell(account: Account, played: Played, telling: Telling = TO_SEND) -> ToldNow:
    system = SYSTEMS["twilio" if account is TWILIO else "sms-gateway"]
    return asyncio.run(system.carry_out(cast("Http", played), account, telling))


DECLINED = ToldNow(note="the customer wants no text messages", wants_none=True)
NONE: tuple[int, Any] = (200, {"messages": []})


def test_twilio_is_asked_first_whether_the_text_went_out():
    at = "Wed, 04 Mar 2026 12:00:05 +0000"
    there = {"sid": "SM7", "body": f"Sent from your trial account - {TEXT.text}", "date_created": at, "status": "sent"}
    played = Played((200, {"messages": [there]}))
    assert tell(TWILIO, played) == ToldNow("SM7")
    assert played.methods == ["GET"]
    for other in (
        {"body": "Something else"},
        {"status": "failed"},
        {"date_created": "Wed, 04 Mar 2026 02:00:05 +0000"},
    ):
        assert tell(TWILIO, Played((200, {"messages": [{**there, **other}]}), (201, {"sid": "SM8"}))) == ToldNow("SM8")


@pytest.mark.parametrize(
    ("account", "answers", "became"),
    [
        (TWILIO, [NONE, (400, {"code": 21610})], DECLINED),
        (TWILIO, [NONE, (400, {"code": 21614})], ToldNow(note="the number takes no text messages")),
        (TWILIO, [NONE, (400, {"code": 21211})], NotDone),
        (TWILIO, [NONE, (400, {"code": 1})], NotUnderstood),
        (TWILIO, [NONE, (401, {})], SystemUnreachable),
        (TWILIO, [NONE, (503, b"<html>")], SystemUnreachable),
        (TWILIO, [(404, {})], NotUnderstood),
        (ANY, [(200, {"id": "m-1"})], ToldNow("m-1")),
        (ANY, [(200, {"id": "to Ann Example"})], ToldNow("0a-1")),
        (ANY, [(409, b"")], ToldNow("0a-1")),
        (ANY, [(422, {"reason": "opted_out"})], DECLINED),
        (ANY, [(422, {"reason": "no_mobile"})], ToldNow(note="the number takes no text messages")),
        (ANY, [(422, {"reason": "bad_number"})], NotDone),
        (ANY, [(422, b"[")], NotUnderstood),
        (ANY, [(200, b"ok")], NotDone),
        (ANY, [(403, b"")], SystemUnreachable),
        (ANY, [(500, b"")], SystemUnreachable),
    ],
)
def test_what_a_gateway_answers_is_read(account: Account, answers: list[Any], became: Any):
    if isinstance(became, ToldNow):
        assert tell(account, Played(*answers)) == became
    else:
        with pytest.raises(became) as said:
            tell(account, Played(*answers))
        assert TEXT.phone not in str(said.value)


@needs_data
@pytest.mark.parametrize("file", ["send_sms.json", "send_sms_error.json"])
def test_a_gateway_that_answers_otherwise_is_not_taken_to_have_sent_anything(file: str):
    """Vonage's own interface says with 200 that nothing was sent: it is no connected system, and a person looks."""
    with pytest.raises(NotDone, match="without an id"):
        tell(ANY, Played((200, (VENDORS / "sms" / "vonage" / file).read_bytes())))
    assert {each.name for each in (VENDORS / "sms" / "vonage").iterdir()} == {"send_sms.json", "send_sms_error.json"}


@pytest.mark.parametrize("account", [TWILIO, ANY])
def test_a_gateway_is_told_texts_and_nothing_else(account: Account):
    system = SYSTEMS["twilio" if account is TWILIO else "sms-gateway"]
    assert [kind for kind in EffectKind if system.is_told(kind, account)] == [EffectKind.TEXT]
    with pytest.raises(NotDone):
        tell(account, Played(), Telling(FollowNumber("dhl", "A1"), "k"))


# --- any gateway's news ---------------------------------------------------------------------------


def news(at: datetime = NOW, **body: Any) -> Delivery:
    return written({"order": "web/1", "about": "lost", "status": "undelivered", **body}, at)


def written(body: Mapping[str, Any], at: datetime = NOW) -> Delivery:
    return sealed(json.dumps(body).encode(), at)


def sealed(raw: bytes, at: datetime = NOW) -> Delivery:
    """Signed as Standard Webhooks say."""
    seconds = str(int(at.timestamp()))
    signed = standard_signature(standard_key(WHSEC), f"n1.{seconds}.".encode() + raw)
    headers = {"webhook-id": "n1", "webhook-timestamp": seconds, "webhook-signature": signed}
    return Delivery(headers, raw, "https://e.example.org/in/default/texts")


def test_any_gateway_says_by_signed_news_what_did_not_arrive():
    delivery = news(code="Ann has moved")
    received = SYSTEMS["sms-gateway"].verify(delivery, ANY, NOW)
    assert received is not None
    meant = SYSTEMS["sms-gateway"].understand(received, delivery.raw, ANY, KNOWN)
    assert meant.look.startswith("the text message lost to the customer of web/1 did not arrive:")
    assert SYSTEMS["sms-gateway"].verify(news(status="delivered"), ANY, NOW) is None
    with pytest.raises(Stale):
        SYSTEMS["sms-gateway"].verify(news(NOW - timedelta(hours=1)), ANY, NOW)
    for hostile in (7, "", "web/\0", "x" * 201, None):
        with pytest.raises(MalformedDelivery):
            SYSTEMS["sms-gateway"].verify(news(order=hostile), ANY, NOW)
    with pytest.raises(BadSignature):
        SYSTEMS["sms-gateway"].verify(Delivery({}, delivery.raw, ""), ANY, NOW)


def test_any_gateway_passes_on_who_answers_stop():
    delivery = written({"id": "a-1", "from": "+4930123456", "text": "stop"})
    received = SYSTEMS["sms-gateway"].verify(delivery, ANY, NOW)
    assert received is not None
    (wanted,) = SYSTEMS["sms-gateway"].understand(received, delivery.raw, ANY, KnownNow({}, complete=True)).wanted
    asked: Any = wanted.request
    assert (asked.phone, asked.choice, wanted.version) == ("+4930123456", 1, "a-1")
    chat = {"id": "a-2", "from": "+4930123456", "text": "thanks"}
    assert SYSTEMS["sms-gateway"].verify(written(chat), ANY, NOW) is None
    for hostile in (
        {"from": "+4930123456"},
        {"from": 7, "id": "x"},
        {"from": "a\0", "id": "x"},
        {"from": "+4", "id": ""},
    ):
        with pytest.raises(MalformedDelivery):
            SYSTEMS["sms-gateway"].verify(written(hostile), ANY, NOW)


@given(data=st.data())
def test_whatever_a_gateway_sends_is_kept_refused_or_nothing(data: st.DataObject):
    """Real callbacks with bytes changed, cut or put in, signed as they are then: no other end than these."""
    form = b"MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30003&From=%2B4930123456&Body=STOP&To=1"
    body = json.dumps({"order": "web/1", "about": "lost", "status": "undelivered", "from": "+4930123456", "id": "1"})
    for name, account, whole in (("twilio", TWILIO, form), ("sms-gateway", ANY, body.encode())):
        at = data.draw(st.integers(0, len(whole)))
        put, cut = data.draw(st.binary(max_size=8)), data.draw(st.integers(0, 30))
        raw = whole[:at] + put + whole[at + cut :]
        with suppress(MalformedDelivery, NotUnderstood):
            received = SYSTEMS[name].verify(signed(name, raw), account, NOW)
            if received is not None:
                meant = SYSTEMS[name].understand(received, raw, account, KnownNow({}, complete=True))
                assert meant.wanted or meant.look


def signed(name: str, raw: bytes) -> Delivery:
    url = "https://e.example.org/in/default/texts?order=web%2F1&about=lost"
    if name == "sms-gateway":
        return sealed(raw)
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True)
    except ValueError:
        pairs = []
    return Delivery({"x-twilio-signature": signature(TOKEN, url, pairs)}, raw, url)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("twilio", {"account": "4711", "from": "x", "channel": "web"}),
        ("twilio", {"account": ACCOUNT, "from": "x", "channel": "web", "callback": "e.example.org"}),
        ("twilio", {"account": ACCOUNT, "from": "x", "channel": "web", "texts": "delivered"}),
        ("sms-gateway", {"url": "ftp://x", "sender": "x", "channel": "web"}),
    ],
)
def test_settings_that_cannot_be_are_refused(name: str, settings: dict[str, str]):
    with pytest.raises(ValueError, match=r"account|callback|texts|url"):
        SYSTEMS[name].checked(settings)


# --- what is worth a text -------------------------------------------------------------------------


def out_for_delivery() -> tuple[Scenario, str]:
    """A message of a parcel that is out for delivery, which was asked for."""
    scenario = shipped()
    scenario.later(hours=5)
    scenario.scan(ParcelStatus.OUT_FOR_DELIVERY)
    parcel = parcels.find(scenario.book, "dhl", "P1")
    epoch = parcel.epoch if parcel is not None else 0
    wanted = notice(MessageKind.OUT_FOR_DELIVERY, scenario, carrier="dhl", number="P1", epoch=epoch)
    scenario.record(ask(scenario, wanted))
    return scenario, wanted.message_id


def untold(scenario: Scenario, message_id: str, told: Mapping[str, ToldPart] | None = None) -> list[Untold]:
    return telling.of_message(scenario.book, message_id, told or {}, TRADE, scenario.now)


def test_a_message_is_texted_once_while_it_is_true_and_news():
    scenario, message_id = out_for_delivery()
    (found,) = untold(scenario, message_id)
    assert found.effect == TextMessage(ORDER, "out_for_delivery")
    assert untold(scenario, message_id, {found.part: ToldPart(found.effect, scenario.now)}) == []
    assert untold(scenario, "nothing-7") == []
    scenario.later(hours=49)
    assert untold(scenario, message_id) == []


QUIET = "21:00-08:00"


@pytest.mark.parametrize(
    ("destination", "at", "until"),
    [
        (Destination("DE"), "2026-03-04T19:59Z", None),
        (Destination("DE"), "2026-03-04T20:00Z", "2026-03-05T07:00Z"),
        (Destination("DE"), "2026-03-05T06:59Z", "2026-03-05T07:00Z"),
        (Destination("DE"), "2026-03-05T07:00Z", None),
        (Destination("DE"), "2026-03-28T22:00Z", "2026-03-29T06:00Z"),  # the clocks go forward in that night
        (Destination("CN"), "2026-03-04T20:00Z", "2026-03-05T00:00Z"),
        (Destination("US", "CA"), "2026-03-05T04:00Z", None),
        (Destination("US", "NY"), "2026-03-05T04:00Z", "2026-03-05T13:00Z"),
        (Destination("US"), "2026-03-05T04:00Z", "2026-03-05T22:00Z"),  # from Puerto Rico to Guam it is no night
        (Destination("DE", "", "97"), "2026-03-04T12:00Z", None),
        (Destination("ES", "", "35"), "2026-03-04T20:30Z", None),
    ],
)
def test_nobody_is_texted_at_night_by_the_clock_of_where_they_live(
    destination: Destination, at: str, until: str | None
):
    found = quiet_until(QUIET, zones_of(destination), datetime.fromisoformat(at))
    assert found == (datetime.fromisoformat(until) if until else None)


def test_quiet_hours_may_be_within_a_day_or_none_and_end_where_they_are_never_over_everywhere():
    noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    assert quiet_until("11:00-13:00", ["UTC"], noon) == noon + timedelta(hours=1)
    assert quiet_until("13:00-14:00", ["UTC"], noon) is None
    assert quiet_until("none", ["UTC"], noon) is None
    everywhere = quiet_until("13:00-11:00", ["Asia/Tokyo", "UTC"], noon)
    assert everywhere is not None
    assert noon < everywhere <= noon + timedelta(days=1)
    good, bad = ("21:00-08:00", "none", "00:00-06:00"), ("", "21-8", "24:00-08:00", "08:00-08:00", "21:00-08:00 ", "no")
    assert [are_quiet_hours(each) for each in (*good, *bad)] == [True] * 3 + [False] * 6


@given(st.integers(0, 10 * 366 * 24 * 60), st.sampled_from(sorted(COUNTRIES)))
def test_after_the_night_it_is_loud_wherever_the_order_may_go(minutes: int, country: str):
    now, zones = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes), zones_of(Destination(country))
    until = quiet_until(QUIET, zones, now)
    assert until is None or now < until <= now + timedelta(days=1)
    loud = until or now
    assert quiet_until(QUIET, zones, loud) is None
    assert all(8 <= loud.astimezone(zone(each)).hour < 21 for each in zones)


def test_a_text_waits_for_the_morning_of_its_order():
    scenario, message_id = out_for_delivery()
    evening = scenario.now.replace(hour=22)
    morning = (evening + timedelta(days=1)).replace(hour=7, minute=0, second=0, microsecond=0)
    assert telling.quiet_until(scenario.book, message_id, TRADE, evening) == morning
    assert telling.quiet_until(scenario.book, message_id, TRADE, morning) is None
    assert telling.quiet_until(scenario.book, message_id, replace(TRADE, text_quiet_hours="none"), evening) is None
    assert telling.quiet_until(scenario.book, "nothing-7", TRADE, evening) is None
    asked = EffectAsked("0a", "texts", evening, EffectSubject.MESSAGE, message_id, evening)
    told = effects.evolve(None, asked)
    (put_off,) = effects.put_off(told, morning)
    told = effects.evolve(told, put_off)
    assert (told.again_at, told.is_due, told.attempts, told.asked.at) == (morning, True, 0, evening)


def test_what_arrives_today_is_not_texted_tomorrow():
    scenario, message_id = out_for_delivery()
    scenario.later(hours=13)
    assert scenario.now.astimezone(zone("Europe/Berlin")).date() > NOON.date()
    assert untold(scenario, message_id) == []


def test_what_is_no_longer_true_or_was_cancelled_is_not_texted():
    scenario, message_id = out_for_delivery()
    scenario.later(hours=1)
    scenario.scan(ParcelStatus.DELIVERED)
    assert untold(scenario, message_id) == []
    scenario, message_id = out_for_delivery()
    scenario.record(notices.cancel(scenario.book, message_id, "wrong", "mia", scenario.now))
    assert untold(scenario, message_id) == []
