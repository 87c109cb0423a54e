"""EdgeService but for its commands."""

from __future__ import annotations

from datetime import datetime

from adapters.edges.accounts import Accounts
from adapters.edges.http import HttpClient, SystemUnreachable, TryLater
from adapters.edges.inbox import Inbox
from adapters.edges.inbox_rows import InboxCount, InboxRow, InboxState
from adapters.edges.meaning import NotUnderstood
from adapters.edges.outgoing import Outgoing
from adapters.edges.reconciliation import AskedSoFar, Asking
from adapters.people.personal_reads import note_subjects
from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.edges.asks import connection_name, effect_id, reception_id, texted_number
from adapters.rpc.edges.shows import effect
from adapters.rpc.faults import require
from adapters.rpc.listing import listed, page
from adapters.rpc.queries import Queries
from adapters.rpc.shapes import enum
from adapters.rpc.shows import number_of, stamp
from adapters.streams import read
from adapters.tenants import Tenants
from adapters.texting.choices import choice_of, number_hash
from fulfilment.v1 import edges_pb2 as pb
from ledger.engine.sealing import Sealer
from ledger.nouns import connections, orders, receptions, text_choices
from ledger.nouns.connections import Connection, UnknownConnection
from ledger.nouns.receptions import UnknownReception
from projections import effects as told_effects
from projections.effects import EffectState

_LONGEST_BODY_BYTES = 3 << 20
_MOST_WORDS = 50
_state_number = number_of(pb.ReceptionState)
_read_state = enum(pb.ReceptionState, InboxState)
_read_effect_state = enum(pb.EffectState, EffectState)


class EdgeQueries(Queries):
    """EdgeService but for its commands."""

    def __init__(self, tenants: Tenants, sealer: Sealer, *, private_too: bool = False) -> None:
        """Systems in the own network are called only if they stand there."""
        super().__init__(tenants)
        self._accounts, self._sealer = Accounts(sealer), sealer
        self._private_too = private_too

    async def ListConnections(self, request: pb.ListConnectionsRequest, call: Call) -> pb.ListConnectionsResponse:
        wanted = page(request)
        after = wanted.after(str) or ""
        tenant = await self.tenant(call)
        view, position = await read(tenant.log, [connections.stream()])
        known = connections.find(view)
        there = sorted((known.by_name if known is not None else {}).items())
        found = [(name, one) for name, one in there if name > after]
        shown, more = wanted.cut(found, [name for name, _ in found])
        counts = await Inbox.of(tenant).counts()
        standings = {each.name: each for each in await Asking(tenant, self.tenants.pool).listed([n for n, _ in shown])}
        async with self.tenants.pool.connection() as connection:
            to_tell = await told_effects.counts(connection, tenant.schema)
        answer = [_connection(tenant.name, name, one, counts.get(name), standings.get(name)) for name, one in shown]
        words = await Inbox.of(tenant).unknown_words()
        for each in answer:
            found_words = words.get(each.name, ())[:_MOST_WORDS]
            each.unknown_words.extend(pb.UnknownWord(word=word, deliveries=count) for word, count in found_words)
            if (count := to_tell.get(each.name)) is not None:
                each.to_tell, each.untold = count.waiting, count.failed
        return pb.ListConnectionsResponse(connections=answer, next_page_token=more, position=position)

    async def TestConnection(self, request: pb.TestConnectionRequest, call: Call) -> pb.TestConnectionResponse:
        name = connection_name(request.name)
        tenant = await self.tenant(call)
        found = (await self._accounts.read(tenant)).get(name)
        if found is None:
            raise UnknownConnection(name)
        async with HttpClient(private_too=self._private_too) as client:
            http = Outgoing(client).of(tenant, found)
            try:
                checks = await found.system.check(http, found.account)
                answer = [pb.ConnectionCheck(what=each.what, problem=each.problem) for each in checks]
            except (SystemUnreachable, TryLater, NotUnderstood) as problem:
                answer = [pb.ConnectionCheck(what="it answers", problem=str(problem))]
        return pb.TestConnectionResponse(checks=answer)

    async def ListReceptions(self, request: pb.ListReceptionsRequest, call: Call) -> pb.ListReceptionsResponse:
        if request.connection:
            connection_name(request.connection, "connection")
        states = [_read_state(each, f"states[{index}]") for index, each in enumerate(request.states)]
        require(len(states) <= len(InboxState), "states", f"{len(states)} states, {len(InboxState)} at most")
        wanted = page(request)
        tenant, before = await self.tenant(call), wanted.after(tuple[datetime, str])
        inbox = Inbox.of(tenant)
        found = await inbox.listed(request.connection, states, before, wanted.limit)
        shown, more = wanted.cut(found, [(each.received_at, each.reception_id) for each in found])
        # Read after them, so that what they recorded is in the log by then.
        head = await tenant.log.head()
        rows = [show_reception(each) for each in shown]
        return pb.ListReceptionsResponse(receptions=rows, next_page_token=more, position=head)

    async def GetReception(self, request: pb.GetReceptionRequest, call: Call) -> pb.GetReceptionResponse:
        known_as = reception_id(request.reception_id)
        tenant = await self.tenant(call)
        inbox = Inbox.of(tenant)
        row = await inbox.get(known_as)
        if row is None:
            raise UnknownReception(known_as)
        answer = pb.GetReceptionResponse(reception=show_reception(row))
        if not request.with_personal_data:
            return answer
        viewer = call.viewer(receptions.stream(known_as))
        connected = (await self._accounts.read(tenant)).get(row.connection)
        if connected is not None:
            about = [orders.anchor(each) for each in row.about]
            await note_subjects(tenant.log, viewer, about or [connections.owner_of_keys(row.connection)])
            answer.body = (inbox.opened(row, connected.box_key) or b"")[:_LONGEST_BODY_BYTES]
        return answer

    async def ListEffects(self, request: pb.ListEffectsRequest, call: Call) -> pb.ListEffectsResponse:
        if request.connection:
            connection_name(request.connection, "connection")
        states = [_read_effect_state(each, f"states[{index}]") for index, each in enumerate(request.states)]
        require(len(states) <= len(EffectState), "states", f"{len(states)} states, {len(EffectState)} at most")
        object_id = shapes.taken(request.object_id, "object_id")
        found = await told_effects.list_effects(
            await self.where(request, call), page(request), states, request.connection, object_id
        )
        return listed(pb.ListEffectsResponse, "effects", found, effect)

    async def GetEffect(self, request: pb.GetEffectRequest, call: Call) -> pb.GetEffectResponse:
        found = await told_effects.get_effect(await self.where(request, call), effect_id(request.effect_id))
        return pb.GetEffectResponse(effect=effect(found.rows[0]), position=found.position)

    async def GetTextChoice(self, request: pb.GetTextChoiceRequest, call: Call) -> pb.GetTextChoiceResponse:
        phone, tenant = texted_number(request), await self.tenant(call)
        sealer = self._sealer.of(tenant.schema)
        about = text_choices.stream(number_hash(sealer, phone))
        await note_subjects(tenant.log, call.viewer(about), [about])
        choice = await choice_of(tenant.log, sealer, phone)
        if choice is None:
            return pb.GetTextChoiceResponse()
        wants = pb.TEXT_CHOICE_NONE if choice.wants_none else pb.TEXT_CHOICE_WANTED
        return pb.GetTextChoiceResponse(choice=wants, at=stamp(choice.at), by=choice.by)


def _connection(
    tenant: str, name: str, one: Connection, count: InboxCount | None, standing: AskedSoFar | None
) -> pb.Connection:
    shown = pb.Connection(
        name=name,
        system=one.added.system,
        settings=one.added.settings,
        paused=one.paused,
        paused_because=one.because,
        valid_secrets=len(one.secrets),
        added_by=one.added.by,
        added_at=stamp(one.added.at),
        changed_by=one.changed_by,
        changed_at=stamp(one.changed_at),
        path=f"/in/{tenant}/{name}",
    )
    if count is not None:
        shown.waiting, shown.early, shown.failed = count.waiting, count.early, count.failed
        if (received_at := stamp(count.received_at)) is not None:
            shown.received_at.CopyFrom(received_at)
    if standing is not None and standing.added_at == one.added.at:
        shown.found_by_asking, shown.found_last, shown.problem = standing.found, standing.found_last, standing.problem
        if (asked_at := stamp(standing.asked_at)) is not None:
            shown.asked_at.CopyFrom(asked_at)
    return shown


def show_reception(row: InboxRow) -> pb.Reception:
    return pb.Reception(
        reception_id=row.reception_id,
        connection=row.connection,
        topic=row.topic,
        object_id=row.object_id,
        happened_at=stamp(row.happened_at),
        received_at=stamp(row.received_at),
        state=_state_number(InboxState(row.state)),
        reason=row.reason,
        attempts=row.attempts,
        next_at=stamp(row.next_at),
        found_by_asking=row.asked,
        about=row.about,
    )
