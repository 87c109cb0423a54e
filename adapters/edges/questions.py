"""What a foreign system is asked for, and what it answers."""

from __future__ import annotations

import msgspec

from adapters.edges.delivery import Received


class Tracked(msgspec.Struct, frozen=True):
    """A number of a parcel that is followed."""

    carrier: str
    """Our name of it."""
    number: str
    country: str = ""
    """Of the destination, if it is known."""
    phone_end: str = ""
    """The last digits of the receiver's phone, which SF asks for; empty where they may not be told."""

    @property
    def object_id(self) -> str:
        return f"{self.carrier}/{self.number}"


class Fetched(msgspec.Struct, frozen=True):
    """Something that the system answered: it goes into the inbox as if it had been delivered."""

    received: Received
    raw: bytes


class Queued(msgspec.Struct, frozen=True):
    """What lay in a queue of the system."""

    found: tuple[Fetched, ...] = ()
    taken: tuple[str, ...] = ()
    """By which the queue knows what of it is kept now, or is to be forgotten."""


class FetchedPage(msgspec.Struct, frozen=True):
    """A page of what has changed."""

    found: tuple[Fetched, ...]
    cursor: str
    """Where to go on after this page, also after a restart."""
    done: bool = False
    """Whether there is nothing newer now."""
    problem: str = ""
    """What of the page could not be read, if something could not."""
