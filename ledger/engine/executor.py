"""The serial writer: one task per tenant and process decides all commands, in batches.

For each batch it opens a transaction, takes the tenant's lock, brings its folded streams up to the head of the log,
decides one command after another in memory, appends all facts and outcomes, and commits. From the lock to the commit no
other process can append, so every decision is made against the present and no version conflict can arise. Callers are
answered after the commit.

The pieces of a call of many commands overlap: while one is being committed, the next is read and decided on the state
that the commit will leave. It is decided again if the commit fails, or another process gets the lock first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from time import monotonic

from ledger.engine.about import works_for
from ledger.engine.aside import FoldedAside
from ledger.engine.book import Book
from ledger.engine.commands import Answer, Command, DecisionFailed, Receipt, Unread
from ledger.engine.gathering import MOST_AT_ONCE, Gathering
from ledger.engine.landing import Attempts, Landing
from ledger.engine.log import Log
from ledger.engine.log_rows import EVERYTHING, Opening
from ledger.engine.measures import WATCH, Measures, Passed
from ledger.engine.pieces import in_pieces, time_for
from ledger.engine.queue import QueuedCommand, QueuedRequest, WaitingCall, failed
from ledger.engine.run import TURN_SECONDS, FoldFailed, Run
from ledger.engine.shelf import OF_THIS_PROCESS, Memory
from ledger.engine.snapshots import Snapshots, TooMuch
from ledger.engine.transactions import ALONE_SECONDS, Alone, Apart, Overtaken, SharedPart, Together
from ledger.engine.trouble import in_short, is_trouble
from ledger.engine.turns import in_turns
from ledger.refusals import QueueFull, ShuttingDown, StorageUnavailable, Unavailable
from ledger.view import Noun

_MOST_SHARED = 50
"""A batch with more commands has a transaction of its own: others would wait while they are decided."""

_MOST_AHEAD = 5
"""How often a batch lets the tenant's lock go to read what it needs; after that it reads all under the lock."""

_IN_LINE_SECONDS = 1.0
"""How long no batch is decided before the last is committed, once another process has come between."""

log = logging.getLogger("fulfilment.ledger")


class Ledger:
    """Executes the commands of one tenant: queues them, decides them in batches, answers each with its outcome.

    Any number of processes may have one for the same schema; the tenant's lock has one of them write at a time.
    """

    def __init__(
        self,
        log: Log,
        nouns: Iterable[Noun],
        *,
        queue_limit: int = 10_000,
        tail_limit: int = 5_000,
        streams_kept: int = 50_000,
        patience_seconds: float = 10.0,
        stay_awake: Callable[[], Awaitable[None]] | None = None,
        together: Together | None = None,
        memory: Memory = OF_THIS_PROCESS,
        measures: Measures | None = None,
    ) -> None:
        """``stay_awake`` is called before each transaction, so that those who follow the log look at what it writes;
        ``together`` are the transactions that it may share with other tenants, ``memory`` is where its
        folded streams are, beside those of others."""
        self.log = log
        self._together = together or Together(log.writers)
        self._measures = measures or Measures()
        self._alone_until = 0.0
        """Until when it shares none, by the monotonic clock."""
        self._in_line_until = 0.0
        """Until when no batch is decided before the last is committed."""
        self._sent: Landing | None = None
        """A batch that lands by itself, as the next may be decided meanwhile."""
        self._landings: set[Landing] = set()
        """Those that are not answered yet."""
        self._stay_awake = stay_awake
        self.book = Book(nouns, streams_kept=streams_kept, memory=memory)
        self._snapshots = Snapshots(log, self.book.registry)
        self._queue = Gathering()
        self._aside = FoldedAside(self._snapshots, self._queue.again)
        self._queue_limit = queue_limit
        self._tail_limit = tail_limit
        self._patience_seconds = patience_seconds
        self._writer: asyncio.Task[None] | None = None
        self._in_progress: Sequence[QueuedRequest | QueuedCommand] = ()
        self._to_come = 0
        """How many commands of batches are not in the queue yet."""
        self.trouble: str | None = None
        self.taken: dict[str, str] = {}
        """By actor, the last of the ledger's own request ids that something else had used: a mistake of ours."""

    @property
    def waiting(self) -> int:
        """How many commands wait for their turn."""
        return len(self._queue) + len(self._aside) + self._to_come

    async def start(self) -> None:
        """Starts the writer, at the present head of the log."""
        self.book.forget_all(await self.log.begin())
        self._writer = asyncio.create_task(self._write(), name=f"ledger {self.log.schema}")

    async def stop(self, *, drain: bool = True) -> None:
        """Takes no more commands. Draining answers all that are queued; otherwise they are refused."""
        self._queue.close()
        if self._writer is None:
            return
        if not drain:
            self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        for landing in self._landings:
            if not drain and not landing.committed.done():
                landing.over.cancel()
        await asyncio.gather(*[landing.over for landing in self._landings], return_exceptions=True)
        await self._aside.start_over()
        await self._snapshots.settled()
        self.book.forget_all()
        self.book.trim()
        for waiting in (*self._in_progress, *self._queue):
            waiting.answer(ShuttingDown())
        self._queue.clear()

    async def execute(self, command: Command | Unread) -> Receipt:
        """Decides and records one command; raises its Refusal, or DecisionFailed for a mistake of ours.

        An unread one is read with its batch, and a Refusal from reading it is raised here. Reading a whole batch
        at once takes less processor time than reading each request between other work, because the code and its
        data stay in the processor's caches.
        """
        with self._waits(1):
            (answer,) = await self._answers(self._enqueue((command,)))
        if isinstance(answer, Receipt):
            return answer
        try:
            raise answer
        finally:
            del answer  # its traceback holds this frame, and so the request

    async def execute_many(self, commands: Sequence[Command]) -> list[Answer]:
        """Decides commands one after another, in order; one answer each.

        Each is as durable as if it had been sent alone, and commands of others may come between them: what keeps the
        tenant for more than 0.15 s is committed before it goes on.
        """
        if len(commands) > MOST_AT_ONCE:
            raise ValueError(f"{len(commands)} commands at once; {MOST_AT_ONCE} at most")
        if not commands:
            return []
        with self._waits(len(commands)):
            return await in_pieces(commands, self._send)

    async def _send(self, piece: Sequence[Command], to_come: int) -> tuple[list[Answer], Passed | None]:
        if self._is_over:
            return [ShuttingDown()], None
        call = self._enqueue(piece, in_pieces=True)
        self._to_come += to_come
        try:
            return await self._answers(call), call.passed
        finally:
            self._to_come -= to_come

    @property
    def _is_over(self) -> bool:
        return self._writer is None or self._writer.done()

    @contextmanager
    def _waits(self, commands: int) -> Iterator[None]:
        """Lets a call wait for its answer; raises if nothing more is taken."""
        if self._queue.is_closing or self._is_over:
            raise ShuttingDown
        if self.waiting + commands > self._queue_limit:
            raise QueueFull(self.waiting)
        self._queue.enter()
        try:
            yield
        finally:
            self._queue.leave()

    def _enqueue(self, commands: Sequence[Command | Unread], *, in_pieces: bool = False) -> WaitingCall:
        call = WaitingCall(len(commands), in_pieces=in_pieces)
        self._queue.add([_queued(command, call, index) for index, command in enumerate(commands)])
        return call

    async def _answers(self, call: WaitingCall) -> list[Answer]:
        try:
            return await call.future
        finally:
            if call.passed is not None and (watch := WATCH.get()) is not None:
                watch(call.queued_at, call.passed)

    # --- the writer -------------------------------------------------------------------------------

    async def _write(self) -> None:
        works_for(self.log.schema.removeprefix("tenant_"))
        while True:
            while not self._queue:
                if self._sent is not None and self._sent.over.done():
                    await self._none_on_its_way()
                    continue
                if self._sent is None:
                    self.book.shelf.is_busy, self._in_progress = False, ()
                if self._queue.is_closing and not self._queue.calls:
                    return
                self._queue.came.clear()
                await self._queue.came.wait()
            if not self._queue.next_is_of_many:
                await self._none_on_its_way()
            taken = await self._queue.batch()
            self._in_progress = taken if self._sent is None else [*self._sent.batch, *taken]
            self.book.shelf.is_busy = True
            now, queued = monotonic(), self._measures.queued
            for waiting in taken:
                queued.add(now - waiting.call.queued_at)
            await self._settle(await self._read(taken))

    async def _none_on_its_way(self) -> None:
        """Waits until no batch is on its way; one that does not get there is settled first."""
        if self._sent is None:
            return
        while (sent := self._sent) is not None:
            await asyncio.wait((sent.over,))
            self._sent = None
            if (error := sent.committed.exception()) is not None:
                await self._settle(sent.batch, sent.tried, error)
        await self._take_snapshots()

    async def _take_snapshots(self) -> None:
        try:
            await self._snapshots.take(self.book)
        except Exception:  # they are disposable
            log.exception("a snapshot of %s cannot be taken", self.log.schema)

    async def _read(self, taken: Sequence[QueuedRequest | QueuedCommand]) -> list[QueuedCommand]:
        """Reads what was taken from the queue; the callers of requests that cannot be read are answered."""
        batch = []
        async for each in in_turns(taken, TURN_SECONDS):
            waiting = each.read() if isinstance(each, QueuedRequest) else each
            if waiting is not None:
                batch.append(waiting)
        return batch

    async def _settle(
        self, batch: Sequence[QueuedCommand], tried: Attempts | None = None, failed_with: BaseException | None = None
    ) -> None:
        """Has every command of the batch answered, sooner or later; ``failed_with`` is what its last attempt did."""
        try:
            await self._try(batch, tried or self._attempts_of(batch), failed_with)
        except Exception as error:
            # A mistake of ours in the engine itself: these callers get it, the writer goes on.
            log.exception("a batch of %d commands failed", len(batch))
            self.book.forget_all(self.book.position)
            for waiting in batch:
                if not waiting.answered:
                    waiting.answer(DecisionFailed(waiting.request_id, error))

    def _attempts_of(self, batch: Sequence[QueuedCommand]) -> Attempts:
        return Attempts(may_share=len(batch) <= _MOST_SHARED and monotonic() >= self._alone_until)

    async def _try(self, batch: Sequence[QueuedCommand], tried: Attempts, failed_with: BaseException | None) -> None:
        """Sends the batch on its way, and tries again while the database is in trouble."""
        began = 0.0
        while batch := [waiting for waiting in batch if not waiting.is_over(monotonic())]:
            try:
                if failed_with is not None:
                    error, failed_with = failed_with, None
                    raise error
                if began or not self._may_follow(batch, tried.may_share):
                    await self._none_on_its_way()
                began = began or monotonic()
                tried.give_up_at = tried.give_up_at or began + self._patience_seconds
                if tried.ahead:
                    await self._aside.read_ahead(self.book, tried.ahead[-1])
                return await self._attempt(batch, tried, began)
            except Apart as apart:
                tried.may_share, self._alone_until = False, max(self._alone_until, monotonic() + apart.seconds)
                continue
            except Overtaken:
                self._in_line_until = monotonic() + _IN_LINE_SECONDS
                self._measures.overtaken += 1
                tried.give_up_at = 0.0  # it has not been tried yet: those before it were
                continue
            except TooMuch as much:
                tried.ahead.append(much.streams)
                continue
            except FoldFailed as failure:
                failure.waiting.answer(failed(failure.waiting.request_id, failure.cause))
                continue
            except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for an answer
                tried.may_share, self._alone_until = False, monotonic() + ALONE_SECONDS
                if not is_trouble(error) and not isinstance(error, Unavailable):
                    return await self._isolate(batch, error)
                self.trouble = in_short(error)
                self._measures.retries += 1
            if monotonic() + tried.pause > tried.give_up_at:
                for waiting in batch:
                    waiting.answer(StorageUnavailable(self.trouble or "unknown"))
                return None
            log.warning("the database does not answer, trying again in %.2f s: %s", tried.pause, self.trouble)
            await asyncio.sleep(tried.pause)
            tried.pause = min(tried.pause * 2, 1.0)
            await self.log.drop_dead_connections(self.log.writers)

    def _may_follow(self, batch: Sequence[QueuedCommand], may_share: bool) -> bool:
        """Whether a batch may be decided while the one before it is still being committed: on the book as it is then,
        so that all of that must be in it and nothing is to happen in between."""
        sent = self._sent
        return (
            sent is not None
            and not sent.committed.done()
            and monotonic() >= self._in_line_until
            and not (may_share and self._together.shares(self.log))
            and not any(waiting.uncertain for waiting in batch)
            and not self._aside.has_folded
            and not self._snapshots.are_due(self.book)
            and sent.run.draft.changed.isdisjoint(self.book.missing(_named(batch)))
        )

    async def _isolate(self, batch: list[QueuedCommand], error: Exception) -> None:
        """The database refused something in the batch: halves it until the command at fault is alone."""
        await self._none_on_its_way()
        self.book.forget_all(self.book.position)
        if len(batch) == 1:
            return batch[0].answer(failed(batch[0].request_id, error))
        middle = len(batch) // 2
        await self._settle(batch[:middle])
        await self._settle(batch[middle:])

    async def _attempt(self, batch: list[QueuedCommand], tried: Attempts, began: float) -> None:
        """One transaction: open, decide, and send what is to be appended and committed on its way. Reading for it has
        begun then. Raises TooMuch if it has more to read first, Apart if it has to be one of its own, and Overtaken if
        it has to be decided again."""
        if self.log.has_lost:
            await self._aside.start_over()
            self.book.forget_all(await self.log.begin())
        # What may be committed already waits with its batch: sent again later, it could be denied for its deadline.
        is_uncertain = any(waiting.uncertain for waiting in batch)
        await self._aside.bring_in(self.book, _named(batch), wait=is_uncertain)
        if not (batch := [each for each in batch if not self._is_away(each)]):
            return None
        named = _named(batch)
        if self._stay_awake is not None:
            await self._stay_awake()
        taken = monotonic()
        before = self._sent
        async with AsyncExitStack() as opened:
            transaction = await opened.enter_async_context(
                self._together.transaction(
                    self.log, may_share=tried.may_share, before=None if before is None else before.committed
                )
            )
            run = None
            try:
                most = self._tail_limit if len(tried.ahead) < _MOST_AHEAD else EVERYTHING
                opening = await self._open(transaction, batch, named, most)
                read = monotonic()
                run = Run(
                    self.book, transaction, opening, self.taken, self._aside, None if before is None else before.run
                )
                for waiting in batch:
                    # Under the lock it is known whether an earlier attempt was committed.
                    waiting.uncertain = waiting.uncertain and run.knows(waiting.command)
                await run.decide(batch, time_for(taken - began))
                decided = monotonic()
                await transaction.hold()
                run.send()
            except BaseException as error:
                if run is not None:
                    run.draft.drop()
                if isinstance(error, FoldFailed):
                    await transaction.hold()  # else it may be of what does not hold
                raise
            finally:
                self.book.trim()
            so_far = Passed(taken, read, decided, decided, taken - began, transaction.waited_seconds)
            tell = partial(self._committed, batch)
            landing = Landing(batch, tried, run, transaction, opened.pop_all(), so_far, tell)
        if landing.may_be_followed:
            return self._send_off(landing)
        await landing.land()
        if (failure := landing.committed.exception()) is not None:
            raise failure
        return await self._take_snapshots()

    def _send_off(self, landing: Landing) -> None:
        self._sent = landing
        self._landings.add(landing)
        landing.by_itself()
        landing.over.add_done_callback(partial(self._over, landing))

    def _over(self, landing: Landing, _: object) -> None:
        self._landings.discard(landing)
        self._queue.came.set()

    def _committed(self, batch: list[QueuedCommand], passed: Passed) -> None:
        self.trouble = None
        self._measures.passed(len(batch), passed)
        for waiting in batch:
            waiting.call.passed = passed
        self._queue.answering()

    def _is_away(self, waiting: QueuedCommand) -> bool:
        """Whether a command waits for a stream, or for one of its caller's that does."""
        return waiting.is_over(monotonic()) or self._aside.takes(waiting, waiting.command.streams)

    async def _open(
        self, transaction: Alone | SharedPart, batch: list[QueuedCommand], named: Collection[str], most: int
    ) -> Opening:
        """Begins under the lock, with the book brought up to the head of the log."""
        book = self.book
        wanted = book.missing(named)
        self._measures.missed += len(wanted)
        self._measures.found += len(named) - len(wanted)
        request_ids = [waiting.command.request_id for waiting in batch]
        formers = [waiting.command.formerly for waiting in batch if waiting.command.formerly]
        opening = await transaction.open(request_ids, bool(formers), after=book.position, streams=wanted, most=most)
        if len(opening.tail) > most or len(opening.streams) > most:
            raise TooMuch(named)
        if opening.has_former:
            opening.outcomes.extend(await transaction.outcomes([each().request_id for each in formers]))
        await book.follow(opening.tail)
        await book.load(wanted, opening.streams)
        return opening


def _named(batch: Sequence[QueuedCommand]) -> Collection[str]:
    return {stream: None for waiting in batch for stream in waiting.command.streams}


def _queued(command: Command | Unread, call: WaitingCall, index: int) -> QueuedRequest | QueuedCommand:
    return QueuedCommand(command, call, index) if isinstance(command, Command) else QueuedRequest(command, call, index)
