"""The options of the service: on the command line, or else in the environment.

Nothing is imported for them that only some roles need: whoever starts a process waits for it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from email.headerregistry import Address
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit

from adapters.database.dsn import add_database_tls
from adapters.mail import IMAP_PASSWORD, PASSWORD
from adapters.mail.addresses import addresses_in
from adapters.process.commands import BESIDE
from fulfilment import __version__
from ledger.engine.shelf import MEMORY_MIB

TRACED_PER_SECOND = 20
"""How many calls are traced a second, where nobody says something else."""
_DAY_SECONDS = 86_400


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """What was chosen, on the command line or else in the environment; what is wrong with it ends the process."""
    parser = argparse.ArgumentParser(
        prog="server.py",
        usage="python server.py [OPTION ...]",
        description="The fulfilment ledger over gRPC.",
        epilog="Each option can also be set in the environment: FULFILMENT_LISTEN, FULFILMENT_DATA, and so on. Beside "
        f"the service there are {' and '.join(f'server.py {command}' for command in BESIDE)}, each with a --help.",
    )
    add = parser.add_argument
    add("--version", action="version", version=f"fulfilment {__version__}")
    chosen = [
        add("--listen", type=_address, default="127.0.0.1:50051", help="host:port (%(default)s)"),
        add("--data", type=_path, default="data", help="data folder (%(default)s)"),
        add("--dsn", type=_filled, help="a PostgreSQL to use instead of the embedded one"),
        add_database_tls(parser),
        add(
            "--reporting-dsn",
            type=_filled,
            help="a replica of the database, from which exports are read; without one the database itself",
        ),
        add("--key-file", type=_path, help="keys of personal data (DATA/master.key)"),
        add("--traces", type=_filled, help="where spans of calls go by OTLP over gRPC, such as http://localhost:4317"),
        add(
            "--traces-per-second",
            type=_number,
            default=TRACED_PER_SECOND,
            help="so many calls a second get them at most, beside those that their caller traces (%(default)s)",
        ),
        add(
            "--memory-mib",
            type=_mib(16, 1 << 20),
            default=MEMORY_MIB,
            help="folded streams that stay in memory, in MiB, of each process (%(default)s)",
        ),
        add("--role", choices=("all", "api", "projector", "edge"), default="all"),
        add("--log-level", choices=("debug", "info", "warning", "error"), default="info"),
        add("--log-format", choices=("json", "text"), default="text" if sys.stderr.isatty() else "json"),
        *of_access(parser),
        *_of_edges(parser),
        add(
            "--metrics",
            type=_address_or_port,
            help="[host:]port with figures for Prometheus at /metrics; without a host this machine only; none if not "
            "said",
        ),
        *_of_mail(parser),
    ]
    # Read as if they stood first on the command line, so that they are checked and real arguments win.
    words = {action.option_strings[0]: f"FULFILMENT_{action.dest.upper()}" for action in chosen}
    set_outside = [f"{option}={os.environ[name]}" for option, name in words.items() if name in os.environ]
    found = parser.parse_args([*set_outside, *arguments])
    found.key_file = found.key_file or found.data / "master.key"
    return found


def of_access(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    group = parser.add_argument_group("access").add_argument
    return [
        group("--tls-cert", type=_path, help="certificate of the service, with those up to its authority, as PEM"),
        group("--tls-key", type=_path, help="its private key, as PEM"),
        group("--tls-client-ca", type=_path, help="only who has a certificate of these authorities may call"),
        group(
            "--behind-proxy",
            nargs="?",
            choices=("yes", "no"),
            const="yes",
            default="no",
            help="a proxy ends TLS, and nobody else reaches this address (%(default)s)",
        ),
        group("--oidc-issuer", help="an identity provider whose tokens are taken: what their claim iss says"),
        group("--oidc-audience", help="for whom its tokens must be: what their claim aud says"),
        group("--oidc-jwks", type=_source, help="its public keys: a file, or a URL that begins with https://"),
        group("--oidc-claim", default="sub", help="the claim of its tokens that names the client (%(default)s)"),
        group("--message-mib", type=_mib(1, 1024), default=16, help="the longest message, in MiB (%(default)s)"),
    ]


def _of_edges(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    group = parser.add_argument_group("edges").add_argument
    return [
        group("--web", type=_address, help="host:port for what shops and tracking services send; none if not said"),
        group(
            "--web-private",
            nargs="?",
            choices=("yes", "no"),
            const="yes",
            default="no",
            help="shops and tracking services in the own network are called too (%(default)s)",
        ),
    ]


def _of_mail(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    group = parser.add_argument_group("mail").add_argument
    return [
        group(
            "--outbox",
            choices=("file", "smtp", "off"),
            default="file",
            help="where messages go: mails as files in DATA/outbox, a mail server, or nowhere (%(default)s)",
        ),
        group("--mail-from", type=_mailbox, help="whom mails come from: orders@shop.example or Shop <...>"),
        group("--mail-bounces", type=_mailbox, help="where undeliverable mail is returned to (that of --mail-from)"),
        group("--smtp", type=_address, help="the mail server, HOST:PORT"),
        group(
            "--smtp-security",
            choices=("starttls", "tls", "none"),
            default="starttls",
            help="how it is spoken to: starttls, usual on port 587, tls, usual on 465, or none (%(default)s)",
        ),
        group("--smtp-user", help=f"logs in; the password is in {PASSWORD} or in a file"),
        group("--smtp-password-file", type=_path, help="its first line is the password"),
        group("--smtp-ca", type=_path, help="certificates to trust instead of the machine's own, as PEM"),
        group("--bounces", help="where returned mail is read: imaps://shop@mail.example/Bounces (nowhere)"),
        group("--bounces-every", type=_seconds, default=300, help="seconds between two readings (%(default)s)"),
        group(
            "--bounces-password-file", type=_path, help=f"its first line is the password; or it is in {IMAP_PASSWORD}"
        ),
        group("--bounces-ca", type=_path, help="as --smtp-ca, for the server with the returned mail"),
    ]


# --- how they are read --------------------------------------------------------------------------------


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 on")
    return int(text)


def _filled(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; give it a value or leave it out")
    return text


def _path(text: str) -> Path:
    try:
        return Path(_filled(text)).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}; write the whole path") from error


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no address; write HOST:PORT, such as 127.0.0.1:50051")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise argparse.ArgumentTypeError(f"{text!r} is no address; IPv6 needs brackets, such as [::1]:50051")
    return text


def _address_or_port(text: str) -> str:
    return _address(f"127.0.0.1:{text}" if text.isdecimal() else text)


def _source(text: str) -> Path | str:
    if "://" not in text:
        return _path(text)
    if urlsplit(text).scheme != "https" or not urlsplit(text).hostname:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a file nor a URL that begins with https://")
    return text


def _mib(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} is no number of MiB from {least} to {most}")
        return int(text)

    return read


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= _DAY_SECONDS):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 1 to {_DAY_SECONDS}")
    return int(text)


def _mailbox(text: str) -> Address:
    """An address, or a name and an address in angle brackets."""
    name, found = parseaddr(text)
    if addresses_in(found) != [found] or not name.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is no address; write it as orders@shop.example or Shop <...>")
    return Address(name, addr_spec=found)
