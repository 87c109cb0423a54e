"""The options of the service: on the command line, or else in the environment."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from adapters.access import settings
from adapters.database import replica
from adapters.database.dsn import add_database_tls
from adapters.mail import settings as mail_settings
from adapters.metrics import settings as metrics_settings
from adapters.process.commands import BESIDE
from adapters.rpc.tracing import PER_SECOND
from adapters.web import settings as web_settings
from fulfilment import __version__


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
        replica.add_option(parser, _filled),
        add("--key-file", type=_path, help="keys of personal data (DATA/master.key)"),
        add("--traces", type=_filled, help="where spans of calls go by OTLP over gRPC, such as http://localhost:4317"),
        add(
            "--traces-per-second",
            type=_number,
            default=PER_SECOND,
            help="so many calls a second get them at most, beside those that their caller traces (%(default)s)",
        ),
        add("--role", choices=("all", "api", "projector", "edge"), default="all"),
        add("--log-level", choices=("debug", "info", "warning", "error"), default="info"),
        add("--log-format", choices=("json", "text"), default="text" if sys.stderr.isatty() else "json"),
        *settings.add_options(parser, _path),
        *web_settings.add_options(parser, _address),
        *metrics_settings.add_options(parser, _address),
        *mail_settings.add_options(parser, _path, _address),
    ]
    # Read as if they stood first on the command line, so that they are checked and real arguments win.
    words = {action.option_strings[0]: f"FULFILMENT_{action.dest.upper()}" for action in chosen}
    set_outside = [f"{option}={os.environ[name]}" for option, name in words.items() if name in os.environ]
    found = parser.parse_args([*set_outside, *arguments])
    found.key_file = found.key_file or found.data / "master.key"
    return found


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
