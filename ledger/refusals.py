"""Refusals: every reason for which the ledger declines a request.

    Refusal
    ├── Unauthenticated      nobody knows who asks
    ├── Denied               whoever asks may not do this at all
    ├── Malformed            what was sent cannot be understood; carries the field's path
    ├── NotFound             it names something that is not in the ledger
    ├── AlreadyExists        the name is taken by something else
    ├── Forbidden            understood, but the present state does not allow it
    ├── OutOfRange           it asks for what does not exist yet; the same call fails until it does
    ├── Exhausted            too much at once; the same call may succeed later
    └── Unavailable          the service cannot answer now; the same call may succeed later

A refusal is data: fields, one sentence that uses them, and the stable reason under which it is stored:

    class OverReceived(Forbidden, reason="OVER_RECEIVED"):
        says = "{received} of line {line_no} received, {labelled} have a label"
        line_no: int
        received: int
        labelled: int

It is constructed and read like a dataclass, ``OverReceived(1, received=3, labelled=2).received``. The sentence is for
people; programs get the reason and, in ``details``, the fields. There an amount of money is ``..._minor`` with its
``currency``, an instant is written in full, and several words are separated by commas.

The reason is written out although it is usually the class's name in capitals: it is stored for good, so the class can
be renamed freely, and searching the code for a reason finds its class.

Those under Unauthenticated, Denied, Malformed, OutOfRange, Exhausted and Unavailable come from the edge and the engine
and are never recorded; the others come from decisions and are recorded as the command's outcome, so that
repeating the request gives the same refusal again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from datetime import datetime
from typing import Any, ClassVar, TypeVar, dataclass_transform

from ledger.facts import to_minute


def sentence_only(**more: Any) -> Any:
    """A field that appears in the sentence only, not among the figures for programs."""
    return field(metadata={"sentence_only": True}, **more)


@dataclass_transform(field_specifiers=(sentence_only,))
@dataclass(eq=False, repr=False)
class Refusal(Exception):
    """The answer no, with a stable reason. ``details`` are the figures for programs, as strings.

    Their keys are names such as ``left`` or ``amount_minor`` (AIP-193: a small letter, then letters, digits, hyphens
    and underscores, 64 at most). Each holds one figure.
    """

    reason = ""
    says = ""
    """The sentence, with the fields in braces. It is no class argument, because most fill a line of their own."""
    by_reason: ClassVar[dict[str, type[Refusal]]] = {}
    fields: ClassVar[Sequence[Field[Any]]] = ()

    def __init_subclass__(cls, reason: str = "") -> None:
        if "says" in vars(cls) and not reason:
            raise TypeError(f"{cls.__name__} is stored under a reason: class {cls.__name__}(..., reason=...)")
        cls.fields = fields(dataclass(eq=False, repr=False)(cls))
        if reason:
            cls.reason = reason
            cls.by_reason[reason] = cls

    def __post_init__(self) -> None:
        self.message = self.sentence()
        self.details = {key: _text(value, datetime.isoformat) for key, value in self.figures().items()}
        super().__init__(self.message)

    def sentence(self) -> str:
        """What people read."""
        return self.says.format_map({each.name: _text(getattr(self, each.name), to_minute) for each in self.fields})

    def figures(self) -> Mapping[str, object]:
        """What programs read; the currency of amounts comes last."""
        figures: dict[str, object] = {}
        currency: dict[str, object] = {}
        for each in self.fields:
            value = getattr(self, each.name)
            if hasattr(value, "amount_minor"):
                figures[f"{each.name}_minor"] = value.amount_minor
                currency["currency"] = value.currency
            elif not each.metadata:
                figures[each.name] = value
        return figures | currency

    @classmethod
    def restored(cls, reason: str, message: str, details: dict[str, str], kind: str = "") -> Refusal:
        """A refusal as it was recorded, maybe by another version of the service whose reason is unknown here.

        It has no fields. ``kind`` is its stored kind, which gives the status where the reason is unknown; refusals
        that were stored without a kind count as Forbidden, the most common one.
        """
        known = cls.by_reason.get(reason) or STORED_KINDS.get(kind, Forbidden)
        refusal = known.__new__(known)
        refusal.reason = reason
        Exception.__init__(refusal, message)
        refusal.message = message
        refusal.details = dict(details)
        return refusal


def _text(value: object, instant: Callable[[datetime], str]) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return instant(value)
        case list() | tuple():
            return ", ".join(map(str, value))
        case _:
            return str(value)


def numbered(rows: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """The figures of several things, each under a key of its own: ``sku_1``, ``asked_1``, ``sku_2``, ``asked_2``."""
    return {f"{key}_{number}": value for number, row in enumerate(rows, 1) for key, value in row.items()}


class Shown(Exception):
    """An error of ours whose message names only facts, streams and types, so that anybody may read it."""


E = TypeVar("E", bound=BaseException)


def without_frames(error: E) -> E:
    """The error without its traceback and causes.

    Their frames hold what a caller sent, and often the error itself: a cycle that only a full garbage collection frees.
    """
    linked: list[BaseException] = [error]
    while linked:
        each = linked.pop()
        linked += [other for other in (each.__cause__, each.__context__) if other is not None]
        each.__traceback__ = each.__cause__ = each.__context__ = None
    return error


class Malformed(Refusal, reason="MALFORMED"):
    """Not understood: faults, each the path of a field, such as ``lines[2].quantity``, and what is wrong with it."""

    says = "{field}: {message}"
    faults: tuple[tuple[str, str], ...]

    def __init__(self, *faults: tuple[str, str]) -> None:
        self.faults = faults
        self.__post_init__()

    def sentence(self) -> str:
        return "; ".join(self.says.format(field=field, message=message) for field, message in self.faults)

    def figures(self) -> Mapping[str, object]:
        return {"field": self.faults[0][0]}

    def within(self, path: str) -> Malformed:
        """The same faults, for a message that is a field of another."""
        return Malformed(*((f"{path}.{field}", message) for field, message in self.faults))


class Unauthenticated(Refusal):
    pass


class Denied(Refusal):
    pass


class NotFound(Refusal):
    pass


class AlreadyExists(Refusal):
    pass


class Forbidden(Refusal):
    pass


class OutOfRange(Refusal):
    pass


STORED_KINDS: dict[str, type[Refusal]] = {
    "not_found": NotFound,
    "already_exists": AlreadyExists,
    "forbidden": Forbidden,
}
"""The kinds of refusal that decisions raise, by the names under which they are stored."""


def kind_of(refusal: type[Refusal]) -> str:
    """The stored name of a refusal's kind; empty if it is never recorded."""
    return next((name for name, kind in STORED_KINDS.items() if issubclass(refusal, kind)), "")


class Exhausted(Refusal):
    pass


class Unavailable(Refusal):
    pass


# --- of access -----------------------------------------------------------------------------------


class BadCredentials(Unauthenticated, reason="CREDENTIALS"):
    """No token, or one that is malformed, unknown, expired or revoked: the answer does not tell which."""

    says = (
        "this call has no valid credentials; send the token of a client that is neither expired nor revoked as the "
        "metadata authorization: Bearer TOKEN"
    )


class NotAllowed(Denied, reason="NOT_ALLOWED"):
    """Its role does not name the RPC; or what it asks for would show personal data, and it has no right to that."""

    says = "the role {role} may not call {rpc}; ask for a client of a role that may"
    role: str
    rpc: str
    lacks: str = "role"

    def sentence(self) -> str:
        if self.lacks == "role":
            return super().sentence()
        return (
            f"{self.rpc} would show personal data, which this client has no right to; ask without it, or for a client "
            "that is registered with --personal"
        )


# --- the engine's own ---------------------------------------------------------------------------


class RequestReused(AlreadyExists, reason="REQUEST_REUSED"):
    says = "request {request_id} was used before with other content; use a new request_id"
    request_id: str


class ChangedMeanwhile(Forbidden, reason="CHANGED_MEANWHILE"):
    """Two people changed the same terms, and the second had not seen the first one's change."""

    says = "{what} changed since it was read: {seen} versions were seen, there are {versions}; read it again"
    what: str = sentence_only()
    seen: int
    versions: int


def require_seen(what: str, seen: int | None, versions: int) -> None:
    """Refuses if the caller saw another number of versions than there are; None skips the check."""
    if seen is not None and seen != versions:
        raise ChangedMeanwhile(what, seen, versions)


class UnknownTenant(NotFound, reason="UNKNOWN_TENANT"):
    """Also one that exists and is not granted to the caller: the answer does not tell which."""

    says = (
        "there is no tenant {tenant} that you may use; create it with AdminService.CreateTenant, or have it granted "
        "to your client"
    )
    tenant: str


class TooManyTenants(Forbidden, reason="TOO_MANY_TENANTS"):
    says = "there are {most} tenants, which is the most that one database takes; make {tenant} on another one"
    tenant: str
    most: int


class NotTheOwner(Forbidden, reason="NOT_THE_OWNER"):
    """The service runs as a role of the database that may make no schema."""

    says = (
        "the role of the database that runs the service may not make {tenant}; as the role that owns the tables run: "
        "python server.py migrate --dsn OWNER --grant ROLE --tenant {tenant}"
    )
    tenant: str


class QueueFull(Exhausted, reason="QUEUE_FULL"):
    says = "{waiting} commands are waiting already; try again in a moment"
    waiting: int


class RateLimited(Exhausted, reason="RATE_LIMITED"):
    """More than one client may ask for: calls a second; calls, bytes or streams at once. Or more bytes than all may."""

    says = "there may be {limit} {what} at most; try again in {retry_milliseconds} ms"
    what: str
    limit: int
    retry_milliseconds: int


class DeadlinePassed(Exhausted, reason="DEADLINE_PASSED"):
    """The caller's deadline passed before the command was decided; nothing was recorded."""

    says = "the deadline passed before the command was decided; nothing was recorded"


class StorageUnavailable(Unavailable, reason="STORAGE_UNAVAILABLE"):
    says = "the database does not answer ({why}); repeat the request with the same request_id"
    why: str = sentence_only()
    newer_fact: str = sentence_only(default="")

    def sentence(self) -> str:
        if not self.newer_fact:
            return super().sentence()
        return (
            f"{self.newer_fact} is a fact of a newer version of the service, which this process does not know and "
            "another one does; repeat the request with the same request_id, and end the processes of the old version"
        )


class ShuttingDown(Unavailable, reason="SHUTTING_DOWN"):
    says = "the service is shutting down; repeat the request with the same request_id"


class BeyondTheLog(OutOfRange, reason="BEYOND_THE_LOG"):
    says = "position {at_least} lies beyond the log, whose newest is {head}"
    at_least: int
    head: int


class ProjectionBehind(Unavailable, reason="PROJECTION_BEHIND"):
    says = "projection {name} stands at {position} and is asked for {at_least}; try again in a moment"
    name: str
    at_least: int
    position: int


class EvidenceNotKept(Unavailable, reason="EVIDENCE_NOT_KEPT"):
    """The bytes were not kept, because the case was unknown when they came, and no fact may name missing bytes."""

    says = "case {case_id} was opened only a moment ago; repeat the request with the same request_id"
    case_id: str


class EvidenceErased(NotFound, reason="EVIDENCE_ERASED"):
    says = "evidence {sha256} is gone: its person was erased"
    sha256: str


class UnknownProjection(NotFound, reason="UNKNOWN_PROJECTION"):
    says = "there is no projection {name}; AdminService.GetStatus lists them"
    name: str


class UnknownPerson(NotFound, reason="UNKNOWN_PERSON"):
    says = "nothing of this person is held, or it was erased already"
