"""The queue of a tenant's writer: what callers sent, read or not, and how each of them gets its answer."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import cast

from ledger.engine.commands import Answer, Command, DecisionFailed, Unread
from ledger.engine.measures import Passed
from ledger.engine.registry import UnknownFact
from ledger.engine.request_ids import sent_id
from ledger.engine.trouble import in_short
from ledger.refusals import DeadlinePassed, Refusal, without_frames

log = logging.getLogger("fulfilment.ledger")


def failed(request_id: str, error: Exception) -> DecisionFailed:
    trace, said = None if isinstance(error, UnknownFact) else error, {"request_id": sent_id(request_id)}
    log.error("request %s could not be decided: %s", request_id, in_short(error), exc_info=trace, extra=said)
    return DecisionFailed(request_id, without_frames(error))


class WaitingCall:
    """The commands a caller waits for together, and their answers as they come in."""

    __slots__ = ("answers", "cut", "future", "in_pieces", "open", "passed", "queued_at")

    def __init__(self, size: int, *, in_pieces: bool = False) -> None:
        loop = asyncio.get_running_loop()
        self.future: asyncio.Future[list[Answer]] = loop.create_future()
        self.queued_at = monotonic()
        self.passed: Passed | None = None
        """How the batch went that had its last command."""
        self.in_pieces = in_pieces
        """Whether the caller sends again what is put off."""
        self.answers: list[Answer | None] = [None] * size
        self.open = size
        self.cut = size
        """From there on the caller sends its commands again, whatever became of them: none is decided before one that
        was sent earlier, also if two transactions have them."""


class _Queued:
    """A place in the queue, whose caller waits for an answer."""

    __slots__ = ("answered", "call", "index")

    def __init__(self, call: WaitingCall, index: int) -> None:
        self.call = call
        self.index = index
        self.answered = False

    @property
    def request_id(self) -> str:
        raise NotImplementedError

    def answer(self, answer: Answer) -> None:
        if self.answered:
            return
        self.answered = True
        self.call.answers[self.index] = answer
        self._close()

    def _close(self) -> None:
        call = self.call
        call.open -= 1
        if not call.open and not call.future.done():  # else nobody waits for it any more
            call.future.set_result(cast("list[Answer]", call.answers[: call.cut]))


class QueuedRequest(_Queued):
    """What a caller sent, before it is read."""

    __slots__ = ("_read",)

    def __init__(self, read: Unread, call: WaitingCall, index: int) -> None:
        super().__init__(call, index)
        self._read = read

    @property
    def request_id(self) -> str:
        return "that is still unread"

    def read(self) -> QueuedCommand | None:
        """The command; None if it cannot be read, and its caller has been answered."""
        try:
            return QueuedCommand(self._read(), self.call, self.index)
        except Refusal as refusal:
            self.answer(without_frames(refusal))
        except Exception as error:  # noqa: BLE001 - a mistake in reading one must not harm the others
            self.answer(failed(self.request_id, error))
        return None


class QueuedCommand(_Queued):
    """One command that waits for its outcome."""

    __slots__ = ("command", "is_aside", "uncertain")

    def __init__(self, command: Command, call: WaitingCall, index: int) -> None:
        super().__init__(call, index)
        self.command = command
        # True while it is unknown whether a commit with it succeeded.
        self.uncertain = False
        self.is_aside = False
        """While it waits for a stream that is being folded."""

    @property
    def request_id(self) -> str:
        return self.command.request_id

    def set_aside(self) -> None:
        """Lets it wait, and has its caller send those after it again."""
        self.is_aside = True
        self.call.cut = min(self.call.cut, self.index + 1)

    def is_over(self, now: float, *, is_long: bool = False) -> bool:
        """Answered, set aside, put off because its batch is long, or nobody waits for it any more; then it must not be
        decided."""
        if self.answered or self.is_aside or self.uncertain:
            return self.answered or self.is_aside
        call, deadline = self.call, self.command.deadline
        if is_long and call.in_pieces:
            call.cut = min(call.cut, self.index)
        if self.index >= call.cut:
            self.answered = True
            self._close()
        elif deadline is not None and now > deadline:
            self.answer(DeadlinePassed())
        elif call.future.done():
            self.answered = True
        return self.answered
