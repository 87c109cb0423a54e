"""The connections that the edges know: as they are now, and read once for all who ask at a time."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.edges import accounts
from adapters.edges.accounts import Accounts

TENANT: Any = SimpleNamespace(name="default")


class SlowlyRead(Accounts):
    """What a reading finds is what there was at its begin; it ends when the test says so."""

    def __init__(self) -> None:
        nothing_sealed: Any = None
        super().__init__(nothing_sealed, {})
        self.recorded: Any = "first"
        self.readings: list[asyncio.Event] = []

    async def read(self, tenant: Any) -> Any:
        found, end = self.recorded, asyncio.Event()
        self.readings.append(end)
        await end.wait()
        return found


async def settled() -> None:
    for _ in range(9):
        await asyncio.sleep(0)


async def test_what_was_recorded_before_somebody_asks_is_told_although_a_reading_began_before(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(accounts, "_ANEW_SECONDS", 0.0)
    known = SlowlyRead()
    before = asyncio.create_task(known.anew(TENANT))
    await settled()
    known.recorded = "second"
    after = [asyncio.create_task(known.anew(TENANT)) for _ in range(20)]
    await settled()
    known.readings[0].set()
    told: list[object] = [await before]
    await settled()
    known.readings[1].set()
    assert [*told, *await asyncio.gather(*after)] == ["first", *["second"] * 20]
    assert len(known.readings) == 2, "all who ask meanwhile share one"


async def test_what_is_kept_is_as_old_as_its_reading_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(accounts, "_FRESH_SECONDS", 0.05)
    monkeypatch.setattr(accounts, "_ANEW_SECONDS", 0.05)
    known = SlowlyRead()
    reading = asyncio.create_task(known.of(TENANT))
    await settled()
    known.recorded = "second"
    await asyncio.sleep(0.06)
    known.readings[0].set()
    told: list[object] = [await reading]
    again = asyncio.create_task(known.of(TENANT))
    await settled()
    assert len(known.readings) == 2
    known.readings[1].set()
    assert [*told, await again] == ["first", "second"]
