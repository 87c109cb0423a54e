"""Feeds and offers as CSV files: thousands of lines at once, as often as one likes."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from adapters.console.terminal import batches
from tests.support.service import Service
from tests.support.terminal import Console


@pytest.fixture(scope="module")
def ff(service: Service) -> Console:
    terminal = Console(service.address)
    assert terminal("supplier", "add", "acme", "--name", "Acme Ltd", "--approve").code == 0
    return terminal


def written(path: Path, header: str, lines: Iterable[str]) -> str:
    path.write_text("\n".join((header, *lines)) + "\n")
    return str(path)


def test_five_thousand_figures_go_in_a_few_batches_and_a_second_run_changes_nothing(ff: Console, tmp_path: Path):
    source = written(tmp_path / "feed.csv", "sku,quantity", (f"SKU-{n},{n % 90}" for n in range(5000)))
    sizes, whole = list[int](), batches.batches

    def counted(groups: Iterable[batches.Group]) -> Iterator[tuple[int, batches.Group]]:
        for count, commands in whole(groups):
            sizes.append(count)
            yield count, commands

    with patch.object(batches, "batches", counted):
        first = ff("stock", "feed", "acme", "--csv", source)
    assert sizes == [800] * 6 + [200]
    assert (first.code, first.out) == (0, "5,000 lines: 5,000 recorded, 0 known already, 0 not taken.\n")
    assert "lines: 5,000 of 5,000" in first.err.splitlines()
    again = ff("stock", "feed", "acme", "--csv", source)
    assert (again.code, again.out) == (0, "5,000 lines: 0 recorded, 5,000 known already, 0 not taken.\n")
    (level,) = ff("stock", "show", "acme", "SKU-4999", "--json").json["levels"]
    assert (level["quantity"], level["feed_version"]) == (49, os.stat(source).st_mtime_ns // 1_000_000)


def test_a_file_that_was_written_anew_is_a_new_feed(ff: Console, tmp_path: Path):
    source = written(tmp_path / "feed.csv", "sku,quantity", ["POT,3"])
    ff("stock", "feed", "acme", "--csv", source)
    written(tmp_path / "feed.csv", "sku,quantity", ["POT,3"])
    os.utime(source, (time.time() + 5, time.time() + 5))
    assert "1 recorded" in ff("stock", "feed", "acme", "--csv", source).out


def test_a_complete_feed_sets_what_it_does_not_name_to_none(ff: Console, tmp_path: Path):
    assert ff("supplier", "add", "full", "--name", "Full Ltd", "--approve").code == 0
    ff("stock", "feed", "full", "--csv", written(tmp_path / "first.csv", "sku,quantity", ["A,1", "B,2", "C,0", "D,4"]))
    source = written(tmp_path / "second.csv", "sku,quantity", ["A,5", "E,6"])
    os.utime(source, (time.time() + 5, time.time() + 5))
    result = ff("stock", "feed", "full", "--csv", source, "--complete")
    summary = "2 lines, and 2 that the file does not name: 4 recorded, 0 known already, 0 not taken.\n"
    assert (result.code, result.out) == (0, summary)
    levels = ff("stock", "show", "full", "A", "B", "C", "D", "E", "--json").json["levels"]
    assert [each["quantity"] for each in levels] == [5, 0, 0, 0, 6]
    again = ff("stock", "feed", "full", "--csv", source, "--complete", "--json")
    assert (again.json["lines"], again.json["unnamed"], again.json["replayed"]) == (2, 0, 2)


def test_a_complete_feed_with_a_line_that_cannot_be_read_or_of_before_sets_nothing_to_none(ff: Console, tmp_path: Path):
    assert ff("supplier", "add", "half", "--name", "Half Ltd", "--approve").code == 0
    ff("stock", "feed", "half", "--csv", written(tmp_path / "first.csv", "sku,quantity", ["A,1", "B,2"]))
    source = written(tmp_path / "second.csv", "sku,quantity", ["A,5", ",2"])
    os.utime(source, (time.time() + 5, time.time() + 5))
    result = ff("stock", "feed", "half", "--csv", source, "--complete")
    assert result.code == 1
    assert "2 lines, and 0 that the file does not name: 1 recorded" in result.out
    older = written(tmp_path / "older.csv", "sku,quantity", ["A,9"])
    os.utime(older, (time.time() - 500, time.time() - 500))
    assert ff("stock", "feed", "half", "--csv", older, "--complete").code == 0
    assert [each["quantity"] for each in ff("stock", "show", "half", "A", "B", "--json").json["levels"]] == [5, 2]
    assert ff("stock", "feed", "half", "A", "1", "--complete").code == 2


def test_two_lines_about_one_sku_are_found_however_it_is_composed(ff: Console, tmp_path: Path):
    source = written(tmp_path / "feed.csv", "sku,quantity", ["Th\u00e9,1", " The\u0301 ,2"])
    result = ff("stock", "feed", "acme", "--csv", source)
    assert (result.code, "lines 2 and 3 both have the sku" in result.err) == (1, True)


def test_lines_that_are_wrong_are_named_by_their_numbers_and_the_others_are_taken(ff: Console, tmp_path: Path):
    lines = ["PAN,5", "PAN-2,many", ",4", "LID,7"]
    result = ff("stock", "feed", "acme", "--csv", written(tmp_path / "feed.csv", "sku,quantity", lines))
    assert (result.code, result.out.splitlines()[0]) == (1, "4 lines: 2 recorded, 0 known already, 2 not taken.")
    assert "line 3: quantity 'many' is not a whole number from -2147483648 to 2147483647 [UNREADABLE]\n" in result.out
    assert "line 4: sku: is required [UNREADABLE]\n" in result.out
    assert [each["available"] for each in ff("stock", "show", "acme", "PAN", "LID", "--json").json["levels"]] == [5, 7]


def test_what_skus_are_is_taken_from_a_file(ff: Console, tmp_path: Path):
    lines = ["LEAF,Tea leaves,0902.10,cn,100,", "BOX,A box,,,,LEAF:2:3; CUP", "LID,,12,,many,"]
    source = written(tmp_path / "skus.csv", "sku,title,hs_code,origin,weight_grams,parts", lines)
    result = ff("sku", "import", source)
    assert (result.code, result.out.splitlines()[0]) == (1, "3 lines: 2 recorded, 0 known already, 1 not taken.")
    assert "line 4: weight_grams 'many' is not a whole number" in result.out
    assert ff("sku", "show", "LEAF").out.splitlines()[1:5] == [
        "title    Tea leaves",
        "HS code  090210",
        "origin   CN",
        "weight   100 g",
    ]
    assert "bundle of  2 LEAF (price share 3), 1 CUP (price share 1)" in ff("sku", "show", "BOX").out
    assert "2 known already" in ff("sku", "import", source).out
    assert ff("sku", "describe", "LEAF", "--weight", "120").out == "SKU LEAF  described\n"
    assert re.search(r"title +Tea leaves\n(.*\n)*weight +120 g", ff("sku", "show", "LEAF").out)
    ff("sku", "describe", "BOX", "--part", "")
    assert "bundle" not in ff("sku", "show", "BOX").out


def test_a_file_of_offers_may_say_all_that_a_command_can(ff: Console, tmp_path: Path):
    header = "sku,cost,currency,article_code,breaks,packing_cost,valid_from"
    lines = ["PEN,3.50,EUR,P-1,10:3.20 100:3,0.10,2026-01-01", "INK,3.50,EUR,,many,0.1,soon"]
    result = ff("supplier", "offer", "acme", "--csv", written(tmp_path / "offers.csv", header, lines))
    assert "line 3: breaks 'many' is not UNITS:AMOUNT" in result.out
    assert "valid_from 'soon' is not a time" in result.out
    (pen,) = [each for each in ff("supplier", "show", "acme", "--json").json["offers"] if each["sku"] == "PEN"]
    breaks = [{"units": 10, "cost_minor": 320}, {"units": 100, "cost_minor": 300}]
    assert (pen["article_code"], pen["breaks"], pen["packing_cost_minor"]) == ("P-1", breaks, 10)
    assert pen["valid_from"] == "2026-01-01T00:00:00Z"


def test_offers_are_taken_from_a_file(ff: Console, tmp_path: Path):
    header = "sku,cost,currency,minimum_quantity,backups"
    source = written(tmp_path / "offers.csv", header, ["TEA,3.50,EUR,2,bolt dock", "MUG,1.5,EUR,,", "JAR,1.555,EUR,,"])
    result = ff("supplier", "offer", "acme", "--csv", source, "--json")
    assert result.code == 1
    problem = {"line": 4, "reason": "UNREADABLE", "message": result.json["problems"][0]["message"]}
    assert result.json == {"lines": 3, "applied": 2, "replayed": 0, "problems": [problem], "warnings": []}
    assert "1.555" in problem["message"]
    offers = {each["sku"]: each for each in ff("supplier", "show", "acme", "--json").json["offers"]}
    assert (offers["TEA"]["cost"]["amount_minor"], offers["TEA"]["backups"]) == (350, ["bolt", "dock"])
    assert (offers["TEA"]["minimum_quantity"], offers["MUG"]["minimum_quantity"]) == (2, 1)
    assert "2 known already" in ff("supplier", "offer", "acme", "--csv", source).out


@pytest.mark.parametrize(
    ("header", "line", "sentence"),
    [
        ("sku,qty", "TEA,1", "has no column quantity [COLUMNS_MISSING]"),
        ("", "", "begins with no names of columns; it needs sku, quantity [COLUMNS_MISSING]"),
        ("a,b", "TEA,1", "has no column sku and no column quantity [COLUMNS_MISSING]"),
        ("sku,quantity,price", "TEA,1,2", "line 2 has a column price; its columns are sku, quantity [COLUMNS_UNKNOWN]"),
        ("sku,quantity", "TEA,1,2", "line 2 has more cells than columns; its columns are sku, quantity"),
    ],
)
def test_a_file_of_other_columns_is_refused_as_a_whole(
    ff: Console, tmp_path: Path, header: str, line: str, sentence: str
):
    result = ff("stock", "feed", "acme", "--csv", written(tmp_path / "feed.csv", header, [line]))
    assert (result.code, sentence in result.err, result.err.count("\n")) == (1, True, 1), result.err


def test_one_figure_or_a_file_of_them_is_asked_for(ff: Console, tmp_path: Path):
    for words in (("acme",), ("acme", "TEA"), ("acme", "TEA", "1", "--csv", str(tmp_path))):
        assert ff("stock", "feed", *words).code == 2
    assert ff("supplier", "offer", "acme", "TEA").code == 2
    assert ff("stock", "feed", "acme", "--csv", "-", typed="sku,quantity\nCAN,2\n").code == 0


def test_what_is_odd_about_a_line_is_reported_by_its_number(ff: Console, tmp_path: Path):
    source = written(tmp_path / "feed.csv", "sku,quantity", ["NEG,-5"])
    result = ff("stock", "feed", "acme", "--csv", source)
    assert (result.code, result.out) == (0, "1 line: 1 recorded, 0 known already, 0 not taken.\n")
    assert re.search(r"^Warning: line 2: acme has -5 units of NEG, which counts as none", result.err, re.MULTILINE)
    (*_, warned) = ff("stock", "feed", "acme", "--csv", source, "--json").json["warnings"]
    assert warned["line"] == 2


def test_of_many_odd_lines_the_first_twenty_are_listed_and_the_others_counted(ff: Console, tmp_path: Path):
    source = written(tmp_path / "feed.csv", "sku,quantity", (f"ODD-{n},-1" for n in range(30)))
    warned = [line for line in ff("stock", "feed", "acme", "--csv", source).err.splitlines() if "Warning" in line]
    assert len(warned) == 21
    assert re.fullmatch(r"Warning: \.\.\. and \d+ more; --json lists all\.", warned[-1])


def test_a_list_that_names_a_sku_twice_is_refused_before_anything_is_sent(ff: Console, tmp_path: Path):
    source = written(tmp_path / "feed.csv", "sku,quantity", ["TWIN,5", "ELSE,1", "TWIN,6"])
    result = ff("stock", "feed", "acme", "--csv", source)
    assert result.code == 1
    assert "lines 2 and 4 both have the sku TWIN; leave one of them out. Nothing was sent [LINE_TWICE]" in result.err
    levels = ff("stock", "show", "acme", "TWIN", "ELSE", "--json").json["levels"]
    assert not any(each.get("tracked") for each in levels)


def test_all_faults_of_a_line_are_named_by_the_columns_of_the_file(ff: Console, tmp_path: Path):
    header = "sku,cost,currency,minimum_quantity,lead_time_days"
    lines = [",x,EUR,many,99999999999999999999", "CUP,1,eu,1,-1", "BIG,99999999999999999999,EUR,1,1", "NIL,,,1,1"]
    result = ff("supplier", "offer", "acme", "--csv", written(tmp_path / "offers.csv", header, lines)).out
    problems = {line.partition(":")[0]: line for line in result.splitlines()}
    for fault in ("sku: is required", "cost 'x' is not an amount", "minimum_quantity 'many'", "lead_time_days '9999"):
        assert fault in problems["line 2"]
    assert problems["line 3"].startswith("line 3: currency: ")
    assert "; lead_time_days: " in problems["line 3"]
    assert "cost '99999999999999999999' is more than" in problems["line 4"]
    assert problems["line 5"] == "line 5: cost: is required; currency: is required [UNREADABLE]"
    assert "offer." not in result


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("stock", "feed", "acme", "TEA", "9" * 20), f"'[QUANTITY]': {'9' * 20} is not in the range -2147483648<=x<="),
        (("stock", "buffer", "acme", "TEA", "9" * 20), f"'UNITS': {'9' * 20} is not in the range 0<=x<=2147483647"),
        (("stock", "reserve", "r-1", "acme", "TEA:" + "9" * 20), f"SKU:UNITS: '{'9' * 20}' is not a whole number from"),
        (("supplier", "offer", "acme", "TEA", "--cost", "9" * 20 + ":EUR"), f"'{'9' * 20}' is more than the "),
    ],
)
def test_a_number_that_no_field_has_room_for_is_named_with_its_bounds(
    ff: Console, words: tuple[str, ...], sentence: str
):
    result = ff(*words)
    assert (result.code, sentence in result.err, result.err.count("\n")) == (2, True, 1), result.err


def test_a_term_is_refused_by_the_name_it_was_given(ff: Console):
    result = ff("policy", "set", "return_window_days=-1")
    assert result.code == 1
    assert result.err.startswith("Error: return_window_days: ")
    assert "policy." not in result.err
    error = json.loads(ff("policy", "set", "return_window_days=-1", "--json").err)["error"]
    assert error["details"] == {"field": "return_window_days", "fields": ["return_window_days"]}
