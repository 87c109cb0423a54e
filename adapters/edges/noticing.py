"""Notices what connections are to be told, from what the log says has happened, and records that it is to be told.

What a connection is told of one thing is compared with what it was told before, so that looking at the same stretch of
the log again, as after a lost process, asks for nothing twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from adapters.edges.accounts import Connected
from adapters.edges.agreement import names
from adapters.edges.reconciliation import Asking
from adapters.edges.touched import Touched, position_at, touched
from adapters.edges.worker import ACTOR
from adapters.streams import read
from adapters.tenants import Tenant
from ledger.decisions import order_differences, telling
from ledger.engine.commands import Receipt, own_command
from ledger.facts import Change, Fact, changes_of
from ledger.nouns import effects, orders, parcels
from ledger.nouns.effects import EffectAsked, EffectSubject
from ledger.nouns.messages import MessageAsked
from ledger.nouns.orders import Order
from ledger.terms.effects import EffectKind, StockLevel
from ledger.view import Decide, View
from projections import effects as told_effects
from projections import stock_levels
from projections.effects import EffectState
from projections.machine.reads import Where, state_now

T = TypeVar("T")

_ORDER_KINDS = frozenset(EffectKind) - {EffectKind.STOCK, EffectKind.FOLLOW, EffectKind.TEXT}
_AT_ONCE = 100
_MOST_SKUS = 500
ALL = "all"


class Informed(NamedTuple):
    """A connection as it is told."""

    name: str
    one: Connected
    kinds: frozenset[EffectKind]
    since: int
    """The position of the log at which it was added: what was so before then it is taken to know."""

    def effect_id(self, subject: EffectSubject, object_id: str) -> str:
        return effects.effect_id(self.name, self.one.added_at, subject, object_id)

    def asked(self, subject: EffectSubject, object_id: str, now: datetime) -> EffectAsked:
        known_as = self.effect_id(subject, object_id)
        return EffectAsked(known_as, self.name, self.one.added_at, subject, object_id, now)

    def texts(self, message: MessageAsked) -> bool:
        """Whether the customer whom a message is for is told it by this connection."""
        named = names(self.one.account.settings.get("texts", ""))
        of_channel = message.about.order_id.startswith(f"{self.one.account.channel}/")
        return of_channel and (not named or message.kind in named)

    @property
    def is_actor(self) -> str:
        """Whose commands are made of what it told itself."""
        return f"{ACTOR}/{self.one.system.name}/{self.name}"


def kinds_of(one: Connected) -> frozenset[EffectKind]:
    """What a connection is told."""
    return frozenset(kind for kind in EffectKind if one.system.is_told(kind, one.account))


class ToAsk(NamedTuple):
    """Something that is to be recorded as to be told, if it still differs when it is decided."""

    effect_id: str
    decide: Decide
    streams: tuple[str, ...]


class Notices:
    """Follows the log of one tenant for its connections."""

    def __init__(self, tenant: Tenant, asking: Asking, readers: Sequence[Informed]) -> None:
        self._tenant = tenant
        self._asking = asking
        self._readers = {each.name: each for each in readers}

    async def look(self) -> tuple[list[str], bool]:
        """The ids of what was asked for now, and whether there is more of the log to be looked at."""
        told_to = await self._asking.told_to({name: each.one for name, each in self._readers.items()})
        reached = {name: max(told_to.get(name, 0), each.since) for name, each in self._readers.items()}
        after = min(reached.values())
        # Those that were told of later facts are looked at again once the others are there too.
        due = [self._readers[name] for name, position in reached.items() if position == after]
        further = min((position for position in reached.values() if position > after), default=2**62)
        standing = any(EffectKind.ORDER in each.kinds for each in due)
        found = await touched(self._tenant, after, further, all_of_orders=standing)
        if found.until <= after:
            return [], False
        now = datetime.now(UTC)
        asked = [
            *await self._orders(found, due, now),
            *await self._orders_again(found, due, now),
            *await self._numbers(found, now, due),
            *await self._messages(found, now, due),
            *await self._stock(found, due, now),
        ]
        await self._asking.set_told_to([each.name for each in due], found.until)
        return asked, found.until < found.head

    async def _record(self, wanted: Iterable[ToAsk], found: Touched, what: str = "ask") -> list[str]:
        """Records that it is to be told; the same stretch of the log is one occasion."""
        asked = []
        for some in _parts(list(wanted)):
            commands = [own_command(f"{what}:{e.effect_id}:{found.until}", ACTOR, e.decide, e.streams) for e in some]
            for answer in await self._tenant.ledger.execute_many(commands):
                if not isinstance(answer, Receipt):
                    raise answer
            asked += [each.effect_id for each in some]
        return asked

    # --- orders ---

    async def _orders(self, found: Touched, readers: Sequence[Informed], now: datetime) -> list[str]:
        shops = [each for each in readers if each.kinds & _ORDER_KINDS]
        asked: list[str] = []
        for order_ids in _parts(list(found.orders) if shops else []):
            pairs = [
                (each, order_id)
                for order_id in order_ids
                for each in shops
                if order_id.startswith(f"{each.one.account.channel}/")
            ]
            asks = [(reader, reader.asked(EffectSubject.ORDER, order_id, now)) for reader, order_id in pairs]
            streams = {effects.stream(asked.effect_id) for _, asked in asks} | {*map(orders.stream, order_ids)}
            view, _ = await read(self._tenant.log, list(streams))
            wanted = []
            for reader, ask in asks:
                first = effects.find(view, ask.effect_id) is None
                before = await self._before(reader, ask.object_id) if first else None
                wanted.append(self._of_order(reader, ask, found.orders[ask.object_id], before))
            asked += await self._record((one for one in wanted if one.decide(view)), found)
        return asked

    def _of_order(
        self, reader: Informed, asked: EffectAsked, happened: Sequence[tuple[Fact, str]], before: Order | None
    ) -> ToAsk:
        own, order_id = [fact for fact, actor in happened if actor == reader.is_actor], asked.object_id

        def decide(view: View) -> Sequence[Change]:
            order = view.state(orders.stream(order_id))
            if order is None:
                return []
            told = effects.find(view, asked.effect_id)
            facts = telling.ask_of_order(order, told, asked, reader.kinds, before, own)
            return changes_of(effects.stream(asked.effect_id), facts)

        return ToAsk(asked.effect_id, decide, (effects.stream(asked.effect_id), orders.stream(order_id)))

    async def _before(self, reader: Informed, order_id: str) -> Order | None:
        """The order as it was when the connection was added."""
        async with self._tenant.log.pool.connection() as connection:
            found: Order | None = await state_now(
                connection, self._tenant.schema, orders.NOUN, orders.stream(order_id), reader.since
            )
            return found

    async def _orders_again(self, found: Touched, readers: Sequence[Informed], now: datetime) -> list[str]:
        """Orders to which something happened since somebody wants them to be told again."""
        asked: list[str] = []
        for reader in readers:
            since = found.orders_since.get(reader.name)
            after = await position_at(self._tenant, since) if since is not None else found.until
            while reader.kinds & _ORDER_KINDS and after < found.until:
                past = await touched(self._tenant, after, found.until, all_of_orders=EffectKind.ORDER in reader.kinds)
                own = (each for each in past.orders if each.startswith(f"{reader.one.account.channel}/"))
                asked += await self._record([self._of_order_again(reader, each, now) for each in own], found, "again")
                after = past.until
        return asked

    def _of_order_again(self, reader: Informed, order_id: str, now: datetime) -> ToAsk:
        asked = replace(reader.asked(EffectSubject.ORDER, order_id, now), anew=True)

        def decide(view: View) -> Sequence[Change]:
            order, told = view.state(orders.stream(order_id)), effects.find(view, asked.effect_id)
            parts = told.parts if told is not None else {}
            differences = order_differences.of_order(order, parts, reader.kinds, anew=True) if order is not None else []
            return changes_of(effects.stream(asked.effect_id), telling.ask(told, asked, differences))

        return ToAsk(asked.effect_id, decide, (effects.stream(asked.effect_id), orders.stream(order_id)))

    # --- numbers ---

    async def _numbers(self, found: Touched, now: datetime, readers: Sequence[Informed]) -> list[str]:
        """Each number at the first connection that follows its carrier's, as long as that is not paused."""
        followers = sorted(
            (each for each in self._readers.values() if EffectKind.FOLLOW in each.kinds),
            key=lambda each: (each.one.paused, each.one.added_at),
        )
        due = {each.name for each in readers}
        asked: list[str] = []
        for numbers in _parts(sorted(found.numbers) if followers else []):
            wanted = []
            for carrier, number in numbers:
                covering = (each for each in followers if each.one.system.covers(carrier, each.one.account))
                reader = next(covering, None)
                if reader is not None and reader.name in due:
                    wanted.append(self._of_number(reader, carrier, number, now))
            view, _ = await read(self._tenant.log, [stream for one in wanted for stream in one.streams])
            asked += await self._record((one for one in wanted if one.decide(view)), found)
        return asked

    def _of_number(self, reader: Informed, carrier: str, number: str, now: datetime) -> ToAsk:
        asked = reader.asked(EffectSubject.NUMBER, f"{carrier}/{number}", now)

        def decide(view: View) -> Sequence[Change]:
            told = effects.find(view, asked.effect_id)
            differences = telling.of_number(parcels.find(view, carrier, number), told.parts if told else {})
            return changes_of(effects.stream(asked.effect_id), telling.ask(told, asked, differences))

        return ToAsk(asked.effect_id, decide, (effects.stream(asked.effect_id), parcels.stream(carrier, number)))

    # --- messages ---

    async def _messages(self, found: Touched, now: datetime, readers: Sequence[Informed]) -> list[str]:
        """Each message at the first connection that texts customers of its channel, as long as that is not paused."""
        texting = sorted(
            (each for each in self._readers.values() if EffectKind.TEXT in each.kinds),
            key=lambda each: (each.one.paused, each.one.added_at),
        )
        due = {each.name for each in readers}
        wanted = []
        for message in found.messages if texting else []:
            reader = next((each for each in texting if each.texts(message)), None)
            if reader is not None and reader.name in due:
                wanted.append(self._of_message(reader, message, now))
        return await self._record(wanted, found)

    def _of_message(self, reader: Informed, message: MessageAsked, now: datetime) -> ToAsk:
        asked = reader.asked(EffectSubject.MESSAGE, message.message_id, now)

        def decide(view: View) -> Sequence[Change]:
            told = effects.find(view, asked.effect_id)
            differences = [telling.text_of(message)] if told is None else []
            return changes_of(effects.stream(asked.effect_id), telling.ask(told, asked, differences))

        return ToAsk(asked.effect_id, decide, (effects.stream(asked.effect_id),))

    # --- stock ---

    async def _stock(self, found: Touched, readers: Sequence[Informed], now: datetime) -> list[str]:
        """The levels that differ from what a connection was told; read models show both as of now."""
        shops = [each for each in readers if EffectKind.STOCK in each.kinds]
        if not shops or not (found.skus or found.suppliers or found.all_stock):
            return []
        where = Where(self._tenant.log.pool, self._tenant.schema, found.head)
        moved = found.skus | set(await stock_levels.skus_of(where, list(found.suppliers)) if found.suppliers else ())
        skus = await stock_levels.with_bundles(where, moved)
        asked: list[str] = []
        for reader in shops:
            sold = sorted(await self.sold_by(where, reader.one, skus))
            for some in _parts(sold, _MOST_SKUS):
                asked += await self._levels(where, reader, some, found, now)
            if reader.name in found.all_stock:
                asked += await self._all_levels(where, reader, found, now)
        return asked

    async def sold_by(self, where: Where, one: Connected, skus: Collection[str]) -> set[str]:
        """Those of these SKUs whose stock a connection is told."""
        named = one.account.settings.get("skus", "")
        if named == ALL or not skus:
            return set(skus)
        return set(names(named)) & set(skus) if named else await told_effects.sold(where, one.account.channel, skus)

    async def _all_levels(self, where: Where, reader: Informed, found: Touched, now: datetime) -> list[str]:
        asked: list[str] = []
        after = ""
        while True:
            skus = await stock_levels.all_skus(where, after, _MOST_SKUS)
            sold = sorted(await self.sold_by(where, reader.one, skus))
            asked += await self._levels(where, reader, sold, found, now, anew=True)
            if len(skus) < _MOST_SKUS:
                return asked
            after = skus[-1]

    async def _levels(
        self,
        where: Where,
        reader: Informed,
        skus: Sequence[str],
        found: Touched,
        now: datetime,
        *,
        anew: bool = False,
    ) -> list[str]:
        ids = {sku: reader.effect_id(EffectSubject.SKU, sku) for sku in skus}
        levels = await stock_levels.figures(where, now, skus)
        known = await told_effects.some(where, list(ids.values()))
        changed = []
        for sku, level in levels.items():
            row = known.get(ids[sku])
            waits = row is not None and row.state in (EffectState.WAITING, EffectState.FAILED)
            if not waits and (anew or row is None or level not in row.said):
                changed.append(self._of_level(reader, level, now, anew=anew))
        return await self._record(changed, found)

    def _of_level(self, reader: Informed, level: StockLevel, now: datetime, *, anew: bool) -> ToAsk:
        asked = reader.asked(EffectSubject.SKU, level.sku, now)

        def decide(view: View) -> Sequence[Change]:
            facts = telling.ask_of_level(effects.find(view, asked.effect_id), asked, level, anew=anew)
            return changes_of(effects.stream(asked.effect_id), facts)

        return ToAsk(asked.effect_id, decide, (effects.stream(asked.effect_id),))


def _parts(each: Sequence[T], size: int = _AT_ONCE) -> Iterable[Sequence[T]]:
    return (each[start : start + size] for start in range(0, len(each), size))
