"""AdminService's RPCs about people: erasing them, and keeping what is held of them for a time."""

from __future__ import annotations

import uuid
from base64 import b32encode
from datetime import UTC, datetime
from hashlib import sha256

import msgspec

from adapters.doctor.machine import Premises
from adapters.edges.forgetting import Portion
from adapters.edges.inbox import Inbox
from adapters.messages.letters import Letters
from adapters.messages.senders import FileSender
from adapters.people.contacts import OldContacts
from adapters.rpc import shapes
from adapters.rpc.admin import erasing
from adapters.rpc.admin.reads import AdminQueries
from adapters.rpc.admin.retention import RetentionQueries
from adapters.rpc.calls import Call
from adapters.rpc.commands import Ask, Edge, Reader, Readers, to_receipt
from adapters.rpc.faults import require
from adapters.rpc.shows import number_of, stamp
from adapters.streams import reading
from adapters.tenants import Tenant, Tenants
from fulfilment.v1 import admin_pb2 as pb
from fulfilment.v1 import people_pb2
from ledger.decisions import erasing as decisions
from ledger.decisions.erasing import Asked, Belongings, Parts
from ledger.engine.commands import Command
from ledger.engine.log_rows import Ended
from ledger.engine.request_ids import OWN, stored_id
from ledger.engine.sealing import Sealer
from ledger.facts import Change
from ledger.nouns import erasures, orders
from ledger.nouns.erasures import LETTERS_ELSEWHERE, Erasure, StillKept
from ledger.nouns.orders import PersonalDataHeld
from ledger.view import View
from projections import inquiries, outbox

_PORTION = 100
"""How many orders of a channel are erased with one command."""
_because = number_of(people_pb2.KeptBecause)


def hold_personal_data(request: people_pb2.HoldPersonalDataRequest, edge: Edge) -> Ask:
    order_id, until = shapes.order_id(request.order_id), shapes.instant(request, "until")
    require(until is not None, "until", "is required: when the hold ends")
    because = shapes.word(request.because, "because", 200, required=True)
    held = PersonalDataHeld(order_id, because, edge.actor, edge.now, until or edge.now)
    return Ask(lambda view: decisions.hold(view, held), (orders.stream(order_id),))


READERS: Readers = {people_pb2.HoldPersonalDataRequest: Reader(hold_personal_data)}


class Erasures:
    """Makes commands of requests to erase somebody."""

    def __init__(self, tenants: Tenants, sealer: Sealer, files: FileSender | None) -> None:
        self._tenants = tenants
        self._sealer = sealer
        self._files = files

    async def command(self, tenant: Tenant, request: pb.ErasePersonRequest, call: Call) -> Command:
        """Of what is held now; with it the files of letters go."""
        known, now, own = erasing.known_by(request), datetime.now(UTC), self._sealer.of(tenant.schema)
        request_id = f"{OWN}erase {uuid.uuid4()}"
        if request.HasField("asked_by"):
            request_id = stored_id(call.caller.name, shapes.request_id(request.asked_by.request_id))
        actor = call.caller.actor(shapes.actor(request.asked_by.actor))
        await OldContacts(self._tenants, self._sealer).finish(tenant.name)
        found = await erasing.find(tenant, self._sealer, known)
        counts = await self._counts(tenant, found, request.even_if_open, now)
        asked = Asked(_erasure_id(request_id), actor, request.even_if_open, counts)
        fingerprint = own.fingerprint(request.SerializeToString(deterministic=True))
        return _command(Command(request_id, actor, fingerprint, _nothing, deadline=call.deadline), found, asked, now)

    async def of_channel(self, tenant: Tenant, channel: str, after: str, actor: str) -> Portion | None:
        """Erases the customers of some orders of a channel, behind one; None where there are no more."""
        order_ids, now = await erasing.kept_of(tenant, channel, after, _PORTION), datetime.now(UTC)
        if not order_ids:
            return None
        found = Belongings(tuple(order_ids))
        erased = await reading(tenant.log, lambda view: decisions.parts(view, found, False, now))
        kept = {each.order_id for each in erased.kept}
        if erased.orders:
            request_id = f"{OWN}erase {uuid.uuid4()}"
            counts = await self._counts(tenant, found, False, now)
            asked = Asked(_erasure_id(request_id), actor, False, counts)
            blank = Command(request_id, actor, sha256(request_id.encode()).digest(), _nothing)
            await tenant.ledger.execute(_command(blank, found, asked, now))
        return Portion(order_ids[-1], [each for each in order_ids if each in kept])

    async def _counts(self, tenant: Tenant, found: Belongings, even_if_open: bool, now: datetime) -> dict[str, int]:
        """How much goes. Files of letters, and what was received of shops, go here: who asks again after a crash finds
        them no more."""
        erased = await reading(tenant.log, lambda view: decisions.parts(view, found, even_if_open, now))
        held, order_ids = await erasing.held_still(tenant, erased), [each.order_id for each in erased.orders]
        if not held.counts["keys"]:
            return dict(held.counts)
        held_ids = [each.order_id for each in held.orders]
        async with tenant.log.pool.connection() as connection:
            sent = await outbox.messages_of(connection, tenant.schema, order_ids)
            about_held = await outbox.messages_of(connection, tenant.schema, held_ids)
            letters = await outbox.letters_of(connection, tenant.schema, held_ids)
            asked = await inquiries.count_about(connection, tenant.schema, held_ids)
        files = await self._files.remove(tenant.name, sent) if self._files is not None else set()
        elsewhere = [letter for channel, letter in letters if channel != FileSender.channel or letter not in files]
        await Inbox.of(tenant).forget(order_ids)
        about = {"messages": len(about_held), "inquiries": asked, "outbox_files": len(files)}
        return {**held.counts, **about, LETTERS_ELSEWHERE: len(elsewhere)}


class PeopleQueries(RetentionQueries, AdminQueries):
    """AdminService with its erasures."""

    def __init__(
        self, tenants: Tenants, sealer: Sealer, letters: Letters, premises: Premises, erasures: Erasures
    ) -> None:
        super().__init__(tenants, sealer, letters, premises)
        self.erasures = erasures

    async def ErasePerson(self, request: pb.ErasePersonRequest, call: Call) -> pb.ErasePersonResponse:
        tenant = await self.tenant(call)
        receipt = await tenant.ledger.execute(await self.erasures.command(tenant, request, call))
        erasure: Erasure | None = receipt.subject.state if receipt.subject is not None else None
        answer = erasing.counted(erasure.counts if erasure is not None else {})
        answer.receipt.CopyFrom(to_receipt(receipt))
        answer.kept.extend(map(_kept, erasure.kept if erasure is not None else ()))
        return answer


def _nothing(view: View) -> list[Change]:
    return []


def _command(asked_by: Command, found: Belongings, asked: Asked, now: datetime) -> Command:
    """Destroys the keys; all streams that held the person say so."""
    return msgspec.structs.replace(
        asked_by,
        decide=lambda view: decisions.erase(view, found, asked, now),
        destroys=lambda view: _ended(decisions.parts(view, found, asked.even_if_open, now)),
        streams=(erasures.stream(asked.erasure_id),),
        with_subject=True,
    )


def _ended(erased: Parts) -> Ended:
    return Ended(erased.subjects, erased.streams)


def _erasure_id(request_id: str) -> str:
    return f"E-{b32encode(sha256(request_id.encode()).digest()).decode()[:12]}"


def _kept(each: StillKept) -> people_pb2.KeptData:
    return people_pb2.KeptData(
        order_id=each.order_id,
        because=_because(each.because),
        until=stamp(each.until),
        supplier_id=each.supplier_id,
    )
