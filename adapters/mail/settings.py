"""How mails leave this installation, and where those that come back are read: the options, and what they choose."""

from __future__ import annotations

import argparse
import os
import ssl
from collections.abc import Callable
from email.headerregistry import Address
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit

from adapters.mail.addresses import addresses_in
from adapters.mail.mailboxes import IMAP, ReportsMailbox
from adapters.mail.mails import Mails
from adapters.mail.smtp import Security, SmtpSender, SmtpServer
from adapters.messages.senders import FileSender, Sender

PASSWORD = "FULFILMENT_SMTP_PASSWORD"  # noqa: S105 - its name
"""In the environment alone: a command line can be read by every user of the machine."""
IMAP_PASSWORD = "FULFILMENT_IMAP_PASSWORD"  # noqa: S105 - its name
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class BadMailSettings(Exception):
    """No mail can be sent with these options; the message says what to do."""


def address(text: str) -> Address:
    """An address, or a name and an address in angle brackets."""
    name, found = parseaddr(text)
    if addresses_in(found) != [found] or not name.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is no address; write it as orders@shop.example or Shop <...>")
    return Address(name, addr_spec=found)


def add_options(
    parser: argparse.ArgumentParser, path: Callable[[str], Path], host_and_port: Callable[[str], str]
) -> list[argparse.Action]:
    """The options of mails; ``path`` and ``host_and_port`` read theirs as the other options are read."""
    group = parser.add_argument_group("mail").add_argument
    return [
        group(
            "--outbox",
            choices=("file", "smtp", "off"),
            default="file",
            help="where messages go: mails as files in DATA/outbox, a mail server, or nowhere (%(default)s)",
        ),
        group("--mail-from", type=address, help="whom mails come from: orders@shop.example or Shop <...>"),
        group("--mail-bounces", type=address, help="where undeliverable mail is returned to (that of --mail-from)"),
        group("--smtp", type=host_and_port, help="the mail server, HOST:PORT"),
        group(
            "--smtp-security",
            type=Security,
            choices=tuple(Security),
            default=Security.STARTTLS,
            help="how it is spoken to: starttls, usual on port 587, tls, usual on 465, or none (%(default)s)",
        ),
        group("--smtp-user", help=f"logs in; the password is in {PASSWORD} or in a file"),
        group("--smtp-password-file", type=path, help="its first line is the password"),
        group("--smtp-ca", type=path, help="certificates to trust instead of the machine's own, as PEM"),
        group("--bounces", help="where returned mail is read: imaps://shop@mail.example/Bounces (nowhere)"),
        group("--bounces-every", type=_seconds, default=300, help="seconds between two readings (%(default)s)"),
        group(
            "--bounces-password-file", type=path, help=f"its first line is the password; or it is in {IMAP_PASSWORD}"
        ),
        group("--bounces-ca", type=path, help="as --smtp-ca, for the server with the returned mail"),
    ]


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= _DAY_SECONDS):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 1 to {_DAY_SECONDS}")
    return int(text)


_DAY_SECONDS = 86_400


def mailbox_of(chosen: argparse.Namespace) -> ReportsMailbox | None:
    """Where returned mail is read; None if nobody reads it here. Raises BadMailSettings."""
    password = os.environ.pop(IMAP_PASSWORD, "")
    if not chosen.bounces:
        return None
    parsed = urlsplit(chosen.bounces)
    if not chosen.bounces.startswith(IMAP) or not parsed.hostname or not parsed.username or parsed.password:
        raise BadMailSettings(
            "--bounces is no mailbox of a mail server; write it as imaps://shop@mail.example/Bounces, without a "
            "password, and read one in files with fulfilment message bounces"
        )
    if chosen.bounces_password_file:
        password = _first_line(chosen.bounces_password_file, "--bounces-password-file")
    if not password:
        raise BadMailSettings(
            f"--bounces needs a password: in the environment as {IMAP_PASSWORD}, or --bounces-password-file"
        )
    return ReportsMailbox(chosen.bounces, password, chosen.bounces_every, chosen.bounces_ca)


def sender_of(chosen: argparse.Namespace) -> Sender | None:
    """The sender that the options choose; None if messages are not sent. Raises BadMailSettings."""
    password = os.environ.pop(PASSWORD, "")  # so that no program that is started from here has it
    if chosen.outbox == "off":
        return None
    mails = Mails(chosen.mail_from) if chosen.mail_from else Mails()
    if chosen.outbox == "file":
        return FileSender(chosen.data / "outbox", mails)
    server = _server(chosen, password)
    bounces_to = chosen.mail_bounces.addr_spec if chosen.mail_bounces else ""
    try:
        return SmtpSender(server, mails, bounces_to)
    except (OSError, ssl.SSLError) as error:
        raise BadMailSettings(f"--smtp-ca {server.ca_file} cannot be used ({error.strerror or error})") from error


def _server(chosen: argparse.Namespace, password: str) -> SmtpServer:
    for option, value in (("--smtp", chosen.smtp), ("--mail-from", chosen.mail_from)):
        if not value:
            raise BadMailSettings(f"--outbox smtp needs {option}")
    host, _, port = chosen.smtp.rpartition(":")
    if chosen.smtp_password_file:
        password = _first_line(chosen.smtp_password_file, "--smtp-password-file")
    if chosen.smtp_user and not password:
        raise BadMailSettings(
            f"--smtp-user needs a password: in the environment as {PASSWORD}, or --smtp-password-file"
        )
    in_plain = chosen.smtp_security is Security.NONE
    if in_plain and chosen.smtp_user:
        raise BadMailSettings("--smtp-security none would send the password in plain; use starttls or tls")
    if in_plain and host.strip("[]") not in _LOOPBACK:
        raise BadMailSettings(f"--smtp-security none is for a mail server on this machine, and {host} is another")
    return SmtpServer(
        host.strip("[]"), int(port), chosen.smtp_security, chosen.smtp_user or "", password, chosen.smtp_ca
    )


def _first_line(path: Path, option: str) -> str:
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeError) as error:
        raise BadMailSettings(f"{option} {path} cannot be read ({error})") from error
