"""Every payload of the trackers in the collection, and what becomes of it. None is left out without a reason."""

from __future__ import annotations

import json

import pytest

from adapters.edges.meaning import NotUnderstood
from adapters.tracking.tracker import UnexpectedAnswer
from tests.support.tracking_payloads import VENDORS, in_short, scans, told, understood

needs_data = pytest.mark.skipif(not VENDORS.exists(), reason=f"{VENDORS} is not there")

DELIVERIES = {
    ("17track", "seventeentrack/v2.4/webhook_tracking_stopped.json"): ["17TRACK follows the number no more"],
    ("easypost", "easypost/event-body.json"): [
        "7 of fedex 1, at last in_transit, expected 2024-08-06T12:00:00Z",
    ],
}
ANSWERS = {
    ("aftership", "aftership/v4/detect_courier.json"): [],  # couriers, and no tracking
    ("aftership", "aftership/v4/get_last_checkpoint.pending.json"): [],  # a checkpoint without a time or a word
    ("aftership", "aftership/v4/get_tracking.postnl-3s.json"): ["6 of postnl-3s 3SKAAG5995399, at last in_transit"],
    ("aftership", "aftership/v4/list_trackings.json"): ["no scans yet"],
    ("aftership", "aftership/v4/retrack.json"): ["no scans yet"],
    ("aftership", "aftership/v4/update_tracking.china-post.json"): ["no scans yet"],
    ("17track", "seventeentrack/v2.4/gettrackinfo_correios_2151.json"): [
        "3 of brazil-correios AA123456789BR, at last delivered"
    ],
    ("17track", "seventeentrack/v2.4/gettrackinfo_yanwen_190012.json"): [
        "3 of yanwen YT2616912345678901, at last in_transit"
    ],
    ("17track", "seventeentrack/v2.4/gettracklist_page.json"): ["no scans yet", "no scans yet"],
    ("17track", "seventeentrack/v2.4/register_mixed.json"): ["no scans yet"],
    ("kuaidi100", "carriers-cn/kuaidi100/query.shunfeng.json"): ["9 of sf-express 765698489802, at last delivered"],
    ("easypost", "easypost/events.json"): "trackers",  # a list of events, which is not asked for
    ("easypost", "easypost/tracker_create.json"): "trackers",  # one tracker, read below
    ("dhl", "carriers/dhl_universal/TrackingResponseJSON.json"): [
        "1 of dhl 7777777770, at last registered, expected 2018-08-03T22:00:00Z"
    ],
    ("dhl", "carriers/dhl_universal/tracking.json"): "shipments",  # a request, an answer and an error in one file
}
OF_NO_SYSTEM = {
    "easypost/client-library-fixtures.json": "requests of a client; its secret is checked in test_tracking_systems",
    "carriers/asendia/tracking_response.json": "of a carrier's own interface: goes through an aggregator",
    "carriers/dhl_express/AuthError.xml": "of the XML interface that MyDHL replaces",
    "carriers/dhl_express/IntransitTrackingResponseXML.xml": "of the XML interface that MyDHL replaces",
    "carriers/dhl_express/TrackingResponseXML.xml": "of the XML interface that MyDHL replaces",
    "carriers/dhl_express/TrackingSingleNotFound.xml": "of the XML interface that MyDHL replaces",
    "carriers/fedex/DuplicateTrackingResponse.json": "of a carrier's own interface: goes through an aggregator",
    "carriers/fedex/InconsistentDateTimeResponse.json": "of a carrier's own interface: goes through an aggregator",
    "carriers/fedex/ProofOfDeliveryResponse.json": "of a carrier's own interface: goes through an aggregator",
    "carriers/fedex/TrackingResponse.json": "of a carrier's own interface: goes through an aggregator",
    "carriers/fedex/tracking_response.json": "of a carrier's own interface: goes through an aggregator",
    "carriers/mydhl/tracking_response.json": "of DHL Express's own interface: goes through DHL's unified tracking",
}
FOLDERS = ("aftership", "seventeentrack", "easypost", "shippo", "carriers", "carriers-cn/kuaidi100")


@needs_data
def test_no_payload_of_a_tracker_is_left_out():
    files = (path for folder in FOLDERS for path in (VENDORS / folder).rglob("*") if path.suffix in (".json", ".xml"))
    known = {path for _, path in (*DELIVERIES, *ANSWERS)} | set(OF_NO_SYSTEM)
    assert {str(path.relative_to(VENDORS)) for path in files} == known


@needs_data
@pytest.mark.parametrize(("system", "path"), list(DELIVERIES))
def test_a_delivery_becomes(system: str, path: str):
    assert list(in_short(understood(system, (VENDORS / path).read_bytes()))) == DELIVERIES[system, path]


@needs_data
@pytest.mark.parametrize(("system", "path"), list(ANSWERS))
def test_an_answer_becomes(system: str, path: str):
    body, expected = (VENDORS / path).read_bytes(), ANSWERS[system, path]
    if isinstance(expected, str):
        with pytest.raises(UnexpectedAnswer, match=f"missing required field `{expected}`"):
            told(system, body)
        return
    assert [short for raw in told(system, body) for short in in_short(understood(system, raw))] == expected


@needs_data
def test_a_tracker_that_easypost_made_tells_its_scans():
    tracker = (VENDORS / "easypost/tracker_create.json").read_bytes()
    (raw,) = told("easypost", b'{"trackers":[' + tracker + b"]}")
    assert list(in_short(understood("easypost", raw))) == [
        "2 of usps EZ1000000001, at last registered, expected 2025-03-06T19:48:26Z"
    ]
    event = json.dumps({"description": "tracker.created", "mode": "test", "result": json.loads(tracker)}).encode()
    assert list(in_short(understood("easypost", event))) == ["it is of EasyPost's test mode"]


@needs_data
def test_a_time_without_a_zone_is_of_the_zone_that_its_place_has_elsewhere_in_the_payload():
    (raw,) = told("17track", (VENDORS / "seventeentrack/v2.4/gettrackinfo_correios_2151.json").read_bytes())
    delivered = scans(understood("17track", raw))[-1]
    assert delivered.at.ToJsonString() == "2026-06-30T17:23:00Z"  # 14:23 at Recife
    assert delivered.message == "Objeto entregue ao destinatário"


@needs_data
def test_a_word_that_nobody_knows_is_kept_as_it_came():
    (raw,) = told("17track", (VENDORS / "seventeentrack/v2.4/gettrackinfo_yanwen_190012.json").read_bytes())
    assert [(scan.code, scan.status) for scan in scans(understood("17track", raw))][1] == (
        "InTransit_QuantumTunnelling",
        17,
    )


@needs_data
def test_texts_with_names_and_phones_stand_in_the_sealed_field_alone():
    (raw,) = told("kuaidi100", (VENDORS / "carriers-cn/kuaidi100/query.shunfeng.json").read_bytes())
    found = scans(understood("kuaidi100", raw))
    courier = next(scan for scan in found if "13800000000" in scan.message)
    courier.message = ""
    assert "张三" not in str(courier)
    assert "138" not in str(courier)
    assert found[0].at.ToJsonString() == "2018-08-07T09:15:04Z"  # 17:15:04 in Beijing


def test_what_is_no_payload_of_a_system_is_told_with_the_field():
    with pytest.raises(NotUnderstood, match=r"missing required field `msg`"):
        understood("aftership", b'{"event":"x"}')
    with pytest.raises(NotUnderstood, match="it is not JSON"):
        understood("17track", b"{")
