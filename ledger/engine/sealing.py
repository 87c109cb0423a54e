"""Sealed personal data: facts are forever, people can be forgotten.

Each sealing has a data key of its own. The data keys are stored beside the log, wrapped under the secret of an epoch,
which stands in the key file, outside the database. Destroying every data key of a subject erases it from facts, read
models and evidence. Once the data keys that are left were wrapped anew and the epoch's secret is gone, it is erased
from write-ahead log, dumps and backups alike.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple, cast
from unicodedata import normalize

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.engine.fingerprints import EPOCH_BYTES
from ledger.engine.keyring import FIRST_EPOCH, Epoch, EpochMissing, KeyRing
from ledger.facts import Sealed

_NONCE_BYTES = 12
_BLOCK_BYTES = 16
_FOR = "\0"
"""Parts where something belongs from what for."""
_BOUND_WRAP = b"\x02"
"""The first byte of a wrap that is bound to tenant and subject, which is longer by it than those of before."""
_BOUND_WRAP_BYTES = 1 + _NONCE_BYTES + 32 + 16
_BOUND_BOX = "2"
"""The first character of a key id whose box is bound to tenant and purpose; those of before are shorter by it."""
_BOUND_KEY_ID_CHARACTERS = 33


class Unreadable(Exception):
    """A sealed value that its key does not open: damaged, or moved from where it belongs."""


class Contacts(NamedTuple):
    """An e-mail address and a phone number as the key table holds them; None for what is not known."""

    email: str | None
    phone: str | None


class StoredKey(NamedTuple):
    """A data key as the key table holds it."""

    subject: str
    wrapped: bytes
    epoch: int


class KeyRow(NamedTuple):
    """A data key to be stored, with the contacts that are sealed under it."""

    key_id: str
    subject: str
    wrapped: bytes
    email: str | None
    phone: str | None
    bound_to: str | None
    """Where what is sealed under it belongs; only with a contact, which finds it."""
    epoch: int
    purpose: str | None
    """What it was sealed for, by which a kind of data can be erased alone; None of keys from before it was kept."""


class PersonKey(msgspec.Struct, frozen=True, gc=False):
    """A data key that something was just sealed under; it is wrapped when it is stored."""

    sealer: TenantSealer
    key_id: str
    subject: str
    """Under which it stands; empty where only the streams tell."""
    secret: bytes
    purpose: str = ""
    email: bytes | None = None
    phone: bytes | None = None
    bound_to: str | None = None

    def found_by(self, email: str, phone: str, bound_to: str) -> PersonKey:
        """The key with the contacts that find the person."""
        hashes = self.sealer.hashes(email, phone)
        return PersonKey(self.sealer, self.key_id, self.subject, self.secret, self.purpose, *hashes, bound_to)

    def row(self, subject: str = "") -> KeyRow:
        """As it is stored, by default under its own subject."""
        return self.sealer.row(self, subject or self.subject)


class _EpochKeys:
    """The keys of one epoch."""

    def __init__(self, epoch: Epoch) -> None:
        # AES-GCM with random nonces is safe for 2**32 wraps under one key: some billions of orders.
        self.wrapper = AESGCM(epoch.derive("wrap data keys"))
        # One block, no chaining: equal contacts are to be equal, and nothing else can be seen of them.
        cipher = Cipher(algorithms.AES(epoch.derive("hide contacts")), modes.ECB())  # noqa: S305
        self._hide, self._show = cipher.encryptor().update, cipher.decryptor().update
        self.digest = blake2b(digest_size=32, key=epoch.derive("recognise content"))

    def hidden(self, hashed: bytes | None) -> str | None:
        return self._hide(hashed).hex() if hashed else None

    def shown(self, hidden: str) -> bytes:
        return self._show(bytes.fromhex(hidden))


class Sealer:
    """Seals and unseals with the keys of a ring, and makes the keyed hashes that stand in for what is sealed."""

    def __init__(self, ring: KeyRing, writes: int | None = None) -> None:
        self._epochs: dict[int, _EpochKeys] = {}
        self._tenants: dict[str, TenantSealer] = {}
        self._subject_key = ring.permanent["name subjects"]
        self._fingerprint_key = ring.permanent["fingerprint requests"]
        self.contact_hash = blake2b(digest_size=20, key=ring.permanent["find people"])
        self.use(ring, ring.newest if writes is None else writes)

    def use(self, ring: KeyRing, writes: int) -> None:
        """Goes on with these epochs, and seals under one of them; raises EpochMissing."""
        if writes not in ring.epochs:
            raise EpochMissing(writes)
        self._epochs = {number: self._epochs.get(number) or _EpochKeys(each) for number, each in ring.epochs.items()}
        self.writes = writes

    @property
    def epochs(self) -> Mapping[int, _EpochKeys]:
        return self._epochs

    def of(self, schema: str) -> TenantSealer:
        """What seals for the tenant with this schema."""
        found = self._tenants.get(schema)
        if found is None:
            found = self._tenants[schema] = TenantSealer(self, schema)
        return found

    def fingerprint(self, data: bytes) -> bytes:
        """A keyed hash of what is not personal: it stays the same in all epochs, and reveals nothing."""
        return blake2b(data, digest_size=32, key=self._fingerprint_key).digest()

    def subject_of(self, email: str, phone: str, fallback: str) -> str:
        """What keys of before call a person: always the same for the same person."""
        if email := _plain_email(email):
            known_by = f"email {email}"
        else:
            digits = "".join(character for character in phone if character.isdigit())
            known_by = f"phone {digits}" if digits else f"other {fallback}"
        return "person-" + blake2b(known_by.encode(), digest_size=20, key=self._subject_key).hexdigest()


class TenantSealer:
    """Seals for one tenant: in another nothing opens, and the same contact is another."""

    def __init__(self, sealer: Sealer, schema: str) -> None:
        self._sealer = sealer
        self._schema = schema
        self._name = schema.removeprefix("tenant_")
        self._prefix = schema.encode() + b"\0"
        self._encode = msgspec.json.Encoder().encode

    # --- sealing ----------------------------------------------------------------------------------

    def seal(self, personal: Mapping[str, Any], subject: str, bound_to: str) -> tuple[Sealed, PersonKey]:
        """Encrypts under a fresh key. ``bound_to`` names where it belongs, and what for: it opens nowhere else."""
        return self.seal_bytes(self._encode(personal), subject, bound_to)

    def seal_bytes(self, data: bytes, subject: str, bound_to: str) -> tuple[Sealed, PersonKey]:
        """Encrypts what is bytes already, such as a photo."""
        random = os.urandom(16 + 32 + _NONCE_BYTES)
        key_id, secret, nonce = _BOUND_BOX + random[:16].hex(), random[16:48], random[48:]
        box = nonce + AESGCM(secret).encrypt(nonce, data, self._place(key_id, bound_to))
        return Sealed(key_id, box), PersonKey(self, key_id, subject, secret, bound_to.partition(_FOR)[2])

    def row(self, key: PersonKey, subject: str) -> KeyRow:
        """The key as it is stored, wrapped under the epoch in which this ledger seals now."""
        number = self._sealer.writes
        epoch = self._sealer.epochs[number]
        wrapped = self._wrapped(epoch, key.key_id, subject, key.secret)
        email, phone = epoch.hidden(key.email), epoch.hidden(key.phone)
        return KeyRow(key.key_id, subject, wrapped, email, phone, key.bound_to, number, key.purpose)

    def _wrapped(self, epoch: _EpochKeys, key_id: str, subject: str, secret: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return _BOUND_WRAP + nonce + epoch.wrapper.encrypt(nonce, secret, self._owner(key_id, subject))

    def _owner(self, key_id: str, subject: str) -> bytes:
        return f"{self._schema}\0{key_id}\0{subject}".encode()

    def _place(self, key_id: str, bound_to: str) -> bytes:
        if len(key_id) == _BOUND_KEY_ID_CHARACTERS:
            return f"{self._schema}\0{bound_to}".encode()
        return bound_to.partition(_FOR)[0].encode()  # a box of before is bound to the stream alone

    # --- unsealing --------------------------------------------------------------------------------

    def unseal(self, sealed: Sealed, key: StoredKey, bound_to: str) -> dict[str, Any]:
        """What was sealed; raises Unreadable when it was altered or belongs elsewhere."""
        return cast("dict[str, Any]", msgspec.json.decode(self.unseal_bytes(sealed, key, bound_to)))

    def unseal_bytes(self, sealed: Sealed, key: StoredKey, bound_to: str) -> bytes:
        """The bytes that were sealed; raises Unreadable when they were altered or belong elsewhere."""
        box, key_id = sealed.box, sealed.key_id
        try:
            secret = self._unwrapped(key_id, key)
            return AESGCM(secret).decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], self._place(key_id, bound_to))
        except (InvalidTag, ValueError, KeyError) as error:
            raise Unreadable(f"sealed value {key_id} does not open for {bound_to.replace(_FOR, ' as ')}") from error

    def _unwrapped(self, key_id: str, key: StoredKey) -> bytes:
        wrapper, wrapped = self._sealer.epochs[key.epoch].wrapper, key.wrapped
        if _is_bound(wrapped):
            nonce, rest = wrapped[1 : 1 + _NONCE_BYTES], wrapped[1 + _NONCE_BYTES :]
            return wrapper.decrypt(nonce, rest, self._owner(key_id, key.subject))
        return wrapper.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], key_id.encode())

    def rewrapped(self, row: KeyRow) -> KeyRow:
        """A stored key, wrapped anew under the present epoch; raises Unreadable if it does not open."""
        number = self._sealer.writes
        epoch = self._sealer.epochs[number]
        try:
            secret = self._unwrapped(row.key_id, StoredKey(row.subject, row.wrapped, row.epoch))
        except (InvalidTag, ValueError, KeyError) as error:
            raise Unreadable(f"data key {row.key_id} does not open in epoch {row.epoch}") from error
        wrapped = self._wrapped(epoch, row.key_id, row.subject, secret)
        email, phone = map(epoch.hidden, self.hashes_in(row.email, row.phone, row.wrapped, row.epoch))
        return row._replace(wrapped=wrapped, email=email, phone=phone, epoch=number)

    # --- recognising ------------------------------------------------------------------------------

    def digest(self, data: bytes) -> str:
        """What recognises the same again for as long as the epoch lasts; ``may_be_same`` compares it."""
        return as_digest(self.fingerprint(data))

    def fingerprint(self, data: bytes) -> bytes:
        """A keyed hash of what is personal: it tells its epoch, with which it can be compared with nothing any more."""
        number = self._sealer.writes
        hashed = self._sealer.epochs[number].digest.copy()
        hashed.update(self._prefix)
        hashed.update(data)
        return number.to_bytes(EPOCH_BYTES) + hashed.digest()

    def lasting_hash(self, known_as: str) -> str:
        """A keyed hash that no epoch and no erasure ends: only for what has to be recognised for good."""
        return self._hashed(f"{self._name} for good {known_as}").hex()

    # --- contacts ---------------------------------------------------------------------------------

    def hashes(self, email: str, phone: str) -> tuple[bytes | None, bytes | None]:
        """What a person is known by in this tenant, before an epoch hides it."""
        email, phone = _plain_email(email), _plain_phone(phone)
        return (
            self._hashed(f"{self._name} email {email}")[:_BLOCK_BYTES] if email else None,
            self._hashed(f"{self._name} phone {phone}")[:_BLOCK_BYTES] if phone else None,
        )

    def _hashed(self, known_by: str) -> bytes:
        hashed = self._sealer.contact_hash.copy()
        hashed.update(known_by.encode())
        return hashed.digest()

    def contacts(self, email: str, phone: str) -> list[Contacts]:
        """As what the key table may hold them."""
        return self.spelled(*self.hashes(email, phone))

    def spelled(self, email: bytes | None, phone: bytes | None) -> list[Contacts]:
        """As what the key table may hold these hashes: once for each epoch that there is, and as before epochs."""
        every = [Contacts(each.hidden(email), each.hidden(phone)) for each in self._sealer.epochs.values()]
        if FIRST_EPOCH in self._sealer.epochs:
            every.append(Contacts(email.hex() if email else None, phone.hex() if phone else None))
        return every

    def stored_as(self, email: str, phone: str, key: StoredKey) -> Contacts:
        """As what they stand beside a key that is there already."""
        hashes = self.hashes(email, phone)
        if not _is_bound(key.wrapped):
            return Contacts(*(each.hex() if each else None for each in hashes))
        return Contacts(*map(self._sealer.epochs[key.epoch].hidden, hashes))

    def hashes_in(
        self, email: str | None, phone: str | None, wrapped: bytes, epoch: int
    ) -> tuple[bytes | None, bytes | None]:
        """The hashes of contacts that stand beside a key: hidden by its epoch, but for keys of before.

        None of an epoch that ended since the key was read.
        """
        if epoch not in self._sealer.epochs:
            return None, None
        show = self._sealer.epochs[epoch].shown if _is_bound(wrapped) else bytes.fromhex
        return show(email) if email else None, show(phone) if phone else None


def as_digest(fingerprint: bytes) -> str:
    """A fingerprint as facts hold it."""
    return f"{int.from_bytes(fingerprint[:EPOCH_BYTES])}.{fingerprint[EPOCH_BYTES:].hex()[:32]}"


def _is_bound(wrapped: bytes) -> bool:
    """Whether a wrap is bound to tenant and subject; those of before are not, and hide no contacts."""
    return len(wrapped) == _BOUND_WRAP_BYTES and wrapped.startswith(_BOUND_WRAP)


def placed(bound_to: str, purpose: str) -> str:
    """Where something sealed belongs, and what for: as a note of an order, and not as its customer."""
    return f"{bound_to}{_FOR}{purpose}"


def _plain_email(email: str) -> str:
    return "".join(email.split()).casefold()


def _plain_phone(phone: str) -> str:
    """Its digits; 0049 and +49 are the same."""
    if not phone.isascii():
        phone = normalize("NFKC", phone).encode("ascii", "ignore").decode()  # full-width digits
    return phone.translate(_NO_DIGITS).removeprefix("00")


_NO_DIGITS = dict.fromkeys(set(range(128)) - set(map(ord, "0123456789")))
