"""Replacing the secret that data keys are wrapped under, while servers run: then what was erased is gone everywhere.

1. The key file gets a new epoch beside the present one, and every server that runs takes it over.
2. All servers seal under the new epoch. From then on the tables take no key of the old one.
3. The keys that are left are wrapped anew, a thousand at a time; the tables prove that none is left.
4. The old epoch is taken out of the key file.

Each step can be interrupted at any point and is found as far as it went: what there is to do follows from the key file,
the epoch in the database, and the rows.
"""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import psycopg
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier, Literal
from psycopg_pool import AsyncConnectionPool

from adapters.database.control import Control
from adapters.keys.holders import Holder, Holders
from ledger.engine.keyring import EpochMissing, KeyFileMissing, KeyProblem, KeyRing, load, store
from ledger.engine.log import LOCK_SEED
from ledger.engine.log_sql import TAKE_LOCK
from ledger.engine.sealing import KeyRow, Sealer, TenantSealer, Unreadable
from ledger.engine.trouble import EPOCH_GUARD

KEYS_AT_ONCE = 1000
_LOCK_MILLISECONDS = 200
_PAUSE_SECONDS = 0.2
_TELL_SECONDS = 5.0

_GUARDS = "SELECT conname FROM pg_constraint WHERE conrelid = {table}::regclass AND starts_with(conname, {prefix})"
_ADD_GUARD = "ALTER TABLE {keys} ADD CONSTRAINT {guard} CHECK (wrapped IS NULL OR epoch >= {epoch}) NOT VALID"
_DROP_GUARD = "ALTER TABLE {keys} DROP CONSTRAINT {guard}"
_PROVE = "ALTER TABLE {keys} VALIDATE CONSTRAINT {guard}"
_SOME = """
    SELECT key_id, subject, wrapped, email, phone, bound_to, epoch, purpose FROM {keys}
    WHERE key_id > %s AND epoch < %s AND wrapped IS NOT NULL ORDER BY key_id LIMIT %s
"""
# A key that was destroyed meanwhile stays destroyed.
_REPLACE = """
    UPDATE {keys} AS k SET wrapped = n.wrapped, email = n.email, phone = n.phone, epoch = n.epoch
    FROM unnest(%s::text[], %s::bytea[], %s::bytea[], %s::text[], %s::text[], %s::int[])
        AS n (key_id, before, wrapped, email, phone, epoch)
    WHERE k.key_id = n.key_id AND k.wrapped = n.before
"""


class KeysDoNotOpen(KeyProblem):
    def __init__(self, schema: str, key_ids: list[str]) -> None:
        super().__init__(
            f"{len(key_ids)} data keys in {schema}.ledger_keys do not open, for their rows were changed: "
            f"{', '.join(key_ids[:5])}{' ...' if len(key_ids) > 5 else ''}; put back what they were, or, if that is "
            "lost, set wrapped to NULL, and go on with: python server.py keys rotate --finish"
        )


class RotationRuns(KeyProblem):
    def __init__(self, path: Path) -> None:
        super().__init__(f"another process rotates the keys of {path} already")


class Rotation:
    """One rotation of the keys in a file and a database."""

    def __init__(self, pool: AsyncConnectionPool[Any], path: Path, say: Callable[[str], None]) -> None:
        self._pool = pool
        self._control, self._holders = Control(pool), Holders(pool)
        self._path = path
        self._say = say

    async def run(self, *, begin: bool = True) -> None:
        """Begins a rotation, or goes on with one that was interrupted, to its end; raises KeyProblem."""
        with _alone(self._path):
            ring = await self._ring()
            if len(ring.epochs) == 1:
                if not begin:
                    return self._say("there is no rotation to finish")
                ring = ring.with_another()
                store(self._path, ring)
            await self._rotate(ring)

    async def _ring(self) -> KeyRing:
        ring = load(self._path)
        if ring is None:
            raise KeyFileMissing(self._path)
        check = await self._control.key_check()
        ring.verify(check or b"")
        if (epoch := await self._holders.epoch()) not in ring.epochs:
            raise EpochMissing(epoch)
        return ring

    async def _rotate(self, ring: KeyRing) -> None:
        epoch = ring.newest
        self._say(f"epoch {epoch} is in {self._path}")
        await self._until(lambda holder: epoch in holder.epochs, f"to read epoch {epoch} from its key file")
        await self._holders.seal_under(epoch)
        await self._until(lambda holder: holder.writes == epoch, f"to seal under epoch {epoch}")
        sealer, proved = Sealer(ring), set[str]()
        while left := [each.schema for each in await self._control.list_tenants() if each.schema not in proved]:
            for schema in left:
                await self._rewrap(schema, sealer.of(schema), epoch)
                proved.add(schema)
        store(self._path, ring.with_newest_only())
        await self._until(lambda holder: holder.epochs == [epoch], "to drop the old epoch; replace its key file, too")
        self._say(f"done: only epoch {epoch} is left; destroy older copies of {self._path}")

    async def _until(self, holds: Callable[[Holder], bool], what_for: str) -> None:
        """Waits for every server that runs."""
        clock, tell_at = asyncio.get_running_loop().time, 0.0
        while lacking := [each.name for each in await self._holders.running() if not holds(each)]:
            if clock() >= tell_at:
                self._say(f"waiting for {', '.join(lacking)} {what_for}")
                tell_at = clock() + _TELL_SECONDS
            await asyncio.sleep(_PAUSE_SECONDS)

    # --- a tenant ---------------------------------------------------------------------------------

    async def _rewrap(self, schema: str, sealer: TenantSealer, epoch: int) -> None:
        async with self._pool.connection() as connection:
            keys = _Table(connection, schema)
            guard = await keys.guard(epoch)
            done = 0
            try:
                while count := await self._pass(keys, sealer, epoch):
                    done += count
            except KeysDoNotOpen:
                await keys.execute(_DROP_GUARD, guard=Identifier(guard))  # so that the rows can be put right
                raise
            await keys.execute(_PROVE, guard=Identifier(guard))
            self._say(f"{schema}: {done} data keys are wrapped under epoch {epoch}, none is left of others")

    async def _pass(self, keys: _Table, sealer: TenantSealer, epoch: int) -> int:
        """Wraps anew what is left, once through the table; returns how many that were."""
        done, last, broken = 0, "", list[str]()
        while rows := await keys.some(last, epoch):
            last = rows[-1].key_id
            renewed = []
            for row in rows:
                try:
                    renewed.append((row, sealer.rewrapped(row)))
                except Unreadable:
                    broken.append(row.key_id)
            done += await keys.replace(renewed)
            if len(rows) == KEYS_AT_ONCE:
                self._say(f"{keys.schema}: {done} data keys ...")
        if broken:
            raise KeysDoNotOpen(keys.schema, broken)
        return done


class _Table:
    """The key table of a tenant."""

    def __init__(self, connection: AsyncConnection[Any], schema: str) -> None:
        self._connection = connection
        self.schema = schema

    async def execute(self, template: str, parameters: tuple[Any, ...] | None = None, **names: Any) -> Any:
        table = Identifier(self.schema, "ledger_keys")
        return await self._connection.execute(SQL(cast("Any", template)).format(keys=table, **names), parameters)

    async def guard(self, epoch: int) -> str:
        """Lets the table take no keys of older epochs any more; returns the name of what sees to it."""
        name = f"{EPOCH_GUARD}{epoch}"
        while True:
            try:
                async with self._connection.transaction():
                    await self._connection.execute(f"SET LOCAL lock_timeout = {_LOCK_MILLISECONDS}")
                    # Whoever decides now has wrapped already; whoever decides next wraps under the new epoch.
                    await self.execute(TAKE_LOCK, schema_name=Literal(self.schema), seed=Literal(LOCK_SEED))
                    await self._replace_guards(name, epoch)
                return name
            except psycopg.errors.LockNotAvailable:
                # Waiting longer would keep the writers waiting behind this.
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _replace_guards(self, name: str, epoch: int) -> None:
        table, prefix = Literal(f'"{self.schema}".ledger_keys'), Literal(EPOCH_GUARD)
        known = {guard for (guard,) in await (await self.execute(_GUARDS, table=table, prefix=prefix)).fetchall()}
        if name not in known:
            await self.execute(_ADD_GUARD, guard=Identifier(name), epoch=Literal(epoch))
        for former in known - {name}:
            await self.execute(_DROP_GUARD, guard=Identifier(former))

    async def some(self, after: str, epoch: int) -> list[KeyRow]:
        cursor = await self.execute(_SOME, (after, epoch, KEYS_AT_ONCE))
        return [KeyRow._make(row) for row in await cursor.fetchall()]

    async def replace(self, renewed: list[tuple[KeyRow, KeyRow]]) -> int:
        columns = (
            [before.key_id for before, _ in renewed],
            [before.wrapped for before, _ in renewed],
            [row.wrapped for _, row in renewed],
            [row.email for _, row in renewed],
            [row.phone for _, row in renewed],
            [row.epoch for _, row in renewed],
        )
        return int((await self.execute(_REPLACE, columns)).rowcount)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One rotation at a time; the kernel frees the lock of a dead process."""
    with path.with_name(f"{path.name}.rotating").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RotationRuns(path) from error
        yield
