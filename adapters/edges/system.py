"""The one interface of a foreign system, such as a shop or a tracking service.

An adapter says how its deliveries are proven, what they mean in commands of the contract, and how the system is asked
for what it has changed. How that is kept, put in order, tried again and seen is the machinery's, and the same for all.
Foreign names stop here: nothing else imports an adapter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from adapters.edges.agreement import SKUS, TOLD, Account, Check, Field, names
from adapters.edges.delivery import USUAL_ANSWERS, AtTheDoor, Delivery, DoorAnswer, Received
from adapters.edges.effects import Telling, ToldNow
from adapters.edges.http import Http, Limit
from adapters.edges.meaning import KnownNow, Understood
from adapters.edges.questions import Fetched, FetchedPage, Queued, Tracked
from ledger.terms.effects import EffectKind


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
