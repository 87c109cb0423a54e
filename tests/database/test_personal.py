"""Sealed personal data, and the one file everything personal depends on."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from ledger.engine.sealing import (
    KeyFileDamaged,
    KeyFileExposed,
    KeyFileMissing,
    KeyFileUnreadable,
    MasterKey,
    Sealer,
    Unreadable,
    WrongKey,
)
from ledger.facts import Sealed
from tests.support.stalls import (
    CoinsTaken,
    EmptyTenant,
    a_ledger,
    command,
    destroy,
)

ANN = {"name": "Ann Archer", "email": "ann@example.org", "street": "1 Mill Lane"}


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(MasterKey(bytes(range(32))))


def test_what_was_sealed_opens_where_it_belongs_and_nowhere_else(sealer: Sealer) -> None:
    sealed, key = sealer.seal(ANN, "person-1", "order-shopify/1")
    assert sealer.unseal(sealed, key.wrapped, "order-shopify/1") == ANN
    with pytest.raises(Unreadable, match="does not open for order-shopify/2"):
        sealer.unseal(sealed, key.wrapped, "order-shopify/2")


def test_what_was_altered_does_not_open(sealer: Sealer) -> None:
    sealed, key = sealer.seal(ANN, "person-1", "order-1")
    _, other = sealer.seal(ANN, "person-1", "order-1")
    altered = sealed.box[:-1] + bytes([sealed.box[-1] ^ 1])
    for damaged in (Sealed(sealed.key_id, altered), Sealed(sealed.key_id, b"")):
        with pytest.raises(Unreadable):
            sealer.unseal(damaged, key.wrapped, "order-1")
    with pytest.raises(Unreadable):
        sealer.unseal(sealed, other.wrapped, "order-1")


def test_another_master_key_opens_nothing(sealer: Sealer) -> None:
    sealed, key = sealer.seal(ANN, "person-1", "order-1")
    with pytest.raises(Unreadable):
        Sealer(MasterKey(bytes(32))).unseal(sealed, key.wrapped, "order-1")


def test_each_sealing_has_a_key_of_its_own(sealer: Sealer) -> None:
    first, first_key = sealer.seal(ANN, "person-1", "order-1")
    second, second_key = sealer.seal(ANN, "person-1", "order-1")
    assert first_key.key_id == first.key_id != second.key_id
    assert first.box[12:] != second.box[12:]
    assert first_key.wrapped != second_key.wrapped


def test_one_person_is_one_subject_however_they_write_their_address(sealer: Sealer) -> None:
    ann = sealer.subject_of("ann@example.org", "", "")
    assert ann == sealer.subject_of(" Ann@Example.ORG ", "+44 20 1234", "order-1")
    assert sealer.subject_of("", "(44) 20-1234", "a") == sealer.subject_of("", "+44 20 1234", "b")
    others = [sealer.subject_of(*known_by) for known_by in (("44", "", ""), ("", "44", ""), ("", "", "44"))]
    assert len({ann, *others}) == 4
    assert ann.startswith("person-")
    assert "ann" not in ann.removeprefix("person-")
    assert ann != Sealer(MasterKey(bytes(32))).subject_of("ann@example.org", "", "")


def test_a_fingerprint_needs_the_key(sealer: Sealer) -> None:
    assert sealer.fingerprint(b"request") == sealer.fingerprint(b"request")
    assert sealer.fingerprint(b"request") != sealer.fingerprint(b"other")
    assert sealer.fingerprint(b"request") != Sealer(MasterKey(bytes(32))).fingerprint(b"request")


async def test_no_plain_personal_data_reaches_the_database_and_a_destroyed_key_ends_it(
    tenant: EmptyTenant, sealer: Sealer
) -> None:
    sealed, key = sealer.seal(ANN, sealer.subject_of(ANN["email"], "", ""), "stall-pears")
    async with a_ledger(tenant) as ledger:
        await ledger.execute(command("r", lambda view: [("stall-pears", CoinsTaken(1, sealed))], "pears", keys=(key,)))
        async with ledger.log.pool.connection() as connection:
            for table in ("ledger_events", "ledger_commands", "ledger_keys"):
                cursor = await connection.execute(f"SELECT t::text FROM {tenant.schema}.{table} AS t")
                text = repr(await cursor.fetchall())
                for secret in ("Ann Archer", "ann@example.org", "Mill Lane"):
                    assert secret not in text
                    assert secret.encode().hex() not in text
        (row,) = await ledger.log.read_stream("stall-pears")
        stored = msgspec.json.decode(row.state, type=CoinsTaken).by
        assert stored is not None
        wrapped = (await ledger.log.keys_of([stored.key_id]))[stored.key_id]
        assert wrapped is not None
        assert sealer.unseal(stored, wrapped, "stall-pears") == ANN
        await destroy(ledger.log, key.subject)
        assert (await ledger.log.keys_of([stored.key_id]))[stored.key_id] is None


# --- the key file ---------------------------------------------------------------------------------


def test_the_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "master.key"
    made = MasterKey.load_or_create(path, ledger_has_data=False)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_bytes()) == 32
    again = MasterKey.load_or_create(path, ledger_has_data=True)
    assert again.check == made.check
    again.verify(made.check)
    assert os.listdir(path.parent) == ["master.key"]


def test_starting_together_makes_one_key(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    with ThreadPoolExecutor(8) as threads:
        keys = list(threads.map(lambda _: MasterKey.load_or_create(path, ledger_has_data=False), range(8)))
    assert len({key.check for key in keys}) == 1


def test_a_missing_key_is_not_replaced_once_the_ledger_holds_data(tmp_path: Path) -> None:
    with pytest.raises(KeyFileMissing, match="restore it from your backup of the key"):
        MasterKey.load_or_create(tmp_path / "master.key", ledger_has_data=True)
    assert not (tmp_path / "master.key").exists()


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    MasterKey.load_or_create(path, ledger_has_data=False)
    path.chmod(0o640)
    with pytest.raises(KeyFileExposed, match="chmod 600"):
        MasterKey.load_or_create(path, ledger_has_data=True)


def test_a_key_file_of_another_length_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(b"short")
    path.chmod(0o600)
    with pytest.raises(KeyFileDamaged, match="5 bytes long instead of 32"):
        MasterKey.load_or_create(path, ledger_has_data=True)


def test_a_key_file_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.mkdir(mode=0o700)
    with pytest.raises(KeyFileUnreadable, match="cannot be used"):
        MasterKey.load_or_create(path, ledger_has_data=True)


def test_the_key_of_another_ledger_is_refused() -> None:
    with pytest.raises(WrongKey, match="start with the key file this ledger was made with"):
        MasterKey(bytes(32)).verify(MasterKey(bytes(range(32))).check)
