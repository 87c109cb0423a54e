"""The registered clients: one table of the control schema, held in memory and read again every few seconds."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

import psycopg
from msgspec.structs import replace
from psycopg_pool import AsyncConnectionPool

from adapters.access.callers import OWN_NAMES, Caller
from adapters.access.limits import BYTES_AT_ONCE, CALLS_AT_ONCE, Limits, Meter
from adapters.access.roles import ROLES

SECONDS = 2.0
"""How often the table is read: so long a revoked client may still call."""
ALL_TENANTS = "*"
MOST_TOKENS = 2

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_TOKEN_BYTES = 32

log = logging.getLogger("fulfilment.access")


def is_name(text: str) -> bool:
    """Whether a client can have this name."""
    return _NAME.fullmatch(text) is not None and text not in OWN_NAMES


def make_token(name: str) -> str:
    """A new token. Its name is for people who find one; what counts are the 256 random bits."""
    return f"flk_{name}_{secrets.token_urlsafe(_TOKEN_BYTES)}"


def digest(token: str) -> bytes:
    """What is kept of a token. So many random bits need no slow hash."""
    return sha256(token.encode()).digest()


class RegisteredClient(NamedTuple):
    """A row of the table: its fields are the columns."""

    name: str
    role: str
    tenants: list[str]
    supplier: str | None
    personal: bool
    calls_per_second: int | None
    calls_at_once: int | None
    bytes_at_once: int | None
    certificate: str | None
    """A subject alternative name of the certificate that it proves itself by."""
    tokens: list[bytes]
    """SHA-256 of each, the older one first."""
    tokens_made_at: list[datetime]
    expires_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime
    oidc: str | None = None
    """What a token of the identity provider calls it."""

    @property
    def limits(self) -> Limits:
        at_once, in_bytes = self.calls_at_once or CALLS_AT_ONCE, self.bytes_at_once or BYTES_AT_ONCE
        return Limits(self.calls_per_second, at_once, in_bytes)

    @property
    def caller(self) -> Caller:
        return Caller(
            name=self.name,
            role=self.role,
            tenants=None if ALL_TENANTS in self.tenants else frozenset(self.tenants),
            supplier=self.supplier or "",
            personal=self.personal,
            expires_at=self.expires_at.timestamp() if self.expires_at else float("inf"),
        )


COLUMNS = ", ".join(RegisteredClient._fields)
_SELECT = f"SELECT {COLUMNS} FROM fulfilment.clients ORDER BY name"  # noqa: S608 - of constants


async def read_clients(connection: psycopg.AsyncConnection[Any]) -> list[RegisteredClient]:
    """All of them, revoked ones as well."""
    return [RegisteredClient._make(row) for row in await (await connection.execute(_SELECT)).fetchall()]


class Clients:
    """The clients as they were last read."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool
        self._rows: list[RegisteredClient] = []
        self._is_answered = True
        self.by_digest: Mapping[bytes, Caller] = {}
        """Who may call, by the SHA-256 of a token."""
        self.by_header: dict[str, Caller] = {}
        """Those of them who have called since the table changed, by what they sent: a token is hashed once."""
        self.by_certificate: Mapping[str, Caller] = {}
        self.by_oidc: Mapping[str, Caller] = {}
        self._meters: defaultdict[str, Meter] = defaultdict(Meter)
        """What is under way, by client: it goes on when the table changes."""
        self.is_open = True
        """Whether everybody may do everything. With the first client that ends, and comes back only with a new start,
        so that a table that was emptied opens nothing."""

    async def read(self) -> None:
        """Takes over what the table holds now."""
        async with self._pool.connection() as connection:
            self.take(await read_clients(connection))

    def take(self, rows: list[RegisteredClient]) -> None:
        """These are the clients from now on."""
        if rows == self._rows:
            return
        self._rows = rows
        # A role that only a newer version of the service knows may do nothing here.
        valid = [row for row in rows if row.revoked_at is None and row.role in ROLES]
        callers = [(self._caller(row), row) for row in valid]
        self.by_digest = {token: caller for caller, row in callers for token in row.tokens}
        self.by_header = {}
        self.by_certificate = {row.certificate: caller for caller, row in callers if row.certificate}
        self.by_oidc = {row.oidc: caller for caller, row in callers if row.oidc}
        if rows and self.is_open:
            log.info("closed: only registered clients may call")
            self.is_open = False

    def remember(self, authorization: str, caller: Caller) -> None:
        """Keeps what a client sent with a good token, until the table changes. Of other spellings it keeps no more."""
        if len(self.by_header) < len(self.by_digest):
            self.by_header[authorization] = caller

    def _caller(self, row: RegisteredClient) -> Caller:
        meter = self._meters[row.name]
        meter.set(row.limits)
        return replace(row.caller, meter=meter)

    async def run(self) -> None:
        """Reads again and again until it is cancelled; while the database is away, the last reading holds."""
        while True:
            await asyncio.sleep(SECONDS)
            try:
                await self.read()
            except (psycopg.Error, TimeoutError, OSError) as error:
                if self._is_answered:
                    log.warning("the clients cannot be read, so those read last hold: %s", type(error).__name__)
                self._is_answered = False
            else:
                self._is_answered = True
