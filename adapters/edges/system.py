"""The one interface of a foreign system, such as a shop or a tracking service.

An adapter says how its deliveries are proven, what they mean in commands of the contract, and how the system is asked
for what it has changed. How that is kept, put in order, tried again and seen is the machinery's, and the same for all.
Foreign names stop here: nothing else imports an adapter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

import msgspec
from google.protobuf.message import Message

from adapters.edges.http import Http, Limit
from fulfilment.v1 import orders_pb2, parcels_pb2
from ledger.terms.effects import Effect, EffectKind

# --- what comes in --------------------------------------------------------------------------------


class Delivery(msgspec.Struct, frozen=True):
    """A request of the system to us, before anything of it is believed."""

    headers: Mapping[str, str]
    """Names in small letters; of a header that comes twice the first."""
    raw: bytes
    """The body as it was signed: unpacked if it came compressed, and never longer than the edge allows."""
    url: str
    """The address that the system called, as a signature over it needs it."""


class Account(msgspec.Struct, frozen=True):
    """What is agreed with the system: one connection of one retailer."""

    name: str
    """Of the connection."""
    settings: Mapping[str, str]
    """What its system wants to know, checked when it was added; without those that were left out."""
    secrets: tuple[Mapping[str, str], ...]
    """By name, the newest first: after a rotation the ones of before are valid as well. Requests use the newest."""

    @property
    def channel(self) -> str:
        """Under which channel orders of a shop are placed."""
        return self.settings.get("channel") or self.name

    def secret(self, name: str) -> str:
        """The newest of this name; empty if there is none."""
        return next((each[name] for each in self.secrets if each.get(name)), "")

    def every(self, name: str) -> list[str]:
        """All that are valid of this name, the newest first."""
        return [each[name] for each in self.secrets if each.get(name)]


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


# --- what it means --------------------------------------------------------------------------------


class Unlooked(Exception):
    """What the ledger knows of this was not read yet; the machinery reads it and asks again."""

    def __init__(self, kind: str, object_id: str) -> None:
        super().__init__(f"{kind} {object_id}")
        self.kind = kind
        self.object_id = object_id


class KnownNow:
    """What is known now: by the ledger, as messages of the contract without personal data, and of what was told before.

    In a test: ``KnownNow({"order shop/1": Order(...), "before ": b"..."}, complete=True)``.
    """

    def __init__(self, found: Mapping[str, Message | bytes | None], *, complete: bool = False) -> None:
        """What was not found is None. If the rest is complete, what is not listed is not known either."""
        self._found = found
        self._complete = complete

    def order(self, order_id: str) -> orders_pb2.Order | None:
        """By "channel/channel_order_id"; None if it was not placed."""
        found = self._look("order", order_id)
        assert found is None or isinstance(found, orders_pb2.Order)
        return found

    def parcel(self, carrier: str, tracking_number: str) -> parcels_pb2.Parcel | None:
        """By carrier and number, in any of their spellings; None if nobody told of it."""
        found = self._look("parcel", f"{carrier}/{tracking_number}")
        assert found is None or isinstance(found, parcels_pb2.Parcel)
        return found

    def before(self) -> bytes | None:
        """What was told of the same object before and was worked on, where that tells the whole state.

        None if it is not kept any more. What differs was changed; personal data of before is known here alone.
        """
        found = self._look("before", "")
        assert found is None or isinstance(found, bytes)
        return found

    def told(self, order_id: str) -> frozenset[str]:
        """What the system itself calls what it was told of an order: when it tells of that, it is no news."""
        found = self._look("told", order_id)
        assert found is None or isinstance(found, bytes)
        return frozenset((found or b"").decode().split())

    def _look(self, kind: str, object_id: str) -> Message | bytes | None:
        key = f"{kind} {object_id}"
        if key not in self._found and not self._complete:
            raise Unlooked(kind, object_id)
        return self._found.get(key)


class WantedCommand(msgspec.Struct, frozen=True):
    """A command that a delivery asks for."""

    request: Message
    """A request of a command of the contract, without its context."""
    object_id: str
    """What it is about at its source, and in which respect, such as ``1001`` or ``1001/payment/7``."""
    version: str
    """Which state of that, such as its time of change: with it the request's id is SYSTEM/CONNECTION/object/version."""
    fine: frozenset[str] = frozenset()
    """Reasons of refusals that are as good as done, such as that it is cancelled already."""
    is_wish: bool = False
    """Whether it is not done at the system, which is to be told what becomes of it, such as of a buyer's wish."""


class Understood(msgspec.Struct, frozen=True):
    """What a delivery means: commands in their order, or why there are none."""

    wanted: tuple[WantedCommand, ...] = ()
    ignored: str = ""
    """Why it is of no concern to the ledger, if it is not."""
    early: str = ""
    """What it has to wait for, if it came too early, such as the order that it is about. It is asked again later."""
    asks: str = ""
    """Where it only says that something has changed: what the system is to be asked for, by the ledger's name of it."""
    unknown_words: tuple[str, ...] = ()
    """Words of the system that its adapter has no meaning for: they were kept as they came, and are counted."""
    look: str = ""
    """Why somebody has to look, once the commands are executed: what the ledger cannot do by itself."""
    due: datetime | None = None
    """By when, if that is said."""
    forgets: bool = False
    """Whether all is to be forgotten that came by this connection, which then ends: its orders' customers are erased,
    as soon as their orders are over and nothing holds them."""


class NotUnderstood(Exception):
    """A person has to look. The text says what is wrong, with names of fields, and nothing that may be personal."""


# --- what is asked for ----------------------------------------------------------------------------


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


# --- what it is told ------------------------------------------------------------------------------


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


class Check(msgspec.Struct, frozen=True):
    """One thing that ``fulfilment connection test`` looked at."""

    what: str
    """Such as "orders can be read"."""
    problem: str = ""
    """What is wrong and what to do; empty if it works."""


class Field(msgspec.Struct, frozen=True):
    """A setting or a secret that a connection has."""

    what: str
    """What it is, as a person reads it who has to give it."""
    required: bool = False


CHANNEL = Field("the channel that its orders are placed under; the connection's name if not said")
TOLD = Field("what it is told, with commas between them, or nothing; all that it can be told if not said")
SKUS = Field("whose stock it is told: all, or SKUs with commas between them; those that its orders named if not said")


def names(setting: str) -> list[str]:
    """What a setting names with commas between."""
    return [each.strip() for each in setting.split(",") if each.strip()]


class System(ABC):
    """A foreign system. An instance holds no state: it serves all connections of all retailers."""

    name: ClassVar[str]
    """In small letters, as people type it and as request ids begin."""
    what: ClassVar[str]
    """What it is, for a list to choose from."""
    role: ClassVar[str]
    """The role whose commands it may ask for: ``shop`` or ``carrier``."""
    beside: ClassVar[frozenset[str]] = frozenset()
    """Commands that it may ask for beside those of the role. A client that has the role may not."""
    even_paused: ClassVar[frozenset[str]] = frozenset()
    """Topics that are worked on although the connection is paused, because the law does not wait for it."""
    settings: ClassVar[Mapping[str, Field]] = {}
    secrets: ClassVar[Mapping[str, Field]] = {}
    """The first is the one that a file with a single line holds."""
    asks_every_seconds: ClassVar[float] = 300.0
    """How often it is asked for what has changed."""
    calls_per_second: ClassVar[float] = 2.0
    """How many requests the system takes from a connection."""
    calls_at_once: ClassVar[int] = 10
    limits: ClassVar[Mapping[str, Limit]] = {}
    """Of requests that the system counts apart from the others, by the name that they are made under."""
    asks_numbers: ClassVar[int] = 0
    """How many tracking numbers one question is about; 0 where it is asked for what has changed, or not at all."""
    effects: ClassVar[frozenset[EffectKind]] = frozenset()
    """What it can be told. A connection with the setting ``told`` is told what that names of these."""

    @property
    def all_settings(self) -> Mapping[str, Field]:
        """With those that are the same for all that are told something."""
        told = {"told": TOLD} if self.effects else {}
        skus = {"skus": SKUS} if EffectKind.STOCK in self.effects else {}
        return {**self.settings, **told, **skus}

    def checked(self, settings: Mapping[str, str]) -> Mapping[str, str]:
        """The settings in their usual spelling; raises ValueError with what is wrong."""
        return settings

    # --- in ---

    @abstractmethod
    def verify(self, delivery: Delivery, account: Account, now: datetime) -> Received | None:
        """What a delivery is, once it is proven over its raw bytes, in constant time, before anything is parsed.

        None where it is good and nothing is to be kept, such as a ping. Raises BadSignature, Stale, MalformedDelivery.
        """

    def answer(self, outcome: AtTheDoor) -> DoorAnswer:
        """What the system expects to read: 2xx ends it, 4xx stops repetitions, 5xx asks for them."""
        return USUAL_ANSWERS[outcome]

    @abstractmethod
    def understand(self, received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
        """What a delivery means. Pure: it is asked again after each look, and after a fix. Raises NotUnderstood."""

    # --- out ---

    async def check(self, http: Http, account: Account) -> list[Check]:
        """Asks the system whether the connection works."""
        return []

    async def changed_since(self, http: Http, account: Account, cursor: str) -> FetchedPage:
        """The next page of what has changed since the cursor, with an overlap; an empty one is the start.

        A system that cannot be asked leaves it as it is. Raises TryLater, SystemUnreachable, and NotUnderstood.
        """
        raise NotImplementedError

    async def fetch(self, http: Http, account: Account, received: Received, raw: bytes) -> tuple[Fetched, ...]:
        """What a delivery asks for that only says that something has changed; nothing if there is no such thing.

        Raises TryLater, SystemUnreachable, and NotUnderstood.
        """
        raise NotImplementedError

    def listens(self, account: Account) -> bool:
        """Whether what the system tells lies in a queue that is to be emptied."""
        return False

    async def receive(self, http: Http, account: Account) -> Queued:
        """Waits a while for what comes into the queue. Raises TryLater, SystemUnreachable, and NotUnderstood."""
        raise NotImplementedError

    async def took(self, http: Http, account: Account, queued: Queued) -> None:
        """All of it is kept for good: the queue may forget it. If that fails, it only comes again."""
        raise NotImplementedError

    def is_told(self, kind: EffectKind, account: Account) -> bool:
        """Whether this connection is told such things; a system adds what else has to be there, such as a key."""
        named = account.settings.get("told", "")
        return kind in self.effects and (not named or kind in names(named))

    async def carry_out(self, http: Http, account: Account, telling: Telling) -> ToldNow:
        """Tells the system one of its effects. It may be the second time: an answer may have been lost.

        What is as it is to be already is success. What is about one order, SKU or number comes one after the other.
        Raises TryLater and SystemUnreachable, after which it comes again, and NotDone or WantsNoMore.
        """
        raise NotImplementedError

    def is_asked(self, account: Account) -> bool:
        """Whether this connection can be asked at all, for what has changed or by number."""
        return type(self).changed_since is not System.changed_since

    def covers(self, carrier: str, account: Account) -> bool:
        """Whether this connection follows the numbers of a carrier, by our name of it."""
        return False

    async def asked(self, http: Http, account: Account, numbers: Sequence[Tracked]) -> FetchedPage:
        """What a system that is asked by number knows of these now. The page's cursor is not used.

        Raises TryLater, SystemUnreachable, and NotUnderstood where no number is answered, such as without a key.
        """
        raise NotImplementedError

    def pause_between_questions(self, account: Account) -> float:
        """Seconds, for a system that answers so many questions a day and no more."""
        return 0.0


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
