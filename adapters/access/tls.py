"""TLS of the API: its certificate and key out of files, checked when they are read, and read again when they change."""

from __future__ import annotations

import asyncio
import logging
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

log = logging.getLogger("fulfilment.tls")

WARN_BEFORE = timedelta(days=21)
"""Certificates are usually renewed a month before they end: this late, something is wrong."""
_LOOK_SECONDS = 3600.0
_WARN_AGAIN = timedelta(days=1)


class BadCertificate(Exception):
    """TLS cannot be offered with these files; the message says why and what to do."""


class Files(NamedTuple):
    """Where the certificate (with those between it and its authority), its key and the authority of clients are."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def stamps(self) -> tuple[object, ...]:
        """What changes when a file does."""
        found = []
        for path in self:
            try:
                at = path.stat() if path else None
            except OSError:
                at = None
            found.append(at and (at.st_mtime_ns, at.st_size, at.st_ino))
        return tuple(found)


class _Loaded(NamedTuple):
    configuration: grpc.ServerCertificateConfiguration
    expires_at: datetime


class Tls:
    """The credentials of a server. gRPC asks at each new connection whether the files have changed."""

    def __init__(self, files: Files) -> None:
        """Raises BadCertificate."""
        self._files = files
        self._stamps = files.stamps()
        self._loaded = _load(files, datetime.now(UTC))
        renewed: Any = self.renewed  # None means no change, which grpc's types leave out
        self.credentials = grpc.dynamic_ssl_server_credentials(
            self._loaded.configuration, renewed, require_client_authentication=files.client_ca is not None
        )

    @property
    def certificate(self) -> Path:
        return self._files.certificate

    @property
    def expires_at(self) -> datetime:
        return self._loaded.expires_at

    def renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """The certificate, if it is another one than before; called by a thread of gRPC."""
        stamps = self._files.stamps()
        if stamps == self._stamps:
            return None
        self._stamps = stamps
        try:
            self._loaded = _load(self._files, datetime.now(UTC))
        except BadCertificate as problem:
            # Such as while only one of the files has been written: the next change is looked at again.
            log.warning("the changed certificate is not used, the one of before still is: %s", problem)
            return None
        log.info("uses the changed certificate, which expires on %s", f"{self.expires_at:%Y-%m-%d}")
        return self._loaded.configuration

    async def run(self) -> None:
        """Warns, once a day, of a certificate that expires soon; until it is cancelled."""
        warned_at = datetime.min.replace(tzinfo=UTC)
        while True:
            now = datetime.now(UTC)
            if now - warned_at >= _WARN_AGAIN and (sentence := self.warning(now)):
                log.warning(sentence)
                warned_at = now
            await asyncio.sleep(_LOOK_SECONDS)

    def warning(self, now: datetime) -> str:
        """What is wrong with how long the certificate is still valid; empty if nothing is."""
        left = self.expires_at - now
        if left > WARN_BEFORE:
            return ""
        when = f"{self.expires_at:%Y-%m-%d %H:%M} UTC"
        if left <= timedelta():
            return f"the certificate {self._files.certificate} expired on {when}: nobody can connect; renew it"
        return f"the certificate {self._files.certificate} expires on {when}, in {left.days} days; renew it"


def subject_names(context: grpc.aio.ServicerContext[object, object]) -> list[str]:
    """The subject alternative names of the certificate that a caller has proven to hold.

    Never its common name: that is free text, which an authority need not check as the name of anybody.
    """
    names = context.auth_context().get("x509_subject_alternative_name", ())
    return [name.decode(errors="replace") for name in names]


# --- reading the files --------------------------------------------------------------------------------


def _load(files: Files, now: datetime) -> _Loaded:
    chain, certificate = _certificates(files.certificate, "--tls-cert")
    key, public_key = _key(files.key)
    if certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != public_key:
        raise BadCertificate(
            f"the key {files.key} does not belong to the certificate {files.certificate}; name the two that were made "
            "together, the server's own certificate first in its file"
        )
    if now >= certificate.not_valid_after_utc:
        raise BadCertificate(
            f"the certificate {files.certificate} expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC; "
            "renew it"
        )
    if now < certificate.not_valid_before_utc:
        raise BadCertificate(
            f"the certificate {files.certificate} is valid from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC "
            "only; see that the clock of this machine is right"
        )
    ca = _certificates(files.client_ca, "--tls-client-ca")[0] if files.client_ca else None
    return _Loaded(grpc.ssl_server_certificate_configuration([(key, chain)], ca), certificate.not_valid_after_utc)


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadCertificate(
            f"{option} {path} cannot be read ({error.strerror}); name a file that the user of the service may read"
        ) from error


def _certificates(path: Path, option: str) -> tuple[bytes, x509.Certificate]:
    """The content of a file of certificates, and the first of them."""
    content = _read(path, option)
    try:
        return content, x509.load_pem_x509_certificates(content)[0]
    except ValueError as error:
        raise BadCertificate(f"{option} {path} holds no certificate in PEM form (-----BEGIN CERTIFICATE)") from error


def _key(path: Path) -> tuple[bytes, bytes]:
    """The content of a key file, and the public key."""
    content = _read(path, "--tls-key")
    if path.stat().st_mode & stat.S_IRWXO:
        raise BadCertificate(f"every user of this machine can use the key {path}; run chmod o= {path}")
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError as error:
        raise BadCertificate(f"the key {path} is locked by a passphrase; store it without one") from error
    except ValueError as error:
        raise BadCertificate(f"--tls-key {path} holds no private key in PEM form") from error
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise BadCertificate(f"the key {path} is of a kind that gRPC does not take; make an ECDSA or RSA key")
    return content, key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
