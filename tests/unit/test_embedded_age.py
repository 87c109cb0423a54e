"""Whether releases of PostgreSQL were due since that of the wheel."""

from __future__ import annotations

from datetime import date

from adapters.database.embedded_age import RELEASED, due_since, warning

# As postgresql.org announced them; 2026-02-26 was beyond the plan.
ANNOUNCED = [date(2025, 11, 13), date(2026, 2, 12), date(2026, 5, 14), date(2026, 8, 13)]


def test_the_calendar_knows_the_days_that_were_announced():
    assert due_since(date(2025, 9, 25), date(2026, 8, 13)) == ANNOUNCED


def test_a_release_is_due_on_its_day_and_not_before():
    assert due_since(ANNOUNCED[2], date(2026, 8, 12)) == []
    assert due_since(ANNOUNCED[2], date(2026, 8, 13)) == [date(2026, 8, 13)]


def test_an_old_server_is_warned_about_with_what_to_do():
    said = warning(180004, date(2026, 11, 27))
    assert said.startswith(
        "the embedded PostgreSQL 18.4 is of 2026-05-14 and fixes were due since (2026-08-13, 2026-11-12)"
    )
    assert said.endswith("with --dsn")


def test_nothing_is_said_of_the_newest_and_of_one_that_nobody_has_dated():
    assert warning(180004, RELEASED[180004]) == ""
    assert warning(190000, date(2030, 1, 1)) == ""
