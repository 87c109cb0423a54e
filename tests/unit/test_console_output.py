"""What the console makes of values: words, cells of a CSV, tables as wide as the terminal."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from adapters.console.auditing.gist import gist
from adapters.console.main import run
from adapters.console.terminal import files, words
from adapters.console.terminal.printer import Printer

# --- hostile names and cells ------------------------------------------------------------------------


HOSTILE = "tea\x1b[2J\x9b31m\u202e\x07\rmug\x7f"


def test_no_name_speaks_to_the_terminal(capsys: pytest.CaptureFixture[str]):
    out = Printer()
    out.say(HOSTILE)
    out.title(HOSTILE, HOSTILE)
    out.facts([(HOSTILE, f"{HOSTILE}\nwith a second line")])
    out.table([HOSTILE], [[HOSTILE], [f"{HOSTILE}\nno row of its own"]])
    out.json({HOSTILE: HOSTILE})
    assert run(["place", HOSTILE]) == 2
    printed = capsys.readouterr()
    for text in (printed.out, printed.err):
        assert not [letter for letter in text if unicodedata.category(letter) in ("Cc", "Cf") and letter != "\n"]
    assert "tea\\u001b[2J\\u009b31m\\u202e" in printed.out
    assert "\\nno row of its own" in printed.out
    assert json.loads(printed.out[printed.out.index("{") :]) == {HOSTILE: HOSTILE}


def test_a_hostile_name_is_shown_escaped_in_a_history_and_a_csv(tmp_path: Path):
    facts = [[gist({"fact": "x", "city": HOSTILE})]]
    assert "\x1b" not in drawn(["what"], facts, width=80)
    files.write_csv(tmp_path / "x.csv", ["sku"], [{"sku": HOSTILE}])
    assert "\x1b" not in (tmp_path / "x.csv").read_text()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1-2", "'+1-2"),
        ("-1+1", "'-1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        (-250, "-250"),
        (12.5, "12.5"),
        ("tea=1", "tea=1"),
    ],
)
def test_no_cell_of_a_csv_is_a_formula_and_numbers_stay_numbers(value: object, written: str):
    assert files.cell(value) == written


# --- tables and words -------------------------------------------------------------------------------


def drawn(columns: list[str], rows: list[list[str]], width: int) -> str:
    """What a terminal of so many columns shows of a table."""
    out, shown = Printer(), StringIO()
    out._console, out.is_terminal = Console(file=shown, width=width), True
    out.table(columns, rows)
    return shown.getvalue()


def test_times_go_on_in_the_next_line_where_a_terminal_is_too_narrow_and_no_word_is_lost():
    row = ["shop/narrow/1", "acme", "cancelled", "2026-01-05 10:00Z", "2026-01-08 15:00Z"]

    shown = drawn(["supplier order", "supplier", "status", "sent", "dispatched"], [row], width=62)

    assert max(map(len, shown.splitlines())) <= 62
    assert set(" ".join(row).split()) <= set(shown.split())


@pytest.mark.parametrize("width", range(30, 111, 4))
def test_no_column_is_cropped_however_narrow_a_terminal_is(width: int):
    columns = ["what", "clock", "supplier", "due", "happened", ">state"]
    rows = [
        ["shop/1001/1", "dispatch", "acme-trading", "2026-01-07 10:00Z", "2026-01-08 15:00Z", "29 h late"],
        ["shop/1002/1", "acknowledge", "绿茶", "2026-01-07 10:00Z", "", "29 d late so far"],
    ]

    shown = drawn(columns, rows, width)

    assert max(map(cell_len, shown.splitlines())) <= width
    assert {word for row in rows for word in " ".join(row).split()} <= set(shown.split())


def test_what_a_broken_column_leaves_free_goes_to_the_others():
    shown = drawn(["rate", "since", "state"], [["on time", "2026-01-07 10:00Z", "no data"]], width=30)
    assert shown.splitlines()[1:] == ["on time  2026-01-07  no data", "         10:00Z             "]


def test_rows_whose_words_do_not_fit_beside_each_other_stand_one_by_one():
    shown = drawn(["what", "units"], [["a-rather-long-word", "many-units"], ["another", ""]], width=27)
    assert shown.split() == ["what", "a-rather-long-word", "units", "many-units", "what", "another"]


def test_only_ids_that_are_longer_than_a_line_break():
    shown = drawn(["sku", "why"], [["S" * 60, "nobody has it"]], width=40)
    assert max(map(len, shown.splitlines())) <= 40
    assert shown.count("S") == 60
    assert {"nobody", "has", "it"} <= set(shown.split())


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(1234, "EUR", "12.34 EUR"), (1234567, "JPY", "1,234,567 JPY"), (1234, "KWD", "1.234 KWD"), (5, "USD", "0.05 USD")],
)
def test_money_is_written_and_read_in_the_currency_s_own_units(minor: int, currency: str, text: str):
    assert words.money(minor, currency) == text
    assert words.amount_minor(text.split()[0].replace(",", ""), currency) == minor


@pytest.mark.parametrize(
    ("length", "text"),
    [(timedelta(days=3, hours=5), "3 d"), (timedelta(hours=26), "26 h"), (timedelta(minutes=1), "1 min")],
)
def test_a_length_of_time_is_written_in_one_unit(length: timedelta, text: str):
    assert words.span(length) == text


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("", "2026-03-29 00:30Z"),
        ("Europe/Berlin", "2026-03-29 01:30+01:00"),
        ("Australia/Adelaide", "2026-03-29 11:00+10:30"),
        ("America/New_York", "2026-03-28 20:30-04:00"),
        ("Mars/Olympus", "2026-03-29 00:30Z"),
    ],
)
def test_a_time_is_written_with_its_zone(zone: str, text: str):
    at = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    assert words.to_minute(at, zone) == text
    assert datetime.fromisoformat(text) == at


def test_a_fact_is_shown_in_a_few_words():
    fact = {
        "fact": "order.supplier_order_shipped",
        "order_id": "shop/1",
        "supplier_order_id": "shop/1/1",
        "by_line": {"1": 2, "2": 1},
        "box": {"key_id": "k", "box": "c2VhbGVk"},
        "promised_by": "2026-03-02T12:00:00Z",
        "gift": False,
    }
    assert gist(fact) == "shop/1/1, line 1: 2 units + line 2: 1 unit, promised by 2026-03-02 12:00Z"


def test_a_fact_of_an_amendment_shows_the_units_that_are_wanted_now():
    lines = [{"sku": "mug", "quantity": 4, "given_up": 2}, {"sku": "bowl", "quantity": 1}]
    assert gist({"fact": "order.amended", "version": 4, "lines": lines}) == "version 4, 2 mug + 1 bowl"
