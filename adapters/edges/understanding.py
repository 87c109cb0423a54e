"""What something that a system told means, by what the ledger knows at this moment.

A system's ``understand`` asks for nothing itself: it raises ``Unlooked`` for what it needs to know, and is called again
once that is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from google.protobuf.message import Message

from adapters.edges.accounts import Connected
from adapters.edges.grouping import Grouped
from adapters.edges.inbox import Inbox
from adapters.edges.inbox_rows import InboxRow, WorkedOn
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood, Unlooked
from adapters.rpc import results
from adapters.streams import read
from adapters.tenants import Tenant
from ledger.nouns import effects, orders, parcels
from ledger.nouns.effects import EffectSubject, ToldSubject
from ledger.terms.carriers import carrier_name
from ledger.view import View

_LOOKS_AT_ONCE = 5
"""The others leave the database's connections to what comes in."""
_MOST_LOOKS = 20


class InboxWork(NamedTuple):
    """A reception that is worked on."""

    tenant: Tenant
    inbox: Inbox
    end: Grouped[tuple[InboxRow, WorkedOn], None]
    read: Grouped[str, View]
    """What the ledger knows of a stream."""
    connected: Connected
    row: InboxRow
    until: float
    """By the clock of the event loop: what is to be asked for later than this waits for the next piece of work."""
    about: set[str]
    """The orders and parcels that were looked up for it, by which a person's are found whatever became of it."""


class Understanding:
    """Has systems understand what they told, and reads for them what the ledger knows."""

    def __init__(self) -> None:
        self._looking = asyncio.Semaphore(_LOOKS_AT_ONCE)

    async def understood(self, work: InboxWork, raw: bytes) -> Understood:
        """What it means, by what the ledger knows at this moment."""
        system, account = work.connected.system, work.connected.account
        found: dict[str, Message | bytes | None] = {}
        for _ in range(_MOST_LOOKS):
            try:
                return system.understand(work.row.received, raw, account, KnownNow(found))
            except Unlooked as missing:
                found[str(missing)] = await self._looked(work, missing)
        raise NotUnderstood("it asks for more and more of what the ledger knows")

    async def _looked(self, work: InboxWork, missing: Unlooked) -> Message | bytes | None:
        if missing.kind == "before":
            return await self._before(work)
        work.about.add(_name_of(missing))
        if missing.kind == "told":
            return await self._told(work, missing.object_id)
        return await self._known(work, missing)

    async def _known(self, work: InboxWork, missing: Unlooked) -> Message | None:
        """What the ledger knows of something, as a message of the contract without personal data."""
        stream = orders.stream(missing.object_id)
        if missing.kind == "parcel":
            carrier, _, number = _name_of(missing).partition("/")
            stream = parcels.stream(carrier, number)
        entry = (await work.read(stream)).entry(stream)
        if entry.state is None:
            return None
        async with self._looking:
            return await results.show(work.tenant, entry)

    async def _before(self, work: InboxWork) -> bytes | None:
        """What the system told of the same object before, as it was when it was last worked on."""
        async with self._looking:
            last = await work.inbox.last_done(work.row)
        return work.inbox.opened(last, work.connected.box_key) if last is not None else None

    async def _told(self, work: InboxWork, order_id: str) -> bytes:
        """What the system calls what it was told of an order."""
        one = work.connected
        stream = effects.stream(effects.effect_id(one.account.name, one.added_at, EffectSubject.ORDER, order_id))
        view = await work.read(stream)
        told: ToldSubject | None = view.state(stream)
        parts = told.parts.values() if told is not None else ()
        return " ".join(each.reference.replace(",", " ") for each in parts).encode()


async def read_together(tenant: Tenant, streams: Sequence[str]) -> Sequence[View]:
    """For ``Grouped``: one view of all these streams, for each who asked for one of them."""
    view, _ = await read(tenant.log, list(dict.fromkeys(streams)))
    return [view] * len(streams)


def _name_of(missing: Unlooked) -> str:
    carrier, _, number = missing.object_id.partition("/")
    return f"{carrier_name(carrier)}/{number}" if missing.kind == "parcel" else missing.object_id
