"""A mail server for tests: real SMTP on a port of its own, TLS under a CA made for the test, answers as it is told."""

from __future__ import annotations

import asyncio
import email
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP as MAIL_POLICY
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOGIN = ("shop", "s3cret-of-the-shop")


class Authority:
    """A CA, with a certificate for a server of these names."""

    def __init__(self, folder: Path, *names: str) -> None:
        key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"CA of {folder.name}")])
        own = _certificate(issuer, issuer, key, key).add_extension(x509.BasicConstraints(True, 0), critical=True)
        wanted = x509.SubjectAlternativeName([_named(name) for name in names or ("localhost", "127.0.0.1")])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
        its = _certificate(subject, issuer, server_key, key).add_extension(wanted, critical=False)
        self.ca_file, self._chain = folder / "ca.pem", folder / "server.pem"
        self.ca_file.write_bytes(own.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        private = server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        signed = its.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        self._chain.write_bytes(private + signed)

    def for_a_server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._chain)
        return context


def _named(name: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)


def _certificate(subject: x509.Name, issuer: x509.Name, key: Any, signer: Any) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    return builder.add_extension(identifier, critical=False)


@dataclass
class Mail:
    """A mail that the server took."""

    sender: str
    recipient: str
    content: EmailMessage
    envelope_id: str


@dataclass
class Mailbox:
    """What came in, and what is to be answered."""

    port: int = 0
    mails: list[Mail] = field(default_factory=list)
    connections: int = 0
    logins: int = 0
    refuses: dict[str, str] = field(default_factory=dict)
    """Answers to recipients, such as ``550 5.1.1 no such user``."""
    answers: list[str] = field(default_factory=list)
    """Answers to the next mails instead of taking them."""
    slow_seconds: float = 0.0
    """How long it takes to answer a mail."""

    def subjects(self) -> list[str]:
        return [str(mail.content["Subject"]) for mail in self.mails]


class _Speaks(SMTP):
    """With the extension by which a sender names a mail for reports about it (RFC 3461)."""

    envelope_id = ""

    def _getparams(self, params: Any) -> Any:
        found = super()._getparams([each for each in params if not each.startswith(("ENVID=", "RET="))])
        named = [each.partition("=")[2] for each in params if each.startswith("ENVID=")]
        self.envelope_id = named[0] if named else self.envelope_id
        return found


class _Handler:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]) -> Any:
        session.host_name = hostname
        return [*responses[:-1], "250-DSN", responses[-1]]

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if answer := self._mailbox.refuses.get(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        box = self._mailbox
        await asyncio.sleep(box.slow_seconds)
        if box.answers:
            return box.answers.pop(0)
        content = email.message_from_bytes(envelope.content, policy=MAIL_POLICY)
        assert isinstance(content, EmailMessage)
        (recipient,) = envelope.rcpt_tos
        box.mails.append(Mail(envelope.mail_from, recipient, content, server.envelope_id.lower()))
        return f"250 2.0.0 OK: queued as Q{len(box.mails)}"


@contextmanager
def a_mail_server(
    authority: Authority | None = None, *, implicit: bool = False, login: bool = True, port: int = 0
) -> Iterator[Mailbox]:
    """A server in a thread of its own: TLS at once or by STARTTLS, and no mail without the login; or all in plain."""
    mailbox, loop = Mailbox(), asyncio.new_event_loop()
    tls = authority.for_a_server() if authority else None

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        mailbox.logins += 1
        return AuthResult(success=(data.login.decode(), data.password.decode()) == LOGIN, handled=False)

    def speak() -> SMTP:
        mailbox.connections += 1
        return _Speaks(
            _Handler(mailbox),
            hostname="mail",
            loop=loop,
            tls_context=None if implicit else tls,
            require_starttls=tls is not None and not implicit,
            auth_required=tls is not None and not implicit and login,
            auth_require_tls=not implicit,
            authenticator=authenticate,
        )

    async def listen() -> None:
        listening = await loop.create_server(speak, "127.0.0.1", port, ssl=tls if implicit else None)
        mailbox.port = listening.sockets[0].getsockname()[1]
        ready.set()
        async with listening:
            await ends.wait()
        for task in asyncio.all_tasks(loop) - {asyncio.current_task(loop)}:
            task.cancel()

    ready, ends = threading.Event(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=[listen()], daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield mailbox
    finally:
        loop.call_soon_threadsafe(ends.set)
        thread.join(10)
        loop.close()
