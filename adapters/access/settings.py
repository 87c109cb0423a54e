"""How the API is protected: what the options of the service choose."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

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
