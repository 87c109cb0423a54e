"""A batch that is decided: its way from there to the commit and the answers.

The writer puts it into the book before it is committed, so that the next batch can be decided meanwhile. If the commit
fails, the landing takes it out of the book again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from time import monotonic

from ledger.engine.measures import Passed
from ledger.engine.queue import QueuedCommand
from ledger.engine.run import Run
from ledger.engine.transactions import Alone, SharedPart
from ledger.engine.trouble import in_short
from ledger.refusals import StorageUnavailable

log = logging.getLogger("fulfilment.ledger")


@dataclass(slots=True)
class Attempts:
    """How a batch was tried so far."""

    may_share: bool
    """Whether it may share a transaction with other tenants."""
    give_up_at: float = 0.0
    """By the monotonic clock, from its first attempt on."""
    pause: float = 0.02
    """Seconds until it is tried again while the database is in trouble."""
    ahead: list[Sequence[str]] = field(default_factory=list)
    """What had to be read each time before the tenant's lock is taken again."""


class Landing:
    """Appends a decided batch, commits, and answers its callers."""

    over: asyncio.Task[None]
    """Ends as ``land`` does, where it lands by itself."""

    def __init__(
        self,
        batch: Sequence[QueuedCommand],
        tried: Attempts,
        run: Run,
        transaction: Alone | SharedPart,
        opened: AsyncExitStack,
        so_far: Passed,
        tell: Callable[[Passed], None],
    ) -> None:
        """``opened`` ends with the transaction; ``so_far`` is when the batch came by the stages before, and ``tell`` is
        told of all of them once it is committed."""
        self.batch = batch
        self.tried = tried
        self.run = run
        self.may_be_followed = (
            isinstance(transaction, Alone)
            and any(each.call.in_pieces for each in batch)
            and not any(each.command.with_subject for each in batch)
        )
        """Whether the next batch may be decided meanwhile: a state that a caller is shown must stay as it is."""
        self.committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Ends with an error where it is not committed, or nobody knows whether it is."""
        self._opened = opened
        self._so_far = so_far
        self._tell = tell

    def by_itself(self) -> None:
        """Lets it land while the next batch is decided."""
        self.over = asyncio.create_task(self.land(), name="commit")

    async def land(self) -> None:
        """Ends when all are answered, or have to be settled again."""
        try:
            async with self._opened:
                await self.run.record()
        except BaseException as error:
            self.run.undo()
            self.committed.set_exception(error)
            self.committed.exception()  # it may be that nobody asks any more
            if isinstance(error, Exception):
                return
            raise
        self.committed.set_result(None)
        try:
            self._tell(self._so_far._replace(committed=monotonic()))
            await self.run.answer()
        except Exception as error:
            log.exception("a batch of %d commands is committed, and cannot be answered", len(self.batch))
            for waiting in self.batch:
                waiting.answer(StorageUnavailable(in_short(error)))  # sent again, it gets its outcome
