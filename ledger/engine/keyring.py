"""The key file: the secrets outside the database that everything personal depends on.

It holds the secrets of one epoch, of two while data keys are moved from one to the next, and a few keys that never
change. A file of before is one master key of 32 bytes, of which all these are derived: it is the first epoch.
"""

from __future__ import annotations

import hmac
import os
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_SECRET_BYTES = 32
FIRST_EPOCH = 1
_PERMANENT = ("check", "fingerprint requests", "find people", "name subjects")
"""What keys that never change are for. None of them opens anything."""


class KeyProblem(Exception):
    """The service must not start with this key file; the message says what to do."""


class KeyFileMissing(KeyProblem):
    def __init__(self, path: Path) -> None:
        super().__init__(
            f"the ledger holds sealed data but its key file {path} is missing; restore it from your backup of the key"
        )


class KeyFileExposed(KeyProblem):
    def __init__(self, path: Path) -> None:
        super().__init__(f"the key file {path} can be read by others; run: chmod 600 {path}")


class KeyFileNotOurs(KeyProblem):
    def __init__(self, path: Path) -> None:
        super().__init__(f"the key file {path} belongs to another user; give it to the user that runs the service")


class KeyFolderOpen(KeyProblem):
    def __init__(self, folder: Path) -> None:
        super().__init__(f"others can put another key file into {folder}; run: chmod go-w {folder}")


class KeyFileDamaged(KeyProblem):
    def __init__(self, path: Path, length: int) -> None:
        super().__init__(f"the key file {path} ({length} bytes) holds no keys; restore it from your backup")


class KeyFileUnreadable(KeyProblem):
    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"the key file {path} cannot be used ({why}); give it to the user that runs the service, or name another "
            "with --key-file"
        )


class WrongKey(KeyProblem):
    def __init__(self) -> None:
        super().__init__("this key file belongs to another ledger; start with the key file this ledger was made with")


class EpochMissing(KeyProblem):
    def __init__(self, epoch: int) -> None:
        super().__init__(
            f"the key file lacks epoch {epoch}, which this ledger seals under; restore the key file that goes with "
            "this database"
        )


class Epoch(NamedTuple):
    """A secret that data keys are wrapped under for some time."""

    secret: bytes
    made_at: datetime | None = None
    """None for the master key of before."""

    def derive(self, purpose: str) -> bytes:
        return _derive(self.secret, purpose)


class KeyRing(NamedTuple):
    """What a key file holds."""

    permanent: Mapping[str, bytes]
    """By what they are for."""
    epochs: Mapping[int, Epoch]

    @classmethod
    def new(cls) -> KeyRing:
        first = Epoch(os.urandom(_SECRET_BYTES), datetime.now(UTC))
        return cls({purpose: os.urandom(_SECRET_BYTES) for purpose in _PERMANENT}, {FIRST_EPOCH: first})

    @classmethod
    def of_master_key(cls, secret: bytes) -> KeyRing:
        """What the one key of before stands for."""
        return cls({purpose: _derive(secret, purpose) for purpose in _PERMANENT}, {FIRST_EPOCH: Epoch(secret)})

    @property
    def newest(self) -> int:
        return max(self.epochs)

    def with_another(self) -> KeyRing:
        """The ring with one epoch more."""
        another = Epoch(os.urandom(_SECRET_BYTES), datetime.now(UTC))
        return self._replace(epochs={**self.epochs, self.newest + 1: another})

    def with_newest_only(self) -> KeyRing:
        return self._replace(epochs={self.newest: self.epochs[self.newest]})

    @property
    def check(self) -> bytes:
        """What the database keeps to recognise the file by; it reveals no key."""
        return hmac.digest(self.permanent["check"], b"this is the key of the ledger", sha256)

    def verify(self, stored_check: bytes) -> None:
        if not hmac.compare_digest(self.check, stored_check):
            raise WrongKey


def _derive(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose, so that no two uses share one."""
    return HKDF(hashes.SHA256(), 32, salt=None, info=f"fulfilment {purpose}".encode()).derive(secret)


# --- the file -------------------------------------------------------------------------------------


class _Written(msgspec.Struct):
    """A key file as JSON; bytes are base64."""

    permanent: dict[str, bytes]
    epochs: dict[int, _WrittenEpoch]


class _WrittenEpoch(msgspec.Struct, omit_defaults=True):
    secret: bytes
    made_at: datetime | None = None


def load_or_create(path: Path, *, ledger_has_data: bool) -> KeyRing:
    """Reads the key file; makes it at the first start, never once the ledger holds data."""
    ring = load(path)
    if ring is None and not ledger_has_data:
        _create(path)
        ring = load(path)
    if ring is None:
        raise KeyFileMissing(path)
    return ring


def load(path: Path) -> KeyRing | None:
    """The ring; None where there is no such file."""
    try:
        _require_private(path)
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyFileUnreadable(path, error.strerror or str(error)) from error
    if len(content) == _SECRET_BYTES:
        return KeyRing.of_master_key(content)
    try:
        written = msgspec.json.decode(content, type=_Written)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KeyFileDamaged(path, len(content)) from error
    if not written.epochs or written.permanent.keys() < {*_PERMANENT}:
        raise KeyFileDamaged(path, len(content))
    epochs = {number: Epoch(each.secret, each.made_at) for number, each in written.epochs.items()}
    return KeyRing(written.permanent, epochs)


def _require_private(path: Path) -> None:
    found, folder = path.stat(), path.parent.stat()
    if not stat.S_ISREG(found.st_mode):
        return  # reading it says what is wrong
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise KeyFileExposed(path)
    if found.st_uid not in (os.geteuid(), 0):
        raise KeyFileNotOurs(path)
    if stat.S_IMODE(folder.st_mode) & 0o022 and not folder.st_mode & stat.S_ISVTX:
        raise KeyFolderOpen(path.parent)


def _create(path: Path) -> None:
    """Links a new file into place whole, so that no other process reads half a key."""
    draft = _draft(path, KeyRing.new())
    try:
        os.link(draft, path)
        _sync_folder(path.parent)
    except FileExistsError:
        pass  # another process was first; its keys are used
    finally:
        draft.unlink()


def store(path: Path, ring: KeyRing) -> None:
    """Puts another ring in the place of the file, whole, and overwrites what the file held."""
    draft = _draft(path, ring)
    with path.open("r+b") as before:
        length = os.fstat(before.fileno()).st_size
        draft.replace(path)
        _sync_folder(path.parent)
        before.write(bytes(length))
        before.flush()
        os.fsync(before.fileno())


def _draft(path: Path, ring: KeyRing) -> Path:
    epochs = {number: _WrittenEpoch(each.secret, each.made_at) for number, each in ring.epochs.items()}
    content = msgspec.json.format(msgspec.json.encode(_Written(dict(ring.permanent), epochs))) + b"\n"
    draft = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise KeyFileUnreadable(path, error.strerror or str(error)) from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
