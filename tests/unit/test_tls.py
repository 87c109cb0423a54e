"""The certificate of the API: what is wrong with its files is said, and what is renewed is used."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from adapters.access.tls import WARN_BEFORE, BadCertificate, Files, Tls
from tests.support.certificates import DAY, Authority, Pair


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def pair(authority: Authority) -> Pair:
    return authority.issue("server")


def refused(pair: Pair, client_ca: Path | None = None) -> str:
    with pytest.raises(BadCertificate) as problem:
        Tls(Files(pair.certificate, pair.key, client_ca))
    return str(problem.value)


def spoilt_key(pair: Pair, content: bytes) -> str:
    pair.key.write_bytes(content)
    return refused(pair)


def test_a_certificate_that_is_missing_is_named(pair: Pair):
    pair.certificate.unlink()
    assert f"--tls-cert {pair.certificate} cannot be read (No such file or directory)" in refused(pair)


def test_a_key_that_is_missing_is_named(pair: Pair):
    pair.key.unlink()
    assert f"--tls-key {pair.key} cannot be read (No such file or directory)" in refused(pair)


def test_an_authority_of_clients_that_is_no_certificate_is_named(pair: Pair):
    assert f"--tls-client-ca {pair.key} holds no certificate in PEM form" in refused(pair, pair.key)


def test_a_key_that_everybody_can_read_is_refused_with_what_to_do(pair: Pair):
    pair.key.chmod(0o644)
    assert refused(pair).endswith(f"run chmod o= {pair.key}")


def test_a_key_that_a_group_can_read_is_taken(pair: Pair):
    pair.key.chmod(0o640)
    assert Tls(Files(pair.certificate, pair.key)).warning(datetime.now(UTC)) == ""


def test_a_key_of_another_certificate_is_refused(authority: Authority, pair: Pair):
    shutil.copy(authority.issue("other").key, pair.key)
    assert "does not belong to the certificate" in refused(pair)


def test_a_key_under_a_passphrase_is_refused(pair: Pair):
    key = rsa.generate_private_key(65537, 2048)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    assert "is locked by a passphrase" in spoilt_key(pair, locked)


def test_a_key_of_a_kind_that_grpc_does_not_take_is_refused(pair: Pair):
    key = ed25519.Ed25519PrivateKey.generate()
    assert "make an ECDSA or RSA key" in spoilt_key(
        pair, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


def test_what_is_no_key_is_refused(pair: Pair):
    assert "holds no private key in PEM form" in spoilt_key(pair, b"nonsense")


def test_an_expired_certificate_is_refused(authority: Authority):
    assert "expired on" in refused(authority.issue("old", valid=-DAY))


def test_a_certificate_that_expires_soon_is_warned_of(authority: Authority):
    pair = authority.issue("old", valid=timedelta(days=10, hours=1))
    tls = Tls(Files(pair.certificate, pair.key))
    now = datetime.now(UTC)
    assert f"{pair.certificate} expires on" in tls.warning(now)
    assert "in 10 days; renew it" in tls.warning(now)
    assert "nobody can connect" in tls.warning(now + 11 * DAY)
    assert tls.warning(now + timedelta(days=10) - WARN_BEFORE - DAY) == ""


# --- renewed without a restart --------------------------------------------------------------------------


def replace(old: Path, new: Path) -> None:
    os.replace(new, old)


@pytest.mark.parametrize("put", [shutil.copy, lambda new, old: replace(old, new)], ids=["written over", "moved"])
def test_a_renewed_certificate_is_used_from_the_next_connection_on(
    authority: Authority, pair: Pair, put: Callable[[Path, Path], object]
):
    tls = Tls(Files(pair.certificate, pair.key))
    before = tls.expires_at
    assert tls.renewed() is None
    renewed = authority.issue("renewed", valid=200 * DAY)
    put(renewed.certificate, pair.certificate)
    put(renewed.key, pair.key)
    assert tls.renewed() is not None
    assert tls.expires_at > before
    assert tls.renewed() is None


def test_a_certificate_whose_key_is_not_there_yet_waits_for_it(
    authority: Authority, pair: Pair, caplog: pytest.LogCaptureFixture
):
    tls = Tls(Files(pair.certificate, pair.key))
    before = tls.expires_at
    renewed = authority.issue("renewed", valid=200 * DAY)
    shutil.copy(renewed.certificate, pair.certificate)
    with caplog.at_level(logging.WARNING):
        assert tls.renewed() is None
        assert tls.renewed() is None
    assert len(caplog.records) == 1
    assert "the one of before still is" in caplog.text
    assert tls.expires_at == before
    shutil.copy(renewed.key, pair.key)
    assert tls.renewed() is not None
    assert tls.expires_at > before
