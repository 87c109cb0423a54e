"""Many commands on their way: in batches, some at a time, with what came of each and how far they are."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from adapters.console.terminal.client import ConsoleClient
from adapters.console.terminal.progress import bar_of
from adapters.console.terminal.sentences import translated
from adapters.console.terminal.session import Session
from fulfilment.v1 import batch_pb2, common_pb2

COMMANDS_A_BATCH = 800
BATCHES_AT_ONCE = 3
"""Enough to keep the service busy while the next batch is made; more would only fill its queue."""
_BATCH_SECONDS = 120.0
_EXAMPLES = 3

Group = list[batch_pb2.BatchCommand]


@dataclass
class Result:
    """What came of the commands."""

    applied: Counter[str] = field(default_factory=Counter)
    replayed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    """By reason."""
    examples: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, commands: Iterable[batch_pb2.BatchCommand], outcomes: Iterable[batch_pb2.BatchOutcome]) -> None:
        for command, outcome in zip(commands, outcomes, strict=True):
            which = command.WhichOneof("command") or ""
            if outcome.HasField("refusal"):
                self._add_refusal(getattr(command, which).context.request_id, outcome.refusal)
            else:
                self._add_receipt(which, getattr(command, which).context.request_id, outcome.receipt)

    def _add_receipt(self, which: str, request_id: str, receipt: common_pb2.Receipt) -> None:
        known = receipt.outcome == common_pb2.Receipt.OUTCOME_REPLAYED
        (self.replayed if known else self.applied)[which] += 1

    def _add_refusal(self, request_id: str, refusal: batch_pb2.BatchRefusal) -> None:
        self.refused[refusal.reason] += 1
        examples = self.examples[refusal.reason]
        if len(examples) < _EXAMPLES:
            examples.append(f"{translated(refusal.message)} ({request_id})")


def send(client: ConsoleClient, groups: Iterable[Group], result: Result, bar: Bar) -> None:
    """Send all groups, some batches at a time, each group within one batch; returns when all are answered."""
    under_way: deque[tuple[int, Group, Future[Any]]] = deque()

    def take() -> None:
        count, commands, future = under_way.popleft()
        result.add(commands, future.result().outcomes)
        bar.advance(count)

    with ThreadPoolExecutor(BATCHES_AT_ONCE) as pool:
        try:
            for count, commands in batches(groups):
                if len(under_way) == BATCHES_AT_ONCE:
                    take()
                request = batch_pb2.ExecuteBatchRequest(commands=commands)
                seconds = max(client.timeout_seconds, _BATCH_SECONDS)
                under_way.append(
                    (count, commands, pool.submit(client.call, client.batch.ExecuteBatch, request, seconds))
                )
            while under_way:
                take()
        finally:
            for _, _, future in under_way:
                future.cancel()


def batches(groups: Iterable[Group]) -> Iterator[tuple[int, Group]]:
    """Groups put together up to the size of a batch: how many, and their commands."""
    count, commands = 0, Group()
    for group in groups:
        if commands and len(commands) + len(group) > COMMANDS_A_BATCH:
            yield count, commands
            count, commands = 0, Group()
        count += 1
        commands += group
    if commands:
        yield count, commands


class Bar:
    """Progress on standard error: a bar at a terminal, a line now and then elsewhere."""

    def __init__(self, session: Session) -> None:
        self._what, self._total, self._done, self._reported = "", 0, 0, 0
        self._quiet = session.json
        self._bar = bar_of(
            session, TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        )
        self._task = self._bar.add_task("reading", total=None)

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, what: str, total: int) -> None:
        """What is counted from now on, and how many of them there are."""
        self._what, self._total, self._done, self._reported = what, total, 0, 0
        self._bar.update(self._task, completed=0, total=total, description=what)

    def advance(self, count: int) -> None:
        self._done += count
        self._bar.update(self._task, completed=self._done)
        quarters = self._done * 4 // self._total
        if self._bar.disable and not self._quiet and quarters > self._reported:
            self._reported = quarters
            print(f"{self._what}: {self._done:,} of {self._total:,}", file=sys.stderr)
