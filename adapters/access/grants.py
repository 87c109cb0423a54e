"""What a client is granted, as it is typed: its name, its role, its tenants, what proves it, its limits."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from adapters.access.clients import is_name
from adapters.access.roles import ROLES
from adapters.database.control import is_tenant_name

LIMITS = ("calls_per_second", "calls_at_once", "bytes_at_once")

_MOST = 1_000_000_000
_LONGEST_WORD = 255


def add_grants(adding: argparse.ArgumentParser) -> None:
    option = adding.add_argument
    option("--role", required=True, type=_role, metavar="ROLE", help=f"one of {', '.join(ROLES)}")
    option("--tenant", action="append", type=_tenant, default=[], metavar="T", help="whose ledger; may be repeated")
    option("--all-tenants", action="store_true", help="every tenant, also those to come")
    option("--supplier", metavar="S", help="for the role supplier: whose orders it sees")
    option("--personal", action="store_true", help="it may see personal data")
    option("--certificate", type=_word, metavar="NAME", help="proves itself by a certificate for this name (a SAN)")
    option("--oidc", type=_word, metavar="NAME", help="proves itself by a token of the identity provider for this name")
    option("--expires", type=_instant, metavar="WHEN", help="a day or an instant, UTC unless it has an offset")
    option("--calls-per-second", type=_positive, metavar="N")
    option("--calls-at-once", type=_positive, metavar="N")
    option("--bytes-at-once", type=_positive, metavar="N", help="of requests that are under way")


def change_grants(changing: argparse.ArgumentParser) -> None:
    """Only what is said stands among what was chosen."""
    option, unsaid = changing.add_argument, argparse.SUPPRESS
    option("--role", type=_role, default=unsaid, metavar="ROLE", help=f"one of {', '.join(ROLES)}")
    option(
        "--tenant",
        dest="tenants",
        action="append",
        type=_tenant,
        default=unsaid,
        metavar="T",
        help="whose ledger instead; may be repeated",
    )
    option("--all-tenants", action="store_true", default=unsaid, help="every tenant, also those to come")
    option("--supplier", default=unsaid, metavar="S", help="for the role supplier: whose orders it sees")
    option("--personal", action=argparse.BooleanOptionalAction, default=unsaid, help="it may see personal data, or not")
    option("--expires", dest="expires_at", type=_expiry, default=unsaid, metavar="WHEN", help='a day, or "never"')
    for name in LIMITS:
        option(f"--{name.replace('_', '-')}", type=_limit, default=unsaid, metavar="N", help='or "none" of its own')


def _expiry(text: str) -> datetime | None:
    return None if text == "never" else _instant(text)


def _limit(text: str) -> int | None:
    return None if text == "none" else _positive(text)


def client_name(text: str) -> str:
    if not is_name(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot name a client: start with a letter a-z, then letters a-z, digits and -, 40 at most; "
            "names under which the service itself records are taken"
        )
    return text


def _role(text: str) -> str:
    if text not in ROLES:
        raise argparse.ArgumentTypeError(f"there is no role {text!r}; there are: {', '.join(ROLES)}")
    return text


def _tenant(text: str) -> str:
    if not is_tenant_name(text):
        raise argparse.ArgumentTypeError(f"{text!r} cannot name a tenant")
    return text


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day or instant; write it as 2027-01-31") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _word(text: str) -> str:
    if not (text and len(text) <= _LONGEST_WORD and text.isprintable()):
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 to {_LONGEST_WORD} printable characters")
    return text


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= _MOST):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {_MOST}")
    return int(text)
