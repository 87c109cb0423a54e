"""``python server.py keys ...``: what keys there are, and how they are replaced while servers run.

It needs the database and the key file, and not the service.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from psycopg_pool import AsyncConnectionPool

from adapters.database import beside
from adapters.database.control import Control
from adapters.database.postgres import open_pool
from adapters.keys.holders import Holders
from adapters.keys.rotation import Rotation
from adapters.process.folders import path
from ledger.engine.keyring import KeyFileMissing, load
from ledger.engine.statements import in_schema
from ledger.facts import to_minute

Pool = AsyncConnectionPool[Any]
Work = Callable[[Pool, argparse.Namespace], Coroutine[Any, Any, None]]

_COUNTS = "SELECT epoch, count(*) FROM {schema}.ledger_keys WHERE wrapped IS NOT NULL GROUP BY epoch"


def main(arguments: Sequence[str]) -> None:
    """Does one piece of work on the keys; raises KeyProblem and NoLedger."""
    chosen = _parser().parse_args(arguments)
    chosen.key_file = chosen.key_file or chosen.data / "master.key"
    asyncio.run(_run(chosen))


async def _run(chosen: argparse.Namespace) -> None:
    async with (
        beside.database(chosen) as database,
        open_pool(database.conninfo, max_size=3) as pool,
    ):
        await Control(pool).prepare()
        await chosen.work(pool, chosen)


async def show(pool: Pool, chosen: argparse.Namespace) -> None:
    """Lists the epochs, and how many data keys each still wraps."""
    ring = load(chosen.key_file)
    if ring is None:
        raise KeyFileMissing(chosen.key_file)
    epoch, counts = await Holders(pool).epoch(), await _counts(pool)
    print(f"{'epoch':>5}  {'made':<17}  {'data keys':>9}")
    for number in sorted({*ring.epochs, *counts}):
        made_at = ring.epochs[number].made_at if number in ring.epochs else None
        made = to_minute(made_at) if made_at else "" if number in ring.epochs else "not in the file"
        seals = "  seals" if number == epoch else ""
        print(f"{number:>5}  {made:<17}  {counts[number]:>9}{seals}")


async def _counts(pool: Pool) -> Counter[int]:
    counts: Counter[int] = Counter()
    for tenant in await Control(pool).list_tenants():
        query = in_schema(_COUNTS, tenant.schema)
        async with pool.connection() as connection:
            counts.update(dict(await (await connection.execute(query)).fetchall()))
    return counts


async def rotate(pool: Pool, chosen: argparse.Namespace) -> None:
    """Replaces the secret that all data keys are wrapped under; servers go on meanwhile."""
    await Rotation(pool, chosen.key_file, lambda line: print(line, flush=True)).run(begin=not chosen.finish)


def _parser() -> argparse.ArgumentParser:
    shared = beside.options()
    key_file = os.environ.get("FULFILMENT_KEY_FILE") or None
    shared.add_argument("--key-file", type=path, default=key_file, help="its key file (DATA/master.key)")
    parser = argparse.ArgumentParser(prog="server.py keys", description="The keys that personal data is sealed under.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, work: Work) -> argparse.ArgumentParser:
        about = str(work.__doc__)
        made = commands.add_parser(name, parents=[shared], help=about, description=about)
        made.set_defaults(work=work)
        return made

    command("list", show)
    rotating = command("rotate", rotate)
    rotating.add_argument("--finish", action="store_true", help="only go on with one that was interrupted")
    return parser
