"""The gate hashes a token once, and forgets what it remembered as soon as the clients change."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from adapters.access import gate as gates
from adapters.access.clients import Clients, RegisteredClient, digest, make_token
from adapters.access.gate import Gate
from ledger.refusals import BadCredentials

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


def registered(name: str, *tokens: str, role: str = "shop", **more: Any) -> RegisteredClient:
    hashes, made_at = [digest(each) for each in tokens], [NOW] * len(tokens)
    said: dict[str, Any] = {"expires_at": None, "revoked_at": None, "created_at": NOW, **more}
    limits: dict[str, Any] = dict.fromkeys(("calls_per_second", "calls_at_once", "bytes_at_once"))
    return RegisteredClient(
        name, role, ["*"], None, False, **limits, certificate=None, tokens=hashes, tokens_made_at=made_at, **said
    )


@pytest.fixture
def clients() -> Clients:
    return Clients(cast("Any", None))


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens that were hashed."""
    tokens: list[str] = []

    def hashing(token: str) -> bytes:
        tokens.append(token)
        return digest(token)

    monkeypatch.setattr(gates, "digest", hashing)
    return tokens


def is_refused(gate: Gate, authorization: str) -> bool:
    try:
        gate.who(authorization)
    except BadCredentials:
        return True
    return False


def test_a_token_is_hashed_once_until_the_clients_change(clients: Clients, hashed: list[str]):
    first, second, gate = make_token("shop-web"), make_token("shop-web"), Gate(clients)
    clients.take([registered("shop-web", first)])
    assert [gate.who(f"Bearer {first}").name for _ in range(3)] == ["shop-web"] * 3
    assert hashed == [first]
    clients.take([registered("shop-web", first, second, role="auditor")])
    assert [gate.who(f"Bearer {each}").role for each in (first, second, first)] == ["auditor"] * 3
    assert hashed == [first, first, second]


def test_what_was_remembered_ends_with_the_token_the_client_and_its_time(clients: Clients):
    first, second, gate = make_token("shop-web"), make_token("shop-web"), Gate(clients)
    bearer = f"Bearer {first}"
    clients.take([registered("shop-web", first, second)])
    assert not is_refused(gate, bearer)
    clients.take([registered("shop-web", second)])
    assert is_refused(gate, bearer)
    assert not is_refused(gate, f"Bearer {second}")
    clients.take([registered("shop-web", second, revoked_at=NOW)])
    assert is_refused(gate, f"Bearer {second}")
    clients.take([])
    assert is_refused(gate, f"Bearer {second}")


def test_a_client_whose_time_passes_while_it_is_remembered_is_refused(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
):
    token, gate = make_token("shop-web"), Gate(clients)
    clients.take([registered("shop-web", token, expires_at=NOW)])
    monkeypatch.setattr(time, "time", lambda: NOW.timestamp() - 1)
    assert not is_refused(gate, f"Bearer {token}")
    monkeypatch.setattr(time, "time", lambda: NOW.timestamp())
    assert is_refused(gate, f"Bearer {token}")


def test_nothing_is_remembered_of_what_is_no_token_and_of_other_spellings_no_more_than_there_are_tokens(
    clients: Clients,
):
    token, gate = make_token("shop-web"), Gate(clients)
    clients.take([registered("shop-web", token)])
    for wrong in ("", "Bearer ", f"Basic {token}", f"Bearer {token}x", f"Bearer {token[:-1]}", token):
        assert is_refused(gate, wrong)
    assert clients.by_header == {}
    for spelling in ("bearer", "BEARER", "Bearer", "bEARER"):
        assert gate.who(f"{spelling} {token}").name == "shop-web"
    assert len(clients.by_header) == 1
