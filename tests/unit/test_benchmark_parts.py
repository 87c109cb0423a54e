"""A course of benchmarks: what it says beforehand, what becomes of a part that fails, and what is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import cast

import pytest
from rich.console import Console

from benchmarks import parts
from benchmarks.parts import PARTS, Course, Part
from benchmarks.report import Found, tables
from benchmarks.stage import Figure, Skipped, Stage

_NOWHERE = cast("Stage", None)


def _well(stage: Stage, run: int) -> Iterator[Figure]:
    yield Figure("lag.most.seconds", run + 0.5)


def _breaks(stage: Stage, run: int) -> Iterator[Figure]:
    yield Figure("start.new.seconds", 1.0)
    if run == 0:
        raise RuntimeError("the disk\n[at /] is full")


def _not_here(stage: Stage, run: int) -> Iterator[Figure]:
    if run >= 0:
        raise Skipped("no files")
    yield Figure("import.all.seconds", 1.0)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """Three parts in place of those that measure, without a database whose processor time could be seen."""
    made = {"breaks": Part(70, _breaks, "this breaks"), "nothere": Part(1, _not_here, "")}
    monkeypatch.setattr(parts, "PARTS", {**made, "well": Part(20, _well, "this goes well")})
    monkeypatch.setattr(parts, "_processor_seconds", lambda stage: 0.0)
    return StringIO()


def _course(said: StringIO, runs: int) -> Course:
    return Course(list(parts.PARTS), runs, Console(file=said, width=120))


def test_a_usual_run_is_expected_to_take_less_than_ten_minutes():
    assert sum(part.seconds for part in PARTS.values()) < 600


def test_it_says_beforehand_what_comes_and_how_long_that_takes(said: StringIO):
    _course(said, 2).tell_plan()
    told = said.getvalue()
    assert re.search(r"breaks +70 s  this breaks", told)
    assert "3 parts, 2 runs: about 3:02 min on two cores" in told


def test_a_part_that_fails_says_so_and_the_others_go_on(said: StringIO):
    found = _course(said, 2).go(_NOWHERE)
    assert found.failed == {"breaks": "RuntimeError: the disk [at /] is full"}
    assert found.skipped == {"nothere": "no files"}
    assert found.figures == {"start.new.seconds": [1.0], "lag.most.seconds": [0.5, 1.5]}
    assert [len(each) for each in found.took.values()] == [2, 2, 2]
    assert "breaks failed, the rest goes on" in said.getvalue()


def test_what_failed_stands_in_the_tables_and_targets_beside_their_figures(said: StringIO):
    made = {table.title: table for table in tables(_course(said, 1).go(_NOWHERE), {"processor": "two"})}
    assert list(made["Not measured"].rows) == [
        ["nothere", "no files"],
        ["breaks", "RuntimeError: the disk [at /] is full"],
    ]
    ((what, *beside),) = made["How far the read models are behind 64 callers"].rows
    assert (what, beside) == ("the slowest read model, seconds at most", ["0.5", "< 1", "met"])
    made["Not measured"].show(Console(file=said, width=120))
    assert "the disk [at /] is full" in said.getvalue()
    assert list(made)[-1] == "What is wanted"
    assert [row[-1] for row in made["What is wanted"].rows] == ["met"]


def test_of_the_whole_it_says_as_well_what_was_not_measured():
    *_, wanted = tables(Found(figures={"lag.most.seconds": [2.0]}), {}, whole=True)
    assert {row[-1] for row in wanted.rows} == {"missed", "not measured"}


def test_writing_replaces_what_stands_between_the_marks_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from benchmarks import __main__ as command

    page = tmp_path / "RESULTS.md"
    page.write_text(f"head\n{command.MARK}old figures\n{command.END}what bounds it\n")
    monkeypatch.setattr(command, "RESULTS", page)
    command.write(tables(Found(figures={"lag.most.seconds": [2.0]}), {"processor": "two"}))
    text = page.read_text()
    assert text.startswith(f"head\n{command.MARK}")
    assert text.endswith(f"{command.END}what bounds it\n")
    assert "| the slowest read model, seconds at most | 2 | < 1 | missed |" in text
    assert text.index("### What is wanted") < text.index("### How far the read models")
    assert "old figures" not in text


def test_the_page_of_results_has_both_marks():
    from benchmarks.__main__ import END, MARK, RESULTS

    head, _, rest = RESULTS.read_text().partition(MARK)
    assert head
    assert END in rest
