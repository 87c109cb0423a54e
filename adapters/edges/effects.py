"""What a foreign system is told, and what came of that."""

from __future__ import annotations

from datetime import datetime

import msgspec

from ledger.terms.effects import Effect


class TextTo(msgspec.Struct, frozen=True):
    """A text message in plain, which is kept nowhere."""

    phone: str
    """In E.164, such as ``+491701234567``."""
    text: str
    since: datetime
    """When it was asked for: what was sent before then was another."""


class Telling(msgspec.Struct, frozen=True):
    """Something that the system is to be told: how it is now, and how it was when the system was told last."""

    effect: Effect
    key: str
    """The same whenever this is tried again, and of nothing else: for systems that recognise a repetition by it."""
    before: Effect | None = None
    """Of the same kind, as it was told last; None the first time."""
    reference: str = ""
    """What the system called it then."""
    phone_end: str = ""
    """The last digits of the receiver's phone, for a number that its carrier does not show without."""
    text: TextTo | None = None
    """What a text message says, and to whom."""


class ToldNow(msgspec.Struct, frozen=True):
    """The system knows it, from now on or for long."""

    reference: str = ""
    """What it calls it, such as the id of its shipment: it is given back with what is told later of the same."""
    note: str = ""
    """What a person may want to know of it, such as that the shop has no such product; nothing that is personal."""
    wants_none: bool = False
    """Whether the gateway says that whoever has the number wants no text messages."""


class NotYet(Exception):
    """The system has taken it and works on it, or takes no more of its kind for now: it comes again in its turn."""


class NotDone(Exception):
    """The system will not do it however often it is asked: a person has to look.

    The text says what is wrong and what to do, with nothing that may be personal.
    """


class WantsNoMore(NotDone):
    """The system wants to be told nothing any more: its connection is paused until somebody has looked."""
