"""What trackers have in common beside the interface of a system: numbers are registered, and asked for.

Both are requests to send and what their answers mean, so that they are tested without a network.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeVar
from urllib.parse import urlencode

import msgspec

from adapters.edges.agreement import Account, Check, Field
from adapters.edges.effects import NotDone, Telling, ToldNow
from adapters.edges.http import Http, Reply, SystemUnreachable
from adapters.edges.meaning import NotUnderstood
from adapters.edges.questions import Fetched, FetchedPage, Tracked
from adapters.edges.reading import decoded
from adapters.edges.system import System
from adapters.tracking import carriers
from ledger.terms.carriers import carrier_name
from ledger.terms.effects import EffectKind, FollowNumber

T = TypeVar("T")

_NO_KEY = (401, 402, 403)
"""It takes no question of this account, whatever it is about."""

API = Field("another address of its API, such as of a proxy or of a sandbox; its own if not said")
CARRIERS = Field("the carriers whose numbers it is told, with commas between them; all that it knows if not said")


class TrackerCall(msgspec.Struct, frozen=True):
    """A request to the system."""

    method: str
    url: str
    headers: Mapping[str, str]
    about: tuple[Tracked, ...] = ()
    content: bytes = b""


class Registration(msgspec.Struct, frozen=True):
    """What became of a number that was registered."""

    tracked: Tracked
    problem: str = ""
    """Why it is not followed, in the system's words or ours; empty if it is, also if it was before."""
    later: bool = False
    """Whether the same may work later, such as when a limit ends."""


class UnexpectedAnswer(NotUnderstood):
    """The system answered what it should not; the text says what is wrong, without the answer's content."""


class Tracker(System):
    """A system that follows numbers."""

    role: ClassVar[str] = "carrier"
    asks_numbers: ClassVar[int] = 1
    asks_every_seconds: ClassVar[float] = 21_600.0
    effects: ClassVar[frozenset[EffectKind]] = frozenset({EffectKind.FOLLOW})
    api: ClassVar[str] = ""
    """Where its API is."""
    key: ClassVar[str] = "api_key"
    """The secret that requests need."""

    def at(self, account: Account, path: str) -> str:
        """The address of something of its API."""
        return (account.settings.get("api", "").rstrip("/") or self.api) + path

    def is_asked(self, account: Account) -> bool:
        return bool(account.secret(self.key)) and (self.asks_numbers > 0 or super().is_asked(account))

    def covers(self, carrier: str, account: Account) -> bool:
        """Whether numbers of this carrier are registered here."""
        named = account.settings.get("carriers", "")
        if named.strip():
            return carrier in {carrier_name(each) for each in named.split(",") if each.strip()}
        return self.knows(carrier)

    def knows(self, carrier: str) -> bool:
        """Whether the system can follow the carrier's numbers."""
        return carriers.known(carrier) is not None

    def registering(self, tracked: Sequence[Tracked], account: Account) -> list[TrackerCall]:
        """Requests that make the system follow numbers; none where it needs no telling."""
        return []

    def registered(self, call: TrackerCall, reply: Reply) -> list[Registration]:
        """What became of each number of a request; "already registered" is success."""
        return [Registration(each) for each in call.about]

    @abstractmethod
    def asking(self, tracked: Sequence[Tracked], account: Account) -> list[TrackerCall]:
        """Requests for what the system knows of numbers now."""

    @abstractmethod
    def told(self, call: TrackerCall, reply: Reply) -> list[Fetched]:
        """What an answer tells, as if it had been delivered. Raises UnexpectedAnswer."""

    def is_told(self, kind: EffectKind, account: Account) -> bool:
        return super().is_told(kind, account) and bool(account.secret(self.key))

    async def carry_out(self, http: Http, account: Account, telling: Telling) -> ToldNow:
        """Makes the system follow a number; that it follows it already is success."""
        effect = telling.effect
        if not isinstance(effect, FollowNumber):
            raise NotDone(f"{self.name} can be told of numbers alone")
        tracked = Tracked(effect.carrier, effect.tracking_number, effect.country, telling.phone_end)
        for call in self.registering([tracked], account):
            for became in self.registered(call, await send(http, call)):
                if became.later:
                    raise SystemUnreachable(became.problem)
                if became.problem:
                    raise NotDone(became.problem)
        return ToldNow()

    async def asked(self, http: Http, account: Account, numbers: Sequence[Tracked]) -> FetchedPage:
        """A number that the system does not know, or answers oddly, keeps nobody from the others."""
        found: list[Fetched] = []
        problem = ""
        for call in self.asking(numbers, account):
            reply = await send(http, call)
            if reply.status in _NO_KEY or reply.status >= 500:
                raise UnexpectedAnswer(_problem_of(reply.status))
            try:
                found += self.told(call, reply)
            except UnexpectedAnswer as odd:
                problem = f"of {', '.join(each.object_id for each in call.about[:3])}: {odd}"
        return FetchedPage(tuple(found), "", problem=problem)

    def checking(self, account: Account) -> TrackerCall | None:
        """A request that costs nothing and needs the account; None if there is none."""
        return None

    async def check(self, http: Http, account: Account) -> list[Check]:
        if not self.is_asked(account) and self.asks_numbers:
            return [Check("numbers can be asked for", f"there is no {self.key}: what is not told is not noticed")]
        call = self.checking(account)
        if call is None:
            return []
        reply = await send(http, call)
        return [Check("numbers can be asked for", _problem_of(reply.status))]


async def send(http: Http, call: TrackerCall) -> Reply:
    return await http.request(call.method, call.url, headers=call.headers, content=call.content)


def post_json(url: str, content: object, headers: Mapping[str, str], about: Sequence[Tracked] = ()) -> TrackerCall:
    sent = {"content-type": "application/json", **headers}
    return TrackerCall("POST", url, sent, tuple(about), msgspec.json.encode(content))


def get(url: str, query: Mapping[str, str], headers: Mapping[str, str], about: Sequence[Tracked] = ()) -> TrackerCall:
    return TrackerCall("GET", f"{url}?{urlencode(query)}" if query else url, headers, tuple(about))


def parts(tracked: Sequence[Tracked], at_once: int) -> list[Sequence[Tracked]]:
    return [tracked[start : start + at_once] for start in range(0, len(tracked), at_once)]


def answered(reply: Reply) -> bool:
    return 200 <= reply.status < 300


def refused(call: TrackerCall, reply: Reply) -> list[Registration]:
    """All numbers of a request that was answered with no success."""
    later = reply.status >= 500 or reply.status in (*_NO_KEY, 408, 429)
    return [Registration(each, _problem_of(reply.status), later) for each in call.about]


def answer_of(reply: Reply, kind: type[T]) -> T | None:
    """The answer, whatever its status; None if it is not of this kind."""
    try:
        return decoded(reply.body, kind)
    except NotUnderstood:
        return None


def required_answer(reply: Reply, kind: type[T]) -> T:
    if not answered(reply):
        raise UnexpectedAnswer(_problem_of(reply.status))
    try:
        return decoded(reply.body, kind)
    except NotUnderstood as error:
        raise UnexpectedAnswer(f"the system's answer is not what it documents: {error}") from None


def _problem_of(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if status in (401, 403):
        return f"the system does not take the key (HTTP {status}): give the right one with fulfilment connection rotate"
    return f"the system answered with HTTP {status}"
