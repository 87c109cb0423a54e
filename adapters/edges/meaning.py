"""What a delivery means: commands in their order, or why there are none, by what is known already."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from google.protobuf.message import Message

from fulfilment.v1 import orders_pb2, parcels_pb2


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
