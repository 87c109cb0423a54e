"""Windows of time as people name them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.terms.windows import EXAMPLES, window

NOW = datetime(2026, 3, 31, 15, 30, tzinfo=UTC)
BERLIN, SHANGHAI = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai")


UTC_ZONE = ZoneInfo("UTC")


def shown(words: str, zone: ZoneInfo = UTC_ZONE, now: datetime = NOW) -> str:
    return " ".join(f"{each:%Y-%m-%dT%H:%M}" if each else "-" for each in window(words, zone, now))


@pytest.mark.parametrize(
    ("words", "bounds"),
    [
        ("7d", "2026-03-24T15:30 2026-03-31T15:30"),
        ("2w", "2026-03-17T15:30 2026-03-31T15:30"),
        ("1m", "2026-02-28T15:30 2026-03-31T15:30"),
        ("13m", "2025-02-28T15:30 2026-03-31T15:30"),
        ("2y", "2024-03-31T15:30 2026-03-31T15:30"),
        ("today", "2026-03-31T00:00 2026-04-01T00:00"),
        ("yesterday", "2026-03-30T00:00 2026-03-31T00:00"),
        ("this-week", "2026-03-30T00:00 2026-04-06T00:00"),
        ("last-week", "2026-03-23T00:00 2026-03-30T00:00"),
        ("this-month", "2026-03-01T00:00 2026-04-01T00:00"),
        ("last-month", "2026-02-01T00:00 2026-03-01T00:00"),
        ("this-year", "2026-01-01T00:00 2027-01-01T00:00"),
        ("last-year", "2025-01-01T00:00 2026-01-01T00:00"),
        ("2026", "2026-01-01T00:00 2027-01-01T00:00"),
        ("2026-Q4", "2026-10-01T00:00 2027-01-01T00:00"),
        ("2025-12", "2025-12-01T00:00 2026-01-01T00:00"),
        ("2020-W53", "2020-12-28T00:00 2021-01-04T00:00"),
        ("2026-03-02", "2026-03-02T00:00 2026-03-03T00:00"),
        ("2026-03-02..2026-03-04", "2026-03-02T00:00 2026-03-05T00:00"),
        ("2026-01..2026-Q2", "2026-01-01T00:00 2026-07-01T00:00"),
        ("2026-03-02T12:00..2026-03-02T12:30+01:00", "ends before it begins"),
        ("2026-03-02T12:00..2026-03-04T06:30+02:00", "2026-03-02T12:00 2026-03-04T04:30"),
        ("2026-W09..", "2026-02-23T00:00 -"),
        ("..2026-02", "- 2026-03-01T00:00"),
    ],
)
def test_a_window_is_named_by_its_length_its_place_in_the_calendar_or_its_ends(words: str, bounds: str):
    if bounds[0] not in "-2":
        with pytest.raises(ValueError, match=bounds):
            window(words, UTC_ZONE, NOW)
    else:
        assert shown(words) == bounds


def test_days_begin_where_the_zone_says_also_when_its_clocks_change():
    assert shown("2026-03-29", BERLIN) == "2026-03-28T23:00 2026-03-29T22:00"
    assert shown("2026-03", SHANGHAI) == "2026-02-28T16:00 2026-03-31T16:00"
    late = datetime(2026, 3, 31, 16, 30, tzinfo=UTC)
    assert shown("today", SHANGHAI, late) == "2026-03-31T16:00 2026-04-01T16:00"
    assert shown("1m", SHANGHAI, late) == "2026-02-28T16:30 2026-03-31T16:30"
    assert shown("2026-03-02T12:00..", SHANGHAI) == "2026-03-02T04:00 -"


@pytest.mark.parametrize(
    "words",
    [
        "", "..", "7", "0d", "7h", "-7d", "7 d", "last week", "2026-13", "2026-02-30", "2026-W54", "2025-W53",
        "2026-Q5", "2026-3", "26-03", "12:00..13:00", "2026-03..now", "2026..2027..2028", "٧d", "2026-03-02T25:00..",
    ],
)  # fmt: skip
def test_what_names_no_window_is_refused_with_examples(words: str):
    with pytest.raises(ValueError, match="is no window such as") as caught:
        window(words, UTC_ZONE, NOW)
    assert EXAMPLES in str(caught.value)


@pytest.mark.parametrize("words", ["0999", "1969", "3000", "9999y", "9999d..", "2026..9999"])
def test_a_window_lies_where_instants_can_lie(words: str):
    with pytest.raises(ValueError, match=r"is no window|does not lie between"):
        window(words, UTC_ZONE, NOW)


@given(st.text(alphabet="0123456789-.:TWQdwmy+Z ", max_size=40))
def test_whatever_the_words_are_they_name_a_window_or_are_refused(words: str):
    try:
        since, until = window(words, BERLIN, NOW)
    except ValueError:
        return
    assert since is not None or until is not None
    assert since is None or until is None or since < until


@given(st.integers(0, 370_000).map(lambda days: datetime(1972, 1, 1, 12, 30, tzinfo=UTC) + timedelta(days=days)))
def test_what_is_this_and_what_was_last_meet_without_a_gap(now: datetime):
    for unit in ("week", "month", "year"):
        since, until = window(f"this-{unit}", BERLIN, now)
        assert since is not None
        assert until is not None
        assert since <= now < until
        assert window(f"last-{unit}", BERLIN, now)[1] == since
    assert window("1d", BERLIN, now)[0] == now - timedelta(days=1)
