"""All that happened about an order, whatever stream it stands in, by when it happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.finding.related import Use, related_to
from adapters.rpc.listing import listed, page
from adapters.rpc.sealing import PersonalQueries
from adapters.rpc.shows import stamp
from adapters.sentences import sealed_in, sentence, with_text
from adapters.tenants import Tenant
from fulfilment.v1 import finding_pb2 as pb
from ledger.engine.log_rows import Past
from ledger.engine.registry import Registry
from ledger.engine.sealing import placed
from ledger.engine.turns import in_turns
from ledger.facts import Fact, Sealed, SealedText, to_minute
from ledger.nouns import NOUNS, cases, inquiries, messages, orders, parcels, recoveries, tasks
from projections.machine.reads import Answer
from projections.work import Work

_REGISTRY = Registry(NOUNS)
_FACTS_AT_ONCE = 1000
_SUBJECTS: Mapping[str, Any] = {
    orders.NOUN.prefix: pb.TIMELINE_SUBJECT_ORDER,
    parcels.NOUN.prefix: pb.TIMELINE_SUBJECT_PARCEL,
    cases.NOUN.prefix: pb.TIMELINE_SUBJECT_CASE,
    recoveries.NOUN.prefix: pb.TIMELINE_SUBJECT_RECOVERY,
    inquiries.NOUN.prefix: pb.TIMELINE_SUBJECT_INQUIRY,
    messages.NOUN.prefix: pb.TIMELINE_SUBJECT_MESSAGE,
    tasks.NOUN.prefix: pb.TIMELINE_SUBJECT_WORK,
}

_AFTER_FACTS = 2**62
"""Where work that there is now stands among facts of the same time, which raised it."""

Key = tuple[datetime, int, str]
"""What entries are sorted by: when it happened, its place in the log, the id of what it is about."""


class _Entry(NamedTuple):
    key: Key
    message: pb.TimelineEntry
    note: tuple[Sealed | None, str] = (None, "")
    """What people wrote, and what it is bound to."""


class TimelineQueries(PersonalQueries):
    async def GetTimeline(self, request: pb.GetTimelineRequest, call: Call) -> pb.GetTimelineResponse:
        wanted, order_id = page(request), shapes.order_id(request.order_id)
        tenant, where = await self.tenant(call), await self.where(request, call)
        entry, _ = await self.entry(tenant, orders.stream(order_id), request.at_least)
        related = await related_to(orders.known(entry.state, order_id), tenant, where)
        facts = of_these(await history(tenant, related.streams), related.uses)
        entries = [_of_fact(each) async for each in in_turns(facts)]
        entries = sorted([*entries, *map(_of_work, related.work)], key=lambda each: each.key)
        after = wanted.after(tuple[datetime, int, str])
        rest = [each for each in entries if after is None or each.key > after][: wanted.limit]
        rows, token = wanted.cut(rest, [each.key for each in rest])
        if request.with_personal_data:
            await self._add_texts(tenant, rows, orders.stream(order_id), call)
        return listed(
            pb.GetTimelineResponse, "entries", Answer(rows, related.position, token), lambda each: each.message
        )

    async def _add_texts(self, tenant: Tenant, entries: Sequence[_Entry], about: str, call: Call) -> None:
        unsealed = await self.unsealed(tenant, call, about, *(each.note for each in entries))
        for each in entries:
            content = unsealed.get(each.note[0].key_id) if each.note[0] else None
            if content:
                each.message.text = with_text(each.message.text, ", ".join(content.values()))


# --- entries --------------------------------------------------------------------------------------


async def history(tenant: Tenant, streams: Sequence[str]) -> list[Past]:
    """All facts of these streams, in the log's order."""
    facts: list[Past] = []
    while page_of := await tenant.log.history(streams, facts[-1].position if facts else 0, _FACTS_AT_ONCE):
        facts += page_of
    return facts


def of_these(facts: Iterable[Past], uses: frozenset[Use]) -> Iterator[tuple[Past, Fact]]:
    """The facts, but for those of other uses of a tracking number."""
    epochs: dict[str, int] = {}
    for past in facts:
        fact = _REGISTRY.decode(past.topic, past.state)
        if past.stream.startswith("parcel-"):
            told: Any = fact
            if isinstance(fact, parcels.ParcelRegistered):
                epochs[past.stream] = fact.epoch
            epoch = getattr(fact, "epoch", 0) or epochs.get(past.stream, 0)
            if (told.carrier, told.number, epoch) not in uses:
                continue
        yield past, fact


def _of_fact(told: tuple[Past, Fact]) -> _Entry:
    past, fact = told
    prefix, _, subject_id = past.stream.partition("-")
    at = fact.occurred_at or past.recorded_at
    message = pb.TimelineEntry(
        at=stamp(at),
        subject=_SUBJECTS[prefix],
        subject_id=subject_id,
        text=sentence(fact),
        actor=past.actor,
        recorded_at=stamp(past.recorded_at),
        fact=past.topic,
        position=past.position,
    )
    return _Entry((at, past.position, subject_id), message, written(past.stream, fact))


def written(stream: str, fact: Fact) -> tuple[Sealed | None, str]:
    """What somebody wrote, and where it belongs: notes of an order to its id, a scan to the number it came under."""
    found = sealed_in(fact)
    if found is None:
        return None, ""
    sealed, purpose = found
    if isinstance(sealed, SealedText):
        return sealed, stream
    if isinstance(fact, parcels.CheckpointRecorded):
        stream = parcels.stream(*(fact.checkpoint.told_under or (fact.carrier, fact.number)))
    return sealed, placed(stream.removeprefix(f"{orders.NOUN.prefix}-"), purpose)


def _of_work(each: Work) -> _Entry:
    owner, due = each.owner.replace("_", " "), to_minute(each.due)
    taken = f" {each.claimed_by} has it." if each.claimed_by else ""
    text = f"There is work for {owner}, due {due}: {each.because.replace('_', ' ')}.{taken}"
    message = pb.TimelineEntry(
        at=stamp(each.raised_at), subject=pb.TIMELINE_SUBJECT_WORK, subject_id=each.task_id, text=text
    )
    return _Entry((each.raised_at, _AFTER_FACTS, each.task_id), message)
