"""The folder of a test run: the next run removes what a killed run has left in memory."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGKILL, SIGQUIT, Signals

import psutil  # type: ignore[import-untyped]

_MEMORY = Path("/dev/shm")
_ENOUGH_BYTES = 4 << 30
_PREFIX = "fulfilment-run-"


def base() -> Path:
    """In memory, where there is enough of it.

    A tenant is 150 tables and indexes, each a file; on a disk, making them takes most of a test's time.
    """
    if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES:
        return _MEMORY
    return Path(tempfile.gettempdir())


@contextmanager
def run_folder(within: Path) -> Iterator[Path]:
    """A folder for one run, gone after it. The lock beside it says that the run lives: the kernel takes it back."""
    sweep(within)
    descriptor, name = tempfile.mkstemp(prefix=_PREFIX, suffix=".lock", dir=within)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    lock = Path(name)
    folder = lock.with_suffix("")
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink()
        os.close(descriptor)


def sweep(within: Path) -> None:
    """Ends the processes that dead runs have left and removes their files."""
    for lock in within.glob(f"{_PREFIX}*.lock"):
        # Not taken: its run lives. Not opened: it is another user's, or just gone.
        with suppress(BlockingIOError, PermissionError, FileNotFoundError), lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            folder = lock.with_suffix("")
            _end_all_of(folder)
            for pointer in folder.rglob("socket"):  # to a folder outside, where the path of the data is too long
                shutil.rmtree(pointer.resolve(), ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink()


def _end_all_of(folder: Path) -> None:
    """Services name the folder, their PostgreSQL lives in it; projectors go with their service."""
    found = list(_processes())
    _end([process for process, _, words in found if any(f"{folder}/" in word for word in words)], SIGKILL)
    # PostgreSQL takes its shared memory with it.
    _end([process for process, at, _ in found if at.startswith(f"{folder}/")], SIGQUIT)


def _end(processes: list[psutil.Process], how: Signals) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(how)
    psutil.wait_procs(processes, timeout=10)


def _processes() -> Iterator[tuple[psutil.Process, str, list[str]]]:
    """Those that can be looked at, with their folder and their words."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            yield process, process.cwd(), process.cmdline()
