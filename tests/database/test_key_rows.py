"""Data keys beside the log: stored with the facts of their command, and destroyed by a command."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from msgspec import structs

from ledger.engine.commands import Receipt
from ledger.engine.executor import Ledger
from ledger.engine.log_rows import Ended
from ledger.engine.sealing import PersonKey
from ledger.view import View
from tests.support.projecting import connect
from tests.support.stalls import EmptyTenant, a_key, a_ledger, coins_of, command, destroy, give, take, there


@asynccontextmanager
async def ledger_with_keys(tenant: EmptyTenant) -> AsyncIterator[tuple[Ledger, Callable[[str], tuple[PersonKey, ...]]]]:
    async with a_ledger(tenant) as ledger:
        yield ledger, lambda key_id: (a_key(key_id, f"person-{key_id}"),)


async def test_keys_are_stored_with_the_facts_and_only_with_facts(tenant: EmptyTenant) -> None:
    async with ledger_with_keys(tenant) as (ledger, keys):
        commands = [
            take("r1", "pears", keys=keys("applied")),
            take("r1", "pears", keys=keys("replayed")),
            give("r2", "pears", 9, keys=keys("refused")),
            command("r3", lambda view: [], keys=keys("nothing")),
            command("r4", lambda view: 1 / 0, keys=keys("broken")),
        ]
        await ledger.execute_many(commands)
        names = ["applied", "replayed", "refused", "nothing", "broken"]
        assert await there(ledger.log, *names) == {"applied": True}


async def test_keys_belong_to_whom_the_streams_name_and_are_not_kept_if_that_is_nobody(tenant: EmptyTenant) -> None:
    async with ledger_with_keys(tenant) as (ledger, keys):

        def owner(view: View) -> str:
            # A stream that no decision needs, so that it is missed at first.
            return "" if coins_of(view, "figs") else f"of {coins_of(view, 'pears')}"

        commands = [
            take("r1", "pears", keys=keys("first")),
            take("r2", "pears", keys=keys("second")),
            take("r3", "figs"),
            take("r4", "pears", keys=keys("nobodys")),
        ]
        owned = [structs.replace(each, owner=owner) for each in commands]
        assert [type(answer) for answer in await ledger.execute_many(owned)] == [Receipt] * 4
        assert await there(ledger.log, "first", "second", "nobodys") == {"first": True, "second": True}
        # As the decision saw the streams: before its own facts.
        await destroy(ledger.log, "of 0")
        assert await there(ledger.log, "first", "second") == {"first": False, "second": True}


async def test_a_command_destroys_what_was_sealed_before_it_and_nothing_that_comes_after(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:

        def ann_s(key_id: str) -> tuple[PersonKey, ...]:
            return (a_key(key_id, "ann"),)

        await ledger.execute(take("r0", "pears", keys=ann_s("earlier")))
        forget = structs.replace(take("r2", "figs"), destroys=lambda view: Ended(["ann"]))
        after = take("r3", "pears", keys=ann_s("after"))
        await ledger.execute_many([take("r1", "pears", keys=ann_s("just before")), forget, after, forget])
        found = await there(ledger.log, "earlier", "just before", "after")
        assert found == {"earlier": False, "after": True}, "a repetition destroys nothing"


async def test_keys_of_one_purpose_end_alone_and_what_tells_no_purpose_with_all_of_them(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:
        purposes = {"note": "note", "photo": "evidence", "old": ""}
        keys = [structs.replace(a_key(key_id, "ann"), purpose=purpose) for key_id, purpose in purposes.items()]
        await ledger.execute(take("r1", "pears", keys=[*keys, a_key("bob's", "bob")]))
        with connect(tenant) as connection:
            connection.execute(f"UPDATE {tenant.schema}.ledger_keys SET purpose = NULL WHERE key_id = 'old'")
        note = structs.replace(a_key("just before", "ann"), purpose="note")
        ends = structs.replace(take("r3", "figs"), destroys=lambda view: Ended(["ann"], purposes=("note", "text")))
        await ledger.execute_many([take("r2", "pears", keys=[note]), ends])
        found = await there(ledger.log, *purposes, "just before")
        assert found == {"note": False, "photo": True, "old": True}
        await ledger.execute(structs.replace(take("r4", "figs"), destroys=lambda view: Ended(["ann"])))
        assert await there(ledger.log, *purposes, "bob's") == {**dict.fromkeys(purposes, False), "bob's": True}
