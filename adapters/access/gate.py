"""The gate: who calls, by the credentials that came with the call."""

from __future__ import annotations

import time

from adapters.access.callers import EVERYBODY, Caller
from adapters.access.clients import Clients, digest
from ledger.refusals import BadCredentials

_SCHEME = "bearer "
_LONGEST_TOKEN = 200
"""A longer one is no token of ours, and is not even hashed."""


class Gate:
    """Finds out who calls; nobody passes without it."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def who(self, authorization: str) -> Caller:
        """The caller by the call's ``authorization``.

        Raises BadCredentials, which is the same whatever is wrong, so that nobody learns which tokens there were.
        """
        if self._clients.is_open:
            return EVERYBODY
        scheme, token = authorization[: len(_SCHEME)], authorization[len(_SCHEME) :]
        if scheme.lower() == _SCHEME and len(token) <= _LONGEST_TOKEN:
            caller = self._clients.by_digest.get(digest(token))
            if caller is not None and time.time() < caller.expires_at:
                return caller
        raise BadCredentials
