"""Read models as of a position, each folded in a process of its own: no call waits for the work.

``python -m adapters.folding_aside``, which the service starts, is that process.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import secrets
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

from ledger.refusals import ProjectionBehind
from projections import PROJECTIONS
from projections.machine.aside import drop_old, fold_aside, let_go, standing
from projections.machine.projection import Projection, named

MOST_WAITING = 8
"""Positions that are folded, or wait for their turn, in one process."""
_POLL_SECONDS = 0.05
_PAUSE_SECONDS = 10.0
"""After what failed, until it is tried again."""
_TIDY_SECONDS = 600.0
_STEP_DOWN = 10
"""Who takes commands comes first."""

log = logging.getLogger("fulfilment.projections")


class Asides:
    """What this process has folded aside, one position after the other."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool
        self._folding: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._tidying: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(1)

    async def prepare(self, schema: str, projections: Sequence[Projection], position: int, give_up_at: float) -> None:
        """Returns when all are there; raises ProjectionBehind, and goes on, if that takes longer."""
        while True:
            async with self._pool.connection() as connection:
                found = {each.name: each for each in await standing(connection, schema, projections, position)}
            lacking = [each for each in projections if each.name not in found or not found[each.name].is_ready]
            if not lacking:
                return
            self._fold(schema, lacking, position)
            if asyncio.get_running_loop().time() >= give_up_at:
                progress = min(found[each.name].progress if each.name in found else 0 for each in lacking)
                raise ProjectionBehind(lacking[0].name, position, progress)
            await asyncio.sleep(_POLL_SECONDS)

    def _fold(self, schema: str, projections: Sequence[Projection], position: int) -> None:
        which = schema, position
        if which not in self._folding and len(self._folding) < MOST_WAITING:
            task = asyncio.create_task(self._folded(schema, projections, position), name=f"aside of {schema}")
            self._folding[which] = task
            task.add_done_callback(lambda _: self._folding.pop(which, None))

    async def _folded(self, schema: str, projections: Sequence[Projection], position: int) -> None:
        if schema not in self._tidying:
            self._tidying[schema] = asyncio.create_task(self._tidy(schema), name=f"asides of {schema}")
        token = secrets.token_hex(8)
        named = ["--schema", schema, "--position", str(position), "--token", token]
        words = [*named, *(each.name for each in projections)]
        async with self._turn:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "adapters.folding_aside", *words),
                env={**os.environ, "FULFILMENT_DSN": str(self._pool.conninfo)},
                start_new_session=True,  # a Ctrl-C at the terminal reaches only the service, which then ends it
            )
            try:
                code = await process.wait()
            finally:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
                with suppress(psycopg.Error, TimeoutError):
                    async with self._pool.connection() as connection:
                        await let_go(connection, schema, token)
        if code:
            names = ", ".join(each.name for each in projections)
            log.error("folding %s of %s as of position %d ended with code %d", names, schema, position, code)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _tidy(self, schema: str) -> None:
        """Drops what nobody asks for any more, until nothing is left."""
        kept = 1
        while kept:
            await asyncio.sleep(_TIDY_SECONDS)
            with suppress(psycopg.Error):
                kept = await asyncio.to_thread(drop_old, str(self._pool.conninfo), schema)
        del self._tidying[schema]

    async def close(self) -> None:
        """Ends what is being folded."""
        folding = [*self._folding.values(), *self._tidying.values()]
        for task in folding:
            task.cancel()
        await asyncio.gather(*folding, return_exceptions=True)


def main(arguments: Sequence[str]) -> None:
    """Folds read models aside."""
    parser = argparse.ArgumentParser(prog="adapters.folding_aside")
    parser.add_argument("--schema", required=True)
    parser.add_argument("--position", type=int, required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("names", nargs="+")
    chosen = parser.parse_args(arguments)
    os.nice(_STEP_DOWN)
    wanted = [named(PROJECTIONS, name) for name in chosen.names]
    fold_aside(os.environ["FULFILMENT_DSN"], chosen.schema, wanted, chosen.position, chosen.token)


if __name__ == "__main__":
    main(sys.argv[1:])
