"""How many folded streams stay in memory: by number for each tenant, by bytes for the whole process."""

from __future__ import annotations

from ledger.engine.shelf import Memory, Shelf
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
