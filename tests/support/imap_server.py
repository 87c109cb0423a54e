"""A mail server's folders over IMAP and TLS, as far as reports are read from them."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from email import message_from_bytes
from typing import NamedTuple

from tests.support.mail_server import LOGIN, Authority


class ImapServer(NamedTuple):
    """Where it listens, and which commands it was given."""

    port: int
    said: list[str]


@contextmanager
def an_imap_server(authority: Authority, folders: Mapping[str, Sequence[bytes]]) -> Iterator[ImapServer]:
    """A server that knows LOGIN and these folders; it answers one caller after another."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = ImapServer(listening.getsockname()[1], [])

    def serve() -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            with plain, suppress(OSError):
                plain.settimeout(10)
                with authority.for_a_server().wrap_socket(plain, server_side=True) as secure:
                    _talk(secure, server, folders)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)


def _talk(secure: ssl.SSLSocket, server: ImapServer, folders: Mapping[str, Sequence[bytes]]) -> None:
    lines, mails = secure.makefile("rb"), list[bytes]()

    def say(line: str | bytes) -> None:
        secure.sendall((line.encode() if isinstance(line, str) else line) + b"\r\n")

    say("* OK ready")
    for line in lines:
        tag, _, command = line.decode().strip().partition(" ")
        word, _, rest = command.partition(" ")
        server.said.append(word)
        match word:
            case "CAPABILITY":
                say("* CAPABILITY IMAP4rev1")
            case "LOGIN" if rest.replace('"', "").split() != list(LOGIN):
                say(f"{tag} NO wrong login or password")
                continue
            case "EXAMINE" if rest.strip('"') not in folders:
                say(f"{tag} NO there is none")
                continue
            case "EXAMINE":
                mails = list(folders[rest.strip('"')])
                say(f"* {len(mails)} EXISTS")
            case "UID" if rest.startswith("SEARCH"):
                assert 'HEADER Content-Type "multipart/report"' in rest
                reports = [
                    n for n, raw in enumerate(mails, 1) if "report" in message_from_bytes(raw).get_content_type()
                ]
                say("* SEARCH " + " ".join(map(str, reports)))
            case "UID":
                _, number, what = rest.split()
                assert what == "(BODY.PEEK[])"
                raw = mails[int(number) - 1]
                say(f"* {number} FETCH (UID {number} BODY[] {{{len(raw)}}}")
                say(raw + b")")
            case "LOGOUT":
                say("* BYE")
            case _:
                pass
        say(f"{tag} OK done")
