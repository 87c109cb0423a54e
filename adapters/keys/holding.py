"""How a server holds the keys: it follows the key file and the epoch that all seal under, and says what it holds."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import uuid
from pathlib import Path

import psycopg
from psycopg_pool import PoolTimeout

from adapters.database.control import Control
from adapters.keys.holders import LOST_AFTER_SECONDS, Holders
from ledger.engine.keyring import EpochMissing, KeyFileMissing, KeyProblem, KeyRing, load, load_or_create
from ledger.engine.sealing import Sealer
from ledger.engine.trouble import in_short

log = logging.getLogger("fulfilment.keys")

_LOOK_SECONDS = 1.0
_SAY_SECONDS = LOST_AFTER_SECONDS / 3


class KeyFileBesideData(KeyProblem):
    def __init__(self, path: Path) -> None:
        super().__init__(
            f"the key file {path} is beside the data: whoever copies the folder can read everybody, also the erased; "
            "for a service that others can reach, move it elsewhere and name it with --key-file"
        )


def require_apart(path: Path, data: Path) -> None:
    """Beside the data is the key file of a trial, which this machine alone reaches."""
    if path.resolve().is_relative_to(data.resolve()):
        raise KeyFileBesideData(path)


class HeldKeys:
    """The keys as a server holds them."""

    def __init__(self, holders: Holders, path: Path, ring: KeyRing, sealer: Sealer) -> None:
        self.sealer = sealer
        self._holders = holders
        self._path = path
        self._ring = ring
        self._seen = _mark(path)
        self._name = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex[:8]}"
        self._said: tuple[list[int], int] = ([], 0)
        self._said_at = 0.0
        self._trouble = ""

    @classmethod
    async def open(cls, control: Control, holders: Holders, path: Path) -> HeldKeys:
        """The keys of the file: made at the first start, recognised at every later one; raises KeyProblem."""
        check = await control.key_check()
        ring = load_or_create(path, ledger_has_data=check is not None)
        ring.verify(await control.remember_key(ring.check, ring.newest))
        keys = cls(holders, path, ring, Sealer(ring, await holders.epoch()))
        await keys.look()
        return keys

    async def run(self) -> None:
        """Follows until it is cancelled."""
        try:
            while True:
                await asyncio.sleep(_LOOK_SECONDS)
                await self._try_to_look()
        finally:
            await self._holders.let_go(self._name)

    async def _try_to_look(self) -> None:
        trouble, passes = "", False
        try:
            await self.look()
        except (KeyProblem, OSError, psycopg.Error, PoolTimeout) as error:
            trouble = str(error) if isinstance(error, KeyProblem) else in_short(error)
            passes = isinstance(error, psycopg.Error | PoolTimeout)
        if trouble and trouble != self._trouble:
            log.log(logging.WARNING if passes else logging.ERROR, "the keys stay as they were: %s", trouble)
        self._trouble = trouble

    async def look(self) -> None:
        """Takes over what changed in the file, and the epoch to seal under; then says so."""
        if (mark := _mark(self._path)) != self._seen:
            ring = load(self._path)
            if ring is None:
                raise KeyFileMissing(self._path)
            ring.verify(self._ring.check)
            self._ring, self._seen = ring, mark
        writes = await self._holders.epoch()
        if writes not in self._ring.epochs:
            raise EpochMissing(writes)
        self.sealer.use(self._ring, writes)
        await self._say(sorted(self._ring.epochs), writes)

    async def _say(self, epochs: list[int], writes: int) -> None:
        now = asyncio.get_running_loop().time()
        if self._said == (epochs, writes) and now < self._said_at + _SAY_SECONDS:
            return
        await self._holders.hold(self._name, epochs, writes)
        self._said, self._said_at = (epochs, writes), now


def _mark(path: Path) -> tuple[int, int, int]:
    """What differs once the file was replaced."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size
