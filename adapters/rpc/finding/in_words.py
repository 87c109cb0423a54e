"""Facts of the log as sentences: who did what and when, when it was recorded, and what it replaced."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from adapters.rpc.calendars import time_zone
from adapters.rpc.faults import require
from adapters.sentences import LANGUAGES, SentenceReader, sentence
from adapters.sentences.changes import Change, changes, told
from adapters.streams import read
from adapters.tenants import Tenant
from ledger.engine.log_rows import Past
from ledger.engine.registry import Registry
from ledger.engine.turns import in_turns
from ledger.facts import Fact, order_of
from ledger.nouns import NOUNS, orders, suppliers
from ledger.view import EMPTY, Entry

_REGISTRY = Registry(NOUNS)
_SUPPLIER = re.compile(rb'"supplier_id":"([^"\\]+)"')


def reader_of(request: Any) -> SentenceReader:
    """For whom a request asks for words."""
    language, zone = request.language or LANGUAGES[0], request.time_zone
    require(language in LANGUAGES, "language", f"{language!r} is not one of {' and '.join(LANGUAGES)}")
    return SentenceReader(language, time_zone(zone, "time_zone") if zone else "")


class InWords(NamedTuple):
    """A fact, told."""

    happened_at: datetime
    who: str
    what: str
    changes: Sequence[str]

    def line(self, past: Past, reader: SentenceReader) -> str:
        """All of it, in one sentence."""
        recorded = reader.phrase("recorded", recorded=reader.moment(past.recorded_at))
        changed = reader.phrase("changed", changes=reader.phrase("list").join(self.changes)) if self.changes else ""
        happened = reader.moment(self.happened_at)
        main = reader.phrase("told", happened=happened, who=self.who or reader.phrase("nobody"), what=self.what)
        return ("" if reader.language == "zh" else " ").join(filter(None, [main, changed, recorded]))


class _Folded(NamedTuple):
    past: Past
    fact: Fact
    order_id: str
    currency: str
    changes: Sequence[Change]


def decoded(past: Past) -> Fact:
    return _REGISTRY.decode(past.topic, past.state)


async def in_words(tenant: Tenant, rows: Sequence[Past], reader: SentenceReader) -> list[InWords]:
    """Each of the facts; they are of some streams and in the log's order, with none between them left out."""
    folded = await _folded(tenant, rows)
    named = await names(tenant, rows, {each.order_id for each in folded if each.order_id})
    return [_told(each, named, reader) async for each in in_turns(folded)]


async def _folded(tenant: Tenant, rows: Sequence[Past]) -> list[_Folded]:
    """What each fact changed in its stream, folded from its beginning."""
    entries: dict[str, Entry] = {}
    found = []
    async for past in in_turns(rows):
        before = entries.get(past.stream)
        if before is None:
            before = await _before(tenant, past)
        after = _REGISTRY.advance(past.stream, before, past.version, past.topic, past.state)
        fact, state = decoded(past), after.state
        entries[past.stream] = after
        found.append(
            _Folded(past, fact, _order_of(past.stream, fact, state), _currency(state), changes(before.state, state))
        )
    return found


async def _before(tenant: Tenant, past: Past) -> Entry:
    """The stream as it was before the fact."""
    entry = EMPTY
    if past.version > 1:
        async for each in in_turns(await tenant.log.read_stream(past.stream, past.position - 1)):
            entry = _REGISTRY.advance(each.stream, entry, each.version, each.topic, each.state)
    return entry


def _order_of(stream: str, fact: Any, state: Any) -> str:
    """The order that lines in it are of."""
    prefix, _, rest = stream.partition("-")
    if prefix == orders.NOUN.prefix:
        return rest
    own = getattr(fact, "order_id", "") or order_of(getattr(fact, "supplier_order_id", ""))
    return str(own or getattr(state, "order_id", ""))


def _currency(state: Any) -> str:
    return str(getattr(state, "currency", "") or getattr(getattr(state, "opened", None), "currency", ""))


class Names(NamedTuple):
    """By which names things are known."""

    suppliers: dict[str, str]
    skus: dict[str, dict[int, str]]
    """What stands on the lines of each order."""


async def names(tenant: Tenant, rows: Sequence[Past], order_ids: set[str]) -> Names:
    found = {each.decode() for past in rows for each in _SUPPLIER.findall(past.state)}
    found |= {past.stream.partition("-")[2] for past in rows if past.stream.startswith(f"{suppliers.NOUN.prefix}-")}
    by_supplier = {supplier_id: suppliers.stream(supplier_id) for supplier_id in found}
    by_order = {order_id: orders.stream(order_id) for order_id in order_ids}
    view, _ = await read(tenant.log, [*by_supplier.values(), *by_order.values()])
    names = {name: view.state(stream) for name, stream in by_supplier.items()}
    sold = {order_id: view.state(stream) for order_id, stream in by_order.items()}
    return Names(
        {name: state.master.name for name, state in names.items() if state is not None},
        {
            order_id: {line_no: line.sku or line.title for line_no, line in state.lines.items()}
            for order_id, state in sold.items()
            if state is not None
        },
    )


def _told(each: _Folded, named: Names, reader: SentenceReader) -> InWords:
    past, fact = each.past, each.fact
    knowing = reader._replace(suppliers=named.suppliers, skus=named.skus.get(each.order_id, {}), currency=each.currency)
    happened_at = fact.occurred_at or past.recorded_at
    who = reader.word(past.actor) if past.actor in ("ledger", "clock") else past.actor
    return InWords(happened_at, who, sentence(fact, knowing), [told(change, knowing) for change in each.changes])
