"""``server.py check``: a ledger of a bad day, in which everything holds until somebody breaks a thing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import msgspec
import psycopg
import pytest
from msgspec.structs import replace
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from adapters.database.control import Control
from adapters.database.postgres import open_pool
from adapters.ledger_check import check, command
from adapters.ledger_check.equations import order_faults, stock_faults
from adapters.ledger_check.findings import SHOWN, CheckTally
from adapters.ledger_check.streams import check_slice
from ledger.engine.registry import Registry
from ledger.engine.snapshots import code_shape
from ledger.facts import LineNo
from ledger.nouns import NOUNS
from projections import PROJECTIONS
from projections.machine import runner
from tests.support import old_database
from tests.support.projecting import forget
from tests.support.scenario import Scenario, line
from tests.support.stalls import EmptyTenant

SCHEMA = "tenant_bad_day"
Report = dict[str, Any]


@pytest.fixture(scope="module")
def whole(conninfo: str) -> Iterator[str]:
    """The ledger, with read models and snapshots of this version."""
    with old_database.loaded(conninfo) as dsn:
        asyncio.run(_bring_up_to_date(dsn))
        forget(EmptyTenant(dsn, SCHEMA))
        runner.catch_up(dsn, SCHEMA, PROJECTIONS)
        with psycopg.connect(dsn) as connection:
            _take_snapshots(connection)
        yield dsn


async def _bring_up_to_date(dsn: str) -> None:
    async with open_pool(dsn) as pool:
        await Control(pool).prepare()


def _take_snapshots(connection: psycopg.Connection[Any]) -> None:
    rows = connection.execute(
        f"""
        SELECT originator_id, originator_version, topic, state, notification_id FROM {SCHEMA}.ledger_events
        WHERE originator_id LIKE 'stock-%' ORDER BY originator_id, originator_version
    """.encode()
    ).fetchall()
    nouns = Registry(NOUNS)
    for stream, entry in nouns.fold_rows(dict.fromkeys(row[0] for row in rows), [row[:4] for row in rows]).items():
        position = max(row[4] for row in rows if row[0] == stream)
        (state,) = nouns.keep(stream, entry.state)
        connection.execute(
            f"INSERT INTO {SCHEMA}.ledger_snapshots VALUES (%s, %s, %s, %s, %s, now())".encode(),
            (stream, code_shape(), entry.version, position, state),
        )


@contextmanager
def a_copy(dsn: str, name: str) -> Iterator[str]:
    own = cast("str", conninfo_to_dict(dsn)["dbname"])
    with psycopg.connect(dsn, dbname="postgres", autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(own)))
        yield make_conninfo(dsn, dbname=name)
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@pytest.fixture
def ledger(whole: str) -> Iterator[str]:
    """A copy that may be broken."""
    with a_copy(whole, "broken_ledger") as dsn:
        yield dsn


def checked(capsys: pytest.CaptureFixture[str], dsn: str, *words: str) -> tuple[int, Report]:
    """The exit code and the report."""
    code = _code("--dsn", dsn, "--tenant", "bad_day", "--json", "--quiet", *words)
    return code, json.loads(capsys.readouterr().out)


def _code(*words: str) -> int:
    try:
        command.main(["--workers", "1", *words])
    except SystemExit as ended:
        return cast("int", ended.code)
    return 0


def wrong(report: Report) -> dict[str, list[str]]:
    """What each check found, in words."""
    return {
        name: [finding["what"] for finding in each["first"]]
        for name, each in report["tally"]["checks"].items()
        if each["found"]
    }


def test_a_whole_ledger_holds_and_the_report_says_how_much_was_looked_at(
    whole: str, capsys: pytest.CaptureFixture[str]
):
    code, report = checked(capsys, whole)
    assert (code, wrong(report), report["found"]) == (0, {}, 0)
    looked_at = {name: each["looked_at"] for name, each in report["tally"]["checks"].items()}
    assert set(looked_at) == {name for names in check.CHECKS.values() for name in names}
    assert min(looked_at.values()) > 0, f"not looked at all: {looked_at}"
    assert looked_at["positions"] == looked_at["facts"] == report["checked_to"]
    assert set(report["tally"]["seconds"]) == set(check.STEPS)
    assert report["tally"]["not_checked"] == {}


_COPY = """
    INSERT INTO ledger_events (originator_id, originator_version, topic, state, notification_id)
    SELECT {stream}, {version}, topic, state, {position} FROM ledger_events WHERE notification_id = 100
"""
_REWRITE = """
    UPDATE ledger_events SET state = convert_to(regexp_replace(convert_from(state, 'UTF8'), '{old}', '{new}'), 'UTF8')
    WHERE topic = '{topic}'
"""
_HEAD = "(SELECT max(notification_id) FROM ledger_events)"

FAULTS = {
    "a fact is gone": (
        ("DELETE FROM ledger_events WHERE notification_id = 100",),
        {"positions": "no fact has it"},
    ),
    "a fact in the middle of its stream is gone": (
        ("DELETE FROM ledger_events WHERE originator_version = 2",),
        {"positions": "no fact has it", "versions": "version 3 follows 1"},
    ),
    "a version is there twice": (
        (
            "ALTER TABLE ledger_events DROP CONSTRAINT ledger_events_pkey",
            _COPY.format(stream="originator_id", version="originator_version", position=f"{_HEAD} + 1"),
        ),
        {"versions": " follows "},
    ),
    "a position is there twice": (
        (
            "DROP INDEX ledger_events_notification_id_idx",
            _COPY.format(stream="'task-other'", version="1", position="notification_id"),
        ),
        {"positions": "several facts have it"},
    ),
    "two facts changed places": (
        (
            "UPDATE ledger_events SET notification_id = -notification_id",
            f"UPDATE ledger_events SET notification_id = notification_id + 1 - {_HEAD.replace('max', 'min')}",
        ),
        {"versions": "stands before the one that it follows"},
    ),
    "a fact is damaged": (
        ("UPDATE ledger_events SET state = '{}' WHERE notification_id = 100",),
        {"facts": "cannot be read or folded"},
    ),
    "a fact has another name": (
        ("UPDATE ledger_events SET topic = 'order.teleported' WHERE notification_id = 100",),
        {"facts": "unknown fact"},
    ),
    "ordered quantities were changed": (
        (_REWRITE.format(old='"quantity":[0-9]+', new='"quantity":1', topic="order.placed"),),
        {"orders": "below zero", "read models": "if built anew"},
    ),
    "an outcome is gone": (
        ("DELETE FROM ledger_commands WHERE request_id IN (SELECT max(command) FROM ledger_events)",),
        {"outcomes of facts": "has no outcome"},
    ),
    "an outcome is a refusal": (
        ("UPDATE ledger_commands SET refusal = '{}' WHERE request_id IN (SELECT command FROM ledger_events)",),
        {"outcomes of facts": "was refused, and has facts"},
    ),
    "outcomes stand elsewhere": (
        (
            "UPDATE ledger_commands SET position = position + 1",
            "UPDATE ledger_commands SET fingerprint = '\\x00000001' || fingerprint WHERE refusal IS NULL",
        ),
        {"outcomes of facts": "ended at position", "facts of outcomes": "they are not there"},
    ),
    "facts are of no command any more": (
        ("UPDATE ledger_events SET command = NULL",),
        {"facts of outcomes": "they are not there"},
    ),
    "more is reserved than there is": (
        (_REWRITE.format(old='"units":[0-9]+', new='"units":9999', topic="stock.reserved"),),
        {"stock": "oversold by", "reservations": "to ship"},
    ),
    "a snapshot is damaged": (
        ("UPDATE ledger_snapshots SET state = '{}'",),
        {"snapshots": "is not what its facts come to"},
    ),
    "a snapshot is of more facts than there are": (
        ("UPDATE ledger_snapshots SET version = version + 1",),
        {"snapshots": "there is one of version"},
    ),
    "a part of a snapshot is gone": (
        ("UPDATE ledger_snapshots SET parts = 2",),
        {"snapshots": "is not what its facts come to"},
    ),
    "a row of a read model was changed": (
        ("UPDATE tracking_parcels SET number = number || 'x'",),
        {"read models": "if built anew, such as "},
    ),
    "a row of a read model is gone": (
        ("DELETE FROM stock_levels WHERE sku = (SELECT max(sku) FROM stock_levels)",),
        {"read models": "if built anew, such as "},
    ),
    "keys are gone": (("DELETE FROM ledger_keys",), {"keys": "is not there", "evidence": "has no key"}),
    "keys were emptied": (
        ("UPDATE ledger_keys SET wrapped = NULL, destroyed_at = NULL",),
        {"keys": "is empty, and nobody destroyed it"},
    ),
    "evidence is gone": (("DELETE FROM ledger_evidence",), {"evidence": "is not there"}),
}
"""What somebody did to the tables, and which checks find it, in which words."""


@pytest.mark.parametrize("name", FAULTS)
def test_it_finds_that(name: str, ledger: str, capsys: pytest.CaptureFixture[str]):
    statements, expected = FAULTS[name]
    damage(ledger, *statements)
    code, report = checked(capsys, ledger)
    assert code == 1
    found = wrong(report)
    for check_name, words in expected.items():
        assert any(words in what for what in found.get(check_name, ())), f"{check_name} found nothing of it: {found}"


def damage(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(f"SET search_path = {SCHEMA}".encode())
        for statement in statements:
            connection.execute(statement.encode())


def test_equations_of_orders_and_stock_see_each_count_that_is_off():
    shop = Scenario()
    shop.approve()
    shop.feed(10)
    shop.place(line(1, "tea", 3))
    order = shop.order()
    assert [*order_faults(order)] == []
    lost = {LineNo(1): replace(order.buckets[LineNo(1)], open=-1)}
    assert any("below zero" in what for what in order_faults(replace(order, buckets=lost)))
    lines = {LineNo(1): replace(order.lines[LineNo(1)], quantity=4)}
    assert any("4 units ordered and 3 in its buckets" in what for what in order_faults(replace(order, lines=lines)))
    counts = {"held": "are held", "committed": "are committed", "awaited": "are awaited", "kept": "are kept"}
    for count, words in counts.items():
        off = replace(shop.stock(), **{count: -1})
        assert any(words in what for what in stock_faults(off)), count


# --- going on -------------------------------------------------------------------------------------


def test_a_check_that_was_ended_goes_on_with_what_it_has_not_looked_at(
    ledger: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    _, whole = checked(capsys, ledger)
    monkeypatch.setattr(check, "_FACTS_A_SLICE", 40)
    state, did = tmp_path / "state.json", check_slice
    seen: list[Any] = []

    def twice_only(*arguments: Any) -> CheckTally:
        seen.append(arguments[2])
        if len(seen) == 3:
            raise KeyboardInterrupt
        return did(*arguments)

    monkeypatch.setattr(check, "check_slice", twice_only)
    with pytest.raises(KeyboardInterrupt):
        checked(capsys, ledger, "--state", str(state))
    with pytest.raises(command.CannotCheck, match="is of a check that is not over"):
        checked(capsys, ledger, "--state", str(state), "--after", "7")
    code, report = checked(capsys, ledger, "--state", str(state))
    assert code == 0
    counts = {name: each["looked_at"] for name, each in report["tally"]["checks"].items()}
    assert counts == {name: each["looked_at"] for name, each in whole["tally"]["checks"].items()}
    assert len(seen) == len(set(seen)) + 1 > 5, "only the slice that was under way is looked at again"


def test_the_next_check_looks_at_what_came_since(ledger: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    state = str(tmp_path / "state.json")
    _, first = checked(capsys, ledger, "--state", state)
    damage(ledger, _COPY.format(stream="'order-other/1'", version="2", position=f"{_HEAD} + 1"))
    for words in (("--state", state), ("--state", state), ("--after", str(first["checked_to"]))):
        code, report = checked(capsys, ledger, "--only", "positions", "--only", "streams", *words)
        assert (code, report["after"], report["checked_to"]) == (1, first["checked_to"], first["checked_to"] + 1)
        assert "version 2 follows 0" in wrong(report)["versions"]
        assert report["tally"]["checks"]["facts"]["looked_at"] == 1, "what did not change was looked at again"


def test_what_was_found_is_looked_at_again_until_it_is_mended(
    ledger: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    state = str(tmp_path / "state.json")
    damage(ledger, "UPDATE ledger_commands SET position = position + 1000 WHERE position = 100")
    assert checked(capsys, ledger, "--state", state)[1]["found"]
    assert checked(capsys, ledger, "--state", state)[1]["found"]
    damage(ledger, "UPDATE ledger_commands SET position = position - 1000 WHERE position = 1100")
    assert checked(capsys, ledger, "--state", state)[0] == 0
    assert checked(capsys, ledger, "--state", state)[1]["tally"]["checks"]["facts"]["looked_at"] == 0


def test_several_processes_find_what_one_finds(
    ledger: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    damage(ledger, *FAULTS["more is reserved than there is"][0])
    monkeypatch.setattr(check, "_FACTS_A_SLICE", 100)
    _, alone = checked(capsys, ledger, "--only", "streams")
    code, shared = checked(capsys, ledger, "--only", "streams", "--workers", "2")
    assert code == 1
    assert {name: each["looked_at"] for name, each in alone["tally"]["checks"].items()} == {
        name: each["looked_at"] for name, each in shared["tally"]["checks"].items()
    }
    assert {name: sorted(whats) for name, whats in wrong(shared).items()} == {
        name: sorted(whats) for name, whats in wrong(alone).items()
    }


# --- what it says ---------------------------------------------------------------------------------


def test_the_report_in_words_names_the_place_of_each_finding(ledger: str, capsys: pytest.CaptureFixture[str]):
    damage(ledger, "UPDATE ledger_events SET topic = 'order.teleported' WHERE originator_id LIKE 'order-%'")
    assert _code("--dsn", ledger, "--tenant", "bad_day", "--only", "streams") == 1
    said = capsys.readouterr()
    assert "Checked the ledger of bad_day up to position " in said.out
    assert ": order-" in said.out
    assert f"These are the first {SHOWN} of each check; " in said.out
    assert "parts, " in said.err


def test_nothing_is_written_by_a_role_that_may_not_write(whole: str, capsys: pytest.CaptureFixture[str]):
    """As on a standby: only read models are left out, and it says so."""
    readonly = make_conninfo(whole, options="-c default_transaction_read_only=on")
    code, report = checked(capsys, readonly)
    assert code == 0
    assert "temporary tables" in report["tally"]["not_checked"]["read models"]
    assert report["tally"]["checks"]["facts"]["looked_at"] > 0


def test_what_cannot_be_checked_is_said_in_one_sentence(whole: str, tmp_path: Path):
    with pytest.raises(command.CannotCheck, match="there is no tenant nobody; name one with --tenant"):
        command.main(["--dsn", whole, "--tenant", "nobody"])
    other = tmp_path / "other.json"
    other.write_text("{}")
    with pytest.raises(command.CannotCheck, match="holds no state of a check"):
        command.main(["--dsn", whole, "--tenant", "bad_day", "--state", str(other)])
    nowhere = tmp_path / "nowhere" / "state.json"
    with pytest.raises(command.CannotCheck, match=r"state.json cannot be written .*; name another with --state"):
        command.main(["--dsn", whole, "--tenant", "bad_day", "--only", "positions", "--state", str(nowhere)])
    with pytest.raises(command.CannotCheck, match=r"cannot be read .*; name another with --state"):
        command.main(["--dsn", whole, "--tenant", "bad_day", "--state", str(tmp_path)])


def test_what_lies_beyond_the_log_is_not_said_to_hold(whole: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    state = tmp_path / "state.json"
    _, report = checked(capsys, whole, "--only", "positions", "--after", "0")
    beyond = rf"position \d+ lies beyond the log, whose newest is {report['checked_to']}"
    with pytest.raises(command.CannotCheck, match=f"{beyond}$"):
        checked(capsys, whole, "--state", str(state), "--after", str(report["checked_to"] + 1))
    assert not state.exists()
    assert checked(capsys, whole, "--only", "positions", "--after", str(report["checked_to"]))[0] == 0
    state.write_bytes(msgspec.json.encode(check.Progress("bad_day", checked_to=10**8)))
    with pytest.raises(command.CannotCheck, match=f"{beyond}; .*state.json is of a longer log: delete it"):
        checked(capsys, whole, "--state", str(state))


@pytest.mark.parametrize("wrong", [("--workers", "-1"), ("--workers", "many"), ("--after", "-1"), ("--after", "")])
def test_numbers_are_asked_for_in_plain_words(capsys: pytest.CaptureFixture[str], wrong: tuple[str, str]):
    assert _code(*wrong) == 2
    assert f"argument {wrong[0]}: {wrong[1]!r} is not a " in capsys.readouterr().err
