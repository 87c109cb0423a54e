"""How the API is protected: the options of the service, and what they choose."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from adapters.access.listening import Listener
from adapters.access.oidc import BadKeys, Issuer, Keys, log
from adapters.access.tls import Files, Tls

_MIB = 1 << 20


class BadAccessSettings(Exception):
    """The API cannot be protected with these options; the message says what to do."""


class Access(NamedTuple):
    """What was chosen."""

    listener: Listener
    tls: Tls | None
    issuer: Issuer | None
    by_certificate: bool
    """Whether a client may prove itself by a certificate."""
    message_bytes: int
    """The longest message."""

    @property
    def renewed(self) -> Iterator[Tls | Keys]:
        """What changes while the service runs, and has to be looked at."""
        if self.tls is not None:
            yield self.tls
        if self.issuer is not None:
            yield self.issuer.keys


def add_options(parser: argparse.ArgumentParser, path: Callable[[str], Path]) -> list[argparse.Action]:
    """The options of access; ``path`` reads a path as the other options do."""
    group = parser.add_argument_group("access").add_argument
    return [
        group("--tls-cert", type=path, help="certificate of the service, with those up to its authority, as PEM"),
        group("--tls-key", type=path, help="its private key, as PEM"),
        group("--tls-client-ca", type=path, help="only who has a certificate of these authorities may call"),
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
        group("--oidc-jwks", type=_source(path), help="its public keys: a file, or a URL that begins with https://"),
        group("--oidc-claim", default="sub", help="the claim of its tokens that names the client (%(default)s)"),
        group("--message-mib", type=_mib, default=16, help="the longest message, in MiB (%(default)s)"),
    ]


def access_of(chosen: argparse.Namespace) -> Access:
    """What protects the API. Raises BadAccessSettings, BadCertificate, CannotListen and Unprotected."""
    tls = tls_of(chosen)
    return Access(
        Listener(chosen.listen, tls, behind_proxy=chosen.behind_proxy == "yes"),
        tls,
        issuer_of(chosen),
        by_certificate=chosen.tls_client_ca is not None,
        message_bytes=chosen.message_mib * _MIB,
    )


def tls_of(chosen: argparse.Namespace) -> Tls | None:
    """What encrypts it; raises BadAccessSettings and BadCertificate."""
    if chosen.tls_cert is None and chosen.tls_key is None:
        if chosen.tls_client_ca is not None:
            raise BadAccessSettings("--tls-client-ca needs --tls-cert and --tls-key as well")
        return None
    for option, value in (("--tls-cert", chosen.tls_cert), ("--tls-key", chosen.tls_key)):
        if value is None:
            raise BadAccessSettings(f"{option} is missing: a certificate and its key go together")
    if chosen.behind_proxy == "yes":
        raise BadAccessSettings("--behind-proxy says that a proxy ends TLS, and --tls-cert ends it here; choose one")
    return Tls(Files(chosen.tls_cert, chosen.tls_key, chosen.tls_client_ca))


def issuer_of(chosen: argparse.Namespace) -> Issuer | None:
    """The identity provider, if there is one; raises BadAccessSettings."""
    given = {name: getattr(chosen, f"oidc_{name}") for name in ("issuer", "audience", "jwks")}
    if not any(given.values()):
        return None
    for name, value in given.items():
        if not value:
            raise BadAccessSettings(
                f"--oidc-{name} is missing: --oidc-issuer, --oidc-audience and --oidc-jwks go together"
            )
    keys = Keys(chosen.oidc_jwks)
    try:
        keys.read()
    except BadKeys as problem:
        if isinstance(chosen.oidc_jwks, Path):
            raise BadAccessSettings(f"--oidc-jwks: {problem}") from problem
        # The ledger does not depend on whether the provider is there: tokens of ours are taken all the same.
        log.warning("%s; until they can be, tokens of the identity provider are not taken", problem)
    return Issuer(chosen.oidc_issuer, chosen.oidc_audience, keys, chosen.oidc_claim)


def _source(path: Callable[[str], Path]) -> Callable[[str], Path | str]:
    def source(text: str) -> Path | str:
        if "://" not in text:
            return path(text)
        if urlsplit(text).scheme != "https" or not urlsplit(text).hostname:
            raise argparse.ArgumentTypeError(f"{text!r} is neither a file nor a URL that begins with https://")
        return text

    return source


def _mib(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 1024):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of MiB from 1 to 1024")
    return int(text)
