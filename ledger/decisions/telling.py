"""What systems are to be told: of orders, stock levels, numbers to follow and messages; and the record of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from ledger.decisions import relevance
from ledger.decisions.order_differences import Kinds, Parts, Untold, known_by, of_order
from ledger.facts import Fact
from ledger.nouns import effects, messages, orders
from ledger.nouns.effects import EffectAsked, EffectEnded, EffectEnding, EffectFact, EffectTold, ToldPart, ToldSubject
from ledger.nouns.messages import Message, MessageAsked, MessageKind, MessageStage
from ledger.nouns.orders import Order
from ledger.nouns.parcels import Parcel
from ledger.nouns.policies import Policy
from ledger.terms import quiet_hours
from ledger.terms.effects import (
    Effect,
    FollowNumber,
    StockLevel,
    TextMessage,
)
from ledger.terms.time_zones import zone, zones_of
from ledger.view import View

LEVEL = "level"
FOLLOWED = "followed"
TEXTED = "texted"

WORTH_A_TEXT = frozenset(
    {
        MessageKind.OUT_FOR_DELIVERY,
        MessageKind.ATTEMPT_FAILED,
        MessageKind.READY_FOR_PICKUP,
        MessageKind.CUSTOMS_REQUEST,
    }
)
"""Where the customer has to be there, or to do something, soon. A text costs money, and too many are not read."""


# --- SKUs and numbers -----------------------------------------------------------------------------


def of_level(level: StockLevel | None, told: Parts, *, anew: bool = False) -> list[Untold]:
    """A stock level, unless that is what the system knows; None where nobody tells of the SKU's stock."""
    before = told.get(LEVEL)
    if level is None or (before is not None and before.said == level and not anew):
        return []
    return [Untold(LEVEL, level, before)]


def _not_before(level: StockLevel, told: ToldSubject | None) -> datetime | None:
    """When a level may be told that was told lately; at once where it ran out or came back."""
    before = told.parts.get(LEVEL) if told is not None else None
    if before is None or not isinstance(before.said, StockLevel):
        return None
    if not (level.available and before.said.available) or level.listed != before.said.listed:
        return None
    return before.at + effects.STOCK_PAUSE


def of_number(parcel: Parcel | None, told: Parts) -> list[Untold]:
    """A number to follow, once, while anybody waits for what travels under it."""
    if parcel is None or FOLLOWED in told or parcel.historical or parcel.voided or not parcel.is_awaited:
        return []
    return [Untold(FOLLOWED, FollowNumber(parcel.carrier, parcel.number, parcel.country), None)]


# --- messages -------------------------------------------------------------------------------------


def text_of(asked: MessageAsked) -> Untold:
    return Untold(TEXTED, TextMessage(asked.about.order_id, str(asked.kind)), None)


def of_message(view: View, message_id: str, told: Parts, policy: Policy, now: datetime) -> list[Untold]:
    """A message that its customer is told by text, once, and only while it is true and news."""
    message = messages.find(view, message_id)
    if message is None or TEXTED in told or message.stage is MessageStage.CANCELLED:
        return []
    asked = message.asked
    if policy.too_old(asked.caused_at, now) or relevance.obsolete(view, asked.kind, asked.about, policy):
        return []
    if asked.kind is MessageKind.OUT_FOR_DELIVERY and not _says_today(view, message, policy, now):
        return []
    return [text_of(asked)]


def quiet_until(view: View, message_id: str, policy: Policy, now: datetime) -> datetime | None:
    """Until when its customer is not texted, because it may be night there; None if it is not."""
    message = messages.find(view, message_id)
    zones = _zones(view, message, policy) if message is not None else ()
    return quiet_hours.quiet_until(policy.text_quiet_hours, zones, now)


def _zones(view: View, message: Message, policy: Policy) -> tuple[str, ...]:
    """Where the customer may be; the retailer's own zone where nobody knows."""
    order = orders.find(view, message.asked.about.order_id)
    own = policy.working.calendar.time_zone if policy.working is not None else "UTC"
    return (zones_of(order.destination) if order is not None else ()) or (own,)


def _says_today(view: View, message: Message, policy: Policy, now: datetime) -> bool:
    """Whether a text of today is one of the day that it happened on."""
    at, zones = message.asked.caused_at, map(zone, _zones(view, message, policy))
    return any(at.astimezone(each).date() == now.astimezone(each).date() for each in zones)


# --- what is recorded -----------------------------------------------------------------------------


def ask_of_order(
    order: Order,
    told: ToldSubject | None,
    asked: EffectAsked,
    kinds: Kinds,
    before: Order | None = None,
    own: Sequence[Fact] = (),
) -> list[EffectFact]:
    """That an order is to be told of, with what the shop knows already.

    That is what it told itself, ``own``, and, when it is first told of the order, how that was ``before``: when the
    shop was connected.
    """
    parts = told.parts if told is not None else {}
    known: dict[str, Effect] = {}
    if told is None and before is not None:
        known = {each.part: each.effect for each in of_order(before, {}, kinds)}
    if own:
        known |= known_by(order, _with(parts, known, asked.at), own)
    known = {part: said for part, said in known.items() if part not in parts or parts[part].said != said}
    return ask(told, asked, of_order(order, _with(parts, known, asked.at), kinds), known)


def _with(parts: Parts, known: Mapping[str, Effect], at: datetime) -> Parts:
    return {**parts, **{part: replace(parts.get(part, ToldPart(said, at)), said=said) for part, said in known.items()}}


def ask(
    told: ToldSubject | None,
    asked: EffectAsked,
    differences: Sequence[Untold],
    known: Mapping[str, Effect] | None = None,
) -> list[EffectFact]:
    """That it is to be told, with what turned out to be known. Nothing where there is no difference."""
    known = known or {}
    facts: list[EffectFact] = []
    if differences or (known and told is None):
        facts += effects.ask(told, asked)
    more = bool(differences) or (told is not None and told.waiting)
    present = told.parts if told is not None else {}
    for part, said in known.items():
        reference = present[part].reference if part in present else ""
        facts.append(EffectTold(asked.effect_id, part, said, asked.at, reference, known=True, more=more))
    return facts


def ask_of_level(
    told: ToldSubject | None, asked: EffectAsked, level: StockLevel, *, anew: bool = False
) -> list[EffectFact]:
    """That a stock level is to be told; ``anew`` also where the system knows it."""
    asked = replace(asked, again_at=None if anew else _not_before(level, told), anew=anew)
    return ask(told, asked, of_level(level, told.parts if told is not None else {}, anew=anew))


def told_now(
    told: ToldSubject, difference: Untold, at: datetime, reference: str, note: str, *, more: bool
) -> list[EffectFact]:
    """That the system knows a part now. Where somebody gave it up meanwhile, nothing more is told."""
    effect_id, more = told.asked.effect_id, more and told.waiting
    return [EffectTold(effect_id, difference.part, difference.effect, at, reference, note[:500], more=more)]


def nothing_to_tell(told: ToldSubject, at: datetime) -> Sequence[EffectEnded]:
    """What was asked for is known by now, or is not so any more."""
    return effects.end(told, EffectEnded(told.asked.effect_id, EffectEnding.NOTHING, at))
