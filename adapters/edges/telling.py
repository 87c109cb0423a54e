"""Tells foreign systems what happened: what is to be told, in order about each thing, within each system's limits.

What is told is worked out from the log at that moment. One process at a time tells for a tenant. Where it is lost
between a system's answer and the record of it, the system is told once more, and says or shows that it is done already.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
from psycopg import AsyncConnection

from adapters.database.locks import tried
from adapters.edges.accounts import Accounts, Connected
from adapters.edges.effects import NotDone, NotYet, Telling, ToldNow, WantsNoMore
from adapters.edges.grouping import all_ended
from adapters.edges.http import SystemUnreachable, TryLater
from adapters.edges.leases import Leases
from adapters.edges.meaning import NotUnderstood
from adapters.edges.noticing import Informed, Notices, kinds_of
from adapters.edges.outgoing import Outgoing
from adapters.edges.receivers import Declined, Nobody, Receivers
from adapters.edges.reconciliation import Asking
from adapters.edges.touched import added_at
from adapters.edges.wakeups import EdgeWork
from adapters.edges.worker import ACTOR
from adapters.messages.letters import Letters
from adapters.streams import read
from adapters.tenants import Tenant, Tenants
from adapters.texting.choices import OPTED_OUT
from adapters.texting.writing import Texts
from adapters.tracking import carriers
from ledger.decisions import order_differences, telling
from ledger.decisions.order_differences import Untold
from ledger.engine.commands import own_command
from ledger.engine.log import LOCK_SEED
from ledger.engine.sealing import Sealer
from ledger.engine.trouble import is_trouble
from ledger.facts import changes_of
from ledger.nouns import connections, effects, orders, parcels
from ledger.nouns.connections import ConnectionPaused
from ledger.nouns.effects import EffectEnded, EffectEnding, EffectFact, EffectSubject, ToldSubject
from ledger.refusals import ProjectionBehind, Refusal
from ledger.terms.effects import Effect, FollowNumber, Fulfilment, TextMessage
from ledger.view import View
from projections import effects as told_effects
from projections import stock_levels
from projections.machine.reads import Where

log = logging.getLogger("fulfilment.edges")

LOOK_AGAIN = timedelta(seconds=15)
"""How often a tenant with connections is looked at, where nothing is heard of it."""
_SOON = timedelta(seconds=1)
_TURN_SECONDS = 20.0
"""After which nothing more is begun, so that what happened meanwhile is noticed: much shorter than a lease."""
_ONE_SECONDS = 75.0
"""How long telling one thing may take; with a turn shorter than a lease."""
_LONGEST_REST_SECONDS = 60.0
"""Of a system that does not answer: what it fails at is tried less and less often, and the rest in between."""
_MOST_AT_ONCE = 100
_OBJECTS_AT_ONCE = 5


class _Due(NamedTuple):
    """Something that is told now."""

    reader: Informed
    effect_id: str
    told: ToldSubject
    version: int
    """Of its stream: what comes of this turn is recorded once."""


class _Rests(Exception):
    """The connection takes nothing more for a while."""


class Teller:
    """Tells for all tenants."""

    def __init__(self, tenants: Tenants, accounts: Accounts, outgoing: Outgoing, sealer: Sealer) -> None:
        self._tenants = tenants
        self._accounts = accounts
        self._outgoing = outgoing
        self._texts = Texts(Letters(sealer))
        self._receivers = Receivers(self._texts, sealer)
        self._rests: dict[tuple[str, str], float] = {}
        """Until when a connection takes nothing, by the clock of the event loop."""
        self._added: dict[tuple[str, str, datetime], int] = {}
        self.leases = Leases(tenants, EdgeWork.TELLING, self.work)

    async def work(self, tenant: Tenant) -> datetime | None:
        """Notices what is to be told and tells it, for a while; says when to look again. None without connections."""
        there = await self._accounts.ages(tenant)
        connected = await self._accounts.read(tenant)  # so that a pause counts at once
        readers = [
            Informed(name, one, kinds, await self._since(tenant, name, one))
            for name, one in connected.items()
            if (kinds := kinds_of(one))
        ]
        # Slow systems take their time, in which its connection only holds the lock.
        async with tried(self._tenants.pool, f"{tenant.schema}/telling", LOCK_SEED) as (connection, leads):
            if not leads:
                return datetime.now(UTC) + _SOON
            try:
                if not readers:  # it is not looked at again, so this has to see all
                    await told_effects.some(Where(self._tenants.pool, tenant.schema, await tenant.log.head()), [])
                await self._end_of_others(connection, tenant, there)
            except ProjectionBehind:
                return datetime.now(UTC) + _SOON
            if not readers:
                return None
            asked, more = await self._noticed(tenant, readers)
            await self._tell_all(connection, tenant, readers, asked)
            return datetime.now(UTC) if more else await self._next_at(connection, tenant, readers)

    async def _noticed(self, tenant: Tenant, readers: Sequence[Informed]) -> tuple[list[str], bool]:
        """What is to be told from now on, and whether there is more. What is known already is told meanwhile."""
        try:
            return await Notices(tenant, Asking(tenant, self._tenants.pool), readers).look()
        except ProjectionBehind:
            return [], False  # it is looked at again in a while

    async def _since(self, tenant: Tenant, name: str, one: Connected) -> int:
        key = (tenant.name, name, one.added_at)
        if key not in self._added:
            self._added[key] = await added_at(tenant, name, one.added_at)
        return self._added[key]

    async def _end_of_others(
        self, connection: AsyncConnection[Any], tenant: Tenant, there: Mapping[str, datetime]
    ) -> None:
        """What connections that were removed were still to be told is over."""
        now = datetime.now(UTC)
        for effect_id in await told_effects.of_others(connection, tenant.schema, there, _MOST_AT_ONCE):
            ended = EffectEnded(effect_id, EffectEnding.REMOVED, now)
            stream = effects.stream(effect_id)

            def decide(view: View, ended: EffectEnded = ended, stream: str = stream) -> Any:
                return changes_of(stream, effects.end(effects.find(view, ended.effect_id), ended))

            await tenant.ledger.execute(own_command(f"removed:{effect_id}", ACTOR, decide, (stream,)))

    async def _next_at(self, connection: AsyncConnection[Any], tenant: Tenant, readers: Sequence[Informed]) -> datetime:
        """When to look again: at the latest in a while, at the earliest in a moment, as read models lag a little."""
        now = datetime.now(UTC)
        rests = {each.name: self._rests_for(tenant, each) for each in readers if not each.one.paused}
        awake = [name for name, seconds in rests.items() if not seconds]
        found = await told_effects.next_at(connection, tenant.schema, awake)
        resting = [now + timedelta(seconds=seconds) for seconds in rests.values() if seconds]
        return max(now + _SOON, min([now + LOOK_AGAIN, *([found] if found else []), *resting]))

    def _rest(self, tenant: Tenant, reader: Informed, seconds: float) -> None:
        self._rests[tenant.name, reader.name] = asyncio.get_running_loop().time() + seconds

    def _rests_for(self, tenant: Tenant, reader: Informed) -> float:
        """For how many seconds a connection takes nothing."""
        return max(0.0, self._rests.get((tenant.name, reader.name), 0.0) - asyncio.get_running_loop().time())

    # --- telling ---

    async def _tell_all(
        self, connection: AsyncConnection[Any], tenant: Tenant, readers: Sequence[Informed], asked: Sequence[str]
    ) -> None:
        """What is due of all connections that are not paused and do not rest, each by itself."""
        active = {each.name: each for each in readers if not (each.one.paused or self._rests_for(tenant, each))}
        due = await told_effects.due(connection, tenant.schema, active, datetime.now(UTC), _MOST_AT_ONCE)
        found = await self._due(tenant, active, list(dict.fromkeys([*due, *asked])))
        turn_ends_at = asyncio.get_running_loop().time() + _TURN_SECONDS
        by_connection: dict[str, list[_Due]] = {}
        for one in found:
            by_connection.setdefault(one.reader.name, []).append(one)
        await all_ended(self._tell(tenant, each, turn_ends_at) for each in by_connection.values())

    async def _due(self, tenant: Tenant, active: Mapping[str, Informed], effect_ids: Sequence[str]) -> list[_Due]:
        """Those of these that are due by the log, whatever the read model shows."""
        view, _ = await read(tenant.log, [effects.stream(each) for each in effect_ids])
        now, found = datetime.now(UTC), []
        for effect_id in effect_ids:
            entry = view.entry(effects.stream(effect_id))
            told: ToldSubject | None = entry.state
            reader = active.get(told.asked.connection) if told is not None else None
            if told is None or reader is None or told.asked.added_at != reader.one.added_at:
                continue
            if told.is_due and (told.again_at is None or told.again_at <= now):
                found.append(_Due(reader, effect_id, told, entry.version))
        return sorted(found, key=lambda each: (each.told.asked.subject is EffectSubject.SKU, each.told.asked.at))

    async def _tell(self, tenant: Tenant, due: Sequence[_Due], turn_ends_at: float) -> None:
        """What one connection is to be told, some things at a time, until it wants to rest."""
        waiting = list(reversed(due))

        async def tell() -> None:
            while waiting and asyncio.get_running_loop().time() < turn_ends_at:
                try:
                    await self._one(tenant, waiting.pop())
                except _Rests:
                    waiting.clear()

        await all_ended(tell() for _ in range(_OBJECTS_AT_ONCE))

    async def _one(self, tenant: Tenant, due: _Due) -> None:
        """All parts of one thing, one after the other."""
        try:
            differences = await self._differences(tenant, due)
        except ProjectionBehind:
            return None  # it stays due
        if not differences:
            return await self._record(tenant, due, "nothing", telling.nothing_to_tell)
        if until := await self._quiet_until(tenant, due):
            return await self._record(tenant, due, "quiet", lambda told, _: effects.put_off(told, until))
        for number, difference in enumerate(differences):
            if (answer := await self._answer(tenant, due, difference)) is None:
                return None
            await self._told(tenant, due, difference, answer, number, more=number + 1 < len(differences))
        return None

    async def _answer(self, tenant: Tenant, due: _Due, difference: Untold) -> ToldNow | None:
        """What the system answers; None where it could not be told, which is recorded then.

        Raises _Rests where the connection takes nothing more for a while.
        """
        try:
            async with asyncio.timeout(_ONE_SECONDS):
                return await self._carry_out(tenant, due, difference)
        except Declined:
            return ToldNow(note=OPTED_OUT)
        except TryLater as later:
            self._rest(tenant, due.reader, later.seconds)
            raise _Rests from later
        except (SystemUnreachable, TimeoutError) as trouble:
            await self._fail(tenant, due, str(trouble) or "it did not answer in time", lasting=False)
            self._rest(tenant, due.reader, min(_pause_of(due.told), _LONGEST_REST_SECONDS))
            raise _Rests from trouble
        except Nobody:
            await self._record(tenant, due, "nothing", telling.nothing_to_tell)
        except NotYet as why:
            await self._fail(tenant, due, str(why), lasting=False)
        except NotUnderstood as unclear:
            await self._fail(tenant, due, f"its answer is not understood: {unclear}", lasting=False)
        except WantsNoMore as gone:
            await self._pause(tenant, due, str(gone)[:200])
            await self._fail(tenant, due, f"{gone}; its connection was paused", lasting=True)
            raise _Rests from gone
        except NotDone as why:
            await self._fail(tenant, due, str(why), lasting=True)
        except Exception as mistake:
            if is_trouble(mistake):
                raise
            log.error("telling %s of %s failed with %s", due.effect_id, tenant.name, type(mistake).__name__)
            await self._fail(tenant, due, f"a mistake of the service: {type(mistake).__name__}", lasting=True)
        return None

    async def _differences(self, tenant: Tenant, due: _Due) -> list[Untold]:
        """What differs at this moment."""
        asked, parts = due.told.asked, due.told.parts
        match asked.subject:
            case EffectSubject.ORDER:
                view, _ = await read(tenant.log, [orders.stream(asked.object_id)])
                order = view.state(orders.stream(asked.object_id))
                if order is None:
                    return []
                return order_differences.of_order(order, parts, due.reader.kinds, anew=asked.anew)
            case EffectSubject.NUMBER:
                carrier, _, number = asked.object_id.partition("/")
                view, _ = await read(tenant.log, [parcels.stream(carrier, number)])
                return telling.of_number(parcels.find(view, carrier, number), parts)
            case EffectSubject.MESSAGE:
                return await self._texts.due(tenant.log, asked.object_id, parts, datetime.now(UTC))
            case EffectSubject.SKU:
                where = Where(self._tenants.pool, tenant.schema)
                levels = await stock_levels.figures(where, datetime.now(UTC), [asked.object_id])
                return telling.of_level(levels.get(asked.object_id), parts, anew=asked.anew)

    async def _carry_out(self, tenant: Tenant, due: _Due, difference: Untold) -> ToldNow:
        system, account = due.reader.one.system, due.reader.one.account
        before, effect, asked = difference.before, difference.effect, due.told.asked
        phone_end = await self._receivers.phone_end(tenant, effect) if isinstance(effect, FollowNumber) else ""
        is_text = isinstance(effect, TextMessage)
        text = await self._receivers.text_to(tenant, asked.object_id, asked.at) if is_text else None
        told = Telling(
            _with_page(effect),
            _key(due.effect_id, difference),
            _with_page(before.said) if before is not None else None,
            before.reference if before is not None else "",
            phone_end,
            text,
        )
        answer = await system.carry_out(self._outgoing.of(tenant, due.reader.one).told, account, told)
        if answer.wants_none and told.text is not None:
            occasion = f"{due.effect_id}:{due.version}"
            await self._receivers.decline(tenant, told.text.phone, due.reader.is_actor, occasion)
        return answer

    async def _quiet_until(self, tenant: Tenant, due: _Due) -> datetime | None:
        """Until when a customer is not to be texted; None where nothing is in the way."""
        if due.told.asked.subject is not EffectSubject.MESSAGE:
            return None
        return await self._texts.quiet_until(tenant.log, due.told.asked.object_id, datetime.now(UTC))

    # --- what came of it ---

    async def _told(
        self, tenant: Tenant, due: _Due, difference: Untold, answer: ToldNow, number: int, *, more: bool
    ) -> None:
        def decide(told: ToldSubject, at: datetime) -> Sequence[EffectFact]:
            return telling.told_now(told, difference, at, answer.reference, answer.note, more=more)

        await self._record(tenant, due, f"told-{number}", decide)

    async def _fail(self, tenant: Tenant, due: _Due, why: str, *, lasting: bool) -> None:
        await self._record(tenant, due, "failed", lambda told, at: effects.fail(told, why, at, lasting=lasting))

    async def _pause(self, tenant: Tenant, due: _Due, because: str) -> None:
        stream, reader = connections.stream(), due.reader
        paused = ConnectionPaused(reader.name, reader.is_actor, datetime.now(UTC), because)

        def decide(view: View) -> Any:
            return changes_of(stream, connections.pause(connections.find(view), paused))

        with suppress(Refusal):  # it was removed meanwhile
            await tenant.ledger.execute(own_command(f"gone:{due.effect_id}:{due.version}", ACTOR, decide, (stream,)))

    async def _record(self, tenant: Tenant, due: _Due, what: str, decide: Any) -> None:
        stream, now = effects.stream(due.effect_id), datetime.now(UTC)

        def changes(view: View) -> Any:
            told = effects.find(view, due.effect_id)
            assert told is not None, "it is told now"
            return changes_of(stream, decide(told, now))

        await tenant.ledger.execute(own_command(f"{what}:{due.effect_id}:{due.version}", ACTOR, changes, (stream,)))


def _pause_of(told: ToldSubject) -> float:
    return effects.pause_after(told.attempts).total_seconds()


def _key(effect_id: str, difference: Untold) -> str:
    """The same for the same news of the same thing."""
    said = msgspec.json.encode((difference.effect, difference.before and difference.before.said))
    return f"{effect_id}-{blake2b(difference.part.encode() + said, digest_size=8).hexdigest()}"


def _with_page(effect: Effect) -> Effect:
    """With the carrier's page of the parcel."""
    if not isinstance(effect, Fulfilment):
        return effect
    return msgspec.structs.replace(effect, tracking_url=carriers.tracking_page(effect.carrier, effect.tracking_number))
