"""Sealed personal data, and the one file everything personal depends on."""

from __future__ import annotations

import os
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from ledger.engine.fingerprints import is_same, marked
from ledger.engine.keyring import (
    KeyFileDamaged,
    KeyFileExposed,
    KeyFileMissing,
    KeyFileNotOurs,
    KeyFileUnreadable,
    KeyFolderOpen,
    KeyRing,
    WrongKey,
    load_or_create,
    store,
)
from ledger.engine.sealing import Contacts, PersonKey, Sealer, StoredKey, TenantSealer, Unreadable, placed
from ledger.facts import Sealed, may_be_same
from tests.support.stalls import (
    CoinsTaken,
    EmptyTenant,
    a_ledger,
    command,
    destroy,
)

ANN = {"name": "Ann Archer", "email": "ann@example.org", "street": "1 Mill Lane"}


RING = KeyRing.of_master_key(bytes(range(32)))
ORDER = placed("order-shopify/1", "customer")


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(RING)


@pytest.fixture
def own(sealer: Sealer) -> TenantSealer:
    return sealer.of("tenant_shop")


def stored(key: PersonKey, **changed: Any) -> StoredKey:
    row = key.row()
    return StoredKey(row.subject, row.wrapped, row.epoch)._replace(**changed)


def test_what_was_sealed_opens_where_it_belongs_and_nowhere_else(sealer: Sealer, own: TenantSealer) -> None:
    sealed, key = own.seal(ANN, "order shopify/1", ORDER)
    assert own.unseal(sealed, stored(key), ORDER) == ANN
    for elsewhere in (placed("order-shopify/2", "customer"), placed("order-shopify/1", "note"), "order-shopify/1"):
        with pytest.raises(Unreadable, match="does not open for order-shopify"):
            own.unseal(sealed, stored(key), elsewhere)
    with pytest.raises(Unreadable):
        sealer.of("tenant_other").unseal(sealed, stored(key), ORDER)
    with pytest.raises(Unreadable):
        own.unseal(sealed, stored(key, subject="order shopify/2"), ORDER)


def test_a_box_does_not_open_in_another_tenant_even_where_its_key_was_wrapped_for_it(
    sealer: Sealer, own: TenantSealer
) -> None:
    sealed, key = own.seal(ANN, "order shopify/1", ORDER)
    other = sealer.of("tenant_other")
    with pytest.raises(Unreadable):
        other.unseal(sealed, stored(replace(key, sealer=other)), ORDER)


def test_what_was_altered_does_not_open(own: TenantSealer) -> None:
    sealed, key = own.seal(ANN, "order 1", "order-1")
    _, other = own.seal(ANN, "order 1", "order-1")
    altered = sealed.box[:-1] + bytes([sealed.box[-1] ^ 1])
    for damaged in (Sealed(sealed.key_id, altered), Sealed(sealed.key_id, b"")):
        with pytest.raises(Unreadable):
            own.unseal(damaged, stored(key), "order-1")
    for wrong in (stored(other), stored(key, wrapped=b""), stored(key, epoch=9)):
        with pytest.raises(Unreadable):
            own.unseal(sealed, wrong, "order-1")


def test_another_key_file_opens_nothing(own: TenantSealer) -> None:
    sealed, key = own.seal(ANN, "order 1", "order-1")
    with pytest.raises(Unreadable):
        Sealer(KeyRing.of_master_key(bytes(32))).of("tenant_shop").unseal(sealed, stored(key), "order-1")


def test_each_sealing_has_a_key_of_its_own(own: TenantSealer) -> None:
    first, first_key = own.seal(ANN, "order 1", "order-1")
    second, second_key = own.seal(ANN, "order 1", "order-1")
    assert first_key.key_id == first.key_id != second.key_id
    assert first.box[12:] != second.box[12:]
    assert first_key.row().wrapped != second_key.row().wrapped


def test_one_person_is_one_subject_of_before_however_they_write_their_address(sealer: Sealer) -> None:
    ann = sealer.subject_of("ann@example.org", "", "")
    assert ann == sealer.subject_of(" Ann@Example.ORG ", "+44 20 1234", "order-1")
    assert sealer.subject_of("", "(44) 20-1234", "a") == sealer.subject_of("", "+44 20 1234", "b")
    others = [sealer.subject_of(*known_by) for known_by in (("44", "", ""), ("", "44", ""), ("", "", "44"))]
    assert len({ann, *others}) == 4
    assert ann.startswith("person-")
    assert "ann" not in ann.removeprefix("person-")
    assert ann != Sealer(KeyRing.new()).subject_of("ann@example.org", "", "")


def test_a_fingerprint_needs_the_key_and_one_of_a_person_ends_with_the_epoch(sealer: Sealer, own: TenantSealer) -> None:
    later, others = Sealer(RING.with_another()), Sealer(KeyRing.of_master_key(bytes(32)))
    assert sealer.fingerprint(b"request") == later.fingerprint(b"request") != sealer.fingerprint(b"other")
    assert sealer.fingerprint(b"request") != others.fingerprint(b"request")
    assert own.fingerprint(b"request") == own.fingerprint(b"request") != own.fingerprint(b"other")
    assert own.fingerprint(b"request") != later.of("tenant_shop").fingerprint(b"request")
    assert own.digest(b"note") != sealer.of("tenant_other").digest(b"note")


def test_texts_are_told_apart_in_one_epoch_and_pass_for_the_same_where_they_cannot_be_compared() -> None:
    assert may_be_same("1.aa", "1.aa")
    assert not may_be_same("1.aa", "1.bb")
    assert may_be_same("1.aa", "1.bb", erased=True)
    assert may_be_same("1.aa", "2.bb")
    assert may_be_same("aa", "2.bb"), "of before epochs"
    assert not may_be_same("", "1.aa", erased=True), "that there was none is no secret"


def test_a_request_is_the_same_as_long_as_that_can_be_known(sealer: Sealer, own: TenantSealer) -> None:
    later = Sealer(RING.with_another()).of("tenant_shop")

    def same(first: bytes, again: bytes, content: bytes = b"request") -> bool:
        return is_same(first, again, lambda: sealer.fingerprint(content))

    assert same(own.fingerprint(b"request"), own.fingerprint(b"request"))
    assert not same(own.fingerprint(b"request"), own.fingerprint(b"other"), b"other")
    assert same(own.fingerprint(b"request"), later.fingerprint(b"other"), b"other"), "of another epoch"
    assert same(b"", own.fingerprint(b"other"), b"other"), "of an erased person"
    assert same(marked(own.fingerprint(b"request")), own.fingerprint(b"request")), "of what recorded nothing"
    assert not same(marked(own.fingerprint(b"request")), own.fingerprint(b"other"), b"other")
    assert same(marked(own.fingerprint(b"request")), later.fingerprint(b"other"), b"other")
    assert same(sealer.fingerprint(b"request"), own.fingerprint(b"request")), "of before epochs"
    assert not same(sealer.fingerprint(b"request"), own.fingerprint(b"other"), b"other")
    assert not is_same(sealer.fingerprint(b"request"), sealer.fingerprint(b"other"), None)


def test_a_key_is_wrapped_anew_with_what_finds_its_person(own: TenantSealer) -> None:
    sealed, key = own.seal(ANN, "order 1", "order-1")
    row = key.found_by(ANN["email"], "+49 30", "1").row()
    ring = RING.with_another()
    between, after = Sealer(ring).of("tenant_shop"), Sealer(ring.with_newest_only()).of("tenant_shop")
    renewed = between.rewrapped(row)
    assert (row.epoch, renewed.epoch) == (1, 2)
    assert not {row.wrapped, row.email, row.phone} & {renewed.wrapped, renewed.email, renewed.phone}
    assert Contacts(renewed.email, renewed.phone) in after.contacts(ANN["email"], "+49 30")
    assert after.unseal(sealed, StoredKey(renewed.subject, renewed.wrapped, 2), "order-1") == ANN
    with pytest.raises(Unreadable):
        after.unseal(sealed, StoredKey(row.subject, row.wrapped, 1), "order-1")
    with pytest.raises(Unreadable):
        between.rewrapped(row._replace(subject="order 2"))


async def test_no_plain_personal_data_reaches_the_database_and_a_destroyed_key_ends_it(
    tenant: EmptyTenant, own: TenantSealer
) -> None:
    sealed, key = own.seal(ANN, "stall pears", "stall-pears")
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
        taken = msgspec.json.decode(row.state, type=CoinsTaken).by
        assert taken is not None
        found = (await ledger.log.keys_of([taken.key_id]))[taken.key_id]
        assert found is not None
        assert own.unseal(taken, found, "stall-pears") == ANN
        await destroy(ledger.log, key.subject)
        assert (await ledger.log.keys_of([taken.key_id]))[taken.key_id] is None


# --- the key file ---------------------------------------------------------------------------------


def test_the_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "master.key"
    made = load_or_create(path, ledger_has_data=False)
    assert path.stat().st_mode & 0o777 == 0o600
    again = load_or_create(path, ledger_has_data=True)
    assert again == made
    again.verify(made.check)
    assert os.listdir(path.parent) == ["master.key"]


def test_a_master_key_of_before_is_the_first_epoch_and_leaves_nothing_behind_once_it_is_replaced(
    tmp_path: Path,
) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(bytes(range(32)))
    path.chmod(0o600)
    before = load_or_create(path, ledger_has_data=True)
    assert before == RING
    with path.open("rb") as held:
        store(path, before.with_another())
        assert held.read() == bytes(32), "what the file held is overwritten"
    both = load_or_create(path, ledger_has_data=True)
    assert (both.check, sorted(both.epochs)) == (before.check, [1, 2])
    store(path, both.with_newest_only())
    assert sorted(load_or_create(path, ledger_has_data=True).epochs) == [2]
    assert b64encode(bytes(range(32))) not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["master.key"]


def test_starting_together_makes_one_key(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    with ThreadPoolExecutor(8) as threads:
        rings = list(threads.map(lambda _: load_or_create(path, ledger_has_data=False), range(8)))
    assert len({ring.check for ring in rings}) == 1


def test_a_missing_key_is_not_replaced_once_the_ledger_holds_data(tmp_path: Path) -> None:
    with pytest.raises(KeyFileMissing, match="restore it from your backup of the key"):
        load_or_create(tmp_path / "master.key", ledger_has_data=True)
    assert not (tmp_path / "master.key").exists()


def test_a_key_file_that_others_can_read_or_replace_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    load_or_create(path, ledger_has_data=False)
    path.chmod(0o640)
    with pytest.raises(KeyFileExposed, match="chmod 600"):
        load_or_create(path, ledger_has_data=True)
    path.chmod(0o600)
    tmp_path.chmod(0o770)
    with pytest.raises(KeyFolderOpen, match="chmod go-w"):
        load_or_create(path, ledger_has_data=True)


def test_a_key_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "master.key"
    load_or_create(path, ledger_has_data=False)
    if os.geteuid() == 0:
        os.chown(path, 65534, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(KeyFileNotOurs, match="belongs to another user"):
        load_or_create(path, ledger_has_data=True)


@pytest.mark.parametrize("content", [b"short", b"{}", b'{"permanent": {}, "epochs": {}}', bytes(33)])
def test_a_key_file_that_holds_no_keys_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileDamaged, match=rf"\({len(content)} bytes\) holds no keys"):
        load_or_create(path, ledger_has_data=True)


def test_a_key_file_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.mkdir(mode=0o700)
    with pytest.raises(KeyFileUnreadable, match="cannot be used"):
        load_or_create(path, ledger_has_data=True)


def test_the_key_of_another_ledger_is_refused() -> None:
    with pytest.raises(WrongKey, match="start with the key file this ledger was made with"):
        KeyRing.new().verify(RING.check)
