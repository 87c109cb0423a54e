"""A tiny noun for the tests of the engine: market stalls that take coins in and give them out."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace
from psycopg import AsyncConnection

from adapters.database.postgres import open_pool
from ledger.engine.commands import Command
from ledger.engine.executor import Ledger
from ledger.engine.keyring import KeyRing
from ledger.engine.log import LOCK_SEED, Log
from ledger.engine.log_rows import Ended
from ledger.engine.sealing import PersonKey, Sealer
from ledger.facts import Change, Fact, Sealed
from ledger.refusals import Forbidden
from ledger.view import View, noun

_TAKE_LOCK_OF = "SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))"


class CoinsTaken(Fact, frozen=True, tag="stall.coins_taken"):
    coins: int
    by: Sealed | None = None


class CoinsGiven(Fact, frozen=True, tag="stall.coins_given"):
    coins: int


class Cursed(Fact, frozen=True, tag="stall.cursed"):
    """A fact whose fold fails: there must be none, and if there is one it must harm nobody else."""


class TooFewCoins(Forbidden, reason="TOO_FEW_COINS"):
    says = "{asked} coins asked of {stall}, {coins} there"
    stall: str
    asked: int
    coins: int


class Stall(msgspec.Struct):
    """Changed in place by its fold, as stock is."""

    coins: int = 0


StallFact = CoinsTaken | CoinsGiven | Cursed


def evolve(state: Stall | None, fact: StallFact) -> Stall:
    stall = state or Stall()
    match fact:
        case CoinsTaken(coins):
            stall.coins += coins
        case CoinsGiven(coins):
            stall.coins -= coins
        case Cursed():
            stall.coins = 10**6
            raise RuntimeError("cursed")
    return stall


NOUNS = [noun("stall", StallFact, evolve, kept_as=Stall)]


def coins_of(view: View, stall: str) -> int:
    state = view.state(f"stall-{stall}")
    return state.coins if state else 0


def take(request_id: str, stall: str, coins: int = 1, *, times: int = 1, hint: bool = True, **other: Any) -> Command:
    def decide(view: View) -> Sequence[Change]:
        view.need(f"stall-{stall}")
        return [(f"stall-{stall}", CoinsTaken(coins))] * times

    return command(request_id, decide, stall if hint else None, f"take {stall} {coins}", **other)


def give(request_id: str, stall: str, coins: int = 1, *, hint: bool = True, **other: Any) -> Command:
    def decide(view: View) -> Sequence[Change]:
        there = coins_of(view, stall)
        if there < coins:
            raise TooFewCoins(stall, coins, there)
        return [(f"stall-{stall}", CoinsGiven(coins))]

    return command(request_id, decide, stall if hint else None, f"give {stall} {coins}", **other)


def command(
    request_id: str,
    decide: object,
    stall: str | None = None,
    fingerprint: str = "",
    *,
    deadline: float | None = None,
    keys: tuple[PersonKey, ...] = (),
) -> Command:
    streams = (f"stall-{stall}",) if stall else ()
    return Command(request_id, "tester", fingerprint.encode(), decide, streams, keys, deadline)  # type: ignore[arg-type]


SEALER = Sealer(KeyRing.of_master_key(bytes(range(32))))


def a_key(key_id: str, subject: str) -> PersonKey:
    """A data key that nothing needs but the key table."""
    return replace(SEALER.of("tenant_stalls").seal_bytes(b"", subject, "")[1], key_id=key_id)


async def there(log: Log, *key_ids: str) -> dict[str, bool]:
    """Which of these keys there ever were, and whether each can still be used."""
    return {key_id: key is not None for key_id, key in (await log.keys_of(key_ids)).items()}


async def destroy(log: Log, subject: str) -> None:
    """Destroys the keys of a subject, as a command does that erases a person."""
    ledger = Ledger(log, NOUNS)
    await ledger.start()
    request_id = f"erase {uuid.uuid4()}"
    await ledger.execute(Command(request_id, "tester", b"", lambda view: [], destroys=lambda view: Ended([subject])))
    await ledger.stop()


@dataclass(frozen=True)
class EmptyTenant:
    """A schema of its own for one test, up to date and without facts."""

    conninfo: str
    schema: str


@asynccontextmanager
async def a_ledger(tenant: EmptyTenant, conninfo: str | None = None, **options: Any) -> AsyncIterator[Ledger]:
    """A running ledger of stalls over a pool of its own, as a process of its own would have."""
    async with open_pool(conninfo or tenant.conninfo, timeout=1.0, max_size=4) as pool:
        ledger = Ledger(Log(tenant.schema, pool), NOUNS, **options)
        await ledger.start()
        try:
            yield ledger
        finally:
            await ledger.stop()


@asynccontextmanager
async def lock_held(tenant: EmptyTenant) -> AsyncIterator[AsyncConnection[Any]]:
    """Holds the tenant's lock as another process in the middle of a batch would."""
    async with await AsyncConnection.connect(tenant.conninfo) as connection:
        await connection.execute("SET idle_in_transaction_session_timeout = 0")
        await connection.execute(_TAKE_LOCK_OF, (tenant.schema, LOCK_SEED))
        yield connection
        await connection.rollback()
