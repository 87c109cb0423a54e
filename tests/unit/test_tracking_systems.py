"""The trackers: what proves a delivery, what they read in answer, what their words mean, how numbers are registered."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlencode

import pytest

from adapters.edges.agreement import Account
from adapters.edges.delivery import AtTheDoor, BadSignature, Delivery, MalformedDelivery, Stale
from adapters.edges.http import Reply
from adapters.edges.meaning import KnownNow, NotUnderstood
from adapters.edges.questions import Tracked
from adapters.edges.systems import SYSTEMS
from adapters.tracking import aftership, carriers, easypost, kuaidi100, seventeentrack, shippo
from adapters.tracking.tracker import Registration, UnexpectedAnswer
from fulfilment.v1 import parcels_pb2 as pb
from ledger.terms.carriers import carrier_name
from tests.support.tracking_payloads import VENDORS, account, account_with, in_short, scans, status, tracker, understood

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECONDS = str(int(NOW.timestamp()))
needs_data = pytest.mark.skipif(not VENDORS.exists(), reason=f"{VENDORS} is not there")


def mac(secret: str, signed: bytes) -> bytes:
    return hmac.new(secret.encode(), signed, hashlib.sha256).digest()


def event(**msg: object) -> bytes:
    return json.dumps({"event": "tracking_update", "event_id": "e1", "ts": 1772000000, "msg": msg}).encode()


# --- the door -------------------------------------------------------------------------------------

AFTERSHIP = event(tracking_number="3SKA", slug="postnl-3s", updated_at="2026-03-02T10:00:00+00:00")
SEVENTEEN = json.dumps({"event": "TRACKING_UPDATED", "data": {"number": "1Z", "carrier": 100002}}).encode()
PARAM = json.dumps(
    {"status": "polling", "lastResult": {"nu": "765", "com": "shunfeng", "data": [{"ftime": "2026-03-02 10:00:00"}]}}
)
SHIPPO = json.dumps({"event": "track_updated", "data": {"tracking_number": "92", "carrier": "usps"}}).encode()
DHL = json.dumps({"shipments": [{"id": 7777777770, "service": "express"}]}).encode()
OURS = json.dumps({"parcels": [{"carrier": "yanwen", "tracking_number": "UG1YP"}]}).encode()
EASYPOST = json.dumps(
    {"description": "tracker.updated", "id": "evt_1", "result": {"tracking_code": "94", "carrier": "USPS"}}
).encode()


def signed(secret: str) -> dict[str, Delivery]:
    url = "https://edge.example.com/in/main"
    shippo_signature = f"t={SECONDS},v1={mac(secret, SECONDS.encode() + b'.' + SHIPPO).hex()}"
    ours = {
        "webhook-id": "msg_1",
        "webhook-timestamp": SECONDS,
        "webhook-signature": "v1,AAAA v1,"
        + base64.b64encode(mac(secret, f"msg_1.{SECONDS}.".encode() + OURS)).decode(),
    }
    sign = hashlib.md5((PARAM + secret).encode()).hexdigest().upper()
    return {
        "aftership": Delivery(
            {"aftership-hmac-sha256": base64.b64encode(mac(secret, AFTERSHIP)).decode()}, AFTERSHIP, url
        ),
        "17track": Delivery({"sign": hashlib.sha256(SEVENTEEN + f"/{secret}".encode()).hexdigest()}, SEVENTEEN, url),
        "kuaidi100": Delivery({}, urlencode({"sign": sign, "param": PARAM}).encode(), url),
        "easypost": Delivery(
            {"x-hmac-signature": "hmac-sha256-hex=" + mac(unicodedata.normalize("NFKD", secret), EASYPOST).hex()},
            EASYPOST,
            url,
        ),
        "shippo": Delivery({"shippo-auth-signature": shippo_signature}, SHIPPO, url),
        "dhl": Delivery({}, DHL, f"{url}?token={secret}"),
        "carrier": Delivery(ours, OURS, url),
    }


SECRET_OF = {
    "aftership": "webhook_secret",
    "17track": "api_key",
    "kuaidi100": "salt",
    "easypost": "webhook_secret",
    "shippo": "hmac_secret",
    "dhl": "token",
    "carrier": "secret",
}
ABOUT = {
    "aftership": "postnl-3s/3SKA",
    "17track": "ups/1Z",
    "kuaidi100": "sf-express/765",
    "easypost": "usps/94",
    "shippo": "usps/92",
    "dhl": "dhl/7777777770",
    "carrier": "yanwen/UG1YP",
}


@pytest.mark.parametrize("name", list(SECRET_OF))
def test_a_delivery_is_taken_if_any_valid_secret_signed_it(name: str):
    rotated = Account("main", {}, ({SECRET_OF[name]: "a new one"}, {SECRET_OF[name]: "sécret of old"}))
    found = SYSTEMS[name].verify(signed("sécret of old")[name], rotated, NOW)
    assert found is not None
    assert found.object_id == ABOUT[name]


@pytest.mark.parametrize("name", list(SECRET_OF))
def test_a_delivery_of_another_secret_or_with_another_body_is_refused(name: str):
    mine, right = account(**{SECRET_OF[name]: "mine"}), signed("mine")[name]
    with pytest.raises(BadSignature):
        SYSTEMS[name].verify(signed("theirs")[name], mine, NOW)
    with pytest.raises(BadSignature):
        SYSTEMS[name].verify(right, account(), NOW)
    changed = Delivery(right.headers, right.raw.replace(b"main", b"x") + b" ", right.url.replace("mine", "theirs"))
    if name != "kuaidi100":  # signs a field of its form, and no more
        with pytest.raises(BadSignature):
            SYSTEMS[name].verify(changed, mine, NOW)


@pytest.mark.parametrize("name", ["shippo", "carrier"])
@pytest.mark.parametrize("away", [timedelta(minutes=6), -timedelta(minutes=6)])
def test_a_delivery_that_was_signed_long_ago_or_in_the_future_is_refused(name: str, away: timedelta):
    with pytest.raises(Stale):
        SYSTEMS[name].verify(signed("mine")[name], account(**{SECRET_OF[name]: "mine"}), NOW + away)


@pytest.mark.parametrize(("secret", "problem"), [("x", "fewer than 24"), ("whsec_é", "neither"), ("k" * 32, "")])
def test_trying_a_carrier_says_whether_its_secret_can_be_used(secret: str, problem: str):
    (check,) = asyncio.run(SYSTEMS["carrier"].check(None, account(secret=secret)))  # type: ignore[arg-type]
    assert (problem in check.problem, bool(problem)) == (True, bool(check.problem))


def test_what_is_signed_and_is_nothing_of_the_system_is_malformed():
    raw = b'{"event": 1}'
    sent = Delivery({"aftership-hmac-sha256": base64.b64encode(mac("s", raw)).decode()}, raw, "https://example.com")
    with pytest.raises(MalformedDelivery):
        SYSTEMS["aftership"].verify(sent, account(webhook_secret="s"), NOW)


def test_shippo_without_a_signature_needs_the_token_of_its_address():
    found = SYSTEMS["shippo"].verify(
        Delivery({}, SHIPPO, "https://e.example.com/in?token=abc"), account(token="abc"), NOW
    )
    assert found is not None
    with pytest.raises(BadSignature):
        SYSTEMS["shippo"].verify(Delivery({}, SHIPPO, "https://e.example.com/in?token="), account(token="abc"), NOW)


@needs_data
def test_the_published_signature_of_easypost_is_taken():
    (vector,) = json.loads((VENDORS / "signatures/vectors.json").read_text())["easypost"]
    raw = (VENDORS / "signatures" / vector["body_file"]).read_bytes().rstrip(b"\n")
    sent = Delivery({vector["header"].lower(): vector["signature"]}, raw, "https://example.com")
    found = SYSTEMS["easypost"].verify(sent, account(webhook_secret=vector["secret"]), NOW)
    assert found is not None
    assert (found.topic, found.source_id, found.object_id) == ("tracker.updated", "evt_1", "fedex/1")


@needs_data
def test_the_published_signatures_of_standard_webhooks_are_told_apart():
    for vector in json.loads((VENDORS / "signatures/vectors.json").read_text())["standard_webhooks"]:
        headers = {
            "webhook-id": vector["id"],
            "webhook-timestamp": str(vector["timestamp"]),
            "webhook-signature": vector["signature"],
        }
        sent = Delivery(headers, vector["body"].encode(), "https://example.com")
        right = MalformedDelivery if vector["valid"] else BadSignature  # its body tells of no parcels
        with pytest.raises(right):
            SYSTEMS["carrier"].verify(
                sent, account(secret=vector["secret"]), datetime.fromtimestamp(vector["timestamp"], UTC)
            )


def test_kuaidi100_reads_its_own_body():
    kept = SYSTEMS["kuaidi100"].answer(AtTheDoor.KEPT)
    assert (kept.status, json.loads(kept.body)) == (200, {"result": True, "returnCode": "200", "message": "成功"})
    refused = SYSTEMS["kuaidi100"].answer(AtTheDoor.BAD_SIGNATURE)
    assert (refused.status, json.loads(refused.body)["result"]) == (401, False)
    assert SYSTEMS["aftership"].answer(AtTheDoor.KEPT).status == 200


# --- words ----------------------------------------------------------------------------------------


def said(meaning: object) -> str:
    assert isinstance(meaning, tuple)
    asks = pb.CustomsAsk.Name(meaning[1]).removeprefix("CUSTOMS_ASK_").lower()
    word = pb.ParcelStatus.Name(meaning[0]).removeprefix("PARCEL_STATUS_").lower()
    return word + (f" ({asks})" if meaning[1] else "") + (" reached" if meaning[2] else "")


@pytest.mark.parametrize(
    ("words", "code", "ours"),
    [
        (aftership.WORDS, "Exception_004", "customs_held (documents)"),
        (aftership.WORDS, "Exception_018", "customs_held (documents)"),
        (aftership.WORDS, "Exception_006", "customs_held (payment)"),
        (aftership.WORDS, "Exception_017", "delayed"),
        (aftership.WORDS, "Exception_003", "refused"),
        (aftership.WORDS, "Exception_011", "returned"),
        (aftership.WORDS, "Exception_013", "lost"),
        (aftership.WORDS, "Exception_021", "destroyed"),
        (aftership.WORDS, "InTransit_006", "customs_processing"),
        (aftership.WORDS, "Delivered_005", "delivered reached"),
        (seventeentrack.WORDS, "InTransit_CustomsProcessing", "customs_processing"),
        (seventeentrack.WORDS, "InTransit_CustomsReleased", "in_transit"),
        (seventeentrack.WORDS, "InTransit_CustomsRequiringInformation", "customs_held (documents)"),
        (seventeentrack.WORDS, "DeliveryFailure_Rejected", "refused"),
        (seventeentrack.WORDS, "DeliveryFailure_InvalidAddress", "attempt_failed"),
        (seventeentrack.WORDS, "NotFound_InvalidCode", "registered"),
        (seventeentrack.WORDS, "Exception_Destroyed", "destroyed"),
        (kuaidi100.WORDS, "4", "returned"),
        (kuaidi100.WORDS, "6", "returning"),
        (kuaidi100.WORDS, "13", "customs_held"),
        (kuaidi100.WORDS, "14", "refused"),
        (easypost.WORDS, "return_to_sender", "returning"),
        (easypost.WORDS, "failure", "other"),
        (shippo.WORDS, "FAILURE/package_lost", "lost"),
    ],
)
def test_a_word_of_a_tracker_is_one_of_ours(words: dict[str, object], code: str, ours: str):
    assert said(words[code]) == ours


def test_a_subtag_that_is_not_known_falls_back_on_its_tag_and_keeps_its_word():
    checkpoint = {"checkpoint_time": "2026-03-01T10:00:00Z", "tag": "Exception", "subtag": "Exception_099"}
    (scan,) = scans(understood("aftership", event(tracking_number="1", slug="dhl", checkpoints=[checkpoint])))
    assert (status(scan), scan.code) == ("other", "Exception_099")
    checkpoint.update(tag="InTransit", subtag="InTransit_099")
    (scan,) = scans(understood("aftership", event(tracking_number="1", slug="dhl", checkpoints=[checkpoint])))
    assert (status(scan), scan.code) == ("in_transit", "InTransit_099")


# --- times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time", "place", "at", "marked"),
    [
        ("2026-03-01T10:00:00+08:00", {}, "2026-03-01T02:00:00Z", False),
        ("2026-03-01T10:00:00", {"country_region": "CHN"}, "2026-03-01T02:00:00Z", False),
        ("2026-07-01T10:00:00", {"country_region": "DEU"}, "2026-07-01T08:00:00Z", False),
        ("2026-03-01T10:00:00", {"country_region": "USA", "state": "CA"}, "2026-03-01T18:00:00Z", False),
        ("2026-03-01T10:00:00", {"country_region": "USA"}, "2026-03-01T10:00:00Z", True),
        ("2026-03-01T10:00:00", {}, "2026-03-01T10:00:00Z", True),
        ("2026-03-01", {"country_region": "CHN"}, "2026-02-28T16:00:00Z", False),
    ],
)
def test_no_zone_is_invented(time: str, place: dict[str, str], at: str, marked: bool):
    checkpoint = {"checkpoint_time": time, "tag": "InTransit", "message": "Arrived", **place}
    (scan,) = scans(understood("aftership", event(tracking_number="1", slug="dhl", checkpoints=[checkpoint])))
    assert (scan.at.ToJsonString(), scan.message != "Arrived") == (at, marked)


def test_a_delivery_that_is_told_as_a_day_alone_comes_after_the_scans_of_that_day():
    checkpoints = [
        {"checkpoint_time": "2026-03-01", "tag": "Delivered", "country_region": "DEU"},
        {"checkpoint_time": "2026-03-01T09:00:00+01:00", "tag": "OutForDelivery", "country_region": "DEU"},
    ]
    found = scans(understood("aftership", event(tracking_number="1", slug="dhl", checkpoints=checkpoints)))
    assert [status(scan) for scan in found] == ["out_for_delivery", "delivered"]
    assert found[1].at.ToJsonString() == "2026-03-01T22:59:59Z"


def test_a_scan_without_a_time_is_left_out_and_the_others_count():
    checkpoints = [
        {"checkpoint_time": None, "tag": "InTransit"},
        {"checkpoint_time": "0001-01-01T00:00:00", "tag": "InTransit"},
    ]
    checkpoints.append({"checkpoint_time": "2026-03-01T10:00:00Z", "tag": "InTransit"})
    assert len(scans(understood("aftership", event(tracking_number="1", slug="dhl", checkpoints=checkpoints)))) == 1


# --- what the ledger has already ------------------------------------------------------------------

SCANS = [
    {"checkpoint_time": "2026-03-01T10:00:00Z", "tag": "InTransit", "subtag": "InTransit_002"},
    {"checkpoint_time": "2026-03-02T10:00:00Z", "tag": "OutForDelivery", "subtag": "OutForDelivery_001"},
]
ESTIMATE = {"courier_estimated_delivery": {"estimated_delivery_date": "2026-03-05T18:00:00Z"}}


def ledger(parcel: pb.Parcel) -> KnownNow:
    return KnownNow({f"parcel {parcel.carrier}/{parcel.tracking_number}": parcel}, complete=True)


def recorded(raw: bytes) -> pb.Parcel:
    found = scans(understood("aftership", raw))
    parcel = pb.Parcel(carrier="dhl", tracking_number="1", checkpoints=found)
    if found[-1].HasField("expected_by"):
        parcel.estimated_by.CopyFrom(found[-1].expected_by)
    return parcel


def test_scans_that_the_ledger_has_are_not_asked_for_again():
    raw = event(tracking_number="1", slug="dhl", checkpoints=SCANS, **ESTIMATE)
    parcel = recorded(raw)
    assert understood("aftership", raw, ledger(parcel)).ignored == "nothing new"
    newer = {"checkpoint_time": "2026-03-03T10:00:00Z", "tag": "Delivered", "subtag": "Delivered_002"}
    more = event(tracking_number="1", slug="dhl", checkpoints=[*SCANS, newer], **ESTIMATE)
    (scan,) = scans(understood("aftership", more, ledger(parcel)))
    assert (status(scan), scan.reached_customer, scan.HasField("expected_by")) == ("delivered", True, False)


def test_an_estimate_that_changed_comes_with_the_newest_scan():
    parcel = recorded(event(tracking_number="1", slug="dhl", checkpoints=SCANS, **ESTIMATE))
    later = {
        "courier_estimated_delivery": {"estimated_delivery_date": "2026-03-06"},
        "destination_country_region": "DEU",
    }
    (scan,) = scans(
        understood("aftership", event(tracking_number="1", slug="dhl", checkpoints=SCANS, **later), ledger(parcel))
    )
    assert scan.expected_by.ToJsonString() == "2026-03-06T23:00:00Z"
    assert scan.code == "OutForDelivery_001"


def test_a_number_that_nobody_told_yet_waits():
    found = understood(
        "aftership", event(tracking_number="1 2", slug="dhl", checkpoints=SCANS), KnownNow({}, complete=True)
    )
    assert (found.wanted, found.early) == ((), "nobody told of parcel dhl 12")


def test_the_carrier_that_was_registered_counts_before_what_the_tracker_makes_of_it():
    raw = event(tracking_number="1", slug="dhl", custom_fields={"carrier": "yanwen"}, checkpoints=SCANS)
    assert list(in_short(understood("aftership", raw))) == ["2 of yanwen 1, at last out_for_delivery"]
    known = ledger(pb.Parcel(carrier="dhl", tracking_number="1"))
    assert list(in_short(understood("aftership", raw, known))) == ["2 of dhl 1, at last out_for_delivery"]


def test_that_nobody_has_seen_it_for_long_is_said_once():
    raw = event(tracking_number="1", slug="dhl", checkpoints=SCANS, tag="Expired", updated_at="2026-04-01T00:00:00Z")
    parcel = recorded(raw)
    assert status(parcel.checkpoints[-1]) == "suspected_lost"
    again = event(tracking_number="1", slug="dhl", checkpoints=SCANS, tag="Expired", updated_at="2026-04-02T00:00:00Z")
    assert understood("aftership", again, ledger(parcel)).ignored == "nothing new"


def test_a_number_of_the_last_mile_is_a_hand_over_and_is_said_once():
    last = {"tracking_number": "JD 1", "slug": "dhl-germany"}
    raw = event(tracking_number="1", slug="yunexpress", checkpoints=SCANS, last_mile=last)
    (_, hand_over) = understood("aftership", raw).wanted
    assert hand_over.request == pb.HandOverParcelRequest(
        carrier="yunexpress", tracking_number="1", last_mile_carrier="dhl-germany", last_mile_tracking_number="JD1"
    )
    parcel = pb.Parcel(carrier="yunexpress", tracking_number="1")
    parcel.last_miles.add(carrier="dhl-germany", tracking_number="JD1")
    assert len(understood("aftership", raw, ledger(parcel)).wanted) == 1


def test_a_signature_is_a_proof_of_a_delivery_and_of_nothing_else():
    delivered = [{"checkpoint_time": "2026-03-03T10:00:00Z", "tag": "Delivered"}]
    raw = event(tracking_number="1", slug="dhl", checkpoints=delivered, signed_by="Ann")
    (_, proof) = understood("aftership", raw).wanted
    assert proof.request == pb.ProveDeliveryRequest(carrier="dhl", tracking_number="1", signed_by="Ann")
    assert (
        len(understood("aftership", event(tracking_number="1", slug="dhl", checkpoints=SCANS, signed_by="Ann")).wanted)
        == 1
    )


def test_a_scan_of_kuaidi100_without_a_word_is_what_the_ledger_has_of_that_time():
    result = {
        "nu": "765",
        "com": "shunfeng",
        "state": "5",
        "data": [{"ftime": "2026-03-01 10:00:00", "context": "派件"}],
    }
    push = urlencode({"param": json.dumps({"status": "polling", "lastResult": result})}).encode()
    (scan,) = scans(understood("kuaidi100", push))
    assert (status(scan), scan.at.ToJsonString()) == ("out_for_delivery", "2026-03-01T02:00:00Z")
    result = {**result, "state": "3", "data": [{"ftime": "2026-03-01 12:00:00"}, {"ftime": "2026-03-01 10:00:00"}]}
    push = urlencode({"param": json.dumps({"status": "shutdown", "lastResult": result})}).encode()
    known = ledger(pb.Parcel(carrier="sf-express", tracking_number="765", checkpoints=[scan]))
    assert [status(each) for each in scans(understood("kuaidi100", push, known))] == ["delivered"]


def test_a_number_that_kuaidi100_gave_up_is_no_news():
    push = urlencode(
        {"param": json.dumps({"status": "abort", "lastResult": {"nu": "7", "com": "ems", "data": []}})}
    ).encode()
    assert understood("kuaidi100", push).ignored == "kuaidi100 follows the number no more: it has found nothing"


# --- numbers are registered and asked for ---------------------------------------------------------

NUMBERS = [Tracked("yanwen", "UG123456789YP", "DE"), Tracked("sf-express", "SF1", "CN", "1234")]


def test_numbers_are_registered_in_the_words_of_the_system():
    (call,) = tracker("17track").registering(NUMBERS, account(api_key="k"))
    assert call.headers["17token"] == "k"
    assert json.loads(call.content) == [
        {"number": "UG123456789YP", "tag": "carrier:yanwen", "carrier": 190012},
        {"number": "SF1", "tag": "carrier:sf-express", "auto_detection": True},
    ]
    first, _ = tracker("aftership").registering(NUMBERS, account(api_key="k"))
    assert json.loads(first.content)["custom_fields"] == {"carrier": "yanwen"}
    _, second = tracker("kuaidi100").registering(
        NUMBERS, Account("main", {"callback": "https://e.example.com/in"}, ({"salt": "s", "key": "k"},))
    )
    param = json.loads(parse_qs(second.content.decode())["param"][0])
    assert (param["company"], param["number"], param["parameters"]["salt"]) == ("shunfeng", "SF1", "s")
    assert (param["parameters"]["phone"], param["parameters"]["callbackurl"]) == ("1234", "https://e.example.com/in")


def test_many_numbers_are_several_requests_of_as_many_as_the_system_takes():
    numbers = [Tracked("yanwen", f"UG{n:09}YP") for n in range(95)]
    calls = tracker("17track").registering(numbers, account(api_key="k"))
    assert [len(call.about) for call in calls] == [40, 40, 15]
    assert [len(call.about) for call in tracker("17track").asking(numbers, account())] == [40, 40, 15]


def test_a_number_that_is_registered_already_is_registered():
    (call,) = tracker("17track").registering(NUMBERS, account())
    rejected = [{"number": "SF1", "error": {"code": -18019901, "message": "registered"}}]
    answer = json.dumps({"code": 0, "data": {"accepted": [{"number": "UG123456789YP"}], "rejected": rejected}}).encode()
    assert tracker("17track").registered(call, Reply(200, {}, answer)) == [Registration(each) for each in NUMBERS]
    (first, _) = tracker("aftership").registering(NUMBERS, account())
    there = b'{"meta":{"code":4003,"message":"Tracking already exists."},"data":{}}'
    assert tracker("aftership").registered(first, Reply(400, {}, there)) == [Registration(NUMBERS[0])]
    (_, second) = tracker("kuaidi100").registering(NUMBERS, account())
    twice = '{"result":false,"returnCode":"501","message":"重复订阅"}'.encode()
    assert tracker("kuaidi100").registered(second, Reply(200, {}, twice)) == [Registration(NUMBERS[1])]


@needs_data
def test_a_number_that_is_not_taken_says_why():
    (call,) = tracker("17track").registering([Tracked("ups", "1234"), Tracked("yanwen", "AA123456789BR")], account())
    body = (VENDORS / "seventeentrack/v2.4/register_mixed.json").read_bytes()
    problem, fine = tracker("17track").registered(call, Reply(200, {}, body))
    assert problem.problem == "17TRACK does not take the number (-18010012)"
    assert (problem.later, fine.problem) == (False, "")


@pytest.mark.parametrize("name", ["aftership", "17track", "kuaidi100", "easypost", "shippo"])
def test_a_request_that_failed_is_tried_again_or_says_what_to_do(name: str):
    calls = tracker(name).registering(NUMBERS, account())
    outcomes = [each for call in calls for each in tracker(name).registered(call, Reply(503, {}, b"<html>"))]
    assert [(each.tracked, each.later) for each in outcomes] == [(each, True) for each in NUMBERS]
    (outcome, *_) = tracker(name).registered(calls[0], Reply(401, {}, b""))
    assert "fulfilment connection rotate" in outcome.problem


@pytest.mark.parametrize("name", ["aftership", "17track", "kuaidi100", "easypost", "shippo", "dhl"])
def test_an_answer_that_is_none_of_the_system_is_told_without_its_content(name: str):
    (call, *_) = tracker(name).asking(NUMBERS, account())
    for body in (b"<html>secret</html>", b"[]", b'{"code":-1,"data":"secret"}'):
        with pytest.raises(UnexpectedAnswer) as raised:
            tracker(name).told(call, Reply(200, {}, body))
        assert "secret" not in str(raised.value)
    with pytest.raises(UnexpectedAnswer, match="HTTP 500"):
        tracker(name).told(call, Reply(500, {}, b""))


def test_dhl_has_not_heard_of_a_number_yet():
    (call, *_) = tracker("dhl").asking(NUMBERS, account(api_key="k"))
    assert call.url == "https://api-eu.dhl.com/track/shipments?trackingNumber=UG123456789YP&language=en"
    assert tracker("dhl").told(call, Reply(404, {}, b'{"title":"No result found"}')) == []


def test_a_connection_covers_the_carriers_that_it_names_or_all_that_its_system_knows():
    named = account_with({"carriers": "顺丰, Yun Express"})
    assert [tracker("aftership").covers(each, named) for each in ("sf-express", "yunexpress", "dhl")] == [
        True,
        True,
        False,
    ]
    assert [tracker("kuaidi100").covers(each, account()) for each in ("sf-express", "dhl-germany")] == [True, False]
    assert tracker("17track").covers("nobody-knows", account())
    assert not tracker("carrier").covers("yanwen", account())


def test_the_table_of_carriers_has_one_row_a_carrier_and_one_carrier_a_key():
    table = carriers.all_carriers()
    for keys in (
        [each.name for each in table],
        [each.slug for each in table],
        [each.seventeentrack for each in table if each.seventeentrack],
        [each.kuaidi100 for each in table if each.kuaidi100],
        [each.easypost for each in table if each.easypost],
        [each.shippo for each in table if each.shippo],
    ):
        assert len(set(keys)) == len(keys)
    assert [each.name for each in table if carrier_name(each.name) != each.name] == []
    assert [each.name for each in table if each.page.count("{}") != bool(each.page)] == []


# --- our own format -------------------------------------------------------------------------------

HEADER = "carrier,tracking_number,at,status,text,customs_asks,reached_customer\n"


def test_a_file_of_many_parcels_is_one_command_a_parcel():
    rows = "yanwen,UG1YP,2026-03-01T10:00:00+08:00,in_transit,离开深圳,,\nups,1Z,2026-03-02T10:00:00Z,delivered,,,yes\n"
    rows += 'yanwen,ug1 yp,2026-03-03T10:00:00Z,customs_held,"duty, 9 EUR",payment,\n'
    found = understood("carrier", b"\xef\xbb\xbf" + (HEADER + rows).encode())
    assert list(in_short(found)) == [
        "1 of ups 1Z, at last delivered",
        "1 of yanwen UG1YP, at last in_transit",
        "1 of yanwen UG1YP, at last customs_held",
    ]
    assert scans(found)[0].reached_customer
    assert scans(found)[2].customs_asks == pb.CUSTOMS_ASK_PAYMENT


def test_a_number_among_others_that_nobody_told_yet_comes_last_and_keeps_nobody_waiting():
    rows = "dhl,1,2026-03-01T10:00:00Z,in_transit,,,\nups,1Z,2026-03-02T10:00:00Z,in_transit,,,\n"
    rows = f"{HEADER}{rows}"
    known = ledger(pb.Parcel(carrier="ups", tracking_number="1Z"))
    found = understood("carrier", rows.encode(), known)
    assert list(in_short(found)) == ["1 of ups 1Z, at last in_transit", "1 of dhl 1, at last in_transit"]
    known = ledger(pb.Parcel(carrier="ups", tracking_number="1Z", checkpoints=scans(found)[:1]))
    assert understood("carrier", rows.encode(), known).early == "nobody told of parcel dhl 1"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tracking_number,at\n", "the header lacks status"),
        ("tracking_number,at,status,at\n", "the header names a column twice"),
        ("tracking_number,at,status,colour\n", "the header has columns that are not known"),
        ("tracking_number,at,status\n1,2026-03-01\n", "row 2: not as many fields as the header"),
        ("tracking_number,at,status\n1,yesterday,in_transit\n", "at: no time in ISO 8601"),
        ("tracking_number,at,status\n1,2026-03-01,in_transit\n", "carrier: is not told"),
        ('tracking_number,at,status\n1,"2026', "it is no CSV"),
    ],
)
def test_a_file_that_is_wrong_says_where(text: str, reason: str):
    with pytest.raises(NotUnderstood, match=reason):
        understood("carrier", text.encode())


def test_the_carrier_of_a_connection_is_that_of_data_that_names_none():
    raw = b"tracking_number,at,status\n1,2026-03-01T10:00:00Z,wandering\n"
    found = understood("carrier", raw, settings={"carrier": "Yanwen"})
    assert list(in_short(found)) == ["1 of yanwen 1, at last other"]
    assert scans(found)[0].code == "wandering"


def test_what_customs_wants_is_told_with_the_day_by_which():
    scan = {"at": "2026-03-01T10:00:00Z", "status": "customs_held", "customs_asks": "documents"}
    scan["customs_answer_by"] = "2026-03-04T10:00:00Z"
    parcel = {"carrier": "dhl", "tracking_number": "1", "scans": [scan]}
    (found,) = scans(understood("carrier", json.dumps({"parcels": [parcel]}).encode()))
    assert found.customs_asks == pb.CUSTOMS_ASK_DOCUMENTS
    assert found.customs_answer_by.ToJsonString() == "2026-03-04T10:00:00Z"


def test_the_examples_of_the_documentation_are_understood():
    text = (Path(__file__).parents[2] / "docs" / "tracking.md").read_text()
    examples = [block.partition("```")[0] for block in re.split(r"```(?:json|csv)\n", text)[1:]]
    assert [list(in_short(understood("carrier", each.encode()))) for each in examples] == [
        [
            "2 of yanwen UG123456789YP, at last customs_held, expected 2026-03-09T23:00:00Z",
            "HandOverParcelRequest yanwen/UG123456789YP/last_mile",
        ],
        ["2 of yanwen UG123456789YP, at last delivered"],
    ]
