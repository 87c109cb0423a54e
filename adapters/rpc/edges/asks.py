"""EdgeService's commands."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from adapters.database.control import tenant_of
from adapters.edges.accounts import sealable_key
from adapters.edges.agreement import Field, names
from adapters.edges.inbox import Inbox
from adapters.edges.system import System
from adapters.edges.systems import SYSTEMS
from adapters.edges.wakeups import waking
from adapters.people.spellings import e164
from adapters.rpc import shapes
from adapters.rpc.commands import Ask, Before, Besides, Edge, Reader, Readers
from adapters.rpc.faults import fault, require
from adapters.texting.choices import number_hash
from fulfilment.v1 import edges_pb2 as pb
from ledger.engine.log import Log
from ledger.engine.log_rows import Ended
from ledger.engine.sealing import PersonKey
from ledger.facts import changes_of
from ledger.nouns import connections, effects, receptions, text_choices
from ledger.nouns.connections import (
    ConnectionAdded,
    ConnectionFact,
    ConnectionPaused,
    ConnectionRemoved,
    ConnectionResumed,
    Connections,
    OrdersToBeTold,
    SecretRotated,
    StockToBeTold,
)
from ledger.nouns.effects import EffectEnded, EffectEnding, EffectFact, EffectReplayed, ToldSubject
from ledger.nouns.receptions import Ending, ReceptionSettled
from ledger.nouns.text_choices import TextChoiceMade
from ledger.refusals import Malformed

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_RECEPTION_ID = re.compile(r"[0-9a-f]{26}")
_EFFECT_ID = re.compile(r"[0-9a-f]{16}")
_MOST_SETTINGS, _LONGEST_SETTING = 60, 500
_MOST_SECRETS, _LONGEST_SECRET = 10, 10_000
_BOX_KEY_BYTES = 32


def connection_name(value: str, field: str = "name") -> str:
    shape = "1 to 40 letters, digits and ._-, starting with a letter or digit"
    require(bool(_NAME.fullmatch(value)), field, f"is not {shape}" if value else f"is required: {shape}")
    return value


def reception_id(value: str) -> str:
    require(bool(_RECEPTION_ID.fullmatch(value)), "reception_id", "is not an id that ListReceptions names")
    return value


def effect_id(value: str) -> str:
    require(bool(_EFFECT_ID.fullmatch(value)), "effect_id", "is not an id that ListEffects names")
    return value


def _system(name: str) -> System:
    found = SYSTEMS.get(name)
    if found is None:  # what it wants to know is not known either, so nothing more is said
        raise Malformed(("system", f"{name[:40]!r} is not one of {', '.join(SYSTEMS)}"))
    return found


def _settings(given: Mapping[str, str], system: System) -> dict[str, str]:
    _named(given, system.all_settings, "settings", _MOST_SETTINGS, _LONGEST_SETTING)
    if told := names(given.get("told", "")):
        can = sorted(system.effects)
        require(
            told == ["nothing"] or set(told) <= set(can), "settings[told]", f"is not of {', '.join(can)}, or nothing"
        )
    filled = {name: value.strip() for name, value in sorted(given.items()) if value.strip()}
    if any(one.required and name not in filled for name, one in system.all_settings.items()):
        return filled  # it was said what is missing
    try:
        return dict(system.checked(filled))
    except ValueError as wrong:
        fault("settings", str(wrong))
        return filled


def _secrets(told: Mapping[str, str], system: System) -> dict[str, str]:
    """One without a name is the system's first."""
    first = next(iter(system.secrets), "")
    given = {name or first: value for name, value in told.items()}
    _named(given, system.secrets, "secrets", _MOST_SECRETS, _LONGEST_SECRET)
    return {name: value.strip() for name, value in sorted(given.items()) if value.strip()}


def _named(given: Mapping[str, str], known: Mapping[str, Field], field: str, most: int, longest: int) -> None:
    """Refuses what the system does not know and what is missing; the values are not quoted."""
    require(len(given) <= most, field, f"{len(given)} entries, {most} at most")
    for name, value in given.items():
        require(name in known, field, f"{name[:40]!r} is not one of {', '.join(known)}")
        require(len(value) <= longest, f"{field}[{name[:40]}]", f"{len(value)} characters, {longest} at most")
        require("\0" not in value, f"{field}[{name[:40]}]", "contains the control character U+0000")
    for name, one in known.items():
        if one.required:
            require(bool(given.get(name, "").strip()), f"{field}[{name}]", f"is required: {one.what}")


def add_connection(request: pb.AddConnectionRequest, edge: Edge) -> Ask:
    name, system = connection_name(request.name), _system(request.system)
    settings, secrets = _settings(request.settings, system), _secrets(request.secrets, system)
    owner, place = connections.owner_of_keys(name), connections.bound_to(name)
    secret, secret_key = edge.sealer.seal(secrets, owner, place)
    box, box_key = edge.sealer.seal(sealable_key(os.urandom(_BOX_KEY_BYTES)), owner, place)
    digest = edge.sealer.digest(repr((system.name, settings, secrets)).encode())
    added = ConnectionAdded(
        name=name,
        system=system.name,
        settings=settings,
        secret=secret,
        box_key=box,
        digest=digest,
        by=edge.actor,
        at=edge.now,
    )
    return _of_connections(lambda known: connections.add(known, added), (secret_key, box_key), waking)


def rotate_secret(request: pb.RotateConnectionSecretRequest, edge: Edge) -> Ask:
    name, system = connection_name(request.name), _system(request.system)
    secrets = _secrets(request.secrets, system)
    sealed, key = edge.sealer.seal(secrets, connections.owner_of_keys(name), connections.bound_to(name))
    digest = edge.sealer.digest(repr(secrets).encode())
    rotated = SecretRotated(name, sealed, digest, edge.actor, edge.now)
    return _of_connections(lambda known: connections.rotate(known, system.name, rotated), (key,))


def pause_connection(request: pb.PauseConnectionRequest, edge: Edge) -> Ask:
    because = shapes.word(request.because, "because", 200)
    paused = ConnectionPaused(connection_name(request.name), edge.actor, edge.now, because)
    return _of_connections(lambda known: connections.pause(known, paused))


def resume_connection(request: pb.ResumeConnectionRequest, edge: Edge) -> Ask:
    resumed = ConnectionResumed(connection_name(request.name), edge.actor, edge.now)
    return _of_connections(lambda known: connections.resume(known, resumed), besides=waking)


def remove_connection(request: pb.RemoveConnectionRequest, edge: Edge) -> Ask:
    removed = ConnectionRemoved(connection_name(request.name), edge.actor, edge.now)
    ask = _of_connections(lambda known: connections.remove(known, removed), besides=waking)
    return replace(ask, destroys=lambda _: Ended([connections.owner_of_keys(removed.name)]))


def tell_stock(request: pb.TellStockRequest, edge: Edge) -> Ask:
    wanted = StockToBeTold(connection_name(request.name), edge.actor, edge.now)
    return _of_connections(lambda known: connections.tell_stock(known, wanted))


def tell_orders(request: pb.TellOrdersRequest, edge: Edge) -> Ask:
    name, since = connection_name(request.name), shapes.instant(request, "since")
    require(since is not None, "since", "is required: from when on")
    require(since is None or since <= edge.now, "since", "is in the future")
    wanted = OrdersToBeTold(name, since or edge.now, edge.actor, edge.now)
    return _of_connections(lambda known: connections.tell_orders(known, wanted))


def replay_effect(request: pb.ReplayEffectRequest, edge: Edge) -> Ask:
    replayed = EffectReplayed(effect_id(request.effect_id), edge.actor, edge.now)
    return _of_effect(replayed.effect_id, lambda told: effects.replay(told, replayed))


def drop_effect(request: pb.DropEffectRequest, edge: Edge) -> Ask:
    ended = EffectEnded(effect_id(request.effect_id), EffectEnding.DROPPED, edge.now, edge.actor)
    return _of_effect(ended.effect_id, lambda told: effects.end(told, ended))


def texted_number(request: Any) -> str:
    """The number that a request is about, in E.164."""
    country = shapes.country(request.country, "country", []) if request.country else ""
    phone = e164(shapes.text(request.phone, "phone", 1000, required=True), country)
    require(bool(phone), "phone", "is no number that can be texted: write it with its calling code, or say its country")
    return phone


def record_text_choice(request: pb.RecordTextChoiceRequest, edge: Edge) -> Ask:
    known_as = number_hash(edge.sealer, texted_number(request))
    made = TextChoiceMade(known_as, _wants_none(request.choice, "choice"), edge.actor, edge.now)
    stream = text_choices.stream(known_as)
    return Ask(lambda view: changes_of(stream, text_choices.choose(text_choices.find(view, known_as), made)), (stream,))


def _wants_none(number: int, field: str) -> bool:
    require(number in (pb.TEXT_CHOICE_NONE, pb.TEXT_CHOICE_WANTED), field, "is required: NONE or WANTED")
    return number == pb.TEXT_CHOICE_NONE


def _of_effect(known_as: str, decide: Callable[[ToldSubject | None], Sequence[EffectFact]]) -> Ask:
    stream = effects.stream(known_as)
    return Ask(lambda view: changes_of(stream, decide(effects.find(view, known_as))), (stream,))


def replay(request: pb.ReplayReceptionRequest, edge: Edge) -> Ask:
    async def before(log: Log) -> None:
        await Inbox(tenant_of(log.schema), log.schema, log.pool).replay(request.reception_id)

    return _settled(request, edge, Ending.REPLAYED, before)


def drop(request: pb.DropReceptionRequest, edge: Edge) -> Ask:
    async def before(log: Log) -> None:
        await Inbox(tenant_of(log.schema), log.schema, log.pool).drop(request.reception_id)

    return _settled(request, edge, Ending.DROPPED, before)


def _of_connections(
    decide: Callable[[Connections | None], Sequence[ConnectionFact]],
    keys: Sequence[PersonKey] = (),
    besides: Besides | None = None,
) -> Ask:
    """With ``besides``, the edges look at the tenant's connections as soon as it is recorded."""
    stream = connections.stream()
    return Ask(lambda view: changes_of(stream, decide(connections.find(view))), (stream,), keys, besides=besides)


def _settled(request: Any, edge: Edge, how: Ending, before: Before) -> Ask:
    settled = ReceptionSettled(reception_id(request.reception_id), how, edge.actor, edge.now)
    stream = receptions.stream(request.reception_id)
    return Ask(
        lambda view: changes_of(stream, receptions.settle(receptions.find(view, settled.reception_id), settled)),
        (stream,),
        before=before,
    )


READERS: Readers = {
    pb.AddConnectionRequest: Reader(add_connection),
    pb.RotateConnectionSecretRequest: Reader(rotate_secret),
    pb.PauseConnectionRequest: Reader(pause_connection),
    pb.ResumeConnectionRequest: Reader(resume_connection),
    pb.RemoveConnectionRequest: Reader(remove_connection),
    pb.ReplayReceptionRequest: Reader(replay, before=True),
    pb.DropReceptionRequest: Reader(drop, before=True),
    pb.TellStockRequest: Reader(tell_stock),
    pb.TellOrdersRequest: Reader(tell_orders),
    pb.ReplayEffectRequest: Reader(replay_effect),
    pb.DropEffectRequest: Reader(drop_effect),
    pb.RecordTextChoiceRequest: Reader(record_text_choice),
}
