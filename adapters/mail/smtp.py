"""The SMTP sender: mails over TLS to the retailer's own mail server, several at a time, on connections that are kept.

What the server answers with 4xx is tried again later; with 5xx it is not. A server that cannot be reached, that shows
no certificate it can be trusted by, or that refuses the login says nothing about a mail: that is tried again as well.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import aiosmtplib
from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectResponseError,
    SMTPException,
    SMTPHeloError,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from adapters.mail.answers import without_people
from adapters.mail.mails import Mails, NotTaken
from adapters.messages.envelope import Envelope

_STEP_SECONDS = 20.0
"""How long the server may take for one answer; less than a sender may take in all."""
_IDLE_SECONDS = 30.0
"""How long a connection is kept after a mail. Servers end those that stay idle for some minutes."""
_LOGIN_CODES = frozenset({530, 534, 535, 538})
"""Whatever it answers: the server wants a login first, or another one."""


class Security(StrEnum):
    """How the connection is encrypted."""

    STARTTLS = "starttls"
    """Before anything is said, on a connection that begins in plain; usual on port 587."""
    TLS = "tls"
    """From the first byte; usual on port 465."""
    NONE = "none"
    """Not at all, for a server on the same machine. Never with a login."""


class SmtpServer(NamedTuple):
    """The mail server that takes the mails, and how it is spoken to."""

    host: str
    port: int
    security: Security = Security.STARTTLS
    user: str = ""
    password: str = ""
    ca_file: Path | None = None
    """Whom to trust instead of whom this machine does."""

    def __repr__(self) -> str:
        return f"SmtpServer({self.host}:{self.port}, {self.security})"  # never the password


class SmtpSender:
    """Hands mails to a mail server."""

    channel = "smtp"
    at_once = 4

    def __init__(self, server: SmtpServer, mails: Mails, bounces_to: str = "") -> None:
        self._server = server
        self._mails = mails
        self._bounces_to = bounces_to or mails.sender.addr_spec
        self._tls = None if server.security is Security.NONE else ssl.create_default_context(cafile=server.ca_file)
        self._idle: list[_Connection] = []
        self._free = asyncio.Semaphore(2 * self.at_once)

    async def hand_over(self, tenant: str, letter: Envelope) -> str:
        mail = self._mails.written(letter)
        address = _address(mail)
        async with self._free:
            try:
                async with self._connection() as connection:
                    return without_people(
                        await self._send(connection, mail, address, letter.mail_id), letter.email, letter.name
                    )
            except (SMTPException, OSError) as error:
                raise _not_taken(error, letter) from error

    async def _send(self, connection: _Connection, mail: EmailMessage, to: str, mail_id: str) -> str:
        # A server that reports what bounces names this id in its report.
        wanted = ["RET=HDRS", f"ENVID={mail_id}"] if connection.client.supports_extension("dsn") else []
        _, answer = await connection.client.sendmail(self._bounces_to, [to], mail.as_bytes(), mail_options=wanted)
        return answer

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[_Connection]:
        """A connection that was kept and still answers, or a new one; kept again if nothing went wrong with it."""
        connection = await self._kept() or await self._connect()
        try:
            yield connection
        except SMTPResponseException as error:
            # The server refused this mail and goes on, unless it says that it does not.
            if error.code == _CLOSES:
                connection.client.close()
            else:
                self._keep(connection)
            raise
        except SMTPRecipientsRefused:
            self._keep(connection)
            raise
        except BaseException:
            connection.client.close()  # whatever comes next on it could be the answer to something else
            raise
        self._keep(connection)

    def _keep(self, connection: _Connection) -> None:
        loop = asyncio.get_running_loop()
        connection.ends = loop.call_later(_IDLE_SECONDS, self._end, connection)
        self._idle.append(connection)

    def _end(self, connection: _Connection) -> None:
        self._idle.remove(connection)
        connection.client.close()

    async def _kept(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            connection.ends.cancel()
            try:
                await connection.client.rset()
            except SMTPException:
                connection.client.close()  # the server ended it meanwhile, so nothing is lost with it
            else:
                return connection
        return None

    async def _connect(self) -> _Connection:
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.security is Security.TLS,
            start_tls=server.security is Security.STARTTLS,
            tls_context=self._tls,
            timeout=_STEP_SECONDS,
            local_hostname=self._mails.sender.domain,
            username=server.user or None,
            password=server.password or None,
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()  # to know what it can do
        except BaseException:
            client.close()
            raise
        return _Connection(client)


_PERMANENT = 500
_CLOSES = 421


class _Connection:
    """A connection to the server, and when it is ended unless it is used again."""

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self.client = client
        self.ends: asyncio.TimerHandle


def _address(mail: EmailMessage) -> str:
    addresses = mail["To"].addresses
    if not addresses:
        raise NotTaken("no_email_address", lasting=True)  # of staff: its role has none
    return str(addresses[0].addr_spec)


def _not_taken(error: Exception, letter: Envelope) -> NotTaken:
    if isinstance(error, SMTPRecipientsRefused):
        error = error.recipients[0]
    if isinstance(error, SMTPResponseException):
        answer = without_people(f"{error.code} {error.message}", letter.email, letter.name)
        about_us = isinstance(error, SMTPConnectResponseError | SMTPHeloError | SMTPAuthenticationError)
        lasting = error.code >= _PERMANENT and error.code not in _LOGIN_CODES and not about_us
        return NotTaken(f"smtp_{error.code}", lasting=lasting, answer=answer)
    if isinstance(error, SMTPTimeoutError):
        return NotTaken("timeout")
    trouble = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(trouble, ssl.SSLError):
        return NotTaken("smtp_certificate", answer=without_people(str(trouble), letter.email, letter.name))
    if isinstance(error, OSError):
        return NotTaken("smtp_disconnected" if isinstance(error, SMTPServerDisconnected) else "smtp_unreachable")
    return NotTaken(
        "smtp_not_supported", answer=without_people(str(error), letter.email, letter.name)
    )  # such as STARTTLS
