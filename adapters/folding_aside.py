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
from projections.machine.following import at_full_speed
from projections.machine.projection import Projection, named

MOST_WAITING = 8
"""Positions that are folded, or wait for their turn, in one process."""
_FIRST_POLL_SECONDS, _LONGEST_POLL_SECONDS = 0.05, 0.5
_PROGRESS_SECONDS = 1.0
"""How long whoever asks again, while it is being folded, waits until they are told how far it is."""
_GATHER_SECONDS = 0.05
"""How long a fold waits for others who ask as of the same position, so that the log is read once for all."""
_PAUSE_SECONDS = 10.0
"""After what failed, until it is tried again."""
_TIDY_SECONDS = 600.0
_STEP_DOWN = 10
"""Who takes commands comes first."""

log = logging.getLogger("fulfilment.projections")


class _Fold:
    """One reading of the log, for all read models that are asked for as of a position before it begins."""

    def __init__(self) -> None:
        self.wanted: dict[str, Projection] = {}
        self.has_begun = False
        self.task: asyncio.Task[None] | None = None


class Asides:
    """What this process has folded aside, one position after the other."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool
        self._folds: dict[tuple[str, int], _Fold] = {}
        self._tidying: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(1)

    async def prepare(self, schema: str, projections: Sequence[Projection], position: int, give_up_at: float) -> None:
        """Returns when all are there; raises ProjectionBehind, and goes on, if that takes longer."""
        now, pause = asyncio.get_running_loop().time, _FIRST_POLL_SECONDS
        while True:
            async with self._pool.connection() as connection:
                lacking = [
                    each for each in await standing(connection, schema, projections, position) if not each.is_ready
                ]
            if not lacking:
                return
            # Another process of the service may fold some.
            unfolded = {each.name for each in lacking if not each.is_folded}
            self._fold(schema, [each for each in projections if each.name in unfolded], position)
            if pause == _FIRST_POLL_SECONDS and not unfolded:
                give_up_at = min(give_up_at, now() + _PROGRESS_SECONDS)
            if now() >= give_up_at:
                raise ProjectionBehind(lacking[0].name, position, min(each.progress for each in lacking))
            await asyncio.sleep(min(pause, max(0.0, give_up_at - now())))
            pause = min(2 * pause, _LONGEST_POLL_SECONDS)

    def _fold(self, schema: str, projections: Sequence[Projection], position: int) -> None:
        """Has them folded, unless too many wait; those asked for while the log is read are folded after that."""
        which = schema, position
        if projections and which not in self._folds and len(self._folds) < MOST_WAITING:
            fold = self._folds[which] = _Fold()
            fold.task = asyncio.create_task(self._folded(schema, fold, position), name=f"aside of {schema}")
            fold.task.add_done_callback(lambda _: self._folds.pop(which, None))
        if (fold_there := self._folds.get(which)) is not None and not fold_there.has_begun:
            fold_there.wanted.update({each.name: each for each in projections})

    async def _folded(self, schema: str, fold: _Fold, position: int) -> None:
        if schema not in self._tidying:
            self._tidying[schema] = asyncio.create_task(self._tidy(schema), name=f"asides of {schema}")
        token = secrets.token_hex(8)
        async with self._turn:
            await asyncio.sleep(_GATHER_SECONDS)
            fold.has_begun = True
            words = ["--schema", schema, "--position", str(position), "--token", token, *fold.wanted]
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
            names = ", ".join(fold.wanted)
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
        folding = [*(each.task for each in self._folds.values() if each.task), *self._tidying.values()]
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
    with at_full_speed():
        fold_aside(os.environ["FULFILMENT_DSN"], chosen.schema, wanted, chosen.position, chosen.token)


if __name__ == "__main__":
    main(sys.argv[1:])
