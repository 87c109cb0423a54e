"""What a request becomes, and what reading any request needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from google.protobuf.message import Message

from ledger.engine.log import Log
from ledger.engine.sealing import PersonKey, Sealer
from ledger.facts import Sealed
from ledger.nouns import orders
from ledger.view import Decide, View
from projections.machine.reads import Where

Before = Callable[[Log], Awaitable[None]]
M = TypeVar("M", bound=Message)


class Ask(msgspec.Struct, frozen=True):
    """What a request asks: a decision, the streams it is known to touch (the subject first), keys of what it seals."""

    decide: Decide
    streams: tuple[str, ...]
    keys: Sequence[PersonKey] = ()
    owner: Callable[[View], str] | None = None
    """Whose the keys are, if only the streams tell; empty if they are nobody's."""
    before: Before | None = None
    """What must be in the database before it is decided, such as bytes that a fact is to name; read ``ahead``."""


class Edge(msgspec.Struct, frozen=True):
    """What translating needs beside the request."""

    sealer: Sealer
    now: datetime
    actor: str
    digest: str
    """A keyed hash of the request without its context, which recognises the same content again."""
    warnings: list[str]
    """What is odd about the request and was put right; its reader adds to it."""
    seen: Any = None
    """What a read model was asked for the request, if it needs that (``LOOKS``)."""


READERS: dict[type[Message], Callable[[Any, Edge], Ask]] = {}
"""For every command's request: how it is read."""

AHEAD: set[type[Message]] = set()
"""Requests that are read as soon as they come, because something has to be asked or stored before they are decided.
All the others are read with the batch that decides them."""

LOOKS: dict[type[Message], Callable[[Any, Where, datetime], Awaitable[Any]]] = {}
"""For requests that hand figures of a read model to their decision: how those are asked."""


def looks(
    request: type[M],
) -> Callable[[Callable[[M, Where, datetime], Awaitable[Any]]], Callable[[M, Where, datetime], Awaitable[Any]]]:
    def register(
        look: Callable[[M, Where, datetime], Awaitable[Any]],
    ) -> Callable[[M, Where, datetime], Awaitable[Any]]:
        LOOKS[request] = look
        AHEAD.add(request)
        return look

    return register


def reads(request: type[M], *, ahead: bool = False) -> Callable[[Callable[[M, Edge], Ask]], Callable[[M, Edge], Ask]]:
    def register(reader: Callable[[M, Edge], Ask]) -> Callable[[M, Edge], Ask]:
        READERS[request] = reader
        if ahead:
            AHEAD.add(request)
        return reader

    return register


def sealed_with(
    edge: Edge, personal: Mapping[str, Any], subject: str, bound_to: str
) -> tuple[Sealed | None, tuple[PersonKey, ...]]:
    """What is personal, sealed, and its key; nothing of nothing. An empty subject is named by the ``owner`` later."""
    if not personal:
        return None, ()
    sealed, key = edge.sealer.seal(personal, subject, bound_to)
    return sealed, (key,)


def sealed_note(edge: Edge, note: str, bound_to: str) -> tuple[Sealed | None, tuple[PersonKey, ...]]:
    """A note whose owner only the streams tell."""
    return sealed_with(edge, {"note": note} if note else {}, "", bound_to)


def person_in(view: View, order_id: str, sealer: Sealer) -> str:
    """Whose data comes with an order; where it names nobody, the order stands for its person."""
    order = orders.known(orders.find(view, order_id), order_id)
    return order.subject or sealer.subject_of("", "", order_id)


def of_order(order_id: str, decide: Decide) -> Ask:
    return Ask(decide, (orders.stream(order_id),))
