"""The picture of what was measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.commands import LEVELS, SUBJECTS
from benchmarks.report import TARGETS, Figures, title_of

_COMMANDS = {f"commands.{subject}.{level}.per_second": [900.0, 1000.0] for subject in SUBJECTS for level in LEVELS}


Draw = Callable[[Figures, Path], None]


@pytest.fixture(scope="module")
def draw() -> Draw:
    """Imported here alone: each process that collects the tests would wait for what draws."""
    from benchmarks.picture import draw

    return draw


def _texts(path: Path) -> list[str]:
    return ["".join(each.itertext()).strip() for each in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_it_shows_each_figure_that_has_a_target_beside_it_and_what_was_not_measured_is_left_out(
    draw: Draw, tmp_path: Path
):
    figures = {**_COMMANDS, "lag.most.seconds": [0.25, 0.5, 0.75], "tenants.10_to_1": [0.5]}
    draw(figures, tmp_path / "found.svg")
    texts = _texts(tmp_path / "found.svg")
    assert "the slowest read model behind 64 callers, seconds at most" in texts
    assert "Read models behind 64 callers, seconds" in texts
    assert not {"p99 of a call / its median, 64 callers", "median"} & set(texts)
    assert "0.5 (wanted < 1)" in texts
    assert "0.5 (wanted ≥ 0.75)" in texts
    assert set(SUBJECTS.values()) <= set(texts)
    assert not any("100 tenants" in text for text in texts)


def test_a_bar_is_told_with_the_ratio_that_is_wanted_of_it(draw: Draw, tmp_path: Path):
    figures = {"tenants.1.per_second": [1000.0], "tenants.10.per_second": [600.0], "tenants.10_to_1": [0.6]}
    draw(figures, tmp_path / "found.svg")
    texts = _texts(tmp_path / "found.svg")
    assert {"1,000", "600 (0.6)", "10 tenants"} <= set(texts)
    assert "100 tenants" not in texts


def test_each_bar_shows_a_figure_that_has_a_title_and_a_target_that_there_is():
    from benchmarks.picture import PANELS

    bars = [bar for panel in PANELS for bar in panel.bars]
    assert {bar.target for bar in bars} - {""} <= {target.name for target in TARGETS}
    assert [bar.name for bar in bars if not bar.name.startswith("commands.") and title_of(bar.name) == bar.name] == []


@pytest.mark.parametrize("figures", [{}, {"lag.most.seconds": [0.0]}, {"commands.empty.1.per_second": [9.0]}])
def test_it_is_drawn_of_a_part_as_well(draw: Draw, tmp_path: Path, figures: dict[str, list[float]]):
    draw(figures, tmp_path / "found.svg")
    assert (tmp_path / "found.svg").stat().st_size


def test_the_same_figures_make_the_same_picture(draw: Draw, tmp_path: Path):
    for name in ("one", "two"):
        draw(_COMMANDS, tmp_path / f"{name}.svg")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
