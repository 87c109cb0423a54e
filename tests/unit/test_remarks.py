"""Notes and tags of an order: what is recorded, what is not, and what stands afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.facts import Sealed
from ledger.nouns.orders import NoteAdded, TagsChanged, TooManyTags, add_note, change_tags
from ledger.nouns.orders.remarks import MOST_TAGS, Remarks, remarked, with_tags
from tests.support.scenario import HOUR, NOON, ORDER, a_shop, line

NOTE = NoteAdded(ORDER, Sealed("key-1", b"box"), "digest-1", "mia", NOON)


def tags(hours: int = 0, **more: Any) -> TagsChanged:
    return TagsChanged(ORDER, "mia", NOON + hours * HOUR, **more)


def after(remarks: Remarks, *changes: TagsChanged) -> Remarks:
    for change in changes:
        for fact in change_tags(remarks, change):
            remarks = remarked(remarks, fact)
    return remarks


def test_a_note_is_kept_with_who_wrote_it():
    assert add_note(Remarks(), NOTE) == [NOTE]
    assert remarked(Remarks(), NOTE).notes == (NOTE,)


def test_the_same_note_again_records_nothing_and_another_person_or_time_is_another_note():
    written = remarked(Remarks(), NOTE)
    again = NoteAdded(ORDER, Sealed("key-2", b"other box"), "digest-1", "mia", NOON)
    assert add_note(written, again) == []
    for other in (
        NoteAdded(ORDER, NOTE.note, "digest-2", "mia", NOON),
        NoteAdded(ORDER, NOTE.note, "digest-1", "tom", NOON),
        NoteAdded(ORDER, NOTE.note, "digest-1", "mia", NOON + HOUR),
    ):
        assert add_note(written, other) == [other]


def test_tags_come_and_go():
    assert after(Remarks(), tags(added=("vip", "gift"))).tags == ("gift", "vip")
    assert after(Remarks(), tags(added=("vip", "gift")), tags(1, added=("slow",), removed=("vip",))).tags == (
        "gift",
        "slow",
    )


def test_only_what_is_news_of_a_tag_is_recorded():
    tagged = after(Remarks(), tags(added=("vip",)))
    assert change_tags(tagged, tags(1, added=("vip",))) == []
    assert change_tags(tagged, tags(1, removed=("gift",))) == []
    assert change_tags(tagged, tags(1, added=("vip", "gift"), removed=("slow",))) == [tags(1, added=("gift",))]


def test_an_older_word_of_a_tag_moves_nothing():
    tagged = after(Remarks(), tags(2, added=("vip",)))
    assert change_tags(tagged, tags(1, removed=("vip",))) == []
    gone = after(tagged, tags(3, removed=("vip",)))
    assert change_tags(gone, tags(2, added=("vip",))) == []
    assert after(gone, tags(3, added=("vip",))).tags == ("vip",), "of the same time the later told counts"


def test_an_order_has_at_most_100_tags():
    full = with_tags([f"tag {n}" for n in range(MOST_TAGS)], NOON)
    with pytest.raises(TooManyTags, match="would have 101 tags, 100 at most"):
        change_tags(full, tags(added=("one more",)))
    assert len(after(full, tags(added=("one more",), removed=("tag 0",))).tags) == MOST_TAGS


def test_a_shop_sends_tags_with_its_order():
    scenario = a_shop()
    scenario.place(line(1, "tea", 1), tags=("vip",))
    assert scenario.order().remarks.tags == ("vip",)


_TAG = st.sampled_from(["a", "b"])
_CHANGE = st.tuples(st.integers(0, 5), _TAG, st.booleans())


@given(st.lists(_CHANGE, max_size=8))
def test_told_twice_changes_nothing_more(changes: list[tuple[int, str, bool]]):
    told = [
        TagsChanged(ORDER, "mia", NOON + timedelta(hours=hours), **{"added" if there else "removed": (tag,)})
        for hours, tag, there in changes
    ]
    last = told[-1:]
    once = after(Remarks(), *told)
    assert after(once, *last) == once
