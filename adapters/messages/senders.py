"""Senders, which deliver letters to people: what a sender is, and the one that writes files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from adapters.mail.mails import Mails, NotTaken
from adapters.messages.envelope import Envelope

_LONGEST_NAME = 220
"""Of a message in a file's name, in characters, which are bytes here: file systems take 255 for all of it."""
_SHORT_ID = 8


class Sender(Protocol):
    """Delivers letters.

    A letter may come again, after a crash between the hand-over and the record of it: it then has the same
    ``mail_id``, by which whoever gets it twice can tell.
    """

    channel: str
    """Recorded with each message as the channel."""
    at_once: int
    """How many letters it takes at the same time; after so many the outbox looks whether it still leads."""

    async def hand_over(self, tenant: str, letter: Envelope) -> str:
        """Takes the letter and returns what it is known by; raises NotTaken."""


class FileSender:
    """Puts each letter into a file of its own, ``FOLDER/TENANT/MESSAGE-MAIL.eml``, as mail programs read it.

    The files hold names and addresses in plain, as any mail does: only their owner can read them.
    """

    channel = "file"
    at_once = 50

    def __init__(self, folder: Path, mails: Mails | None = None) -> None:
        self._folder = folder
        self._mails = mails or Mails()

    async def hand_over(self, tenant: str, letter: Envelope) -> str:
        try:
            return await asyncio.to_thread(self._write, tenant, letter)
        except OSError as error:
            raise NotTaken(f"file_{(error.strerror or 'error').lower().replace(' ', '_')}") from error

    def _write(self, tenant: str, letter: Envelope) -> str:
        mail, folder = self._mails.written(letter), self._folder / tenant
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{_file_name(letter.message_id)}-{letter.mail_id[:_SHORT_ID]}.eml"
        if not path.exists():
            draft = path.with_suffix(f".{os.getpid()}.part")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(mail.as_bytes())
                file.flush()
                os.fsync(file.fileno())
            # Written completely or not at all, also if another process writes it now.
            draft.replace(path)
        return path.name

    async def remove(self, tenant: str, message_ids: Iterable[str]) -> set[str]:
        """Deletes the letters of these messages; returns the names of the files that there were."""
        return await asyncio.to_thread(self._remove, tenant, list(message_ids))

    def _remove(self, tenant: str, message_ids: Sequence[str]) -> set[str]:
        names, folder = {_file_name(each) for each in message_ids}, self._folder / tenant
        files = [path for path in folder.glob("*.eml") if path.stem[: -_SHORT_ID - 1] in names] if names else []
        for path in files:
            path.unlink(missing_ok=True)
        return {path.name for path in files}


def _file_name(message_id: str) -> str:
    """The message's id; of one that is too long for a file as much as fits, and a hash of it all."""
    name = quote(message_id, safe="")
    if len(name) <= _LONGEST_NAME:
        return name
    digest = sha256(message_id.encode()).hexdigest()
    return f"{name[: _LONGEST_NAME - len(digest) - 1]}-{digest}"
