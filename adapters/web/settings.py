"""Where the edges listen, and whom they may call: the options of the service, and what they choose."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

from adapters.access.listening import Listener
from adapters.access.oidc import Issuer
from adapters.access.settings import issuer_of, tls_of
from adapters.access.tls import Files


class Web(NamedTuple):
    """What was chosen."""

    address: str
    listener: Listener
    issuer: Issuer | None
    message_bytes: int
    """The longest body of a call."""
    files: Files | None
    """The certificate, its key and the authority of clients, if TLS ends here."""
    private_too: bool
    """Whether systems may stand in the own network."""
    behind_proxy: bool = False
    """Whether a proxy says who calls."""


def add_options(parser: argparse.ArgumentParser, address: Callable[[str], str]) -> list[argparse.Action]:
    """The options of the edges; ``address`` reads an address as the other options do."""
    group = parser.add_argument_group("edges").add_argument
    return [
        group("--web", type=address, help="host:port for what shops and tracking services send; none if not said"),
        group(
            "--web-private",
            nargs="?",
            choices=("yes", "no"),
            const="yes",
            default="no",
            help="shops and tracking services in the own network are called too (%(default)s)",
        ),
    ]


def web_of(chosen: argparse.Namespace) -> Web:
    """By the same rules as the API. Raises BadAccessSettings, BadCertificate, CannotListen and Unprotected."""
    tls = tls_of(chosen)
    return Web(
        chosen.web,
        Listener(chosen.web, tls, behind_proxy=chosen.behind_proxy == "yes"),
        issuer_of(chosen),
        chosen.message_mib << 20,
        Files(chosen.tls_cert, chosen.tls_key, chosen.tls_client_ca) if tls else None,
        chosen.web_private == "yes",
        chosen.behind_proxy == "yes",
    )
