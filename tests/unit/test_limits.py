"""What one client may have under way, and when it may try again."""

from __future__ import annotations

import time
from typing import Any

import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from adapters.access.limits import NO_LIMITS, STREAMS_AT_ONCE, Limits, Meter, Room
from adapters.rpc.statuses import status_of
from ledger.refusals import RateLimited


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = 5000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.at)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def taken(meter: Meter, calls: int) -> int:
    """How many of so many calls are taken; they are over at once."""
    count = 0
    for _ in range(calls):
        try:
            meter.enter(1)
        except RateLimited:
            continue
        meter.leave(1)
        count += 1
    return count


def test_a_second_s_worth_of_calls_may_come_at_once_and_then_as_many_as_the_rate_allows(clock: Clock):
    meter = Meter(Limits(calls_per_second=10))
    assert taken(meter, 50) == 10
    clock.at += 0.35
    assert taken(meter, 50) == 3
    clock.at += 3600
    assert taken(meter, 50) == 10


def test_who_calls_too_often_is_told_when_to_try_again(clock: Clock):
    meter = Meter(Limits(calls_per_second=4))
    assert taken(meter, 5) == 4
    with pytest.raises(RateLimited, match=r"there may be 4 calls a second at most; try again in 250 ms") as refused:
        meter.enter(1)
    clock.at += refused.value.retry_milliseconds / 1000
    meter.enter(1)


def test_calls_at_once_are_counted_until_they_end():
    meter = Meter(Limits(calls_at_once=2))
    meter.enter(1)
    meter.enter(1)
    with pytest.raises(RateLimited, match="2 calls at once"):
        meter.enter(1)
    meter.leave(1)
    meter.enter(1)


def test_bytes_under_way_are_counted_but_one_call_is_always_taken():
    meter = Meter(Limits(bytes_at_once=100))
    meter.enter(5000)
    with pytest.raises(RateLimited, match="100 bytes under way at once"):
        meter.enter(1)
    meter.leave(5000)
    meter.enter(60)
    meter.enter(40)


def test_all_clients_together_have_no_more_bytes_under_way_than_there_is_room_for_and_one_is_always_taken():
    room = Room(100)
    one, other, everybody = Meter(room=room), Meter(room=room), Meter(NO_LIMITS, room)
    one.enter(5000)
    for meter in (one, other, everybody):
        with pytest.raises(
            RateLimited, match="100 bytes of all clients under way at once at most; try again in 100 ms"
        ):
            meter.enter(1)
    one.leave(5000)
    other.enter(60)
    everybody.enter(40)
    with pytest.raises(RateLimited):
        one.enter(1)
    everybody.leave(40)
    one.enter(40)


def test_streams_are_counted_until_they_are_closed():
    meter = Meter()
    for _ in range(STREAMS_AT_ONCE):
        meter.open_stream()
    with pytest.raises(RateLimited, match=f"{STREAMS_AT_ONCE} streams at once"):
        meter.open_stream()
    meter.close_stream()
    meter.open_stream()


def test_the_request_of_a_stream_counts_as_any_other_while_it_is_read():
    meter = Meter(Limits(calls_per_second=1, bytes_at_once=100))
    with meter.reading(5000), pytest.raises(RateLimited, match="100 bytes under way at once"):
        meter.enter(1)
    with pytest.raises(RateLimited, match="1 calls a second"), meter.reading(1):
        pass


def test_changed_limits_hold_for_what_is_under_way():
    meter = Meter()
    meter.enter(1)
    meter.set(Limits(calls_at_once=1))
    with pytest.raises(RateLimited):
        meter.enter(1)
    meter.leave(1)
    meter.enter(1)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=60))
def test_whatever_comes_and_goes_no_more_is_under_way_than_is_allowed_and_all_is_given_back(steps: Any):
    meter, limits = Meter(Limits(calls_at_once=5, bytes_at_once=60)), Limits(calls_at_once=5, bytes_at_once=60)
    under_way: list[int] = []
    for comes, size in steps:
        if comes:
            try:
                meter.enter(size)
            except RateLimited:
                assert len(under_way) == limits.calls_at_once or sum(under_way) + size > limits.bytes_at_once
            else:
                under_way.append(size)
        elif under_way:
            meter.leave(under_way.pop())
        assert len(under_way) <= limits.calls_at_once
        assert sum(under_way) <= limits.bytes_at_once
    for size in under_way:
        meter.leave(size)
    assert taken(meter, 3) == 3


def test_the_status_carries_the_time_to_wait_for_every_grpc_library():
    status = status_of(RateLimited("calls at once", 7, 1250))
    details = status_pb2.Status.FromString(dict(status.trailing_metadata)["grpc-status-details-bin"]).details
    info = error_details_pb2.RetryInfo()
    assert [each.Unpack(info) for each in details].count(True) == 1
    assert info.retry_delay.ToMilliseconds() == 1250
    assert status.code.name == "RESOURCE_EXHAUSTED"
