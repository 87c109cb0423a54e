"""Sealed personal data: facts are forever, people can be forgotten.

Each sealing has a data key of its own. The data keys are stored beside the log, wrapped by a key that is
derived from the master key, which lives in a file outside the database. Destroying every data key
of a subject erases that person from facts, backups and read models alike.
"""

from __future__ import annotations

import hmac
import os
import stat
from collections.abc import Mapping
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, NamedTuple, cast
from unicodedata import normalize

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ledger.facts import Sealed

MASTER_KEY_BYTES = 32
_NONCE_BYTES = 12


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


class KeyFileDamaged(KeyProblem):
    def __init__(self, path: Path, length: int) -> None:
        super().__init__(
            f"the key file {path} is {length} bytes long instead of {MASTER_KEY_BYTES}; restore it from your backup"
        )


class KeyFileUnreadable(KeyProblem):
    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"the key file {path} cannot be used ({why}); give it to the user that runs the service, or name another "
            "with --key-file"
        )


class WrongKey(KeyProblem):
    def __init__(self) -> None:
        super().__init__("this key file belongs to another ledger; start with the key file this ledger was made with")


class Unreadable(Exception):
    """A sealed value that its key does not open: damaged, or moved from where it belongs."""


class Contacts(NamedTuple):
    """Keyed hashes of an e-mail address and a phone number, which find a person; None for what is not known."""

    email: str | None
    phone: str | None


class PersonKey(NamedTuple):
    """A wrapped data key, as the key table holds it, with the contacts that are sealed under it."""

    key_id: str
    subject: str
    wrapped: bytes
    email: str | None = None
    phone: str | None = None
    bound_to: str | None = None
    """Where what is sealed under it belongs; only with a contact, which finds it."""


class MasterKey:
    """The one secret outside the database; every other key is derived from it."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def load_or_create(cls, path: Path, *, ledger_has_data: bool) -> MasterKey:
        """Reads the key file; makes it at the first start, never once the ledger holds data."""
        secret = _read(path)
        if secret is None and not ledger_has_data:
            _create(path)
            secret = _read(path)
        if secret is None:
            raise KeyFileMissing(path)
        return cls(secret)

    def derive(self, purpose: str) -> bytes:
        """A key for one purpose, so that no two uses share one."""
        return HKDF(hashes.SHA256(), 32, salt=None, info=f"fulfilment {purpose}".encode()).derive(self._secret)

    @property
    def check(self) -> bytes:
        """What the database keeps to recognise this key by; it does not reveal the key."""
        return hmac.digest(self.derive("check"), b"this is the key of the ledger", sha256)

    def verify(self, stored_check: bytes) -> None:
        if not hmac.compare_digest(self.check, stored_check):
            raise WrongKey


def _create(path: Path) -> None:
    """Writes a new key and links it into place whole, so that no other process reads half a key."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise KeyFileUnreadable(path, error.strerror or str(error)) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(MASTER_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
        _sync_folder(path.parent)
    except FileExistsError:
        pass  # another process was first; its key is used
    finally:
        draft.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes | None:
    """The secret; None where there is no such file."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) and stat.S_IMODE(mode) & 0o077:
            raise KeyFileExposed(path)
        secret = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyFileUnreadable(path, error.strerror or str(error)) from error
    if len(secret) != MASTER_KEY_BYTES:
        raise KeyFileDamaged(path, len(secret))
    return secret


class Sealer:
    """Seals and unseals personal data, and makes the keyed hashes that stand in for it."""

    def __init__(self, master: MasterKey) -> None:
        # AES-GCM with random nonces is safe for 2**32 wraps under one key: some billions of orders.
        self._wrapper = AESGCM(master.derive("wrap data keys"))
        self._subject_key = master.derive("name subjects")
        self._fingerprint_key = master.derive("fingerprint requests")
        self._contact_hash = blake2b(digest_size=20, key=master.derive("find people"))
        self._encode = msgspec.json.Encoder().encode

    def seal(self, personal: Mapping[str, Any], subject: str, bound_to: str) -> tuple[Sealed, PersonKey]:
        """Encrypts under a fresh key. ``bound_to`` names where it belongs: it opens nowhere else."""
        return self.seal_bytes(self._encode(personal), subject, bound_to)

    def seal_bytes(self, data: bytes, subject: str, bound_to: str) -> tuple[Sealed, PersonKey]:
        """Encrypts what is bytes already, such as a photo."""
        random = os.urandom(16 + 32 + _NONCE_BYTES + _NONCE_BYTES)
        key_id, data_key, nonce, wrap_nonce = random[:16].hex(), random[16:48], random[48:60], random[60:]
        box = nonce + AESGCM(data_key).encrypt(nonce, data, bound_to.encode())
        wrapped = wrap_nonce + self._wrapper.encrypt(wrap_nonce, data_key, key_id.encode())
        return Sealed(key_id, box), PersonKey(key_id, subject, wrapped)

    def unseal(self, sealed: Sealed, wrapped: bytes, bound_to: str) -> dict[str, Any]:
        """What was sealed; raises Unreadable when it was altered or belongs elsewhere."""
        return cast("dict[str, Any]", msgspec.json.decode(self.unseal_bytes(sealed, wrapped, bound_to)))

    def unseal_bytes(self, sealed: Sealed, wrapped: bytes, bound_to: str) -> bytes:
        """The bytes that were sealed; raises Unreadable when they were altered or belong elsewhere."""
        try:
            key_id = sealed.key_id.encode()
            data_key = self._wrapper.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], key_id)
            box = sealed.box
            return AESGCM(data_key).decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], bound_to.encode())
        except (InvalidTag, ValueError) as error:
            raise Unreadable(f"sealed value {sealed.key_id} does not open for {bound_to}") from error

    def subject_of(self, email: str, phone: str, fallback: str) -> str:
        """The person's name in the key table: always the same for the same person, and it reveals nothing."""
        if email := _plain_email(email):
            known_by = f"email {email}"
        else:
            digits = "".join(character for character in phone if character.isdigit())
            known_by = f"phone {digits}" if digits else f"other {fallback}"
        return "person-" + blake2b(known_by.encode(), digest_size=20, key=self._subject_key).hexdigest()

    def contacts(self, tenant: str, email: str, phone: str) -> Contacts:
        """What a person is found by in the ledger of this tenant; in that of another it is something else."""
        email, phone = _plain_email(email), _plain_phone(phone)
        return Contacts(
            self._contact(f"{tenant} email {email}") if email else None,
            self._contact(f"{tenant} phone {phone}") if phone else None,
        )

    def _contact(self, known_by: str) -> str:
        hashed = self._contact_hash.copy()
        hashed.update(known_by.encode())
        return hashed.hexdigest()

    def fingerprint(self, data: bytes) -> bytes:
        """A keyed hash of a canonical request: it recognises the same request and reveals nothing."""
        return blake2b(data, digest_size=32, key=self._fingerprint_key).digest()


def _plain_email(email: str) -> str:
    return "".join(email.split()).casefold()


def _plain_phone(phone: str) -> str:
    """Its digits; 0049 and +49 are the same."""
    if not phone.isascii():
        phone = normalize("NFKC", phone).encode("ascii", "ignore").decode()  # full-width digits
    return phone.translate(_NO_DIGITS).removeprefix("00")


_NO_DIGITS = dict.fromkeys(set(range(128)) - set(map(ord, "0123456789")))
