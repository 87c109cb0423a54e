"""Mailboxes that bounces are read from: a Maildir, a folder of .eml files, an mbox file, or a folder of an IMAP server.

None of their mails is changed, not even marked as read.
"""

from __future__ import annotations

import imaplib
import mailbox
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

_LARGEST = 32 << 20
"""Bytes; a report holds at most the mail that it is about."""
_IMAP_DAYS = 30
"""How far back a mailbox of a server is read: what is reported later is of no use any more."""
_IMAP_SECONDS = 30.0
_IMAP_PORT = 993
IMAP = "imaps://"


class NoMailbox(Exception):
    """There are no mails to read; the message says why."""


class ReportsMailbox(NamedTuple):
    """Where mail servers report what they could not deliver, and how often that is read."""

    address: str
    password: str
    every_seconds: float
    ca_file: Path | None = None

    def __repr__(self) -> str:
        return f"ReportsMailbox({host_of(self.address)})"  # never the password


def mails_in(place: Path) -> Iterator[bytes]:
    """Every mail of a Maildir, of a folder of .eml files, or of an mbox file; raises NoMailbox."""
    try:
        if place.is_dir():
            yield from _in_folder(place)
        else:
            yield from _in_mbox(place)
    except OSError as error:
        raise NoMailbox(f"{place} cannot be read: {error.strerror or error}") from error


def _in_folder(place: Path) -> Iterator[bytes]:
    folders = [place / name for name in ("new", "cur")] if (place / "cur").is_dir() else [place]
    for path in sorted(path for folder in folders if folder.is_dir() for path in folder.iterdir()):
        if path.is_file() and not path.name.startswith(".") and path.stat().st_size <= _LARGEST:
            yield path.read_bytes()


def _in_mbox(place: Path) -> Iterator[bytes]:
    with place.open("rb"):  # the library would take a file that is not there for an empty one
        box = mailbox.mbox(place, create=False)
    try:
        for key in box.iterkeys():
            yield box.get_bytes(key)
    finally:
        box.close()


def reports_at(
    address: str, password: str, seen: set[str] | None = None, ca_file: Path | None = None
) -> Iterator[bytes]:
    """The reports of the last weeks in a folder of a mail server, such as ``imaps://shop@mail.example/Bounces``.

    Those in ``seen`` are left out, and those that are read are added to it. Only over TLS, with a certificate that
    this machine trusts, or that the CA in ca_file has signed; raises NoMailbox.
    """
    parsed = urlsplit(address)
    folder = unquote(parsed.path.strip("/")) or "INBOX"
    try:
        port, user, host = parsed.port or _IMAP_PORT, unquote(parsed.username or ""), parsed.hostname or ""
        context = ssl.create_default_context(cafile=ca_file)
        with imaplib.IMAP4_SSL(host, port, ssl_context=context, timeout=_IMAP_SECONDS) as server:
            server.login(user, password)
            yield from _reports_in(server, folder, set() if seen is None else seen)
    except (OSError, imaplib.IMAP4.error, ValueError) as error:
        raise NoMailbox(f"the mailbox {host_of(address)}/{folder} cannot be read: {error}") from error


def _reports_in(server: imaplib.IMAP4_SSL, folder: str, seen: set[str]) -> Iterator[bytes]:
    quoted = '"' + folder.replace("\\", "\\\\").replace('"', '\\"') + '"'
    answer, said = server.select(quoted, readonly=True)
    if answer != "OK":
        raise NoMailbox(f"there is no folder {folder}: {(said[0] or b'').decode(errors='replace')}")
    day, month, year = format_datetime(datetime.now(UTC) - timedelta(days=_IMAP_DAYS)).split()[1:4]
    wanted = f'(SINCE {int(day)}-{month}-{year} HEADER Content-Type "multipart/report")'
    _, found = server.uid("SEARCH", wanted)
    # A folder that was made anew counts its mails anew, under another number (RFC 3501, section 2.3.1.1).
    _, made = server.response("UIDVALIDITY")
    for uid in (found[0] or b"").split():
        mark = f"{made[0]!r} {uid.decode()}"
        if mark not in seen:
            _, parts = server.uid("FETCH", uid.decode(), "(BODY.PEEK[])")
            yield from (part[1] for part in parts if isinstance(part, tuple))
            seen.add(mark)


def host_of(address: str) -> str:
    """Where a mailbox is, without who logs in there."""
    return urlsplit(address).netloc.rpartition("@")[2]
