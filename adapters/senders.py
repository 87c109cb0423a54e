"""Senders, which deliver letters to people. Mail and others can be added as further classes."""

from __future__ import annotations

import asyncio
import os
from email.headerregistry import Address, Group
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import sha256
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from adapters.mail_addresses import addresses_in
from adapters.messages.envelope import Envelope
from ledger.nouns.messages import Audience

_LONGEST_NAME = 230
"""Of a file, in characters, which are bytes here: file systems take 255, and a draft's name is a little longer."""


class NotTaken(Exception):
    """The sender did not take the letter; ``error`` is a word for why, without personal data."""

    def __init__(self, error: str, *, lasting: bool = False) -> None:
        super().__init__(error)
        self.error = error
        self.lasting = lasting
        """Whether trying again is of no use."""


class Sender(Protocol):
    """Delivers letters.

    A letter may come again, after a crash between the hand-over and the record of it: by the
    message's id the sender must make sure that it reaches its recipient once.
    """

    channel: str
    """Recorded with each message as the channel."""

    async def hand_over(self, tenant: str, letter: Envelope) -> str:
        """Takes the letter and returns what it is known by; raises NotTaken."""


class FileSender:
    """Puts each letter into a file of its own, ``FOLDER/TENANT/MESSAGE.eml``, as mail programs read it.

    The files hold names and addresses in plain, as any mail does: only their owner can read them.
    """

    channel = "file"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def hand_over(self, tenant: str, letter: Envelope) -> str:
        try:
            return await asyncio.to_thread(self._write, tenant, letter)
        except OSError as error:
            raise NotTaken(f"file_{(error.strerror or 'error').lower().replace(' ', '_')}") from error

    def _write(self, tenant: str, letter: Envelope) -> str:
        mail, folder = _mail(letter), self._folder / tenant
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{_file_name(letter.message_id)}.eml"
        if not path.exists():
            draft = path.with_suffix(f".{os.getpid()}.part")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(mail)
                file.flush()
                os.fsync(file.fileno())
            # Written completely or not at all, also if another process writes it now.
            draft.replace(path)
        return path.name


def _file_name(message_id: str) -> str:
    """The message's id; of one that is too long for a file as much as fits, and a hash of it all."""
    name = quote(message_id, safe="")
    if len(name) <= _LONGEST_NAME:
        return name
    digest = sha256(message_id.encode()).hexdigest()
    return f"{name[: _LONGEST_NAME - len(digest) - 1]}-{digest}"


def _mail(letter: Envelope) -> bytes:
    mail = EmailMessage(policy=SMTP)
    mail["Message-ID"] = f"<{_file_name(letter.message_id)}@fulfilment.invalid>"
    mail["Subject"] = " ".join(letter.subject.split())
    mail["Content-Language"] = letter.language
    mail["X-Audience"] = letter.audience.value
    mail["X-Recipient"] = letter.recipient
    mail["To"] = _recipient(letter)
    mail.set_content(letter.text)
    for name, pdf in letter.attachments:
        mail.add_attachment(pdf, maintype="application", subtype="pdf", filename=name)
    return mail.as_bytes()


def _recipient(letter: Envelope) -> Address | Group:
    """Whom the mail is for; raises NotTaken where no mail can reach them, which trying again does not change.

    Staff is a group named by its role; its members are configured in the mail server.
    """
    if letter.audience is Audience.STAFF:
        return Group(letter.recipient)
    found = addresses_in(letter.email)
    if not found:
        raise NotTaken("unusable_email_address" if "@" in letter.email else "no_email_address", lasting=True)
    if len(found) > 1 and letter.audience is Audience.CUSTOMER:
        raise NotTaken("several_email_addresses", lasting=True)
    name = " ".join(letter.name.split())
    return Address(name if name.isprintable() else "", addr_spec=found[0])
