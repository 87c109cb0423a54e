"""Erasing a person: what is kept of it, and the command that destroys the keys of that."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from adapters import contacts
from adapters.rpc import shapes
from adapters.streams import read
from adapters.tenants import Tenant
from fulfilment.v1 import admin_pb2 as pb
from fulfilment.v1 import audit_pb2
from ledger.decisions import erasing
from ledger.engine.executor import Command, own_command
from ledger.engine.log import Ended, Log
from ledger.engine.sealing import Sealer
from ledger.nouns import orders
from ledger.refusals import Malformed
from ledger.view import Miss, View

_MOST_CHARACTERS = 1000
_UNKNOWN = "unknown"
"""Who erases: the request does not say."""

R = TypeVar("R")


class KnownBy(NamedTuple):
    """How a person is named; the other two are empty."""

    email: str = ""
    phone: str = ""
    order_id: str = ""


class Belongings(NamedTuple):
    """What is kept of a person."""

    order_ids: tuple[str, ...]
    subjects: frozenset[str]
    """Pseudonyms of before. Of all else the orders tell the subject."""
    keys: int


def known_by(request: pb.ErasePersonRequest | audit_pb2.ListReadsRequest) -> KnownBy:
    """Raises Malformed where nobody is named."""
    match request.WhichOneof("person"):
        case "email":
            return KnownBy(email=shapes.text(request.email, "email", _MOST_CHARACTERS, required=True))
        case "phone":
            return KnownBy(phone=shapes.text(request.phone, "phone", _MOST_CHARACTERS, required=True))
        case "order_id":
            return KnownBy(order_id=shapes.order_id(request.order_id))
        case _:
            raise Malformed(("person", "is required: email, phone or order_id"))


async def find(tenant: Tenant, sealer: Sealer, known: KnownBy) -> Belongings:
    """All orders with the contact, and with those of the order that is named; raises UnknownOrder."""
    log, order_ids, own = tenant.log, [known.order_id] if known.order_id else [], sealer.of(tenant.schema)
    if known.order_id:
        subjects = await _reading(log, lambda view: _subjects(view, known.order_id))
        held = await contacts.beside(log, own, await contacts.of_subjects(log, subjects))
    else:
        subjects = {sealer.subject_of(*known)}
        held = await contacts.of_contacts(log, own.contacts(known.email, known.phone))
    subjects |= {each.subject for each in held}
    held += await contacts.of_subjects(log, subjects)
    order_ids += [each.order_id or orders.anchored(each.subject) for each in held]
    known_ids = tuple(dict.fromkeys(filter(None, order_ids)))
    every = subjects | {*map(orders.anchor, await _reading(log, lambda view: erasing.together(view, known_ids)))}
    return Belongings(known_ids, frozenset(subjects), len(await contacts.of_subjects(log, every)))


async def subjects(tenant: Tenant, sealer: Sealer, known: KnownBy) -> set[str]:
    """Under which the keys of a person are, or of an order alone; raises UnknownOrder."""
    if known.order_id:
        return await _reading(tenant.log, lambda view: _subjects(view, known.order_id))
    found = await find(tenant, sealer, known)
    order_ids = await _reading(tenant.log, lambda view: erasing.together(view, found.order_ids))
    return {*found.subjects, *map(orders.anchor, order_ids)}


def _subjects(view: View, order_id: str) -> set[str]:
    """Under which the keys of an order are."""
    order = orders.known(orders.find(view, order_id), order_id)
    return {*order.subjects, *map(orders.anchor, erasing.together(view, [order_id]))}


async def _reading(log: Log, ask: Callable[[View], R]) -> R:
    """What is asked of the streams that it needs, as they are now."""
    streams: list[str] = []
    while True:
        view, _ = await read(log, streams)
        try:
            return ask(view)
        except Miss as miss:
            streams += miss.streams


def command(found: Belongings, now: datetime) -> Command:
    """Destroys the keys; all streams that held the person say so."""
    own = own_command(
        f"erase {uuid.uuid4()}",
        _UNKNOWN,
        lambda view: erasing.erase(view, found.order_ids, found.keys, _UNKNOWN, now),
        (),
    )
    return replace(own, destroys=lambda view: _ended(view, found))


def _ended(view: View, found: Belongings) -> Ended:
    order_ids = erasing.together(view, found.order_ids)
    return Ended([*found.subjects, *map(orders.anchor, order_ids)], [*map(orders.stream, order_ids)])
