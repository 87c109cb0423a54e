"""What a folder of exports holds: for each table its files, and the position up to which they go.

The manifest is replaced last, in one step, so that a run that dies leaves what was there before. Files that no manifest
names are of such a run, and go with the next.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import msgspec

NAME = "manifest.json"
FORM = 1
"""Of the manifest itself."""
LOCK = ".lock"
DRAFTS = ".drafts"
_EXPORTED = re.compile(r"[0-9]{12}-[0-9]{12}\.[a-z]+")


class Unusable(Exception):
    """The folder cannot be gone on with; the message says why, and what to do."""


class ExportedFile(msgspec.Struct, frozen=True):
    """A file of rows."""

    file: str
    """Its path in the folder."""
    after: int
    """Only rows that changed after this position are in it; 0 means all."""
    position: int
    rows: int
    bytes: int
    sha256: str


class TableFiles(msgspec.Struct, frozen=True):
    """The files of a table, in the order in which they are to be read."""

    position: int
    key: Sequence[str]
    columns: Sequence[str]
    """Each with its type, and "always" where it is never empty."""
    always_whole: bool
    files: Sequence[ExportedFile]


class ExportManifest(msgspec.Struct, frozen=True):
    """What a folder holds."""

    manifest: int
    tenant: str
    contract: int
    format: str
    position: int
    """The least of its tables."""
    tables: dict[str, TableFiles]
    as_of: bool = False
    """Whether it is what was known at a moment of the past, from which nobody goes on."""


def read(folder: Path) -> ExportManifest | None:
    """The manifest of a folder; None if it has none. Raises Unusable."""
    path = folder / NAME
    try:
        found = msgspec.json.decode(path.read_bytes(), type=ExportManifest)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise Unusable(f"{path} is no manifest of an export: {error}") from None
    if found.manifest != FORM:
        raise Unusable(
            f"{path} is of another version of this program, which writes form {FORM} and not {found.manifest}"
        )
    for table, name in ((table, each.file) for table, files in found.tables.items() for each in files.files):
        if not (folder / name).is_file():
            raise Unusable(f"{folder / name} is gone, which the manifest names; --after 0 exports {table} anew")
    return found


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else writes into the folder meanwhile; one that was made for nothing is removed again."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        if not _locked(lock, folder / LOCK):
            raise Unusable(f"another export is writing into {folder}; wait until it is over")
        try:
            yield
        except BaseException:
            _remove(folder, made)
            raise


def _locked(lock: IO[str], path: Path) -> bool:
    """Whether it is ours now, and still that of the folder: one that was made for nothing goes with it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(lock.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _remove(folder: Path, made: Sequence[Path]) -> None:
    """The folders that were made, if nothing was written."""
    if folder in made and os.listdir(folder) == [LOCK]:
        (folder / LOCK).unlink()
        with suppress(OSError):  # somebody else puts something there
            for each in made:
                each.rmdir()


def clean(folder: Path, manifest: ExportManifest | None, tables: Sequence[str]) -> None:
    """Removes what no manifest names: drafts, and the files of a run that died between them and its manifest."""
    kept = {each.file for files in manifest.tables.values() for each in files.files} if manifest else set()
    for draft in (folder / DRAFTS).glob("*"):
        draft.unlink()
    with suppress(FileNotFoundError):
        (folder / DRAFTS).rmdir()
    for table in tables:
        for path in (folder / table).glob("*"):
            if _EXPORTED.fullmatch(path.name) and f"{table}/{path.name}" not in kept:
                path.unlink()


def file_of(table: str, after: int, position: int, suffix: str) -> str:
    """The path of a file in its folder: sorted by their names, files are in the order in which they are to be read."""
    return f"{table}/{after:012}-{position:012}.{suffix}"


def write(folder: Path, manifest: ExportManifest, drafts: dict[str, Path]) -> None:
    """Puts drafts in their places, and then the manifest that names them; what it names no more goes."""
    for name, draft in drafts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        os.replace(draft, folder / name)
    for parent in {(folder / name).parent for name in drafts}:
        _sync(parent)
    draft = folder / DRAFTS / NAME
    draft.parent.mkdir(exist_ok=True)
    with draft.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, folder / NAME)
    _sync(folder)
    clean(folder, manifest, list(manifest.tables))


def _sync(folder: Path) -> None:
    """A name in a folder is on the disk once the folder is."""
    opened: Any = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
