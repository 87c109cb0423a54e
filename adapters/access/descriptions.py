"""Clients in words: what each is granted, since when, and how it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from adapters.access.clients import ALL_TENANTS, RegisteredClient
from adapters.access.grants import LIMITS

_ELSE = ("certificate", "oidc")
"""How a client may prove itself without a token of ours."""


def table(clients: Sequence[RegisteredClient]) -> Iterator[str]:
    """All clients, a line each under the names of the columns."""
    rows: list[tuple[str, ...]] = [
        ("name", "role", "tenants", "supplier", "personal", "tokens made", *_ELSE, "expires", "state")
    ]
    for each in clients:
        made = ", ".join(map(minute, each.tokens_made_at))
        tenants = "all" if ALL_TENANTS in each.tenants else ", ".join(each.tenants)
        personal = "yes" if each.personal else ""
        about = (each.name, each.role, tenants, each.supplier or "", personal, made)
        rows.append((*about, each.certificate or "", each.oidc or "", minute(each.expires_at), state(each)))
    used = [index for index, name in enumerate(rows[0]) if name not in _ELSE or any(row[index] for row in rows[1:])]
    rows = [tuple(row[index] for index in used) for row in rows]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def minute(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%MZ}" if at else ""


def grants(client: RegisteredClient) -> str:
    tenants = "every tenant" if ALL_TENANTS in client.tenants else f"tenant {', '.join(client.tenants)}"
    personal = "with personal data" if client.personal else "without personal data"
    return f"role {client.role}, {tenants}, {personal}"


def in_full(client: RegisteredClient) -> str:
    limits = (f"{getattr(client, name)} {name.replace('_', ' ')}" for name in LIMITS if getattr(client, name))
    more = (f"supplier {client.supplier}" if client.supplier else "", *limits)
    expires = f"expires {minute(client.expires_at)}" if client.expires_at else ""
    return ", ".join(filter(None, (grants(client), *more, expires)))


def state(client: RegisteredClient) -> str:
    if client.revoked_at:
        return f"revoked {minute(client.revoked_at)}"
    return "expired" if client.expires_at and client.expires_at <= datetime.now(UTC) else "valid"
