"""The machine that the service runs on: versions, disk, key file, certificate."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import google.protobuf
import grpc
from cryptography import x509

from adapters.access.tls import WARN_BEFORE
from adapters.doctor.finding import Finding, fails, ok, size, warning
from adapters.keys.holding import KeyFileBesideData, require_apart
from fulfilment import __version__
from ledger.engine.keyring import KeyProblem, load

_PYTHON_ENDS = {
    (3, 11): date(2027, 10, 31),
    (3, 12): date(2028, 10, 31),
    (3, 13): date(2029, 10, 31),
    (3, 14): date(2030, 10, 31),
}
"""Until when each gets fixes (devguide.python.org/versions)."""
_LITTLE, _TOO_LITTLE = 5 << 30, 512 << 20
_SOON = timedelta(days=3)


class Premises(NamedTuple):
    """What of the machine belongs to the service."""

    key_file: Path
    data: Path
    certificate: Path | None = None


def machine(premises: Premises, now: datetime) -> Iterator[Finding]:
    yield _versions(now.date())
    yield _disk(premises.data)
    yield _key_file(premises)
    if premises.certificate is not None:
        yield _certificate(premises.certificate, now)


def _versions(today: date) -> Finding:
    found = (
        f"service {__version__}, Python {platform.python_version()}, protobuf {google.protobuf.__version__}, "
        f"gRPC {grpc.__version__}"
    )
    ends = _PYTHON_ENDS.get(sys.version_info[:2])
    if ends is not None and today > ends:
        return warning(
            "versions", found, f"Python {platform.python_version()} gets no fixes since {ends}; take a newer"
        )
    return ok("versions", found)


def _disk(data: Path) -> Finding:
    there = next(each for each in (data.absolute(), *data.absolute().parents) if each.exists())
    usage = shutil.disk_usage(there)
    found = f"{size(usage.free)} of {size(usage.total)} are free where {data} is"
    if usage.free < _TOO_LITTLE:
        return fails("disk", found, "make room now: without it nothing can be recorded")
    if usage.free < min(_LITTLE, usage.total // 10):
        return warning("disk", found, "make room before it is full")
    return ok("disk", found)


def _key_file(premises: Premises) -> Finding:
    path = premises.key_file
    try:
        ring = load(path)
    except KeyProblem as problem:
        return fails("key file", "it cannot be used", str(problem))
    if ring is None:
        return fails("key file", f"{path} is not there", "restore it from your backup of the key, before a restart")
    epochs = f"{path} has mode 600 and epoch{'s' if len(ring.epochs) > 1 else ''} {', '.join(map(str, ring.epochs))}"
    if len(ring.epochs) > 1:
        return warning("key file", epochs, "a rotation is not finished; run: python server.py keys rotate")
    try:
        require_apart(path, premises.data)
    except KeyFileBesideData as problem:
        return warning("key file", epochs, str(problem))
    return ok("key file", epochs)


def _certificate(path: Path, now: datetime) -> Finding:
    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        return fails("certificate", f"{path} cannot be read ({type(error).__name__})", "put the certificate back")
    ends = min(each.not_valid_after_utc for each in chain)
    found = f"{path} is valid until {ends.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if ends - now < _SOON:
        return fails("certificate", found, "renew it now: once it has expired nobody can connect")
    if ends - now < WARN_BEFORE:
        return warning("certificate", found, "renew it; the service takes the new file without a restart")
    return ok("certificate", found)
