"""Real payloads, broken: a tracker's translation answers whole commands, or says what it does not understand."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.edges.delivery import Delivery, Refused
from adapters.edges.meaning import NotUnderstood
from adapters.edges.systems import SYSTEMS
from tests.support import hostile
from tests.support.hostile import HOSTILE, NASTY, broken, places, plain, put, require_whole, swapped
from tests.support.tracking_payloads import account, understood

AFTERSHIP = {
    "event": "tracking_update",
    "event_id": "e1",
    "ts": 1772000000,
    "msg": {
        "tracking_number": "3SKAAG5995399",
        "slug": "postnl-3s",
        "tag": "Expired",
        "subtag": "Expired_001",
        "updated_at": "2026-03-02T10:00:00+00:00",
        "signed_by": "ANN",
        "custom_fields": {"carrier": "postnl-3s"},
        "destination_country_region": "ESP",
        "courier_estimated_delivery": {"estimated_delivery_date": "2026-03-05"},
        "last_mile": {"tracking_number": "ES1", "slug": "correos-spain"},
        "checkpoints": [
            {
                "checkpoint_time": "2026-03-01T15:29:27+01:00",
                "tag": "InTransit",
                "subtag": "InTransit_004",
                "message": "Received",
                "city": "Madrid",
                "country_region": "ESP",
            },
            {"checkpoint_time": "2026-03-01", "tag": "Delivered", "subtag": "Delivered_001", "message": "at the door"},
        ],
    },
}
SEVENTEEN = {
    "event": "TRACKING_UPDATED",
    "data": {
        "number": "RR123456785CN",
        "carrier": 3011,
        "tag": "carrier:china-post",
        "track_info": {
            "latest_status": {"status": "Expired", "sub_status": "Expired_Other"},
            "shipping_info": {"recipient_address": {"country": "BR", "state": "PE"}},
            "time_metrics": {"estimated_delivery_date": {"source": "Carrier", "to": "2026-07-12T00:00:00-07:00"}},
            "misc_info": {"local_number": "AA1BR", "local_provider": "Correios", "local_key": 2151},
            "tracking": {
                "providers": [
                    {
                        "provider": {"key": 3011, "name": "China Post"},
                        "latest_sync_time": "2026-06-30T18:01:12Z",
                        "events": [
                            {
                                "time_iso": None,
                                "time_raw": {"date": "2026-06-30", "time": "14:23:00", "timezone": None},
                                "description": "Objeto entregue",
                                "sub_status": "Delivered_Other",
                                "stage": "Delivered",
                                "address": {"country": "BR", "state": "PE", "city": "RECIFE"},
                            }
                        ],
                    }
                ]
            },
        },
    },
}
KUAIDI = {
    "status": "polling",
    "comNew": "ems",
    "lastResult": {
        "nu": "EA1CN",
        "com": "ems",
        "state": "5",
        "data": [
            {"ftime": "2026-03-01 10:00:00", "context": "派件 张三 13800000000", "status": "派件", "statusCode": "5"}
        ],
    },
    "destResult": {"nu": "XX1", "com": "usps", "state": "3", "data": [{"time": "2026-03-02 10:00:00", "context": "x"}]},
}
EASYPOST = {
    "description": "tracker.updated",
    "mode": "production",
    "id": "evt_1",
    "result": {
        "tracking_code": "9400",
        "carrier": "USPS",
        "updated_at": "2026-03-01T10:00:00Z",
        "est_delivery_date": "2026-03-05T00:00:00Z",
        "signed_by": "ANN",
        "tracking_details": [
            {
                "datetime": "2026-03-01T10:00:00Z",
                "status": "delivered",
                "status_detail": "arrived",
                "message": "hi",
                "tracking_location": {"city": "X", "state": "NY", "country": "US"},
            }
        ],
    },
}
SHIPPO = {
    "event": "track_updated",
    "test": False,
    "data": {
        "tracking_number": "9205590164917312751089",
        "carrier": "usps",
        "eta": "2026-03-05T00:00:00Z",
        "metadata": "carrier:usps",
        "address_to": {"country": "US", "state": "CA"},
        "tracking_history": [
            {
                "status": "TRANSIT",
                "substatus": {"code": "delayed", "text": "x", "action_required": False},
                "status_date": "2026-03-01T10:00:00Z",
                "status_details": "Late",
                "location": {"city": "X", "state": "CA", "country": "US", "zip": "1"},
            }
        ],
    },
}
DHL = {
    "shipments": [
        {
            "id": 7777777770,
            "service": "express",
            "destination": {"address": {"countryCode": "NL", "addressLocality": "Oderweg 2, AMSTERDAM"}},
            "status": {"timestamp": "2026-03-02T07:53:47Z", "statusCode": "delivered", "status": "x"},
            "estimatedDeliveryTimeFrame": {"estimatedThrough": "2026-03-03T22:00:00Z"},
            "details": {"proofOfDelivery": {"signed": {"name": "John", "familyName": "Doe", "givenName": "J"}}},
            "events": [{"timestamp": "2026-03-02T07:53:47", "statusCode": "failure", "description": "refused"}],
        }
    ]
}
OURS = {
    "parcels": [
        {
            "carrier": "yanwen",
            "tracking_number": "UG123456789YP",
            "expected_by": "2026-03-09",
            "destination_country": "DE",
            "last_mile_carrier": "dhl-germany",
            "last_mile_tracking_number": "JD1",
            "signed_by": "Ann",
            "scans": [
                {
                    "at": "2026-03-01T10:00:00+08:00",
                    "status": "customs_held",
                    "customs_asks": "payment",
                    "customs_answer_by": "2026-03-04T10:00:00Z",
                    "pickup_until": "2026-03-04T10:00:00Z",
                    "reached_customer": True,
                    "city": "Köln",
                    "country": "DE",
                    "text": "x",
                }
            ],
        }
    ]
}


def form(payload: Any) -> bytes:
    return urlencode({"param": json.dumps(payload), "sign": "x"}, errors="replace").encode()


PAYLOADS: dict[str, tuple[Any, Callable[[Any], bytes]]] = {
    "aftership": (AFTERSHIP, plain),
    "17track": (SEVENTEEN, plain),
    "kuaidi100": (KUAIDI, form),
    "easypost": (EASYPOST, plain),
    "shippo": (SHIPPO, plain),
    "dhl": (DHL, plain),
    "carrier": (OURS, plain),
}


def survives(name: str, raw: bytes) -> None:
    hostile.survives(lambda: understood(name, raw))


@pytest.mark.parametrize("name", list(PAYLOADS))
def test_the_whole_payload_is_understood(name: str):
    payload, written = PAYLOADS[name]
    found = understood(name, written(payload))
    assert found.wanted
    assert not found.ignored
    require_whole(found)


@pytest.mark.parametrize("name", list(PAYLOADS))
def test_a_payload_with_any_value_put_wrong_is_understood_whole_or_not_at_all(name: str):
    payload, written = PAYLOADS[name]
    for path in places(payload):
        survives(name, written(put(payload, path, None, drop=True)))
        for nasty in NASTY:
            survives(name, written(put(payload, path, nasty)))


@pytest.mark.parametrize("name", list(PAYLOADS))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_payload_with_several_wrong_values_is_understood_whole_or_not_at_all(name: str, data: st.DataObject):
    payload, written = PAYLOADS[name]
    survives(name, written(broken(payload, data)))


@pytest.mark.parametrize("name", list(PAYLOADS))
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_payload_whose_values_changed_places_is_understood_whole_or_not_at_all(name: str, data: st.DataObject):
    payload, written = PAYLOADS[name]
    changed = swapped(payload, data)
    if changed is not None:
        survives(name, written(changed))


@pytest.mark.parametrize("name", list(PAYLOADS))
def test_a_payload_cut_anywhere_is_not_understood(name: str):
    payload, written = PAYLOADS[name]
    raw = written(payload)
    for length in range(0, len(raw) - 1, 7):
        survives(name, raw[:length])


@pytest.mark.parametrize("name", list(PAYLOADS))
@pytest.mark.parametrize("what", list(HOSTILE))
def test_hostile_bytes_are_refused_at_the_door_and_not_understood_behind_it(name: str, what: str):
    survives(name, HOSTILE[what])
    secrets = dict.fromkeys(SYSTEMS[name].secrets, "secret")
    for headers in ({}, dict.fromkeys(_SIGNATURES, "x" * 10_000), dict.fromkeys(_SIGNATURES, "t=é,v1=é")):
        delivery = Delivery(headers, HOSTILE[what], "https://example.com/in?token=wrong&a=%ff")
        with pytest.raises(Refused):
            SYSTEMS[name].verify(delivery, account(**secrets), datetime(2026, 3, 1, tzinfo=UTC))


_SIGNATURES = (
    *("aftership-hmac-sha256", "sign", "x-hmac-signature", "shippo-auth-signature"),
    *("webhook-id", "webhook-timestamp", "webhook-signature"),
)


def test_a_history_of_a_thousand_scans_is_several_commands():
    checkpoints = [
        {"checkpoint_time": f"2026-03-01T10:{n // 60:02}:{n % 60:02}Z", "tag": "InTransit"} for n in range(1000)
    ]
    found = understood("aftership", plain(put(AFTERSHIP, ("msg", "checkpoints"), checkpoints)))
    assert [len(getattr(each.request, "checkpoints", ())) for each in found.wanted] == [200] * 5 + [1, 0]
    assert len({(each.object_id, each.version) for each in found.wanted}) == len(found.wanted)
    with pytest.raises(NotUnderstood, match="more than 5000"):
        understood("aftership", plain(put(AFTERSHIP, ("msg", "checkpoints"), checkpoints * 6)))
