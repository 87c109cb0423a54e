"""How the calls of each RPC end: how many, with which status and reason, and how long they took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from ledger.engine.measures import Histogram


class CallEnding(NamedTuple):
    """How a call ended: a status of gRPC, and the reason of a refusal."""

    code: str
    reason: str = ""


OK = CallEnding("OK")
CANCELLED = CallEnding("CANCELLED")
"""The caller no longer waits."""


class RpcCalls:
    """The calls of one RPC that have ended."""

    __slots__ = ("good", "others", "seconds")

    def __init__(self) -> None:
        self.seconds = Histogram()
        self.good = 0
        self.others: defaultdict[CallEnding, int] = defaultdict(int)

    def answered(self, seconds: float) -> None:
        self.good += 1
        self.seconds.add(seconds)

    def ended(self, outcome: CallEnding, seconds: float) -> None:
        if outcome == OK:
            return self.answered(seconds)
        self.others[outcome] += 1
        self.seconds.add(seconds)

    def by_outcome(self) -> Iterator[tuple[CallEnding, int]]:
        if self.good:
            yield OK, self.good
        yield from sorted(self.others.items())


class CallCounts:
    """Of all RPCs of this process."""

    def __init__(self) -> None:
        self.by_rpc: dict[str, RpcCalls] = {}

    def of(self, rpc: str) -> RpcCalls:
        return self.by_rpc.setdefault(rpc, RpcCalls())
