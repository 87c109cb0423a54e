"""A process that sends the messages of one tenant, with a sender that remembers what it took."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from adapters.database.postgres import open_pool
from adapters.mail.mails import NotTaken
from adapters.messages.envelope import Envelope
from adapters.messages.letters import Letters
from adapters.messages.outbox import Outbox
from adapters.tenants import Tenant, Tenants
from ledger.engine.executor import Ledger
from ledger.engine.keyring import KeyRing
from ledger.engine.log import Log
from ledger.engine.sealing import Sealer, placed
from ledger.nouns import NOUNS, orders, policies
from ledger.nouns.policies import Policy
from projections import outbox
from projections.machine.reads import PageOf
from projections.outbox import MessageState
from tests.support.projecting import asking, catch_up, connect
from tests.support.scenario import DAY, ORDER, Scenario, a_shop, line
from tests.support.stalls import EmptyTenant

PERSON = {"name": "Ann Example", "email": "ann@example.org", "lines": ["1 Elm Street"], "city": "Berlin"}


class Postbox:
    """A sender that remembers what it took, and fails a given number of times."""

    channel = "postbox"
    at_once = 50

    def __init__(self, fails: int = 0, why: Exception | None = None) -> None:
        self.letters: list[Envelope] = []
        self.calls = 0
        self._fails = fails
        self._why = why or NotTaken("unreachable")

    async def hand_over(self, tenant: str, letter: Envelope) -> str:
        self.calls += 1
        await asyncio.sleep(0.001)
        if self._fails:
            self._fails -= 1
            raise self._why
        self.letters.append(letter)
        return f"no-{len(self.letters)}"

    def kinds_sent_to(self, audience: str) -> list[str]:
        """What was sent to an audience, in order."""
        return [each.message_id.partition("-")[0] for each in self.letters if each.audience == audience]


class Office:
    """A process that sends the messages of one tenant, and the scenario that makes them due."""

    def __init__(self, tenant: EmptyTenant, tenants: Tenants, serving: Tenant, sealer: Sealer, sender: Any) -> None:
        self.empty = tenant
        self.tenant = serving
        self.sealer = sealer
        self.outbox = Outbox(tenants, Letters(sealer), sender)
        self.scenario = Scenario()
        self._written = 0

    def use(self, scenario: Scenario) -> None:
        self.scenario, self._written = scenario, 0

    def customer(self, order_id: str = ORDER, **other: Any) -> dict[str, Any]:
        """What an order carries of its customer, sealed for real."""
        own = self.sealer.of(self.empty.schema)
        sealed, key = own.seal({**PERSON, **other}, orders.anchor(order_id), placed(order_id, "customer"))
        with connect(self.empty) as connection:
            insert = f"INSERT INTO {self.empty.schema}.ledger_keys (key_id, subject, wrapped) VALUES (%s, %s, %s)"
            connection.execute(insert, key.row()[:3])
        return {"customer": sealed}

    async def catch_up(self) -> None:
        new = self.scenario.log[self._written :]
        self._written = len(self.scenario.log)
        await asyncio.to_thread(catch_up, self.empty, new)

    async def tick(self, now: datetime | None = None) -> int:
        """Follows the log, does what is due, and follows again."""
        await self.catch_up()
        done = await self.outbox.tick(self.tenant, now or self.scenario.now)
        await asyncio.to_thread(catch_up, self.empty)
        return done

    async def messages(self, *states: MessageState, **more: Any) -> list[outbox.OutboxMessage]:
        await self.catch_up()
        async with asking(self.empty) as where:
            fresh = self.scenario.now - 2 * DAY
            return (await outbox.list_messages(where, PageOf(1000), fresh, states, **more)).rows

    async def states(self) -> dict[str, str]:
        """The state of the only message of each kind."""
        found = await self.messages()
        assert len({each.kind for each in found}) == len(found)
        return {each.kind.value: each.state.value for each in found}

    def facts(self) -> Counter[str]:
        """How many facts of messages the log holds, by name."""
        with connect(self.empty) as connection:
            query = f"SELECT topic FROM {self.empty.schema}.ledger_events WHERE originator_id LIKE 'message-%%'"
            return Counter(topic for (topic,) in connection.execute(query).fetchall())


@asynccontextmanager
async def an_office(
    tenant: EmptyTenant, sender: Any, secret: bytes = b"0" * 32, *, window_minutes: int = 0
) -> AsyncIterator[Office]:
    """Most tests want to see each message at once, so nothing waits unless the test or its policy says so."""
    before, policies.TRADE = policies.TRADE, Policy(message_window_minutes=window_minutes)
    try:
        async with open_pool(tenant.conninfo) as pool:
            log = Log(tenant.schema, pool)
            ledger = Ledger(log, NOUNS)
            await ledger.start()
            serving = Tenant(tenant.schema.removeprefix("tenant_"), tenant.schema, log, ledger)
            yield Office(tenant, Tenants(pool), serving, Sealer(KeyRing.of_master_key(secret)), sender)
            await ledger.stop()
    finally:
        policies.TRADE = before


def busy(office: Office, orders: int = 8) -> Scenario:
    scenario = a_shop(tea=100)
    for number in range(orders):
        order_id = f"shopify/{number}"
        scenario.place(line(1, "tea", 1), order_id=order_id, **office.customer(order_id))
        scenario.send(f"{order_id}/1")
    return scenario
