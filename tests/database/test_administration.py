"""``python server.py client ...`` on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from adapters.access.administration import AdministrationFailed
from adapters.access.clients import digest
from adapters.database.control import Control
from adapters.database.postgres import open_pool
from tests.support.access import Administered, administer
from tests.support.stalls import EmptyTenant


@pytest.fixture
def name(conninfo: str) -> str:
    """A client that nobody has yet, on a database that is ready."""

    async def prepare() -> None:
        async with open_pool(conninfo) as pool:
            await Control(pool).prepare()

    asyncio.run(prepare())
    return f"c{uuid.uuid4().hex[:12]}"


@pytest.fixture
def client(conninfo: str) -> Any:
    def command(*words: str) -> Administered:
        return administer(*words, "--dsn", conninfo)

    return command


def row_of(conninfo: str, name: str) -> dict[str, Any]:
    with psycopg.connect(conninfo, row_factory=psycopg.rows.dict_row) as connection:
        row = connection.execute("SELECT * FROM fulfilment.clients WHERE name = %s", (name,)).fetchone()
    assert row is not None
    return row


def test_a_client_is_kept_as_it_was_granted_and_its_token_as_a_hash(conninfo: str, client: Any, name: str):
    words = ("--role", "supplier", "--supplier", "acme", "--tenant", "default", "--tenant", "later", "--personal")
    limits = ("--calls-per-second", "50", "--calls-at-once", "8", "--bytes-at-once", "1000000")
    made = client("add", name, *words, *limits, "--expires", "2099-12-31")
    assert made.token.startswith(f"flk_{name}_")
    assert made.out.count("\n") == 1
    assert f"Client {name} is registered: role supplier, tenant default, later, with personal data." in made.told
    assert "Note: there is no tenant later yet." in made.told
    row = row_of(conninfo, name)
    assert (row["tenants"], row["supplier"], row["personal"]) == (["default", "later"], "acme", True)
    assert (row["calls_per_second"], row["calls_at_once"], row["bytes_at_once"]) == (50, 8, 1_000_000)
    assert row["tokens"] == [digest(made.token)]
    assert f"{row['expires_at']:%Y-%m-%d}" == "2099-12-31"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--role", "shop"), "say of which tenants: --tenant NAME"),
        (("--role", "supplier", "--tenant", "default"), "needs --supplier"),
        (("--role", "shop", "--tenant", "default", "--supplier", "acme"), "--supplier is for the role supplier"),
        (("--role", "shop", "--tenant", "default", "--expires", "2020-01-01"), "has passed already"),
    ],
)
def test_what_does_not_fit_together_changes_nothing(
    conninfo: str, client: Any, name: str, words: tuple[str, ...], said: str
):
    with pytest.raises(AdministrationFailed, match=said):
        client("add", name, *words)
    assert name not in client("list").out


def test_what_a_client_may_do_changes_and_its_token_stays(conninfo: str, client: Any, name: str):
    token = client("add", name, "--role", "shop", "--tenant", "default", "--personal", "--calls-at-once", "8").token
    limits = ("--calls-at-once", "none", "--calls-per-second", "50")
    words = ("--role", "supplier", "--supplier", "acme", "--no-personal", "--expires", "2099-12-31", *limits)
    told = client("change", name, *words)
    assert f"Client {name} was: role shop, tenant default, with personal data, 8 calls at once." in told.told
    assert "role supplier, tenant default, without personal data, supplier acme, 50 calls per second" in told.told
    assert told.out == ""
    row = row_of(conninfo, name)
    assert (row["role"], row["supplier"], row["personal"]) == ("supplier", "acme", False)
    assert (row["calls_at_once"], row["calls_per_second"], row["tokens"]) == (None, 50, [digest(token)])
    client("change", name, "--role", "auditor", "--expires", "never", "--tenant", "default", "--tenant", "default")
    row = row_of(conninfo, name)
    assert (row["role"], row["supplier"], row["expires_at"], row["tenants"]) == ("auditor", None, None, ["default"])
    client("change", name, "--all-tenants")
    assert (row_of(conninfo, name)["tenants"], row_of(conninfo, name)["role"]) == (["*"], "auditor")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say what is to change"),
        (("--role", "supplier"), "needs --supplier"),
        (("--supplier", "acme"), "--supplier is for the role supplier"),
        (("--expires", "2020-01-01"), "has passed already"),
    ],
)
def test_a_change_that_does_not_fit_changes_nothing(
    conninfo: str, client: Any, name: str, words: tuple[str, ...], said: str
):
    client("add", name, "--role", "shop", "--tenant", "default")
    before = row_of(conninfo, name)
    with pytest.raises(AdministrationFailed, match=said):
        client("change", name, *words)
    assert row_of(conninfo, name) == before


def test_a_supplier_that_no_tenant_of_the_client_knows_is_told_and_kept(
    conninfo: str, client: Any, name: str, shop: EmptyTenant
):
    tenant, words = shop.schema.removeprefix("tenant_"), ("--role", "supplier", "--supplier", "acme")
    warning = f"Warning: no tenant of {name} knows a supplier acme yet"
    assert warning in client("add", name, *words, "--tenant", tenant, "--tenant", "later").told
    assert row_of(conninfo, name)["supplier"] == "acme"
    with psycopg.connect(conninfo) as connection:
        connection.execute(
            SQL("INSERT INTO {} VALUES ('supplier-acme', 1, 'supplier.registered', '{{}}', 1)").format(
                Identifier(shop.schema, "ledger_events")
            )
        )
    assert "Warning" not in client("change", name, "--expires", "never").told
    assert "Warning" not in client("change", name, "--all-tenants").told
    told = client("change", name, "--tenant", tenant, "--supplier", "acm").told
    assert f"knows a supplier acm yet, so that it sees nothing. If that is mistyped: client change {name}" in told


def test_a_name_is_used_once(client: Any, name: str):
    client("add", name, "--role", "shop", "--all-tenants")
    with pytest.raises(AdministrationFailed, match=f"there is a client {name}, which has the role shop"):
        client("add", name, "--role", "owner", "--all-tenants")
    client("revoke", name)
    with pytest.raises(AdministrationFailed, match=f"there is a client {name}, which was revoked"):
        client("add", name, "--role", "owner", "--all-tenants")


def test_a_client_has_two_tokens_at_most_and_the_older_is_retired_first(conninfo: str, client: Any, name: str):
    first = client("add", name, "--role", "shop", "--all-tenants").token
    with pytest.raises(AdministrationFailed, match="has one token only"):
        client("revoke", name, "--old-token-only")
    second = client("rotate", name)
    assert "stays valid until you retire it" in second.told
    assert row_of(conninfo, name)["tokens"] == [digest(first), digest(second.token)]
    with pytest.raises(AdministrationFailed, match=r"two tokens, made .* and .*; retire the older one first"):
        client("rotate", name)
    assert "is retired" in client("revoke", name, "--old-token-only").told
    assert row_of(conninfo, name)["tokens"] == [digest(second.token)]
    assert len(row_of(conninfo, name)["tokens_made_at"]) == 1


def test_a_revoked_client_is_listed_and_has_no_token_any_more(conninfo: str, client: Any, name: str):
    client("add", name, "--role", "shop", "--tenant", "default")
    client("revoke", name)
    assert row_of(conninfo, name)["tokens"] == []
    (line,) = [line for line in client("list").out.splitlines() if line.startswith(name)]
    assert "shop  default" in " ".join(line.split()).replace(" ", "  ")
    assert "revoked" in line
    with pytest.raises(AdministrationFailed, match="was revoked"):
        client("change", name, "--personal")
    for command in ("rotate", "revoke"):
        with pytest.raises(AdministrationFailed, match="was revoked"):
            client(command, name)


def test_an_unknown_client_is_told_with_those_that_there_are(client: Any, name: str):
    client("add", name, "--role", "shop", "--tenant", "default")
    with pytest.raises(AdministrationFailed, match=f"there is no client {name}x; there are: .*{name}"):
        client("rotate", f"{name}x")


@pytest.mark.parametrize("option", ["--certificate", "--oidc"])
def test_who_proves_itself_otherwise_has_a_token_only_if_it_asks_for_one(
    conninfo: str, client: Any, name: str, option: str
):
    made = client("add", name, "--role", "shop", "--all-tenants", option, f"{name}.example")
    assert (made.out, row_of(conninfo, name)["tokens"]) == ("", [])
    (line,) = [line for line in client("list").out.splitlines() if line.startswith(name)]
    assert f"{name}.example" in line
    token = client("rotate", name).token
    assert row_of(conninfo, name)["tokens"] == [digest(token)]


@pytest.mark.parametrize("option", ["--certificate", "--oidc"])
def test_what_proves_one_client_proves_no_other_until_that_is_revoked(client: Any, name: str, option: str):
    words = ("--role", "shop", "--all-tenants", option, f"{name}.example")
    client("add", name, *words)
    with pytest.raises(AdministrationFailed, match=f"names the client {name} already; revoke that one first"):
        client("add", f"{name}2", *words)
    client("revoke", name)
    assert "is registered" in client("add", f"{name}2", *words).told
