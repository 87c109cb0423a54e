"""``python server.py keys ...``: what keys there are, and how they are replaced while servers run.

It needs the database and the key file, and not the service.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from psycopg.sql import SQL, Identifier
from psycopg_pool import AsyncConnectionPool

from adapters.dsn import add_database_tls
from adapters.embedded import holds_data
from adapters.keys.holders import Holders
from adapters.keys.rotation import Rotation
from adapters.postgres import Control, Database, open_pool
from ledger.engine.keyring import KeyFileMissing, KeyProblem, load
from ledger.facts import to_minute

Pool = AsyncConnectionPool[Any]
Work = Callable[[Pool, argparse.Namespace], Coroutine[Any, Any, None]]

_COUNTS = "SELECT epoch, count(*) FROM {} WHERE wrapped IS NOT NULL GROUP BY epoch"


class NoLedger(KeyProblem):
    def __init__(self, folder: Path) -> None:
        super().__init__(f"there is no ledger under {folder}; name its folder with --data, or use --dsn")


def main(arguments: Sequence[str]) -> None:
    """Does one piece of work on the keys; raises KeyProblem."""
    chosen = _parser().parse_args(arguments)
    chosen.key_file = chosen.key_file or chosen.data / "master.key"
    asyncio.run(_run(chosen))


async def _run(chosen: argparse.Namespace) -> None:
    folder = None if chosen.dsn else chosen.data
    if folder is not None and not holds_data(folder):
        raise NoLedger(folder)
    async with (
        Database(folder, chosen.dsn, chosen.database_tls) as database,
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
        query = SQL(_COUNTS).format(Identifier(tenant.schema, "ledger_keys"))
        async with pool.connection() as connection:
            counts.update(dict(await (await connection.execute(query)).fetchall()))
    return counts


async def rotate(pool: Pool, chosen: argparse.Namespace) -> None:
    """Replaces the secret that all data keys are wrapped under; servers go on meanwhile."""
    await Rotation(pool, chosen.key_file, lambda line: print(line, flush=True)).run(begin=not chosen.finish)


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    outside = os.environ.get
    data = outside("FULFILMENT_DATA") or "data"
    shared.add_argument("--data", type=_path, default=data, help=f"data folder of the service ({data})")
    shared.add_argument("--dsn", default=outside("FULFILMENT_DSN"), help="its PostgreSQL, if it is not embedded")
    add_database_tls(shared)
    key_file = outside("FULFILMENT_KEY_FILE") or None
    shared.add_argument("--key-file", type=_path, default=key_file, help="its key file (DATA/master.key)")
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


def _path(text: str) -> Path:
    return Path(text).expanduser()
