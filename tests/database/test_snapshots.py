"""Snapshots of long streams: they save time, and nothing depends on them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from psycopg.sql import SQL, Identifier

from adapters.database.postgres import open_pool
from ledger.engine import book, registry, snapshots
from ledger.engine.book import Book
from ledger.engine.log import Log
from ledger.engine.reader import StreamReader
from ledger.engine.registry import Registry
from ledger.engine.shelf import Memory
from ledger.engine.snapshots import Snapshots, Taken
from ledger.nouns import NOUNS
from ledger.view import Entry
from tests.support import stalls
from tests.support.long_scenario import long_scenario
from tests.support.projecting import connect
from tests.support.stalls import EmptyTenant, Stall, a_ledger, give, lock_held, take
from tests.support.waiting import wait_for


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty facts make a long stream here."""
    for module, name in ((book, "LONG_FACTS"), (snapshots, "LONG_FACTS"), (snapshots, "STEP_FACTS")):
        monkeypatch.setattr(module, name, 20)
    monkeypatch.setattr(registry, "PART_ITEMS", 2)


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The versions of the facts that were folded."""
    versions: list[int] = []
    advance = Registry.advance

    def counted(self: Registry, stream: str, entry: Entry, version: int, topic: str, state: bytes) -> Entry:
        if topic:
            versions.append(version)
        return advance(self, stream, entry, version, topic, state)

    monkeypatch.setattr(Registry, "advance", counted)
    return versions


def kept(tenant: EmptyTenant, which: str = "true") -> list[tuple[str, int]]:
    with connect(tenant) as connection:
        found = f"FROM {tenant.schema}.ledger_snapshots WHERE part = 0 AND {which}"
        query = f"SELECT originator_id, version {found} ORDER BY originator_id, version"
        return connection.execute(query.encode()).fetchall()


def _folded(entry: Entry) -> tuple[int, object]:
    return entry.version, entry.state


async def fill(tenant: EmptyTenant, facts: int, stall: str = "pears") -> None:
    async with a_ledger(tenant) as ledger:
        for number in range(facts):
            await ledger.execute(take(f"{stall}-{number}", stall))


def test_every_state_that_is_kept_is_the_same_again():
    nouns = Registry(NOUNS)
    whole = Book.of(NOUNS, long_scenario().log)
    streams = [stream for stream in whole.shelf._entries if nouns.is_restorable(stream)]
    assert {stream.partition("-")[0] for stream in streams} == {"stock", "sku", "invoice_series", "supplier"}
    in_parts = 0
    for stream in streams:
        state = whole.state(stream)
        first, *more = nouns.keep(stream, state)
        again = nouns.restore(stream, first)
        for part in more:
            again = nouns.restore_more(stream, again, part)
        in_parts += bool(more)
        assert (again, list(nouns.keep(stream, again))) == (state, [first, *more])
    assert in_parts


async def test_a_stream_that_grows_is_kept_now_and_then(tenant: EmptyTenant):
    await fill(tenant, 10)
    assert kept(tenant) == []
    await fill(tenant, 70, "plums")
    assert kept(tenant) == [("stall-plums", 60)], "the newest, after every twenty facts"


async def test_after_a_restart_only_what_is_newer_is_folded(tenant: EmptyTenant, folded: list[int]):
    await fill(tenant, 65)
    del folded[:]
    async with a_ledger(tenant, tail_limit=15) as ledger:
        await ledger.execute(give("one", "pears", 65))
        assert folded == [61, 62, 63, 64, 65]


async def test_what_another_writer_added_is_read_before_the_lock_is_taken(tenant: EmptyTenant, folded: list[int]):
    async with a_ledger(tenant, tail_limit=15) as ledger:
        await ledger.execute(take("first", "pears"))
        await fill(tenant, 50)
        del folded[:]
        await ledger.execute(give("all", "pears", 51))
        assert folded == list(range(2, 52))


async def test_who_folds_a_long_stream_keeps_nobody_waiting(tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch):
    await fill(tenant, 65)
    drop(tenant)
    folding, may_go_on = asyncio.Event(), asyncio.Event()
    fold = Snapshots.fold

    async def slow(self: Snapshots, stream: str, head: int) -> Entry:
        folding.set()
        await may_go_on.wait()
        return await fold(self, stream, head)

    monkeypatch.setattr(Snapshots, "fold", slow)
    async with a_ledger(tenant, tail_limit=15) as one, a_ledger(tenant) as other:
        waits = asyncio.create_task(one.execute(give("one", "pears", 65)))
        await folding.wait()
        await other.execute(take("two", "plums"))
        async with asyncio.timeout(10), lock_held(tenant):
            pass
        may_go_on.set()
        assert (await waits).version == 66


def drop(tenant: EmptyTenant) -> None:
    with connect(tenant) as connection:
        connection.execute(SQL("DELETE FROM {}.ledger_snapshots").format(Identifier(tenant.schema)))


def spoil(tenant: EmptyTenant, change: str) -> None:
    with connect(tenant) as connection:
        connection.execute(f"UPDATE {tenant.schema}.ledger_snapshots SET {change}".encode())


@pytest.mark.parametrize("change", ["shape = 'of before'", "state = '{'", 'state = \'{"coins":"many"}\''])
async def test_a_snapshot_of_other_code_or_one_that_cannot_be_read_is_not_used(tenant: EmptyTenant, change: str):
    await fill(tenant, 65)
    spoil(tenant, change)
    async with a_ledger(tenant, tail_limit=15) as ledger:
        await ledger.execute(give("one", "pears", 65))
    assert kept(tenant, "shape <> 'of before'") == [("stall-pears", 66)], "replaced, and nothing of it stays"
    async with open_pool(tenant.conninfo) as pool:
        _, entries = await Snapshots(Log(tenant.schema, pool), Registry(stalls.NOUNS)).fold_all(["stall-pears"])
        assert _folded(entries["stall-pears"]) == (66, Stall(0))


async def test_a_snapshot_that_a_newer_one_replaces_while_it_is_read_is_not_called_damaged(
    tenant: EmptyTenant, folded: list[int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    await fill(tenant, 65)
    del folded[:]
    async with open_pool(tenant.conninfo) as pool:
        reader, read = Snapshots(Log(tenant.schema, pool), Registry(stalls.NOUNS)), Snapshots._read

        async def replaced(self: Snapshots, stream: str, version: int, parts: int) -> tuple[Any, int]:
            if version == 60:
                spoil(tenant, "version = 64, position = 64, state = '{\"coins\":64}'")
            return await read(self, stream, version, parts)

        monkeypatch.setattr(Snapshots, "_read", replaced)
        assert _folded(await reader.fold("stall-pears", 65)) == (65, Stall(65))
    assert folded == [65]
    assert not caplog.records


async def test_a_snapshot_is_stored_whole_or_not_at_all(tenant: EmptyTenant):
    await fill(tenant, 25)
    drop(tenant)
    with connect(tenant) as connection:
        no = SQL("ALTER TABLE {}.ledger_snapshots ADD CONSTRAINT no CHECK (part = 0)")
        connection.execute(no.format(Identifier(tenant.schema)))
    async with open_pool(tenant.conninfo) as pool:
        of_all = Snapshots(Log(tenant.schema, pool), Registry(stalls.NOUNS))
        await of_all._keep(Taken("stall-pears", 25, 25, [b"{}", b"{}"]))
    assert kept(tenant) == []


async def test_a_snapshot_of_facts_that_the_log_does_not_have_is_neither_used_nor_stored(tenant: EmptyTenant):
    await fill(tenant, 65)
    spoil(tenant, "version = 1000, position = 1000")
    async with a_ledger(tenant, tail_limit=15) as ledger:
        assert (await ledger.execute(give("one", "pears", 65))).version == 66
    drop(tenant)
    async with open_pool(tenant.conninfo) as pool:
        of_all = Snapshots(Log(tenant.schema, pool), Registry(stalls.NOUNS))
        assert _folded((await of_all.fold_all(["stall-pears"]))[1]["stall-pears"]) == (66, Stall(0))
        for version in (67, 66):
            await of_all.keep("stall-pears", Entry(version, Stall(5)), 66)
            await of_all.settled()
            assert kept(tenant) == ([] if version == 67 else [("stall-pears", 66)])
            of_all._due.clear()


async def test_what_was_dropped_from_memory_comes_back_from_its_snapshot(tenant: EmptyTenant, folded: list[int]):
    await fill(tenant, 65)
    async with a_ledger(tenant, streams_kept=1) as ledger:
        await ledger.execute(take("one", "pears"))
        # It is taken after the answer, and stored beside all else.
        await asyncio.to_thread(wait_for, lambda: ("stall-pears", 66) in kept(tenant))
        await ledger.execute(take("two", "plums"))
        await ledger._snapshots.settled()
        del folded[:]
        await ledger.execute(give("three", "pears", 66))
        assert folded == [], "one was kept with the first fact after the start"


async def test_queries_see_the_newest_of_long_and_short_streams(tenant: EmptyTenant, folded: list[int]):
    await fill(tenant, 65)
    await fill(tenant, 10, "plums")
    async with open_pool(tenant.conninfo) as pool:
        reader = Snapshots(Log(tenant.schema, pool), Registry(stalls.NOUNS))
        del folded[:]
        head, entries = await reader.fold_all(["stall-pears", "stall-none", "stall-plums"])
        assert (head, [entry.version for entry in entries.values()]) == (75, [65, 0, 10])
        assert len(folded) == 15
        drop(tenant)
        again, whole = await reader.fold_all(["stall-pears", "stall-none", "stall-plums"])
        assert (again, list(map(_folded, whole.values()))) == (head, list(map(_folded, entries.values())))


async def test_what_many_ask_for_at_once_is_folded_once(tenant: EmptyTenant, folded: list[int]):
    await fill(tenant, 65)
    drop(tenant)
    async with open_pool(tenant.conninfo) as pool:
        journal = Log(tenant.schema, pool)
        del folded[:]
        reader = StreamReader(journal, Registry(stalls.NOUNS))
        answers = await asyncio.gather(*[reader.fold_all(["stall-pears"]) for _ in range(30)])
        assert all(_folded(entries["stall-pears"]) == (65, Stall(65)) for _, entries in answers)
        # Each has also read the first facts to see that there are many.
        assert sorted(version for version in folded if version > 21) == list(range(22, 66))
        await fill(tenant, 70)
        del folded[:]
        assert _folded((await reader.fold_all(["stall-pears"]))[1]["stall-pears"]) == (70, Stall(70))
        assert folded == list(range(66, 71)), "from there on"


async def test_a_snapshot_taken_after_a_position_is_not_used_for_it(tenant: EmptyTenant):
    await fill(tenant, 65)
    async with open_pool(tenant.conninfo) as pool:
        reader = Snapshots(Log(tenant.schema, pool), Registry(stalls.NOUNS))
        assert _folded(await reader.fold("stall-pears", 33)) == (33, Stall(33))


async def test_where_snapshots_cannot_be_stored_commands_go_on(tenant: EmptyTenant, caplog: pytest.LogCaptureFixture):
    with connect(tenant) as connection:
        no = SQL("ALTER TABLE {}.ledger_snapshots ADD CONSTRAINT no CHECK (false)")
        connection.execute(no.format(Identifier(tenant.schema)))
    await fill(tenant, 30)
    assert "a snapshot of stall-pears of" in caplog.text


async def test_a_long_stream_takes_the_room_of_its_snapshot_rather_than_of_all_its_facts(tenant: EmptyTenant):
    async with a_ledger(tenant) as ledger:
        for number in range(65):
            await ledger.execute(take(f"r{number}", "pears"))
        entry = ledger.book.entry("stall-pears")
        counted = ledger.book.registry.counted
        of_facts = [
            counted("stall-pears", len(row.state))
            for row in await ledger.log.past_where("notification_id > %b", [0], 100)
        ]
        assert sum(of_facts[60:]) < entry.stored_bytes < sum(of_facts[58:]), "the newest was taken at 60"


async def test_queries_hold_no_more_streams_than_there_is_memory_for(tenant: EmptyTenant):
    for stall in ("pears", "plums"):
        await fill(tenant, 25, stall)
    drop(tenant)
    async with open_pool(tenant.conninfo) as pool:
        reader = StreamReader(Log(tenant.schema, pool), Registry(stalls.NOUNS), Memory(1_500))
        for stall in ("pears", "plums"):
            _, entries = await reader.fold_all([f"stall-{stall}"])
            assert _folded(entries[f"stall-{stall}"]) == (25, Stall(25))
        assert [each in reader._held for each in ("stall-pears", "stall-plums")] == [False, True]


async def test_of_many_streams_that_are_due_at_once_only_few_are_taken_at_a_time(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(snapshots, "_STORED_AT_ONCE", 2)
    storing, most = 0, 0
    keep = Snapshots._keep

    async def watched(self: Snapshots, taken: Taken) -> None:
        nonlocal storing, most
        storing += 1
        most = max(most, storing)
        await keep(self, taken)
        storing -= 1

    monkeypatch.setattr(Snapshots, "_keep", watched)
    async with a_ledger(tenant) as ledger:
        stalls_due = [f"stall{number}" for number in range(7)]
        await asyncio.gather(*[ledger.execute(take(each, each, times=25)) for each in stalls_due])
        for turn in range(50):
            await ledger.execute(take(f"turn {turn}", "other"))
            if len(kept(tenant)) == len(stalls_due):
                break
    assert len(kept(tenant)) == len(stalls_due)
    assert most == 2
