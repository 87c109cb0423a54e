"""The worker: makes commands of what was received, thing by thing in the system's own order.

Any number of processes may run it. A tenant is leased to one of them, and the ids of the requests derive from what is
told, so that what was done when a process died is answered and not repeated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from typing import Any

from adapters.access.callers import Caller
from adapters.edges.accounts import Accounts, Connected
from adapters.edges.forgetting import Forgetting
from adapters.edges.grouping import Grouped, all_ended
from adapters.edges.http import SystemUnreachable, TryLater
from adapters.edges.inbox import Inbox
from adapters.edges.inbox_rows import Arrival, InboxRow, InboxState, Workable, WorkedOn
from adapters.edges.leases import Leases
from adapters.edges.meaning import NotUnderstood, WantedCommand
from adapters.edges.outgoing import Outgoing
from adapters.edges.traffic import Traffic
from adapters.edges.understanding import InboxWork, Understanding, read_together
from adapters.edges.wakeups import EdgeWork
from adapters.rpc.calls import Call, rpc_of
from adapters.rpc.commands import Commands
from adapters.tenants import Tenant, Tenants
from fulfilment.v1 import admin_pb2, people_pb2
from ledger.engine.commands import own_command
from ledger.engine.trouble import is_trouble
from ledger.facts import changes_of
from ledger.nouns import cases, orders, parcels, receptions
from ledger.nouns.orders import supplier_orders
from ledger.nouns.orders.after_sales import UnknownCharge
from ledger.nouns.receptions import ReceptionFailed
from ledger.refusals import Exhausted, Malformed, Refusal, RequestReused, Unavailable
from ledger.terms.carriers import carrier_name
from ledger.terms.order_numbers import order_number
from ledger.view import View

log = logging.getLogger("fulfilment.edges")

ACTOR = "edge"
"""The name that commands of the edges are recorded under; no client can have it."""

_MOST_AT_ONCE = 100
_FEW_AT_ONCE = 25
"""While much comes in, so that it does not wait for many of these."""
_REST, _LONGEST_REST_SECONDS = 2.0, 0.5
"""How much longer than such a part took the worker then rests, at most."""
_OBJECTS_AT_ONCE = 40
_MOST_REQUEST_ID = 100
_PAUSES = (*(timedelta(seconds=each) for each in (2, 10, 30, 120, 600)), timedelta(hours=1))
"""After which something that came too early is tried again; the last again and again."""
_PATIENCE = timedelta(days=3)
"""How long something waits for what it is about: the longest time over which shops repeat a delivery, and a weekend."""
_COMES_LATER = frozenset(
    each.reason
    for each in (
        *(orders.UnknownOrder, orders.UnknownHold, UnknownCharge),
        *(supplier_orders.UnknownSupplierOrder, supplier_orders.UnknownLine),
        *(parcels.UnknownParcel, cases.UnknownCase),
    )
)
"""What other news brings, and may only be late. Whatever else is not found, such as a supplier or a warehouse, somebody
has to enter: waiting for it would only hide it."""
_TRY_AGAIN = timedelta(seconds=5)
_EXPIRE_EVERY = timedelta(hours=1)
_ASK_SECONDS = 30.0
_ASKING_SECONDS = 60.0
"""How long systems are asked in one piece of work."""

Erase = Callable[[admin_pb2.ErasePersonRequest, Call], Awaitable[admin_pb2.ErasePersonResponse]]
"""AdminService's, which is no command of the ledger alone: files and bodies go as well."""


class Worker:
    """Works on the inboxes of all tenants."""

    def __init__(
        self,
        tenants: Tenants,
        accounts: Accounts,
        outgoing: Outgoing,
        commands: Commands,
        erase: Erase,
        forgetting: Forgetting,
        traffic: Traffic,
    ) -> None:
        self._tenants = tenants
        self._accounts = accounts
        self._outgoing = outgoing
        self._commands = commands
        self._erase = erase
        self._forgetting = forgetting
        self._expired: dict[str, datetime] = {}
        self._traffic = traffic
        self._understanding = Understanding()
        self.leases = Leases(tenants, EdgeWork.INBOX, self.work)

    async def work(self, tenant: Tenant) -> datetime | None:
        """Works on what is due now, and says when something is due next; at once if there is more."""
        now, inbox = datetime.now(UTC), Inbox.of(tenant)
        if now - self._expired.get(tenant.name, now - 2 * _EXPIRE_EVERY) > _EXPIRE_EVERY:
            await inbox.expire(await self._accounts.names(tenant))
            self._expired[tenant.name] = now
        connected = await self._accounts.read(tenant)  # who adds or resumes one wakes this only once it is recorded
        clock, workable = asyncio.get_running_loop().time, _workable(connected)
        began = clock()
        await self._page(tenant, inbox, connected, workable)
        await self._traffic.give_way(min((clock() - began) * _REST, _LONGEST_REST_SECONDS))
        return await inbox.next_at(workable)

    async def _page(self, tenant: Tenant, inbox: Inbox, connected: Mapping[str, Connected], workable: Workable) -> None:
        due = await inbox.due(workable, _FEW_AT_ONCE if self._traffic.is_heavy else _MOST_AT_ONCE)
        slots, until = asyncio.Semaphore(_OBJECTS_AT_ONCE), asyncio.get_running_loop().time() + _ASKING_SECONDS
        end, together = Grouped(inbox.end, _MOST_AT_ONCE), Grouped(partial(read_together, tenant), _OBJECTS_AT_ONCE)
        works = (
            InboxWork(
                tenant=tenant,
                inbox=inbox,
                end=end,
                read=together,
                connected=connected[row.connection],
                row=row,
                until=until,
                about=set(),
            )
            for row in due
        )
        working = [self._object(slots, each) for each in _by_object(works)]
        await all_ended(working)

    async def _object(self, slots: asyncio.Semaphore, works: Sequence[InboxWork]) -> None:
        """What is about one object, one after the other."""
        async with slots:
            for work in works:
                ended = await self._ended(work)
                ended = ended._replace(about=sorted({*ended.about, *work.about}))
                if ended.state is InboxState.FAILED or ended.look:
                    await self._tell(work, ended.look or ended.reason, ended.due)
                await work.end((work.row, ended))

    async def _ended(self, work: InboxWork) -> WorkedOn:
        """What comes of it. No mistake in an adapter stops the others."""
        try:
            return await self._worked(work)
        except NotUnderstood as why:
            return WorkedOn(InboxState.FAILED, f"not understood: {why}")
        except Malformed as bad:
            # Without what is wrong with them, which may quote somebody.
            fields = ", ".join(field for field, _ in bad.faults)
            return WorkedOn(InboxState.FAILED, f"not understood: what would be recorded is malformed: {fields}")
        except (Exhausted, Unavailable) as later:
            return _later(later.reason, _TRY_AGAIN)
        except Exception as mistake:
            if is_trouble(mistake):
                raise
            # Where it happened, and never what it was about.
            where = mistake.__traceback__
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where is not None else ""
            log.error("reception %s failed with %s at %s", work.row.reception_id, type(mistake).__name__, place)
            return WorkedOn(InboxState.FAILED, f"a mistake of the service: {type(mistake).__name__}")

    async def _worked(self, work: InboxWork) -> WorkedOn:
        if work.row.newer is not None:
            return WorkedOn(InboxState.IGNORED, "a newer state was worked on already", work.row.newer)
        raw = work.inbox.opened(work.row, work.connected.box_key)
        if raw is None:
            return WorkedOn(InboxState.IGNORED, "its body was erased")
        meant = await self._understanding.understood(work, raw)
        if work.row.is_other_content:
            return WorkedOn(InboxState.FAILED, work.row.reason)
        if meant.early:
            return _early(work.row, meant.early)
        if meant.asks:
            return await self._asked(work, raw, meant.asks)
        if meant.forgets:
            connected = await self._accounts.of(work.tenant)
            return await self._forgetting.forget(work.tenant, work.row, connected, meant.due, work.until)
        if not meant.wanted and not meant.look:
            return WorkedOn(InboxState.IGNORED, meant.ignored)
        self._require_well_formed(work, meant.wanted)
        looks = [meant.look] if meant.look else []
        for wanted in meant.wanted:
            ended = await self._executed(work, wanted)
            if ended is not None and ended.state is not InboxState.DONE:
                return ended
            looks += [ended.look] if ended is not None else []
        about = sorted({*_about(meant.wanted)})
        done = WorkedOn(InboxState.DONE, about=about, unknown_words=meant.unknown_words)
        if not looks:
            return done
        # A whole state that was worked on stays what the next one is compared with.
        state = InboxState.DONE if work.row.whole else InboxState.FAILED
        return done._replace(state=state, reason=looks[0], look="; ".join(looks), due=meant.due)

    async def _asked(self, work: InboxWork, raw: bytes, about: str) -> WorkedOn:
        """The system is asked for what it only hinted at; the answer goes into the inbox as if it had been told."""
        if await work.inbox.was_asked_since(work.row):
            return WorkedOn(InboxState.IGNORED, "the system was asked for it since", [about])
        if asyncio.get_running_loop().time() > work.until:
            return _later("it is asked for in its turn", timedelta())
        one = work.connected
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                http = self._outgoing.of(work.tenant, one)
                found = await one.system.fetch(http, one.account, work.row.received, raw)
        except TryLater as later:
            return _later(str(later), timedelta(seconds=later.seconds))
        except SystemUnreachable as problem:
            return _early(work.row, str(problem))
        except TimeoutError:
            return _early(work.row, "it did not answer in time")
        if not found:
            return WorkedOn(InboxState.IGNORED, "the system has no such thing", [about])
        await work.inbox.keep([Arrival(one, each.received, each.raw, asked=True) for each in found])
        return WorkedOn(InboxState.DONE, about=[about])

    async def _executed(self, work: InboxWork, wanted: WantedCommand) -> WorkedOn | None:
        """Executes one command; what comes of the whole if that could not be done."""
        row, request = work.row, wanted.request
        call = self._call(work, wanted)
        try:
            if call.rpc not in work.connected.system.beside:
                call.caller.require(call.rpc)
            if isinstance(request, admin_pb2.ErasePersonRequest):
                return _kept((await self._erase(request, call)).kept)
            await self._commands.execute(request, call)
        except RequestReused:
            # Another content under the same version: with the id of the next attempt it is decided anew.
            return WorkedOn(
                InboxState.WAITING, "the same version was told with another content", next_at=datetime.now(UTC)
            )
        except (Exhausted, Unavailable, Malformed):
            raise
        except Refusal as refused:
            if refused.reason in wanted.fine:
                return None
            if refused.reason in _COMES_LATER:
                return _early(row, f"{refused.reason}: {refused.message}")
            return WorkedOn(InboxState.FAILED, f"{rpc_of(request)} refused: {refused.reason}: {refused.message}")
        return None

    def _require_well_formed(self, work: InboxWork, wanted: Sequence[WantedCommand]) -> None:
        """Of several commands all are looked at before any of them is recorded."""
        commands = [each for each in wanted if not isinstance(each.request, admin_pb2.ErasePersonRequest)]
        for each in commands if len(commands) > 1 else ():
            self._commands.require_well_formed(work.tenant, each.request, self._call(work, each))

    def _call(self, work: InboxWork, wanted: WantedCommand) -> Call:
        """As who it is asked for; its request gets the id that derives from what is told."""
        system, request = work.connected.system, wanted.request
        name = f"{system.name}/{work.row.connection}"
        context: Any = getattr(request, "asked_by" if isinstance(request, admin_pb2.ErasePersonRequest) else "context")
        # What the system has not done itself is recorded as another's, so that it is told what becomes of it.
        actor = f"{name}/wish" if wanted.is_wish else name
        context.request_id, context.actor = request_id(name, wanted, work.row.attempts), actor
        return Call(rpc_of(request), Caller(ACTOR, system.role, frozenset((work.tenant.name,))), work.tenant.name, None)

    async def _tell(self, work: InboxWork, reason: str, due: datetime | None) -> None:
        """Somebody has to look."""
        row, now = work.row, datetime.now(UTC)
        failed = ReceptionFailed(
            reception_id=row.reception_id,
            connection=row.connection,
            topic=row.topic,
            object_id=row.object_id,
            why=reason[:500],
            at=now,
            due=due,
        )
        stream = receptions.stream(row.reception_id)

        def decide(view: View) -> Any:
            return changes_of(stream, receptions.fail(receptions.find(view, row.reception_id), failed))

        occasion = f"reception:{row.reception_id}:{row.attempts}"
        await work.tenant.ledger.execute(own_command(occasion, ACTOR, decide, (stream,)))


def _workable(connected: Mapping[str, Connected]) -> Workable:
    paused = [(name, topic) for name, one in connected.items() if one.paused for topic in one.system.even_paused]
    return Workable([name for name, one in connected.items() if not one.paused], paused)


def request_id(name: str, wanted: WantedCommand, attempts: int) -> str:
    """SYSTEM/CONNECTION/object/version, and which attempt it is from the second on."""
    attempt = f"/{attempts + 1}" if attempts else ""
    thing = f"{wanted.object_id}/{wanted.version}"
    whole = f"{name}/{thing}{attempt}"
    if len(whole) <= _MOST_REQUEST_ID and whole.isascii() and whole.isprintable() and " " not in whole:
        return whole
    return f"{name}/{blake2b(thing.encode(), digest_size=16).hexdigest()}{attempt}"


def _kept(kept: Sequence[people_pb2.KeptData]) -> WorkedOn | None:
    """What could not be erased is a person's work, who tries it again once its order is over."""
    if not kept:
        return None
    named = ", ".join(each.order_id or each.supplier_id for each in kept[:5])
    return WorkedOn(InboxState.DONE, look=f"not all of a person could be erased: {named}; try it again later")


def _by_object(works: Iterable[InboxWork]) -> Iterable[list[InboxWork]]:
    found: dict[tuple[str, str], list[InboxWork]] = {}
    for work in works:
        found.setdefault((work.row.connection, work.row.object_id), []).append(work)
    return found.values()


def _early(row: InboxRow, reason: str) -> WorkedOn:
    """It is tried again, less and less often; after some days somebody has to look."""
    now = datetime.now(UTC)
    if now - row.received_at > _PATIENCE:
        return WorkedOn(InboxState.FAILED, f"what it is about has not come in {_PATIENCE.days} days: {reason}")
    pause = _PAUSES[min(row.attempts, len(_PAUSES) - 1)]
    return WorkedOn(InboxState.EARLY, reason, next_at=now + pause)


def _later(reason: str, pause: timedelta) -> WorkedOn:
    """The ledger or the system cannot answer now: the same attempt is made again."""
    return WorkedOn(InboxState.WAITING, reason, next_at=datetime.now(UTC) + pause, is_attempt=False)


def _about(wanted: Iterable[WantedCommand]) -> Iterable[str]:
    """The orders and parcels that these commands are about, by which a person's are found."""
    for each in wanted:
        request: Any = each.request
        fields = request.DESCRIPTOR.fields_by_name
        if "channel_order_id" in fields:
            yield f"{request.channel}/{order_number(request.channel_order_id)}"
        if "order_id" in fields and request.order_id:
            yield request.order_id
        if "carrier" in fields and request.carrier:
            yield f"{carrier_name(request.carrier)}/{request.tracking_number}"
