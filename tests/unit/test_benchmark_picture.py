"""The picture of what was measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.commands import LEVELS, SUBJECTS
from benchmarks.report import Figures

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
    assert "0.5 (wanted < 1)" in texts
    assert "0.5 (wanted ≥ 0.75)" in texts
    assert set(SUBJECTS.values()) <= set(texts)
    assert not any("100 tenants" in text for text in texts)


@pytest.mark.parametrize("figures", [{}, {"lag.most.seconds": [0.0]}, {"commands.empty.1.per_second": [9.0]}])
def test_it_is_drawn_of_a_part_as_well(draw: Draw, tmp_path: Path, figures: dict[str, list[float]]):
    draw(figures, tmp_path / "found.svg")
    assert (tmp_path / "found.svg").stat().st_size


def test_the_same_figures_make_the_same_picture(draw: Draw, tmp_path: Path):
    for name in ("one", "two"):
        draw(_COMMANDS, tmp_path / f"{name}.svg")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
