"""How mails leave this installation, and where those that come back are read: what the options choose."""

from __future__ import annotations

import argparse
import os
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from adapters.mail import IMAP_PASSWORD, PASSWORD
from adapters.mail.mailboxes import IMAP, ReportsMailbox
from adapters.mail.mails import Mails
from adapters.mail.smtp import Security, SmtpSender, SmtpServer
from adapters.messages.senders import FileSender, Sender

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class BadMailSettings(Exception):
    """No mail can be sent with these options; the message says what to do."""


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
    security = Security(chosen.smtp_security)
    in_plain = security is Security.NONE
    if in_plain and chosen.smtp_user:
        raise BadMailSettings("--smtp-security none would send the password in plain; use starttls or tls")
    if in_plain and host.strip("[]") not in _LOOPBACK:
        raise BadMailSettings(f"--smtp-security none is for a mail server on this machine, and {host} is another")
    return SmtpServer(host.strip("[]"), int(port), security, chosen.smtp_user or "", password, chosen.smtp_ca)


def _first_line(path: Path, option: str) -> str:
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeError) as error:
        raise BadMailSettings(f"{option} {path} cannot be read ({error})") from error
