"""Where the edges listen, and whom they may call: what the options of the service choose."""

from __future__ import annotations

import argparse
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


def web_of(chosen: argparse.Namespace) -> Web:
    """By the same rules as the API. Raises BadAccessSettings, BadCertificate, CannotListen and Unprotected."""
    tls = tls_of(chosen)
    return Web(
        address=chosen.web,
        listener=Listener(chosen.web, tls, behind_proxy=chosen.behind_proxy == "yes"),
        issuer=issuer_of(chosen),
        message_bytes=chosen.message_mib << 20,
        files=Files(chosen.tls_cert, chosen.tls_key, chosen.tls_client_ca) if tls else None,
        private_too=chosen.web_private == "yes",
        behind_proxy=chosen.behind_proxy == "yes",
    )
