"""The table of the roles, and what the gate makes of a token."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import psycopg
import pytest

from adapters import clock
from adapters.access import administration
from adapters.access.callers import EVERYBODY, OWN_NAMES, UNNAMED
from adapters.access.clients import Clients, RegisteredClient, digest, is_name, make_token
from adapters.access.gate import Gate
from adapters.access.roles import ROLES
from adapters.console.terminal.session import Session
from adapters.database.beside import NoLedger
from adapters.messages import outbox_work
from adapters.rpc.calls import Call
from adapters.rpc.own import OWN
from adapters.rpc.work.shows import rpc_of
from ledger.refusals import BadCredentials, NotAllowed, UnknownTenant
from projections.work.kinds import Step
from tests.support import documented

RPCS = documented.rpcs()
NOW = datetime.now(UTC)
SHOP, OLDER = make_token("shop"), make_token("shop")


def registered(**more: Any) -> RegisteredClient:
    row = RegisteredClient(
        name="shop",
        role="shop",
        tenants=["brook"],
        supplier=None,
        personal=False,
        calls_per_second=None,
        calls_at_once=None,
        bytes_at_once=None,
        certificate=None,
        tokens=[digest(OLDER), digest(SHOP)],
        tokens_made_at=[NOW, NOW],
        expires_at=None,
        revoked_at=None,
        created_at=NOW,
    )
    return row._replace(**more)


def clients(*rows: RegisteredClient) -> Clients:
    found = Clients(cast("Any", None))  # no database is asked
    found.take(list(rows))
    return found


def who(token: str, *rows: RegisteredClient) -> Any:
    return Gate(clients(*rows)).who(f"Bearer {token}")


# --- roles ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rpc", sorted(RPCS))
def test_every_rpc_has_a_role(rpc: str):
    assert rpc in ROLES["owner"].rpcs, f"name {rpc} in a row of adapters/access/roles.py: who may call it?"


def test_the_table_names_rpcs_that_there_are():
    assert {rpc for role in ROLES.values() for rpc in role.rpcs} <= RPCS.keys()


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_send_batches_if_it_may_record_anything(role: str):
    rpcs = ROLES[role].rpcs
    assert ("ExecuteBatch" in rpcs) == any(RPCS[rpc].is_command for rpc in rpcs)


@pytest.mark.parametrize("role", ["auditor", "reporting"])
def test_who_only_reads_records_nothing(role: str):
    changes = {"CreateTenant", "ErasePerson", "RebuildProjection", "ExecuteBatch"}
    assert not {rpc for rpc in ROLES[role].rpcs if RPCS[rpc].is_command or rpc in changes}


def test_a_supplier_may_call_what_the_table_of_its_own_says_and_all_that_it_names_is_checked():
    assert OWN.keys() == ROLES["supplier"].rpcs, "adapters/rpc/own.py says how an RPC names a supplier's own"
    for rpc, own in OWN.items():
        answers = (RPCS[rpc].is_command and rpc != "ExecuteBatch") or rpc.startswith("Get")
        assert (own.check is not None) == answers, rpc


@pytest.mark.parametrize("step", Step)
def test_each_step_of_the_work_can_be_done_by_staff(step: Step):
    rpc = rpc_of(step).name
    assert any(rpc in ROLES[role].rpcs for role in ("operations", "supplier_manager", "after_sales"))


def test_what_a_receipt_can_bring_is_read_by_an_rpc_of_its_name():
    assert {f"Get{each}" for each in ("Order", "Case", "Parcel", "Supplier", "Recovery", "Inquiry")} <= RPCS.keys()


def test_a_command_in_a_batch_is_of_the_rpc_that_its_request_is_named_after():
    assert all(rpc.request.rpartition(".")[2] == f"{rpc.name}Request" for rpc in RPCS.values())


# --- tokens -----------------------------------------------------------------------------------------


def test_a_token_names_its_client_and_is_long_and_random():
    assert re.fullmatch(r"flk_shop_[A-Za-z0-9_-]{43}", SHOP)
    assert SHOP != OLDER


def test_both_tokens_of_a_client_are_its_own():
    assert who(SHOP, registered()).name == who(OLDER, registered()).name == registered().name


@pytest.mark.parametrize(
    "row",
    [
        registered(expires_at=NOW - timedelta(seconds=1)),
        registered(revoked_at=NOW),
        registered(tokens=[digest(OLDER)], tokens_made_at=[NOW]),
        registered(role="of_a_newer_version"),
    ],
    ids=["expired", "revoked", "retired", "role unknown here"],
)
def test_who_is_not_valid_is_nobody(row: RegisteredClient):
    with pytest.raises(BadCredentials):
        who(SHOP, row)


def test_until_it_expires_a_client_is_valid():
    assert who(SHOP, registered(expires_at=datetime.now(UTC) + timedelta(hours=1))).name == "shop"


def test_the_refusal_quotes_nothing():
    with pytest.raises(BadCredentials) as refusal:
        who("flk_somebody_secret", registered())
    assert "secret" not in refusal.value.message + str(refusal.value.details)


def test_no_representation_shows_a_token():
    held = clients(registered())
    for shown in (repr(held), repr(Gate(held)), repr(registered()), repr(registered().caller)):
        assert SHOP.rpartition("_")[2] not in shown


def test_only_the_first_client_closes_and_an_emptied_table_opens_nothing():
    held = clients()
    assert Gate(held).who("") is EVERYBODY
    held.take([registered(revoked_at=NOW)])
    held.take([])
    with pytest.raises(BadCredentials):
        Gate(held).who("")


async def test_while_the_database_is_away_the_clients_that_were_read_last_hold(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    asked, enough = 0, asyncio.Event()

    class Away:
        def connection(self) -> Any:
            nonlocal asked
            asked += 1
            if asked == 3:
                enough.set()
            raise psycopg.OperationalError("gone")

    monkeypatch.setattr("adapters.access.clients.SECONDS", 0.001)
    held = Clients(cast("Any", Away()))
    held.take([registered()])
    reading = asyncio.create_task(held.run())
    await enough.wait()
    reading.cancel()
    assert Gate(held).who(f"Bearer {SHOP}").name == "shop"
    assert [each.message for each in caplog.records] == [
        "the clients cannot be read, so those read last hold: OperationalError"
    ]


# --- what a caller may do ---------------------------------------------------------------------------


def test_whoever_is_not_registered_is_an_owner_of_every_tenant_as_long_as_it_is_open():
    assert EVERYBODY.tenant(None) == "default"
    assert EVERYBODY.tenant("hill") == "hill"
    assert [EVERYBODY.actor("mia"), EVERYBODY.actor("")] == ["mia", UNNAMED]
    EVERYBODY.require("ErasePerson")


def test_a_role_is_refused_with_its_name_and_the_rpc():
    with pytest.raises(NotAllowed, match="the role shop may not call ApproveSupplier"):
        registered().caller.require("ApproveSupplier")


@pytest.mark.parametrize(
    ("granted", "named", "found"),
    [
        (["brook"], None, "brook"),
        (["brook"], "brook", "brook"),
        (["brook", "default"], None, "default"),
        (["*"], None, "default"),
        (["*"], "hill", "hill"),
        (["brook"], "hill", ""),
        (["brook"], "default", ""),
        (["brook"], "", ""),
        (["brook", "hill"], None, ""),
    ],
)
def test_the_tenant_is_one_that_is_granted(granted: list[str], named: str | None, found: str):
    """No tenant is asked for in the database before that."""
    call = Call("GetOrder", registered(tenants=granted).caller, named, None)
    if found:
        assert call.tenant == found
    else:
        with pytest.raises(UnknownTenant):
            _ = call.tenant


def test_a_client_cannot_act_as_another_nor_as_the_service():
    caller = registered().caller
    assert [caller.actor("mia"), caller.actor(""), caller.actor("clock")] == ["shop/mia", "shop", "shop/clock"]
    assert {clock.ACTOR, outbox_work.ACTOR, UNNAMED} <= OWN_NAMES
    assert not any(map(is_name, OWN_NAMES))
    assert not any(map(is_name, ("", "Shop", "shop/mia", "shop_web", "1shop", "shöp", "shop\n", "s" * 41)))


def test_the_console_says_who_it_is_as_it_will_be_recorded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("FULFILMENT_TOKEN", raising=False)
    assert [Session().recorded_as, Session(actor="mia").recorded_as] == ["console", "mia"]
    monkeypatch.setenv("FULFILMENT_TOKEN", SHOP)
    assert [Session().recorded_as, Session(actor="mia").recorded_as] == ["shop", "shop/mia"]
    assert SHOP.rpartition("_")[2] not in repr(Session().token) + repr(Session())


# --- what an administrator types --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "shop", "--role", "boss", "--tenant", "a"], "there is no role 'boss'; there are: owner, admin,"),
        (["add", "Shop!", "--role", "shop", "--tenant", "a"], "'Shop!' cannot name a client: start with a letter"),
        (["add", "clock", "--role", "shop", "--tenant", "a"], "names under which the service itself records"),
        (["add", "shop", "--role", "shop", "--tenant", "A B"], "'A B' cannot name a tenant"),
        (["add", "shop", "--role", "shop", "--tenant", "a", "--expires", "soon"], "write it as 2027-01-31"),
        (["add", "shop", "--role", "shop", "--tenant", "a", "--calls-at-once", "0"], "no number from 1 to 1000000000"),
        (["list", "--data", "/nowhere/at/all"], "there is no ledger under /nowhere/at/all"),
    ],
)
def test_what_is_mistyped_is_told_before_a_database_is_asked(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises((SystemExit, administration.AdministrationFailed, NoLedger)) as ended:
        administration.main(words)
    assert said in capsys.readouterr().err + str(ended.value)
