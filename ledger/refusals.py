"""Every way to say no.

    Refusal
    ├── Malformed            what was sent cannot be understood; carries the field's path
    ├── NotFound             it names something that is not in the ledger
    ├── AlreadyExists        the name is taken by something else
    ├── Forbidden            understood, but the present state does not allow it
    ├── OutOfRange           it asks for what is not there yet; the same call fails until it is
    ├── Exhausted            too much at once; the same call may succeed later
    └── Unavailable          the service cannot answer now; the same call may succeed later

A refusal carries a stable reason for programs, a sentence for people and the figures it is about. The
reason is stored for good: the class name in capitals, or what a renamed class says that it was
(``class TooMany(Forbidden, reason="OVER_ACCEPTED")``).

Those under Malformed, OutOfRange, Exhausted and Unavailable come from the edge and the engine and are
never recorded; the others come from decisions and are recorded as the command's outcome, so that
repeating the request gives the same refusal again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import ClassVar, TypeVar


class Refusal(Exception):
    """A no with a reason. ``details`` are the figures for programs, as strings.

    Their keys are names such as ``left`` or ``amount_minor`` (AIP-193: a small letter, then letters, digits, hyphens
    and underscores, 64 at most). Each holds one figure: an amount of money is ``..._minor`` beside its ``currency``.
    """

    reason: str = ""
    by_reason: ClassVar[dict[str, type[Refusal]]] = {}

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = {key: str(value) for key, value in details.items()}

    def __init_subclass__(cls, reason: str = "") -> None:
        cls.reason = reason or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).upper()
        cls.by_reason[cls.reason] = cls

    @classmethod
    def again(cls, reason: str, message: str, details: dict[str, str], kind: str = "") -> Refusal:
        """The refusal that was recorded earlier, as it was; another version of the service may have had it alone.

        ``kind`` is the stored name of what it is, which tells the status of one that is not known here; those that
        were stored without it are taken for the commonest.
        """
        known = cls.by_reason.get(reason) or STORED_KINDS.get(kind, Forbidden)
        refusal = known.__new__(known)
        refusal.reason = reason
        Exception.__init__(refusal, message)
        refusal.message = message
        refusal.details = dict(details)
        return refusal


def numbered(rows: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """The figures of several things, each under a key of its own: ``sku_1``, ``asked_1``, ``sku_2``, ``asked_2``."""
    return {f"{key}_{number}": value for number, row in enumerate(rows, 1) for key, value in row.items()}


class Shown(Exception):
    """An error of ours whose message names only facts, streams and types, so that everybody may read it."""


E = TypeVar("E", bound=BaseException)


def without_frames(error: E) -> E:
    """The error apart from the frames that it came through.

    They hold what a caller sent, and often the error itself: a circle that only a full collection of garbage frees.
    """
    linked: list[BaseException] = [error]
    while linked:
        each = linked.pop()
        linked += [other for other in (each.__cause__, each.__context__) if other is not None]
        each.__traceback__ = each.__cause__ = each.__context__ = None
    return error


class Malformed(Refusal):
    """Not understood: faults, each the path of a field, such as ``lines[2].quantity``, and what is wrong with it."""

    def __init__(self, *faults: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {message}" for field, message in faults), field=faults[0][0])
        self.faults = faults

    def within(self, path: str) -> Malformed:
        """The same of a message that is itself a field of another."""
        return Malformed(*((f"{path}.{field}", message) for field, message in self.faults))


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
"""What decisions say no with, under the names that are stored with it."""


def kind_of(refusal: type[Refusal]) -> str:
    """The stored name of its kind; empty if it is never recorded."""
    return next((name for name, kind in STORED_KINDS.items() if issubclass(refusal, kind)), "")


class Exhausted(Refusal):
    pass


class Unavailable(Refusal):
    pass


# --- the engine's own ---------------------------------------------------------------------------


class RequestReused(AlreadyExists):
    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"request {request_id} was used before with other content; use a new request_id",
            request_id=request_id,
        )


class ChangedMeanwhile(Forbidden):
    """Two people change the same terms: the second one is told what it has not seen."""

    def __init__(self, what: str, seen: int, versions: int) -> None:
        super().__init__(
            f"{what} changed since it was read: {seen} versions were seen, there are {versions}; read it again",
            seen=seen,
            versions=versions,
        )


def require_seen(what: str, seen: int | None, versions: int) -> None:
    """Whoever says how many versions it saw must have seen all of them."""
    if seen is not None and seen != versions:
        raise ChangedMeanwhile(what, seen, versions)


class UnknownTenant(NotFound):
    def __init__(self, tenant: str) -> None:
        super().__init__(f"there is no tenant {tenant}; create it with AdminService.CreateTenant", tenant=tenant)


class QueueFull(Exhausted):
    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} commands are waiting already; try again in a moment", waiting=waiting)


class DeadlinePassed(Exhausted):
    """The caller's deadline passed before the command was decided; nothing was recorded."""

    def __init__(self) -> None:
        super().__init__("the deadline passed before the command was decided; nothing was recorded")


class StorageUnavailable(Unavailable):
    def __init__(self, why: str) -> None:
        super().__init__(f"the database does not answer ({why}); repeat the request with the same request_id")


class ShuttingDown(Unavailable):
    def __init__(self) -> None:
        super().__init__("the service is shutting down; repeat the request with the same request_id")


class BeyondTheLog(OutOfRange):
    def __init__(self, at_least: int, head: int) -> None:
        super().__init__(
            f"position {at_least} lies beyond the log, whose newest is {head}", at_least=at_least, head=head
        )


class ProjectionBehind(Unavailable):
    def __init__(self, name: str, at_least: int, position: int) -> None:
        super().__init__(
            f"projection {name} stands at {position} and is asked for {at_least}; try again in a moment",
            name=name,
            at_least=at_least,
            position=position,
        )


class EvidenceNotKept(Unavailable):
    """A fact never names bytes that are not there; the case was unknown when they came."""

    def __init__(self, case_id: str) -> None:
        super().__init__(
            f"case {case_id} was opened only a moment ago; repeat the request with the same request_id",
            case_id=case_id,
        )


class EvidenceErased(NotFound):
    def __init__(self, sha256: str) -> None:
        super().__init__(f"evidence {sha256} is gone: its person was erased", sha256=sha256)


class UnknownProjection(NotFound):
    def __init__(self, name: str) -> None:
        super().__init__(f"there is no projection {name}; AdminService.GetStatus lists them", name=name)


class UnknownPerson(NotFound):
    def __init__(self) -> None:
        super().__init__("nothing of this person is held, or it was erased already")
