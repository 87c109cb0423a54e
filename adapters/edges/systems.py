"""Every system that can be connected; this is where an adapter is added."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.edges.system import System

_ALL: tuple[System, ...] = ()

SYSTEMS: Mapping[str, System] = {each.name: each for each in _ALL}
"""By name."""
