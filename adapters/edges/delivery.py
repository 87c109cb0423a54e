"""A delivery at the door: what a foreign system tells, how it is refused, and what the system gets to read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

import msgspec


class Delivery(msgspec.Struct, frozen=True):
    """A request of the system to us, before anything of it is believed."""

    headers: Mapping[str, str]
    """Names in small letters; of a header that comes twice the first."""
    raw: bytes
    """The body as it was signed: unpacked if it came compressed, and never longer than the edge allows."""
    url: str
    """The address that the system called, as a signature over it needs it."""


class Received(msgspec.Struct, frozen=True):
    """What the door reads of a delivery that is proven; the inbox keeps it beside the sealed body."""

    topic: str
    """The system's own word for what it tells, such as ``order.updated``."""
    object_id: str
    """What it is about, such as an order or a number: what is about one object is worked on one after the other."""
    source_id: str = ""
    """The system's own id of what happened, the same in a repetition; empty where it has none that is unique."""
    happened_at: datetime | None = None
    """By the system's own clock, which the order of work goes by; None where it does not say."""
    content: bytes = b""
    """What shows that the same comes again, where bytes may differ, as of a state that is told and is asked for."""
    whole: bool = False
    """Whether it tells the whole state of the object, so that an older one is not worked on after a newer one."""
    one_content: bool = False
    """Whether the source promises one content under its id: something else under it is seen, and not a repetition."""


class AtTheDoor(StrEnum):
    """What became of a delivery at the door."""

    KEPT = "kept"
    """It is in the inbox for good, or was before."""
    NOTHING = "nothing"
    """It is good and tells nothing that is kept, such as a ping."""
    BAD_SIGNATURE = "bad_signature"
    STALE = "stale"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    GONE = "gone"
    """There is no such connection any more: the system is to stop."""
    UNAVAILABLE = "unavailable"
    """It could not be kept now: the system is to repeat it."""


class DoorAnswer(msgspec.Struct, frozen=True):
    """What the system gets to read."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = {}


class Refused(Exception):
    """A delivery that is not kept; the text says what is wrong and holds nothing of its content."""

    outcome: ClassVar[AtTheDoor]
    answer: DoorAnswer | None = None
    """What the sender gets to read, where that is more than its system's answer to the outcome."""


class BadSignature(Refused):
    """Nobody who knows a secret of the connection has sent it."""

    outcome = AtTheDoor.BAD_SIGNATURE


class Stale(Refused):
    """It was signed too long ago, or in the future: somebody may have recorded and repeated it."""

    outcome = AtTheDoor.STALE


class MalformedDelivery(Refused):
    """It is proven, and not what this system sends."""

    outcome = AtTheDoor.MALFORMED


USUAL_ANSWERS: Mapping[AtTheDoor, DoorAnswer] = {
    AtTheDoor.KEPT: DoorAnswer(200, b"kept\n"),
    AtTheDoor.NOTHING: DoorAnswer(200, b"ok\n"),
    AtTheDoor.BAD_SIGNATURE: DoorAnswer(401, b"the signature is not of this connection's secret\n"),
    AtTheDoor.STALE: DoorAnswer(400, b"it was signed too long ago, or in the future\n"),
    AtTheDoor.MALFORMED: DoorAnswer(400, b"it is not what this connection's system sends\n"),
    AtTheDoor.TOO_LARGE: DoorAnswer(413, b"it is too large\n"),
    AtTheDoor.GONE: DoorAnswer(410, b"there is no such connection\n"),
    AtTheDoor.UNAVAILABLE: DoorAnswer(503, b"it cannot be kept now; send it again\n", headers={"retry-after": "30"}),
}
