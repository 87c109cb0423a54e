"""What people put down beside an order: notes for the next one who looks, and tags to find it by (DOMAIN 1).

Neither moves a unit, a clock or money. A tag is as the newest news of it says, by its own time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import assert_never

from msgspec.structs import replace

from ledger.facts import Fact, Sealed, Value, may_be_same
from ledger.refusals import Forbidden

MOST_TAGS = 100

# --- facts ----------------------------------------------------------------------------------------


class NoteAdded(Fact, frozen=True, tag="order.note_added"):
    """Somebody wrote down what the next one should know; it is sealed for the order's customer."""

    order_id: str
    note: Sealed
    note_digest: str
    """Keyed hash of the note: the same again is recognised without its content."""
    by: str
    at: datetime


class TagsChanged(Fact, frozen=True, tag="order.tags_changed"):
    """Words to find the order by came or went."""

    order_id: str
    by: str
    at: datetime
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


RemarkFact = NoteAdded | TagsChanged

# --- state ----------------------------------------------------------------------------------------


class TagState(Value, frozen=True):
    """Whether a tag stands, and since when it does or does not."""

    stands: bool
    since: datetime


class Remarks(Value, frozen=True):
    """The notes and tags of an order."""

    notes: tuple[NoteAdded, ...] = ()
    """As they were recorded."""
    known_tags: Mapping[str, TagState] = {}
    """Those that were removed as well."""

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(sorted(tag for tag, state in self.known_tags.items() if state.stands))


def with_tags(tags: Sequence[str], at: datetime) -> Remarks:
    """What an order has that came with tags."""
    return Remarks(known_tags={tag: TagState(True, at) for tag in tags})


def remarked(remarks: Remarks, fact: RemarkFact) -> Remarks:
    match fact:
        case NoteAdded():
            return replace(remarks, notes=(*remarks.notes, fact))
        case TagsChanged(added=added, removed=removed, at=at):
            came, went = dict.fromkeys(added, TagState(True, at)), dict.fromkeys(removed, TagState(False, at))
            return replace(remarks, known_tags={**remarks.known_tags, **came, **went})
        case _:
            assert_never(fact)


# --- refusals -------------------------------------------------------------------------------------


class TooManyTags(Forbidden, reason="TOO_MANY_TAGS"):
    says = "order {order_id} would have {tags} tags, {most} at most"
    order_id: str
    tags: int
    most: int


# --- decisions ------------------------------------------------------------------------------------


def add_note(remarks: Remarks, note: NoteAdded, erased: bool = False) -> Sequence[RemarkFact]:
    """Write it down. The same note of the same person and time again records nothing."""
    same = (each.note_digest for each in remarks.notes if (each.by, each.at) == (note.by, note.at))
    return [] if any(may_be_same(digest, note.note_digest, erased) for digest in same) else [note]


def change_tags(remarks: Remarks, change: TagsChanged) -> Sequence[RemarkFact]:
    """Tags come and go. What is so already records nothing, nor does what is older than the newest news of a tag."""
    added = tuple(tag for tag in change.added if _is_news(remarks, tag, True, change.at))
    removed = tuple(tag for tag in change.removed if _is_news(remarks, tag, False, change.at))
    count = len(remarks.tags) + len(added) - len(removed)
    if added and count > MOST_TAGS:
        raise TooManyTags(change.order_id, count, MOST_TAGS)
    return [replace(change, added=added, removed=removed)] if added or removed else []


def _is_news(remarks: Remarks, tag: str, stands: bool, at: datetime) -> bool:
    known = remarks.known_tags.get(tag)
    if known is None:
        return stands
    return known.stands is not stands and at >= known.since
