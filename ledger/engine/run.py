"""One pass over a batch inside its transaction: each command is decided, and what comes of it is recorded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from itertools import islice
from time import monotonic
from typing import Any

import msgspec
from msgspec.structs import replace

from ledger.engine.aside import FoldedAside
from ledger.engine.book import Book
from ledger.engine.commands import Answer, Command, Receipt
from ledger.engine.fingerprints import is_same, is_surely_same, marked
from ledger.engine.log_rows import Appending, Opening, Outcome
from ledger.engine.pieces import PIECE_SECONDS
from ledger.engine.queue import QueuedCommand, failed
from ledger.engine.request_ids import OWN, sent_id
from ledger.engine.sealing import KeyRow, PersonKey
from ledger.engine.snapshots import TooMuch
from ledger.engine.transactions import Alone, SharedPart
from ledger.engine.turns import in_turns
from ledger.facts import Change, Fact
from ledger.refusals import (
    Exhausted,
    Malformed,
    OutOfRange,
    Refusal,
    RequestReused,
    Unavailable,
    kind_of,
    without_frames,
)
from ledger.view import Entry, Miss, View

TURN_SECONDS = 0.002
"""How long the decisions of a batch may keep the event loop from everything else."""

_ANSWERS_AT_ONCE = 8
"""How many callers are answered in one turn of the event loop, so that reads get in between."""

_MOST_NAMED = 8
"""Streams that a refusal is kept with, so that the file of an order finds it."""
_MOST_ROUNDS = 50
"""How often one command may ask for more streams; after that the decision counts as broken."""

log = logging.getLogger("fulfilment.ledger")


class FoldFailed(Exception):
    """A fact could not be folded. The draft is unusable, so the batch starts over without this command."""

    def __init__(self, waiting: QueuedCommand, cause: Exception) -> None:
        super().__init__(str(cause))
        self.waiting = waiting
        self.cause = cause


class Run:
    """Decides a batch on a draft of the book, then records it, and answers its callers once it is committed.

    A request id that is known gets its first outcome again. A command that fails leaves the others as they are.
    """

    def __init__(
        self,
        book: Book,
        transaction: Alone | SharedPart,
        opening: Opening,
        taken: dict[str, str],
        aside: FoldedAside,
        before: Run | None = None,
    ) -> None:
        """``before`` is the pass whose batch is still being written: what comes of its commands is known already."""
        self.book = book
        self.draft = book.begin()
        self._transaction = transaction
        self._taken = taken
        self._aside = aside
        self._known = {outcome.request_id: outcome for outcome in opening.outcomes}
        if before is not None:
            self._known |= {outcome.request_id: outcome for outcome in before.outcomes}
        self._has_former = opening.has_former
        self._most = opening.most
        self._first = book.position
        self._rows = Appending()
        self._answers: list[tuple[QueuedCommand, Answer]] = []

    async def decide(self, batch: list[QueuedCommand], more_seconds: float = 0.0) -> None:
        """Decides in order; of a batch in pieces for so much longer than usual. At a Miss, loads what all the remaining
        commands miss and goes on from there."""
        at = rounds = 0
        began = yielded_at = monotonic()
        while at < len(batch):
            waiting = batch[at]
            now = monotonic()
            if now - yielded_at > TURN_SECONDS:
                await asyncio.sleep(0)
                yielded_at = monotonic()
            is_long = at > 0 and now - began - self._transaction.waited_seconds > PIECE_SECONDS + more_seconds
            try:
                # Known ids first: what an earlier attempt committed is neither put off nor denied for its deadline.
                known = self._outcome_of(waiting.command)
                if known is not None:
                    self._answers.append((waiting, self._answer_known(known, waiting.command)))
                elif not waiting.is_over(now, is_long=is_long):
                    self._decide_one(waiting)
            except Miss as miss:
                rounds += 1
                if not self._aside.takes(waiting, miss.streams):
                    if rounds <= _MOST_ROUNDS:
                        await self._load(miss, islice(batch, at + 1, None))
                        continue
                    self._answers.append((waiting, failed(waiting.command.request_id, miss)))
            at += 1
            rounds = 0

    def _decide_one(self, waiting: QueuedCommand) -> None:
        command = waiting.command
        try:
            self.draft.need(*command.streams)
            changes = command.decide(self.draft)
            self.draft.check(changes)
            encoded = [self._encode(stream, fact) for stream, fact in changes]
            keys = self._keys(command.keys, command.owner) if changes else ()
            ended = None if command.destroys is None else command.destroys(self.draft)
        except Miss:
            raise
        except Refusal as refusal:
            self._refused(waiting, refusal)
        except Exception as error:  # noqa: BLE001 - a mistake in one decision must not harm the others
            self._answers.append((waiting, failed(waiting.command.request_id, error)))
        else:
            if ended is not None:
                self._rows.destroy(ended)
            self._applied(waiting, changes, encoded, keys)

    def knows(self, command: Command) -> bool:
        return self._outcome_of(command) is not None

    def _outcome_of(self, command: Command) -> Outcome | None:
        """What has become of the command, if it is known."""
        known = self._known.get(command.request_id)
        if known is None and self._has_former and command.formerly is not None:
            former = command.formerly()
            known = self._known.get(former.request_id)
            if known is None or not is_surely_same(known.fingerprint, former.fingerprint, former.earlier_fingerprint):
                return None
        return known

    def _answer_known(self, known: Outcome, command: Command) -> Answer:
        if command.formerly is not None and known.request_id != command.request_id:
            former = command.formerly()
            command = replace(
                command,
                fingerprint=former.fingerprint,
                earlier_fingerprint=former.earlier_fingerprint,
                streams=former.streams,
            )
            self.draft.need(*former.streams)  # those of an id that the ledger made differ
        answer = _replay(known, command, self._subject(command))
        if isinstance(answer, RequestReused) and command.request_id.startswith(OWN):
            self._taken[command.actor] = command.request_id
            log.error("request %s is the ledger's own and was used before by %s", command.request_id, known.actor)
        return answer

    def _encode(self, stream: str, fact: Fact) -> bytes:
        if "\0" in stream:
            raise ValueError("a stream name with a NUL character")
        return self.book.registry.encode(fact)

    def _keys(self, keys: Sequence[PersonKey], owner: Callable[[View], str] | None) -> Sequence[KeyRow]:
        """The keys as they are stored, under their owner's subject where they have one; none if that is nobody."""
        if owner is None or not keys:
            return [key.row() for key in keys]
        subject = owner(self.draft)
        return [key.row(subject) for key in keys] if subject else ()

    def _applied(
        self, waiting: QueuedCommand, changes: Sequence[Change], encoded: list[bytes], keys: Sequence[KeyRow]
    ) -> None:
        command, rows = waiting.command, self._rows
        warnings = tuple(command.warnings)
        for (stream, fact), state in zip(changes, encoded, strict=True):
            try:
                version = self.draft.apply(stream, fact, len(state))
            except Exception as error:
                raise FoldFailed(waiting, error) from error
            rows.facts.append((stream, version, fact.fact_name(), state, command.request_id))
            if fact.warnings:
                warnings += fact.warnings
        rows.keys.extend(keys)
        if changes:
            rows.besides.extend(command.besides)
        warnings = tuple(map(_storable, warnings))
        outcome = self._outcome(command, None, warnings, recorded=bool(changes))
        receipt = Receipt(outcome.position, outcome.version, False, warnings, self._subject(command))
        self._answers.append((waiting, receipt))

    def _subject(self, command: Command) -> Entry | None:
        return self.draft.find(command.streams[0]) if command.with_subject and command.streams else None

    def _refused(self, waiting: QueuedCommand, refusal: Refusal) -> None:
        # These come from the edge and the engine, and may no longer hold a moment later.
        if not isinstance(refusal, Malformed | OutOfRange | Exhausted | Unavailable):
            details = {key: _storable(value) for key, value in refusal.details.items()}
            stored = {
                "reason": refusal.reason,
                "kind": kind_of(type(refusal)),
                "message": _storable(refusal.message),
                "details": details,
                "about": waiting.command.streams[:_MOST_NAMED],
            }
            self._outcome(waiting.command, msgspec.json.encode(stored).decode())
        self._answers.append((waiting, without_frames(refusal)))

    def _outcome(
        self, command: Command, refusal: str | None, warnings: tuple[str, ...] = (), *, recorded: bool = False
    ) -> Outcome:
        subject = self.draft.find(command.streams[0]) if command.streams else None
        version = subject.version if subject else 0
        who = (command.request_id, command.fingerprint if recorded else marked(command.fingerprint), command.actor)
        outcome = Outcome(*who, self.draft.position, version, refusal, warnings)
        self._rows.outcomes.append(outcome)
        if warnings:
            self._rows.warned.append((command.request_id, warnings))
        self._known[command.request_id] = outcome
        return outcome

    async def _load(self, miss: Miss, rest: Any) -> None:
        """Loads what was missed, and what the commands after it would miss, in one query."""
        missing = dict.fromkeys(miss.streams)
        async for waiting in in_turns(rest, TURN_SECONDS):
            command = waiting.command
            if not self.knows(command) and not waiting.answered:
                missing.update(dict.fromkeys(self._probe(command)))
        names = [stream for stream in missing if stream not in self._aside]
        rows = await self._transaction.load(names, self._most)
        if len(rows) > self._most:
            raise TooMuch(names)
        await self.book.load(names, rows)

    def _probe(self, command: Command) -> Sequence[str]:
        """What a decision would miss now. Its result is dropped: the facts before it are not applied yet."""
        try:
            self.draft.need(*command.streams)
            self.draft.check(command.decide(self.draft))
        except Miss as miss:
            return miss.streams
        except Exception:  # noqa: BLE001 - it is raised again when the decision is really run
            return ()
        return ()

    @property
    def outcomes(self) -> Sequence[Outcome]:
        """What is stored of its commands."""
        return self._rows.outcomes

    def send(self) -> None:
        """Everything is decided: those who come next build on it, also before it is committed."""
        self.draft.commit()
        if self._rows.outcomes:
            for waiting, _ in self._answers:
                waiting.uncertain = True

    def undo(self) -> None:
        """It was not committed, or nobody knows whether it was: the book is as if nothing had been sent."""
        self.draft.drop()
        self.book.position = self._first

    async def record(self) -> None:
        """Appends and commits. Until it returns, it is unknown whether that succeeded."""
        if not self._rows.outcomes:
            return await self._transaction.abandon()
        await self._transaction.append(self._first, self._rows)

    async def answer(self) -> None:
        for count, (waiting, answer) in enumerate(self._answers, 1):
            waiting.answer(answer)
            if count % _ANSWERS_AT_ONCE == 0:
                await asyncio.sleep(0)


def _storable(text: str) -> str:
    """JSON in PostgreSQL cannot hold NUL, and a refusal may quote what a caller wrote."""
    return text.replace("\0", "")


def _replay(known: Outcome, command: Command, subject: Entry | None) -> Answer:
    if not is_same(known.fingerprint, command.fingerprint, command.earlier_fingerprint):
        return RequestReused(sent_id(command.request_id))
    if known.refusal is None:
        formerly = known.request_id != command.request_id
        return Receipt(known.position, known.version, True, known.warnings, subject, formerly)
    stored = msgspec.json.decode(known.refusal)
    return Refusal.restored(stored["reason"], stored["message"], stored["details"], stored.get("kind", ""))
