"""The gate: who calls, by the credentials that came with the call."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from adapters.access.callers import EVERYBODY, Caller
from adapters.access.clients import Clients, digest
from adapters.access.oidc import Issuer
from adapters.access.tls import subject_names
from ledger.refusals import BadCredentials

_SCHEME = "bearer "
_LONGEST_TOKEN = 200
"""A longer one is no token of ours, and is not even hashed."""


class Gate:
    """Finds out who calls; nobody passes without it."""

    def __init__(self, clients: Clients, issuer: Issuer | None = None, *, by_certificate: bool = False) -> None:
        self._clients = clients
        self._issuer = issuer
        self._by_certificate = by_certificate

    def who(self, authorization: str, context: Any = None) -> Caller:
        """The caller by the call's ``authorization`` or, over gRPC, by its connection's certificate.

        Raises BadCredentials, which is the same whatever is wrong, so that nobody learns which tokens there were.
        """
        clients = self._clients
        if clients.is_open:
            return EVERYBODY
        caller = clients.by_header.get(authorization)
        if caller is None:
            caller = self._by_credentials(authorization, context)
        if caller is not None and time.time() < caller.expires_at:
            return caller
        raise BadCredentials

    def _by_credentials(self, authorization: str, context: Any) -> Caller | None:
        if authorization:
            scheme, token = authorization[: len(_SCHEME)], authorization[len(_SCHEME) :]
            return self._by_token(token, authorization) if scheme.lower() == _SCHEME else None
        if self._by_certificate and context is not None:
            return _the_one(self._clients.by_certificate, subject_names(context))
        return None

    def _by_token(self, token: str, authorization: str) -> Caller | None:
        found = self._clients.by_digest.get(digest(token)) if len(token) <= _LONGEST_TOKEN else None
        if found is not None:
            self._clients.remember(authorization, found)
        elif self._issuer is not None and (proven := self._issuer.proven(token)) is not None:
            found = _the_one(self._clients.by_oidc, proven.names)
            if found is not None and proven.subject not in proven.names:
                return replace(found, person=proven.subject)
        return found


def _the_one(clients: Mapping[str, Caller], names: Iterable[str]) -> Caller | None:
    """The client that one of these names means; none if they mean several, for then nobody knows which."""
    found = {caller.name: caller for name in names if (caller := clients.get(name)) is not None}
    return found.popitem()[1] if len(found) == 1 else None
