"""Messages that fail, and that are never sent twice whatever dies or starts over."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from psycopg.sql import SQL, Identifier

from adapters.mail.mails import NotTaken
from adapters.messages.outbox import HeldUp, held_up
from adapters.messages.senders import FileSender
from ledger.decisions import notices
from ledger.engine.commands import Command
from ledger.nouns import messages
from projections.outbox import MessageState
from tests.support.office import Postbox, an_office, busy
from tests.support.projecting import asking, catch_up, connect, contents, forget, rebuild
from tests.support.scenario import NOON, confirmed, sent
from tests.support.service import HOUSE
from tests.support.stalls import EmptyTenant

# --- failing ----------------------------------------------------------------------------------------


async def test_what_a_sender_does_not_take_is_tried_again_ever_later_until_it_does(tenant: EmptyTenant):
    postbox = Postbox(fails=3)
    async with an_office(tenant, postbox) as office:
        scenario = confirmed(**office.customer())
        office.use(scenario)
        waits = []
        for attempt in (1, 2, 3):
            await office.tick()
            (message,) = await office.messages()
            assert (message.state, message.attempts, message.error) == (MessageState.FAILED, attempt, "unreachable")
            assert message.next_at is not None
            waits.append((message.next_at - scenario.now).total_seconds())
            assert await office.tick(message.next_at - timedelta(seconds=1)) == 0
            scenario.later(seconds=waits[-1])
        assert waits[0] < waits[1] < waits[2]
        await office.tick()
        assert await office.states() == {"order_confirmed": "sent"}
        assert (postbox.calls, len(postbox.letters)) == (4, 1)
        assert office.facts() == {"message.asked": 1, "message.failed": 3, "message.sent": 1}


async def test_a_message_that_is_given_up_waits_for_a_person(tenant: EmptyTenant):
    postbox = Postbox(fails=1, why=NotTaken("no_such_address", lasting=True))
    async with an_office(tenant, postbox) as office:
        office.use(confirmed(**office.customer()))
        await office.tick()
        await office.tick()
        (message,) = await office.messages()
        assert (message.state, message.error, message.next_at) == (MessageState.GIVEN_UP, "no_such_address", None)
        assert postbox.calls == 1
        name, now = message.message_id, office.scenario.now
        retry = Command("r1", "mia", b"", lambda v: notices.retry(v, name, "mia", now), (messages.stream(name),))
        await office.tenant.ledger.execute(retry)
        await office.tick()
        assert await office.states() == {"order_confirmed": "sent"}


async def test_a_message_that_lacked_an_address_goes_out_by_itself_once_there_is_one(tenant: EmptyTenant):
    postbox = Postbox(fails=1, why=NotTaken("no_email_address", lasting=True))
    async with an_office(tenant, postbox) as office:
        scenario = confirmed(**office.customer(email=""))
        office.use(scenario)
        await office.tick()
        await office.tick()
        assert (postbox.calls, await office.states()) == (1, {"order_confirmed": "given_up"})
        scenario.later(hours=1)
        scenario.reach(office.customer()["customer"])
        await office.tick()
        await office.tick()
        assert [each.email for each in postbox.letters] == ["ann@example.org"]
        assert office.facts()["message.retried"] == 1


async def test_a_message_that_reached_nobody_ends_by_itself_once_it_is_no_longer_true(tenant: EmptyTenant):
    postbox = Postbox(fails=2, why=NotTaken("smtp_554", lasting=True))
    async with an_office(tenant, postbox) as office:
        scenario = sent(**office.customer())
        office.use(scenario)
        await office.tick()
        await office.tick()
        assert await office.states() == {"order_confirmed": "given_up", "dispatch_instruction": "given_up"}
        assert office.facts()["message.not_needed"] == 0
        scenario.ship()
        await office.tick()
        given_up = await office.messages(MessageState.GIVEN_UP)
        assert {each.kind.value: each.because for each in given_up} == {
            "order_confirmed": "",
            "dispatch_instruction": "nothing_to_ship",
        }
        assert office.facts()["message.not_needed"] == 1


async def test_a_sender_that_breaks_fails_one_message_and_spoils_no_other(tenant: EmptyTenant):
    postbox = Postbox(fails=1, why=ZeroDivisionError("Ann Example"))
    async with an_office(tenant, postbox) as office:
        office.use(sent(**office.customer()))
        await office.tick()
        assert sorted((await office.states()).values()) == ["failed", "sent"]
        assert {each.error for each in await office.messages()} == {"sender_failed", ""}


# --- never twice ------------------------------------------------------------------------------------


async def test_two_processes_send_each_message_once(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as one_office, an_office(tenant, postbox) as other:
        one_office.use(busy(one_office))
        await one_office.catch_up()
        now = one_office.scenario.now
        done = await asyncio.gather(*(each.outbox.tick(each.tenant, now) for each in (one_office, other)))
        assert sorted(done) == [0, 16]
        # The read model has followed none of it, and the other process takes over.
        idle = (one_office, other)[done.index(0)]
        assert await idle.outbox.tick(idle.tenant, now) == 16
        assert Counter(letter.message_id for letter in postbox.letters).most_common(1)[0][1] == 1
        assert len(postbox.letters) == postbox.calls == 16
        assert one_office.facts() == {"message.asked": 16, "message.sent": 16}


async def test_a_rebuild_sends_nothing_and_gives_the_same_rows(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        office.use(busy(office, 3))
        await office.tick()
        before, sent_before = contents(tenant), len(postbox.letters)
        assert (await asyncio.to_thread(rebuild, tenant, "outbox")).equal
        await asyncio.to_thread(forget, tenant)
        await asyncio.to_thread(catch_up, tenant)
        assert contents(tenant) == before
        await office.tick()
        assert len(postbox.letters) == sent_before


async def test_a_read_model_that_starts_over_meanwhile_sends_nothing_again(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office, an_office(tenant, postbox) as fresh:
        scenario = busy(office, 3)
        office.use(scenario)
        await office.tick()
        # All that the facts of orders made due stands there again, as if nobody had asked for it.
        with connect(tenant) as connection:
            connection.execute(f"UPDATE {tenant.schema}.outbox_messages SET state = 'due', next_at = caused_at")
        assert await fresh.outbox.tick(fresh.tenant, scenario.now) == 6
        assert len(postbox.letters) == postbox.calls == 6
        assert office.facts() == {"message.asked": 6, "message.sent": 6}


_DIES = """
import asyncio, os, signal, sys
from datetime import datetime
from pathlib import Path
from adapters.messages.senders import FileSender
from tests.support.stalls import EmptyTenant
from tests.support.office import an_office

class Dies(FileSender):
    async def hand_over(self, tenant, letter):
        await super().hand_over(tenant, letter)
        os.kill(os.getpid(), signal.SIGKILL)

async def main(conninfo, schema, folder, now):
    async with an_office(EmptyTenant(conninfo, schema), Dies(Path(folder))) as office:
        await office.outbox.tick(office.tenant, datetime.fromisoformat(now))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_message_about_what_cannot_be_read_keeps_no_other_waiting(tenant: EmptyTenant):
    async with an_office(tenant, Postbox()) as office:
        scenario = busy(office, 3)
        office.use(scenario)
        await office.catch_up()
    with connect(tenant) as connection:
        newer = """
            INSERT INTO {}.ledger_events (originator_id, originator_version, topic, state, notification_id)
            SELECT originator_id, max(originator_version) + 1, 'order.teleported', '{{}}', %s
            FROM {}.ledger_events WHERE originator_id = 'order-shopify/0' GROUP BY originator_id
        """
        schema = Identifier(tenant.schema)
        connection.execute(SQL(newer).format(schema, schema), (len(scenario.log) + 1,))
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        for _ in range(2):
            await office.outbox.tick(office.tenant, scenario.now)
        assert sorted(letter.message_id.partition("-")[0] for letter in postbox.letters) == [
            *["dispatch_instruction"] * 2,
            *["order_confirmed"] * 2,
        ]


async def test_a_tick_hands_over_more_than_a_hundred_messages(tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("adapters.messages.outbox._TURN_SECONDS", 50.0)
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        scenario = busy(office, 90)
        office.use(scenario)
        await office.catch_up()
        assert await office.outbox.tick(office.tenant, scenario.now) == 180
        assert len({letter.message_id for letter in postbox.letters}) == 180


async def test_a_turn_ends_after_a_while_so_that_other_tenants_get_theirs(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapters.messages.outbox._TURN_SECONDS", 0.0001)
    async with an_office(tenant, Postbox()) as office:
        scenario = busy(office, 40)
        office.use(scenario)
        await office.catch_up()
        assert [await office.outbox.tick(office.tenant, scenario.now) for _ in range(2)] == [50, 30]


async def test_a_session_that_keeps_messages_from_being_sent_for_long_is_named(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office, an_office(tenant, postbox) as stopped:
        office.use(confirmed(**office.customer()))
        async with stopped.outbox._leading(stopped.tenant) as held:
            assert held is not None
            assert await office.tick() == 0
            monkeypatch.setattr("adapters.messages.outbox._HELD_UP_SECONDS", 0.0)
            who = f"session {held.info.backend_pid} idle in transaction has held the outbox for"
            with pytest.raises(HeldUp, match=f"no messages are sent: {who}"):
                await office.tick()
            async with asking(tenant) as where, where.pool.connection() as connection:
                assert (await held_up(connection, tenant.schema)).startswith(who)
        assert await office.tick() == 1


async def test_a_kill_between_the_hand_over_and_its_record_leaves_one_letter(tenant: EmptyTenant, tmp_path: Path):
    async with an_office(tenant, FileSender(tmp_path)) as office:
        office.use(confirmed(**office.customer()))
        await office.catch_up()
        words = [sys.executable, "-c", _DIES, tenant.conninfo, tenant.schema, str(tmp_path), NOON.isoformat()]
        died = await asyncio.to_thread(subprocess.run, words, cwd=HOUSE, capture_output=True, text=True, timeout=60)
        assert died.returncode == -signal.SIGKILL, died.stderr
        (letter,) = await asyncio.to_thread(lambda: list(tmp_path.rglob("*.eml")))
        written = letter.stat()
        assert office.facts() == {"message.asked": 1}
        await office.tick()
        assert office.facts() == {"message.asked": 1, "message.sent": 1}
        assert await asyncio.to_thread(lambda: list(tmp_path.rglob("*"))) == [letter.parent, letter]
        assert (letter.stat().st_ino, letter.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
        assert await office.states() == {"order_confirmed": "sent"}
