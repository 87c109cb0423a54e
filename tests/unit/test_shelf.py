"""How many folded streams stay in memory: by number for each tenant, by bytes for the whole process."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger.engine.registry import Registry
from ledger.engine.shelf import Memory, Shelf
from ledger.facts import Fact
from ledger.nouns import NOUNS
from ledger.nouns.stock import ReservationCommitted, StockReserved
from ledger.view import Entry


def fill(shelf: Shelf, *names: str, stored_bytes: int = 0) -> None:
    for name in names:
        shelf.put(name, Entry(1, name, stored_bytes))
    shelf.trim()


def there(shelf: Shelf, names: str) -> str:
    return "".join(name for name in names if name in shelf)


def test_streams_used_longest_ago_go_first():
    shelf = Shelf(3)
    fill(shelf, *"abc")
    shelf.use("a")
    fill(shelf, "d")
    assert there(shelf, "abcd") == "acd"


def test_a_large_stream_takes_the_place_of_many():
    shelf = Shelf(100, Memory(10_000))
    fill(shelf, *"abcde")
    fill(shelf, "f", stored_bytes=2_000)
    assert there(shelf, "abcdef") == "def"
    assert shelf.memory_bytes == 10_000


def test_one_that_is_larger_than_all_room_does_not_stay():
    shelf = Shelf(100, Memory(10_000))
    fill(shelf, "a", stored_bytes=1_000_000)
    assert (there(shelf, "a"), shelf.memory_bytes) == ("", 0)
    fill(shelf, "b")
    assert there(shelf, "b") == "b"


def test_the_shelf_used_longest_ago_makes_room_for_another():
    memory = Memory(4_000)
    idle, busy = Shelf(100, memory), Shelf(100, memory)
    fill(idle, *"abc")
    fill(busy, "d")
    fill(busy, "e")
    assert (there(idle, "abc"), there(busy, "de")) == ("bc", "de")
    fill(idle, "f")
    assert (there(idle, "bcf"), there(busy, "de")) == ("bcf", "e")


def test_a_shelf_on_which_somebody_relies_gives_nothing_away():
    memory = Memory(3_000)
    deciding, other = Shelf(100, memory), Shelf(100, memory)
    fill(deciding, *"abc")
    deciding.is_busy = True
    fill(other, "d")
    assert (there(deciding, "abc"), there(other, "d")) == ("abc", "")
    deciding.is_busy = False
    fill(other, "d")
    assert (there(deciding, "abc"), there(other, "d")) == ("bc", "d")


def test_what_is_replaced_or_taken_away_is_counted_once():
    memory = Memory(10_000)
    shelf, other = Shelf(100, memory), Shelf(100, memory)
    for stored_bytes in (1_000, 2_000, 500):
        fill(shelf, "a", stored_bytes=stored_bytes)
    assert shelf.memory_bytes == 1_000 + 1_750
    shelf.pop("a")
    shelf.pop("a")
    shelf.trim()
    assert shelf.memory_bytes == 0
    fill(other, *"bcdefghijk")
    assert len(other) == 10


@pytest.mark.parametrize("committed", [False, True])
def test_what_is_counted_of_reservations_is_between_once_and_twice_of_what_they_take(committed: bool):
    """Too little would fill the machine, too much would read again and again what there is room for."""
    registry, at = Registry(NOUNS), datetime(2026, 3, 2, tzinfo=UTC)
    facts: list[Fact] = []
    for number in range(3_000):
        about: dict[str, Any] = {"supplier_id": "acme", "sku": "tea", "reservation_id": f"shop/{number}"}
        facts.append(StockReserved(**about, units=1, expires_at=at + timedelta(hours=number), at=at))
        if committed:
            facts.append(ReservationCommitted(**about, at=at + timedelta(minutes=number)))
    rows = [("stock-acme/tea", n, each.fact_name(), registry.encode(each)) for n, each in enumerate(facts, 1)]
    tracemalloc.start()
    folded = registry.fold_rows(["stock-acme/tea"], rows)
    takes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    shelf = Shelf(10)
    shelf.update(folded)
    assert takes < shelf.memory_bytes < 2 * takes


def test_memory_without_a_limit_of_its_own_has_that_of_the_process(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Memory, "most_bytes_of_each", 3_000)
    shelf = Shelf(100, Memory())
    fill(shelf, *"abcde")
    assert (len(shelf), shelf.memory_bytes) == (3, 3_000)
    monkeypatch.setattr(Memory, "most_bytes_of_each", 2_000)
    shelf.trim()
    assert len(shelf) == 2
