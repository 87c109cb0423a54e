"""Feeds and offers as CSV files: thousands of lines at once, as often as one likes."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.service import Service
from tests.terminal import Terminal


@pytest.fixture(scope="module")
def ff(service: Service) -> Terminal:
    terminal = Terminal(service.address)
    assert terminal("supplier", "add", "acme", "--name", "Acme Ltd", "--approve").code == 0
    return terminal


def written(path: Path, header: str, lines: Iterable[str]) -> str:
    path.write_text("\n".join((header, *lines)) + "\n")
    return str(path)


def test_five_thousand_figures_are_fed_in_seconds_and_a_second_run_changes_nothing(ff: Terminal, tmp_path: Path):
    source = written(tmp_path / "feed.csv", "sku,quantity", (f"SKU-{n},{n % 90}" for n in range(5000)))
    started = time.monotonic()
    first = ff("stock", "feed", "acme", "--csv", source)
    assert time.monotonic() - started < 60, "a call for each would take minutes"
    assert (first.code, first.out) == (0, "5,000 lines: 5,000 recorded, 0 known already, 0 not taken.\n")
    assert first.err.splitlines()[-1] == "lines: 5,000 of 5,000"
    again = ff("stock", "feed", "acme", "--csv", source)
    assert (again.code, again.out) == (0, "5,000 lines: 0 recorded, 5,000 known already, 0 not taken.\n")
    (level,) = ff("stock", "show", "acme", "SKU-4999", "--json").json["levels"]
    assert (level["quantity"], level["feed_version"]) == (49, os.stat(source).st_mtime_ns // 1_000_000)


def test_a_file_that_was_written_anew_is_a_new_feed(ff: Terminal, tmp_path: Path):
    source = written(tmp_path / "feed.csv", "sku,quantity", ["POT,3"])
    ff("stock", "feed", "acme", "--csv", source)
    written(tmp_path / "feed.csv", "sku,quantity", ["POT,3"])
    os.utime(source, (time.time() + 5, time.time() + 5))
    assert "1 recorded" in ff("stock", "feed", "acme", "--csv", source).out


def test_lines_that_are_wrong_are_named_by_their_numbers_and_the_others_are_taken(ff: Terminal, tmp_path: Path):
    lines = ["PAN,5", "PAN-2,many", ",4", "LID,7"]
    said = ff("stock", "feed", "acme", "--csv", written(tmp_path / "feed.csv", "sku,quantity", lines))
    assert (said.code, said.out.splitlines()[0]) == (1, "4 lines: 2 recorded, 0 known already, 2 not taken.")
    assert "line 3: quantity 'many' is not a whole number [UNREADABLE]\n" in said.out
    assert re.search(r"^line 4: item.sku: .* \[MALFORMED\]$", said.out, re.MULTILINE)
    assert [each["available"] for each in ff("stock", "show", "acme", "PAN", "LID", "--json").json["levels"]] == [5, 7]


def test_offers_are_taken_from_a_file(ff: Terminal, tmp_path: Path):
    header = "sku,cost,currency,minimum_quantity,backups"
    source = written(tmp_path / "offers.csv", header, ["TEA,3.50,EUR,2,bolt dock", "MUG,1.5,EUR,,", "JAR,1.555,EUR,,"])
    told = ff("supplier", "offer", "acme", "--csv", source, "--json")
    assert told.code == 1
    problem = {"line": 4, "reason": "UNREADABLE", "message": told.json["problems"][0]["message"]}
    assert told.json == {"lines": 3, "applied": 2, "replayed": 0, "problems": [problem]}
    assert "1.555" in problem["message"]
    offers = {each["sku"]: each for each in ff("supplier", "show", "acme", "--json").json["offers"]}
    assert (offers["TEA"]["cost"]["amount_minor"], offers["TEA"]["backups"]) == (350, ["bolt", "dock"])
    assert (offers["TEA"]["minimum_quantity"], offers["MUG"]["minimum_quantity"]) == (2, 1)
    assert "2 known already" in ff("supplier", "offer", "acme", "--csv", source).out


@pytest.mark.parametrize(
    ("header", "line", "sentence"),
    [
        ("sku,qty", "TEA,1", "has no column quantity [COLUMNS_MISSING]"),
        ("sku,quantity,price", "TEA,1,2", "line 2 has a column price; its columns are sku, quantity [COLUMNS_UNKNOWN]"),
        ("sku,quantity", "TEA,1,2", "line 2 has more cells than columns; its columns are sku, quantity"),
    ],
)
def test_a_file_of_other_columns_is_refused_as_a_whole(
    ff: Terminal, tmp_path: Path, header: str, line: str, sentence: str
):
    said = ff("stock", "feed", "acme", "--csv", written(tmp_path / "feed.csv", header, [line]))
    assert (said.code, sentence in said.err, said.err.count("\n")) == (1, True, 1), said.err


def test_one_figure_or_a_file_of_them_is_asked_for(ff: Terminal, tmp_path: Path):
    for words in (("acme",), ("acme", "TEA"), ("acme", "TEA", "1", "--csv", str(tmp_path))):
        assert ff("stock", "feed", *words).code == 2
    assert ff("supplier", "offer", "acme", "TEA").code == 2
    assert ff("stock", "feed", "acme", "--csv", "-", typed="sku,quantity\nCAN,2\n").code == 0
