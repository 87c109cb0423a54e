"""Connections: which shops and tracking services a retailer is joined to, with which settings and secrets.

They are few, and one stream holds them all. Secrets are sealed, each rotation under a key of its own; removing a
connection destroys the keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from ledger.facts import Fact, Sealed, Value
from ledger.refusals import AlreadyExists, Forbidden, NotFound
from ledger.view import View, noun

MOST_VALID = 2
"""How many secrets are valid at a time: the newest, and the one of before until all senders use the newest."""


def stream() -> str:
    return "connections-retailer"


def find(view: View) -> Connections | None:
    found: Connections | None = view.state(stream())
    return found


def owner_of_keys(name: str) -> str:
    """Under whom the keys of a connection stand: its secrets, and what was received by it."""
    return f"connection-{name}"


def bound_to(name: str) -> str:
    """Where its secrets open."""
    return f"connection {name}"


# --- facts ----------------------------------------------------------------------------------------


class ConnectionAdded(Fact, frozen=True, tag="connection.added"):
    """From now on what the system tells is taken in. A name that was removed can be used again."""

    name: str
    system: str
    settings: dict[str, str]
    secret: Sealed
    box_key: Sealed
    """The key that what comes in is sealed under."""
    digest: str
    """Keyed hash of all that was asked for: the same again is recognised without the secret."""
    by: str
    at: datetime


class SecretRotated(Fact, frozen=True, tag="connection.secret_rotated"):
    """A further secret is valid, and the newest is used; of those of before only one stays."""

    name: str
    secret: Sealed
    digest: str
    by: str
    at: datetime


class ConnectionPaused(Fact, frozen=True, tag="connection.paused"):
    """What comes is kept and waits, and nothing is asked for."""

    name: str
    by: str
    at: datetime
    because: str = ""


class ConnectionResumed(Fact, frozen=True, tag="connection.resumed"):
    """It goes on with what has waited."""

    name: str
    by: str
    at: datetime


class ConnectionRemoved(Fact, frozen=True, tag="connection.removed"):
    """Nothing is taken in any more; its secrets and what was received cannot be read any more."""

    name: str
    by: str
    at: datetime


class StockToBeTold(Fact, frozen=True, tag="connection.stock_to_be_told"):
    """It is told all stock levels as they are now, not only those that change."""

    name: str
    by: str
    at: datetime


class OrdersToBeTold(Fact, frozen=True, tag="connection.orders_to_be_told"):
    """It is told again of all orders to which something happened since then, as they are now."""

    name: str
    since: datetime
    by: str
    at: datetime


ConnectionFact = (
    ConnectionAdded
    | SecretRotated
    | ConnectionPaused
    | ConnectionResumed
    | ConnectionRemoved
    | StockToBeTold
    | OrdersToBeTold
)

# --- state ----------------------------------------------------------------------------------------


class Connection(Value, frozen=True):
    """One connection as it is now."""

    added: ConnectionAdded
    secrets: tuple[Sealed, ...]
    """Those that are valid, the newest first."""
    digest: str
    """Of the newest secret as it was rotated; before that, of what was added."""
    paused: bool = False
    because: str = ""
    """Why it is paused, where that was said."""
    changed_by: str = ""
    changed_at: datetime | None = None
    """When it was last rotated, paused or resumed."""


class Connections(Value, frozen=True):
    """All that there are, by name."""

    by_name: Mapping[str, Connection] = {}


def evolve(connections: Connections | None, fact: ConnectionFact) -> Connections:
    known = dict(connections.by_name) if connections is not None else {}
    match fact:
        case ConnectionAdded():
            known[fact.name] = Connection(fact, (fact.secret,), fact.digest)
        case ConnectionRemoved():
            known.pop(fact.name, None)
        case StockToBeTold() | OrdersToBeTold():
            pass
        case _:
            known[fact.name] = replace(_changed(known[fact.name], fact), changed_by=fact.by, changed_at=fact.at)
    return Connections(known)


def _changed(connection: Connection, fact: SecretRotated | ConnectionPaused | ConnectionResumed) -> Connection:
    match fact:
        case SecretRotated():
            secrets = (fact.secret, *connection.secrets)[:MOST_VALID]
            return replace(connection, secrets=secrets, digest=fact.digest)
        case ConnectionPaused():
            return replace(connection, paused=True, because=fact.because)
        case ConnectionResumed():
            return replace(connection, paused=False, because="")


NOUN = noun("connections", ConnectionFact, evolve)

# --- refusals -------------------------------------------------------------------------------------


class UnknownConnection(NotFound, reason="UNKNOWN_CONNECTION"):
    says = "there is no connection {name}"
    name: str


class ConnectionExists(AlreadyExists, reason="CONNECTION_EXISTS"):
    says = "the connection {name} exists, with other settings; remove it first, or rotate its secret"
    name: str


class TooManyConnections(Forbidden, reason="TOO_MANY_CONNECTIONS"):
    says = "there are {most} connections already, which is the most; remove one first"
    most: int


MOST_CONNECTIONS = 200

# --- decisions ------------------------------------------------------------------------------------


def known(connections: Connections | None, name: str) -> Connection:
    found = connections.by_name.get(name) if connections is not None else None
    if found is None:
        raise UnknownConnection(name)
    return found


def add(connections: Connections | None, added: ConnectionAdded) -> Sequence[ConnectionFact]:
    """The same connection again records nothing."""
    there = connections.by_name if connections is not None else {}
    if (present := there.get(added.name)) is not None:
        if present.added.digest == added.digest:
            return []
        raise ConnectionExists(added.name)
    if len(there) >= MOST_CONNECTIONS:
        raise TooManyConnections(MOST_CONNECTIONS)
    return [added]


def rotate(connections: Connections | None, system: str, rotated: SecretRotated) -> Sequence[ConnectionFact]:
    """The same secret again records nothing. Another system's secrets are those of a connection that there is not."""
    present = known(connections, rotated.name)
    if present.added.system != system:
        raise UnknownConnection(rotated.name)
    return [] if present.digest == rotated.digest else [rotated]


def pause(connections: Connections | None, paused: ConnectionPaused) -> Sequence[ConnectionFact]:
    """One that is paused records nothing."""
    return [] if known(connections, paused.name).paused else [paused]


def resume(connections: Connections | None, resumed: ConnectionResumed) -> Sequence[ConnectionFact]:
    """One that is not paused records nothing."""
    return [resumed] if known(connections, resumed.name).paused else []


def remove(connections: Connections | None, removed: ConnectionRemoved) -> Sequence[ConnectionFact]:
    """One that there is not any more records nothing."""
    there = connections.by_name if connections is not None else {}
    return [removed] if removed.name in there else []


def tell_stock(connections: Connections | None, wanted: StockToBeTold) -> Sequence[ConnectionFact]:
    """Each time it is asked, they are told again."""
    known(connections, wanted.name)
    return [wanted]


def tell_orders(connections: Connections | None, wanted: OrdersToBeTold) -> Sequence[ConnectionFact]:
    """Each time it is asked, they are told again."""
    known(connections, wanted.name)
    return [wanted]
