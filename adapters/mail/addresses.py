"""E-mail addresses in what people write: a bare address, one in angle brackets after a name, or one among other words.

A mail is only written to an address that every mail server takes: ASCII before the @ (more needs SMTPUTF8, which not
every server speaks), a domain of at least two labels after it, in Unicode or in ASCII.
"""

from __future__ import annotations

import re

_CANDIDATE = re.compile(r"[^\s<>()\[\],;:\"\\]+@[^\s<>()\[\],;:\"\\]+")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])")
_MOST_LOCAL, _MOST = 64, 254
_DEVIATIONS = frozenset("ßς\u200c\u200d")
"""IDNA 2003, which Python implements, and IDNA 2008 encode these differently: the mail could reach a stranger."""


def addresses_in(text: str) -> list[str]:
    """The addresses in the text that a mail can be sent to, as they stand there, each once, their domains in ASCII."""
    by_name: dict[str, str] = {}
    for address in filter(None, map(_usable, _CANDIDATE.findall(text))):
        by_name.setdefault(address.casefold(), address)
    return list(by_name.values())


def _usable(candidate: str) -> str | None:
    local, _, named = candidate.rpartition("@")
    domain = _in_ascii(named.rstrip("."))
    address = f"{local}@{domain}"
    fits = len(local) <= _MOST_LOCAL and len(address) <= _MOST
    return address if fits and _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain) else None


def _in_ascii(domain: str) -> str:
    """The domain as the name system has it; empty if it has none."""
    if not domain.isascii() and not _DEVIATIONS.isdisjoint(domain):
        return ""
    try:
        return domain.encode("idna").decode().lower()
    except UnicodeError:
        return ""
