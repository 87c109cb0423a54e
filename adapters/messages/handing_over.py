"""Handing messages over to a sender, and recording what came of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from adapters.mail.mails import NotTaken
from adapters.messages.envelope import Envelope, Erased, together
from adapters.messages.letters import Letters
from adapters.messages.outbox_work import ACTOR, LOOK_AGAIN_SECONDS, OutboxWork, Thread
from adapters.messages.senders import Sender
from ledger.decisions import notices, relevance
from ledger.decisions.notices import Notice
from ledger.engine.commands import Command, Receipt, own_command
from ledger.engine.sealing import Unreadable
from ledger.engine.trouble import is_trouble
from ledger.nouns import messages
from ledger.nouns.messages import Message
from ledger.refusals import Exhausted, Refusal, RequestReused, Unavailable
from ledger.view import Decide, View

log = logging.getLogger("fulfilment.outbox")

_SENDING_SECONDS = 30.0
"""How long a sender may take before it is taken to have failed."""
_WAIT_SECONDS = 15.0
"""After which it looks again whether a message that was not to be sent yet is to be sent now."""
_RECORD_PAUSES_SECONDS = (0.1, 0.5, 2.0, 5.0, 15.0)
_UNWRITABLE = "cannot_be_written"


class _Outcome(NamedTuple):
    """What came of a message, and how it is recorded."""

    word: str
    decide: Decide


class HandingOver:
    """Hands messages over: each is looked at in the log before, and what became of it is recorded after."""

    def __init__(self, letters: Letters, sender: Sender) -> None:
        self._letters = letters
        self._sender = sender

    # --- sending ---

    async def deliver(self, work: OutboxWork, view: View, thread: Thread) -> None:
        """Hands over what is due of a thread, as far as the log still wants it to be, and records what came of it."""
        open_ones = []
        for notice in thread:
            message = messages.find(view, notice.message_id)
            if message is None or message.next_at is None:
                work.remember(notice, await work.tenant.log.head())
                continue
            # A message that time alone made due holds its own reason.
            kind, about = message.asked.kind, message.asked.about
            if because := relevance.obsolete(view, kind, about, work.policy):
                await self._end(work, view, [message], _cancelled(message, because, work.now))
            elif relevance.waits(view, kind, about):
                work.remember(notice, 0, _WAIT_SECONDS)  # and what comes after it need not wait
            else:
                open_ones.append(message)
        mail = messages.next_mail(open_ones, work.now)
        for message in open_ones:
            if mail:
                work.handled.pop(message.message_id, None)
            elif messages.is_due(message, work.now):
                # An earlier one is to be tried again first. Those that wait for it take no turn from others.
                work.remember(_notice_of(message), 0, _WAIT_SECONDS, in_line=True)
        if mail:
            await self._hand_over(work, view, mail)

    async def _hand_over(self, work: OutboxWork, view: View, mail: Sequence[Message]) -> None:
        """Writes these messages into one mail and records what the sender answered; what cannot be written ends."""
        written: dict[str, Envelope] = {}
        for message in mail:
            try:
                written[message.message_id] = await self._letters.write(work.tenant.log, view, message.asked)
            except Erased:
                await self._end(work, view, [message], _cancelled(message, "person_erased", work.now))
            except (KeyError, Unreadable):
                await self._end(
                    work, view, [message], self._failed([message], NotTaken(_UNWRITABLE, lasting=True), work)
                )
            except Exception as mistake:
                if is_trouble(mistake):
                    raise
                log.exception("message %s cannot be written", message.message_id)
                # The others wait until it is tried again.
                return await self._end(work, view, [message], self._failed([message], NotTaken("sender_failed"), work))
        said = [message for message in mail if message.message_id in written]
        if not said:
            return None
        letter = together(list(written.values())) if len(said) > 1 else written[said[0].message_id]
        letter = self._letters.addressed(letter, work.tenant.name, said, work.now)
        return await self._end(work, view, said, await self._outcome(work, said, letter))

    async def _outcome(self, work: OutboxWork, said: Sequence[Message], letter: Envelope) -> _Outcome:
        """What is to be recorded once the sender has answered."""
        try:
            reference = await self._sent(work.tenant.name, letter)
        except NotTaken as refused:
            return self._failed(said, refused, work, letter.mail_id)
        except TimeoutError:
            return self._failed(said, NotTaken("timeout"), work, letter.mail_id)
        except Exception as mistake:
            if is_trouble(mistake):
                raise
            log.exception("message %s failed", letter.message_id)
            return self._failed(said, NotTaken("sender_failed"), work, letter.mail_id)
        ids, channel, now = _ids(said), self._sender.channel, work.now
        return _Outcome("sent", lambda view: notices.sent(view, ids, channel, reference, now, letter.mail_id))

    def _failed(self, said: Sequence[Message], why: NotTaken, work: OutboxWork, mail_id: str = "") -> _Outcome:
        ids, now = _ids(said), work.now
        log.warning("message %s was not taken by %s: %s", ", ".join(ids), self._sender.channel, why.error)
        error, lasting, answer = why.error, why.lasting, why.answer
        return _Outcome("failed", lambda view: notices.failed(view, ids, error, lasting, now, answer, mail_id))

    async def _end(self, work: OutboxWork, view: View, said: Sequence[Message], outcome: _Outcome) -> None:
        """Records what came of a mail, of all its messages or of none."""
        streams = tuple(messages.stream(each.message_id) for each in said)
        # The request id contains the version, so one version is handled once.
        request = f"{outcome.word}:{said[0].message_id}:{view.entry(streams[0]).version}"
        answer = await self._record(work, own_command(request, ACTOR, outcome.decide, streams))
        for message in said:
            if isinstance(answer, Receipt):
                work.remember(_notice_of(message), answer.position)
            elif isinstance(answer, RequestReused):
                # The hand-over cannot be recorded, so it must not be repeated.
                work.remember(_notice_of(message), 0, LOOK_AGAIN_SECONDS)

    async def _sent(self, tenant: str, letter: Envelope) -> str:
        async with asyncio.timeout(_SENDING_SECONDS):
            return await self._sender.hand_over(tenant, letter)

    async def _record(self, work: OutboxWork, command: Command) -> Receipt | Refusal:
        """What has happened must be recorded: while the ledger cannot answer, it is asked again."""
        for pause in (*_RECORD_PAUSES_SECONDS, None):
            try:
                return await work.tenant.ledger.execute(command)
            except (Exhausted, Unavailable):
                if pause is None:
                    raise
                await asyncio.sleep(pause)
            except Refusal as refusal:
                # A person cancelled it or asked for it at this very moment.
                log.info("request %s was refused: %s", command.request_id, refusal.reason)
                return refusal
        raise AssertionError("the last attempt answers or raises")


def _ids(said: Sequence[Message]) -> list[str]:
    return [message.message_id for message in said]


def _cancelled(message: Message, because: str, now: datetime) -> _Outcome:
    return _Outcome("cancelled", lambda view: notices.cancel(view, message.message_id, because, notices.LEDGER, now))


def _notice_of(message: Message) -> Notice:
    asked = message.asked
    return Notice(asked.message_id, asked.kind, asked.about, asked.caused_at, asked.cause)
